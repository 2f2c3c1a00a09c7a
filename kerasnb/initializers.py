"""
Initializers: the first values of a layer's weights.

An initializer is called with a shape and returns an array. Without a seed it draws from
the process-wide stream (`kerasnb.set_seed`); with one it returns the same values every
time. The scaled ones keep the variance of signals about constant from layer to layer.
Read next: `random.py`.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from . import device, random
from .functions import takes
from .utils import construct, function_entry, lookup, name_of

TRUNCATED_STDDEV = 0.87962566103423978  # of a standard normal cut off at 2

_blanks: int | None = None  # how many more bytes may be left blank


class Initializer:
    """
    Base of all initializers.

    A subclass has `__call__(shape, dtype=None)`, which returns an array, and
    `get_config`, which returns the constructor's arguments.
    """

    def __call__(self, shape: Any, dtype: Any = None) -> np.ndarray:
        """Return an array of the shape; dtype None means `kerasnb.floatx()`."""
        raise NotImplementedError(f"{type(self).__name__} has no __call__.")

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain values."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Initializer:
        """Make an initializer from what `get_config` returned."""
        return cls(**config)


class Constant(Initializer):
    """
    One value everywhere.

    Parameters
    ----------
    value : float

    Examples
    --------
    >>> Constant(3)((1, 2))
    array([[3., 3.]], dtype=float32)
    """

    def __init__(self, value: float = 0) -> None:
        self.value = value

    def __call__(self, shape: Any, dtype: Any = None) -> np.ndarray:
        """Return an array full of the value."""
        return np.full(shape, self.value, dtype or device.floatx())

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain values."""
        return {"value": self.value}


class Zeros(Initializer):
    """Zero everywhere: the usual start of biases."""

    def __call__(self, shape: Any, dtype: Any = None) -> np.ndarray:
        """Return an array of zeros."""
        return np.zeros(shape, dtype or device.floatx())


class Ones(Initializer):
    """One everywhere."""

    def __call__(self, shape: Any, dtype: Any = None) -> np.ndarray:
        """Return an array of ones."""
        return np.ones(shape, dtype or device.floatx())


class RandomInitializer(Initializer):
    """
    Base of the initializers that draw random numbers.

    Parameters
    ----------
    seed : int, optional
        Given: the same values at each call; default: the next ones of the
        process-wide stream.
    """

    def __init__(self, seed: int | None = None) -> None:
        if seed is not None:
            seed = random.checked_seed(f"{type(self).__name__}: seed", seed)
        self.seed = seed

    def generator(self) -> random.Generator:
        """Return the stream to draw from."""
        return random.generator() if self.seed is None else random.Generator(self.seed)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain values."""
        return {"seed": self.seed}


class RandomNormal(RandomInitializer):
    """
    Normal numbers.

    Parameters
    ----------
    mean, stddev : float
    seed : int, optional
    """

    def __init__(
        self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None
    ) -> None:
        super().__init__(seed)
        self.mean = mean
        self.stddev = stddev

    def __call__(self, shape: Any, dtype: Any = None) -> np.ndarray:
        """Return an array of normal numbers."""
        return self.generator().normal(shape, self.mean, self.stddev, dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain values."""
        return {"mean": self.mean, "stddev": self.stddev, "seed": self.seed}


class TruncatedNormal(RandomNormal):
    """
    Normal numbers, drawn again until they are within two stddev of the mean.

    Parameters
    ----------
    mean, stddev : float
    seed : int, optional
    """

    def __call__(self, shape: Any, dtype: Any = None) -> np.ndarray:
        """Return an array of normal numbers without the far ones."""
        return self.generator().truncated_normal(shape, self.mean, self.stddev, dtype)


class RandomUniform(RandomInitializer):
    """
    Numbers from [minval, maxval), each as likely.

    Parameters
    ----------
    minval, maxval : float
    seed : int, optional
    """

    def __init__(
        self, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None
    ) -> None:
        super().__init__(seed)
        self.minval = minval
        self.maxval = maxval

    def __call__(self, shape: Any, dtype: Any = None) -> np.ndarray:
        """Return an array of uniform numbers."""
        return self.generator().uniform(shape, self.minval, self.maxval, dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain values."""
        return {"minval": self.minval, "maxval": self.maxval, "seed": self.seed}


def fans(shape: Any) -> tuple[float, float]:
    """
    Return how many inputs feed one output of such weights, and the reverse.

    The last two axes are inputs and outputs; up to three axes before them are positions
    of a convolution window.

    Examples
    --------
    >>> fans((10, 20)), fans((3, 3, 8, 16))
    ((10, 20), (72, 144))
    """
    if len(shape) == 2:
        return shape[0], shape[1]
    if len(shape) in (3, 4, 5):
        window = math.prod(shape[:-2])
        return window * shape[-2], window * shape[-1]
    both = math.sqrt(math.prod(shape))
    return both, both


class VarianceScaling(RandomInitializer):
    """
    Random numbers of variance scale / fan.

    Parameters
    ----------
    scale : float
        Positive.
    mode : {'fan_in', 'fan_out', 'fan_avg'}
        Divide by the number of inputs, of outputs or by their mean.
    distribution : {'normal', 'uniform', 'untruncated_normal'}
        'normal' is a truncated normal.
    seed : int, optional

    Raises
    ------
    ValueError
        If the scale is not positive or a name is unknown.
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "normal",
        seed: int | None = None,
    ) -> None:
        super().__init__(seed)
        if not scale > 0:
            raise ValueError(
                f"VarianceScaling: expected a positive scale, got {scale!r}."
            )
        modes = {"fan_in": "fan_in", "fan_out": "fan_out", "fan_avg": "fan_avg"}
        distributions = {n: n for n in ("normal", "uniform", "untruncated_normal")}
        self.scale = scale
        self.mode = lookup(str(mode).lower(), modes, "mode of VarianceScaling")
        self.distribution = lookup(
            str(distribution).lower(), distributions, "distribution of VarianceScaling"
        )

    def __call__(self, shape: Any, dtype: Any = None) -> np.ndarray:
        """Return an array of numbers of the wanted variance."""
        fan_in, fan_out = fans(shape)
        choices = {
            "fan_in": fan_in,
            "fan_out": fan_out,
            "fan_avg": (fan_in + fan_out) / 2,
        }
        variance = self.scale / max(1.0, choices[self.mode])
        if self.distribution == "normal":
            stddev = math.sqrt(variance) / TRUNCATED_STDDEV
            return self.generator().truncated_normal(shape, 0.0, stddev, dtype)
        if self.distribution == "untruncated_normal":
            return self.generator().normal(shape, 0.0, math.sqrt(variance), dtype)
        limit = math.sqrt(3 * variance)
        return self.generator().uniform(shape, -limit, limit, dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain values."""
        return {
            "scale": self.scale,
            "mode": self.mode,
            "distribution": self.distribution,
            "seed": self.seed,
        }


def glorot_uniform(seed: int | None = None) -> VarianceScaling:
    """Return uniform numbers of variance 2 / (fan_in + fan_out) (Glorot 2010)."""
    return VarianceScaling(1.0, "fan_avg", "uniform", seed)


def glorot_normal(seed: int | None = None) -> VarianceScaling:
    """Return truncated normals of variance 2 / (fan_in + fan_out) (Glorot 2010)."""
    return VarianceScaling(1.0, "fan_avg", "normal", seed)


def lecun_uniform(seed: int | None = None) -> VarianceScaling:
    """Return uniform numbers of variance 1 / fan_in (LeCun 1998)."""
    return VarianceScaling(1.0, "fan_in", "uniform", seed)


def lecun_normal(seed: int | None = None) -> VarianceScaling:
    """Return truncated normals of variance 1 / fan_in (LeCun 1998), for selu."""
    return VarianceScaling(1.0, "fan_in", "normal", seed)


def he_uniform(seed: int | None = None) -> VarianceScaling:
    """Return uniform numbers of variance 2 / fan_in (He 2015), for relu."""
    return VarianceScaling(2.0, "fan_in", "uniform", seed)


def he_normal(seed: int | None = None) -> VarianceScaling:
    """Return truncated normals of variance 2 / fan_in (He 2015), for relu."""
    return VarianceScaling(2.0, "fan_in", "normal", seed)


class Orthogonal(RandomInitializer):
    """
    A random orthogonal matrix: W WT = gain**2 I or WT W = gain**2 I.

    Weights of more than two axes are flattened to (all but the last, last).

    Parameters
    ----------
    gain : float
    seed : int, optional
    """

    def __init__(self, gain: float = 1.0, seed: int | None = None) -> None:
        super().__init__(seed)
        self.gain = gain

    def __call__(self, shape: Any, dtype: Any = None) -> np.ndarray:
        """Return the orthogonal factor of an array of normal numbers."""
        if len(shape) < 2:
            raise ValueError(
                "Orthogonal: expected a shape of two or more axes, got "
                f"{tuple(shape)}. For a bias take 'zeros'."
            )
        flat = (math.prod(shape[:-1]), shape[-1])
        z = self.generator().normal(flat, dtype="float64")
        u, _, v = np.linalg.svd(z, full_matrices=False)
        q = u if u.shape == flat else v
        return (self.gain * q).reshape(shape).astype(dtype or device.floatx())

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain values."""
        return {"gain": self.gain, "seed": self.seed}


class Identity(Initializer):
    """
    The identity matrix, repeated along the longer side.

    Parameters
    ----------
    gain : float
        What stands on the diagonal.

    Examples
    --------
    >>> Identity()((2, 4))
    array([[1., 0., 1., 0.],
           [0., 1., 0., 1.]], dtype=float32)
    """

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def __call__(self, shape: Any, dtype: Any = None) -> np.ndarray:
        """Return identities, one after the other."""
        if len(shape) != 2 or not min(shape) or max(shape) % min(shape):
            raise ValueError(
                "Identity: expected two axes, one a multiple of the other, got shape "
                f"{tuple(shape)}."
            )
        side = min(shape)
        eye = self.gain * np.eye(side, dtype=dtype or device.floatx())
        return np.tile(eye, (shape[0] // side, shape[1] // side))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain values."""
        return {"gain": self.gain}


zero = zeros = Zeros
one = ones = Ones
constant = Constant
uniform = random_uniform = RandomUniform
normal = random_normal = RandomNormal
truncated_normal = TruncatedNormal
orthogonal = Orthogonal
identity = Identity

INITIALIZERS = {
    "Zeros": Zeros,
    "zeros": Zeros,
    "zero": Zeros,
    "Ones": Ones,
    "ones": Ones,
    "one": Ones,
    "Constant": Constant,
    "constant": Constant,
    "RandomNormal": RandomNormal,
    "random_normal": RandomNormal,
    "normal": RandomNormal,
    "RandomUniform": RandomUniform,
    "random_uniform": RandomUniform,
    "uniform": RandomUniform,
    "TruncatedNormal": TruncatedNormal,
    "truncated_normal": TruncatedNormal,
    "VarianceScaling": VarianceScaling,
    "glorot_uniform": glorot_uniform,
    "glorot_normal": glorot_normal,
    "lecun_uniform": lecun_uniform,
    "lecun_normal": lecun_normal,
    "he_uniform": he_uniform,
    "he_normal": he_normal,
    "Orthogonal": Orthogonal,
    "orthogonal": Orthogonal,
    "Identity": Identity,
    "identity": Identity,
}


def serialize(initializer: Any) -> Any:
    """
    Return the class name and the configuration; of a plain function, its name.

    Examples
    --------
    >>> serialize(Constant(3))
    {'class_name': 'Constant', 'config': {'value': 3}}
    """
    if not hasattr(initializer, "get_config"):
        return function_entry(initializer, INITIALIZERS)
    return {
        "class_name": type(initializer).__name__,
        "config": initializer.get_config(),
    }


def get(identifier: Any) -> Callable[..., np.ndarray]:
    """
    Return the initializer that is meant.

    Parameters
    ----------
    identifier : str, dict, class or callable
        A name, what `serialize` returned, a class, an object, or any function
        (shape, dtype=None) -> array.

    Raises
    ------
    ValueError
        If the name is unknown.
    TypeError
        If it is nothing of the above.
    """
    found = construct(identifier, INITIALIZERS, Initializer, "initializer")
    if found is not None:
        return found
    if callable(identifier):
        return identifier
    raise TypeError(
        "initializer: expected a name, a configuration, an object or a function "
        f"(shape, dtype=None) -> array, got {identifier!r}."
    )


def first_values(identifier: Any, shape: Any, dtype: Any) -> np.ndarray:
    """Return what a new weight starts with: see `get` and `left_blank`."""
    global _blanks
    initializer = get(identifier)
    if _blanks is None and isinstance(initializer, Initializer):
        return initializer(shape, dtype=dtype)
    if _blanks is None:
        return _checked(initializer, shape, dtype)
    _blanks -= math.prod(shape) * np.dtype(dtype).itemsize
    if _blanks < 0:
        raise ValueError("Its layers have more weights than the file holds.")
    return np.zeros(shape, dtype)


def _checked(function: Callable, shape: Any, dtype: Any) -> np.ndarray:
    """Return what a function of the user's own returns, if it is of the shape."""
    named = {"dtype": dtype} if takes(function, "shape", dtype=dtype) else {}
    values = np.asarray(function(shape, **named))
    if values.shape != tuple(shape):
        raise ValueError(
            f"initializer {name_of(function)}: expected an array of shape "
            f"{tuple(shape)}, got {values.shape}. It is called with the shape."
        )
    return values


@contextlib.contextmanager
def left_blank(room: int) -> Iterator[None]:
    """
    Leave new weights zero inside a `with` block: their values come from a file.

    Parameters
    ----------
    room : int
        How many bytes of numbers the file holds; wanting more raises a ValueError, so
        that a forged configuration cannot fill the memory.
    """
    global _blanks
    former, _blanks = _blanks, room
    try:
        yield
    finally:
        _blanks = former
