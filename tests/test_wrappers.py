"""Wrappers: values, gradients, masks, configurations, what may be wrapped."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kerasnb
from kerasnb import Sequential, check_layer
from kerasnb.layer import Layer
from kerasnb.layers import (
    LSTM,
    RNN,
    Activation,
    Bidirectional,
    Dense,
    Dropout,
    Flatten,
    Fork,
    Input,
    LocallyConnected1D,
    LSTMCell,
    Masking,
    Merge,
    Permute,
    TimeDistributed,
)

SIZES = st.integers(1, 4)
RNG = np.random.default_rng(0)


class Marked(Layer):
    """Passes values on and looks at the mask; like LSTM, it consumes it."""

    masking = "consume"

    def forward(self, x, training):
        self.seen = self.mask
        return x

    def backward(self, dy):
        return dy


def sequences(N, T, *shape):
    """Return random numbers for T steps of N samples."""
    return np.random.default_rng(N).normal(size=(N, T, *shape))


def mask_after(layer, x, mask):
    """Return what a layer hands on when a mask comes with its input."""
    layer.connect(x.shape)
    layer.mask = mask
    y = layer.forward(np.ascontiguousarray(x, layer.dtype), False)
    assert y.shape[:2] == x.shape[:2]
    return layer.compute_mask(x, mask)


# ---- reference --------------------------------------------------------------------


@pytest.mark.parametrize(
    "make, shape",
    [
        (lambda: Dense(3, "tanh", dtype="float64"), (4,)),
        (lambda: Flatten(dtype="float64"), (2, 3)),
        (lambda: LocallyConnected1D(2, 2, dtype="float64"), (3, 2)),
        (
            lambda: Sequential(
                [
                    Flatten(input_shape=(2, 3), dtype="float64"),
                    Dense(2, dtype="float64"),
                ]
            ),
            (2, 3),
        ),
        (lambda: TimeDistributed(Dense(2, dtype="float64")), (3, 2)),
    ],
    ids=["dense", "flatten", "local", "model", "nested"],
)
@given(N=SIZES, T=SIZES)
def test_every_step_meets_the_same_layer(make, shape, N, T):
    """What comes out is what the layer makes of one step after the other."""
    inner = make()
    x = sequences(N, T, *shape)
    y = TimeDistributed(inner)(x)
    expected = np.stack([inner(x[:, t]) for t in range(T)], axis=1)
    np.testing.assert_allclose(y, expected, rtol=1e-12)


# ---- gradients --------------------------------------------------------------------


@pytest.mark.parametrize(
    "inner, shape",
    [
        (Dense(3, "tanh"), (4,)),
        (LocallyConnected1D(2, 2, activation="sigmoid"), (4, 2)),
        (Dropout(0.5), (3,)),
        (Sequential([Dense(3, "tanh"), Dense(2)]), (4,)),
        (Sequential([Fork([Dense(2), Dense(2, "tanh")]), Merge(mode="mul")]), (3,)),
    ],
)
def test_gradients_are_the_measured_ones(inner, shape):
    """Of the input and of every weight, for layers and for models."""
    check_layer(TimeDistributed(inner), (5, *shape))


# ---- laws -------------------------------------------------------------------------


def test_dense_needs_no_wrapper():
    """It works on the last axis by itself: the same model, bit for bit."""
    x, y = sequences(12, 5, 3), sequences(12, 5, 2)
    trained = []
    for wrap in (TimeDistributed, lambda layer: layer):
        kerasnb.set_seed(1)
        model = Sequential([Masking(input_shape=(5, 3)), wrap(Dense(4, "relu"))])
        model.add(wrap(Dense(2, kernel_regularizer="l2", activity_regularizer="l1")))
        model.compile("adam", "mse", ["mae"])
        losses = model.fit(x, y, 5, 3, 0).history["loss"]
        trained.append([*model.get_weights(), losses, model.evaluate(x, y, verbose=0)])
    for a, b in zip(*trained):
        np.testing.assert_array_equal(a, b)


@given(order=st.permutations(range(5)))
def test_permuting_the_steps_permutes_the_outputs(order):
    """No step knows of another."""
    layer = TimeDistributed(LocallyConnected1D(2, 2))
    x = sequences(3, 5, 4, 1)
    np.testing.assert_array_equal(layer(x[:, order]), layer(x)[:, order])


@pytest.mark.parametrize("first", [{"batch_size": 4}, {}])
def test_a_fixed_batch_size_changes_nothing(first):
    """The steps are folded into the batch all the same."""
    x = sequences(8, 3, 2, 2)
    model = Sequential([TimeDistributed(Flatten(), input_shape=(3, 2, 2), **first)])
    assert model.output_shape == (first.get("batch_size"), 3, 4)
    np.testing.assert_allclose(model.predict(x, 4), x.reshape(8, 3, 4), rtol=1e-6)


def test_the_number_of_steps_may_change():
    """Nothing depends on it."""
    model = Sequential([TimeDistributed(Dense(2), input_shape=(None, 3))])
    assert model.output_shape == (None, None, 2)
    model.compile("sgd", "mse")
    for T in (4, 1, 6):
        model.train_on_batch(sequences(3, T, 3), sequences(3, T, 2))
        assert model.predict(sequences(2, T, 3)).shape == (2, T, 2)


def test_a_model_learns_and_its_replayed_steps_are_the_same():
    """A step that Python makes each time gives the same bits as a recorded one."""
    x, y = sequences(20, 4, 2, 3), sequences(20, 4, 6)
    trained = []
    for replays in (True, False):
        kerasnb.set_seed(1)
        inner = Sequential([Dense(3, "tanh", input_shape=(2, 3))])
        model = Sequential([TimeDistributed(inner, input_shape=(4, 2, 3))])
        model.add(TimeDistributed(Flatten()))
        model.compile("adam", "mse")
        assert model._replays
        model._replays = replays
        losses = model.fit(x, y, 5, 3, 0).history["loss"]
        assert losses[-1] < losses[0]
        trained.append(model.get_weights())
    for a, b in zip(*trained):
        np.testing.assert_array_equal(a, b)


# ---- masks ------------------------------------------------------------------------


def test_a_mask_of_steps_goes_around_the_layer():
    """Whatever the layer does with masks; it never sees this one."""
    mask = np.array([[True, False, True], [False, True, True]])
    for inner in (Dense(2), Permute((1,)), Marked()):
        x = sequences(2, 3, 4)
        assert mask_after(TimeDistributed(inner), x, mask) is mask
    assert inner.seen is None


def test_a_mask_of_parts_goes_through_the_layer():
    """It is folded like the data, and unfolded if the layer hands it on."""
    mask = RNG.random((2, 3, 4)) < 0.5
    x = sequences(2, 3, 4, 5)
    for inner in (Dense(2), Sequential([Activation("tanh"), Dense(3)])):
        found = mask_after(TimeDistributed(inner), x, mask)
        np.testing.assert_array_equal(found, mask)


@pytest.mark.parametrize("inner", [Marked(), Flatten()])
def test_a_step_counts_if_any_part_of_it_did(inner):
    """When the layer consumes the mask of the parts, or does not take it."""
    mask = np.zeros((2, 3, 4), bool)
    mask[0, 1, 2] = mask[1, 0, :] = True
    found = mask_after(TimeDistributed(inner), sequences(2, 3, 4, 5), mask)
    np.testing.assert_array_equal(found, mask.any(axis=2))
    if isinstance(inner, Marked):
        np.testing.assert_array_equal(inner.seen, mask.reshape(6, 4))


def test_a_mask_that_the_layer_makes_is_unfolded():
    """Masking inside marks the parts of every step."""
    x = sequences(2, 3, 4, 5)
    x[1, 2, 3] = x[0, 0, 1] = 0
    model = Sequential([TimeDistributed(Masking(), input_shape=(3, 4, 5))])
    model.predict(x)
    np.testing.assert_array_equal(model.output_mask, (x != 0).any(axis=-1))
    with pytest.raises(TypeError, match="does not support masks, but masking_1 makes"):
        model.add(Flatten())


def test_a_mask_that_a_model_inside_cannot_take_is_refused():
    """As it is when the model is not wrapped."""
    inner = Sequential([Activation("tanh"), Flatten()])
    model = Sequential([Masking(input_shape=(3, 4, 5)), TimeDistributed(inner)])
    with pytest.raises(TypeError, match="Flatten does not support masks"):
        model.predict(sequences(2, 3, 4, 5))


def test_masked_steps_teach_nothing():
    """A step without data changes no weight, whatever its targets are."""
    x, y = sequences(6, 4, 3), sequences(6, 4, 2)
    x[:, 2:] = 0
    trained = []
    for factor in (1, 100):
        kerasnb.set_seed(1)
        y[:, 2:] *= factor
        model = Sequential([Masking(input_shape=(4, 3)), TimeDistributed(Dense(2))])
        model.compile("sgd", "mse")
        model.fit(x, y, epochs=2, verbose=0)
        trained.append(model.get_weights())
    for a, b in zip(*trained):
        np.testing.assert_array_equal(a, b)


# ---- what is inside ---------------------------------------------------------------


def test_weights_and_penalties_are_those_of_the_layer():
    """In its order, and frozen when it is frozen."""
    inner = Dense(2, kernel_regularizer="l2", activity_regularizer="l1")
    layer = TimeDistributed(inner, input_shape=(3, 4))
    model = Sequential([layer])
    assert layer.weights == inner.weights and list(layer.walk()) == [layer, inner]
    assert model.count_params() == 10
    layer.trainable = False
    assert not inner.trainable and not model.trainable_weights
    assert not TimeDistributed(Dense(2, trainable=False)).trainable
    model.compile("sgd", "mse")
    x = sequences(2, 3, 4)
    loss = model.evaluate(x, model.predict(x), verbose=0)
    expected = 0.01 * (inner.W.value**2).sum() + 0.01 * np.abs(model.predict(x)).sum()
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


def test_initial_weights_may_be_given_outside():
    """As for any other layer."""
    W, b = RNG.normal(size=(3, 2)), RNG.normal(size=2)
    layer = TimeDistributed(Dense(2), weights=[W, b])
    x = sequences(2, 4, 3)
    np.testing.assert_allclose(layer(x), x @ W + b, rtol=1e-5)


def test_only_the_layers_that_learn_go_back():
    """A frozen model inside a model that learns below it still hands dx on."""
    inner = Sequential([Dense(3, "tanh"), Dense(2)])
    model = Sequential([Dense(4, input_shape=(5, 3)), TimeDistributed(inner)])
    inner.trainable = False
    model.compile("sgd", "mse")
    before = model.get_weights()
    model.fit(sequences(4, 5, 3), sequences(4, 5, 2), verbose=0)
    changed = [not np.array_equal(*both) for both in zip(before, model.get_weights())]
    assert changed == [True, True, False, False, False, False]


@pytest.mark.parametrize("number", range(3))
def test_a_configuration_makes_the_same_model(number, tmp_path):
    """Layers, models, and layers of one's own; also in a file."""
    kerasnb.set_seed(2)
    inner = [
        Dense(2, trainable=False),
        Sequential([Input((3,)), Dense(4, "relu"), Dense(2)]),
        TimeDistributed(Marked()),
    ][number]
    shape = (5, 3) if number < 2 else (5, 2, 3)
    model = Sequential([TimeDistributed(inner, input_shape=shape, name="each")])
    custom = {"Marked": Marked}
    twin = Sequential.from_config(model.get_config(), custom)
    assert twin.get_config() == model.get_config()
    twin.set_weights(model.get_weights())
    x = sequences(2, *shape)
    np.testing.assert_array_equal(twin.predict(x), model.predict(x))
    assert len(twin.trainable_weights) == len(model.trainable_weights)
    model.save(tmp_path / "model.knb")
    loaded = kerasnb.load_model(tmp_path / "model.knb", custom, compile=False)
    np.testing.assert_array_equal(loaded.predict(x), model.predict(x))


# ---- errors -----------------------------------------------------------------------


def two_outputs():
    return Sequential([Fork([Dense(1), Dense(2)])])


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: TimeDistributed(Dense), TypeError, "forget the parentheses"),
        (lambda: TimeDistributed(3), TypeError, "expected a layer, got 3"),
        (lambda: TimeDistributed(Sequential()), ValueError, "sequential_1 has no lay"),
        (
            lambda: TimeDistributed(Dense(2), dtype="float64"),
            TypeError,
            "cannot compute in float64, because dense_1 computes in float32",
        ),
        (lambda: TimeDistributed(Dense(2), unit=3), TypeError, "unknown arg.* 'unit'"),
        (
            lambda: TimeDistributed(Dense(2)).connect((None, 3)),
            ValueError,
            "expects an input with at least 3 axes",
        ),
        (
            lambda: TimeDistributed(two_outputs()).connect((None, 4, 3)),
            ValueError,
            r"sequential_1 has 2 outputs, of shapes \(batch, 1\), \(batch, 2\), but",
        ),
        (
            lambda: TimeDistributed(Flatten()).connect((None, 3, None, 2)),
            ValueError,
            "every axis but the batch must be known",
        ),
        (
            lambda: TimeDistributed(Sequential([Dense(2, input_shape=(3,))])).connect(
                (None, 5, 4)
            ),
            ValueError,
            r"sequential_1: expected input of shape \(batch, 3\), got \(batch, 4\)",
        ),
        (
            lambda: TimeDistributed(Masking()).connect((None, 5, 4)),
            ValueError,
            "Masking expects an input with at least 3 axes",
        ),
    ],
)
def test_what_cannot_be_wrapped_is_refused(make, error, message):
    """Who, what was expected, what came."""
    with pytest.raises(error, match=message):
        make()


def test_a_layer_cannot_stand_in_two_places():
    """Neither inside a wrapper and outside of it."""
    inner = Dense(2, input_shape=(3, 2))
    model = Sequential([inner])
    with pytest.raises(ValueError, match="'dense_1' is used twice"):
        model.add(TimeDistributed(inner))


# ---- Bidirectional ----------------------------------------------------------------

MODES = ["concat", "sum", "ave", "mul", None]
JOINS = {
    "concat": lambda a, b: np.concatenate([a, b], axis=-1),
    "sum": lambda a, b: a + b,
    "ave": lambda a, b: (a + b) / 2,
    "mul": lambda a, b: a * b,
    None: lambda a, b: [a, b],
}
every_mode = pytest.mark.parametrize("mode", MODES)


def both(N, T, mode, sequence, **words):
    """Return a Bidirectional in float64, data, and a mask."""
    inner = LSTM(2, return_sequences=sequence, dtype="float64", **words)
    layer = Bidirectional(inner, merge_mode=mode)
    x = sequences(N, T, 3)
    layer.connect(x.shape)
    return layer, x, np.random.default_rng(T).random((N, T)) < 0.6


@every_mode
@pytest.mark.parametrize("sequence", [True, False])
@pytest.mark.parametrize("back", [True, False])
@given(N=SIZES, T=SIZES, masked=st.booleans())
def test_both_ways_are_joined(mode, sequence, back, N, T, masked):
    """The backward layer reads reversed data; its sequences are turned round."""
    layer, x, mask = both(N, T, mode, sequence, go_backwards=back)
    layer.mask = mask = mask if masked else None
    found = layer.forward(x, False)
    found = [a.copy() for a in found] if mode is None else found.copy()
    parts = []
    for weights in (layer.get_weights()[:3], layer.get_weights()[3:]):
        part = LSTM(2, return_sequences=sequence, dtype="float64", weights=weights)
        part.connect(x.shape)
        turned = back if len(parts) == 0 else not back
        part.mask = mask[:, ::-1] if turned and masked else mask
        a = part.forward(
            np.ascontiguousarray(x[:, ::-1]) if turned else x, False
        ).copy()
        parts.append(a[:, ::-1] if len(parts) and sequence else a)
    for a, b in zip(np.atleast_1d(found), np.atleast_1d(JOINS[mode](*parts))):
        np.testing.assert_allclose(a, b, rtol=1e-12)
    expected = mask if sequence else None
    kept = layer.compute_mask(x, mask)
    for one in kept if isinstance(kept, list) else [kept]:
        assert one is expected


@every_mode
@pytest.mark.parametrize("sequence", [True, False])
def test_gradients_of_both_ways_are_the_measured_ones(mode, sequence):
    """Of the input and of all six weights."""
    check_layer(Bidirectional(LSTM(2, return_sequences=sequence), mode), (4, 3))


def test_reversed_data_swap_the_two_ways():
    """With their weights swapped too, the sum of reversed data is the sum, reversed."""
    layer, x, _ = both(3, 5, "sum", True)
    y = layer(x)
    weights = layer.get_weights()
    layer.set_weights(weights[3:] + weights[:3])
    np.testing.assert_allclose(layer(x[:, ::-1])[:, ::-1], y, rtol=1e-12)


@every_mode
def test_a_bidirectional_model_learns_and_its_steps_can_be_replayed(mode):
    """A list of both ways is joined by the next layer."""
    x, y = sequences(14, 4, 3), sequences(14, 1)
    trained = []
    for replays in (True, False):
        kerasnb.set_seed(1)
        model = Sequential()
        model.add(Bidirectional(LSTM(3), merge_mode=mode, input_shape=(4, 3)))
        if mode is None:
            model.add(Merge(mode="sum"))
        model.add(Dense(1))
        model.compile("adam", "mse")
        assert model._replays or mode is None
        model._replays = replays and model._replays
        losses = model.fit(x, y, 6, 3, 0).history["loss"]
        assert losses[-1] < losses[0]
        trained.append([*model.get_weights(), losses])
    for a, b in zip(*trained):
        np.testing.assert_array_equal(a, b)


def test_both_ways_as_two_outputs():
    """They are named by the two layers."""
    model = Sequential([Bidirectional(LSTM(2), None, input_shape=(4, 3))])
    assert model.output_names == ["forward_lstm_1", "backward_lstm_1"]
    a, b = model.predict(sequences(2, 4, 3))
    assert a.shape == b.shape == (2, 2)


def test_names_weights_and_penalties_of_both_ways():
    """Forward before backward; initial weights may be given; all can be frozen."""
    inner = LSTM(2, activity_regularizer="l2", kernel_regularizer="l2", name="it")
    layer = Bidirectional(inner, input_shape=(4, 3))
    model = Sequential([layer])
    assert [w.name for w in model.weights][::3] == [
        "forward_it/kernel:0",
        "backward_it/kernel:0",
    ]
    model.compile("sgd", "mse")
    x = sequences(5, 4, 3)
    p = model.predict(x)
    W, V = model.get_weights()[::3]
    expected = 0.01 * ((p**2).sum() + (W**2).sum() + (V**2).sum())
    np.testing.assert_allclose(model.evaluate(x, p, verbose=0), expected, rtol=1e-5)
    again = Bidirectional(LSTM(2), weights=model.get_weights(), input_shape=(4, 3))
    np.testing.assert_array_equal(Sequential([again]).predict(x), p)
    layer.trainable = False
    assert not model.trainable_weights and not layer.backward_layer.trainable


def test_the_states_of_both_ways(tmp_path):
    """Are kept and reset together."""
    layer = Bidirectional(LSTM(2, stateful=True))
    x = sequences(2, 4, 3)
    first, second = layer(x), layer(x)
    assert layer.stateful and (first != second).all()
    layer.reset_states()
    np.testing.assert_array_equal(layer(x), first)
    ways = layer.forward_layer, layer.backward_layer
    kept = [state.copy() for way in ways for state in way.states]
    second = layer(x)
    layer.reset_states(kept)
    np.testing.assert_array_equal(layer(x), second)
    before = layer.forward_layer.states
    with pytest.raises(ValueError, match="backward_lstm_1: expected states of shapes"):
        layer.reset_states([*kept[:2], np.ones((2, 3)), kept[3]])
    assert layer.forward_layer.states is before


def test_a_bidirectional_model_is_made_again_and_saved(tmp_path):
    """From its configuration; the layer inside has its own name there."""
    model = Sequential()
    layer = LSTM(2, return_sequences=True, go_backwards=True, dropout=0.5)
    model.add(Bidirectional(layer, "ave", input_shape=(4, 3)))
    model.add(Bidirectional(RNN([LSTMCell(2), LSTMCell(3)])))
    config = model.get_config()
    assert config["layers"][0]["config"]["layer"]["config"]["name"] == "lstm_1"
    copied = Sequential.from_config(config)
    assert copied.get_config() == config
    copied.set_weights(model.get_weights())
    x = sequences(2, 4, 3)
    np.testing.assert_array_equal(copied.predict(x), model.predict(x))
    model.save(tmp_path / "model.knb")
    loaded = kerasnb.load_model(tmp_path / "model.knb", compile=False)
    np.testing.assert_array_equal(loaded.predict(x), model.predict(x))


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: Bidirectional(LSTM), TypeError, "forget the parentheses"),
        (lambda: Bidirectional(Dense(2)), TypeError, "expected a recurrent layer such"),
        (
            lambda: Bidirectional(LSTM(2), "average"),
            ValueError,
            "Unknown merge_mode of bidirectional_1: 'average'",
        ),
        (
            lambda: Bidirectional(LSTM(2)).connect((None, 3)),
            ValueError,
            "forward_lstm_1: LSTM expects an input with 3 axes",
        ),
        (
            lambda: Bidirectional(LSTM(2), dtype="float64"),
            TypeError,
            "cannot compute in float64",
        ),
    ],
)
def test_what_cannot_go_both_ways_is_refused(make, error, message):
    """Who, what was expected, what came."""
    with pytest.raises(error, match=message):
        make()


def test_a_layer_that_is_built_cannot_go_both_ways():
    """Its weights would have to be those of two."""
    inner = LSTM(2, input_shape=(4, 3))
    Sequential([inner])
    with pytest.raises(ValueError, match="lstm_1 is built already, but two new"):
        Bidirectional(inner)
