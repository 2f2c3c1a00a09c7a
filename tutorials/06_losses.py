# %% [markdown]
# # 06 Losses: why softmax and cross-entropy belong together
#
# Goal: see which push two losses give to a network that is wrong, and choose one.

# %%
import numpy as np

import kerasnb
from kerasnb import Sequential, datasets, losses
from kerasnb.kernels.plain.losses import categorical_crossentropy_backward
from kerasnb.layers import Dense
from kerasnb.lessons import axes, check, figure, quick, show

# %% [markdown]
# ## From scores to probabilities
# A network that tells classes apart ends in one score z[k] for each. Softmax makes
# probabilities of the scores, cross-entropy looks at that of the true class t:
#
#     p[k] = exp(z[k]) / sum_j exp(z[j])
#     L = -log p[t]
#
# The loss is 0 for p[t] = 1 and grows without limit as p[t] goes to 0. Put together,
# they have a slope that one can remember: what was said, minus what is true.
#
#     dL/dz[k] = p[k] - (1 if k is t, else 0)


# %%
def softmax(z):
    """Return probabilities; the largest score is subtracted first, see below."""
    e = np.exp(z - z.max())
    return e / e.sum()


def cross_entropy(z, t):
    return -np.log(softmax(z)[t])


def squared_error(z, t):
    return np.sum((softmax(z) - np.eye(len(z))[t]) ** 2)


z, t = np.array([2.0, -1.0, 0.5]), 1
slope = kerasnb.grad(lambda z: -z[t] + np.log(np.sum(np.exp(z))))(z)
print("p", softmax(z).round(3), "  dz", slope.round(3))
assert np.allclose(slope, softmax(z) - [0, 1, 0])

# %% [markdown]
# exp(1000) is more than a computer can hold. Subtracting a number from all scores
# changes nothing, it cancels in the fraction, and then the largest exponent is 0.

# %%
with np.errstate(over="ignore", invalid="ignore"):
    print("naive", np.exp([1000.0, 0]) / np.sum(np.exp([1000.0, 0])))
print("safe ", softmax(np.array([1000.0, 0])))

# %% [markdown]
# ## Wrong, and sure of it
# A network gives the wrong class a score of s and the true one 0. Question: how hard
# does each loss push on s, from s = -8 (right and sure) to s = 8 (wrong and sure)? Draw
# both curves before you look.

# %%
s, h = np.linspace(-8, 8, 81), 1e-5
push = {}
for name, loss in (("cross-entropy", cross_entropy), ("squared error", squared_error)):
    rise = [loss(np.array([k + h, 0]), 1) - loss(np.array([k - h, 0]), 1) for k in s]
    push[name] = np.array(rise) / (2 * h)  # measured, as in lesson 02

# %% [markdown]
# In training: two networks whose last bias makes them sure that every digit is a zero.

# %%
(x, y), _ = datasets.digits.load_data()
x, y = x.reshape(-1, 64) / 16, np.eye(10)[y]
curves = {}
for name, loss in zip(push, ("categorical_crossentropy", "mse")):
    kerasnb.set_seed(0)
    model = Sequential([Dense(32, "relu", input_shape=(64,)), Dense(10, "softmax")])
    W, b = model.layers[1].get_weights()
    model.layers[1].set_weights([W, b + 8 * np.eye(10)[0]])
    model.compile("sgd", loss, metrics=["accuracy"])
    curves[name] = model.fit(x, y, epochs=quick(20, 8), verbose=0).history["acc"]

drawn, (left, right) = axes(2)
for name, line in zip(push, ("-", "--")):
    left.plot(s, push[name], line, label=name)
    right.plot(range(1, len(curves[name]) + 1), curves[name], line, label=name)
left.set(xlabel="score s of the wrong class", title="push on s")
right.set(xlabel="epoch", title="accuracy from a bad start", ylim=(0, 1))
left.legend(), right.legend()
figure(drawn, "06_push")
assert curves["cross-entropy"][-1] > curves["squared error"][-1] + 0.2

# %% [markdown]
# The more wrong, the harder cross-entropy pushes, up to 1. The squared error gives up
# where the network is surest: softmax is flat there, and the epochs change nothing.
#
# ## The library's way
# Loss and softmax stand apart here, so that any loss may follow any layer. The chain
# rule joins them: the loss fills dp, the softmax turns dp into dz.

# %%
show(categorical_crossentropy_backward)
p, dp = softmax(z)[None], np.zeros((1, 3))
losses.categorical_crossentropy.backward(dp, np.eye(3)[[t]], p, np.ones(1))
dz = p * (dp - np.sum(dp * p))  # the backward of softmax
assert np.allclose(dz, slope, atol=1e-6)

# %% [markdown]
# ## Exercises


# %%
def log_softmax(z):
    """1. Return log p[k] for all k, also where p[k] is too small for a number."""
    ...


far = np.array([0.0, 1000.0, -2000.0, 998.0])
total = np.logaddexp.reduce(far)  # adds numbers that are given by their logarithms
check(1, log_softmax, far - total, lambda r: (far,))


# %%
def two_class_slope(z, t):
    """2. p = 1 / (1 + exp(-z)), L = -t log(p) - (1 - t) log(1 - p). Return dL/dz."""
    ...


def loss(z, t):
    return t * np.log1p(np.exp(-z)) + (1 - t) * np.log1p(np.exp(z))


by_tape = kerasnb.grad(lambda z: loss(z, 0.3))(1.2)
check(2, two_class_slope, by_tape, lambda r: (1.2, 0.3))


# %%
def loss_of_guessing(classes):
    """3. A new network knows nothing. Which cross-entropy should it begin with?"""
    ...


model = Sequential(
    [Dense(10, "softmax", kernel_initializer="zeros", input_shape=(64,))]
)
model.compile("sgd", "categorical_crossentropy")
check(3, loss_of_guessing, model.evaluate(x, y, verbose=0), lambda r: (10,))
