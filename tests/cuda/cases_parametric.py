"""Arguments for the kernels of activations with numbers of their own."""

import numpy as np
from cases import case

SIZES = [(1, 1), (29, 3)]


def register(name, count):
    """Register both kernels of an activation with so many numbers a column."""

    @case(f"{name}_forward")
    def forward(rng, dtype):
        for N, J in SIZES:
            x = rng.normal(size=(N, J)).astype(dtype)
            yield np.ones_like(x), x, *rng.normal(size=(count, J)).astype(dtype)

    @case(f"{name}_backward")
    def backward(rng, dtype):
        for N, J in SIZES:
            dx, dy, x = rng.normal(size=(3, N, J)).astype(dtype)
            outputs, numbers = rng.normal(size=(2, count, J)).astype(dtype)
            yield dx, *outputs, dy, x, *numbers


register("prelu", 1)
register("parametric_softplus", 2)
register("srelu", 4)
