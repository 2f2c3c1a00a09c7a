"""
Batch normalization: statistics of each channel, and the gradient through them.

R rows (all axes but the channels'), K channels. A sum over rows runs over a fixed
number of blocks, cut into chunks that stay in the cache: within a chunk in the type of
the array, from chunk to chunk and block to block in float64, always in the same order.
Read next: `normalization.py`, the layer.
"""

import math

import numpy as np
from numba import prange

from ..jit import inner, kernel, like

BLOCKS = 64
CHUNK = 32  # rows


@inner
def block_count(R):
    """Return the number of blocks: one for few rows, BLOCKS at most."""
    return min(BLOCKS, (R + CHUNK - 1) // CHUNK)


@inner
def sum_rows(total, x):
    """total[k] = sum_r x[r, k]"""
    total[:] = like(x[0, 0], 0)
    for r in range(x.shape[0]):
        for k in range(x.shape[1]):
            total[k] += x[r, k]


@inner
def sum_squares_about(total, x, mean):
    """total[k] = sum_r (x[r, k] - mean[k])^2"""
    total[:] = like(x[0, 0], 0)
    for r in range(x.shape[0]):
        for k in range(x.shape[1]):
            total[k] += (x[r, k] - mean[k]) * (x[r, k] - mean[k])


@inner
def join_moments(mean, spread, rows, new_mean, new_spread, new_rows):
    """
    The mean of two groups of rows, and the sum of squares about it, from those of each

    Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing
    sample variances", 1979: nothing cancels.
    """
    share = float(new_rows) / float(rows + new_rows)
    for k in range(mean.size):
        apart = float(new_mean[k]) - mean[k]
        mean[k] += apart * share
        spread[k] += float(new_spread[k]) + apart * apart * share * rows


@kernel(work=lambda mean, variance, x: x.size)
def batch_moments(mean, variance, x):
    """
    mean[k] = 1/R sum_r x[r, k],   variance[k] = 1/R sum_r (x[r, k] - mean[k])^2

    mean (K,) out    variance (K,) out    x (R, K)
    """
    R, K = x.shape
    blocks = block_count(R)
    means = np.zeros((blocks, K))
    spreads = np.zeros((blocks, K))
    for block in prange(blocks):
        first, stop = block * R // blocks, (block + 1) * R // blocks
        centre = np.empty(K, x.dtype)
        spread = np.empty(K, x.dtype)
        for start in range(first, stop, CHUNK):
            chunk = x[start : min(start + CHUNK, stop)]
            sum_rows(centre, chunk)
            for k in range(K):
                centre[k] /= like(centre[k], chunk.shape[0])
            sum_squares_about(spread, chunk, centre)
            before = start - first
            join_moments(
                means[block], spreads[block], before, centre, spread, chunk.shape[0]
            )
    for block in range(1, blocks):
        before = block * R // blocks
        rows = (block + 1) * R // blocks - before
        join_moments(means[0], spreads[0], before, means[block], spreads[block], rows)
    for k in range(K):
        mean[k] = means[0, k]
        variance[k] = spreads[0, k] / R


@kernel(parallel=False)
def moving_average(average, value, momentum, factor):
    """
    average[k] = momentum average[k] + (1 - momentum) factor value[k]

    average (K,) in and out    value (K,)
    """
    for k in range(average.size):
        kept = like(average[k], momentum) * average[k]
        average[k] = kept + like(average[k], (1.0 - momentum) * factor) * value[k]


@kernel
def batch_norm_forward(y, inverse, x, mean, variance, gamma, beta, epsilon):
    """
    inverse[k] = 1 / sqrt(variance[k] + epsilon)
    y[r, k] = (x[r, k] - mean[k]) inverse[k] gamma[k] + beta[k]

    y (R, K) out    inverse (K,) out    x (R, K)    mean, variance, gamma, beta (K,)
    """
    R, K = x.shape
    for k in range(K):
        inverse[k] = 1.0 / math.sqrt(float(variance[k]) + epsilon)
    for r in prange(R):
        for k in range(K):
            y[r, k] = (x[r, k] - mean[k]) * (inverse[k] * gamma[k]) + beta[k]


@kernel(work=lambda dgamma, dbeta, dy, *rest: dy.size)
def batch_norm_backward_weights(dgamma, dbeta, dy, x, mean, inverse):
    """
    dgamma[k] = sum_r dy[r, k] (x[r, k] - mean[k]) inverse[k]
    dbeta[k] = sum_r dy[r, k]

    dgamma, dbeta (K,) out    dy, x (R, K)    mean, inverse (K,)
    """
    R, K = x.shape
    blocks = block_count(R)
    products = np.zeros((blocks, K))
    sums = np.zeros((blocks, K))
    for block in prange(blocks):
        first, stop = block * R // blocks, (block + 1) * R // blocks
        product = np.empty(K, x.dtype)
        total = np.empty(K, x.dtype)
        for start in range(first, stop, CHUNK):
            sum_rows(total, dy[start : min(start + CHUNK, stop)])
            product[:] = like(x[0, 0], 0)
            for r in range(start, min(start + CHUNK, stop)):
                for k in range(K):
                    product[k] += dy[r, k] * (x[r, k] - mean[k])
            for k in range(K):
                products[block, k] += float(product[k])
                sums[block, k] += float(total[k])
    for k in range(K):
        for block in range(1, blocks):
            products[0, k] += products[block, k]
            sums[0, k] += sums[block, k]
        dgamma[k] = products[0, k] * float(inverse[k])
        dbeta[k] = sums[0, k]


@kernel
def batch_norm_backward_input(dx, dy, x, mean, inverse, gamma, dgamma, dbeta, share):
    """
    dx[r, k] = gamma[k] inverse[k] (dy[r, k] - share (dbeta[k] + n[r, k] dgamma[k])),
    n[r, k] = (x[r, k] - mean[k]) inverse[k]

    share = 1 / R where the rows decide mean and variance, 0 where these are given.

    dx (R, K) out    dy, x (R, K)    mean, inverse, gamma, dgamma, dbeta (K,)
    """
    R, K = x.shape
    for r in prange(R):
        for k in range(K):
            n = (x[r, k] - mean[k]) * inverse[k]
            common = like(n, share) * (dbeta[k] + n * dgamma[k])
            dx[r, k] = gamma[k] * inverse[k] * (dy[r, k] - common)


@kernel(work=lambda y, *rest: y.size)
def sample_norm_forward(y, n, inverse, x, gamma, beta, epsilon):
    """
    n[r, k] = (x[r, k] - mean[r]) inverse[r],   y[r, k] = n[r, k] gamma[k] + beta[k],
    inverse[r] = 1 / (sqrt(variance[r] + epsilon) + epsilon)

    Mean and variance are those of the K numbers of a row.

    y, n (R, K) out    inverse (R,) out    x (R, K)    gamma, beta (K,)
    """
    R, K = x.shape
    for r in prange(R):
        mean = float(x[r, 0])
        for k in range(1, K):
            mean += float(x[r, k])
        mean /= K
        variance = 0.0
        for k in range(K):
            variance += (float(x[r, k]) - mean) ** 2
        inverse[r] = 1.0 / (math.sqrt(variance / K + epsilon) + epsilon)
        for k in range(K):
            n[r, k] = (float(x[r, k]) - mean) * float(inverse[r])
            y[r, k] = n[r, k] * gamma[k] + beta[k]


@kernel(work=lambda dx, *rest: dx.size)
def sample_norm_backward(dx, dy, n, inverse, gamma, epsilon):
    """
    dx[r, k] = inverse[r] (dn[r, k] - mean of dn[r])
               - n[r, k] / s[r] mean of dn[r] n[r],
    dn[r, k] = dy[r, k] gamma[k],   s[r] = 1 / inverse[r] - epsilon

    dx (R, K) out    dy, n (R, K)    inverse (R,)    gamma (K,)
    """
    R, K = dy.shape
    for r in prange(R):
        shift = 0.0
        stretch = 0.0
        for k in range(K):
            dn = float(dy[r, k]) * float(gamma[k])
            shift += dn
            stretch += dn * float(n[r, k])
        factor = float(inverse[r])
        shift /= K
        stretch /= K * (1.0 / factor - epsilon)
        for k in range(K):
            dn = float(dy[r, k]) * float(gamma[k])
            dx[r, k] = factor * (dn - shift) - float(n[r, k]) * stretch
