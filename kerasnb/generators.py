"""
Data that arrive batch by batch: Sequences, generators, and the supply of a loop.

A `Sequence` knows its batches by number, so workers can compute several at once and an
epoch can shuffle them; a plain generator gives one after the other. `make_supply` turns
either into the batches of epoch after epoch, the same for any number of workers. Read
next: `workers.py` for the threads and processes, `training.py` for the loop.
"""

from __future__ import annotations

import contextlib
import math
import sys
import types
import warnings
from collections.abc import Iterator
from numbers import Real
from typing import Any

import numpy as np

from .sources import Numbered, Sequence, Stream, indices
from .workers import Crew, NoCrew, ProcessWorker, Worker, add_note

ENDLESS = sys.maxsize  # steps of an epoch that never ends


def is_generator(data: Any) -> bool:
    """Return whether `data` comes in batches: a Sequence, generator or iterator."""
    return isinstance(data, Sequence) or hasattr(data, "__next__")


# ---------------------------------------------------------------- batches


def check_item(item: Any, what: str) -> tuple[Any, Any, Any]:
    """
    Return the parts of a batch to train on: (x, y, sample_weight or None).

    Raises
    ------
    ValueError
        If the item is anything but a tuple or list of two or three.
    """
    if not isinstance(item, (tuple, list)) or len(item) not in (2, 3):
        raise ValueError(
            f"{what}: expected (x, y) or (x, y, sample_weight) for every batch, got "
            f"{_shown(item)}."
        )
    x, y, sample_weight = (*item, None)[:3]
    return x, y, sample_weight


def prediction_input(item: Any) -> Any:
    """
    Return x of a batch to predict: the first of a tuple, else the item itself.

    Raises
    ------
    ValueError
        If the item is a tuple, but not of two or three.
    """
    if not isinstance(item, tuple):
        return item
    if len(item) not in (2, 3):
        raise ValueError(
            "predict: expected x, (x, y) or (x, y, sample_weight) for every batch, got "
            f"{_shown(item)}. Several inputs come as a list, [x1, x2]."
        )
    return item[0]


def rows(x: Any) -> int:
    """Return the number of samples in a batch, as the logs tell it."""
    if isinstance(x, dict):
        x = list(x.values())
    if isinstance(x, (list, tuple)) and x and getattr(x[0], "shape", ()):
        x = x[0]
    shape = getattr(x, "shape", None)
    count = shape[0] if shape else len(x) if hasattr(x, "__len__") else 1
    return int(count) or 1


def _shown(item: Any) -> str:
    """Say what was found: a type with lengths and shapes."""
    if isinstance(item, (tuple, list)):
        parts = ", ".join(_shown_part(part) for part in item[:4])
        more = ", ..." if len(item) > 4 else ""
        return f"a {type(item).__name__} of {len(item)} ({parts}{more})"
    return _shown_part(item)


def _shown_part(part: Any) -> str:
    if part is None:
        return "None"
    name = type(part).__name__
    if hasattr(part, "shape"):
        return f"{name} of shape {tuple(part.shape)}"
    if isinstance(part, dict):
        return f"dict with {', '.join(map(repr, list(part)[:4])) or 'nothing'}"
    return f"{name} of length {len(part)}" if hasattr(part, "__len__") else name


# ---------------------------------------------------------------- the supply


class Supply:
    """
    The batches of epoch after epoch, fetched ahead by workers; made by `make_supply`.

    Inside its `with` block, every epoch is a loop over `epoch()` and a call of
    `end_epoch()`. Leaving the block ends all workers.

    Attributes
    ----------
    steps : int
        Batches of the epoch that runs or comes next.
    exhausted : bool
        Whether a generator has ended; then there are no further batches.
    """

    def __init__(
        self, source: Numbered | Stream, crew: Crew | NoCrew, name: str
    ) -> None:
        self._source, self._crew, self.name = source, crew, name
        self._running = self.exhausted = False
        self.steps = source.steps
        self._order: Any = None  # the indices of the epoch that runs or comes next
        self._taken = 0  # how many of them are through
        self._place = ""

    def first_input(self) -> Any:
        """Return x of the first batch, which still comes first when batches flow."""
        item = self._source.peek()
        if item is None:
            raise ValueError(f"{self.name}: it ended before its first batch.")
        return prediction_input(item)

    @contextlib.contextmanager
    def naming_the_batch(self) -> Iterator[None]:
        """Let an error tell which batch it is about: the one that was yielded last."""
        try:
            yield
        except Exception as error:
            add_note(error, f"{self.name}: {self._place}.")
            raise

    def __enter__(self) -> Supply:
        self._crew.start()
        self._running = True
        try:
            self._begin()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: Any) -> None:
        self._running = False
        self._crew.stop()

    def epoch(self, number: int | None = None) -> Iterator[Any]:
        """
        Yield the items of one epoch in order.

        Parameters
        ----------
        number : int, optional
            The epoch, from 0, for messages.
        """
        if not self._running:
            raise RuntimeError(f"{self.name}: batches flow inside the with block only.")
        epoch = "" if number is None else f" of epoch {number + 1}"
        for batch in range(self._taken, 0 if self.exhausted else self.steps):
            item, error = self._crew.take()
            self._taken += 1
            of_all = "" if self.steps == ENDLESS else f" of {self.steps}"
            self._place = f"batch {batch + 1}{of_all}{epoch}"
            if error is not None:
                self._fail_or_end(error, batch, epoch)
                return
            if item is not None:
                yield item
            item = None  # only the loop keeps it while the next one is awaited

    def end_epoch(self, last: bool = False) -> None:
        """
        Tell the Sequence that an epoch is over, and prefetch the next unless it's last.

        When a loop was left early, the rest of its epoch is dropped.

        Parameters
        ----------
        last : bool
            Whether no other epoch follows: then no order is drawn, nothing read ahead.
        """
        self._crew.finish()
        self._order, self._taken = None, 0
        self._source.end_epoch(last)
        if not last and not self.exhausted:
            self._begin()

    def _begin(self) -> None:
        self.steps = self._source.steps
        if self._order is None:
            self._order = self._source.order()
        self._crew.begin(self._order[self._taken :])

    @property
    def has_numbers(self) -> bool:
        """Return whether batches have numbers: the place among them is known."""
        return isinstance(self._source, Numbered)

    @property
    def forgets(self) -> bool:
        """Return whether `get_state` leaves out something about the batches to come."""
        return not isinstance(self._source, Numbered) or self._source.forgets

    def get_state(self) -> dict[str, Any]:
        """Return which batches are to come, as far as they have numbers."""
        if not self.has_numbers:
            return {}
        order = None if self._order is None else np.array(self._order, np.int64)
        return {**self._source.get_state(), "order": order, "taken": self._taken}

    def set_state(self, state: dict[str, Any]) -> None:
        """
        Go on from what `get_state` returned; before the `with` block.

        Raises
        ------
        ValueError
            If the state is that of other batches.
        """
        source = self._source
        if bool(state) != self.has_numbers:
            raise ValueError(
                f"{self.name}: a generator and a Sequence cannot stand in for each "
                "other."
            )
        if isinstance(source, Stream):
            return
        source.set_state(state)
        order, taken = state["order"], _whole_number(state["taken"], "taken", 0)
        if order is not None:
            order = indices(order, source.length)
        if taken > (0 if order is None else len(order)):
            raise ValueError(f"{self.name}: {taken} batches of an epoch are too many.")
        self._order, self._taken = order, taken

    def _fail_or_end(self, error: BaseException, batch: int, epoch: str) -> None:
        """Raise the error of a worker with its place, or note that the data ended."""
        of_all = "" if self.steps == ENDLESS else f" of {self.steps}"
        if isinstance(error, StopIteration) and isinstance(self._source, Stream):
            self.exhausted = True
            warnings.warn(
                f"{self.name}: the generator ended after {batch}{of_all} "
                f"batches{epoch}, and there it is over. Let it run for ever "
                "(while True) or ask for fewer steps.",
                stacklevel=3,
            )
            return
        what = self._source.describe(self._order[batch])
        note = f"{self.name}: {what} failed, {self._place}."
        try:
            if isinstance(error, StopIteration):  # would end our own loop unheard
                raise RuntimeError(f"{note} It raised StopIteration.") from error
            add_note(error, note)
            raise error
        finally:
            del error  # which refers to this frame


def make_supply(
    generator: Any,
    steps: float | None,
    name: str = "generator",
    workers: int = 1,
    max_queue_size: int = 10,
    use_multiprocessing: bool = False,
    shuffle: bool = True,
    restart: bool = False,
    steps_name: str = "steps_per_epoch",
) -> Supply:
    """
    Check all arguments and return the supply of a loop; nothing has started yet.

    Parameters
    ----------
    generator : Sequence, generator or iterator
    steps : number, optional
        Batches per epoch, rounded up; default: the length of the Sequence. With another
        number a pass over the Sequence goes on in the next epoch.
    name : str
        How messages call the generator.
    workers : int
        Threads or processes; 0 fetches in the thread of the loop. A plain generator is
        read by one.
    max_queue_size : int
        How many batches may wait; every worker has one more in its hands.
    use_multiprocessing : bool
        Processes instead of threads, for a Sequence. It is pickled before each epoch.
    shuffle : bool
        Draw a new order for every pass over a Sequence.
    restart : bool
        Let every epoch start a new pass over a Sequence, as validation does.
    steps_name : str
        How messages call `steps`.

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit.
    """
    workers = _whole_number(workers, "workers", 0)
    max_queue_size = _whole_number(max_queue_size, "max_queue_size", 1)
    if steps is not None:
        steps = _whole_number(steps, steps_name, 1)
    processes = bool(use_multiprocessing) and workers > 0
    source: Numbered | Stream
    if isinstance(generator, Sequence):
        source = Numbered(generator, steps, name, bool(shuffle), restart)
        _warn_of_other_steps(source, name, steps_name, restart)
    else:
        iterator = _as_iterator(generator, name)
        source = _make_stream(iterator, steps, name, steps_name, workers, processes)
        workers = min(workers, 1)
    if workers == 0:
        return Supply(source, NoCrew(source.fetch), name)
    if processes and isinstance(source, Numbered):
        parcel = source.pack()
        crew: list[Worker] = [
            ProcessWorker(name, number, parcel) for number in range(1, workers + 1)
        ]
    else:
        crew = [Worker(source.fetch) for _ in range(workers)]
    return Supply(source, Crew(name, crew, max_queue_size, source.describe), name)


def _whole_number(value: Any, what: str, least: int) -> int:
    """Return a number, rounded up, or raise an error that names the argument."""
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or value < least:
        kind = "a positive integer" if least else "an integer from 0"
        raise ValueError(f"{what} must be {kind}, got {value!r}.")
    return math.ceil(value)


def _warn_of_other_steps(
    source: Numbered, name: str, steps_name: str, restart: bool
) -> None:
    if source.steps == source.length:
        return
    effect = (
        f"each time it starts with the first of its {source.length} batches"
        if restart
        else f"it has {source.length} batches, and an epoch starts where the one "
        "before ended"
    )
    warnings.warn(
        f"{name}: with {steps_name}={source.steps} an epoch is not one pass over the "
        f"Sequence: {effect}. Leave {steps_name} out to use every batch once.",
        stacklevel=5,
    )


def _as_iterator(generator: Any, name: str) -> Iterator[Any]:
    """Return what gives one batch after the other, or say why there is nothing."""
    expected = f"{name}: expected a generator, an iterator or a Sequence, got "
    kind = type(generator).__name__
    if isinstance(generator, type):
        raise TypeError(
            f"{expected}the class {generator.__name__}. Make an object of it: "
            f"{generator.__name__}(...)."
        )
    if isinstance(generator, (types.FunctionType, types.MethodType)):
        raise TypeError(
            f"{expected}the function {generator.__name__}. Call it: "
            f"{generator.__name__}()."
        )
    if isinstance(generator, (list, tuple, set, dict, str, bytes)) or hasattr(
        generator, "shape"
    ):
        raise TypeError(
            f"{expected}{_shown_part(generator)}. Pass arrays to fit, evaluate or "
            "predict, or iter(...) of a list of batches."
        )
    if hasattr(generator, "__next__"):
        return generator
    if hasattr(generator, "__getitem__") and hasattr(generator, "__len__"):
        raise TypeError(
            f"{expected}{kind}, which has numbered items but is no Sequence. Derive "
            "its class from kerasnb's Sequence, or pass iter(...) of it."
        )
    if hasattr(generator, "__iter__"):
        return iter(generator)
    raise TypeError(f"{expected}{kind}. A function with yield makes a generator.")


def _make_stream(
    iterator: Iterator[Any],
    steps: int | None,
    name: str,
    steps_name: str,
    workers: int,
    processes: bool,
) -> Stream:
    """Refuse what only a Sequence can do."""
    if steps is None:
        raise ValueError(
            f"{steps_name}: a generator does not know its length, so say how many "
            f"batches an epoch has: {steps_name}=math.ceil(samples / batch_size). Only "
            "a Sequence can do without."
        )
    if processes:
        raise ValueError(
            f"{name}: use_multiprocessing=True needs a Sequence: copies of a plain "
            "generator in several processes would all yield the same batches. Use "
            "threads, or write a Sequence."
        )
    if workers > 1:
        warnings.warn(
            f"{name}: a plain generator cannot be read by {workers} workers at once, "
            "so one reads it. Write a Sequence to use more.",
            stacklevel=5,
        )
    return Stream(iterator, steps)
