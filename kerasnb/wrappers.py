"""
Wrappers: layers that apply another layer in a new way.

TimeDistributed looks at every time step as if it were a sample of its own, so that any
layer for single images or rows serves sequences of them. Read next: `stack.py`, whose
stacks run what is wrapped.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .device import ops
from .layer import Layer, Shape, show_shape
from .stack import Composite, Stack, entries_of, layers_of


class Wrapper(Composite):
    """
    Base class of layers around one layer or model, whose weights are theirs.

    Parameters
    ----------
    layer : Layer
        A layer, or a model with one input and one output.

    Raises
    ------
    TypeError
        If it is not a layer, or computes in another precision.
    """

    def __init__(self, layer, dtype=None, trainable=None, **kwargs):
        if not isinstance(layer, Layer):
            hint = " Did you forget the parentheses?" * isinstance(layer, type)
            raise TypeError(
                f"{type(self).__name__}: expected a layer, got {layer!r}.{hint}"
            )
        self.layer = layer
        self._path = layer if isinstance(layer, Stack) else Stack([layer], layer.name)
        if not self._path.sublayers:
            raise ValueError(
                f"{type(self).__name__}: the model {layer.name} has no layers."
            )
        trainable = layer.trainable if trainable is None else trainable
        super().__init__(dtype=dtype or layer.dtype, trainable=trainable, **kwargs)
        if self.dtype != layer.dtype:
            raise TypeError(
                f"{self.name}: cannot compute in {self.dtype}, because {layer.name} "
                f"computes in {layer.dtype}. Give both the same dtype."
            )

    @property
    def sublayers(self) -> list[Layer]:
        """Return the layer inside."""
        return [self.layer]

    @property
    def trainable(self) -> bool:
        """Return whether training changes the weights of the layer inside."""
        return self.layer.trainable

    @trainable.setter
    def trainable(self, trainable: bool) -> None:
        self.layer.trainable = trainable

    @property
    def needs_dx(self) -> bool:
        """Return whether somebody reads what `backward` returns."""
        return self._needs_dx

    @needs_dx.setter
    def needs_dx(self, needed: bool) -> None:
        self._path.frozen = self.frozen or not self.trainable
        self._needs_dx = self._path.needs_dx = needed

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain values."""
        return {**super().get_config(), "layer": entries_of([self.layer])[0]}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Make the wrapper, and the layer inside, from what `get_config` returned."""
        (layer,) = layers_of([config["layer"]], custom_objects)
        return cls(**{**config, "layer": layer})


class TimeDistributed(Wrapper):
    """
    Apply a layer or a model to every time step, always with the same weights.

    forward     y[n, t] = layer(x[n, t])
    backward    dx[n, t] = what the layer makes of dy[n, t]

    All steps of all samples form one large batch (N T, ...), whether the batch size is
    fixed or not: a BatchNormalization inside averages over all of them. A mask of the
    steps is passed on; a mask of what is inside a step goes to the layer, if that takes
    one, and a step whose mask is lost there counts if any part of it did.

    Parameters
    ----------
    layer : Layer
        A layer, or a model with one input and one output.

    Raises
    ------
    TypeError
        If it is not a layer, or computes in another precision.
    ValueError
        If the input has no time axis, or the layer more than one input or output.

    Examples
    --------
    >>> from kerasnb.layers import Dense
    >>> layer = TimeDistributed(Dense(2, kernel_initializer="ones"))
    >>> layer([[[1.0, 2.0], [3.0, 4.0]]])
    array([[[3., 3.],
            [7., 7.]]], dtype=float32)
    """

    only_launches = True

    def build(self, input_shape):
        """Build the layer for single steps."""
        self._path.connect(_one_step(input_shape))

    def compute_output_shape(self, input_shape):
        """Put the time axis in front of what the layer makes of a step."""
        self.expect_rank(input_shape, 3, at_least=True)
        shape = self._path.compute_output_shape(_one_step(input_shape))
        if isinstance(shape, list):
            raise ValueError(
                f"{self.name}: {self.layer.name} has {len(shape)} outputs, of shapes "
                f"{show_shape(shape)}, but only one can be put together again."
            )
        return (*input_shape[:2], *shape[1:])

    def forward(self, x, training):
        """Return the output of every step."""
        self.x_shape = x.shape
        self._path.mask = self._mask_inside()
        y = self._path.forward(_folded(x), training)
        self.output_mask = self._mask_outside(self._path.output_mask)
        return y.reshape(*x.shape[:2], *y.shape[1:])

    def backward(self, dy):
        """Fill the gradients of the weights, return dx."""
        dx = self._path.backward(_folded(dy))
        return dx.reshape(self.x_shape) if self.needs_dx else None

    # ---- masks --------------------------------------------------------------------

    def trace_mask(self, maker):
        """Return the layer inside that makes a mask, or the maker of the input's."""
        return self._path.trace_mask(None) or maker

    def _mask_inside(self):
        """Return the mask of what is inside a step, if the layer takes it."""
        takes_masks = self._path.sublayers[0].masking != "refuse"
        inside = self.mask is not None and self.mask.ndim > 2 and takes_masks
        return _folded(self.mask) if inside else None

    def _mask_outside(self, mask):
        """Return the mask of the output, given the one that the layer returned."""
        if mask is not None:
            return mask.reshape(*self.x_shape[:2], *mask.shape[1:])
        if self.mask is None or self.mask.ndim == 2:
            return self.mask
        any_part = self.buffer("mask", self.x_shape[:2], np.bool_)
        ops.masks_any(any_part.reshape(-1), self.mask.reshape(any_part.size, -1))
        return any_part


def _one_step(shape: Shape) -> Shape:
    """Return the shape of a batch of steps."""
    return (None, *shape[2:])


def _folded(a: np.ndarray) -> np.ndarray:
    """Return (N, T, ...) as (N T, ...)."""
    return a.reshape(-1, *a.shape[2:])
