"""
The products of Dense for a handful of numbers, where calling and packing cost more.

Each output row is a sum of rows of a matrix, kept in one register at a time; nothing
is packed, so W is copied only where it is needed the other way round. N samples,
I inputs, O outputs. Read next: `plain/dense.py`, which says what each computes.
"""

from ..formulas import activations as formula
from ..jit import inner, kernel
from .simd import broadcast, fma, lanes, load, load_one, store, store_one


@inner
def sum_rows(c, start, a, a_row, a_step, b, bp, M, N, K):
    """
    c[i N + j] = start[j] + sum_k a[i a_row + k a_step] b[bp + k N + j]

    i < M    j < N    k < K    all arrays flat
    """
    L = lanes(a)
    whole = N // L * L
    for i in range(M):
        for j in range(0, whole, L):
            sums = load(start, j)
            for k in range(K):
                factor = broadcast(a, i * a_row + k * a_step)
                sums = fma(factor, load(b, bp + k * N + j), sums)
            store(c, i * N + j, sums)
        for j in range(whole, N):
            total = load_one(start, j)
            for k in range(K):
                factor = load_one(a, i * a_row + k * a_step)
                total += factor * load_one(b, bp + k * N + j)
            store_one(c, i * N + j, total)


@kernel(parallel=False)
def small_forward(y, x, W, b, relu):
    """
    y[n, o] = b[o] + sum_i x[n, i] W[i, o],    then max(., 0) if relu

    y (N, O) out    x (N, I)    W (I, O)    b (O,)
    """
    I, O = W.shape
    y = y.reshape(-1)
    sum_rows(y, b, x.reshape(-1), I, 1, W.reshape(-1), 0, len(x), O, I)
    for i in range(y.size if relu else 0):
        y[i] = formula.relu(y[i])


@kernel(parallel=False)
def small_backward_weights(dW, db, dz, x):
    """
    dW[i, o] = sum_n x[n, i] dz[n, o],    db[o] = sum_n dz[n, o]

    dW (I, O) out    db (O,) out    dz (N, O)    x (N, I)
    """
    N, O = dz.shape
    I = x.shape[1]
    for o in range(O):
        db[o] = 0
    sum_rows(dW.reshape(-1), db, x.reshape(-1), 1, I, dz.reshape(-1), 0, I, O, N)
    for n in range(N):
        for o in range(O):
            db[o] += dz[n, o]


@kernel(parallel=False)
def small_backward_input(dx, dz, W, scratch):
    """
    dx[n, i] = sum_o dz[n, o] W[i, o]

    dx (N, I) out    dz (N, O)    W (I, O)    scratch (I + I O,) or more
    """
    I, O = W.shape
    for i in range(I):
        scratch[i] = 0
        for o in range(O):
            scratch[I + o * I + i] = W[i, o]
    flat_dx, flat_dz = dx.reshape(-1), dz.reshape(-1)
    sum_rows(flat_dx, scratch, flat_dz, O, 1, scratch, I, len(dz), I, O)


for twin in (small_forward, small_backward_weights, small_backward_input):
    del twin.is_kernel
