"""Sums of many numbers on the device, in one launch and in two."""

import numpy as np
import pytest

from kerasnb.kernels.cuda import reductions
from kerasnb.kernels.cuda.array import to_device, zeros
from kerasnb.kernels.cuda.target import cuda, entry, like


@entry
def _sum_of_products(sums, x, y):
    room = cuda.shared.array(reductions.ROOM, sums.dtype)
    start, stop = reductions.share_of_block(x.size)
    total = like(sums[0], 0)
    for i in range(start + cuda.threadIdx.x, stop, cuda.blockDim.x):
        total += like(total, x[i]) * like(total, y[i])
    total = reductions.sum_over_block(total, room)
    if cuda.threadIdx.x == 0:
        sums[cuda.blockIdx.x] = total


@pytest.fixture(autouse=True)
def short_sums(monkeypatch):
    """Let sums of few numbers take two launches."""
    monkeypatch.setattr(reductions, "DEEP", 8)
    monkeypatch.setattr(reductions, "BLOCKS", 5)


@pytest.mark.parametrize("M, F", [(1, 1), (8, 3), (9, 1), (67, 3)])
def test_column_sums_have_the_same_bits_every_time(M, F):
    """Whole numbers add up exactly in any order; others the same way each time."""
    x = np.random.default_rng(0).integers(-99, 99, (M, F)).astype(np.float32)
    out = zeros(F, np.float32)
    reductions.column_sums(out, to_device(x))
    np.testing.assert_array_equal(out.copy(), x.sum(0))
    x, again = to_device(np.sin(x)), zeros(F, np.float32)
    reductions.column_sums(out, x)
    reductions.column_sums(again, x)
    assert out.copy().tobytes() == again.copy().tobytes()
    np.testing.assert_allclose(out.copy(), x.copy().sum(0), 1e-4, 1e-4)


@pytest.mark.parametrize("N", [1, 8, 9, 67])
def test_a_sum_over_a_whole_array_may_be_more_precise_than_its_terms(N):
    """Products of float32 numbers, summed in float64: numpy's to the last digits."""
    x, y = np.random.default_rng(0).normal(size=(2, N)).astype(np.float32)
    out = zeros(1, np.float64)
    reductions.sum_whole(_sum_of_products, out, N, to_device(x), to_device(y))
    np.testing.assert_allclose(out.copy()[0], x.astype(float) @ y.astype(float), 1e-12)
