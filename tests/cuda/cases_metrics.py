"""Arguments for the kernels of the accuracies."""

import numpy as np
from cases import case


def predictions(rng, dtype):
    """Yield rows of numbers with ties, NaN in the first column or in others."""
    for R, C in (1, 1), (4, 7):
        p = rng.integers(0, 5, (R, C)).astype(dtype) / 2
        p[1:2, 0] = np.nan
        p[2:3, 1::2] = np.nan
        p[3:4] = -np.inf
        yield p


@case("binary_accuracy")
def binary_accuracy(rng, dtype):
    for p in predictions(rng, dtype):
        yield np.ones(len(p), dtype), rng.integers(0, 3, p.shape).astype(dtype), p
    p = np.array([[0.5, 1.5, 2.5, -0.5, 0.49999997, 1e30, 3e9, 0.3]], dtype)
    t = np.array([[0.0, 2.0, 2.0, 0.0, 1.0, 1e30, 3e9, 0.3]], dtype)
    yield np.ones(1, dtype), t, p


@case("categorical_accuracy")
def categorical_accuracy(rng, dtype):
    for p in predictions(rng, dtype):
        t = rng.integers(0, 3, p.shape).astype(dtype)
        yield np.ones(len(p), dtype), t, p
        yield np.ones(len(p), dtype), p, p


@case("sparse_categorical_accuracy")
def sparse_categorical_accuracy(rng, dtype):
    for p in predictions(rng, dtype):
        for kind in dtype, np.int64:
            t = rng.integers(0, p.shape[1], len(p)).astype(kind)
            yield np.ones(len(p), dtype), t, p


@case("top_k_categorical_accuracy")
def top_k_categorical_accuracy(rng, dtype):
    for p in predictions(rng, dtype):
        for k in 1, 3:
            t = rng.integers(0, 3, p.shape).astype(dtype)
            yield np.ones(len(p), dtype), t, p, k


@case("sparse_top_k_categorical_accuracy")
def sparse_top_k_categorical_accuracy(rng, dtype):
    for p in predictions(rng, dtype):
        for k in 1, 3:
            t = rng.integers(-1, p.shape[1] + 1, len(p))
            yield np.ones(len(p), dtype), t, p, k
            yield np.ones(len(p), dtype), t.astype(dtype), p, k


@case("count_right")
def count_right(rng, dtype):
    for N in 1, 13:
        p = rng.random(N).astype(dtype)
        p[1:2] = np.nan
        for t in rng.random(N).astype(dtype), rng.integers(0, 2, N):
            for of_targets in False, True:
                yield np.ones(1), np.array([2.0, 3.0]), t, p, 0.3, of_targets
    yield np.ones(1), np.zeros(2), np.zeros(3, dtype), np.zeros(3, dtype), 0.5, True
