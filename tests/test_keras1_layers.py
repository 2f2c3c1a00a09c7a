"""The layers of Keras 1: arguments, defaults, names, and their own arithmetic."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kerasnb
from kerasnb import check_layer, keras1, layers, load_model
from kerasnb.keras1 import BatchNormalization, Dense, Embedding, Sequential
from kerasnb.keras1_layers import old_name
from kerasnb.models import clone_model

X = np.random.default_rng(1).normal(3, 2, (6, 4, 3))


# ---- batch normalization ----------------------------------------------------------


def test_mode_0_keeps_the_variance_of_the_batch(float64):
    """Uncorrected: 0.99 + 0.01 * 2.5 of (1, 2, 4, 5); Keras 2 corrects it."""
    x = np.array([[1.0], [2.0], [4.0], [5.0]])
    layer, modern = BatchNormalization(mode=0), layers.BatchNormalization(epsilon=1e-5)
    y = layer(x, training=True)
    np.testing.assert_allclose(y, modern(x, training=True), rtol=1e-12)
    gamma, beta, mean, variance = layer.get_weights()
    np.testing.assert_allclose([mean[0], variance[0]], [0.03, 1.015], rtol=1e-12)
    assert modern.get_weights()[3][0] > 1.02


@pytest.mark.parametrize("training", [False, True])
def test_mode_1_normalises_each_sample(float64, training):
    """Over the last axis, with epsilon twice."""
    layer = BatchNormalization(epsilon=0.1, mode=1)
    layer.connect((None, 4, 3))
    layer.set_weights([[2.0, 1.0, 3.0], [1.0, 0.0, -1.0], [9.0] * 3, [9.0] * 3])
    s = np.sqrt(X.var(axis=-1, keepdims=True) + 0.1)
    n = (X - X.mean(axis=-1, keepdims=True)) / (s + 0.1)
    expected = n * [2.0, 1.0, 3.0] + [1.0, 0.0, -1.0]
    np.testing.assert_allclose(layer(X, training=training), expected, rtol=1e-12)
    assert layer.get_weights()[2].tolist() == [9.0] * 3


def test_mode_2_normalises_by_the_batch_at_test_time_too(float64):
    """The moving averages stay as they are."""
    layer = BatchNormalization(mode=2)
    y = layer(X)
    expected = (X - X.mean((0, 1))) / np.sqrt(X.var((0, 1)) + 1e-5)
    np.testing.assert_allclose(y, expected, rtol=1e-10)
    np.testing.assert_array_equal(y, layer(X, training=True))
    assert [w.tolist() for w in layer.get_weights()[2:]] == [[0.0] * 3, [1.0] * 3]


@given(
    mode=st.sampled_from([0, 1]),
    shape=st.lists(st.integers(1, 5), min_size=1, max_size=3),
    training=st.booleans(),
)
def test_backward_of_modes_0_and_1_is_the_derivative(mode, shape, training):
    """Through mean and variance, those of the batch or of the sample."""
    layer = BatchNormalization(epsilon=0.3, mode=mode)
    assert check_layer(layer, tuple(shape), training=training, trials=1).passed


@pytest.mark.parametrize("training", [False, True])
def test_backward_of_mode_2_is_that_of_training(float64, training):
    """Through mean and variance of the batch, always."""
    dy = np.random.default_rng(4).normal(size=X.shape)
    layer, modern = BatchNormalization(mode=2), layers.BatchNormalization(epsilon=1e-5)
    layer(X, training=training)
    modern(X, training=True)
    np.testing.assert_array_equal(layer.backward(dy), modern.backward(dy))


def test_the_first_argument_is_epsilon():
    """As Keras 1 had it; the modes have numbers."""
    layer = BatchNormalization(1e-6, 0, 1)
    assert (layer.epsilon, layer.mode, layer.axis) == (1e-6, 0, 1)
    assert BatchNormalization().epsilon == 1e-5
    for mode in (3, "1", True):
        with pytest.raises(ValueError, match="mode must be 0, 1 or 2, got"):
            BatchNormalization(mode=mode)
    with pytest.raises(ValueError, match="mode=1 takes .* the last axis, got axis=1"):
        BatchNormalization(mode=1, axis=1)(X)


# ---- embedding --------------------------------------------------------------------


def test_dropout_of_an_embedding_forgets_words(float64):
    """A word is zero wherever it stands, or scaled up; at test time none is."""
    layer = Embedding(50, 3, dropout=0.25)
    codes = np.random.default_rng(2).integers(0, 50, (40, 30))
    plain = layer(codes)
    W = layer.get_weights()[0]
    np.testing.assert_array_equal(plain, W[codes])
    y = layer(codes, training=True)
    factor = (y / plain).reshape(-1, 3)
    by_word = [factor[codes.ravel() == word] for word in range(50)]
    for rows in by_word:
        np.testing.assert_allclose(rows, rows[0, 0])
    kept = np.array([rows[0, 0] for rows in by_word])
    np.testing.assert_allclose(kept[kept > 0], 1 / 0.75)
    assert 3 <= (kept == 0).sum() <= 25
    assert not np.array_equal(layer(codes, training=True), y)


def test_the_gradient_of_an_embedding_passes_the_same_words(float64):
    """A forgotten word learns nothing."""
    model = Sequential([Embedding(20, 2, dropout=0.5, input_length=30)])
    model.compile("sgd", "mse")
    layer = model.layers[0]
    codes = np.arange(60).reshape(2, 30) % 20
    y = np.array(layer.forward(codes, True))
    layer.backward(np.ones_like(y))
    factor = (y / layer.W.value[codes])[..., 0].ravel()
    expected = np.bincount(codes.ravel(), weights=factor)
    np.testing.assert_allclose(layer.W.grad, np.stack([expected] * 2, axis=1))
    assert 0 in expected and expected.max() == 6.0
    assert not layer.only_launches
    assert Embedding(20, 2).only_launches


# ---- arguments, names, files ------------------------------------------------------


def test_arguments_in_the_order_of_keras_1():
    """Also where the layout of images is one of them."""
    assert keras1.UpSampling2D((2, 2), "th").data_format == "channels_first"
    assert keras1.ZeroPadding2D((1, 1), "th").data_format == "channels_first"
    assert keras1.GlobalAveragePooling2D("tf").data_format == "channels_last"
    assert keras1.SpatialDropout2D(0.5, "th").data_format == "channels_first"
    pool = keras1.MaxPooling2D((2, 2), (1, 1), "same", "th")
    assert (pool.strides, pool.padding) == ((1, 1), "same")
    layer = keras1.Convolution2D(
        8, 3, 2, "he_normal", "relu", None, "same", (2, 1), "th", bias=False
    )
    assert (layer.filters, layer.kernel_size, layer.strides) == (8, (3, 2), (2, 1))
    assert (layer.padding, layer.data_format) == ("same", "channels_first")
    assert layer.activation.name == "relu" and not layer.use_bias
    assert keras1.Convolution1D(4, 3, "one", "tanh").kernel_size == (3,)
    assert keras1.LSTM(3).cell.recurrent_initializer.gain == 1.1


def test_default_names_are_lower_cased_class_names():
    """Of the class that Keras 1 had; layers of today keep theirs."""
    kerasnb.reset_names()
    made = [
        keras1.Convolution2D(1, 1, 1), keras1.Conv2D(1, 1, 1), keras1.MaxPooling2D(),
        BatchNormalization(), keras1.LSTM(1), keras1.Deconvolution2D(1, 1, 1, None),
        keras1.TimeDistributed(Dense(1)), Dense(1, name="mine"), Dense(1),
    ]  # fmt: skip
    assert [layer.name for layer in made] == [
        "convolution2d_1", "convolution2d_2", "maxpooling2d_1", "batchnormalization_1",
        "lstm_1", "deconvolution2d_1", "timedistributed_1", "mine", "dense_2",
    ]  # fmt: skip
    assert layers.BatchNormalization().name == "batch_normalization_1"
    assert type(made[0]).__name__ == "Convolution2D"

    class MyDense(type(made[-1])):
        pass

    assert MyDense(2).name == "mydense_1"


def everything():
    """A model with all layers that Keras 1 computed in another way."""
    model = Sequential(
        [
            Embedding(9, 4, dropout=0.2, input_length=5),
            BatchNormalization(mode=1),
            keras1.LSTM(3, forget_bias_init="zero"),
            keras1.Highway(transform_bias=-1, activation="tanh"),
            BatchNormalization(mode=2),
            Dense(1),
        ]
    )
    model.compile("rmsprop", "mse")
    return model


def test_a_model_of_keras_1_comes_back_as_one(tmp_path):
    """From a file, from JSON, as a copy: the classes, and what they compute."""
    model = everything()
    codes = np.arange(30).reshape(6, 5) % 9
    model.fit(codes, np.ones(6), nb_epoch=1, verbose=0)
    model.save(tmp_path / "model.knb")
    again = load_model(tmp_path / "model.knb")
    assert [type(a) for a in again.layers] == [type(a) for a in model.layers]
    np.testing.assert_array_equal(again.predict(codes), model.predict(codes))
    assert again.layers[1].mode == 1 and again.layers[0].dropout == 0.2
    written = kerasnb.models.model_from_json(model.to_json())
    assert written.get_config() == model.get_config()
    cloned = clone_model(model)
    assert type(cloned.layers[3]) is type(model.layers[3])


def test_layers_of_today_stay_what_they_are(tmp_path):
    """In a model of Keras 1 too."""
    model = Sequential(
        [layers.Dense(2, input_shape=(4, 3)), layers.Flatten(), Dense(1)]
    )
    model.compile("sgd", "mse")
    model.save(tmp_path / "model.knb")
    again = load_model(tmp_path / "model.knb")
    assert [type(a) for a in again.layers] == [layers.Dense, layers.Flatten, Dense]


def test_the_optimizer_has_the_weights_in_the_order_of_their_names():
    """Sorted, as Keras 1 called them; Keras 2 goes by layers."""
    stack = [
        keras1.SimpleRNN(2, input_shape=(3, 2), name="z"),
        BatchNormalization(name="a"),
        Dense(1, name="dense_2"),
        Dense(1, name="dense_10"),
    ]
    model = Sequential(stack)
    model.compile("sgd", "mse")
    order = [old_name(weight.name) for weight in model._parameters.weights]
    assert order == [
        "a_beta", "a_gamma", "dense_10_W", "dense_10_b", "dense_2_W", "dense_2_b",
        "z_U", "z_W", "z_b",
    ]  # fmt: skip
    assert [w.name for w in model.trainable_weights][:2] == [
        "z/kernel:0",
        "z/recurrent_kernel:0",
    ]
    model.fit(np.ones((4, 3, 2)), np.ones(4), nb_epoch=1, verbose=0)
    assert [old_name(w.name) for w in model._parameters.weights] == order
