"""Embedding: lookups, gradients, codes as data, masks, errors."""

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasnb import Fork, Merge, Sequential, check_layer
from kerasnb.device import ops
from kerasnb.layers import (
    Activation,
    Dense,
    Embedding,
    Flatten,
    Input,
    Layer,
    Masking,
    Reshape,
)
from kerasnb.optimizers import Adam

SIZES = st.integers(1, 11)


def small_model(*begin, length=4):
    """Return a compiled model that ends in one number."""
    model = Sequential([*begin, Flatten(), Dense(1)])
    if not begin:
        model = Sequential([Embedding(20, 3, input_length=length), Flatten(), Dense(1)])
    model.compile(Adam(0.02), "mse")
    return model


def codes_and_targets(samples=64, length=4, V=20):
    """Return random codes, and targets that depend on the first of each sample."""
    x = np.random.default_rng(0).integers(V, size=(samples, length))
    return x, np.sin(x[:, :1].astype(float))


# ---- reference --------------------------------------------------------------------


@given(V=SIZES, D=SIZES, N=SIZES, T=SIZES, seed=st.integers(0, 99))
def test_an_embedding_is_one_hot_rows_times_the_table(V, D, N, T, seed):
    """Forward, and the gradient of the table, for drawn sizes."""
    rng = np.random.default_rng(seed)
    x = rng.integers(V, size=(N, T))
    layer = Embedding(V, D, dtype="float64")
    y = layer(x)
    hot = np.eye(V)[x]
    np.testing.assert_array_equal(y, hot @ layer.get_weights()[0])
    dy = rng.normal(size=y.shape)
    layer.W.grad = np.full((V, D), np.nan)
    layer.backward(dy)
    expected = np.einsum("ntv,ntd->vd", hot, dy)
    np.testing.assert_allclose(layer.W.grad, expected, 1e-12, 1e-12)


@pytest.mark.parametrize("shape", [(4,), (2, 3), (2, 1, 3)])
def test_codes_may_have_any_rank(shape):
    """The shape of the codes, and one axis more."""
    x = np.random.default_rng(1).integers(7, size=(5, *shape))
    layer = Embedding(7, 3, input_shape=shape)
    assert layer(x).shape == (5, *shape, 3)
    assert check_layer(layer, shape, x=x).passed


# ---- laws -------------------------------------------------------------------------


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="there is one thread only")
def test_the_gradient_has_the_same_bits_for_any_number_of_threads():
    """Every row belongs to one turn of the loop, which adds in the codes' order."""
    rng = np.random.default_rng(2)
    index = rng.integers(300, size=4000).astype(np.int32) ** 2 % 300
    dy = rng.normal(size=(4000, 33)).astype(np.float32)
    threads = numba.get_num_threads()
    found = np.full((3, 300, 33), np.nan, np.float32)
    ops.scatter_rows(found[0], dy, index)
    try:
        numba.set_num_threads(1)
        ops.scatter_rows(found[1], dy, index)
    finally:
        numba.set_num_threads(threads)
    ops.scatter_rows.serial(found[2], dy, index)
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def test_training_lowers_the_loss_and_touches_only_rows_that_occur():
    """Embedding -> Flatten -> Dense, replayed as well as step by step."""
    x, t = codes_and_targets()
    x[x == 7] = 6
    results, first = [], None
    for replays in (True, False):
        model = small_model()
        assert model._replays
        model._replays = replays
        if results:
            model.set_weights(first)
        first = model.get_weights()
        history = model.fit(x, t, 16, epochs=15, verbose=0, seed=3).history
        assert history["loss"][-1] < 0.8 * history["loss"][0]
        results.append((history, model.get_weights()))
    assert results[0][0] == results[1][0]
    for a, b in zip(results[0][1], results[1][1]):
        np.testing.assert_array_equal(a, b)
    moved = (results[0][1][0] != first[0]).any(axis=1)
    assert moved.tolist() == [code in x for code in range(20)]


@pytest.mark.parametrize("dtype", ["int8", "uint16", "int64", "float32", "float64"])
def test_codes_come_in_any_type_that_holds_them(dtype):
    """The same rows come out, and the caller's array stays as it is."""
    x, _ = codes_and_targets(8)
    model = small_model()
    given = x.astype(dtype)
    np.testing.assert_array_equal(model.predict(given), model.predict(x))
    np.testing.assert_array_equal(model(given), model.predict(x))
    assert given.dtype == dtype and (given == x).all()


def test_large_codes_do_not_pass_through_floats():
    """2^24 + 1 is no float32; it has a row of its own all the same."""
    V = 2**24 + 3
    rows = [V - 1, 2**24 + 1]
    x = np.array(rows)[:, None]
    for begin in ([], [Input((1,))]):
        layer = Embedding(V, 1, "zeros", dtype="float64")
        model = Sequential([*begin, layer])
        model.build((None, 1))
        layer.W.value[rows, 0] = rows
        assert model.predict(x).ravel().tolist() == rows
        assert layer(x).ravel().tolist() == rows
        assert layer(x.astype(np.float64)).ravel().tolist() == rows
        with pytest.raises(ValueError, match="come as float32, .* from 16777216 on"):
            layer(x.astype(np.float32))


def test_each_of_several_inputs_goes_to_its_own_layer():
    """Codes stay whole numbers beside an input of floats; a shared input is floats."""
    words = Sequential([Embedding(20, 3, input_length=4), Flatten()])
    model = Sequential([Merge([words, Dense(2, input_shape=(5,))], mode="concat")])
    assert [type(one).__name__ for one in model.receivers] == ["Embedding", "Dense"]
    x, _ = codes_and_targets(6)
    u = np.random.default_rng(3).normal(size=(6, 5))
    y = model.predict([x, u])
    np.testing.assert_array_equal(y[:, :12], words.predict(x))
    with pytest.raises(IndexError, match=r"code 20 at \[0, 0\] of x"):
        model.predict([0 * x + 20, u])
    shared = Sequential([Input((4,)), Fork([Embedding(20, 3), Dense(2)])])
    rows, _ = shared.predict(x)
    np.testing.assert_array_equal(rows, shared.layers[0].branches[0](x))
    shared.compile("sgd", "mse")
    assert not shared._replays


def test_the_first_layer_supplies_its_input_shape():
    """(None,), or the input_length; an explicit shape wins."""
    assert Sequential([Embedding(9, 2)]).output_shape == (None, None, 2)
    model = Sequential([Embedding(9, 2, input_length=5)])
    assert model.input_shape == (None, 5) and model.output_shape == (None, 5, 2)
    model = Sequential([Embedding(9, 2, batch_size=3)])
    assert model.input_shape == (3, None)
    model = Sequential([Embedding(9, 2, input_length=(2, 3))])
    assert model.output_shape == (None, 2, 3, 2)
    model = Sequential([Embedding(9, 2, input_shape=(None,), input_length=4)])
    assert model.output_shape == (None, 4, 2)


def test_a_type_of_whole_numbers_says_what_comes_in():
    """Old code gives dtype='int32' for codes; the rows are floats all the same."""
    typed = [Embedding(9, 2, dtype="int32")]
    for stack in (typed, [Input((3,), dtype="int32"), Embedding(9, 2)]):
        model = Sequential(stack)
        assert model.dtype == "float32"
        assert model.predict(np.ones((2, 3), int)).dtype == np.float32


def test_mask_zero_masks_the_padding():
    """Where the code is 0; without it nothing is masked, and a mask ends here."""
    model = Sequential([Embedding(5, 2, mask_zero=True), Activation("tanh")])
    model.predict(np.array([[1, 0, 3], [0, 0, 4]]))
    expected = [[True, False, True], [False, False, True]]
    np.testing.assert_array_equal(model.output_mask, expected)
    assert not Sequential([Embedding(5, 2)]).trace_mask(None)
    maker = Embedding(5, 2, mask_zero=True)
    assert maker.trace_mask(None) is maker
    model = Sequential([Masking(input_shape=(3, 1)), Embedding(2, 2)])
    model.predict(np.ones((2, 3, 1)))
    assert model.output_mask is None


def test_padding_does_not_count_in_the_loss():
    """A longer padding changes neither the loss nor the gradient of the others."""
    losses = []
    for padding in (1, 4):
        model = Sequential([Embedding(6, 2, "ones", mask_zero=True), Dense(1)])
        model.layers[1].set_weights([np.ones((2, 1)), np.zeros(1)])
        model.compile("sgd", "mse")
        assert not model._replays
        x = np.array([[1, 2, 3] + [0] * padding])
        losses.append(model.train_on_batch(x, 5.0 * (x[..., None] > 0)))
    assert losses[0] == losses[1]


def test_an_embedding_behind_other_layers_still_checks_its_codes():
    """Such a model is not replayed: its codes are only known batch by batch."""
    model = small_model(Reshape((4,), input_shape=(2, 2)), Embedding(20, 3))
    assert not model._replays
    x, t = codes_and_targets()
    model.fit(x.reshape(-1, 2, 2), t, verbose=0)
    with pytest.raises(IndexError, match=r"code 20 at \[0, 0\] of the input"):
        model.fit(0 * x.reshape(-1, 2, 2) + 20, t, verbose=0)


class Numbering(Layer):
    """A layer of one's own that makes codes."""

    def forward(self, x, training):
        """Return whole numbers."""
        return (10 * x).astype(np.int32)


def test_codes_made_by_a_layer_are_checked_too():
    """Also when they are int32 already."""
    model = Sequential([Numbering(input_shape=(3,)), Embedding(5, 2)])
    assert model.predict(np.full((2, 3), 0.4)).shape == (2, 3, 2)
    with pytest.raises(IndexError, match=r"code 9 at \[0, 0\] of the input"):
        model.predict(np.full((2, 3), 0.9))


def test_penalties_and_constraints_act_on_the_table():
    """Config round trip with all arguments."""
    layer = Embedding(
        5, 2, "ones", "l2", "l1", "non_neg", mask_zero=True, input_length=3
    )
    model = Sequential([layer, Dense(1)])
    assert layer.W.regularizer.l2 == 0.01 and layer.activity_regularizer.l1 == 0.01
    assert type(layer.W.constraint).__name__ == "NonNeg"
    clone = Sequential.from_config(model.get_config())
    assert clone.get_config() == model.get_config()
    np.testing.assert_array_equal(clone.get_weights()[0], np.ones((5, 2)))


# ---- errors -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "change, error, message",
    [
        (
            lambda x: x + 20,
            IndexError,
            r"code 20 at \[0, 1\] of x.* has no row: with input_dim=20 ",
        ),
        (
            lambda x: x - 1.0,
            IndexError,
            r"code -1 at \[0, 1\] of x .* go from 0 to 19\.",
        ),
        (lambda x: x + 2**32, IndexError, "code 4294967296 at"),
        (
            lambda x: x + 0.5,
            ValueError,
            r"must be whole numbers, got 0.5 at \[0, 1\] of x",
        ),
        (lambda x: x * np.nan, ValueError, r"must be whole numbers, got nan"),
        (lambda x: x + np.inf, IndexError, "code inf at"),
    ],
)
def test_codes_without_a_row_are_refused_before_anything_is_trained(
    change, error, message
):
    """The first wrong one is named with its place, and no weight has changed."""
    x, t = codes_and_targets()
    x[0] = 3
    x[0, 1] = 0
    model = small_model()
    before = model.get_weights()
    wrong = x.astype(np.float64) if change(x).dtype.kind == "f" else x.copy()
    wrong[0, 1] = change(wrong)[0, 1]
    calls = [
        lambda: model.fit(wrong, t, verbose=0),
        lambda: model.predict(wrong),
        lambda: model.evaluate(wrong, t, verbose=0),
        lambda: model(wrong),
        lambda: model.fit(x, t, validation_data=(wrong, t), verbose=0),
    ]
    for call in calls:
        with pytest.raises(error, match=message):
            call()
    for a, b in zip(before, model.get_weights()):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Embedding(0, 2), "input_dim must be a positive integer"),
        (lambda: Embedding(3, -1), "output_dim must be a positive integer"),
        (lambda: Embedding(2**31, 1), "input_dim must be at most 2147483647"),
        (lambda: Embedding(3, 2, input_length=0), "must be positive"),
        (
            lambda: Sequential([Embedding(3, 2, input_shape=(5,), input_length=4)]),
            r"input_length is 4, got an input of shape \(batch, 5\)",
        ),
        (
            lambda: Embedding(3, 2, input_length=4)(np.ones((2, 3))),
            r"input_length is 4, got an input of shape \(2, 3\)",
        ),
        (
            lambda: Sequential(
                [Embedding(3, 2, input_shape=(None,), input_length=4)]
            ).predict(np.ones((2, 5))),
            "input_length is 4",
        ),
        (
            lambda: Embedding(3, 2, input_length=(4, 4))(np.ones((2, 4))),
            r"input_length is \(4, 4\)",
        ),
        (lambda: Embedding(3, 2)(np.ones(2)), "at least 2 axes"),
    ],
)
def test_bad_arguments_are_explained(make, message):
    """Who, expected what, got what."""
    with pytest.raises(ValueError, match=message):
        make()
