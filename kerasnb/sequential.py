"""
Sequential: a stack of layers, each feeding the next.

The stack itself keeps the layer contract (build, forward, backward, weights, config),
so a model can be a layer of another model. Training lives in `training.py`. Read next:
`stack.py` for forward and backward, `training.py` for `fit`.
"""

from __future__ import annotations

from typing import Any

from . import layers as layers_module
from .copying import Copying
from .explanation import Explanation, explain
from .layer import Layer
from .saving import Saving
from .stack import (
    Stack,
    as_lists,
    as_shapes,
    entries_of,
    layers_of,
    mask_after,
    refuse_shared,
    shape_after,
)
from .summary import Costs, summary_lines
from .training import Training
from .utils import positive_integer


class Sequential(Training, Saving, Copying, Stack):
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
        Stack.__init__(self, name=name, trainable=trainable)
        if isinstance(layers, Layer):
            raise TypeError(
                "Sequential: expected a list of layers, got a layer. Write "
                "Sequential([first, second])."
            )
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
        refuse_shared([*self.walk(), *layer.walk()], f"add: {self.name}")
        shape = layer.batch_input_shape
        if self.built:
            shape_after([layer], self.output_shape)
            mask_after([*self._stack, layer])
            self.output_shape = layer.connect(self.output_shape)
        elif not self._stack and shape is not None:
            self.connect_stack([layer], shape)
            self.batch_input_shape, self.built = shape, True
        elif not self._stack:
            self.dtype = layer.dtype
        self._stack.append(layer)
        self._objective = None
        self.owns_dy, self.needs_dx = False, True

    def pop(self) -> None:
        """Take the top layer off the stack; with none left, raise a TypeError."""
        if not self.layers:
            raise TypeError(f"pop: there are no layers in {self.name}.")
        self._stack.pop()
        self._objective = None
        self.owns_dy, self.needs_dx = False, True
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
            if index not in range(-len(layers), len(layers)):
                raise ValueError(
                    f"get_layer: index {index!r} is out of range, {self.name} has "
                    f"{len(layers)} layers."
                )
            return layers[int(index)]
        if name is None:
            raise ValueError("get_layer: give the name or the index of a layer.")
        for layer in layers:
            if layer.name == name:
                return layer
        known = ", ".join(layer.name for layer in layers)
        hint = "" if isinstance(name, str) else f" A number is an index: index={name}."
        raise ValueError(
            f"get_layer: no layer named {name!r}. There are: {known}.{hint}"
        )

    # ---- building -----------------------------------------------------------------

    def build(self, input_shape=None) -> None:
        """Build all layers for inputs of this shape (or these), batch axis first."""
        if not self._stack:
            raise ValueError(f"build: {self.name} has no layers. Add some first.")
        if input_shape is None:
            if self.built:
                return
            raise ValueError(
                f"build: {self.name} needs an input shape. Give the first layer "
                "input_shape=(...), or call build((None, ...))."
            )
        shape = as_shapes(input_shape)
        self.connect_stack(self._stack, shape)
        self._built_late = self.batch_input_shape is None
        self.batch_input_shape, self.built = shape, True

    # ---- configuration, summary ---------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """Return the name and the configuration of every layer as plain values."""
        config: dict[str, Any] = {
            "name": self.name,
            "layers": entries_of(self._stack),
        }
        if not self.trainable:
            config["trainable"] = False
        if self._built_late:
            config["build_input_shape"] = as_lists(self.input_shape)
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
        model = cls(name=config.get("name"), trainable=config.get("trainable", True))
        for layer in layers_of(config["layers"], custom_objects):
            model.add(layer)
        if config.get("build_input_shape"):
            model.build(config["build_input_shape"])
            model._built_late = True
        return model

    def summary(
        self,
        line_length=None,
        positions=None,
        print_fn=None,
        flops=False,
        memory=False,
        batch_size=1,
    ) -> None:
        """
        Print a table of layers, output shapes and parameter counts.

        Parameters
        ----------
        line_length : int
            Width, default 65, and 16 more for each column more.
        positions : list of numbers, one a column
            Where the columns end: fractions of the width, or columns.
        print_fn : callable
            Gets each line; default `print`.
        flops : bool
            Add the floating-point operations of a batch, forward, layer by layer, and
            those of a training step in all; a multiply-add is two (an extension).
        memory : bool
            Add the bytes of each layer's output for a batch, and what training holds in
            all: parameters, gradients, optimizer, activations (an extension).
        batch_size : int
            Samples in the batch of `flops` and `memory`.

        Raises
        ------
        ValueError
            If the model is not built, or `positions` has not one number a column.
        """
        if not self.built:
            raise ValueError(
                f"summary: {self.name} is not built. Give the first layer "
                "input_shape=(...), or call build((None, ...)) or fit first."
            )
        costs = Costs(self, positive_integer(batch_size, "summary: batch_size"))
        lines = summary_lines(self, line_length, positions, costs, flops, memory)
        for line in lines:
            (print_fn or print)(line)

    # ---- one batch, told layer by layer ---------------------------------------------

    def explain(self, x, y=None, sample_weight=None, training=None) -> Explanation:
        """
        Pass one batch through the model and tell, layer by layer, what happened.

        For each layer: shapes, formula, parameters, the range of what comes out and of
        its gradient, units that are dead in this batch, time and floating-point
        operations. Nothing is changed: weights, optimizer, states, random numbers.

        Parameters
        ----------
        x, y, sample_weight
            A batch, as for `train_on_batch`. Without y there are no gradients, and the
            model need not be compiled.
        training : bool, optional
            Whether layers such as Dropout behave as in training; default: with y.

        Returns
        -------
        Explanation
            Prints as a table; `.rows` has a dict for each layer, which can also be had
            by name, `.plot()` draws it.

        Raises
        ------
        RuntimeError
            If there are targets and the model is not compiled.
        ValueError
            If the batch does not fit the model.

        Examples
        --------
        >>> from kerasnb.layers import Dense
        >>> model = Sequential([Dense(8, activation="relu", input_shape=(4,))])
        >>> told = model.explain([[0.0, 1.0, 2.0, 3.0]])
        >>> told[0]["formula"], told[0]["params"]
        ('z = x W + b, y = relu(z)', 40)
        """
        return explain(self, x, y, sample_weight, training)
