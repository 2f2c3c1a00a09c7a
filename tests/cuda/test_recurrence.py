"""Both ways to run a sequence, forward and back in the buffers of a layer."""

import numpy as np
import pytest

from kerasnb import device
from kerasnb.kernels.cuda import product
from kerasnb.kernels.cuda import recurrence_persistent as persistent
from kerasnb.kernels.cuda.array import to_device, trips
from kerasnb.kernels.cuda.target import is_simulated
from kerasnb.kernels.cuda.tile import Tile
from kerasnb.kernels.formulas.recurrence import SIGMOID, TANH

PLAIN, CUDA = device.kernels_of("plain"), device.kernels_of("cuda")
T, N, u = 3, 5, 9  # more samples than one block has, more units than threads
GATES = {"rnn": 1, "lstm": 4, "gru": 3, "gru, reset after": 3}


def arrays_of(cell):
    """Return a mask, states, z, weights, gradients and what GRU has besides."""
    rng = np.random.default_rng(0)
    C = GATES[cell] * u
    shapes = [(T + 1, N, u), (T + 1, N, u), (T, N, C), (u, C), (1, N, u), (T, N, u)]
    shapes += [(N, u), (N, u), (T, N, u), 3 * u]
    return [rng.random((T, N)) < 0.7, *(rng.normal(size=shape) for shape in shapes)]


def there_and_back(cell, ops, arrays):
    """Run a cell as its layer does: gates take the place of z, gradients theirs."""
    mask, h, c, z, U, r, dy, dh, dc, inner, b = arrays
    if cell == "rnn":
        ops["rnn_forward"](h, z, U, r, mask, TANH)
        ops["rnn_backward"](z, dh, dy, h, U, r, mask, TANH)
    elif cell == "lstm":
        ops["lstm_forward"](h, c, z, z, U, r, mask, SIGMOID, TANH)
        ops["lstm_backward"](z, dh, dc, dy, z, c, U, r, mask, SIGMOID, TANH)
    else:
        rest = r, mask, SIGMOID, TANH, cell != "gru"
        ops["gru_forward"](h, z, inner, z, U, b, *rest)
        ops["gru_backward"](z, dh, inner, dy, z, inner, h, U, *rest)


@pytest.mark.parametrize("most_weights", [0, persistent.MOST_WEIGHTS])
@pytest.mark.parametrize("cell", GATES)
def test_both_ways_agree_with_plain(cell, most_weights, monkeypatch):
    """Step by step or all in one launch: the numbers of plain, none on the host."""
    monkeypatch.setattr(persistent, "MOST_WEIGHTS", most_weights)
    expected, found = arrays_of(cell), [to_device(a) for a in arrays_of(cell)]
    there_and_back(cell, PLAIN, expected)
    before = dict(trips)
    there_and_back(cell, CUDA, found)
    assert trips == before
    for number, (a, b) in enumerate(zip(found, expected)):
        np.testing.assert_allclose(a.copy(), b, 1e-11, 1e-11, err_msg=f"{number}")


def test_samples_of_a_block_do_not_meet():
    """What a sample becomes does not depend on the others, to the last bit."""
    whole = [to_device(a) for a in arrays_of("lstm")]
    part = arrays_of("lstm")
    for k in (0, 1, 2, 3, 5, 6, 9):  # all but the weights, (N, u) and b
        part[k] = part[k][:, 1:4]
    part[7], part[8] = part[7][1:4], part[8][1:4]
    part = [to_device(np.ascontiguousarray(a)) for a in part]
    there_and_back("lstm", CUDA, whole)
    there_and_back("lstm", CUDA, part)
    np.testing.assert_array_equal(whole[1].copy()[:, 1:4], part[1].copy())
    np.testing.assert_array_equal(whole[7].copy()[1:4], part[7].copy())


def test_weights_take_their_columns_of_the_fast_product(monkeypatch):
    """Where the fast product pays, the same gradients as plain, the rest untouched."""
    monkeypatch.setattr(product, "FROM", 0)
    if is_simulated():
        tiny = Tile(4, 4, 2, 4, 1, 1, 4, 4)
        monkeypatch.setattr(product, "plan", lambda *sizes: (tiny, 1))
    rng = np.random.default_rng(0)
    expected = [rng.normal(size=shape) for shape in ((3, 7), 7, (19, 5), (19, 3))]
    found = [to_device(a) for a in expected]
    PLAIN["recurrent_backward_weights"](*expected, 4, 2, 3)
    CUDA["recurrent_backward_weights"](*found, 4, 2, 3)
    for a, b in zip(found, expected):
        np.testing.assert_allclose(a.copy(), b, 1e-12, 1e-12)
