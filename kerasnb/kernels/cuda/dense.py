"""
The three products behind a Dense layer: one thread owns one number of the output.

N samples, I inputs, O outputs. Large products take the fast form of `product.py`: read
it next.
"""

from ..formulas import activations as formula
from . import product
from .reductions import column_sums
from .target import cuda, entry, grid, launcher, like


@entry
def _dense_forward(y, x, W, b, relu):
    n, o = divmod(cuda.grid(1), y.shape[1])  # this thread owns y[n, o]
    if n < y.shape[0]:
        total = b[o]
        for i in range(x.shape[1]):
            total += x[n, i] * W[i, o]
        y[n, o] = formula.relu(total) if relu else total


def _forward(y, x, W, b, relu):
    if product.pays(y, x.shape[1]):
        product.product_forward(y, x, W, b, relu)
    else:
        _dense_forward[grid(y.size)](y, x, W, b, relu)


@launcher
def dense_forward(y, x, W, b):
    """
    y[n, o] = b[o] + sum_i x[n, i] W[i, o]

    y (N, O) out    x (N, I)    W (I, O)    b (O,)
    """
    _forward(y, x, W, b, False)


@launcher
def dense_relu_forward(y, x, W, b):
    """
    y[n, o] = max(b[o] + sum_i x[n, i] W[i, o], 0)

    y (N, O) out    x (N, I)    W (I, O)    b (O,)
    """
    _forward(y, x, W, b, True)


@entry
def _dense_backward_weights(dW, dz, x):
    i, o = divmod(cuda.grid(1), dW.shape[1])
    if i < dW.shape[0]:
        total = like(dz[0, 0], 0)
        for n in range(dz.shape[0]):
            total += x[n, i] * dz[n, o]
        dW[i, o] = total


@launcher
def dense_backward_weights(dW, db, dz, x):
    """
    dW[i, o] = sum_n x[n, i] dz[n, o],    db[o] = sum_n dz[n, o]

    dW (I, O) out    db (O,) out    dz (N, O)    x (N, I)
    """
    if product.pays(dW, len(x)):
        product.product_backward_weights(dW, dz, x)
    else:
        _dense_backward_weights[grid(dW.size)](dW, dz, x)
    column_sums(db, dz)


@entry
def _dense_backward_input(dx, dz, W):
    n, i = divmod(cuda.grid(1), dx.shape[1])
    if n < dx.shape[0]:
        total = like(dz[0, 0], 0)
        for o in range(dz.shape[1]):
            total += dz[n, o] * W[i, o]
        dx[n, i] = total


@launcher
def dense_backward_input(dx, dz, W):
    """
    dx[n, i] = sum_o dz[n, o] W[i, o]

    dx (N, I) out    dz (N, O)    W (I, O)
    """
    if product.pays(dx, dz.shape[1]):
        product.product_backward_input(dx, dz, W)
    else:
        _dense_backward_input[grid(dx.size)](dx, dz, W)
