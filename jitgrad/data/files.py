"""Files as bytes, compressed by gzip or not. What is wrong with one is a BadRecordError that names it."""

from __future__ import annotations

import difflib
import gzip
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from jitgrad.errors import ArgumentError, BadRecordError, MissingFileError

Name = str | os.PathLike[str]

AT_ONCE = 1 << 20


@contextmanager
def opened(where: str, path: Name) -> Iterator[BinaryIO]:
    """The bytes of a file, decompressed if it is gzip's, by its first two bytes and not by its name."""
    must_exist(where, path)
    try:
        with open(path, "rb") as file:
            compressed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            yield cast(BinaryIO, gzip.GzipFile(fileobj=file)) if compressed else file
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise BadRecordError(f"{path}: the gzip file is damaged or ends early: {error}") from None


def must_exist(where: str, path: Name) -> None:
    """Raise MissingFileError where there is no file of that name, with the nearest folder around it that there is."""
    place = Path(path)
    if place.is_dir():
        raise ArgumentError(f"{where}: {str(path)!r} is a folder; a file is needed")
    if place.exists():
        return
    around = next(folder for folder in (*place.absolute().parents, Path()) if folder.is_dir())
    if around == place.absolute().parent:
        names = sorted(p.name for p in around.iterdir())
        close = difflib.get_close_matches(place.name, names, 1)
        advice = f"Did you mean {close[0]!r}?" if close else f"The folder {str(around)!r} has {len(names)} files of other names."
    else:
        advice = f"The folder that it should be in is not there either, only {str(around)!r}."
    absolute = "" if place.is_absolute() else " Paths are relative to the folder that Python was started in; give a whole one."
    raise MissingFileError(f"{where}: there is no file {str(path)!r}. {advice}{absolute}")


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
