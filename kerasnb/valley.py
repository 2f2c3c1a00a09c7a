"""
Optimizers on a walk: the path of each through a valley of two numbers.

The optimizers are the library's own: each gets a vector of two parameters and their
gradient, step by step, as in training. Read next: `optimizers.py`, the rules.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from . import optimizers as optimizers_module
from .animation import Movie
from .canvas import BLACK, LINE_COLORS, MARKERS, TEXT_SIZE, panels, styled
from .optimizer import Optimizer
from .utils import lookup, positive_integer

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Function = Callable[[Any, Any], Any]
Paths = dict[str, np.ndarray]
LEVELS = 24


def valley(a: Any, b: Any) -> Any:
    """Return a**2 / 20 + b**2: a long valley with steep walls, lowest at (0, 0)."""
    return a**2 / 20 + b**2


def rosenbrock(a: Any, b: Any) -> Any:
    """Return (1 - a)**2 + 100 (b - a**2)**2: a bent valley, lowest at (1, 1)."""
    return (1 - a) ** 2 + 100 * (b - a**2) ** 2


def saddle(a: Any, b: Any) -> Any:
    """Return a**2 - b**2 / 2 + b**4 / 20: flat at (0, 0), lowest at b = +-sqrt(5)."""
    return a**2 - b**2 / 2 + b**4 / 20


FUNCTIONS: dict[str, Function] = {
    "valley": valley,
    "rosenbrock": rosenbrock,
    "saddle": saddle,
}
STARTS = {"valley": (-8.0, 2.0), "rosenbrock": (-1.5, 2.0), "saddle": (2.0, 0.05)}
# one of each rule, with a learning rate that suits the valley
RULES: dict[str, Callable[[], Optimizer]] = {
    "SGD": lambda: optimizers_module.SGD(lr=0.3),
    "momentum": lambda: optimizers_module.SGD(lr=0.1, momentum=0.9),
    "Nesterov": lambda: optimizers_module.SGD(lr=0.1, momentum=0.9, nesterov=True),
    "Adagrad": lambda: optimizers_module.Adagrad(lr=1.0),
    "RMSprop": lambda: optimizers_module.RMSprop(lr=0.3),
    "Adadelta": lambda: optimizers_module.Adadelta(lr=50.0),
    "Adam": lambda: optimizers_module.Adam(lr=0.5),
    "Adamax": lambda: optimizers_module.Adamax(lr=0.5),
    "Nadam": lambda: optimizers_module.Nadam(lr=0.5),
}


def optimizer_paths(
    optimizers: Any = None,
    function: str | Function = "valley",
    start: Sequence[float] | None = None,
    steps: int = 50,
    gradient: Callable[[Any, Any], Any] | None = None,
) -> Paths:
    """
    Let optimizers walk down a function of two numbers.

    Parameters
    ----------
    optimizers : list or dict, optional
        Names ('adam') or Optimizers, or a dict from label to one. They are copied, and
        start fresh. Default: every rule, with rates that suit the valley.
    function : {'valley', 'rosenbrock', 'saddle'} or callable
        f(a, b), for numbers and for arrays.
    start : (float, float), optional
        Where all begin; needed for a function of your own.
    steps : int
    gradient : callable, optional
        (a, b) -> (df/da, df/db); default: central differences.

    Returns
    -------
    dict
        Label -> array (steps + 1, 2), the points from the start on. A path that leaves
        the finite numbers ends before.

    Raises
    ------
    ValueError
        If a name is unknown, or start is not two finite numbers.
    """
    named = _named_optimizers(optimizers)
    f, point = _function_and_start(function, start)
    positive_integer(steps, "plot_optimizer_paths: steps")
    slope = gradient or _central_differences(f)
    return {label: _walk(rule, slope, point, steps) for label, rule in named.items()}


def _walk(rule: Optimizer, slope: Function, start: np.ndarray, steps: int) -> Any:
    p = start.copy()
    points = [p.copy()]
    with np.errstate(all="ignore"):
        for _ in range(steps):
            try:
                g = np.array(slope(p[0], p[1]), float).reshape(2)
            except OverflowError:  # of Python's own numbers
                break
            rule.update(p, g)
            if not np.isfinite(p).all():
                break
            points.append(p.copy())
    return np.array(points)


def _named_optimizers(given: Any) -> dict[str, Optimizer]:
    """Return fresh optimizers by label."""
    if given is None:
        return {label: make() for label, make in RULES.items()}
    if isinstance(given, (str, Optimizer)):
        given = [given]
    if isinstance(given, dict):
        entries = [(str(label), one) for label, one in given.items()]
    else:
        entries = [("", one) for one in given]
    if not entries:
        raise ValueError("plot_optimizer_paths: expected at least one optimizer.")
    named: dict[str, Optimizer] = {}
    for label, one in entries:
        found = optimizers_module.get(one)
        base = label = label or type(found).__name__
        count = 1
        while label in named:
            count += 1
            label = f"{base} {count}"
        named[label] = type(found).from_config(found.get_config())
    return named


def _function_and_start(function: Any, start: Any) -> tuple[Function, np.ndarray]:
    what = "plot_optimizer_paths"
    if callable(function):
        f = function
        if start is None:
            raise ValueError(f"{what}: expected start=(a, b) with an own function.")
    else:
        f = lookup(function, FUNCTIONS, f"function of {what}:")
        start = STARTS[function] if start is None else start
    point = np.array(start, float)
    if point.shape != (2,) or not np.isfinite(point).all():
        raise ValueError(f"{what}: expected start=(a, b), two numbers, got {start!r}.")
    return f, point


def _central_differences(f: Function) -> Function:
    """Return (f(p + h) - f(p - h)) / 2h along both axes, h the cube root of eps."""

    def slope(a: float, b: float) -> tuple[float, float]:
        h, k = (6e-6 * max(1.0, abs(v)) for v in (a, b))
        across = (f(a + h, b) - f(a - h, b)) / (2 * h)
        return across, (f(a, b + k) - f(a, b - k)) / (2 * k)

    return slope


# ---------------------------------------------------------------- pictures


@styled
def plot_optimizer_paths(
    optimizers: Any = None,
    function: str | Function = "valley",
    start: Sequence[float] | None = None,
    steps: int = 50,
    gradient: Callable[[Any, Any], Any] | None = None,
    limits: tuple[float, float, float, float] | None = None,
    ax: Axes | None = None,
) -> Figure:
    """
    Draw the paths of optimizers over the contour lines of a function of two numbers.

    Parameters
    ----------
    optimizers, function, start, steps, gradient
        As for `optimizer_paths`.
    limits : (left, right, bottom, top), optional
        The part of the plane to draw; default: what the paths need.
    ax : Axes, optional
        Where to draw.

    Raises
    ------
    ValueError
        As `optimizer_paths`.
    """
    paths = optimizer_paths(optimizers, function, start, steps, gradient)
    f, _ = _function_and_start(function, start)
    figure, (ax,) = panels("plot_optimizer_paths", [""], ax, (9.0, 6.4))
    draw_paths(ax, f, paths, limits or _limits(paths))
    return figure


def animate_optimizer_paths(
    optimizers: Any = None,
    function: str | Function = "valley",
    start: Sequence[float] | None = None,
    steps: int = 50,
    gradient: Callable[[Any, Any], Any] | None = None,
    limits: tuple[float, float, float, float] | None = None,
    size: tuple[float, float] = (9.0, 6.4),
    dpi: int = 70,
) -> Movie:
    """
    Return the same as a Movie, a frame a step: `save("paths.gif")`, `to_html()`.

    Parameters
    ----------
    optimizers, function, start, steps, gradient, limits
        As for `plot_optimizer_paths`.
    size : (float, float)
        Width and height of a frame, in inches.
    dpi : int
        Dots in an inch.
    """
    paths = optimizer_paths(optimizers, function, start, steps, gradient)
    f, _ = _function_and_start(function, start)
    limits = limits or _limits(paths)
    movie = Movie(size, dpi)
    for step in range(steps + 1):
        part = {label: path[: step + 1] for label, path in paths.items()}

        def draw(ax: Axes, part: Paths = part, step: int = step) -> None:
            draw_paths(ax, f, part, limits)
            ax.set_title(f"step {step}")

        movie.add(draw)
    return movie


def _limits(paths: Paths) -> tuple[float, float, float, float]:
    """Return what holds the start and all but the outermost hundredth of the points."""
    points = np.concatenate(list(paths.values()))
    starts = next(iter(paths.values()))[0]
    low = np.minimum(np.quantile(points, 0.005, axis=0), starts)
    high = np.maximum(np.quantile(points, 0.995, axis=0), starts)
    room = np.maximum(0.15 * (high - low), 1e-3 * np.maximum(1.0, np.abs(high)))
    room = np.maximum(room, 0.15 * (high - low).max())
    low, high = low - room, high + room
    return float(low[0]), float(high[0]), float(low[1]), float(high[1])


def draw_paths(
    ax: Axes, f: Function, paths: Paths, limits: tuple[float, float, float, float]
) -> None:
    """Draw contour lines and, on them, each path with a mark at its end."""
    left, right, bottom, top = limits
    sides = np.linspace(left, right, 200), np.linspace(bottom, top, 200)
    across, up = np.meshgrid(*sides)
    heights = np.asarray(f(across, up), float)
    # levels closer together near the lowest point, where the paths end
    low, span = np.nanmin(heights), np.nanmax(heights) - np.nanmin(heights)
    levels = low + (span or 1.0) * np.linspace(0.02, 1, LEVELS) ** 3
    lines: Any = {"colors": "0.8", "linewidths": 1, "linestyles": "solid"}
    ax.contour(across, up, heights, levels, **lines)
    for k, (label, path) in enumerate(paths.items()):
        color = LINE_COLORS[k % len(LINE_COLORS)]
        again = k // len(LINE_COLORS)  # the same colours with other marks
        marker = MARKERS[(k + again) % len(MARKERS)]
        look: Any = {"ms": 5, "markevery": max(1, len(path) // 10), "lw": 2}
        dashes = "--" if again else "-"
        ax.plot(path[:, 0], path[:, 1], marker, ls=dashes, color=color, **look)
        last: Any = {"ms": 11, "mec": "white", "mew": 1, "zorder": 5}
        value = float(f(path[-1, 0], path[-1, 1]))
        text = f"{label}: {value:.3g}" if math.isfinite(value) else label
        ax.plot(*path[-1], marker, color=color, label=text, clip_on=True, **last)
    start = next(iter(paths.values()))[0]
    ax.plot(*start, "o", ms=11, mfc="white", mec=BLACK, mew=2, zorder=6, label="start")
    ax.set(xlim=(left, right), ylim=(bottom, top), xlabel="a", ylabel="b")
    ax.tick_params(labelsize=TEXT_SIZE)
    side: Any = {"loc": "center left", "bbox_to_anchor": (1.0, 0.5), "frameon": False}
    ax.legend(title="value at the end", **side)
