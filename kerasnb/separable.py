"""
Depthwise and separable convolution: look at each channel alone, then mix them.

A depthwise convolution slides windows over every channel by itself; a separable one
lets a Dense layer at every place mix what comes out. Together they do the work of a
convolution with a fraction of its weights. Read next: `kernels/plain/depthwise.py`.
"""

from __future__ import annotations

import math

from .convolution import Windowed
from .device import ops
from .layer import count_numbers
from .utils import positive_integer

POINT = (1, 1, 1), (1, 1, 1), (0, 0, 0)  # the geometry of a window of one place


class Depthwise(Windowed):
    """Base class of the layers with windows for every channel by itself."""

    roles: tuple[str, ...] = ("depthwise", "bias")

    def __init__(self, given, /, **kwargs):
        super().__init__(given, **kwargs)
        self.depth_multiplier = positive_integer(
            given["depth_multiplier"], f"{self.name}: depth_multiplier"
        )

    def build(self, input_shape):
        """Make the depthwise weights (window..., K, M)."""
        channels = self.known_channels(input_shape)
        shape = (*self.kernel_size, channels, self.depth_multiplier)
        self.W = self.make_weight("depthwise", "depthwise_kernel", shape)

    def compute_output_shape(self, input_shape):
        """Count the places of the window and the channels."""
        K = self.check_channels(input_shape, self.W.shape[-2] if self.built else None)
        N, *sizes, _ = self.last(input_shape)
        sizes = self.places(
            sizes, self.kernel_size, self.strides, self.padding, self.dilation_rate
        )
        return self.given((N, *sizes, self.channels_out(K)))

    def channels_out(self, channels: int) -> int:
        """Return the channels of the output, K M."""
        return channels * self.depth_multiplier

    def multiply_adds(self, input_shape):
        """Return the places of a window for each number of the depthwise part."""
        N, *sizes, _ = self.last(self.compute_output_shape(input_shape))
        inner = self.known_channels(input_shape) * self.depth_multiplier
        return count_numbers((N, *sizes, inner)) * math.prod(self.kernel_size)

    def slide_depth(self, z, b):
        """Fill z with the depthwise convolution of x."""
        W = self.window(self.W.value)
        ops.depthwise_forward(z, self.x, W, b, *self.geometry(self.x))

    def slide_depth_back(self, dx, dz, db):
        """Fill the gradients of the depthwise weights, db and dx."""
        geometry = self.geometry(self.x)
        if self.W.grad is not None:
            dW = self.window(self.W.grad)
            ops.depthwise_backward_weights(dW, db, dz, self.x, *geometry)
        if dx is not None:
            W = self.window(self.W.value)
            ops.depthwise_backward_input(dx, dz, W, *geometry)

    def get_config(self):
        """Return the constructor's arguments as plain values."""
        return {**super().get_config(), "depth_multiplier": self.depth_multiplier}


class DepthwiseConv2D(Depthwise):
    """
    Convolution of every channel of an image by itself.

    forward     z[n, r, c, k M + m] = b + sum over q, s of x[n, j, l, k] W[q, s, k, m]
                y = activation(z), where j = r stride + q - padding before, l likewise
    backward    as of Conv2D, one channel at a time

    Parameters
    ----------
    kernel_size, strides : int or tuple of 2
        Places of the window, and the step from one output to the next.
    padding : {'valid', 'same'}
    depth_multiplier : int
        Windows for each channel, M: there are M times as many channels in the output.
    data_format : str, optional
        'channels_last' or 'channels_first'. Default: `kerasnb.image_data_format()`.
    activation : str or ActivationFunction, optional
    use_bias : bool
    depthwise_initializer, bias_initializer
        First values of W ('glorot_uniform') and b ('zeros').
    depthwise_regularizer, bias_regularizer, activity_regularizer : optional
    depthwise_constraint, bias_constraint : optional

    Examples
    --------
    >>> DepthwiseConv2D(3, depth_multiplier=2)([[[[1.0] * 4] * 5] * 5]).shape
    (1, 3, 3, 8)
    """

    only_launches = True

    def __init__(
        self,
        kernel_size,
        strides=1,
        padding="valid",
        depth_multiplier=1,
        data_format=None,
        activation=None,
        use_bias=True,
        depthwise_initializer="glorot_uniform",
        bias_initializer="zeros",
        depthwise_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        depthwise_constraint=None,
        bias_constraint=None,
        **kwargs,
    ):
        super().__init__(locals(), **kwargs)

    def build(self, input_shape):
        """Make W (window..., K, M) and b (K M,)."""
        super().build(input_shape)
        self.make_bias(self.channels_out(self.W.shape[-2]))

    def slide(self, z):
        """Fill z with the depthwise convolution of x."""
        self.slide_depth(z, self.b.value)

    def slide_back(self, dx, dz):
        """Fill dW, db and dx."""
        self.slide_depth_back(dx, dz, self.grad_of(self.b, "db"))

    def get_config(self):
        """Return the constructor's arguments as plain values."""
        config = super().get_config()
        del config["dilation_rate"]
        return config


class Separable(Depthwise):
    """
    Base class of SeparableConv1D and SeparableConv2D, the letters are of two axes.

    forward     u[n, r, c, k M + m] = sum over q, s of x[n, j, l, k] W[q, s, k, m]
                z = u V + b at every place, y = activation(z)
    backward    dz = activation'(z) dy,  dV = uT dz,  db = sum of dz,  du = dz VT,
                dW and dx from du as in DepthwiseConv2D

    W (window..., K, M) is the depthwise, V (1..., K M, F) the pointwise kernel.
    """

    roles = ("depthwise", "pointwise", "bias")

    def __init__(
        self,
        filters,
        kernel_size,
        strides=1,
        padding="valid",
        data_format=None,
        dilation_rate=1,
        depth_multiplier=1,
        activation=None,
        use_bias=True,
        depthwise_initializer="glorot_uniform",
        pointwise_initializer="glorot_uniform",
        bias_initializer="zeros",
        depthwise_regularizer=None,
        pointwise_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        depthwise_constraint=None,
        pointwise_constraint=None,
        bias_constraint=None,
        **kwargs,
    ):
        super().__init__(locals(), **kwargs)
        self.filters = positive_integer(filters, f"{self.name}: filters")

    def build(self, input_shape):
        """Make W (window..., K, M), V (1..., K M, F) and b (F,)."""
        super().build(input_shape)
        inner = super().channels_out(self.W.shape[-2])
        shape = (*(1,) * self.rank, inner, self.filters)
        self.V = self.make_weight("pointwise", "pointwise_kernel", shape)
        self.make_bias(self.filters)

    def channels_out(self, channels):
        """Return the number of filters."""
        return self.filters

    def multiply_adds(self, input_shape):
        """Return those of the windows, and those of the Dense layer at every place."""
        inner = self.known_channels(input_shape) * self.depth_multiplier
        numbers = count_numbers(self.compute_output_shape(input_shape))
        return super().multiply_adds(input_shape) + inner * numbers

    def slide(self, z):
        """Fill z: depthwise first, then a Dense layer at every place."""
        V = self.V.value.reshape(-1, self.filters)
        self.u = self.buffer("u", (*z.shape[:-1], len(V)))
        self.slide_depth(self.u, self.buffer("none", (len(V),)))
        ops.dense_forward(_rows(z), _rows(self.u), V, self.b.value)

    def slide_back(self, dx, dz):
        """Fill dV, db, dW and dx."""
        V, u = self.V.value.reshape(-1, self.filters), self.u
        if self.V.grad is not None:
            dV, db = self.window(self.V.grad), self.grad_of(self.b, "db")
            ops.convolution_backward_weights(dV, db, dz, u, *POINT)
        if dx is not None or self.W.grad is not None:
            du = self.buffer("du", u.shape)
            ops.dense_backward_input(_rows(du), _rows(dz), V)
            self.slide_depth_back(dx, du, self.buffer("spare", (len(V),)))

    def get_config(self):
        """Return the constructor's arguments as plain values."""
        return {"filters": self.filters, **super().get_config()}


class SeparableConv1D(Separable):
    """
    Depthwise convolution of sequences, then a mixture of the channels.

    Parameters
    ----------
    filters, kernel_size, strides, padding, ...
        As those of SeparableConv2D, with one integer each; padding is not 'causal'.

    Examples
    --------
    >>> SeparableConv1D(5, 3, padding="same")([[[1.0, 2.0]] * 7]).shape
    (1, 7, 5)
    """

    rank = 1
    default_format = "channels_last"
    only_launches = True


class SeparableConv2D(Separable):
    """
    Depthwise convolution of images, then a mixture of the channels.

    Parameters
    ----------
    filters : int
        Channels of the output, F.
    kernel_size, strides, dilation_rate : int or tuple of 2
        Of the depthwise convolution; not both strides and dilation_rate above 1.
    padding : {'valid', 'same'}
    data_format : str, optional
        'channels_last' or 'channels_first'. Default: `kerasnb.image_data_format()`.
    depth_multiplier : int
        Windows for each channel, M.
    activation : str or ActivationFunction, optional
        Applied at the end only.
    use_bias : bool
    depthwise_initializer, pointwise_initializer, bias_initializer
        First values of W and V ('glorot_uniform') and of b ('zeros').
    depthwise_regularizer, pointwise_regularizer, bias_regularizer : optional
    activity_regularizer : optional
    depthwise_constraint, pointwise_constraint, bias_constraint : optional

    Examples
    --------
    >>> SeparableConv2D(6, 3)([[[[1.0] * 4] * 5] * 5]).shape
    (1, 3, 3, 6)
    """

    rank = 2
    only_launches = True


def _rows(a):
    """Return an array of any rank as rows of its last axis."""
    return a.reshape(-1, a.shape[-1])
