"""
How large the numbers in a network are: activations and gradients, layer by layer.

Numbers that shrink or grow from layer to layer are why deep networks did not learn
before there were good first weights and normalisation. Read next: `passage.py`, which
looks at one batch, and `filters.py` for what single units see.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .canvas import BLUE, GREEN, TEXT_SIZE, VERMILLION, panels, styled
from .passage import Passage, Step, flat, pass_batch

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

KINDS = ("flow", "histograms")
SMALLEST = 1e-12  # what is drawn on a logarithmic scale in place of zero
SIZE = (4.8, 3.6)


@styled
def plot_activations(
    model: Any,
    x: Any,
    training: bool = False,
    layers: Sequence[str] | None = None,
    bins: int = 40,
    ax: Axes | Sequence[Axes] | None = None,
) -> Figure:
    """
    Draw a histogram of what each layer puts out for one batch.

    Numbers that are exactly zero, as relu makes them, are left out of the bars and
    counted in words. The model stays as it is: weights, states and random numbers.

    Parameters
    ----------
    model : Sequential
    x : array
        The batch, as `predict` takes it.
    training : bool
        Whether layers such as Dropout behave as in training.
    layers : list of str, optional
        Names of the layers to draw; default: all that change their input.
    bins : int
        Bars of each histogram.
    ax : Axes or sequence of Axes, optional
        One for each layer.

    Returns
    -------
    Figure
        A panel for each layer, in the order of the model.

    Raises
    ------
    TypeError
        If it is no model.
    ValueError
        If x does not fit the model, or there is no layer of that name.
    """
    what = "plot_activations"
    passage = pass_batch(what, model, x, training=training)
    steps = chosen_steps(what, passage, layers)
    names = [step.layer.name for step in steps]
    figure, axes = panels(what, names, ax, SIZE)
    for panel, step in zip(axes, steps):
        _draw_histogram(panel, step.outputs(), bins, BLUE)
        title = step.layer.name
        panel.set(title=title, xlabel="activation", ylabel="% of numbers")
    return figure


def chosen_steps(
    what: str, passage: Passage, layers: Sequence[str] | None
) -> list[Step]:
    """Return the steps of the named layers, or of all that change their input."""
    if layers is None:
        return [s for s in passage.steps if not _passes_on(s)] or passage.steps
    steps = {step.layer.name: step for step in passage.steps}
    for name in [layers] if isinstance(layers, str) else layers:
        if name not in steps:
            raise ValueError(
                f"{what}: there is no layer {name!r}. There are: {', '.join(steps)}."
            )
    return [steps[name] for name in ([layers] if isinstance(layers, str) else layers)]


def _passes_on(step: Step) -> bool:
    """Return whether a layer hands on the numbers that it got, in whatever shape."""
    if isinstance(step.x, list) or isinstance(step.y, list):
        return False
    return bool(np.array_equal(np.ravel(step.x), np.ravel(step.y)))


def _draw_histogram(ax: Axes, values: np.ndarray, bins: int, color: str) -> None:
    """Draw the shares of numbers in bins, and say mean, deviation, zeros."""
    finite = values[np.isfinite(values)].astype(float)
    zeros, bad = int((finite == 0).sum()), values.size - finite.size
    drawn = finite[finite != 0]
    if drawn.size:
        counts, edges = np.histogram(drawn, bins)
        shares = 100 * counts / values.size
        ax.bar(edges[:-1], shares, np.diff(edges), align="edge", color=color)
    lines = []
    if finite.size:
        lines.append(f"mean {finite.mean():.2g}, std {finite.std():.2g}")
    if zeros:
        lines.append(f"{zeros / values.size:.0%} exactly 0")
    if bad:
        lines.append(f"{bad / values.size:.0%} NaN or infinite")
    ax.margins(y=0.35)
    look: Any = {"ha": "right", "va": "top", "fontsize": 13}
    ax.text(0.98, 0.97, "\n".join(lines), transform=ax.transAxes, **look)
    _plain(ax)


def _plain(ax: Axes) -> None:
    ax.tick_params(labelsize=TEXT_SIZE)
    ax.spines[["top", "right"]].set_visible(False)


# ---------------------------------------------------------------- gradients


@styled
def plot_gradients(
    model: Any,
    x: Any,
    y: Any,
    kind: str = "flow",
    sample_weight: Any = None,
    bins: int = 40,
    ax: Axes | Sequence[Axes] | None = None,
) -> Figure:
    """
    Draw how large the gradients of one batch are, layer by layer.

    The loss is that of `compile`. No weight is changed.

    Parameters
    ----------
    model : Sequential
        Compiled.
    x, y, sample_weight
        The batch, as `train_on_batch` takes it.
    kind : {'flow', 'histograms'}
        'flow': root mean square and largest size, for each layer's output in one panel
        and for each weight in another. 'histograms': a panel for each weight, of the
        powers of ten of its gradient.
    bins : int
        Bars of each histogram.
    ax : Axes or sequence of Axes, optional
        Two, or one for each weight.

    Raises
    ------
    TypeError
        If it is no model.
    RuntimeError
        If the model is not compiled.
    ValueError
        If the data do not fit the model, or the kind is unknown.
    """
    what = "plot_gradients"
    if kind not in KINDS:
        known = " or ".join(map(repr, KINDS))
        raise ValueError(f"{what}: expected kind={known}, got {kind!r}.")
    if y is None:
        raise ValueError(f"{what}: expected targets y; a gradient needs a loss.")
    passage = pass_batch(what, model, x, y, sample_weight)
    gradients = {name.split(":")[0]: g for name, g in passage.gradients.items()}
    if not gradients:
        raise ValueError(f"{what}: {model.name} has no weight that learns.")
    if kind == "flow":
        flows = {step.layer.name: step.slopes() for step in passage.steps}
        parts = {
            "of each output": {k: v for k, v in flows.items() if v.size},
            "of each weight": gradients,
        }
        size = (6.8, 1.8 + 0.42 * max(map(len, parts.values())))
        figure, axes = panels(what, list(parts), ax, size)
        for panel, (title, arrays) in zip(axes, parts.items()):
            _draw_flow(panel, title, arrays)
        return figure
    figure, axes = panels(what, list(gradients), ax, SIZE)
    edges = _edges(list(gradients.values()), bins)
    for panel, (name, g) in zip(axes, gradients.items()):
        _draw_sizes(panel, g, edges)
        panel.set(title=name, xlabel="size of the gradient", ylabel="% of numbers")
    return figure


def _edges(arrays: list[np.ndarray], bins: int) -> np.ndarray:
    """Return the borders of bins for all arrays, equal steps on a logarithmic axis."""
    sizes = np.abs(flat(arrays).astype(float))
    sizes = sizes[(sizes > 0) & np.isfinite(sizes)]
    if not sizes.size:
        return np.logspace(-6, 0, bins + 1)
    low = np.floor(np.log10(np.quantile(sizes, 0.001)))
    high = np.ceil(np.log10(sizes.max()))
    return np.logspace(low, max(high, low + 1), bins + 1)


def _draw_flow(ax: Axes, title: str, arrays: dict[str, np.ndarray]) -> None:
    """Draw a row for each array: its root mean square and its largest size."""
    rows = np.arange(len(arrays))
    sizes = [np.abs(np.ravel(a).astype(float)) for a in arrays.values()]
    rms = np.array([np.sqrt(np.mean(a**2)) for a in sizes])
    largest = np.array([a.max() for a in sizes])
    shown = np.maximum([rms, largest], SMALLEST)
    ax.hlines(rows, shown[0], shown[1], color="0.7", zorder=1)
    ax.plot(shown[0], rows, "o", color=BLUE, ms=10, label="root mean square")
    ax.plot(shown[1], rows, "D", color=VERMILLION, ms=8, label="largest")
    for row, value in enumerate(rms):
        if value == 0:
            ax.text(SMALLEST, row, "  all zero", va="center")
    ax.set_xscale("log")
    ax.xaxis.set_minor_formatter("")
    ax.set_yticks(rows, list(arrays))
    ax.set_ylim(len(arrays) - 0.5, -0.5)
    ax.set(title=f"gradient {title}", xlabel="size")
    ax.grid(color="0.9")
    ax.legend(loc="best", framealpha=0.9)
    _plain(ax)


def _draw_sizes(ax: Axes, g: np.ndarray, edges: np.ndarray) -> None:
    """Draw a histogram of sizes on a logarithmic axis; zeros are said in words."""
    sizes = np.abs(np.ravel(g).astype(float))
    zeros = int((sizes == 0).sum())
    drawn = np.clip(sizes[sizes > 0], edges[0], edges[-1])
    shares = 100 * np.histogram(drawn, edges)[0] / sizes.size
    ax.bar(edges[:-1], shares, np.diff(edges), align="edge", color=GREEN)
    ax.set_xscale("log")
    ax.set_xlim(edges[0] / 1.5, edges[-1] * 2)
    lines = [f"rms {np.sqrt(np.mean(sizes**2)):.2g}"]
    if zeros:
        lines.append(f"{zeros / sizes.size:.0%} exactly 0")
    ax.margins(y=0.35)
    look: Any = {"ha": "left", "va": "top", "fontsize": 13}
    ax.text(0.03, 0.97, "\n".join(lines), transform=ax.transAxes, **look)
    _plain(ax)
