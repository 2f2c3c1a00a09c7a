"""
How fast this machine can multiply and add, and how close the matrix products come.

The peak is the register tile alone, on numbers that stay in the first cache. Run:
python tests/bench/peak.py
"""

import time

import numba
import numpy as np
from numba import prange

from kerasnb.device import aligned_zeros, ops
from kerasnb.kernels.cpu.simd import REGISTER_BYTES
from kerasnb.kernels.cpu.tile import NO_JUMP, ROWS, tile

SHAPES = (128, 784, 512), (128, 512, 512), (128, 512, 10), (32, 16, 16)
TURNS, DEPTH = 400, 128  # tiles in a measurement, steps in a tile


@numba.njit(parallel=True, error_model="numpy", fastmath={"contract"})
def run_tiles(c, a, b, w, threads):
    """Run the tile again and again, each thread on its own few kilobytes."""
    for thread in prange(threads):
        for _ in range(TURNS):
            tile(
                c[thread], 0, w, c[thread], 0, w, a[thread], 0, 1, 2, 3, 4, 5, ROWS,
                NO_JUMP, 0, b[thread], 0, w, 1, DEPTH,
            )  # fmt: skip


def seconds(function, *arguments):
    """Return the time of one call."""
    begun = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - begun


def tile_runner(dtype, threads):
    """Return a function that runs tiles, and its floating-point operations."""
    w = 2 * REGISTER_BYTES // np.dtype(dtype).itemsize
    c, a, b = (  # on cache lines: registers that cross one would lower the peak
        aligned_zeros(threads * size, dtype).reshape(threads, size)
        for size in (ROWS * w, ROWS * DEPTH, DEPTH * w)
    )
    a[...] = b[...] = 1e-3
    run_tiles(c, a, b, w, threads)
    operations = 2 * threads * TURNS * DEPTH * ROWS * w
    return lambda: run_tiles(c, a, b, w, threads), operations


def measure_peak(dtype="float32", threads=None, rounds=60):
    """Return the FMA peak in GFLOP/s: the best of many rounds."""
    threads = threads or numba.get_num_threads()
    run, operations = tile_runner(dtype, threads)
    return operations / min(seconds(run) for _ in range(rounds)) / 1e9


def measure_products(shapes=SHAPES, dtype="float32", rounds=60):
    """
    Time the three products and the bare tile in turn, then NumPy's product.

    Returns
    -------
    list of dict
        For each (N, I, O): GFLOP/s of forward, weights, input, numpy and peak.
    """
    run, operations = tile_runner(dtype, numba.get_num_threads())
    rows = []
    for N, I, O in shapes:
        rng = np.random.default_rng(0)
        x, W, b, dz = (
            rng.normal(size=shape).astype(dtype)
            for shape in ((N, I), (I, O), O, (N, O))
        )
        y, dW, db, dx = (np.empty_like(array) for array in (dz, W, b, x))
        calls = {
            "forward": (ops.dense_forward, y, x, W, b),
            "weights": (ops.dense_backward_weights, dW, db, dz, x),
            "input": (ops.dense_backward_input, dx, dz, W),
        }
        best = dict.fromkeys([*calls, "peak"], np.inf)
        for _ in range(rounds):
            for name, call in calls.items():
                best[name] = min(best[name], seconds(*call))
            best["peak"] = min(best["peak"], seconds(run))
        calls["numpy"] = (np.matmul, x, W, y)  # alone: its idle threads would disturb
        best["numpy"] = min(seconds(*calls["numpy"]) for _ in range(rounds))
        row = {name: 2e-9 * N * I * O / best[name] for name in calls}
        rows.append(
            {"shape": (N, I, O), **row, "peak": operations / best["peak"] / 1e9}
        )
    return rows


if __name__ == "__main__":
    for dtype in ("float32", "float64"):
        for threads in sorted({1, numba.get_num_threads()}):
            peak = measure_peak(dtype, threads)
            print(f"peak, {dtype}, {threads} thread(s): {peak:.0f} GFLOP/s")
    for row in measure_products():
        peak = row.pop("peak")
        text = "x".join(map(str, row.pop("shape")))
        parts = (f"{name} {v:.0f} ({v / peak:.0%})" for name, v in row.items())
        print(f"{text}: {', '.join(parts)} of {peak:.0f} GFLOP/s")
