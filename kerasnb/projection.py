"""
Vectors of many numbers in a picture of two: principal components, by our own hands.

`principal_components` turns the axes so that the first two show most of the variance;
`plot_embedding` draws it, for word vectors or for what a layer makes of samples. Read
next: `embedding.py`, the layer whose rows are such vectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .canvas import BLUE, COLORS, MARKERS, TEXT_SIZE, panels, styled
from .labels import class_name
from .layer import Layer

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_NAMES = 200  # written beside the points
MOST_CLASSES = 20


def principal_components(
    vectors: Any, count: int = 2
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """
    Turn vectors so that each new axis shows as much variance as is left.

    With the singular value decomposition x - mean = U S VT the directions are the rows
    of VT, the coordinates U S, and the variance along direction k is S[k]**2 / (N - 1)
    (Pearson 1901). The sign of a direction is chosen so that its largest entry is
    positive.

    Parameters
    ----------
    vectors : array (N, D)
    count : int
        How many axes.

    Returns
    -------
    coordinates : array (N, count)
    directions : array (count, D)
    shares : array (count,)
        Of the variance of all vectors.

    Examples
    --------
    >>> points, directions, shares = principal_components([[0, 0], [1, 1], [2, 2]], 1)
    >>> points.round(3)
    array([[-1.414],
           [ 0.   ],
           [ 1.414]])
    """
    x = np.asarray(vectors, float)
    if x.ndim != 2 or len(x) < 2:
        raise ValueError(
            "principal_components: expected at least two vectors, an array (N, D), got "
            f"shape {x.shape}."
        )
    if not np.isfinite(x).all():
        raise ValueError("principal_components: the vectors hold NaN or infinity.")
    U, S, VT = np.linalg.svd(x - x.mean(0), full_matrices=False)
    largest = np.abs(VT).argmax(1)
    signs = np.where(VT[np.arange(len(VT)), largest] < 0, -1.0, 1.0)
    total = float((S**2).sum()) or 1.0
    coordinates, directions = (U * S * signs)[:, :count], (VT * signs[:, None])[:count]
    shares = S[:count] ** 2 / total
    missing = count - len(shares)  # vectors of fewer numbers, or few vectors
    if missing > 0:
        coordinates = np.pad(coordinates, ((0, 0), (0, missing)))
        directions = np.pad(directions, ((0, missing), (0, 0)))
        shares = np.pad(shares, (0, missing))
    return coordinates, directions, shares


@styled
def plot_embedding(
    vectors: Any,
    labels: Any = None,
    names: Sequence[str] | None = None,
    class_names: Sequence[str] | None = None,
    ax: Axes | None = None,
) -> Figure:
    """
    Draw vectors as points of the plane, by their two principal components.

    Parameters
    ----------
    vectors : array (N, D), Embedding layer, or model with one
        Longer shapes are flattened to (N, D).
    labels : array, optional
        A class of each vector, a number or a string, told by colour and marker.
    names : sequence of str, optional
        Written beside the points, such as the words of a vocabulary.
    class_names : sequence of str, optional
        Names of the classes 0, 1, ... in the legend.
    ax : Axes, optional
        Where to draw.

    Raises
    ------
    ValueError
        If there are no vectors, or not one label and name for each.
    """
    x = _vectors_of(vectors)
    for what, given in (("labels", labels), ("names", names)):
        if given is not None and len(given) != len(x):
            raise ValueError(
                f"plot_embedding: expected {len(x)} {what}, one a vector, got "
                f"{len(given)}."
            )
    points, _, shares = principal_components(x)
    figure, (ax,) = panels("plot_embedding", [""], ax, (8.0, 6.4))
    if labels is None:
        ax.plot(points[:, 0], points[:, 1], "o", color=BLUE, ms=7, mec="white")
    else:
        _draw_classes(ax, points, np.asarray(labels).reshape(len(x), -1), class_names)
    if names is not None and len(x) <= MOST_NAMES:
        for (across, up), name in zip(points, names):
            ax.annotate(str(name), (across, up), (5, 4), textcoords="offset points")
    for axis, share, which in zip("xy", shares, ("first", "second")):
        ax.set(**{f"{axis}label": f"{which} direction, {share:.0%} of the variance"})
    ax.tick_params(labelsize=TEXT_SIZE)
    ax.spines[["top", "right"]].set_visible(False)
    return figure


def _vectors_of(given: Any) -> np.ndarray:
    if isinstance(given, Layer):
        layers = [la for la in given.walk() if type(la).__name__ == "Embedding"]
        if not layers or not layers[0].weights:
            raise ValueError(
                f"plot_embedding: {given.name} has no Embedding layer with weights. "
                "Pass an array (N, D), for example what predict returns."
            )
        return np.array(layers[0].weights[0].value)
    x = np.asarray(given)
    if x.dtype.kind not in "biuf" or x.ndim < 2 or len(x) < 2:
        raise ValueError(
            "plot_embedding: expected an Embedding layer or at least two vectors, an "
            f"array (N, D), got {x.dtype} of shape {x.shape}."
        )
    return x.reshape(len(x), -1)


def _draw_classes(
    ax: Axes, points: np.ndarray, labels: np.ndarray, class_names: Sequence[str] | None
) -> None:
    """Draw each class in a colour and a marker of its own."""
    numbers = labels.argmax(1) if labels.shape[1] > 1 else labels[:, 0]
    classes = np.unique(numbers)
    if len(classes) > MOST_CLASSES:
        raise ValueError(
            f"plot_embedding: expected at most {MOST_CLASSES} classes in labels, got "
            f"{len(classes)}. Write words beside the points with names=..."
        )
    for k, label in enumerate(classes):
        text = str(label)
        if np.issubdtype(numbers.dtype, np.number):
            text = class_name("plot_embedding", int(label), class_names)
        look: Any = {"color": COLORS[k % len(COLORS)], "mec": "0.25", "mew": 0.5}
        shape = MARKERS[(k + k // len(COLORS)) % len(MARKERS)]
        part = points[numbers == label]
        ax.plot(part[:, 0], part[:, 1], shape, ms=8, label=text, **look)
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
