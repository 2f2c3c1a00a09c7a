"""
A container: named arrays and a few strings in one file that is never half-written.

The layout is that of safetensors, so other tools read it: the length of the header in
eight little-endian bytes, a JSON header {name: {dtype, shape, data_offsets}} with the
strings under "__metadata__", then the numbers, little-endian and without gaps. Reading
trusts nothing: what the header claims is held against the size of the file before room
is made for it, and a checksum covers names, strings and numbers. Read next:
`saving.py`, which puts models into such files.
"""

from __future__ import annotations

import io
import json
import math
import os
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from .files import replacing

DTYPES = {
    "BOOL": "b1",
    "U8": "u1",
    "U16": "u2",
    "U32": "u4",
    "U64": "u8",
    "I8": "i1",
    "I16": "i2",
    "I32": "i4",
    "I64": "i8",
    "F16": "f2",
    "F32": "f4",
    "F64": "f8",
}
"""The closed table of number types: the word in the file, kind and bytes in NumPy."""

WORDS = {code: word for word, code in DTYPES.items()}
METADATA, CHECKSUM = "__metadata__", "checksum"
LONGEST_HEADER = 1 << 23  # bytes; parsed it takes many times as much
MOST_AXES = 32
MOST_NUMBERS = 1 << 48  # per array, axes of size 0 left out

FOREIGN = {
    b"\x89HDF\r\n\x1a\n": "It is an HDF5 file.",
    b"PK\x03\x04": "It is a zip archive, as .npz and .keras files are.",
    b"\x93NUMPY": "It is an array: numpy.load reads it, model.set_weights takes such.",
    b"\x89PNG": "It is a picture.",
    b"\xff\xd8\xff": "It is a picture.",
    b"{": "It is JSON: read its text and pass that to model_from_json.",
    b"\x80\x04\x95": "It is a pickle, which can run code and is never read.",
    b"\x80\x05\x95": "It is a pickle, which can run code and is never read.",
}
"""How files of other kinds begin; none is the length of a header that is read."""


class DamagedFile(ValueError):
    """A file whose content cannot be right; the message says what is wrong."""

    def __init__(self, path: Any, problem: Any, start: bytes = b"") -> None:
        cause = (
            "It was damaged or cut short after it was saved, or another program wrote "
            "it. Use another copy."
        )
        if start and start.isascii() and start.decode().isprintable():
            cause = f"It begins with {start.decode()!r}, as a text does."
        for signature, kind in FOREIGN.items():
            if start.startswith(signature):
                problem, cause = "it holds no model", kind
        super().__init__(f"{os.fspath(path)}: {problem}. {cause}")


# ---------------------------------------------------------------- writing


def write_container(
    path: Any, arrays: Mapping[str, Any], metadata: Mapping[str, str]
) -> None:
    """
    Write arrays and strings to a file, whole or not at all.

    Parameters
    ----------
    path : str or PathLike
        A file there is replaced, but only when the new one is complete.
    arrays : dict
        Name -> array of booleans, integers or floats of at most 64 bits.
    metadata : dict
        Name -> string.

    Raises
    ------
    TypeError, ValueError
        If something cannot be stored; then nothing is written.
    OSError
        If the file cannot be written; what was there before is unchanged.

    Examples
    --------
    >>> folder = getfixture("tmp_path")
    >>> write_container(folder / "a.knb", {"x": np.arange(3.0)}, {"unit": "mm"})
    >>> read_container(folder / "a.knb")
    ({'x': array([0., 1., 2.])}, {'unit': 'mm'})
    """
    _check_metadata(metadata)
    header: dict[str, Any] = {METADATA: dict(metadata)}
    blocks = []
    stop = 0
    for name, given in arrays.items():
        array = _little_endian(name, given)
        start, stop = stop, stop + array.nbytes
        header[name] = {
            "dtype": WORDS[array.dtype.kind + str(array.dtype.itemsize)],
            "shape": list(array.shape),
            "data_offsets": [start, stop],
        }
        blocks.append(array.reshape(-1).view(np.uint8))
    header[METADATA][CHECKSUM] = _checksum(header, blocks)
    text = _as_json(header)
    text += b" " * (-len(text) % 8)
    if len(text) > LONGEST_HEADER:
        raise ValueError(
            f"{os.fspath(path)}: the names and strings take {len(text)} bytes, at most "
            f"{LONGEST_HEADER} can be stored. Put large content into arrays."
        )
    with replacing(path) as file:
        file.write(len(text).to_bytes(8, "little"))
        file.write(text)
        for block in blocks:
            file.write(block.data)


def _check_metadata(metadata: Mapping[str, str]) -> None:
    for name, value in metadata.items():
        if not (isinstance(name, str) and isinstance(value, str)):
            raise TypeError(
                f"metadata: expected strings by name, got {name!r}: {value!r}. Turn "
                "other values into JSON first."
            )
    if CHECKSUM in metadata:
        raise ValueError(f"metadata: the name {CHECKSUM!r} is taken; choose another.")


def _little_endian(name: str, given: Any) -> np.ndarray:
    """Return an array as it stands in the file, or refuse what cannot be stored."""
    if not isinstance(name, str) or name == METADATA:
        raise ValueError(
            f"arrays: expected names that are strings other than {METADATA!r}, got "
            f"{name!r}."
        )
    array = np.asarray(given)
    code = array.dtype.kind + str(array.dtype.itemsize)
    if code not in WORDS:
        raise TypeError(
            f"{name}: expected booleans, integers or floats of at most 64 bits, got an "
            f"array of type {array.dtype}."
        )
    if array.ndim > MOST_AXES:
        raise ValueError(f"{name}: at most {MOST_AXES} axes, got {array.ndim}.")
    return array.astype("<" + code, order="C", copy=False)


def _as_json(header: dict[str, Any]) -> bytes:
    return json.dumps(header, separators=(",", ":")).encode("ascii")


def _checksum(header: dict[str, Any], blocks: Iterable[np.ndarray]) -> str:
    """Return the CRC-32 of the header, in which it has no place yet, and the data."""
    checksum = zlib.crc32(_as_json(header))
    for block in blocks:
        checksum = zlib.crc32(block.data, checksum)
    return f"{checksum:08x}"


# ---------------------------------------------------------------- reading


def read_container(path: Any) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """
    Return the arrays and the strings that `write_container` stored.

    Raises
    ------
    DamagedFile
        If the content of the file cannot be right.
    OSError
        If there is no file, or it cannot be read.
    """
    with open(path, "rb") as file:
        start = file.read(8)
        try:
            size = os.fstat(file.fileno()).st_size - 8
            return _read(file, int.from_bytes(start, "little"), size)
        except ValueError as error:
            raise DamagedFile(path, error, start) from error


def _read(file: io.BufferedReader, length: int, size: int) -> tuple[dict, dict]:
    """Read a header of that length, then the arrays that fill the rest of the size."""
    if size < 2:
        word = "empty" if size == -8 else "too short for a header"
        raise ValueError(f"it is {word}")
    if length > min(size, LONGEST_HEADER):
        raise ValueError(f"it claims a header of {length} bytes")
    header = _parse(file.read(length))
    metadata = header.get(METADATA, {})
    if not _is_text(metadata) or CHECKSUM not in metadata:
        raise ValueError("its header has no strings with a checksum")
    entries = {name: entry for name, entry in header.items() if name != METADATA}
    stop = 0
    for name, entry in entries.items():
        stop = _check_entry(name, entry, stop)
    if stop != size - length:
        raise ValueError(f"it holds {size - length} bytes of numbers, not {stop}")
    blocks = [_fill(file, np.empty(*_layout(entry))) for entry in entries.values()]
    stated = metadata.pop(CHECKSUM)
    if stated != _checksum(header, (b.reshape(-1).view(np.uint8) for b in blocks)):
        raise ValueError("its checksum is wrong")
    return {
        name: _as_numbers(name, block, entry)
        for (name, entry), block in zip(entries.items(), blocks)
    }, metadata


def _parse(text: bytes) -> dict[str, Any]:
    try:
        header = json.loads(text.decode("utf-8"), object_pairs_hook=_without_twins)
    except ValueError as error:
        raise ValueError(f"its header is not JSON ({error})") from error
    except RecursionError:
        raise ValueError("its header is nested too deeply") from None
    if not isinstance(header, dict):
        raise ValueError("its header is not a JSON object")
    return header


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name comes twice")
    return found


def _is_text(metadata: Any) -> bool:
    return isinstance(metadata, dict) and all(
        isinstance(value, str) for value in metadata.values()
    )


def _check_entry(name: str, entry: Any, start: int) -> int:
    """Check what the header says of an array; return where its numbers stop."""
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"array {name!r} is not described by type, shape and offsets")
    word, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(word, str) or word not in DTYPES:
        raise ValueError(f"array {name!r} has the unknown type {word!r}")
    if not _are_sizes(shape) or len(shape) > MOST_AXES:
        raise ValueError(f"array {name!r} has no proper shape")
    if math.prod(axis or 1 for axis in shape) > MOST_NUMBERS:
        raise ValueError(f"array {name!r} has an impossible shape")
    stop = start + math.prod(shape) * np.dtype(DTYPES[word]).itemsize
    if not _are_sizes(offsets) or offsets != [start, stop]:
        raise ValueError(f"array {name!r} does not lie where its size puts it")
    return stop


def _are_sizes(value: Any) -> bool:
    return isinstance(value, list) and all(
        type(number) is int and 0 <= number <= MOST_NUMBERS * 8 for number in value
    )


def _layout(entry: dict[str, Any]) -> tuple[list[int], str]:
    """Return shape and type; booleans are read as bytes, to be looked at first."""
    code = DTYPES[entry["dtype"]].replace("b", "u")
    return entry["shape"], "<" + code


def _fill(file: io.BufferedReader, array: np.ndarray) -> np.ndarray:
    if file.readinto(array.reshape(-1).view(np.uint8).data) != array.nbytes:
        raise ValueError("it was cut short while it was read")
    return array


def _as_numbers(name: str, block: np.ndarray, entry: dict[str, Any]) -> np.ndarray:
    """Return the array in the types of this machine."""
    if entry["dtype"] == "BOOL":
        if (block > 1).any():
            raise ValueError(f"array {name!r} holds other bytes than true and false")
        return block.view(np.bool_)
    return block.astype(block.dtype.newbyteorder("="), copy=False)
