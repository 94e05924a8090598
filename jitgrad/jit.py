"""jit: trace once for each signature, compile, and call native code from then on.

A call is: read the arguments' signature and leaves in one walk, look the program up, call it, wrap the outputs. In a traced body or
inside grad, a jitted function becomes one `call` equation instead.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from jitgrad_compiler.ir.builder import bind_all, state
from jitgrad_compiler.ir.graph import Graph
from jitgrad_compiler.ir.types import NAMES, NUMPY, ArrayType
from jitgrad_compiler.ops.calls import call

from . import axes, backend, tree
from .array import DONATED, WEAK_NUMPY, WEAK_SCALARS, Array, as_value
from .config import config
from .errors import ArgumentError, NonHashableStaticArgumentError
from .stages import Compiled, Lowered
from .tracing import ARGUMENT, RESULT, Traced, abstract_leaves, array_leaves, eval_shape, function_name, orders, trace

Signature = Any
Builder = Callable[[Any], Any]


class _Slow(Exception):
    """The arguments hold something that the fast walk does not know."""


_keys: dict[tuple[Any, ...], tuple[Any, ...]] = {}
_types: dict[tuple[Any, Any], ArrayType] = {}


def scan(x: Any, leaves: list[Any]) -> Signature:
    """The signature of an argument; its leaves are appended to the list. Dicts are walked in the order of their sorted keys."""
    t = type(x)
    if t is Array:
        if x.trace is not None:
            raise _Slow
        leaves.append(x)
        return (x.type, True) if x.weak else x.type
    if t is dict:
        keys = tuple(x)
        order = _keys.get(keys)
        if order is None:
            try:
                order = _keys[keys] = tuple(sorted(keys))
            except TypeError:
                raise _Slow from None
        signature: list[Any] = [dict, order]
        _scan_all([x[k] for k in order] if order != keys else x.values(), leaves, signature)
        return tuple(signature)
    if t is list or t is tuple:
        signature = [t]
        _scan_all(x, leaves, signature)
        return tuple(signature)
    if t is np.ndarray:
        leaves.append(x)
        key = (x.shape, x.dtype)
        found = _types.get(key)
        if found is None:
            if x.dtype not in NAMES:
                raise _Slow
            found = _types[key] = ArrayType(x.shape, NAMES[x.dtype])
        return found
    dtype = WEAK_SCALARS.get(t) or WEAK_NUMPY.get(t)
    if dtype is not None:
        try:
            leaves.append(np.asarray(x, NUMPY[dtype]))
        except OverflowError:  # an int beyond 64 bits, of which `as_value` tells
            raise _Slow from None
        return (dtype, True)
    if isinstance(x, np.generic) and x.dtype in NAMES:
        leaves.append(np.asarray(x))
        return ArrayType((), NAMES[x.dtype])
    if x is None:
        return None
    raise _Slow


def _scan_all(items: Iterable[Any], leaves: list[Any], signature: list[Any]) -> None:
    """`scan` for each item; concrete arrays, of which most trees consist, without a call."""
    for x in items:
        if type(x) is Array and x.trace is None and not x.weak:
            leaves.append(x)
            signature.append(x.type)
        else:
            signature.append(scan(x, leaves))


def builder_of(treedef: tree.PyTreeDef) -> Builder:
    """A function from an iterator of leaves to the tree: for dicts, lists and tuples without optree."""
    kind = treedef.type
    if treedef.is_leaf():
        return next
    if kind is None and treedef.num_leaves == 0:
        return lambda leaves: None
    children = [builder_of(c) for c in treedef.children()]
    if kind is dict:
        keys = treedef.entries()
        if all(c is next for c in children):
            return lambda leaves: dict(zip(keys, leaves))  # noqa: B905
        return lambda leaves: {k: c(leaves) for k, c in zip(keys, children, strict=True)}
    if kind is tuple:
        return lambda leaves: tuple([c(leaves) for c in children])
    if kind is list:
        return lambda leaves: [c(leaves) for c in children]
    count = treedef.num_leaves
    return lambda leaves: tree.unflatten(treedef, [next(leaves) for _ in range(count)])


class _Entry:
    """One signature's program: the traced Graph, and once it has run on concrete arrays its executable."""

    def __init__(self, traced: Traced, donated: Sequence[int]) -> None:
        self.traced, self.donated = traced, tuple(donated)
        self.build = builder_of(traced.out_tree)
        self.types = traced.graph.output_types
        self.weak = traced.out_weak
        self.some_weak = any(traced.out_weak)
        self.constants = traced.captured
        self.executable: Any = None
        self.constant_addresses: list[int] = []
        self.kept: list[Any] = []

    def prepare(self) -> Any:
        executable = backend.compile_graph(self.traced.graph, self.donated)
        pairs = [backend.runtime().address_of(v.data()) for v in self.constants]
        self.constant_addresses = [address for address, _ in pairs]
        self.kept = [array for _, array in pairs]
        self.executable = executable  # last: other threads look at it
        return executable

    def run(self, leaves: list[Any]) -> Any:
        executable = self.executable or self.prepare()
        if not hasattr(executable, "run"):
            arrays = [x.data() if type(x) is Array else x for x in leaves]
            outs = executable.run_arrays([*arrays, *[v.data() for v in self.constants]])
            self._donors(leaves, (), arrays)
            return self.wrap(outs)
        addresses, kept = [], []
        for x in leaves:
            try:
                addresses.append(x.ref.address)
            except AttributeError:
                memory = backend.runtime().Borrowed(x.data() if type(x) is Array else x)
                if type(x) is Array and type(x.ref) is np.ndarray:
                    x.ref = memory  # the address is known from now on
                addresses.append(memory.address)
                kept.append(memory)
        donors = self._donors(leaves, addresses, kept) if self.donated else ()
        outs = executable.run(addresses + self.constant_addresses if self.constant_addresses else addresses, donors)
        return self.wrap(outs)

    def _donors(self, leaves: list[Any], addresses: Sequence[int], kept: list[Any]) -> list[Any]:
        """The memory of donated arrays, which become unusable; memory that somebody else holds, or another argument, is not taken
        and only kept until the program has run.
        """
        donors: list[Any] = [None] * (len(leaves) + len(self.constants))
        repeated = len(set(addresses)) < len(addresses)
        for n in self.donated:
            x = leaves[n]
            if type(x) is not Array or x.ref is DONATED:
                continue
            if hasattr(x.ref, "buffer") and not (repeated and addresses.count(x.ref.address) > 1):
                alone = sys.getrefcount(x.ref.buffer) <= 2 and sys.getrefcount(x.ref) <= 2
                donors[n] = x.ref if alone else None
            kept.append(x.ref)
            x.ref = DONATED
        return donors

    def wrap(self, outs: list[Any]) -> Any:
        arrays = [Array(t, None, ref) for t, ref in zip(self.types, outs)]  # noqa: B905
        if self.some_weak:
            for a, w in zip(arrays, self.weak, strict=True):
                a.weak = w
        return self.build(iter(arrays))


class Jitted:
    """A function that runs compiled. Made by `jit`."""

    def __init__(
        self, f: Callable[..., Any], static_argnums: tuple[int, ...], static_argnames: tuple[str, ...], donate: tuple[int, ...]
    ) -> None:
        functools.update_wrapper(self, f)
        self._f, self._name = f, function_name(f)
        self._static_numbers, self._static_names, self._donate = static_argnums, static_argnames, donate
        self._plain = not static_argnums and not static_argnames
        self._entries: dict[Any, _Entry] = {}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if state.staging is None and self._plain and not kwargs and not config.disable_jit:
            leaves: list[Any] = []
            try:
                signature = (config.traced, *[scan(a, leaves) for a in args])
                entry = self._entries.get(signature)
            except _Slow:
                entry = None
            if entry is not None:
                return entry.run(leaves)
        return self._general(args, kwargs)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def _split(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any], Any, Callable[..., Any]]:
        """(dynamic arguments, dynamic keywords, the key of the static ones, the function of the dynamic ones)."""
        numbers = tuple(n % len(args) if -len(args) <= n < len(args) else n for n in self._static_numbers) if args else ()
        static = {n: args[n] for n in numbers if n < len(args)}
        named = {k: v for k, v in kwargs.items() if k in self._static_names}
        for key, value in [*static.items(), *named.items()]:
            try:
                hash(value)
            except TypeError:
                what = f"argument {key}" if isinstance(key, int) else f"keyword argument {key!r}"
                raise NonHashableStaticArgumentError(
                    f"jit of {self._name}: static {what} must be hashable, got {type(value).__name__}: {str(value)[:60]!r}. "
                    "Use a tuple instead of a list, or pass it as an ordinary argument."
                ) from None
        dynamic = tuple(a for n, a in enumerate(args) if n not in static)
        rest = {k: v for k, v in kwargs.items() if k not in named}
        f = self._f

        def call_with(given: Sequence[Any], keywords: dict[str, Any]) -> Any:
            items = iter(given)
            every = [static[n] if n in static else next(items) for n in range(len(args))]
            return f(*every, **keywords, **named)

        key = (tuple((n, type(v), v) for n, v in static.items()), tuple(sorted((k, type(v), v) for k, v in named.items())))
        return dynamic, rest, key, call_with

    def _entry(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[_Entry, list[Array]]:
        """The traced program for these arguments, and their leaves."""
        dynamic, rest, static_key, call_with = self._split(args, kwargs)
        where = f"jit of {self._name}"
        values, in_tree = array_leaves(where, (dynamic, rest), ARGUMENT, borrow=True)
        leaves: list[Any] = []
        try:
            scanned: Any = (config.traced, *[scan(a, leaves) for a in dynamic])
            key: Any = scanned if self._plain and not rest else None
        except _Slow:
            key = None
        if key is None:
            key = (in_tree, tuple((v.type, v.weak) for v in values), static_key, config.traced)
        if around := axes.sizes():
            key = (key, around)
        entry = self._entries.get(key)
        if entry is None:
            traced = trace(call_with, self._name, [v.type for v in values], [v.weak for v in values], in_tree)
            entry = _Entry(traced, self._donated_leaves(args, dynamic))
            if orders.left is None and all(v.trace is None for v in traced.captured):
                self._entries[key] = entry
        return entry, values

    def _donated_leaves(self, args: tuple[Any, ...], dynamic: tuple[Any, ...]) -> list[int]:
        """The numbers of the leaves of donated arguments."""
        counts = [len(tree.leaves(a)) for a in dynamic]
        static = {n % len(args) for n in self._static_numbers if -len(args) <= n < len(args)} if args else set()
        places = [n for n in range(len(args)) if n not in static]
        wanted = {n % len(args) for n in self._donate if -len(args) <= n < len(args)} if args else set()
        found: list[int] = []
        start = 0
        for place, count in zip(places, counts, strict=True):
            if place in wanted:
                found += range(start, start + count)
            start += count
        return found

    def _general(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if config.disable_jit:
            return self._eagerly(args, kwargs)
        entry, values = self._entry(args, kwargs)
        traced = entry.traced
        every = [*values, *entry.constants]
        if state.staging is None and all(v.trace is None for v in every):
            return entry.run(values)
        outs = bind_all(call, *every, graph=traced.graph, name=self._name)
        for out, weak in zip(outs, traced.out_weak, strict=True):
            out.weak = weak
        return entry.build(iter(outs))

    def _eagerly(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The function itself, on Arrays as when it is traced."""
        dynamic, rest, _, call_with = self._split(args, kwargs)
        values, in_tree = array_leaves(f"jit of {self._name}", (dynamic, rest), ARGUMENT)
        outs, out_tree = array_leaves(self._name, call_with(*tree.unflatten(in_tree, values)), RESULT)
        return tree.unflatten(out_tree, outs)

    def trace(self, *args: Any, **kwargs: Any) -> Graph:
        """The Graph for these arguments."""
        return self._entry(args, kwargs)[0].traced.graph

    def lower(self, *args: Any, **kwargs: Any) -> Lowered:
        """Trace for these arguments, arrays or ShapeDtypeStructs; `.compile()` gives the program ahead of its first call."""
        dynamic, rest, _, call_with = self._split(args, kwargs)
        types, weak, in_tree = abstract_leaves(f"lower of {self._name}", (dynamic, rest))
        traced = trace(call_with, self._name, types, weak, in_tree)
        return Lowered(traced, in_tree, self._name, self._donated_leaves(args, dynamic), self._compile)

    def _compile(self, lowered: Lowered) -> Compiled:
        entry = _Entry(lowered.traced, lowered.donated)
        entry.prepare()
        return Compiled(lowered, entry)

    def eval_shape(self, *args: Any, **kwargs: Any) -> Any:
        """The shapes and types of the result, as `jitgrad.eval_shape` gives them."""
        dynamic, rest, _, call_with = self._split(args, kwargs)
        return eval_shape(functools.wraps(self._f)(call_with), dynamic, rest)

    def clear_cache(self) -> None:
        """Forget every program that was compiled for this function."""
        self._entries.clear()

    def __repr__(self) -> str:
        return f"<jitted {self._name}>"


def _numbers(name: str, given: int | Iterable[int] | None) -> tuple[int, ...]:
    if given is None:
        return ()
    found = (given,) if isinstance(given, int) else tuple(given)
    if not all(isinstance(n, int) for n in found):
        raise ArgumentError(f"jit: {name} must be an integer or integers, got {given!r}")
    return found


def jit(
    f: Callable[..., Any] | None = None,
    *,
    static_argnums: int | Iterable[int] | None = None,
    static_argnames: str | Iterable[str] | None = None,
    donate_argnums: int | Iterable[int] | None = None,
    inline: bool = False,
) -> Any:
    """f, compiled for each combination of shapes and types that it is called with.

    static_argnums, static_argnames: arguments that are no arrays; they must be hashable, and each value is compiled for.
    donate_argnums: arguments that are not used again, whose memory results may take; a later use raises DonatedBufferError.
    inline is accepted for likeness with jax: nested jitted functions always become part of the program around them.

    >>> import jitgrad.numpy as jnp
    >>> f = jit(lambda x, n: x ** n, static_argnums=1)
    >>> print(f(jnp.array([1.0, 2.0]), 3))
    [1. 8.]
    """
    if f is None:
        return functools.partial(
            jit, static_argnums=static_argnums, static_argnames=static_argnames, donate_argnums=donate_argnums, inline=inline
        )
    if not callable(f):
        raise ArgumentError(f"jit needs a function, got {type(f).__name__}")
    numbers = _numbers("static_argnums", static_argnums)
    names = (static_argnames,) if isinstance(static_argnames, str) else tuple(static_argnames or ())
    donated = _numbers("donate_argnums", donate_argnums)
    if names or numbers or donated:
        names, numbers, donated = _by_signature(f, names, numbers, donated)
    return Jitted(f, numbers, names, donated)


def _by_signature(
    f: Callable[..., Any], names: tuple[str, ...], numbers: tuple[int, ...], donated: tuple[int, ...]
) -> tuple[tuple[str, ...], tuple[int, ...], tuple[int, ...]]:
    """Static arguments by name and by number, as the signature pairs them, so that it does not matter how they are passed; and
    numbers counted from the front of its parameters.
    """
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):
        return names, numbers, donated
    positional = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    every = [p.name for p in parameters]
    for name in names:
        if name not in every and not any(p.kind is p.VAR_KEYWORD for p in parameters):
            raise ArgumentError(
                f"jit of {function_name(f)}: static_argnames has {name!r}, but the parameters are {', '.join(every)}"
            )
    if not any(p.kind is p.VAR_POSITIONAL for p in parameters):
        numbers = tuple(_from_front(f, "static_argnums", n, len(positional)) for n in numbers)
        donated = tuple(_from_front(f, "donate_argnums", n, len(positional)) for n in donated)
    from_names = tuple(positional.index(n) for n in names if n in positional)
    from_numbers = tuple(positional[n] for n in numbers if 0 <= n < len(positional))
    return tuple(dict.fromkeys((*names, *from_numbers))), tuple(dict.fromkeys((*numbers, *from_names))), donated


def _from_front(f: Callable[..., Any], what: str, number: int, count: int) -> int:
    if not -count <= number < count:
        raise ArgumentError(
            f"jit of {function_name(f)}: {what} names argument {number}, but there are {count} positional parameters, "
            "counted from 0"
        )
    return number % count


def device_put(x: Any, device: Any = None) -> Any:
    """A pytree's leaves as Arrays in memory of their own."""
    return tree.map(lambda leaf: as_value(leaf, "device_put"), x)


def block_until_ready(x: Any) -> Any:
    """x; results are always complete when a call returns, so nothing is waited for."""
    return x
