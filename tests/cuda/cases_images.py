"""Arguments for the kernels of pooling, resizing and moving images."""

import itertools

import numpy as np
from cases import case

from kerasnb.kernels.plain.images import FILL_MODES

POOLS = [  # N, sizes, K, places, window, strides, before
    (1, (1, 1, 1), 1, (1, 1, 1), (1, 1, 1), (1, 1, 1), (0, 0, 0)),
    (2, (1, 6, 4), 3, (1, 3, 2), (1, 2, 2), (1, 2, 2), (0, 0, 0)),
    (1, (1, 5, 3), 2, (1, 5, 2), (1, 3, 2), (1, 1, 2), (0, 1, 0)),
    (2, (3, 4, 5), 1, (2, 2, 5), (2, 1, 4), (2, 3, 1), (0, 0, 1)),
    (1, (1, 1, 7), 1, (1, 1, 2), (1, 1, 2), (1, 1, 5), (0, 0, 0)),
    (1, (1, 5, 8), 3, (1, 2, 1), (1, 4, 9), (1, 3, 2), (0, 1, 0)),
    (2, (1, 1, 37), 1, (1, 1, 1), (1, 1, 37), (1, 1, 37), (0, 0, 0)),
]


def pools(rng, dtype):
    """Yield x, y and the windows; some numbers of x are equal, some are NaN."""
    for k, (N, sizes, K, places, *windows) in enumerate(POOLS):
        x = rng.integers(-3, 3, (N, *sizes, K)).astype(dtype)
        if k % 2:
            x[rng.random(x.shape) < 0.2] = np.nan
        yield x, rng.normal(size=(N, *places, K)).astype(dtype), windows


@case("max_pool_forward")
def max_pool_forward(rng, dtype):
    for x, y, windows in pools(rng, dtype):
        yield y, y.astype(np.int32), x, *windows


@case("max_pool_backward")
def max_pool_backward(rng, dtype):
    from kerasnb.kernels.plain.pooling import max_pool_forward

    for x, dy, windows in pools(rng, dtype):
        at = np.empty(dy.shape, np.int32)
        max_pool_forward(np.empty_like(dy), at, x, *windows)
        yield rng.normal(size=x.shape).astype(dtype), dy, at, *windows


@case("average_pool_forward")
def average_pool_forward(rng, dtype):
    for x, y, windows in pools(rng, dtype):
        yield y, rng.normal(size=x.shape).astype(dtype), *windows


@case("average_pool_backward")
def average_pool_backward(rng, dtype):
    for x, dy, windows in pools(rng, dtype):
        yield rng.normal(size=x.shape).astype(dtype), dy, *windows


def masked(rng, dtype):
    """Yield sequences, their means, and which steps count: in the last one, none."""
    for N, T, K in (1, 1, 1), (3, 5, 2):
        mask = rng.random((N, T)) < 0.6
        mask[-1] = False
        x, y = rng.normal(size=(N, T, K)), rng.normal(size=(N, K))
        yield x.astype(dtype), y.astype(dtype), mask


@case("masked_average_forward")
def masked_average_forward(rng, dtype):
    for x, y, mask in masked(rng, dtype):
        yield y, x, mask


@case("masked_average_backward")
def masked_average_backward(rng, dtype):
    for dx, dy, mask in masked(rng, dtype):
        yield dx, dy, mask


def framed(rng, dtype):
    """Yield images, the same with a frame, and how much of it comes before."""
    for N, inner, outer, before in (
        (1, (1, 1, 1), (1, 1, 1), (0, 0, 0)),
        (2, (1, 3, 4), (1, 5, 7), (0, 1, 2)),
        (1, (2, 1, 3), (4, 3, 3), (2, 0, 0)),
    ):
        small, large = rng.normal(size=(N, *inner)), rng.normal(size=(N, *outer))
        yield small.astype(dtype), large.astype(dtype), before


@case("crop_images")
def crop_images(rng, dtype):
    for small, large, before in framed(rng, dtype):
        yield small, large, before


@case("pad_images")
def pad_images(rng, dtype):
    for small, large, before in framed(rng, dtype):
        yield large, small, before


def enlarged(rng, dtype, shapes):
    """Yield images, larger ones, and how many times larger they are."""
    for shape, size in shapes:
        N, *sizes, K = shape
        larger = [a * b for a, b in zip(sizes, size)]
        small, large = rng.normal(size=shape), rng.normal(size=(N, *larger, K))
        yield small.astype(dtype), large.astype(dtype), size


VOLUMES = [((1, 1, 1, 1, 1), (1, 1, 1)), ((2, 1, 2, 3, 2), (1, 3, 2))]
VOLUMES += [((1, 2, 1, 2, 1), (2, 1, 3))]
PLANES = [((1, 1, 1, 1), (1, 1)), ((2, 1, 3, 2), (2, 2)), ((1, 3, 2, 1), (3, 1))]
PLANES += [((1, 2, 2, 3), (3, 5))]


@case("upsample_nearest_forward")
def upsample_nearest_forward(rng, dtype):
    for x, y, size in enlarged(rng, dtype, VOLUMES):
        yield y, x, size


@case("upsample_nearest_backward")
def upsample_nearest_backward(rng, dtype):
    for dx, dy, size in enlarged(rng, dtype, VOLUMES):
        yield dx, dy, size


@case("upsample_bilinear_forward")
def upsample_bilinear_forward(rng, dtype):
    for x, y, size in enlarged(rng, dtype, PLANES):
        yield y, x, size


@case("upsample_bilinear_backward")
def upsample_bilinear_backward(rng, dtype):
    for dx, dy, size in enlarged(rng, dtype, PLANES):
        yield dx, dy, size


@case("affine_transform")
def affine_transform(rng, dtype):
    turned = np.array([[0.8, -0.6, 1.7], [0.6, 0.8, -3.1]])
    far = np.array([[-1.0, 0.0, 11.0], [0.25, 1.0, 9.5]])
    for matrix, mode in itertools.product((turned, far), FILL_MODES.values()):
        x = rng.normal(size=(4, 5, 3)).astype(dtype)
        yield rng.normal(size=(3, 4, 3)).astype(dtype), x, matrix, mode, 0.3
    x = rng.normal(size=(1, 1, 1)).astype(dtype)
    for mode in FILL_MODES.values():
        yield x + 1, x, turned, mode, -0.3
