"""
Every CUDA kernel beside its plain definition, on the same arguments.

Without a GPU the kernels run in Numba's simulator (`NUMBA_ENABLE_CUDASIM=1`, before the
first import), with blocks of a few threads, so that guards and tails are met.
"""

import inspect

import numpy as np
import pytest
from cases import CASES

from kerasnb import device
from kerasnb.kernels.cuda.array import Array, to_device

PLAIN, CUDA = device.kernels_of("plain"), device.kernels_of("cuda")
TOLERANCE = {"float32": 2e-5, "float64": 1e-12}  # sums in another order


def test_both_devices_have_the_same_kernels():
    """The namespaces agree in names and parameters."""
    parameters = [
        {name: list(inspect.signature(k).parameters) for name, k in kernels.items()}
        for kernels in (PLAIN, CUDA)
    ]
    assert parameters[0] == parameters[1]
    assert set(CASES) == set(PLAIN)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", sorted(set(CASES) & set(CUDA)))
def test_cuda_agrees_with_plain(name, dtype):
    """All arrays end up alike: outputs filled, inputs untouched."""
    for arguments in CASES[name](np.random.default_rng(0), dtype):
        expected = [np.copy(a) if isinstance(a, np.ndarray) else a for a in arguments]
        there = [to_device(a) if isinstance(a, np.ndarray) else a for a in arguments]
        PLAIN[name](*expected)
        CUDA[name](*there)
        for k, (a, b) in enumerate(zip(there, expected)):
            if isinstance(a, Array):
                largest = np.abs(b[np.isfinite(b)]).max(initial=1.0)
                np.testing.assert_allclose(
                    a.copy(), b, TOLERANCE[dtype], TOLERANCE[dtype] * largest,
                    err_msg=f"argument {k} of {[np.shape(x) for x in arguments]}",
                )  # fmt: skip
