"""
Batch normalization: statistics of each channel, and the gradient through them.

R rows, K channels. A sum over rows is cut into pieces, of a thread each, and a second
launch joins them, as in `reductions.py`; from piece to piece in float64, as in
`plain/normalization.py`. Everything else has a thread for each number.
"""

import math

import numpy as np

from ..jit import inner
from .reductions import ROOM, add_pieces, pieces, scratch, sum_over_block
from .target import cuda, entry, grid, launcher, like, rows

CHUNK = 32  # rows whose moments a thread computes in the type of the array


@inner
def joined(mean, spread, count, new_mean, new_spread, new_count):
    """
    Return the mean of two groups of rows, and the sum of squares about it.

    Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing
    sample variances", 1979: nothing cancels.
    """
    share = float(new_count) / float(max(count + new_count, 1))
    apart = new_mean - mean
    return mean + apart * share, spread + new_spread + apart * apart * share * count


@entry
def _moments_of_pieces(means, spreads, x):
    p, k = divmod(cuda.grid(1), x.shape[1])
    P, R = means.shape[0], x.shape[0]
    if p < P:  # this thread owns the rows p, p + P, p + 2 P, ... of column k
        mean, spread, count = 0.0, 0.0, 0
        for start in range(p, R, CHUNK * P):
            stop = min(start + CHUNK * P, R)
            centre, squares, new = like(x[p, k], 0), like(x[p, k], 0), 0
            for r in range(start, stop, P):
                centre += x[r, k]
                new += 1
            centre /= like(centre, new)
            for r in range(start, stop, P):
                squares += (x[r, k] - centre) * (x[r, k] - centre)
            mean, spread = joined(mean, spread, count, float(centre), squares, new)
            count += new
        means[p, k], spreads[p, k] = mean, spread


@entry
def _join_pieces(mean, variance, means, spreads, R):
    k, t = cuda.blockIdx.x, cuda.threadIdx.x  # a block owns a column
    centres = cuda.shared.array(ROOM, np.float64)
    squares = cuda.shared.array(ROOM, np.float64)
    counts = cuda.shared.array(ROOM, np.int32)
    P = means.shape[0]
    centre, square, count = 0.0, 0.0, 0
    for p in range(t, P, cuda.blockDim.x):
        new = (R - p + P - 1) // P
        centre, square = joined(
            centre, square, count, means[p, k], spreads[p, k], new
        )  # fmt: skip
        count += new
    centres[t], squares[t], counts[t] = centre, square, count
    half = cuda.blockDim.x // 2
    while half > 0:
        cuda.syncthreads()
        if t < half:
            centres[t], squares[t] = joined(
                centres[t], squares[t], counts[t],
                centres[t + half], squares[t + half], counts[t + half],
            )  # fmt: skip
            counts[t] += counts[t + half]
        half //= 2
    if t == 0:
        mean[k], variance[k] = centres[0], squares[0] / R


@launcher
def batch_moments(mean, variance, x):
    """
    mean[k] = 1/R sum_r x[r, k],   variance[k] = 1/R sum_r (x[r, k] - mean[k])^2

    mean (K,) out    variance (K,) out    x (R, K)
    """
    R, K = x.shape
    means, spreads = scratch("batch_moments", (2, pieces(R, K), K), np.float64)
    _moments_of_pieces[grid(means.size)](means, spreads, x)
    _join_pieces[rows(K, len(means))](mean, variance, means, spreads, R)


@entry
def _moving_average(average, value, kept, added):
    k = cuda.grid(1)
    if k < average.size:
        fresh = like(average[k], added) * value[k]
        average[k] = like(average[k], kept) * average[k] + fresh


@launcher
def moving_average(average, value, momentum, factor):
    """
    average[k] = momentum average[k] + (1 - momentum) factor value[k]

    average (K,) in and out    value (K,)
    """
    added = (1.0 - momentum) * factor
    _moving_average[grid(average.size)](average, value, momentum, added)


@entry
def _inverse_deviation(inverse, variance, epsilon):
    k = cuda.grid(1)
    if k < inverse.size:
        inverse[k] = 1.0 / math.sqrt(float(variance[k]) + epsilon)


@entry
def _batch_norm_forward(y, inverse, x, mean, gamma, beta):
    r, k = divmod(cuda.grid(1), y.shape[1])
    if r < y.shape[0]:
        y[r, k] = (x[r, k] - mean[k]) * (inverse[k] * gamma[k]) + beta[k]


@launcher
def batch_norm_forward(y, inverse, x, mean, variance, gamma, beta, epsilon):
    """
    inverse[k] = 1 / sqrt(variance[k] + epsilon)
    y[r, k] = (x[r, k] - mean[k]) inverse[k] gamma[k] + beta[k]

    y (R, K) out    inverse (K,) out    x (R, K)    mean, variance, gamma, beta (K,)
    """
    _inverse_deviation[grid(inverse.size)](inverse, variance, epsilon)
    _batch_norm_forward[grid(y.size)](y, inverse, x, mean, gamma, beta)


@entry
def _gradients_of_pieces(products, sums, dy, x, mean, inverse):
    p, k = divmod(cuda.grid(1), x.shape[1])
    if p < sums.shape[0]:
        product, total = 0.0, 0.0
        for r in range(p, x.shape[0], sums.shape[0]):
            product += float(dy[r, k] * (x[r, k] - mean[k]))
            total += float(dy[r, k])
        products[p, k], sums[p, k] = product * float(inverse[k]), total


@launcher
def batch_norm_backward_weights(dgamma, dbeta, dy, x, mean, inverse):
    """
    dgamma[k] = sum_r dy[r, k] (x[r, k] - mean[k]) inverse[k]
    dbeta[k] = sum_r dy[r, k]

    dgamma, dbeta (K,) out    dy, x (R, K)    mean, inverse (K,)
    """
    R, K = x.shape
    partial = scratch("batch_norm_backward_weights", (2, pieces(R, K), K), np.float64)
    products, sums = partial
    _gradients_of_pieces[grid(sums.size)](products, sums, dy, x, mean, inverse)
    add_pieces(dgamma, products)
    add_pieces(dbeta, sums)


@entry
def _batch_norm_backward_input(
    dx, dy, x, mean, inverse, gamma, dgamma, dbeta, share
):  # fmt: skip
    r, k = divmod(cuda.grid(1), dx.shape[1])
    if r < dx.shape[0]:
        n = (x[r, k] - mean[k]) * inverse[k]
        common = like(n, share) * (dbeta[k] + n * dgamma[k])
        dx[r, k] = gamma[k] * inverse[k] * (dy[r, k] - common)


@launcher
def batch_norm_backward_input(dx, dy, x, mean, inverse, gamma, dgamma, dbeta, share):
    """
    dx[r, k] = gamma[k] inverse[k] (dy[r, k] - share (dbeta[k] + n[r, k] dgamma[k])),
    n[r, k] = (x[r, k] - mean[k]) inverse[k]

    share = 1 / R where the rows decide mean and variance, 0 where these are given.

    dx (R, K) out    dy, x (R, K)    mean, inverse, gamma, dgamma, dbeta (K,)
    """
    _batch_norm_backward_input[grid(dx.size)](
        dx, dy, x, mean, inverse, gamma, dgamma, dbeta, share
    )


@entry
def _sample_norm_forward(y, n, inverse, x, gamma, beta, epsilon):
    r, t, step = cuda.blockIdx.x, cuda.threadIdx.x, cuda.blockDim.x  # a block: a row
    room = cuda.shared.array(ROOM, np.float64)
    K = x.shape[1]
    mean = 0.0
    for k in range(t, K, step):
        mean += float(x[r, k])
    mean = sum_over_block(mean, room) / K
    variance = 0.0
    for k in range(t, K, step):
        variance += (float(x[r, k]) - mean) * (float(x[r, k]) - mean)
    variance = sum_over_block(variance, room) / K
    factor = like(x[r, 0], 1.0 / (math.sqrt(variance + epsilon) + epsilon))
    if t == 0:
        inverse[r] = factor
    for k in range(t, K, step):
        n[r, k] = (float(x[r, k]) - mean) * float(factor)
        y[r, k] = n[r, k] * gamma[k] + beta[k]


@launcher
def sample_norm_forward(y, n, inverse, x, gamma, beta, epsilon):
    """
    n[r, k] = (x[r, k] - mean[r]) inverse[r],   y[r, k] = n[r, k] gamma[k] + beta[k],
    inverse[r] = 1 / (sqrt(variance[r] + epsilon) + epsilon)

    Mean and variance are those of the K numbers of a row.

    y, n (R, K) out    inverse (R,) out    x (R, K)    gamma, beta (K,)
    """
    _sample_norm_forward[rows(*x.shape)](y, n, inverse, x, gamma, beta, epsilon)


@entry
def _sample_norm_backward(dx, dy, n, inverse, gamma, epsilon):
    r, t, step = cuda.blockIdx.x, cuda.threadIdx.x, cuda.blockDim.x
    room = cuda.shared.array(ROOM, np.float64)
    K = dy.shape[1]
    shift, stretch = 0.0, 0.0
    for k in range(t, K, step):
        dn = float(dy[r, k]) * float(gamma[k])
        shift += dn
        stretch += dn * float(n[r, k])
    factor = float(inverse[r])
    shift = sum_over_block(shift, room) / K
    stretch = sum_over_block(stretch, room) / (K * (1.0 / factor - epsilon))
    for k in range(t, K, step):
        dn = float(dy[r, k]) * float(gamma[k])
        dx[r, k] = factor * (dn - shift) - float(n[r, k]) * stretch


@launcher
def sample_norm_backward(dx, dy, n, inverse, gamma, epsilon):
    """
    dx[r, k] = inverse[r] (dn[r, k] - mean of dn[r])
               - n[r, k] / s[r] mean of dn[r] n[r],
    dn[r, k] = dy[r, k] gamma[k],   s[r] = 1 / inverse[r] - epsilon

    dx (R, K) out    dy, n (R, K)    inverse (R,)    gamma (K,)
    """
    _sample_norm_backward[rows(*dx.shape)](dx, dy, n, inverse, gamma, epsilon)
