"""
Pictures of training: curves, confusion matrices, images, boundaries, weights.

Every function returns a matplotlib Figure, draws into `ax` if you give one, and leaves
showing and saving to you: `plot_history(history).savefig("curves.png")`. Colours are
Okabe and Ito's, which colour-blind readers can tell apart, and nothing is told by
colour alone. matplotlib is imported by the first call, so a machine without a screen,
or without matplotlib, can use everything else. Read next: `callbacks.py`, where the
History comes from.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .canvas import (
    BLACK,
    BLUE,
    COLORS,
    MARKERS,
    TEXT_SIZE,
    VERMILLION,
    cells,
    colormap,
    panels,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HIGHER_IS_BETTER = ("acc", "precision", "recall", "auc", "f1", "fmeasure")
NO_QUALITY = ("lr", "learning_rate")  # in a history, but neither loss nor metric
MOST_IMAGES = 400
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
    t = _classes("confusion_matrix: y_true", y_true)
    p = _classes("confusion_matrix: y_pred", y_pred)
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


def _classes(what: str, y: Any) -> np.ndarray:
    """Return class numbers, whether y has them, one-hot rows or probabilities."""
    y = np.asarray(y)
    if y.ndim == 2 and y.shape[1] > 1:
        return y.argmax(1)
    if y.ndim == 2 and y.dtype.kind == "f":
        return (y[:, 0] > 0.5).astype(int) if (y <= 1).all() else _whole(what, y[:, 0])
    return _whole(what, y[:, 0] if y.ndim == 2 else y)


def _whole(what: str, y: np.ndarray) -> np.ndarray:
    if y.ndim != 1 or y.dtype.kind not in "biuf":
        raise ValueError(
            f"{what}: expected class numbers (N,) or probabilities (N, classes), "
            f"got {y.dtype} of shape {y.shape}."
        )
    wrong = y[~((y >= 0) & (y == np.floor(y)))]
    if len(wrong):
        raise ValueError(
            f"{what}: expected whole class numbers from 0, got {wrong[0]}. "
            "Turn probabilities into classes first: (p > 0.5)."
        )
    return y.astype(int)


def _class_name(what: str, k: int, class_names: Sequence[str] | None) -> str:
    if class_names is None:
        return str(k)
    if k >= len(class_names):
        raise ValueError(
            f"{what}: expected class_names for {k + 1} classes, got {len(class_names)}."
        )
    return str(class_names[k])


# ---------------------------------------------------------------- images


@styled
def plot_images(
    x: Any,
    labels: Any = None,
    predictions: Any = None,
    titles: Sequence[Any] | None = None,
    class_names: Sequence[str] | None = None,
    columns: int | None = None,
    ax: Axes | Sequence[Axes] | None = None,
) -> Figure:
    """
    Draw images in a grid, wrong predictions in another colour and with the truth.

    Parameters
    ----------
    x : array
        (N, rows, columns), the same with 1, 3 or 4 channels last or first, or flat
        square images (N, pixels).
    labels, predictions : arrays, optional
        True and predicted classes: numbers, one-hot rows or probabilities.
    titles : sequence, optional
        What to write above the images instead.
    class_names : sequence of str, optional
        Written instead of class numbers.
    columns : int, optional
        Images in a row; default: a grid as wide as high.
    ax : Axes or sequence of Axes, optional
        One to hold the whole grid, or one for each image.

    Raises
    ------
    ValueError
        If x is no batch of images, or the lengths differ.
    """
    images = _images(np.asarray(x))
    lines, colors = _image_titles(len(images), labels, predictions, titles, class_names)
    figure, places = cells("plot_images", len(images), columns, ax)
    finite = images[np.isfinite(images)]
    low, high = (finite.min(), finite.max()) if finite.size else (0, 1)
    for cell, image, line, color in zip(places, images, lines, colors):
        if image.shape[-1] == 1:
            cell.imshow(image[..., 0], cmap="gray_r", vmin=low, vmax=high)
        else:
            cell.imshow(np.clip(image / (1 if high <= 1 else 255), 0, 1))
        cell.set_title(line, color=color, fontsize=TEXT_SIZE, pad=3)
    return figure


def _images(x: np.ndarray) -> np.ndarray:
    """Return x as (N, rows, columns, channels)."""
    shape = x.shape
    if x.dtype.kind not in "biuf" or x.ndim not in (2, 3, 4) or 0 in shape:
        raise ValueError(
            "plot_images: expected numbers of shape (N, rows, columns), "
            f"(N, rows, columns, channels) or (N, pixels), got {x.dtype} of shape "
            f"{shape}. A single image needs a batch axis: x[None]."
        )
    if len(x) > MOST_IMAGES:
        raise ValueError(
            f"plot_images: expected at most {MOST_IMAGES} images, got {len(x)}. "
            "Pass a part of them: x[:25]."
        )
    if x.ndim == 2:
        side = math.isqrt(shape[1])
        if side * side != shape[1]:
            raise ValueError(
                f"plot_images: {shape[1]} pixels make no square image; reshape x to "
                "(N, rows, columns)."
            )
        x = x.reshape(-1, side, side)
    if x.ndim == 4 and shape[3] not in (1, 3, 4):
        x = x.transpose(0, 2, 3, 1)
    x = x[..., None] if x.ndim == 3 else x
    if x.shape[3] not in (1, 3, 4):
        raise ValueError(
            f"plot_images: expected 1, 3 or 4 channels, got x of shape {shape}."
        )
    return x


def _image_titles(
    count: int,
    labels: Any,
    predictions: Any,
    titles: Sequence[Any] | None,
    class_names: Sequence[str] | None,
) -> tuple[list[str], list[str]]:
    t = None if labels is None else _classes("plot_images: labels", labels)
    p = None
    if predictions is not None:
        p = _classes("plot_images: predictions", predictions)
    for what, values in (("titles", titles), ("labels", t), ("predictions", p)):
        if values is not None and len(values) != count:
            raise ValueError(
                f"plot_images: expected {count} {what}, one an image, "
                f"got {len(values)}."
            )

    def name(k: int) -> str:
        return _class_name("plot_images", k, class_names)

    shown = t if p is None else p
    lines = [""] * count if shown is None else [name(k) for k in shown]
    colors = [BLACK] * count
    if t is not None and p is not None:
        for k in np.flatnonzero(t != p):
            lines[k] = f"{name(p[k])}, not {name(t[k])}"
            colors[k] = VERMILLION
    if titles is not None:
        lines = [str(title) for title in titles]
    return lines, colors


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
        t = _classes("plot_decision_boundary: y", y)
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
        label = _class_name("plot_decision_boundary", k, class_names)
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


# ---------------------------------------------------------------- weights


@styled
def plot_weights(
    weights: Any,
    image_shape: tuple[int, ...] | None = None,
    columns: int | None = None,
    ax: Axes | Sequence[Axes] | None = None,
) -> Figure:
    """
    Draw weights as colours: blue below zero, white at zero, vermillion above.

    Parameters
    ----------
    weights : model, layer or array
        Of a model, the weights of every layer are drawn; biases are left out.
    image_shape : tuple of int, optional
        Draw what each unit looks for as an image of this shape; of a model, for the
        first layer. The filters of a 2-D convolution are always drawn so.
    columns : int, optional
        Images in a row.
    ax : Axes or sequence of Axes, optional
        One for each layer; for images, one to hold them all.

    Raises
    ------
    ValueError
        If there are no weights yet, or they do not fit `image_shape`.
    """
    named = _named_weights(weights)
    name, W = named[0]
    if image_shape is not None:
        if W.ndim < 2 or W[..., 0].size != math.prod(image_shape):
            raise ValueError(
                f"plot_weights: expected an image_shape of {W[..., 0].size} numbers "
                f"for weights of shape {W.shape}, got {image_shape}."
            )
        return _draw_units(W.reshape(*image_shape, -1), columns, ax)
    if len(named) == 1 and W.ndim == 4:
        return _draw_units(W.mean(2), columns, ax)
    names = [name for name, _ in named]
    figure, axes = panels("plot_weights", names, ax)
    for panel, (name, W) in zip(axes, named):
        matrix = W.reshape(-1, W.shape[-1])
        drawn = _draw_signed(panel, matrix, aspect="auto")
        panel.set(title=f"{name} {W.shape}".strip(), xlabel="unit", ylabel="input")
        panel.tick_params(labelsize=TEXT_SIZE)
        figure.colorbar(drawn, ax=panel).ax.tick_params(labelsize=TEXT_SIZE)
    return figure


def _named_weights(weights: Any) -> list[tuple[str, np.ndarray]]:
    """Return (name, array) for every layer that has weights."""
    if hasattr(weights, "get_weights"):
        layers = getattr(weights, "layers", [weights])
        named = [(layer.name, layer.get_weights()) for layer in layers]
    else:
        named = [("", [np.asarray(weights)])]
    found = [(name, np.asarray(arrays[0])) for name, arrays in named if len(arrays)]
    for _, W in found:
        if W.dtype.kind not in "biuf" or W.ndim == 0 or W.size == 0:
            raise ValueError(
                "plot_weights: expected a model, a layer or an array of numbers, "
                f"got {W.dtype} of shape {W.shape}."
            )
    if not found:
        raise ValueError(
            f"plot_weights: {getattr(weights, 'name', 'the model')} has no weights; "
            "a layer has none before it knows its input shape."
        )
    return found


def _draw_units(
    W: np.ndarray, columns: int | None, ax: Axes | Sequence[Axes] | None
) -> Figure:
    figure, places = cells("plot_weights", W.shape[-1], columns, ax)
    largest = float(np.nanmax(np.abs(W)))
    for unit, cell in enumerate(places):
        _draw_signed(cell, W[..., unit], largest)
        cell.set_title(str(unit), fontsize=11, pad=2)
    return figure


def _draw_signed(ax: Axes, W: np.ndarray, largest: float = 0.0, **named: Any) -> Any:
    limit = largest or float(np.nanmax(np.abs(W))) or 1.0
    colors = colormap(BLUE, "white", VERMILLION)
    return ax.imshow(W, cmap=colors, vmin=-limit, vmax=limit, **named)
