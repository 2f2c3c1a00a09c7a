"""
Standard scale: images whose numbers have mean zero and deviation one are learnt faster.

`Standardizer` does what needs to know one image only (a function, a factor, its mean
and deviation), and then what needs to know the data set (mean and deviation of each
channel, correlations between pixels). Read next: `augmentation.py`, whose
`ImageDataGenerator` is a Standardizer that also varies images.
"""

from __future__ import annotations

import math
import numbers
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from . import device
from .data import as_array
from .utils import lookup

TINY = 1e-6  # added to standard deviations, which may be zero


class Standardizer:
    """
    Brings the numbers of images to a standard scale.

    The order is `preprocessing_function`, `rescale`, samplewise, featurewise,
    whitening. Images that come in are never modified.

    Parameters
    ----------
    featurewise_center, featurewise_std_normalization : bool
    samplewise_center, samplewise_std_normalization : bool
    zca_whitening : bool
    zca_epsilon : float
    rescale : float, optional
    preprocessing_function : callable, optional
    data_format : str, optional
    dtype : str, optional
        All as in `ImageDataGenerator`.

    Attributes
    ----------
    mean, std, principal_components : array or None
        What `fit` computed.

    Examples
    --------
    >>> x = np.arange(8.0).reshape(2, 2, 2, 1)
    >>> Standardizer(samplewise_center=True).standardize(x).ravel()
    array([-1.5, -0.5,  0.5,  1.5, -1.5, -0.5,  0.5,  1.5], dtype=float32)
    """

    def __init__(
        self,
        featurewise_center: bool = False,
        samplewise_center: bool = False,
        featurewise_std_normalization: bool = False,
        samplewise_std_normalization: bool = False,
        zca_whitening: bool = False,
        zca_epsilon: float = 1e-6,
        rescale: float | None = None,
        preprocessing_function: Callable | None = None,
        data_format: str | None = None,
        dtype: str | None = None,
    ) -> None:
        self.featurewise_center = featurewise_center
        self.samplewise_center = samplewise_center
        self.featurewise_std_normalization = featurewise_std_normalization
        self.samplewise_std_normalization = samplewise_std_normalization
        self.zca_whitening = zca_whitening
        self.zca_epsilon = finite_number("zca_epsilon", zca_epsilon, 0)
        self.rescale = finite_number("rescale", rescale) if rescale else None
        if preprocessing_function is not None and not callable(preprocessing_function):
            raise ValueError(
                "preprocessing_function: expected a function of one image, got "
                f"{preprocessing_function!r}."
            )
        self.preprocessing_function = preprocessing_function
        self.data_format = data_format or "channels_last"
        formats = {"channels_last": (0, 1, 2), "channels_first": (0, 2, 3)}
        self._all_but_channels = lookup(self.data_format, formats, "data_format")
        self.dtype = _float_type(dtype)
        self.mean: np.ndarray | None = None
        self.std: np.ndarray | None = None
        self.principal_components: np.ndarray | None = None
        self._complete_options()

    def fit(self, x: np.ndarray) -> None:
        """Compute the statistics of a batch that featurewise options need."""
        x = np.array(x, self.dtype)
        for image in x:
            self._standardize_alone(image)
        self.mean, self.std, self.principal_components = self._statistics(x)

    def standardize(self, x: Any) -> np.ndarray:
        """
        Return a standardised copy of an image or of a batch of images.

        Warns
        -----
        UserWarning
            If a featurewise option or whitening is on, and `fit` was not called.
        """
        images = np.array(as_array(x, "standardize: x"), self.dtype)
        if images.ndim not in (3, 4):
            raise ValueError(
                "standardize: expected an image or a batch of images, three or four "
                f"axes, got shape {images.shape}."
            )
        self._warn_of_missing_statistics()
        for image in images if images.ndim == 4 else images[None]:
            self._standardize_alone(image)
            self._standardize_by_statistics(image)
        return images

    def _standardize_alone(self, image: np.ndarray) -> None:
        """Do, in place, what needs to know this image only."""
        if self.preprocessing_function is not None:
            result = np.asarray(self.preprocessing_function(image))
            if result.shape != image.shape:
                raise ValueError(
                    "preprocessing_function: expected to get back an image of shape "
                    f"{image.shape}, got {result.shape}."
                )
            image[...] = result
        if self.rescale is not None:
            image *= self.rescale
        if self.samplewise_center:
            image -= image.mean(dtype=np.float64)
        if self.samplewise_std_normalization:
            image /= image.std(dtype=np.float64) + TINY

    def _standardize_by_statistics(self, image: np.ndarray) -> None:
        """Do, in place, what needs to know the data set."""
        if self.featurewise_center and self.mean is not None:
            image -= self.mean
        if self.featurewise_std_normalization and self.std is not None:
            image /= self.std + TINY
        if self.zca_whitening and self.principal_components is not None:
            # The matrix is symmetric. No BLAS, whose threads would fight the kernels'.
            white = np.einsum("ij,j->i", self.principal_components, image.reshape(-1))
            image[...] = white.reshape(image.shape)

    def _statistics(self, x):
        """Return mean, std and whitening matrix, as far as needed; x is overwritten."""
        mean = std = components = None
        axes, kept = self._all_but_channels, {"keepdims": True, "dtype": np.float64}
        if self.featurewise_center:
            mean = x.mean(axes, **kept)[0].astype(self.dtype)
            x -= mean
        if self.featurewise_std_normalization:
            std = x.std(axes, **kept)[0].astype(self.dtype)
            x /= std + TINY
        if self.zca_whitening:
            flat = x.reshape(len(x), -1).astype(np.float64)
            variances, directions = np.linalg.eigh(flat.T @ flat / len(flat))
            scales = np.sqrt(np.maximum(variances, 0) + self.zca_epsilon)
            components = ((directions / scales) @ directions.T).astype(self.dtype)
        return mean, std, components

    def _complete_options(self) -> None:
        """Switch on what other options presuppose, and say so."""
        scaled, white = "featurewise_std_normalization", "zca_whitening"
        for option, other, value in (
            (white, scaled, False),
            (white, "featurewise_center", True),
            (scaled, "featurewise_center", True),
            ("samplewise_std_normalization", "samplewise_center", True),
        ):
            if getattr(self, option) and getattr(self, other) != value:
                setattr(self, other, value)
                _warn(f"{option} sets {other} to {value}", 6)

    def _warn_of_missing_statistics(self) -> None:
        needs = {
            "featurewise_center": self.mean,
            "featurewise_std_normalization": self.std,
            "zca_whitening": self.principal_components,
        }
        missing = [
            n for n, found in needs.items() if getattr(self, n) and found is None
        ]
        if missing:
            _warn(f"{', '.join(missing)} does nothing before fit(x) was called", 4)


def finite_number(name: str, value: Any, least: float = -math.inf) -> float:
    """Return a number as a float, or raise an error that names the argument."""
    if not isinstance(value, numbers.Real) or not math.isfinite(value):
        raise ValueError(f"{name}: expected a number, got {value!r}.")
    if value < least:
        raise ValueError(f"{name}: expected a number from {least} on, got {value!r}.")
    return float(value)


def _float_type(dtype: Any) -> np.dtype:
    dtype = device.floatx() if dtype is None else dtype
    for name in ("float32", "float64"):
        if dtype in (name, np.dtype(name), getattr(np, name)):
            return np.dtype(name)
    raise ValueError(f"dtype: expected 'float32' or 'float64', got {dtype!r}.")


def _warn(what: str, level: int) -> None:
    warnings.warn(f"ImageDataGenerator: {what}.", stacklevel=level)
