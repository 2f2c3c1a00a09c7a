"""
Mathematics of Keras's backend: thin functions over NumPy, arrays in and arrays out.

They keep Keras's names, argument order, and defaults of `axis` and `keepdims`. Each one
consists of calls that NumPy dispatches, and converts numbers and lists only, so an
object that stands in for an array passes through untouched. Read next: `backend.py`,
whose second half this is.
"""

from __future__ import annotations

import math
import string
from typing import Any

import numpy as np

from .autodiff import Taped
from .device import epsilon, floatx
from .layer import Weight
from .variable import Variable

__all__ = """
    abs all any arange argmax argmin batch_dot batch_flatten binary_crossentropy
    cast cast_to_floatx categorical_crossentropy clip concatenate cos cumprod cumsum
    dot elu equal exp expand_dims flatten gather greater greater_equal hard_sigmoid
    in_top_k l2_normalize less less_equal log logsumexp max maximum mean min minimum
    not_equal one_hot permute_dimensions pow prod relu repeat repeat_elements
    reshape reverse round sigmoid sign sin softmax softplus softsign
    sparse_categorical_crossentropy sqrt square squeeze stack std stop_gradient sum
    switch tanh
    tile transpose var
""".split()

SMALLEST_SQUARE = 1e-12  # what l2_normalize takes for zero


# ---------------------------------------------------------------- what comes in


def tensor(x: Any) -> Any:
    """
    Return numbers and lists as arrays, boxes as what is inside, the rest as it is.

    Examples
    --------
    >>> tensor([1.0, 2.0])
    array([1., 2.], dtype=float32)
    """
    if isinstance(x, (Variable, Weight)):
        return x.value
    if isinstance(x, (list, tuple)):
        stands_in = builtin_any(hasattr(part, "__array_function__") for part in x)
        x = np.stack([tensor(part) for part in x]) if stands_in else np.array(x)
        return x.astype(floatx()) if x.dtype == np.float64 and not stands_in else x
    if type(x) is float:  # and not np.float64, which is one too
        return np.array(x, floatx())
    return np.array(x) if type(x) in (bool, int) else x


def operand(x: Any) -> Any:
    """Return `tensor(x)`, but a number as it is: it adapts to the other operand."""
    return x if type(x) in (bool, int, float) else tensor(x)


def floating(x: Any) -> Any:
    """Return `tensor(x)` in floatx, if it holds whole numbers or truth values."""
    x = tensor(x)
    return x.astype(floatx()) if np.dtype(x.dtype).kind in "biu" else x


def builtin_any(values: Any) -> bool:
    """Return what Python's `any` does, whose name is taken here."""
    return True in map(bool, values)


def _axes(axis: Any) -> Any:
    return tuple(axis) if isinstance(axis, list) else axis


# ---------------------------------------------------------------- number by number


def square(x: Any) -> Any:
    """Return x squared."""
    return np.square(tensor(x))


def sqrt(x: Any) -> Any:
    """Return the square root; of a negative number 0, as Keras does."""
    return np.sqrt(np.maximum(floating(x), 0))


def exp(x: Any) -> Any:
    """Return e to the power x."""
    return np.exp(floating(x))


def log(x: Any) -> Any:
    """Return the natural logarithm."""
    return np.log(floating(x))


def abs(x: Any) -> Any:
    """Return the absolute value."""
    return np.abs(tensor(x))


def pow(x: Any, a: Any) -> Any:
    """Return x to the power a."""
    return np.power(tensor(x), operand(a))


def sign(x: Any) -> Any:
    """Return -1, 0 or 1."""
    return np.sign(tensor(x))


def round(x: Any) -> Any:
    """Return the nearest whole number, the even one of two."""
    return np.round(tensor(x))


def sin(x: Any) -> Any:
    """Return the sine."""
    return np.sin(floating(x))


def cos(x: Any) -> Any:
    """Return the cosine."""
    return np.cos(floating(x))


def clip(x: Any, min_value: Any, max_value: Any) -> Any:
    """Return x within the limits; None is no limit."""
    if min_value is not None and max_value is not None and max_value < min_value:
        max_value = min_value
    return np.clip(tensor(x), min_value, max_value)


def maximum(x: Any, y: Any) -> Any:
    """Return the larger of each pair."""
    return np.maximum(operand(x), operand(y))


def minimum(x: Any, y: Any) -> Any:
    """Return the smaller of each pair."""
    return np.minimum(operand(x), operand(y))


def equal(x: Any, y: Any) -> Any:
    """Return where x == y."""
    return np.equal(operand(x), operand(y))


def not_equal(x: Any, y: Any) -> Any:
    """Return where x != y."""
    return np.not_equal(operand(x), operand(y))


def greater(x: Any, y: Any) -> Any:
    """Return where x > y."""
    return np.greater(operand(x), operand(y))


def greater_equal(x: Any, y: Any) -> Any:
    """Return where x >= y."""
    return np.greater_equal(operand(x), operand(y))


def less(x: Any, y: Any) -> Any:
    """Return where x < y."""
    return np.less(operand(x), operand(y))


def less_equal(x: Any, y: Any) -> Any:
    """Return where x <= y."""
    return np.less_equal(operand(x), operand(y))


def cast(x: Any, dtype: Any) -> Any:
    """Return x in another type, such as 'float32' or 'int32'."""
    return tensor(x).astype(dtype)


def stop_gradient(variables: Any) -> Any:
    """Return x, or several in a list, as constants for a derivative."""
    if isinstance(variables, (list, tuple)):
        return [stop_gradient(x) for x in variables]
    return variables.value if isinstance(variables, Taped) else tensor(variables)


def cast_to_floatx(x: Any) -> Any:
    """Return x in the type of newly made layers."""
    return cast(x, floatx())


def switch(condition: Any, then_expression: Any, else_expression: Any) -> Any:
    """
    Return one of two values where a condition holds, and the other elsewhere.

    Parameters
    ----------
    condition : bool or array
        Of as many axes as the values, or of fewer: then whole parts are chosen.
    then_expression, else_expression : array or function without arguments
    """
    condition = tensor(condition)
    if not condition.shape:
        chosen = then_expression if bool(condition) else else_expression
        return tensor(chosen() if callable(chosen) else chosen)
    values = [
        operand(value() if callable(value) else value)
        for value in (then_expression, else_expression)
    ]
    axes = [len(getattr(value, "shape", ())) for value in values]
    more = sorted(axes)[-1] - len(condition.shape)
    return np.where(np.reshape(condition, (*condition.shape, *[1] * more)), *values)


# ---------------------------------------------------------------- along an axis


def sum(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the sum over all numbers, or along an axis or several."""
    return np.sum(tensor(x), axis=_axes(axis), keepdims=keepdims)


def prod(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the product over all numbers, or along an axis or several."""
    return np.prod(tensor(x), axis=_axes(axis), keepdims=keepdims)


def mean(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """
    Return the mean over all numbers, or along an axis or several.

    Examples
    --------
    >>> mean([[1.0, 2.0], [3.0, 6.0]], axis=-1)
    array([1.5, 4.5], dtype=float32)
    """
    return np.mean(floating(x), axis=_axes(axis), keepdims=keepdims)


def var(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the mean squared deviation from the mean."""
    x = floating(x)
    deviation = x - np.mean(x, axis=_axes(axis), keepdims=True)
    return np.mean(np.square(deviation), axis=_axes(axis), keepdims=keepdims)


def std(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the square root of `var`."""
    return np.sqrt(var(x, axis, keepdims))


def max(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the largest number of all, or along an axis or several."""
    return np.max(tensor(x), axis=_axes(axis), keepdims=keepdims)


def min(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the smallest number of all, or along an axis or several."""
    return np.min(tensor(x), axis=_axes(axis), keepdims=keepdims)


def any(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return whether one of the values is true."""
    return np.any(tensor(x), axis=_axes(axis), keepdims=keepdims)


def all(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return whether all values are true."""
    return np.all(tensor(x), axis=_axes(axis), keepdims=keepdims)


def argmax(x: Any, axis: int = -1) -> Any:
    """Return the place of the largest number along an axis."""
    return np.argmax(tensor(x), axis=axis)


def argmin(x: Any, axis: int = -1) -> Any:
    """Return the place of the smallest number along an axis."""
    return np.argmin(tensor(x), axis=axis)


def cumsum(x: Any, axis: int = 0) -> Any:
    """Return the running sum along an axis."""
    return np.cumsum(tensor(x), axis=axis)


def cumprod(x: Any, axis: int = 0) -> Any:
    """Return the running product along an axis."""
    return np.cumprod(tensor(x), axis=axis)


def logsumexp(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return log(sum(exp(x))), the maximum taken out so that exp cannot overflow."""
    x = floating(x)
    top = np.max(x, axis=_axes(axis), keepdims=True)
    top = np.where(np.isfinite(top), top, 0)
    total = np.sum(np.exp(x - top), axis=_axes(axis), keepdims=True)
    y = np.log(total) + top
    return y if keepdims else np.squeeze(y, axis=_axes(axis))


def l2_normalize(x: Any, axis: Any = None) -> Any:
    """Return x divided by its Euclidean norm along an axis."""
    x = floating(x)
    squares = np.sum(np.square(x), axis=_axes(axis), keepdims=True)
    return x / np.sqrt(np.maximum(squares, SMALLEST_SQUARE))


# ---------------------------------------------------------------- products


def dot(x: Any, y: Any) -> Any:
    """Return the sum of products over the last axis of x and the last but one of y."""
    return np.dot(tensor(x), tensor(y))


def batch_dot(x: Any, y: Any, axes: Any = None) -> Any:
    """
    Return the sum of products over one axis of x and one of y, sample by sample.

    Parameters
    ----------
    x, y : array of at least 2 axes
        The first axis is the batch.
    axes : int or pair of int, optional
        Counted with the batch. Default: the last axis of x and the last but one of y;
        of a y with 2 axes the last.

    Examples
    --------
    >>> batch_dot([[1.0, 2.0], [3.0, 4.0]], [[1.0, 1.0], [0.0, 2.0]], axes=1)
    array([[3.],
           [8.]], dtype=float32)
    """
    x, y = tensor(x), tensor(y)
    if x.ndim < 2 or y.ndim < 2:
        raise ValueError(
            "batch_dot: expected arrays of at least 2 axes, the batch first, got "
            f"shapes {x.shape} and {y.shape}."
        )
    if axes is None:
        axes = (x.ndim - 1, y.ndim - 2 or 1)
    a, b = (axes, axes) if isinstance(axes, int) else axes
    a, b = a % x.ndim, b % y.ndim
    if 0 in (a, b) or x.shape[a] != y.shape[b]:
        raise ValueError(
            f"batch_dot: axes {(a, b)} of shapes {x.shape} and {y.shape} must have one "
            "size, and none is the batch axis 0."
        )
    left = string.ascii_letters[: x.ndim]
    right = list(left[0] + string.ascii_letters[x.ndim : x.ndim + y.ndim - 1])
    right[b] = left[a]
    out = (left + "".join(right[1:])).replace(left[a], "")
    product = np.einsum(f"{left},{''.join(right)}->{out}", x, y)
    return product if product.ndim > 1 else np.expand_dims(product, 1)


# ---------------------------------------------------------------- shapes


def reshape(x: Any, shape: Any) -> Any:
    """Return the numbers in another shape; one axis may be -1."""
    return np.reshape(tensor(x), tuple(shape))


def flatten(x: Any) -> Any:
    """Return all numbers in one axis."""
    return np.reshape(tensor(x), (-1,))


def batch_flatten(x: Any) -> Any:
    """Return each sample in one axis."""
    x = tensor(x)
    return np.reshape(x, (x.shape[0], math.prod(x.shape[1:])))


def transpose(x: Any) -> Any:
    """Return the axes in reverse order."""
    return np.transpose(tensor(x))


def permute_dimensions(x: Any, pattern: Any) -> Any:
    """Return the axes in the order of `pattern`."""
    return np.transpose(tensor(x), tuple(pattern))


def expand_dims(x: Any, axis: int = -1) -> Any:
    """Return x with one more axis, of size 1."""
    return np.expand_dims(tensor(x), axis)


def squeeze(x: Any, axis: int) -> Any:
    """Return x without an axis of size 1."""
    return np.squeeze(tensor(x), axis=axis)


def concatenate(tensors: Any, axis: int = -1) -> Any:
    """Return the arrays one behind the other along an axis."""
    return np.concatenate([tensor(x) for x in tensors], axis=axis)


def stack(x: Any, axis: int = 0) -> Any:
    """Return the arrays side by side along a new axis."""
    return np.stack([tensor(part) for part in x], axis=axis)


def repeat(x: Any, n: int) -> Any:
    """Return x (N, D) n times along a new axis: (N, n, D)."""
    x = tensor(x)
    if x.ndim != 2:
        raise ValueError(
            f"repeat: expected an array of 2 axes, got shape {x.shape}. "
            "repeat_elements and tile take any."
        )
    return np.repeat(np.expand_dims(x, 1), n, axis=1)


def repeat_elements(x: Any, rep: int, axis: int) -> Any:
    """Return every entry along an axis `rep` times in a row."""
    return np.repeat(tensor(x), rep, axis=axis)


def tile(x: Any, n: Any) -> Any:
    """Return x side by side with itself, n times along each axis."""
    return np.tile(tensor(x), n if isinstance(n, int) else tuple(n))


def reverse(x: Any, axes: Any) -> Any:
    """Return x backwards along an axis or several."""
    return np.flip(tensor(x), axis=_axes(axes))


def arange(start: Any, stop: Any = None, step: Any = 1, dtype: Any = "int32") -> Any:
    """Return start, start + step, ... below stop; with one number, from 0 up to it."""
    if stop is None:
        start, stop = 0, start
    bounds: tuple = (start, stop, step)
    return np.arange(*bounds, dtype=dtype)


def gather(reference: Any, indices: Any) -> Any:
    """Return the rows of `reference` that the indices name."""
    return np.take(tensor(reference), tensor(indices).astype(np.int64), axis=0)


def one_hot(indices: Any, num_classes: int) -> Any:
    """
    Return a row for each index: 1 at its place, 0 elsewhere.

    Examples
    --------
    >>> one_hot([0, 2], 3)
    array([[1., 0., 0.],
           [0., 0., 1.]], dtype=float32)
    """
    codes = np.expand_dims(tensor(indices), -1)
    return np.equal(codes, np.arange(num_classes)).astype(floatx())


# ---------------------------------------------------------------- activations


def relu(
    x: Any, alpha: float = 0.0, max_value: float | None = None, threshold: float = 0.0
) -> Any:
    """Return x above the threshold, capped, and alpha (x - threshold) below."""
    x = floating(x)
    above = x if max_value is None else np.minimum(x, max_value)
    return np.where(x > threshold, above, alpha * (x - threshold))


def elu(x: Any, alpha: float = 1.0) -> Any:
    """Return x where positive, alpha (e^x - 1) elsewhere."""
    x = floating(x)
    return np.where(x > 0, x, alpha * (np.exp(np.minimum(x, 0)) - 1))


def sigmoid(x: Any) -> Any:
    """Return 1 / (1 + e^-x); written so that nothing overflows."""
    return np.exp(-softplus(-floating(x)))


def hard_sigmoid(x: Any) -> Any:
    """Return 0.2 x + 0.5 within 0 and 1."""
    return np.clip(0.2 * floating(x) + 0.5, 0, 1)


def tanh(x: Any) -> Any:
    """Return the hyperbolic tangent."""
    return np.tanh(floating(x))


def softplus(x: Any) -> Any:
    """Return log(1 + e^x); written so that nothing overflows."""
    x = floating(x)
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def softsign(x: Any) -> Any:
    """Return x / (1 + |x|)."""
    x = floating(x)
    return x / (1 + np.abs(x))


def softmax(x: Any, axis: int = -1) -> Any:
    """Return positive numbers along an axis that add up to 1, as e^x does."""
    x = floating(x)
    e = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return e / np.sum(e, axis=axis, keepdims=True)


# ---------------------------------------------------------------- losses


def categorical_crossentropy(
    target: Any, output: Any, from_logits: bool = False, axis: int = -1
) -> Any:
    """Return -sum t log q over an axis, q the output made to add up to 1."""
    q = floating(output)
    if not from_logits:
        q = q / np.sum(q, axis=axis, keepdims=True)
    return -np.sum(floating(target) * _log(q, from_logits, axis), axis=axis)


def sparse_categorical_crossentropy(
    target: Any, output: Any, from_logits: bool = False, axis: int = -1
) -> Any:
    """Return -log of the probability of each class number in `target`."""
    q = floating(output)
    log_q = _log(q, from_logits, axis)
    if not from_logits:  # clipped probabilities add up to 1 no more
        log_q = log_q - logsumexp(log_q, axis, keepdims=True)
    log_q = np.moveaxis(log_q, axis, -1)
    labels = np.reshape(tensor(target), log_q.shape[:-1])
    hits = one_hot(labels, log_q.shape[-1])
    if not np.all(np.sum(hits, axis=-1) == 1):
        raise ValueError(
            "sparse_categorical_crossentropy: expected whole class numbers from 0 to "
            f"{log_q.shape[-1] - 1}, got others. Do the predictions have a column for "
            "each class?"
        )
    return -np.sum(hits.astype(log_q.dtype) * log_q, axis=-1)


def binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> Any:
    """Return -t log q - (1 - t) log(1 - q) number by number: not yet a mean."""
    t, z = floating(target), floating(output)
    if not from_logits:
        q = np.clip(z, epsilon(), 1 - epsilon())
        z = np.log(q) - np.log(1 - q)
    return softplus(z) - z * t


def in_top_k(predictions: Any, targets: Any, k: int) -> Any:
    """Return for each row whether its class is among the k best; a tie counts."""
    p, t = tensor(predictions), tensor(targets)
    hits = np.equal(np.reshape(t, (-1, 1)), np.arange(p.shape[1]))
    own = np.sum(np.where(hits, p, 0), axis=1, keepdims=True)
    valid = np.any(hits, axis=1) & np.isfinite(own[:, 0])
    return valid & np.less(np.sum(p > own, axis=1), k)


def _log(x: Any, from_logits: bool, axis: int) -> Any:
    if from_logits:
        return x - logsumexp(x, axis, keepdims=True)
    return np.log(np.clip(x, epsilon(), 1 - epsilon()))
