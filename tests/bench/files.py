"""
Saving and loading against a plain copy of the file and its fsync.

A model of about 100 MB is saved and loaded in each format; the copy reads the bytes,
writes them elsewhere and forces them to the disk. Run: python tests/bench/files.py
"""

import os
import statistics
import sys
import tempfile
import time

import kerasnb
from kerasnb import Sequential, layers

ROUNDS = 5
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
    """Return the median seconds of saving, loading and copying, turn by turn."""
    path = os.path.join(folder, name)
    save, load = model.save, lambda: kerasnb.load_model(path, compile=False)
    if ".weights" in name:
        save, load = model.save_weights, lambda: model.load_weights(path)
    rounds = []
    for _ in range(ROUNDS):
        spent = timed(lambda: save(path)), timed(load)
        rounds.append((*spent, timed(lambda: copy(path, path + ".copy"))))
    return [statistics.median(column) for column in zip(*rounds)], path


def main():
    model = network()
    with tempfile.TemporaryDirectory(
        dir=sys.argv[1:] and sys.argv[1] or None
    ) as folder:
        print("file               MB   save   load   copy   save/copy  load/copy")
        for name in FILES:
            (save, load, plain), path = measure(name, model, folder)
            size = os.path.getsize(path) / 1e6
            print(
                f"{name:17}{size:5.0f}{save:7.3f}{load:7.3f}{plain:7.3f}"
                f"{save / plain:10.2f}{load / plain:11.2f}"
            )


if __name__ == "__main__":
    main()
