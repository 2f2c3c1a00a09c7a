"""
Locally connected layers: like a convolution, but every place has weights of its own.

They suit images in which the same place always shows the same thing, such as aligned
faces, and show what a convolution saves by sharing its weights. Read next:
`kernels/plain/local.py` for the loops, `convolution.py` for shared weights.
"""

from __future__ import annotations

import math

from .convolution import Windowed
from .device import ops
from .layer import count_numbers, show_shape
from .utils import positive_integer


class LocallyConnected(Windowed):
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
        if padding != "valid":
            raise ValueError(
                f"{type(self).__name__}: it knows padding='valid' only, got "
                f"{padding!r}. A ZeroPadding{self.rank}D layer before it adds a border."
            )
        super().__init__(locals(), **kwargs)
        self.filters = positive_integer(filters, f"{self.name}: filters")

    def build(self, input_shape):
        """Make W (places, numbers in a window, F) and b (places..., F)."""
        _, *places, _ = self.last(self.compute_output_shape(input_shape))
        numbers = math.prod(self.kernel_size) * self.known_channels(input_shape)
        shape = (math.prod(places), numbers, self.filters)
        self.W = self.make_weight("kernel", "kernel", shape)
        self.places_made = places
        self.make_bias(*places, self.filters)

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

    def slide(self, z):
        """Fill z: at each place the window times the weights of the place."""
        z, x = self._as_image(z), self._as_image(self.x)
        W, b = self._per_place(self.W.value), self.b.value.reshape(z.shape[1:])
        ops.local_forward(z, x, W, b, *self._geometry())

    def slide_back(self, dx, dz):
        """Fill dW, db and dx."""
        dz = self._as_image(dz)
        if self.W.grad is not None:
            db = self.grad_of(self.b, "db").reshape(dz.shape[1:])
            dW, x = self._per_place(self.W.grad), self._as_image(self.x)
            ops.local_backward_weights(dW, db, dz, x, *self._geometry())
        if dx is not None:
            dx, W = self._as_image(dx), self._per_place(self.W.value)
            ops.local_backward_input(dx, dz, W, *self._geometry())

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
        config = {"filters": self.filters, **super().get_config()}
        del config["dilation_rate"]
        return config


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
    >>> import numpy as np
    >>> layer = LocallyConnected2D(4, (3, 3))
    >>> layer(np.ones((2, 8, 6, 1))).shape
    (2, 6, 4, 4)
    >>> [weight.shape for weight in layer.weights]
    [(24, 9, 4), (6, 4, 4)]
    """

    rank = 2
    only_launches = True
