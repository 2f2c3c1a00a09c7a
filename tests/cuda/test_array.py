"""Arrays on the device against NumPy's, in the simulator or on a GPU."""

import numpy as np
import pytest

from kerasnb.kernels.cuda import target
from kerasnb.kernels.cuda.array import Array, to_device, trips, zeros


def test_views_see_what_the_whole_sees():
    """Slices and reshapes are views: writing through one changes the other."""
    x = np.arange(24, dtype=np.float32).reshape(4, 6)
    d = to_device(x)
    part = d[1:3].reshape(2, 2, 3)
    part[...] = 7
    x[1:3] = 7
    np.testing.assert_array_equal(d.copy(), x)
    d[:, ::-2][...] = 5
    x[:, ::-2] = 5
    np.testing.assert_array_equal(d.copy(), x)
    d[2, 3], x[2, 3] = -1, -1
    np.testing.assert_array_equal(np.asarray(d), x)
    np.testing.assert_array_equal(d[::-1, 1].copy(), x[::-1, 1])


def test_numpy_works_on_the_host():
    """A ufunc, an output, an operator in place, a function: the same numbers."""
    x = np.linspace(-1, 1, 7)
    d, y = to_device(x), zeros(7, np.float64)
    np.exp(d, out=y)
    np.testing.assert_array_equal(y.copy(), np.exp(x))
    y -= 2 * d
    np.testing.assert_array_equal(y.copy(), np.exp(x) - 2 * x)
    np.testing.assert_array_equal(np.concatenate([d, x]), np.concatenate([x, x]))
    assert isinstance(y, Array) and y.max() == (np.exp(x) - 2 * x).max()


def test_filling_and_copying_stay_on_the_device():
    """`a[...] = number` and `a[...] = b` of the same shape make no trip."""
    a, b = zeros((3, 4), np.float32), to_device(np.ones((3, 4), np.float32))
    before = dict(trips)
    a[...] = b
    a[1] = 3
    a[2, 1:3] = b[0, :2]
    a[0] = 2
    a[::-1, 3] = a[:, 0]
    b[...] = a[1].reshape(1, 4)
    assert trips == before
    np.testing.assert_array_equal(a.copy(), [[2, 2, 2, 1], [3] * 4, [1, 1, 1, 2]])
    np.testing.assert_array_equal(b.copy(), [[3] * 4] * 3)


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (0, 2, 0), (0, 0, 0), (3, 2)])
def test_kernels_see_one_empty_axis_at_most(shape):
    """With two of them Numba would take the array for one with gaps."""
    found = to_device(np.zeros(shape, np.float32)).raw
    assert found.size == np.prod(shape) and found.shape.count(0) <= 1
    if not target.is_simulated():
        assert found.flags["C_CONTIGUOUS"]
