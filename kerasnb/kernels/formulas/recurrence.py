"""
The activations inside recurrent cells, chosen by a number.

A cell applies two activations at every step: one opens its gates, one bends what it
remembers. `activate(code, z)` is the activation of that code, and `slope(code, y)` its
derivative, from y = f(z) alone, for a step keeps no z. Read next:
`plain/recurrence.py`, the cells.
"""

from ..jit import inner, like
from . import activations as formula
from .elementary import exp, expm1, sigmoid, softplus, tanh

CODES = {
    name: code
    for code, name in enumerate(
        (
            "linear",
            "relu",
            "tanh",
            "sigmoid",
            "hard_sigmoid",
            "softsign",
            "softplus",
            "elu",
            "selu",
            "exponential",
        )
    )
}
LINEAR, RELU, TANH, SIGMOID, HARD_SIGMOID = range(5)
SOFTSIGN, SOFTPLUS, ELU, SELU, EXPONENTIAL = range(5, 10)


@inner
def activate(code, z):
    """f(z), where f is the activation of that code"""
    if code == TANH:
        return tanh(z)
    if code == SIGMOID:
        return sigmoid(z)
    if code == HARD_SIGMOID:
        return formula.hard_sigmoid(z)
    if code == RELU:
        return formula.relu(z)
    if code == SOFTSIGN:
        return formula.softsign(z)
    if code == SOFTPLUS:
        return softplus(z)
    if code == ELU:
        return formula.elu(z, 1.0)
    if code == SELU:
        return formula.selu(z)
    if code == EXPONENTIAL:
        return exp(z)
    return z


@inner
def slope(code, y):
    """f'(z), where f is the activation of that code and y = f(z)"""
    one = like(y, 1.0)
    if code == TANH:
        return formula.tanh_slope(y, y)
    if code == SIGMOID:
        return formula.sigmoid_slope(y, y)
    if code == HARD_SIGMOID:
        return formula.hard_sigmoid_slope(y, y)
    if code == RELU:
        return formula.relu_slope(y, y)
    if code == SOFTSIGN:
        return (one - abs(y)) * (one - abs(y))
    if code == SOFTPLUS:
        return -expm1(-y)
    if code == ELU:  # y has the sign of z
        return formula.elu_slope(y, y, 1.0)
    if code == SELU:
        return formula.selu_slope(y, y)
    if code == EXPONENTIAL:
        return y
    return one
