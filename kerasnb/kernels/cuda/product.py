"""
The fast form of the matrix product, for all three products of a Dense layer.

A matrix is flat memory, `lines` of numbers that follow each other; which way the lines
run, along the depth or along the edge of a tile, is all that tells x W, xT dz and dz WT
apart. `plan` chooses the tile, and in how many parts to split the depth where there are
too few outputs to keep the whole device at work: the parts are added in order, so the
bits are the same at every run. Read next: `tile.py`.
"""

import functools

import numpy as np

from ..formulas import activations as formula
from .reductions import scratch
from .target import cuda, entry, grid, part
from .tile import RELU, SUM, SUM_AND_BIAS, Operand, Tile, product_of
from .vectors import are_fours, four, one

TILES = (  # and the share of multiply-adds among the instructions of a step
    (Tile(16, 16, 4, 8, 2, 2, 4, 8), 0.8),  # 128 x 128 outputs, 8 x 8 a thread
    (Tile(16, 16, 4, 8, 2, 1, 4, 8), 0.75),  # 128 x 64, 8 x 4
    (Tile(32, 8, 4, 8, 1, 1, 4, 8), 0.65),  # 128 x 32, 4 x 4
    (Tile(16, 16, 4, 8, 1, 1, 4, 16), 0.7),  # 64 x 64, 4 x 4
    (Tile(16, 16, 4, 8, 1, 1, 2, 32), 0.35),  # 32 x 32, 2 x 2
)
DEEPEST = max(made.depth for made, _ in TILES)
FROM = 1 << 14  # multiply-adds: below, one thread for each output is as fast
PROCESSORS = 132  # multiprocessors of a large GPU
SHORTEST = 64  # the least depth of a part
MOST_PARTS = 512
START = 1 << 16  # what it costs to start a block, in multiply-adds of a multiprocessor,
LAUNCH = 1 << 18  # what one more launch costs,
TRIP = 0.5  # and one partial sum on its way to memory and back


# ---- operands ---------------------------------------------------------------------


@functools.cache
def lines(along_depth, by_fours):
    """
    Return the operand that is a matrix: sizes (O, I) of O lines of I numbers.

    State: where a thread's numbers begin, how many follow in their line, and how many
    lines (itself one of them).
    """

    @part
    def begin(edge, k, sizes):
        o, i = (edge, k) if along_depth else (k, edge)
        return o * sizes[1] + i, np.int32(sizes[1] - i), np.int32(sizes[0] - o)

    @part
    def fetch(x, state, sizes):
        at, numbers, others = state
        zero = x.dtype.type(0)
        if by_fours:
            if numbers > 0 and others > 0:
                return four(x, at)
            return zero, zero, zero, zero
        if others <= 0:
            numbers = np.int32(0)
        return (
            one(x, at) if numbers > 0 else zero,
            one(x, at + 1) if numbers > 1 else zero,
            one(x, at + 2) if numbers > 2 else zero,
            one(x, at + 3) if numbers > 3 else zero,
        )

    @part
    def onward(state, depth, sizes):
        at, numbers, others = state
        if along_depth:
            return at + depth, np.int32(numbers - depth), others
        return at + depth * sizes[1], numbers, np.int32(others - depth)

    return Operand(along_depth, begin, fetch, onward)


# ---- launches ---------------------------------------------------------------------


def pays(y, K):
    """Return whether the fast form is faster for so many outputs of such a depth."""
    return y.size * K >= FROM


@functools.cache
def plan(M, N, K, itemsize):
    """Return the tile, and the parts of the depth, that promise to be fastest."""
    best = None
    for tile, efficiency in TILES:
        if tile.tall * tile.wide * itemsize > 16:
            continue  # the sums would not find room in registers
        tiles = -(-M // tile.height) * -(-N // tile.breadth)
        parts = 1
        while parts <= min(MOST_PARTS, max(1, K // SHORTEST)):
            turns = -(-tiles * parts // PROCESSORS)
            work = -(-K // parts) * tile.height * tile.breadth / efficiency
            cost = turns * (work + START)
            cost += LAUNCH + parts * M * N * TRIP if parts > 1 else 0
            if best is None or cost < best[0]:
                best = cost, tile, parts
            parts *= 2
    return best[1:]


@entry
def _add_parts(y, sums, b, N, parts, ending):
    i = cuda.grid(1)
    if i < y.size:
        total = sums[i]
        for z in range(1, parts):
            total += sums[z * y.size + i]
        if ending != SUM:
            total += b[i % N]
        y[i] = formula.relu(total) if ending == RELU else total


def multiply(y, A, B, b, ending, shape, left, right, a_sizes, b_sizes):
    """
    y[m, n] = sum_k A[m, k] B[k, n], with b[n] added or not, and relu or not

    all flat; shape: (M, N, K); `left` and `right` find the numbers of A and B
    """
    M, N, K = shape
    tile, parts = plan(M, N, K, y.dtype.itemsize)
    share = -(-K // (parts * tile.depth)) * tile.depth
    parts = -(-K // share)
    blocks = -(-M // tile.height), -(-N // tile.breadth), parts
    arguments = A, B, b, M, N, K, share, a_sizes, b_sizes
    if parts == 1:
        product = product_of(tile, left, right, ending, are_fours(y, N))
        product[blocks, tile.threads](y, *arguments)
    else:
        room = 1 << (parts * M * N - 1).bit_length()
        sums = scratch("product", (room,), y.dtype)
        product = product_of(tile, left, right, SUM, N % 4 == 0)
        product[blocks, tile.threads](sums, *arguments)
        _add_parts[grid(y.size)](y, sums, b, N, parts, ending)


def multiply_each(y, A, B, shape, left, right, a_sizes, b_sizes):
    """
    y[z, m, n] = sum_k A[m, z K + k] B[z K + k, n], where K is a multiple of DEEPEST

    all flat; shape: (Z, M, N, K)
    """
    Z, M, N, K = shape
    tile, _ = plan(Z * M, N, K, y.dtype.itemsize)
    blocks = -(-M // tile.height), -(-N // tile.breadth), Z
    product = product_of(tile, left, right, SUM, are_fours(y, N))
    product[blocks, tile.threads](y, A, B, B, M, N, Z * K, K, a_sizes, b_sizes)


def matrix(a, along_depth):
    """Return an array of two axes as an operand and its sizes."""
    return lines(along_depth, are_fours(a, a.shape[1])), a.shape


def product_forward(y, x, W, b, relu):
    """y[n, o] = b[o] + sum_i x[n, i] W[i, o], and relu or not"""
    (left, a_sizes), (right, b_sizes) = matrix(x, True), matrix(W, False)
    shape = (*y.shape, x.shape[1])
    ending = RELU if relu else SUM_AND_BIAS
    flat = (a.reshape(-1) for a in (y, x, W))
    multiply(*flat, b, ending, shape, left, right, a_sizes, b_sizes)


def product_backward_weights(dW, dz, x):
    """dW[i, o] = sum_n x[n, i] dz[n, o]"""
    (left, a_sizes), (right, b_sizes) = matrix(x, False), matrix(dz, False)
    shape = (*dW.shape, x.shape[0])
    flat = [a.reshape(-1) for a in (dW, x, dz)]
    multiply(*flat, flat[1], SUM, shape, left, right, a_sizes, b_sizes)


def product_backward_input(dx, dz, W):
    """dx[n, i] = sum_o dz[n, o] W[i, o]"""
    (left, a_sizes), (right, b_sizes) = matrix(dz, True), matrix(W, True)
    shape = (*dx.shape, dz.shape[1])
    flat = [a.reshape(-1) for a in (dx, dz, W)]
    multiply(*flat, flat[1], SUM, shape, left, right, a_sizes, b_sizes)
