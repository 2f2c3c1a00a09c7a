"""Arguments for the kernels of the activations."""

import numpy as np
from cases import case

from kerasnb import device

NUMBERS = {"elu": [(0.7,)], "bent_relu": [(0.0, np.inf, 0.0), (0.1, 0.8, -0.4)]}
ELEMENTWISE = (
    "linear relu bent_relu elu selu softplus softsign tanh sigmoid hard_sigmoid "
    "exponential"
).split()


def inputs(rng, dtype):
    """Yield z of several shapes, then limits and NaN."""
    for shape in (1,), (3, 5):
        yield (2 * rng.normal(size=shape)).astype(dtype)
    yield np.array([0.0, np.inf, -np.inf, np.nan], dtype)


def register(name):
    """Register both kernels of an activation."""

    @case(f"{name}_forward")
    def forward(rng, dtype):
        for numbers in NUMBERS.get(name, [()]):
            for z in inputs(rng, dtype):
                yield np.ones_like(z), z, *numbers

    @case(f"{name}_backward")
    def backward(rng, dtype):
        for numbers in NUMBERS.get(name, [()]):
            for z in inputs(rng, dtype):
                y = np.empty_like(z)
                device.kernels_of("plain")[f"{name}_forward"](y, z, *numbers)
                dy = rng.normal(size=z.shape).astype(dtype)
                yield np.ones_like(z), dy, z, y, *numbers


for name in ELEMENTWISE:
    register(name)


def matrices(rng, dtype):
    """Yield rows shorter and longer than a block of threads."""
    for shape in (1, 1), (3, 2), (2, 37):
        yield rng.normal(size=(3, *shape)).astype(dtype)


@case("softmax_forward")
def softmax_forward(rng, dtype):
    for y, z, _ in matrices(rng, dtype):
        yield y, 100 * z
    rows = [[1, np.nan, 2], [np.nan, 1, 2], [-np.inf, 1, 2]]
    yield np.ones((3, 3), dtype), np.array(rows, dtype)


@case("softmax_backward")
def softmax_backward(rng, dtype):
    for dz, dy, y in matrices(rng, dtype):
        yield dz, dy, abs(y)


AROUND_AXIS = [(1, 1, 1), (3, 5, 2), (1, 2, 7)]


@case("softmax_axis_forward")
def softmax_axis_forward(rng, dtype):
    for shape in AROUND_AXIS:
        y, z = rng.normal(size=(2, *shape)).astype(dtype)
        yield y, 100 * z
    yield np.ones((1, 3, 1), dtype), np.array([[[1], [np.nan], [2]]], dtype)


@case("softmax_axis_backward")
def softmax_axis_backward(rng, dtype):
    for shape in AROUND_AXIS:
        dz, dy, y = rng.normal(size=(3, *shape)).astype(dtype)
        yield dz, dy, abs(y)
