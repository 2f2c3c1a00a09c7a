"""
Which tile is fastest for which product, and the constants that lead `plan` to it.

`kernels/cuda/product.py` chooses the tile of a product, and in how many parts to split
its depth, by an estimate of what each choice costs. Here every choice is measured on
the device for the products of four networks; then the constants of the estimate are
moved, one at a time, as long as the choices get better. Run: python gpu.py --tune
"""

import math
import statistics
import time

import numpy as np
from gpu_kernels import random, seconds_of

CALLS = 10
LONGEST = 100.0  # seconds, after which no further product is measured
WAVES = 16  # tiles for each multiprocessor: more parts than that make no sense
FACTORS = (0.25, 0.5, 0.8, 1.25, 2.0, 4.0)
CONSTANTS = ("START", "LAUNCH", "TRIP")
DENSE = {  # N, I, O and which of the three products
    "cnn": [(128, 9216, 128, "fwi"), (128, 128, 10, "fwi")],
    "mlp": [(128, 784, 512, "fw"), (128, 512, 512, "fwi"), (128, 512, 10, "fwi")],
    "lstm": [(2560, 128, 512, "fwi")],
}
CONVOLUTIONS = [(128, 26, 32, 64, "fwi"), (128, 28, 1, 32, "fw")]  # N, size, K, F


def works():
    """Yield for each product its name, (M, N, K), and a function that launches it."""
    from kerasnb.device import here
    from kerasnb.kernels.cuda import implicit, product

    def there(*shapes):
        return [here(random(*np.atleast_1d(shape))) for shape in shapes]

    for N, size, K, F, which in CONVOLUTIONS:
        places = size - 2
        x, W, b, dz, c = there(
            (N, 1, size, size, K), (1, 3, 3, K, F), F, (N, 1, places, places, F), K
        )  # fmt: skip
        steps, rows = ((1, 1, 1), (1, 1, 1), (0, 0, 0)), N * places**2
        name = f"convolution {size}x{size}x{K}->{F}"
        launches = {
            "f": ((rows, F, 9 * K), implicit.implicit_forward, (dz, x, W, b)),
            "w": ((9 * K, F, rows), implicit.implicit_backward_weights, (W, dz, x)),
            "i": (
                (N * size**2, K, 9 * F),
                implicit.implicit_backward_input,
                (x, dz, W, c),
            ),
        }
        for kind in which:
            shape, launch, arrays = launches[kind]
            yield f"{name} {kind}", shape, launch, (*arrays, *steps)
    for model, sizes in DENSE.items():
        for N, I, O, which in sizes:
            x, W, b, dz = there((N, I), (I, O), O, (N, O))
            launches = {
                "f": ((N, O, I), product.product_forward, (dz, x, W, b, False)),
                "w": ((I, O, N), product.product_backward_weights, (W, dz, x)),
                "i": ((N, I, O), product.product_backward_input, (x, dz, W)),
            }
            for kind in which:
                yield f"{model} {N}x{I}x{O} {kind}", *launches[kind]


def choices(M, N, K):
    """Yield the tiles and parts that are worth a try."""
    from kerasnb.kernels.cuda import product

    for tile, _ in product.TILES:
        tiles = -(-M // tile.height) * -(-N // tile.breadth)
        parts = 1
        while parts <= min(product.MOST_PARTS, max(1, K // product.SHORTEST)):
            if parts == 1 or tiles * parts <= WAVES * product.PROCESSORS:
                yield tile, parts
            parts *= 2


def measure():
    """Return for each product its (M, N, K) and the seconds of each choice."""
    from kerasnb.kernels.cuda import product
    from kerasnb.kernels.cuda.target import capture, stream

    found, planned, began = {}, product.plan, time.perf_counter()
    try:
        for name, shape, launch, arguments in works():
            if time.perf_counter() - began > LONGEST:
                print(f"{name}: no time left", flush=True)
                continue
            seconds = {}
            for choice in choices(*shape):
                product.plan = lambda *sizes, choice=choice: choice
                try:
                    launch(*arguments)
                    some = capture(lambda: [launch(*arguments) for _ in range(CALLS)])
                    wait = stream().synchronize
                    seconds[choice] = seconds_of(some, wait, CALLS)
                except Exception as error:  # the other choices may do better
                    print(f"{name}, {choice}: {error}", flush=True)
            if seconds:
                found[name] = shape, seconds
    finally:
        product.plan = planned
    return found


def losses(found):
    """Return how many times longer than the best the planned choice takes, by name."""
    from kerasnb.kernels.cuda import product

    product.plan.cache_clear()
    lost = {}
    for name, (shape, seconds) in found.items():
        planned = product.plan(*shape, 4)
        taken = seconds.get(planned, max(seconds.values()))
        lost[name] = taken / min(seconds.values())
    return lost


def badness(found):
    """Return the mean of the logarithms of the losses."""
    return statistics.mean(map(math.log, losses(found).values()))


def fit(found):
    """Move the constants of `product.py`, one at a time, while the choices improve."""
    from kerasnb.kernels.cuda import product

    def settings():
        for name in CONSTANTS:
            value = getattr(product, name)
            for factor in FACTORS:
                yield lambda v=value * factor, name=name: setattr(product, name, v)
        for k in range(len(product.TILES)):
            for factor in 0.8, 0.9, 0.95, 1.05, 1.1, 1.25:
                tiles = list(product.TILES)
                tiles[k] = tiles[k][0], tiles[k][1] * factor
                yield lambda v=tuple(tiles): setattr(product, "TILES", v)

    def state():
        return [getattr(product, name) for name in (*CONSTANTS, "TILES")]

    def restore(values):
        for name, value in zip((*CONSTANTS, "TILES"), values):
            setattr(product, name, value)

    least, best = badness(found), state()
    improved = True
    while improved:
        improved = False
        for setting in list(settings()):
            restore(best)
            setting()
            bad = badness(found)
            if bad < least - 1e-4:
                least, best, improved = bad, state(), True
    restore(best)


def label(choice):
    """Return a choice in a few words."""
    tile, parts = choice
    return f"{tile.height}x{tile.breadth}, {parts} parts"


def report(found):
    """Yield the lines of a page: the choices before and after, and the constants."""
    from kerasnb.kernels.cuda import product

    before = losses(found)
    plans = {name: product.plan(*shape, 4) for name, (shape, _) in found.items()}
    fit(found)
    after = losses(found)
    yield "| product (M, N, K) | planned | us | best | us | loss | loss after |"
    yield "| --- | --- | ---: | --- | ---: | ---: | ---: |"
    for name, (shape, seconds) in found.items():
        best, planned = min(seconds, key=seconds.get), plans[name]
        us = f"{1e6 * seconds[planned]:.1f}" if planned in seconds else "-"
        yield (
            f"| {name} {shape} | {label(planned)} | {us} | {label(best)} | "
            f"{1e6 * seconds[best]:.1f} | {before[name]:.2f} | {after[name]:.2f} |"
        )
    yield ""
    yield "Constants for product.py:"
    yield ""
    for tile, share in product.TILES:
        yield f"    {tile}: {share:.3g}"
    for name in CONSTANTS:
        yield f"    {name} = {getattr(product, name):.3g}"
