"""
Keras 1, for scripts that mean what it meant: its Sequential model and its defaults.

The public Sequential understands the words of Keras 1; this one also counts, averages
and reports as Keras 1 did. Every layer and optimizer can be imported from here under
its old name, with its old arguments and defaults: `from kerasnb.keras1 import
Sequential, Dense, Convolution2D, Adam`. Read next: `renames.py` for the words,
`keras1_layers.py` and `keras1_defaults.py` for the numbers.
"""

from __future__ import annotations

import contextlib
import warnings
from collections import Counter
from collections.abc import Iterator
from typing import Any

from . import keras1_defaults as old
from . import layers, metrics, optimizers, sequential
from .callbacks import CallbackList, ProgbarLogger
from .compilation import by_output
from .evaluation import check_verbose
from .feeds import GeneratorFeed
from .generators import ENDLESS, Sequence, is_generator, make_supply
from .keras1_defaults import (
    fbeta_score,
    fmeasure,
    matthews_correlation,
    precision,
    recall,
)
from .keras1_layers import layer_class, old_name
from .layer import Layer, shapes_of
from .renames import OLD_NAMES
from .summary import Costs, cost_lines, table_row
from .utils import lookup, positive_integer

__all__ = [
    "OLD_NAMES",
    "Sequential",
    "cosine_proximity",
    "fbeta_score",
    "fmeasure",
    "matthews_correlation",
    "precision",
    "recall",
]

OLD_COUNTS = {"grace": 1, "slack": 1e-4, "first_epoch": 0}
"""Attributes of callbacks by which Keras 1 counts epochs; see `monitors.py`."""

cosine_proximity = old.MeanCosine()


def __getattr__(name: str) -> Any:
    """Find a layer or an optimizer by its name of then or of today."""
    modern = OLD_NAMES.get(name, name)
    if modern in layers.CLASSES and modern not in ("Layer", "Weight", "Input"):
        return layer_class(modern, layers.CLASSES[modern])
    if not name.islower() and name.lower() in optimizers.OPTIMIZERS:
        return old.optimizer_class(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def counterpart(kind: type[Layer]) -> type[Layer]:
    """Return the class of Keras 1 that stands for one of ours; others stay."""
    if kind is sequential.Sequential:
        return Sequential
    if layers.CLASSES.get(kind.__name__) is kind:
        return layer_class(kind.__name__, kind)
    return kind


class CountedFeed(GeneratorFeed):
    """
    Batches of a generator, until an epoch has seen so many samples or more.

    Parameters
    ----------
    model : Sequential
    generator : Sequence, generator or iterator
    samples : int
        How many samples make an epoch.
    class_weight : dict, optional
    predicts : bool
    max_queue_size : int
    """

    def __init__(
        self, model, generator, samples, class_weight=None, predicts=False, ahead=10
    ):
        self.samples = samples
        self._overshot = False
        if isinstance(generator, Sequence):
            generator = _endless(generator)
        supply = make_supply(generator, ENDLESS, max_queue_size=ahead)
        super().__init__(model, supply, class_weight, predicts)
        self._items: Iterator | None = None

    def epoch(self, number=None, last=True):
        """Yield the size of each batch, until there are enough samples."""
        if self._items is None:
            self._items = self._supply.epoch()
        seen = 0
        for item in self._items:
            size = self.take(item)
            seen += size
            yield size
            if seen >= self.samples:
                break
        if seen > self.samples and not self._overshot:
            self._overshot = True
            warnings.warn(
                f"generator: an epoch of {self.samples} samples ends in the middle of "
                f"a batch; {seen} were used.",
                stacklevel=2,
            )


def _endless(sequence: Sequence) -> Iterator:
    while True:
        for index in range(len(sequence)):
            yield sequence[index]
        sequence.on_epoch_end()


@contextlib.contextmanager
def old_counts(told: CallbackList) -> Iterator[None]:
    """Let callbacks count patience and epochs as in Keras 1 inside a `with` block."""
    changed = []
    for callback in told:
        for name, value in OLD_COUNTS.items():
            if hasattr(type(callback), name) and name not in vars(callback):
                setattr(callback, name, value)
                changed.append((callback, name))
    try:
        yield
    finally:
        for callback, name in changed:
            delattr(callback, name)


class Sequential(sequential.Sequential):
    """
    The Sequential model of Keras 1.

    It differs from the public one in the order of arguments, in defaults (ten epochs),
    in what counts: generators by samples, epochs of checkpoints from 0, patience from
    the second bad epoch on; in that losses of a test leave penalties out, metrics
    ignore masks, `stop_training` waits for the end of the epoch, and the progress bar
    comes last.

    Parameters
    ----------
    layers : list of Layer, optional
    name : str, optional

    Examples
    --------
    >>> from kerasnb.keras1 import Dense
    >>> model = Sequential([Dense(8, "uniform", "relu", input_dim=4), Dense(1)])
    >>> model.get_layer(index=1).output_shape
    (None, 8)
    """

    only_launches = True
    dialect = 1
    stops_within_epoch = False
    validation_data: Any = None

    # ---- the stack ----------------------------------------------------------------

    def add(self, layer: Layer) -> None:
        """Put a layer on top; the first one must say the shape of its input."""
        is_first = isinstance(layer, Layer) and not self._stack
        if is_first and layer.batch_input_shape is None:
            raise ValueError(
                f"add: the first layer, {layer.name}, needs input_shape=(...) or "
                "input_dim=...: in Keras 1 a model knows its shapes from the start."
            )
        super().add(layer)

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """Return a layer by index, where 0 is the model's input, or by name."""
        if index is None or not self._stack:
            return super().get_layer(name, index)
        inputs = [
            layers.InputLayer(batch_input_shape=shape, name=input_name)
            for input_name, shape in zip(self.input_names, shapes_of(self.input_shape))
        ]
        found = [*inputs, *self.layers]
        if not -len(found) <= index < len(found):
            raise ValueError(
                f"get_layer: index {index} is out of range, {self.name} has "
                f"{len(found)} layers, the input included."
            )
        return found[index]

    def summary(
        self,
        line_length=100,
        positions=None,
        print_fn=None,
        flops=False,
        memory=False,
        batch_size=1,
    ) -> None:
        """Print a table of layers, as wide as that of Keras 1 and with its columns."""
        ends = positions or [0.33, 0.55, 0.67, 1.0]
        if ends[-1] <= 1:
            ends = [int(line_length * end) for end in ends]
        lines = [*self._summary_lines(line_length, ends)]
        if flops or memory:
            lines[-1:-1] = cost_lines(Costs(self, batch_size), flops, memory)
        for line in lines:
            (print_fn or print)(line)

    def _summary_lines(self, width, ends):
        yield "_" * width
        titles = ("Layer (type)", "Output Shape", "Param #", "Connected to")
        yield table_row(ends, *titles)
        yield "=" * width
        total = 0
        below = ", ".join(f"{name}[0][0]" for name in self.input_names)
        for layer in self.layers:
            count = sum(weight.value.size for weight in layer.trainable_weights)
            total += count
            title = f"{layer.name} ({type(layer).__name__})"
            yield table_row(ends, title, layer.output_shape, count, below)
            yield ("=" if layer is self.layers[-1] else "_") * width
            below = f"{layer.name}[0][0]"
        yield f"Total params: {total}"
        yield "_" * width

    # ---- compile ------------------------------------------------------------------

    def compile(
        self,
        optimizer,
        loss,
        metrics=None,
        sample_weight_mode=None,
        loss_weights=None,
        **kwargs,
    ):
        """Choose how the model is trained; a loss is required."""
        _drop("compile", kwargs, "class_mode")
        if loss is None:
            raise ValueError("compile: Keras 1 needs a loss, for example loss='mse'.")
        optimizer = old.optimizer(optimizer)
        super().compile(
            optimizer, loss, _old_metrics(metrics), loss_weights, sample_weight_mode
        )

    def _in_training_order(self):
        """Return the trainable weights sorted by the names that Keras 1 gave them."""
        return sorted(self.trainable_weights, key=lambda weight: old_name(weight.name))

    def _bind(self, resolved=None):
        """Connect the settings; losses and metrics become those of Keras 1."""
        super()._bind(resolved)
        changed = False
        for part in self._parts:
            former = part.loss
            part.loss = former and old.loss(former)
            part.named_metrics = [
                (name, metric if metric.stateful else old.BatchMetric(metric), weighted)
                for name, metric, weighted in part.named_metrics
            ]
            changed |= part.loss is not former or bool(part.named_metrics)
        self._replays = self._replays and not changed
        self._plain_names = list(self._objective.names)
        if len(self._parts) == 1:
            self._label_duplicates()

    def _label_duplicates(self):
        """Mark all metrics of one name: in Keras 1 even the first gets a number."""
        shape = self._objective.output_shape
        loss = self._objective.loss
        given = by_output(self._settings, self.output_names)[0]["metrics"]
        plain = ["loss"]
        for one in given:
            found = metrics.resolve_all(one, shape, loss, self.dtype)
            plain += [name for name, _ in found]
        count, number = Counter(plain), Counter()
        labels = []
        for name in plain:
            number[name] += 1
            labels.append(f"{name}_{number[name]}" if count[name] > 1 else name)
        self._plain_names, self._objective.names = plain, labels

    @property
    def metrics_names(self):
        """Return the names of the values, duplicates as they are."""
        super().metrics_names
        return list(self._plain_names)

    @property
    def logged_names(self):
        """Return the names in the logs, where duplicates are numbered."""
        return super().metrics_names

    # ---- fit ----------------------------------------------------------------------

    def fit(
        self,
        x,
        y,
        batch_size=32,
        nb_epoch=10,
        verbose=1,
        callbacks=None,
        validation_split=0.0,
        validation_data=None,
        shuffle=True,
        class_weight=None,
        sample_weight=None,
        **kwargs,
    ):
        """Train the model on arrays; the arguments are those of today's `fit`."""
        _drop("fit", kwargs, "show_accuracy")
        return super().fit(
            x, y, batch_size, nb_epoch, verbose, callbacks, validation_split,
            validation_data, shuffle, class_weight, sample_weight,
        )  # fmt: skip

    def fit_generator(
        self,
        generator,
        samples_per_epoch,
        nb_epoch,
        verbose=1,
        callbacks=None,
        validation_data=None,
        nb_val_samples=None,
        class_weight=None,
        max_q_size=10,
        nb_worker=1,
        pickle_safe=False,
        **kwargs,
    ):
        """
        Train the model on batches of a generator.

        Parameters
        ----------
        generator : generator, iterator or Sequence
            Of (x, y) or (x, y, sample_weight), without an end.
        samples_per_epoch : int
            An epoch ends when so many samples were seen, or more.
        nb_epoch, verbose, callbacks, class_weight
            As for `fit`.
        validation_data : (x, y), (x, y, sample_weight) or generator, optional
        nb_val_samples : int
            Samples of a validation; required with a generator.
        max_q_size : int
            How many batches may wait for the model.
        nb_worker, pickle_safe
            Only one thread reads a generator, whatever these say.

        Returns
        -------
        History
        """
        _drop("fit_generator", kwargs, "show_accuracy", "nb_val_worker")
        check_verbose(verbose)
        samples = positive_integer(samples_per_epoch, "samples_per_epoch")
        self._ready("fit_generator")
        _one_worker("fit_generator", nb_worker, pickle_safe)
        feed = CountedFeed(self, generator, samples, class_weight, ahead=max_q_size)
        held_out = None
        if validation_data is not None:
            held_out = self._validation_data(validation_data)
        if is_generator(held_out):
            count = positive_integer(nb_val_samples, "nb_val_samples")
            held_out = CountedFeed(self, held_out, count, ahead=max_q_size)
        params = {"epochs": nb_epoch, "samples": samples, "verbose": verbose}
        told = self._callback_list(callbacks, held_out, params)
        self._run(told, feed, held_out, range(nb_epoch))
        return self.history

    def _callback_list(self, callbacks, held_out, params):
        params.update(nb_epoch=params["epochs"], nb_sample=params["samples"])
        told = super()._callback_list(callbacks, held_out, params)
        self.validation_data = self.history.validation_data
        last_is_bar = sorted(told, key=lambda one: isinstance(one, ProgbarLogger))
        return CallbackList(last_is_bar, self, params)

    def _run(self, told, feed, held_out, epochs):
        with old_counts(told):
            super()._run(told, feed, held_out, epochs)

    # ---- evaluate, predict --------------------------------------------------------

    def evaluate(self, x, y, batch_size=32, verbose=1, sample_weight=None, **kwargs):
        """Return the loss without penalties and the metrics on a data set."""
        _drop("evaluate", kwargs, "show_accuracy")
        return super().evaluate(x, y, batch_size, verbose, sample_weight)

    def evaluate_generator(
        self,
        generator,
        val_samples,
        max_q_size=10,
        nb_worker=1,
        pickle_safe=False,
        **kwargs,
    ):
        """Return the loss and the metrics on so many samples of a generator."""
        _drop("evaluate_generator", kwargs, "show_accuracy", "verbose")
        self._ready("evaluate_generator")
        _one_worker("evaluate_generator", nb_worker, pickle_safe)
        count = positive_integer(val_samples, "val_samples")
        with CountedFeed(self, generator, count, ahead=max_q_size) as feed:
            return self._result(self._test_loop(feed), False)

    def predict(self, x, batch_size=32, verbose=0):
        """Return the output for every sample."""
        return super().predict(x, batch_size, verbose)

    def predict_generator(
        self, generator, val_samples, max_q_size=10, nb_worker=1, pickle_safe=False
    ):
        """Return the output for the first so many samples of a generator."""
        _one_worker("predict_generator", nb_worker, pickle_safe)
        count = positive_integer(val_samples, "val_samples")
        feed = CountedFeed(self, generator, count, predicts=True, ahead=max_q_size)
        with feed:
            p = self._predict_loop(feed, 0)
        return [one[:count] for one in p] if isinstance(p, list) else p[:count]

    def predict_proba(self, x, batch_size=32, verbose=1):
        """Return `predict`, and warn if a value lies outside [0, 1]."""
        return super().predict_proba(x, batch_size, verbose)

    def predict_classes(self, x, batch_size=32, verbose=1):
        """Return class numbers: the largest of several outputs, or a single > 0.5."""
        return super().predict_classes(x, batch_size, verbose)

    # ---- one batch ----------------------------------------------------------------

    def train_on_batch(self, x, y, class_weight=None, sample_weight=None, **kwargs):
        """Make one update on a batch; note that class_weight comes first here."""
        _drop("train_on_batch", kwargs, "accuracy")
        if class_weight is not None and not isinstance(class_weight, dict):
            raise TypeError(
                "train_on_batch: expected a dict {class number: weight} as "
                f"class_weight, got {type(class_weight).__name__}. In Keras 1 the "
                "order is (x, y, class_weight, sample_weight)."
            )
        return super().train_on_batch(x, y, sample_weight, class_weight)

    def test_on_batch(self, x, y, sample_weight=None, **kwargs):
        """Return the loss without penalties and the metrics of one batch."""
        _drop("test_on_batch", kwargs, "accuracy")
        return super().test_on_batch(x, y, sample_weight)

    def _test_values(self):
        """Return the loss and the metrics: penalties are for training only."""
        return self._objective.values()


def _drop(call: str, kwargs: dict[str, Any], *ignored: str) -> None:
    """Warn of keywords that Keras 1 ignored, and refuse all others."""
    for word in kwargs:
        if word not in ignored:
            kinds = vars(Sequential)[call].__code__
            known = kinds.co_varnames[1 : kinds.co_argcount]
            try:
                lookup(word, dict.fromkeys(known), f"argument of {call}:")
            except ValueError as error:
                raise TypeError(str(error)) from None
    if kwargs:
        words = ", ".join(kwargs)
        hint = "Pass metrics=['accuracy'] to compile for accuracies." * (
            "accuracy" in words
        )
        warnings.warn(f"{call}: {words} has no effect. {hint}".strip(), stacklevel=3)


def _one_worker(call: str, nb_worker: int, pickle_safe: bool) -> None:
    if nb_worker > 1 or pickle_safe:
        warnings.warn(
            f"{call}: a generator is read by one thread; nb_worker={nb_worker} and "
            f"pickle_safe={pickle_safe} have no effect.",
            stacklevel=3,
        )


def _old_metrics(given: Any) -> Any:
    """Return metrics with the functions of Keras 1 in the place of their names."""
    if isinstance(given, dict):
        return {name: _old_metrics(one) for name, one in given.items()}
    if isinstance(given, (list, tuple)):
        return [_old_metrics(one) for one in given]
    return old.METRICS.get(given, given) if isinstance(given, str) else given
