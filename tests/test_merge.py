"""Merge and Fork: several inputs, several outputs, branches that train."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kerasnb
from kerasnb import Fork, Merge, Sequential
from kerasnb import backend as K
from kerasnb import check_layer, layers
from kerasnb.layers import (
    Activation,
    Add,
    Concatenate,
    Dense,
    Dropout,
    Flatten,
    Input,
    Layer,
    Masking,
)
from kerasnb.utils import custom_object_scope

A = np.array([[1.0, 2.0], [3.0, -4.0]])
B = np.array([[5.0, 1.0], [0.0, 2.0]])


def branches(*widths, units=3):
    """Return a small model for inputs of each width."""
    return [
        Sequential([Dense(4, "tanh", input_shape=(width,)), Dense(units)])
        for width in widths
    ]


# ---- values and gradients ---------------------------------------------------------


@pytest.mark.parametrize(
    "mode, expected",
    [
        ("sum", [[6, 3], [3, -2]]),
        ("mul", [[5, 2], [0, -8]]),
        ("ave", [[3, 1.5], [1.5, -1]]),
        ("max", [[5, 2], [3, 2]]),
        ("sub", [[-4, 1], [3, -6]]),
        ("concat", [[1, 2, 5, 1], [3, -4, 0, 2]]),
        ("dot", [[7], [-8]]),
        ("cos", [[[7 / np.sqrt(5 * 26)]], [[-8 / 10]]]),
    ],
)
def test_merge_joins_in_every_mode(mode, expected, float64):
    """The values, and the shape that is declared: 'cos' has one more axis."""
    layer = Merge(mode=mode)
    np.testing.assert_allclose(layer([A, B]), expected, rtol=1e-12)
    assert layer.output_shape == (None, *np.shape(expected)[1:])
    identities = [Input((2,)), Input((2,))]
    model = Sequential([Merge(identities, mode=mode)])
    np.testing.assert_array_equal(model([A, B]), layer([A, B]))
    assert model.output_shape == layer.output_shape


@pytest.mark.parametrize("mode", ["sum", "mul", "ave", "max", "concat"])
def test_nested_branches_have_right_gradients(mode, float64):
    """For all weights and all inputs of three branches."""
    model = Sequential([Merge(branches(2, 5, 3), mode=mode), Dense(2, "tanh")])
    assert check_layer(model, [(2,), (5,), (3,)]).passed


@pytest.mark.parametrize("mode", ["sub", "dot", "cos"])
def test_modes_of_two_have_right_gradients(mode, float64):
    """For all weights and both inputs."""
    model = Sequential(
        [Merge(branches(2, 5), mode=mode), Flatten()][: 1 + (mode == "cos")]
    )
    assert check_layer(model, [(2,), (5,)]).passed


def test_axes_belong_to_their_modes(float64):
    """concat_axis and dot_axes count the batch."""
    u, v = np.random.default_rng(0).normal(size=(2, 5, 3, 4))
    y = Merge(mode="concat", concat_axis=1)([u, v])
    np.testing.assert_array_equal(y, np.concatenate([u, v], axis=1))
    y = Merge(mode="dot", dot_axes=(2, 2))([u, v])
    np.testing.assert_allclose(y, np.einsum("nak,nbk->nab", u, v), rtol=1e-10)
    y = Merge(mode="cos", dot_axes=1)([u, v])
    sizes = [np.linalg.norm(x, axis=1) for x in (u, v)]
    expected = np.einsum("nka,nkb->nab", u, v) / np.einsum("na,nb->nab", *sizes)
    np.testing.assert_allclose(y, expected[:, None], rtol=1e-10)


def test_the_divisor_of_cos_is_at_least_epsilon(float64):
    """Zero vectors give 0, tiny ones less than a cosine."""
    tiny = 1e-4 * np.ones((1, 1))
    y = Merge(mode="cos")([tiny, tiny])
    np.testing.assert_allclose(y, [[[1e-8 / kerasnb.epsilon()]]], rtol=1e-12)
    assert Merge(mode="cos")([0 * tiny, tiny])[0, 0, 0] == 0


# ---- several inputs ---------------------------------------------------------------


def test_a_merge_first_gives_a_model_several_inputs():
    """In the order of the branches, named after their first layers."""
    left = Sequential([Dense(4, input_shape=(3,), name="left")])
    right = Dense(4, input_shape=(5,), name="right")
    pixels = Sequential([Input((2,), name="pixels"), Dense(4)])
    model = Sequential([Merge([left, right, pixels], mode="concat"), Dense(1)])
    assert model.built and model.input_shape == [(None, 3), (None, 5), (None, 2)]
    assert model.input_names == ["left_input", "right_input", "pixels"]
    assert model.output_shape == (None, 1) and model.output_names == ["dense_2"]
    assert [type(layer) for layer in model.layers] == [Merge, Dense]
    assert model.count_params() == 4 * 4 + 6 * 4 + 3 * 4 + 13
    x = [np.ones((2, width), np.float32) for width in (3, 5, 2)]
    joined = np.hstack([left(x[0]), right(x[1]), pixels(x[2])])
    np.testing.assert_array_equal(model.forward(x, False), model.layers[1](joined))


def test_a_branch_may_have_several_inputs_itself(float64):
    """Lists are flattened: three arrays go in, in the order of the leaves."""
    inner = Sequential([Merge(branches(2, 3), mode="mul"), Dense(3)])
    model = Sequential([Merge([inner, *branches(4)]), Dense(1)])
    assert model.input_shape == [(None, 2), (None, 3), (None, 4)]
    assert len(set(model.input_names)) == 3
    assert check_layer(model, [(2,), (3,), (4,)]).passed


def test_all_outputs_of_a_branch_are_merged(float64):
    """Fork inside Merge inside Sequential nests."""
    forked = Sequential(
        [Dense(4, input_shape=(2,)), Fork([Dense(3), Dense(3, "tanh")])]
    )
    model = Sequential([Merge([forked, *branches(4)], mode="mul"), Dense(1)])
    assert check_layer(model, [(2,), (4,)]).passed
    assert model.input_names == ["dense_1_input", "dense_4_input"]


def test_the_input_shapes_may_come_late():
    """build takes a list of shapes, one per branch; the config remembers it."""
    model = Sequential([Add([Sequential([Dense(4)]), Dense(4)]), Dense(1)])
    assert not model.built and model.weights == []
    model.build([(None, 3), (None, 5)])
    assert model.input_shape == [(None, 3), (None, 5)] and len(model.weights) == 6
    config = json.loads(json.dumps(model.get_config()))
    assert config["build_input_shape"] == [[None, 3], [None, 5]]
    clone = Sequential.from_config(config)
    assert clone.input_shape == model.input_shape and clone.get_config() == config
    assert clone.input_names == model.input_names


def test_a_merge_without_branches_joins_what_comes_in():
    """As first layer it is built for a list of shapes."""
    model = Sequential([Merge(mode="concat"), Dense(2)])
    model.build([(None, 3), (None, 1)])
    assert model.input_names == ["merge_1_input_1", "merge_1_input_2"]
    assert model([np.ones((2, 3)), np.ones((2, 1))]).shape == (2, 2)


def test_pop_and_add_work_with_several_inputs():
    """With no layer left, there is no shape left."""
    model = Sequential([Merge(branches(2, 3)), Fork([Dense(1), Dense(2)])])
    assert model.output_shape == [(None, 1), (None, 2)]
    model.pop()
    assert model.output_shape == (None, 3) and model.output_names == ["merge_1"]
    model.pop()
    assert not model.built and model.input_shape is None
    model.add(Dense(2, input_shape=(3,)))
    assert model.input_shape == (None, 3)


# ---- one input, several ways ------------------------------------------------------


def test_branches_within_a_model_share_their_input(float64):
    """Branches without an input shape all get what the layer before gives."""
    ways = [Dense(2, "tanh"), Sequential([Dense(3, "tanh"), Dense(4)])]
    model = Sequential([Dense(5, input_shape=(3,)), Concatenate(ways), Dense(1)])
    assert model.layers[1].output_shape == (None, 6)
    assert model.input_names == ["dense_4_input"]
    assert check_layer(model, (3,)).passed
    x = np.random.default_rng(0).normal(size=(4, 3))
    middle = model.layers[0](x)
    joined = np.hstack([way(middle) for way in ways])
    np.testing.assert_array_equal(model(x), model.layers[2](joined))


@pytest.mark.parametrize(
    "make",
    [
        lambda: [Merge([Dense(2), Dense(2)], input_shape=(3,))],
        lambda: [Fork([Dense(2), Dense(2)], input_shape=(3,)), Add()],
        lambda: [Fork([Dense(2, input_shape=(3,)), Sequential([Dense(2)])]), Add()],
    ],
)
def test_a_model_may_begin_with_a_parting(make):
    """With an input shape of its own the first layer gives its one input to all."""
    model = Sequential(make())
    assert model.built and model.input_shape == (None, 3)
    assert model.input_names == [f"{model.layers[0].name}_input"]
    clone = Sequential.from_config(model.get_config())
    assert clone.input_shape == (None, 3) and clone.get_config() == model.get_config()


def test_a_late_model_may_share_its_input_too():
    """One shape for build means one input; the config tells the two cases apart."""
    model = Sequential([Add([Sequential([Dense(4)]), Dense(4)])])
    model.build((None, 3))
    assert model.input_names == ["sequential_2_input"]
    clone = Sequential.from_config(model.get_config())
    assert clone.input_shape == (None, 3) and clone.get_config() == model.get_config()
    assert clone.input_names == model.input_names


def test_a_residual_connection(float64):
    """Fork and a Merge that takes the list: y = x + f(x)."""
    f = Sequential([Dense(4, "tanh"), Dense(3)])
    around = [f, Activation("linear")]
    model = Sequential([Dense(3, input_shape=(2,)), Fork(around), Merge(), Dense(1)])
    assert check_layer(model, (2,)).passed
    x = model.layers[0](np.ones((4, 2)))
    np.testing.assert_allclose(model.layers[3](x + f(x)), model(np.ones((4, 2))))


# ---- several outputs --------------------------------------------------------------


def test_fork_last_gives_several_named_outputs(float64):
    """One per head; a head that forks counts for each of its own heads."""
    kinds = Sequential(
        [Dense(4), Fork([Dense(2, name="colour"), Dense(3, name="shape")])]
    )
    age = Sequential([Dense(4, "relu"), Dense(1)], name="age")
    model = Sequential([Dense(5, input_shape=(3,)), Fork([age, kinds])])
    assert model.output_names == ["age", "colour", "shape"]
    assert model.output_shape == [(None, 1), (None, 2), (None, 3)]
    outputs = model.forward(np.ones((4, 3)), False)
    assert [y.shape for y in outputs] == [(4, 1), (4, 2), (4, 3)]
    assert Sequential([model]).output_names == model.output_names
    assert model.layers[1].heads == [age, kinds]


def test_the_gradients_of_all_heads_add_up(float64):
    """For the weights below the Fork, and for the input."""
    heads = [Dense(2), Sequential([Dense(3, "tanh"), Fork([Dense(1), Dense(2)])])]
    model = Sequential([Dense(4, "tanh", input_shape=(3,)), Fork(heads)])
    assert check_layer(model, (3,)).passed


@given(count=st.integers(2, 4), N=st.integers(1, 5))
def test_equal_heads_multiply_the_gradient(count, N):
    """dx is the sum over the heads."""
    fork = Fork([Activation("linear", dtype="float64") for _ in range(count)])
    x, dy = np.random.default_rng(N).normal(size=(2, N, 3))
    for y in fork(x):
        np.testing.assert_array_equal(y, x)
    np.testing.assert_allclose(fork.backward([dy] * count), count * dy, rtol=1e-12)


# ---- as a layer among layers ------------------------------------------------------


def test_weights_come_in_the_order_of_the_branches():
    """walk, weights, set_weights and trainable reach into branches and heads."""
    first, second = branches(2, 3)
    model = Sequential([Merge([first, second]), Fork([Dense(1), Dense(2)])])
    shapes = [w.shape for w in first.weights + second.weights]
    assert [w.shape for w in model.get_weights()][:8] == shapes
    assert [w.shape for w in model.get_weights()][8:] == [(3, 1), (1,), (3, 2), (2,)]
    model.set_weights([w + 1 for w in model.get_weights()])
    assert second.get_weights()[1].max() == 1
    assert model.layers[0].branches == [first, second]
    walked = list(model.walk())
    assert all(layer in walked for layer in (first, *first.layers, *second.layers))
    second.trainable = False
    assert len(model.trainable_weights) == 8 and len(model.weights) == 12
    model.layers[0].trainable = False
    assert len(model.trainable_weights) == 4
    assert len(model.non_trainable_weights) == 8


def test_gradients_go_no_deeper_than_somebody_learns(float64):
    """Raw inputs need no gradient; those of the weights are the same without."""
    frozen, learns = branches(2, 3)
    frozen.trainable = False
    model = Sequential([Merge([frozen, learns]), Dense(1)])
    gradients = []
    for needed in (True, False):
        model.needs_dx = needed
        for weight in model.trainable_weights:
            weight.grad = np.full_like(weight.value, np.nan)
        model.forward([np.ones((4, 2)), np.ones((4, 3))], True)
        dx = model.backward(np.ones((4, 1)))
        gradients.append([weight.grad.copy() for weight in model.trainable_weights])
        assert (dx is not None) == needed
        assert learns.layers[0].needs_dx == frozen.layers[1].needs_dx == needed
        assert learns.layers[1].needs_dx
    for a, b in zip(*gradients):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("single", [True, False])
def test_branches_may_have_activity_penalties(single, float64):
    """The gradient of loss plus penalty is right for a layer and for a model."""
    layer = Dense(2, activity_regularizer="l2", input_shape=(3,))
    branch = layer if single else Sequential([layer])
    model = Sequential([Merge([branch, Dense(2, input_shape=(2,))])])
    rng = np.random.default_rng(0)
    x = [rng.normal(size=(4, 3)), rng.normal(size=(4, 2))]
    dy, direction = rng.normal(size=(4, 2)), rng.normal(size=(3, 2))
    layer.W.grad = np.zeros_like(layer.W.value)

    def objective(step=0.0):
        layer.W.value += step * direction
        y = model.forward(x, True)
        layer.W.value -= step * direction
        return (dy * y).sum() + layer.activity_regularizer(layer.activity)

    objective()
    model.backward(dy)
    slope = (objective(1e-5) - objective(-1e-5)) / 2e-5
    np.testing.assert_allclose((layer.W.grad * direction).sum(), slope, rtol=1e-7)


def test_a_small_step_lowers_the_loss_of_two_branches(float64):
    """Plain gradient descent, by hand."""
    model = Sequential([Merge(branches(2, 3), mode="mul"), Dense(1)])
    rng = np.random.default_rng(0)
    x, t = [rng.normal(size=(20, 2)), rng.normal(size=(20, 3))], rng.normal(
        size=(20, 1)
    )
    for weight in model.weights:
        weight.grad = np.zeros_like(weight.value)
    losses = []
    for _ in range(20):
        error = model.forward(x, True) - t
        losses.append((error**2).mean())
        model.backward(2 * error / len(error))
        for weight in model.weights:
            weight.value -= 0.05 * weight.grad
    assert all(after < before for before, after in zip(losses, losses[1:]))


def test_training_and_chance_reach_the_branches(float64):
    """Dropout in a branch drops in training only."""
    model = Sequential([Merge([Dropout(0.5, input_shape=(50,)), Input((50,))])])
    x = [np.ones((2, 50)), np.zeros((2, 50))]
    np.testing.assert_array_equal(model.forward(x, False), x[0])
    assert set(np.unique(model.forward(x, True))) == {0.0, 2.0}


def test_a_stateful_layer_makes_the_whole_stateful():
    """Whether it is in a branch or in a head."""

    class Remembers(Layer):
        stateful = True

    assert Sequential([Merge([Dense(1), Remembers()])]).stateful
    assert not Sequential([Fork([Dense(1), Dense(2)])]).stateful


# ---- configuration and summary ----------------------------------------------------


def everything():
    """Return a model of all kinds of nesting."""
    inner = Sequential([Add(branches(2, 3)), Fork([Dense(3), Dense(3)])])
    return Sequential(
        [
            Merge([inner, Dense(3, input_shape=(4,))], mode="concat", concat_axis=1),
            Merge([Dense(2), Dense(2)], mode="cos", dot_axes=(1, 1)),
            Flatten(),
            Fork(
                [Dense(2, name="p"), Sequential([Dense(2), Fork([Dense(1), Dense(2)])])]
            ),
        ]
    )


def test_a_configuration_holds_branches_and_heads():
    """Under 'layers' and 'heads', as plain values, with all that they hold."""
    model = everything()
    config = json.loads(json.dumps(model.get_config()))
    clone = Sequential.from_config(config)
    assert clone.get_config() == model.get_config()
    assert clone.input_names == model.input_names
    assert clone.output_names == model.output_names
    assert "layers" in config["layers"][0]["config"]
    assert "heads" in config["layers"][-1]["config"]
    x = [np.ones((2, width), np.float32) for width in (2, 3, 4)]
    clone.set_weights(model.get_weights())
    for a, b in zip(model(x), clone(x)):
        np.testing.assert_array_equal(a, b)


def test_layers_of_ones_own_may_stand_in_branches():
    """custom_objects reaches them."""

    class Twice(Layer):
        def forward(self, x, training):
            return 2 * x

    model = Sequential([Merge([Sequential([Twice(input_shape=(2,))]), Input((2,))])])
    with pytest.raises(ValueError, match="Unknown layer 'Twice'"):
        Sequential.from_config(model.get_config())
    clone = Sequential.from_config(model.get_config(), {"Twice": Twice})
    np.testing.assert_array_equal(clone([A, B]), 2 * A.astype("f") + B)


def test_summary_shows_all_output_shapes():
    """Branches and heads are counted, each in the row of its layer."""
    lines = []
    model = Sequential([Merge(branches(2, 3)), Fork([Dense(1), Dense(2)])])
    model.summary(print_fn=lines.append, line_length=80)
    assert lines[3].split("  ")[0] == "merge_1 (Merge)"
    assert lines[3].split()[-1] == str(12 + 15 + 16 + 15)
    assert "[(None, 1), (None, 2)]" in lines[5] and lines[5].split()[-1] == "12"
    assert "Total params: 70" in lines


# ---- an object of one's own -------------------------------------------------------


class Difference:
    """The square of a difference, scaled: a mode of one's own."""

    def forward(self, inputs, scale=1.0):
        """Return scale (a - b)^2."""
        a, b = inputs
        return scale * (a - b) ** 2

    def backward(self, dy, inputs, scale=1.0):
        """Return the two gradients."""
        a, b = inputs
        slope = 2 * scale * (a - b) * dy
        return [slope, -slope]


class Forward:
    """Half of a mode."""

    def forward(self, inputs):
        """Return the first array."""
        return inputs[0]


@pytest.mark.parametrize("shape", [(3,), lambda shapes: shapes[0]])
def test_an_object_may_say_how_to_merge(shape, float64):
    """It has forward and backward; arguments go to both."""
    arguments = {"scale": 0.5}
    layer = Merge(
        branches(2, 4), mode=Difference(), output_shape=shape, arguments=arguments
    )
    model = Sequential([layer, Dense(1)])
    assert layer.output_shape == (None, 3)
    assert check_layer(model, [(2,), (4,)]).passed
    assert layer.get_config()["arguments"] == arguments


def test_an_object_says_its_mask_too():
    """output_mask is the mask, or a function of the masks, if there is one."""
    x = np.ones((2, 3, 2), np.float32)
    x[0, 1] = 0
    mask = np.zeros((2, 3), bool)
    for declared, expected in (
        (None, None),
        (mask, mask),
        (lambda masks: ~masks[0], ~x.any(axis=2)),
    ):
        layer = Merge(
            [Masking(input_shape=(3, 2)), Input((3, 2))],
            mode=Difference(),
            output_shape=(3, 2),
            output_mask=declared,
        )
        model = Sequential([layer])
        model([x, x])
        assert (model.output_mask is None) == (expected is None)
        if expected is not None:
            np.testing.assert_array_equal(model.output_mask, expected)


def test_what_an_object_returns_is_checked():
    """Shapes of the result and of the gradients."""

    class Wrong(Difference):
        def backward(self, dy, inputs):
            return super().backward(dy, inputs)[:1]

    with pytest.raises(ValueError, match=r"an array of shape \(2, 2\), but output_sh"):
        Merge(mode=Difference(), output_shape=(3,))([A, B])
    layer = Merge(mode=Wrong(), output_shape=(2,))
    layer([A, B])
    with pytest.raises(ValueError, match="one gradient per input, of shapes"):
        layer.backward(A)


# ---- a function of one's own -------------------------------------------------------


def gated(inputs, power=1):
    """Return a sigmoid(b)^power: K on a list of arrays."""
    a, b = inputs
    return a * K.pow(K.sigmoid(b), power)


@pytest.mark.parametrize("shape", [None, (3,), lambda shapes: shapes[0]])
def test_a_function_may_say_how_to_merge(shape, float64):
    """The tape finds its gradients; the output shape may be left out."""
    layer = Merge(
        branches(2, 4), mode=gated, output_shape=shape, arguments={"power": 2}
    )
    model = Sequential([layer, Dense(1)])
    assert layer.output_shape == (None, 3)
    assert check_layer(model, [(2,), (4,)]).passed
    np.testing.assert_allclose(
        Merge(mode=gated)([A, B]), gated([A, B]).astype("f"), rtol=1e-6
    )


def test_a_function_is_configured_by_its_name():
    """custom_objects supplies the function, for the output shape and mask too."""

    def shape(shapes):
        return shapes[0]

    config = Merge(mode=gated, output_shape=shape, output_mask=shape).get_config()
    assert config["mode"] == "gated" and config["output_shape"] == "shape"
    with custom_object_scope({"gated": gated, "shape": shape}):
        layer = Merge.from_config(json.loads(json.dumps(config)))
    assert layer.mode is gated and layer.declared["output_mask"] is shape
    with pytest.raises(ValueError, match="Unknown merge mode 'gated'"):
        Merge.from_config({**config, "output_shape": None, "output_mask": None})


def test_a_function_without_a_slope_is_named_when_it_should_learn():
    """Comparing and rounding lead nowhere."""
    layer = Merge(mode=lambda xs: K.round(xs[0]) + K.cast(xs[1] > 0, "float32"))
    layer([A, B])
    with pytest.raises(ValueError, match="merge_1: the result has no slope with resp"):
        layer.backward(A)


# ---- errors -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "do, error, message",
    [
        (lambda: Merge([Dense(2)]), ValueError, "at least two layers, got 1"),
        (lambda: Fork([Dense(2)]), ValueError, "at least two layers, got 1"),
        (lambda: Fork(None), ValueError, "at least two layers, got 0"),
        (lambda: Merge(Dense(2)), TypeError, "expected a list of layers, got <Dense"),
        (lambda: Merge([Dense(2), Dense]), TypeError, "forget the parentheses"),
        (lambda: Merge([Dense(2), 3]), TypeError, "expected layers, got 3"),
        (
            lambda: Merge([Dense(2), Sequential()]),
            ValueError,
            "sequential_1 has no layers",
        ),
        (lambda: Merge(mode="summ"), ValueError, "Unknown merge mode 'summ'.*'sum'"),
        (lambda: Merge(mode=[3]), ValueError, "Unknown merge mode"),
        (lambda: Merge(modes="sum"), TypeError, "Merge: unknown argument 'modes'"),
        (
            lambda: Merge(output_shape=(2,)),
            ValueError,
            "output_shape is only for a function or an object as mode, the mode is 's",
        ),
        (
            lambda: Merge(arguments={"k": 1}, mode="mul"),
            ValueError,
            "arguments is only for a function or an object",
        ),
        (
            lambda: Merge(mode=lambda a, b: a),
            TypeError,
            "mode '<lambda>': expected a function of .inputs., but it takes .a, b.",
        ),
        (
            lambda: Merge(mode=Forward()),
            TypeError,
            "an object as mode needs the methods forward.inputs., which returns",
        ),
        (lambda: Merge(mode=Difference()), ValueError, "needs output_shape"),
        (
            lambda: Fork([Dense(1, name="a"), Dense(2, name="a")]),
            ValueError,
            "branch name 'a' is used twice",
        ),
        (
            lambda: Fork(
                [
                    Dense(1, name="a"),
                    Sequential([Fork([Dense(2, name="a"), Dense(3)])]),
                ]
            ),
            ValueError,
            "output name 'a' is used twice",
        ),
        (
            lambda: Sequential(
                [Merge([Sequential([Input((2,), name="a")]) for _ in range(2)])]
            ),
            ValueError,
            "input name 'a' is used twice",
        ),
        (
            lambda: Merge([Dense(2, dtype="float64"), Dense(2, dtype="float32")]),
            TypeError,
            "must compute in float64, but dense_2 computes in float32",
        ),
        (
            lambda: Sequential(
                [Fork([Dense(1), Dense(2)], input_shape=(3,)), Dense(2)]
            ),
            ValueError,
            r"dense_3: Dense expects one array, got 2 of shapes.*Concatenate\(\)",
        ),
        (
            lambda: Sequential(
                [
                    Fork([Masking(), Masking()], input_shape=(3, 2)),
                    Sequential([Flatten()]),
                ]
            ),
            ValueError,
            "Sequential expects one array, got 2",
        ),
        (
            lambda: Sequential(
                [Dense(3, input_shape=(2,)), Merge([*branches(2), Dense(3)])]
            ),
            ValueError,
            r"sequential_1: expected input of shape \(batch, 2\), got \(batch, 3\)",
        ),
        (
            lambda: Merge([Masking(input_shape=(3, 2)), Input((3, 2))], mode="max")(
                [np.ones((1, 3, 2))] * 2
            ),
            TypeError,
            "does not support masks, but masking_1 makes one",
        ),
        (
            lambda: Sequential(
                [Merge([Masking(input_shape=(3, 2)), Input((3, 2))]), Flatten()]
            ),
            TypeError,
            "Flatten does not support masks, but masking_1",
        ),
    ],
)
def test_mistakes_are_explained(do, error, message):
    """The layer is named, and what was expected."""
    with pytest.raises(error, match=message):
        do()


def test_a_layer_cannot_stand_in_two_places():
    """Its gradients would overwrite each other."""
    shared = Dense(2, input_shape=(2,))
    with pytest.raises(ValueError, match="'dense_1' is used twice"):
        Merge([shared, Sequential([shared])])
    model = Sequential([Sequential([shared])])
    with pytest.raises(ValueError, match="add: sequential_3: the layer 'dense_1'"):
        model.add(shared)
    with pytest.raises(ValueError, match="is used twice"):
        model.add(model)


def test_a_refused_branch_leaves_the_model_as_it_was():
    """No branch is built when another does not fit."""
    first, second = Dense(2), Flatten()
    model = Sequential([Dense(4, input_shape=(3,))])
    with pytest.raises(ValueError, match="at least 3 axes"):
        model.add(Concatenate([first, second]))
    assert not first.built and len(model.layers) == 1
    model.add(Dense(1))
    assert model.output_shape == (None, 1)


def test_every_way_of_merging_has_a_name():
    """The closed table of layers knows them all."""
    for (
        name
    ) in "Merge Fork Add Subtract Multiply Average Maximum Concatenate Dot".split():
        assert layers.get(name).__name__ == name
