"""
Where a number lies: from its place in the memory to its index on every axis.

A thread that owns number i of an array without gaps asks here which one that is. To
divide takes long: where blocks share the lines of images, the numbers of a row, most of
a place is the same for all threads of a block.
"""

from ..jit import inner
from . import target
from .target import cuda, part

EACH = 8  # numbers of a line, for each thread


def lines(images):
    """Return blocks and threads for images (N, I, J, L, K) whose lines blocks share."""
    length = images.shape[3] * images.shape[4]
    shares = -(-length // (target.THREADS * EACH))
    return (images.size // length, shares), target.THREADS


@part
def share_of_line(length):
    """Return the first number of its line that a thread owns, and the end of them."""
    start, size = cuda.blockIdx.y * cuda.blockDim.x * EACH, cuda.blockDim.x * EACH
    return start + cuda.threadIdx.x, min(start + size, length)


@inner
def indices_3(i, sizes):
    """Return the indices of number i of an array of these three sizes."""
    i, c = divmod(i, sizes[2])
    a, b = divmod(i, sizes[1])
    return a, b, c


@inner
def indices_4(i, sizes):
    """Return the indices of number i of an array of these four sizes."""
    i, d = divmod(i, sizes[3])
    i, c = divmod(i, sizes[2])
    a, b = divmod(i, sizes[1])
    return a, b, c, d


@inner
def indices_5(i, sizes):
    """Return the indices of number i of an array of these five sizes."""
    i, e = divmod(i, sizes[4])
    i, d = divmod(i, sizes[3])
    i, c = divmod(i, sizes[2])
    a, b = divmod(i, sizes[1])
    return a, b, c, d, e
