"""Whatever a model is made of comes back from a file with the arguments it was given"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from zoo import (
    CASES,
    CONSTRAINTS,
    ELSEWHERE,
    INITIALIZERS,
    JOINED,
    NO_LAYERS,
    OPTIMIZERS,
    OTHER_NAMES,
    REGULARIZERS,
    drawn_layer,
    flag,
)

import kerasnb
from kerasnb import Sequential, constraints, initializers, layers, load_model

from kerasnb import optimizers, regularizers  # isort: skip


def assert_comes_back(model, path, custom=None):
    """Configuration, weights and predictions are the same."""
    model.save(path)
    loaded = load_model(path, custom, compile=model.optimizer is not None)
    assert loaded.get_config() == model.get_config()
    rng = np.random.default_rng(0)
    shapes = model.input_shape
    shapes = shapes if isinstance(shapes, list) else [shapes]
    x = [rng.integers(1, 9, (2, *shape[1:])).astype("f") for shape in shapes]
    x = x if len(x) > 1 else x[0]
    for mine, theirs in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    np.testing.assert_equal(loaded.predict(x), model.predict(x))
    return loaded


def leaves(kind):
    """
    Return the names of the library's classes of a kind from which none derives.

    Not those that `kerasnb.keras1` makes when asked: they are today's under old names.
    """
    below = [
        name
        for derived in kind.__subclasses__()
        if derived.__module__.startswith("kerasnb.")
        and derived.__module__ != "kerasnb.keras1"
        for name in leaves(derived)
    ]
    return set(below or [kind.__name__])


# ---- laws -------------------------------------------------------------------------


def test_every_layer_has_a_case():
    """A new layer must join this file."""
    known = set(CASES) | set(JOINED) | NO_LAYERS | ELSEWHERE | OTHER_NAMES
    aliases = {name for name in layers.__all__ if vars(layers)[name].__name__ != name}
    assert known == set(layers.__all__) - aliases
    assert leaves(layers.Layer) - known == {"Sequential", "Cosine", "Custom"}


@pytest.mark.parametrize("name", sorted({*CASES, *JOINED}))
@settings(max_examples=4)
@given(st.data())
def test_every_layer_comes_back(tmp_path_factory, name, data):
    """With whatever arguments, in both precisions, trainable or not."""
    kerasnb.set_floatx(data.draw(st.sampled_from(["float32", "float64"])))
    layer = data.draw(drawn_layer(name))
    layer.trainable = data.draw(flag)
    model = Sequential([layer])
    kerasnb.set_floatx("float32")
    loaded = assert_comes_back(model, tmp_path_factory.getbasetemp() / "layer.knb")
    assert type(loaded.layers[0]) is type(layer)
    np.testing.assert_equal(loaded.layers[0].get_state(), layer.get_state())


def test_a_fork_comes_back(tmp_path):
    """Heads of several kinds, one of them a model."""
    heads = [layers.Dense(2, name="a"), Sequential([layers.Dense(1)], name="b")]
    model = Sequential([layers.InputLayer((4,)), layers.Fork(heads)])
    assert_comes_back(model, tmp_path / "fork.knb")


PIECES = {
    "kernel_initializer": (INITIALIZERS, initializers),
    "kernel_regularizer": (REGULARIZERS, regularizers),
    "kernel_constraint": (CONSTRAINTS, constraints),
}


@pytest.mark.parametrize("word", PIECES)
@settings(max_examples=4)
@given(st.data())
def test_every_piece_of_a_layer_comes_back(tmp_path_factory, word, data):
    """Initializers, regularizers and constraints keep their arguments."""
    cases, module = PIECES[word]
    for name, strategy in cases.items():
        piece = data.draw(strategy)
        layer = layers.Dense(3, input_shape=(3,), **{word: piece})
        path = tmp_path_factory.getbasetemp() / "piece.knb"
        loaded = assert_comes_back(Sequential([layer]), path)
        again = getattr(loaded.layers[0], word)
        assert type(again) is type(piece) and type(piece).__name__ == name
        assert again.get_config() == piece.get_config()


@pytest.mark.parametrize("word", PIECES)
def test_every_piece_has_a_case(word):
    """A new one must join this file; functions such as l2 make one of the classes."""
    cases, module = PIECES[word]
    what = word.removeprefix("kernel_")
    table = getattr(module, what.upper() + "S").values()
    assert {kind.__name__ for kind in table if isinstance(kind, type)} == {*cases}
    assert leaves(getattr(module, what.capitalize())) - {"Own", "Custom"} <= {*cases}


@pytest.mark.parametrize("name", OPTIMIZERS)
@settings(max_examples=4)
@given(st.data())
def test_every_optimizer_comes_back(tmp_path_factory, name, data):
    """Its arguments and its memory of two updates."""
    model = Sequential([layers.Dense(3, input_shape=(4,)), layers.Dense(1)])
    model.compile(data.draw(OPTIMIZERS[name]), "mse")
    for _ in range(2):
        model.train_on_batch(np.ones((2, 4)), np.ones((2, 1)))
    path = tmp_path_factory.getbasetemp() / "optimizer.knb"
    loaded = assert_comes_back(model, path).optimizer
    assert type(loaded) is type(model.optimizer)
    assert loaded.get_config() == model.optimizer.get_config()
    np.testing.assert_equal(loaded.get_state(), model.optimizer.get_state())


def test_every_optimizer_has_a_case():
    """A new optimizer must join this file."""
    known = {kind.__name__ for kind in optimizers.OPTIMIZERS.values()}
    assert known == set(OPTIMIZERS) == leaves(optimizers.Optimizer)
