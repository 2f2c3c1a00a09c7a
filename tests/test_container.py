import contextlib
import errno
import io
import json
import os
import pickle
import stat
import subprocess
import sys
import textwrap
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kerasnb import container, files
from kerasnb.container import DamagedFile, read_container, write_container
from kerasnb.files import replacing

DTYPES = [np.dtype(order + code) for code in container.WORDS for order in "<>"]

shapes = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5)
arrays = st.sampled_from(DTYPES).flatmap(lambda dtype: hnp.arrays(dtype, shapes))
names = st.text(max_size=8).filter(lambda name: name != "__metadata__")
strings = st.dictionaries(
    st.text(max_size=8).filter(lambda name: name != "checksum"), st.text(max_size=20)
)

ARRAYS = {
    "dense_1/kernel": np.arange(12, dtype=np.float32).reshape(3, 4),
    "dense_1/bias": np.ones(4, np.float64),
    "mask": np.array([True, False]),
    "step": np.array(7, np.int64),
    "none": np.zeros((0, 3), np.float16),
}
METADATA = {"format": "a", "config": '{"units": 4}'}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.knb"


@pytest.fixture
def saved(path):
    write_container(path, ARRAYS, METADATA)
    return path


def assert_same(found, expected):
    assert list(found) == list(expected)
    for name, array in expected.items():
        array = np.asarray(array)
        assert found[name].dtype == array.dtype.newbyteorder("=")
        assert found[name].shape == array.shape
        # NaN and -0.0 included
        assert found[name].tobytes() == array.astype(found[name].dtype).tobytes()


def header_of(content):
    length = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def forged(header, data):
    """Return a file with any header whatsoever, and the checksum that belongs to it."""
    header["__metadata__"].pop("checksum", None)
    checksum = container._checksum(header, [np.frombuffer(data, np.uint8)])
    header["__metadata__"]["checksum"] = checksum
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


# ---- reference --------------------------------------------------------------------


def test_the_layout_is_that_of_the_description(saved):
    """Eight bytes of length, a JSON header, the numbers one after the other."""
    header, data = header_of(saved.read_bytes())
    assert header["dense_1/bias"] == {
        "dtype": "F64",
        "shape": [4],
        "data_offsets": [48, 80],
    }
    assert header["__metadata__"]["config"] == METADATA["config"]
    assert np.frombuffer(data[48:80], "<f8").tolist() == [1, 1, 1, 1]
    assert len(data) == 48 + 32 + 2 + 8


def test_safetensors_reads_what_we_write(saved):
    """Other tools find the same arrays and strings."""
    safetensors = pytest.importorskip("safetensors")
    with safetensors.safe_open(saved, "np") as file:
        found = {name: file.get_tensor(name) for name in file.keys()}
        metadata = file.metadata()
    assert_same({name: found[name] for name in ARRAYS}, ARRAYS)
    assert METADATA.items() <= metadata.items()


def test_a_file_of_safetensors_has_no_checksum_and_is_refused(path):
    """What cannot be verified is not read."""
    numpy_format = pytest.importorskip("safetensors.numpy")
    numpy_format.save_file({"x": np.ones(3)}, path)
    with pytest.raises(DamagedFile, match="no strings with a checksum"):
        read_container(path)


# ---- laws -------------------------------------------------------------------------


@given(st.dictionaries(names, arrays, max_size=4), strings)
def test_arrays_and_strings_come_back(tmp_path_factory, content, metadata):
    """Reading returns what was written: names, order, types, shapes, every bit."""
    path = tmp_path_factory.getbasetemp() / "round.knb"
    write_container(path, content, metadata)
    found, strings_found = read_container(path)
    assert_same(found, content)
    assert strings_found == metadata


def test_what_comes_back_can_be_changed(saved):
    """The arrays own their numbers and are writable."""
    for array in read_container(saved)[0].values():
        array[...] = 1


def test_strided_and_transposed_arrays_come_back(path):
    """The memory layout of what is passed does not matter."""
    content = {"t": ARRAYS["dense_1/kernel"].T, "s": np.arange(10)[::-3]}
    write_container(path, content, {})
    assert_same(read_container(path)[0], content)


def test_the_numbers_of_a_file_start_at_a_multiple_of_eight(saved):
    """So that other tools may map them into memory."""
    assert int.from_bytes(saved.read_bytes()[:8], "little") % 8 == 0


def test_nothing_else_is_left_in_the_folder(saved):
    """The temporary file has become the file; it has ordinary permissions."""
    write_container(saved, {}, {})
    assert os.listdir(saved.parent) == [saved.name]
    mask = os.umask(0)
    os.umask(mask)
    if os.name == "posix":
        assert stat.S_IMODE(saved.stat().st_mode) == 0o666 & ~mask


@pytest.mark.skipif(os.name != "posix", reason="links need rights on Windows")
def test_a_link_keeps_pointing_to_its_file(saved):
    """Writing to a link replaces the file that it names."""
    link = saved.parent / "latest.knb"
    link.symlink_to(saved.name)
    write_container(link, {"x": np.ones(2)}, {})
    assert link.is_symlink() and list(read_container(saved)[0]) == ["x"]


def test_a_relative_path_is_one_of_the_current_folder(tmp_path, monkeypatch):
    """A bare name works as a path."""
    monkeypatch.chdir(tmp_path)
    write_container("a.knb", {}, METADATA)
    assert read_container("a.knb") == ({}, METADATA)


# ---- failing writes ---------------------------------------------------------------


class FullDisk(io.FileIO):
    """A file on a disk with room for a hundred bytes."""

    room = 100

    def write(self, data):
        self.room -= len(memoryview(data).cast("B"))
        if self.room < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(data)


def failing(number):
    def fail(*_):
        raise OSError(number, os.strerror(number))

    return fail


FAILURES = {
    "open": ("open", failing(errno.EACCES), PermissionError, "Permission denied"),
    "write": ("open", FullDisk, OSError, "No space left on device"),
    "sync": ("fsync", failing(errno.EIO), OSError, "Input/output error"),
    "replace": ("replace", failing(errno.EROFS), OSError, "Read-only file system"),
}


@pytest.mark.parametrize("kind", FAILURES)
def test_a_failed_write_leaves_the_old_file_and_no_other(saved, monkeypatch, kind):
    """Full disk, read-only folder, broken disk: one error, and nothing has changed."""
    name, fail, error, reason = FAILURES[kind]
    before = saved.read_bytes()
    with monkeypatch.context() as patch:
        where = files if name == "open" else os
        patch.setattr(where, name, fail, raising=False)
        message = f"cannot write .*model.knb: {reason}. What was there before is unch"
        with pytest.raises(error, match=message):
            write_container(saved, {"x": np.zeros(1000)}, {})
    assert os.listdir(saved.parent) == [saved.name]
    assert saved.read_bytes() == before


@pytest.mark.skipif(
    os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere"
)
def test_a_read_only_folder_is_an_error_that_names_the_file(saved):
    """Without the right to write, the old file stays."""
    saved.parent.chmod(0o500)
    try:
        with pytest.raises(PermissionError, match="cannot write .*model.knb"):
            write_container(saved, {}, {})
    finally:
        saved.parent.chmod(0o700)
    assert_same(read_container(saved)[0], ARRAYS)


def test_a_missing_folder_is_an_error_that_names_the_file(tmp_path):
    """It is not created: the path may be a slip of the pen."""
    with pytest.raises(FileNotFoundError, match="cannot write .*nowhere.*a.knb: No s"):
        write_container(tmp_path / "nowhere" / "a.knb", {}, {})
    assert os.listdir(tmp_path) == []


def test_a_folder_in_the_way_stays(tmp_path):
    """A folder is not replaced by a file."""
    (tmp_path / "a.knb").mkdir()
    with pytest.raises(OSError, match="cannot write .*a.knb"):
        write_container(tmp_path / "a.knb", {}, {})
    assert os.listdir(tmp_path) == ["a.knb"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_interrupted_write_leaves_the_old_file_and_no_other(saved, error):
    """Ctrl-C within a save passes on and costs nothing but the save."""
    before = saved.read_bytes()
    with pytest.raises(error):
        with replacing(saved) as file:
            file.write(b"half")
            raise error
    assert os.listdir(saved.parent) == [saved.name]
    assert saved.read_bytes() == before


def test_an_error_without_a_number_is_told_as_well(saved):
    """Libraries that write into the file raise such errors."""
    with pytest.raises(OSError, match=r"^cannot write .*model.knb: broken\. What"):
        with replacing(saved):
            raise OSError("broken")


def test_a_folder_that_cannot_be_synced_is_no_failure(path, monkeypatch):
    """The file is complete; not every file system can sync folders."""
    if os.name == "posix":
        sync = os.fsync

        def files_only(handle):
            if stat.S_ISDIR(os.fstat(handle).st_mode):
                raise OSError(errno.EINVAL, "Invalid argument")
            sync(handle)

        monkeypatch.setattr(os, "fsync", files_only)
    write_container(path, ARRAYS, METADATA)
    assert_same(read_container(path)[0], ARRAYS)


KILLED_SAVES = """
    import os, signal, sys, time
    import numpy as np
    from kerasnb import container

    path = sys.argv[1]

    def save(step):
        array = np.full(50_000, step, np.int64)
        container.write_container(path, {"x": array}, {"step": str(step)})

    save(0)
    for kill in range(20):
        read_end, write_end = os.pipe()
        arrays, _ = container.read_container(path)
        first = int(arrays["x"][0])
        child = os.fork()
        if child == 0:
            for step in range(first + 1, first + 10_000):
                save(step)
                os.write(write_end, b".")
        os.read(read_end, 1)
        time.sleep(kill * 7 % 20 / 1000)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(write_end)
        done = first + 1 + len(os.read(read_end, 1 << 16))
        arrays, metadata = container.read_container(path)
        step = int(metadata["step"])
        assert step in (done, done + 1), (step, done)
        assert (arrays["x"] == step).all()
        os.close(read_end)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")
def test_after_a_kill_the_newest_file_loads(path):
    """kill -9 at any moment loses at most the save that was under way."""
    code = textwrap.dedent(KILLED_SAVES)
    command = [sys.executable, "-W", "ignore", "-c", code, path]
    subprocess.run(command, check=True, timeout=60)


# ---- damaged files ----------------------------------------------------------------


def mutated(content, rng):
    """Return the file with bytes flipped, cut, moved, doubled or written over."""
    a, b = sorted(rng.integers(0, len(content) + 1, 2).tolist())
    at = int(rng.integers(0, len(content)))
    noise = rng.integers(0, 256, int(rng.integers(1, 9)), np.uint8).tobytes()
    flipped = bytes([content[at] ^ (1 << int(rng.integers(8)))])
    digit = b"%d" % rng.integers(0, 10 ** int(rng.integers(1, 18)))
    return [
        content[:at] + flipped + content[at + 1 :],
        content[:at],
        content[:a] + content[b:],
        content[:b] + content[a:],
        content[:at] + noise + content[at:],
        content[:at] + noise + content[at + len(noise) :],
        content[:at] + digit + content[at + len(digit) :],
        content[a:b] + content[:a] + content[b:],
    ][int(rng.integers(8))]


def test_a_mutated_file_is_damaged_or_the_same(saved, path):
    """Two thousand files: no crash, no other result, no memory for what is not there"""
    content = saved.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    tracemalloc.start()
    try:
        for _ in range(2000):
            path.write_bytes(mutated(content, rng))
            with contextlib.suppress(DamagedFile):
                found, metadata = read_container(path)
                assert_same(found, ARRAYS)
                assert metadata == METADATA
                continue
            refused += 1
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
    assert refused > 1800


def entry(**changes):
    return {"dtype": "F32", "shape": [3, 4], "data_offsets": [0, 48], **changes}


FORGERIES = [
    ("unknown type 'F99'", entry(dtype="F99")),
    ("unknown type 'BF16'", entry(dtype="BF16")),
    ("unknown type None", entry(dtype=None)),
    ("unknown type \\['F32'\\]", entry(dtype=["F32"])),
    ("no proper shape", entry(shape=[-3, -4])),
    ("no proper shape", entry(shape=[3.0, 4])),
    ("no proper shape", entry(shape=[12, True])),
    ("no proper shape", entry(shape="34")),
    ("no proper shape", entry(shape=[1] * 33)),
    ("no proper shape", entry(shape=[10**40])),
    ("an impossible shape", entry(shape=[0, 1 << 40, 1 << 40], data_offsets=[0, 0])),
    ("does not lie", entry(shape=[1 << 40], data_offsets=[0, 48])),
    ("does not lie", entry(data_offsets=[8, 56])),
    ("does not lie", entry(data_offsets=[48, 0])),
    ("does not lie", entry(data_offsets=[0, 48, 48])),
    ("does not lie", entry(data_offsets=[0.0, 48])),
    ("does not lie", entry(data_offsets=None)),
    ("bytes of numbers, not 439", entry(shape=[1 << 40], data_offsets=[0, 1 << 42])),
    ("is not described", {"dtype": "F32", "shape": [3, 4]}),
    ("is not described", entry(extra=1)),
    ("is not described", []),
]


@pytest.mark.parametrize("problem, described", FORGERIES)
def test_a_forged_entry_is_refused_before_room_is_made(saved, path, problem, described):
    """A right checksum does not help: types, shapes and offsets are checked."""
    header, data = header_of(saved.read_bytes())
    header["dense_1/kernel"] = described
    if "not 439" in problem:  # the others follow without a gap
        for name in list(header)[2:]:
            offsets = header[name]["data_offsets"]
            header[name]["data_offsets"] = [at - 48 + (1 << 42) for at in offsets]
    path.write_bytes(forged(header, data))
    tracemalloc.start()
    try:
        with pytest.raises(DamagedFile, match=problem):
            read_container(path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_arrays_that_overlap_or_change_places_are_refused(saved, path):
    """Every array starts where the one before stops."""
    header, data = header_of(saved.read_bytes())
    overlapping = {**header, "dense_1/bias": entry(dtype="F64", shape=[4])}
    overlapping["dense_1/bias"]["data_offsets"] = [16, 48]
    moved = {"__metadata__": header["__metadata__"], "step": header["step"], **header}
    for wrong in (overlapping, moved):
        path.write_bytes(forged(wrong, data))
        with pytest.raises(DamagedFile, match="does not lie where its size puts it"):
            read_container(path)


def test_numbers_beyond_the_last_array_are_refused(saved, path):
    """Every byte of the file belongs to something."""
    header, data = header_of(saved.read_bytes())
    path.write_bytes(forged(header, data + b"more"))
    with pytest.raises(DamagedFile, match="holds 94 bytes of numbers, not 90"):
        read_container(path)


def test_booleans_are_true_or_false(saved, path):
    """Another byte in an array of booleans is damage, not a third value."""
    header, data = header_of(saved.read_bytes())
    at = header["mask"]["data_offsets"][0]
    path.write_bytes(forged(header, data[:at] + b"\x02" + data[at + 1 :]))
    with pytest.raises(DamagedFile, match="'mask' holds other bytes than true and"):
        read_container(path)


HEADERS = [
    ("is not JSON", b"{nonsense}"),
    ("is not JSON", b'{"\xff": 1}'),
    ("a name comes twice", b'{"a": {"dtype": 1, "dtype": 2}}'),
    ("nested too deeply", b"[" * 100_000),
    ("is not a JSON object", b"[1, 2]"),
    ("no strings with a checksum", b'{"x": {}}'),
    ("no strings with a checksum", b'{"__metadata__": {"checksum": 1}}'),
    ("no strings with a checksum", b'{"__metadata__": ["checksum"]}'),
    ("no strings with a checksum", b'{"__metadata__": {"format": "a"}}'),
    ("checksum is wrong", b'{"__metadata__": {"checksum": "00000000"}}'),
]


@pytest.mark.parametrize("problem, text", HEADERS)
def test_a_wrong_header_is_refused(path, problem, text):
    """Whatever stands where the header should be, the error says what is wrong."""
    path.write_bytes(len(text).to_bytes(8, "little") + text)
    with pytest.raises(DamagedFile, match=problem):
        read_container(path)


@pytest.mark.parametrize("length", [9, 1 << 24, 1 << 63])
def test_a_header_longer_than_the_file_is_refused(path, length):
    """The length is believed only as far as the file goes."""
    path.write_bytes(length.to_bytes(8, "little") + b"{}      ")
    with pytest.raises(DamagedFile, match=f"claims a header of {length} bytes"):
        read_container(path)


def test_a_huge_header_is_not_parsed(path):
    """Parsing takes many times the memory of the text, so the text is bounded."""
    length = container.LONGEST_HEADER + 8
    with open(path, "wb") as file:
        file.write(length.to_bytes(8, "little"))
        file.truncate(length + 8)
    with pytest.raises(DamagedFile, match="claims a header of"):
        read_container(path)


def test_a_file_that_shrinks_while_it_is_read_is_damaged(saved, monkeypatch):
    """Fewer bytes than the size that the system told are no array."""
    status = os.stat(saved)
    saved.write_bytes(saved.read_bytes()[:-8])
    monkeypatch.setattr(os, "fstat", lambda handle: status)
    with pytest.raises(DamagedFile, match="cut short while it was read"):
        read_container(saved)


# ---- errors -----------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"\x08", bytes(8), bytes(8) + b"{"])
def test_a_file_too_short_is_damaged(path, content):
    """The message names the file and the likely cause."""
    path.write_bytes(content)
    problem = "too short for a header" if content else "empty"
    message = f"model.knb: it is {problem}. It was damaged or cut short after it was sa"
    with pytest.raises(DamagedFile, match=message):
        read_container(path)


def test_files_of_other_kinds_are_named(path):
    """A file of Keras or NumPy is told for what it is."""
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    with pytest.raises(DamagedFile, match=r"model.knb: .*\. It is an HDF5 file\.$"):
        read_container(path)
    np.savez(path.with_suffix(".npz"), x=1)
    with pytest.raises(DamagedFile, match="It is a zip archive"):
        read_container(path.with_suffix(".npz"))


ARRAY = io.BytesIO()
np.save(ARRAY, np.ones(3))
OTHERS = {
    "it holds no model. It is an array: numpy.load reads it": ARRAY.getvalue(),
    "it holds no model. It is a picture": b"\x89PNG\r\n\x1a\n" + bytes(99),
    "It is JSON: .* pass that to model_from_json": b'{"class_name": "Sequential"}',
    "It is a pickle, which can run code": pickle.dumps(list(range(99))),
    "It begins with 'Once upo', as a text does": b"Once upon a time",
}


@pytest.mark.parametrize("problem", OTHERS)
def test_what_a_student_may_take_for_a_model_is_named(path, problem):
    """Not the impossible length of its header."""
    path.write_bytes(OTHERS[problem])
    with pytest.raises(DamagedFile, match=f"model.knb: .*{problem}"):
        read_container(path)


def test_damage_is_a_value_error():
    """So that one clause catches all that is wrong with a file's content."""
    assert issubclass(DamagedFile, ValueError)


def test_a_missing_file_is_an_os_error(path):
    """What the system says is clear enough."""
    with pytest.raises(FileNotFoundError, match="model.knb"):
        read_container(path)


@pytest.mark.parametrize(
    "value", [["a"], [None], np.ones(2, complex), np.ones(2, "M8[s]")]
)
def test_other_arrays_are_refused(path, value):
    """Text, objects, complex numbers and dates are no arrays of numbers."""
    with pytest.raises(TypeError, match="x: expected booleans, integers or floats of"):
        write_container(path, {"x": value}, {})
    assert not path.exists()


def test_too_many_axes_are_refused(path, monkeypatch):
    """The limit is that of the oldest NumPy."""
    monkeypatch.setattr(container, "MOST_AXES", 1)
    with pytest.raises(ValueError, match="x: at most 1 axes, got 2"):
        write_container(path, {"x": np.ones((1, 1))}, {})


@pytest.mark.parametrize("name", ["__metadata__", 3])
def test_other_names_are_refused(path, name):
    """Names are strings, and one of them is taken."""
    with pytest.raises(ValueError, match=f"strings other than .*got {name!r}"):
        write_container(path, {name: np.ones(2)}, {})


@pytest.mark.parametrize("metadata", [{"a": 1}, {1: "a"}, {"a": None}])
def test_other_metadata_are_refused(path, metadata):
    """The container holds strings; the message says how to store more."""
    with pytest.raises(TypeError, match="expected strings by name, got .* JSON first"):
        write_container(path, {}, metadata)


def test_the_name_of_the_checksum_is_taken(path):
    """The file's own entry cannot be given."""
    with pytest.raises(ValueError, match="the name 'checksum' is taken"):
        write_container(path, {}, {"checksum": "0"})


def test_strings_longer_than_what_is_read_are_not_written(path):
    """Nothing is written that could not be read again."""
    with pytest.raises(ValueError, match="at most 8388608 can be stored"):
        write_container(path, {}, {"a": "x" * container.LONGEST_HEADER})
    assert os.listdir(path.parent) == []
