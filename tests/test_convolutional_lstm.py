"""Convolutional LSTM: values, gradients, masks, states, configurations."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from theirs import slopes as their_slopes

import kerasnb
from kerasnb import Sequential, check_layer, keras1, layers
from kerasnb.gate_order import from_keras1, to_keras1
from kerasnb.layers import (
    LSTM,
    RNN,
    Bidirectional,
    ConvLSTM2D,
    ConvLSTM2DCell,
    TimeDistributed,
)

SIZES = st.integers(1, 3)
WINDOWS = st.tuples(st.integers(1, 3), st.integers(1, 3))
OPTIONS = [
    {},
    {"padding": "same", "return_sequences": True, "go_backwards": True},
    {"padding": "same", "strides": (2, 1), "use_bias": False},
    {"padding": "same", "dilation_rate": (1, 2), "activation": "softsign"},
    {"strides": 2, "recurrent_activation": "sigmoid", "return_sequences": True},
    {"dropout": 0.3, "recurrent_dropout": 0.4, "unit_forget_bias": False},
]
every_option = pytest.mark.parametrize(
    "options", OPTIONS, ids=lambda options: " ".join(options) or "plain"
)


def movies(N, T, *shape, seed=0):
    """Return random images for T steps of N samples."""
    return np.random.default_rng(seed).normal(size=(N, T, *shape))


def built(K, *args, **words):
    """Return a layer in float64 with weights that are all at work, biases included."""
    layer = ConvLSTM2D(*args, dtype="float64", **words)
    shape = (None, None, K, None, None) if layer.cell.channels_first else None
    layer.connect(shape or (None, None, None, None, K))
    rng = np.random.default_rng(K)
    layer.set_weights([rng.normal(size=w.shape) * 0.4 for w in layer.weights])
    return layer


def twin(layer, **changes):
    """Return a layer of the same weights that differs in some arguments."""
    other = type(layer).from_config({**layer.get_config(), **changes})
    other.connect((None, None, *layer.input_shape[2:]))
    other.set_weights(layer.get_weights())
    return other


def run(layer, x, mask=None, training=False):
    """Return what a built layer makes of a batch with a mask."""
    layer.mask = mask
    return np.array(layer.forward(np.ascontiguousarray(x, layer.dtype), training))


def slopes(layer, x, dy, mask=None):
    """Return the gradients of the input and of the weights."""
    for weight in layer.weights:
        weight.grad = np.empty_like(weight.value)
    run(layer, x, mask)
    dx = np.array(layer.backward(np.ascontiguousarray(dy)))
    return [dx, *(weight.grad.copy() for weight in layer.weights)]


# ---- reference --------------------------------------------------------------------


@given(N=SIZES, T=SIZES, K=SIZES, F=SIZES, sequence=st.booleans(), masked=st.booleans())
def test_windows_of_one_place_on_images_of_one_place_are_an_lstm(
    N, T, K, F, sequence, masked
):
    """The same numbers and gradients on the same weights, masks included."""
    layer = built(K, F, 1, return_sequences=sequence, recurrent_activation="sigmoid")
    lstm = LSTM(
        F, return_sequences=sequence, recurrent_activation="sigmoid", dtype="float64"
    )
    lstm.connect((None, None, K))
    W, U, b = layer.get_weights()
    lstm.set_weights([W[0, 0], U[0, 0], b])
    x = movies(N, T, K)
    mask = np.random.default_rng(1).random((N, T)) < 0.6 if masked else None
    y = run(lstm, x, mask)
    images = x[:, :, None, None]
    np.testing.assert_allclose(
        run(layer, images, mask).reshape(y.shape), y, rtol=1e-9, atol=1e-12
    )
    dy = np.random.default_rng(2).normal(size=y.shape)
    ours = slopes(layer, images, dy.reshape(*dy.shape[:-1], 1, 1, F), mask)
    for a, b in zip(ours, slopes(lstm, x, dy, mask)):
        np.testing.assert_allclose(a.reshape(b.shape), b, rtol=1e-9, atol=1e-12)


def test_a_step_is_the_equations_of_an_lstm():
    """Two steps with loops over the places: zeros outside, nothing flipped."""
    layer = built(2, 3, (2, 3), padding="same", recurrent_activation="sigmoid")
    W, U, b = layer.get_weights()
    x = movies(2, 2, 4, 5, 2)
    h = c = np.zeros((2, 4, 5, 3))

    def slide(images, weights):
        padded = np.pad(images, ((0, 0), (0, 1), (1, 1), (0, 0)))
        found = np.zeros((*images.shape[:3], weights.shape[-1]))
        for r, c in np.ndindex(4, 5):
            window = padded[:, r : r + 2, c : c + 3]
            found[:, r, c] = np.einsum("nqsk,qskf->nf", window, weights)
        return found

    for s in range(2):
        i, f, g, o = np.split(slide(x[:, s], W) + b + slide(h, U), 4, axis=-1)
        i, f, o = (1 / (1 + np.exp(-gate)) for gate in (i, f, o))
        c = f * c + i * np.tanh(g)
        h = o * np.tanh(c)
    np.testing.assert_allclose(run(layer, x), h, rtol=1e-10)


@every_option
@pytest.mark.filterwarnings("ignore")
def test_keras_3_agrees(keras, options):
    """Outputs and gradients of the input, on copied weights, to single precision."""
    options = {**options, "recurrent_activation": "sigmoid"}
    layer = built(2, 3, (2, 3), **options)
    x = movies(2, 3, 6, 5, 2)
    y = run(layer, x)
    dy = np.random.default_rng(5).normal(size=y.shape).astype("float32")
    theirs = keras.layers.ConvLSTM2D(3, (2, 3), **options)
    theirs.build(x.shape)
    theirs.set_weights(layer.get_weights())
    their_y, their_dx, *_ = their_slopes(keras, theirs, x.astype("f"), dy)
    np.testing.assert_allclose(y, their_y, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(layer.backward(dy), their_dx, rtol=1e-5, atol=1e-5)


# ---- gradient ---------------------------------------------------------------------


@every_option
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_gradients_through_time_are_the_measured_ones(options, data_format):
    """Of the input and of every weight, for every option."""
    shape = (2, 3, 4, 2) if data_format == "channels_last" else (2, 2, 3, 4)
    layer = ConvLSTM2D(2, (2, 3), data_format=data_format, **options)
    check_layer(layer, shape, trials=1)


@given(T=SIZES, R=SIZES, C=SIZES, K=SIZES, F=SIZES, window=WINDOWS, go=st.booleans())
def test_gradients_are_right_for_every_size(T, R, C, K, F, window, go):
    """One step, one place, one channel and one filter included."""
    words = {"padding": "same", "return_sequences": go, "dilation_rate": 1 + go}
    layer = ConvLSTM2D(F, window, **words)
    check_layer(layer, (T, R, C, K), x=movies(3, T, R, C, K), trials=1)


@pytest.mark.parametrize("sequence", [True, False])
def test_gradients_under_a_mask_are_the_measured_ones(sequence):
    """A masked step says nothing about its image."""
    layer = built(2, 2, 2, return_sequences=sequence)
    x = movies(4, 3, 3, 3, 2)
    mask = np.random.default_rng(2).random((4, 3)) < 0.6
    mask[0], mask[1] = False, True
    dy = np.random.default_rng(1).normal(size=run(layer, x, mask).shape)
    found = slopes(layer, x, dy, mask)
    assert not found[0][~mask].any()
    h = 1e-6
    for value, gradient in zip([x, *(w.value for w in layer.weights)], found):
        v = np.random.default_rng(3).normal(size=value.shape)
        start, sums = value.copy(), []
        for sign in (1, -1):
            value[...] = start + sign * h * v
            sums.append((dy * run(layer, x, mask)).sum())
        value[...] = start
        measured = (sums[0] - sums[1]) / (2 * h)
        assert (gradient * v).sum() == pytest.approx(measured, rel=1e-6, abs=1e-7)


# ---- laws -------------------------------------------------------------------------


def test_channels_first_turns_the_axes_and_nothing_else():
    """Outputs, gradients and states."""
    last = built(2, 3, (2, 3), return_sequences=True, stateful=True)
    first = built(
        2, 3, (2, 3), return_sequences=True, stateful=True, data_format="channels_first"
    )
    x = movies(2, 3, 4, 5, 2)
    y = run(last, x)
    turned = np.moveaxis(x, -1, 2)
    np.testing.assert_allclose(
        np.moveaxis(run(first, turned), 2, -1), y, rtol=1e-12, atol=1e-12
    )
    assert first.states[0].shape == (2, 3, 3, 3) and last.states[0].shape[1:] == (
        3,
        3,
        3,
    )
    np.testing.assert_allclose(np.moveaxis(first.states[1], 1, -1), last.states[1])
    for layer in (first, last):
        layer.reset_states()
    dy = movies(*y.shape)
    ours = slopes(last, x, dy)
    theirs = slopes(first, turned, np.moveaxis(dy, -1, 2))
    theirs[0] = np.moveaxis(theirs[0], 2, -1)
    for a, b in zip(ours, theirs):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


def test_masked_steps_equal_a_shorter_sequence():
    """A mask (N, T) holds for all places; it is handed on with sequences only."""
    layer = built(1, 2, 2, return_sequences=True)
    x = movies(2, 4, 3, 3, 1)
    mask = np.array([[1, 0, 1, 0], [0, 1, 1, 1]], bool)
    y = run(layer, x, mask)
    for n in range(2):
        short = run(layer, x[n : n + 1, mask[n]])
        np.testing.assert_allclose(y[n, mask[n]], short[0], rtol=1e-12)
    np.testing.assert_array_equal(y[0, 1], y[0, 0])
    assert not y[1, 0].any()
    assert layer.compute_mask(x, mask) is mask
    assert twin(layer, return_sequences=False).compute_mask(x, mask) is None


def test_going_backwards_is_reading_reversed_data():
    """Sequences come out in the order in which they were made."""
    layer = built(2, 3, 2, return_sequences=True)
    x = movies(2, 4, 3, 3, 2)
    back = run(twin(layer, go_backwards=True), x)
    np.testing.assert_array_equal(back, run(layer, x[:, ::-1]))
    last = run(twin(layer, return_sequences=False, go_backwards=True), x)
    np.testing.assert_array_equal(last, back[:, -1])


@given(cut=st.integers(1, 3))
def test_two_halves_of_a_sequence_equal_the_whole(cut):
    """For a stateful layer, until its states are reset, or set."""
    layer = built(2, 3, 2, return_sequences=True)
    x = movies(2, 4, 3, 3, 2)
    whole = run(layer, x)
    layer = twin(layer, stateful=True)
    for _ in range(2):
        halves = run(layer, x[:, :cut]), run(layer, x[:, cut:])
        np.testing.assert_allclose(np.concatenate(halves, axis=1), whole, rtol=1e-12)
        layer.reset_states()
    run(layer, x[:, :cut])
    kept = [state.copy() for state in layer.states]
    layer.reset_states(kept)
    np.testing.assert_allclose(run(layer, x[:, cut:]), whole[:, cut:], rtol=1e-12)


def test_images_of_another_size_start_from_zeros_with_a_warning():
    """So does another number of samples."""
    layer = built(1, 2, 2, stateful=True)
    for x in (movies(2, 3, 4, 4, 1), movies(2, 3, 5, 4, 1), movies(3, 3, 5, 4, 1)):
        if layer.states is None:
            run(layer, x)
            continue
        with pytest.warns(UserWarning, match="the states of 2 samples are lost"):
            y = run(layer, x)
        np.testing.assert_array_equal(y, run(twin(layer), x))


def test_dropout_masks_are_constant_over_time():
    """One for each gate; they cover whole images; none outside of training."""
    layer = built(2, 3, 2, dropout=0.5, recurrent_dropout=0.2)
    x = movies(20, 2, 3, 3, 2)
    run(layer, x, training=True)
    masks = layer.cell.x_masks.copy()
    assert masks.shape == (4, 20, 3 * 3 * 2) and set(np.unique(masks)) == {0, 2}
    assert layer.cell.h_masks.shape == (4, 20, 2 * 2 * 3)
    assert set(np.unique(layer.cell.h_masks)) == {0, 1.25}
    assert (masks[0] != masks[1]).any()
    run(layer, x, training=True)
    assert (layer.cell.x_masks != masks).any()
    plain = twin(layer, dropout=1, recurrent_dropout=0)
    np.testing.assert_array_equal(run(plain, x, training=True), run(layer, x))


def test_a_cell_makes_one_step():
    """The layer is its cell at every step; cells can be stacked in an RNN."""
    layer = built(2, 3, 2, return_sequences=True)
    x = movies(2, 3, 4, 4, 2)
    y = run(layer, x)
    states = [np.zeros((2, 3, 3, 3))] * 2
    for s in range(3):
        out, states = layer.cell.call(x[:, s], states)
        np.testing.assert_allclose(out, y[:, s], rtol=1e-12)
        np.testing.assert_array_equal(out, states[0])
    stacked = RNN([ConvLSTM2DCell(2, 2), ConvLSTM2DCell(3, 2, padding="same")])
    check_layer(stacked, (2, 2, 3, 1), x=movies(3, 2, 2, 3, 1), trials=1)


def test_wrappers_take_it():
    """Both ways over a film; films in a sequence of films."""
    inner, x = ConvLSTM2D(1, 2, return_sequences=True), movies(3, 2, 2, 2, 3, 1)
    check_layer(Bidirectional(inner), (2, 2, 3, 1), x=x[:, 0], trials=1)
    check_layer(TimeDistributed(ConvLSTM2D(1, 2)), (2, 2, 2, 3, 1), x=x, trials=1)


def test_a_model_of_two_learns_where_a_dot_goes():
    """It moves by one column at each step; the next image is asked for."""
    kerasnb.set_seed(0)
    x = np.zeros((8, 3, 2, 4, 1), "f")
    for n, t in np.ndindex(8, 3):
        x[n, t, n % 2, (n // 2 + t) % 4] = 1
    y = np.roll(x[:, -1], 1, axis=2)
    words = {"padding": "same", "return_sequences": True, "dropout": 0.01}
    model = Sequential([ConvLSTM2D(2, 3, input_shape=(None, 2, 4, 1), **words)])
    model.add(ConvLSTM2D(2, 2, padding="same"))
    model.add(layers.Conv2D(1, 1, activation="sigmoid"))
    assert model.output_shape == (None, 2, 4, 1)
    model.compile("adam", "binary_crossentropy")
    losses = model.fit(x, y, 8, 4, 0).history["loss"]
    assert losses[-1] < losses[0]


def test_penalties_and_constraints_reach_the_weights():
    """Kernel, recurrent and bias, each its own; and the output has one."""
    layer = ConvLSTM2D(
        2, 2, kernel_regularizer="l1", recurrent_regularizer="l2",
        bias_regularizer="l2", kernel_constraint="nonneg", bias_constraint="nonneg",
        recurrent_constraint="nonneg", activity_regularizer="l2",
        input_shape=(2, 3, 3, 1),
    )  # fmt: skip
    model = Sequential([layer])
    model.compile("sgd", "mse")
    x = movies(3, 2, 3, 3, 1)
    W, U, b = model.get_weights()
    p = model.predict(x)
    expected = 0.01 * (abs(W).sum() + (U**2).sum() + (b**2).sum() + (p**2).sum())
    np.testing.assert_allclose(model.evaluate(x, p, verbose=0), expected, rtol=1e-5)
    model.fit(x, p, verbose=0)
    assert all((weight >= 0).all() for weight in model.get_weights())


# ---- weights and configurations ---------------------------------------------------


def test_first_values_and_configuration():
    """Shapes, names, the forget gate; what Keras does not have is not in the config."""
    layer = ConvLSTM2D(3, (2, 1), input_shape=(None, 5, 4, 2))
    model = Sequential([layer])
    assert layer.output_shape == (None, 4, 4, 3) and layer.filters == 3
    W, U, b = layer.get_weights()
    assert W.shape == (2, 1, 2, 12) and U.shape == (2, 1, 3, 12)
    np.testing.assert_allclose(
        U.reshape(6, 12) @ U.reshape(6, 12).T, np.eye(6), atol=1e-5
    )
    assert b.tolist() == [0] * 3 + [1] * 3 + [0] * 6
    assert [w.name for w in layer.weights] == [
        "conv_lst_m2d_1/kernel:0",
        "conv_lst_m2d_1/recurrent_kernel:0",
        "conv_lst_m2d_1/bias:0",
    ]
    config = layer.get_config()
    assert config["kernel_size"] == [2, 1] and config["data_format"] == "channels_last"
    assert not {"units", "implementation", "unroll", "return_state"} & set(config)
    assert Sequential.from_config(model.get_config()).get_config() == model.get_config()


def test_the_words_of_keras_1():
    """Those of a convolution and of a recurrent layer; 12 arrays, i, c, f, o."""
    with pytest.warns(UserWarning, match="recurrent_dropout=0.2"):
        layer = ConvLSTM2D(
            nb_filter=3, nb_row=2, nb_col=1, border_mode="same", subsample=(1, 2),
            dim_ordering="tf", inner_activation="sigmoid", dropout_U=0.2,
            forget_bias_init="one", inner_init="glorot_uniform",
        )  # fmt: skip
    assert layer.kernel_size == (2, 1) and layer.strides == (1, 2)
    assert layer.recurrent_activation.name == "sigmoid" and layer.unit_forget_bias
    layer.connect((None, 4, 3, 3, 2))
    arrays = to_keras1(layer.get_weights())
    assert [a.shape for a in arrays[:3]] == [(2, 1, 2, 3), (2, 1, 3, 3), (3,)]
    assert arrays[8].tolist() == [1] * 3 and not arrays[5].any()
    for ours, again in zip(layer.get_weights(), from_keras1(arrays)):
        np.testing.assert_array_equal(ours, again)
    old = keras1.ConvLSTM2D(3, 2, 1, "uniform", border_mode="same")
    assert old.kernel_initializer.get_config()["maxval"] == 0.05
    old.connect((None, 4, 3, 3, 2))
    old.set_weights(arrays)
    np.testing.assert_array_equal(old.get_weights()[2], layer.get_weights()[2])


# ---- errors -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: ConvLSTM2D(0, 3), ValueError, "conv_lst_m2d_1: filters must be a pos"),
        (lambda: ConvLSTM2D(2, (3, 3, 3)), ValueError, "conv_lst_m2d_1: kernel_size"),
        (lambda: ConvLSTM2D(2, 3, padding="causal"), ValueError, "padding of conv_lst"),
        (
            lambda: ConvLSTM2D(2, 3, strides=2, dilation_rate=2),
            ValueError,
            "cannot both be above 1",
        ),
        (lambda: ConvLSTM2D(2, 3, unroll=True), TypeError, "unknown argument 'unroll'"),
        (
            lambda: ConvLSTM2D(2, 3).connect((None, 8, 8, 1)),
            ValueError,
            "ConvLSTM2D expects an input with 5 axes",
        ),
        (
            lambda: ConvLSTM2D(2, 3).connect((None, 4, 8, 8, None)),
            ValueError,
            "the number of channels must be known",
        ),
        (
            lambda: ConvLSTM2D(2, 3)(np.ones((1, 2, 2, 3, 1))),
            ValueError,
            r"a window of \(3, 3\) does not fit",
        ),
        (
            lambda: built(2, 2, 2)(np.ones((1, 2, 3, 3, 1))),
            ValueError,
            "expected images with 2 channels, .* got 1",
        ),
        (
            lambda: RNN(ConvLSTM2DCell(2, 2))(np.ones((1, 2, 3))),
            ValueError,
            "RNN expects an input with 5 axes",
        ),
        (
            lambda: built(1, 2, 2, stateful=True).reset_states(np.ones((2, 3))),
            ValueError,
            "expected states of shapes",
        ),
        (
            lambda: ConvLSTM2DCell(2, 2).call(np.ones((1, 3, 3, 1)), [np.ones((1, 2))]),
            ValueError,
            r"expected states of shapes \[\(1, 2, 2, 2\), \(1, 2, 2, 2\)\]",
        ),
    ],
)
def test_bad_arguments_are_explained(make, error, message):
    """Who, expected what, got what."""
    with pytest.raises(error, match=message):
        make()
