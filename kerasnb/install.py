"""
Stand in for Keras: after `install_as_keras()`, `import keras` finds kerasnb.

A finder answers every import that begins with `keras` with a module whose names come
from ours; `PLACES` says from where. A name that kerasnb lacks fails where it is
imported, with a sentence that says what to use instead. Read next: `__main__.py`, which
runs old scripts this way; `keras1.py` for the older dialect.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.abc
import importlib.machinery
import pkgutil
import sys
import types
from typing import Any

from .saving import KERAS_VERSION

VERSION_VARIABLE = "KERASNB_AS_KERAS"  # tells processes that a script starts
LAYERS = ("layers",)

PLACES: dict[str, tuple[str, ...]] = {
    "": ("models",),
    "activations": ("activations",),
    "backend": ("backend",),
    "callbacks": ("callbacks",),
    "constraints": ("constraints",),
    "datasets": ("datasets",),
    "datasets.cifar10": ("datasets.cifar10",),
    "datasets.fashion_mnist": ("datasets.fashion_mnist",),
    "datasets.imdb": ("datasets.imdb",),
    "datasets.mnist": ("datasets.mnist",),
    "datasets.reuters": ("datasets.reuters",),
    "engine": LAYERS,
    "engine.base_layer": LAYERS,
    "engine.input_layer": LAYERS,
    "engine.sequential": ("models",),
    "engine.topology": LAYERS,
    "engine.training": (),
    "initializations": ("initializers",),
    "initializers": ("initializers",),
    "layers": LAYERS,
    "layers.advanced_activations": LAYERS,
    "layers.convolutional": LAYERS,
    "layers.convolutional_recurrent": LAYERS,
    "layers.core": LAYERS,
    "layers.cudnn_recurrent": LAYERS,
    "layers.embeddings": LAYERS,
    "layers.local": LAYERS,
    "layers.merge": LAYERS,
    "layers.noise": LAYERS,
    "layers.normalization": LAYERS,
    "layers.pooling": LAYERS,
    "layers.recurrent": LAYERS,
    "layers.wrappers": LAYERS,
    "legacy": (),
    "legacy.layers": LAYERS,
    "losses": ("losses",),
    "metrics": ("metrics",),
    "models": ("models",),
    "objectives": ("losses",),
    "optimizers": ("optimizers",),
    "preprocessing": (),
    "preprocessing.image": ("preprocessing",),
    "preprocessing.sequence": ("preprocessing",),
    "preprocessing.text": ("preprocessing",),
    "regularizers": ("regularizers",),
    "utils": ("utils", "diagram", "progress"),
    "utils.data_utils": ("utils",),
    "utils.generic_utils": ("utils", "progress"),
    "utils.io_utils": ("utils",),
    "utils.layer_utils": (),
    "utils.np_utils": ("utils",),
    "utils.training_utils": (),
    "utils.vis_utils": ("diagram",),
    "utils.visualize_util": ("diagram",),
    "wrappers": (),
    "wrappers.scikit_learn": ("sklearn",),
}
"""Module within `keras` -> modules and objects within `kerasnb` that have its names."""

SEQUENTIAL = (
    "kerasnb builds models as Sequential: several inputs begin with Merge([...]), "
    "several outputs end with Fork([...])."
)
JOINING = "Use the class of that name (Add, Concatenate, ...), or Merge([...], mode)."
ARRAYS = "kerasnb computes at once on NumPy arrays, without a session or a graph."
SUMMARY = "model.summary() says it in words, plot_model(model) in a picture."
CLASSES = "The classes of predictions p are p.argmax(axis=-1), or p > 0.5 for one unit."

HINTS = {
    "Model": SEQUENTIAL,
    "Graph": SEQUENTIAL,
    "Container": SEQUENTIAL,
    "Network": SEQUENTIAL,
    **dict.fromkeys(
        ["add", "average", "concatenate", "dot", "maximum", "multiply", "subtract"],
        JOINING,
    ),
    "InputSpec": "A layer checks its input in compute_output_shape, by expect_rank.",
    "Recurrent": "A layer of one's own is a subclass of keras.layers.Layer.",
    "applications": "Networks with trained weights are not part of kerasnb.",
    "common": ARRAYS,
    "get_session": ARRAYS,
    "set_session": ARRAYS,
    "tensorflow_backend": ARRAYS,
    "tf": ARRAYS,
    "theano_backend": ARRAYS,
    "get_file": "Fetch the file with urllib.request.urlretrieve(url, name).",
    "categorical_probas_to_classes": CLASSES,
    "probas_to_classes": CLASSES,
    "model_to_dot": SUMMARY,
    "print_summary": SUMMARY,
    "multi_gpu_model": "Leave the call out: the model itself uses the whole machine.",
    **dict.fromkeys(
        ["random_rotation", "random_shear", "random_shift", "random_zoom"],
        "ImageDataGenerator varies images; random_transform varies a single one.",
    ),
    **dict.fromkeys(
        ["boston_housing", "cifar100"],
        "dir(keras.datasets) lists what is there; np.load reads a file of your own.",
    ),
    "get_test_data": "Test data are made by numpy.random; keras.datasets has iris.",
    "test_utils": "Test data are made by numpy.random; keras.datasets has iris.",
    "GeneratorEnqueuer": "fit_generator(..., workers=n) reads ahead by itself.",
    "OrderedEnqueuer": "fit_generator(..., workers=n) reads ahead by itself.",
    "slice": "Leave it out: slice arrays as x[:, a:b].",
}
"""Name that kerasnb lacks -> what to use instead."""


def install_as_keras(version: int = 2) -> None:
    """
    Let `import keras` find kerasnb from now on, in this process.

    Parameters
    ----------
    version : 1 or 2
        Which Keras the program was written for. The words of both are understood
        either way; with 1 the classes of `kerasnb.keras1` take the place of ours where
        the same words had another meaning.

    Raises
    ------
    RuntimeError
        If the real Keras is imported already, or kerasnb stands for another version.

    Examples
    --------
    >>> install_as_keras()
    >>> from keras.models import Sequential
    >>> Sequential
    <class 'kerasnb.sequential.Sequential'>
    >>> uninstall_as_keras()
    """
    if version not in (1, 2):
        raise ValueError(f"install_as_keras: expected version 1 or 2, got {version!r}.")
    present = sys.modules.get("keras")
    if present is not None and not isinstance(present, StandIn):
        raise RuntimeError(
            "install_as_keras: keras is imported already, from "
            f"{getattr(present, '__file__', 'somewhere')}. Call install_as_keras "
            "before anything imports keras."
        )
    former = _finder()
    if former is not None and former.version != version:
        raise RuntimeError(
            f"install_as_keras: kerasnb stands for Keras {former.version} already. "
            "A program is written for one version; call uninstall_as_keras first."
        )
    if former is None:
        sys.meta_path.insert(0, Finder(version))


def uninstall_as_keras() -> None:
    """Undo `install_as_keras`; what was imported meanwhile goes on working."""
    sys.meta_path[:] = [f for f in sys.meta_path if not isinstance(f, Finder)]
    for name, module in list(sys.modules.items()):
        if isinstance(module, StandIn):
            del sys.modules[name]


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """
    Finds `keras` and what is in it.

    Parameters
    ----------
    version : 1 or 2
        See `install_as_keras`.
    """

    def __init__(self, version: int) -> None:
        self.version = version
        self.older = None
        if version == 1:
            self.older = importlib.import_module(".keras1", __package__)

    def find_spec(
        self, fullname: str, path: Any = None, target: Any = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return the specification of a module within `keras`, or say why not."""
        root, _, place = fullname.partition(".")
        if root != "keras":
            return None
        if place not in PLACES:
            raise ImportError(explain(place), name=fullname)
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> StandIn:
        """Return an empty module."""
        return StandIn(spec.name, self)

    def exec_module(self, module: types.ModuleType) -> None:
        """Do nothing: names are looked up when somebody asks."""


class StandIn(types.ModuleType):
    """
    A module of `keras` with names of kerasnb.

    All are packages for Python, so that `from keras.models import Model` comes to the
    finder, which knows what to say, when there is no such name.
    """

    def __init__(self, name: str, finder: Finder) -> None:
        super().__init__(name, f"kerasnb in the place of {name}.")
        self.__finder = finder
        self.__place = name.partition(".")[2]
        if name == "keras":
            self.__version__ = KERAS_VERSION if finder.version == 2 else "1.1.2"

    def __getattr__(self, name: str) -> Any:
        if name == "__all__":
            return names_in(self.__place)
        if name.startswith("__"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        older = self.__finder.older
        sources = _sources(self.__place)
        if older and self.__place == "metrics":  # Keras 1 had some more
            sources.append(older)
        for source in sources:
            if name in public(source) or _is_old_name(source, name):
                value = getattr(source, name)
                return getattr(older, name, value) if older else value
        inner = f"{self.__place}.{name}".lstrip(".")
        if inner in PLACES:
            return importlib.import_module(f"{self.__name__}.{name}")
        raise AttributeError(explain(inner))

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *names_in(self.__place)]


def explain(path: str) -> str:
    """
    Return what to say of something that `keras` has and kerasnb has not.

    Parameters
    ----------
    path : str
        Such as "models.Model".

    Examples
    --------
    >>> explain("layers.Dens")
    "kerasnb has no keras.layers.Dens. Did you mean 'Dense'?"
    """
    place, _, name = path.rpartition(".")
    text = f"kerasnb has no keras.{path}."
    if name in HINTS:
        return f"{text} {HINTS[name]}"
    close = difflib.get_close_matches(name, names_in(place), n=1)
    if close:
        return f"{text} Did you mean {close[0]!r}?"
    where = f"keras.{place}" if place else "keras"
    return f"{text} dir({where}) lists what there is."


def names_in(place: str) -> list[str]:
    """Return the public names of a place, modules included."""
    names = {name for source in _sources(place) for name in public(source)}
    for path in PLACES:
        parent, _, name = path.rpartition(".")
        if path and parent == place:
            names.add(name)
    return sorted(names)


def public(source: Any) -> set[str]:
    """Return the names that a module, or an object in the place of one, offers."""
    if not isinstance(source, types.ModuleType):
        return {name for name in dir(source) if not name.startswith("_")}
    if hasattr(source, "__all__"):
        return set(source.__all__)
    return {
        name
        for name, value in vars(source).items()
        if not name.startswith("_")
        and not isinstance(value, types.ModuleType)
        and (getattr(value, "__module__", "") or __package__).startswith(__package__)
    }


def _sources(place: str) -> list[Any]:
    names = PLACES.get(place, ())
    return [pkgutil.resolve_name(f"{__package__}.{name}") for name in names]


def _is_old_name(source: Any, name: str) -> bool:
    """Return whether a module knows the name although it does not list it."""
    return hasattr(source, "__getattr__") and hasattr(source, name)


def _finder() -> Finder | None:
    found = [finder for finder in sys.meta_path if isinstance(finder, Finder)]
    return found[0] if found else None
