"""Every operation of the tape against finite differences, on drawn shapes."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasnb import backend as K
from kerasnb import check_gradient, grad
from kerasnb.autodiff import Taped
from kerasnb.autodiff_rules import COMPOSED, DERIVATIVES, PLAIN, cast, contract, item

SIZES = st.integers(1, 4)
SEEDS = st.integers(0, 2**20)
EXAMPLES = 5  # of each call, of which there are two hundred

# operation -> calls of it, each of arrays (R, C) or (R, C) and (C,), away from kinks
UNARY = {
    np.negative: np.negative,
    np.positive: np.positive,
    np.reciprocal: lambda x: np.reciprocal(1.5 + x * x),
    np.absolute: np.absolute,
    np.fabs: np.fabs,
    np.square: np.square,
    np.sqrt: lambda x: np.sqrt(1 + x * x),
    np.cbrt: lambda x: np.cbrt(2 + np.abs(x)),
    np.exp: np.exp,
    np.exp2: np.exp2,
    np.expm1: np.expm1,
    np.log: lambda x: np.log(1 + x * x),
    np.log2: lambda x: np.log2(1 + x * x),
    np.log10: lambda x: np.log10(1 + x * x),
    np.log1p: lambda x: np.log1p(x * x),
    np.sin: np.sin,
    np.cos: np.cos,
    np.tan: lambda x: np.tan(0.5 * np.tanh(x)),
    np.arcsin: lambda x: np.arcsin(0.5 * np.tanh(x)),
    np.arccos: lambda x: np.arccos(0.5 * np.tanh(x)),
    np.arctan: np.arctan,
    np.sinh: np.sinh,
    np.cosh: np.cosh,
    np.tanh: np.tanh,
    cast: lambda x: x.astype("float64"),
    np.copy: lambda x: np.copy(x),
    np.nan_to_num: np.nan_to_num,
    np.clip: [
        lambda x: np.clip(x, -0.5, 0.7),
        lambda x: np.clip(x, None, 0.2),
        lambda x: np.clip(x, a_min=0.1, a_max=None),
    ],
    np.sum: [
        np.sum,
        lambda x: np.sum(x, axis=0),
        lambda x: x.sum(axis=(0, -1), keepdims=True),
    ],
    np.mean: [
        np.mean,
        lambda x: np.mean(x, axis=-1),
        lambda x: x.mean(1, keepdims=True),
    ],
    np.prod: [
        np.prod,
        lambda x: np.prod(x, axis=0),
        lambda x: np.prod(x, axis=(1,), keepdims=True),
        lambda x: np.prod(x * (np.arange(x.shape[-1]) != 0), axis=-1),
    ],
    np.max: [np.max, lambda x: np.max(x, axis=1), lambda x: x.max(0, keepdims=True)],
    np.min: [np.min, lambda x: np.min(x, axis=-1), lambda x: x.min((0, 1))],
    np.ptp: [np.ptp, lambda x: np.ptp(x, axis=1)],
    np.var: [np.var, lambda x: x.var(axis=0), lambda x: x.var(1, keepdims=True)],
    np.std: [lambda x: np.std(np.concatenate([x, x + 3.0]), axis=0)],
    np.average: [
        lambda x: np.average(x, axis=1),
        lambda x: np.average(x, 0, weights=np.arange(1.0, 1 + len(x))),
    ],
    np.cumsum: [np.cumsum, lambda x: np.cumsum(x, axis=1), lambda x: x.cumsum(-2)],
    np.cumprod: [
        np.cumprod,
        lambda x: np.cumprod(x, axis=1),
        lambda x: np.cumprod(x * (np.arange(x.shape[-1]) != 1), axis=-1),
    ],
    np.linalg.norm: [
        lambda x: np.linalg.norm(x + 9.0),
        lambda x: np.linalg.norm(x, axis=-1, keepdims=True),
        lambda x: np.linalg.norm(x, 1, axis=0),
    ],
    np.reshape: [
        lambda x: np.reshape(x, (-1,)),
        lambda x: x.reshape(x.shape[1], x.shape[0]),
        lambda x: x.reshape((1, -1, 1)),
    ],
    np.ravel: [np.ravel, lambda x: x.flatten()],
    np.expand_dims: [lambda x: np.expand_dims(x, 1), lambda x: x[:, None]],
    np.squeeze: lambda x: np.squeeze(x[:, None], axis=1),
    np.broadcast_to: lambda x: np.broadcast_to(
        x[:, None], (2, x.shape[0], 5, x.shape[1])
    ),
    np.transpose: [
        np.transpose,
        lambda x: x.T,
        lambda x: x[None].transpose(2, 0, 1),
        lambda x: np.transpose(x[None], (-1, 0, 1)),
    ],
    np.moveaxis: lambda x: np.moveaxis(x[None], 0, -1),
    np.swapaxes: lambda x: x.swapaxes(0, 1),
    np.flip: [np.flip, lambda x: np.flip(x, 1), lambda x: x[::-1, ::2]],
    np.fliplr: np.fliplr,
    np.flipud: np.flipud,
    np.roll: [lambda x: np.roll(x, 2), lambda x: np.roll(x, (1, -1), (0, 1))],
    np.tril: np.tril,
    np.triu: lambda x: np.triu(x, 1),
    np.trace: np.trace,
    np.diff: [np.diff, lambda x: np.diff(np.cumsum(x, 0), n=2, axis=0)],
    np.sort: [np.sort, lambda x: np.sort(x, axis=0), lambda x: np.sort(x, axis=None)],
    np.take: [
        lambda x: np.take(x, [0, 0, -1], axis=1),
        lambda x: np.take(x, [[0, 0]], axis=0),
        lambda x: np.take(x, [0, 0]),
    ],
    np.take_along_axis: lambda x: np.take_along_axis(x, np.argsort(x, 0), axis=0),
    np.repeat: [lambda x: np.repeat(x, 3, axis=1), lambda x: np.repeat(x, 2)],
    np.tile: [lambda x: np.tile(x, 2), lambda x: np.tile(x, (2, 1, 3))],
    np.pad: [
        lambda x: np.pad(x, 1),
        lambda x: np.pad(x, ((0, 2), (1, 0)), constant_values=3.0),
    ],
    np.split: lambda x: np.split(np.tile(x, (2, 1)), 2)[1] * 2,
    np.atleast_1d: [np.atleast_1d, lambda x: np.atleast_1d(x[0, 0])],
    item: [
        lambda x: x[0],
        lambda x: x[..., -1],
        lambda x: x[[0, 0, -1]],
        lambda x: x[np.array([0, 0]), np.array([0, -1])],
        lambda x: x[x > 0],
        lambda x: np.stack([row * k for k, row in enumerate(x)]),
    ],
}
BINARY = {
    np.add: [np.add, lambda x, y: x + y + 1.5],
    np.subtract: [np.subtract, lambda x, y: 2 - x - y],
    np.multiply: [np.multiply, lambda x, y: 3 * x * y],
    np.divide: [lambda x, y: x / (2 + y * y), lambda x, y: 2 / (1 + x * x) + y / 3],
    np.power: [
        lambda x, y: np.power(1.5 + np.tanh(x), y),
        lambda x, y: x**2 + x**3 + y**0,
        lambda x, y: 2.0**x + (1.1 + np.cos(y)) ** -0.5,
        lambda x, y: (1.1 + np.cos(x)) ** np.arange(3.0)[: 1 + 0 * len(y)],
    ],
    np.remainder: lambda x, y: np.remainder(x, 7 + y * y) + (x + 20) % 9.7,
    np.logaddexp: np.logaddexp,
    np.arctan2: np.arctan2,
    np.hypot: np.hypot,
    np.maximum: [np.maximum, lambda x, y: np.maximum(0, x) + np.maximum(y, 0.1)],
    np.minimum: [np.minimum, lambda x, y: np.minimum(x, 0) + np.minimum(0.1, y)],
    np.where: [
        lambda x, y: np.where(x > 0, x, y),
        lambda x, y: np.where(y > 0, 1.0, x),
    ],
    np.matmul: [
        lambda x, y: x @ y,
        lambda x, y: y @ x.T,
        lambda x, y: x.T @ x,
        lambda x, y: (x[None] * np.ones((2, 1, 1))) @ y,
        lambda x, y: y @ (x.T[None] * np.ones((2, 1, 1))),
        lambda x, y: np.matmul(x[None] * np.ones((2, 1, 1)), x.T),
        lambda x, y: y @ y,
    ],
    np.dot: [np.dot, lambda x, y: x.dot(x.T), lambda x, y: np.dot(x[None], x.T[None])],
    np.inner: [np.inner, lambda x, y: np.inner(x, x)],
    np.vdot: lambda x, y: np.vdot(x, x * y),
    np.outer: np.outer,
    np.tensordot: [
        lambda x, y: np.tensordot(x, y, 1),
        lambda x, y: np.tensordot(x, x[None], ((0,), (1,))),
    ],
    np.einsum: [
        lambda x, y: np.einsum("rc,c->r", x, y),
        lambda x, y: np.einsum("rc,c", x, y),
        lambda x, y: np.einsum("ab,ac,c->bc", x, x, y, optimize=True),
        lambda x, y: np.einsum("rc->c", x) * y,
    ],
    contract: lambda x, y: np.tensordot(x, y, 0),
    np.concatenate: [
        lambda x, y: np.concatenate([x, y[None], 2 * x]),
        lambda x, y: np.concatenate([x, np.ones((len(x), 2)), x], axis=-1),
        lambda x, y: np.concatenate([x, y[None]], axis=None),
    ],
    np.append: lambda x, y: np.append(x, y[None], axis=0),
    np.stack: [
        lambda x, y: np.stack([x, x * y, np.ones_like(x)]),
        lambda x, y: np.stack((x, x * y), axis=-1),
    ],
    np.vstack: lambda x, y: np.vstack([x, y]),
    np.hstack: [lambda x, y: np.hstack([x, x]) * 2, lambda x, y: np.hstack([y, y])],
}


def cases(table):
    """Return every call of a table, with a name."""
    for function, calls in table.items():
        calls = calls if isinstance(calls, list) else [calls]
        for number, call in enumerate(calls):
            yield pytest.param(call, id=f"{function.__name__}-{number}")


def drawn(seed, *shapes):
    """Return numbers that are far from each other, from zero and from the limits."""
    rng = np.random.default_rng(seed)
    sizes = [math.prod(shape) for shape in shapes]
    steps = rng.permutation(sum(sizes)) + rng.uniform(0.2, 0.8)
    numbers = (steps - sum(sizes) / 2) * 4 / sum(sizes) + 0.013
    parts = np.split(numbers, np.cumsum(sizes)[:-1])
    return [part.reshape(shape) for part, shape in zip(parts, shapes)]


def test_every_rule_is_tried_here():
    """What is added to the tables must be added to these."""
    assert {*UNARY, *BINARY} == {*DERIVATIVES, *COMPOSED}


@pytest.mark.parametrize("call", list(cases(UNARY)))
@settings(max_examples=EXAMPLES)
@given(R=SIZES, C=SIZES, seed=SEEDS)
def test_operations_of_one_array(call, R, C, seed):
    """The tape's gradient is the measured slope."""
    (x,) = drawn(seed, (R, C))
    check_gradient(lambda x: call(x) * 1.0, x, trials=1)


@pytest.mark.parametrize("call", list(cases(BINARY)))
@settings(max_examples=EXAMPLES)
@given(R=SIZES, C=SIZES, seed=SEEDS)
def test_operations_of_two_arrays(call, R, C, seed):
    """With one of them stretched: its gradients are added up."""
    x, y = drawn(seed, (R, C), (C,))
    check_gradient(lambda x, y: call(x, y) * 1.0 + 0 * np.sum(y), x, y, trials=1)


K_CALLS = {
    **dict.fromkeys(
        """abs batch_flatten cos elu exp flatten hard_sigmoid logsumexp mean relu
        sigmoid sin softmax softplus softsign square std sum tanh transpose
        var""".split(),
        (),
    ),
    **dict.fromkeys(["max", "min", "prod", "cumsum", "cumprod", "l2_normalize"], (1,)),
    "batch_dot": (np.arange(8.0).reshape(2, 4), (1, 1)),
    "binary_crossentropy": (np.full((2, 4), 0.4),),
    "cast": ("float64",),
    "categorical_crossentropy": (np.full((2, 4), 0.25),),
    "clip": (-0.7, 0.9),
    "dot": (np.arange(12.0).reshape(4, 3),),
    "expand_dims": (1,),
    "gather": ([1, 0, 1],),
    "maximum": (0.3,),
    "minimum": (np.full((2, 4), 0.3),),
    "permute_dimensions": ((1, 0),),
    "pow": (3,),
    "repeat": (3,),
    "repeat_elements": (2, 1),
    "reshape": ((4, 2),),
    "reverse": (1,),
    "sparse_categorical_crossentropy": ([3, 0],),
    "tile": ((2, 2),),
}


@pytest.mark.parametrize("name", K_CALLS)
def test_functions_of_the_backend(name):
    """K's functions are calls of NumPy, so the tape sees through them."""
    (x,) = drawn(5, (2, 4))
    function, more = getattr(K, name), K_CALLS[name]
    if "crossentropy" in name:  # targets come first
        x = K.softmax(x)
        check_gradient(lambda x: function(*more, x), x)
    else:
        check_gradient(lambda x: function(x, *more), x)


def test_functions_of_the_backend_that_take_lists(float64):
    """Of taped and plain arrays; switch and one_hot choose."""
    x, y = drawn(3, (2, 3), (2, 3))
    check_gradient(lambda x, y: K.concatenate([x, y, np.ones((2, 1))]), x, y)
    check_gradient(lambda x, y: K.stack([x, y], axis=1), x, y)
    check_gradient(lambda x, y: K.switch(K.greater(x, y), x, lambda: 2 * y), x, y)
    check_gradient(lambda x, y: K.sum([x[0, 0], y[0, 0], 2.0]), x, y)
    check_gradient(lambda x, y: x * K.one_hot(K.argmax(y), 3), x, y[:, :1].repeat(3, 1))
    check_gradient(lambda x, y: K.squeeze(x[:, :1], 1) * K.sqrt(1 + y[0, 0] ** 2), x, y)
    check_gradient(lambda x, y: K.log(1 + x * x) + K.eval(y.shape[0]), x, y)


@pytest.mark.parametrize("function", sorted(PLAIN, key=lambda f: f.__name__))
def test_what_has_no_slope_gives_plain_arrays(function):
    """Comparisons, roundings, places and shapes."""
    seen = []

    def f(x):
        more = {np.full_like: (2.0,), np.searchsorted: (0.5,)}.get(function, ())
        two = isinstance(function, np.ufunc) and function.nin == 2
        two |= function in (np.isclose, np.allclose, np.array_equal, np.isin)
        seen.append(function(x, x, *more) if two else function(x, *more))
        return np.sum(x)

    grad(f)(np.array([0.25, 1.75]))
    assert not isinstance(seen[0], Taped)


def test_axes_of_two_sizes_are_refused():
    """As np.dot does; einsum alone would stretch the smaller one."""
    with pytest.raises(ValueError, match="must have one size, got 2 and 1 in arrays"):
        grad(lambda x: np.dot(x, np.ones((3, 1, 2))))(np.ones((1, 2)))


@pytest.mark.parametrize(
    "function, slope",
    [
        (lambda x: np.abs(x), 0),
        (lambda x: np.maximum(x, 0), 0),
        (lambda x: np.maximum(0, x), 0),
        (lambda x: K.relu(x), 0),
        (lambda x: np.minimum(x, 0), 0),
        (lambda x: np.maximum(x, 1.0 * x), 1),
        (lambda x: x**0, 0),
        (lambda x: x**1, 1),
        (lambda x: np.prod(np.stack([x, x + 2])), 2),
        (lambda x: np.max(np.stack([x, 3 * x])), 2),
        (lambda x: x * np.any(x > -1), 1),
    ],
)
def test_slopes_at_kinks(function, slope):
    """At 0: a limit that is just reached gives nothing on, winners that tie share."""
    assert grad(lambda x: np.sum(function(x)))([0.0]) == slope
