"""
All trainable weights of a compiled model, as views of one flat vector.

One vector of values, one of gradients and one per optimizer slot: an update is one
kernel, a norm is one sum, a checkpoint is one block. Each weight starts on a cache line
(64 bytes); the padding between stays zero. Read next: `optimizers.py`, which updates
the vector without knowing what a layer is.
"""

from __future__ import annotations

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
        All weights, all gradients.
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
        self.grad = device.aligned_zeros(size, dtype)
        self._views = []
        for weight, (start, shape) in zip(weights, self.layout):
            stop = start + weight.value.size
            value = self.value[start:stop].reshape(shape)
            grad = self.grad[start:stop].reshape(shape)
            value[...] = weight.value
            weight.value, weight.grad = value, grad
            self._views.append((value, grad))

    def hold(self, weights: list[Weight]) -> bool:
        """Return whether these weights are still the ones, and still views of ours."""
        return len(weights) == len(self.weights) and all(
            new is old and new.value is value and new.grad is grad
            for new, old, (value, grad) in zip(weights, self.weights, self._views)
        )
