"""
Numbers that a training step leaves on the device until somebody looks.

Reading a number from a GPU makes the host wait for all that was asked of it before. So
the loss and the metrics of a step go into a row of a table on the device, and what the
callbacks get is a promise, `Noted`: `float(noted)` reads the table, once for all its
rows. On the host the numbers are simply floats. Read next: `progress.py`, which looks
when it draws.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import device

ROWS = 256  # steps that are noted before all are read at once


class Noted:
    """
    A number that is read when somebody asks for it.

    Parameters
    ----------
    read : callable
        Returns the number.

    Examples
    --------
    >>> float(Noted(lambda: 2.5))
    2.5
    """

    __slots__ = ("_read", "_value")

    def __init__(self, read: Callable[[], float]) -> None:
        self._read = read
        self._value: float | None = None

    def __float__(self) -> float:
        if self._value is None:
            self._value = float(self._read())
        return self._value

    def __repr__(self) -> str:
        return repr(float(self))


class Page:
    """
    The rows that were noted since the table was last read as a whole.

    Parameters
    ----------
    table : array of the device
    check : callable
        Is called with the rows that are read for the first time and are watched.
    """

    def __init__(self, table: Any, check: Callable[[np.ndarray], None]) -> None:
        self.table, self.check = table, check
        self.filled = 0
        self.watched: list[int] = []
        self.numbers = np.zeros((0, table.shape[1]))

    def read(self, row: int, k: int) -> float:
        """Return number k of a row, after fetching all rows there are."""
        if row >= len(self.numbers):
            self.fetch()
        return self.numbers[row, k]

    def fetch(self) -> None:
        """Copy the filled rows to the host."""
        self.numbers = np.array(self.table[: self.filled])
        self.check(self.numbers[self.watched])
        self.watched.clear()


class Notes:
    """
    The values of a step, noted step after step.

    Parameters
    ----------
    values : array
        Of the device or the host; each `take` notes what is in it at that moment.
    check : callable, optional
        For values of a GPU of which the last one is not returned, but looked at later:
        is called with the rows that were taken with `watched`, once they are read.
    """

    def __init__(
        self, values: Any, check: Callable[[np.ndarray], None] | None = None
    ) -> None:
        self.values, self.place = values, device.place()
        self._shown = values.size - (check is not None)
        self._check = check or (lambda rows: None)
        self._page: Page | None = None

    def take(self, watched: bool = False) -> list:
        """Return the values: floats, or promises of numbers that are on the device."""
        if isinstance(self.values, np.ndarray):
            return self.values.tolist()
        page = self._page
        if page is None or page.filled == ROWS:
            if page is not None:
                page.fetch()  # its rows are about to be used again
                page = Page(page.table, self._check)
            else:
                table = device.zeros((ROWS, self.values.size), np.float64)
                page = Page(table, self._check)
            self._page = page
        row = page.filled
        page.table[row] = self.values
        if watched:
            page.watched.append(row)
        page.filled = row + 1
        return [self._noted(page, row, k) for k in range(self._shown)]

    @staticmethod
    def _noted(page: Page, row: int, k: int) -> Noted:
        return Noted(lambda: page.read(row, k))


def scaled(value: Any, factor: float) -> Any:
    """Return factor times a value, as late as the value itself is known."""
    if isinstance(value, Noted):
        return value if factor == 1 else Noted(lambda: factor * float(value))
    return factor * value


def weighted_total(weights: Sequence[float], values: Sequence[Any]) -> Any:
    """Return the sum of w v over all pairs, as late as the values are known."""

    def total() -> float:
        return sum(w * float(v) for w, v in zip(weights, values))

    late = any(isinstance(value, Noted) for value in values)
    return Noted(total) if late else float(total())
