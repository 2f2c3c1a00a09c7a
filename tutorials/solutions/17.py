"""Solutions of lesson 17, and mistakes that its checks should find."""

from numba import cuda


def blocks_for(size, threads):
    return -(-size // threads)


def wrong_blocks_for(size, threads):  # always one more, also where they fit
    return size // threads + 1


def relu_kernel(y, x):
    i = cuda.grid(1)
    if i < x.size:
        y[i] = max(x[i], 0.0)


def wrong_relu_kernel(y, x):  # each block starts from the first number again
    i = cuda.threadIdx.x
    if i < x.size:
        y[i] = max(x[i], 0.0)


def column_sums_kernel(y, x):
    o = cuda.grid(1)
    if o < y.size:
        total = 0.0
        for n in range(x.shape[0]):
            total += x[n, o]
        y[o] = total


def wrong_column_sums_kernel(y, x):  # forgets the first row
    o = cuda.grid(1)
    if o < y.size:
        total = 0.0
        for n in range(1, x.shape[0]):
            total += x[n, o]
        y[o] = total
