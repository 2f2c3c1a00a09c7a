"""
Feeds: where the batches of an epoch come from, one at a time.

The loop asks a feed for `epoch()`, which yields the size of each batch, and for
`batch()`, which returns the arrays of the latest. `ArrayFeed` gathers rows of standard
arrays into reused buffers, `LazyFeed` reads rows of a file as they are needed, and
`GeneratorFeed` takes what a Sequence or a generator supplies. Read next:
`generators.py` for the supply, `training.py` for the loop.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from . import device, random
from .advice import is_one_hot
from .data import Data, LazyData, check_inputs, standardize
from .device import ops
from .generators import check_item, prediction_input, rows
from .utils import whole_number


def epoch_order(samples: int, batch_size: int, shuffle) -> np.ndarray | None:
    """
    Return the order of the samples in one epoch, or None for the order as given.

    'batch' shuffles whole batches; a last batch that is not full stays at the end.
    """
    if not shuffle:
        return None
    generator = random.generator()
    if shuffle != "batch":
        return generator.permutation(samples)
    order = np.arange(samples)
    full = samples // batch_size
    if full > 1:
        blocks = order[: full * batch_size].reshape(full, batch_size)
        blocks[...] = blocks[generator.permutation(full)]
    return order


class Feed:
    """
    The contract of all feeds.

    Attributes
    ----------
    samples : int or None
        Samples in an epoch, if that is known.
    batch_size : int
        Samples in a batch; 1 as long as that is not known.
    steps : int
        Batches in an epoch.
    replays : bool
        Whether all batches of one size arrive in the same arrays.
    exhausted : bool
        Whether there will be no further batch.
    has_numbers : bool
        Whether an epoch can be taken up in its middle.
    forgets : bool
        Whether the state leaves out something about the batches to come.
    """

    samples: int | None = None
    steps, batch_size = 0, 1
    replays = exhausted = forgets = False
    has_numbers = True

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def rewind(self):
        """Let the next epoch begin with the first sample, if samples have numbers."""

    def epoch(self, number=None, last=True):
        """
        Yield the size of each batch of an epoch.

        `number` is the epoch's, for messages; `last` says that none follows.
        """
        raise NotImplementedError

    def batch(self):
        """Return x, targets and weights of the batch whose size came last."""
        raise NotImplementedError

    def get_state(self):
        """Return where in its data the feed is."""
        return {}

    def set_state(self, state):
        """Go on from there; before the `with` block and the first epoch."""

    def validates_after_stop(self, batches):
        """Return whether validation follows when training stops after a batch."""
        return False


class SampleFeed(Feed):
    """
    Batches of samples that can be indexed.

    Parameters
    ----------
    samples, batch_size : int
    shuffle : bool or 'batch'
    steps : int, optional
        Batches in an epoch; the next epoch goes on where it ended, and a new pass over
        the samples begins when the last one is through. Default: one pass.
    """

    def __init__(self, samples, batch_size, shuffle=False, steps=None):
        self.samples, self.batch_size, self.shuffle = samples, batch_size, shuffle
        starts = range(0, samples, batch_size)
        self.bounds = [(at, min(at + batch_size, samples)) for at in starts]
        self.steps = len(self.bounds) if steps is None else steps
        self._counts_steps = steps is not None
        self._start = self._stop = 0
        self._order: Any = None
        self._drawn_at: Any = None  # where the random stream was before the order
        self.rewind()

    def rewind(self):
        """Begin a new pass, even if steps were counted and the last is not over."""
        self._passed = self._done = 0  # batches of this pass, batches of this epoch

    def epoch(self, number=None, last=True):
        """Yield the size of each batch of an epoch."""
        if not (self._counts_steps or self._done):
            self._passed = 0
        while self._done < self.steps:
            if self._passed in (0, len(self.bounds)):
                self._begin_pass()
            self._start, self._stop = self.bounds[self._passed]
            self._passed += 1
            self._done += 1
            yield self._stop - self._start
        self._done = 0

    def validates_after_stop(self, batches):
        """Return True where steps are counted, as in Keras."""
        return self._counts_steps

    def get_state(self):
        """Return the place in the pass, and where its order came from."""
        return {
            "plan": [self.samples, self.batch_size, self.shuffle, self.steps],
            "passed": self._passed,
            "done": self._done,
            "drawn_at": self._drawn_at,
        }

    def set_state(self, state):
        """
        Go on from what `get_state` returned.

        Raises
        ------
        ValueError
            If it comes from other data, or from other arguments.
        """
        plan = self.get_state()["plan"]
        if state["plan"] != plan:
            raise ValueError(
                "samples, batch_size, shuffle and steps were "
                f"{', '.join(map(str, state['plan']))}; now they are "
                f"{', '.join(map(str, plan))}."
            )
        passed = whole_number(state["passed"], "passed")
        done = whole_number(state["done"], "done")
        if passed > len(self.bounds) or done > self.steps:
            raise ValueError(f"there are no {passed} batches in a pass.")
        if passed and self.shuffle:
            with random.seeded(0) as stream:
                stream.set_state(state["drawn_at"])
                self._begin_pass()
        self._passed, self._done = passed, done

    def _begin_pass(self):
        self._passed = 0
        if self.shuffle:
            self._drawn_at = random.generator().get_state()
        order = epoch_order(self.samples, self.batch_size, self.shuffle)
        self._order = self._kept(order)

    def _kept(self, order):
        """Return the order where the feed wants it."""
        return order


class ArrayFeed(SampleFeed):
    """
    Batches of standard arrays: slices, or shuffled rows gathered into reused buffers.

    Parameters
    ----------
    data : Data
    batch_size, shuffle, steps
        See `SampleFeed`.
    """

    def __init__(self, data: Data, batch_size, shuffle=False, steps=None):
        super().__init__(len(data), batch_size, shuffle, steps)
        self.data = data
        on_gpu = device.place() != "host"
        self.replays = on_gpu or bool(shuffle) and data.unweighted
        self._columns = self._placed(data.columns)
        self._rows = [a if a is None else a.reshape(len(a), -1) for a in self._columns]
        self._buffers: dict[int, tuple] = {}

    def batch(self):
        """Return views of the next rows, or the rows that the order chooses."""
        if self._order is not None:
            return self.gather(self.choose())
        at = slice(self._start, self._stop)
        columns = [None if a is None else a[at] for a in self._columns]
        return self.data.like(columns).arguments()

    def _placed(self, columns):
        """Return the arrays in the memory of the device."""
        return [device.here(a) for a in columns]

    def _kept(self, order):
        if order is None and self.replays:  # rows must arrive in the same arrays
            order = np.arange(self.samples)
        return device.here(order)

    def choose(self) -> int:
        """Note which rows `gather` will copy, and return their number."""
        n = self._stop - self._start
        if n not in self._buffers:
            self._buffers[n] = self._make_buffers(n)
        self._buffers[n][0][:] = self._order[self._start : self._stop]
        return n

    def gather(self, n: int):
        """Return the chosen n rows of every array, always in the same buffers."""
        index, copies, arguments = self._buffers[n]
        for flat, source in copies:
            ops.gather_rows(flat, source, index)
        return arguments

    def _make_buffers(self, n):
        copies, shaped = [], []
        for array, source in zip(self.data.columns, self._rows):
            if array is None:
                shaped.append(None)
            else:
                flat = device.zeros((n, source.shape[1]), source.dtype)
                copies.append((flat, source))
                shaped.append(flat.reshape((n, *array.shape[1:])))
        return device.zeros(n, np.int64), copies, self.data.like(shaped).arguments()


class StreamedFeed(ArrayFeed):
    """
    Batches of arrays that a GPU has no room for: their rows go there step by step.

    While the GPU computes one step, the host gathers the rows of the next.
    """

    def _placed(self, columns):
        return columns

    def _kept(self, order):
        return np.arange(self.samples) if order is None else order

    def batch(self):
        """Send the next rows and return them."""
        return self.gather(self.choose())

    def choose(self) -> int:
        """Send the next rows to the device, and return their number."""
        n = self._stop - self._start
        if n not in self._buffers:
            self._buffers[n] = self._make_buffers(n)
        index = self._order[self._start : self._stop]
        for uploads, source in self._buffers[n][0]:
            ops.gather_rows(uploads.page(), source, index)
            uploads.send()
        return n

    def gather(self, n: int):
        """Return the rows that were sent."""
        return self._buffers[n][1]

    def _make_buffers(self, n):
        ways, shaped = [], []
        for array, source in zip(self.data.columns, self._rows):
            if array is None:
                shaped.append(None)
            else:
                uploads = device.uploads((n, source.shape[1]), source.dtype)
                ways.append((uploads, source))
                shaped.append(uploads.there.reshape((n, *array.shape[1:])))
        return ways, self.data.like(shaped).arguments()


class LazyFeed(SampleFeed):
    """
    Batches that are read when their turn comes.

    Parameters
    ----------
    data : LazyData
    batch_size, shuffle, steps
        See `SampleFeed`.
    """

    def __init__(self, data: LazyData, batch_size, shuffle=False, steps=None):
        super().__init__(len(data), batch_size, shuffle, steps)
        self.data = data

    def batch(self):
        """Read the rows of the batch."""
        at: slice | np.ndarray = slice(self._start, self._stop)
        if self._order is not None:
            at = self._order[self._start : self._stop]
        return self.data.read(at).arguments()


def feed_of(data, batch_size, shuffle=False, steps=None):
    """Return the feed for standard arrays, or for data in a file."""
    kind = LazyFeed
    if isinstance(data, Data):
        nbytes = sum(a.nbytes for a in data.columns if a is not None)
        kind = ArrayFeed if device.has_room(nbytes) else StreamedFeed
    return kind(data, batch_size, shuffle, steps)


class GeneratorFeed(Feed):
    """
    Batches from a Sequence or a generator.

    Parameters
    ----------
    model : Sequential
    supply : Supply
        See `generators.make_supply`.
    class_weight : dict or None
    predicts : bool
        Whether the batches are inputs for `predict`.
    """

    def __init__(self, model, supply, class_weight=None, predicts=False):
        self._model, self._supply = model, supply
        self._class_weight, self._predicts = class_weight, predicts
        self.largest = 0

    @property
    def steps(self):
        """Return the batches in an epoch."""
        return self._supply.steps

    def __enter__(self):
        self._supply.__enter__()
        return self

    def __exit__(self, *exception):
        return self._supply.__exit__(*exception)

    @property
    def exhausted(self):
        """Return whether the generator has ended."""
        return self._supply.exhausted

    @property
    def has_numbers(self):
        """Return whether the batches are those of a Sequence."""
        return self._supply.has_numbers

    @property
    def forgets(self):
        """Return whether batches to come depend on more than the state."""
        return self._supply.forgets

    def get_state(self):
        """Return which batches of a Sequence are to come."""
        return {**self._supply.get_state(), "largest": self.largest}

    def set_state(self, state):
        """Go on from what `get_state` returned."""
        state = dict(state)
        self.largest = whole_number(state.pop("largest"), "largest")
        self._supply.set_state(state)

    def validates_after_stop(self, batches):
        """Return whether it was the last batch of the epoch."""
        return batches == self.steps

    def epoch(self, number=None, last=True):
        """Yield the size of each batch, then let the supply prepare the next epoch."""
        for item in self._supply.epoch(number):
            with self._supply.naming_the_batch():
                size = self.take(item)
            yield size
        self._supply.end_epoch(last)

    def take(self, item) -> int:
        """Make an item the latest batch, and return its size."""
        if self._predicts:
            self._batch = prediction_input(item), None, None
        else:
            self._batch = check_item(item, self._supply.name)
        size = rows(self._batch[0])
        self.largest = self.batch_size = max(self.largest, size)
        return size

    def batch(self):
        """Return the latest batch as standard arrays."""
        x, y, w = self._batch
        with self._supply.naming_the_batch():
            if self._predicts:
                return Data(check_inputs(x, self._model), [None], [None]).arguments()
            y = self._model._targets_for(y, x)
            return standardize(self._model, x, y, w, self._class_weight).arguments()


def split_validation(data, fraction, class_weight=None) -> int:
    """
    Return where the last part of the samples begins, that is held out.

    The cut lies at int(n * (1 - fraction)), before any shuffling, as in Keras: in
    binary arithmetic 100 samples less 0.9 leave 9. A `fractions.Fraction` is exact.
    """
    n = len(data)
    at = int(n * (1 - fraction))
    if at == 0 or at == n:
        raise ValueError(
            f"validation_split={fraction} of {n} samples leaves {at} for training and "
            f"{n - at} for validation; both need at least one."
        )
    if isinstance(data, Data):
        for t in data.targets:
            _warn_of_unseen_classes(t, at)
    if class_weight is not None:
        warnings.warn(
            "validation_split: the held-out samples carry their class_weight too, as "
            "in Keras. Pass validation_data for a validation loss without it.",
            stacklevel=4,
        )
    return at


def _warn_of_unseen_classes(t, at):
    """Warn when most of the classes that are held out never occur in training."""
    if t is None or not (t.dtype.kind == "i" and t.ndim == 1 or is_one_hot(t)):
        return
    labels = t if t.ndim == 1 else t.argmax(axis=1)
    held_out = set(labels[at:].tolist())
    unseen = sorted(held_out - set(labels[:at].tolist()))
    if 2 * len(unseen) >= len(held_out):
        shown = ", ".join(map(str, unseen[:5])) + (", ..." if len(unseen) > 5 else "")
        warnings.warn(
            f"validation_split: training sees no sample of class {shown}. The last "
            "rows are held out as they lie, and the data seem to be sorted by class: "
            "shuffle x and y together first.",
            stacklevel=5,
        )
