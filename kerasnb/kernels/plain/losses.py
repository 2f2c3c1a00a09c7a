"""
The losses: one number for each row of predictions, and its gradient.

`<loss>_forward` fills s[r], the loss of row r; `<loss>_backward` fills dp, given ds[r],
the gradient of the total with respect to s[r]. Most losses are the mean of a term over
the row: read `mean_squared_error_forward` first, and the term's formula in
`formulas/losses.py`. The cross-entropies at the end look at the row as a whole.

Legend: R rows (samples, or samples times time steps), C columns (outputs or classes);
t targets, p predictions, q predictions after a clip; eps the fuzz factor.
"""

import math

from numba import prange

from ..formulas import losses as formula
from ..jit import kernel, like


def predictions(s, t, p, *rest):
    """Work of a forward kernel: the number of predictions."""
    return p.size


per_row = kernel(work=predictions, reassociate=True)


@per_row
def mean_squared_error_forward(s, t, p, eps):
    """
    s[r] = 1/C sum_c (p[r, c] - t[r, c])^2

    s (R,) out    t (R, C)    p (R, C)
    """
    R, C = p.shape
    for r in prange(R):
        total = like(s[r], 0)
        for c in range(C):
            total += formula.squared_error(t[r, c], p[r, c])
        s[r] = total / like(total, C)


@kernel
def mean_squared_error_backward(dp, t, p, ds, eps):
    """
    dp[r, c] = ds[r]/C 2 (p[r, c] - t[r, c])

    dp (R, C) out    t (R, C)    p (R, C)    ds (R,)
    """
    R, C = p.shape
    for r in prange(R):
        share = ds[r] / like(ds[r], C)
        for c in range(C):
            dp[r, c] = share * formula.squared_error_slope(t[r, c], p[r, c])


@per_row
def mean_absolute_error_forward(s, t, p, eps):
    """
    s[r] = 1/C sum_c |p[r, c] - t[r, c]|

    s (R,) out    t (R, C)    p (R, C)
    """
    R, C = p.shape
    for r in prange(R):
        total = like(s[r], 0)
        for c in range(C):
            total += formula.absolute_error(t[r, c], p[r, c])
        s[r] = total / like(total, C)


@kernel
def mean_absolute_error_backward(dp, t, p, ds, eps):
    """
    dp[r, c] = ds[r]/C sign(p[r, c] - t[r, c])

    dp (R, C) out    t (R, C)    p (R, C)    ds (R,)
    """
    R, C = p.shape
    for r in prange(R):
        share = ds[r] / like(ds[r], C)
        for c in range(C):
            dp[r, c] = share * formula.absolute_error_slope(t[r, c], p[r, c])


@per_row
def mean_absolute_percentage_error_forward(s, t, p, eps):
    """
    s[r] = 100/C sum_c |p[r, c] - t[r, c]| / max(|t[r, c]|, eps)

    s (R,) out    t (R, C)    p (R, C)
    """
    R, C = p.shape
    for r in prange(R):
        total = like(s[r], 0)
        for c in range(C):
            total += formula.percentage_error(t[r, c], p[r, c], eps)
        s[r] = total / like(total, C)


@kernel
def mean_absolute_percentage_error_backward(dp, t, p, ds, eps):
    """
    dp[r, c] = ds[r]/C 100 sign(p[r, c] - t[r, c]) / max(|t[r, c]|, eps)

    dp (R, C) out    t (R, C)    p (R, C)    ds (R,)
    """
    R, C = p.shape
    for r in prange(R):
        share = ds[r] / like(ds[r], C)
        for c in range(C):
            dp[r, c] = share * formula.percentage_error_slope(t[r, c], p[r, c], eps)


@per_row
def mean_squared_logarithmic_error_forward(s, t, p, eps):
    """
    s[r] = 1/C sum_c (log(1 + max(p[r, c], eps)) - log(1 + max(t[r, c], eps)))^2

    s (R,) out    t (R, C)    p (R, C)
    """
    R, C = p.shape
    for r in prange(R):
        total = like(s[r], 0)
        for c in range(C):
            total += formula.squared_logarithmic_error(t[r, c], p[r, c], eps)
        s[r] = total / like(total, C)


@kernel
def mean_squared_logarithmic_error_backward(dp, t, p, ds, eps):
    """
    dp[r, c] = ds[r]/C 2 (log(1 + p[r, c]) - log(1 + t[r, c])) / (1 + p[r, c])

    dp (R, C) out    t (R, C)    p (R, C)    ds (R,);    0 where p < eps
    """
    R, C = p.shape
    for r in prange(R):
        share = ds[r] / like(ds[r], C)
        for c in range(C):
            slope = formula.squared_logarithmic_error_slope(t[r, c], p[r, c], eps)
            dp[r, c] = share * slope


@per_row
def hinge_forward(s, t, p, eps):
    """
    s[r] = 1/C sum_c max(1 - t[r, c] p[r, c], 0)

    s (R,) out    t (R, C) of -1 and 1    p (R, C)
    """
    R, C = p.shape
    for r in prange(R):
        total = like(s[r], 0)
        for c in range(C):
            total += formula.hinge(t[r, c], p[r, c])
        s[r] = total / like(total, C)


@kernel
def hinge_backward(dp, t, p, ds, eps):
    """
    dp[r, c] = -ds[r]/C t[r, c] where t[r, c] p[r, c] < 1, else 0

    dp (R, C) out    t (R, C)    p (R, C)    ds (R,)
    """
    R, C = p.shape
    for r in prange(R):
        share = ds[r] / like(ds[r], C)
        for c in range(C):
            dp[r, c] = share * formula.hinge_slope(t[r, c], p[r, c])


@per_row
def squared_hinge_forward(s, t, p, eps):
    """
    s[r] = 1/C sum_c max(1 - t[r, c] p[r, c], 0)^2

    s (R,) out    t (R, C) of -1 and 1    p (R, C)
    """
    R, C = p.shape
    for r in prange(R):
        total = like(s[r], 0)
        for c in range(C):
            total += formula.squared_hinge(t[r, c], p[r, c])
        s[r] = total / like(total, C)


@kernel
def squared_hinge_backward(dp, t, p, ds, eps):
    """
    dp[r, c] = -ds[r]/C 2 t[r, c] max(1 - t[r, c] p[r, c], 0)

    dp (R, C) out    t (R, C)    p (R, C)    ds (R,)
    """
    R, C = p.shape
    for r in prange(R):
        share = ds[r] / like(ds[r], C)
        for c in range(C):
            dp[r, c] = share * formula.squared_hinge_slope(t[r, c], p[r, c])


@per_row
def logcosh_forward(s, t, p, eps):
    """
    s[r] = 1/C sum_c log cosh(p[r, c] - t[r, c])

    s (R,) out    t (R, C)    p (R, C)
    """
    R, C = p.shape
    for r in prange(R):
        total = like(s[r], 0)
        for c in range(C):
            total += formula.log_cosh(t[r, c], p[r, c])
        s[r] = total / like(total, C)


@kernel
def logcosh_backward(dp, t, p, ds, eps):
    """
    dp[r, c] = ds[r]/C tanh(p[r, c] - t[r, c])

    dp (R, C) out    t (R, C)    p (R, C)    ds (R,)
    """
    R, C = p.shape
    for r in prange(R):
        share = ds[r] / like(ds[r], C)
        for c in range(C):
            dp[r, c] = share * formula.log_cosh_slope(t[r, c], p[r, c])


@per_row
def poisson_forward(s, t, p, eps):
    """
    s[r] = 1/C sum_c p[r, c] - t[r, c] log(p[r, c] + eps)

    s (R,) out    t (R, C)    p (R, C)
    """
    R, C = p.shape
    for r in prange(R):
        total = like(s[r], 0)
        for c in range(C):
            total += formula.poisson_term(t[r, c], p[r, c], eps)
        s[r] = total / like(total, C)


@kernel
def poisson_backward(dp, t, p, ds, eps):
    """
    dp[r, c] = ds[r]/C (1 - t[r, c] / (p[r, c] + eps))

    dp (R, C) out    t (R, C)    p (R, C)    ds (R,)
    """
    R, C = p.shape
    for r in prange(R):
        share = ds[r] / like(ds[r], C)
        for c in range(C):
            dp[r, c] = share * formula.poisson_term_slope(t[r, c], p[r, c], eps)


@per_row
def binary_crossentropy_forward(s, t, p, eps):
    """
    s[r] = -1/C sum_c t[r, c] log q[r, c] + (1 - t[r, c]) log(1 - q[r, c])

    s (R,) out    t (R, C)    p (R, C);    q = clip(p, eps, 1 - eps)
    """
    R, C = p.shape
    for r in prange(R):
        total = like(s[r], 0)
        for c in range(C):
            total += formula.binary_cross_entropy(t[r, c], p[r, c], eps)
        s[r] = total / like(total, C)


@kernel
def binary_crossentropy_backward(dp, t, p, ds, eps):
    """
    dp[r, c] = ds[r]/C (q[r, c] - t[r, c]) / (q[r, c] (1 - q[r, c]))

    dp (R, C) out    t (R, C)    p (R, C)    ds (R,);    0 where p is clipped
    """
    R, C = p.shape
    for r in prange(R):
        share = ds[r] / like(ds[r], C)
        for c in range(C):
            slope = formula.binary_cross_entropy_slope(t[r, c], p[r, c], eps)
            dp[r, c] = share * slope


@per_row
def kullback_leibler_divergence_forward(s, t, p, eps):
    """
    s[r] = sum_c t[r, c] log(t[r, c] / p[r, c])

    s (R,) out    t (R, C)    p (R, C);    both clipped to [eps, 1]
    """
    R, C = p.shape
    for r in prange(R):
        total = like(s[r], 0)
        for c in range(C):
            total += formula.divergence(t[r, c], p[r, c], eps)
        s[r] = total


@kernel
def kullback_leibler_divergence_backward(dp, t, p, ds, eps):
    """
    dp[r, c] = -ds[r] t[r, c] / p[r, c]

    dp (R, C) out    t (R, C)    p (R, C)    ds (R,);    0 where p is clipped
    """
    R, C = p.shape
    for r in prange(R):
        for c in range(C):
            dp[r, c] = ds[r] * formula.divergence_slope(t[r, c], p[r, c], eps)


@per_row
def categorical_crossentropy_forward(s, t, p, eps):
    """
    s[r] = -sum_c t[r, c] log q[r, c],    q = clip(p / sum_c p, eps, 1 - eps)

    s (R,) out    t (R, C)    p (R, C)
    """
    R, C = p.shape
    for r in prange(R):
        whole = like(s[r], 0)
        for c in range(C):
            whole += p[r, c]
        total = like(s[r], 0)
        for c in range(C):
            q = formula.probability(p[r, c] / whole, eps)
            total += formula.cross_entropy(t[r, c], q)
        s[r] = total


@kernel
def categorical_crossentropy_backward(dp, t, p, ds, eps):
    """
    dp[r, c] = ds[r] / sum_k p[r, k] (sum_k t[r, k] - t[r, c] / q[r, c])

    dp (R, C) out    t (R, C)    p (R, C)    ds (R,);    t is 0 where q is clipped
    """
    R, C = p.shape
    for r in prange(R):
        whole = like(ds[r], 0)
        for c in range(C):
            whole += p[r, c]
        kept = like(ds[r], 0)
        for c in range(C):
            kept += t[r, c] * formula.probability_slope(p[r, c] / whole, eps)
        share = ds[r] / whole
        for c in range(C):
            q = p[r, c] / whole
            slope = formula.probability_slope(q, eps) / formula.probability(q, eps)
            dp[r, c] = share * (kept - t[r, c] * slope)


@per_row
def sparse_categorical_crossentropy_forward(s, t, p, eps):
    """
    s[r] = log(sum_c q[r, c]) - log q[r, t[r]],    q = clip(p, eps, 1 - eps)

    s (R,) out    t (R,) class numbers    p (R, C);    NaN where t is not a class
    """
    R, C = p.shape
    for r in prange(R):
        whole = like(s[r], 0)
        mine = like(s[r], math.nan)
        for c in range(C):
            q = formula.probability(p[r, c], eps)
            whole += q
            if c == t[r]:
                mine = q
        s[r] = formula.log(whole) - formula.log(mine)


@kernel
def sparse_categorical_crossentropy_backward(dp, t, p, ds, eps):
    """
    dp[r, c] = ds[r] (1 / sum_k q[r, k] - [c == t[r]] / q[r, c])

    dp (R, C) out    t (R,) class numbers    p (R, C)    ds (R,);    0 where clipped
    """
    R, C = p.shape
    for r in prange(R):
        whole = like(ds[r], 0)
        for c in range(C):
            whole += formula.probability(p[r, c], eps)
        share = ds[r] / whole
        for c in range(C):
            dp[r, c] = share * formula.probability_slope(p[r, c], eps)
            if c == t[r]:
                q = formula.probability(p[r, c], eps)
                dp[r, c] *= like(q, 1) - whole / q


@per_row
def categorical_hinge_forward(s, t, p, eps):
    """
    s[r] = max(0, 1 + max_c (1 - t[r, c]) p[r, c] - sum_c t[r, c] p[r, c])

    s (R,) out    t (R, C)    p (R, C)
    """
    R, C = p.shape
    for r in prange(R):
        right = like(s[r], 0)
        wrong = like(s[r], -math.inf)
        for c in range(C):
            right += t[r, c] * p[r, c]
            wrong = formula.at_least((like(wrong, 1) - t[r, c]) * p[r, c], wrong)
        s[r] = formula.at_least(like(right, 1) + wrong - right, like(right, 0))


@kernel
def categorical_hinge_backward(dp, t, p, ds, eps):
    """
    dp[r, c] = ds[r] ([c is largest] (1 - t[r, c]) - t[r, c]) where s[r] > 0, else 0

    dp (R, C) out    t (R, C)    p (R, C)    ds (R,);    several largest share equally
    """
    R, C = p.shape
    for r in prange(R):
        one = like(ds[r], 1)
        right = like(ds[r], 0)
        wrong = like(ds[r], -math.inf)
        for c in range(C):
            right += t[r, c] * p[r, c]
            wrong = formula.at_least((one - t[r, c]) * p[r, c], wrong)
        largest = like(ds[r], 0)
        for c in range(C):
            largest += like(one, (one - t[r, c]) * p[r, c] == wrong)
        share = ds[r] * formula.step(one + wrong - right)
        for c in range(C):
            dp[r, c] = -share * t[r, c]
            if (one - t[r, c]) * p[r, c] == wrong:
                dp[r, c] += share * (one - t[r, c]) / largest


@per_row
def cosine_proximity_forward(s, t, p, eps):
    """
    s[r] = -sum_c t[r, c] p[r, c] / (|t[r]| |p[r]|)

    s (R,) out    t (R, C)    p (R, C);    |v| = sqrt(max(sum_c v[c]^2, 1e-12))
    """
    R, C = p.shape
    for r in prange(R):
        tt = like(s[r], 0)
        tp = like(s[r], 0)
        pp = like(s[r], 0)
        for c in range(C):
            tt += t[r, c] * t[r, c]
            tp += t[r, c] * p[r, c]
            pp += p[r, c] * p[r, c]
        s[r] = -tp / (formula.length(tt) * formula.length(pp))


@kernel
def cosine_proximity_backward(dp, t, p, ds, eps):
    """
    dp[r, c] = ds[r] / |p[r]| (n[c] sum_k m[k] n[k] - m[c]),  m = t / |t|,  n = p / |p|

    dp (R, C) out    t (R, C)    p (R, C)    ds (R,);    n[c] is 0 where |p| is clipped
    """
    R, C = p.shape
    for r in prange(R):
        tt = like(ds[r], 0)
        tp = like(ds[r], 0)
        pp = like(ds[r], 0)
        for c in range(C):
            tt += t[r, c] * t[r, c]
            tp += t[r, c] * p[r, c]
            pp += p[r, c] * p[r, c]
        share = ds[r] / (formula.length(tt) * formula.length(pp))
        along = tp * formula.inverse_square(pp)
        for c in range(C):
            dp[r, c] = share * (along * p[r, c] - t[r, c])


@kernel(reassociate=True, parallel=False)
def weighted_sum(out, coefficients, s):
    """
    out = sum_r coefficients[r] s[r]

    out (1,) float64 out    coefficients (R,)    s (R,)
    """
    total = like(out[0], 0)
    for r in range(s.size):
        total += like(total, coefficients[r]) * like(total, s[r])
    out[0] = total
