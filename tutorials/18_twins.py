# %% [markdown]
# # 18 Twins: the same layer on two devices
#
# Goal: let one layer compute by readable loops, by their fast twin and by the threads
# of a GPU, and say exactly how far the results may differ, and why.

# %% a GPU, or the simulator of one, which must be asked for before Numba is imported
import os

os.environ.setdefault("NUMBA_ENABLE_CUDASIM", "1")

from time import perf_counter as clock  # noqa: E402

import numpy as np  # noqa: E402

import kerasnb  # noqa: E402
from kerasnb.device import kernels_of, ops  # noqa: E402
from kerasnb.layers import Dense  # noqa: E402
from kerasnb.lessons import axes, check, figure, quick, show  # noqa: E402

random = np.random.default_rng(0)

# %% [markdown]
# ## One name, three kernels
# A layer says `ops.dense_forward(y, x, W, b)` and never which machine does it. `ops`
# holds the kernels of the chosen device: "plain" are the loops to read, "cpu" the fast
# twins, "cuda" those for a GPU. All compute
#
#     y[n, o] = b[o] + sum_i x[n, i] W[i, o]

# %%
for device in ("plain", "cpu", "cuda"):
    show(kernels_of(device)["dense_forward"])

# %% [markdown]
# Question: all three add up the same products. Will they give the same digits?


# %%
def slow(x, W, b):
    """The sum as it stands, in float64: 16 digits, to judge float32 with."""
    y = np.zeros((len(x), len(b)))
    for n in range(len(x)):
        for o in range(len(b)):
            y[n, o] = b[o] + sum(float(a) * float(w) for a, w in zip(x[n], W[:, o]))
    return y


N, I, O = 6, 40, 5
x = random.normal(size=(N, I)).astype(np.float32)
layer = Dense(O, input_shape=(I,))
results = {}
for device in ("plain", "cpu", "cuda"):
    kerasnb.set_device(device)  # the layer's weights move with its next call
    results[device] = layer(x)
exact = slow(x, *layer.get_weights())
kerasnb.set_device("cpu")
for device, y in results.items():
    print(f"{device:6} y[0, 0] = {y[0, 0]:.9f}, error {abs(y - exact).max():.1e}")

# %% [markdown]
# Nearly. A float32 has 24 binary digits, so a number near 1 is rounded to a multiple of
# 2^-23, about 1.2e-7, and a rounded sum depends on the order of its terms:

# %%
a, b, c = np.float32(1e8), np.float32(-1e8), np.float32(1)
assert (a + b) + c == 1 and a + (b + c) == 0

# %% [markdown]
# All three add in the same order here. But compiled, x W + y is one instruction, which
# rounds once; the simulator rounds the product, then the sum. So each of I terms may
# cost two roundings, of half of 2^-23 each. We ask that a result is within
#
#     |y - exact y| <= I 2^-23 sum_i |x[n, i] W[i, o]|
#
# of the exact one: a wrong index violates that at once. The picture shows all 30
# differences from the exact sum, in units of 2^-23.

# %%
W, bias = layer.get_weights()
bound = I * 2.0**-23 * (np.abs(x) @ np.abs(W))
fig, ax = axes()
for place, (device, y) in enumerate(results.items()):
    assert (np.abs(y - exact) <= bound).all()
    ax.plot((y - exact).ravel() * 2.0**23, "o^s"[place], alpha=0.7, label=device)
ax.set(title="Rounding, not error", xlabel="output", ylabel="difference / 2^-23")
ax.legend()
figure(fig, "18_rounding")

# %% [markdown]
# Random numbers are made of whole numbers, and agree to the bit. And every device
# repeats itself: same seed, same bits.

# %%
drawn = []
for device in ("plain", "cpu", "cuda"):
    kerasnb.set_device(device)
    words = kerasnb.device.here(np.zeros(128, np.uint16))
    ops.dropout_words(words, kerasnb.device.here(np.array([7, 0], np.uint64)))
    drawn.append(np.array(words))
kerasnb.set_device("cpu")
assert (drawn[0] == drawn[1]).all() and (drawn[0] == drawn[2]).all()

# %% and what the twins are for
big = [random.normal(size=s).astype(np.float32) for s in ((256, 400), (400, 300), 300)]
seconds = {}
for device in ("plain", "cpu"):
    kernel, y = kernels_of(device)["dense_forward"], np.empty((256, 300), np.float32)
    kernel(y, *big)  # the first call compiles
    times = []
    for _ in range(quick(50, 5)):
        start = clock()
        kernel(y, *big)
        times.append(clock() - start)
    seconds[device] = min(times)
print(f"cpu is {seconds['plain'] / seconds['cpu']:.1f} times as fast as plain here")

# %% [markdown]
# ## Exercises


# %%
def sum_in_pairs(x):
    """1. Add x[0] + x[1], x[2] + x[3], ..., then these in pairs, until one is left."""
    ...


check(
    1, sum_in_pairs, lambda x: x.sum(), lambda r: (r.normal(size=2 ** r.integers(5)),)
)


# %%
def spacing(x):
    """2. How far is the next larger float32 from a float32 x? Use np.nextafter."""
    ...


check(2, spacing, np.spacing, lambda r: (np.float32(2.0 ** r.integers(-9, 9)),))


# %%
def agree(y, twin, exact_bound):
    """3. Do twins agree within a bound? NaN must stand where the other has NaN."""
    ...


y = np.array([1, np.nan, 2])
draw = lambda r: (y, r.choice([y, y[[2, 1, 0]], y[[0, 0, 2]]]), 0.1)  # noqa: E731
check(3, agree, lambda *args: bool(np.allclose(*args[:2], 0, args[2], True)), draw)
