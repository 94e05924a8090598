"""The keys of paths through pytrees, under jax.tree_util's names: what leads from a container to one of its children.

['layers'][0].w      is written for    (DictKey('layers'), SequenceKey(0), GetAttrKey('w'))
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import optree


@dataclass(frozen=True)
class DictKey:
    """Of a dict."""

    key: Any

    def __str__(self) -> str:
        return f"[{self.key!r}]"


@dataclass(frozen=True)
class SequenceKey:
    """The index in a list or a tuple."""

    idx: int

    def __str__(self) -> str:
        return f"[{self.idx!r}]"


@dataclass(frozen=True)
class GetAttrKey:
    """The name of an attribute: of a named tuple or a dataclass."""

    name: str

    def __str__(self) -> str:
        return f".{self.name}"


@dataclass(frozen=True)
class FlattenedIndexKey:
    """The number of a child of a class that was registered without keys."""

    key: int

    def __str__(self) -> str:
        return f"[<flat index {self.key}>]"


KeyEntry = Any
KeyPath = tuple[Any, ...]

KINDS = optree.PyTreeKind
SEQUENCES = (KINDS.LIST, KINDS.TUPLE, KINDS.DEQUE)
DICTS = (KINDS.DICT, KINDS.ORDEREDDICT, KINDS.DEFAULTDICT)
keyed_types: set[type] = set()
"""The classes that were registered with keys of their own."""


def key_of(kind: Any, container: type, entry: Any) -> Any:
    """The key that optree knows by its entry alone."""
    if kind in DICTS:
        return DictKey(entry)
    if kind in SEQUENCES:
        return SequenceKey(entry)
    if kind == KINDS.NAMEDTUPLE:
        return GetAttrKey(container._fields[entry])  # type: ignore[attr-defined]
    if kind == KINDS.STRUCTSEQUENCE:
        return SequenceKey(entry)
    return entry if container in keyed_types else FlattenedIndexKey(entry)


def path_text(keys: KeyPath, *, simple: bool = False, separator: str = "") -> str:
    """How a path is written behind a name; `simple` leaves brackets, quotes and dots away.

    >>> from jitgrad.tree_util import DictKey, GetAttrKey, SequenceKey
    >>> path_text((DictKey("layers"), SequenceKey(0), GetAttrKey("w")))
    "['layers'][0].w"
    >>> from jitgrad.tree_util import DictKey, GetAttrKey, SequenceKey
    >>> path_text((DictKey("layers"), SequenceKey(0), GetAttrKey("w")), simple=True, separator="/")
    'layers/0/w'
    """
    return separator.join(map(_simple if simple else str, keys))


def _simple(key: Any) -> str:
    for name in ("key", "idx", "name"):
        if hasattr(key, name):
            return str(getattr(key, name))
    return str(key)
