"""
Embedding: a table with one learned row for each code of a vocabulary.

Codes are whole numbers and stay so: where the layer is the first of a model, its
`as_input` takes them as int32 before any of them passes through a float, and refuses a
code without a row by name and place. Read next: `kernels/plain/embedding.py`.
"""

from __future__ import annotations

import numpy as np

from . import constraints, device, initializers, regularizers
from .device import ops
from .layer import Layer, count_numbers, show_shape
from .utils import positive_integer

MOST_CODES = 2**31 - 1


class Embedding(Layer):
    """
    Replace each code by its row of a table.

    forward     y[n, t, :] = W[x[n, t], :]                     (N, T) -> (N, T, D)
    backward    dW[v, :] = sum of dy[n, t, :] where x[n, t] = v

    Parameters
    ----------
    input_dim : int
        Number of rows, V: the largest code plus one.
    output_dim : int
        Numbers in a row, D.
    embeddings_initializer
        First values of W ('uniform').
    embeddings_regularizer, activity_regularizer : optional
        Penalties on W and y.
    embeddings_constraint : optional
        Projection of W after each update.
    mask_zero : bool
        Whether code 0 stands for padding: layers that understand masks skip it. It has
        a row all the same, so V is the size of the vocabulary plus one.
    input_length : int or tuple, optional
        Codes in a sample, where that is constant; Flatten needs to know.

    Raises
    ------
    IndexError
        If a code has no row; before anything is computed, when it comes as data.
    ValueError
        If a code is not whole, or too large for the floats it comes in.

    Examples
    --------
    >>> Embedding(3, 2, weights=[[[0, 0], [1, 10], [2, 20]]])([[2, 1]])
    array([[[ 2., 20.],
            [ 1., 10.]]], dtype=float32)
    """

    takes_codes = True
    only_launches = True
    operations_per_number = 0  # rows are copied

    def __init__(
        self,
        input_dim,
        output_dim,
        embeddings_initializer="uniform",
        embeddings_regularizer=None,
        activity_regularizer=None,
        embeddings_constraint=None,
        mask_zero=False,
        input_length=None,
        dtype=None,
        **kwargs,
    ):
        if "input_shape" not in kwargs and kwargs.get("batch_input_shape") is None:
            kwargs["input_shape"] = _as_tuple(input_length)
        super().__init__(dtype=float_type(dtype), **kwargs)
        self.input_dim = positive_integer(input_dim, f"{self.name}: input_dim")
        self.output_dim = positive_integer(output_dim, f"{self.name}: output_dim")
        if self.input_dim > MOST_CODES:
            raise ValueError(
                f"{self.name}: input_dim must be at most {MOST_CODES}, got {input_dim}."
            )
        self.embeddings_initializer = initializers.get(embeddings_initializer)
        self.embeddings_regularizer = regularizers.get(embeddings_regularizer)
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self.embeddings_constraint = constraints.get(embeddings_constraint)
        self.mask_zero = bool(mask_zero)
        self.masking = "make" if self.mask_zero else "consume"
        if input_length is not None:
            for length in _as_tuple(input_length):
                if length is not None:
                    positive_integer(length, f"{self.name}: input_length")
        self.input_length = input_length

    def build(self, input_shape):
        """Make W (V, D)."""
        self.W = self.add_weight(
            "embeddings",
            (self.input_dim, self.output_dim),
            self.embeddings_initializer,
            self.embeddings_regularizer,
            self.embeddings_constraint,
        )

    def compute_output_shape(self, input_shape):
        """Append the axis of the row; fill in the lengths that are told."""
        self.expect_rank(input_shape, 2, at_least=True)
        sizes = input_shape[1:]
        if self.input_length is not None:
            told = self._check_length(input_shape)
            sizes = (b if a is None else a for a, b in zip(told, sizes))
        return (input_shape[0], *sizes, self.output_dim)

    def _check_length(self, shape):
        """Return the sizes that `input_length` tells, or refuse a shape of others."""
        told = _as_tuple(self.input_length)
        if len(told) != len(shape) - 1 or any(
            a is not None and b is not None and a != b for a, b in zip(told, shape[1:])
        ):
            raise ValueError(
                f"{self.name}: input_length is {self.input_length}, got an input of "
                f"shape {show_shape(shape)}. Pad the samples to that length, or leave "
                "input_length out."
            )
        return told

    def as_input(self, x, what="x"):
        """Return codes as int32, or refuse the first one without a row."""
        if device.is_there(x) and x.dtype == np.int32:
            return x  # the host has looked at them on their way in
        x = np.asarray(x)
        if self.input_length is not None:
            self._check_length(x.shape)
        with np.errstate(invalid="ignore"):
            codes = np.require(x, np.int32, ["C", "W"])
        inside = not x.size or (x.min() >= 0 and x.max() < self.input_dim)
        if not inside or x.dtype.kind == "f" and self._are_wrong(x, codes):
            self._explain(x, codes, what)
        return codes

    def _are_wrong(self, x, codes):
        """Return whether floats hold a fraction, or lie where they skip codes."""
        return (codes != x).any() or x.size and x.max() >= _first_skipped(x.dtype)

    def _explain(self, x, codes, what):
        """Raise the error that says what is wrong with which code."""
        whole = codes == x if x.dtype.kind == "f" else np.ones(x.shape, bool)
        outside = ~((x >= 0) & (x < self.input_dim))
        wrong = ~whole | outside
        if not wrong.any():
            raise ValueError(
                f"{self.name}: the codes in {what} come as {x.dtype}, which does not "
                f"hold every whole number from {_first_skipped(x.dtype)} on. Pass them "
                "as integers."
            )
        place = np.unravel_index(int(np.argmax(wrong)), x.shape)
        where = f"[{', '.join(str(index) for index in place)}] of {what}"
        if not outside[place] or np.isnan(x[place]):
            raise ValueError(
                f"{self.name}: codes must be whole numbers, got {x[place]} at {where}."
            )
        raise IndexError(
            f"{self.name}: code {float(x[place]):.17g} at {where} has no row: with "
            f"input_dim={self.input_dim} codes go from 0 to {self.input_dim - 1}. "
            "input_dim must be the largest code plus one."
        )

    def backward_flops(self, input_shape):
        """Return one for each number of dy, which is added to its row of dW."""
        learns = bool(self.trainable_weights) and not self.frozen
        return learns * count_numbers(self.compute_output_shape(input_shape))

    def forward(self, x, training):
        """Return the rows of the codes."""
        self.codes = device.here(self.as_input(x, "the input")).reshape(-1)
        self.x_shape = x.shape
        y = self.buffer("y", (*x.shape, self.output_dim))
        ops.gather_rows(y.reshape(-1, self.output_dim), self.W.value, self.codes)
        return y

    def backward(self, dy):
        """Fill dW; nobody can move a code by a little, so dx is zero."""
        if self.W.grad is not None:
            rows = dy.reshape(-1, self.output_dim)
            ops.scatter_rows(self.W.grad, rows, self.codes)
        if not self.needs_dx:
            return None
        dx = self.buffer("dx", self.x_shape)
        dx[...] = 0
        return dx

    def compute_mask(self, x, mask):
        """Return where the codes are not zero, if that is what they are for."""
        if not self.mask_zero:
            return None
        made = self.buffer("mask", self.x_shape, np.bool_)
        ops.masks_any(made.reshape(-1), self.codes.reshape(-1, 1))
        return made

    def get_config(self):
        """Return the constructor's arguments as plain values."""
        return {
            **super().get_config(),
            "input_dim": self.input_dim,
            "output_dim": self.output_dim,
            "embeddings_initializer": initializers.serialize(
                self.embeddings_initializer
            ),
            "embeddings_regularizer": regularizers.serialize(
                self.embeddings_regularizer
            ),
            "activity_regularizer": regularizers.serialize(self.activity_regularizer),
            "embeddings_constraint": constraints.serialize(self.embeddings_constraint),
            "mask_zero": self.mask_zero,
            "input_length": self.input_length,
        }


def float_type(dtype):
    """Return None for a type of whole numbers: it tells what comes in, not out."""
    return None if dtype is None or np.dtype(dtype).kind in "iu" else dtype


def _as_tuple(length):
    """Return the sizes of a sample of codes: None, one of them, or several."""
    return tuple(length) if isinstance(length, (tuple, list)) else (length,)


def _first_skipped(dtype):
    """Return the first whole number that stands for its successor too."""
    return 2 ** (np.finfo(dtype).nmant + 1)
