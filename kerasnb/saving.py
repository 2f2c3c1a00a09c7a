"""
Saving: models and weights as files, and back.

A file is a `container.py` with the weights as arrays and, of a whole model, what is
needed to go on training as if nothing had happened. Loading makes objects of the
library's own classes and of those in `custom_objects`, copies numbers, and does nothing
else. Read next: `snapshot.py` for what is kept of a model, `container.py` for the file,
`configurations.py` for models from JSON.
"""

from __future__ import annotations

import contextlib
import json
import os
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from . import hdf5_files, keras2_files, keras3_files
from .configurations import model_from_config
from .container import DamagedFile, read_container, write_container
from .extras import import_extra
from .initializers import left_blank
from .keras2_files import ForeignSnapshot
from .snapshot import (
    Named,
    Snapshot,
    described,
    match_weights,
    plain_number,
    restore_layers,
    restore_training,
    take_model,
    take_weights,
)
from .state import packed, unpacked
from .utils import collected_functions, custom_object_scope, name_of, said
from .version import __version__

FORMAT = "kerasnb 1"
PARTS = (
    "layers", "model_config", "training_config", "optimizer_state", "layer_states",
    "run",
)  # fmt: skip
KERAS_VERSION = "2.2.4"  # whose configurations ours follow
HDF5_ENDINGS = (".h5", ".hdf5")


class Saving:
    """What `Sequential` can do with files."""

    dialect = 2  # 1 in the model of keras1.py

    def save(
        self, filepath: Any, overwrite: bool = True, include_optimizer: bool = True
    ) -> None:
        """
        Save the whole model to a file: see `save_model`.

        Parameters
        ----------
        filepath : str or PathLike
        overwrite : bool
            Whether a file of that name may be replaced.
        include_optimizer : bool
            Whether to keep how the model was compiled and the optimizer's state.
        """
        save_model(self, filepath, overwrite, include_optimizer)

    def save_weights(self, filepath: Any, overwrite: bool = True) -> None:
        """
        Save the weights to a file.

        Parameters
        ----------
        filepath : str or PathLike
        overwrite : bool
            Whether a file of that name may be replaced.

        Raises
        ------
        ValueError
            If the model is not built: it has no weights yet.
        OSError
            If the file cannot be written, or exists and must not be replaced.
        """
        path = _writable(filepath, overwrite)
        _expect_built(self, "save_weights")
        if path.lower().endswith(".weights.h5"):
            keras3_files.write_weights(path, self)
        elif path.lower().endswith(HDF5_ENDINGS):
            keras2_files.write_weights(path, self)
        elif path.lower().endswith(".keras"):
            raise ValueError(
                f"save_weights: {path} has the ending of a whole model of Keras 3. "
                "Call save, or let the name end in .weights.h5."
            )
        else:
            _write(path, take_weights(self))

    def load_weights(
        self,
        filepath: Any,
        by_name: bool = False,
        skip_mismatch: bool = False,
        reshape: bool = False,
    ) -> None:
        """
        Take over the weights in a file, of weights alone or of a whole model.

        Parameters
        ----------
        filepath : str or PathLike
        by_name : bool
            Load the layers whose names agree. Default: all layers that have weights,
            in their order, whatever their names.
        skip_mismatch : bool
            With `by_name`: warn about layers that do not fit, and leave them out.
        reshape : bool
            Accept arrays of another shape with the right number of entries.

        Raises
        ------
        ValueError
            If the file is damaged or does not fit; then no weight has changed.
        OSError
            If the file cannot be read.
        """
        if skip_mismatch and not by_name:
            raise ValueError(
                "load_weights: skip_mismatch=True needs by_name=True. Without names a "
                "layer that is left out would shift all others."
            )
        path = _path(filepath)
        _expect_built(self, "load_weights")
        with _opened(path) as snapshot:
            try:
                layers = _layers_for(self, snapshot, by_name)
                matched = match_weights(self, layers, by_name, skip_mismatch, reshape)
            except DamagedFile:
                raise
            except ValueError as error:
                text = f"load_weights: {path} does not fit. {error}"
                raise ValueError(text) from error
        for weight, array in matched:
            weight.assign(array)

    def to_json(self, **kwargs: Any) -> str:
        """
        Return the configuration, without weights, as JSON.

        Parameters
        ----------
        **kwargs
            For `json.dumps`, for example indent=2.
        """
        with collected_functions() as functions:
            description = described(self)
        _expect_names("to_json", self, functions)
        document = {
            **description,
            "keras_version": KERAS_VERSION,
            "backend": "kerasnb",
        }
        return json.dumps(document, **{"default": plain_number, **kwargs})

    def to_yaml(self, **kwargs: Any) -> str:
        """
        Return the configuration, without weights, as YAML.

        Parameters
        ----------
        **kwargs
            For `yaml.safe_dump`, for example indent=4.
        """
        yaml = import_extra("yaml", "yaml", "to_yaml")
        return yaml.safe_dump(json.loads(self.to_json()), **kwargs)


# ---------------------------------------------------------------- whole models


def save_model(
    model: Any, filepath: Any, overwrite: bool = True, include_optimizer: bool = True
) -> None:
    """
    Save a model to a file: configuration, weights and all that training needs.

    The file is replaced only when the new one is complete, so an interrupted save
    leaves the old one. Training that goes on with the loaded model gives the same bits.

    Parameters
    ----------
    model : Sequential
    filepath : str or PathLike
        Any name; .h5 and .hdf5 stand for the format of Keras 2, .keras for Keras 3.
    overwrite : bool
        Whether a file of that name may be replaced. Keras would ask at the keyboard;
        here False raises an error.
    include_optimizer : bool
        Whether to keep the arguments of `compile` and the optimizer's state.

    Raises
    ------
    TypeError
        If a configuration holds something else than plain values.
    ValueError
        If the format of Keras 3 is asked for and it lacks something of the model.
    OSError
        If the file cannot be written, or exists and must not be replaced.

    Examples
    --------
    >>> from kerasnb import Sequential, layers, load_model
    >>> model = Sequential([layers.Dense(2, input_shape=(3,))])
    >>> path = getfixture("tmp_path") / "model.knb"
    >>> save_model(model, path, include_optimizer=False)
    >>> bool((load_model(path, compile=False).predict([[1, 2, 3]])
    ...       == model.predict([[1, 2, 3]])).all())
    True
    """
    path = _writable(filepath, overwrite)
    _expect_model("save_model", model)
    with collected_functions() as functions:
        snapshot = take_model(model, include_optimizer)
    _expect_names("save", model, functions)
    if path.lower().endswith(".keras"):
        keras3_files.write_model(path, model, snapshot)
    elif path.lower().endswith(HDF5_ENDINGS):
        keras2_files.write_model(path, model, snapshot)
    else:
        _write(path, snapshot)


def load_model(
    filepath: Any, custom_objects: dict[str, Any] | None = None, compile: bool = True
) -> Any:
    """
    Return the model in a file that `save` wrote, ready to predict or to train on.

    Files of Keras are known by their content: .h5 of Keras 1 and 2, .keras of Keras 3.

    Parameters
    ----------
    filepath : str or PathLike
    custom_objects : dict, optional
        Name -> class or function, for everything that is not the library's own.
    compile : bool
        Whether to compile the model as it was, with the optimizer's state.

    Raises
    ------
    ValueError
        If the file is damaged, holds no model, or names something unknown.
    OSError
        If the file cannot be read.
    """
    path = _path(filepath)
    with (
        _opened(path) as snapshot,
        custom_object_scope(_old_metrics(snapshot), custom_objects or {}),
    ):
        if snapshot.model is None:
            raise ValueError(
                f"load_model: {path} holds weights only. Build the model and call "
                "model.load_weights."
            )
        model = _rebuilt(path, snapshot)
        if compile and snapshot.training is None:
            warnings.warn(
                f"load_model: {path} does not say how the model was compiled. Call "
                "model.compile before training.",
                stacklevel=2,
            )
        elif compile:
            _recompile(path, model, snapshot)
    return model


def _old_metrics(snapshot: Snapshot) -> dict[str, Any]:
    """Return the metrics of Keras 1, for a model of that dialect."""
    from . import keras1_defaults  # which stands on the layers

    is_old = isinstance(snapshot.model, dict) and snapshot.model.get("dialect") == 1
    return keras1_defaults.METRICS if is_old else {}


def save_checkpoint(model: Any, filepath: Any, run: dict[str, Any]) -> None:
    """Save a whole model and where its training is: see `resume.py`."""
    snapshot = take_model(model, include_optimizer=True)
    snapshot.run = run
    _write(filepath, snapshot)


def read_checkpoint(filepath: Any) -> Snapshot:
    """
    Return what `save_checkpoint` wrote.

    Raises
    ------
    ValueError
        If the file is damaged, or does not tell of a training under way.
    OSError
        If the file cannot be read.
    """
    snapshot = _read(filepath)
    if not isinstance(snapshot.run, dict) or snapshot.training is None:
        raise ValueError(
            f"{os.fspath(filepath)} holds a model, but not where its training is. Pass "
            "a file that BackupAndRestore wrote, or call load_model."
        )
    return snapshot


def _rebuilt(path: str, snapshot: Snapshot) -> Any:
    """Return the model with its weights, which leave the snapshot as they go over."""
    config = snapshot.model
    sizes = {id(a): a.nbytes for named in snapshot.layers.values() for _, a in named}
    room = sum(sizes.values())  # an array counts once, however often it is named
    try:
        if isinstance(snapshot, ForeignSnapshot):
            config, room = snapshot.translate(), snapshot.room
        with left_blank(room), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "In today's words")
            model = model_from_config(config)
        if snapshot.layer_states:
            restore_layers(model, snapshot.layer_states)
        matched = match_weights(model, _layers_for(model, snapshot))
    except DamagedFile:
        raise
    except Exception as error:  # a class can refuse a forged configuration in any way
        raise ValueError(
            f"load_model: the model in {path} cannot be built. {said(error)} Classes "
            "and functions of your own are passed as custom_objects={'Name': Name}."
        ) from error
    snapshot.layers.clear()
    while matched:
        weight, array = matched.pop()
        weight.assign(array)
    return model


def _recompile(path: str, model: Any, snapshot: Snapshot) -> None:
    try:
        if isinstance(snapshot, ForeignSnapshot):
            snapshot.training, snapshot.state = snapshot.prepare(model)
        restore_training(model, snapshot)
    except DamagedFile:
        raise
    except Exception as error:
        raise ValueError(
            f"load_model: the model in {path} cannot be compiled. {said(error)} Losses"
            ", metrics and optimizers of your own are passed as custom_objects="
            "{'name': object}; compile=False loads the model alone."
        ) from error


# ---------------------------------------------------------------- paths and models


def _path(filepath: Any) -> str:
    """Return the path of a file as a string."""
    if not isinstance(filepath, (str, os.PathLike)):
        raise TypeError(
            f"filepath: expected a str or a PathLike, got {type(filepath).__name__}."
        )
    if not os.fspath(filepath):
        raise ValueError("filepath: expected the name of a file, got ''.")
    return os.fspath(filepath)


def _writable(filepath: Any, overwrite: bool) -> str:
    path = _path(filepath)
    if not overwrite and os.path.exists(path):
        raise FileExistsError(
            f"{path} exists already, and overwrite=False. Choose another name, or pass "
            "overwrite=True to replace it."
        )
    return path


def _expect_model(call: str, model: Any) -> None:
    if not isinstance(model, Saving):
        raise TypeError(f"{call}: expected a Sequential, got {model!r:.80}.")


def _expect_names(call: str, model: Any, functions: dict[str, Any]) -> None:
    """Refuse functions that nobody could supply under a name of their own."""
    for name, function in functions.items():
        own_name, problem = name_of(function), ""
        if own_name == "<lambda>":
            problem = "a lambda, which has no name"
        elif own_name != name:
            problem = f"two functions called {own_name!r}"
        if problem:
            raise ValueError(
                f"{call}: {model.name} uses {problem}. A file holds the names of your "
                "functions, never their code, and load_model finds them in "
                "custom_objects. Give each a name of its own: def name(...). "
                "include_optimizer=False leaves losses and metrics out."
            )


def _expect_built(model: Any, call: str) -> None:
    if not model.built:
        raise ValueError(
            f"{call}: {model.name} is not built, so it has no weights yet. Give the "
            "first layer input_shape=(...), or call build((None, ...)) or fit first."
        )


# ---------------------------------------------------------------- kinds of files


@contextlib.contextmanager
def _opened(path: str) -> Iterator[Snapshot]:
    """Yield what is in a file, whose first bytes tell of which kind it is."""
    with open(path, "rb") as file:
        start = file.read(8)
    if start.startswith(b"PK\x03\x04"):
        with keras3_files.open_model(path) as snapshot:
            yield snapshot
    elif start == hdf5_files.SIGNATURE:
        with hdf5_files.reading(path) as root:
            kind = keras3_files if "layers" in root else keras2_files
            yield kind.find(root)
    else:
        yield _read(path)


def _layers_for(model: Any, snapshot: Snapshot, by_name: bool = False) -> dict:
    """Return the arrays in a file by layer, in the order of the model's weights."""
    if isinstance(snapshot, ForeignSnapshot):
        return snapshot.arrange(model, by_name)
    return snapshot.layers


# ---------------------------------------------------------------- our own format


def _write(path: str, snapshot: Snapshot) -> None:
    """Write a snapshot as a container."""
    arrays: dict[str, np.ndarray] = {}

    def put(named: Named, folder: str = "") -> list[str]:
        names = []
        for name, array in named:
            names.append(folder + name)
            while names[-1] in arrays:  # nested models may use one name twice
                names[-1] += "_"
            arrays[names[-1]] = array
        return names

    def put_state(array: np.ndarray) -> str:
        return put([(str(len(arrays)), array)], "state/")[0]

    layers = {layer: put(named) for layer, named in snapshot.layers.items()}
    state = {
        name: put(value, f"optimizer/{name}/") if isinstance(value, list) else value
        for name, value in snapshot.state.items()
    }
    metadata = {
        "format": FORMAT,
        "kerasnb_version": __version__,
        "layers": json.dumps(layers),
    }
    if snapshot.model is not None:
        metadata["model_config"] = json.dumps(snapshot.model)
    for name in ("layer_states", "run"):
        value = getattr(snapshot, name)
        if value:
            metadata[name] = json.dumps(packed(value, put_state, name))
    if snapshot.training is not None:
        metadata["training_config"] = json.dumps(snapshot.training)
        metadata["optimizer_state"] = json.dumps(state)
    write_container(path, arrays, metadata)


def _read(path: str) -> Snapshot:
    """Return the snapshot in a container, checked as far as it goes without a model."""
    arrays, metadata = read_container(path)
    version = metadata.get("kerasnb_version")
    if version is None or metadata.get("format") != FORMAT:
        hint = "Pass a file that save or save_weights wrote."
        if version is not None:
            hint = f"kerasnb {version} wrote it, this is kerasnb {__version__}: update."
        raise ValueError(
            f"{path}: expected a file of format {FORMAT!r}, got "
            f"{metadata.get('format')!r}. {hint}"
        )

    def take(names: list[str]) -> Named:
        return [(name, arrays[name]) for name in names]

    try:
        parts = {name: json.loads(metadata.get(name, "null")) for name in PARTS}
        state = parts["optimizer_state"] or {}
        return Snapshot(
            {layer: take(names) for layer, names in parts["layers"].items()},
            parts["model_config"],
            parts["training_config"],
            {k: take(v) if isinstance(v, list) else v for k, v in state.items()},
            unpacked(parts["layer_states"] or [], arrays),
            unpacked(parts["run"], arrays),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DamagedFile(path, f"its parts do not fit together ({error})") from error
