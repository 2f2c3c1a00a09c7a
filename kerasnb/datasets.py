"""
Data sets to learn from: `train, test = datasets.NAME.load_data()`, two pairs (x, y).

`digits`, `iris` and the text `alice` travel with the package; `moons`, `spirals` and
`blobs` are drawn from a seed; the classics of Keras are read from `~/.kerasnb/datasets`
or `~/.keras/datasets`, else downloaded and checked. Read next: `datafiles.py` for how a
file is found and read, `plotting.py` to look at what you loaded.
"""

import io
import json
import math
import pathlib
import tarfile
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .datafiles import RemoteFile, fetch, find, read_idx, read_npz, reading, unpickle
from .random import Generator

Part = tuple[np.ndarray, np.ndarray]
Parts = tuple[Part, Part]

SHIPPED = pathlib.Path(__file__).parent / "datasets_files"
GOOGLE = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
TRAIN_AND_TEST = ("train", "test")


# ---------------------------------------------------------------- shipped


class Digits:
    """
    The 1,797 handwritten digits of the UCI repository, 8 x 8 pixels.

    Source and licence stand in `datasets_files/README.md`.
    """

    class_names = tuple("0123456789")

    def load_data(self) -> Parts:
        """
        Return 1,497 digits to train on and 300 to test on.

        x (N, 8, 8) uint8, grey levels from 0 (paper) to 16 (ink); y (N,) int64. The
        split is fixed: the test part holds thirty of every digit, spread evenly over
        the thirteen writers; the training part is in a fixed shuffled order.

        Examples
        --------
        >>> (x_train, y_train), (x_test, y_test) = digits.load_data()
        >>> x_train.shape, x_test.shape
        ((1497, 8, 8), (300, 8, 8))
        """
        return _load_shipped("digits.npz", 300)


class Iris:
    """
    The 150 iris flowers of Fisher (1936): four lengths in centimetres, three species.

    Source and licence stand in `datasets_files/README.md`.
    """

    class_names = ("setosa", "versicolor", "virginica")
    feature_names = ("sepal length", "sepal width", "petal length", "petal width")

    def load_data(self) -> Parts:
        """
        Return 120 flowers to train on and 30 to test on.

        x (N, 4) float32; y (N,) int64. The split is fixed: the test part holds ten of
        every species; the training part is in a fixed shuffled order.

        Examples
        --------
        >>> (x_train, y_train), (x_test, y_test) = iris.load_data()
        >>> x_train.shape, x_test.shape
        ((120, 4), (30, 4))
        """
        return _load_shipped("iris.npz", 30)


class Alice:
    """
    The first two chapters of Alice's Adventures in Wonderland, by Lewis Carroll (1865).

    Source and licence stand in `datasets_files/README.md`.
    """

    def load_text(self) -> str:
        """
        Return the text: 22,181 characters, 61 different ones, all of them ASCII.

        Examples
        --------
        >>> alice.load_text()[:31]
        'CHAPTER I. Down the Rabbit-Hole'
        """
        return (SHIPPED / "alice.txt").read_text("ascii")


def _load_shipped(name: str, tests: int) -> Parts:
    with np.load(SHIPPED / name, allow_pickle=False) as file:
        x, y = file["x"], file["y"].astype(np.int64)
    return (x[:-tests], y[:-tests]), (x[-tests:], y[-tests:])


# ---------------------------------------------------------------- generated


class Moons:
    """Two half circles that reach into each other."""

    def load_data(
        self, n: int = 1000, noise: float = 0.1, seed: int = 0, test_split: float = 0.2
    ) -> Parts:
        """
        Draw points on two half circles of radius 1.

        Parameters
        ----------
        n : int
            Number of points in both parts together, half of them of each class.
        noise : float
            Standard deviation of the normal noise added to both coordinates.
        seed : int
            The same seed draws the same points.
        test_split : float
            Fraction of the points in the test part.

        Returns
        -------
        (x_train, y_train), (x_test, y_test)
            x (N, 2) float32, y (N,) int64.

        Examples
        --------
        >>> (x_train, y_train), (x_test, y_test) = moons.load_data(n=100)
        >>> x_train.shape, x_test.shape
        ((80, 2), (20, 2))
        """
        _check_points("moons", n, noise, 2, test_split)
        generator = Generator(seed)
        y = np.arange(n) % 2
        angle = math.pi * generator.uniform((n,), 0.0, 1.0, "float32")
        x = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        x = np.where(y[:, None] == 0, x, [1.0, 0.5] - x)
        return _shuffle_and_split(x, y, generator, noise, test_split)


class Spirals:
    """Arms that wind round one centre: no straight line parts them."""

    def load_data(
        self,
        n: int = 1000,
        noise: float = 0.02,
        seed: int = 0,
        test_split: float = 0.2,
        classes: int = 2,
        turns: float = 1.0,
    ) -> Parts:
        """
        Draw points on spirals inside the unit circle.

        Parameters are those of `moons.load_data`; `classes` is the number of arms and
        `turns` how often each winds round the centre.

        Examples
        --------
        >>> (x_train, y_train), (x_test, y_test) = spirals.load_data(n=300, classes=3)
        >>> sorted(set(y_train.tolist()))
        [0, 1, 2]
        """
        _check_points("spirals", n, noise, classes, test_split)
        generator = Generator(seed)
        y = np.arange(n) % classes
        radius = np.sqrt(generator.uniform((n,), 0.01, 1.0, "float32"))
        angle = 2 * math.pi * (turns * radius + y / classes)
        x = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        return _shuffle_and_split(x, y, generator, noise, test_split)


class Blobs:
    """Round clouds of points on a circle: the easiest data there are."""

    def load_data(
        self,
        n: int = 1000,
        noise: float = 0.5,
        seed: int = 0,
        test_split: float = 0.2,
        classes: int = 3,
    ) -> Parts:
        """
        Draw one cloud a class, its centre on a circle of radius 2.

        Parameters are those of `moons.load_data`; `noise` is the radius of a cloud and
        `classes` the number of clouds.

        Examples
        --------
        >>> (x_train, y_train), (x_test, y_test) = blobs.load_data(n=50, test_split=0)
        >>> x_train.shape, x_test.shape
        ((50, 2), (0, 2))
        """
        _check_points("blobs", n, noise, classes, test_split)
        y = np.arange(n) % classes
        angle = 2 * math.pi * y / classes
        x = 2 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        return _shuffle_and_split(x, y, Generator(seed), noise, test_split)


def _check_points(
    what: str, n: int, noise: float, classes: int, test_split: float
) -> None:
    if not isinstance(classes, (int, np.integer)) or classes < 1:
        raise ValueError(
            f"{what}.load_data: expected classes as a whole number from 1, "
            f"got {classes!r}."
        )
    if not isinstance(n, (int, np.integer)) or n < classes:
        raise ValueError(
            f"{what}.load_data: expected n as a whole number, at least one point for "
            f"each of the {classes} classes, got {n!r}."
        )
    if not 0 <= noise < math.inf:
        raise ValueError(
            f"{what}.load_data: expected noise as a standard deviation from 0, "
            f"got {noise!r}."
        )
    if not 0 <= test_split < 1:
        raise ValueError(
            f"{what}.load_data: expected test_split from 0 up to but not including 1, "
            f"got {test_split!r}."
        )


def _shuffle_and_split(
    x: np.ndarray, y: np.ndarray, generator: Generator, noise: float, test_split: float
) -> Parts:
    x = x + noise * generator.normal(x.shape, 0.0, 1.0, "float32")
    order = generator.permutation(len(x))
    x, y = x[order].astype(np.float32), y[order].astype(np.int64)
    cut = max(1, len(x) - round(len(x) * test_split))
    return (x[:cut], y[:cut]), (x[cut:], y[cut:])


# ---------------------------------------------------------------- the classics of Keras


class MNIST:
    """Handwritten digits of LeCun, Cortes and Burges: 60,000 and 10,000, 28 x 28."""

    class_names = tuple("0123456789")
    sha256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"

    def load_data(self, path: str = "mnist.npz") -> Parts:
        """Return x (N, 28, 28) uint8 from 0 to 255 and y (N,) uint8."""
        file = RemoteFile(path, GOOGLE + "mnist.npz", self.sha256)
        found = fetch("mnist.load_data", file)
        with reading("mnist.load_data", found):
            data = read_npz(found)
            train = data["x_train"], data["y_train"]
            return train, (data["x_test"], data["y_test"])


class FashionMNIST:
    """Articles of clothing by Zalando (MIT licence): 60,000 and 10,000, 28 x 28."""

    class_names = (
        *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
        *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    )
    checksums = {
        "train-images-idx3-ubyte.gz": "3aede38d61863908ad78613f6a32ed27"
        "1626dd12800ba2636569512369268a84",
        "train-labels-idx1-ubyte.gz": "a04f17134ac03560a47e3764e11b92fc"
        "97de4d1bfaf8ba1a3aa29af54cc90845",
        "t10k-images-idx3-ubyte.gz": "346e55b948d973a97e58d2351dde16a4"
        "84bd415d4595297633bb08f03db6a073",
        "t10k-labels-idx1-ubyte.gz": "67da17c76eaffca5446c3361aaab5c3c"
        "d6d1c2608764d35dfb1850b086bf8dd5",
    }

    def load_data(self) -> Parts:
        """Return x (N, 28, 28) uint8 from 0 to 255 and y (N,) uint8."""
        arrays = []
        for name, sha256 in self.checksums.items():
            file = RemoteFile(f"fashion-mnist/{name}", GOOGLE + name, sha256)
            path = fetch("fashion_mnist.load_data", file)
            with reading("fashion_mnist.load_data", path):
                arrays.append(read_idx(path))
        return (arrays[0], arrays[1]), (arrays[2], arrays[3])


class CIFAR10:
    """Small colour photographs of ten kinds of things: 50,000 and 10,000, 32 x 32."""

    class_names = (
        *("airplane", "automobile", "bird", "cat", "deer"),
        *("dog", "frog", "horse", "ship", "truck"),
    )
    url = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
    sha256 = "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"
    unpacked = "cifar-10-batches-py"
    unpacked_by_keras_3 = "cifar-10-batches-py-target/cifar-10-batches-py"

    def load_data(self) -> Parts:
        """Return x (N, 32, 32, 3) uint8 from 0 to 255 and y (N, 1) uint8."""
        what = "cifar10.load_data"
        names = [*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"]
        folder = find(self.unpacked) or find(self.unpacked_by_keras_3)
        file = RemoteFile("cifar-10-batches-py.tar.gz", self.url, self.sha256)
        path = folder if folder and folder.is_dir() else fetch(what, file)
        with reading(what, path):
            if path.is_dir():
                batches = [self._read((path / name).read_bytes()) for name in names]
            else:
                batches = self._read_archive(path, names)
            x_train = np.concatenate([x for x, _ in batches[:-1]])
            y_train = np.concatenate([y for _, y in batches[:-1]])
        return (x_train, y_train), batches[-1]

    def _read_archive(self, path: pathlib.Path, names: Sequence[str]) -> list[Part]:
        """Read the batches where they lie in the archive; nothing is unpacked."""
        found = {}
        with tarfile.open(path) as archive:
            for member in archive:
                name = pathlib.PurePosixPath(member.name).name
                stream = archive.extractfile(member)
                if name in names and stream is not None:
                    found[name] = self._read(stream.read())
        return [found[name] for name in names]

    def _read(self, content: bytes) -> Part:
        batch = unpickle(io.BytesIO(content))
        x = batch["data"].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        y = np.array(batch["labels"], np.uint8).reshape(-1, 1)
        return np.ascontiguousarray(x), y


class IMDB:
    """Film reviews as word numbers, liked (1) or not (0): 25,000 and 25,000."""

    sha256 = "69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f"

    def load_data(
        self,
        path: str = "imdb.npz",
        num_words: int | None = None,
        skip_top: int = 0,
        maxlen: int | None = None,
        seed: int = 113,
        start_char: int | None = 1,
        oov_char: int | None = 2,
        index_from: int = 3,
    ) -> Parts:
        """
        Return reviews as lists of word numbers, the commonest word first in number.

        Parameters
        ----------
        path : str
            File name in the data folder, or an absolute path.
        num_words : int, optional
            Keep words numbered below this; default: all.
        skip_top : int
            Leave out words numbered below this.
        maxlen : int, optional
            Leave out reviews of this length or more.
        seed : int
            Order of the reviews, the same as in Keras.
        start_char : int, optional
            Stands first in every review.
        oov_char : int, optional
            Stands for every word left out; None drops such words.
        index_from : int
            Added to the word numbers in the file.

        Returns
        -------
        (x_train, y_train), (x_test, y_test)
            x (N,) object, a list of int each; y (N,) integers.
        """
        what = "imdb.load_data"
        found = fetch(what, RemoteFile(path, GOOGLE + "imdb.npz", self.sha256))
        with reading(what, found):
            data = read_npz(found)
            files = [(data[f"x_{part}"], data[f"y_{part}"]) for part in TRAIN_AND_TEST]
        order = np.random.RandomState(seed)  # a private one: Keras draws the same order
        words = _Words(what, num_words, skip_top, maxlen, start_char, oov_char)
        train, test = (words.read(x, y, order, index_from) for x, y in files)
        return train, test

    def get_word_index(self, path: str = "imdb_word_index.json") -> dict[str, int]:
        """Return the number of every word, before `index_from` is added."""
        return _word_index("imdb", path)


class Reuters:
    """News wires as word numbers, 46 topics: 11,228 of them."""

    sha256 = "d6586e694ee56d7a4e65172e12b3e987c03096cb01eab99753921ef915959916"

    def load_data(
        self,
        path: str = "reuters.npz",
        num_words: int | None = None,
        skip_top: int = 0,
        maxlen: int | None = None,
        test_split: float = 0.2,
        seed: int = 113,
        start_char: int | None = 1,
        oov_char: int | None = 2,
        index_from: int = 3,
    ) -> Parts:
        """
        Return wires as lists of word numbers; the last `test_split` of them are tests.

        The other parameters are those of `imdb.load_data`.
        """
        what = "reuters.load_data"
        if not 0 <= test_split < 1:
            raise ValueError(
                f"{what}: expected test_split from 0 up to but not including 1, "
                f"got {test_split!r}."
            )
        found = fetch(what, RemoteFile(path, GOOGLE + "reuters.npz", self.sha256))
        with reading(what, found):
            data = read_npz(found)
            x, y = data["x"], data["y"]
        words = _Words(what, num_words, skip_top, maxlen, start_char, oov_char)
        x, y = words.read(x, y, np.random.RandomState(seed), index_from)
        cut = int(len(x) * (1 - test_split))
        return (x[:cut], y[:cut]), (x[cut:], y[cut:])

    def get_word_index(self, path: str = "reuters_word_index.json") -> dict[str, int]:
        """Return the number of every word, before `index_from` is added."""
        return _word_index("reuters", path)


class _Words(NamedTuple):
    """Which words of a text are kept, and what stands for the others."""

    what: str
    num_words: int | None
    skip_top: int
    maxlen: int | None
    start_char: int | None
    oov_char: int | None

    def read(
        self, x: np.ndarray, y: np.ndarray, order: np.random.RandomState, shift: int
    ) -> Part:
        """Shuffle the texts, number their words, and leave out the long ones."""
        indices = np.arange(len(x))
        order.shuffle(indices)
        start = [] if self.start_char is None else [self.start_char]
        rows = [start + [word + shift for word in x[k]] for k in indices]
        labels = y[indices]
        if self.maxlen is not None:
            short = [k for k, row in enumerate(rows) if len(row) < self.maxlen]
            if not short:
                raise ValueError(
                    f"{self.what}: maxlen={self.maxlen} leaves no text; the shortest "
                    f"has length {min(map(len, rows))}, so give a larger maxlen."
                )
            rows, labels = [rows[k] for k in short], labels[short]
        rows = [self.keep(row) for row in rows]
        return np.fromiter(rows, object, len(rows)), labels

    def keep(self, row: list[int]) -> list[int]:
        """Replace the words that are too common or too rare."""
        low = self.skip_top
        high = math.inf if self.num_words is None else self.num_words
        if self.oov_char is None:
            return [word for word in row if low <= word < high]
        return [word if low <= word < high else self.oov_char for word in row]


def _word_index(name: str, path: str) -> dict[str, int]:
    what = f"{name}.get_word_index"
    found = fetch(what, RemoteFile(path, f"{GOOGLE}{name}_word_index.json"))
    with reading(what, found):
        return json.loads(found.read_text("utf-8"))


digits = Digits()
iris = Iris()
alice = Alice()
moons = Moons()
spirals = Spirals()
blobs = Blobs()
mnist = MNIST()
fashion_mnist = FashionMNIST()
cifar10 = CIFAR10()
imdb = IMDB()
reuters = Reuters()
