# %% [markdown]
# # 01 A line by hand
#
# Goal: let a program find the line through a cloud of points by walking downhill.

# %%
import numpy as np

from kerasnb import Sequential, datasets, optimizers
from kerasnb.kernels.formulas.optimizers import sgd
from kerasnb.layers import Dense
from kerasnb.lessons import axes, check, figure, show

(flowers, _), _ = datasets.iris.load_data()
x, t = flowers[:, 2].astype(float), flowers[:, 3].astype(float)

# %% [markdown]
# ## The question in numbers
# 120 iris flowers: x is the length of a petal in centimetres, t its width. Can we tell
# the width from the length? Our guess is a line with two numbers to choose, w and b.
# The loss L says how wrong it is: the mean of the squared errors.
#
#     p[n] = w x[n] + b
#     L = 1/N sum_n (p[n] - t[n])^2
#
# The slope of L tells where it goes up. When w grows by 1, each guess grows by its x:
#
#     dL/dw = 2/N sum_n (p[n] - t[n]) x[n]
#     dL/db = 2/N sum_n (p[n] - t[n])
#
# Gradient descent takes a small step the other way, again and again. How small is the
# learning rate.


# %%
def loss_and_slopes(w, b):
    """Return L, dL/dw and dL/db."""
    L = dw = db = 0.0
    for n in range(len(x)):
        error = w * x[n] + b - t[n]
        L += error**2 / len(x)
        dw += 2 * error * x[n] / len(x)
        db += 2 * error / len(x)
    return L, dw, db


def descend(rate, steps):
    """Return the last w and b, and the loss before every step."""
    w, b, losses = 0.0, 0.0, []
    for _ in range(steps):
        L, dw, db = loss_and_slopes(w, b)
        w, b, losses = w - rate * dw, b - rate * db, [*losses, L]
    return w, b, losses


w, b, losses = descend(rate=0.05, steps=500)
print(f"loss {losses[0]:.3f} -> {losses[-1]:.4f}    w = {w:.3f}, b = {b:.3f}")

# %% [markdown]
# Question: a rate of 0.05 works. What will a rate of 0.06 do: arrive sooner, arrive
# later, or something else? Decide before you look at the right picture.

# %%
_, _, too_fast = descend(rate=0.06, steps=60)
drawn, (left, right) = axes(2)
left.plot(x, t, "o", alpha=0.6, label="flowers")
left.plot([1, 7], [w + b, 7 * w + b], label=f"w = {w:.2f}, b = {b:.2f}")
left.set(xlabel="petal length (cm)", ylabel="petal width (cm)", title="the line")
right.semilogy(losses[:60], label="rate 0.05")
right.semilogy(too_fast, "--", label="rate 0.06")
right.set(xlabel="step", title="loss")
left.legend(), right.legend()
figure(drawn, "01_line")

# %% [markdown]
# At 0.06 every step jumps across the valley and lands higher on the other side. The
# steeper a valley, the smaller the steps it allows; exercise 3 finds the limit.
#
# For a line there is a formula for the lowest point, which `np.polyfit` knows. For a
# network there is none: that is why we walk.

# %%
assert np.allclose((w, b), np.polyfit(x, t, 1), atol=2e-3)
assert too_fast[-1] > 10 * too_fast[0]

# %% [markdown]
# ## The library's way
# A Dense layer with one input and one output is this line: x W + b. Its optimizer does
# the same step, for any number of weights. This is its rule, from its own file:

# %%
show(sgd)
model = Sequential([Dense(1, kernel_initializer="zeros", input_shape=(1,))])
model.compile(optimizers.SGD(lr=0.05), "mse")
model.fit(x, t, batch_size=len(x), epochs=500, verbose=0)
W, bias = model.get_weights()
print(f"by hand {w:.5f}, {b:.5f}    by fit {W[0, 0]:.5f}, {bias[0]:.5f}")
assert np.allclose((W[0, 0], bias[0]), (w, b), atol=1e-4)

# %% [markdown]
# ## Exercises
# Replace `...`, run again, and `check` answers. Solutions: `tutorials/solutions`.
# 1. The line through the origin has only a slope, p = w x. Return dL/dw.


# %%
def slope_at(w, x, t):
    """Return dL/dw of the line w x, for arrays x and t."""
    ...


def measured_slope(w, x, t):  # how far L rises when w moves by 0.00001
    return np.mean(((w + 5e-6) * x - t) ** 2 - ((w - 5e-6) * x - t) ** 2) / 1e-5


check(1, slope_at, measured_slope, lambda r: (r.normal(), *r.normal(size=(2, 9))))

# %% [markdown]
# 2. At the lowest point both slopes are 0. Solve the two equations for w and b.


# %%
def best_line(x, t):
    """Return the w and b with the smallest L, without walking."""
    ...


check(2, best_line, lambda x, t: np.polyfit(x, t, 1), lambda r: r.normal(size=(2, 9)))

# %% [markdown]
# 3. For p = w x, find the largest rate at which w does not run away. Hint: how does the
#    slope of L change with w, and which step just reaches the other side?


# %%
def largest_rate(x):
    """Return the largest learning rate at which w does not run away."""
    ...


def is_the_limit(rate, x):  # walk towards w = 0 from w = 1: the targets are zeros
    below, above = (1 - 2 * r * np.mean(x**2) for r in (0.99 * rate, 1.01 * rate))
    if abs(below) >= 1:
        return (
            f"A rate of {rate:.4g} is too large: one step leads from 1 to {below:.4g}."
        )
    return True if abs(above) > 1 else f"More than {rate:.4g} is possible."


check(3, largest_rate, law=is_the_limit, draw=lambda r: (r.normal(size=9),))
