"""
Files of data: where they lie, how they come, how to read them without trusting them.

A data set's file is looked for in `~/.kerasnb/datasets` and `~/.keras/datasets`, else
downloaded and kept only if its SHA-256 is right. Some classic files hold pickles, which
can run any program when Python's own reader opens them: `ArrayUnpickler` can build
lists and arrays and nothing else. Read next: `datasets.py`, for what is in them.
"""

import contextlib
import gzip
import hashlib
import io
import os
import pathlib
import pickle
import re
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

import numpy as np

TIMEOUT = 30  # seconds without a byte from the network


# ---------------------------------------------------------------- finding a file


class RemoteFile(NamedTuple):
    """A file's name in the data folder, where it comes from, and its SHA-256."""

    name: str
    url: str
    sha256: str | None = None


def folders() -> list[pathlib.Path]:
    """Return the two folders that are searched; downloads go to the first."""
    home = pathlib.Path.home()
    return [home / ".kerasnb" / "datasets", home / ".keras" / "datasets"]


def find(name: str) -> pathlib.Path | None:
    """Return the first file or folder of that name, or None."""
    for folder in folders():
        path = folder / os.path.expanduser(name)  # an absolute name stands for itself
        if path.exists():
            return path
    return None


def fetch(what: str, file: RemoteFile) -> pathlib.Path:
    """
    Return the path of a file, after a download where there is none yet.

    Raises
    ------
    RuntimeError
        If the file is missing and cannot be downloaded, or comes with a wrong checksum.
    """
    path = find(file.name)
    if path is not None:
        return path
    path = folders()[0] / os.path.expanduser(file.name)
    reason = "it has no known checksum, so kerasnb does not download it"
    if file.sha256 is not None:
        try:
            download(file, path)
            return path
        except OSError as error:
            reason = f"the download failed ({error})"
    raise RuntimeError(
        f"{what}: found no {file.name} in {folders()[0]} or {folders()[1]}, and "
        f"{reason}. Get {file.url} on a machine with a network and save it as {path}."
    )


def download(file: RemoteFile, path: pathlib.Path) -> None:
    """Save a file under its final name only when all of it has come and is right."""
    import urllib.request  # slow to import, and seldom needed

    sys.stderr.write(f"Downloading {file.url}\n")
    path.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as out:
            with urllib.request.urlopen(file.url, timeout=TIMEOUT) as source:
                while block := source.read(1 << 20):
                    digest.update(block)
                    out.write(block)
        if digest.hexdigest() != file.sha256:
            raise OSError(f"expected SHA-256 {file.sha256}, got {digest.hexdigest()}")
        os.replace(temporary, path)
    finally:
        pathlib.Path(temporary).unlink(missing_ok=True)


# ---------------------------------------------------------------- reading a file


class PickledDtype:
    """Stands for `numpy.dtype` while a pickle is read: plain numbers, or objects."""

    def __init__(self, code: str | bytes, *flags: int) -> None:
        self.code = text(code)
        self.order = "="
        if not re.fullmatch("[biuf][1248]|O8?", self.code):
            raise pickle.UnpicklingError(f"an array of type {self.code!r}")

    def __setstate__(self, state: tuple) -> None:
        """Take the byte order from the pickle, and nothing else."""
        self.order = text(state[1])


class PickledArray:
    """Stands for `numpy.ndarray` while a pickle is read; `array` is the real one."""

    def __init__(self, *ignored: Any) -> None:
        self.array = np.empty(0)

    def __setstate__(self, state: tuple) -> None:
        """Build the array from its shape, its type and its numbers or lists."""
        _, shape, dtype, is_fortran, content = state
        if dtype.code.startswith("O"):
            rows = [getattr(row, "array", row) for row in content]
            flat = np.fromiter(rows, object, len(rows))
        else:
            raw = content.encode("latin1") if isinstance(content, str) else content
            flat = np.frombuffer(raw, np.dtype(dtype.code).newbyteorder(dtype.order))
        self.array = flat.reshape(shape, order="F" if is_fortran else "C").copy()


class ArrayUnpickler(pickle.Unpickler):
    """Reads pickles of lists, dicts, numbers, text and arrays; refuses all the rest."""

    ALLOWED = {
        "numpy.core.multiarray._reconstruct": PickledArray,
        "numpy._core.multiarray._reconstruct": PickledArray,
        "numpy.ndarray": PickledArray,
        "numpy.dtype": PickledDtype,
        "_codecs.encode": lambda letters, encoding: letters.encode("latin1"),
        "__builtin__.bytes": lambda: b"",  # how old protocols write no bytes
    }

    def find_class(self, module: str, name: str) -> Any:
        """Return the stand-in for a class, whatever the file would like to have."""
        if f"{module}.{name}" not in self.ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return self.ALLOWED[f"{module}.{name}"]


def text(letters: str | bytes) -> str:
    """Return the text of a string that Python 2 may have written."""
    return letters.decode("latin1") if isinstance(letters, bytes) else letters


def unpickle(stream: BinaryIO) -> Any:
    """Return the array, or the dict of arrays and lists, in a pickle."""
    value = ArrayUnpickler(stream, encoding="bytes").load()
    if isinstance(value, dict):
        return {text(key): getattr(v, "array", v) for key, v in value.items()}
    return getattr(value, "array", value)


def read_npz(path: pathlib.Path) -> dict[str, np.ndarray]:
    """Return the arrays of an `.npz` file, arrays of lists included."""
    arrays = {}
    with zipfile.ZipFile(path) as archive:
        for member in archive.namelist():
            stream = io.BytesIO(archive.read(member))
            is_first = np.lib.format.read_magic(stream) == (1, 0)
            read_header = (
                np.lib.format.read_array_header_1_0
                if is_first
                else np.lib.format.read_array_header_2_0
            )
            if not read_header(stream)[2].hasobject:
                stream.seek(0)
                array = np.lib.format.read_array(stream, allow_pickle=False)
                arrays[member[:-4]] = array
            else:
                arrays[member[:-4]] = unpickle(stream)
    return arrays


def read_idx(path: pathlib.Path) -> np.ndarray:
    """Return the bytes of a gzipped IDX file: a magic word, the sizes, the numbers."""
    content = gzip.decompress(path.read_bytes())
    rank = content[3]
    shape = np.frombuffer(content, ">u4", rank, offset=4)
    numbers = np.frombuffer(content, np.uint8, offset=4 + 4 * rank)
    return numbers.reshape(shape.tolist()).copy()


@contextlib.contextmanager
def reading(what: str, path: pathlib.Path) -> Iterator[None]:
    """Turn whatever a damaged file raises into one sentence."""
    try:
        yield
    except Exception as error:  # a damaged pickle can raise anything
        raise ValueError(
            f"{what}: {path} is not the file that Keras uses ({error}). "
            "Delete it and load again."
        ) from error
