"""`save` and `load`: a pytree as a safetensors file, its leaves by the names of their paths. Next on the path: leaves.py.

The text "jitgrad" of the file's metadata is JSON: the version of the format, the kind of object that was saved, notes on leaves,
and the user's metadata.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from jitgrad import tree
from jitgrad.array import Array
from jitgrad.errors import ArgumentError, TreeStructureError
from jitgrad.nn.sizes import check_built
from jitgrad.tracing import ShapeDtypeStruct
from jitgrad.tree_keys import path_text

from .atomic import path_arg, replacing
from .leaves import Stored, Type, is_key, stored, type_of
from .safetensors import Contents, opened, shown, write

VERSION = 1
"""Of the format. One more where files would be misread by what reads this one."""
MARK = "jitgrad"
MOST_SHOWN = 5


def save(path: Any, tree: Any, *, metadata: Any = None) -> None:
    """Save a pytree (a module, an optimizer's state, random keys, any dict of them) as a safetensors file.

    Its leaves are arrays, random keys, numbers and strings of Python; functions and other static attributes are not saved, so
    `load` is given a tree that has them. A leaf's name is its path, such as "layers.0.weight". metadata is what JSON has, a dict
    for example, and may have arrays; `io.metadata(path)` reads it.

    The file is there whole or not at all: it is written beside its place, brought to the disk, and moved. Raises ArgumentError for
    a leaf that no file has a place for, for two leaves of one name, and inside of transforms; MissingFileError where the folder is
    not there; OSError where the disk is full.

    >>> import os, tempfile, jitgrad
    >>> from jitgrad import io, nn
    >>> model = nn.Linear(3, 2, key=jitgrad.random.key(0))
    >>> path = os.path.join(tempfile.mkdtemp(), "model.safetensors")
    >>> io.save(path, {"model": model, "step": 7}, metadata={"loss": 0.5})
    >>> sorted(io.load(path))
    ['model.bias', 'model.weight', 'step']
    """
    where = "io.save"
    target = path_arg(where, path)
    arrays, notes = {}, {}
    for name, leaf in named_leaves(where, tree)[0]:
        array, note = stored(where, name, leaf)
        if array is not None:
            arrays[name] = array
        if note:
            notes[name] = note
    head = {"version": VERSION, "kind": _kind(tree), "notes": notes, "metadata": _jsonable(where, metadata)}
    with replacing(where, target) as file:
        write(where, file, arrays, {"format": MARK, MARK: json.dumps(head)})


def load(path: Any, like: Any = None, *, strict: bool = True) -> Any:
    """The pytree in a file of `save`, with the structure of `like`; without it a dict of the leaves by their names.

    like: a tree of the same names, shapes and element types, whose other values do not matter: a new model, for example, or one of
    `jitgrad.eval_shape`, which takes no memory. Arrays of NumPy's become such again; Python's numbers may stand for arrays of one
    number. strict=False: leaves that the file lacks stay as they are in `like`, and what it has besides is left out, as long as
    there is anything that both have. Files of other programs are read, too.

    Raises TreeStructureError, which lists the first names that differ, for a file of another tree; FileFormatError for a file that
    is broken, no safetensors file, or of a newer version; MissingFileError.

    >>> import os, tempfile, jitgrad
    >>> from jitgrad import io, nn
    >>> path = os.path.join(tempfile.mkdtemp(), "model.safetensors")
    >>> io.save(path, nn.Linear(3, 2, key=jitgrad.random.key(0)))
    >>> io.load(path, like=nn.Linear(3, 2)).weight.shape
    (3, 2)
    """
    where = "io.load"
    with opened(where, path_arg(where, path)) as contents:
        leaves, head = _leaves(contents)
        if like is None:
            return {name: leaves.value(name) for name in leaves.names}
        pairs, structure = named_leaves(where, like)
        _check_fits(where, contents, leaves, pairs, strict, head.get("kind"))
        has = set(leaves.names)
        return tree.unflatten(structure, [as_like(leaves.value(name), leaf) if name in has else leaf for name, leaf in pairs])


def metadata(path: Any) -> Any:
    """What was given to `save` as metadata; of files of other programs their texts.

    >>> import os, tempfile
    >>> from jitgrad import io
    >>> path = os.path.join(tempfile.mkdtemp(), "numbers.safetensors")
    >>> io.save(path, {"x": 1}, metadata={"epoch": 3})
    >>> io.metadata(path)
    {'epoch': 3}
    """
    with opened("io.metadata", path_arg("io.metadata", path)) as contents:
        head = _leaves(contents)[1]
        return head["metadata"] if head else contents.metadata


def _leaves(contents: Contents) -> tuple[Stored, dict[str, Any]]:
    """The leaves of a file, and what `save` wrote of them, which is empty for files of other programs."""
    text = contents.metadata.get(MARK)
    if text is None:
        return Stored(contents, {}), {}
    try:
        head = json.loads(text)
    except (ValueError, RecursionError):
        head = None
    version = head.get("version") if isinstance(head, dict) else None
    if type(version) is int and version > VERSION:
        contents.refuse(f"it was written by a newer jitgrad, in version {version} of the format; this one reads up to {VERSION}")
    if type(version) is not int or version < 1 or not isinstance(head.get("notes"), dict) or "metadata" not in head:
        contents.refuse(f"what it says in {MARK!r} of its metadata was not written by io.save: {shown(text)}")
    return Stored(contents, head["notes"]), head


def named_leaves(where: str, x: Any) -> tuple[list[tuple[str, Any]], Any]:
    """The leaves of a tree with the names of their paths, and its structure. Raises ArgumentError for two of one name."""
    check_built(where, x)
    pairs, structure = tree.flatten_with_path(x, is_key)
    named: list[tuple[str, Any]] = []
    paths: dict[str, Any] = {}
    for path, leaf in pairs:
        name = path_text(path, simple=True, separator=".")
        if name in paths:
            raise ArgumentError(
                f"{where}: two leaves would have the name {shown(name)}: {path_text(paths[name])} and {path_text(path)}. "
                "Rename a key."
            )
        if not name.isascii() and _is_no_text(name):
            raise ArgumentError(f"{where}: the key {shown(name)} can't be the name of a leaf: it is no text")
        paths[name] = path
        named.append((name, leaf))
    return named, structure


def _is_no_text(name: str) -> bool:
    """Whether a string has half of a surrogate pair, which no file can have."""
    return any("\ud800" <= c <= "\udfff" for c in name)


def _kind(x: Any) -> str:
    t = type(x)
    return t.__qualname__ if t.__module__ == "builtins" else f"{t.__module__}.{t.__qualname__}"


def _jsonable(where: str, given: Any) -> Any:
    """Metadata whose arrays and NumPy numbers are Python's. Raises ArgumentError for what JSON does not have."""
    try:
        return json.loads(json.dumps({} if given is None else given, default=_plain))
    except (TypeError, ValueError, RecursionError) as error:
        raise ArgumentError(f"{where}: metadata must be what JSON has: {error}") from None


def _plain(x: Any) -> Any:
    if isinstance(x, Array | np.ndarray | np.generic):
        return np.asarray(x).tolist()
    raise TypeError(f"a {type(x).__name__} is none of numbers, strings, lists and dicts")


def as_like(value: Any, leaf: Any) -> Any:
    """A leaf as NumPy's where `leaf` is one of NumPy's."""
    if isinstance(leaf, np.ndarray | np.generic) and isinstance(value, Array):
        array = np.array(value)
        return array if isinstance(leaf, np.ndarray) else array[()]
    return value


def _check_fits(where: str, contents: Contents, leaves: Stored, pairs: Sequence[tuple[str, Any]], strict: bool, kind: Any) -> None:
    """Raise TreeStructureError unless the file has what a tree has."""
    wanted: dict[str, Type | None] = {name: type_of(leaf) for name, leaf in pairs}
    has = set(leaves.names)
    missing = [n for n in wanted if n not in has]
    unexpected = [n for n in leaves.names if n not in wanted]
    other = [n for n, t in wanted.items() if n in has and not (t and t.takes(leaves.type(n)))]
    empty = [n for n, leaf in pairs if n not in has and _is_abstract(leaf)]
    strict = strict or 0 < len(missing) == len(wanted)  # nothing that both have
    if not other and not (missing or unexpected if strict else empty):
        return
    parts = [
        ("missing", missing if strict else empty),
        ("unexpected", unexpected if strict else []),
        ("different", [f"{n} is {leaves.type(n)} and must be {wanted[n] or 'of a type that files have'}" for n in other]),
    ]
    text = "".join(f"\n  {what}: {some(items)}" for what, items in parts if items)
    advice = "\n  strict=False loads what both have." if strict and not other and len(missing) < len(wanted) else ""
    saved = f", of a {kind}," if isinstance(kind, str) else ""
    raise TreeStructureError(f"{where}: {contents.path!r}{saved} does not fit like=:{text}{advice}")


def some(items: Sequence[str]) -> str:
    """The first of several things."""
    more = f", and {len(items) - MOST_SHOWN} more" if len(items) > MOST_SHOWN else ""
    return ", ".join(items[:MOST_SHOWN]) + more


def _is_abstract(leaf: Any) -> bool:
    """Whether a leaf has no numbers that could stay."""
    return any(isinstance(x, ShapeDtypeStruct) for x in tree.leaves(leaf))
