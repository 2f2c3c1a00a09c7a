"""
The accuracies: one number for each row of predictions, 1 for right and 0 for wrong.

A block of threads owns a row. Class numbers t (R,) may be whole numbers of any type;
where several columns are largest the first is meant. The legend is that of `losses.py`.
"""

import math

import numpy as np

from .reductions import (
    ROOM,
    largest_over_block,
    scratch,
    share_of_block,
    sum_over_block,
    sum_whole,
)
from .target import cuda, entry, launcher, like, part, rows

WHOLE = 2.0**53  # from here on every number is whole


@part
def largest_column(x, r, room, places):
    """Return the first c at which x[r, c] is largest; a NaN is so only at c = 0."""
    first, step, C = cuda.threadIdx.x, cuda.blockDim.x, x.shape[1]
    top = like(x[r, 0], -math.inf)
    for c in range(first, C, step):
        top = x[r, c] if x[r, c] > top else top
    top = largest_over_block(top, room)
    mine = C
    for c in range(first, C, step):
        if x[r, c] == top and c < mine:
            mine = c
    place = -largest_over_block(-mine, places)
    return place if x[r, 0] == x[r, 0] else 0


@part
def among_top_k(p, r, label, k, places):
    """Tell whether fewer than k columns of p[r] exceed p[r, label], a column."""
    ahead = 0
    for c in range(cuda.threadIdx.x, p.shape[1], cuda.blockDim.x):
        if not p[r, c] <= p[r, label]:  # a NaN is ahead of everything
            ahead += 1
    return sum_over_block(ahead, places) < k


@entry
def _binary_accuracy(s, t, p):
    r = cuda.blockIdx.x
    places = cuda.shared.array(ROOM, np.int32)
    right = 0
    for c in range(cuda.threadIdx.x, p.shape[1], cuda.blockDim.x):
        q = p[r, c]
        if abs(q) < like(q, WHOLE):
            q = like(q, round(q))
        if t[r, c] == q:
            right += 1
    right = sum_over_block(right, places)
    if cuda.threadIdx.x == 0:
        s[r] = like(s[r], right) / like(s[r], p.shape[1])


@launcher
def binary_accuracy(s, t, p):
    """
    s[r] = 1/C sum_c [t[r, c] == round(p[r, c])],    halves round to even: 0.5 to 0

    s (R,) out    t (R, C)    p (R, C)
    """
    _binary_accuracy[rows(*p.shape)](s, t, p)


@entry
def _categorical_accuracy(s, t, p):
    r = cuda.blockIdx.x
    room = cuda.shared.array(ROOM, p.dtype)
    places = cuda.shared.array(ROOM, np.int32)
    label = largest_column(t, r, room, places)
    found = largest_column(p, r, room, places)
    if cuda.threadIdx.x == 0:
        s[r] = label == found


@launcher
def categorical_accuracy(s, t, p):
    """
    s[r] = [argmax_c t[r, c] == argmax_c p[r, c]]

    s (R,) out    t (R, C)    p (R, C)
    """
    _categorical_accuracy[rows(*p.shape)](s, t, p)


@entry
def _sparse_categorical_accuracy(s, t, p):
    r = cuda.blockIdx.x
    room = cuda.shared.array(ROOM, p.dtype)
    places = cuda.shared.array(ROOM, np.int32)
    found = largest_column(p, r, room, places)
    if cuda.threadIdx.x == 0:
        s[r] = t[r] == found


@launcher
def sparse_categorical_accuracy(s, t, p):
    """
    s[r] = [t[r] == argmax_c p[r, c]]

    s (R,) out    t (R,) class numbers    p (R, C)
    """
    _sparse_categorical_accuracy[rows(*p.shape)](s, t, p)


@entry
def _top_k_categorical_accuracy(s, t, p, k):
    r = cuda.blockIdx.x
    room = cuda.shared.array(ROOM, p.dtype)
    places = cuda.shared.array(ROOM, np.int32)
    right = among_top_k(p, r, largest_column(t, r, room, places), k, places)
    if cuda.threadIdx.x == 0:
        s[r] = right


@launcher
def top_k_categorical_accuracy(s, t, p, k):
    """
    s[r] = [argmax_c t[r, c] is among the k largest of p[r]],    with all that tie

    s (R,) out    t (R, C)    p (R, C)
    """
    _top_k_categorical_accuracy[rows(*p.shape)](s, t, p, k)


@entry
def _sparse_top_k_categorical_accuracy(s, t, p, k):
    r = cuda.blockIdx.x
    places = cuda.shared.array(ROOM, np.int32)
    is_class = -1 < t[r] < p.shape[1]
    right = is_class and among_top_k(p, r, int(t[r]), k, places)
    if cuda.threadIdx.x == 0:
        s[r] = right


@launcher
def sparse_top_k_categorical_accuracy(s, t, p, k):
    """
    s[r] = [t[r] is among the k largest of p[r]],    with all that tie

    s (R,) out    t (R,) class numbers    p (R, C)
    """
    _sparse_top_k_categorical_accuracy[rows(*p.shape)](s, t, p, k)


@entry
def _count_right(sums, t, p, threshold, targets, predictions):
    room = cuda.shared.array(ROOM, np.int32)
    start, stop = share_of_block(p.size)
    count = 0
    for i in range(start + cuda.threadIdx.x, stop, cuda.blockDim.x):
        positive = t[i] > like(p[i], 0.5) or not targets
        if positive and (p[i] > like(p[i], threshold) or not predictions):
            count += 1
    count = sum_over_block(count, room)
    if cuda.threadIdx.x == 0:
        sums[cuda.blockIdx.x] = count


@entry
def _add_counts(value, counts, right, counted):
    counts[0] += right[0]
    counts[1] += counted[0]
    value[0] = counts[0] / counts[1] if counts[1] > 0 else 0.0


@launcher
def count_right(value, counts, t, p, threshold, of_targets):
    """
    counts[0] += sum_i [t[i] > 1/2] [p[i] > threshold],
    counts[1] += sum_i [t[i] > 1/2]  if of_targets,  else  sum_i [p[i] > threshold],
    value = counts[0] / counts[1],    0 without any

    value (1,) float64 out    counts (2,) float64 in and out    t (N,)    p (N,)
    """
    right, counted = (scratch(name, (1,), np.float64) for name in ("right", "counted"))
    sum_whole(_count_right, right, p.size, t, p, threshold, True, True)
    only = of_targets, not of_targets
    sum_whole(_count_right, counted, p.size, t, p, threshold, *only)
    _add_counts[1, 1](value, counts, right, counted)
