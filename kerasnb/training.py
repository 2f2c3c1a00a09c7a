"""
The training loop: fit, evaluate and predict, over arrays, files and generators.

`fit` makes a feed of its data, repeats the step of `steps.py` over the batches of every
epoch, validates, and tells the callbacks. Read in this order: `fit`, `_run`,
`_run_epoch`. Read next: `feeds.py` for the batches, `callback.py` for who is told.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import warnings
from collections.abc import Iterable
from numbers import Real

from . import callbacks as callbacks_module
from . import random
from .data import Data, LazyData
from .evaluation import (
    DEFAULT_BATCH_SIZE,
    Evaluation,
    check_verbose,
    refuse_with_generator,
)
from .feeds import ArrayFeed, Feed, GeneratorFeed, feed_of, split_validation
from .generators import is_generator, make_supply
from .memory import within_memory
from .renames import bilingual_method
from .resume import BackupAndRestore, Run
from .utils import positive_integer, whole_number


class Training(Evaluation):
    """What `Sequential` can do with data; `Sequential` supplies the layers."""

    history = None
    stop_training = False
    stops_within_epoch = True  # False in Keras 1: an epoch always runs to its end

    # ---- fit ----------------------------------------------------------------------

    @bilingual_method
    def fit(
        self,
        x=None,
        y=None,
        batch_size=None,
        epochs=1,
        verbose=1,
        callbacks=None,
        validation_split=0.0,
        validation_data=None,
        shuffle=True,
        class_weight=None,
        sample_weight=None,
        initial_epoch=0,
        steps_per_epoch=None,
        validation_steps=None,
        seed=None,
    ):
        """
        Train the model on arrays, or on what a Sequence or a generator yields.

        Parameters
        ----------
        x, y : array-like
            Samples and targets, the same number of each; lists or dicts by name for
            several inputs or outputs. HDF5 datasets and memory maps are read batch by
            batch. x may be a Sequence or a generator of (x, y) instead.
        batch_size : int
            Samples per update; default 32.
        epochs : int
            Index of the final epoch: epochs `initial_epoch` to `epochs - 1` run.
        verbose : 0, 1 or 2
            Silent, progress bar, one line per epoch.
        callbacks : list of Callback, optional
        validation_split : float
            Fraction to hold out: the last rows, cut off before shuffling, with their
            weights. A `fractions.Fraction` cuts without rounding errors.
        validation_data : (x, y), (x, y, sample_weight), Sequence or generator, optional
            Overrides `validation_split`.
        shuffle : bool or 'batch'
            New order of the samples each epoch; 'batch' shuffles whole batches, which
            suits files.
        class_weight : dict, optional
            Class number -> weight of its samples, in training only; with several
            outputs a dict of such dicts by output name. Beside `sample_weight` it is
            ignored, as in Keras, unless `model.combines_weights` is set.
        sample_weight : array-like, optional
            One weight per sample, or per time step in temporal mode.
        initial_epoch : int
            Epoch to start with.
        steps_per_epoch : int, optional
            Batches in an epoch; the next one goes on where it ended, unshuffled.
            Default: one pass over the data.
        validation_steps : int, optional
            Batches of a validation, which begins with the first sample every time;
            required with `steps_per_epoch`.
        seed : int, optional
            Seed of this call's shuffles and dropout (an extension).

        Returns
        -------
        History
            `history.history` maps names to one float per epoch; `history.interrupted`
            says whether Ctrl-C ended the training.

        Raises
        ------
        RuntimeError
            If the model is not compiled.
        ValueError, TypeError
            If the data or an argument do not fit; no weight has changed then.
        """
        if is_generator(x):
            refuse_with_generator(
                y=y,
                batch_size=batch_size,
                sample_weight=sample_weight,
                validation_split=validation_split or None,
            )
            return self.fit_generator(
                x, steps_per_epoch, epochs, verbose, callbacks, validation_data,
                validation_steps, class_weight, shuffle=shuffle,
                initial_epoch=initial_epoch, seed=seed,
            )  # fmt: skip
        check_verbose(verbose)
        epochs = _epochs(initial_epoch, epochs)
        _check_split(validation_split)
        with random.seeded(seed):
            self._ready("fit", x)
            batch_size = self._batch_size(batch_size)
            steps = _steps(steps_per_epoch, "steps_per_epoch")
            data = self._data(x, y, sample_weight, class_weight)
            self._check_stateful(len(data), batch_size, shuffle and not steps)
            if validation_data is not None:
                held_out = self._validation_data(validation_data)
            elif validation_split:
                at = split_validation(data, validation_split, class_weight)
                data, held_out = data.part(0, at), data.part(at, len(data))
            else:
                held_out = _no_validation(validation_steps)
            if isinstance(held_out, (Data, LazyData)):
                limit = _validation_steps(validation_steps, steps)
                if verbose and not steps:
                    print(
                        f"Train on {len(data)} samples, "
                        f"validate on {len(held_out)} samples"
                    )
                held_out = feed_of(held_out, batch_size, steps=limit)
            elif held_out is not None:
                held_out = self._validation_feed(held_out, validation_steps)
            feed = feed_of(data, batch_size, shuffle if not steps else False, steps)
            params = {
                "batch_size": batch_size,
                "epochs": epochs.stop,
                "steps": steps,
                "samples": len(data),
                "verbose": verbose,
            }
            told = self._callback_list(callbacks, held_out, params)
            self._run(told, feed, held_out, epochs)
        return self.history

    @bilingual_method
    def fit_generator(
        self,
        generator,
        steps_per_epoch=None,
        epochs=1,
        verbose=1,
        callbacks=None,
        validation_data=None,
        validation_steps=None,
        class_weight=None,
        max_queue_size=10,
        workers=1,
        use_multiprocessing=False,
        shuffle=True,
        initial_epoch=0,
        seed=None,
    ):
        """
        Train the model on batches that a Sequence or a generator yields.

        Workers prepare the next batches while the model learns. The result does not
        depend on their number.

        Parameters
        ----------
        generator : Sequence, generator or iterator
            Of (x, y) or (x, y, sample_weight), one batch each.
        steps_per_epoch : int
            Batches in an epoch; default for a Sequence: its length. A generator goes on
            in the next epoch where it is.
        epochs, verbose, callbacks, class_weight, initial_epoch, seed
            As for `fit`.
        validation_data : (x, y), (x, y, sample_weight), Sequence or generator, optional
        validation_steps : int, optional
            Batches of a validation; required with a generator.
        max_queue_size : int
            How many batches may wait for the model.
        workers : int
            Threads, or processes, that prepare batches; 0: none but the caller's.
        use_multiprocessing : bool
            Processes instead of threads, for a Sequence that can be pickled.
        shuffle : bool
            New order of a Sequence's batches in each pass.

        Returns
        -------
        History

        Raises
        ------
        RuntimeError
            If the model is not compiled, or a worker process dies.
        ValueError, TypeError
            If an argument or a batch does not fit. An exception of the generator
            comes with its own traceback.
        """
        check_verbose(verbose)
        epochs = _epochs(initial_epoch, epochs)
        work = {
            "max_queue_size": max_queue_size,
            "workers": workers,
            "use_multiprocessing": use_multiprocessing,
        }
        with random.seeded(seed):
            supply = make_supply(generator, steps_per_epoch, shuffle=shuffle, **work)
            self._ready("fit_generator", None, supply)
            feed = GeneratorFeed(self, supply, class_weight)
            if validation_data is None:
                held_out = _no_validation(validation_steps)
            else:
                held_out = self._validation_data(validation_data)
            if isinstance(held_out, (Data, LazyData)):
                _warn_of_validation_steps(validation_steps)
            elif held_out is not None:
                held_out = self._validation_feed(held_out, validation_steps, **work)
            params = {"epochs": epochs.stop, "steps": supply.steps, "verbose": verbose}
            told = self._callback_list(callbacks, held_out, params)
            self._run(told, feed, held_out, epochs)
        return self.history

    # ---- what fit is made of ------------------------------------------------------

    def _validation_data(self, given):
        """Return the validation data as arrays, or a Sequence or generator as it is."""
        if is_generator(given):
            return given
        if not isinstance(given, (tuple, list)) or len(given) not in (2, 3):
            found = f"{len(given)} items" if hasattr(given, "__len__") else repr(given)
            raise ValueError(
                "validation_data: expected (x, y) or (x, y, sample_weight), got "
                f"{found}."
            )
        return self._data(*given, of=" of validation_data")

    def _validation_feed(self, generator, steps, **work):
        supply = make_supply(
            generator, steps, "validation_data", shuffle=False, restart=True,
            steps_name="validation_steps", **work,
        )  # fmt: skip
        return GeneratorFeed(self, supply)

    def _callback_list(self, callbacks, held_out, params):
        names = self.logged_names
        validating = held_out is not None
        params["do_validation"] = validating
        params["metrics"] = names + ["val_" + name for name in names if validating]
        objective = self._objective
        stateful = [name for name, kept in zip(names, objective.stateful) if kept]
        history = callbacks_module.History()
        listed = [callbacks_module.BaseLogger(stateful)]
        if params["verbose"]:
            mode = "samples" if params.get("steps") is None else "steps"
            listed.append(callbacks_module.ProgbarLogger(mode, stateful))
        listed += [*_as_callbacks(callbacks), history]
        listed.sort(key=lambda one: isinstance(one, BackupAndRestore))  # these go last
        told = callbacks_module.CallbackList(listed, self, params)
        self.history = history
        arrays = held_out.data if isinstance(held_out, ArrayFeed) else held_out
        columns = arrays.filled() if isinstance(arrays, Data) else []
        for callback in listed:
            callback.validation_data = columns
        return told

    def _run(self, told, feed, held_out, epochs):
        """Run all epochs; whatever ends them, the callbacks hear of the end."""
        self._recordings = {}
        validation = held_out if isinstance(held_out, Feed) else Feed()
        run = Run(self, told, feed, validation, epochs)
        run.restore(with_feeds=True)
        try:
            told.on_train_begin()
            self.stop_training = False
            run.restore()
            room = within_memory(self, "fit", feed.batch_size)
            with room, _InterruptFlag() as run.interrupt, feed, validation:
                for epoch in run.epochs:
                    self._objective.reset_states()
                    told.on_epoch_begin(epoch)
                    run.begin_epoch()
                    finished = self._run_epoch(run, epoch)
                    logs = {}
                    if held_out is not None and finished and not run.interrupt.seen:
                        values = self._validate(held_out, feed, epoch == epochs[-1])
                        names = ("val_" + name for name in self.logged_names)
                        logs.update(zip(names, values))
                    if run.interrupt.seen:
                        self.stop_training = True
                    told.on_epoch_end(epoch, logs)
                    self.history.interrupted = run.interrupt.seen
                    if self.stop_training or run.interrupt.seen or feed.exhausted:
                        break
        finally:
            self._recordings, self._batch = {}, None
            told.on_train_end()
        run.end()

    def _run_epoch(self, run, epoch):
        """Train on the batches of one epoch; return whether validation is to follow."""
        told, feed, names = run.told, run.feed, self.logged_names
        replays = self._replays and feed.replays and not told.watches_batches
        if told.others:  # which may have changed what was recorded
            self._recordings = {}
        first, run.batch = run.batch, 0
        batches = feed.epoch(epoch, last=epoch == run.epochs[-1])
        for batch, size in enumerate(batches, first):
            logs = {"batch": batch, "size": size}
            told.on_batch_begin(batch, logs)
            if replays:
                values = self._replay_step(feed)
            else:
                values = self._train_step(*feed.batch())
            if told.others:  # who may look at any of them
                values = map(float, values)
            logs.update(zip(names, values))
            told.on_batch_end(batch, logs)
            stopped = self.stop_training and self.stops_within_epoch
            if stopped or run.interrupt.seen:
                return feed.validates_after_stop(batch + 1)
        return True

    def _validate(self, held_out, feed, last):
        if not isinstance(held_out, Feed):  # arrays beside a generator
            held_out = feed_of(held_out, max(DEFAULT_BATCH_SIZE, feed.largest))
        return self._test_loop(held_out, last=last)


class _InterruptFlag(contextlib.AbstractContextManager):
    """Turn the first Ctrl-C into a flag that is read between batches."""

    seen = False
    _installed = False

    def __enter__(self):
        if threading.current_thread() is threading.main_thread():
            self._former = signal.getsignal(signal.SIGINT)
            if self._former is signal.default_int_handler:
                signal.signal(signal.SIGINT, self._note)
                self._installed = True
        return self

    def _note(self, *_):
        self.seen = True
        signal.signal(signal.SIGINT, self._former)  # a second Ctrl-C raises at once

    def __exit__(self, *_):
        if self._installed:
            signal.signal(signal.SIGINT, self._former)


def _epochs(initial_epoch, epochs):
    """Return the numbers of the epochs to run."""
    first = whole_number(initial_epoch, "initial_epoch")
    return range(first, whole_number(epochs, "epochs"))


def _as_callbacks(given):
    """Return the callbacks, or say that the brackets around one are missing."""
    if not isinstance(given or [], Iterable):
        raise TypeError(
            f"callbacks: expected a list, got {given!r}. Put brackets around it: "
            "callbacks=[...]."
        )
    return given or []


def _check_split(fraction):
    if isinstance(fraction or 0, Real) and 0 <= (fraction or 0) < 1:
        return
    raise ValueError(
        "validation_split: expected the fraction of the samples to hold out, from 0 to "
        f"below 1, got {fraction!r}."
    )


def _steps(given, what):
    return None if given is None else positive_integer(given, what)


def _no_validation(steps):
    """Return that nothing is held out; steps of a validation need one."""
    if steps is not None:
        raise ValueError(
            f"validation_steps={steps!r}: there is no validation. Pass validation_data "
            "too, or leave it out."
        )


def _warn_of_validation_steps(steps):
    if steps is not None:
        warnings.warn(
            f"validation_steps={steps!r} is ignored: validation_data are arrays, and "
            "all of them are used. Leave it out, or pass a generator.",
            stacklevel=3,
        )


def _validation_steps(given, steps_per_epoch):
    """Check that the steps of a validation on arrays come with those of training."""
    if given is not None and steps_per_epoch is None:
        raise ValueError(
            "validation_steps: only counts together with steps_per_epoch. Leave it out "
            "to validate on all validation data."
        )
    if given is None and steps_per_epoch is not None:
        raise ValueError(
            "validation_steps: with steps_per_epoch and validation data, say how many "
            "batches a validation has."
        )
    return _steps(given, "validation_steps")
