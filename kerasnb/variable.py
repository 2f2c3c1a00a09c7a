"""
A named array whose numbers can be exchanged: the `variable` of Keras's backend.

Keras programs keep such boxes where a plain array would be a copy too many. A Variable
passes for its array in every calculation, and `backend.set_value` fills it anew. Read
next: `backend.py`, which makes them; `layer.py` for Weight, the box that training
changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .device import floatx


class Variable(np.lib.mixins.NDArrayOperatorsMixin):
    """
    An array in a box.

    Parameters
    ----------
    value : array-like
        Copied.
    dtype : str, optional
        Default: `kerasnb.floatx()`.
    name : str, optional

    Examples
    --------
    >>> v = Variable([1, 2])
    >>> v + 1
    array([2., 3.], dtype=float32)
    >>> v.assign([5, 6])
    >>> np.sum(v)
    np.float32(11.0)
    """

    def __init__(self, value: Any, dtype: Any = None, name: str | None = None) -> None:
        self.value = np.array(value, dtype or floatx())
        self.name = name or "variable"

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the shape of the array."""
        return self.value.shape

    @property
    def ndim(self) -> int:
        """Return the number of axes."""
        return self.value.ndim

    @property
    def dtype(self) -> np.dtype:
        """Return the type of the numbers."""
        return self.value.dtype

    def assign(self, value: Any) -> None:
        """Copy new numbers in; their shape must be the variable's."""
        fill(self.value, value, self.name)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        array = np.asarray(self.value, dtype)
        return array.copy() if copy and array is self.value else array

    def __array_ufunc__(self, ufunc, method, *inputs, **named):
        """Calculate with the arrays; `out=` may be a variable."""
        out = named.get("out")
        if out is not None:
            named["out"] = _opened(out)
        result = getattr(ufunc, method)(*_opened(inputs), **named)
        return out[0] if out is not None and len(out) == 1 else result

    def __array_function__(self, function, types, args, named):
        """Call a function of NumPy with the arrays."""
        return function(*_opened(args), **_opened(named))

    def __getitem__(self, key: Any) -> Any:
        return self.value[_opened(key)]

    def __len__(self) -> int:
        return len(self.value)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.value)

    def __float__(self) -> float:
        return float(self.value)

    def __int__(self) -> int:
        return int(self.value)

    def __bool__(self) -> bool:
        return bool(self.value)

    def __repr__(self) -> str:
        return f"<Variable {self.name} {self.shape} {self.dtype}>"


def fill(array: np.ndarray, value: Any, name: str) -> None:
    """Copy new numbers into an array, or refuse those of another shape."""
    value = np.asarray(value)
    if value.shape != array.shape:
        raise ValueError(
            f"{name}: expected a value of shape {array.shape}, got {value.shape}. Only "
            "a new variable has another shape."
        )
    array[...] = value


def _opened(value: Any) -> Any:
    """Return arguments with the arrays of variables in their place."""
    if isinstance(value, Variable):
        return value.value
    if isinstance(value, dict):
        return {name: _opened(part) for name, part in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_opened(part) for part in value)
    return value
