"""
What is kept of a model, whatever the kind of file: plain data and named arrays.

A `Snapshot` holds the weights layer by layer and, of a whole model, its configuration,
how it was compiled and the state of its optimizer. It is taken from a model and put
back into one; everything is compared with the model before the first weight changes.
Read next: `saving.py`, which writes and reads snapshots.
"""

from __future__ import annotations

import dataclasses
import json
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from . import losses, metrics, optimizers
from .layer import Layer, Weight
from .losses import Loss
from .metrics import Metric
from .optimizer import Optimizer
from .stack import described
from .state import Put, set_state
from .utils import FUNCTION, get_custom_objects, own_function, saved_name

Named = list[tuple[str, np.ndarray]]


@dataclasses.dataclass
class Snapshot:
    """
    What is kept of a model.

    Attributes
    ----------
    layers : dict
        Layer name -> list of (weight name, array), in the order of `Layer.weights`;
        layers without weights are listed too.
    model : dict, optional
        Class name and configuration of the model.
    training : dict, optional
        The arguments of `compile`, as plain values.
    state : dict
        Of the optimizer: name -> number, or list of (weight name, array) for a slot.
    layer_states : list of dict
        What the layers that have `state_names` keep beside their weights.
    run : dict, optional
        Where a training under way is; see `resume.py`.
    """

    layers: dict[str, Named]
    model: dict[str, Any] | None = None
    training: dict[str, Any] | None = None
    state: dict[str, Any] = dataclasses.field(default_factory=dict)
    layer_states: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    run: dict[str, Any] | None = None


# ---------------------------------------------------------------- from a model


def take_weights(model: Any) -> Snapshot:
    """Return a snapshot of the weights alone; its arrays are views, not copies."""
    return Snapshot(
        {
            layer.name: [(_own_name(layer, w), w.value) for w in layer.weights]
            for layer in model.layers
        }
    )


def take_model(model: Any, include_optimizer: bool) -> Snapshot:
    """Return a snapshot of the whole model."""
    snapshot = take_weights(model)
    snapshot.model = as_plain(described(model))
    snapshot.layer_states = take_layers(model)
    if include_optimizer:
        take_training(model, snapshot)
    return snapshot


def take_training(model: Any, snapshot: Snapshot) -> None:
    """Add to a snapshot how the model was compiled, if it was."""
    if model.optimizer is None:
        return
    names = ("loss", "metrics", "weighted_metrics")
    snapshot.training = as_plain(
        {
            "optimizer_config": optimizers.serialize(model.optimizer),
            **{name: _described(getattr(model, name)) for name in names},
            "loss_weights": model.loss_weights,
            "sample_weight_mode": model.sample_weight_mode,
        }
    )
    snapshot.state = _optimizer_state(model)


def take_layers(model: Any) -> list[dict[str, Any]]:
    """Return what layers keep beside their weights."""
    return [layer.get_state() for layer in _with_state(model)]


def _with_state(model: Any) -> list[Layer]:
    return [layer for layer in model.walk() if layer.state_names]


def as_plain(value: Any) -> Any:
    """
    Return a configuration in which NumPy values are numbers and lists, tuples lists.

    Raises
    ------
    TypeError
        If something in it is no plain value.

    Examples
    --------
    >>> as_plain({"axis": (0, np.int64(2))})
    {'axis': [0, 2]}
    """
    return json.loads(json.dumps(value, default=plain_number))


def plain_number(value: Any) -> Any:
    """Return a NumPy value as plain numbers: what `json` calls for help with."""
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    raise TypeError(
        f"{value!r} cannot be saved. A configuration (get_config) must hold numbers, "
        "strings, lists and dicts only."
    )


def _own_name(layer: Layer, weight: Weight) -> str:
    """Return 'dense_1/kernel' for the weight of a layer, even after a new name."""
    own = weight.name.removesuffix(":0").removeprefix(f"{layer.name}/")
    return f"{layer.name}/{own}"


def _described(value: Any) -> Any:
    """Return losses or metrics, in any form `compile` takes, as plain values."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, dict) and "class_name" in value:
        return value
    if isinstance(value, dict):
        return {name: _described(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_described(part) for part in value]
    if isinstance(value, Loss):
        return losses.serialize(value)
    if isinstance(value, Metric):
        return metrics.serialize(value)
    if isinstance(value, type) and issubclass(value, (Loss, Metric)):
        return {"class_name": value.__name__, "config": {}}
    if hasattr(value, "get_config"):
        return {"class_name": type(value).__name__, "config": value.get_config()}
    return {"class_name": FUNCTION, "config": saved_name(value)}


def _optimizer_state(model: Any) -> dict[str, Any]:
    """Return the numbers, and each slot as one array per trainable weight."""
    optimizer, weights = model.optimizer, model.trainable_weights
    layout = optimizer.layout or []
    fresh = [shape for _, shape in layout] != [weight.shape for weight in weights]
    names = {
        id(weight): _own_name(layer, weight)
        for layer in model.layers
        for weight in layer.weights
    }
    state: dict[str, Any] = {}
    for name, value in optimizer.get_state().items():
        if name not in optimizer.slots:
            state[name] = as_plain(value)
        elif not fresh:  # else the next call of fit starts with new slots anyway
            state[name] = [
                (names[id(w)], value[start : start + w.value.size].reshape(shape))
                for w, (start, shape) in zip(weights, layout)
            ]
    return state


# ---------------------------------------------------------------- into a model


def match_weights(
    model: Any,
    layers: dict[str, Named],
    by_name: bool = False,
    skip_mismatch: bool = False,
    reshape: bool = False,
) -> list[tuple[Weight, np.ndarray]]:
    """
    Return which weight gets which array, without changing anything.

    Parameters
    ----------
    model : Sequential
    layers : dict
        See `Snapshot`.
    by_name : bool
        Match layers of equal names; default: those that have weights, in their order.
    skip_mismatch : bool
        Warn about layers whose arrays do not fit, and leave them out.
    reshape : bool
        Accept arrays of another shape with the right number of entries.

    Raises
    ------
    ValueError
        If something does not fit.
    """
    pairs = _same_name(model, layers) if by_name else _same_place(model, layers)
    matched = []
    for layer, name, arrays in pairs:
        problem = _misfit(layer, name, arrays, reshape)
        if problem and not skip_mismatch:
            raise ValueError(
                f"{problem} Build the model as it was when it was saved; by_name=True "
                "with skip_mismatch=True loads the layers that fit."
            )
        if problem:
            warnings.warn(f"{problem} The layer was skipped.", stacklevel=3)
            continue
        for weight, (_, array) in zip(layer.weights, arrays):
            matched.append((weight, array.reshape(weight.shape)))
    return matched


def _same_name(model: Any, layers: dict[str, Named]) -> list[tuple[Layer, str, Named]]:
    common = [layer for layer in model.layers if layer.name in layers]
    if not common:
        warnings.warn(
            "No layer of the file has the name of a layer of the model, so nothing was "
            f"loaded. File: {_listed(layers)}. Model: "
            f"{_listed(layer.name for layer in model.layers)}.",
            stacklevel=4,
        )
    return [(layer, layer.name, layers[layer.name]) for layer in common]


def _same_place(model: Any, layers: dict[str, Named]) -> list[tuple[Layer, str, Named]]:
    mine = [layer for layer in model.layers if layer.weights]
    theirs = [(name, arrays) for name, arrays in layers.items() if arrays]
    if len(mine) != len(theirs):
        raise ValueError(
            f"The file has weights for {len(theirs)} layers "
            f"({_listed(name for name, _ in theirs)}), but the model has {len(mine)} "
            f"layers with weights ({_listed(layer.name for layer in mine)}). "
            "by_name=True loads the layers whose names agree."
        )
    return [(layer, name, arrays) for layer, (name, arrays) in zip(mine, theirs)]


def _misfit(layer: Layer, name: str, arrays: Named, reshape: bool) -> str:
    """Return what is wrong with the arrays for a layer, or nothing."""
    weights = layer.weights
    if len(weights) != len(arrays):
        return (
            f"Layer {name!r} of the file has {len(arrays)} weight arrays, layer "
            f"{layer.name!r} of the model has {len(weights)}."
        )
    for weight, (stored, array) in zip(weights, arrays):
        same_size = reshape and array.size == weight.value.size
        if array.shape != weight.shape and not same_size:
            return (
                f"{stored} of the file has shape {array.shape}, "
                f"{_own_name(layer, weight)} of the model has {weight.shape}."
            )
    return ""


def _listed(names: Any) -> str:
    names = list(names)
    shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    return shown or "none"


def restore_training(model: Any, snapshot: Snapshot) -> None:
    """
    Compile a model as it was, and put the optimizer where it was.

    A state that does not fit is left out with a warning: the optimizer starts anew.

    Raises
    ------
    ValueError
        If a loss, metric or optimizer is unknown here.
    """
    training = snapshot.training or {}
    optimizer = optimizers.get(training["optimizer_config"])
    weighted = _revived(training["weighted_metrics"], metrics.get)
    model.compile(
        optimizer,
        loss=_revived(training["loss"], losses.get),
        metrics=_revived(training["metrics"], metrics.get),
        loss_weights=training["loss_weights"],
        sample_weight_mode=training["sample_weight_mode"],
        **({"weighted_metrics": weighted} if weighted else {}),  # not in Keras 1
    )
    try:
        restore_optimizer(optimizer, snapshot.state)
    except ValueError as error:
        warnings.warn(
            f"The state of the optimizer does not fit, so it starts anew: {error}",
            stacklevel=4,
        )


def restore_optimizer(optimizer: Optimizer, state: dict[str, Any]) -> None:
    """
    Put an optimizer where it was.

    Raises
    ------
    ValueError
        If the state does not fit.
    """
    optimizer.set_state(
        {
            name: [array for _, array in value] if name in optimizer.slots else value
            for name, value in state.items()
        }
    )


def restore_layers(
    model: Any, states: list[dict[str, Any]], put: Put = set_state
) -> None:
    """
    Put back what layers keep beside their weights, one by one by `put`.

    Raises
    ------
    ValueError
        If the states are those of another model.
    """
    layers = _with_state(model)
    if len(layers) != len(states):
        raise ValueError(
            f"There are states of {len(states)} layers, and {len(layers)} layers have "
            f"one ({_listed(layer.name for layer in layers)})."
        )
    for layer, state in zip(layers, states):
        put(layer, state)


def _revived(value: Any, get: Callable[[Any], Any]) -> Any:
    """Return what `_described` was given."""
    if isinstance(value, dict) and "class_name" in value:
        return own_function(value) if value["class_name"] == FUNCTION else get(value)
    if isinstance(value, dict):
        return {name: _revived(part, get) for name, part in value.items()}
    if isinstance(value, list):
        return [_revived(part, get) for part in value]
    return get_custom_objects().get(value, value)
