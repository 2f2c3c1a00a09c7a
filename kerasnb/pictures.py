"""
Images in a grid, and those that a model is wrong about.

`plot_images` draws what you have; `plot_mistakes` asks a model, and shows where it was
surest and wrong. Read next: `filters.py` for what the layers see in an image.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .canvas import (
    BLACK,
    BLUE,
    SMALL_SIZE,
    TEXT_SIZE,
    VERMILLION,
    cells,
    entitle,
    panels,
    styled,
)
from .labels import class_name, class_numbers
from .utils import positive_integer

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_IMAGES = 400
LONG_TITLE = 13  # letters that are too many above an image


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
    height = 1 + max(line.count("\n") for line in lines)
    longest = max(len(part) for line in lines for part in line.split("\n"))
    size = SMALL_SIZE if longest >= LONG_TITLE else TEXT_SIZE
    figure, places = cells("plot_images", len(images), columns, ax, height)
    finite = images[np.isfinite(images)]
    low, high = (finite.min(), finite.max()) if finite.size else (0, 1)
    for cell, image, line, color in zip(places, images, lines, colors):
        if image.shape[-1] == 1:
            cell.imshow(image[..., 0], cmap="gray_r", vmin=low, vmax=high)
        else:
            cell.imshow(np.clip(image / (1 if high <= 1 else 255), 0, 1))
        cell.set_title(line, color=color, fontsize=size, pad=3)
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
    t = None if labels is None else class_numbers("plot_images: labels", labels)
    p = None
    if predictions is not None:
        p = class_numbers("plot_images: predictions", predictions)
    for what, values in (("titles", titles), ("labels", t), ("predictions", p)):
        if values is not None and len(values) != count:
            raise ValueError(
                f"plot_images: expected {count} {what}, one an image, "
                f"got {len(values)}."
            )

    def name(k: int) -> str:
        return class_name("plot_images", k, class_names)

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


# ---------------------------------------------------------------- mistakes


@styled
def plot_mistakes(
    model: Any,
    x: Any,
    y: Any,
    count: int = 12,
    class_names: Sequence[str] | None = None,
    columns: int | None = None,
    images: Any = None,
    ax: Axes | Sequence[Axes] | None = None,
) -> Figure:
    """
    Draw the worst mistakes of a classifier: where it was surest, and wrong.

    Above each image stand the class it predicted, the true one, and p, the
    probabilities it gave to both. Samples that are no images become a row with two
    bars.

    Parameters
    ----------
    model : object with `predict`
        Returns probabilities (N, classes), or (N, 1) for two classes.
    x : array
        The samples, as the model takes them.
    y : array
        Their true classes: numbers or one-hot rows.
    count : int
        How many to show at most.
    class_names : sequence of str, optional
        Written instead of class numbers.
    columns : int, optional
        Images in a row.
    images : array, optional
        What to draw for the samples, where x itself is no image.
    ax : Axes or sequence of Axes, optional
        As for `plot_images`; one Axes for samples that are no images.

    Raises
    ------
    TypeError
        If the model has no `predict`.
    ValueError
        If the lengths differ, `predict` returns no probabilities of classes, or y holds
        a class that it does not know.
    """
    positive_integer(count, "plot_mistakes: count")
    wrong, p, t = worst_mistakes(model, x, y)
    wrong = wrong[:count]
    k = p.argmax(1)

    def name(k: int) -> str:
        return class_name("plot_mistakes", int(k), class_names)

    shown = np.asarray(x if images is None else images)
    if len(shown) != len(p):
        raise ValueError(
            f"plot_mistakes: expected {len(p)} images, one a sample, got {len(shown)}."
        )
    if not len(wrong):
        figure, (ax,) = panels("plot_mistakes", [""], ax)
        ax.axis("off")
        text = f"no mistake in {len(p)} samples"
        ax.text(0.5, 0.5, text, ha="center", va="center", transform=ax.transAxes)
        return figure
    if not _is_image(shown):
        lines = [f"{i}: {name(k[i])}, not {name(t[i])}" for i in wrong]
        return _draw_bars(ax, lines, p[wrong, k[wrong]], p[wrong, t[wrong]], len(p))
    lines = [f"{name(k[i])}, not {name(t[i])}" for i in wrong]
    if max(map(len, lines)) > LONG_TITLE:
        lines = [line.replace(", not", ",\nnot") for line in lines]
    sure = [f"p {p[i, k[i]]:.2f}, {p[i, t[i]]:.2f}" for i in wrong]
    titles = [f"{line}\n{numbers}" for line, numbers in zip(lines, sure)]
    figure = plot_images(shown[wrong], titles=titles, columns=columns, ax=ax)
    if ax is None:
        entitle(figure, "the surest mistakes")
    return figure


def worst_mistakes(
    model: Any, x: Any, y: Any
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """
    Return the rows a classifier is wrong about, the surest first, and what it said.

    Returns
    -------
    rows : int array
    p : array (N, classes)
        The probabilities of all samples.
    t : int array (N,)
        Their true classes.
    """
    if not hasattr(model, "predict"):
        raise TypeError(
            "plot_mistakes: expected a model with a predict method, "
            f"got {type(model).__name__}."
        )
    p = np.asarray(model.predict(x), float)
    if p.ndim != 2 or not p.size:
        raise ValueError(
            "plot_mistakes: expected predict to return probabilities (N, classes), "
            f"got shape {p.shape}. The model must be a classifier."
        )
    if p.shape[1] == 1:
        p = np.concatenate([1 - p, p], axis=1)
    t = class_numbers("plot_mistakes: y", y)
    if len(t) != len(p):
        raise ValueError(
            f"plot_mistakes: expected {len(p)} classes in y, one a sample, got "
            f"{len(t)}."
        )
    if t.max() >= p.shape[1]:
        raise ValueError(
            f"plot_mistakes: expected classes from 0 to {p.shape[1] - 1} in y, for so "
            f"many the model knows, got {t.max()}."
        )
    k = p.argmax(1)
    rows = np.flatnonzero(k != t)
    return rows[np.argsort(-p[rows, k[rows]], kind="stable")], p, t


def _is_image(x: np.ndarray) -> bool:
    """Return whether samples look like images: rows and columns, or a square."""
    if x.ndim == 2:
        side = math.isqrt(x.shape[1])
        return side * side == x.shape[1] and side >= 4
    return x.ndim == 3 or x.ndim == 4 and (x.shape[3] in (1, 3, 4) or x.shape[1] <= 4)


def _draw_bars(
    ax: Any, lines: list[str], predicted: np.ndarray, true: np.ndarray, samples: int
) -> Figure:
    """Draw two bars a sample: what it was taken for, and what it was."""
    size = (9.0, 2.2 + 0.5 * len(lines))
    figure, (ax,) = panels("plot_mistakes", [""], ax, size)
    rows = np.arange(len(lines))
    ax.barh(rows - 0.2, predicted, 0.4, color=VERMILLION, label="predicted")
    ax.barh(rows + 0.2, true, 0.4, color=BLUE, hatch="//", ec="white", label="true")
    ax.set_yticks(rows, lines)
    ax.invert_yaxis()
    ax.set(xlim=(0, 1), xlabel="probability")
    ax.set_title(f"the surest mistakes in {samples} samples")
    ax.tick_params(labelsize=TEXT_SIZE)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    return figure
