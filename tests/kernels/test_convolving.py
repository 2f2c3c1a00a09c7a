"""The convolutions, on every device, for every geometry."""

import functools
import itertools
import tracemalloc

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kerasnb
from kerasnb.device import kernels_of, ops
from kerasnb.kernels.cpu import convolution
from kerasnb.kernels.cpu import geometry as geometry_module
from kerasnb.kernels.cpu.convolution import convolution_gradient, convolution_product

SMALL = numba.config.DISABLE_JIT
devices = pytest.mark.parametrize("device", ["plain", "cpu"])
dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])
channels = st.sampled_from([1, 3, 5] if SMALL else [1, 2, 3, 8, 16, 17, 33])
LIKE = {
    "float32": {"rtol": 1e-4, "atol": 1e-4},  # hundreds of roundings of 6e-8
    "float64": {"rtol": 1e-12, "atol": 1e-12},
}


@st.composite
def geometries(draw):
    """Draw sizes of input and output, window, stride, dilation and padding."""
    axes = [(1, 1, 1, 1, 1, 0)] * draw(st.integers(0, 2))
    strided = draw(st.booleans())
    while len(axes) < 3:
        window = draw(st.integers(1, 3))
        step = draw(st.integers(1, 3))
        stride, dilation = (step, 1) if strided else (1, step)
        span = (window - 1) * dilation + 1
        before, after = (draw(st.integers(0, span - 1)) for _ in range(2))
        size = max(1, span - before - after) + draw(st.integers(0, 4))
        places = (size + before + after - span) // stride + 1
        axes.append((size, places, window, stride, dilation, before))
    sizes, places, *numbers = zip(*axes)
    return sizes, places, *numbers


def operands(geometry, N, K, F, dtype):
    """Return x, W, b, dz of random numbers, and stride, dilation, padding."""
    sizes, places, window, *numbers = geometry
    rng = np.random.default_rng(N + K + F)
    shapes = (N, *sizes, K), (*window, K, F), (F,), (N, *places, F)
    return [rng.normal(size=shape).astype(dtype) for shape in shapes], numbers


def windows(x, places, window, stride, dilation, padding):
    """Yield each place (p, q, s) of a window, and what lies below it at all outputs."""
    span = [(w - 1) * d + 1 for w, d in zip(window, dilation)]
    wide = [(n - 1) * s + k for n, s, k in zip(places, stride, span)]
    sizes = x.shape[1:4]
    after = [max(0, w - p - n) for w, p, n in zip(wide, padding, sizes)]
    padded = np.pad(x, [(0, 0), *zip(padding, after), (0, 0)])
    for place in itertools.product(*map(range, window)):
        first = [i * d for i, d in zip(place, dilation)]
        cut = (
            slice(f, f + (n - 1) * s + 1, s) for f, n, s in zip(first, places, stride)
        )
        yield place, padded[(slice(None), *cut)]


def reference(x, W, b, dz, numbers):
    """Return y, dW and db, by NumPy."""
    y, dW = np.broadcast_to(b, dz.shape).copy(), np.empty_like(W)
    for place, seen in windows(x, dz.shape[1:4], W.shape[:3], *numbers):
        y += seen @ W[place]
        dW[place] = np.tensordot(seen, dz, ((0, 1, 2, 3),) * 2)
    return y, dW, dz.sum(axis=(0, 1, 2, 3))


def all_three(x, W, b, dz, numbers, kernels=None):
    """Return y, dW, db and dx, from outputs that were NaN before."""
    kernels = kernels or vars(ops)
    y, dW, db, dx = (np.full_like(a, np.nan) for a in (dz, W, b, x))
    none = np.zeros(x.shape[-1], x.dtype)
    kernels["convolution_forward"](y, x, W, b, *numbers)
    kernels["convolution_backward_weights"](dW, db, dz, x, *numbers)
    kernels["convolution_backward_input"](dx, dz, W, none, *numbers)
    return y, dW, db, dx


@devices
@dtypes
@given(geometry=geometries(), N=st.integers(1, 3), K=channels, F=channels)
def test_convolution_is_a_sum_over_shifted_images(device, dtype, geometry, N, K, F):
    """Any rank, stride, dilation, padding and size; every output is overwritten."""
    data, numbers = operands(geometry, N, K, F, dtype)
    y, dW, db, dx = all_three(*data, numbers, kernels_of(device))
    for found, expected in zip((y, dW, db), reference(*data, numbers)):
        np.testing.assert_allclose(found, expected, **LIKE[dtype])
    assert np.isfinite(dx).all()


@devices
@given(geometry=geometries(), N=st.integers(1, 3), K=channels, F=channels)
def test_the_way_back_is_the_adjoint(device, geometry, N, K, F):
    """<conv(x), dz> = <x, back(dz)> for every x and dz, that is what a gradient is."""
    (x, W, b, dz), numbers = operands(geometry, N, K, F, "float64")
    y, _, _, dx = all_three(x, W, np.zeros(F), dz, numbers, kernels_of(device))
    scale = np.abs(y * dz).sum() + 1
    assert abs((y * dz).sum() - (x * dx).sum()) <= 1e-13 * scale


@devices
def test_the_way_back_starts_from_a_bias(device):
    """A transposed convolution needs one; where nothing is painted it is all."""
    dx, b = np.full((1, 1, 1, 4, 2), np.nan), np.array([5.0, 7.0])
    dz, W = np.ones((1, 1, 1, 2, 1)), np.ones((1, 1, 1, 2, 1))
    back = kernels_of(device)["convolution_backward_input"]
    back(dx, dz, W, b, (1, 1, 2), (1, 1, 1), (0, 0, 0))
    assert dx[0, 0, 0].tolist() == [[6, 8], [5, 7], [6, 8], [5, 7]]


@devices
@dtypes
@given(geometry=geometries(), N=st.integers(1, 3), K=channels, M=st.integers(1, 2))
def test_depthwise_is_a_convolution_that_keeps_channels_apart(
    device, dtype, geometry, N, K, M
):
    """Its weights on the diagonal of a convolution's do the same, all three ways."""
    kernels = kernels_of(device)
    (x, W, b, dz), numbers = operands(geometry, N, K, K * M, dtype)
    apart = W[..., :M].copy()
    full = np.zeros_like(W)
    for k in range(K):
        full[..., k, k * M : (k + 1) * M] = apart[..., k, :]
    y, dW, db, dx = all_three(x, full, b, dz, numbers)
    found = [np.full_like(a, np.nan) for a in (y, apart, db, dx)]
    kernels["depthwise_forward"](found[0], x, apart, b, *numbers)
    kernels["depthwise_backward_weights"](*found[1:3], dz, x, *numbers)
    kernels["depthwise_backward_input"](found[3], dz, apart, *numbers)
    dW = np.stack([dW[..., k, k * M : (k + 1) * M] for k in range(K)], axis=-2)
    for one, other in zip(found, (y, dW, db, dx)):
        np.testing.assert_allclose(one, other, **LIKE[dtype])


@pytest.mark.skipif(
    SMALL or numba.config.NUMBA_NUM_THREADS < 2, reason="needs two compiled threads"
)
def test_depthwise_bits_do_not_depend_on_threads():
    """The sums of a group of lines belong to one turn, and are added in one order."""
    rng = np.random.default_rng(0)
    x, b = rng.normal(size=(4, 1, 40, 33, 19)).astype("float32"), np.zeros(19, "f")
    W = rng.normal(size=(1, 3, 3, 19, 1)).astype("float32")
    numbers, results = ((1, 1, 1), (1, 1, 1), (0, 1, 1)), []
    try:
        for threads in (1, 2):
            kerasnb.set_num_threads(threads)
            y, dW, db, dx = (np.full_like(a, np.nan) for a in (x, W, b, x))
            ops.depthwise_forward(y, x, W, b, *numbers)
            ops.depthwise_backward_weights(dW, db, y, x, *numbers)
            ops.depthwise_backward_input(dx, y, W, *numbers)
            results.append((y, dW, db, dx))
    finally:
        kerasnb.set_num_threads(numba.config.NUMBA_NUM_THREADS)
    for one, other in zip(*results):
        np.testing.assert_array_equal(one, other)


@devices
def test_the_gradient_of_a_bias_is_a_sum_over_rows(device):
    """Each filter's own."""
    dz = np.random.default_rng(0).normal(size=(50, 7))
    db = np.full(7, np.nan)
    kernels_of(device)["bias_backward"](db, dz)
    np.testing.assert_allclose(db, dz.sum(axis=0), rtol=1e-12)


GEOMETRIES = {  # sizes, places, window, stride, dilation, padding
    "unpadded": ((1, 9, 8), (1, 7, 6), (1, 3, 3), (1,) * 3, (1,) * 3, (0, 0, 0)),
    "padded": ((1, 9, 8), (1, 9, 8), (1, 3, 3), (1,) * 3, (1,) * 3, (0, 1, 1)),
    "strided": ((1, 9, 8), (1, 5, 4), (1, 3, 3), (1, 2, 2), (1,) * 3, (0, 1, 0)),
    "sequence": ((1, 1, 90), (1, 1, 90), (1, 1, 3), (1,) * 3, (1, 1, 2), (0, 0, 4)),
    "volume": ((4, 5, 6), (4, 5, 6), (2, 3, 2), (1,) * 3, (1,) * 3, (1, 1, 1)),
}


@pytest.mark.skipif(
    SMALL or numba.config.NUMBA_NUM_THREADS < 2, reason="needs two compiled threads"
)
@pytest.mark.parametrize("geometry", GEOMETRIES.values(), ids=list(GEOMETRIES))
def test_bits_do_not_depend_on_threads_or_on_the_form(geometry, monkeypatch):
    """Sums run in one order, whoever computes them."""
    data, numbers = operands(geometry, 5, 17, 18, "float32")
    results = []
    try:
        for threads, form in ((1, "serial"), (1, "parallel"), (2, "parallel")):
            force(form, monkeypatch)
            kerasnb.set_num_threads(threads)
            results.append(all_three(*data, numbers))
    finally:
        kerasnb.set_num_threads(numba.config.NUMBA_NUM_THREADS)
    for other in results[1:]:
        for a, b in zip(results[0], other):
            np.testing.assert_array_equal(a, b)


def force(form, monkeypatch):
    """Let any amount of work run in one form."""
    for kernel in (convolution_product, convolution_gradient):
        run = functools.partial(lambda kernel, *a: getattr(kernel, form)(*a), kernel)
        monkeypatch.setattr(convolution, kernel.__name__, run)


@pytest.mark.parametrize("geometry", GEOMETRIES.values(), ids=list(GEOMETRIES))
def test_small_bands_change_nothing(geometry, monkeypatch):
    """However a sample is cut, and however many samples a gradient takes together."""
    data, numbers = operands(geometry, 5, 3, 7, "float64")
    whole = all_three(*data, numbers)
    for limit in (1, 200):
        geometry_module.tables.cache_clear()
        monkeypatch.setattr(geometry_module, "BAND", limit)
        monkeypatch.setattr(convolution, "POSITIONS", limit)
        monkeypatch.setattr(convolution, "CHUNK", limit)
        for a, b in zip(whole, all_three(*data, numbers)):
            np.testing.assert_allclose(a, b, **LIKE["float64"])
    geometry_module.tables.cache_clear()


@devices
@pytest.mark.parametrize("geometry", GEOMETRIES.values(), ids=list(GEOMETRIES))
def test_nan_stays_in_its_sample_and_window(device, geometry):
    """Neither padding nor neighbours in a tile carry it anywhere else."""
    (x, W, b, dz), numbers = operands(geometry, 3, 4, 5, "float64")
    x[1, 0, 0, 0, 2] = np.nan
    y, dW, db, _ = all_three(x, W, b, dz, numbers, kernels_of(device))
    touched = np.zeros(y.shape, bool)
    for _, seen in windows(x, dz.shape[1:4], W.shape[:3], *numbers):
        touched |= np.isnan(seen).any(axis=-1, keepdims=True)
    np.testing.assert_array_equal(np.isnan(y), touched)
    assert np.isfinite(np.delete(dW, 2, axis=3)).all() and np.isnan(dW[..., 2, :]).any()
    assert np.isfinite(db).all()


@pytest.mark.skipif(SMALL, reason="registers are arrays then")
def test_no_array_is_made_after_the_first_call():
    """The scratch for bands, panels and sums is used again."""
    data, numbers = operands(GEOMETRIES["padded"], 4, 17, 18, "float32")
    outputs = all_three(*data, numbers)
    x, W, b, dz = data
    y, dW, db, dx = outputs
    calls = (
        (ops.convolution_forward, y, x, W, b, *numbers),
        (ops.convolution_backward_weights, dW, db, dz, x, *numbers),
        (ops.convolution_backward_input, dx, dz, W, np.zeros(17, "f"), *numbers),
    )
    launches = [function.resolve(*arguments) for function, *arguments in calls]
    tracemalloc.start()
    for function, arguments in launches:
        function(*arguments)
    before = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    for function, arguments in launches * 3:
        function(*arguments)
    for function, *arguments in calls:
        function(*arguments)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak - before < 4000
