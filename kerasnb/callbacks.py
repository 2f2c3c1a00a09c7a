"""
Callbacks: objects that look on while a model trains, and may step in.

Here are the averages of an epoch, the History that `fit` returns, the progress bar and
callbacks made of plain functions; every other callback can be imported from here too.
Read next: `callback.py` for the contract, `monitors.py` and `probe.py` for those that
step in, `loggers.py` and `tensorboard.py` for those that write down, `resume.py` for
the one that survives a crash.
"""

import csv
import io
import json
import math
import os
from collections.abc import Callable, Iterable
from typing import Any

from .callback import HOOKS, Callback, CallbackList
from .files import write_whole
from .loggers import CSVLogger, PlotHistory, RemoteMonitor
from .metrics import METRICS
from .monitors import (
    EarlyStopping,
    LearningRateScheduler,
    ModelCheckpoint,
    ReduceLROnPlateau,
    logged_name,
)
from .probe import TerminateOnNaN
from .progress import Progbar, RunningMeans, write
from .resume import BackupAndRestore
from .tensorboard import TensorBoard

__all__ = [
    "HOOKS",
    "Callback",
    "CallbackList",
    "BaseLogger",
    "History",
    "ProgbarLogger",
    "LambdaCallback",
    "ModelCheckpoint",
    "BackupAndRestore",
    "EarlyStopping",
    "LearningRateScheduler",
    "ReduceLROnPlateau",
    "TerminateOnNaN",
    "CSVLogger",
    "RemoteMonitor",
    "PlotHistory",
    "TensorBoard",
]


class BaseLogger(Callback):
    """
    Averages the loss and metrics of an epoch: sum of v n over sum of n.

    `v` is the value of a batch and `n` its size. `fit` always adds this callback.

    Parameters
    ----------
    stateful_metrics : iterable of str, optional
        Names of metrics that average by themselves: their last value is logged.
    """

    quick = True
    state_names = ("means",)

    def __init__(self, stateful_metrics: Iterable[str] | None = None):
        self.stateful_metrics = set(stateful_metrics or ())
        self.means = RunningMeans(self.stateful_metrics)
        self._names: tuple[str, ...] = ()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Start new averages."""
        self.means = RunningMeans(self.stateful_metrics)
        self._names = tuple(self.params.get("metrics", ()))

    def on_batch_end(self, batch: int, logs: Any = None) -> None:
        """Count the values of a batch once for every sample."""
        self.means.add(self._names, logs, logs.get("size", 1))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Write the averages into the logs."""
        if logs is not None:
            logs.update(self.means.items())


class Curves(dict):
    """
    Names and their lists of values; other names for the same quantity work too.

    Examples
    --------
    >>> curves = Curves(acc=[0.5], val_mean_squared_error=[2.0])
    >>> curves["accuracy"], curves["val_mse"]
    ([0.5], [2.0])
    """

    def __missing__(self, name: str) -> list:
        head = "val_" if name.startswith("val_") else ""
        word = name.removeprefix(head)
        full = METRICS[word].name if word in METRICS else word
        found = logged_name(head + full, self)
        if found is None:
            raise KeyError(f"{name}: there are {', '.join(self) or 'no values yet'}")
        return self[found]


class History(Callback):
    """
    What `fit` returns: every logged value of every epoch.

    Attributes
    ----------
    epoch : list of int
        Numbers of the epochs, from 0.
    history : dict of str to list of float
        One value an epoch under each name; NaN where an epoch had none. 'accuracy'
        finds 'acc', 'mse' finds 'mean_squared_error'.
    interrupted : bool
        Whether Ctrl-C ended the training.

    Examples
    --------
    >>> history = History()
    >>> history.on_epoch_end(0, {"val_loss": 0.5, "loss": 0.25})
    >>> history.history
    {'val_loss': [0.5], 'loss': [0.25]}
    >>> print(history.to_csv(), end="")
    epoch,val_loss,loss
    0,0.5,0.25
    """

    quick = True
    state_names = ("epoch", "history")

    def __init__(self) -> None:
        self.epoch: list[int] = []
        self.history = Curves()
        self.interrupted = False

    def on_train_begin(self, logs: Any = None) -> None:
        """Forget an earlier training."""
        self.interrupted = False
        if self.starts_anew():
            self.epoch, self.history = [], Curves()

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on with the epochs of an earlier training."""
        for values in state.get("history", {}).values():
            if len(values) != len(state["epoch"]):
                raise ValueError("History: one value an epoch was expected.")
        super().set_state(state)
        self.history = Curves(self.history)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Write down all that is in the logs."""
        past = len(self.epoch)
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, [math.nan] * past).append(_plain(value))
        for values in self.history.values():
            if len(values) == past:
                values.append(math.nan)

    def to_json(self, path: str | os.PathLike | None = None) -> str:
        """
        Return `epoch`, `history` and `interrupted` as JSON; write them if asked.

        A value that is not finite appears as NaN or Infinity, as Python's `json`
        reads it.
        """
        names = ("epoch", "history", "interrupted")
        text = json.dumps({name: getattr(self, name) for name in names}, default=str)
        return _save(text, path)

    def to_csv(self, path: str | os.PathLike | None = None) -> str:
        """Return a table with one row an epoch as CSV text; write it if asked."""
        table = io.StringIO()
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow(["epoch", *self.history])
        writer.writerows(zip(self.epoch, *self.history.values()))
        return _save(table.getvalue(), path)

    def plot(self, **kwargs: Any) -> Any:
        """Draw the curves; `plotting.plot_history` describes the arguments."""
        from . import plotting

        return plotting.plot_history(self, **kwargs)

    def __getstate__(self) -> dict[str, Any]:
        """Leave the model and the data behind when the History is pickled."""
        state = dict(vars(self))
        for heavy in ("model", "validation_data"):
            state.pop(heavy, None)
        return state


class ProgbarLogger(Callback):
    """
    Shows the progress of each epoch on the screen.

    `fit` adds this callback when `verbose` is 1 (a bar) or 2 (a line an epoch). The
    last batch waits for the end of the epoch, so that validation stands in its line.

    Parameters
    ----------
    count_mode : {'samples', 'steps'}
        What the bar counts.
    stateful_metrics : iterable of str, optional
        Names of metrics that show their last value; the others show their average.

    Raises
    ------
    ValueError
        If the count mode is unknown.
    """

    quick = True

    def __init__(
        self,
        count_mode: str = "samples",
        stateful_metrics: Iterable[str] | None = None,
    ):
        if count_mode not in ("samples", "steps"):
            raise ValueError(
                "ProgbarLogger: expected count_mode 'samples' or 'steps', "
                f"got {count_mode!r}."
            )
        self.count_mode = count_mode
        self.stateful_metrics = set(stateful_metrics or ())
        self.bar: Progbar | None = None
        self._names: tuple[str, ...] = ()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Write the number of the epoch and begin a new bar."""
        params = self.params
        self.bar = None
        if not params.get("verbose"):
            return
        self._names = tuple(params.get("metrics", ()))
        self._samples = self.count_mode == "samples"
        self._target = params.get(self.count_mode)
        self._last = math.inf if self._target is None else self._target
        write(f"Epoch {epoch + 1}/{params.get('epochs', '?')}\n")
        self.bar = Progbar(
            self._target,
            verbose=params["verbose"],
            stateful_metrics=self.stateful_metrics,
        )

    def on_batch_end(self, batch: int, logs: Any = None) -> None:
        """Move the bar, and leave the last batch to the end of the epoch."""
        bar = self.bar
        if bar is None:
            return
        bar.record(logs.get("size", 1) if self._samples else 1, self._names, logs)
        if bar.seen < self._last:
            bar.redraw()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Draw the last state with the values of the logs: averages and validation."""
        if self.bar is not None:
            logs = logs or {}
            self.bar.finish((name, logs[name]) for name in self._names if name in logs)

    def get_state(self) -> dict[str, Any]:
        """Return how far the bar is."""
        return {} if self.bar is None else self.bar.get_state()

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on with the bar of an epoch, if there is one."""
        if self.bar is not None and state:
            self.bar.set_state(state)

    def on_train_end(self, logs: Any = None) -> None:
        """End a line that an interrupted epoch left open."""
        if self.bar is not None:
            self.bar.close()


class LambdaCallback(Callback):
    """
    Makes a callback of plain functions.

    Parameters
    ----------
    on_epoch_begin, on_epoch_end : function of (epoch, logs), optional
    on_batch_begin, on_batch_end : function of (batch, logs), optional
    on_train_begin, on_train_end : function of (logs), optional
    **kwargs
        Become attributes of the callback.

    Raises
    ------
    TypeError
        If a hook cannot be called.

    Examples
    --------
    >>> shout = LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch, logs))
    >>> CallbackList([shout]).on_epoch_end(3, {"loss": 0.5})
    3 {'loss': 0.5}
    """

    def __init__(
        self,
        on_epoch_begin: Callable[[int, Any], Any] | None = None,
        on_epoch_end: Callable[[int, Any], Any] | None = None,
        on_batch_begin: Callable[[int, Any], Any] | None = None,
        on_batch_end: Callable[[int, Any], Any] | None = None,
        on_train_begin: Callable[[Any], Any] | None = None,
        on_train_end: Callable[[Any], Any] | None = None,
        **kwargs: Any,
    ):
        given = {name: value for name, value in locals().items() if name in HOOKS}
        vars(self).update(kwargs)
        for name, hook in given.items():
            if hook is None:
                continue
            if not callable(hook):
                raise TypeError(
                    f"LambdaCallback: expected a function for {name}, got {hook!r}."
                )
            setattr(self, name, hook)


def _plain(value: Any) -> Any:
    """Return numbers and arrays as Python floats and lists, all else unchanged."""
    value = value.tolist() if hasattr(value, "tolist") else value
    return float(value) if isinstance(value, (int, float)) else value


def _save(text: str, path: str | os.PathLike | None) -> str:
    """Return the text, and put it at the path if there is one."""
    if path is not None:
        write_whole(path, text.encode())
    return text
