"""
The accuracies: one number for each row of predictions, 1 for right and 0 for wrong.

Class numbers t (R,) may be whole numbers of any type; where several columns are largest
the first is meant. A loss serves as a metric too: see `plain/losses.py`, whose legend
holds here. Precision and recall count over batches.
"""

import numpy as np
from numba import prange

from ..jit import inner, kernel, like
from .losses import predictions


@inner
def largest_column(x, r):
    """Return the first c at which x[r, c] is largest."""
    best, top = 0, x[r, 0]
    for c in range(1, x.shape[1]):
        is_larger = x[r, c] > top
        best, top = (c, x[r, c]) if is_larger else (best, top)
    return best


@inner
def among_top_k(p, r, label, k):
    """Tell whether fewer than k columns of p[r] exceed p[r, label]."""
    if label < 0 or label >= p.shape[1]:
        return False
    ahead = 0
    for c in range(p.shape[1]):
        if not p[r, c] <= p[r, label]:  # a NaN is ahead of everything
            ahead += 1
    return ahead < k


@kernel(work=predictions)
def binary_accuracy(s, t, p):
    """
    s[r] = 1/C sum_c [t[r, c] == round(p[r, c])],    halves round to even: 0.5 to 0

    s (R,) out    t (R, C)    p (R, C)
    """
    R, C = p.shape
    for r in prange(R):
        right = 0
        for c in range(C):
            if t[r, c] == np.rint(p[r, c]):
                right += 1
        s[r] = like(s[r], right) / like(s[r], C)


@kernel(work=predictions)
def categorical_accuracy(s, t, p):
    """
    s[r] = [argmax_c t[r, c] == argmax_c p[r, c]]

    s (R,) out    t (R, C)    p (R, C)
    """
    for r in prange(p.shape[0]):
        s[r] = largest_column(t, r) == largest_column(p, r)


@kernel(work=predictions)
def sparse_categorical_accuracy(s, t, p):
    """
    s[r] = [t[r] == argmax_c p[r, c]]

    s (R,) out    t (R,) class numbers    p (R, C)
    """
    for r in prange(p.shape[0]):
        s[r] = t[r] == largest_column(p, r)


@kernel(work=predictions)
def top_k_categorical_accuracy(s, t, p, k):
    """
    s[r] = [argmax_c t[r, c] is among the k largest of p[r]],    with all that tie

    s (R,) out    t (R, C)    p (R, C)
    """
    for r in prange(p.shape[0]):
        s[r] = among_top_k(p, r, largest_column(t, r), k)


@kernel(work=predictions)
def sparse_top_k_categorical_accuracy(s, t, p, k):
    """
    s[r] = [t[r] is among the k largest of p[r]],    with all that tie

    s (R,) out    t (R,) class numbers    p (R, C)
    """
    for r in prange(p.shape[0]):
        s[r] = among_top_k(p, r, int(t[r]), k)


@kernel(parallel=False)
def count_right(value, counts, t, p, threshold, of_targets):
    """
    counts[0] += sum_i [t[i] > 1/2] [p[i] > threshold],
    counts[1] += sum_i [t[i] > 1/2]  if of_targets,  else  sum_i [p[i] > threshold],
    value = counts[0] / counts[1],    0 without any

    value (1,) float64 out    counts (2,) float64 in and out    t (N,)    p (N,)
    """
    right, counted = 0, 0
    for i in range(p.size):
        positive, chosen = t[i] > 0.5, p[i] > like(p[i], threshold)
        if positive and chosen:
            right += 1
        if positive if of_targets else chosen:
            counted += 1
    counts[0] += right
    counts[1] += counted
    value[0] = counts[0] / counts[1] if counts[1] > 0 else 0.0
