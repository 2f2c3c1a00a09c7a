"""Solutions of lesson 07, and mistakes that its checks should find."""

import numpy as np


def nesterov(p, v, g, rate, mu):
    v = mu * v - rate * g
    return p + mu * v - rate * g, v


def wrong_nesterov(p, v, g, rate, mu):  # momentum without looking ahead
    v = mu * v - rate * g
    return p + v, v


def adagrad(slopes, rate):
    sums = np.cumsum(np.square(slopes))
    return np.sum(rate * slopes / np.sqrt(sums))


def wrong_adagrad(slopes, rate):  # all slopes divided by the last sum
    return np.sum(rate * slopes / np.sqrt(np.sum(np.square(slopes))))


def mean_so_far(values, keep):
    m = 0.0
    for value in values:
        m = keep * m + (1 - keep) * value
    return m / (1 - keep ** len(values))


def wrong_mean_so_far(values, keep):  # not corrected
    m = 0.0
    for value in values:
        m = keep * m + (1 - keep) * value
    return m
