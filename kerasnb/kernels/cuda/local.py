"""
Locally connected layers: one thread owns one number and gathers what it is made of.

The letters are those of `plain/local.py`.
"""

from ..jit import inner
from ..plain.local import row_of
from .indices import indices_4
from .reductions import column_sums
from .target import cuda, entry, grid, launcher, like


@inner
def number_of(j, U, V, K, channels_first):
    """Return u, v, k, the number of a window that meets row j of the weights."""
    if channels_first:
        j, v = divmod(j, V)
        k, u = divmod(j, U)
    else:
        j, k = divmod(j, K)
        u, v = divmod(j, V)
    return u, v, k


@entry
def _local_forward(y, x, W, b, U, V, down, right, channels_first):
    at = cuda.grid(1)
    if at < y.size:
        n, p, q, f = indices_4(at, y.shape)  # this thread owns y[n, p, q, f]
        K = x.shape[3]
        total = b[p, q, f]
        for u in range(U):
            for v in range(V):
                for k in range(K):
                    j = row_of(u, v, k, U, V, K, channels_first)
                    total += x[n, p * down + u, q * right + v, k] * W[p, q, j, f]
        y[n, p, q, f] = total


@launcher
def local_forward(y, x, W, b, U, V, down, right, channels_first):
    """
    y[n, p, q, f] = b[p, q, f]
                  + sum_u,v,k x[n, p down + u, q right + v, k] W[p, q, j, f]

    y (N, P, Q, F) out    x (N, R, C, K)    W (P, Q, J, F)    b (P, Q, F)
    """
    _local_forward[grid(y.size)](y, x, W, b, U, V, down, right, channels_first)


@entry
def _local_backward_weights(dW, dy, x, U, V, down, right, channels_first):
    at = cuda.grid(1)
    if at < dW.size:
        p, q, j, f = indices_4(at, dW.shape)
        u, v, k = number_of(j, U, V, x.shape[3], channels_first)
        total = like(dy[0, p, q, f], 0)
        for n in range(dy.shape[0]):
            total += x[n, p * down + u, q * right + v, k] * dy[n, p, q, f]
        dW[p, q, j, f] = total


@launcher
def local_backward_weights(dW, db, dy, x, U, V, down, right, channels_first):
    """
    dW[p, q, j, f] = sum_n x[n, p down + u, q right + v, k] dy[n, p, q, f]
    db[p, q, f] = sum_n dy[n, p, q, f]

    dW (P, Q, J, F) out    db (P, Q, F) out    dy (N, P, Q, F)    x (N, R, C, K)
    """
    _local_backward_weights[grid(dW.size)](
        dW, dy, x, U, V, down, right, channels_first
    )  # fmt: skip
    column_sums(db.reshape(-1), dy.reshape(-1, db.size))


@entry
def _local_backward_input(dx, dy, W, U, V, down, right, channels_first):
    at = cuda.grid(1)
    if at < dx.size:
        n, r, c, k = indices_4(at, dx.shape)
        P, Q, F, K = dy.shape[1], dy.shape[2], dy.shape[3], dx.shape[3]
        total = like(dy[0, 0, 0, 0], 0)
        for u in range(U):
            p, apart = divmod(r - u, down)
            seen = apart == 0 and 0 <= p < P
            for v in range(V if seen else 0):
                q, apart = divmod(c - v, right)
                seen = apart == 0 and 0 <= q < Q
                j = row_of(u, v, k, U, V, K, channels_first)
                for f in range(F if seen else 0):
                    total += dy[n, p, q, f] * W[p, q, j, f]
        dx[n, r, c, k] = total


@launcher
def local_backward_input(dx, dy, W, U, V, down, right, channels_first):
    """
    dx[n, r, c, k] = sum_p,q,f dy[n, p, q, f] W[p, q, j, f]  where (u, v) of j is
    (r - p down, c - q right)

    dx (N, R, C, K) out    dy (N, P, Q, F)    W (P, Q, J, F)
    """
    _local_backward_input[grid(dx.size)](dx, dy, W, U, V, down, right, channels_first)
