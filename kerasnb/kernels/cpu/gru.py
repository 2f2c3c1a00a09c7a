"""
GRU on the register tile: one call runs the whole sequence, threads own samples.

The reset gate acts before the recurrent product, which then must wait for the gate, or
after it, which leaves one product for all. T steps, N samples, u units;
`plain/recurrence.py` says what r, mask, sigma and phi are. Read next: `rows.py`.
"""

import numpy as np
from numba import prange

from ..jit import inner, kernel, launcher, like
from .rows import (
    FORM,
    activate_row,
    add_product_back,
    add_product_row,
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


@inner
def gru_state(h, new, old, gates, at, u):
    """h[new + k] = p h[old + k] + (1 - p) g    p, g: k + (0, 2u) from `at` on"""
    one = like(load_one(h, old), 1)
    for k in range(u):
        p, g = load_one(gates, at + k), load_one(gates, at + 2 * u + k)
        store_one(h, new + k, p * load_one(h, old + k) + (one - p) * g)


@inner
def gru_rows(
    h, gates, m, z, b, r, mask, sigma, phi, reset_after, panels, size,
    first, last, room,
):  # fmt: skip
    """Run the samples from first to last through all steps; m: inner."""
    T, N, u = m.shape
    h, gates, m, z = h.reshape(-1), gates.reshape(-1), m.reshape(-1), z.reshape(-1)
    G, r, rows = len(r), r.reshape(-1), last - first
    third = ((2 if G > 1 else 0) * N + first) * u
    spare, seen = room[: ROWS * 2 * lanes(h)], room[ROWS * 2 * lanes(h) :]
    for s in range(T):
        old = (s * N + first) * u
        at = old * 3
        a, ap = (seen, 0) if G else (h, old)
        for g in range(3 if reset_after else 2):
            if g < G:
                multiply_row(seen, 0, h, old, r, (g * N + first) * u, rows * u)
            c, cp, row = (gates, at + g * u, 3 * u) if g < 2 else (m, old, u)
            start, sp, beside = (z, cp, row) if g < 2 else (b, 2 * u, 0)
            multiply_rows(
                c, cp, row, start, sp, beside, a, ap, u, rows,
                panels, g * size, u, u, spare,
            )  # fmt: skip
        for i in range(rows):
            p, q, g = at + 3 * i * u, at + (3 * i + 1) * u, at + (3 * i + 2) * u
            add_row(gates, p, b, 0, 2 * u)
            activate_row(gates, p, 2 * u, sigma)
            copy_row(gates, g, z, g, u)
            if reset_after:
                add_product_row(gates, g, gates, q, m, old + i * u, u)
            else:
                add_row(gates, g, b, 2 * u, u)
                multiply_row(m, old + i * u, gates, q, h, old + i * u, u)
        if not reset_after:
            if G:
                multiply_row(m, old, m, old, r, third, rows * u)
            multiply_rows(
                gates, at + 2 * u, 3 * u, gates, at + 2 * u, 3 * u, m, old, u, rows,
                panels, 2 * size, u, u, spare,
            )  # fmt: skip
        for i in range(rows):
            p, q = old + i * u, old + (N + i) * u
            activate_row(gates, at + (3 * i + 2) * u, u, phi)
            if is_kept(mask, s, first + i):
                copy_row(h, q, h, p, u)
            else:
                gru_state(h, q, p, gates, at + 3 * i * u, u)


@kernel(work=lambda *arguments: FORM)
def gru_steps(
    h, gates, inner, z, U, b, r, mask, sigma, phi, reset_after, panels, scratch
):
    """All steps of `gru_forward`; a turn for each row of scratch."""
    turns, N = len(scratch), h.shape[1]
    size = pack_gates(panels, U, True)
    for turn in prange(turns):
        first, last = turn * N // turns, (turn + 1) * N // turns
        gru_rows(
            h, gates, inner, z, b, r, mask, sigma, phi, reset_after, panels, size,
            np.int64(first), np.int64(last), scratch[turn],
        )  # fmt: skip


@launcher
def gru_forward(h, gates, inner, z, U, b, r, mask, sigma, phi, reset_after):
    """
    p, q = sigma(z[s] + h[s] U + b),    h[s + 1] = p h[s] + (1 - p) g

    g = phi(z[s] + (q h[s]) U + b),  or  phi(z[s] + q (h[s] U + b)) if reset_after
    h (T + 1, N, u) out, but for h[0]    gates (T, N, 3u) out, may be z: p, q, g
    inner (T, N, u) out: q h[s] (as dropout leaves it), or h[s] U + b if reset_after
    z (T, N, 3u)    U (u, 3u)    b (3u,)    r, mask as above
    """
    room = room_for(U, h.shape[1])
    return gru_steps, (
        h, gates, inner, z, U, b, r, mask, sigma, phi, reset_after, *room
    )  # fmt: skip


@inner
def multiply_by_change(room, at, dh, q, h, old, gates, g, u):
    """room[at + k] = dh[q + k] (h[old + k] - g)    g: gates from g on"""
    for k in range(u):
        change = load_one(h, old + k) - load_one(gates, g + k)
        store_one(room, at + k, load_one(dh, q + k) * change)


@inner
def multiply_by_rest(room, at, dh, q, gates, p, u):
    """room[at + k] = dh[q + k] (1 - p)    p: gates from p on"""
    one = like(load_one(dh, q), 1)
    for k in range(u):
        store_one(room, at + k, load_one(dh, q + k) * (one - load_one(gates, p + k)))


@inner
def gru_step_back(dz, dm, dh, q, gates, m, h, old, u, sigma, phi, reset_after, room):
    """
    Compute dz and dm of one sample, as far as the reset gate lets it.

    Before the product, the second third of dz is left to be the gate itself.
    """
    at = ROWS * 2 * lanes(dh)
    t, p = at + 2 * u, old * 3
    multiply_by_change(room, at, dh, q, h, old, gates, p + 2 * u, u)
    multiply_by_rest(room, at + u, dh, q, gates, p, u)
    multiply_row(dh, q, dh, q, gates, p, u)
    multiply_by_slope(room, at, gates, p, u, sigma)
    multiply_by_slope(room, at + u, gates, p + 2 * u, u, phi)
    copy_row(room, t, gates, p + u, u)
    copy_row(dz, p, room, at, u)
    copy_row(dz, p + 2 * u, room, at + u, u)
    if reset_after:
        multiply_row(room, at, room, at + u, m, old, u)
        multiply_by_slope(room, at, room, t, u, sigma)
        copy_row(dz, p + u, room, at, u)
        multiply_row(dm, old, room, at + u, room, t, u)
    else:
        copy_row(dz, p + u, room, t, u)
        clear_row(dm, old, u)


@inner
def gru_reset_back(dz, dm, dh, q, h, old, u, r, rp, sigma, room):
    """
    Turn the gate in the second third of dz into its gradient, and add dm's part to dh.

    One sample, if the gate acts before the product.    r from rp on, if not empty
    """
    at = ROWS * 2 * lanes(dh)
    t, p = at + u, old * 3 + u
    copy_row(room, t, dm, old, u)
    if r.size:
        multiply_row(room, t, dm, old, r, rp, u)
    add_product_row(dh, q, room, t, dz, p, u)
    multiply_row(room, t, room, t, h, old, u)
    multiply_by_slope(room, t, dz, p, u, sigma)
    copy_row(dz, p, room, t, u)


@inner
def gru_rows_back(
    dz, dh, dm, dy, gates, m, h, r, mask, sigma, phi, reset_after, panels, size,
    first, last, room,
):  # fmt: skip
    """Run the samples from first to last back through all steps; dm: dinner."""
    T, N, u = dm.shape
    dz, dh, dm, dy = dz.reshape(-1), dh.reshape(-1), dm.reshape(-1), dy.reshape(-1)
    gates, m, h, rows = gates.reshape(-1), m.reshape(-1), h.reshape(-1), last - first
    flat, third = r.reshape(-1), ((2 if len(r) > 1 else 0) * N + first) * u
    for s in range(T - 1, -1, -1):
        old = (s * N + first) * u
        if dy.size:
            add_row(dh, first * u, dy, old, rows * u)
        for i in range(rows):
            if is_kept(mask, s, first + i):
                clear_row(dz, (old + i * u) * 3, 3 * u)
                clear_row(dm, old + i * u, u)
            else:
                gru_step_back(
                    dz, dm, dh, (first + i) * u, gates, m, h, old + i * u, u,
                    sigma, phi, reset_after, room,
                )  # fmt: skip
        if not reset_after:
            multiply_rows(
                dm, old, u, dm, old, u, dz, 3 * old + 2 * u, 3 * u, rows,
                panels, 2 * size, u, u, room,
            )  # fmt: skip
        for i in range(0 if reset_after else rows):
            if not is_kept(mask, s, first + i):
                gru_reset_back(
                    dz, dm, dh, (first + i) * u, h, old + i * u, u,
                    flat, third + i * u, sigma, room,
                )  # fmt: skip
        add_product_back(
            dh, first, rows, dz, 3 * old, 3 * u, 0, 2, N, u, r, panels, size, room
        )
        if reset_after:
            add_product_back(
                dh, first, rows, dm, old, u, 2, 1, N, u, r, panels, size, room
            )


@kernel(work=lambda *arguments: FORM)
def gru_steps_back(
    dz, dh, dinner, dy, gates, inner, h, U, r, mask, sigma, phi, reset_after,
    panels, scratch,
):  # fmt: skip
    """All steps of `gru_backward`; a turn for each row of scratch."""
    turns, N = len(scratch), len(dh)
    size = pack_gates(panels, U, False)
    for turn in prange(turns):
        first, last = turn * N // turns, (turn + 1) * N // turns
        gru_rows_back(
            dz, dh, dinner, dy, gates, inner, h, r, mask, sigma, phi, reset_after,
            panels, size, np.int64(first), np.int64(last), scratch[turn],
        )  # fmt: skip


@launcher
def gru_backward(
    dz, dh, dinner, dy, gates, inner, h, U, r, mask, sigma, phi, reset_after
):
    """
    dh += dy[s],  dz[s] = (dh (h[s] - g), dq, dh (1 - p)) slopes,  dh = dh p + their parts

    dinner[s] = dz_g UT,  dq = dinner[s] h[s],  dh gets (dz_p, dz_q) UT + dinner[s] q;
    or dinner[s] = dz_g q,  dq = dz_g inner[s],  dh gets (dz_p, dz_q, dinner[s]) UT
    if reset_after
    dz (T, N, 3u) out, may be gates    dinner (T, N, u) out, may be inner
    dh (N, u) in for h[T], out for h[0]    dy (T, N, u) or empty
    gates (T, N, 3u)    inner (T, N, u)    h (T + 1, N, u)    U (u, 3u)
    """  # noqa: E501
    room = room_for(U, len(dh))
    return gru_steps_back, (
        dz, dh, dinner, dy, gates, inner, h, U, r, mask, sigma, phi, reset_after, *room
    )  # fmt: skip


for twin in (gru_steps, gru_steps_back):
    del twin.is_kernel
