"""
Augmentation: no epoch shows an image twice in the same way, so a model cannot learn it.

`ImageDataGenerator` draws a variation from a seed, applies it to an image, and brings
the numbers to a standard scale. Rotation, shift, shear and zoom are one matrix, so an
image is interpolated only once. Read next: `image_iterators.py` for the batches,
`kernels/plain/images.py` for the pixels.
"""

from __future__ import annotations

import functools
import math
import numbers
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import random
from .data import as_array
from .device import ops
from .image_iterators import DirectoryIterator, NumpyArrayIterator, checked_images
from .kernels.plain.images import FILL_MODES
from .renames import bilingual
from .standardization import Standardizer, finite_number
from .utils import lookup, positive_integer

UNCHANGED = {
    "theta": 0.0,
    "tx": 0.0,
    "ty": 0.0,
    "shear": 0.0,
    "zx": 1.0,
    "zy": 1.0,
    "flip_horizontal": False,
    "flip_vertical": False,
    "channel_shift_intencity": None,  # so written in Keras
    "brightness": None,
}
"""The variation that changes nothing: what `apply_transform` takes, by name."""

IN_PLACE = np.eye(3)[:2]


class ImageDataGenerator(Standardizer):
    """
    Draws random variations of images, and brings their numbers to a standard scale.

    An image is first turned, shifted, sheared and zoomed about its centre, then tinted,
    mirrored and lit, and at last standardised in this order: `preprocessing_function`,
    `rescale`, samplewise, featurewise, whitening. Numbers are of type `dtype`; images
    that come in are never modified.

    Parameters
    ----------
    featurewise_center, featurewise_std_normalization : bool
        Subtract the mean of each channel over the data set, divide by its standard
        deviation: `fit` computes them.
    samplewise_center, samplewise_std_normalization : bool
        Subtract the mean of each image, divide by its standard deviation.
    zca_whitening : bool
        Remove the correlations between pixels, which `fit` computes.
    zca_epsilon : float
        Added to the variances when whitening, so that small ones do not explode.
    rotation_range : float
        Rotate by up to so many degrees either way; positive angles turn clockwise.
    width_shift_range, height_shift_range : float, int or list
        A float below 1 is a fraction of the size, from 1 on a number of pixels: shift
        by up to so much either way. An int n means whole pixels from 1 - n to n - 1. Of
        a list one element is chosen. Positive shifts move the picture left and up.
    brightness_range : (float, float), optional
        Multiply all numbers by a factor between these two. Nothing is cut off.
    shear_range : float
        Slant by up to so many degrees either way.
    zoom_range : float or (float, float)
        Scale rows and columns by two factors between these two; a float r means
        (1 - r, 1 + r). A factor below 1 enlarges the picture.
    channel_shift_range : float
        Add up to so much, either way, to all numbers, within the range of the image.
    fill_mode : str
        What lies beyond the edges: 'nearest', 'constant', 'reflect' or 'wrap', as in
        scipy.ndimage.
    cval : float
        The number beyond the edges if `fill_mode` is 'constant'.
    horizontal_flip, vertical_flip : bool
        Mirror every other image, left to right or top to bottom.
    rescale : float, optional
        Multiply all numbers by this.
    preprocessing_function : callable, optional
        Takes one image, returns one of the same shape.
    data_format : str, optional
        'channels_last' (default) or 'channels_first'.
    validation_split : float
        The first fraction of the samples is `subset='validation'` of the flows.
    dtype : str, optional
        'float32' or 'float64'; default: `floatx()`.

    Attributes
    ----------
    mean, std, principal_components : array or None
        What `fit` computed.

    Raises
    ------
    ValueError, TypeError
        If an argument makes no sense; the message says which and why.

    Examples
    --------
    >>> x = np.arange(32.0).reshape(2, 4, 4, 1)
    >>> images = ImageDataGenerator(rotation_range=20, rescale=1 / 32)
    >>> flow = images.flow(x, y=[0, 1], batch_size=2, seed=1)
    >>> x_batch, y_batch = flow[0]
    >>> x_batch.shape, x_batch.dtype.name
    ((2, 4, 4, 1), 'float32')
    """

    @functools.partial(bilingual, constructs=True)
    def __init__(
        self,
        featurewise_center: bool = False,
        samplewise_center: bool = False,
        featurewise_std_normalization: bool = False,
        samplewise_std_normalization: bool = False,
        zca_whitening: bool = False,
        zca_epsilon: float = 1e-6,
        rotation_range: float = 0.0,
        width_shift_range: Any = 0.0,
        height_shift_range: Any = 0.0,
        brightness_range: Sequence[float] | None = None,
        shear_range: float = 0.0,
        zoom_range: float | Sequence[float] = 0.0,
        channel_shift_range: float = 0.0,
        fill_mode: str = "nearest",
        cval: float = 0.0,
        horizontal_flip: bool = False,
        vertical_flip: bool = False,
        rescale: float | None = None,
        preprocessing_function: Callable | None = None,
        data_format: str | None = None,
        validation_split: float = 0.0,
        dtype: str | None = None,
    ) -> None:
        super().__init__(
            featurewise_center,
            samplewise_center,
            featurewise_std_normalization,
            samplewise_std_normalization,
            zca_whitening,
            zca_epsilon,
            rescale,
            preprocessing_function,
            data_format,
            dtype,
        )
        self.rotation_range = finite_number("rotation_range", rotation_range)
        self.width_shift_range = _shifts("width_shift_range", width_shift_range)
        self.height_shift_range = _shifts("height_shift_range", height_shift_range)
        self.brightness_range = None
        if brightness_range is not None:
            self.brightness_range = _interval("brightness_range", brightness_range)
        self.shear_range = finite_number("shear_range", shear_range)
        self.zoom_range = _zooms(zoom_range)
        self.channel_shift_range = finite_number(
            "channel_shift_range", channel_shift_range
        )
        lookup(fill_mode, FILL_MODES, "fill_mode")
        self.fill_mode = fill_mode
        self.cval = finite_number("cval", cval)
        self.horizontal_flip = horizontal_flip
        self.vertical_flip = vertical_flip
        self.validation_split = _fraction(validation_split)

    # ---- batches ------------------------------------------------------------------

    def flow(
        self,
        x: Any,
        y: Any = None,
        batch_size: int = 32,
        shuffle: bool = True,
        sample_weight: Any = None,
        seed: int | None = None,
        save_to_dir: str | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        subset: str | None = None,
    ) -> NumpyArrayIterator:
        """
        Return batches of varied images from arrays; see `NumpyArrayIterator`.

        Examples
        --------
        >>> x = np.zeros((5, 8, 8, 1))
        >>> flow = ImageDataGenerator(horizontal_flip=True).flow(x, batch_size=2)
        >>> len(flow), next(flow).shape
        (3, (2, 8, 8, 1))
        """
        return NumpyArrayIterator(
            x,
            y,
            self,
            batch_size=batch_size,
            shuffle=shuffle,
            sample_weight=sample_weight,
            seed=seed,
            save_to_dir=save_to_dir,
            save_prefix=save_prefix,
            save_format=save_format,
            subset=subset,
        )

    def flow_from_directory(
        self,
        directory: str,
        target_size: tuple[int, int] = (256, 256),
        color_mode: str = "rgb",
        classes: Sequence[str] | None = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        save_to_dir: str | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        follow_links: bool = False,
        subset: str | None = None,
        interpolation: str = "nearest",
    ) -> DirectoryIterator:
        """Return batches of varied images from files; see `DirectoryIterator`."""
        return DirectoryIterator(
            directory,
            self,
            target_size=target_size,
            color_mode=color_mode,
            classes=classes,
            class_mode=class_mode,
            batch_size=batch_size,
            shuffle=shuffle,
            seed=seed,
            save_to_dir=save_to_dir,
            save_prefix=save_prefix,
            save_format=save_format,
            follow_links=follow_links,
            subset=subset,
            interpolation=interpolation,
        )

    # ---- variations ---------------------------------------------------------------

    def get_random_transform(
        self, img_shape: Sequence[int], seed: int | None = None
    ) -> dict[str, Any]:
        """
        Draw a variation: what `apply_transform` takes.

        Every quantity has its own place in the stream of random numbers, so generators
        with different options draw the same angle from the same seed.

        Parameters
        ----------
        img_shape : tuple of int
            Shape of the image, in the `data_format`.
        seed : int, optional
            Default: the process-wide stream goes on.

        Returns
        -------
        dict
            `theta` and `shear` in degrees; `tx`, `ty` in rows and columns; `zx`, `zy`
            of rows and columns; `flip_horizontal`, `flip_vertical`;
            `channel_shift_intencity` and `brightness`, None if there is no such range.
        """
        if len(img_shape) != 3:
            raise ValueError(
                "get_random_transform: expected the shape of one image, three numbers, "
                f"got {tuple(img_shape)}. Leave the batch axis out."
            )
        stream = random.generator() if seed is None else random.Generator(seed)
        angle, down, along, slant, tall, wide, tint, light, mirror, turn = (
            stream.uniform(10, dtype="float64").tolist()
        )
        rows, columns = (img_shape[axis - 1] for axis in self._all_but_channels[1:])
        tint = _between(-self.channel_shift_range, self.channel_shift_range, tint)
        lit = self.brightness_range
        return {
            "theta": _between(-self.rotation_range, self.rotation_range, angle),
            "tx": _drawn_shift(self.height_shift_range, rows, down),
            "ty": _drawn_shift(self.width_shift_range, columns, along),
            "shear": _between(-self.shear_range, self.shear_range, slant),
            "zx": _between(*self.zoom_range, tall),
            "zy": _between(*self.zoom_range, wide),
            "flip_horizontal": self.horizontal_flip and mirror < 0.5,
            "flip_vertical": self.vertical_flip and turn < 0.5,
            "channel_shift_intencity": tint if self.channel_shift_range else None,
            "brightness": None if lit is None else _between(*lit, light),
        }

    def apply_transform(
        self, x: Any, transform_parameters: dict[str, Any]
    ) -> np.ndarray:
        """
        Return a varied copy of an image.

        Parameters
        ----------
        x : array of three axes
        transform_parameters : dict
            See `get_random_transform`; what is left out changes nothing.

        Raises
        ------
        ValueError
            If x is not one image or a parameter is unknown.

        Examples
        --------
        >>> image = np.arange(3.0).reshape(1, 3, 1)
        >>> flipped = ImageDataGenerator().apply_transform(
        ...     image, {"flip_horizontal": True}
        ... )
        >>> flipped.ravel()
        array([2., 1., 0.], dtype=float32)
        """
        for name in transform_parameters:
            lookup(name, UNCHANGED, "parameter of apply_transform")
        change = {**UNCHANGED, **transform_parameters}
        image = as_array(x, "apply_transform: x")
        if image.ndim != 3 or 0 in image.shape:
            raise ValueError(
                "apply_transform: expected one image, an array of three axes, got "
                f"shape {image.shape}. Pass x[i] of a batch x."
            )
        first = self.data_format == "channels_first"
        image = np.moveaxis(image, 0, -1) if first else image
        image = self._varied(np.array(image, self.dtype, order="C"), change)
        return np.ascontiguousarray(np.moveaxis(image, -1, 0) if first else image)

    def random_transform(self, x: Any, seed: int | None = None) -> np.ndarray:
        """Return a varied copy of an image; the seed decides which."""
        return self.apply_transform(x, self.get_random_transform(np.shape(x), seed))

    def _varied(self, image: np.ndarray, change: dict[str, Any]) -> np.ndarray:
        """Return a changed image, channels last; the one given may be overwritten."""
        placing = {name: change[name] for name in list(UNCHANGED)[:6]}
        matrix = affine_matrix(*image.shape[:2], **placing)
        if not np.array_equal(matrix, IN_PLACE):
            x, image = image, np.empty_like(image)
            ops.affine_transform(
                image, x, matrix, FILL_MODES[self.fill_mode], self.cval
            )
        if change["channel_shift_intencity"] is not None:
            low, high = image.min(), image.max()
            image += self.dtype.type(change["channel_shift_intencity"])
            image = image.clip(low, high)
        if change["flip_horizontal"]:
            image = image[:, ::-1]
        if change["flip_vertical"]:
            image = image[::-1]
        if change["brightness"] is not None:
            image = image * self.dtype.type(change["brightness"])
        return image

    # ---- statistics ---------------------------------------------------------------

    def fit(
        self, x: Any, augment: bool = False, rounds: int = 1, seed: int | None = None
    ) -> None:
        """
        Compute the statistics that featurewise options and whitening need.

        They describe the images as those options will meet them: after
        `preprocessing_function`, `rescale` and the samplewise options.

        Parameters
        ----------
        x : array (N, rows, columns, channels), or (N, channels, rows, columns)
        augment : bool
            Take `rounds` random variations of each image instead of the images.
        rounds : int
        seed : int, optional
            Decides the variations; default: the process-wide stream goes on.

        Raises
        ------
        ValueError
            If x does not have four axes.

        Examples
        --------
        >>> x = np.arange(8.0).reshape(2, 2, 2, 1)
        >>> images = ImageDataGenerator(featurewise_center=True)
        >>> images.fit(x)
        >>> float(images.mean.item()), float(images.standardize(x).mean())
        (3.5, 0.0)
        """
        x = checked_images(x, "fit", self.data_format)
        if augment:
            rounds = positive_integer(rounds, "fit: rounds")
            stream = random.generator() if seed is None else random.Generator(seed)
            turns = [image for _ in range(rounds) for image in x]
            x = np.array([self.random_transform(i, stream.spawn()) for i in turns])
        super().fit(x)


def affine_matrix(
    rows: int,
    columns: int,
    theta: float = 0.0,
    tx: float = 0.0,
    ty: float = 0.0,
    shear: float = 0.0,
    zx: float = 1.0,
    zy: float = 1.0,
) -> np.ndarray:
    """
    Return the (2, 3) matrix that leads from a pixel (row, column, 1) to its source.

    The product centre . rotation . shift . shear . zoom . centre^-1: it is applied to
    the places of the result, from right to left, so a `theta` of 90 brings what is on
    top to the right, a `tx` of 1 lets row 0 show row 1, a `zx` of 0.5 shows the middle
    half of the rows.

    Parameters
    ----------
    rows, columns : int
        Size of the image, whose centre is at ((rows - 1) / 2, (columns - 1) / 2).
    theta, shear : float
        Angles in degrees.
    tx, ty : float
        Shift in rows and in columns.
    zx, zy : float
        Factors of rows and of columns.

    Examples
    --------
    >>> affine_matrix(4, 4, theta=90)
    array([[ 0., -1.,  3.],
           [ 1.,  0.,  0.]])
    """
    cos, sin = _cos_and_sin(theta)
    upright, slant = _cos_and_sin(shear)
    r, c = (rows - 1) / 2, (columns - 1) / 2
    matrix = np.array([[cos, -sin, r], [sin, cos, c], [0, 0, 1]])
    for factor in (
        [[1, 0, tx], [0, 1, ty], [0, 0, 1]],
        [[1, -slant, 0], [0, upright, 0], [0, 0, 1]],
        [[zx, 0, 0], [0, zy, 0], [0, 0, 1]],
        [[1, 0, -r], [0, 1, -c], [0, 0, 1]],
    ):
        matrix = matrix @ np.array(factor, np.float64)
    return np.ascontiguousarray(matrix[:2]) + 0.0  # no -0


def _cos_and_sin(degrees: float) -> tuple[float, float]:
    """Return both, exact for right angles, so that no edge falls off the image."""
    angle = math.radians(degrees)
    return round(math.cos(angle), 15), round(math.sin(angle), 15)


def _between(low: float, high: float, u: float) -> float:
    return low + (high - low) * u


def _drawn_shift(choice: Any, size: int, u: float) -> float:
    """Return a shift in pixels: see width_shift_range."""
    if isinstance(choice, float):
        return _between(-choice, choice, u) * (size if abs(choice) < 1 else 1)
    if isinstance(choice, int):
        choice = range(1 - choice, choice)
    shift = choice[int(u * len(choice))]
    return float(shift * size if max(map(abs, choice)) < 1 else shift)


# ---- what may be passed -----------------------------------------------------------


def _interval(name: str, value: Any) -> tuple[float, float]:
    """Return two numbers, not negative, the smaller one first."""
    try:
        limits = sorted(finite_number(name, limit, 0) for limit in value)
    except (TypeError, ValueError):
        limits = []
    if len(limits) != 2:
        raise ValueError(
            f"{name}: expected two numbers (low, high), none of them negative, got "
            f"{value!r}."
        )
    return limits[0], limits[1]


def _zooms(value: Any) -> tuple[float, float]:
    if isinstance(value, numbers.Real):
        low, high = 1 - abs(float(value)), 1 + abs(float(value))
    else:
        low, high = _interval("zoom_range", value)
    if not (low > 0 and math.isfinite(high)):
        raise ValueError(
            "zoom_range: expected a number below 1, or two factors above 0, got "
            f"{value!r}."
        )
    return low, high


def _shifts(name: str, value: Any) -> float | int | list[float]:
    """Return a float, a positive int, or a list with an element."""
    if isinstance(value, numbers.Integral):
        value = int(finite_number(name, value, 0))
        return value or 0.0
    if isinstance(value, numbers.Real):
        return finite_number(name, value)
    choice = np.asarray(value)
    if choice.ndim != 1 or not choice.size or choice.dtype.kind not in "fiu":
        raise ValueError(
            f"{name}: expected a fraction of the size, a number of pixels, or a list "
            f"of numbers to choose from, got {value!r}."
        )
    return [finite_number(name, shift) for shift in choice.tolist()]


def _fraction(value: Any) -> float:
    if not 0 <= finite_number("validation_split", value) < 1:
        raise ValueError(
            "validation_split: expected a fraction of the samples, from 0 to below 1, "
            f"got {value!r}."
        )
    return float(value)
