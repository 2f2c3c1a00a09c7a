"""Arguments for the kernels of recurrence."""

import itertools

import numpy as np
from cases import case

from kerasnb.kernels.formulas.recurrence import CODES, HARD_SIGMOID, SIGMOID, TANH
from kerasnb.kernels.plain import recurrence as plain

SIZES = [(1, 1, 1), (3, 2, 5), (2, 3, 2)]  # T, N, u
OPTIONS = [  # masks of states, is there a mask of steps, has every step a gradient
    (0, False, True),
    (1, True, False),
    ("gates", True, True),
]


def normal(rng, dtype, *shapes):
    return [rng.normal(size=shape).astype(dtype) for shape in shapes]


def sequences(rng, dtype, gates):
    """
    Yield sizes, weights, r, mask and dy: all sizes and options.

    The first sample is masked at some steps, the last one at the last step.
    """
    for (T, N, u), option in zip(SIZES, OPTIONS):
        masks, is_masked, has_dy = option
        masks = gates if masks == "gates" else masks
        mask = rng.random((T, N)) < 0.6 if is_masked else np.empty((0, 0), bool)
        mask[-1:, -1:] = False
        U, r, dy = normal(rng, dtype, (u, gates * u), (masks, N, u), (T, N, u))
        yield (T, N, u), U, r, mask, dy if has_dy else np.empty((0, 0, 0), dtype)


@case("steps_to_time_major")
def steps_to_time_major(rng, dtype):
    for (T, N, D), backwards in itertools.product(SIZES, (False, True)):
        yield *normal(rng, dtype, (T, N, D), (N, T, D)), backwards


@case("time_major_to_steps")
def time_major_to_steps(rng, dtype):
    for (T, N, D), backwards in itertools.product(SIZES, (False, True)):
        yield *normal(rng, dtype, (N, T, D), (T, N, D)), backwards


@case("scale_states")
def scale_states(rng, dtype):
    for T, N, u in SIZES:
        yield *normal(rng, dtype, (T, N, u), (T + 1, N, u), (3, N, u)), 1


@case("recurrent_backward_weights")
def recurrent_backward_weights(rng, dtype):
    for N, u, C, A, into, start, count in (
        (1, 1, 1, 1, 0, 0, 1),
        (19, 3, 7, 5, 4, 2, 3),
    ):
        arrays = normal(rng, dtype, (u, C), C, (N, A), (N, u))
        yield *arrays, into, start, count


@case("rnn_forward")
def rnn_forward(rng, dtype):
    for (T, N, u), U, r, mask, _ in sequences(rng, dtype, 1):
        yield *normal(rng, dtype, (T + 1, N, u), (T, N, u)), U, r, mask, TANH
    h, z, U, r = normal(rng, dtype, (2, 1, 2), (1, 1, 2), (2, 2), (0, 1, 2))
    for code in CODES.values():
        yield h, z, U, r, np.empty((0, 0), bool), code


@case("rnn_backward")
def rnn_backward(rng, dtype):
    for (T, N, u), U, r, mask, dy in sequences(rng, dtype, 1):
        dz, dh, h = normal(rng, dtype, (T, N, u), (N, u), (T + 1, N, u))
        yield dz, dh, dy, np.tanh(h), U, r, mask, TANH
    dz, dh, h, U, r = normal(
        rng, dtype, (1, 1, 2), (1, 2), (2, 1, 2), (2, 2), (0, 1, 2)
    )
    for code in CODES.values():
        none = np.empty((0, 0, 0), dtype)
        yield dz, dh, none, np.tanh(h), U, r, np.empty((0, 0), bool), code


@case("lstm_forward")
def lstm_forward(rng, dtype):
    for (T, N, u), U, r, mask, _ in sequences(rng, dtype, 4):
        state = (T + 1, N, u)
        h, c, gates, z = normal(rng, dtype, state, state, *[(T, N, 4 * u)] * 2)
        yield h, c, gates, z, U, r, mask, SIGMOID, TANH


@case("lstm_backward")
def lstm_backward(rng, dtype):
    for (T, N, u), U, r, mask, dy in sequences(rng, dtype, 4):
        state = (T + 1, N, u)
        h, c, gates, z = normal(rng, dtype, state, state, *[(T, N, 4 * u)] * 2)
        plain.lstm_forward(h, c, gates, z, U, r, mask, HARD_SIGMOID, TANH)
        dh, dc = normal(rng, dtype, (N, u), (N, u))
        yield z, dh, dc, dy, gates, c, U, r, mask, HARD_SIGMOID, TANH


def images(rng, dtype):
    """Yield sizes, places of all images and a mask: one place, or several."""
    for (T, N, u), places, is_masked in zip(SIZES, (1, 3, 2), (False, True, False)):
        mask = rng.random((T, N)) < 0.6 if is_masked else np.empty((0, 0), bool)
        mask[-1:, -1:] = False
        yield (T, N * places, u), mask


@case("lstm_gates_forward")
def lstm_gates_forward(rng, dtype):
    for (T, M, u), mask in images(rng, dtype):
        state = (T + 1, M, u)
        arrays = normal(rng, dtype, state, state, (T, M, 4 * u), (M, 4 * u))
        yield *arrays, mask, T - 1, SIGMOID, TANH


@case("lstm_gates_backward")
def lstm_gates_backward(rng, dtype):
    for (T, M, u), mask in images(rng, dtype):
        three = (T, M, 4 * u)
        dz, gates, c = normal(rng, dtype, three, three, (T + 1, M, u))
        gates = abs(gates) / (1 + abs(gates))
        for dy in (np.empty((0, 0, 0), dtype), *normal(rng, dtype, (T, M, u))):
            dh, dc = normal(rng, dtype, (M, u), (M, u))
            yield dz, dh, dc, dy, gates, c, mask, T - 1, HARD_SIGMOID, TANH


def gru(rng, dtype):
    """Yield what both kernels of GRU share, for both places of the reset gate."""
    for reset_after in (False, True):
        for (T, N, u), U, r, mask, dy in sequences(rng, dtype, 3):
            three, one = (T, N, 3 * u), (T, N, u)
            h, z, b = normal(rng, dtype, (T + 1, N, u), three, 3 * u)
            gates, inner = np.empty_like(z), np.empty(one, dtype)
            rest = r, mask, SIGMOID, TANH, reset_after
            yield h, gates, inner, z, U, b, rest, dy


@case("gru_forward")
def gru_forward(rng, dtype):
    for h, gates, inner, z, U, b, rest, _ in gru(rng, dtype):
        yield h, gates, inner, z, U, b, *rest


@case("gru_backward")
def gru_backward(rng, dtype):
    for h, gates, inner, z, U, b, rest, dy in gru(rng, dtype):
        plain.gru_forward(h, gates, inner, z, U, b, *rest)
        dinner = np.empty_like(inner)
        (dh,) = normal(rng, dtype, h.shape[1:])
        yield z, dh, dinner, dy, gates, inner, h, U, *rest
