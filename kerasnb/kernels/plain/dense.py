"""
The three products behind a Dense layer: the first kernels worth reading.

N samples, I inputs, O outputs. The fast twins are in `cpu/dense.py`.
"""

from numba import prange

from ..formulas import activations as formula
from ..jit import kernel, like


def products(y, x, *rest):
    """Return the work of a product: groups of eight multiply-adds."""
    return x.size * y.shape[1] // 8


@kernel(work=products)
def dense_forward(y, x, W, b):
    """
    y[n, o] = b[o] + sum_i x[n, i] W[i, o]

    y (N, O) out    x (N, I)    W (I, O)    b (O,)
    """
    N, I = x.shape
    O = W.shape[1]
    for n in prange(N):
        for o in range(O):
            y[n, o] = b[o]
        for i in range(I):
            for o in range(O):
                y[n, o] += x[n, i] * W[i, o]


@kernel(work=products)
def dense_relu_forward(y, x, W, b):
    """
    y[n, o] = max(b[o] + sum_i x[n, i] W[i, o], 0)

    y (N, O) out    x (N, I)    W (I, O)    b (O,)
    """
    N, I = x.shape
    O = W.shape[1]
    for n in prange(N):
        for o in range(O):
            y[n, o] = b[o]
        for i in range(I):
            for o in range(O):
                y[n, o] += x[n, i] * W[i, o]
        for o in range(O):
            y[n, o] = formula.relu(y[n, o])


@kernel(work=lambda dW, db, dz, x: x.size * db.size // 8)
def dense_backward_weights(dW, db, dz, x):
    """
    dW[i, o] = sum_n x[n, i] dz[n, o],    db[o] = sum_n dz[n, o]

    dW (I, O) out    db (O,) out    dz (N, O)    x (N, I)
    """
    N, I = x.shape
    O = dz.shape[1]
    for o in range(O):
        db[o] = like(db[o], 0)
    for n in range(N):
        for o in range(O):
            db[o] += dz[n, o]
    for i in prange(I):
        for o in range(O):
            dW[i, o] = like(dW[i, o], 0)
        for n in range(N):
            for o in range(O):
                dW[i, o] += x[n, i] * dz[n, o]


@kernel(work=products, reassociate=True)
def dense_backward_input(dx, dz, W):
    """
    dx[n, i] = sum_o dz[n, o] W[i, o]

    dx (N, I) out    dz (N, O)    W (I, O)
    """
    N, I = dx.shape
    O = dz.shape[1]
    for n in prange(N):
        for i in range(I):
            total = like(dz[n, 0], 0)
            for o in range(O):
                total += dz[n, o] * W[i, o]
            dx[n, i] = total
