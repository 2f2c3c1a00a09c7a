"""
Kernels of convolution: a window of weights slides over images.

N samples; the images that go in have I slices, J rows, L columns of K channels, those
that come out D, R, C of F filters; the window has P, Q, S places. `stride`, `dilation`
and `padding` are three numbers each: the window at output r looks at the input rows
j = r stride + q dilation - padding, where zeros lie outside of the image. A transposed
convolution is `convolution_backward_input`, in which b is the bias then. The fast twins
are in `cpu/convolution.py`.
"""

import numpy as np
from numba import prange

from ..jit import inner, kernel, like


def sums(y, x, W, *rest):
    """Return the work of a convolution: groups of eight multiply-adds."""
    return y.size * (W.size // W.shape[-1]) // 8


@inner
def seen(at, place, stride, dilation, padding):
    """Return the slice, row and column of the input below a place of a window."""
    i = at[0] * stride[0] + place[0] * dilation[0] - padding[0]
    j = at[1] * stride[1] + place[1] * dilation[1] - padding[1]
    l = at[2] * stride[2] + place[2] * dilation[2] - padding[2]
    return i, j, l


@inner
def inside(i, j, l, x):
    """Return whether the images x have such a slice, row and column."""
    return 0 <= i < x.shape[1] and 0 <= j < x.shape[2] and 0 <= l < x.shape[3]


@kernel(work=sums)
def convolution_forward(y, x, W, b, stride, dilation, padding):
    """
    y[n, d, r, c, f] = b[f] + sum_(p, q, s, k) x[n, i, j, l, k] W[p, q, s, k, f]

    y (N, D, R, C, F) out    x (N, I, J, L, K)    W (P, Q, S, K, F)    b (F,)
    """
    K, F = W.shape[3:]
    for n in prange(len(y)):
        for at in np.ndindex(y.shape[1:4]):
            d, r, c = at
            for f in range(F):
                y[n, d, r, c, f] = b[f]
            for place in np.ndindex(W.shape[:3]):
                p, q, s = place
                i, j, l = seen(at, place, stride, dilation, padding)
                for k in range(K if inside(i, j, l, x) else 0):
                    for f in range(F):
                        y[n, d, r, c, f] += x[n, i, j, l, k] * W[p, q, s, k, f]


@kernel(work=lambda dW, db, dz, x, *rest: dz.size * (dW.size // db.size) // 8)
def convolution_backward_weights(dW, db, dz, x, stride, dilation, padding):
    """
    dW[p, q, s, k, f] = sum_(n, d, r, c) x[n, i, j, l, k] dz[n, d, r, c, f]

    db[f] = sum_(n, d, r, c) dz[n, d, r, c, f]
    dW (P, Q, S, K, F) out    db (F,) out    dz (N, D, R, C, F)    x (N, I, J, L, K)
    """
    P, Q, S, K, F = dW.shape
    for f in range(F):
        db[f] = like(db[f], 0)
    for n, d, r, c in np.ndindex(dz.shape[:4]):
        for f in range(F):
            db[f] += dz[n, d, r, c, f]
    for t in prange(P * Q * S):
        p, q, s = place = t // (Q * S), t // S % Q, t % S
        for k in range(K):
            for f in range(F):
                dW[p, q, s, k, f] = like(db[f], 0)
        for n, d, r, c in np.ndindex(dz.shape[:4]):
            i, j, l = seen((d, r, c), place, stride, dilation, padding)
            for k in range(K if inside(i, j, l, x) else 0):
                for f in range(F):
                    dW[p, q, s, k, f] += x[n, i, j, l, k] * dz[n, d, r, c, f]


@kernel(work=lambda dx, dz, W, *rest: dz.size * (W.size // W.shape[-1]) // 8)
def convolution_backward_input(dx, dz, W, b, stride, dilation, padding):
    """
    dx[n, i, j, l, k] = b[k] + sum_(d, r, c, p, q, s, f) dz[n, d, r, c, f] W[p, q, s, k, f]

    the sum runs over those (d, r, c) that see (i, j, l) through (p, q, s)
    dx (N, I, J, L, K) out    dz (N, D, R, C, F)    W (P, Q, S, K, F)    b (K,)
    """  # noqa: E501
    K, F = W.shape[3:]
    for n in prange(len(dx)):
        for i, j, l in np.ndindex(dx.shape[1:4]):
            for k in range(K):
                dx[n, i, j, l, k] = b[k]
        for at in np.ndindex(dz.shape[1:4]):
            d, r, c = at
            for place in np.ndindex(W.shape[:3]):
                p, q, s = place
                i, j, l = seen(at, place, stride, dilation, padding)
                for k in range(K if inside(i, j, l, dx) else 0):
                    for f in range(F):
                        dx[n, i, j, l, k] += dz[n, d, r, c, f] * W[p, q, s, k, f]


@kernel(work=lambda db, dz: dz.size // 8)
def bias_backward(db, dz):
    """
    db[f] = sum_m dz[m, f]

    db (F,) out    dz (M, F)
    """
    M, F = dz.shape
    for f in prange(F):
        db[f] = like(db[f], 0)
        for m in range(M):
            db[f] += dz[m, f]
