"""Functions of one's own in a model: losses, metrics and all that layers take."""

import numpy as np
import pytest

import kerasnb
from kerasnb import (
    Sequential,
    activations,
)
from kerasnb import backend as K
from kerasnb import (
    check_gradient,
    check_layer,
    check_loss,
    keras1,
    losses,
    metrics,
    with_gradient,
)
from kerasnb.layers import (
    Activation,
    Dense,
    Fork,
    Masking,
    Reshape,
)

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(12, 4)), RNG.normal(size=(12, 2))


def mean_square(y_true, y_pred):
    """Return what mse does."""
    return K.mean(K.square(y_pred - y_true), axis=-1)


def fitted(loss, y=Y, *layers, metrics=None, mode=None, **data):
    """Return the History of a model, and its weights."""
    kerasnb.set_seed(3)
    layers = layers or [Dense(2, input_shape=(4,))]
    model = Sequential(layers)
    model.compile("adam", loss, metrics=metrics, sample_weight_mode=mode)
    history = model.fit(X, y, 5, epochs=3, verbose=0, shuffle=False, **data).history
    return history, model.get_weights()


# ---- losses -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "loss",
    [
        mean_square,
        lambda t, p: K.square(p - t),
        lambda t, p: K.mean(K.square(p - t), axis=-1, keepdims=True),
        lambda t, p: losses.mse(t, p),
        lambda t, p: metrics.mse(t, p),
        with_gradient(mean_square, lambda t, p: p - t),
    ],
)
@pytest.mark.parametrize(
    "data", [{}, {"sample_weight": np.arange(12.0)}, {"validation_split": 0.25}]
)
def test_a_function_trains_as_the_loss_it_is(loss, data, float64):
    """Values of rows or of numbers, with and without weights: the same as mse."""
    expected, weights = fitted("mse", metrics=["mae"], **data)
    history, found = fitted(loss, metrics=["mae"], **data)
    assert list(history) == list(expected)
    for name in expected:
        np.testing.assert_allclose(history[name], expected[name], rtol=1e-9)
    for a, b in zip(found, weights):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_sequences_keep_their_axes(float64):
    """The function sees (N, T, C); masks and weights of steps act on its values."""
    shapes = []

    def loss(t, p):
        shapes.append(K.int_shape(p))
        return mean_square(t, p)

    x = RNG.normal(size=(12, 3, 4))
    x[:4, 2] = 0
    y, w = RNG.normal(size=(12, 3, 2)), RNG.uniform(size=(12, 3))
    found = []
    for one in (loss, "mse"):
        kerasnb.set_seed(3)
        model = Sequential([Masking(input_shape=(3, 4)), Dense(2)])
        model.compile("sgd", one, sample_weight_mode="temporal")
        model.fit(x, y, 5, epochs=2, verbose=0, sample_weight=w)
        found.append(model.get_weights()[0])
    np.testing.assert_allclose(*found, rtol=1e-9)
    assert set(shapes) == {(5, 3, 2), (2, 3, 2)}


def test_a_value_for_each_sample_of_a_sequence(float64):
    """It counts for all its steps: the mean over the samples remains."""
    layers = Dense(6, input_shape=(4,)), Reshape((3, 2))
    y = RNG.normal(size=(12, 3, 2))
    history, _ = fitted(lambda t, p: K.mean(K.square(p - t), axis=[1, 2]), y, *layers)
    layers = Dense(6, input_shape=(4,)), Reshape((3, 2))
    np.testing.assert_allclose(history["loss"], fitted("mse", y, *layers)[0]["loss"])


def dice_loss(y_true, y_pred):
    """Return one number, as segmentation scripts do."""
    t, p = K.flatten(y_true), K.flatten(y_pred)
    return 1 - (2 * K.sum(t * p) + 1.0) / (K.sum(t) + K.sum(p) + 1.0)


def test_one_number_for_the_batch_counts_for_all_and_is_warned_about():
    """Once for a loss; it learns all the same."""
    y = (X[:, :2] > 0).astype(float)
    layers = Dense(2, "sigmoid", input_shape=(4,))
    with pytest.warns(UserWarning, match="loss dice_loss: .* one number for the") as w:
        history, _ = fitted(dice_loss, y, layers)
    assert len(w) == 1
    assert history["loss"][-1] < history["loss"][0]
    t, p = RNG.uniform(size=(2, 5, 3))
    loss = losses.get(dice_loss)
    loss._warned = True
    s = np.empty(5)
    loss.forward(s, t, p)
    assert (s == dice_loss(t, p)).all()


def test_targets_may_have_another_shape():
    """Class numbers for K's sparse crossentropy; kernels beside it look twice."""

    def crossentropy(t, p):
        assert K.int_shape(t)[1:] == (1,)
        return K.sparse_categorical_crossentropy(t, p)

    y = RNG.integers(2, size=12)
    one = "sparse_categorical_crossentropy"
    layers = Dense(2, "softmax", input_shape=(4,))
    measured = ["sparse_categorical_accuracy", one]
    history, _ = fitted(crossentropy, y, layers, metrics=measured)
    layers = Dense(2, "softmax", input_shape=(4,))
    expected, _ = fitted(one, y, layers, metrics=measured)
    for name in expected:
        np.testing.assert_allclose(history[name], expected[name], rtol=1e-5)
    layers = Dense(2, "softmax", input_shape=(4,))
    with pytest.raises(
        ValueError, match="metric mean_absolute_error: expected targets"
    ):
        fitted(crossentropy, y, layers, metrics=["mae"])
    layers = Dense(2, "softmax", input_shape=(4,))
    with pytest.raises(ValueError, match="expected whole class numbers from 0 to 1"):
        fitted(crossentropy, y + 0.5, layers, metrics=[one])


def test_several_outputs_have_functions_of_their_own(float64):
    """The same function twice, and another; names come in the order of outputs."""
    model = Sequential(
        [Dense(3, input_shape=(4,)), Fork([Dense(2, name="a"), Dense(2, name="b")])]
    )
    model.compile(
        "sgd", mean_square, metrics={"b": [mean_square]}, loss_weights=[1.0, 0.5]
    )
    names = ["loss", "a_loss", "b_loss", "b_mean_square"]
    assert model.metrics_names == names
    start = model.get_weights()
    first = model.train_on_batch(X, [Y, -Y])
    found = model.get_weights()
    model.set_weights(start)
    model.compile("sgd", "mse", metrics={"b": ["mse"]}, loss_weights=[1.0, 0.5])
    np.testing.assert_allclose(model.train_on_batch(X, [Y, -Y]), first)
    for a, b in zip(model.get_weights(), found):
        np.testing.assert_allclose(a, b)


def test_a_loss_looks_at_the_arrays_it_is_given():
    """Backward of other arrays than forward's, and rows that stand alone."""
    loss = losses.get(mean_square)
    check_loss(loss)
    t, p, q = RNG.normal(size=(3, 4, 2))
    s, dp = np.empty(4), np.empty((4, 2))
    loss.forward(s, t, p)
    loss.backward(dp, t, q, np.ones(4))
    np.testing.assert_allclose(dp, q - t)
    np.testing.assert_allclose(loss(t, p), s)


# ---- metrics ----------------------------------------------------------------------


def test_metrics_see_whole_arrays_and_cannot_change_them():
    """With targets as the loss takes them."""
    seen = []

    def seeing(t, p):
        seen.append((t.shape, p.shape))
        return K.mean(p)

    def spoiling(t, p):
        p[0] = 0
        return K.mean(p)

    y = RNG.integers(2, size=(12, 3))
    one = "sparse_categorical_crossentropy"
    layers = Dense(6, input_shape=(4,)), Reshape((3, 2)), Activation("softmax")
    fitted(one, y, *layers, metrics=[seeing])
    assert set(seen) == {((n, 3, 1), (n, 3, 2)) for n in (2, 5)}
    with pytest.raises(ValueError, match="read-only"):
        fitted("mse", metrics=[spoiling])


def parts(y_true, y_pred):
    """Return several metrics at once, as Keras 1 allowed."""
    return {"low": K.min(y_pred - y_true), "high": K.max(y_pred - y_true)}


@pytest.mark.parametrize("dialect", [kerasnb, keras1])
def test_a_dict_is_several_metrics(dialect):
    """Under their names, in both dialects."""
    model = dialect.Sequential([Dense(2, input_shape=(4,))])
    model.compile("sgd", loss="mse", metrics=["mae", parts])
    names = ["loss", "mean_absolute_error", "low", "high"]
    assert model.metrics_names == names
    error = model.predict(X) - Y
    values = model.test_on_batch(X, Y)
    np.testing.assert_allclose(values[2:], [error.min(), error.max()], rtol=1e-4)
    model.compile("sgd", loss="mse", metrics=[parts, parts])
    assert len(model.evaluate(X, Y, verbose=0)) == 5


def test_a_dict_that_comes_late_is_explained():
    """The function failed when it was asked for its names."""

    def late(t, p):
        if len(p) < 5:
            raise RuntimeError
        return {"a": 0.0}

    with pytest.raises(TypeError, match="metric late: the function returned a dict wi"):
        fitted("mse", metrics=[late])


# ---- what layers take -------------------------------------------------------------


def swish(x):
    """Return x sigmoid(x)."""
    return x * activations.sigmoid(x)


def roughness(w):
    """Return a penalty of K and of ours."""
    return 0.1 * K.sum(K.sqrt(K.square(w) + 1e-3)) + kerasnb.regularizers.l2(0.1)(w)


@pytest.mark.parametrize(
    "layer",
    [
        lambda: Activation(swish),
        lambda: Activation(K.softmax),
        lambda: Dense(3, activation=swish, kernel_constraint=K.abs),
        lambda: Sequential([Dense(3, swish, input_shape=(4,)), Dense(2, swish)]),
    ],
)
def test_layers_take_functions(layer):
    """Their gradients are those of finite differences."""
    assert check_layer(layer(), (4,)).passed


def test_an_activation_of_ones_own_is_shared_without_harm(float64):
    """One object in two layers, forward and backward in any order."""
    shared = activations.get(swish)
    layers = Dense(4, shared, input_shape=(4,)), Dense(2, shared)
    assert check_layer(Sequential(list(layers)), (4,)).passed


def test_penalties_are_functions_too(float64):
    """On weights and on outputs, with the kernels' numbers."""
    found = []
    for l1, l2 in (
        (lambda w: 0.3 * K.sum(K.abs(w)), lambda y: 0.2 * np.sum(y**2)),
        (kerasnb.regularizers.l1(0.3), kerasnb.regularizers.l2(0.2)),
    ):
        layer = Dense(
            2, kernel_regularizer=l1, activity_regularizer=l2, input_shape=(4,)
        )
        history, weights = fitted("mse", Y, layer)
        found.append(np.concatenate([weights[0].ravel(), history["loss"]]))
    np.testing.assert_allclose(*found, rtol=1e-7)
    check_gradient(roughness, RNG.normal(size=(3, 2)))


@pytest.mark.parametrize(
    "initializer",
    [
        lambda shape, dtype=None: np.full(shape, 0.25, dtype),
        lambda shape, name=None: K.variable(np.full(shape, 0.25), name=name),
        lambda shape: K.constant(0.25, shape=shape),
    ],
)
def test_initializers_with_and_without_a_type(initializer):
    """Keras 1 passed none; a variable is an array as well."""
    layer = Dense(3, kernel_initializer=initializer)
    layer(np.ones((1, 2)))
    np.testing.assert_array_equal(layer.get_weights()[0], np.full((2, 3), 0.25, "f"))


# ---- errors -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "loss, message",
    [
        (
            lambda t, p: t[:, :1] - p[:, 0],
            r"loss <lambda>: expected a value for each row, sh",
        ),
        (lambda t, p: K.square(t - p)[:3], r"predictions of shape \(5, 2\), got shape"),
        (lambda t, p: K.mean(t, axis=-1), "the result has no slope with respect to y_"),
        (lambda t, p: K.mean(K.equal(t, K.round(p)), axis=-1), "no slope with respect"),
    ],
)
def test_losses_that_cannot_be_right_are_named(loss, message):
    """A shape that broadcasting made, and nothing to learn from."""
    with pytest.raises(ValueError, match=message):
        fitted(loss)


def test_stretched_targets_are_named():
    """(n,) against (n, 1) gives (n, n), and the message has both shapes."""
    with pytest.raises(ValueError, match=r"The targets have shape \(5, 3\): arrays of"):
        fitted(lambda t, p: K.sum(t) * 0 + p[:, :1] - p[:, 0], np.ones((12, 3)))


@pytest.mark.parametrize(
    "do, message",
    [
        (
            lambda: Activation(lambda x: x[:, :1])(X),
            r"activation <lambda>: expected an array of the shape that came, \(12, ",
        ),
        (
            lambda: check_layer(Activation(np.sign), (4,)),
            "activation sign: the result has no slope with respect to x",
        ),
        (
            lambda: fitted("mse", Y, Dense(2, kernel_regularizer=K.abs)),
            "regularizer abs: expected a single number, got an array of shape .4, 2..",
        ),
        (
            lambda: fitted("mse", Y, Dense(2, kernel_regularizer=lambda w: 1.0)),
            "regularizer <lambda>: the result has no slope with respect to w",
        ),
        (
            lambda: Dense(2, kernel_initializer=lambda shape: np.ones(3))(X),
            r"initializer <lambda>: expected an array of shape \(4, 2\), got \(3,\)",
        ),
        (
            lambda: fitted("mse", Y, Dense(2, kernel_constraint=K.sum)),
            r"constraint sum: expected an array of shape \(4, 2\) back, got \(\)",
        ),
    ],
)
def test_functions_in_layers_that_cannot_be_right_are_named(do, message):
    """Who, what was expected, what came."""
    with pytest.raises(ValueError, match=message):
        do()


def test_functions_of_other_arguments_are_refused_at_once():
    """Before anything is compiled or built."""
    model = Sequential([Dense(2, input_shape=(4,))])
    with pytest.raises(TypeError, match="loss 'swish': expected a function of .y_true"):
        model.compile("sgd", swish)
    with pytest.raises(
        TypeError, match="metric 'swish': expected a function of .y_tru"
    ):
        model.compile("sgd", "mse", metrics=[swish])
    assert model.optimizer is None
    with pytest.raises(
        TypeError, match="regularizer 'mean_square': expected a functio"
    ):
        Dense(2, kernel_regularizer=mean_square)
