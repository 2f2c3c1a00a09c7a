"""
The operations that the tape knows: each function of NumPy beside its derivatives.

`DERIVATIVES` has one function for each operand: given dy, the result y and the operands
it returns the gradient of its operand. What has slope zero everywhere stands in
`PLAIN`, and what is a sentence made of other operations in `COMPOSED`. Operands that
NumPy stretched get their gradient summed by the tape. Read next: `autodiff.py`, which
plays these rules backwards.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

Rule = tuple  # of one derivative for each operand; None: it has none

LN2, LN10 = math.log(2), math.log(10)


# ---- primitives of our own --------------------------------------------------------


def item(x: Any, key: Any) -> Any:
    """Return x[key]."""
    return x[key]


def cast(x: Any, dtype: Any) -> Any:
    """Return x in another type of floats."""
    return x.astype(dtype)


def contract(subscripts: str, *operands: Any) -> Any:
    """Return einsum of subscripts that name every axis, those of the result too."""
    sizes: dict[str, int] = {}
    for names, x in zip(subscripts.partition("->")[0].split(","), operands):
        for letter, size in zip(names, np.shape(x)):
            if sizes.setdefault(letter, size) != size:
                shapes = ", ".join(str(np.shape(x)) for x in operands)
                raise ValueError(
                    f"Axes that are multiplied must have one size, got {sizes[letter]} "
                    f"and {size} in arrays of shapes {shapes}."
                )
    return np.einsum(subscripts, *operands)


def on_tape(function: Callable, *args: Any) -> Any:
    """Call one of these primitives with taped arrays among the arguments."""
    taped = next(x for x in args if hasattr(x, "tape"))
    return taped.__array_function__(function, (), args, {})


# ---- what the derivatives need ----------------------------------------------------


def spread(dy: Any, x: Any, axis: Any, keepdims: Any = False) -> Any:
    """Return what belongs to a reduced array in the shape of the array x."""
    if axis is not None and not keepdims:
        thin = list(x.shape)
        for k in axis if isinstance(axis, tuple) else (axis,):
            thin[k] = 1
        dy = dy.reshape(thin)
    wide = np.empty(x.shape, dy.dtype)
    wide[...] = dy  # quicker than broadcast_to for small arrays, and may be kept
    return wide


def count(x: Any, y: Any) -> int:
    """Return how many numbers of x made one number of y."""
    return x.size // max(y.size, 1)


def extreme(dy: Any, y: Any, x: Any, axis: Any, keepdims: Any) -> Any:
    """Return the gradient of a maximum or minimum: winners that tie share it."""
    won = x == spread(y, x, axis, keepdims)
    winners = np.sum(won, axis=axis, keepdims=True).astype(x.dtype)
    return won * spread(dy, x, axis, keepdims) / winners


def wins(compare: Callable, a: Any, b: Any) -> Any:
    """
    Return where a wins over b.

    Of two that tie a single number wins, which is a limit, and else the second: as in
    relu, nothing moves a value that just reaches its limit.
    """
    return compare(a, b) | (np.equal(a, b) & (np.ndim(a) < np.ndim(b)))


def extremes(compare: Callable) -> Rule:
    """Return the derivatives of maximum (compare: greater) or minimum (less)."""
    return (
        lambda dy, y, a, b: dy * wins(compare, a, b),
        lambda dy, y, a, b: dy * ~wins(compare, a, b),
    )


def power_of_exponent(dy: Any, y: Any, x: Any, a: Any) -> Any:
    """Return dy x^a log x, and 0 where x is 0."""
    return dy * y * np.log(np.where(x == 0, 1, x))


def scattered(dy: Any, x: Any, key: Any) -> Any:
    """Return zeros like x with dy added at x[key]: twice if the key names it twice."""
    dx = np.zeros(x.shape, dy.dtype)
    parts = key if isinstance(key, tuple) else (key,)
    if any(isinstance(part, (list, np.ndarray)) for part in parts):
        np.add.at(dx, key, dy)
    else:
        dx[key] = dy
    return dx


def product_rule(dy: Any, y: Any, x: Any, axis: Any, keepdims: Any) -> Any:
    """Return dy times the product of all the others; x may contain zeros."""
    axes = range(x.ndim) if axis is None else np.atleast_1d(axis) % x.ndim
    axes = tuple(int(k) for k in axes)
    order = (*(k for k in range(x.ndim) if k not in axes), *axes)
    kept = x.transpose(order)
    rows = kept.reshape(-1, math.prod(x.shape[k] for k in axes))
    before, after = np.ones_like(rows), np.ones_like(rows)
    before[:, 1:] = np.cumprod(rows[:, :-1], axis=1)
    after[:, -2::-1] = np.cumprod(rows[:, :0:-1], axis=1)
    others = (before * after).reshape(kept.shape).transpose(np.argsort(order))
    return spread(dy, x, axis, keepdims) * others


def backward_cumsum(dy: Any, y: Any, x: Any, axis: Any = None, dtype: Any = None):
    """Return the running sum from behind."""
    axis = 0 if axis is None else axis  # then y and dy are flat
    return np.flip(np.cumsum(np.flip(dy, axis), axis), axis).reshape(x.shape)


def backward_cumprod(dy: Any, y: Any, x: Any, axis: Any = None, dtype: Any = None):
    """Take y[k] = y[k - 1] x[k] apart, from the last to the first."""
    axis = 0 if axis is None else axis
    dx = np.zeros(y.shape, dy.dtype)
    factors = np.moveaxis(x.reshape(y.shape), axis, 0)
    steps, results = np.moveaxis(dx, axis, 0), np.moveaxis(y, axis, 0)
    slope = np.zeros(results.shape[1:], dy.dtype)
    for k in range(len(results) - 1, -1, -1):
        slope = slope + np.moveaxis(dy, axis, 0)[k]
        steps[k] = slope * results[k - 1] if k else slope
        slope = slope * factors[k]
    return dx.reshape(x.shape)


def backward_take(dy: Any, y: Any, x: Any, indices: Any, axis: Any = None) -> Any:
    """Return zeros with dy added where it was taken from."""
    indices = np.asarray(indices)
    if axis is None:
        return scattered(dy, x.reshape(-1), indices).reshape(x.shape)
    key = (slice(None),) * (axis % x.ndim) + (indices,)
    return scattered(dy, x, key)


def backward_take_along(dy: Any, y: Any, x: Any, indices: Any, axis: Any = -1):
    """Return zeros with dy added where it was taken from, along one axis."""
    if axis is None:
        return scattered(dy, x.reshape(-1), indices).reshape(x.shape)
    key = list(np.ogrid[tuple(slice(size) for size in indices.shape)])
    key[axis] = indices
    return scattered(dy, x, tuple(np.broadcast_arrays(*key)))


def left_of_matmul(dy: Any, y: Any, a: Any, b: Any) -> Any:
    """Return dy bT."""
    if b.ndim == 1:
        return dy[..., None] * b if a.ndim > 1 else dy * b
    if a.ndim == 1:
        return np.matmul(dy[..., None, :], np.swapaxes(b, -1, -2))[..., 0, :]
    return np.matmul(dy, np.swapaxes(b, -1, -2))


def right_of_matmul(dy: Any, y: Any, a: Any, b: Any) -> Any:
    """Return aT dy."""
    if a.ndim == 1:
        return a[:, None] * dy[..., None, :] if b.ndim > 1 else dy * a
    if b.ndim == 1:
        return (dy[..., None] * a).reshape(-1, len(b)).sum(axis=0)
    return np.matmul(np.swapaxes(a, -1, -2), dy)


def backward_contract(dy: Any, y: Any, subscripts: str, *operands: Any) -> list:
    """Return for each operand the sum over the axes that it lacks."""
    inputs, output = subscripts.split("->")
    names = inputs.split(",")
    found = []
    for k, own in enumerate(names):
        others = [output, *names[:k], *names[k + 1 :]]
        known = "".join(letter for letter in own if letter in "".join(others))
        arrays = (dy, *operands[:k], *operands[k + 1 :])
        dx = np.einsum(f"{','.join(others)}->{known}", *arrays)
        lone = tuple(at for at, letter in enumerate(own) if letter not in known)
        found.append(np.broadcast_to(np.expand_dims(dx, lone), operands[k].shape))
    return [None, *found]


def backward_concatenate(dy: Any, y: Any, arrays: Any, axis: Any = 0) -> list:
    """Cut dy into the parts that were joined."""
    if axis is None:
        stops = np.cumsum([x.size for x in arrays])[:-1]
        parts = zip(np.split(dy, stops), arrays)
        return [[part.reshape(x.shape) for part, x in parts]]
    stops = np.cumsum([x.shape[axis] for x in arrays])[:-1]
    return [np.split(dy, stops, axis)]


def opposite(shift: Any) -> Any:
    """Return the shift that undoes one of np.roll."""
    return tuple(-s for s in shift) if isinstance(shift, tuple) else -shift


# ---- the table --------------------------------------------------------------------

DERIVATIVES: dict[Callable, Rule | Callable] = {
    # number by number
    np.add: (lambda dy, y, a, b: dy, lambda dy, y, a, b: dy),
    np.subtract: (lambda dy, y, a, b: dy, lambda dy, y, a, b: -dy),
    np.multiply: (lambda dy, y, a, b: dy * b, lambda dy, y, a, b: dy * a),
    np.divide: (lambda dy, y, a, b: dy / b, lambda dy, y, a, b: -dy * y / b),
    np.power: (
        lambda dy, y, x, a: (
            dy * a * x ** np.where(np.equal(a, 0), 1, np.subtract(a, 1))
            if np.ndim(a)
            else dy * a * x ** (a - 1 if a else 1)
        ),
        power_of_exponent,
    ),
    np.remainder: (lambda dy, y, a, b: dy, lambda dy, y, a, b: -dy * (a // b)),
    np.negative: (lambda dy, y, x: -dy,),
    np.positive: (lambda dy, y, x: dy,),
    np.reciprocal: (lambda dy, y, x: -dy * y * y,),
    np.absolute: (lambda dy, y, x: dy * np.sign(x),),
    np.fabs: (lambda dy, y, x: dy * np.sign(x),),
    np.square: (lambda dy, y, x: 2 * dy * x,),
    np.sqrt: (lambda dy, y, x: dy * 0.5 / y,),
    np.cbrt: (lambda dy, y, x: dy / (3 * y * y),),
    np.exp: (lambda dy, y, x: dy * y,),
    np.exp2: (lambda dy, y, x: dy * y * LN2,),
    np.expm1: (lambda dy, y, x: dy * (y + 1),),
    np.log: (lambda dy, y, x: dy / x,),
    np.log2: (lambda dy, y, x: dy / (x * LN2),),
    np.log10: (lambda dy, y, x: dy / (x * LN10),),
    np.log1p: (lambda dy, y, x: dy / (1 + x),),
    np.logaddexp: (
        lambda dy, y, a, b: dy * np.exp(a - y),
        lambda dy, y, a, b: dy * np.exp(b - y),
    ),
    np.sin: (lambda dy, y, x: dy * np.cos(x),),
    np.cos: (lambda dy, y, x: -dy * np.sin(x),),
    np.tan: (lambda dy, y, x: dy * (1 + y * y),),
    np.arcsin: (lambda dy, y, x: dy / np.sqrt(1 - x * x),),
    np.arccos: (lambda dy, y, x: -dy / np.sqrt(1 - x * x),),
    np.arctan: (lambda dy, y, x: dy / (1 + x * x),),
    np.arctan2: (
        lambda dy, y, a, b: dy * b / (a * a + b * b),
        lambda dy, y, a, b: -dy * a / (a * a + b * b),
    ),
    np.sinh: (lambda dy, y, x: dy * np.cosh(x),),
    np.cosh: (lambda dy, y, x: dy * np.sinh(x),),
    np.tanh: (lambda dy, y, x: dy * (1 - y * y),),
    np.hypot: (lambda dy, y, a, b: dy * a / y, lambda dy, y, a, b: dy * b / y),
    np.maximum: extremes(np.greater),
    np.minimum: extremes(np.less),
    np.where: (
        None,
        lambda dy, y, c, a, b: np.where(c, dy, 0),
        lambda dy, y, c, a, b: np.where(c, 0, dy),
    ),
    np.clip: (
        lambda dy, y, x, a_min=None, a_max=None: dy * (x == y),
        lambda dy, y, x, a_min=None, a_max=None: dy * (x < a_min),
        lambda dy, y, x, a_min=None, a_max=None: dy * (x > a_max),
    ),
    cast: (lambda dy, y, x, dtype: dy, None),
    # sums and their like
    np.sum: (
        lambda dy, y, x, axis=None, dtype=None, out=None, keepdims=False: spread(
            dy, x, axis, keepdims
        ),
    ),
    np.mean: (
        lambda dy, y, x, axis=None, dtype=None, out=None, keepdims=False: spread(
            dy / count(x, y), x, axis, keepdims
        ),
    ),
    np.prod: (
        lambda dy, y, x, axis=None, dtype=None, out=None, keepdims=False: product_rule(
            dy, y, x, axis, keepdims
        ),
    ),
    np.max: (
        lambda dy, y, x, axis=None, out=None, keepdims=False: extreme(
            dy, y, x, axis, keepdims
        ),
    ),
    np.min: (
        lambda dy, y, x, axis=None, out=None, keepdims=False: extreme(
            dy, y, x, axis, keepdims
        ),
    ),
    np.cumsum: (backward_cumsum,),
    np.cumprod: (backward_cumprod,),
    # products
    np.matmul: (left_of_matmul, right_of_matmul),
    contract: backward_contract,
    # shapes; broadcast_to is undone by the tape itself
    np.reshape: (lambda dy, y, x, shape=None: dy.reshape(x.shape),),
    np.ravel: (lambda dy, y, x: dy.reshape(x.shape),),
    np.expand_dims: (lambda dy, y, x, axis: dy.reshape(x.shape),),
    np.squeeze: (lambda dy, y, x, axis=None: dy.reshape(x.shape),),
    np.broadcast_to: (lambda dy, y, x, shape: dy,),
    np.copy: (lambda dy, y, x: dy,),
    np.transpose: (
        lambda dy, y, x, axes=None: np.transpose(
            dy, None if axes is None else np.argsort(np.array(axes) % x.ndim)
        ),
    ),
    np.moveaxis: (
        lambda dy, y, x, source, destination: np.moveaxis(dy, destination, source),
    ),
    np.swapaxes: (lambda dy, y, x, axis1, axis2: np.swapaxes(dy, axis1, axis2),),
    np.flip: (lambda dy, y, x, axis=None: np.flip(dy, axis),),
    np.roll: (lambda dy, y, x, shift, axis=None: np.roll(dy, opposite(shift), axis),),
    np.tril: (lambda dy, y, x, k=0: np.tril(dy, k),),
    np.triu: (lambda dy, y, x, k=0: np.triu(dy, k),),
    np.concatenate: backward_concatenate,
    np.stack: lambda dy, y, arrays, axis=0: [list(np.moveaxis(dy, axis, 0))],
    # picking
    item: (lambda dy, y, x, key: scattered(dy, x, key), None),
    np.take: (backward_take, None),
    np.take_along_axis: (backward_take_along, None),
}
"""Operation -> the derivative for each operand, or a function that returns them all."""

PLAIN = {
    *(np.greater, np.greater_equal, np.less, np.less_equal, np.equal, np.not_equal),
    *(np.logical_and, np.logical_or, np.logical_xor, np.logical_not),
    *(np.sign, np.signbit, np.floor, np.ceil, np.rint, np.trunc, np.floor_divide),
    *(np.isnan, np.isinf, np.isfinite, np.isclose, np.allclose, np.array_equal),
    *(np.round, np.around, np.fix, np.any, np.all, np.count_nonzero, np.nonzero),
    *(np.argmax, np.argmin, np.argsort, np.argwhere, np.searchsorted, np.isin),
    *(np.zeros_like, np.ones_like, np.empty_like, np.full_like),
    *(np.shape, np.ndim, np.size, np.result_type, np.where),
}
"""Operations that return plain arrays: their slope is zero, or they have none."""


# ---- operations made of others ----------------------------------------------------


def _var(x, axis=None, dtype=None, out=None, ddof=0, keepdims=False):
    deviation = x - np.mean(x, axis=axis, keepdims=True)
    squares = np.sum(np.square(deviation), axis=axis, keepdims=keepdims)
    return squares / (x.size // max(np.size(squares), 1) - ddof)


def _std(x, axis=None, dtype=None, out=None, ddof=0, keepdims=False):
    return np.sqrt(_var(x, axis, ddof=ddof, keepdims=keepdims))


def _average(x, axis=None, weights=None):
    if weights is None:
        return np.mean(x, axis=axis)
    if np.shape(weights) != x.shape:  # one for each entry of the axis
        weights = np.moveaxis(np.reshape(weights, (-1,) + (1,) * (x.ndim - 1)), 0, axis)
    return np.sum(x * weights, axis=axis) / np.sum(weights, axis=axis)


def _norm(x, ord=None, axis=None, keepdims=False):
    if ord == 1 and (x.ndim == 1 or isinstance(axis, int)):
        return np.sum(np.abs(x), axis=axis, keepdims=keepdims)
    if ord in (None, 2, "fro") and not (ord == 2 and x.ndim > 1 and axis is None):
        return np.sqrt(np.sum(np.square(x), axis=axis, keepdims=keepdims))
    raise TypeError(
        f"numpy.linalg.norm: the tape knows the sum of absolute values (ord=1) and the "
        f"root of the sum of squares, got ord={ord!r} with axis={axis!r}."
    )


def _dot(a, b):
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        return np.multiply(a, b)
    if np.ndim(a) <= 2 and np.ndim(b) <= 2:
        return np.matmul(a, b)
    return np.tensordot(a, b, (-1, -2 if np.ndim(b) > 1 else -1))


def _inner(a, b):
    return np.tensordot(a, b, (-1, -1)) if np.ndim(a) and np.ndim(b) else a * b


def _tensordot(a, b, axes=2):
    if isinstance(axes, int):
        axes = range(np.ndim(a) - axes, np.ndim(a)), range(axes)
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    left = letters[: np.ndim(a)]
    right = list(letters[np.ndim(a) : np.ndim(a) + np.ndim(b)])
    for i, j in zip(np.atleast_1d(axes[0]), np.atleast_1d(axes[1])):
        right[j] = left[i]
    out = [c for c in left if c not in right] + [c for c in right if c not in left]
    return on_tape(contract, f"{left},{''.join(right)}->{''.join(out)}", a, b)


def _einsum(subscripts, *operands, optimize=False):
    if not isinstance(subscripts, str) or "." in subscripts:
        raise TypeError(
            "numpy.einsum: the tape knows subscripts such as 'ij,jk->ik', without "
            f"'...', got {subscripts!r}."
        )
    inputs, arrow, output = subscripts.replace(" ", "").partition("->")
    if not arrow:
        once = (c for c in inputs if c.isalpha() and inputs.count(c) == 1)
        output = "".join(sorted(once))
    if any(len(set(names)) < len(names) for names in inputs.split(",")):
        raise TypeError(
            f"numpy.einsum: the tape knows no diagonals, got {subscripts!r}, where an "
            "operand has one letter twice."
        )
    return on_tape(contract, f"{inputs}->{output}", *operands)


def _tile(x, reps):
    reps = (reps,) if isinstance(reps, (int, np.integer)) else tuple(reps)
    axes = max(x.ndim, len(reps))
    reps = (1,) * (axes - len(reps)) + reps
    shape = (1,) * (axes - x.ndim) + x.shape
    split = [size for s in shape for size in (1, s)]
    wide = [size for pair in zip(reps, shape) for size in pair]
    y = np.broadcast_to(np.reshape(x, split), wide)
    return np.reshape(y, [r * s for r, s in zip(reps, shape)])


def _repeat(x, repeats, axis=None):
    size = x.size if axis is None else x.shape[axis]
    return np.take(x, np.repeat(np.arange(size), repeats), axis=axis)


def _pad(x, pad_width, mode="constant", constant_values=0):
    if mode != "constant" or np.ndim(constant_values):
        raise TypeError(
            "numpy.pad: the tape knows mode='constant' with one number, got "
            f"mode={mode!r}."
        )
    for axis, widths in enumerate(np.broadcast_to(pad_width, (x.ndim, 2))):
        before, after = (
            np.full(
                (*x.shape[:axis], width, *x.shape[axis + 1 :]), constant_values, x.dtype
            )
            for width in widths
        )
        x = np.concatenate([before, x, after], axis=axis)
    return x


def _split(x, indices_or_sections, axis=0):
    places = np.arange(x.shape[axis])
    parts = np.split(places, indices_or_sections)
    front = (slice(None),) * (axis % x.ndim)
    return [x[(*front, slice(p[0], p[-1] + 1) if len(p) else slice(0))] for p in parts]


def _diff(x, n=1, axis=-1):
    front = (slice(None),) * (axis % x.ndim)
    for _ in range(n):
        x = x[(*front, slice(1, None))] - x[(*front, slice(None, -1))]
    return x


def _trace(x):
    return np.sum(x * np.eye(*x.shape[:2], dtype=x.dtype), axis=(0, 1))


def _vstack(arrays):
    rows = [x if np.ndim(x) > 1 else np.reshape(x, (1, -1)) for x in arrays]
    return np.concatenate(rows, axis=0)


def _hstack(arrays):
    flat = [x if np.ndim(x) else np.reshape(x, (1,)) for x in arrays]
    return np.concatenate(flat, axis=1 if np.ndim(flat[0]) > 1 else 0)


COMPOSED: dict[Callable, Callable] = {
    np.var: _var,
    np.std: _std,
    np.average: _average,
    np.ptp: lambda x, axis=None: np.max(x, axis=axis) - np.min(x, axis=axis),
    np.linalg.norm: _norm,
    np.dot: _dot,
    np.inner: _inner,
    np.vdot: lambda a, b: np.sum(np.ravel(a) * np.ravel(b)),
    np.outer: lambda a, b: np.ravel(a)[:, None] * np.ravel(b),
    np.tensordot: _tensordot,
    np.einsum: _einsum,
    np.trace: _trace,
    np.tile: _tile,
    np.repeat: _repeat,
    np.pad: _pad,
    np.split: _split,
    np.diff: _diff,
    np.vstack: _vstack,
    np.hstack: _hstack,
    np.append: lambda a, b, axis=None: np.concatenate([a, b], axis=axis),
    np.sort: lambda x, axis=-1: np.take_along_axis(x, np.argsort(x, axis), axis),
    np.fliplr: lambda x: np.flip(x, 1),
    np.flipud: lambda x: np.flip(x, 0),
    np.atleast_1d: lambda x: x if x.ndim else np.reshape(x, (1,)),
    np.nan_to_num: lambda x, nan=0.0: np.where(np.isnan(x), nan, x),
}
"""Operation -> the same, said in operations of `DERIVATIVES`."""

IN_PLACE = {np.copyto, np.put, np.place, np.putmask, np.fill_diagonal}
IN_PLACE.add(np.put_along_axis)
