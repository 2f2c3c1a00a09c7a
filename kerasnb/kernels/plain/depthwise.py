"""
Kernels of the depthwise convolution: every channel has M windows of its own.

Letters and windows are those of `convolution.py`. Output channel k M + m comes from
channel k through its window m, so the channels never meet. Read next: `convolution.py`.
"""

import numpy as np
from numba import prange

from ..jit import kernel, like
from .convolution import inside, seen


@kernel(work=lambda y, x, W, *rest: y.size * (W.size // W.shape[-1]) // x.shape[-1])
def depthwise_forward(y, x, W, b, stride, dilation, padding):
    """
    y[n, d, r, c, k M + m] = b[k M + m] + sum_(p, q, s) x[n, i, j, l, k] W[p, q, s, k, m]

    y (N, D, R, C, K M) out    x (N, I, J, L, K)    W (P, Q, S, K, M)    b (K M,)
    """  # noqa: E501
    K, M = W.shape[3:]
    for n in prange(len(y)):
        for at in np.ndindex(y.shape[1:4]):
            d, r, c = at
            for f in range(K * M):
                y[n, d, r, c, f] = b[f]
            for place in np.ndindex(W.shape[:3]):
                p, q, s = place
                i, j, l = seen(at, place, stride, dilation, padding)
                for k in range(K if inside(i, j, l, x) else 0):
                    for m in range(M):
                        y[n, d, r, c, k * M + m] += x[n, i, j, l, k] * W[p, q, s, k, m]


@kernel(work=lambda dW, db, dz, x, *rest: dz.size * (dW.size // db.size))
def depthwise_backward_weights(dW, db, dz, x, stride, dilation, padding):
    """
    dW[p, q, s, k, m] = sum_(n, d, r, c) x[n, i, j, l, k] dz[n, d, r, c, k M + m]

    db[f] = sum_(n, d, r, c) dz[n, d, r, c, f]
    dW (P, Q, S, K, M) out    db (K M,) out    dz (N, D, R, C, K M)    x (N, I, J, L, K)
    """
    P, Q, S, K, M = dW.shape
    for f in range(K * M):
        db[f] = like(db[f], 0)
    for n, d, r, c in np.ndindex(dz.shape[:4]):
        for f in range(K * M):
            db[f] += dz[n, d, r, c, f]
    for t in prange(P * Q * S):
        p, q, s = place = t // (Q * S), t // S % Q, t % S
        for k in range(K):
            for m in range(M):
                dW[p, q, s, k, m] = like(db[k], 0)
        for n, d, r, c in np.ndindex(dz.shape[:4]):
            i, j, l = seen((d, r, c), place, stride, dilation, padding)
            for k in range(K if inside(i, j, l, x) else 0):
                for m in range(M):
                    dW[p, q, s, k, m] += x[n, i, j, l, k] * dz[n, d, r, c, k * M + m]


@kernel(work=lambda dx, dz, W, *rest: dz.size * (W.size // W.shape[-1]) // W.shape[3])
def depthwise_backward_input(dx, dz, W, stride, dilation, padding):
    """
    dx[n, i, j, l, k] = sum_(d, r, c, p, q, s, m) dz[n, d, r, c, k M + m] W[p, q, s, k, m]

    the sum runs over those (d, r, c) that see (i, j, l) through (p, q, s)
    dx (N, I, J, L, K) out    dz (N, D, R, C, K M)    W (P, Q, S, K, M)
    """  # noqa: E501
    K, M = W.shape[3:]
    for n in prange(len(dx)):
        for i, j, l in np.ndindex(dx.shape[1:4]):
            for k in range(K):
                dx[n, i, j, l, k] = like(dz[n, 0, 0, 0, 0], 0)
        for at in np.ndindex(dz.shape[1:4]):
            d, r, c = at
            for place in np.ndindex(W.shape[:3]):
                p, q, s = place
                i, j, l = seen(at, place, stride, dilation, padding)
                for k in range(K if inside(i, j, l, dx) else 0):
                    for m in range(M):
                        dx[n, i, j, l, k] += (
                            dz[n, d, r, c, k * M + m] * W[p, q, s, k, m]
                        )
