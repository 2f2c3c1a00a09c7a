"""Solutions of lesson 11, and mistakes that its checks should find."""

import numpy as np


def simple_rnn(x, W, U, b):
    h, states = np.zeros((len(x), len(U))), []
    for t in range(x.shape[1]):
        h = np.tanh(x[:, t] @ W + h @ U + b)
        states.append(h)
    return np.stack(states, axis=1)


def wrong_simple_rnn(x, W, U, b):  # forgets what it has read
    return np.tanh(x @ W + b)


def mask_of(x):
    return np.any(x != 0, axis=-1)


def wrong_mask_of(x):  # a step may have a zero among its numbers
    return np.all(x != 0, axis=-1)


def second_half(lengths, T):
    step = np.arange(T)
    later = step >= lengths[:, None] // 2
    return np.where(later & (step < lengths[:, None]), 1, 0)


def wrong_second_half(lengths, T):  # counts the filling
    return np.where(np.arange(T) >= lengths[:, None] // 2, 1, 0)
