"""
A few rows times a packed matrix: the product inside every step of a recurrent cell.

The matrix is packed once, before the first step, into panels of two registers of
columns; each step then multiplies the rows that a thread owns by all panels, six or
four rows at a time. Four rows are the least that keep the multipliers busy, and with
them sixteen rows, half a batch of 32, leave nothing over. Read next: `recurrence.py`,
the cells.
"""

from ..formulas.recurrence import HARD_SIGMOID, SIGMOID, TANH, activate, slope
from ..jit import PARALLEL_WORK, inner, like
from .dense import TURNS, scratch_for
from .simd import (
    REGISTER_BYTES,
    lanes,
    load_one,
    store_one,
)
from .tile import FOUR, NO_JUMP, ROWS, copy, pack, tile, tile_of_four

FORM = PARALLEL_WORK if TURNS > 1 else 0  # whatever the work: one form is compiled


def room_for(U, N):
    """
    Return memory for the packed gates of U, and for each of the turns.

    A turn has a spare tile, 6 u numbers, and a row of u for each of its samples.
    """
    u = len(U)
    w = 2 * REGISTER_BYTES // U.dtype.itemsize
    panels = U.shape[1] // u * -(-u // w) * w * u
    size = ROWS * w + -(-(-(-N // TURNS) + 6) * u // w) * w
    room = scratch_for(U.dtype, 1, panels + TURNS * size)[0]
    return room[:panels], room[panels:].reshape(TURNS, size)


@inner
def pack_gates(panels, U, is_forward):
    """
    Pack the gates of U (u, gates u), or their transposes, into panels, one by one.

    A panel is u rows of two registers. Return the size of a gate.
    """
    u, columns = U.shape
    w = 2 * lanes(U)
    size, flat = -(-u // w) * w * u, U.reshape(-1)
    step, right = (columns, 1) if is_forward else (1, columns)
    for g in range(columns // u):
        for j in range(0, u, w):
            at, q = g * size + j * u, g * u + j * right
            pack(panels, at, flat, q, step, right, min(w, u - j), u)
    return size


@inner
def multiply_rows(
    c, cp, c_row, start, sp, s_row, a, ap, a_row, rows, panels, at, columns, K, room
):
    """
    c[cp + i c_row + j] = start[sp + i s_row + j] + sum_k a[ap + i a_row + k] b[k, j]

    i < rows    j < columns    k < K    all flat; b in panels from `at` on
    start may be c itself; room: a spare tile, for what does not fill one.
    """
    w = 2 * lanes(a)
    for j in range(0, columns, w):
        width = min(w, columns - j)
        panel = at + j * K
        i = 0
        while i < rows:
            left = rows - i
            height = FOUR if left <= FOUR or 6 < left <= 8 else ROWS
            target, q, below = c, cp + i * c_row + j, c_row
            source, p, beside = start, sp + i * s_row + j, s_row
            count = min(left, height)
            fits = count == height and width == w
            if not fits:
                copy(room, 0, w, 1, start, p, s_row, 1, count, width)
                target, q, below = room, 0, w
                source, p, beside = room, 0, w
            a0 = ap + i * a_row
            last = a0 + (count - 1) * a_row
            a1, a2, a3 = (
                min(a0 + a_row, last), min(a0 + 2 * a_row, last),
                min(a0 + 3 * a_row, last),
            )  # fmt: skip
            if height == FOUR:
                tile_of_four(
                    target, q, below, source, p, beside, a, a0, a1, a2, a3, 1,
                    panels, panel, K,
                )  # fmt: skip
            else:
                tile(
                    target, q, below, source, p, beside, a, a0, a1, a2, a3,
                    min(a0 + 4 * a_row, last), min(a0 + 5 * a_row, last),
                    1, NO_JUMP, 0, panels, panel, w, 1, K,
                )  # fmt: skip
            if not fits:
                copy(c, cp + i * c_row + j, c_row, 1, room, 0, w, 1, count, width)
            i += height


@inner
def add_product_back(
    dh, first, rows, dz, at, row, gate, count, N, u, r, panels, size, room
):
    """
    dh[first + i] += sum_g r[g, first + i] dz[at + i row, g] UT[g]

    i < rows    g: `count` gates from `gate` on    dh, dz flat    room: a turn's
    """
    tile = ROWS * 2 * lanes(dh)
    spare, sums = room[:tile], room[tile + 6 * u :]
    G, flat = len(r), r.reshape(-1)
    for g in range(gate, gate + count):
        if G > 1 or G == 1 and g == gate:
            clear_row(sums, 0, rows * u)
        c, cp = (sums, 0) if G else (dh, first * u)
        multiply_rows(
            c, cp, u, c, cp, u, dz, at + (g - gate) * u, row, rows,
            panels, g * size, u, u, spare,
        )  # fmt: skip
        if G > 1 or G == 1 and g == gate + count - 1:
            q = ((g if G > 1 else 0) * N + first) * u
            add_product_row(dh, first * u, sums, 0, flat, q, rows * u)


@inner
def is_kept(mask, s, n):
    """Return whether sample n keeps its state at step s."""
    return mask.size > 0 and not mask[s, n]


# ---- rows of numbers --------------------------------------------------------------
# Rows are places in flat arrays: a slice would count its references at every step. In
# each function a loop of its own for every common code: only such a loop becomes SIMD.


@inner
def activate_row(y, at, count, code):
    """y[at + k] = f(y[at + k]), where f is the activation of that code"""
    if code == TANH:
        for k in range(at, at + count):
            store_one(y, k, activate(TANH, load_one(y, k)))
    elif code == SIGMOID:
        for k in range(at, at + count):
            store_one(y, k, activate(SIGMOID, load_one(y, k)))
    elif code == HARD_SIGMOID:
        for k in range(at, at + count):
            store_one(y, k, activate(HARD_SIGMOID, load_one(y, k)))
    else:
        for k in range(at, at + count):
            store_one(y, k, activate(code, load_one(y, k)))


@inner
def multiply_by_slope(dy, q, y, at, count, code):
    """dy[q + k] *= f'(z[k]), where f is that activation and y[at + k] = f(z[k])"""
    if code == TANH:
        for k in range(count):
            rise = slope(TANH, load_one(y, at + k))
            store_one(dy, q + k, load_one(dy, q + k) * rise)
    elif code == SIGMOID:
        for k in range(count):
            rise = slope(SIGMOID, load_one(y, at + k))
            store_one(dy, q + k, load_one(dy, q + k) * rise)
    elif code == HARD_SIGMOID:
        for k in range(count):
            rise = slope(HARD_SIGMOID, load_one(y, at + k))
            store_one(dy, q + k, load_one(dy, q + k) * rise)
    else:
        for k in range(count):
            rise = slope(code, load_one(y, at + k))
            store_one(dy, q + k, load_one(dy, q + k) * rise)


@inner
def copy_row(y, q, x, at, count):
    """y[q + k] = x[at + k]"""
    for k in range(count):
        store_one(y, q + k, load_one(x, at + k))


@inner
def clear_row(y, at, count):
    """y[at + k] = 0"""
    nothing = like(load_one(y, at), 0)
    for k in range(at, at + count):
        store_one(y, k, nothing)


@inner
def add_row(y, q, x, at, count):
    """y[q + k] += x[at + k]"""
    for k in range(count):
        store_one(y, q + k, load_one(y, q + k) + load_one(x, at + k))


@inner
def multiply_row(y, q, a, i, b, j, count):
    """y[q + k] = a[i + k] b[j + k]"""
    for k in range(count):
        store_one(y, q + k, load_one(a, i + k) * load_one(b, j + k))


@inner
def add_product_row(y, q, a, i, b, j, count):
    """y[q + k] += a[i + k] b[j + k]"""
    for k in range(count):
        product = load_one(a, i + k) * load_one(b, j + k)
        store_one(y, q + k, load_one(y, q + k) + product)
