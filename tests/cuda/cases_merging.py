"""Arguments for the kernels that join arrays."""

import numpy as np
from cases import case


@case("add_scaled")
def add_scaled(rng, dtype):
    for I in 1, 11:
        yield *rng.normal(size=(3, I)).astype(dtype), 0.3


@case("scale_array")
def scale_array(rng, dtype):
    for I in 1, 11:
        yield *rng.normal(size=(2, I)).astype(dtype), 0.3


@case("multiply_arrays")
def multiply_arrays(rng, dtype):
    for I in 1, 11:
        yield rng.normal(size=(3, I)).astype(dtype)


@case("maximum_forward")
def maximum_forward(rng, dtype):
    for index in 1, 2:
        a, b = rng.integers(0, 3, (2, 11)).astype(dtype)
        a[:2], b[1:3] = np.nan, np.nan
        yield np.ones_like(a), rng.integers(0, 2, 11).astype(np.int32), a, b, index


@case("maximum_backward")
def maximum_backward(rng, dtype):
    for index in 0, 2:
        dx, dy = rng.normal(size=(2, 11)).astype(dtype)
        yield dx, dy, rng.integers(0, 3, 11).astype(np.int32), index


@case("place_columns")
def place_columns(rng, dtype):
    for N, J, all_of_them, start in (1, 1, 1, 0), (3, 2, 7, 4):
        y = rng.normal(size=(N, all_of_them)).astype(dtype)
        yield y, rng.normal(size=(N, J)).astype(dtype), start


@case("cut_columns")
def cut_columns(rng, dtype):
    for N, J, all_of_them, start in (1, 1, 1, 0), (3, 2, 7, 4):
        dx = rng.normal(size=(N, J)).astype(dtype)
        yield dx, rng.normal(size=(N, all_of_them)).astype(dtype), start


@case("masks_and")
def masks_and(rng, dtype):
    a, b = rng.random((2, 11)) < 0.5
    yield a | b, a, b


def products(rng, dtype):
    """Yield y, u, v and the lengths of u and v, one of which is nothing."""
    for N, A, C, B, D, K in (1, 1, 1, 1, 1, 1), (2, 1, 3, 2, 1, 5), (1, 2, 1, 1, 3, 2):
        y = rng.normal(size=(N, A, C, B, D)).astype(dtype)
        u = rng.normal(size=(N, A, K, C)).astype(dtype)
        v = rng.normal(size=(N, B, K, D)).astype(dtype)
        v[1:] = 0
        yield y, u, v, np.sqrt((u * u).sum(2)), np.sqrt((v * v).sum(2))


@case("dot_forward")
def dot_forward(rng, dtype):
    for y, u, v, _, _ in products(rng, dtype):
        yield y, u, v


@case("dot_backward")
def dot_backward(rng, dtype):
    for dy, u, v, _, _ in products(rng, dtype):
        yield np.ones_like(u), np.ones_like(v), dy, u, v


@case("lengths")
def lengths(rng, dtype):
    for _, u, _, s, _ in products(rng, dtype):
        yield np.ones_like(s), u


@case("cosine_forward")
def cosine_forward(rng, dtype):
    for y, _, _, su, sv in products(rng, dtype):
        yield y, su, sv, 1e-7


@case("cosine_backward")
def cosine_backward(rng, dtype):
    for y, u, v, su, sv in products(rng, dtype):
        dy = rng.normal(size=y.shape).astype(dtype)
        yield np.ones_like(u), np.ones_like(v), dy, y, u, v, su, sv, 1e-7
