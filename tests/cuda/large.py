"""
Arguments of real size, for who only wants to see the code: arrays without numbers.

`LARGE[name]` lists arguments for a kernel that takes a faster form for large arrays;
together they meet every tile of `product.py`, with lines of fours and without.
"""

import numpy as np


class Shape:
    """An array that is nothing but its shape and type."""

    def __init__(self, shape, dtype="float32"):
        self.layout = np.empty(shape, dtype)
        self.shape, self.dtype = self.layout.shape, self.layout.dtype
        self.size, self.ndim = self.layout.size, self.layout.ndim

    def reshape(self, *shape):
        return Shape(self.layout.reshape(*shape).shape, self.dtype)

    def __getitem__(self, index):
        return Shape(self.layout[index].shape, self.dtype)

    def __setitem__(self, index, value):
        """There is nothing to fill."""

    def __len__(self):
        return len(self.layout)


def dense(*sizes):
    """Yield the arguments of the kernels of Dense, for several N, I, O."""
    for N, I, O in sizes:
        yield [Shape(shape) for shape in ((N, O), (N, I), (I, O), O)]


def convolutions():
    """Yield y, x, W, b, the bias of a transposed convolution, and the geometry."""
    ones, none = (1, 1, 1), (0, 0, 0)
    for N, size, K, F, window, stride in (
        (128, 28, 1, 32, 3, 1),
        (128, 26, 32, 64, 3, 1),
        (64, 32, 128, 128, 3, 1),
        (64, 33, 30, 130, 3, 2),
        (8, 9, 3, 5, 3, 2),
    ):
        places = (size - window) // stride + 1
        shapes = (N, 1, places, places, F), (N, 1, size, size, K)
        weights = (1, window, window, K, F), (F,), (K,)
        steps = (1, stride, stride), ones, none
        yield *map(Shape, (*shapes, *weights)), steps


DENSE = list(
    dense(
        (4096, 4096, 4096),
        (4095, 4095, 4095),
        (1024, 1024, 1024),
        (1023, 1023, 1023),
        (128, 784, 512),
        (128, 512, 10),
        (127, 129, 65),
        (512, 512, 512),
    )
)
CONVOLUTIONS = list(convolutions())

LARGE = {
    "dense_forward": DENSE,
    "dense_relu_forward": DENSE,
    "dense_backward_weights": [(W, b, y, x) for y, x, W, b in DENSE],
    "dense_backward_input": [(x, y, W) for y, x, W, b in DENSE],
    "convolution_forward": [
        (y, x, W, b, *steps) for y, x, W, b, _, steps in CONVOLUTIONS
    ],
    "convolution_backward_weights": [
        (W, b, y, x, *steps) for y, x, W, b, _, steps in CONVOLUTIONS
    ],
    "convolution_backward_input": [
        (x, y, W, b, *steps) for y, x, W, _, b, steps in CONVOLUTIONS
    ],
}
