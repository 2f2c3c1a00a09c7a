"""
What Keras 1 computed under names that mean something else today.

Plain normal initializers, the cosine as a mean, epsilons of another size, metrics that
are one number a batch: each stands here as a thin layer over today's version. Read
next: `keras1_layers.py` for layers, `keras1.py` for the model that uses all this.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from . import device, initializers, losses, optimizers
from .device import epsilon, ops
from .initializers import Orthogonal, VarianceScaling
from .losses import Loss
from .metrics import Metric

# ---- initializers -----------------------------------------------------------------

INITIALIZERS: dict[str, Callable] = {
    "glorot_normal": lambda: VarianceScaling(1.0, "fan_avg", "untruncated_normal"),
    "he_normal": lambda: VarianceScaling(2.0, "fan_in", "untruncated_normal"),
    "orthogonal": lambda: Orthogonal(gain=1.1),
}
"""Names of initializers with other values in Keras 1."""


def initializer(identifier: Any) -> Callable[..., np.ndarray]:
    """
    Return the initializer that Keras 1 meant.

    Examples
    --------
    >>> initializer("orthogonal").get_config()
    {'gain': 1.1, 'seed': None}
    """
    if isinstance(identifier, str) and identifier in INITIALIZERS:
        return INITIALIZERS[identifier]()
    return initializers.get(identifier)


# ---- losses -----------------------------------------------------------------------


class MeanCosine(Loss):
    """
    The cosine proximity as a mean over the columns, where Keras 2 has the sum.

    Examples
    --------
    >>> MeanCosine()([[3.0, 4.0]], [[3.0, 4.0]])
    array([-0.5])
    """

    name = "cosine_proximity"

    def forward(self, s, t, p):
        """Fill s[r] with the loss of row r."""
        losses.cosine_proximity.forward(s, t, p)
        ops.scale_array(s, s, 1 / p.shape[-1])

    def backward(self, dp, t, p, ds):
        """Fill dp[r, c] with ds[r] times the derivative of s[r] by p[r, c]."""
        losses.cosine_proximity.backward(dp, t, p, ds)
        ops.scale_array(dp.reshape(-1), dp.reshape(-1), 1 / p.shape[-1])


def loss(identifier: Any) -> Loss:
    """Return the loss that Keras 1 meant."""
    found = losses.get(identifier)
    return MeanCosine() if found is losses.cosine_proximity else found


# ---- metrics ----------------------------------------------------------------------


class BatchMetric(Metric):
    """
    A metric as one number of the plain batch: neither mask nor weights change it.

    Parameters
    ----------
    metric : Metric
        Any other metric; its rows are averaged.
    """

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        self.name = metric.name
        self.sparse = metric.sparse
        self.whole = metric.whole
        self._shares: Any = np.zeros(0)  # what each row adds to the mean

    def forward(self, s, t, p):
        """Fill all of s with the mean over the rows."""
        self.metric.forward(s, t, p)
        if self._shares.size != s.size or device.here(self._shares) is not self._shares:
            self._shares = device.here(np.full(s.size, 1 / s.size))
            self._mean = device.zeros(1, np.float64)
        ops.weighted_sum(self._mean, self._shares, s)
        s[...] = self._mean


def _counts(y_true: Any, y_pred: Any) -> tuple[float, float, float, float]:
    """Return true positives, targets and predictions that are positive, and all."""
    t = np.round(np.clip(np.asarray(y_true, np.float64), 0, 1))
    p = np.round(np.clip(np.asarray(y_pred, np.float64), 0, 1))
    return float((t * p).sum()), float(t.sum()), float(p.sum()), float(p.size)


def precision(y_true: Any, y_pred: Any) -> float:
    """
    Return the part of the positive predictions of a batch that is right.

    Examples
    --------
    >>> round(precision([[1, 0, 1]], [[0.9, 0.8, 0.1]]), 6)
    0.5
    """
    right, _, predicted, _ = _counts(y_true, y_pred)
    return right / (predicted + epsilon())


def recall(y_true: Any, y_pred: Any) -> float:
    """Return the part of the positive targets of a batch that is predicted."""
    right, positive, _, _ = _counts(y_true, y_pred)
    return right / (positive + epsilon())


def fbeta_score(y_true: Any, y_pred: Any, beta: float = 1) -> float:
    """
    Return the mean of precision and recall, which counts beta**2 times as much.

    Raises
    ------
    ValueError
        If beta is negative.
    """
    if not beta >= 0:
        raise ValueError(f"fbeta_score: expected beta of 0 or more, got {beta!r}.")
    p, r = precision(y_true, y_pred), recall(y_true, y_pred)
    return (1 + beta**2) * p * r / (beta**2 * p + r + epsilon())


def fmeasure(y_true: Any, y_pred: Any) -> float:
    """Return the harmonic mean of precision and recall of a batch."""
    return fbeta_score(y_true, y_pred)


def matthews_correlation(y_true: Any, y_pred: Any) -> float:
    """
    Return the correlation of positive targets and positive predictions of a batch.

    Examples
    --------
    >>> round(matthews_correlation([[1, 0, 1, 0]], [[1, 0, 0, 0]]), 4)
    0.5774
    """
    tp, positive, predicted, count = _counts(y_true, y_pred)
    fp, fn = predicted - tp, positive - tp
    tn = count - tp - fp - fn
    spread = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)
    return (tp * tn - fp * fn) / (spread**0.5 + epsilon())


METRICS: dict[str, Callable] = {
    "precision": precision,
    "recall": recall,
    "fbeta_score": fbeta_score,
    "fmeasure": fmeasure,
    "fscore": fmeasure,
    "f1score": fmeasure,
    "matthews_correlation": matthews_correlation,
}
"""Metrics that Keras 2 has left out, because a batch is too little for them."""


# ---- optimizers -------------------------------------------------------------------

EPSILON = 1e-8


def optimizer_class(name: str) -> Callable:
    """Return the optimizer of this name, with the epsilon of Keras 1 by default."""
    kind = optimizers.OPTIMIZERS[name.lower()]
    signature = inspect.signature(kind)
    if "epsilon" not in signature.parameters:
        return kind

    @functools.wraps(kind)
    def make(*args, **kwargs):
        bound = signature.bind_partial(*args, **kwargs)
        bound.arguments.setdefault("epsilon", EPSILON)
        return kind(*bound.args, **bound.kwargs)

    return make


def optimizer(identifier: Any) -> Any:
    """Return the optimizer that is meant; a name stands for Keras 1's defaults."""
    if isinstance(identifier, str) and identifier.lower() in optimizers.OPTIMIZERS:
        return optimizer_class(identifier)()
    return optimizers.get(identifier)
