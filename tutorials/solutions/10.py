"""Solutions of lesson 10, and mistakes that its checks should find."""

import numpy as np


def he_limit(I):
    return np.sqrt(6 / I)


def wrong_he_limit(I):  # the deviation, not the limit
    return np.sqrt(2 / I)


def fold(W, b, mean, deviation):
    return W / deviation, (b - mean) / deviation


def wrong_fold(W, b, mean, deviation):  # the bias is not divided
    return W / deviation, b - mean


def dead_units(a):
    return np.sum(np.all(a == 0, axis=0))


def wrong_dead_units(a):  # counts zeros
    return np.sum(a == 0)
