"""
Data that stay on disk: a slice of an HDF5 file or a memory map, read row by row.

`HDF5Matrix` looks like an array and reads only the rows it is asked for, in whatever
order. `read_rows` does the same for every array on disk, so that the training loop
holds one batch at a time. Read next: `data.py`, which cuts batches.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable
from typing import Any
from weakref import WeakValueDictionary, finalize

import numpy as np

from .extras import import_extra


class HDF5Matrix:
    """
    A slice of an HDF5 dataset that is read when it is indexed, and never as a whole.

    It serves as x or y, and is indexed along its first axis as an array is: by numbers,
    slices, lists, integer and boolean arrays. All matrices of one file share one open
    file; it is closed when the last of them is closed or forgotten.

    Parameters
    ----------
    datapath : str or path
        The HDF5 file.
    dataset : str
        Name of the dataset in the file.
    start, end : int
        The first row, and the row after the last; default: all rows.
    normalizer : callable, optional
        Applied to each batch of rows that is read; returns as many rows.

    Raises
    ------
    ImportError
        If h5py is missing: it comes with the extra `hdf5`.
    ValueError
        If the file or the dataset cannot be read, or does not have these rows.

    Examples
    --------
    >>> import h5py, tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = os.path.join(folder.name, "train.h5")
    >>> with h5py.File(path, "w") as file:
    ...     file["x"] = np.arange(12.0).reshape(6, 2)
    >>> x = HDF5Matrix(path, "x", start=1, end=4)
    >>> x.shape
    (3, 2)
    >>> x[[2, 0]]
    array([[6., 7.],
           [2., 3.]])
    >>> x.close()
    >>> folder.cleanup()
    """

    def __init__(
        self,
        datapath: str | os.PathLike,
        dataset: str,
        start: int = 0,
        end: int | None = None,
        normalizer: Callable[[np.ndarray], Any] | None = None,
    ) -> None:
        if normalizer is not None and not callable(normalizer):
            raise TypeError(
                "HDF5Matrix: expected normalizer to be a function of an array, got "
                f"{normalizer!r}."
            )
        self.datapath = os.path.abspath(datapath)
        self.dataset = dataset
        self.normalizer = normalizer
        self._file: OpenFile | None = open_file(self.datapath)
        self._data = find_dataset(self._file, dataset)
        self.start, self.end = checked_range(start, end, len(self._data))
        first = self._data if normalizer is None else self[:1]
        self.shape: tuple[int, ...] = (len(self), *first.shape[1:])
        self.dtype: np.dtype = first.dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    def __len__(self) -> int:
        return self.end - self.start

    def __getitem__(self, key: Any) -> Any:
        if self._file is None:
            raise RuntimeError(
                f"HDF5Matrix: {self.datapath} was closed. Make a new HDF5Matrix to "
                "read on."
            )
        if isinstance(key, (int, np.integer)) and not isinstance(key, bool):
            return self[np.array([key])][0]
        rows = row_numbers(key, len(self))
        if isinstance(rows, range):
            rows = range(rows.start + self.start, rows.stop + self.start, rows.step)
        else:
            rows = rows + self.start
        return self._normalized(_read_dataset(self._data, rows))

    def _normalized(self, rows: np.ndarray) -> np.ndarray:
        if self.normalizer is None:
            return rows
        if len(rows) == 0:
            return np.empty((0, *self.shape[1:]), self.dtype)
        normal = np.asarray(self.normalizer(rows))
        if normal.shape[:1] != rows.shape[:1]:
            raise ValueError(
                f"HDF5Matrix: expected the normalizer to return {len(rows)} rows for "
                f"{len(rows)}, got an array of shape {normal.shape}."
            )
        return normal

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return np.asarray(self[:], dtype)

    def __enter__(self) -> HDF5Matrix:
        return self

    def __exit__(self, *reason: Any) -> None:
        self.close()

    def __reduce__(self) -> tuple:
        """Pickle the path and not the open file, for workers in other processes."""
        where = self.datapath, self.dataset, self.start, self.end, self.normalizer
        return type(self), where

    def close(self) -> None:
        """Let go of the file; shape and length stay known."""
        self._file = self._data = None


# ---------------------------------------------------------------- files


class OpenFile:
    """An HDF5 file that is closed when nobody holds this object any more."""

    def __init__(self, path: str) -> None:
        h5py = import_h5py()
        try:
            if not os.path.isfile(path):
                raise OSError("there is no such file")
            self.handle = h5py.File(path, "r")
        except OSError as reason:
            raise ValueError(
                f"HDF5Matrix: expected an HDF5 file, cannot read {path} ({reason})."
            ) from reason
        finalize(self, self.handle.close)


_open_files: WeakValueDictionary[tuple, OpenFile] = WeakValueDictionary()


def open_file(path: str) -> OpenFile:
    """Return the one open file of a path; a file that was replaced is another one."""
    try:
        found = os.stat(path)
        key = os.path.realpath(path), found.st_dev, found.st_ino
    except OSError:
        return OpenFile(path)  # which says what is wrong
    file = _open_files.get(key)
    if file is None:
        file = _open_files[key] = OpenFile(path)
    return file


def import_h5py() -> Any:
    """Return the module h5py, or raise an error that says how to get it."""
    return import_extra("h5py", "hdf5", "An HDF5 file")


def find_dataset(file: OpenFile, name: str) -> Any:
    """Return a dataset with rows, or raise an error that lists those there are."""
    h5py = import_h5py()
    found = file.handle.get(name) if isinstance(name, str) else None
    if isinstance(found, h5py.Dataset) and found.shape:
        return found
    names: list[str] = []

    def note(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and item.shape:
            names.append(name)

    file.handle.visititems(note)
    raise ValueError(
        f"HDF5Matrix: expected the name of a dataset with rows, got {name!r}. "
        f"{file.handle.filename} has: {', '.join(names) or 'none'}."
    )


def checked_range(start: int, end: int | None, rows: int) -> tuple[int, int]:
    """Return the first row and the row after the last, if the dataset has them."""
    bounds = [start, rows if end is None else end]
    whole = all(isinstance(bound, (int, np.integer)) for bound in bounds)
    if not whole or not 0 <= bounds[0] < bounds[1] <= rows:
        raise ValueError(
            "HDF5Matrix: expected whole numbers 0 <= start < end <= "
            f"{rows}, the rows of the dataset, got start={start!r}, end={end!r}."
        )
    return int(bounds[0]), int(bounds[1])


# ---------------------------------------------------------------- rows


def is_lazy(data: Any) -> bool:
    """
    Tell whether the data lie on disk, so that they should be read batch by batch.

    Examples
    --------
    >>> is_lazy(np.zeros(3))
    False
    """
    if isinstance(data, (np.memmap, HDF5Matrix)):
        return True
    h5py = sys.modules.get("h5py")  # who holds a dataset has imported h5py
    return h5py is not None and isinstance(data, h5py.Dataset)


def read_rows(data: Any, index: slice | np.ndarray) -> np.ndarray:
    """
    Return rows of an array, on disk or in memory, as a new C-contiguous array.

    Only these rows are read.

    Parameters
    ----------
    data : memory map, HDF5 dataset, HDF5Matrix or array
    index : slice, integer or boolean vector
        Which rows, in any order, repeated or not.

    Raises
    ------
    IndexError
        If there are no such rows.

    Examples
    --------
    >>> read_rows(np.arange(6).reshape(3, 2), np.array([2, 0]))
    array([[4, 5],
           [0, 1]])
    """
    if isinstance(data, HDF5Matrix):
        rows = data[index]
    elif isinstance(data, np.ndarray):
        numbers = row_numbers(index, len(data))
        rows = np.asarray(data)[index if isinstance(numbers, range) else numbers]
    else:
        rows = _read_dataset(data, row_numbers(index, len(data)))
    return np.require(rows, requirements=["C", "O", "W"])


def row_numbers(key: Any, length: int) -> range | np.ndarray:
    """Return the numbers of the rows that a slice, a list or a vector means."""
    if isinstance(key, slice):
        return range(length)[key]
    index = None if isinstance(key, tuple) else np.asarray(key)
    if index is not None and index.size == 0:
        index = index.astype(np.int64)  # an empty list has no type
    if index is None or index.ndim != 1 or index.dtype.kind not in "iub":
        raise TypeError(
            "Rows on disk: expected a whole number, a slice, or a vector of whole "
            f"numbers or booleans, got {key!r}. Other axes come after: x[rows][:, 0]."
        )
    if index.dtype == bool:
        if len(index) != length:
            raise IndexError(
                f"Rows on disk: expected one boolean for each of {length} rows, got "
                f"{len(index)}."
            )
        return np.flatnonzero(index)
    if index.size and not -length <= index.min() <= index.max() < length:
        wrong = index[(index < -length) | (index >= length)][0]
        raise IndexError(f"Rows on disk: there is no row {wrong}, only {length} rows.")
    index = index.astype(np.int64)
    return np.where(index < 0, index + length, index)


def _read_dataset(dataset: Any, rows: range | np.ndarray) -> np.ndarray:
    """Read rows of an HDF5 dataset, which knows only increasing row numbers."""
    if len(rows) == 0:
        return dataset[:0]
    if isinstance(rows, range):
        first, last = sorted((rows[0], rows[-1]))
        read = dataset[first : last + 1 : abs(rows.step)]
        return read if rows.step > 0 else read[::-1]
    wanted, where = np.unique(rows, return_inverse=True)
    first, last = int(wanted[0]), int(wanted[-1])
    without_gaps = last - first + 1 == len(wanted)  # a slice is read much faster
    read = dataset[first : last + 1] if without_gaps else dataset[wanted]
    return read if np.array_equal(wanted, rows) else read[where]
