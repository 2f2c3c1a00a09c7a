"""
Philox4x32-10: four random words from a counter and a key, by arithmetic alone.

There is no hidden state: word k of block n is a function of the key, n and k, so every
machine, thread and device draws the same numbers, in any order (Salmon, Moraes, Dror
and Shaw, "Parallel random numbers: as easy as 1, 2, 3", 2011). Read next:
`plain/random.py`, which fills arrays with them.
"""

import math

import numba
import numpy as np

from ..jit import OPTIONS, inner, like

# A loop around a function becomes SIMD only where the function dissolves in it.
dissolved = numba.njit(forceinline=True, fastmath={"contract"}, **OPTIONS)

u32, u64 = np.uint32, np.uint64

FACTOR_0, FACTOR_1 = u64(0xD2511F53), u64(0xCD9E8D57)
STEP_0, STEP_1 = u64(0x9E3779B9), u64(0xBB67AE85)
LOW, HALF = u64(0xFFFFFFFF), u64(32)  # the mask of a low word, the shift to a high one
FIRST = u32(0)  # the attempt that decides, except where a number must be drawn again


@dissolved
def mixed(c0, c1, c2, c3, k0, k1):
    """
    Ten rounds: two products, whose halves are swapped and mixed with the key

    All in 64 bits, of which only the low 32 count: what becomes SIMD multiplies so.
    """
    for _ in range(10):
        a = (c0 & LOW) * FACTOR_0
        b = (c2 & LOW) * FACTOR_1
        c0 = (b >> HALF) ^ c1 ^ k0
        c1 = b
        c2 = (a >> HALF) ^ c3 ^ k1
        c3 = a
        k0 = (k0 + STEP_0) & LOW
        k1 = (k1 + STEP_1) & LOW
    return c0, c1, c2, c3


@dissolved
def philox(c0, c1, c2, c3, k0, k1):
    """Return the four words for a counter of four and a key of two, 32 bits each."""
    a, b, c, d = mixed(u64(c0), u64(c1), u64(c2), u64(c3), u64(k0), u64(k1))
    return u32(a & LOW), u32(b & LOW), u32(c & LOW), u32(d & LOW)


@dissolved
def random_words(key, block, attempt):
    """Return the four words of a block: key and block 64 bits, attempt 32."""
    return philox(block & LOW, block >> HALF, attempt, 0, key & LOW, key >> HALF)


@inner
def unit(x, word):
    """word / 2^32 in [0, 1), in steps of 2^-24, which x's type holds exactly"""
    return like(x, word >> u32(8)) * like(x, 2.0**-24)


@inner
def normal_pair(a, b):
    """sqrt(-2 log u) (cos 2 pi v, sin 2 pi v), u = (a + 1) / 2^32, v = b / 2^32"""
    u = (float(a) + 1.0) * 2.0**-32
    angle = 2.0 * math.pi * 2.0**-32 * float(b)
    radius = math.sqrt(-2.0 * math.log(u))
    return radius * math.cos(angle), radius * math.sin(angle)


@inner
def within_two(z, key, block, lane):
    """z, or the first of its later attempts with |z| <= 2"""
    attempt = FIRST
    while abs(z) > 2.0:
        attempt = u32(attempt + u32(1))
        a, b, c, d = random_words(key, block, attempt)
        even, odd = normal_pair(a, b) if lane < 2 else normal_pair(c, d)
        z = even if lane % 2 == 0 else odd
    return z


@inner
def below(bound, word, key, block, lane):
    """A whole number 0 .. bound - 1, each as likely: Lemire's multiplication (2019)"""
    size = u64(bound)
    product = u64(word) * size
    if product & LOW < size:
        uneven = (LOW - size + u64(1)) % size  # 2^32 mod bound: what must be redrawn
        attempt = FIRST
        while product & LOW < uneven:
            attempt = u32(attempt + u32(1))
            product = u64(random_words(key, block, attempt)[lane]) * size
    return product >> HALF


@inner
def keep(x, word, limit, scale):
    """1 / (1 - rate) with probability 1 - rate, else 0; limit = rate 2^16"""
    return like(x, scale) if word >= limit else like(x, 0.0)
