"""What a layer computes, in one line."""

import pytest

from kerasnb import Merge, Sequential
from kerasnb.formula import forward_line
from kerasnb.layers import (
    CLASSES,
    GRU,
    LSTM,
    Activation,
    Conv2D,
    Dense,
    Flatten,
    Lambda,
    Layer,
    LSTMCell,
    RepeatVector,
)


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_every_layer_has_a_formula(name):
    """In its docstring, or in that of the class it stands on."""
    kinds = CLASSES[name].__mro__
    found = [forward_line(vars(kind).get("__doc__") or "") for kind in kinds]
    assert any(found) or name in ("Merge", "Cell", "StackedRNNCells")


def test_activations_are_named():
    """A linear one is left out, the others stand where the docstring says f."""
    assert Dense(3).formula == "y = x W + b"
    assert Dense(3, activation="tanh").formula == "z = x W + b, y = tanh(z)"
    assert Activation("relu").formula == "y = relu(x)"
    conv = "[n, r, c] = b + sum over q, s of x[n, j, l] W[q, s]"
    assert Conv2D(2, 3).formula == "y" + conv
    assert Conv2D(2, 3, activation="relu").formula == f"z{conv}, y = relu(z)"


def test_gates_are_named():
    """phi and sigma are the activations of a recurrent layer."""
    text = LSTM(3, recurrent_activation="sigmoid").formula
    assert "i, f, o = sigmoid(x[s] W + b + h[s] U), g = tanh(x[s] W" in text
    assert text.endswith("h[s + 1] = o tanh(c[s + 1])")
    assert "p, q = hard_sigmoid(" in GRU(3).formula
    assert LSTMCell(3).formula.startswith("i, f, o = hard_sigmoid(")


def test_remarks_on_shapes_are_left_out():
    """What stands behind the formula, not a formula that is a shape."""
    assert RepeatVector(3).formula == "y[n, t, d] = x[n, d]"
    assert Flatten().formula.startswith("(N, R, C, K) -> (N, R C K)")


def test_layers_that_hold_others():
    """A model says that its layers do the work, a Merge how it joins."""
    model = Sequential([Dense(1, input_shape=(2,))])
    assert model.formula == "its layers, one after the other"
    assert Merge([Dense(1), Dense(1)], mode="mul").formula == "y = x1 x2 ..."


def test_lines_of_a_docstring():
    """Several lines become one; the first line of the way back ends it."""
    doc = """
    Some layer.

    forward     u = x A,   of all
                y = u B                              (N, O)
    backward    du = dy BT
    """
    assert forward_line(doc) == "u = x A, of all, y = u B"
    assert forward_line("forward     y = x,\n            z = y") == "y = x, z = y"
    assert forward_line("Nothing here.") == ""


def test_a_layer_of_ones_own():
    """The line of its docstring, its attribute, or else y = f(x)."""

    class Twice(Layer):
        """
        Doubles.

        forward     y = 2 x
        """

    class Thrice(Layer):
        formula = "y = 3 x"

    class Silent(Layer):
        pass

    assert Twice().formula == "y = 2 x"
    assert Thrice().formula == "y = 3 x"
    assert Silent().formula == Lambda(lambda x: x).formula == "y = f(x)"
