"""
Convolutional LSTM: images go through an LSTM, whose products are convolutions.

ConvLSTM2DCell is an LSTMCell that sees images and keeps images as its states: where the
LSTM multiplies by W and U, two windows slide, and the rest is inherited. Each number of
a state thus depends on its neighbourhood at the step before. Kernels run over the
sequence if they know the activations; others go step by step through `step`. Read next:
`gated_cells.py` for the equations of a step, `convolution.py` for windows.
"""

from __future__ import annotations

import math

import numpy as np

from .cells import Cell
from .device import ops
from .gated_cells import LSTMCell
from .gates import GatedCell, as_rows, copy_into
from .recurrent import Recurrent
from .spatial import Spatial
from .utils import positive_integer


class ConvLSTM2DCell(LSTMCell, Spatial):
    """
    One step of a convolutional LSTM.

    step        i, f, o = sigma(x * W + b + h * U),  g = phi(x * W + b + h * U),
                each with its filters,  c' = f c + i g,  h' = o phi(c')
    step_back   that of LSTMCell, where  x * W  and  h * U  are convolutions

    The window over x has strides, padding and dilation; that over h moves by one and
    keeps the size of the images. x (N, R, C, K), h and c (N, r, c, F), or both with
    their channels first.

    Parameters
    ----------
    filters, kernel_size, strides, ...
        As for the layer ConvLSTM2D.

    Examples
    --------
    >>> cell = ConvLSTM2DCell(4, 3)
    >>> cell.state_shapes((None, 8, 8, 1))
    [(6, 6, 4), (6, 6, 4)]
    """

    only_launches = LSTMCell.only_launches
    axes = 4
    rank = 2
    paddings = ("valid", "same")

    def __init__(
        self,
        filters,
        kernel_size,
        strides=1,
        padding="valid",
        data_format=None,
        dilation_rate=1,
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
        **kwargs,
    ):
        positive_integer(filters, f"{kwargs.get('name') or 'ConvLSTM2DCell'}: filters")
        given = {**locals(), "units": filters, "implementation": 1}
        GatedCell.__init__(self, given, data_format=data_format, **kwargs)
        self.take_window(given, self.paddings)
        self.filters = self.units
        self.state_size = (self.filters, self.filters)
        self.unit_forget_bias = bool(unit_forget_bias)

    def weight_shapes(self, input_shape):
        """Return the shapes of W (P, Q, K, 4 F) and U (P, Q, F, 4 F)."""
        columns, K = self.gates * self.filters, self.known_channels(input_shape)
        return (
            (*self.kernel_size, K, columns),
            (*self.kernel_size, self.filters, columns),
        )

    def compute_output_shape(self, input_shape):
        """Count the places of the window; the filters are the new channels."""
        K = self.known_channels(input_shape)
        if self.built and K != self.W.shape[2]:
            raise ValueError(
                f"{self.name}: expected images with {self.W.shape[2]} channels, for "
                f"which the layer was built, got {K}."
            )
        N, *sizes, _ = self.last(input_shape)
        window = self.kernel_size, self.strides, self.padding, self.dilation_rate
        return self.given((N, *self.places(sizes, *window), self.filters))

    def state_shapes(self, input_shape):
        """Return the shape of h and of c: that of the output."""
        return [self.compute_output_shape(input_shape)[1:]] * 2

    # ---- the whole sequence -------------------------------------------------------

    def run(self, x, states, mask, training):
        """Return the outputs of all steps and the last states; see `Cell.run`."""
        if not self.has_kernels:
            return Cell.run(self, x, states, mask, training)
        T, N = x.shape[:2]
        _, *sizes, F = self.last(self.compute_output_shape(x.shape[1:]))
        images, given = (N, 1, *sizes, F), self.given((N, *sizes, F))
        self.mask = self.buffer("no mask", (0, 0), np.bool_) if mask is None else mask
        self.x_masks = self._masks("x masks", self.dropout, x.shape[1:], training)
        self.h_masks = self._masks("h masks", self.recurrent_dropout, given, training)
        self.x = self.enter(x.reshape(T * N, *x.shape[2:]), "steps")
        self.x = self.x.reshape(T, N, *self.x.shape[1:])
        self.z = self.buffer("z", (T, *images[:-1], 4 * F))
        self.tracks = [self.buffer(f"track {k}", (T + 1, *images)) for k in (0, 1)]
        for k, state in enumerate(states):
            copy_into(self.tracks[k][0], self.enter(state, f"first {k}"))
        self._slide_over(self.z, self.x, self.W, self.b.value, self.x_masks)
        self._run_kernels()
        h = self.leave(self.tracks[0][1:].reshape(T * N, *images[1:]), "h")
        last = [self.leave(self.tracks[k][T], f"last {k}") for k in (0, 1)]
        return h.reshape(T, *given), last

    def _run_kernels(self):
        """Fill the tracks of h and c, and in z what the steps back read."""
        h, _ = self.tracks
        more = self.buffer("more", (1, *self.z.shape[1:]))
        none = self.buffer("no b", more.shape[-1:])
        tracks, z = [_by_places(track) for track in self.tracks], _by_places(self.z)
        for s in range(len(z)):
            self._slide_over(more, h[s : s + 1], self.U, none, self.h_masks)
            sums = as_rows(more)
            ops.lstm_gates_forward(*tracks, z, sums, self.mask, s, *self.codes)

    def run_back(self, dys, needs_dx):
        """Fill the gradients of the weights, return dx or None; see `Cell.run_back`."""
        if not self.has_kernels:
            return Cell.run_back(self, dys, needs_dx)
        steps, N = dys.shape[:2]
        dys = self.enter(dys.reshape(steps * N, *dys.shape[2:]), "dy")
        dz = self.buffer("dz", self.z.shape)
        self._run_kernels_back(dz, dys.reshape(steps, N, *dys.shape[1:]))
        if self.W.grad is not None:
            db, spare = self.grad_of(self.b, "db"), self.buffer("spare b", self.b.shape)
            self._weights_back(self.W, db, dz, self.x, self.x_masks)
            self._weights_back(self.U, spare, dz, self.tracks[0][:-1], self.h_masks)
        if not needs_dx:
            return None
        dx = self.buffer("dx", self.x.shape)
        self._input_back(dx, dz, self.W, self.x_masks)
        dx = self.leave(_images(dx), "dx")
        return dx.reshape(*self.x.shape[:2], *dx.shape[1:])

    def _run_kernels_back(self, dz, dys):
        """Fill dz, from the last step to the first."""
        zeros = self.buffer("zeros", dys.shape[1:])
        dh, dc, share = (
            self.buffer(name, (1, *zeros.shape)) for name in ("dh", "dc", "dh U")
        )
        copy_into(dc, zeros)
        if len(dys) == len(dz):
            copy_into(dh, zeros)
            dys = _by_places(dys)
        else:
            copy_into(dh, dys)
            dys = self.buffer("no dy", (0, 0, 0))
        slopes, z, c = _by_places(dz), _by_places(self.z), _by_places(self.tracks[1])
        states = as_rows(dh), as_rows(dc)
        for s in reversed(range(len(z))):
            ops.lstm_gates_backward(
                slopes, *states, dys, z, c, self.mask, s, *self.codes
            )
            self._input_back(share, dz[s : s + 1], self.U, self.h_masks)
            ops.add_scaled(dh.reshape(-1), dh.reshape(-1), share.reshape(-1), 1.0)

    def _slide_over(self, z, x, weight, b, masks):
        """Fill z (T, N, 1, r, c, 4 F) with what the window makes of x."""
        geometry = self._geometry(x.shape, weight)
        for gate, start, count in self._blocks(masks):
            W = self._columns(weight.value, start, count)
            seen = self._seen(x, masks, gate)
            part = self._part(z, count)
            ops.convolution_forward(
                _images(part), _images(seen), W, b[start : start + count], *geometry
            )
            if part is not z:
                ops.place_columns(as_rows(z), as_rows(part), start)

    def _weights_back(self, weight, db, dz, x, masks):
        """Fill the gradients of a weight and of b."""
        geometry = self._geometry(x.shape, weight)
        for gate, start, count in self._blocks(masks):
            part, dW = self._columns_of_slopes(dz, start, count), weight.grad
            if part is not dz:
                dW = self.buffer("dW part", (*weight.shape[:-1], count))
            ops.convolution_backward_weights(
                self.window(dW), db[start : start + count], _images(part),
                _images(self._seen(x, masks, gate)), *geometry,
            )  # fmt: skip
            if part is not dz:
                ops.place_columns(as_rows(weight.grad), as_rows(dW), start)

    def _input_back(self, dx, dz, weight, masks):
        """Fill the gradient of what a window slides over."""
        none = self.buffer("none", dx.shape[-1:])
        geometry = self._geometry(dx.shape, weight)
        for gate, start, count in self._blocks(masks):
            share = self.buffer("share", dx.shape) if gate else dx
            part = self._columns_of_slopes(dz, start, count)
            W = self._columns(weight.value, start, count)
            ops.convolution_backward_input(
                _images(share), _images(part), W, none, *geometry
            )
            if len(masks):
                flat = _by_samples(share)
                ops.scale_states(flat, flat, masks, gate)
            if gate:
                ops.add_scaled(dx.reshape(-1), dx.reshape(-1), share.reshape(-1), 1.0)

    def _masks(self, name, rate, shape, training):
        """Return factors for images of a shape, (0, one or G, N, I), channels last."""
        masks = self.draw(name, rate, shape, training)
        if len(masks):
            masks = self.enter(masks.reshape(-1, *shape[1:]), name)
        return masks.reshape(-1, shape[0], math.prod(shape[1:]))

    def _seen(self, x, masks, gate):
        """Return x (T, N, 1, R, C, K) as a gate sees it."""
        return super()._seen(_by_samples(x), masks, gate).reshape(x.shape)

    def _columns(self, weights, start, count):
        """Return the window's weights for a gate, or for all of them."""
        if count < weights.shape[-1]:
            block = self.buffer("block", (*weights.shape[:-1], count))
            ops.cut_columns(as_rows(block), as_rows(weights), start)
            weights = block
        return self.window(weights)

    def _part(self, z, count):
        """Return room for the columns of a gate of z, or z itself for all of them."""
        if count == z.shape[-1]:
            return z
        return self.buffer("part", (*z.shape[:-1], count))

    def _columns_of_slopes(self, dz, start, count):
        """Return the columns of a gate of dz, or dz itself for all of them."""
        part = self._part(dz, count)
        if part is not dz:
            ops.cut_columns(as_rows(part), as_rows(dz), start)
        return part

    # ---- one step -----------------------------------------------------------------

    def start(self, batch, training):
        """Let the first step draw the masks, for it knows the size of the images."""
        self.x_masks = self.h_masks = None
        self.training = training

    def sums(self, x, h):
        """Return x * W + b + h * U for each gate."""
        if self.x_masks is None:
            drop = self.dropout, self.recurrent_dropout
            self.x_masks = self.draw("x masks", drop[0], x.shape, self.training)
            self.h_masks = self.draw("h masks", drop[1], h.shape, self.training)
        z = self._slide(x, self.W, self.b.value, self.x_masks)
        z += self._slide(h, self.U, np.zeros_like(self.b.value), self.h_masks)
        return [self._leave(block) for block in np.split(z, self.gates, axis=-1)]

    def sums_back(self, dz, x, h):
        """Add to dW, dU and db; return dx and dh."""
        dz = np.concatenate([self._enter(block) for block in dz], axis=-1)
        spare = np.zeros_like(self.b.value)
        db = spare if self.b.grad is None else self.b.grad
        dx = self._slide_back(dz, x, self.W, db, self.x_masks)
        return dx, self._slide_back(dz, h, self.U, spare, self.h_masks)

    def _slide(self, x, weight, b, masks):
        """Return what the window of a weight makes of images, (N, 1, r, c, 4 F)."""
        parts, geometry = [], self._geometry(self.last(x.shape), weight)
        sizes = self.last(
            self.compute_output_shape(x.shape) if weight is self.W else x.shape
        )
        for gate, start, count in self._blocks(masks):
            columns = slice(start, start + count)
            W = np.ascontiguousarray(weight.value[..., columns])
            part = np.empty((len(x), 1, *sizes[1:-1], count), x.dtype)
            seen = self._enter(x * masks[gate] if len(masks) else x)
            ops.convolution_forward(part, seen, self.window(W), b[columns], *geometry)
            parts.append(part)
        return np.concatenate(parts, axis=-1)

    def _slide_back(self, dz, x, weight, db, masks):
        """Add to the gradients of a weight and of b; return dx."""
        dx, geometry = np.zeros_like(x), self._geometry(self.last(x.shape), weight)
        for gate, start, count in self._blocks(masks):
            columns = slice(start, start + count)
            W = np.ascontiguousarray(weight.value[..., columns])
            part = np.ascontiguousarray(dz[..., columns])
            seen = self._enter(x * masks[gate] if len(masks) else x)
            dW, sums, share = (
                np.empty_like(W),
                np.empty_like(W[0, 0, 0]),
                np.empty_like(seen),
            )
            ops.convolution_backward_weights(
                self.window(dW), sums, part, seen, *geometry
            )
            weight.grad[..., columns] += dW
            db[columns] += sums
            none = np.zeros_like(seen[0, 0, 0, 0])
            ops.convolution_backward_input(share, part, self.window(W), none, *geometry)
            share = self._leave(share)
            dx += share * masks[gate] if len(masks) else share
        return dx

    def _geometry(self, shape, weight):
        """Return stride, dilation and padding of the window over x, or over h."""
        sizes = shape[-3:-1]
        if weight is self.W:
            how = self.strides, self.padding, self.dilation_rate
        else:
            how = (1, 1), "same", (1, 1)
        return self.geometry_of(sizes, self.kernel_size, *how)

    def _enter(self, a):
        """Return images in the form (N, 1, R, C, K)."""
        a = np.moveaxis(a, 1, -1) if self.channels_first else a
        return np.ascontiguousarray(a).reshape(self.five(a.shape))

    def _leave(self, a):
        """Return images (N, 1, R, C, K) in the user's form."""
        a = a[:, 0]
        return np.ascontiguousarray(np.moveaxis(a, -1, 1) if self.channels_first else a)

    def get_config(self):
        """Return the constructor's arguments as plain values."""
        config = {**super().get_config(), "filters": self.filters}
        for name in ("kernel_size", "strides", "dilation_rate"):
            config[name] = list(getattr(self, name))
        del config["units"], config["implementation"]
        return {**config, "padding": self.padding}


def _images(x):
    """Return images of all steps, (T, N, 1, R, C, K) as (T N, 1, R, C, K)."""
    return x.reshape(-1, *x.shape[2:])


def _by_samples(x):
    """Return (T, N, 1, R, C, K) as (T, N, I)."""
    return x.reshape(*x.shape[:2], -1)


def _by_places(x):
    """Return (T, N, 1, R, C, K) as (T, M, K)."""
    return x.reshape(len(x), -1, x.shape[-1])


class ConvLSTM2D(Recurrent):
    """
    LSTM over sequences of images, whose products are convolutions (Shi et al. 2015).

    forward     i, f, o = sigma(x[s] * W + b + h[s] * U),  g = phi(...),  each with its
                filters,  c[s + 1] = f c[s] + i g,  h[s + 1] = o phi(c[s + 1])
    backward    the same, from the last step to the first; see ConvLSTM2DCell

    x (N, T, R, C, K) becomes h (N, r, c, F), or (N, T, r, c, F) with sequences. Here *
    is a convolution; that of h keeps the size of the images. A mask of the steps holds
    for all places of an image. The states are h and c, in the form of the output.

    Parameters
    ----------
    filters : int
        Channels of the states and of the output, F.
    kernel_size, strides, dilation_rate : int or tuple of 2
        Places of both windows; the step of the window over x from one output to the
        next, and the distance of its places: not both above 1.
    padding : {'valid', 'same'}
        That of the window over x.
    data_format : str, optional
        'channels_last' or 'channels_first', (N, T, K, R, C). Default:
        `kerasnb.image_data_format()`.
    activation, recurrent_activation : str or ActivationFunction
        phi ('tanh') and sigma ('hard_sigmoid').
    use_bias : bool
    kernel_initializer, recurrent_initializer, bias_initializer
        First values of W (P, Q, K, 4 F), U (P, Q, F, 4 F) and b (4 F,), whose filters
        are those of i, f, g (Keras: c) and o, in turn.
    unit_forget_bias : bool
        Whether the part of b for f starts with ones.
    kernel_regularizer, recurrent_regularizer, bias_regularizer : optional
    activity_regularizer : optional
        Penalty on the output.
    kernel_constraint, recurrent_constraint, bias_constraint : optional
    return_sequences, go_backwards, stateful
        As for RNN.
    dropout, recurrent_dropout : float
        As for GRU, with a mask for each gate.

    Examples
    --------
    >>> x = np.ones((2, 5, 8, 8, 1))
    >>> ConvLSTM2D(4, 3, padding="same", return_sequences=True)(x).shape
    (2, 5, 8, 8, 4)
    """

    only_launches = Recurrent.only_launches
    kind = ConvLSTM2DCell

    def __init__(
        self,
        filters,
        kernel_size,
        strides=1,
        padding="valid",
        data_format=None,
        dilation_rate=1,
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
        activity_regularizer=None,
        kernel_constraint=None,
        recurrent_constraint=None,
        bias_constraint=None,
        return_sequences=False,
        go_backwards=False,
        stateful=False,
        dropout=0.0,
        recurrent_dropout=0.0,
        **kwargs,
    ):
        given = {**locals(), "return_state": False, "unroll": False}
        super().__init__(given, **kwargs)

    def get_config(self):
        """Return the constructor's arguments as plain values."""
        config = super().get_config()
        del config["return_state"], config["unroll"]
        return config
