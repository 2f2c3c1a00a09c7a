"""One batch that passes through a model: all is seen, and nothing changes."""

import numpy as np
import pytest
import zoo

from kerasnb import Fork, Merge, Sequential, random, set_seed
from kerasnb.layers import LSTM, Activation, BatchNormalization, Dense, Dropout
from kerasnb.passage import flat, layers_in, pass_batch, unchanged


def network():
    """A model with everything that a batch could change, and a batch."""
    model = Sequential(
        [
            LSTM(4, return_sequences=True, stateful=True, batch_input_shape=(6, 3, 2)),
            BatchNormalization(),
            Dropout(0.5),
            Dropout(0.5, seed=3),
            Dense(1),
        ]
    )
    model.compile("adam", "mse", metrics=["mae"])
    x = random.generator().normal((6, 3, 2))
    return model, x, np.ones((6, 3, 1))


def everything(model):
    """All that a training goes on from."""
    found = [*model.get_weights(), *model.optimizer.get_state().values()]
    for layer in model.walk():
        states = layer.get_state().get("states") if layer.state_names else None
        found += states or []
    found += [w.grad for w in model.trainable_weights]
    dropout = model.layers[3].generator.get_state()
    return [np.array(one) for one in found], random.generator().get_state(), dropout


# ---- reference --------------------------------------------------------------------


def test_outputs_and_gradients_are_those_of_dense_by_hand():
    """dy of the top is 2 (p - t) / N, below it the chain rule; dW = xT dz."""
    model = Sequential([Dense(3, activation="tanh", input_shape=(2,)), Dense(1)])
    model.compile("sgd", "mse")
    x = np.array([[1.0, 2.0], [-1.0, 0.5]], "float32")
    t = np.array([[1.0], [0.0]], "float32")
    (W, _), (V, _) = (layer.get_weights() for layer in model.layers)
    passage = pass_batch("test", model, x, t)
    low, top = passage.steps
    h = np.tanh(x @ W)
    p = h @ V
    dp = 2 * (p - t) / 2
    dh = dp @ V.T
    np.testing.assert_allclose(low.y, h, rtol=1e-5)
    np.testing.assert_allclose(top.x, h, rtol=1e-5)
    np.testing.assert_allclose(top.y, p, rtol=1e-5)
    np.testing.assert_allclose(top.dy, dp, rtol=1e-5)
    np.testing.assert_allclose(low.dy, dh, rtol=1e-5)
    kernel = passage.gradients[f"{low.layer.name}/kernel:0"]
    np.testing.assert_allclose(kernel, x.T @ (dh * (1 - h**2)), rtol=1e-5)
    np.testing.assert_allclose(passage.values["loss"], np.mean((p - t) ** 2), rtol=1e-5)
    assert low.forward_time is None


def test_layers_come_in_order_with_their_depth():
    """Inner models and branches after the layer that holds them."""
    left = Sequential([Dense(2, input_shape=(2,), name="a"), Dense(2, name="b")])
    right = Dense(2, input_shape=(2,), name="c")
    inner = Sequential([Dense(3, input_shape=(2,), name="e")], name="inner")
    heads = Fork([Dense(1, name="f"), Dense(1, name="g")], name="fork")
    merge = Merge([left, right], mode="sum", name="merge")
    model = Sequential([merge, inner, heads])
    found = [(layer.name, depth) for layer, depth in layers_in(model.sublayers)]
    assert found == [
        ("merge", 0), ("a", 1), ("b", 1), ("c", 1), ("inner", 0), ("e", 1),
        ("fork", 0), ("f", 1), ("g", 1),
    ]  # fmt: skip
    x = [np.ones((4, 2)), np.ones((4, 2))]
    passage = pass_batch("test", model, x)
    assert [step.layer.name for step in passage.steps] == [name for name, _ in found]
    fork = passage.steps[6]
    assert isinstance(fork.y, list) and fork.outputs().shape == (8,)


def test_without_targets_nothing_flows_back():
    """The model need not be compiled, and layers behave as in prediction."""
    model = Sequential([Dense(3, input_shape=(2,)), Dropout(0.5)])
    passage = pass_batch("test", model, np.ones((4, 2)))
    dense, dropout = passage.steps
    assert passage.values == {} and passage.gradients == {} and not passage.training
    assert dense.dy is None and dense.slopes().size == 0
    np.testing.assert_array_equal(dense.y, dropout.y)
    training = pass_batch("test", model, np.ones((4, 2)), training=True)
    assert (training.steps[1].y == 0).any()


def test_targets_without_training_behaviour():
    """Gradients of the loss that evaluate tells: Dropout lets all pass."""
    model = Sequential([Dense(3, input_shape=(2,)), Dropout(0.5), Dense(1)])
    model.compile("sgd", "mse")
    x, t = np.ones((4, 2)), np.ones((4, 1))
    passage = pass_batch("test", model, x, t, training=False)
    np.testing.assert_allclose(passage.values["loss"], model.evaluate(x, t, verbose=0))
    assert passage.steps[0].dy.any()


def test_times_are_taken_when_asked_for():
    """Every layer that ran has a time forward, those with a gradient one back."""
    model, x, t = network()
    passage = pass_batch("test", model, x, t, repeats=2)
    for step in passage.steps:
        assert step.forward_time > 0
        assert step.backward_time is None or step.backward_time > 0


def test_a_frozen_bottom_gets_no_gradient():
    """As in training, nothing flows below the lowest layer that learns."""
    model = Sequential([Dense(3, input_shape=(2,), trainable=False), Dense(1)])
    model.compile("sgd", "mse")
    low, top = pass_batch("test", model, np.ones((4, 2)), np.ones((4, 1))).steps
    assert low.dy is None and top.dy is not None


# ---- laws -------------------------------------------------------------------------


@pytest.mark.parametrize("with_targets", [False, True])
@pytest.mark.parametrize("steps", [0, 2])
def test_nothing_changes(with_targets, steps):
    """Weights, moving averages, optimizer, states, streams, gradients: as before."""
    model, x, t = network()
    for _ in range(steps):
        model.train_on_batch(x, t)
    before = everything(model)
    pass_batch("test", model, x, t if with_targets else None, training=True, repeats=2)
    after = everything(model)
    assert len(before[0]) == len(after[0])
    for old, new in zip(before[0], after[0]):
        np.testing.assert_array_equal(old, new)
    assert before[1:] == after[1:]
    assert all(
        "forward" not in vars(one) and "backward" not in vars(one)
        for one in model.walk()
    )


def test_a_training_goes_on_as_if_nobody_had_looked():
    """The same losses, with and without a look in between."""
    losses = []
    for looks in (False, True):
        set_seed(1)
        model, x, t = network()
        model.train_on_batch(x, t)
        if looks:
            pass_batch("test", model, x, t, repeats=1)
        losses.append([model.train_on_batch(x, t) for _ in range(3)])
    assert losses[0] == losses[1]


def test_the_look_sees_what_the_next_step_does():
    """The dropout of the passage is that of the training step behind it."""
    model, x, t = network()
    seen = pass_batch("test", model, x, t).values
    assert list(seen.values()) == model.train_on_batch(x, t)


def test_unchanged_puts_back_after_an_error():
    """Even if the block fails."""
    model, *_ = network()
    before = model.get_weights()
    with pytest.raises(ZeroDivisionError):
        with unchanged(model) as put_back:
            model.set_weights([w + 1 for w in before])
            put_back()
            np.testing.assert_array_equal(model.get_weights()[0], before[0])
            model.set_weights([w + 1 for w in before])
            raise ZeroDivisionError
    np.testing.assert_array_equal(model.get_weights()[0], before[0])


def test_an_own_forward_is_kept():
    """A method that was put on a layer is there again."""
    model = Sequential([Dense(3, input_shape=(2,))])
    own = model.layers[0].forward = lambda x, training: np.zeros((len(x), 3), x.dtype)
    passage = pass_batch("test", model, np.ones((4, 2)))
    assert not passage.steps[0].y.any()
    assert model.layers[0].forward is own


@pytest.mark.parametrize("name", sorted(zoo.others()))
def test_models_with_layers_inside_layers(name):
    """The last output is what predict returns."""
    model = zoo.others()[name]
    shape = tuple(4 if n is None else n for n in model.input_shape)
    x = np.ones(shape)
    passage = pass_batch("test", model, x)
    last = [step for step in passage.steps if step.depth == 0][-1]
    np.testing.assert_array_equal(last.y, model.predict(x))


# ---- errors -----------------------------------------------------------------------


def test_what_cannot_be_passed_is_refused():
    """No model, no compile, a batch that does not fit."""
    with pytest.raises(TypeError, match="look: expected a Sequential model, got Dense"):
        pass_batch("look", Dense(1), np.ones((2, 2)))
    model = Sequential([Dense(1, input_shape=(2,)), Activation("tanh")])
    with pytest.raises(RuntimeError, match="look: the model must be compiled first"):
        pass_batch("look", model, np.ones((2, 2)), np.ones((2, 1)))
    with pytest.raises(ValueError, match="expected|shape"):
        pass_batch("look", model, np.ones((2, 3)))
    assert flat(None).size == 0
