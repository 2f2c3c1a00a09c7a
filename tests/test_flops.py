"""Floating-point operations, compared with formulas written by hand."""

import numpy as np
import pytest
import zoo
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasnb import Fork, Merge, Sequential, layers
from kerasnb.layer import count_numbers
from kerasnb.layers import Activation, Dense, LSTMCell, SimpleRNNCell

SIZE = st.integers(1, 7)


def connected(layer, shape):
    """A layer built for inputs of a shape, as in training above another layer."""
    layer.connect(shape)
    return layer


def cost(layer, shape):
    """Operations forward and backward, for one sample."""
    connected(layer, (None, *shape))
    return layer.flops((None, *shape)), layer.backward_flops((None, *shape))


# ---- reference --------------------------------------------------------------------

IMAGE = (9, 8, 3)
SEQUENCE = (6, 5)
BY_HAND = [
    # layer, shape, multiply-adds forward, other operations
    (layers.Dense(7), (5,), 5 * 7, 0),
    (layers.Dense(7, activation="relu"), (4, 5), 4 * 5 * 7, 4 * 7),
    (layers.Dense(7), (4, 5), 4 * 5 * 7, 0),
    (layers.Conv1D(4, 3), SEQUENCE, 4 * 4 * 3 * 5, 0),
    (layers.Conv2D(4, (3, 2), activation="tanh"), IMAGE, 49 * 4 * 18, 49 * 4),
    (layers.Conv2D(4, 3, padding="same", strides=2), IMAGE, 5 * 4 * 4 * 27, 0),
    (layers.Conv2D(4, 3, data_format="channels_first"), (3, 9, 8), 42 * 4 * 27, 0),
    (layers.Conv3D(2, 2), (4, 4, 4, 3), 27 * 2 * 24, 0),
    (layers.DepthwiseConv2D(3, depth_multiplier=2), IMAGE, 42 * 6 * 9, 0),
    (layers.SeparableConv2D(4, 3), IMAGE, 42 * (3 * 9 + 3 * 4), 0),
    (layers.SeparableConv1D(4, 3, activation="relu"), SEQUENCE, 4 * (15 + 20), 16),
    (layers.Conv2DTranspose(4, 3), IMAGE, 72 * 3 * 9 * 4, 0),
    (layers.LocallyConnected2D(4, 3), IMAGE, 42 * 4 * 27, 0),
    (layers.LocallyConnected1D(4, 3), SEQUENCE, 4 * 4 * 15, 0),
    (layers.MaxoutDense(7, nb_feature=3), (5,), 3 * 5 * 7, 2 * 7),
    (layers.Highway(activation="relu"), (5,), 2 * 25, 5 * 5),
    (layers.MaxPooling2D(2), IMAGE, 0, 4 * 4 * 3 * 4),
    (layers.AveragePooling1D(3), SEQUENCE, 0, 2 * 5 * 3),
    (layers.GlobalAveragePooling2D(), IMAGE, 0, 9 * 8 * 3),
    (layers.BatchNormalization(), IMAGE, 0, 4 * 216),
    (layers.BatchNormalization(scale=False, center=False), IMAGE, 0, 2 * 216),
    (layers.Dropout(0.5), (5,), 0, 5),
    (layers.Activation("relu"), IMAGE, 0, 216),
    (layers.Activation("linear"), IMAGE, 0, 0),
    (layers.LeakyReLU(), (5,), 0, 5),
    (layers.Flatten(), IMAGE, 0, 0),
    (layers.Reshape((3, 72)), IMAGE, 0, 0),
    (layers.Permute((2, 1)), SEQUENCE, 0, 0),
    (layers.RepeatVector(3), (5,), 0, 0),
    (layers.ZeroPadding2D(1), IMAGE, 0, 0),
    (layers.Cropping2D(1), IMAGE, 0, 0),
    (layers.UpSampling2D(2), IMAGE, 0, 0),
    (layers.UpSampling2D(2, interpolation="bilinear"), IMAGE, 0, 7 * 4 * 216),
    (layers.TimeDistributed(Dense(7)), (4, 5), 4 * 5 * 7, 0),
]


@pytest.mark.parametrize("layer, shape, products, others", BY_HAND, ids=repr)
def test_layers_count_as_by_hand(layer, shape, products, others):
    """A multiply-add is two; products come twice on the way back, if there are any."""
    assert cost(layer, shape) == (2 * products + others, 4 * products + others)


RNNS = [
    # layer, products with W, with U, other operations of a step
    (layers.SimpleRNN(4), 5 * 4, 4 * 4, 4),
    (layers.SimpleRNN(4, activation="linear"), 5 * 4, 4 * 4, 0),
    (layers.GRU(4), 5 * 12, 4 * 12, 8 * 4),
    (layers.LSTM(4, return_sequences=True), 5 * 16, 4 * 16, 9 * 4),
    (layers.RNN([LSTMCell(4), SimpleRNNCell(3)]), 80, 64 + 4 * 3 + 3 * 3, 36 + 3),
]


@pytest.mark.parametrize("layer, W, U, others", RNNS, ids=repr)
def test_recurrent_layers_count_every_step(layer, W, U, others):
    """Backward always needs the products with U: gradients go from step to step."""
    T = SEQUENCE[0]
    forward, backward = cost(layer, SEQUENCE)
    assert forward == T * (2 * (W + U) + others)
    assert backward == T * (4 * (W + U) + others)
    layer.needs_dx = False
    saved = backward - layer.backward_flops((None, *SEQUENCE))
    assert saved == 2 * T * W


def test_a_convolutional_lstm_counts_both_windows():
    """W slides over the image, U over the state."""
    layer = layers.ConvLSTM2D(4, 3, padding="same")
    forward, _ = cost(layer, (2, *IMAGE))
    places, gates = 72, 16
    assert forward == 2 * (2 * places * gates * (27 + 36) + 9 * places * 4)


def test_a_cell_of_ones_own_counts_its_matrices():
    """Every weight of two axes is multiplied once a step and sample."""

    class Plain(layers.Cell):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.state_size = 4

        def build(self, input_shape):
            self.W = self.add_weight("W", (input_shape[-1], 4))
            self.b = self.add_weight("b", (4,))

        def step(self, x, states, training):
            raise NotImplementedError

        def step_back(self, dy, dstates, kept):
            raise NotImplementedError

    forward, backward = cost(layers.RNN(Plain()), SEQUENCE)
    assert forward == 6 * (2 * 5 * 4 + 4)
    assert backward == 6 * (4 * 5 * 4 + 4)


def test_an_embedding_copies_forward_and_adds_backward():
    """No operation forward; one for each number that is added to a row."""
    assert cost(layers.Embedding(10, 4), (6,)) == (0, 24)
    frozen = layers.Embedding(10, 4, trainable=False)
    assert cost(frozen, (6,)) == (0, 0)


@pytest.mark.parametrize("mode, joining", [("concat", 0), ("sum", 8), ("ave", 16)])
def test_bidirectional_layers_count_both_ways(mode, joining):
    """Twice the layer, and what joins the two."""
    twin = layers.LSTM(8)
    both = layers.Bidirectional(layers.LSTM(8), merge_mode=mode)
    forward, backward = cost(twin, SEQUENCE)
    assert cost(both, SEQUENCE) == (2 * forward + joining, 2 * backward + joining)


JOINS = [
    (layers.Add, 2 * 7),
    (layers.Multiply, 2 * 7),
    (layers.Maximum, 2 * 7),
    (layers.Average, 3 * 7),
    (layers.Concatenate, 0),
]


@pytest.mark.parametrize("kind, joining", JOINS)
def test_joining_counts_every_array_after_the_first(kind, joining):
    """And the branches, each on its shape."""
    branches = [Dense(7, input_shape=(n,)) for n in (2, 3, 4)]
    layer = kind(branches)
    shapes = [(None, 2), (None, 3), (None, 4)]
    layer.connect(shapes)
    assert layer.flops(shapes) == 2 * 7 * 9 + joining
    bare = connected(kind(), [(None, 7)] * 3)
    assert bare.flops([(None, 7)] * 3) == joining


def test_a_dot_counts_products():
    """Twice the axis for every number, and for both gradients."""
    shapes = [(None, 4, 5), (None, 3, 5)]
    layer = connected(layers.Dot(-1), shapes)
    assert layer.flops(shapes) == 2 * 12 * 5
    assert layer.backward_flops(shapes) == 4 * 12 * 5


def test_merge_and_fork_count_what_is_in_them():
    """Two branches joined, two heads."""
    left, right = Dense(7, input_shape=(2,)), Dense(7, input_shape=(3,))
    heads = Fork([Dense(1), Dense(2)])
    model = Sequential([Merge([left, right], mode="sum"), heads])
    shapes = [(None, 2), (None, 3)]
    assert model.flops(shapes) == 2 * 7 * 5 + 7 + 2 * 7 * 3


def test_the_model_of_the_benchmark():
    """9.2 GFLOP for a batch of 128, forward and backward; 9.16 of them in products."""
    model = Sequential(
        [
            layers.Conv2D(32, 3, activation="relu", input_shape=(28, 28, 1)),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Dropout(0.25),
            layers.Flatten(),
            Dense(128, activation="relu"),
            layers.Dropout(0.5),
            Dense(10, activation="softmax"),
        ]
    )
    model.needs_dx = False
    shape = (128, 28, 28, 1)
    first, second = 26 * 26 * 32 * 9, 24 * 24 * 64 * 9 * 32
    dense = 9216 * 128 + 128 * 10
    assert model.multiply_adds(shape) == 128 * (first + second + dense)
    step = model.flops(shape) + model.backward_flops(shape)
    products = 2 * 128 * (2 * first + 3 * (second + dense))
    others = 26 * 26 * 32 + 24 * 24 * 64 + 12 * 12 * 64 * (4 + 1) + 128 * 2 + 10
    assert step == products + 2 * 128 * others
    assert round(step / 1e9, 1) == round(products / 1e9, 1) == 9.2


# ---- laws -------------------------------------------------------------------------


@given(SIZE, SIZE, SIZE)
def test_operations_grow_with_the_batch(N, I, O):
    """A batch costs as much as its samples."""
    layer = connected(Dense(O, activation="tanh"), (None, I))
    assert layer.flops((N, I)) == N * layer.flops((None, I))
    assert layer.backward_flops((N, I)) == N * layer.backward_flops((None, I))


@given(SIZE, SIZE)
def test_an_activation_costs_the_same_inside_and_outside(I, O):
    """Dense with relu is Dense and then relu."""
    inside = Sequential([Dense(O, activation="relu", input_shape=(I,))])
    outside = Sequential([Dense(O, input_shape=(I,)), Activation("relu")])
    for count in ("flops", "backward_flops"):
        assert getattr(inside, count)((3, I)) == getattr(outside, count)((3, I))


@given(SIZE, SIZE)
def test_a_window_of_one_place_costs_as_much_as_dense(K, F):
    """And so does a convolution that sees the whole image."""
    dense = connected(Dense(F), (None, 6, K))
    window = connected(layers.Conv1D(F, 1), (None, 6, K))
    assert window.flops((None, 6, K)) == dense.flops((None, 6, K))
    whole = connected(layers.Conv1D(F, 6), (None, 6, K))
    flat = connected(Dense(F), (None, 6 * K))
    assert whole.flops((None, 6, K)) == flat.flops((None, 6 * K))


def test_a_model_inside_a_model_costs_the_same():
    """Nesting changes nothing, in any direction."""
    chain = [Dense(4, activation="relu"), Dense(5), Dense(2)]
    flat = Sequential([Dense(3, input_shape=(6,)), *chain])
    chain = [Dense(4, activation="relu", input_shape=(3,)), Dense(5), Dense(2)]
    nested = Sequential([Dense(3, input_shape=(6,)), Sequential(chain)])
    for model in (flat, nested):
        model.needs_dx = False
    assert flat.flops((8, 6)) == nested.flops((8, 6))
    assert flat.backward_flops((8, 6)) == nested.backward_flops((8, 6))


def test_frozen_layers_cost_less_backward():
    """No gradient of weights; below the lowest layer that learns, nothing at all."""
    low, middle, top = Dense(4, input_shape=(3,)), Dense(5), Dense(2)
    model = Sequential([low, middle, top])
    middle.trainable = False
    model.needs_dx = False
    assert model.backward_flops((None, 3)) == 2 * (12 + 20 + 2 * 10)
    low.trainable = False
    model.needs_dx = False
    assert model.backward_flops((None, 3)) == 2 * 10


@pytest.mark.parametrize("name", sorted({*zoo.SHARED, *zoo.OURS}))
@settings(max_examples=3)
@given(data=st.data())
def test_every_layer_counts(name, data):
    """Whole numbers, none negative; twice the batch is twice the work."""
    layer = data.draw(zoo.exchanged(name))
    shape = layer.batch_input_shape[1:]
    connected(layer, (None, *shape))
    one, two = ((n, *shape) for n in (1, 2))
    for count in (layer.flops, layer.backward_flops):
        assert isinstance(count(one), int | np.integer)
        assert 0 <= 2 * count(one) == count(two)
    assert count_numbers((None, 2, 3)) == 6
