"""
Kernels for masks and sample weights.

S time steps of the whole batch (N samples times T), D features, M marks in a step.
`sample_coefficients` is the loss formula of masks and weights, told once: the loss is
sum_r c[r] s[r].
"""

import numpy as np

from .reductions import ROOM, sum_over_block
from .target import cuda, entry, grid, launcher, like, part, rows


@entry
def _masking_forward(y, mask, x, mask_value):
    s, D = cuda.blockIdx.x, x.shape[1]  # a block owns a time step
    seen = False
    for d in range(cuda.threadIdx.x, D, cuda.blockDim.x):
        if x[s, d] != like(x[s, d], mask_value):
            seen = True
    seen = cuda.syncthreads_or(np.int32(seen)) != 0
    mask[s] = seen
    for d in range(cuda.threadIdx.x, D, cuda.blockDim.x):
        y[s, d] = x[s, d] if seen else like(x[s, d], 0)


@launcher
def masking_forward(y, mask, x, mask_value):
    """
    mask[s] = any over d of x[s, d] != mask_value,   y[s, d] = x[s, d] mask[s]

    y (S, D) out    mask (S,) out    x (S, D)
    """
    _masking_forward[rows(*x.shape)](y, mask, x, mask_value)


@entry
def _masking_backward(dx, dy, mask):
    s, d = divmod(cuda.grid(1), dy.shape[1])
    if s < dy.shape[0]:
        dx[s, d] = dy[s, d] if mask[s] else like(dy[s, d], 0)


@launcher
def masking_backward(dx, dy, mask):
    """
    dx[s, d] = dy[s, d] mask[s]

    dx (S, D) out    dy (S, D)    mask (S,)
    """
    _masking_backward[grid(dy.size)](dx, dy, mask)


@entry
def _masks_any(y, mask):
    s = cuda.grid(1)
    if s < mask.shape[0]:
        seen = False
        for m in range(mask.shape[1]):
            if mask[s, m]:
                seen = True
        y[s] = seen


@launcher
def masks_any(y, mask):
    """
    y[s] = any over m of mask[s, m]

    y (S,) out    mask (S, M)
    """
    _masks_any[grid(y.size)](y, mask)


@part
def count_nonzero(x, places):
    """Return how many numbers of x are not 0, to all threads of the block."""
    count = 0
    for i in range(cuda.threadIdx.x, x.size, cuda.blockDim.x):
        if x[i] != 0:
            count += 1
    return sum_over_block(count, places)


@entry
def _sample_coefficients(c, count, w, mask, scale):
    R, Q, P = c.shape[0], w.shape[0], mask.shape[0]
    places = cuda.shared.array(ROOM, np.int32)
    weighted = count_nonzero(w, places)
    unmasked = count_nonzero(mask, places)
    factor = 0.0
    if weighted > 0 and unmasked > 0:
        factor = scale / R * Q / weighted * P / unmasked
    for r in range(cuda.threadIdx.x, R, cuda.blockDim.x):
        counts = mask[r // (R // P)] != 0
        c[r] = factor * float(w[r // (R // Q)]) if counts else 0.0
    total = count_nonzero(c, places)  # each thread looks at what it has filled
    if cuda.threadIdx.x == 0:
        count[0] = total


@launcher
def sample_coefficients(c, count, w, mask, scale):
    """
    c[r] = scale / R  mask[r] / mean(mask)  w[r] / mean(w != 0),
    count = sum_r [c[r] != 0]

    Rows without a mask or weight of their own share that of their sample: w (Q,) and
    mask (P,) may be shorter than R by a whole factor. A mean of zero makes c zero.

    c (R,) out    count (1,) float64 out    w (Q,)    mask (P,)
    """
    _sample_coefficients[rows(1, c.size)](c, count, w, mask, scale)
