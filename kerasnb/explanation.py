"""
One batch told layer by layer: what came in, what was computed, what came out.

`model.explain(x, y)` returns an Explanation: a row for each layer, that prints as a
table and can be drawn. Read next: `passage.py`, which watches the layers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from .canvas import BLUE, GREEN, ORANGE, TEXT_SIZE, VERMILLION, panels, styled
from .layer import Layer, each, show_shape
from .passage import Passage, Step, pass_batch

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Row = dict[str, Any]
REPEATS = 3  # passes to measure time
WIDTHS = (24, 15, 9, 16, 8, 6, 12, 12)
HEADS = ("layer (type)", "output", "params", "activations", "gradient", "dead")
UNITS = ("", "", "", "low .. high", "rms", "units", "fwd / bwd", "fwd / bwd")
TIMES = {"ms": 1.0, "us": 1e3}  # of a millisecond
SUMS = ("params", "forward_ms", "backward_ms", "flops", "backward_flops")
WORK = {"GFLOP": 1e-9, "MFLOP": 1e-6, "kFLOP": 1e-3, "FLOP": 1.0}


class Explanation:
    """
    What one batch did in a model.

    Attributes
    ----------
    rows : list of dict
        One for each layer: name, kind, depth, input_shape, output_shape, formula,
        params, activation and gradient (dicts of low, high, mean, std, rms, zeros; the
        latter None if no gradient arrives), forward_ms, backward_ms, flops,
        backward_flops, units and dead (both None if it cannot have dead units).
    values : dict
        The loss and the metrics by name; empty without targets.
    training : bool
        Whether layers behaved as in training.
    """

    def __init__(self, name: str, samples: int, rows: list[Row], passage: Passage):
        self.name, self.samples, self.rows = name, samples, rows
        self.values, self.training = passage.values, passage.training

    def __getitem__(self, which: str | int) -> Row:
        """Return the row of a layer, by name or by number."""
        if isinstance(which, str):
            for row in self.rows:
                if row["name"] == which:
                    return row
            known = ", ".join(row["name"] for row in self.rows)
            raise KeyError(f"no layer {which!r}. There are: {known}")
        return self.rows[which]

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def total(self, what: str) -> float:
        """Return the sum of an entry over the outermost layers; None counts as 0."""
        return sum(row[what] or 0 for row in self.rows if row["depth"] == 0)

    def __str__(self) -> str:
        """Show the table."""
        mode = "as in training" if self.training else "as in prediction"
        lines = [f"{self.name}: a batch of {self.samples}, {mode}"]
        if self.values:
            told = ", ".join(f"{k} {v:.4g}" for k, v in self.values.items())
            lines[0] += f": {told}"
        time, work = _unit(TIMES, self.rows, "ms"), _unit(WORK, self.rows, "flops")
        rule = "-" * (sum(WIDTHS) + len(WIDTHS) - 1)
        lines += [_line((*HEADS, f"time in {time}", work)), _line(UNITS), rule]
        for row in self.rows:
            lines += [_line(_fields(row, TIMES[time], WORK[work]))]
            lines += [f"{_indent(row)}  {row['formula']}"]
        total: Row = {key: self.total(key) for key in SUMS}
        if not self.values:
            total.update(backward_ms=None, backward_flops=None)
        costs = _costs(total, TIMES[time], WORK[work])
        empty = ("",) * 3
        lines += [rule, _line(("total", "", f"{total['params']:,}", *empty, *costs))]
        return "\n".join(lines)

    __repr__ = __str__

    @styled
    def plot(self, ax: Any = None) -> Figure:
        """
        Draw a row for each layer: activations, gradients, time, operations.

        Parameters
        ----------
        ax : sequence of four Axes, optional
        """
        names = [_indent(row) + row["name"] for row in self.rows]
        titles = ["activations", "gradients", "time", "operations"]
        size = (6.4, 2.2 + 0.45 * len(names))
        figure, axes = panels("Explanation.plot", titles, ax, size)
        rows = np.arange(len(names))
        _draw_ranges(axes[0], [row["activation"] for row in self.rows])
        _draw_rms(axes[1], [row["gradient"] for row in self.rows])
        time, work = _unit(TIMES, self.rows, "ms"), _unit(WORK, self.rows, "flops")
        _draw_pairs(axes[2], self.rows, "forward_ms", "backward_ms", TIMES[time])
        _draw_pairs(axes[3], self.rows, "flops", "backward_flops", WORK[work])
        labels = ("value", "root mean square", time, work)
        for panel, title, label in zip(axes, titles, labels):
            panel.set(title=title, xlabel=label, ylim=(len(names) - 0.5, -0.5))
            panel.set_yticks(rows, names)
            panel.tick_params(labelsize=TEXT_SIZE)
            panel.grid(axis="x", color="0.9")
            panel.spines[["top", "right"]].set_visible(False)
        return figure


def explain(
    model: Any,
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    training: bool | None = None,
) -> Explanation:
    """Return what one batch does in a model; see `Sequential.explain`."""
    passage = pass_batch("explain", model, x, y, sample_weight, training, REPEATS)
    rows = [_row(step) for step in passage.steps]
    first = passage.steps[0].x if passage.steps else []
    samples = len(first[0] if isinstance(first, list) else first)
    return Explanation(model.name, samples, rows, passage)


def _row(step: Step) -> Row:
    layer = step.layer
    input_shape, output_shape = each(np.shape, step.x), each(np.shape, step.y)
    flows = step.dy is not None
    units, dead = dead_units(layer, step.y)
    return {
        "name": layer.name,
        "kind": type(layer).__name__,
        "depth": step.depth,
        "input_shape": input_shape,
        "output_shape": output_shape,
        "formula": layer.formula,
        "params": layer.count_params(),
        "activation": spread(step.outputs()),
        "gradient": spread(step.slopes()) if flows else None,
        "forward_ms": _ms(step.forward_time),
        "backward_ms": _ms(step.backward_time),
        "flops": layer.flops(input_shape),
        "backward_flops": layer.backward_flops(input_shape) if flows else None,
        "units": units,
        "dead": dead,
    }


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else 1e3 * seconds


def spread(values: np.ndarray) -> dict[str, float]:
    """Return low, high, mean, std, rms and the share of zeros of some numbers."""
    v = np.asarray(values, float).reshape(-1)
    with np.errstate(all="ignore"):
        return {
            "low": float(v.min()),
            "high": float(v.max()),
            "mean": float(v.mean()),
            "std": float(v.std()),
            "rms": float(np.sqrt(np.mean(v**2))),
            "zeros": float(np.mean(v == 0)),
        }


def dead_units(layer: Layer, y: Any) -> tuple[int | None, int | None]:
    """
    Return how many units a relu layer has, and how many are zero for the whole batch.

    A unit is an entry of the last axis, or a channel. A layer without relu has none
    that could die: (None, None).
    """
    activation = getattr(layer, "activation", None)
    plain_relu = getattr(activation, "is_relu", False)
    if not plain_relu and type(layer).__name__ not in ("ReLU", "ThresholdedReLU"):
        return None, None
    if isinstance(y, list) or y.ndim < 2:
        return None, None
    first = getattr(layer, "data_format", "") == "channels_first"
    axis = 1 if first else -1
    units = np.moveaxis(y, axis, 0).reshape(y.shape[axis], -1)
    return len(units), int((units == 0).all(axis=1).sum())


# ---------------------------------------------------------------- in words


def _line(fields: Any) -> str:
    first, *others = zip(fields, WIDTHS)
    cells = [f"{first[0]:{first[1]}}"] + [f"{f:>{w}}" for f, w in others]
    return " ".join(cells).rstrip()


def _indent(row: Row) -> str:
    return "  " * row["depth"]


def _unit(units: dict[str, float], rows: list[Row], what: str) -> str:
    """Return the largest unit in which the largest number is at least one."""
    keys = [key for key in SUMS if key.split("_")[-1] == what]
    largest = max((row[key] or 0 for row in rows for key in keys), default=0)
    fits = [unit for unit, factor in units.items() if largest * factor >= 1]
    return fits[0] if fits else list(units)[-1]


def _fields(row: Row, time: float, work: float) -> tuple[str, ...]:
    a, g = row["activation"], row["gradient"]
    name = f"{_indent(row)}{row['name']}"
    kind = f"({row['kind']})"
    label = f"{name} {kind}" if len(name) + len(kind) < WIDTHS[0] else name
    return (
        label[: WIDTHS[0]],
        show_shape(row["output_shape"]),
        f"{row['params']:,}",
        f"{a['low']:.2g} .. {a['high']:.2g}",
        f"{g['rms']:.2g}" if g else "-",
        f"{row['dead']}/{row['units']}" if row["units"] else "-",
        *_costs(row, time, work),
    )


def _costs(row: Row, time: float, work: float) -> tuple[str, str]:
    """Write times and operations, forward and backward."""
    return (
        _pair(row["forward_ms"], row["backward_ms"], time),
        _pair(row["flops"], row["backward_flops"], work),
    )


def _pair(first: float | None, second: float | None, unit: float) -> str:
    return " / ".join(_short(value, unit) for value in (first, second))


def _short(value: float | None, unit: float) -> str:
    """Write a number in few characters."""
    if value is None:
        return "-"
    digits = 0 if value * unit >= 10 else 1 if value * unit >= 1 else 2
    return f"{value * unit:,.{digits}f}"


# ---------------------------------------------------------------- in a picture


def _draw_ranges(ax: Axes, spreads: list[dict[str, float]]) -> None:
    """Draw from lowest to highest, a thick line one deviation around the mean."""
    for k, one in enumerate(spreads):
        ax.plot([one["low"], one["high"]], [k, k], color="0.6", lw=2)
        low, high = one["mean"] - one["std"], one["mean"] + one["std"]
        ax.plot([low, high], [k, k], color=BLUE, lw=7, solid_capstyle="butt")
        ax.plot(one["mean"], k, "|", color="white", ms=12, mew=2)


def _draw_rms(ax: Axes, spreads: list[dict[str, float] | None]) -> None:
    found = [(k, one["rms"]) for k, one in enumerate(spreads) if one and one["rms"] > 0]
    if not found:
        look: Any = {"ha": "center", "va": "center", "transform": ax.transAxes}
        ax.text(0.5, 0.5, "none: no targets were given", **look)
        ax.set_xticks([])
        return
    rows, values = zip(*found)
    ax.plot(values, rows, "o-", color=VERMILLION, ms=10)
    ax.set_xscale("log")
    ax.xaxis.set_minor_formatter("")


def _draw_pairs(ax: Axes, rows: list[Row], first: str, second: str, unit: float):
    """Draw a bar for forward and a hatched one for backward behind it."""
    forward = np.array([unit * (row[first] or 0) for row in rows])
    backward = np.array([unit * (row[second] or 0) for row in rows])
    places = np.arange(len(rows))
    ax.barh(places, forward, 0.6, color=GREEN, label="forward")
    if backward.any():
        look: Any = {"color": ORANGE, "hatch": "//", "ec": "white", "label": "backward"}
        ax.barh(places, backward, 0.6, left=forward, **look)
    ax.legend(loc="best", framealpha=0.9)
