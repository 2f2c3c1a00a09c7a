"""
What every tutorial needs: source to look at, figures to keep, exercises to check.

    show(kerasnb.layers.Dense.forward)       print the library's own lines
    figure(plotting.plot_history(history), "curves")   keep a picture, or display it
    EPOCHS = quick(30, 3)                    the number, or a short one for tests
    check(1, slope, expected=np.cos, draw=lambda random: (random.normal(),))

A student fills in a function whose body is `...`; `check` draws inputs, compares, and
says in one sentence what is wrong. A blank never stops a lesson. Read next:
`tutorials/01_a_line_by_hand.py`, the first lesson.
"""

from __future__ import annotations

import base64
import inspect
import os
import pathlib
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .canvas import LINE_COLORS, STYLE
from .progress import write

PACKAGE = pathlib.Path(__file__).parent
RIGHT = "right."
BLANK = "not done yet"
exercises: list[Exercise] = []
"""The exercises that were checked, in order: for whoever tests a lesson."""


def quick(number: Any, short: Any) -> Any:
    """Return the number, or the short one where KERASNB_QUICK is set, as in tests."""
    return short if os.environ.get("KERASNB_QUICK", "0") not in ("", "0") else number


# ---------------------------------------------------------------- the library's source


def show(thing: Any) -> None:
    """
    Print the source of a function, method, kernel or class, with its place.

    Parameters
    ----------
    thing : function, kernel or class
        Anything written in Python.

    Raises
    ------
    TypeError
        If it has no source in Python, as a number or a function written in C.

    Examples
    --------
    >>> from kerasnb.activations import ActivationFunction
    >>> show(ActivationFunction.__repr__)
    kerasnb/activations.py, line ...
    ...| def __repr__(self) -> str:
    ...
    """
    plain = inspect.unwrap(thing) if hasattr(thing, "__wrapped__") else thing
    for name in ("py_func", "fn"):  # of what Numba compiles, or simulates
        plain = getattr(plain, name, plain)
    try:
        lines, first = inspect.getsourcelines(plain)
        path = pathlib.Path(inspect.getsourcefile(plain) or "?").resolve()
    except (TypeError, OSError):
        raise TypeError(
            "show: expected a function, method or class that is written in Python, got "
            f"{thing!r:.80}."
        ) from None
    if path.is_relative_to(PACKAGE):
        path = path.relative_to(PACKAGE.parent)
    indent = len(lines[0]) - len(lines[0].lstrip())
    write(f"{path.as_posix()}, line {first}\n")
    for number, line in enumerate(lines, first):
        write(f"{number:5} | {line[indent:].rstrip()}".rstrip() + "\n")
    write("\n")


# ---------------------------------------------------------------- figures


def axes(columns: int = 1, rows: int = 1, size: tuple[float, float] = (6.4, 4.8)):
    """
    Return a new figure and its axes, in the style of the library's own pictures.

    Parameters
    ----------
    columns, rows : int
        How many axes; one is returned as it is, more as an array (row by row).
    size : (width, height)
        Of one of them, in inches.

    Returns
    -------
    Figure, Axes or array of Axes
    """
    import matplotlib.pyplot as plt

    dashes = (["-", "--", "-.", ":"] * 2)[: len(LINE_COLORS)]  # not by colour alone
    cycle = plt.cycler(color=LINE_COLORS[: len(dashes)]) + plt.cycler(linestyle=dashes)
    shape = (size[0] * columns, size[1] * rows)
    plt.rcParams.update({**STYLE, "axes.prop_cycle": cycle, "axes.grid": True})
    plt.rcParams.update({"grid.color": "0.9", "legend.edgecolor": "none"})
    plt.rcParams.update({"axes.spines.top": False, "axes.spines.right": False})
    drawn, grid = plt.subplots(rows, columns, figsize=shape, layout="constrained")
    return drawn, grid.ravel() if rows * columns > 1 else grid


def figure(picture: Any, name: str) -> None:
    """
    Keep a figure as a file, or display it in a notebook.

    A script writes `NAME.png` into the folder KERASNB_FIGURES, or else into `output`
    beside the script. A Movie becomes `NAME.gif`.

    Parameters
    ----------
    picture : Figure of matplotlib, or Movie of `plotting`
    name : str
        The file's name without its ending.
    """
    moves = hasattr(picture, "frames")
    if "ipykernel" in sys.modules:
        _display(picture, name, moves)
    else:
        folder = _figure_folder()
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / (name + (".gif" if moves else ".png"))
        picture.save(path) if moves else picture.savefig(path)
        here = pathlib.Path.cwd()
        near = path.relative_to(here) if path.is_relative_to(here) else path
        write(f"Look at {near}.\n")
    if not moves:
        import matplotlib.pyplot as plt

        plt.close(picture)  # or a notebook would display it once more


def _figure_folder() -> pathlib.Path:
    chosen = os.environ.get("KERASNB_FIGURES")
    if chosen:
        return pathlib.Path(chosen)
    script = getattr(sys.modules["__main__"], "__file__", None)
    return pathlib.Path(script or "lesson").resolve().parent / "output"


def _display(picture: Any, name: str, moves: bool) -> None:
    """Show a picture below the cell, as HTML: every notebook can show a GIF so."""
    from IPython.display import HTML, display

    kind = "gif" if moves else "png"
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / f"{name}.{kind}"
        picture.save(path) if moves else picture.savefig(path)
        data = base64.b64encode(path.read_bytes()).decode()
    display(HTML(f'<img alt="{name}" src="data:image/{kind};base64,{data}">'))


# ---------------------------------------------------------------- exercises


@dataclass
class Exercise:
    """
    One question to a student: a function to fill in, and how to tell that it is right.

    Parameters are those of `check`.
    """

    number: int
    answer: Callable
    expected: Any = None
    draw: Callable | None = None
    law: Callable | None = None
    run: Callable | None = None
    tolerance: float = 1e-6
    times: int = 3

    def judge(self, answer: Callable | None = None) -> str:
        """Return RIGHT, BLANK, or a sentence that says what is wrong."""
        answer = answer or self.answer
        random = np.random.default_rng(self.number)
        for _ in range(self.times if self.draw else 1):
            inputs = self.draw(random) if self.draw else ()
            given = [_copy(x) for x in inputs]
            call = f"{self._name}({', '.join(map(_short, inputs))})"
            try:
                value = self.run(answer, *given) if self.run else answer(*given)
            except NotImplementedError:
                return BLANK
            except Exception as error:
                return f"{call} raised {type(error).__name__}: {error}"
            if value is None:
                return BLANK
            fault = self._fault(value, inputs, call)
            if fault:
                return fault
        return RIGHT

    def _fault(self, value: Any, inputs: Any, call: str) -> str | None:
        """Return what is wrong with a value, or None."""
        if self.law:
            verdict = self.law(value, *inputs)
            if verdict is None or isinstance(verdict, str):
                return verdict
            return (
                None
                if verdict
                else f"{call} gives {_short(value)}, which is not right."
            )
        known = self.expected
        wanted = known(*map(_copy, inputs)) if callable(known) else known
        return _difference(value, wanted, self.tolerance, call)

    @property
    def _name(self) -> str:
        return getattr(self.answer, "__name__", "the answer")


def check(
    number: int,
    answer: Callable,
    expected: Any = None,
    draw: Callable | None = None,
    *,
    law: Callable | None = None,
    run: Callable | None = None,
    tolerance: float = 1e-6,
    times: int = 3,
) -> bool:
    """
    Say whether an exercise is solved, and if not, what is wrong.

    Parameters
    ----------
    number : int
        Of the exercise in its lesson, from 1.
    answer : callable
        The student's function. It counts as blank while it returns None or raises
        NotImplementedError.
    expected : callable or value
        What `answer(*inputs)` should return: a function of the same inputs, or the
        value itself. Numbers, arrays, strings, and tuples, lists and dicts of them.
    draw : callable, optional
        Makes the inputs, a tuple, from a NumPy Generator; default: there are none.
    law : callable, optional
        In place of `expected`: law(value, *inputs) returns True or None if the value
        is right, and otherwise False or a sentence that says what is wrong.
    run : callable, optional
        run(answer, *inputs) calls the answer and returns its value, for functions that
        need more than a plain call, as kernels, which fill an array.
    tolerance : float
        The difference that numbers may have, absolute and relative.
    times : int
        How many inputs to draw.

    Returns
    -------
    bool
        Whether it is right.

    Examples
    --------
    >>> def half(x):
    ...     ...
    >>> check(1, half, lambda x: x / 2, lambda random: (random.normal(),))
    exercise 1: not done yet (half)
    False
    >>> check(2, lambda: 1 / 4, expected=0.25)
    exercise 2: right.
    True
    """
    exercise = Exercise(number, answer, expected, draw, law, run, tolerance, times)
    exercises.append(exercise)
    verdict = exercise.judge()
    tail = f" ({exercise._name})" if verdict == BLANK else ""
    write(f"exercise {number}: {verdict}{tail}\n")
    return verdict == RIGHT


def _difference(value: Any, wanted: Any, tolerance: float, call: str) -> str | None:
    """Return how a value differs from the wanted one, or None if it does not."""
    if isinstance(wanted, (tuple, list, dict)):
        if not isinstance(value, type(wanted)) or len(value) != len(wanted):
            kind = f"a {type(wanted).__name__} of {len(wanted)}"
            return f"{call} should return {kind}, got {_short(value)}."
        for key in wanted if isinstance(wanted, dict) else range(len(wanted)):
            if isinstance(value, dict) and key not in value:
                return f"{call} should have the key {key!r}, got {_short(value)}."
            place = f"{call}[{key!r}]"
            fault = _difference(value[key], wanted[key], tolerance, place)
            if fault:
                return fault
        return None
    if isinstance(wanted, str):
        if value == wanted:
            return None
        return f"{call} should be {wanted!r}, got {_short(value)}."
    try:
        found, right = np.asarray(value, float), np.asarray(wanted, float)
    except (TypeError, ValueError):
        return f"{call} should be {_short(wanted)}, got {_short(value)}."
    if found.shape != right.shape:
        return f"{call} should have the shape {right.shape}, got {found.shape}."
    off = ~np.isclose(found, right, rtol=tolerance, atol=tolerance, equal_nan=True)
    if not off.any():
        return None
    if isinstance(wanted, (bool, np.bool_)):
        return f"{call} should be {_short(wanted)}, got {_short(value)}."
    index = tuple(np.argwhere(off)[0].tolist())
    place = f"[{', '.join(map(str, index))}]" if index else ""
    many = f"; {off.sum()} of {off.size} numbers differ" if off.size > 1 else ""
    return f"{call}{place} should be {right[index]:.6g}, got {found[index]:.6g}{many}."


def _short(x: Any) -> str:
    """Return a value in a few characters: big arrays by their shape."""
    if isinstance(x, np.ndarray) and x.ndim:
        if x.size > 6 or x.dtype.kind not in "biuf":
            return f"<array of shape {x.shape}>"
        return np.array2string(x, precision=3, separator=", ").replace("\n", "")
    if isinstance(x, (float, np.floating)):
        return f"{x:.4g}"
    if inspect.isfunction(x):
        return x.__name__
    text = " ".join(repr(x.item() if isinstance(x, np.generic) else x).split())
    return text if len(text) <= 60 else text[:57] + "..."


def _copy(x: Any) -> Any:
    return x.copy() if isinstance(x, np.ndarray) else x
