"""
What is asked of weights besides fitting the data: to be small.

The l1 and l2 penalties, summed, and their gradients, added to those of the loss; and
norms that stay within limits. Read next: `reductions.py`, the order of a sum.
"""

import math

import numpy as np

from ..plain.weights import norm_factor, sign
from .reductions import ROOM, share_of_block, sum_over_block, sum_whole
from .target import cuda, entry, grid, launcher, like, rows


@entry
def _l1l2_penalty(sums, w, l1, l2):
    room = cuda.shared.array(ROOM, np.float64)
    start, stop = share_of_block(w.size)
    sizes = squares = np.float64(0.0)
    for i in range(start + cuda.threadIdx.x, stop, cuda.blockDim.x):
        sizes += abs(np.float64(w[i]))
        squares += np.float64(w[i]) * np.float64(w[i])
    sizes = sum_over_block(sizes, room)
    squares = sum_over_block(squares, room)
    if cuda.threadIdx.x == 0:
        sums[cuda.blockIdx.x] = l1 * sizes if l1 != 0 else 0.0
        if l2 != 0:
            sums[cuda.blockIdx.x] += l2 * squares


@launcher
def l1l2_penalty(out, w, l1, l2):
    """
    out = l1 sum_i |w[i]| + l2 sum_i w[i]^2

    out (1,) float64 out    w (N,)
    """
    sum_whole(_l1l2_penalty, out, w.size, w, l1, l2)


@entry
def _l1l2_gradient(dw, w, l1, l2):
    i = cuda.grid(1)
    if i < w.size:
        slope = like(w[i], 2.0 * l2) * w[i]
        if l1 != 0:
            slope += like(w[i], l1) * sign(w[i])
        dw[i] += slope


@launcher
def l1l2_gradient(dw, w, l1, l2):
    """
    dw[i] += l1 sign(w[i]) + 2 l2 w[i]

    dw (N,) in and out    w (N,)
    """
    _l1l2_gradient[grid(w.size)](dw, w, l1, l2)


@entry
def _limit_norms(w, least, most, rate, eps):
    I, B, J, C, K = w.shape[1], w.shape[2], w.shape[3], w.shape[4], w.shape[5]
    rest, c = divmod(cuda.blockIdx.x, C)  # a block owns a norm
    a, b = divmod(rest, B)
    room = cuda.shared.array(ROOM, w.dtype)
    total = like(w[a, 0, b, 0, c, 0], 0)
    for place in range(cuda.threadIdx.x, I * J * K, cuda.blockDim.x):
        rest, k = divmod(place, K)
        i, j = divmod(rest, J)
        total += w[a, i, b, j, c, k] * w[a, i, b, j, c, k]
    n = like(total, math.sqrt(sum_over_block(total, room)))
    factor = norm_factor(n, least, most, rate, eps)
    for place in range(cuda.threadIdx.x, I * J * K, cuda.blockDim.x):
        rest, k = divmod(place, K)
        i, j = divmod(rest, J)
        w[a, i, b, j, c, k] *= factor


@launcher
def limit_norms(w, least, most, rate, eps):
    """
    w[a, i, b, j, c, k] *= (rate min(max(n, least), most) + (1 - rate) n) / (n + eps),
    n[a, b, c] = sqrt(sum_ijk w[a, i, b, j, c, k]^2)

    w (A, I, B, J, C, K) in and out
    """
    A, I, B, J, C, K = w.shape
    _limit_norms[rows(A * B * C, I * J * K)](w, least, most, rate, eps)
