"""
Kernels of the activations.

y = f(z) and dz = dy f'(z), element by element, over arrays of any shape; y is what the
forward kernel made of z, and dz may be dy itself. softmax works on rows: R rows, C
classes; along another axis the classes have A indices before and B behind them. The
formulas stand in `formulas/activations.py`.
"""

import numpy as np
from numba import prange

from ..formulas import activations as formula
from ..formulas.elementary import exp, sigmoid, softplus, tanh
from ..jit import kernel, like


@kernel
def linear_forward(y, z):
    """
    y[i] = z[i]

    y, z of one shape, y out
    """
    y = y.reshape(-1)
    z = z.reshape(-1)
    for i in prange(z.size):
        y[i] = z[i]


@kernel
def linear_backward(dz, dy, z, y):
    """
    dz[i] = dy[i]

    all of one shape, dz out
    """
    dz = dz.reshape(-1)
    dy = dy.reshape(-1)
    for i in prange(dy.size):
        dz[i] = dy[i]


@kernel
def relu_forward(y, z):
    """
    y[i] = max(z[i], 0)

    y, z of one shape, y out
    """
    y = y.reshape(-1)
    z = z.reshape(-1)
    for i in prange(z.size):
        y[i] = formula.relu(z[i])


@kernel
def relu_backward(dz, dy, z, y):
    """
    dz[i] = dy[i] (1 if y[i] > 0 else 0)

    all of one shape, dz out
    """
    dz = dz.reshape(-1)
    dy = dy.reshape(-1)
    z = z.reshape(-1)
    y = y.reshape(-1)
    for i in prange(dy.size):
        dz[i] = dy[i] * formula.relu_slope(z[i], y[i])


@kernel
def bent_relu_forward(y, z, alpha, max_value, threshold):
    """
    y[i] = min(z[i], max_value) if z[i] > threshold else alpha (z[i] - threshold)

    y, z of one shape, y out
    """
    y = y.reshape(-1)
    z = z.reshape(-1)
    for i in prange(z.size):
        y[i] = formula.bent_relu(z[i], alpha, max_value, threshold)


@kernel
def bent_relu_backward(dz, dy, z, y, alpha, max_value, threshold):
    """
    dz[i] = dy[i] (alpha up to the threshold, then 1, and 0 from max_value on)

    all of one shape, dz out
    """
    dz = dz.reshape(-1)
    dy = dy.reshape(-1)
    z = z.reshape(-1)
    y = y.reshape(-1)
    for i in prange(dy.size):
        dz[i] = dy[i] * formula.bent_relu_slope(z[i], y[i], alpha, max_value, threshold)


@kernel
def elu_forward(y, z, alpha):
    """
    y[i] = z[i] if z[i] > 0 else alpha (e^z[i] - 1)

    y, z of one shape, y out
    """
    y = y.reshape(-1)
    z = z.reshape(-1)
    for i in prange(z.size):
        y[i] = formula.elu(z[i], alpha)


@kernel
def elu_backward(dz, dy, z, y, alpha):
    """
    dz[i] = dy[i] (1 if z[i] > 0 else alpha e^z[i])

    all of one shape, dz out
    """
    dz = dz.reshape(-1)
    dy = dy.reshape(-1)
    z = z.reshape(-1)
    y = y.reshape(-1)
    for i in prange(dy.size):
        dz[i] = dy[i] * formula.elu_slope(z[i], y[i], alpha)


@kernel
def selu_forward(y, z):
    """
    y[i] = SCALE (z[i] if z[i] > 0 else ALPHA (e^z[i] - 1))

    y, z of one shape, y out
    """
    y = y.reshape(-1)
    z = z.reshape(-1)
    for i in prange(z.size):
        y[i] = formula.selu(z[i])


@kernel
def selu_backward(dz, dy, z, y):
    """
    dz[i] = dy[i] SCALE (1 if z[i] > 0 else ALPHA e^z[i])

    all of one shape, dz out
    """
    dz = dz.reshape(-1)
    dy = dy.reshape(-1)
    z = z.reshape(-1)
    y = y.reshape(-1)
    for i in prange(dy.size):
        dz[i] = dy[i] * formula.selu_slope(z[i], y[i])


@kernel
def softplus_forward(y, z):
    """
    y[i] = log(1 + e^z[i])

    y, z of one shape, y out
    """
    y = y.reshape(-1)
    z = z.reshape(-1)
    for i in prange(z.size):
        y[i] = softplus(z[i])


@kernel
def softplus_backward(dz, dy, z, y):
    """
    dz[i] = dy[i] sigmoid(z[i])

    all of one shape, dz out
    """
    dz = dz.reshape(-1)
    dy = dy.reshape(-1)
    z = z.reshape(-1)
    y = y.reshape(-1)
    for i in prange(dy.size):
        dz[i] = dy[i] * formula.softplus_slope(z[i], y[i])


@kernel
def softsign_forward(y, z):
    """
    y[i] = z[i] / (1 + |z[i]|)

    y, z of one shape, y out
    """
    y = y.reshape(-1)
    z = z.reshape(-1)
    for i in prange(z.size):
        y[i] = formula.softsign(z[i])


@kernel
def softsign_backward(dz, dy, z, y):
    """
    dz[i] = dy[i] / (1 + |z[i]|)^2

    all of one shape, dz out
    """
    dz = dz.reshape(-1)
    dy = dy.reshape(-1)
    z = z.reshape(-1)
    y = y.reshape(-1)
    for i in prange(dy.size):
        dz[i] = dy[i] * formula.softsign_slope(z[i], y[i])


@kernel
def tanh_forward(y, z):
    """
    y[i] = tanh z[i]

    y, z of one shape, y out
    """
    y = y.reshape(-1)
    z = z.reshape(-1)
    for i in prange(z.size):
        y[i] = tanh(z[i])


@kernel
def tanh_backward(dz, dy, z, y):
    """
    dz[i] = dy[i] (1 - y[i]^2)

    all of one shape, dz out
    """
    dz = dz.reshape(-1)
    dy = dy.reshape(-1)
    z = z.reshape(-1)
    y = y.reshape(-1)
    for i in prange(dy.size):
        dz[i] = dy[i] * formula.tanh_slope(z[i], y[i])


@kernel
def sigmoid_forward(y, z):
    """
    y[i] = 1 / (1 + e^-z[i])

    y, z of one shape, y out
    """
    y = y.reshape(-1)
    z = z.reshape(-1)
    for i in prange(z.size):
        y[i] = sigmoid(z[i])


@kernel
def sigmoid_backward(dz, dy, z, y):
    """
    dz[i] = dy[i] y[i] (1 - y[i])

    all of one shape, dz out
    """
    dz = dz.reshape(-1)
    dy = dy.reshape(-1)
    z = z.reshape(-1)
    y = y.reshape(-1)
    for i in prange(dy.size):
        dz[i] = dy[i] * formula.sigmoid_slope(z[i], y[i])


@kernel
def hard_sigmoid_forward(y, z):
    """
    y[i] = 0.2 z[i] + 0.5, kept within 0 and 1

    y, z of one shape, y out
    """
    y = y.reshape(-1)
    z = z.reshape(-1)
    for i in prange(z.size):
        y[i] = formula.hard_sigmoid(z[i])


@kernel
def hard_sigmoid_backward(dz, dy, z, y):
    """
    dz[i] = dy[i] (0.2 where 0 < y[i] < 1, else 0)

    all of one shape, dz out
    """
    dz = dz.reshape(-1)
    dy = dy.reshape(-1)
    z = z.reshape(-1)
    y = y.reshape(-1)
    for i in prange(dy.size):
        dz[i] = dy[i] * formula.hard_sigmoid_slope(z[i], y[i])


@kernel
def exponential_forward(y, z):
    """
    y[i] = e^z[i]

    y, z of one shape, y out
    """
    y = y.reshape(-1)
    z = z.reshape(-1)
    for i in prange(z.size):
        y[i] = exp(z[i])


@kernel
def exponential_backward(dz, dy, z, y):
    """
    dz[i] = dy[i] y[i]

    all of one shape, dz out
    """
    dz = dz.reshape(-1)
    dy = dy.reshape(-1)
    z = z.reshape(-1)
    y = y.reshape(-1)
    for i in prange(dy.size):
        dz[i] = dy[i] * formula.exponential_slope(z[i], y[i])


@kernel
def softmax_forward(y, z):
    """
    y[r, c] = e^(z[r, c] - m[r]) / sum_k e^(z[r, k] - m[r]),   m[r] = max_c z[r, c]

    y (R, C) out    z (R, C)
    """
    R, C = z.shape
    for r in prange(R):
        top = z[r, 0]
        for c in range(C):
            top = z[r, c] if z[r, c] > top else top
        for c in range(C):
            y[r, c] = exp(z[r, c] - top)  # at most 1: nothing overflows
        total = like(top, 0.0)
        for c in range(C):
            total += y[r, c]
        for c in range(C):
            y[r, c] /= total


@kernel
def softmax_backward(dz, dy, y):
    """
    dz[r, c] = y[r, c] (dy[r, c] - sum_k dy[r, k] y[r, k])

    dz (R, C) out    dy (R, C)    y (R, C)
    """
    R, C = y.shape
    for r in prange(R):
        total = like(y[r, 0], 0.0)
        for c in range(C):
            total += dy[r, c] * y[r, c]
        for c in range(C):
            dz[r, c] = y[r, c] * (dy[r, c] - total)


@kernel
def softmax_axis_forward(y, z):
    """
    y[a, c, b] = e^(z[a, c, b] - m[a, b]) / sum_k e^(z[a, k, b] - m[a, b]),
    m[a, b] = max_c z[a, c, b]

    y (A, C, B) out    z (A, C, B)
    """
    A, C, B = z.shape
    for a in prange(A):
        top, total = z[a, 0].copy(), np.zeros_like(z[a, 0])
        for c in range(C):
            for b in range(B):
                top[b] = z[a, c, b] if z[a, c, b] > top[b] else top[b]
        for c in range(C):
            for b in range(B):
                y[a, c, b] = exp(z[a, c, b] - top[b])  # at most 1: nothing overflows
        for c in range(C):
            for b in range(B):
                total[b] += y[a, c, b]
        for c in range(C):
            for b in range(B):
                y[a, c, b] /= total[b]


@kernel
def softmax_axis_backward(dz, dy, y):
    """
    dz[a, c, b] = y[a, c, b] (dy[a, c, b] - sum_k dy[a, k, b] y[a, k, b])

    dz (A, C, B) out    dy (A, C, B)    y (A, C, B)
    """
    A, C, B = y.shape
    for a in prange(A):
        total = np.zeros_like(y[a, 0])
        for c in range(C):
            for b in range(B):
                total[b] += dy[a, c, b] * y[a, c, b]
        for c in range(C):
            for b in range(B):
                dz[a, c, b] = y[a, c, b] * (dy[a, c, b] - total[b])
