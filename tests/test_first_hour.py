"""Twelve mistakes of a first hour: each message says what to do instead."""

import re

import numpy as np
import pytest

from kerasnb import Sequential
from kerasnb.layers import LSTM, Conv2D, Dense

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
        lambda: train(Conv2D(2, 1, input_shape=(2, 2, 1)), Dense(3), x=IMAGES),
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
