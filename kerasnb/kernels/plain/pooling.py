"""
Kernels of pooling: one number for all cells that a window sees, channel by channel.

N samples, D slices, R rows, C columns, K channels. Cells and places are counted through
slices, rows and columns: cell q of x, place p of y. Each of `window`, `strides` and
`before` (cells of padding in front) has three numbers, one per axis; padding is no
cell, and every window sees at least one. Read next: `pooling.py`, the layers.
"""

import numpy as np
from numba import prange

from ..jit import inner, kernel, like


@inner
def seen(place, size, window, stride, before):
    """Return the first cell of an axis that a window sees, and the end of them."""
    start = place * stride - before
    return max(start, 0), min(start + window, size)


@inner
def seen_from(p, places, sizes, window, strides, before):
    """Return what the window at place p sees: first and end in all three axes."""
    d = p // (places[1] * places[2])
    r = p // places[2] % places[1]
    c = p % places[2]
    i, i_end = seen(d, sizes[0], window[0], strides[0], before[0])
    j, j_end = seen(r, sizes[1], window[1], strides[1], before[1])
    l, l_end = seen(c, sizes[2], window[2], strides[2], before[2])
    return i, i_end, j, j_end, l, l_end


@kernel(work=lambda y, at, x, *windows: x.size)
def max_pool_forward(y, at, x, window, strides, before):
    """
    y[n, p, k] = max over the cells q seen from p of x[n, q, k],   at[n, p, k] = that q

    The first of the largest cells wins; NaN is larger than any number.

    y (N, D, R, C, K) out    at int32, as y, out    x (N, slices, rows, columns, K)
    """
    N, D, R, C, K = y.shape
    _, I, J, L, _ = x.shape
    y = y.reshape(N, D * R * C, K)
    at = at.reshape(N, D * R * C, K)
    x = x.reshape(N, I * J * L, K)
    for n in prange(N):
        for p in range(D * R * C):
            i0, i1, j0, j1, l0, l1 = seen_from(
                p, (D, R, C), (I, J, L), window, strides, before
            )
            first = np.int32((i0 * J + j0) * L + l0)
            for k in range(K):
                y[n, p, k] = x[n, first, k]
                at[n, p, k] = first
            for i in range(i0, i1):
                for j in range(j0, j1):
                    for l in range(l0, l1):
                        q = np.int32((i * J + j) * L + l)
                        for k in range(K):
                            top, rival = y[n, p, k], x[n, q, k]
                            news = (rival != rival) & (top == top)  # the first NaN
                            larger = (rival > top) | news
                            y[n, p, k] = rival if larger else top
                            at[n, p, k] = q if larger else at[n, p, k]


@kernel
def max_pool_backward(dx, dy, at, window, strides, before):
    """
    dx[n, q, k] = sum over the places p with at[n, p, k] = q of dy[n, p, k]

    A loop over places needs no windows; who asks for the places of a cell does.

    dx (N, slices, rows, columns, K) out    dy (N, D, R, C, K)    at int32, as dy
    """
    N, D, R, C, K = dy.shape
    _, I, J, L, _ = dx.shape
    dx = dx.reshape(N, I * J * L, K)
    dy = dy.reshape(N, D * R * C, K)
    at = at.reshape(N, D * R * C, K)
    for n in prange(N):
        for q in range(I * J * L):
            for k in range(K):
                dx[n, q, k] = 0
        for p in range(D * R * C):
            for k in range(K):
                dx[n, at[n, p, k], k] += dy[n, p, k]


@kernel(work=lambda y, x, *windows: x.size)
def average_pool_forward(y, x, window, strides, before):
    """
    y[n, p, k] = sum over the cells q seen from p of x[n, q, k] / how many are seen

    y (N, D, R, C, K) out    x (N, slices, rows, columns, K)
    """
    N, D, R, C, K = y.shape
    _, I, J, L, _ = x.shape
    y = y.reshape(N, D * R * C, K)
    x = x.reshape(N, I * J * L, K)
    for n in prange(N):
        for p in range(D * R * C):
            i0, i1, j0, j1, l0, l1 = seen_from(
                p, (D, R, C), (I, J, L), window, strides, before
            )
            for k in range(K):
                y[n, p, k] = 0
            for i in range(i0, i1):
                for j in range(j0, j1):
                    for l in range(l0, l1):
                        q = (i * J + j) * L + l
                        for k in range(K):
                            y[n, p, k] += x[n, q, k]
            count = like(y[n, p, 0], (i1 - i0) * (j1 - j0) * (l1 - l0))
            for k in range(K):
                y[n, p, k] /= count


@kernel
def average_pool_backward(dx, dy, window, strides, before):
    """
    dx[n, q, k] = sum over the places p that see q of dy[n, p, k] / how many p sees

    dx (N, slices, rows, columns, K) out    dy (N, D, R, C, K)
    """
    N, D, R, C, K = dy.shape
    _, I, J, L, _ = dx.shape
    dx = dx.reshape(N, I * J * L, K)
    dy = dy.reshape(N, D * R * C, K)
    for n in prange(N):
        for q in range(I * J * L):
            for k in range(K):
                dx[n, q, k] = 0
        for p in range(D * R * C):
            i0, i1, j0, j1, l0, l1 = seen_from(
                p, (D, R, C), (I, J, L), window, strides, before
            )
            count = like(dy[n, p, 0], (i1 - i0) * (j1 - j0) * (l1 - l0))
            for i in range(i0, i1):
                for j in range(j0, j1):
                    for l in range(l0, l1):
                        q = (i * J + j) * L + l
                        for k in range(K):  # a quotient cannot fuse with the sum
                            dx[n, q, k] += dy[n, p, k] / count


@kernel(work=lambda y, x, mask: x.size)
def masked_average_forward(y, x, mask):
    """
    y[n, k] = sum_t mask[n, t] x[n, t, k] / sum_t mask[n, t],   0 where no step counts

    y (N, K) out    x (N, T, K)    mask (N, T)
    """
    N, T, K = x.shape
    for n in prange(N):
        steps = 0
        for k in range(K):
            y[n, k] = 0
        for t in range(T):
            if mask[n, t]:
                steps += 1
                for k in range(K):
                    y[n, k] += x[n, t, k]
        count = like(y[n, 0], max(steps, 1))
        for k in range(K):
            y[n, k] /= count


@kernel
def masked_average_backward(dx, dy, mask):
    """
    dx[n, t, k] = mask[n, t] dy[n, k] / sum_s mask[n, s],   0 where no step counts

    dx (N, T, K) out    dy (N, K)    mask (N, T)
    """
    N, T, K = dx.shape
    for n in prange(N):
        steps = 0
        for t in range(T):
            steps += 1 if mask[n, t] else 0
        count = like(dy[n, 0], max(steps, 1))
        for t in range(T):
            for k in range(K):
                dx[n, t, k] = dy[n, k] / count if mask[n, t] else like(dy[n, k], 0)
