"""
Class numbers, in whichever form they come: numbers, one-hot rows or probabilities.

Pictures and counts of right and wrong answers ask here. Read next: `plotting.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def class_numbers(what: str, y: Any) -> np.ndarray:
    """Return class numbers, whether y has them, one-hot rows or probabilities."""
    y = np.asarray(y)
    if y.ndim == 2 and y.shape[1] > 1:
        return y.argmax(1)
    if y.ndim == 2 and y.dtype.kind == "f":
        return (y[:, 0] > 0.5).astype(int) if (y <= 1).all() else whole(what, y[:, 0])
    return whole(what, y[:, 0] if y.ndim == 2 else y)


def whole(what: str, y: np.ndarray) -> np.ndarray:
    """Return class numbers as integers; refuse fractions and negative ones."""
    if y.ndim != 1 or y.dtype.kind not in "biuf":
        raise ValueError(
            f"{what}: expected class numbers (N,) or probabilities (N, classes), "
            f"got {y.dtype} of shape {y.shape}."
        )
    wrong = y[~((y >= 0) & (y == np.floor(y)))]
    if len(wrong):
        raise ValueError(
            f"{what}: expected whole class numbers from 0, got {wrong[0]}. "
            "Turn probabilities into classes first: (p > 0.5)."
        )
    return y.astype(int)


def class_name(what: str, k: int, class_names: Sequence[str] | None) -> str:
    """Return the name of a class, or its number if there are no names."""
    if class_names is None:
        return str(k)
    if k >= len(class_names):
        raise ValueError(
            f"{what}: expected class_names for {k + 1} classes, got {len(class_names)}."
        )
    return str(class_names[k])
