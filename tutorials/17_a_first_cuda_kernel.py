# %% [markdown]
# # 17 A first CUDA kernel
#
# Goal: write functions that the threads of a graphics processor (GPU) run side by side,
# and run them here, thread by thread, without a GPU.

# %% the simulator of Numba: it must be asked for before anything imports Numba
import os

os.environ["NUMBA_ENABLE_CUDASIM"] = "1"

import numpy as np  # noqa: E402
from numba import cuda  # noqa: E402

import kerasnb  # noqa: E402
from kerasnb.kernels.cuda import dense, reductions  # noqa: E402
from kerasnb.layers import Dense  # noqa: E402
from kerasnb.lessons import axes, check, figure, show  # noqa: E402

random = np.random.default_rng(0)

# %% [markdown]
# ## One thread, one number
# A processor walks through an array with a loop. A GPU has thousands of threads, and
# each takes one number. They come in blocks of equal size: thread t of block b owns
#
#     i = b threads + t,    y[i] = a x[i] + y[i]


# %%
def slow_axpy(y, a, x):
    for i in range(x.size):
        y[i] = a * x[i] + y[i]


@cuda.jit
def axpy(y, a, x):
    i = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x  # or cuda.grid(1)
    if i < x.size:
        y[i] = a * x[i] + y[i]


# %% [markdown]
# Question: there are 10 numbers and blocks of 4 threads. How many blocks does it take,
# and what would happen without `if i < x.size`?

# %%
x, y = random.normal(size=(2, 10))
expected = y.copy()
slow_axpy(expected, 2.0, x)
axpy[3, 4](y, 2.0, x)  # 3 blocks of 4 threads: 12 threads, two of which find no number
assert np.array_equal(y, expected)


@cuda.jit
def careless(y, x):
    i = cuda.grid(1)
    y[i] = x[i]


try:
    careless[3, 4](y, x)
except IndexError as error:
    print("the simulator notices:", error)

# %% [markdown]
# A real GPU would have written into memory of somebody else, and said nothing. That is
# one reason to try kernels here first.
#
# ## Two axes
# In a matrix product a thread owns one number of the result and walks along a row and a
# column. The picture shows which block works on which numbers.

# %%
owners = np.arange(5 * 7).reshape(5, 7) // 8
fig, ax = axes()
ax.imshow(owners, cmap="Pastel1")
for (m, n), block in np.ndenumerate(owners):
    ax.text(n, m, str(block), ha="center", va="center")
ax.set(title="Which block of 8 threads owns y[n, o]", xlabel="o", ylabel="n")
ax.grid(False)
figure(fig, "17_owners")

# %% [markdown]
# So it is in kerasnb. An `entry` is what each thread runs. The function below it starts
# one for each number of y; large products take the faster form in `product.py`.

# %%
show(dense._dense_forward)
show(dense._forward)
layer, batch = Dense(3), random.normal(size=(4, 6))
on_cpu = layer(batch)
kerasnb.set_device("cuda")  # here: the simulator
on_gpu = layer(batch)
kerasnb.set_device("cpu")
assert np.allclose(on_gpu, on_cpu, atol=1e-6)

# %% [markdown]
# ## Threads that work together
# To add up many numbers, threads of a block put theirs into memory that they share.
# Then half of them add the other half's numbers to their own, then a quarter, and so
# on: a tree. `syncthreads` waits until all have written. 8 numbers take 3 rounds, 1,024
# take 10, always in the same order: the digits never change.

# %%
show(reductions.sum_over_block)
values = random.normal(size=8).astype(np.float32)
tree = values.copy()
for half in (4, 2, 1):
    tree[:half] += tree[half : 2 * half]
assert np.isclose(tree[0], values.sum())

# %% [markdown]
# ## Exercises


# %%
def blocks_for(size, threads):
    """1. How many blocks of so many threads does it take to give each number one?"""
    ...


check(1, blocks_for, lambda n, t: len(range(0, n, t)), lambda r: r.integers(1, 4, 2))


# %%
def relu_kernel(y, x):
    """2. What a thread does for y[i] = max(x[i], 0); some threads have no number."""
    ...


def launch(kernel, x):
    y = np.full(x.shape[-1], np.nan)
    cuda.jit(kernel)[4, 4](y, x)  # 16 threads for 13 numbers
    return None if np.isnan(y).all() else y


draw = lambda r: [r.normal(size=13)]  # noqa: E731
check(2, relu_kernel, lambda x: np.maximum(x, 0), draw, run=launch)


# %%
def column_sums_kernel(y, x):
    """3. A thread owns a column o of the matrix x: y[o] = sum over n of x[n, o]."""
    ...


draw = lambda r: [r.normal(size=(5, 13))]  # noqa: E731
check(3, column_sums_kernel, lambda x: x.sum(axis=0), draw, run=launch)
