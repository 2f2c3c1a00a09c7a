"""
Activations as formulas of one number.

`f(z)` is the activation; `f_slope(z, y)` is its derivative at z, given y = f(z) too,
because most slopes are cheapest in terms of y. At a kink the slope is that of the
flatter side. Every comparison is written so that NaN takes the branch that keeps it.
exp, tanh, sigmoid and softplus stand in `elementary.py`, only their slopes are here.
Read next: `plain/activations.py`, the loops around these.
"""

from ..jit import inner, like
from .elementary import expm1, sigmoid

SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805
SELU_FLOOR = SELU_SCALE * SELU_ALPHA
SOFTSIGN_FLAT = 1e30  # from here on z / (1 + z) is 1 to the last digit, inf included


@inner
def relu(z):
    """0 if z <= 0 else z"""
    return like(z, 0.0) if z <= like(z, 0.0) else z


@inner
def relu_slope(z, y):
    """0 if y <= 0 else 1"""
    return like(z, 0.0) if y <= like(z, 0.0) else like(z, 1.0)


@inner
def bent_relu(z, alpha, max_value, threshold):
    """min(z, max_value) if z > threshold else alpha (z - threshold)"""
    if z > like(z, threshold):
        return like(z, max_value) if z > like(z, max_value) else z
    if z <= like(z, threshold) and alpha == 0.0:  # 0 times -inf would be NaN
        return like(z, 0.0)
    return like(z, alpha) * (z - like(z, threshold))


@inner
def bent_relu_slope(z, y, alpha, max_value, threshold):
    """alpha up to the threshold, 1 from there to max_value, 0 beyond"""
    if z > like(z, threshold):
        return like(z, 0.0) if z >= like(z, max_value) else like(z, 1.0)
    return like(z, alpha)


@inner
def elu(z, alpha):
    """z if z > 0 else alpha (e^z - 1)"""
    return z if z > like(z, 0.0) else like(z, alpha) * expm1(z)


@inner
def elu_slope(z, y, alpha):
    """1 if z > 0 else alpha e^z, which is y + alpha"""
    return like(z, 1.0) if z > like(z, 0.0) else y + like(z, alpha)


@inner
def selu(z):
    """SCALE z if z > 0 else SCALE ALPHA (e^z - 1)"""
    rise = like(z, SELU_SCALE) * z
    return rise if z > like(z, 0.0) else like(z, SELU_FLOOR) * expm1(z)


@inner
def selu_slope(z, y):
    """SCALE if z > 0 else SCALE ALPHA e^z, which is y + SCALE ALPHA"""
    rise = like(z, SELU_SCALE)
    return rise if z > like(z, 0.0) else y + like(z, SELU_FLOOR)


@inner
def softplus_slope(z, y):
    """sigmoid(z)"""
    return sigmoid(z)


@inner
def softsign(z):
    """z / (1 + |z|)"""
    flat = like(z, SOFTSIGN_FLAT)
    z = flat if z > flat else z
    z = -flat if z < -flat else z
    return z / (like(z, 1.0) + abs(z))


@inner
def softsign_slope(z, y):
    """1 / (1 + |z|)^2"""
    u = like(z, 1.0) / (like(z, 1.0) + abs(z))
    return u * u


@inner
def tanh_slope(z, y):
    """1 - y^2"""
    return (like(y, 1.0) - y) * (like(y, 1.0) + y)


@inner
def sigmoid_slope(z, y):
    """y (1 - y)"""
    return y * (like(y, 1.0) - y)


@inner
def hard_sigmoid(z):
    """0.2 z + 0.5, kept within 0 and 1"""
    y = like(z, 0.2) * z + like(z, 0.5)
    y = like(z, 0.0) if y < like(z, 0.0) else y
    return like(z, 1.0) if y > like(z, 1.0) else y


@inner
def hard_sigmoid_slope(z, y):
    """0.2 where 0 < y < 1, else 0"""
    outside = y <= like(y, 0.0) or y >= like(y, 1.0)
    return like(y, 0.0) if outside else like(y, 0.2)


@inner
def exponential_slope(z, y):
    """y"""
    return y
