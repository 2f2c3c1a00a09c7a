"""The worst mistakes: which they are, and what stands above them."""

import types

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from kerasnb import plotting
from kerasnb.pictures import worst_mistakes

P = np.array([[0.9, 0.1, 0], [0.2, 0.5, 0.3], [0.1, 0.2, 0.7], [0.3, 0.3, 0.4]])
T = np.array([1, 0, 2, 0])  # right only in row 2


def says(p):
    """A model that predicts these probabilities."""
    return types.SimpleNamespace(predict=lambda x: p)


IMAGES = np.arange(4 * 5 * 5).reshape(4, 5, 5)

# ---- which ------------------------------------------------------------------------


def test_mistakes_come_surest_first():
    """By the probability of the wrong class."""
    rows, p, t = worst_mistakes(says(P), IMAGES, T)
    assert list(rows) == [0, 1, 3]
    assert p.shape == (4, 3) and list(t) == list(T)


@given(st.integers(0, 99))
def test_every_mistake_is_found_once(seed):
    """And no right answer among them."""
    random = np.random.default_rng(seed)
    p, t = random.dirichlet([1] * 4, 30), random.integers(0, 4, 30)
    rows, *_ = worst_mistakes(says(p), p, np.eye(4)[t])
    assert sorted(rows) == list(np.flatnonzero(p.argmax(1) != t))
    sure = p[rows].max(1)
    assert (np.diff(sure) <= 0).all()


def test_one_probability_stands_for_two_classes():
    """The other class has the rest."""
    rows, p, _ = worst_mistakes(says(np.array([[0.9], [0.2], [0.4]])), P, [0, 1, 0])
    assert list(rows) == [0, 1]
    np.testing.assert_allclose(p, [[0.1, 0.9], [0.8, 0.2], [0.6, 0.4]])


# ---- the picture ------------------------------------------------------------------


def test_images_are_drawn_with_both_classes():
    """Predicted, true, and the probabilities of both."""
    figure = plotting.plot_mistakes(says(P), IMAGES, T, class_names=["a", "b", "c"])
    titles = [ax.get_title() for ax in figure.axes]
    assert titles == [
        "a, not b\np 0.90, 0.10",
        "b, not a\np 0.50, 0.20",
        "c, not a\np 0.40, 0.30",
    ]
    for ax, row in zip(figure.axes, (0, 1, 3)):
        np.testing.assert_array_equal(ax.images[0].get_array(), IMAGES[row])


def test_long_names_take_two_lines():
    """Otherwise they would reach over the next image."""
    names = ["automobile", "truck", "aeroplane"]
    figure = plotting.plot_mistakes(says(P), IMAGES, T, class_names=names)
    first = figure.axes[0].get_title()
    assert first == "automobile,\nnot truck\np 0.90, 0.10"


def test_only_the_worst_are_shown():
    """As many as asked for."""
    figure = plotting.plot_mistakes(says(P), IMAGES, T, count=1)
    assert [ax.get_title() for ax in figure.axes] == ["0, not 1\np 0.90, 0.10"]


def test_rows_of_numbers_become_bars():
    """Two bars a sample: what it was taken for, and what it was."""
    figure = plotting.plot_mistakes(says(P), np.ones((4, 3)), T)
    (ax,) = figure.axes
    names = [text.get_text() for text in ax.get_yticklabels()]
    assert names == ["0: 0, not 1", "1: 1, not 0", "3: 2, not 0"]
    widths = [bar.get_width() for bar in ax.patches]
    assert widths == [0.9, 0.5, 0.4, 0.1, 0.2, 0.3]


def test_other_images_can_be_shown():
    """Where the model takes something else."""
    figure = plotting.plot_mistakes(says(P), np.ones((4, 3)), T, images=IMAGES)
    np.testing.assert_array_equal(figure.axes[0].images[0].get_array(), IMAGES[0])


def test_a_perfect_model_has_none():
    """The picture says so."""
    (ax,) = plotting.plot_mistakes(says(P), IMAGES, P.argmax(1)).axes
    assert [text.get_text() for text in ax.texts] == ["no mistake in 4 samples"]


def test_mistakes_go_into_the_axes_given():
    """One to hold the grid."""
    mine = Figure()
    assert plotting.plot_mistakes(says(P), IMAGES, T, ax=mine.subplots()) is mine
    assert not plt.get_fignums()


# ---- errors -----------------------------------------------------------------------


def test_what_is_no_classifier_is_refused():
    """No predict, other shapes, unknown classes."""
    draw = plotting.plot_mistakes
    with pytest.raises(TypeError, match="a model with a predict method, got int"):
        draw(3, IMAGES, T)
    with pytest.raises(ValueError, match="probabilities .N, classes., got shape .4,."):
        draw(says(P[:, 0]), IMAGES, T)
    with pytest.raises(
        ValueError, match="expected 4 classes in y, one a sample, got 2"
    ):
        draw(says(P), IMAGES, [0, 1])
    with pytest.raises(ValueError, match="classes from 0 to 2 in y, .* got 3"):
        draw(says(P), IMAGES, [0, 1, 2, 3])
    with pytest.raises(ValueError, match="expected 4 images, one a sample, got 2"):
        draw(says(P), IMAGES, T, images=IMAGES[:2])
    with pytest.raises(ValueError, match="expected class_names for 2 classes, got 1"):
        draw(says(P), IMAGES, T, class_names=["a"])
    with pytest.raises(ValueError, match="plot_mistakes: count"):
        draw(says(P), IMAGES, T, count=0)
