"""
Callbacks that watch a quantity and act: save, stop, change the learning rate.

`Monitor` finds the value in the logs and knows whether lower or higher is better; the
counts of Keras 1 differ from those of Keras 2 in a few class attributes. Read next:
`callback.py` for the hooks, `probe.py` for TerminateOnNaN, `loggers.py` for callbacks
that only write down.
"""

from __future__ import annotations

import inspect
import math
import numbers
import os
import re
import string
import warnings
from collections.abc import Callable, Iterable
from typing import Any

from .callback import Callback
from .files import check_folder
from .plotting import HIGHER_IS_BETTER
from .progress import write
from .utils import lookup, positive_integer

ALIASES = (("acc", "accuracy"), ("accuracy", "acc"))


def logged_name(name: str, names: Iterable[str]) -> str | None:
    """
    Return the name under which a quantity is logged: 'acc' also means 'accuracy'.

    Examples
    --------
    >>> logged_name("val_accuracy", ["loss", "val_acc"])
    'val_acc'
    """
    names = list(names)
    if name in names:
        return name
    for word, other in ALIASES:
        if name == word or name.endswith("_" + word):
            alias = name.removesuffix(word) + other
            if alias in names:
                return alias
    return None


def learning_rate(callback: Callback) -> float:
    """Return the learning rate of the model in training."""
    optimizer = callback.model.optimizer
    if not hasattr(optimizer, "lr"):
        raise ValueError(
            f"{type(callback).__name__}: the optimizer {type(optimizer).__name__} has "
            "no attribute lr. Keep its learning rate there."
        )
    return float(optimizer.lr)


class Monitor(Callback):
    """
    The base of callbacks that watch one value of the epoch logs.

    Parameters
    ----------
    monitor : str
        A name in the logs; 'acc' and 'accuracy' mean the same.
    mode : {'auto', 'min', 'max'}
        Whether lower or higher is better; 'auto' maximises names with 'acc' in them.

    Attributes
    ----------
    best : float
        The best value so far.
    """

    first_epoch = 1  # the number of the first epoch in texts; 0 in Keras 1

    def __init__(self, monitor: str, mode: str = "auto"):
        who = type(self).__name__
        if mode not in ("auto", "min", "max"):
            warnings.warn(
                f"{who}: expected mode 'auto', 'min' or 'max', got {mode!r}. Going on "
                "with 'auto'.",
                RuntimeWarning,
                stacklevel=3,
            )
            mode = "auto"
        self.monitor = monitor
        self.mode = mode
        self.higher = mode == "max" or mode == "auto" and self._means_higher(monitor)
        looks_higher = any(word in monitor.lower() for word in HIGHER_IS_BETTER)
        if mode == "auto" and looks_higher and not self.higher:
            warnings.warn(
                f"{who}: mode 'auto' takes the lowest {monitor!r} for the best, as "
                "Keras does. Pass mode='max'.",
                stacklevel=3,
            )
        self.best = self.worst
        self._seen: set[str] = set()

    @property
    def worst(self) -> float:
        """Return the value that every other one is better than."""
        return -math.inf if self.higher else math.inf

    def _means_higher(self, monitor: str) -> bool:
        return "acc" in monitor

    def on_train_begin(self, logs: Any = None) -> None:
        """Forget which values an earlier training logged."""
        self._seen = set()

    def is_better(self, value: float, best: float, by: float = 0.0) -> bool:
        """Return whether a value beats the best one by more than `by`."""
        return value - by > best if self.higher else value + by < best

    def value(self, logs: dict[str, Any]) -> float | None:
        """Return the watched value, or None if this epoch has none."""
        name = self.find(self.monitor, logs)
        return None if name is None else float(logs[name])

    def find(self, wanted: str, logs: dict[str, Any]) -> str | None:
        """
        Return the name in the logs that is meant, or None if this epoch has none.

        An epoch that was stopped midway has no validation; that is no surprise.

        Raises
        ------
        ValueError
            If there is no such value and none is to be expected.
        """
        name = logged_name(wanted, logs)
        if name is not None:
            self._seen.add(wanted)
            return name
        params = self.params or {}
        planned = logged_name(wanted, params.get("metrics", ())) is not None
        validates = bool(params.get("do_validation"))
        expected = planned and (validates or not wanted.startswith("val_"))
        stopped = getattr(self.model, "stop_training", False)
        if not (expected or stopped or wanted in self._seen):
            self._refuse(wanted, logs, validates)
        if not (expected and stopped):
            warnings.warn(
                f"{type(self).__name__}: this epoch has no {wanted!r}, so nothing is "
                f"done. There are: {', '.join(logs)}.",
                RuntimeWarning,
                stacklevel=4,
            )
        return None

    def _refuse(self, wanted: str, logs: dict[str, Any], validates: bool) -> None:
        who = type(self).__name__
        if wanted.startswith("val_") and not validates:
            raise ValueError(
                f"{who}: there is no {wanted!r} without validation. Pass "
                "validation_data or validation_split to fit, or choose from: "
                f"{', '.join(logs)}."
            )
        lookup(wanted, logs, f"quantity for {who}:")

    def tell(self, epoch: int, fact: str) -> None:
        """Write a line about an epoch."""
        write(f"\nEpoch {epoch + self.first_epoch:05d}: {fact}\n")


class ModelCheckpoint(Monitor):
    """
    Saves the model, or its weights, after an epoch.

    Parameters
    ----------
    filepath : str
        May hold `{epoch:02d}`, counted from 1, and every name of the logs, as in
        `{val_loss:.2f}`. A variable folder is made when needed, a fixed one must exist.
    monitor : str
        What decides which model is the best.
    verbose : int
        1 writes a line for every epoch.
    save_best_only : bool
        Save only a model that is better than all before, earlier trainings included.
    save_weights_only : bool
        Call `model.save_weights` instead of `model.save`.
    mode : {'auto', 'min', 'max'}
        Whether a lower or a higher value is better.
    period : int
        Epochs from one save to the next.

    Raises
    ------
    ValueError
        If the file path cannot be filled in (here, at the start of the training or
        after its first epoch), its folder is missing, or `monitor` is unknown.
    """

    state_names = ("best", "epochs_since_last_save")

    def __init__(
        self,
        filepath: str | os.PathLike,
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        period: int = 1,
    ):
        super().__init__(monitor, mode)
        self.filepath = os.fspath(filepath)
        self.verbose = verbose
        self.save_best_only = save_best_only
        self.save_weights_only = save_weights_only
        self.period = positive_integer(period, "ModelCheckpoint: period")
        self.epochs_since_last_save = 0
        self._fields, self._fixed = self._parsed()

    def _means_higher(self, monitor: str) -> bool:
        return "acc" in monitor or monitor.startswith("fmeasure")

    def _parsed(self) -> tuple[list[str], str]:
        """Return the names of the fields, and the text before the first one."""
        fields: list[str] = []
        fixed = ""
        try:
            for text, field, _, _ in string.Formatter().parse(self.filepath):
                if not fields:
                    fixed += text
                if field is not None:
                    fields.append(re.split(r"[.\[]", field)[0])
        except ValueError as error:
            self._refuse_path(error)
        if any(not name or name.isdigit() for name in fields):
            self._refuse_path("a field without a name")
        return fields, fixed

    def _refuse_path(self, reason: Any) -> None:
        raise ValueError(
            f"ModelCheckpoint: the filepath {self.filepath!r} cannot be filled in: "
            f"{reason}. Write fields such as {{epoch:02d}} and {{val_loss:.2f}}."
        )

    def on_train_begin(self, logs: Any = None) -> None:
        """Try the file path on what is going to be logged."""
        super().on_train_begin(logs)
        self.starts_anew()  # the best model of all trainings counts
        metrics = (self.params or {}).get("metrics", ())
        known = {name: logged_name(name, metrics) for name in self._fields}
        if all(name == "epoch" or place for name, place in known.items()):
            try:
                self.filepath.format(**{**dict.fromkeys(known, 0.5), "epoch": 1})
            except (ValueError, TypeError, AttributeError, LookupError) as error:
                self._refuse_path(error)
        some_file = self._fixed + "_" if self._fields else self._fixed
        check_folder(some_file, "ModelCheckpoint")

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Save, if it is time and if the model is good enough."""
        logs = logs or {}
        path = self._path(epoch, logs)
        value = self.value(logs) if self.save_best_only else None
        self.epochs_since_last_save += 1
        if self.epochs_since_last_save < self.period:
            return
        self.epochs_since_last_save = 0
        if path is None:
            return
        if not self.save_best_only:
            self._save(path)
            fact = f"saved to {path}."
        elif value is None:
            return
        elif self.is_better(value, self.best):
            best, self.best = self.best, value
            self._save(path)
            fact = (
                f"{self.monitor} improved from {best:.5f} to {value:.5f}, saved to "
                f"{path}."
            )
        else:
            fact = f"{self.monitor} has not improved from {self.best:.5f}."
        if self.verbose:
            self.tell(epoch, fact)

    def _path(self, epoch: int, logs: dict[str, Any]) -> str | None:
        """Return the path of this epoch, or None if the logs lack a part of it."""
        values = {"epoch": epoch + self.first_epoch}
        for field in self._fields:
            if field != "epoch":
                name = self.find(field, logs)
                if name is None:
                    return None
                values[field] = logs[name]
        return self.filepath.format(**values)

    def _save(self, path: str) -> None:
        if self._fields:
            os.makedirs(os.path.dirname(path) or os.curdir, exist_ok=True)
        save = self.model.save_weights if self.save_weights_only else self.model.save
        save(path, overwrite=True)


class EarlyStopping(Monitor):
    """
    Ends the training when a value has stopped getting better.

    Parameters
    ----------
    monitor : str
        The value to watch.
    min_delta : float
        What is better by no more than this does not count as better.
    patience : int
        Epochs without improvement that end the training; 0 and 1 are the same.
    verbose : int
        1 writes a line when it stops or puts weights back.
    mode : {'auto', 'min', 'max'}
        Whether a lower or a higher value is better.
    baseline : float, optional
        The value that must be beaten first.
    restore_best_weights : bool
        Put the weights of the best epoch back, whatever ends the training.

    Attributes
    ----------
    stopped_epoch : int
        The epoch that it stopped in, from 0; 0 too if it has not stopped.
    stopped : bool
        Whether it has stopped the training.
    wait : int
        Epochs since the last improvement.
    best_epoch : int or None
        The epoch whose weights are remembered, from 0.
    """

    state_names = (
        "best", "wait", "best_value", "best_epoch", "best_weights", "stopped",
        "stopped_epoch",
    )  # fmt: skip
    may_be_none = ("best_epoch", "best_weights")
    grace = 0  # epochs without improvement that do not count; 1 in Keras 1

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
    ):
        super().__init__(monitor, mode)
        self.min_delta = min_delta
        self.patience = patience
        self.verbose = verbose
        self.baseline = baseline
        self.restore_best_weights = restore_best_weights
        self._forget()

    def _forget(self) -> None:
        self.wait = self.stopped_epoch = self._epoch = 0
        self.stopped = self._restored = False
        self.best = self.worst if self.baseline is None else self.baseline
        self.best_value = self.worst
        self.best_epoch: int | None = None
        self.best_weights: list | None = None

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from what `get_state` returned; weights must be those of the model."""
        best, weights = state.get("best_weights"), getattr(self.model, "weights", None)
        if best is not None and weights is not None:
            for weight, value in zip(weights, best, strict=True):
                weight.check(value)
        super().set_state(state)

    def on_train_begin(self, logs: Any = None) -> None:
        """Forget an earlier training."""
        super().on_train_begin(logs)
        if self.starts_anew():
            self._forget()
        self.stopped_epoch, self.stopped, self._restored = 0, False, False

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Compare, remember the weights or wait, and stop when it was too long."""
        self._epoch = epoch
        value = self.value(logs or {})
        if value is None:
            return
        improved = self.is_better(value, self.best, self.min_delta)
        if improved or self.is_better(value, self.best_value, self.min_delta):
            self.best_value, self.best_epoch = value, epoch
            if self.restore_best_weights:
                self.best_weights = self.model.get_weights()
        if improved:
            self.best, self.wait = value, 0
            return
        self.wait += 1
        if self.wait - self.grace >= self.patience:
            self.stopped_epoch, self.stopped = epoch, True
            self.model.stop_training = True
            self._restore()

    def on_train_end(self, logs: Any = None) -> None:
        """Put the best weights back, and say when it stopped."""
        self._restore()
        if self.stopped and self.verbose:
            self.tell(self.stopped_epoch, f"{self.monitor} stopped the training early.")

    def _restore(self) -> None:
        if self.best_weights is None or self._restored:
            return
        self._restored = True
        self.model.set_weights(self.best_weights)
        if self.verbose:
            best = (self.best_epoch or 0) + self.first_epoch
            self.tell(self._epoch, f"the weights of epoch {best} are back.")

    def tell(self, epoch: int, fact: str) -> None:
        """Write a line about an epoch, without an empty one before it."""
        write(f"Epoch {epoch + self.first_epoch:05d}: {fact}\n")


class ReduceLROnPlateau(Monitor):
    """
    Lowers the learning rate when a value has stopped getting better.

    Writes the learning rate of every epoch into the logs as `lr`.

    Parameters
    ----------
    monitor : str
        The value to watch.
    factor : float
        lr becomes lr * factor; below 1.
    patience : int
        Epochs without improvement that lower it; 0 and 1 are the same.
    verbose : int
        1 writes a line when it does.
    mode : {'auto', 'min', 'max'}
        Whether a lower or a higher value is better.
    min_delta : float
        What is better by no more than this does not count as better.
    cooldown : int
        Epochs to leave out of the count after a reduction.
    min_lr : float
        The learning rate never gets below.

    Raises
    ------
    ValueError
        If the factor is 1 or more, the monitor unknown, or the optimizer without lr.
    """

    state_names = ("best", "wait", "cooldown_counter")
    grace = 0  # epochs without improvement that do not count; 1 in Keras 1
    slack = 0.0  # share of min_lr that lr must be above it; 1e-4 in Keras 1

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0,
        **kwargs: Any,
    ):
        if not 0 <= factor < 1:
            raise ValueError(
                f"ReduceLROnPlateau: expected a factor from 0 to below 1, got {factor}."
            )
        if "epsilon" in kwargs:
            min_delta = kwargs.pop("epsilon")
            warnings.warn(
                "ReduceLROnPlateau: epsilon is called min_delta in Keras 2.",
                stacklevel=2,
            )
        for name in kwargs:
            raise TypeError(f"ReduceLROnPlateau: unknown keyword {name!r}.")
        super().__init__(monitor, mode)
        self.factor = factor
        self.patience = patience
        self.verbose = verbose
        self.min_delta = min_delta
        self.cooldown = cooldown
        self.min_lr = min_lr
        self._forget()

    def _forget(self) -> None:
        self.wait = self.cooldown_counter = 0
        self.best = self.worst

    def on_train_begin(self, logs: Any = None) -> None:
        """Forget an earlier training."""
        super().on_train_begin(logs)
        if self.starts_anew():
            self._forget()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Log the learning rate, and lower it when the wait was too long."""
        logs = {} if logs is None else logs
        lr = learning_rate(self)
        value = self.value(logs)
        logs["lr"] = lr
        if value is None:
            return
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.wait = 0
        delta = self.min_delta if self.higher else -self.min_delta
        if self.is_better(value, self.best + delta):
            self.best, self.wait = value, 0
        elif self.cooldown_counter == 0:
            self.wait += 1
            floor = self.min_lr * (1 + self.slack)
            if self.wait - self.grace >= self.patience and lr > floor:
                self._reduce(epoch, max(lr * self.factor, self.min_lr))

    def _reduce(self, epoch: int, lr: float) -> None:
        self.model.optimizer.lr = lr
        self.cooldown_counter, self.wait = self.cooldown, self.grace
        if self.verbose:
            self.tell(epoch, f"the learning rate goes down to {lr:g}.")


class LearningRateScheduler(Callback):
    """
    Sets the learning rate of every epoch, and logs it as `lr`.

    Parameters
    ----------
    schedule : function of (epoch) or of (epoch, lr)
        Gets the number of the epoch, from 0, and the learning rate so far; returns the
        new one. A second parameter gets the learning rate even if it has a default.
    verbose : int
        1 writes a line for every epoch.

    Raises
    ------
    TypeError
        If the schedule is no such function.
    ValueError
        If it returns no number of 0 or more, or the optimizer has no lr.
    """

    def __init__(self, schedule: Callable[..., float], verbose: int = 0):
        self.schedule = schedule
        self.verbose = verbose
        self._takes_lr = self._fits(0, 0.0)
        if not (self._takes_lr or self._fits(0)):
            raise TypeError(
                "LearningRateScheduler: expected a function of (epoch) or of "
                f"(epoch, lr), got {schedule!r}."
            )

    def _fits(self, *arguments: Any) -> bool:
        if not callable(self.schedule):
            return False
        try:
            inspect.signature(self.schedule).bind(*arguments)
        except TypeError:
            return False
        except ValueError:  # a function of C that does not show its arguments
            return len(arguments) == 1
        return True

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Ask the schedule."""
        former = learning_rate(self)
        arguments = (epoch, former) if self._takes_lr else (epoch,)
        lr = self.schedule(*arguments)
        is_number = isinstance(lr, numbers.Real) and not isinstance(lr, bool)
        if not (is_number and 0 <= lr < math.inf):
            raise ValueError(
                "LearningRateScheduler: expected the schedule to return a number of 0 "
                f"or more, got {lr!r} for epoch {epoch}."
            )
        self.model.optimizer.lr = float(lr)
        if self.verbose:
            write(f"\nEpoch {epoch + 1:05d}: the learning rate is {float(lr):g}.\n")

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Write the learning rate into the logs."""
        if logs is not None:
            logs["lr"] = learning_rate(self)
