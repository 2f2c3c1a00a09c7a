"""
Transposed convolution: paint with a window, where a convolution looks through one.

What a convolution does to gradients on their way back, these layers do on the way
forward: every input number paints the window, scaled by it, onto the output, so images
grow by the strides. Read next: `convolution.py`, whose three kernels do it all.
"""

from __future__ import annotations

import math

from .convolution import Windowed
from .device import ops
from .layer import count_numbers
from .spatial import per_axis
from .utils import positive_integer


class Transposed(Windowed):
    """
    Base class of Conv2DTranspose and Conv3DTranspose, the letters are of two axes.

    forward     z[n, j, l] = b + sum over r, c, q, s of x[n, r, c] W[q, s]T
                y = activation(z), where j = r stride + q dilation - padding before
    backward    dz = activation'(z) dy,  db = sum of dz,
                dx[n, r, c] = sum over q, s of dz[n, j, l] W[q, s],
                dW[q, s] = sum over n, r, c of dz[n, j, l]T x[n, r, c]

    With the same W this is the adjoint of a convolution from F to K channels. W is
    (window..., F, K) for inputs with K channels.
    """

    def __init__(self, given, /, **kwargs):
        super().__init__(given, **kwargs)
        self.filters = positive_integer(given["filters"], f"{self.name}: filters")
        self.output_padding = given["output_padding"]
        if self.output_padding is not None:
            what = f"{self.name}: output_padding"
            self.output_padding = per_axis(self.output_padding, self.rank, what, 0)
            if any(o >= s for o, s in zip(self.output_padding, self.strides)):
                raise ValueError(
                    f"{what} must be smaller than the strides {self.strides}, got "
                    f"{self.output_padding}."
                )

    def build(self, input_shape):
        """Make W (window..., F, K) and b (F,)."""
        shape = (*self.kernel_size, self.filters, self.known_channels(input_shape))
        self.W = self.make_weight("kernel", "kernel", shape)
        self.make_bias(self.filters)

    def compute_output_shape(self, input_shape):
        """Return how far the painting reaches; the filters are the new channels."""
        self.check_channels(input_shape, self.W.shape[-1] if self.built else None)
        N, *sizes, _ = self.last(input_shape)
        grown = tuple(map(self._grown, range(self.rank), sizes))
        if any(size is not None and size < 1 for size in grown):
            raise ValueError(
                f"{self.name}: nothing comes out of an input of {tuple(sizes)}: the "
                f"output would have the size {grown}. Leave output_padding out, or use "
                "padding='valid'."
            )
        return self.given((N, *grown, self.filters))

    def _span(self, axis):
        return (self.kernel_size[axis] - 1) * self.dilation_rate[axis] + 1

    def _grown(self, axis, size):
        """Return the size of the output on an axis."""
        if size is None:
            return None
        span, stride, same = (
            self._span(axis),
            self.strides[axis],
            self.padding == "same",
        )
        if self.output_padding is None:
            return size * stride + (0 if same else max(span - stride, 0))
        border = span // 2 if same else 0
        return (size - 1) * stride + span - 2 * border + self.output_padding[axis]

    def geometry(self, x):
        """Return stride, dilation and padding before, three numbers each."""
        before = [0] * self.rank
        if self.padding == "same":
            for axis, size in enumerate(x.shape[-1 - self.rank : -1]):
                reach = (size - 1) * self.strides[axis] + self._span(axis)
                before[axis] = max(reach - self._grown(axis, size), 0) // 2
        strides, rates = self.three(self.strides), self.three(self.dilation_rate)
        return strides, rates, self.three(before, filling=0)

    def multiply_adds(self, input_shape):
        """Return what a window paints for each number that comes in."""
        window = math.prod(self.kernel_size) * self.filters
        return count_numbers(input_shape) * window

    def slide(self, z):
        """Fill z: what a convolution of z would do to a gradient x on the way back."""
        W, geometry = self.window(self.W.value), self.geometry(self.x)
        ops.convolution_backward_input(z, self.x, W, self.b.value, *geometry)

    def slide_back(self, dx, dz):
        """Fill dW, db and dx."""
        geometry, channels = self.geometry(self.x), self.x.shape[-1:]
        if self.W.grad is not None:
            dW, spare = self.window(self.W.grad), self.buffer("spare", channels)
            ops.convolution_backward_weights(dW, spare, self.x, dz, *geometry)
        if self.b.grad is not None:
            ops.bias_backward(self.b.grad, dz.reshape(-1, self.filters))
        if dx is not None:
            W, none = self.window(self.W.value), self.buffer("none", channels)
            ops.convolution_forward(dx, dz, W, none, *geometry)

    def get_config(self):
        """Return the constructor's arguments as plain values."""
        padding = self.output_padding
        return {
            "filters": self.filters,
            **super().get_config(),
            "output_padding": None if padding is None else list(padding),
        }


class Conv2DTranspose(Transposed):
    """
    Transposed convolution of images, also called deconvolution.

    Parameters
    ----------
    filters : int
        Channels of the output, F.
    kernel_size, strides, dilation_rate : int or tuple of 2
        Places of the window, how far apart the inputs paint, and the distance of the
        window's places; not both strides and dilation_rate above 1.
    padding : {'valid', 'same'}
        Sizes n grow to n strides + max(kernel_size - strides, 0), or to n strides.
    output_padding : int or tuple of 2, optional
        Smaller than strides. Sizes are (n - 1) strides + k - 2 p + output_padding then,
        for a window that spans k; p is k // 2 with 'same' and 0 with 'valid'.
    data_format : str, optional
        'channels_last' or 'channels_first'. Default: `kerasnb.image_data_format()`.
    activation : str or ActivationFunction, optional
    use_bias : bool
    kernel_initializer, bias_initializer
        First values of W ('glorot_uniform') and b ('zeros').
    kernel_regularizer, bias_regularizer, activity_regularizer : optional
    kernel_constraint, bias_constraint : optional

    Examples
    --------
    >>> Conv2DTranspose(3, 5, strides=2, padding="same")([[[[1.0] * 4] * 8] * 7]).shape
    (1, 14, 16, 3)
    """

    rank = 2
    only_launches = True

    def __init__(
        self,
        filters,
        kernel_size,
        strides=1,
        padding="valid",
        output_padding=None,
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


class Conv3DTranspose(Transposed):
    """
    Transposed convolution of volumes.

    Parameters
    ----------
    filters, kernel_size, strides, padding, output_padding, data_format, activation, ...
        As those of Conv2DTranspose, with tuples of 3; there is no dilation_rate.

    Examples
    --------
    >>> Conv3DTranspose(2, 2, strides=2)([[[[[1.0]] * 5] * 4] * 3]).shape
    (1, 6, 8, 10, 2)
    """

    rank = 3
    only_launches = True

    def __init__(
        self,
        filters,
        kernel_size,
        strides=1,
        padding="valid",
        output_padding=None,
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
        super().__init__(locals(), **kwargs)

    def get_config(self):
        """Return the constructor's arguments as plain values."""
        config = super().get_config()
        del config["dilation_rate"]
        return config
