"""Random numbers on the device: the same bits as everywhere."""

import numpy as np
import pytest

from kerasnb import device
from kerasnb.kernels.cuda.array import to_device, zeros
from kerasnb.kernels.plain.random import GROUP

PLAIN, CUDA = device.kernels_of("plain"), device.kernels_of("cuda")
STARTS = [(0, 0), (7, 2**32 - 3), (2**63 - 1, 2**40 + 3)]  # key and counter


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize(
    "name, dtype, numbers",
    [
        ("random_permutation", "int64", ()),
        ("random_uniform", "float32", (0.0, 1.0)),
    ],
)
def test_bits_are_those_of_plain(name, dtype, numbers, start):
    """Words, permutations and numbers from 0 to 1 are equal, bit for bit."""
    expected, found = np.ones(16 * GROUP, dtype), zeros(16 * GROUP, dtype)
    PLAIN[name](expected, *numbers, *start)
    CUDA[name](found, *numbers, *start)
    np.testing.assert_array_equal(found.copy(), expected)


@pytest.mark.parametrize("start", STARTS)
def test_dropout_draws_on_where_it_ended(start):
    """Two calls leave the state and the words that `dropout_words` gives for them."""
    x, y = zeros(10, np.float32), zeros(10, np.float32)
    words = zeros(8 * GROUP, np.uint16)
    state = to_device(np.array(start, np.uint64))
    key, counter = start
    expected, on_host = np.ones(8 * GROUP, np.uint16), np.array(start, np.uint64)
    for _ in range(2):
        CUDA["dropout_forward"](y, words, x, 0.5, state)
        PLAIN["dropout_words"](expected, on_host)
        np.testing.assert_array_equal(words.copy(), expected)
    assert state.copy().tolist() == [key, counter + 2 * GROUP]
