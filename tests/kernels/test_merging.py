"""The kernels that join arrays, against NumPy, in both forms and both types."""

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasnb.device import kernels_of, ops

SIZES = st.integers(1, 5)
dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])
TOLERANCE = {"float32": {"rtol": 2e-5, "atol": 2e-5}, "float64": {"rtol": 1e-12}}


def vectors(count, size, dtype="float64"):
    """Return vectors of random numbers."""
    return np.random.default_rng(size).normal(size=(count, size)).astype(dtype)


@dtypes
@given(size=st.integers(1, 40), factor=st.floats(-3, 3))
def test_numbers_are_joined_one_by_one(dtype, size, factor):
    """Sums, products and multiples; the result may be one of the operands."""
    a, b, y = vectors(3, size, dtype)
    factor = np.dtype(dtype).type(factor)
    ops.add_scaled(y, a, b, float(factor))
    np.testing.assert_allclose(y, a + factor * b, **TOLERANCE[dtype])
    ops.multiply_arrays(y, a, b)
    np.testing.assert_array_equal(y, a * b)
    ops.multiply_arrays(y, y, b)
    np.testing.assert_array_equal(y, a * b * b)
    ops.scale_array(y, a, float(factor))
    np.testing.assert_array_equal(y, factor * a)


@dtypes
@given(size=st.integers(1, 40), count=st.integers(2, 4))
def test_the_first_of_the_largest_wins(dtype, size, count):
    """Ties of whole numbers go to the earliest array; the gradient goes there only."""
    xs = np.random.default_rng(size).integers(0, 3, (count, size)).astype(dtype)
    y, winner = np.full(size, np.nan, dtype), np.full(size, 99, np.int32)
    so_far = xs[0]
    for k in range(1, count):
        ops.maximum_forward(y, winner, so_far, xs[k], k)
        so_far = y
    np.testing.assert_array_equal(y, xs.max(axis=0))
    np.testing.assert_array_equal(winner, xs.argmax(axis=0))
    dy, dxs = vectors(1, size, dtype)[0], np.full_like(xs, np.nan)
    for k, dx in enumerate(dxs):
        ops.maximum_backward(dx, dy, winner, k)
    np.testing.assert_array_equal(dxs.sum(axis=0), dy)
    np.testing.assert_array_equal(dxs != 0, np.arange(count)[:, None] == winner)


def test_nan_is_the_largest_of_all():
    """It stays visible, whichever array holds it."""
    a, b = np.array([np.nan, 1.0, np.nan]), np.array([1.0, np.nan, np.nan])
    y, winner = np.zeros(3), np.zeros(3, np.int32)
    ops.maximum_forward(y, winner, a, b, 1)
    assert np.isnan(y).all()
    np.testing.assert_array_equal(winner, [0, 1, 0])


@given(N=SIZES, widths=st.lists(SIZES, min_size=1, max_size=4))
def test_columns_are_placed_and_cut_out_again(N, widths):
    """Cutting gives back what was placed, and nothing else is touched."""
    parts = [vectors(N, width).reshape(N, width) for width in widths]
    y = np.full((N, sum(widths)), np.nan)
    start = 0
    for part in parts:
        ops.place_columns(y, part, start)
        start += part.shape[1]
    np.testing.assert_array_equal(y, np.concatenate(parts, axis=1))
    for part in reversed(parts):
        start -= part.shape[1]
        dx = np.full_like(part, np.nan)
        ops.cut_columns(dx, y, start)
        np.testing.assert_array_equal(dx, part)


def test_masks_are_joined_by_and():
    """All four cases."""
    a, b = np.array([[0, 0, 1, 1], [0, 1, 0, 1]], bool)
    mask = np.ones(4, bool)
    ops.masks_and(mask, a, b)
    np.testing.assert_array_equal(mask, a & b)


def products(kernels, u, v, dy, least):
    """Return all that the kernels of dot products and cosines compute."""
    (N, A, _, C), (_, B, _, D) = u.shape, v.shape
    dot, cosine = np.full((2, N, A, C, B, D), np.nan, u.dtype)
    su, sv = np.full((N, A, C), np.nan, u.dtype), np.full((N, B, D), np.nan, u.dtype)
    gradients = [np.full_like(x, np.nan) for x in (u, v, u, v)]
    kernels["dot_forward"](dot, u, v)
    kernels["dot_backward"](*gradients[:2], dy, u, v)
    kernels["lengths"](su, u)
    kernels["lengths"](sv, v)
    cosine[...] = dot
    kernels["cosine_forward"](cosine, su, sv, least)
    kernels["cosine_backward"](*gradients[2:], dy, cosine, u, v, su, sv, least)
    return [dot, su, sv, cosine, *gradients]


@pytest.mark.parametrize("device", ["plain", "cpu"])
@dtypes
@given(N=SIZES, A=SIZES, C=SIZES, B=SIZES, D=SIZES, K=SIZES)
def test_dot_products_and_cosines_are_numpys(device, dtype, N, A, C, B, D, K):
    """Any number of axes before and after the one that is summed."""
    rng = np.random.default_rng(A + B + C + D)
    u = rng.normal(size=(N, A, K, C)).astype(dtype)
    v = rng.normal(size=(N, B, K, D)).astype(dtype)
    dy = rng.normal(size=(N, A, C, B, D)).astype(dtype)
    found = products(kernels_of(device), u, v, dy, 1e-7)
    dot = np.einsum("nakc,nbkd->nacbd", u, v)
    su, sv = (np.linalg.norm(x, axis=2) for x in (u, v))
    sizes = np.einsum("nac,nbd->nacbd", su, sv)
    du = np.einsum("nacbd,nbkd->nakc", dy, v)
    dv = np.einsum("nacbd,nakc->nbkd", dy, u)
    tilt = dy * dot / sizes
    cosine_du = np.einsum("nacbd,nbkd->nakc", dy / sizes, v)
    cosine_du -= u * (tilt.sum(axis=(3, 4)) / su**2)[:, :, None]
    cosine_dv = np.einsum("nacbd,nakc->nbkd", dy / sizes, u)
    cosine_dv -= v * (tilt.sum(axis=(1, 2)) / sv**2)[:, :, None]
    expected = [dot, su, sv, dot / sizes, du, dv, cosine_du, cosine_dv]
    rtol = {"float32": 1e-3, "float64": 1e-9}[dtype]
    for a, b in zip(found, expected):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * max(1, abs(b).max()))


def test_the_divisor_of_a_cosine_has_a_least_value():
    """Where the lengths are too small, the cosine is the dot product by that value."""
    u, v = np.array([[3e-4], [0.0]]), np.array([[2e-4], [1.0]])
    shape = (2, 1, 1, 1)
    dy = np.ones((2, 1, 1, 1, 1))
    found = products(vars(ops), u.reshape(shape), v.reshape(shape), dy, 1e-6)
    np.testing.assert_allclose(found[3].ravel(), [0.06, 0.0], rtol=1e-12)
    np.testing.assert_allclose(found[6].ravel(), [200, 1e6], rtol=1e-12)
    np.testing.assert_allclose(found[7].ravel(), [300, 0], rtol=1e-12)


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="there is one form only")
def test_both_forms_of_the_longest_kernel_give_the_same_bits():
    """Serial or parallel: every sample belongs to one thread."""
    rng = np.random.default_rng(0)
    u, v = rng.normal(size=(2, 9, 2, 3, 2))
    dy = rng.normal(size=(9, 2, 2, 2, 2))
    name, changed = "cosine_backward", dict(vars(ops))
    results = []
    for form in ("serial", "parallel"):
        changed[name] = getattr(vars(ops)[name], form)
        results.append(products(changed, u, v, dy, 1e-7))
    for a, b in zip(*results):
        np.testing.assert_array_equal(a, b)
