"""
Kernels that join several arrays into one, and take the gradient apart again.

Sums, products and maxima run over a pair of arrays; longer lists repeat them, with the
result so far as one of the pair, so y may be a. In dot products u and v are the two
inputs, A B sizes before and C D sizes after the axis K that is summed. Read next:
`merge.py`, the layers that launch them.
"""

import math

from numba import prange

from ..jit import kernel, like


@kernel
def add_scaled(y, a, b, factor):
    """
    y[i] = a[i] + factor b[i]

    y (I,) out    a (I,)    b (I,)
    """
    for i in prange(y.size):
        y[i] = a[i] + like(b[i], factor) * b[i]


@kernel
def scale_array(y, x, factor):
    """
    y[i] = factor x[i]

    y (I,) out    x (I,)
    """
    for i in prange(y.size):
        y[i] = like(x[i], factor) * x[i]


@kernel
def multiply_arrays(y, a, b):
    """
    y[i] = a[i] b[i]

    y (I,) out    a (I,)    b (I,)
    """
    for i in prange(y.size):
        y[i] = a[i] * b[i]


@kernel
def maximum_forward(y, winner, a, b, index):
    """
    y[i] = max(a[i], b[i]),   winner[i] = index where b is larger

    The first pair of a list has index 1: where a wins, it makes winner[i] 0. A tie goes
    to a, the earlier one; NaN is larger than any number.

    y (I,) out    winner (I,) out    a (I,)    b (I,)
    """
    for i in prange(y.size):
        larger = not b[i] <= a[i] and a[i] == a[i]
        if larger:
            winner[i] = index
        elif index == 1:
            winner[i] = 0
        y[i] = b[i] if larger else a[i]


@kernel
def maximum_backward(dx, dy, winner, index):
    """
    dx[i] = dy[i] where winner[i] = index, else 0

    dx (I,) out    dy (I,)    winner (I,)
    """
    for i in prange(dx.size):
        dx[i] = dy[i] if winner[i] == index else like(dy[i], 0)


@kernel
def place_columns(y, x, start):
    """
    y[n, start + j] = x[n, j]

    y (N, all) out, the other columns stay    x (N, J)
    """
    N, J = x.shape
    for n in prange(N):
        for j in range(J):
            y[n, start + j] = x[n, j]


@kernel
def cut_columns(dx, dy, start):
    """
    dx[n, j] = dy[n, start + j]

    dx (N, J) out    dy (N, all)
    """
    N, J = dx.shape
    for n in prange(N):
        for j in range(J):
            dx[n, j] = dy[n, start + j]


@kernel
def masks_and(mask, a, b):
    """
    mask[s] = a[s] and b[s]

    mask (S,) out    a (S,)    b (S,)
    """
    for s in prange(mask.size):
        mask[s] = a[s] and b[s]


@kernel(work=lambda y, u, v: y.size * u.shape[2] // 8)
def dot_forward(y, u, v):
    """
    y[n, a, c, b, d] = sum_k u[n, a, k, c] v[n, b, k, d]

    y (N, A, C, B, D) out    u (N, A, K, C)    v (N, B, K, D)
    """
    N, A, C, B, D = y.shape
    K = u.shape[2]
    for n in prange(N):
        for a in range(A):
            for c in range(C):
                for b in range(B):
                    for d in range(D):
                        total = like(u[n, a, 0, c], 0)
                        for k in range(K):
                            total += u[n, a, k, c] * v[n, b, k, d]
                        y[n, a, c, b, d] = total


@kernel(work=lambda du, dv, dy, u, v: dy.size * u.shape[2] // 4)
def dot_backward(du, dv, dy, u, v):
    """
    du[n, a, k, c] = sum_bd dy[n, a, c, b, d] v[n, b, k, d],   dv likewise

    du (N, A, K, C) out    dv (N, B, K, D) out    dy (N, A, C, B, D)    u, v as du, dv
    """
    N, A, C, B, D = dy.shape
    K = u.shape[2]
    for n in prange(N):
        du[n] = like(dy[n, 0, 0, 0, 0], 0)
        dv[n] = like(dy[n, 0, 0, 0, 0], 0)
        for a in range(A):
            for c in range(C):
                for b in range(B):
                    for d in range(D):
                        for k in range(K):
                            du[n, a, k, c] += dy[n, a, c, b, d] * v[n, b, k, d]
                            dv[n, b, k, d] += dy[n, a, c, b, d] * u[n, a, k, c]


@kernel(work=lambda s, x: x.size // 8)
def lengths(s, x):
    """
    s[n, a, c] = sqrt(sum_k x[n, a, k, c]^2)

    s (N, A, C) out    x (N, A, K, C)
    """
    N, A, K, C = x.shape
    for n in prange(N):
        for a in range(A):
            for c in range(C):
                total = like(x[n, a, 0, c], 0)
                for k in range(K):
                    total += x[n, a, k, c] * x[n, a, k, c]
                s[n, a, c] = math.sqrt(total)


@kernel
def cosine_forward(y, su, sv, least):
    """
    y[n, a, c, b, d] /= max(su[n, a, c] sv[n, b, d], least)

    y (N, A, C, B, D) in and out    su (N, A, C)    sv (N, B, D)
    """
    N, A, C, B, D = y.shape
    for n in prange(N):
        for a in range(A):
            for c in range(C):
                for b in range(B):
                    for d in range(D):
                        size = su[n, a, c] * sv[n, b, d]
                        if size < like(size, least):
                            size = like(size, least)
                        y[n, a, c, b, d] /= size


@kernel(work=lambda du, dv, dy, y, u, *rest: dy.size * u.shape[2] // 2)
def cosine_backward(du, dv, dy, y, u, v, su, sv, least):
    """
    du = sum_bd dy (v / (su sv) - y u / su^2),   dv likewise, with the indices of dot

    Where su sv < least, the divisor was constant: du = sum_bd dy v / least.

    du, u (N, A, K, C)    dv, v (N, B, K, D)    dy, y (N, A, C, B, D)    su (N, A, C)
    sv (N, B, D)    du and dv out
    """
    N, A, C, B, D = dy.shape
    K = u.shape[2]
    for n in prange(N):
        du[n] = like(dy[n, 0, 0, 0, 0], 0)
        dv[n] = like(dy[n, 0, 0, 0, 0], 0)
        for a in range(A):
            for c in range(C):
                for b in range(B):
                    for d in range(D):
                        size = su[n, a, c] * sv[n, b, d]
                        slope = dy[n, a, c, b, d]
                        tilt_u = tilt_v = like(slope, 0)
                        if size < like(size, least):
                            slope /= like(size, least)
                        else:
                            tilt_u = slope * y[n, a, c, b, d] / su[n, a, c] ** 2
                            tilt_v = slope * y[n, a, c, b, d] / sv[n, b, d] ** 2
                            slope /= size
                        for k in range(K):
                            p, q = u[n, a, k, c], v[n, b, k, d]
                            du[n, a, k, c] += slope * q - tilt_u * p
                            dv[n, b, k, d] += slope * p - tilt_v * q
