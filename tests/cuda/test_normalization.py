"""Moments of many rows, in the simulator or on a GPU."""

import numpy as np
import pytest

from kerasnb.kernels.cuda import normalization, reductions
from kerasnb.kernels.cuda.array import to_device, zeros
from kerasnb.kernels.cuda.target import is_simulated


@pytest.mark.skipif(not is_simulated(), reason="compiled code keeps its constants")
def test_moments_are_joined_from_chunk_to_chunk(monkeypatch):
    """A thread with more rows than a chunk joins the moments of its chunks."""
    monkeypatch.setattr(normalization, "CHUNK", 3)
    monkeypatch.setattr(reductions, "SHARERS", 4)
    x = 1e3 + np.random.default_rng(0).normal(size=(23, 2)).astype(np.float32)
    mean, variance = zeros(2, np.float32), zeros(2, np.float32)
    normalization.batch_moments(mean, variance, to_device(x))
    exact = x.astype(np.float64)
    np.testing.assert_allclose(mean.copy(), exact.mean(0), 1e-6)
    np.testing.assert_allclose(variance.copy(), exact.var(0), 1e-4)
