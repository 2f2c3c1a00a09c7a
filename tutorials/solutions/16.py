"""Solutions of lesson 16, and mistakes that its checks should find."""

import numpy as np


def breakpoint_command(path, number, condition):
    return f"b {path}:{number}, {condition}"


def wrong_breakpoint_command(path, number, condition):  # stops every time
    return f"b {path}:{number}"


def first_bad_layer(outputs):
    for number, array in enumerate(outputs):
        if np.isnan(array).any():
            return number
    return None


def wrong_first_bad_layer(outputs):  # nothing is equal to NaN
    return next((k for k, array in enumerate(outputs) if (array == np.nan).any()), -1)


def hidden(x):
    return 0.0 if x <= 0 else x


def wrong_hidden(x):
    return x if x > 0 else 0.0
