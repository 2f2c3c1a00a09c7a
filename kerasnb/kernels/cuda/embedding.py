"""
The gradient of a table whose rows were looked up: the counterpart of `gather_rows`.

V rows in the table, N rows that were taken from it, D numbers in a row. A block of
threads owns some neighbouring rows of the table. It goes through all codes, many at a
time, and lists those of its own rows in their order; then a thread owns a number of
these rows and goes through the list. Read next: `embedding.py`, the layer.
"""

import numpy as np

from . import target
from .reductions import ROOM
from .target import cuda, entry, launcher, like, part

OWNERS = 1024  # blocks at most
CODES = 8  # neighbours, that a thread looks at in a turn
PLACES = ROOM * CODES  # in shared memory, if all codes are of one block


@part
def list_mine(listed, rows, counts, index, start, low, high):
    """
    List the places n >= start of codes from low to high, in order; return their number.

    Beside each stands its row, counted from low. The block looks at CODES places for
    each thread. listed, rows and counts are shared.
    """
    t, T = cuda.threadIdx.x, cuda.blockDim.x
    first = start + t * CODES
    stop = min(first + CODES, index.size)
    mine = np.int32(0)
    for n in range(first, stop):
        if low <= index[n] < high:
            mine += np.int32(1)
    if not cuda.syncthreads_or(mine):
        return np.int32(0)
    counts[t] = mine
    apart = 1
    while apart < T:  # counts[t] becomes the sum of those up to t
        cuda.syncthreads()
        before = counts[t - apart] if t >= apart else np.int32(0)
        cuda.syncthreads()
        counts[t] += before
        apart *= 2
    cuda.syncthreads()
    at = counts[t] - mine
    for n in range(first, stop):
        if low <= index[n] < high:
            listed[at], rows[at] = n, index[n] - low
            at += 1
    cuda.syncthreads()
    return counts[T - 1]


@entry
def _scatter_rows(dx, dy, index):
    listed = cuda.shared.array(PLACES, np.int32)
    rows = cuda.shared.array(PLACES, np.int32)
    counts = cuda.shared.array(ROOM, np.int32)
    b, B, t, T = cuda.blockIdx.x, cuda.gridDim.x, cuda.threadIdx.x, cuda.blockDim.x
    V, D = dx.shape
    low, high = b * V // B, (b + 1) * V // B
    for at in range(t, (high - low) * D, T):
        v, d = divmod(at, D)
        dx[low + v, d] = like(dx[low, d], 0)
    for start in range(0, index.size, T * CODES):
        found = list_mine(listed, rows, counts, index, start, low, high)
        for at in range(t, (high - low) * D if found else 0, T):
            v, d = divmod(at, D)
            total, is_taken = like(dx[low, d], 0), False
            for place in range(found):
                if rows[place] == v:
                    total += dy[listed[place], d]
                    is_taken = True
            if is_taken:
                dx[low + v, d] += total
        cuda.syncthreads()  # everybody has read the list, before the next is made


@launcher
def scatter_rows(dx, dy, index):
    """
    dx[v, d] = sum of dy[n, d] over all n with index[n] = v

    dx (V, D) out    dy (N, D)    index (N,)
    """
    _scatter_rows[min(OWNERS, dx.shape[0]), 2 * target.THREADS](dx, dy, index)
