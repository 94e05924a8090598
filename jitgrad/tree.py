"""Pytrees: nested containers of arrays. optree's, under jax.tree's names, registered in the namespace 'jitgrad'.

tree_registration.py makes classes containers, tree_keys.py has the keys of paths; all of it is in tree_util under jax's names.
Calls of optree are `whole`: it gives up the interpreter's lock and takes it again where a thread must not be ended.
"""

from __future__ import annotations

import builtins
import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator, Sized
from typing import Any

import optree

from jitgrad_compiler.ending import whole

from .errors import ParametersError, TreeStructureError, shown
from .tree_keys import KeyPath, key_of, path_text
from .tree_registration import NAMESPACE, Held, register_pytree_node, register_pytree_node_class

PyTree = Any
PyTreeDef = optree.PyTreeSpec
IsLeaf = Callable[[Any], bool] | None
MISSING: Any = object()
"""Stands for an argument that was not given."""

__all__ = [
    "all", "broadcast", "flatten", "flatten_with_path", "leaves", "leaves_with_path", "map", "map_with_path", "path_text", "reduce",
    "reduce_associative", "register_pytree_node", "register_pytree_node_class", "static", "structure", "transpose", "unflatten",
]  # fmt: skip


@whole
def flatten(tree: PyTree, is_leaf: IsLeaf = None) -> tuple[list[Any], PyTreeDef]:
    """The leaves of a tree, and its structure.

    >>> leaves, structure = flatten({"b": 2, "a": [1, None]})
    >>> leaves
    [1, 2]
    """
    try:
        return optree.tree_flatten(tree, is_leaf=is_leaf, namespace=NAMESPACE)
    except TypeError:
        _check_is_leaf("flatten", is_leaf)
        raise


@whole
def unflatten(treedef: PyTreeDef, leaves: Iterable[Any]) -> PyTree:
    """The tree of a structure with the given leaves."""
    try:
        return optree.tree_unflatten(treedef, leaves)
    except (AttributeError, TypeError, ValueError):
        _check_unflatten(treedef, leaves)
        raise


@whole
def flatten_up_to(treedef: PyTreeDef, tree: PyTree) -> list[Any]:
    """What stands in a tree where the structure has leaves. Raises ValueError where the tree does not continue the structure."""
    return treedef.flatten_up_to(tree)


@whole
def leaves(tree: PyTree, is_leaf: IsLeaf = None) -> list[Any]:
    """The leaves of a tree, in order; keys of a dict are sorted."""
    try:
        return optree.tree_leaves(tree, is_leaf=is_leaf, namespace=NAMESPACE)
    except TypeError:
        _check_is_leaf("leaves", is_leaf)
        raise


@whole
def structure(tree: PyTree, is_leaf: IsLeaf = None) -> PyTreeDef:
    """The structure of a tree."""
    try:
        return optree.tree_structure(tree, is_leaf=is_leaf, namespace=NAMESPACE)
    except TypeError:
        _check_is_leaf("structure", is_leaf)
        raise


def _check_is_leaf(name: str, is_leaf: Any) -> None:
    if is_leaf is not None and not callable(is_leaf):
        raise ParametersError(f"tree.{name}: is_leaf must be a function or None, got {shown(is_leaf)}") from None


def _check_unflatten(treedef: Any, leaves: Any) -> None:
    if not isinstance(treedef, PyTreeDef):
        raise ParametersError(
            f"tree.unflatten: treedef must be a structure, as tree.structure gives, got {shown(treedef)}"
        ) from None
    if not isinstance(leaves, Iterable):
        raise ParametersError(f"tree.unflatten: leaves must be a sequence, got {shown(leaves)}") from None
    if isinstance(leaves, Sized) and len(leaves) != treedef.num_leaves:
        raise TreeStructureError(
            f"tree.unflatten: the structure has {treedef.num_leaves} leaves, and leaves has {len(leaves)}: {treedef}"
        ) from None


def map(f: Callable[..., Any], tree: PyTree, *rest: PyTree, is_leaf: IsLeaf = None) -> PyTree:
    """`f` done to every leaf of `tree`, with the corresponding leaves of `rest`. A random key beside leaves is a leaf itself.

    >>> map(lambda x, y: x + y, {"a": 1}, {"a": 2})
    {'a': 3}
    """
    items, treedef = flatten(tree, is_leaf)
    try:
        others = [flatten_up_to(treedef, other) for other in rest]
    except ValueError as error:
        try:
            for other in rest:
                check_same_structure("tree.map", tree, other)
        except TreeStructureError:
            if is_leaf is None and structure(tree, _is_key) != structure(tree):
                return map(f, tree, *rest, is_leaf=_is_key)
            raise
        raise error
    try:
        return unflatten(treedef, [f(*xs) for xs in zip(items, *others, strict=True)])
    except TypeError as error:
        if any(x is None for other in others for x in other) and any(is_held(x) for x in leaves(tree, is_held)):
            error.add_note(HELD)
        raise


HELD = (
    "What the first tree holds, buffers and frozen parameters, is nothing in gradients: None came to the function there. Steps are "
    "added to a module by jitgrad.optim.apply_updates(module, tree.map(lambda g: -0.1 * g, gradients))."
)


def _is_key(x: Any) -> bool:
    return hasattr(type(x), "leaf_beside_leaves")


def reduce(function: Callable[[Any, Any], Any], tree: PyTree, initializer: Any = MISSING, is_leaf: IsLeaf = None) -> Any:
    """The leaves of a tree combined from left to right, from `initializer` on where it is given.

    >>> reduce(lambda x, y: x + y, {"a": 1, "b": [2, 3]})
    6
    """
    items = leaves(tree, is_leaf)
    if initializer is not MISSING:
        return functools.reduce(function, items, initializer)
    if not items:
        raise TypeError("tree.reduce: the tree has no leaves and no initializer was given")
    return functools.reduce(function, items)


def reduce_associative(
    operation: Callable[[Any, Any], Any], tree: PyTree, *, identity: Any = MISSING, is_leaf: IsLeaf = None
) -> Any:
    """The leaves of a tree combined in pairs, the results in pairs again, and so on; `identity` is the result of no leaves.

    >>> reduce_associative(lambda x, y: (x, y), [1, 2, 3, 4, 5])
    (((1, 2), (3, 4)), 5)
    """
    items = leaves(tree, is_leaf)
    if not items and identity is MISSING:
        raise TypeError("tree.reduce_associative: the tree has no leaves and no identity was given")
    while len(items) > 1:
        pairs = [operation(a, b) for a, b in zip(items[::2], items[1::2], strict=False)]
        items = pairs + items[len(items) & ~1 :]
    return items[0] if items else identity


def all(tree: PyTree, *, is_leaf: IsLeaf = None) -> bool:
    """Whether every leaf is true."""
    return builtins.all(leaves(tree, is_leaf))


def transpose(outer_treedef: PyTreeDef, inner_treedef: PyTreeDef | None, pytree_to_transpose: PyTree) -> PyTree:
    """A tree of trees turned inside out; without `inner_treedef` the first inner tree tells it.

    >>> transpose(structure([0, 0]), None, [(1, 2), (3, 4)])
    ([1, 3], [2, 4])
    """
    parts = flatten_up_to(outer_treedef, pytree_to_transpose)
    inner = inner_treedef if inner_treedef is not None else structure(parts[0] if parts else None)
    columns: list[tuple[Any, ...]] = [()] * inner.num_leaves
    if parts:
        columns = list(zip(*[flatten_up_to(inner, part) for part in parts], strict=True))
    return unflatten(inner, [unflatten(outer_treedef, c) for c in columns])


def broadcast(prefix_tree: PyTree, full_tree: PyTree, is_leaf: IsLeaf = None) -> PyTree:
    """`prefix_tree` with each leaf repeated for all leaves of `full_tree` that stand in its place.

    >>> broadcast([1, 2], [[0, 0], 0])
    [[1, 1], 2]
    """
    prefix_leaves, treedef = flatten(prefix_tree, is_leaf)
    try:
        parts = flatten_up_to(treedef, full_tree)
    except ValueError as error:
        raise TreeStructureError(f"tree.broadcast: the first tree must be a prefix of the second: {error}") from None
    spread = [map(lambda _, x=x: x, part, is_leaf=is_leaf) for x, part in zip(prefix_leaves, parts, strict=True)]
    return unflatten(treedef, spread)


def flatten_with_path(
    tree: PyTree, is_leaf: Callable[..., bool] | None = None, is_leaf_takes_path: bool = False
) -> tuple[list[tuple[KeyPath, Any]], PyTreeDef]:
    """The leaves of a tree, each with the keys that lead to it, and its structure. With `is_leaf_takes_path` `is_leaf` is called
    with a path and what is there.

    >>> pairs, _ = flatten_with_path({"a": [1, 2]})
    >>> [(path_text(path), x) for path, x in pairs]
    [("['a'][0]", 1), ("['a'][1]", 2)]
    """
    if is_leaf is not None and is_leaf_takes_path:
        seen: list[bool] = []
        pairs = list(_walk((), tree, is_leaf, seen))
        decisions = iter(seen)
        return pairs, structure(tree, is_leaf=lambda _: next(decisions))
    accessors, items, treedef = _flatten_with_accessor(tree, is_leaf=is_leaf, namespace=NAMESPACE)
    paths = [tuple([key_of(e.kind, e.type, e.entry) for e in a if e.type is not Held]) for a in accessors]
    return list(zip(paths, items, strict=True)), treedef


_flatten_with_accessor = whole(optree.tree_flatten_with_accessor)


def _walk(path: KeyPath, x: Any, is_leaf: Callable[..., bool], seen: list[bool]) -> Iterator[tuple[KeyPath, Any]]:
    """The leaves of x with their paths; whether each node is one, in the order in which they are met."""
    seen.append(bool(is_leaf(path, x)))
    entry = None if seen[-1] else registration(type(x))
    if entry is None:
        yield path, x
        return
    children, _, entries = flatten_one_level(x)
    for child, e in zip(children, entries, strict=True):
        keys = () if type(x) is Held else (key_of(entry.kind, type(x), e),)
        yield from _walk((*path, *keys), child, is_leaf, seen)


def leaves_with_path(
    tree: PyTree, is_leaf: Callable[..., bool] | None = None, is_leaf_takes_path: bool = False
) -> list[tuple[KeyPath, Any]]:
    """Each leaf with the keys that lead to it."""
    return flatten_with_path(tree, is_leaf, is_leaf_takes_path)[0]


def map_with_path(
    f: Callable[..., Any],
    tree: PyTree,
    *rest: PyTree,
    is_leaf: Callable[..., bool] | None = None,
    is_leaf_takes_path: bool = False,
) -> PyTree:
    """As `map`, `f` being called with the path in front.

    >>> map_with_path(lambda path, x: path_text(path), {"a": [1, 2]})
    {'a': ["['a'][0]", "['a'][1]"]}
    """
    pairs, treedef = flatten_with_path(tree, is_leaf, is_leaf_takes_path)
    others = [flatten_up_to(treedef, other) for other in rest]
    return unflatten(treedef, [f(path, x, *more) for (path, x), *more in zip(pairs, *others, strict=True)])


def static(**kwargs: Any) -> Any:
    """A field of a dataclass that is no child of it as a container but metadata; takes what `dataclasses.field` takes."""
    return dataclasses.field(**{**kwargs, "metadata": {**(kwargs.get("metadata") or {}), "static": True}})


@whole
def flatten_one_level(tree: PyTree) -> tuple[list[Any], Any, tuple[Any, ...]]:
    """The children of a container, its metadata, and where in it each child is. Raises ValueError for a leaf."""
    children, metadata, entries, _ = optree.tree_flatten_one_level(tree, namespace=NAMESPACE)
    return children, metadata, entries


@whole
def registration(t: type) -> Any:
    """optree's entry of a type of containers, built in or registered; None for other types."""
    return optree.register_pytree_node.get(t, namespace=NAMESPACE)


def difference(expected: PyTreeDef, got: PyTreeDef) -> str:
    """In which leaves two structures differ, with their paths; empty where they are one."""
    if expected == got:
        return ""
    mine, theirs = ([path_text(p) for p, _ in leaves_with_path(unflatten(t, range(t.num_leaves)))] for t in (expected, got))
    missing = [p or "(the whole)" for p in mine if p not in theirs]
    extra = [p or "(the whole)" for p in theirs if p not in mine]
    notes = [f"missing: {', '.join(missing[:5])}" if missing else "", f"unexpected: {', '.join(extra[:5])}" if extra else ""]
    return "; ".join(n for n in notes if n) or "the containers differ"


def is_held(x: Any) -> bool:
    return type(x) is Held


def check_same_structure(where: str, expected: PyTree, got: PyTree, what: str = "tree") -> None:
    """Raise TreeStructureError, naming the first difference and its path, unless two trees have one structure."""
    one, other = structure(expected), structure(got)
    if detail := difference(one, other):
        raise TreeStructureError(
            f"{where}: the {what} must have the structure {one}, got {other} ({detail}). Build it with tree.map over the original."
        )
