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


class NonNeg(Constraint):
    """
    No negative weights: w [w >= 0].

    Examples
    --------
    >>> NonNeg()(np.array([2.0, -1.0]))
    array([ 2., -0.])
    """

    def __call__(self, w: np.ndarray) -> np.ndarray:
        """Return w with zeros for the negative numbers."""
        return w * (w >= 0)


class NormConstraint(Constraint):
    """
    Base of the constraints on norms sqrt(sum w**2).

    Parameters
    ----------
    axis : int or sequence of int
        The axes over which one norm is taken.
    """

    def __init__(self, axis: int | Sequence[int] = 0) -> None:
        self.axis = axis

    def wanted(self, norm: np.ndarray) -> np.ndarray | float:
        """Return the norms that take the place of those given."""
        raise NotImplementedError(f"{type(self).__name__} has no wanted.")

    def __call__(self, w: np.ndarray) -> np.ndarray:
        """Return w with other norms."""
        axis = self.axis if isinstance(self.axis, int) else tuple(self.axis)
        norm = np.sqrt(np.sum(w * w, axis=axis, keepdims=True))
        return w * (self.wanted(norm) / (device.epsilon() + norm))

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

    def wanted(self, norm: np.ndarray) -> np.ndarray:
        """Return the norm, or the maximum where it is larger."""
        return np.clip(norm, 0, self.max_value)

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

    def wanted(self, norm: np.ndarray) -> float:
        """Return 1."""
        return 1.0


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

    def wanted(self, norm: np.ndarray) -> np.ndarray:
        """Return a mixture of the norm and the norm within the limits."""
        within = np.clip(norm, self.min_value, self.max_value)
        return self.rate * within + (1 - self.rate) * norm

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain values."""
        return {
            "min_value": self.min_value,
            "max_value": self.max_value,
            "rate": self.rate,
            **super().get_config(),
        }


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
