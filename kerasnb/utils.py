"""
Small tools that any room of the house may use.

`lookup` finds an object by name and suggests the nearest name when there is none;
`custom_object_scope` adds names of your own to what it finds. `to_categorical` and
`normalize` are the two array helpers that every tutorial needs. Read next: `hdf5.py`,
for data that stay on disk.
"""

from __future__ import annotations

import contextlib
import difflib
import math
import sys
from numbers import Real
from typing import Any

import numpy as np

from .generators import Sequence
from .hdf5 import HDF5Matrix
from .renames import bilingual

__all__ = [
    "CustomObjectScope",
    "HDF5Matrix",
    "Sequence",
    "collected_functions",
    "construct",
    "custom_object_scope",
    "function_entry",
    "get_custom_objects",
    "lookup",
    "name_of",
    "normalize",
    "own_function",
    "positive_integer",
    "saved_name",
    "to_categorical",
    "whole_number",
]

np_utils = sys.modules[__name__]  # the name of this module in Keras 1
FUNCTION = "function"  # the class_name that marks a function of the user's own

_custom_objects: dict = {}
_collected: dict | None = None


def get_custom_objects():
    """Return the classes and functions that names stand for before all others."""
    return _custom_objects


@contextlib.contextmanager
def custom_object_scope(*custom_objects):
    """
    Let names stand for classes and functions of your own inside a `with` block.

    Parameters
    ----------
    *custom_objects : dict
        Name -> layer class, activation, initializer, loss, ...

    Raises
    ------
    TypeError
        If something else than a dict is passed.

    Examples
    --------
    >>> from kerasnb import initializers
    >>> def halves(shape, dtype=None):
    ...     return np.full(shape, 0.5, dtype)
    >>> with custom_object_scope({"halves": halves}):
    ...     initializers.get("halves")(2)
    array([0.5, 0.5])
    """
    for names in custom_objects:
        if not isinstance(names, dict):
            raise TypeError(
                "custom_objects: expected a dict {'Name': class or function}, got "
                f"{names!r}."
            )
    former = dict(_custom_objects)
    try:
        for names in custom_objects:
            _custom_objects.update(names)
        yield _custom_objects
    finally:
        _custom_objects.clear()
        _custom_objects.update(former)


CustomObjectScope = custom_object_scope


def lookup(name, table, what):
    """
    Return what a name stands for, or raise a ValueError with the nearest known name.

    Parameters
    ----------
    name : str
        What the user wrote.
    table : dict
        Known names and what they stand for; names of `custom_object_scope` come first.
    what : str
        What is looked up, for the message: "loss", "optimizer", ...
    """
    for known_objects in (_custom_objects, table):
        if name in known_objects:
            return known_objects[name]
    close = difflib.get_close_matches(str(name), table, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    known = ", ".join(sorted(table, key=str.lower))
    raise ValueError(f"Unknown {what} {name!r}.{hint} Known: {known}.")


def name_of(function):
    """
    Return what a function is called: under this name `custom_objects` supplies it.

    Examples
    --------
    >>> name_of(np.tanh)
    'tanh'
    """
    function = getattr(function, "func", function)  # of functools.partial
    return getattr(function, "__name__", None) or type(function).__name__


@contextlib.contextmanager
def collected_functions():
    """
    Collect the functions that configurations name inside a `with` block.

    Two functions of one name get different ones, so that a copy can tell them apart.

    Examples
    --------
    >>> with collected_functions() as found:
    ...     saved_name(np.tanh), saved_name(lambda x: x)
    ('tanh', '<lambda>')
    >>> found["tanh"]
    <ufunc 'tanh'>
    """
    global _collected
    former, _collected = _collected, {}
    try:
        yield _collected
    finally:
        _collected = former


def saved_name(function):
    """Return the name of a function in a configuration."""
    name = unique = name_of(function)
    if _collected is not None:
        number = 1
        while _collected.setdefault(unique, function) != function:
            number += 1
            unique = f"{name}_{number}"
    return unique


def function_entry(function, table):
    """Return what stands for a function in a configuration: its name, if it is free."""
    name = saved_name(function)
    return {"class_name": FUNCTION, "config": name} if name in table else name


def own_function(entry):
    """Return the function that a configuration names, or raise a ValueError."""
    name = entry["config"] if isinstance(entry, dict) else entry
    if name not in _custom_objects:
        raise ValueError(
            f"It uses the function {name!r}, which the file cannot hold. "
            f"Supply it: custom_objects={{{name!r}: ...}}."
        )
    return _custom_objects[name]


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
        made = lookup(identifier, table, what)
        is_custom = identifier in _custom_objects and not isinstance(made, type)
        return made if is_custom else made()
    if isinstance(identifier, dict) and identifier.get("class_name") == FUNCTION:
        return own_function(identifier)
    if isinstance(identifier, dict) and "class_name" in identifier:
        made = lookup(identifier["class_name"], table, what)
        return made(**identifier.get("config", {}))
    is_class = isinstance(identifier, type) and issubclass(identifier, base)
    if is_class or any(identifier is made for made in table.values()):
        return identifier()
    return None


def said(error: Exception) -> str:
    """
    Return what an error says, as a sentence; of other kinds than ours, the kind too.

    Examples
    --------
    >>> said(ValueError("expected 1")), said(KeyError("x"))
    ('expected 1.', "KeyError('x').")
    """
    text = str(error) if isinstance(error, (TypeError, ValueError)) else repr(error)
    return text if text.endswith(".") else f"{text}."


def whole_number(value, what, least=0):
    """Return a whole number from `least` on; a ValueError names the argument."""
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    whole = is_number and math.isfinite(value) and value == math.floor(value)
    if not whole or value < least:
        kind = "a positive integer" if least == 1 else f"an integer from {least} on"
        raise ValueError(f"{what} must be {kind}, got {value!r}.")
    return int(value)


def positive_integer(value, what):
    """Return a positive whole number, or raise a ValueError that names the argument."""
    return whole_number(value, what, 1)


@bilingual
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
