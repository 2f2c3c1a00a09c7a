"""
All trainable weights of a compiled model, as views of one flat vector.

One vector of values, one of gradients and one per optimizer slot: an update is one
kernel, a norm is one sum, a checkpoint is one block. Each weight starts on a cache line
(64 bytes); the padding between stays zero. Read next: `optimizers.py`, which updates
the vector without knowing what a layer is.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from . import device
from .layer import Weight

CACHE_LINE = 64  # bytes


class Parameters:
    """
    Move weights into one flat vector.

    Parameters
    ----------
    weights : list of Weight
        Their values are copied in; then each `value` and `grad` is a view.

    Attributes
    ----------
    value, grad : vectors
        All weights, all gradients. Room for these is made when they are first asked
        for: a model that only predicts never needs it.
    layout : list of (start, shape)
        Where each weight lies.
    """

    def __init__(self, weights: list[Weight]):
        dtypes = {weight.value.dtype for weight in weights}
        if len(dtypes) > 1:
            raise TypeError(
                "compile: all trainable weights of a model must have one dtype, got "
                f"{' and '.join(sorted(dtype.name for dtype in dtypes))}."
            )
        dtype = dtypes.pop() if dtypes else np.dtype(device.floatx())
        self.weights = list(weights)
        self.layout = []
        size = 0
        for weight in weights:
            self.layout.append((size, weight.shape))
            line = CACHE_LINE // dtype.itemsize
            size += -(-weight.value.size // line) * line
        self.value = device.aligned_zeros(size, dtype)
        self._grad: np.ndarray | None = None
        self._views = []
        for weight, value in zip(weights, self._parts(self.value)):
            value[...] = weight.value
            weight.value, weight.grad, weight.lender = value, None, self
            self._views.append(value)

    def _parts(self, vector: np.ndarray) -> Iterator[np.ndarray]:
        """Yield a view of the vector for each weight."""
        for start, shape in self.layout:
            yield vector[start : start + math.prod(shape)].reshape(shape)

    @property
    def grad(self) -> np.ndarray:
        """Return all gradients."""
        return self.lend() if self._grad is None else self._grad

    def lend(self) -> np.ndarray:
        """Make room for the gradients, give each weight its own and return them all."""
        self._grad = device.aligned_zeros(self.value.size, self.value.dtype)
        for weight, grad in zip(self.weights, self._parts(self._grad)):
            if weight.lender is self:
                weight.grad, weight.lender = grad, self
        return self._grad

    def hold(self, weights: list[Weight]) -> bool:
        """Return whether these weights are still the ones, and still views of ours."""
        return len(weights) == len(self.weights) and all(
            new is old and new.value is value and new.lender is self
            for new, old, value in zip(weights, self.weights, self._views)
        )
