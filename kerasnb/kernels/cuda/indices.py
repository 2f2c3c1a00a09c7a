"""
Where a number lies: from its place in the memory to its index on every axis.

A thread that owns number i of an array without gaps asks here which one that is.
"""

from ..jit import inner


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
