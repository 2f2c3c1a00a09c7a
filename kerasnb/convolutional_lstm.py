"""
Convolutional LSTM: images go through an LSTM, whose products are convolutions.

ConvLSTM2DCell is an LSTMCell that sees images and keeps images as its states: where the
LSTM multiplies by W and U, two windows slide, and all the rest is inherited. Each
number of a state thus depends on its neighbourhood at the step before. Read next:
`gated_cells.py` for the equations of a step, `convolution.py` for windows.
"""

from __future__ import annotations

import numpy as np

from .device import ops
from .gated_cells import LSTMCell
from .gates import GatedCell
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

    only_launches = False
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
        self.has_kernels = False  # over the sequence: it goes step by step

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
        parts, geometry = [], self._geometry(x, weight)
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
        dx, geometry = np.zeros_like(x), self._geometry(x, weight)
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

    def _geometry(self, x, weight):
        """Return stride, dilation and padding of the window over x, or over h."""
        sizes = self.last(x.shape)[1:-1]
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
