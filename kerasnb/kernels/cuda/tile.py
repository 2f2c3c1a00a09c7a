"""
The tile behind the fast products: y[m, n] = sum_k A[m, k] B[k, n], block by block.

A block of threads owns a tile of y. Step by step along the depth k it brings a slice
of A and one of B into memory that its threads share, four numbers a thread, and each
thread adds the products for its own outputs, whose sums never leave its registers.
There are two pairs of slices: while the threads work on one, the next is on its way.

How an operand lies in memory is told by an `Operand`, three functions that find its
numbers: `product.py` has those of matrices, `implicit.py` those of images below
windows.
"""

import functools
from typing import Callable, NamedTuple

from ..formulas import activations as formula
from .target import cuda, entry, part
from .vectors import four, one, put_four, put_one, two

PADDING = 4  # numbers between the lines of a slice, so that they start at other banks
SUM, SUM_AND_BIAS, RELU = range(3)  # what becomes of a sum: also its bias, its relu


class Tile(NamedTuple):
    """
    How a block of threads shares the work on a tile of outputs.

    `rows` x `columns` threads, where a patch of `patch_rows` x `patch_columns` are
    neighbours; each owns `tall` x `wide` squares of `width` x `width` outputs, and
    brings at most four numbers of each operand, in steps of `depth`.
    """

    rows: int
    columns: int
    patch_rows: int
    patch_columns: int
    tall: int
    wide: int
    width: int
    depth: int

    @property
    def threads(self):
        """Return how many threads a block has."""
        return self.rows * self.columns

    @property
    def height(self):
        """Return how many rows of outputs a block owns."""
        return self.rows * self.tall * self.width

    @property
    def breadth(self):
        """Return how many columns of outputs a block owns."""
        return self.columns * self.wide * self.width


class Operand(NamedTuple):
    """
    Functions that find four numbers of an operand, to be called by a thread.

    `along_depth`: the four lie along the depth, not along the edge of the tile.
    `begin(edge, k, sizes)`: the state of a thread whose numbers start there.
    `fetch(x, state, sizes)`: the four numbers of x, 0 beyond its edges.
    `onward(state, depth, sizes)`: the state, a step further along the depth.
    """

    along_depth: bool
    begin: Callable
    fetch: Callable
    onward: Callable


def slice_of(along_depth, edge, depth):
    """
    Return two functions of a thread: where its four numbers belong, and `put` them.

    Where a slice has room for fewer numbers than the threads could bring, the others
    look beyond its depth.
    """
    line = edge + PADDING
    bringers = edge * depth // 4

    @part
    def place(t, beyond):
        if t >= bringers:
            return 0, beyond
        if along_depth:
            return t // (depth // 4), t % (depth // 4) * 4
        return t % (edge // 4) * 4, t // (edge // 4)

    @part
    def put(slices, start, numbers):
        at, k = place(cuda.threadIdx.x, depth)
        if k < depth:
            at += start + k * line
            if along_depth:
                put_one(slices, at, numbers[0])
                put_one(slices, at + line, numbers[1])
                put_one(slices, at + 2 * line, numbers[2])
                put_one(slices, at + 3 * line, numbers[3])
            else:
                put_four(slices, at, numbers)

    return place, put


def first_of(tile):
    """Return the function that tells a thread its first row and column of the tile."""
    patch_rows, patch_columns, width = tile.patch_rows, tile.patch_columns, tile.width
    patch, patches = patch_rows * patch_columns, tile.columns // patch_columns

    @part
    def corner(t):
        row = t // patch // patches * patch_rows + t % patch // patch_columns
        column = t // patch % patches * patch_columns + t % patch_columns
        return row * width, column * width

    return corner


def outer_product(tile):
    """Return the function of a thread that adds a[i] b[j] to its sums, for one k."""
    tall, wide, width = tile.tall, tile.wide, tile.width
    a_side, b_side = tall * width, wide * width
    a_step, b_step = tile.rows * width, tile.columns * width
    a_line, b_line = tile.height + PADDING, tile.breadth + PADDING

    @part
    def read(numbers, slices, at, step, groups):
        for g in range(groups):
            i = g * width
            if width == 4:
                lanes = four(slices, at + g * step)
                numbers[i], numbers[i + 1] = lanes[0], lanes[1]
                numbers[i + 2], numbers[i + 3] = lanes[2], lanes[3]
            else:
                lanes = two(slices, at + g * step)
                numbers[i], numbers[i + 1] = lanes[0], lanes[1]

    @part
    def add(sums, a, b, slices, k, a_at, b_at):
        read(a, slices, a_at + k * a_line, a_step, tall)
        read(b, slices, b_at + k * b_line, b_step, wide)
        for i in range(a_side):
            for j in range(b_side):
                sums[i, j] += a[i] * b[j]

    return add


def finish(tile, ending, by_fours):
    """Return the function of a thread that writes its outputs."""
    wide, width, a_side = tile.wide, tile.width, tile.tall * tile.width
    a_step, b_step = tile.rows * width, tile.columns * width
    by_fours = by_fours and tile.tall * wide < 4 and width == 4  # else for registers

    @part
    def final(total, b, n):
        if ending != SUM:
            total += one(b, n)
        return formula.relu(total) if ending == RELU else total

    if by_fours:

        @part
        def write_line(y, start, sums, i, j, b, n, N):
            if n < N:
                numbers = (
                    final(sums[i, j], b, n),
                    final(sums[i, j + 1], b, n + 1),
                    final(sums[i, j + 2], b, n + 2),
                    final(sums[i, j + 3], b, n + 3),
                )
                put_four(y, start + n, numbers)

    else:

        @part
        def write_line(y, start, sums, i, j, b, n, N):
            for e in range(width):
                if n + e < N:
                    put_one(y, start + n + e, final(sums[i, j + e], b, n + e))

    @part
    def write(y, sums, b, m, n, M, N):
        for i in range(a_side):
            row = m + i // width * a_step + i % width
            if row < M:
                for g in range(wide):
                    write_line(y, row * N, sums, i, g * width, b, n + g * b_step, N)

    return write


@functools.cache
def product_of(tile, left, right, ending, by_fours):
    """
    Return the entry of y[m, n] = sum_k A[m, k] B[k, n], for a grid of such tiles.

    y (M N,) out    A, B flat    b (N,)    sizes: what `left` and `right` want to know.
    Block (m, n, z) takes the part of the depth from `z share` to `(z + 1) share`; with
    more than one part y is (parts M N,). `by_fours` says that y can be written so.
    """
    a_place, a_put = slice_of(left.along_depth, tile.height, tile.depth)
    b_place, b_put = slice_of(right.along_depth, tile.breadth, tile.depth)
    (_, a_begin, a_fetch, a_onward), (_, b_begin, b_fetch, b_onward) = left, right
    add, write = outer_product(tile), finish(tile, ending, by_fours)
    height, breadth, depth, corner = (
        tile.height,
        tile.breadth,
        tile.depth,
        first_of(tile),
    )
    a_side, b_side = tile.tall * tile.width, tile.wide * tile.width
    b_start = depth * (height + PADDING)
    pair = b_start + depth * (breadth + PADDING)
    shared = 2 * pair

    @entry
    def product(y, A, B, b, M, N, K, share, a_sizes, b_sizes):
        slices = cuda.shared.array(shared, A.dtype)
        sums = cuda.local.array((a_side, b_side), A.dtype)
        a_k = cuda.local.array(a_side, A.dtype)
        b_k = cuda.local.array(b_side, A.dtype)
        for i in range(a_side):
            for j in range(b_side):
                sums[i, j] = 0
        t = cuda.threadIdx.x
        m, n = corner(t)
        m0, n0, z = cuda.blockIdx.x * height, cuda.blockIdx.y * breadth, cuda.blockIdx.z
        k0, k1 = z * share, (z + 1) * share
        k1 = k1 if k1 < K else K

        at, k = a_place(t, K)
        a_state = a_begin(m0 + at, k0 + k, a_sizes)
        at, k = b_place(t, K)
        b_state = b_begin(n0 + at, k0 + k, b_sizes)
        a_put(slices, 0, a_fetch(A, a_state, a_sizes))
        b_put(slices, b_start, b_fetch(B, b_state, b_sizes))
        cuda.syncthreads()
        now = 0
        for _ in range(k0, k1, depth):
            a_state = a_onward(a_state, depth, a_sizes)
            b_state = b_onward(b_state, depth, b_sizes)
            a_next = a_fetch(A, a_state, a_sizes)  # on its way, while the sums go on
            b_next = b_fetch(B, b_state, b_sizes)
            a_at, b_at = now + m, now + b_start + n
            for k in range(0, depth, 4):  # the compiler unrolls this loop no further
                add(sums, a_k, b_k, slices, k, a_at, b_at)
                add(sums, a_k, b_k, slices, k + 1, a_at, b_at)
                add(sums, a_k, b_k, slices, k + 2, a_at, b_at)
                add(sums, a_k, b_k, slices, k + 3, a_at, b_at)
            now = pair - now
            a_put(slices, now, a_next)
            b_put(slices, now + b_start, b_next)
            cuda.syncthreads()
        write(y, sums, b, z * M + m0 + m, n0 + n, (z + 1) * M, N)

    return product
