"""Arrays of Keras 1 and of CuDNN: there and back, and the same numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasnb import keras1
from kerasnb.gate_order import from_cudnn, from_keras1, to_cudnn, to_keras1
from kerasnb.layers import GRU, LSTM, CuDNNGRU, SimpleRNN

SIZES = st.integers(1, 5)


def arrays(gates, D, u, bias=None):
    """Return [W, U, b] for so many gates."""
    rng = np.random.default_rng(D + u)
    bias = bias or (gates * u,)
    return [rng.normal(size=s) for s in ((D, gates * u), (u, gates * u), bias)]


# ---- Keras 1 ----------------------------------------------------------------------


def test_the_gates_of_keras_1():
    """GRU: z, r, h; LSTM: i, c, f, o, where ours are i, f, c, o."""
    for gates in ("zrh", "icfo"):
        given = [np.full((1,) * k, g) for g in gates for k in (2, 2, 1)]
        found = [array.ravel().tolist() for array in from_keras1(given)]
        assert found == [list({"icfo": "ifco"}.get(gates, gates))] * 3


@given(gates=st.sampled_from([3, 4]), D=SIZES, u=SIZES)
def test_keras_1_and_back(gates, D, u):
    """Every array returns, and those in between have the shapes of one gate."""
    ours = arrays(gates, D, u)
    theirs = to_keras1(ours)
    assert [a.shape for a in theirs] == [(D, u), (u, u), (u,)] * gates
    for a, b in zip(from_keras1(theirs), ours):
        np.testing.assert_array_equal(a, b)


def test_layers_of_keras_1_take_their_arrays():
    """By `weights=` and `set_weights`; ours too, and no other number of them."""
    x = np.random.default_rng(0).normal(size=(2, 4, 3))
    for kind, modern, gates in ((keras1.LSTM, LSTM, 4), (keras1.GRU, GRU, 3)):
        ours = arrays(gates, 3, 2)
        expected = modern(2, weights=ours)(x)
        np.testing.assert_array_equal(kind(2, weights=to_keras1(ours))(x), expected)
        layer = kind(2, input_shape=(4, 3))
        layer.connect((None, 4, 3))
        layer.set_weights(ours)
        np.testing.assert_array_equal(layer(x), expected)
        with pytest.raises(ValueError, match="expected 3 weight arrays, got 4"):
            layer.set_weights([*ours, ours[0]])


def test_a_simple_rnn_of_keras_1_has_the_arrays_of_today():
    """It has no gates."""
    x = np.random.default_rng(0).normal(size=(2, 4, 3))
    ours = arrays(1, 3, 2)
    found = keras1.SimpleRNN(2, weights=ours)(x)
    np.testing.assert_array_equal(found, SimpleRNN(2, weights=ours)(x))


# ---- CuDNN ------------------------------------------------------------------------


@given(gates=st.sampled_from([3, 4]), D=SIZES, u=SIZES)
def test_cudnn_and_back(gates, D, u):
    """The sum of an LSTM's biases returns, and all the rest as it was."""
    ours = arrays(gates, D, u, (2, 3 * u) if gates == 3 else None)
    theirs = to_cudnn(ours)
    assert [a.shape for a in theirs] == [
        (D, gates * u), (u, gates * u), (2 * gates * u,),
    ]  # fmt: skip
    for a, b in zip(from_cudnn(theirs), ours):
        np.testing.assert_allclose(a, b, rtol=1e-15)


def test_biases_of_cudnn():
    """An LSTM has two that are added; a GRU keeps a row for inputs, one for states."""
    W, U = np.ones((1, 4)), np.ones((1, 4))
    b = np.arange(8.0)
    np.testing.assert_array_equal(from_cudnn([W, U, b])[2], [4, 6, 8, 10])
    b = np.arange(6.0)
    found = from_cudnn([W[:, :3], U[:, :3], b])
    np.testing.assert_array_equal(found[2], [[0, 1, 2], [3, 4, 5]])
    layer = CuDNNGRU(1, weights=found)
    layer.connect((None, 2, 1))


def test_blocks_of_cudnn_lie_the_other_way_round():
    """W holds the numbers of (u, D) gate by gate, U its transpose."""
    W = np.concatenate([np.arange(6.0).reshape(2, 3)] * 4, axis=1)
    U = np.concatenate([np.arange(9.0).reshape(3, 3)] * 4, axis=1)
    found = from_cudnn([W, U, np.zeros(24)])
    np.testing.assert_array_equal(found[0][:, :3], [[0, 2, 4], [1, 3, 5]])
    np.testing.assert_array_equal(found[1][:, 3:6], np.arange(9.0).reshape(3, 3).T)


@pytest.mark.filterwarnings("ignore")  # of the other library's parts
@pytest.mark.parametrize("kind, gates", [("GRU", 3), ("LSTM", 4)])
@pytest.mark.parametrize("D, u", [(1, 1), (2, 3), (5, 4)])
def test_tensorflow_arranges_the_arrays_of_cudnn_alike(kind, gates, D, u):
    """Its own converter of such files: from the cards and onto them."""
    theirs = pytest.importorskip("tensorflow.python.keras.saving.hdf5_format")

    def converted(name, given):
        layer = type(name, (), {"name": name, "units": u, "reset_after": True})()
        return theirs._convert_rnn_weights(layer, given)

    cards = arrays(gates, D, u, (2 * gates * u,))
    for a, b in zip(from_cudnn(cards), converted(kind, cards)):
        np.testing.assert_array_equal(a, b)
    plain = arrays(gates, D, u, (2, 3 * u) if gates == 3 else None)
    for a, b in zip(to_cudnn(plain), converted(f"CuDNN{kind}", plain)):
        np.testing.assert_allclose(a, b, rtol=1e-15)


# ---- errors -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: from_keras1(arrays(4, 2, 2)), "the 9 arrays of a GRU .*, got 3"),
        (lambda: to_keras1([1, 2]), "to_keras1: expected the three arrays W, U and b"),
        (lambda: to_keras1(arrays(1, 2, 2)), r"U of shape \(u, 3 u\) or .*\(2, 2\)"),
        (lambda: to_keras1([1, 2, 3]), r"of a GRU or an LSTM, .* got \(\)"),
        (lambda: to_keras1(arrays(3, 2, 2, (2, 6))), "no GRU with reset_after"),
        (lambda: from_cudnn(arrays(4, 2, 2)), r"a bias of shape \(16,\), .*got \(8,\)"),
        (lambda: to_cudnn(arrays(3, 2, 2)), r"a GRU with reset_after, got .*\(6,\)"),
    ],
)
def test_other_arrays_are_refused(call, message):
    """What was expected, what came."""
    with pytest.raises(ValueError, match=message):
        call()
