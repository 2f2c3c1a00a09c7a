"""
The contract of an optimizer: vectors in, a step made, a state that can be kept.

All parameters of a model are one flat vector, so are their gradients, and so is every
slot, the memory that an optimizer keeps of earlier gradients. The base class clips,
counts, decays the learning rate, and saves and restores what an exact resume needs.
Read next: `optimizers.py`, the optimizers themselves.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from . import device
from .device import ops
from .kernels.plain.weights import BLOCKS


class Setting(float):
    """
    A number that knows whose it is, so that `backend.set_value` can exchange it.

    Examples
    --------
    >>> optimizer = Optimizer(lr=0.1)
    >>> optimizer.lr.assign(0.2)
    >>> optimizer.lr
    0.2
    """

    owner: Any
    name: str

    def assign(self, value: float) -> None:
        """Give the owner another number of that name."""
        setattr(self.owner, self.name, value)

    def __reduce__(self):
        return float, (float(self),)


class Settable:
    """An attribute that is stored as a float and read as a Setting."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, owner: Any, kind: type | None = None) -> Any:
        if owner is None:
            return self
        if self.name not in vars(owner):
            raise AttributeError(f"{type(owner).__name__} has no {self.name} yet.")
        setting = Setting(vars(owner)[self.name])
        setting.owner, setting.name = owner, self.name
        return setting

    def __set__(self, owner: Any, value: float) -> None:
        try:
            vars(owner)[self.name] = float(value)
        except TypeError:
            raise TypeError(
                f"{type(owner).__name__}: expected {self.name} to be a number, got "
                f"{value!r:.80}."
            ) from None


class Optimizer:
    """
    Base of all optimizers.

    One of your own is a subclass: `slots` names its vectors of memory, which start as
    zeros and become attributes, and `step(p, g)` changes the vector `p` in place. Keep
    each argument of the constructor on an attribute of its name, for `get_config`.

    Parameters
    ----------
    lr : float
        The learning rate.
    decay : float
        If positive, update number i uses lr / (1 + decay * i).
    clipnorm : float, optional
        Scale the gradients of all parameters together to at most this norm.
    clipvalue : float, optional
        Clip every gradient to [-clipvalue, clipvalue], after clipnorm.

    Attributes
    ----------
    iterations : int
        How many batches were seen, those included that count nothing.

    Examples
    --------
    >>> class SignSGD(Optimizer):
    ...     def step(self, p, g):
    ...         p -= self.decayed_lr() * np.sign(g)
    >>> p = np.array([1.0, 2.0])
    >>> SignSGD(lr=0.5).update(p, np.array([0.1, -7.0]))
    >>> p
    array([0.5, 2.5])
    """

    lr = Settable()
    decay = Settable()
    slots: tuple[str, ...] = ()
    scalars: tuple[str, ...] = ("iterations",)
    weights_start_with_iterations = True  # Keras leaves them out here and there

    def __init__(self, lr: float = 0.01, decay: float = 0.0, **clipping: Any) -> None:
        self.lr = self._at_least_zero("lr", lr)
        self.decay = self.initial_decay = self._at_least_zero("decay", decay)
        self.clipnorm = self._limit(clipping.pop("clipnorm", None), "clipnorm")
        self.clipvalue = self._limit(clipping.pop("clipvalue", None), "clipvalue")
        self._refuse(clipping)
        self.iterations = 0
        self.size: int | None = None
        self.dtype: np.dtype | None = None
        self.layout: list[tuple[int, tuple[int, ...]]] | None = None
        self._sums: Any = None  # of the squares of the gradients, block by block
        self._former: list[Any] = []  # what `keep` has copied

    # ---- the step -----------------------------------------------------------------

    def build(
        self,
        size: int,
        dtype: Any,
        layout: Sequence[tuple[int, tuple[int, ...]]] | None = None,
    ) -> None:
        """
        Make the slots, or keep those that fit.

        Parameters
        ----------
        size : int
            The length of the flat vector of parameters.
        dtype : float32 or float64
        layout : list of (start, shape), optional
            Where each parameter lies in the vector; default: it is one parameter.
        """
        self._former = []
        parts = None if layout is None else [(s, tuple(shape)) for s, shape in layout]
        same = (size, np.dtype(dtype)) == (self.size, self.dtype)
        if same and (parts == self.layout or self.layout is None or parts is None):
            self.layout = parts or self.layout
            for name in set(self.slots) & set(vars(self)):
                setattr(self, name, device.here(vars(self)[name]))
            self._sums = None
            return
        self.size, self.dtype, self.layout = size, np.dtype(dtype), parts
        self._start_anew()

    def _start_anew(self) -> None:
        """Forget the slots; each is made by `new_slot` when it is first asked for."""
        for name in self.slots:
            vars(self).pop(name, None)
            if hasattr(type(self), name):  # which would be found in its place
                setattr(self, name, self.new_slot())

    def __getattr__(self, name: str) -> Any:
        """Make a slot that is not there yet."""
        if name not in self.slots:
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}.")
        if vars(self).get("size") is None:
            raise AttributeError(
                f"{type(self).__name__}.{name} exists from the first training call on."
            )
        setattr(self, name, self.new_slot())
        return vars(self)[name]

    def new_slot(self) -> np.ndarray | None:
        """Return a slot before the first step: zeros."""
        return device.aligned_zeros(self.size, self.dtype)

    def update(self, p: np.ndarray, g: np.ndarray) -> None:
        """
        Make one step.

        Parameters
        ----------
        p : vector
            The parameters, changed in place.
        g : vector
            Their gradients; clipping changes them in place.
        """
        if p.size != self.size:
            self.build(p.size, p.dtype)
        if self.clipnorm or self.clipvalue:
            self.clip(g)
        self.step(p, g)
        self.iterations += 1

    def skip(self) -> None:
        """Count a batch that changes nothing."""
        self.iterations += 1

    def keep(self, p: np.ndarray) -> list[tuple[Any, Any]]:
        """Copy what a step changes; return pairs of a copy and the array itself."""
        slots = (getattr(self, name, None) for name in self.slots)
        arrays = [p, *(slot for slot in slots if slot is not None)]
        if len(self._former) != len(arrays):
            self._former = [device.zeros(a.size, a.dtype) for a in arrays]
        for former, a in zip(self._former, arrays):
            former[...] = a
        return list(zip(self._former, arrays))

    def step(self, p: np.ndarray, g: np.ndarray) -> None:
        """Change `p` in place; `iterations` counts the steps before this one."""
        raise NotImplementedError(f"{type(self).__name__} has no step.")

    def decayed_lr(self) -> float:
        """Return the learning rate of this step."""
        lr: float = self.__dict__["lr"]  # a float already, unlike what self.lr makes
        if self.initial_decay > 0:
            return lr / (1.0 + self.decay * self.iterations)
        return lr

    def clip(self, g: np.ndarray) -> None:
        """Bound the gradients in place, as `clipnorm` and `clipvalue` say."""
        if self.clipnorm:
            if self._sums is None:
                self._sums = device.zeros(BLOCKS, np.float64)
            ops.squares_by_block(self._sums, g)
            ops.clip_by_norm(g, self._sums, float(self.clipnorm))
        if self.clipvalue:
            ops.clip_by_value(g, float(self.clipvalue))

    # ---- state --------------------------------------------------------------------

    def get_state(self) -> dict[str, Any]:
        """Return copies of all that an exact continuation needs, by name."""
        state = {name: getattr(self, name) for name in self.scalars}
        for name in self.slots:
            values = getattr(self, name, None)
            if values is not None:
                state[name] = values.copy()
        return state

    def set_state(self, state: dict[str, Any]) -> None:
        """
        Continue from what `get_state` returned.

        A slot may also be a list of arrays, one for each parameter.

        Raises
        ------
        ValueError
            If a part is missing or unknown, or a slot has another length: then nothing
            has changed. If an array cannot be read: then the slots start anew.
        """
        who = type(self).__name__
        slots = {name: _as_parts(state[name]) for name in self.slots if name in state}
        known = [*self.scalars, *self.slots]
        missing = [name for name in self.scalars if name not in state]
        partial = 0 < len(slots) < len(self.slots)
        if missing or partial or not set(state) <= set(known):
            raise ValueError(
                f"{who}.set_state: expected {', '.join(known)}, got "
                f"{', '.join(state)}. The state comes from another optimizer."
            )
        scalars = {n: type(getattr(self, n))(state[n]) for n in self.scalars}
        size = self.size
        for name, parts in slots.items():
            size = parts[0].size if size is None and len(parts) == 1 else size
            expected: list[tuple] = [(size,)]
            if parts is state[name]:
                expected = [shape for _, shape in self.layout or []]
            found = [part.shape for part in parts]
            if found != expected:
                raise ValueError(
                    f"{who}.set_state: expected {name} of shape {_told(expected)}, got "
                    f"{_told(found)}. The state comes from another model."
                )
        if self.size is None and slots:
            first = next(iter(slots.values()))[0]
            self.build(first.size, first.dtype)
        if self.size is not None:
            self._start_anew()
        try:
            for name, parts in slots.items():
                setattr(self, name, self._filled(parts))
        except ValueError:  # arrays in a damaged file
            self._start_anew()
            raise
        for name, value in scalars.items():
            setattr(self, name, value)

    def _filled(self, parts: Sequence[Any]) -> np.ndarray:
        """Return a slot with these numbers: all of it, or an array per parameter."""
        slot = device.aligned_zeros(self.size, self.dtype)
        whole = len(parts) == 1 and parts[0].shape == slot.shape
        starts = [0] if whole else [start for start, _ in self._parts()]
        for start, part in zip(starts, parts):
            slot[start : start + part.size] = part.reshape(-1)
        return slot

    def get_weights(self) -> list[np.ndarray]:
        """
        Return the state in Keras's order: iterations, then each slot per parameter.

        Before the first training call the list is empty. RMSprop, Adagrad and Adadelta
        leave out the iterations; `get_state` leaves out nothing.
        """
        if self.size is None:
            return []
        first = [np.asarray(self.iterations, np.int64)]
        weights = first if self.weights_start_with_iterations else []
        for name in self.slots:
            slot = getattr(self, name)
            for start, shape in self._parts():
                stop = start + math.prod(shape)
                if slot is None:
                    weights.append(np.zeros(shape, self.dtype))
                else:
                    weights.append(slot[start:stop].reshape(shape).copy())
        return weights

    def set_weights(self, weights: Sequence[np.ndarray]) -> None:
        """
        Take over a list like that of `get_weights`.

        Raises
        ------
        ValueError
            If the number of arrays or a shape differs; then nothing has changed.
        """
        who = type(self).__name__
        current = self.get_weights()
        arrays = [np.asarray(array) for array in weights]
        if len(arrays) != len(current):
            hint = (
                "" if current else " The state exists from the first training call on."
            )
            raise ValueError(
                f"{who}.set_weights: expected {len(current)} arrays, got {len(arrays)}."
                + hint
            )
        for i, (old, new) in enumerate(zip(current, arrays)):
            if old.shape != new.shape:
                raise ValueError(
                    f"{who}.set_weights: expected array {i} of shape {old.shape}, got "
                    f"{new.shape}."
                )
        if self.weights_start_with_iterations and arrays:
            self.iterations = int(arrays.pop(0))
        count = len(self._parts())
        for i, name in enumerate(self.slots):
            setattr(self, name, self._filled(arrays[i * count : (i + 1) * count]))

    def _parts(self) -> list[tuple[int, tuple[int, ...]]]:
        return [(0, (self.size or 0,))] if self.layout is None else self.layout

    # ---- configuration ------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """Return every argument of the constructor as a plain value."""
        config = {
            name: float(value) if isinstance(value, Setting) else value
            for name, value in ((n, getattr(self, n)) for n in self._arguments())
        }
        for name in ("clipnorm", "clipvalue"):
            if getattr(self, name) is not None:
                config[name] = getattr(self, name)
        return {
            name: value.item() if isinstance(value, np.generic) else value
            for name, value in config.items()
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Optimizer:
        """Make an optimizer from what `get_config` returned."""
        return cls(**config)

    @classmethod
    def _arguments(cls) -> list[str]:
        parameters = inspect.signature(cls).parameters.values()
        return [p.name for p in parameters if p.kind is not p.VAR_KEYWORD]

    def _refuse(self, unknown: Iterable[str]) -> None:
        for name in unknown:
            known = ", ".join([*self._arguments(), "clipnorm", "clipvalue"])
            raise TypeError(
                f"{type(self).__name__}: unknown keyword {name!r}. Known: {known}."
            )

    def _at_least_zero(self, name: str, value: float) -> float:
        if not value >= 0:
            raise ValueError(
                f"{type(self).__name__}: expected {name} >= 0, got {value!r}."
            )
        return float(value)

    def _limit(self, value: float | None, name: str) -> float | None:
        return None if value is None else self._at_least_zero(name, value)

    def _fraction(self, name: str, value: float) -> float:
        if not 0 <= value < 1:
            raise ValueError(
                f"{type(self).__name__}: expected 0 <= {name} < 1, got {value!r}."
            )
        return float(value)

    def _epsilon(self, value: float | None) -> float:
        return (
            device.epsilon() if value is None else self._at_least_zero("epsilon", value)
        )


def _as_parts(values: Any) -> list[Any]:
    """Return the arrays that a slot is made of: one for all, or one per parameter."""
    if isinstance(values, list) and all(hasattr(part, "reshape") for part in values):
        return values
    return [np.asarray(values)]


def _told(shapes: list[tuple]) -> str:
    return ", ".join(map(str, shapes)) or "no array"
