"""
Activations with numbers of their own for each place of a sample.

N samples, J numbers in a sample. A turn of the outer loop of a backward kernel owns
some columns, so that every sum over samples runs in their order. Read next:
`advanced_activations.py`, the layers.
"""

from numba import prange

from ..formulas.elementary import sigmoid, softplus
from ..jit import kernel, like

COLUMNS = 64


@kernel
def prelu_forward(y, x, alpha):
    """
    y[n, j] = x[n, j] if x[n, j] > 0 else alpha[j] x[n, j]

    y, x (N, J), y out    alpha (J,)
    """
    N, J = x.shape
    for n in prange(N):
        for j in range(J):
            positive = x[n, j] > like(x[n, j], 0)
            y[n, j] = x[n, j] if positive else alpha[j] * x[n, j]


@kernel
def prelu_backward(dx, dalpha, dy, x, alpha):
    """
    dx[n, j] = dy[n, j] (1 if x[n, j] > 0 else alpha[j])
    dalpha[j] = sum_n dy[n, j] (0 if x[n, j] > 0 else x[n, j])

    dx (N, J) out    dalpha (J,) out    dy, x (N, J)    alpha (J,)
    """
    N, J = x.shape
    for block in prange((J + COLUMNS - 1) // COLUMNS):
        first, stop = block * COLUMNS, min((block + 1) * COLUMNS, J)
        for j in range(first, stop):
            dalpha[j] = like(alpha[j], 0)
        for n in range(N):
            for j in range(first, stop):
                positive = x[n, j] > like(x[n, j], 0)
                slope = like(x[n, j], 1) if positive else alpha[j]
                below = like(x[n, j], 0) if positive else x[n, j]
                dx[n, j] = dy[n, j] * slope
                dalpha[j] += dy[n, j] * below


@kernel
def parametric_softplus_forward(y, x, alpha, beta):
    """
    y[n, j] = alpha[j] log(1 + e^(beta[j] x[n, j]))

    y, x (N, J), y out    alpha, beta (J,)
    """
    N, J = x.shape
    for n in prange(N):
        for j in range(J):
            y[n, j] = alpha[j] * softplus(beta[j] * x[n, j])


@kernel
def parametric_softplus_backward(dx, dalpha, dbeta, dy, x, alpha, beta):
    """
    dx[n, j] = dy[n, j] alpha[j] beta[j] s[n, j],   s[n, j] = sigmoid(beta[j] x[n, j])
    dalpha[j] = sum_n dy[n, j] log(1 + e^(beta[j] x[n, j]))
    dbeta[j] = sum_n dy[n, j] alpha[j] x[n, j] s[n, j]

    dx (N, J) out    dalpha, dbeta (J,) out    dy, x (N, J)    alpha, beta (J,)
    """
    N, J = x.shape
    for block in prange((J + COLUMNS - 1) // COLUMNS):
        first, stop = block * COLUMNS, min((block + 1) * COLUMNS, J)
        for j in range(first, stop):
            dalpha[j] = like(alpha[j], 0)
            dbeta[j] = like(beta[j], 0)
        for n in range(N):
            for j in range(first, stop):
                z = beta[j] * x[n, j]
                rise = dy[n, j] * alpha[j] * sigmoid(z)
                dx[n, j] = rise * beta[j]
                dalpha[j] += dy[n, j] * softplus(z)
                dbeta[j] += rise * x[n, j]


@kernel
def srelu_forward(y, x, t_left, a_left, t_right, a_right):
    """
    y[n, j] = t_left[j] + a_left[j] (x[n, j] - t_left[j])  where x <= t_left
    y[n, j] = top[j] + a_right[j] (x[n, j] - top[j])  where x >= top
    y[n, j] = x[n, j]  between,   top[j] = t_left[j] + |t_right[j]|

    y, x (N, J), y out    t_left, a_left, t_right, a_right (J,)
    """
    N, J = x.shape
    for n in prange(N):
        for j in range(J):
            low, value = t_left[j], x[n, j]
            top = low + abs(t_right[j])
            if not value < top:
                value = top + a_right[j] * (value - top)
            elif not value > low:
                value = low + a_left[j] * (value - low)
            y[n, j] = value


@kernel
def srelu_backward(
    dx, dt_left, da_left, dt_right, da_right, dy, x, t_left, a_left, t_right, a_right
):
    """
    dx[n, j] = dy[n, j] (a_left[j], 1 or a_right[j])
    da_left[j] = sum_n dy[n, j] (x[n, j] - t_left[j]) on the left,   da_right likewise
    dt_left[j] = sum_n dy[n, j] (1 - a_left[j] or 0 or 1 - a_right[j])
    dt_right[j] = sign(t_right[j]) sum_n dy[n, j] (1 - a_right[j]) on the right

    dx (N, J) out    dy, x (N, J)    all others (J,), those with d out
    """
    N, J = x.shape
    for block in prange((J + COLUMNS - 1) // COLUMNS):
        first, stop = block * COLUMNS, min((block + 1) * COLUMNS, J)
        for j in range(first, stop):
            dt_left[j] = da_left[j] = dt_right[j] = da_right[j] = like(t_left[j], 0)
        for n in range(N):
            for j in range(first, stop):
                low, value, slope = t_left[j], x[n, j], like(x[n, j], 1)
                top = low + abs(t_right[j])
                if not value < top:
                    slope = a_right[j]
                    da_right[j] += dy[n, j] * (value - top)
                    dt_right[j] += dy[n, j] * (like(slope, 1) - slope)
                    dt_left[j] += dy[n, j] * (like(slope, 1) - slope)
                elif not value > low:
                    slope = a_left[j]
                    da_left[j] += dy[n, j] * (value - low)
                    dt_left[j] += dy[n, j] * (like(slope, 1) - slope)
                dx[n, j] = dy[n, j] * slope
        for j in range(first, stop):
            if t_right[j] < like(t_right[j], 0):
                dt_right[j] = -dt_right[j]
