"""
Where several values meet, and where one value parts: Merge and Fork.

Merge joins branches into one value: as first layer of a model it gives the model
several inputs, after a Fork it makes a residual connection. Fork gives a model several
outputs. Read next: `joining.py` for the ways to join, `stack.py` for how branches run.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .autodiff import Recording
from .functions import expect_arguments, expect_slope, shape_by_trial
from .joining import (
    Add,
    Average,
    Concatenate,
    Cosine,
    Dot,
    Maximum,
    Merging,
    Multiply,
    Subtract,
)
from .layer import show_shape, unique_name
from .stack import Parallel, Stack, as_paths, fits
from .utils import function_entry, get_custom_objects, lookup, own_function

PASSED_ON = ("dtype", "input_shape", "batch_input_shape", "batch_size", "weights")

MODES = {
    "sum": Add,
    "mul": Multiply,
    "ave": Average,
    "max": Maximum,
    "concat": Concatenate,
    "dot": Dot,
    "cos": Cosine,
    "sub": Subtract,
}


class Merge(Stack):
    """
    Join several branches, or the several arrays that come in, into one array.

    As first layer of a model over branches with input shapes of their own, it gives the
    model one input per branch. Over branches without, it may stand anywhere: they all
    get the same input. Without branches it joins what a Fork hands on.

    Parameters
    ----------
    layers : list of layers and models, optional
        The branches, at least two.
    mode : str, function or object
        'sum', 'mul', 'ave', 'max', 'sub': number by number; 'concat': along an axis;
        'dot': sum of products; 'cos': cosine of the angle, shape (N, 1, 1) for rows. Or
        a function of the list of arrays, written with numpy or the backend K; or an
        object with methods `forward(inputs)` -> array and `backward(dy, inputs)` ->
        list of gradients.
    concat_axis : int
        For 'concat', counted with the batch.
    dot_axes : int or pair of int
        For 'dot' and 'cos': the axis of each array that is summed over.
    output_shape : tuple or function
        For a function or an object as mode: the shape of one sample, or a function from
        the list of input shapes to the whole shape. A function can do without.
    output_mask : array or function, optional
        For a function or an object as mode: the mask of the result if an input has one,
        or a function from the list of masks.
    arguments : dict, optional
        For a function or an object as mode: more keyword arguments.

    Raises
    ------
    ValueError
        If the mode is unknown, or the shapes do not fit together.

    Examples
    --------
    >>> from kerasnb import Sequential
    >>> from kerasnb.layers import Dense
    >>> left, right = Dense(4, input_shape=(3,)), Dense(4, input_shape=(5,))
    >>> model = Sequential([Merge([left, right], mode="concat"), Dense(1)])
    >>> model.input_shape, model.output_shape
    ([(None, 3), (None, 5)], (None, 1))
    """

    only_launches = True

    def __init__(
        self,
        layers=None,
        mode="sum",
        concat_axis=-1,
        dot_axes=-1,
        output_shape=None,
        output_mask=None,
        arguments=None,
        name=None,
        trainable=True,
        **kwargs,
    ):
        for keyword in kwargs:
            if keyword not in PASSED_ON:
                raise TypeError(self._explain_unknown(keyword))
        if layers is not None:
            as_paths(layers, "Merge")
        name = name or unique_name(type(self).__name__)
        self.mode, self.concat_axis, self.dot_axes = mode, concat_axis, dot_axes
        self.declared = {
            "output_shape": _own(output_shape),
            "output_mask": _own(output_mask),
            "arguments": arguments or None,
        }
        self.way: Any = self._choose_way(layers, {"name": name, **kwargs})
        super().__init__([self.way], name, trainable)

    def _choose_way(self, layers, options):
        """Return the layer that does the work."""
        self.mode = _own(self.mode)
        if callable(self.mode) or hasattr(self.mode, "forward"):
            return Custom(layers, self.mode, *self.declared.values(), **options)
        known = isinstance(self.mode, str)
        kind = lookup(self.mode if known else repr(self.mode), MODES, "merge mode")
        for argument, value in self.declared.items():
            if value is not None:
                raise ValueError(
                    f"{options['name']}: {argument} is only for a function or an "
                    f"object as mode, the mode is {self.mode!r}."
                )
        if kind is Concatenate:
            options["axis"] = self.concat_axis
        elif issubclass(kind, Dot):
            options.update(axes=self.dot_axes, normalize=self.mode == "cos")
        way = kind(layers, **options)
        if kind is Maximum:
            way.joint_masking = "refuse"
        return way

    @property
    def branches(self):
        """Return the layers and models whose outputs are joined."""
        return self.way.branches

    @property
    def formula(self) -> str:
        """Return how the branches are joined."""
        return self.way.formula

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain values."""
        axes = self.dot_axes
        declared = {name: _entry(value) for name, value in self.declared.items()}
        return {
            **Parallel.get_config(self.way),
            "trainable": self.trainable,
            "mode": _entry(self.mode),
            "concat_axis": self.concat_axis,
            "dot_axes": list(axes) if isinstance(axes, tuple) else axes,
            **declared,
        }


def _own(value: Any) -> Any:
    """Return the function that a configuration means, everything else as it is."""
    is_entry = isinstance(value, dict) and "class_name" in value
    named = isinstance(value, str) and value in get_custom_objects()
    return own_function(value) if is_entry or named else value


def _entry(value: Any) -> Any:
    """Return a function as it stands in a configuration, a tuple as a list."""
    if isinstance(value, tuple):
        return list(value)
    return function_entry(value, MODES) if callable(value) else value


class FunctionWay:
    """The two directions of a function of several arrays."""

    def __init__(self, function, name):
        expect_arguments(f"{name}: mode", function, "inputs")
        self.function, self.name = function, name

    def forward(self, inputs, **arguments):
        """Return what the function makes of the arrays."""
        self.recording = Recording(self.function, inputs, (), arguments, together=True)
        return self.recording.value

    def backward(self, dy, inputs, **arguments):
        """Return the gradients of the arrays."""
        expect_slope(self.recording, self.name, "the inputs")
        return self.recording.gradients(dy)


class Custom(Merging):
    """Join by a function or an object of one's own: see Merge."""

    def __init__(self, layers, way, shape, mask, arguments, **kwargs):
        super().__init__(layers, **kwargs)
        self.arguments = arguments or {}
        if not hasattr(way, "forward"):
            shape = shape or self._shape_of(way)
            way = FunctionWay(way, self.name)
        if not hasattr(way, "backward"):
            raise TypeError(
                f"{self.name}: an object as mode needs the methods forward(inputs), "
                "which returns the joined array, and backward(dy, inputs), which "
                "returns a list of gradients. Or pass a function of the inputs."
            )
        if shape is None:
            raise ValueError(
                f"{self.name}: an object as mode needs output_shape, the shape of one "
                "sample, or a function from the list of input shapes to the shape."
            )
        self.way, self.shape, self.mask_of = way, shape, mask
        self.joint_masking = "consume" if mask is None else "pass"

    def _shape_of(self, function):
        def of_arrays(*arrays):
            return function(list(arrays), **self.arguments)

        return lambda shapes: shape_by_trial(of_arrays, shapes, self.dtype, self.name)

    def merge_shapes(self, shapes):
        """Return the shape that the user declared, or that the function makes."""
        if callable(self.shape):
            return tuple(self.shape(list(shapes)))
        return (shapes[0][0], *self.shape)

    def merge_masks(self, masks):
        """Return the mask that the user declared."""
        return self.mask_of(masks) if callable(self.mask_of) else self.mask_of

    def merge(self, xs):
        """Return what the user's function makes of the arrays."""
        y = self.way.forward(list(xs), **self.arguments)
        y = np.ascontiguousarray(y, self.dtype)
        if len(y) != len(xs[0]) or not fits(self.y_shape, y.shape):
            raise ValueError(
                f"{self.name}: the result is an array of shape {y.shape}, but "
                f"output_shape says {self.y_shape}."
            )
        return y

    def unmerge(self, dy):
        """Return the gradient of each array that was joined."""
        dxs = self.way.backward(dy, list(self.xs), **self.arguments)
        dxs = [np.ascontiguousarray(dx, self.dtype) for dx in dxs]
        if [dx.shape for dx in dxs] != self._shapes:
            raise ValueError(
                f"{self.name}: backward must return one gradient per input, of shapes "
                f"{show_shape(self._shapes)}, got {show_shape([d.shape for d in dxs])}."
            )
        return dxs


class Fork(Parallel):
    """
    Give the same array to several heads: a list with one array per head comes out.

    As last layer of a model it makes one output per head, under the head's name.
    Further down it is followed by a layer that joins, such as Add(): a way around.

    forward     yk = head_k(x)
    backward    dx = sum over k of dxk

    Parameters
    ----------
    heads : list of layers and models
        At least two. A head that ends with a Fork itself counts once for each output.

    Examples
    --------
    >>> from kerasnb import Sequential
    >>> from kerasnb.layers import Dense
    >>> heads = [Dense(1, name="age"), Dense(3, "softmax", name="kind")]
    >>> model = Sequential([Dense(8, "relu", input_shape=(4,)), Fork(heads)])
    >>> model.output_names, model.output_shape
    (['age', 'kind'], [(None, 1), (None, 3)])
    """

    only_launches = True
    parts = "heads"
    takes_several = False

    def __init__(self, heads, name=None, **kwargs):
        super().__init__([] if heads is None else heads, name=name, **kwargs)

    @property
    def heads(self):
        """Return the layers and models that get the input."""
        return self.branches

    def _input_shape_of_branches(self):
        shapes = (path.batch_input_shape for path in self._paths)
        return next((shape for shape in shapes if shape is not None), None)
