"""
The recurrent cells, all steps in one launch: a block owns some samples for good.

Samples never meet, so no block waits for another. At every step the threads of a block
multiply the states of its samples, which stay in shared memory, with the weights, which
stay in the caches: a thread owns COLUMNS columns of the product and adds up a part of
the rows, for all samples of the block. Then a thread owns a unit of a sample, adds up
the parts and goes through the cell. Backward goes the same way with the weights
transposed. The letters are those of `plain/recurrence.py`; the masks r are the same for
all gates here.
"""

import numpy as np

from ..formulas.recurrence import activate, slope
from ..jit import inner
from . import target
from .cells import gru_slopes, gru_state, is_kept, lstm_slopes, lstm_state, seen
from .reductions import scratch
from .target import cuda, entry, grid, like, part
from .vectors import four, one, put_four

SAMPLES = 4  # of a block, neighbours in its memory
COLUMNS = 4  # of the product, that a thread owns at a time
DEPTH = 4  # rows of weights that a thread asks for at a time
FEWEST_ROWS = 4  # of a part of the product
MOST_WEIGHTS = 1 << 18  # from there on every step reads too much, once for each block
SHARED = 48 << 10  # bytes that the threads of a block may share


# ---- the product of a step --------------------------------------------------------


@inner
def shares(rows, columns, threads):
    """Return how many threads lie side by side, and in how many parts the rows are."""
    width = (columns + COLUMNS - 1) // COLUMNS
    return width, max(1, min(threads // width, rows // FEWEST_ROWS))


@part
def multiply(memory, into, a, rows, W, row, column, columns, length):
    """
    memory[into + (p columns + c) SAMPLES + m] =
        sum over rows j of part p of memory[a + j SAMPLES + m] W[row + j, column + c]

    for all samples m, columns c and parts p of the rows; return how many parts. W is
    flat, with rows of that length.
    """
    width, parts = shares(rows, columns, cuda.blockDim.x)
    sums = cuda.local.array((COLUMNS, SAMPLES), memory.dtype)
    ahead = cuda.local.array((DEPTH, COLUMNS), memory.dtype)
    at = cuda.local.array(COLUMNS, np.int64)
    for task in range(cuda.threadIdx.x, parts * width, cuda.blockDim.x):
        p, c = divmod(task, width)
        first, stop = p * rows // parts, (p + 1) * rows // parts
        for i in range(COLUMNS):
            place = column + min(c + i * width, columns - 1)  # a spare one is dropped
            at[i] = (row + first) * length + place
            for m in range(SAMPLES):
                sums[i, m] = like(memory[0], 0)
        whole = first + (stop - first) // DEPTH * DEPTH
        for j in range(first, whole, DEPTH):
            for d in range(DEPTH):  # ask for all before the first is there
                for i in range(COLUMNS):
                    ahead[d, i] = one(W, at[i])
                    at[i] += length
            for d in range(DEPTH):
                add_row(sums, four(memory, a + (j + d) * SAMPLES), ahead, d)
        for j in range(whole, stop):
            for i in range(COLUMNS):
                ahead[0, i] = one(W, at[i])
                at[i] += length
            add_row(sums, four(memory, a + j * SAMPLES), ahead, 0)
        for i in range(COLUMNS):
            place = into + (p * columns + c + i * width) * SAMPLES
            if c + i * width < columns:
                put_four(
                    memory, place, (sums[i, 0], sums[i, 1], sums[i, 2], sums[i, 3])
                )  # fmt: skip
    return parts


@part
def add_row(sums, states, weights, d):
    """sums[i, m] += states[m] weights[d, i]"""
    for i in range(COLUMNS):
        sums[i, 0] += states[0] * weights[d, i]
        sums[i, 1] += states[1] * weights[d, i]
        sums[i, 2] += states[2] * weights[d, i]
        sums[i, 3] += states[3] * weights[d, i]


@part
def total(memory, at, parts, columns):
    """Return the number of the product whose first part lies there: all, in order."""
    found = memory[at]
    for p in range(1, parts):
        found += memory[at + p * columns * SAMPLES]
    return found


@inner
def unit_of(task):
    """Return the unit of a task, and the sample in the block: neighbours in memory."""
    return divmod(task, SAMPLES)


@part
def take_states(memory, h, r):
    """memory[k SAMPLES + m] = h[0, n, k] r[0, n, k], for the samples n of this block"""
    for task in range(cuda.threadIdx.x, SAMPLES * h.shape[2], cuda.blockDim.x):
        k, m = unit_of(task)
        n = cuda.blockIdx.x * SAMPLES + m
        if n < h.shape[1]:
            memory[task] = seen(h[0, n, k], r, 0, n, k)


@entry
def _transpose(y, x):
    o, k = divmod(cuda.grid(1), y.shape[1])
    if o < y.shape[0]:
        y[o, k] = x[k, o]


def transposed(U):
    """Return the weights with their axes exchanged, flat, in a scratch array."""
    UT = scratch("transposed weights", U.shape[::-1], U.dtype)
    _transpose[grid(U.size)](UT, U)
    return UT.reshape(-1)


def shared_bytes(U):
    """Return how much memory the threads of a block share, at most."""
    u, columns = U.shape
    sums = max(columns, COLUMNS * threads())
    return SAMPLES * (max(2 * u, columns) + sums) * U.dtype.itemsize


def threads():
    """Return the number of threads in a block."""
    return 2 * target.THREADS


def fits(U, r):
    """Return whether this is the way to run a cell with these weights and masks."""
    return len(r) <= 1 and U.size <= MOST_WEIGHTS and shared_bytes(U) <= SHARED


def launch(entry, N, U, *arguments):
    """Launch an entry that runs N samples through all steps."""
    entry[-(-N // SAMPLES), threads(), shared_bytes(U)](*arguments)


# ---- SimpleRNN --------------------------------------------------------------------


@entry
def _rnn_forward(h, z, U, r, mask, phi):
    memory = cuda.shared.array(0, h.dtype)  # states as the gates see them, products
    u = h.shape[2]
    into = SAMPLES * u
    take_states(memory, h, r)
    for s in range(z.shape[0]):
        cuda.syncthreads()
        parts = multiply(memory, into, 0, u, U, 0, 0, u, u)
        cuda.syncthreads()
        for task in range(cuda.threadIdx.x, SAMPLES * u, cuda.blockDim.x):
            k, m = unit_of(task)
            n = cuda.blockIdx.x * SAMPLES + m
            if n < h.shape[1]:
                if is_kept(mask, s, n):
                    new = h[s, n, k]
                else:
                    a = z[s, n, k] + total(memory, into + task, parts, u)
                    new = activate(phi, a)
                h[s + 1, n, k] = new
                memory[task] = seen(new, r, 0, n, k)


def rnn_forward(h, z, U, r, mask, phi):
    """As `rnn_forward` of `recurrence.py`."""
    launch(_rnn_forward, h.shape[1], U, h, z, U.reshape(-1), r, mask, phi)


@entry
def _rnn_backward(dz, dh, dy, h, UT, r, mask, phi):
    memory = cuda.shared.array(0, h.dtype)  # dz[s], products
    N, u = dh.shape
    into = SAMPLES * u
    for s in range(dz.shape[0] - 1, -1, -1):
        for task in range(cuda.threadIdx.x, SAMPLES * u, cuda.blockDim.x):
            k, m = unit_of(task)
            n = cuda.blockIdx.x * SAMPLES + m
            if n < N:
                if dy.size:
                    dh[n, k] += dy[s, n, k]
                da = like(dh[n, k], 0)
                if not is_kept(mask, s, n):
                    da = dh[n, k] * slope(phi, h[s + 1, n, k])
                    dh[n, k] = like(da, 0)
                dz[s, n, k] = memory[task] = da
        cuda.syncthreads()
        parts = multiply(memory, into, 0, u, UT, 0, 0, u, u)
        cuda.syncthreads()
        add_back(dh, memory, into, parts, r, mask, s)


@part
def add_back(dh, memory, into, parts, r, mask, s):
    """Add the products to dh, of the samples that did not keep their state."""
    N, u = dh.shape
    for task in range(cuda.threadIdx.x, SAMPLES * u, cuda.blockDim.x):
        k, m = unit_of(task)
        n = cuda.blockIdx.x * SAMPLES + m
        if n < N and not is_kept(mask, s, n):
            dh[n, k] += seen(total(memory, into + task, parts, u), r, 0, n, k)


def rnn_backward(dz, dh, dy, h, U, r, mask, phi):
    """As `rnn_backward` of `recurrence.py`."""
    UT = transposed(U)
    launch(_rnn_backward, len(dh), U, dz, dh, dy, h, UT, r, mask, phi)


# ---- LSTM -------------------------------------------------------------------------


@entry
def _lstm_forward(h, c, gates, z, U, r, mask, sigma, phi):
    memory = cuda.shared.array(0, h.dtype)
    N, u, t = h.shape[1], h.shape[2], cuda.threadIdx.x
    size = SAMPLES * u
    into, f_at, g_at, o_at = size, 2 * size, 3 * size, 4 * size
    take_states(memory, h, r)
    for s in range(z.shape[0]):
        cuda.syncthreads()
        parts = multiply(memory, into, 0, u, U, 0, 0, 4 * u, 4 * u)
        cuda.syncthreads()
        for task in range(t, size, cuda.blockDim.x):
            k, m = unit_of(task)
            n = cuda.blockIdx.x * SAMPLES + m
            if n < N:
                i, f, g, o, state, new = lstm_state(
                    z[s, n, k] + total(memory, into + task, parts, 4 * u),
                    z[s, n, u + k] + total(memory, f_at + task, parts, 4 * u),
                    z[s, n, 2 * u + k] + total(memory, g_at + task, parts, 4 * u),
                    z[s, n, 3 * u + k] + total(memory, o_at + task, parts, 4 * u),
                    c[s, n, k], sigma, phi,
                )  # fmt: skip
                gates[s, n, k], gates[s, n, u + k] = i, f
                gates[s, n, 2 * u + k], gates[s, n, 3 * u + k] = g, o
                if is_kept(mask, s, n):
                    state, new = c[s, n, k], h[s, n, k]
                c[s + 1, n, k], h[s + 1, n, k] = state, new
                memory[task] = seen(new, r, 0, n, k)


def lstm_forward(h, c, gates, z, U, r, mask, sigma, phi):
    """As `lstm_forward` of `recurrence.py`."""
    rest = r, mask, sigma, phi
    launch(_lstm_forward, h.shape[1], U, h, c, gates, z, U.reshape(-1), *rest)


@entry
def _lstm_backward(dz, dh, dc, dy, gates, c, UT, r, mask, sigma, phi):
    memory = cuda.shared.array(0, dz.dtype)
    N, u = dh.shape
    size = SAMPLES * u
    into = 4 * size
    for s in range(dz.shape[0] - 1, -1, -1):
        for task in range(cuda.threadIdx.x, SAMPLES * u, cuda.blockDim.x):
            k, m = unit_of(task)
            n = cuda.blockIdx.x * SAMPLES + m
            if n < N:
                if dy.size:
                    dh[n, k] += dy[s, n, k]
                di = df = dg = do = like(dh[n, k], 0)
                if not is_kept(mask, s, n):
                    di, df, dg, do, dc[n, k] = lstm_slopes(
                        gates[s, n, k], gates[s, n, u + k],
                        gates[s, n, 2 * u + k], gates[s, n, 3 * u + k],
                        c[s, n, k], c[s + 1, n, k], dh[n, k], dc[n, k], sigma, phi,
                    )  # fmt: skip
                    dh[n, k] = like(di, 0)
                dz[s, n, k] = memory[task] = di
                dz[s, n, u + k] = memory[size + task] = df
                dz[s, n, 2 * u + k] = memory[2 * size + task] = dg
                dz[s, n, 3 * u + k] = memory[3 * size + task] = do
        cuda.syncthreads()
        parts = multiply(memory, into, 0, 4 * u, UT, 0, 0, u, u)
        cuda.syncthreads()
        add_back(dh, memory, into, parts, r, mask, s)


def lstm_backward(dz, dh, dc, dy, gates, c, U, r, mask, sigma, phi):
    """As `lstm_backward` of `recurrence.py`."""
    UT = transposed(U)
    launch(
        _lstm_backward, len(dh), U, dz, dh, dc, dy, gates, c, UT, r, mask, sigma, phi
    )  # fmt: skip


# ---- GRU --------------------------------------------------------------------------


@entry
def _gru_forward(h, gates, inner, z, U, b, r, mask, sigma, phi, reset_after):
    memory = cuda.shared.array(0, h.dtype)  # states, q times these, products
    N, u, t = h.shape[1], h.shape[2], cuda.threadIdx.x
    size = SAMPLES * u
    into, columns = 2 * size, 3 * u if reset_after else 2 * u
    take_states(memory, h, r)
    for s in range(z.shape[0]):
        cuda.syncthreads()
        parts = multiply(memory, into, 0, u, U, 0, 0, columns, 3 * u)
        cuda.syncthreads()
        for task in range(t, size, cuda.blockDim.x):
            k, m = unit_of(task)
            n = cuda.blockIdx.x * SAMPLES + m
            if n < N:
                p = z[s, n, k] + total(memory, into + task, parts, columns)
                q = z[s, n, u + k] + total(memory, into + size + task, parts, columns)
                gates[s, n, k] = activate(sigma, p + b[k])
                q = gates[s, n, u + k] = activate(sigma, q + b[u + k])
                kept = q * memory[task]
                if reset_after:
                    kept = total(memory, into + 2 * size + task, parts, columns)
                    kept += b[2 * u + k]
                inner[s, n, k] = memory[size + task] = kept
        if not reset_after:
            cuda.syncthreads()
            parts = multiply(memory, into, size, u, U, 0, 2 * u, u, 3 * u)
        cuda.syncthreads()
        for task in range(t, size, cuda.blockDim.x):
            k, m = unit_of(task)
            n = cuda.blockIdx.x * SAMPLES + m
            if n < N:
                if reset_after:
                    g = gates[s, n, u + k] * memory[size + task]
                else:
                    g = b[2 * u + k] + total(memory, into + task, parts, u)
                g += z[s, n, 2 * u + k]
                g, new = gru_state(gates[s, n, k], g, h[s, n, k], phi)
                gates[s, n, 2 * u + k] = g
                new = h[s, n, k] if is_kept(mask, s, n) else new
                h[s + 1, n, k] = new
                memory[task] = seen(new, r, 0, n, k)


def gru_forward(h, gates, inner, z, U, b, r, mask, sigma, phi, reset_after):
    """As `gru_forward` of `recurrence.py`."""
    rest = r, mask, sigma, phi, reset_after
    launch(_gru_forward, h.shape[1], U, h, gates, inner, z, U.reshape(-1), b, *rest)


@part
def gru_slopes_of_block(
    memory, dz, dh, dinner, dy, gates, inner, h, mask, sigma, phi, reset_after, s
):  # fmt: skip
    """
    Fill dz[s] and dinner[s] as far as they are known before any product.

    memory[...] gets what the products need: dz, but dinner for gate g if
    reset_after.
    """
    N, u = dh.shape
    size = SAMPLES * u
    for task in range(cuda.threadIdx.x, size, cuda.blockDim.x):
        k, m = unit_of(task)
        n = cuda.blockIdx.x * SAMPLES + m
        if n < N:
            if dy.size:
                dh[n, k] += dy[s, n, k]
            dp = dq = dg = dm = like(dh[n, k], 0)
            if not is_kept(mask, s, n):
                p, q, g = gates[s, n, k], gates[s, n, u + k], gates[s, n, 2 * u + k]
                dp, dg, dh[n, k] = gru_slopes(p, g, h[s, n, k], dh[n, k], sigma, phi)
                if reset_after:
                    dq = dg * inner[s, n, k] * slope(sigma, q)
                    dm = dg * q
            dz[s, n, k] = memory[task] = dp
            dz[s, n, 2 * u + k] = dg
            memory[2 * size + task] = dm if reset_after else dg
            if reset_after or is_kept(mask, s, n):  # else q is still needed there
                dz[s, n, u + k] = memory[size + task] = dq
                dinner[s, n, k] = dm


@part
def gru_reset_of_block(
    dz, dh, dinner, gates, h, memory, into, parts, r, mask, sigma, s
):
    """Fill dq and dinner[s], where the products are dinner[s]."""
    N, u = dh.shape
    for task in range(cuda.threadIdx.x, SAMPLES * u, cuda.blockDim.x):
        k, m = unit_of(task)
        n = cuda.blockIdx.x * SAMPLES + m
        if n < N and not is_kept(mask, s, n):
            q, dm = gates[s, n, u + k], total(memory, into + task, parts, u)
            dinner[s, n, k] = dm
            dq = dm * seen(h[s, n, k], r, 0, n, k) * slope(sigma, q)
            dz[s, n, u + k] = memory[SAMPLES * u + task] = dq
            dh[n, k] += seen(dm * q, r, 0, n, k)


@entry
def _gru_backward(
    dz, dh, dinner, dy, gates, inner, h, UT, r, mask, sigma, phi, reset_after
):  # fmt: skip
    memory = cuda.shared.array(0, dz.dtype)
    u = dh.shape[1]
    into = SAMPLES * 3 * u
    for s in range(dz.shape[0] - 1, -1, -1):
        gru_slopes_of_block(
            memory, dz, dh, dinner, dy, gates, inner, h, mask, sigma, phi,
            reset_after, s,
        )  # fmt: skip
        cuda.syncthreads()
        if not reset_after:
            parts = multiply(memory, into, 2 * u * SAMPLES, u, UT, 2 * u, 0, u, u)
            cuda.syncthreads()
            gru_reset_of_block(
                dz, dh, dinner, gates, h, memory, into, parts, r, mask, sigma, s
            )  # fmt: skip
            cuda.syncthreads()
        rows = 3 * u if reset_after else 2 * u
        parts = multiply(memory, into, 0, rows, UT, 0, 0, u, u)
        cuda.syncthreads()
        add_back(dh, memory, into, parts, r, mask, s)


def gru_backward(
    dz, dh, dinner, dy, gates, inner, h, U, r, mask, sigma, phi, reset_after
):  # fmt: skip
    """As `gru_backward` of `recurrence.py`."""
    UT, rest = transposed(U), (r, mask, sigma, phi, reset_after)
    launch(_gru_backward, len(dh), U, dz, dh, dinner, dy, gates, inner, h, UT, *rest)
