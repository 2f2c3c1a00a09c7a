"""
A picture of a model: a box for each layer, arrows from one to the next.

`plot_model` places the boxes in a grid, branches side by side, and draws them with
matplotlib; nothing else needs to be installed. Read next: `plotting.py` for pictures of
training, `sequential.py` for the summary in words.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from .canvas import BLACK, BLUE, styled
from .layer import Layer, show_shape
from .merge import Fork, Merge
from .stack import Stack
from .utils import lookup

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DIRECTIONS = {"TB": "from top to bottom", "LR": "from left to right"}
LETTER, LINE = 0.1, 0.22  # inches: how wide and how high text is
GAP, MARGIN, PADDING = 0.4, 0.2, 0.15
FONT: Any = {"family": "monospace", "size": 11, "color": BLACK, "va": "center"}


class Box:
    """
    A layer and its place in the grid.

    Attributes
    ----------
    lines : list of str
        What is written into it.
    across, along : float
        Its column, which may be between two, and its row.
    """

    def __init__(self, lines: list[str], across: float, along: int) -> None:
        self.lines, self.across, self.along = lines, across, along


class Plan:
    """
    The boxes of a model and the arrows between them.

    Parameters
    ----------
    layers : list of Layer
    show_shapes, show_layer_names, show_params : bool
        What the boxes say.
    """

    def __init__(
        self,
        layers: list[Layer],
        show_shapes: bool,
        show_layer_names: bool,
        show_params: bool = False,
    ) -> None:
        self.show_shapes, self.show_layer_names = show_shapes, show_layer_names
        self.show_params = show_params
        self.boxes: list[Box] = []
        self.arrows: list[tuple[Box, Box]] = []
        self.place(layers, [], 0, 0, width_of(layers))

    def place(
        self, layers: list[Layer], above: list[Box], left: float, top: int, width: int
    ) -> tuple[list[Box], int]:
        """Place layers below the boxes above; return the last boxes and the row."""
        for layer in layers:
            branches = branches_of(layer)
            if branches and not isinstance(layer, Fork):
                above, top = self.spread(branches, above, left, top, width)
            box = Box(self.lines(layer), left + (width - 1) / 2, top)
            self.boxes.append(box)
            self.arrows += [(one, box) for one in above]
            above, top = [box], top + 1
            if branches and isinstance(layer, Fork):
                above, top = self.spread(branches, above, left, top, width)
        return above, top

    def spread(
        self,
        branches: list[list[Layer]],
        above: list[Box],
        left: float,
        top: int,
        width: int,
    ) -> tuple[list[Box], int]:
        """Place branches side by side; return their last boxes and the next row."""
        ends: list[Box] = []
        bottom = top
        left += (width - sum(map(width_of, branches))) / 2
        dealt = len(above) == len(branches)  # each branch gets one of the arrays
        for k, branch in enumerate(branches):
            own = width_of(branch)
            sources = above[k : k + 1] if dealt else above
            last, row = self.place(branch, sources, left, top, own)
            ends += last
            left, bottom = left + own, max(bottom, row)
        return ends, bottom

    def lines(self, layer: Layer) -> list[str]:
        """Return what the box of a layer says."""
        kind = type(layer).__name__
        lines = [f"{layer.name}: {kind}" if self.show_layer_names else kind]
        if self.show_shapes:
            enters = layer.input_shape
            if branches_of(layer) and not isinstance(layer, Fork):
                enters = [branch[-1].output_shape for branch in branches_of(layer)]
            lines.append(f"in   {show_shape(enters)}")
            lines.append(f"out  {show_shape(layer.output_shape)}")
        if self.show_params:
            lines.append(f"{layer.count_params():,} parameters")
        return lines


def branches_of(layer: Layer) -> list[list[Layer]]:
    """Return the layers of each branch, of a layer that has some."""
    branches = getattr(getattr(layer, "way", layer), "branches", [])
    return [
        (
            branch.sublayers
            if isinstance(branch, Stack) and not isinstance(branch, Merge)
            else [branch]
        )
        for branch in branches
    ]


def width_of(layers: list[Layer]) -> int:
    """Return how many columns layers in a row need: one, or those of the branches."""
    widths = (sum(map(width_of, branches_of(layer))) for layer in layers)
    return max(1, *widths) if layers else 1


@styled
def plot_model(
    model: Any,
    to_file: Any = "model.png",
    show_shapes: bool = False,
    show_layer_names: bool = True,
    rankdir: str = "TB",
    show_params: bool = False,
) -> Figure:
    """
    Draw the layers of a model as boxes, and write the picture to a file.

    Parameters
    ----------
    model : Sequential
    to_file : str, PathLike or None
        Where to; the ending says the format. None: only return the picture.
    show_shapes : bool
        Whether boxes say the shapes that go in and come out.
    show_layer_names : bool
        Whether they say the name of the layer beside its class.
    rankdir : str
        'TB', from top to bottom, or 'LR', from left to right.
    show_params : bool
        Whether they say how many parameters the layer has.

    Returns
    -------
    Figure

    Raises
    ------
    TypeError
        If it is no model.
    ValueError
        If it has no layers, or no shapes yet that could be shown.
    """
    from matplotlib.figure import Figure

    if not isinstance(model, Stack):
        raise TypeError(
            f"plot_model: expected a Sequential model, got {type(model).__name__}."
        )
    lookup(rankdir, DIRECTIONS, "rankdir of plot_model:")
    if not model.sublayers:
        raise ValueError(f"plot_model: {model.name} has no layers to draw.")
    shown = {"show_shapes": show_shapes, "show_params": show_params}
    for name, wanted in shown.items():
        if wanted and not model.built:
            what = name.removeprefix("show_")
            raise ValueError(
                f"plot_model: {model.name} has no {what} to show before it is built. "
                f"Give the first layer input_shape=(...), or leave {name} out."
            )
    plan = Plan(model.sublayers, show_shapes, show_layer_names, show_params)
    figure = Figure(facecolor="white")
    _draw(plan, figure, rankdir == "TB")
    if to_file is not None:
        figure.savefig(os.fspath(to_file))
    return figure


plot = plot_model  # its name in Keras 1


def _draw(plan: Plan, figure: Figure, downwards: bool) -> None:
    """Draw the boxes and the arrows of a plan, in inches."""
    letters = max(len(line) for box in plan.boxes for line in box.lines)
    w = LETTER * letters + 2 * PADDING
    h = LINE * max(len(box.lines) for box in plan.boxes) + PADDING

    def centre(box: Box) -> tuple[float, float]:
        column, row = box.across, box.along
        if not downwards:
            column, row = row, column
        return column * (w + GAP), -row * (h + GAP)

    places = [centre(box) for box in plan.boxes]
    right, bottom = max(x for x, _ in places), min(y for _, y in places)
    x_range = (-w / 2 - MARGIN, right + w / 2 + MARGIN)
    y_range = (bottom - h / 2 - MARGIN, h / 2 + MARGIN)
    figure.set_size_inches(x_range[1] - x_range[0], y_range[1] - y_range[0])
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=x_range, ylim=y_range)
    ax.axis("off")
    for box, place in zip(plan.boxes, places):
        _draw_box(ax, box, place, w, h)
    for first, second in plan.arrows:
        (x, y), (u, v) = centre(first), centre(second)
        ends = ((x, y - h / 2), (u, v + h / 2))
        if not downwards:
            ends = ((x + w / 2, y), (u - w / 2, v))
        arrow = {"arrowstyle": "-|>", "color": BLACK, "shrinkA": 0, "shrinkB": 0}
        ax.annotate("", ends[1], ends[0], arrowprops=arrow)


def _draw_box(
    ax: Axes, box: Box, place: tuple[float, float], w: float, h: float
) -> None:
    """Draw a frame and the lines in it, the first one in bold."""
    from matplotlib.patches import Rectangle

    x, y = place
    corner = x - w / 2, y - h / 2
    ax.add_patch(Rectangle(corner, w, h, facecolor="#EAF3F9", edgecolor=BLUE, lw=1.5))
    for k, line in enumerate(box.lines):
        height = y + (len(box.lines) - 1 - 2 * k) * LINE / 2
        weight = "normal" if k else "bold"
        ax.text(x - w / 2 + PADDING, height, line, weight=weight, **FONT)
