"""
How close the convolutions come to the peak, which is measured in turn with them.

Run: python tests/bench/convolution.py [threads]
"""

import sys

import numba
import numpy as np
from peak import seconds, tile_runner
from peers.models import MODELS

import kerasnb
from kerasnb import layers
from kerasnb.device import ops
from kerasnb.models import Sequential
from kerasnb.spatial import output_size, padding_before

SHAPES = (  # size, channels, filters, window, stride, padding, samples
    ((26, 26), 32, 64, 3, 1, "valid", 128),
    ((28, 28), 1, 32, 3, 1, "valid", 128),
    ((28, 28), 32, 64, 3, 1, "same", 128),
    ((32, 32), 64, 64, 3, 2, "same", 64),
    ((7, 7), 128, 128, 3, 1, "same", 128),
    ((400,), 128, 250, 3, 1, "valid", 32),
)


def operands(size, K, F, window, stride, padding, N, dtype="float32"):
    """Return x, W, b, dz and the three numbers of each kind."""
    axes = [(1, 1, 1, 0)] * (3 - len(size))
    for n in size:
        before = padding_before(n, window, stride, padding)
        axes.append((n, output_size(n, window, stride, padding), window, before))
    sizes, places, windows, before = zip(*axes)
    strides = tuple(stride if w > 1 else 1 for w in windows)
    rng = np.random.default_rng(0)
    shapes = (N, *sizes, K), (*windows, K, F), (F,), (N, *places, F)
    arrays = [rng.normal(size=shape).astype(dtype) for shape in shapes]
    return arrays, (strides, (1, 1, 1), before)


def measure_convolutions(shapes=SHAPES, rounds=15):
    """
    Time the three products of convolutions and the bare tile in turn.

    Returns
    -------
    list of dict
        For each shape: its name, GFLOP/s of forward, weights, input and peak.
    """
    run, operations = tile_runner("float32", numba.get_num_threads())
    rows = []
    for shape in shapes:
        (x, W, b, dz), geometry = operands(*shape)
        y, dW, db, dx = (np.empty_like(array) for array in (dz, W, b, x))
        none = np.zeros(x.shape[-1], x.dtype)
        calls = {
            "forward": (ops.convolution_forward, y, x, W, b, *geometry),
            "weights": (ops.convolution_backward_weights, dW, db, dz, x, *geometry),
            "input": (ops.convolution_backward_input, dx, dz, W, none, *geometry),
        }
        best = dict.fromkeys([*calls, "peak"], np.inf)
        for _ in range(rounds):
            for name, call in calls.items():
                best[name] = min(best[name], seconds(*call))
                best["peak"] = min(best["peak"], seconds(run))
        work = 2e-9 * dz.size * W.size / W.shape[-1]
        row = {name: work / best[name] for name in calls}
        peak = operations / best["peak"] / 1e9
        rows.append({"name": name_of(*shape), **row, "peak": peak})
    return rows


def name_of(size, K, F, window, stride, padding, N):
    """Return a convolution in few words."""
    return f"{'x'.join(map(str, size))}x{K}->{F} {window} /{stride} {padding} ({N})"


def measure_buffers():
    """Return all arrays of cnn over its activations, their gradients, its weights."""
    model = MODELS["cnn"]
    net = Sequential(model.layers(layers))
    net.compile(**model.compile)
    x, y = model.data(np.random.default_rng(0), model.batch)
    net.fit(x, y, batch_size=model.batch, epochs=1, verbose=0)
    weights = 4 * net.count_params()
    buffers = sum(a.nbytes for one in net.layers for a in one._storage.values())
    outputs = sum(
        4 * model.batch * np.prod(one.output_shape[1:])
        for one in net.layers
        if not isinstance(one, layers.Flatten)  # which looks at the same numbers
    )
    return float((buffers + weights) / (2 * outputs + weights))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        kerasnb.set_num_threads(int(sys.argv[1]))
    for row in measure_convolutions():
        name, peak = row.pop("name"), row.pop("peak")
        parts = (f"{kind} {v:.0f} ({v / peak:.0%})" for kind, v in row.items())
        print(f"{name}: {', '.join(parts)} of {peak:.0f} GFLOP/s")
