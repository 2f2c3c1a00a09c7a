"""
Depthwise convolution, one register of channels at a time.

Channels lie side by side and never meet, so a register holds the same place of some
channels, and a window is a walk over taps: pairs of a place in the images and a place
in the weights. Forward and the gradient of the input differ in their lists of taps
only. With several windows for each channel the plain loops run. Read next:
`plain/depthwise.py`, which says what each computes.
"""

import functools

import numpy as np
from numba import prange

from ..jit import inner, kernel, launcher, like
from ..plain import depthwise as plain
from .dense import scratch_for
from .simd import fma, lanes, load, load_one, store, store_one

GROUPS = 16  # of lines, each with a sum of its own for the gradient of the weights


@inner(inlined=True)
def sum_taps(c, at, a, q, W, b, K, lines, first, last, columns, begin, end):
    """
    c[at + k] = b[k] + sum over the taps of a[q + place of a tap + k] W[tap + k]

    taps: each of lines from first to last with each of columns from begin to end
    """
    whole = K // lanes(c) * lanes(c)
    for k in range(0, whole, lanes(c)):
        sums = load(b, k)
        for i in range(first, last):
            for j in range(begin, end):
                place = load_one(lines, 2 * i) + load_one(columns, 2 * j)
                tap = load_one(lines, 2 * i + 1) + load_one(columns, 2 * j + 1)
                sums = fma(load(a, q + place + k), load(W, tap + k), sums)
        store(c, at + k, sums)
    for k in range(whole, K):
        total = load_one(b, k)
        for i in range(first, last):
            for j in range(begin, end):
                place = load_one(lines, 2 * i) + load_one(columns, 2 * j)
                tap = load_one(lines, 2 * i + 1) + load_one(columns, 2 * j + 1)
                total += load_one(a, q + place + k) * load_one(W, tap + k)
        store_one(c, at + k, total)


@inner(inlined=True)
def add_to_taps(sums, dz, at, a, q, K, lines, first, last, columns, begin, end):
    """
    sums[tap + k] += a[q + place of a tap + k] dz[at + k], for every tap

    taps: each of lines from first to last with each of columns from begin to end
    """
    whole = K // lanes(dz) * lanes(dz)
    for i in range(first, last):
        for j in range(begin, end):
            place = q + load_one(lines, 2 * i) + load_one(columns, 2 * j)
            tap = load_one(lines, 2 * i + 1) + load_one(columns, 2 * j + 1)
            for k in range(0, whole, lanes(dz)):
                total = fma(load(a, place + k), load(dz, at + k), load(sums, tap + k))
                store(sums, tap + k, total)
            for k in range(whole, K):
                product = load_one(a, place + k) * load_one(dz, at + k)
                store_one(sums, tap + k, load_one(sums, tap + k) + product)


@kernel(work=lambda c, a, W, *rest: c.size * (W.size // c.shape[-1]) // 8)
def depthwise_product(c, a, W, b, line_starts, lines, column_starts, columns):
    """
    c[n, line, column, k] = b[k] + sum over the taps of a[n, place of a tap, k] W[tap, k]

    c (N, ..., K) out    a (N, ..., K)    W (P, Q, S, K, 1)    lists as in `taps`
    """  # noqa: E501
    N, K, size = len(c), c.shape[-1], a.size // len(a)
    R, C = len(line_starts) - 1, len(column_starts) - 1
    c, a, W = c.reshape(-1), a.reshape(-1), W.reshape(-1)
    for turn in prange(N * R):
        line = np.int64(turn)
        n, r = line // R, line % R
        for j in range(C):
            sum_taps(
                c, (line * C + j) * K, a, n * size, W, b, K,
                lines, line_starts[r], line_starts[r + 1],
                columns, column_starts[j], column_starts[j + 1],
            )  # fmt: skip


@inner
def add_lines(
    sums, dz, a, N, K, line_starts, lines, column_starts, columns, group, groups
):
    """Add what one group of lines brings to dW, and behind it to db."""
    R, C = len(line_starts) - 1, len(column_starts) - 1
    size, taps = a.size // N, sums.size - K
    sums[:] = like(dz[0], 0)
    for line in range(group * N * R // groups, (group + 1) * N * R // groups):
        n, r = line // R, line % R
        for j in range(C):
            at = (line * C + j) * K
            add_to_taps(
                sums, dz, at, a, n * size, K,
                lines, line_starts[r], line_starts[r + 1],
                columns, column_starts[j], column_starts[j + 1],
            )  # fmt: skip
            for k in range(K):
                sums[taps + k] += dz[at + k]


@kernel(work=lambda dW, db, dz, *rest: dz.size * (dW.size // db.size) // 8)
def depthwise_gradient(
    dW, db, dz, a, line_starts, lines, column_starts, columns, partials
):
    """
    dW[tap, k] = sum over all places of a[n, place of the tap, k] dz[n, line, column, k]

    db[k] = sum of dz[..., k]    partials: for each group of lines, dW and then db
    """
    N, K, groups = len(dz), dz.shape[-1], len(partials)
    dW, dz, a = dW.reshape(-1), dz.reshape(-1), a.reshape(-1)
    for group in prange(groups):
        add_lines(
            partials[group], dz, a, N, K, line_starts, lines, column_starts, columns,
            np.int64(group), groups,
        )  # fmt: skip
    for g in range(1, groups):
        for i in range(partials.shape[1]):
            partials[0, i] += partials[g, i]
    dW[:] = partials[0, : dW.size]
    db[:] = partials[0, dW.size :]


del depthwise_product.is_kernel, depthwise_gradient.is_kernel


@functools.lru_cache(maxsize=256)
def taps(backward, shape_in, shape_out, window, stride, dilation, padding):
    """
    Return which taps every line and every column of an output has.

    Output i of an axis meets the source at i stride + tap dilation - padding; on the
    way back source and output change places. A line is a row of a slice. Its taps are
    the pairs starts[r] to starts[r + 1] of a flat table: where it begins in a sample,
    and where in the weights. Columns have theirs, and the two add up.
    """
    K = shape_in[-1]
    axes = [
        taps_of_axis(backward, *numbers)
        for numbers in zip(
            shape_in[:3], shape_out[:3], window, stride, dilation, padding
        )
    ]
    slices, rows, columns = axes
    row, line = shape_in[2] * K, window[2] * K
    lines = [
        [
            ((i * shape_in[1] + j) * row, (p * window[1] + q) * line)
            for i, p in one_slice
            for j, q in one_row
        ]
        for one_slice in slices
        for one_row in rows
    ]
    columns = [[(l * K, s * K) for l, s in one] for one in columns]
    return *table(lines), *table(columns)


def taps_of_axis(backward, size_in, size_out, window, stride, dilation, padding):
    """Return, for each place of the output, pairs: a place of the source, a tap."""
    found = [[] for _ in range(size_out)]
    places = size_in if backward else size_out
    for tap in range(window):
        for place in range(places):
            other = place * stride + tap * dilation - padding
            target, source = (other, place) if backward else (place, other)
            if 0 <= target < size_out and 0 <= source < size_in:
                found[target].append((source, tap))
    return found


def table(lists):
    """Return where each list starts in the table, and the table of all of them."""
    starts = np.cumsum([0] + [len(one) for one in lists])
    rows = [pair for one in lists for pair in one]
    return starts, np.array(rows, np.int64).reshape(-1)


@functools.lru_cache(maxsize=256)
def zeros(size, dtype):
    """Return a bias that adds nothing."""
    return np.zeros(size, dtype)


@launcher
def depthwise_forward(y, x, W, b, stride, dilation, padding):
    """
    y[n, d, r, c, k M + m] = b[k M + m] + sum_(p, q, s) x[n, i, j, l, k] W[p, q, s, k, m]

    y (N, D, R, C, K M) out    x (N, I, J, L, K)    W (P, Q, S, K, M)    b (K M,)
    """  # noqa: E501
    if W.shape[-1] > 1:
        return plain.depthwise_forward, (y, x, W, b, stride, dilation, padding)
    shapes = x.shape[1:], y.shape[1:]
    return depthwise_product, (
        y, x, W, b, *taps(False, *shapes, W.shape[:3], stride, dilation, padding)
    )  # fmt: skip


@launcher
def depthwise_backward_weights(dW, db, dz, x, stride, dilation, padding):
    """
    dW[p, q, s, k, m] = sum_(n, d, r, c) x[n, i, j, l, k] dz[n, d, r, c, k M + m]

    db[f] = sum_(n, d, r, c) dz[n, d, r, c, f]
    dW (P, Q, S, K, M) out    db (K M,) out    dz (N, D, R, C, K M)    x (N, I, J, L, K)
    """
    if dW.shape[-1] > 1:
        return plain.depthwise_backward_weights, (
            dW, db, dz, x, stride, dilation, padding
        )  # fmt: skip
    shapes = x.shape[1:], dz.shape[1:]
    tables = taps(False, *shapes, dW.shape[:3], stride, dilation, padding)
    groups = min(GROUPS, len(dz) * (len(tables[0]) - 1))
    partials = scratch_for(dW.dtype, groups, dW.size + db.size)
    return depthwise_gradient, (dW, db, dz, x, *tables, partials)


@launcher
def depthwise_backward_input(dx, dz, W, stride, dilation, padding):
    """
    dx[n, i, j, l, k] = sum_(d, r, c, p, q, s, m) dz[n, d, r, c, k M + m] W[p, q, s, k, m]

    dx (N, I, J, L, K) out    dz (N, D, R, C, K M)    W (P, Q, S, K, M)
    """  # noqa: E501
    if W.shape[-1] > 1:
        return plain.depthwise_backward_input, (dx, dz, W, stride, dilation, padding)
    shapes = dz.shape[1:], dx.shape[1:]
    tables = taps(True, *shapes, W.shape[:3], stride, dilation, padding)
    return depthwise_product, (dx, dz, W, zeros(W.shape[3], W.dtype), *tables)
