"""The sweep over learning rates: what it finds, and that it leaves no trace."""

import numpy as np
import pytest

from kerasnb import Sequential, plotting, random
from kerasnb.finder import LearningRates, find_learning_rate, smooth
from kerasnb.layers import BatchNormalization, Dense, Dropout
from kerasnb.optimizers import SGD


def regression():
    """A line to find, in float64; beyond a rate of 1 gradient descent explodes."""
    model = Sequential([Dense(1, use_bias=False, input_shape=(1,), dtype="float64")])
    model.set_weights([np.zeros((1, 1))])
    model.compile(SGD(lr=0.125), "mse")
    x = np.ones((64, 1))
    return model, x, 3 * x


# ---- reference --------------------------------------------------------------------


def test_losses_are_those_of_training_with_growing_rates():
    """Each update uses the next rate: the error shrinks by 1 - 2 lr a step."""
    model, x, t = regression()
    found = find_learning_rate(model, x, t, 1e-3, 0.4, steps=20, smoothing=0)
    np.testing.assert_allclose(found.lrs, np.geomspace(1e-3, 0.4, 20))
    error, expected = 3.0, []
    for lr in found.lrs:
        expected.append(error**2)
        error *= 1 - 2 * lr
    np.testing.assert_allclose(found.losses, expected)
    np.testing.assert_allclose(found.smoothed, expected)


def test_the_suggestion_is_where_the_loss_falls_fastest():
    """On a curve that is known: half way down a step of the logarithm."""
    lrs = np.geomspace(1e-5, 10, 121)
    place = np.log10(lrs)
    losses = 2 - np.tanh(3 * (place + 2)) + np.exp(8 * (place - 0.3))
    found = LearningRates(lrs, losses, smoothing=0)
    assert found.suggestion == pytest.approx(1e-2, rel=0.1)
    assert repr(found) == "<LearningRates 1e-05 to 10, suggestion 0.01>"


def test_the_sweep_stops_when_the_loss_explodes():
    """Long before the last rate; what was reached is kept."""
    model, x, t = regression()
    found = find_learning_rate(model, x, t, 1e-3, 1e6, steps=90)
    assert 10 <= len(found.lrs) == len(found.losses) < 60
    assert 1e-3 < found.suggestion < 1


@pytest.mark.parametrize("seed", range(4))
def test_a_good_rate_is_found(seed):
    """Training with it is better than with a hundredth, or with a hundredfold."""
    data = np.random.default_rng(seed)
    x = data.normal(size=(128, 4))
    t = np.tanh(x @ data.normal(size=(4, 1)))
    model = Sequential([Dense(16, activation="tanh", input_shape=(4,)), Dense(1)])
    model.compile("sgd", "mse")
    rate = find_learning_rate(model, x, t).suggestion
    weights, losses = model.get_weights(), []
    for factor in (0.01, 1, 100):
        model.set_weights(weights)
        model.compile(SGD(lr=rate * factor), "mse")
        with np.errstate(all="ignore"):
            losses.append(model.fit(x, t, epochs=5, verbose=0).history["loss"][-1])
    assert losses[1] < 0.5 * losses[0] and not losses[2] < 2 * losses[1]


def test_smoothing_is_a_running_mean_without_bias():
    """m = a m + (1 - a) v, divided by 1 - a^(k + 1)."""
    v = np.array([1.0, 3.0, 2.0])
    expected = [1.0, (0.25 + 1.5) / 0.75, (0.125 + 0.75 + 1) / 0.875]
    np.testing.assert_allclose(smooth(v, 0.5), expected)
    np.testing.assert_allclose(smooth(v, 0), v)


# ---- laws -------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_the_model_is_as_before(optimizer):
    """Weights, moving averages, optimizer, rate and random numbers."""
    model = Sequential([Dense(4, input_shape=(3,)), BatchNormalization()])
    model.add(Dropout(0.5))
    model.add(Dense(1))
    model.compile(optimizer, "mse", metrics=["mae"])
    x = np.random.default_rng(0).normal(size=(50, 3))
    t = x[:, :1]
    model.fit(x, t, verbose=0)
    history = model.history
    before = model.get_weights(), model.optimizer.get_state(), model.optimizer.lr
    stream = random.generator().get_state()
    find_learning_rate(model, x, t, steps=12)
    after = model.get_weights(), model.optimizer.get_state(), model.optimizer.lr
    for old, new in zip(before[0], after[0]):
        np.testing.assert_array_equal(old, new)
    assert before[1].keys() == after[1].keys()
    for name, old in before[1].items():
        np.testing.assert_array_equal(old, after[1][name])
    assert before[2] == after[2]
    assert random.generator().get_state() == stream and model.history is history


def test_the_rate_comes_back_after_an_error():
    """Even if a batch fails in the middle."""
    model, x, t = regression()
    model.train_on_batch = lambda *_: 1 / 0
    with pytest.raises(ZeroDivisionError):
        find_learning_rate(model, x, t)
    assert model.optimizer.lr == 0.125


def test_few_samples_are_used_again():
    """Eight samples make a batch of eight, as often as wanted."""
    model, x, t = regression()
    assert len(find_learning_rate(model, x[:8], t[:8], high=0.1, steps=20).losses) == 20


def test_the_picture_shows_losses_and_suggestion():
    """On a logarithmic axis, with a mark where the curve is steepest."""
    model, x, t = regression()
    found = find_learning_rate(model, x, t, 1e-3, 0.4, steps=20)
    (ax,) = found.plot().axes
    raw, smoothed, mark = ax.lines
    np.testing.assert_array_equal(raw.get_ydata(), found.losses)
    np.testing.assert_array_equal(smoothed.get_data(), [found.lrs, found.smoothed])
    assert mark.get_xdata()[0] == found.suggestion
    assert mark.get_label() == f"steepest: {found.suggestion:.2g}"
    assert ax.get_xscale() == "log"


# ---- errors -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "options, message",
    [
        ({"low": 0}, "expected 0 < low < high, got low=0, high=10.0"),
        ({"low": 2, "high": 1}, "expected 0 < low < high"),
        ({"smoothing": 1}, "expected 0 <= smoothing < 1, got 1"),
        ({"steps": 2}, "expected steps from 3, got 2"),
        ({"batch_size": 0}, "find_learning_rate: batch_size"),
    ],
)
def test_bad_arguments_are_refused(options, message):
    """Before anything is trained."""
    model, x, t = regression()
    with pytest.raises(ValueError, match=message):
        find_learning_rate(model, x, t, **options)


def test_bad_models_and_data_are_refused():
    """No model, not compiled, lengths that differ, a loss that is no number."""
    model, x, t = regression()
    with pytest.raises(TypeError, match="expected a Sequential model, got int"):
        find_learning_rate(3, x, t)
    with pytest.raises(ValueError, match="as many targets as samples"):
        find_learning_rate(model, x, t[:3])
    with pytest.raises(ValueError, match="the loss was no number after 0 batches"):
        find_learning_rate(model, x, t * np.nan)
    bare = Sequential([Dense(1, input_shape=(1,))])
    with pytest.raises(RuntimeError, match="the model must be compiled first"):
        plotting.find_learning_rate(bare, x, t)
