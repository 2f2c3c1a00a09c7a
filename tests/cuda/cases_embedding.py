"""Arguments for the kernel of embedding's gradient."""

import numpy as np
from cases import case


@case("scatter_rows")
def scatter_rows(rng, dtype):
    for V, N, D in (1, 1, 1), (3, 11, 2), (2, 3, 7), (5, 71, 1):
        dy = rng.normal(size=(N, D)).astype(dtype)
        index = rng.integers(0, V, N).astype(np.int32)
        index[index == 1] = 0  # a row that was not taken
        yield np.ones((V, D), dtype), dy, index
