"""
Locally connected layers: like a convolution, but every place has weights of its own.

They suit images in which the same place always shows the same thing, such as aligned
faces, and show what a convolution saves by sharing its weights. Read next:
`kernels/plain/local.py` for the loops, `convolution.py` for shared weights.
"""

from __future__ import annotations

import math

import numpy as np

from . import activations, constraints, initializers, regularizers
from .device import ops
from .layer import Weight, count_numbers, show_shape
from .spatial import Spatial, per_axis
from .utils import positive_integer


class LocallyConnected(Spatial):
    """
    Base class of both layers: here with the letters of two axes.

    forward     z[n, p, q] = b[p, q] + window[n, p, q] W[p, q],  y = activation(z)
    backward    dz = activation'(z) dy,  db[p, q] = sum over n of dz[n, p, q],
                dW[p, q] = sum over n of window[n, p, q]T dz[n, p, q],
                dx = the sum, over the windows that hold x, of dz[n, p, q] W[p, q]T

    A window is the row of all numbers under it. Shapes: W (P Q, U V K, F), b (P, Q, F).
    """

    def __init__(
        self,
        filters,
        kernel_size,
        strides=1,
        padding="valid",
        data_format=None,
        activation=None,
        use_bias=True,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        kernel_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        kernel_constraint=None,
        bias_constraint=None,
        **kwargs,
    ):
        super().__init__(data_format, **kwargs)
        self.filters = positive_integer(filters, f"{self.name}: filters")
        self.kernel_size = self._per_axis(kernel_size, "kernel_size")
        self.strides = self._per_axis(strides, "strides")
        if padding != "valid":
            raise ValueError(
                f"{self.name}: {type(self).__name__} knows padding='valid' only, got "
                f"{padding!r}. A ZeroPadding{self.rank}D layer before it adds a border."
            )
        self.padding = padding
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)

    def _per_axis(self, value, what):
        return per_axis(value, self.rank, f"{self.name}: {what}")

    def build(self, input_shape):
        """Make W (places, numbers in a window, F) and b (places..., F)."""
        _, *places, _ = self.last(self.compute_output_shape(input_shape))
        numbers = math.prod(self.kernel_size) * self.known_channels(input_shape)
        self.W = self.add_weight(
            "kernel",
            (math.prod(places), numbers, self.filters),
            self.kernel_initializer,
            self.kernel_regularizer,
            self.kernel_constraint,
        )
        self.places_made, shape = places, (*places, self.filters)
        self.b = Weight(np.zeros(shape, self.dtype), "no bias", trainable=False)
        if self.use_bias:
            self.b = self.add_weight(
                "bias",
                shape,
                self.bias_initializer,
                self.bias_regularizer,
                self.bias_constraint,
            )

    def compute_output_shape(self, input_shape):
        """Count the places of the window; the filters are the new channels."""
        self.known_channels(input_shape)
        N, *sizes, _ = self.last(input_shape)
        if None in sizes:
            raise ValueError(
                f"{self.name}: every axis but the batch must be known, as each place "
                f"has weights of its own, got {show_shape(input_shape)}. Give the "
                "first layer a full input_shape."
            )
        if self.built and input_shape[1:] != self.input_shape[1:]:
            raise ValueError(
                f"{self.name}: expected input of shape "
                f"{show_shape((None, *self.input_shape[1:]))}, got "
                f"{show_shape(input_shape)}. The layer was built for the former, with "
                "weights for each of its places."
            )
        places = self.places(sizes, self.kernel_size, self.strides, "valid")
        return self.given((N, *places, self.filters))

    def forward(self, x, training):
        """Return activation(z)."""
        shape = self.last(self.compute_output_shape(x.shape))
        self.x = self.enter(x)
        z = self.buffer("z", self.five(shape))
        b = self.b.value.reshape(self._as_image(z).shape[1:])
        W = self._per_place(self.W.value)
        ops.local_forward(
            self._as_image(z), self._as_image(self.x), W, b, *self._geometry()
        )
        self.y = self.z = self.leave(z)
        if not self.activation.is_linear:
            self.y = self.buffer("y", self.z.shape)
            self.activation.forward(self.y, self.z)
        return self.y

    def backward(self, dy):
        """Fill dW and db, return dx."""
        dz = dy
        if not self.activation.is_linear:
            dz = self.over(dy, "dz")
            self.activation.backward(dz, dy, self.z, self.y)
        dz = self._as_image(self.enter(dz, "dz"))
        if self.W.grad is not None:
            db = self.buffer("db", self.b.shape) if self.b.grad is None else self.b.grad
            dW, db = self._per_place(self.W.grad), db.reshape(dz.shape[1:])
            x = self._as_image(self.x)
            ops.local_backward_weights(dW, db, dz, x, *self._geometry())
        if not self.needs_dx:
            return None
        dx = self.buffer("dx", self.x.shape)
        W = self._per_place(self.W.value)
        ops.local_backward_input(self._as_image(dx), dz, W, *self._geometry())
        return self.leave(dx, "dx")

    def multiply_adds(self, input_shape):
        """Return what a window holds for each number that comes out."""
        numbers = count_numbers(self.compute_output_shape(input_shape))
        return numbers * math.prod(self.kernel_size) * self.known_channels(input_shape)

    def _as_image(self, a):
        """Return (N, 1, R, C, K) as (N, R, C, K), (N, 1, 1, T, K) as (N, T, 1, K)."""
        return a.reshape(len(a), *self._pair(a.shape[-1 - self.rank : -1]), a.shape[-1])

    def _per_place(self, weights):
        """Return weights as (P, Q, numbers in a window, F)."""
        return weights.reshape(*self._pair(self.places_made), *weights.shape[1:])

    def _geometry(self):
        """Return the sizes of the window, its strides and the order of its numbers."""
        by_rows = self.channels_first and self.rank == 2
        return *self._pair(self.kernel_size), *self._pair(self.strides), by_rows

    def _pair(self, per_axis):
        return (*per_axis, *(1,) * (2 - self.rank))

    def get_config(self):
        """Return the constructor's arguments as plain values."""
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": list(self.kernel_size),
            "strides": list(self.strides),
            "padding": self.padding,
            "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
            "bias_initializer": initializers.serialize(self.bias_initializer),
            "kernel_regularizer": regularizers.serialize(self.kernel_regularizer),
            "bias_regularizer": regularizers.serialize(self.bias_regularizer),
            "activity_regularizer": regularizers.serialize(self.activity_regularizer),
            "kernel_constraint": constraints.serialize(self.kernel_constraint),
            "bias_constraint": constraints.serialize(self.bias_constraint),
        }


class LocallyConnected1D(LocallyConnected):
    """
    Locally connected layer over sequences (N, steps, channels).

    Parameters
    ----------
    filters : int
        Number of outputs at every place, F.
    kernel_size : int
        Steps in a window.
    strides : int
        Steps from one window to the next.
    padding : str
        'valid': windows lie inside; nothing else is known.
    data_format : str, optional
        'channels_first' for (N, channels, steps). The weights are the same.
    activation, use_bias, kernel_initializer, bias_initializer, kernel_regularizer, \
bias_regularizer, activity_regularizer, kernel_constraint, bias_constraint
        As for Dense. W is (places, steps in a window x channels, F), b (places, F).

    Raises
    ------
    ValueError
        If the number of steps is unknown, or too small for the window.

    Examples
    --------
    >>> layer = LocallyConnected1D(1, 2, kernel_initializer="ones")
    >>> layer([[[1.0], [2.0], [4.0]]]).ravel()
    array([3., 6.], dtype=float32)
    >>> [weight.shape for weight in layer.weights]
    [(2, 2, 1), (2, 1)]
    """

    rank = 1
    only_launches = True


class LocallyConnected2D(LocallyConnected):
    """
    Locally connected layer over images (N, rows, columns, channels).

    Parameters
    ----------
    filters : int
        Number of outputs at every place, F.
    kernel_size : int or pair of int
        Rows and columns of a window.
    strides : int or pair of int
        Rows and columns from one window to the next.
    padding : str
        'valid': windows lie inside; nothing else is known.
    data_format : str, optional
        'channels_first' for (N, channels, rows, columns). Then the numbers of a window
        are in that order, too.
    activation, use_bias, kernel_initializer, bias_initializer, kernel_regularizer, \
bias_regularizer, activity_regularizer, kernel_constraint, bias_constraint
        As for Dense. W is (places, numbers in a window, F), b (rows, columns, F).

    Raises
    ------
    ValueError
        If rows or columns are unknown, or too few for the window.

    Examples
    --------
    >>> layer = LocallyConnected2D(4, (3, 3))
    >>> layer(np.ones((2, 8, 6, 1))).shape
    (2, 6, 4, 4)
    >>> [weight.shape for weight in layer.weights]
    [(24, 9, 4), (6, 4, 4)]
    """

    rank = 2
    only_launches = True
