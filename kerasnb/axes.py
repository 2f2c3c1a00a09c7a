"""
Which axis is meant, and whether shapes agree: for layers that join arrays.

Axes are counted with the batch, which is axis 0 and cannot be meant. Read next:
`joining.py`.
"""

from __future__ import annotations

import math

import numpy as np

from .layer import show_shape


def agreed(shapes):
    """Return the shape that all shapes fit, or None; None fits every size."""
    if len({len(shape) for shape in shapes}) > 1:
        return None
    sizes = [set(axis) - {None} for axis in zip(*shapes)]
    if any(len(found) > 1 for found in sizes):
        return None
    return tuple(next(iter(found), None) for found in sizes)


def is_axis(value):
    """Return whether a value is a whole number."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def are_axes(value):
    """Return whether the first argument is an axis, or a pair, instead of branches."""
    several = isinstance(value, (list, tuple)) and len(value) > 0
    return is_axis(value) or several and all(map(is_axis, value))


def find_axis(layer, axis, shape):
    """Return the number of an axis from the front; it must not be the batch."""
    rank = len(shape)
    if not -rank < axis < rank or axis == 0:
        raise ValueError(
            f"{layer.name}: the axis must lie between 1 and {rank - 1}, or between "
            f"{1 - rank} and -1, got {axis} for an array of shape {show_shape(shape)}. "
            "Axis 0 is the batch: samples stay apart."
        )
    return int(axis) % rank


def around_axis(x, axis):
    """Return an array as (N, A, K, C): before, on and after the axis."""
    axis %= x.ndim
    before, after = math.prod(x.shape[1:axis]), math.prod(x.shape[axis + 1 :])
    return x.reshape(len(x), before, x.shape[axis], after)
