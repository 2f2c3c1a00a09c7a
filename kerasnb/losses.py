"""
Losses: how wrong a row of predictions is, and which way is better.

A loss gives one number for each row, the last axis of the predictions, and the gradient
of that number; masks and sample weights act later, on whole rows. Every name here is
also a function: `losses.mse(y_true, y_pred)`, and every function can be a loss. Read
next: `kernels/plain/losses.py` for the arithmetic, `Loss` to write a class of your own.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from . import device
from .autodiff import Recording, Taped
from .device import epsilon, floatx, ops
from .functions import are_values, expect_arguments, expect_slope, formulas_for
from .utils import FUNCTION, lookup, name_of, own_function, saved_name


class Loss:
    """
    Base class of losses; a loss of your own needs `forward` and `backward`.

    Set `sparse = True` if the targets are class numbers: t is then an int64 array (R,).

    Examples
    --------
    >>> class HalfSquare(Loss):
    ...     name = "half_square"
    ...
    ...     def forward(self, s, t, p):
    ...         s[:] = ((p - t) ** 2).sum(axis=1) / 2
    ...
    ...     def backward(self, dp, t, p, ds):
    ...         dp[:] = ds[:, None] * (p - t)
    >>> HalfSquare()([[0.0, 0.0]], [[3.0, 1.0]])
    array([5.])
    """

    name: str = ""
    sparse: bool = False
    whole: bool = False  # True: gets y_true and y_pred as they are, not as rows

    def __init_subclass__(cls) -> None:
        """Name the loss after its class, unless the class says otherwise."""
        if "name" not in vars(cls):
            cls.name = cls.__name__

    def forward(self, s: np.ndarray, t: np.ndarray, p: np.ndarray) -> None:
        """
        Fill s[r] with the loss of row r.

        s (R,) out    t (R, C), or (R,) class numbers    p (R, C)
        """
        raise NotImplementedError(f"{self.name}: the loss has no method forward.")

    def backward(
        self, dp: np.ndarray, t: np.ndarray, p: np.ndarray, ds: np.ndarray
    ) -> None:
        """
        Fill dp[r, c] with ds[r] times the derivative of s[r] by p[r, c].

        dp (R, C) out    t (R, C), or (R,) class numbers    p (R, C)    ds (R,)
        """
        raise NotImplementedError(f"{self.name}: the loss has no method backward.")

    def __call__(self, y_true: Any, y_pred: Any) -> np.ndarray:
        """Return the loss of each row, an array of shape `y_pred.shape[:-1]`."""
        plain = y_pred.value if isinstance(y_pred, Taped) else y_pred
        if isinstance(y_true, Taped):
            raise TypeError(
                f"{self.name}: the derivative is known by y_pred only, but y_true is "
                "taped. The order is (y_true, y_pred); y_true.value is a constant."
            )
        t, p, shape = as_rows(y_true, plain, self.sparse, self.name)
        s = np.empty(len(p), p.dtype)
        self.forward(s, t, p)
        if plain is y_pred:
            return s.reshape(shape)

        def pullback(dy):
            dp = np.empty_like(p)
            self.backward(dp, t, p, np.ascontiguousarray(dy, p.dtype).reshape(-1))
            return [dp.reshape(plain.shape)]

        return y_pred.tape.add(s.reshape(shape), [y_pred], pullback)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make this loss again."""
        return {}

    def __repr__(self) -> str:
        """Show the name."""
        return f"<loss {self.name}>"


class KernelLoss(Loss):
    """A built-in loss: a pair of kernels, found by name on the device in use."""

    only_launches = True

    def __init__(self, name: str, sparse: bool = False) -> None:
        self.name = name
        self.sparse = sparse
        self._forward = name + "_forward"
        self._backward = name + "_backward"

    def forward(self, s: np.ndarray, t: np.ndarray, p: np.ndarray) -> None:
        """Fill s[r] with the loss of row r."""
        getattr(ops, self._forward)(s, t, p, epsilon())

    def backward(
        self, dp: np.ndarray, t: np.ndarray, p: np.ndarray, ds: np.ndarray
    ) -> None:
        """Fill dp[r, c] with ds[r] times the derivative of s[r] by p[r, c]."""
        getattr(ops, self._backward)(dp, t, p, ds, epsilon())


class FunctionLoss(Loss):
    """
    A function (y_true, y_pred) of yours, as a loss: the tape knows its derivative.

    The function gets the arrays as they are, with all their axes, and returns a value
    for each sample, each step, or each number; values of single numbers are averaged
    over the last axis. A value for the whole batch counts for every sample, which is
    warned about once.

    Parameters
    ----------
    function : callable

    Raises
    ------
    ValueError
        When used, if the values have another shape, or no slope.

    Examples
    --------
    >>> def twice(y_true, y_pred):
    ...     return 2 * np.mean(np.abs(y_pred - y_true), axis=-1)
    >>> FunctionLoss(twice)(np.zeros((1, 2)), np.array([[1.0, -2.0]]))
    array([3.])
    """

    whole = True

    def __init__(self, function: Callable[[Any, Any], Any]) -> None:
        expect_arguments("loss", function, "y_true", "y_pred")
        self.function = function
        self.name = name_of(function)
        self._warned = False
        self._kept: tuple | None = None  # t, p, their recording

    def forward(self, s: np.ndarray, t: np.ndarray, p: np.ndarray) -> None:
        """
        Fill s[r] with the loss of row r.

        s (R,) out    t (N, ...)    p (N, ..., C)
        """
        formulas = formulas_for(self.function, t, p)
        if formulas:
            t, p = (a.reshape(-1, a.shape[-1]) for a in (t, p))
            device.own_formulas().fill_rows(s, formulas[0], t, p)
            return
        recording = Recording(self._rows, [p], [t])
        self._kept = t, p, recording
        s.reshape(p.shape[:-1])[...] = recording.value

    def backward(
        self, dp: np.ndarray, t: np.ndarray, p: np.ndarray, ds: np.ndarray
    ) -> None:
        """Fill dp with the gradient; `forward` of the same arrays need not run anew."""
        formulas = formulas_for(self.function, t, p)
        if formulas:
            dp, t, p = (a.reshape(-1, a.shape[-1]) for a in (dp, t, p))
            device.own_formulas().fill_rows_slope(dp, formulas[1], ds, t, p)
            return
        kept, self._kept = self._kept, None
        if kept is None or kept[0] is not t or kept[1] is not p:
            kept = t, p, Recording(self._rows, [p], [t])
        expect_slope(kept[2], f"loss {self.name}", "y_pred")
        dp[...] = kept[2].gradients(ds.reshape(p.shape[:-1]))[0]

    def _rows(self, t: Any, p: Any) -> Any:
        """Return the values of all rows, of shape p.shape[:-1]."""
        s = self.function(t, p)
        found = getattr(s, "shape", ())
        if not are_values(found, p.shape):
            raise ValueError(self._misfit(found, np.shape(t), p.shape))
        if not found:
            self._warn_of_one_value()
        if len(found) == p.ndim:
            s = np.mean(s, axis=-1)
            found = found[:-1]
        rows = p.shape[:-1]
        if found == rows:
            return s
        axes = (*found, *[1] * (len(rows) - len(found)))
        return np.broadcast_to(np.reshape(s, axes), rows)

    def _misfit(self, found: tuple, t: tuple, p: tuple) -> str:
        hint = "Take the mean over the last axis: axis=-1."
        if t != p:
            hint = f"The targets have shape {t}: arrays of two shapes were stretched."
        return (
            f"loss {self.name}: expected a value for each row, shape {p[:-1]}, for "
            f"predictions of shape {p}, got shape {found}. {hint}"
        )

    def _warn_of_one_value(self) -> None:
        if not self._warned:
            self._warned = True
            warnings.warn(
                f"loss {self.name}: the function returns one number for the whole "
                "batch, which counts for every sample alike: weights and masks cannot "
                "tell samples apart, and the result depends on the batch size. A value "
                "for each sample is what a mean over the last axis gives, axis=-1.",
                stacklevel=2,
            )

    def __call__(self, y_true: Any, y_pred: Any) -> Any:
        """Return what the function returns."""
        return self.function(y_true, y_pred)


mean_squared_error = KernelLoss("mean_squared_error")
mean_absolute_error = KernelLoss("mean_absolute_error")
mean_absolute_percentage_error = KernelLoss("mean_absolute_percentage_error")
mean_squared_logarithmic_error = KernelLoss("mean_squared_logarithmic_error")
hinge = KernelLoss("hinge")
squared_hinge = KernelLoss("squared_hinge")
categorical_hinge = KernelLoss("categorical_hinge")
logcosh = KernelLoss("logcosh")
poisson = KernelLoss("poisson")
kullback_leibler_divergence = KernelLoss("kullback_leibler_divergence")
cosine_proximity = KernelLoss("cosine_proximity")
binary_crossentropy = KernelLoss("binary_crossentropy")
categorical_crossentropy = KernelLoss("categorical_crossentropy")
sparse_categorical_crossentropy = KernelLoss(
    "sparse_categorical_crossentropy", sparse=True
)

mse = MSE = mean_squared_error
mae = MAE = mean_absolute_error
mape = MAPE = mean_absolute_percentage_error
msle = MSLE = mean_squared_logarithmic_error
kld = KLD = kullback_leibler_divergence
cosine = cosine_proximity

LOSSES: dict[str, Loss] = {
    name: value for name, value in list(globals().items()) if isinstance(value, Loss)
}
"""Every built-in loss, by name and alias."""


def as_rows(
    y_true: Any, y_pred: Any, sparse: bool, name: str
) -> tuple[np.ndarray, np.ndarray, tuple[int, ...]]:
    """
    Return targets and predictions as the kernels want them, and the shape of the rows.

    Parameters
    ----------
    y_true : array
        Of the shape of `y_pred`; with `sparse` one class number for each row.
    y_pred : array of shape (..., C)
    sparse : bool
        Whether the targets are class numbers.
    name : str
        Who asks, for the messages.

    Raises
    ------
    ValueError
        If the shapes do not match, or a class number is not one.
    """
    p = np.asarray(y_pred)
    if p.ndim == 0 or p.shape[-1] == 0:
        raise ValueError(
            f"{name}: expected predictions of shape (..., C) with at least one column, "
            f"got {p.shape}."
        )
    rows, columns = p.shape[:-1], p.shape[-1]
    dtype = np.float64 if p.dtype == np.float64 else floatx()
    p2 = np.require(p, dtype, ["C", "W"]).reshape(-1, columns)
    y = np.asarray(y_true)
    if sparse:
        return _class_numbers(y, len(p2), columns, name), p2, rows
    if y.shape != p.shape:
        hint = "Reshape the targets."
        if y.size == len(p2) and columns > 1:
            hint = "Class numbers become rows with kerasnb.utils.to_categorical(y)."
        raise ValueError(
            f"{name}: expected targets of the predictions' shape {p.shape}, "
            f"got {y.shape}. {hint}"
        )
    return np.require(y, dtype, ["C", "W"]).reshape(-1, columns), p2, rows


def _class_numbers(y: np.ndarray, rows: int, classes: int, name: str) -> np.ndarray:
    """Return y as (R,) int64, or raise a ValueError that names the wrong value."""
    if y.size != rows:
        hint = ""
        if y.size == rows * classes:
            hint = " One-hot targets become class numbers with y.argmax(axis=-1)."
        raise ValueError(
            f"{name}: expected one class number for each of {rows} rows, "
            f"got targets of shape {y.shape}.{hint}"
        )
    flat = y.reshape(-1)
    with np.errstate(invalid="ignore"):
        labels = flat.astype(np.int64)
    wrong = (labels != flat) | (labels < 0) | (labels >= classes)
    if wrong.any():
        raise ValueError(
            f"{name}: expected whole class numbers from 0 to {classes - 1}, "
            f"got {flat[wrong][0]}. Do the predictions have a column for each class?"
        )
    return labels


def serialize(loss: Loss) -> str | dict[str, Any]:
    """Return what `get` makes the same loss of: a name, or class name and config."""
    if LOSSES.get(loss.name) is loss:
        return loss.name
    if isinstance(loss, FunctionLoss):
        return {"class_name": FUNCTION, "config": saved_name(loss.function)}
    return {"class_name": type(loss).__name__, "config": loss.get_config()}


def get(identifier: Any) -> Loss:
    """
    Return a loss by name, made from a function, or a `Loss` as it is.

    Parameters
    ----------
    identifier : str, Loss, subclass of Loss, dict or callable
        A dict has the keys 'class_name' and 'config'; a function takes (y_true,
        y_pred), see `FunctionLoss`.

    Raises
    ------
    ValueError
        If the name is unknown.
    TypeError
        If it is nothing that stands for a loss.

    Examples
    --------
    >>> get("mse")
    <loss mean_squared_error>
    """
    if isinstance(identifier, Loss):
        return identifier
    if isinstance(identifier, str):
        return get(lookup(identifier, LOSSES, "loss"))
    if isinstance(identifier, dict) and identifier.get("class_name") == FUNCTION:
        return get(own_function(identifier))
    if isinstance(identifier, dict) and "class_name" in identifier:
        found = lookup(identifier["class_name"], LOSSES, "loss")
        config = identifier.get("config") or {}
        return get(found(**config) if isinstance(found, type) else found)
    if isinstance(identifier, type) and issubclass(identifier, Loss):
        return identifier()
    if callable(identifier) and not isinstance(identifier, type):
        return FunctionLoss(identifier)
    raise TypeError(
        "loss: expected a name such as 'mse', a Loss or a function (y_true, y_pred), "
        f"got {identifier!r}."
    )
