"""Files as bytes, compressed by gzip or not. What is wrong with one is a BadRecordError that names it."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from jitgrad.errors import ArgumentError, BadRecordError

Name = str | os.PathLike[str]

AT_ONCE = 1 << 20


@contextmanager
def opened(path: Name) -> Iterator[BinaryIO]:
    """The bytes of a file, decompressed if it is gzip's, by its first two bytes and not by its name."""
    try:
        with open(path, "rb") as file:
            compressed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            yield cast(BinaryIO, gzip.GzipFile(fileobj=file)) if compressed else file
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise BadRecordError(f"{path}: the gzip file is damaged or ends early: {error}") from None


def read_bytes(file: BinaryIO, count: int) -> bytearray:
    """The next `count` bytes, or as many as there are. A count that a damaged file claims takes no memory that is not filled."""
    found = bytearray()
    while len(found) < count and (piece := file.read(min(AT_ONCE, count - len(found)))):
        found += piece
    return found


def found_in(where: str, folder: Name, names: list[str], subfolders: tuple[str, ...] = ()) -> Path:
    """The first of the names that is a file in a folder or one of its subfolders. Raises ArgumentError where none is."""
    for inner in ("", *subfolders):
        for name in names:
            path = Path(folder) / inner / name
            if path.is_file():
                return path
    raise ArgumentError(f"{where}: there is no file {' or '.join(names)} in {folder}")
