"""
How the time of a recurrent layer grows with the steps and with its units.

One training step of an LSTM on 32 sequences: linear in the steps, and between linear
(formulas of the gates) and quadratic (products) in the units. Run:
python tests/bench/growth.py growth.png
"""

import sys
import time
from typing import Dict, List

import numpy as np

from kerasnb import Sequential
from kerasnb.layers import LSTM

STEPS = (20, 40, 80, 160, 320)
UNITS = (32, 64, 128, 256, 512)
SAMPLES, FEATURES, ROUNDS = 32, 64, 7


def seconds(steps: int, units: int) -> float:
    """Return the best time of a training step."""
    model = Sequential([LSTM(units, input_shape=(steps, FEATURES))])
    model.compile("sgd", "mse")
    rng = np.random.default_rng(0)
    x = rng.standard_normal((SAMPLES, steps, FEATURES)).astype("f")
    y = np.zeros((SAMPLES, units), "f")
    times = []
    for _ in range(ROUNDS + 1):
        begun = time.perf_counter()
        model.train_on_batch(x, y)
        times.append(time.perf_counter() - begun)
    return min(times[1:])


def slopes(sizes: List[int], times: List[float]) -> List[float]:
    """Return by which power of the size the time grows, from each to the next."""
    return list(np.diff(np.log(times)) / np.diff(np.log(sizes)))


def main() -> None:
    """Print and draw both curves."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    curves: Dict[str, tuple] = {
        "steps, 128 units": (STEPS, [seconds(size, 128) for size in STEPS]),
        "units, 80 steps": (UNITS, [seconds(80, size) for size in UNITS]),
    }
    figure, axes = pyplot.subplots(1, 2, figsize=(9, 4), layout="constrained")
    for ax, (name, (sizes, times)), power in zip(axes, curves.items(), (1, 2)):
        grown = ", ".join(f"{slope:.2f}" for slope in slopes(sizes, times))
        print(f"{name}: {dict(zip(sizes, (f'{t * 1e3:.2f} ms' for t in times)))}")
        print(f"    power from each size to the next: {grown}")
        ax.loglog(sizes, np.multiply(times, 1e3), "o-", label="measured")
        line = times[-1] * (np.array(sizes) / sizes[-1]) ** power
        ax.loglog(sizes, line * 1e3, "--", label=f"power {power}")
        ax.set(xlabel=name, ylabel="ms per training step")
        ax.set_xticks(sizes, [str(size) for size in sizes])
        ax.minorticks_off()
        ax.legend()
    figure.savefig(sys.argv[1] if len(sys.argv) > 1 else "growth.png")


if __name__ == "__main__":
    main()
