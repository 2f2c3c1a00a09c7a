"""Batch normalization: formulas, gradients, moving averages, frozen layers, errors."""

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasnb import Sequential, check_layer
from kerasnb.device import ops
from kerasnb.layers import (
    Activation,
    BatchNormalization,
    Dense,
    Flatten,
    Masking,
    Reshape,
)
from kerasnb.optimizers import Adam

shapes = st.lists(st.integers(1, 5), min_size=1, max_size=3).map(tuple)


def others(x, axis):
    """Return all axes but one."""
    return tuple(a for a in range(x.ndim) if a != axis % x.ndim)


def moments(x):
    """Return mean and variance of the columns as the kernel finds them."""
    mean, variance = np.full((2, x.shape[1]), np.nan, x.dtype)
    ops.batch_moments(mean, variance, x)
    return mean, variance


# ---- reference --------------------------------------------------------------------


@pytest.mark.parametrize("rows", [1, 2, 31, 32, 33, 64, 97, 2049, 2113])
@pytest.mark.parametrize("dtype, rtol", [("float32", 3e-6), ("float64", 1e-13)])
def test_moments_equal_numpys(rows, dtype, rtol):
    """Mean and biased variance of every column, for full and incomplete blocks."""
    rows = min(rows, 97) if numba.config.DISABLE_JIT else rows
    x = np.random.default_rng(0).normal(3, 2, (rows, 5)).astype(dtype)
    mean, variance = moments(x)
    exact = x.astype(np.float64)
    np.testing.assert_allclose(mean, exact.mean(0), rtol)
    np.testing.assert_allclose(variance, exact.var(0), rtol, 1e-30)


def test_the_variance_survives_a_large_mean():
    """At 4096 +- 1, one pass over x and x^2 in float32 would leave no correct digit."""
    x = np.random.default_rng(0).normal(4096, 1, (300, 2)).astype(np.float32)
    _, variance = moments(x)
    np.testing.assert_allclose(variance, x.astype(np.float64).var(0), 1e-4)


def test_one_far_value_leaves_the_variance_correct():
    """Wherever it stands, the first row included."""
    for row in (0, 17, 64):
        x = np.random.default_rng(0).normal(0, 1, (65, 1)).astype(np.float32)
        x[row] = 1e5
        _, variance = moments(x)
        np.testing.assert_allclose(variance, x.astype(np.float64).var(0), 1e-5)


@given(shape=shapes, data=st.data())
def test_training_standardises_over_all_axes_but_one(shape, data):
    """y = (x - mean) / sqrt(variance + epsilon) gamma + beta, of the batch."""
    axis = data.draw(st.integers(1, len(shape)))
    axis -= data.draw(st.sampled_from([0, len(shape) + 1]))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    x = rng.normal(2, 3, (4, *shape))
    layer = BatchNormalization(axis=axis, epsilon=0.1, dtype="float64")
    layer.connect((None, *shape))
    gamma, beta = rng.normal(size=(2, x.shape[axis]))
    layer.set_weights([gamma, beta, 0 * beta, gamma**2])
    around = [1] * x.ndim
    around[axis] = -1
    mean = x.mean(others(x, axis), keepdims=True)
    variance = x.var(others(x, axis), keepdims=True)
    expected = (x - mean) / np.sqrt(variance + 0.1) * gamma.reshape(around)
    y = layer(x, training=True)
    np.testing.assert_allclose(y, expected + beta.reshape(around), 1e-10, 1e-12)


def test_the_example_of_four_numbers(float64):
    """x = 1, 2, 4, 5: the output, and the moving averages after one batch."""
    layer = BatchNormalization()
    y = layer([[1.0], [2.0], [4.0], [5.0]], training=True)
    outer, inner = 1.264658158, 0.632329079
    np.testing.assert_allclose(y[:, 0], [-outer, -inner, inner, outer], 1e-8)
    _, _, mean, variance = layer.get_weights()
    np.testing.assert_allclose(mean, 0.03, 1e-12)
    np.testing.assert_allclose(variance, 1.023344448, 1e-9)


def test_the_moving_averages_are_plain_exponential_ones(float64):
    """Loaded values are not forgotten, and images are corrected once."""
    rng = np.random.default_rng(1)
    layer = BatchNormalization(momentum=0.9)
    layer.connect((None, 2, 3, 2))
    mean, variance = np.array([5.0, -1.0]), np.array([2.0, 3.0])
    layer.set_weights([np.ones(2), np.zeros(2), mean, variance])
    for batch in (2, 4):
        x = rng.normal(size=(batch, 2, 3, 2))
        layer(x, training=True)
        N = batch * 6
        mean = 0.9 * mean + 0.1 * x.mean((0, 1, 2))
        variance = 0.9 * variance + 0.1 * x.var((0, 1, 2)) * N / (N - 1.001)
        np.testing.assert_allclose(layer.get_weights()[2], mean, 1e-12)
        np.testing.assert_allclose(layer.get_weights()[3], variance, 1e-12)


def test_a_single_number_has_no_correction(float64):
    """N = 1: its variance of 0 is taken as it is, where N / (N - 1 - e) is negative."""
    layer = BatchNormalization()
    np.testing.assert_array_equal(layer([[7.0, 8.0]], training=True), [[0, 0]])
    np.testing.assert_allclose(layer.get_weights()[3], [0.99, 0.99], 1e-12)


def test_the_test_phase_uses_the_moving_averages_alone(float64):
    """A sample does not depend on its neighbours, and nothing is changed."""
    layer = BatchNormalization(epsilon=0)
    layer.connect((None, 2))
    weights = [np.array(w) for w in ([2.0, 1], [1.0, 0], [3.0, 0], [4.0, 1])]
    layer.set_weights(weights)
    np.testing.assert_allclose(layer([[5.0, 2.0]]), [[3, 2]], 1e-12)
    for before, after in zip(weights, layer.get_weights()):
        np.testing.assert_array_equal(before, after)


# ---- gradient ---------------------------------------------------------------------


@given(shape=shapes, data=st.data())
def test_backward_is_the_derivative_of_forward(shape, data):
    """Through mean and variance in training, past them in the test phase."""
    axis = data.draw(st.integers(1, len(shape)))
    options = {"scale": data.draw(st.booleans()), "center": data.draw(st.booleans())}
    layer = BatchNormalization(axis=axis, epsilon=0.3, **options)
    training = data.draw(st.booleans())
    assert check_layer(layer, shape, training=training, trials=1).passed
    names = [weight.name.split("/")[1] for weight in _built(layer, shape).weights]
    wanted = ["gamma:0"] * options["scale"] + ["beta:0"] * options["center"]
    assert names == wanted + ["moving_mean:0", "moving_variance:0"]


def _built(layer, shape):
    layer.connect((None, *shape))
    return layer


def test_gradients_sum_to_zero_over_the_batch(float64):
    """Neither a common shift nor a common factor of x changes y (without epsilon)."""
    rng = np.random.default_rng(2)
    x, dy = rng.normal(size=(2, 70, 3))
    layer = BatchNormalization(epsilon=0)
    layer(x, training=True)
    dx = layer.backward(dy)
    np.testing.assert_allclose(dx.sum(0), 0, atol=1e-12)
    np.testing.assert_allclose((dx * x).sum(0), 0, atol=1e-11)


# ---- laws -------------------------------------------------------------------------


@pytest.mark.parametrize("axis", [1, -1])
def test_training_output_is_standardised(axis):
    """Mean 0 and variance 1 in every channel, whatever the scale of the input."""
    x = np.random.default_rng(3).normal(50, 20, (40, 3, 4)).astype(np.float32)
    y = BatchNormalization(axis=axis)(x, training=True)
    np.testing.assert_allclose(y.mean(others(y, axis)), 0, atol=1e-5)
    np.testing.assert_allclose(y.var(others(y, axis)), 1, atol=1e-4)


def test_every_axis_is_treated_alike():
    """Channels in the middle give the bits of channels last."""
    x = np.random.default_rng(4).normal(size=(6, 3, 5)).astype(np.float32)
    middle = BatchNormalization(axis=1)
    last = BatchNormalization()
    turned = np.ascontiguousarray(x.transpose(0, 2, 1))
    y = last(turned, training=True).transpose(0, 2, 1)
    np.testing.assert_array_equal(middle(x, training=True), y)
    dx = last.backward(turned).transpose(0, 2, 1)
    np.testing.assert_array_equal(middle.backward(x), dx)


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="there is one thread only")
def test_the_bits_do_not_depend_on_threads_or_form():
    """One thread, two threads, and the serial form of each kernel."""
    rng = np.random.default_rng(5)
    x, dy = rng.normal(size=(2, 3001, 33)).astype(np.float32)

    def run():
        layer = BatchNormalization()
        y = layer(x, training=True)
        dx = np.array(layer.backward(dy))
        return y, dx, *layer.get_weights()

    results = [run()]
    threads = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        results.append(run())
    finally:
        numba.set_num_threads(threads)
    names = [name for name in vars(ops) if name.startswith("batch_")]
    parallel = {name: getattr(ops, name) for name in names}
    try:
        vars(ops).update({name: k.serial for name, k in parallel.items()})
        results.append(run())
    finally:
        vars(ops).update(parallel)
    for other in results[1:]:
        for a, b in zip(results[0], other):
            np.testing.assert_array_equal(a, b)


def test_nan_is_not_hidden():
    """A channel with NaN is NaN; the others are not touched by it."""
    x = np.ones((40, 2), np.float32)
    x[35, 1] = np.nan
    layer = BatchNormalization()
    y = layer(x, training=True)
    assert np.isnan(y[:, 1]).all() and np.isfinite(y[:, 0]).all()
    assert np.isnan(layer.get_weights()[3][1])


def test_training_lowers_the_loss_and_moves_the_averages():
    """Dense -> BatchNormalization -> Activation, replayed like any other step."""
    rng = np.random.default_rng(6)
    x = rng.normal(5, 3, (96, 4)).astype(np.float32)
    t = (x[:, :1] > 5).astype(np.float32)
    model = Sequential([Dense(8, input_shape=(4,)), BatchNormalization(momentum=0.8)])
    model.add(Activation("relu"))
    model.add(Dense(1, "sigmoid"))
    model.compile(Adam(0.03), "binary_crossentropy")
    twin = Sequential.from_config(model.get_config())
    twin.set_weights(model.get_weights())
    twin.compile(Adam(0.03), "binary_crossentropy")
    assert model._replays
    twin._replays = False
    history = model.fit(x, t, 16, epochs=12, verbose=0, seed=1).history
    assert twin.fit(x, t, 16, epochs=12, verbose=0, seed=1).history == history
    assert history["loss"][-1] < 0.7 * history["loss"][0]
    for a, b in zip(model.get_weights(), twin.get_weights()):
        np.testing.assert_array_equal(a, b)
    inner = model.layers[0](x)
    mean, variance = model.layers[1].get_weights()[2:]
    np.testing.assert_allclose(mean, inner.mean(0), rtol=0.3, atol=0.5)
    np.testing.assert_allclose(variance, inner.var(0), rtol=0.5)
    assert model.evaluate(x, t, verbose=0) < history["loss"][0]


@pytest.mark.parametrize("around", [False, True])
def test_a_frozen_layer_keeps_everything(around):
    """Frozen itself or by the model around it, it still normalises with the batch."""
    layer = BatchNormalization(input_shape=(3,))
    inner = Sequential([layer])
    model = Sequential([inner, Dense(1)])
    (inner if around else layer).trainable = False
    model.compile("sgd", "mse")
    x = np.random.default_rng(7).normal(9, 1, (12, 3))
    before = layer.get_weights()
    model.train_on_batch(x, x[:, :1])
    for a, b in zip(before, layer.get_weights()):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_allclose(layer.forward(x, True).mean(0), 0, atol=1e-5)
    (inner if around else layer).trainable = True
    with pytest.warns(UserWarning, match="trainable weights has changed"):
        model.train_on_batch(x, x[:, :1])
    assert (layer.get_weights()[2] != before[2]).all()


@pytest.mark.parametrize("around", [False, True])
def test_infer_when_frozen_means_the_moving_averages(around, float64):
    """Then training and test phase agree, gradients included."""
    layer = BatchNormalization(infer_when_frozen=True, input_shape=(3,))
    x = np.random.default_rng(8).normal(9, 1, (12, 3))
    assert (layer(x, training=True) != layer(x)).any()
    inner = Sequential([layer])
    model = Sequential([inner, Dense(1)])
    (inner if around else layer).trainable = False
    model.compile("sgd", "mse")
    model.train_on_batch(x, x[:, :1])
    np.testing.assert_array_equal(layer(x, training=True), layer(x))
    slope = 1 / np.sqrt(layer.get_weights()[3] + layer.epsilon)
    layer.needs_dx = True
    np.testing.assert_allclose(layer.backward(np.ones((12, 3)))[0], slope, 1e-12)


def test_a_mask_passes_and_does_not_count():
    """The statistics are those of all time steps."""
    x = np.random.default_rng(9).normal(size=(4, 3, 2)).astype(np.float32)
    x[:, 2] = 0
    model = Sequential([Masking(input_shape=(3, 2)), BatchNormalization()])
    y = np.array(model.forward(x, True))
    np.testing.assert_array_equal(model.output_mask, [[True, True, False]] * 4)
    np.testing.assert_array_equal(y, BatchNormalization()(x, training=True))


def test_all_arguments_are_kept(float64):
    """Initializers, penalties and constraints act; the config has them all."""
    layer = BatchNormalization(
        beta_initializer="ones",
        gamma_initializer="zeros",
        moving_mean_initializer="ones",
        moving_variance_initializer="zeros",
        beta_regularizer="l1",
        gamma_regularizer="l2",
        beta_constraint="non_neg",
        gamma_constraint="unit_norm",
        infer_when_frozen=True,
    )
    layer.connect((None, 2))
    values = [w.tolist() for w in layer.get_weights()]
    assert values == [[0, 0], [1, 1], [1, 1], [0, 0]]
    assert [w.trainable for w in layer.weights] == [True, True, False, False]
    gamma, beta = layer.weights[:2]
    assert gamma.regularizer.l2 == 0.01 and beta.regularizer.l1 == 0.01
    assert type(gamma.constraint).__name__ == "UnitNorm"
    clone = BatchNormalization.from_config(layer.get_config())
    assert clone.get_config() == layer.get_config() and clone.infer_when_frozen
    assert "infer_when_frozen" not in BatchNormalization().get_config()


def test_unknown_sizes_beside_the_channels_may_change():
    """Images of any size share the statistics of their channels."""
    model = Sequential([BatchNormalization(input_shape=(None, None, 2))])
    for size in (3, 5):
        assert model.predict(np.ones((2, size, 4, 2))).shape == (2, size, 4, 2)


# ---- errors -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: BatchNormalization(axis=1.5), TypeError, "axis must be one whole"),
        (lambda: BatchNormalization(axis=[1, 2]), TypeError, "axis must be one whole"),
        (lambda: BatchNormalization(momentum=2), ValueError, "momentum must be from 0"),
        (
            lambda: BatchNormalization(epsilon=-1),
            ValueError,
            "epsilon must not be negative, got -1",
        ),
        (
            lambda: BatchNormalization(axis=2)(np.ones((3, 4))),
            ValueError,
            r"axis 2 is none of the axes of an input of shape \(batch, 4\)",
        ),
        (
            lambda: BatchNormalization(axis=-2)(np.ones((3, 4))),
            ValueError,
            "axis -2 is none",
        ),
        (
            lambda: BatchNormalization(axis=0)(np.ones((3, 4))),
            ValueError,
            "axis 0 is none",
        ),
        (lambda: BatchNormalization()(np.ones(3)), ValueError, "at least 2 axes"),
        (
            lambda: Sequential([BatchNormalization(input_shape=(2, None))]),
            ValueError,
            "axis -1 of the input must be known",
        ),
    ],
)
def test_bad_arguments_are_explained(make, error, message):
    """Who, expected what, got what."""
    with pytest.raises(error, match=message):
        make()


def test_another_number_of_channels_is_refused():
    """The layer says for how many it was built."""
    layer = _built(BatchNormalization(), (4,))
    with pytest.raises(ValueError, match="built for 4 channels along axis -1"):
        layer(np.ones((2, 5)))
    model = Sequential([Reshape((2, 3), input_shape=(6,)), BatchNormalization(axis=1)])
    model.add(Flatten())
    assert model.layers[1].gamma.shape == (2,)
