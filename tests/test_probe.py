import types

import numpy as np
import pytest

from kerasnb import Sequential, layers, random
from kerasnb.callbacks import CallbackList, TerminateOnNaN
from kerasnb.probe import arrays_in, first_not_finite, watching

STEPPED = pytest.mark.filterwarnings("ignore:.* encountered in")  # by NumPy's numbers


def stack():
    low = layers.Dense(5, activation="relu", input_shape=(3,), name="low")
    middle = [layers.Dense(4, input_shape=(5,), name="middle"), layers.Dropout(0.5)]
    model = Sequential([low, Sequential(middle), layers.Dense(1, name="top")])
    model.compile("sgd", "mse")
    return model


def batch(model):
    x = np.ones((2, 3), model.dtype)
    return x, np.ones((2, 1), model.dtype), None


class Overflow(layers.Layer):
    """Turns everything into infinity."""

    masking = "pass"

    def forward(self, x, training):
        return x * np.inf

    def backward(self, dy):
        return dy * np.inf


# ---- reference --------------------------------------------------------------------


def test_watching_shows_every_output_in_order():
    model, seen = stack(), []
    with watching(model, lambda layer, y: seen.append((layer.name, y.shape))):
        y = model.predict(np.ones((2, 3)))
    names = ["low", "middle", "dropout_1", "sequential_1", "top"]
    assert [name for name, _ in seen] == names
    assert seen[-1] == ("top", y.shape)
    model.predict(np.ones((2, 3)))
    assert len(seen) == 5
    assert all("forward" not in vars(layer) for layer in model.walk())


def test_watching_ends_after_an_error_and_keeps_an_own_forward():
    model = stack()
    layer = model.layers[0]
    own = layer.forward = lambda x, training: np.zeros((len(x), 5), x.dtype)

    def fail(layer, y):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        with watching(model, fail):
            model.predict(np.ones((2, 3)))
    assert layer.forward is own
    model.predict(np.ones((2, 3)))


def test_a_healthy_model_has_nothing_to_report():
    model = stack()
    assert first_not_finite(model) is None
    assert first_not_finite(model, batch(model)) is None


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_bad_data_are_named_with_their_row(value):
    model = stack()
    x, t, w = batch(model)
    x[1, 2] = value
    found = first_not_finite(model, (x, t, w))
    assert found == f"the data, {value} in row 1 of the batch x"
    t[0] = value
    assert "row 0 of the batch y" in first_not_finite(model, (np.ones((2, 3)), t, w))
    several = {"a": np.ones((2, 3)), "b": x}, [np.ones((2, 1)), t], None
    assert first_not_finite(model, several).endswith("row 1 of the batch x['b']")
    assert list(arrays_in([None, t])) == [("[1]", t)]
    assert list(arrays_in(None)) == []


@pytest.mark.parametrize("k, name", [(0, "low/kernel:0"), (3, "middle/bias:0")])
def test_a_bad_weight_is_named(k, name):
    model = stack()
    model.weights[k].value.flat[0] = np.nan
    for data in (None, batch(model)):
        assert first_not_finite(model, data) == f"the weight {name}"


def test_a_bad_activation_is_named_wherever_it_is():
    """Huge weights overflow in the second layer; later layers are only infected."""
    model = stack()
    for weight in model.weights[:3]:
        weight.value[...] = 1e30
    assert first_not_finite(model, batch(model)) == "the activation of middle"
    model = Sequential([layers.Dense(2, input_shape=(3,)), Overflow(), layers.Dense(1)])
    assert first_not_finite(model, batch(model)) == "the activation of overflow_1"


def test_a_bad_gradient_is_named_from_the_top_down():
    model = stack()
    for k in (0, 2, 3):
        model.weights[k].grad[...] = np.nan
    data = batch(model)
    assert first_not_finite(model, data) == "the gradient of middle/bias:0"


# ---- laws -------------------------------------------------------------------------


def test_the_search_changes_neither_weights_nor_random_numbers():
    model = stack()
    before = model.get_weights()
    state = random.generator().get_state()
    first_not_finite(model, batch(model))
    assert random.generator().get_state() == state
    for old, new in zip(before, model.get_weights()):
        np.testing.assert_array_equal(old, new)


def test_training_goes_on_while_the_loss_is_a_number(capsys):
    model = stack()
    x, t, _ = batch(model)
    history = model.fit(x, t, epochs=2, verbose=0, callbacks=[TerminateOnNaN()])
    assert history.epoch == [0, 1] and not model.stop_training
    assert capsys.readouterr().out == ""
    assert model.skip_bad_updates is False


@pytest.mark.parametrize("loss", [np.nan, np.inf, -np.inf])
def test_a_loss_that_is_no_number_ends_the_training_and_is_told_once(loss, capsys):
    model = stack()
    model.weights[0].value[...] = np.nan
    told = CallbackList([TerminateOnNaN()], model)
    for _ in range(2):  # in a second training too
        model.stop_training = False
        told.on_train_begin()
        assert model.skip_bad_updates
        told.on_batch_end(0, {"loss": 1.0})
        assert not model.stop_training
        told.on_batch_end(7, {"loss": loss})
        told.on_batch_end(8, {"loss": loss})
        assert model.stop_training
        told.on_train_end()
        text = capsys.readouterr().out
        assert text.count("\n") == 2
        assert text.startswith(f"\nBatch 7: the loss is {loss}, training ends. The ")
        assert "The first that is not finite: the weight low/kernel:0." in text
        assert "Likely causes: a learning rate (0.01) that is too high" in text


@STEPPED
def test_a_real_training_ends_in_the_epoch_of_the_nan(capsys):
    model = stack()
    x, t, _ = batch(model)
    model.weights[0].value[...] = np.inf
    history = model.fit(x, t, epochs=5, verbose=0, callbacks=[TerminateOnNaN()])
    assert history.epoch == [0]
    assert "Batch 0: the loss is" in capsys.readouterr().out


def test_nan_in_the_data_is_told_as_such(capsys):
    model = Sequential([layers.Dense(1, input_shape=(3,))])
    model.compile("adam", "mse")
    x = np.ones((5, 3))
    x[4, 0] = np.nan
    stop = TerminateOnNaN()
    model.fit(x, x[:, 1], 2, shuffle=False, verbose=0, callbacks=[stop])
    text = capsys.readouterr().out
    assert text.startswith("\nBatch 2: the loss is nan")
    assert "the data, nan in row 0 of the batch x. Leave such rows out" in text
    assert np.isfinite(model.get_weights()[0]).all()


@STEPPED
def test_a_training_that_explodes_names_the_first_layer(capsys):
    """Without its last update, all weights still are numbers."""
    model = Sequential([layers.Dense(4, input_shape=(3,)), layers.Dense(4), Overflow()])
    model.compile("sgd", "mse")
    x = np.ones((4, 3))
    model.fit(x, np.ones((4, 4)), verbose=0, callbacks=[TerminateOnNaN()])
    assert "is not finite: the activation of overflow_1. Lik" in capsys.readouterr().out
    assert all(np.isfinite(w).all() for w in model.get_weights())


@pytest.mark.parametrize("seen", ["Weights", "Data, activations, weights"])
def test_a_loss_can_be_the_only_thing_that_is_no_number(seen, capsys):
    model = Sequential([layers.Dense(1, input_shape=(3,))])
    model.optimizer = types.SimpleNamespace()
    if seen != "Weights":
        model._batch = batch(model)
    told = CallbackList([TerminateOnNaN()], model)
    told.on_train_begin()
    told.on_batch_end(0, {"loss": np.inf})
    text = capsys.readouterr().out
    assert f"{seen} and gradients are finite; the loss itself is not. Likely" in text
    assert "a learning rate that is too high" in text
