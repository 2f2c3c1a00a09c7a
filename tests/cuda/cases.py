"""
Arguments for every kernel, to run its CUDA twin beside the plain definition.

`CASES[name]` is a function of a random generator and a float type; it yields lists of
arguments, arrays of NumPy and numbers. Sizes are small, prime where they can be, and
include 1, so that guards and tails are met. `cases_<module>.py` has those of a module.
"""

import importlib
from pathlib import Path

CASES = {}


def case(*names):
    """Register a function that yields arguments for these kernels."""

    def register(function):
        CASES.update((name, function) for name in names)
        return function

    return register


SIZES = [(1, 1, 1), (5, 3, 7), (13, 17, 11)]


@case("dense_forward", "dense_relu_forward")
def dense_forward(rng, dtype):
    for N, I, O in SIZES:
        x, W, b = (rng.normal(size=s).astype(dtype) for s in ((N, I), (I, O), O))
        yield rng.normal(size=(N, O)).astype(dtype), x, W, b


@case("dense_backward_weights")
def dense_backward_weights(rng, dtype):
    for N, I, O in SIZES:
        shapes = (I, O), O, (N, O), (N, I)
        yield [rng.normal(size=shape).astype(dtype) for shape in shapes]


@case("dense_backward_input")
def dense_backward_input(rng, dtype):
    for N, I, O in SIZES:
        shapes = (N, I), (N, O), (I, O)
        yield [rng.normal(size=shape).astype(dtype) for shape in shapes]


for path in sorted(Path(__file__).parent.glob("cases_*.py")):
    importlib.import_module(path.stem)
