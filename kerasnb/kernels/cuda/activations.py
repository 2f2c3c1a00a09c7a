"""
Activations, element by element: one thread owns one number; softmax: one thread a row.

y = f(z) and dz = dy f'(z), over arrays of any shape; y is what the forward kernel made
of z, and dz may be dy itself. Read next: `formulas/activations.py`.
"""

from ..formulas import activations as formula
from ..formulas.elementary import exp, sigmoid, softplus, tanh
from .target import cuda, entry, grid, launcher, like


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


_relu_forward, _relu_backward = forward_of(formula.relu), backward_of(formula.relu_slope)
_elu_forward, _elu_backward = forward_of(formula.elu), backward_of(formula.elu_slope)


def _forward(entry, y, z, *numbers):
    entry[grid(z.size)](y.reshape(-1), z.reshape(-1), numbers)


def _backward(entry, dz, dy, z, y, *numbers):
    flat = [a.reshape(-1) for a in (dz, dy, z, y)]
    entry[grid(z.size)](*flat, numbers)


@launcher
def relu_forward(y, z):
    """
    y[i] = max(z[i], 0)

    y, z of one shape, y out
    """
    _forward(_relu_forward, y, z)


@launcher
def elu_backward(dz, dy, z, y, alpha):
    """
    dz[i] = dy[i] (1 if z[i] > 0 else alpha e^z[i])

    all of one shape, dz out
    """
    _backward(_elu_backward, dz, dy, z, y, alpha)
