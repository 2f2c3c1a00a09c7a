"""Settings that every test shares."""

import importlib.util
import os
import sys
import warnings

import matplotlib
import numba
import pytest
from hypothesis import settings

import kerasnb

matplotlib.use("Agg")
EXAMPLES = 5 if numba.config.DISABLE_JIT else 20
settings.register_profile(
    "kerasnb", derandomize=True, deadline=None, max_examples=EXAMPLES, database=None
)
settings.load_profile("kerasnb")


@pytest.fixture(autouse=True)
def fresh_start():
    """Every test starts with the same random numbers, names, precision, no figure."""
    if "matplotlib.pyplot" in sys.modules:  # which keeps figures until they are closed
        sys.modules["matplotlib.pyplot"].close("all")
    kerasnb.set_seed(0)
    kerasnb.reset_names()
    yield
    kerasnb.set_floatx("float32")
    kerasnb.set_device("cpu")


@pytest.fixture
def float64():
    """Layers made in the test compute in float64."""
    kerasnb.set_floatx("float64")


@pytest.fixture(scope="session")
def keras():
    """Keras 3, with whichever backend is there; otherwise the test is skipped."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # idle threads would spin
    for backend in ("jax", "torch", "tensorflow"):
        if importlib.util.find_spec(backend):
            os.environ.setdefault("KERAS_BACKEND", backend)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("keras", minversion="3.0", exc_type=ImportError)
