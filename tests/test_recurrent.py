"""Recurrent layers: values, gradients through time, masks, states, configurations."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from theirs import slopes

import kerasnb
from kerasnb import Sequential, check_layer
from kerasnb.activations import ActivationFunction
from kerasnb.copying import clone_model
from kerasnb.layers import (
    GRU,
    LSTM,
    RNN,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    GRUCell,
    LSTMCell,
    Masking,
    RepeatVector,
    SimpleRNN,
    SimpleRNNCell,
    TimeDistributed,
)
from kerasnb.utils import custom_object_scope

SIZES = st.integers(1, 4)
KINDS = [
    pytest.param(SimpleRNN, {}, id="rnn"),
    pytest.param(GRU, {}, id="gru"),
    pytest.param(GRU, {"reset_after": True}, id="gru after"),
    pytest.param(LSTM, {}, id="lstm"),
]
every_kind = pytest.mark.parametrize("kind, words", KINDS)


class Bend(ActivationFunction):
    """y = z / 2 + tanh(z) / 2: an activation that no kernel knows."""

    name = "bend"

    def forward(self, y, z):
        y[...] = (z + np.tanh(z)) / 2

    def backward(self, dz, dy, z, y):
        dz[...] = dy * (1 - np.tanh(z) ** 2 / 2)


def sequences(N, T, D, seed=0):
    """Return random numbers for T steps of N samples."""
    return np.random.default_rng(seed).normal(size=(N, T, D))


def built(kind, D, *args, **words):
    """Return a layer in float64 with weights that are all at work, biases included."""
    layer = kind(*args, dtype="float64", **words)
    layer.connect((None, None, D))
    rng = np.random.default_rng(D)
    layer.set_weights([rng.normal(size=w.shape) * 0.7 for w in layer.weights])
    return layer


def twin(layer, **changes):
    """Return a layer of the same weights that differs in some arguments."""
    other = type(layer).from_config({**layer.get_config(), **changes})
    other.connect(layer.input_shape)
    other.set_weights(layer.get_weights())
    return other


def run(layer, x, mask=None, training=False):
    """Return what a built layer makes of a batch with a mask."""
    layer.mask = mask
    return np.array(layer.forward(np.ascontiguousarray(x, layer.dtype), training))


def step_by_step(layer, x, mask=None):
    """Return what the layer's cell makes of a batch by `step` alone."""
    layer.cell.has_kernels = False
    try:
        return run(layer, x, mask)
    finally:
        layer.cell.has_kernels = True


# ---- reference --------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind, words, W, U, b, expected",
    [
        (SimpleRNN, {}, [0.1], [0.2], [0.3], 0.519744621),
        (GRU, {}, [0.1, 0.2, 0.3], [0.4, 0.5, 0.6], [0.01, 0.02, 0.03], 0.349456626),
        (
            GRU,
            {"reset_after": True},
            [0.1, 0.2, 0.3],
            [0.4, 0.5, 0.6],
            [[0.01, 0.02, 0.03], [0.04, 0.05, 0.06]],
            0.363411584,
        ),
        (
            LSTM,
            {},
            [0.1, 0.2, 0.3, 0.4],
            [0.5, 0.6, 0.7, 0.8],
            [0, 1, 0, 0],
            0.277366100,
        ),
    ],
)
def test_the_vectors_of_the_reference(kind, words, W, U, b, expected):
    """One unit, inputs 1 and 2; by the kernels and step by step."""
    x = np.array([[[1.0], [2.0]]])
    layer = kind(1, dtype="float64", stateful=True, weights=[[W], [U], b], **words)
    np.testing.assert_allclose(layer(x), [[expected]], atol=1e-9)
    if kind is LSTM:
        np.testing.assert_allclose(layer.states[1], [[0.437478628]], atol=1e-9)
    np.testing.assert_allclose(layer.states[0], [[expected]], atol=1e-9)
    layer.reset_states()
    np.testing.assert_allclose(step_by_step(layer, x), [[expected]], atol=1e-9)


@every_kind
@given(N=SIZES, T=SIZES, D=SIZES, u=SIZES, seed=st.integers(0, 9))
def test_kernels_and_single_steps_agree(kind, words, N, T, D, u, seed):
    """Outputs and all gradients, with masks, for activations that the kernels know."""
    x = sequences(N, T, D, seed)
    rng = np.random.default_rng(seed)
    mask = rng.random((N, T)) < 0.7
    names = ["relu", "tanh", "sigmoid", "softsign", "elu", "linear", "selu", "softplus"]
    words = {**words, "activation": names[seed % 8], "return_sequences": seed % 2 == 0}
    layer = built(kind, D, u, **words)
    found = []
    for path in (run, step_by_step):
        for weight in layer.weights:
            weight.grad = np.full_like(weight.value, np.nan)
        y = path(layer, x, mask)
        dy = np.random.default_rng(1).normal(size=y.shape)
        layer.cell.has_kernels = path is run
        dx = np.array(layer.backward(dy))
        layer.cell.has_kernels = True
        found.append([y, dx, *(weight.grad.copy() for weight in layer.weights)])
    for a, b in zip(*found):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


@every_kind
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("sequence", [False, True])
def test_keras_3_agrees(keras, kind, words, masked, sequence):
    """Outputs and gradients of the input, on copied weights, to single precision."""
    if kind is not SimpleRNN:
        words = {"reset_after": False, **words} if kind is GRU else words
        words = {**words, "recurrent_activation": "sigmoid"}
    words = {**words, "return_sequences": sequence}
    layer = built(kind, 3, 4, **words)
    x = sequences(5, 6, 3)
    mask = np.random.default_rng(3).random((5, 6)) < 0.6 if masked else None
    y = run(layer, x, mask)
    dy = np.random.default_rng(5).normal(size=y.shape).astype("float32")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        masks = {"mask": keras.ops.convert_to_tensor(mask)} if masked else {}
        theirs = getattr(keras.layers, kind.__name__)(4, **words)
        theirs.build((5, 6, 3))
        theirs.set_weights(layer.get_weights())
        their_y, their_dx, *_ = slopes(keras, theirs, x.astype("f"), dy, **masks)
    np.testing.assert_allclose(y, their_y, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(layer.backward(dy), their_dx, rtol=1e-5, atol=1e-5)


# ---- gradient ---------------------------------------------------------------------


@every_kind
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"return_sequences": True, "go_backwards": True},
        {"use_bias": False, "activation": "softsign", "go_backwards": True},
        {"dropout": 0.3, "recurrent_dropout": 0.4, "return_sequences": True},
        {"dropout": 0.3, "recurrent_dropout": 0.4, "implementation": 2},
        {"activation": "softmax", "dropout": 0.3, "recurrent_dropout": 0.4},
        {"activation": "softmax", "return_sequences": True, "use_bias": False},
    ],
    ids=lambda options: " ".join(options) or "plain",
)
def test_gradients_through_time_are_the_measured_ones(kind, words, options):
    """Of the input and of every weight, for every option."""
    check_layer(kind(3, **words, **options), (4, 2))


@given(N=st.integers(3, 4), T=SIZES, D=SIZES, u=SIZES, kind=st.integers(0, 3))
def test_gradients_are_right_for_every_size(N, T, D, u, kind):
    """One step, one feature and one unit included."""
    kind, words = KINDS[kind].values
    x = sequences(N, T, D)
    layer = kind(u, return_sequences=T % 2 == 0, **words)
    check_layer(layer, (T, D), x=x, trials=1)


@every_kind
@pytest.mark.parametrize("sequence", [True, False])
@pytest.mark.parametrize("activation", ["tanh", "softmax"])
def test_gradients_under_a_mask_are_the_measured_ones(
    kind, words, sequence, activation
):
    """A model that begins with Masking, some of whose steps are masked."""
    layer = built(kind, 2, 3, activation=activation, **words)
    layer = twin(layer, return_sequences=sequence)
    x = sequences(4, 5, 2)
    mask = np.random.default_rng(2).random((4, 5)) < 0.6
    mask[0], mask[1] = False, True
    dy = np.random.default_rng(1).normal(size=run(layer, x, mask).shape)
    for weight in layer.weights:
        weight.grad = np.empty_like(weight.value)
    run(layer, x, mask)
    dx = np.array(layer.backward(dy))
    assert not dx[~mask].any()
    h = 1e-6
    for value, gradient in [(x, dx)] + [(w.value, w.grad) for w in layer.weights]:
        v = np.random.default_rng(3).normal(size=value.shape)
        start, sums = value.copy(), []
        for sign in (1, -1):
            value[...] = start + sign * h * v
            sums.append((dy * run(layer, x, mask)).sum())
        value[...] = start
        measured = (sums[0] - sums[1]) / (2 * h)
        assert (gradient * v).sum() == pytest.approx(measured, rel=1e-6, abs=1e-7)


# ---- masks ------------------------------------------------------------------------


@every_kind
@pytest.mark.parametrize("activation", ["tanh", "softmax"])
def test_masked_steps_equal_a_shorter_sequence(kind, words, activation):
    """Wherever they are; what stands at them changes nothing."""
    layer = built(kind, 2, 3, activation=activation, **words)
    x = sequences(3, 6, 2)
    mask = np.array([[1, 1, 0, 1, 0, 0], [0, 0, 1, 1, 1, 1], [1] * 6], bool)
    y = run(layer, x, mask)
    for n in range(3):
        short = run(layer, x[n : n + 1, mask[n]])
        np.testing.assert_allclose(y[n : n + 1], short, rtol=1e-12)
    x[~mask] = 1e6
    np.testing.assert_array_equal(run(layer, x, mask), y)


@every_kind
@pytest.mark.parametrize("activation", ["tanh", "softmax"])
def test_a_masked_step_repeats_the_output_before(kind, words, activation):
    """Zeros before the first step, or where a stateful layer began."""
    layer = built(kind, 2, 3, activation=activation, return_sequences=True, **words)
    x = sequences(2, 4, 2)
    mask = np.array([[0, 1, 0, 1], [1, 0, 0, 1]], bool)
    y = run(layer, x, mask)
    assert not y[0, 0].any()
    np.testing.assert_array_equal(y[0, 2], y[0, 1])
    np.testing.assert_array_equal(y[1, 1:3], y[1, [0, 0]])
    assert layer.compute_mask(x, mask) is mask
    layer = twin(layer, stateful=True)
    last = run(layer, x)[:, -1]
    np.testing.assert_array_equal(run(layer, x, mask)[0, 0], last[0])


def test_a_mask_is_consumed_unless_sequences_are_returned():
    """Masking and Embedding make it; a Flatten behind takes none."""
    for first in (Masking(input_shape=(3, 2)), Embedding(5, 2, mask_zero=True)):
        model = Sequential([first, LSTM(2, return_sequences=True), GRU(2), Dense(1)])
        model.build((None, 3, 2) if isinstance(first, Masking) else (None, 3))
        assert model.trace_mask(None) is None
    model = Sequential([Embedding(5, 2, mask_zero=True, input_length=3), LSTM(2)])
    codes = np.array([[1, 2, 0], [0, 1, 2]])
    p = model.predict(codes)
    np.testing.assert_allclose(p[0], p[1], rtol=1e-6)
    model = Sequential([Masking(input_shape=(3, 2)), LSTM(2, return_sequences=True)])
    with pytest.raises(TypeError, match="masking_2 makes one"):
        model.add(Flatten())


def test_masked_steps_count_nothing_in_the_loss():
    """A model that returns sequences learns the same from any targets there."""
    x, y = sequences(6, 4, 3), sequences(6, 4, 2)
    x[:3, 2:] = 0
    trained = []
    for _ in range(2):
        kerasnb.set_seed(1)
        y[:3, 2:] += 5
        model = Sequential([Masking(input_shape=(4, 3))])
        model.add(GRU(2, return_sequences=True))
        model.compile("sgd", "mse")
        model.fit(x, y, epochs=2, verbose=0)
        trained.append(model.get_weights())
    for a, b in zip(*trained):
        np.testing.assert_array_equal(a, b)


# ---- order of the steps -----------------------------------------------------------


@every_kind
@pytest.mark.parametrize("masked", [False, True])
def test_going_backwards_is_reading_reversed_data(kind, words, masked):
    """Sequences come out in the order in which they were made; masks turn round too."""
    layer = built(kind, 2, 3, return_sequences=True, **words)
    x = sequences(3, 5, 2)
    mask = np.random.default_rng(1).random((3, 5)) < 0.5 if masked else None
    back = run(twin(layer, go_backwards=True), x, mask)
    turned = None if mask is None else mask[:, ::-1]
    np.testing.assert_array_equal(back, run(layer, x[:, ::-1], turned))


@every_kind
def test_the_last_output_ends_the_sequence(kind, words):
    """And unroll changes nothing."""
    layer = built(kind, 2, 3, return_sequences=True, **words)
    x = sequences(3, 5, 2)
    y = run(layer, x)
    np.testing.assert_array_equal(run(twin(layer, return_sequences=False), x), y[:, -1])
    layer.input_shape = (None, 5, 2)
    np.testing.assert_array_equal(run(twin(layer, unroll=True), x), y)


@every_kind
def test_the_number_of_steps_may_change(kind, words):
    """From batch to batch: nothing of a longer one is left over."""
    model = Sequential([kind(3, input_shape=(None, 2), **words), Dense(1)])
    model.compile("sgd", "mse")
    layer = model.layers[0]
    for T in (4, 1, 6, 4):
        x = sequences(3, T, 2, T)
        model.train_on_batch(x, np.ones((3, 1)))
        fresh = twin(layer)
        np.testing.assert_array_equal(run(layer, x), run(fresh, x))


# ---- states -----------------------------------------------------------------------


@every_kind
@pytest.mark.parametrize("activation", ["tanh", "softmax"])
@given(cut=st.integers(1, 5))
def test_two_halves_of_a_sequence_equal_the_whole(kind, words, activation, cut):
    """For a stateful layer, until its states are reset."""
    layer = built(kind, 2, 3, activation=activation, return_sequences=True, **words)
    x = sequences(3, 6, 2)
    whole = run(layer, x)
    layer = twin(layer, stateful=True)
    for _ in range(2):
        halves = run(layer, x[:, :cut]), run(layer, x[:, cut:])
        np.testing.assert_allclose(np.concatenate(halves, axis=1), whole, rtol=1e-12)
        layer.reset_states()


def test_states_go_through_training_evaluation_and_prediction():
    """Alike, and the model's reset_states reaches all stateful layers."""
    x, y = sequences(2, 3, 2), np.ones((2, 4))
    model = Sequential(batch_model(stateful=True) + [LSTM(4)])
    model.compile("sgd", "mse")
    assert model.stateful
    for call in (
        lambda: model.train_on_batch(x, y),
        lambda: model.evaluate(x, y, verbose=0),
        lambda: model.predict(x),
    ):
        before = [state.copy() for state in model.layers[0].states or []]
        call()
        after = model.layers[0].states
        assert len(after) == 2
        for a, b in zip(before, after):
            assert (a != b).any()
    model.reset_states()
    assert model.layers[0].states is None


def batch_model(**words):
    """Return the first layer of a model for batches of two."""
    words = {"return_sequences": True, "batch_input_shape": (2, 3, 2), **words}
    return [LSTM(3, **words)]


def test_states_may_be_set():
    """One array for each state, or one alone."""
    layer = built(LSTM, 2, 3, stateful=True)
    x = sequences(2, 4, 2)
    run(layer, x[:, :2])
    kept = [state.copy() for state in layer.states]
    expected = run(layer, x[:, 2:])
    layer.reset_states(kept)
    np.testing.assert_array_equal(run(layer, x[:, 2:]), expected)
    layer = built(GRU, 2, 3, stateful=True)
    layer.reset_states(np.ones((2, 3)))
    first = run(layer, x)
    layer.reset_states()
    assert (run(layer, x) != first).all()


def test_another_batch_size_starts_from_zeros_with_a_warning():
    """Without one if the states were reset before."""
    layer = built(LSTM, 2, 3, stateful=True)
    x = sequences(5, 4, 2)
    fresh = run(layer, x)
    layer.reset_states()
    run(layer, x[:2])
    with pytest.warns(UserWarning, match="lstm_1: the states of 2 samples are lost"):
        np.testing.assert_array_equal(run(layer, x), fresh)
    layer.reset_states()
    run(layer, x[:3])


def test_a_stateful_model_takes_its_own_batch_size_and_warns_of_shuffling():
    """The fixed size of the input is the default."""
    model = Sequential(batch_model(stateful=True, return_sequences=False))
    model.compile("sgd", "mse")
    x, y = sequences(6, 3, 2), np.ones((6, 3))
    with pytest.warns(UserWarning, match="shuffle is on"):
        model.fit(x, y, verbose=0)
    assert len(model.layers[0].states[0]) == 2
    assert model.predict(x).shape == (6, 3)


@every_kind
def test_gradients_of_a_stateful_layer_start_at_its_first_states(kind, words):
    """What came before the batch is constant, and stays so while states are kept."""
    layer = built(kind, 2, 3, stateful=True, **words)
    x = sequences(3, 4, 2)
    grads = []
    for has_kernels in (True, False):
        layer.reset_states([np.full((3, 3), 0.4) for _ in layer.cell.state_sizes])
        layer.cell.has_kernels = has_kernels
        for weight in layer.weights:
            weight.grad = np.empty_like(weight.value)
        run(layer, x)
        dx = np.array(layer.backward(np.ones((3, 3))))
        grads.append([dx, *(weight.grad.copy() for weight in layer.weights)])
    for a, b in zip(*grads):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


# ---- dropout ----------------------------------------------------------------------


@every_kind
@pytest.mark.parametrize("implementation", [1, 2])
def test_dropout_masks_are_constant_over_time(kind, words, implementation):
    """One for each gate, or one for all; factors 0 and 1 / (1 - rate)."""
    words = {**words, "implementation": implementation}
    layer = built(kind, 5, 4, dropout=0.5, recurrent_dropout=0.2, **words)
    count = layer.cell.gates if implementation == 1 else 1
    run(layer, sequences(50, 3, 5), training=True)
    first = layer.cell.x_masks.copy()
    assert first.shape == (count, 50, 5) and set(np.unique(first)) == {0, 2}
    assert layer.cell.h_masks.shape == (count, 50, 4)
    assert set(np.unique(layer.cell.h_masks)) == {0, 1.25}
    if count > 1:
        assert (first[0] != first[1]).any()
    run(layer, sequences(50, 3, 5), training=True)
    assert (layer.cell.x_masks != first).any()


@every_kind
@pytest.mark.parametrize("rate", [0, 1, -3, 7])
def test_rates_of_zero_and_one_drop_nothing(kind, words, rate):
    """They are clipped; and at test time nothing is dropped at all."""
    layer = built(kind, 2, 3, **words)
    x = sequences(3, 4, 2)
    y = run(layer, x)
    same = twin(layer, dropout=rate, recurrent_dropout=rate)
    np.testing.assert_array_equal(run(same, x, training=True), y)
    assert same.dropout == min(1, max(0, rate))
    half = twin(layer, dropout=0.5, recurrent_dropout=0.5)
    np.testing.assert_array_equal(run(half, x), y)
    assert (run(half, x, training=True) != y).any()


@every_kind
def test_dropped_inputs_are_zero_at_all_steps(kind, words):
    """With one mask for all gates it is SpatialDropout1D in front of the layer."""
    layer = built(kind, 4, 3, dropout=0.5, implementation=2, **words)
    x = sequences(6, 3, 4)
    y = run(layer, x, training=True)
    dropped = x * layer.cell.x_masks[0][:, None]
    np.testing.assert_allclose(run(twin(layer, dropout=0), dropped), y, rtol=1e-12)


# ---- training ---------------------------------------------------------------------


@every_kind
@pytest.mark.parametrize("dropout", [0, 0.3])
def test_replayed_steps_are_the_same(kind, words, dropout):
    """A step that Python makes each time gives the same bits as a recorded one."""
    x, y = sequences(14, 4, 3), sequences(14, 1, 1)[:, 0]
    words = {**words, "dropout": dropout, "recurrent_dropout": dropout}
    trained = []
    for replays in (True, False):
        kerasnb.set_seed(1)
        model = Sequential(
            [kind(5, input_shape=(4, 3), return_sequences=True, **words)]
        )
        model.add(kind(3, go_backwards=True, **words))
        model.add(Dense(1))
        model.compile("adam", "mse")
        assert model._replays
        model._replays = replays
        losses = model.fit(x, y, 6, 3, 0).history["loss"]
        trained.append([*model.get_weights(), losses])
    for a, b in zip(*trained):
        np.testing.assert_array_equal(a, b)


def test_what_is_not_only_kernels_is_not_replayed():
    """States, activations and cells of one's own."""
    for layer in (
        LSTM(3, stateful=True),
        LSTM(3, activation=Bend()),
        GRU(3, activation="softmax"),
        RNN([LSTMCell(3), SimpleRNNCell(3, activation=Bend())]),
    ):
        model = Sequential([layer])
        model.build((None, 4, 2))
        model.compile("sgd", "mse")
        assert not model._replays


def test_weights_of_time_steps_count():
    """A step of weight zero teaches nothing, with sample_weight_mode='temporal'."""
    x, y, w = sequences(6, 4, 3), sequences(6, 4, 2), np.ones((6, 4))
    w[:, 1] = 0
    trained = []
    for _ in range(2):
        kerasnb.set_seed(1)
        y[:, 1] += 3
        model = Sequential([LSTM(2, return_sequences=True, input_shape=(4, 3))])
        model.compile("sgd", "mse", sample_weight_mode="temporal")
        model.fit(x, y, sample_weight=w, epochs=2, verbose=0)
        trained.append(model.get_weights())
    for a, b in zip(*trained):
        np.testing.assert_array_equal(a, b)


@every_kind
def test_an_encoder_and_a_decoder_learn(kind, words):
    """RepeatVector between two recurrent layers, a Dense for every step."""
    x = np.eye(3)[np.random.default_rng(0).integers(3, size=(30, 3))]
    model = Sequential([kind(8, input_shape=(3, 3), **words), RepeatVector(3)])
    model.add(kind(8, return_sequences=True, dropout=0.1, **words))
    model.add(TimeDistributed(Dense(3, activation="softmax")))
    model.compile("adam", "categorical_crossentropy")
    losses = model.fit(x, x, 10, 5, 0).history["loss"]
    assert losses[-1] < losses[0]


@every_kind
def test_penalties_and_constraints_reach_the_weights(kind, words):
    """Kernel, recurrent and bias, each its own; and the output has one."""
    layer = kind(
        3, kernel_regularizer="l1", recurrent_regularizer="l2", bias_regularizer="l2",
        kernel_constraint="nonneg", recurrent_constraint="maxnorm",
        bias_constraint="nonneg", activity_regularizer="l2",
        bias_initializer="ones", input_shape=(4, 2), **words,
    )  # fmt: skip
    model = Sequential([layer])
    model.compile("sgd", "mse")
    x = sequences(5, 4, 2)
    W, U, b = model.get_weights()
    p = model.predict(x)
    expected = 0.01 * (abs(W).sum() + (U**2).sum() + (b**2).sum() + (p**2).sum())
    np.testing.assert_allclose(model.evaluate(x, p, verbose=0), expected, rtol=1e-5)
    model.fit(x, p, verbose=0)
    W, U, b = model.get_weights()
    assert (W >= 0).all() and (b >= 0).all()


@every_kind
def test_a_frozen_layer_stays_and_hands_gradients_on(kind, words):
    """Its neighbours learn."""
    model = Sequential([kind(3, input_shape=(4, 2), return_sequences=True, **words)])
    model.add(kind(2, trainable=False, **words))
    model.compile("sgd", "mse")
    before = model.get_weights()
    model.fit(sequences(6, 4, 2), np.ones((6, 2)), verbose=0)
    changed = [(a != b).any() for a, b in zip(before, model.get_weights())]
    assert changed == [True] * 3 + [False] * 3


# ---- weights and configurations ---------------------------------------------------


def test_first_values():
    """Orthogonal U, zero biases, ones for the forget gate unless told otherwise."""
    layer = LSTM(3, dtype="float64")
    layer.connect((None, None, 3))
    W, U, b = layer.get_weights()
    assert [w.name for w in layer.weights] == [
        "lstm_1/kernel:0",
        "lstm_1/recurrent_kernel:0",
        "lstm_1/bias:0",
    ]
    np.testing.assert_allclose(U @ U.T, np.eye(3), atol=1e-12)
    assert b.tolist() == [0] * 3 + [1] * 3 + [0] * 6
    assert abs(W).max() <= np.sqrt(6 / (3 + 12)) and abs(W).max() > 0.5
    layer = LSTM(3, unit_forget_bias=False)
    layer.connect((None, None, 3))
    assert not layer.b.value.any()
    shapes = {GRU(3): (9,), GRU(3, reset_after=True): (2, 9), SimpleRNN(3): (3,)}
    for layer, shape in shapes.items():
        layer.connect((None, None, 2))
        assert layer.get_weights()[2].shape == shape
        assert layer.count_params() == sum(w.value.size for w in layer.weights)


@every_kind
def test_a_configuration_makes_the_same_layer(kind, words, tmp_path):
    """Also in a file, which keeps the states too."""
    words = {
        **words, "activation": "relu", "use_bias": False, "return_sequences": True,
        "go_backwards": True, "dropout": 0.1, "recurrent_dropout": 0.2,
        "implementation": 2, "kernel_regularizer": "l2",
        "recurrent_constraint": "nonneg",
    }  # fmt: skip
    model = Sequential([kind(3, input_shape=(4, 2), name="first", **words)])
    model.add(RNN([LSTMCell(3), GRUCell(2, reset_after=True)], stateful=True))
    config = model.get_config()
    copy = Sequential.from_config(config)
    assert copy.get_config() == config
    copy.set_weights(model.get_weights())
    x = sequences(2, 4, 2)
    model.reset_states()
    expected = model.predict(x)
    np.testing.assert_array_equal(copy.predict(x), expected)
    model.save(tmp_path / "model.knb")
    loaded = kerasnb.load_model(tmp_path / "model.knb", compile=False)
    np.testing.assert_array_equal(loaded.predict(x), model.predict(x))
    names = [w.name for w in model.weights]
    assert len(set(names)) == len(names)


def test_a_layer_around_a_cell_is_the_layer_of_that_name():
    """RNN(LSTMCell(3)) computes what LSTM(3) does."""
    x = sequences(2, 4, 3)
    for kind, cell in ((SimpleRNN, SimpleRNNCell), (GRU, GRUCell), (LSTM, LSTMCell)):
        layer = built(kind, 3, 2)
        other = RNN(cell(2, dtype="float64"))
        other.connect((None, None, 3))
        other.set_weights(layer.get_weights())
        np.testing.assert_array_equal(run(other, x), run(layer, x))


def test_what_a_layer_lacks_is_looked_up_in_its_cell():
    """units, activation, W; nothing else."""
    layer = LSTM(3, activation="relu")
    assert layer.units == 3 and layer.activation.name == "relu"
    assert not hasattr(layer, "beauty")
    with pytest.raises(AttributeError, match="LSTM has no attribute 'beauty'"):
        layer.beauty


def test_an_own_activation_is_used():
    """Step by step, and the layer can be copied."""
    with custom_object_scope({"bend": Bend()}):
        check_layer(LSTM(3, activation=Bend(), recurrent_activation="tanh"), (4, 2))
    model = Sequential([GRU(3, activation=Bend(), input_shape=(4, 2))])
    copied = clone_model(model)
    assert isinstance(copied.layers[0].activation, Bend)


# ---- errors -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "make, error, message",
    [
        (
            lambda: LSTM(0),
            ValueError,
            "lstm_1: units must be a positive integer, got 0",
        ),
        (lambda: LSTM(3, return_state=True), ValueError, "of no use in a Sequential"),
        (
            lambda: GRU(3, implementation=3),
            ValueError,
            "implementation must be 1 .*got 3",
        ),
        (lambda: LSTM(3, dropuot=0.5), TypeError, "'dropuot'. Did you mean 'dropout'"),
        (lambda: GRU(3, activation="tahn"), ValueError, "Did you mean 'tanh'"),
        (lambda: LSTM(3).connect((None, 4)), ValueError, "lstm_1: LSTM expects an inp"),
        (
            lambda: LSTM(3).connect((None, 4, None)),
            ValueError,
            "features must be known",
        ),
        (
            lambda: SimpleRNN(3, unroll=True).connect((None, None, 2)),
            ValueError,
            "with unroll=True the number of steps must be known",
        ),
        (
            lambda: LSTM(3)(np.ones((2, 0, 3))),
            ValueError,
            "at least one step, got none",
        ),
        (lambda: LSTM(3).reset_states(), AttributeError, "only a stateful layer has"),
        (lambda: RNN(LSTMCell), ValueError, "forget the parentheses"),
        (lambda: RNN(Dropout(0.5)), ValueError, "RNN: expected a cell, got <Dropout"),
        (lambda: RNN([]), ValueError, "expected a list of cells"),
        (
            lambda: RNN(LSTMCell(2), dtype="float64"),
            TypeError,
            "rnn_1: cannot compute in float64, because lstm_cell_1 computes in float32",
        ),
    ],
)
def test_bad_arguments_are_explained(make, error, message):
    """Who, expected what, got what."""
    with pytest.raises(error, match=message):
        make()


def test_another_number_of_features_is_refused():
    """The layer was built for one."""
    layer = built(LSTM, 2, 3)
    with pytest.raises(ValueError, match="expected steps of 2 features, .*, got 3"):
        layer(sequences(2, 4, 3))


def test_wrong_states_are_refused():
    """Nothing changes then."""
    layer = built(LSTM, 2, 3, stateful=True)
    run(layer, sequences(2, 4, 2))
    kept = layer.states
    for states in ([], np.ones((2, 3)), [np.ones((2, 3)), np.ones((3, 3))], [1, 2]):
        with pytest.raises(ValueError, match="lstm_1: expected states of shapes"):
            layer.reset_states(states)
    assert layer.states is kept


def test_implementation_zero_is_that_of_keras_1():
    """It warns, and behaves as 1."""
    with pytest.warns(UserWarning, match="1 takes its place") as caught:
        layer = LSTM(3, implementation=0)
    assert layer.implementation == 1 and caught[0].filename == __file__
