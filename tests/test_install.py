"""kerasnb in the place of Keras: every name is ours, or a sentence says why not."""

import importlib
import sys
import types

import pytest

import kerasnb
from kerasnb import diagram, images, install, install_as_keras, uninstall_as_keras
from kerasnb.install import PLACES, explain


@pytest.fixture
def keras():
    """The package `keras`, as long as the test runs."""
    install_as_keras()
    yield importlib.import_module("keras")
    uninstall_as_keras()


def imported(statement):
    """What an import statement brings."""
    names: dict = {}
    exec(statement, names)
    del names["__builtins__"]
    return names


@pytest.mark.parametrize(
    "statement, expected",
    [
        ("from keras.models import Sequential", kerasnb.Sequential),
        ("from keras import Sequential", kerasnb.Sequential),
        ("from keras.models import load_model", kerasnb.load_model),
        ("from keras.models import model_from_json", kerasnb.models.model_from_json),
        ("from keras.models import clone_model", kerasnb.models.clone_model),
        ("from keras.layers import Dense", kerasnb.layers.Dense),
        ("from keras.layers.core import Dropout", kerasnb.layers.Dropout),
        ("from keras.layers.core import Activation", kerasnb.layers.Activation),
        ("from keras.layers.merge import Add", kerasnb.layers.Add),
        ("from keras.layers import Merge", kerasnb.Merge),
        ("from keras.engine.topology import Layer", kerasnb.Layer),
        ("from keras.engine import Layer", kerasnb.Layer),
        ("from keras.utils import to_categorical", kerasnb.utils.to_categorical),
        ("from keras.utils import Sequence", kerasnb.Sequence),
        ("from keras.utils.np_utils import normalize", kerasnb.utils.normalize),
        ("from keras.utils.io_utils import HDF5Matrix", kerasnb.utils.HDF5Matrix),
        ("from keras.optimizers import Adam", kerasnb.optimizers.Adam),
        ("from keras.callbacks import History", kerasnb.callbacks.History),
        ("from keras.losses import mse", kerasnb.losses.mse),
        ("from keras.objectives import mse", kerasnb.losses.mse),
        ("from keras.initializations import get", kerasnb.initializers.get),
        ("from keras.initializers import he_normal", kerasnb.initializers.he_normal),
        ("from keras.regularizers import l2", kerasnb.regularizers.l2),
        ("from keras.constraints import maxnorm", kerasnb.constraints.maxnorm),
        ("from keras.activations import relu", kerasnb.activations.relu),
        ("from keras.metrics import mae", kerasnb.metrics.mae),
        ("from keras.backend import epsilon", kerasnb.epsilon),
        ("from keras.datasets import mnist", kerasnb.datasets.mnist),
        ("from keras.layers.recurrent import LSTM", kerasnb.layers.LSTM),
        (
            "from keras.layers.wrappers import Bidirectional",
            kerasnb.layers.Bidirectional,
        ),
        ("from keras.layers import StackedRNNCells", kerasnb.layers.StackedRNNCells),
        ("from keras.layers import Convolution2D", kerasnb.layers.Conv2D),
        ("from keras.layers.convolutional import AtrousConv2D", kerasnb.layers.Conv2D),
        ("from keras.layers.cudnn_recurrent import CuDNNGRU", kerasnb.layers.CuDNNGRU),
        ("from keras.engine.input_layer import Input", kerasnb.layers.Input),
        ("from keras.utils import plot_model", diagram.plot_model),
        ("from keras.utils.vis_utils import plot_model", diagram.plot_model),
        ("from keras.utils.visualize_util import plot", diagram.plot_model),
        ("from keras.preprocessing.image import load_img", images.load_img),
        ("from keras.preprocessing.image import img_to_array", images.img_to_array),
        ("from keras.preprocessing.image import array_to_img", images.array_to_img),
    ],
)
def test_a_name_of_keras_is_ours(keras, statement, expected):
    """The very object, not a copy."""
    (value,) = imported(statement).values()
    if isinstance(value, types.ModuleType):
        value = value.load_data.__self__
    assert value is expected


@pytest.mark.parametrize("place", PLACES)
def test_every_place_can_be_imported_and_listed(keras, place):
    """`import keras.place`, `dir`, and every name that it lists."""
    if place == "wrappers.scikit_learn":
        pytest.importorskip("sklearn")
    module = importlib.import_module(f"keras.{place}".rstrip("."))
    assert all(getattr(module, name) is not None for name in module.__all__)
    assert set(module.__all__) <= set(dir(module))
    assert "keras" in repr(module)


def test_modules_are_reached_with_and_without_an_import(keras):
    """keras.layers.core.Dense after `import keras` alone; star imports."""
    assert keras.layers.core.Dense is kerasnb.layers.Dense
    assert keras.backend.image_data_format() == "channels_last"
    assert keras.utils.np_utils.to_categorical is kerasnb.utils.to_categorical
    assert imported("from keras.layers import *")["Dense"] is kerasnb.layers.Dense
    assert imported("import keras.backend as K")["K"] is keras.backend
    assert imported("from keras.datasets.imdb import get_word_index")
    assert keras.__version__ == "2.2.4"


def test_a_layer_added_later_is_found(keras, monkeypatch):
    """Names are looked up when they are imported, not when kerasnb is installed."""
    monkeypatch.setattr(kerasnb.layers, "__all__", [*kerasnb.layers.__all__, "Later"])
    monkeypatch.setattr(kerasnb.layers, "Later", int, raising=False)
    assert imported("from keras.layers.core import Later")["Later"] is int


@pytest.mark.parametrize(
    "statement, message",
    [
        ("from keras.models import Model", "keras.models.Model. kerasnb builds models"),
        ("from keras.engine.topology import InputSpec", "compute_output_shape"),
        ("import keras.applications", "Networks with trained weights"),
        ("from keras.applications.vgg16 import VGG16", "keras.applications. Networks"),
        ("from keras.layers import concatenate", "Use the class of that name"),
        ("from keras.layers import Dens", "Did you mean 'Dense'"),
        ("from keras.utils import multi_gpu_model", "Leave the call out"),
        ("import keras.optimizer", "Did you mean 'optimizers'"),
        ("from keras.backend import get_session", "without a session"),
        ("from keras.backend import ctc_decode", r"dir\(keras.backend\) lists"),
        ("from keras.engine.training import Model", "kerasnb builds models"),
        ("from keras.utils.training_utils import multi_gpu_model", "Leave the call"),
        ("from keras.datasets import cifar100", "np.load reads a file of your own"),
        ("from keras.utils.vis_utils import model_to_dot", "plot_model"),
        ("import keras.nothing", r"no keras.nothing. dir\(keras\) lists"),
    ],
)
def test_a_name_we_lack_fails_where_it_is_imported(keras, statement, message):
    """An ImportError with what to use instead, or the nearest name."""
    with pytest.raises(ImportError, match=message):
        imported(statement)


def test_an_attribute_we_lack_is_an_attribute_error(keras):
    """So hasattr works, and the sentence is the same."""
    assert not hasattr(keras.backend, "conv2d")
    assert not hasattr(keras, "__wrapped__")
    with pytest.raises(AttributeError, match="kerasnb builds models as Sequential"):
        keras.models.Model
    with pytest.raises(AttributeError, match="has no attribute '__wrapped__'"):
        keras.__wrapped__


def test_nothing_is_left_behind():
    """After uninstalling, `keras` is what it was: here, not there."""
    finders = list(sys.meta_path)
    install_as_keras()
    install_as_keras()
    assert len(sys.meta_path) == len(finders) + 1
    importlib.import_module("keras.layers.core")
    uninstall_as_keras()
    assert sys.meta_path == finders
    assert not [name for name in sys.modules if name.partition(".")[0] == "keras"]
    uninstall_as_keras()


def test_keras_1_brings_its_own_classes():
    """Where the same words had another meaning, the facade's class comes."""
    keras1 = pytest.importorskip("kerasnb.keras1")
    install_as_keras(version=1)
    try:
        found = imported("from keras.models import Sequential")
        assert found["Sequential"] is keras1.Sequential
        assert imported("from keras.optimizers import get")
        assert imported("from keras.metrics import fbeta_score")
        assert imported("from keras import layers, metrics, __version__")[
            "__version__"
        ].startswith("1.")
        with pytest.raises(RuntimeError, match="stands for Keras 1 already"):
            install_as_keras(version=2)
    finally:
        uninstall_as_keras()


# ---- errors -----------------------------------------------------------------------


def test_the_real_keras_is_not_pushed_aside(monkeypatch):
    """Once it is imported, its objects are around: too late."""
    real = types.ModuleType("keras")
    real.__file__ = "/site/keras/__init__.py"
    monkeypatch.setitem(sys.modules, "keras", real)
    with pytest.raises(RuntimeError, match="imported already, from /site/keras"):
        install_as_keras()
    assert sys.modules["keras"] is real
    assert not any(isinstance(f, install.Finder) for f in sys.meta_path)


def test_there_are_two_versions():
    """A sentence for a third."""
    with pytest.raises(ValueError, match="expected version 1 or 2, got 3"):
        install_as_keras(3)


def test_other_imports_are_none_of_our_business():
    """The finder answers for keras alone: not for keras_contrib."""
    finder = install.Finder(2)
    assert finder.find_spec("keras_contrib") is None
    assert finder.find_spec("kerasnb.layers") is None
    assert finder.find_spec("keras").name == "keras"


def test_every_hint_is_about_something_we_lack():
    """A name that we have needs no excuse."""
    for name in install.HINTS:
        for place in ("models", "layers", "backend", "utils", "engine"):
            assert name not in install.names_in(place) or place == "backend"
    assert "Fork" in explain("models.Graph")
