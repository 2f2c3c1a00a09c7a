"""
Convolution: one thread owns one number of the output and gathers what it is made of.

The letters and the window are those of `plain/convolution.py`. A number of the output
sees a window of the input; a weight sees all images; and a number of the input asks
which windows see it. Large convolutions take the fast form of `implicit.py`: read it
next.
"""

from ..jit import inner
from ..plain.convolution import seen
from . import implicit
from .indices import indices_5
from .product import pays
from .reductions import column_sums
from .target import cuda, entry, grid, launcher, like


@inner
def inside(i, j, l, sizes):
    """Return whether images of these sizes have such a slice, row and column."""
    return 0 <= i < sizes[1] and 0 <= j < sizes[2] and 0 <= l < sizes[3]


@inner
def seen_by(j, q, stride, dilation, padding, R):
    """Return the r below R that sees j through place q of its window, or -1."""
    r = j + padding - q * dilation
    if stride != 1:
        r, between = divmod(r, stride)
        if between:
            return -1
    return r if 0 <= r < R else -1


@entry
def _convolution_forward(y, x, W, b, stride, dilation, padding):
    at = cuda.grid(1)
    if at < y.size:
        n, d, r, c, f = indices_5(at, y.shape)  # this thread owns y[n, d, r, c, f]
        total = b[f]
        for p in range(W.shape[0]):
            for q in range(W.shape[1]):
                for s in range(W.shape[2]):
                    i, j, l = seen((d, r, c), (p, q, s), stride, dilation, padding)
                    if inside(i, j, l, x.shape):
                        for k in range(W.shape[3]):
                            total += x[n, i, j, l, k] * W[p, q, s, k, f]
        y[n, d, r, c, f] = total


@launcher
def convolution_forward(y, x, W, b, stride, dilation, padding):
    """
    y[n, d, r, c, f] = b[f] + sum_(p, q, s, k) x[n, i, j, l, k] W[p, q, s, k, f]

    y (N, D, R, C, F) out    x (N, I, J, L, K)    W (P, Q, S, K, F)    b (F,)
    """
    if pays(y, W.size // len(b)):
        implicit.implicit_forward(y, x, W, b, stride, dilation, padding)
    else:
        _convolution_forward[grid(y.size)](y, x, W, b, stride, dilation, padding)


@entry
def _convolution_backward_weights(dW, dz, x, stride, dilation, padding):
    at = cuda.grid(1)
    if at < dW.size:
        p, q, s, k, f = indices_5(at, dW.shape)
        total = like(dz[0, 0, 0, 0, f], 0)
        for n in range(dz.shape[0]):
            for d in range(dz.shape[1]):
                for r in range(dz.shape[2]):
                    for c in range(dz.shape[3]):
                        i, j, l = seen((d, r, c), (p, q, s), stride, dilation, padding)
                        if inside(i, j, l, x.shape):
                            total += x[n, i, j, l, k] * dz[n, d, r, c, f]
        dW[p, q, s, k, f] = total


@launcher
def convolution_backward_weights(dW, db, dz, x, stride, dilation, padding):
    """
    dW[p, q, s, k, f] = sum_(n, d, r, c) x[n, i, j, l, k] dz[n, d, r, c, f]

    db[f] = sum_(n, d, r, c) dz[n, d, r, c, f]
    dW (P, Q, S, K, F) out    db (F,) out    dz (N, D, R, C, F)    x (N, I, J, L, K)
    """
    steps = stride, dilation, padding
    if pays(dW, dz.size // len(db)):
        implicit.implicit_backward_weights(dW, dz, x, *steps)
    else:
        _convolution_backward_weights[grid(dW.size)](dW, dz, x, *steps)
    bias_backward(db, dz.reshape(-1, db.size))


@entry
def _convolution_backward_input(dx, dz, W, b, stride, dilation, padding):
    at = cuda.grid(1)
    if at < dx.size:
        n, i, j, l, k = indices_5(at, dx.shape)
        D, R, C = dz.shape[1], dz.shape[2], dz.shape[3]
        total = b[k]
        for p in range(W.shape[0]):
            d = seen_by(i, p, stride[0], dilation[0], padding[0], D)
            for q in range(W.shape[1] if d >= 0 else 0):
                r = seen_by(j, q, stride[1], dilation[1], padding[1], R)
                for s in range(W.shape[2] if r >= 0 else 0):
                    c = seen_by(l, s, stride[2], dilation[2], padding[2], C)
                    for f in range(W.shape[4] if c >= 0 else 0):
                        total += dz[n, d, r, c, f] * W[p, q, s, k, f]
        dx[n, i, j, l, k] = total


@launcher
def convolution_backward_input(dx, dz, W, b, stride, dilation, padding):
    """
    dx[n, i, j, l, k] = b[k] + sum_(d, r, c, p, q, s, f) dz[n, d, r, c, f] W[p, q, s, k, f]

    the sum runs over those (d, r, c) that see (i, j, l) through (p, q, s)
    dx (N, I, J, L, K) out    dz (N, D, R, C, F)    W (P, Q, S, K, F)    b (K,)
    """  # noqa: E501
    steps = stride, dilation, padding
    if pays(dx, W.size // len(b)):
        implicit.implicit_backward_input(dx, dz, W, b, *steps)
    else:
        _convolution_backward_input[grid(dx.size)](dx, dz, W, b, *steps)


@launcher
def bias_backward(db, dz):
    """
    db[f] = sum_m dz[m, f]

    db (F,) out    dz (M, F)
    """
    column_sums(db, dz)
