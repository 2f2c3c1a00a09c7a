"""
The gradient of a table whose rows were looked up: the counterpart of `gather_rows`.

V rows in the table, N rows that were taken from it, D numbers in a row. A block of
threads owns a row of the table: it looks for it among all codes, as many at a time as
it has threads, and adds up in the order of n. Read next: `embedding.py`, the layer.
"""

import numpy as np

from .reductions import ROOM
from .target import cuda, entry, launcher, like, rows


@entry
def _scatter_rows(dx, dy, index):
    v, t, T = cuda.blockIdx.x, cuda.threadIdx.x, cuda.blockDim.x
    mine = cuda.shared.array(ROOM, np.int32)
    for d in range(t, dx.shape[1], T):
        dx[v, d] = like(dx[v, d], 0)
    for start in range(0, index.size, T):
        n = start + t
        mine[t] = n < index.size and index[n] == v
        if cuda.syncthreads_or(mine[t]):
            for k in range(T):
                if mine[k]:
                    for d in range(t, dx.shape[1], T):
                        dx[v, d] += dy[start + k, d]
        cuda.syncthreads()  # everybody has read, before the next codes are looked at


@launcher
def scatter_rows(dx, dy, index):
    """
    dx[v, d] = sum of dy[n, d] over all n with index[n] = v

    dx (V, D) out    dy (N, D)    index (N,)
    """
    _scatter_rows[rows(dx.shape[0], max(dx.shape[1], index.size))](dx, dy, index)
