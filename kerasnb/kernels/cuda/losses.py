"""
The losses: one number for each row of predictions, and its gradient.

A block of threads owns a row in a forward kernel, and adds up in a tree; in a backward
kernel of a mean one thread owns one number. Read next: `formulas/losses.py`.

Legend: R rows (samples, or samples times time steps), C columns (outputs or classes);
t targets, p predictions, q predictions after a clip; eps the fuzz factor.
"""

import math

from ..formulas import losses as formula
from .reductions import (
    ROOM,
    largest_over_block,
    share_of_block,
    sum_over_block,
    sum_whole,
)
from .target import cuda, entry, grid, launcher, like, rows


def mean_of(term):
    """Return the entry of s[r] = 1/C sum_c term(t[r, c], p[r, c], numbers...)."""

    @entry
    def forward(s, t, p, numbers):
        r = cuda.blockIdx.x
        room = cuda.shared.array(ROOM, s.dtype)
        total = like(s[r], 0)
        for c in range(cuda.threadIdx.x, p.shape[1], cuda.blockDim.x):
            total += term(t[r, c], p[r, c], *numbers)
        total = sum_over_block(total, room)
        if cuda.threadIdx.x == 0:
            s[r] = total / like(total, p.shape[1])

    return forward


def backward_of(slope):
    """Return the entry of dp[r, c] = ds[r]/C slope(t[r, c], p[r, c], numbers...)."""

    @entry
    def backward(dp, t, p, ds, numbers):
        r, c = divmod(cuda.grid(1), p.shape[1])
        if r < p.shape[0]:
            share = ds[r] / like(ds[r], p.shape[1])
            dp[r, c] = share * slope(t[r, c], p[r, c], *numbers)

    return backward


_mean_squared_error_forward = mean_of(formula.squared_error)
_mean_squared_error_backward = backward_of(formula.squared_error_slope)
_mean_absolute_error_forward = mean_of(formula.absolute_error)
_mean_absolute_error_backward = backward_of(formula.absolute_error_slope)
_mean_absolute_percentage_error_forward = mean_of(formula.percentage_error)
_mean_absolute_percentage_error_backward = backward_of(formula.percentage_error_slope)
_mean_squared_logarithmic_error_forward = mean_of(formula.squared_logarithmic_error)
_mean_squared_logarithmic_error_backward = backward_of(
    formula.squared_logarithmic_error_slope
)
_hinge_forward = mean_of(formula.hinge)
_hinge_backward = backward_of(formula.hinge_slope)
_squared_hinge_forward = mean_of(formula.squared_hinge)
_squared_hinge_backward = backward_of(formula.squared_hinge_slope)
_logcosh_forward = mean_of(formula.log_cosh)
_logcosh_backward = backward_of(formula.log_cosh_slope)
_poisson_forward = mean_of(formula.poisson_term)
_poisson_backward = backward_of(formula.poisson_term_slope)
_binary_crossentropy_forward = mean_of(formula.binary_cross_entropy)
_binary_crossentropy_backward = backward_of(formula.binary_cross_entropy_slope)


@launcher
def mean_squared_error_forward(s, t, p, eps):
    """
    s[r] = 1/C sum_c (p[r, c] - t[r, c])^2

    s (R,) out    t (R, C)    p (R, C)
    """
    _mean_squared_error_forward[rows(*p.shape)](s, t, p, ())


@launcher
def mean_squared_error_backward(dp, t, p, ds, eps):
    """
    dp[r, c] = ds[r]/C 2 (p[r, c] - t[r, c])

    dp (R, C) out    t (R, C)    p (R, C)    ds (R,)
    """
    _mean_squared_error_backward[grid(p.size)](dp, t, p, ds, ())


@launcher
def mean_absolute_error_forward(s, t, p, eps):
    """
    s[r] = 1/C sum_c |p[r, c] - t[r, c]|

    s (R,) out    t (R, C)    p (R, C)
    """
    _mean_absolute_error_forward[rows(*p.shape)](s, t, p, ())


@launcher
def mean_absolute_error_backward(dp, t, p, ds, eps):
    """
    dp[r, c] = ds[r]/C sign(p[r, c] - t[r, c])

    dp (R, C) out    t (R, C)    p (R, C)    ds (R,)
    """
    _mean_absolute_error_backward[grid(p.size)](dp, t, p, ds, ())


@launcher
def mean_absolute_percentage_error_forward(s, t, p, eps):
    """
    s[r] = 100/C sum_c |p[r, c] - t[r, c]| / max(|t[r, c]|, eps)

    s (R,) out    t (R, C)    p (R, C)
    """
    _mean_absolute_percentage_error_forward[rows(*p.shape)](s, t, p, (eps,))


@launcher
def mean_absolute_percentage_error_backward(dp, t, p, ds, eps):
    """
    dp[r, c] = ds[r]/C 100 sign(p[r, c] - t[r, c]) / max(|t[r, c]|, eps)

    dp (R, C) out    t (R, C)    p (R, C)    ds (R,)
    """
    _mean_absolute_percentage_error_backward[grid(p.size)](dp, t, p, ds, (eps,))


@launcher
def mean_squared_logarithmic_error_forward(s, t, p, eps):
    """
    s[r] = 1/C sum_c (log(1 + max(p[r, c], eps)) - log(1 + max(t[r, c], eps)))^2

    s (R,) out    t (R, C)    p (R, C)
    """
    _mean_squared_logarithmic_error_forward[rows(*p.shape)](s, t, p, (eps,))


@launcher
def mean_squared_logarithmic_error_backward(dp, t, p, ds, eps):
    """
    dp[r, c] = ds[r]/C 2 (log(1 + p[r, c]) - log(1 + t[r, c])) / (1 + p[r, c])

    dp (R, C) out    t (R, C)    p (R, C)    ds (R,);    0 where p < eps
    """
    _mean_squared_logarithmic_error_backward[grid(p.size)](dp, t, p, ds, (eps,))


@launcher
def hinge_forward(s, t, p, eps):
    """
    s[r] = 1/C sum_c max(1 - t[r, c] p[r, c], 0)

    s (R,) out    t (R, C) of -1 and 1    p (R, C)
    """
    _hinge_forward[rows(*p.shape)](s, t, p, ())


@launcher
def hinge_backward(dp, t, p, ds, eps):
    """
    dp[r, c] = -ds[r]/C t[r, c] where t[r, c] p[r, c] < 1, else 0

    dp (R, C) out    t (R, C)    p (R, C)    ds (R,)
    """
    _hinge_backward[grid(p.size)](dp, t, p, ds, ())


@launcher
def squared_hinge_forward(s, t, p, eps):
    """
    s[r] = 1/C sum_c max(1 - t[r, c] p[r, c], 0)^2

    s (R,) out    t (R, C) of -1 and 1    p (R, C)
    """
    _squared_hinge_forward[rows(*p.shape)](s, t, p, ())


@launcher
def squared_hinge_backward(dp, t, p, ds, eps):
    """
    dp[r, c] = -ds[r]/C 2 t[r, c] max(1 - t[r, c] p[r, c], 0)

    dp (R, C) out    t (R, C)    p (R, C)    ds (R,)
    """
    _squared_hinge_backward[grid(p.size)](dp, t, p, ds, ())


@launcher
def logcosh_forward(s, t, p, eps):
    """
    s[r] = 1/C sum_c log cosh(p[r, c] - t[r, c])

    s (R,) out    t (R, C)    p (R, C)
    """
    _logcosh_forward[rows(*p.shape)](s, t, p, ())


@launcher
def logcosh_backward(dp, t, p, ds, eps):
    """
    dp[r, c] = ds[r]/C tanh(p[r, c] - t[r, c])

    dp (R, C) out    t (R, C)    p (R, C)    ds (R,)
    """
    _logcosh_backward[grid(p.size)](dp, t, p, ds, ())


@launcher
def poisson_forward(s, t, p, eps):
    """
    s[r] = 1/C sum_c p[r, c] - t[r, c] log(p[r, c] + eps)

    s (R,) out    t (R, C)    p (R, C)
    """
    _poisson_forward[rows(*p.shape)](s, t, p, (eps,))


@launcher
def poisson_backward(dp, t, p, ds, eps):
    """
    dp[r, c] = ds[r]/C (1 - t[r, c] / (p[r, c] + eps))

    dp (R, C) out    t (R, C)    p (R, C)    ds (R,)
    """
    _poisson_backward[grid(p.size)](dp, t, p, ds, (eps,))


@launcher
def binary_crossentropy_forward(s, t, p, eps):
    """
    s[r] = -1/C sum_c t[r, c] log q[r, c] + (1 - t[r, c]) log(1 - q[r, c])

    s (R,) out    t (R, C)    p (R, C);    q = clip(p, eps, 1 - eps)
    """
    _binary_crossentropy_forward[rows(*p.shape)](s, t, p, (eps,))


@launcher
def binary_crossentropy_backward(dp, t, p, ds, eps):
    """
    dp[r, c] = ds[r]/C (q[r, c] - t[r, c]) / (q[r, c] (1 - q[r, c]))

    dp (R, C) out    t (R, C)    p (R, C)    ds (R,);    0 where p is clipped
    """
    _binary_crossentropy_backward[grid(p.size)](dp, t, p, ds, (eps,))


@entry
def _kullback_leibler_divergence_forward(s, t, p, eps):
    r, C = cuda.blockIdx.x, p.shape[1]
    first, step = cuda.threadIdx.x, cuda.blockDim.x
    room = cuda.shared.array(ROOM, p.dtype)
    total = like(s[r], 0)
    for c in range(first, C, step):
        total += formula.divergence(t[r, c], p[r, c], eps)
    total = sum_over_block(total, room)
    if first == 0:
        s[r] = total


@launcher
def kullback_leibler_divergence_forward(s, t, p, eps):
    """
    s[r] = sum_c t[r, c] log(t[r, c] / p[r, c])

    s (R,) out    t (R, C)    p (R, C);    both clipped to [eps, 1]
    """
    _kullback_leibler_divergence_forward[rows(*p.shape)](s, t, p, eps)


@entry
def _kullback_leibler_divergence_backward(dp, t, p, ds, eps):
    r, c = divmod(cuda.grid(1), p.shape[1])
    if r < p.shape[0]:
        dp[r, c] = ds[r] * formula.divergence_slope(t[r, c], p[r, c], eps)


@launcher
def kullback_leibler_divergence_backward(dp, t, p, ds, eps):
    """
    dp[r, c] = -ds[r] t[r, c] / p[r, c]

    dp (R, C) out    t (R, C)    p (R, C)    ds (R,);    0 where p is clipped
    """
    _kullback_leibler_divergence_backward[grid(p.size)](dp, t, p, ds, eps)


@entry
def _categorical_crossentropy_forward(s, t, p, eps):
    r, C = cuda.blockIdx.x, p.shape[1]
    first, step = cuda.threadIdx.x, cuda.blockDim.x
    room = cuda.shared.array(ROOM, p.dtype)
    whole = like(s[r], 0)
    for c in range(first, C, step):
        whole += p[r, c]
    whole = sum_over_block(whole, room)
    total = like(s[r], 0)
    for c in range(first, C, step):
        q = formula.probability(p[r, c] / whole, eps)
        total += formula.cross_entropy(t[r, c], q)
    total = sum_over_block(total, room)
    if first == 0:
        s[r] = total


@launcher
def categorical_crossentropy_forward(s, t, p, eps):
    """
    s[r] = -sum_c t[r, c] log q[r, c],    q = clip(p / sum_c p, eps, 1 - eps)

    s (R,) out    t (R, C)    p (R, C)
    """
    _categorical_crossentropy_forward[rows(*p.shape)](s, t, p, eps)


@entry
def _categorical_crossentropy_backward(dp, t, p, ds, eps):
    r, C = cuda.blockIdx.x, p.shape[1]
    first, step = cuda.threadIdx.x, cuda.blockDim.x
    room = cuda.shared.array(ROOM, p.dtype)
    whole = like(ds[r], 0)
    for c in range(first, C, step):
        whole += p[r, c]
    whole = sum_over_block(whole, room)
    kept = like(ds[r], 0)
    for c in range(first, C, step):
        kept += t[r, c] * formula.probability_slope(p[r, c] / whole, eps)
    kept = sum_over_block(kept, room)
    share = ds[r] / whole
    for c in range(first, C, step):
        q = p[r, c] / whole
        slope = formula.probability_slope(q, eps) / formula.probability(q, eps)
        dp[r, c] = share * (kept - t[r, c] * slope)


@launcher
def categorical_crossentropy_backward(dp, t, p, ds, eps):
    """
    dp[r, c] = ds[r] / sum_k p[r, k] (sum_k t[r, k] - t[r, c] / q[r, c])

    dp (R, C) out    t (R, C)    p (R, C)    ds (R,);    t is 0 where q is clipped
    """
    _categorical_crossentropy_backward[rows(*p.shape)](dp, t, p, ds, eps)


@entry
def _sparse_categorical_crossentropy_forward(s, t, p, eps):
    r, C = cuda.blockIdx.x, p.shape[1]
    first, step = cuda.threadIdx.x, cuda.blockDim.x
    room = cuda.shared.array(ROOM, p.dtype)
    whole = like(s[r], 0)
    for c in range(first, C, step):
        whole += formula.probability(p[r, c], eps)
    whole = sum_over_block(whole, room)
    if first == 0:
        mine = like(s[r], math.nan)
        if 0 <= t[r] < C and t[r] == int(t[r]):
            mine = formula.probability(p[r, int(t[r])], eps)
        s[r] = formula.log(whole) - formula.log(mine)


@launcher
def sparse_categorical_crossentropy_forward(s, t, p, eps):
    """
    s[r] = log(sum_c q[r, c]) - log q[r, t[r]],    q = clip(p, eps, 1 - eps)

    s (R,) out    t (R,) class numbers    p (R, C);    NaN where t is not a class
    """
    _sparse_categorical_crossentropy_forward[rows(*p.shape)](s, t, p, eps)


@entry
def _sparse_categorical_crossentropy_backward(dp, t, p, ds, eps):
    r, C = cuda.blockIdx.x, p.shape[1]
    first, step = cuda.threadIdx.x, cuda.blockDim.x
    room = cuda.shared.array(ROOM, p.dtype)
    whole = like(ds[r], 0)
    for c in range(first, C, step):
        whole += formula.probability(p[r, c], eps)
    whole = sum_over_block(whole, room)
    share = ds[r] / whole
    for c in range(first, C, step):
        dp[r, c] = share * formula.probability_slope(p[r, c], eps)
        if like(whole, c) == t[r]:
            q = formula.probability(p[r, c], eps)
            dp[r, c] *= like(q, 1) - whole / q


@launcher
def sparse_categorical_crossentropy_backward(dp, t, p, ds, eps):
    """
    dp[r, c] = ds[r] (1 / sum_k q[r, k] - [c == t[r]] / q[r, c])

    dp (R, C) out    t (R,) class numbers    p (R, C)    ds (R,);    0 where clipped
    """
    _sparse_categorical_crossentropy_backward[rows(*p.shape)](dp, t, p, ds, eps)


@entry
def _categorical_hinge_forward(s, t, p, eps):
    r, C = cuda.blockIdx.x, p.shape[1]
    first, step = cuda.threadIdx.x, cuda.blockDim.x
    room = cuda.shared.array(ROOM, p.dtype)
    right = like(s[r], 0)
    wrong = like(s[r], -math.inf)
    for c in range(first, C, step):
        right += t[r, c] * p[r, c]
        wrong = formula.at_least((like(wrong, 1) - t[r, c]) * p[r, c], wrong)
    right = sum_over_block(right, room)
    wrong = largest_over_block(wrong, room)
    if first == 0:
        s[r] = formula.at_least(like(right, 1) + wrong - right, like(right, 0))


@launcher
def categorical_hinge_forward(s, t, p, eps):
    """
    s[r] = max(0, 1 + max_c (1 - t[r, c]) p[r, c] - sum_c t[r, c] p[r, c])

    s (R,) out    t (R, C)    p (R, C)
    """
    _categorical_hinge_forward[rows(*p.shape)](s, t, p, eps)


@entry
def _categorical_hinge_backward(dp, t, p, ds, eps):
    r, C = cuda.blockIdx.x, p.shape[1]
    first, step = cuda.threadIdx.x, cuda.blockDim.x
    room = cuda.shared.array(ROOM, p.dtype)
    one = like(ds[r], 1)
    right = like(ds[r], 0)
    wrong = like(ds[r], -math.inf)
    for c in range(first, C, step):
        right += t[r, c] * p[r, c]
        wrong = formula.at_least((one - t[r, c]) * p[r, c], wrong)
    right = sum_over_block(right, room)
    wrong = largest_over_block(wrong, room)
    largest = like(ds[r], 0)
    for c in range(first, C, step):
        largest += like(one, (one - t[r, c]) * p[r, c] == wrong)
    largest = sum_over_block(largest, room)
    share = ds[r] * formula.step(one + wrong - right)
    for c in range(first, C, step):
        dp[r, c] = -share * t[r, c]
        if (one - t[r, c]) * p[r, c] == wrong:
            dp[r, c] += share * (one - t[r, c]) / largest


@launcher
def categorical_hinge_backward(dp, t, p, ds, eps):
    """
    dp[r, c] = ds[r] ([c is largest] (1 - t[r, c]) - t[r, c]) where s[r] > 0, else 0

    dp (R, C) out    t (R, C)    p (R, C)    ds (R,);    several largest share equally
    """
    _categorical_hinge_backward[rows(*p.shape)](dp, t, p, ds, eps)


@entry
def _cosine_proximity_forward(s, t, p, eps):
    r, C = cuda.blockIdx.x, p.shape[1]
    first, step = cuda.threadIdx.x, cuda.blockDim.x
    room = cuda.shared.array(ROOM, p.dtype)
    tt = like(s[r], 0)
    tp = like(s[r], 0)
    pp = like(s[r], 0)
    for c in range(first, C, step):
        tt += t[r, c] * t[r, c]
        tp += t[r, c] * p[r, c]
        pp += p[r, c] * p[r, c]
    tt = sum_over_block(tt, room)
    tp = sum_over_block(tp, room)
    pp = sum_over_block(pp, room)
    if first == 0:
        s[r] = -tp / (formula.length(tt) * formula.length(pp))


@launcher
def cosine_proximity_forward(s, t, p, eps):
    """
    s[r] = -sum_c t[r, c] p[r, c] / (|t[r]| |p[r]|)

    s (R,) out    t (R, C)    p (R, C);    |v| = sqrt(max(sum_c v[c]^2, 1e-12))
    """
    _cosine_proximity_forward[rows(*p.shape)](s, t, p, eps)


@entry
def _cosine_proximity_backward(dp, t, p, ds, eps):
    r, C = cuda.blockIdx.x, p.shape[1]
    first, step = cuda.threadIdx.x, cuda.blockDim.x
    room = cuda.shared.array(ROOM, p.dtype)
    tt = like(ds[r], 0)
    tp = like(ds[r], 0)
    pp = like(ds[r], 0)
    for c in range(first, C, step):
        tt += t[r, c] * t[r, c]
        tp += t[r, c] * p[r, c]
        pp += p[r, c] * p[r, c]
    tt = sum_over_block(tt, room)
    tp = sum_over_block(tp, room)
    pp = sum_over_block(pp, room)
    share = ds[r] / (formula.length(tt) * formula.length(pp))
    along = tp * formula.inverse_square(pp)
    for c in range(first, C, step):
        dp[r, c] = share * (along * p[r, c] - t[r, c])


@launcher
def cosine_proximity_backward(dp, t, p, ds, eps):
    """
    dp[r, c] = ds[r] / |p[r]| (n[c] sum_k m[k] n[k] - m[c]),  m = t / |t|,  n = p / |p|

    dp (R, C) out    t (R, C)    p (R, C)    ds (R,);    n[c] is 0 where |p| is clipped
    """
    _cosine_proximity_backward[rows(*p.shape)](dp, t, p, ds, eps)


@entry
def _weighted_sum(sums, coefficients, s):
    room = cuda.shared.array(ROOM, sums.dtype)
    start, stop = share_of_block(s.size)
    total = like(sums[0], 0)
    for r in range(start + cuda.threadIdx.x, stop, cuda.blockDim.x):
        total += like(total, coefficients[r]) * like(total, s[r])
    total = sum_over_block(total, room)
    if cuda.threadIdx.x == 0:
        sums[cuda.blockIdx.x] = total


@launcher
def weighted_sum(out, coefficients, s):
    """
    out = sum_r coefficients[r] s[r]

    out (1,) float64 out    coefficients (R,)    s (R,)
    """
    sum_whole(_weighted_sum, out, s.size, coefficients, s)
