"""
Wrappers: layers that apply another layer in a new way.

TimeDistributed looks at every time step as if it were a sample of its own, so that any
layer for single images or rows serves sequences of them. Bidirectional reads a sequence
from both ends, with two copies of a recurrent layer. Read next: `stack.py`, whose
stacks run what is wrapped.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from .device import ops
from .layer import Layer, Shape, count_numbers, show_shape
from .recurrent import RNN
from .stack import Composite, Stack, entries_of, layers_of
from .utils import lookup


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
        self._path.owns_dy = False
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

    only_launches = hands_on = True

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

    def inner_shapes(self, input_shape):
        """Return the layer, for the large batch of all steps of all samples."""
        N, T, *step = input_shape
        return [(self._path, ((N or 1) * (T or 1), *step))]

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


class Bidirectional(Wrapper):
    """
    Let two copies of a recurrent layer read a sequence, one of them from its end.

    forward     a = layer(x),  b = copy that goes the other way(x),  sequences of b
                turned round,  y = (a, b) side by side, a + b, (a + b) / 2 or a b
    backward    dx = what both say about x, added

    The weights are those of the forward layer, then those of the backward layer. A mask
    goes to both.

    Parameters
    ----------
    layer : RNN
        A recurrent layer that is not built yet; both copies are made from it.
    merge_mode : {'concat', 'sum', 'ave', 'mul', None}
        None gives the list [a, b], for a layer that joins or as two outputs.

    Attributes
    ----------
    forward_layer, backward_layer : RNN
        The copies; their names begin with 'forward_' and 'backward_'.

    Raises
    ------
    TypeError, ValueError
        If the layer is not a recurrent one, or built, or the merge_mode is unknown.

    Examples
    --------
    >>> from kerasnb.layers import LSTM
    >>> Bidirectional(LSTM(4, return_sequences=True))(np.ones((2, 5, 3))).shape
    (2, 5, 8)
    """

    only_launches = True

    def __init__(self, layer, merge_mode="concat", **kwargs):
        self.forward_layer = self.backward_layer = None
        super().__init__(layer, **kwargs)
        if not isinstance(layer, RNN):
            raise TypeError(
                f"{self.name}: expected a recurrent layer such as LSTM(8), got "
                f"{layer!r}."
            )
        if layer.built:
            raise ValueError(
                f"{self.name}: {layer.name} is built already, but two new layers are "
                "made from it. Pass a new layer."
            )
        if merge_mode is not None:
            merge_mode = lookup(merge_mode, MERGES, f"merge_mode of {self.name}:")
        self.merge_mode = merge_mode
        if self.batch_input_shape is None:
            self.batch_input_shape = layer.batch_input_shape
        self.forward_layer = copy.deepcopy(layer)
        self.backward_layer = copy.deepcopy(layer)
        self.backward_layer.go_backwards = not layer.go_backwards
        self.backward_layer.turns_sequences = True
        self._paths = []
        for way, twin in zip(("forward", "backward"), self.sublayers):
            for part in twin.walk():
                part.name = f"{way}_{part.name}"
            twin.batch_input_shape = None
            self._paths.append(Stack([twin], twin.name))
        self.needs_dx = self.needs_dx

    @property
    def sublayers(self):
        """Return the layers of both ways."""
        found = (self.forward_layer, self.backward_layer)
        return [layer for layer in found if layer is not None]

    @property
    def masking(self):
        """Return what both layers do with a mask."""
        return self.layer.masking

    def build(self, input_shape):
        """Build both layers."""
        for path in self._paths:
            path.connect(input_shape)

    def compute_output_shape(self, input_shape):
        """Return the shape of both outputs, joined."""
        shape = self.forward_layer.compute_output_shape(input_shape)
        if self.merge_mode is None:
            return [shape, shape]
        return (*shape[:-1], 2 * shape[-1]) if self.merge_mode == "concat" else shape

    def inner_shapes(self, input_shape):
        """Return both layers."""
        return [(path, input_shape) for path in self._paths]

    def simple_operations(self, input_shape):
        """Return those of both layers, and those that join what they make."""
        return super().simple_operations(input_shape) + self._joining(input_shape)

    def backward_flops(self, input_shape):
        """Return those of both layers, and those that join what they make."""
        return super().backward_flops(input_shape) + self._joining(input_shape)

    def _joining(self, input_shape):
        each_number = {"sum": 1, "mul": 1, "ave": 2}.get(self.merge_mode, 0)
        return each_number * count_numbers(self.compute_output_shape(input_shape))

    def forward(self, x, training):
        """Return what both layers make of x, joined."""
        for path in self._paths:
            path.mask = self.mask
        ys = [path.forward(x, training) for path in self._paths]
        self.ys = ys
        if self.merge_mode is None:
            return ys
        a, b = ys
        if self.merge_mode == "concat":
            y = self.buffer("y", (*a.shape[:-1], 2 * a.shape[-1]))
            ops.place_columns(_columns(y), _columns(a), 0)
            ops.place_columns(_columns(y), _columns(b), a.shape[-1])
            return y
        y = self.buffer("y", a.shape)
        if self.merge_mode == "mul":
            ops.multiply_arrays(_flat(y), _flat(a), _flat(b))
        else:
            ops.add_scaled(_flat(y), _flat(a), _flat(b), 1.0)
        if self.merge_mode == "ave":
            ops.scale_array(_flat(y), _flat(y), 0.5)
        return y

    def backward(self, dy):
        """Fill the gradients of both layers, return dx."""
        dxs = [path.backward(d) for path, d in zip(self._paths, self._dealt(dy))]
        if not self.needs_dx:
            return None
        dx = self.buffer("dx", dxs[0].shape)
        ops.add_scaled(_flat(dx), _flat(dxs[0]), _flat(dxs[1]), 1.0)
        return dx

    def _dealt(self, dy):
        """Return the gradients of what both layers made."""
        if self.merge_mode in (None, "sum"):
            return dy if self.merge_mode is None else [dy, dy]
        found = [self.buffer(f"d{way}", self.ys[0].shape) for way in range(2)]
        for way, d in enumerate(found):
            if self.merge_mode == "concat":
                ops.cut_columns(_columns(d), _columns(dy), way * d.shape[-1])
            elif self.merge_mode == "mul":
                ops.multiply_arrays(_flat(d), _flat(dy), _flat(self.ys[1 - way]))
            else:
                ops.scale_array(_flat(d), _flat(dy), 0.5)
        return found

    def compute_mask(self, x, mask):
        """Return the mask if all steps are returned."""
        mask = self.forward_layer.compute_mask(x, mask)
        several = self.merge_mode is None and mask is not None
        return [mask, mask] if several else mask

    def trace_mask(self, maker):
        """Return the maker of the input's mask, if that is handed on."""
        maker = self.forward_layer.trace_mask(maker)
        return [maker, maker] if self.merge_mode is None else maker

    def reset_states(self, states=None):
        """
        Let the next batch start from zeros, or from the given states.

        Parameters
        ----------
        states : list of arrays, optional
            Those of the forward layer, then those of the backward layer.
        """
        if states is None:
            for layer in self.sublayers:
                layer.reset_states()
            return
        half = len(states) // 2
        first, second = states[:half], states[half:]
        kept = self.forward_layer.states
        self.forward_layer.reset_states(first)
        try:
            self.backward_layer.reset_states(second)
        except ValueError:
            self.forward_layer.states = kept
            raise

    # ---- what a wrapper asks of the layer inside ----------------------------------

    @property
    def trainable(self):
        """Return whether training changes the weights of both layers."""
        return self.layer.trainable

    @trainable.setter
    def trainable(self, trainable):
        for layer in (self.layer, *self.sublayers):
            layer.trainable = trainable

    @property
    def needs_dx(self):
        """Return whether somebody reads what `backward` returns."""
        return self._needs_dx

    @needs_dx.setter
    def needs_dx(self, needed):
        self._needs_dx = needed
        for path in getattr(self, "_paths", ()):
            path.frozen = self.frozen or not self.trainable
            path.owns_dy = False
            path.needs_dx = needed

    @property
    def output_names(self):
        """Return the layer's own name, or those of both layers if there is a list."""
        if self.merge_mode is None:
            return [layer.name for layer in self.sublayers]
        return [self.name]

    def get_config(self):
        """Return the constructor's arguments as plain values."""
        return {**super().get_config(), "merge_mode": self.merge_mode}


MERGES = {name: name for name in ("concat", "sum", "ave", "mul")}


def _columns(a: np.ndarray) -> np.ndarray:
    """Return (..., K) as (rows, K)."""
    return a.reshape(-1, a.shape[-1])


def _flat(a: np.ndarray) -> np.ndarray:
    """Return an array as one vector."""
    return a.reshape(-1)


def _one_step(shape: Shape) -> Shape:
    """Return the shape of a batch of steps."""
    return (None, *shape[2:])


def _folded(a: np.ndarray) -> np.ndarray:
    """Return (N, T, ...) as (N T, ...)."""
    return a.reshape(-1, *a.shape[2:])
