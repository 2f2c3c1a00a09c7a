"""Data sets: what comes with the package, what is drawn, what is read from files."""

import gzip
import hashlib
import io
import json
import os
import pickle
import subprocess
import sys
import tarfile
import urllib.request
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasnb import datafiles, datasets

GENERATED = ["moons", "spirals", "blobs"]


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty home folder, and no network."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))

    def no_network(*arguments, **named):
        raise OSError("no network in a test")

    monkeypatch.setattr(urllib.request, "urlopen", no_network)
    return tmp_path


def place(home, name, content, where=".kerasnb"):
    """Write a file into one of the two data folders."""
    path = home / where / "datasets" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def npz(**arrays):
    """Return the bytes of an .npz file; arrays of lists become pickles, as in Keras."""
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def ragged(*rows):
    """Return an array of lists."""
    return np.fromiter((list(row) for row in rows), object, len(rows))


def npz_with_pickle(name, content):
    """Return an .npz file that says it holds objects, and holds this pickle."""
    header = io.BytesIO()
    what = {"descr": "|O", "fortran_order": False, "shape": (1,)}
    np.lib.format.write_array_header_1_0(header, what)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(f"{name}.npy", header.getvalue() + content)
    return stream.getvalue()


# ---------------------------------------------------------------- shipped


def test_digits_are_the_1797_of_the_repository():
    """Counts, range and class sizes are those the source states."""
    (x, y), (x_test, y_test) = datasets.digits.load_data()
    assert x.shape == (1497, 8, 8) and x_test.shape == (300, 8, 8)
    assert x.dtype == np.uint8 and x.max() == 16 and x.min() == 0
    sizes = np.bincount(np.concatenate([y, y_test]))
    assert sizes.tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert np.bincount(y_test).tolist() == [30] * 10
    assert y.dtype == np.int64


def test_a_digit_looks_like_its_label():
    """The nearest class mean names four of five test digits: the labels belong."""
    (x, y), (x_test, y_test) = datasets.digits.load_data()
    x, x_test = x.reshape(-1, 64).astype(float), x_test.reshape(-1, 64).astype(float)
    means = np.stack([x[y == k].mean(0) for k in range(10)])
    distance = ((x_test[:, None] - means) ** 2).sum(2)
    assert (distance.argmin(1) == y_test).mean() > 0.8


def test_iris_has_the_means_of_fishers_paper():
    """Fifty of each species, and the published means of the four lengths."""
    (x, y), (x_test, y_test) = datasets.iris.load_data()
    assert x.shape == (120, 4) and x_test.shape == (30, 4) and x.dtype == np.float32
    assert np.bincount(y).tolist() == [40] * 3
    assert np.bincount(y_test).tolist() == [10] * 3
    x, y = np.concatenate([x, x_test]), np.concatenate([y, y_test])
    assert x[y == 0].mean(0) == pytest.approx([5.006, 3.428, 1.462, 0.246], abs=1e-3)
    assert x[y == 2].mean(0) == pytest.approx([6.588, 2.974, 5.552, 2.026], abs=1e-3)
    assert len(datasets.iris.feature_names) == 4


@pytest.mark.parametrize("name", ["digits", "iris"])
def test_shipped_data_come_with_licence_and_without_pickles(name):
    """The licence stands beside the file; NumPy reads it with pickles forbidden."""
    text = (datasets.SHIPPED / "README.md").read_text("utf-8")
    assert f"{name}.npz" in text and "CC BY 4.0" in text
    with np.load(datasets.SHIPPED / f"{name}.npz", allow_pickle=False) as file:
        assert sorted(file) == ["x", "y"]


@pytest.mark.parametrize("name", ["digits", "iris"])
def test_shipped_data_are_not_sorted_by_class(name):
    """Any tenth of the training part holds every class: validation_split is safe."""
    (_, y), _ = getattr(datasets, name).load_data()
    tenth = len(y) // 10
    for start in range(0, 10 * tenth, tenth):
        assert len(set(y[start : start + tenth].tolist())) == y.max() + 1


def test_the_text_is_the_beginning_of_alice():
    """Two chapters in plain ASCII, with their source."""
    text = datasets.alice.load_text()
    assert len(text) == 22181 and len(set(text)) == 61 and text.isascii()
    assert text.count("CHAPTER") == 2 and "Curiouser and curiouser!" in text
    assert text.endswith("the whole party swam to the shore.\n")
    source = (datasets.SHIPPED / "README.md").read_text("utf-8")
    assert "alice.txt" in source and "public domain" in source


def test_changing_what_was_loaded_changes_no_later_load():
    """Every call returns arrays of its own."""
    datasets.iris.load_data()[0][0][:] = 0
    assert datasets.iris.load_data()[0][0].min() > 0


# ---------------------------------------------------------------- generated


@given(
    st.sampled_from(GENERATED),
    st.integers(4, 60),
    st.integers(0, 2**31),
    st.floats(0, 0.9),
)
def test_points_are_drawn_from_the_seed(name, n, seed, test_split):
    """One seed, one set; n points in all; classes of equal size but for one point."""
    load = getattr(datasets, name).load_data
    first = load(n=n, seed=seed, test_split=test_split)
    again = load(n=n, seed=seed, test_split=test_split)
    for (x, y), (x_again, y_again) in zip(first, again):
        assert np.array_equal(x, x_again) and np.array_equal(y, y_again)
        assert x.shape == (len(y), 2)
        assert x.dtype == np.float32 and y.dtype == np.int64
    y = np.concatenate([first[0][1], first[1][1]])
    assert len(y) == n and len(first[0][1]) > 0
    assert np.ptp(np.bincount(y)) <= 1


@pytest.mark.parametrize("name", GENERATED)
def test_another_seed_draws_other_points(name):
    """The seed matters; NumPy's global generator neither matters nor moves."""
    load = getattr(datasets, name).load_data
    np.random.seed(1)
    before = np.random.get_state()[1].copy()
    first = load(n=20, seed=1)[0][0]
    assert np.array_equal(np.random.get_state()[1], before)
    assert not np.array_equal(first, load(n=20, seed=2)[0][0])


def test_noiseless_moons_lie_on_two_half_circles():
    """Radius 1 around (0, 0) above, around (1, 0.5) below."""
    (x, y), _ = datasets.moons.load_data(n=50, noise=0, test_split=0)
    center = np.where(y[:, None] == 0, 0.0, [1.0, 0.5])
    assert np.linalg.norm(x - center, axis=1) == pytest.approx(1, abs=1e-5)
    assert ((x - center)[:, 1] * np.where(y == 0, 1, -1) >= -1e-5).all()


@pytest.mark.parametrize("classes, turns", [(2, 1.0), (3, 1.5), (5, 0.5)])
def test_noiseless_spirals_follow_their_equation(classes, turns):
    """Angle = 2 pi (turns radius + class / classes)."""
    (x, y), _ = datasets.spirals.load_data(
        n=60, noise=0, test_split=0, classes=classes, turns=turns
    )
    radius = np.linalg.norm(x, axis=1)
    angle = 2 * np.pi * (turns * radius + y / classes)
    assert radius.max() <= 1 + 1e-5
    assert np.allclose(x[:, 0], radius * np.cos(angle), atol=1e-5)
    assert np.allclose(x[:, 1], radius * np.sin(angle), atol=1e-5)


def test_noise_is_the_radius_of_a_blob():
    """The points of a class spread by `noise` around a centre at distance 2."""
    (x, y), _ = datasets.blobs.load_data(n=3000, noise=0.3, test_split=0, classes=3)
    for k in range(3):
        angle = 2 * np.pi * k / 3
        cloud = x[y == k]
        assert cloud.mean(0) == pytest.approx(
            [2 * np.cos(angle), 2 * np.sin(angle)], abs=0.05
        )
        assert cloud.std(0) == pytest.approx([0.3, 0.3], abs=0.03)


# ---------------------------------------------------------------- the classics of Keras


@pytest.mark.parametrize("folder", [".kerasnb", ".keras"])
def test_mnist_is_read_from_either_folder(home, folder):
    """The arrays come back as they are in the file."""
    x, y = np.arange(2 * 28 * 28).reshape(2, 28, 28).astype(np.uint8), np.uint8([5, 3])
    content = npz(x_train=x, y_train=y, x_test=x[:1], y_test=y[:1])
    place(home, "mnist.npz", content, folder)
    (x_train, y_train), (x_test, y_test) = datasets.mnist.load_data()
    assert np.array_equal(x_train, x) and np.array_equal(y_train, y)
    assert np.array_equal(x_test, x[:1]) and y_test.tolist() == [5]


def test_an_absolute_path_stands_for_itself(home, tmp_path):
    """As in Keras, `path` may lead anywhere."""
    one = np.zeros((1, 28, 28), np.uint8)
    path = tmp_path / "mine.npz"
    path.write_bytes(npz(x_train=one, y_train=one, x_test=one, y_test=one))
    assert datasets.mnist.load_data(str(path))[0][0].shape == (1, 28, 28)


def test_fashion_mnist_reads_the_four_gzipped_files(home):
    """Images and labels of both parts, in the IDX format."""
    images = np.arange(3 * 4).reshape(3, 2, 2).astype(np.uint8)
    labels = np.uint8([7, 8, 9])
    for part, count in (("train", 3), ("t10k", 2)):
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            array = array[:count]
            content = bytes([0, 0, 8, array.ndim])
            content += np.array(array.shape, ">u4").tobytes() + array.tobytes()
            name = f"fashion-mnist/{part}-{kind}-ubyte.gz"
            place(home, name, gzip.compress(content), ".keras")
    (x_train, y_train), (x_test, y_test) = datasets.fashion_mnist.load_data()
    assert np.array_equal(x_train, images) and np.array_equal(y_train, labels)
    assert np.array_equal(x_test, images[:2]) and y_test.tolist() == [7, 8]
    x_test[:] = 0  # the arrays are the caller's
    assert len(datasets.fashion_mnist.class_names) == 10


def cifar_batches():
    """Return the six pickles of CIFAR-10, of two images each."""
    names = [*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"]
    for k, name in enumerate(names):
        data = (np.arange(2 * 3072).reshape(2, 3072) + k).astype(np.uint8)
        yield name, {b"data": data, b"labels": [k, k + 1], b"batch_label": b"b"}


@pytest.mark.parametrize("form", ["archive", "folder", "folder of Keras 3"])
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_cifar10_is_read_in_all_its_forms(home, form, protocol):
    """Archive or folder, old pickles or new: channels come last, y is a column."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, batch in cifar_batches():
            content = pickle.dumps(batch, protocol)
            if form == "archive":
                member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
            else:
                inside = "" if form == "folder" else "cifar-10-batches-py-target/"
                place(home, f"{inside}cifar-10-batches-py/{name}", content)
    if form == "archive":
        place(home, "cifar-10-batches-py.tar.gz", stream.getvalue())
    (x_train, y_train), (x_test, y_test) = datasets.cifar10.load_data()
    assert x_train.shape == (10, 32, 32, 3) and x_test.shape == (2, 32, 32, 3)
    assert y_train[:, 0].tolist() == [0, 1, 1, 2, 2, 3, 3, 4, 4, 5]
    assert y_test.tolist() == [[5], [6]]
    assert y_train.dtype == np.uint8 and x_train.dtype == np.uint8
    assert x_train[0, 0, 1].tolist() == [1, 1025 % 256, 2049 % 256]


def test_a_pickle_of_python_2_is_read():
    """The bytes that Python 2 wrote for {'data': zeros, 'labels': [3]}."""
    old = (
        b"\x80\x02}q\x01(U\x04dataq\x02cnumpy.core.multiarray\n_reconstruct\nq\x03"
        b"cnumpy\nndarray\nq\x04K\x00\x85U\x01b\x87Rq\x05(K\x01K\x01K\x02\x86cnumpy\n"
        b"dtype\nq\x06U\x02u1K\x00K\x01\x87Rq\x07(K\x03U\x01|NNNJ\xff\xff\xff\xffJ"
        b"\xff\xff\xff\xffK\x00tb\x89U\x02\xff\x07tbU\x06labelsq\x08]q\tK\x03au."
    )
    value = datafiles.unpickle(io.BytesIO(old))
    assert value["data"].tolist() == [[255, 7]] and value["labels"] == [3]


IMDB = {
    "x_train": ragged([1, 5, 9], [2], [3, 3, 3, 3]),
    "y_train": np.array([1, 0, 1]),
    "x_test": ragged([7, 8], [9, 9, 9]),
    "y_test": np.array([0, 1]),
}


def keras_order(*sizes):
    """The order in which Keras shuffles the parts with its seed 113."""
    random, orders = np.random.RandomState(113), []
    for size in sizes:
        orders.append(np.arange(size))
        random.shuffle(orders[-1])
    return orders


def test_imdb_numbers_words_as_keras_does(home):
    """Shuffled in the same order, a start mark first, numbers raised by 3."""
    place(home, "imdb.npz", npz(**IMDB))
    (x_train, y_train), (x_test, y_test) = datasets.imdb.load_data()
    train, test = keras_order(3, 2)
    rows = [[1, 4, 8, 12], [1, 5], [1, 6, 6, 6, 6]]
    assert x_train.dtype == object
    assert list(x_train) == [rows[k] for k in train]
    assert y_train.tolist() == [[1, 0, 1][k] for k in train]
    assert list(x_test) == [[[1, 10, 11], [1, 12, 12, 12]][k] for k in test]
    assert y_test.tolist() == [[0, 1][k] for k in test]


@pytest.mark.parametrize(
    "named, expected",
    [
        ({"num_words": 8}, [[1, 4, 2, 2], [1, 5], [1, 6, 6, 6, 6]]),
        ({"skip_top": 6}, [[2, 2, 8, 12], [2, 2], [2, 6, 6, 6, 6]]),
        ({"num_words": 8, "oov_char": None}, [[1, 4], [1, 5], [1, 6, 6, 6, 6]]),
        ({"start_char": None, "index_from": 0}, [[1, 5, 9], [2], [3, 3, 3, 3]]),
        ({"maxlen": 5}, [[1, 4, 8, 12], [1, 5]]),
    ],
)
def test_imdb_options_leave_words_out(home, named, expected):
    """Rare, common and long: each option by itself."""
    place(home, "imdb.npz", npz(**IMDB))
    (x_train, y_train), _ = datasets.imdb.load_data(**named)
    assert sorted(x_train) == sorted(expected)
    assert len(y_train) == len(x_train)


def test_reuters_splits_after_shuffling(home):
    """The last fifth of the shuffled wires is the test part."""
    rows = [[k] for k in range(10)]
    place(home, "reuters.npz", npz(x=ragged(*rows), y=np.arange(10)))
    (x_train, y_train), (x_test, y_test) = datasets.reuters.load_data()
    (order,) = keras_order(10)
    assert y_train.tolist() == order[:8].tolist()
    assert y_test.tolist() == order[8:].tolist()
    assert list(x_test) == [[1, k + 3] for k in order[8:]]
    assert len(datasets.reuters.load_data(test_split=0.5)[0][0]) == 5


@pytest.mark.parametrize("name", ["imdb", "reuters"])
def test_word_index_is_read(home, name):
    """A dict from word to number."""
    place(home, f"{name}_word_index.json", json.dumps({"the": 1}).encode())
    assert getattr(datasets, name).get_word_index() == {"the": 1}


# ---------------------------------------------------------------- downloads


def test_a_download_is_checked_and_kept(home, monkeypatch, capsys):
    """The right bytes land in ~/.kerasnb/datasets; the second load asks nobody."""
    one = np.zeros((1, 28, 28), np.uint8)
    content = npz(x_train=one, y_train=one, x_test=one, y_test=one)
    monkeypatch.setattr(
        type(datasets.mnist), "sha256", hashlib.sha256(content).hexdigest()
    )
    asked = []

    def urlopen(url, timeout):
        asked.append(url)
        return io.BytesIO(content)

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    for _ in range(2):
        assert datasets.mnist.load_data()[0][0].shape == (1, 28, 28)
    assert len(asked) == 1 and asked[0].endswith("/mnist.npz")
    assert os.listdir(home / ".kerasnb" / "datasets") == ["mnist.npz"]
    assert asked[0] in capsys.readouterr().err


def test_a_wrong_checksum_leaves_no_file(home, monkeypatch):
    """What came is not what was promised: nothing is kept, the message says so."""
    monkeypatch.setattr(urllib.request, "urlopen", lambda *_, **__: io.BytesIO(b"evil"))
    with pytest.raises(RuntimeError, match="expected SHA-256 731c5ac6.*, got"):
        datasets.mnist.load_data()
    assert os.listdir(home / ".kerasnb" / "datasets") == []


@pytest.mark.parametrize(
    "name, file",
    [
        ("mnist", "mnist.npz"),
        ("fashion_mnist", "train-images-idx3-ubyte.gz"),
        ("cifar10", "cifar-10-batches-py.tar.gz"),
        ("imdb", "imdb.npz"),
        ("reuters", "reuters.npz"),
    ],
)
def test_without_a_network_the_message_says_which_file_goes_where(home, name, file):
    """One sentence: what is missing, where from, where to."""
    with pytest.raises(RuntimeError) as caught:
        getattr(datasets, name).load_data()
    message = str(caught.value)
    assert "no network in a test" in message
    assert "Get https://" in message
    assert message.endswith(f"{file}.") and str(home) in message


def test_a_file_without_a_known_checksum_is_not_downloaded(home):
    """The word lists have none: the message tells what to do instead."""
    with pytest.raises(
        RuntimeError, match="no known checksum.*reuters_word_index.json"
    ):
        datasets.reuters.get_word_index()


def test_known_checksums_are_sha256():
    """Sixty-four hexadecimal digits each, all different."""
    known = [getattr(datasets, name).sha256 for name in ("mnist", "cifar10", "imdb")]
    known += [datasets.reuters.sha256, *datasets.fashion_mnist.checksums.values()]
    assert len(set(known)) == 8
    assert all(len(one) == 64 and int(one, 16) for one in known)


def test_importing_the_package_opens_no_network_module():
    """urllib.request is slow to import and seldom needed."""
    program = "import sys, kerasnb.datasets; sys.exit('urllib.request' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


# ---------------------------------------------------------------- files nobody trusts


class Attack:
    """Asks the unpickler to run a program."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("function", [os.system, eval, print, getattr, open])
@pytest.mark.parametrize("protocol", range(5))
def test_a_pickle_cannot_run_anything(home, function, protocol):
    """The file is refused before the function it names is looked up."""
    mark = home / "was_here"
    content = pickle.dumps(Attack(function, f"touch {mark}"), protocol)
    place(home, "reuters.npz", npz_with_pickle("x", content))
    place(home, "cifar-10-batches-py/data_batch_1", content)
    for load in (datasets.reuters.load_data, datasets.cifar10.load_data):
        with pytest.raises(ValueError, match="is not the file.*it asks for"):
            load()
    assert not mark.exists()


def test_an_array_of_anything_but_numbers_and_lists_is_refused():
    """Types that could hide more than numbers never reach NumPy."""
    content = pickle.dumps(np.zeros(2, "datetime64[s]"), 2)
    with pytest.raises(pickle.UnpicklingError, match="an array of type 'M8'"):
        datafiles.unpickle(io.BytesIO(content))


@given(st.data())
def test_damaged_pickles_raise_one_kind_of_error(data):
    """Bytes changed at random: a value, or a ValueError; nothing else, no hang."""
    content = bytearray(pickle.dumps([np.arange(5), ragged([1], [2, 3])], 2))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    try:
        with datafiles.reading("test", "file"):
            datafiles.unpickle(io.BytesIO(bytes(content)))
    except ValueError as error:
        assert "test: file is not the file that Keras uses" in str(error)


@given(
    st.sampled_from(["u1", "<i4", ">i4", "f8", "bool", "object"]),
    st.lists(st.integers(0, 3), min_size=1, max_size=3),
    st.booleans(),
    st.integers(0, 4),
)
def test_honest_arrays_come_back_whole(dtype, shape, fortran, protocol):
    """Types, byte orders, shapes and memory orders survive."""
    array = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    array = np.asfortranarray(array) if fortran else array
    got = datafiles.unpickle(io.BytesIO(pickle.dumps(array, protocol)))
    assert got.dtype == array.dtype and np.array_equal(got, array)


@pytest.mark.parametrize("content", [b"", b"not a zip file", npz(other=np.zeros(1))])
def test_a_damaged_file_is_named(home, content):
    """Empty, rubbish, or another file of that name: one sentence with the path."""
    path = place(home, "mnist.npz", content)
    with pytest.raises(ValueError) as caught:
        datasets.mnist.load_data()
    assert str(path) in str(caught.value)
    assert "Delete it and load again" in str(caught.value)


# ---------------------------------------------------------------- errors


@pytest.mark.parametrize("name", GENERATED)
@pytest.mark.parametrize(
    "named, message",
    [
        ({"n": 1}, "expected n as a whole number, at least one point"),
        ({"n": 10.5}, "expected n as a whole number.*got 10.5"),
        ({"noise": -1}, "expected noise as a standard deviation from 0, got -1"),
        ({"noise": float("nan")}, "expected noise as a standard deviation"),
        ({"test_split": 1}, "expected test_split from 0 up to but not including 1"),
    ],
)
def test_bad_numbers_of_points_are_refused(name, named, message):
    """Who, expected what, got what."""
    with pytest.raises(ValueError, match=f"{name}.load_data: {message}"):
        getattr(datasets, name).load_data(**named)


def test_no_classes_are_refused():
    """A blob needs a class."""
    with pytest.raises(ValueError, match="expected classes as a whole number from 1"):
        datasets.blobs.load_data(classes=0)


def test_a_maxlen_that_leaves_nothing_is_refused(home):
    """The message tells the shortest length there is."""
    place(home, "imdb.npz", npz(**IMDB))
    with pytest.raises(ValueError, match="maxlen=2 leaves no text; the shortest has"):
        datasets.imdb.load_data(maxlen=2)


def test_a_bad_test_split_of_reuters_is_refused():
    """Before any file is looked for."""
    with pytest.raises(ValueError, match="reuters.load_data: expected test_split"):
        datasets.reuters.load_data(test_split=1.5)
