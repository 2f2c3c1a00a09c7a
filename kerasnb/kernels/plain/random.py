"""
Arrays of random numbers, permutations and dropout.

Element i of every array is made from word i % 4 of block `counter + i // 4`, so any
piece can be drawn alone and the pieces may be drawn in any order by any thread. `key`
and `counter` are whole numbers from 0 to 2^63 - 1.

Dropout decides by half a word, 16 bits, for each element: its words (N,) are uint16.
They come from GROUP blocks at a time, word 0 of each block, then word 1 of each and so
on, each word's low half first: so the blocks are drawn side by side, in SIMD. Hence N
is a multiple of 8 GROUP. The probability of being dropped is the rate, rounded to
2^-16; the factor of what is kept is exact. Read next: `formulas/random.py`.
"""

import numpy as np
from numba import prange

from ..formulas.random import (
    FIRST,
    below,
    dissolved,
    keep,
    normal_pair,
    random_words,
    unit,
    within_two,
)
from ..jit import inner, kernel, like

BLOCKS = 1024  # blocks of four words that are drawn at a time
CHUNK = 4 * BLOCKS
GROUP = 16  # blocks whose words lie side by side, where halves of words decide
HALVES = 8 * BLOCKS


def costly(y, *rest):
    """A random half word costs as much as two plain elements."""
    return 2 * y.size


@dissolved
def draw_words(words, key, block):
    """words[4 n + k] = word k of block n"""
    for n in range(words.size // 4):
        a, b, c, d = random_words(key, block + np.uint64(n), FIRST)
        words[4 * n] = a
        words[4 * n + 1] = b
        words[4 * n + 2] = c
        words[4 * n + 3] = d


@inner
def words_for(y, key, counter, start):
    """Return a word for each element of y = out[start:], up to three more last."""
    words = np.empty((y.size + 3) // 4 * 4, np.uint32)
    draw_words(words, np.uint64(key), np.uint64(counter) + np.uint64(start // 4))
    return words


@dissolved
def draw_halves(words, key, block):
    """words[8 GROUP g + 2 (GROUP k + j) + h] = half h of word k of block GROUP g + j"""
    whole = words.view(np.uint32)
    for g in range(whole.size // (4 * GROUP)):
        for j in range(GROUP):
            a, b, c, d = random_words(key, block + np.uint64(g * GROUP + j), FIRST)
            at = 4 * GROUP * g + j
            whole[at] = a
            whole[at + GROUP] = b
            whole[at + 2 * GROUP] = c
            whole[at + 3 * GROUP] = d


@inner
def drop_rule(rate):
    """Return the smallest word that is kept, and the factor of kept elements."""
    limit = np.uint32(rate * 2.0**16 + 0.5)
    return limit, 1.0 / (1.0 - rate) if rate < 1.0 else 0.0


# ---- numbers ----------------------------------------------------------------------


@kernel(parallel=False)
def random_uniform(out, low, high, key, counter):
    """
    out[i] = low + (high - low) u[i],  0 <= u[i] < 1

    out (...) out
    """
    out = out.reshape(-1)
    key = np.uint64(key)
    for n in range((out.size + 3) // 4):
        words = random_words(key, np.uint64(counter) + np.uint64(n), FIRST)
        for i in range(4 * n, min(4 * n + 4, out.size)):
            out[i] = low + (high - low) * unit(out[i], words[i % 4])


@inner
def fill_normal(y, mean, stddev, key, counter, start):
    """y[i] = mean + stddev z[start + i]"""
    words = words_for(y, key, counter, start)
    for i in range(0, y.size, 2):
        even, odd = normal_pair(words[i], words[i + 1])
        y[i] = mean + stddev * even
        if i + 1 < y.size:
            y[i + 1] = mean + stddev * odd


@kernel
def random_normal(out, mean, stddev, key, counter):
    """
    out[i] = mean + stddev z[i],  z normal with mean 0 and variance 1

    out (...) out
    """
    out = out.ravel()
    for n in prange((out.size + CHUNK - 1) // CHUNK):
        start = n * CHUNK
        y = out[start : start + CHUNK]
        fill_normal(y, mean, stddev, key, counter, start)


@kernel
def normal_noise(out, mean, stddev, state):
    """
    out[i] = mean + stddev z[i],  as `random_normal`, for layers that draw at every step

    out (...) out    state (2,) in and out: key and counter, which moves on by N / 4
    """
    out = out.reshape(-1)
    key, counter = state[0], state[1]
    for n in prange((out.size + CHUNK - 1) // CHUNK):
        start = n * CHUNK
        y = out[start : start + CHUNK]
        fill_normal(y, mean, stddev, key, counter, start)
    state[1] = counter + np.uint64((out.size + 3) // 4)


@kernel(parallel=False)
def random_truncated_normal(out, mean, stddev, key, counter):
    """
    out[i] = mean + stddev z[i],  z normal, drawn again until |z| <= 2

    out (...) out
    """
    out = out.ravel()
    key = np.uint64(key)
    for start in range(0, out.size, CHUNK):
        y = out[start : start + CHUNK]
        words = words_for(y, key, counter, start)
        for i in range(0, y.size, 2):
            block = np.uint64(counter) + np.uint64((start + i) // 4)
            even, odd = normal_pair(words[i], words[i + 1])
            y[i] = mean + stddev * within_two(even, key, block, i % 4)
            if i + 1 < y.size:
                y[i + 1] = mean + stddev * within_two(odd, key, block, i % 4 + 1)


@kernel(parallel=False)
def random_permutation(index, key, counter):
    """
    index = 0 .. N - 1 in random order, each order as likely (Fisher and Yates)

    index (N,) out, N <= 2^32
    """
    key = np.uint64(key)
    for i in range(index.size):
        index[i] = i
    for n in range((index.size - 1) // 4, -1, -1):
        block = np.uint64(counter) + np.uint64(n)
        words = random_words(key, block, FIRST)
        for lane in range(3, -1, -1):
            i = 4 * n + lane
            if i < index.size:
                j = below(i + 1, words[lane], key, block, lane)
                index[i], index[j] = index[j], index[i]


# ---- dropout ----------------------------------------------------------------------


@kernel(work=costly)
def dropout_words(words, state):
    """
    words[i] = half a random word, which decides whether element i is kept

    words (N,) out, N a multiple of 8 GROUP
    state (2,) in and out: key and counter, which moves on by N / 8
    """
    key, counter = state[0], state[1]
    for n in prange((words.size + HALVES - 1) // HALVES):
        block = counter + np.uint64(n * BLOCKS)
        draw_halves(words[n * HALVES : (n + 1) * HALVES], key, block)
    state[1] = counter + np.uint64(words.size // 8)


@kernel(work=costly)
def dropout_forward(y, words, x, rate, state):
    """
    y[i] = x[i] / (1 - rate) with probability 1 - rate, else 0

    y (...) out    words (N,) out: what decided    x (...)    N: the size of x, or more
    state (2,) in and out: key and counter, which moves on by N / 8
    """
    y, x = y.reshape(-1), x.reshape(-1)
    limit, scale = drop_rule(rate)
    key, counter = state[0], state[1]
    for n in prange((words.size + HALVES - 1) // HALVES):
        start = n * HALVES
        drawn = words[start : start + HALVES]
        draw_halves(drawn, key, counter + np.uint64(n * BLOCKS))
        values = x[start : start + HALVES]
        fill = y[start : start + HALVES]
        for i in range(fill.size):
            fill[i] = values[i] * keep(values[i], drawn[i], limit, scale)
    state[1] = counter + np.uint64(words.size // 8)


@kernel
def dropout_apply(y, x, words, rate):
    """
    y[i] = x[i] / (1 - rate) where the word kept it, else 0: also the gradient

    y (...) out    x (...)    words (N,)
    """
    y, x = y.reshape(-1), x.reshape(-1)
    limit, scale = drop_rule(rate)
    for i in prange(y.size):
        y[i] = x[i] * keep(x[i], words[i], limit, scale)


@kernel
def dropout_replace(y, x, words, rate, factor, offset, dropped):
    """
    y[i] = factor x[i] + offset where the word kept it, else dropped: also the gradient

    y (...) out    x (...)    words (N,)
    """
    y, x = y.reshape(-1), x.reshape(-1)
    limit, _ = drop_rule(rate)
    for i in prange(y.size):
        kept = words[i] >= limit
        slope = like(x[i], factor) if kept else like(x[i], 0.0)
        y[i] = slope * x[i] + (like(x[i], offset) if kept else like(x[i], dropped))
