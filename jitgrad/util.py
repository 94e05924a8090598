"""Small functions on lists that programs take from jax.util.

>>> safe_zip([1, 2], "ab"), unzip2([(1, "a"), (2, "b")]), split_list([1, 2, 3], [1])
([(1, 'a'), (2, 'b')], ((1, 2), ('a', 'b')), [[1], [2, 3]])
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any

from .errors import ArgumentError

cache = functools.lru_cache


def _of_one_length(where: str, items: Sequence[Iterable[Any]]) -> list[list[Any]]:
    lists = [list(x) for x in items]
    if len({len(x) for x in lists}) > 1:
        raise ArgumentError(f"util.{where}: the sequences must have one length, got {[len(x) for x in lists]}")
    return lists


def safe_zip(*args: Iterable[Any]) -> list[tuple[Any, ...]]:
    """zip as a list. Raises ArgumentError, a ValueError, where lengths differ."""
    return list(zip(*_of_one_length("safe_zip", args), strict=True))


def safe_map(f: Callable[..., Any], *args: Iterable[Any]) -> list[Any]:
    """map as a list. Raises ArgumentError, a ValueError, where lengths differ."""
    return list(map(f, *_of_one_length("safe_map", args)))


def unzip2(xys: Iterable[tuple[Any, Any]]) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Pairs as a pair of tuples."""
    pairs = list(xys)
    return tuple(x for x, _ in pairs), tuple(y for _, y in pairs)


def unzip3(xyzs: Iterable[tuple[Any, Any, Any]]) -> tuple[tuple[Any, ...], tuple[Any, ...], tuple[Any, ...]]:
    """Triples as three tuples."""
    triples = list(xyzs)
    return tuple(x for x, _, _ in triples), tuple(y for _, y, _ in triples), tuple(z for _, _, z in triples)


def split_list(args: Sequence[Any], ns: Sequence[int]) -> list[list[Any]]:
    """Lists of the given lengths, and one of the rest."""
    rest, parts = list(args), []
    for n in ns:
        parts.append(rest[:n])
        rest = rest[n:]
    return [*parts, rest]


def split_list_checked(args: Sequence[Any], ns: Sequence[int]) -> list[list[Any]]:
    """Lists of the given lengths. Raises ArgumentError where these are not all of it."""
    if sum(ns) != len(args):
        raise ArgumentError(f"util.split_list_checked: lengths {list(ns)} do not add up to {len(args)}")
    return split_list(args, ns)[:-1]


def partition_list(bs: Sequence[bool], l: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """The items whose flag is false, and those whose flag is true."""
    pairs = safe_zip(bs, l)
    return [x for b, x in pairs if not b], [x for b, x in pairs if b]


def merge_lists(bs: Sequence[bool], l0: Sequence[Any], l1: Sequence[Any]) -> list[Any]:
    """What `partition_list` took apart."""
    _of_one_length("merge_lists", [[b for b in bs if b], l1])
    _of_one_length("merge_lists", [[b for b in bs if not b], l0])
    first, second = iter(l0), iter(l1)
    return [next(second) if b else next(first) for b in bs]


def split_dict(dct: dict[Hashable, Any], names: Sequence[Hashable]) -> list[Any]:
    """The values of all keys, in the order of `names`, which are these keys."""
    if set(names) != set(dct):
        raise ArgumentError(f"util.split_dict: the names {list(names)} are not the keys {list(dct)}")
    return [dct[name] for name in names]


def subvals(lst: Sequence[Any], replace: Iterable[tuple[int, Any]]) -> tuple[Any, ...]:
    """The items as a tuple, with (index, value) pairs put in."""
    items = list(lst)
    for i, v in replace:
        items[i] = v
    return tuple(items)


def wraps(
    wrapped: Callable[..., Any], namestr: str | None = None, docstr: str | None = None, **kwargs: Any
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """functools.wraps, with a name and docstring that may speak of the function by `{fun}` and `{doc}`."""

    def decorate(f: Callable[..., Any]) -> Callable[..., Any]:
        functools.update_wrapper(f, wrapped)
        name = getattr(wrapped, "__name__", "<unnamed function>")
        f.__name__ = name if namestr is None else namestr.format(fun=name)
        if docstr is not None:
            f.__doc__ = docstr.format(fun=name, doc=wrapped.__doc__ or "", **kwargs)
        return f

    return decorate


__all__ = [
    "cache", "merge_lists", "partition_list", "safe_map", "safe_zip", "split_dict", "split_list", "split_list_checked",
    "subvals", "unzip2", "unzip3", "wraps",
]  # fmt: skip
