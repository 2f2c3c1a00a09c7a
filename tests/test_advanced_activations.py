"""Activations as layers: formulas, gradients of what is learned, errors."""

import math

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasnb import Sequential, activations, check_layer
from kerasnb.layers import (
    ELU,
    Dense,
    LeakyReLU,
    Masking,
    ParametricSoftplus,
    PReLU,
    ReLU,
    Softmax,
    SReLU,
    ThresholdedReLU,
)

FIXED = [
    (lambda: LeakyReLU(), lambda x: np.maximum(x, 0) + 0.3 * np.minimum(x, 0)),
    (lambda: LeakyReLU(0.1), lambda x: np.maximum(x, 0) + 0.1 * np.minimum(x, 0)),
    (lambda: ELU(), lambda x: np.where(x > 0, x, np.exp(np.minimum(x, 0)) - 1)),
    (lambda: ELU(0.5), lambda x: np.where(x > 0, x, 0.5 * np.expm1(x))),
    (lambda: ThresholdedReLU(), lambda x: x * (x > 1)),
    (lambda: ThresholdedReLU(-0.5), lambda x: x * (x > -0.5)),
    (lambda: Softmax(), lambda x: np.exp(x) / np.exp(x).sum(-1, keepdims=True)),
    (lambda: Softmax(1), lambda x: np.exp(x) / np.exp(x).sum(1, keepdims=True)),
    (lambda: ReLU(), lambda x: np.maximum(x, 0)),
    (lambda: ReLU(0.7), lambda x: np.clip(x, 0, 0.7)),
    (
        lambda: ReLU(1.5, 0.2, 0.4),
        lambda x: np.where(x > 0.4, np.minimum(x, 1.5), 0.2 * (x - 0.4)),
    ),
]
LEARNING = [PReLU, ParametricSoftplus, SReLU]
shapes = st.lists(st.integers(1, 5), min_size=1, max_size=3).map(tuple)
seeds = st.integers(0, 99)


def filled(layer, shape, seed=0):
    """Return a built layer with random weights, and the weights."""
    layer.connect((None, *shape))
    rng = np.random.default_rng(seed)
    weights = [rng.normal(size=w.shape) for w in layer.weights]
    layer.set_weights(weights)
    return layer, weights


# ---- reference --------------------------------------------------------------------


@pytest.mark.parametrize("make, formula", FIXED)
@given(shape=shapes, seed=seeds)
def test_fixed_functions_equal_their_formulas(make, formula, shape, seed):
    """For arrays of every rank."""
    x = 2 * np.random.default_rng(seed).normal(size=(4, *shape))
    x = x.astype(np.float32)
    expected = formula(x.astype(np.float64))
    np.testing.assert_allclose(make()(x), expected, 2e-6, 2e-7)


def test_relu_with_all_arguments_equals_the_vector():
    """max_value 6, negative_slope 0.1, threshold 1 at -1, 1, 3, 9."""
    layer = ReLU(max_value=6, negative_slope=0.1, threshold=1)
    np.testing.assert_allclose(layer([[-1, 1, 3, 9]]), [[-0.2, 0, 3, 6]], 1e-6)


@given(shape=shapes, data=st.data())
def test_prelu_equals_its_formula(shape, data):
    """max(x, 0) + alpha min(x, 0), alpha of size one along the shared axes."""
    axes = list(range(1, len(shape) + 1))
    shared = data.draw(st.lists(st.sampled_from(axes), unique=True) | st.none())
    layer, (alpha,) = filled(PReLU(shared_axes=shared, dtype="float64"), shape)
    wanted = [1 if axis in (shared or []) else shape[axis - 1] for axis in axes]
    assert list(alpha.shape) == wanted
    x = np.random.default_rng(1).normal(size=(3, *shape))
    expected = np.maximum(x, 0) + alpha * np.minimum(x, 0)
    np.testing.assert_allclose(layer(x), expected, 1e-14)


@given(shape=shapes, seed=seeds)
def test_parametric_softplus_equals_its_formula(shape, seed):
    """alpha log(1 + e^(beta x)), with numbers for each place."""
    layer, (alpha, beta) = filled(ParametricSoftplus(dtype="float64"), shape, seed)
    x = np.random.default_rng(seed).normal(size=(3, *shape))
    np.testing.assert_allclose(layer(x), alpha * np.logaddexp(0, beta * x), 1e-12)


@given(shape=shapes, seed=seeds)
def test_srelu_equals_its_formula(shape, seed):
    """Three pieces; the right one begins |t_right| behind the left threshold."""
    layer, (low, a, t, b) = filled(SReLU(dtype="float64"), shape, seed)
    x = 2 * np.random.default_rng(seed).normal(size=(3, *shape))
    top = low + abs(t)
    expected = np.where(x <= low, low + a * (x - low), x)
    expected = np.where(x >= top, top + b * (x - top), expected)
    np.testing.assert_allclose(layer(x), expected, 1e-12)


def test_first_values_of_the_weights():
    """0.2 and 5 for the softplus; SReLU begins as the identity beyond its bends."""
    layer = ParametricSoftplus()
    layer.connect((None, 2, 3))
    np.testing.assert_array_equal(layer.get_weights()[0], np.full((2, 3), 0.2, "f4"))
    np.testing.assert_array_equal(layer.get_weights()[1], np.full((2, 3), 5))
    layer = SReLU()
    layer.connect((None, 4, 3))
    low, a, t, b = layer.get_weights()
    assert not low.any() and (b == 1).all() and len(np.unique(a)) == 12
    assert (PReLU()([[-2.0, 3.0]]) == [[0, 3]]).all()


# ---- gradient ---------------------------------------------------------------------


@pytest.mark.parametrize("make, formula", FIXED)
def test_fixed_functions_have_right_gradients(make, formula):
    """Central differences agree, in a matrix and in four axes."""
    for shape in [(5,), (2, 3, 2)]:
        assert check_layer(make(), shape).passed


@given(shape=shapes, data=st.data())
def test_gradients_of_prelu_sum_over_samples_and_shared_axes(shape, data):
    """For all choices of shared axes."""
    axes = st.lists(st.integers(1, len(shape)), unique=True)
    layer = PReLU(shared_axes=data.draw(axes))
    assert check_layer(layer, shape, trials=1).passed


@pytest.mark.parametrize("kind", [ParametricSoftplus, SReLU])
@given(shape=shapes, seed=seeds)
def test_gradients_of_what_is_learned_are_right(kind, shape, seed):
    """Of all weights and of x, each place by itself."""
    layer, _ = filled(kind(), shape, seed)
    assert check_layer(layer, shape, trials=1, seed=seed).passed


# ---- laws -------------------------------------------------------------------------


@pytest.mark.parametrize("axis", [1, 2, -1, -2])
def test_softmax_sums_to_one_along_its_axis(axis):
    """Whichever it is."""
    y = Softmax(axis)(np.random.default_rng(2).normal(size=(3, 4, 5)))
    np.testing.assert_allclose(y.sum(axis), 1, 1e-6)


def test_layers_and_functions_agree():
    """A layer is its function of `activations`, bit for bit."""
    x = np.random.default_rng(3).normal(size=(5, 4)).astype(np.float32)
    pairs = [
        (LeakyReLU(0.2), {"alpha": 0.2}),
        (ThresholdedReLU(0.5), {"threshold": 0.5}),
    ]
    for layer, params in pairs:
        np.testing.assert_array_equal(layer(x), activations.relu(x, **params))
    prelu = PReLU("ones")
    np.testing.assert_array_equal(prelu(x), x)


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="there is one thread only")
def test_gradients_have_the_same_bits_for_any_number_of_threads():
    """A turn of the loop owns its columns, and the codes of the shared axes."""
    rng = np.random.default_rng(4)
    x, dy = rng.normal(size=(2, 300, 20, 17)).astype(np.float32)
    threads = numba.get_num_threads()
    found = []
    try:
        for count in (threads, 1):
            numba.set_num_threads(count)
            layer = PReLU("ones", shared_axes=[1])
            layer(x)
            layer.alpha.grad = np.full((1, 17), np.nan, np.float32)
            found.append((np.array(layer.backward(dy)), layer.alpha.grad))
    finally:
        numba.set_num_threads(threads)
    for a, b in zip(*found):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("kind", LEARNING)
def test_training_lowers_the_loss(kind):
    """The weights of the activation learn, in replayed steps too."""
    x = np.linspace(-2, 2, 64, dtype=np.float32).reshape(64, 1)
    model = Sequential([Dense(6, input_shape=(1,)), kind(), Dense(1)])
    model.compile("adam", "mse")
    first = model.layers[1].get_weights()
    assert model._replays
    twin = Sequential.from_config(model.get_config())
    twin.set_weights(model.get_weights())
    twin.compile("adam", "mse")
    twin._replays = False
    history = model.fit(x, abs(x), 16, epochs=10, verbose=0, seed=1).history
    assert twin.fit(x, abs(x), 16, epochs=10, verbose=0, seed=1).history == history
    assert history["loss"][-1] < history["loss"][0]
    for before, after in zip(first, model.layers[1].get_weights()):
        assert (before != after).any()


def test_images_of_any_size_share_one_alpha_per_channel():
    """Axes of unknown size must be shared; then sizes may change."""
    model = Sequential([PReLU("ones", shared_axes=[1, 2], input_shape=(None, None, 3))])
    for size in (2, 5):
        x = np.random.default_rng(5).normal(size=(2, size, 4, 3)).astype(np.float32)
        np.testing.assert_array_equal(model.predict(x), x)
    assert model.get_weights()[0].shape == (1, 1, 3)


def test_penalties_and_constraints_act_on_alpha():
    """The arguments arrive at the weight; an axis may stand alone."""
    layer = PReLU("ones", "l2", "non_neg", shared_axes=1)
    layer.connect((None, 3, 2))
    assert layer.alpha.regularizer.l2 == 0.01
    assert type(layer.alpha.constraint).__name__ == "NonNeg"
    assert layer.shared_axes == [1]


@pytest.mark.parametrize(
    "make", [make for make, _ in FIXED] + LEARNING, ids=lambda make: ""
)
def test_masks_pass_and_configurations_return(make):
    """None of these layers looks at time."""
    model = Sequential([Masking(input_shape=(3, 2)), make()])
    model.predict(np.array([[[1, 1], [0, 0], [1, 0]]]))
    np.testing.assert_array_equal(model.output_mask, [[True, False, True]])
    config = make(name="a").get_config() if isinstance(make, type) else None
    config = config or make().get_config()
    assert type(model.layers[1]).from_config(config).get_config() == config
    assert "activation" not in config


def test_nan_is_not_hidden():
    """Neither in the numbers nor in what is learned."""
    nan = np.full((2, 3), np.nan, np.float32)
    for make, _ in FIXED:
        if make().__class__ is not Softmax or make().axis == -1:
            assert np.isnan(make()(nan)).all()
    x = -np.ones((2, 3), np.float32)
    for kind in LEARNING:
        layer, weights = filled(kind(), (3,))
        assert np.isnan(layer(nan)).all()
        for which in range(len(weights)):
            if kind is SReLU and which in (1, 3):  # belongs to one of the pieces
                continue
            spoilt = [np.full(3, np.nan) if i == which else w
                      for i, w in enumerate(weights)]  # fmt: skip
            layer.set_weights(spoilt)
            assert np.isnan(layer(x)).all()


# ---- errors -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "make, error, message",
    [
        (
            lambda: ReLU(max_value=-1),
            ValueError,
            "max_value must not be negative, got -1.0",
        ),
        (
            lambda: ReLU(negative_slope=-0.1),
            ValueError,
            "negative_slope must not be negative",
        ),
        (
            lambda: ReLU(negative_slope=math.nan),
            ValueError,
            "negative_slope must not be negative",
        ),
        (
            lambda: Softmax(2)(np.ones((2, 3))),
            ValueError,
            r"there is no axis 2 in an input of shape \(batch, 3\)",
        ),
        (lambda: Softmax()(np.ones(3)), ValueError, "at least 2 axes"),
        (
            lambda: PReLU(shared_axes=[2])(np.ones((2, 3))),
            ValueError,
            "shared_axes must lie between 1 and 1 .* got 2",
        ),
        (
            lambda: PReLU(shared_axes=[0])(np.ones((2, 3))),
            ValueError,
            "got 0. Axis 0 is the batch",
        ),
        (
            lambda: PReLU(input_shape=(None, 3)).compute_output_shape((None, None, 3)),
            ValueError,
            "unknown size must be among shared_axes",
        ),
        (
            lambda: SReLU().compute_output_shape((None, None, 3)),
            ValueError,
            "every axis but the batch must be known",
        ),
        (lambda: ELU("x"), ValueError, "could not convert"),
    ],
)
def test_bad_arguments_are_explained(make, error, message):
    """Who, expected what, got what."""
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize("kind", LEARNING)
def test_samples_of_another_shape_are_refused(kind):
    """The weights were made for one shape."""
    layer, _ = filled(kind(), (3,))
    with pytest.raises(ValueError, match="the layer was built"):
        layer(np.ones((2, 4)))
