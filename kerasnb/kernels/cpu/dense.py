"""
The three products behind a Dense layer, on the register tile.

One compiled kernel serves all three: which product it is depends only on the strides
that it is given. Each turn of its loop owns some tiles of the output and a piece of the
scratch, where `product` packs what the tiles share. Small products are done without,
in `small.py`. Read next: `tile.py`.
"""

import threading

import numba
import numpy as np
from numba import prange

from ..jit import PARALLEL_WORK, inner, kernel, launcher
from . import small
from .simd import REGISTER_BYTES, lanes
from .tile import ABREAST, ROWS, product, tall_product, tiles_down

SMALL = 1 << 15  # multiply-adds below which packing does not pay
TURNS = numba.config.NUMBA_NUM_THREADS
LINE = 64  # bytes of a cache line: registers that cross one load more slowly
DEPTH = 1024  # terms of a sum in a panel, so that it stays in the second cache
COLUMNS = 512  # of b that are packed at once
SECOND_CACHE = 1 << 18  # bytes of it that they may take
ZERO = {"f": np.zeros(1, np.float32), "d": np.zeros(1, np.float64)}

_of_this_thread = threading.local()


@kernel(work=lambda *arguments: arguments[-2])
def dense_product(
    c, c_row, start, start_step, a, a_row, a_step,
    b, b_step, b_column, M, N, K, relu, depth, work, scratch,
):  # fmt: skip
    """
    c[i, j] = start[j start_step] + sum_k a[i, k] b[k, j],    then max(., 0) if relu

    c out, with rows of c_row numbers    a, b with a stride for either index
    """
    c, a, b = c.reshape(-1), a.reshape(-1), b.reshape(-1)
    w = 2 * lanes(a)
    tiles = tiles_down(M)[0] * ((N + w - 1) // w)
    turns = scratch.shape[0]
    for turn in prange(turns):
        product(
            c, c_row, start, start_step, a, a_row, a_step,
            b, b_step, b_column, M, N, K, relu, depth,
            scratch[turn], turn * tiles // turns, (turn + 1) * tiles // turns,
        )  # fmt: skip


@inner
def share(turn, turns, size, unit):
    """Return where the turn's share of an axis, in whole units, begins and ends."""
    units = (size + unit - 1) // unit
    end = (turn + 1) * units // turns * unit
    return turn * units // turns * unit, end if end < size else size


@kernel(work=lambda *arguments: arguments[-2])
def dense_tall_product(
    c, c_row, totals, a, b, b_row, M, N, depth, columns, work, scratch
):
    """
    c[i, j] = sum_k a[k, i] b[k, j],    totals[j] = sum_k b[k, j]

    i < M    j < N    a (K, M)    c, b flat, with rows of c_row and b_row numbers
    """
    K, a = len(a), a.reshape(-1)
    w = 2 * lanes(a)
    turns = scratch.shape[0]
    for turn in prange(turns):
        top, bottom = share(turn, turns, M, ROWS) if M >= N else (0, M)
        left, right = (0, N) if M >= N else share(turn, turns, N, w)
        for j in range(left if top == 0 else N, right):
            totals[j] = 0
        tall_product(
            c, c_row, totals, a, b, b_row, M, K, depth, columns, scratch[turn],
            top, bottom, left, right,
        )  # fmt: skip


for part in (dense_product, dense_tall_product):
    del part.is_kernel  # they have no plain twins: the three below have


def scratch_for(dtype, turns, size):
    """Return memory that only the calling Python thread uses, again and again."""
    rooms = _of_this_thread.__dict__
    room = rooms.get(dtype)
    if room is None or room.size < turns * size:
        room = np.zeros(turns * size + LINE // dtype.itemsize, dtype)
        room = rooms[dtype] = room[-room.ctypes.data % LINE // dtype.itemsize :]
    return room[: turns * size].reshape(turns, size)


def turns_for(work):
    """Return how many turns share this much work."""
    return TURNS if work >= PARALLEL_WORK else 1


def panels_for(dtype, K, work):
    """Return what `product` packs into, for each turn: starts, b, edge of a, tile."""
    w = 2 * REGISTER_BYTES // dtype.itemsize
    deep = min(K, DEPTH)
    size = (deep + 1) * w + deep * ROWS + ROWS * w
    return scratch_for(dtype, turns_for(work), size)


def forward(y, x, W, b, relu):
    """Return the kernel of y = x W + b, with or without relu, and its arguments."""
    if x.size * b.size < SMALL:
        return small.small_forward, (y, x, W, b, relu)
    N, I = x.shape
    O = W.shape[1]
    work = N * I * O >> 3
    scratch = panels_for(x.dtype, I, work)
    return dense_product, (
        y, O, b, 1, x, I, 1, W, O, 1, N, O, I, relu, DEPTH, work, scratch
    )  # fmt: skip


@launcher
def dense_forward(y, x, W, b):
    """
    y[n, o] = b[o] + sum_i x[n, i] W[i, o]

    y (N, O) out    x (N, I)    W (I, O)    b (O,)
    """
    return forward(y, x, W, b, False)


@launcher
def dense_relu_forward(y, x, W, b):
    """
    y[n, o] = max(b[o] + sum_i x[n, i] W[i, o], 0)

    y (N, O) out    x (N, I)    W (I, O)    b (O,)
    """
    return forward(y, x, W, b, True)


def weight_gradient(dW, W_row, db, dz, z_row, x, O):
    """
    Return the kernel of dW = xT dz and db = sum over n of dz, and its arguments.

    dW, dz flat, with rows of W_row and z_row numbers, of which O count    x (N, I)
    """
    N, I = x.shape
    work = N * I * O >> 3
    w = 2 * REGISTER_BYTES // x.dtype.itemsize
    columns = min(-(-O // w) * w, COLUMNS)
    depth = min(N, max(1, SECOND_CACHE // (x.dtype.itemsize * columns)))
    size = 2 * w + ROWS * w + ABREAST * (depth * ROWS + w) + depth * columns
    scratch = scratch_for(x.dtype, turns_for(work), size)
    return dense_tall_product, (
        dW, W_row, db, x, dz, z_row, I, O, depth, columns, work, scratch
    )  # fmt: skip


@launcher
def dense_backward_weights(dW, db, dz, x):
    """
    dW[i, o] = sum_n x[n, i] dz[n, o],    db[o] = sum_n dz[n, o]

    dW (I, O) out    db (O,) out    dz (N, O)    x (N, I)
    """
    if x.size * db.size < SMALL:
        return small.small_backward_weights, (dW, db, dz, x)
    O = db.size
    return weight_gradient(dW.reshape(-1), O, db, dz.reshape(-1), O, x, O)


@launcher
def dense_backward_input(dx, dz, W):
    """
    dx[n, i] = sum_o dz[n, o] W[i, o]

    dx (N, I) out    dz (N, O)    W (I, O)
    """
    N, O = dz.shape
    I = W.shape[0]
    if N * I * O < SMALL:
        scratch = scratch_for(W.dtype, 1, I + I * O)[0]
        return small.small_backward_input, (dx, dz, W, scratch)
    work = N * I * O >> 3
    scratch = panels_for(W.dtype, O, work)
    zero = ZERO[W.dtype.char]
    return dense_product, (
        dx, I, zero, 0, dz, O, 1, W, 1, O, N, I, O, False, DEPTH, work, scratch
    )  # fmt: skip
