"""Solutions of lesson 12, and mistakes that its checks should find."""

import numpy as np


def tempered(p, T):
    q = p ** (1 / T)
    return q / q.sum()


def wrong_tempered(p, T):  # cold and hot are the wrong way round
    q = p**T
    return q / q.sum()


def perplexity(p):
    return np.exp(-np.mean(np.log(p)))


def wrong_perplexity(p):  # the mean of p in place of the mean loss
    return 1 / np.mean(p)


def windows(numbers, length):
    rows = np.arange(len(numbers) - length)[:, None] + np.arange(length)
    return numbers[rows], numbers[rows + 1]


def wrong_windows(numbers, length):  # the last window is forgotten
    rows = np.arange(len(numbers) - length - 1)[:, None] + np.arange(length)
    return numbers[rows], numbers[rows + 1]
