"""
Pooling: one thread owns one number of the output and asks which cells decide it.

The letters and windows are those of `plain/pooling.py`. Backward a cell asks which
windows see it. Where the windows are long, several threads share each of them.
"""

import math

import numpy as np

from ..jit import inner
from ..plain.pooling import seen, seen_from
from . import target
from .indices import indices_3, indices_5, lines, share_of_line
from .reductions import ROOM
from .target import cuda, entry, grid, launcher, like, part
from .vectors import one, put_one

PARTS = 8  # of a long window, each for one thread
LONG = 32  # cells


# ---- what sees what ---------------------------------------------------------------


@inner
def box(place, places, sizes, window, strides, before):
    """Return the cells that a place sees: first and end in all three axes."""
    d, r, c = place
    p = (d * places[1] + r) * places[2] + c
    return seen_from(p, places, sizes, window, strides, before)


@inner
def count(cells):
    """Return how many cells there are in a box."""
    return (cells[1] - cells[0]) * (cells[3] - cells[2]) * (cells[5] - cells[4])


@inner
def cell_of(number, cells):
    """Return slice, row and column of a cell of a box, counted from its first."""
    rest, l = divmod(number, cells[5] - cells[4])
    i, j = divmod(rest, cells[3] - cells[2])
    return cells[0] + i, cells[2] + j, cells[4] + l


@inner
def seeing(cell, places, window, stride, before):
    """Return the first place of an axis whose window sees a cell, and their end."""
    at = cell + before
    return max(0, (at - window) // stride + 1), min(places, at // stride + 1)


def lay_out(y):
    """Return blocks and threads for PARTS threads for each number of y."""
    threads = 2 * target.THREADS
    return -(-y.size // (threads // PARTS)), threads


@part
def my_part():
    """Return which number of y this thread works for, and which part of the box."""
    lanes = cuda.blockDim.x // PARTS
    which, lane = divmod(cuda.threadIdx.x, lanes)
    return cuda.blockIdx.x * lanes + lane, which


# ---- the largest ------------------------------------------------------------------


@inner
def is_larger(rival, top):
    """Return whether a rival takes the place of the top: the first NaN does."""
    return rival > top or (rival != rival and top == top)


@entry
def _max_pool_forward(y, at, x, places, sizes, window, strides, before):
    D, R, C, K = places
    I, J, L = sizes
    n, d, r = indices_3(cuda.blockIdx.x, (0, D, R))
    i0, i1 = seen(d, I, window[0], strides[0], before[0])
    j0, j1 = seen(r, J, window[1], strides[1], before[1])
    line, (start, stop) = cuda.blockIdx.x * C * K, share_of_line(C * K)
    for e in range(start, stop, cuda.blockDim.x):
        c, k = divmod(e, K)  # this thread owns y[n, d, r, c, k]
        l0, l1 = seen(c, L, window[2], strides[2], before[2])
        first = (i0 * J + j0) * L + l0
        top = one(x, (n * I * J * L + first) * K + k)
        for i in range(i0, i1):
            for j in range(j0, j1):
                q = (i * J + j) * L + l0
                cell = (n * I * J * L + q) * K + k
                for q in range(q, q + l1 - l0):
                    rival = one(x, cell)
                    if is_larger(rival, top):
                        top, first = rival, q
                    cell += K
        put_one(y, line + e, top)
        put_one(at, line + e, np.int32(first))


@entry
def _max_pool_forward_shared(y, at, x, window, strides, before):
    tops = cuda.shared.array(ROOM, x.dtype)
    firsts = cuda.shared.array(ROOM, np.int32)
    t, T = cuda.threadIdx.x, cuda.blockDim.x
    o, which = my_part()
    n, d, r, c, k = indices_5(min(o, y.size - 1), y.shape)
    places, sizes = y.shape[1:4], x.shape[1:4]
    cells = box((d, r, c), places, sizes, window, strides, before)
    start = which * count(cells) // PARTS
    i, j, l = cell_of(start, cells)
    top, first = x[n, i, j, l, k], np.int32((i * sizes[1] + j) * sizes[2] + l)
    for number in range(start + 1, (which + 1) * count(cells) // PARTS):
        i, j, l = cell_of(number, cells)
        rival = x[n, i, j, l, k]
        if is_larger(rival, top):
            top, first = rival, np.int32((i * sizes[1] + j) * sizes[2] + l)
    tops[t], firsts[t] = top, first
    cuda.syncthreads()
    if which == 0 and o < y.size:
        for other in range(t, T, T // PARTS):
            if is_larger(tops[other], top):
                top, first = tops[other], firsts[other]
        y[n, d, r, c, k], at[n, d, r, c, k] = top, first


@launcher
def max_pool_forward(y, at, x, window, strides, before):
    """
    y[n, p, k] = max over the cells q seen from p of x[n, q, k],   at[n, p, k] = that q

    The first of the largest cells wins; NaN is larger than any number.

    y (N, D, R, C, K) out    at int32, as y, out    x (N, slices, rows, columns, K)
    """
    geometry = window, strides, before
    if math.prod(window) < LONG:
        flat = [a.reshape(-1) for a in (y, at, x)]
        shapes = y.shape[1:], x.shape[1:4]
        _max_pool_forward[lines(y)](*flat, *shapes, *geometry)
    else:
        _max_pool_forward_shared[lay_out(y)](y, at, x, *geometry)


@entry
def _max_pool_backward(dx, dy, at, places, sizes, window, strides, before):
    D, R, C = places
    I, J, L, K = sizes
    n, i, j = indices_3(cuda.blockIdx.x, (0, I, J))
    d0, d1 = seeing(i, D, window[0], strides[0], before[0])
    r0, r1 = seeing(j, R, window[1], strides[1], before[1])
    line, (start, stop) = cuda.blockIdx.x * L * K, share_of_line(L * K)
    for e in range(start, stop, cuda.blockDim.x):
        l, k = divmod(e, K)  # this thread owns dx[n, i, j, l, k]
        c0, c1 = seeing(l, C, window[2], strides[2], before[2])
        q, total = (i * J + j) * L + l, dx.dtype.type(0)
        for d in range(d0, d1):
            for r in range(r0, r1):
                place = (((n * D + d) * R + r) * C + c0) * K + k
                for _ in range(c0, c1):
                    if one(at, place) == q:
                        total += one(dy, place)
                    place += K
        put_one(dx, line + e, total)


@launcher
def max_pool_backward(dx, dy, at, window, strides, before):
    """
    dx[n, q, k] = sum over the places p with at[n, p, k] = q of dy[n, p, k]

    dx (N, slices, rows, columns, K) out    dy (N, D, R, C, K)    at int32, as dy
    """
    flat = (a.reshape(-1) for a in (dx, dy, at))
    shapes = dy.shape[1:4], dx.shape[1:]
    _max_pool_backward[lines(dx)](*flat, *shapes, window, strides, before)


# ---- the mean ---------------------------------------------------------------------


@entry
def _average_pool_forward(y, x, window, strides, before):
    o = cuda.grid(1)
    if o < y.size:
        n, d, r, c, k = indices_5(o, y.shape)
        places, sizes = y.shape[1:4], x.shape[1:4]
        cells = box((d, r, c), places, sizes, window, strides, before)
        i0, i1, j0, j1, l0, l1 = cells
        total = like(x[n, i0, j0, l0, k], 0)
        for i in range(i0, i1):
            for j in range(j0, j1):
                for l in range(l0, l1):
                    total += x[n, i, j, l, k]
        y[n, d, r, c, k] = total / like(total, count(cells))


@entry
def _average_pool_forward_shared(y, x, window, strides, before):
    sums = cuda.shared.array(ROOM, x.dtype)
    t, T = cuda.threadIdx.x, cuda.blockDim.x
    o, which = my_part()
    n, d, r, c, k = indices_5(min(o, y.size - 1), y.shape)
    places, sizes = y.shape[1:4], x.shape[1:4]
    cells = box((d, r, c), places, sizes, window, strides, before)
    start, stop = which * count(cells) // PARTS, (which + 1) * count(cells) // PARTS
    total = like(x[n, 0, 0, 0, k], 0)
    for number in range(start, stop):
        i, j, l = cell_of(number, cells)
        total += x[n, i, j, l, k]
    sums[t] = total
    cuda.syncthreads()
    if which == 0 and o < y.size:
        for other in range(t + T // PARTS, T, T // PARTS):
            total += sums[other]
        y[n, d, r, c, k] = total / like(total, count(cells))


@launcher
def average_pool_forward(y, x, window, strides, before):
    """
    y[n, p, k] = sum over the cells q seen from p of x[n, q, k] / how many are seen

    y (N, D, R, C, K) out    x (N, slices, rows, columns, K)
    """
    geometry = window, strides, before
    if math.prod(window) < LONG:
        _average_pool_forward[grid(y.size)](y, x, *geometry)
    else:
        _average_pool_forward_shared[lay_out(y)](y, x, *geometry)


@entry
def _average_pool_backward(dx, dy, places, sizes, window, strides, before):
    D, R, C = places
    I, J, L, K = sizes
    n, i, j = indices_3(cuda.blockIdx.x, (0, I, J))
    d0, d1 = seeing(i, D, window[0], strides[0], before[0])
    r0, r1 = seeing(j, R, window[1], strides[1], before[1])
    line, (start, stop) = cuda.blockIdx.x * L * K, share_of_line(L * K)
    for e in range(start, stop, cuda.blockDim.x):
        l, k = divmod(e, K)  # this thread owns dx[n, i, j, l, k]
        c0, c1 = seeing(l, C, window[2], strides[2], before[2])
        total = dx.dtype.type(0)
        for d in range(d0, d1):
            i0, i1 = seen(d, I, window[0], strides[0], before[0])
            for r in range(r0, r1):
                j0, j1 = seen(r, J, window[1], strides[1], before[1])
                for c in range(c0, c1):
                    l0, l1 = seen(c, L, window[2], strides[2], before[2])
                    place = (((n * D + d) * R + r) * C + c) * K + k
                    cells = (i1 - i0) * (j1 - j0) * (l1 - l0)
                    total += one(dy, place) / like(total, cells)
        put_one(dx, line + e, total)


@launcher
def average_pool_backward(dx, dy, window, strides, before):
    """
    dx[n, q, k] = sum over the places p that see q of dy[n, p, k] / how many p sees

    dx (N, slices, rows, columns, K) out    dy (N, D, R, C, K)
    """
    shapes = dy.shape[1:4], dx.shape[1:]
    _average_pool_backward[lines(dx)](
        dx.reshape(-1), dy.reshape(-1), *shapes, window, strides, before
    )


@entry
def _masked_average_forward(y, x, mask):
    n, k = divmod(cuda.grid(1), y.shape[1])
    if n < y.shape[0]:
        steps, total = 0, like(x[n, 0, k], 0)
        for t in range(x.shape[1]):
            if mask[n, t]:
                steps += 1
                total += x[n, t, k]
        y[n, k] = total / like(total, max(steps, 1))


@launcher
def masked_average_forward(y, x, mask):
    """
    y[n, k] = sum_t mask[n, t] x[n, t, k] / sum_t mask[n, t],   0 where no step counts

    y (N, K) out    x (N, T, K)    mask (N, T)
    """
    _masked_average_forward[grid(y.size)](y, x, mask)


@entry
def _masked_average_backward(dx, dy, mask):
    n, k = divmod(cuda.grid(1), dy.shape[1])
    if n < dy.shape[0]:  # this thread owns dx[n, :, k]
        steps = 0
        for t in range(dx.shape[1]):
            steps += 1 if mask[n, t] else 0
        share = dy[n, k] / like(dy[n, k], max(steps, 1))
        for t in range(dx.shape[1]):
            dx[n, t, k] = share if mask[n, t] else like(share, 0)


@launcher
def masked_average_backward(dx, dy, mask):
    """
    dx[n, t, k] = mask[n, t] dy[n, k] / sum_s mask[n, s],   0 where no step counts

    dx (N, T, K) out    dy (N, K)    mask (N, T)
    """
    _masked_average_backward[grid(dy.size)](dx, dy, mask)
