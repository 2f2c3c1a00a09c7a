"""
What is asked of weights besides fitting the data: to be small.

The l1 and l2 penalties, summed, and their gradients, added to those of the loss; and
norms that stay within limits. A penalty is summed over a fixed number of blocks,
whoever computes them, so its bits depend neither on threads nor on the form of the
kernel. Read next: `regularizers.py` and `constraints.py`.
"""

import math

import numpy as np
from numba import prange

from ..jit import inner, kernel, like

BLOCKS = 64


def whole_array(out, w, *rest):
    """A sum is as much work as its terms."""
    return w.size


@inner
def block_of(w, block):
    """Return the view of one of BLOCKS nearly equal pieces of a vector."""
    return w[block * w.size // BLOCKS : (block + 1) * w.size // BLOCKS]


@inner
def sum_of_sizes(w):
    """sum_i |w[i]| in float64, in four interleaved sums that need not wait in turn"""
    a = b = c = d = np.float64(0.0)
    whole = w.size // 4 * 4
    for i in range(0, whole, 4):
        a += abs(np.float64(w[i]))
        b += abs(np.float64(w[i + 1]))
        c += abs(np.float64(w[i + 2]))
        d += abs(np.float64(w[i + 3]))
    for i in range(whole, w.size):
        a += abs(np.float64(w[i]))
    return (a + b) + (c + d)


@inner
def sum_of_squares(w):
    """sum_i w[i]^2 in float64, in four interleaved sums that need not wait in turn"""
    a = b = c = d = np.float64(0.0)
    whole = w.size // 4 * 4
    for i in range(0, whole, 4):
        a += np.float64(w[i]) ** 2
        b += np.float64(w[i + 1]) ** 2
        c += np.float64(w[i + 2]) ** 2
        d += np.float64(w[i + 3]) ** 2
    for i in range(whole, w.size):
        a += np.float64(w[i]) ** 2
    return (a + b) + (c + d)


@inner
def sign(w):
    """-1, 0 or 1; NaN stays NaN"""
    return like(w, 1.0) if w > 0 else (like(w, -1.0) if w < 0 else w)


@kernel(work=whole_array)
def l1l2_penalty(out, w, l1, l2):
    """
    out = l1 sum_i |w[i]| + l2 sum_i w[i]^2

    out (1,) float64 out    w (N,)
    """
    terms = np.empty(BLOCKS)
    for block in prange(BLOCKS):
        piece = block_of(w, block)
        terms[block] = l1 * sum_of_sizes(piece) if l1 != 0 else 0.0
        if l2 != 0:
            terms[block] += l2 * sum_of_squares(piece)
    total = np.float64(0.0)
    for block in range(BLOCKS):
        total += terms[block]
    out[0] = total


@kernel
def l1l2_gradient(dw, w, l1, l2):
    """
    dw[i] += l1 sign(w[i]) + 2 l2 w[i]

    dw (N,) in and out    w (N,)
    """
    for i in prange(w.size):
        slope = like(w[i], 2.0 * l2) * w[i]
        if l1 != 0:
            slope += like(w[i], l1) * sign(w[i])
        dw[i] += slope


@inner
def norm_factor(n, least, most, rate, eps):
    """(rate min(max(n, least), most) + (1 - rate) n) / (n + eps)"""
    within = like(n, least) if n < like(n, least) else n
    within = like(n, most) if within > like(n, most) else within
    if rate != 1:
        within = like(n, rate) * within + like(n, 1.0 - rate) * n
    return within / (n + like(n, eps))


@kernel(parallel=False)
def limit_norms(w, least, most, rate, eps):
    """
    w[a, i, b, j, c, k] *= (rate min(max(n, least), most) + (1 - rate) n) / (n + eps),
    n[a, b, c] = sqrt(sum_ijk w[a, i, b, j, c, k]^2)

    w (A, I, B, J, C, K) in and out
    """
    A, I, B, J, C, K = w.shape
    for a in range(A):
        n = np.zeros((B, C), w.dtype)
        for i in range(I):
            for b in range(B):
                for j in range(J):
                    for c in range(C):
                        for k in range(K):
                            n[b, c] += w[a, i, b, j, c, k] * w[a, i, b, j, c, k]
        for b in range(B):
            for c in range(C):
                n[b, c] = norm_factor(math.sqrt(n[b, c]), least, most, rate, eps)
        for i in range(I):
            for b in range(B):
                for j in range(J):
                    for c in range(C):
                        for k in range(K):
                            w[a, i, b, j, c, k] *= n[b, c]
