"""
Automatic differentiation: how a program is told the derivative of what it computed.

Going forward, a taped array does what NumPy is asked for and writes each operation on a
tape. Going backward, the tape is read from its end: each operation turns the gradient
of its result into the gradients of its operands (the chain rule), and an array that was
used twice adds up what it hears. So one reading gives the derivative of one number with
respect to every input, however many there are. That is all; `Tape` is the lesson, and
`autodiff_rules.py`, to be read next, the table of derivatives.

    y = f(x)            forward:  x -> a -> b -> y, each step noted
    dx = f'(x) dy       backward: dy -> db -> da -> dx, each step answered
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

import numpy as np

from .autodiff_rules import COMPOSED, DERIVATIVES, IN_PLACE, PLAIN, cast, item
from .variable import Variable

# ---- the tape ---------------------------------------------------------------------


class Tape:
    """
    A list of what was computed, in the order in which it was computed.

    Every taped array has a place: 0, 1, 2, ... in the order of their making. A step
    holds the place of its result, the places of its operands, and the pullback: the
    function that turns the gradient of the result into those of the operands.

    Examples
    --------
    >>> tape = Tape()
    >>> x = tape.watch(np.array([1.0, 2.0]))
    >>> y = np.sum(x * x)
    >>> tape.gradients(y, np.array(1.0), [x])
    [array([2., 4.])]
    """

    def __init__(self) -> None:
        self.steps: list[tuple[int, list[int], Callable]] = []
        self.places = 0

    def watch(self, value: Any) -> Taped:
        """Return a taped array of this value: from here on its use is noted."""
        self.places += 1
        return Taped(np.asarray(value), self, self.places - 1)

    def add(self, value: Any, operands: list[Taped], pullback: Callable) -> Taped:
        """Note one step, and return its result as a taped array."""
        places = []
        for x in operands:
            if x.tape is not self:
                raise TypeError(
                    "autodiff: arrays of two tapes met in one operation. A function "
                    "that is being differentiated cannot differentiate: there are no "
                    "second derivatives here."
                )
            places.append(x.place)
        y = self.watch(value)
        self.steps.append((y.place, places, pullback))
        return y

    def gradients(self, y: Taped, dy: Any, inputs: list[Taped]) -> list[Any]:
        """Return the gradient of each input, given that of y; None without a path."""
        found = {y.place: dy}
        for place, operands, pullback in reversed(self.steps):
            dy = found.pop(place, None)
            if dy is None:
                continue  # y does not depend on this step
            for operand, dx in zip(operands, pullback(dy)):
                found[operand] = found[operand] + dx if operand in found else dx
        return [found.get(x.place) for x in inputs]


def fitted(dx: Any, x: np.ndarray) -> np.ndarray:
    """
    Return a gradient in the shape and type of its operand.

    Where NumPy stretched the operand, each number was used many times, so its gradients
    are added up.

    Examples
    --------
    >>> fitted(np.ones((4, 3)), np.zeros((3,)))
    array([4., 4., 4.])
    """
    dx = np.asarray(dx)
    if dx.shape != x.shape:
        dx = dx.sum(axis=tuple(range(dx.ndim - x.ndim)))
        thin = tuple(k for k in range(x.ndim) if x.shape[k] == 1 < dx.shape[k])
        dx = np.broadcast_to(dx.sum(axis=thin, keepdims=True), x.shape)
    return dx if dx.dtype == x.dtype else dx.astype(x.dtype)


# ---- arrays that write it ---------------------------------------------------------


class Taped:
    """
    An array whose use is noted on a tape; NumPy's functions and operators take it.

    Values never change: `a += b` makes a new array, as in Keras, and a[i] = b is
    refused. Comparisons give plain arrays, so `if`, `np.where` and `K.switch` can
    choose by them.

    Attributes
    ----------
    value : array
        The plain numbers; what is computed from them counts as constant.
    """

    __slots__ = ("value", "tape", "place")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, value: np.ndarray, tape: Tape, place: int) -> None:
        self.value, self.tape, self.place = value, tape, place

    shape = property(lambda self: self.value.shape, doc="Size of every axis.")
    ndim = property(lambda self: self.value.ndim, doc="Number of axes.")
    size = property(lambda self: self.value.size, doc="Number of numbers.")
    dtype = property(lambda self: self.value.dtype, doc="Type of the numbers.")
    T = property(lambda self: np.transpose(self), doc="The axes in reverse order.")

    def __array_ufunc__(self, ufunc: Any, method: str, *args: Any, **named: Any) -> Any:
        if method == "__call__":
            return call(ufunc, args, named)
        if method == "at":
            raise in_place(f"numpy.{ufunc.__name__}.at")
        raise unknown(f"numpy.{ufunc.__name__}.{method}", {})

    def __array_function__(self, function: Any, types: Any, args: Any, named: Any):
        return call(function, args, named)

    def __getitem__(self, key: Any) -> Taped:
        return record(item, (self, key), {})

    def __iter__(self) -> Iterator[Taped]:
        return (self[k] for k in range(len(self.value)))

    def __len__(self) -> int:
        return len(self.value)

    def astype(self, dtype: Any) -> Any:
        """Return the array in another type; whole numbers and bools are constants."""
        if np.dtype(dtype).kind != "f":
            return self.value.astype(dtype)
        return record(cast, (self, dtype), {})

    def reshape(self, *shape: Any) -> Any:
        """Return the numbers in another shape."""
        return np.reshape(self, shape[0] if len(shape) == 1 else shape)

    def transpose(self, *axes: Any) -> Any:
        """Return the axes in another order."""
        return np.transpose(self, (axes[0] if len(axes) == 1 else axes) or None)

    def flatten(self) -> Any:
        """Return the numbers in one axis."""
        return np.ravel(self)

    def __pow__(self, exponent: Any) -> Any:
        squares = type(exponent) in (int, float) and exponent == 2
        return np.square(self) if squares else np.power(self, exponent)

    def __setitem__(self, key: Any, value: Any) -> NoReturn:
        raise in_place("x[...] = y")

    def __bool__(self) -> NoReturn:
        raise TypeError(
            "bool() of a taped array: say what should be true of it, such as x > 0, "
            "which is a plain array; np.where and K.switch choose number by number."
        )

    def _leave(self, *ignored: Any, **named: Any) -> NoReturn:
        raise TypeError(
            "This wants a plain array or a plain number, but got a taped array, and "
            "its derivative would be lost. Leave float(), math, np.array and compiled "
            "functions out and use numpy or the backend K (a 0-d array calculates like "
            "a number; np.stack makes one array of several), give the derivative with "
            "kerasnb.with_gradient(f, df), or take x.value, which counts as constant."
        )

    __float__ = __int__ = __complex__ = __index__ = __array__ = item = tolist = _leave
    _numba_type_ = property(_leave)  # what a compiled function asks for

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(
            f"A taped array has no attribute {name!r}. Call the function of numpy or "
            "of the backend K instead; x.value is the plain array."
        )

    def __repr__(self) -> str:
        return f"<Taped {self.value!r}>"


def _operator(ufunc: Callable) -> Callable:
    return lambda self, *other: call(ufunc, (self, *other), {})


def _reflected(ufunc: Callable) -> Callable:
    return lambda self, other: call(ufunc, (other, self), {})


OPERATORS = {
    **{"neg": np.negative, "pos": np.positive, "abs": np.abs, "invert": np.invert},
    **{"lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal},
    **{"eq": np.equal, "ne": np.not_equal},
}
TWO_SIDED = {
    **{"add": np.add, "sub": np.subtract, "mul": np.multiply, "truediv": np.divide},
    **{"floordiv": np.floor_divide, "mod": np.remainder, "divmod": np.divmod},
    **{"matmul": np.matmul, "pow": np.power, "and": np.bitwise_and},
    **{"or": np.bitwise_or, "xor": np.bitwise_xor, "lshift": np.left_shift},
    **{"rshift": np.right_shift},
}
for _name, _ufunc in {**OPERATORS, **TWO_SIDED}.items():
    if f"__{_name}__" not in vars(Taped):
        setattr(Taped, f"__{_name}__", _operator(_ufunc))
    if _name in TWO_SIDED:
        setattr(Taped, f"__r{_name}__", _reflected(_ufunc))


def _method(function: Callable) -> Callable:
    def method(self, *args, **named):
        return function(self, *args, **named)

    method.__doc__ = f"Return what numpy.{function.__name__} does."
    return method


for _name in """all any argmax argmin argsort clip copy cumprod cumsum dot max mean min
        prod ravel repeat round squeeze std sum swapaxes take trace var""".split():
    setattr(Taped, _name, _method(getattr(np, _name)))


# ---- what happens when NumPy is called --------------------------------------------


CONSTANT = {np.ndarray, float, int, bool, type(None)}  # what needs no second look


def call(function: Callable, args: Sequence, named: dict[str, Any]) -> Any:
    """Do what NumPy was asked to do with taped arrays, and note it."""
    if named.pop("out", None) is not None or function in IN_PLACE:
        raise in_place(f"{_title(function)}, which writes into an array,")
    if function in DERIVATIVES and not (function is np.where and len(args) == 1):
        return record(function, args, named)
    if function in PLAIN:
        return function(*_opened(args), **_opened(named))
    if function in COMPOSED and _accepts(COMPOSED[function], 0, args, named):
        return COMPOSED[function](*args, **named)
    raise unknown(_title(function), named)


def record(function: Callable, args: Sequence, named: dict[str, Any]) -> Any:
    """Compute with the plain arrays, and note the pullback of the operation."""
    rule: Any = DERIVATIVES[function]
    together = callable(rule)  # one function returns the gradients of all operands
    if not _accepts(rule if together else rule[0] or rule[1], 2, args, named):
        raise unknown(_title(function), named)
    plain, operands, roles = [], [], []
    for k, x in enumerate(args):
        if type(x) in CONSTANT:
            plain.append(x)
            continue
        for part, taped in _parts(x):
            if together or rule[k] is not None:
                operands.append(taped)
                roles.append((k, part, taped.value))
        plain.append(_opened(x))
    y = function(*plain, **named)
    if not operands:
        return y

    def pullback(dy):  # without a taped array in it, which would keep the tape alive
        if together:
            found = rule(dy, y, *plain, **named)
        gradients = []
        for k, part, x in roles:
            dx = found[k] if together else rule[k](dy, y, *plain, **named)
            gradients.append(fitted(dx if part is None else dx[part], x))
        return gradients

    return operands[0].tape.add(y, operands, pullback)


def _parts(x: Any) -> Sequence[tuple[int | None, Taped]]:
    """Return the taped arrays in an argument, and where each stands in a list."""
    if type(x) is Taped:
        return ((None, x),)
    if not isinstance(x, (list, tuple)):
        return ()
    return [(k, part) for k, part in enumerate(x) if type(part) is Taped]


def _opened(x: Any) -> Any:
    """Return arguments with plain arrays in the place of taped ones and variables."""
    kind = type(x)
    if kind is Taped or isinstance(x, Variable):
        return x.value
    if kind is list or kind is tuple:
        return kind(map(_opened, x))
    return {name: _opened(part) for name, part in x.items()} if kind is dict else x


def _accepts(rule: Callable, first: int, args: Sequence, named: dict) -> bool:
    """Return whether a rule knows these arguments, none of them taped and named."""
    if named and Taped in map(type, named.values()):
        return False
    return _knows(rule, first, len(args), *named)


@functools.lru_cache(maxsize=None)
def _knows(rule: Callable, first: int, count: int, *named: str) -> bool:
    """Return whether a rule has so many parameters, and those of these names."""
    found = list(inspect.signature(rule).parameters.values())[first:]
    if any(p.kind is p.VAR_POSITIONAL for p in found):
        return True
    return count <= len(found) and {p.name for p in found}.issuperset(named)


def _title(function: Any) -> str:
    module = getattr(function, "__module__", None) or "numpy"
    return f"{module}.{function.__name__}"


def unknown(what: str, named: dict[str, Any]) -> TypeError:
    """Return the error for an operation, or options of it, without a derivative."""
    options = ", ".join(f"{name}={value!r:.60}" for name, value in named.items())
    return TypeError(
        f"{what}{f' with {options}' * bool(options)}: the tape does not know the "
        "derivative of this operation. Write it with others, of which "
        "autodiff_rules.py has the list, or give the derivative of the whole function "
        "with kerasnb.with_gradient(f, df)."
    )


def in_place(what: str) -> TypeError:
    """Return the error for an attempt to change numbers that are on the tape."""
    return TypeError(
        f"{what} cannot be done to a taped array: the way back needs the numbers as "
        "they were. Make a new array, for example with np.where or np.concatenate."
    )


# ---- functions and their gradients ------------------------------------------------


def refuse_compiled(function: Any) -> None:
    """Refuse a function of Numba: nobody can see what it does with an array."""
    if hasattr(function, "py_func"):
        raise TypeError(
            f"{function.__name__}: a compiled function cannot be taped. Leave @njit "
            "out, or give its derivative, compiled too: kerasnb.with_gradient(f, df)."
        )


class Recording:
    """
    One call of a function with taped arrays: its value, and on demand its gradients.

    Parameters
    ----------
    function : callable
    inputs : list of arrays
        What the function gets first, taped.
    before, named : list and dict
        More arguments, untaped: those that come before, and those with names.
    together : bool
        Whether the function gets the inputs as one list.

    Attributes
    ----------
    value : array
    """

    def __init__(
        self,
        function: Callable,
        inputs: list[np.ndarray],
        before: Sequence = (),
        named: dict[str, Any] | None = None,
        together: bool = False,
    ) -> None:
        self.tape = Tape()
        self.inputs = [self.tape.watch(x) for x in inputs]
        given = [self.inputs] if together else self.inputs
        self.result = function(*before, *given, **(named or {}))
        self.value = np.asarray(_opened(self.result))

    @property
    def has_slope(self) -> bool:
        """Return whether the value depends on an input in a way that has a slope."""
        return isinstance(self.result, Taped)

    def gradients(self, dy: Any) -> list[np.ndarray]:
        """Return the gradient of each input, given that of the value."""
        found: list[Any] = [None] * len(self.inputs)
        if self.has_slope:
            dy = np.asarray(dy, self.value.dtype)
            with np.errstate(all="ignore"):  # a slope may be infinite, a user sees it
                found = self.tape.gradients(self.result, dy, self.inputs)
        return [
            np.zeros_like(x.value) if dx is None else dx
            for x, dx in zip(self.inputs, found)
        ]


def value_and_grad(f: Callable, argnums: Any = 0) -> Callable:
    """
    Return a function that computes f and its gradient.

    Parameters
    ----------
    f : callable
        Of arrays, written with numpy or the backend K; it returns a single number.
    argnums : int or tuple of int
        With respect to which arguments; of a tuple the gradients come as a tuple.

    Raises
    ------
    ValueError
        When called, if f returns more than one number.

    Examples
    --------
    >>> value_and_grad(lambda x: np.sum(x**2))([1.0, 3.0])
    (np.float64(10.0), array([2., 6.]))
    """
    refuse_compiled(f)
    chosen = (argnums,) if isinstance(argnums, int) else tuple(argnums)

    @functools.wraps(f)
    def both(*args, **named):
        def inner(*inputs):
            given = list(args)
            for k, x in zip(chosen, inputs):
                given[k] = x
            return f(*given, **named)

        recording = Recording(inner, [floats(args[k]) for k in chosen])
        if recording.value.size != 1:
            raise ValueError(
                f"grad: expected a function that returns a single number, got an array "
                f"of shape {recording.value.shape}. Take its sum or its mean."
            )
        found = recording.gradients(np.ones(recording.value.shape))
        found = [np.array(dx) for dx in found]
        value = recording.value.reshape(())[()]
        return value, found[0] if isinstance(argnums, int) else tuple(found)

    return both


def grad(f: Callable, argnums: Any = 0) -> Callable:
    """
    Return the gradient of a function: see `value_and_grad`.

    Examples
    --------
    >>> grad(np.tanh)(0.0)
    array(1.)
    """
    both = value_and_grad(f, argnums)
    return functools.wraps(both)(lambda *args, **named: both(*args, **named)[1])


def floats(x: Any) -> np.ndarray:
    """Return numbers as an array of floats; float32 stays."""
    x = np.asarray(_opened(x) if isinstance(x, Variable) else x)
    return x if x.dtype.kind == "f" else x.astype(np.float64)
