"""Convolution layers of every kind: vectors, gradients, laws, errors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kerasnb
from kerasnb import layers
from kerasnb.checks import check_layer

WEIGHTS = np.array([1.0, 10.0, 100.0])
SIZES = st.integers(4, 6)


def digits(layer, x):
    """Return what a layer without bias and with weights 1, 10, 100 makes of x."""
    y = layer(np.reshape(x, (1, *(1,) * (layer.rank - 1), -1, 1)))
    return y.reshape(-1).tolist()


@pytest.mark.parametrize(
    "arguments, expected",
    [
        ({}, [321, 432, 543]),
        ({"padding": "same"}, [210, 321, 432, 543, 54]),
        ({"padding": "causal"}, [100, 210, 321, 432, 543]),
        ({"dilation_rate": 2}, [531]),
        ({"padding": "same", "strides": 2}, [210, 432, 54]),
    ],
    ids=str,
)
def test_conv1d_of_one_to_five(arguments, expected):
    """Nothing is flipped; zeros lie before and after, or only before."""
    weights = [WEIGHTS.reshape(3, 1, 1)]
    layer = layers.Conv1D(1, 3, use_bias=False, weights=weights, **arguments)
    assert digits(layer, [1, 2, 3, 4, 5]) == expected


@pytest.mark.parametrize(
    "arguments, expected",
    [
        ({"padding": "valid"}, [1, 10, 102, 20, 200]),
        ({"padding": "same"}, [1, 10, 102, 20]),
        ({"padding": "same", "output_padding": (0, 0)}, [10, 102, 20]),
        ({"padding": "same", "output_padding": (0, 1)}, [1, 10, 102, 20]),
        ({"padding": "valid", "output_padding": (0, 1)}, [1, 10, 102, 20, 200, 0]),
    ],
    ids=str,
)
def test_transposed_convolution_paints_the_window(arguments, expected):
    """Each input number, scaled, on every second place."""
    weights = [WEIGHTS.reshape(1, 3, 1, 1)]
    layer = layers.Conv2DTranspose(
        1, (1, 3), strides=(1, 2), use_bias=False, weights=weights, **arguments
    )
    assert digits(layer, [1, 2]) == expected
    assert layer.output_shape == (None, 1, len(expected), 1)


LAYERS = {
    "Conv1D": (layers.Conv1D, (3, 2), (7, 2), [(2, 2, 3), (3,)]),
    "Conv2D": (layers.Conv2D, (3, (2, 3)), (5, 6, 2), [(2, 3, 2, 3), (3,)]),
    "Conv3D": (layers.Conv3D, (3, 2), (3, 4, 5, 2), [(2, 2, 2, 2, 3), (3,)]),
    "SeparableConv1D": (
        layers.SeparableConv1D,
        (3, 2),
        (7, 2),
        [(2, 2, 1), (1, 2, 3), (3,)],
    ),
    "SeparableConv2D": (
        layers.SeparableConv2D,
        (3, (2, 3), 1, "valid", None, 1, 2),
        (5, 6, 2),
        [(2, 3, 2, 2), (1, 1, 4, 3), (3,)],
    ),
    "DepthwiseConv2D": (
        layers.DepthwiseConv2D,
        ((2, 3), 1, "valid", 2),
        (5, 6, 3),
        [(2, 3, 3, 2), (6,)],
    ),
    "Conv2DTranspose": (
        layers.Conv2DTranspose,
        (3, (2, 3)),
        (4, 3, 2),
        [(2, 3, 3, 2), (3,)],
    ),
    "Conv3DTranspose": (
        layers.Conv3DTranspose,
        (3, 2),
        (2, 3, 2, 2),
        [(2, 2, 2, 3, 2), (3,)],
    ),
}
every_layer = pytest.mark.parametrize("name", LAYERS)


def made(name, **changes):
    """Return a layer of this name and the shape of a sample, channels last."""
    cls, arguments, shape, _ = LAYERS[name]
    return cls(*arguments, **changes), shape


@every_layer
def test_weights_come_in_order(name):
    """The window first, whatever the data format; biases vanish without use_bias."""
    *_, shapes = LAYERS[name]
    layer, shape = made(name)
    for data_format in ("channels_last", "channels_first"):
        for use_bias in (True, False):
            changes = {"data_format": data_format, "use_bias": use_bias}
            changed = type(layer).from_config({**layer.get_config(), **changes})
            changed.connect(changed.given((None, *shape)))
            found = [weight.shape for weight in changed.weights]
            assert found == (shapes if use_bias else shapes[:-1])


@every_layer
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("step", ["plain", "strided"])
def test_backward_is_the_derivative_of_forward(name, padding, step):
    """Shapes, gradients, untouched inputs, other batch sizes, configuration."""
    layer, shape = made(name)
    config = {**layer.get_config(), "padding": padding, "activation": "tanh"}
    config["strides"] = [1 if step == "plain" else 2] * layer.rank
    assert check_layer(type(layer).from_config(config), shape, trials=2).passed


@pytest.mark.parametrize("name", ["Conv1D", "Conv2D", "Conv3D", "Conv2DTranspose"])
def test_dilated_windows_have_gradients_too(name):
    """The places of the window lie apart."""
    layer, shape = made(name, dilation_rate=2, padding="same")
    assert check_layer(layer, shape, trials=2).passed


@pytest.mark.parametrize("activation", ["relu", "softmax", "softplus", "elu"])
def test_activations_that_need_z_and_those_that_do_not(activation):
    """Some are computed in place; backward reads what it needs."""
    layer = layers.Conv2D(3, 2, activation=activation)
    assert check_layer(layer, (4, 4, 2)).passed


def test_a_causal_convolution_has_gradients():
    """The zeros lie before."""
    layer = layers.Conv1D(2, 3, padding="causal", dilation_rate=2)
    assert check_layer(layer, (8, 3)).passed


@given(R=SIZES, C=SIZES, K=st.integers(1, 3), F=st.integers(1, 3))
def test_a_window_of_one_is_a_dense_layer(R, C, K, F):
    """At every place."""
    x = np.random.default_rng(0).normal(size=(2, R, C, K))
    conv = layers.Conv2D(F, 1, activation="relu", dtype="float64")
    y = conv(x)
    W, b = conv.get_weights()
    weights = [W.reshape(K, F), b]
    dense = layers.Dense(F, "relu", weights=weights, dtype="float64")
    np.testing.assert_allclose(y, dense(x), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("strides, dilation", [(1, 1), (2, 1), (3, 1), (1, 2)])
@given(n=st.integers(2, 5), k=st.integers(1, 4))
def test_transposed_convolution_is_the_adjoint(padding, strides, dilation, n, k):
    """<conv(y), x> = <y, transposed(x)> where the sizes fit each other."""
    rng = np.random.default_rng(0)
    arguments = {
        "strides": strides,
        "dilation_rate": dilation,
        "padding": padding,
        "use_bias": False,
        "dtype": "float64",
    }
    x = rng.normal(size=(2, n, n, 3))
    W = rng.normal(size=(k, k, 2, 3))
    painted = layers.Conv2DTranspose(2, k, weights=[W], **arguments)(x)
    y = rng.normal(size=painted.shape)
    seen = layers.Conv2D(3, k, weights=[W], **arguments)(y)
    assert seen.shape == x.shape
    scale = np.abs(seen * x).sum() + 1
    assert abs((seen * x).sum() - (y * painted).sum()) < 1e-13 * scale


@pytest.mark.parametrize("arguments", [{"strides": 2}, {"dilation_rate": 2}], ids=str)
def test_separable_is_depthwise_then_pointwise(arguments, float64):
    """The same weights in a DepthwiseConv2D and a Conv2D of one place."""
    x = np.random.default_rng(0).normal(size=(2, 6, 7, 3))
    layer = layers.SeparableConv2D(4, 3, depth_multiplier=2, **arguments)
    y = layer(x)
    W, V, b = layer.get_weights()
    if "dilation_rate" in arguments:
        wide = np.zeros((5, 5, 3, 2))
        wide[::2, ::2] = W
        W, arguments = wide, {}
    depthwise = layers.DepthwiseConv2D(
        len(W), depth_multiplier=2, use_bias=False, weights=[W], **arguments
    )
    pointwise = layers.Conv2D(4, 1, weights=[V, b])
    np.testing.assert_allclose(y, pointwise(depthwise(x)), rtol=1e-12, atol=1e-12)


@every_layer
def test_channels_first_is_channels_last_of_the_transposed(name):
    """Outputs and gradients; the weights are the same arrays."""
    layer, shape = made(name, dtype="float64", activation="relu")
    config = {**layer.get_config(), "padding": "same"}
    layer = type(layer).from_config(config)
    first = type(layer).from_config({**config, "data_format": "channels_first"})
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, *shape))
    y = layer(x)
    first.connect((None, shape[-1], *shape[:-1]))
    first.set_weights(layer.get_weights())
    np.testing.assert_allclose(first(np.moveaxis(x, -1, 1)), np.moveaxis(y, -1, 1))
    for one in (layer, first):
        for weight in one.weights:
            weight.grad = np.full_like(weight.value, np.nan)
    dy = rng.normal(size=y.shape)
    dx = layer.backward(dy)
    dx_first = first.backward(np.ascontiguousarray(np.moveaxis(dy, -1, 1)))
    np.testing.assert_allclose(dx_first, np.moveaxis(dx, -1, 1), rtol=1e-12)
    for one, other in zip(layer.weights, first.weights):
        np.testing.assert_allclose(one.grad, other.grad, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ["Conv2D", "Conv2DTranspose", "SeparableConv1D"])
def test_convolution_moves_with_the_image(name, float64):
    """A shifted image gives a shifted output."""
    layer, shape = made(name)
    x = np.random.default_rng(0).normal(size=(1, *shape))
    y, shifted = layer(x), layer(np.roll(x, 1, axis=1))
    inside = slice(2, y.shape[1] - 1) if name != "Conv2DTranspose" else slice(3, -2)
    here = slice(inside.start - 1, inside.stop - 1)
    np.testing.assert_allclose(shifted[:, inside], y[:, here], rtol=1e-12, atol=1e-12)


def test_a_convolution_without_gradients_of_its_input_still_learns():
    """The first layer of a model returns nothing, its weights get their gradients."""
    model = kerasnb.Sequential(
        [
            layers.Conv2D(4, 3, activation="relu", input_shape=(6, 6, 1)),
            layers.SeparableConv2D(3, 2, padding="same"),
            layers.Conv2DTranspose(2, 2, strides=2),
            layers.DepthwiseConv2D(3, strides=2),
            layers.Flatten(),
            layers.Dense(1),
        ]
    )
    model.compile(kerasnb.optimizers.Adam(0.01), "mse")
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(8, 6, 6, 1)), rng.normal(size=(8, 1))
    losses = [model.train_on_batch(x, t) for _ in range(60)]
    assert losses[-1] < 0.5 * losses[0]
    assert not model.layers[0].needs_dx


def test_a_frozen_layer_passes_gradients_on():
    """Its weights stay, dx is right."""
    layer = layers.Conv2D(2, 3, trainable=False)
    assert check_layer(layer, (5, 5, 2)).passed
    separable = layers.SeparableConv2D(2, 3, trainable=False)
    assert check_layer(separable, (5, 5, 2)).passed


def test_activation_is_applied_to_the_users_form(float64):
    """softmax runs over the last axis, with channels first the columns."""
    layer = layers.Conv2D(3, 2, activation="softmax", data_format="channels_first")
    y = layer(np.random.default_rng(0).normal(size=(2, 2, 4, 5)))
    np.testing.assert_allclose(y.sum(axis=-1), np.ones((2, 3, 3)), rtol=1e-12)


def test_layers_keep_few_buffers():
    """An output, its gradient before the activation, the input's gradient."""
    layer = layers.Conv2D(4, 3, activation="relu")
    x = np.zeros((2, 6, 6, 3), np.float32)
    layer.backward(np.zeros_like(layer(x)))
    assert sorted(layer._storage) == ["dx", "dz", "none", "z"]


def test_unknown_sizes_stay_unknown():
    """Only the channels must be known."""
    shape = (None, None, 7, 2)
    assert layers.Conv2D(3, 3).compute_output_shape(shape) == (None, None, 5, 3)
    layer = layers.Conv2DTranspose(3, 3, strides=2)
    assert layer.compute_output_shape(shape) == (None, None, 15, 3)


@every_layer
def test_configurations_name_every_argument(name):
    """Initializers, regularizers and constraints of every weight included."""
    layer, _ = made(name)
    config = layer.get_config()
    clone = type(layer).from_config(config)
    assert clone.get_config() == config
    assert {"kernel_size", "strides", "padding", "data_format"} <= set(config)
    roles = [key[: -len("_initializer")] for key in config if "_initializer" in key]
    for role in roles:
        assert {f"{role}_regularizer", f"{role}_constraint"} <= set(config)
    assert ("dilation_rate" in config) == (
        name not in ("DepthwiseConv2D", "Conv3DTranspose")
    )


def test_options_of_every_weight_are_used():
    """Regularizers enter the loss, constraints hold after an update."""
    layer = layers.SeparableConv2D(
        2,
        2,
        input_shape=(3, 3, 2),
        depthwise_initializer="ones",
        pointwise_initializer="zeros",
        bias_initializer="ones",
        depthwise_regularizer="l2",
        pointwise_constraint="non_neg",
        bias_constraint="non_neg",
    )
    model = kerasnb.Sequential([layer, layers.Flatten()])
    model.compile("sgd", "mse")
    W, V, b = layer.get_weights()
    assert W.all() and not V.any() and b.all()
    x, t = np.ones((2, 3, 3, 2)), np.full((2, 8), -9.0)
    assert model.evaluate(x, t, verbose=0) == pytest.approx(100 + 0.01 * 8)
    for _ in range(20):
        model.train_on_batch(x, t)
    W, V, b = layer.get_weights()
    assert (V >= 0).all() and (b >= 0).all()


def test_a_model_with_convolutions_is_saved_and_loaded(tmp_path):
    """Weights and configuration."""
    model = kerasnb.Sequential(
        [
            layers.Conv1D(3, 2, activation="relu", input_shape=(5, 2)),
            layers.SeparableConv1D(2, 2),
        ]
    )
    model.compile("sgd", "mse")
    model.save(tmp_path / "model.knb")
    x = np.random.default_rng(0).normal(size=(3, 5, 2))
    loaded = kerasnb.load_model(tmp_path / "model.knb")
    np.testing.assert_array_equal(loaded.predict(x), model.predict(x))


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: layers.Conv2D(0, 3), "conv2d_1: filters must be a positive integer"),
        (lambda: layers.Conv2D(2, (3, 3, 3)), "kernel_size: expected an integer"),
        (lambda: layers.Conv2D(2, 0), "kernel_size: expected an integer from 1 on"),
        (lambda: layers.Conv2D(2, 3, strides="2"), "strides: expected an integer"),
        (lambda: layers.Conv2D(2, 3, padding="vaild"), "Did you mean 'valid'"),
        (lambda: layers.Conv2D(2, 3, padding="causal"), "padding of conv2d_1"),
        (lambda: layers.SeparableConv1D(2, 3, padding="causal"), "Known: same, valid"),
        (
            lambda: layers.Conv1D(2, 3, padding="causal", data_format="channels_first"),
            "padding='causal' needs data_format='channels_last'",
        ),
        (
            lambda: layers.Conv2D(2, 3, strides=2, dilation_rate=2),
            r"strides \(2, 2\) and dilation_rate \(2, 2\) cannot both be above 1",
        ),
        (
            lambda: layers.Conv2DTranspose(2, 3, strides=2, output_padding=2),
            r"output_padding must be smaller than the strides \(2, 2\), got \(2, 2\)",
        ),
        (
            lambda: layers.Conv2DTranspose(2, 3, output_padding=(0, -1)),
            "output_padding: expected an integer from 0 on",
        ),
        (
            lambda: layers.DepthwiseConv2D(3, depth_multiplier=0),
            "depth_multiplier must be a positive integer",
        ),
        (
            lambda: layers.Conv2D(2, 3, data_format="channels"),
            "Unknown data_format of conv2d_1",
        ),
    ],
)
def test_wrong_arguments_are_refused(make, message):
    """At once, with the argument's name."""
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    "layer, shape, message",
    [
        (layers.Conv2D(2, 5), (4, 6, 1), r"window of \(5, 5\) does not fit"),
        (
            layers.Conv1D(2, 3, dilation_rate=3),
            (6, 1),
            r"window of \(7,\) does not fit",
        ),
        (layers.Conv2D(2, 3), (6, 6), "expects an input with 4 axes"),
        (layers.Conv2D(2, 3), (6, 6, None), "number of channels must be known"),
        (
            layers.Conv2DTranspose(2, 4, strides=2, padding="same", output_padding=0),
            (1, 1, 3),
            r"nothing comes out of an input of \(1, 1\)",
        ),
    ],
)
def test_inputs_that_do_not_fit_are_refused(layer, shape, message):
    """When the layer is added to a model."""
    with pytest.raises(ValueError, match=message):
        layer.connect((None, *shape))


@every_layer
def test_another_number_of_channels_is_refused(name):
    """The weights are for as many as there were at first."""
    layer, shape = made(name)
    layer(np.zeros((1, *shape)))
    with pytest.raises(
        ValueError, match=f"expected an input with {shape[-1]} channels"
    ):
        layer(np.zeros((1, *shape[:-1], shape[-1] + 1)))


@every_layer
def test_masks_are_refused(name):
    """Here is no meaning of a mask."""
    layer, _ = made(name)
    with pytest.raises(TypeError, match="does not support masks"):
        layer.compute_mask(None, np.ones((1, 3), bool))
