"""Noise and the kin of Dropout: means and variances, gradients, seeds, errors.

Dropout itself is tested with the core layers."""

import math

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kerasnb
from kerasnb import Sequential, check_layer
from kerasnb.layers import (
    AlphaDropout,
    Dropout,
    GaussianDropout,
    GaussianNoise,
    Masking,
    SpatialDropout1D,
    SpatialDropout2D,
    SpatialDropout3D,
)

ROWS = 40 if numba.config.DISABLE_JIT else 400
FLOOR = -1.0507009873554804934193349852946 * 1.6732632423543772848170429916717

EVERY = [
    (lambda: GaussianNoise(0.3), (4,)),
    (lambda: GaussianDropout(0.3), (3, 2)),
    (lambda: AlphaDropout(0.3), (4,)),
    (lambda: AlphaDropout(0.3, noise_shape=(None, 1, None)), (3, 2)),
    (lambda: SpatialDropout1D(0.4), (3, 4)),
    (lambda: SpatialDropout2D(0.4), (2, 3, 4)),
    (lambda: SpatialDropout2D(0.4, "channels_first"), (4, 2, 3)),
    (lambda: SpatialDropout3D(0.4), (2, 2, 3, 4)),
    (lambda: SpatialDropout3D(0.4, "channels_first"), (4, 2, 2, 3)),
]
every_layer = pytest.mark.parametrize("make, shape", EVERY)


def standard(columns=50):
    """Return numbers of mean 0 and variance 1."""
    x = np.random.default_rng(0).normal(size=(ROWS, columns))
    return ((x - x.mean()) / x.std()).astype(np.float32)


# ---- gradient ---------------------------------------------------------------------


@every_layer
def test_backward_is_the_derivative_of_forward(make, shape):
    """With the same draws, in training and in the test phase."""
    assert check_layer(make(), shape).passed
    assert check_layer(make(), shape, training=False).passed


# ---- laws -------------------------------------------------------------------------


@every_layer
def test_nothing_happens_at_test_time(make, shape):
    """Every one of them is the identity then, and its gradient too."""
    x = np.random.default_rng(1).normal(size=(3, *shape)).astype(np.float32)
    layer = make()
    layer(x, training=True)
    np.testing.assert_array_equal(layer(x), x)
    np.testing.assert_array_equal(layer.backward(x), x)


@every_layer
def test_the_same_seed_draws_the_same_noise(make, shape):
    """And the next batch gets other noise."""
    x = np.random.default_rng(2).normal(size=(8, *shape)).astype(np.float32)
    found = []
    for _ in range(2):
        kerasnb.set_seed(4)
        found.append([make()(x, training=True) for _ in range(2)])
    np.testing.assert_array_equal(found[0], found[1])
    assert (found[0][0] != found[0][1]).any()


@pytest.mark.parametrize("kind", [AlphaDropout, SpatialDropout1D, Dropout])
def test_a_seed_of_its_own_is_a_stream_of_its_own(kind):
    """It does not disturb the stream that all others share."""
    x = np.ones((6, 5, 4), np.float32)
    first = kind(0.5, seed=3)(x, training=True)
    kerasnb.random.generator().uniform(3)
    np.testing.assert_array_equal(kind(0.5, seed=3)(x, training=True), first)


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="there is one thread only")
@pytest.mark.parametrize(
    "make",
    [
        lambda: GaussianNoise(1.0),
        lambda: GaussianDropout(0.5),
        lambda: AlphaDropout(0.5, seed=1),
        lambda: SpatialDropout1D(0.5, seed=1),
    ],
)
def test_the_noise_does_not_depend_on_threads(make):
    """One thread draws what many draw."""
    x = np.ones((50, 40, 50), np.float32)
    kerasnb.set_seed(1)
    many = make()(x, training=True)
    threads = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        kerasnb.set_seed(1)
        np.testing.assert_array_equal(make()(x, training=True), many)
    finally:
        numba.set_num_threads(threads)


def test_gaussian_noise_has_mean_zero_and_its_standard_deviation():
    """It is added to x, whatever x is."""
    x = standard()
    noise = GaussianNoise(0.2)(x, training=True) - x
    assert abs(noise.mean()) < 5 * 0.2 / math.sqrt(x.size)
    assert noise.std() == pytest.approx(0.2, rel=5 / math.sqrt(2 * x.size))
    np.testing.assert_array_equal(GaussianNoise(0)(x, training=True), x)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.8])
def test_gaussian_dropout_has_mean_one_and_the_variance_of_dropout(rate):
    """m has mean 1 and variance rate / (1 - rate); backward multiplies by it too."""
    x = np.ones((ROWS, 50), np.float32)
    layer = GaussianDropout(rate)
    m = layer(x, training=True)
    variance = rate / (1 - rate)
    assert abs(m.mean() - 1) < 5 * math.sqrt(variance / x.size)
    assert m.var() == pytest.approx(variance, rel=5 * math.sqrt(2 / x.size))
    np.testing.assert_array_equal(layer.backward(x), m)
    np.testing.assert_array_equal(GaussianDropout(0)(x, training=True), x)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_alpha_dropout_keeps_mean_and_variance(rate):
    """Of numbers with mean 0 and variance 1; other dropouts only keep the mean."""
    x = standard()
    y = AlphaDropout(rate)(x, training=True)
    assert abs(y.mean()) < 6 / math.sqrt(x.size)
    assert y.var() == pytest.approx(1, abs=10 / math.sqrt(x.size))


@given(rate=st.floats(0.01, 0.99), seed=st.integers(0, 99))
def test_alpha_dropout_equals_its_formula(rate, seed):
    """a x' - a floor rate, where x' is x where kept, else the floor of selu."""
    x = np.random.default_rng(seed).normal(size=(5, 7))
    layer = AlphaDropout(rate, dtype="float64")
    y = layer(x, training=True)
    kept = layer.backward(np.ones_like(x)) != 0
    a = ((1 - rate) * (1 + rate * FLOOR**2)) ** -0.5
    expected = a * np.where(kept, x, FLOOR) - a * FLOOR * rate
    np.testing.assert_allclose(y, expected, 1e-12, 1e-12)
    np.testing.assert_array_equal(layer.backward(x), np.where(kept, a * x, 0))


def test_alpha_dropout_shares_its_choice_along_an_axis_of_one():
    """noise_shape is that of Dropout."""
    layer = AlphaDropout(0.5, noise_shape=(None, 1))
    y = layer(np.ones((20, 6)), training=True)
    assert (y == y[:, :1]).all() and len(np.unique(y)) == 2


@pytest.mark.parametrize("make, shape", EVERY[4:])
def test_spatial_dropout_drops_whole_feature_maps(make, shape):
    """All places of a channel are dropped or kept together, at the given rate."""
    layer = make()
    x = np.ones((ROWS, *shape), np.float32)
    y = layer(x, training=True)
    channel = 1 if "first" in getattr(layer, "data_format", "") else y.ndim - 1
    y = np.moveaxis(y, channel, 1).reshape(ROWS, shape[channel - 1], -1)
    np.testing.assert_array_equal(y, np.broadcast_to(y[..., :1], y.shape))
    kept = y[..., 0] != 0
    assert abs(kept.mean() - 0.6) < 5 * math.sqrt(0.24 / kept.size)
    np.testing.assert_allclose(y[kept], 1 / 0.6, 1e-6)
    assert (kept.any(axis=0) & ~kept.all(axis=0)).all()


@pytest.mark.parametrize(
    "layer",
    [
        lambda: GaussianNoise(0.1),
        lambda: GaussianDropout(0.1),
        lambda: AlphaDropout(0.1),
        lambda: SpatialDropout1D(0.1),
    ],
)
def test_masks_pass(layer):
    """A step that counts nothing before noise counts nothing behind it."""
    model = Sequential([Masking(input_shape=(3, 2)), layer()])
    model.predict(np.array([[[1, 1], [0, 0], [1, 0]]]))
    np.testing.assert_array_equal(model.output_mask, [[True, False, True]])


def test_nan_is_not_hidden():
    """Dropped or not, a number that is none stays none."""
    x = np.full((4, 6), np.nan, np.float32)
    for layer in (GaussianNoise(1.0), GaussianDropout(0.5), AlphaDropout(0.5)):
        assert np.isnan(layer(x, training=True)).all()


@every_layer
def test_a_layer_is_rebuilt_from_its_configuration(make, shape):
    """Rates, formats and seeds included."""
    config = make().get_config()
    clone = type(make()).from_config(config)
    assert clone.get_config() == config


@pytest.mark.parametrize("kind", [SpatialDropout1D, SpatialDropout2D, SpatialDropout3D])
def test_configurations_of_keras_2_may_say_that_noise_has_no_shape(kind):
    """They do, since there the class is an heir of Dropout."""
    config = kind(0.3, name="old").get_config()
    assert kind.from_config({**config, "noise_shape": None}).get_config() == config


# ---- errors -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: GaussianNoise(-0.1), "stddev must be a number from 0 on, got -0.1"),
        (lambda: GaussianNoise(math.nan), "stddev must be"),
        (lambda: GaussianDropout(1), "rate must be from 0 to below 1, got 1"),
        (lambda: GaussianDropout(-0.1), "rate must be from 0 to below 1"),
        (lambda: AlphaDropout(1.0), "rate must be from 0 to below 1, got 1.0"),
        (
            lambda: AlphaDropout(0.5, noise_shape=(1,))(np.ones((2, 2)), True),
            "one entry per axis",
        ),
        (lambda: SpatialDropout1D(0.5)(np.ones((2, 3))), "with 3 axes"),
        (lambda: SpatialDropout2D(0.5)(np.ones((2, 3, 4))), "with 4 axes"),
        (lambda: SpatialDropout3D(0.5)(np.ones((2, 3, 4))), "with 5 axes"),
        (lambda: SpatialDropout2D(0.5, "channels"), "Did you mean 'channels_"),
    ],
)
def test_bad_arguments_are_explained(make, message):
    """Who, expected what, got what."""
    with pytest.raises(ValueError, match=message):
        make()
