"""
Before training: sequences of one length, pairs of words, windows of a time series.

`pad_sequences` makes an array of lists that differ in length, `skipgrams` the examples
from which word vectors are learnt, and a `TimeseriesGenerator` the batches of windows
that predict what comes next. Read next: `text.py` for the Tokenizer and
`augmentation.py` for images, whose names stand here too.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np

from . import random
from .augmentation import ImageDataGenerator
from .data import as_array, same_length
from .generators import Sequence
from .hdf5 import is_lazy, read_rows
from .image_iterators import DirectoryIterator, ImageIterator, NumpyArrayIterator
from .images import array_to_img, img_to_array, load_img
from .text import (
    Tokenizer,
    hashing_trick,
    one_hot,
    text_to_word_sequence,
    tokenizer_from_json,
)
from .utils import lookup, positive_integer

__all__ = [
    "DirectoryIterator",
    "ImageDataGenerator",
    "ImageIterator",
    "NumpyArrayIterator",
    "TimeseriesGenerator",
    "Tokenizer",
    "array_to_img",
    "hashing_trick",
    "img_to_array",
    "load_img",
    "make_sampling_table",
    "one_hot",
    "pad_sequences",
    "skipgrams",
    "text_to_word_sequence",
    "tokenizer_from_json",
]

AT_FRONT = {"pre": True, "post": False}
NUMBERS = "fiubc"  # kinds of NumPy types


# ---------------------------------------------------------------- padding


def pad_sequences(
    sequences: Iterable[Any],
    maxlen: int | None = None,
    dtype: Any = "int32",
    padding: str = "pre",
    truncating: str = "pre",
    value: Any = 0.0,
) -> np.ndarray:
    """
    Make one array of sequences that differ in length.

    Parameters
    ----------
    sequences : iterable of lists or arrays
        All of one shape but for their length.
    maxlen : int, optional
        Length of all rows; default: that of the longest sequence.
    dtype : NumPy dtype
        The default holds whole numbers only: ask for 'float32' to keep fractions.
    padding, truncating : {'pre', 'post'}
        At which end short sequences are filled up, and long ones are cut.
    value : number
        What short sequences are filled up with.

    Returns
    -------
    array of shape (sequences, maxlen, ...)

    Raises
    ------
    ValueError
        If an element is no list of numbers, or shapes differ.

    Examples
    --------
    >>> pad_sequences([[1], [2, 3], [4, 5, 6]], maxlen=2)
    array([[0, 1],
           [2, 3],
           [5, 6]], dtype=int32)
    """
    pad_front = lookup(padding, AT_FRONT, "padding")
    cut_front = lookup(truncating, AT_FRONT, "truncating")
    if maxlen is not None:
        maxlen = positive_integer(maxlen, "maxlen")
    kind = np.dtype(dtype)
    rows = _rows_to_pad(sequences, kind)
    length = max(map(len, rows), default=0) if maxlen is None else maxlen
    steps = next((row.shape[1:] for row in rows if len(row)), ())
    filling, exact = _cast(_values(value, kind, "value"), kind)
    padded = np.full((len(rows), length, *steps), filling, kind)
    for n, row in enumerate(rows):
        if len(row) == 0:
            continue
        if row.shape[1:] != steps:
            raise ValueError(
                f"pad_sequences: expected steps of shape {steps} as in the first "
                f"sequence, got {row.shape[1:]} in sequence {n}."
            )
        row, kept = _cast(row[-length:] if cut_front else row[:length], kind)
        at = length - len(row) if pad_front else 0
        padded[n, at : at + len(row)] = row
        exact &= kept
    if not exact:
        warnings.warn(
            f"pad_sequences: dtype {kind} cannot hold all the values, so some were "
            "cut. Pass another dtype, such as 'float32' to keep fractions.",
            stacklevel=2,
        )
    return padded


def _rows_to_pad(sequences: Any, kind: np.dtype) -> list[np.ndarray]:
    if isinstance(sequences, str) or not isinstance(sequences, Iterable):
        raise ValueError(
            f"pad_sequences: expected a list of sequences, got {sequences!r}."
        )
    rows = []
    for n, sequence in enumerate(sequences):
        row = _values(sequence, kind, f"sequence {n}")
        if row.ndim == 0:
            raise ValueError(
                f"pad_sequences: expected a list as sequence {n}, got {sequence!r}. "
                "Put a single sequence into brackets, as in [[1, 2, 3]]."
            )
        rows.append(row)
    return rows


def _values(values: Any, kind: np.dtype, what: str) -> np.ndarray:
    """Return what goes into an array of that kind; text does not become numbers."""
    try:
        array = np.asarray(values, object if kind == object else None)
    except ValueError:
        raise ValueError(
            f"pad_sequences: {what} holds lists that differ in length: {values!r}."
        ) from None
    if kind.kind in NUMBERS and array.dtype.kind not in NUMBERS:
        raise ValueError(
            f"pad_sequences: expected numbers for dtype {kind}, got {values!r} as "
            f"{what}. Number words with a Tokenizer first, or pass dtype=object."
        )
    return array


def _cast(values: np.ndarray, kind: np.dtype) -> tuple[np.ndarray, bool]:
    """Return the values in another type, and whether none of them was cut."""
    with np.errstate(invalid="ignore"):
        cast = values.astype(kind)
    return cast, kind.kind not in "iub" or np.array_equal(cast, values)


# ---------------------------------------------------------------- pairs of words


def make_sampling_table(size: int, sampling_factor: float = 1e-5) -> np.ndarray:
    """
    Return the probability with which `skipgrams` keeps each word as a centre.

    Words are taken to follow Zipf's law: the word of rank r stands for one word in
    r (log r + 0.577) + 1/2 - 1/(12 r). Frequent ones are kept less often:

        p[r] = min(1, sqrt(sampling_factor (r (log r + 0.577) + 1/2 - 1/(12 r))))

    Parameters
    ----------
    size : int
        Number of words, 0 included; its probability is that of word 1.
    sampling_factor : float
        The larger, the more words are kept.

    Examples
    --------
    >>> make_sampling_table(4).round(5)
    array([0.00315, 0.00315, 0.00548, 0.00742])
    """
    rank = np.arange(positive_integer(size, "size"), dtype=float)
    rank[0] = 1
    if not 0 <= sampling_factor < np.inf:
        raise ValueError(
            f"sampling_factor: expected a number from 0, got {sampling_factor!r}."
        )
    one_in = rank * (np.log(rank) + 0.577) + 0.5 - 1 / (12 * rank)
    return np.minimum(1.0, np.sqrt(sampling_factor * one_in))


def skipgrams(
    sequence: Any,
    vocabulary_size: int,
    window_size: int = 4,
    negative_samples: float = 1.0,
    shuffle: bool = True,
    categorical: bool = False,
    sampling_table: Any = None,
    seed: int | None = None,
) -> tuple[list[list[int]], list[Any]]:
    """
    Return pairs of words that stand near each other, and as many random pairs.

    Parameters
    ----------
    sequence : list of int
        Word numbers; 0 is no word and is never part of a pair.
    vocabulary_size : int
        The largest word number plus one.
    window_size : int
        Two words are near if at most this many places apart.
    negative_samples : float
        Random pairs for each near pair; 0 for none.
    shuffle : bool
        Whether the pairs are mixed; otherwise near pairs stand first, in order.
    categorical : bool
        Whether labels are [0, 1] and [1, 0] and not 1 and 0.
    sampling_table : array, optional
        Probability with which each word is kept as a centre: `make_sampling_table`.
    seed : int, optional
        Same seed, same pairs; default: the stream that `set_seed` starts.

    Returns
    -------
    couples, labels
        Lists of [centre, other] and of labels: 1 near, 0 random.

    Raises
    ------
    ValueError
        If a number in the sequence is no word of the vocabulary or of the table.

    Examples
    --------
    >>> skipgrams([1, 2, 3], 4, 1, negative_samples=0, shuffle=False)
    ([[1, 2], [2, 1], [2, 3], [3, 2]], [1, 1, 1, 1])
    """
    size = positive_integer(vocabulary_size, "vocabulary_size")
    reach = positive_integer(window_size, "window_size")
    if not 0 <= negative_samples < np.inf:
        raise ValueError(
            f"negative_samples: expected a number from 0, got {negative_samples!r}."
        )
    words = _word_numbers(sequence, size)
    generator = random.generator() if seed is None else random.Generator(seed)
    near = _near_pairs(words, reach, _kept(words, sampling_table, generator))
    strangers = _random_pairs(near, int(len(near) * negative_samples), size, generator)
    couples = np.concatenate([near, strangers])
    labels = np.arange(len(couples)) < len(near)
    if shuffle:
        order = generator.permutation(len(couples))
        couples, labels = couples[order], labels[order]
    if categorical:
        return couples.tolist(), np.stack([~labels, labels], 1).astype(int).tolist()
    return couples.tolist(), labels.astype(int).tolist()


def _word_numbers(sequence: Any, size: int) -> np.ndarray:
    words = as_array(sequence, "sequence")
    if words.size == 0:
        return np.empty(0, np.int64)
    if words.ndim != 1 or words.dtype.kind not in "iu":
        raise ValueError(
            "skipgrams: expected one list of word numbers, got an array of type "
            f"{words.dtype} and shape {words.shape}. Call it for each text."
        )
    wrong = words[(words < 0) | (words >= size)]
    if len(wrong):
        raise ValueError(
            f"skipgrams: expected word numbers from 0 to {size - 1}, got {wrong[0]}. "
            "vocabulary_size is the largest word number plus one."
        )
    return words.astype(np.int64)


def _kept(words: np.ndarray, table: Any, generator: random.Generator) -> np.ndarray:
    """Say for every place whether its word may be a centre."""
    if table is None:
        return words > 0
    table = np.asarray(table)
    if words.size and words.max() >= len(table):
        raise ValueError(
            "sampling_table: expected a probability for each of "
            f"{words.max() + 1} words, got {len(table)}."
        )
    return (words > 0) & (generator.uniform(len(words), dtype="float64") < table[words])


def _near_pairs(words: np.ndarray, reach: int, kept: np.ndarray) -> np.ndarray:
    """Return [centre, other] in order of the places, all in one array (pairs, 2)."""
    reach = min(reach, len(words))
    offsets = np.delete(np.arange(-reach, reach + 1), reach)
    centres = np.flatnonzero(kept)
    others = centres[:, None] + offsets
    inside = (others >= 0) & (others < len(words))
    inside[inside] = words[others[inside]] > 0
    i, _ = np.nonzero(inside)
    return np.stack([words[centres[i]], words[others[inside]]], axis=1)


def _random_pairs(
    near: np.ndarray, count: int, size: int, generator: random.Generator
) -> np.ndarray:
    """Return centres of the near pairs in random order, each beside a random word."""
    centres = np.resize(near[generator.permutation(len(near)), 0], count)
    others = 1 + (size - 1) * generator.uniform(count, dtype="float64")
    return np.stack([centres, others.astype(np.int64)], axis=1)


# ---------------------------------------------------------------- time series


class TimeseriesGenerator(Sequence):
    """
    Batches of windows of a time series, each with the target that follows it.

    The window of row t is data[t - length : t : sampling_rate], its target targets[t].

    Parameters
    ----------
    data : array (steps, ...)
        May stay on disk: a memory map, an HDF5 dataset or an HDF5Matrix.
    targets : array (steps, ...)
        As long as `data`.
    length : int
        How many steps back a window reaches.
    sampling_rate : int
        Every how many steps a window takes one: it holds ceil(length / sampling_rate).
    stride : int
        How many steps later the next window begins.
    start_index : int
        The first row that is used.
    end_index : int, optional
        The last row that is used, which is the last target; default: the last there is.
    shuffle : bool
        Whether the windows come in random order: each once an epoch, in a new order
        after `on_epoch_end`.
    reverse : bool
        Whether the steps of a window run backwards in time.
    batch_size : int
        Windows in a batch; the last batch may have fewer.

    Raises
    ------
    ValueError
        If data and targets differ in length, or no window is left.

    Examples
    --------
    >>> x = np.arange(6)
    >>> windows = TimeseriesGenerator(x, x, length=2, batch_size=3)
    >>> len(windows)
    2
    >>> windows[0]
    (array([[0, 1],
            [1, 2],
            [2, 3]]), array([2, 3, 4]))
    """

    state_names = ("rows",)

    def __init__(
        self,
        data: Any,
        targets: Any,
        length: int,
        sampling_rate: int = 1,
        stride: int = 1,
        start_index: int = 0,
        end_index: int | None = None,
        shuffle: bool = False,
        reverse: bool = False,
        batch_size: int = 128,
    ) -> None:
        self.data = data if is_lazy(data) else as_array(data, "data")
        self.targets = targets if is_lazy(targets) else as_array(targets, "targets")
        same_length("data", self.data, "targets", self.targets)
        self.length = positive_integer(length, "length")
        self.sampling_rate = positive_integer(sampling_rate, "sampling_rate")
        self.stride = positive_integer(stride, "stride")
        self.start_index = start_index
        self.end_index = len(self.data) - 1 if end_index is None else end_index
        self.shuffle = shuffle
        self.reverse = reverse
        self.batch_size = positive_integer(batch_size, "batch_size")
        self._check_range()
        first = self.start_index + self.length
        self.rows = np.arange(first, self.end_index + 1, self.stride)
        self.on_epoch_end()

    def _check_range(self) -> None:
        bounds = (self.start_index, self.end_index)
        whole = all(isinstance(bound, (int, np.integer)) for bound in bounds)
        if not whole or bounds[0] < 0 or bounds[1] >= len(self.data):
            raise ValueError(
                "TimeseriesGenerator: expected start_index and end_index as rows from "
                f"0 to {len(self.data) - 1}, got {bounds[0]!r} and {bounds[1]!r}."
            )
        if bounds[0] + self.length > bounds[1]:
            raise ValueError(
                f"TimeseriesGenerator: no target is left: start_index {bounds[0]} + "
                f"length {self.length} is beyond end_index {bounds[1]}. Use a shorter "
                "length or more data."
            )

    def __len__(self) -> int:
        return -(-len(self.rows) // self.batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        if not 0 <= index < len(self):
            raise IndexError(
                f"TimeseriesGenerator: expected a batch from 0 to {len(self) - 1}, got "
                f"{index}."
            )
        rows = self.rows[index * self.batch_size : (index + 1) * self.batch_size]
        back = np.arange(-self.length, 0, self.sampling_rate)
        steps = rows[:, None] + (back[::-1] if self.reverse else back)
        samples = read_rows(self.data, steps.ravel())
        samples = samples.reshape(*steps.shape, *self.data.shape[1:])
        return samples, read_rows(self.targets, rows)

    def on_epoch_end(self) -> None:
        """Draw a new order of the windows, if they are shuffled."""
        if self.shuffle:
            self.rows = self.rows[random.generator().permutation(len(self.rows))]
