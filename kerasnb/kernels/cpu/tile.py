"""
The register tile: 6 rows by 2 registers of sums, the heart of every fast product.

`tile` keeps its twelve sums in registers while it walks along two matrices, so that
each number it loads serves many multiply-adds. All else is indexing: strides tell
how to step through either matrix, so transposed products and convolutions use the same
twelve sums. `product` covers a whole matrix product with tiles, any size, any layout.
Read next: `dense.py`, three products behind one layer.
"""

import numpy as np

from ..jit import inner
from .simd import broadcast, fma, lanes, load, load_one, store, store_one

ROWS = 6
NO_JUMP = np.zeros(1, np.int64)


@inner(inlined=True)
def tile(
    c, cp, c_row, start, sp, s_row,
    a, a0, a1, a2, a3, a4, a5, a_step, jumps, first, b, bp, b_step, outer, K,
):  # fmt: skip
    """
    c[cp + i c_row + j] = start[sp + i s_row + j]
        + sum_(o, k) a[ai + jumps[first + o] + k a_step] b[bp + (o K + k) b_step + j]

    i < 6    j < 2 registers    o < outer    k < K    all arrays flat
    The rows of a begin anywhere, at a0 to a5, and the same jumps lead through each.
    """
    L = lanes(a)
    c00 = load(start, sp)
    c01 = load(start, sp + L)
    c10 = load(start, sp + s_row)
    c11 = load(start, sp + s_row + L)
    c20 = load(start, sp + 2 * s_row)
    c21 = load(start, sp + 2 * s_row + L)
    c30 = load(start, sp + 3 * s_row)
    c31 = load(start, sp + 3 * s_row + L)
    c40 = load(start, sp + 4 * s_row)
    c41 = load(start, sp + 4 * s_row + L)
    c50 = load(start, sp + 5 * s_row)
    c51 = load(start, sp + 5 * s_row + L)
    for o in range(outer):
        q = load_one(jumps, first + o)
        for k in range(K):
            b0 = load(b, bp)
            b1 = load(b, bp + L)
            bp += b_step
            ai = broadcast(a, a0 + q)
            c00 = fma(ai, b0, c00)
            c01 = fma(ai, b1, c01)
            ai = broadcast(a, a1 + q)
            c10 = fma(ai, b0, c10)
            c11 = fma(ai, b1, c11)
            ai = broadcast(a, a2 + q)
            c20 = fma(ai, b0, c20)
            c21 = fma(ai, b1, c21)
            ai = broadcast(a, a3 + q)
            c30 = fma(ai, b0, c30)
            c31 = fma(ai, b1, c31)
            ai = broadcast(a, a4 + q)
            c40 = fma(ai, b0, c40)
            c41 = fma(ai, b1, c41)
            ai = broadcast(a, a5 + q)
            c50 = fma(ai, b0, c50)
            c51 = fma(ai, b1, c51)
            q += a_step
    store(c, cp, c00)
    store(c, cp + L, c01)
    store(c, cp + c_row, c10)
    store(c, cp + c_row + L, c11)
    store(c, cp + 2 * c_row, c20)
    store(c, cp + 2 * c_row + L, c21)
    store(c, cp + 3 * c_row, c30)
    store(c, cp + 3 * c_row + L, c31)
    store(c, cp + 4 * c_row, c40)
    store(c, cp + 4 * c_row + L, c41)
    store(c, cp + 5 * c_row, c50)
    store(c, cp + 5 * c_row + L, c51)


@inner
def copy(c, cp, c_row, c_column, a, ap, a_row, a_column, rows, columns):
    """
    c[cp + i c_row + j c_column] = a[ap + i a_row + j a_column]

    i < rows    j < columns    both arrays flat
    """
    for i in range(rows):
        for j in range(columns):
            number = load_one(a, ap + i * a_row + j * a_column)
            store_one(c, cp + i * c_row + j * c_column, number)


@inner
def pack(panel, at, b, bp, b_step, b_column, columns, K):
    """
    panel[at + k w + j] = b[bp + k b_step + j b_column]        w = 2 registers

    j < columns <= w    k < K    both arrays flat
    Numbers that do not lie side by side move in squares, which stay in the cache.
    """
    L = lanes(b)
    w = 2 * L
    if columns == w and b_column == 1:
        for k in range(K):
            store(panel, at + k * w, load(b, bp + k * b_step))
            store(panel, at + k * w + L, load(b, bp + k * b_step + L))
    else:
        for k in range(0, K, w):
            depth = w if k + w <= K else K - k
            q = bp + k * b_step
            copy(panel, at + k * w, 1, w, b, q, b_column, b_step, columns, depth)


@inner
def product(
    c, c_row, c_column, start, start_column, a, a_row, a_step,
    b, b_step, b_column, M, N, K, scratch, first, last,
):  # fmt: skip
    """
    c[i, j] = start[j] + sum_k a[i, k] b[k, j], for the tiles from first to last

    i < M    j < N    k < K    all arrays flat, each with a stride for either index.
    Tiles are counted downwards, then to the right. The two registers of columns of b
    that they share are packed side by side, below their starts, into the scratch.
    The last rows of a go there too if they do not fill a tile, and so does any tile of
    c that does not fit. What their padding holds never meets a true output.
    """
    w = 2 * lanes(a)
    edge = (K + 1) * w
    corner = edge + K * ROWS
    rest = M % ROWS
    copy(scratch, edge, 1, ROWS, a, (M - rest) * a_row, a_row, a_step, rest, K)
    down = (M + ROWS - 1) // ROWS
    for t in range(first, last):
        i = t % down * ROWS
        j = t // down * w
        rows = ROWS if i + ROWS <= M else rest
        columns = w if j + w <= N else N - j
        if t == first or i == 0:
            copy(scratch, 0, 0, 1, start, j * start_column, 0, start_column, 1, columns)
            pack(scratch, w, b, j * b_column, b_step, b_column, columns, K)
        fits = rows == ROWS and columns == w and c_column == 1
        target, cp, below = (c, i * c_row + j, c_row) if fits else (scratch, corner, w)
        whole = rows == ROWS
        source, ap = (a, i * a_row) if whole else (scratch, edge)
        right, step = (a_row, a_step) if whole else (1, ROWS)
        tile(
            target, cp, below, scratch, 0, 0,
            source, ap, ap + right, ap + 2 * right, ap + 3 * right, ap + 4 * right,
            ap + 5 * right, step, NO_JUMP, 0, scratch, w, w, 1, K,
        )  # fmt: skip
        if not fits:
            cp = i * c_row + j * c_column
            copy(c, cp, c_column, c_row, scratch, corner, 1, w, columns, rows)
