"""
Saving and loading against a plain copy of the file and its fsync.

A model of about 100 MB is saved and loaded in each format; the copy reads the bytes,
writes them elsewhere and forces them to the disk. Formats take turns, and the first
rounds do not count: a virtual machine is slow to give memory that it has not used of
late, to a copy as to the others. Run: python tests/bench/files.py [FOLDER]
"""

import os
import statistics
import sys
import tempfile
import time

import kerasnb
from kerasnb import Sequential, layers

COLD, ROUNDS = 2, 7
FILES = ("model.knb", "model.h5", "model.weights.h5", "model.keras")


def timed(action):
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def copy(path, to):
    with open(path, "rb") as file:
        data = file.read()
    with open(to, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def network():
    stack = [layers.Dense(2500, input_shape=(2500,))]
    stack += [layers.Dense(2500, use_bias=False) for _ in range(3)]
    return Sequential(stack)


def measure(name, model, folder):
    """Return the seconds of saving, loading and copying."""
    path = os.path.join(folder, name)
    save, load = model.save, lambda: kerasnb.load_model(path, compile=False)
    if ".weights" in name:
        save, load = model.save_weights, lambda: model.load_weights(path)
    spent = timed(lambda: save(path)), timed(load)
    return *spent, timed(lambda: copy(path, path + ".copy"))


def main():
    model = network()
    rounds = {name: [] for name in FILES}
    with tempfile.TemporaryDirectory(dir=(sys.argv[1:] or [None])[0]) as folder:
        for turn in range(COLD + ROUNDS):
            for name, found in rounds.items():
                found.append(measure(name, model, folder))
        size = os.path.getsize(os.path.join(folder, FILES[0])) / 1e6
    print(f"file, {size:.0f} MB       save   load   copy   save/copy  load/copy")
    for name, found in rounds.items():
        save, load, plain = map(statistics.median, zip(*found[COLD:]))
        print(
            f"{name:17}{save:7.3f}{load:7.3f}{plain:7.3f}"
            f"{save / plain:10.2f}{load / plain:11.2f}"
        )


if __name__ == "__main__":
    main()
