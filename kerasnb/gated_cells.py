"""
The cells of Keras: SimpleRNN, GRU and LSTM.

Each has its equations twice: in `step` and `step_back`, for any activation, and in a
kernel that runs over the whole sequence, which is used whenever it knows the
activations. Read next: `kernels/plain/recurrence.py`, the kernels; `gates.py` for what
the cells share.
"""

from __future__ import annotations

import numpy as np

from .device import ops
from .gates import GatedCell, as_rows


class SimpleRNNCell(GatedCell):
    """
    One step of a SimpleRNN.

    step        h' = activation(x W + b + h U),  the output is h'
    step_back   dz = activation'(z) (dy + dh'),  dx = dz WT,  dh = dz UT,
                dW += xT dz,  dU += hT dz,  db += sum over n of dz

    Parameters
    ----------
    units, activation, use_bias, ...
        As for the layer SimpleRNN.

    Examples
    --------
    >>> cell = SimpleRNNCell(2, activation=None, kernel_initializer="ones")
    >>> y, states = cell.call([[1.0, 2.0]], [[[0.0, 0.0]]])
    >>> y
    array([[3., 3.]], dtype=float32)
    """

    only_launches = GatedCell.only_launches
    bends = ("activation",)

    def __init__(
        self,
        units,
        activation="tanh",
        use_bias=True,
        kernel_initializer="glorot_uniform",
        recurrent_initializer="orthogonal",
        bias_initializer="zeros",
        kernel_regularizer=None,
        recurrent_regularizer=None,
        bias_regularizer=None,
        kernel_constraint=None,
        recurrent_constraint=None,
        bias_constraint=None,
        dropout=0.0,
        recurrent_dropout=0.0,
        implementation=1,
        **kwargs,
    ):
        super().__init__(locals(), **kwargs)

    def step(self, x, states, training):
        """Return h' as output and as state."""
        (h,) = states
        z = self.x_parts(x)[0] + self.h_part(h, 0)
        y = _bent(self.activation, z)
        return y, [y], (x, h, z, y)

    def step_back(self, dy, dstates, kept):
        """Add to dW, dU and db; return dx and dh."""
        x, h, z, y = kept
        dz = _unbent(self.activation, dy + dstates[0], z, y)
        return self.x_back([dz], x), [self.h_back(dz, h, 0)]

    def run_kernel(self, h):
        """Fill h with the states of all steps."""
        ops.rnn_forward(h, self.z, self.U.value, self.h_masks, self.mask, *self.codes)

    def run_kernel_back(self, dz, dys, dh):
        """Fill dz."""
        h, U = self.tracks[0], self.U.value
        ops.rnn_backward(dz, dh, dys, h, U, self.h_masks, self.mask, *self.codes)


class GRUCell(GatedCell):
    """
    One step of a GRU.

    step        p, q = sigma(x W + b + h U)  with the columns of each,
                g = phi(x Wg + bg + (q h) Ug),  h' = p h + (1 - p) g
                or, if reset_after,  g = phi(x Wg + bg + q (h Ug + b'g)),  and p and q
                have a b' too

    step_back   d = dy + dh',  dg = phi' d (1 - p),  dp = sigma' d (h - g),
                dq = sigma' (dg UgT) h,  or  sigma' dg (h Ug + b'g)  if reset_after

    The columns of W, U and b are those of p (Keras: z), q (Keras: r) and g, in turn.

    Parameters
    ----------
    units, activation, recurrent_activation, ...
        As for the layer GRU.

    Examples
    --------
    >>> GRUCell(4, reset_after=True).state_size
    4
    """

    only_launches = GatedCell.only_launches
    gates = 3
    operations_per_number = 8  # three activations, then q h and the mixture

    def __init__(
        self,
        units,
        activation="tanh",
        recurrent_activation="hard_sigmoid",
        use_bias=True,
        kernel_initializer="glorot_uniform",
        recurrent_initializer="orthogonal",
        bias_initializer="zeros",
        kernel_regularizer=None,
        recurrent_regularizer=None,
        bias_regularizer=None,
        kernel_constraint=None,
        recurrent_constraint=None,
        bias_constraint=None,
        dropout=0.0,
        recurrent_dropout=0.0,
        implementation=1,
        reset_after=False,
        **kwargs,
    ):
        super().__init__(locals(), **kwargs)
        self.reset_after = bool(reset_after)

    def bias_shape(self):
        """Return the shape of b: a row for x and one for h if reset_after."""
        return (2, 3 * self.units) if self.reset_after else (3 * self.units,)

    def input_bias(self, b):
        """Return the row for x."""
        return b[0] if self.reset_after else b

    def recurrent_bias(self):
        """Return the row for h, or zeros."""
        zeros = self.buffer("no recurrent bias", (3 * self.units,))
        return self.b.value[1] if self.reset_after else zeros

    def step(self, x, states, training):
        """Return h' as output and as state."""
        (h,) = states
        zp, zq, zg = self.x_parts(x)
        bp, bq, bg = np.split(self.recurrent_bias(), 3)
        zp += self.h_part(h, 0) + bp
        zq += self.h_part(h, 1) + bq
        p, q = _bent(self.recurrent_activation, zp), _bent(
            self.recurrent_activation, zq
        )
        if self.reset_after:
            inner = self.h_part(h, 2) + bg
            zg += q * inner
        else:
            inner = q * h
            zg += self.h_part(inner, 2)
        g = _bent(self.activation, zg)
        y = p * h + (1 - p) * g
        return y, [y], (x, h, (zp, zq, zg), (p, q, g), inner)

    def step_back(self, dy, dstates, kept):
        """Add to dW, dU and db; return dx and dh."""
        x, h, (zp, zq, zg), (p, q, g), inner = kept
        d = dy + dstates[0]
        dg = _unbent(self.activation, d * (1 - p), zg, g)
        dp = _unbent(self.recurrent_activation, d * (h - g), zp, p)
        if self.reset_after:
            dinner = dg * q
            dq = _unbent(self.recurrent_activation, dg * inner, zq, q)
            dh = d * p + self.h_back(dinner, h, 2)
        else:
            dinner = self.h_back(dg, inner, 2)
            dq = _unbent(self.recurrent_activation, dinner * h, zq, q)
            dh = d * p + dinner * q
        if self.reset_after and self.b.grad is not None:
            self.b.grad[1] += np.concatenate([dp, dq, dinner], axis=1).sum(axis=0)
        dh += self.h_back(dp, h, 0) + self.h_back(dq, h, 1)
        return self.x_back([dp, dq, dg], x), [dh]

    def run_kernel(self, h):
        """Fill h with the states of all steps."""
        self.inner = self.buffer("inner", (len(h) - 1, *h.shape[1:]))
        ops.gru_forward(
            h, self.z, self.inner, self.z, self.U.value, self.recurrent_bias(),
            self.h_masks, self.mask, *self.codes, self.reset_after,
        )  # fmt: skip

    def run_kernel_back(self, dz, dys, dh):
        """Fill dz, and what the columns of g say about U."""
        self.dinner = self.buffer("dinner", self.inner.shape)
        ops.gru_backward(
            dz, dh, self.dinner, dys, self.z, self.inner, self.tracks[0], self.U.value,
            self.h_masks, self.mask, *self.codes, self.reset_after,
        )  # fmt: skip

    def recurrent_gradients(self, dz):
        """Fill dU and the row of db for h."""
        u, dU, dz = self.units, self.U.grad, as_rows(dz)
        h, masks, inner = self.tracks[0][:-1], self.h_masks, as_rows(self.inner)
        db = self.buffer("spare b", (3 * u,))
        if self.reset_after and self.b.grad is not None:
            db = self.b.grad[1]
        fill = ops.recurrent_backward_weights
        for gate in (0, 1) if len(masks) > 1 else (0,):
            count = u if len(masks) > 1 else 2 * u
            seen = as_rows(self._seen(h, masks, gate))
            fill(dU, db, dz, seen, gate * u, gate * u, count)
        if self.reset_after:
            seen = as_rows(self._seen(h, masks, 2 if len(masks) > 1 else 0))
            fill(dU, db, as_rows(self.dinner), seen, 2 * u, 0, u)
        else:
            fill(dU, db, dz, inner, 2 * u, 2 * u, u)

    def get_config(self):
        """Return the constructor's arguments as plain values."""
        return {**super().get_config(), "reset_after": self.reset_after}


class LSTMCell(GatedCell):
    """
    One step of an LSTM.

    step        i, f, o = sigma(x W + b + h U),  g = phi(x W + b + h U),  each with its
                columns,  c' = f c + i g,  h' = o phi(c'),  the output is h'
    step_back   dh' + dy is the gradient of h',  that of c' is dc' + dh' o phi'(c'),
                from there to i, f, g, o and c,  dx = dz WT,  dh = dz UT

    The columns of W, U and b are those of i, f, g (Keras: c) and o, in turn.

    Parameters
    ----------
    units, activation, recurrent_activation, ...
        As for the layer LSTM.

    Examples
    --------
    >>> LSTMCell(4).state_size
    (4, 4)
    """

    only_launches = GatedCell.only_launches
    gates = 4
    operations_per_number = 9  # four activations, then c, phi(c) and h

    def __init__(
        self,
        units,
        activation="tanh",
        recurrent_activation="hard_sigmoid",
        use_bias=True,
        kernel_initializer="glorot_uniform",
        recurrent_initializer="orthogonal",
        bias_initializer="zeros",
        unit_forget_bias=True,
        kernel_regularizer=None,
        recurrent_regularizer=None,
        bias_regularizer=None,
        kernel_constraint=None,
        recurrent_constraint=None,
        bias_constraint=None,
        dropout=0.0,
        recurrent_dropout=0.0,
        implementation=1,
        **kwargs,
    ):
        super().__init__(locals(), **kwargs)
        self.state_size = (self.units, self.units)
        self.unit_forget_bias = bool(unit_forget_bias)

    def build(self, input_shape):
        """Make W (D, 4 u), U (u, 4 u) and b (4 u,), whose part for f may be ones."""
        super().build(input_shape)
        if self.use_bias and self.unit_forget_bias:
            self.b.value[self.units : 2 * self.units] = 1

    def step(self, x, states, training):
        """Return h' as output, and the states h' and c'."""
        h, c = states
        z = self.sums(x, h)
        i, f, o = (_bent(self.recurrent_activation, z[gate]) for gate in (0, 1, 3))
        g = _bent(self.activation, z[2])
        new_c = f * c + i * g
        a = _bent(self.activation, new_c)
        new_h = o * a
        return new_h, [new_h, new_c], (x, h, c, z, (i, f, g, o), new_c, a)

    def step_back(self, dy, dstates, kept):
        """Add to dW, dU and db; return dx, and dh and dc."""
        x, h, c, z, (i, f, g, o), new_c, a = kept
        dh = dy + dstates[0]
        dc = dstates[1] + _unbent(self.activation, dh * o, new_c, a)
        gates = [
            (dc * g, z[0], i),
            (dc * c, z[1], f),
            (dc * i, z[2], g),
            (dh * a, z[3], o),
        ]
        bends = [self.recurrent_activation] * 4
        bends[2] = self.activation
        dz = [_unbent(bend, *gate) for bend, gate in zip(bends, gates)]
        dx, dh = self.sums_back(dz, x, h)
        return dx, [dh, dc * f]

    def sums(self, x, h):
        """Return x W + b + h U for each gate."""
        return [
            part + self.h_part(h, gate) for gate, part in enumerate(self.x_parts(x))
        ]

    def sums_back(self, dz, x, h):
        """Add to dW, dU and db; return dx and dh."""
        dh = sum(self.h_back(one, h, gate) for gate, one in enumerate(dz))
        return self.x_back(dz, x), dh

    def run_kernel(self, h, c):
        """Fill h and c with the states of all steps."""
        ops.lstm_forward(
            h, c, self.z, self.z, self.U.value, self.h_masks, self.mask, *self.codes
        )

    def run_kernel_back(self, dz, dys, dh, dc):
        """Fill dz."""
        c, U = self.tracks[1], self.U.value
        ops.lstm_backward(
            dz, dh, dc, dys, self.z, c, U, self.h_masks, self.mask, *self.codes
        )

    def get_config(self):
        """Return the constructor's arguments as plain values."""
        return {**super().get_config(), "unit_forget_bias": self.unit_forget_bias}


def _bent(activation, z):
    """Return f(z)."""
    y = np.empty_like(z)
    activation.forward(y, z)
    return y


def _unbent(activation, dy, z, y):
    """Return dy f'(z)."""
    dz = np.empty_like(z)
    activation.backward(dz, dy, z, y)
    return dz
