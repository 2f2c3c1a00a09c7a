"""
Functions of your own: derivatives given by hand, and what a function makes of shapes.

Any function written with numpy or K may be a loss, an activation, a regularizer or the
body of a Lambda layer: the tape finds its derivative. `with_gradient` ties a derivative
of your own to a function, for speed or for what the tape does not know; then both may
be compiled, also from formulas of single numbers. Read next: `autodiff.py` for the
tape, `lambdas.py` for Lambda.
"""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numba
import numpy as np

from . import device
from .autodiff import Recording, Taped, floats, refuse_compiled
from .report import Report
from .slopes import compare_slopes
from .utils import name_of

Shape = tuple


# ---- derivatives given by hand ----------------------------------------------------


class WithGradient:
    """A function that knows its derivative: see `with_gradient`."""

    def __init__(
        self, function: Callable, derivative: Callable, chained: bool = False
    ) -> None:
        functools.update_wrapper(self, function, updated=())
        self.__name__ = name_of(function)
        self.function, self.derivative, self.chained = function, derivative, chained
        self.formulas: tuple[Callable, Callable] | None = None  # of single numbers

    def __call__(self, *args: Any) -> Any:
        """Return what the function returns, on the tape if an argument is."""
        taped = [k for k, x in enumerate(args) if isinstance(x, Taped)]
        if not taped:
            return self.function(*args)
        plain = [x.value if isinstance(x, Taped) else x for x in args]
        y = np.asarray(self.function(*plain))
        operands = [args[k] for k in taped]

        def pullback(dy):
            found = self.derivative(dy, *plain) if self.chained else None
            if not self.chained:
                found = self.derivative(*plain)
            return [self._gradient(found, k, dy, plain) for k in taped]

        return operands[0].tape.add(y, operands, pullback)

    def _gradient(self, found: Any, k: int, dy: np.ndarray, args: Sequence) -> Any:
        """Return the gradient of argument k."""
        last = k == len(args) - 1
        if isinstance(found, tuple):
            found = found[k] if k < len(found) else None
        elif not last:
            found = None
        if found is None:
            raise TypeError(
                f"{self.__name__}: with_gradient was given no derivative by argument "
                f"{k}. Let df return a tuple with one for each argument; a single one "
                "is by the last."
            )
        x, found = args[k], np.asarray(found)
        if found.shape != x.shape:
            raise ValueError(
                f"{self.__name__}: expected a derivative of the shape of argument {k}, "
                f"{x.shape}, got {found.shape} from {name_of(self.derivative)}."
            )
        if not self.chained:
            if dy.shape != x.shape[: dy.ndim]:
                raise ValueError(
                    f"{self.__name__}: a derivative alone tells the gradient where "
                    "each value belongs to its own number, row or sample of argument "
                    f"{k}; values of shape {dy.shape} do not fit {x.shape}. Pass "
                    "chained=True and a df(dy, ...) that returns the gradient."
                )
            found = dy.reshape(dy.shape + (1,) * (x.ndim - dy.ndim)) * found
        return found.astype(x.dtype, copy=False)

    def __repr__(self) -> str:
        """Show the name."""
        return f"<function {self.__name__} with a gradient>"


def with_gradient(
    f: Callable, df: Callable, elementwise: bool = False, chained: bool = False
) -> WithGradient:
    """
    Return f with a derivative of its own, for losses, activations and all others.

    Both may be compiled with `@njit`: then they run at the speed of kernels.

    Parameters
    ----------
    f : callable
        Of one or several arrays, as f(y_true, y_pred) or f(x).
    df : callable
        Of the same arguments: the derivative by the last one, in its shape. Or a tuple
        with one derivative for each argument.
    elementwise : bool
        Whether f and df are formulas of single numbers. They are compiled, and run over
        whole arrays.
    chained : bool
        Whether df(dy, ...) returns the gradient itself, given that of the result: for
        functions that mix numbers, as softmax does.

    Examples
    --------
    >>> from kerasnb import grad
    >>> def huber(t, p):
    ...     d = abs(p - t)
    ...     return d * d if d < 1 else 2 * d - 1
    >>> def slope(t, p):
    ...     return 2 * min(max(p - t, -1.0), 1.0)
    >>> huber = with_gradient(huber, slope, elementwise=True)
    >>> huber(np.zeros(3), np.array([0.5, -3.0, 1.0]))
    array([0.25, 5.  , 1.  ])
    >>> grad(lambda p: np.sum(huber(np.zeros(3), p)))([0.5, -3.0, 1.0])
    array([ 1., -2.,  2.])
    """
    for role, function in (("f", f), ("df", df)):
        if not callable(function):
            raise TypeError(
                f"with_gradient: expected a function as {role}, got {function!r}."
            )
    if not elementwise:
        return WithGradient(f, df, chained)
    made = WithGradient(each_number(f), each_number(df), chained)
    made.formulas = None if chained else (f, df)
    return made


def each_number(formula: Callable) -> Callable:
    """Return a function of arrays that applies a formula of numbers, compiled."""
    compiled = numba.njit(
        getattr(formula, "py_func", formula), error_model="numpy", nogil=True
    )

    def one(y, a):
        for i in range(y.size):
            y[i] = compiled(a[i])

    def two(y, a, b):
        for i in range(y.size):
            y[i] = compiled(a[i], b[i])

    def three(y, a, b, c):
        for i in range(y.size):
            y[i] = compiled(a[i], b[i], c[i])

    loops = [numba.njit(loop, nogil=True) for loop in (one, two, three)]

    @functools.wraps(formula)
    def apply(*arrays: Any) -> np.ndarray:
        if not 0 < len(arrays) <= len(loops):
            raise TypeError(
                f"{name_of(formula)}: a formula of single numbers takes one to three, "
                f"got {len(arrays)}."
            )
        kinds = [np.asarray(x) for x in arrays]
        dtype = np.result_type(*kinds)
        dtype = dtype if dtype.kind == "f" else np.dtype(np.float64)
        stretched = np.broadcast_arrays(*kinds)
        flat = [np.ascontiguousarray(x, dtype).reshape(-1) for x in stretched]
        y = np.empty(flat[0].shape, dtype)
        loops[len(arrays) - 1](y, *flat)
        return y.reshape(stretched[0].shape)

    return apply


def formulas_for(function: Any, *arrays: Any) -> tuple[Callable, Callable] | None:
    """
    Return the formulas of numbers of a function, to be run where the arrays are.

    None stands for a function without, for arrays of different shapes, and for arrays of
    the host, where `each_number` has compiled them.
    """
    if not all(device.is_there(a) and a.shape == arrays[0].shape for a in arrays):
        return None
    return getattr(function, "formulas", None)


# ---- what a function takes and makes ----------------------------------------------


def takes(function: Callable, *args: Any, **named: Any) -> bool:
    """Return whether a function may be called with these arguments."""
    try:
        inspect.signature(function).bind(*args, **named)
    except TypeError:
        return False
    except ValueError:  # what is written in C may not tell
        pass
    return True


def expect_arguments(who: str, function: Callable, *names: str) -> None:
    """Refuse a function that cannot be taped, or not be called with these arguments."""
    refuse_compiled(function)
    expect_call(who, function, *names)


def expect_call(who: str, function: Callable, *names: str) -> None:
    """Refuse a function that cannot be called with these arguments."""
    if not takes(function, *names):
        raise TypeError(
            f"{who} {name_of(function)!r}: expected a function of "
            f"({', '.join(names)}), but it takes {inspect.signature(function)}."
        )


def are_values(found: Shape, shape: Shape) -> bool:
    """
    Return whether an array can be the values of samples, steps or numbers.

    Examples
    --------
    >>> are_values((4,), (4, 3)), are_values((4, 1), (4, 3)), are_values((4, 4), (4, 3))
    (True, True, False)
    """
    return len(found) <= len(shape) and all(
        size == wanted or axis and size == 1
        for axis, (size, wanted) in enumerate(zip(found, shape))
    )


def expect_slope(recording: Any, who: str, of: str) -> None:
    """Refuse a function whose value says nothing about where to go."""
    if not recording.has_slope:
        raise ValueError(
            f"{who}: the result has no slope with respect to {of}, so nothing can be "
            f"learnt through it. Does it use {of}, other than by comparing, rounding "
            "or argmax?"
        )


def shape_by_trial(
    function: Callable, shapes: list[Shape], dtype: Any, who: str
) -> Shape:
    """
    Return the output shape of a function of arrays, batch first, found by running it.

    It runs twice, on arrays of ones; sizes that are not known differ between the runs,
    and so do then those of the output that depend on them.

    Raises
    ------
    ValueError
        If the function fails, or does not keep the batch axis.
    """
    found = []
    for batch, size in ((2, 7), (3, 11)):
        arrays = [
            np.ones((batch, *(size if n is None else n for n in shape[1:])), dtype)
            for shape in shapes
        ]
        sizes = ", ".join(str(array.shape) for array in arrays)
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                y = np.asarray(function(*arrays))
        except Exception as error:
            raise ValueError(
                f"{who}: the function failed on ones of shape {sizes}, which should "
                f"tell its output shape: {type(error).__name__}: {error} Correct it, "
                "or give output_shape."
            ) from error
        if y.ndim < 1 or y.shape[0] != batch:
            raise ValueError(
                f"{who}: the function must keep the first axis, the samples of the "
                f"batch; from ones of shape {sizes} it made {y.shape}."
            )
        found.append(y.shape)
    if len(found[0]) != len(found[1]):
        raise ValueError(
            f"{who}: the number of axes of the result depends on the batch, "
            f"{found[0]} or {found[1]}. Keep it the same."
        )
    axes = zip(found[0][1:], found[1][1:])
    return (shapes[0][0], *(a if a == b else None for a, b in axes))


# ---- the check --------------------------------------------------------------------


def check_gradient(
    f: Any,
    *arguments: Any,
    trials: int = 3,
    tolerance: float = 1e-6,
    seed: int = 0,
    raise_on_failure: bool = True,
) -> Report:
    """
    Check the gradient of a function by each of its arguments that holds floats.

    The gradient is what the tape finds, or what `with_gradient` was given.

    Parameters
    ----------
    f : callable
        Of arrays; it returns a number or an array.
    *arguments
        What to try it on; whole numbers are left as they are.
    trials, tolerance, seed, raise_on_failure
        As in `check_layer`.

    Raises
    ------
    AssertionError
        If a check failed; the message is the report.

    Examples
    --------
    >>> print(check_gradient(lambda x: np.sum(x**2), np.array([1.0, 2.0]), trials=1))
    <lambda>: 1 checks passed
      check                  analytic       numeric     error  verdict
      gradient of x       ...  ok
    """
    rng = np.random.default_rng(seed)
    report = Report(name_of(f))
    given = [np.asarray(x) for x in arguments]
    places = [k for k, x in enumerate(given) if x.dtype.kind == "f"]
    if not places:
        raise ValueError(
            f"check_gradient: expected arguments to try {name_of(f)} on, at least one "
            f"of them with floats, got {len(given)} without."
        )
    given = [
        floats(x).astype(np.float64) if k in places else x for k, x in enumerate(given)
    ]
    for k, name in zip(places, _names_of(f, places)):
        draw = _function_case(f, given, k, rng)
        found = compare_slopes(f"gradient of {name}", draw, rng, trials, tolerance)
        report.findings.append(found)
    return report.finish(raise_on_failure)


def _names_of(f: Callable, places: list[int]) -> list[str]:
    try:
        names = list(inspect.signature(f).parameters)
    except (TypeError, ValueError):
        names = []
    return [names[k] if k < len(names) else f"argument {k}" for k in places]


def _function_case(f: Callable, given: list, k: int, rng: Any) -> Callable:
    """Return how to draw cases for argument k, with a random gradient from above."""

    def of(x):
        return f(*given[:k], x, *given[k + 1 :])

    def draw(attempt):
        point = given[k]
        if attempt:  # elsewhere, to get away from a kink
            point = point * (1 + 0.01 * rng.standard_normal(point.shape))
        recording = Recording(of, [point.copy()])
        dy = rng.standard_normal(recording.value.shape)
        dx = recording.gradients(dy)[0]
        return point, dx, lambda x: float((dy * np.asarray(of(x))).sum())

    return draw
