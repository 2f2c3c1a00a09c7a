"""
Look at what every layer puts out, and find where the numbers stopped being numbers.

`watching` shows the output of each layer as a batch passes through, in the order of
the computation and whatever the nesting. TerminateOnNaN ends a training and uses it to
say which layer went wrong first. Read next: `tensorboard.py` for histograms of what the
layers put out.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from . import random
from .callback import Callback
from .layer import Layer
from .progress import write


class TerminateOnNaN(Callback):
    """
    Ends the training at the first batch whose loss is NaN or infinite.

    A message names the first layer whose activation, gradient or weight is not finite.
    The model is asked to leave out the update of that batch, which would spoil every
    weight.
    """

    _told = False

    def on_train_begin(self, logs: Any = None) -> None:
        """Ask the model to leave out an update whose loss is no number."""
        self.model.skip_bad_updates = True
        self._told = False

    def on_batch_end(self, batch: int, logs: Any = None) -> None:
        """Look at the loss."""
        loss = (logs or {}).get("loss")
        if loss is None or math.isfinite(loss):
            return
        self.model.stop_training = True
        if not self._told:
            self._told = True
            write(
                f"\nBatch {batch}: the loss is {loss}, training ends. {self._why()}\n"
            )

    def on_train_end(self, logs: Any = None) -> None:
        """Let the model update as ever."""
        self.model.skip_bad_updates = False

    def _why(self) -> str:
        batch = getattr(self.model, "_batch", None)
        found = first_not_finite(self.model, batch)
        if found is None:
            seen = "Weights" if batch is None else "Data, activations, weights"
            first = f"{seen} and gradients are finite; the loss itself is not."
        else:
            first = f"The first that is not finite: {found}."
            if found.startswith("the data"):
                return f"{first} Leave such rows out, or fill them, before training."
        lr = getattr(getattr(self.model, "optimizer", None), "lr", None)
        rate = "" if lr is None else f" ({float(lr):g})"
        return (
            f"{first} Likely causes: a learning rate{rate} that is too high, inputs of "
            "large size that should be scaled, or NaN in the data."
        )


@contextlib.contextmanager
def watching(model: Layer, look: Callable[[Layer, Any], None]) -> Iterator[None]:
    """
    Call `look(layer, output)` after every `forward` of a layer inside the model.

    The output may be a buffer that the next batch overwrites: copy what you keep.

    Examples
    --------
    >>> from kerasnb import Sequential, layers
    >>> low = layers.Dense(3, input_shape=(2,), name="low")
    >>> model = Sequential([low, layers.Dense(1, name="top")])
    >>> with watching(model, lambda layer, y: print(layer.name, y.shape)):
    ...     y = model.predict([[1.0, 2.0]])
    low (1, 3)
    top (1, 1)
    """
    former = {layer: dict(vars(layer)) for layer in model.walk() if layer is not model}

    def shown(layer):
        forward = layer.forward

        def forward_and_show(x, training):
            y = forward(x, training)
            look(layer, y)
            return y

        return forward_and_show

    for layer in former:
        vars(layer)["forward"] = shown(layer)
    try:
        yield
    finally:
        for layer, attributes in former.items():
            del vars(layer)["forward"]
            if "forward" in attributes:
                vars(layer)["forward"] = attributes["forward"]


def first_not_finite(model: Layer, batch: Any = None) -> str | None:
    """
    Say what was the first to be NaN or infinite, in the order of a training step.

    The data come first, then layer after layer its weights and its output, then the
    gradients from the top down. Weights and random numbers stay as they are.

    Parameters
    ----------
    model : Sequential
    batch : (x, targets, sample weights), optional
        The data that led there; without them, only weights and gradients are judged.

    Returns
    -------
    str or None
        None if everything is finite.
    """
    found = None
    if batch is not None:
        found = _in_data(batch) or _in_layers(model, batch[0])
    return found or _in_weights(model) or _in_gradients(model)


def arrays_in(data: Any) -> Iterator[tuple[str, np.ndarray]]:
    """Yield (place, array) for an array, or a list or dict of arrays; None has none."""
    if isinstance(data, dict):
        for key, array in data.items():
            yield f"[{key!r}]", np.asarray(array)
    elif isinstance(data, (list, tuple)):
        for k, array in enumerate(data):
            if array is not None:
                yield f"[{k}]", np.asarray(array)
    elif data is not None:
        yield "", np.asarray(data)


def _in_data(batch):
    for what, data in zip(("x", "y", "sample_weight"), batch):
        for place, array in arrays_in(data):
            bad = ~np.isfinite(array).reshape(len(array), -1).all(axis=1)
            if bad.any():
                row = int(bad.argmax())
                value = array[row][~np.isfinite(array[row])].flat[0]
                return f"the data, {value} in row {row} of the batch {what}{place}"
    return None


def _in_layers(model, x):
    """Pass the batch through in training mode, and undo what that changes."""
    found = []

    def look(layer, y):
        if not found and not all(_finite(array) for _, array in arrays_in(y)):
            found.append(_in_weights(layer) or f"the activation of {layer.name}")

    before = model.get_weights()
    with np.errstate(all="ignore"), random.seeded(0), watching(model, look):
        model.forward(x, True)
    model.set_weights(before)
    return found[0] if found else None


def _in_weights(layer):
    for weight in layer.weights:
        if not _finite(weight.value):
            return f"the weight {weight.name}"
    return None


def _in_gradients(model):
    for weight in reversed(model.weights):
        if weight.grad is not None and not _finite(weight.grad):
            return f"the gradient of {weight.name}"
    return None


def _finite(array):
    return bool(np.isfinite(array).all())
