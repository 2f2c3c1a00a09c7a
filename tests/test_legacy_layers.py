"""Highway, MaxoutDense, TimeDistributedDense: values, gradients, weight orders."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasnb import Sequential, check_layer, keras1
from kerasnb.layers import Dense, Highway, Masking, MaxoutDense, TimeDistributedDense

SIZES = st.integers(1, 5)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


# ---- reference --------------------------------------------------------------------


@given(N=SIZES, D=SIZES, use_bias=st.booleans())
def test_highway_is_its_formula(N, D, use_bias):
    """g act(x W + b) + (1 - g) x, with g = sigmoid(x V + c)."""
    rng = np.random.default_rng(D)
    layer = Highway(activation="tanh", use_bias=use_bias, dtype="float64")
    layer.connect((None, D))
    W, V = rng.normal(size=(2, D, D))
    b, c = rng.normal(size=(2, D)) * use_bias
    layer.set_weights([W, V, b, c] if use_bias else [W, V])
    x = rng.normal(size=(N, D))
    g = sigmoid(x @ V + c)
    np.testing.assert_allclose(layer(x), g * np.tanh(x @ W + b) + (1 - g) * x)


@given(N=SIZES, D=SIZES, O=SIZES, K=SIZES)
def test_maxout_is_its_formula(N, D, O, K):
    """The maximum over k of x W_k + b_k."""
    rng = np.random.default_rng(D)
    layer = MaxoutDense(O, nb_feature=K, dtype="float64")
    layer.connect((None, D))
    W, b = rng.normal(size=(K, D, O)), rng.normal(size=(K, O))
    layer.set_weights([W, b])
    x = rng.normal(size=(N, D))
    z = np.einsum("ni,kio->kno", x, W) + b[:, None]
    np.testing.assert_allclose(layer(x), z.max(axis=0))


def test_orders_of_weights_and_biases_of_the_gate():
    """Keras 2: W, V, b, c with c = 1; Keras 1: W, b, V, c with c = -2."""
    layer = Highway()
    layer.connect((None, 3))
    assert [w.shape for w in layer.get_weights()] == [(3, 3), (3, 3), (3,), (3,)]
    np.testing.assert_array_equal(layer.get_weights()[3], 1)
    layer = keras1.Highway()
    layer.connect((None, 3))
    assert [w.shape for w in layer.get_weights()] == [(3, 3), (3,), (3, 3), (3,)]
    np.testing.assert_array_equal(layer.get_weights()[3], -2)
    assert keras1.Highway(transform_bias=-3).gate_bias == -3
    assert keras1.Highway("one", -4, "relu").gate_bias == -4


def test_time_distributed_dense_is_dense():
    """On every step, and it passes masks on."""
    with pytest.warns(UserWarning, match="is a Dense since Keras 2"):
        layer = TimeDistributedDense(4, input_dim=3, input_length=5)
    assert layer.batch_input_shape == (None, 5, 3)
    x = np.random.default_rng(0).normal(size=(2, 5, 3)).astype("float32")
    y = layer(x)
    np.testing.assert_allclose(y, Dense(4, weights=layer.get_weights())(x))
    with pytest.warns(UserWarning, match="units=2"):
        layer = TimeDistributedDense(output_dim=2)
    model = Sequential([Masking(input_shape=(5, 3)), layer])
    x[:, 3:] = 0
    model.predict(x)
    np.testing.assert_array_equal(model.output_mask, [[1, 1, 1, 0, 0]] * 2)


# ---- gradients --------------------------------------------------------------------


@pytest.mark.parametrize(
    "layer, shape",
    [
        (Highway(activation="tanh"), (5,)),
        (Highway(use_bias=False), (1,)),
        (MaxoutDense(3), (7,)),
        (MaxoutDense(1, nb_feature=1, use_bias=False), (2,)),
        (keras1.Highway(activation="sigmoid"), (3,)),
    ],
)
def test_gradients(layer, shape):
    """Central differences agree, and configs make the same layer again."""
    assert check_layer(layer, shape).passed


def test_only_w_and_b_of_a_highway_are_regularized():
    """The gate is free."""
    layer = Highway(
        kernel_regularizer="l2", bias_regularizer="l1", kernel_constraint="nonneg"
    )
    layer.connect((None, 2))
    kept = [w.name for w in layer.weights if w.regularizer or w.constraint]
    assert [name.partition("/")[2] for name in kept] == ["kernel:0", "bias:0"]


# ---- laws -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Highway, lambda: MaxoutDense(3)])
def test_they_learn_with_and_without_replay(kind):
    """A small model fits better after some epochs, also with frozen weights below."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(32, 3)), rng.normal(size=(32, 1))
    below = Dense(3, input_shape=(3,))
    model = Sequential([below, kind(), Dense(1)])
    model.compile("sgd", "mse")
    losses = model.fit(x, y, epochs=8, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    below.trainable = model.layers[1].trainable = False
    model.compile("sgd", "mse")
    assert np.isfinite(model.fit(x, y, verbose=0).history["loss"][0])


# ---- errors -----------------------------------------------------------------------


def test_wrong_shapes_are_refused():
    """Rows of the features that the layer was built for."""
    with pytest.raises(ValueError, match="expects an input with 2 axes"):
        Highway().connect((None, 3, 3))
    layer = Highway()
    layer.connect((None, 3))
    with pytest.raises(ValueError, match="an input with 3 features, got"):
        layer.compute_output_shape((None, 4))
    with pytest.raises(ValueError, match="a known last axis"):
        MaxoutDense(2).connect((None, None))
    with pytest.raises(ValueError, match="nb_feature must be a positive"):
        MaxoutDense(2, 0)
    with pytest.warns(UserWarning):
        layer = TimeDistributedDense(2)
    with pytest.raises(ValueError, match="expects an input with 3 axes"):
        layer.connect((None, 3))
