"""
Pooling: one thread owns one number of the output and asks which cells decide it.

The letters and windows are those of `plain/pooling.py`. Backward a cell asks which
windows see it. Only the largest of a window does not tell: there `at` sends the
gradients to their cells, and a few threads take turns through the places, in order.
"""

import numpy as np

from ..jit import inner
from ..plain.pooling import seen_from
from . import target
from .indices import indices_5
from .target import cuda, entry, grid, launcher, like

AT_ONCE = 4  # places of which max_pool_backward sends the gradients at a time
ROOM = 256  # numbers in shared memory: one for each thread of the largest block


@entry
def _max_pool_forward(y, at, x, window, strides, before):
    i = cuda.grid(1)
    if i < y.size:
        n, d, r, c, k = indices_5(i, y.shape)  # this thread owns y[n, d, r, c, k]
        places, sizes = y.shape[1:4], x.shape[1:4]
        p = (d * places[1] + r) * places[2] + c
        i0, i1, j0, j1, l0, l1 = seen_from(p, places, sizes, window, strides, before)
        top, first = x[n, i0, j0, l0, k], (i0 * sizes[1] + j0) * sizes[2] + l0
        for i in range(i0, i1):
            for j in range(j0, j1):
                for l in range(l0, l1):
                    rival = x[n, i, j, l, k]
                    news = rival != rival and top == top  # the first NaN
                    if rival > top or news:
                        top, first = rival, (i * sizes[1] + j) * sizes[2] + l
        y[n, d, r, c, k] = top
        at[n, d, r, c, k] = np.int32(first)


@launcher
def max_pool_forward(y, at, x, window, strides, before):
    """
    y[n, p, k] = max over the cells q seen from p of x[n, q, k],   at[n, p, k] = that q

    The first of the largest cells wins; NaN is larger than any number.

    y (N, D, R, C, K) out    at int32, as y, out    x (N, slices, rows, columns, K)
    """
    _max_pool_forward[grid(y.size)](y, at, x, window, strides, before)


@entry
def _max_pool_backward(dx, dy, at):
    cells = cuda.shared.array((2, ROOM), np.int32)  # a row is written, one is read
    P, K = dy.shape[1], dy.shape[2]
    t, lanes = cuda.threadIdx.x, cuda.blockDim.x // AT_ONCE
    turn, lane = divmod(t, lanes)
    n, k = divmod(cuda.blockIdx.x * lanes + lane, K)  # AT_ONCE threads own dx[n, :, k]
    for start in range(0, P, AT_ONCE):
        p, row = start + turn, cells[start // AT_ONCE % 2]
        q = at[n, p, k] if n < dy.shape[0] and p < P else np.int32(-1)
        row[t] = q
        cuda.syncthreads()
        is_first = q >= 0
        for other in range(lane, t, lanes):
            is_first = is_first and row[other] != q
        if is_first:
            total = dx[n, q, k] + dy[n, p, k]
            for later in range(turn + 1, AT_ONCE):
                if row[later * lanes + lane] == q:
                    total += dy[n, start + later, k]
            dx[n, q, k] = total


@launcher
def max_pool_backward(dx, dy, at):
    """
    dx[n, q, k] = sum over the places p with at[n, p, k] = q of dy[n, p, k]

    dx (N, slices, rows, columns, K) out    dy (N, D, R, C, K)    at int32, as dy
    """
    N, K = dy.shape[0], dy.shape[4]
    dx[...] = 0
    lanes = target.THREADS // AT_ONCE
    _max_pool_backward[-(-N * K // lanes), target.THREADS](
        dx.reshape(N, -1, K), dy.reshape(N, -1, K), at.reshape(N, -1, K)
    )


@entry
def _average_pool_forward(y, x, window, strides, before):
    i = cuda.grid(1)
    if i < y.size:
        n, d, r, c, k = indices_5(i, y.shape)
        places, sizes = y.shape[1:4], x.shape[1:4]
        p = (d * places[1] + r) * places[2] + c
        i0, i1, j0, j1, l0, l1 = seen_from(p, places, sizes, window, strides, before)
        total = like(x[n, i0, j0, l0, k], 0)
        for i in range(i0, i1):
            for j in range(j0, j1):
                for l in range(l0, l1):
                    total += x[n, i, j, l, k]
        y[n, d, r, c, k] = total / like(total, (i1 - i0) * (j1 - j0) * (l1 - l0))


@launcher
def average_pool_forward(y, x, window, strides, before):
    """
    y[n, p, k] = sum over the cells q seen from p of x[n, q, k] / how many are seen

    y (N, D, R, C, K) out    x (N, slices, rows, columns, K)
    """
    _average_pool_forward[grid(y.size)](y, x, window, strides, before)


@inner
def seeing(cell, places, window, stride, before):
    """Return the first place of an axis whose window sees a cell, and their end."""
    at = cell + before
    return max(0, (at - window) // stride + 1), min(places, at // stride + 1)


@entry
def _average_pool_backward(dx, dy, window, strides, before):
    i = cuda.grid(1)
    if i < dx.size:
        n, i, j, l, k = indices_5(i, dx.shape)
        places, sizes = dy.shape[1:4], dx.shape[1:4]
        d0, d1 = seeing(i, places[0], window[0], strides[0], before[0])
        r0, r1 = seeing(j, places[1], window[1], strides[1], before[1])
        c0, c1 = seeing(l, places[2], window[2], strides[2], before[2])
        total = like(dy[n, 0, 0, 0, k], 0)
        for d in range(d0, d1):
            for r in range(r0, r1):
                for c in range(c0, c1):
                    i0, i1, j0, j1, l0, l1 = seen_from(
                        (d * places[1] + r) * places[2] + c,
                        places, sizes, window, strides, before,
                    )  # fmt: skip
                    count = (i1 - i0) * (j1 - j0) * (l1 - l0)
                    total += dy[n, d, r, c, k] / like(total, count)
        dx[n, i, j, l, k] = total


@launcher
def average_pool_backward(dx, dy, window, strides, before):
    """
    dx[n, q, k] = sum over the places p that see q of dy[n, p, k] / how many p sees

    dx (N, slices, rows, columns, K) out    dy (N, D, R, C, K)
    """
    _average_pool_backward[grid(dx.size)](dx, dy, window, strides, before)


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
