"""
One step: what happens to one batch in training, in evaluation, in prediction.

A training step is forward, loss and metrics, backward, penalties, optimizer,
constraints. The calls on one batch are here; `training.py` repeats the same steps over
the batches of an epoch. Read next: `objective.py` for the loss of a batch.
"""

from __future__ import annotations

import math

from . import device
from .compilation import Compiled
from .data import as_array, check_inputs, on_device, one_each, standardize
from .device import ops
from .layer import each
from .notes import weighted_total
from .replay import recording


class Steps(Compiled):
    """What a compiled model can do with one batch."""

    skip_bad_updates = False  # leave out the update of a loss that is not finite
    _batch: tuple | None = None  # x, t, w of the latest training step

    # ---- one step -----------------------------------------------------------------

    def _train_step(self, x, t, w):
        """Update the weights on one batch; return the loss and metrics before it."""
        self._batch = x, t, w = on_device(x, t, w)
        self._learn(x, t, w)
        values = self._values()
        self._update(values)
        return values

    def _replay_step(self, feed):
        """Do the same for a feed whose batches always arrive in the same arrays."""
        self._batch = self._replayed(feed, self._learn)
        values = self._values() if self._penalties else self._objective.values()
        self._update(values)
        return values

    def _replayed(self, feed, work):
        """Do what is to be done with the next batch: recorded once, then replayed."""
        size = feed.choose()
        key = feed, size, work.__name__
        known = self._recordings.get(key)
        if known is None:
            return self._recorded(feed, size, work, key)
        batch, launches, self._objective.update = known
        for kernel, arguments in launches:
            kernel(*arguments)
        return batch

    def _recorded(self, feed, size, work, key):
        def whole():
            batch = feed.gather(size)
            work(*batch)
            return batch

        with recording(whole) as launches:
            batch = whole()
        if launches:
            self._recordings[key] = batch, launches, self._objective.update
        return batch

    def _learn(self, x, t, w):
        """Measure the loss and the metrics, and fill the gradients of all weights."""
        objective = self._objective
        p = self.forward(x, True)
        objective.measure(t, p, self.output_mask, w)
        if objective.update:
            self.backward(objective.gradient(p))
            if self._penalties:
                self._add_penalty_gradients()

    def _values(self):
        """Return the loss, penalties included, and the metrics."""
        values = self._objective.values()
        if self._penalties:
            values[0] = weighted_total([1, 1], [values[0], self._penalty()])
        return values

    def _update(self, values):
        """Change the weights, if the batch counts for anything."""
        count = self._objective.update
        if count is False:
            self.optimizer.skip()
            return
        if self.skip_bad_updates and not math.isfinite(values[0]):
            return
        kept = () if count is True else self.optimizer.keep(self._parameters.value)
        self.optimizer.update(self._parameters.value, self._parameters.grad)
        for weight in self._constrained:
            weight.constraint.project(weight.value)
        for former, array in kept:  # only the GPU knows whether a row counts
            ops.keep_unless(array, former, count)

    def _test_step(self, x, t, w):
        """Return the loss and metrics of one batch."""
        self._measure(*on_device(x, t, w))
        return self._test_values()

    def _test_values(self):
        return self._values()

    def _measure(self, x, t, w):
        """Measure the loss and the metrics in test mode."""
        self._objective.measure(t, self.forward(x, False), self.output_mask, w)

    def penalty(self):
        """
        Return the sum of the penalties on weights and on the latest activities.

        The loss contains it; the loss of the data alone is what is left without it.
        """
        return float(self._penalty())

    def _penalty(self):
        terms = [w.regularizer(w.value) for w in self._penalized_weights]
        for layer in self._penalized_layers:
            terms.append(layer.activity_regularizer(layer.activity))
        return weighted_total([1] * len(terms), terms)

    def _add_penalty_gradients(self):
        for weight in self._penalized_weights:
            if weight.grad is not None:
                weight.regularizer.add_gradient(weight.grad, weight.value)

    # ---- data ---------------------------------------------------------------------

    def _build_for(self, x, supply=None):
        """Build a model without input shape for the data, or for the first batch."""
        self.mask = None  # a model around this one may have left its own
        self.settle()
        if self.built:
            return
        if supply is not None:
            x = supply.first_input()
        if x is None:
            raise ValueError(
                f"{self.name}: the model has no input shape yet, and no data to take "
                "it from. Give the first layer input_shape=(...)."
            )
        names = self.input_names
        arrays = [
            array if hasattr(array, "shape") else as_array(array, "x")
            for array in one_each(x, names, "x")
        ]
        shapes = [(None, *(a.shape[1:] if len(a.shape) > 1 else (1,))) for a in arrays]
        self.build(shapes if len(names) > 1 else shapes[0])

    def _targets_or(self, y):
        """Return y, or what `compile` was given in its place."""
        if self.target_tensors is None:
            return y
        if y is not None:
            raise ValueError(
                "y: the model was compiled with target_tensors, which supply the "
                "targets. Pass y=None, or compile without them."
            )
        return self.target_tensors

    def _targets_for(self, y, x):
        """Return y, or the targets of the batch x that stand for it."""
        y = self._targets_or(y)
        return y(x) if callable(y) else y

    # ---- the calls on one batch ---------------------------------------------------

    def train_on_batch(
        self, x, y=None, sample_weight=None, class_weight=None, return_dict=False
    ):
        """Make one update on a batch; return its loss and metrics before the update."""
        self._ready("train_on_batch", x)
        y = self._targets_for(y, x)
        data = standardize(self, x, y, sample_weight, class_weight)
        return self._result(self._train_step(*data.arguments()), return_dict)

    def test_on_batch(self, x, y=None, sample_weight=None, return_dict=False):
        """Return the loss and the metrics of one batch, in test mode."""
        self._ready("test_on_batch", x)
        data = standardize(self, x, self._targets_for(y, x), sample_weight)
        return self._result(self._test_step(*data.arguments()), return_dict)

    def predict_on_batch(self, x):
        """Return the output of one batch: an array, or a list of several."""
        self._build_for(x)
        return self._outputs(check_inputs(x, self))

    def _outputs(self, inputs):
        x = each(device.here, inputs if len(inputs) > 1 else inputs[0])
        p = self.forward(x, False)
        return [one.copy() for one in p] if isinstance(p, list) else p.copy()

    def _result(self, values, return_dict):
        values = list(map(float, values))
        if return_dict:
            return dict(zip(self.metrics_names, values))
        return values[0] if len(values) == 1 else values
