"""
A learning rate that fits: try them all, from too small to too large, in one sweep.

`find_learning_rate` trains on batch after batch while the rate grows by a constant
factor. The loss stays where it is, falls, and at last explodes; a good rate lies where
it falls fastest (Smith 2017, "Cyclical learning rates for training neural networks").
Read next: `monitors.py` for callbacks that change the rate while a model trains.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from . import random
from .canvas import BLUE, TEXT_SIZE, VERMILLION, panels, styled
from .passage import check_model, unchanged
from .utils import positive_integer

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PIECES = 6  # how much shorter than the sweep a piece is whose slope is measured


class LearningRates:
    """
    The losses of a sweep over learning rates.

    Attributes
    ----------
    lrs : array
        The rates that were tried, growing.
    losses : array
        The loss of each batch, before the update with its rate.
    smoothed : array
        A running mean of the losses.
    suggestion : float
        The rate around which the loss falls fastest.
    """

    def __init__(self, lrs: np.ndarray, losses: np.ndarray, smoothing: float) -> None:
        self.lrs, self.losses = lrs, losses
        self.smoothed = smooth(losses, smoothing)
        self.suggestion = self._steepest()

    def _steepest(self) -> float:
        """
        Return the middle of the steepest piece before the lowest loss.

        The slope of a piece is that of the line through its losses by least squares,
        against the logarithm of the rate: single batches differ too much from each
        other for differences between neighbours.
        """
        stop = max(int(np.argmin(self.smoothed)) + 1, 3)
        length = min(max(len(self.lrs) // PIECES, 3), stop)
        x = np.log(self.lrs)
        slopes = [
            np.polyfit(x[k : k + length], self.losses[k : k + length], 1)[0]
            for k in range(stop - length + 1)
        ]
        return float(self.lrs[int(np.argmin(slopes)) + length // 2])

    @styled
    def plot(self, ax: Axes | None = None) -> Figure:
        """Draw the losses against the rates, with a mark at the suggestion."""
        figure, (ax,) = panels("LearningRates.plot", [""], ax, (8.0, 5.0))
        ax.plot(self.lrs, self.losses, color="0.75", lw=1.2, label="loss of a batch")
        ax.plot(self.lrs, self.smoothed, color=BLUE, label="smoothed")
        at = int(np.argmin(np.abs(self.lrs - self.suggestion)))
        look: Any = {"color": VERMILLION, "ms": 12}
        label = f"steepest: {self.suggestion:.2g}"
        ax.plot(self.suggestion, self.smoothed[at], "D", label=label, **look)
        ax.set_xscale("log")
        low, high = self.smoothed.min(), max(self.smoothed[0], self.losses[0])
        room = max(high - low, 1e-12)
        ax.set_ylim(low - 0.15 * room, high + 0.6 * room)
        ax.set(xlabel="learning rate", ylabel="loss")
        ax.grid(color="0.9")
        ax.tick_params(labelsize=TEXT_SIZE)
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(loc="best", framealpha=0.9)
        return figure

    def __repr__(self) -> str:
        return (
            f"<LearningRates {self.lrs[0]:.2g} to {self.lrs[-1]:.2g}, suggestion "
            f"{self.suggestion:.2g}>"
        )


def smooth(values: np.ndarray, smoothing: float) -> np.ndarray:
    """
    Return the running mean m[k] = smoothing m[k-1] + (1 - smoothing) v[k], unbiased.

    Dividing by 1 - smoothing**(k + 1) takes out the zero that it started from.

    Examples
    --------
    >>> smooth(np.array([2.0, 2.0, 2.0]), 0.9)
    array([2., 2., 2.])
    """
    mean, means = 0.0, []
    for k, value in enumerate(values):
        mean = smoothing * mean + (1 - smoothing) * float(value)
        means.append(mean / (1 - smoothing ** (k + 1)))
    return np.array(means)


def find_learning_rate(
    model: Any,
    x: Any,
    y: Any,
    low: float = 1e-6,
    high: float = 10.0,
    steps: int = 100,
    batch_size: int = 32,
    smoothing: float = 0.8,
    stop_factor: float = 4.0,
) -> LearningRates:
    """
    Train with growing learning rates, and say at which the loss falls fastest.

    Afterwards the model is as before: weights, optimizer, states, random numbers.

    Parameters
    ----------
    model : Sequential
        Compiled.
    x, y : arrays
        Training data, drawn in random order, again and again if need be.
    low, high : float
        The first and the last rate.
    steps : int
        Batches, each with a rate higher by the same factor.
    batch_size : int
    smoothing : float
        From 0 (none) to below 1, for the running mean of the losses.
    stop_factor : float
        Stop early when the smoothed loss is this much above its lowest value.

    Returns
    -------
    LearningRates
        With `lrs`, `losses`, `smoothed`, `suggestion` and `plot()`.

    Raises
    ------
    TypeError
        If it is no model.
    RuntimeError
        If the model is not compiled.
    ValueError
        If the rates are no range, or the data do not fit the model.
    """
    what = "find_learning_rate"
    check_model(what, model)
    if not 0 < low < high < math.inf:
        raise ValueError(
            f"{what}: expected 0 < low < high, got low={low!r}, high={high!r}."
        )
    if not 0 <= smoothing < 1:
        raise ValueError(f"{what}: expected 0 <= smoothing < 1, got {smoothing!r}.")
    if positive_integer(steps, f"{what}: steps") < 3:
        raise ValueError(f"{what}: expected steps from 3, got {steps}.")
    positive_integer(batch_size, f"{what}: batch_size")
    x, y = np.asarray(x), np.asarray(y)
    if not x.ndim or len(x) != len(y) or not len(x):
        raise ValueError(
            f"{what}: expected as many targets as samples, got x of shape {x.shape} "
            f"and y of shape {y.shape}."
        )
    model._ready(what, x)
    lrs = np.geomspace(low, high, steps)
    rate = model.optimizer.lr
    with unchanged(model):
        try:
            losses = _sweep(model, x, y, lrs, batch_size, smoothing, stop_factor)
        finally:
            model.optimizer.lr = float(rate)
    if len(losses) < 3:
        raise ValueError(
            f"{what}: the loss was no number after {len(losses)} batches, at a rate of "
            f"{lrs[len(losses)]:.2g}. Look for NaN in the data, or choose a lower low."
        )
    return LearningRates(lrs[: len(losses)], np.array(losses), smoothing)


def _sweep(model, x, y, lrs, batch_size, smoothing, stop_factor):
    """Return the losses until the last rate, or until they explode."""
    batch_size = min(batch_size, len(x))
    order, at = random.generator().permutation(len(x)), 0
    losses: list[float] = []
    lowest = math.inf
    for lr in lrs:
        if at + batch_size > len(x):
            order, at = random.generator().permutation(len(x)), 0
        rows = order[at : at + batch_size]
        at += batch_size
        model.optimizer.lr = float(lr)
        with np.errstate(all="ignore"):
            result = model.train_on_batch(x[rows], y[rows])
        loss = float(result[0] if isinstance(result, list) else result)
        if not math.isfinite(loss):
            break
        losses.append(loss)
        now = smooth(np.array(losses), smoothing)[-1]
        lowest = min(lowest, now)
        if len(losses) >= 10 and now > stop_factor * abs(lowest):
            break
    return losses
