"""
The fast products and convolutions, beside the plain definitions.

In the simulator the same source makes blocks of few threads, so that tails, several
blocks and parts of the depth are met, and in one test the blocks of the real launches.
"""

import numpy as np
import pytest

from kerasnb import device
from kerasnb.kernels.cuda import implicit, product, target, tile, vectors
from kerasnb.kernels.cuda.array import to_device
from kerasnb.kernels.cuda.tile import Tile

PLAIN = device.kernels_of("plain")
TINY = {  # the threads of a block, and what they own, in the ways of the real ones
    "squares of four": Tile(4, 4, 2, 4, 1, 1, 4, 4),
    "groups of squares": Tile(8, 4, 4, 4, 1, 2, 4, 4),
    "tall": Tile(8, 4, 4, 4, 1, 1, 4, 4),
    "squares of two": Tile(4, 4, 4, 4, 1, 1, 2, 8),
}
REAL = [made for made, _ in product.TILES]
TOLERANCE = {"float32": 2e-5, "float64": 1e-12}


def close(found, expected):
    tolerance = TOLERANCE[str(expected.dtype)] * max(1, np.abs(expected).max())
    np.testing.assert_allclose(found.copy(), expected, 0, tolerance)


def aligned(function, count):
    """Return an access to neighbours that checks where they begin."""

    def access(x, i, *numbers):
        assert i >= 0 and i % count == 0, f"{count} numbers from {i} on"
        return function(x, i, *numbers)

    return access


@pytest.fixture
def choose(monkeypatch):
    """Return a function that fixes the tile, and how often the depth is split."""
    if target.is_simulated():
        for name, count in ("two", 2), ("four", 4), ("put_four", 4):
            checked = aligned(getattr(vectors, name), count)
            for module in product, implicit, tile:
                monkeypatch.setattr(module, name, checked, raising=False)

    def fix(made, parts=1):
        monkeypatch.setattr(product, "plan", lambda *sizes: (made, parts))

    return fix


def products(N, I, O, dtype="float32"):
    """Compare the three products of a Dense layer, forward also with relu."""
    rng = np.random.default_rng(0)
    shapes = (N, I), (I, O), (O,), (N, O)
    x, W, b, dz = (rng.normal(size=shape).astype(dtype) for shape in shapes)
    there = [to_device(a) for a in (x, W, b, dz)]
    y, dW, dx, db = (np.empty_like(a) for a in (dz, W, x, b))
    for name, relu in ("dense_forward", False), ("dense_relu_forward", True):
        found = to_device(y)
        product.product_forward(found, *there[:3], relu)
        PLAIN[name](y, x, W, b)
        close(found, y)
    found = to_device(dW)
    product.product_backward_weights(found, there[3], there[0])
    PLAIN["dense_backward_weights"](dW, db, dz, x)
    close(found, dW)
    found = to_device(dx)
    product.product_backward_input(found, there[3], there[1])
    PLAIN["dense_backward_input"](dx, dz, W)
    close(found, dx)


@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize("N, I, O", [(1, 1, 1), (13, 17, 11), (20, 12, 8)])
def test_products_agree_with_plain(choose, N, I, O, parts):
    """With tails, and with lines of four numbers; the depth whole, and in parts."""
    choose(TINY["squares of four"], parts)
    products(N, I, O)


@pytest.mark.parametrize("name", ["groups of squares", "tall", "squares of two"])
@pytest.mark.parametrize("N, I, O", [(3, 9, 5), (4, 12, 8)])
def test_other_tiles_agree_with_plain(choose, name, N, I, O):
    """Threads that own several squares, or smaller ones."""
    choose(TINY[name], 2)
    products(N, I, O)


def test_products_of_doubles_agree_with_plain(choose):
    """The same source in float64."""
    choose(TINY["squares of four"], 2)
    products(5, 12, 8, "float64")


@pytest.mark.parametrize("made", REAL)
def test_real_blocks_agree_with_plain(choose, made):
    """A block of the real launches, 256 threads, on one small product."""
    choose(made)
    rng = np.random.default_rng(0)
    x, W, b = (rng.normal(size=s).astype("float32") for s in ((5, 20), (20, 12), 12))
    y = np.empty((5, 12), "float32")
    found = to_device(y)
    product.product_forward(found, *map(to_device, (x, W, b)), False)
    PLAIN["dense_forward"](y, x, W, b)
    close(found, y)


ONES = 1, 1, 1
GEOMETRIES = {  # N, image, K, F, window, stride, dilation, padding, places
    "one": (1, ONES, 1, 1, ONES, ONES, ONES, (0, 0, 0), ONES),
    "strided": (2, (1, 4, 3), 3, 2, (1, 3, 2), (1, 2, 1), ONES, (0, 1, 0), (1, 2, 2)),
    "3D": (1, (2, 3, 3), 1, 3, (2, 2, 1), (2, 1, 2), (1, 2, 1), (1, 1, 0), (2, 3, 2)),
    "fours": (1, (1, 4, 3), 4, 8, (1, 2, 3), ONES, ONES, (0, 0, 1), (1, 3, 3)),
    "both": (1, (1, 4, 5), 8, 4, (1, 3, 2), (1, 2, 2), ONES, (0, 1, 0), (1, 2, 2)),
    "gaps": (1, (1, 5, 4), 2, 3, (1, 2, 1), (1, 2, 2), (1, 2, 3), (0, 0, 0), (1, 2, 2)),
    "far": (1, (1, 1, 7), 1, 2, (1, 1, 3), (1, 1, 4), (1, 1, 2), (0, 0, 2), (1, 1, 2)),
}


@pytest.mark.parametrize("name", GEOMETRIES)
@pytest.mark.parametrize("parts", [1, 2])
def test_convolutions_agree_with_plain(choose, name, parts):
    """Forward and both gradients, for whatever stride, dilation and padding."""
    choose(TINY["squares of four"], parts)
    N, image, K, F, window, *steps, places = GEOMETRIES[name]
    rng = np.random.default_rng(0)
    shapes = (N, *image, K), (N, *places, F), (*window, K, F), (F,), (K,)
    x, dz, W, b, b_of_x = (rng.normal(size=s).astype("float32") for s in shapes)
    y, dW, dx, db = (np.empty_like(a) for a in (dz, W, x, b))
    found = to_device(y)
    implicit.implicit_forward(found, *map(to_device, (x, W, b)), *steps)
    PLAIN["convolution_forward"](y, x, W, b, *steps)
    close(found, y)
    found = to_device(dW)
    implicit.implicit_backward_weights(found, *map(to_device, (dz, x)), *steps)
    PLAIN["convolution_backward_weights"](dW, db, dz, x, *steps)
    close(found, dW)
    found = to_device(dx)
    implicit.implicit_backward_input(found, *map(to_device, (dz, W, b_of_x)), *steps)
    PLAIN["convolution_backward_input"](dx, dz, W, b_of_x, *steps)
    close(found, dx)


def test_arrays_that_begin_anywhere_are_read_one_by_one(choose):
    """A view that starts between multiples of 16 bytes gives the same numbers."""
    choose(TINY["squares of four"])
    rng = np.random.default_rng(0)
    x, W, b = (rng.normal(size=s).astype("float32") for s in ((5, 4), (4, 8), 8))
    y = np.zeros((5, 8), "float32")
    views = []
    for a in x, W, b, y:
        behind_one = np.concatenate([[np.float32(0)], a.ravel()])
        views.append(to_device(behind_one)[1:].reshape(a.shape))
    product.product_forward(views[3], *views[:3], False)
    PLAIN["dense_forward"](y, x, W, b)
    close(views[3], y)


def test_large_launches_take_the_fast_form(monkeypatch):
    """By the number of multiply-adds, for Dense and for convolution."""
    taken = []
    for module, name in (
        (product, "product_forward"),
        (product, "product_backward_weights"),
        (product, "product_backward_input"),
        (implicit, "implicit_forward"),
        (implicit, "implicit_backward_weights"),
        (implicit, "implicit_backward_input"),
    ):
        monkeypatch.setattr(module, name, lambda *a, name=name: taken.append(name))
    ops = device.kernels_of("cuda")
    x, y, W, b, B = (
        to_device(np.zeros(s, "float32"))
        for s in ((64, 16), (64, 32), (16, 32), 32, 16)
    )
    ops["dense_forward"](y, x, W, b)
    ops["dense_backward_weights"](W, b, y, x)
    ops["dense_backward_input"](x, y, W)
    images = [a.reshape(8, 1, 8, 1, -1) for a in (x, y)]
    W = W.reshape(1, 1, 1, 16, 32)
    steps = (1, 1, 1), (1, 1, 1), (0, 0, 0)
    ops["convolution_forward"](images[1], images[0], W, b, *steps)
    ops["convolution_backward_weights"](W, b, images[1], images[0], *steps)
    ops["convolution_backward_input"](*images, W, B, *steps)
    assert taken == [
        f"{kind}_{name}"
        for kind in ("product", "implicit")
        for name in ("forward", "backward_weights", "backward_input")
    ]


def test_plans_use_the_whole_device():
    """Few outputs of a long depth are split; many are not, and take the large tile."""
    assert product.plan(4096, 4096, 4096, 4) == (REAL[0], 1)
    made, parts = product.plan(128, 10, 512, 4)
    assert made == REAL[-1] and parts > 1
    made, parts = product.plan(288, 64, 128 * 24 * 24, 4)
    assert -(-288 // made.height) * -(-64 // made.breadth) * parts >= 100
    assert product.plan(4096, 4096, 4096, 8)[0] != REAL[0]


SIMULATED = target.is_simulated()
SIZES = (
    [(9, 40, 12)] if SIMULATED else [(2048, 2048, 2048), (128, 784, 512), (513, 9, 7)]
)
IMAGES = [(1, 5, 4, 8)] if SIMULATED else [(128, 28, 1, 32), (128, 26, 32, 64)]


def both_times(launch, shape):
    """Return what a launch makes, once it made the same bits twice."""
    found = [to_device(np.full(shape, k, "float32")) for k in (0, 1)]
    for y in found:
        launch(y)
    np.testing.assert_array_equal(found[0].copy(), found[1].copy())
    return found[0].copy()


def near(found, exact, terms):
    """Compare with sums in float64, by the sums of what was added up."""
    assert (np.abs(found - exact) <= 2e-6 * terms + 1e-6).all()


@pytest.mark.parametrize("N, I, O", SIZES)
def test_dense_of_real_size_is_exact_and_repeats_its_bits(choose, N, I, O):
    """On a GPU the sizes of real layers; in the simulator small ones."""
    if SIMULATED:
        choose(TINY["squares of four"])
    rng = np.random.default_rng(0)
    x, W, b, dz = (
        rng.normal(size=s).astype("float32") for s in ((N, I), (I, O), O, (N, O))
    )
    there = [to_device(a) for a in (x, W, b, dz)]
    y = both_times(lambda y: product.product_forward(y, *there[:3], False), (N, O))
    x, W, b, dz = (a.astype("float64") for a in (x, W, b, dz))
    near(y, x @ W + b, abs(x) @ abs(W))
    dW = both_times(
        lambda dW: product.product_backward_weights(dW, there[3], there[0]), (I, O)
    )
    near(dW, x.T @ dz, abs(x).T @ abs(dz))
    dx = both_times(
        lambda dx: product.product_backward_input(dx, there[3], there[1]), (N, I)
    )
    near(dx, dz @ W.T, abs(dz) @ abs(W).T)


@pytest.mark.parametrize("N, size, K, F", IMAGES)
def test_convolution_of_real_size_is_exact_and_repeats_its_bits(choose, N, size, K, F):
    """The three products of a 3 x 3 convolution, as in a network for small images."""
    if SIMULATED:
        choose(TINY["squares of four"])
    rng = np.random.default_rng(0)
    places, steps = size - 2, (ONES, ONES, (0, 0, 0))
    shapes = (N, 1, size, size, K), (1, 3, 3, K, F), (N, 1, places, places, F)
    x, W, dz = (rng.normal(size=s).astype("float32") for s in shapes)
    none = [np.zeros(count, "float32") for count in (F, K)]
    X, V, Z, B, C = map(to_device, (x, W, dz, *none))
    windows = np.lib.stride_tricks.sliding_window_view(x[:, 0], (3, 3), (1, 2))
    rows = np.moveaxis(windows, 3, -1).reshape(-1, 9 * K).astype("float64")
    W, dz = (a.reshape(-1, F).astype("float64") for a in (W, dz))
    y = both_times(lambda y: implicit.implicit_forward(y, X, V, B, *steps), Z.shape)
    near(y.reshape(-1, F), rows @ W, abs(rows) @ abs(W))
    dW = both_times(
        lambda dW: implicit.implicit_backward_weights(dW, Z, X, *steps), V.shape
    )
    near(dW.reshape(-1, F), rows.T @ dz, abs(rows).T @ abs(dz))
    dx = both_times(
        lambda dx: implicit.implicit_backward_input(dx, Z, V, C, *steps), X.shape
    )
    exact, terms = (np.zeros((N, size, size, K)) for _ in range(2))
    for part, of in (exact, lambda a: a), (terms, abs):
        spread = (of(dz) @ of(W).T).reshape(N, places, places, 3, 3, K)
        for q in range(3):
            for s in range(3):
                part[:, q : q + places, s : s + places] += spread[:, :, :, q, s]
    near(dx[:, 0], exact, terms)
