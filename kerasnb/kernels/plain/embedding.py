"""
The gradient of a table whose rows were looked up: the counterpart of `gather_rows`.

V rows in the table, N rows that were taken from it, D numbers in a row.
Read next: `embedding.py`, the layer.
"""

from numba import prange

from ..jit import kernel, like

OWNERS = 8  # turns of the outer loop, which deal out the rows of the table


@kernel(work=lambda dx, dy, index: dx.size + dy.size)
def scatter_rows(dx, dy, index):
    """
    dx[v, d] = sum of dy[n, d] over all n with index[n] = v

    dx (V, D) out    dy (N, D)    index (N,)
    """
    V, D = dx.shape
    for owner in prange(OWNERS):
        for v in range(owner, V, OWNERS):
            for d in range(D):
                dx[v, d] = like(dx[v, d], 0)
        for n in range(index.size):
            v = index[n]
            if v % OWNERS == owner:
                for d in range(D):
                    dx[v, d] += dy[n, d]
