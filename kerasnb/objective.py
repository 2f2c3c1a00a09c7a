"""
What one output of a model is asked to do: its loss, its metrics, and how samples count.

The loss of a batch is sum_r c[r] s[r]: s is the loss of each row, and the coefficients
c hold the whole formula of masks and sample weights,

    c = loss_weight / R  mask / mean(mask)  w / mean(w != 0).

Metrics use the same formula, with the mask but without the weights. Read next:
`losses.py` for the rows, `training.py` for the loop that calls this.
"""

from __future__ import annotations

import warnings

import numpy as np

from . import metrics
from .device import ops

ONE_HOT_LOSS = "categorical_crossentropy"
ONE = np.ones(1, np.float32)  # the weight and the mask of everybody


class Objective:
    """
    The loss and the metrics of one output.

    Parameters
    ----------
    loss : Loss or None
        None: the output is not trained.
    named_metrics : list of (name, Metric, weighted)
    output_shape : tuple
        Shape of the output, batch axis first.
    dtype : str
    loss_weight : float
    """

    def __init__(self, loss, named_metrics, output_shape, dtype, loss_weight=1.0):
        self.loss = loss
        self.named_metrics = named_metrics
        self.output_shape = output_shape
        self.dtype = np.dtype(dtype)
        self.loss_weight = float(loss_weight)
        self.sparse = loss is not None and loss.sparse
        self._values = np.zeros(1 + len(named_metrics))
        self._places = [self._values[k : k + 1] for k in range(len(self._values))]
        self._buffers: dict[tuple, np.ndarray] = {}
        self._uniform: dict[tuple, np.ndarray] = {}

    @property
    def stateful_metrics(self):
        """Return the metrics that keep a state over batches."""
        return [metric for _, metric, _ in self.named_metrics if metric.stateful]

    def evaluate(self, t, p, mask=None, w=None):
        """
        Return the loss of a batch and its metrics, as a list of floats.

        Keeps the coefficients of the rows for `gradient`; `update` is False afterwards
        if no row counts at all.
        """
        classes = p.shape[-1]
        rows = p.size // classes
        p2 = p if p.ndim == 2 else p.reshape(rows, classes)
        t2 = t
        if t.ndim != (1 if self.sparse else 2):
            t2 = t.reshape(-1) if self.sparse else t.reshape(rows, classes)
        self.t, self.p, self.update = t2, p2, True
        s = self._buffer("s", rows)
        if self.loss is not None:
            self.c = self._coefficients(rows, mask, w, self.loss_weight)
            self.loss.forward(s, t2, p2)
            ops.weighted_sum(self._places[0], self.c, s)
        for place, (_, metric, weighted) in zip(self._places[1:], self.named_metrics):
            if metric.stateful:
                place[0] = metric.update(t, p)
            else:
                metric.forward(s, t2, p2)
                w_or_none = w if weighted else None
                c = self._coefficients(rows, mask, w_or_none, 1.0, "metric")
                ops.weighted_sum(place, c, s)
        return self.values()

    def values(self):
        """Return the loss and the metrics that were computed last."""
        return self._values.tolist()

    def gradient(self, shape):
        """Return the gradient of the loss with respect to the output of `evaluate`."""
        dp = self._buffer("dp", self.p.shape)
        if self.loss is None:
            dp[...] = 0
        else:
            self.loss.backward(dp, self.t, self.p, self.c)
        return dp if dp.shape == shape else dp.reshape(shape)

    def _coefficients(self, rows, mask, w, scale, name="loss"):
        if mask is None and w is None:
            c = self._uniform.get((rows, scale))
            if c is None:
                c = self._uniform[rows, scale] = np.full(rows, scale / rows, self.dtype)
            return c
        c = self._buffer(name, rows)
        w = ONE if w is None else w.reshape(-1)
        mask = ONE if mask is None else mask.reshape(-1)
        ops.sample_coefficients(c, w, mask, scale)
        if name == "loss" and not c.any():
            self.update = False
            warnings.warn(
                "A batch whose sample weights or mask are all zero was skipped: it "
                "counts nothing and changes no weight.",
                stacklevel=2,
            )
        return c

    def _buffer(self, name, shape):
        buffer = self._buffers.get((name, shape))
        if buffer is None:
            if len(self._buffers) > 64:
                self._buffers.clear()
            buffer = self._buffers[name, shape] = np.zeros(shape, self.dtype)
        return buffer


def metric_list(given, argument):
    """Return the metrics as a list whose names are all known."""
    if given is None:
        return []
    if not isinstance(given, (list, tuple)):
        raise TypeError(
            f"compile: {argument} must be a list such as ['accuracy'], got {given!r}."
        )
    for metric in given:
        if metric not in ("accuracy", "acc", "crossentropy", "ce"):
            metrics.get(metric)
    return list(given)


def one_loss_weight(given):
    """Return the number in the loss weights of a model with one output."""
    if given is None:
        return 1.0
    values = list(given.values()) if isinstance(given, dict) else given
    if not isinstance(values, (list, tuple)):
        raise TypeError(
            "compile: loss_weights must be a list or a dict with one number per "
            f"output, got {given!r}."
        )
    if len(values) != 1:
        raise ValueError(
            f"compile: the model has one output but loss_weights has {len(values)} "
            "entries."
        )
    return float(values[0])


def make_objective(output_shape, dtype, loss, metric_list, weighted, weight):
    """Resolve names into the Objective of one output; see `compile`."""
    named = [
        (name, metric, is_weighted)
        for identifiers, is_weighted in ((metric_list, False), (weighted, True))
        for name, metric in (
            metrics.resolve(identifier, output_shape, loss)
            for identifier in identifiers
        )
    ]
    names = [("weighted_" if w else "") + name for name, _, w in named]
    named = [
        (name, metric, is_weighted)
        for name, (_, metric, is_weighted) in zip(metrics.unique_names(names), named)
    ]
    return Objective(loss, named, output_shape, dtype, weight)


def check_targets(objective: Objective, y: np.ndarray, name: str) -> np.ndarray:
    """
    Return targets in the shape and type that the loss wants, or raise a ValueError.

    Class numbers become int64 of shape (N,) or (N, T), other targets floats of the
    output's shape.
    """
    expected = objective.output_shape
    loss = objective.loss
    if objective.sparse:
        return _check_labels(y, expected, name)
    if y.ndim == 1:
        y = y.reshape(-1, 1)
    agrees = y.ndim == len(expected) and all(
        size is None or size == found for size, found in zip(expected[1:], y.shape[1:])
    )
    if not agrees:
        raise ValueError(
            f"Error when checking target: {name} expected targets of shape "
            f"{show(expected[1:])}, got {show(y.shape[1:])}. "
            + _target_hint(loss, expected, y)
        )
    if expected[-1] == 1 and loss is not None and loss.name == ONE_HOT_LOSS:
        raise ValueError(
            f"{name}: {ONE_HOT_LOSS} needs one column per class, but output and "
            f"targets have one column in all. {_target_hint(loss, expected, y)}"
        )
    return np.require(y, objective.dtype, ["C", "W"])


def show(shape):
    """Write a sample's shape."""
    return f"({', '.join(str(axis) for axis in shape)}{',' if len(shape) == 1 else ''})"


def _target_hint(loss, expected, y):
    if loss is not None and "crossentropy" in loss.name and y.shape[-1] == 1:
        return (
            "The targets look like class numbers: turn them into one-hot rows with "
            "kerasnb.utils.to_categorical(y), or compile with "
            "loss='sparse_categorical_crossentropy'. Two classes can also share one "
            "sigmoid output with loss='binary_crossentropy'."
        )
    if y.shape[-1] != expected[-1] and y.ndim == len(expected):
        return f"Should the last layer have {y.shape[-1]} units?"
    return "Reshape the targets, or change the last layer."


def _check_labels(y, expected, name):
    classes = expected[-1]
    if y.ndim == len(expected) and y.shape[-1] == 1:
        y = y.reshape(y.shape[:-1])
    if y.ndim != len(expected) - 1 or any(
        size is not None and size != found
        for size, found in zip(expected[1:], y.shape[1:])
    ):
        one_hot = y.ndim == len(expected) and y.shape[-1] == classes
        hint = "The targets look one-hot: compile with loss='categorical_crossentropy'."
        raise ValueError(
            f"Error when checking target: {name} expected class numbers of shape "
            f"{show((*expected[1:-1], 1))}, got {show(y.shape[1:])}."
            + (f" {hint}" if one_hot else "")
        )
    with np.errstate(invalid="ignore"):
        labels = np.require(y, np.int64, ["C", "W"])
    if labels.size and (
        labels.min() < 0 or labels.max() >= classes or (labels != y).any()
    ):
        wrong = (labels < 0) | (labels >= classes) | (labels != y)
        place = np.unravel_index(int(np.argmax(wrong)), y.shape)
        raise ValueError(
            f"{name}: the targets must be whole class numbers from 0 to {classes - 1}, "
            f"got {y[place]} at sample {int(place[0])}. The last layer has "
            f"{classes} units."
        )
    return labels
