"""The kernels of pooling against windows cut out by NumPy, in both forms and types."""

import itertools

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasnb.device import ops
from kerasnb.spatial import output_size, padding_before

dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])
three = st.tuples(*[st.integers(1, 4)] * 3)
cases = given(
    N=st.integers(1, 3),
    sizes=st.tuples(st.integers(1, 3), st.integers(1, 7), st.integers(1, 7)),
    K=st.sampled_from([1, 2, 5, 17]),
    window=three,
    strides=three,
    padding=st.sampled_from(["valid", "same"]),
)
RTOL = {"float32": 1e-5, "float64": 1e-12}


def geometry(sizes, window, strides, padding):
    """Return a window that fits, the places, the padding, and what each place sees."""
    if padding == "valid":
        window = tuple(map(min, window, sizes))
    axes = list(zip(sizes, window, strides))
    places = tuple(output_size(*axis, padding) for axis in axes)
    before = tuple(padding_before(*axis, padding) for axis in axes)
    views = {}
    for place in itertools.product(*map(range, places)):
        starts = [p * s - b for p, s, b in zip(place, strides, before)]
        views[place] = tuple(
            slice(max(start, 0), start + w) for start, w in zip(starts, window)
        )
    return (window, strides, before), places, views


def images(dtype, *shape):
    """Return random whole numbers, with ties."""
    return np.random.default_rng(sum(shape)).integers(-3, 4, shape).astype(dtype)


@dtypes
@cases
def test_the_maximum_and_its_first_place_are_numpys(
    dtype, N, sizes, K, window, strides, padding
):
    """The gradient goes to the first of the largest cells, wherever windows overlap."""
    windows, places, views = geometry(sizes, window, strides, padding)
    x = images(dtype, N, *sizes, K)
    y, at = np.full((N, *places, K), np.nan, dtype), np.full((N, *places, K), -1, "i4")
    ops.max_pool_forward(y, at, x, *windows)
    dy = np.random.default_rng(0).normal(size=y.shape).astype(dtype)
    dx, expected = np.full_like(x, np.nan), np.zeros_like(x)
    ops.max_pool_backward(dx, dy, at, *windows)
    for place, view in views.items():
        for n, k in np.ndindex(N, K):
            seen = x[(n, *view, k)]
            assert y[(n, *place, k)] == seen.max()
            first = np.unravel_index(seen.argmax(), seen.shape)
            expected[(n, *view, k)][first] += dy[(n, *place, k)]
    np.testing.assert_allclose(dx, expected, rtol=RTOL[dtype], atol=RTOL[dtype])


@dtypes
@cases
def test_the_average_counts_what_is_there(dtype, N, sizes, K, window, strides, padding):
    """Padding is neither in the sum nor in the number; gradients are shared evenly."""
    windows, places, views = geometry(sizes, window, strides, padding)
    x = images(dtype, N, *sizes, K)
    y = np.full((N, *places, K), np.nan, dtype)
    ops.average_pool_forward(y, x, *windows)
    dy = np.random.default_rng(0).normal(size=y.shape).astype(dtype)
    dx, expected = np.full_like(x, np.nan), np.zeros_like(x)
    ops.average_pool_backward(dx, dy, *windows)
    tolerance = {"rtol": RTOL[dtype], "atol": RTOL[dtype]}
    for place, view in views.items():
        seen = (slice(None), *view)
        mean = x[seen].mean(axis=(1, 2, 3))
        np.testing.assert_allclose(y[(slice(None), *place)], mean, **tolerance)
        count = np.prod(x[seen].shape[1:-1])
        share = dy[(slice(None), *place)] / count
        expected[seen] += share[:, None, None, None]
    np.testing.assert_allclose(dx, expected, **tolerance)


@dtypes
@given(N=st.integers(1, 4), T=st.integers(1, 7), K=st.sampled_from([1, 3, 17]))
def test_the_masked_average_counts_what_is_not_masked(dtype, N, T, K):
    """Also where a masked step holds NaN; without any step it is 0, as its gradient."""
    rng = np.random.default_rng(N + T + K)
    x = rng.normal(size=(N, T, K)).astype(dtype)
    mask = rng.random((N, T)) < 0.6
    mask[0] = False
    x[~mask] = np.nan
    y, dx = np.full((N, K), np.nan, dtype), np.full_like(x, np.nan)
    ops.masked_average_forward(y, x, mask)
    dy = rng.normal(size=y.shape).astype(dtype)
    ops.masked_average_backward(dx, dy, mask)
    steps = np.maximum(mask.sum(axis=1), 1)[:, None]
    tolerance = {"rtol": RTOL[dtype], "atol": RTOL[dtype]}
    np.testing.assert_allclose(y, np.nansum(x, axis=1) / steps, **tolerance)
    expected = mask[:, :, None] * (dy / steps)[:, None]
    np.testing.assert_allclose(dx, expected, **tolerance)
    assert not y[0].any() and not dx[0].any()


@dtypes
@pytest.mark.parametrize("where", range(4))
def test_nan_is_the_largest_of_all(where, dtype):
    """It stays visible, wherever it is in the window, and the first of two wins."""
    x = np.array([3, 1, 4, 2], dtype).reshape(1, 1, 1, 4, 1)
    y, at = np.zeros((1, 1, 1, 1, 1), dtype), np.zeros((1, 1, 1, 1, 1), np.int32)
    x[0, 0, 0, where:] = np.nan
    windows = (1, 1, 4), (1, 1, 4), (0, 0, 0)
    ops.max_pool_forward(y, at, x, *windows)
    assert np.isnan(y).all() and at.item() == where
    ops.average_pool_forward(y, x, *windows)
    assert np.isnan(y).all()


def test_the_least_of_numbers_is_found_too():
    """A window that holds nothing but -inf gives -inf, with or without padding."""
    x = np.full((1, 1, 1, 3, 1), -np.inf, np.float32)
    y, at = np.zeros_like(x), np.zeros(x.shape, np.int32)
    ops.max_pool_forward(y, at, x, (1, 1, 3), (1, 1, 1), (0, 0, 1))
    assert (y == -np.inf).all() and at.ravel().tolist() == [0, 0, 1]


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="there is one form only")
def test_both_forms_of_the_longest_kernels_give_the_same_bits():
    """Serial or parallel: every sample belongs to one thread."""
    x = np.random.default_rng(0).normal(size=(5, 2, 5, 7, 3)).astype(np.float32)
    windows = (2, 3, 3), (1, 2, 1), (0, 1, 1)
    results = []
    for form in ("serial", "parallel"):
        y, dx = np.zeros((5, 1, 3, 7, 3), np.float32), np.zeros_like(x)
        at = np.zeros(y.shape, np.int32)
        getattr(ops.max_pool_forward, form)(y, at, x, *windows)
        getattr(ops.average_pool_backward, form)(dx, y, *windows)
        results.append([y, at, dx])
    for a, b in zip(*results):
        np.testing.assert_array_equal(a, b)
