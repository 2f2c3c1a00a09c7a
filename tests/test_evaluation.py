"""evaluate and predict: averages, exact or by batches, and what they refuse."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_training import make_data, make_model

from kerasnb import Sequential
from kerasnb.layers import Dense, Masking


@pytest.mark.filterwarnings("ignore:A batch whose sample weights")
@given(batch_size=st.integers(1, 12), seed=st.integers(0, 99))
def test_exact_evaluation_does_not_depend_on_the_batch_size(batch_size, seed):
    """With masks and weights of zero the metrics equal those of one large batch."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(11, 4, 2)) * (rng.random((11, 4, 1)) < 0.6)
    model = Sequential(
        [
            Masking(input_shape=(4, 2)),
            Dense(3, kernel_regularizer="l2", activity_regularizer="l1"),
            Dense(2, "sigmoid"),
        ]
    )
    model.compile("sgd", "mse", ["mae"], weighted_metrics=["mae"])
    y = rng.random((11, 4, 2))
    w = rng.random(11) * (rng.random(11) < 0.7)
    w[0] = 1
    exact = model.evaluate(x, y, batch_size, 0, w, exact=True)
    whole = model.evaluate(x, y, 11, 0, w)
    np.testing.assert_allclose(exact[1:], whole[1:], rtol=1e-5)


@pytest.mark.filterwarnings("ignore:A batch whose sample weights")
@given(batch_size=st.integers(1, 12))
def test_exact_loss_adds_the_penalties_of_the_weights_once(batch_size):
    """They are the same in every batch."""
    x, y = make_data(11)
    model = Sequential([Dense(3, "softmax", kernel_regularizer="l2", input_shape=(4,))])
    model.compile("sgd", "categorical_crossentropy")
    w = np.array([0, 0, 0, 1, 2, 3, 0, 0, 1, 1, 0.5])
    exact = model.evaluate(x, y, batch_size, 0, w, exact=True)
    assert exact == pytest.approx(model.evaluate(x, y, 11, 0, w), rel=1e-5)


def test_accuracy_on_one_hot_rows_with_binary_crossentropy_is_warned_about():
    """It counts labels, not samples."""
    x, y = make_data()
    model = make_model()
    model.compile("sgd", "binary_crossentropy", ["accuracy"])
    with pytest.warns(UserWarning, match="looks far too good"):
        model.evaluate(x, y, verbose=0)


def test_the_bar_of_evaluate_and_predict_counts_samples_or_steps(capsys):
    """Samples of arrays, steps of a generator."""
    x, y = make_data()
    model = make_model()
    model.evaluate(x, y, 5)
    model.predict(x, 5, verbose=1)
    model.predict(iter([x, x]), verbose=1, steps=2)
    shown = capsys.readouterr().out
    assert shown.count("23/23 [====") == 2 and shown.count("2/2 [====") == 1


def test_results_are_one_number_or_a_list_in_the_order_of_the_names():
    """Or a dict on request."""
    x, y = make_data()
    model = make_model()
    values = model.evaluate(x, y, verbose=0)
    named = model.evaluate(x, y, verbose=0, return_dict=True)
    assert list(named) == model.metrics_names == ["loss", "acc"]
    assert list(named.values()) == values
    model.compile("sgd", "categorical_crossentropy")
    assert isinstance(model.evaluate(x, y, verbose=0), float)


def test_a_model_inside_another_is_itself_again_when_it_stands_alone():
    """The mask that came to it from the outer model is forgotten."""
    x, y = np.random.default_rng(0).normal(size=(2, 5, 4, 3))
    x[:, 2:] = 0
    inner = Sequential([Dense(3, input_shape=(4, 3))])
    outer = Sequential([Masking(input_shape=(4, 3)), inner])
    for model in (inner, outer):
        model.compile("sgd", "mse")
    alone, last = inner.evaluate(x, y, verbose=0), inner.layers[0](x)
    assert outer.evaluate(x, y, verbose=0) != alone
    assert inner.evaluate(x, y, verbose=0) == alone
    np.testing.assert_array_equal(inner.layers[0](x), last)
