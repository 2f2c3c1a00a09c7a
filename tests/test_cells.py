"""Cells of one's own, stacks of cells, and single steps."""

import numpy as np
import pytest

import kerasnb
from kerasnb import Layer, Sequential, check_layer
from kerasnb.copying import clone_model
from kerasnb.layers import (
    GRU,
    LSTM,
    RNN,
    Bidirectional,
    Cell,
    Dense,
    GRUCell,
    LSTMCell,
    Masking,
    SimpleRNN,
    SimpleRNNCell,
    StackedRNNCells,
)
from kerasnb.utils import custom_object_scope


class Plain(Cell):
    """h = tanh(x W + h U): a SimpleRNN without a bias."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units

    def build(self, input_shape):
        self.W = self.add_weight("W", (input_shape[-1], self.units), "glorot_uniform")
        self.U = self.add_weight("U", (self.units, self.units), "orthogonal")

    def step(self, x, states, training):
        h = np.tanh(x @ self.W.value + states[0] @ self.U.value)
        return h, [h], (x, states[0], h)

    def step_back(self, dy, dstates, kept):
        x, before, h = kept
        dz = (dy + dstates[0]) * (1 - h**2)
        self.W.grad += x.T @ dz
        self.U.grad += before.T @ dz
        return dz @ self.W.value.T, [dz @ self.U.value.T]

    def get_config(self):
        return {**super().get_config(), "units": self.units}


class Sums(Cell):
    """Two states, and an output that is neither: y = a V, a += x, b += a."""

    output_size = 2

    def build(self, input_shape):
        self.V = self.add_weight("V", (self.state_size[0], 2))

    @property
    def state_size(self):
        return (3, 3)

    def step(self, x, states, training):
        a = states[0] + x
        b = states[1] + a
        return np.tanh(b) @ self.V.value, [a, b], b

    def step_back(self, dy, dstates, b):
        self.V.grad += np.tanh(b).T @ dy
        db = dstates[1] + dy @ self.V.value.T * (1 - np.tanh(b) ** 2)
        da = dstates[0] + db
        return da, [da, db]


OWN = {"Plain": Plain, "Sums": Sums}


def sequences(N, T, D):
    """Return random numbers for T steps of N samples."""
    return np.random.default_rng(0).normal(size=(N, T, D))


# ---- a cell of one's own ----------------------------------------------------------


@pytest.mark.parametrize("sequence", [True, False])
@pytest.mark.parametrize("back", [True, False])
@pytest.mark.parametrize("cell", [lambda: Plain(4), Sums])
def test_gradients_of_an_own_cell_are_the_measured_ones(cell, sequence, back):
    """One step each way is all that it defines."""
    with custom_object_scope(OWN):
        layer = RNN(cell(), return_sequences=sequence, go_backwards=back)
        check_layer(layer, (4, 3))


def test_an_own_cell_equals_the_one_of_keras():
    """With masks, in a model that learns."""
    x, y = sequences(6, 5, 3), np.ones((6, 5, 4))
    x[:3, 3:] = x[2, :] = 0
    trained = []
    for layer in (RNN(Plain(4), return_sequences=True), None):
        kerasnb.set_seed(2)
        layer = layer or SimpleRNN(4, use_bias=False, return_sequences=True)
        model = Sequential([Masking(input_shape=(5, 3)), layer])
        model.compile("sgd", "mse")
        losses = model.fit(x, y, 3, 3, 0, shuffle=False).history["loss"]
        trained.append([*model.get_weights(), losses, model.predict(x)])
    for a, b in zip(*trained):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_an_output_that_is_no_state_is_repeated_at_masked_steps():
    """Zeros before the first step; gradients go to the step that made it."""
    layer = RNN(Sums(dtype="float64"), return_sequences=True)
    x = sequences(2, 4, 3)
    layer.connect(x.shape)
    layer.mask = np.array([[0, 1, 0, 1], [1, 0, 0, 1]], bool)
    y = layer.forward(x, False).copy()
    assert not y[0, 0].any()
    np.testing.assert_array_equal(y[0, 2], y[0, 1])
    np.testing.assert_array_equal(y[1, 1:3], y[1, [0, 0]])
    dy, v, h = sequences(2, 4, 2), sequences(2, 4, 3)[::-1], 1e-6
    dx = layer.backward(dy).copy()
    rise = layer.forward(x + h * v, False).copy() - layer.forward(x - h * v, False)
    assert (dx * v).sum() == pytest.approx((dy * rise).sum() / (2 * h), rel=1e-6)


def test_an_own_cell_may_be_frozen_copied_saved_and_stateful(tmp_path):
    """As any layer of one's own."""
    first = RNN(Plain(3), stateful=True, return_sequences=True, input_shape=(4, 2))
    model = Sequential([first, RNN([Plain(2), LSTMCell(3)], trainable=False), Dense(1)])
    model.compile("sgd", "mse")
    before = model.get_weights()
    x = sequences(4, 4, 2)
    model.fit(x, np.ones((4, 1)), verbose=0, shuffle=False)
    changed = [(a != b).any() for a, b in zip(before, model.get_weights())]
    assert changed == [True] * 2 + [False] * 5 + [True] * 2
    model.save(tmp_path / "model.knb")
    loaded = kerasnb.load_model(tmp_path / "model.knb", OWN)
    np.testing.assert_array_equal(loaded.predict(x), model.predict(x))
    assert clone_model(model).get_config() == model.get_config()


def test_the_states_of_an_own_stateful_cell_do_not_change_behind_its_back():
    """What a step keeps for the way back is not overwritten by the new states."""
    x, dx = sequences(2, 1, 3), []
    for stateful in (True, False):
        kerasnb.set_seed(1)
        layer = RNN(Plain(3, dtype="float64"), stateful=stateful)
        layer(x)
        if stateful:
            layer.reset_states(np.zeros((2, 3)))
            layer.forward(x, True)
        else:
            layer.forward(x, True)
        layer.cell.U.grad = np.empty((3, 3))
        layer.backward(np.ones((2, 3)))
        dx.append(layer.cell.U.grad)
    np.testing.assert_array_equal(*dx)
    assert not dx[0].any()


def test_a_bidirectional_own_cell():
    """Both copies have a cell of their own, and weights of different names."""
    layer = Bidirectional(RNN(Plain(3)))
    model = Sequential([layer])
    model.build((None, 4, 2))
    names = [weight.name for weight in model.weights]
    assert len(set(names)) == 4 and names[0] == "forward_plain_1/W:0"
    with custom_object_scope(OWN):
        check_layer(Bidirectional(RNN(Plain(3))), (4, 2))


# ---- stacks of cells --------------------------------------------------------------


def test_a_stack_of_cells_is_a_stack_of_layers():
    """All but the last return sequences; also under a mask."""
    x = sequences(3, 5, 2)
    mask = np.random.default_rng(1).random((3, 5)) < 0.6
    stack = RNN([GRUCell(4), SimpleRNNCell(3), LSTMCell(2)])
    stack.connect(x.shape)
    layers = [GRU(4, return_sequences=True), SimpleRNN(3, return_sequences=True)]
    layers.append(LSTM(2))
    weights, y = stack.get_weights(), x.astype(np.float32)
    for number, layer in enumerate(layers):
        layer.connect(y.shape)
        layer.set_weights(weights[3 * number : 3 * number + 3])
        layer.mask = mask
        y = layer.forward(y, False)
    stack.mask = mask
    np.testing.assert_array_equal(stack.forward(x.astype(np.float32), False), y)


def test_states_of_a_stack_are_those_of_its_cells_in_turn():
    """In the order of the cells."""
    layer = RNN([LSTMCell(4), SimpleRNNCell(3)], stateful=True)
    x = sequences(2, 3, 5)
    y = layer(x)
    assert [state.shape for state in layer.states] == [(2, 4), (2, 4), (2, 3)]
    np.testing.assert_array_equal(layer.states[2], y)
    assert layer.cell.state_size == (4, 4, 3) and layer.cell.output_size == 3
    check_layer(RNN([LSTMCell(3), GRUCell(2), Stack()], return_sequences=True), (4, 2))


def Stack():
    """Return a stack, to be put into another."""
    return StackedRNNCells([SimpleRNNCell(2, dropout=0.3), LSTMCell(3)])


def test_steps_of_a_stack_equal_its_run():
    """`step` and `step_back` one by one, as a cell around the stack would call them."""
    stack = Stack()
    stack.connect((None, 2))
    x = sequences(3, 4, 2).astype(np.float32)
    states = [np.zeros((3, size), np.float32) for size in stack.state_sizes]
    ys, last = stack.run(
        np.ascontiguousarray(x.transpose(1, 0, 2)), states, None, False
    )
    expected = ys[-1].copy()
    stack.start(3, False)
    for s in range(4):
        y, states, kept = stack.step(x[:, s].copy(), states, False)
    np.testing.assert_allclose(y, expected, rtol=1e-5)
    for a, b in zip(states, last):
        np.testing.assert_allclose(a, b, rtol=1e-5)
    for weight in stack.weights:
        weight.grad = np.zeros_like(weight.value)
    dx, dstates = stack.step_back(np.ones_like(y), states, kept)
    assert dx.shape == (3, 2)
    assert [d.shape for d in dstates] == [state.shape for state in states]


# ---- single steps -----------------------------------------------------------------


@pytest.mark.parametrize(
    "cell, layer",
    [
        (SimpleRNNCell(3), SimpleRNN(3)),
        (GRUCell(3, reset_after=True), GRU(3, reset_after=True)),
        (LSTMCell(3, activation="relu"), LSTM(3, activation="relu")),
    ],
)
def test_calls_of_a_cell_add_up_to_the_layer(cell, layer):
    """call(inputs, states) returns the output and the new states."""
    x = sequences(2, 4, 5)
    layer.connect(x.shape)
    y, states = cell.call(x[:, 0], [np.zeros((2, n)) for n in cell.state_sizes])
    cell.set_weights(layer.get_weights())
    states = [np.zeros((2, size)) for size in cell.state_sizes]
    for t in range(4):
        y, states = cell.call(x[:, t], states, training=False)
    np.testing.assert_allclose(y, layer(x), rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(y, states[0])


def test_a_call_in_training_drops():
    """The mask of the inputs, and of the states."""
    cell = SimpleRNNCell(50, None, dropout=0.5, recurrent_initializer="identity")
    x, h = np.ones((4, 3)), [np.zeros((4, 50))]
    assert (cell.call(x, h)[0] != cell.call(x, h, training=True)[0]).any()


# ---- errors -----------------------------------------------------------------------


class NoBack(Cell):
    """A cell that cannot go back."""

    state_size = 3

    def step(self, x, states, training):
        return x, states, None


class OfKeras(Layer):
    """A cell as one writes it for Keras."""

    state_size = 3

    def call(self, inputs, states):
        return inputs, states


class Nothing(Cell):
    """Neither states nor steps."""


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: RNN(NoBack()), ValueError, "RNN: the cell no_back_1 has no step_back"),
        (
            lambda: RNN(Nothing()),
            ValueError,
            "no step and no step_back and no state_si",
        ),
        (
            lambda: RNN(OfKeras()),
            ValueError,
            "is a subclass of kerasnb.layers.Cell wit",
        ),
        (
            lambda: StackedRNNCells([]),
            ValueError,
            "StackedRNNCells: expected a list of",
        ),
        (lambda: StackedRNNCells(LSTMCell(2)), ValueError, "expected a list of cells"),
        (
            lambda: StackedRNNCells([LSTMCell(2), 3]),
            ValueError,
            "expected a cell, got 3",
        ),
        (
            lambda: StackedRNNCells([LSTMCell(2), LSTMCell(2, dtype="float64")]),
            TypeError,
            "stacked_rnn_cells_1: cannot compute in float32, because lstm_cell_2",
        ),
        (
            lambda: LSTMCell(2).call(np.ones((3, 2)), [np.ones((3, 2))]),
            ValueError,
            r"expected states of shapes \[\(3, 2\), \(3, 2\)\], got \[\(3, 2\)\]",
        ),
        (
            lambda: Sequential([LSTMCell(2, input_shape=(3,))]).predict(
                np.ones((1, 3))
            ),
            TypeError,
            r"is one step of a recurrent layer, .* RNN\(LSTMCell\(\.\.\.\)\)",
        ),
        (lambda: Cell().step(None, [], False), NotImplementedError, "has no step"),
        (
            lambda: Cell().step_back(None, [], 0),
            NotImplementedError,
            "has no step_back",
        ),
    ],
)
def test_what_is_no_cell_is_refused(make, error, message):
    """With what a cell needs."""
    with pytest.raises(error, match=message):
        make()


def test_one_cell_cannot_stand_in_two_places():
    """Its gradients would not add up."""
    cell = LSTMCell(2)
    with pytest.raises(ValueError, match="'lstm_cell_1' is used twice"):
        RNN([cell, cell])
