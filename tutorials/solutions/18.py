"""Solutions of lesson 18, and mistakes that its checks should find."""

import numpy as np


def sum_in_pairs(x):
    while len(x) > 1:
        x = x[::2] + x[1::2]
    return x[0]


def wrong_sum_in_pairs(x):  # only one round
    return (x[::2] + x[1::2])[0] if len(x) > 1 else x[0]


def spacing(x):
    return np.nextafter(x, np.float32(np.inf)) - x


def wrong_spacing(x):  # right for numbers between 1 and 2 only
    return np.float32(2.0**-23)


def agree(y, twin, exact_bound):
    both = np.isnan(y) & np.isnan(twin)
    return bool((both | (np.abs(y - twin) <= exact_bound)).all())


def wrong_agree(y, twin, exact_bound):  # NaN compares false, so nothing is found
    return not bool((np.abs(y - twin) > exact_bound).any())
