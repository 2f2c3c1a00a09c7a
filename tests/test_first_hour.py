"""Mistakes of a first hour: each message says what to do instead."""

import re

import numpy as np
import pytest

from kerasnb import Sequential
from kerasnb.layers import LSTM, Activation, Conv2D, Dense, Fork, Lambda

X = np.random.default_rng(0).random((12, 4))
IMAGES = X.reshape(12, 2, 2, 1)
LABELS = np.arange(12) % 3


def train(*layers, x=X, y=LABELS, loss="sparse_categorical_crossentropy"):
    """Build, compile and train in one go."""
    model = Sequential(list(layers))
    model.compile("adam", loss)
    model.fit(x, y, verbose=0)


def classifier(units=3, activation="softmax"):
    return Dense(units, activation=activation, input_shape=(4,))


MISTAKES = {
    "class numbers, but a loss for one-hot rows": (
        lambda: train(classifier(), loss="categorical_crossentropy"),
        "loss='sparse_categorical_crossentropy'",
    ),
    "one-hot rows, but a loss for class numbers": (
        lambda: train(classifier(), y=np.eye(3)[LABELS]),
        "compile with loss='categorical_crossentropy'",
    ),
    "class numbers that start with 1": (
        lambda: train(classifier(), y=LABELS + 1),
        "whole class numbers from 0 to 2, got 3 at sample 2",
    ),
    "trained before compile": (
        lambda: Sequential([classifier()]).fit(X, LABELS),
        "model.compile(optimizer='sgd', loss='mse')",
    ),
    "a single sample without its batch axis": (
        lambda: Sequential([classifier()]).predict(X[0]),
        "A single sample needs a batch axis: x[None]",
    ),
    "a misspelt loss": (
        lambda: train(classifier(), loss="mean_sqared_error"),
        "Did you mean 'mean_squared_error'?",
    ),
    "a misspelt argument": (
        lambda: Dense(3, activaton="relu"),
        "Did you mean 'activation'?",
    ),
    "a class instead of a layer": (
        lambda: Sequential([Dense]),
        "Did you forget the parentheses?",
    ),
    "layers without the brackets of a list": (
        lambda: Sequential(classifier(), Dense(3)),
        "Write Sequential([first, second])",
    ),
    "images without channels": (
        lambda: Sequential([Conv2D(2, 3, input_shape=(28, 28))]),
        "input_shape such as (28, 28, 1)",
    ),
    "a Dense layer on images, without Flatten": (
        lambda: train(
            Conv2D(2, 1, input_shape=(2, 2, 1)), Dense(3, "softmax"), x=IMAGES
        ),
        "is a Flatten() missing below",
    ),
    "an LSTM on the last step of another": (
        lambda: Sequential([LSTM(3, input_shape=(5, 4)), LSTM(3)]),
        "return_sequences=True",
    ),
}


@pytest.mark.parametrize("mistake, advice", MISTAKES.values(), ids=MISTAKES)
def test_a_message_says_what_to_do(mistake, advice):
    """The phrase that a student can act on is in the message."""
    with pytest.raises((ValueError, TypeError, RuntimeError), match=re.escape(advice)):
        mistake()


# ---- allowed, but it cannot be meant -----------------------------------------------


def learn(*layers, y=LABELS, loss="binary_crossentropy", metrics=None):
    """Build, compile, train twice and evaluate."""
    model = Sequential(list(layers))
    model.compile("adam", loss, metrics=metrics)
    model.fit(X, y, verbose=0)
    model.fit(X, y, verbose=0)
    model.evaluate(X, y, verbose=0)


HALVES, AMOUNTS = LABELS % 2, X.sum(axis=1)
SILENT_MISTAKES = {
    "softmax over a single unit": (
        lambda: learn(classifier(1), y=HALVES),
        "Dense(1, activation='sigmoid') with loss='binary_crossentropy'",
    ),
    "softmax over a single unit, in a layer of its own and without input_shape": (
        lambda: learn(Dense(1), Activation("softmax"), y=HALVES, loss="mse"),
        "a softmax over a single unit, which is 1 for every sample",
    ),
    "a loss of probabilities on an output without activation": (
        lambda: learn(Dense(1), y=HALVES),
        "Should the last layer have activation='sigmoid'?",
    ),
    "a loss of classes on relu": (
        lambda: learn(classifier(3, "relu"), loss="sparse_categorical_crossentropy"),
        "Should the last layer have activation='softmax'?",
    ),
    "one head of two": (
        lambda: learn(Fork([classifier(1), Dense(1)]), y=[HALVES, HALVES], loss="mse"),
        "a softmax over a single unit",
    ),
    "classes -1 and 1": (
        lambda: learn(classifier(1, "sigmoid"), y=2 * HALVES - 1),
        "Classes -1 and 1 become 0 and 1 by (y + 1) / 2",
    ),
    "many classes on one sigmoid": (
        lambda: learn(classifier(1, "sigmoid"), y=LABELS),
        "more than two classes take loss='sparse_categorical_crossentropy'",
    ),
    "accuracy of amounts": (
        lambda: learn(Dense(1), y=AMOUNTS, loss="mse", metrics=["accuracy"]),
        "Did you mean metrics=['mae']?",
    ),
}


@pytest.mark.parametrize(
    "mistake, advice", SILENT_MISTAKES.values(), ids=SILENT_MISTAKES
)
def test_a_silent_mistake_is_warned_of_once(mistake, advice):
    """One warning in three calls says what to do, at a line of the caller's file."""
    with pytest.warns(UserWarning) as said:
        mistake()
    (one,) = said
    assert advice in str(one.message)
    assert one.filename == __file__


@pytest.mark.parametrize(
    "layers, y, loss",
    [
        ([classifier(1, "sigmoid")], HALVES, "binary_crossentropy"),
        ([Dense(1), Activation("sigmoid")], HALVES, "binary_crossentropy"),
        ([Dense(1, activation="tanh")], 2 * HALVES - 1, "hinge"),
        ([classifier(1, "sigmoid")], AMOUNTS / 4, "binary_crossentropy"),
        ([Dense(1)], LABELS, "mse"),
        ([Dense(1)], np.where(HALVES == 1, np.nan, 1.0), "mse"),
        ([Dense(3), Activation("softmax")], np.eye(3)[LABELS], "mse"),
        ([Dense(3), Lambda(abs)], LABELS, "sparse_categorical_crossentropy"),
        ([LSTM(1, activation="softmax", input_shape=(2, 2))], HALVES, "mse"),
    ],
)
@pytest.mark.filterwarnings("error", "ignore:invalid value")  # of NumPy, with JIT off
def test_what_may_be_meant_brings_no_warning(layers, y, loss):
    """Probabilities, hinge targets, soft targets, class numbers, NaN, own layers."""
    x = X.reshape(12, 2, 2) if isinstance(layers[0], LSTM) else X
    model = Sequential(layers)
    model.compile("adam", loss, metrics=["accuracy"])
    model.fit(x, y, verbose=0)
