"""
Pictures: of training, of predictions, and of what happens inside a model.

Every function returns a matplotlib Figure, draws into `ax` if you give one, and leaves
showing and saving to you: `plot_history(history).savefig("curves.png")`. Colours are
Okabe and Ito's, which colour-blind readers can tell apart, and nothing is told by
colour alone. matplotlib is imported by the first call, so a machine without a screen,
or without matplotlib, can use everything else. Here are curves, confusion matrices and
decision boundaries; every other picture can be imported from here too. Read next:
`pictures.py` for images and mistakes, `filters.py` and `activity.py` for the inside of
a model, `projection.py`, `finder.py`, `valley.py` and `animation.py`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .activity import plot_activations, plot_gradients
from .animation import Movie, animate_training
from .canvas import (
    BLUE,
    COLORS,
    MARKERS,
    TEXT_SIZE,
    VERMILLION,
    colormap,
    panels,
    styled,
)
from .diagram import plot_model
from .filters import plot_feature_maps, plot_filters, plot_weights
from .finder import LearningRates, find_learning_rate
from .labels import class_name, class_numbers
from .pictures import plot_images, plot_mistakes
from .projection import plot_embedding, principal_components
from .valley import animate_optimizer_paths, optimizer_paths, plot_optimizer_paths

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "LearningRates",
    "Movie",
    "animate_optimizer_paths",
    "animate_training",
    "confusion_matrix",
    "find_learning_rate",
    "optimizer_paths",
    "plot_activations",
    "plot_confusion_matrix",
    "plot_decision_boundary",
    "plot_embedding",
    "plot_feature_maps",
    "plot_filters",
    "plot_gradients",
    "plot_history",
    "plot_images",
    "plot_mistakes",
    "plot_model",
    "plot_optimizer_paths",
    "plot_weights",
    "principal_components",
]

HIGHER_IS_BETTER = ("acc", "precision", "recall", "auc", "f1", "fmeasure")
NO_QUALITY = ("lr", "learning_rate")  # in a history, but neither loss nor metric
MOST_WRITTEN_CLASSES = 20


@styled
def plot_history(
    history: Any,
    metrics: str | Sequence[str] | None = None,
    ax: Axes | Sequence[Axes] | None = None,
) -> Figure:
    """
    Draw loss and metrics against the epochs, training beside validation.

    A ring marks the best epoch of each panel, by validation where there is one: where
    an accuracy (or precision, recall, AUC, F1) is highest, and all else lowest.

    Parameters
    ----------
    history : History or dict
        What `fit` returned, or its `history`: name -> one value an epoch.
    metrics : str or list of str, optional
        Names to draw, such as "loss"; default: the loss and every metric.
    ax : Axes or sequence of Axes, optional
        One for each name.

    Raises
    ------
    TypeError
        If `history` is neither a History nor a dict.
    ValueError
        If it holds no epoch, a name is unknown, or the number of axes is wrong.
    """
    values, epochs = _history_values(history)
    known = list(dict.fromkeys(name.removeprefix("val_") for name in values))
    if metrics is None:
        names = [name for name in known if name not in NO_QUALITY] or known
    else:
        names = [metrics] if isinstance(metrics, str) else list(metrics)
    for name in names:
        if name not in known:
            raise ValueError(
                f"plot_history: the history has no {name!r}. "
                f"Known: {', '.join(known)}."
            )
    figure, axes = panels("plot_history", names, ax)
    for panel, name in zip(axes, names):
        _draw_curves(panel, name, values, epochs)
    return figure


def _history_values(history: Any) -> tuple[dict[str, list[float]], list[int]]:
    values = getattr(history, "history", history)
    if not isinstance(values, dict):
        raise TypeError(
            "plot_history: expected the History that fit returns, or a dict of lists, "
            f"got {type(history).__name__}."
        )
    values = {name: curve for name, curve in values.items() if len(curve)}
    if not values:
        raise ValueError(
            "plot_history: the history holds no epoch; pass it after fit has trained."
        )
    longest = max(map(len, values.values()))
    numbers = getattr(history, "epoch", [])
    if len(numbers) < longest:
        numbers = range(longest)
    return values, [number + 1 for number in numbers]  # as the progress bar counts


def _draw_curves(
    ax: Axes, name: str, values: dict[str, list[float]], epochs: list[int]
) -> None:
    from matplotlib.ticker import MaxNLocator

    curves = (
        (name, "training", BLUE, "-"),
        ("val_" + name, "validation", VERMILLION, "--"),
    )
    for key, label, color, line in curves:
        if len(values.get(key, ())):
            curve = np.asarray(values[key], float)
            dot = "." if len(curve) <= 30 else ""
            steps = epochs[: len(curve)]
            ax.plot(steps, curve, line, color=color, marker=dot, ms=9, label=label)
            judged, judged_color = curve, color
    if np.isfinite(judged).any() and name not in NO_QUALITY:
        best = _best_epoch(name, judged)
        ax.plot(
            epochs[best],
            judged[best],
            "o",
            ms=15,
            mfc="none",
            mec=judged_color,
            mew=2.5,
            clip_on=False,
            label=f"best: {judged[best]:.4g} in epoch {epochs[best]}",
        )
    ax.set(title=name, xlabel="epoch")
    ax.tick_params(labelsize=TEXT_SIZE)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    ax.grid(color="0.9")
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False)


def _best_epoch(name: str, curve: np.ndarray) -> int:
    """Return the index of the best value; a diverged epoch (NaN, inf) is never best."""
    is_accuracy = any(word in name.lower() for word in HIGHER_IS_BETTER)
    score = np.where(np.isfinite(curve), curve if is_accuracy else -curve, -math.inf)
    return int(np.argmax(score))


# ---------------------------------------------------------------- confusion matrix


def confusion_matrix(y_true: Any, y_pred: Any, num_classes: int = 0) -> np.ndarray:
    """
    Count how often each true class (row) was predicted as each class (column).

    Class numbers, one-hot rows and the probabilities of `predict` are understood.

    Examples
    --------
    >>> confusion_matrix([0, 1, 1], [0, 1, 0])
    array([[1, 0],
           [1, 1]])
    """
    t = class_numbers("confusion_matrix: y_true", y_true)
    p = class_numbers("confusion_matrix: y_pred", y_pred)
    if len(t) != len(p) or not len(t):
        raise ValueError(
            "confusion_matrix: expected as many predictions as true classes, at least "
            f"one, got y_true of length {len(t)} and y_pred of length {len(p)}."
        )
    widths = [np.shape(y)[-1] for y in (y_true, y_pred) if np.ndim(y) == 2]
    size = max(num_classes, t.max() + 1, p.max() + 1, *widths, 0)
    counts = np.zeros((size, size), np.int64)
    np.add.at(counts, (t, p), 1)
    return counts


@styled
def plot_confusion_matrix(
    y_true: Any,
    y_pred: Any,
    labels: Sequence[Any] | None = None,
    normalize: bool = False,
    ax: Axes | None = None,
) -> Figure:
    """
    Draw how often each true class (row) was taken for each class (column).

    Parameters
    ----------
    y_true, y_pred : arrays
        Class numbers, one-hot rows, or the probabilities of `predict`.
    labels : sequence, optional
        The names of the classes, in order.
    normalize : bool
        Write percentages of the row instead of counts.
    ax : Axes, optional
        Where to draw.

    Raises
    ------
    ValueError
        If the lengths differ, or a class number is negative, fractional or unnamed.
    """
    counts = confusion_matrix(y_true, y_pred, 0 if labels is None else len(labels))
    size = len(counts)
    names = [str(name) for name in (range(size) if labels is None else labels)]
    if len(names) != size:
        raise ValueError(
            f"plot_confusion_matrix: expected labels for {size} classes, "
            f"got {len(names)}."
        )
    side = min(12.0, max(6.0, 0.62 * size + 1.8))
    figure, (ax,) = panels("plot_confusion_matrix", [""], ax, (side, side))
    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    ax.imshow(np.sqrt(share), cmap=colormap("white", BLUE), vmin=0, vmax=1)
    if size <= MOST_WRITTEN_CLASSES:
        for i, j in np.argwhere(counts):
            cell = f"{100 * share[i, j]:.0f}" if normalize else f"{counts[i, j]}"
            color = "white" if share[i, j] > 0.3 else "black"
            ax.text(j, i, cell, ha="center", va="center", color=color)
    hits = np.trace(counts)
    ax.set_title(f"{hits} of {counts.sum()} right ({hits / counts.sum():.1%})")
    rows = "true class (rows in percent)" if normalize else "true class"
    ax.set(xlabel="predicted class", ylabel=rows)
    is_long = max(map(len, names)) * size > 40
    every = range(size) if size <= 40 else range(0, size, 10)
    ax.set_xticks(every, [names[k] for k in every], rotation=90 if is_long else 0)
    ax.set_yticks(every, [names[k] for k in every])
    ax.set_xticks(np.arange(size + 1) - 0.5, minor=True)
    ax.set_yticks(np.arange(size + 1) - 0.5, minor=True)
    ax.grid(which="minor", color="0.85", linewidth=1)
    ax.tick_params(which="both", length=0, labelsize=TEXT_SIZE)
    ax.spines[:].set_visible(False)
    return figure


# ---------------------------------------------------------------- decision boundary


@styled
def plot_decision_boundary(
    model: Any,
    x: Any,
    y: Any = None,
    class_names: Sequence[str] | None = None,
    resolution: int = 200,
    ax: Axes | None = None,
) -> Figure:
    """
    Colour the plane by the class a model predicts, the deeper the surer it is.

    Parameters
    ----------
    model : object with `predict`
        Takes points (N, 2); returns probabilities (N, 1) or (N, classes).
    x : array (N, 2)
        The points to draw; they also set the limits of the picture.
    y : array, optional
        Their true classes: numbers or one-hot rows.
    class_names : sequence of str, optional
        For the legend.
    resolution : int
        Points along each side at which the model is asked.
    ax : Axes, optional
        Where to draw.

    Raises
    ------
    ValueError
        If x has not two columns, or y not one class a point.
    TypeError
        If the model has no `predict`.
    """
    x = np.asarray(x, float)
    if x.ndim != 2 or x.shape[1] != 2 or not len(x):
        raise ValueError(
            f"plot_decision_boundary: expected points x of shape (N, 2), got {x.shape}."
        )
    t = np.zeros(len(x), int)
    if y is not None:
        t = class_numbers("plot_decision_boundary: y", y)
    if len(t) != len(x):
        raise ValueError(
            f"plot_decision_boundary: expected {len(x)} classes in y, got {len(t)}."
        )
    if not hasattr(model, "predict"):
        raise TypeError(
            "plot_decision_boundary: expected a model with a predict method, "
            f"got {type(model).__name__}."
        )
    figure, (ax,) = panels("plot_decision_boundary", [""], ax, (7.0, 6.0))
    _draw_regions(ax, model, x, resolution)
    for k in sorted(set(t.tolist())):
        color, marker = COLORS[k % len(COLORS)], MARKERS[k % len(MARKERS)]
        label = class_name("plot_decision_boundary", k, class_names)
        color, label = ("0.2", "points") if y is None else (color, label)
        points = x[t == k]
        look: Any = {"s": 30, "c": color, "marker": marker, "ec": "white", "lw": 0.7}
        ax.scatter(points[:, 0], points[:, 1], label=label, **look)
    ax.set(xlabel="x[:, 0]", ylabel="x[:, 1]")
    ax.tick_params(labelsize=TEXT_SIZE)
    ax.legend(loc="upper right", framealpha=0.9, title=None if y is None else "class")
    return figure


def _draw_regions(ax: Axes, model: Any, x: np.ndarray, resolution: int) -> None:
    from matplotlib.colors import to_rgb

    margin = 0.1 * np.maximum(np.ptp(x, axis=0), 1e-6)
    low, high = x.min(0) - margin, x.max(0) + margin
    across = np.linspace(low[0], high[0], resolution)
    up = np.linspace(low[1], high[1], resolution)
    grid = np.stack(np.meshgrid(across, up), axis=-1)
    p = np.asarray(model.predict(grid.reshape(-1, 2).astype(np.float32)))
    if p.dtype.kind in "biu":
        p = np.eye(p.max() + 1)[p.reshape(-1)]
    p = p.reshape(resolution, resolution, -1).astype(float)
    if p.shape[2] == 1:
        p = np.concatenate([1 - p, p], axis=2)
    classes = p.shape[2]
    palette = np.array([to_rgb(COLORS[k % len(COLORS)]) for k in range(classes)])
    depth = 0.15 + 0.35 * np.clip(p.max(2, keepdims=True), 0, 1)
    picture = 1 - depth * (1 - palette[p.argmax(2)])
    extent = (low[0], high[0], low[1], high[1])
    ax.imshow(
        picture, origin="lower", extent=extent, aspect="auto", interpolation="bilinear"
    )
    for k in range(classes):
        lead = p[..., k] - np.delete(p, k, axis=2).max(2)
        if lead.min() < 0 < lead.max():
            ax.contour(across, up, lead, [0], colors="0.25", linewidths=1.5)
