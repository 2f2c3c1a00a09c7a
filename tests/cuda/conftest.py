"""The tests of this folder run in a process of their own: `make test-cuda`."""

import sys
from pathlib import Path

import pytest

from kerasnb.kernels.cuda import target

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def tiny_blocks(monkeypatch):
    """Let the simulator run blocks of four threads, so that tails are met."""
    if target.is_simulated():
        monkeypatch.setattr(target, "THREADS", 4)
