"""
The arrays of recurrent layers in other orders: those of Keras 1, and of CuDNN.

Keras 1 kept an array for each gate, an LSTM's in the order i, c, f, o; we keep the
blocks of all gates in one array, an LSTM's in the order i, f, c, o. CuDNN has two
biases, and stores each block the other way round. Each function takes and returns
lists of arrays as `get_weights` does. Read next: `gates.py`, where the blocks are used.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Arrays = Sequence[Any]

KEPT = {9: (0, 1, 2), 12: (0, 2, 1, 3)}
"""Number of arrays in Keras 1 -> where our blocks stand among its gates."""


def from_keras1(arrays: Arrays) -> list[np.ndarray]:
    """
    Return [W, U, b] from the 9 arrays of a GRU or the 12 of an LSTM of Keras 1.

    The arrays of a ConvLSTM2D are in the order of an LSTM's.

    Examples
    --------
    >>> shapes = (1, 1), (1, 1), (1,)
    >>> arrays = [np.full(shape, gate) for gate in "icfo" for shape in shapes]
    >>> from_keras1(arrays)[2].tolist()
    ['i', 'f', 'c', 'o']
    """
    if len(arrays) not in KEPT:
        raise ValueError(
            "from_keras1: expected the 9 arrays of a GRU (W, U, b of z, r, h) or the "
            f"12 of an LSTM (of i, c, f, o), got {len(arrays)}."
        )
    order = KEPT[len(arrays)]
    parts = [np.asarray(array) for array in arrays]
    return [
        np.concatenate([parts[3 * gate + kind] for gate in order], axis=-1)
        for kind in range(3)
    ]


def to_keras1(arrays: Arrays) -> list[np.ndarray]:
    """Return the 9 or 12 arrays of Keras 1 from [W, U, b] of a GRU or an LSTM."""
    W, U, b = _three(arrays, "to_keras1")
    gates = _gates(U, "to_keras1")
    if b.ndim != 1:
        raise ValueError(
            "to_keras1: expected a bias with one axis, got shape "
            f"{b.shape}. Keras 1 has no GRU with reset_after."
        )
    blocks = [np.split(array, gates, axis=-1) for array in (W, U, b)]
    order = np.argsort(KEPT[3 * gates])
    return [blocks[kind][gate].copy() for gate in order for kind in range(3)]


def from_cudnn(arrays: Arrays) -> list[np.ndarray]:
    """
    Return [W, U, b] of GRU(reset_after=True) or LSTM from those of the layers of CuDNN.

    The blocks of W (D, u) hold the numbers of (u, D), those of U are transposed; an
    LSTM adds its two biases, a GRU keeps both.
    """
    W, U, b = _three(arrays, "from_cudnn")
    gates = _gates(U, "from_cudnn")
    W = _by_block(W, gates, lambda block: block.reshape(block.shape[::-1]).T)
    U = _by_block(U, gates, np.transpose)
    if b.shape != (2 * U.shape[1],):
        raise ValueError(
            f"from_cudnn: expected a bias of shape {(2 * U.shape[1],)}, one half for "
            f"the inputs and one for the states, got {b.shape}."
        )
    b = b.reshape(2, -1)
    return [W, U, b.copy() if gates == 3 else b[0] + b[1]]


def to_cudnn(arrays: Arrays) -> list[np.ndarray]:
    """Return the arrays of a layer of CuDNN; an LSTM's biases are two equal halves."""
    W, U, b = _three(arrays, "to_cudnn")
    gates = _gates(U, "to_cudnn")
    if (b.ndim == 2) != (gates == 3):
        raise ValueError(
            f"to_cudnn: expected the bias of an LSTM or of a GRU with reset_after, got "
            f"one of shape {b.shape}."
        )
    W = _by_block(W, gates, lambda block: block.T.reshape(block.shape))
    U = _by_block(U, gates, np.transpose)
    return [W, U, b.reshape(-1).copy() if gates == 3 else np.tile(b / 2, 2)]


def _three(arrays: Arrays, who: str) -> list[np.ndarray]:
    if len(arrays) != 3:
        raise ValueError(
            f"{who}: expected the three arrays W, U and b, got {len(arrays)}."
        )
    return [np.asarray(array) for array in arrays]


def _gates(U: np.ndarray, who: str) -> int:
    """Return the number of gates, which the shape of U (u, G u) tells."""
    u, columns = U.shape[-2:] if U.ndim in (2, 4) else (0, 1)
    if columns not in (3 * u, 4 * u):
        raise ValueError(
            f"{who}: expected the weights of a GRU or an LSTM, U of shape (u, 3 u) or "
            f"(u, 4 u), got {U.shape}."
        )
    return columns // u


def _by_block(array: np.ndarray, gates: int, change: Any) -> np.ndarray:
    """Return the array with each block changed."""
    return np.concatenate([change(b) for b in np.split(array, gates, axis=1)], axis=1)
