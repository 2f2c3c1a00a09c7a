"""
The pixels of an image on their way: one thread owns one pixel of the output.

The letters and the rules for places outside of the image are those of
`plain/images.py`. Where a pixel comes from is computed in float64, as there.
"""

from ..plain.images import CONSTANT, neighbours
from .target import cuda, entry, grid, launcher, like


@entry
def _affine_transform(y, x, matrix, fill_mode, cval):
    r, c = divmod(cuda.grid(1), y.shape[1])
    if r < y.shape[0]:
        rows, columns = x.shape[0], x.shape[1]
        u = matrix[0, 0] * r + matrix[0, 1] * c + matrix[0, 2]
        v = matrix[1, 0] * r + matrix[1, 1] * c + matrix[1, 2]
        inside = 0 <= u <= rows - 1 and 0 <= v <= columns - 1
        if fill_mode == CONSTANT and not inside:
            for k in range(y.shape[2]):
                y[r, c, k] = cval
        else:
            top, bottom, down = neighbours(u, rows, fill_mode)
            left, right, along = neighbours(v, columns, fill_mode)
            a, b = like(x[top, left, 0], down), like(x[top, left, 0], along)
            one = like(x[top, left, 0], 1)
            for k in range(y.shape[2]):
                above = (one - b) * x[top, left, k] + b * x[top, right, k]
                below = (one - b) * x[bottom, left, k] + b * x[bottom, right, k]
                y[r, c, k] = (one - a) * above + a * below


@launcher
def affine_transform(y, x, matrix, fill_mode, cval):
    """
    y[r, c, k] = x[u, v, k],  (u, v) = matrix (r, c, 1), between pixels bilinear

    y (R, C, K) out    x (rows, columns, K)    matrix (2, 3) float64
    """
    R, C = y.shape[:2]
    _affine_transform[grid(R * C)](y, x, matrix, fill_mode, cval)
