"""
Files that are there whole or not at all, and folders that must be there first.

A file is written beside its place, forced to the disk and then renamed, so that a
crash leaves the old file and never half of the new one. Read next: `container.py`,
which lays out the file of a model.
"""

from __future__ import annotations

import contextlib
import glob
import os
import time
from collections.abc import Iterator
from typing import Any, BinaryIO

FORGOTTEN = 3600.0  # seconds after which a temporary file is that of a dead process


@contextlib.contextmanager
def replacing(path: Any) -> Iterator[BinaryIO]:
    """
    Open a temporary file beside `path`, which takes its place after the `with` block.

    It can be read as well, as those who add a checksum do.

    Whatever goes wrong in the block or at the end, the file at `path` stays as it was
    and the temporary one is removed. A process that is killed leaves its own behind;
    a later save of the same file removes it.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    target = os.path.realpath(path)  # a link keeps pointing to its file
    temporary = f"{target}.{os.urandom(4).hex()}.tmp"
    try:
        file = open(temporary, "x+b")
        try:
            with file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, target)
        finally:
            with contextlib.suppress(OSError):  # it has its final name already
                os.remove(temporary)
        _sync_folder(os.path.dirname(target))
        _remove_forgotten(target)
    except OSError as error:
        text = (
            f"cannot write {os.fspath(path)}: {error.strerror or error}. What was "
            "there before is unchanged."
        )
        numbered = () if error.errno is None else (error.errno,)
        raise OSError(*numbered, text) from error


def _remove_forgotten(target: str) -> None:
    """Remove what killed processes left of this file long ago."""
    for path in glob.glob(f"{glob.escape(target)}.????????.tmp"):
        with contextlib.suppress(OSError):
            if time.time() - os.path.getmtime(path) > FORGOTTEN:
                os.remove(path)


def _sync_folder(folder: str) -> None:
    """Make the new name durable, on systems that can sync a folder."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_whole(path: str | os.PathLike, data: bytes) -> None:
    """Put the data at the path; if that fails, what was there before stays."""
    with replacing(path) as file:
        file.write(data)


def check_folder(path: str, who: str) -> None:
    """
    Refuse a file whose folder is not there, before hours of work end in an error.

    Raises
    ------
    ValueError
        If the folder of the path does not exist, or the path itself is a folder.
    """
    folder = os.path.dirname(path) or os.curdir
    if not os.path.isdir(folder):
        raise ValueError(
            f"{who}: the folder {folder!r} does not exist. Make it first: "
            f"os.makedirs({folder!r})."
        )
    if os.path.isdir(path):
        raise ValueError(
            f"{who}: expected the path of a file, got the folder {path!r}. Add a "
            "file name to it."
        )
    if not os.access(folder, os.W_OK):
        raise ValueError(
            f"{who}: the folder {folder!r} is protected against writing. Choose "
            "another one."
        )
