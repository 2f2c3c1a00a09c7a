"""
The core layers, and every other layer by name.

Each class shows its mathematics in its docstring, then five short methods: `__init__`,
`build`, `forward`, `backward`, `get_config`. `forward` keeps on named attributes just
what `backward` reads. Read next: `kernels/plain/dense.py`, the loops behind Dense.
"""

from __future__ import annotations

import numpy as np

from . import (
    activations,
    constraints,
    initializers,
    pooling,
    regularizers,
    resizing,
)
from .advanced_activations import (
    ELU,
    Activation,
    LeakyReLU,
    ParametricSoftplus,
    PReLU,
    ReLU,
    Softmax,
    SReLU,
    ThresholdedReLU,
)
from .cells import Cell, StackedRNNCells
from .convolution import Conv1D, Conv2D, Conv3D
from .convolutional_lstm import ConvLSTM2D, ConvLSTM2DCell
from .cudnn import CuDNNGRU, CuDNNLSTM
from .device import ops
from .embedding import Embedding, float_type
from .gated_cells import GRUCell, LSTMCell, SimpleRNNCell
from .joining import Add, Average, Concatenate, Dot, Maximum, Multiply, Subtract
from .lambdas import Lambda
from .layer import Layer, Weight, count_numbers, show_shape
from .local import LocallyConnected1D, LocallyConnected2D
from .merge import Fork, Merge
from .noise import (
    AlphaDropout,
    Dropout,
    GaussianDropout,
    GaussianNoise,
    SpatialDropout1D,
    SpatialDropout2D,
    SpatialDropout3D,
)
from .normalization import BatchNormalization
from .pooling import *  # noqa: F401,F403
from .recurrent import GRU, LSTM, RNN, SimpleRNN
from .renames import OLD_NAMES
from .reshaping import Flatten, Permute, RepeatVector, Reshape
from .resizing import *  # noqa: F401,F403
from .separable import DepthwiseConv2D, SeparableConv1D, SeparableConv2D
from .transposed import Conv2DTranspose, Conv3DTranspose
from .utils import lookup, positive_integer
from .wrappers import Bidirectional, TimeDistributed

__all__ = [
    "Layer",
    "Weight",
    "Input",
    "InputLayer",
    "Dense",
    "Activation",
    "Dropout",
    "Flatten",
    "Reshape",
    "Permute",
    "RepeatVector",
    "Lambda",
    "ActivityRegularization",
    "Masking",
    "Merge",
    "Add",
    "Subtract",
    "Multiply",
    "Average",
    "Maximum",
    "Concatenate",
    "Dot",
    "Fork",
    "Conv1D",
    "Conv2D",
    "Conv3D",
    "SeparableConv1D",
    "SeparableConv2D",
    "DepthwiseConv2D",
    "Conv2DTranspose",
    "Conv3DTranspose",
    "LocallyConnected1D",
    "LocallyConnected2D",
    "SimpleRNN",
    "GRU",
    "LSTM",
    "CuDNNGRU",
    "CuDNNLSTM",
    "ConvLSTM2D",
    "RNN",
    "Cell",
    "SimpleRNNCell",
    "GRUCell",
    "LSTMCell",
    "ConvLSTM2DCell",
    "StackedRNNCells",
    "TimeDistributed",
    "Bidirectional",
    "Highway",
    "MaxoutDense",
    "TimeDistributedDense",
    "BatchNormalization",
    "Embedding",
    "GaussianNoise",
    "GaussianDropout",
    "AlphaDropout",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
    "LeakyReLU",
    "PReLU",
    "ELU",
    "ThresholdedReLU",
    "Softmax",
    "ReLU",
    "ParametricSoftplus",
    "SReLU",
    *pooling.__all__,
    *resizing.__all__,
]


class InputLayer(Layer):
    """
    Says the shape of a model's input; computes nothing.

    forward     y = x

    Parameters
    ----------
    input_shape : tuple
        Shape of one sample, for example (28, 28).
    batch_size : int, optional
        A fixed batch size; default: any.
    dtype : str, optional
        A type of whole numbers, as old code gives it for codes, changes nothing.

    Examples
    --------
    >>> InputLayer(input_shape=(4,)).batch_input_shape
    (None, 4)
    """

    masking = "pass"
    only_launches = hands_on = True
    operations_per_number = 0

    def __init__(self, input_shape=None, batch_size=None, dtype=None, **kwargs):
        dtype = float_type(dtype)
        super().__init__(
            input_shape=input_shape, batch_size=batch_size, dtype=dtype, **kwargs
        )
        if self.batch_input_shape is None:
            raise ValueError(f"{self.name}: InputLayer needs input_shape=(...).")

    @property
    def input_names(self):
        """Return the layer's own name: it stands for the input."""
        return [self.name]

    @property
    def receivers(self):
        """Return nobody: the next layer says how it wants the input."""
        return []

    def forward(self, x, training):
        """Return the input."""
        return x

    def backward(self, dy):
        """Return the gradient unchanged."""
        return dy


def Input(shape=None, batch_shape=None, name=None, dtype=None):  # noqa: N802
    """Return an InputLayer, in the words of the functional API."""
    if shape is None and batch_shape is None:
        raise ValueError("Input: expected shape=(...), the shape of one sample.")
    return InputLayer(
        input_shape=shape, batch_input_shape=batch_shape, name=name, dtype=dtype
    )


class Dense(Layer):
    """
    Fully connected layer: every output sees every input of the last axis.

    forward     z = x W + b,  y = activation(z)      (N, I)(I, O) + (O,) -> (N, O)
    backward    dz = activation'(z) dy,  dW = xT dz,  db = sum over n of dz,  dx = dz WT

    Parameters
    ----------
    units : int
        Number of outputs, O.
    activation : str or ActivationFunction, optional
        Applied to z; default: none (linear).
    use_bias : bool
        Whether to add b.
    kernel_initializer, bias_initializer
        First values of W ('glorot_uniform') and b ('zeros').
    kernel_regularizer, bias_regularizer, activity_regularizer : optional
        Penalties on W, b and y.
    kernel_constraint, bias_constraint : optional
        Projections of W and b after each update.

    Examples
    --------
    >>> layer = Dense(2, kernel_initializer="ones")
    >>> layer([[1.0, 2.0, 3.0]])
    array([[6., 6.]], dtype=float32)
    """

    masking = "pass"
    only_launches = True

    def __init__(
        self,
        units,
        activation=None,
        use_bias=True,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        kernel_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        kernel_constraint=None,
        bias_constraint=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.units = positive_integer(units, f"{self.name}: units")
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)

    def build(self, input_shape):
        """Make W (I, O) and b (O,)."""
        self.W = self.add_weight(
            "kernel",
            (input_shape[-1], self.units),
            self.kernel_initializer,
            self.kernel_regularizer,
            self.kernel_constraint,
        )
        self.b = Weight(np.zeros(self.units, self.dtype), "no bias", trainable=False)
        if self.use_bias:
            self.b = self.add_weight(
                "bias",
                (self.units,),
                self.bias_initializer,
                self.bias_regularizer,
                self.bias_constraint,
            )

    def compute_output_shape(self, input_shape):
        """Replace the last axis by the number of units."""
        self.expect_rank(input_shape, 2, at_least=True)
        if input_shape[-1] is None:
            raise ValueError(
                f"{self.name}: the last axis of the input must be known, got "
                f"{show_shape(input_shape)}."
            )
        if self.built and input_shape[-1] != self.W.shape[0]:
            raise ValueError(
                f"{self.name}: expected input of shape (batch, {self.W.shape[0]}), got "
                f"{show_shape(input_shape)}. The layer was built for "
                f"{self.W.shape[0]} features."
            )
        return (*input_shape[:-1], self.units)

    def forward(self, x, training):
        """Return activation(x W + b)."""
        if x.shape != self.x_shape:
            self._make_room(x.shape)
        self.x, z = (x, self.z) if x.ndim == 2 else (_rows(x), _rows(self.z))
        if self.activation.is_relu:  # which the product can do by the way
            ops.dense_relu_forward(z, self.x, self.W.value, self.b.value)
            return self.y
        ops.dense_forward(z, self.x, self.W.value, self.b.value)
        if not self.activation.is_linear:
            self.activation.forward(self.y, self.z)
        return self.y

    def backward(self, dy):
        """Fill dW and db, return dx."""
        dz = dy
        if not self.activation.is_linear:
            dz = self.over(dy, "dz")
            self.activation.backward(dz, dy, self.z, self.y)
        if dz.ndim != 2:
            dz = _rows(dz)
        if self.W.grad is not None:
            db = self.db if self.b.grad is None else self.b.grad
            ops.dense_backward_weights(self.W.grad, db, dz, self.x)
        if not self.needs_dx:
            return None
        dx = self.buffer("dx", self.x_shape)
        ops.dense_backward_input(dx if dx.ndim == 2 else _rows(dx), dz, self.W.value)
        return dx

    def multiply_adds(self, input_shape):
        """Return I for each number that comes out."""
        return input_shape[-1] * count_numbers(self.compute_output_shape(input_shape))

    def _make_room(self, x_shape):
        """Fetch the buffers for inputs of another shape."""
        shape = (*x_shape[:-1], self.units)
        self.x_shape = x_shape
        self.y = self.z = self.buffer("z", shape)
        self.db = self.buffer("db", (self.units,))
        if self.activation.needs_z:
            self.y = self.buffer("y", shape)

    def get_config(self):
        """Return the constructor's arguments as plain values."""
        return {
            **super().get_config(),
            "units": self.units,
            "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
            "bias_initializer": initializers.serialize(self.bias_initializer),
            "kernel_regularizer": regularizers.serialize(self.kernel_regularizer),
            "bias_regularizer": regularizers.serialize(self.bias_regularizer),
            "activity_regularizer": regularizers.serialize(self.activity_regularizer),
            "kernel_constraint": constraints.serialize(self.kernel_constraint),
            "bias_constraint": constraints.serialize(self.bias_constraint),
        }


class ActivityRegularization(Layer):
    """
    Leave the values alone, but add l1 sum |x| + l2 sum x^2 to the loss.

    forward     y = x

    The sums run over the whole batch and are not divided by its size.

    Parameters
    ----------
    l1, l2 : float
        Factors of the two penalties.

    Examples
    --------
    >>> ActivityRegularization(l1=0.1)([[1.0, -2.0]])
    array([[ 1., -2.]], dtype=float32)
    """

    masking = "pass"
    operations_per_number = 0
    hands_on = True

    def __init__(self, l1=0.0, l2=0.0, **kwargs):
        super().__init__(**kwargs)
        self.l1, self.l2 = float(l1), float(l2)
        self.activity_regularizer = regularizers.L1L2(l1=self.l1, l2=self.l2)

    def forward(self, x, training):
        """Return the input."""
        return x

    def backward(self, dy):
        """Return the gradient unchanged: the model has added the penalty's."""
        return dy

    def get_config(self):
        """Return the constructor's arguments as plain values."""
        return {**super().get_config(), "l1": self.l1, "l2": self.l2}


class Masking(Layer):
    """
    Mark the time steps of a sequence that hold nothing but one value.

    forward     mask[n, t] = any over d of x[n, t, d] != mask_value,  y = x mask

    Parameters
    ----------
    mask_value : float
        The value that stands for "no data".

    Examples
    --------
    >>> Masking()([[[1.0, 0.0], [0.0, 0.0]]])
    array([[[1., 0.],
            [0., 0.]]], dtype=float32)
    """

    masking = "make"
    only_launches = True

    def __init__(self, mask_value=0.0, **kwargs):
        super().__init__(**kwargs)
        self.mask_value = float(mask_value)

    def compute_output_shape(self, input_shape):
        """Check that there is a time axis."""
        self.expect_rank(input_shape, 3, at_least=True)
        return input_shape

    def forward(self, x, training):
        """Return x with the masked steps zeroed."""
        self.made = self.buffer("mask", x.shape[:-1], np.bool_)
        y = self.buffer("y", x.shape)
        ops.masking_forward(_rows(y), self.made.reshape(-1), _rows(x), self.mask_value)
        return y

    def backward(self, dy):
        """Return dy with the masked steps zeroed."""
        dx = self.buffer("dx", dy.shape)
        ops.masking_backward(_rows(dx), _rows(dy), self.made.reshape(-1))
        return dx

    def compute_mask(self, x, mask):
        """Return the mask that `forward` made."""
        return self.made

    def get_config(self):
        """Return the constructor's arguments as plain values."""
        return {**super().get_config(), "mask_value": self.mask_value}


def _rows(a):
    """Return an array of any rank as rows of its last axis."""
    return a if a.ndim == 2 else a.reshape(-1, a.shape[-1])


from .legacy_layers import (  # noqa: E402, which stand on Dense
    Highway,
    MaxoutDense,
    TimeDistributedDense,
)

CLASSES = {name: globals()[name] for name in __all__[3:]}
"""The closed table of layer classes: what a configuration may name."""


def get(name: str) -> type[Layer]:
    """
    Return the layer class of this name, or of this name in Keras 1.

    Raises
    ------
    ValueError
        If the name is unknown.
    """
    modern = OLD_NAMES.get(name, name)
    return lookup(modern if modern in CLASSES else name, CLASSES, "layer")


def __getattr__(name: str) -> type[Layer]:
    """Find a layer by its name in Keras 1: `layers.Convolution2D` is Conv2D."""
    if OLD_NAMES.get(name) in CLASSES:
        return CLASSES[OLD_NAMES[name]]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
