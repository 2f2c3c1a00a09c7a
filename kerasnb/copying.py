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
from .initializers import left_blank
from .layer import Layer, reserve_name
from .snapshot import (
    Snapshot,
    match_weights,
    restore_training,
    take_training,
    take_weights,
)
from .utils import collected_functions, custom_object_scope

KEPT = ("combines_weights", "target_tensors")  # beside what compile was told


class Copying(Layer):
    """What `Sequential` can do for `copy` and `pickle`."""

    def __reduce__(self) -> tuple:
        """Return the parts of the model, and the function that puts them together."""
        kept = {name: getattr(self, name) for name in KEPT}
        compiled = getattr(self, "optimizer", None) is not None
        snapshot = take_weights(self)
        with collected_functions() as functions:
            config = self.get_config()
            take_training(self, snapshot)
        states = [layer.get_state() for layer in self.walk()]
        grads = [] if compiled else [weight.grad for weight in self.weights]
        parts = (type(self), config, {**own_classes(self), **functions})
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
    config, objects = with_objects(model)
    with custom_object_scope(objects):
        return _from_config(type(model), config)


def with_objects(layer: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a configuration, and what the names in it mean, but for our own things."""
    with collected_functions() as functions:
        config = layer.get_config()
    return config, {**own_classes(layer), **functions}


def own_classes(model: Any) -> dict[str, Any]:
    """Return what the names of classes and objects of the user's own mean."""
    own: dict[str, Any] = {type(layer).__name__: type(layer) for layer in model.walk()}
    for value in _parts(model):
        if not callable(value) and not hasattr(value, "get_config"):
            continue
        kind = value if isinstance(value, type) else type(value)
        if kind.__module__.partition(".")[0] in (__package__, "builtins"):
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
    optimizer = getattr(model, "optimizer", None)
    yield optimizer
    if optimizer is not None:
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
