"""
The recurrent cells, step by step: the definition.

T steps, N samples, u units, D inputs; step s reads the state h[s] and writes h[s + 1],
so h[0] is given and h[T] is the last. z holds x W + b of all steps, made by one product
beforehand. r (G, N, u) scales the state that the gates see: no recurrent dropout where
G = 0, one mask for all gates where G = 1, else one for each. At a step where mask
(T, N) is False the state stays; a mask of size 0 is none. sigma and phi are codes of
activations. Read next: `formulas/recurrence.py` for the codes, `recurrent.py` for the
layers. The fast twins are in `cpu/recurrence.py`.
"""

from numba import prange

from ..formulas.recurrence import activate, slope
from ..jit import inner, kernel, like


def steps(h, *rest):
    """Return the work of all steps: groups of eight multiply-adds, of one gate."""
    return h.size * h.shape[-1] // 8


def steps_back(dz, dh, *rest):
    """Return the work of all steps backward, likewise, of all gates."""
    return dz.size * dh.shape[-1] // 8


def one_step(h, c, gates, more, *rest):
    """Return the work of a step whose products are made elsewhere."""
    return more.size


def one_step_back(dz, dh, *rest):
    """Return the same backward."""
    return 4 * dh.size


# ---- sequences, time first --------------------------------------------------------


@kernel
def steps_to_time_major(xt, x, backwards):
    """
    xt[s, n, d] = x[n, T - 1 - s if backwards else s, d]

    xt (T, N, D) out    x (N, T, D)
    """
    T, N, D = xt.shape
    for n in prange(N):
        for s in range(T):
            t = T - 1 - s if backwards else s
            for d in range(D):
                xt[s, n, d] = x[n, t, d]


@kernel
def time_major_to_steps(x, xt, backwards):
    """
    x[n, T - 1 - s if backwards else s, d] = xt[s, n, d]

    x (N, T, D) out    xt (T, N, D)
    """
    T, N, D = xt.shape
    for n in prange(N):
        for s in range(T):
            t = T - 1 - s if backwards else s
            for d in range(D):
                x[n, t, d] = xt[s, n, d]


@kernel
def scale_states(y, h, r, g):
    """
    y[s, n, k] = h[s, n, k] r[g, n, k]

    y (T, N, u) out    h (T or more, N, u)    r (G, N, u)
    """
    T, N, u = y.shape
    for s in prange(T):
        for n in range(N):
            for k in range(u):
                y[s, n, k] = h[s, n, k] * r[g, n, k]


# ---- the recurrent product --------------------------------------------------------


@inner
def seen(x, r, g, n, k):
    """Return x as gate g of sample n sees it in place k."""
    return x * r[g if len(r) > 1 else 0, n, k] if len(r) else x


@inner
def is_kept(mask, s, n):
    """Return whether sample n keeps its state at step s."""
    return mask.size > 0 and not mask[s, n]


@inner
def add_product(z, h, U, r, n, g):
    """z[o] += sum_k h[k] r[g, n, k] U[k, g u + o]    z, h (u,)"""
    u = len(h)
    for k in range(u):
        hk = seen(h[k], r, g, n, k)
        for o in range(u):
            z[o] += hk * U[k, g * u + o]


@inner
def add_product_back(dh, dz, U, r, n, g):
    """dh[k] += r[g, n, k] sum_o dz[o] U[k, g u + o]    dh, dz (u,)"""
    u = len(dh)
    for k in range(u):
        total = like(dz[0], 0)
        for o in range(u):
            total += dz[o] * U[k, g * u + o]
        dh[k] += seen(total, r, g, n, k)


@kernel(work=lambda dU, db, dz, h, into, start, count: h.size * count // 8)
def recurrent_backward_weights(dU, db, dz, h, into, start, count):
    """
    dU[k, into + o] = sum_n h[n, k] dz[n, start + o],  db[into + o] = sum_n dz[n, start + o]

    o < count    dU (u, C) out in part    db (C,) out in part    dz (N, A)    h (N, u)
    """  # noqa: E501
    N, u = h.shape
    for o in range(count):
        db[into + o] = like(db[0], 0)
    for n in range(N):
        for o in range(count):
            db[into + o] += dz[n, start + o]
    for k in prange(u):
        for o in range(count):
            dU[k, into + o] = like(db[0], 0)
        for n in range(N):
            for o in range(count):
                dU[k, into + o] += h[n, k] * dz[n, start + o]


# ---- SimpleRNN --------------------------------------------------------------------


@kernel(work=steps)
def rnn_forward(h, z, U, r, mask, phi):
    """
    h[s + 1] = phi(z[s] + h[s] U)

    h (T + 1, N, u) out, but for h[0]    z (T, N, u)    U (u, u)    r, mask as above
    """
    T, N, u = z.shape
    for n in prange(N):
        for s in range(T):
            old, new = h[s, n], h[s + 1, n]
            for k in range(u):
                new[k] = z[s, n, k]
            add_product(new, old, U, r, n, 0)
            for k in range(u):
                new[k] = old[k] if is_kept(mask, s, n) else activate(phi, new[k])


@kernel(work=steps_back)
def rnn_backward(dz, dh, dy, h, U, r, mask, phi):
    """
    dz[s] = (dy[s] + dh) phi'(h[s + 1]),  then  dh = dz[s] UT

    dz (T, N, u) out    dh (N, u) in for h[T], out for h[0]    dy (T, N, u) or empty
    h (T + 1, N, u)    U (u, u)    r, mask as above
    """
    T, N, u = dz.shape
    for n in prange(N):
        for s in range(T - 1, -1, -1):
            for k in range(u):
                if dy.size:
                    dh[n, k] += dy[s, n, k]
                dz[s, n, k] = like(dh[n, k], 0)
            if not is_kept(mask, s, n):
                for k in range(u):
                    dz[s, n, k] = dh[n, k] * slope(phi, h[s + 1, n, k])
                    dh[n, k] = like(dh[n, k], 0)
                add_product_back(dh[n], dz[s, n], U, r, n, 0)


# ---- LSTM -------------------------------------------------------------------------


@kernel(work=steps)
def lstm_forward(h, c, gates, z, U, r, mask, sigma, phi):
    """
    i, f, o = sigma(z[s] + h[s] U),  g = phi(z[s] + h[s] U),  each with its columns

    c[s + 1] = f c[s] + i g,    h[s + 1] = o phi(c[s + 1])
    h, c (T + 1, N, u) out, but for h[0], c[0]    gates (T, N, 4u) out, may be z: i, f, g, o
    z (T, N, 4u)    U (u, 4u)    r, mask as above
    """  # noqa: E501
    T, N, u = z.shape[0], z.shape[1], h.shape[2]
    for n in prange(N):
        for s in range(T):
            for j in range(4 * u):
                gates[s, n, j] = z[s, n, j]
            for gate in range(4):
                a = gates[s, n, gate * u : (gate + 1) * u]
                add_product(a, h[s, n], U, r, n, gate)
                for k in range(u):
                    a[k] = activate(phi if gate == 2 else sigma, a[k])
            for k in range(u):
                i, f = gates[s, n, k], gates[s, n, u + k]
                g, o = gates[s, n, 2 * u + k], gates[s, n, 3 * u + k]
                c[s + 1, n, k] = f * c[s, n, k] + i * g
                h[s + 1, n, k] = o * activate(phi, c[s + 1, n, k])
                if is_kept(mask, s, n):
                    c[s + 1, n, k] = c[s, n, k]
                    h[s + 1, n, k] = h[s, n, k]


@inner
def lstm_unit_back(dz, dh, dc, gates, c, s, n, k, sigma, phi):
    """Fill dz[s, n] of unit k, take dc[n, k] a step back, and clear dh[n, k]."""
    u = dh.shape[1]
    i, f = gates[s, n, k], gates[s, n, u + k]
    g, o = gates[s, n, 2 * u + k], gates[s, n, 3 * u + k]
    y = activate(phi, c[s + 1, n, k])
    dc[n, k] += dh[n, k] * o * slope(phi, y)
    dz[s, n, k] = dc[n, k] * g * slope(sigma, i)
    dz[s, n, u + k] = dc[n, k] * c[s, n, k] * slope(sigma, f)
    dz[s, n, 2 * u + k] = dc[n, k] * i * slope(phi, g)
    dz[s, n, 3 * u + k] = dh[n, k] * y * slope(sigma, o)
    dc[n, k] *= f
    dh[n, k] = like(f, 0)


@kernel(work=steps_back)
def lstm_backward(dz, dh, dc, dy, gates, c, U, r, mask, sigma, phi):
    """
    dh += dy[s],  dc += dh o phi'(c),  dz[s] = (dc g, dc c[s], dc i, dh phi(c)) slopes

    then  dc = dc f,  dh = dz[s] UT,    where  c = c[s + 1],  i, f, g, o = gates[s]
    dz (T, N, 4u) out, may be gates    dh, dc (N, u) in for step T, out for step 0
    dy (T, N, u) or empty    gates (T, N, 4u)    c (T + 1, N, u)    U (u, 4u)
    """
    T, N, u = dz.shape[0], dz.shape[1], U.shape[0]
    for n in prange(N):
        for s in range(T - 1, -1, -1):
            if dy.size:
                for k in range(u):
                    dh[n, k] += dy[s, n, k]
            if is_kept(mask, s, n):
                for j in range(4 * u):
                    dz[s, n, j] = like(dh[n, 0], 0)
                continue
            for k in range(u):
                lstm_unit_back(dz, dh, dc, gates, c, s, n, k, sigma, phi)
            for gate in range(4):
                a = dz[s, n, gate * u : (gate + 1) * u]
                add_product_back(dh[n], a, U, r, n, gate)


@kernel(work=one_step)
def lstm_gates_forward(h, c, gates, more, mask, s, sigma, phi):
    """
    i, f, o = sigma(z + more),  g = phi(z + more),  each with its columns,  z = gates[s]

    c[s + 1] = f c[s] + i g,    h[s + 1] = o phi(c[s + 1]),    at all M places of images
    h, c (T + 1, M, u) out at s + 1    gates (T, M, 4u) in and out: i, f, g, o
    more (M, 4u): what h[s] adds    mask (T, N): M is N times the places of an image
    """
    M, u = h.shape[1], h.shape[2]
    for m in prange(M):
        for j in range(4 * u):
            is_phi = j // u == 2
            z = gates[s, m, j] + more[m, j]
            gates[s, m, j] = activate(phi if is_phi else sigma, z)
        for k in range(u):
            i, f = gates[s, m, k], gates[s, m, u + k]
            g, o = gates[s, m, 2 * u + k], gates[s, m, 3 * u + k]
            c[s + 1, m, k] = f * c[s, m, k] + i * g
            h[s + 1, m, k] = o * activate(phi, c[s + 1, m, k])
            if is_kept(mask, s, m * mask.shape[1] // M):
                c[s + 1, m, k] = c[s, m, k]
                h[s + 1, m, k] = h[s, m, k]


@kernel(work=one_step_back)
def lstm_gates_backward(dz, dh, dc, dy, gates, c, mask, s, sigma, phi):
    """
    dh += dy[s],  dc += dh o phi'(c),  dz[s] = (dc g, dc c[s], dc i, dh phi(c)) slopes

    then  dc = dc f,  dh = 0,    where  c = c[s + 1],  i, f, g, o = gates[s]
    dz (T, M, 4u) out at s, may be gates    dh, dc (M, u) in and out, stay if masked
    dy (T, M, u) or empty    gates (T, M, 4u)    c (T + 1, M, u)    mask (T, N)
    """
    M, u = dh.shape
    for m in prange(M):
        kept = is_kept(mask, s, m * mask.shape[1] // M)
        for k in range(u):
            if dy.size:
                dh[m, k] += dy[s, m, k]
            if kept:
                for gate in range(4):
                    dz[s, m, gate * u + k] = like(dh[m, k], 0)
                continue
            lstm_unit_back(dz, dh, dc, gates, c, s, m, k, sigma, phi)


# ---- GRU --------------------------------------------------------------------------


@kernel(work=steps)
def gru_forward(h, gates, inner, z, U, b, r, mask, sigma, phi, reset_after):
    """
    p, q = sigma(z[s] + h[s] U + b),    h[s + 1] = p h[s] + (1 - p) g

    g = phi(z[s] + (q h[s]) U + b),  or  phi(z[s] + q (h[s] U + b)) if reset_after
    h (T + 1, N, u) out, but for h[0]    gates (T, N, 3u) out, may be z: p, q, g
    inner (T, N, u) out: q h[s] (as dropout leaves it), or h[s] U + b if reset_after
    z (T, N, 3u)    U (u, 3u)    b (3u,)    r, mask as above
    """
    T, N, u = inner.shape
    for n in prange(N):
        for s in range(T):
            old, new, m = h[s, n], h[s + 1, n], inner[s, n]
            for gate in range(2):
                a = gates[s, n, gate * u : (gate + 1) * u]
                for k in range(u):
                    a[k] = z[s, n, gate * u + k] + b[gate * u + k]
                add_product(a, old, U, r, n, gate)
                for k in range(u):
                    a[k] = activate(sigma, a[k])
            p, q, g = gates[s, n, :u], gates[s, n, u : 2 * u], gates[s, n, 2 * u :]
            for k in range(u):
                m[k] = b[2 * u + k] if reset_after else q[k] * seen(old[k], r, 2, n, k)
                g[k] = z[s, n, 2 * u + k]
                if not reset_after:
                    g[k] += b[2 * u + k]
            if reset_after:
                add_product(m, old, U, r, n, 2)
            else:
                add_product(g, m, U, r[:0], n, 2)
            for k in range(u):
                if reset_after:
                    g[k] += q[k] * m[k]
                g[k] = activate(phi, g[k])
                new[k] = p[k] * old[k] + (like(p[k], 1) - p[k]) * g[k]
                if is_kept(mask, s, n):
                    new[k] = old[k]


@inner
def gru_step_back(
    dz, dinner, dh, gates, inner, h, U, r, n, sigma, phi, reset_after
):  # fmt: skip
    """One step of `gru_backward` for sample n, whose rows come without indices."""
    u = len(h)
    for k in range(u):
        p, q, g = gates[k], gates[u + k], gates[2 * u + k]
        dg = dh[k] * (like(p, 1) - p) * slope(phi, g)
        dz[k] = dh[k] * (h[k] - g) * slope(sigma, p)
        dz[2 * u + k] = dg
        dh[k] *= p
        if reset_after:
            dz[u + k] = dg * inner[k] * slope(sigma, q)
            dinner[k] = dg * q
        else:
            dinner[k] = like(p, 0)
    if reset_after:
        add_product_back(dh, dinner, U, r, n, 2)
    else:
        add_product_back(dinner, dz[2 * u :], U, r[:0], n, 2)
        for k in range(u):
            q = gates[u + k]
            dz[u + k] = dinner[k] * seen(h[k], r, 2, n, k) * slope(sigma, q)
            dh[k] += seen(dinner[k] * q, r, 2, n, k)
    add_product_back(dh, dz[:u], U, r, n, 0)
    add_product_back(dh, dz[u : 2 * u], U, r, n, 1)


@kernel(work=steps_back)
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
    T, N, u = dinner.shape
    for n in prange(N):
        for s in range(T - 1, -1, -1):
            if dy.size:
                for k in range(u):
                    dh[n, k] += dy[s, n, k]
            if is_kept(mask, s, n):
                for j in range(3 * u):
                    dz[s, n, j] = like(dh[n, 0], 0)
                for k in range(u):
                    dinner[s, n, k] = like(dh[n, 0], 0)
            else:
                gru_step_back(
                    dz[s, n], dinner[s, n], dh[n], gates[s, n], inner[s, n], h[s, n],
                    U, r, n, sigma, phi, reset_after,
                )  # fmt: skip
