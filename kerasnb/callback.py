"""
The contract of a callback: what it hears of a training, and who tells it.

`training.py` announces six events: the start and the end of training, of every epoch
and of every batch. `CallbackList` hands each to the callbacks that care about it, in
list order. Read next: `callbacks.py` for the callbacks themselves, `training.py` for
who announces.
"""

import contextlib
import statistics
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from time import perf_counter as clock
from typing import Any

from .state import Stateful

SLOW = 0.1  # seconds: hooks above this are worth a warning, if the update is faster
WINDOW = 10  # batches over which the time of the hooks is judged

Logs = dict[str, Any]


class Callback(Stateful):
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
    state_names : tuple of str
        Attributes that a later training must know to go on exactly from here: plain
        values and arrays. `resume.py` saves them, `state.py` describes the contract.
    quick : bool
        True in the body of a class whose hooks change nothing in the model and take no
        time worth measuring. Not inherited.

    Examples
    --------
    >>> class StopWhenGood(Callback):
    ...     def on_epoch_end(self, epoch, logs=None):
    ...         self.model.stop_training = logs["loss"] < 0.1
    """

    model: Any = None
    params: Any = None
    validation_data: Any = None
    quick = False
    _goes_on = False

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

    def set_state(self, state: dict[str, Any]) -> None:
        """
        Go on from what `get_state` returned, when the next training begins.

        Raises
        ------
        ValueError
            If a part is missing or unknown; then nothing has changed.
        """
        super().set_state(state)
        self._goes_on = True

    def starts_anew(self) -> bool:
        """Return whether `on_train_begin` shall forget; no, just after `set_state`."""
        goes_on, self._goes_on = self._goes_on, False
        return not goes_on


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
        """Announce the end to all, even if one of them raises an error."""
        logs = {} if logs is None else logs
        with contextlib.ExitStack() as stack:
            for hook in reversed(self._hooks["on_train_end"]):
                stack.callback(hook, logs)

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

        Quick hooks around a batch need no clock, so a quick announcement hides the
        method of the same name; a small model would feel the difference.
        """
        self._hooks: dict[str, list[Callable]] = {name: [] for name in HOOKS}
        timed = False
        self.others = [c for c in self.callbacks if not vars(type(c)).get("quick")]
        for callback in self.callbacks:
            for name in HOOKS:
                hook = getattr(callback, name)
                if getattr(hook, "__func__", None) is not getattr(Callback, name):
                    self._hooks[name].append(hook)
                    timed |= "_batch_" in name and callback in self.others
        self.watches_batches = timed
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


def _announcement(hooks: list[Callable]) -> Callable:
    """Return the quickest function that calls all the hooks with (batch, logs)."""
    if len(hooks) == 1:
        return hooks[0]

    def announce(batch: int, logs: Logs | None = None) -> None:
        for hook in hooks:
            hook(batch, logs)

    return announce
