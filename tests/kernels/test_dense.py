"""The matrix products of Dense, on every device, for every size."""

import tracemalloc

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kerasnb
from kerasnb.device import kernels_of, ops
from kerasnb.kernels.cpu import dense

sizes = st.sampled_from([1, 2, 3, 4, 5, 6, 7, 8, 10, 13, 16, 17, 32, 33])
devices = pytest.mark.parametrize("device", ["plain", "cpu"])
dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])
LARGE = (7, 18, 33) if numba.config.DISABLE_JIT else (67, 190, 101)


def operands(N, I, O, dtype="float64"):
    """Return x, W, b and dz of random numbers."""
    rng = np.random.default_rng(N + I + O)
    shapes = (N, I), (I, O), (O,), (N, O)
    return [rng.normal(size=shape).astype(dtype) for shape in shapes]


def products(x, W, b, dz, kernels=None):
    """Return y, dW, db and dx, from outputs that were NaN before."""
    kernels = kernels or vars(ops)
    y, dW, db, dx, bent = (np.full_like(a, np.nan) for a in (dz, W, b, x, dz))
    kernels["dense_forward"](y, x, W, b)
    kernels["dense_relu_forward"](bent, x, W, b)
    np.testing.assert_array_equal(bent, np.maximum(y, 0))
    kernels["dense_backward_weights"](dW, db, dz, x)
    kernels["dense_backward_input"](dx, dz, W)
    return y, dW, db, dx


@pytest.fixture
def always_tiles(monkeypatch):
    """Even the smallest product runs on the register tile."""
    monkeypatch.setattr(dense, "SMALL", 0)


@pytest.mark.parametrize(
    "limits",
    [(0, 1 << 18, 512, 1024), (0, 1 << 9, 16, 5), (1 << 60, 1 << 18, 512, 1024)],
    ids=["tile", "tile in many blocks", "small"],
)
@devices
@dtypes
@given(N=sizes, I=sizes, O=sizes)
def test_products_are_numpys(device, dtype, limits, N, I, O):
    """Any sizes, tails included; every output is overwritten."""
    x, W, b, dz = operands(N, I, O, dtype)
    tolerance = {"rtol": 1e-12, "atol": 1e-12}
    if dtype == "float32":
        tolerance = {"rtol": 1e-4, "atol": 1e-4}
    with pytest.MonkeyPatch.context() as patch:
        for name, limit in zip(("SMALL", "SECOND_CACHE", "COLUMNS", "DEPTH"), limits):
            patch.setattr(dense, name, limit)
        y, dW, db, dx = products(x, W, b, dz, kernels_of(device))
    np.testing.assert_allclose(y, x @ W + b, **tolerance)
    np.testing.assert_allclose(dW, x.T @ dz, **tolerance)
    np.testing.assert_allclose(db, dz.sum(axis=0), **tolerance)
    np.testing.assert_allclose(dx, dz @ W.T, **tolerance)


@pytest.mark.parametrize("sizes", [LARGE, LARGE[::-1], (9, 40, 50), (50, 4, 3)])
def test_the_loops_and_the_tile_agree(sizes, always_tiles):
    """Whichever way W is walked."""
    data = operands(*sizes)
    for a, b in zip(products(*data), products(*data, kernels_of("plain"))):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


@pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="needs two threads")
@dtypes
def test_bits_do_not_depend_on_threads_or_on_the_form(dtype, monkeypatch, always_tiles):
    """Each output is one sum in one order, whoever computes it."""
    data = operands(*LARGE, dtype)
    results = []
    try:
        for form, threads, work in (
            ("serial", 1, 1 << 60),
            ("parallel", 1, 0),
            ("parallel", 2, 0),
        ):
            monkeypatch.setattr(dense, "PARALLEL_WORK", work)
            kerasnb.set_num_threads(threads)
            results.append(products(*data, in_form(form)))
    finally:
        kerasnb.set_num_threads(numba.config.NUMBA_NUM_THREADS)
    for other in results[1:]:
        for a, b in zip(results[0], other):
            np.testing.assert_array_equal(a, b)


def in_form(form):
    """Return the three products, always in their serial or parallel form."""

    def forced(launch):
        def run(*arguments):
            chosen, arguments = launch.__wrapped__(*arguments)
            getattr(chosen, form)(*arguments)

        return run

    return {name: forced(vars(ops)[name]) for name in vars(ops) if name[:6] == "dense_"}


@dtypes
def test_nan_stays_in_its_row_or_column(dtype, always_tiles):
    """Padding never carries a NaN to an output that does not depend on it."""
    x, W, b, dz = operands(8, 7, 9, dtype)
    x[3, 2] = np.nan
    dz[5, 4] = np.inf
    y, dW, db, dx = products(x, W, b, dz)
    assert np.isnan(y[3]).all() and np.isfinite(np.delete(y, 3, axis=0)).all()
    assert np.isnan(dW[2]).all() and not np.isfinite(dW[:, 4]).any()
    assert np.isfinite(np.delete(np.delete(dW, 2, axis=0), 4, axis=1)).all()
    assert np.isinf(db[4]) and np.isfinite(np.delete(db, 4)).all()
    assert not np.isfinite(dx[5]).any() and np.isfinite(np.delete(dx, 5, axis=0)).all()


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="registers are arrays then")
def test_no_array_is_made_after_the_first_call(always_tiles):
    """The scratch for packing is used again."""
    x, W, b, dz = operands(*LARGE, "float32")
    y, dW, db, dx = products(x, W, b, dz)
    tracemalloc.start()
    ops.dense_forward(y, x, W, b)
    before = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    for _ in range(3):
        ops.dense_forward(y, x, W, b)
        ops.dense_backward_weights(dW, db, dz, x)
        ops.dense_backward_input(dx, dz, W)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak - before < 1500
