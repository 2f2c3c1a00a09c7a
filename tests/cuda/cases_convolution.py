"""Arguments for the kernels of convolution, depthwise and locally connected layers."""

from cases import case

GEOMETRIES = [  # N, image, K, F, window, stride, dilation, padding -> places
    (1, (1, 1, 1), 1, 1, (1, 1, 1), (1, 1, 1), (1, 1, 1), (0, 0, 0), (1, 1, 1)),
    (2, (1, 5, 4), 3, 2, (1, 3, 2), (1, 2, 1), (1, 1, 1), (0, 1, 0), (1, 3, 3)),
    (1, (3, 4, 5), 1, 3, (2, 2, 3), (2, 1, 3), (1, 3, 2), (1, 2, 2), (2, 5, 2)),
]


def geometries(rng, dtype):
    """Yield x, z, windows for full and for depthwise use, F numbers, the geometry."""
    for N, image, K, F, window, *steps, places in GEOMETRIES:
        shapes = (N, *image, K), (N, *places, F), (*window, K, F), F
        depthwise = (N, *places, K * F), K * F
        full = [rng.normal(size=shape).astype(dtype) for shape in shapes]
        yield full, [rng.normal(size=s).astype(dtype) for s in depthwise], steps


@case("convolution_forward")
def convolution_forward(rng, dtype):
    for (x, y, W, b), _, steps in geometries(rng, dtype):
        yield y, x, W, b, *steps


@case("convolution_backward_weights")
def convolution_backward_weights(rng, dtype):
    for (x, dz, dW, db), _, steps in geometries(rng, dtype):
        yield dW, db, dz, x, *steps


@case("convolution_backward_input")
def convolution_backward_input(rng, dtype):
    for (dx, dz, W, _), _, steps in geometries(rng, dtype):
        b = rng.normal(size=W.shape[3]).astype(dtype)
        yield dx, dz, W, b, *steps


@case("bias_backward")
def bias_backward(rng, dtype):
    for M, F in (1, 1), (11, 3):
        yield [rng.normal(size=shape).astype(dtype) for shape in (F, (M, F))]


@case("depthwise_forward")
def depthwise_forward(rng, dtype):
    for (x, _, W, _), (y, b), steps in geometries(rng, dtype):
        yield y, x, W, b, *steps


@case("depthwise_backward_weights")
def depthwise_backward_weights(rng, dtype):
    for (x, _, dW, _), (dz, db), steps in geometries(rng, dtype):
        yield dW, db, dz, x, *steps


@case("depthwise_backward_input")
def depthwise_backward_input(rng, dtype):
    for (dx, _, W, _), (dz, _), steps in geometries(rng, dtype):
        yield dx, dz, W, *steps


def windows(rng, dtype):
    """Yield x, y, W, b of locally connected layers, and their geometry."""
    for N, U, V, down, right, P, Q, K, F, channels_first in (
        (1, 1, 1, 1, 1, 1, 1, 1, 1, False),
        (2, 3, 2, 2, 1, 2, 3, 3, 2, False),
        (2, 2, 3, 1, 2, 3, 2, 2, 3, True),
    ):
        R, C = (P - 1) * down + U, (Q - 1) * right + V + 1
        shapes = (N, R, C, K), (N, P, Q, F), (P, Q, U * V * K, F), (P, Q, F)
        arrays = [rng.normal(size=shape).astype(dtype) for shape in shapes]
        yield arrays, (U, V, down, right, channels_first)


@case("local_forward")
def local_forward(rng, dtype):
    for (x, y, W, b), geometry in windows(rng, dtype):
        yield y, x, W, b, *geometry


@case("local_backward_weights")
def local_backward_weights(rng, dtype):
    for (x, dy, dW, db), geometry in windows(rng, dtype):
        yield dW, db, dy, x, *geometry


@case("local_backward_input")
def local_backward_input(rng, dtype):
    for (dx, dy, W, _), geometry in windows(rng, dtype):
        yield dx, dy, W, *geometry
