"""
Activations: the functions that make a network more than one big matrix product.

Each is an object that can be called like a function, `relu(x)`, and that gives a layer
its two kernels, `forward` and `backward`. `get` turns what a user may write for
`activation=` into such an object: a name, a function, an `ActivationFunction`. Read
next: `kernels/formulas/activations.py`, where the formulas stand.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from . import device
from .autodiff import Recording, Taped
from .device import ops
from .functions import expect_arguments, expect_slope, formulas_for
from .utils import FUNCTION, function_entry, lookup, name_of, own_function

READ_Y_ONLY = {"linear", "relu", "selu", "tanh", "sigmoid", "hard_sigmoid"}


class ActivationFunction:
    """
    A function y = f(z), applied to each number of an array, and its derivative.

    forward     y = f(z)
    backward    dz = dy f'(z)

    An activation of one's own is a subclass with these two methods; it hands its
    parameters to `super().__init__` by name. `kerasnb.check_activation` proves it.

    Attributes
    ----------
    name : str
        What `get` knows the activation by.
    params : dict
        The parameters by name, as given to the constructor.
    is_linear : bool
        Whether y is z, so that a layer may leave the activation out.
    is_relu : bool
        Whether y is max(z, 0), which kernels of products can do by the way.
    needs_z : bool
        False if `backward` reads y only, and `forward` may be given z as y too: then a
        layer need not keep z.

    Examples
    --------
    >>> class Square(ActivationFunction):
    ...     name = "square"
    ...
    ...     def forward(self, y, z):
    ...         np.multiply(z, z, out=y)
    ...
    ...     def backward(self, dz, dy, z, y):
    ...         np.multiply(2 * z, dy, out=dz)
    >>> Square()([1.0, -3.0])
    array([1., 9.], dtype=float32)
    """

    name = "activation"
    is_linear = is_relu = False
    needs_z = True

    def __init__(self, **params: Any) -> None:
        self.params = params

    def forward(self, y: np.ndarray, z: np.ndarray) -> None:
        """
        Fill y with f(z).

        y out, z: of one shape, at least one axis
        """
        raise NotImplementedError(f"{type(self).__name__} has no forward.")

    def backward(
        self, dz: np.ndarray, dy: np.ndarray, z: np.ndarray, y: np.ndarray
    ) -> None:
        """
        Fill dz with dy f'(z), given y = f(z) too.

        dz out, dy, z, y: of one shape; dz may be dy itself
        """
        raise NotImplementedError(f"{type(self).__name__} has no backward.")

    def __call__(self, x: Any, **params: Any) -> Any:
        """
        Return f(x) as a new array: float64 for a float64 array, else floatx.

        Examples
        --------
        >>> relu([-1.0, 0.5, 7.0], max_value=6)
        array([0. , 0.5, 6. ], dtype=float32)
        """
        function = self.with_parameters(**params) if params else self
        if isinstance(x, Taped):
            return function._on_tape(x)
        keeps_double = getattr(x, "dtype", None) == np.float64
        shape = np.shape(x)
        x = np.ascontiguousarray(x, np.float64 if keeps_double else device.floatx())
        y = np.empty_like(x)
        function.forward(y, x)
        return y.reshape(shape)

    def _on_tape(self, x: Taped) -> Taped:
        z = np.ascontiguousarray(x.value)
        y = np.empty_like(z)
        self.forward(y, z)

        def pullback(dy):
            dz = np.empty_like(z)
            self.backward(dz, np.ascontiguousarray(dy, z.dtype), z, y)
            return [dz.reshape(x.shape)]

        return x.tape.add(y.reshape(x.shape), [x], pullback)

    def with_parameters(self, **changes: Any) -> ActivationFunction:
        """
        Return the same activation with other parameters.

        Examples
        --------
        >>> relu.with_parameters(alpha=0.1)
        relu(alpha=0.1, max_value=None, threshold=0.0)
        """
        if not changes:
            return self
        for name in changes:
            if name not in self.params:
                known = ", ".join(self.params) or "none"
                raise TypeError(
                    f"{self.name}: unknown parameter {name!r}. Known: {known}."
                )
        return type(self)(**{**self.params, **changes})

    def __repr__(self) -> str:
        """Show the name and the parameters."""
        params = ", ".join(f"{name}={value!r}" for name, value in self.params.items())
        return f"{self.name}({params})"


class KernelActivation(ActivationFunction):
    """A built-in activation: a pair of kernels, found by name on the device in use."""

    only_launches = True

    def __init__(self, name: str, *numbers: float, **params: Any) -> None:
        super().__init__(**params)
        self.name = name
        self.is_linear = name == "linear"
        self.is_relu = name == "relu"
        self.needs_z = name not in READ_Y_ONLY
        self._forward = name + "_forward"
        self._backward = name + "_backward"
        self._numbers = numbers

    def forward(self, y: np.ndarray, z: np.ndarray) -> None:
        """Fill y with f(z)."""
        getattr(ops, self._forward)(y, z, *self._numbers)

    def backward(
        self, dz: np.ndarray, dy: np.ndarray, z: np.ndarray, y: np.ndarray
    ) -> None:
        """Fill dz with dy f'(z)."""
        getattr(ops, self._backward)(dz, dy, z, y, *self._numbers)


class ReLU(KernelActivation):
    """
    y = min(z, max_value) if z > threshold else alpha (z - threshold).

    Parameters
    ----------
    alpha : float
        Slope below the threshold.
    max_value : float, optional
        Largest output above the threshold. Default: no limit.
    threshold : float
        From here on the input passes.
    """

    only_launches = True

    def __init__(
        self,
        alpha: float = 0.0,
        max_value: float | None = None,
        threshold: float = 0.0,
    ) -> None:
        params = {"alpha": alpha, "max_value": max_value, "threshold": threshold}
        cap = math.inf if max_value is None else float(max_value)
        bend = (float(alpha), cap, float(threshold))
        if bend == (0.0, math.inf, 0.0):
            super().__init__("relu", **params)
        else:
            super().__init__("bent_relu", *bend, **params)
            self.name = "relu"


class ELU(KernelActivation):
    """
    y = z if z > 0 else alpha (e^z - 1).

    Parameters
    ----------
    alpha : float
        The output falls towards -alpha.
    """

    only_launches = True

    def __init__(self, alpha: float = 1.0) -> None:
        super().__init__("elu", float(alpha), alpha=alpha)


class Softmax(ActivationFunction):
    """
    y = e^z / (sum of e^z along an axis): positive numbers that sum to one.

    Parameters
    ----------
    axis : int
        The axis of the classes.
    """

    only_launches = True
    needs_z = False
    name = "softmax"

    def __init__(self, axis: int = -1) -> None:
        super().__init__(axis=axis)
        self._axis = operator.index(axis)

    def forward(self, y: np.ndarray, z: np.ndarray) -> None:
        """Fill y with the softmax of z."""
        if z.ndim == 2 and self._axis == -1:
            ops.softmax_forward(y, z)
        elif self._is_last(z):
            ops.softmax_forward(*_rows(y, z))
        else:
            ops.softmax_axis_forward(*self._around_axis(y, z))

    def backward(
        self, dz: np.ndarray, dy: np.ndarray, z: np.ndarray, y: np.ndarray
    ) -> None:
        """Fill dz with y (dy - sum of dy y along the axis)."""
        if y.ndim == 2 and self._axis == -1:
            ops.softmax_backward(dz, dy, y)
        elif self._is_last(y):
            ops.softmax_backward(*_rows(dz, dy, y))
        else:
            ops.softmax_axis_backward(*self._around_axis(dz, dy, y))

    def _is_last(self, z):
        """Return whether the axis is the last of an array, if it exists at all."""
        if z.ndim < 2 or not -z.ndim <= self._axis < z.ndim:
            raise ValueError(
                "softmax: expected an array with at least two axes, one of them "
                f"{self._axis}, got shape {z.shape}. One sample alone needs a batch "
                "axis: x[None]."
            )
        return self._axis in (-1, z.ndim - 1)

    def _around_axis(self, *arrays):
        """Return arrays with one axis before that of the classes, and one behind."""
        shape = arrays[0].shape
        axis = self._axis % len(shape)
        before, behind = math.prod(shape[:axis]), math.prod(shape[axis + 1 :])
        return [a.reshape(before, shape[axis], behind) for a in arrays]


def _rows(*arrays):
    """Return arrays as matrices with a row for each softmax over the last axis."""
    return [a.reshape(-1, a.shape[-1]) for a in arrays]


class FunctionActivation(ActivationFunction):
    """
    A function of yours as an activation: the tape knows its derivative.

    Parameters
    ----------
    function : callable
        Of one array, written with numpy or the backend K; it keeps the shape.

    Raises
    ------
    ValueError
        When used, if the result has another shape, or no slope.

    Examples
    --------
    >>> def swish(x):
    ...     return x * sigmoid(x)
    >>> FunctionActivation(swish)([0.0, 1.0])
    array([0.       , 0.7310586], dtype=float32)
    """

    def __init__(self, function: Callable[[Any], Any]) -> None:
        super().__init__()
        expect_arguments("activation", function, "x")
        self.function = function
        self.name = name_of(function)
        self._kept: tuple | None = None  # z and its recording

    @property
    def only_launches(self) -> bool:
        """Return whether it runs on a GPU as a formula of numbers."""
        return device.place() != "host" and hasattr(self.function, "formulas")

    def forward(self, y: np.ndarray, z: np.ndarray) -> None:
        """Fill y with f(z)."""
        formulas = formulas_for(self.function, z)
        if formulas:
            device.own_formulas().fill(y, formulas[0], z)
            return
        self._kept = z, self._record(z)
        y[...] = self._kept[1].value

    def backward(
        self, dz: np.ndarray, dy: np.ndarray, z: np.ndarray, y: np.ndarray
    ) -> None:
        """Fill dz with the gradient; after `forward` of the same z it is at hand."""
        formulas = formulas_for(self.function, z)
        if formulas:
            device.own_formulas().fill_slope(dz, formulas[1], dy, z)
            return
        kept, self._kept = self._kept, None
        recording = kept[1] if kept and kept[0] is z else self._record(z)
        expect_slope(recording, f"activation {self.name}", "x")
        dz[...] = recording.gradients(dy)[0]

    def _record(self, z: np.ndarray) -> Recording:
        recording = Recording(self.function, [z])
        if recording.value.shape != z.shape:
            raise ValueError(
                f"activation {self.name}: expected an array of the shape that came, "
                f"{z.shape}, got {recording.value.shape}. A Lambda layer may change "
                "the shape."
            )
        return recording


linear = KernelActivation("linear")  # y = z
relu = ReLU()
elu = ELU()
selu = KernelActivation("selu")  # 1.0507 (z if z > 0 else 1.6733 (e^z - 1))
softplus = KernelActivation("softplus")  # log(1 + e^z)
softsign = KernelActivation("softsign")  # z / (1 + |z|)
tanh = KernelActivation("tanh")
sigmoid = KernelActivation("sigmoid")  # 1 / (1 + e^-z)
hard_sigmoid = KernelActivation("hard_sigmoid")  # 0.2 z + 0.5 within 0 and 1
exponential = KernelActivation("exponential")  # e^z
softmax = Softmax()

ACTIVATIONS: dict[str, ActivationFunction] = {
    name: value
    for name, value in list(globals().items())
    if isinstance(value, ActivationFunction)
}
"""Every built-in activation by name."""


def serialize(activation: ActivationFunction) -> str | dict[str, Any]:
    """
    Return the name, or name and parameters where these are not the default ones.

    Examples
    --------
    >>> serialize(relu)
    'relu'
    >>> serialize(elu.with_parameters(alpha=0.5))
    {'class_name': 'elu', 'config': {'alpha': 0.5}}
    """
    if isinstance(activation, FunctionActivation):
        return function_entry(activation.function, ACTIVATIONS)
    default = ACTIVATIONS.get(activation.name)
    if not activation.params or default and activation.params == default.params:
        return activation.name
    return {"class_name": activation.name, "config": dict(activation.params)}


def get(identifier: Any) -> ActivationFunction:
    """
    Return the activation that the identifier stands for.

    Parameters
    ----------
    identifier : None, str, dict, ActivationFunction, functools.partial or callable
        None means linear; a dict is what `serialize` returned; a partial carries
        parameters, as in `partial(relu, alpha=0.1)`; for a function of your own see
        `FunctionActivation`.

    Raises
    ------
    ValueError
        If no activation has that name.
    TypeError
        If the identifier is something else, such as a layer.

    Examples
    --------
    >>> get("tanh")
    tanh()
    """
    if isinstance(identifier, ActivationFunction):
        return identifier
    if identifier is None:
        return linear
    if isinstance(identifier, str):
        return get(lookup(identifier, ACTIVATIONS, "activation"))
    if isinstance(identifier, dict) and identifier.get("class_name") == FUNCTION:
        return get(own_function(identifier))
    if isinstance(identifier, dict):
        function = get(lookup(identifier.get("class_name"), ACTIVATIONS, "activation"))
        return function.with_parameters(**identifier.get("config", {}))
    if isinstance(identifier, functools.partial) and not identifier.args:
        if isinstance(identifier.func, ActivationFunction):
            return identifier.func.with_parameters(**identifier.keywords)
    layer = hasattr(identifier, "compute_output_shape")
    if callable(identifier) and not layer and not isinstance(identifier, type):
        return FunctionActivation(identifier)
    advice = "Give a name such as 'relu', a function, or None."
    if layer:
        advice = "Add the layer to the model instead, after this one."
    raise TypeError(
        "activation: expected a name, a function or an ActivationFunction, got "
        f"{identifier!r}. {advice}"
    )
