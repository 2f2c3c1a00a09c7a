"""
What is asked of weights besides fitting the data: to be small.

The l1 and l2 penalties, summed, and their gradients, added to those of the loss. Read
next: `reductions.py`, the order of a sum.
"""

import numpy as np

from ..plain.weights import sign
from .reductions import ROOM, share_of_block, sum_over_block, sum_whole
from .target import cuda, entry, grid, launcher, like


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
