"""
Metrics: what is reported about predictions, but not trained on.

A metric gives one number for each row of predictions, and the training loop averages
them under the mask. A stateful metric instead counts over all batches of an epoch and
reports one value of its own. Every loss is a metric too. Read next:
`kernels/plain/metrics.py` for the accuracies, `resolve` for what 'accuracy' means.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from . import device, losses
from .device import ops
from .functions import are_values, expect_call
from .losses import Loss, as_rows
from .state import Stateful
from .utils import FUNCTION, lookup, name_of, own_function, saved_name


class Metric:
    """
    Base class of metrics; one of your own needs a `name` and `forward`.

    `sparse` says which targets it takes: True class numbers (R,), False rows (R, C),
    None whatever the loss takes.

    Examples
    --------
    >>> class LargestError(Metric):
    ...     name = "largest_error"
    ...
    ...     def forward(self, s, t, p):
    ...         s[:] = abs(p - t).max(axis=1)
    >>> LargestError()([[0.0, 0.0]], [[0.5, -2.0]])
    array([2.])
    """

    name: str = ""
    stateful: bool = False
    sparse: bool | None = False
    whole: bool = False  # True: gets y_true and y_pred as they are, not as rows

    def __init_subclass__(cls) -> None:
        """Name the metric after its class, unless the class says otherwise."""
        if "name" not in vars(cls):
            cls.name = cls.__name__

    def forward(self, s: np.ndarray, t: np.ndarray, p: np.ndarray) -> None:
        """
        Fill s[r] with the metric of row r.

        s (R,) out    t (R, C), or (R,) class numbers    p (R, C)
        """
        raise NotImplementedError(f"{self.name}: the metric has no method forward.")

    def __call__(self, y_true: Any, y_pred: Any) -> Any:
        """Return the metric of each row, an array of shape `y_pred.shape[:-1]`."""
        t, p, shape = as_rows(y_true, y_pred, bool(self.sparse), self.name)
        s = np.empty(len(p), p.dtype)
        self.forward(s, t, p)
        return s.reshape(shape)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make this metric again."""
        return {}

    def __repr__(self) -> str:
        """Show the name."""
        return f"<metric {self.name}>"


class LossMetric(Metric):
    """A loss, reported as a metric."""

    only_launches = True

    def __init__(self, loss: Loss) -> None:
        self.loss = loss
        self.name = loss.name
        self.sparse = loss.sparse
        self.whole = loss.whole

    def forward(self, s: np.ndarray, t: np.ndarray, p: np.ndarray) -> None:
        """Fill s[r] with the loss of row r."""
        self.loss.forward(s, t.reshape(-1) if self.sparse else t, p)

    def __call__(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of each row, on the tape too."""
        return self.loss(y_true, y_pred)


class Accuracy(Metric):
    """A built-in accuracy: a kernel, found by name on the device in use."""

    only_launches = True

    def __init__(self, name: str, sparse: bool = False) -> None:
        self.name = name
        self.sparse = sparse

    def forward(self, s: np.ndarray, t: np.ndarray, p: np.ndarray) -> None:
        """Fill s[r] with the accuracy of row r."""
        getattr(ops, self.name)(s, t.reshape(-1) if self.sparse else t, p)


class TopKCategoricalAccuracy(Metric):
    """
    1 where the class of the target is among the k most probable ones, else 0.

    Classes that tie with the k-th count as well.

    Parameters
    ----------
    k : int
    name : str, optional
        The name to report; default 'top_k_categorical_accuracy'.

    Examples
    --------
    >>> TopKCategoricalAccuracy(k=2)([[1, 0, 0]], [[0.3, 0.6, 0.1]])
    array([1.])
    """

    only_launches = True
    name = kernel = "top_k_categorical_accuracy"

    def __init__(self, k: int = 5, name: str | None = None) -> None:
        if not isinstance(k, (int, np.integer)) or k < 1:
            raise ValueError(
                f"{self.kernel}: expected k to be a whole number from 1, got {k!r}."
            )
        self.k = int(k)
        self.name = name or self.kernel

    def forward(self, s: np.ndarray, t: np.ndarray, p: np.ndarray) -> None:
        """Fill s[r] with 1 where row r is right, else 0."""
        getattr(ops, self.kernel)(s, t.reshape(-1) if self.sparse else t, p, self.k)

    def __call__(self, y_true: Any, y_pred: Any, k: int | None = None) -> Any:
        """Return the accuracy of each row, for this k or another."""
        if k is not None and k != self.k:
            return type(self)(k)(y_true, y_pred)
        return super().__call__(y_true, y_pred)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make this metric again."""
        return {"k": self.k, "name": self.name}


class SparseTopKCategoricalAccuracy(TopKCategoricalAccuracy):
    """
    As `TopKCategoricalAccuracy`, for targets that are class numbers.

    Parameters
    ----------
    k : int
    name : str, optional
        The name to report; default 'sparse_top_k_categorical_accuracy'.

    Examples
    --------
    >>> SparseTopKCategoricalAccuracy(k=2)([0], [[0.3, 0.6, 0.1]])
    array([1.])
    """

    only_launches = True
    name = kernel = "sparse_top_k_categorical_accuracy"
    sparse = True


class FunctionMetric(Metric):
    """
    A function (y_true, y_pred) of yours, as a metric.

    The function gets the arrays as they are, and returns a value for each sample, each
    step, or each number, or a single one for the batch.

    Parameters
    ----------
    function : callable
        Its attribute `name`, else `__name__`, is the name to report.
    key : str, optional
        Of a function that returns a dict, which entry is meant.
    """

    sparse = None
    whole = True

    def __init__(self, function: Callable[..., Any], key: str | None = None) -> None:
        expect_call("metric", function, "y_true", "y_pred")
        self.function, self.key = function, key
        self.name = key or getattr(function, "name", None) or name_of(function)

    def forward(self, s: np.ndarray, t: np.ndarray, p: np.ndarray) -> None:
        """
        Fill s with what the function returns.

        s (R,) out    t (N, ...), or class numbers (N,) or (N, T)    p (N, ..., C)
        """
        t = t[..., None] if t.ndim < p.ndim and t.dtype.kind == "i" else t[...]
        p = p[...]  # views, so that the function cannot change what they show
        t.flags.writeable = p.flags.writeable = False
        value = self.function(t, p)
        if isinstance(value, dict):
            value = value.get(self.key, value)
        if isinstance(value, dict):
            raise TypeError(
                f"metric {self.name}: the function returned a dict with the keys "
                f"{', '.join(map(repr, value))}, but not on ones of shape (2, ...), "
                "when compile asked it for their names. Make it a function of its own "
                "for each."
            )
        put_rows(s, np.asarray(value), p.shape, f"metric {self.name}")

    def __call__(self, y_true: Any, y_pred: Any) -> Any:
        """Return what the function returns."""
        return self.function(y_true, y_pred)


def put_rows(s: np.ndarray, value: np.ndarray, shape: tuple, who: str) -> None:
    """Fill s with values of samples, steps or numbers of predictions of a shape."""
    if not are_values(value.shape, shape):
        raise ValueError(
            f"{who}: expected one value for each row, shape {shape[:-1]}, or a single "
            f"value, got shape {value.shape}. Take the mean over the last axis."
        )
    if value.ndim == len(shape):
        value = value.mean(axis=-1)
    rows = s.reshape(shape[:-1])
    rows[...] = value.reshape(*value.shape, *[1] * (rows.ndim - value.ndim))


class StatefulMetric(Metric, Stateful):
    """
    Base class of metrics that count over batches.

    One of your own needs a `name`, `reset_states`, which forgets, and `update`, which
    counts a batch in and returns the value of all batches since, as a float.
    `state_names` lists the attributes it counts on, so that a training can go on in the
    middle of an epoch.
    """

    stateful = True
    sparse = None

    def reset_states(self) -> None:
        """Forget all batches."""
        raise NotImplementedError(f"{self.name}: no method reset_states.")

    def update(self, y_true: np.ndarray, y_pred: np.ndarray) -> float:
        """Count a batch and return the value so far."""
        raise NotImplementedError(f"{self.name}: no method update.")

    def update_into(self, place: Any, y_true: Any, y_pred: Any) -> None:
        """Count a batch and put the value so far into an array of one number."""
        place[0] = self.update(y_true, y_pred)

    def __call__(self, y_true: Any, y_pred: Any) -> float:
        """Count a batch and return the value so far."""
        return self.update(np.asarray(y_true), np.asarray(y_pred))


class StatefulFunction(StatefulMetric):
    """A callable object of yours with `name`, `stateful` and `reset_states`."""

    def __init__(self, function: Any) -> None:
        self.function = function
        if hasattr(function, "get_state"):
            self.state_names = ("function",)
        self.name = getattr(function, "name", type(function).__name__)

    def reset_states(self) -> None:
        """Forget all batches."""
        self.function.reset_states()

    def update(self, y_true: np.ndarray, y_pred: np.ndarray) -> float:
        """Count a batch and return the value so far."""
        return float(self.function(y_true, y_pred))


def count_property(k: int, text: str) -> property:
    """Return a whole number that is kept in `_counts`, where the device can count."""

    def count(self) -> int:
        return int(self._counts[k])

    def set_count(self, number: int) -> None:
        self._counts[k] = number

    return property(count, set_count, doc=text)


class Precision(StatefulMetric):
    """
    Of the predictions above a threshold, the part that is right.

    Counts every element of a batch: targets above 1/2 are positive. Without a positive
    prediction the value is 0.

    Parameters
    ----------
    threshold : float
    name : str, optional
        The name to report; default the class's name in small letters.

    Examples
    --------
    >>> precision = Precision()
    >>> precision([[1], [0]], [[0.9], [0.8]])
    0.5
    >>> precision([[1], [1]], [[0.7], [0.1]])
    0.6666666666666666
    """

    name = "precision"
    state_names = ("right", "counted")
    of_targets = False  # of all positive targets, or else of all that are predicted

    def __init__(self, threshold: float = 0.5, name: str | None = None) -> None:
        self.threshold = float(threshold)
        self.name = name or type(self).name
        self.reset_states()

    def reset_states(self) -> None:
        """Forget all batches."""
        self._counts = device.zeros(2, np.float64)

    right = count_property(0, "How many predictions above the threshold were right.")
    counted = count_property(1, "How many elements they are a part of.")

    def update(self, y_true: np.ndarray, y_pred: np.ndarray) -> float:
        """Count a batch and return the value so far."""
        value = np.zeros(1)
        self._count(value, y_true, y_pred)
        return float(value[0])

    def update_into(self, place: Any, y_true: Any, y_pred: Any) -> None:
        """Count a batch and put the value so far into an array of one number."""
        if type(self).update is Precision.update:
            self._count(place, y_true, y_pred)
        else:  # a subclass says it in its own way
            super().update_into(place, y_true, y_pred)

    def _count(self, value: Any, t: Any, p: Any) -> None:
        if t.size != p.size:
            raise ValueError(
                f"metric {self.name}: expected targets of the predictions' shape "
                f"{p.shape}, got {t.shape}."
            )
        self._counts = device.here(self._counts)
        flat = t.reshape(-1), p.reshape(-1)
        ops.count_right(value, self._counts, *flat, self.threshold, self.of_targets)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make this metric again."""
        return {"threshold": self.threshold, "name": self.name}


class Recall(Precision):
    """
    Of the positive targets, the part that is predicted above a threshold.

    Counts every element of a batch: targets above 1/2 are positive. Without a positive
    target the value is 0.

    Parameters
    ----------
    threshold : float
    name : str, optional
        The name to report; default the class's name in small letters.

    Examples
    --------
    >>> Recall()([[1], [1], [0]], [[0.9], [0.2], [0.8]])
    0.5
    """

    name = "recall"
    of_targets = True


binary_accuracy = Accuracy("binary_accuracy")
categorical_accuracy = Accuracy("categorical_accuracy")
sparse_categorical_accuracy = Accuracy("sparse_categorical_accuracy", sparse=True)
top_k_categorical_accuracy = TopKCategoricalAccuracy()
sparse_top_k_categorical_accuracy = SparseTopKCategoricalAccuracy()

mse = MSE = mean_squared_error = LossMetric(losses.mse)
mae = MAE = mean_absolute_error = LossMetric(losses.mae)
mape = MAPE = mean_absolute_percentage_error = LossMetric(losses.mape)
msle = MSLE = mean_squared_logarithmic_error = LossMetric(losses.msle)
kld = KLD = kullback_leibler_divergence = LossMetric(losses.kld)
cosine = cosine_proximity = LossMetric(losses.cosine)
hinge = LossMetric(losses.hinge)
squared_hinge = LossMetric(losses.squared_hinge)
categorical_hinge = LossMetric(losses.categorical_hinge)
logcosh = LossMetric(losses.logcosh)
poisson = LossMetric(losses.poisson)
binary_crossentropy = LossMetric(losses.binary_crossentropy)
categorical_crossentropy = LossMetric(losses.categorical_crossentropy)
sparse_categorical_crossentropy = LossMetric(losses.sparse_categorical_crossentropy)

METRICS: dict[str, Metric] = {
    name: value for name, value in list(globals().items()) if isinstance(value, Metric)
}
"""Every built-in metric without state, by name and alias."""

CLASSES: dict[str, type[Metric]] = {
    kind.__name__: kind
    for kind in (
        TopKCategoricalAccuracy,
        SparseTopKCategoricalAccuracy,
        Precision,
        Recall,
    )
}
"""Metrics with arguments or with a state: a name makes a new one."""

SHORTHANDS: dict[str, tuple[str, tuple[Metric, Metric, Metric]]] = {
    name: (reported, variants)
    for names, reported, variants in (
        (
            ("accuracy", "acc"),
            "acc",
            (binary_accuracy, sparse_categorical_accuracy, categorical_accuracy),
        ),
        (
            ("crossentropy", "ce"),
            "ce",
            (
                binary_crossentropy,
                sparse_categorical_crossentropy,
                categorical_crossentropy,
            ),
        ),
    )
    for name in names
}
"""Shorthand -> reported name, and the metric for binary, sparse and one-hot targets."""


def serialize(metric: Metric) -> str | dict[str, Any]:
    """Return what `get` makes the same metric of: a name, or class name and config."""
    if isinstance(metric, FunctionMetric):
        return {"class_name": FUNCTION, "config": saved_name(metric.function)}
    if METRICS.get(metric.name) is metric or isinstance(metric, LossMetric):
        return metric.name
    return {"class_name": type(metric).__name__, "config": metric.get_config()}


def get(identifier: Any) -> Metric:
    """
    Return a metric by name, or made from a loss, a class or a function.

    Parameters
    ----------
    identifier : str, Metric, Loss, class, dict or callable
        A dict has the keys 'class_name' and 'config'.

    Raises
    ------
    ValueError
        If the name is unknown, or means nothing without a model.
    TypeError
        If it is nothing that stands for a metric.

    Examples
    --------
    >>> get("mse")
    <metric mean_squared_error>
    """
    if isinstance(identifier, Metric):
        return identifier
    if isinstance(identifier, str):
        return _by_name(identifier, {})
    if isinstance(identifier, dict) and identifier.get("class_name") == FUNCTION:
        return get(own_function(identifier))
    if isinstance(identifier, dict) and "class_name" in identifier:
        return _by_name(identifier["class_name"], identifier.get("config") or {})
    if isinstance(identifier, Loss):
        built_in = losses.LOSSES.get(identifier.name) is identifier
        return METRICS[identifier.name] if built_in else LossMetric(identifier)
    if isinstance(identifier, type) and issubclass(identifier, (Metric, Loss)):
        return get(identifier())
    if callable(identifier):
        if getattr(identifier, "stateful", False):
            return StatefulFunction(identifier)
        return FunctionMetric(identifier)
    raise TypeError(
        "metric: expected a name such as 'accuracy', a Metric or a function "
        f"(y_true, y_pred), got {identifier!r}."
    )


def _by_name(name: str, config: dict[str, Any]) -> Metric:
    found = lookup(name, {**METRICS, **CLASSES, **SHORTHANDS}, "metric")
    if isinstance(found, tuple):
        variants = ", ".join(metric.name for metric in found[1])
        raise ValueError(
            f"metric: what {name!r} means depends on the model and its loss. Outside "
            f"compile, name one of {variants}."
        )
    return get(found(**config) if isinstance(found, type) else found)


def resolve(
    identifier: Any, output_shape: tuple[int | None, ...], loss: Loss | None
) -> tuple[str, Metric]:
    """
    Return the name to report and the metric, for one output of a model.

    'accuracy' and 'crossentropy' are binary where the output has one column or the loss
    is binary cross-entropy; else they follow the loss: class numbers or one-hot rows.

    Raises
    ------
    ValueError
        If the metric takes other targets than the loss.
    """
    takes_classes = loss is not None and loss.sparse
    takes_any = loss is not None and loss.whole
    if isinstance(identifier, str) and identifier in SHORTHANDS:
        name, (binary, sparse, one_hot) = SHORTHANDS[identifier]
        metric = sparse if takes_classes else one_hot
        if output_shape[-1] == 1 or loss is losses.binary_crossentropy:
            metric = binary
    else:
        metric = get(identifier)
        name = metric.name
    if metric.sparse and not takes_classes | takes_any and output_shape[-1] != 1:
        raise ValueError(
            f"metric {metric.name}: expected targets that are class numbers, but the "
            "loss takes whole rows. Use 'accuracy', which follows the loss, or the "
            "loss 'sparse_categorical_crossentropy'."
        )
    if metric.sparse is False and takes_classes:
        raise ValueError(
            f"metric {metric.name}: expected targets that are whole rows, but the loss "
            "takes class numbers. Use a metric whose name begins with 'sparse_', or "
            "another loss."
        )
    return name, metric


def resolve_all(
    identifier: Any, output_shape: tuple, loss: Loss | None, dtype: Any
) -> list[tuple[str, Metric]]:
    """
    Return what `resolve` does, in a list: a function may stand for several metrics.

    To see whether it returns a dict, as Keras 1 allowed, it is called on two samples.
    """
    name, metric = resolve(identifier, output_shape, loss)
    if not isinstance(metric, FunctionMetric):
        return [(name, metric)]
    p = np.ones([2, *(size or 2 for size in output_shape[1:])], dtype)
    t = p[..., :1] if loss is not None and loss.sparse else p
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            value = metric.function(t.copy(), p.copy())
    except Exception:  # of numbers that mean nothing; on real ones it may be raised
        return [(name, metric)]
    if not isinstance(value, dict):
        return [(name, metric)]
    return [(str(key), FunctionMetric(metric.function, key)) for key in value]


def unique_names(names: Iterable[str]) -> list[str]:
    """
    Mark names that came before: the second gets _1, the third _2.

    Examples
    --------
    >>> unique_names(["acc", "mse", "acc", "acc"])
    ['acc', 'mse', 'acc_1', 'acc_2']
    """
    unique: list[str] = []
    for name in names:
        number, candidate = 0, name
        while candidate in unique:
            number += 1
            candidate = f"{name}_{number}"
        unique.append(candidate)
    return unique
