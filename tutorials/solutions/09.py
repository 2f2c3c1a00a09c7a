"""Solutions of lesson 09, and mistakes that its checks should find."""

import numpy as np


def output_size(size, window, stride):
    return (size - window) // stride + 1


def wrong_output_size(size, window, stride):  # the last place is forgotten
    return (size - window) // stride


def max_pool(z):
    R, C = z.shape
    return z.reshape(R // 2, 2, C // 2, 2).max(axis=(1, 3))


def wrong_max_pool(z):  # the windows overlap
    R, C = z.shape
    return np.array(
        [[z[r : r + 2, c : c + 2].max() for c in range(C - 1)] for r in range(R - 1)]
    )


def weights_of(window, channels, filters):
    return (window * window * channels + 1) * filters


def wrong_weights_of(window, channels, filters):  # as if there were one channel
    return (window * window + 1) * filters
