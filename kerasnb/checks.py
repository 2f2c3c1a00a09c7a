"""
Checks for code of one's own: right gradients, good manners.

`check_layer`, `check_activation`, `check_loss` and `check_optimizer` compare every
gradient with a measurement, and see that shapes agree, that arrays of the caller stay
as they are, that configs make the same object again. Each returns a report, and raises
it if something is wrong; `check_gradient` of `functions.py` does so for any function.
Read next: `slopes.py`, the measurement.
"""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np

from . import activations, losses, optimizers, random
from .copying import with_objects
from .layer import Shapes, each
from .report import Report
from .slopes import FILLS, compare_slopes
from .utils import custom_object_scope

KEEPS = "Work on a copy: arrays that come in belong to the caller."
CONFIG = (
    "get_config must return every argument of the constructor by name, those in "
    "super().get_config() included."
)


# ---- layers -----------------------------------------------------------------------


def check_layer(
    layer: Any,
    input_shape: Shapes,
    x: Any = None,
    training: bool = True,
    trials: int = 3,
    tolerance: float = 1e-6,
    seed: int = 0,
    raise_on_failure: bool = True,
) -> Report:
    """
    Check the gradients and the manners of a layer.

    The checks run on a float64 twin that is made from the layer's config; the layer
    itself is not touched.

    Parameters
    ----------
    layer : Layer
        Built or not; if it is built, its weights are used.
    input_shape : tuple, or list of tuples
        Shape of one sample, without the batch axis; a list for several inputs.
    x : array or list of arrays, optional
        A batch to use instead of random numbers, three samples or more. Whole numbers
        (an integer array) are taken as codes: the gradient of x is not checked.
    training : bool
        The mode in which the gradients are checked; random draws are repeated.
    trials, tolerance : int and float
        Random directions for each gradient, and the largest relative error.
    seed : int
        Of the checks' own random numbers.
    raise_on_failure : bool
        Whether a failed check raises; else look at `report.passed`.

    Raises
    ------
    AssertionError
        If a check failed; the message is the report.

    Examples
    --------
    >>> from kerasnb.layers import Dense
    >>> check_layer(Dense(2, activation="tanh"), (3,)).passed
    True
    """
    rng = np.random.default_rng(seed)
    report = Report(f"{type(layer).__name__} on samples of shape {input_shape}")
    twin = _twin(report, layer, input_shape, rng)
    if twin is None:
        return report.finish(raise_on_failure)
    if isinstance(twin.input_shape, list) or isinstance(twin.output_shape, list):
        twin = _AsRows(twin, input_shape)
    kinds = each(lambda one: np.asarray(one).dtype.kind, x)
    has_codes = "i" in kinds or "u" in kinds
    if x is None:
        x = each(lambda shape: rng.standard_normal((5, *shape)), input_shape)
    x = _rows_of(each(lambda one: np.array(one, np.float64), x))
    _check_forward(report, twin, x, rng)
    if report.passed:
        fits = _check_backward(report, twin, x, training, rng)
        first = 0 if fits and not has_codes else 1
        for which in range(first, len(twin.trainable_weights) + 1):
            draw, what = _layer_case(twin, which, x, training, rng)
            report.findings.append(compare_slopes(what, draw, rng, trials, tolerance))
    return report.finish(raise_on_failure)


def _twin(report, layer, shape, rng):
    """Return a built float64 copy made from the config, or None if that fails."""
    what = "config round trip"
    try:
        given, objects = with_objects(layer)
        config = in_float64(given)
        with custom_object_scope(objects):
            twin = type(layer).from_config(config)
        returned = in_float64(with_objects(twin)[0])
    except Exception as reason:
        report.add(what, False, f"{type(reason).__name__}: {reason} {CONFIG}")
        return None
    same = repr(returned) == repr(config) and twin.dtype == "float64"
    report.add(what, same, CONFIG)
    with random.seeded(0):
        twin.connect(each(lambda one: (None, *one), shape))
    if layer.built:
        twin.set_weights(layer.get_weights())
    else:
        for weight in twin.trainable_weights:
            weight.value += 0.1 * rng.standard_normal(weight.shape)
    return twin


class _AsRows:
    """A layer of several inputs or outputs, which are the columns of one array here."""

    def __init__(self, layer, shapes):
        self.layer, self.shapes = layer, shapes
        self.trainable_weights = layer.trainable_weights
        self.stateful = layer.stateful

    def compute_output_shape(self, shape):
        def with_batch(one):
            return (shape[0], *one)

        found = self.layer.compute_output_shape(each(with_batch, self.shapes))
        if isinstance(found, list):
            return (shape[0], sum(math.prod(one[1:]) for one in found))
        return found

    def forward(self, x, training):
        return self._call(self.layer.forward, x, self.shapes, training)

    def backward(self, dy):
        shapes = each(lambda shape: shape[1:], self.layer.output_shape)
        return self._call(self.layer.backward, dy, shapes)

    def _call(self, method, given, shapes, *options):
        """Call a method on separate arrays; what it does to them shows in `given`."""
        if not isinstance(shapes, list):
            return _rows_of(method(given, *options))
        stops = np.cumsum([math.prod(shape) for shape in shapes])[:-1]
        arrays = [
            np.ascontiguousarray(columns).reshape(len(given), *shape)
            for columns, shape in zip(np.split(given, stops, axis=1), shapes)
        ]
        result = _rows_of(method(arrays, *options))
        given[...] = _rows_of(arrays)
        return result


def _rows_of(value):
    """Return several arrays as the columns of one; a single array stays."""
    if not isinstance(value, list):
        return value
    return np.concatenate([one.reshape(len(one), -1) for one in value], axis=1)


def in_float64(config: Any) -> Any:
    """Return a config, with those of the layers inside, that computes in float64."""
    if isinstance(config, dict):
        return {
            key: "float64" if key == "dtype" else in_float64(value)
            for key, value in config.items()
        }
    if isinstance(config, (list, tuple)):
        return type(config)(in_float64(value) for value in config)
    return config


def _check_forward(report, layer, x, rng):
    given = x.copy()
    y = np.array(layer.forward(given, False))
    report.add("forward keeps x", _same(given, x), KEEPS)
    expected = tuple(layer.compute_output_shape(x.shape))
    cause = f"forward returns {y.shape}, compute_output_shape says {expected}."
    report.add("output shape", y.shape == expected, cause)
    cause = f"{y.dtype} came out of a float64 layer: use self.buffer and self.dtype."
    report.add("output type", y.dtype == np.float64, cause)
    if getattr(layer, "stateful", False):
        return
    again = np.array(layer.forward(x, False))
    cause = "Outside training forward must not depend on chance or on earlier calls."
    report.add("same input, same output", _same(again, y), cause)
    if y.shape[:1] != x.shape[:1]:
        return
    fewer = np.array(layer.forward(x[:2], False))
    again = np.array(layer.forward(x, False))
    cause = "Sizes or values of an earlier batch are left over in a buffer."
    report.add("other batch sizes", _close(fewer, y[:2]) and _close(again, y), cause)
    order = rng.permutation(len(x))
    shuffled = np.array(layer.forward(x[order], False))
    cause = "The output of a sample depends on its place in the batch."
    report.add("order of samples", _close(shuffled, y[order]), cause)


def _check_backward(report, layer, x, training, rng):
    layer = copy.deepcopy(layer)
    for weight in layer.trainable_weights:
        weight.grad = np.zeros_like(weight.value)
    with random.seeded(0):
        dy = rng.standard_normal(np.shape(layer.forward(x, training)))
    given = dy.copy()
    dx = np.array(layer.backward(given))
    report.add("backward keeps dy", _same(given, dy), KEEPS)
    cause = f"backward returns {dx.shape} for inputs of shape {x.shape}."
    report.add("shape of dx", dx.shape == x.shape, cause)
    first = [weight.grad.copy() for weight in layer.trainable_weights]
    layer.backward(dy.copy())
    fills = all(map(_close, [w.grad for w in layer.trainable_weights], first))
    report.add("backward fills the gradients", fills, FILLS)
    return dx.shape == x.shape


def _layer_case(layer, which, x, training, rng):
    """Return how to draw cases, and the name, of x (which = 0) or of a weight."""

    def run(state, x, value=None):
        state = copy.deepcopy(state)
        if value is not None:
            state.trainable_weights[which - 1].value[...] = value
        with random.seeded(0):  # the same random draws each time
            y = np.array(state.forward(x, training))
        return state, y

    def draw(attempt):
        state, point = copy.deepcopy(layer), x
        if attempt:  # elsewhere, to get away from a kink
            for weight in state.trainable_weights:
                weight.value += 0.01 * rng.standard_normal(weight.shape)
            if not which:
                point = x + 0.01 * rng.standard_normal(x.shape)
        for weight in state.trainable_weights:
            weight.grad = np.zeros_like(weight.value)
        ran, y = run(state, point)
        dy = rng.standard_normal(y.shape)
        dx = ran.backward(dy.copy())
        if not which:
            return point, np.array(dx), lambda x: float((dy * run(state, x)[1]).sum())
        weight = ran.trainable_weights[which - 1]
        return (
            weight.value.copy(),
            weight.grad.copy(),
            lambda value: float((dy * run(state, point, value)[1]).sum()),
        )

    if not which:
        return draw, "gradient of x"
    name = layer.trainable_weights[which - 1].name
    return draw, f"gradient of {name.split('/')[-1].split(':')[0]}"


def _same(a, b):
    return a.shape == b.shape and np.array_equal(a, b, equal_nan=True)


def _close(a, b):
    return a.shape == b.shape and np.allclose(a, b, 1e-9, 1e-12, equal_nan=True)


# ---- activations and losses -------------------------------------------------------


def check_activation(
    activation: Any,
    shape: tuple = (5, 4),
    z: Any = None,
    trials: int = 3,
    tolerance: float = 1e-6,
    seed: int = 0,
    raise_on_failure: bool = True,
) -> Report:
    """
    Check the derivative and the manners of an activation.

    Parameters
    ----------
    activation : ActivationFunction, str or callable
    shape : tuple
        Shape of the random numbers it is tried on.
    z : array, optional
        Numbers to try it on instead.
    trials, tolerance, seed, raise_on_failure
        As in `check_layer`.

    Raises
    ------
    AssertionError
        If a check failed; the message is the report.

    Examples
    --------
    >>> check_activation("tanh").passed
    True
    """
    activation = activations.get(activation)
    rng = np.random.default_rng(seed)
    report = Report(repr(activation))
    z = 2 * rng.standard_normal(shape) if z is None else np.array(z, np.float64)

    dy = rng.standard_normal(z.shape)
    _check_activation_manners(report, activation, z, dy)

    def draw(attempt):
        point = z + 0.01 * rng.standard_normal(z.shape) if attempt else z
        dz = np.full_like(z, np.nan)
        activation.backward(dz, dy.copy(), point, _run(activation, point))
        return point, dz, lambda z: float((dy * _run(activation, z)).sum())

    report.findings.append(
        compare_slopes("gradient of z", draw, rng, trials, tolerance)
    )
    return report.finish(raise_on_failure)


def _run(activation, z):
    y = np.full_like(z, np.nan)
    activation.forward(y, z)
    return y


def _check_activation_manners(report, activation, z, dy):
    given = z.copy()
    y = _run(activation, given)
    report.add("forward keeps z", _same(given, z), KEEPS)
    report.add("forward fills y", np.isfinite(y).all(), FILLS)
    given.flat[0] = np.nan
    cause = "A NaN must stay visible: write comparisons so that NaN is kept."
    report.add("NaN stays NaN", np.isnan(_run(activation, given).flat[0]), cause)
    dz, in_place, given = np.full_like(z, np.nan), dy.copy(), dy.copy()
    activation.backward(dz, given, z, y)
    report.add("backward keeps dy", _same(given, dy), KEEPS)
    activation.backward(in_place, in_place, z, y)
    cause = "backward reads a number of dy after it has written to dz there."
    report.add("dz may be dy", _same(in_place, dz), cause)


def check_loss(
    loss: Any,
    shape: tuple = (5, 4),
    t: Any = None,
    p: Any = None,
    trials: int = 3,
    tolerance: float = 1e-6,
    seed: int = 0,
    raise_on_failure: bool = True,
) -> Report:
    """
    Check the gradient and the manners of a loss.

    Parameters
    ----------
    loss : Loss, str or callable
    shape : tuple
        Rows and columns of the random targets and predictions: positive numbers, rows
        that sum to one; for a sparse loss the targets are class numbers.
    t, p : arrays, optional
        Targets and predictions to use instead.
    trials, tolerance, seed, raise_on_failure
        As in `check_layer`.

    Raises
    ------
    AssertionError
        If a check failed; the message is the report.

    Examples
    --------
    >>> check_loss("mean_squared_error").passed
    True
    """
    loss = losses.get(loss)
    rng = np.random.default_rng(seed)
    report = Report(f"loss {loss.name}")
    p = _distributions(rng, shape) if p is None else np.array(p, np.float64)
    if t is None:
        t = rng.integers(shape[1], size=shape[0])
        t = t if loss.sparse else _distributions(rng, shape)
    t = np.array(t, np.int64 if loss.sparse else np.float64)

    ds = rng.standard_normal(len(p))
    _check_loss_manners(report, loss, t, p, ds)

    def draw(attempt):
        point = p * (1 + 0.01 * rng.standard_normal(p.shape)) if attempt else p
        dp = np.full_like(p, np.nan)
        loss.backward(dp, t, point, ds)
        return point, dp, lambda p: float((ds * _rows(loss, t, p)).sum())

    report.findings.append(
        compare_slopes("gradient of p", draw, rng, trials, tolerance)
    )
    return report.finish(raise_on_failure)


def _rows(loss, t, p):
    s = np.full(len(p), np.nan)
    loss.forward(s, t, p)
    return s


def _check_loss_manners(report, loss, t, p, ds):
    given_t, given_p, given_ds = t.copy(), p.copy(), ds.copy()
    s = _rows(loss, given_t, given_p)
    dp = np.full_like(p, np.nan)
    loss.backward(dp, given_t, given_p, given_ds)
    kept = _same(given_t, t) and _same(given_p, p) and _same(given_ds, ds)
    report.add("keeps t, p and ds", kept, KEEPS)
    report.add("forward fills s", np.isfinite(s).all(), FILLS)
    report.add("backward fills dp", np.isfinite(dp).all(), FILLS)
    cause = "The loss of a row depends on other rows: average over columns only."
    alone = _close(_rows(loss, t[:2], p[:2]), s[:2])
    report.add("rows stand alone", alone, cause)


def _distributions(rng, shape):
    rows = rng.uniform(0.2, 1.0, shape)
    return rows / rows.sum(axis=-1, keepdims=True)


# ---- optimizers -------------------------------------------------------------------


def check_optimizer(
    optimizer: Any,
    size: int = 6,
    rests: bool = True,
    seed: int = 0,
    raise_on_failure: bool = True,
) -> Report:
    """
    Check that an optimizer goes downhill, counts, and can be made again.

    Parameters
    ----------
    optimizer : Optimizer or str
        Only its config is used: the optimizer itself is not touched.
    size : int
        Length of the vector of weights it is tried on.
    rests : bool
        Whether weights must stay where they are while the gradient is zero from the
        start. False for a rule that shrinks them on its own (weight decay).
    seed, raise_on_failure
        As in `check_layer`.

    Raises
    ------
    AssertionError
        If a check failed; the message is the report.

    Examples
    --------
    >>> check_optimizer("adam").passed
    True
    """
    optimizer = optimizers.get(optimizer)
    report = Report(f"optimizer {type(optimizer).__name__}")
    rng = np.random.default_rng(seed)
    try:
        config = optimizer.get_config()
        returned = type(optimizer).from_config(config).get_config()
    except Exception as reason:
        cause = f"{type(reason).__name__}: {reason} {CONFIG}"
        report.add("config round trip", False, cause)
        return report.finish(raise_on_failure)
    report.add("config round trip", repr(returned) == repr(config), CONFIG)

    def make():
        fresh = type(optimizer).from_config(config)
        fresh.build(size, "float64")
        return fresh

    start = rng.uniform(0.5, 1.5, size) * rng.choice([-1, 1], size)
    if rests:
        p = _walk(make(), start, np.zeros((3, size)))
        cause = "With no gradient and no history the step must be zero."
        report.add("no gradient, no step", _same(p, start), cause)
    _check_descent(report, make, start, rng.uniform(0.1, 1.0, size))
    _check_bookkeeping(report, make, start, rng.standard_normal((5, size)))
    return report.finish(raise_on_failure)


def _walk(optimizer, p, slopes):
    p = p.copy()
    for g in slopes:
        optimizer.update(p, g.copy())
    return p


def _check_descent(report, make, p, steepness):
    """Go down the bowl f(p) = 1/2 sum of steepness p^2."""
    optimizer, heights = make(), [float((steepness * p**2).sum() / 2)]
    for _ in range(20):
        p = _walk(optimizer, p, [steepness * p])
        heights.append(float((steepness * p**2).sum() / 2))
    cause = "The step goes uphill, or so far that it overshoots: try a smaller lr."
    report.add("one step goes downhill", heights[1] < heights[0], cause)
    report.add("20 steps go further down", heights[20] < heights[1], cause)


def _check_bookkeeping(report, make, start, slopes):
    start[-1] = 0  # the last weight is padding
    slopes[:, -1] = 0
    optimizer = make()
    p = _walk(optimizer, start, slopes)
    cause = "Two optimizers made from one config share a state, or draw by chance."
    same = _same(_walk(make(), start, slopes), p)
    report.add("same config, same steps", same, cause)
    cause = f"iterations is {optimizer.iterations} after {len(slopes)} updates."
    report.add("iterations counts", optimizer.iterations == len(slopes), cause)
    cause = "Weights that are padding (value 0, gradient 0) must stay 0."
    report.add("padding stays zero", p[-1] == 0, cause)
    slots = [getattr(optimizer, name) for name in optimizer.slots]
    fit = all(slot is None or slot.shape == start.shape for slot in slots)
    cause = f"Every slot must be an array of shape {start.shape}, like the weights."
    report.add("shape of slots", fit, cause)
    if fit:
        first, second = make(), make()
        middle = _walk(first, start, slopes[:3])
        second.set_state(first.get_state())
        cause = (
            "Whatever a step reads of earlier ones must be listed in slots or scalars."
        )
        same = _same(_walk(second, middle, slopes[3:]), p)
        report.add("state round trip", same, cause)
