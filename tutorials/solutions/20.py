"""Solutions of lesson 20, and mistakes that its checks should find."""

import numpy as np


def rms(x):
    return np.sqrt(np.mean(x**2))


def wrong_rms(x):  # the sum in place of the mean
    return np.sqrt(np.sum(x**2))


def mean_norm_backward(dy):
    return dy - dy.mean(axis=1, keepdims=True)


def wrong_mean_norm_backward(dy):  # the mean taken for a constant
    return 1.0 * dy


def breaks_the_law(f, x):
    for row in x:
        if not np.allclose(f(-row), -f(row)):
            return row
    return None


def wrong_breaks_the_law(f, x):  # compares with f itself, so that all rows break it
    return next(row for row in x if not np.allclose(f(-row), f(row)))
