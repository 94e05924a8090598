"""Files of the format safetensors (https://huggingface.co/docs/safetensors): what is in one, checked, and how one is written.

A file is the length of its header (8 bytes, little-endian), the header (JSON: for each name an element type, a shape, and where in
the rest its bytes begin and end; texts under "__metadata__") and the arrays' bytes, without gaps. Nothing in a file is believed:
every number of the header is compared with the size of the file before memory is taken for it.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from io import BufferedReader
from itertools import pairwise
from typing import Any, BinaryIO, NamedTuple, NoReturn

import ml_dtypes
import numpy as np

from jitgrad.errors import ArgumentError, FileFormatError

from .atomic import open_to_read

ELEMENT_TYPES: dict[str, np.dtype] = {
    code: np.dtype(t)
    for code, t in {
        "BOOL": np.bool_, "U8": np.uint8, "I8": np.int8, "U16": np.uint16, "I16": np.int16, "U32": np.uint32, "I32": np.int32,
        "U64": np.uint64, "I64": np.int64, "F8_E4M3": ml_dtypes.float8_e4m3fn, "F16": np.float16, "BF16": ml_dtypes.bfloat16,
        "F32": np.float32, "F64": np.float64, "C64": np.complex64,
    }.items()
}  # fmt: skip
"""Of arrays here, by the format's names."""
CODES = {dtype: code for code, dtype in ELEMENT_TYPES.items()}
_OTHER_BITS = {"F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "F8_E5M2": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8}
"""The sizes of element types that the format has and arrays here do not."""
MAX_HEADER = 100_000_000
"""Bytes; the format's own limit."""
MAX_AXES = 64
"""NumPy's limit."""


class Entry(NamedTuple):
    """An array of a file: the name of its element type, its shape, and where in the file its bytes are."""

    code: str
    shape: tuple[int, ...]
    start: int
    nbytes: int


class Contents(NamedTuple):
    """What an open file has: its arrays by name, and its texts. All is of this file, whatever takes its place meanwhile."""

    where: str
    path: str
    file: BufferedReader
    entries: dict[str, Entry]
    metadata: dict[str, str]

    def refuse(self, why: str) -> NoReturn:
        refuse(self.where, self.path, why)

    def read(self, name: str) -> np.ndarray:
        """The array of a name, in memory of its own."""
        entry = self.entries[name]
        dtype = ELEMENT_TYPES.get(entry.code)
        if dtype is None:
            self.refuse(
                f"{shown(name)} has elements of type {entry.code}, which arrays here do not have; there are "
                f"{', '.join(ELEMENT_TYPES)}"
            )
        self.file.seek(entry.start)
        found = np.empty(entry.nbytes, np.uint8)
        if self.file.readinto(found.data) < entry.nbytes:
            self.refuse("it became shorter while it was read")
        if entry.code == "BOOL" and found.size and found.max() > 1:
            self.refuse(f"{shown(name)} is of type BOOL, but has bytes that are neither 0 nor 1")
        return found.view(dtype).reshape(entry.shape)


def refuse(where: str, path: str, why: str) -> NoReturn:
    """Raise FileFormatError for a file."""
    raise FileFormatError(f"{where}: {path!r} can't be read: {why}")


def shown(name: object) -> str:
    """A name of a file in an error."""
    text = repr(name)
    return text if len(text) <= 100 else f"{text[:97]}..."


@contextlib.contextmanager
def opened(where: str, path: str) -> Iterator[Contents]:
    """What a file has. Raises FileFormatError for a file that is broken or no safetensors file."""
    with open_to_read(where, path) as file:
        yield _contents(where, path, file)


def _contents(where: str, path: str, file: BufferedReader) -> Contents:
    size = os.fstat(file.fileno()).st_size
    start = file.read(8)
    length = int.from_bytes(start, "little")
    if len(start) < 8 or length > min(size - 8, MAX_HEADER):
        refuse(where, path, _what_else(start, size, length))
    text = file.read(length)
    try:
        header = json.loads(text.decode("utf-8"), object_pairs_hook=_each_once)
    except (ValueError, RecursionError) as error:
        why = "it nests too deeply" if isinstance(error, RecursionError) else str(error)[:200]
        refuse(where, path, f"its header is no JSON: {why}")
    if not isinstance(header, dict):
        refuse(where, path, f"its header must be a JSON object, and is a {type(header).__name__}")
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(x, str) for x in metadata.values()):
        refuse(where, path, "its __metadata__ must be texts by name")
    base = 8 + length
    entries = {name: _entry(where, path, name, value, base) for name, value in header.items()}
    _check_places(where, path, entries, base, size)
    return Contents(where, path, file, entries, metadata)


def _what_else(start: bytes, size: int, length: int) -> str:
    """What a file may be that does not begin with the length of a header."""
    if start.startswith((b"PK\x03\x04", b"\x80")):
        return (
            "it looks like a file of torch.save or pickle, which can run any code. Write it anew in PyTorch: "
            "safetensors.torch.save_file(model.state_dict(), 'model.safetensors')."
        )
    if start.startswith(b"\x89HDF"):
        return "it is an HDF5 file, as Keras writes; give a dict {v.path: v.numpy() for v in model.variables}"
    if len(start) < 8:
        return f"it has {size} bytes, which is no safetensors file"
    return f"it has {size} bytes, and its header is to have {length}: it was cut off, or it is no safetensors file"


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        (name, count), *_ = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"the name {shown(name)} is there {count} times")
    for name in found:
        name.encode()  # a UnicodeEncodeError, which is a ValueError, for half of a surrogate pair
    return found


def _entry(where: str, path: str, name: str, value: Any, base: int) -> Entry:
    if not isinstance(value, dict) or value.keys() != {"dtype", "shape", "data_offsets"}:
        refuse(where, path, f"{shown(name)} must have dtype, shape and data_offsets, and has {shown(value)}")
    code, shape, offsets = value["dtype"], value["shape"], value["data_offsets"]
    bits = ELEMENT_TYPES[code].itemsize * 8 if code in CODES.values() else _OTHER_BITS.get(code if isinstance(code, str) else "")
    if bits is None:
        refuse(where, path, f"{shown(name)} has elements of an unknown type, {shown(code)}")
    if not _are_sizes(shape) or len(shape) > MAX_AXES:
        refuse(where, path, f"{shown(name)} has the shape {shown(shape)}")
    if not _are_sizes(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        refuse(where, path, f"{shown(name)} has the places {shown(offsets)}")
    nbytes = offsets[1] - offsets[0]
    if math.prod(shape) * bits != nbytes * 8 or math.prod(n or 1 for n in shape) * bits >= 2**63:
        refuse(where, path, f"{shown(name)} is {code}{shown(shape)}, for which {nbytes} bytes are the wrong number")
    return Entry(code, tuple(shape), base + offsets[0], nbytes)


def _are_sizes(x: Any) -> bool:
    return isinstance(x, list) and all(type(n) is int and 0 <= n < 2**63 for n in x)


def _check_places(where: str, path: str, entries: Mapping[str, Entry], base: int, size: int) -> None:
    """Arrays must lie side by side and fill the file."""
    placed = sorted(((e.start, e.start + e.nbytes, name) for name, e in entries.items()))
    for (_, end, name), (start, _, after) in pairwise([(base, base, "the header"), *placed]):
        if start != end:
            what = "overlap" if start < end else "have a gap between them"
            refuse(where, path, f"{shown(name)} and {shown(after)} {what}")
    end = placed[-1][1] if placed else base
    if end != size:
        why = "it was cut off" if end > size else "something follows behind its arrays"
        refuse(where, path, f"it has {size} bytes, and should have {end}: {why}")


def write(where: str, file: BinaryIO, arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> None:
    """Write arrays of types in CODES, the wider types in front, so that each is aligned. Equal arguments give equal bytes."""
    if "__metadata__" in arrays:
        raise ArgumentError(f"{where}: '__metadata__' can't be the name of an array in a safetensors file")
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    ordered = sorted(arrays.items(), key=lambda item: -item[1].dtype.itemsize)
    end = 0
    for name, array in ordered:
        start, end = end, end + array.nbytes
        header[name] = {"dtype": CODES[array.dtype], "shape": array.shape, "data_offsets": [start, end]}
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    if len(text) > MAX_HEADER:
        raise ArgumentError(f"{where}: names and metadata have {len(text)} bytes; a safetensors file holds up to {MAX_HEADER}")
    file.write(len(text).to_bytes(8, "little") + text)
    for _, array in ordered:
        file.write(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
