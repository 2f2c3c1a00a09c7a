"""Pictures, judged by what is drawn: axes, lines, labels, marks."""

import subprocess
import sys
import types

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.collections import PathCollection
from matplotlib.colors import same_color
from matplotlib.figure import Figure

from kerasnb import plotting
from kerasnb.canvas import BLUE, COLORS, VERMILLION

CURVES = {
    "loss": [3.0, 2.0, 1.0],
    "acc": [0.5, 0.7, 0.9],
    "val_loss": [3.5, 2.5, 2.75],
    "val_acc": [0.4, 0.8, 0.6],
}


def line(ax, label):
    """Return the only line of a label that starts so."""
    (found,) = [one for one in ax.lines if one.get_label().startswith(label)]
    return found


def centers(slope):
    """A model that finds class 1 on the right of the upright axis."""

    def predict(x):
        return 1 / (1 + np.exp(-slope * x[:, :1]))

    return types.SimpleNamespace(predict=predict)


# ---------------------------------------------------------------- training curves


def test_history_has_a_panel_for_the_loss_and_each_metric():
    """One panel a name, training and validation in it, epochs counted from 1."""
    figure = plotting.plot_history(CURVES)
    assert [ax.get_title() for ax in figure.axes] == ["loss", "acc"]
    for ax, name in zip(figure.axes, ("loss", "acc")):
        for label, key in (("training", name), ("validation", "val_" + name)):
            x, y = line(ax, label).get_data()
            assert list(x) == [1, 2, 3]
            assert list(y) == CURVES[key]
        assert ax.get_xlabel() == "epoch"


def test_best_epoch_is_the_lowest_validation_loss_and_the_highest_accuracy():
    """The ring sits on the best value of the validation curve."""
    loss, acc = plotting.plot_history(CURVES).axes
    assert [v[0] for v in line(loss, "best").get_data()] == [2, 2.5]
    assert [v[0] for v in line(acc, "best").get_data()] == [2, 0.8]
    assert line(acc, "best").get_label() == "best: 0.8 in epoch 2"


def test_best_epoch_without_validation_is_judged_by_training():
    """With training curves only, the ring sits on the training curve."""
    (ax,) = plotting.plot_history({"mae": [2.0, 1.0, 1.5]}).axes
    assert [v[0] for v in line(ax, "best").get_data()] == [2, 1.0]
    assert len(ax.lines) == 2


@given(
    st.lists(st.floats(-1e6, 1e6) | st.just(np.nan) | st.just(-np.inf), min_size=1),
    st.sampled_from(["loss", "acc", "precision", "mean_absolute_error"]),
)
def test_best_epoch_is_the_best_finite_value(values, name):
    """No finite value beats the marked one; a diverged epoch is never marked."""
    (ax,) = plotting.plot_history({name: values}).axes
    finite = [value for value in values if np.isfinite(value)]
    marks = [one for one in ax.lines if one.get_label().startswith("best")]
    plt.close(ax.figure)
    assert bool(marks) == bool(finite)
    if finite:
        best = max(finite) if name in ("acc", "precision") else min(finite)
        assert marks[0].get_ydata()[0] == best
        assert values[int(marks[0].get_xdata()[0]) - 1] == best


def test_epochs_of_a_continued_training_keep_their_numbers():
    """A History that began at epoch 5 is drawn from 6 on, as the bar counts."""
    history = types.SimpleNamespace(history=CURVES, epoch=[5, 6, 7])
    ax = plotting.plot_history(history).axes[0]
    assert list(line(ax, "training").get_xdata()) == [6, 7, 8]


def test_an_interrupted_validation_is_drawn_as_far_as_it_went():
    """A validation curve one epoch short stands over the first epochs."""
    (ax,) = plotting.plot_history({"loss": [3, 2, 1], "val_loss": [4, 3]}).axes
    assert list(line(ax, "validation").get_xdata()) == [1, 2]


def test_learning_rate_is_drawn_only_when_asked_for():
    """The name lr is no measure of quality: no panel by default, never a ring."""
    history = {"loss": [1.0], "lr": [0.1]}
    assert len(plotting.plot_history(history).axes) == 1
    (ax,) = plotting.plot_history(history, metrics="lr").axes
    assert [one.get_label() for one in ax.lines] == ["training"]


def test_history_is_drawn_into_the_axes_given():
    """With ax, the caller's figure comes back and no other is made."""
    mine = Figure()
    top, bottom = mine.subplots(2)
    assert plotting.plot_history(CURVES, ax=[top, bottom]) is mine
    assert top.get_title() == "loss" and bottom.get_title() == "acc"
    assert plotting.plot_history(CURVES, metrics=["acc"], ax=top) is mine
    assert not plt.get_fignums()


# ---------------------------------------------------------------- confusion matrix


def test_confusion_matrix_counts_pairs():
    """Row: the true class; column: the predicted one."""
    counts = plotting.confusion_matrix([0, 0, 1, 2, 2], [0, 1, 1, 2, 0])
    assert counts.tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 1]]


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1))
def test_confusion_matrix_keeps_every_sample(pairs):
    """Rows sum to the true counts, columns to the predicted, the diagonal to hits."""
    t, p = np.array(pairs).T
    counts = plotting.confusion_matrix(t, p, num_classes=7)
    assert counts.sum(1).tolist() == np.bincount(t, minlength=7).tolist()
    assert counts.sum(0).tolist() == np.bincount(p, minlength=7).tolist()
    assert np.trace(counts) == (t == p).sum()


def test_one_hot_rows_probabilities_and_columns_are_understood():
    """All the forms in which Keras hands out classes give one matrix."""
    expected = plotting.confusion_matrix([0, 1, 1], [0, 1, 0]).tolist()
    one_hot, rows = np.eye(2)[[0, 1, 1]], [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]]
    assert plotting.confusion_matrix(one_hot, rows).tolist() == expected
    column = np.array([[0.1], [0.8], [0.4]])
    assert plotting.confusion_matrix([[0], [1], [1]], column).tolist() == expected
    assert plotting.confusion_matrix(
        [0.0, 1.0, 1.0], [[0.0], [1.0], [0.0]]
    ).tolist() == (expected)


def test_a_class_that_never_came_up_still_has_its_row():
    """Probabilities of four classes make four rows, whichever are predicted."""
    assert plotting.confusion_matrix([0], [[0.7, 0.1, 0.1, 0.1]]).shape == (4, 4)


def test_confusion_picture_shows_counts_and_names():
    """Every cell that happened carries its number; the title carries the accuracy."""
    figure = plotting.plot_confusion_matrix([0, 0, 1], [0, 1, 1], labels=["cat", "dog"])
    (ax,) = figure.axes
    cells = {one.get_position(): one.get_text() for one in ax.texts}
    assert cells == {(0, 0): "1", (1, 0): "1", (1, 1): "1"}
    assert [one.get_text() for one in ax.get_yticklabels()] == ["cat", "dog"]
    assert ax.get_title() == "2 of 3 right (66.7%)"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("predicted class", "true class")


def test_normalized_rows_are_percentages():
    """Each row shows shares of its own class; a class without samples shows none."""
    figure = plotting.plot_confusion_matrix(
        [0, 0, 0, 0, 1], [0, 0, 0, 1, 1], labels="abc", normalize=True
    )
    (ax,) = figure.axes
    assert sorted(one.get_text() for one in ax.texts) == ["100", "25", "75"]
    assert "percent" in ax.get_ylabel()


def test_many_classes_are_coloured_but_not_written():
    """Numbers in fifty columns could not be read."""
    (ax,) = plotting.plot_confusion_matrix(range(50), range(50)).axes
    assert not ax.texts
    assert ax.images[0].get_array().shape == (50, 50)


# ---------------------------------------------------------------- images


def test_images_are_drawn_as_given():
    """One axes an image, the same grey scale for all."""
    x = np.arange(3 * 4 * 5).reshape(3, 4, 5)
    figure = plotting.plot_images(x)
    assert len(figure.axes) == 3
    for ax, image in zip(figure.axes, x):
        assert np.array_equal(ax.images[0].get_array(), image)
        assert ax.images[0].get_clim() == (0, 59)


@pytest.mark.parametrize("shape", [(2, 25), (2, 5, 5), (2, 5, 5, 1), (2, 1, 5, 5)])
def test_all_layouts_of_one_image_draw_alike(shape):
    """Flat, without channels, channels last and channels first are one picture."""
    x = np.arange(50)
    figure = plotting.plot_images(x.reshape(shape))
    drawn = [ax.images[0].get_array() for ax in figure.axes]
    assert np.array_equal(drawn, x.reshape(2, 5, 5))


@pytest.mark.parametrize("scale, dtype", [(255, np.uint8), (255, float), (1, float)])
def test_colours_may_run_to_one_or_to_255(scale, dtype):
    """Bytes and fractions of one colour image draw the same colours."""
    x = np.zeros((1, 2, 2, 3), dtype)
    x[0, 0, 0] = [scale, 0, 0]
    (ax,) = plotting.plot_images(x).axes
    assert ax.images[0].get_array()[0, 0].tolist() == [1, 0, 0]


def test_wrong_predictions_stand_out_in_words_and_colour():
    """A hit shows the class; a miss shows both classes, in vermillion."""
    figure = plotting.plot_images(
        np.zeros((2, 2, 2)), [0, 1], np.eye(3)[[0, 2]], class_names=["a", "b", "c"]
    )
    right, wrong = figure.axes
    assert right.get_title() == "a"
    assert wrong.get_title() == "c, not b"
    assert same_color(wrong.title.get_color(), VERMILLION)


def test_titles_replace_the_classes():
    """What the caller writes is written."""
    figure = plotting.plot_images(np.zeros((2, 2, 2)), [1, 2], titles=["one", 2])
    assert [ax.get_title() for ax in figure.axes] == ["one", "2"]


def test_columns_decide_the_grid():
    """Five images in two columns make three rows and one empty place."""
    figure = plotting.plot_images(np.zeros((5, 2, 2)), columns=2)
    assert len(figure.axes) == 5
    grid = figure.axes[0].get_subplotspec().get_gridspec()
    assert (grid.nrows, grid.ncols) == (3, 2)


def test_images_fit_into_one_axes_or_one_each():
    """One Axes holds the whole grid; as many as images hold one each."""
    mine = Figure()
    left, right = mine.subplots(1, 2)
    assert plotting.plot_images(np.zeros((5, 2, 2)), ax=left) is mine
    assert len(left.child_axes) == 5
    plotting.plot_images(np.zeros((2, 2, 2)), ax=[left, right])
    assert len(right.images) == 1


# ---------------------------------------------------------------- decision boundary


def test_boundary_runs_where_the_model_changes_its_mind():
    """Regions have the colour of their class and part at x = 0."""
    x = np.array([[-1.0, 0.0], [1.0, 1.0], [-1.0, 1.0], [1.0, 0.0]])
    (ax,) = plotting.plot_decision_boundary(centers(50.0), x, [0, 1, 0, 1]).axes
    picture = ax.images[0].get_array()
    left, right = picture[100, 20], picture[100, 180]
    assert left.argmax() == 2 and right.argmax() == 0  # bluish, reddish
    lines = [c for c in ax.collections if not isinstance(c, PathCollection)]
    for contour in lines:
        for path in contour.get_paths():
            assert np.abs(path.vertices[:, 0]).max() < 0.02
    assert lines


def test_points_are_told_apart_by_colour_and_marker():
    """Each class has its own colour, marker and line in the legend."""
    x = np.array([[-1.0, 0.0], [1.0, 1.0], [0.5, 0.2]])
    figure = plotting.plot_decision_boundary(
        centers(1.0), x, np.array([0, 1, 1]), class_names=["no", "yes"], resolution=9
    )
    (ax,) = figure.axes
    clouds = [c for c in ax.collections if isinstance(c, PathCollection)]
    assert [cloud.get_offsets().tolist() for cloud in clouds] == [
        [[-1, 0]],
        x[1:].tolist(),
    ]
    for cloud, color in zip(clouds, COLORS):
        assert same_color(cloud.get_facecolor()[0], color)
    first, second = (cloud.get_paths()[0].vertices for cloud in clouds)
    assert first.shape != second.shape
    assert [one.get_text() for one in ax.get_legend().get_texts()] == ["no", "yes"]


@pytest.mark.parametrize("kind", ["softmax", "classes"])
def test_models_may_answer_with_probabilities_or_classes(kind):
    """Three classes side by side have three colours in the picture."""
    codes = lambda x: np.clip(np.floor(x[:, 0]), 0, 2).astype(int)  # noqa: E731
    predict = codes if kind == "classes" else lambda x: np.eye(3)[codes(x)]
    x = np.array([[0.0, 0.0], [3.0, 1.0]])
    (ax,) = plotting.plot_decision_boundary(
        types.SimpleNamespace(predict=predict), x
    ).axes
    row = ax.images[0].get_array()[100, [20, 100, 180]]
    assert len({tuple(color) for color in row.round(3).tolist()}) == 3


# ---------------------------------------------------------------- weights


def layer(name, *arrays):
    """Something that has weights as a layer has them."""
    return types.SimpleNamespace(name=name, get_weights=lambda: list(arrays))


def test_weights_of_a_model_have_a_panel_a_layer():
    """Layers without weights are passed over, biases left out, zero is white."""
    W = np.array([[1.0, -2.0, 0.0]])
    layers = [layer("dense_1", W, np.ones(3)), layer("flatten"), layer("dense_2", W.T)]
    model = types.SimpleNamespace(layers=layers, get_weights=list)
    figure = plotting.plot_weights(model)
    panels = [ax for ax in figure.axes if ax.get_title()]
    assert [ax.get_title() for ax in panels] == ["dense_1 (1, 3)", "dense_2 (3, 1)"]
    image = panels[0].images[0]
    assert np.array_equal(image.get_array(), W)
    assert image.get_clim() == (-2, 2)
    assert image.cmap(0.5)[:3] == pytest.approx((1, 1, 1), abs=0.01)
    assert same_color(image.cmap(0.0), BLUE)


def test_what_each_unit_looks_for_is_an_image():
    """Column o of W, in the shape of the input, is picture o."""
    W = np.arange(24.0).reshape(6, 4)
    figure = plotting.plot_weights(layer("dense_1", W), image_shape=(2, 3))
    assert len(figure.axes) == 4
    for o, ax in enumerate(figure.axes):
        assert np.array_equal(ax.images[0].get_array(), W[:, o].reshape(2, 3))


def test_convolution_filters_are_images():
    """A filter over several channels is drawn as their mean."""
    W = np.random.RandomState(0).normal(size=(3, 3, 2, 5))
    figure = plotting.plot_weights(W)
    assert len(figure.axes) == 5
    assert np.allclose(figure.axes[4].images[0].get_array(), W[:, :, :, 4].mean(2))


def test_weights_of_zero_are_drawn_white():
    """Nothing is divided by the largest weight when that is zero."""
    figure = plotting.plot_weights(np.zeros((2, 2)))
    assert figure.axes[0].images[0].get_clim() == (-1, 1)


# ---------------------------------------------------------------- laws


def test_no_drawing_changes_its_input_or_the_settings():
    """Inputs, backend and rcParams are as they were."""
    x = np.linspace(0, 1, 32).reshape(2, 4, 4)
    x.flags.writeable = False
    history = {name: list(values) for name, values in CURVES.items()}
    before, backend = dict(matplotlib.rcParams), matplotlib.get_backend()
    plotting.plot_images(x)
    plotting.plot_weights(x[0])
    plotting.plot_history(history)
    plotting.plot_confusion_matrix([0, 1], [1, 1])
    assert history == CURVES
    assert dict(matplotlib.rcParams) == before
    assert matplotlib.get_backend() == backend


def test_pictures_can_be_saved(tmp_path):
    """Layout and drawing go through without a screen."""
    for k, figure in enumerate(
        [
            plotting.plot_history(CURVES),
            plotting.plot_confusion_matrix([0, 1], [1, 1]),
            plotting.plot_weights(np.eye(3)),
        ]
    ):
        figure.savefig(tmp_path / f"{k}.png", dpi=20)
        assert (tmp_path / f"{k}.png").read_bytes()[:4] == b"\x89PNG"


def test_matplotlib_is_imported_by_the_first_picture_only():
    """Importing the module costs nothing, and needs no matplotlib."""
    program = "import sys, kerasnb.plotting; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


# ---------------------------------------------------------------- errors


def refused(message, draw, *arguments, error=ValueError, **named):
    """The call raises, says so, and leaves no figure behind."""
    with pytest.raises(error, match=message):
        draw(*arguments, **named)
    assert not plt.get_fignums()


def test_bad_histories_are_refused():
    """Each message says what to pass instead."""
    draw = plotting.plot_history
    refused("expected the History that fit returns", draw, [1, 2], error=TypeError)
    refused("holds no epoch", draw, {})
    refused("holds no epoch", draw, {"loss": []})
    refused("has no 'f1'. Known: loss, acc", draw, CURVES, metrics="f1")
    ax = Figure().subplots()
    refused("expected 2 axes, one for each of loss, acc, got 1", draw, CURVES, ax=ax)
    refused("matplotlib Axes, got str", draw, CURVES, "acc", ax="a", error=TypeError)


def test_bad_classes_are_refused():
    """Lengths, signs, fractions and missing names."""
    draw = plotting.plot_confusion_matrix
    refused("y_true of length 2 and y_pred of length 1", draw, [0, 1], [0])
    refused("at least one, got y_true of length 0", draw, [], [])
    refused("y_pred: expected whole class numbers from 0, got 0.5", draw, [1], [0.5])
    refused("y_true: expected whole class numbers from 0, got -1", draw, [-1], [0])
    refused("y_pred: expected class numbers .N,. or prob", draw, [1], ["b"])
    refused("expected labels for 3 classes, got 2", draw, [2], [0], labels="ab")


def test_bad_images_are_refused():
    """Shapes, counts, names."""
    draw, x = plotting.plot_images, np.zeros((2, 4, 4))
    refused("A single image needs a batch axis", draw, x[0, 0])
    refused("15 pixels make no square image", draw, np.zeros((2, 15)))
    refused("expected 1, 3 or 4 channels", draw, np.zeros((2, 5, 5, 7)))
    refused("at most 400 images, got 401", draw, np.zeros((401, 2, 2)))
    refused("expected 2 labels, one an image, got 3", draw, x, [0, 1, 2])
    refused("expected 2 titles", draw, x, titles=["a"])
    refused(
        "expected class_names for 2 classes, got 1", draw, x, [0, 1], class_names="a"
    )
    refused("expected columns from 1, got 0", draw, x, columns=0)
    axes = Figure().subplots(3)
    refused("expected one Axes, or 2, one an image, got 3", draw, x, ax=axes)


def test_bad_boundaries_are_refused():
    """Points of the plane, one class each, and a model that predicts."""
    draw, x = plotting.plot_decision_boundary, np.zeros((2, 2))
    refused("points x of shape .N, 2., got .2, 3.", draw, centers(1), np.zeros((2, 3)))
    refused("expected 2 classes in y, got 1", draw, centers(1), x, [0])
    refused("a model with a predict method, got int", draw, 3, x, error=TypeError)


def test_bad_weights_are_refused():
    """A layer that is not built, an image that does not fit, no numbers."""
    draw = plotting.plot_weights
    refused("dense_1 has no weights; a layer has none before", draw, layer("dense_1"))
    refused("image_shape of 6 numbers", draw, np.zeros((6, 2)), image_shape=(2, 2))
    refused("expected a model, a layer or an array of numbers", draw, "weights")
