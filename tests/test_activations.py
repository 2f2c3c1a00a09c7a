"""Activations: formulas, gradients, laws, identifiers."""

import functools
import math

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasnb import activations, checks, device
from kerasnb.kernels.plain import activations as kernels

SCALE, ALPHA = 1.0507009873554805, 1.6732632423543772


def softmax_of(x, axis=-1):
    """Softmax as it stands in a textbook, the maximum subtracted."""
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


REFERENCE = {
    "linear": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "selu": lambda x: SCALE * np.where(x > 0, x, ALPHA * np.expm1(np.minimum(x, 0))),
    "softplus": lambda x: np.logaddexp(0, x),
    "softsign": lambda x: x / (1 + np.abs(x)),
    "tanh": np.tanh,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "hard_sigmoid": lambda x: np.clip(0.2 * x + 0.5, 0, 1),
    "exponential": np.exp,
    "softmax": softmax_of,
}
BENT = {"alpha": 0.1, "max_value": 2.0, "threshold": -0.5}
VARIANTS = list(REFERENCE) + [
    activations.relu.with_parameters(**BENT),
    activations.elu.with_parameters(alpha=0.3),
]

numbers = st.integers(0, 2**32 - 1).map(np.random.default_rng)
sizes = st.sampled_from([1, 2, 3, 5, 8, 13, 17])


def backward(activation, z, dy):
    """Return dz, given numbers and the gradient of what becomes of them."""
    y, dz = np.full_like(z, 7), np.full_like(z, 7)
    activation.forward(y, z)
    activation.backward(dz, dy, z, y)
    return dz


# ---- reference --------------------------------------------------------------------


@pytest.mark.parametrize("name", REFERENCE)
@given(rng=numbers, rows=sizes, columns=sizes)
def test_forward_equals_the_formula(name, rng, rows, columns):
    """Every activation is its formula, to rounding, in both precisions."""
    x = 3 * rng.standard_normal((rows, columns))
    function = activations.get(name)
    expected = REFERENCE[name](x)
    np.testing.assert_allclose(function(x), expected, 1e-14, 1e-15)
    single = x.astype(np.float32)
    expected = REFERENCE[name](single.astype(np.float64))
    np.testing.assert_allclose(function(single), expected, 5e-7, 1e-7)
    assert function(single).dtype == np.float32


def test_relu_with_parameters_equals_the_vector():
    """ReLU with slope 0.1, cap 6 and threshold 1 at -1, 1, 3, 9."""
    y = activations.relu([-1, 1, 3, 9], alpha=0.1, max_value=6, threshold=1)
    np.testing.assert_allclose(y, [-0.2, 0, 3, 6], atol=1e-7)


@pytest.mark.parametrize(
    "params, expected",
    [
        ({"threshold": -2}, [0, -1, 0, 5, 0, math.inf]),
        ({"threshold": -2, "max_value": 3}, [0, -1, 0, 3, 0, 3]),
        ({"threshold": 1, "max_value": 3}, [0, 0, 0, 3, 0, 3]),
        ({"threshold": 1, "alpha": 0.5}, [-2, -1, -0.5, 5, -math.inf, math.inf]),
        ({"alpha": -1}, [3, 1, 0, 5, math.inf, math.inf]),
        ({"max_value": 0}, [0, 0, 0, 0, 0, 0]),
    ],
)
def test_relu_combines_threshold_and_cap(params, expected):
    """Numbers above the threshold pass, negative ones too; only the cap stops them."""
    x = [-3, -1, 0, 5, -math.inf, math.inf]
    np.testing.assert_array_equal(activations.relu(x, **params), expected)


@pytest.mark.parametrize("shape", [(7,), (3, 1, 2), (2, 3, 2, 2), (0, 3)])
def test_every_shape_is_treated_alike(shape):
    """An array of any rank gives what its numbers give one by one."""
    x = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    flat = activations.sigmoid(x.reshape(1, -1))
    np.testing.assert_array_equal(activations.sigmoid(x).reshape(1, -1), flat)


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2, -3])
def test_softmax_honours_its_axis(axis):
    """Along whichever axis is named, also in a matrix, forward and backward."""
    rng = np.random.default_rng(2)
    x = rng.standard_normal((3, 4, 5))
    softmax = activations.softmax.with_parameters(axis=axis)
    np.testing.assert_allclose(softmax(x), softmax_of(x, axis), 1e-13)
    assert checks.check_activation(softmax, z=x).passed
    if abs(axis) < 2 or axis == -2:
        y = activations.softmax(x[0], axis=axis)
        np.testing.assert_allclose(y, softmax_of(x[0], axis), 1e-13)


def test_calling_gives_a_new_array_in_the_right_precision():
    """float64 arrays stay float64, all else becomes floatx; the input is kept."""
    x = np.array([[1.0, -1.0]])
    assert activations.relu(x).dtype == np.float64
    assert activations.relu([1, -1]).dtype == np.float32
    assert activations.relu(np.array([1, -1])).dtype == np.float32
    assert activations.relu(x.astype(np.float16)).dtype == np.float32
    device.set_floatx("float64")
    assert activations.relu([1, -1]).dtype == np.float64
    assert activations.relu(x) is not x
    assert activations.relu(-2.5).shape == ()
    np.testing.assert_array_equal(x, [[1, -1]])
    turned = np.arange(6.0).reshape(2, 3).T
    np.testing.assert_array_equal(activations.linear(turned), turned)


# ---- gradient ---------------------------------------------------------------------


@pytest.mark.parametrize("activation", VARIANTS, ids=str)
@given(seed=st.integers(0, 2**32 - 1), rows=sizes, columns=sizes)
def test_backward_is_the_derivative(activation, seed, rows, columns):
    """Central differences agree along random directions, in every shape."""
    checks.check_activation(activation, (rows, columns), trials=1, seed=seed)


@pytest.mark.parametrize("activation", VARIANTS, ids=str)
def test_float32_gradients_equal_float64_gradients(activation):
    """The same kernel in float32 agrees to rounding."""
    rng = np.random.default_rng(3)
    activation = activations.get(activation)
    z = rng.standard_normal((9, 5)).astype(np.float32)
    dy = rng.standard_normal((9, 5)).astype(np.float32)
    double = backward(activation, z.astype(np.float64), dy.astype(np.float64))
    np.testing.assert_allclose(backward(activation, z, dy), double, 3e-6, 1e-6)


def test_slopes_at_kinks_are_those_of_the_flat_side():
    """relu at 0 has slope 0; hard_sigmoid and a capped relu have slope 0 at the cap."""
    one = np.ones((1, 1))
    assert backward(activations.relu, 0 * one, one) == 0
    capped = activations.relu.with_parameters(max_value=6, alpha=0.1)
    assert backward(capped, 6 * one, one) == 0
    assert backward(capped, 0 * one, one) == 0.1
    assert backward(activations.hard_sigmoid, 2.5 * one, one) == 0
    assert backward(activations.hard_sigmoid, -2.5 * one, one) == 0


# ---- laws -------------------------------------------------------------------------


@given(rng=numbers, rows=sizes, columns=sizes, shift=st.floats(-1e3, 1e3))
def test_softmax_ignores_a_common_shift(rng, rows, columns, shift):
    """Adding a number to a whole row changes nothing."""
    x = rng.standard_normal((rows, columns))
    y = activations.softmax(x)
    np.testing.assert_allclose(activations.softmax(x + shift), y, 1e-10)


@given(rng=numbers, rows=sizes, columns=sizes)
def test_softmax_rows_sum_to_one(rng, rows, columns):
    """The outputs of a row are positive and sum to one, however large the inputs."""
    x = (100 * rng.standard_normal((rows, columns))).astype(np.float32)
    y = activations.softmax(x)
    np.testing.assert_allclose(y.sum(axis=1), 1, rtol=1e-6)
    assert (y >= 0).all()


@given(rng=numbers, rows=sizes, columns=sizes)
def test_softmax_gradients_sum_to_zero(rng, rows, columns):
    """Rows that always sum to one leave nothing over in their gradients."""
    z, dy = rng.standard_normal((2, rows, columns))
    dz = backward(activations.softmax, z, dy)
    np.testing.assert_allclose(dz.sum(axis=1), 0, atol=1e-14)


@given(rng=numbers)
def test_activations_keep_their_symmetries(rng):
    """tanh and softsign are odd; both sigmoids mirror at one half."""
    x = 2 * rng.standard_normal((4, 3))
    for odd in (activations.tanh, activations.softsign):
        np.testing.assert_array_equal(odd(-x), -odd(x))
    for mirror in (activations.sigmoid, activations.hard_sigmoid):
        np.testing.assert_allclose(mirror(x) + mirror(-x), 1, 1e-14)


def test_selu_keeps_mean_and_variance():
    """Standard normal numbers keep mean 0 and variance 1."""
    x = np.random.default_rng(4).standard_normal((400, 50))
    y = activations.selu(x)
    assert abs(y.mean()) < 0.02 and abs(y.var() - 1) < 0.03


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", VARIANTS, ids=str)
def test_nan_travels(activation, dtype):
    """NaN in z is NaN in y, NaN in dy is NaN in dz, also where the slope is zero."""
    activation = activations.get(activation)
    z = np.array([[-4.0, 0.5, 3.0], [np.nan, 1.0, -1.0]], dtype)
    y = activation(z)
    assert np.isnan(y[1, 0]) and not np.isnan(y[0]).any()
    dz = backward(activation, z[:1], np.array([[np.nan, 1.0, 1.0]], dtype))
    assert np.isnan(dz[0, 0])


def test_limits_are_reached_without_nan():
    """Infinite inputs give the limit of the formula."""
    x = np.array([[-np.inf, np.inf]])
    limits = {
        "relu": [0, np.inf],
        "elu": [-1, np.inf],
        "selu": [-SCALE * ALPHA, np.inf],
        "softplus": [0, np.inf],
        "softsign": [-1, 1],
        "tanh": [-1, 1],
        "sigmoid": [0, 1],
        "hard_sigmoid": [0, 1],
        "exponential": [0, np.inf],
    }
    for name, expected in limits.items():
        np.testing.assert_allclose(activations.get(name)(x), [expected], 1e-15)


@pytest.mark.parametrize("name", ["relu", "tanh", "softmax"])
def test_bits_do_not_depend_on_threads(name):
    """Serial, parallel with one thread and with all: the same bits."""
    rng = np.random.default_rng(5)
    z, dy = rng.standard_normal((2, 37, 11)).astype(np.float32)
    forward = getattr(kernels, name + "_forward")
    gradient = getattr(kernels, name + "_backward")
    threads = numba.get_num_threads()
    results = []
    for count in (0, 1, threads):
        form = "parallel" if count else "serial"
        numba.set_num_threads(count or 1)
        y, dz = np.full_like(z, 7), np.full_like(z, 7)
        getattr(forward, form)(y, z)
        inputs = (dy, y) if name == "softmax" else (dy, z, y)
        getattr(gradient, form)(dz, *inputs)
        results.append((y.tobytes(), dz.tobytes()))
    numba.set_num_threads(threads)
    assert results[0] == results[1] == results[2]


# ---- identifiers and errors -------------------------------------------------------


@pytest.mark.parametrize("name", REFERENCE)
def test_names_stand_for_activations(name):
    """`get` finds every name, and gives back what `serialize` returned."""
    activation = activations.get(name)
    assert activation.name == name
    assert activation is getattr(activations, name)
    assert activations.serialize(activation) == name
    assert activation.is_linear == (name == "linear")


def test_get_accepts_all_forms():
    """None is linear; an object is itself; a partial and a dict carry parameters."""
    assert activations.get(None) is activations.linear
    assert activations.get(activations.tanh) is activations.tanh
    leaky = activations.get(functools.partial(activations.relu, alpha=0.25))
    np.testing.assert_array_equal(leaky([-4.0, 4.0]), [-1, 4])
    assert activations.serialize(leaky) == {
        "class_name": "relu",
        "config": {"alpha": 0.25, "max_value": None, "threshold": 0.0},
    }
    again = activations.get(activations.serialize(leaky))
    assert again.params == leaky.params
    assert repr(again) == "relu(alpha=0.25, max_value=None, threshold=0.0)"
    assert activations.get({"class_name": "tanh", "config": {}}) is activations.tanh


class Cube(activations.ActivationFunction):
    """y = a z^3, an activation that is not in the library."""

    name = "cube"

    def __init__(self, a=1.0):
        super().__init__(a=a)
        self.a = a

    def forward(self, y, z):
        y[...] = self.a * z**3

    def backward(self, dz, dy, z, y):
        dz[...] = 3 * self.a * z**2 * dy


def test_an_activation_of_ones_own_works_like_the_others():
    """A subclass can be called, checked, changed and serialised."""
    cube = Cube(a=2.0)
    assert activations.get(cube) is cube
    np.testing.assert_array_equal(cube([1.0, -2.0], a=1.0), [1, -8])
    assert checks.check_activation(cube).passed
    assert activations.serialize(cube) == {"class_name": "cube", "config": {"a": 2.0}}


def test_a_base_activation_says_what_is_missing():
    """Without forward and backward there is nothing to call."""
    empty = activations.ActivationFunction()
    with pytest.raises(NotImplementedError, match="ActivationFunction has no forward"):
        empty([1.0])
    with pytest.raises(NotImplementedError, match="ActivationFunction has no backward"):
        empty.backward(None, None, None, None)


def test_unknown_names_get_a_suggestion():
    """A typing error is answered with the nearest name."""
    with pytest.raises(
        ValueError, match="Unknown activation 'rleu'. Did you mean 'relu'"
    ):
        activations.get("rleu")
    with pytest.raises(ValueError, match="Unknown activation 'swish'"):
        activations.get({"class_name": "swish", "config": {}})


def test_unknown_parameters_are_named():
    """A parameter that an activation does not have is refused."""
    with pytest.raises(
        TypeError, match="relu: unknown parameter 'slope'. Known: alpha,"
    ):
        activations.relu([1.0], slope=3)
    with pytest.raises(TypeError, match="tanh: unknown parameter 'a'. Known: none"):
        activations.tanh.with_parameters(a=3)


class Layered:
    """Looks like a layer."""

    def compute_output_shape(self, shape):
        return shape


@pytest.mark.parametrize(
    "identifier, advice",
    [
        (lambda x, y: x, "activation '<lambda>': expected a function of .x., but"),
        (activations.ReLU, "Give a name such as 'relu', a function, or None"),
        (Layered(), "Add the layer to the model instead"),
        (3, "Give a name such as 'relu'"),
    ],
)
def test_other_identifiers_are_refused_with_advice(identifier, advice):
    """Functions, layers and numbers are no activations; the message says what to do."""
    with pytest.raises(TypeError, match=advice):
        activations.get(identifier)


@pytest.mark.parametrize("shape, axis", [((3,), -1), ((3, 2), 2), ((3, 2), -3)])
def test_softmax_refuses_arrays_without_the_axis(shape, axis):
    """One axis is not enough, and the axis must exist."""
    with pytest.raises(
        ValueError, match="softmax: expected an array with at least two"
    ):
        activations.softmax(np.ones(shape), axis=axis)
