"""Arguments for the kernels of the losses."""

import numpy as np
from cases import case

EPS = 1e-7
SIZES = [(1, 1), (4, 7)]  # rows shorter and longer than a block


def targets_like_classes(rng, R, C):
    """Return one-hot rows, a row of shares and a row of nothing."""
    t = np.eye(C)[rng.integers(0, C, R)]
    t[-1:] = rng.random(C)
    t[2:3] = 0
    return t


def targets_like_signs(rng, R, C):
    return rng.choice([-1.0, 1.0], (R, C))


def targets_like_numbers(rng, R, C):
    return rng.normal(size=(R, C))


def some_probabilities(rng, R, C):
    """Return rows that sum to one, then one with certainties, which are clipped."""
    p = rng.random((R, C)) + 0.01
    p /= p.sum(1, keepdims=True)
    p[1:2] = np.eye(C)[0]
    return p


def positive_numbers(rng, R, C):
    return np.exp(rng.normal(size=(R, C)))


def any_numbers(rng, R, C):
    return rng.normal(size=(R, C))


PAIRS = {
    "mean_squared_error": (targets_like_numbers, any_numbers),
    "mean_absolute_error": (targets_like_numbers, any_numbers),
    "mean_absolute_percentage_error": (targets_like_numbers, any_numbers),
    "mean_squared_logarithmic_error": (positive_numbers, any_numbers),
    "hinge": (targets_like_signs, any_numbers),
    "squared_hinge": (targets_like_signs, any_numbers),
    "logcosh": (targets_like_numbers, any_numbers),
    "poisson": (positive_numbers, positive_numbers),
    "binary_crossentropy": (targets_like_classes, some_probabilities),
    "kullback_leibler_divergence": (targets_like_classes, some_probabilities),
    "categorical_crossentropy": (targets_like_classes, some_probabilities),
    "sparse_categorical_crossentropy": (None, some_probabilities),
    "categorical_hinge": (targets_like_classes, any_numbers),
    "cosine_proximity": (targets_like_numbers, any_numbers),
}


def pairs(name, rng, dtype):
    """Yield targets and predictions of each size, then a row with a NaN."""
    targets, predictions = PAIRS[name]
    for R, C in *SIZES, (1, 2):
        p = predictions(rng, R, C).astype(dtype)
        if (R, C) == (1, 2):
            p[0, 1] = np.nan
        if targets is None:
            t = rng.integers(0, C, R).astype(dtype)
            t[3:4] = C  # not a class
        else:
            t = targets(rng, R, C).astype(dtype)
        yield t, p


def register(name):
    """Register both kernels of a loss."""

    @case(f"{name}_forward")
    def forward(rng, dtype):
        for t, p in pairs(name, rng, dtype):
            yield np.ones(len(p), dtype), t, p, EPS

    @case(f"{name}_backward")
    def backward(rng, dtype):
        for t, p in pairs(name, rng, dtype):
            yield np.ones_like(p), t, p, rng.normal(size=len(p)).astype(dtype), EPS


for name in PAIRS:
    register(name)


@case("weighted_sum")
def weighted_sum(rng, dtype):
    for R in 1, 11:
        yield np.ones(1), *rng.normal(size=(2, R)).astype(dtype)
