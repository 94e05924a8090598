"""A file that is there whole or not at all: it is written beside its place and moved there when it is complete."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from io import BufferedReader
from typing import Any, BinaryIO

from jitgrad.errors import ArgumentError, FileFormatError, MissingFileError

BEGINNING, END = ".jitgrad-", ".tmp"
"""Of the name of a file that is being written."""


def path_arg(where: str, path: Any) -> str:
    """A path as a string. Raises ArgumentError for what is none."""
    try:
        text = os.fspath(path)
    except TypeError:
        text = None
    if not isinstance(text, str) or not text or "\0" in text:
        raise ArgumentError(f"{where}: path must be a string or a pathlib.Path, got {type(path).__name__}: {str(path)[:60]!r}")
    return text


@contextlib.contextmanager
def replacing(where: str, path: str) -> Iterator[BinaryIO]:
    """A new file to write to, which takes the place of `path` at the end. Where anything fails before, Ctrl-C and a full disk
    included, what was there stays, and nothing else is left behind.
    """
    target = os.path.realpath(path)
    folder = os.path.dirname(target)
    if not os.path.isdir(folder):
        raise MissingFileError(f"{where}: there is no folder {folder!r} to write {path!r} in")
    if os.path.exists(target) and not os.path.isfile(target):
        raise FileFormatError(f"{where}: {path!r} is {_what_is(os.stat(target).st_mode)}, whose place a file can't take")
    temporary = os.path.join(folder, f"{BEGINNING}{secrets.token_hex(8)}{END}")
    try:
        with open(temporary, "xb") as file:
            if os.path.exists(target):
                os.chmod(temporary, stat.S_IMODE(os.stat(target).st_mode))
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
        _keep_names(folder)
    except OSError as error:
        error.add_note(f"{where}: {path!r} could not be written; what was there before, if anything, is unchanged")
        raise
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)


def _keep_names(folder: str) -> None:
    """Wait until the names in a folder are on the disk, where the system lets a folder be opened."""
    with contextlib.suppress(PermissionError, IsADirectoryError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _what_is(mode: int) -> str:
    return "a folder" if stat.S_ISDIR(mode) else "no regular file (a device, a pipe or a socket)"


def open_to_read(where: str, path: str) -> BufferedReader:
    """A file, opened. Raises MissingFileError where there is none, FileFormatError for a folder, a device or a pipe."""
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise MissingFileError(f"{where}: there is no file {path!r}") from None
    if not stat.S_ISREG(mode):
        raise FileFormatError(f"{where}: {path!r} is {_what_is(mode)}; a file is needed")
    return open(path, "rb")
