"""Leaves of pytrees as what a file has: arrays, and beside them *notes*, which say what an array stands for, or are the leaf.

jnp.ones(3)               an array
random.key(0)             an array u32[2]            {"key": "threefry2x32"}
jnp.ones(3, complex)      an array f64[3,2]          {"complex": 128}
jit(lambda x: x)(0.5)     an array f64[]             {"weak": "python"}
7                         no array                   {"int": 7}
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from jitgrad.array import Array, from_numpy, narrow
from jitgrad.errors import ArgumentError, TracerArrayConversionError
from jitgrad.promotion import NUMPY_64 as NUMPY_WEAK
from jitgrad.promotion import PYTHON as PYTHON_WEAK
from jitgrad.promotion import strong_dtype
from jitgrad.random.keys import IMPL, KeyArray
from jitgrad_compiler.ir.types import NAMES

from .safetensors import CODES, ELEMENT_TYPES, Contents, shown

Note = dict[str, Any]

PYTHON: dict[type, tuple[Callable[[Any], Any], Callable[[Any], Any], type]] = {
    bool: (bool, bool, bool), int: (int, int, int), float: (repr, float, str), complex: (repr, complex, str), str: (str, str, str),
}  # fmt: skip
"""Leaves of Python's own types: how JSON has each, how it is made again of that, and the type that JSON's value has."""
_BY_NAME = {t.__name__: t for t in PYTHON}
_KINDS = {"b": "bool", "i": "int", "u": "int", "f": "float", "V": "float", "c": "complex"}
"""The Python numbers that arrays without axes may stand for, by NumPy's kind of their elements."""


@dataclass(frozen=True)
class Type:
    """What a leaf is. kind: "array", "key", the name of Python's type, or of an element type that arrays here do not have; dtype
    and shape: of an array; the shape of keys.
    """

    kind: str
    dtype: Any = None
    shape: tuple[int, ...] = ()
    weak: Any = False

    def __str__(self) -> str:
        sizes = f"[{','.join(map(str, self.shape))}]"
        if self.kind in _BY_NAME:
            return f"a Python {self.kind}"
        return f"random keys {sizes}" if self.kind == "key" else f"{NAMES.get(self.dtype, self.kind)}{sizes}"

    def takes(self, other: Type) -> bool:
        """Whether a leaf of another type can stand where one of this type does. Python's numbers and arrays that steps of training
        made of them, which have no axes and are weak, stand for one another.
        """
        if self.kind == "array" and self.weak == PYTHON_WEAK and not self.shape and other.kind == _KINDS.get(self.dtype.kind):
            return True
        if self.kind in ("bool", "int", "float", "complex") and other.kind == "array":
            return not other.shape and _KINDS.get(other.dtype.kind) == self.kind
        return (self.kind, self.dtype, self.shape) == (other.kind, other.dtype, other.shape)


def is_key(x: Any) -> bool:
    return isinstance(x, KeyArray)


def type_of(leaf: Any) -> Type | None:
    """What a leaf is, or stands for as a ShapeDtypeStruct; None for what can't be in a file."""
    if is_key(leaf):
        return Type("key", shape=tuple(leaf.shape))
    if isinstance(leaf, Array):
        return Type("array", np.dtype(leaf.dtype), leaf.shape, leaf.weak)
    if type(leaf) in PYTHON:
        return Type(type(leaf).__name__)
    dtype, shape = getattr(leaf, "dtype", None), getattr(leaf, "shape", None)
    if isinstance(shape, tuple) and isinstance(dtype, np.dtype) and (dtype.newbyteorder("=") in NAMES):
        return Type("array", dtype.newbyteorder("="), shape)
    return None


def stored(where: str, name: str, leaf: Any) -> tuple[np.ndarray | None, Note]:
    """The array and the note that a file has of a leaf. Raises ArgumentError, with the leaf's name, for what can't be in a file."""
    found = type_of(leaf)
    if found is None or hasattr(leaf, "mask"):
        element = f" of {leaf.dtype}" if hasattr(leaf, "dtype") else ""
        advice = " Save its .module, or call its method save." if hasattr(leaf, "module") else ""
        raise ArgumentError(
            f"{where}: the leaf {shown(name)} is of type {type(leaf).__name__}{element}, which no file has a place for. Leaves are "
            f"arrays, random keys, and Python's numbers and strings.{advice}"
        )
    if found.kind in _BY_NAME:
        return None, {found.kind: PYTHON[type(leaf)][0](leaf)}
    note: Note = {"key": IMPL} if found.kind == "key" else {}
    value = leaf._data if found.kind == "key" else leaf
    try:
        if getattr(value, "weak", False):
            note["weak"] = value.weak
            array = np.asarray(value.data())  # with all 64 bits
        else:
            array = np.asarray(value)
    except (TracerArrayConversionError, TypeError):
        raise ArgumentError(
            f"{where}: the leaf {shown(name)} is a traced value, which has no numbers yet. Save outside of jit, grad and vmap."
        ) from None
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    if array.dtype not in CODES:  # complex128: pairs of its parts
        note["complex"] = 128
        array = np.stack([array.real, array.imag], axis=-1)
    return array, note


class Stored:
    """The leaves of a file: its arrays and notes together."""

    def __init__(self, contents: Contents, notes: Mapping[str, Note]) -> None:
        self.contents = contents
        self.notes = {name: self._checked(name, note) for name, note in notes.items()}
        self.names = [*contents.entries, *(n for n in notes if n not in contents.entries)]

    def _checked(self, name: str, note: Any) -> Note:
        entry = self.contents.entries.get(name)
        known = {"key", "complex", "weak"} if entry is not None else _BY_NAME.keys()
        fits = isinstance(note, dict) and note.keys() <= known
        if fits and entry is None:
            fits = len(note) == 1 and all(type(x) is PYTHON[_BY_NAME[kind]][2] for kind, x in note.items())
        elif fits and entry is not None:
            fits = (
                note.get("key", IMPL) == IMPL
                and ("key" not in note or (entry.code, entry.shape[-1:]) == ("U32", (2,)))
                and note.get("complex", 128) == 128
                and ("complex" not in note or (entry.code, entry.shape[-1:]) == ("F64", (2,)))
                and note.get("weak", PYTHON_WEAK) in (PYTHON_WEAK, NUMPY_WEAK)
                and ("weak" not in note or entry.code in ("F64", "I64", "U64"))
            )
        if not fits:
            self.contents.refuse(f"what it notes of {shown(name)} does not go with it: {shown(note)}")
        return note

    def type(self, name: str) -> Type:
        """What a leaf is."""
        note = self.notes.get(name, {})
        entry = self.contents.entries.get(name)
        if entry is None:
            return Type(next(iter(note)))
        if "key" in note:
            return Type("key", shape=entry.shape[:-1])
        pairs, weak = "complex" in note, note.get("weak", False)
        dtype = np.dtype(np.complex128) if pairs else ELEMENT_TYPES.get(entry.code)
        shape = entry.shape[:-1] if pairs else entry.shape
        if dtype is None:
            return Type(entry.code, shape=shape)
        return Type("array", strong_dtype(NAMES[dtype], weak).numpy, shape, weak)

    def value(self, name: str) -> Any:
        """A leaf: an Array, a KeyArray, or a value of Python's."""
        note = self.notes.get(name, {})
        if name not in self.contents.entries:
            return self._python(name, note)
        array = self.contents.read(name)
        if "complex" in note:
            array = array.view(np.complex128).reshape(array.shape[:-1])
        if "key" in note:
            return KeyArray(from_numpy(array))
        made = from_numpy(array if "weak" in note else narrow(array))
        made.weak = note.get("weak", False)
        return made

    def _python(self, name: str, note: Note) -> Any:
        ((kind, given),) = note.items()
        try:
            return PYTHON[_BY_NAME[kind]][1](given)
        except ValueError:
            self.contents.refuse(f"{shown(name)} is to be a Python {kind}, and is {shown(given)}")
