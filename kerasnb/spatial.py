"""
Images: what convolution, pooling, padding and locally connected layers share.

A layer with 1, 2 or 3 spatial axes works on arrays (N, D, R, C, K): N samples, D
slices, R rows, C columns, K channels last; axes that it does not have are of size one.
`enter` brings the input into this form and `leave` the output into the user's, so only
here anybody asks for `data_format`. Read next: `convolution.py`, `pooling.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import device
from .device import ops
from .layer import Layer, Shape, show_shape
from .utils import lookup

FORMATS = {name: name for name in ("channels_last", "channels_first")}
MOST_AXES = 3


def per_axis(value, rank: int, what: str, least: int = 1) -> tuple[int, ...]:
    """
    Return one integer for each axis from an integer, or from one for each.

    Raises
    ------
    ValueError
        If the number of integers is wrong, or one is too small.

    Examples
    --------
    >>> per_axis(3, 2, "kernel_size")
    (3, 3)
    """
    many = list(value) if np.iterable(value) else [value] * rank
    whole = [isinstance(one, (int, np.integer)) and one >= least for one in many]
    if len(many) != rank or not all(whole):
        raise ValueError(
            f"{what}: expected an integer from {least} on, or {rank} of them, got "
            f"{value!r}."
        )
    return tuple(int(one) for one in many)


def output_size(size, window, stride, padding, dilation=1):
    """
    Return how many places a window has on an axis; None for an unknown size.

    A window of k numbers, d apart, spans k' = (k - 1) d + 1. 'valid' counts the places
    where it lies inside, 'same' and 'causal' one for each stride.

    Examples
    --------
    >>> output_size(5, 3, 2, "valid"), output_size(5, 3, 2, "same")
    (2, 3)
    """
    if size is None:
        return None
    if padding == "valid":
        size -= (window - 1) * dilation
    return -(-size // stride)


def padding_before(size, window, stride, padding, dilation=1):
    """
    Return how many zeros lie before an axis: the smaller half of the padding.

    Examples
    --------
    >>> padding_before(6, 3, 2, "same"), padding_before(5, 3, 1, "causal", 2)
    (0, 4)
    """
    span = (window - 1) * dilation
    if padding == "causal":
        return span
    if padding == "valid":
        return 0
    places = output_size(size, window, stride, padding, dilation)
    return max((places - 1) * stride + span + 1 - size, 0) // 2


class Spatial(Layer):
    """
    Base class of layers over images.

    Attributes
    ----------
    rank : int
        Number of spatial axes: 1, 2 or 3.
    data_format : str
        'channels_last' or 'channels_first'. Default: that of sequences (rank 1) is
        'channels_last', that of images `kerasnb.image_data_format()`.
    """

    rank = 2
    kernel_size: tuple[int, ...]
    strides: tuple[int, ...]
    dilation_rate: tuple[int, ...]

    def __init__(self, data_format=None, **kwargs):
        super().__init__(**kwargs)
        usual = "channels_last" if self.rank == 1 else device.image_data_format()
        chosen = data_format or usual
        self.data_format = lookup(chosen, FORMATS, f"data_format of {self.name}:")

    @property
    def channels_first(self) -> bool:
        """Return whether the user's arrays are (N, K, ...)."""
        return self.data_format == "channels_first"

    def last(self, shape: Shape) -> Shape:
        """Return a shape of the user's with the channels last."""
        self.expect_rank(shape, self.rank + 2)
        return (shape[0], *shape[2:], shape[1]) if self.channels_first else shape

    def given(self, shape: Shape) -> Shape:
        """Return a shape with the channels last in the user's order."""
        return (shape[0], shape[-1], *shape[1:-1]) if self.channels_first else shape

    def known_channels(self, input_shape: Shape) -> int:
        """Return the number of channels, which must be known."""
        channels = self.last(input_shape)[-1]
        if channels is None:
            raise ValueError(
                f"{self.name}: the number of channels must be known, got an input of "
                f"shape {show_shape(input_shape)}."
            )
        return channels

    def places(self, sizes, window, strides, padding, dilation=None) -> tuple:
        """Return the places of a window per axis; refuse one that fits nowhere."""
        dilation = dilation or (1,) * self.rank
        found = tuple(
            output_size(size, w, s, padding, d)
            for size, w, s, d in zip(sizes, window, strides, dilation)
        )
        if any(count is not None and count < 1 for count in found):
            spans = tuple((w - 1) * d + 1 for w, d in zip(window, dilation))
            raise ValueError(
                f"{self.name}: a window of {spans} does not fit into an input of "
                f"{tuple(sizes)}, so nothing comes out. Use a smaller window, "
                "padding='same', or fewer layers that make images smaller."
            )
        return found

    def enter(self, x: np.ndarray, name: str = "x") -> np.ndarray:
        """Return a user's array in the form (N, D, R, C, K)."""
        if self.channels_first:
            last = self.buffer(f"{name} last", self.last(x.shape))
            N, K = x.shape[:2]
            ops.swap_axes(last.reshape(N, -1, K), x.reshape(N, K, -1))
            x = last
        return x.reshape(self.five(x.shape))

    def leave(self, y: np.ndarray, name: str = "y") -> np.ndarray:
        """Return an array (N, D, R, C, K) in the user's form."""
        shape = (len(y), *y.shape[1 + MOST_AXES - self.rank : -1], y.shape[-1])
        if not self.channels_first:
            return y.reshape(shape)
        first = self.buffer(f"{name} first", self.given(shape))
        N, K = first.shape[:2]
        ops.swap_axes(first.reshape(N, K, -1), y.reshape(N, -1, K))
        return first

    def five(self, shape: Shape) -> Shape:
        """Return a shape with the channels last and axes of one in front."""
        return (shape[0], *(1,) * (MOST_AXES - self.rank), *shape[1:])

    def three(self, per_axis: tuple[int, ...], filling: int = 1) -> tuple[int, ...]:
        """Return three numbers: axes that the layer lacks get the filling."""
        return (filling,) * (MOST_AXES - self.rank) + tuple(per_axis)

    # ---- a window of weights ------------------------------------------------------

    def take_window(self, given: dict[str, Any], paddings: tuple[str, ...]) -> None:
        """Store kernel_size, strides, dilation_rate and padding."""
        for name in ("kernel_size", "strides", "dilation_rate"):
            sizes = per_axis(given.get(name, 1), self.rank, f"{self.name}: {name}")
            setattr(self, name, sizes)
        known = {name: name for name in paddings}
        self.padding = lookup(given["padding"], known, f"padding of {self.name}:")
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError(
                f"{self.name}: strides {self.strides} and dilation_rate "
                f"{self.dilation_rate} cannot both be above 1. Set one of them to 1."
            )

    def window(self, weights: np.ndarray) -> np.ndarray:
        """Return weights as (P, Q, S, inputs, outputs)."""
        return weights.reshape(
            *self.three(weights.shape[: self.rank]), *weights.shape[self.rank :]
        )

    def geometry_of(self, sizes, window, strides, padding, dilation):
        """Return stride, dilation and padding before, three numbers each."""
        each = zip(sizes, window, strides, dilation)
        before = tuple(padding_before(n, k, s, padding, d) for n, k, s, d in each)
        return (
            self.three(strides),
            self.three(dilation),
            self.three(before, filling=0),
        )

    def get_config(self):
        """Return the constructor's arguments as plain values."""
        return {**super().get_config(), "data_format": self.data_format}


class Resampling(Spatial):
    """
    Base class of layers without weights that put images on another grid of places.

    Such a layer defines `resized` (the output's sizes, from the input's), `fill` (y
    from x) and `spread` (dx from dy), the latter two on arrays (N, D, R, C, K).
    """

    def compute_output_shape(self, input_shape):
        """Replace the sizes; samples and channels stay."""
        N, *sizes, K = self.last(input_shape)
        return self.given((N, *self.resized(tuple(sizes)), K))

    def forward(self, x, training):
        """Return the images on the new grid."""
        if x.shape != self.x_shape:
            N, *sizes, K = self.last(x.shape)
            self.y = self.buffer("y", self.five((N, *self.resized(tuple(sizes)), K)))
            self.dx_shape = self.five((N, *sizes, K))
            self.x_shape = x.shape
        self.fill(self.y, self.enter(x))
        return self.leave(self.y)

    def backward(self, dy):
        """Return the gradient on the grid of the input."""
        dx = self.buffer("dx", self.dx_shape)
        self.spread(dx, self.enter(dy, "dy"))
        return self.leave(dx, "dx")
