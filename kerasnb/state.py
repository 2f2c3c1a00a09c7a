"""
State: what an object must remember so that training goes on exactly where it was.

A class names such attributes in `state_names`; callbacks, layers, metrics that count
over batches and Sequences all do it in this one way. `packed` turns states into what
a file holds: plain JSON values, with arrays put aside. Read next: `resume.py`, which
collects the states of a training.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from . import device

ARRAY = "__array__"  # the key of a dict that stands for an array
KINDS: dict[Any, str] = {str: "string", (list, tuple): "list"}
Put = Callable[[Any, dict[str, Any]], None]


class Stateful:
    """
    The contract: `get_state` returns copies of all that counts, `set_state` puts back.

    Whoever overrides the two returns a dict by name of numbers, strings, None, arrays,
    and lists and dicts of them.

    Attributes
    ----------
    state_names : tuple of str
        Attributes that an exact continuation needs. One that has a `get_state` of its
        own, such as a random stream, is kept by that.
    may_be_none : tuple of str
        Those that None is put back into, even if now they are something else.

    Examples
    --------
    >>> class Counter(Stateful):
    ...     state_names = ("seen",)
    ...     seen = 0
    >>> counter, other = Counter(), Counter()
    >>> counter.seen = 7
    >>> other.set_state(counter.get_state())
    >>> other.seen
    7
    """

    state_names: tuple[str, ...] = ()
    may_be_none: tuple[str, ...] = ()

    def get_state(self) -> dict[str, Any]:
        """Return copies of all that an exact continuation needs, by name."""
        values: dict[str, Any] = {
            name: getattr(self, name, None) for name in self.state_names
        }
        return {
            name: v.get_state() if hasattr(v, "get_state") else copy.deepcopy(v)
            for name, v in values.items()
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """
        Go on from what `get_state` returned.

        Raises
        ------
        ValueError
            If a part is missing, unknown or of another kind; then nothing has changed.
        """
        if not isinstance(state, dict) or set(state) != set(self.state_names):
            found = ", ".join(map(str, state)) if isinstance(state, dict) else state
            raise ValueError(
                f"{type(self).__name__}.set_state: expected the names "
                f"{', '.join(self.state_names) or '(none)'}, got "
                f"{found or '(none)'}. The state comes from another object."
            )
        for name, value in state.items():
            present: Any = getattr(self, name, None)
            if value is None and name in self.may_be_none:
                continue
            if _kind(present) not in ("None", _kind(value)):
                cause = " Name it in may_be_none if it can be." if value is None else ""
                raise ValueError(
                    f"{type(self).__name__}.set_state: expected {name} to be a "
                    f"{_kind(present)}, got {value!r:.80}.{cause}"
                )
        for name, value in state.items():
            present = getattr(self, name, None)
            if hasattr(present, "set_state"):
                present.set_state(value)
            else:
                setattr(self, name, copy.deepcopy(value))


def set_state(thing: Any, state: dict[str, Any]) -> None:
    """Let an object go on from a state, which it may refuse."""
    thing.set_state(state)


def put_state_back(thing: Any, state: dict[str, Any]) -> None:
    """
    Undo: give an object the state that it had, whatever it has become meanwhile.

    Examples
    --------
    >>> class Best(Stateful):
    ...     state_names = ("weights",)
    ...     weights = None
    >>> best = Best()
    >>> before = best.get_state()
    >>> best.set_state({"weights": [np.ones(2)]})
    >>> put_state_back(best, before)
    >>> best.weights is None
    True
    """
    for name in getattr(thing, "state_names", ()):
        if state.get(name, ...) is None:  # else None would be another kind of value
            setattr(thing, name, None)
    thing.set_state(state)


def _kind(value: Any) -> str:
    if isinstance(value, (bool, int, float, np.generic)):
        return "number"
    if device.is_array(value):
        return "array"
    for kinds, word in KINDS.items():
        if isinstance(value, kinds):
            return word
    return "None" if value is None else "dict"  # of an object with a state


def keeps_state(thing: Any) -> bool:
    """Return whether `get_state` of an object returns more than nothing."""
    own = getattr(type(thing), "get_state", None)
    if own is None:
        return False
    return own is not Stateful.get_state or bool(thing.state_names)


def packed(value: Any, put: Callable[[np.ndarray], str], owner: str) -> Any:
    """
    Return a state as JSON values.

    Parameters
    ----------
    value
    put : callable
        Stores an array and returns the name under which it lies.
    owner : str
        Whose state it is, for the message.

    Raises
    ------
    TypeError
        If something in it is no plain value.

    Examples
    --------
    >>> packed({"best": np.float64(0.5), "at": (1, np.arange(2))}, lambda a: "x", "me")
    {'best': 0.5, 'at': [1, {'__array__': 'x'}]}
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        return {ARRAY: put(value)}
    if isinstance(value, (list, tuple)):
        return [packed(part, put, owner) for part in value]
    if isinstance(value, Mapping) and ARRAY not in value:
        if all(isinstance(name, str) for name in value):
            return {k: packed(v, put, f"{owner}/{k}") for k, v in value.items()}
    raise TypeError(
        f"The state of {owner} cannot be saved: expected numbers, strings, arrays, and "
        f"lists and dicts of them, got {value!r:.80}."
    )


def unpacked(value: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    """
    Return what `packed` was given; a name without an array is a KeyError.

    Examples
    --------
    >>> unpacked([1, {"__array__": "x"}], {"x": "an array"})
    [1, 'an array']
    """
    if isinstance(value, list):
        return [unpacked(part, arrays) for part in value]
    if isinstance(value, dict):
        if set(value) == {ARRAY}:
            return arrays[value[ARRAY]]
        return {name: unpacked(part, arrays) for name, part in value.items()}
    return value
