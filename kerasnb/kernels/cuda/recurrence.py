"""
The recurrent cells, step by step: at every step one thread owns one unit of a sample.

The letters are those of `plain/recurrence.py`. What a thread needs of other units comes
from an earlier launch: at least one for every step. Read next:
`recurrence_persistent.py`, which runs all steps in one launch.
"""

from ..formulas.recurrence import activate, slope
from . import product
from . import recurrence_persistent as persistent
from .cells import gru_slopes, gru_state, is_kept, lstm_slopes, lstm_state, seen
from .indices import indices_3
from .reductions import add_pieces, pieces, scratch
from .target import cuda, entry, grid, launcher, like, part

# ---- sequences, time first --------------------------------------------------------


@entry
def _steps_to_time_major(xt, x, backwards):
    i = cuda.grid(1)
    if i < xt.size:
        s, n, d = indices_3(i, xt.shape)
        xt[s, n, d] = x[n, xt.shape[0] - 1 - s if backwards else s, d]


@launcher
def steps_to_time_major(xt, x, backwards):
    """
    xt[s, n, d] = x[n, T - 1 - s if backwards else s, d]

    xt (T, N, D) out    x (N, T, D)
    """
    _steps_to_time_major[grid(xt.size)](xt, x, backwards)


@entry
def _time_major_to_steps(x, xt, backwards):
    i = cuda.grid(1)
    if i < x.size:
        n, t, d = indices_3(i, x.shape)
        x[n, t, d] = xt[x.shape[1] - 1 - t if backwards else t, n, d]


@launcher
def time_major_to_steps(x, xt, backwards):
    """
    x[n, T - 1 - s if backwards else s, d] = xt[s, n, d]

    x (N, T, D) out    xt (T, N, D)
    """
    _time_major_to_steps[grid(x.size)](x, xt, backwards)


@entry
def _scale_states(y, h, r, g):
    i = cuda.grid(1)
    if i < y.size:
        s, n, k = indices_3(i, y.shape)
        y[s, n, k] = h[s, n, k] * r[g, n, k]


@launcher
def scale_states(y, h, r, g):
    """
    y[s, n, k] = h[s, n, k] r[g, n, k]

    y (T, N, u) out    h (T or more, N, u)    r (G, N, u)
    """
    _scale_states[grid(y.size)](y, h, r, g)


# ---- the recurrent product --------------------------------------------------------


@part
def product_of_step(h, U, r, s, n, g, o):
    """Return sum_k h[s, n, k] r[g, n, k] U[k, g u + o]."""
    u = h.shape[2]
    total = like(h[s, n, 0], 0)
    for k in range(u):
        total += seen(h[s, n, k], r, g, n, k) * U[k, g * u + o]
    return total


@part
def product_back(dz, at, U, r, s, n, g, k):
    """Return r[g, n, k] sum_o dz[s, n, at + o] U[k, g u + o]."""
    u = U.shape[0]
    total = like(dz[s, n, at], 0)
    for o in range(u):
        total += dz[s, n, at + o] * U[k, g * u + o]
    return seen(total, r, g, n, k)


@entry
def _recurrent_backward_weights(dU, dz, h, into, start, count):
    k, o = divmod(cuda.grid(1), count)
    if k < h.shape[1]:
        total = like(dz[0, start + o], 0)
        for n in range(h.shape[0]):
            total += h[n, k] * dz[n, start + o]
        dU[k, into + o] = total


@entry
def _take_columns(dU, whole, into, start, count):
    k, o = divmod(cuda.grid(1), count)
    if k < dU.shape[0]:
        dU[k, into + o] = whole[k, start + o]


@entry
def _bias_of_pieces(partial, dz, start):
    p, o = divmod(cuda.grid(1), partial.shape[1])
    if p < partial.shape[0]:
        total = like(dz[0, start + o], 0)
        for n in range(p, dz.shape[0], partial.shape[0]):
            total += dz[n, start + o]
        partial[p, o] = total


@launcher
def recurrent_backward_weights(dU, db, dz, h, into, start, count):
    """
    dU[k, into + o] = sum_n h[n, k] dz[n, start + o],  db[into + o] = sum_n dz[n, start + o]

    o < count    dU (u, C) out in part    db (C,) out in part    dz (N, A)    h (N, u)
    """  # noqa: E501
    N, u = h.shape
    threads = grid(u * count)
    if product.pays(dU, N):  # the fast form makes all columns
        whole = scratch("recurrent weights", (u, dz.shape[1]), dU.dtype)
        product.product_backward_weights(whole, dz, h)
        _take_columns[threads](dU, whole, into, start, count)
    else:
        _recurrent_backward_weights[threads](dU, dz, h, into, start, count)
    partial = scratch("bias of a cell", (pieces(N, count), count), dz.dtype)
    _bias_of_pieces[grid(partial.size)](partial, dz, start)
    add_pieces(db[into : into + count], partial)


# ---- SimpleRNN --------------------------------------------------------------------


@entry
def _rnn_step(h, z, U, r, mask, phi, s):
    n, k = divmod(cuda.grid(1), h.shape[2])
    if n < h.shape[1]:
        if is_kept(mask, s, n):
            h[s + 1, n, k] = h[s, n, k]
        else:
            total = z[s, n, k] + product_of_step(h, U, r, s, n, 0, k)
            h[s + 1, n, k] = activate(phi, total)


@launcher
def rnn_forward(h, z, U, r, mask, phi):
    """
    h[s + 1] = phi(z[s] + h[s] U)

    h (T + 1, N, u) out, but for h[0]    z (T, N, u)    U (u, u)    r, mask as above
    """
    T, N, u = z.shape
    if persistent.fits(U, r):
        persistent.rnn_forward(h, z, U, r, mask, phi)
        return
    for s in range(T):
        _rnn_step[grid(N * u)](h, z, U, r, mask, phi, s)


@entry
def _rnn_slopes(dz, dh, dy, h, mask, phi, s):
    n, k = divmod(cuda.grid(1), dh.shape[1])
    if n < dh.shape[0]:
        if dy.size:
            dh[n, k] += dy[s, n, k]
        dz[s, n, k] = like(dh[n, k], 0)
        if not is_kept(mask, s, n):
            dz[s, n, k] = dh[n, k] * slope(phi, h[s + 1, n, k])
            dh[n, k] = like(dh[n, k], 0)


@entry
def _state_back(dh, dz, U, r, mask, gates, s):
    """dh[n, k] += sum over gates g of r[g, n, k] sum_o dz[s, n, gu + o] U[k, gu + o]"""
    n, k = divmod(cuda.grid(1), dh.shape[1])
    if n < dh.shape[0] and not is_kept(mask, s, n):
        for g in range(gates):
            dh[n, k] += product_back(dz, g * dh.shape[1], U, r, s, n, g, k)


@launcher
def rnn_backward(dz, dh, dy, h, U, r, mask, phi):
    """
    dz[s] = (dy[s] + dh) phi'(h[s + 1]),  then  dh = dz[s] UT

    dz (T, N, u) out    dh (N, u) in for h[T], out for h[0]    dy (T, N, u) or empty
    h (T + 1, N, u)    U (u, u)    r, mask as above
    """
    if persistent.fits(U, r):
        persistent.rnn_backward(dz, dh, dy, h, U, r, mask, phi)
        return
    for s in range(len(dz) - 1, -1, -1):
        _rnn_slopes[grid(dh.size)](dz, dh, dy, h, mask, phi, s)
        _state_back[grid(dh.size)](dh, dz, U, r, mask, 1, s)


# ---- LSTM -------------------------------------------------------------------------


@entry
def _lstm_step(h, c, gates, z, U, r, mask, sigma, phi, s):
    u = h.shape[2]
    n, k = divmod(cuda.grid(1), u)
    if n < h.shape[1]:
        i, f, g, o, c[s + 1, n, k], h[s + 1, n, k] = lstm_state(
            z[s, n, k] + product_of_step(h, U, r, s, n, 0, k),
            z[s, n, u + k] + product_of_step(h, U, r, s, n, 1, k),
            z[s, n, 2 * u + k] + product_of_step(h, U, r, s, n, 2, k),
            z[s, n, 3 * u + k] + product_of_step(h, U, r, s, n, 3, k),
            c[s, n, k], sigma, phi,
        )  # fmt: skip
        gates[s, n, k], gates[s, n, u + k] = i, f
        gates[s, n, 2 * u + k], gates[s, n, 3 * u + k] = g, o
        if is_kept(mask, s, n):
            c[s + 1, n, k] = c[s, n, k]
            h[s + 1, n, k] = h[s, n, k]


@launcher
def lstm_forward(h, c, gates, z, U, r, mask, sigma, phi):
    """
    i, f, o = sigma(z[s] + h[s] U),  g = phi(z[s] + h[s] U),  each with its columns

    c[s + 1] = f c[s] + i g,    h[s + 1] = o phi(c[s + 1])
    h, c (T + 1, N, u) out, but for h[0], c[0]    gates (T, N, 4u) out, may be z: i, f, g, o
    z (T, N, 4u)    U (u, 4u)    r, mask as above
    """  # noqa: E501
    if persistent.fits(U, r):
        persistent.lstm_forward(h, c, gates, z, U, r, mask, sigma, phi)
        return
    T, N, u = len(z), h.shape[1], h.shape[2]
    for s in range(T):
        _lstm_step[grid(N * u)](h, c, gates, z, U, r, mask, sigma, phi, s)


@launcher
def lstm_backward(dz, dh, dc, dy, gates, c, U, r, mask, sigma, phi):
    """
    dh += dy[s],  dc += dh o phi'(c),  dz[s] = (dc g, dc c[s], dc i, dh phi(c)) slopes

    then  dc = dc f,  dh = dz[s] UT,    where  c = c[s + 1],  i, f, g, o = gates[s]
    dz (T, N, 4u) out, may be gates    dh, dc (N, u) in for step T, out for step 0
    dy (T, N, u) or empty    gates (T, N, 4u)    c (T + 1, N, u)    U (u, 4u)
    """
    if persistent.fits(U, r):
        persistent.lstm_backward(dz, dh, dc, dy, gates, c, U, r, mask, sigma, phi)
        return
    for s in range(len(dz) - 1, -1, -1):
        lstm_gates_backward(dz, dh, dc, dy, gates, c, mask, s, sigma, phi)
        _state_back[grid(dh.size)](dh, dz, U, r, mask, 4, s)


@entry
def _lstm_gates_forward(h, c, gates, more, mask, s, sigma, phi):
    M, u = h.shape[1], h.shape[2]
    m, k = divmod(cuda.grid(1), u)
    if m < M:
        i, f, g, o, c[s + 1, m, k], h[s + 1, m, k] = lstm_state(
            gates[s, m, k] + more[m, k],
            gates[s, m, u + k] + more[m, u + k],
            gates[s, m, 2 * u + k] + more[m, 2 * u + k],
            gates[s, m, 3 * u + k] + more[m, 3 * u + k],
            c[s, m, k], sigma, phi,
        )  # fmt: skip
        gates[s, m, k], gates[s, m, u + k] = i, f
        gates[s, m, 2 * u + k], gates[s, m, 3 * u + k] = g, o
        if is_kept(mask, s, m * mask.shape[1] // M):
            c[s + 1, m, k] = c[s, m, k]
            h[s + 1, m, k] = h[s, m, k]


@launcher
def lstm_gates_forward(h, c, gates, more, mask, s, sigma, phi):
    """
    i, f, o = sigma(z + more),  g = phi(z + more),  each with its columns,  z = gates[s]

    c[s + 1] = f c[s] + i g,    h[s + 1] = o phi(c[s + 1]),    at all M places of images
    h, c (T + 1, M, u) out at s + 1    gates (T, M, 4u) in and out: i, f, g, o
    more (M, 4u): what h[s] adds    mask (T, N): M is N times the places of an image
    """
    M, u = h.shape[1], h.shape[2]
    _lstm_gates_forward[grid(M * u)](h, c, gates, more, mask, s, sigma, phi)


@entry
def _lstm_gates_backward(dz, dh, dc, dy, gates, c, mask, s, sigma, phi):
    M, u = dh.shape
    m, k = divmod(cuda.grid(1), u)
    if m < M:
        if dy.size:
            dh[m, k] += dy[s, m, k]
        if is_kept(mask, s, m * mask.shape[1] // M):
            for gate in range(4):
                dz[s, m, gate * u + k] = like(dh[m, k], 0)
        else:
            di, df, dg, do, dc[m, k] = lstm_slopes(
                gates[s, m, k], gates[s, m, u + k],
                gates[s, m, 2 * u + k], gates[s, m, 3 * u + k],
                c[s, m, k], c[s + 1, m, k], dh[m, k], dc[m, k], sigma, phi,
            )  # fmt: skip
            dz[s, m, k], dz[s, m, u + k] = di, df
            dz[s, m, 2 * u + k], dz[s, m, 3 * u + k] = dg, do
            dh[m, k] = like(di, 0)


@launcher
def lstm_gates_backward(dz, dh, dc, dy, gates, c, mask, s, sigma, phi):
    """
    dh += dy[s],  dc += dh o phi'(c),  dz[s] = (dc g, dc c[s], dc i, dh phi(c)) slopes

    then  dc = dc f,  dh = 0,    where  c = c[s + 1],  i, f, g, o = gates[s]
    dz (T, M, 4u) out at s, may be gates    dh, dc (M, u) in and out, stay if masked
    dy (T, M, u) or empty    gates (T, M, 4u)    c (T + 1, M, u)    mask (T, N)
    """
    numbers = s, sigma, phi
    _lstm_gates_backward[grid(dh.size)](dz, dh, dc, dy, gates, c, mask, *numbers)


# ---- GRU --------------------------------------------------------------------------


@entry
def _gru_gates(h, gates, inner, z, U, b, r, sigma, reset_after, s):
    u = h.shape[2]
    n, k = divmod(cuda.grid(1), u)
    if n < h.shape[1]:
        p = z[s, n, k] + b[k] + product_of_step(h, U, r, s, n, 0, k)
        q = z[s, n, u + k] + b[u + k] + product_of_step(h, U, r, s, n, 1, k)
        gates[s, n, k] = activate(sigma, p)
        q = gates[s, n, u + k] = activate(sigma, q)
        if reset_after:
            inner[s, n, k] = b[2 * u + k] + product_of_step(h, U, r, s, n, 2, k)
        else:
            inner[s, n, k] = q * seen(h[s, n, k], r, 2, n, k)


@entry
def _gru_state(h, gates, inner, z, U, b, none, mask, phi, reset_after, s):
    u = h.shape[2]
    n, k = divmod(cuda.grid(1), u)
    if n < h.shape[1]:
        g = z[s, n, 2 * u + k]
        if reset_after:
            g += gates[s, n, u + k] * inner[s, n, k]
        else:
            g += b[2 * u + k] + product_of_step(inner, U, none, s, n, 2, k)
        g, h[s + 1, n, k] = gru_state(gates[s, n, k], g, h[s, n, k], phi)
        gates[s, n, 2 * u + k] = g
        if is_kept(mask, s, n):
            h[s + 1, n, k] = h[s, n, k]


@launcher
def gru_forward(h, gates, inner, z, U, b, r, mask, sigma, phi, reset_after):
    """
    p, q = sigma(z[s] + h[s] U + b),    h[s + 1] = p h[s] + (1 - p) g

    g = phi(z[s] + (q h[s]) U + b),  or  phi(z[s] + q (h[s] U + b)) if reset_after
    h (T + 1, N, u) out, but for h[0]    gates (T, N, 3u) out, may be z: p, q, g
    inner (T, N, u) out: q h[s] (as dropout leaves it), or h[s] U + b if reset_after
    z (T, N, 3u)    U (u, 3u)    b (3u,)    r, mask as above
    """
    if persistent.fits(U, r):
        rest = r, mask, sigma, phi, reset_after
        persistent.gru_forward(h, gates, inner, z, U, b, *rest)
        return
    T, N, u = inner.shape
    for s in range(T):
        _gru_gates[grid(N * u)](h, gates, inner, z, U, b, r, sigma, reset_after, s)
        _gru_state[grid(N * u)](
            h, gates, inner, z, U, b, r[:0], mask, phi, reset_after, s
        )  # fmt: skip


@entry
def _gru_slopes(
    dz, dh, dinner, dy, gates, inner, h, mask, sigma, phi, reset_after, s
):  # fmt: skip
    u = dh.shape[1]
    n, k = divmod(cuda.grid(1), u)
    if n < dh.shape[0]:
        if dy.size:
            dh[n, k] += dy[s, n, k]
        if is_kept(mask, s, n):
            for gate in range(3):
                dz[s, n, gate * u + k] = like(dh[n, k], 0)
            dinner[s, n, k] = like(dh[n, k], 0)
        else:
            p, q, g = gates[s, n, k], gates[s, n, u + k], gates[s, n, 2 * u + k]
            dp, dg, dh[n, k] = gru_slopes(p, g, h[s, n, k], dh[n, k], sigma, phi)
            dz[s, n, k], dz[s, n, 2 * u + k] = dp, dg
            if reset_after:
                dz[s, n, u + k] = dg * inner[s, n, k] * slope(sigma, q)
                dinner[s, n, k] = dg * q


@entry
def _gru_reset_back(dz, dh, dinner, gates, h, U, r, none, mask, sigma, s):
    u = dh.shape[1]
    n, k = divmod(cuda.grid(1), u)
    if n < dh.shape[0] and not is_kept(mask, s, n):
        q = gates[s, n, u + k]
        dm = dinner[s, n, k] = product_back(dz, 2 * u, U, none, s, n, 2, k)
        dz[s, n, u + k] = dm * seen(h[s, n, k], r, 2, n, k) * slope(sigma, q)
        dh[n, k] += seen(dm * q, r, 2, n, k)


@entry
def _gru_inner_back(dh, dinner, U, r, mask, s):
    n, k = divmod(cuda.grid(1), dh.shape[1])
    if n < dh.shape[0] and not is_kept(mask, s, n):
        dh[n, k] += product_back(dinner, 0, U, r, s, n, 2, k)


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
    if persistent.fits(U, r):
        rest = r, mask, sigma, phi, reset_after
        persistent.gru_backward(dz, dh, dinner, dy, gates, inner, h, U, *rest)
        return
    threads = grid(dh.size)
    for s in range(len(dz) - 1, -1, -1):
        _gru_slopes[threads](
            dz, dh, dinner, dy, gates, inner, h, mask, sigma, phi, reset_after, s
        )
        if reset_after:
            _gru_inner_back[threads](dh, dinner, U, r, mask, s)
        else:
            _gru_reset_back[threads](
                dz, dh, dinner, gates, h, U, r, r[:0], mask, sigma, s
            )  # fmt: skip
        _state_back[threads](dh, dz, U, r, mask, 2, s)
