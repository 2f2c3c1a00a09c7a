"""Solutions of lesson 21, and mistakes that its checks should find."""

import numpy as np


def join_gru(arrays):
    return [np.concatenate(arrays[kind::3], axis=-1) for kind in range(3)]


def wrong_join_gru(arrays):  # three gates, but W, U and b of one lie together
    return [np.concatenate(arrays[3 * k : 3 * k + 2]) for k in range(3)]


def turn_round(W):
    return W[::-1, ::-1]


def wrong_turn_round(W):  # channels and filters are turned too
    return W[::-1, ::-1, ::-1, ::-1]


def from_torch(W):
    return W.transpose(2, 3, 1, 0)


def wrong_from_torch(W):  # rows and columns change places
    return W.T
