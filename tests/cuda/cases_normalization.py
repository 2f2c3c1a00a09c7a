"""Arguments for the kernels of normalization."""

import numpy as np
from cases import case

SIZES = [(1, 1), (5, 7), (41, 3)]
FEW_ROWS = [(1, 1), (3, 11)]


def batches(rng, dtype, count, sizes=SIZES):
    """Yield two arrays of (R, K), the second far from zero, and `count` of (K,)."""
    for R, K in sizes:
        x = rng.normal(size=(R, K)) + 7 * rng.normal(size=K)
        shapes = [(R, K), *[K] * count]
        a, *channels = [rng.normal(size=shape).astype(dtype) for shape in shapes]
        yield a, x.astype(dtype), channels


@case("batch_moments")
def batch_moments(rng, dtype):
    for _, x, (mean, variance) in batches(rng, dtype, 2):
        yield mean, variance, x


@case("moving_average")
def moving_average(rng, dtype):
    for K in (1, 7):
        yield *rng.normal(size=(2, K)).astype(dtype), 0.99, 1.25


@case("batch_norm_forward")
def batch_norm_forward(rng, dtype):
    for y, x, (inverse, mean, variance, gamma, beta) in batches(rng, dtype, 5):
        yield y, inverse, x, mean, np.abs(variance), gamma, beta, 1e-3


@case("batch_norm_backward_weights")
def batch_norm_backward_weights(rng, dtype):
    for dy, x, (dgamma, dbeta, mean, inverse) in batches(rng, dtype, 4):
        yield dgamma, dbeta, dy, x, mean, np.abs(inverse)


@case("batch_norm_backward_input")
def batch_norm_backward_input(rng, dtype):
    for dy, x, channels in batches(rng, dtype, 5):
        for share in (0.0, 1 / len(x)):
            yield dy + 1, dy, x, *channels, share


@case("sample_norm_forward")
def sample_norm_forward(rng, dtype):
    for y, x, (gamma, beta) in batches(rng, dtype, 2, FEW_ROWS):
        yield y, y + 1, y[:, 0].copy(), x, gamma, beta, 1e-3


@case("sample_norm_backward")
def sample_norm_backward(rng, dtype):
    for dy, n, (gamma,) in batches(rng, dtype, 1, FEW_ROWS):
        yield dy + 1, dy, n, 0.5 + np.abs(dy[:, 0]), gamma, 1e-3
