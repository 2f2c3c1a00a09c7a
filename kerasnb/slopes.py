"""
Slopes by measurement: how a gradient is checked without deriving anything.

Move a point a little along a random direction, see how much the result changes, and
compare with what the gradient says about that direction: one number against another,
however many weights there are. Read next: `checks.py`, which does it for every room.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .report import Finding

STEP = 1e-5
RETRIES = 20
NOISE = 32 * np.finfo(np.float64).eps

FILLS = "The method must overwrite the whole array it is given, not add to it."
KINK = (
    "The result changes in jumps near every point that was tried: a step function, a "
    "random draw in forward, or float32 arithmetic inside."
)


def directional_slope(f: Callable[[float], float], typical: float = 0.0):
    """
    Return df/dh at h = 0 by central differences, and a bound of its rounding error.

    Return (None, 0) near a kink: where f has a slope, halving the step hardly changes
    the central difference and halves the gap between the two one-sided ones.

    Parameters
    ----------
    f : callable
        A number as a function of a number, in float64.
    typical : float
        The size of slope that matters, in case this one happens to be near zero.

    Examples
    --------
    >>> slope, noise = directional_slope(lambda h: (3 + h) ** 2)
    >>> round(slope, 6)
    6.0
    >>> directional_slope(abs)
    (None, 0.0)
    """
    middle = f(0.0)
    ends = {h: (f(-h), f(h)) for h in (STEP, STEP / 2)}
    slopes, gaps = [], []
    for h, (below, above) in ends.items():
        slopes.append((above - below) / (2 * h))
        gaps.append(abs(above - 2 * middle + below) / h)
    largest = max(
        abs(middle), *(abs(value) for pair in ends.values() for value in pair)
    )
    noise = NOISE * largest / STEP
    size = max(abs(slopes[0]), abs(slopes[1]), typical)
    same = abs(slopes[0] - slopes[1]) <= 1e-7 * size + noise
    closing = gaps[1] <= 0.75 * gaps[0] + 4 * noise + 1e-7 * size
    if not (same and closing):
        return None, 0.0
    return slopes[1], noise


Case = tuple[np.ndarray, np.ndarray, Callable[[np.ndarray], float]]


def compare_slopes(
    what: str,
    draw: Callable[[int], Case],
    rng: np.random.Generator,
    trials: int,
    tolerance: float,
) -> Finding:
    """
    Compare a gradient with directional slopes; return the worst of the trials.

    `draw(attempt)` returns a point, the gradient there, and the function of which it is
    the gradient. An attempt that falls near a kink is drawn again.
    """
    worst = Finding(what, True, error=-1.0)
    attempts = iter(range(trials * RETRIES))
    for _ in range(trials):
        for attempt in attempts:
            point, gradient, f = draw(attempt)
            direction = rng.standard_normal(point.shape)
            finding = _compare_once(what, point, gradient, f, direction, tolerance)
            if finding is not None:
                break
        else:
            return Finding(what, False, KINK)
        if not finding.passed:
            return finding
        worst = max(worst, finding, key=lambda found: found.error)
    return worst


def _compare_once(what, point, gradient, f, direction, tolerance):
    products = gradient * direction
    analytic = float(products.sum())
    typical = 0.1 * float(np.sqrt((products**2).sum()))
    numeric, noise = directional_slope(lambda h: f(point + h * direction), typical)
    if numeric is None:
        return None
    size = max(abs(analytic), abs(numeric), typical, 1e-300)
    error = abs(analytic - numeric)
    passed = error <= tolerance * size + noise
    cause = guess_cause(analytic, numeric)
    return Finding(what, passed, cause, analytic, numeric, error / size)


def guess_cause(analytic: float, numeric: float) -> str:
    """
    Return a likely reason why backward's slope is not the measured one.

    Examples
    --------
    >>> guess_cause(analytic=-2.0, numeric=2.0)
    'The sign is wrong.'
    """
    if not np.isfinite(analytic):
        return FILLS
    if analytic == 0 or numeric == 0:
        small, other = (
            ("backward", "forward") if analytic == 0 else ("forward", "backward")
        )
        return (
            f"According to {small} nothing depends on it, according to {other} it does."
        )
    ratio = analytic / numeric
    if abs(ratio + 1) < 1e-4:
        return "The sign is wrong."
    for factor, word in ((ratio, "too large"), (1 / ratio, "too small")):
        whole = round(factor)
        if abs(whole) > 1 and abs(factor / whole - 1) < 1e-4:
            return f"It is {word} by a factor of {whole}."
    return "Derive backward again: not only a sign or a factor is wrong."
