"""
What the outputs of a model are asked to do: losses, metrics, and how samples count.

The loss of a batch is sum_r c[r] s[r]: s is the loss of each row, and the coefficients
c hold the whole formula of masks and sample weights,

    c = loss_weight / R  mask / mean(mask)  w / mean(w != 0).

Metrics use the same formula, with the mask but without the weights. `Objective` is for
one output; `Objectives` adds up several. Read next: `losses.py` for the rows,
`training.py` for the loop that calls this.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from . import device, metrics
from .advice import advise_on_targets
from .device import ops
from .losses import as_rows
from .notes import Notes, scaled, weighted_total

ONE_HOT_LOSS = "categorical_crossentropy"


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
        self.advised = False  # True: the first targets were looked at
        self.sparse = loss is not None and loss.sparse
        self.whole = loss is not None and loss.whole
        self.names = ["loss"] + [name for name, _, _ in named_metrics]
        self.stateful = [False] + [metric.stateful for _, metric, _ in named_metrics]
        row = device.zeros(len(self.names) + 1, np.float64)
        self._values, self._count = row[:-1], row[-1:]  # and how many rows counted
        on_host = device.place() == "host"
        self._notes = Notes(self._values) if on_host else Notes(row, _warn_of_idle)
        self._spare = device.zeros(1, np.float64)
        self._one = device.here(np.ones(1, np.float32))  # the weight of everybody
        self._places = [self._values[k : k + 1] for k in range(len(self._values))]
        self._buffers: dict[tuple, np.ndarray] = {}
        self._uniform: dict[tuple, np.ndarray] = {}
        self.update: Any = True  # whether a row of the latest batch counts

    def reset_states(self):
        """Let the metrics that keep a state over batches forget it."""
        for _, metric, _ in self.named_metrics:
            if metric.stateful:
                metric.reset_states()

    def measure(self, t, p, mask=None, w=None):
        """
        Compute the loss of a batch and its metrics; `values` returns them.

        Keeps the coefficients of the rows for `gradient`; `update` is False afterwards
        if no row counts at all. Where only a GPU knows, it is an array of one number
        there: how many rows count.
        """
        classes = p.shape[-1]
        rows = p.size // classes
        p2 = p if p.ndim == 2 else p.reshape(rows, classes)
        t2 = t
        if self.whole:
            p2 = p
        elif t is not None and t.ndim != (1 if self.sparse else 2):
            t2 = t.reshape(-1) if self.sparse else t.reshape(rows, classes)
        self.t, self.p, self.update = t2, p2, True
        self.counted = rows, mask, w
        s = self._buffer("s", rows)
        if self.loss is not None:
            self.c = c = self._coefficients(rows, mask, w, self.loss_weight)
            if self.loss_weight != 1:
                c = self._coefficients(rows, mask, w, 1.0, "unscaled")
            self.loss.forward(s, t2, p2)
            ops.weighted_sum(self._places[0], c, s)
        for place, (_, metric, weighted) in zip(self._places[1:], self.named_metrics):
            if metric.stateful:
                metric.update_into(place, t, p)
            else:
                if metric.whole:
                    metric.forward(s, t, p)
                elif self.whole:
                    who = f"metric {metric.name}"
                    metric.forward(s, *as_rows(t, p, bool(metric.sparse), who)[:2])
                else:
                    metric.forward(s, t2, p2)
                w_or_none = w if weighted else None
                c = self._coefficients(rows, mask, w_or_none, 1.0, "metric")
                ops.weighted_sum(place, c, s)

    def values(self):
        """Return the loss and the metrics that were computed last."""
        values = self._notes.take(self.update is not True)
        values[0] = scaled(values[0], self.loss_weight)
        return values

    def put(self, k, value):
        """Replace value k of `values`."""
        self._values[k] = value

    @property
    def parts(self):
        """Return the objectives of all outputs: this one."""
        return [self]

    def unscaled(self):
        """Return the same with the loss as it is without `loss_weight`."""
        return self._notes.take(self.update is not True)

    def gradient(self, p):
        """Return the gradient of the loss with respect to the output p."""
        if self.loss is None:
            dp = self._buffer("dp", p.shape)
            dp[...] = 0
            return dp
        dp = self._buffer("dp", self.p.shape)
        self.loss.backward(dp, self.t, self.p, self.c)
        return dp if dp.shape == p.shape else dp.reshape(p.shape)

    def _coefficients(self, rows, mask, w, scale, name="loss"):
        if mask is None and w is None:
            c = self._uniform.get((rows, scale))
            if c is None:
                c = self._uniform[rows, scale] = device.here(
                    np.full(rows, scale / rows, self.dtype)
                )
            return c
        c = self._buffer(name, rows)
        w = self._one if w is None else w.reshape(-1)
        mask = self._one if mask is None else mask.reshape(-1)
        count = self._count if name == "loss" else self._spare
        ops.sample_coefficients(c, count, w, mask, scale)
        if name == "loss" and device.is_there(count):
            self.update = count
        elif name == "loss" and count[0] == 0:
            self.update = False
            _warn_of_idle(count[None])
        return c

    def _buffer(self, name, shape):
        buffer = self._buffers.get((name, shape))
        if buffer is None:
            if len(self._buffers) > 64:
                self._buffers.clear()
            buffer = self._buffers[name, shape] = device.zeros(shape, self.dtype)
        return buffer


def _warn_of_idle(rows):
    """Warn if the last number of a row, how many samples counted, is zero."""
    if (rows[:, -1] == 0).any():
        warnings.warn(
            "A batch whose sample weights or mask are all zero was skipped: it "
            "counts nothing and changes no weight.",
            stacklevel=3,
        )


class Objectives:
    """
    The objectives of several outputs: the losses are added, the metrics listed.

    Parameters
    ----------
    parts : list of Objective
        One per output; an output without a loss takes no part.
    output_names : list of str
    """

    def __init__(self, parts, output_names):
        self.parts = parts
        trained = [pair for pair in zip(output_names, parts) if pair[1].loss]
        self._trained = [part for _, part in trained]
        self.names = ["loss"] + [f"{name}_loss" for name, _ in trained]
        self._total = device.zeros(1, np.float64)  # of the rows that count
        self.update: Any = True
        self.stateful = [False] * len(self.names)
        for name, part in trained:
            self.names += [f"{name}_{metric}" for metric in part.names[1:]]
            self.stateful += part.stateful[1:]

    @property
    def named_metrics(self):
        """Return the metrics of all outputs."""
        return [entry for part in self._trained for entry in part.named_metrics]

    def reset_states(self):
        """Let the metrics that keep a state over batches forget it."""
        for part in self._trained:
            part.reset_states()

    def measure(self, t, p, mask=None, w=None):
        """Do for every output what `Objective.measure` does for one."""
        nothing = [None] * len(self.parts)
        for part, *data in zip(self.parts, t, p, mask or nothing, w or nothing):
            if part.loss is not None:
                part.measure(*data)
        counts = [part.update for part in self._trained]
        self.update = any(count is True for count in counts)
        on_gpu = [count for count in counts if device.is_there(count)]
        if on_gpu and not self.update:
            self.update = self._sum(on_gpu)

    def _sum(self, counts):
        """Return an array of a GPU with the sum of others."""
        self._total[...] = 0
        for count in counts:
            ops.add_scaled(self._total, self._total, count, 1.0)
        return self._total

    def values(self):
        """Return the total loss, the loss of each output, then all metrics."""
        losses, metrics = [], []
        for part in self._trained:
            loss, *others = part.unscaled()
            losses.append(loss)
            metrics += others
        weights = [part.loss_weight for part in self._trained]
        return [weighted_total(weights, losses), *losses, *metrics]

    def gradient(self, p):
        """Return the gradient of the total loss with respect to every output."""
        return [part.gradient(one) for part, one in zip(self.parts, p)]


class ExactMeans:
    """
    Losses and metrics of many batches as if they had been one.

    The value of a batch is A / (m q): A sums s M w over its R rows, m is the sum of the
    mask M, q the fraction of weights that are not zero. So A, m and q R are added up.

    Parameters
    ----------
    objective : Objective or Objectives
        Has just evaluated a batch whenever `add` is called.
    """

    def __init__(self, objective):
        self._objective = objective
        self._sums = [np.zeros((len(p.names), 4)) for p in objective.parts]
        self._penalty = self._samples = 0.0

    def add(self, values, size):
        """Count a batch; its penalties are what is in its loss beside the data."""
        data_loss = float(self._objective.values()[0])
        self._penalty += (float(values[0]) - data_loss) * size
        self._samples += size
        for part, sums in zip(self._objective.parts, self._sums):
            if part.loss is None:
                continue
            rows, mask, w = part.counted
            m = rows if mask is None else float(mask.sum())
            weighted = [True, *(flag for _, _, flag in part.named_metrics)]
            for k, value in enumerate(part.unscaled()):
                q = 1.0 if w is None or not weighted[k] else float((w != 0).mean())
                sums[k] += float(value) * m * q if m * q else 0, m, q * rows, rows

    def values(self):
        """Return the values of all batches together."""
        for part, sums in zip(self._objective.parts, self._sums):
            for k, (total, m, counted, rows) in enumerate(sums):
                if not part.stateful[k]:
                    part.put(k, total * rows / (m * counted) if m * counted else 0.0)
        values = list(map(float, self._objective.values()))
        values[0] += self._penalty / self._samples
        return values


def make_objective(output_shape, dtype, loss, plain, weighted, weight):
    """Resolve names into the Objective of one output; see `compile`."""
    named = [
        (name, metric, is_weighted)
        for identifiers, is_weighted in ((plain, False), (weighted, True))
        for name, metric in (
            entry
            for identifier in identifiers
            for entry in metrics.resolve_all(identifier, output_shape, loss, dtype)
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
    output's shape; a function of the user's own may want any other shape.
    """
    expected = objective.output_shape
    loss = objective.loss
    if objective.sparse:
        return _check_labels(y, expected, name)
    if y.ndim == 1:
        y = y.reshape(-1, 1)
    if loss is not None and loss.whole:  # it looks at the shapes by itself
        return np.require(y, objective.dtype, ["C", "W"])
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
    if loss is not None and not objective.advised:
        objective.advised = True
        advise_on_targets(objective, y, name)
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
        units = f"{y.shape[-1]} unit{'s' * (y.shape[-1] != 1)}"
        return f"Should the last layer have {units}?"
    return _axes_hint(expected, y) or "Reshape the targets, or change the last layer."


def _axes_hint(expected, y):
    """Return why an output has more axes than its targets, if it has."""
    if len(expected) <= max(y.ndim, 2):
        return ""
    return (
        f"The output of a sample has the shape {show(expected[1:])}: is a Flatten() "
        "missing below, or return_sequences=True too much?"
    )


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
            + f" {hint if one_hot else _axes_hint(expected, y)}".rstrip()
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
