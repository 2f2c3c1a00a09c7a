"""
Image files and arrays: `load_img`, `img_to_array` and `array_to_img`.

An image in a program is an array of floats, an image in a file is one of Pillow's: the
three functions lead from one to the other. Pillow is an extra, imported by the first
call. Read next: `image_iterators.py`, which reads whole folders.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from . import device
from .extras import import_extra
from .renames import bilingual
from .utils import lookup, positive_integer

COLOR_MODES = {"grayscale": ("L", 1), "rgb": ("RGB", 3), "rgba": ("RGBA", 4)}
"""Name -> what Pillow calls it, and the number of channels."""

INTERPOLATIONS = dict.fromkeys(
    ("nearest", "bilinear", "bicubic", "lanczos", "box", "hamming")
)
FORMATS = {name: name for name in ("channels_last", "channels_first")}


def load_img(
    path: Any,
    grayscale: bool = False,
    color_mode: str = "rgb",
    target_size: tuple[int, int] | None = None,
    interpolation: str = "nearest",
) -> Any:
    """
    Read an image file.

    Parameters
    ----------
    path : str or PathLike
    grayscale : bool
        An older word for `color_mode='grayscale'`.
    color_mode : str
        'grayscale', 'rgb' or 'rgba'.
    target_size : (rows, columns), optional
        Default: the size of the file.
    interpolation : str
        How the size is changed: 'nearest', 'bilinear', 'bicubic', 'lanczos', 'box' or
        'hamming'.

    Returns
    -------
    PIL.Image.Image
        `img_to_array` makes an array of it.

    Raises
    ------
    ImportError
        If Pillow is not installed.
    OSError
        If there is no such file, or Pillow cannot read it.
    """
    image = pillow("load_img")
    mode = "grayscale" if grayscale else color_mode
    wanted, _ = lookup(mode, COLOR_MODES, "color_mode of load_img:")
    lookup(interpolation, INTERPOLATIONS, "interpolation of load_img:")
    size = None if target_size is None else rows_and_columns(target_size)
    with image.open(os.fspath(path)) as file:
        picture = file.convert(wanted)
    if size is None or picture.size == size[::-1]:
        return picture
    filtering = getattr(image.Resampling, interpolation.upper())
    return picture.resize(size[::-1], filtering)


@bilingual
def img_to_array(
    img: Any, data_format: str | None = None, dtype: str | None = None
) -> np.ndarray:
    """
    Return an image of Pillow as floats from 0 to 255, with an axis of channels.

    Parameters
    ----------
    img : PIL.Image.Image or array
    data_format : str, optional
        'channels_last' or 'channels_first'; default: the common one.
    dtype : str, optional
        Default: `kerasnb.floatx()`.

    Raises
    ------
    ValueError
        If it has neither two axes nor three.

    Examples
    --------
    >>> img_to_array(np.zeros((5, 4), "uint8"), "channels_first").shape
    (1, 5, 4)
    """
    data_format = _format(data_format, "img_to_array")
    x = np.asarray(img, dtype or device.floatx())
    if x.ndim not in (2, 3):
        raise ValueError(
            "img_to_array: expected an image with rows, columns and perhaps channels, "
            f"got an array of shape {x.shape}."
        )
    if x.ndim == 2:
        x = x[..., None]
    channels_first = data_format == "channels_first"
    return np.array(x.transpose(2, 0, 1) if channels_first else x, order="C")


@bilingual
def array_to_img(x: Any, data_format: str | None = None, scale: bool = True) -> Any:
    """
    Return an array as an image of Pillow.

    Parameters
    ----------
    x : array (rows, columns, channels), or channels first
        With 1, 3 or 4 channels.
    data_format : str, optional
        'channels_last' or 'channels_first'; default: the common one.
    scale : bool
        Whether the smallest number becomes black and the largest white. Otherwise they
        are levels from 0 to 255, and what lies outside is cut off.

    Returns
    -------
    PIL.Image.Image

    Raises
    ------
    ImportError
        If Pillow is not installed.
    ValueError
        If the array has other axes or channels, or holds NaN or infinity.
    """
    image = pillow("array_to_img")
    x = np.asarray(x)
    if x.ndim != 3:
        raise ValueError(
            "array_to_img: expected one image (rows, columns, channels), got an array "
            f"of shape {x.shape}."
        )
    if not np.isfinite(x).all():
        raise ValueError("array_to_img: expected finite numbers, got NaN or infinity.")
    data_format = _format(data_format, "array_to_img")
    return image.fromarray(levels(x, data_format, scale, "array_to_img"))


def levels(x: np.ndarray, data_format: str, scale: bool, who: str) -> np.ndarray:
    """Return an image in grey levels or colours from 0 to 255, as Pillow takes it."""
    if data_format == "channels_first":
        x = np.moveaxis(x, 0, -1)
    if x.shape[-1] not in (1, 3, 4):
        raise ValueError(
            f"{who}: expected images of 1, 3 or 4 channels, got {x.shape[-1]}. Only "
            f"such can be files; is data_format={data_format!r} right?"
        )
    x = x.astype(np.float64)
    if scale and x.size:
        x = x - x.min()
        x *= 255 / (x.max() or 1)
    pixels = np.rint(np.clip(x, 0, 255)).astype(np.uint8)
    return pixels[..., 0] if pixels.shape[-1] == 1 else pixels


def rows_and_columns(size: Any) -> tuple[int, int]:
    """Return a target size as two positive integers."""
    try:
        rows, columns = size
    except (TypeError, ValueError):
        raise ValueError(
            f"target_size: expected (rows, columns), got {size!r}."
        ) from None
    return (
        positive_integer(rows, "target_size: rows"),
        positive_integer(columns, "target_size: columns"),
    )


def pillow(who: str) -> Any:
    """Return the module `PIL.Image`, for the function or argument that needs it."""
    return import_extra("PIL.Image", "images", who)


def _format(data_format: str | None, who: str) -> str:
    given = device.image_data_format() if data_format is None else data_format
    return lookup(given, FORMATS, f"data_format of {who}:")
