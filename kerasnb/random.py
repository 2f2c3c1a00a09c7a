"""
Random numbers: one seed, the same numbers on every machine, thread count and device.

A `Generator` is a key and a counter; a kernel turns any range of the counter into
numbers, so nothing depends on who draws them or in which order. Words, masks and
permutations agree to the bit, normal numbers to the last digit of the machine's log and
cos. NumPy's global state is never touched. Read next: `kernels/formulas/random.py`.
"""

from __future__ import annotations

import contextlib
import operator
import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from . import device
from .device import ops
from .kernels.plain.random import GROUP

SEEDS = 1 << 63  # seeds are 0 .. SEEDS - 1
DECISIONS = 8 * GROUP  # of dropout, that are drawn at a time


class Generator:
    """
    A stream of random numbers.

    Parameters
    ----------
    seed : int, optional
        From 0 to 2**63 - 1; default: a fresh one from the operating system.

    Attributes
    ----------
    state : uint64 vector of 2
        The seed, and how many blocks of four numbers have been handed out. Kernels that
        draw numbers in a recorded step read and advance it themselves.

    Examples
    --------
    >>> Generator(1).permutation(5)
    array([0, 4, 1, 2, 3])
    >>> bool((Generator(1).normal(3) == Generator(1).normal(3)).all())
    True
    """

    def __init__(self, seed: int | None = None) -> None:
        if seed is None:
            seed = int.from_bytes(os.urandom(8), "little") % SEEDS
        self._state = np.array([checked_seed("Generator", seed), 0], np.uint64)
        self._twin: Any = None  # the state on a GPU, which counts once it is there

    @property
    def state(self) -> Any:
        """Return the array of the state in the memory of the device in use."""
        if device.place() == "host":
            if self._twin is not None:
                self._state[:], self._twin = self._twin.copy(), None
            return self._state
        if self._twin is None:
            self._twin = device.here(self._state)
        return self._twin

    def _numbers(self) -> list[int]:
        """Return the seed and the blocks that have been handed out."""
        state = self._state if self._twin is None else self._twin
        return state.tolist()

    def _set_numbers(self, key: int, counter: int) -> None:
        state = self._state if self._twin is None else self._twin
        state[...] = np.array([key, counter], np.uint64)

    @property
    def key(self) -> int:
        """Return the seed."""
        return self._numbers()[0]

    @property
    def counter(self) -> int:
        """Return how many blocks have been handed out."""
        return self._numbers()[1]

    @counter.setter
    def counter(self, blocks: int) -> None:
        self._set_numbers(self.key, blocks)

    def take(self, count: int) -> tuple[int, int]:
        """Reserve blocks for `count` numbers; return the key and the first block."""
        key, first = self._numbers()
        self._set_numbers(key, first + (count + 3) // 4)
        return key, first

    def uniform(
        self, shape: Any, low: float = 0.0, high: float = 1.0, dtype: Any = None
    ) -> np.ndarray:
        """Return numbers from [low, high)."""
        return self._filled(ops.random_uniform, shape, low, high, dtype)

    def normal(
        self, shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = None
    ) -> np.ndarray:
        """Return normal numbers."""
        return self._filled(ops.random_normal, shape, mean, stddev, dtype)

    def truncated_normal(
        self, shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = None
    ) -> np.ndarray:
        """Return normal numbers, drawn again until within two stddev of the mean."""
        return self._filled(ops.random_truncated_normal, shape, mean, stddev, dtype)

    def permutation(self, n: int, out: np.ndarray | None = None) -> np.ndarray:
        """
        Return 0 .. n - 1 in random order, each order as likely.

        Parameters
        ----------
        n : int
        out : int64 vector of length n, optional
            Filled and returned; default: a new one.
        """
        if out is None:
            out = np.empty(n, np.int64)
        elif out.shape != (n,) or out.dtype != np.int64:
            raise ValueError(
                f"permutation: expected out to be an int64 vector of length {n}, got "
                f"{out.dtype} of shape {out.shape}."
            )
        ops.random_permutation(out, *self.take(n))
        return out

    def spawn(self) -> int:
        """Return a seed, drawn from this stream, for a new independent one."""
        a, b, c = (int(2**21 * u) for u in self.uniform(3, dtype="float64"))
        return (a << 42) | (b << 21) | c

    def get_state(self) -> dict[str, int]:
        """Return all that is needed to go on from here."""
        key, counter = self._numbers()
        return {"key": key, "counter": counter}

    def set_state(self, state: dict[str, int]) -> None:
        """Go on from where `get_state` was called."""
        key = checked_seed("set_state: key", state["key"])
        counter = checked_seed("set_state: counter", state["counter"])
        self._set_numbers(key, counter)

    def _filled(self, kernel, shape, a, b, dtype):
        dtype = np.dtype(dtype or device.floatx())
        if dtype not in (np.float32, np.float64):
            raise ValueError(
                f"Random numbers: expected dtype float32 or float64, got {dtype}. Draw "
                "float32 numbers and convert them with astype."
            )
        out = np.empty(shape, dtype)
        kernel(out.reshape(-1), float(a), float(b), *self.take(out.size))
        return out


def checked_seed(who: str, seed: Any) -> int:
    """Return the seed as an int, or raise an error that says what a seed is."""
    try:
        number = operator.index(seed)
    except TypeError:
        raise TypeError(
            f"{who}: expected a whole number from 0 to 2**63 - 1, got {seed!r}."
        ) from None
    if not 0 <= number < SEEDS:
        raise ValueError(
            f"{who}: expected a whole number from 0 to 2**63 - 1, got {number}."
        )
    return number


def decisions(size: int) -> tuple[int]:
    """Return the shape of what dropout draws for so many numbers: half words."""
    return (-(-size // DECISIONS) * DECISIONS,)


_generator = Generator()


def generator() -> Generator:
    """Return the process-wide stream, which everything without its own seed uses."""
    return _generator


def set_seed(seed: int) -> None:
    """
    Start the process-wide stream anew: initial weights, shuffles, dropout.

    Parameters
    ----------
    seed : int
        From 0 to 2**63 - 1.

    Examples
    --------
    >>> set_seed(7)
    >>> x = generator().uniform(4)
    >>> set_seed(7)
    >>> bool((generator().uniform(4) == x).all())
    True
    """
    _generator.set_state({"key": checked_seed("set_seed", seed), "counter": 0})


@contextlib.contextmanager
def seeded(seed: int | None) -> Iterator[Generator]:
    """
    Use a fresh stream inside a `with` block, then go on with the former one.

    Parameters
    ----------
    seed : int or None
        None changes nothing.
    """
    global _generator
    former = _generator
    if seed is not None:
        checked_seed("seed", seed)
        _generator = Generator(seed)
    try:
        yield _generator
    finally:
        _generator = former
