"""Arguments for the kernels of random numbers and dropout."""

import numpy as np
from cases import case

from kerasnb.kernels.plain.random import GROUP

STARTS = [(0, 0), (2**63 - 1, 2**40 + 3)]  # key and counter


@case("random_uniform")
def random_uniform(rng, dtype):
    for start in STARTS:
        yield np.ones((3, 7), dtype), -0.3, 1.1, *start
    yield np.ones(1, dtype), 0.0, 1.0, *start


@case("random_normal", "random_truncated_normal")
def random_normal(rng, dtype):
    for start in STARTS:
        yield np.ones((3, 7), dtype), 0.5, 2.0, *start
    yield np.ones(50, dtype), 0.0, 1.0, 1, 2


@case("normal_noise")
def normal_noise(rng, dtype):
    for start in STARTS:
        yield np.ones((3, 7), dtype), 0.5, 2.0, np.array(start, np.uint64)


@case("random_permutation")
def random_permutation(rng, dtype):
    for start in STARTS:
        for N in 1, 2, 11:
            yield np.ones(N, np.int64), *start


@case("dropout_words")
def dropout_words(rng, dtype):
    for start in STARTS:
        yield np.ones(16 * GROUP, np.uint16), np.array(start, np.uint64)


@case("dropout_forward")
def dropout_forward(rng, dtype):
    for rate in 0.0, 0.4, 1.0:
        for start in STARTS:
            x = rng.normal(size=(3, 41)).astype(dtype)
            decided = np.ones(8 * GROUP, np.uint16)
            yield x + 1, decided, x, rate, np.array(start, np.uint64)


def words(rng, size):
    return rng.integers(0, 2**16, size, np.uint16)


@case("dropout_apply")
def dropout_apply(rng, dtype):
    for rate in 0.0, 0.4, 1.0:
        x = rng.normal(size=(3, 7)).astype(dtype)
        yield x + 1, x, words(rng, 24), rate


@case("dropout_replace")
def dropout_replace(rng, dtype):
    for rate in 0.0, 0.4, 1.0:
        x = rng.normal(size=(3, 7)).astype(dtype)
        yield x + 1, x, words(rng, 24), rate, 1.3, -0.2, 0.7
