"""How classes become containers of pytrees, under jax.tree_util's names. optree has the registry; the namespace is ours."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import optree

from .errors import ArgumentError
from .tree_keys import GetAttrKey, keyed_types

NAMESPACE = "jitgrad"


def register_pytree_node(
    nodetype: type,
    flatten_func: Callable[[Any], tuple[Iterable[Any], Any]],
    unflatten_func: Callable[[Any, Any], Any],
    flatten_with_keys_func: Callable[[Any], tuple[Iterable[tuple[Any, Any]], Any]] | None = None,
) -> None:
    """Make a class a container: `flatten_func(x) -> (children, aux)`, `unflatten_func(aux, children) -> x`.

    `aux` is static: it should be hashable and comparable, and what is compiled for one value is used for equal ones alone.
    """
    if flatten_with_keys_func is None:
        optree.register_pytree_node(nodetype, flatten_func, unflatten_func, namespace=NAMESPACE)
    else:
        register_pytree_with_keys(nodetype, flatten_with_keys_func, unflatten_func)


def register_pytree_node_class(cls: Any) -> Any:
    """Class decorator: make a class with methods `tree_flatten()` and `tree_unflatten(aux, children)` a container."""
    register_pytree_node(cls, lambda x: x.tree_flatten(), cls.tree_unflatten)
    return cls


def register_pytree_with_keys(
    nodetype: type,
    flatten_with_keys: Callable[[Any], tuple[Iterable[tuple[Any, Any]], Any]],
    unflatten_func: Callable[[Any, Any], Any],
    flatten_func: Callable[[Any], tuple[Iterable[Any], Any]] | None = None,
) -> None:
    """As `register_pytree_node`, from `flatten_with_keys(x) -> (pairs of a key and a child, aux)`; the keys make up paths.

    `flatten_func`, a faster way to the children for jax, is not needed.
    """

    def flatten(x: Any) -> tuple[list[Any], Any, list[Any]]:
        pairs, aux = flatten_with_keys(x)
        given = list(pairs)
        return [child for _, child in given], aux, [key for key, _ in given]

    optree.register_pytree_node(nodetype, flatten, unflatten_func, namespace=NAMESPACE)
    keyed_types.add(nodetype)


def register_pytree_with_keys_class(cls: Any) -> Any:
    """Class decorator: make a class with methods `tree_flatten_with_keys()` and `tree_unflatten(aux, children)` a container."""
    register_pytree_with_keys(cls, lambda x: x.tree_flatten_with_keys(), cls.tree_unflatten)
    return cls


def register_dataclass(
    nodetype: Any,
    data_fields: Sequence[str] | None = None,
    meta_fields: Sequence[str] | None = None,
    drop_fields: Sequence[str] = (),
) -> Any:
    """Make a dataclass a container of its `data_fields`; `meta_fields` are static. Returns the class, so it is a decorator, too.

    Without them a dataclass's fields are data, but those with `metadata={"static": True}`, as `jitgrad.tree.static()` makes them. A
    class that is no dataclass needs both lists; it is made again by `nodetype(**fields)`.

    Raises:
        ArgumentError: the lists are not the fields that the dataclass is made from.

    >>> import jitgrad
    >>> @register_dataclass
    ... @dataclasses.dataclass
    ... class Scaled:
    ...     w: object
    ...     name: str = jitgrad.tree.static(default="a")
    >>> jitgrad.grad(lambda s: s.w ** 2)(Scaled(3.0))
    Scaled(w=Array(6., dtype=float32), name='a')
    """
    where = f"tree_util.register_dataclass of {nodetype.__name__}"
    if (data_fields is None) != (meta_fields is None):
        raise ArgumentError(f"{where}: give both data_fields and meta_fields, or neither")
    if dataclasses.is_dataclass(nodetype):
        fields = [f for f in dataclasses.fields(nodetype) if f.init]
        if data_fields is None or meta_fields is None:
            meta_fields = [f.name for f in fields if f.metadata.get("static", False)]
            data_fields = [f.name for f in fields if f.name not in meta_fields and f.name not in drop_fields]
        made_from = {f.name for f in fields} - {*drop_fields}
        if {*data_fields, *meta_fields} != made_from:
            raise ArgumentError(
                f"{where}: data_fields and meta_fields must be the fields {', '.join(sorted(made_from))}, got "
                f"{', '.join(sorted({*data_fields, *meta_fields}))}. Name those in drop_fields that need not be kept."
            )
    elif data_fields is None or meta_fields is None:
        raise ArgumentError(f"{where}: it is no dataclass, so data_fields and meta_fields must be given")
    data, meta = tuple(data_fields), tuple(meta_fields)
    keys = [GetAttrKey(name) for name in data]

    def flatten(x: Any) -> tuple[list[Any], Any, list[Any]]:
        return [getattr(x, name) for name in data], tuple([getattr(x, name) for name in meta]), keys

    def unflatten(aux: Any, children: Iterable[Any]) -> Any:
        return nodetype(**dict(zip(data, children, strict=True)), **dict(zip(meta, aux, strict=True)))

    optree.register_pytree_node(nodetype, flatten, unflatten, namespace=NAMESPACE)
    keyed_types.add(nodetype)
    return nodetype


def register_static(cls: Any) -> Any:
    """Class decorator: objects of the class are static wherever they stand in a tree, without leaves; they must be hashable."""
    register_pytree_node(cls, lambda x: ((), x), lambda x, _: x)
    return cls


class Partial(functools.partial):
    """functools.partial as a container: its arguments are children, its function is static. So it may be an argument of a jitted
    function.

    >>> import jitgrad, jitgrad.numpy as jnp
    >>> print(jitgrad.jit(lambda f, x: f(x))(Partial(jnp.add, 1.0), 2.0))
    3.0
    """


register_pytree_node(Partial, lambda p: ((p.args, p.keywords), p.func), lambda func, parts: Partial(func, *parts[0], **parts[1]))


class Held:
    """A part of a pytree that is no parameter: derivatives with respect to the tree leave it out, optimizers keep it as it is.

    `Held(None)` stands in gradients where the tree holds something. Paths do not show it. What is done with it: held.py.

    >>> import jitgrad
    >>> print(jitgrad.grad(lambda p: p["w"] * p["count"].value)({"w": 2.0, "count": Held(3)}))
    {'w': Array(3., dtype=float32), 'count': Held(None)}
    """

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __repr__(self) -> str:
        return f"Held({self.value!r})"


register_pytree_node(Held, lambda held: ((held.value,), None), lambda _, children: Held(*children))
