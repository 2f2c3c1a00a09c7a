"""
Keras's backend for arrays: `from kerasnb import backend as K`.

What scripts call on tensors, here at once and on NumPy arrays; the functions of numbers
stand in `backend_math.py`, this module holds settings, variables, random numbers and
names. What would need a graph of symbols says so, and what to do instead. Read next:
`backend_math.py`.
"""

from __future__ import annotations

import contextlib
import math
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

import numpy as np

from . import backend_math, layer, random
from .backend_math import *  # noqa: F401,F403
from .backend_math import operand, switch, tensor
from .device import (
    epsilon,
    floatx,
    image_data_format,
    set_epsilon,
    set_floatx,
    set_image_data_format,
)
from .layer import Weight
from .optimizer import Setting
from .variable import Variable, fill

__all__ = [
    *backend_math.__all__,
    "Variable",
    "backend",
    "batch_get_value",
    "batch_set_value",
    "clear_session",
    "constant",
    "count_params",
    "dtype",
    "epsilon",
    "eval",
    "eye",
    "floatx",
    "function",
    "get_uid",
    "get_value",
    "gradients",
    "image_data_format",
    "image_dim_ordering",
    "in_test_phase",
    "in_train_phase",
    "int_shape",
    "learning_phase",
    "moving_average_update",
    "ndim",
    "ones",
    "ones_like",
    "placeholder",
    "random_binomial",
    "random_normal",
    "random_normal_variable",
    "random_uniform",
    "random_uniform_variable",
    "reset_uids",
    "set_epsilon",
    "set_floatx",
    "set_image_data_format",
    "set_image_dim_ordering",
    "set_learning_phase",
    "set_value",
    "shape",
    "truncated_normal",
    "update",
    "update_add",
    "update_sub",
    "variable",
    "zeros",
    "zeros_like",
]

DATA_FORMATS = {"tf": "channels_last", "th": "channels_first"}

_learning_phase = 0

Shape = int | Sequence[int]


# ---------------------------------------------------------------- settings


def backend() -> str:
    """Return the name of the backend: 'kerasnb'."""
    return "kerasnb"


def image_dim_ordering() -> str:
    """Return `image_data_format` in the words of Keras 1: 'tf' (last) or 'th'."""
    return "tf" if image_data_format() == "channels_last" else "th"


def set_image_dim_ordering(dim_ordering: str) -> None:
    """Choose 'tf' (channels last) or 'th' (channels first) for layers made later."""
    if dim_ordering not in DATA_FORMATS:
        raise ValueError(
            f"set_image_dim_ordering: expected 'tf' or 'th', got {dim_ordering!r}."
        )
    set_image_data_format(DATA_FORMATS[dim_ordering])


def learning_phase() -> int:
    """Return what `set_learning_phase` said last: 0 (test, default) or 1 (training)."""
    return _learning_phase


def set_learning_phase(value: int) -> None:
    """
    Choose what `learning_phase` and `in_train_phase` say: 0 (test) or 1 (training).

    The layers of a model do not ask: fit trains and predict predicts, which a warning
    says.
    """
    global _learning_phase
    if value not in (0, 1):
        raise ValueError(f"set_learning_phase: expected 0 or 1, got {value!r}.")
    _learning_phase = int(value)
    warnings.warn(
        "set_learning_phase: only learning_phase and in_train_phase take note. Models "
        "train in fit and predict in predict; layer(x, training=True) asks a layer.",
        stacklevel=2,
    )


@contextlib.contextmanager
def phase(training: bool) -> Iterator[None]:
    """Let `learning_phase` answer for a layer that calls a function of the user's."""
    global _learning_phase
    former, _learning_phase = _learning_phase, int(bool(training) or _learning_phase)
    try:
        yield
    finally:
        _learning_phase = former


def in_train_phase(x: Any, alt: Any, training: Any = None) -> Any:
    """Return x (called, if a function) in the training phase, else `alt`."""
    phase = learning_phase() if training is None else training
    return switch(bool(phase), x, alt)


def in_test_phase(x: Any, alt: Any, training: Any = None) -> Any:
    """Return x (called, if a function) in the test phase, else `alt`."""
    return in_train_phase(alt, x, training)


# ---------------------------------------------------------------- names


def get_uid(prefix: str = "") -> int:
    """Return the next free number of a layer name."""
    layer._names[prefix] += 1
    return layer._names[prefix]


def reset_uids() -> None:
    """Start the numbers of default names again from 1."""
    layer.reset_names()


def clear_session() -> None:
    """Start default names anew; models are objects here and go when nobody has them."""
    layer.reset_names()


# ---------------------------------------------------------------- what an array is


def shape(x: Any) -> tuple[int, ...]:
    """Return the size of every axis."""
    return tensor(x).shape


def int_shape(x: Any) -> tuple[int, ...]:
    """Return the size of every axis."""
    return tensor(x).shape


def ndim(x: Any) -> int:
    """Return the number of axes."""
    return len(tensor(x).shape)


def dtype(x: Any) -> str:
    """Return the type of the numbers, such as 'float32'."""
    return np.dtype(tensor(x).dtype).name


def count_params(x: Any) -> int:
    """Return how many numbers there are."""
    return math.prod(tensor(x).shape)


# ---------------------------------------------------------------- making arrays


def variable(value: Any, dtype: Any = None, name: str | None = None) -> Variable:
    """
    Return a box with an array, which `set_value` fills anew.

    Examples
    --------
    >>> v = variable([[1, 2], [3, 4]])
    >>> get_value(v)
    array([[1., 2.],
           [3., 4.]], dtype=float32)
    """
    return Variable(tensor(value), dtype, name)


def constant(
    value: Any, dtype: Any = None, shape: Shape | None = None, name: Any = None
) -> np.ndarray:
    """Return an array; a single number fills the whole shape."""
    array = np.array(value, dtype or floatx())
    if shape is None:
        return array
    return (
        np.array(np.broadcast_to(array, shape))
        if array.size == 1
        else np.reshape(array, shape)
    )


def zeros(shape: Shape, dtype: Any = None, name: str | None = None) -> Variable:
    """Return a variable of zeros."""
    return Variable(np.zeros(shape), dtype, name)


def ones(shape: Shape, dtype: Any = None, name: str | None = None) -> Variable:
    """Return a variable of ones."""
    return Variable(np.ones(shape), dtype, name)


def eye(size: int, dtype: Any = None, name: str | None = None) -> Variable:
    """Return a variable with ones on the diagonal and zeros elsewhere."""
    return Variable(np.eye(size), dtype, name)


def zeros_like(x: Any, dtype: Any = None, name: str | None = None) -> Any:
    """Return zeros of the shape of x."""
    return np.zeros_like(tensor(x), dtype=dtype)


def ones_like(x: Any, dtype: Any = None, name: str | None = None) -> Any:
    """Return ones of the shape of x."""
    return np.ones_like(tensor(x), dtype=dtype)


# ---------------------------------------------------------------- random numbers


def _stream(seed: int | None) -> random.Generator:
    return random.generator() if seed is None else random.Generator(seed)


def random_uniform(
    shape: Shape,
    minval: float = 0.0,
    maxval: float = 1.0,
    dtype: Any = None,
    seed: int | None = None,
) -> np.ndarray:
    """Return numbers drawn evenly from [minval, maxval)."""
    return _stream(seed).uniform(shape, minval, maxval, dtype)


def random_normal(
    shape: Shape,
    mean: float = 0.0,
    stddev: float = 1.0,
    dtype: Any = None,
    seed: int | None = None,
) -> np.ndarray:
    """Return normal numbers."""
    return _stream(seed).normal(shape, mean, stddev, dtype)


def truncated_normal(
    shape: Shape,
    mean: float = 0.0,
    stddev: float = 1.0,
    dtype: Any = None,
    seed: int | None = None,
) -> np.ndarray:
    """Return normal numbers, drawn again until within two stddev of the mean."""
    return _stream(seed).truncated_normal(shape, mean, stddev, dtype)


def random_binomial(
    shape: Shape, p: float = 0.0, dtype: Any = None, seed: int | None = None
) -> np.ndarray:
    """Return 1 with probability p, else 0."""
    return (_stream(seed).uniform(shape) < p).astype(dtype or floatx())


def random_uniform_variable(
    shape: Shape,
    low: float,
    high: float,
    dtype: Any = None,
    name: str | None = None,
    seed: int | None = None,
) -> Variable:
    """Return a variable filled by `random_uniform`."""
    return Variable(random_uniform(shape, low, high, dtype, seed), dtype, name)


def random_normal_variable(
    shape: Shape,
    mean: float,
    scale: float,
    dtype: Any = None,
    name: str | None = None,
    seed: int | None = None,
) -> Variable:
    """Return a variable filled by `random_normal`."""
    return Variable(random_normal(shape, mean, scale, dtype, seed), dtype, name)


# ---------------------------------------------------------------- values


def eval(x: Any) -> Any:
    """Return the value of x as an array of its own."""
    return np.array(tensor(x))[()]


def get_value(x: Any) -> Any:
    """Return a copy of what a variable, weight or setting of an optimizer holds."""
    return float(x) if isinstance(x, Setting) else eval(x)


def set_value(x: Any, value: Any) -> None:
    """
    Give a variable, weight or array new numbers, or an optimizer's setting a new one.

    Parameters
    ----------
    x : Variable, Weight, array, or a setting such as `model.optimizer.lr`
    value : array-like
        Of the same shape.

    Raises
    ------
    TypeError
        If x is a plain number, of which nobody knows where it stands.

    Examples
    --------
    >>> from kerasnb.optimizers import SGD
    >>> optimizer = SGD(lr=0.1)
    >>> set_value(optimizer.lr, 0.5 * get_value(optimizer.lr))
    >>> optimizer.lr
    0.05
    """
    if isinstance(x, (Variable, Weight)):
        x.assign(tensor(value))
    elif isinstance(x, Setting):
        x.assign(float(value))
    elif isinstance(x, np.ndarray):
        fill(x, tensor(value), "set_value")
    else:
        raise TypeError(
            "set_value: expected a variable, a weight, an array or a setting such as "
            f"model.optimizer.lr, got {x!r:.80}. Assign the attribute instead: "
            "thing.name = value."
        )


def batch_get_value(ops: Sequence[Any]) -> list[Any]:
    """Return `get_value` of each."""
    return [get_value(x) for x in ops]


def batch_set_value(tuples: Sequence[tuple[Any, Any]]) -> None:
    """Do `set_value` for each pair (variable, value)."""
    for x, value in tuples:
        set_value(x, value)


def update(x: Any, new_x: Any) -> Any:
    """Give x new numbers at once, and return it."""
    set_value(x, new_x)
    return x


def update_add(x: Any, increment: Any) -> Any:
    """Add to x at once, and return it."""
    return update(x, tensor(x) + operand(increment))


def update_sub(x: Any, decrement: Any) -> Any:
    """Subtract from x at once, and return it."""
    return update(x, tensor(x) - operand(decrement))


def moving_average_update(x: Any, value: Any, momentum: float) -> Any:
    """Let x follow `value`: momentum x + (1 - momentum) value; return it."""
    return update(x, momentum * tensor(x) + (1 - momentum) * operand(value))


# ---------------------------------------------------------------- what needs a graph


def placeholder(*args: Any, **kwargs: Any) -> NoReturn:
    """Raise an error: there are no symbols here."""
    raise NotImplementedError(
        "placeholder: kerasnb computes at once and has no symbols. Call the function "
        "with the array itself; a model gets its input shape from input_shape=(...)."
    )


def function(*args: Any, **kwargs: Any) -> NoReturn:
    """Raise an error: there is no graph to compile."""
    raise NotImplementedError(
        "function: kerasnb has no graph to compile. What layer k puts out is "
        "Sequential(model.layers[:k + 1]).predict(x); one layer is layer(x)."
    )


def gradients(*args: Any, **kwargs: Any) -> NoReturn:
    """Raise an error: there is no graph to differentiate."""
    raise NotImplementedError(
        "gradients: kerasnb has no graph to differentiate. After train_on_batch, "
        "weight.grad of each weight in model.trainable_weights holds its gradient; "
        "kerasnb.grad(f) is the gradient of a function f."
    )
