"""
What Keras 1 computed under names that mean something else today.

Plain normal initializers, the cosine as a mean, epsilons of another size, metrics that
are one number a batch: each stands here as a thin layer over today's version. Read
next: `keras1.py`, the model that uses them.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from . import initializers, layers, losses, optimizers
from .device import epsilon
from .gate_order import from_keras1
from .initializers import Orthogonal, VarianceScaling
from .layer import Layer
from .legacy_layers import Highway as ModernHighway
from .losses import Loss
from .metrics import Metric
from .renames import SPECIAL, bilingual, on, without_transform_bias

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
        s /= p.shape[-1]

    def backward(self, dp, t, p, ds):
        """Fill dp[r, c] with ds[r] times the derivative of s[r] by p[r, c]."""
        columns = ds.dtype.type(p.shape[-1])
        losses.cosine_proximity.backward(dp, t, p, ds / columns)


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

    def forward(self, s, t, p):
        """Fill all of s with the mean over the rows."""
        self.metric.forward(s, t, p)
        s[...] = s.mean(dtype=np.float64)


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


# ---- layers -----------------------------------------------------------------------

KERNELS = "init activation weights "
PENALTIES = "W_regularizer b_regularizer activity_regularizer W_constraint b_constraint"
WINDOW = "border_mode subsample "
RECURRENT = "output_dim init inner_init "
DROPPING = " W_regularizer U_regularizer b_regularizer dropout_W dropout_U"
ORDER = {
    "Dense": "output_dim " + KERNELS + PENALTIES + " bias input_dim",
    "Dropout": "p",
    "Embedding": "input_dim output_dim init input_length",
    "BatchNormalization": "epsilon mode axis momentum",
    "Conv1D": "nb_filter filter_length " + KERNELS + "border_mode subsample_length",
    "Conv2D": "nb_filter nb_row nb_col " + KERNELS + WINDOW + "dim_ordering",
    "Conv3D": "nb_filter kernel_dim1 kernel_dim2 kernel_dim3 " + KERNELS + WINDOW,
    "Conv2DTranspose": "nb_filter nb_row nb_col output_shape " + KERNELS + WINDOW,
    "SeparableConv2D": "nb_filter nb_row nb_col " + KERNELS + WINDOW,
    "LocallyConnected1D": "nb_filter filter_length " + KERNELS + "border_mode",
    "LocallyConnected2D": "nb_filter nb_row nb_col " + KERNELS + WINDOW,
    "MaxPooling1D": "pool_length stride border_mode",
    "AveragePooling1D": "pool_length stride border_mode",
    "MaxPooling2D": "pool_size strides border_mode dim_ordering",
    "AveragePooling2D": "pool_size strides border_mode dim_ordering",
    "SimpleRNN": RECURRENT + "activation" + DROPPING,
    "GRU": RECURRENT + "activation inner_activation" + DROPPING,
    "LSTM": RECURRENT + "forget_bias_init activation inner_activation" + DROPPING,
    "MaxoutDense": "output_dim nb_feature init weights "
    + PENALTIES
    + " bias input_dim",
    "Highway": "init transform_bias activation weights " + PENALTIES,
    "TimeDistributedDense": "output_dim " + KERNELS + PENALTIES,
}
"""Class of a layer -> its arguments in the order of Keras 1."""

DEFAULTS: dict[str, dict[str, Any]] = {
    "BatchNormalization": {"epsilon": 1e-5},
    "SimpleRNN": {"recurrent_initializer": "orthogonal"},
    "GRU": {"recurrent_initializer": "orthogonal"},
    "LSTM": {"recurrent_initializer": "orthogonal"},
}
"""Class of a layer -> arguments with another default in Keras 1."""


class Highway(ModernHighway):
    """
    The Highway layer of Keras 1: the weights are W, b, V, c.

    Parameters
    ----------
    transform_bias : float
        First value of c; below zero, the gate is nearly closed.
    kernel_initializer, activation, ...
        As for the Highway layer of today.
    """

    only_launches = True
    order = ("W", "b", "V", "c")

    def __init__(self, *args, transform_bias=-2, **kwargs):
        super().__init__(*args, **kwargs)
        self.gate_bias = float(transform_bias)

    def get_config(self):
        """Return the constructor's arguments as plain values."""
        return {**super().get_config(), "transform_bias": self.gate_bias}


class Dense(layers.Dense):
    """The Dense layer of Keras 1, on rows of features only: (N, I) -> (N, O)."""

    only_launches = True

    def compute_output_shape(self, input_shape):
        """Refuse more than two axes."""
        self.expect_rank(input_shape, 2)
        return super().compute_output_shape(input_shape)


class GateByGate:
    """
    What GRU and LSTM of Keras 1 do: each gate has arrays of its own.

    They are drawn one by one, unless consume_less is 'gpu', and `set_weights` takes
    them as well as ours.
    """

    def __init__(self, *args, **kwargs):
        if kwargs.get("implementation") == 0:  # consume_less='cpu', without a warning
            kwargs["implementation"] = 1
        super().__init__(*args, **kwargs)

    def build(self, input_shape):
        """Make the weights, and draw those of each gate by themselves."""
        super().build(input_shape)
        cell = self.cell
        if cell.implementation == 2:
            return
        first = cell.kernel_initializer, cell.recurrent_initializer
        for weight, initial in zip((cell.W, cell.U), first):
            for block in np.split(weight.value, cell.gates, axis=1):
                block[...] = initializers.first_values(initial, block.shape, self.dtype)

    def set_weights(self, values):
        """Set the weights from our arrays, or from those of each gate."""
        by_gate = len(values) == 3 * self.cell.gates > 3
        super().set_weights(from_keras1(values) if by_gate else values)


class SimpleRNN(GateByGate, layers.SimpleRNN):
    """The SimpleRNN of Keras 1."""

    only_launches = layers.SimpleRNN.only_launches


class GRU(GateByGate, layers.GRU):
    """The GRU of Keras 1."""

    only_launches = layers.GRU.only_launches


class LSTM(GateByGate, layers.LSTM):
    """The LSTM of Keras 1."""

    only_launches = layers.LSTM.only_launches


OWN = {"Highway": Highway, "Dense": Dense, "SimpleRNN": SimpleRNN}
OWN.update(GRU=GRU, LSTM=LSTM)


@functools.lru_cache(maxsize=None)
def layer_class(name: str, base: type[Layer]) -> type[Layer]:
    """Return a layer class that takes the arguments of Keras 1 without a warning."""
    own = OWN.get(name, base) if base is getattr(layers, name, None) else base

    def __init__(self, *args, **kwargs):
        for word, value in DEFAULTS.get(name, {}).items():
            kwargs.setdefault(word, value)
        for word, value in kwargs.items():
            if word.endswith("initializer"):
                kwargs[word] = initializer(value)
        own.__init__(self, *args, **kwargs)

    body = {
        "__doc__": f"The layer {name} with the arguments of Keras 1 and its defaults.",
        "__module__": "kerasnb.keras1",
        "only_launches": vars(own).get("only_launches", False),
        "__init__": __init__,
    }
    made = type(name, (own,), body)
    handlers = [h for h in SPECIAL.get(name, ()) if h is not without_transform_bias]
    translated = bilingual(
        __init__, _in_order(name), *handlers, constructs=True, quiet=True
    )
    setattr(made, "__init__", translated)
    return made


def _in_order(name: str) -> Callable:
    words = ORDER.get(name, "").split()

    @on(positional=1)
    def name_positions(call):
        """Give positional arguments their names in Keras 1."""
        if not words:
            return
        if len(call.args) > len(words):
            raise TypeError(
                f"{name}: expected at most {len(words)} positional arguments "
                f"({', '.join(words)}), got {len(call.args)}. Pass the rest by name."
            )
        for word, value in zip(words, call.args):
            if word in call.kwargs:
                raise TypeError(f"{name}: got {word!r} by position and by name.")
            call.kwargs[word] = value
        call.args = []

    return name_positions
