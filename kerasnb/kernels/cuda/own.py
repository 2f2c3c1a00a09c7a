"""
Formulas of a user's own, compiled for the device: one thread owns one number or row.

A formula of single numbers and its derivative, given to `with_gradient`, become entries
here; functions that are written with NumPy run on the host instead. Read next:
`functions.py`, where they are given.
"""

import functools

from .target import compiled_for_device, cuda, entry, grid, like


@functools.cache
def value_of(formula, count):
    """Return the entry of y[i] = f(a[i], ...) for one to three arrays."""
    f = compiled_for_device(formula)

    @entry
    def one(y, a):
        i = cuda.grid(1)
        if i < y.size:
            y[i] = f(a[i])

    @entry
    def two(y, a, b):
        i = cuda.grid(1)
        if i < y.size:
            y[i] = f(a[i], b[i])

    @entry
    def three(y, a, b, c):
        i = cuda.grid(1)
        if i < y.size:
            y[i] = f(a[i], b[i], c[i])

    return (one, two, three)[count - 1]


@functools.cache
def slope_of(derivative):
    """Return the entry of dz[i] = dy[i] df(z[i])."""
    df = compiled_for_device(derivative)

    @entry
    def slope(dz, dy, z):
        i = cuda.grid(1)
        if i < dz.size:
            dz[i] = dy[i] * like(z[i], df(z[i]))

    return slope


@functools.cache
def rows_of(formula):
    """Return the entry of s[r] = the mean over c of f(t[r, c], p[r, c])."""
    f = compiled_for_device(formula)

    @entry
    def rows(s, t, p):
        r = cuda.grid(1)
        if r < s.size:
            total = like(p[r, 0], 0.0)
            for c in range(p.shape[1]):
                total += like(total, f(t[r, c], p[r, c]))
            s[r] = total / like(total, p.shape[1])

    return rows


@functools.cache
def rows_slope_of(derivative):
    """Return the entry of dp[r, c] = ds[r] df(t[r, c], p[r, c]) / C."""
    df = compiled_for_device(derivative)

    @entry
    def slope(dp, ds, t, p):
        r, c = divmod(cuda.grid(1), p.shape[1])
        if r < p.shape[0]:
            share = ds[r] / like(ds[r], p.shape[1])
            dp[r, c] = share * like(share, df(t[r, c], p[r, c]))

    return slope


def fill(y, formula, *arrays):
    """Fill y with the values of a formula of numbers of arrays of its shape."""
    flat = [a.reshape(-1) for a in (y, *arrays)]
    value_of(formula, len(arrays))[grid(y.size)](*flat)


def fill_slope(dz, derivative, dy, z):
    """Fill dz with dy df(z)."""
    slope_of(derivative)[grid(z.size)](*(a.reshape(-1) for a in (dz, dy, z)))


def fill_rows(s, formula, t, p):
    """Fill s with the means of a formula over the rows of t and p, (R, C)."""
    rows_of(formula)[grid(s.size)](s, t, p)


def fill_rows_slope(dp, derivative, ds, t, p):
    """Fill dp with the gradient of those means, given that of s."""
    rows_slope_of(derivative)[grid(p.size)](dp, ds, t, p)
