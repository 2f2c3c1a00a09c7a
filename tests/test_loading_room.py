"""How much memory loading takes: never more than twice the file"""

import gc
import os
import tracemalloc
import warnings

import numpy as np
import pytest

from kerasnb import Sequential, layers, load_model, optimizers
from kerasnb.container import read_container, write_container

SLACK = 1 << 16  # bytes that Python's own objects may take beside the arrays
OPTIMIZERS = {
    "none": None,
    "sgd": optimizers.SGD,
    "momentum": lambda: optimizers.SGD(momentum=0.9),
    "adam": optimizers.Adam,
    "amsgrad": lambda: optimizers.Adam(amsgrad=True),
    "adadelta": optimizers.Adadelta,
}


def saved(path, optimizer, is_trained):
    """Save a model of 0.6 MB of weights, trained or just compiled."""
    stack = [layers.Dense(300, input_shape=(200,)), layers.BatchNormalization()]
    model = Sequential([*stack, layers.Dense(300), layers.Dense(2)])
    if optimizer:
        model.compile(optimizer(), "mse")
    if optimizer and is_trained:
        model.train_on_batch(np.ones((1, 200)), np.ones((1, 2)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # not all is told to Keras 3
        model.save(path)
    return model


def room(action):
    """Return the most bytes that were allocated at once."""
    action()
    gc.collect()
    tracemalloc.start()
    action()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


@pytest.mark.parametrize("is_trained", [True, False])
@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("ending", ["knb", "h5", "keras"])
def test_a_model_takes_at_most_twice_its_file(tmp_path, ending, name, is_trained):
    """With its optimizer's memory, and with room for one that the file lacks."""
    path = tmp_path / f"model.{ending}"
    saved(path, OPTIMIZERS[name], is_trained)
    most = room(lambda: load_model(path, compile=name != "none"))
    assert most <= 2 * os.path.getsize(path) + SLACK


@pytest.mark.parametrize("ending", ["knb", "h5", "weights.h5"])
def test_weights_take_at_most_their_file(tmp_path, ending):
    """All of it is read before the first weight changes, so not less either."""
    path = tmp_path / f"model.{ending}"
    model = saved(tmp_path / "model.knb", None, False)
    model.save_weights(path)
    most = room(lambda: model.load_weights(path))
    assert most <= os.path.getsize(path) + SLACK


def test_a_forged_model_of_twice_the_precision_is_refused(tmp_path):
    """Its weights would take more bytes than the file has of them."""
    path = tmp_path / "model.knb"
    saved(path, None, False)
    arrays, metadata = read_container(path)
    config = metadata["model_config"].replace("float32", "float64")
    write_container(path, arrays, {**metadata, "model_config": config})
    with pytest.raises(ValueError, match="more weights than the file holds"):
        load_model(path, compile=False)
