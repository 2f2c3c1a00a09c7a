"""
Optimizer steps over the flat vector of all parameters: one thread for each.

Every vector has the length N of that vector: p parameters, g gradients, and one vector
per kind of memory (v, a, d, m, u). Padding between parameters has gradient zero and so
stays zero. Read next: `formulas/optimizers.py`, the rules.
"""

import math

import numpy as np

from ..formulas import optimizers as rule
from .reductions import ROOM, share_of_block, sum_over_block
from .target import cuda, entry, grid, launcher, like, rows

# ---- clipping ---------------------------------------------------------------------


@entry
def _squares_by_block(sums, g):
    room = cuda.shared.array(ROOM, np.float64)
    start, stop = share_of_block(g.size)
    total = np.float64(0.0)
    for i in range(start + cuda.threadIdx.x, stop, cuda.blockDim.x):
        total += np.float64(g[i]) * np.float64(g[i])
    total = sum_over_block(total, room)
    if cuda.threadIdx.x == 0:
        sums[cuda.blockIdx.x] = total


@launcher
def squares_by_block(sums, g):
    """
    sums[b] = sum of g[i]^2 over block b

    sums (BLOCKS,) float64 out    g (N,)
    """
    _squares_by_block[rows(sums.size, g.size)](sums, g)


@entry
def _clip_by_norm(g, sums, limit):
    room = cuda.shared.array(ROOM, np.float64)
    total = np.float64(0.0)
    for b in range(cuda.threadIdx.x, sums.size, cuda.blockDim.x):
        total += sums[b]
    norm = math.sqrt(sum_over_block(total, room))
    if norm >= limit:
        i = cuda.grid(1)
        if i < g.size:
            g[i] *= like(g[i], limit / norm)


@launcher
def clip_by_norm(g, sums, limit):
    """
    g[i] *= limit / n  where  n = sqrt(sum_b sums[b]) >= limit

    g (N,) in and out    sums (BLOCKS,) from squares_by_block
    """
    _clip_by_norm[grid(g.size)](g, sums, limit)


@entry
def _clip_by_value(g, limit):
    i = cuda.grid(1)
    if i < g.size:
        most = like(g[i], limit)
        g[i] = most if g[i] > most else (-most if g[i] < -most else g[i])


@launcher
def clip_by_value(g, limit):
    """
    g[i] = limit or -limit where g[i] is beyond

    g (N,) in and out
    """
    _clip_by_value[grid(g.size)](g, limit)


@entry
def _keep_unless(a, former, count):
    i = cuda.grid(1)
    if i < a.size and count[0] == 0:
        a[i] = former[i]


@launcher
def keep_unless(a, former, count):
    """
    a[i] = former[i]  if count is 0: a batch that counts nothing changes nothing

    a (N,) in and out    former (N,)    count (1,)
    """
    _keep_unless[grid(a.size)](a, former, count)


# ---- steps ------------------------------------------------------------------------


@entry
def _sgd_update(p, g, lr):
    i = cuda.grid(1)
    if i < p.size:
        p[i] = rule.sgd(p[i], g[i], lr)


@launcher
def sgd_update(p, g, lr):
    """
    p[i] -= lr g[i]

    p (N,) in and out    g (N,)
    """
    _sgd_update[grid(p.size)](p, g, lr)


@entry
def _momentum_update(p, v, g, lr, mu):
    i = cuda.grid(1)
    if i < p.size:
        p[i], v[i] = rule.momentum(p[i], v[i], g[i], lr, mu)


@launcher
def momentum_update(p, v, g, lr, mu):
    """
    v[i] = mu v[i] - lr g[i],  p[i] += v[i]

    p (N,), v (N,) in and out    g (N,)
    """
    _momentum_update[grid(p.size)](p, v, g, lr, mu)


@entry
def _nesterov_update(p, v, g, lr, mu):
    i = cuda.grid(1)
    if i < p.size:
        p[i], v[i] = rule.nesterov(p[i], v[i], g[i], lr, mu)


@launcher
def nesterov_update(p, v, g, lr, mu):
    """
    v[i] = mu v[i] - lr g[i],  p[i] += mu v[i] - lr g[i]

    p (N,), v (N,) in and out    g (N,)
    """
    _nesterov_update[grid(p.size)](p, v, g, lr, mu)


@entry
def _rmsprop_update(p, a, g, lr, rho, epsilon):
    i = cuda.grid(1)
    if i < p.size:
        p[i], a[i] = rule.rmsprop(p[i], a[i], g[i], lr, rho, epsilon)


@launcher
def rmsprop_update(p, a, g, lr, rho, epsilon):
    """
    a[i] = rho a[i] + (1 - rho) g[i]^2,  p[i] -= lr g[i] / (sqrt a[i] + epsilon)

    p (N,), a (N,) in and out    g (N,)
    """
    _rmsprop_update[grid(p.size)](p, a, g, lr, rho, epsilon)


@entry
def _adagrad_update(p, a, g, lr, epsilon):
    i = cuda.grid(1)
    if i < p.size:
        p[i], a[i] = rule.adagrad(p[i], a[i], g[i], lr, epsilon)


@launcher
def adagrad_update(p, a, g, lr, epsilon):
    """
    a[i] += g[i]^2,  p[i] -= lr g[i] / (sqrt a[i] + epsilon)

    p (N,), a (N,) in and out    g (N,)
    """
    _adagrad_update[grid(p.size)](p, a, g, lr, epsilon)


@entry
def _adadelta_update(p, a, d, g, lr, rho, epsilon):
    i = cuda.grid(1)
    if i < p.size:
        p[i], a[i], d[i] = rule.adadelta(p[i], a[i], d[i], g[i], lr, rho, epsilon)


@launcher
def adadelta_update(p, a, d, g, lr, rho, epsilon):
    """
    p[i] -= lr s,  s = g[i] sqrt(d[i] + epsilon) / sqrt(a[i] + epsilon)

    p (N,), a (N,), d (N,) in and out    g (N,)
    a, d: running averages of g^2 (this step's included) and of s^2 (not included)
    """
    _adadelta_update[grid(p.size)](p, a, d, g, lr, rho, epsilon)


@entry
def _adam_update(p, m, v, g, lr, beta_1, beta_2, epsilon):
    i = cuda.grid(1)
    if i < p.size:
        p[i], m[i], v[i] = rule.adam(
            p[i], m[i], v[i], g[i], lr, beta_1, beta_2, epsilon
        )


@launcher
def adam_update(p, m, v, g, lr, beta_1, beta_2, epsilon):
    """
    p[i] -= lr m[i] / (sqrt v[i] + epsilon)

    p (N,), m (N,), v (N,) in and out    g (N,)
    m, v: running averages of g and g^2; lr with the correction of their start at zero
    """
    _adam_update[grid(p.size)](p, m, v, g, lr, beta_1, beta_2, epsilon)


@entry
def _amsgrad_update(p, m, v, v_hat, g, lr, beta_1, beta_2, epsilon):
    i = cuda.grid(1)
    if i < p.size:
        p[i], m[i], v[i], v_hat[i] = rule.amsgrad(
            p[i], m[i], v[i], v_hat[i], g[i], lr, beta_1, beta_2, epsilon
        )


@launcher
def amsgrad_update(p, m, v, v_hat, g, lr, beta_1, beta_2, epsilon):
    """
    p[i] -= lr m[i] / (sqrt v_hat[i] + epsilon),  v_hat[i] = max(v_hat[i], v[i])

    p (N,), m (N,), v (N,), v_hat (N,) in and out    g (N,)
    """
    _amsgrad_update[grid(p.size)](p, m, v, v_hat, g, lr, beta_1, beta_2, epsilon)


@entry
def _adamax_update(p, m, u, g, lr, beta_1, beta_2, epsilon):
    i = cuda.grid(1)
    if i < p.size:
        p[i], m[i], u[i] = rule.adamax(
            p[i], m[i], u[i], g[i], lr, beta_1, beta_2, epsilon
        )


@launcher
def adamax_update(p, m, u, g, lr, beta_1, beta_2, epsilon):
    """
    p[i] -= lr m[i] / (u[i] + epsilon),  u[i] = max(beta_2 u[i], |g[i]|)

    p (N,), m (N,), u (N,) in and out    g (N,)
    """
    _adamax_update[grid(p.size)](p, m, u, g, lr, beta_1, beta_2, epsilon)


@entry
def _nadam_update(p, m, v, g, lr_g, lr_m, beta_1, beta_2, correction, epsilon):
    i = cuda.grid(1)
    if i < p.size:
        p[i], m[i], v[i] = rule.nadam(
            p[i], m[i], v[i], g[i], lr_g, lr_m, beta_1, beta_2, correction, epsilon
        )


@launcher
def nadam_update(p, m, v, g, lr_g, lr_m, beta_1, beta_2, correction, epsilon):
    """
    p[i] -= (lr_g g[i] + lr_m m[i]) / (sqrt(v[i] correction) + epsilon)

    p (N,), m (N,), v (N,) in and out    g (N,)
    """
    _nadam_update[grid(p.size)](
        p, m, v, g, lr_g, lr_m, beta_1, beta_2, correction, epsilon
    )
