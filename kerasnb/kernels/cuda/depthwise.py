"""
The depthwise convolution: one thread owns one number and gathers what it is made of.

The letters are those of `plain/depthwise.py`. A weight sees all images: the places are
cut into short runs along a row, and many threads share these. Read next:
`convolution.py`.
"""

from ..plain.convolution import seen
from .convolution import bias_backward, inside, seen_by
from .indices import indices_4, indices_5
from .reductions import SHARERS, add_pieces, scratch
from .target import cuda, entry, grid, launcher, like

RUN = 16  # places along a row, whose indices are counted on without a division


@entry
def _depthwise_forward(y, x, W, b, stride, dilation, padding):
    at = cuda.grid(1)
    if at < y.size:
        n, d, r, c, f = indices_5(at, y.shape)  # this thread owns y[n, d, r, c, f]
        k, m = divmod(f, W.shape[4])
        total = b[f]
        for p in range(W.shape[0]):
            for q in range(W.shape[1]):
                for s in range(W.shape[2]):
                    i, j, l = seen((d, r, c), (p, q, s), stride, dilation, padding)
                    if inside(i, j, l, x.shape):
                        total += x[n, i, j, l, k] * W[p, q, s, k, m]
        y[n, d, r, c, f] = total


@launcher
def depthwise_forward(y, x, W, b, stride, dilation, padding):
    """
    y[n, d, r, c, k M + m] = b[k M + m] + sum_(p, q, s) x[n, i, j, l, k] W[p, q, s, k, m]

    y (N, D, R, C, K M) out    x (N, I, J, L, K)    W (P, Q, S, K, M)    b (K M,)
    """  # noqa: E501
    _depthwise_forward[grid(y.size)](y, x, W, b, stride, dilation, padding)


@entry
def _depthwise_weights_of_pieces(partial, dz, x, sizes, stride, dilation, padding):
    piece, w = divmod(cuda.grid(1), partial.shape[1])
    if piece < partial.shape[0]:  # this thread owns number w of the weights, in a piece
        p, q, s, k, m = indices_5(w, sizes)
        f, C = k * sizes[4] + m, dz.shape[3]
        total = like(dz[0, 0, 0, 0, f], 0)
        runs = (dz.shape[0], dz.shape[1], dz.shape[2], (C + RUN - 1) // RUN)
        count = runs[0] * runs[1] * runs[2] * runs[3]
        for run in range(piece, count, partial.shape[0]):
            n, d, r, part = indices_4(run, runs)
            first = part * RUN
            i, j, l = seen((d, r, first), (p, q, s), stride, dilation, padding)
            if inside(i, j, 0, x.shape):
                for c in range(first, min(first + RUN, C)):
                    if 0 <= l < x.shape[3]:
                        total += x[n, i, j, l, k] * dz[n, d, r, c, f]
                    l += stride[2]
        partial[piece, w] = total


@launcher
def depthwise_backward_weights(dW, db, dz, x, stride, dilation, padding):
    """
    dW[p, q, s, k, m] = sum_(n, d, r, c) x[n, i, j, l, k] dz[n, d, r, c, k M + m]

    db[f] = sum_(n, d, r, c) dz[n, d, r, c, f]
    dW (P, Q, S, K, M) out    db (K M,) out    dz (N, D, R, C, K M)    x (N, I, J, L, K)
    """
    N, D, R, C, F = dz.shape
    runs = N * D * R * -(-C // RUN)
    shape = max(1, min(runs, SHARERS // dW.size)), dW.size
    partial = scratch("depthwise weights", shape, dW.dtype)
    _depthwise_weights_of_pieces[grid(partial.size)](
        partial, dz, x, dW.shape, stride, dilation, padding
    )
    add_pieces(dW.reshape(-1), partial)
    bias_backward(db, dz.reshape(-1, F))


@entry
def _depthwise_backward_input(dx, dz, W, stride, dilation, padding):
    at = cuda.grid(1)
    if at < dx.size:
        n, i, j, l, k = indices_5(at, dx.shape)
        D, R, C, M = dz.shape[1], dz.shape[2], dz.shape[3], W.shape[4]
        total = like(dz[0, 0, 0, 0, 0], 0)
        for p in range(W.shape[0]):
            d = seen_by(i, p, stride[0], dilation[0], padding[0], D)
            for q in range(W.shape[1] if d >= 0 else 0):
                r = seen_by(j, q, stride[1], dilation[1], padding[1], R)
                for s in range(W.shape[2] if r >= 0 else 0):
                    c = seen_by(l, s, stride[2], dilation[2], padding[2], C)
                    for m in range(M if c >= 0 else 0):
                        total += dz[n, d, r, c, k * M + m] * W[p, q, s, k, m]
        dx[n, i, j, l, k] = total


@launcher
def depthwise_backward_input(dx, dz, W, stride, dilation, padding):
    """
    dx[n, i, j, l, k] = sum_(d, r, c, p, q, s, m) dz[n, d, r, c, k M + m] W[p, q, s, k, m]

    the sum runs over those (d, r, c) that see (i, j, l) through (p, q, s)
    dx (N, I, J, L, K) out    dz (N, D, R, C, K M)    W (P, Q, S, K, M)
    """  # noqa: E501
    _depthwise_backward_input[grid(dx.size)](dx, dz, W, stride, dilation, padding)
