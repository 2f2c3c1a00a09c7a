"""Solutions of lesson 01, and mistakes that its checks should find."""

import numpy as np


def slope_at(w, x, t):
    return 2 * np.mean((w * x - t) * x)


def wrong_slope_at(w, x, t):  # the sum in place of the mean
    return 2 * np.sum((w * x - t) * x)


def best_line(x, t):
    w = np.mean((x - x.mean()) * (t - t.mean())) / np.mean((x - x.mean()) ** 2)
    return w, t.mean() - w * x.mean()


def wrong_best_line(x, t):  # as if the line went through the origin
    return np.mean(x * t) / np.mean(x**2), 0.0


def largest_rate(x):
    return 1 / np.mean(x**2)


def wrong_largest_rate(x):  # the rate that arrives in one step
    return 1 / (2 * np.mean(x**2))
