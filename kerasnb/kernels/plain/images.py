"""
Kernels that move the pixels of an image.

R rows, C columns, K channels; an image is x[r, c, k]. Every pixel of the output asks
where in the input it comes from, so no pixel is left empty and none is filled twice.
`FILL_MODES` are the rules for places outside the input, as in scipy.ndimage. Read next:
`augmentation.py`, which composes the matrices.
"""

import math

from ..jit import inner, kernel, like

NEAREST, CONSTANT, REFLECT, WRAP = 0, 1, 2, 3
FILL_MODES = {
    "nearest": NEAREST,  # a a a | a b c d | d d d
    "constant": CONSTANT,  # v v v | a b c d | v v v
    "reflect": REFLECT,  # c b a | a b c d | d c b
    "wrap": WRAP,  # d b c | a b c d | b c a: the first and last pixel are one place
}


@inner
def moved_inside(at, size, fill_mode):
    """Return the coordinate in 0 .. size - 1 that stands for one outside."""
    last = float(size - 1)
    if fill_mode == NEAREST:
        at = min(max(at, 0.0), last)
    elif fill_mode == WRAP:
        if size == 1:
            at = 0.0
        elif at < 0.0:
            at += last * (math.floor(-at / last) + 1.0)
        elif at > last:
            at -= last * math.floor(at / last)
    return at


@inner
def reflected(i, size):
    """Return the index that index i sees in mirrors at both edges of the array."""
    i = i % (2 * size)
    return 2 * size - 1 - i if i >= size else i


@inner
def neighbours(at, size, fill_mode):
    """Return the pixels before and after a coordinate, and the share of the latter."""
    at = moved_inside(at, size, fill_mode)
    before = int(math.floor(at))
    share = at - math.floor(at)
    after = before + 1 if share > 0.0 else before  # never read what does not count
    if fill_mode == REFLECT:
        return reflected(before, size), reflected(after, size), share
    return min(max(before, 0), size - 1), min(max(after, 0), size - 1), share


@kernel(parallel=False)
def affine_transform(y, x, matrix, fill_mode, cval):
    """
    y[r, c, k] = x[u, v, k],  (u, v) = matrix (r, c, 1), between pixels bilinear

    y (R, C, K) out    x (rows, columns, K)    matrix (2, 3) float64
    """
    R, C, K = y.shape
    rows, columns = x.shape[0], x.shape[1]
    for r in range(R):
        for c in range(C):
            u = matrix[0, 0] * r + matrix[0, 1] * c + matrix[0, 2]
            v = matrix[1, 0] * r + matrix[1, 1] * c + matrix[1, 2]
            inside = 0 <= u <= rows - 1 and 0 <= v <= columns - 1
            if fill_mode == CONSTANT and not inside:
                for k in range(K):
                    y[r, c, k] = cval
                continue
            top, bottom, down = neighbours(u, rows, fill_mode)
            left, right, along = neighbours(v, columns, fill_mode)
            a, b = like(x[top, left, 0], down), like(x[top, left, 0], along)
            one = like(x[top, left, 0], 1)
            for k in range(K):
                above = (one - b) * x[top, left, k] + b * x[top, right, k]
                below = (one - b) * x[bottom, left, k] + b * x[bottom, right, k]
                y[r, c, k] = (one - a) * above + a * below
