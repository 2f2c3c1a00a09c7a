"""
Resume: a training that was killed goes on where it was, with the same bits.

A checkpoint is a model file that also holds the epoch and the batch, the random stream,
the order of the data and the states of callbacks and metrics. `BackupAndRestore` writes
one regularly; when the same program runs again, `Run` finds it and puts everything
back. Read next: `state.py` for what a callback of your own has to do, `saving.py` for
the file.
"""

from __future__ import annotations

import contextlib
import os
import warnings
from typing import Any

from . import random
from .callback import Callback
from .feeds import Feed
from .files import check_folder
from .progress import write
from .saving import read_checkpoint, save_checkpoint
from .snapshot import (
    Snapshot,
    match_weights,
    restore_layers,
    restore_optimizer,
    take_layers,
)
from .state import Put, keeps_state, put_state_back, set_state
from .utils import positive_integer, said, whole_number

FOREIGN_ENDINGS = (".h5", ".hdf5", ".keras")
OPTIONAL = "ProgbarLogger"  # verbose may differ from run to run


class BackupAndRestore(Callback):
    """
    Lets a training that was killed go on, bit by bit as if nothing had happened.

    Run the same program again: if the file is there, `fit` goes on from it. The file is
    removed when the training ends, be it early by `stop_training`; it stays after an
    error or Ctrl-C. It also is a model file, which `load_model` reads.

    Data must be the same as before: arrays, or a Sequence whose `state_names` list what
    its `on_epoch_end` changes. A plain generator cannot be put where it was: the
    training goes on with what it yields next, and only from the start of an epoch.

    Parameters
    ----------
    filepath : str or PathLike
        A file of the library's own format; it is only ever replaced by a complete one.
    save_freq : 'epoch' or int
        Save after every epoch; or also after so many batches within an epoch.
    delete_checkpoint : bool
        False keeps the file at the end, for a later `fit` with more epochs.

    Raises
    ------
    ValueError
        If an argument is impossible; when the training begins, if the file is damaged
        or belongs to another training: then nothing has changed.

    Examples
    --------
    >>> from kerasnb import Sequential, layers
    >>> model = Sequential([layers.Dense(1, input_shape=(1,))])
    >>> model.compile("sgd", "mse")
    >>> path = getfixture("tmp_path") / "run.knb"
    >>> for epochs in (5, 10):  # the second training may be another process
    ...     backup = BackupAndRestore(path, delete_checkpoint=False)
    ...     history = model.fit([[1.0]], [[2.0]], epochs=epochs, verbose=0,
    ...                         callbacks=[backup])
    >>> history.epoch
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    """

    quick = True
    run: Run | None = None

    def __init__(
        self,
        filepath: str | os.PathLike,
        save_freq: str | int = "epoch",
        delete_checkpoint: bool = True,
    ):
        self.filepath = os.fspath(filepath)
        if self.filepath.lower().endswith(FOREIGN_ENDINGS):
            raise ValueError(
                f"BackupAndRestore: {self.filepath} has the ending of a format of "
                "Keras, which has no place for all this. Use another, such as '.knb'."
            )
        if save_freq != "epoch":
            positive_integer(save_freq, "BackupAndRestore: save_freq, if not 'epoch',")
        self.save_freq = save_freq
        self.delete_checkpoint = delete_checkpoint

    def on_train_begin(self, logs: Any = None) -> None:
        """Make sure that the file can be written."""
        if self.run is None:
            raise RuntimeError("BackupAndRestore works inside of fit only.")
        check_folder(self.filepath, "BackupAndRestore")

    def on_batch_end(self, batch: int, logs: Any = None) -> None:
        """Save in the middle of an epoch, if it is time."""
        if self.save_freq == "epoch" or (batch + 1) % int(self.save_freq):
            return
        if self.run is not None and not self.model.stop_training:
            self.run.save(self._epoch, batch + 1)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Note the number of the epoch."""
        self._epoch = epoch

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Save, unless Ctrl-C cut the epoch short."""
        if self.run is not None and not self.run.interrupt.seen:
            self.run.save(epoch + 1, 0)

    def on_train_end(self, logs: Any = None) -> None:
        """Let go of the training."""
        self.run = None


class NoInterrupt:
    """What stands for the flag of Ctrl-C until the training has begun."""

    seen = False


class Run:
    """
    A training under way: all that a checkpoint has to look at.

    Parameters
    ----------
    model : Sequential
    told : CallbackList
    feed, validation : Feed
    epochs : range

    Attributes
    ----------
    epochs : range
        The epochs to run: fewer after a resume.
    batch : int
        Where the first of them begins.
    interrupt
        Its `seen` says whether Ctrl-C was pressed.
    """

    def __init__(
        self, model: Any, told: Any, feed: Feed, validation: Feed, epochs: range
    ) -> None:
        self.model, self.told, self.epochs, self.batch = model, told, epochs, 0
        self.feed = feed
        self.feeds = {"training": feed, "validation": validation}
        self.interrupt: Any = NoInterrupt()
        self._snapshot: Snapshot | None = None
        self._before: tuple | None = None  # what a restore that fails goes back to
        backups = [one for one in told if isinstance(one, BackupAndRestore)]
        if len(backups) > 1:
            raise ValueError("callbacks: one BackupAndRestore is enough, got several.")
        self._backup = backups[0] if backups else None
        if self._backup is not None:
            self._check_data(self._backup)
            self._backup.run = self
            self._find(self._backup.filepath)

    def _check_data(self, backup: BackupAndRestore) -> None:
        """Refuse, or warn of, what no checkpoint can put back."""
        midway = backup.save_freq != "epoch"
        if midway and not self.feed.has_numbers:
            raise ValueError(
                f"BackupAndRestore: save_freq={backup.save_freq} would save in the "
                "middle of an epoch, but a plain generator cannot be put back there. "
                "Pass save_freq='epoch', or write a Sequence."
            )
        for metric in self._metrics() if midway else ():
            if not keeps_state(metric):
                raise ValueError(
                    f"BackupAndRestore: the metric {metric.name} counts over the "
                    "batches of an epoch, but names no state_names. Name them, or pass "
                    "save_freq='epoch'."
                )
        if any(feed.has_numbers and feed.forgets for feed in self.feeds.values()):
            warnings.warn(
                "BackupAndRestore: the Sequence has an on_epoch_end of its own, but "
                "names no state_names: after a resume its batches may be other ones. "
                "List the attributes that it changes.",
                stacklevel=5,
            )

    def _find(self, path: str) -> None:
        """Read the checkpoint of an earlier training, if there is one."""
        if not os.path.exists(path):
            return
        self._snapshot = read_checkpoint(path)
        run = self._snapshot.run or {}
        try:
            epoch = whole_number(run.get("epoch"), "epoch")
            self.batch = whole_number(run.get("batch"), "batch")
        except ValueError as error:
            raise ValueError(f"{path} is no checkpoint: {error}") from error
        if epoch < self.epochs.start:
            raise ValueError(
                f"{path} is about epoch {epoch}, before initial_epoch="
                f"{self.epochs.start}. Leave initial_epoch out, or remove the file to "
                "begin anew."
            )
        stop = epoch if run.get("stopped") else self.epochs.stop
        self.epochs = range(epoch, stop)
        if not self.feed.has_numbers:
            warnings.warn(
                f"BackupAndRestore: epoch {epoch} begins with what the generator yields"
                " now, which is not known to be what comes next. A Sequence can go on "
                "exactly.",
                stacklevel=5,
            )
        if self._backup is not None and self._backup.params.get("verbose"):
            within = f", batch {self.batch}" if self.batch else ""
            write(f"Going on from {path}: epoch {epoch + 1}{within}\n")

    # ---- to and fro ---------------------------------------------------------------

    def save(self, epoch: int, batch: int) -> None:
        """Write a checkpoint from which training will begin with this batch."""
        assert self._backup is not None
        run = {"epoch": epoch, "batch": batch, "stopped": self.model.stop_training}
        save_checkpoint(self.model, self._backup.filepath, {**run, **self._state()})

    def restore(self, with_feeds: bool = False) -> None:
        """
        Put everything where the checkpoint says, or nothing if a part does not fit.

        Called before the callbacks hear of the beginning, so that they do not begin
        anew, and after it, since their hooks may change anything.
        """
        snapshot = self._snapshot
        if snapshot is None or self._backup is None:
            return
        optimizer = self.model.optimizer
        if self._before is None:
            states = self._state(), take_layers(self.model)
            self._before = *states, dict(vars(optimizer))  # no slot of it will change
        try:
            matched = match_weights(self.model, snapshot.layers)
            self._put_optimizer(snapshot)
            restore_layers(self.model, snapshot.layer_states)
            self._put(snapshot.run or {}, with_feeds, with_feeds, set_state)
        except Exception as error:  # a callback can refuse a state in any way
            run_before, layers_before, optimizer_before = self._before
            self._put(run_before, with_feeds, False, put_state_back)
            vars(optimizer).clear()
            vars(optimizer).update(optimizer_before)
            restore_layers(self.model, layers_before, put_state_back)
            self._backup.run = None
            raise ValueError(
                f"{self._backup.filepath} is the checkpoint of another training: "
                f"{said(error)} Train with the same model, data and callbacks as then,"
                " or remove the file to begin anew."
            ) from error
        for weight, array in matched:
            weight.assign(array)

    def begin_epoch(self) -> None:
        """Undo what hooks did to an epoch that goes on in its middle."""
        if self.batch:
            self.restore()
        self._snapshot = self._before = None

    def end(self) -> None:
        """Remove the file of a training that has come to its end."""
        backup = self._backup
        if backup and backup.delete_checkpoint and not self.interrupt.seen:
            with contextlib.suppress(FileNotFoundError):
                os.remove(backup.filepath)

    # ---- the parts ----------------------------------------------------------------

    def _state(self) -> dict[str, Any]:
        """Return all beside the model that decides about the batches to come."""
        callbacks = self._callbacks()
        return {
            "random": random.generator().get_state(),
            "callbacks": {name: one.get_state() for name, one in callbacks.items()},
            "metrics": [metric.get_state() for metric in self._metrics()],
            "feeds": {name: feed.get_state() for name, feed in self.feeds.items()},
        }

    def _put(
        self, state: dict[str, Any], with_feeds: bool, goes_on: bool, put: Put
    ) -> None:
        put(random.generator(), state["random"])
        for metric, counts in zip(self._metrics(), state["metrics"]):
            put(metric, counts)
        if with_feeds:
            for name, feed in self.feeds.items():
                if set(state["feeds"][name]) != set(feed.get_state()):
                    raise ValueError(f"its {name} data came in another form.")
                put(feed, state["feeds"][name])
        callbacks, states = self._callbacks(), state["callbacks"]
        mine, theirs = set(callbacks) - {OPTIONAL}, set(states) - {OPTIONAL}
        if mine != theirs:
            raise ValueError(
                f"it has states of {', '.join(sorted(theirs))}, and now there are "
                f"{', '.join(sorted(mine))}."
            )
        for name, callback in callbacks.items():
            if name in states:
                put(callback, states[name])
                callback._goes_on &= goes_on

    def _put_optimizer(self, snapshot: Snapshot) -> None:
        optimizer = self.model.optimizer
        described = (snapshot.training or {})["optimizer_config"]
        if described["class_name"] != type(optimizer).__name__:
            raise ValueError(
                f"its optimizer is {described['class_name']}, this one "
                f"{type(optimizer).__name__}."
            )
        set_settings(optimizer, described["config"])
        restore_optimizer(optimizer, snapshot.state)

    def _callbacks(self) -> dict[str, Callback]:
        """Return the callbacks with a state; equal ones get numbers."""
        found: dict[str, Callback] = {}
        for callback in self.told:
            name = kind = type(callback).__name__
            number = 1
            while name in found:
                number += 1
                name = f"{kind} {number}"
            if keeps_state(callback):
                found[name] = callback
        return found

    def _metrics(self) -> list[Any]:
        """Return the metrics that count over batches."""
        return [
            metric
            for part in self.model._objective.parts
            for _, metric, _ in part.named_metrics
            if metric.stateful
        ]


def set_settings(optimizer: Any, config: dict[str, Any]) -> None:
    """Give an optimizer the arguments of another, such as a reduced learning rate."""
    other = type(optimizer).from_config(config)
    for name in config:
        setattr(optimizer, name, getattr(other, name))
