"""Random numbers on the device: the same bits as everywhere."""

import numpy as np
import pytest

from kerasnb import device
from kerasnb.kernels.cuda.array import to_device, zeros

PLAIN, CUDA = device.kernels_of("plain"), device.kernels_of("cuda")
STARTS = [(0, 0), (7, 2**32 - 3), (2**63 - 1, 2**40 + 3)]  # key and counter


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize(
    "name, dtype, numbers",
    [
        ("dropout_words", "uint32", ()),
        ("random_permutation", "int64", ()),
        ("random_uniform", "float32", (0.0, 1.0)),
    ],
)
def test_bits_are_those_of_plain(name, dtype, numbers, start):
    """Words, permutations and numbers from 0 to 1 are equal, bit for bit."""
    expected, found = np.ones(28, dtype), zeros(28, dtype)
    PLAIN[name](expected, *numbers, *start)
    CUDA[name](found, *numbers, *start)
    np.testing.assert_array_equal(found.copy(), expected)


@pytest.mark.parametrize("start", STARTS)
def test_dropout_draws_on_where_it_ended(start):
    """Two calls leave the state and the words that `dropout_words` gives for them."""
    x, y, words = zeros(10, np.float32), zeros(10, np.float32), zeros(12, np.uint32)
    state = to_device(np.array(start, np.uint64))
    key, counter = start
    for call in range(2):
        CUDA["dropout_forward"](y, words, x, 0.5, state)
        expected = np.ones(12, np.uint32)
        PLAIN["dropout_words"](expected, key, counter + 3 * call)
        np.testing.assert_array_equal(words.copy(), expected)
    assert state.copy().tolist() == [key, counter + 6]
