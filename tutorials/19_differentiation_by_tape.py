# %% [markdown]
# # 19 Differentiation by tape, and a loss of your own
#
# Goal: let the program differentiate what you wrote, then train with your own loss.

# %%
import numpy as np

import kerasnb
from kerasnb.autodiff import Tape
from kerasnb.layers import Dense
from kerasnb.lessons import axes, check, figure, quick, show
from kerasnb.optimizers import Adam

# %% [markdown]
# ## A tape in fifteen lines
# While a program runs we write on a tape: this result came from those numbers, with
# those slopes. Then we read the tape from its end, by the chain rule of lesson 02:
#
#     dL/da = sum over all results r made from a of dL/dr dr/da

# %%
tape = []


class Number:
    def __init__(self, value, *sources):  # a source: the Number used, and the slope
        self.value, self.gradient = value, 0.0
        tape.append((self, sources))

    def __add__(self, other):
        return Number(self.value + other.value, (self, 1), (other, 1))

    def __mul__(self, other):
        a, b = self.value, other.value
        return Number(a * b, (self, b), (other, a))


def read_backwards(L):
    L.gradient = 1.0
    for result, sources in reversed(tape):
        for source, slope in sources:
            source.gradient += result.gradient * slope


x, w = Number(0.8), Number(-1.5)
read_backwards(x * x + w * x)
print(f"{len(tape)} numbers on the tape, dx = {x.gradient:.4f}, dw = {w.gradient:.4f}")

# %% [markdown]
# Question: x stands three times in x x + w x. If `read_backwards` had = in place
# of +=, what would the gradient of x be? Which of the three uses would be left?
#
# x x was computed first, so it is read last, and = would leave its second factor: 0.8.
# One run and one reading gave all slopes; measuring takes two runs for each of them.
#
# ## The library's way
# The same for arrays. In place of a slope the tape keeps a function, the pullback: from
# the gradient of the result it makes those of the operands (see `autodiff_rules.py`).

# %%
show(Tape.add)
slopes = kerasnb.grad(lambda x, w: x * x + w * x, argnums=(0, 1))(0.8, -1.5)
assert np.allclose(slopes, (x.gradient, w.gradient))

# %% [markdown]
# ## A loss of your own
# A bus is t minutes late, we reserve p. A minute too few costs q, one too many 1 - q:
#
#     loss = q (t - p) if t > p, else (1 - q) (p - t)
#
# At the best p a share q of all rides is in time: one more minute costs 1 - q on these,
# and saves q on the others, so q (1 - q) = (1 - q) q. The tape does the rest.
#
# Question: delays are short on most days and very long on a few. Order by height the
# curves that we get from q = 0.5, from q = 0.9, and from the squared error (the mean).

# %%
losses = {
    "q = 0.9": lambda t, p: np.maximum(0.9 * (t - p), 0.1 * (p - t)),
    "mse": "mse",
    "q = 0.5": lambda t, p: 0.5 * np.abs(t - p),
}
hour = np.sort(np.random.default_rng(0).uniform(12, 22, 2000))
delay = np.random.default_rng(1).exponential(1 + 8 * np.exp(-((hour - 17) ** 2) / 4))


def train(loss):
    kerasnb.set_seed(0)
    model = kerasnb.Sequential([Dense(32, "tanh"), Dense(32, "tanh"), Dense(1)])
    model.compile(Adam(lr=0.01), loss)
    model.fit((hour - 17) / 2, delay, epochs=quick(60, 15), verbose=0)
    return model.predict((hour - 17) / 2)[:, 0]


drawn, ax = axes()
ax.plot(hour, delay, ".", color="0.75", ms=4)
for name, loss in losses.items():
    p = train(loss)
    ax.plot(hour, p, lw=3, label=f"{name}: in time {np.mean(delay <= p):.0%}")
    assert name == "mse" or abs(np.mean(delay <= p) - float(name[4:])) < 0.08
ax.set(xlabel="hour of the day", title="delay in minutes", ylim=(-1, 40)), ax.legend()
figure(drawn, "19_bus")

# %% [markdown]
# The few long delays lift the mean above the middle. The tape cannot look into compiled
# functions, so there we tell the derivative by p. `elementwise` compiles formulas of
# single numbers to run over arrays; `check_gradient` measures whether we derived well.

# %%
slope = lambda t, p: 0.5 * np.sign(p - t)  # noqa: E731
own = kerasnb.with_gradient(losses["q = 0.5"], slope, elementwise=True)
print(kerasnb.check_gradient(lambda p: own(delay[:50], p), delay[50:100]))
assert np.allclose(train(own), p, atol=0.01), "the same curve as with the tape"

# %% [markdown]
# ## Exercises


# %%
def tanh(a):
    """1. Return the Number tanh(a) for our own tape; the slope is 1 - tanh(a)^2."""
    ...


def slope_of(tanh, a):
    y = tanh(a := Number(a))
    return y and (y.value, read_backwards(y), a.gradient)[::2]


check(1, tanh, (np.tanh(0.3), 1 - np.tanh(0.3) ** 2), lambda r: (0.3,), run=slope_of)


# %%
def dear_if_low(t, p):
    """2. Return the loss (p - t)^2 for arrays t and p, four times as dear if p < t."""
    ...


check(2, dear_if_low, np.array([4, 4.0]), lambda r: np.array([[1, 2], [3.0, 1]]))


# %%
def log_cosh_slope(t, p):
    """3. The loss log(cosh(p - t)), cosh(d) = (e^d + e^-d) / 2: its derivative by p?"""
    ...


by_tape = kerasnb.grad(lambda p: np.sum(np.log(np.cosh(p - delay))))(p)
check(3, log_cosh_slope, by_tape, lambda r: (delay, p))
