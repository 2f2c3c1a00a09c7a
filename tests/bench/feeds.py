"""
What it costs to feed *mlp* from a Sequence instead of from arrays.

The same network trains on arrays, and on Sequences of slices and of gathered rows, with
a worker thread and without, in turns. Run: python tests/bench/feeds.py
"""

import statistics
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent / "peers"))
from models import MODELS  # noqa: E402

from kerasnb import Sequence, layers  # noqa: E402
from kerasnb.models import Sequential  # noqa: E402

BATCHES = 60


class Slices(Sequence):
    """Consecutive rows."""

    def __init__(self, x, y, batch_size):
        self.x, self.y, self.batch_size = x, y, batch_size

    def __len__(self):
        return len(self.x) // self.batch_size

    def __getitem__(self, index):
        at = slice(index * self.batch_size, (index + 1) * self.batch_size)
        return self.x[at], self.y[at]


class Rows(Slices):
    """Rows in a new order each epoch, as fit gathers them from arrays."""

    def __init__(self, *data):
        super().__init__(*data)
        self.on_epoch_end()

    def on_epoch_end(self):
        self.order = np.random.default_rng(0).permutation(len(self.x))

    def __getitem__(self, index):
        at = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        return self.x[at], self.y[at]


def measure_feeds(rounds=9):
    """Return the median seconds of a step for each way of feeding."""
    model = MODELS["mlp"]
    x, y = model.data(np.random.default_rng(0), BATCHES * model.batch)
    net = Sequential(model.layers(layers))
    net.compile(**model.compile)
    slices, rows = Slices(x, y, model.batch), Rows(x, y, model.batch)
    ways = {
        "arrays": lambda: net.fit(x, y, model.batch, verbose=0),
        "slices, workers=1": lambda: net.fit(slices, verbose=0),
        "slices, workers=0": lambda: net.fit_generator(slices, workers=0, verbose=0),
        "rows, workers=1": lambda: net.fit(rows, verbose=0),
    }
    spent = {way: [] for way in ways}
    for _ in range(rounds + 1):
        for way, run in ways.items():
            begun = time.perf_counter()
            run()
            spent[way].append((time.perf_counter() - begun) / BATCHES)
    return {way: statistics.median(times[1:]) for way, times in spent.items()}


if __name__ == "__main__":
    found = measure_feeds()
    for way, seconds in found.items():
        ratio = seconds / found["arrays"]
        sys.stdout.write(f"{way:20} {1e3 * seconds:.3f} ms  {ratio:.3f}\n")
