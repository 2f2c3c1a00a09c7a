"""
Activation functions as layers: those by name, those with numbers, those that learn.

Activation puts any function of `activations.py` into a layer, and LeakyReLU, ELU,
ThresholdedReLU, Softmax and ReLU are short words for some of them. PReLU, SReLU and
ParametricSoftplus have numbers of their own for each place of a sample, and learn them.
Read next: `kernels/plain/parametric.py`.
"""

from __future__ import annotations

import operator

import numpy as np

from . import activations, constraints, device, initializers, regularizers
from .device import ops
from .layer import Layer, Shape, show_shape


class Activation(Layer):
    """
    An activation function as a layer of its own.

    forward     y = f(x)
    backward    dx = f'(x) dy

    Parameters
    ----------
    activation : str or ActivationFunction

    Examples
    --------
    >>> Activation("relu")([[-1.0, 2.0]])
    array([[0., 2.]], dtype=float32)
    """

    masking = "pass"
    only_launches = True

    def __init__(self, activation, **kwargs):
        super().__init__(**kwargs)
        self.activation = activations.get(activation)

    def forward(self, x, training):
        """Return f(x)."""
        self.x = x
        self.y = self.buffer("y", x.shape)
        self.activation.forward(self.y, x)
        return self.y

    def backward(self, dy):
        """Return f'(x) dy."""
        dx = self.over(dy, "dx")
        self.activation.backward(dx, dy, self.x, self.y)
        return dx

    def get_config(self):
        """Return the constructor's arguments as plain values."""
        activation = activations.serialize(self.activation)
        return {**super().get_config(), "activation": activation}


class LeakyReLU(Activation):
    """
    Let a little through below zero.

    forward     y = x if x > 0 else alpha x
    backward    dx = dy (1 if x > 0 else alpha)

    Parameters
    ----------
    alpha : float
        Slope below zero.

    Examples
    --------
    >>> LeakyReLU()([[-10.0, 2.0]])
    array([[-3.,  2.]], dtype=float32)
    """

    only_launches = True

    def __init__(self, alpha=0.3, **kwargs):
        self.alpha = float(alpha)
        super().__init__(activations.ReLU(alpha=self.alpha), **kwargs)

    def get_config(self):
        """Return the constructor's arguments as plain values."""
        return {**Layer.get_config(self), "alpha": self.alpha}


class ELU(Activation):
    """
    Bend smoothly below zero (Clevert et al. 2015).

    forward     y = x if x > 0 else alpha (e^x - 1)
    backward    dx = dy (1 if x > 0 else y + alpha)

    Parameters
    ----------
    alpha : float
        The output falls towards -alpha.

    Examples
    --------
    >>> ELU(0.5)([[-50.0, 2.0]])
    array([[-0.5,  2. ]], dtype=float32)
    """

    only_launches = True

    def __init__(self, alpha=1.0, **kwargs):
        self.alpha = float(alpha)
        super().__init__(activations.ELU(self.alpha), **kwargs)

    def get_config(self):
        """Return the constructor's arguments as plain values."""
        return {**Layer.get_config(self), "alpha": self.alpha}


class ThresholdedReLU(Activation):
    """
    Let through what is larger than a threshold (Konda et al. 2014).

    forward     y = x if x > theta else 0
    backward    dx = dy if x > theta else 0

    Parameters
    ----------
    theta : float
        The threshold.

    Examples
    --------
    >>> ThresholdedReLU(1.0)([[0.5, 1.0, 2.0]])
    array([[0., 0., 2.]], dtype=float32)
    """

    only_launches = True

    def __init__(self, theta=1.0, **kwargs):
        self.theta = float(theta)
        super().__init__(activations.ReLU(threshold=self.theta), **kwargs)

    def get_config(self):
        """Return the constructor's arguments as plain values."""
        return {**Layer.get_config(self), "theta": self.theta}


class Softmax(Activation):
    """
    Positive numbers that sum to one along an axis.

    forward     y = e^x / (sum of e^x along the axis)
    backward    dx = y (dy - sum of dy y along the axis)

    Parameters
    ----------
    axis : int
        The axis of the classes, counted with the batch.

    Examples
    --------
    >>> Softmax()([[0.0, 0.0]])
    array([[0.5, 0.5]], dtype=float32)
    """

    only_launches = True

    def __init__(self, axis=-1, **kwargs):
        self.axis = operator.index(axis)
        super().__init__(activations.Softmax(self.axis), **kwargs)

    def compute_output_shape(self, input_shape):
        """Check that the axis exists."""
        self.expect_rank(input_shape, 2, at_least=True)
        if not -len(input_shape) <= self.axis < len(input_shape):
            raise ValueError(
                f"{self.name}: there is no axis {self.axis} in an input of shape "
                f"{show_shape(input_shape)}."
            )
        return input_shape

    def get_config(self):
        """Return the constructor's arguments as plain values."""
        return {**Layer.get_config(self), "axis": self.axis}


class ReLU(Activation):
    """
    Cut off what is negative, or bend it, and limit what is large.

    forward     y = min(x, max_value) if x > threshold
                else negative_slope (x - threshold)
    backward    dx = dy times the slope: negative_slope, 1, or 0 beyond max_value

    Parameters
    ----------
    max_value : float, optional
        Largest output; default: no limit.
    negative_slope : float
        Slope below the threshold.
    threshold : float
        From here on the input passes.

    Examples
    --------
    >>> ReLU(max_value=6, negative_slope=0.1, threshold=1)([[-1.0, 1.0, 3.0, 9.0]])
    array([[-0.2,  0. ,  3. ,  6. ]], dtype=float32)
    """

    only_launches = True

    def __init__(self, max_value=None, negative_slope=0.0, threshold=0.0, **kwargs):
        self.max_value = None if max_value is None else float(max_value)
        self.negative_slope = float(negative_slope)
        self.threshold = float(threshold)
        function = activations.ReLU(self.negative_slope, self.max_value, self.threshold)
        super().__init__(function, **kwargs)
        for name in ("max_value", "negative_slope"):
            value = getattr(self, name)
            if value is not None and not value >= 0:
                raise ValueError(
                    f"{self.name}: {name} must not be negative, got {value!r}."
                )

    def get_config(self):
        """Return the constructor's arguments as plain values."""
        return {
            **Layer.get_config(self),
            "max_value": self.max_value,
            "negative_slope": self.negative_slope,
            "threshold": self.threshold,
        }


# ---- functions that learn ---------------------------------------------------------


class PReLU(Layer):
    """
    A leaky ReLU that learns its slopes (He et al. 2015).

    forward     y = x if x > 0 else alpha x
    backward    dx = dy (1 if x > 0 else alpha),
                dalpha = sum of dy x where not x > 0, over samples and shared axes

    Parameters
    ----------
    alpha_initializer
        First values of alpha ('zeros').
    alpha_regularizer, alpha_constraint : optional
        Penalty on alpha; projection after each update.
    shared_axes : int or list of int, optional
        Axes, counted with the batch, along which one alpha serves all: [1, 2] for one
        per channel of an image. Default: each place of a sample has its own.

    Examples
    --------
    >>> PReLU("ones", shared_axes=[1])([[-10.0, 2.0]])
    array([[-10.,   2.]], dtype=float32)
    """

    masking = "pass"
    only_launches = True

    def __init__(
        self,
        alpha_initializer="zeros",
        alpha_regularizer=None,
        alpha_constraint=None,
        shared_axes=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.alpha_initializer = initializers.get(alpha_initializer)
        self.alpha_regularizer = regularizers.get(alpha_regularizer)
        self.alpha_constraint = constraints.get(alpha_constraint)
        if shared_axes is not None:
            axes = [shared_axes] if np.isscalar(shared_axes) else shared_axes
            shared_axes = [operator.index(axis) for axis in axes]
        self.shared_axes = shared_axes

    def build(self, input_shape):
        """Make alpha, of the shape of a sample with 1 for the shared axes."""
        shape = self._alpha_shape(input_shape)
        self.alpha = self.add_weight(
            "alpha",
            shape,
            self.alpha_initializer,
            self.alpha_regularizer,
            self.alpha_constraint,
        )

    def compute_output_shape(self, input_shape):
        """Check that the shared axes exist, and that alpha fits."""
        self.expect_rank(input_shape, 2, at_least=True)
        shape = self._alpha_shape(input_shape)
        if self.built and shape != self.alpha.shape:
            raise ValueError(
                f"{self.name}: the layer was built with alpha of shape "
                f"{self.alpha.shape}, but an input of shape "
                f"{show_shape(input_shape)} needs {shape}."
            )
        return input_shape

    def _alpha_shape(self, input_shape: Shape) -> Shape:
        """Return the shape of a sample in which shared axes are 1."""
        shared = self.shared_axes or []
        for axis in shared:
            if not 1 <= axis < len(input_shape):
                raise ValueError(
                    f"{self.name}: shared_axes must lie between 1 and "
                    f"{len(input_shape) - 1} for an input of shape "
                    f"{show_shape(input_shape)}, got {axis}. Axis 0 is the batch."
                )
        shape = tuple(
            1 if axis in shared else size
            for axis, size in enumerate(input_shape[1:], start=1)
        )
        if None in shape:
            raise ValueError(
                f"{self.name}: an axis of unknown size must be among shared_axes, got "
                f"an input of shape {show_shape(input_shape)}."
            )
        return shape

    def forward(self, x, training):
        """Return x, times alpha where it is not positive."""
        self.x = x.reshape(len(x), -1)
        self.slopes = self.buffer("slopes", (1, self.x.shape[1]))
        alpha = self.alpha.value.reshape(1, -1)
        ops.take_columns(self.slopes, alpha, self._places(x.shape[1:]))
        y = self.buffer("y", x.shape)
        ops.prelu_forward(y.reshape(self.x.shape), self.x, self.slopes[0])
        return y

    def backward(self, dy):
        """Fill dalpha, return dx."""
        dx = self.buffer("dx", dy.shape)
        dslopes = self.buffer("dslopes", self.slopes.shape)
        rows = self.x.shape
        ops.prelu_backward(
            dx.reshape(rows), dslopes[0], dy.reshape(rows), self.x, self.slopes[0]
        )
        if self.alpha.grad is not None:
            places = self._places(dy.shape[1:])
            ops.scatter_rows(
                self.alpha.grad.reshape(-1, 1), dslopes.reshape(-1, 1), places
            )
        return dx

    _places_of: tuple = (None, None)

    def _places(self, sample):
        """Return which alpha serves each number of a sample."""
        if self._places_of[0] != sample:
            places = np.arange(self.alpha.value.size).reshape(self.alpha.shape)
            places = np.ascontiguousarray(np.broadcast_to(places, sample)).reshape(-1)
            self._places_of = sample, device.here(places)
        return self._places_of[1]

    def get_config(self):
        """Return the constructor's arguments as plain values."""
        return {
            **super().get_config(),
            "alpha_initializer": initializers.serialize(self.alpha_initializer),
            "alpha_regularizer": regularizers.serialize(self.alpha_regularizer),
            "alpha_constraint": constraints.serialize(self.alpha_constraint),
            "shared_axes": self.shared_axes,
        }


class Parametric(Layer):
    """Base class: a function with numbers of its own for each place of a sample."""

    masking = "pass"
    names: tuple[str, ...] = ()

    def build(self, input_shape):
        """Make each weight in the shape of a sample."""
        for name in self.names:
            initializer = getattr(self, f"{name}_init")
            self.add_weight(name, tuple(input_shape[1:]), initializer)

    def compute_output_shape(self, input_shape):
        """Check that the shape of a sample is known, and the one of the weights."""
        self.expect_rank(input_shape, 2, at_least=True)
        sample = tuple(input_shape[1:])
        if None in sample:
            raise ValueError(
                f"{self.name}: every axis but the batch must be known, got "
                f"{show_shape(input_shape)}."
            )
        if self.built and sample != self._weights[0].shape:
            raise ValueError(
                f"{self.name}: the layer was built for samples of shape "
                f"{self._weights[0].shape}, got {show_shape(input_shape)}."
            )
        return input_shape

    def forward(self, x, training):
        """Return the function of x."""
        self.x = x.reshape(len(x), -1)
        y = self.buffer("y", x.shape)
        values = [weight.value.reshape(-1) for weight in self._weights]
        self.launch_forward(y.reshape(self.x.shape), self.x, *values)
        return y

    def backward(self, dy):
        """Fill the gradients of the weights, return dx."""
        dx = self.buffer("dx", dy.shape)
        rows = self.x.shape
        grads = [
            self.buffer(f"d{name}", rows[1:]) if w.grad is None else w.grad.reshape(-1)
            for name, w in zip(self.names, self._weights)
        ]
        values = [weight.value.reshape(-1) for weight in self._weights]
        self.launch_backward(
            dx.reshape(rows), *grads, dy.reshape(rows), self.x, *values
        )
        return dx

    def get_config(self):
        """Return the constructor's arguments as plain values."""
        config = super().get_config()
        for name in self.names:
            initializer = getattr(self, f"{name}_init")
            config[f"{name}_init"] = initializers.serialize(initializer)
        return config


class ParametricSoftplus(Parametric):
    """
    A softplus that learns its height and its steepness.

    forward     y = alpha log(1 + e^(beta x))
    backward    dx = dy alpha beta s,   s = sigmoid(beta x),
                dalpha = sum over n of dy y / alpha,
                dbeta = sum over n of dy alpha x s

    Parameters
    ----------
    alpha_init, beta_init : float or initializer
        First values of alpha and beta, one for each place of a sample.

    Examples
    --------
    >>> ParametricSoftplus(1.0, 1.0)([[0.0]])
    array([[0.6931472]], dtype=float32)
    """

    only_launches = True
    names = ("alpha", "beta")

    def __init__(self, alpha_init=0.2, beta_init=5.0, **kwargs):
        super().__init__(**kwargs)
        self.alpha_init, self.beta_init = _constant(alpha_init), _constant(beta_init)

    def launch_forward(self, *arrays):
        """Launch the kernel of `forward`."""
        ops.parametric_softplus_forward(*arrays)

    def launch_backward(self, *arrays):
        """Launch the kernel of `backward`."""
        ops.parametric_softplus_backward(*arrays)


class SReLU(Parametric):
    """
    Three straight pieces that learn where they meet and how steep they are (Jin 2015).

    forward     y = t_left + a_left (x - t_left)      where x <= t_left
                y = top + a_right (x - top)           where x >= top
                y = x                                 between,
                top = t_left + |t_right|

    Parameters
    ----------
    t_left_init, a_left_init, t_right_init, a_right_init
        First values of the weights: 'zeros', 'glorot_uniform', 'glorot_uniform',
        'ones'.

    Examples
    --------
    >>> SReLU(a_left_init="zeros", t_right_init="ones")([[-3.0, 0.5, 3.0]])
    array([[0. , 0.5, 3. ]], dtype=float32)
    """

    only_launches = True
    names = ("t_left", "a_left", "t_right", "a_right")

    def __init__(
        self,
        t_left_init="zeros",
        a_left_init="glorot_uniform",
        t_right_init="glorot_uniform",
        a_right_init="ones",
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.t_left_init = initializers.get(t_left_init)
        self.a_left_init = initializers.get(a_left_init)
        self.t_right_init = initializers.get(t_right_init)
        self.a_right_init = initializers.get(a_right_init)

    def launch_forward(self, *arrays):
        """Launch the kernel of `forward`."""
        ops.srelu_forward(*arrays)

    def launch_backward(self, *arrays):
        """Launch the kernel of `backward`."""
        ops.srelu_backward(*arrays)


def _constant(given):
    """Return an initializer; a number stands for itself everywhere."""
    is_number = isinstance(given, (int, float))
    return initializers.get(initializers.Constant(given) if is_number else given)
