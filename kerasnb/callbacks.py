"""
Callbacks: objects that look on while a model trains, and may step in.

`training.py` announces six events: the start and the end of training, of every epoch
and of every batch. `CallbackList` hands each to the callbacks that care about it, in
list order. History, which `fit` returns, and the averages of an epoch are callbacks
themselves. Read next: `progress.py` for the bar, `training.py` for who announces.
"""

import csv
import io
import json
import math
import os
import statistics
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from time import perf_counter as clock
from typing import Any

from .progress import Progbar, RunningMeans, write

SLOW = 0.1  # seconds: hooks above this are worth a warning, if the update is faster
WINDOW = 10  # batches over which the time of the hooks is judged

Logs = dict[str, Any]


class Callback:
    """
    The base of all callbacks: six hooks that do nothing until a subclass fills them.

    The hooks of one event share one `logs` dictionary: what one callback adds to it,
    the later ones and the History see. `self.model.stop_training = True` ends training.

    Attributes
    ----------
    model : Sequential
        The model in training.
    params : dict
        `batch_size`, `epochs`, `steps`, `samples`, `verbose`, `do_validation`,
        `metrics`.
    validation_data : list or None
        The arrays of the validation set.

    Examples
    --------
    >>> class StopWhenGood(Callback):
    ...     def on_epoch_end(self, epoch, logs=None):
    ...         self.model.stop_training = logs["loss"] < 0.1
    """

    model: Any = None
    params: Any = None
    validation_data: Any = None

    def set_params(self, params: dict[str, Any]) -> None:
        """Take the plan of the training."""
        self.params = params

    def set_model(self, model: Any) -> None:
        """Take the model that is going to be trained."""
        self.model = model

    def on_train_begin(self, logs: Any = None) -> None:
        """Is called once before training, with empty logs."""

    def on_train_end(self, logs: Any = None) -> None:
        """Is called once after training, with empty logs."""

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Is called before an epoch, counted from 0, with empty logs."""

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Is called after validation, with its values and the averages of the epoch."""

    def on_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Is called before a batch, with its number `batch` and its `size`."""

    def on_batch_end(self, batch: int, logs: Any = None) -> None:
        """Is called after an update, with the loss and metrics of this batch too."""


HOOKS = tuple(name for name in vars(Callback) if name.startswith("on_"))


class CallbackList:
    """
    Announces events to a list of callbacks.

    Only the callbacks that fill a hook are called for it, so that an empty hook costs
    nothing. Hooks around a batch that take longer than the batch are warned about.

    Parameters
    ----------
    callbacks : iterable of Callback
        In the order in which they are called.
    model : Sequential, optional
        Given to every callback.
    params : dict, optional
        Given to every callback.

    Raises
    ------
    TypeError
        If one of the callbacks is not a Callback.
    """

    def __init__(
        self,
        callbacks: Iterable[Callback] = (),
        model: Any = None,
        params: dict[str, Any] | None = None,
    ):
        self.callbacks = list(callbacks)
        for callback in self.callbacks:
            if not isinstance(callback, Callback):
                raise TypeError(
                    f"callbacks: expected instances of Callback, got {callback!r}. "
                    "Derive the class from kerasnb.callbacks.Callback and pass an "
                    "object of it, as in callbacks=[MyCallback()]."
                )
            callback.set_model(model)
            callback.set_params({} if params is None else params)
        self._find_hooks()
        self._forget_times()
        self._warned: set[str] = set()

    def __iter__(self) -> Iterator[Callback]:
        """Go through the callbacks in the order in which they are called."""
        return iter(self.callbacks)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Announce the start; the list of hooks is made anew afterwards."""
        self._call("on_train_begin", {} if logs is None else logs)
        self._find_hooks()
        self._warned.clear()

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Announce the end."""
        self._call("on_train_end", {} if logs is None else logs)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Announce an epoch, counted from 0."""
        self._forget_times()
        self._call("on_epoch_begin", epoch, {} if logs is None else logs)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Announce the end of an epoch; BaseLogger adds its averages to the logs."""
        self._call("on_epoch_end", epoch, {} if logs is None else logs)

    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Announce a batch with its `batch` and `size`."""
        if self._hooks["on_batch_begin"]:
            self._call_timed("on_batch_begin", batch, {} if logs is None else logs)
        self._updating = clock()

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Announce the end of a batch; `logs` is the dictionary of its beginning."""
        self._update_time = clock() - self._updating
        self._call_timed("on_batch_end", batch, {} if logs is None else logs)

    def _find_hooks(self) -> None:
        """
        Find who fills which hook, in the class or on the object itself.

        Hooks of our own around a batch need no clock, so a quick announcement hides
        the method of the same name; a small model would feel the difference.
        """
        own = (BaseLogger, History, ProgbarLogger)
        self._hooks: dict[str, list[Callable]] = {name: [] for name in HOOKS}
        timed = False
        for callback in self.callbacks:
            for name in HOOKS:
                hook = getattr(callback, name)
                if getattr(hook, "__func__", None) is not getattr(Callback, name):
                    self._hooks[name].append(hook)
                    timed |= "_batch_" in name and type(callback) not in own
        for name in ("on_batch_begin", "on_batch_end"):
            vars(self).pop(name, None)
            if not timed:
                setattr(self, name, _announcement(self._hooks[name]))

    def _call(self, name: str, *arguments: Any) -> None:
        for hook in self._hooks[name]:
            hook(*arguments)

    def _forget_times(self) -> None:
        self._times: dict[str, deque[float]] = {
            "on_batch_begin": deque([], WINDOW),
            "on_batch_end": deque([], WINDOW),
        }
        self._updating = clock()
        self._update_time = 0.0

    def _call_timed(self, name: str, batch: int, logs: Logs) -> None:
        begun = clock()
        for hook in self._hooks[name]:
            hook(batch, logs)
        seconds = clock() - begun
        self._times[name].append(seconds)
        if seconds > SLOW and name not in self._warned:
            self._judge(name)

    def _judge(self, name: str) -> None:
        """Warn, once a training, when the hooks take longer than the update."""
        median = statistics.median(self._times[name])
        if self._update_time and median > max(SLOW, 0.95 * self._update_time):
            self._warned.add(name)
            warnings.warn(
                f"The {name} hooks of the callbacks are slow: {median:.3f} s (median), "
                f"and the update of a batch takes {self._update_time:.3f} s. "
                "Do less in them, or do it at the end of an epoch.",
                stacklevel=4,
            )


class BaseLogger(Callback):
    """
    Averages the loss and metrics of an epoch: sum of v n over sum of n.

    `v` is the value of a batch and `n` its size. `fit` always adds this callback.

    Parameters
    ----------
    stateful_metrics : iterable of str, optional
        Names of metrics that average by themselves: their last value is logged.
    """

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


class History(Callback):
    """
    What `fit` returns: every logged value of every epoch.

    Attributes
    ----------
    epoch : list of int
        Numbers of the epochs, from 0.
    history : dict of str to list of float
        One value an epoch under each name; NaN where an epoch had none.
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

    def __init__(self) -> None:
        self.epoch: list[int] = []
        self.history: dict[str, list] = {}
        self.interrupted = False

    def on_train_begin(self, logs: Any = None) -> None:
        """Forget an earlier training."""
        self.epoch, self.history, self.interrupted = [], {}, False

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


def _announcement(hooks: list[Callable]) -> Callable:
    """Return the quickest function that calls all the hooks with (batch, logs)."""
    if len(hooks) == 1:
        return hooks[0]

    def announce(batch: int, logs: Logs | None = None) -> None:
        for hook in hooks:
            hook(batch, logs)

    return announce


def _plain(value: Any) -> Any:
    """Return numbers and arrays as Python floats and lists, all else unchanged."""
    value = value.tolist() if hasattr(value, "tolist") else value
    return float(value) if isinstance(value, (int, float)) else value


def _save(text: str, path: str | os.PathLike | None) -> str:
    """Return the text; put it at the path, whole or not at all, if there is one."""
    if path is not None:
        draft = f"{os.fspath(path)}.{os.getpid()}.part"
        try:
            with open(draft, "w", encoding="utf-8", newline="") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(draft, path)
        except BaseException:
            if os.path.exists(draft):
                os.unlink(draft)
            raise
    return text
