"""
The files of Keras 3: `.weights.h5`, and `.keras` with a whole model.

A `.keras` file is a zip of two JSON documents and a weights file; in that, every layer
has a group named after its class and counted, and numbers for names of its arrays. Code
is neither written nor read, and what is not the same in both libraries is refused. Read
next: `keras3_config.py` for the words, `hdf5_files.py` for what is refused of a file.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import time
import warnings
import zipfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from . import optimizers
from .container import DamagedFile
from .files import replacing
from .hdf5_files import (
    ALWAYS_ALLOWED,
    MOST_TIMES_LARGER,
    Folder,
    Part,
    import_h5py,
    new_file,
    put_array,
    reading,
    writing,
)
from .keras2_files import ForeignSnapshot, room_for
from .keras3_config import (
    ALIASES,
    from_keras3,
    to_keras3,
    training_from,
    training_to,
)
from .layer import Layer, Weight, snake_case
from .snapshot import Snapshot, as_plain

KERAS_VERSION = "3.15.1"  # whose layout ours follows
CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
HEADER, NAME_SIZE = 30, 26  # bytes before a name in a zip, and where its length is
SMALLEST_GROUP = 40  # bytes that a group takes at least, in any version of HDF5
CELLS = ("SimpleRNN", "GRU", "LSTM", "ConvLSTM2D", "RNN")
INNER = {
    "TimeDistributed": ("layer",),
    "Bidirectional": ("forward_layer", "backward_layer"),
}
"""Wrappers -> what Keras 3 calls the layers inside."""

# ---------------------------------------------------------------- where arrays lie


def places(layer: Layer, path: str = "") -> Iterator[tuple[str, Layer, list[Weight]]]:
    """
    Yield the groups of a layer, or of a model, and which weights lie in each.

    The weights come in the order of `Layer.weights`.

    Examples
    --------
    >>> from kerasnb import Sequential, layers
    >>> model = Sequential([layers.Dense(2, input_shape=(3,)), layers.Dense(1)])
    >>> [path for path, _, weights in places(model) if weights]
    ['layers/dense/vars', 'layers/dense_1/vars']
    """
    kind = _kind(layer)
    if kind == "Sequential":
        yield f"{path}vars", layer, []
        for name, inner in zip(_counted(layer.sublayers), layer.sublayers):
            yield from places(inner, f"{path}layers/{name}/")
    elif kind in INNER:
        yield f"{path}vars", layer, []
        for name, inner in zip(INNER[kind], layer.sublayers):
            yield from places(inner, f"{path}{name}/")
    elif kind in CELLS:
        yield f"{path}vars", layer, []
        yield f"{path}cell/vars", layer, layer.weights
    else:
        yield f"{path}vars", layer, layer.weights


def _kind(layer: Layer) -> str:
    kind = type(layer).__name__
    return ALIASES.get(kind, kind)


def _counted(layers: list[Layer]) -> list[str]:
    """Return the name of the group of each layer: its class, and a number."""
    seen: Counter = Counter()
    names = []
    for layer in layers:
        kind = _kind(layer)
        name = "conv_lstm2d" if kind == "ConvLSTM2D" else snake_case(kind)
        names.append(f"{name}_{seen[name]}" if seen[name] else name)
        seen[name] += 1
    return names


# ---------------------------------------------------------------- writing


def write_weights(path: str, model: Any) -> None:
    """Write the weights of a model as Keras 3 does."""
    with writing(path) as root:
        _put_weights(root, model)


def _put_weights(root: Any, model: Any) -> None:
    for path, layer, weights in places(model):
        _put_vars(root, path, layer.name, [weight.value for weight in weights])


def _put_vars(root: Any, path: str, name: str, arrays: list) -> None:
    group = root.create_group(path)
    group.attrs["name"] = name
    for i, array in enumerate(arrays):
        put_array(group, str(i), array)


def write_model(path: str, model: Any, snapshot: Snapshot) -> None:
    """
    Write a whole model, of which `take_model` made the snapshot, as Keras 3 does.

    How it was compiled is left out, with a warning, if Keras 3 lacks something of it.

    Raises
    ------
    ValueError
        If Keras 3 lacks a layer or an argument; then nothing is written.
    """
    config = as_plain(to_keras3(model))
    if snapshot.training is not None:
        try:
            config["compile_config"] = training_to(snapshot.training)
        except ValueError as problem:
            snapshot.training = None
            warnings.warn(
                f"{path}: how the model was compiled cannot be told to Keras 3: "
                f"{problem}. Call compile after loading it.",
                stacklevel=4,
            )
    import_h5py()
    date = time.strftime("%Y-%m-%d@%H:%M:%S")
    metadata = {"keras_version": KERAS_VERSION, "date_saved": date}
    with replacing(path) as file, zipfile.ZipFile(file, "w") as archive:
        archive.writestr(METADATA, json.dumps(metadata))
        archive.writestr(CONFIG, json.dumps(config))
        with _new_member(archive, file, WEIGHTS) as root:
            _put_weights(root, model)
            if snapshot.training is not None:
                arrays = _optimizer_arrays(model, snapshot.state)
                name = snake_case(type(model.optimizer).__name__)
                _put_vars(root, "optimizer/vars", name, arrays)


@contextlib.contextmanager
def _new_member(archive: zipfile.ZipFile, file: Any, name: str) -> Iterator[Any]:
    """
    Write an HDF5 file in its place in an archive, which lies in a file, as the last.

    The header before it tells size and checksum, so it is written once more when they
    are known. The disk takes the numbers while the checksum is made of them.
    """
    info = zipfile.ZipInfo(name, time.localtime()[:6])
    info.header_offset, info.CRC = archive.start_dir, 0
    file.seek(info.header_offset)
    file.write(info.FileHeader(zip64=True))
    part = Part(file, file.tell())
    with new_file(part) as root:
        yield root
    info.file_size = info.compress_size = part.size
    file.flush()
    with ThreadPoolExecutor(1) as pool:
        synced = pool.submit(os.fsync, file.fileno())
        info.CRC = part.checksum()
        synced.result()
    archive.start_dir = file.tell()
    file.seek(info.header_offset)
    file.write(info.FileHeader(zip64=True))
    archive.filelist.append(info)


def _optimizer_arrays(model: Any, state: dict[str, Any]) -> list[np.ndarray]:
    """Return steps and learning rate, then the slots of each weight in turn."""
    optimizer = model.optimizer
    arrays = [
        np.asarray(optimizer.iterations, np.int32),
        np.asarray(float(optimizer.lr), np.float32),
    ]
    slots = [state[name] for name in optimizer.slots if name in state]
    for several in zip(*slots[:2]):
        arrays += [array for _, array in several]
    arrays += [array for slot in slots[2:] for _, array in slot]
    if "schedule_product" in state:
        arrays.append(np.asarray(state["schedule_product"], np.float32))
    return arrays


# ---------------------------------------------------------------- reading


@contextlib.contextmanager
def open_model(path: str) -> Iterator[ForeignSnapshot]:
    """
    Yield what a .keras file holds of a model.

    Raises
    ------
    ValueError
        If the file is damaged, or needs something that we do not have.
    OSError
        If it cannot be read.
    """
    with open(path, "rb") as file:
        metadata, config, part = _unpacked(path, file)
        version = metadata.get("keras_version")
        if not isinstance(version, str) or not version.startswith("3."):
            raise ValueError(
                f"{path}: expected a file of Keras 3, got one of Keras "
                f"{version!r:.20}. Save the model as .h5 there."
            )
        with reading(path, part) as root:
            snapshot = find(root)
            snapshot.model = config
            snapshot.translate = lambda: from_keras3(config, version)
            compiled = config.get("compile_config")
            if isinstance(compiled, dict) and compiled.get("optimizer") is not None:
                snapshot.training = compiled
                snapshot.prepare = lambda model: _training(root, compiled, model)
            yield snapshot


def _unpacked(path: str, file: Any) -> tuple[dict, dict, Part]:
    """Return the two documents in an archive, and where the weights are."""
    try:
        with zipfile.ZipFile(file) as archive:
            infos = {info.filename: info for info in archive.infolist()}
            if len(infos) != len(archive.infolist()):
                raise ValueError("a name comes twice in it")
            missing = {METADATA, CONFIG, WEIGHTS} - set(infos)
            if missing:
                raise ValueError(
                    f"there is no {min(missing)} in it, as in .keras files"
                )
            left = os.path.getsize(path) * MOST_TIMES_LARGER + ALWAYS_ALLOWED
            documents = []
            for name in (METADATA, CONFIG):
                content = _member(archive, infos[name], left)
                left -= len(content)
                documents.append(json.loads(content))
            if not all(isinstance(document, dict) for document in documents):
                raise ValueError("its documents are no JSON objects")
            if infos[WEIGHTS].compress_type == zipfile.ZIP_STORED:
                part = _part(archive, file, infos[WEIGHTS])
            else:
                part = Part(io.BytesIO(_member(archive, infos[WEIGHTS], left)))
        return documents[0], documents[1], part
    except OSError:
        raise
    except Exception as error:  # zipfile has many ways to say that bytes are wrong
        raise DamagedFile(path, str(error) or repr(error)) from error


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, left: int) -> bytes:
    """Return a file in the archive, which must have the size that it claims."""
    stored = info.compress_type == zipfile.ZIP_STORED
    if info.file_size > (info.compress_size if stored else left):
        raise ValueError(f"{info.filename} claims more bytes than it can have")
    with archive.open(info) as member:
        data = member.read(info.file_size)
        if len(data) != info.file_size or member.read(1):
            raise ValueError(f"{info.filename} has another size than it claims")
    return data


def _part(archive: zipfile.ZipFile, file: Any, info: zipfile.ZipInfo) -> Part:
    """Return where an uncompressed file in the archive lies, its checksum verified."""
    archive.open(info).close()  # which compares the header before it with the list
    file.seek(info.header_offset + NAME_SIZE)
    after = int.from_bytes(file.read(2), "little")  # a name, then other fields
    after += int.from_bytes(file.read(2), "little")
    part = Part(file, info.header_offset + HEADER + after, info.file_size)
    if info.file_size != info.compress_size or part.checksum() != info.CRC:
        raise ValueError(f"the checksum or the size of {info.filename} is wrong")
    return part


def find(root: Folder) -> ForeignSnapshot:
    """Return what a .weights.h5 file holds, to be arranged for a model."""
    arrays, names = _contents(root)

    def arrange(model: Any, by_name: bool) -> dict[str, Any]:
        return _by_name(arrays, names, model) if by_name else _by_place(arrays, model)

    room = room_for(array for group in arrays.values() for array in group)
    return ForeignSnapshot({}, room=room, arrange=arrange)


Arrays = dict[str, list[Any]]  # path of a group -> its arrays, not yet read


def _contents(root: Folder) -> tuple[Arrays, dict[str, str]]:
    """Return the arrays of all groups of arrays, and the names of their layers."""
    arrays: Arrays = {}
    names: dict[str, str] = {}
    waiting = ["layers"]
    left = root.source.size // SMALLEST_GROUP
    while waiting:
        path = waiting.pop()
        left -= 1
        if left < 0:  # hard links can make a circle
            raise DamagedFile(
                root.source.path, "it claims more groups than it can have"
            )
        group = root.folder(path)
        if path.endswith("/vars"):
            arrays[path] = _numbered(group)
            names[path] = group.text("name") or ""
        else:
            inside = (name for name in group.names() if name != "seed_generator")
            waiting += [f"{path}/{name}" for name in inside]
    return arrays, names


def _numbered(group: Folder) -> list[Any]:
    names = sorted((name for name in group.names() if name.isdecimal()), key=int)
    return [group.array(name) for name in names]


def _by_place(arrays: Arrays, model: Any) -> dict[str, Any]:
    """Return the arrays of the groups where Keras 3 would look for a model's."""
    layers = {}
    left = {path for path, group in arrays.items() if group}
    for name, layer in zip(_counted(model.layers), model.layers):
        layers[layer.name] = _taken(arrays, layer, f"layers/{name}/")
        left -= {path for path, _, _ in places(layer, f"layers/{name}/")}
        if layer.weights and not layers[layer.name]:
            raise ValueError(
                f"It has no arrays in layers/{name}, where those of {layer.name!r} "
                "should be. by_name=True loads the layers whose names agree."
            )
    if left:
        raise ValueError(
            f"It has arrays in {min(left)}, for which the model has no layer. "
            "by_name=True loads the layers whose names agree."
        )
    return layers


def _taken(arrays: Arrays, layer: Layer, path: str) -> list[tuple[str, Any]]:
    """Return the arrays of a layer that are there, in the order of its weights."""
    return [
        (f"{place}/{i}", array)
        for place, _, weights in places(layer, path)
        for i, array in enumerate(arrays.get(place, []) if weights else [])
    ]


def _by_name(arrays: Arrays, names: dict[str, str], model: Any) -> dict[str, Any]:
    """Return the arrays of the layers whose names agree, as newer files tell them."""
    tops = {path: name for path, name in names.items() if path.count("/") == 2}
    if "" in tops.values():
        raise ValueError(
            "It does not tell the names of its layers, as those of older releases of "
            "Keras 3. Load it without by_name."
        )
    own = {layer.name: layer for layer in model.layers}
    return {
        name: (
            _taken(arrays, own[name], path.removesuffix("vars")) if name in own else []
        )
        for path, name in tops.items()
    }


def _training(root: Folder, config: dict[str, Any], model: Any) -> tuple[dict, dict]:
    """Return how a model was compiled, and the state of its optimizer."""
    training = training_from(config)
    optimizer = optimizers.get(training["optimizer_config"])
    state: dict[str, Any] = {n: getattr(optimizer, n) for n in optimizer.scalars}
    if "optimizer" not in root:
        return training, state
    arrays = _numbered(root.folder("optimizer/vars"))
    state["iterations"] = int(arrays[0].reshape(-1)[0])
    rest = arrays[2:]
    if "schedule_product" in state and len(rest) % 2:
        state["schedule_product"] = float(rest.pop().reshape(-1)[0])
    slots = [name for name in optimizer.slots] if rest else []
    count = len(rest) // max(len(slots), 1)
    for i, slot in enumerate(slots[:2]):
        width = len(slots[:2])
        state[slot] = [("", array) for array in rest[i : width * count : width]]
    for i, slot in enumerate(slots[2:], 2):
        state[slot] = [("", array) for array in rest[i * count : (i + 1) * count]]
    return training, state
