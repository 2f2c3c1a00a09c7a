"""
The gradient of a table whose rows were looked up: the counterpart of `gather_rows`.

V rows in the table, N rows that were taken from it, D numbers in a row.
Read next: `embedding.py`, the layer.
"""

from numba import prange

from ..jit import inner, kernel, like

OWNERS = 8  # turns of the outer loops, which deal out the rows of the table


@inner
def clear(row):
    """
    row[d] = 0

    Most rows are zero from the step before: to look takes less time than to write.
    """
    used = False
    for d in range(row.size):
        used |= row[d] != 0
    if used:
        for d in range(row.size):
            row[d] = like(row[d], 0)


@kernel(work=lambda dx, dy, index: dx.size + dy.size)
def scatter_rows(dx, dy, index):
    """
    dx[v, d] = sum of dy[n, d] over all n with index[n] = v

    dx (V, D) out    dy (N, D)    index (N,)
    """
    V, D = dx.shape
    for part in prange(OWNERS):  # neighbours together: memory comes in long runs
        for v in range(part * V // OWNERS, (part + 1) * V // OWNERS):
            clear(dx[v])
    for owner in prange(OWNERS):  # neighbours apart: codes of common words are small
        for n in range(index.size):
            v = index[n]
            if v % OWNERS == owner:
                for d in range(D):
                    dx[v, d] += dy[n, d]
