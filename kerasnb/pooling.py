"""
Pooling: one number for all that a window sees, channel by channel.

`Largest` and `Mean` say which number; `Pooling` moves a window over an image, and
`GlobalPooling` lets it see all at once. The classes below join the two for 1, 2 and 3
axes, with nothing more to say. Read next: `kernels/plain/pooling.py`, the loops.
"""

from __future__ import annotations

import math

import numpy as np

from .device import ops
from .layer import count_numbers
from .spatial import Resampling, Spatial, padding_before, per_axis
from .utils import lookup

__all__ = [
    "MaxPooling1D",
    "MaxPooling2D",
    "MaxPooling3D",
    "AveragePooling1D",
    "AveragePooling2D",
    "AveragePooling3D",
    "GlobalMaxPooling1D",
    "GlobalMaxPooling2D",
    "GlobalMaxPooling3D",
    "GlobalAveragePooling1D",
    "GlobalAveragePooling2D",
    "GlobalAveragePooling3D",
    "MaxPool1D",
    "MaxPool2D",
    "MaxPool3D",
    "AvgPool1D",
    "AvgPool2D",
    "AvgPool3D",
    "GlobalMaxPool1D",
    "GlobalMaxPool2D",
    "GlobalMaxPool3D",
    "GlobalAvgPool1D",
    "GlobalAvgPool2D",
    "GlobalAvgPool3D",
]

PADDINGS = {name: name for name in ("valid", "same")}


class Largest(Spatial):
    """
    The largest number that a window sees.

    forward     y = max of x over the window; NaN counts as the largest
    backward    dx = sum of dy over the windows whose largest it is, the first of equals
    """

    def pool(self, y, x, *windows):
        """Fill y, and remember where each number came from."""
        self.at = self.buffer("at", y.shape, np.int32)
        ops.max_pool_forward(y, self.at, x, *windows)

    def unpool(self, dx, dy, *windows):
        """Send each gradient where the number came from."""
        ops.max_pool_backward(dx, dy, self.at, *windows)


class Mean(Spatial):
    """
    The mean of what a window sees; padding is not counted.

    forward     y = sum of x over the window / number of its cells
    backward    dx = sum over the windows that see it of dy / number of their cells
    """

    def pool(self, y, x, *windows):
        """Fill y with means."""
        ops.average_pool_forward(y, x, *windows)

    def unpool(self, dx, dy, *windows):
        """Share each gradient evenly."""
        ops.average_pool_backward(dx, dy, *windows)


class Pooling(Resampling):
    """
    A window that moves over an image and gives one number in each place.

    Parameters
    ----------
    pool_size : int or tuple
        Size of the window; an integer stands for every axis.
    strides : int or tuple, optional
        Steps between its places; default: `pool_size`, so that windows do not overlap.
    padding : str
        'valid': only places inside the image. 'same': one for every stride, the window
        may reach over the edge but sees nothing there.
    data_format : str, optional
        'channels_last' or 'channels_first'.

    Raises
    ------
    ValueError
        If an argument is not of these kinds, or the window is larger than the image.
    """

    def __init__(
        self, pool_size=2, strides=None, padding="valid", data_format=None, **kwargs
    ):
        super().__init__(data_format, **kwargs)
        if strides is None:
            strides = pool_size
        self.pool_size = per_axis(pool_size, self.rank, f"{self.name}: pool_size")
        self.strides = per_axis(strides, self.rank, f"{self.name}: strides")
        self.padding = lookup(padding, PADDINGS, f"padding of {self.name}:")

    def resized(self, sizes):
        """Count the places of the window."""
        return self.places(sizes, self.pool_size, self.strides, self.padding)

    def simple_operations(self, input_shape):
        """Return one for each number that a window sees."""
        numbers = count_numbers(self.compute_output_shape(input_shape))
        return numbers * math.prod(self.pool_size)

    def fill(self, y, x):
        """Pool what each place sees."""
        window, strides = self.three(self.pool_size), self.three(self.strides)
        before = tuple(
            padding_before(*axis, self.padding)
            for axis in zip(x.shape[1:-1], window, strides)
        )
        self.windows = window, strides, before
        self.pool(y, x, *self.windows)

    def spread(self, dx, dy):
        """Send the gradients back to what each place saw."""
        self.unpool(dx, dy, *self.windows)

    def get_config(self):
        """Return the constructor's arguments as plain values."""
        return {
            **super().get_config(),
            "pool_size": list(self.pool_size),
            "strides": list(self.strides),
            "padding": self.padding,
        }


class GlobalPooling(Resampling):
    """
    One number for each channel of the whole image.

    Parameters
    ----------
    data_format : str, optional
        'channels_last' or 'channels_first'.
    """

    def resized(self, sizes):
        """Leave one place; refuse an image without any."""
        ones = (1,) * self.rank
        self.places(sizes, ones, ones, "valid")
        return ones

    def compute_output_shape(self, input_shape):
        """Drop all axes but samples and channels."""
        shape = self.last(super().compute_output_shape(input_shape))
        return (shape[0], shape[-1])

    def simple_operations(self, input_shape):
        """Return one for each number of the image."""
        return count_numbers(input_shape)

    def fill(self, y, x):
        """Pool everything."""
        self.windows = x.shape[1:-1], x.shape[1:-1], (0, 0, 0)
        self.pool(y, x, *self.windows)

    def spread(self, dx, dy):
        """Send the gradients back to the whole image."""
        self.unpool(dx, dy, *self.windows)

    def forward(self, x, training):
        """Return a row of channels for each sample."""
        return super().forward(x, training).reshape(len(x), self.y.shape[-1])

    def backward(self, dy):
        """Return the gradient of the images."""
        one_place = self.given((len(dy), *(1,) * self.rank, dy.shape[-1]))
        return super().backward(dy.reshape(one_place))


# ---- the layers -------------------------------------------------------------------


class MaxPooling1D(Largest, Pooling):
    """
    The largest number in each window of a sequence: (N, T, K) -> (N, T', K).

    Parameters and errors are those of `Pooling`.

    Examples
    --------
    >>> MaxPooling1D(padding="same")([[[1.0], [3.0], [2.0], [5.0], [4.0]]]).ravel()
    array([3., 5., 4.], dtype=float32)
    """

    rank = 1
    only_launches = True


class MaxPooling2D(Largest, Pooling):
    """
    The largest number in each window of an image: (N, R, C, K) -> (N, R', C', K).

    Parameters and errors are those of `Pooling`.

    Examples
    --------
    >>> MaxPooling2D(2)(np.arange(16.0).reshape(1, 4, 4, 1)).reshape(2, 2)
    array([[ 5.,  7.],
           [13., 15.]], dtype=float32)
    """

    rank = 2
    only_launches = True


class MaxPooling3D(Largest, Pooling):
    """
    The largest number in a window of a volume: (N, D, R, C, K) -> (N, D', R', C', K).

    Parameters and errors are those of `Pooling`.

    Examples
    --------
    >>> MaxPooling3D((1, 2, 2))(np.zeros((5, 3, 8, 8, 2))).shape
    (5, 3, 4, 4, 2)
    """

    rank = 3
    only_launches = True


class AveragePooling1D(Mean, Pooling):
    """
    The mean in each window of a sequence: (N, T, K) -> (N, T', K).

    Parameters and errors are those of `Pooling`.

    Examples
    --------
    >>> AveragePooling1D(padding="same")([[[1.0], [3.0], [2.0], [5.0], [4.0]]]).ravel()
    array([2. , 3.5, 4. ], dtype=float32)
    """

    rank = 1
    only_launches = True


class AveragePooling2D(Mean, Pooling):
    """
    The mean in each window of an image: (N, R, C, K) -> (N, R', C', K).

    Parameters and errors are those of `Pooling`.

    Examples
    --------
    >>> AveragePooling2D(2)(np.arange(16.0).reshape(1, 4, 4, 1)).reshape(2, 2)
    array([[ 2.5,  4.5],
           [10.5, 12.5]], dtype=float32)
    """

    rank = 2
    only_launches = True


class AveragePooling3D(Mean, Pooling):
    """
    The mean in each window of a volume: (N, D, R, C, K) -> (N, D', R', C', K).

    Parameters and errors are those of `Pooling`.

    Examples
    --------
    >>> AveragePooling3D(3, strides=1)(np.zeros((5, 3, 8, 8, 2))).shape
    (5, 1, 6, 6, 2)
    """

    rank = 3
    only_launches = True


class GlobalMaxPooling1D(Largest, GlobalPooling):
    """
    The largest number of each channel of a sequence: (N, T, K) -> (N, K).

    Parameters are those of `GlobalPooling`.

    Examples
    --------
    >>> GlobalMaxPooling1D()([[[1.0, 8.0], [3.0, 2.0]]])
    array([[3., 8.]], dtype=float32)
    """

    rank = 1
    only_launches = True


class GlobalMaxPooling2D(Largest, GlobalPooling):
    """
    The largest number of each channel of an image: (N, R, C, K) -> (N, K).

    Parameters are those of `GlobalPooling`.

    Examples
    --------
    >>> GlobalMaxPooling2D()(np.arange(8.0).reshape(1, 2, 2, 2))
    array([[6., 7.]], dtype=float32)
    """

    rank = 2
    only_launches = True


class GlobalMaxPooling3D(Largest, GlobalPooling):
    """
    The largest number of each channel of a volume: (N, D, R, C, K) -> (N, K).

    Parameters are those of `GlobalPooling`.

    Examples
    --------
    >>> GlobalMaxPooling3D("channels_first")(np.zeros((5, 2, 3, 8, 8))).shape
    (5, 2)
    """

    rank = 3
    only_launches = True


class GlobalAveragePooling1D(Mean, GlobalPooling):
    """
    The mean over the steps of a sequence: (N, T, K) -> (N, K).

    With a mask, y = sum over t of m x / sum over t of m: masked steps count nothing,
    whatever they hold, and the mean of a sequence without a step that counts is 0. (In
    Keras it is NaN, and one empty sequence spoils all weights.) The mask ends here.

    Parameters are those of `GlobalPooling`.

    Examples
    --------
    >>> GlobalAveragePooling1D()([[[1.0, 8.0], [3.0, 2.0]]])
    array([[2., 5.]], dtype=float32)
    """

    masking = "consume"
    rank = 1
    only_launches = True

    def pool(self, y, x, *windows):
        """Fill y with the means of the steps that count."""
        if self.mask is None:
            return super().pool(y, x, *windows)
        ops.masked_average_forward(y[:, 0, 0, 0], x[:, 0, 0], self.mask)

    def unpool(self, dx, dy, *windows):
        """Share each gradient evenly between the steps that count."""
        if self.mask is None:
            return super().unpool(dx, dy, *windows)
        ops.masked_average_backward(dx[:, 0, 0], dy[:, 0, 0, 0], self.mask)


class GlobalAveragePooling2D(Mean, GlobalPooling):
    """
    The mean of each channel of an image: (N, R, C, K) -> (N, K).

    Parameters are those of `GlobalPooling`.

    Examples
    --------
    >>> GlobalAveragePooling2D()(np.arange(8.0).reshape(1, 2, 2, 2))
    array([[3., 4.]], dtype=float32)
    """

    rank = 2
    only_launches = True


class GlobalAveragePooling3D(Mean, GlobalPooling):
    """
    The mean of each channel of a volume: (N, D, R, C, K) -> (N, K).

    Parameters are those of `GlobalPooling`.

    Examples
    --------
    >>> GlobalAveragePooling3D("channels_first")(np.zeros((5, 2, 3, 8, 8))).shape
    (5, 2)
    """

    rank = 3
    only_launches = True


MaxPool1D, MaxPool2D, MaxPool3D = MaxPooling1D, MaxPooling2D, MaxPooling3D
AvgPool1D, AvgPool2D, AvgPool3D = AveragePooling1D, AveragePooling2D, AveragePooling3D
GlobalMaxPool1D, GlobalMaxPool2D, GlobalMaxPool3D = (
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    GlobalMaxPooling3D,
)
GlobalAvgPool1D, GlobalAvgPool2D, GlobalAvgPool3D = (
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalAveragePooling3D,
)
