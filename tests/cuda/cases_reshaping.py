"""Arguments for the kernels that move numbers."""

import numpy as np
from cases import case


@case("take_columns")
def take_columns(rng, dtype):
    for N, J in (1, 1), (3, 7):
        y, x = rng.normal(size=(2, N, J)).astype(dtype)
        yield y, x, rng.permutation(J)


@case("gather_rows")
def gather_rows(rng, dtype):
    for V, N, J in (1, 1, 1), (5, 7, 3):
        x = rng.normal(size=(V, J)).astype(dtype)
        for kind in np.int64, np.int32:
            index = rng.integers(0, V, N).astype(kind)
            yield np.ones((N, J), dtype), x, index


@case("swap_axes")
def swap_axes(rng, dtype):
    for N, A, B in (1, 1, 1), (2, 3, 5):
        yield np.ones((N, B, A), dtype), rng.normal(size=(N, A, B)).astype(dtype)


@case("repeat_forward")
def repeat_forward(rng, dtype):
    for N, T, D in (1, 1, 1), (2, 3, 5):
        yield np.ones((N, T, D), dtype), rng.normal(size=(N, D)).astype(dtype)


@case("repeat_backward")
def repeat_backward(rng, dtype):
    for N, T, D in (1, 1, 1), (2, 3, 5):
        yield np.ones((N, D), dtype), rng.normal(size=(N, T, D)).astype(dtype)
