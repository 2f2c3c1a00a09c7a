"""
The tests of this folder run in a process of their own.

`make test-cuda` runs them in Numba's simulator, `make test-gpu` on a GPU.
"""

import sys
from pathlib import Path

import pytest

from kerasnb import device
from kerasnb.kernels.cuda import array, depthwise, reductions, target

sys.path.insert(0, str(Path(__file__).parent))


def pytest_configure(config):
    """Stop where there is nothing to run on."""
    if not target.is_simulated() and not target.cuda.is_available():
        pytest.exit("no GPU was found; `make test-cuda` needs none", returncode=1)


@pytest.fixture(autouse=True)
def tiny_blocks(monkeypatch):
    """Let the simulator run few threads, in blocks of four, so that tails are met."""
    if target.is_simulated():
        monkeypatch.setattr(target, "THREADS", 4)
        for module in reductions, depthwise:
            monkeypatch.setattr(module, "SHARERS", 100)


@pytest.fixture
def quick(monkeypatch):
    """Let plain kernels stand in for those that the simulator would step through."""
    if target.is_simulated():
        import stand_ins

        monkeypatch.setattr(device, "kernels_of", stand_ins.kernels_of)
        monkeypatch.setattr(array, "_fill", stand_ins.StandIn(stand_ins.fill))
        monkeypatch.setattr(array, "_copy", stand_ins.StandIn(stand_ins.copy))
