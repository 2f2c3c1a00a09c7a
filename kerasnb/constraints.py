"""
Constraints: what weights must satisfy after every update.

A constraint called with an array returns a new one that satisfies it; `project` writes
the result in place, which training does after each step. `axis` names the axes over
which one norm is taken: 0 for the weights of Dense, one norm per unit, and [0, 1, 2]
for those of Conv2D, one per filter. Read next: `optimizers.py`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import device
from .device import ops
from .renames import bilingual
from .utils import construct, function_entry, name_of


class Constraint:
    """
    Base of all constraints; a subclass has `__call__(w)`, which returns a new array.

    Examples
    --------
    >>> class Bounded(Constraint):
    ...     def __call__(self, w):
    ...         return np.clip(w, -1, 1)
    >>> Bounded()(np.array([3.0, 0.5]))
    array([1. , 0.5])
    """

    def __call__(self, w: np.ndarray) -> np.ndarray:
        """Return the nearest or next best array that satisfies the constraint."""
        raise NotImplementedError(f"{type(self).__name__} has no __call__.")

    def project(self, w: np.ndarray) -> None:
        """Write the constrained values into `w`."""
        w[...] = self(w)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain values."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Constraint:
        """Make a constraint from what `get_config` returned."""
        return cls(**config)


class Custom(Constraint):
    """
    A function w -> new w as a constraint.

    Raises
    ------
    ValueError
        When used, if the function returns another shape.
    """

    def __init__(self, function: Callable[[np.ndarray], np.ndarray]) -> None:
        self.function = function
        self.__name__ = name_of(function)

    def __call__(self, w: np.ndarray) -> np.ndarray:
        """Return the function's result."""
        result = np.asarray(self.function(w))
        if result.shape != w.shape:
            raise ValueError(
                f"constraint {self.__name__}: expected an array of shape {w.shape} "
                f"back, got {result.shape}. It must map the whole weight array."
            )
        return result


class KernelConstraint(Constraint):
    """Base of the constraints that are kernels: `fit` changes w in place."""

    def fit(self, w: np.ndarray) -> None:
        """Make w, a C-contiguous array of floats, satisfy the constraint."""
        raise NotImplementedError(f"{type(self).__name__} has no fit.")

    def __call__(self, w: Any) -> np.ndarray:
        """Return a new array that satisfies the constraint."""
        w = np.asarray(w)
        w = np.array(w, w.dtype if w.dtype.kind == "f" else np.float64, order="C")
        self.fit(w)
        return w

    def project(self, w: np.ndarray) -> None:
        """Write the constrained values into `w`."""
        if type(self).__call__ is KernelConstraint.__call__:
            self.fit(w)
        else:  # a subclass says it in its own way
            super().project(w)


class NonNeg(KernelConstraint):
    """
    No negative weights: w [w >= 0].

    Examples
    --------
    >>> NonNeg()(np.array([2.0, -1.0]))
    array([2., 0.])
    """

    def fit(self, w: np.ndarray) -> None:
        """Put zeros in the place of negative numbers."""
        ops.relu_forward(w, w)


class NormConstraint(KernelConstraint):
    """
    Base of the constraints on norms sqrt(sum w**2).

    Parameters
    ----------
    axis : int or sequence of int
        The axes over which one norm is taken.
    """

    def __init__(self, axis: int | Sequence[int] = 0) -> None:
        self.axis = axis

    def limits(self) -> tuple[float, float, float]:
        """Return the least norm, the most, and which part of the way there to go."""
        raise NotImplementedError(f"{type(self).__name__} has no limits.")

    def fit(self, w: np.ndarray) -> None:
        """Give w other norms, in place."""
        turns = w.reshape(taking_turns(w.shape, self.axis))
        ops.limit_norms(turns, *map(float, self.limits()), device.epsilon())

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain values."""
        return {"axis": self.axis if isinstance(self.axis, int) else list(self.axis)}


class MaxNorm(NormConstraint):
    """
    Norms of at most `max_value`.

    Parameters
    ----------
    max_value : float
    axis : int or sequence of int

    Examples
    --------
    >>> MaxNorm(2)(np.array([[3.0, 0.1], [4.0, 0.0]])).round(4)
    array([[1.2, 0.1],
           [1.6, 0. ]])
    """

    @functools.partial(bilingual, constructs=True)
    def __init__(self, max_value: float = 2, axis: int | Sequence[int] = 0) -> None:
        super().__init__(axis)
        self.max_value = max_value

    def limits(self) -> tuple[float, float, float]:
        """Return no least norm, the largest, and all of the way."""
        return 0.0, self.max_value, 1.0

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain values."""
        return {"max_value": self.max_value, **super().get_config()}


class UnitNorm(NormConstraint):
    """
    Norms of 1; an array of zeros stays zero.

    Parameters
    ----------
    axis : int or sequence of int
    """

    def limits(self) -> tuple[float, float, float]:
        """Return one norm for all."""
        return 1.0, 1.0, 1.0


class MinMaxNorm(NormConstraint):
    """
    Norms between `min_value` and `max_value`, or on the way there.

    Parameters
    ----------
    min_value, max_value : float
    rate : float
        1 enforces the limits at once; less moves the norm that part of the way.
    axis : int or sequence of int
    """

    def __init__(
        self,
        min_value: float = 0.0,
        max_value: float = 1.0,
        rate: float = 1.0,
        axis: int | Sequence[int] = 0,
    ) -> None:
        super().__init__(axis)
        self.min_value = min_value
        self.max_value = max_value
        self.rate = rate

    def limits(self) -> tuple[float, float, float]:
        """Return the limits, and which part of the way to them."""
        return self.min_value, self.max_value, self.rate

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain values."""
        return {
            "min_value": self.min_value,
            "max_value": self.max_value,
            "rate": self.rate,
            **super().get_config(),
        }


def taking_turns(shape: tuple, axis: Any) -> tuple:
    """
    Return a shape of six axes: kept, summed, kept, summed, kept, summed.

    Neighbours of one kind are one axis, and axes that are not needed have size one.

    Examples
    --------
    >>> taking_turns((5, 4, 3), 0), taking_turns((5, 4, 3), (1, -1))
    ((1, 5, 12, 1, 1, 1), (5, 12, 1, 1, 1, 1))
    """
    axes = [axis] if isinstance(axis, int) else axis
    if not all(-len(shape) <= one < len(shape) for one in axes):
        raise ValueError(
            f"constraint: there is no axis {axis} in an array of shape {shape}."
        )
    summed = {one % len(shape) for one in axes}
    sizes, turn = [1] * 6, 0
    for k, size in enumerate(shape):
        if (k in summed) != turn % 2:
            turn += 1
        if turn == len(sizes):
            raise ValueError(
                f"constraint: axis={axis} of an array of shape {shape} takes turns "
                "more than six times. Reshape it."
            )
        sizes[turn] *= size
    return tuple(sizes)


max_norm = maxnorm = MaxNorm
non_neg = nonneg = NonNeg
unit_norm = unitnorm = UnitNorm
min_max_norm = MinMaxNorm

CONSTRAINTS = {
    "MaxNorm": MaxNorm,
    "max_norm": MaxNorm,
    "maxnorm": MaxNorm,
    "NonNeg": NonNeg,
    "non_neg": NonNeg,
    "nonneg": NonNeg,
    "UnitNorm": UnitNorm,
    "unit_norm": UnitNorm,
    "unitnorm": UnitNorm,
    "MinMaxNorm": MinMaxNorm,
    "min_max_norm": MinMaxNorm,
}


def serialize(constraint: Constraint | None) -> Any:
    """Return the class name and configuration; a function's name; None for None."""
    if constraint is None:
        return None
    if isinstance(constraint, Custom):
        return function_entry(constraint.function, CONSTRAINTS)
    return {
        "class_name": type(constraint).__name__,
        "config": constraint.get_config(),
    }


def get(identifier: Any) -> Constraint | None:
    """
    Return the constraint that is meant, or None for None.

    Parameters
    ----------
    identifier : str, dict, class, Constraint, function or None
        A name, what `serialize` returned, a class, an object, or a function that maps
        a weight array to a new one.

    Raises
    ------
    ValueError
        If the name is unknown.
    TypeError
        If it is nothing of the above.
    """
    if identifier is None:
        return None
    found = construct(identifier, CONSTRAINTS, Constraint, "constraint")
    if isinstance(found, Constraint):
        return found
    if callable(found or identifier):
        return Custom(found or identifier)
    raise TypeError(
        "constraint: expected a name, a configuration, a Constraint or a function "
        f"w -> new w, got {identifier!r}."
    )
