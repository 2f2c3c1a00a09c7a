"""
Cropping, padding, up-sampling: one thread owns one number of the output.

The letters are those of `plain/resizing.py`. Backward a pixel gathers the gradients of
all that were made of it.
"""

from ..jit import inner
from .indices import indices_4, indices_5
from .target import cuda, entry, grid, launcher, like


@entry
def _crop_images(y, x, before):
    i = cuda.grid(1)
    if i < y.size:
        n, d, r, c = indices_4(i, y.shape)
        y[n, d, r, c] = x[n, d + before[0], r + before[1], c + before[2]]


@launcher
def crop_images(y, x, before):
    """
    y[n, d, r, c] = x[n, d + before[0], r + before[1], c + before[2]]

    y (N, D, R, C) out    x (N, D or more, R or more, C or more)
    """
    _crop_images[grid(y.size)](y, x, before)


@entry
def _pad_images(y, x, before):
    i = cuda.grid(1)
    if i < y.size:
        n, d, r, c = indices_4(i, y.shape)
        i, j, l = d - before[0], r - before[1], c - before[2]
        inside = 0 <= i < x.shape[1] and 0 <= j < x.shape[2] and 0 <= l < x.shape[3]
        y[n, d, r, c] = x[n, i, j, l] if inside else like(y[n, d, r, c], 0)


@launcher
def pad_images(y, x, before):
    """
    y[n, d + before[0], r + before[1], c + before[2]] = x[n, d, r, c],   0 elsewhere

    y (N, D or more, R or more, C or more) out    x (N, D, R, C)
    """
    _pad_images[grid(y.size)](y, x, before)


@entry
def _upsample_nearest_forward(y, x, size):
    i = cuda.grid(1)
    if i < y.size:
        n, d, r, c, k = indices_5(i, y.shape)
        y[n, d, r, c, k] = x[n, d // size[0], r // size[1], c // size[2], k]


@launcher
def upsample_nearest_forward(y, x, size):
    """
    y[n, d, r, c, k] = x[n, d // size[0], r // size[1], c // size[2], k]

    y (N, D size[0], R size[1], C size[2], K) out    x (N, D, R, C, K)
    """
    _upsample_nearest_forward[grid(y.size)](y, x, size)


@entry
def _upsample_nearest_backward(dx, dy, size):
    i = cuda.grid(1)
    if i < dx.size:
        n, i, j, l, k = indices_5(i, dx.shape)
        total = like(dy[n, 0, 0, 0, k], 0)
        for d in range(i * size[0], (i + 1) * size[0]):
            for r in range(j * size[1], (j + 1) * size[1]):
                for c in range(l * size[2], (l + 1) * size[2]):
                    total += dy[n, d, r, c, k]
        dx[n, i, j, l, k] = total


@launcher
def upsample_nearest_backward(dx, dy, size):
    """
    dx[n, i, j, l, k] = sum over the d, r, c that (i, j, l) was copied to of dy[n, ...]

    dx (N, D, R, C, K) out    dy (N, D size[0], R size[1], C size[2], K)
    """
    _upsample_nearest_backward[grid(dx.size)](dx, dy, size)


@inner
def around(place, factor, size):
    """Return the pixels around place / factor, and the rest of that division."""
    before, rest = divmod(place, factor)
    after = min(before + 1, size - 1) if rest else before  # what counts 0 is not read
    return before, after, rest


@entry
def _upsample_bilinear_forward(y, x, size):
    i = cuda.grid(1)
    if i < y.size:
        n, r, c, k = indices_4(i, y.shape)
        top, bottom, down = around(r, size[0], x.shape[1])
        left, right, along = around(c, size[1], x.shape[2])
        one = like(x[n, top, left, k], 1)
        a = like(one, down) / like(one, size[0])
        b = like(one, along) / like(one, size[1])
        above = (one - b) * x[n, top, left, k] + b * x[n, top, right, k]
        below = (one - b) * x[n, bottom, left, k] + b * x[n, bottom, right, k]
        y[n, r, c, k] = (one - a) * above + a * below


@launcher
def upsample_bilinear_forward(y, x, size):
    """
    y[n, r, c, k] = x[n, r / size[0], c / size[1], k], between pixels bilinear

    y (N, R size[0], C size[1], K) out    x (N, R, C, K)
    """
    _upsample_bilinear_forward[grid(y.size)](y, x, size)


@inner
def parts(place, pixel, factor, size):
    """Return how many of `factor` parts of what lies at a place come from a pixel."""
    before, after, rest = around(place, factor, size)
    return (factor - rest if before == pixel else 0) + (rest if after == pixel else 0)


@entry
def _upsample_bilinear_backward(dx, dy, size):
    i = cuda.grid(1)
    if i < dx.size:
        n, i, j, k = indices_4(i, dx.shape)
        total = like(dy[n, 0, 0, k], 0)
        for r in range(max((i - 1) * size[0] + 1, 0), (i + 1) * size[0]):
            down = parts(r, i, size[0], dx.shape[1])
            for c in range(max((j - 1) * size[1] + 1, 0), (j + 1) * size[1]):
                along = parts(c, j, size[1], dx.shape[2])
                total += like(total, down * along) * dy[n, r, c, k]
        dx[n, i, j, k] = total / like(total, size[0] * size[1])


@launcher
def upsample_bilinear_backward(dx, dy, size):
    """
    dx[n, i, j, k] = sum over r, c of dy[n, r, c, k] times the share of (i, j) in (r, c)

    dx (N, R, C, K) out    dy (N, R size[0], C size[1], K)
    """
    _upsample_bilinear_backward[grid(dx.size)](dx, dy, size)
