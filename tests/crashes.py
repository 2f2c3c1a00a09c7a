"""
Files under attack: processes killed while they save, and files that were tampered with.

    python tests/crashes.py kills 200
    python tests/crashes.py mutations 10000

A further number is the seed. The tests run the same with smaller numbers. A line of
figures comes out at the end.
"""

import dataclasses
import faulthandler
import gc
import io
import json
import os
import pathlib
import signal
import sys
import tempfile
import time
import tracemalloc
import warnings
import zipfile

import h5py
import numpy as np

import kerasnb
from kerasnb import Sequential, layers, load_model
from kerasnb.callbacks import BackupAndRestore, EarlyStopping
from kerasnb.container import read_container, write_container
from kerasnb.hdf5_files import ALWAYS_ALLOWED, MOST_TIMES_LARGER

SLACK = 1 << 18  # bytes that Python's own objects may take beside the arrays
CACHES = 1 << 23  # bytes that the HDF5 library, and the allocator, may take beside them
LONGEST = 120  # seconds, after which an attack counts as one that hangs
ACTIONS = ("load_model", "without compile", "load_weights", "resume")


# ---- kills ------------------------------------------------------------------------


def save_for_ever(model, path, pipe, number):
    """Save a model full of one number after the other; tell the pipe of every save."""
    while True:
        number += 1
        model.layers[0].weights[0].value[...] = number
        model.save(path, include_optimizer=False)
        os.write(pipe, number.to_bytes(4, "little"))


def kills(count, folder, seed):
    """
    Kill a saving process `count` times, at random moments after its first save.

    The file must hold the last save that was told of, or the one begun after it; the
    formats take turns.
    """
    rng = np.random.default_rng(seed)
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


@dataclasses.dataclass
class Victim:
    """
    A sound file, and where its structure lies: all but the numbers of large arrays.

    Attributes
    ----------
    limit : function
        The most memory for a file of so many bytes: twice the file, and more only
        where the numbers are compressed.
    """

    name: str
    optimizer: str
    content: bytes
    places: np.ndarray
    is_packed: bool = False

    def limit(self, size):
        if self.is_packed:
            size = size * MOST_TIMES_LARGER + ALWAYS_ALLOWED
        return 2 * size + SLACK


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


def victims(models, folder):
    """
    Return sound files of every format that is read.

    Those of trainings with Adam, which fill more than the weights, and with SGD; those
    of weights alone; and those of Keras packed by gzip, as other programs do.
    """
    found = []

    def add(name, is_packed=False):
        content = (folder / name).read_bytes()
        (folder / name).unlink()
        places = structure(content, model)
        found.append(Victim(name, optimizer, content, places, is_packed))

    for optimizer, model in models.items():
        fit(model, folder / "run.knb")
        add("run.knb")
        for ending in ("knb", "h5", "keras"):
            model.save(folder / f"model.{ending}")
            add(f"model.{ending}")
    for name in ("weights.knb", "weights.h5", "keras3.weights.h5"):
        model.save_weights(folder / name)
        add(name)
    for name in ("packed.h5", "packed.keras"):
        model.save(folder / name)
        pack(folder / name)
        add(name, is_packed=True)
    return found


def structure(content, model):
    """Return the places in a file that do not lie in one of the model's arrays."""
    is_structure = np.ones(len(content), bool)
    for array in [*model.get_weights(), *model.optimizer.get_weights()]:
        if array.nbytes > 1000 and (at := content.find(array.tobytes())) >= 0:
            is_structure[at : at + array.nbytes] = False
    return np.flatnonzero(is_structure)


def pack(path):
    """Compress what lies in a file of Keras."""
    if path.suffix == ".keras":
        rewrite_zip(path, {}, zipfile.ZIP_DEFLATED)
        return
    with h5py.File(path, "r+") as file:
        for item in arrays_of(file):
            name, array = item.name, item[...]
            del file[name]
            options = {"compression": "gzip", "shuffle": True} if array.ndim else {}
            file.create_dataset(name, data=array, **options)


def rewrite_zip(path, changed, compression=zipfile.ZIP_STORED):
    """Write the members of a zip again, those that changed with their new content."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in {**members, **changed}.items():
            archive.writestr(name, content)


def one_of(things, rng):
    return things[int(rng.integers(len(things)))]


def place(victim, rng):
    """Return a place in a file, most often where the structure is."""
    if rng.integers(3):
        return int(one_of(victim.places, rng))
    return int(rng.integers(len(victim.content)))


def flip(victim, other, rng):
    """Change a few bytes."""
    content = bytearray(victim.content)
    for _ in range(rng.integers(1, 9)):
        content[place(victim, rng)] ^= int(rng.integers(1, 256))
    return bytes(content)


def cut(victim, other, rng):
    """Keep the beginning, or leave out a piece."""
    start, stop = sorted(place(victim, rng) for _ in range(2))
    beginning = victim.content[:start]
    return beginning if rng.integers(2) else beginning + victim.content[stop:]


def splice(victim, other, rng):
    """Put a piece of another file, or of the same, somewhere."""
    source = one_of((victim, other), rng)
    start, stop = sorted(place(source, rng) for _ in range(2))
    if rng.integers(2):
        stop = min(stop, start + 64)
    at = place(victim, rng)
    keep = at + (stop - start) * int(rng.integers(2))
    return victim.content[:at] + source.content[start:stop] + victim.content[keep:]


ODD = [0, -1, 1, 3, 10**6, 10**12, 10**30, 0.5, 1e308, float("nan"), None, True]
ODD += ["", "x", [], {}, [0], [[1] * 9], "Dense", "os.system"]
ODD += [{"class_name": "Dense"}, "__array__", {"__array__": "x"}]
ODD += [
    {"class_name": "function", "config": "eval"},
]


def edit(value, rng):
    """Return a JSON document with one part replaced, removed or doubled."""
    if not isinstance(value, (dict, list)) or not value or rng.random() < 0.1:
        return one_of(ODD, rng)
    value = value.copy()
    places = list(value) if isinstance(value, dict) else range(len(value))
    place = one_of(places, rng)
    what = rng.random()
    if what < 0.06:
        del value[place]
    elif what < 0.12 and isinstance(value, list):
        value += [value[place]] * int(rng.integers(1, 200))
    elif what < 0.12:
        value[one_of(("", "x", "y"), rng)] = value[place]
    else:
        value[place] = edit(value[place], rng)
    return value


def edited(text, rng):
    return json.dumps(edit(json.loads(text), rng))


def edit_container(path, rng):
    """Edit one of the documents in a file; the checksum is right again."""
    arrays, metadata = read_container(path)
    names = [name for name, text in metadata.items() if text[:1] in "{["]
    name = one_of(names, rng)
    metadata[name] = edited(metadata[name], rng)
    if rng.random() < 0.2:
        one = one_of(list(arrays), rng)
        arrays[one] = arrays[one].reshape(-1)[: int(rng.integers(9))].astype("u1")
    write_container(path, arrays, metadata)


def items_of(file):
    """Return all groups and arrays of an HDF5 file, itself first."""
    items = [file]
    file.visititems(lambda name, item: items.append(item))
    return items


def arrays_of(file):
    return [item for item in items_of(file) if isinstance(item, h5py.Dataset)]


def edit_hdf5(target, rng):
    """Edit an attribute, most often one with a document, or put in another array."""
    with h5py.File(target, "r+") as file:
        documents = [name for name in file.attrs if file.attrs[name][:1] == "{"]
        groups = [item for item in items_of(file) if len(item.attrs)]
        if rng.random() < 0.25:
            other_array(file, one_of(arrays_of(file), rng), rng)
        elif documents and rng.random() < 0.6:
            edit_attribute(file.attrs, one_of(documents, rng), rng)
        else:
            attributes = one_of(groups, rng).attrs
            edit_attribute(attributes, one_of(list(attributes), rng), rng)


def edit_attribute(attributes, name, rng):
    value = attributes[name]
    if isinstance(value, str) and value[:1] == "{":
        attributes[name] = edited(value, rng)
    elif rng.random() < 0.1:
        del attributes[name]
    elif np.ndim(value) and len(value) and rng.random() < 0.7:
        at = rng.integers(len(value), size=rng.integers(1, 9))
        attributes[name] = np.asarray(value).astype("S")[at]
    else:
        odd = (0, -1, 1e308, "", "x", [b"x"] * 5, [[1, 2]], np.zeros((0, 2)), b"\xff")
        attributes[name] = one_of(odd, rng)


def other_array(file, item, rng):
    """Put another array, an attribute of a link or nothing where an array was."""
    name, array = item.name, item[...]
    del file[name]
    what = int(rng.integers(8))
    if what == 0:
        file[name] = array.reshape(-1)[:3].astype("u1")
    elif what == 1:
        file[name] = array.T.astype("f8")
    elif what == 2:
        file[name] = h5py.SoftLink(one_of(("/", name, "/nowhere"), rng))
    elif what == 3:
        file[name] = h5py.ExternalLink("/etc/passwd", "/")
    elif what == 4:
        file.create_dataset(name, (10**6, 10**6), "f4")
    elif what == 5:
        file.create_dataset(name, (10**5, 10**5), "f4", chunks=(9, 9), compression=9)
    elif what == 6:
        file.create_group(name)


def edit_zip(path, rng):
    """Edit a document in a zip, or the weights file in it."""
    name = one_of(("config.json", "metadata.json", "model.weights.h5"), rng)
    with zipfile.ZipFile(path) as archive:
        content = archive.read(name)
        is_packed = archive.getinfo(name).compress_type == zipfile.ZIP_DEFLATED
    if name.endswith("json"):
        content = edited(content, rng)
    else:
        memory = io.BytesIO(content)
        edit_hdf5(memory, rng)
        content = memory.getvalue()
    kind = zipfile.ZIP_DEFLATED if is_packed else zipfile.ZIP_STORED
    rewrite_zip(path, {name: content}, kind)


EDITS = {".knb": edit_container, ".h5": edit_hdf5, ".keras": edit_zip}


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
    resident = resident_anew()
    faulthandler.dump_traceback_later(LONGEST, exit=True)
    try:
        action()
        worked = True
    except (ValueError, OSError):
        worked = False
    faulthandler.cancel_dump_traceback_later()
    seconds = time.process_time() - begun
    peak = tracemalloc.get_traced_memory()[1] - now
    resident = most_resident() - resident
    if not worked:  # a failure must have changed nothing
        np.testing.assert_equal(untouched(watched), before)
    return worked, peak, resident, seconds


def resident_anew():
    """Let Linux forget the most memory that this process had; return what it has."""
    if os.path.exists("/proc/self/clear_refs"):
        pathlib.Path("/proc/self/clear_refs").write_text("5")
    return most_resident()


def most_resident():
    """Return the most bytes that this process had, those of the HDF5 library too."""
    if not os.path.exists("/proc/self/status"):
        return 0
    status = pathlib.Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) << 10


def tampered(path, victim, other, turn, rng):
    """Write a file to the path, damaged in one way."""
    path.write_bytes(victim.content)
    kind = (flip, cut, splice, None, None)[turn % 5]
    if kind is None:
        EDITS[path.suffix](path, rng)
    else:
        path.write_bytes(kind(victim, other, rng))


def mutations(count, folder, seed):
    """
    Tamper with files `count` times; return how many loaded and the memory taken.

    The formats take turns. None may take more than twice its size; beside that Python
    may take `SLACK`, and the HDF5 library, which maps a file and has caches, `CACHES`.
    """
    models = {optimizer: make_model(optimizer) for optimizer in ("adam", "sgd")}
    sound = victims(models, folder)
    for victim in sound:
        check_sound(victim, models, folder)
    rng = np.random.default_rng(seed)
    tally = {ending: Tally() for ending in EDITS}
    tracemalloc.start()
    for turn in range(count):
        ending = list(EDITS)[turn % 3]
        kind = [victim for victim in sound if victim.name.endswith(ending)]
        victim = one_of(kind, rng)
        path = folder / f"x{ending}"
        tampered(path, victim, one_of(sound, rng), turn // 3, rng)
        name = actions(victim)[turn // 3 % len(actions(victim))]
        model = models["adam" if rng.integers(2) else "sgd"]
        found = quietly(lambda: attack(lambda: perform(name, model, path), model))
        tally[ending].count(name, *found, victim, path.stat().st_size)
    tracemalloc.stop()
    figures = {ending: one.figures() for ending, one in tally.items()}
    return {"mutations": count, **figures}


def check_sound(victim, models, folder):
    """An unharmed file loads in every way: else a refusal would say nothing."""
    path = folder / f"sound{victim.name}"
    path.write_bytes(victim.content)
    for name in actions(victim):
        if "weights" not in victim.name or name == "load_weights":
            quietly(lambda: perform(name, models[victim.optimizer], path))
    path.unlink()


def actions(victim):
    return ACTIONS if victim.name == "run.knb" else ACTIONS[:3]


def quietly(action):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return action()


class Tally:
    """What came of the attacks on one format."""

    def __init__(self):
        self.loaded, self.turns = dict.fromkeys(ACTIONS, 0), 0
        self.excess = self.resident = -sys.maxsize
        self.slowest = 0.0

    def count(self, name, worked, peak, resident, seconds, victim, size):
        """Count one, and see that it took no more memory than allowed."""
        self.turns += 1
        self.loaded[name] += worked
        self.slowest = max(self.slowest, seconds)
        self.excess = max(self.excess, peak - victim.limit(size) + SLACK)
        self.resident = max(self.resident, resident - victim.limit(size) + SLACK)
        assert peak <= victim.limit(size), (victim.name, name, peak, size)
        assert resident <= victim.limit(size) + CACHES, (victim.name, resident, size)

    def figures(self):
        return {
            "turns": self.turns,
            "loaded": self.loaded,
            "memory beyond twice the file (bytes)": self.excess,
            "resident memory beyond twice the file (bytes)": self.resident,
            "slowest (seconds of processor)": round(self.slowest, 2),
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
    what, count, seed = sys.argv[1], int(sys.argv[2]), int((*sys.argv[3:], 1)[0])
    attacks = {"kills": kills, "mutations": mutations}[what]
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(attacks(count, pathlib.Path(folder), seed)))


if __name__ == "__main__":
    main()
