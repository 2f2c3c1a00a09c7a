"""
The fast form of convolution: a matrix product whose matrix is never made.

Below each window of the output lies a row of numbers of the input, P Q S K of them; a
convolution is the product of the matrix of these rows with the weights. The threads of
a tile find their numbers in the images when they need them, and count places and
windows on, digit by digit, so that nobody divides. The gradient of the weights takes
the same matrix turned; that of the input is a convolution of dz with the turned
weights, whose windows step backwards: j = r stride + q dilation - padding solved for r.
Cells that lie a stride apart are seen through the same places of a window: each such
class of cells is a product of its own. Read next: `product.py` and `tile.py`.
"""

import functools
import math

import numpy as np

from .indices import indices_5
from .product import DEEPEST, matrix, multiply, multiply_each
from .reductions import scratch
from .target import cuda, entry, grid, part
from .tile import SUM, SUM_AND_BIAS, Operand
from .vectors import are_fours, four, one


@part
def count_on(digits, by, sizes):
    """Return four digits counted on, where the last three have these sizes."""
    a, b, c, d = digits
    d = np.int32(d + by)
    while d >= sizes[2]:
        d = np.int32(d - sizes[2])
        c = np.int32(c + 1)
    while c >= sizes[1]:
        c = np.int32(c - sizes[1])
        b = np.int32(b + 1)
    while b >= sizes[0]:
        b = np.int32(b - sizes[0])
        a = np.int32(a + 1)
    return a, b, c, d


@part
def digits_of(number, sizes):
    """Return the four digits of a number, where the last three have these sizes."""
    number, d = divmod(number, sizes[2])
    number, c = divmod(number, sizes[1])
    number, b = divmod(number, sizes[0])
    return np.int32(number), np.int32(b), np.int32(c), np.int32(d)


@part
def class_of(z, strides):
    """Return slice, row and column of the class with that number."""
    rest, c = divmod(z, strides[2])
    d, r = divmod(rest, strides[1])
    return d, r, c


@functools.cache
def windows(along_depth, by_fours, by_classes=False):
    """
    Return the operand that is the matrix of images below windows.

    Its rows are the places (n, d, r, c) of the output, its columns the (p, q, s, k) of
    a window; `along_depth` says that the depth of the product runs along the columns.
    sizes: of the images, of the output, of the windows, and the geometry. If it is
    `by_classes`, there are such columns for each class in turn, `share` of them; sizes
    ends with the strides, what a class adds to d, r and c, and the share.

    State: a row and a column, as digits.
    """

    @part
    def begin(edge, k, sizes):
        if by_classes:
            strides, bases, share = sizes[6:9]
            z = min(k // share, strides[0] * strides[1] * strides[2] - 1)
            n, d, r, c = digits_of(edge, sizes[1])
            z_d, z_r, z_c = class_of(z, strides)
            d = np.int32(d + bases[0][z_d])
            r = np.int32(r + bases[1][z_r])
            c = np.int32(c + bases[2][z_c])
            return (n, d, r, c), digits_of(k - z * share, sizes[2])
        row, column = (edge, k) if along_depth else (k, edge)
        return digits_of(row, sizes[1]), digits_of(column, sizes[2])

    @part
    def find(at, place, sizes):
        """Return where x[n, i, j, l, k] is, or -1 if it is outside."""
        (N, I, J, L, K), _, window, step, dilation, padding = sizes[:6]
        n, d, r, c = at
        p, q, s, k = place
        i = d * step[0] + p * dilation[0] - padding[0]
        j = r * step[1] + q * dilation[1] - padding[1]
        l = c * step[2] + s * dilation[2] - padding[2]
        inside = 0 <= i < I and 0 <= j < J and 0 <= l < L
        if inside and n < N and p < window[3]:
            return (((n * I + i) * J + j) * L + l) * K + k
        return -1

    @part
    def fetch(x, state, sizes):
        at, place = state
        zero = x.dtype.type(0)
        w = find(at, place, sizes)
        if by_fours:
            if w >= 0:
                return four(x, w)
            return zero, zero, zero, zero
        place = count_on(place, 1, sizes[2])
        w1 = find(at, place, sizes)
        place = count_on(place, 1, sizes[2])
        w2 = find(at, place, sizes)
        place = count_on(place, 1, sizes[2])
        w3 = find(at, place, sizes)
        return (
            one(x, w) if w >= 0 else zero,
            one(x, w1) if w1 >= 0 else zero,
            one(x, w2) if w2 >= 0 else zero,
            one(x, w3) if w3 >= 0 else zero,
        )

    @part
    def onward(state, depth, sizes):
        at, place = state
        if along_depth:
            return at, count_on(place, depth, sizes[2])
        return count_on(at, depth, sizes[1]), place

    return Operand(along_depth, begin, fetch, onward)


def images(x, along_depth, places, window, step, dilation, padding):
    """Return images x below windows (P, Q, S) as an operand and its sizes."""
    P, Q, S = window
    K = x.shape[4]
    sizes = x.shape, places, (Q, S, K, P), step, dilation, padding
    return windows(along_depth, are_fours(x, K)), sizes


# ---- launches ---------------------------------------------------------------------


def implicit_forward(y, x, W, b, stride, dilation, padding):
    """y[n, d, r, c, f] = b[f] + sum_(p, q, s, k) x[n, i, j, l, k] W[p, q, s, k, f]"""
    F = W.shape[4]
    window = W.shape[:3]
    W = W.reshape(-1, F)
    left, a_sizes = images(x, True, y.shape[1:4], window, stride, dilation, padding)
    right, b_sizes = matrix(W, False)
    shape = y.size // F, F, W.shape[0]
    flat = (a.reshape(-1) for a in (y, x, W))
    multiply(*flat, b, SUM_AND_BIAS, shape, left, right, a_sizes, b_sizes)


def implicit_backward_weights(dW, dz, x, stride, dilation, padding):
    """dW[p, q, s, k, f] = sum_(n, d, r, c) x[n, i, j, l, k] dz[n, d, r, c, f]"""
    F = dW.shape[4]
    places, dz = dz.shape[1:4], dz.reshape(-1, F)
    left, a_sizes = images(x, False, places, dW.shape[:3], stride, dilation, padding)
    right, b_sizes = matrix(dz, False)
    shape = dW.size // F, F, dz.shape[0]
    flat = [a.reshape(-1) for a in (dW, x, dz)]
    multiply(*flat, flat[1], SUM, shape, left, right, a_sizes, b_sizes)


@entry
def _turn(turned, W):
    t, f = divmod(cuda.grid(1), W.shape[2])
    t, k = divmod(t, W.shape[1])
    if t < W.shape[0]:
        turned[t, f, k] = W[t, k, f]


def implicit_backward_input(dx, dz, W, b, stride, dilation, padding):
    """dx[n, i, j, l, k] = b[k] + sum_(d, r, c, p, q, s, f) dz[n, d, r, c, f] W[...]"""
    if tuple(stride) != (1, 1, 1):
        strided_backward_input(dx, dz, W, b, stride, dilation, padding)
        return
    window, (K, F) = W.shape[:3], W.shape[3:]
    W = W.reshape(-1, K, F)
    turned = scratch("turned", (W.shape[0], F, K), W.dtype)
    _turn[grid(W.size)](turned, W)
    turned = turned.reshape(-1, K)
    backwards = [tuple(-v for v in steps) for steps in (dilation, padding)]
    left, a_sizes = images(dz, True, dx.shape[1:4], window, (1, 1, 1), *backwards)
    right, b_sizes = matrix(turned, False)
    shape = dx.size // K, K, turned.shape[0]
    flat = (a.reshape(-1) for a in (dx, dz, turned))
    multiply(*flat, b, SUM_AND_BIAS, shape, left, right, a_sizes, b_sizes)


# ---- the gradient of the input, where windows step by more than one ---------------


def classes(Q, stride, dilation, padding):
    """
    Return how the cells of an axis that lie `stride` apart are seen, class by class.

    Place a of class z is cell z + a stride. It is seen through place first + t step of
    the window from r = base + a - t apart. Return all firsts and all bases, how many t
    there are at most, step and apart.
    """
    common = math.gcd(stride, dilation)
    step, apart = stride // common, dilation // common
    firsts, bases = [], []
    for z in range(stride):
        seen = (q for q in range(step) if (z + padding - q * dilation) % stride == 0)
        firsts.append(next(seen, Q))  # Q: through none
        bases.append((z + padding - firsts[-1] * dilation) // stride)
    return tuple(firsts), tuple(bases), -(-Q // step), step, apart


@entry
def _turn_by_classes(turned, W, firsts, steps, strides, taps, share):
    row, k = divmod(cuda.grid(1), turned.shape[1])
    if row < turned.shape[0]:
        z, column = divmod(row, share)
        z_d, z_r, z_c = class_of(z, strides)
        p, q, s, f = digits_of(column, taps)
        is_there = p < taps[3]
        p = firsts[0][z_d] + p * steps[0]
        q = firsts[1][z_r] + q * steps[1]
        s = firsts[2][z_c] + s * steps[2]
        if is_there and p < W.shape[0] and q < W.shape[1] and s < W.shape[2]:
            turned[row, k] = W[p, q, s, k, f]
        else:
            turned[row, k] = 0


@entry
def _weave(dx, by_class, b, strides, places):
    at = cuda.grid(1)
    if at < dx.size:
        n, i, j, l, k = indices_5(at, dx.shape)
        d, z_d = divmod(i, strides[0])
        r, z_r = divmod(j, strides[1])
        c, z_c = divmod(l, strides[2])
        z = (z_d * strides[1] + z_r) * strides[2] + z_c
        m = ((n * places[0] + d) * places[1] + r) * places[2] + c
        dx[n, i, j, l, k] = b[k] + by_class[z, m, k]


def strided_backward_input(dx, dz, W, b, strides, dilation, padding):
    """As `implicit_backward_input`: a product for each class of cells, then woven."""
    N, K, F, Z = dx.shape[0], dx.shape[4], dz.shape[4], math.prod(strides)
    axes = zip(W.shape[:3], strides, dilation, padding)
    firsts, bases, taps, steps, apart = zip(*(classes(*axis) for axis in axes))
    places = tuple(-(-size // v) for size, v in zip(dx.shape[1:4], strides))
    share = -(-math.prod(taps) * F // DEEPEST) * DEEPEST
    digits = taps[1], taps[2], F, taps[0]
    turned = scratch("turned", (Z * share, K), W.dtype)
    _turn_by_classes[grid(turned.size)](
        turned, W, firsts, steps, strides, digits, share
    )
    backwards = tuple(-v for v in apart)
    steps = (1, 1, 1), backwards, (0, 0, 0)
    left = windows(True, are_fours(dz, F), True)
    a_sizes = dz.shape, places, digits, *steps, strides, bases, share
    right, b_sizes = matrix(turned, False)
    M = N * math.prod(places)
    room = 1 << (Z * M * K - 1).bit_length()
    by_class = scratch("product", (room,), dx.dtype)[: Z * M * K].reshape(Z, M, K)
    flat = (a.reshape(-1) for a in (by_class, dz, turned))
    multiply_each(*flat, (Z, M, K, share), left, right, a_sizes, b_sizes)
    _weave[grid(dx.size)](dx, by_class, b, strides, places)
