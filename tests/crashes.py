"""
Files under attack: processes killed while they save, and files that were tampered with.

    python tests/crashes.py kills 200
    python tests/crashes.py mutations 10000

The tests run the same with smaller numbers. A line of figures comes out at the end.
"""

import gc
import json
import os
import pathlib
import signal
import sys
import tempfile
import time
import tracemalloc
import warnings

import numpy as np

import kerasnb
from kerasnb import Sequential, layers, load_model
from kerasnb.callbacks import BackupAndRestore, EarlyStopping
from kerasnb.container import read_container, write_container

SLACK = 1 << 18  # bytes that Python's own objects may take beside the arrays
ACTIONS = ("load_model", "without compile", "load_weights", "resume")


# ---- kills ------------------------------------------------------------------------


def save_for_ever(model, path, pipe, number):
    """Save a model full of one number after the other; tell the pipe of every save."""
    while True:
        number += 1
        model.layers[0].weights[0].value[...] = number
        model.save(path, include_optimizer=False)
        os.write(pipe, number.to_bytes(4, "little"))


def kills(count, folder):
    """
    Kill a saving process `count` times, at random moments after its first save.

    The file must hold the last save that was told of, or the one begun after it; the
    formats take turns.
    """
    rng = np.random.default_rng(1)
    paths = [folder / f"model.{ending}" for ending in ("knb", "h5", "keras")]
    numbers, cut = dict.fromkeys(paths, 0), 0
    dense = layers.Dense(
        250, input_shape=(500,), use_bias=False, kernel_initializer="zeros"
    )
    model = Sequential([dense])
    for path in paths:
        model.save(path)  # what is imported for it is there before the first fork
    for turn in range(count):
        path = paths[turn % len(paths)]
        told = told_before_a_kill(model, path, numbers[path], rng)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            values = np.unique(load_model(path).get_weights()[0])
        assert len(values) == 1, f"a mixture of saves: {values}"
        numbers[path] = int(values[0])
        assert told <= numbers[path] <= told + 1, (path, told, numbers[path])
        cut += len(list(folder.glob("*.tmp")))
        for name in folder.glob("*.tmp"):
            name.unlink()
    saves = {path.suffix: number for path, number in numbers.items()}
    return {"kills": count, "saves": saves, "killed within a save": cut}


def told_before_a_kill(model, path, number, rng):
    """Let a process save and kill it; return the number of the last save told of."""
    out, pipe = os.pipe()
    child = os.fork()
    if child == 0:
        save_for_ever(model, path, pipe, number)
    os.close(pipe)
    told = os.read(out, 4)
    time.sleep(rng.uniform(0, 0.02))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    while rest := os.read(out, 1 << 16):
        told = (told + rest)[-4:]
    os.close(out)
    return int.from_bytes(told, "little")


# ---- mutations --------------------------------------------------------------------


def make_model(optimizer="adam"):
    """Return a model of 1 MB of weights."""
    kerasnb.reset_names()
    kerasnb.set_seed(3)
    model = Sequential(
        [
            layers.Conv1D(8, 3, activation="relu", input_shape=(40, 4)),
            layers.MaxPooling1D(2),
            layers.Flatten(),
            layers.Dense(1600, kernel_regularizer="l2", kernel_constraint="max_norm"),
            layers.LeakyReLU(0.1),
            layers.BatchNormalization(),
            layers.Dropout(0.5, seed=1),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile(optimizer, "categorical_crossentropy", metrics=["acc", "mae"])
    return model


def data():
    rng = np.random.default_rng(0)
    return rng.standard_normal((2, 40, 4)), np.eye(3)[rng.integers(3, size=2)]


def fit(model, path):
    callbacks = [
        EarlyStopping("loss", patience=9, restore_best_weights=True),
        BackupAndRestore(path, delete_checkpoint=False),
    ]
    return model.fit(*data(), epochs=1, verbose=0, callbacks=callbacks)


def flip(content, other, rng):
    """Change a few bytes, most often where the structure is."""
    content = bytearray(content)
    reach = len(content) if rng.integers(3) else 6000
    for at in rng.integers(min(reach, len(content)), size=rng.integers(1, 9)):
        content[at] ^= int(rng.integers(1, 256))
    return bytes(content)


def cut(content, other, rng):
    """Keep the beginning, or leave out a piece."""
    start, stop = sorted(rng.integers(len(content), size=2))
    return content[:start] if rng.integers(2) else content[:start] + content[stop:]


def splice(content, other, rng):
    """Put a piece of another file, or of the same, somewhere."""
    source = (content, other)[int(rng.integers(2))]
    start, stop = sorted(rng.integers(len(source), size=2))
    at = int(rng.integers(len(content)))
    keep = at + (stop - start) * int(rng.integers(2))
    return content[:at] + source[start:stop] + content[keep:]


ODD = [
    0,
    -1,
    1,
    3,
    10**6,
    10**12,
    10**30,
    0.5,
    1e308,
    float("nan"),
    None,
    True,
    "",
    "x",
]
ODD += [[], {}, [0], [[1] * 9], "Dense", "os.system", {"class_name": "Dense"}]
ODD += ["__array__", {"__array__": "x"}, {"class_name": "function", "config": "eval"}]


def edit(value, rng):
    """Return a JSON document with one part replaced, removed or doubled."""
    if not isinstance(value, (dict, list)) or not value or rng.random() < 0.1:
        return ODD[int(rng.integers(len(ODD)))]
    value = value.copy()
    places = list(value) if isinstance(value, dict) else range(len(value))
    place = places[int(rng.integers(len(places)))]
    what = rng.random()
    if what < 0.06:
        del value[place]
    elif what < 0.12 and isinstance(value, list):
        value += [value[place]] * int(rng.integers(1, 200))
    elif what < 0.12:
        value[ODD[int(rng.integers(11, 14))] or "y"] = value[place]
    else:
        value[place] = edit(value[place], rng)
    return value


def edit_json(path, rng):
    """Edit one of the documents in a file; the checksum is right again."""
    arrays, metadata = read_container(path)
    names = [name for name, text in metadata.items() if text[:1] in "{["]
    name = names[int(rng.integers(len(names)))]
    metadata[name] = json.dumps(edit(json.loads(metadata[name]), rng))
    if rng.random() < 0.2:
        one = list(arrays)[int(rng.integers(len(arrays)))]
        arrays[one] = arrays[one].reshape(-1)[: int(rng.integers(9))].astype("u1")
    write_container(path, arrays, metadata)


def untouched(model):
    """Return copies of everything that a refused file must leave alone."""
    streams = [layer.get_state() for layer in model.walk()]
    state = model.optimizer.get_state(), kerasnb.random.generator().get_state()
    return model.get_weights(), streams, state, model.optimizer.get_config()


def attack(action, watched):
    """Return whether it worked, the most memory on the way and the seconds it took."""
    before = untouched(watched)
    gc.collect()
    tracemalloc.reset_peak()
    now, begun = tracemalloc.get_traced_memory()[0], time.process_time()
    try:
        action()
        worked = True
    except (ValueError, OSError):
        worked = False
    seconds = time.process_time() - begun
    peak = tracemalloc.get_traced_memory()[1] - now
    if not worked:  # a failure must have changed nothing
        np.testing.assert_equal(untouched(watched), before)
    return worked, peak, seconds


def tampered(path, contents, turn, rng):
    """Write one of the files to the path, damaged in one way."""
    kind = (flip, cut, splice, None, None)[turn % 5]
    at = int(rng.integers(len(contents)))
    path.write_bytes(contents[at])
    if kind is None:
        edit_json(path, rng)
    else:
        path.write_bytes(kind(contents[at], contents[at - 1], rng))


def mutations(count, folder):
    """
    Tamper with files `count` times; return how many loaded and the memory taken.

    The files are those of trainings with Adam, which fill more than the weights, and
    with SGD, and one of weights alone. None may take more than twice its size.
    """
    sound, other, path = (folder / name for name in ("sound.knb", "other.knb", "x.knb"))
    models, contents = {}, []
    for optimizer in ("adam", "sgd"):
        models[optimizer] = model = make_model(optimizer)
        sound.unlink(missing_ok=True)
        fit(model, sound)
        contents.append(sound.read_bytes())
        model.save(other)
        contents.append(other.read_bytes())
    model.save_weights(other)
    contents.append(other.read_bytes())
    rng = np.random.default_rng(2)
    loaded, excess, slowest = dict.fromkeys(ACTIONS, 0), [], 0.0
    tracemalloc.start()
    for turn in range(-len(ACTIONS) * len(contents), count):
        name = ACTIONS[turn % len(ACTIONS)]
        if turn < 0:
            path.write_bytes(contents[turn // len(ACTIONS)])
        else:
            tampered(path, contents, turn, rng)
        model = models["adam" if rng.integers(2) else "sgd"]
        size = path.stat().st_size
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            worked, peak, seconds = attack(lambda: perform(name, model, path), model)
        if turn < 0:  # the last file is weights alone
            assert worked or name == "resume" or turn >= -len(ACTIONS), (turn, name)
        loaded[name] += worked and turn >= 0
        slowest = max(slowest, seconds)
        excess.append(peak - 2 * size)
        assert excess[-1] <= SLACK, (turn, name, peak, size)
    tracemalloc.stop()
    return {
        "mutations": count,
        "loaded": loaded,
        "most memory beyond twice the file (bytes)": max(excess),
        "unharmed files (bytes)": [len(content) for content in contents],
        "slowest (seconds of processor)": round(slowest, 2),
    }


def perform(name, model, path):
    """Do to a file what the name says, with a model of such weights if need be."""
    if name == "load_weights":
        model.load_weights(path)
    elif name == "resume":
        fit(model, path)
    else:
        load_model(path, compile=name == "load_model")


def main():
    what, count = sys.argv[1], int(sys.argv[2])
    with tempfile.TemporaryDirectory() as folder:
        figures = {"kills": kills, "mutations": mutations}[what](
            count, pathlib.Path(folder)
        )
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
