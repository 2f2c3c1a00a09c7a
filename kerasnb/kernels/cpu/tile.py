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
from .simd import (
    at_least,
    broadcast,
    fma,
    lanes,
    load,
    load_one,
    store,
    store_one,
    turn_square,
    zero,
)

ROWS = 6
FOUR = 4  # rows of the lower tile
ABREAST = 8  # panels of six columns that are packed at once: whole lines of the cache
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
    packing_tile(
        c, cp, c_row, start, sp, s_row,
        a, a0, a1, a2, a3, a4, a5, a_step, jumps, first, b, bp, b_step, outer, K,
        c, 0, False,
    )  # fmt: skip


@inner(inlined=True)
def packing_tile(
    c, cp, c_row, start, sp, s_row,
    a, a0, a1, a2, a3, a4, a5, a_step, jumps, first, b, bp, b_step, outer, K,
    panel, at, packs,
):  # fmt: skip
    """
    The sums of `tile`; if it packs, also panel[at + (o K + k) w + j] = b[...]

    w = 2 registers    The numbers of b pass by anyway, so a copy costs next to nothing.
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
            if packs:
                store(panel, at, b0)
                store(panel, at + L, b1)
                at += 2 * L
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


@inner(inlined=True)
def tile_of_four(c, cp, c_row, start, sp, s_row, a, a0, a1, a2, a3, a_step, b, bp, K):
    """
    c[cp + i c_row + j] = start[sp + i s_row + j]
        + sum_k a[ai + k a_step] b[bp + k w + j]

    i < 4    j < w = 2 registers    k < K    all arrays flat
    A lower tile, for what six rows would leave over: still enough sums to keep the
    multipliers busy.
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
    q = 0
    for k in range(K):
        b0 = load(b, bp)
        b1 = load(b, bp + L)
        bp += 2 * L
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
        q += a_step
    store(c, cp, c00)
    store(c, cp + L, c01)
    store(c, cp + c_row, c10)
    store(c, cp + c_row + L, c11)
    store(c, cp + 2 * c_row, c20)
    store(c, cp + 2 * c_row + L, c21)
    store(c, cp + 3 * c_row, c30)
    store(c, cp + 3 * c_row + L, c31)


@inner
def relu_tile(c, cp, c_row, rows):
    """
    c[cp + i c_row + j] = max(c[cp + i c_row + j], 0)

    i < rows    j < 2 registers    c flat
    """
    L = lanes(c)
    nothing = zero(c)
    for i in range(rows):
        store(c, cp, at_least(load(c, cp), nothing))
        store(c, cp + L, at_least(load(c, cp + L), nothing))
        cp += c_row


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
    elif columns == w and b_step == 1:
        whole = K // L * L
        for k in range(0, whole, L):
            turn_square(panel, at + k * w, w, b, bp + k, b_column)
            turn_square(panel, at + k * w + L, w, b, bp + k + L * b_column, b_column)
        q = bp + whole
        copy(panel, at + whole * w, 1, w, b, q, b_column, 1, w, K - whole)
    else:
        for k in range(0, K, w):
            depth = w if k + w <= K else K - k
            q = bp + k * b_step
            copy(panel, at + k * w, 1, w, b, q, b_column, b_step, columns, depth)


@inner
def tiles_down(M):
    """Return how many tiles M rows take, and how many of the first have six rows."""
    sixes = (M + 1) // ROWS if M >= ROWS else 0  # five at the end are done as six
    rest = M - sixes * ROWS
    if 0 < rest < 3 and sixes > 0:  # six and two are done as four and four
        return sixes + 1, sixes - 1
    return sixes + (max(rest, 0) + FOUR - 1) // FOUR, sixes


@inner
def product(
    c, c_row, start, start_column, a, a_row, a_step,
    b, b_step, b_column, M, N, K, relu, depth, scratch, first, last,
):  # fmt: skip
    """
    c[i, j] = start[j] + sum_k a[i, k] b[k, j], for the tiles from first to last

    i < M    j < N    k < K    all arrays flat, a and b with a stride for either index.
    Tiles are counted downwards, then to the right. A sum of more than `depth` terms is
    cut into equal pieces, and goes on from c with the next piece. With relu, negative
    sums become 0.
    """
    pieces = (K + depth - 1) // depth
    for piece in range(pieces):
        k, end = piece * K // pieces, (piece + 1) * K // pieces
        add_product(
            c, c_row, start, start_column, a, k * a_step, a_row, a_step,
            b, k * b_step, b_step, b_column, M, N, end - k,
            k == 0, end == K, relu, scratch, first, last,
        )  # fmt: skip


@inner
def add_product(
    c, c_row, start, start_column, a, a_first, a_row, a_step,
    b, b_first, b_step, b_column, M, N, K, begins, ends, relu, scratch, first, last,
):  # fmt: skip
    """
    c[i, j] += sum_k a[i, k] b[k, j], or = start[j] + sum_k ... where the sum begins

    The two registers of columns of b that tiles share are packed side by side, below
    their starts, into the scratch, by the first tile that needs them where it can. With
    fewer rows than a tile has, they go into the scratch too, and so does any tile of c
    that does not fit. What their padding holds never meets a true output. The last tile
    begins higher up, where it fits: rows that belong to the tile above are computed
    twice, alike, but where the sum goes on they are not written twice.
    """
    w = 2 * lanes(a)
    edge = (K + 1) * w
    corner = edge + K * ROWS
    down, sixes = tiles_down(M)
    source, right, step, packs = a, a_row, a_step, False
    if M < FOUR:
        copy(scratch, edge, ROWS, 1, a, a_first, a_step, a_row, K, M)
        source, right, step = scratch, 1, ROWS
    for t in range(first, last):
        which = t % down
        j = t // down * w
        columns = w if j + w <= N else N - j
        bp = b_first + j * b_column
        if t == first or which == 0:
            copy(scratch, 0, 0, 1, start, j * start_column, 0, start_column, 1, columns)
            packs = columns == w and b_column == 1 and which < sixes
            if not packs:
                pack(scratch, w, b, bp, b_step, b_column, columns, K)
        height = ROWS if which < sixes else FOUR
        top = which * ROWS if which < sixes else sixes * ROWS + (which - sixes) * FOUR
        i = max(0, min(top, M - height))
        rows = min(height, M)
        ap = a_first + i * a_row if M >= FOUR else edge
        fits = rows == height and columns == w and (i == top or begins and ends)
        target, cp, below = (c, i * c_row + j, c_row) if fits else (scratch, corner, w)
        origin, sp, beside = (scratch, 0, 0) if begins else (target, cp, below)
        if not fits and not begins:
            copy(scratch, corner, w, 1, c, i * c_row + j, c_row, 1, rows, columns)
        if packs:
            packing_tile(
                target, cp, below, origin, sp, beside,
                source, ap, ap + right, ap + 2 * right, ap + 3 * right, ap + 4 * right,
                ap + 5 * right, step, NO_JUMP, 0, b, bp, b_step, 1, K, scratch, w, True,
            )  # fmt: skip
            packs = False
        elif height == ROWS:
            tile(
                target, cp, below, origin, sp, beside,
                source, ap, ap + right, ap + 2 * right, ap + 3 * right, ap + 4 * right,
                ap + 5 * right, step, NO_JUMP, 0, scratch, w, w, 1, K,
            )  # fmt: skip
        else:
            tile_of_four(
                target, cp, below, origin, sp, beside,
                source, ap, ap + right, ap + 2 * right, ap + 3 * right, step,
                scratch, w, K,
            )  # fmt: skip
        if relu and ends:
            relu_tile(target, cp, below, rows)
        if not fits:
            skip = top - i
            copy(
                c, top * c_row + j, c_row, 1, scratch, corner + skip * w, w, 1,
                rows - skip, columns,
            )  # fmt: skip


@inner
def pack_rows(panel, at, size, a, ap, a_step, rows, room, K):
    """
    panel[at + i // ROWS size + k ROWS + i % ROWS] = a[ap + i + k a_step]

    i < rows <= room    k < K    both arrays flat; ROWS columns take `size` numbers
    While whole registers stay within `room` numbers of a they move, each over the end
    of the one before.
    """
    L = lanes(a)
    reach = (ROWS + L - 1) // L * L
    whole = min(rows // ROWS, (room - reach) // ROWS + 1) if room >= reach else 0
    for k in range(K if whole else 0):
        for p in range(whole):
            for i in range(0, ROWS, L):
                number = load(a, ap + k * a_step + p * ROWS + i)
                store(panel, at + p * size + k * ROWS + i, number)
    for i in range(whole * ROWS, rows, ROWS):
        count = ROWS if i + ROWS <= rows else rows - i
        copy(panel, at + i // ROWS * size, ROWS, 1, a, ap + i, a_step, 1, K, count)


@inner
def add_rows(totals, at, panel, one, q, columns, K):
    """
    totals[at + j] += sum_k panel[q + k w + j]        w = 2 registers

    j < columns <= w    k < K    panel[one] = 1    both arrays flat
    """
    L = lanes(panel)
    if columns == 2 * L:
        ones = broadcast(panel, one)
        left, right = load(totals, at), load(totals, at + L)
        for k in range(K):
            left = fma(ones, load(panel, q), left)
            right = fma(ones, load(panel, q + L), right)
            q += 2 * L
        store(totals, at, left)
        store(totals, at + L, right)
    else:
        for j in range(columns):
            for k in range(K):
                totals[at + j] += panel[q + 2 * L * k + j]


@inner
def tall_product(
    c, c_row, totals, a, b, b_row, M, K, depth, columns, scratch,
    top, bottom, left, right,
):  # fmt: skip
    """
    c[i, j] = sum_k a[k, i] b[k, j],    totals[j] += sum_k b[k, j] where top is 0

    top <= i < bottom <= M    left <= j < right    k < K    a (K, M), all arrays flat
    A product for sums along the first axis of both. So many columns of b, to a certain
    depth of k, are packed at once and stay in the second cache, while six columns after
    six columns of a are packed into the first cache and meet them all; the sums go on
    from c with the next depth.
    """
    w = 2 * lanes(a)
    one, corner = w, 2 * w
    rows_at = corner + ROWS * w
    size = depth * ROWS + w
    panels = rows_at + ABREAST * size
    for j in range(w):
        scratch[j], scratch[one] = 0, 1
    for k in range(0, K, depth):
        deep = depth if k + depth <= K else K - k
        for j0 in range(left, right, columns):
            j1 = j0 + columns if j0 + columns <= right else right
            for j in range(j0, j1, w):
                width = w if j + w <= j1 else j1 - j
                q = panels + (j - j0) * depth
                pack(scratch, q, b, k * b_row + j, b_row, 1, width, deep)
                if top == 0:
                    add_rows(totals, j, scratch, one, q, width, deep)
            abreast = ABREAST if j1 - j0 > 2 * w else 1
            for i in range(top, bottom, ROWS):
                rows = ROWS if i + ROWS <= bottom else bottom - i
                source, ap, step = a, k * M + i, M
                if rows < ROWS or abreast > 1:
                    turn = (i - top) // ROWS % abreast
                    if turn == 0:
                        wide = min(abreast * ROWS, bottom - i)
                        pack_rows(scratch, rows_at, size, a, ap, M, wide, M - i, deep)
                    source, ap, step = scratch, rows_at + turn * size, ROWS
                for j in range(j0, j1, w):
                    width = w if j + w <= j1 else j1 - j
                    q = panels + (j - j0) * depth
                    cp = i * c_row + j
                    fits = rows == ROWS and width == w
                    target, tp, below = (c, cp, c_row) if fits else (scratch, corner, w)
                    start, sp, down = scratch, 0, 0
                    if k > 0:
                        start, sp, down = target, tp, below
                        if not fits:
                            copy(scratch, corner, w, 1, c, cp, c_row, 1, rows, width)
                    tile(
                        target, tp, below, start, sp, down,
                        source, ap, ap + 1, ap + 2, ap + 3, ap + 4, ap + 5, step,
                        NO_JUMP, 0, scratch, q, w, 1, deep,
                    )  # fmt: skip
                    if not fits:
                        copy(c, cp, c_row, 1, scratch, corner, w, 1, rows, width)
