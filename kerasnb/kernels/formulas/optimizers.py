"""
How one number p moves, given its gradient g and the optimizer's memory of it.

Every rule returns the new p and the new memory, in float32 for a float32 p. `lr` is the
learning rate of this step, after decay and the corrections that are the same for all
parameters. Read next: `plain/optimizers.py`, the loops around the rules.
"""

import math

from ..jit import inner, like


@inner
def average(old, new, rate):
    """rate old + (1 - rate) new: a running average"""
    return like(old, rate) * old + like(old, 1.0 - rate) * new


@inner
def sgd(p, g, lr):
    """p - lr g"""
    return p - like(p, lr) * g


@inner
def momentum(p, v, g, lr, mu):
    """v = mu v - lr g,  p + v"""
    v = like(p, mu) * v - like(p, lr) * g
    return p + v, v


@inner
def nesterov(p, v, g, lr, mu):
    """v = mu v - lr g,  p + mu v - lr g: the slope is taken one velocity ahead"""
    v = like(p, mu) * v - like(p, lr) * g
    return p + like(p, mu) * v - like(p, lr) * g, v


@inner
def rmsprop(p, a, g, lr, rho, epsilon):
    """a = rho a + (1 - rho) g^2,  p - lr g / (sqrt a + epsilon)"""
    a = average(a, g * g, rho)
    return p - like(p, lr) * g / (math.sqrt(a) + like(p, epsilon)), a


@inner
def adagrad(p, a, g, lr, epsilon):
    """a = a + g^2,  p - lr g / (sqrt a + epsilon)"""
    a = a + g * g
    return p - like(p, lr) * g / (math.sqrt(a) + like(p, epsilon)), a


@inner
def adadelta(p, a, d, g, lr, rho, epsilon):
    """
    a = rho a + (1 - rho) g^2,  step = g sqrt(d + epsilon) / sqrt(a + epsilon),
    d = rho d + (1 - rho) step^2,  p - lr step
    """
    a = average(a, g * g, rho)
    small = like(p, epsilon)
    step = g * math.sqrt(d + small) / math.sqrt(a + small)
    return p - like(p, lr) * step, a, average(d, step * step, rho)


@inner
def adam(p, m, v, g, lr, beta_1, beta_2, epsilon):
    """m, v = averages of g, g^2,  p - lr m / (sqrt v + epsilon)"""
    m = average(m, g, beta_1)
    v = average(v, g * g, beta_2)
    return p - like(p, lr) * m / (math.sqrt(v) + like(p, epsilon)), m, v


@inner
def amsgrad(p, m, v, v_hat, g, lr, beta_1, beta_2, epsilon):
    """As adam, with the largest v so far in the place of v"""
    m = average(m, g, beta_1)
    v = average(v, g * g, beta_2)
    v_hat = v_hat if v_hat > v else v
    p = p - like(p, lr) * m / (math.sqrt(v_hat) + like(p, epsilon))
    return p, m, v, v_hat


@inner
def adamax(p, m, u, g, lr, beta_1, beta_2, epsilon):
    """m = average of g,  u = max(beta_2 u, |g|),  p - lr m / (u + epsilon)"""
    m = average(m, g, beta_1)
    u = like(p, beta_2) * u
    size = abs(g)
    u = u if u > size else size
    return p - like(p, lr) * m / (u + like(p, epsilon)), m, u


@inner
def nadam(p, m, v, g, lr_g, lr_m, beta_1, beta_2, correction, epsilon):
    """m, v as adam,  p - (lr_g g + lr_m m) / (sqrt(v correction) + epsilon)"""
    m = average(m, g, beta_1)
    v = average(v, g * g, beta_2)
    step = like(p, lr_g) * g + like(p, lr_m) * m
    root = math.sqrt(v * like(p, correction))
    return p - step / (root + like(p, epsilon)), m, v
