"""Solutions of lesson 19, and mistakes that its checks should find."""

import numpy as np


def tanh(a):
    y = np.tanh(a.value)
    return type(a)(y, (a, 1 - y**2))


def wrong_tanh(a):  # the slope of the value, which has become y
    y = np.tanh(a.value)
    return type(a)(y, (a, 1 - np.tanh(y) ** 2))


def dear_if_low(t, p):
    return np.where(p < t, 4, 1) * (p - t) ** 2


def wrong_dear_if_low(t, p):  # the other way round
    return np.where(p > t, 4, 1) * (p - t) ** 2


def log_cosh_slope(t, p):
    return np.tanh(p - t)


def wrong_log_cosh_slope(t, p):  # the derivative by t
    return np.tanh(t - p)
