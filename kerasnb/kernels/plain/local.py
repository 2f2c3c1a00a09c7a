"""
Kernels of locally connected layers: windows whose weights differ from place to place.

N samples, images of R rows, C columns and K channels; a window of U rows and V columns
lies at P times Q places, `down` rows and `right` columns apart; F filters. A sequence
is an image with one column. The numbers of a window are one row of the weights: J of
them, in the order (U, V, K), or (K, U, V) if the channels come first.
"""

from numba import prange

from ..jit import inner, kernel, like


@inner
def row_of(u, v, k, U, V, K, channels_first):
    """Return j, the row of the weights that meets number (u, v, k) of a window."""
    return (k * U + u) * V + v if channels_first else (u * V + v) * K + k


@kernel(work=lambda y, x, W, *rest: y.size * W.shape[2] // 8)
def local_forward(y, x, W, b, U, V, down, right, channels_first):
    """
    y[n, p, q, f] = b[p, q, f]
                  + sum_u,v,k x[n, p down + u, q right + v, k] W[p, q, j, f]

    y (N, P, Q, F) out    x (N, R, C, K)    W (P, Q, J, F)    b (P, Q, F)
    """
    N, P, Q, F = y.shape
    K = x.shape[3]
    for p in prange(P):
        for q in range(Q):
            for n in range(N):
                for f in range(F):
                    y[n, p, q, f] = b[p, q, f]
                for u in range(U):
                    for v in range(V):
                        for k in range(K):
                            j = row_of(u, v, k, U, V, K, channels_first)
                            value = x[n, p * down + u, q * right + v, k]
                            for f in range(F):
                                y[n, p, q, f] += value * W[p, q, j, f]


@kernel(work=lambda dW, db, dy, x, *rest: dW.size * len(x) // 8)
def local_backward_weights(dW, db, dy, x, U, V, down, right, channels_first):
    """
    dW[p, q, j, f] = sum_n x[n, p down + u, q right + v, k] dy[n, p, q, f]
    db[p, q, f] = sum_n dy[n, p, q, f]

    dW (P, Q, J, F) out    db (P, Q, F) out    dy (N, P, Q, F)    x (N, R, C, K)
    """
    N, P, Q, F = dy.shape
    K = x.shape[3]
    for p in prange(P):
        for q in range(Q):
            db[p, q, :] = like(dy[0, p, q, 0], 0)
            dW[p, q, :, :] = like(dy[0, p, q, 0], 0)
            for n in range(N):
                for f in range(F):
                    db[p, q, f] += dy[n, p, q, f]
                for u in range(U):
                    for v in range(V):
                        for k in range(K):
                            j = row_of(u, v, k, U, V, K, channels_first)
                            value = x[n, p * down + u, q * right + v, k]
                            for f in range(F):
                                dW[p, q, j, f] += value * dy[n, p, q, f]


@kernel(work=lambda dx, dy, W, *rest: dy.size * W.shape[2] // 8, reassociate=True)
def local_backward_input(dx, dy, W, U, V, down, right, channels_first):
    """
    dx[n, r, c, k] = sum_p,q,f dy[n, p, q, f] W[p, q, j, f]  where (u, v) of j is
    (r - p down, c - q right)

    dx (N, R, C, K) out    dy (N, P, Q, F)    W (P, Q, J, F)
    """
    N, R, C, K = dx.shape
    P, Q, F = dy.shape[1:]
    for r in prange(R):
        dx[:, r] = like(dy[0, 0, 0, 0], 0)
        for u in range(U):
            p = (r - u) // down
            if p * down != r - u or p < 0 or p >= P:
                continue
            for q in range(Q):
                for v in range(V):
                    for k in range(K):
                        j = row_of(u, v, k, U, V, K, channels_first)
                        for n in range(N):
                            total = like(dy[n, p, q, 0], 0)
                            for f in range(F):
                                total += dy[n, p, q, f] * W[p, q, j, f]
                            dx[n, r, q * right + v, k] += total
