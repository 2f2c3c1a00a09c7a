"""
The HDF5 files of Keras 2: weights and whole models, exactly as Keras lays them out.

A group per layer holds its arrays, an attribute says in which order; a whole model has
its configuration, how it was compiled and the state of the optimizer beside that. Files
of Keras 1 and whole models of Keras 3 in this layout are read as well. Read next:
`keras1_weights.py` for what changed in arrays, `hdf5_files.py` for what is refused.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from . import optimizers
from .container import DamagedFile
from .hdf5_files import Folder, Stored, put_array, put_group, put_texts, writing
from .keras1_weights import flipped, from_cards, modern_config, modernized, stored
from .keras3_config import from_keras3, optimizer_from, told_from
from .layer import Layer
from .snapshot import FUNCTION, Snapshot

KERAS_VERSION = "2.2.4"
BACKEND = "tensorflow"  # whose orientation of convolutions ours is
SCALARS = "kerasnb_scalars"  # numbers of an optimizer that Keras leaves out
MOST_STEPS = 1_000_000  # of Nadam that are counted again


@dataclasses.dataclass
class ForeignSnapshot(Snapshot):
    """
    What a file of Keras holds of a model, to be brought into our order.

    Attributes
    ----------
    room : int
        How many bytes the weights of the layers may take.
    translate : function
        Returns the configuration of the model in our words.
    arrange : function of a model and of by_name
        Returns the layers, as a `Snapshot` has them, for that model.
    prepare : function of a model
        Returns how the model was compiled, and the state of its optimizer.
    """

    room: int = 0
    translate: Callable[[], dict[str, Any]] = dict
    arrange: Callable[[Any, bool], dict[str, Any]] = lambda model, by_name: {}
    prepare: Callable[[Any], tuple[dict, dict]] = lambda model: ({}, {})


def room_for(arrays: Iterable[Stored]) -> int:
    """Return the bytes that arrays take in a model, where half precision is single."""
    return sum(array.size * max(array.dtype.itemsize, 4) for array in arrays)


# ---------------------------------------------------------------- writing


def write_weights(path: str, model: Any) -> None:
    """Write the weights of a model as Keras 2 does."""
    with writing(path) as root:
        _put_weights(root, model)


def write_model(path: str, model: Any, snapshot: Snapshot) -> None:
    """Write a whole model, of which `take_model` made the snapshot, as Keras 2 does."""
    with writing(path) as root:
        root.attrs["keras_version"] = KERAS_VERSION.encode()
        root.attrs["backend"] = BACKEND.encode()
        root.attrs["model_config"] = json.dumps(snapshot.model).encode()
        _put_weights(root.create_group("model_weights"), model)
        if snapshot.training is not None:
            training = {k: _by_name(v) for k, v in snapshot.training.items()}
            root.attrs["training_config"] = json.dumps(training).encode()
            _put_optimizer(root, model.optimizer, snapshot.state)


def _put_weights(group: Any, model: Any) -> None:
    put_texts(group, "layer_names", [layer.name for layer in model.layers])
    group.attrs["backend"] = BACKEND.encode()
    group.attrs["keras_version"] = KERAS_VERSION.encode()
    for layer in model.layers:
        names = _distinct(weight.name for weight in layer.weights)
        inside = put_group(group, layer.name)
        put_texts(inside, "weight_names", names)
        for name, array in zip(names, stored(layer)):
            put_array(inside, name, array)


def _distinct(given: Any) -> list[str]:
    """Return names of which none comes twice: layers inside may share theirs."""
    names: list[str] = []
    for name in given:
        own, _, end = name.partition(":")
        number = 0
        while name in names:
            number += 1
            name = f"{own}_{number}:{end}"
        names.append(name)
    return names


def _put_optimizer(root: Any, optimizer: Any, state: dict[str, Any]) -> None:
    scalars = {n: v for n, v in state.items() if not isinstance(v, list)}
    arrays = optimizer.get_weights()
    stored = any(isinstance(value, list) for value in state.values())
    if not stored and not _has_no_slots(optimizer):
        return  # the next training call starts with new slots anyway
    own = type(optimizer).__name__
    names = [f"training/{own}/Variable:0"]
    names += [f"training/{own}/Variable_{i}:0" for i in range(1, len(arrays))]
    if optimizer.weights_start_with_iterations:
        names = [f"{own}/iterations:0", *names[:-1]]
    group = root.create_group("optimizer_weights")
    put_texts(group, "weight_names", names)
    group.attrs[SCALARS] = json.dumps(scalars).encode()
    for name, array in zip(names, arrays):
        put_array(group, name, array)


def _has_no_slots(optimizer: Any) -> bool:
    return all(getattr(optimizer, name, None) is None for name in optimizer.slots)


def _by_name(value: Any) -> Any:
    """Return losses and metrics with functions by their names alone."""
    if isinstance(value, dict) and value.get("class_name") == FUNCTION:
        return value["config"]
    if isinstance(value, dict) and "class_name" not in value:
        return {name: _by_name(part) for name, part in value.items()}
    return [_by_name(part) for part in value] if isinstance(value, list) else value


# ---------------------------------------------------------------- reading


def find(root: Folder) -> ForeignSnapshot:
    """Return what an HDF5 file in the layout of Keras 2 or 1 holds of a model."""
    inside = "model_weights" in root
    weights = root.folder("model_weights") if inside else root
    layers = _layers(weights)
    version = weights.text("keras_version") or ""
    is_old = not version
    theano = version.startswith("2.") and weights.text("backend") == "theano"

    def arrange(model: Any, by_name: bool) -> dict[str, Any]:
        pairs = _pairs(model, layers, by_name)
        return {
            name: _converted(pairs.get(name), arrays, is_old, theano)
            for name, arrays in layers.items()
        }

    def translate() -> dict[str, Any]:
        return modern_config(config) if is_old else from_keras3(config, version)

    def prepare(model: Any) -> tuple[dict, dict]:
        full = _full(training)
        optimizer = optimizers.get(full["optimizer_config"])
        weights = model.trainable_weights
        return full, _state(root, optimizer, len(weights), is_old)

    config, training = _json(root, "model_config"), _json(root, "training_config")
    room = room_for(array for named in layers.values() for _, array in named)
    return ForeignSnapshot(
        {},
        config,
        training,
        room=room,
        translate=translate,
        arrange=arrange,
        prepare=prepare,
    )


def _json(root: Folder, name: str) -> Any:
    text = root.text(name)
    if text is None:
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DamagedFile(root.source.path, f"its {name} is not JSON") from error
    if not isinstance(found, dict):
        raise DamagedFile(root.source.path, f"its {name} is no JSON object")
    return found


def _layers(weights: Folder) -> dict[str, list[tuple[str, Stored]]]:
    """Return the arrays of every layer, in order, not yet read."""
    names = weights.texts("layer_names")
    if names is None:
        return _oldest_layers(weights)
    if len(set(names)) != len(names):
        raise DamagedFile(weights.source.path, "it names a layer twice")
    layers = {}
    for layer in names:
        group = weights.folder(layer)
        found = group.texts("weight_names") or []
        layers[layer] = [(name, group.array(name)) for name in found]
    return layers


def _oldest_layers(weights: Folder) -> dict[str, list[tuple[str, Stored]]]:
    """Return the arrays of a file from the first years, which has no names."""
    count = weights.count("nb_layers")
    if count is None:
        problem = "it holds neither weights nor a model of Keras"
        raise DamagedFile(weights.source.path, problem)
    layers = {}
    for i in range(count):
        group = weights.folder(f"layer_{i}")
        names = [f"param_{k}" for k in range(group.count("nb_params") or 0)]
        layers[f"layer_{i}"] = [(name, group.array(name)) for name in names]
    return layers


def _pairs(model: Any, layers: dict[str, Any], by_name: bool) -> dict[str, Layer]:
    """Return which layer of the model a layer of the file is for."""
    if by_name:
        return {layer.name: layer for layer in model.layers}
    theirs = [name for name, arrays in layers.items() if arrays]
    return dict(zip(theirs, (layer for layer in model.layers if layer.weights)))


def _converted(layer: Layer | None, named: list, is_old: bool, theano: bool) -> list:
    """Return the arrays for a layer; without need to convert they stay unread."""
    if layer is not None and is_old:
        named = modernized(layer, named)
    if layer is not None:
        named = from_cards(layer, named)
    if layer is not None and theano:
        named = flipped(layer, named)
    return named


# ---------------------------------------------------------------- training


def _full(training: dict[str, Any]) -> dict[str, Any]:
    """Return how a model was compiled, with all keys and in today's words."""
    keys = ("loss", "metrics", "weighted_metrics", "loss_weights", "sample_weight_mode")
    full = {key: told_from(training.get(key)) for key in keys}
    return {"optimizer_config": optimizer_from(training["optimizer_config"]), **full}


def _state(root: Folder, optimizer: Any, count: int, is_old: bool) -> dict[str, Any]:
    """
    Return the state of an optimizer from Keras's list of arrays.

    What does not fit gives a state that the optimizer refuses; so does a state of
    Keras 1, which sorts the weights by their names.
    """
    if "optimizer_weights" not in root:
        return {name: getattr(optimizer, name) for name in optimizer.scalars}
    if is_old:
        return {}
    group = root.folder("optimizer_weights")
    arrays: list[Any] = [group.array(n) for n in group.texts("weight_names") or []]
    state: dict[str, Any] = {"iterations": 0}
    if optimizer.weights_start_with_iterations and arrays:
        state["iterations"] = int(arrays.pop(0).reshape(-1)[0])
    if "schedule_product" in optimizer.scalars:
        state["schedule_product"] = _product(optimizer, state["iterations"])
    own = json.loads(group.text(SCALARS) or "{}")
    state.update({n: v for n, v in own.items() if n in optimizer.scalars})
    optimizer.build(1, "float32")  # to see which slots it makes
    for i, slot in enumerate(optimizer.slots):
        part = arrays[i * count : (i + 1) * count]
        if part and getattr(optimizer, slot) is not None:
            state[slot] = [("", array) for array in part]
    return state


def _product(optimizer: Any, iterations: int) -> float:
    """Return the product of all momenta of Nadam so far, which Keras leaves out."""
    t = np.arange(1, min(max(iterations, 0), MOST_STEPS) + 1)
    return float(np.prod(optimizer.momentum_of(t)))
