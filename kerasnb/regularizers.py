"""
Regularizers: penalties on weights or outputs, added to the loss.

A regularizer called with an array returns the penalty, a number; its `add_gradient`
adds the derivative to a gradient. Weights count once per batch; outputs are summed over
the batch, as in Keras. Read next: `kernels/plain/weights.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .device import ops
from .utils import construct


class Regularizer:
    """
    Base of all regularizers; subclass it for a penalty of your own.

    Examples
    --------
    >>> class SumToOne(Regularizer):
    ...     def __call__(self, w):
    ...         return float((w.sum() - 1) ** 2)
    ...
    ...     def add_gradient(self, dw, w):
    ...         dw += 2 * (w.sum() - 1)
    >>> SumToOne()(np.array([1.0, 2.0]))
    4.0
    """

    def __call__(self, w: np.ndarray) -> float:
        """Return the penalty of an array."""
        raise NotImplementedError(f"{type(self).__name__} has no __call__.")

    def add_gradient(self, dw: np.ndarray, w: np.ndarray) -> None:
        """Add the derivative of the penalty by `w` to `dw`, in place."""
        raise NotImplementedError(f"{type(self).__name__} has no add_gradient.")

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain values."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Regularizer:
        """Make a regularizer from what `get_config` returned."""
        return cls(**config)


class L1L2(Regularizer):
    """
    The penalty l1 sum |w| + l2 sum w**2.

    The derivative of |w| at 0 counts as 0.

    Parameters
    ----------
    l1, l2 : float

    Examples
    --------
    >>> L1L2(l1=0.5, l2=1.0)(np.array([2.0, -1.0]))
    6.5
    """

    def __init__(self, l1: float = 0.0, l2: float = 0.0) -> None:
        self.l1 = float(l1)
        self.l2 = float(l2)
        self._out = np.zeros(1)

    def __call__(self, w: np.ndarray) -> float:
        """Return the penalty of an array."""
        ops.l1l2_penalty(self._out, w.reshape(-1), self.l1, self.l2)
        return float(self._out[0])

    def add_gradient(self, dw: np.ndarray, w: np.ndarray) -> None:
        """Add l1 sign(w) + 2 l2 w to `dw`, a C-contiguous array, in place."""
        ops.l1l2_gradient(dw.reshape(-1), w.reshape(-1), self.l1, self.l2)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain values."""
        return {"l1": self.l1, "l2": self.l2}


def l1(l: float = 0.01) -> L1L2:
    """Return the penalty l sum |w|."""
    return L1L2(l1=l)


def l2(l: float = 0.01) -> L1L2:
    """Return the penalty l sum w**2."""
    return L1L2(l2=l)


def l1_l2(l1: float = 0.01, l2: float = 0.01) -> L1L2:
    """Return the penalty l1 sum |w| + l2 sum w**2."""
    return L1L2(l1=l1, l2=l2)


REGULARIZERS = {"L1L2": L1L2, "l1": l1, "l2": l2, "l1_l2": l1_l2}


def serialize(regularizer: Regularizer | None) -> dict[str, Any] | None:
    """Return the class name and the configuration; None for None."""
    if regularizer is None:
        return None
    return {
        "class_name": type(regularizer).__name__,
        "config": regularizer.get_config(),
    }


def get(identifier: Any) -> Regularizer | None:
    """
    Return the regularizer that is meant, or None for None.

    Parameters
    ----------
    identifier : str, dict, class, Regularizer or None
        'l1', 'l2', 'l1_l2', what `serialize` returned, a class or an object.

    Raises
    ------
    ValueError
        If the name is unknown.
    TypeError
        If it is a plain function, whose derivative nobody knows, or anything else.
    """
    if identifier is None:
        return None
    found = construct(identifier, REGULARIZERS, Regularizer, "regularizer")
    if isinstance(found, Regularizer):
        return found
    raise TypeError(
        f"regularizer: expected a name, a configuration or a Regularizer, got "
        f"{identifier!r}. For a penalty of your own subclass "
        "kerasnb.regularizers.Regularizer: a function alone does not tell its gradient."
    )
