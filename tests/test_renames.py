"""The words of Keras 1: every row of the tables of renames, and what is refused."""

import inspect
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kerasnb
from kerasnb import Layer, Sequence, Sequential, layers, regularizers, renames, utils
from kerasnb.constraints import maxnorm, nonneg, unitnorm
from kerasnb.layers import Dense, Dropout
from kerasnb.monitors import ReduceLROnPlateau
from kerasnb.preprocessing import ImageDataGenerator
from kerasnb.renames import OLD_NAMES
from kerasnb.stack import layers_of
from kerasnb.text import Tokenizer

DROPOUTS = ["Dropout", "GaussianDropout"]
DROPOUTS += [f"SpatialDropout{rank}D" for rank in (1, 2, 3)]
REQUIRED = {
    "Dense": {"units": 3},
    "Embedding": {"input_dim": 9, "output_dim": 3},
    **dict.fromkeys(["LocallyConnected1D", "Conv1D"], {"filters": 4, "kernel_size": 1}),
    **dict.fromkeys(
        ["Conv2D", "LocallyConnected2D", "Conv2DTranspose", "SeparableConv2D"],
        {"filters": 4, "kernel_size": (1, 1)},
    ),
    "ConvLSTM2D": {"filters": 4, "kernel_size": (1, 1)},
    "Conv3D": {"filters": 4, "kernel_size": (1, 1, 1)},
    "GaussianNoise": {"stddev": 1},
    **dict.fromkeys(DROPOUTS, {"rate": 0.1}),
}
"""Arguments that a layer has to have, where the test is of another one."""


def old(kind, *args, **kwargs):
    """Call in the words of Keras 1, with the one warning, and return what came."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        made = kind(*args, **kwargs)
    assert [one.category for one in caught] == [UserWarning]
    assert caught[0].filename == __file__
    return made


INIT = {"init": "he_normal"}, {"kernel_initializer": "he_normal"}
SHARED = [
    ("Dense", {"output_dim": 3}, {"units": 3}),
    ("Dense", *INIT),
    ("LSTM", {"inner_init": "one"}, {"recurrent_initializer": "one"}),
    ("GRU", {"inner_activation": "tanh"}, {"recurrent_activation": "tanh"}),
    ("Dense", {"W_regularizer": "l2"}, {"kernel_regularizer": "l2"}),
    ("LSTM", {"U_regularizer": "l2"}, {"recurrent_regularizer": "l2"}),
    ("Dense", {"b_regularizer": "l1"}, {"bias_regularizer": "l1"}),
    ("Dense", {"W_constraint": "nonneg"}, {"kernel_constraint": "nonneg"}),
    ("Dense", {"b_constraint": "nonneg"}, {"bias_constraint": "nonneg"}),
    ("Dense", {"bias": False}, {"use_bias": False}),
    ("Conv2D", {"border_mode": "same"}, {"padding": "same"}),
    ("Conv2D", {"subsample": (2, 1)}, {"strides": (2, 1)}),
    ("Conv2D", {"dim_ordering": "th"}, {"data_format": "channels_first"}),
    ("Conv2D", {"dim_ordering": "tf"}, {"data_format": "channels_last"}),
    ("Conv2D", {"dim_ordering": "default"}, {"data_format": "channels_last"}),
    ("GlobalMaxPooling2D", {"dim_ordering": "th"}, {"data_format": "channels_first"}),
    ("Cropping2D", {"dim_ordering": "th"}, {"data_format": "channels_first"}),
    ("MaxPooling2D", {"border_mode": "same"}, {"padding": "same"}),
    ("AveragePooling3D", {"border_mode": "same"}, {"padding": "same"}),
    *(
        (name, {"dim_ordering": "th"}, {"data_format": "channels_first"})
        for name in ("AveragePooling2D", "MaxPooling3D", "GlobalAveragePooling3D")
        + ("UpSampling2D", "UpSampling3D", "ZeroPadding2D", "ZeroPadding3D")
        + ("Cropping3D", "SpatialDropout2D", "LocallyConnected2D", "Conv3D")
    ),
]
SIZE = {"kernel_size": (3, 2)}
EXTRA = [
    *((name, {"p": 0.5}, {"rate": 0.5}) for name in DROPOUTS),
    ("GaussianNoise", {"sigma": 0.1}, {"stddev": 0.1}),
    ("Embedding", {"init": "one"}, {"embeddings_initializer": "one"}),
    ("Embedding", {"W_regularizer": "l2"}, {"embeddings_regularizer": "l2"}),
    ("Embedding", {"W_constraint": "nonneg"}, {"embeddings_constraint": "nonneg"}),
    ("Embedding", {"output_dim": 4, "dropout": 0.2}, {"output_dim": 4}),
    ("LSTM", {"dropout_W": 0.2}, {"dropout": 0.2}),
    ("SimpleRNN", {"dropout_U": 0.2}, {"recurrent_dropout": 0.2}),
    ("GRU", {"consume_less": "cpu"}, {"implementation": 0}),
    ("LSTM", {"consume_less": "mem"}, {"implementation": 1}),
    ("LSTM", {"consume_less": "gpu"}, {"implementation": 2}),
    ("LSTM", {"input_dim": 4, "input_length": 9}, {"shape": (None, 9, 4)}),
    ("GRU", {"input_dim": 4}, {"shape": (None, None, 4)}),
    ("LSTM", {"forget_bias_init": "one"}, {"unit_forget_bias": True}),
    ("LSTM", {"forget_bias_init": "zero"}, {}),
    ("Conv1D", {"nb_filter": 8}, {"filters": 8}),
    ("Conv1D", {"filter_length": 3}, {"kernel_size": 3}),
    ("LocallyConnected1D", {"subsample_length": 2}, {"strides": 2}),
    ("Conv1D", {"input_dim": 4, "input_length": 9}, {"shape": (None, 9, 4)}),
    ("Conv1D", {"atrous_rate": 2}, {"dilation_rate": 2}),
    ("Conv2D", {"atrous_rate": (2, 2)}, {"dilation_rate": (2, 2)}),
    *(
        (name, {"nb_filter": 8, "nb_row": 3, "nb_col": 2}, {"filters": 8, **SIZE})
        for name in ("Conv2D", "LocallyConnected2D", "Conv2DTranspose", "ConvLSTM2D")
    ),
    ("Conv2DTranspose", {"output_shape": (None, 6, 6, 1)}, {}),
    (
        "SeparableConv2D",
        {"init": "one"},
        {"depthwise_initializer": "one", "pointwise_initializer": "one"},
    ),
    ("ConvLSTM2D", {"inner_init": "one"}, {"recurrent_initializer": "one"}),
    (
        "Conv3D",
        {"nb_filter": 8, "kernel_dim1": 1, "kernel_dim2": 2, "kernel_dim3": 3},
        {"filters": 8, "kernel_size": (1, 2, 3)},
    ),
    ("MaxPooling1D", {"pool_length": 3}, {"pool_size": 3}),
    ("AveragePooling1D", {"stride": 2}, {"strides": 2}),
    ("UpSampling1D", {"length": 2}, {"size": 2}),
    (
        "ZeroPadding2D",
        {"padding": {"top_pad": 1, "left_pad": 2, "right_pad": 3}},
        {"padding": ((1, 0), (2, 3))},
    ),
    ("ZeroPadding2D", {"padding": (1, 2, 3, 4)}, {"padding": ((1, 2), (3, 4))}),
    ("BatchNormalization", {"beta_init": "one"}, {"beta_initializer": "one"}),
    ("BatchNormalization", {"gamma_init": "one"}, {"gamma_initializer": "one"}),
    ("BatchNormalization", {"mode": 0, "epsilon": 0.1}, {"epsilon": 0.1}),
    ("PReLU", {"init": "one"}, {"alpha_initializer": "one"}),
    ("Highway", {"transform_bias": -3}, {}),
]


CELLS = "SimpleRNN", "GRU", "LSTM"
RECURRENT = [row for row in SHARED + EXTRA if row[0] in CELLS]
OTHERS = [row for row in SHARED + EXTRA if row[0] not in CELLS]
ROOMS = {
    "initializer": "initializers",
    "regularizer": "regularizers",
    "constraint": "constraints",
}


def assert_has(layer, word, value):
    """The layer has this value of an argument."""
    room = ROOMS.get(word.split("_")[-1])
    if word == "shape":
        assert layer.batch_input_shape == value
    elif room:
        wanted = getattr(kerasnb, room).get(value)
        assert type(getattr(layer, word)) is type(wanted)
    else:
        found, value = np.array(layer.get_config()[word]), np.array(value)
        assert np.array_equal(found, np.broadcast_to(value, found.shape))


@pytest.mark.parametrize("name, given, expected", OTHERS)
def test_old_words_of_constructors(name, given, expected):
    """Every row of the table: the layer gets today's word and value."""
    required = {
        word: value
        for word, value in REQUIRED.get(name, {}).items()
        if word not in expected
    }
    if name not in layers.CLASSES:
        pytest.skip(f"there is no {name}")
    layer = old(layers.CLASSES[name], **required, **given)
    for word, value in {**required, **expected}.items():
        assert_has(layer, word, value)


@pytest.mark.parametrize("name, given, expected", RECURRENT)
@pytest.mark.parametrize("kind", ["SimpleRNN", "GRU", "LSTM"])
def test_the_recurrent_layers_know_every_word_of_the_table(kind, name, given, expected):
    """The real ones; those without a gate know no words for it."""
    made = getattr(layers, kind)
    gates = {"inner_activation", "forget_bias_init"}.intersection(given)
    if gates and kind == "SimpleRNN" or "forget_bias_init" in gates and kind == "GRU":
        with pytest.raises(TypeError, match="unknown argument"):
            made(3, **given)
        return
    if given == {"consume_less": "cpu"}:
        expected = {"implementation": 1}
        with (
            pytest.warns(UserWarning, match="implementation=0 is that of Keras 1"),
            pytest.warns(UserWarning, match="In today's words this is"),
        ):
            layer = made(output_dim=3, **given)
    else:
        layer = old(made, output_dim=3, **given)
    expected = dict(expected, units=3)
    if kind == "LSTM" and "forget_bias_init" in given:
        expected["unit_forget_bias"] = True
    for word, value in expected.items():
        assert_has(layer, word, value)


def test_wrappers_of_keras_1():
    """TimeDistributed and Bidirectional have no words of their own."""
    inner = old(layers.LSTM, output_dim=3, input_dim=2, input_length=4)
    layer = layers.Bidirectional(inner, merge_mode="sum")
    assert layer.batch_input_shape == (None, 4, 2)
    inner = old(Dense, output_dim=3)
    assert layers.TimeDistributed(inner, input_shape=(4, 2)).layer.units == 3


def test_the_common_type_of_a_layer():
    """The old input_dtype is the dtype."""
    layer = old(Dense, 3, input_dtype="float64")
    assert layer.dtype == "float64"


def window(layer):
    """What the layer says of its filters and their window."""
    config = layer.get_config()
    return config["filters"], tuple(config["kernel_size"])


@pytest.mark.parametrize(
    "name", ["Conv2D", "SeparableConv2D", "Conv2DTranspose", "LocallyConnected2D"]
)
def test_three_integers_are_filters_rows_and_columns(name):
    """Keras 1 gave the window as second and third argument."""
    kind = layers.CLASSES[name]
    assert window(old(kind, 8, 3, 2)) == (8, (3, 2))
    assert window(old(kind, 8, 3, nb_col=2)) == (8, (3, 2))
    layer = old(kind, 8, 3, 2, border_mode="valid", subsample=(2, 1))
    assert window(layer) == (8, (3, 2))
    assert layer.strides == (2, 1)


def test_a_convolution_as_courses_wrote_it():
    """All words at once, and an image through it."""
    layer = old(
        layers.Convolution2D, 8, 3, 3, border_mode="same", subsample=(2, 2),
        dim_ordering="th", init="he_normal", activation="relu", input_shape=(3, 8, 8),
    )  # fmt: skip
    assert type(layer) is layers.Conv2D
    assert layer(np.ones((2, 3, 8, 8))).shape == (2, 8, 4, 4)
    pool = old(layers.MaxPooling2D, (2, 2), border_mode="valid", dim_ordering="th")
    assert pool(np.ones((2, 8, 4, 4))).shape == (2, 8, 2, 2)
    dilated = old(layers.AtrousConvolution2D, 1, 3, 3, atrous_rate=(2, 2))
    assert dilated(np.ones((1, 5, 5, 1))).shape == (1, 1, 1, 1)


def test_the_output_shape_of_a_deconvolution_may_come_fourth():
    """It is left out, like the keyword."""
    layer = old(layers.Deconvolution2D, 8, 3, 2, (None, 6, 6, 1), subsample=(2, 2))
    assert window(layer) == (8, (3, 2))
    assert layer.strides == (2, 2)
    assert window(old(layers.Convolution3D, 8, 1, 2, 3)) == (8, (1, 2, 3))


def test_todays_calls_pass_without_a_warning():
    """Positional arguments in the order of Keras 2 are understood."""
    assert Dense(32, "relu").activation.name == "relu"
    assert layers.Conv2D(8, 3, strides=2).kernel_size == (3, 3)
    assert layers.Conv2D(8, (3, 2), (1, 1), "same").padding == "same"
    normal = layers.BatchNormalization(1, 0.9)
    assert (normal.axis, normal.momentum) == (1, 0.9)
    assert layers.ZeroPadding2D((1, 2)).padding == ((1, 1), (2, 2))
    assert layers.Embedding(10, output_dim=3).output_dim == 3


def test_the_warning_says_the_call_in_todays_words():
    """It can be copied into the script."""
    message = r"is Dense\(8, activation='relu', kernel_initializer='one'\)\.$"
    with pytest.warns(UserWarning, match=message):
        Dense(8, init="one", activation="relu")


@given(st.permutations(["p", "name", "trainable"]))
def test_the_order_of_keywords_does_not_matter(words):
    """Known words stay what they are."""
    values = {"p": 0.25, "name": "d", "trainable": False}
    layer = old(Dropout, **{word: values[word] for word in words})
    assert (layer.rate, layer.name, layer.trainable) == (0.25, "d", False)


def test_a_layer_of_ones_own_keeps_its_words():
    """Only keywords that the class does not have are translated."""

    class Noise(Layer):
        def __init__(self, p, **kwargs):
            super().__init__(**kwargs)
            self.p = p

    class Wide(Dense):
        def __init__(self, factor, **kwargs):
            super().__init__(8 * factor, **kwargs)

    class Narrow(Dense):
        pass

    assert Noise(p=0.5).p == 0.5
    assert old(Wide, 2, bias=False).use_bias is False
    assert old(Narrow, output_dim=2).units == 2


def test_a_subclass_may_take_three_integers():
    """What Conv2D makes of them is nothing to a constructor of one's own."""

    class Mine(layers.Conv2D):
        def __init__(self, a, b, c):
            super().__init__(a, (b, c))

    class Same(layers.Conv2D):
        pass

    assert window(Mine(8, 3, 2)) == (8, (3, 2))
    assert window(old(Same, 8, 3, 2)) == (8, (3, 2))


def test_a_layer_of_ones_own_may_have_a_known_name():
    """Students write their own Conv2D, LSTM and BatchNormalization."""

    def init(self, a, b=None, c=None):
        Layer.__init__(self)
        self.given = a, b, c

    for name in ("Conv2D", "LSTM", "BatchNormalization", "ZeroPadding2D"):
        kind = type(name, (Layer,), {"__init__": init})
        assert kind(1, 2, 3).given == (1, 2, 3)
        assert kind(0.5).given == (0.5, None, None)
        assert kind((1, 2, 3, 4)).given == ((1, 2, 3, 4), None, None)


def test_the_signature_of_a_layer_stays_readable():
    """`help` shows the constructor as it was written."""
    assert list(inspect.signature(Dense).parameters)[:2] == ["units", "activation"]


def test_the_old_name_of_compute_output_shape():
    """A layer may define it, and every layer answers to it."""

    class Twice(Layer):
        def get_output_shape_for(self, input_shape):
            return (input_shape[0], 2 * input_shape[1])

    assert Twice().compute_output_shape((None, 3)) == (None, 6)
    assert Dense(5).get_output_shape_for((None, 3)) == (None, 5)


# ---- names ------------------------------------------------------------------------


@pytest.mark.parametrize("name, modern", OLD_NAMES.items())
def test_old_class_names_live(name, modern):
    """In the module, in `get`, and in configurations."""
    kind = layers.CLASSES[modern]
    assert layers.get(name) is getattr(layers, name) is kind
    rank = 3 if "3" in name else 2 if "2" in name else 1
    config = {"filters": 2, "kernel_size": [1] * rank}
    assert type(layers_of([{"class_name": name, "config": config}])[0]) is kind


def test_unknown_names_stay_unknown():
    """The module and `get` say so."""
    with pytest.raises(AttributeError, match="no attribute 'Convolution9D'"):
        layers.Convolution9D
    with pytest.raises(ValueError, match="Unknown layer 'Convolution9D'"):
        layers.get("Convolution9D")


def test_old_names_of_modules_are_attributes():
    """objectives, initializations and np_utils."""
    assert kerasnb.objectives is kerasnb.losses
    assert kerasnb.initializations is kerasnb.initializers
    assert utils.np_utils.to_categorical is utils.to_categorical


def test_old_names_of_regularizers_and_constraints():
    """The same penalties and projections under all names."""
    assert regularizers.l1l2(0.1, 0.2).get_config() == {"l1": 0.1, "l2": 0.2}
    assert regularizers.activity_l1(0.1).l1 == regularizers.activity_l1l2(0.1).l1
    assert regularizers.activity_l2(0.1).l2 == 0.1
    assert regularizers.WeightRegularizer(l2=0.3).l2 == 0.3
    assert regularizers.ActivityRegularizer(l1=0.3).l1 == 0.3
    assert regularizers.get("l1l2").l1 == 0.01
    assert old(maxnorm, m=3).max_value == 3
    assert maxnorm(4).max_value == 4
    assert nonneg()(np.array([-1.0])) == 0
    assert unitnorm()(np.array([2.0]))[0] == pytest.approx(1)


def test_old_words_elsewhere():
    """nb_classes, nb_words, epsilon, dim_ordering."""
    assert old(utils.to_categorical, [0], nb_classes=3).shape == (1, 3)
    assert old(Tokenizer, nb_words=7).num_words == 7
    assert old(ReduceLROnPlateau, epsilon=0.5).min_delta == 0.5
    images = old(ImageDataGenerator, dim_ordering="th")
    assert images.data_format == "channels_first"


# ---- methods ----------------------------------------------------------------------


@pytest.fixture
def model():
    """A model that is linear in two numbers, compiled."""
    model = Sequential([Dense(1, input_dim=2)])
    model.compile("sgd", "mse")
    return model


def batches(size=4, end=10**6):
    for _ in range(end):
        yield np.ones((size, 2)), np.ones((size, 1))


class Batches(Sequence):
    def __len__(self):
        return 3

    def __getitem__(self, index):
        return np.ones((4, 2)), np.ones((4, 1))


class Flow:
    """An iterator that knows its batch size and is never asked in vain."""

    batch_size = 4

    def __init__(self):
        self.taken = 0

    def __next__(self):
        self.taken += 1
        return np.ones((4, 2)), np.ones((4, 1))


def test_fit_takes_nb_epoch(model):
    """It is the number of epochs."""
    history = old(model.fit, np.ones((4, 2)), np.ones(4), nb_epoch=3, verbose=0)
    assert history.epoch == [0, 1, 2]


@pytest.mark.parametrize("make", [batches, Batches, Flow])
def test_sample_counts_become_steps(model, make):
    """With the size of the first batch, of the attribute, or of item 0."""
    message = (
        r"fit_generator\(.*steps_per_epoch=3.*epochs=2\)\. "
        r"samples_per_epoch=10 becomes 3 steps of 4 = 12 samples\.$"
    )
    with pytest.warns(UserWarning, match=message):
        history = model.fit_generator(
            make(), samples_per_epoch=10, nb_epoch=2, verbose=0
        )
    assert history.params["steps"] == 3
    assert history.epoch == [0, 1]


def test_no_batch_is_lost_for_the_count(model):
    """The batch that was looked at comes first."""
    data = [(np.full((2, 2), k), np.full((2, 1), k)) for k in range(3)]
    p = old(model.predict_generator, (x for x, _ in data), val_samples=6)
    np.testing.assert_array_equal(
        p, model.predict(np.concatenate([x for x, _ in data]))
    )


def test_validation_samples_become_steps(model):
    """nb_val_samples, val_samples, and the words about workers."""
    history = old(
        model.fit_generator, batches(), samples_per_epoch=8, nb_epoch=1, verbose=0,
        validation_data=batches(2), nb_val_samples=5, max_q_size=2, nb_worker=1,
        pickle_safe=False,
    )  # fmt: skip
    assert len(history.history["val_loss"]) == 1
    loss = old(model.evaluate_generator, batches(), val_samples=8, nb_worker=1)
    assert loss == pytest.approx(history.history["val_loss"][0], abs=1e-6)
    assert old(model.predict_generator, batches(), val_samples=7).shape == (8, 1)


def test_the_validation_count_of_arrays_is_left_out(model):
    """In Keras 1 it only counted with a generator."""
    arrays = np.ones((3, 2)), np.ones(3)
    with pytest.warns(UserWarning, match="nb_val_samples is left out"):
        model.fit_generator(
            batches(), samples_per_epoch=4, nb_epoch=1, verbose=0,
            validation_data=arrays, nb_val_samples=3,
        )  # fmt: skip


# ---- errors -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, args, kwargs, kind, message",
    [
        ("Dense", (), {"init": 1, "kernel_initializer": 1}, TypeError, "got both"),
        ("Dense", (3,), {"sigma": 1}, TypeError, "unknown argument 'sigma'"),
        ("Conv2D", (8, 3, 3), {"padding": "same"}, ValueError, "rows and columns"),
        ("Conv2D", (8, 3, 3, "same"), {}, ValueError, "rows and columns"),
        ("Conv2D", (8,), {"nb_row": 3}, TypeError, "expected nb_row, nb_col"),
        ("Conv2D", (8, 3), {"dim_ordering": "tg"}, ValueError, "Known: default, tf"),
        ("BatchNormalization", (1e-6,), {}, TypeError, "epsilon=... by name"),
        ("BatchNormalization", (), {"mode": 1}, TypeError, "expected mode 0, got 1"),
        ("ZeroPadding2D", ({"top": 1},), {}, ValueError, "side of ZeroPadding2D"),
        ("LSTM", (8,), {"consume_less": "fpu"}, ValueError, "consume_less of LSTM"),
    ],
)
def test_constructors_refuse(name, args, kwargs, kind, message):
    """Both words, ambiguous integers, unknown values."""
    with pytest.raises(kind, match=message):
        layers.CLASSES[name](*args, **kwargs)


def test_both_dialects_in_one_call_are_refused(model):
    """They count differently."""
    with pytest.raises(TypeError, match="'samples_per_epoch' is a word of Keras 1"):
        model.fit_generator(batches(), samples_per_epoch=8, epochs=2)
    with pytest.raises(TypeError, match="'nb_epoch' .* and 'epochs'"):
        model.fit(np.ones((4, 2)), np.ones(4), epochs=1, nb_epoch=1)
    with pytest.raises(TypeError, match="is 10 a count of samples or of batches"):
        model.fit_generator(batches(), 10, nb_epoch=2)


def test_counts_that_cannot_be_resolved_are_refused(model):
    """Never a guess."""
    with pytest.raises(TypeError, match="no first batch .* Pass steps instead"):
        model.evaluate_generator(batches(end=0), val_samples=8)
    with pytest.raises(TypeError, match="no first batch"):
        model.fit_generator([1, 2], samples_per_epoch=8, nb_epoch=1)
    for count in (0, "many", True):
        with pytest.raises(ValueError, match="must be a positive number of samples"):
            model.fit_generator(batches(), samples_per_epoch=count, nb_epoch=1)


def test_mixed_up_weights_are_recognised(model):
    """The order of sample_weight and class_weight differs between the dialects."""
    x, y = np.ones((2, 2)), np.ones(2)
    with pytest.raises(TypeError, match="Is it class_weight"):
        model.train_on_batch(x, y, {1: 2.0})
    with pytest.raises(TypeError, match="Weights of samples are sample_weight="):
        model.train_on_batch(x, y, None, np.ones(2))


def test_the_table_and_the_methods_agree():
    """Words of methods are counts or renames."""
    known = {*renames.RENAMES, *renames.OLD_COUNTS}
    assert known.issuperset(renames.METHOD_WORDS)
