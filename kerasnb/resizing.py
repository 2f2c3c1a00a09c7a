"""
Layers that change the size of images: Cropping, ZeroPadding, UpSampling.

`Cropping` and `ZeroPadding` are each other's gradient: what one cuts off, the other
fills with zeros. The classes below them say how many axes there are, and which
arguments are usual. Read next: `kernels/plain/resizing.py`, the loops.
"""

from __future__ import annotations

import numpy as np

from .device import ops
from .spatial import Resampling, per_axis
from .utils import lookup

__all__ = [
    "Cropping1D",
    "Cropping2D",
    "Cropping3D",
    "ZeroPadding1D",
    "ZeroPadding2D",
    "ZeroPadding3D",
    "UpSampling1D",
    "UpSampling2D",
    "UpSampling3D",
]

INTERPOLATIONS = {name: name for name in ("nearest", "bilinear")}

Pairs = tuple[tuple[int, ...], ...]  # for each axis: before, after


def pairs(value, rank: int, what: str) -> Pairs:
    """
    Return two integers for each axis: how much before and how much after.

    Parameters
    ----------
    value : int, or sequence
        One integer for all; or one entry per axis, an integer for both ends or a pair.
        With a single axis the pair itself.
    rank : int
        Number of axes.
    what : str
        Name of the argument, for the message.

    Raises
    ------
    ValueError
        If the value is none of these, or an integer is negative.

    Examples
    --------
    >>> pairs((1, (2, 3)), 2, "cropping")
    ((1, 1), (2, 3))
    """
    several = np.iterable(value) and rank > 1
    entries = list(value) if several else [value] * rank
    try:
        found = tuple(per_axis(entry, 2, what, 0) for entry in entries)
    except ValueError:
        found = ()
    if len(found) != rank:
        forms = "an integer, 2 integers" if rank == 1 else f"an integer, {rank} of them"
        more = "" if rank == 1 else f" or {rank} pairs (before, after)"
        raise ValueError(f"{what}: expected {forms}{more}, from 0 on, got {value!r}.")
    return found


def as_lists(amounts: Pairs) -> list:
    """Return pairs as a configuration holds them; those of one axis are the pair."""
    lists = [list(pair) for pair in amounts]
    return lists[0] if len(lists) == 1 else lists


def rows(a: np.ndarray) -> np.ndarray:
    """Return images (N, D, R, C, K) with the pixels of a row side by side."""
    return a.reshape(*a.shape[:3], a.shape[3] * a.shape[4])


class Resizing(Resampling):
    """Base class of the layers here."""

    operations_per_number = 0  # they copy

    def starts(self, amounts: Pairs, channels: int) -> tuple[int, ...]:
        """Return how many slices, rows, and numbers of a row come before an image."""
        d, r, c = self.three(tuple(before for before, _ in amounts), 0)
        return d, r, c * channels

    def get_config(self):
        """Return the arguments that Keras knows too: no data_format for sequences."""
        config = super().get_config()
        if self.rank == 1 and not self.channels_first:
            del config["data_format"]
        return config


class Cropping(Resizing):
    """
    Cut off the edges of images.

    forward     y[n, r, c, k] = x[n, r + top, c + left, k]
    backward    dx = dy where x was kept, 0 where it was cut off

    Parameters
    ----------
    cropping : int, or sequence
        How many pixels: an integer for all edges, or for each axis an integer or a pair
        (before, after). With one axis, two integers are the pair.
    data_format : str, optional
        'channels_last' or 'channels_first'.

    Raises
    ------
    ValueError
        If an argument is not of these kinds, or nothing of the image is left.
    """

    def __init__(self, cropping=1, data_format=None, **kwargs):
        super().__init__(data_format, **kwargs)
        self.cropping = pairs(cropping, self.rank, f"{self.name}: cropping")

    def resized(self, sizes):
        """Subtract what is cut off."""
        found = tuple(
            None if size is None else size - sum(pair)
            for size, pair in zip(sizes, self.cropping)
        )
        if any(size is not None and size < 1 for size in found):
            raise ValueError(
                f"{self.name}: cropping={as_lists(self.cropping)} leaves nothing of an "
                f"input of {sizes}. Cut off less, or give larger images."
            )
        return found

    def fill(self, y, x):
        """Copy what is kept."""
        ops.crop_images(rows(y), rows(x), self.starts(self.cropping, x.shape[-1]))

    def spread(self, dx, dy):
        """Put the gradient where x was kept."""
        ops.pad_images(rows(dx), rows(dy), self.starts(self.cropping, dx.shape[-1]))

    def get_config(self):
        """Return the constructor's arguments as plain values."""
        return {**super().get_config(), "cropping": as_lists(self.cropping)}


class ZeroPadding(Resizing):
    """
    Add zeros around images.

    forward     y[n, r + top, c + left, k] = x[n, r, c, k],  0 elsewhere
    backward    dx = dy where x was put

    Parameters
    ----------
    padding : int, or sequence
        How many zeros: an integer for all edges, or for each axis an integer or a pair
        (before, after). With one axis, two integers are the pair.
    data_format : str, optional
        'channels_last' or 'channels_first'.

    Raises
    ------
    ValueError
        If an argument is not of these kinds.
    """

    def __init__(self, padding=1, data_format=None, **kwargs):
        super().__init__(data_format, **kwargs)
        self.padding = pairs(padding, self.rank, f"{self.name}: padding")

    def resized(self, sizes):
        """Add the zeros."""
        return tuple(
            None if size is None else size + sum(pair)
            for size, pair in zip(sizes, self.padding)
        )

    def fill(self, y, x):
        """Copy x, with zeros around."""
        ops.pad_images(rows(y), rows(x), self.starts(self.padding, x.shape[-1]))

    def spread(self, dx, dy):
        """Copy the gradient of what is not zero by design."""
        ops.crop_images(rows(dx), rows(dy), self.starts(self.padding, dx.shape[-1]))

    def get_config(self):
        """Return the constructor's arguments as plain values."""
        return {**super().get_config(), "padding": as_lists(self.padding)}


class UpSampling(Resizing):
    """
    Repeat every pixel along each axis.

    forward     y[n, r, c, k] = x[n, r // size[0], c // size[1], k]
    backward    dx = sum of dy over the copies

    Parameters
    ----------
    size : int or tuple
        How often; an integer stands for every axis.
    data_format : str, optional
        'channels_last' or 'channels_first'.

    Raises
    ------
    ValueError
        If an argument is not of these kinds.
    """

    def __init__(self, size=2, data_format=None, **kwargs):
        super().__init__(data_format, **kwargs)
        self.size = per_axis(size, self.rank, f"{self.name}: size")

    def resized(self, sizes):
        """Multiply."""
        return tuple(
            None if size is None else size * factor
            for size, factor in zip(sizes, self.size)
        )

    def fill(self, y, x):
        """Repeat pixels."""
        ops.upsample_nearest_forward(y, x, self.three(self.size))

    def spread(self, dx, dy):
        """Sum over the copies."""
        ops.upsample_nearest_backward(dx, dy, self.three(self.size))

    def get_config(self):
        """Return the constructor's arguments as plain values."""
        size = self.size[0] if self.rank == 1 else list(self.size)
        return {**super().get_config(), "size": size}


# ---- the layers -------------------------------------------------------------------


class Cropping1D(Cropping):
    """
    Cut off steps at both ends of sequences: (N, T, K) -> (N, T', K).

    Parameters and errors are those of `Cropping`.

    Examples
    --------
    >>> Cropping1D((1, 2))([[[1.0], [2.0], [3.0], [4.0], [5.0]]]).ravel()
    array([2., 3.], dtype=float32)
    """

    rank = 1
    only_launches = True


class Cropping2D(Cropping):
    """
    Cut off the edges of images: (N, R, C, K) -> (N, R', C', K); by default nothing.

    Parameters and errors are those of `Cropping`.

    Examples
    --------
    >>> Cropping2D(((1, 0), (0, 2)))(np.zeros((5, 8, 8, 3))).shape
    (5, 7, 6, 3)
    """

    rank = 2
    only_launches = True

    def __init__(self, cropping=0, data_format=None, **kwargs):
        super().__init__(cropping, data_format, **kwargs)


class Cropping3D(Cropping):
    """
    Cut off the faces of volumes: (N, D, R, C, K) -> (N, D', R', C', K).

    Parameters and errors are those of `Cropping`.

    Examples
    --------
    >>> Cropping3D((1, 2, (0, 3)))(np.zeros((5, 8, 8, 8, 1))).shape
    (5, 6, 4, 5, 1)
    """

    rank = 3
    only_launches = True


class ZeroPadding1D(ZeroPadding):
    """
    Add steps of zeros at both ends of sequences: (N, T, K) -> (N, T', K).

    Parameters and errors are those of `ZeroPadding`.

    Examples
    --------
    >>> ZeroPadding1D((1, 2))([[[5.0], [6.0]]]).ravel()
    array([0., 5., 6., 0., 0.], dtype=float32)
    """

    rank = 1
    only_launches = True


class ZeroPadding2D(ZeroPadding):
    """
    Add zeros around images: (N, R, C, K) -> (N, R', C', K).

    Parameters and errors are those of `ZeroPadding`. The two forms of Keras 1, (top,
    bottom, left, right) and a dict of 'top_pad', 'bottom_pad', 'left_pad', 'right_pad',
    are understood as well, with a warning: see `renames.py`.

    Examples
    --------
    >>> ZeroPadding2D((0, 1))(np.ones((1, 1, 2, 1))).reshape(1, 4)
    array([[0., 1., 1., 0.]], dtype=float32)
    """

    rank = 2
    only_launches = True


class ZeroPadding3D(ZeroPadding):
    """
    Add zeros around volumes: (N, D, R, C, K) -> (N, D', R', C', K).

    Parameters and errors are those of `ZeroPadding`.

    Examples
    --------
    >>> ZeroPadding3D((1, 2, (0, 3)))(np.zeros((5, 8, 8, 8, 1))).shape
    (5, 10, 12, 11, 1)
    """

    rank = 3
    only_launches = True


class UpSampling1D(UpSampling):
    """
    Repeat every step of sequences: (N, T, K) -> (N, T', K).

    Parameters and errors are those of `UpSampling`.

    Examples
    --------
    >>> UpSampling1D(2)([[[1.0], [2.0]]]).ravel()
    array([1., 1., 2., 2.], dtype=float32)
    """

    rank = 1
    only_launches = True


class UpSampling2D(UpSampling):
    """
    Repeat the pixels of images, or mix new ones: (N, R, C, K) -> (N, R', C', K).

    With 'bilinear' the row r of the output stands at r / size[0] of the input and mixes
    the two rows around (the last stands for what is beyond), and so for columns;
    backward shares dy between them in the same proportions.

    Parameters
    ----------
    size : int or tuple
        How often; an integer stands for both axes.
    data_format : str, optional
        'channels_last' or 'channels_first'.
    interpolation : str
        'nearest' (repeat) or 'bilinear'.

    Examples
    --------
    >>> UpSampling2D((1, 2), interpolation="bilinear")([[[[0.0], [10.0]]]]).ravel()
    array([ 0.,  5., 10., 10.], dtype=float32)
    """

    rank = 2
    only_launches = True

    def __init__(self, size=2, data_format=None, interpolation="nearest", **kwargs):
        super().__init__(size, data_format, **kwargs)
        what = f"interpolation of {self.name}:"
        self.interpolation = lookup(interpolation, INTERPOLATIONS, what)
        if self.interpolation == "bilinear":
            self.operations_per_number = 7  # four shares, added up

    def fill(self, y, x):
        """Repeat or mix pixels."""
        if self.interpolation == "nearest":
            return super().fill(y, x)
        ops.upsample_bilinear_forward(y[:, 0], x[:, 0], self.size)

    def spread(self, dx, dy):
        """Sum over the copies, or over the shares."""
        if self.interpolation == "nearest":
            return super().spread(dx, dy)
        ops.upsample_bilinear_backward(dx[:, 0], dy[:, 0], self.size)

    def get_config(self):
        """Return the constructor's arguments as plain values."""
        return {**super().get_config(), "interpolation": self.interpolation}


class UpSampling3D(UpSampling):
    """
    Repeat every cell of volumes: (N, D, R, C, K) -> (N, D', R', C', K).

    Parameters and errors are those of `UpSampling`.

    Examples
    --------
    >>> UpSampling3D((1, 2, 3))(np.zeros((5, 2, 2, 2, 1))).shape
    (5, 2, 4, 6, 1)
    """

    rank = 3
    only_launches = True
