"""
What one pair of numbers, a target t and a prediction p, adds to a loss.

Every term stands next to its slope, the derivative by p. A slope is zero where a clip
holds the value and at an exact kink, and NaN where the prediction is NaN. Read next:
`plain/losses.py`, which sums the terms over a row.
"""

import math

from ..jit import inner, like
from .elementary import exp, log, tanh

LOG_2 = math.log(2.0)


@inner
def sign(x):
    """1, 0 or -1; NaN of NaN."""
    if x > 0:
        return like(x, 1)
    return like(x, -1) if x < 0 else x


@inner
def step(x):
    """1 above zero, else 0; NaN of NaN."""
    if x > 0:
        return like(x, 1)
    return like(x, 0) if x <= 0 else x


@inner
def at_least(x, low):
    """max(x, low); NaN of NaN."""
    return low if x < low else x


@inner
def clip(x, low, high):
    """x where it lies within [low, high], else the nearer end; NaN of NaN."""
    if x < low:
        return low
    return high if x > high else x


@inner
def clip_slope(x, low, high):
    """1 within [low, high], else 0."""
    return like(x, 0) if x < low or x > high else like(x, 1)


@inner
def probability(p, eps):
    """p held within [eps, 1 - eps], so that log p and log(1 - p) are finite."""
    low = like(p, eps)
    return clip(p, low, like(p, 1) - low)


@inner
def probability_slope(p, eps):
    """1 where `probability` passes p on, else 0."""
    low = like(p, eps)
    return clip_slope(p, low, like(p, 1) - low)


@inner
def cross_entropy(t, q):
    """-t log q; where t is 0 without the logarithm: t q is 0 too, or NaN if q is."""
    return -t * log(q) if t != 0 else t * q


@inner
def squared_error(t, p):
    """(p - t)^2."""
    return (p - t) * (p - t)


@inner
def squared_error_slope(t, p):
    """2 (p - t)."""
    return like(p, 2) * (p - t)


@inner
def absolute_error(t, p):
    """|p - t|."""
    return abs(p - t)


@inner
def absolute_error_slope(t, p):
    """sign(p - t)."""
    return sign(p - t)


@inner
def percentage_error(t, p, eps):
    """100 |p - t| / max(|t|, eps)."""
    return like(p, 100) * abs(p - t) / at_least(abs(t), like(p, eps))


@inner
def percentage_error_slope(t, p, eps):
    """100 sign(p - t) / max(|t|, eps)."""
    return like(p, 100) * sign(p - t) / at_least(abs(t), like(p, eps))


@inner
def logarithm_from_one(x, eps):
    """log(1 + max(x, eps))."""
    return log(like(x, 1) + at_least(x, like(x, eps)))


@inner
def squared_logarithmic_error(t, p, eps):
    """d^2 with d = log(1 + max(p, eps)) - log(1 + max(t, eps))."""
    d = logarithm_from_one(p, eps) - logarithm_from_one(t, eps)
    return d * d


@inner
def squared_logarithmic_error_slope(t, p, eps):
    """2 d / (1 + p), and 0 below eps."""
    if p < like(p, eps):
        return like(p, 0)
    d = logarithm_from_one(p, eps) - logarithm_from_one(t, eps)
    return like(p, 2) * d / (like(p, 1) + p)


@inner
def hinge(t, p):
    """max(1 - t p, 0)."""
    return at_least(like(p, 1) - t * p, like(p, 0))


@inner
def hinge_slope(t, p):
    """-t where 1 - t p > 0, else 0."""
    return -t * step(like(p, 1) - t * p)


@inner
def squared_hinge(t, p):
    """max(1 - t p, 0)^2."""
    return hinge(t, p) * hinge(t, p)


@inner
def squared_hinge_slope(t, p):
    """-2 t max(1 - t p, 0)."""
    return like(p, -2) * t * hinge(t, p)


@inner
def log_cosh(t, p):
    """Log of cosh d = |d| + log(1 + e^(-2 |d|)) - log 2, with d = p - t."""
    d = abs(p - t)
    return d + log(like(p, 1) + exp(like(p, -2) * d)) - like(p, LOG_2)


@inner
def log_cosh_slope(t, p):
    """tanh(p - t)."""
    return tanh(p - t)


@inner
def binary_cross_entropy(t, p, eps):
    """-t log q - (1 - t) log(1 - q), with q = clip(p, eps, 1 - eps)."""
    q = probability(p, eps)
    return cross_entropy(t, q) + cross_entropy(like(p, 1) - t, like(p, 1) - q)


@inner
def binary_cross_entropy_slope(t, p, eps):
    """(q - t) / (q (1 - q)), and 0 where q is clipped."""
    q = probability(p, eps)
    return probability_slope(p, eps) * (q - t) / (q * (like(p, 1) - q))


@inner
def divergence(t, p, eps):
    """t log(t / p), with t and p clipped to [eps, 1]."""
    t = clip(t, like(t, eps), like(t, 1))
    return t * log(t / clip(p, like(p, eps), like(p, 1)))


@inner
def divergence_slope(t, p, eps):
    """-t / p, with t and p clipped to [eps, 1]; 0 where p is clipped."""
    low = like(p, eps)
    one = like(p, 1)
    return -clip_slope(p, low, one) * clip(t, low, one) / clip(p, low, one)


@inner
def poisson_term(t, p, eps):
    """p - t log(p + eps)."""
    return p - t * log(p + like(p, eps))


@inner
def poisson_term_slope(t, p, eps):
    """1 - t / (p + eps)."""
    return like(p, 1) - t / (p + like(p, eps))


@inner
def length(vv):
    """sqrt(max(vv, 1e-12)), the length of a vector whose squares sum to vv."""
    return like(vv, math.sqrt(at_least(vv, like(vv, 1e-12))))


@inner
def inverse_square(vv):
    """1 / vv, and 0 where `length` is held at its least."""
    return like(vv, 0) if vv <= like(vv, 1e-12) else like(vv, 1) / vv
