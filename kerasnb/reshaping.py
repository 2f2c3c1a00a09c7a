"""
Layers that move numbers and change none: Flatten, Reshape, Permute, RepeatVector.

Reshape and Flatten only look at the same memory in another shape; the others copy,
through `kernels/plain/reshaping.py`. Read next: `layer.py` for the contract they keep.
"""

from __future__ import annotations

import math

import numpy as np

from . import device
from .device import ops
from .layer import Layer, show_shape
from .utils import positive_integer


class Flatten(Layer):
    """
    Lay out each sample as one row.

    forward     (N, R, C, K) -> (N, R C K), the last axis fastest

    Parameters
    ----------
    data_format : str, optional
        With 'channels_first' the channels are moved last before flattening.

    Examples
    --------
    >>> Flatten()([[[1.0, 2.0], [3.0, 4.0]]])
    array([[1., 2., 3., 4.]], dtype=float32)
    """

    only_launches = hands_on = True
    operations_per_number = 0

    def __init__(self, data_format=None, **kwargs):
        super().__init__(**kwargs)
        if data_format not in (None, "channels_last", "channels_first"):
            raise ValueError(
                f"{self.name}: data_format must be 'channels_last' or "
                f"'channels_first', got {data_format!r}."
            )
        self.data_format = data_format or "channels_last"

    def build(self, input_shape):
        """Make the permutation that moves the channels last, if asked for."""
        self.columns = None
        if self.data_format == "channels_first":
            dims = (*range(2, len(input_shape)), 1)
            self.columns = _column_permutation(input_shape[1:], dims)

    def compute_output_shape(self, input_shape):
        """Multiply all axes but the batch."""
        self.expect_rank(input_shape, 3, at_least=True)
        if None in input_shape[1:]:
            raise ValueError(
                f"{self.name}: every axis but the batch must be known to flatten, got "
                f"{show_shape(input_shape)}. Give the first layer a full input_shape."
            )
        return (input_shape[0], math.prod(input_shape[1:]))

    def forward(self, x, training):
        """Return one row per sample."""
        self.x_shape = x.shape
        x = x.reshape(len(x), -1)
        if self.columns is None:
            return x
        y = self.buffer("y", x.shape)
        ops.take_columns(y, x, self.columns[0])
        return y

    def backward(self, dy):
        """Return the gradient in the shape of the input."""
        if self.columns is not None:
            dx = self.buffer("dx", dy.shape)
            ops.take_columns(dx, dy, self.columns[1])
            dy = dx
        return dy.reshape(self.x_shape)

    def get_config(self):
        """Return the constructor's arguments as plain values."""
        return {**super().get_config(), "data_format": self.data_format}


class Reshape(Layer):
    """
    Give each sample another shape, keeping the order of its numbers.

    forward     y = x in another shape, the numbers in the same order

    Parameters
    ----------
    target_shape : tuple
        Shape of a sample without the batch axis; one entry may be -1 and is inferred.

    Examples
    --------
    >>> Reshape((2, -1))([[1.0, 2.0, 3.0, 4.0]]).shape
    (1, 2, 2)
    """

    only_launches = hands_on = True
    operations_per_number = 0

    def __init__(self, target_shape, **kwargs):
        super().__init__(**kwargs)
        self.target_shape = tuple(int(axis) for axis in target_shape)
        if self.target_shape.count(-1) > 1 or any(
            axis < 1 and axis != -1 for axis in self.target_shape
        ):
            raise ValueError(
                f"{self.name}: target_shape must be positive sizes and at most one -1, "
                f"got {self.target_shape}."
            )

    def compute_output_shape(self, input_shape):
        """Fill in the -1 and check that the sizes agree."""
        if None in input_shape[1:]:
            return (
                input_shape[0],
                *(None if axis == -1 else axis for axis in self.target_shape),
            )
        size = math.prod(input_shape[1:])
        known = math.prod(axis for axis in self.target_shape if axis != -1)
        fits = size % known == 0 if -1 in self.target_shape else size == known
        if not fits:
            raise ValueError(
                f"{self.name}: cannot reshape a sample of shape {input_shape[1:]} "
                f"({size} numbers) to {self.target_shape}."
            )
        shape = (size // known if axis == -1 else axis for axis in self.target_shape)
        return (input_shape[0], *shape)

    def forward(self, x, training):
        """Return the same numbers in the target shape."""
        self.x_shape = x.shape
        return x.reshape(len(x), *self.target_shape)

    def backward(self, dy):
        """Return the gradient in the shape of the input."""
        return dy.reshape(self.x_shape)

    def get_config(self):
        """Return the constructor's arguments as plain values."""
        return {**super().get_config(), "target_shape": list(self.target_shape)}


class Permute(Layer):
    """
    Reorder the axes of each sample.

    forward     y = x with axis dims[k] of a sample in place k

    Parameters
    ----------
    dims : tuple
        Order of the axes, counted from 1: (2, 1) swaps the two axes of a sample.

    Examples
    --------
    >>> Permute((2, 1))(np.zeros((5, 3, 4))).shape
    (5, 4, 3)
    """

    only_launches = True
    operations_per_number = 0

    def __init__(self, dims, **kwargs):
        super().__init__(**kwargs)
        self.dims = tuple(int(axis) for axis in dims)
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise ValueError(
                f"{self.name}: dims must hold each of 1 to {len(self.dims)} once, got "
                f"{self.dims}. The batch axis is not counted."
            )

    def compute_output_shape(self, input_shape):
        """Reorder the axes."""
        self.expect_rank(input_shape, len(self.dims) + 1)
        return (input_shape[0], *(input_shape[axis] for axis in self.dims))

    def forward(self, x, training):
        """Return the sample's numbers in the new order."""
        if self.x_shape_of_columns != x.shape[1:]:
            self.x_shape_of_columns = x.shape[1:]
            self.columns = _column_permutation(x.shape[1:], self.dims)
        self.x_shape = x.shape
        y = self.buffer("y", self.compute_output_shape(x.shape))
        ops.take_columns(y.reshape(len(x), -1), x.reshape(len(x), -1), self.columns[0])
        return y

    x_shape_of_columns = None

    def backward(self, dy):
        """Return the gradient in the input's order."""
        dx = self.buffer("dx", self.x_shape)
        ops.take_columns(
            dx.reshape(len(dy), -1), dy.reshape(len(dy), -1), self.columns[1]
        )
        return dx

    def get_config(self):
        """Return the constructor's arguments as plain values."""
        return {**super().get_config(), "dims": list(self.dims)}


class RepeatVector(Layer):
    """
    Say the same vector n times, as a sequence.

    forward     y[n, t, d] = x[n, d],              (N, D) -> (N, T, D)
    backward    dx[n, d] = sum over t of dy[n, t, d]

    Parameters
    ----------
    n : int
        Number of repetitions, T.

    Examples
    --------
    >>> RepeatVector(2)([[1.0, 2.0]])
    array([[[1., 2.],
            [1., 2.]]], dtype=float32)
    """

    only_launches = True
    operations_per_number = 0

    def __init__(self, n, **kwargs):
        super().__init__(**kwargs)
        self.n = positive_integer(n, f"{self.name}: n")

    def compute_output_shape(self, input_shape):
        """Insert the new axis."""
        self.expect_rank(input_shape, 2)
        return (input_shape[0], self.n, input_shape[1])

    def forward(self, x, training):
        """Return each row n times."""
        y = self.buffer("y", (x.shape[0], self.n, x.shape[1]))
        ops.repeat_forward(y, x)
        return y

    def backward(self, dy):
        """Return the sum over the repetitions."""
        dx = self.buffer("dx", (dy.shape[0], dy.shape[2]))
        ops.repeat_backward(dx, dy)
        return dx

    def get_config(self):
        """Return the constructor's arguments as plain values."""
        return {**super().get_config(), "n": self.n}


def _column_permutation(shape, dims):
    """Return where each number of a permuted sample comes from, and the inverse."""
    places = np.arange(math.prod(shape)).reshape(shape)
    places = places.transpose([axis - 1 for axis in dims]).reshape(-1)
    places = np.ascontiguousarray(places)
    return device.here(places), device.here(np.argsort(places))
