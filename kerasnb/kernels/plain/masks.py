"""
Kernels for masks and sample weights.

S time steps of the whole batch (N samples times T), D features, M marks in a step.
`sample_coefficients` is the loss formula of masks and weights, told once: the loss is
sum_r c[r] s[r].
"""

from numba import prange

from ..jit import kernel, like


@kernel
def masking_forward(y, mask, x, mask_value):
    """
    mask[s] = any over d of x[s, d] != mask_value,   y[s, d] = x[s, d] mask[s]

    y (S, D) out    mask (S,) out    x (S, D)
    """
    S, D = x.shape
    for s in prange(S):
        seen = False
        for d in range(D):
            if x[s, d] != like(x[s, d], mask_value):
                seen = True
        mask[s] = seen
        for d in range(D):
            y[s, d] = x[s, d] if seen else like(x[s, d], 0)


@kernel
def masking_backward(dx, dy, mask):
    """
    dx[s, d] = dy[s, d] mask[s]

    dx (S, D) out    dy (S, D)    mask (S,)
    """
    S, D = dy.shape
    for s in prange(S):
        for d in range(D):
            dx[s, d] = dy[s, d] if mask[s] else like(dy[s, d], 0)


@kernel
def masks_any(y, mask):
    """
    y[s] = any over m of mask[s, m]

    y (S,) out    mask (S, M)
    """
    S, M = mask.shape
    for s in prange(S):
        seen = False
        for m in range(M):
            if mask[s, m]:
                seen = True
        y[s] = seen


@kernel(parallel=False)
def sample_coefficients(c, count, w, mask, scale):
    """
    c[r] = scale / R  mask[r] / mean(mask)  w[r] / mean(w != 0),
    count = sum_r [c[r] != 0]

    Rows without a mask or weight of their own share that of their sample: w (Q,) and
    mask (P,) may be shorter than R by a whole factor. A mean of zero makes c zero.

    c (R,) out    count (1,) float64 out    w (Q,)    mask (P,)
    """
    R, Q, P = c.shape[0], w.shape[0], mask.shape[0]
    weighted = 0
    for q in range(Q):
        if w[q] != 0:
            weighted += 1
    unmasked = 0
    for p in range(P):
        if mask[p] != 0:
            unmasked += 1
    factor = 0.0
    if weighted > 0 and unmasked > 0:
        factor = scale / R * Q / weighted * P / unmasked
    total = 0
    for r in range(R):
        counts = mask[r // (R // P)] != 0
        c[r] = factor * float(w[r // (R // Q)]) if counts else 0.0
        if c[r] != 0:
            total += 1
    count[0] = total
