"""
Kernels that move numbers and change none.

N samples, J numbers in a sample, T repetitions, D features; `take_columns` serves
Permute and Flatten with the permutation and its inverse.
"""

from numba import prange

from ..jit import kernel


@kernel
def take_columns(y, x, index):
    """
    y[n, j] = x[n, index[j]]

    y (N, J) out    x (N, J)    index (J,)
    """
    N, J = y.shape
    for n in prange(N):
        for j in range(J):
            y[n, j] = x[n, index[j]]


@kernel
def gather_rows(y, x, index):
    """
    y[n, j] = x[index[n], j]

    y (N, J) out    x (rows, J)    index (N,)
    """
    N, J = y.shape
    for n in prange(N):
        row = index[n]
        for j in range(J):
            y[n, j] = x[row, j]


@kernel
def swap_axes(y, x):
    """
    y[n, b, a] = x[n, a, b]

    y (N, B, A) out    x (N, A, B)
    """
    N, B, A = y.shape
    for n in prange(N):
        for b in range(B):
            for a in range(A):
                y[n, b, a] = x[n, a, b]


@kernel
def repeat_forward(y, x):
    """
    y[n, t, d] = x[n, d]

    y (N, T, D) out    x (N, D)
    """
    N, T, D = y.shape
    for n in prange(N):
        for t in range(T):
            for d in range(D):
                y[n, t, d] = x[n, d]


@kernel
def repeat_backward(dx, dy):
    """
    dx[n, d] = sum_t dy[n, t, d]

    dx (N, D) out    dy (N, T, D)
    """
    N, T, D = dy.shape
    for n in prange(N):
        for d in range(D):
            dx[n, d] = dy[n, 0, d]
        for t in range(1, T):
            for d in range(D):
                dx[n, d] += dy[n, t, d]
