"""
Regularizers: penalties on weights or outputs, added to the loss.

A regularizer called with an array returns the penalty, a number; its `add_gradient`
adds the derivative to a gradient. Weights count once per batch; outputs are summed over
the batch, as in Keras. Read next: `kernels/plain/weights.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import device
from .autodiff import Recording, Taped
from .device import ops
from .functions import expect_arguments, expect_slope
from .notes import Notes
from .utils import construct, function_entry, name_of


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

    def on_tape(self, w: Taped) -> Taped:
        """Return the penalty of a taped array, to be differentiated with the rest."""

        def pullback(dy):
            dw = np.zeros_like(x)
            self.add_gradient(dw, x)
            return [(dy * dw).reshape(w.shape)]

        x = np.ascontiguousarray(w.value)
        return w.tape.add(np.array(self(x), x.dtype), [w], pullback)


class Own(Regularizer):
    """
    A function w -> penalty of yours, as a regularizer: the tape knows its derivative.

    Parameters
    ----------
    function : callable
        Of one array, written with numpy or the backend K; it returns a single number.

    Raises
    ------
    ValueError
        When used, if the function returns anything else, or something without a slope.

    Examples
    --------
    >>> Own(lambda w: 0.5 * np.sum(w**2))(np.array([1.0, 3.0]))
    5.0
    """

    def __init__(self, function: Callable[[Any], Any]) -> None:
        expect_arguments("regularizer", function, "w")
        self.function = function
        self.__name__ = name_of(function)

    def _check(self, penalty: Any) -> None:
        if np.size(penalty) != 1:
            raise ValueError(
                f"regularizer {self.__name__}: expected a single number, got an array "
                f"of shape {np.shape(penalty)}. Take its sum: K.sum(...)."
            )

    def __call__(self, w: Any) -> Any:
        """Return the penalty of an array."""
        penalty = self.function(w)
        self._check(penalty)
        return penalty if isinstance(w, Taped) else float(np.reshape(penalty, ()))

    def add_gradient(self, dw: np.ndarray, w: np.ndarray) -> None:
        """Add the derivative of the penalty by `w` to `dw`, in place."""
        recording = Recording(self.function, [w])
        self._check(recording.value)
        expect_slope(recording, f"regularizer {self.__name__}", "w")
        dw += recording.gradients(np.ones(recording.value.shape))[0]


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

    only_launches = True

    def __init__(self, l1: float = 0.0, l2: float = 0.0) -> None:
        self.l1 = float(l1)
        self.l2 = float(l2)
        self._notes: Notes | None = None

    def __call__(self, w: Any) -> Any:
        """Return the penalty of an array; of one on a GPU, a promise of it."""
        if isinstance(w, Taped):
            return self.on_tape(w)
        if self._notes is None or self._notes.place != device.place():
            self._notes = Notes(device.zeros(1, np.float64))
        ops.l1l2_penalty(self._notes.values, w.reshape(-1), self.l1, self.l2)
        return self._notes.take()[0]

    def add_gradient(self, dw: np.ndarray, w: np.ndarray) -> None:
        """Add l1 sign(w) + 2 l2 w to `dw`, a C-contiguous array, in place."""
        ops.l1l2_gradient(dw.reshape(-1), w.reshape(-1), self.l1, self.l2)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain values."""
        return {"l1": self.l1, "l2": self.l2}


class EigenvalueRegularizer(Regularizer):
    """
    The penalty k sqrt(v . Mv / v . v), about k times the largest singular value of w.

    M = wT w, and v is what nine steps v = M v / |v| make of a vector of ones. It is one
    of Keras 1, for weights of two axes.

    Parameters
    ----------
    k : float

    Raises
    ------
    ValueError
        When used, if the weights have another number of axes.

    Examples
    --------
    >>> EigenvalueRegularizer(0.5)(np.array([[3.0, 0.0], [0.0, 1.0]]))
    1.5
    """

    steps = 9

    def __init__(self, k: float = 0.01) -> None:
        self.k = float(k)

    def _vectors(self, w: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
        """Return M and the directions before and after each step."""
        if w.ndim != 2:
            raise ValueError(
                "EigenvalueRegularizer: expected weights of two axes, got shape "
                f"{w.shape}. Use l1 or l2 for others."
            )
        M = w.astype(np.float64).T @ w
        vectors = [np.ones(len(M))]
        for _ in range(self.steps):
            v = M @ vectors[-1]
            vectors.append(v / (np.linalg.norm(v) or 1.0))
        return M, vectors

    def __call__(self, w: Any) -> Any:
        """Return the penalty of an array."""
        if isinstance(w, Taped):
            return self.on_tape(w)
        M, (*_, v) = self._vectors(w)
        return self.k * float(np.sqrt(v @ M @ v))

    def add_gradient(self, dw: np.ndarray, w: np.ndarray) -> None:
        """Add the derivative, taken back through all steps, in place."""
        M, vectors = self._vectors(w)
        v = vectors[-1]
        root = np.sqrt(v @ M @ v)
        if root == 0:
            return
        dv = self.k * (M @ v / root - root * v)
        dM = self.k * np.outer(v, v) / (2 * root)
        for before, after in zip(vectors[-2::-1], vectors[:0:-1]):
            dv -= (after @ dv) * after
            dv /= np.linalg.norm(M @ before)
            dM += np.outer(dv, before)
            dv = M @ dv
        dw += w @ (dM + dM.T)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain values."""
        return {"k": self.k}


def l1(l: float = 0.01) -> L1L2:
    """Return the penalty l sum |w|."""
    return L1L2(l1=l)


def l2(l: float = 0.01) -> L1L2:
    """Return the penalty l sum w**2."""
    return L1L2(l2=l)


def l1_l2(l1: float = 0.01, l2: float = 0.01) -> L1L2:
    """Return the penalty l1 sum |w| + l2 sum w**2."""
    return L1L2(l1=l1, l2=l2)


l1l2 = activity_l1l2 = l1_l2  # these and the next are the names of Keras 1
activity_l1, activity_l2 = l1, l2
WeightRegularizer = ActivityRegularizer = L1L2

REGULARIZERS = {
    "EigenvalueRegularizer": EigenvalueRegularizer,
    "L1L2": L1L2,
    "l1": l1,
    "l2": l2,
    "l1_l2": l1_l2,
    "l1l2": l1_l2,
}


def serialize(regularizer: Regularizer | None) -> Any:
    """Return the class name and configuration; a function's name; None for None."""
    if regularizer is None:
        return None
    if isinstance(regularizer, Own):
        return function_entry(regularizer.function, REGULARIZERS)
    return {
        "class_name": type(regularizer).__name__,
        "config": regularizer.get_config(),
    }


def get(identifier: Any) -> Regularizer | None:
    """
    Return the regularizer that is meant, or None for None.

    Parameters
    ----------
    identifier : str, dict, class, Regularizer, callable or None
        'l1', 'l2', 'l1_l2', what `serialize` returned, a class, an object, or a
        function w -> penalty.

    Raises
    ------
    ValueError
        If the name is unknown.
    TypeError
        If it is anything else.
    """
    if identifier is None:
        return None
    found = construct(identifier, REGULARIZERS, Regularizer, "regularizer")
    if isinstance(found, Regularizer):
        return found
    function = found or identifier
    if callable(function) and not isinstance(function, type):
        return Own(function)
    raise TypeError(
        "regularizer: expected a name, a configuration, a Regularizer or a function "
        f"w -> penalty, got {identifier!r}."
    )
