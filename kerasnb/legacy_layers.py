"""
Layers of Keras 1 that later versions left out: Highway, MaxoutDense and their like.

They keep the contract of all layers and take today's words; their arithmetic is made of
the kernels that Dense and Maximum launch. Read next: `layers.py` for Dense,
`renames.py` for the old words.
"""

from __future__ import annotations

import numpy as np

from . import activations, constraints, initializers, regularizers
from .device import ops
from .layer import Layer, Weight, count_numbers, show_shape
from .layers import Dense
from .utils import positive_integer


class Affine(Layer):
    """
    Base of the layers with weights and biases like those of Dense, on rows of features.

    Parameters
    ----------
    use_bias : bool
    kernel_initializer
        First values of the weights; biases start with zeros.
    kernel_regularizer, bias_regularizer, activity_regularizer : optional
    kernel_constraint, bias_constraint : optional
    """

    def __init__(
        self,
        kernel_initializer="glorot_uniform",
        kernel_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        kernel_constraint=None,
        bias_constraint=None,
        use_bias=True,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.use_bias = bool(use_bias)

    def features(self, input_shape):
        """Return the number of features of a sample, the one that it was built for."""
        self.expect_rank(input_shape, 2)
        count = input_shape[1]
        expected = self.W.shape[-2] if self.built else count
        if count is None or count != expected:
            wanted = f"{expected} features" if self.built else "a known last axis"
            raise ValueError(
                f"{self.name}: expected an input with {wanted}, got "
                f"{show_shape(input_shape)}."
            )
        return count

    def no_bias(self, shape):
        """Return zeros to add in the place of a bias."""
        return Weight(np.zeros(shape, self.dtype), "no bias", trainable=False)

    def get_config(self):
        """Return the constructor's arguments as plain values."""
        return {
            **super().get_config(),
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
            "kernel_regularizer": regularizers.serialize(self.kernel_regularizer),
            "bias_regularizer": regularizers.serialize(self.bias_regularizer),
            "activity_regularizer": regularizers.serialize(self.activity_regularizer),
            "kernel_constraint": constraints.serialize(self.kernel_constraint),
            "bias_constraint": constraints.serialize(self.bias_constraint),
            "use_bias": self.use_bias,
        }


class Highway(Affine):
    """
    A Dense layer that a gate mixes with its own input (Srivastava et al. 2015).

    forward     g = sigmoid(x V + c),  h = activation(x W + b),  y = x + g (h - x)
    backward    dh = g dy,  dg = (h - x) dy,  dx = dy - dh + dz WT + dzg VT

    All weights are (I, I), all biases (I,). `get_weights` lists W, V, b, c. The gate's
    bias c starts with 1, which lets half and more of h pass. Regularizers and
    constraints apply to W and b only.

    Parameters
    ----------
    kernel_initializer
        First values of W and V.
    activation : str or ActivationFunction, optional
    kernel_regularizer, bias_regularizer, activity_regularizer : optional
    kernel_constraint, bias_constraint : optional
    use_bias : bool

    Examples
    --------
    >>> Highway(kernel_initializer="zeros")([[2.0, -2.0]]).round(4)
    array([[ 0.5379, -0.5379]], dtype=float32)
    """

    only_launches = True
    order = ("W", "V", "b", "c")  # of the weights; Keras 1 has the biases in between
    operations_per_number = 5  # two activations, and y = x + g (h - x)
    gate_bias = 1.0

    def __init__(self, kernel_initializer="glorot_uniform", activation=None, **kwargs):
        super().__init__(kernel_initializer, **kwargs)
        self.activation = activations.get(activation)
        self.gate = activations.get("sigmoid")

    def build(self, input_shape):
        """Make W and V (I, I), b and c (I,)."""
        I = input_shape[1]
        self.b = self.c = self.no_bias(I)
        first, of_kernel = self.kernel_initializer, self.kernel_regularizer
        start = initializers.Constant(self.gate_bias)
        makes = {
            "W": ("kernel", (I, I), first, of_kernel, self.kernel_constraint),
            "V": ("gate_kernel", (I, I), first),
            "b": ("bias", (I,), "zeros", self.bias_regularizer, self.bias_constraint),
            "c": ("gate_bias", (I,), start),
        }
        for letter in self.order:
            if self.use_bias or letter in ("W", "V"):
                setattr(self, letter, self.add_weight(*makes[letter]))

    def compute_output_shape(self, input_shape):
        """Check the features; the shape stays."""
        self.features(input_shape)
        return input_shape

    def multiply_adds(self, input_shape):
        """Return those with W and with V."""
        return 2 * input_shape[-1] * count_numbers(input_shape)

    def forward(self, x, training):
        """Return x + g (h - x)."""
        self.x = x
        names = ("z", "h", "zg", "g", "difference", "y")
        z, h, zg, g, difference, y = (self.buffer(name, x.shape) for name in names)
        ops.dense_forward(z, x, self.W.value, self.b.value)
        if self.activation.is_linear:
            h = z
        else:
            self.activation.forward(h, z)
        ops.dense_forward(zg, x, self.V.value, self.c.value)
        self.gate.forward(g, zg)
        ops.add_scaled(difference.reshape(-1), h.reshape(-1), x.reshape(-1), -1.0)
        ops.multiply_arrays(y.reshape(-1), g.reshape(-1), difference.reshape(-1))
        ops.add_scaled(y.reshape(-1), y.reshape(-1), x.reshape(-1), 1.0)
        self.kept = z, h, zg, g, difference
        return y

    def backward(self, dy):
        """Fill the gradients of the weights, return dx."""
        z, h, zg, g, difference = self.kept
        names = ("dh", "dzg", "dx", "part")
        dh, dzg, dx, part = (self.buffer(name, dy.shape) for name in names)
        flat_dx, flat_dh = dx.reshape(-1), dh.reshape(-1)
        ops.multiply_arrays(flat_dh, g.reshape(-1), dy.reshape(-1))
        ops.add_scaled(flat_dx, dy.reshape(-1), flat_dh, -1.0)
        ops.multiply_arrays(dzg.reshape(-1), difference.reshape(-1), dy.reshape(-1))
        self.gate.backward(dzg, dzg, zg, g)
        if not self.activation.is_linear:
            self.activation.backward(dh, dh, z, h)
        for kernel, bias, dz in ((self.W, self.b, dh), (self.V, self.c, dzg)):
            if kernel.grad is not None:
                unused = self.buffer("unused", bias.shape)
                db = unused if bias.grad is None else bias.grad
                ops.dense_backward_weights(kernel.grad, db, dz, self.x)
            if self.needs_dx:
                ops.dense_backward_input(part, dz, kernel.value)
                ops.add_scaled(flat_dx, flat_dx, part.reshape(-1), 1.0)
        return dx

    def get_config(self):
        """Return the constructor's arguments as plain values."""
        activation = activations.serialize(self.activation)
        return {**super().get_config(), "activation": activation}


class MaxoutDense(Affine):
    """
    The largest of several linear layers, unit by unit (Goodfellow et al. 2013).

    forward     z_k = x W_k + b_k,  y = max over k of z_k    (N, I)(K, I, O) -> (N, O)
    backward    dz_k = dy where z_k is the largest, else 0, then as for Dense

    Parameters
    ----------
    units : int
        Number of outputs, O.
    nb_feature : int
        Number of linear layers, K.
    kernel_initializer
        First values of W, (K, I, O).
    kernel_regularizer, bias_regularizer, activity_regularizer : optional
    kernel_constraint, bias_constraint : optional
    use_bias : bool

    Examples
    --------
    >>> layer = MaxoutDense(1, nb_feature=2, weights=[[[[1.0]], [[-1.0]]], [[0.0]] * 2])
    >>> layer([[3.0], [-2.0]])
    array([[3.],
           [2.]], dtype=float32)
    """

    only_launches = True

    def __init__(
        self, units, nb_feature=4, kernel_initializer="glorot_uniform", **kwargs
    ):
        super().__init__(kernel_initializer, **kwargs)
        self.units = positive_integer(units, f"{self.name}: units")
        self.nb_feature = positive_integer(nb_feature, f"{self.name}: nb_feature")

    def build(self, input_shape):
        """Make W (K, I, O) and b (K, O)."""
        K, O = self.nb_feature, self.units
        self.W = self.add_weight(
            "kernel",
            (K, input_shape[1], O),
            self.kernel_initializer,
            self.kernel_regularizer,
            self.kernel_constraint,
        )
        self.b = self.no_bias((K, O))
        if self.use_bias:
            self.b = self.add_weight(
                "bias", (K, O), "zeros", self.bias_regularizer, self.bias_constraint
            )

    def compute_output_shape(self, input_shape):
        """Replace the features by the units."""
        self.features(input_shape)
        return (input_shape[0], self.units)

    def multiply_adds(self, input_shape):
        """Return K I for each number that comes out."""
        numbers = count_numbers(self.compute_output_shape(input_shape))
        return self.nb_feature * input_shape[-1] * numbers

    def simple_operations(self, input_shape):
        """Return K - 1 comparisons for each number that comes out."""
        numbers = count_numbers(self.compute_output_shape(input_shape))
        return (self.nb_feature - 1) * numbers

    def forward(self, x, training):
        """Return the maximum over k, and keep who won."""
        self.x = x
        shape = (len(x), self.units)
        z, y = self.buffer("z", shape), self.buffer("y", shape)
        self.winner = self.buffer("winner", (y.size,), np.int32)
        ops.dense_forward(y, x, self.W.value[0], self.b.value[0])
        flat = y.reshape(-1)
        for k in range(1, self.nb_feature):
            ops.dense_forward(z, x, self.W.value[k], self.b.value[k])
            ops.maximum_forward(flat, self.winner, flat, z.reshape(-1), k)
        return y

    def backward(self, dy):
        """Fill dW and db, return dx."""
        dz = self.buffer("dz", dy.shape)
        dx, part = self.buffer("dx", self.x.shape), self.buffer("part", self.x.shape)
        unused = self.buffer("unused", self.b.shape)
        for k in range(self.nb_feature):
            ops.maximum_backward(dz.reshape(-1), dy.reshape(-1), self.winner, k)
            if self.W.grad is not None:
                db = unused if self.b.grad is None else self.b.grad
                ops.dense_backward_weights(self.W.grad[k], db[k], dz, self.x)
            if self.needs_dx:
                ops.dense_backward_input(part if k else dx, dz, self.W.value[k])
            if self.needs_dx and k:
                flat = dx.reshape(-1)
                ops.add_scaled(flat, flat, part.reshape(-1), 1.0)
        return dx

    def get_config(self):
        """Return the constructor's arguments as plain values."""
        return {
            **super().get_config(),
            "units": self.units,
            "nb_feature": self.nb_feature,
        }


class TimeDistributedDense(Dense):
    """
    A Dense layer on every step of a sequence: (N, T, I) -> (N, T, O).

    Parameters
    ----------
    units, activation
        As for Dense, like all other arguments.
    """

    only_launches = True

    def compute_output_shape(self, input_shape):
        """Check that there is a time axis."""
        self.expect_rank(input_shape, 3)
        return super().compute_output_shape(input_shape)
