"""
The progress bar: how far an epoch has come, how long it takes, how well it goes.

`RunningMeans` keeps the averages that are shown and logged, and `Progbar` draws them: a
line that redraws itself on a terminal or in a notebook, and one finished line an epoch
in a file or a pipe. Read next: `callbacks.py`, where ProgbarLogger feeds the bar.
"""

import math
import sys
from collections.abc import Iterable
from time import perf_counter as clock
from typing import Any

from .notes import Noted

INTERVAL = 0.2  # seconds between two drawings: five a second keep a browser alive

Pairs = Iterable[tuple[str, Any]]


class RunningMeans:
    """
    Averages by name: sum of v n over sum of n, in float64.

    Parameters
    ----------
    stateful : iterable of str, optional
        Names whose last value already is the average, and is kept as it is.

    Examples
    --------
    >>> means = RunningMeans()
    >>> means.add(["loss"], {"loss": 2.0}, 3)
    >>> means.add(["loss"], {"loss": 1.0}, 1)
    >>> means.items()
    [('loss', 1.75)]
    """

    def __init__(self, stateful: Iterable[str] | None = None):
        self.stateful = frozenset(stateful or ())
        self._sums: dict[str, list[float]] = {}  # name -> [sum of v n, sum of n]
        self._waiting: list[tuple] = []  # what lies on a device and was not read yet

    def add(self, names: Iterable[str], values: dict[str, Any], n: float) -> None:
        """Count the values under these names `n` times; a missing name is skipped."""
        sums = self._sums
        for name in names:
            if name not in values:
                continue
            value = values[name]
            if name in self.stateful:
                self.put(name, value)
                continue
            entry = sums.get(name)
            if entry is None:
                entry = sums[name] = [0.0, 0]
            if value.__class__ is Noted:
                self._waiting.append((entry, value, n))
            else:
                entry[0] += float(value) * n
            entry[1] += n

    def put(self, name: str, value: Any) -> None:
        """Forget the average under this name and hold the value instead."""
        self._sums[name] = entry = [0.0, 1]
        if value.__class__ is Noted:
            self._waiting.append((entry, value, 1))
        else:
            entry[0] = float(value)

    def items(self) -> list[tuple[str, float]]:
        """Return the averages, in the order in which the names came."""
        return [
            (name, total / n if n else math.nan)
            for name, (total, n) in self._counted().items()
        ]

    def _counted(self) -> dict[str, list[float]]:
        """Return the sums with everything in them: the time to read the device."""
        waiting, self._waiting = self._waiting, []
        for entry, value, n in waiting:
            entry[0] += float(value) * n
        return self._sums

    def get_state(self) -> dict[str, list[float]]:
        """Return the sums, to go on from."""
        return {name: list(sums) for name, sums in self._counted().items()}

    def set_state(self, state: dict[str, list[float]]) -> None:
        """Go on from what `get_state` returned."""
        self._waiting = []
        self._sums = {k: [float(total), float(n)] for k, (total, n) in state.items()}


def format_value(value: float) -> str:
    """
    Write a loss or a metric: four decimals, or the exponent form when it is tiny.

    Examples
    --------
    >>> format_value(-0.25), format_value(0.0005), format_value(math.nan)
    ('-0.2500', '5.0000e-04', 'nan')
    """
    return f"{value:.4f}" if abs(value) > 1e-3 else f"{value:.4e}"


def format_eta(seconds: float) -> str:
    """
    Write the time that is left.

    Examples
    --------
    >>> format_eta(4.7), format_eta(61), format_eta(3725)
    ('4s', '1:01', '1:02:05')
    """
    minutes, rest = divmod(int(seconds), 60)
    if seconds > 3600:
        return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"
    return f"{minutes}:{rest:02d}" if seconds > 60 else f"{int(seconds)}s"


def format_step(seconds: float) -> str:
    """
    Write the time that one sample or one step took.

    Examples
    --------
    >>> format_step(2.4), format_step(0.008), format_step(0.000034)
    ('2s/step', '8ms/step', '34us/step')
    """
    if seconds >= 1:
        return f"{seconds:.0f}s/step"
    if seconds >= 1e-3:
        return f"{seconds * 1e3:.0f}ms/step"
    return f"{seconds * 1e6:.0f}us/step"


def write(text: str, stream: Any = None) -> None:
    """Write to the stream, by default to what `sys.stdout` is now, and flush."""
    stream = sys.stdout if stream is None else stream
    if stream is not None:  # a program without a console has none
        stream.write(text)
        stream.flush()


def can_redraw(stream: Any = None) -> bool:
    """Tell whether a line can be drawn over: on a terminal and in a notebook."""
    stream = sys.stdout if stream is None else stream
    if type(stream).__module__.partition(".")[0] == "ipykernel":
        return True
    return bool(getattr(stream, "isatty", bool)())


class Progbar:
    """
    A line that shows how much of a target is done.

    Parameters
    ----------
    target : int or None
        How many samples or steps there are; None when nobody knows.
    width : int
        Cells of the bar.
    verbose : int
        1 draws the bar; 2 writes one line without a bar at the end; 0 is silent.
    interval : float
        The fewest seconds between two drawings; the last one is always drawn.
    stateful_metrics : iterable of str, optional
        Names that show their last value; all others show their average.
    stream : file, optional
        Where to draw. By default what `sys.stdout` is at the time of drawing.

    Raises
    ------
    ValueError
        If the target is negative.

    Examples
    --------
    >>> bar = Progbar(4, width=10)
    >>> bar.update(2, [("loss", 3.0)])
    >>> bar.update(4, [("loss", 1.0)])  # doctest: +ELLIPSIS
    4/4 [==========] - 0s .../step - loss: 2.0000
    """

    def __init__(
        self,
        target: int | None,
        width: int = 30,
        verbose: int = 1,
        interval: float = INTERVAL,
        stateful_metrics: Iterable[str] | None = None,
        stream: Any = None,
    ):
        if target is not None and target < 0:
            raise ValueError(
                f"Progbar: expected a target of 0 or more, got {target}. "
                "Use None where the target is unknown."
            )
        self.target = target
        self.width = width
        self.verbose = verbose
        self.interval = interval
        self.stream = stream
        self.seen = 0
        self.means = RunningMeans(stateful_metrics)
        self.start = clock()
        self._due = self.start + interval
        self._drawn = 0  # length of the unfinished line on the terminal

    def update(self, current: int, values: Pairs | None = None) -> None:
        """
        Say that `current` units are done; a complete bar ends its line.

        Parameters
        ----------
        current : int
            Units done since the bar was made.
        values : list of (name, value), optional
            Each counts once for every unit that is new since the last call.
        """
        named = dict(values or ())
        self.record(current - self.seen, named, named)
        if self.target is not None and current >= self.target:
            self.finish()
        else:
            self.redraw()

    def add(self, n: int, values: Pairs | None = None) -> None:
        """Say that `n` more units are done."""
        self.update(self.seen + n, values)

    def record(self, n: int, names: Iterable[str], values: dict[str, Any]) -> None:
        """Count `n` more units and the values under these names; draw nothing."""
        self.seen += n
        self.means.add(names, values, n)

    def redraw(self) -> None:
        """Draw over the old line, if it is time and if it can be drawn over."""
        if clock() < self._due:
            return
        self._due = clock() + self.interval
        if self.verbose == 1 and can_redraw(self.stream):
            time = self._spent() if self.target is None else self._left()
            self._draw(self._count() + time + self._values())

    def finish(self, values: Pairs | None = None) -> None:
        """
        Draw whatever the clock and the count say, and end the line.

        Parameters
        ----------
        values : list of (name, value), optional
            Final values, shown as they are in place of the averages.
        """
        for name, value in values or ():
            self.means.put(name, value)
        if self.verbose == 1:
            self._draw(self._count() + self._spent() + self._values(), "\n")
        elif self.verbose == 2:
            seconds = clock() - self.start
            self._draw(f" - {seconds:.0f}s{self._values()}", "\n")

    def close(self) -> None:
        """End a line that was left unfinished, so that the next text starts anew."""
        if self._drawn:
            write("\n", self.stream)
            self._drawn = 0

    def get_state(self) -> dict[str, Any]:
        """Return what was counted, to go on from."""
        return {"seen": self.seen, "means": self.means.get_state()}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from what `get_state` returned; the clock starts anew."""
        self.means.set_state(state["means"])
        self.seen = state["seen"]

    def _draw(self, line: str, end: str = "") -> None:
        """Write over the old line, with blanks where the new one is shorter."""
        back = "\b" * self._drawn + "\r" if self._drawn else ""
        write(back + line.ljust(self._drawn) + end, self.stream)
        self._drawn = 0 if end else len(line)

    def _count(self) -> str:
        if self.target is None:
            return f"{self.seen:7d}/Unknown"
        done = min(self.seen, self.target)
        cells = int(self.width * done // self.target) if self.target else self.width
        head = "=" if done == self.target else ">"
        bar = ("=" * (cells - 1) + head if cells else "").ljust(self.width, ".")
        return f"{self.seen:{len(str(self.target))}d}/{self.target} [{bar}]"

    def _left(self) -> str:
        per_unit = (clock() - self.start) / self.seen if self.seen else 0
        return f" - ETA: {format_eta(per_unit * ((self.target or 0) - self.seen))}"

    def _spent(self) -> str:
        seconds = clock() - self.start
        step = format_step(seconds / self.seen if self.seen else 0)
        return f" - {seconds:.0f}s {step}"

    def _values(self) -> str:
        means = self.means.items()
        return "".join(f" - {name}: {format_value(value)}" for name, value in means)
