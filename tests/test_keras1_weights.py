import json

import h5py
import numpy as np
import pytest

from kerasnb import Sequential, keras1, layers, load_model
from kerasnb.keras1_weights import (
    convert_all_kernels_in_model,
    convert_kernel,
    modern_config,
    modernized,
)

RNG = np.random.default_rng(0)


def array(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def old_file(path, arrays, config=None, numbered=False):
    """Write arrays by layer as Keras 1 did, or as in its first years."""
    with h5py.File(path, "w") as file:
        group = file
        if config is not None:
            file.attrs["keras_version"] = b"1.1.2"
            text = json.dumps({"class_name": "Sequential", "config": config})
            file.attrs["model_config"] = text.encode()
            group = file.create_group("model_weights")
        if numbered:
            group.attrs["nb_layers"] = len(arrays)
        else:
            group.attrs["layer_names"] = [name.encode() for name in arrays]
        for k, (name, values) in enumerate(arrays.items()):
            inside = group.create_group(f"layer_{k}" if numbered else name)
            if numbered:
                inside.attrs["nb_params"] = len(values)
            else:
                names = [f"{name}_{i}".encode() for i in range(len(values))]
                inside.attrs["weight_names"] = names
            for i, value in enumerate(values):
                inside[f"param_{i}" if numbered else f"{name}_{i}"] = value
    return path


def loaded(path, layer, arrays, **options):
    """Load arrays of Keras 1 into a model of one layer; return its weights."""
    model = Sequential([layer])
    model.load_weights(old_file(path, {layer.name: arrays}, **options))
    return model.get_weights()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "old.h5"


# ---- reference --------------------------------------------------------------------


@pytest.mark.parametrize("numbered", [False, True])
def test_dense_layers_are_read_as_they_are(path, numbered):
    """Files with names, and those of the first years with numbers."""
    W, b = array(3, 2), array(2)
    layer = layers.Dense(2, input_shape=(3,))
    got = loaded(path, layer, [W, b], numbered=numbered)
    assert np.array_equal(got[0], W) and np.array_equal(got[1], b)


def test_the_second_axis_of_a_conv1d_goes(path):
    """(k, 1, C, f) becomes (k, C, f); older (f, C, k, 1) is turned too."""
    kernel, bias = array(4, 3, 2), array(2)
    for old in (kernel[:, None], kernel.transpose(2, 1, 0)[..., None]):
        got = loaded(path, layers.Conv1D(2, 4, input_shape=(9, 3)), [old, bias])
        assert np.array_equal(got[0], kernel) and np.array_equal(got[1], bias)


@pytest.mark.parametrize("kind, axes", [("Conv2D", 2), ("Conv3D", 3)])
def test_kernels_of_channels_first_are_turned(path, kind, axes):
    """(f, C, ...) becomes (..., C, f); with channels last nothing changes."""
    size = (2, 3, 2)[:axes]
    kernel, bias = array(*size, 2, 3), array(3)
    make = getattr(layers, kind)
    old = np.moveaxis(kernel, (-1, -2), (0, 1))
    first = make(3, size, input_shape=(2, *size), data_format="channels_first")
    assert np.array_equal(loaded(path, first, [old, bias])[0], kernel)
    last = make(3, size, input_shape=(*size, 2))
    assert np.array_equal(loaded(path, last, [kernel, bias])[0], kernel)


def test_the_last_axes_of_a_transposed_convolution_change_places(path):
    """(r, c, C, f) and (f, C, r, c) become (r, c, f, C)."""
    kernel, bias = array(2, 3, 4, 1), array(4)
    last = layers.Conv2DTranspose(4, (2, 3), input_shape=(3, 3, 1))
    got = loaded(path, last, [kernel.transpose(0, 1, 3, 2), bias])
    assert np.array_equal(got[0], kernel)
    first = layers.Conv2DTranspose(
        4, (2, 3), input_shape=(1, 3, 3), data_format="channels_first"
    )
    got = loaded(path, first, [kernel.transpose(2, 3, 0, 1), bias])
    assert np.array_equal(got[0], kernel)


def test_highway_has_its_biases_in_between(path):
    """W, b, V, c becomes W, V, b, c; the layer of the Keras 1 dialect keeps it."""
    W, b, V, c = array(3, 3), array(3), array(3, 3), array(3)
    layer = layers.Highway(input_shape=(3,))
    got = loaded(path, layer, [W, b, V, c])
    assert all(map(np.array_equal, got, [W, V, b, c]))
    layer = keras1.Highway(input_shape=(3,))
    got = loaded(path, layer, [W, b, V, c])
    assert all(map(np.array_equal, got, [W, b, V, c]))


class Gated(layers.Layer):
    """What the conversion sees of a recurrent layer: class, weights, widths."""

    gates, features = 3, 2

    def build(self, input_shape):
        u, gates = self.features, self.gates
        self.add_weight("kernel", (input_shape[-1], gates * u))
        self.add_weight("recurrent_kernel", (u, gates * u))
        self.add_weight("bias", (gates * u,))

    def forward(self, x, training):
        return x


GRU = type("GRU", (Gated,), {})
LSTM = type("LSTM", (Gated,), {"gates": 4})


@pytest.mark.parametrize(
    "kind, old, new", [(GRU, "zrh", "zrh"), (LSTM, "icfo", "ifco")]
)
def test_the_arrays_of_the_gates_become_one(kind, old, new):
    """9 arrays of a GRU and 12 of an LSTM become 3, whose blocks are ours."""
    layer = kind(input_shape=(5, 3))
    layer.connect((None, 5, 3))
    parts = {g: [array(3, 2), array(2, 2), array(2)] for g in old}
    named = [(f"{g}{i}", a) for g in old for i, a in enumerate(parts[g])]
    made = [a for _, a in modernized(layer, named)]
    for i in range(3):
        expected = np.concatenate([parts[g][i] for g in new], axis=-1)
        assert np.array_equal(made[i], expected)


@pytest.mark.parametrize("first", [False, True])
def test_the_arrays_of_a_convolutional_lstm_become_three(path, first):
    """12 of i, c, f, o; with the channels in front, the windows come behind."""
    parts = {g: [array(3, 2, 4, 5), array(3, 2, 5, 5), array(5)] for g in "icfo"}
    stored = [a.transpose(3, 2, 0, 1) if first and a.ndim == 4 else a
              for gate in "icfo" for a in parts[gate]]  # fmt: skip
    where = ("channels_first", (6, 4, 7, 7)) if first else (None, (6, 7, 7, 4))
    layer = layers.ConvLSTM2D(5, (3, 2), data_format=where[0], input_shape=where[1])
    got = loaded(path, layer, stored)
    assert len(got) == 3
    for i, found in enumerate(got):
        expected = np.concatenate([parts[g][i] for g in "ifco"], axis=-1)
        assert np.array_equal(found, expected)


def test_fused_arrays_stay(path):
    """consume_less='gpu' had them in our order already."""
    layer = LSTM(input_shape=(5, 3))
    layer.connect((None, 5, 3))
    named = [("W", array(3, 8)), ("U", array(2, 8)), ("b", array(8))]
    assert modernized(layer, named) == named


def test_arrays_that_do_not_fit_come_back_as_they_are():
    """The comparison with the model says what is wrong."""
    layer = layers.Dense(2, input_shape=(3,))
    layer.connect((None, 3))
    for count in (1, 3):
        named = [(str(i), array(3)) for i in range(count)]
        assert modernized(layer, named) is named


def test_nested_models_are_converted_inside(path):
    """The arrays of a nested model stand in a row."""
    kernel, bias, W, b = array(4, 3, 2), array(2), array(2, 2), array(2)
    inner = Sequential([layers.Conv1D(2, 4, input_shape=(9, 3)), layers.Dense(2)])
    got = loaded(path, inner, [kernel[:, None], bias, W, b])
    assert all(map(np.array_equal, got, [kernel, bias, W, b]))


def test_by_name_converts_the_layer_of_that_name(path):
    """Also when it stands elsewhere."""
    kernel, bias = array(4, 3, 2), array(2)
    old_file(path, {"other": [array(3)], "conv": [kernel[:, None], bias]})
    model = Sequential([layers.Conv1D(2, 4, input_shape=(9, 3), name="conv")])
    model.load_weights(path, by_name=True)
    assert np.array_equal(model.get_weights()[0], kernel)


# ---- whole models -----------------------------------------------------------------

PENALTY = {"name": "WeightRegularizer", "l1": 0.0, "l2": 0.5}
CONFIG = [
    {
        "class_name": "Convolution1D",
        "config": {
            "name": "convolution1d_1",
            "batch_input_shape": [None, 9, 3],
            "nb_filter": 2,
            "filter_length": 4,
            "subsample_length": 1,
            "border_mode": "same",
            "activation": "relu",
            "init": "glorot_uniform",
            "W_regularizer": PENALTY,
            "b_constraint": {"name": "MaxNorm", "m": 2, "axis": 0},
            "bias": True,
            "trainable": True,
        },
    },
    {"class_name": "Flatten", "config": {"name": "flatten_1", "trainable": True}},
    {
        "class_name": "Dense",
        "config": {"name": "dense_1", "output_dim": 2, "init": "uniform"},
    },
]


def test_a_whole_model_of_keras_1_is_read_without_a_warning(path):
    """Layers understand the words of Keras 1; penalties get the form of today."""
    arrays = [array(4, 1, 3, 2), array(2), array(18, 2), array(2)]
    parts = {"convolution1d_1": arrays[:2], "flatten_1": [], "dense_1": arrays[2:]}
    model = load_model(old_file(path, parts, CONFIG), compile=False)
    first = model.layers[0]
    assert (first.filters, first.padding) == (2, "same")
    assert first.kernel_regularizer.get_config() == {"l1": 0.0, "l2": 0.5}
    assert first.bias_constraint.get_config() == {"max_value": 2, "axis": 0}
    assert np.array_equal(model.get_weights()[0], arrays[0][:, 0])
    assert np.array_equal(model.get_weights()[2], arrays[2])


def test_training_settings_of_keras_1_are_taken_over(path):
    """Loss and optimizer; its state has another order, so that starts anew."""
    arrays = {"dense_1": [array(3, 2), array(2)]}
    config = [{"class_name": "Dense", "config": {"output_dim": 2, "input_dim": 3}}]
    old_file(path, arrays, config)
    sgd = {"class_name": "SGD", "config": {"lr": 0.5, "momentum": 0.0, "decay": 0.0}}
    training = {"optimizer_config": sgd, "loss": "mse", "metrics": ["accuracy"]}
    with h5py.File(path, "a") as file:
        file.attrs["training_config"] = json.dumps(training).encode()
    model = load_model(path)
    assert model.optimizer.lr == 0.5 and model.metrics_names == ["loss", "acc"]
    with h5py.File(path, "a") as file:
        group = file.create_group("optimizer_weights")
        group.attrs["weight_names"] = [b"a"]
        group["a"] = 3
    with pytest.warns(UserWarning, match="so it starts anew"):
        assert load_model(path).optimizer.iterations == 0


@pytest.mark.parametrize(
    "old, new",
    [
        (PENALTY, {"class_name": "L1L2", "config": {"l1": 0.0, "l2": 0.5}}),
        ({"name": "NonNeg"}, {"class_name": "NonNeg", "config": {}}),
        ({"name": "dense_1", "p": [None]}, {"name": "dense_1", "p": [None]}),
    ],
)
def test_penalties_and_limits_get_the_form_of_today(old, new):
    """Everything else stays."""
    assert modern_config([old]) == [new]


# ---- orientation ------------------------------------------------------------------


def test_turning_round_twice_changes_nothing():
    """The last two axes are channels and filters."""
    kernel = array(2, 3, 4, 5)
    turned = convert_kernel(kernel)
    assert np.array_equal(turned[0, 0], kernel[-1, -1])
    assert np.array_equal(convert_kernel(turned), kernel)


def test_the_kernels_of_a_model_are_turned_round_in_place():
    """Those of convolutions, nested ones too; Dense stays."""
    inner = Sequential([layers.Conv2D(2, 3, input_shape=(5, 5, 1))])
    model = Sequential([inner, layers.Flatten(), layers.Dense(2)])
    before = model.get_weights()
    convert_all_kernels_in_model(model)
    after = model.get_weights()
    assert np.array_equal(after[0], before[0][::-1, ::-1])
    assert all(map(np.array_equal, after[1:], before[1:]))


@pytest.mark.parametrize("axes", [2, 6])
def test_only_kernels_of_convolutions_are_turned_round(axes):
    """A matrix is none."""
    with pytest.raises(ValueError, match=f"expected 3 to 5 axes, got {axes}"):
        convert_kernel(np.zeros((2,) * axes))


@pytest.mark.parametrize("kind, gates", [("CuDNNLSTM", 4), ("CuDNNGRU", 3)])
def test_weights_of_cudnn_are_arranged_as_cudnn_does(path, kind, gates):
    """Two biases, U transposed in blocks; the plain layers read them too."""
    model = Sequential([getattr(layers, kind)(3, input_shape=(None, 2))])
    model.set_weights([array(*w.shape) for w in model.weights])
    model.save_weights(path)
    with h5py.File(path) as file:
        W, U, b = (file[model.layers[0].name][w.name][()] for w in model.weights)
    assert W.shape == (2, 3 * gates) and b.shape == (6 * gates,)
    np.testing.assert_array_equal(U[:, :3], model.get_weights()[1][:, :3].T)
    words = {"reset_after": True} if gates == 3 else {}
    plain = getattr(layers, kind[5:])
    layer = plain(3, recurrent_activation="sigmoid", input_shape=(None, 2), **words)
    twin = Sequential([layer])
    twin.load_weights(path)
    x = array(4, 5, 2)
    np.testing.assert_allclose(twin.predict(x), model.predict(x), rtol=1e-6)
    model.load_weights(path)
    np.testing.assert_allclose(twin.predict(x), model.predict(x), rtol=1e-6)
