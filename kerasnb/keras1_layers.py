"""
The layers of Keras 1: their arguments in its order, its defaults and its arithmetic.

`layer_class` makes of any layer one that takes the arguments of Keras 1 without a
warning; the classes above it are those that computed something else. Read next:
`renames.py` for the words, `keras1.py` for the model.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from . import initializers, layers, random
from .device import ops
from .gate_order import from_keras1
from .keras1_defaults import initializer
from .layer import Layer, numbered
from .legacy_layers import Highway as ModernHighway
from .renames import OLD_NAMES, SPECIAL, bilingual, on, without_transform_bias

KERNELS = "init activation weights "
PENALTIES = "W_regularizer b_regularizer activity_regularizer W_constraint b_constraint"
WINDOW = "border_mode subsample "
RECURRENT = "output_dim init inner_init "
DROPPING = " W_regularizer U_regularizer b_regularizer dropout_W dropout_U"
ORDER = {
    "Dense": "output_dim " + KERNELS + PENALTIES + " bias input_dim",
    "Dropout": "p",
    "SpatialDropout2D": "p dim_ordering",
    "SpatialDropout3D": "p dim_ordering",
    "Embedding": "input_dim output_dim init input_length",
    "BatchNormalization": "epsilon mode axis momentum weights beta_init gamma_init",
    "PReLU": "init weights",
    "Conv1D": "nb_filter filter_length " + KERNELS + "border_mode subsample_length",
    "Conv2D": "nb_filter nb_row nb_col " + KERNELS + WINDOW + "dim_ordering",
    "Conv3D": "nb_filter kernel_dim1 kernel_dim2 kernel_dim3 " + KERNELS + WINDOW,
    "Conv2DTranspose": "nb_filter nb_row nb_col output_shape " + KERNELS + WINDOW,
    "SeparableConv2D": "nb_filter nb_row nb_col " + KERNELS + WINDOW,
    "LocallyConnected1D": "nb_filter filter_length " + KERNELS + "border_mode",
    "LocallyConnected2D": "nb_filter nb_row nb_col " + KERNELS + WINDOW,
    "MaxPooling1D": "pool_length stride border_mode",
    "AveragePooling1D": "pool_length stride border_mode",
    "MaxPooling2D": "pool_size strides border_mode dim_ordering",
    "AveragePooling2D": "pool_size strides border_mode dim_ordering",
    "MaxPooling3D": "pool_size strides border_mode dim_ordering",
    "AveragePooling3D": "pool_size strides border_mode dim_ordering",
    "GlobalMaxPooling2D": "dim_ordering",
    "GlobalAveragePooling2D": "dim_ordering",
    "GlobalMaxPooling3D": "dim_ordering",
    "GlobalAveragePooling3D": "dim_ordering",
    "UpSampling1D": "length",
    "UpSampling2D": "size dim_ordering",
    "UpSampling3D": "size dim_ordering",
    "ZeroPadding2D": "padding dim_ordering",
    "ZeroPadding3D": "padding dim_ordering",
    "Cropping2D": "cropping dim_ordering",
    "Cropping3D": "cropping dim_ordering",
    "SimpleRNN": RECURRENT + "activation" + DROPPING,
    "GRU": RECURRENT + "activation inner_activation" + DROPPING,
    "LSTM": RECURRENT + "forget_bias_init activation inner_activation" + DROPPING,
    "ConvLSTM2D": "nb_filter nb_row nb_col init inner_init forget_bias_init activation "
    "inner_activation dim_ordering " + WINDOW + DROPPING,
    "MaxoutDense": "output_dim nb_feature init weights "
    + PENALTIES
    + " bias input_dim",
    "Highway": "init transform_bias activation weights " + PENALTIES,
    "TimeDistributedDense": "output_dim " + KERNELS + PENALTIES,
}
"""Class of a layer -> its arguments in the order of Keras 1."""

DEFAULTS: dict[str, dict[str, Any]] = {
    "BatchNormalization": {"epsilon": 1e-5},
    "SimpleRNN": {"recurrent_initializer": "orthogonal"},
    "GRU": {"recurrent_initializer": "orthogonal"},
    "LSTM": {"recurrent_initializer": "orthogonal"},
    "ConvLSTM2D": {"recurrent_initializer": "orthogonal"},
}
"""Class of a layer -> arguments with another default in Keras 1."""


LETTERS = {
    "kernel": "W",
    "embeddings": "W",
    "recurrent_kernel": "U",
    "bias": "b",
    "alpha": "alphas",
    "gate_kernel": "W_carry",
    "gate_bias": "b_carry",
}
"""Name of a weight within its layer -> what Keras 1 called it."""


def old_name(name: str) -> str:
    """
    Return the name that a weight had in Keras 1.

    Examples
    --------
    >>> old_name("dense_1/kernel:0")
    'dense_1_W'
    """
    layer, _, own = name.rpartition("/")
    own = own.removesuffix(":0")
    return f"{layer}_{LETTERS.get(own, own)}"


class Highway(ModernHighway):
    """
    The Highway layer of Keras 1: the weights are W, b, V, c.

    Parameters
    ----------
    transform_bias : float
        First value of c; below zero, the gate is nearly closed.
    kernel_initializer, activation, ...
        As for the Highway layer of today.
    """

    only_launches = True
    order = ("W", "b", "V", "c")

    def __init__(self, *args, transform_bias=-2, **kwargs):
        super().__init__(*args, **kwargs)
        self.gate_bias = float(transform_bias)

    def get_config(self):
        """Return the constructor's arguments as plain values."""
        return {**super().get_config(), "transform_bias": self.gate_bias}


class Dense(layers.Dense):
    """The Dense layer of Keras 1, on rows of features only: (N, I) -> (N, O)."""

    only_launches = True

    def compute_output_shape(self, input_shape):
        """Refuse more than two axes."""
        self.expect_rank(input_shape, 2)
        return super().compute_output_shape(input_shape)


class BatchNormalization(layers.BatchNormalization):
    """
    The BatchNormalization of Keras 1, which has three modes.

    mode 0      as today, but the moving variance is that of the batch, uncorrected
    mode 1      each sample by itself: mean m and variance v over the last axis,
                y = gamma (x - m) / (s + epsilon) + beta,  s = sqrt(v + epsilon)
    mode 2      with mean and variance of the batch at test time too

    Modes 1 and 2 leave the moving averages as they are.

    Parameters
    ----------
    mode : 0, 1 or 2
    epsilon, axis, momentum, ...
        As for the BatchNormalization of today.

    Raises
    ------
    ValueError
        If there is no such mode, or the axis of mode 1 is not the last.
    """

    only_launches = True

    def __init__(self, *args, mode=0, **kwargs):
        super().__init__(*args, **kwargs)
        if isinstance(mode, bool) or mode not in (0, 1, 2):
            raise ValueError(f"{self.name}: mode must be 0, 1 or 2, got {mode!r}.")
        self.mode = mode

    def compute_output_shape(self, input_shape):
        """Check the shape; a sample by itself has its features last."""
        shape = super().compute_output_shape(input_shape)
        if self.mode == 1 and self.axis % len(shape) != len(shape) - 1:
            raise ValueError(
                f"{self.name}: mode=1 takes mean and variance over the last axis, got "
                f"axis={self.axis}. Leave axis out, or use mode=0."
            )
        return shape

    def forward(self, x, training):
        """Return gamma n + beta."""
        if self.mode != 1:
            return super().forward(x, training or self.mode == 2)
        shape, x = x.shape, x.reshape(-1, x.shape[-1])
        self.n, self.inverse = self.buffer("n", x.shape), self.buffer("i", x.shape[:1])
        y, gamma, beta = self.buffer("y", x.shape), self.gamma.value, self.beta.value
        ops.sample_norm_forward(y, self.n, self.inverse, x, gamma, beta, self.epsilon)
        return y.reshape(shape)

    def backward(self, dy):
        """Fill dgamma and dbeta, return dx."""
        if self.mode != 1:
            return super().backward(dy)
        shape, dy, gamma = dy.shape, dy.reshape(self.n.shape), self.gamma.value
        zeros, ones = self.buffer("zeros", gamma.shape), self.buffer("1", gamma.shape)
        zeros[...], ones[...] = 0, 1
        dgamma, dbeta = (
            self.buffer("unused", gamma.shape) if weight.grad is None else weight.grad
            for weight in (self.gamma, self.beta)
        )
        ops.batch_norm_backward_weights(dgamma, dbeta, dy, self.n, zeros, ones)
        dx = self.buffer("dx", dy.shape)
        ops.sample_norm_backward(dx, dy, self.n, self.inverse, gamma, self.epsilon)
        return dx.reshape(shape)

    def move(self, mean, variance, R):
        """Let the moving averages go a step, in mode 0."""
        if self.mode == 0:
            super().move(mean, variance, R)

    def correction(self, R):
        """Return 1: Keras 1 took the variance as it was."""
        return 1.0

    def get_config(self):
        """Return the constructor's arguments as plain values."""
        return {**super().get_config(), "mode": self.mode}


class Embedding(layers.Embedding):
    """
    The Embedding of Keras 1, which can forget words while training.

    Parameters
    ----------
    dropout : float
        Fraction of the rows of the table that a batch sees as zeros; the others are
        scaled by 1 / (1 - dropout).
    input_dim, output_dim, ...
        As for the Embedding of today.
    """

    def __init__(self, *args, dropout=0.0, **kwargs):
        super().__init__(*args, **kwargs)
        self.dropout = min(1.0, max(0.0, float(dropout)))
        self.words = None

    @property
    def only_launches(self):
        """Return whether no row is dropped, which takes more than kernels."""
        return self.dropout == 0

    def forward(self, x, training):
        """Return the rows of the codes; in training some are zero."""
        y = super().forward(x, training)
        self.words = None
        if training and self.dropout > 0:
            V, D = self.W.shape
            drawn = self.buffer("drawn", random.decisions(V), np.uint16)
            ops.dropout_words(drawn, random.generator().state)
            picked = self.buffer("picked", (self.codes.size, 1), np.uint16)
            ops.gather_rows(picked, drawn[:V].reshape(V, 1), self.codes)
            words = self.buffer("words", (self.codes.size, D), np.uint16)
            words[...] = picked
            self.words = words.reshape(-1)
            ops.dropout_apply(y, y, self.words, self.dropout)
        return y

    def backward(self, dy):
        """Fill dW; nobody can move a code by a little, so dx is zero."""
        if self.words is not None:
            kept = self.buffer("kept", dy.shape)
            ops.dropout_apply(kept, dy, self.words, self.dropout)
            dy = kept
        return super().backward(dy)

    def get_config(self):
        """Return the constructor's arguments as plain values."""
        return {**super().get_config(), "dropout": self.dropout}


class GateByGate:
    """
    What GRU, LSTM and ConvLSTM2D of Keras 1 do: each gate has arrays of its own.

    They are drawn one by one, unless consume_less is 'gpu', and `set_weights` takes
    them as well as ours.
    """

    def __init__(self, *args, **kwargs):
        if kwargs.get("implementation") == 0:  # consume_less='cpu', without a warning
            kwargs["implementation"] = 1
        super().__init__(*args, **kwargs)

    def build(self, input_shape):
        """Make the weights, and draw those of each gate by themselves."""
        super().build(input_shape)
        cell = self.cell
        if cell.implementation == 2:
            return
        first = cell.kernel_initializer, cell.recurrent_initializer
        for weight, initial in zip((cell.W, cell.U), first):
            if not weight.value.any():  # left blank, for what a file holds
                continue
            for block in np.split(weight.value, cell.gates, axis=-1):
                block[...] = initializers.first_values(initial, block.shape, self.dtype)

    def set_weights(self, values):
        """Set the weights from our arrays, or from those of each gate."""
        by_gate = len(values) == 3 * self.cell.gates > 3
        super().set_weights(from_keras1(values) if by_gate else values)


class SimpleRNN(GateByGate, layers.SimpleRNN):
    """The SimpleRNN of Keras 1."""

    only_launches = layers.SimpleRNN.only_launches


class GRU(GateByGate, layers.GRU):
    """The GRU of Keras 1."""

    only_launches = layers.GRU.only_launches


class LSTM(GateByGate, layers.LSTM):
    """The LSTM of Keras 1."""

    only_launches = layers.LSTM.only_launches


class ConvLSTM2D(GateByGate, layers.ConvLSTM2D):
    """The ConvLSTM2D of Keras 1."""


CHANGED = Highway, Dense, BatchNormalization, Embedding, SimpleRNN, GRU, LSTM
OWN = {kind.__name__: kind for kind in (*CHANGED, ConvLSTM2D)}
"""Name of a layer -> its class, where Keras 1 computed something else."""

NAMES_THEN = {modern: old for old, modern in reversed(OLD_NAMES.items())}
"""Class of a layer -> what Keras 1 called it: the first of several old names."""


@functools.lru_cache(maxsize=None)
def layer_class(name: str, base: type[Layer]) -> type[Layer]:
    """Return a layer class that takes the arguments of Keras 1 without a warning."""
    own = OWN.get(name, base) if base is getattr(layers, name, None) else base

    def __init__(self, *args, **kwargs):
        if kwargs.get("name") is None:
            kwargs["name"] = numbered(type(self).__name__.lower())
        for word, value in DEFAULTS.get(name, {}).items():
            kwargs.setdefault(word, value)
        for word, value in kwargs.items():
            if word.endswith("initializer"):
                kwargs[word] = initializer(value)
        own.__init__(self, *args, **kwargs)

    body = {
        "dialect": 1,
        "__doc__": f"The layer {name} with the arguments of Keras 1 and its defaults.",
        "__module__": "kerasnb.keras1",
        "only_launches": vars(own).get("only_launches", False),
        "__init__": __init__,
    }
    made = type(NAMES_THEN.get(name, name), (own,), body)
    handlers = [h for h in SPECIAL.get(name, ()) if h is not without_transform_bias]
    translated = bilingual(
        __init__, _in_order(name), *handlers, constructs=True, quiet=True
    )
    setattr(made, "__init__", translated)
    return made


def _in_order(name: str) -> Callable:
    words = ORDER.get(name, "").split()

    @on(positional=1)
    def name_positions(call):
        """Give positional arguments their names in Keras 1."""
        if not words:
            return
        if len(call.args) > len(words):
            raise TypeError(
                f"{name}: expected at most {len(words)} positional arguments "
                f"({', '.join(words)}), got {len(call.args)}. Pass the rest by name."
            )
        for word, value in zip(words, call.args):
            if word in call.kwargs:
                raise TypeError(f"{name}: got {word!r} by position and by name.")
            call.kwargs[word] = value
        call.args = []

    return name_positions
