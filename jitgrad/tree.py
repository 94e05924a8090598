"""Pytrees: nested containers of arrays. optree's, under jax.tree's names, registered in the namespace 'jitgrad'."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import optree

from .errors import TreeStructureError

NAMESPACE = "jitgrad"
PyTree = Any
PyTreeDef = optree.PyTreeSpec


def flatten(tree: PyTree, is_leaf: Callable[[Any], bool] | None = None) -> tuple[list[Any], PyTreeDef]:
    """The leaves of a tree, and its structure.

    >>> leaves, structure = flatten({"b": 2, "a": [1, None]})
    >>> leaves
    [1, 2]
    """
    return optree.tree_flatten(tree, is_leaf=is_leaf, namespace=NAMESPACE)


def unflatten(treedef: PyTreeDef, leaves: Any) -> PyTree:
    """The tree of a structure with the given leaves."""
    return optree.tree_unflatten(treedef, leaves)


def leaves(tree: PyTree, is_leaf: Callable[[Any], bool] | None = None) -> list[Any]:
    """The leaves of a tree, in order; keys of a dict are sorted."""
    return optree.tree_leaves(tree, is_leaf=is_leaf, namespace=NAMESPACE)


def structure(tree: PyTree, is_leaf: Callable[[Any], bool] | None = None) -> PyTreeDef:
    """The structure of a tree."""
    return optree.tree_structure(tree, is_leaf=is_leaf, namespace=NAMESPACE)


def map(f: Callable[..., Any], tree: PyTree, *rest: PyTree, is_leaf: Callable[[Any], bool] | None = None) -> PyTree:
    """`f` done to every leaf of `tree`, with the corresponding leaves of `rest`.

    >>> map(lambda x, y: x + y, {"a": 1}, {"a": 2})
    {'a': 3}
    """
    try:
        return optree.tree_map(f, tree, *rest, is_leaf=is_leaf, namespace=NAMESPACE)
    except ValueError as error:
        for other in rest:
            check_same_structure("tree.map", tree, other)
        raise error


def reduce(f: Callable[[Any, Any], Any], tree: PyTree, initializer: Any = None) -> Any:
    """The leaves of a tree combined from left to right."""
    items = leaves(tree)
    if initializer is not None:
        items = [initializer, *items]
    if not items:
        raise TypeError("tree.reduce: the tree has no leaves and no initializer was given")
    total = items[0]
    for x in items[1:]:
        total = f(total, x)
    return total


def all(tree: PyTree) -> bool:
    """Whether every leaf is true."""
    return bool(optree.tree_all(tree, namespace=NAMESPACE))


def transpose(outer_treedef: PyTreeDef, inner_treedef: PyTreeDef, tree: PyTree) -> PyTree:
    """A tree of trees turned inside out."""
    return optree.tree_transpose(outer_treedef, inner_treedef, tree)


def leaves_with_path(tree: PyTree) -> list[tuple[tuple[Any, ...], Any]]:
    """Each leaf with the keys that lead to it."""
    paths, items, _ = optree.tree_flatten_with_path(tree, namespace=NAMESPACE)
    return list(zip(paths, items, strict=True))


def register_pytree_node(
    nodetype: type, flatten_func: Callable[[Any], tuple[Any, Any]], unflatten_func: Callable[[Any, Any], Any]
) -> None:
    """Make a class a container: `flatten_func(x) -> (children, aux)`, `unflatten_func(aux, children) -> x`."""
    optree.register_pytree_node(nodetype, flatten_func, unflatten_func, namespace=NAMESPACE)


def register_pytree_node_class(cls: type) -> type:
    """Class decorator: make a class with methods `tree_flatten()` and `tree_unflatten(aux, children)` a container."""
    optree.register_pytree_node(cls, lambda x: x.tree_flatten(), cls.tree_unflatten, namespace=NAMESPACE)  # type: ignore[attr-defined]
    return cls


def path_text(path: tuple[Any, ...]) -> str:
    """How a path is written behind a name: ('layers', 0) is ['layers'][0]."""
    return "".join(f"[{key!r}]" for key in path)


def difference(expected: PyTreeDef, got: PyTreeDef) -> str:
    """In which leaves two structures differ, with their paths; empty where they are one."""
    if expected == got:
        return ""
    mine, theirs = ([path_text(p) for p, _ in leaves_with_path(unflatten(t, range(t.num_leaves)))] for t in (expected, got))
    missing = [p or "(the whole)" for p in mine if p not in theirs]
    extra = [p or "(the whole)" for p in theirs if p not in mine]
    notes = [f"missing: {', '.join(missing[:5])}" if missing else "", f"unexpected: {', '.join(extra[:5])}" if extra else ""]
    return "; ".join(n for n in notes if n) or "the containers differ"


def check_same_structure(where: str, expected: PyTree, got: PyTree, what: str = "tree") -> None:
    """Raise TreeStructureError, naming the first difference and its path, unless two trees have one structure."""
    one, other = structure(expected), structure(got)
    if detail := difference(one, other):
        raise TreeStructureError(
            f"{where}: the {what} must have the structure {one}, got {other} ({detail}). Build it with tree.map over the original."
        )
