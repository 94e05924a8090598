"""Pytrees under the names of jax.tree_util: `jitgrad.tree` with `tree_` in front, keys of paths, and how classes are registered."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import optree

from .tree import (
    PyTreeDef,
    registration,
)
from .tree import all as tree_all
from .tree import broadcast as tree_broadcast
from .tree import flatten as tree_flatten
from .tree import flatten_one_level as one_level
from .tree import flatten_with_path as tree_flatten_with_path
from .tree import leaves as tree_leaves
from .tree import leaves_with_path as tree_leaves_with_path
from .tree import map as tree_map
from .tree import map_with_path as tree_map_with_path
from .tree import reduce as tree_reduce
from .tree import reduce_associative as tree_reduce_associative
from .tree import structure as tree_structure
from .tree import transpose as tree_transpose
from .tree import unflatten as tree_unflatten
from .tree_keys import DictKey, FlattenedIndexKey, GetAttrKey, KeyEntry, KeyPath, SequenceKey, key_of
from .tree_keys import path_text as keystr
from .tree_registration import (
    NAMESPACE,
    Partial,
    register_dataclass,
    register_pytree_node,
    register_pytree_node_class,
    register_pytree_with_keys,
    register_pytree_with_keys_class,
    register_static,
)

__all__ = [
    "DictKey", "FlattenedIndexKey", "GetAttrKey", "KeyEntry", "KeyPath", "Partial", "PyTreeDef", "SequenceKey", "all_leaves",
    "default_registry", "flatten_one_level", "flatten_one_level_with_keys", "is_tree_node", "keystr", "register_dataclass",
    "register_pytree_node", "register_pytree_node_class", "register_pytree_with_keys", "register_pytree_with_keys_class",
    "register_static", "tree_all", "tree_broadcast", "tree_flatten", "tree_flatten_with_path", "tree_leaves",
    "tree_leaves_with_path", "tree_map", "tree_map_with_path", "tree_reduce", "tree_reduce_associative", "tree_structure",
    "tree_transpose", "tree_unflatten", "treedef_children", "treedef_is_leaf", "treedef_tuple",
]  # fmt: skip


def all_leaves(iterable: Iterable[Any], is_leaf: Callable[[Any], bool] | None = None) -> bool:
    """Whether every item is a leaf, and no container.

    >>> all_leaves([1, 2.5]), all_leaves([1, [2]])
    (True, False)
    """
    return all((is_leaf is not None and is_leaf(x)) or not is_tree_node(type(x)) for x in iterable)


def is_tree_node(typ: type) -> bool:
    """Whether objects of a type are containers, built in or registered."""
    return registration(typ) is not None


def flatten_one_level(tree: Any) -> tuple[list[Any], Any]:
    """The children of a container, and its metadata.

    Raises:
        ValueError: `tree` is a leaf.
    """
    children, metadata, _ = one_level(tree)
    return children, metadata


def flatten_one_level_with_keys(tree: Any) -> tuple[list[tuple[Any, Any]], Any]:
    """The children of a container, each with its key, and the container's metadata.

    >>> flatten_one_level_with_keys([5])[0]
    [(SequenceKey(idx=0), 5)]
    """
    children, metadata, entries = one_level(tree)
    kind = registration(type(tree)).kind
    return [(key_of(kind, type(tree), e), child) for e, child in zip(entries, children, strict=True)], metadata


class _Registry:
    """The classes that are containers, as an object; there is this one alone."""

    flatten = staticmethod(tree_flatten)
    register_node = staticmethod(register_pytree_node)

    @staticmethod
    def flatten_one_level(tree: Any) -> tuple[list[Any], Any] | None:
        """The children of a container, and its metadata; None for a leaf."""
        return flatten_one_level(tree) if is_tree_node(type(tree)) else None


default_registry = _Registry()


def treedef_children(treedef: PyTreeDef) -> list[PyTreeDef]:
    """The structures of a container's children."""
    return treedef.children()


def treedef_is_leaf(treedef: PyTreeDef) -> bool:
    """Whether a structure is that of a single leaf."""
    return bool(treedef.is_leaf())


def treedef_tuple(treedefs: Iterable[PyTreeDef]) -> PyTreeDef:
    """The structure of a tuple of trees of these structures."""
    return optree.treespec_tuple(treedefs, namespace=NAMESPACE)
