"""
HDF5 as a container: what may be read of a file from anywhere, and how one is written.

`reading` hands out nothing that leads out of the file or is larger than the file can
be: no links, no external or virtual storage, no filters but gzip, which is undone here
within the declared size. An array is looked at first and read later, so that it can be
compared with a model before room is made for it. The bytes are taken apart by the HDF5
library, though: for files from strangers our own format is the safer one. Read next:
`keras2_files.py` and `keras3_files.py` for the two layouts that Keras has.
"""

from __future__ import annotations

import contextlib
import functools
import io
import itertools
import math
import mmap
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from .container import DamagedFile
from .extras import import_extra
from .files import replacing
from .hdf5_headers import text_lengths

SIGNATURE = b"\x89HDF\r\n\x1a\n"
LONGEST_ATTRIBUTE = 64512  # bytes; HDF5 has room for little more in an object's header
MOST_TIMES_LARGER = 32  # a compressed array than what is stored of it ...
ALWAYS_ALLOWED = 1 << 20  # ... but for so many bytes
DEFLATE, SHUFFLE = 1, 2  # HDF5's numbers of filters
FILTERS = ((), (DEFLATE,), (SHUFFLE,), (SHUFFLE, DEFLATE))
MOST_AXES = 32
BLOCK = 1 << 18  # bytes that are looked at together
HEAP = b"GCOL\1\0\0\0"  # how a heap of strings begins


def import_h5py() -> Any:
    """Return the module h5py, or raise an error that says how to get it."""
    return import_extra("h5py", "hdf5", "An .h5 or .keras file")


# ---------------------------------------------------------------- reading


class Source:
    """
    The file that is read, and how many more bytes may come out of it.

    Parameters
    ----------
    path : str
        For messages.
    size : int
        In bytes.
    part : Part, optional
        Its bytes.
    """

    def __init__(self, path: str, size: int, part: Part | None = None) -> None:
        self.path, self.size, self.part = path, size, part
        self.plain = size
        self.inflated = size * MOST_TIMES_LARGER + ALWAYS_ALLOWED

    def take(self, name: str, count: int, is_plain: bool) -> None:
        """Count bytes that an array claims, and refuse what cannot be there."""
        if is_plain:
            self.plain -= count
        else:
            self.inflated -= count
        if min(self.plain, self.inflated) < 0:
            raise ValueError(f"{name} claims more numbers than the file can hold")


class Part(io.RawIOBase):
    """
    A part of an open file, which the HDF5 library takes for a whole one.

    Parameters
    ----------
    file : binary file
    start : int
        Where the part begins.
    size : int, optional
        Its bytes. Default: it goes to the end of the file and grows with it.

    Attributes
    ----------
    error : OSError or None
        The first one when writing; whoever writes has to look.
    """

    def __init__(self, file: Any, start: int = 0, size: int | None = None) -> None:
        super().__init__()
        self.file, self.start, self._size = file, start, size
        self.error: OSError | None = None

    @property
    def size(self) -> int:
        """Return the number of bytes."""
        if self._size is None:
            return self.file.seek(0, os.SEEK_END) - self.start
        return self._size

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place, counted from the beginning or from the end."""
        at = offset + (self.size if whence == os.SEEK_END else 0)
        self._try(self.file.seek, self.start + at)
        return at

    def tell(self) -> int:
        """Return the place."""
        return self.file.tell() - self.start

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer as far as the part goes; return how many bytes came."""
        left = None if self._size is None else max(self._size - self.tell(), 0)
        return self.file.readinto(memoryview(buffer)[:left])

    def write(self, data: Any) -> int:
        """Write bytes at the place."""
        self._try(self.file.write, data)
        return len(data)

    def truncate(self, size: int | None = None) -> int:
        """Cut the file, or lengthen it, to a part of this size."""
        size = self.tell() if size is None else size
        self._try(self.file.truncate, self.start + size)
        return size

    def _try(self, action: Callable, argument: Any) -> None:
        """Do it, but keep an error: within calls by HDF5 it would do more harm."""
        try:
            action(argument)
        except OSError as error:
            self.error = self.error or error

    def checksum(self) -> int:
        """Return the CRC-32 of all bytes, of which there must be as many as claimed."""
        found, left = 0, self.size
        block = memoryview(bytearray(BLOCK))
        self.seek(0)
        while left:
            count = self.file.readinto(block[:left])
            if not count:
                raise ValueError("it was cut short")
            found = zlib.crc32(block[:count], found)
            left -= count
        return found


def _guarded(method: Callable) -> Any:
    """Turn whatever h5py says about a damaged file into a DamagedFile."""

    @functools.wraps(method)
    def guarded(self, *args, **kwargs):
        try:
            return method(self, *args, **kwargs)
        except DamagedFile:
            raise
        except Exception as error:  # any kind: the bytes may say anything
            raise DamagedFile(self.source.path, _told(error)) from error

    return guarded


def _told(error: Exception) -> str:
    text = str(error.args[0]) if error.args else repr(error)
    return text.rstrip(".")


class Stored:
    """
    An array in a file: shape and type are known, the numbers are read by `reshape`.

    Parameters
    ----------
    dataset : h5py.Dataset
    source : Source
    """

    def __init__(self, dataset: Any, source: Source) -> None:
        self.dataset, self.source = dataset, source
        self.name: str = dataset.name
        self.shape: tuple[int, ...] = dataset.shape
        self.dtype: np.dtype = dataset.dtype.newbyteorder("=")
        self._check_type()
        self.size = math.prod(self.shape)
        self.nbytes = self.size * self.dtype.itemsize
        self._filters = self._check_storage()
        source.take(self.name, self.nbytes, DEFLATE not in self._filters)

    def _check_type(self) -> None:
        h5t, kind = import_h5py().h5t, self.dataset.id.get_type()
        plain = isinstance(kind, (h5t.TypeIntegerID, h5t.TypeFloatID))
        plain &= (
            self.dtype.kind in "fiu" and self.dtype.itemsize == kind.get_size() <= 8
        )
        if self.shape is None or not plain or len(self.shape) > MOST_AXES:
            raise ValueError(f"{self.name} is no array of plain numbers")

    def _check_storage(self) -> tuple[int, ...]:
        """Refuse numbers that lie elsewhere or nowhere; return the filters."""
        h5d = import_h5py().h5d
        plan = self.dataset.id.get_create_plist()
        layout = plan.get_layout()
        if plan.get_external_count() or layout == h5d.VIRTUAL:
            raise ValueError(f"the numbers of {self.name} lie outside of the file")
        filters = tuple(plan.get_filter(i)[0] for i in range(plan.get_nfilters()))
        if filters not in FILTERS:
            raise ValueError(f"{self.name} uses filters other than gzip and shuffle")
        if layout == h5d.CHUNKED:
            self._check_chunks()
        elif self.dataset.id.get_storage_size() != self.nbytes:
            raise ValueError(f"{self.name} does not have the numbers that it claims")
        return filters

    def _check_chunks(self) -> None:
        chunk = self.dataset.chunks
        count = math.prod(-(-n // c) for n, c in zip(self.shape, chunk))
        too_large = any(c > n for n, c in zip(self.shape, chunk))
        if too_large or self.dataset.id.get_num_chunks() != count:
            raise ValueError(f"{self.name} does not have the numbers that it claims")

    @_guarded
    def reshape(self, *shape: Any) -> np.ndarray:
        """Read the numbers and return them in this shape."""
        array = np.empty(self.shape, self.dtype)
        if self.dataset.chunks is not None:
            self._read_chunks(array)
        elif array.size:
            self.dataset.read_direct(array)
        return array.reshape(*shape)

    def read(self) -> np.ndarray:
        """Read the numbers."""
        return self.reshape(self.shape)

    def _read_chunks(self, array: np.ndarray) -> None:
        chunk = self.dataset.chunks
        starts = [range(0, n, c) for n, c in zip(array.shape, chunk)]
        for corner in itertools.product(*starts):
            block = self._inflated(corner, math.prod(chunk) * self.dtype.itemsize)
            block = block.reshape(chunk)
            inside = tuple(
                slice(min(c, n - at)) for at, c, n in zip(corner, chunk, array.shape)
            )
            outside = tuple(slice(at, at + c) for at, c in zip(corner, chunk))
            array[outside] = block[inside]

    def _inflated(self, corner: tuple[int, ...], length: int) -> np.ndarray:
        """Return a chunk without its filters; HDF5 would inflate without a limit."""
        stored = self.dataset.id.get_chunk_info_by_coord(corner)
        if stored.size > self.source.size or stored.filter_mask:
            raise ValueError(f"{self.name} has a chunk that cannot be right")
        data = self.dataset.id.read_direct_chunk(corner)[1]
        if DEFLATE in self._filters:
            data = zlib.decompressobj().decompress(data, length + 1)
        if len(data) != length:
            raise ValueError(f"{self.name} has a chunk of another size than it claims")
        octets = np.frombuffer(data, np.uint8)
        if SHUFFLE in self._filters:
            octets = np.ascontiguousarray(octets.reshape(self.dtype.itemsize, -1).T)
        order: Any = ">" if self.dataset.dtype.byteorder == ">" else "<"
        return octets.reshape(-1).view(self.dtype.newbyteorder(order))


class Folder:
    """
    A group of an HDF5 file, from which only safe things are taken.

    Parameters
    ----------
    group : h5py.Group
    source : Source
    """

    def __init__(self, group: Any, source: Source) -> None:
        self.group, self.source = group, source

    @_guarded
    def names(self) -> list[str]:
        """Return the names of what is in the group."""
        return list(self.group)

    @_guarded
    def __contains__(self, name: str) -> bool:
        return name in self.group.keys()

    @_guarded
    def folder(self, path: str) -> Folder:
        """Return the group at a path."""
        found = self._find(path)
        if not isinstance(found, import_h5py().Group):
            raise ValueError(f"{path!r} is no group")
        return Folder(found, self.source)

    @_guarded
    def array(self, path: str) -> Stored:
        """Return the array at a path, not yet read."""
        found = self._find(path)
        if not isinstance(found, import_h5py().Dataset):
            raise ValueError(f"{path!r} is no array")
        return Stored(found, self.source)

    def _find(self, path: str) -> Any:
        """Go down the path name by name, so that every link on it is seen."""
        h5py = import_h5py()
        found = self.group
        for name in path.split("/"):
            inside = isinstance(found, h5py.Group) and name not in ("", ".")
            if not inside or name not in found.keys():
                raise ValueError(f"there is no {path!r} in {self.group.name}")
            if not isinstance(found.get(name, getlink=True), h5py.HardLink):
                raise ValueError(f"{path!r} is a link, which may lead anywhere")
            found = found[name]
        return found

    @_guarded
    def text(self, name: str) -> str | None:
        """Return an attribute that is a string, or None if it is missing."""
        if name not in self.group.attrs:
            return None
        found = self._attribute(name)
        if len(found) != 1:
            raise ValueError(f"its attribute {name!r} is no string")
        return found[0]

    @_guarded
    def texts(self, name: str) -> list[str] | None:
        """Return an attribute that is a list of strings, which may be in parts."""
        if name in self.group.attrs:
            return self._attribute(name)
        parts: list[list[str]] = []
        while f"{name}{len(parts)}" in self.group.attrs:
            parts.append(self._attribute(f"{name}{len(parts)}"))
        return [text for part in parts for text in part] if parts else None

    @_guarded
    def count(self, name: str) -> int | None:
        """Return an attribute that is a whole number, or None if it is missing."""
        if name not in self.group.attrs:
            return None
        found = self.group.attrs.get_id(name)
        if found.shape != () or found.dtype.kind not in "iu":
            raise ValueError(f"its attribute {name!r} is no whole number")
        return int(self.group.attrs[name])

    def _attribute(self, name: str) -> list[str]:
        found = self.group.attrs.get_id(name)
        kind = found.get_type()
        size = math.prod(found.shape) * kind.get_size()
        if size == 0:
            return []
        is_text = isinstance(kind, import_h5py().h5t.TypeStringID)  # others may crash
        if not is_text or len(found.shape) > 1 or size > self.source.size:
            raise ValueError(f"its attribute {name!r} is no list of strings")
        if kind.is_variable_str():
            self._check_lengths(name, math.prod(found.shape))
        texts = np.ravel(self.group.attrs[name]).tolist()
        return [t.decode() if isinstance(t, bytes) else t for t in texts]

    def _check_lengths(self, name: str, count: int) -> None:
        """Refuse texts that claim more bytes than the file has."""
        plan = self.group.file.id.get_create_plist()
        if plan.get_sizes() != (8, 8) or plan.get_userblock():
            raise ValueError("its places have another form than those of Keras")
        address = import_h5py().h5o.get_info(self.group.id).addr
        lengths = text_lengths(self.source.part, address, name, count)
        if sum(lengths) > self.source.size:
            raise ValueError(f"its attribute {name!r} claims a text that is too long")


@contextlib.contextmanager
def reading(path: str, part: Part | None = None) -> Iterator[Folder]:
    """
    Open an HDF5 file for reading, inside a `with` block.

    Parameters
    ----------
    path : str
    part : Part, optional
        The file itself, if it does not lie at the path but inside of what does.

    Raises
    ------
    DamagedFile
        If the content of the file cannot be right.
    OSError
        If there is no file, or it cannot be read.
    """
    h5py = import_h5py()
    with contextlib.ExitStack() as stack:
        if part is None:  # opened here too, because our errors are the clearer ones
            seen = Part(stack.enter_context(open(path, "rb")))
        else:
            seen = part
        try:
            _check_heaps(seen)
            file = stack.enter_context(h5py.File(part or path, "r"))
        except Exception as error:
            raise DamagedFile(path, _told(error)) from error
        yield Folder(file, Source(path, seen.size, seen))


def _check_heaps(part: Part) -> None:
    """Refuse damaged heaps of strings, in which the HDF5 library may never end."""
    with contextlib.ExitStack() as stack:
        if isinstance(part.file, io.BytesIO):
            data: Any = part.file.getvalue()
        else:
            data = mmap.mmap(part.file.fileno(), 0, access=mmap.ACCESS_READ)
            stack.enter_context(data)
        stop = part.start + part.size
        at = data.find(HEAP, part.start, stop)
        while at >= 0:
            if (at - part.start) % 8 == 0:
                _check_heap(data, at, stop)
            at = data.find(HEAP, at + 1, stop)


def _check_heap(data: Any, start: int, end: int) -> None:
    """Go through a heap: index, count, size and bytes of every string in it."""
    stop = start + int.from_bytes(data[start + 8 : start + 16], "little")
    at = start + 16
    if not at <= stop <= end:
        raise ValueError("a heap of strings is larger than the file")
    while at + 16 <= stop:
        index = int.from_bytes(data[at : at + 2], "little")
        size = int.from_bytes(data[at + 8 : at + 16], "little")
        at += size if index == 0 else 16 + size + -size % 8
        if at > stop or (index == 0 and size < 16):
            raise ValueError("a heap of strings is damaged")


# ---------------------------------------------------------------- writing


@contextlib.contextmanager
def writing(path: str) -> Iterator[Any]:
    """
    Open a new HDF5 file in a `with` block; it is there whole or not at all.

    Raises
    ------
    OSError
        If the file cannot be written; what was there before is unchanged.
    """
    import_h5py()
    with replacing(path) as file, new_file(file.name) as root:
        yield root


@contextlib.contextmanager
def new_file(place: str | Part) -> Iterator[Any]:
    """Open a new HDF5 file at a path, or as a part of another file."""
    try:
        with import_h5py().File(place, "w") as root:
            yield root
    except RuntimeError as error:  # how h5py says that the disk is full
        raise OSError(_told(error)) from error
    if isinstance(place, Part) and place.error:
        raise place.error


def put_group(group: Any, path: str) -> Any:
    """Make a group and return it; slashes in the path make groups around it."""
    _check_path(path)
    return group.create_group(path)


def put_array(group: Any, path: str, array: np.ndarray) -> None:
    """Store an array; slashes in the path make groups."""
    _check_path(path)
    group.create_dataset(path, data=array)


def _check_path(path: str) -> None:
    if any(name in ("", ".") for name in path.split("/")):
        raise ValueError(
            f"{path!r} cannot be a name in an HDF5 file. Give the layer another name."
        )


def put_texts(group: Any, name: str, texts: Sequence[str]) -> None:
    """Store a list of strings as an attribute, in parts if it is too long for one."""
    encoded = np.array([text.encode() for text in texts])
    if encoded.dtype.itemsize > LONGEST_ATTRIBUTE:
        raise ValueError(
            f"The name {max(texts, key=len)!r:.40} is too long for an HDF5 file. Give "
            "the layer a shorter name."
        )
    count = 1
    while max(p.nbytes for p in np.array_split(encoded, count)) > LONGEST_ATTRIBUTE:
        count += 1
    if count == 1:
        group.attrs[name] = encoded
        return
    for i, part in enumerate(np.array_split(encoded, count)):
        group.attrs[f"{name}{i}"] = part
