import io
import os
import subprocess
import sys

import h5py
import numpy as np
import pytest

from kerasnb import hdf5_files
from kerasnb.container import DamagedFile
from kerasnb.hdf5_files import Part, Source, put_array, put_texts, reading, writing

X = np.arange(600.0, dtype=np.float32).reshape(20, 30)


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "a.h5")


def made(path, make):
    with h5py.File(path, "w") as file:
        make(file)
    return path


def first(path):
    """Read the array x of a file."""
    with reading(path) as root:
        return root.array("x").read()


# ---- laws -------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (1,), (20, 30), (2, 3, 4)])
@pytest.mark.parametrize("kind", ["<f4", ">f8", "<f2", "i1", ">u8"])
def test_arrays_come_back(path, shape, kind):
    """Every shape and type of plain numbers, in the order of this machine."""
    array = np.ones(shape, kind)
    with writing(path) as root:
        put_array(root, "group/x", array)
    with reading(path) as root:
        stored = root.array("group/x")
        assert stored.shape == shape and stored.size == array.size
        assert np.array_equal(stored.read(), array)
        assert stored.read().dtype == array.dtype.newbyteorder("=")


@pytest.mark.parametrize("texts", [[], ["a"], ["", "bc", "ä"], ["x" * 900] * 200])
def test_lists_of_texts_come_back(path, texts):
    """Empty ones, and those that are split over several attributes."""
    with writing(path) as root:
        put_texts(root, "names", texts)
    with reading(path) as root:
        assert root.texts("names") == texts
        assert root.texts("other") is None and root.text("other") is None


def test_a_file_in_memory_is_read_like_one_on_disk(path):
    """As those inside of an archive are, whatever lies before and after."""
    made(path, lambda file: file.create_dataset("x", data=X))
    with open(path, "rb") as file:
        content = file.read()
    for part in (
        Part(io.BytesIO(content)),
        Part(io.BytesIO(b"before" + content + b"after"), 6, len(content)),
    ):
        with reading("inside", part) as root:
            assert np.array_equal(root.array("x").read(), X)


def test_an_interrupted_write_leaves_the_old_file(path):
    """Nothing is left beside it."""
    made(path, lambda file: file.create_dataset("x", data=X))
    with pytest.raises(KeyboardInterrupt):
        with writing(path) as root:
            put_array(root, "x", X + 1)
            raise KeyboardInterrupt
    assert np.array_equal(first(path), X)
    assert os.listdir(os.path.dirname(path)) == ["a.h5"]


FULL = """
import resource, signal, sys
import numpy as np
from kerasnb.hdf5_files import put_array, writing
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    with writing(sys.argv[1]) as root:
        put_array(root, "x", np.zeros(100_000))
except OSError as error:
    assert "cannot write" in str(error), error
    print("refused")
"""


def test_a_full_disk_is_one_error_and_the_old_file_is_whole(path):
    """A limit for the size of files stands for the disk."""
    made(path, lambda file: file.create_dataset("x", data=X))
    env = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run(
        [sys.executable, "-c", FULL, path], capture_output=True, text=True, env=env
    )
    assert done.stdout.strip() == "refused", done.stderr[-2000:]
    assert np.array_equal(first(path), X)
    assert os.listdir(os.path.dirname(path)) == ["a.h5"]


# ---- hostile files ----------------------------------------------------------------


def soft(file):
    file["y"] = X
    file["x"] = h5py.SoftLink("/y")


def external_link(file):
    file["x"] = h5py.ExternalLink("other.h5", "/x")


def external_storage(file):
    file.create_dataset("x", X.shape, "f4", external=[("/etc/passwd", 0, 2400)])


def virtual(file):
    layout = h5py.VirtualLayout(shape=X.shape, dtype="f4")
    layout[:] = h5py.VirtualSource("other.h5", "x", shape=X.shape)
    file.create_virtual_dataset("x", layout)


def huge(file):
    space = h5py.h5s.create_simple((1 << 40,))
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    h5py.h5d.create(file.id, b"x", h5py.h5t.IEEE_F32LE, space, plan)


def huge_chunks(file):
    file.create_dataset("x", (1 << 30, 1 << 10), "f4", chunks=(1 << 10, 1 << 10))


def missing_chunk(file):
    file.create_dataset("x", (20, 30), "f4", chunks=(10, 30))[:5] = 1


def bomb(file):
    file.create_dataset("x", data=np.zeros((1 << 20,)), compression="gzip")


def bomb_in_a_chunk(file):
    import zlib

    data = file.create_dataset("x", (16,), "f4", chunks=(16,), compression="gzip")
    data.id.write_direct_chunk((0,), zlib.compress(bytes(1 << 20)))


def other_filter(file):
    file.create_dataset("x", data=X, compression="lzf")


def checksum_filter(file):
    file.create_dataset("x", data=X, fletcher32=True)


def objects(file):
    file.create_dataset("x", data=["a", "b"], dtype=h5py.string_dtype())


def table(file):
    file.create_dataset("x", data=np.zeros(3, [("a", "f4"), ("b", "i4")]))


def nothing(file):
    file.create_dataset("x", dtype="f4", data=h5py.Empty("f4"))


def a_group(file):
    file.create_group("x")


HOSTILE = {
    soft: "link, which may lead anywhere",
    external_link: "link, which may lead anywhere",
    external_storage: "lie outside of the file",
    virtual: "lie outside of the file",
    huge: "does not have the numbers that it claims",
    huge_chunks: "does not have the numbers that it claims",
    missing_chunk: "does not have the numbers that it claims",
    bomb: "claims more numbers than the file can hold",
    bomb_in_a_chunk: "chunk of another size than it claims",
    other_filter: "filters other than gzip and shuffle",
    checksum_filter: "filters other than gzip and shuffle",
    objects: "no array of plain numbers",
    table: "no array of plain numbers",
    nothing: "no array of plain numbers",
    a_group: "'x' is no array",
}


@pytest.mark.parametrize("make", HOSTILE, ids=lambda make: make.__name__)
def test_what_leads_out_of_the_file_or_claims_too_much_is_refused(path, make):
    """Before room is made for it, and with the file's name."""
    made(path, make)
    with pytest.raises(DamagedFile, match=f"a.h5: .*{HOSTILE[make]}"):
        first(path)


def test_one_array_under_many_names_is_refused(path):
    """Together the arrays cannot be larger than the file."""

    def make(file):
        file["x"] = X
        for i in range(9):
            file[f"x{i}"] = file["x"]

    made(path, make)
    with pytest.raises(DamagedFile, match="claims more numbers than the file can hold"):
        with reading(path) as root:
            for name in root.names():
                root.array(name)


@pytest.mark.parametrize("name", ["", ".", "..", "x/y", "a//x", "/x", "nothing"])
def test_paths_lead_downwards_only(path, name):
    """Every part of a path is a name in the group before."""
    made(path, lambda file: file.create_dataset("x", data=X))
    with reading(path) as root:
        with pytest.raises(DamagedFile, match="there is no "):
            root.array(name)


@pytest.mark.parametrize(
    "value", [1.0, np.zeros((2, 2), "S3"), ["a", "b"], np.zeros(2, "i4")]
)
def test_attributes_of_other_kinds_are_refused(path, value):
    """A text is one string; numbers and tables are none."""
    made(path, lambda file: file.attrs.update(a=value))
    with reading(path) as root:
        with pytest.raises(DamagedFile, match="its attribute 'a' is no"):
            root.text("a")
        with pytest.raises(DamagedFile, match="its attribute 'a' is no whole number"):
            root.count("a")


@pytest.mark.parametrize("kind", [np.dtype("f4"), np.dtype("O")])
def test_an_attribute_of_variable_length_that_is_no_text_is_refused(path, kind):
    """The HDF5 library may crash on damaged ones."""
    vlen = h5py.vlen_dtype(np.dtype("f4"))

    def make(file):
        value = np.empty(1, object)
        value[0] = np.ones(3, "f4")
        file.attrs.create("a", value, dtype=vlen)

    made(path, make)
    with reading(path) as root:
        with pytest.raises(DamagedFile, match="is no list of strings"):
            root.texts("a")


def test_a_damaged_heap_of_strings_is_refused(path):
    """The HDF5 library goes round in circles in some of them."""
    made(path, lambda file: file.attrs.update(a="text"))
    with open(path, "rb") as file:
        content = file.read()
    start = content.find(hdf5_files.HEAP)
    assert start > 0
    for place, value, problem in (
        (15, b"\x7f", "heap of strings is larger than the file"),
        (24, b"\xff\xff", "heap of strings is damaged"),
        (40, bytes(16), "heap of strings is damaged"),
    ):
        at = start + place
        data = content[:at] + value + content[at + len(value) :]
        with open(path, "wb") as file:
            file.write(data)
        with pytest.raises(DamagedFile, match=problem):
            with reading(path) as root:
                root.text("a")


@pytest.mark.parametrize("content", [b"", b"text", b"\x89HDF\r\n\x1a\n" + bytes(100)])
def test_other_files_are_refused(path, content):
    """Such as an empty one, and one that only begins like HDF5."""
    with open(path, "wb") as file:
        file.write(content)
    with pytest.raises(DamagedFile, match="a.h5"):
        with reading(path):
            pass


def test_a_source_counts_what_is_taken():
    """Compressed arrays may be larger than the file, plain ones not."""
    source = Source("a.h5", 100)
    source.take("x", 60, True)
    with pytest.raises(ValueError, match="y claims more numbers"):
        source.take("y", 60, True)
    Source("a.h5", 100).take("x", 1 << 20, False)
    with pytest.raises(ValueError, match="x claims more numbers"):
        Source("a.h5", 100).take("x", 1 << 21, False)


# ---- errors -----------------------------------------------------------------------


def test_without_h5py_the_message_names_the_extra(path, monkeypatch):
    """h5py is an extra."""
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ImportError, match=r"pip install 'kerasnb\[hdf5\]'"):
        with writing(path):
            pass
    assert not os.path.exists(path)
