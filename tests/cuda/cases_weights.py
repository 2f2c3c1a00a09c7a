"""Arguments for the kernels of penalties and constraints."""

import numpy as np
from cases import case

PENALTIES = [(0.3, 0.0), (0.0, 0.2), (0.3, 0.2)]


@case("l1l2_penalty")
def l1l2_penalty(rng, dtype):
    for N in 1, 11:
        w = rng.normal(size=N).astype(dtype)
        for l1, l2 in PENALTIES:
            yield np.ones(1), w, l1, l2
    yield np.ones(1), np.array([1, np.inf], dtype), 0.0, 0.5
    yield np.ones(1), np.array([1, np.nan], dtype), 0.1, 0.0


@case("l1l2_gradient")
def l1l2_gradient(rng, dtype):
    w = np.array([-1.3, 0.0, 0.4, 7.0, np.nan], dtype)
    for l1, l2 in PENALTIES:
        yield rng.normal(size=5).astype(dtype), w, l1, l2


@case("limit_norms")
def limit_norms(rng, dtype):
    for shape in (1, 1, 1, 1, 1, 1), (1, 7, 3, 1, 1, 1), (2, 1, 2, 3, 2, 5):
        w = rng.normal(size=shape).astype(dtype)
        for limits in (0.0, 0.5, 1.0), (2.0, 3.0, 0.7), (1.0, 1.0, 1.0):
            yield w, *limits, 1e-7
    w = np.array([0, 0, np.nan, 1], dtype).reshape(1, 1, 2, 2, 1, 1)
    yield w, 1.0, 1.0, 1.0, 1e-7
