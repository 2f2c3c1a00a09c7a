"""Pictures of activations and gradients, judged by the numbers in them."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure

from kerasnb import Sequential, plotting
from kerasnb.layers import Dense, Dropout, Flatten
from kerasnb.passage import pass_batch


@pytest.fixture
def model():
    """A layer with relu, one that passes on, and one on top."""
    model = Sequential(
        [
            Flatten(input_shape=(2, 2)),
            Dense(8, activation="relu", name="low"),
            Dropout(0.5, name="drop"),
            Dense(3, activation="softmax", name="top"),
        ]
    )
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


X = np.random.default_rng(0).normal(size=(20, 2, 2))
T = np.arange(20) % 3


def heights(ax):
    """The heights of all bars."""
    return np.array([bar.get_height() for bar in ax.patches])


# ---- activations ------------------------------------------------------------------


def test_a_histogram_for_each_layer_that_changes_its_input(model):
    """Flatten, and Dropout in prediction, would show the same again."""
    figure = plotting.plot_activations(model, X)
    assert [ax.get_title() for ax in figure.axes] == ["low", "top"]
    figure = plotting.plot_activations(model, X, training=True)
    assert [ax.get_title() for ax in figure.axes] == ["low", "drop", "top"]


def test_bars_are_the_shares_of_the_numbers(model):
    """Zeros are left out of the bars and told in words."""
    low, top = plotting.plot_activations(model, X, bins=10).axes
    y = model.layers[1](X.reshape(20, 4))
    positive = y[y > 0].astype(float)
    counts, edges = np.histogram(positive, 10)
    np.testing.assert_allclose(heights(low), 100 * counts / y.size)
    np.testing.assert_allclose([bar.get_x() for bar in low.patches], edges[:-1])
    (text,) = low.texts
    assert f"mean {y.mean():.2g}, std {y.std():.2g}" in text.get_text()
    assert f"{np.mean(y == 0):.0%} exactly 0" in text.get_text()
    p = model.predict(X)
    assert heights(top).sum() == pytest.approx(100)
    assert f"mean {p.mean():.2g}" in top.texts[0].get_text()
    assert "exactly" not in top.texts[0].get_text()


def test_layers_can_be_chosen_and_axes_given(model):
    """By name; into the caller's figure."""
    figure = plotting.plot_activations(model, X, layers=["top", "drop"])
    assert [ax.get_title() for ax in figure.axes] == ["top", "drop"]
    mine = Figure()
    assert plotting.plot_activations(model, X, layers="top", ax=mine.subplots()) is mine
    assert not [k for k in plt.get_fignums() if plt.figure(k) is mine]


def test_numbers_that_are_none_are_told(model):
    """NaN cannot be drawn, so it is counted in words."""
    W, b = model.layers[3].get_weights()
    W[...] = np.nan
    model.layers[3].set_weights([W, b])
    (ax,) = plotting.plot_activations(model, X, layers=["top"]).axes
    assert ax.texts[0].get_text() == "100% NaN or infinite"
    assert not ax.patches


# ---- gradients --------------------------------------------------------------------


def test_flow_shows_sizes_of_outputs_and_weights(model):
    """Root mean square and largest, a row for each."""
    figure = plotting.plot_gradients(model, X, T)
    outputs, weights = figure.axes
    assert outputs.get_title() == "gradient of each output"
    passage_names = ["low", "drop", "top"]
    assert [text.get_text() for text in outputs.get_yticklabels()] == passage_names
    names = ["low/kernel", "low/bias", "top/kernel", "top/bias"]
    assert [text.get_text() for text in weights.get_yticklabels()] == names
    passage = pass_batch("test", model, X, T)
    gradients = list(passage.gradients.values())
    rms, largest = weights.lines[:2]
    expected = [np.sqrt(np.mean(g.astype(float) ** 2)) for g in gradients]
    np.testing.assert_allclose(rms.get_xdata(), expected)
    np.testing.assert_allclose(largest.get_xdata(), [abs(g).max() for g in gradients])
    slopes = [s.slopes() for s in passage.steps if s.dy is not None]
    np.testing.assert_allclose(
        outputs.lines[1].get_xdata(), [abs(g).max() for g in slopes]
    )
    assert weights.get_xscale() == "log" and list(rms.get_ydata()) == [0, 1, 2, 3]


def test_vanished_gradients_are_told():
    """On a logarithmic axis there is no zero."""
    model = Sequential([Dense(2, activation="relu", input_shape=(4,)), Dense(1)])
    model.layers[0].set_weights([np.zeros((4, 2)), -np.ones(2)])
    model.compile("sgd", "mse")
    _, weights = plotting.plot_gradients(model, X.reshape(20, 4), np.ones(20)).axes
    assert [text.get_text().strip() for text in weights.texts] == ["all zero"] * 3


def test_histograms_share_their_axis(model):
    """A panel for each weight; every number falls into one of the bars."""
    figure = plotting.plot_gradients(model, X, T, kind="histograms", bins=12)
    gradients = pass_batch("test", model, X, T).gradients
    assert [ax.get_title() + ":0" for ax in figure.axes] == list(gradients)
    assert len({ax.get_xlim() for ax in figure.axes}) == 1
    for ax, g in zip(figure.axes, gradients.values()):
        assert heights(ax).sum() == pytest.approx(100 * np.mean(g != 0))
        rms = np.sqrt(np.mean(g.astype(float) ** 2))
        assert ax.texts[0].get_text().split("\n")[0] == f"rms {rms:.2g}"


def test_looking_changes_nothing(model):
    """Neither weights nor what comes next."""
    before = model.get_weights()
    plotting.plot_activations(model, X, training=True)
    plotting.plot_gradients(model, X, T)
    for old, new in zip(before, model.get_weights()):
        np.testing.assert_array_equal(old, new)


# ---- errors -----------------------------------------------------------------------


def test_what_cannot_be_drawn_is_refused(model):
    """An unknown layer or kind, no targets, no compile, nothing that learns."""
    with pytest.raises(ValueError, match="no layer 'x'. There are: flatten_1, low"):
        plotting.plot_activations(model, X, layers=["x"])
    with pytest.raises(ValueError, match="expected kind='flow' or 'histograms', got"):
        plotting.plot_gradients(model, X, T, kind="x")
    with pytest.raises(ValueError, match="expected targets y; a gradient needs a loss"):
        plotting.plot_gradients(model, X, None)
    with pytest.raises(TypeError, match="plot_activations: expected a Sequential"):
        plotting.plot_activations(X, X)
    bare = Sequential([Dense(1, input_shape=(2,), trainable=False)])
    with pytest.raises(
        RuntimeError, match="plot_gradients: the model must be compiled"
    ):
        plotting.plot_gradients(bare, np.ones((2, 2)), np.ones(2))
    bare.compile("sgd", "mse")
    for kind in ("flow", "histograms"):
        with pytest.raises(ValueError, match="sequential_2 has no weight that learns"):
            plotting.plot_gradients(bare, np.ones((2, 2)), np.ones(2), kind=kind)
