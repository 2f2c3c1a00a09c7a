"""
Activations, element by element: one thread owns one number; softmax: a block a row.

y = f(z) and dz = dy f'(z), over arrays of any shape; y is what the forward kernel made
of z, and dz may be dy itself. Read next: `formulas/activations.py`.
"""

from ..formulas import activations as formula
from ..formulas.elementary import exp, sigmoid, softplus, tanh
from .reductions import ROOM, largest_over_block, sum_over_block
from .target import cuda, entry, grid, launcher, like, rows


def forward_of(f):
    """Return the entry of y[i] = f(z[i], numbers...)."""

    @entry
    def forward(y, z, numbers):
        i = cuda.grid(1)
        if i < z.size:
            y[i] = f(z[i], *numbers)

    return forward


def backward_of(slope):
    """Return the entry of dz[i] = dy[i] slope(z[i], y[i], numbers...)."""

    @entry
    def backward(dz, dy, z, y, numbers):
        i = cuda.grid(1)
        if i < z.size:
            dz[i] = dy[i] * slope(z[i], y[i], *numbers)

    return backward


@entry
def _copy(y, x):
    i = cuda.grid(1)
    if i < y.size:
        y[i] = x[i]


_relu_forward = forward_of(formula.relu)
_relu_backward = backward_of(formula.relu_slope)
_bent_relu_forward = forward_of(formula.bent_relu)
_bent_relu_backward = backward_of(formula.bent_relu_slope)
_elu_forward = forward_of(formula.elu)
_elu_backward = backward_of(formula.elu_slope)
_selu_forward = forward_of(formula.selu)
_selu_backward = backward_of(formula.selu_slope)
_softplus_forward = forward_of(softplus)
_softplus_backward = backward_of(formula.softplus_slope)
_softsign_forward = forward_of(formula.softsign)
_softsign_backward = backward_of(formula.softsign_slope)
_tanh_forward = forward_of(tanh)
_tanh_backward = backward_of(formula.tanh_slope)
_sigmoid_forward = forward_of(sigmoid)
_sigmoid_backward = backward_of(formula.sigmoid_slope)
_hard_sigmoid_forward = forward_of(formula.hard_sigmoid)
_hard_sigmoid_backward = backward_of(formula.hard_sigmoid_slope)
_exponential_forward = forward_of(exp)
_exponential_backward = backward_of(formula.exponential_slope)


def _forward(entry, y, z, *numbers):
    entry[grid(z.size)](y.reshape(-1), z.reshape(-1), numbers)


def _backward(entry, dz, dy, z, y, *numbers):
    flat = [a.reshape(-1) for a in (dz, dy, z, y)]
    entry[grid(z.size)](*flat, numbers)


@launcher
def linear_forward(y, z):
    """
    y[i] = z[i]

    y, z of one shape, y out
    """
    _copy[grid(z.size)](y.reshape(-1), z.reshape(-1))


@launcher
def linear_backward(dz, dy, z, y):
    """
    dz[i] = dy[i]

    all of one shape, dz out
    """
    _copy[grid(dy.size)](dz.reshape(-1), dy.reshape(-1))


@launcher
def relu_forward(y, z):
    """
    y[i] = max(z[i], 0)

    y, z of one shape, y out
    """
    _forward(_relu_forward, y, z)


@launcher
def relu_backward(dz, dy, z, y):
    """
    dz[i] = dy[i] (1 if y[i] > 0 else 0)

    all of one shape, dz out
    """
    _backward(_relu_backward, dz, dy, z, y)


@launcher
def bent_relu_forward(y, z, alpha, max_value, threshold):
    """
    y[i] = min(z[i], max_value) if z[i] > threshold else alpha (z[i] - threshold)

    y, z of one shape, y out
    """
    _forward(_bent_relu_forward, y, z, alpha, max_value, threshold)


@launcher
def bent_relu_backward(dz, dy, z, y, alpha, max_value, threshold):
    """
    dz[i] = dy[i] (alpha up to the threshold, then 1, and 0 from max_value on)

    all of one shape, dz out
    """
    _backward(_bent_relu_backward, dz, dy, z, y, alpha, max_value, threshold)


@launcher
def elu_forward(y, z, alpha):
    """
    y[i] = z[i] if z[i] > 0 else alpha (e^z[i] - 1)

    y, z of one shape, y out
    """
    _forward(_elu_forward, y, z, alpha)


@launcher
def elu_backward(dz, dy, z, y, alpha):
    """
    dz[i] = dy[i] (1 if z[i] > 0 else alpha e^z[i])

    all of one shape, dz out
    """
    _backward(_elu_backward, dz, dy, z, y, alpha)


@launcher
def selu_forward(y, z):
    """
    y[i] = SCALE (z[i] if z[i] > 0 else ALPHA (e^z[i] - 1))

    y, z of one shape, y out
    """
    _forward(_selu_forward, y, z)


@launcher
def selu_backward(dz, dy, z, y):
    """
    dz[i] = dy[i] SCALE (1 if z[i] > 0 else ALPHA e^z[i])

    all of one shape, dz out
    """
    _backward(_selu_backward, dz, dy, z, y)


@launcher
def softplus_forward(y, z):
    """
    y[i] = log(1 + e^z[i])

    y, z of one shape, y out
    """
    _forward(_softplus_forward, y, z)


@launcher
def softplus_backward(dz, dy, z, y):
    """
    dz[i] = dy[i] sigmoid(z[i])

    all of one shape, dz out
    """
    _backward(_softplus_backward, dz, dy, z, y)


@launcher
def softsign_forward(y, z):
    """
    y[i] = z[i] / (1 + |z[i]|)

    y, z of one shape, y out
    """
    _forward(_softsign_forward, y, z)


@launcher
def softsign_backward(dz, dy, z, y):
    """
    dz[i] = dy[i] / (1 + |z[i]|)^2

    all of one shape, dz out
    """
    _backward(_softsign_backward, dz, dy, z, y)


@launcher
def tanh_forward(y, z):
    """
    y[i] = tanh z[i]

    y, z of one shape, y out
    """
    _forward(_tanh_forward, y, z)


@launcher
def tanh_backward(dz, dy, z, y):
    """
    dz[i] = dy[i] (1 - y[i]^2)

    all of one shape, dz out
    """
    _backward(_tanh_backward, dz, dy, z, y)


@launcher
def sigmoid_forward(y, z):
    """
    y[i] = 1 / (1 + e^-z[i])

    y, z of one shape, y out
    """
    _forward(_sigmoid_forward, y, z)


@launcher
def sigmoid_backward(dz, dy, z, y):
    """
    dz[i] = dy[i] y[i] (1 - y[i])

    all of one shape, dz out
    """
    _backward(_sigmoid_backward, dz, dy, z, y)


@launcher
def hard_sigmoid_forward(y, z):
    """
    y[i] = 0.2 z[i] + 0.5, kept within 0 and 1

    y, z of one shape, y out
    """
    _forward(_hard_sigmoid_forward, y, z)


@launcher
def hard_sigmoid_backward(dz, dy, z, y):
    """
    dz[i] = dy[i] (0.2 where 0 < y[i] < 1, else 0)

    all of one shape, dz out
    """
    _backward(_hard_sigmoid_backward, dz, dy, z, y)


@launcher
def exponential_forward(y, z):
    """
    y[i] = e^z[i]

    y, z of one shape, y out
    """
    _forward(_exponential_forward, y, z)


@launcher
def exponential_backward(dz, dy, z, y):
    """
    dz[i] = dy[i] y[i]

    all of one shape, dz out
    """
    _backward(_exponential_backward, dz, dy, z, y)


@entry
def _softmax_forward(y, z):
    r = cuda.blockIdx.x  # a block owns a row, a thread some columns of it
    first, step, C = cuda.threadIdx.x, cuda.blockDim.x, z.shape[1]
    room = cuda.shared.array(ROOM, z.dtype)
    top = z[r, 0]
    for c in range(first, C, step):
        top = z[r, c] if z[r, c] > top else top
    top = largest_over_block(top, room)
    total = like(top, 0)
    for c in range(first, C, step):
        y[r, c] = exp(z[r, c] - top)  # at most 1: nothing overflows
        total += y[r, c]
    total = sum_over_block(total, room)
    for c in range(first, C, step):
        y[r, c] /= total


@launcher
def softmax_forward(y, z):
    """
    y[r, c] = e^(z[r, c] - m[r]) / sum_k e^(z[r, k] - m[r]),   m[r] = max_c z[r, c]

    y (R, C) out    z (R, C)
    """
    _softmax_forward[rows(*z.shape)](y, z)


@entry
def _softmax_backward(dz, dy, y):
    r = cuda.blockIdx.x
    first, step, C = cuda.threadIdx.x, cuda.blockDim.x, y.shape[1]
    room = cuda.shared.array(ROOM, y.dtype)
    total = like(y[r, 0], 0)
    for c in range(first, C, step):
        total += dy[r, c] * y[r, c]
    total = sum_over_block(total, room)
    for c in range(first, C, step):
        dz[r, c] = y[r, c] * (dy[r, c] - total)


@launcher
def softmax_backward(dz, dy, y):
    """
    dz[r, c] = y[r, c] (dy[r, c] - sum_k dy[r, k] y[r, k])

    dz (R, C) out    dy (R, C)    y (R, C)
    """
    _softmax_backward[rows(*y.shape)](dz, dy, y)


@entry
def _softmax_axis_forward(y, z):
    C, B = z.shape[1], z.shape[2]
    a, b = divmod(cuda.grid(1), B)  # a thread owns what sums to one
    if a < z.shape[0]:
        top = z[a, 0, b]
        for c in range(C):
            top = z[a, c, b] if z[a, c, b] > top else top
        total = like(top, 0)
        for c in range(C):
            y[a, c, b] = exp(z[a, c, b] - top)  # at most 1: nothing overflows
            total += y[a, c, b]
        for c in range(C):
            y[a, c, b] /= total


@launcher
def softmax_axis_forward(y, z):
    """
    y[a, c, b] = e^(z[a, c, b] - m[a, b]) / sum_k e^(z[a, k, b] - m[a, b]),
    m[a, b] = max_c z[a, c, b]

    y (A, C, B) out    z (A, C, B)
    """
    A, _, B = z.shape
    _softmax_axis_forward[grid(A * B)](y, z)


@entry
def _softmax_axis_backward(dz, dy, y):
    C, B = y.shape[1], y.shape[2]
    a, b = divmod(cuda.grid(1), B)
    if a < y.shape[0]:
        total = like(y[a, 0, b], 0)
        for c in range(C):
            total += dy[a, c, b] * y[a, c, b]
        for c in range(C):
            dz[a, c, b] = y[a, c, b] * (dy[a, c, b] - total)


@launcher
def softmax_axis_backward(dz, dy, y):
    """
    dz[a, c, b] = y[a, c, b] (dy[a, c, b] - sum_k dy[a, k, b] y[a, k, b])

    dz (A, C, B) out    dy (A, C, B)    y (A, C, B)
    """
    A, _, B = y.shape
    _softmax_axis_backward[grid(A * B)](dz, dy, y)
