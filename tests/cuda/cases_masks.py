"""Arguments for the kernels of masks and sample weights."""

import numpy as np
from cases import case


@case("masking_forward")
def masking_forward(rng, dtype):
    for S, D in (1, 1), (3, 7):
        x = rng.choice([0.5, 1.0], (S, D)).astype(dtype)
        x[1:2] = 0.5
        yield np.ones_like(x), np.ones(S, bool), x, 0.5
        yield np.ones_like(x), np.ones(S, bool), x, 0.0


@case("masking_backward")
def masking_backward(rng, dtype):
    for S, D in (1, 1), (3, 7):
        dx, dy = rng.normal(size=(2, S, D)).astype(dtype)
        yield dx, dy, rng.random(S) < 0.5


@case("masks_any")
def masks_any(rng, dtype):
    for S, M in (1, 1), (5, 3):
        yield np.ones(S, bool), rng.random((S, M)) < 0.3


@case("sample_coefficients")
def sample_coefficients(rng, dtype):
    for R, Q, P in (1, 1, 1), (15, 5, 15), (14, 14, 7), (6, 1, 2):
        c, w = np.ones(R, dtype), rng.random(Q).astype(dtype)
        w[1:2] = 0
        for mask in rng.random(P) < 0.6, rng.integers(0, 3, P).astype(dtype):
            mask[0] = True
            yield c, np.ones(1), w, mask, 0.7
    yield np.ones(3, dtype), np.ones(1), np.ones(1, dtype), np.zeros(3, bool), 1.0
