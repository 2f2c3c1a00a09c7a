"""The words for vector registers, compiled and stepped."""

import numba
import numpy as np
import pytest

from kerasnb.kernels.cpu.simd import (
    REGISTER_BYTES,
    broadcast,
    fma,
    lanes,
    load,
    load_one,
    store,
    store_one,
    turn_square,
    zero,
)
from kerasnb.kernels.cpu.tile import ROWS, packing_tile, tile


@numba.njit
def multiply_add(y, a, b, c):
    """y = a[0] b + c, for one register."""
    store(y, 1, fma(broadcast(a, 0), load(b, 2), load(c, 3)))


@numba.njit
def clear(y):
    """Write one register of zeros."""
    store(y, 0, zero(y))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_register_multiplies_and_adds_all_its_lanes(dtype):
    """Loads and stores start anywhere and touch nothing else."""
    L = REGISTER_BYTES // np.dtype(dtype).itemsize
    a, b, c = np.random.default_rng(0).normal(size=(3, L + 4)).astype(dtype)
    assert lanes(a) == L
    y = np.full(L + 4, 7, dtype)
    multiply_add(y, a, b, c)
    expected = a[0] * b[2 : 2 + L] + c[3 : 3 + L]
    np.testing.assert_allclose(y[1 : 1 + L], expected, rtol=1e-5)
    assert y[0] == 7 and (y[1 + L :] == 7).all()
    clear(y)
    assert not y[:L].any() and (y[1 + L :] == 7).all()


@numba.njit
def turn(y, a, rows):
    """Turn a square of a, which begins at 1 with so many numbers in a row, to y[2]."""
    turn_square(y, 2, rows + 1, a, 1, rows)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_square_of_registers_is_turned_over(dtype):
    """Rows become columns, whatever the steps; between them nothing is touched."""
    L = REGISTER_BYTES // np.dtype(dtype).itemsize
    rows = L + 3
    a = np.arange(1 + L * rows, dtype=dtype)
    y = np.full(2 + L * (rows + 1), -1, dtype)
    turn(y, a, rows)
    there = y[2:].reshape(L, rows + 1)
    np.testing.assert_array_equal(there[:, :L], a[1:].reshape(L, rows)[:, :L].T)
    assert (there[:, L:] == -1).all() and (y[:2] == -1).all()


@numba.njit
def move(y, i, a, j):
    """y[i] = a[j]"""
    store_one(y, i, load_one(a, j))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_one_number_moves_and_its_neighbours_stay(dtype):
    """A single load and store touch one element each."""
    a, y = np.arange(4, dtype=dtype), np.full(4, 7, dtype)
    move(y, 2, a, 3)
    assert y.tolist() == [7, 7, 3, 7]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_tile_is_twelve_registers_of_sums(dtype):
    """c = start + sum over (o, k) of a b, any strides; b is packed where asked for."""
    w = 2 * REGISTER_BYTES // np.dtype(dtype).itemsize
    outer, K = 3, 5
    rng = np.random.default_rng(0)
    a = rng.normal(size=(outer, K, ROWS)).astype(dtype)
    b = rng.normal(size=(outer * K, w)).astype(dtype)
    start = rng.normal(size=(ROWS, w)).astype(dtype)
    c = np.full((ROWS, w + 1), 7, dtype)
    jumps = np.arange(outer) * K * ROWS
    arguments = (start.reshape(-1), 0, w, a.reshape(-1), *range(ROWS), ROWS, jumps, 0)
    tile(c.reshape(-1), 0, w + 1, *arguments, b.reshape(-1), 0, w, outer, K)
    expected = start + a.reshape(outer * K, ROWS).T @ b
    np.testing.assert_allclose(c[:, :w], expected, rtol=1e-4)
    assert (c[:, w] == 7).all()
    sums, panel = c.copy(), np.full(outer * K * w + 1, 7, dtype)
    c[...] = 7
    arguments += (b.reshape(-1), 0, w, outer, K, panel, 1, True)
    packing_tile(c.reshape(-1), 0, w + 1, *arguments)
    assert (c == sums).all() and panel[0] == 7
    assert (panel[1:].reshape(b.shape) == b).all()
