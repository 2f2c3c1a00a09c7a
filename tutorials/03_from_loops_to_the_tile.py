# %% [markdown]
# # 03 From Python loops to the register tile
#
# Goal: make one triple loop some ten thousand times faster, and understand each rung.

# %%
import time

import numpy as np
from numba import njit, prange

from kerasnb.kernels.cpu import dense
from kerasnb.kernels.cpu.simd import lanes
from kerasnb.kernels.cpu.tile import NO_JUMP, tile, tile_of_four
from kerasnb.lessons import axes, check, figure, quick, show

# %% [markdown]
# ## The loop behind a Dense layer
# N samples of I numbers become N samples of O numbers:
#
#     y[n, o] = b[o] + sum_i x[n, i] W[i, o]
#
# The first rung is this line as it stands, as Python, and compiled by Numba's `njit`.


# %%
def textbook(y, x, W, b):
    """One sum after the other."""
    for n in range(x.shape[0]):
        for o in range(W.shape[1]):
            total = b[o]
            for i in range(x.shape[1]):
                total += x[n, i] * W[i, o]
            y[n, o] = total


def along_rows(y, x, W, b):
    """The inner loop walks along rows: neighbours in memory."""
    for n in prange(x.shape[0]):
        for o in range(W.shape[1]):
            y[n, o] = b[o]
        for i in range(x.shape[1]):
            for o in range(W.shape[1]):
                y[n, o] += x[n, i] * W[i, o]


# %% [markdown]
# The turns of a `prange` may run at once, one on each core: no two write to one row.
# A core has vector registers, which hold 4, 8 or 16 numbers and multiply them at once.
# The compiler uses them for `along_rows`, but writes y to memory after each product and
# fetches it again. The last rung keeps a tile of 6 rows by 2 registers of sums in the
# core until they are done. `tile` is the library's, the walk over all tiles is ours.


# %%
def tiles(y, x, W, b):
    """All tiles of y; the rows must be a multiple of 6, O of two registers."""
    I, O, w = x.shape[1], W.shape[1], 2 * lanes(x)
    c, a, flat = y.reshape(-1), x.reshape(-1), W.reshape(-1)
    for n in prange(x.shape[0] // 6):
        p = 6 * n * I  # where the six rows of x begin
        rows = p, p + I, p + 2 * I, p + 3 * I, p + 4 * I, p + 5 * I
        for o in range(0, O, w):
            at = 6 * n * O + o
            tile(c, at, O, b, o, 0, a, *rows, 1, NO_JUMP, 0, flat, o, O, 1, I)


# %% [markdown]
# Question: which rung will gain most: the compiler, the order of the loops, all cores,
# or the tile? Write down four factors before you run this.

# %%
random = np.random.default_rng(0)
x, W = random.normal(size=(240, 256)), random.normal(size=(256, 480))
x, W, b = x.astype("float32"), W.astype("float32"), np.ones(480, "float32")
rungs = {
    "kerasnb": dense.dense_forward,
    "in tiles": njit(tiles, parallel=True),
    "on all cores": njit(along_rows, parallel=True),
    "along rows": njit(along_rows),
    "compiled": njit(textbook),
    "Python": textbook,
}
spent = {}
for name, rung in rungs.items():
    rows, times = (1, 1) if name == "Python" else (240, quick(50, 3))
    y, moments = np.zeros((rows, 480), "float32"), [time.perf_counter()]
    for _ in range(times + 1):  # the first call compiles
        rung(y, x[:rows], W, b)
        moments.append(time.perf_counter())
    assert np.allclose(y, x[:rows] @ W + b, atol=1e-3), name
    spent[name] = 1e9 * min(np.diff(moments)) / rows / W.size

drawn, ax = axes(size=(9, 4.8))
bars = ax.barh(list(spent), list(spent.values()))
ax.bar_label(bars, [f" {time:.3g}" for time in spent.values()])
ax.set(xscale="log", xlim=(0.005, 2000), xlabel="nanoseconds for a multiply-add")
figure(drawn, "03_ladder")

# %% [markdown]
# On two cores we measured about 270, 0.84, 0.075, 0.035, 0.013 and 0.013: the compiler
# gains a factor of 300, the order of the loops 11, the second core 2, the tile 2.7.
#
# ## The library's way
# `dense_forward` in `kerasnb/kernels/plain/dense.py` is `along_rows`. What runs copies
# each strip of W to one place first; a tile of four rows takes what is left over. Its
# eight `fma` (multiply and add a register) need how many `load` and `broadcast`?

# %%
show(tile_of_four)

# %% [markdown]
# ## Exercises
# 1. How many multiply-adds does a sample cost in a stack of Dense layers?
# 2. A tile of r rows by c registers: how many loads and broadcasts for each `fma`?
# 3. Write the kernel of the way back: dx[n, i] = sum_o dz[n, o] W[i, o]. It fills dx.


# %%
def multiply_adds(sizes):
    """Return the number for a stack such as [64, 32, 10]: 64 inputs, 10 outputs."""
    ...


check(1, multiply_adds, expected=2368, draw=lambda r: ([64, 32, 10],))


# %%
def loads_for_each_fma(r, c):
    """Return the number for a tile of r rows by c registers."""
    ...


check(2, loads_for_each_fma, lambda r, c: 1 / r + 1 / c, lambda r: r.integers(1, 9, 2))


# %%
def backward_input(dx, dz, W):
    """Fill dx[n, i] with the sum over o of dz[n, o] W[i, o]."""
    ...


def run(kernel, dz, W):
    dx = np.full((len(dz), len(W)), np.nan)
    kernel(dx, dz, W)
    return None if np.isnan(dx).all() else dx


inputs = random.normal(size=(3, 5)), random.normal(size=(4, 5))
check(3, backward_input, lambda dz, W: dz @ W.T, lambda r: inputs, run=run)
