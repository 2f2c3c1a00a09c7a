"""
Kernels that join several arrays into one, and take the gradient apart again.

Sums, products and maxima run over a pair of arrays; longer lists repeat them, with the
result so far as one of the pair, so y may be a. In dot products u and v are the two
inputs, A B sizes before and C D sizes after the axis K that is summed. One thread owns
one number of the output. Read next: `merge.py`, the layers that launch them.
"""

import math

from .target import cuda, entry, grid, launcher, like


@entry
def _add_scaled(y, a, b, factor):
    i = cuda.grid(1)
    if i < y.size:
        y[i] = a[i] + like(b[i], factor) * b[i]


@launcher
def add_scaled(y, a, b, factor):
    """
    y[i] = a[i] + factor b[i]

    y (I,) out    a (I,)    b (I,)
    """
    _add_scaled[grid(y.size)](y, a, b, factor)


@entry
def _scale_array(y, x, factor):
    i = cuda.grid(1)
    if i < y.size:
        y[i] = like(x[i], factor) * x[i]


@launcher
def scale_array(y, x, factor):
    """
    y[i] = factor x[i]

    y (I,) out    x (I,)
    """
    _scale_array[grid(y.size)](y, x, factor)


@entry
def _multiply_arrays(y, a, b):
    i = cuda.grid(1)
    if i < y.size:
        y[i] = a[i] * b[i]


@launcher
def multiply_arrays(y, a, b):
    """
    y[i] = a[i] b[i]

    y (I,) out    a (I,)    b (I,)
    """
    _multiply_arrays[grid(y.size)](y, a, b)


@entry
def _maximum_forward(y, winner, a, b, index):
    i = cuda.grid(1)
    if i < y.size:
        larger = not b[i] <= a[i] and a[i] == a[i]
        if larger:
            winner[i] = index
        elif index == 1:
            winner[i] = 0
        y[i] = b[i] if larger else a[i]


@launcher
def maximum_forward(y, winner, a, b, index):
    """
    y[i] = max(a[i], b[i]),   winner[i] = index where b is larger

    The first pair of a list has index 1: where a wins, it makes winner[i] 0. A tie goes
    to a, the earlier one; NaN is larger than any number.

    y (I,) out    winner (I,) out    a (I,)    b (I,)
    """
    _maximum_forward[grid(y.size)](y, winner, a, b, index)


@entry
def _maximum_backward(dx, dy, winner, index):
    i = cuda.grid(1)
    if i < dx.size:
        dx[i] = dy[i] if winner[i] == index else like(dy[i], 0)


@launcher
def maximum_backward(dx, dy, winner, index):
    """
    dx[i] = dy[i] where winner[i] = index, else 0

    dx (I,) out    dy (I,)    winner (I,)
    """
    _maximum_backward[grid(dx.size)](dx, dy, winner, index)


@entry
def _place_columns(y, x, start):
    n, j = divmod(cuda.grid(1), x.shape[1])
    if n < x.shape[0]:
        y[n, start + j] = x[n, j]


@launcher
def place_columns(y, x, start):
    """
    y[n, start + j] = x[n, j]

    y (N, all) out, the other columns stay    x (N, J)
    """
    _place_columns[grid(x.size)](y, x, start)


@entry
def _cut_columns(dx, dy, start):
    n, j = divmod(cuda.grid(1), dx.shape[1])
    if n < dx.shape[0]:
        dx[n, j] = dy[n, start + j]


@launcher
def cut_columns(dx, dy, start):
    """
    dx[n, j] = dy[n, start + j]

    dx (N, J) out    dy (N, all)
    """
    _cut_columns[grid(dx.size)](dx, dy, start)


@entry
def _masks_and(mask, a, b):
    s = cuda.grid(1)
    if s < mask.size:
        mask[s] = a[s] and b[s]


@launcher
def masks_and(mask, a, b):
    """
    mask[s] = a[s] and b[s]

    mask (S,) out    a (S,)    b (S,)
    """
    _masks_and[grid(mask.size)](mask, a, b)


# ---- dot products -----------------------------------------------------------------


@entry
def _dot_forward(y, u, v):
    place, d = divmod(cuda.grid(1), y.shape[4])
    place, b = divmod(place, y.shape[3])
    place, c = divmod(place, y.shape[2])
    n, a = divmod(place, y.shape[1])
    if n < y.shape[0]:
        total = like(u[n, a, 0, c], 0)
        for k in range(u.shape[2]):
            total += u[n, a, k, c] * v[n, b, k, d]
        y[n, a, c, b, d] = total


@launcher
def dot_forward(y, u, v):
    """
    y[n, a, c, b, d] = sum_k u[n, a, k, c] v[n, b, k, d]

    y (N, A, C, B, D) out    u (N, A, K, C)    v (N, B, K, D)
    """
    _dot_forward[grid(y.size)](y, u, v)


@entry
def _dot_du(du, dy, v):
    place, c = divmod(cuda.grid(1), du.shape[3])
    place, k = divmod(place, du.shape[2])
    n, a = divmod(place, du.shape[1])
    if n < du.shape[0]:
        total = like(v[n, 0, k, 0], 0)
        for b in range(v.shape[1]):
            for d in range(v.shape[3]):
                total += dy[n, a, c, b, d] * v[n, b, k, d]
        du[n, a, k, c] = total


@entry
def _dot_dv(dv, dy, u):
    place, d = divmod(cuda.grid(1), dv.shape[3])
    place, k = divmod(place, dv.shape[2])
    n, b = divmod(place, dv.shape[1])
    if n < dv.shape[0]:
        total = like(u[n, 0, k, 0], 0)
        for a in range(u.shape[1]):
            for c in range(u.shape[3]):
                total += dy[n, a, c, b, d] * u[n, a, k, c]
        dv[n, b, k, d] = total


@launcher
def dot_backward(du, dv, dy, u, v):
    """
    du[n, a, k, c] = sum_bd dy[n, a, c, b, d] v[n, b, k, d],   dv likewise

    du (N, A, K, C) out    dv (N, B, K, D) out    dy (N, A, C, B, D)    u, v as du, dv
    """
    _dot_du[grid(du.size)](du, dy, v)
    _dot_dv[grid(dv.size)](dv, dy, u)


# ---- cosines ----------------------------------------------------------------------


@entry
def _lengths(s, x):
    place, c = divmod(cuda.grid(1), s.shape[2])
    n, a = divmod(place, s.shape[1])
    if n < s.shape[0]:
        total = like(x[n, a, 0, c], 0)
        for k in range(x.shape[2]):
            total += x[n, a, k, c] * x[n, a, k, c]
        s[n, a, c] = math.sqrt(total)


@launcher
def lengths(s, x):
    """
    s[n, a, c] = sqrt(sum_k x[n, a, k, c]^2)

    s (N, A, C) out    x (N, A, K, C)
    """
    _lengths[grid(s.size)](s, x)


@entry
def _cosine_forward(y, su, sv, least):
    place, d = divmod(cuda.grid(1), y.shape[4])
    place, b = divmod(place, y.shape[3])
    place, c = divmod(place, y.shape[2])
    n, a = divmod(place, y.shape[1])
    if n < y.shape[0]:
        size = su[n, a, c] * sv[n, b, d]
        if size < like(size, least):
            size = like(size, least)
        y[n, a, c, b, d] /= size


@launcher
def cosine_forward(y, su, sv, least):
    """
    y[n, a, c, b, d] /= max(su[n, a, c] sv[n, b, d], least)

    y (N, A, C, B, D) in and out    su (N, A, C)    sv (N, B, D)
    """
    _cosine_forward[grid(y.size)](y, su, sv, least)


@entry
def _cosine_du(du, dy, y, u, v, su, sv, least):
    place, c = divmod(cuda.grid(1), du.shape[3])
    place, k = divmod(place, du.shape[2])
    n, a = divmod(place, du.shape[1])
    if n < du.shape[0]:
        total = like(v[n, 0, k, 0], 0)
        for b in range(v.shape[1]):
            for d in range(v.shape[3]):
                size = su[n, a, c] * sv[n, b, d]
                slope = dy[n, a, c, b, d]
                tilt = like(slope, 0)
                if size < like(size, least):
                    slope /= like(size, least)
                else:
                    tilt = slope * y[n, a, c, b, d] / (su[n, a, c] * su[n, a, c])
                    slope /= size
                total += slope * v[n, b, k, d] - tilt * u[n, a, k, c]
        du[n, a, k, c] = total


@entry
def _cosine_dv(dv, dy, y, u, v, su, sv, least):
    place, d = divmod(cuda.grid(1), dv.shape[3])
    place, k = divmod(place, dv.shape[2])
    n, b = divmod(place, dv.shape[1])
    if n < dv.shape[0]:
        total = like(u[n, 0, k, 0], 0)
        for a in range(u.shape[1]):
            for c in range(u.shape[3]):
                size = su[n, a, c] * sv[n, b, d]
                slope = dy[n, a, c, b, d]
                tilt = like(slope, 0)
                if size < like(size, least):
                    slope /= like(size, least)
                else:
                    tilt = slope * y[n, a, c, b, d] / (sv[n, b, d] * sv[n, b, d])
                    slope /= size
                total += slope * u[n, a, k, c] - tilt * v[n, b, k, d]
        dv[n, b, k, d] = total


@launcher
def cosine_backward(du, dv, dy, y, u, v, su, sv, least):
    """
    du = sum_bd dy (v / (su sv) - y u / su^2),   dv likewise, with the indices of dot

    Where su sv < least, the divisor was constant: du = sum_bd dy v / least.

    du, u (N, A, K, C)    dv, v (N, B, K, D)    dy, y (N, A, C, B, D)    su (N, A, C)
    sv (N, B, D)    du and dv out
    """
    _cosine_du[grid(du.size)](du, dy, y, u, v, su, sv, least)
    _cosine_dv[grid(dv.size)](dv, dy, y, u, v, su, sv, least)
