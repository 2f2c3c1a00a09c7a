"""
The weights of a layer by their roles: each has options of its own.

A role is a word such as 'kernel' or 'bias'; the arguments of a layer that begin with it
say how the weight starts, what penalty it pays and how it is constrained. Read next:
`convolution.py` and `gates.py`, whose layers have such arguments.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import constraints, initializers, regularizers
from .layer import Layer, Weight

ROOMS = {
    "initializer": initializers,
    "regularizer": regularizers,
    "constraint": constraints,
}
"""End of an argument's name -> the module that knows what the argument may be."""


class Roles(Layer):
    """
    Base class of layers whose weights have an initializer, a regularizer and so on.

    Attributes
    ----------
    roles : tuple
        The weights that have them.
    """

    roles: tuple[str, ...] = ("kernel", "bias")
    use_bias: bool

    def take_options(self, given: dict[str, Any]) -> None:
        """Store `use_bias` and the options of every role."""
        self.use_bias = bool(given["use_bias"])
        for name, room in self._options():
            setattr(self, name, room.get(given[name]))

    def option_config(self) -> dict[str, Any]:
        """Return what `take_options` took, as plain values."""
        options = ((name, room.serialize) for name, room in self._options())
        config = {name: plain(getattr(self, name)) for name, plain in options}
        return {"use_bias": self.use_bias, **config}

    def _options(self) -> list[tuple[str, Any]]:
        return [
            (f"{role}_{kind}", room)
            for kind, room in ROOMS.items()
            for role in self.roles
        ]

    def make_weight(self, role: str, name: str, shape: tuple[int, ...]) -> Weight:
        """Make the weight of a role, with its initializer and all."""
        return self.add_weight(
            name, shape, *(getattr(self, f"{role}_{kind}") for kind in ROOMS)
        )

    def make_bias(self, *shape: int) -> None:
        """Make b, or zeros in its place that nobody sees."""
        self.b = Weight(np.zeros(shape, self.dtype), "no bias", trainable=False)
        if self.use_bias:
            self.b = self.make_weight("bias", "bias", shape)
