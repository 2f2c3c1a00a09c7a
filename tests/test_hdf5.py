"""Data on disk: what is read equals what NumPy would give, and files are closed."""

import copy
import gc
import os
import pickle
import sys

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasnb import hdf5
from kerasnb.hdf5 import HDF5Matrix, is_lazy, read_rows

ROWS = 11
X = np.arange(ROWS * 6, dtype=np.float32).reshape(ROWS, 2, 3)
Y = np.arange(100, 100 + ROWS)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A file with two datasets, a single number and a group."""
    path = tmp_path_factory.mktemp("data") / "train.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=X, chunks=(2, 2, 3))
        file["group/y"] = Y
        file["number"] = 3.0
    return str(path)


def double(rows):
    """Two columns of one: the shape and the type change."""
    flat = rows.reshape(len(rows), -1)
    return np.concatenate([flat, 2 * flat], axis=1).astype(np.float64)


class Spy:
    """A dataset that writes down how many rows are read at most."""

    def __init__(self, array):
        self.array, self.shape, self.most = array, array.shape, 0

    def __len__(self):
        return len(self.array)

    def __getitem__(self, key):
        rows = self.array[key]
        self.most = max(self.most, len(rows))
        if not isinstance(key, slice):
            assert (np.diff(key) > 0).all()
        return rows


@st.composite
def ranges(draw):
    """A first row and a row after the last."""
    start = draw(st.integers(0, ROWS - 1))
    return start, draw(st.integers(start + 1, ROWS))


@st.composite
def keys(draw, length):
    """What an array of that length can be indexed by."""
    number = st.integers(-length, length - 1)
    anywhere = st.none() | st.integers(-2 * ROWS, 2 * ROWS)
    step = st.none() | st.sampled_from([-3, -2, -1, 1, 2, 5])
    numbers = st.lists(number, max_size=2 * ROWS)
    return draw(
        st.one_of(
            number,
            number.map(np.int32),
            st.builds(slice, anywhere, anywhere, step),
            numbers,
            numbers.map(lambda rows: np.array(rows, np.int64)),
            st.lists(st.booleans(), min_size=length, max_size=length).map(np.array),
        )
    )


# ---------------------------------------------------------------- HDF5Matrix


@given(st.data(), ranges())
def test_a_matrix_is_indexed_as_an_array_is(path, data, where):
    """Numbers, slices, lists and vectors give the rows that NumPy gives."""
    start, end = where
    key = data.draw(keys(end - start))
    expected = key if not isinstance(key, list) else np.array(key, np.int64)
    for name, array in [("x", X), ("group/y", Y)]:
        rows = HDF5Matrix(path, name, start, end)[key]
        np.testing.assert_array_equal(rows, array[start:end][expected])
        assert rows.dtype == array.dtype


@given(st.data(), ranges())
def test_a_normalizer_acts_on_what_is_read(path, data, where):
    """Reading and normalizing commute; a single row is normalized as a batch of one."""
    start, end = where
    key = data.draw(keys(end - start))
    expected = key if not isinstance(key, list) else np.array(key, np.int64)
    matrix = HDF5Matrix(path, "x", start, end, double)
    np.testing.assert_array_equal(matrix[key], double(X[start:end])[expected])
    assert matrix.shape == (end - start, 12) and matrix.dtype == np.float64
    assert matrix[3:3].shape == (0, 12) and matrix[3:3].dtype == np.float64


def test_a_matrix_has_the_attributes_of_an_array(path):
    """Shape, type, rank, size and length are those of the slice."""
    matrix = HDF5Matrix(path, "x", 2, 9)
    array = X[2:9]
    assert matrix.shape == array.shape and matrix.dtype == array.dtype
    assert matrix.ndim == 3 and matrix.size == array.size and len(matrix) == 7
    np.testing.assert_array_equal(np.asarray(matrix), array)
    assert np.asarray(matrix, np.float64).dtype == np.float64
    np.testing.assert_array_equal(list(matrix), array)


def test_the_normalizer_never_sees_an_empty_batch(path):
    """A function that fails on no rows at all does no harm."""
    matrix = HDF5Matrix(path, "x", normalizer=lambda rows: rows / rows.max())
    assert matrix[5:5].shape == (0, 2, 3)


def test_nothing_is_read_before_it_is_asked_for(path, monkeypatch):
    """Making a matrix reads no row; with a normalizer one row, the first of its own."""
    seen = []
    HDF5Matrix(path, "x", 4, 9, lambda rows: seen.append(rows) or rows)
    np.testing.assert_array_equal(seen, [X[4:5]])
    monkeypatch.setattr(hdf5, "_read_dataset", None)
    assert HDF5Matrix(path, "x").shape == X.shape


# ---------------------------------------------------------------- files


def test_matrices_of_one_path_share_one_open_file(path):
    """However the path is spelt; the last one to go closes the file."""
    gc.collect()
    before = len(hdf5._open_files)
    x = HDF5Matrix(path, "x")
    folder, name = os.path.split(path)
    y = HDF5Matrix(os.path.join(folder, ".", name), "group/y")
    assert len(hdf5._open_files) == before + 1
    dataset = x._data
    x.close()
    assert y[0] == 100 and dataset
    del y
    gc.collect()
    assert not dataset and len(hdf5._open_files) == before


def test_a_with_block_closes_the_file(path):
    """Afterwards the file can be written to; shape and length stay known."""
    with HDF5Matrix(path, "x") as matrix:
        assert len(matrix[:2]) == 2
    with h5py.File(path, "a"):
        pass
    assert matrix.shape == X.shape and len(matrix) == ROWS
    matrix.close()
    with pytest.raises(RuntimeError, match="was closed. Make a new HDF5Matrix"):
        matrix[0]


def test_a_file_that_was_replaced_is_opened_anew(tmp_path):
    """A former matrix keeps its rows, a new one sees the new file."""
    path = tmp_path / "data.h5"
    with h5py.File(path, "w") as file:
        file["x"] = [1, 2]
    old = HDF5Matrix(path, "x")
    with h5py.File(tmp_path / "next.h5", "w") as file:
        file["x"] = [3, 4]
    os.replace(tmp_path / "next.h5", path)
    new = HDF5Matrix(path, "x")
    assert old[:].tolist() == [1, 2] and new[:].tolist() == [3, 4]


def test_copies_and_pickles_open_the_file_themselves(path):
    """A worker in another process gets the path, range and normalizer."""
    matrix = HDF5Matrix(path, "x", 3, 7, double)
    for twin in [copy.deepcopy(matrix), pickle.loads(pickle.dumps(matrix))]:
        matrix.close()
        np.testing.assert_array_equal(twin[:], double(X[3:7]))


# ---------------------------------------------------------------- rows


@given(st.data())
def test_read_rows_gives_the_rows_of_every_kind_of_array(path, tmp_path_factory, data):
    """HDF5, memory map and array give the same; the result is new and C-contiguous."""
    key = data.draw(keys(ROWS).filter(lambda key: isinstance(key, (slice, np.ndarray))))
    mapped = np.memmap(
        tmp_path_factory.mktemp("map") / "x", np.float32, "w+", shape=X.shape
    )
    mapped[:] = X
    with h5py.File(path, "r") as file:
        for source in [
            file["x"],
            HDF5Matrix(path, "x"),
            mapped,
            X,
            np.asfortranarray(X),
        ]:
            rows = read_rows(source, key)
            np.testing.assert_array_equal(rows, X[key])
            assert type(rows) is np.ndarray and rows.dtype == np.float32
            assert rows.flags.c_contiguous and rows.flags.owndata
            assert rows.flags.writeable


@given(st.lists(st.integers(0, ROWS - 1), min_size=1))
def test_only_the_rows_asked_for_are_read(index):
    """Each wanted row is read once, in rising order, and no other row."""
    spy = Spy(X)
    np.testing.assert_array_equal(read_rows(spy, np.array(index)), X[index])
    assert spy.most == len(set(index))


def test_data_on_disk_are_known_as_such(path, tmp_path):
    """Memory maps, their slices, datasets and matrices are lazy; arrays are not."""
    np.save(tmp_path / "x.npy", X)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    with h5py.File(path, "r") as file:
        lazy = [mapped, mapped[2:], file["x"], HDF5Matrix(path, "x")]
        assert all(map(is_lazy, lazy))
    assert not any(map(is_lazy, [X, X.tolist(), None, "x"]))


def test_memory_maps_need_no_h5py(tmp_path, monkeypatch):
    """Neither asking nor reading imports it."""
    np.save(tmp_path / "x.npy", X)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    monkeypatch.setitem(sys.modules, "h5py", None)
    assert is_lazy(mapped)
    np.testing.assert_array_equal(read_rows(mapped, np.array([3, 1])), X[[3, 1]])
    assert not is_lazy(X)


# ---------------------------------------------------------------- errors


@pytest.mark.parametrize(
    "key, message",
    [
        (5, "there is no row 5, only 5 rows."),
        (-6, "there is no row -6, only 5 rows."),
        ([0, 7], "there is no row 7, only 5 rows."),
        (np.array([-9, 0]), "there is no row -9, only 5 rows."),
        ([True, False], "expected one boolean for each of 5 rows, got 2."),
    ],
)
def test_rows_outside_the_slice_are_refused(path, key, message):
    """Also where the dataset has such rows."""
    with pytest.raises(IndexError) as caught:
        HDF5Matrix(path, "x", 3, 8)[key]
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "key",
    [None, ..., (1, 2), "a", 1.5, [1.5], True, np.zeros((2, 2), int), np.array(2.0)],
)
def test_what_means_no_rows_is_refused(path, key):
    """Other axes are indexed after the rows are read."""
    with pytest.raises(
        TypeError, match=r"(?s)Rows on disk: expected .* x\[rows\]\[:, 0\]"
    ):
        HDF5Matrix(path, "x")[key]


def test_read_rows_refuses_rows_that_are_not_there():
    """Arrays in memory are checked as files are."""
    for source in [X, Spy(X)]:
        with pytest.raises(IndexError, match="there is no row 11, only 11 rows"):
            read_rows(source, np.array([ROWS]))


@pytest.mark.parametrize("name", ["z", "group", "number", "", 3])
def test_an_unknown_dataset_lists_those_there_are(path, name):
    """Groups and single numbers have no rows."""
    with pytest.raises(ValueError, match="a dataset with rows, got .*has: group/y, x."):
        HDF5Matrix(path, name)


@pytest.mark.parametrize(
    "where", [(-1, None), (0, ROWS + 1), (4, 4), (5, 4), (ROWS, None), (0.5, None)]
)
def test_a_range_outside_the_dataset_is_refused(path, where):
    """The message gives the number of rows."""
    with pytest.raises(ValueError, match="0 <= start < end <= 11, the rows of the"):
        HDF5Matrix(path, "x", *where)


def test_a_wrong_file_is_refused(tmp_path):
    """No file, a folder, and a file of another kind."""
    with pytest.raises(ValueError, match="none.h5 .there is no such file"):
        HDF5Matrix(tmp_path / "none.h5", "x")
    with pytest.raises(ValueError, match="there is no such file"):
        HDF5Matrix(tmp_path, "x")
    (tmp_path / "text").write_text("no HDF5")
    with pytest.raises(ValueError, match="expected an HDF5 file, cannot read"):
        HDF5Matrix(tmp_path / "text", "x")


def test_a_wrong_normalizer_is_refused_and_the_file_closed(path):
    """It must be callable, and return a row for each row."""
    gc.collect()
    before = len(hdf5._open_files)
    with pytest.raises(
        TypeError, match="normalizer to be a function of an array, got 2"
    ):
        HDF5Matrix(path, "x", normalizer=2)
    with pytest.raises(ValueError, match="return 1 rows for 1, got an array of shape"):
        HDF5Matrix(path, "x", normalizer=np.sum)
    gc.collect()
    assert len(hdf5._open_files) == before


def test_a_missing_h5py_names_the_extra(path, monkeypatch):
    """The message says what to type."""
    monkeypatch.setitem(sys.modules, "h5py", None)
    monkeypatch.setattr(hdf5, "_open_files", {})
    with pytest.raises(ImportError, match=r"pip install 'kerasnb\[hdf5\]'"):
        HDF5Matrix(path, "x")
