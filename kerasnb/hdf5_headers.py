"""
The headers of objects in HDF5 files, as far as texts of variable length need them.

Such a text is stored as its length and the place of its bytes, and the HDF5 library
makes room for the length before it looks at the place: so the length is read here
first. Names of parts follow the HDF5 File Format Specification, version 3, IV.A. Read
next: `hdf5_files.py`, which asks.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

ATTRIBUTE, CONTINUATION = 0x0C, 0x10  # types of messages
DESCRIPTOR = 16  # bytes: length, place of the heap, number in it
NEW_HEADER, NEW_CHUNK, CHECKSUM = b"OHDR", b"OCHK", 4


def text_lengths(part: Any, address: int, name: str, count: int) -> list[int]:
    """
    Return the lengths that the texts in an attribute claim.

    Parameters
    ----------
    part : binary file
        The HDF5 file, with places of eight bytes.
    address : int
        Where the header of the object begins that has the attribute.
    name : str
    count : int
        How many texts each value of that name holds.

    Raises
    ------
    ValueError
        If the attribute is not found, or holds fewer texts.
    """
    values = [value for own, value in _attributes(part, address) if own == name]
    if not values or min(map(len, values)) < count * DESCRIPTOR:
        raise ValueError(f"the attribute {name!r} lies where it cannot be checked")
    return [
        int.from_bytes(value[at : at + 4], "little")
        for value in values
        for at in range(0, count * DESCRIPTOR, DESCRIPTOR)
    ]


def _attributes(part: Any, address: int) -> Iterator[tuple[str, bytes]]:
    """Yield name and value of every attribute that is in a header."""
    for kind, data in _messages(part, address):
        version = data[0] if data else 0
        if kind != ATTRIBUTE or version not in (1, 2, 3):
            continue
        sizes = [int.from_bytes(data[at : at + 2], "little") for at in (2, 4, 6)]
        at = 9 if version == 3 else 8
        name = data[at : at + sizes[0]].split(b"\0")[0]
        for size in sizes:  # of name, type and shape, each filled up in version 1
            at += size + (-size % 8 if version == 1 else 0)
        yield name.decode("utf-8", "replace"), data[at:]


def _messages(part: Any, address: int) -> Iterator[tuple[int, bytes]]:
    """Yield type and content of every message of a header, in all its chunks."""
    start = _read(part, address, 40)
    is_new = start.startswith(NEW_HEADER)
    flags = start[5] if is_new else 0
    if is_new:
        at = 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
        width = 1 << (flags & 3)
        size = int.from_bytes(start[at : at + width], "little")
        chunks = [(address + at + width, size)]
    else:
        chunks = [(address + 16, int.from_bytes(start[8:12], "little"))]
    left = part.size  # bytes: a part that leads back to itself never ends
    for place, size in chunks:  # which grow on the way
        left -= size
        if left < 0:
            raise ValueError("a header is larger than the file")
        for kind, data in _in_chunk(_read(part, place, size), is_new, flags):
            yield kind, data
            if kind == CONTINUATION:
                place = int.from_bytes(data[:8], "little")
                size = int.from_bytes(data[8:16], "little")
                if is_new:
                    place += len(NEW_CHUNK)
                    size -= len(NEW_CHUNK) + CHECKSUM
                chunks.append((place, size))


def _in_chunk(chunk: bytes, is_new: bool, flags: int) -> Iterator[tuple[int, bytes]]:
    width, head = (1, 6 if flags & 4 else 4) if is_new else (2, 8)
    at = 0
    while at + head <= len(chunk):
        kind = int.from_bytes(chunk[at : at + width], "little")
        size = int.from_bytes(chunk[at + width : at + width + 2], "little")
        yield kind, chunk[at + head : at + head + size]
        at += head + size


def _read(part: Any, place: int, size: int) -> bytes:
    if not 0 <= place <= part.size or not 0 <= size <= part.size:
        raise ValueError("a header does not lie in the file")
    part.seek(place)
    return part.read(size) or b""
