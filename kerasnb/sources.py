"""
Sources: where batches come from, by number or one after the other.

A `Sequence` is what a user writes: it knows its batches by number. `Numbered` decides
which of them an epoch has, and can tell exactly where it is; `Stream` reads a plain
generator, which can only go on. Read next: `generators.py`, which supplies a loop from
either.
"""

from __future__ import annotations

import abc
import contextlib
import pickle
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np

from . import random
from .state import Stateful, keeps_state
from .workers import Parcel


class Sequence(Stateful, abc.ABC):
    """
    Batches by number: a subclass says how many there are and how to make one.

    Several workers call `sequence[i]` at the same time, in any order, and worker
    processes work on copies of the object. So an item should depend on its number alone
    (`kerasnb.random.Generator(i)` gives it random numbers of its own), and what is to
    change from epoch to epoch belongs into `on_epoch_end`. It must not call the model
    that is being trained, whose layers reuse their buffers. `state_names` lists the
    attributes that `on_epoch_end` changes: see `state.py`.

    An item that is None is left out: the epoch has one batch less.

    Examples
    --------
    >>> import math
    >>> class Squares(Sequence):
    ...     def __init__(self, x, batch_size):
    ...         self.x, self.batch_size = x, batch_size
    ...
    ...     def __len__(self):
    ...         return math.ceil(len(self.x) / self.batch_size)
    ...
    ...     def __getitem__(self, index):
    ...         start = index * self.batch_size
    ...         x = self.x[start : start + self.batch_size]
    ...         return x, [number**2 for number in x]
    >>> list(Squares([1, 2, 3], batch_size=2))
    [([1, 2], [1, 4]), ([3], [9])]
    """

    @abc.abstractmethod
    def __len__(self) -> int:
        """Return the number of batches; it is asked again before every epoch."""

    @abc.abstractmethod
    def __getitem__(self, index: int) -> Any:
        """Return one batch: (x, y) or (x, y, sample_weight); x alone for predict."""

    def on_epoch_end(self) -> None:
        """Is called in the main thread after the last batch of every epoch."""

    def __iter__(self) -> Iterator[Any]:
        """Yield every batch once, in order."""
        for index in range(len(self)):
            yield self[index]


class Numbered:
    """The batches of a Sequence: which ones an epoch has, and how one is fetched."""

    def __init__(
        self,
        sequence: Sequence,
        steps: int | None,
        name: str,
        shuffle: bool,
        restart: bool,
    ) -> None:
        self._sequence, self._name = sequence, name
        self._shuffle, self._restart = shuffle, restart
        self._chosen_steps = steps
        self.length = self._count()
        self._rest: list[int] = []  # what the epochs so far left of the pass
        self.parcel: Parcel | None = None

    @property
    def steps(self) -> int:
        """How many batches an epoch has."""
        return self._chosen_steps or self.length

    def fetch(self, index: int) -> Any:
        """Return one batch."""
        return self._sequence[index]

    def peek(self) -> Any:
        """Return the first item that is not None, or None if there is no such item."""
        return next((item for item in self._sequence if item is not None), None)

    def describe(self, index: int) -> str:
        """Return how messages call a batch."""
        return f"item {index} of the Sequence"

    def order(self) -> list[int]:
        """Return the indices of the next epoch: the rest of a pass, then new passes."""
        order = [] if self._restart else self._rest
        while len(order) < self.steps:
            if self._shuffle:
                order += random.generator().permutation(self.length).tolist()
            else:
                order += range(self.length)
        self._rest = order[self.steps :]
        return order[: self.steps]

    def end_epoch(self, last: bool) -> None:
        """Let the Sequence change, and see what has become of it."""
        self._sequence.on_epoch_end()
        if last:
            return
        length = self._count()
        if length != self.length:
            self.length, self._rest = length, []
        if self.parcel is not None:
            self.pack()

    def pack(self) -> Parcel:
        """Pickle the Sequence for worker processes."""
        try:
            content = pickle.dumps(self._sequence, protocol=5)
        except Exception as error:
            raise TypeError(
                f"{self._name}: use_multiprocessing=True sends the Sequence to other "
                f"processes, but it cannot be pickled ({error}). Define its class at "
                "the top of a file and open files in __getitem__, or use threads."
            ) from error
        if self.parcel is None:
            self.parcel = Parcel(content)
        elif self.parcel.content != content:
            self.parcel.content = content
        return self.parcel

    @property
    def forgets(self) -> bool:
        """Whether epochs change the Sequence in a way that its state does not tell."""
        changes = type(self._sequence).on_epoch_end is not Sequence.on_epoch_end
        return changes and not keeps_state(self._sequence)

    def get_state(self) -> dict[str, Any]:
        """Return what decides about the batches to come."""
        return {
            "length": self.length,
            "steps": self.steps,
            "rest": np.array(self._rest, np.int64),
            "sequence": self._sequence.get_state(),
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from what `get_state` returned."""
        self._sequence.set_state(state["sequence"])
        self.length = self._count()
        if [state["length"], state["steps"]] != [self.length, self.steps]:
            raise ValueError(
                f"{self._name}: the Sequence had {state['length']} batches, "
                f"{state['steps']} an epoch; now it has {self.length} and {self.steps}."
            )
        self._rest = indices(state["rest"], self.length)
        if self.parcel is not None:
            self.pack()

    def _count(self) -> int:
        try:
            length = len(self._sequence)
        except TypeError as error:
            raise TypeError(
                f"{self._name}: the length of {type(self._sequence).__name__} must be "
                f"a whole number ({error}). Use math.ceil(samples / batch_size)."
            ) from error
        if length == 0:
            raise ValueError(
                f"{self._name}: {type(self._sequence).__name__} is empty: its length "
                "is 0, so there is no batch."
            )
        return length


def indices(values: Any, length: int) -> list[int]:
    """Return numbers of batches from a file, or refuse what can be none."""
    array = np.asarray(values)
    if array.ndim != 1 or array.dtype != np.int64:
        raise ValueError("an order of batches must be a vector of whole numbers.")
    if array.size and not 0 <= array.min() <= array.max() < length:
        raise ValueError(f"an order of batches goes beyond their number, {length}.")
    return array.tolist()


_locks: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()
"""One lock for every iterator that is being read, by its id."""


class Stream:
    """The batches of a plain generator: one after the other, never from the start."""

    def __init__(self, iterator: Iterator[Any], steps: int) -> None:
        self._iterator, self.steps = iterator, steps
        self._lock = _locks.setdefault(id(iterator), threading.Lock())
        self._peeked: Any = None

    def fetch(self, index: int) -> Any:
        """Return the next item that is not None."""
        with self._lock:
            item, self._peeked = self._peeked, None
            while item is None:
                item = next(self._iterator)
            return item

    def peek(self) -> Any:
        """Return what `fetch` will return, or None if there is nothing."""
        with contextlib.suppress(StopIteration):
            self._peeked = self.fetch(0)
        return self._peeked

    def describe(self, index: int) -> str:
        """Return how messages call a batch."""
        return f"batch {index + 1} of the generator"

    def order(self) -> range:
        """Return as many numbers as an epoch has batches."""
        return range(self.steps)

    def get_state(self) -> dict[str, Any]:
        """Return nothing: where a generator is cannot be told."""
        return {}

    def set_state(self, state: dict[str, Any]) -> None:
        """Leave the generator where it is."""

    def end_epoch(self, last: bool) -> None:
        """Nothing changes: a generator goes on where it is."""
