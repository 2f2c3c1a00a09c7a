"""
evaluate and predict: what a model makes of data, without learning from it.

Both walk once over the batches of a feed in test mode; `evaluate` averages losses and
metrics, `predict` collects outputs. Read next: `feeds.py` for the batches, `steps.py`
for what happens to one, `training.py` for fit.
"""

from __future__ import annotations

import warnings

import numpy as np

from . import device
from .data import Data, LazyData, any_lazy, check_inputs, on_device, standardize
from .feeds import GeneratorFeed, feed_of
from .generators import is_generator, make_supply
from .layer import shapes_of
from .memory import within_memory
from .objective import ExactMeans
from .progress import Progbar, RunningMeans
from .renames import bilingual_method
from .steps import Steps
from .utils import positive_integer

DEFAULT_BATCH_SIZE = 32


class Evaluation(Steps):
    """What a model can do with data without learning from them."""

    # ---- evaluate -----------------------------------------------------------------

    def evaluate(
        self,
        x=None,
        y=None,
        batch_size=None,
        verbose=1,
        sample_weight=None,
        steps=None,
        return_dict=False,
        exact=False,
    ):
        """
        Return the loss and the metrics on a data set, in test mode.

        Parameters
        ----------
        x, y, sample_weight : array-like
            As for `fit`; x may be a Sequence or a generator.
        batch_size : int
            Default 32.
        verbose : 0 or 1
            Whether to draw a progress bar.
        steps : int, optional
            Only the first `steps` batches; required with a generator.
        return_dict : bool
            Return {name: value} (an extension).
        exact : bool
            Count all samples as one batch. By default the losses of the batches are
            averaged, as in Keras: with masks or weights of zero, whose number differs
            from batch to batch, that depends on the batch size (an extension).

        Returns
        -------
        float, or list of floats in the order of `metrics_names`
        """
        if is_generator(x):
            refuse_with_generator(
                y=y, batch_size=batch_size, sample_weight=sample_weight
            )
            feed = self._generator_feed("evaluate", x, steps)
        else:
            self._ready("evaluate", x)
            batch_size = self._batch_size(batch_size)
            data = self._data(x, y, sample_weight)
            self._check_stateful(len(data), batch_size)
            feed = feed_of(data, batch_size, steps=_limit(steps, len(data), batch_size))
        return self._evaluated(feed, verbose, return_dict, exact)

    @bilingual_method
    def evaluate_generator(
        self,
        generator,
        steps=None,
        max_queue_size=10,
        workers=1,
        use_multiprocessing=False,
        verbose=0,
        return_dict=False,
    ):
        """
        Return the loss and the metrics on batches of a Sequence or a generator.

        The arguments are those of `fit_generator`; `steps` is required with a
        generator. Averages count every sample once.
        """
        feed = self._generator_feed(
            "evaluate_generator", generator, steps, False,
            max_queue_size=max_queue_size, workers=workers,
            use_multiprocessing=use_multiprocessing,
        )  # fmt: skip
        return self._evaluated(feed, verbose, return_dict)

    def _evaluated(self, feed, verbose, return_dict, exact=False):
        check_verbose(verbose)
        self._recordings = {}
        with within_memory(self, "evaluate", feed.batch_size), feed:
            values = self._test_loop(feed, verbose, exact=exact)
        self._recordings = {}
        if not values:
            raise ValueError("evaluate: the generator yielded no batch.")
        return self._result(values, return_dict)

    def _generator_feed(self, call, generator, steps, predicts=False, **work):
        supply = make_supply(
            generator, steps, shuffle=False, restart=True, steps_name="steps", **work
        )
        if predicts:
            self._build_for(None, supply)
        else:
            self._ready(call, None, supply)
        return GeneratorFeed(self, supply, predicts=predicts)

    def _test_loop(self, feed, verbose=0, last=True, exact=False):
        """
        Return averages over all samples; stateful metrics give their last value.

        The list is empty if there was no batch.
        """
        objective = self._objective
        objective.reset_states()
        feed.rewind()
        names = objective.names
        means = RunningMeans(n for n, kept in zip(names, objective.stateful) if kept)
        exact_means = ExactMeans(objective) if exact else None
        bar = _bar(feed, verbose)
        replays = self._replays and feed.replays and device.place() != "host"
        for size in feed.epoch(last=last):
            if replays:
                self._replayed(feed, self._measure)
                values = self._test_values()
            else:
                values = self._test_step(*feed.batch())
            means.add(names, dict(zip(names, values)), size)
            if exact_means:
                exact_means.add(values, size)
            if bar:
                bar.add(1 if feed.samples is None else size)
        values = [value for _, value in means.items()]
        return exact_means.values() if exact_means and values else values

    # ---- predict ------------------------------------------------------------------

    def predict(self, x, batch_size=None, verbose=0, steps=None):
        """
        Return the output for every sample.

        Parameters
        ----------
        x : array-like, Sequence or generator
        batch_size : int
            Default 32.
        verbose : 0 or 1
            Whether to draw a progress bar.
        steps : int, optional
            Only the first `steps` batches; required with a generator.

        Returns
        -------
        array of shape (samples, *output_shape[1:]), or a list of several
        """
        check_verbose(verbose)
        if is_generator(x):
            refuse_with_generator(batch_size=batch_size)
            return self.predict_generator(x, steps, verbose=verbose)
        self._build_for(x)
        batch_size = self._batch_size(batch_size)
        if any_lazy(x):
            data = LazyData(self, x)
        else:
            inputs = check_inputs(x, self)
            if len(inputs[0]) <= batch_size and not verbose and steps is None:
                with within_memory(self, "predict", len(inputs[0])):
                    return self._outputs(inputs)
            data = Data(inputs, [None], [None])
        if len(data) > batch_size:
            self._check_stateful(len(data), batch_size)
        feed = feed_of(data, batch_size, steps=_limit(steps, len(data), batch_size))
        with within_memory(self, "predict", batch_size):
            return self._predict_loop(feed, verbose)

    @bilingual_method
    def predict_generator(
        self,
        generator,
        steps=None,
        max_queue_size=10,
        workers=1,
        use_multiprocessing=False,
        verbose=0,
    ):
        """
        Return the output for every sample that a Sequence or a generator yields.

        The arguments are those of `fit_generator`; `steps` is required with a
        generator. The order is that of the batches, whatever the number of workers.
        """
        check_verbose(verbose)
        feed = self._generator_feed(
            "predict_generator", generator, steps, True,
            max_queue_size=max_queue_size, workers=workers,
            use_multiprocessing=use_multiprocessing,
        )  # fmt: skip
        with feed:
            return self._predict_loop(feed, verbose)

    def _predict_loop(self, feed, verbose):
        batches = []
        bar = _bar(feed, verbose)
        for size in feed.epoch():
            p = self.forward(*on_device(feed.batch()[0]), False)
            several = isinstance(p, list)
            batches.append([one.copy() for one in p] if several else [p.copy()])
            if bar:
                bar.add(1 if feed.samples is None else size)
        if not batches:
            raise ValueError("predict: the generator yielded no batch.")
        columns = [
            column[0] if len(column) == 1 else np.concatenate(column)
            for column in zip(*batches)
        ]
        return columns if several else columns[0]

    def predict_proba(self, x, batch_size=32, verbose=0):
        """Return `predict`, and warn if a value lies outside [0, 1]."""
        p = self._single_prediction("predict_proba", x, batch_size, verbose)
        if p.min() < 0 or p.max() > 1:
            warnings.warn(
                "predict_proba: some values lie outside [0, 1]. The last layer may "
                "lack a softmax or sigmoid activation.",
                stacklevel=2,
            )
        return p

    def predict_classes(self, x, batch_size=32, verbose=0):
        """
        Return class numbers: the largest of several outputs, or a single one > 0.5.

        Returns
        -------
        int64 array without the last axis, or int32 array with a last axis of one
        """
        p = self._single_prediction("predict_classes", x, batch_size, verbose)
        if p.shape[-1] > 1:
            return p.argmax(axis=-1)
        return (p > 0.5).astype(np.int32)

    def _single_prediction(self, call, x, batch_size, verbose):
        if len(self.output_names) > 1:
            raise ValueError(
                f"{call}: works for a model with one output, this one has "
                f"{', '.join(self.output_names)}. Use predict, which returns a list."
            )
        return self.predict(x, batch_size, verbose)

    # ---- what came as data --------------------------------------------------------

    def _data(self, x, y, sample_weight=None, class_weight=None, of=""):
        """Return standard arrays, or data that are read when their turn comes."""
        y = self._targets_or(y)
        if callable(y) or any_lazy(x, y, sample_weight):
            return LazyData(self, x, y, sample_weight, class_weight, of)
        return standardize(self, x, y, sample_weight, class_weight, of)

    # ---- arguments ----------------------------------------------------------------

    def _batch_size(self, given):
        """Return the batch size; a stateful model has its own default."""
        if given is not None:
            return positive_integer(given, "batch_size")
        if self.stateful:
            return shapes_of(self.batch_input_shape)[0][0] or DEFAULT_BATCH_SIZE
        return DEFAULT_BATCH_SIZE

    def _check_stateful(self, samples, batch_size, shuffle=False):
        """Refuse batches of different sizes where states go from batch to batch."""
        if not self.stateful:
            return
        if samples > batch_size and samples % batch_size:
            raise ValueError(
                f"{self.name} keeps states from batch to batch, so the number of "
                f"samples must be a multiple of batch_size={batch_size}, got {samples}."
            )
        if shuffle:
            warnings.warn(
                f"{self.name} keeps states from batch to batch, but shuffle is on: "
                "successive batches do not belong together. Pass shuffle=False.",
                stacklevel=4,
            )


def check_verbose(verbose):
    """Refuse anything but the three degrees of talkativeness."""
    if verbose not in (0, 1, 2):
        raise ValueError(f"verbose: expected 0, 1 or 2, got {verbose!r}.")


def refuse_with_generator(**given):
    """Refuse arguments that make no sense beside a Sequence or a generator."""
    for name, value in given.items():
        if value is not None:
            raise ValueError(
                f"{name}: must not be given when x is a Sequence or a generator, whose "
                "batches hold targets and weights, got "
                f"{type(value).__name__}."
            )


def _bar(feed, verbose):
    """Return the bar of an evaluation: it counts samples, or steps."""
    return Progbar(feed.samples or feed.steps) if verbose == 1 else None


def _limit(steps, samples, batch_size):
    """Check that arrays have enough batches for `steps`."""
    if steps is not None and positive_integer(steps, "steps") > -(
        -samples // batch_size
    ):
        raise ValueError(
            f"steps={steps}: {samples} samples make only "
            f"{-(-samples // batch_size)} batches of {batch_size}."
        )
    return steps
