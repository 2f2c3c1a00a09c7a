"""
Convolution on the register tile: forward, and the gradients of input and weights.

A sample is cut into bands of rows, padded with zeros in scratch where the window
leaves the image, and the tile walks the band in place: the numbers below a row of the
window lie side by side, so no window is ever copied out. Six outputs anywhere in the
band make a tile. The weights are packed once into panels of two registers of filters.
Read next: `geometry.py` for the tables, `tile.py`.
"""

import numpy as np
from numba import prange

from ..jit import PARALLEL_WORK, inner, kernel, launcher, like
from . import dense
from .dense import LINE, TURNS, scratch_for
from .geometry import gradient_tables, recorded, tables
from .simd import (
    REGISTER_BYTES,
    lanes,
    load_one,
    store_one,
)
from .tile import ROWS, add_rows, copy, pack, tile

FORM = PARALLEL_WORK if TURNS > 1 else 0  # whatever the work: one form is compiled
GROUPS = 16  # of samples, each with a sum of its own for the gradient of the weights
MOST_PARTIAL = 1 << 20  # numbers in all these sums, if there are several
POSITIONS = 128  # of a gradient, in the sums over a band of the input
CHUNK = 1 << 15  # numbers of the weights' gradient that one turn sums at a time


@inner
def fill_band(band, at, a, p, n, d, low, high):
    """
    Copy what the windows at places d, low to high of sample n see, zeros around it.

    band[at + s, r, c, k] = a[n, i, j, l, k], or 0 outside of the image, both flat
    """
    K, row = p.channels, p.columns * p.pixel
    nothing = like(load_one(a, 0), 0)
    left = p.column_zeros * p.pixel
    seen = min(p.columns_in, p.columns - p.column_zeros)
    runs, run = (1, seen * K) if p.pixel == K else (seen, K)
    for s in range(p.slices):
        i = d * p.slice_step + s - p.slice_zeros
        for r in range((high - 1 - low) * p.row_step + p.row_reach):
            j = low * p.row_step + r - p.row_zeros
            q = at + (s * p.band_rows + r) * row
            is_inside = 0 <= i < p.slices_in and 0 <= j < p.rows_in
            for m in range(q, q + (left if is_inside else row)):
                store_one(band, m, nothing)
            if is_inside:
                start = ((n * p.slices_in + i) * p.rows_in + j) * p.columns_in * K
                for l in range(runs):
                    for m in range(run):
                        number = load_one(a, start + l * K + m)
                        store_one(band, q + left + l * p.pixel + m, number)
                for m in range(q + left + seen * p.pixel, q + row):
                    store_one(band, m, nothing)


@inner
def band_start(p, n, d, low):
    """Return where the band begins in the source itself, when it needs no padding."""
    i = n * p.slices_in + d * p.slice_step
    return (i * p.rows_in + low * p.row_step) * p.columns_in * p.channels


@inner
def list_places(places, p, first, n, d, low, start, stop):
    """
    List the outputs of one class in rows start to stop of a band that begins at low.

    places[0] = positions in the target    places[1] = where their windows begin there
    Return how many there are; the last is repeated to fill a tile.
    """
    count = 0
    i = d * p.slice_stride + first[0]
    for r in range(start, stop if 0 <= i < p.slices_out else start):
        j = r * p.row_stride + first[1]
        target = ((n * p.slices_out + i) * p.rows_out + j) * p.columns_out
        source = (r - low) * p.row_step * p.columns * p.pixel
        for c in range(p.column_places if 0 <= j < p.rows_out else 0):
            l = c * p.column_stride + first[2]
            if 0 <= l < p.columns_out:
                places[0, count] = (target + l) * p.filters
                places[1, count] = source + c * p.column_step * p.pixel
                count += 1
    for extra in range(count, -(-count // ROWS) * ROWS):
        places[0, extra] = places[0, count - 1]
        places[1, extra] = places[1, count - 1]
    return count


@inner
def seen_runs(p, one_class, jumps, r):
    """
    Return from which to which of its runs a window in row r leaves zeros behind.

    The runs before and after lie in rows above or below the image, in one slice.
    """
    low, high = 0, one_class[3]
    row = p.columns * p.pixel
    above = p.row_zeros - r * p.row_step
    below = above + p.rows_in
    if p.slices == 1:
        at, run = one_class[5], one_class[4]
        while low < high and jumps[at + low] + run <= above * row:
            low += 1
        while low < high and jumps[at + high - 1] >= below * row:
            high -= 1
    return low, high


@inner
def cover(
    c, j, places, count, band, start, panels, at, one_class, jumps, low, high, p, room
):
    """
    Compute two registers of filters, from j on, at all the listed places.

    c out    panels: a panel begins at `at`    runs low to high    room: a spare tile
    """
    w = 2 * lanes(c)
    columns = min(w, p.filters - j)
    for t in range(0, count, ROWS):
        first, last = places[0, t], places[0, t + ROWS - 1]
        fits = columns == w and last - first == (ROWS - 1) * p.filters
        target, cp, below = (c, first + j, p.filters) if fits else (room, 0, w)
        tile(
            target, cp, below, panels, at, 0,
            band, start + places[1, t], start + places[1, t + 1],
            start + places[1, t + 2], start + places[1, t + 3],
            start + places[1, t + 4], start + places[1, t + 5],
            1, jumps, one_class[5] + low, panels,
            at + (one_class[6] + low * one_class[4] + 1) * w, w,
            high - low, one_class[4],
        )  # fmt: skip
        if not fits:
            for i in range(min(ROWS, count - t)):
                copy(c, places[0, t + i] + j, 0, 1, room, i * w, 0, 1, 1, columns)


@inner
def pack_weights(panels, size, W, b, order, p, backward):
    """
    Pack W into panels of `size` numbers, two registers of filters in each row.

    panel: a row of starts, then for each tap in order, for each channel, one of weights
    """
    w = 2 * lanes(W)
    K, F = p.channels, p.filters
    for j in range(0, F, w):
        columns = min(w, F - j)
        at = j // w * size
        copy(panels, at, 0, 1, b, j, 0, 1, 1, columns)
        for tap in range(len(order)):
            row, q, step, right = at + (tap * K + 1) * w, order[tap] * K * F, 1, K
            if not backward:
                step, right = F, 1
            pack(panels, row, W, q + j * right, step, right, columns, K)


@inner
def cover_bands(c, a, plans, classes, jumps, panels, size, turn, turns, room, places):
    """Compute the bands of one turn; panels: `size` numbers each."""
    p, w = plans[0], 2 * lanes(c)
    bands = -(-p.row_places // p.height)
    units = c.size // (p.slices_out * p.rows_out * p.columns_out * p.filters)
    units *= p.slice_places * bands
    spare, copied = room[: ROWS * w], room[ROWS * w :]
    for unit in range(turn * units // turns, (turn + 1) * units // turns):
        n, d = unit // bands // p.slice_places, unit // bands % p.slice_places
        low = unit % bands * p.height
        high = min(low + p.height, p.row_places)
        band, start = (copied, 0) if p.padded else (a, band_start(p, n, d, low))
        if p.padded:
            fill_band(band, 0, a, p, n, d, low, high)
        for one in range(len(classes)):
            row = low
            while row < high:
                runs, row_before = seen_runs(p, classes[one], jumps, row), row
                while row < high and seen_runs(p, classes[one], jumps, row) == runs:
                    row += 1
                count = list_places(places, p, classes[one], n, d, low, row_before, row)
                for j in range(0, p.filters, w):
                    at = j // w * size
                    cover(
                        c, j, places, count, band, start, panels, at, classes[one],
                        jumps, runs[0], runs[1], p, spare,
                    )  # fmt: skip


@kernel(work=lambda *arguments: FORM)
def convolution_product(
    c, a, W, b, plans, classes, jumps, order, backward, panels, scratch, places
):
    """
    c = b + the sums over a window of a W, for every place of the window

    c (N, ..., F) out    a (N, ..., K)    W the weights    plans one, with its tables
    """
    turns = len(scratch)
    c, a, W = c.reshape(-1), a.reshape(-1), W.reshape(-1)
    p = plans[0]
    size = (len(order) * p.channels + 1) * 2 * lanes(W)
    pack_weights(panels, size, W, b, order, p, backward)
    for turn in prange(turns):
        cover_bands(
            c, a, plans, classes, jumps, panels, size, np.int64(turn), turns,
            scratch[turn], places[turn],
        )  # fmt: skip


del convolution_product.is_kernel  # it has no plain twin: those below have


@inner
def add_band(partial, at, down, band, start, rows, places, count, panel):
    """
    partial[at + i w + j] += sum_m band[start + rows[i] + place m] panel[m w + j]

    i < 6 down    m < count places, in places    j < w, two registers
    """
    w = 2 * lanes(panel)
    for i in range(0, down * ROWS, ROWS):
        tile(
            partial, at + i * w, w, partial, at + i * w, w,
            band, start + rows[i], start + rows[i + 1], start + rows[i + 2],
            start + rows[i + 3], start + rows[i + 4], start + rows[i + 5],
            0, places, 0, panel, 0, w, count, 1,
        )  # fmt: skip


@inner
def add_samples(partial, first, last, j, stop, dz, a, p, rows, places, room):
    """
    Add what samples first to last bring to the sums of the panels from j to stop.

    partial: for each panel 6 rows for each tile, then a row of sums of dz
    """
    w = 2 * lanes(dz)
    F, C = p.filters, p.columns_out
    down = len(rows) // ROWS
    size, piece = (down * ROWS + 1) * w, p.slices * p.band_rows * p.columns * p.pixel
    most = len(places)
    together = most // (p.height * C)
    panel, copied = room[w:], room[(most + 1) * w :]
    store_one(room, 0, like(load_one(dz, 0), 1))  # the one that `add_rows` wants
    end = last * p.slices_out
    for unit in range(first * p.slices_out, end, together):
        units = min(together, end - unit)
        for low in range(0, p.rows_out, p.height):
            high = min(low + p.height, p.rows_out)
            count = units * (high - low) * C
            n, d = unit // p.slices_out, unit % p.slices_out
            band, start = a, band_start(p, n, d, low)
            if p.padded:
                band, start = copied, 0
                for u in range(units):
                    n, d = (unit + u) // p.slices_out, (unit + u) % p.slices_out
                    fill_band(band, u * piece, a, p, n, d, low, high)
            q = (unit * p.rows_out + low) * C * F
            for k in range(j, stop):
                columns = min(w, F - k * w)
                pack(panel, 0, dz, q + k * w, F, 1, columns, count)
                add_band(
                    partial, k * size, down, band, start, rows, places, count, panel
                )
                add_rows(partial, k * size + down * ROWS * w, room, 0, w, w, count)


@inner
def add_items(partials, dz, a, plans, rows, places, chunks, turn, turns, room):
    """Compute the sums of one turn: some chunks of the panels of groups of samples."""
    p, w = plans[0], 2 * lanes(a)
    across = (p.filters + w - 1) // w
    N = dz.size // (p.slices_out * p.rows_out * p.columns_out * p.filters)
    groups, size = len(partials), (len(rows) + 1) * w
    items = groups * chunks
    for item in range(turn * items // turns, (turn + 1) * items // turns):
        g, h = item // chunks, item % chunks
        j, stop = h * across // chunks, (h + 1) * across // chunks
        for i in range(j * size, stop * size):
            partials[g, i] = 0
        add_samples(
            partials[g], g * N // groups, (g + 1) * N // groups, j, stop,
            dz, a, p, rows, places, room,
        )  # fmt: skip


@inner
def add_partials(dW, db, partials, rows):
    """dW[i, f] = sum_g partials[g, panel of f, i],    db[f] likewise, in row `rows`"""
    F, w = len(db), 2 * lanes(dW)
    for j in range(0, F, w):
        for i in range(dW.size // F + 1):
            is_bias = i == dW.size // F
            at = j // w * (rows + 1) * w + (rows if is_bias else i) * w - j
            for f in range(j, min(j + w, F)):
                total = partials[0, at + f]
                for g in range(1, len(partials)):
                    total += partials[g, at + f]
                if is_bias:
                    db[f] = total
                else:
                    dW[i * F + f] = total


@kernel(work=lambda *arguments: FORM)
def convolution_gradient(dW, db, dz, a, plans, rows, places, partials, chunks, scratch):
    """
    dW[i, f] = sum_m a[m, i] dz[m, f],    db[f] = sum_m dz[m, f]

    dW (..., F) out    db (F,) out    dz (N, ..., F)    a (N, ..., K)    plans one
    partials: the sums of groups of samples, each of which belongs to one turn
    """
    turns = len(scratch)
    dW, dz, a = dW.reshape(-1), dz.reshape(-1), a.reshape(-1)
    for turn in prange(turns):
        add_items(
            partials, dz, a, plans, rows, places, chunks, np.int64(turn), turns,
            scratch[turn],
        )  # fmt: skip
    add_partials(dW, db, partials, len(rows))


del convolution_gradient.is_kernel


def is_pointwise(W, stride, padding):
    """Return whether a Dense layer does the same: every output sees one place."""
    return W.size == W.shape[3] * W.shape[4] and max(stride) == 1 and max(padding) == 0


def rows_of(a):
    """Return an array of any rank as rows of its last axis."""
    return a.reshape(-1, a.shape[-1])


def with_rows(shapes, *numbers):
    """Return shapes and numbers in which a sequence is a column of many rows."""
    if any(shape[1] > 1 for shape in shapes) or numbers[0][1] > 1:
        return shapes, *numbers
    shapes = [(shape[0], shape[2], shape[1], shape[3]) for shape in shapes]
    return shapes, *((three[0], three[2], three[1]) for three in numbers)


def product_of(backward, c, a, W, b, stride, dilation, padding):
    """Return the kernel behind a convolution or its way back, and its arguments."""
    shapes = a.shape[1:], c.shape[1:]
    shapes, *numbers = with_rows(shapes, W.shape[:3], stride, dilation, padding)
    most = max(1, len(c) * shapes[1][0] * shapes[1][1] // (4 * TURNS))
    p, classes, jumps, order = tables(backward, *shapes, *numbers, most)
    w = 2 * REGISTER_BYTES // W.dtype.itemsize
    panels = -(-p.filters // w) * (len(order) * p.channels + 1) * w
    size = (ROWS + -(-band_size(p) // w)) * w
    room = scratch_for(W.dtype, 1, panels + TURNS * size)[0]
    most = -(-p.height * p.column_places // ROWS) * ROWS
    places = scratch_for(np.dtype(np.int64), TURNS, 2 * most)
    return convolution_product, (
        c, a, W, b, recorded(p), classes, jumps, order, int(backward), room[:panels],
        room[panels:].reshape(TURNS, size), places.reshape(TURNS, 2, most),
    )  # fmt: skip


@launcher
def convolution_forward(y, x, W, b, stride, dilation, padding):
    """
    y[n, d, r, c, f] = b[f] + sum_(p, q, s, k) x[n, i, j, l, k] W[p, q, s, k, f]

    y (N, D, R, C, F) out    x (N, I, J, L, K)    W (P, Q, S, K, F)    b (F,)
    """
    if is_pointwise(W, stride, padding):
        return dense.dense_forward, (rows_of(y), rows_of(x), rows_of(W), b)
    return product_of(False, y, x, W, b, stride, dilation, padding)


@launcher
def convolution_backward_input(dx, dz, W, b, stride, dilation, padding):
    """
    dx[n, i, j, l, k] = b[k] + sum_(d, r, c, p, q, s, f) dz[n, d, r, c, f] W[p, q, s, k, f]

    dx (N, I, J, L, K) out    dz (N, D, R, C, F)    W (P, Q, S, K, F)    b (K,)
    """  # noqa: E501
    return product_of(True, dx, dz, W, b, stride, dilation, padding)


@launcher
def convolution_backward_weights(dW, db, dz, x, stride, dilation, padding):
    """
    dW[p, q, s, k, f] = sum_(n, d, r, c) x[n, i, j, l, k] dz[n, d, r, c, f]

    db[f] = sum_(n, d, r, c) dz[n, d, r, c, f]
    dW (P, Q, S, K, F) out    db (F,) out    dz (N, D, R, C, F)    x (N, I, J, L, K)
    """
    if is_pointwise(dW, stride, padding):
        return dense.dense_backward_weights, (rows_of(dW), db, rows_of(dz), rows_of(x))
    shapes = x.shape[1:], dz.shape[1:]
    shapes, *numbers = with_rows(shapes, dW.shape[:3], stride, dilation, padding)
    D, R, C, F = shapes[1]
    most = max(1, POSITIONS // C)
    p = tables(False, *shapes, *numbers, most, spread(x))[0]
    is_whole = p.height == R and (p.padded or D == 1 and p.slices == p.slices_in)
    together = max(1, POSITIONS // (R * C)) if is_whole else 1
    rows, places = gradient_tables(p, numbers[0], numbers[2], together)
    w = 2 * REGISTER_BYTES // dW.dtype.itemsize
    across = -(-F // w)
    size = across * (len(rows) + 1) * w
    chunks = min(across, -(-size // CHUNK))
    groups = max(1, min(GROUPS // chunks, len(dz), MOST_PARTIAL // size))
    band = together * band_size(p)
    each = (len(places) + 1 + -(-band // w)) * w
    room = scratch_for(dW.dtype, 1, groups * size + TURNS * each)[0]
    return convolution_gradient, (
        dW, db, dz, x, recorded(p), rows, places,
        room[: groups * size].reshape(groups, size), chunks,
        room[groups * size :].reshape(TURNS, each),
    )  # fmt: skip


def band_size(p):
    """Return how many numbers the band takes in scratch."""
    return p.slices * p.band_rows * p.columns * p.pixel if p.padded else 0


def spread(x):
    """Return the numbers of a column in the band such that columns do not collide."""
    K, line = x.shape[-1], LINE // x.dtype.itemsize
    return K + line if K % (2 * line) == 0 else K
