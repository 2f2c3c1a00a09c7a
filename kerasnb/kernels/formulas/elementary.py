"""
exp, log, tanh and their relatives: functions of one number that vectorise.

In float32 each is a short polynomial in plain arithmetic, without a branch or a call,
so that the compiler turns a loop over an array into SIMD; in float64 each is the
function of `math`. Overflow gives inf, underflow fades to 0 and NaN stays NaN, compiled
and stepped alike. Read next: `activations.py`, the formulas that are made of these.
"""

import functools
import math

import numpy as np
from numba.core import types
from numba.extending import overload

from ..jit import inner, like

f32 = np.float32

LOG2_E = f32(1.4426950408889634)
LN2_HIGH = f32(0.693359375)  # ln 2 in two parts: n times the first is exact
LN2_LOW = f32(-2.12194440e-4)
ROUND = f32(12582912.0)  # 1.5 * 2^23: a sum with it keeps the nearest whole number
ROUND_BITS = 0x4B400000  # its bits; those of the sum are larger by that number
ROOT_HALF_BITS = 0x3F3504F3  # the bits of sqrt(1/2)
SMALLEST_NORMAL = f32(1.17549435e-38)

EXP_MOST = f32(88.72283)  # above, exp is inf
EXP_LEAST = f32(-104.0)  # below, exp is 0
EXPM1_LEAST = f32(-20.0)  # below, expm1 is -1
EXP_MOST_64 = 709.782712893384


def in_both_precisions(single, double):
    """Make a function mean `single` for a float32 number and `double` for others."""

    def decorate(function):
        @functools.wraps(function)
        def choose(x):
            return single(x) if isinstance(x, f32) else double(x)

        @overload(choose)
        def _choose(x):
            form = single if x == types.float32 else double
            return lambda x: form(x)

        return choose

    return decorate


# ---- float32: exp and expm1 -------------------------------------------------------


@inner
def power_of_two(n):
    """2^n for a whole number, by its bits: 0 for n = -127, inf for n = 128."""
    return np.int32((n + 127) << 23).view(np.float32)


@inner
def split_power(x):
    """Return n and p with e^x = 2^n (1 + p), where n is whole and |p| < 0.42."""
    shifted = f32(x * LOG2_E + ROUND)
    n = np.int32(np.float32(shifted).view(np.int32) - ROUND_BITS)
    whole = shifted - ROUND
    r = x - whole * LN2_HIGH - whole * LN2_LOW
    p = f32(1.9875691500e-4)
    p = p * r + f32(1.3981999507e-3)
    p = p * r + f32(8.3334519073e-3)
    p = p * r + f32(4.1665795894e-2)
    p = p * r + f32(1.6666665459e-1)
    p = p * r + f32(5.0000001201e-1)
    return n, p * (r * r) + r


@inner
def exp_32(x):
    """e^x = 2^n (1 + p); 2^n in two halves, so that neither leaves the range."""
    within = EXP_MOST if x > EXP_MOST else x
    within = EXP_LEAST if within < EXP_LEAST else within
    n, p = split_power(within)
    half = n >> 1
    y = (f32(1.0) + p) * power_of_two(half) * power_of_two(n - half)
    return f32(math.inf) if x > EXP_MOST else y


@inner
def expm1_32(x):
    """e^x - 1 = 2 (h p + h - 1/2) with h = 2^(n - 1): no digits lost near 0."""
    within = EXP_MOST if x > EXP_MOST else x
    within = EXPM1_LEAST if within < EXPM1_LEAST else within
    n, p = split_power(within)
    h = power_of_two(n - 1)
    y = f32(2.0) * (h * p + (h - f32(0.5)))
    return f32(math.inf) if x > EXP_MOST else y


# ---- float32: log, log1p, tanh and sigmoid ----------------------------------------


@inner
def log_of_normal(x):
    """log x = e ln 2 + log(1 + f) with x = 2^e (1 + f), sqrt(1/2) <= 1 + f < sqrt 2."""
    bits = np.float32(x).view(np.int32)
    e = np.int32(np.int32(bits - ROOT_HALF_BITS) >> 23)
    f = np.int32(bits - np.int32(e << 23)).view(np.float32) - f32(1.0)
    exponent = f32(e)
    p = f32(7.0376836292e-2)
    p = p * f + f32(-1.1514610310e-1)
    p = p * f + f32(1.1676998740e-1)
    p = p * f + f32(-1.2420140846e-1)
    p = p * f + f32(1.4249322787e-1)
    p = p * f + f32(-1.6668057665e-1)
    p = p * f + f32(2.0000714765e-1)
    p = p * f + f32(-2.4999993993e-1)
    p = p * f + f32(3.3333331174e-1)
    square = f * f
    y = p * f * square + exponent * LN2_LOW - f32(0.5) * square
    return f + y + exponent * LN2_HIGH


@inner
def log_32(x):
    """log x, -inf at 0, NaN below."""
    usable = x if x > f32(0.0) else f32(1.0)
    tiny = usable < SMALLEST_NORMAL
    usable = usable * f32(8388608.0) if tiny else usable  # 2^23
    y = log_of_normal(usable) - (f32(15.942385) if tiny else f32(0.0))  # 23 ln 2
    y = x if x == f32(math.inf) else y
    y = f32(-math.inf) if x == f32(0.0) else y
    return y if x >= f32(0.0) else f32(math.nan)


@inner
def log1p_32(x):
    """log(1 + x) = log u + (x - (u - 1)) / u, where u is 1 + x as rounded."""
    u = f32(1.0) + x
    return log_of_normal(u) + (x - (u - f32(1.0))) / u


@inner
def tanh_32(x):
    """d / (d + 2) with the sign of x, where d = e^(2 |x|) - 1."""
    size = abs(x)
    size = f32(10.0) if size > f32(10.0) else size  # there tanh is 1 to the last digit
    n, p = split_power(size + size)
    t = power_of_two(n)
    d = t * p + (t - f32(1.0))
    return f32(math.copysign(d / (d + f32(2.0)), x))


@inner
def sigmoid_32(x):
    """1 / (1 + e^-x), where e^-x may be inf or 0 a little early."""
    minus = -x
    minus = f32(88.8) if minus > f32(88.8) else minus
    minus = f32(-88.0) if minus < f32(-88.0) else minus
    n, p = split_power(minus)
    return f32(1.0) / (f32(1.0) + (f32(1.0) + p) * power_of_two(n))


# ---- float64: math, with its exceptions turned into limits -------------------------


@inner
def exp_64(x):
    """e^x, inf above the range."""
    return math.inf if x > EXP_MOST_64 else math.exp(x)


@inner
def expm1_64(x):
    """e^x - 1, inf above the range."""
    return math.inf if x > EXP_MOST_64 else math.expm1(x)


@inner
def log_64(x):
    """log x, -inf at 0, NaN below."""
    if x > 0:
        return math.log(x)
    return -math.inf if x == 0 else math.nan


@inner
def log1p_64(x):
    """log(1 + x) for finite x >= 0."""
    return math.log1p(x)


@inner
def tanh_64(x):
    """tanh x."""
    return math.tanh(x)


@inner
def sigmoid_64(x):
    """1 / (1 + e^-x)."""
    return 1.0 / (1.0 + exp_64(-x))


# ---- the functions that kernels call ----------------------------------------------


@in_both_precisions(exp_32, exp_64)
def exp(x):
    """e^x"""


@in_both_precisions(expm1_32, expm1_64)
def expm1(x):
    """e^x - 1, exact to the last digits near 0"""


@in_both_precisions(log_32, log_64)
def log(x):
    """log x: -inf at 0, NaN below 0"""


@in_both_precisions(log1p_32, log1p_64)
def log1p(x):
    """log(1 + x) for finite x >= 0, exact to the last digits near 0"""


@in_both_precisions(tanh_32, tanh_64)
def tanh(x):
    """(e^x - e^-x) / (e^x + e^-x)"""


@in_both_precisions(sigmoid_32, sigmoid_64)
def sigmoid(x):
    """1 / (1 + e^-x)"""


@inner
def softplus(x):
    """log(1 + e^x) = max(x, 0) + log(1 + e^-|x|), where nothing can overflow"""
    positive = x if x > like(x, 0.0) else like(x, 0.0)
    return positive + log1p(exp(-abs(x)))
