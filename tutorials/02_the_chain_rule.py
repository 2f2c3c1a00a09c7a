# %% [markdown]
# # 02 The chain rule, checked numerically
#
# Goal: find the slope of a program made of several steps, and a way to catch mistakes.

# %%
import numpy as np

import kerasnb
from kerasnb.autodiff import Tape
from kerasnb.layers import Dense
from kerasnb.lessons import axes, check, figure, show

# %% [markdown]
# ## One step after the other
# A tiny network has one weight w and one input x. Three steps lead to its loss:
#
#     z = w x        y = tanh(z)        L = (y - t)^2
#
# Each step alone has an easy slope. The chain rule multiplies them, from the last step
# back to the first. As in all of the library, dv is the slope of L with respect to v:
#
#     dy = 2 (y - t)        dz = (1 - y^2) dy        dw = x dz


# %%
def forward(w, x, t):
    """Return the loss, and what the way back needs."""
    y = np.tanh(w * x)
    return (y - t) ** 2, y


def backward(w, x, t):
    """Return dw, the slope of the loss with respect to w."""
    _, y = forward(w, x, t)
    dy = 2 * (y - t)
    dz = (1 - y**2) * dy
    return x * dz


w, x, t = 0.5, 1.5, -0.3
print(
    f"loss {forward(w, x, t)[0]:.4f}, slope by the chain rule {backward(w, x, t):.6f}"
)

# %% [markdown]
# ## How do we know that it is right?
# By measuring. Step a little to both sides and see how much the loss has risen:
#
#     dL/dw is about (L(w + h) - L(w - h)) / 2h
#
# Nobody trains with this: it takes two runs of the network for every single weight. But
# it knows nothing of our formula, so it is an honest judge.
#
# Question: the smaller h, the better? Guess the error at h = 0.1, 0.00001 and 1e-15.


# %%
def measured(loss, w, h=1e-5):
    """Return the central difference of a function of one number."""
    return (loss(w + h) - loss(w - h)) / (2 * h)


h = 10.0 ** -np.arange(0.5, 16, 0.5)
drawn, ax = axes()
for kind in (np.float64, np.float32):
    found = measured(lambda w: forward(w, kind(x), kind(t))[0], kind(w), h.astype(kind))
    errors = np.abs(found - backward(w, x, t))
    ax.loglog(h, errors, "o-" if kind is np.float64 else "s--", label=kind.__name__)
ax.set(xlabel="h", title="error of the measured slope", xlim=(1, 1e-16))
ax.legend()
figure(drawn, "02_differences")

# %% [markdown]
# On the left the curve bends between w - h and w + h. On the right the two losses agree
# in all but their last digits: the difference is noise. With 16 digits (float64) h =
# 0.00001 is good; with 7 (float32) no h is, so the library checks slopes in float64.

# %%
assert abs(measured(lambda w: forward(w, x, t)[0], w) - backward(w, x, t)) < 1e-9
assert errors.min() > 1e-6, "float32"

# %% [markdown]
# ## A value that is used twice
# In L = u v with u = sin(w) and v = w^2, w reaches L by two ways. Their slopes add up:
#
#     dw = cos(w) du + 2 w dv        du = v        dv = u
#
# ## The library's way
# A program can keep these books: it notes each step on a tape while it computes, and
# reads the tape from its end. Which line adds up what was used twice?

# %%
show(Tape.gradients)
taped = kerasnb.grad(lambda w: np.sin(w) * w**2)(0.7)
assert abs(taped - measured(lambda w: np.sin(w) * w**2, 0.7)) < 1e-9
assert abs(taped - (np.cos(0.7) * 0.7**2 + 2 * 0.7 * np.sin(0.7))) < 1e-12

# %% [markdown]
# The layers have a `backward` written by hand, for speed. Each is checked by measuring:

# %%
print(kerasnb.check_layer(Dense(3, activation="tanh"), input_shape=(4,)))

# %% [markdown]
# ## Exercises
# 1. The sigmoid is y = 1 / (1 + exp(-z)). Return dz, given y and dy.
# 2. A network of two weights: y = tanh(v tanh(w x)), L = (y - t)^2. Return (dw, dv).
# 3. Measure the slope of f(x) by each number of the array x: return an array like x.


# %%
def sigmoid_backward(y, dy):
    """Return dz, where y is what the sigmoid returned."""
    ...


def sigmoid_slope(y, dy):
    return measured(lambda z: 1 / (1 + np.exp(-z)), np.log(y / (1 - y))) * dy


check(1, sigmoid_backward, sigmoid_slope, lambda r: (r.uniform(), r.normal()))


# %%
def two_slopes(w, v, x, t):
    """Return dw and dv."""
    ...


def slopes_by_tape(w, v, x, t):
    L = kerasnb.grad(lambda u: (np.tanh(u[1] * np.tanh(u[0] * x)) - t) ** 2)
    return L(np.array([w, v]))


check(2, two_slopes, slopes_by_tape, lambda r: r.normal(size=4))


# %%
def measured_gradient(f, x):
    """Return the slope of f(x) by each number of the array x."""
    ...


def wave(x):
    return np.sum(np.sin(x) * x[::-1])


slopes = kerasnb.grad(wave)
check(3, measured_gradient, lambda f, x: slopes(x), lambda r: (wave, r.normal(size=4)))
