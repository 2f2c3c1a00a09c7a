"""
Copies of a model: `copy.deepcopy`, pickle, and `clone_model` for a fresh one.

A model is taken apart into its configuration, its weights and how it was compiled, and
put together again: the copy shares nothing with the original and trains on to the same
bits. Classes and functions of your own go along. Read next: `snapshot.py` for what is
kept of a model, `saving.py` for the same with a file in between.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from .activations import ActivationFunction
from .constraints import Custom
from .initializers import left_blank
from .layer import Layer, reserve_name
from .metrics import FunctionMetric
from .snapshot import (
    Snapshot,
    match_weights,
    restore_training,
    take_training,
    take_weights,
)
from .utils import custom_object_scope

KEPT = ("combines_weights", "target_tensors")  # beside what compile was told


class Copying(Layer):
    """What `Sequential` can do for `copy` and `pickle`."""

    def __reduce__(self) -> tuple:
        """Return the parts of the model, and the function that puts them together."""
        kept = {name: getattr(self, name) for name in KEPT}
        compiled = getattr(self, "optimizer", None) is not None
        snapshot = take_weights(self)
        take_training(self, snapshot)
        states = [layer.get_state() for layer in self.walk()]
        grads = [] if compiled else [weight.grad for weight in self.weights]
        parts = (type(self), self.get_config(), own_objects(self))
        return rebuilt, (*parts, snapshot, kept, states, grads)


def rebuilt(
    kind: type,
    config: dict[str, Any],
    objects: dict[str, Any],
    snapshot: Snapshot,
    kept: dict[str, Any],
    states: list[dict[str, Any]],
    grads: list[np.ndarray | None],
) -> Any:
    """Return a model made of the parts of another."""
    with custom_object_scope(objects):
        with left_blank(sys.maxsize):
            model = _from_config(kind, config)
        matched = match_weights(model, snapshot.layers)
        if snapshot.training is not None:
            restore_training(model, snapshot)
    for weight, array in matched:
        weight.assign(array)
    for name, value in kept.items():
        setattr(model, name, value)
    for layer, state in zip(model.walk(), states):
        layer.set_state(state)
    for weight, grad in zip(model.weights, grads):
        weight.grad = None if grad is None else grad.copy()
    return model


def clone_model(model: Any) -> Any:
    """
    Return a new model of the same configuration, with fresh weights, not compiled.

    Examples
    --------
    >>> from kerasnb import Sequential, layers
    >>> model = Sequential([layers.Dense(2, input_shape=(3,))])
    >>> clone_model(model).get_config() == model.get_config()
    True
    """
    if not isinstance(model, Copying):
        raise TypeError(f"clone_model: expected a Sequential, got {model!r:.80}.")
    with custom_object_scope(own_objects(model)):
        return _from_config(type(model), model.get_config())


def own_objects(model: Any) -> dict[str, Any]:
    """Return what the names in a configuration mean, but for our own things."""
    own: dict[str, Any] = {type(layer).__name__: type(layer) for layer in model.walk()}
    for value in _parts(model):
        if isinstance(value, Custom):
            value = value.function
        if isinstance(value, FunctionMetric):
            value = value.function
        is_named = isinstance(value, type) or hasattr(value, "__name__")
        kind = value if is_named else type(value)
        if not callable(value) and not hasattr(value, "get_config"):
            continue
        if kind.__module__.partition(".")[0] == __package__:
            continue
        if isinstance(value, ActivationFunction):
            own[value.name] = value
        else:
            own[kind.__name__] = kind
    return own


def _parts(model: Any) -> Iterator[Any]:
    """Yield what layers were configured with and what compile was told."""
    for layer in model.walk():
        for name in layer.get_config():
            yield getattr(layer, name, None)
    yield model.optimizer
    if model.optimizer is not None:
        for name in ("loss", "metrics", "weighted_metrics"):
            yield from _flat(getattr(model, name))


def _flat(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for part in value:
            yield from _flat(part)
    else:
        yield value


def _from_config(kind: Any, config: dict[str, Any]) -> Any:
    model = kind.from_config(config)
    for layer in model.walk():
        reserve_name(layer.name)
    return model
