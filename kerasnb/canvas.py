"""
Paper and pencils: the colours, the style and the axes of every picture.

`styled` makes a drawing function leave the user's matplotlib settings as they were;
`panels` and `cells` hand out axes, new ones or the caller's own. Read next:
`plotting.py`, which draws on them.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, VERMILLION, GREEN = "#0072B2", "#D55E00", "#009E73"
ORANGE, SKY, PURPLE, YELLOW, BLACK = "#E69F00", "#56B4E9", "#CC79A7", "#F0E442", "#000"
COLORS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, YELLOW, BLACK)
LINE_COLORS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, BLACK, "#777777")
MARKERS = "osD^vPX*"
SMALL_SIZE = 12
TEXT_SIZE = 14
STYLE: Any = {
    "font.size": TEXT_SIZE,
    "axes.titlesize": 16,
    "axes.labelsize": TEXT_SIZE,
    "legend.fontsize": 13,
    "lines.linewidth": 2.5,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "axes.axisbelow": True,
}


def styled(draw: Callable[..., Figure]) -> Callable[..., Figure]:
    """Draw in the style of this module; the settings of the user come back after it."""

    @functools.wraps(draw)
    def draw_in_style(*arguments: Any, **named: Any) -> Figure:
        import matplotlib

        with matplotlib.rc_context(STYLE):
            return draw(*arguments, **named)

    return draw_in_style


# ---------------------------------------------------------------- training curves


def colormap(*colors: str) -> Any:
    """Return a colour map that blends from one colour to the next."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("kerasnb", list(colors))


def panels(
    what: str,
    names: Sequence[str],
    ax: Any,
    size: tuple[float, float] = (6.4, 4.8),
) -> tuple[Figure, list[Axes]]:
    """Return a Figure with one Axes a name, or the caller's own axes."""
    count = len(names)
    if ax is not None:
        axes = list(np.ravel(ax))
        if len(axes) != count:
            raise ValueError(
                f"{what}: expected {count} axes, one for each of {', '.join(names)}, "
                f"got {len(axes)}."
            )
        return checked(what, axes)
    import matplotlib.pyplot as plt

    columns = min(count, 2) if count <= 4 else 3
    rows = -(-count // columns)
    figure = plt.figure(figsize=(size[0] * columns, size[1] * rows), layout="tight")
    grid = figure.subplots(rows, columns, squeeze=False).ravel().tolist()
    for unused in grid[count:]:
        unused.remove()
    return figure, grid[:count]


def cells(
    what: str, count: int, columns: int | None, ax: Any, lines: int = 1
) -> tuple[Figure, list[Axes]]:
    """
    Return axes without ticks for a grid of images, inside `ax` if there is one.

    There is room for so many lines of text above each image.
    """
    if columns is None:
        columns = math.ceil(math.sqrt(count))
    if columns < 1:
        raise ValueError(f"{what}: expected columns from 1, got {columns}.")
    columns = min(columns, count)
    rows = -(-count // columns)
    if ax is None:
        import matplotlib.pyplot as plt

        side = min(1.5, 16 / columns)
        height = side + 0.3 * lines
        size = (max(side * columns, 3.0), max(height * rows, 2.0))
        figure = plt.figure(figsize=size, layout="tight")
        cells = figure.subplots(rows, columns, squeeze=False).ravel().tolist()
    elif len(given := np.ravel(ax)) == count:
        figure, cells = checked(what, list(given))
    elif len(given) == 1:
        figure, (host,) = checked(what, list(given))
        host.axis("off")
        w, h = 1 / columns, 1 / rows
        places = [divmod(k, columns) for k in range(count)]
        cells = [
            host.inset_axes((c * w, 1 - (r + 1) * h, 0.92 * w, (1 - 0.22 * lines) * h))
            for r, c in places
        ]
    else:
        raise ValueError(
            f"{what}: expected one Axes, or {count}, one an image, got {len(given)}."
        )
    for unused in cells[count:]:
        unused.remove()
    for cell in cells[:count]:
        cell.set(xticks=[], yticks=[])
        cell.spines[:].set_color("0.8")
    return figure, cells[:count]


def entitle(figure: Figure, title: str) -> None:
    """Write a title over all axes, and make the figure higher, so that it fits."""
    figure.suptitle(title, fontsize=TEXT_SIZE + 2)
    figure.set_figheight(figure.get_figheight() + 0.5)


def checked(what: str, axes: list[Any]) -> tuple[Figure, list[Axes]]:
    """Return the figure of the caller's axes, and the axes."""
    for ax in axes:
        if not hasattr(ax, "imshow"):
            raise TypeError(
                f"{what}: expected ax to be a matplotlib Axes, got "
                f"{type(ax).__name__}."
            )
    return axes[0].figure, axes
