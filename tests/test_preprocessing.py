"""Padding, pairs of words, windows of time series: against plain loops and by hand."""

import math
import pickle
import warnings

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kerasnb
from kerasnb import preprocessing, text
from kerasnb.hdf5 import HDF5Matrix
from kerasnb.preprocessing import (
    TimeseriesGenerator,
    make_sampling_table,
    pad_sequences,
    skipgrams,
)

ENDS = st.sampled_from(["pre", "post"])
numbers = st.lists(st.integers(-9, 9), max_size=7)


def plain_pad(sequences, maxlen, padding, truncating, value):
    """Lists of one length, made with list arithmetic."""
    if maxlen is None:
        maxlen = max(map(len, sequences), default=0)
    rows = []
    for row in sequences:
        surplus = max(len(row) - maxlen, 0)
        row = row[surplus:] if truncating == "pre" else row[: len(row) - surplus]
        filling = [value] * (maxlen - len(row))
        rows.append(filling + row if padding == "pre" else row + filling)
    return rows


def plain_pairs(words, reach):
    """Each word beside each other one within reach, in reading order."""
    pairs = []
    for i, centre in enumerate(words):
        for j, other in enumerate(words):
            if i != j and abs(i - j) <= reach and centre and other:
                pairs.append([centre, other])
    return pairs


def plain_windows(data, targets, length, rate, stride, first, last, reverse):
    """All windows, one after the other."""
    samples, wanted = [], []
    for row in range(first + length, last + 1, stride):
        window = [data[t] for t in range(row - length, row, rate)]
        samples.append(window[::-1] if reverse else window)
        wanted.append(targets[row])
    return samples, wanted


# ---------------------------------------------------------------- padding


def test_padding_by_hand():
    """Zeros in front by default, and long sequences lose their start."""
    rows = [[1], [2, 3], [4, 5, 6]]
    padded = pad_sequences(rows)
    assert padded.dtype == np.int32
    assert padded.tolist() == [[0, 0, 1], [0, 2, 3], [4, 5, 6]]
    assert pad_sequences(rows, 2).tolist() == [[0, 1], [2, 3], [5, 6]]
    after = pad_sequences(rows, 2, padding="post", truncating="post", value=9)
    assert after.tolist() == [[1, 9], [2, 3], [4, 5]]


@given(st.lists(numbers), st.none() | st.integers(1, 9), ENDS, ENDS, st.integers(-3, 3))
def test_padding_agrees_with_list_arithmetic(rows, maxlen, padding, truncating, value):
    """Also for lists that are empty, arrays, and a generator of them."""
    expected = plain_pad(rows, maxlen, padding, truncating, value)
    options = (maxlen, "int32", padding, truncating, value)
    found = pad_sequences(rows, *options)
    assert found.tolist() == expected and found.dtype == np.int32
    arrays = (np.array(row, np.int64) for row in rows)
    np.testing.assert_array_equal(pad_sequences(arrays, *options), found)


@given(st.lists(st.integers(0, 4), min_size=1), ENDS, ENDS)
def test_steps_may_be_vectors(lengths, padding, truncating):
    """Only the first axis of a sequence is padded and cut."""
    rows = [np.arange(6.0 * n).reshape(n, 2, 3) for n in lengths]
    options = {"padding": padding, "truncating": truncating, "maxlen": 3}
    padded = pad_sequences(rows, dtype="float64", value=0.5, **options)
    if not any(lengths):
        assert padded.shape == (len(rows), 3)
        return
    for place in np.ndindex(2, 3):
        column = [row[(slice(None), *place)] for row in rows]
        alone = pad_sequences(column, dtype="float64", value=0.5, **options)
        np.testing.assert_array_equal(padded[(..., *place)], alone)


def test_padding_nothing_gives_empty_arrays():
    """No sequences, or only empty ones."""
    assert pad_sequences([]).shape == (0, 0)
    assert pad_sequences([], 3).shape == (0, 3)
    assert pad_sequences([[], []]).shape == (2, 0)
    assert pad_sequences([[], []], 2).tolist() == [[0, 0], [0, 0]]


def test_words_are_padded_in_arrays_of_objects_or_text():
    """With a dtype that holds words."""
    rows = [["a", "bc"], ["d"]]
    for dtype in [object, "U5"]:
        padded = pad_sequences(rows, dtype=dtype, value="")
        assert padded.tolist() == [["a", "bc"], ["", "d"]]


@pytest.mark.parametrize(
    "rows, options, expected",
    [
        ([[0.5, 1.5]], {}, [[0, 1]]),
        ([[1]], {"maxlen": 2, "value": 0.5}, [[0, 1]]),
        ([[1, 2**32 + 1]], {}, [[1, 1]]),
        ([[256, 255]], {"dtype": "uint8"}, [[0, 255]]),
        ([[2]], {"dtype": "uint8", "maxlen": 2, "value": -1}, [[255, 2]]),
    ],
)
def test_numbers_that_the_dtype_cuts_are_warned_about(rows, options, expected):
    """The result is what Keras gives; another dtype gives no warning."""
    with pytest.warns(UserWarning, match="some were cut. Pass another dtype, such as"):
        assert pad_sequences(rows, **options).tolist() == expected
    pad_sequences(rows, **{**options, "dtype": "float64"})


def test_nan_in_whole_numbers_is_warned_about_once():
    """Whatever number the machine makes of it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        pad_sequences([[np.nan], [np.nan]])
    assert len(caught) == 1 and caught[0].filename == __file__


# ---------------------------------------------------------------- pairs of words


def test_the_sampling_table_by_hand():
    """sqrt(factor (r (log r + 0.577) + 1/2 - 1/(12 r))), at most 1; rank 0 as 1."""
    table = make_sampling_table(1000, 0.01)
    assert table[0] == table[1]
    assert table[1] == pytest.approx(math.sqrt(0.01 * (0.577 + 0.5 - 1 / 12)))
    one_in = 3 * (math.log(3) + 0.577) + 0.5 - 1 / 36
    assert table[3] == pytest.approx(math.sqrt(0.01 * one_in))
    assert table[-1] == 1 and (np.diff(table) >= 0).all()
    assert make_sampling_table(4)[2] == pytest.approx(0.00547597, abs=1e-8)
    assert make_sampling_table(1).shape == (1,)


def test_pairs_by_hand():
    """Zero is no word, but it takes a place in the window."""
    couples, labels = skipgrams([1, 0, 2, 3], 4, 1, 0.0, shuffle=False)
    assert couples == [[2, 3], [3, 2]] and labels == [1, 1]
    couples, labels = skipgrams([1, 0, 2], 3, 2, 0.0, False, categorical=True)
    assert couples == [[1, 2], [2, 1]] and labels == [[0, 1], [0, 1]]


@given(
    st.lists(st.integers(0, 5), max_size=12),
    st.integers(1, 20),
    st.sampled_from([0, 0.5, 1, 2.3]),
    st.booleans(),
    st.booleans(),
)
def test_pairs_agree_with_plain_loops(words, reach, share, shuffle, categorical):
    """Near pairs are exact; random ones are counted, with centres spread evenly."""
    couples, labels = skipgrams(words, 6, reach, share, shuffle, categorical)
    ones = [label == [0, 1] if categorical else label == 1 for label in labels]
    if categorical:
        assert all(label in ([0, 1], [1, 0]) for label in labels)
    near = [pair for pair, one in zip(couples, ones) if one]
    strangers = [pair for pair, one in zip(couples, ones) if not one]
    expected = plain_pairs(words, reach)
    assert (sorted(near) if shuffle else near) == (
        sorted(expected) if shuffle else expected
    )
    assert len(strangers) == int(len(near) * share)
    assert all(1 <= other <= 5 for _, other in strangers)
    if share == 1:
        centres = sorted(centre for centre, _ in strangers)
        assert centres == sorted(centre for centre, _ in near)
    if not shuffle:
        assert ones == [True] * len(near) + [False] * len(strangers)


def test_random_words_are_uniform_and_pairs_are_mixed():
    """All words but 0 are drawn equally often; labels lose their order."""
    couples, labels = skipgrams([1, 2] * 500, 5, 1, 2.0, seed=3)
    others = [other for (_, other), label in zip(couples, labels) if not label]
    shares = np.bincount(others, minlength=5) / len(others)
    np.testing.assert_allclose(shares, [0, 0.25, 0.25, 0.25, 0.25], atol=0.03)
    first = np.mean(labels[: len(labels) // 2])
    assert first == pytest.approx(1 / 3, abs=0.05)


def test_a_sampling_table_thins_out_the_centres():
    """Probability 0 drops a word as a centre, 1 keeps it; as a neighbour it stays."""
    table = [1.0, 0.0, 1.0, 0.5]
    words = [1, 2, 3] * 1000
    couples, _ = skipgrams(words, 4, 1, 0, False, sampling_table=table, seed=0)
    centres = np.bincount([centre for centre, _ in couples], minlength=4)
    assert centres[1] == 0 and centres[2] == 2000
    assert 800 < centres[3] < 1200
    assert any(other == 1 for _, other in couples)


def test_the_same_seed_draws_the_same_pairs():
    """Its own, or that of set_seed."""
    words = list(range(1, 30))
    assert skipgrams(words, 30, seed=5) == skipgrams(words, 30, seed=5)
    assert skipgrams(words, 30, seed=5) != skipgrams(words, 30, seed=6)
    kerasnb.set_seed(1)
    first, second = skipgrams(words, 30), skipgrams(words, 30)
    kerasnb.set_seed(1)
    assert skipgrams(words, 30) == first != second


def test_pairs_are_plain_numbers():
    """They can be written as JSON, and a vocabulary of nobody has no pairs."""
    couples, labels = skipgrams(np.array([1, 2], np.int32), 3)
    assert type(couples[0][1]) is int and type(labels[0]) is int
    assert skipgrams([], 1) == skipgrams([0, 0], 1) == ([], [])


# ---------------------------------------------------------------- time series


def test_windows_by_hand():
    """The example of fifty steps: every second of ten, two windows a batch."""
    data = np.array([[i] for i in range(50)])
    windows = TimeseriesGenerator(data, data, length=10, sampling_rate=2, batch_size=2)
    assert len(windows) == 20
    x, y = windows[0]
    assert x.dtype == data.dtype
    assert x.tolist() == [[[0], [2], [4], [6], [8]], [[1], [3], [5], [7], [9]]]
    assert y.tolist() == [[10], [11]]
    assert windows[19][1].tolist() == [[48], [49]]


@st.composite
def series(draw):
    """Arguments that leave at least one window."""
    length, first = draw(st.integers(1, 7)), draw(st.integers(0, 3))
    last = first + length + draw(st.integers(0, 9))
    return {
        "n": last + 1 + draw(st.integers(0, 3)),
        "length": length,
        "sampling_rate": draw(st.integers(1, 4)),
        "stride": draw(st.integers(1, 4)),
        "start_index": first,
        "end_index": last,
        "reverse": draw(st.booleans()),
        "batch_size": draw(st.integers(1, 5)),
    }


@given(series(), st.booleans(), st.sampled_from(["array", "list", "hdf5", "memmap"]))
def test_windows_agree_with_plain_loops(tmp_path_factory, options, shuffle, kind):
    """Each window once, in order or in any order, whatever holds the data."""
    n = options.pop("n")
    x, y = np.arange(2.0 * n).reshape(n, 2), np.arange(n)
    expected = plain_windows(
        x.tolist(),
        y.tolist(),
        *(options[key] for key in ["length", "sampling_rate", "stride"]),
        *(options[key] for key in ["start_index", "end_index", "reverse"]),
    )
    data = x
    if kind == "list":
        data = x.tolist()
    elif kind == "hdf5":
        path = tmp_path_factory.mktemp("series") / "x.h5"
        with h5py.File(path, "w") as file:
            file["x"] = x
        data = HDF5Matrix(path, "x")
    elif kind == "memmap":
        path = tmp_path_factory.mktemp("series") / "x.npy"
        np.save(path, x)
        data = np.load(path, mmap_mode="r")
    batches = TimeseriesGenerator(data, y, shuffle=shuffle, **options)
    sizes = [len(targets) for _, targets in batches]
    assert len(sizes) == len(batches)
    assert set(sizes[:-1]) <= {options["batch_size"]}
    windows = [pair for bx, by in batches for pair in zip(bx.tolist(), by.tolist())]
    if shuffle:
        windows.sort(key=lambda pair: pair[1])
    assert windows == list(zip(*expected))


def test_shuffled_windows_are_drawn_anew_after_each_epoch():
    """Within an epoch a batch stays the same, and set_seed repeats all epochs."""
    x = np.arange(50)

    def epochs():
        windows = TimeseriesGenerator(x, x, 3, shuffle=True, batch_size=47)
        first = windows[0][1].tolist()
        assert windows[0][1].tolist() == first
        windows.on_epoch_end()
        return first, windows[0][1].tolist()

    kerasnb.set_seed(4)
    first, second = epochs()
    assert sorted(first) == sorted(second) == list(range(3, 50))
    assert first != second and first != sorted(first)
    kerasnb.set_seed(4)
    assert epochs() == (first, second)


def test_windows_in_order_stay_in_order():
    """The end of an epoch changes nothing without shuffle."""
    windows = TimeseriesGenerator(np.arange(9), np.arange(9), 2)
    before = windows.rows.tolist()
    windows.on_epoch_end()
    assert windows.rows.tolist() == before == list(range(2, 9))


def test_windows_travel_to_other_processes():
    """A pickled generator gives the same batches, shuffled or not."""
    windows = TimeseriesGenerator(np.arange(9), np.arange(9), 2, shuffle=True)
    twin = pickle.loads(pickle.dumps(windows))
    np.testing.assert_array_equal(twin[0][0], windows[0][0])


def test_preprocessing_has_the_tools_for_text():
    """Tokenizer and the rest are found where Keras has them."""
    for name in ["Tokenizer", "one_hot", "hashing_trick", "text_to_word_sequence"]:
        assert getattr(preprocessing, name) is getattr(text, name)


# ---------------------------------------------------------------- errors


def windows(n=5, m=5, length=2, **options):
    return TimeseriesGenerator(np.zeros(n), np.zeros(m), length, **options)


@pytest.mark.parametrize(
    "call, kind, message",
    [
        (lambda: pad_sequences(3), ValueError, "expected a list of sequences, got 3"),
        (lambda: pad_sequences("ab"), ValueError, "list of sequences, got 'ab'"),
        (
            lambda: pad_sequences([[1], 2]),
            ValueError,
            "a list as sequence 1, got 2. Put",
        ),
        (
            lambda: pad_sequences(["ab"]),
            ValueError,
            "numbers for dtype int32, got 'ab'",
        ),
        (lambda: pad_sequences([["a"]]), ValueError, "Number words with a Tokenizer"),
        (lambda: pad_sequences([[None]]), ValueError, r"got \[None\] as sequence 0"),
        (lambda: pad_sequences([[1]], value="x"), ValueError, "got 'x' as value"),
        (
            lambda: pad_sequences([[[1], [2, 3]]]),
            ValueError,
            "0 holds lists that differ",
        ),
        (
            lambda: pad_sequences([[], [[1, 2]], [[1]]]),
            ValueError,
            r"expected steps of shape \(2,\) .* got \(1,\) in sequence 2",
        ),
        (lambda: pad_sequences([[1]], 0), ValueError, "maxlen must be a positive int"),
        (
            lambda: pad_sequences([], padding="left"),
            ValueError,
            "Unknown padding 'left'",
        ),
        (lambda: pad_sequences([], truncating="prae"), ValueError, "mean 'pre'"),
        (lambda: make_sampling_table(0), ValueError, "size must be a positive integer"),
        (lambda: make_sampling_table(3, -1), ValueError, "sampling_factor: .* got -1"),
        (
            lambda: skipgrams([1, 5], 5),
            ValueError,
            "from 0 to 4, got 5. vocabulary_size",
        ),
        (lambda: skipgrams([-1], 5), ValueError, "from 0 to 4, got -1"),
        (
            lambda: skipgrams([1.5], 5),
            ValueError,
            "list of word numbers, got an array of",
        ),
        (
            lambda: skipgrams([[1, 2]], 5),
            ValueError,
            r"shape \(1, 2\). Call it for each",
        ),
        (lambda: skipgrams([[1], [2, 3]], 5), ValueError, "sequence: the rows differ"),
        (lambda: skipgrams("ab", 5), TypeError, "sequence: expected numbers"),
        (lambda: skipgrams([1], 0), ValueError, "vocabulary_size must be a positive"),
        (lambda: skipgrams([1], 5, 0), ValueError, "window_size must be a positive"),
        (lambda: skipgrams([1], 5, 1, -1), ValueError, "negative_samples: .* got -1"),
        (
            lambda: skipgrams([1, 2], 5, sampling_table=[1, 1]),
            ValueError,
            "sampling_table: expected a probability for each of 3 words, got 2",
        ),
        (lambda: windows(m=4), ValueError, "same number of samples, got 5 and 4"),
        (
            lambda: windows(length=5),
            ValueError,
            "start_index 0 . length 5 is beyond end",
        ),
        (
            lambda: windows(start_index=3),
            ValueError,
            "3 . length 2 is beyond end_index 4",
        ),
        (lambda: windows(end_index=5), ValueError, "rows from 0 to 4, got 0 and 5"),
        (lambda: windows(start_index=-1), ValueError, "rows from 0 to 4, got -1 and 4"),
        (lambda: windows(start_index=0.5), ValueError, "from 0 to 4, got 0.5 and 4"),
        (lambda: windows(length=0), ValueError, "length must be a positive integer"),
        (lambda: windows(sampling_rate=0), ValueError, "sampling_rate must be a pos"),
        (lambda: windows(stride=0), ValueError, "stride must be a positive integer"),
        (lambda: windows(batch_size=0), ValueError, "batch_size must be a positive"),
        (lambda: windows()[1], IndexError, "expected a batch from 0 to 0, got 1"),
        (lambda: windows()[-1], IndexError, "expected a batch from 0 to 0, got -1"),
        (
            lambda: TimeseriesGenerator(["a"], [1], 1),
            TypeError,
            "data: expected numbers",
        ),
    ],
)
def test_misuse_is_named(call, kind, message):
    """Who, what was expected, what came."""
    with pytest.raises(kind, match=message):
        call()
