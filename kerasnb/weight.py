"""
A weight: one array of numbers that a layer owns and training changes.

Its gradient has the same shape. In a compiled model both are views of two flat vectors,
one for all weights and one for all gradients. Read next: `parameters.py`, which makes
these vectors, and `layer.py`, whose layers make the weights.
"""

from __future__ import annotations

import numpy as np


class Weight:
    """
    One array of numbers that training changes (or keeps, if not trainable).

    Attributes
    ----------
    value : array
        The numbers. In a compiled model it is a view of the model's flat vector.
    grad : array or None
        Gradient of the loss, same shape. None means that nobody wants it. In a compiled
        model it is a view as well, for which room is made when it is first asked for.
    name : str
        Layer name, slash, name within the layer, ':0'.
    regularizer, constraint : object or None
        Penalty added to the loss; projection applied after each update.
    """

    def __init__(self, value, name, trainable=True, regularizer=None, constraint=None):
        self.value = value
        self._grad = None
        self.lender = None  # the vector of gradients that has a place for this one
        self.name = name
        self.trainable = trainable
        self.regularizer = regularizer
        self.constraint = constraint

    @property
    def grad(self):
        """Return the gradient of the loss, or None if nobody wants it."""
        if self._grad is None and self.lender is not None:
            self.lender.lend()
        return self._grad

    @grad.setter
    def grad(self, array):
        if array is None or array is not self._grad:
            self.lender = None
        self._grad = array

    def __getstate__(self):
        """Leave the other weights out of a copy."""
        return {**vars(self), "_grad": self.grad, "lender": None}

    @property
    def shape(self) -> tuple:
        """Return the shape of the array."""
        return self.value.shape

    def check(self, value) -> np.ndarray:
        """Return the new value as an array, or refuse one of another shape."""
        value = np.asarray(value)
        if value.shape != self.value.shape:
            raise ValueError(
                f"{self.name}: expected a weight of shape {self.value.shape}, "
                f"got {value.shape}."
            )
        return value

    def assign(self, value) -> None:
        """Copy new numbers into the weight; their shape must be the weight's."""
        self.value[...] = self.check(value)

    def __repr__(self):
        return f"<Weight {self.name} {self.value.shape} {self.value.dtype}>"
