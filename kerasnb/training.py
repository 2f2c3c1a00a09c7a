"""
The training loop: compile, fit, evaluate, predict and the calls on one batch.

One step is: gather the batch, forward, loss and metrics, backward, penalties,
optimizer, constraints. `fit` repeats it over shuffled batches and epochs and tells the
callbacks. Read in this order: `compile`, `_train_step`, `fit`, `_run_epoch`.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import warnings

import numpy as np

from . import callbacks as callbacks_module
from . import losses, optimizers, random
from .data import (
    Batches,
    as_array,
    check_inputs,
    check_sample_weight,
    class_weights_to_samples,
    epoch_order,
    same_length,
    split_validation,
    unwrap,
)
from .objective import (
    Objective,
    check_targets,
    make_objective,
    metric_list,
    one_loss_weight,
)
from .parameters import Parameters
from .progress import Progbar
from .replay import can_replay, recording
from .utils import positive_integer


class Training:
    """What `Sequential` can do with data; `Sequential` supplies the layers."""

    optimizer = loss = history = None
    stop_training = False
    _objective: Objective | None = None
    _parameters: Parameters | None = None

    # ---- compile ------------------------------------------------------------------

    def compile(
        self,
        optimizer,
        loss=None,
        metrics=None,
        loss_weights=None,
        sample_weight_mode=None,
        weighted_metrics=None,
    ):
        """
        Choose how the model is trained.

        Parameters
        ----------
        optimizer : str or Optimizer
            'sgd', 'rmsprop', 'adam', ... or an instance.
        loss : str or Loss, optional
            'mse', 'categorical_crossentropy', ... None: only the penalties of layers.
        metrics : list, optional
            Names, Metric objects or functions (y_true, y_pred) -> one value per sample.
        loss_weights : list or dict with one number, optional
            Scale of the loss.
        sample_weight_mode : str, optional
            'temporal' for one weight per time step.
        weighted_metrics : list, optional
            As `metrics`, but weighted with the sample weights.

        Raises
        ------
        ValueError
            If a name is unknown, or there is nothing to minimise.
        TypeError
            If an argument has the wrong type.
        """
        settings = {
            "loss": None if loss is None else losses.get(loss),
            "metrics": metric_list(metrics, "metrics"),
            "weighted_metrics": metric_list(weighted_metrics, "weighted_metrics"),
            "loss_weight": one_loss_weight(loss_weights),
            "temporal": sample_weight_mode == "temporal",
        }
        optimizer = optimizers.get(optimizer)
        if loss is None and self.built and not self._has_penalties():
            raise ValueError(
                "compile: there is nothing to minimise. Pass a loss, for example "
                "loss='mse', or give a layer a regularizer."
            )
        self.optimizer, self._settings = optimizer, settings
        self.loss, self.metrics = loss, list(metrics or [])
        self.loss_weights, self.sample_weight_mode = loss_weights, sample_weight_mode
        self.weighted_metrics = list(weighted_metrics or [])
        self._objective = self._parameters = None
        if self.built:
            self._bind()

    def _bind(self):
        """Connect the compiled settings with the weights and the output as they are."""
        settings = self._settings
        objective = make_objective(
            self.output_shape,
            self.dtype,
            settings["loss"],
            settings["metrics"],
            settings["weighted_metrics"],
            settings["loss_weight"],
        )
        trainable = self.trainable_weights
        for weight in self.weights:
            weight.grad = None
        self._parameters = Parameters(trainable)
        self.optimizer.build(
            self._parameters.value.size,
            self._parameters.value.dtype,
            self._parameters.layout,
        )
        self._objective = objective
        self._penalized_layers = [
            layer for layer in self.walk() if layer.activity_regularizer is not None
        ]
        self._penalized_weights = [w for w in self.weights if w.regularizer is not None]
        self._penalties = bool(self._penalized_layers or self._penalized_weights)
        self._recordings = {}
        self._replays = not self._penalties and can_replay(self, objective)
        self._constrained = [w for w in trainable if w.constraint is not None]

    def _ready(self, call, x=None):
        """Make sure that the model is compiled, built and bound."""
        if self.optimizer is None:
            raise RuntimeError(
                f"{call}: the model must be compiled first. Call for example "
                "model.compile(optimizer='sgd', loss='mse')."
            )
        self._build_for(x)
        if self._objective is None:
            self._bind()
        trainable = self.trainable_weights
        if not self._parameters.hold(trainable):
            if len(trainable) != len(self._parameters.weights):
                warnings.warn(
                    "The set of trainable weights has changed since compile; it takes "
                    "effect now, and the optimizer starts with fresh slots.",
                    stacklevel=3,
                )
            self._bind()
        self.needs_dx = False

    def _has_penalties(self):
        return any(
            layer.activity_regularizer is not None
            or any(weight.regularizer is not None for weight in layer.weights)
            for layer in self.walk()
        )

    def _build_for(self, x):
        """Build a model without input shape for the data that arrived."""
        if not self.built and x is not None:
            array = as_array(unwrap(x, "", "x") if isinstance(x, list) else x, "x")
            shape = array.shape if array.ndim > 1 else (len(array), 1)
            self.build((None, *shape[1:]))
        elif not self.built:
            raise ValueError(f"{self.name}: the model has no input shape yet.")

    @property
    def metrics_names(self):
        """Return the names of the values that training and evaluation return."""
        if self.optimizer is None:
            raise RuntimeError("metrics_names: the model must be compiled first.")
        self._ready("metrics_names")
        return ["loss"] + [name for name, _, _ in self._objective.named_metrics]

    # ---- one step -----------------------------------------------------------------

    def _train_step(self, x, t, w):
        """Update the weights on one batch; return the loss and metrics before it."""
        values = self._learn(x, t, w)
        if self._objective.update:
            self._update()
        return values

    def _replay_step(self, batches, start, stop, order):
        """Do the same for unweighted batches that always arrive in the same arrays."""
        batches.choose(start, stop, order)
        launches = self._recordings.get(stop - start)
        if launches is None:
            with recording() as launches:
                self._learn(*batches.gather(stop - start))
            self._recordings[stop - start] = launches
        else:
            for kernel, arguments in launches:
                kernel(*arguments)
        self._update()
        return self._objective.values()

    def _learn(self, x, t, w):
        """Fill the gradients of all weights; return the loss and the metrics."""
        objective = self._objective
        p = self.forward(x, True)
        values = objective.evaluate(t, p, self.output_mask, w)
        if self._penalties:
            values[0] += self._penalty()
        if objective.update:
            self.backward(objective.gradient(p.shape))
            if self._penalties:
                self._add_penalty_gradients()
        return values

    def _update(self):
        """Let the optimizer and the constraints change the weights."""
        self.optimizer.update(self._parameters.value, self._parameters.grad)
        for weight in self._constrained:
            weight.constraint.project(weight.value)

    def _test_step(self, x, t, w):
        """Return the loss and metrics of one batch."""
        p = self.forward(x, False)
        values = self._objective.evaluate(t, p, self.output_mask, w)
        if self._penalties:
            values[0] += self._penalty()
        return values

    def _penalty(self):
        """Return the sum of all penalties on weights and activities."""
        total = sum(w.regularizer(w.value) for w in self._penalized_weights)
        for layer in self._penalized_layers:
            total += layer.activity_regularizer(layer.activity)
        return total

    def _add_penalty_gradients(self):
        for weight in self._penalized_weights:
            if weight.grad is not None:
                weight.regularizer.add_gradient(weight.grad, weight.value)

    def _standardize(self, x, y, sample_weight, what_x="x", what_y="y"):
        """Return standard arrays of one data set: x, targets, sample weights."""
        if y is None:
            raise ValueError(f"{what_y}: the targets are missing.")
        x = check_inputs(x, self, what_x)
        name = self.output_names[0]
        y = as_array(unwrap(y, name, what_y), what_y)
        same_length(what_x, x, what_y, y)
        t = check_targets(self._objective, y, name)
        w = check_sample_weight(
            sample_weight, t, self._settings["temporal"], self.output_names[0]
        )
        return x, t, w

    # ---- fit ----------------------------------------------------------------------

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
        seed=None,
    ):
        """
        Train the model on arrays.

        Parameters
        ----------
        x, y : array-like
            Samples and targets, the same number of each.
        batch_size : int
            Samples per update; default 32.
        epochs : int
            Index of the final epoch: epochs `initial_epoch` to `epochs - 1` run.
        verbose : 0, 1 or 2
            Silent, progress bar, one line per epoch.
        callbacks : list of Callback, optional
        validation_split : float
            Fraction to hold out: the last rows, cut off before shuffling.
        validation_data : (x, y) or (x, y, sample_weight), optional
            Overrides `validation_split`.
        shuffle : bool or 'batch'
            New order of the samples each epoch; 'batch' shuffles whole batches.
        class_weight : dict, optional
            Class number -> weight of its samples, in training only.
        sample_weight : array-like, optional
            One weight per sample, or per time step in temporal mode.
        initial_epoch : int
            Epoch to start with.
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
        batch_size = _batch_size(batch_size)
        if verbose not in (0, 1, 2):
            raise ValueError(f"verbose: expected 0, 1 or 2, got {verbose!r}.")
        with random.seeded(seed):
            self._ready("fit", x)
            train = self._standardize(x, y, sample_weight)
            train = self._weigh_classes(train, class_weight)
            held_out = None
            if validation_data is not None:
                held_out = self._validation_arrays(validation_data)
            elif validation_split and 0 < validation_split < 1:
                train, held_out = split_validation(train, validation_split)
            self.history = callbacks_module.History()
            told = self._callback_list(
                callbacks, train, held_out, batch_size, epochs, verbose
            )
            if held_out is not None and verbose:
                print(
                    f"Train on {len(train[0])} samples, "
                    f"validate on {len(held_out[0])} samples"
                )
            self._run(
                told, train, held_out, batch_size, range(initial_epoch, epochs), shuffle
            )
        return self.history

    def _weigh_classes(self, train, class_weight):
        x, t, w = train
        if class_weight is None:
            return train
        from_classes = class_weights_to_samples(class_weight, t, self._objective.sparse)
        if w is not None:
            warnings.warn(
                "fit: class_weight is ignored because sample_weight is given.",
                stacklevel=3,
            )
            return train
        return x, t, from_classes

    def _validation_arrays(self, validation_data):
        if len(validation_data) not in (2, 3):
            raise ValueError(
                "validation_data: expected (x, y) or (x, y, sample_weight), got "
                f"{len(validation_data)} items."
            )
        x, y, w = (*validation_data, None)[:3]
        return self._standardize(
            x, y, w, "x of validation_data", "y of validation_data"
        )

    def _callback_list(self, callbacks, train, held_out, batch_size, epochs, verbose):
        names = self.metrics_names
        stateful = [
            name for name, metric, _ in self._objective.named_metrics if metric.stateful
        ]
        listed = [callbacks_module.BaseLogger(stateful)]
        if verbose:
            listed.append(callbacks_module.ProgbarLogger("samples", stateful))
        listed += [*(callbacks or []), self.history]
        validating = held_out is not None
        params = {
            "batch_size": batch_size,
            "epochs": epochs,
            "steps": None,
            "samples": len(train[0]),
            "verbose": verbose,
            "do_validation": validating,
            "metrics": names + ["val_" + name for name in names if validating],
        }
        told = callbacks_module.CallbackList(listed, self, params)
        for callback in listed:
            callback.validation_data = list(held_out) if validating else []
        return told

    def _run(self, told, train, held_out, batch_size, epochs, shuffle):
        """Run all epochs; whatever ends them, the callbacks hear of the end."""
        told.on_train_begin()
        self.stop_training = False
        batches = Batches(train, batch_size)
        self._recordings = {}
        try:
            with _InterruptFlag() as interrupt:
                for epoch in epochs:
                    for metric in self._objective.stateful_metrics:
                        metric.reset_states()
                    told.on_epoch_begin(epoch)
                    finished = self._run_epoch(told, batches, shuffle, interrupt)
                    logs = {}
                    if held_out is not None and finished:
                        values = self._test_loop(held_out, batch_size)
                        names = ("val_" + name for name in self.metrics_names)
                        logs.update(zip(names, values))
                    told.on_epoch_end(epoch, logs)
                    self.history.interrupted = interrupt.seen
                    if self.stop_training or interrupt.seen:
                        break
        finally:
            self._recordings = {}
            told.on_train_end()

    def _run_epoch(self, told, batches, shuffle, interrupt):
        """Train on every batch once; return False if something stopped it midway."""
        names = self.metrics_names
        order = epoch_order(batches.samples, batches.batch_size, shuffle)
        gathered = order is not None and not batches.weighted
        replays = gathered and self._replays
        for batch, (start, stop) in enumerate(batches.bounds):
            logs = {"batch": batch, "size": stop - start}
            told.on_batch_begin(batch, logs)
            if replays:
                values = self._replay_step(batches, start, stop, order)
            else:
                values = self._train_step(*batches.take(start, stop, order))
            logs.update(zip(names, values))
            told.on_batch_end(batch, logs)
            if self.stop_training or interrupt.seen:
                return False
        return True

    # ---- evaluate and predict -----------------------------------------------------

    def evaluate(
        self,
        x=None,
        y=None,
        batch_size=None,
        verbose=1,
        sample_weight=None,
        return_dict=False,
    ):
        """
        Return the loss and the metrics on a data set, in test mode.

        Parameters
        ----------
        x, y, sample_weight : array-like
            As for `fit`.
        batch_size : int
            Default 32.
        verbose : 0 or 1
            Whether to draw a progress bar.
        return_dict : bool
            Return {name: value} (an extension).

        Returns
        -------
        float, or list of floats in the order of `metrics_names`
        """
        batch_size = _batch_size(batch_size)
        self._ready("evaluate", x)
        arrays = self._standardize(x, y, sample_weight)
        values = self._test_loop(arrays, batch_size, verbose)
        return self._result(values, return_dict)

    def _test_loop(self, arrays, batch_size, verbose=0):
        """Return averages over all samples; stateful metrics give their last value."""
        objective = self._objective
        for metric in objective.stateful_metrics:
            metric.reset_states()
        stateful = [False] + [m.stateful for _, m, _ in objective.named_metrics]
        totals = [0.0] * len(stateful)
        batches = Batches(arrays, batch_size)
        bar = Progbar(batches.samples) if verbose == 1 else None
        for start, stop in batches.bounds:
            values = self._test_step(*batches.take(start, stop, None))
            share = (stop - start) / batches.samples
            totals = [
                value if last else total + value * share
                for total, value, last in zip(totals, values, stateful)
            ]
            if bar:
                bar.update(stop)
        return totals

    def predict(self, x, batch_size=None, verbose=0):
        """
        Return the output for every sample.

        Parameters
        ----------
        x : array-like
        batch_size : int
            Default 32.
        verbose : 0 or 1
            Whether to draw a progress bar.

        Returns
        -------
        array of shape (samples, *output_shape[1:])
        """
        batch_size = _batch_size(batch_size)
        self._build_for(x)
        x = check_inputs(x, self)
        samples = len(x)
        bar = Progbar(samples) if verbose == 1 else None
        y = None
        for start in range(0, samples, batch_size):
            stop = min(start + batch_size, samples)
            p = self.forward(x[start:stop], False)
            if y is None:
                y = np.empty((samples, *p.shape[1:]), p.dtype)
            y[start:stop] = p
            if bar:
                bar.update(stop)
        return y

    def predict_proba(self, x, batch_size=32, verbose=0):
        """Return `predict`, and warn if a value lies outside [0, 1]."""
        p = self.predict(x, batch_size, verbose)
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
        p = self.predict(x, batch_size, verbose)
        if p.shape[-1] > 1:
            return p.argmax(axis=-1)
        return (p > 0.5).astype(np.int32)

    # ---- one batch ----------------------------------------------------------------

    def train_on_batch(
        self, x, y, sample_weight=None, class_weight=None, return_dict=False
    ):
        """Make one update on a batch; return its loss and metrics before the update."""
        self._ready("train_on_batch", x)
        arrays = self._standardize(x, y, sample_weight)
        arrays = self._weigh_classes(arrays, class_weight)
        return self._result(self._train_step(*arrays), return_dict)

    def test_on_batch(self, x, y, sample_weight=None, return_dict=False):
        """Return the loss and the metrics of one batch, in test mode."""
        self._ready("test_on_batch", x)
        arrays = self._standardize(x, y, sample_weight)
        return self._result(self._test_step(*arrays), return_dict)

    def predict_on_batch(self, x):
        """Return the output of one batch."""
        self._build_for(x)
        return self.forward(check_inputs(x, self), False).copy()

    def _result(self, values, return_dict):
        if return_dict:
            return dict(zip(self.metrics_names, values))
        return values[0] if len(values) == 1 else values


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


def _batch_size(given):
    return 32 if given is None else positive_integer(given, "batch_size")
