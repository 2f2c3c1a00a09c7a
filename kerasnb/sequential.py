"""
Sequential: a stack of layers, each feeding the next.

The stack itself keeps the layer contract (build, forward, backward, weights, config),
so a model can be a layer of another model. Training lives in `training.py`. Read next:
`layer.py` for the contract, `training.py` for `fit`.
"""

from __future__ import annotations

from typing import Any

from . import layers as layers_module
from .layer import Layer, Weight
from .saving import Saving
from .training import Training
from .utils import lookup


class Sequential(Training, Saving, Layer):
    """
    A linear stack of layers.

    Parameters
    ----------
    layers : list of Layer, optional
        Added in this order.
    name : str, optional
        Default: 'sequential_1', 'sequential_2', ...

    Examples
    --------
    >>> from kerasnb.layers import Dense
    >>> model = Sequential([Dense(8, activation="relu", input_shape=(4,)), Dense(1)])
    >>> model.output_shape
    (None, 1)
    >>> model.count_params()
    49
    """

    only_launches = True

    def __init__(self, layers=None, name=None, trainable=True):
        self._stack: list[Layer] = []
        self._learning: list[Layer] = []
        Layer.__init__(self, name=name)
        self.trainable = trainable
        self._built_late = False
        self.output_mask = None
        for layer in layers or []:
            self.add(layer)

    # ---- the stack ----------------------------------------------------------------

    @property
    def layers(self) -> list[Layer]:
        """Return the added layers; an InputLayer at the bottom is not shown."""
        hidden = self._stack and isinstance(self._stack[0], layers_module.InputLayer)
        return self._stack[1:] if hidden else list(self._stack)

    def add(self, layer: Layer) -> None:
        """
        Put a layer on top of the stack.

        Raises
        ------
        TypeError
            If it is not a layer.
        ValueError
            If the name is taken, a nested model is empty, or the shapes do not fit.
        """
        if not isinstance(layer, Layer):
            hint = " Did you forget the parentheses?" if isinstance(layer, type) else ""
            raise TypeError(f"add: expected a layer, got {layer!r}.{hint}")
        if isinstance(layer, Sequential) and not layer._stack:
            raise ValueError(f"add: the nested model {layer.name} has no layers.")
        if any(layer.name == other.name for other in self._stack):
            raise ValueError(
                f"add: the name {layer.name!r} is used twice in {self.name}. Layer "
                "names must be unique, and one layer cannot be added twice."
            )
        if self.built:
            self._check_mask([*self._stack, layer])
            self.output_shape = layer.connect(self.output_shape)
            self._stack.append(layer)
        else:
            shape = layer.batch_input_shape
            if not self._stack and shape is not None:
                self._connect_stack([layer], shape)
                self._stack.append(layer)
                self.batch_input_shape, self.built = shape, True
            else:
                self._stack.append(layer)
        self._objective = None
        self.needs_dx = True

    def pop(self) -> None:
        """Take the top layer off the stack; with none left, raise a TypeError."""
        if not self.layers:
            raise TypeError(f"pop: there are no layers in {self.name}.")
        self._stack.pop()
        self._objective = None
        self.needs_dx = True
        if not self.layers:
            self.built = bool(self._stack)
            self.batch_input_shape = self._stack and self.input_shape or None
        if self.built:
            self.output_shape = self._stack[-1].output_shape
        else:
            self.input_shape = self.output_shape = None

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """
        Return a layer by index or by name; the index wins.

        Raises
        ------
        ValueError
            If there is no such layer, or neither is given.
        """
        layers = self.layers
        if index is not None:
            if not -len(layers) <= index < len(layers):
                raise ValueError(
                    f"get_layer: index {index} is out of range, {self.name} has "
                    f"{len(layers)} layers."
                )
            return layers[index]
        if name is None:
            raise ValueError("get_layer: give the name or the index of a layer.")
        for layer in layers:
            if layer.name == name:
                return layer
        known = ", ".join(layer.name for layer in layers)
        raise ValueError(f"get_layer: no layer named {name!r}. There are: {known}.")

    # ---- building -----------------------------------------------------------------

    def build(self, input_shape=None) -> None:
        """Build all layers for inputs of this shape, batch axis first."""
        if not self._stack:
            raise ValueError(f"build: {self.name} has no layers. Add some first.")
        if input_shape is None:
            if self.built:
                return
            raise ValueError(
                f"build: {self.name} needs an input shape. Give the first layer "
                "input_shape=(...), or call build((None, ...))."
            )
        shape = tuple(input_shape)
        self._connect_stack(self._stack, shape)
        self._built_late = self.batch_input_shape is None
        self.batch_input_shape, self.built = shape, True

    def _connect_stack(self, stack, shape):
        self._check_mask(stack)
        first = shape
        for layer in stack:
            shape = layer.connect(shape)
        self.input_shape, self.output_shape = first, shape
        self.dtype = stack[0].dtype

    def _check_mask(self, stack):
        """Refuse at once a layer that would meet a mask it does not support."""
        maker = None
        for layer in stack:
            if layer.masking == "make":
                maker = layer
            elif layer.masking == "consume":
                maker = None
            elif layer.masking == "refuse" and maker is not None:
                raise TypeError(
                    f"{layer.name}: {type(layer).__name__} does not support masks, but "
                    f"{maker.name} makes one. Remove {maker.name}, or put a layer that "
                    "consumes the mask in between."
                )

    @property
    def masking(self):
        """Return what the stack as a whole does with a mask."""
        kinds = [layer.masking for layer in self._stack]
        if "make" in kinds and "consume" not in kinds[kinds.index("make") :]:
            return "make"
        for kind in ("refuse", "consume"):
            if kind in kinds:
                return kind
        return "pass"

    def connect(self, input_shape):
        """Build the nested model if need be, and return its output shape."""
        if not self._stack:
            raise ValueError(f"{self.name} has no layers.")
        if self.built:
            self.compute_output_shape(input_shape)
        else:
            self.build(input_shape)
        return self.output_shape

    def compute_output_shape(self, input_shape):
        """Return the shape after the last layer."""
        for layer in self._stack:
            input_shape = layer.compute_output_shape(input_shape)
        return input_shape

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

    def compute_mask(self, x, mask):
        """Return the mask that left the last layer."""
        return self.output_mask

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
            layer.needs_dx = needed
            needed = needed or bool(layer.trainable_weights)
            if needed:
                learning.append(layer)
        self._learning = learning[::-1]

    # ---- weights ------------------------------------------------------------------

    @property
    def sublayers(self) -> list[Layer]:
        """Return the layers of the stack."""
        return self._stack

    @property
    def weights(self) -> list[Weight]:
        """Return all weights, layer by layer, the trainable ones of a layer first."""
        return [weight for layer in self._stack for weight in layer.weights]

    @property
    def trainable_weights(self) -> list[Weight]:
        """Return the weights that training changes: none if the model is frozen."""
        if not self.trainable:
            return []
        return [weight for layer in self._stack for weight in layer.trainable_weights]

    @property
    def non_trainable_weights(self) -> list[Weight]:
        """Return the weights that training leaves alone."""
        if not self.trainable:
            return self.weights
        return [w for layer in self._stack for w in layer.non_trainable_weights]

    @property
    def stateful(self):
        """Return whether a layer keeps a state from batch to batch."""
        return any(layer.stateful for layer in self._stack)

    # ---- names, configuration, summary --------------------------------------------

    @property
    def input_names(self) -> list[str]:
        """Return the name under which a dict holds the input."""
        if not self._stack or self._built_late:
            return [f"{self.name}_input"]
        first = self._stack[0]
        if isinstance(first, layers_module.InputLayer):
            return [first.name]
        return [f"{first.name}_input"]

    @property
    def output_names(self) -> list[str]:
        """Return the name under which a dict holds the targets: the last layer's."""
        return [self._stack[-1].name]

    def get_config(self) -> dict[str, Any]:
        """Return the name and the configuration of every layer as plain values."""
        config: dict[str, Any] = {
            "name": self.name,
            "layers": [
                {"class_name": type(layer).__name__, "config": layer.get_config()}
                for layer in self._stack
            ],
        }
        if not self.trainable:
            config["trainable"] = False
        if self._built_late:
            config["build_input_shape"] = list(self.input_shape)
        return config

    @classmethod
    def from_config(cls, config, custom_objects=None) -> Sequential:
        """
        Make a model, with fresh weights, from what `get_config` returned.

        Parameters
        ----------
        config : dict or list
            A bare list of layer entries is accepted as well.
        custom_objects : dict, optional
            Class name -> class, for layers of your own.
        """
        if isinstance(config, list):
            config = {"layers": config}
        known = {**layers_module.CLASSES, "Sequential": cls, **(custom_objects or {})}
        model = cls(name=config.get("name"), trainable=config.get("trainable", True))
        for entry in config["layers"]:
            made = lookup(entry["class_name"], known, "layer")
            extra = (custom_objects,) if issubclass(made, Sequential) else ()
            model.add(made.from_config(entry["config"], *extra))
        if config.get("build_input_shape"):
            model.build(config["build_input_shape"])
        return model

    def summary(self, line_length=None, positions=None, print_fn=None) -> None:
        """
        Print a table of layers, output shapes and parameter counts.

        Parameters
        ----------
        line_length : int
            Width, default 65.
        positions : list of three numbers
            Where the columns end: fractions of the width, or columns.
        print_fn : callable
            Gets each line; default `print`.

        Raises
        ------
        ValueError
            If the model is not built.
        """
        if not self.built:
            raise ValueError(
                f"summary: {self.name} is not built. Give the first layer "
                "input_shape=(...), or call build((None, ...)) or fit first."
            )
        for line in _summary_lines(self, line_length or 65, positions):
            (print_fn or print)(line)


def _summary_lines(model, width, positions):
    ends = positions or [0.45, 0.85, 1.0]
    if ends[-1] <= 1:
        ends = [int(width * end) for end in ends]

    def row(*fields):
        line = ""
        for field, end in zip(fields, ends):
            line = (line[:-1] + " " if line else "") + str(field)
            line = line[:end].ljust(end)
        return line

    yield "_" * width
    yield row("Layer (type)", "Output Shape", "Param #")
    yield "=" * width
    layers = model.layers
    for layer in layers:
        name = f"{layer.name} ({type(layer).__name__})"
        yield row(name, layer.output_shape, layer.count_params())
        yield ("=" if layer is layers[-1] else "_") * width
    total = model.count_params()
    learned = model.trainable_weights
    if model._parameters is not None:
        learned = model._parameters.weights
    trainable = sum(weight.value.size for weight in learned)
    yield f"Total params: {total:,}"
    yield f"Trainable params: {trainable:,}"
    yield f"Non-trainable params: {total - trainable:,}"
    yield "_" * width
