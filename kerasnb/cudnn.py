"""
The recurrent layers of NVIDIA's cards, as names for what every machine computes.

CuDNN ran one kind of GRU and one of LSTM, with sigmoid gates and without dropout; these
classes take the arguments that were left. Read next: `recurrent.py`, the layers behind
them; `gate_order.py` for the arrays in files that were made on such cards.
"""

from __future__ import annotations

from .recurrent import GRU, LSTM, RNN, Recurrent

CUDNN = {
    "activation": "tanh",
    "recurrent_activation": "sigmoid",
    "use_bias": True,
    "dropout": 0.0,
    "recurrent_dropout": 0.0,
    "implementation": 1,
    "unroll": False,
}
"""What cannot be chosen on NVIDIA's cards."""


class CuDNNGRU(GRU):
    """
    The GRU of NVIDIA's cards: with sigmoid, reset_after, and without dropout.

    Parameters
    ----------
    units, kernel_initializer, ...
        Those of GRU that are left.

    Examples
    --------
    >>> CuDNNGRU(4)([[[1.0, 2.0], [3.0, 4.0]]]).shape
    (1, 4)
    """

    only_launches = RNN.only_launches

    def __init__(
        self,
        units,
        kernel_initializer="glorot_uniform",
        recurrent_initializer="orthogonal",
        bias_initializer="zeros",
        kernel_regularizer=None,
        recurrent_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        kernel_constraint=None,
        recurrent_constraint=None,
        bias_constraint=None,
        return_sequences=False,
        return_state=False,
        go_backwards=False,
        stateful=False,
        **kwargs,
    ):
        given = {**CUDNN, "reset_after": True, **locals()}
        Recurrent.__init__(self, given, **kwargs)

    def get_config(self):
        """Return the constructor's arguments as plain values."""
        config = super().get_config()
        for name in (*CUDNN, "reset_after"):
            del config[name]
        return config


class CuDNNLSTM(LSTM):
    """
    The LSTM of NVIDIA's cards: with sigmoid, and without dropout.

    Parameters
    ----------
    units, kernel_initializer, ...
        Those of LSTM that are left.

    Examples
    --------
    >>> CuDNNLSTM(4)([[[1.0, 2.0], [3.0, 4.0]]]).shape
    (1, 4)
    """

    only_launches = RNN.only_launches

    def __init__(
        self,
        units,
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
        return_state=False,
        go_backwards=False,
        stateful=False,
        **kwargs,
    ):
        Recurrent.__init__(self, {**CUDNN, **locals()}, **kwargs)

    def get_config(self):
        """Return the constructor's arguments as plain values."""
        config = super().get_config()
        for name in CUDNN:
            del config[name]
        return config
