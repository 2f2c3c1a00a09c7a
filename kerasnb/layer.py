"""
The contract that every layer keeps, and the weights it owns.

A layer is built once, when the shape of its input is known; then `forward` turns an
input batch into an output batch and `backward` turns the gradient of the output into
the gradient of the input, filling the gradient of each weight on the way. All arrays
that a step needs are buffers of the layer, made at the first batch and used again.
Read next: `layers.py` for Dense, the first layer worth knowing.
"""

from __future__ import annotations

import difflib
import inspect
import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from . import device, initializers
from .formula import formula_of
from .renames import adopt
from .state import Stateful
from .weight import Weight

Shape = tuple  # of int or None; axis 0 is the batch
Shapes = Shape | list[Shape]  # where several arrays flow, their shapes are a list

KEPT_VIEWS = 64  # batch shapes that a buffer remembers before it starts anew

_names: dict[str, int] = defaultdict(int)


def snake_case(class_name: str) -> str:
    """Return a class name in small letters: 'MaxPooling2D' becomes 'max_pooling2d'."""
    name = re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", class_name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def unique_name(class_name: str) -> str:
    """Return the snake-cased class name and the next free number: 'max_pooling2d_1'."""
    return numbered(snake_case(class_name))


def numbered(base: str) -> str:
    """Return a name with the next free number behind it."""
    _names[base] += 1
    return f"{base}_{_names[base]}"


def reserve_name(name: str) -> None:
    """Keep `unique_name` from giving a name that came from a file once more."""
    base, _, number = name.rpartition("_")
    if number.isdecimal():
        _names[base] = max(_names[base], int(number))


def reset_names() -> None:
    """Start the numbers of default names again from 1."""
    _names.clear()


class Layer(Stateful):
    """
    Base class of all layers.

    A layer of one's own defines `build` (make the weights with `add_weight`),
    `compute_output_shape`, `forward(x, training)`, `backward(dy)` and `get_config`.
    The README has a page about it; `kerasnb.check_layer` proves the result.

    Parameters
    ----------
    name : str, optional
        Default: the snake-cased class name and a number, 'dense_1'.
    trainable : bool
        Whether training changes the weights.
    dtype : str, optional
        'float32' or 'float64'. Default: `kerasnb.floatx()`.
    input_shape, batch_input_shape, batch_size, input_dim
        Shape of the input, for the first layer of a model: without the batch axis, with
        it, the batch size alone, or the number of features of a flat input.
    weights : list of arrays, optional
        Initial values, in the order of `get_weights`.

    Attributes
    ----------
    masking : str
        What the layer does with a mask: "refuse" (default), "pass" it on, "consume"
        it, or "make" one.
    mask : array or None
        The mask (N, T) that came with the input of the latest `forward`.
    needs_dx : bool
        False when nobody reads what `backward` returns: it need not be computed.
    owns_dy : bool
        True when nobody else reads what `backward` is given: it may be overwritten. So
        it is in the layers of a compiled model, which pass gradients along.
    frozen : bool
        True when a model around the layer has `trainable=False`.
    activity_regularizer : Regularizer or None
        Penalty on the output; the model adds it and its gradient.
    only_launches : bool
        True in the body of a class whose `forward` and `backward` do nothing but launch
        kernels of `ops` on buffers, with numbers that stay the same: its steps may be
        replayed. Not inherited.
    operations_per_number : int
        Floating-point operations for each number that comes out, beside products with
        weights; an activation is one of them. For `flops`.
    hands_on : bool
        Whether the output is the input, or that of a layer inside, in whatever shape,
        and takes no memory of its own.
    takes_several : bool
        Whether the input may be a list of arrays; shapes and masks are lists then too.
    takes_codes : bool
        Whether the input is whole numbers that `as_input` looks at one by one.
    state_names : tuple of str
        Attributes beside the weights that a saved model keeps, such as a random stream.
    """

    masking = "refuse"
    dialect = 2  # 1 in the classes of keras1.py
    stateful = False
    operations_per_number = 1
    hands_on = False
    takes_several = takes_codes = False
    frozen = owns_dy = False

    def __init_subclass__(cls, **kwargs):
        """Let the constructor understand the words of Keras 1 too."""
        super().__init_subclass__(**kwargs)
        adopt(cls)

    def __init__(
        self,
        name=None,
        trainable=True,
        dtype=None,
        input_shape=None,
        batch_input_shape=None,
        batch_size=None,
        input_dim=None,
        weights=None,
        **unknown,
    ):
        if unknown:
            raise TypeError(self._explain_unknown(next(iter(unknown))))
        self.name = name or unique_name(type(self).__name__)
        self.trainable = trainable
        self.dtype = np.dtype(dtype or device.floatx()).name
        if input_dim is not None and input_shape is None:
            input_shape = (input_dim,)
        if batch_input_shape is None and input_shape is not None:
            batch_input_shape = (batch_size, *_as_shape(self, input_shape))
        self.batch_input_shape = batch_input_shape and tuple(batch_input_shape)
        self.initial_weights = weights
        self.activity_regularizer = None
        self.built = False
        self.input_shape = self.output_shape = None
        self.needs_dx = True
        self.mask = None
        self._weights: list[Weight] = []
        self._storage: dict[str, np.ndarray] = {}
        self._views: dict[tuple, np.ndarray] = {}
        self._home = device.place()

    def build(self, input_shape: Shapes) -> None:
        """Make the weights for inputs of this shape (batch axis first)."""

    def compute_output_shape(self, input_shape: Shapes) -> Shapes:
        """Return the shape of the output for inputs of this shape."""
        return input_shape

    def get_output_shape_for(self, input_shape: Shapes) -> Shapes:
        """Return `compute_output_shape`, which Keras 1 called by this name."""
        return self.compute_output_shape(input_shape)

    def forward(self, x, training):
        """Return the output for a batch; keep what `backward` will read."""
        raise NotImplementedError(f"{type(self).__name__} has no forward.")

    def backward(self, dy):
        """Fill the gradients of the weights and return the gradient of the input."""
        raise NotImplementedError(f"{type(self).__name__} has no backward.")

    def compute_mask(self, x, mask):
        """Return the mask of the output, given the input and its mask."""
        if mask is None or self.masking == "pass":
            return mask
        if self.masking == "consume":
            return None
        raise TypeError(
            f"{self.name}: {type(self).__name__} does not support masks but its input "
            "has one. Drop the layer that makes the mask (Masking, or Embedding with "
            "mask_zero=True), or put a layer in between that consumes it."
        )

    def trace_mask(self, maker):
        """
        Return the layer that makes the output's mask, given the maker of the input's.

        Several arrays have a list of makers; without a mask the maker is None. This
        finds out, before any data flow, that a layer would meet a mask it refuses.
        """
        if self.masking == "make":
            return self
        if self.masking == "refuse" and maker is not None:
            raise TypeError(
                f"{self.name}: {type(self).__name__} does not support masks, but "
                f"{maker.name} makes one. Remove {maker.name}, or put a layer that "
                "consumes the mask in between."
            )
        return None if self.masking == "consume" else maker

    def reset_states(self) -> None:
        """Forget what a stateful layer, or one inside, keeps from batch to batch."""
        for layer in self.sublayers:
            if layer.stateful:
                layer.reset_states()

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain values."""
        config: dict[str, Any] = {"name": self.name, "trainable": self.trainable}
        if self.batch_input_shape is not None:
            config["batch_input_shape"] = list(self.batch_input_shape)
        config["dtype"] = self.dtype
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Layer:
        """Make a layer from what `get_config` returned."""
        return cls(**config)

    # ---- building -----------------------------------------------------------------

    def connect(self, input_shape: Shapes) -> Shapes:
        """Build the layer if it is not built yet, and return its output shape."""
        self.expect_one(input_shape)
        output_shape = self.compute_output_shape(input_shape)
        if not self.built:
            self.build(input_shape)
            self.built = True
            if self.initial_weights is not None:
                self.set_weights(self.initial_weights)
                self.initial_weights = None
        self.input_shape, self.output_shape = input_shape, output_shape
        return output_shape

    def add_weight(
        self,
        name: str,
        shape: Shape,
        initializer="glorot_uniform",
        regularizer=None,
        constraint=None,
        trainable: bool = True,
    ) -> Weight:
        """Make a weight of this layer and return it."""
        value = initializers.first_values(initializer, shape, self.dtype)
        value = device.here(np.ascontiguousarray(value, self.dtype))
        full_name = f"{self.name}/{name}:0"
        weight = Weight(value, full_name, trainable, regularizer, constraint)
        self._weights.append(weight)
        return weight

    def __call__(self, x, training=False):
        """Apply the layer to an array (or several), building it first if need be."""
        self.settle()
        if self.takes_several and isinstance(x, (list, tuple)):
            x = [one.as_input(array) for one, array in zip(self._take(len(x)), x)]
        else:
            x = self._take(1)[0].as_input(x)
        x = each(device.here, x)
        shape = each(lambda array: (None, *array.shape[1:]), x)
        if self.built:
            self.compute_output_shape(shape)
        else:
            self.connect(shape)
        self.mask = None  # a model around this layer may have left its own
        return each(np.array, self.forward(x, training))

    def as_input(self, x, what: str = "x") -> np.ndarray:
        """Return numbers that come from outside in the type that `forward` wants."""
        if device.is_there(x):
            return x
        return np.require(x, self.dtype, ["C", "W"])

    @property
    def receivers(self) -> list[Layer]:
        """Return the layers that `as_input` is asked of: one for each input."""
        return [self] * len(self.input_names)

    def _take(self, count):
        """Return who receives so many inputs, as far as that is known."""
        found = self.receivers
        return found if len(found) == count else [self] * count

    @property
    def input_names(self) -> list[str]:
        """Return the names under which a dict holds the inputs of a first layer."""
        return [f"{self.name}_input"]

    @property
    def output_names(self) -> list[str]:
        """Return the names under which a dict holds the targets of a last layer."""
        return [self.name]

    # ---- weights ------------------------------------------------------------------

    @property
    def sublayers(self) -> list[Layer]:
        """Return the layers inside this one: a model has some."""
        return []

    def walk(self) -> Iterator[Layer]:
        """Yield this layer and all layers inside it."""
        yield self
        for layer in self.sublayers:
            yield from layer.walk()

    @property
    def weights(self) -> list[Weight]:
        """Return all weights, the trainable ones first."""
        return self.trainable_weights + self.non_trainable_weights

    @property
    def trainable_weights(self) -> list[Weight]:
        """Return the weights that training changes: none if the layer is frozen."""
        return [w for w in self._weights if w.trainable] if self.trainable else []

    @property
    def non_trainable_weights(self) -> list[Weight]:
        """Return the weights that training leaves alone."""
        return [w for w in self._weights if not (w.trainable and self.trainable)]

    def get_weights(self) -> list[np.ndarray]:
        """Return copies of the weights, the trainable ones first."""
        return [weight.value.copy() for weight in self.weights]

    def set_weights(self, values) -> None:
        """
        Set all weights from a list of arrays in the order of `get_weights`.

        Raises
        ------
        ValueError
            If the number of arrays or one of the shapes differs; then nothing changed.
        """
        weights = self.weights
        if len(values) != len(weights):
            raise ValueError(
                f"{self.name}: expected {len(weights)} weight arrays, "
                f"got {len(values)}."
            )
        checked = [weight.check(value) for weight, value in zip(weights, values)]
        for weight, value in zip(weights, checked):
            weight.assign(value)

    def count_params(self) -> int:
        """Return the number of scalars in all weights."""
        if not self.built:
            raise RuntimeError(
                f"{self.name}: cannot count parameters before the layer is built. "
                "Give the first layer an input_shape, or call build."
            )
        return sum(weight.value.size for weight in self.weights)

    # ---- what it computes, and how much ---------------------------------------------

    @property
    def formula(self) -> str:
        """Return what `forward` computes: its line in the docstring of the class."""
        return formula_of(self)

    def inner_shapes(self, input_shape: Shapes) -> list[tuple[Layer, Shapes]]:
        """Return the layers inside that do its work, and what shapes reach them."""
        return []

    def multiply_adds(self, input_shape: Shapes) -> int:
        """Return how many products with weights `forward` adds up: none by default."""
        return sum(
            one.multiply_adds(shape) for one, shape in self.inner_shapes(input_shape)
        )

    def simple_operations(self, input_shape: Shapes) -> int:
        """Return how many other operations it does: so many a number that comes out."""
        inner = self.inner_shapes(input_shape)
        if inner:
            return sum(one.simple_operations(shape) for one, shape in inner)
        is_linear = getattr(getattr(self, "activation", None), "is_linear", False)
        each_number = self.operations_per_number - is_linear
        return each_number * count_numbers(self.compute_output_shape(input_shape))

    def flops(self, input_shape: Shapes) -> int:
        """
        Return the floating-point operations of `forward`; a multiply-add is two.

        An activation counts as one for each number. An axis of None counts as one, so
        that (None, 784) stands for a single sample.

        Examples
        --------
        >>> from kerasnb.layers import Dense
        >>> Dense(10, activation="relu").flops((None, 784))
        15690
        """
        products = self.multiply_adds(input_shape)
        return 2 * products + self.simple_operations(input_shape)

    def backward_flops(self, input_shape: Shapes) -> int:
        """
        Return the same for `backward`.

        The products come once for the gradients of the weights, unless these are
        frozen, and once for that of the input, unless nobody reads it.
        """
        inner = self.inner_shapes(input_shape)
        if inner:
            return sum(one.backward_flops(shape) for one, shape in inner)
        learns = bool(self.trainable_weights) and not self.frozen
        products = self.multiply_adds(input_shape) * (learns + bool(self.needs_dx))
        return 2 * products + self.simple_operations(input_shape)

    # ---- buffers ------------------------------------------------------------------

    x_shape: Shape | None = None  # of the input that the buffers were fetched for

    def settle(self) -> None:
        """Move what the layer keeps to the device in use; buffers are made anew."""
        for layer in self.walk():
            if layer._home != device.place():
                layer._move()

    def _move(self):
        buffers = {id(view) for view in self._views.values()}
        moved: dict[int, Any] = {}
        for name, value in vars(self).items():
            if id(value) not in buffers:
                setattr(self, name, _moved(value, moved))
        self.forget_buffers()
        self._home = device.place()

    def forget_buffers(self) -> None:
        """Let the next batch make all buffers anew."""
        self._storage, self._views, self.x_shape = {}, {}, None

    def rooms(self) -> list:
        """Return the arrays that the buffers are views of."""
        return list(self._storage.values())

    def buffer(self, name: str, shape: Shape, dtype=None) -> np.ndarray:
        """Return the layer's array of this name and shape, with any contents."""
        view = self._views.get((name, shape))
        return self._new_view(name, shape, dtype) if view is None else view

    def grad_of(self, weight: Weight, name: str) -> np.ndarray:
        """Return where a weight's gradient goes: its own room, or a spare one."""
        return self.buffer(name, weight.shape) if weight.grad is None else weight.grad

    def over(self, dy: np.ndarray, name: str) -> np.ndarray:
        """Return where a gradient computed from dy may go: over it, or beside."""
        return dy if self.owns_dy else self.buffer(name, dy.shape)

    def _new_view(self, name, shape, dtype):
        size = math.prod(shape)
        storage = self._storage.get(name)
        if storage is None or storage.size < size or len(self._views) > KEPT_VIEWS:
            self._views = {key: v for key, v in self._views.items() if key[0] != name}
            storage = device.aligned_zeros(size, dtype or self.dtype)
            self._storage[name] = storage
        view = self._views[name, shape] = storage[:size].reshape(shape)
        return view

    # ---- errors -------------------------------------------------------------------

    def expect_rank(
        self, input_shape: Shape, rank: int, at_least: bool = False
    ) -> None:
        """Refuse an input of the wrong number of axes."""
        found = len(input_shape)
        if found != rank and not (at_least and found > rank):
            wanted = f"at least {rank}" if at_least else f"{rank}"
            raise ValueError(
                f"{self.name}: {type(self).__name__} expects an input with {wanted} "
                f"axes (the batch included), got shape {show_shape(input_shape)}."
                f"{_rank_hint(found, rank)}"
            )

    def expect_one(self, input_shape: Shapes) -> None:
        """Refuse a list of inputs, unless the layer takes several."""
        if isinstance(input_shape, list) and not self.takes_several:
            raise ValueError(
                f"{self.name}: {type(self).__name__} expects one array, got "
                f"{len(input_shape)} of shapes {show_shape(input_shape)}. Join them "
                "first, for example with a Concatenate() layer."
            )

    def _explain_unknown(self, keyword):
        known = {
            name
            for cls in type(self).__mro__
            for name in inspect.signature(cls.__init__).parameters
        } - {"self", "kwargs", "args", "unknown"}
        close = difflib.get_close_matches(keyword, known, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        return f"{type(self).__name__}: unknown argument {keyword!r}.{hint}"

    def __repr__(self):
        return f"<{type(self).__name__} {self.name}>"


def _moved(value, done):
    """Return a value with its arrays in the memory of the device in use."""
    if isinstance(value, Weight):
        value.value, value.grad = device.here(value.value), None
    elif isinstance(value, (list, tuple)) and type(value) in (list, tuple):
        return type(value)(_moved(one, done) for one in value)
    elif device.is_array(value):
        if id(value) not in done:
            done[id(value)] = device.here(value)
        return done[id(value)]
    return value


def count_numbers(shape: Shapes) -> int:
    """Return how many numbers an array of this shape has; None counts as one."""
    return sum(math.prod(n or 1 for n in one) for one in shapes_of(shape))


def shapes_of(shape: Shapes) -> list[Shape]:
    """Return the list of shapes of a model that has one or several."""
    return shape if isinstance(shape, list) else [shape]


def each(function: Callable, value):
    """Apply a function to a value, or to every one in a list of values."""
    return [function(v) for v in value] if isinstance(value, list) else function(value)


def show_shape(shape: Shapes) -> str:
    """Write a shape, or several, with the word 'batch' for an unknown first axis."""
    if isinstance(shape, list):
        return ", ".join(show_shape(one) for one in shape)
    axes = ["batch" if shape[0] is None else str(shape[0])]
    axes += [str(axis) for axis in shape[1:]]
    return f"({', '.join(axes)}{',' if len(axes) == 1 else ''})"


def _as_shape(layer, shape):
    try:
        shape = tuple(None if axis is None else int(axis) for axis in shape)
    except (TypeError, ValueError):
        raise TypeError(
            f"{layer.name}: input_shape must be a tuple of integers such as (784,), "
            f"got {shape!r}."
        ) from None
    if any(axis is not None and axis < 1 for axis in shape):
        raise ValueError(
            f"{layer.name}: every axis of input_shape must be positive, got {shape}."
        )
    return shape


def _rank_hint(found: int, rank: int) -> str:
    """Return how an input of the wrong number of axes most likely came about."""
    if (found, rank) == (2, 3):
        return (
            " Sequences have the shape (batch, steps, features); a recurrent layer "
            "below passes them on with return_sequences=True."
        )
    if (found, rank) == (3, 4):
        return (
            " Images need an axis of channels, one for grey: x[..., None], and an "
            "input_shape such as (28, 28, 1)."
        )
    return " Put a Flatten() below." if found > rank == 2 else ""
