"""
Arrays of random numbers, permutations and dropout: the same words as everywhere.

One thread draws a block of four words, and owns the four numbers that are made of them.
`key` and `counter` are whole numbers from 0 to 2^63 - 1. Read next:
`formulas/random.py`.
"""

import numpy as np

from ..formulas.random import (
    FIRST,
    below,
    keep,
    normal_pair,
    random_words,
    unit,
    within_two,
)
from ..plain.random import GROUP, drop_rule
from .target import cuda, entry, grid, launcher, like, part


def fours(size):
    """Return the blocks and threads for a launch of one thread for four numbers."""
    return grid((size + 3) // 4)


# ---- numbers ----------------------------------------------------------------------


@entry
def _random_uniform(out, low, high, key, counter):
    n = cuda.grid(1)
    words = random_words(np.uint64(key), np.uint64(counter) + np.uint64(n), FIRST)
    for i in range(4 * n, min(4 * n + 4, out.size)):
        out[i] = low + (high - low) * unit(out[i], words[i % 4])


@launcher
def random_uniform(out, low, high, key, counter):
    """
    out[i] = low + (high - low) u[i],  0 <= u[i] < 1

    out (...) out
    """
    _random_uniform[fours(out.size)](out.reshape(-1), low, high, key, counter)


@part
def put_normals(out, n, words, mean, stddev):
    """out[4 n + i] = mean + stddev z[i],  the four normals that the words make"""
    for i in range(4 * n, min(4 * n + 4, out.size), 2):
        even, odd = normal_pair(words[i % 4], words[i % 4 + 1])
        out[i] = mean + stddev * even
        if i + 1 < out.size:
            out[i + 1] = mean + stddev * odd


@entry
def _random_normal(out, mean, stddev, key, counter):
    n = cuda.grid(1)
    words = random_words(np.uint64(key), np.uint64(counter) + np.uint64(n), FIRST)
    put_normals(out, n, words, mean, stddev)


@launcher
def random_normal(out, mean, stddev, key, counter):
    """
    out[i] = mean + stddev z[i],  z normal with mean 0 and variance 1

    out (...) out
    """
    _random_normal[fours(out.size)](out.reshape(-1), mean, stddev, key, counter)


@entry
def _normal_noise(out, mean, stddev, state):
    n = cuda.grid(1)
    words = random_words(state[0], state[1] + np.uint64(n), FIRST)
    put_normals(out, n, words, mean, stddev)


@entry
def _move_on(state, blocks):
    state[1] += np.uint64(blocks)


@launcher
def normal_noise(out, mean, stddev, state):
    """
    out[i] = mean + stddev z[i],  as `random_normal`, for layers that draw at every step

    out (...) out    state (2,) in and out: key and counter, which moves on by N / 4
    """
    _normal_noise[fours(out.size)](out.reshape(-1), mean, stddev, state)
    _move_on[1, 1](state, (out.size + 3) // 4)  # once every thread has read it


@entry
def _random_truncated_normal(out, mean, stddev, key, counter):
    n = cuda.grid(1)
    key, block = np.uint64(key), np.uint64(counter) + np.uint64(n)
    words = random_words(key, block, FIRST)
    for i in range(4 * n, min(4 * n + 4, out.size), 2):
        even, odd = normal_pair(words[i % 4], words[i % 4 + 1])
        out[i] = mean + stddev * within_two(even, key, block, i % 4)
        if i + 1 < out.size:
            out[i + 1] = mean + stddev * within_two(odd, key, block, i % 4 + 1)


@launcher
def random_truncated_normal(out, mean, stddev, key, counter):
    """
    out[i] = mean + stddev z[i],  z normal, drawn again until |z| <= 2

    out (...) out
    """
    flat = out.reshape(-1)
    _random_truncated_normal[fours(out.size)](flat, mean, stddev, key, counter)


@entry
def _random_permutation(index, key, counter):
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


@launcher
def random_permutation(index, key, counter):
    """
    index = 0 .. N - 1 in random order, each order as likely (Fisher and Yates)

    index (N,) out, N <= 2^32
    """
    _random_permutation[1, 1](index, key, counter)  # each swap needs those before


# ---- dropout ----------------------------------------------------------------------


@part
def half_of(words, i):
    """Return half i of the four words of a block, the low half of each first."""
    return np.uint16((words[i // 2] >> np.uint32(16 * (i % 2))) & np.uint32(0xFFFF))


@part
def place_of_half(n, i):
    """Return where half i of block n goes: GROUP blocks lie word beside word."""
    g, j = n // GROUP, n % GROUP
    return 8 * GROUP * g + 2 * (GROUP * (i // 2) + j) + i % 2


@entry
def _dropout_words(words, state):
    n = cuda.grid(1)
    if n < words.size // 8:
        drawn = random_words(state[0], state[1] + np.uint64(n), FIRST)
        for i in range(8):
            words[place_of_half(n, i)] = half_of(drawn, i)


@launcher
def dropout_words(words, state):
    """
    words[i] = half a random word, which decides whether element i is kept

    words (N,) out, N a multiple of 8 GROUP
    state (2,) in and out: key and counter, which moves on by N / 8
    """
    _dropout_words[grid(words.size // 8)](words, state)
    _move_on[1, 1](state, words.size // 8)


@entry
def _dropout_forward(y, words, x, limit, scale, state):
    n = cuda.grid(1)
    if n < words.size // 8:
        drawn = random_words(state[0], state[1] + np.uint64(n), FIRST)
        for i in range(8):
            word, place = half_of(drawn, i), place_of_half(n, i)
            words[place] = word
            if place < x.size:
                y[place] = x[place] * keep(x[place], word, limit, scale)


@launcher
def dropout_forward(y, words, x, rate, state):
    """
    y[i] = x[i] / (1 - rate) with probability 1 - rate, else 0

    y (...) out    words (N,) out: what decided    x (...)    N: the size of x, or more
    state (2,) in and out: key and counter, which moves on by N / 8
    """
    flat = y.reshape(-1), words, x.reshape(-1)
    _dropout_forward[grid(words.size // 8)](*flat, *drop_rule(rate), state)
    _move_on[1, 1](state, words.size // 8)


@entry
def _dropout_apply(y, x, words, limit, scale):
    i = cuda.grid(1)
    if i < y.size:
        y[i] = x[i] * keep(x[i], words[i], limit, scale)


@launcher
def dropout_apply(y, x, words, rate):
    """
    y[i] = x[i] / (1 - rate) where the word kept it, else 0: also the gradient

    y (...) out    x (...)    words (N,)
    """
    flat = y.reshape(-1), x.reshape(-1)
    _dropout_apply[grid(y.size)](*flat, words, *drop_rule(rate))


@entry
def _dropout_replace(y, x, words, limit, factor, offset, dropped):
    i = cuda.grid(1)
    if i < y.size:
        kept = words[i] >= limit
        slope = like(x[i], factor) if kept else like(x[i], 0.0)
        y[i] = slope * x[i] + (like(x[i], offset) if kept else like(x[i], dropped))


@launcher
def dropout_replace(y, x, words, rate, factor, offset, dropped):
    """
    y[i] = factor x[i] + offset where the word kept it, else dropped: also the gradient

    y (...) out    x (...)    words (N,)
    """
    flat = y.reshape(-1), x.reshape(-1)
    limit, _ = drop_rule(rate)
    _dropout_replace[grid(y.size)](*flat, words, limit, factor, offset, dropped)
