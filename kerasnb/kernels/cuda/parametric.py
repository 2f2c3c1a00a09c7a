"""
Activations with numbers of their own for each place of a sample.

N samples, J numbers in a sample. In a backward kernel a thread owns some samples of a
column: it fills dx there and makes partial sums for the numbers of the column. Read
next: `advanced_activations.py`, the layers.
"""

from ..formulas.elementary import sigmoid, softplus
from .reductions import add_pieces, pieces, scratch
from .target import cuda, entry, grid, launcher, like


def partial_sums(count, x):
    """Return room for this many partial sums along the columns of x: (count, P, J)."""
    shape = count, pieces(*x.shape), x.shape[1]
    return scratch("parametric", shape, x.dtype)


@entry
def _prelu_forward(y, x, alpha):
    n, j = divmod(cuda.grid(1), x.shape[1])
    if n < x.shape[0]:
        positive = x[n, j] > like(x[n, j], 0)
        y[n, j] = x[n, j] if positive else alpha[j] * x[n, j]


@launcher
def prelu_forward(y, x, alpha):
    """
    y[n, j] = x[n, j] if x[n, j] > 0 else alpha[j] x[n, j]

    y, x (N, J), y out    alpha (J,)
    """
    _prelu_forward[grid(x.size)](y, x, alpha)


@entry
def _prelu_backward(dx, partial, dy, x, alpha):
    p, j = divmod(cuda.grid(1), x.shape[1])
    if p < partial.shape[1]:
        total = like(alpha[j], 0)
        for n in range(p, x.shape[0], partial.shape[1]):
            positive = x[n, j] > like(x[n, j], 0)
            dx[n, j] = dy[n, j] * (like(x[n, j], 1) if positive else alpha[j])
            total += dy[n, j] * (like(x[n, j], 0) if positive else x[n, j])
        partial[0, p, j] = total


@launcher
def prelu_backward(dx, dalpha, dy, x, alpha):
    """
    dx[n, j] = dy[n, j] (1 if x[n, j] > 0 else alpha[j])
    dalpha[j] = sum_n dy[n, j] (0 if x[n, j] > 0 else x[n, j])

    dx (N, J) out    dalpha (J,) out    dy, x (N, J)    alpha (J,)
    """
    partial = partial_sums(1, x)
    _prelu_backward[grid(partial[0].size)](dx, partial, dy, x, alpha)
    add_pieces(dalpha, partial[0])


@entry
def _parametric_softplus_forward(y, x, alpha, beta):
    n, j = divmod(cuda.grid(1), x.shape[1])
    if n < x.shape[0]:
        y[n, j] = alpha[j] * softplus(beta[j] * x[n, j])


@launcher
def parametric_softplus_forward(y, x, alpha, beta):
    """
    y[n, j] = alpha[j] log(1 + e^(beta[j] x[n, j]))

    y, x (N, J), y out    alpha, beta (J,)
    """
    _parametric_softplus_forward[grid(x.size)](y, x, alpha, beta)


@entry
def _parametric_softplus_backward(dx, partial, dy, x, alpha, beta):
    p, j = divmod(cuda.grid(1), x.shape[1])
    if p < partial.shape[1]:
        dalpha = like(alpha[j], 0)
        dbeta = like(beta[j], 0)
        for n in range(p, x.shape[0], partial.shape[1]):
            z = beta[j] * x[n, j]
            rise = dy[n, j] * alpha[j] * sigmoid(z)
            dx[n, j] = rise * beta[j]
            dalpha += dy[n, j] * softplus(z)
            dbeta += rise * x[n, j]
        partial[0, p, j] = dalpha
        partial[1, p, j] = dbeta


@launcher
def parametric_softplus_backward(dx, dalpha, dbeta, dy, x, alpha, beta):
    """
    dx[n, j] = dy[n, j] alpha[j] beta[j] s[n, j],   s[n, j] = sigmoid(beta[j] x[n, j])
    dalpha[j] = sum_n dy[n, j] log(1 + e^(beta[j] x[n, j]))
    dbeta[j] = sum_n dy[n, j] alpha[j] x[n, j] s[n, j]

    dx (N, J) out    dalpha, dbeta (J,) out    dy, x (N, J)    alpha, beta (J,)
    """
    partial = partial_sums(2, x)
    size = partial[0].size
    _parametric_softplus_backward[grid(size)](dx, partial, dy, x, alpha, beta)
    add_pieces(dalpha, partial[0])
    add_pieces(dbeta, partial[1])


@entry
def _srelu_forward(y, x, t_left, a_left, t_right, a_right):
    n, j = divmod(cuda.grid(1), x.shape[1])
    if n < x.shape[0]:
        low, value = t_left[j], x[n, j]
        top = low + abs(t_right[j])
        if not value < top:
            value = top + a_right[j] * (value - top)
        elif not value > low:
            value = low + a_left[j] * (value - low)
        y[n, j] = value


@launcher
def srelu_forward(y, x, t_left, a_left, t_right, a_right):
    """
    y[n, j] = t_left[j] + a_left[j] (x[n, j] - t_left[j])  where x <= t_left
    y[n, j] = top[j] + a_right[j] (x[n, j] - top[j])  where x >= top
    y[n, j] = x[n, j]  between,   top[j] = t_left[j] + |t_right[j]|

    y, x (N, J), y out    t_left, a_left, t_right, a_right (J,)
    """
    _srelu_forward[grid(x.size)](y, x, t_left, a_left, t_right, a_right)


@entry
def _srelu_backward(dx, partial, dy, x, t_left, a_left, t_right, a_right):
    p, j = divmod(cuda.grid(1), x.shape[1])
    if p < partial.shape[1]:
        zero, one, low = like(x[0, j], 0), like(x[0, j], 1), t_left[j]
        dt_left, da_left, dt_right, da_right = zero, zero, zero, zero
        top = low + abs(t_right[j])
        for n in range(p, x.shape[0], partial.shape[1]):
            value, slope = x[n, j], one
            if not value < top:
                slope = a_right[j]
                da_right += dy[n, j] * (value - top)
                dt_right += dy[n, j] * (one - slope)
                dt_left += dy[n, j] * (one - slope)
            elif not value > low:
                slope = a_left[j]
                da_left += dy[n, j] * (value - low)
                dt_left += dy[n, j] * (one - slope)
            dx[n, j] = dy[n, j] * slope
        partial[0, p, j] = dt_left
        partial[1, p, j] = da_left
        partial[2, p, j] = -dt_right if t_right[j] < zero else dt_right
        partial[3, p, j] = da_right


@launcher
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
    partial = partial_sums(4, x)
    numbers = t_left, a_left, t_right, a_right
    _srelu_backward[grid(partial[0].size)](dx, partial, dy, x, *numbers)
    for k, out in enumerate((dt_left, da_left, dt_right, da_right)):
        add_pieces(out, partial[k])
