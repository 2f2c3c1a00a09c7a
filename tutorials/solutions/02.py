"""Solutions of lesson 02, and mistakes that its checks should find."""

import numpy as np


def sigmoid_backward(y, dy):
    return y * (1 - y) * dy


def wrong_sigmoid_backward(y, dy):  # forgot what comes from behind
    return y * (1 - y)


def two_slopes(w, v, x, t):
    a = np.tanh(w * x)
    y = np.tanh(v * a)
    dz = (1 - y**2) * 2 * (y - t)
    return (1 - a**2) * v * dz * x, a * dz


def wrong_two_slopes(w, v, x, t):  # forgot the slope of the inner tanh
    a = np.tanh(w * x)
    y = np.tanh(v * a)
    dz = (1 - y**2) * 2 * (y - t)
    return v * dz * x, a * dz


def measured_gradient(f, x, h=1e-5):
    gradient = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[index] = h
        gradient[index] = (f(x + step) - f(x - step)) / (2 * h)
    return gradient


def wrong_measured_gradient(f, x, h=1e-5):  # moved all numbers at once
    return np.full_like(x, (f(x + h) - f(x - h)) / (2 * h))
