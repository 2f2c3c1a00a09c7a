"""
Kernels that change the size of images: cropping, padding, up-sampling.

N samples, D slices, R rows, C columns, K channels; for cropping and padding a pixel is
K columns. `crop_images` and `pad_images` are each other's gradient; an up-sampling
sends the gradient back the ways that its numbers came. Read next: `resizing.py`, the
layers.
"""

from numba import prange

from ..jit import inner, kernel, like


@kernel
def crop_images(y, x, before):
    """
    y[n, d, r, c] = x[n, d + before[0], r + before[1], c + before[2]]

    y (N, D, R, C) out    x (N, D or more, R or more, C or more)
    """
    N, D, R, C = y.shape
    for n in prange(N):
        for d in range(D):
            for r in range(R):
                i, j, l = d + before[0], r + before[1], before[2]
                kept = x[n, i, j, l : l + C]
                for c in range(C):
                    y[n, d, r, c] = kept[c]


@kernel
def pad_images(y, x, before):
    """
    y[n, d + before[0], r + before[1], c + before[2]] = x[n, d, r, c],   0 elsewhere

    y (N, D or more, R or more, C or more) out    x (N, D, R, C)
    """
    N, D, R, C = x.shape
    for n in prange(N):
        for d in range(y.shape[1]):
            for r in range(y.shape[2]):
                for c in range(y.shape[3]):
                    y[n, d, r, c] = 0
        for d in range(D):
            for r in range(R):
                i, j, l = d + before[0], r + before[1], before[2]
                inside = y[n, i, j, l : l + C]
                for c in range(C):
                    inside[c] = x[n, d, r, c]


@kernel
def upsample_nearest_forward(y, x, size):
    """
    y[n, d, r, c, k] = x[n, d // size[0], r // size[1], c // size[2], k]

    y (N, D size[0], R size[1], C size[2], K) out    x (N, D, R, C, K)
    """
    N, D, R, C, K = y.shape
    for n in prange(N):
        for d in range(D):
            for r in range(R):
                for c in range(C):
                    i, j, l = d // size[0], r // size[1], c // size[2]
                    for k in range(K):
                        y[n, d, r, c, k] = x[n, i, j, l, k]


@kernel(work=lambda dx, dy, size: dy.size)
def upsample_nearest_backward(dx, dy, size):
    """
    dx[n, i, j, l, k] = sum over the d, r, c that (i, j, l) was copied to of dy[n, ...]

    dx (N, D, R, C, K) out    dy (N, D size[0], R size[1], C size[2], K)
    """
    N, D, R, C, K = dy.shape
    for n in prange(N):
        for i in range(dx.shape[1]):
            for j in range(dx.shape[2]):
                for l in range(dx.shape[3]):
                    for k in range(K):
                        dx[n, i, j, l, k] = 0
        for d in range(D):
            for r in range(R):
                for c in range(C):
                    i, j, l = d // size[0], r // size[1], c // size[2]
                    for k in range(K):
                        dx[n, i, j, l, k] += dy[n, d, r, c, k]


@inner
def between(place, factor, size):
    """Return the pixels around place / factor, and the share of the one after."""
    before, rest = place // factor, place % factor
    after = min(before + 1, size - 1) if rest else before  # what counts 0 is not read
    return before, after, rest / factor


@inner
def add_share(total, part, share):
    """total[k] = total[k] + share part[k]"""
    for k in range(len(total)):
        total[k] += like(part[k], share) * part[k]


@kernel
def upsample_bilinear_forward(y, x, size):
    """
    y[n, r, c, k] = x[n, r / size[0], c / size[1], k], between pixels bilinear

    y (N, R size[0], C size[1], K) out    x (N, R, C, K)
    """
    N, R, C, K = y.shape
    for n in prange(N):
        for r in range(R):
            top, bottom, down = between(r, size[0], x.shape[1])
            for c in range(C):
                left, right, along = between(c, size[1], x.shape[2])
                a, b = like(x[n, top, left, 0], down), like(x[n, top, left, 0], along)
                one = like(x[n, top, left, 0], 1)
                for k in range(K):
                    above = (one - b) * x[n, top, left, k] + b * x[n, top, right, k]
                    below = (one - b) * x[n, bottom, left, k]
                    below += b * x[n, bottom, right, k]
                    y[n, r, c, k] = (one - a) * above + a * below


@kernel(work=lambda dx, dy, size: dy.size)
def upsample_bilinear_backward(dx, dy, size):
    """
    dx[n, i, j, k] = sum over r, c of dy[n, r, c, k] times the share of (i, j) in (r, c)

    dx (N, R, C, K) out    dy (N, R size[0], C size[1], K)
    """
    N, R, C, K = dy.shape
    for n in prange(N):
        for i in range(dx.shape[1]):
            for j in range(dx.shape[2]):
                for k in range(K):
                    dx[n, i, j, k] = 0
        for r in range(R):
            top, bottom, down = between(r, size[0], dx.shape[1])
            for c in range(C):
                left, right, along = between(c, size[1], dx.shape[2])
                add_share(dx[n, top, left], dy[n, r, c], (1 - down) * (1 - along))
                add_share(dx[n, top, right], dy[n, r, c], (1 - down) * along)
                add_share(dx[n, bottom, left], dy[n, r, c], down * (1 - along))
                add_share(dx[n, bottom, right], dy[n, r, c], down * along)
