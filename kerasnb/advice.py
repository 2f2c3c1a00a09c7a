"""
Advice: what is allowed, runs to its end, and cannot be meant.

Errors refuse what has no meaning. What is looked for here has one, and Keras accepts
it, but nothing is learned, or a number that is shown means something else. One warning
says so, when the model is compiled or sees its first targets, and never again. Read
next: `objective.py`, which asks for this beside the checks of targets.
"""

from __future__ import annotations

import sys
import warnings

import numpy as np

from .layer import Layer
from .layers import Activation, Dense
from .merge import Fork
from .stack import Stack

OF_PROBABILITIES = (
    "binary_crossentropy",
    "categorical_crossentropy",
    "sparse_categorical_crossentropy",
)
NOT_PROBABILITIES = ("linear", "relu", "tanh")
OF_AMOUNTS = (
    "mean_squared_error",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_logarithmic_error",
    "logcosh",
)


def advise_on_outputs(model: Layer, names: list, parts: list) -> None:
    """Warn of a last activation that cannot be meant, at all or before its loss."""
    makers = last_layers(model)
    if len(makers) != len(parts):
        return
    for name, maker, part in zip(names, makers, parts):
        if not isinstance(maker, (Dense, Activation)) or part.loss is None:
            continue
        activation, shape = maker.activation, part.output_shape
        loss = part.loss.name
        if activation.name == "softmax" and _softmax_of_one(activation, shape):
            _say(
                f"compile: the output {name} is a softmax over a single unit, which is "
                "1 for every sample, so nothing can be learned. Two classes take "
                "Dense(1, activation='sigmoid') with loss='binary_crossentropy', or "
                "Dense(2, activation='softmax') with "
                "loss='sparse_categorical_crossentropy'."
            )
        elif loss in OF_PROBABILITIES and activation.name in NOT_PROBABILITIES:
            kind = "sigmoid" if loss == "binary_crossentropy" else "softmax"
            _say(
                f"compile: {loss} compares probabilities, but the output {name} "
                f"({activation.name}) is not limited to numbers from 0 to 1; what lies "
                "outside has no slope. Should the last layer have "
                f"activation='{kind}'?"
            )


def advise_on_targets(objective, y: np.ndarray, name: str) -> None:
    """Warn of targets for which the loss, or the accuracy, says nothing."""
    loss = objective.loss.name
    if loss == "binary_crossentropy":
        if y.size and (y.min() < 0 or y.max() > 1):
            _say(
                f"{name}: binary_crossentropy expects targets from 0 to 1, got values "
                f"from {y.min():.4g} to {y.max():.4g}, with which the loss falls below "
                "zero and means nothing. Classes -1 and 1 become 0 and 1 by "
                "(y + 1) / 2; more than two classes take "
                "loss='sparse_categorical_crossentropy'."
            )
        elif "acc" in objective.names and y.shape[-1] > 2 and is_one_hot(y):
            _say(
                f"{name}: with binary_crossentropy, 'accuracy' counts every column "
                "of the one-hot targets by itself, which looks far too good. Did you "
                "mean loss='categorical_crossentropy', or "
                "metrics=['categorical_accuracy']?"
            )
    elif loss in OF_AMOUNTS and "acc" in objective.names and y.shape[-1] == 1:
        broken = np.isfinite(y) & (y != np.rint(y))
        if broken.any():
            _say(
                f"{name}: 'accuracy' counts predictions that, rounded to a whole "
                f"number, equal their target; a target such as {y[broken][0]:.4g} is "
                "never met. Did you mean metrics=['mae']?"
            )


def last_layers(layer: Layer) -> list[Layer]:
    """Return the layers that make the outputs, in the order of the outputs."""
    if isinstance(layer, Stack) and layer.sublayers:
        return last_layers(layer.sublayers[-1])
    if isinstance(layer, Fork):
        return [last for head in layer.heads for last in last_layers(head)]
    return [layer]


def is_one_hot(t: np.ndarray) -> bool:
    """Return whether every row is zero but for a single one."""
    return bool(
        t.ndim == 2
        and t.shape[1] > 1
        and ((t == 0) | (t == 1)).all()
        and (t.sum(axis=1) == 1).all()
    )


def _softmax_of_one(activation, shape):
    axis = activation.params.get("axis", -1)
    return -len(shape) <= axis < len(shape) and shape[axis] == 1


def _say(sentence):
    """Warn, at the line outside of this package that led here."""
    frame, level = sys._getframe(1), 2
    while frame.f_back and frame.f_globals.get("__package__") == __package__:
        frame, level = frame.f_back, level + 1
    warnings.warn(sentence, stacklevel=level)
