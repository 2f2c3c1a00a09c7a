"""The core layers: shapes, formulas, gradients, masks, errors."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kerasnb
from kerasnb import layers
from kerasnb.checks import check_layer
from kerasnb.utils import custom_object_scope

SIZES = st.integers(1, 7)


@pytest.mark.parametrize("activation", [None, "relu", "tanh", "softmax", "softplus"])
@pytest.mark.parametrize("shape", [(1,), (5,), (3, 4), (2, 3, 2)])
def test_dense_backward_is_the_derivative_of_forward(activation, shape):
    """Analytic and numeric directional derivatives agree, for every input rank."""
    layer = layers.Dense(4, activation=activation, dtype="float64")
    assert check_layer(layer, shape).passed


@given(I=SIZES, O=SIZES, use_bias=st.booleans(), T=st.integers(1, 3))
def test_dense_passes_the_check_for_drawn_sizes(I, O, use_bias, T):
    """Sizes of one and primes, with and without bias, flat and over time."""
    layer = layers.Dense(O, use_bias=use_bias, dtype="float64")
    assert check_layer(layer, (T, I)).passed
    layer.connect((None, T, I))
    assert [w.shape for w in layer.weights] == [(I, O), (O,)][: 1 + use_bias]


@pytest.mark.parametrize(
    "layer, shape",
    [
        (lambda: layers.Activation("tanh", dtype="float64"), (3, 2)),
        (lambda: layers.Activation("softmax", dtype="float64"), (5,)),
        (lambda: layers.Flatten(dtype="float64"), (2, 3, 2)),
        (lambda: layers.Flatten("channels_first", dtype="float64"), (2, 3, 2)),
        (lambda: layers.Reshape((3, -1), dtype="float64"), (6,)),
        (lambda: layers.Permute((2, 3, 1), dtype="float64"), (2, 3, 4)),
        (lambda: layers.RepeatVector(3, dtype="float64"), (4,)),
        (lambda: layers.Dropout(0.3, dtype="float64"), (4,)),
        (lambda: layers.Masking(0.5, dtype="float64"), (3, 2)),
        (lambda: layers.ActivityRegularization(l2=0.1, dtype="float64"), (3,)),
        (lambda: layers.InputLayer((3,), dtype="float64"), (3,)),
        (
            lambda: kerasnb.Sequential(
                [
                    layers.Dense(3, "tanh", input_shape=(2,), dtype="float64"),
                    layers.Dense(2, dtype="float64"),
                ]
            ),
            (2,),
        ),
    ],
    ids=lambda value: value if isinstance(value, tuple) else "",
)
def test_every_layer_keeps_the_contract(layer, shape):
    """Shapes, gradients, untouched inputs, batch sizes, configuration."""
    assert check_layer(layer(), shape).passed


def test_dense_is_affine(float64):
    """f(a x + (1 - a) y) = a f(x) + (1 - a) f(y)."""
    layer = layers.Dense(3)
    x, y = np.random.default_rng(0).normal(size=(2, 5, 4))
    np.testing.assert_allclose(
        layer(0.3 * x + 0.7 * y), 0.3 * layer(x) + 0.7 * layer(y), rtol=1e-12
    )


@pytest.mark.parametrize("rate", [0.2, 0.5, 0.9])
def test_dropout_keeps_the_mean(rate):
    """Kept values are scaled up by 1 / (1 - rate); backward uses the same mask."""
    layer = layers.Dropout(rate)
    x = np.ones((200, 50), np.float32)
    y = layer(x, training=True)
    kept = 1 / (1 - rate)
    assert set(np.unique(y)) <= {0.0, np.float32(kept)}
    deviation = math.sqrt(rate / (1 - rate) / x.size)
    assert abs(y.mean() - 1) < 5 * deviation
    np.testing.assert_array_equal(layer.backward(x), y)


def test_dropout_does_nothing_at_test_time_or_at_rate_zero():
    """Both are the identity."""
    x = np.ones((3, 4), np.float32)
    np.testing.assert_array_equal(layers.Dropout(0.5)(x), x)
    np.testing.assert_array_equal(layers.Dropout(0)(x, training=True), x)


def test_dropout_of_everything_gives_zeros():
    """Rates are clipped to [0, 1], and 1 drops all."""
    assert not layers.Dropout(7)(np.ones((3, 4)), training=True).any()


def test_dropout_with_a_seed_repeats_itself():
    """A layer's own seed gives a stream of its own."""
    x = np.ones((4, 6))
    first = layers.Dropout(0.5, seed=3)
    y = first(x, training=True)
    np.testing.assert_array_equal(layers.Dropout(0.5, seed=3)(x, training=True), y)
    assert (first(x, training=True) != y).any()


def test_noise_shape_shares_the_choice_along_an_axis():
    """With (None, 1, None) a feature is on or off for all time steps."""
    layer = layers.Dropout(0.5, noise_shape=(None, 1, None))
    y = layer(np.ones((6, 5, 7)), training=True)
    assert (y == y[:, :1]).all() and len(np.unique(y)) == 2
    with pytest.raises(ValueError, match="one entry per axis"):
        layers.Dropout(0.5, noise_shape=(1,))(np.ones((2, 2)), training=True)
    with pytest.raises(ValueError, match="each 1, None"):
        layers.Dropout(0.5, noise_shape=(None, 3))(np.ones((2, 2)), training=True)


def test_flatten_of_channels_first_moves_the_channels_last():
    """(K, R, C) is flattened as (R, C, K)."""
    x = np.arange(24.0).reshape(2, 2, 3, 2)
    y = layers.Flatten("channels_first")(x)
    np.testing.assert_array_equal(y, x.transpose(0, 2, 3, 1).reshape(2, -1))


@pytest.mark.parametrize("dims", [(1, 2, 3), (3, 1, 2), (2, 1, 3)])
def test_permute_is_numpys_transpose(dims):
    """dims count from one and leave out the batch."""
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype(np.float32)
    np.testing.assert_array_equal(layers.Permute(dims)(x), x.transpose(0, *dims))


def test_masking_marks_and_zeroes_the_empty_steps():
    """A step whose features all equal the mask value is masked."""
    layer = layers.Masking(2.0)
    x = np.array([[[2, 2], [2, 1]], [[0, 0], [2, 2]]], np.float32)
    np.testing.assert_array_equal(layer(x), [[[0, 0], [2, 1]], [[0, 0], [0, 0]]])
    np.testing.assert_array_equal(
        layer.compute_mask(x, None), [[False, True], [True, False]]
    )


def test_activity_regularization_adds_to_the_loss_and_the_gradient(float64):
    """loss = mse + l1 sum|y| + l2 sum y^2 over the whole batch."""
    x, t = np.random.default_rng(0).normal(size=(2, 4, 3))
    model = kerasnb.Sequential(
        [layers.Dense(3, input_shape=(3,)), layers.ActivityRegularization(0.1, 0.2)]
    )
    model.compile("sgd", "mse")
    y = model.predict(x)
    expected = np.mean((y - t) ** 2) + 0.1 * abs(y).sum() + 0.2 * (y**2).sum()
    assert model.evaluate(x, t, verbose=0) == pytest.approx(expected, rel=1e-12)
    before = model.get_weights()
    model.train_on_batch(x, t)
    dy = 2 * (y - t) / y.size + 0.1 * np.sign(y) + 0.4 * y
    np.testing.assert_allclose(
        model.get_weights()[0], before[0] - 0.01 * x.T @ dy, rtol=1e-12
    )


def test_initial_weights_are_set_right_after_building():
    """`weights=` holds the arrays in the order of get_weights."""
    W, b = np.ones((2, 3)), np.arange(3.0)
    layer = layers.Dense(3, weights=[W, b])
    np.testing.assert_array_equal(layer([[1, 1]]), [[2, 3, 4]])


def test_default_names_are_snake_cased_and_numbered():
    """The oddities of the rule included."""
    from kerasnb.layer import unique_name

    odd = ["LeakyReLU", "PReLU", "ReLU", "ThresholdedReLU", "ConvLSTM2D", "Conv2D"]
    odd += ["MaxPooling2D", "SimpleRNN", "LocallyConnected1D", "BatchNormalization"]
    expected = ["leaky_re_lu_1", "p_re_lu_1", "re_lu_1", "thresholded_re_lu_1"]
    expected += ["conv_lst_m2d_1", "conv2d_1", "max_pooling2d_1", "simple_rnn_1"]
    expected += ["locally_connected1d_1", "batch_normalization_1"]
    assert [unique_name(name) for name in odd] == expected
    assert layers.Dense(1).name == "dense_1" and layers.Dense(1).name == "dense_2"


def doubled(x):
    return 2 * x


@pytest.mark.filterwarnings("ignore:TimeDistributedDense is")
@pytest.mark.parametrize("name", sorted(layers.CLASSES))
def test_a_layer_is_rebuilt_from_its_configuration(name):
    """from_config(get_config()) has the same configuration."""
    arguments = {
        "Dense": (3, "relu"),
        "MaxoutDense": (3, 2),
        "TimeDistributedDense": (3, "relu"),
        "Activation": ("elu",),
        "Dropout": (0.25, (None, 1), 7),
        "Reshape": ((2, -1),),
        "Permute": ((2, 1),),
        "RepeatVector": (4,),
        "ActivityRegularization": (0.1, 0.2),
        "Lambda": (doubled, (3,)),
        "Masking": (3.0,),
        "InputLayer": ((3,),),
        "Fork": ([layers.Dense(2), layers.Dense(3)],),
        **dict.fromkeys(["SimpleRNN", "SimpleRNNCell", "CuDNNGRU", "CuDNNLSTM"], (3,)),
        **dict.fromkeys(["GRU", "LSTM", "GRUCell", "LSTMCell"], (3, "relu")),
        "RNN": ([layers.LSTMCell(2), layers.GRUCell(3)], True),
        "StackedRNNCells": ([layers.LSTMCell(2), layers.GRUCell(3)],),
        "Bidirectional": (layers.LSTM(3), "sum"),
        "DepthwiseConv2D": ((3, 2),),
        "LocallyConnected1D": (2, 3),
        "LocallyConnected2D": (2, 3),
        "TimeDistributed": (layers.Dense(2),),
        "BatchNormalization": (1, 0.9),
        "Embedding": (5, 3, "ones", "l2"),
        "GaussianNoise": (0.1,),
        "GaussianDropout": (0.2,),
        "AlphaDropout": (0.2, (None, 1), 7),
        "SpatialDropout1D": (0.2, 7),
        "SpatialDropout2D": (0.2, "channels_first", 7),
        "SpatialDropout3D": (0.2,),
        "PReLU": ("ones", "l1", "non_neg", [1, 2]),
    }.get(name, (4, 3) if "Conv" in name else ())
    layer = layers.get(name)(*arguments)
    with custom_object_scope({"doubled": doubled}):
        clone = layers.get(name).from_config(layer.get_config())
    assert clone.get_config() == layer.get_config()


def test_buffers_are_used_again():
    """A second batch of the same size fills the same memory, a smaller one a part."""
    layer = layers.Dense(3)
    layer(np.ones((8, 2)))
    first = layer.forward(np.ones((8, 2), np.float32), False)
    assert layer.forward(np.ones((8, 2), np.float32), False) is first
    small = layer.forward(np.ones((5, 2), np.float32), False)
    assert np.shares_memory(small, first)
    assert layer.forward(np.ones((8, 2), np.float32), False) is first


@pytest.mark.parametrize(
    "make, error, message",
    [
        (
            lambda: layers.Dense(0),
            ValueError,
            "units must be a positive integer, got 0",
        ),
        (lambda: layers.Dense(2.5), ValueError, "units must be a positive integer"),
        (lambda: layers.Dense("3"), ValueError, "units must be a positive integer"),
        (
            lambda: layers.Dense(2, input_shpe=(3,)),
            TypeError,
            "unknown argument 'input_shpe'. Did you mean 'input_shape'",
        ),
        (lambda: layers.Dense(2, "rleu"), ValueError, "Did you mean 'relu'"),
        (lambda: layers.Dense(2, input_shape=3), TypeError, "tuple of integers"),
        (lambda: layers.Dense(2, input_shape=(0,)), ValueError, "must be positive"),
        (lambda: layers.Dense(2)(np.ones(3)), ValueError, "at least 2 axes"),
        (lambda: layers.Flatten()(np.ones((2, 3))), ValueError, "at least 3 axes"),
        (lambda: layers.Flatten("first"), ValueError, "data_format"),
        (
            lambda: layers.Flatten().compute_output_shape((None, None, 3)),
            ValueError,
            "must be known",
        ),
        (lambda: layers.Reshape((-1, -1)), ValueError, "at most one -1"),
        (lambda: layers.Reshape((4,))(np.ones((2, 3))), ValueError, "cannot reshape"),
        (lambda: layers.Permute((0, 1)), ValueError, "each of 1 to 2"),
        (lambda: layers.RepeatVector(0), ValueError, "n must be a positive integer"),
        (lambda: layers.RepeatVector(2)(np.ones((2, 3, 4))), ValueError, "with 2 axes"),
        (lambda: layers.InputLayer(), ValueError, "needs input_shape"),
        (lambda: layers.Input(), ValueError, "expected shape"),
        (lambda: layers.get("Dnese"), ValueError, "Did you mean 'Dense'"),
        (
            lambda: layers.Dense(2, weights=[np.ones((3, 3)), np.ones(2)])(
                np.ones((1, 3))
            ),
            ValueError,
            r"expected a weight of shape \(3, 2\), got \(3, 3\)",
        ),
        (
            lambda: layers.Dense(2).count_params(),
            RuntimeError,
            "before the layer is built",
        ),
    ],
)
def test_bad_arguments_are_explained(make, error, message):
    """Who, expected what, got what."""
    with pytest.raises(error, match=message):
        make()


def test_a_layer_without_mask_support_names_itself():
    """Flatten, Reshape, Permute and RepeatVector refuse masks."""
    flatten = layers.Flatten(name="flat")
    with pytest.raises(TypeError, match="flat: Flatten does not support masks"):
        flatten.compute_mask(None, np.ones((2, 2), bool))
