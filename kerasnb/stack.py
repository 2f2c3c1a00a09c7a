"""
Layers made of layers: in a row, and side by side.

A Stack passes a batch and its mask from layer to layer, and a gradient back; Sequential
is a stack with a training loop. Parallel runs several stacks side by side: each on an
input of its own, or all on the same one; its output is a list with an array per stack.
Read next: `sequential.py`, and `merge.py` for what begins and ends with several arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .device import ops
from .layer import Layer, Shapes, Weight, each, show_shape
from .renames import OLD_NAMES
from .utils import custom_object_scope, lookup


class Composite(Layer):
    """A layer with layers inside: their weights are its weights."""

    parts = "layers"  # where the configuration holds them

    @property
    def weights(self) -> list[Weight]:
        """Return all weights, layer by layer, the trainable ones of a layer first."""
        inner = (weight for layer in self.sublayers for weight in layer.weights)
        return [*self._weights, *inner]

    @property
    def trainable_weights(self) -> list[Weight]:
        """Return the weights that training changes: none if the whole is frozen."""
        if not self.trainable:
            return []
        inner = (w for layer in self.sublayers for w in layer.trainable_weights)
        return [*super().trainable_weights, *inner]

    @property
    def non_trainable_weights(self) -> list[Weight]:
        """Return the weights that training leaves alone."""
        if not self.trainable:
            return self.weights
        inner = (w for layer in self.sublayers for w in layer.non_trainable_weights)
        return [*super().non_trainable_weights, *inner]

    @property
    def stateful(self):
        """Return whether a layer inside keeps a state from batch to batch."""
        return any(layer.stateful for layer in self.sublayers)

    @property
    def masking(self):
        """Return "make" if a mask may come from inside; `compute_mask` knows."""
        makes = any(layer.masking == "make" for layer in self.sublayers)
        return "make" if makes else "pass"

    output_mask: Any = None

    def compute_mask(self, x, mask):
        """Return the mask, or the list of masks, that `forward` found."""
        return self.output_mask

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Make the layer, and those inside, from what `get_config` returned."""
        config = dict(config)
        if config.get(cls.parts) is not None:
            config[cls.parts] = layers_of(config[cls.parts], custom_objects)
        return cls(**config)


class Stack(Composite):
    """
    Layers in a row, each feeding the next.

    forward     its layers, one after the other

    Parameters
    ----------
    layers : list of Layer
    name : str, optional
    """

    only_launches = hands_on = True
    _built_late = False

    def __init__(self, layers: Sequence[Layer] = (), name=None, trainable=True):
        self._stack = list(layers)
        Layer.__init__(self, name=name, trainable=trainable)
        if self._stack:
            self.dtype = self._stack[0].dtype
            self.batch_input_shape = self._stack[0].batch_input_shape

    @property
    def sublayers(self) -> list[Layer]:
        """Return the layers of the stack."""
        return self._stack

    # ---- building -----------------------------------------------------------------

    def connect(self, input_shape):
        """Build the stack if need be, and return its output shape."""
        if not self._stack:
            raise ValueError(f"{self.name} has no layers.")
        if self.built:
            return self.compute_output_shape(input_shape)
        self.build(input_shape)
        self.built = True
        return self.output_shape

    def build(self, input_shape):
        """Build all layers for inputs of this shape, batch axis first."""
        self.connect_stack(self._stack, input_shape)

    def connect_stack(self, stack: list[Layer], shape: Shapes) -> None:
        """Build these layers for this shape, or refuse before anything is built."""
        shape_after(stack, shape)
        mask_after(stack)
        first = shape
        for layer in stack:
            shape = layer.connect(shape)
        self.input_shape, self.output_shape = first, shape
        self.dtype = stack[0].dtype

    def compute_output_shape(self, input_shape):
        """Return the shape after the last layer."""
        if self.built and not fits(self.input_shape, input_shape):
            raise ValueError(
                f"{self.name}: expected input of shape {show_shape(self.input_shape)}, "
                f"got {show_shape(input_shape)}. It was built for the former."
            )
        return shape_after(self._stack, input_shape)

    def trace_mask(self, maker):
        """Return which layer makes the mask that leaves the stack."""
        return mask_after(self._stack, maker)

    @property
    def takes_several(self):
        """Return whether the first layer takes a list of arrays."""
        return bool(self._stack) and self._stack[0].takes_several

    # ---- forward and backward -----------------------------------------------------

    def forward(self, x, training):
        """Pass a batch through all layers, and its mask with it."""
        mask = self.mask
        for layer in self._stack:
            layer.mask = mask
            y = layer.forward(x, training)
            if mask is not None or layer.masking == "make":
                mask = layer.compute_mask(x, mask)
            if layer.activity_regularizer is not None:
                layer.activity = y
            x = y
        self.output_mask = mask
        return x

    def backward(self, dy):
        """Pass a gradient back through all layers that need it."""
        for layer in self._learning:
            if layer.activity_regularizer is not None:
                own = self.buffer(f"d {layer.name}", dy.shape)
                own[...] = dy
                layer.activity_regularizer.add_gradient(own, layer.activity)
                dy = own
            dy = layer.backward(dy)
        return dy

    @property
    def needs_dx(self) -> bool:
        """Return whether somebody reads what `backward` returns."""
        return self._needs_dx

    @needs_dx.setter
    def needs_dx(self, needed: bool) -> None:
        """Decide how deep `backward` must go: to the lowest layer that learns."""
        self._needs_dx = needed
        learning = []
        for layer in self._stack:
            layer.frozen = self.frozen or not self.trainable
            layer.owns_dy = self.owns_dy
            layer.needs_dx = needed
            needed = needed or self.trainable and bool(layer.trainable_weights)
            if needed:
                learning.append(layer)
        self._learning = learning[::-1]

    # ---- operations ---------------------------------------------------------------

    def inner_shapes(self, input_shape):
        """Return the layers, and the shape that reaches each."""
        found = []
        for layer in self._stack:
            found.append((layer, input_shape))
            input_shape = layer.compute_output_shape(input_shape)
        return found

    def backward_flops(self, input_shape):
        """Return the sum over the layers that a gradient reaches."""
        return sum(
            layer.backward_flops(shape)
            for layer, shape in self.inner_shapes(input_shape)
            if layer in self._learning
        )

    # ---- names --------------------------------------------------------------------

    @property
    def input_names(self) -> list[str]:
        """Return the names under which a dict holds the inputs."""
        several = isinstance(self.input_shape, list)
        open_shape = not self.built and self.batch_input_shape is None
        if not self._stack or (self._built_late or open_shape) and not several:
            return [f"{self.name}_input"]
        first = self._stack[0]
        names = first.input_names
        nested = isinstance(first, Stack) and len(names) == 1
        return [f"{first.name}_input"] if nested else names

    @property
    def receivers(self) -> list[Layer]:
        """Return the layers that get the inputs: those of the first that computes."""
        found = (layer.receivers for layer in self._stack)
        return next(filter(None, found), None) or super().receivers

    @property
    def output_names(self) -> list[str]:
        """Return the names under which a dict holds the targets: the last layer's."""
        if not self._stack:
            return [self.name]
        last = self._stack[-1]
        names = last.output_names
        return names if len(names) > 1 else [last.name]


class Parallel(Composite):
    """
    Layers side by side: a list of arrays comes out.

    What comes in as a list is dealt out: each branch gets one array, a branch that
    itself takes several as many as it needs. A single array goes into all branches, and
    `backward` adds up what they say about it.

    Parameters
    ----------
    branches : list of layers and models, optional
        At least two; None leaves the list that comes in as it is.
    """

    operations_per_number = 0  # beside those of the branches
    hands_on = True
    _intakes: list | None = None

    def __init__(self, branches=None, dtype=None, **kwargs):
        given = branches is not None
        self._paths = as_paths(branches, type(self).__name__) if given else []
        self.branches = list(branches) if given else []
        if given and dtype is None:
            dtype = self._paths[0].dtype
        super().__init__(dtype=dtype, **kwargs)
        self._check_branches()

    def _check_branches(self):
        """Refuse branches that cannot stand side by side."""
        for path in self._paths:
            if path.dtype != self.dtype:
                raise TypeError(
                    f"{self.name}: all branches must compute in {self.dtype}, but "
                    f"{path.name} computes in {path.dtype}."
                )
        names = [path.name for path in self._paths]
        refuse_repeated(names, f"{self.name}: the branch name")
        refuse_repeated(self.output_names, f"{self.name}: the output name")
        parts = [layer for branch in self.branches for layer in branch.walk()]
        refuse_shared(parts, self.name)

    @property
    def sublayers(self) -> list[Layer]:
        """Return the branches."""
        return self.branches

    # ---- building -----------------------------------------------------------------

    @property
    def takes_several(self):
        """Return whether a list may come in: not if all branches share one input."""
        return isinstance(self.input_shape or self.batch_input_shape or [], list)

    @property
    def batch_input_shape(self):
        """Return the one shape of a shared input, or the list of the branches' own."""
        if self._own_input_shape is not None or not self._paths:
            return self._own_input_shape
        if isinstance(self.input_shape, tuple):
            return self.input_shape
        return self._input_shape_of_branches()

    @batch_input_shape.setter
    def batch_input_shape(self, shape):
        self._own_input_shape = shape

    def _input_shape_of_branches(self):
        shapes: list = []
        for path in self._paths:
            shape = path.batch_input_shape
            shapes += shape if isinstance(shape, list) else [shape]
        return None if None in shapes else shapes

    def build(self, input_shape):
        """Build all branches, and note which input and outputs belong to each."""
        if isinstance(input_shape, list):
            refuse_repeated(self.input_names, f"{self.name}: the input name")
        self._intakes = self._find_intakes()
        outputs = [
            path.connect(shape)
            for path, shape in zip(self._paths, self._deal(input_shape))
        ]
        self._outlets = places(outputs)

    def compute_output_shape(self, input_shape):
        """Return the list of the branches' output shapes."""
        if not self._paths:
            return input_shape
        self._check_count(input_shape)
        shapes: list = []
        for path, shape in zip(self._paths, self._deal(input_shape)):
            path.expect_one(shape)
            shape = path.compute_output_shape(shape)
            shapes += shape if isinstance(shape, list) else [shape]
        return shapes

    def _check_count(self, input_shape):
        several = isinstance(input_shape, list)
        if self.built and several != isinstance(self.input_shape, list):
            raise ValueError(
                f"{self.name}: was built for inputs of shape "
                f"{show_shape(self.input_shape)}, got {show_shape(input_shape)}."
            )
        if several:
            expected = sum(
                place.stop - place.start if isinstance(place, slice) else 1
                for place in self._find_intakes()
            )
            if len(input_shape) != expected:
                names = ", ".join(path.name for path in self._paths)
                raise ValueError(
                    f"{self.name}: the branches {names} take {expected} inputs in all, "
                    f"got {len(input_shape)} of shapes {show_shape(input_shape)}."
                )

    def _find_intakes(self):
        """Return which of several inputs each branch takes; one if it does not say."""
        return places([path.batch_input_shape for path in self._paths])

    def _deal(self, values):
        """Return what each branch gets: its own of a list, or all the same."""
        if isinstance(values, list):
            intakes = self._intakes or self._find_intakes()
            return [values[place] for place in intakes]
        return [values] * len(self._paths)

    def trace_mask(self, maker):
        """Return which layers make the masks that leave the branches."""
        if not self._paths:
            return maker
        makers: list = []
        for path, one in zip(self._paths, self._deal(maker)):
            one = path.trace_mask(one)
            makers += one if isinstance(one, list) else [one]
        return makers

    # ---- forward and backward -----------------------------------------------------

    def forward(self, x, training):
        """Return what leaves the branches, in one list."""
        if not self._paths:
            self.output_mask = self.mask
            return x
        outputs, masks = [], []
        for path, x, mask in zip(self._paths, self._deal(x), self._deal(self.mask)):
            path.mask = mask
            y = path.forward(x, training)
            if isinstance(y, list):
                outputs += y
                masks += path.output_mask or [None] * len(y)
            else:
                outputs.append(y)
                masks.append(path.output_mask)
        masked = any(mask is not None for mask in masks)
        self.output_mask = masks if masked else None
        return outputs

    def backward(self, dy):
        """Return the gradients of the inputs, or the sum over the branches."""
        if not self._paths:
            return dy
        dxs = [
            path.backward(dy[place]) for path, place in zip(self._paths, self._outlets)
        ]
        if not self.needs_dx:
            return None
        if not isinstance(self.input_shape, list):
            return self._total(dxs)
        flat: list = []
        for dx in dxs:
            flat += dx if isinstance(dx, list) else [dx]
        return flat

    def _total(self, dxs):
        """Add up the gradients of the input that all branches shared."""
        total = self.buffer("dx", dxs[0].shape)
        flat, so_far = total.reshape(-1), dxs[0]
        for dx in dxs[1:]:
            ops.add_scaled(flat, so_far.reshape(-1), dx.reshape(-1), 1.0)
            so_far = total
        return total

    def inner_shapes(self, input_shape):
        """Return the branches, and the shape that reaches each."""
        shapes = self._deal(input_shape) if self._paths else []
        return list(zip(self._paths, shapes))

    @property
    def needs_dx(self) -> bool:
        """Return whether somebody reads what `backward` returns."""
        return self._needs_dx

    @needs_dx.setter
    def needs_dx(self, needed: bool) -> None:
        self._needs_dx = needed
        for path in self._paths:
            path.frozen = self.frozen or not self.trainable
            path.owns_dy = False  # the branches may have got the same
            path.needs_dx = needed

    # ---- names and configuration --------------------------------------------------

    @property
    def input_names(self) -> list[str]:
        """Return the names of the inputs: the branches' own, if each has its own."""
        shape = self.input_shape or self.batch_input_shape
        if isinstance(shape, tuple):
            return [f"{self.name}_input"]
        if self._paths:
            return [name for path in self._paths for name in path.input_names]
        count = len(shape) if shape else 1
        return [f"{self.name}_input_{number + 1}" for number in range(count)]

    @property
    def receivers(self) -> list[Layer]:
        """Return the layers that get the inputs: the branches' own, if each has its."""
        if self._paths and len(self.input_names) > 1:
            return [layer for path in self._paths for layer in path.receivers]
        return super().receivers

    @property
    def output_names(self) -> list[str]:
        """Return the names of the branches, or of a branch's outputs if it has many."""
        found: list[str] = []
        for path in self._paths:
            names = path.output_names
            found += names if len(names) > 1 else [path.name]
        return found

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain values."""
        config = super().get_config()
        if isinstance(self.batch_input_shape, list):  # the branches say it
            del config["batch_input_shape"]
        config[self.parts] = entries_of(self.branches) if self._paths else None
        return config


# ---- what both need ---------------------------------------------------------------


def as_paths(branches, owner: str) -> list[Stack]:
    """Return branches as stacks: models are, single layers become a stack of one."""
    if not isinstance(branches, (list, tuple)):
        raise TypeError(f"{owner}: expected a list of layers, got {branches!r}.")
    for branch in branches:
        if not isinstance(branch, Layer):
            hint = " Did you forget the parentheses?" * isinstance(branch, type)
            raise TypeError(f"{owner}: expected layers, got {branch!r}.{hint}")
        if isinstance(branch, Stack) and not branch.sublayers:
            raise ValueError(f"{owner}: the model {branch.name} has no layers.")
    if len(branches) < 2:
        raise ValueError(f"{owner}: expected at least two layers, got {len(branches)}.")
    return [b if isinstance(b, Stack) else Stack([b], b.name) for b in branches]


def shape_after(stack: list[Layer], shape: Shapes) -> Shapes:
    """Return the shape after these layers, or refuse it; nothing is built."""
    for layer in stack:
        layer.expect_one(shape)
        shape = layer.compute_output_shape(shape)
    return shape


def mask_after(stack: list[Layer], maker=None):
    """Return which layer makes the mask after these layers; see `Layer.trace_mask`."""
    for layer in stack:
        maker = layer.trace_mask(maker)
    return maker


def fits(expected: Shapes, found: Shapes) -> bool:
    """Return whether shapes agree apart from the batch; None agrees with every size."""
    if isinstance(expected, list) or isinstance(found, list):
        both = isinstance(expected, list) and isinstance(found, list)
        return both and len(expected) == len(found) and all(map(fits, expected, found))
    return len(expected) == len(found) and all(
        a is None or b is None or a == b for a, b in zip(expected[1:], found[1:])
    )


def places(values: list) -> list:
    """Return where each value goes in a flat list: an index, or a slice for a list."""
    found: list = []
    at = 0
    for value in values:
        size = len(value) if isinstance(value, list) else 1
        found.append(slice(at, at + size) if isinstance(value, list) else at)
        at += size
    return found


def refuse_repeated(names: list[str], what: str) -> None:
    """Refuse a list in which a name occurs twice."""
    for name in names:
        if names.count(name) > 1:
            raise ValueError(
                f"{what} {name!r} is used twice. Give each layer a name of its own."
            )


def refuse_shared(parts: list[Layer], owner: str) -> None:
    """Refuse a list in which one layer occurs twice: its gradients would not add up."""
    seen: set[int] = set()
    for layer in parts:
        if id(layer) in seen:
            raise ValueError(
                f"{owner}: the layer {layer.name!r} is used twice. One layer cannot "
                "stand in two places of a model; make a second one."
            )
        seen.add(id(layer))


def entries_of(stack: list[Layer]) -> list[dict[str, Any]]:
    """Return the class and the configuration of each layer as plain values."""
    return [described(layer) for layer in stack]


def described(layer: Any) -> dict[str, Any]:
    """Return the class and the configuration of a layer, and its dialect if it is 1."""
    entry = {"class_name": type(layer).__name__, "config": layer.get_config()}
    return {**entry, "dialect": 1} if layer.dialect == 1 else entry


def layers_of(entries, custom_objects=None) -> list[Layer]:
    """Make layers, with fresh weights, from what `entries_of` returned."""
    from . import keras1, layers, sequential  # here: they import this module

    old = {name: new for name, new in OLD_NAMES.items() if new in layers.CLASSES}
    known = {name: layers.CLASSES[new] for name, new in old.items()}
    known.update(layers.CLASSES, Sequential=sequential.Sequential)
    known.update(custom_objects or {})
    made = []
    with custom_object_scope(custom_objects or {}):
        for entry in entries:
            kind = lookup(entry["class_name"], known, "layer")
            if entry.get("dialect") == 1:
                kind = keras1.counterpart(kind)
            extra = (custom_objects,) if issubclass(kind, Composite) else ()
            made.append(kind.from_config(entry["config"], *extra))
    return made


def as_shapes(given) -> Shapes:
    """Return a shape as a tuple, and a list of shapes as a list of tuples."""
    given = list(given)
    if given and all(isinstance(one, (list, tuple)) for one in given):
        return [tuple(one) for one in given]
    return tuple(given)


def as_lists(shape: Shapes) -> list:
    """Return a shape, or several, as the lists that a configuration holds."""
    return each(list, shape) if isinstance(shape, list) else list(shape)
