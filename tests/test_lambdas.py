"""Lambda: a function as a layer, with shapes, masks and a name in files."""

import copy
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasnb import Sequential
from kerasnb import backend as K
from kerasnb import check_layer, random
from kerasnb.layers import Dense, Flatten, Fork, Lambda, Masking, TimeDistributed
from kerasnb.utils import custom_object_scope


def halves(x):
    """Return a tenth of the positive half and the negative half."""
    return K.concatenate([K.relu(x) / 10, K.relu(-x)], axis=-1)


def power(x, exponent=2):
    """Return a power."""
    return K.pow(x, exponent)


# ---- reference and gradient -------------------------------------------------------


@pytest.mark.parametrize(
    "layer, shape, output",
    [
        (lambda: Lambda(halves), (3,), (None, 6)),
        (lambda: Lambda(lambda x: x), (2, 3), (None, 2, 3)),
        (lambda: Lambda(power, arguments={"exponent": 3}), (4,), (None, 4)),
        (lambda: Lambda(lambda x: K.mean(x, axis=1), (5,)), (4, 5), (None, 5)),
        (lambda: Lambda(lambda x: x[:, -1], output_shape=5), (4, 5), (None, 5)),
        (lambda: Lambda(halves, lambda s: (*s[:-1], 6)), (3,), (None, 6)),
        (lambda: Lambda(lambda x: K.sum(x, axis=(1, 2))), (4, 5), (None,)),
        (lambda: Lambda(lambda x: x @ np.ones((3, 2))), (3,), (None, 2)),
        (lambda: Lambda(np.tanh), (3,), (None, 3)),
    ],
)
def test_gradients_and_shapes(layer, shape, output, float64):
    """The tape's gradient is the measured slope, the shape is found or given."""
    layer = layer()
    assert check_layer(layer, shape).passed
    assert layer.connect((None, *shape)) == output


@given(N=st.integers(1, 5), C=st.integers(1, 7))
def test_a_lambda_does_what_its_function_does(N, C):
    """In float32, for every batch size."""
    x = np.random.default_rng(N).normal(size=(N, C)).astype("f")
    layer = Lambda(halves)
    np.testing.assert_array_equal(layer(x), halves(x))
    assert layer(x, training=True).dtype == np.float32
    np.testing.assert_array_equal(layer(x[:1]), halves(x[:1]))


def test_a_lambda_learns_and_predicts_like_the_layer_it_is():
    """Lambda(tanh) is Activation('tanh'): the same History and weights."""

    def model(last):
        with random.seeded(1):
            built = Sequential([Dense(4, input_shape=(3,)), last, Dense(1)])
        built.compile("adam", "mse")
        return built

    from kerasnb.layers import Activation

    x, y = np.random.default_rng(0).normal(size=(2, 20, 3))
    histories = []
    for last in (Lambda(K.tanh), Activation("tanh")):
        one = model(last)
        history = one.fit(x, y[:, :1], 8, epochs=3, verbose=0, shuffle=False)
        histories.append([*history.history["loss"], *one.predict(x)[:, 0]])
    np.testing.assert_allclose(*histories, rtol=1e-5)


def test_unknown_sizes_are_asked_when_they_come():
    """A sequence of any length, through a stack."""
    model = Sequential([Lambda(lambda x: x[:, 1:] - x[:, :-1], input_shape=(None, 2))])
    assert model.output_shape == (None, None, 2)
    assert model.predict(np.ones((2, 5, 2))).shape == (2, 4, 2)
    inner = Sequential([TimeDistributed(Lambda(halves), input_shape=(4, 3))])
    assert inner.output_shape == (None, 4, 6)
    assert check_layer(inner, (4, 3)).passed


def test_a_lambda_knows_whether_it_trains():
    """K.in_train_phase follows fit and predict inside, and nothing changes outside."""
    layer = Lambda(lambda x: K.in_train_phase(x * 0, x))
    x = np.ones((2, 3), np.float32)
    assert layer(x).all() and not layer(x, training=True).any()
    assert K.learning_phase() == 0


def test_random_functions_give_one_draw_to_both_directions(float64):
    """Where noise dropped a number, its gradient is dropped."""
    layer = Lambda(lambda x: x * K.random_binomial(K.shape(x), 0.5))
    x = np.ones((20, 10))
    y = layer.forward(x, True) if layer.connect((None, 10)) else None
    np.testing.assert_array_equal(layer.backward(np.ones((20, 10))), y)


# ---- masks ------------------------------------------------------------------------


def masked_mean(x, mask=None):
    """Return the mean over the steps that count."""
    if mask is None:
        return K.mean(x, axis=1)
    m = K.cast(mask, "float32")[:, :, None]
    return K.sum(x * m, axis=1) / K.sum(m, axis=1)


def test_a_function_with_an_argument_mask_gets_it():
    """And the mask ends there."""
    model = Sequential([Masking(input_shape=(3, 2)), Lambda(masked_mean), Dense(1)])
    x = np.ones((2, 3, 2), np.float32)
    x[0, 1:] = 0
    x[0, 0] = 4
    model.predict(x)
    np.testing.assert_allclose(model.layers[1].y, [[4, 4], [1, 1]])
    assert model.output_mask is None


def test_a_mask_may_be_declared():
    """As an array, or as a function of the input and its mask."""
    x = np.ones((2, 3, 2), np.float32)
    x[0, 1] = 0
    fixed = np.array([[True, True, False]] * 2)
    for declared, expected in (
        (lambda x, mask: mask[:, ::-1], x.any(axis=2)[:, ::-1]),
        (lambda x, mask: None, None),
        (fixed, fixed),
    ):
        model = Sequential(
            [Masking(input_shape=(3, 2)), Lambda(lambda x: x[:, ::-1], mask=declared)]
        )
        model.predict(x)
        if expected is None:
            assert model.output_mask is None
        else:
            np.testing.assert_array_equal(model.output_mask, expected)


def test_a_mask_that_nobody_declared_is_refused():
    """By name, before any data flow; a mask that is made meets the next layer."""
    with pytest.raises(TypeError, match="lambda_1: Lambda does not support masks, but"):
        Sequential([Masking(input_shape=(3, 2)), Lambda(power)])
    with pytest.raises(TypeError, match="Flatten does not support masks, but lambda_2"):
        Sequential([Lambda(power, mask=np.ones, input_shape=(3, 2)), Flatten()])


# ---- configuration ----------------------------------------------------------------


def test_a_configuration_holds_names():
    """Of the function, of output_shape and of mask; the scope supplies them."""

    def shape(input_shape):
        return input_shape

    def no_mask(x, mask):
        return None

    layer = Lambda(power, shape, no_mask, {"exponent": 3}, input_shape=(4,))
    config = json.loads(json.dumps(layer.get_config()))
    assert (config["function"], config["mask"]) == ("power", "no_mask")
    with custom_object_scope({f.__name__: f for f in (power, shape, no_mask)}):
        twin = Lambda.from_config(config)
    assert twin.function is power and twin.get_config() == layer.get_config()
    config = Lambda(power, output_shape=(4,)).get_config()
    with custom_object_scope({"power": power}):
        assert Lambda.from_config(config).declared["output_shape"] == (4,)
    with pytest.raises(ValueError, match="function 'power', .*custom_objects={'power'"):
        Lambda.from_config(config)
    model = Sequential([Lambda(power, input_shape=(2,)), Dense(2, activation=halves)])
    own = {"power": power, "halves": halves}
    twin = Sequential.from_config(model.get_config(), own)
    assert twin.layers[1].activation.function is halves


def test_copies_keep_their_functions_apart():
    """Two lambdas have one name, but a copy knows which is which."""
    model = Sequential(
        [Lambda(lambda x: x + 1, input_shape=(2,)), Lambda(lambda x: 2 * x)]
    )
    model.compile("sgd", lambda t, p: K.square(t - p), metrics=[lambda t, p: t - p])
    twin = copy.deepcopy(model)
    x = np.ones((3, 2), np.float32)
    np.testing.assert_array_equal(twin.predict(x), 4 * x)
    assert twin.evaluate(x, x, verbose=0) == model.evaluate(x, x, verbose=0)


# ---- errors -----------------------------------------------------------------------


def test_code_in_a_file_is_never_run():
    """Keras wrote marshalled code; names are all that is looked up."""
    config = {"name": "old", "function": ["4wEAAAABAAAA", None, None]}
    with pytest.raises(ValueError, match="old: a Lambda layer is saved by the name"):
        Lambda.from_config(config)


def test_mistakes_are_explained():
    """What is no function, a wrong shape, a function that fails, no slope."""
    with pytest.raises(TypeError, match="lambda_1: Lambda expects a function of one a"):
        Lambda("square")
    layer = Lambda(power, output_shape=(7,))
    message = r"lambda_2: the function made an array of shape \(2, 3\), but expected is"
    with pytest.raises(ValueError, match=message):
        layer(np.ones((2, 3)))
    with pytest.raises(ValueError, match="lambda_3: the function failed on ones"):
        Sequential([Lambda(lambda x: x[:, 7], input_shape=(3,))])
    with pytest.raises(ValueError, match="lambda_4: the function must keep the first"):
        Sequential([Lambda(K.sum, input_shape=(3,))])
    model = Sequential([Dense(3, input_shape=(2,)), Lambda(K.round)])
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="lambda_5: the result has no slope with resp"):
        model.fit(np.ones((2, 2)), np.ones((2, 3)), verbose=0)
    with pytest.raises(ValueError, match="lambda_6: Lambda expects one array, got 2"):
        Sequential([Fork([Dense(1), Dense(1)], input_shape=(2,)), Lambda(power)])


def test_inputs_cannot_be_changed():
    """Neither the caller's nor those of the layer below."""

    def spoil(x):
        x[0] = 0
        return x

    with pytest.raises(ValueError, match="read-only"):
        Lambda(spoil, output_shape=(2,))(np.ones((1, 2)))
