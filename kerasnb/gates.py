"""
What the cells of Keras share: weights in blocks, one for each gate, and dropout.

A gate sees the input and the state, each times its block of the weights. The products
of all steps with the input are made at once, before a kernel runs over the sequence,
and so are the gradients of the weights behind it. Read next: `gated_cells.py`, the
cells.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from . import activations, random
from .activations import ACTIVATIONS
from .cells import Cell
from .device import ops
from .kernels.formulas.recurrence import CODES
from .layer import Shape, count_numbers, show_shape
from .roles import Roles
from .utils import positive_integer


class GatedCell(Roles, Cell):
    """
    Base class of the cells of Keras: their weights come in blocks, one for each gate.

    W (D, G u), U (u, G u) and b (G u,) for G gates of u units. The kernels run over the
    sequence if they know the activations; others go step by step through `step`.

    Attributes
    ----------
    gates : int
        Number of blocks, G.
    bends : tuple of str
        The attributes that hold the activations.
    """

    roles = ("kernel", "recurrent", "bias")
    gates = 1
    bends: tuple[str, ...] = ("recurrent_activation", "activation")

    @property
    def only_launches(self):
        """Return whether kernels run over the whole sequence."""
        return self.has_kernels

    def __init__(self, given, /, **kwargs):
        super().__init__(**kwargs)
        self.units = positive_integer(given["units"], f"{self.name}: units")
        self.state_size: Any = self.units
        for name in self.bends:
            setattr(self, name, activations.get(given[name]))
        self.take_options(given)
        self.dropout = min(1.0, max(0.0, float(given["dropout"])))
        self.recurrent_dropout = min(1.0, max(0.0, float(given["recurrent_dropout"])))
        self.implementation = self._checked(given["implementation"])
        codes = [_code_of(getattr(self, name)) for name in self.bends]
        self.has_kernels = None not in codes
        self.codes = codes

    def _checked(self, implementation):
        if implementation not in (0, 1, 2):
            raise ValueError(
                f"{self.name}: implementation must be 1 (a dropout mask for each gate) "
                f"or 2 (one for all), got {implementation!r}."
            )
        if implementation == 0:
            warnings.warn(
                f"{self.name}: implementation=0 is that of Keras 1; 1 takes its place.",
                stacklevel=10,  # of what the user wrote around a layer's cell
            )
        return max(1, implementation)

    def build(self, input_shape):
        """Make W (D, G u), U (u, G u) and b (G u,)."""
        W_shape, U_shape = self.weight_shapes(input_shape)
        self.W = self.make_weight("kernel", "kernel", W_shape)
        self.U = self.make_weight("recurrent", "recurrent_kernel", U_shape)
        self.make_bias(*self.bias_shape())

    def weight_shapes(self, input_shape: Shape) -> tuple[Shape, Shape]:
        """Return the shapes of W and U."""
        columns = self.gates * self.units
        return (input_shape[-1], columns), (self.units, columns)

    def multiply_adds(self, input_shape):
        """Return what W and U hold, at each place of the output."""
        W, U = self.weight_shapes(input_shape)
        return self._places(input_shape) * (math.prod(W) + math.prod(U))

    def recurrent_multiply_adds(self, input_shape):
        """Return those with U."""
        _, U = self.weight_shapes(input_shape)
        return self._places(input_shape) * math.prod(U)

    def _places(self, input_shape):
        return count_numbers(self.compute_output_shape(input_shape)) // self.units

    def bias_shape(self) -> Shape:
        """Return the shape of b."""
        return (self.gates * self.units,)

    def compute_output_shape(self, input_shape):
        """Check the number of features."""
        if input_shape[-1] is None:
            raise ValueError(
                f"{self.name}: the number of features must be known, got an input of "
                f"shape {show_shape(input_shape)}."
            )
        if self.built and input_shape[-1] != len(self.W.value):
            raise ValueError(
                f"{self.name}: expected steps of {len(self.W.value)} features, for "
                f"which the cell was built, got {input_shape[-1]}."
            )
        return (input_shape[0], self.units)

    # ---- dropout ------------------------------------------------------------------

    def start(self, batch, training):
        """Draw the masks of inputs and states, (one or G, N, size), or (0, ...)."""
        x_shape = batch, len(self.W.value) if self.built else self.units
        h_shape = batch, self.units
        self.x_masks = self.draw("x masks", self.dropout, x_shape, training)
        self.h_masks = self.draw("h masks", self.recurrent_dropout, h_shape, training)

    def draw(self, name: str, rate: float, shape: Shape, training: bool) -> np.ndarray:
        """Return factors that keep the mean: 0, or 1 / (1 - rate)."""
        if not training or rate in (0, 1):
            return self.buffer(f"no {name}", (0, *shape))
        count = self.gates if self.implementation == 1 else 1
        masks = self.buffer(name, (count, *shape))
        ones = self.buffer(f"{name}: ones", masks.shape)
        ones[...] = 1
        size = random.decisions(masks.size)
        words = self.buffer(f"{name}: words", size, np.uint16)
        ops.dropout_forward(masks, words, ones, rate, random.generator().state)
        return masks

    # ---- products -----------------------------------------------------------------

    def input_products(self, z, x):
        """Fill z (T, N, G u) with x W + b, where every gate may see its own x."""
        W, b = self.W.value, self.input_bias(self.b.value)
        for gate, start, count in self._blocks(self.x_masks):
            seen = self._seen(x, self.x_masks, gate)
            if count == z.shape[-1]:
                ops.dense_forward(as_rows(z), as_rows(seen), W, b)
                return
            block = self.buffer("block", (len(W), count))
            part = self.buffer("part", (*z.shape[:2], count))
            ops.cut_columns(block, W, start)
            ops.dense_forward(
                as_rows(part), as_rows(seen), block, b[start : start + count]
            )
            ops.place_columns(as_rows(z), as_rows(part), start)

    def weight_gradients(self, dW, db, dz, x, masks):
        """Fill dW (I, G u) = sum of xT dz, with x as the gates see it, and db."""
        for gate, start, count in self._blocks(masks):
            seen = as_rows(self._seen(x, masks, gate))
            if count == dz.shape[-1]:
                ops.dense_backward_weights(dW, db, as_rows(dz), seen)
            else:
                ops.recurrent_backward_weights(
                    dW, db, as_rows(dz), seen, start, start, count
                )

    def input_gradient(self, dx, dz):
        """Fill dx (T, N, D) = dz WT."""
        W, masks = self.W.value, self.x_masks
        for gate, start, count in self._blocks(masks):
            share = self.buffer("dx share", dx.shape) if gate else dx
            if count == dz.shape[-1]:
                block, part = W, dz
            else:
                block = self.buffer("block", (len(W), count))
                part = self.buffer("part", (*dz.shape[:2], count))
                ops.cut_columns(block, W, start)
                ops.cut_columns(as_rows(part), as_rows(dz), start)
            ops.dense_backward_input(as_rows(share), as_rows(part), block)
            if len(masks):
                ops.scale_states(share, share, masks, gate)
            if gate:
                ops.add_scaled(dx.reshape(-1), dx.reshape(-1), share.reshape(-1), 1.0)

    def _blocks(self, masks):
        """Return mask, first column and columns of what is computed together."""
        if len(masks) <= 1:
            return [(0, 0, self.gates * self.units)]
        return [(gate, gate * self.units, self.units) for gate in range(self.gates)]

    def _seen(self, x, masks, gate):
        """Return x (T, N, I) as a gate sees it."""
        if not len(masks):
            return x
        seen = self.buffer("seen", x.shape)
        ops.scale_states(seen, x, masks, gate)
        return seen

    def input_bias(self, b: np.ndarray) -> np.ndarray:
        """Return the part of b, or of its gradient, that is added to x W."""
        return b

    # ---- the whole sequence -------------------------------------------------------

    def run(self, x, states, mask, training):
        """Return the outputs of all steps and the last states; see `Cell.run`."""
        if not self.has_kernels:
            return super().run(x, states, mask, training)
        T, N = x.shape[:2]
        self.start(N, training)
        self.x = x
        self.mask = self.buffer("no mask", (0, 0), np.bool_) if mask is None else mask
        self.z = self.buffer("z", (T, N, self.gates * self.units))
        self.input_products(self.z, x)
        self.tracks = [
            self.buffer(f"track {number}", (T + 1, N, self.units))
            for number in range(len(states))
        ]
        for track, state in zip(self.tracks, states):
            copy_into(track[0], state)
        self.run_kernel(*self.tracks)
        return self.tracks[0][1:], [track[T] for track in self.tracks]

    def run_back(self, dys, needs_dx):
        """Fill the gradients of the weights, return dx or None; see `Cell.run_back`."""
        if not self.has_kernels:
            return super().run_back(dys, needs_dx)
        T, N = self.x.shape[:2]
        zeros = self.buffer("zeros", (N, self.units))
        dstates = [
            self.buffer(f"d state {number}", zeros.shape)
            for number in range(len(self.tracks))
        ]
        for dstate in dstates:
            copy_into(dstate, zeros)
        if len(dys) < T:
            copy_into(dstates[0], dys[0])
            dys = self.buffer("no dy", (0, 0, 0))
        dz = self.buffer("dz", self.z.shape)
        self.run_kernel_back(dz, dys, *dstates)
        if self.W.grad is not None:
            db = self.input_bias(self.grad_of(self.b, "db"))
            self.weight_gradients(self.W.grad, db, dz, self.x, self.x_masks)
            self.recurrent_gradients(dz)
        if not needs_dx:
            return None
        dx = self.buffer("dx", self.x.shape)
        self.input_gradient(dx, dz)
        return dx

    def run_kernel(self, *tracks):
        """Fill the states of all steps, and in z what `run_kernel_back` reads."""
        raise NotImplementedError

    def run_kernel_back(self, dz, dys, *dstates):
        """Fill dz."""
        raise NotImplementedError

    def recurrent_gradients(self, dz):
        """Fill dU = sum over the steps of hT dz."""
        spare = self.buffer("spare b", (self.gates * self.units,))
        h = self.tracks[0][:-1]
        self.weight_gradients(self.U.grad, spare, dz, h, self.h_masks)

    # ---- one step -----------------------------------------------------------------

    def x_parts(self, x):
        """Return x W + b for each gate, (N, u)."""
        z = np.empty((1, len(x), self.gates * self.units), x.dtype)
        self.input_products(z, x[None])
        return [self._block(z[0], gate) for gate in range(self.gates)]

    def x_back(self, dzs, x):
        """Add to the gradients of W and b; return dx."""
        dz = np.concatenate(dzs, axis=1)[None]
        dW, db = np.empty_like(self.W.value), np.empty(dz.shape[-1], dz.dtype)
        self.weight_gradients(dW, db, dz, x[None], self.x_masks)
        self.W.grad += dW
        if self.b.grad is not None:
            bias = self.input_bias(self.b.grad)
            bias += db
        dx = np.empty_like(x[None])
        self.input_gradient(dx, dz)
        return dx[0]

    def h_part(self, h, gate):
        """Return h U for one gate, (N, u)."""
        part = np.empty_like(h)
        block, zeros = self._block(self.U.value, gate), np.zeros(self.units, h.dtype)
        ops.dense_forward(part, self._dropped(h, gate), block, zeros)
        return part

    def h_back(self, dz, h, gate):
        """Add to the gradient of U; return dh."""
        block = self._block(self.U.value, gate)
        dU, spare, dh = np.empty_like(block), np.empty_like(dz[0]), np.empty_like(h)
        ops.dense_backward_weights(dU, spare, dz, self._dropped(h, gate))
        self.U.grad[:, gate * self.units : (gate + 1) * self.units] += dU
        ops.dense_backward_input(dh, dz, block)
        return self._dropped(dh, gate)

    def _dropped(self, h, gate):
        masks = self.h_masks
        return h * masks[gate if len(masks) > 1 else 0] if len(masks) else h

    def _block(self, a, gate):
        """Return the columns of a gate."""
        return np.ascontiguousarray(a[:, gate * self.units : (gate + 1) * self.units])

    def get_config(self):
        """Return the constructor's arguments as plain values."""
        config = {**super().get_config(), "units": self.units}
        for name in self.bends:
            config[name] = activations.serialize(getattr(self, name))
        config |= self.option_config()
        for name in ("dropout", "recurrent_dropout", "implementation"):
            config[name] = getattr(self, name)
        return config


def _code_of(activation):
    """Return the number by which the kernels know an activation, or None."""
    known = ACTIVATIONS.get(activation.name)
    same = type(activation) is type(known) and activation.params == known.params
    return CODES.get(activation.name) if same else None


def as_rows(a):
    """Return (T, N, I) as (T N, I)."""
    return a.reshape(-1, a.shape[-1])


def copy_into(a, b):
    """Fill a with b, by a kernel: steps that only launch kernels can be replayed."""
    ops.scale_array(a.reshape(-1), b.reshape(-1), 1.0)
