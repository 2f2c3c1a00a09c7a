"""
Long sums in a fixed order: the same bits at every run, and no atomics.

The threads of a block add up their numbers in a tree, in shared memory. A sum that one
block would take too long for needs two launches: in the first many threads make partial
sums, each of its own share; in the second a block adds these. How many shares there
are depends on nothing but the size. Read next: `losses.py` for sums along rows,
`parametric.py` for sums along columns.
"""

import functools

import numpy as np

from ..plain.weights import BLOCKS
from . import array, target
from .target import cuda, entry, grid, like, part, rows

ROOM = 256  # numbers in shared memory: one for each thread of the largest block
DEEP = 1024  # terms of a sum that one block takes on
SHARERS = 1 << 17  # threads that share sums over tall columns: they fill a large GPU


# ---- within a block ---------------------------------------------------------------


@part
def sum_over_block(value, room):
    """
    Return the sum of one value of each thread, in a tree: the same for all of them.

    room: a shared array of at least as many numbers as threads. It may be used again.
    """
    t = cuda.threadIdx.x
    room[t] = value
    half = cuda.blockDim.x // 2
    while half > 0:
        cuda.syncthreads()
        if t < half:
            room[t] += room[t + half]
        half //= 2
    cuda.syncthreads()
    total = room[0]
    cuda.syncthreads()  # everybody has read, before anybody uses the room again
    return total


@part
def largest_over_block(value, room):
    """Return the largest of one value of each thread, to all of them; no NaN."""
    t = cuda.threadIdx.x
    room[t] = value
    half = cuda.blockDim.x // 2
    while half > 0:
        cuda.syncthreads()
        if t < half and room[t + half] > room[t]:
            room[t] = room[t + half]
        half //= 2
    cuda.syncthreads()
    largest = room[0]
    cuda.syncthreads()
    return largest


# ---- from launch to launch --------------------------------------------------------


def scratch(name, shape, dtype):
    """
    Return an array in which one launch leaves numbers for the next.

    It stays for good, for who asks with the same name, shape and type: launches run in
    order, and a captured step needs its numbers at the same place.
    """
    if target.Entry.inspect is not None:
        return np.empty(shape, dtype)
    return _scratch(name, shape, np.dtype(dtype))


@functools.cache
def _scratch(name, shape, dtype):
    return array.empty(shape, dtype)


# ---- sums along columns -----------------------------------------------------------


def pieces(M, F):
    """
    Return in how many pieces to sum M rows of F numbers: partial sums (P, F).

    In the first launch a thread owns one number of the partial sums, of the rows p,
    p + P, p + 2 P, ...: neighbours in a block read neighbours in memory.
    """
    return max(1, min(-(-M // 8), SHARERS // F))


@entry
def _sum_pieces(partial, x):
    p, f = divmod(cuda.grid(1), x.shape[1])
    if p < partial.shape[0]:
        total = like(partial[p, f], 0)
        for m in range(p, x.shape[0], partial.shape[0]):
            total += like(total, x[m, f])
        partial[p, f] = total


@entry
def _sum_columns(out, x):
    f = cuda.blockIdx.x  # a block owns a column
    room = cuda.shared.array(ROOM, x.dtype)
    total = like(x[0, f], 0)
    for m in range(cuda.threadIdx.x, x.shape[0], cuda.blockDim.x):
        total += x[m, f]
    total = sum_over_block(total, room)
    if cuda.threadIdx.x == 0:
        out[f] = total


def add_pieces(out, partial):
    """out[f] = sum_p partial[p, f], the second launch: a block for each column"""
    P, F = partial.shape
    _sum_columns[rows(F, P)](out, partial)


def column_sums(out, x):
    """
    out[f] = sum_m x[m, f]

    out (F,) out    x (M, F)
    """
    M, F = x.shape
    if M > DEEP:
        partial = scratch("column_sums", (pieces(M, F), F), x.dtype)
        _sum_pieces[grid(partial.size)](partial, x)
        x = partial
    add_pieces(out, x)


# ---- sums over whole arrays -------------------------------------------------------


@part
def share_of_block(N):
    """Return where the share of this block in N numbers begins and where it ends."""
    b, B = cuda.blockIdx.x, cuda.gridDim.x
    return b * N // B, (b + 1) * N // B


def sum_whole(first, out, N, *arguments):
    """
    Fill out[0] with a sum over N terms.

    `first(sums, *arguments)` is the entry of the first launch: block b of BLOCKS fills
    sums[b], in the type of `out`, from its share of the terms.
    """
    if N <= DEEP:
        first[rows(1, N)](out, *arguments)
    else:
        sums = scratch("sum_whole", (BLOCKS, 1), out.dtype)
        first[rows(BLOCKS, N)](sums.reshape(-1), *arguments)
        add_pieces(out, sums)
