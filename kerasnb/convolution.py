"""
Convolution: a small window of weights slides over a sequence, an image or a volume.

One implementation serves any number of spatial axes; Conv1D, Conv2D and Conv3D only say
how many. The same weights look at every place, so a pattern is found wherever it is.
Read next: `kernels/plain/convolution.py` for the loops, `separable.py` and
`transposed.py` for the relatives.
"""

from __future__ import annotations

import math

import numpy as np

from . import activations, regularizers
from .device import ops
from .layer import count_numbers
from .roles import Roles
from .spatial import Spatial
from .utils import positive_integer


class Windowed(Roles, Spatial):
    """
    Base class of the layers with a window of weights.

    A concrete layer makes its weights in `build`, and fills z in `slide` and all
    gradients in `slide_back`; images come to both in the form (N, D, R, C, K).

    Attributes
    ----------
    paddings : tuple
        What `padding` may be.
    default_format : str or None
        The `data_format` if none is given; None stands for `image_data_format()`.
    """

    paddings: tuple[str, ...] = ("valid", "same")
    default_format: str | None = None

    def __init__(self, given, /, **kwargs):
        super().__init__(given["data_format"] or self.default_format, **kwargs)
        self.take_window(given, self.paddings)
        self.activation = activations.get(given["activation"])
        self.activity_regularizer = regularizers.get(given["activity_regularizer"])
        self.take_options(given)

    def check_channels(self, input_shape, expected: int | None) -> int:
        """Return the number of channels; refuse another one than at `build`."""
        channels = self.known_channels(input_shape)
        if self.built and channels != expected:
            raise ValueError(
                f"{self.name}: expected an input with {expected} channels, for which "
                f"the layer was built, got {channels}."
            )
        return channels

    def forward(self, x, training):
        """Return activation(z), where `slide` has filled z."""
        self.x = self.enter(x)
        shape = self.compute_output_shape(x.shape)
        z = self.buffer("z", self.five(self.last(shape)))
        self.slide(z)
        self.y = self.z = self.leave(z)
        if not self.activation.is_linear:
            if self.activation.needs_z:
                self.y = self.buffer("y", self.z.shape)
            self.activation.forward(self.y, self.z)
        return self.y

    def backward(self, dy):
        """Fill the gradients of the weights, return dx."""
        dz = dy
        if not self.activation.is_linear:
            dz = self.over(dy, "dz")
            self.activation.backward(dz, dy, self.z, self.y)
        dz = self.enter(dz, "dz")
        dx = self.buffer("dx", self.x.shape) if self.needs_dx else None
        self.slide_back(dx, dz)
        return None if dx is None else self.leave(dx, "dx")

    def slide(self, z: np.ndarray) -> None:
        """Fill z from self.x."""
        raise NotImplementedError

    def slide_back(self, dx: np.ndarray | None, dz: np.ndarray) -> None:
        """Fill the gradients of the weights, and dx if it is wanted."""
        raise NotImplementedError

    def multiply_adds(self, input_shape):
        """Return what a window holds for each number that comes out."""
        numbers = count_numbers(self.compute_output_shape(input_shape))
        return numbers * math.prod(self.kernel_size) * self.known_channels(input_shape)

    def geometry(self, x: np.ndarray) -> tuple[tuple[int, ...], ...]:
        """Return stride, dilation and padding before, three numbers each."""
        sizes = x.shape[-1 - self.rank : -1]
        shape = self.kernel_size, self.strides, self.padding, self.dilation_rate
        return self.geometry_of(sizes, *shape)

    def get_config(self):
        """Return the constructor's arguments as plain values."""
        return {
            **super().get_config(),
            "kernel_size": list(self.kernel_size),
            "strides": list(self.strides),
            "padding": self.padding,
            "dilation_rate": list(self.dilation_rate),
            "activation": activations.serialize(self.activation),
            "activity_regularizer": regularizers.serialize(self.activity_regularizer),
            **self.option_config(),
        }


class Convolution(Windowed):
    """
    Base class of Conv1D, Conv2D and Conv3D: here with the letters of two axes.

    forward     z[n, r, c] = b + sum over q, s of x[n, j, l] W[q, s],  y = activation(z)
    backward    dz = activation'(z) dy,  db = sum over n, r, c of dz[n, r, c],
                dW[q, s] = sum over n, r, c of x[n, j, l]T dz[n, r, c],
                dx[n, j, l] = sum over q, s of dz[n, r, c] W[q, s]T
                where j = r stride + q dilation - padding before, and l of c, s likewise

    Nothing is flipped: this is what mathematicians call a cross-correlation. Weights
    are (window..., channels, filters) in either data format.
    """

    def __init__(
        self,
        filters,
        kernel_size,
        strides=1,
        padding="valid",
        data_format=None,
        dilation_rate=1,
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
        super().__init__(locals(), **kwargs)
        self.filters = positive_integer(filters, f"{self.name}: filters")
        if self.padding == "causal" and self.channels_first:
            raise ValueError(
                f"{self.name}: padding='causal' needs data_format='channels_last', got "
                "'channels_first'."
            )

    def build(self, input_shape):
        """Make W (window..., K, F) and b (F,)."""
        shape = (*self.kernel_size, self.known_channels(input_shape), self.filters)
        self.W = self.make_weight("kernel", "kernel", shape)
        self.make_bias(self.filters)

    def compute_output_shape(self, input_shape):
        """Count the places of the window; the filters are the new channels."""
        self.check_channels(input_shape, self.W.shape[-2] if self.built else None)
        N, *sizes, _ = self.last(input_shape)
        sizes = self.places(
            sizes, self.kernel_size, self.strides, self.padding, self.dilation_rate
        )
        return self.given((N, *sizes, self.filters))

    def slide(self, z):
        """Fill z with the convolution of x."""
        W = self.window(self.W.value)
        ops.convolution_forward(z, self.x, W, self.b.value, *self.geometry(self.x))

    def slide_back(self, dx, dz):
        """Fill dW, db and dx."""
        geometry = self.geometry(self.x)
        if self.W.grad is not None:
            db = self.grad_of(self.b, "db")
            dW = self.window(self.W.grad)
            ops.convolution_backward_weights(dW, db, dz, self.x, *geometry)
        if dx is not None:
            W, none = self.window(self.W.value), self.buffer("none", dx.shape[-1:])
            ops.convolution_backward_input(dx, dz, W, none, *geometry)

    def get_config(self):
        """Return the constructor's arguments as plain values."""
        return {"filters": self.filters, **super().get_config()}


class Conv1D(Convolution):
    """
    Convolution of sequences (N, steps, channels).

    Parameters
    ----------
    filters : int
        Number of patterns to look for, F: the channels of the output.
    kernel_size, strides, dilation_rate : int
        Places of the window, the step from one output to the next, and the distance of
        the window's places; not both strides and dilation_rate above 1.
    padding : {'valid', 'same', 'causal'}
        Only places inside; or zeros on both sides, so that the length stays; or zeros
        before, so that no output sees the future ('channels_last' only).
    data_format : str, optional
        'channels_last' (default) or 'channels_first'.
    activation : str or ActivationFunction, optional
    use_bias : bool
    kernel_initializer, bias_initializer
        First values of W ('glorot_uniform') and b ('zeros').
    kernel_regularizer, bias_regularizer, activity_regularizer : optional
    kernel_constraint, bias_constraint : optional

    Examples
    --------
    >>> x = np.arange(1.0, 6.0).reshape(1, 5, 1)
    >>> Conv1D(1, 3, kernel_initializer="ones")(x)[0, :, 0]
    array([ 6.,  9., 12.], dtype=float32)
    """

    rank = 1
    paddings = ("valid", "same", "causal")
    default_format = "channels_last"
    only_launches = True


class Conv2D(Convolution):
    """
    Convolution of images (N, rows, columns, channels).

    Parameters
    ----------
    filters : int
        Number of patterns to look for, F: the channels of the output.
    kernel_size, strides, dilation_rate : int or tuple of 2
        Places of the window, the step from one output to the next, and the distance of
        the window's places; not both strides and dilation_rate above 1.
    padding : {'valid', 'same'}
        Only places inside the image, or zeros around it, so that its size stays.
    data_format : str, optional
        'channels_last' or 'channels_first', (N, channels, rows, columns). Default:
        `kerasnb.image_data_format()`.
    activation : str or ActivationFunction, optional
    use_bias : bool
    kernel_initializer, bias_initializer
        First values of W ('glorot_uniform') and b ('zeros').
    kernel_regularizer, bias_regularizer, activity_regularizer : optional
    kernel_constraint, bias_constraint : optional

    Examples
    --------
    >>> Conv2D(8, 3, padding="same", activation="relu")(np.ones((2, 5, 6, 1))).shape
    (2, 5, 6, 8)
    """

    rank = 2
    only_launches = True


class Conv3D(Convolution):
    """
    Convolution of volumes (N, slices, rows, columns, channels).

    Parameters
    ----------
    filters, kernel_size, strides, padding, data_format, dilation_rate, activation, ...
        As those of Conv2D, with tuples of 3.

    Examples
    --------
    >>> Conv3D(4, (2, 3, 3))(np.ones((1, 5, 6, 7, 2))).shape
    (1, 4, 4, 5, 4)
    """

    rank = 3
    only_launches = True
