"""Arguments for the kernels of the optimizers."""

import numpy as np
from cases import case

STEPS = {  # a letter for each memory, and the numbers
    "sgd": ("", (0.1,)),
    "momentum": ("v", (0.1, 0.9)),
    "nesterov": ("v", (0.1, 0.9)),
    "rmsprop": ("+", (0.01, 0.9, 1e-7)),
    "adagrad": ("+", (0.01, 1e-7)),
    "adadelta": ("++", (1.0, 0.95, 1e-7)),
    "adam": ("v+", (0.01, 0.9, 0.999, 1e-7)),
    "amsgrad": ("v++", (0.01, 0.9, 0.999, 1e-7)),
    "adamax": ("v+", (0.01, 0.9, 0.999, 1e-7)),
    "nadam": ("v+", (0.01, 0.02, 0.9, 0.999, 1.3, 1e-7)),
}


def register(name, memories, numbers):
    """Register a step: '+' is a memory that is never negative."""

    @case(f"{name}_update")
    def update(rng, dtype):
        for N in 1, 11:
            p, g = rng.normal(size=(2, N)).astype(dtype)
            g[1:2] = 0
            kept = [rng.normal(size=N).astype(dtype) for _ in memories]
            kept = [abs(a) if kind == "+" else a for a, kind in zip(kept, memories)]
            yield p, *kept, g, *numbers


for name, (memories, numbers) in STEPS.items():
    register(name, memories, numbers)


@case("squares_by_block")
def squares_by_block(rng, dtype):
    yield np.ones(64), rng.normal(size=131).astype(dtype)


@case("clip_by_norm")
def clip_by_norm(rng, dtype):
    g, sums = rng.normal(size=11).astype(dtype), rng.random(64)
    for limit in 0.5, float(np.sqrt(sums.sum())) * 1.001, 100.0:
        yield g, sums, limit


@case("clip_by_value")
def clip_by_value(rng, dtype):
    yield np.array([-2, -0.5, 0, 0.5, 2, np.inf, np.nan], dtype), 0.5


@case("keep_unless")
def keep_unless(rng, dtype):
    for N in 1, 11:
        for count in 0.0, 3.0:
            yield *rng.normal(size=(2, N)).astype(dtype), np.array([count])
