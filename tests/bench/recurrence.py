"""
Where the time of a training step goes in a recurrent layer, kernel by kernel.

The sizes are those of the benchmark: 80 steps of 32 samples, 128 numbers, 128 units;
then the encoder of the addition model. The share is that of the peak, which is measured
in turn with the kernels. Run: python tests/bench/recurrence.py [threads]
"""

import sys

import numba
import numpy as np
from peak import seconds, tile_runner

import kerasnb
from kerasnb.device import ops
from kerasnb.kernels.formulas.recurrence import CODES

GATES = {"rnn": 1, "lstm": 4, "gru": 3, "gru, reset after": 3}
SHAPES = ((80, 32, 128, 128), (7, 128, 12, 128))  # T, N, D, u


def calls_of(cell, T, N, D, u, sigma="hard_sigmoid"):
    """Return what a training step launches, name -> (function, arguments, GFLOP)."""
    rng = np.random.default_rng(0)
    gates, dtype = GATES[cell], np.float32

    def draw(*shape):
        return rng.normal(size=shape).astype(dtype) / np.sqrt(shape[-1]).astype(dtype)

    x, W, U, b = draw(T * N, D), draw(D, gates * u), draw(u, gates * u), draw(gates * u)
    h, c, dh, dc = draw(T + 1, N, u), draw(T + 1, N, u), draw(N, u), draw(N, u)
    z, a, m, dz = (draw(T, N, k * u) for k in (gates, gates, 1, gates))
    none, r, mask = draw(0, 0, u), draw(0, N, u), np.zeros((0, 0), bool)
    rest, phi, flat = (U, r, mask), CODES["tanh"], dz.reshape(T * N, -1)
    codes = CODES[sigma], phi
    dx, dW, dU, db, seen = draw(T * N, D), W.copy(), U.copy(), b.copy(), h[:T]
    states = seen.reshape(T * N, u)
    if cell == "rnn":
        there = ops.rnn_forward, h, z, *rest, phi
        back = ops.rnn_backward, dz, dh, none, h, *rest, phi
    elif cell == "lstm":
        there = ops.lstm_forward, h, c, a, z, *rest, *codes
        back = ops.lstm_backward, dz, dh, dc, none, a, c, *rest, *codes
    else:
        codes = *codes, cell != "gru"
        there = ops.gru_forward, h, a, m, z, U, b, r, mask, *codes
        back = ops.gru_backward, dz, dh, m.copy(), none, a, m, h, *rest, *codes
    return {
        "x W": (D, ops.dense_forward, z.reshape(T * N, -1), x, W, b),
        "forward": (u, *there),
        "backward": (u, *back),
        "dW": (D, ops.dense_backward_weights, dW, db, flat, x),
        "dU": (
            u,
            ops.recurrent_backward_weights,
            dU,
            db,
            flat,
            states,
            0,
            0,
            gates * u,
        ),
        "dx": (D, ops.dense_backward_input, dx, flat, W),
    }


def measure_cell(cell, T, N, D, u, rounds=15, **options):
    """
    Time the kernels of one step and the bare tile in turn.

    Returns
    -------
    dict
        For each kernel its milliseconds and its share of the peak.
    """
    run, operations = tile_runner("float32", numba.get_num_threads())
    calls = calls_of(cell, T, N, D, u, **options)
    best = dict.fromkeys([*calls, "peak"], np.inf)
    for _ in range(rounds):
        best["peak"] = min(best["peak"], seconds(run))
        for name, (_, *call) in calls.items():
            best[name] = min(best[name], seconds(*call))
    peak = operations / best.pop("peak")
    work = {name: 2 * T * N * calls[name][0] * GATES[cell] * u for name in calls}
    return {name: (1e3 * t, work[name] / t / peak) for name, t in best.items()}


if __name__ == "__main__":
    if len(sys.argv) > 1:
        kerasnb.set_num_threads(int(sys.argv[1]))
    for shape in SHAPES:
        for cell in GATES:
            row = measure_cell(cell, *shape)
            total = sum(t for t, _ in row.values())
            parts = (f"{name} {t:.2f} ({v:.0%})" for name, (t, v) in row.items())
            size = "T {}, N {}, D {}, u {}".format(*shape)
            print(f"{cell}, {size}: {', '.join(parts)}, together {total:.2f} ms")
