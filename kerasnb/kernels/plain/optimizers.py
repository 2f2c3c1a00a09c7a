"""
Optimizer steps over the flat vector of all parameters of a model.

Every vector has the length N of that vector: p parameters, g gradients, and one vector
per kind of memory (v, a, d, m, u). Padding between parameters has gradient zero and so
stays zero. Read next: `formulas/optimizers.py`, the rules.
"""

import math

import numpy as np
from numba import prange

from ..formulas import optimizers as rule
from ..jit import kernel, like
from .weights import BLOCKS, block_of, sum_of_squares, whole_array

# ---- clipping ---------------------------------------------------------------------


@kernel(work=whole_array)
def squares_by_block(sums, g):
    """
    sums[b] = sum of g[i]^2 over block b

    sums (BLOCKS,) float64 out    g (N,)
    """
    for block in prange(BLOCKS):
        sums[block] = sum_of_squares(block_of(g, block))


@kernel
def clip_by_norm(g, sums, limit):
    """
    g[i] *= limit / n  where  n = sqrt(sum_b sums[b]) >= limit

    g (N,) in and out    sums (BLOCKS,) from squares_by_block
    """
    total = np.float64(0.0)
    for block in range(sums.size):
        total += sums[block]
    norm = math.sqrt(total)
    if norm >= limit:
        factor = limit / norm
        for i in prange(g.size):
            g[i] *= like(g[i], factor)


@kernel
def clip_by_value(g, limit):
    """
    g[i] = limit or -limit where g[i] is beyond

    g (N,) in and out
    """
    for i in prange(g.size):
        most = like(g[i], limit)
        g[i] = most if g[i] > most else (-most if g[i] < -most else g[i])


@kernel
def keep_unless(a, former, count):
    """
    a[i] = former[i]  if count is 0: a batch that counts nothing changes nothing

    a (N,) in and out    former (N,)    count (1,)
    """
    if count[0] == 0:
        for i in prange(a.size):
            a[i] = former[i]


# ---- steps ------------------------------------------------------------------------


@kernel
def sgd_update(p, g, lr):
    """
    p[i] -= lr g[i]

    p (N,) in and out    g (N,)
    """
    for i in prange(p.size):
        p[i] = rule.sgd(p[i], g[i], lr)


@kernel
def momentum_update(p, v, g, lr, mu):
    """
    v[i] = mu v[i] - lr g[i],  p[i] += v[i]

    p (N,), v (N,) in and out    g (N,)
    """
    for i in prange(p.size):
        p[i], v[i] = rule.momentum(p[i], v[i], g[i], lr, mu)


@kernel
def nesterov_update(p, v, g, lr, mu):
    """
    v[i] = mu v[i] - lr g[i],  p[i] += mu v[i] - lr g[i]

    p (N,), v (N,) in and out    g (N,)
    """
    for i in prange(p.size):
        p[i], v[i] = rule.nesterov(p[i], v[i], g[i], lr, mu)


@kernel
def rmsprop_update(p, a, g, lr, rho, epsilon):
    """
    a[i] = rho a[i] + (1 - rho) g[i]^2,  p[i] -= lr g[i] / (sqrt a[i] + epsilon)

    p (N,), a (N,) in and out    g (N,)
    """
    for i in prange(p.size):
        p[i], a[i] = rule.rmsprop(p[i], a[i], g[i], lr, rho, epsilon)


@kernel
def adagrad_update(p, a, g, lr, epsilon):
    """
    a[i] += g[i]^2,  p[i] -= lr g[i] / (sqrt a[i] + epsilon)

    p (N,), a (N,) in and out    g (N,)
    """
    for i in prange(p.size):
        p[i], a[i] = rule.adagrad(p[i], a[i], g[i], lr, epsilon)


@kernel
def adadelta_update(p, a, d, g, lr, rho, epsilon):
    """
    p[i] -= lr s,  s = g[i] sqrt(d[i] + epsilon) / sqrt(a[i] + epsilon)

    p (N,), a (N,), d (N,) in and out    g (N,)
    a, d: running averages of g^2 (this step's included) and of s^2 (not included)
    """
    for i in prange(p.size):
        p[i], a[i], d[i] = rule.adadelta(p[i], a[i], d[i], g[i], lr, rho, epsilon)


@kernel
def adam_update(p, m, v, g, lr, beta_1, beta_2, epsilon):
    """
    p[i] -= lr m[i] / (sqrt v[i] + epsilon)

    p (N,), m (N,), v (N,) in and out    g (N,)
    m, v: running averages of g and g^2; lr with the correction of their start at zero
    """
    for i in prange(p.size):
        p[i], m[i], v[i] = rule.adam(
            p[i], m[i], v[i], g[i], lr, beta_1, beta_2, epsilon
        )


@kernel
def amsgrad_update(p, m, v, v_hat, g, lr, beta_1, beta_2, epsilon):
    """
    p[i] -= lr m[i] / (sqrt v_hat[i] + epsilon),  v_hat[i] = max(v_hat[i], v[i])

    p (N,), m (N,), v (N,), v_hat (N,) in and out    g (N,)
    """
    for i in prange(p.size):
        p[i], m[i], v[i], v_hat[i] = rule.amsgrad(
            p[i], m[i], v[i], v_hat[i], g[i], lr, beta_1, beta_2, epsilon
        )


@kernel
def adamax_update(p, m, u, g, lr, beta_1, beta_2, epsilon):
    """
    p[i] -= lr m[i] / (u[i] + epsilon),  u[i] = max(beta_2 u[i], |g[i]|)

    p (N,), m (N,), u (N,) in and out    g (N,)
    """
    for i in prange(p.size):
        p[i], m[i], u[i] = rule.adamax(
            p[i], m[i], u[i], g[i], lr, beta_1, beta_2, epsilon
        )


@kernel
def nadam_update(p, m, v, g, lr_g, lr_m, beta_1, beta_2, correction, epsilon):
    """
    p[i] -= (lr_g g[i] + lr_m m[i]) / (sqrt(v[i] correction) + epsilon)

    p (N,), m (N,), v (N,) in and out    g (N,)
    """
    for i in prange(p.size):
        p[i], m[i], v[i] = rule.nadam(
            p[i],
            m[i],
            v[i],
            g[i],
            lr_g,
            lr_m,
            beta_1,
            beta_2,
            correction,
            epsilon,
        )
