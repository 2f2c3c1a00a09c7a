"""
What a loss of one's own adds to a training step: a function by tape, a compiled pair.

Each operation on the tape costs some microseconds there and back, whatever it is; on a
batch of 128 x 10 numbers the arithmetic itself is a small part of it. "adds" is the
step of a model of one layer, less that with the built-in mean square. All take turns.
Run: python tests/bench/functions.py [rounds]
"""

import statistics
import sys
import time
from typing import Any, Callable, Dict, List

import numba
import numpy as np

from kerasnb import Sequential
from kerasnb import backend as K
from kerasnb import with_gradient
from kerasnb.autodiff import Recording
from kerasnb.layers import Dense

ROWS, COLUMNS, BATCHES = 128, 10, 50


def total(t: Any, p: Any) -> Any:
    """Add up, and nothing else."""
    return K.sum(p, axis=-1)


def square(t: Any, p: Any) -> Any:
    """Return what mse does."""
    return K.mean(K.square(p - t), axis=-1)


def huber(t: Any, p: Any) -> Any:
    """Return a square near the target, a line farther away."""
    d = K.abs(p - t)
    return K.mean(K.switch(d < 1, K.square(d), 2 * d - 1), axis=-1)


def crossentropy(t: Any, p: Any) -> Any:
    """Return what binary_crossentropy does."""
    p = K.clip(p, 1e-7, 1 - 1e-7)
    return -K.mean(t * K.log(p) + (1 - t) * K.log(1 - p), axis=-1)


def focal(t: Any, p: Any) -> Any:
    """Return a crossentropy that cares for what is wrong, and a mean square."""
    q = K.clip(p, 1e-7, 1 - 1e-7)
    hit = t * q + (1 - t) * (1 - q)
    return K.mean(K.square(p - t) - K.square(1 - hit) * K.log(hit), axis=-1)


@numba.njit
def row_squares(t, p):
    """Return the mean square of each row, compiled."""
    s = np.zeros(len(p), p.dtype)
    for r in range(len(p)):
        for c in range(p.shape[1]):
            s[r] += (p[r, c] - t[r, c]) ** 2
    return s / p.dtype.type(p.shape[1])


@numba.njit
def row_slopes(t, p):
    """Return its derivative."""
    return (p - t) * p.dtype.type(2 / p.shape[1])


TAPED = (total, square, huber, crossentropy, focal)
LOSSES = {
    "built-in mse": "mse",
    "compiled pair": with_gradient(row_squares, row_slopes),
    **{function.__name__: function for function in TAPED},
}


def operations(function: Callable) -> int:
    """Return how many operations the tape notes."""
    t, p = np.full((2, ROWS, COLUMNS), 0.5, np.float32)
    return len(Recording(function, [p], [t]).tape.steps)


def measure_losses(rounds: int = 15) -> Dict[str, List[float]]:
    """Return for each loss the milliseconds of a step, one for each round."""
    rng = np.random.default_rng(0)
    x = rng.random((ROWS * BATCHES, COLUMNS), dtype=np.float32)
    y = rng.random((ROWS * BATCHES, COLUMNS), dtype=np.float32)
    models = {}
    for name, loss in LOSSES.items():
        models[name] = Sequential([Dense(COLUMNS, "sigmoid", input_shape=(COLUMNS,))])
        models[name].compile("sgd", loss)
        models[name].fit(x, y, ROWS, verbose=0)
    times: Dict[str, List[float]] = {name: [] for name in LOSSES}
    for _ in range(rounds):
        for name, model in models.items():
            begun = time.perf_counter()
            model.fit(x, y, ROWS, verbose=0)
            times[name].append(1e3 * (time.perf_counter() - begun) / BATCHES)
    return times


if __name__ == "__main__":
    found = measure_losses(*map(int, sys.argv[1:]))
    plain = statistics.median(found["built-in mse"])
    counts = {function.__name__: str(operations(function)) for function in TAPED}
    print("| loss | operations | ms per step | adds |")
    print("| --- | ---: | ---: | ---: |")
    for name, times in found.items():
        step, best = statistics.median(times), min(times)
        columns = counts.get(name, "-"), f"{step:.3f} ({best:.3f})"
        print(f"| {name} | {' | '.join(columns)} | {step - plain:.3f} |")
