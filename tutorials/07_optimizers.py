# %% [markdown]
# # 07 Optimizers: one valley, every rule
#
# Goal: watch how each rule turns slopes into steps, and know what each one remembers.

# %%
import numpy as np

import kerasnb
from kerasnb import Sequential, datasets, optimizers, plotting
from kerasnb.kernels.formulas.optimizers import adam as adam_of_one_number
from kerasnb.layers import Dense
from kerasnb.lessons import axes, check, figure, quick, show

# %% [markdown]
# ## The valley
# Two weights, a and b. The walls are steep, the floor falls gently; lowest is (0, 0).
#
#     L = a^2 / 20 + b^2        dL/da = a / 10        dL/db = 2 b
#
# Along b one wants small steps, along a large ones, and plain descent has one rate for
# both. Every other rule keeps a memory of earlier slopes to do better.


# %%
def plain(g, memory, rate=0.3):
    """Down the slope."""
    return rate * g


def momentum(g, memory, rate=0.1):
    """A ball that rolls: the step is a tenth new, nine tenths as before."""
    memory["v"] = 0.9 * memory.get("v", 0) + rate * g
    return memory["v"]


def rmsprop(g, memory, rate=0.3):
    """Divide by the usual size of the slope: each weight gets a rate of its own."""
    memory["a"] = 0.9 * memory.get("a", 0) + 0.1 * g**2
    return rate * g / (np.sqrt(memory["a"]) + 1e-7)


def adam(g, memory, rate=0.5):
    """Both: a mean of slopes, divided by their usual size."""
    t = memory["t"] = memory.get("t", 0) + 1
    m = memory["m"] = 0.9 * memory.get("m", 0) + 0.1 * g
    v = memory["v"] = 0.999 * memory.get("v", 0) + 0.001 * g**2
    m, v = m / (1 - 0.9**t), v / (1 - 0.999**t)  # a mean that began at 0 is too small
    return rate * m / (np.sqrt(v) + 1e-7)


def walk(rule, steps=50):
    """Return the points that a rule visits, from (-8, 2) on."""
    p, memory, path = np.array([-8.0, 2.0]), {}, []
    for _ in range(steps + 1):
        path.append(p)
        p = p - rule(p * [0.1, 2], memory)
    return np.array(path)


# %% [markdown]
# Question: which of the four will swing across the floor of the valley, and which will
# shoot past its end? Does the first step of `rmsprop` and `adam` lead straight down the
# wall, or diagonally?

# %%
figure(plotting.plot_optimizer_paths(steps=50), "07_paths")
figure(plotting.animate_optimizer_paths(steps=quick(50, 3)), "07_paths_film")

# %% [markdown]
# Plain descent is soon at the floor and crawls. Momentum gains speed, swings from wall
# to wall and shoots past the end. RMSprop and Adam make steps of one size along both
# axes, whatever the slope, and start diagonally; Adam, with momentum, swings as well.
#
# ## The library's way
# One formula for one number; a kernel runs it over all weights. Its lr is that of step
# t, rate sqrt(1 - 0.999^t) / (1 - 0.9^t): both corrections in one.

# %%
show(adam_of_one_number)
theirs = plotting.optimizer_paths(steps=50)
ours = {"SGD": plain, "momentum": momentum, "RMSprop": rmsprop, "Adam": adam}
for name, rule in ours.items():
    assert np.allclose(walk(rule), theirs[name], atol=1e-3), name

# %% [markdown]
# The same on a network of 2,410 weights, with the usual rate of each rule. Which one is
# best depends on the rate, and on the valley: try `optimizers.SGD(lr=0.1)`.

# %%
(x, y), _ = datasets.digits.load_data()
drawn, ax = axes(size=(8, 5))
losses = {}
for name in ("sgd", "rmsprop", "adagrad", "adadelta", "adam", "adamax", "nadam"):
    kerasnb.set_seed(0)
    model = Sequential([Dense(32, "relu", input_shape=(64,)), Dense(10, "softmax")])
    model.compile(name, "sparse_categorical_crossentropy")
    fitted = model.fit(x.reshape(-1, 64) / 16, y, epochs=quick(20, 5), verbose=0)
    losses[name] = fitted.history["loss"]
    ax.semilogy(range(1, len(losses[name]) + 1), losses[name], label=name)
ax.set(xlabel="epoch", title="loss of the digits")
ax.legend()
figure(drawn, "07_digits")
assert max(losses, key=lambda name: losses[name][-1]) == "sgd"

# %% [markdown]
# ## Exercises


# %%
def nesterov(p, v, g, rate, mu):
    """1. v = mu v - rate g, then p + mu v - rate g. Return the new p and the new v."""
    ...


def one_step(p, v, g, rate, mu):
    rule = optimizers.SGD(lr=rate, momentum=mu, nesterov=True)
    rule.build(len(p), p.dtype)
    rule.v[...] = v
    rule.update(p, g)
    return p, rule.v


check(1, nesterov, one_step, lambda r: (*r.normal(size=(3, 4)), 0.1, 0.9))


# %%
def adagrad(slopes, rate):
    """2. Adagrad divides by the root of the sum of all g^2 so far. Sum its steps."""
    ...


def far(slopes, rate):
    p, rule = np.zeros(1), optimizers.Adagrad(lr=rate)
    for g in slopes:
        rule.update(p, np.array([g]))
    return -p[0]


check(2, adagrad, far, lambda r: (r.normal(size=6), 0.1), tolerance=1e-4)


# %%
def mean_so_far(values, keep):
    """3. Start at 0, m = keep m + (1 - keep) value, then correct as `adam` does."""
    ...


weighted = np.average([5, 1, 4], weights=[0.81, 0.9, 1])
check(3, mean_so_far, weighted, lambda r: ([5, 1, 4], 0.9))
