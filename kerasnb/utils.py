"""
Small tools that any room of the house may use.

`lookup` finds an object by name and suggests the nearest name when there is none.
`to_categorical` and `normalize` are the two array helpers that every tutorial needs.
Data that stay on disk are read through `HDF5Matrix`: read next `hdf5.py`.
"""

from __future__ import annotations

import difflib
from typing import Any

import numpy as np

from .hdf5 import HDF5Matrix

__all__ = [
    "HDF5Matrix",
    "construct",
    "lookup",
    "normalize",
    "positive_integer",
    "to_categorical",
]


def lookup(name, table, what):
    """
    Return `table[name]`, or raise a ValueError that names the nearest known name.

    Parameters
    ----------
    name : str
        What the user wrote.
    table : dict
        Known names and what they stand for.
    what : str
        What is looked up, for the message: "loss", "optimizer", ...
    """
    if name in table:
        return table[name]
    close = difflib.get_close_matches(str(name), table, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    known = ", ".join(sorted(table, key=str.lower))
    raise ValueError(f"Unknown {what} {name!r}.{hint} Known: {known}.")


def construct(identifier, table, base, what):
    """
    Return the object that is meant, or None if it is nothing of these.

    Parameters
    ----------
    identifier : str, dict, class or object
        A name in `table`, a configuration {'class_name': ..., 'config': {...}}, a class
        or factory, or an object already.
    table : dict
        Names and the classes or factories that they stand for.
    base : class
        What the objects are instances of.
    what : str
        What is looked up, for the message.

    Raises
    ------
    ValueError
        If a name is unknown.
    """
    if isinstance(identifier, base):
        return identifier
    if isinstance(identifier, str):
        return lookup(identifier, table, what)()
    if isinstance(identifier, dict) and "class_name" in identifier:
        made = lookup(identifier["class_name"], table, what)
        return made(**identifier.get("config", {}))
    is_class = isinstance(identifier, type) and issubclass(identifier, base)
    if is_class or any(identifier is made for made in table.values()):
        return identifier()
    return None


def positive_integer(value, what):
    """Return a positive whole number, or raise a ValueError that names the argument."""
    whole = np.isscalar(value) and not isinstance(value, (bool, str, bytes))
    if not whole or value != int(value) or value < 1:
        raise ValueError(f"{what} must be a positive integer, got {value!r}.")
    return int(value)


def to_categorical(y: Any, num_classes: int | None = None) -> np.ndarray:
    """
    Turn class numbers into one-hot rows.

    Parameters
    ----------
    y : integer array of any shape
        Class numbers from 0; a last axis of length 1 is dropped when there are others.
    num_classes : int, optional
        Default: the largest class number plus one.

    Returns
    -------
    float32 array of shape `y.shape + (num_classes,)`

    Raises
    ------
    ValueError
        If a class number is negative, fractional or not below `num_classes`.

    Examples
    --------
    >>> to_categorical([0, 2])
    array([[1., 0., 0.],
           [0., 0., 1.]], dtype=float32)
    """
    labels = np.asarray(y)
    if labels.ndim > 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    if labels.dtype.kind not in "fiub":
        raise ValueError(
            f"to_categorical: expected class numbers, got type {labels.dtype}. "
            "np.unique(y, return_inverse=True)[1] numbers other labels."
        )
    with np.errstate(invalid="ignore"):
        codes = labels.astype(np.int64)
    if codes.size and (codes.min() < 0 or (codes != labels).any()):
        raise ValueError(
            "to_categorical: expected whole class numbers from 0, got "
            f"{labels[(codes < 0) | (codes != labels)].flat[0]}."
        )
    top = int(codes.max()) + 1 if codes.size else 0
    if num_classes is None:
        num_classes = top
    elif top > positive_integer(num_classes, "num_classes"):
        raise ValueError(
            f"to_categorical: class {top - 1} does not fit in "
            f"num_classes={num_classes}."
        )
    onehot = np.zeros((*codes.shape, int(num_classes)), np.float32)
    np.put_along_axis(onehot, codes[..., None], 1, axis=-1)
    return onehot


def normalize(x: Any, axis: int = -1, order: Any = 2) -> np.ndarray:
    """
    Divide by the norm along an axis; a norm of zero counts as one.

    Parameters
    ----------
    x : array
        Floats keep their type; whole numbers become float64.
    axis : int
    order : number
        Order of the norm, as in `np.linalg.norm`.

    Examples
    --------
    >>> normalize([[3.0, 4.0]])
    array([[0.6, 0.8]])
    """
    x = np.asarray(x)
    norm = np.linalg.norm(x, order, axis, keepdims=True)
    return x / np.where(norm == 0, norm.dtype.type(1), norm)
