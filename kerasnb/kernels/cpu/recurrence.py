"""
LSTM and SimpleRNN on the register tile: one call runs the whole sequence.

A thread owns some samples for all steps, so no thread waits for another. The recurrent
weights are packed once; at every step the tile adds the product with the old state to
what came from the input, and the gates' formulas run over the sums while they are in
the cache. Backward goes the same way with the weights transposed. T steps, N samples, u
units; `plain/recurrence.py` says what r, mask, sigma and phi are. Read next: `gru.py`,
`rows.py`.
"""

import numpy as np
from numba import prange

from ..jit import inner, kernel, launcher
from .dense import weight_gradient
from .rows import (
    FORM,
    activate_row,
    add_product_back,
    add_row,
    clear_row,
    copy_row,
    is_kept,
    multiply_by_slope,
    multiply_row,
    multiply_rows,
    pack_gates,
    room_for,
)
from .simd import lanes, load_one, store_one
from .tile import ROWS

# ---- LSTM -------------------------------------------------------------------------


@inner
def lstm_state(c, new, old, gates, at, u):
    """c[new + k] = f c[old + k] + i g    i, f, g: k + (0, u, 2u) from `at` on"""
    for k in range(u):
        i, f = load_one(gates, at + k), load_one(gates, at + u + k)
        g = load_one(gates, at + 2 * u + k)
        store_one(c, new + k, f * load_one(c, old + k) + i * g)


@inner
def lstm_rows(h, c, gates, z, r, mask, sigma, phi, panels, size, first, last, room):
    """Run the samples from first to last through all steps."""
    T, N, u = len(h) - 1, h.shape[1], h.shape[2]
    h, c, gates, z = h.reshape(-1), c.reshape(-1), gates.reshape(-1), z.reshape(-1)
    G, r, rows = len(r), r.reshape(-1), last - first
    spare, seen = room[: ROWS * 2 * lanes(h)], room[ROWS * 2 * lanes(h) :]
    for s in range(T):
        old = (s * N + first) * u
        new, at = old + N * u, old * 4
        a, ap = (seen, 0) if G else (h, old)
        for g in range(4):
            if g < G:
                multiply_row(seen, 0, h, old, r, (g * N + first) * u, rows * u)
            multiply_rows(
                gates, at + g * u, 4 * u, z, at + g * u, 4 * u, a, ap, u, rows,
                panels, g * size, u, u, spare,
            )  # fmt: skip
        for i in range(rows):
            q = at + i * 4 * u
            activate_row(gates, q, 2 * u, sigma)
            activate_row(gates, q + 2 * u, u, phi)
            activate_row(gates, q + 3 * u, u, sigma)
            lstm_state(c, new + i * u, old + i * u, gates, q, u)
        copy_row(h, new, c, new, rows * u)
        activate_row(h, new, rows * u, phi)
        for i in range(rows):
            q, p = new + i * u, old + i * u
            multiply_row(h, q, h, q, gates, at + (4 * i + 3) * u, u)
            if is_kept(mask, s, first + i):
                copy_row(c, q, c, p, u)
                copy_row(h, q, h, p, u)


@kernel(work=lambda *arguments: FORM)
def lstm_steps(h, c, gates, z, U, r, mask, sigma, phi, panels, scratch):
    """All steps of `lstm_forward`; a turn for each row of scratch."""
    turns, N = len(scratch), h.shape[1]
    size = pack_gates(panels, U, True)
    for turn in prange(turns):
        first, last = turn * N // turns, (turn + 1) * N // turns
        lstm_rows(
            h, c, gates, z, r, mask, sigma, phi, panels, size,
            np.int64(first), np.int64(last), scratch[turn],
        )  # fmt: skip


@launcher
def lstm_forward(h, c, gates, z, U, r, mask, sigma, phi):
    """
    i, f, o = sigma(z[s] + h[s] U),  g = phi(z[s] + h[s] U),  each with its columns

    c[s + 1] = f c[s] + i g,    h[s + 1] = o phi(c[s + 1])
    h, c (T + 1, N, u) out, but for h[0], c[0]    gates (T, N, 4u) out, may be z: i, f, g, o
    z (T, N, 4u)    U (u, 4u)    r (G, N, u)    mask (T, N) or empty
    """  # noqa: E501
    room = room_for(U, h.shape[1])
    return lstm_steps, (h, c, gates, z, U, r, mask, sigma, phi, *room)


@inner
def lstm_rows_back(
    dz, dh, dc, dy, gates, c, r, mask, sigma, phi, panels, size, first, last, room
):
    """Run the samples from first to last back through all steps."""
    T, N, u = len(dz), dz.shape[1], dh.shape[1]
    dz, dh, dc, dy = dz.reshape(-1), dh.reshape(-1), dc.reshape(-1), dy.reshape(-1)
    gates, c, rows = gates.reshape(-1), c.reshape(-1), last - first
    p = ROWS * 2 * lanes(dh)  # in the room: dz of one sample, a row, y of all samples
    t, y = p + 4 * u, p + 6 * u
    for s in range(T - 1, -1, -1):
        old = (s * N + first) * u
        copy_row(room, y, c, old + N * u, rows * u)
        activate_row(room, y, rows * u, phi)
        if dy.size:
            add_row(dh, first * u, dy, old, rows * u)
        for i in range(rows):
            q, at, yp = (first + i) * u, (old + i * u) * 4, y + i * u
            if is_kept(mask, s, first + i):
                clear_row(dz, at, 4 * u)
                continue
            multiply_row(room, t, dh, q, gates, at + 3 * u, u)
            multiply_by_slope(room, t, room, yp, u, phi)
            add_row(dc, q, room, t, u)
            multiply_row(room, p, dc, q, gates, at + 2 * u, u)
            multiply_row(room, p + u, dc, q, c, old + i * u, u)
            multiply_row(room, p + 2 * u, dc, q, gates, at, u)
            multiply_row(room, p + 3 * u, dh, q, room, yp, u)
            multiply_row(dc, q, dc, q, gates, at + u, u)
            clear_row(dh, q, u)
            multiply_by_slope(room, p, gates, at, 2 * u, sigma)
            multiply_by_slope(room, p + 2 * u, gates, at + 2 * u, u, phi)
            multiply_by_slope(room, p + 3 * u, gates, at + 3 * u, u, sigma)
            copy_row(dz, at, room, p, 4 * u)
        add_product_back(
            dh, first, rows, dz, old * 4, 4 * u, 0, 4, N, u, r, panels, size, room
        )


@kernel(work=lambda *arguments: FORM)
def lstm_steps_back(dz, dh, dc, dy, gates, c, U, r, mask, sigma, phi, panels, scratch):
    """All steps of `lstm_backward`; a turn for each row of scratch."""
    turns, N = len(scratch), len(dh)
    size = pack_gates(panels, U, False)
    for turn in prange(turns):
        first, last = turn * N // turns, (turn + 1) * N // turns
        lstm_rows_back(
            dz, dh, dc, dy, gates, c, r, mask, sigma, phi, panels, size,
            np.int64(first), np.int64(last), scratch[turn],
        )  # fmt: skip


@launcher
def lstm_backward(dz, dh, dc, dy, gates, c, U, r, mask, sigma, phi):
    """
    dh += dy[s],  dc += dh o phi'(c),  dz[s] = (dc g, dc c[s], dc i, dh phi(c)) slopes

    then  dc = dc f,  dh = dz[s] UT,    where  c = c[s + 1],  i, f, g, o = gates[s]
    dz (T, N, 4u) out, may be gates    dh, dc (N, u) in for step T, out for step 0
    dy (T, N, u) or empty    gates (T, N, 4u)    c (T + 1, N, u)    U (u, 4u)
    """
    room = room_for(U, len(dh))
    return lstm_steps_back, (dz, dh, dc, dy, gates, c, U, r, mask, sigma, phi, *room)


# ---- SimpleRNN --------------------------------------------------------------------


@inner
def rnn_rows(h, z, r, mask, phi, panels, first, last, room):
    """Run the samples from first to last through all steps."""
    T, N, u = z.shape
    h, z, G, r, rows = h.reshape(-1), z.reshape(-1), len(r), r.reshape(-1), last - first
    spare, seen = room[: ROWS * 2 * lanes(h)], room[ROWS * 2 * lanes(h) :]
    for s in range(T):
        old = (s * N + first) * u
        new = old + N * u
        a, ap = (seen, 0) if G else (h, old)
        if G:
            multiply_row(seen, 0, h, old, r, first * u, rows * u)
        multiply_rows(h, new, u, z, old, u, a, ap, u, rows, panels, 0, u, u, spare)
        activate_row(h, new, rows * u, phi)
        for i in range(rows):
            if is_kept(mask, s, first + i):
                copy_row(h, new + i * u, h, old + i * u, u)


@kernel(work=lambda *arguments: FORM)
def rnn_steps(h, z, U, r, mask, phi, panels, scratch):
    """All steps of `rnn_forward`; a turn for each row of scratch."""
    turns, N = len(scratch), h.shape[1]
    pack_gates(panels, U, True)
    for turn in prange(turns):
        first, last = turn * N // turns, (turn + 1) * N // turns
        rnn_rows(
            h, z, r, mask, phi, panels, np.int64(first), np.int64(last), scratch[turn]
        )


@launcher
def rnn_forward(h, z, U, r, mask, phi):
    """
    h[s + 1] = phi(z[s] + h[s] U)

    h (T + 1, N, u) out, but for h[0]    z (T, N, u)    U (u, u)
    r (G, N, u)    mask (T, N) or empty
    """
    return rnn_steps, (h, z, U, r, mask, phi, *room_for(U, h.shape[1]))


@inner
def rnn_rows_back(dz, dh, dy, h, r, mask, phi, panels, size, first, last, room):
    """Run the samples from first to last back through all steps."""
    T, N, u = dz.shape
    dz, dh, dy, h = dz.reshape(-1), dh.reshape(-1), dy.reshape(-1), h.reshape(-1)
    rows = last - first
    for s in range(T - 1, -1, -1):
        old = (s * N + first) * u
        if dy.size:
            add_row(dh, first * u, dy, old, rows * u)
        for i in range(rows):
            q, at = (first + i) * u, old + i * u
            if is_kept(mask, s, first + i):
                clear_row(dz, at, u)
            else:
                copy_row(dz, at, dh, q, u)
                multiply_by_slope(dz, at, h, at + N * u, u, phi)
                clear_row(dh, q, u)
        add_product_back(dh, first, rows, dz, old, u, 0, 1, N, u, r, panels, size, room)


@kernel(work=lambda *arguments: FORM)
def rnn_steps_back(dz, dh, dy, h, U, r, mask, phi, panels, scratch):
    """All steps of `rnn_backward`; a turn for each row of scratch."""
    turns, N = len(scratch), len(dh)
    size = pack_gates(panels, U, False)
    for turn in prange(turns):
        first, last = turn * N // turns, (turn + 1) * N // turns
        rnn_rows_back(
            dz, dh, dy, h, r, mask, phi, panels, size,
            np.int64(first), np.int64(last), scratch[turn],
        )  # fmt: skip


@launcher
def rnn_backward(dz, dh, dy, h, U, r, mask, phi):
    """
    dz[s] = (dy[s] + dh) phi'(h[s + 1]),  then  dh = dz[s] UT

    dz (T, N, u) out    dh (N, u) in for h[T], out for h[0]    dy (T, N, u) or empty
    h (T + 1, N, u)    U (u, u)    r (G, N, u)    mask (T, N) or empty
    """
    return rnn_steps_back, (dz, dh, dy, h, U, r, mask, phi, *room_for(U, len(dh)))


# ---- the gradient of U ------------------------------------------------------------


@launcher
def recurrent_backward_weights(dU, db, dz, h, into, start, count):
    """
    dU[k, into + o] = sum_n h[n, k] dz[n, start + o],  db[into + o] = sum_n dz[n, start + o]

    o < count    dU (u, C) out in part    db (C,) out in part    dz (N, A)    h (N, u)
    """  # noqa: E501
    return weight_gradient(
        dU.reshape(-1)[into:], dU.shape[1], db[into:], dz.reshape(-1)[start:],
        dz.shape[1], h, count,
    )  # fmt: skip


for twin in (lstm_steps, lstm_steps_back, rnn_steps, rnn_steps_back):
    del twin.is_kernel
