"""jit: trace once for each signature, compile, and call native code from then on.

A call is: read the arguments' signature and leaves in one walk (signatures.py), look the program up, call it, wrap the outputs
(programs.py). In a traced body or inside grad, a jitted function becomes one `call` equation instead.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from jitgrad_compiler.ir.builder import bind_all, state
from jitgrad_compiler.ir.graph import Graph
from jitgrad_compiler.once import once
from jitgrad_compiler.ops.calls import call
from jitgrad_compiler.passes.inline import inline as inlined

from . import axes, tree
from .argument_options import ArgumentOptions, argument_options
from .array import Array, as_value
from .config import config
from .devices import as_device, default
from .errors import ArgumentError, NonHashableStaticArgumentError, NumberRangeError
from .programs import Entry, entry_for, programs_of
from .recursion import own_frames
from .signatures import AnyLeaves, UnknownArgument, scan, static_key
from .stages import Compiled, Lowered
from .tracebacks import boundary_methods, leave
from .tracing import (
    ARGUMENT,
    RESULT,
    abstract_leaves,
    array_leaves,
    check_function,
    eval_shape,
    function_name,
    is_float0,
    is_module,
    trace,
)

MOST_NESTED = 8
"""Programs nested deeper than this are made flatter, for whoever walks through them recurses once a program."""


class Jitted:
    """A function that runs compiled. Made by `jit`."""

    def __init__(self, f: Callable[..., Any], options: ArgumentOptions) -> None:
        functools.update_wrapper(self, f)
        self._f, self._name, self._options = f, function_name(f), options
        self._plain = not options.static_numbers and not options.static_names
        self._entries = programs_of(f, options)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            if state.staging is None and not config.disable_jit:
                leaves: list[Any] = []
                try:
                    if self._plain and not kwargs:
                        entry = self._entries.get((config.traced, *[scan(a, leaves) for a in args]))
                    else:
                        entry = self._entries.get(self._signature(args, kwargs, leaves))
                except UnknownArgument:
                    entry = None
                if entry is not None:
                    return entry.run(leaves)
            return self._general(args, kwargs)
        except Exception as error:
            leave(error)
            raise

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def _signature(self, args: Sequence[Any], kwargs: dict[str, Any], leaves: list[Any]) -> Any:
        """The key of the program; the leaves of all that is not static are appended to the list."""
        found: list[Any] = [config.traced]
        static = self._options.static_among(len(args))
        for n, a in enumerate(args):
            found.append(self._static(n, a) if n in static else scan(a, leaves))
        for name in sorted(kwargs):
            value = kwargs[name]
            found.append((name, self._static(name, value) if name in self._options.static_names else scan(value, leaves)))
        return tuple(found)

    def _static(self, place: int | str, value: Any) -> Any:
        try:
            hash(value)
        except TypeError:
            what = f"argument {place}" if isinstance(place, int) else f"keyword argument {place!r}"
            raise NonHashableStaticArgumentError(
                f"jit of {self._name}: static {what} must be hashable, got {type(value).__name__}: {str(value)[:60]!r}. "
                "Use a tuple instead of a list, or pass it as an ordinary argument."
            ) from None
        return static_key(value)

    def _split(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any], Callable[..., Any]]:
        """(dynamic arguments, dynamic keywords, the function of these)."""
        static = {n: args[n] for n in self._options.static_among(len(args))}
        named = {k: v for k, v in kwargs.items() if k in self._options.static_names}
        f, count = self._f, len(args)

        def call_with(given: Sequence[Any], keywords: dict[str, Any]) -> Any:
            items = iter(given)
            return f(*[static[n] if n in static else next(items) for n in range(count)], **keywords, **named)

        dynamic = tuple([a for n, a in enumerate(args) if n not in static])
        return dynamic, {k: v for k, v in kwargs.items() if k not in named}, call_with

    def _dynamic(self, count: int) -> list[int]:
        """The numbers of those of `count` positional arguments that are not static."""
        static = self._options.static_among(count)
        return [n for n in range(count) if n not in static]

    def _entry(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Entry, list[Array], list[Any]]:
        """The traced program for these arguments, their leaves as Arrays, which borrow NumPy's memory, and as they were given."""
        dynamic, rest, call_with = self._split(args, kwargs)
        given = [x for x in tree.leaves((dynamic, rest)) if not is_float0(x)]
        values, in_tree = array_leaves(f"jit of {self._name}", (dynamic, rest), ARGUMENT, True, self._dynamic(len(args)))
        for x in given:
            if type(x) is int and x >= 2**63:
                raise NumberRangeError(f"jit of {self._name}: the Python int {x} does not fit in int64. Give numpy.uint64({x}).")
        given_args, given_named = tree.unflatten(in_tree, values)
        items, static = iter(given_args), self._options.static_among(len(args))
        every = [a if n in static else next(items) for n, a in enumerate(args)]
        key = self._signature(every, {**kwargs, **given_named}, AnyLeaves())
        if around := axes.sizes():
            key = (key, around)

        def make() -> Entry:
            with own_frames():
                traced = trace(call_with, self._name, [v.type for v in values], [v.weak for v in values], in_tree)
            if traced.graph.depth > MOST_NESTED:
                traced.graph = inlined(traced.graph, call)
            checked = config.debug_nans or config.debug_infs
            donated = self._donated_leaves(args, dynamic, rest)
            entry = entry_for(traced, self._name, donated, checked)
            if all(v.owner is None for v in traced.captured):
                self._entries[key] = entry
            return entry

        entry = self._entries.get(key) or once((id(self._entries), key), lambda: self._entries.get(key), make)
        return entry, values, given

    def _donated_leaves(self, args: tuple[Any, ...], dynamic: tuple[Any, ...], rest: dict[str, Any]) -> list[int]:
        """The numbers of the leaves of donated arguments."""
        donated = self._options.donated_among(len(args))
        pairs = [(n in donated, a) for n, a in zip(self._dynamic(len(args)), dynamic, strict=True)]
        pairs += [(name in self._options.donated_names, rest[name]) for name in sorted(rest)]
        wanted = [given for given, a in pairs for x in tree.leaves(a) if not is_float0(x)]
        return [n for n, given in enumerate(wanted) if given]

    def _general(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if config.disable_jit:
            return self._eagerly(args, kwargs)
        entry, values, given = self._entry(args, kwargs)
        traced = entry.traced
        if state.staging is None and all(v.owner is None for v in [*values, *entry.constants]):
            return entry.run(values)
        # What is recorded outlives this call, so it does not borrow what the caller may write to.
        owned = [as_value(x) if isinstance(x, np.ndarray) else v for x, v in zip(given, values, strict=True)]
        outs = bind_all(call, *owned, *entry.constants, graph=traced.graph, name=self._name)
        for out, weak in zip(outs, traced.out_weak, strict=True):
            out.weak = weak
        return entry.build(iter(outs))

    def _eagerly(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The function itself, on Arrays as when it is traced."""
        dynamic, rest, call_with = self._split(args, kwargs)
        values, in_tree = array_leaves(f"jit of {self._name}", (dynamic, rest), ARGUMENT, numbers=self._dynamic(len(args)))
        outs, out_tree = array_leaves(self._name, call_with(*tree.unflatten(in_tree, values)), RESULT)
        return tree.unflatten(out_tree, outs)

    def trace(self, *args: Any, **kwargs: Any) -> Graph:
        """The Graph for these arguments."""
        return self.program(*args, **kwargs).traced.graph

    def program(self, *args: Any, **kwargs: Any) -> Entry:
        """The traced program for these arguments, which a call with them would run."""
        return self._entry(args, kwargs)[0]

    def lower(self, *args: Any, **kwargs: Any) -> Lowered:
        """Trace for these arguments, arrays or ShapeDtypeStructs; `.compile()` gives the program ahead of its first call."""
        dynamic, rest, call_with = self._split(args, kwargs)
        types, weak, in_tree = abstract_leaves(f"lower of {self._name}", (dynamic, rest))
        traced = trace(call_with, self._name, types, weak, in_tree)
        return Lowered(traced, in_tree, self._name, self._donated_leaves(args, dynamic, rest), self._compile)

    def _compile(self, lowered: Lowered) -> Compiled:
        entry = entry_for(lowered.traced, lowered.name, lowered.donated)
        entry.prepare()
        return Compiled(lowered, entry)

    def eval_shape(self, *args: Any, **kwargs: Any) -> Any:
        """The shapes and types of the result, as `jitgrad.eval_shape` gives them."""
        dynamic, rest, call_with = self._split(args, kwargs)
        return eval_shape(functools.wraps(self._f)(call_with), dynamic, rest)

    def clear_cache(self) -> None:
        """Forget every program that was compiled for this function."""
        self._entries.clear()

    def __repr__(self) -> str:
        return f"<jitted {self._name}>"


def _of_module(f: Any, module: Any, options: ArgumentOptions) -> Any:
    """A module, or a method of it, as a compiled function of the module, bound to this one."""
    jitted = Jitted(type(f).__call__ if f is module else f.__func__, options.behind_first())
    jitted._name = function_name(f)
    bound: Any = functools.partial(jitted, module)
    for name in ("lower", "trace", "eval_shape"):
        setattr(bound, name, functools.partial(getattr(jitted, name), module))
    bound.clear_cache = jitted.clear_cache
    return bound


boundary_methods(Jitted, plain=("__init__", "__call__", "__get__"))


def jit(
    f: Callable[..., Any] | None = None,
    *,
    static_argnums: int | Iterable[int] | None = None,
    static_argnames: str | Iterable[str] | None = None,
    donate_argnums: int | Iterable[int] | None = None,
    donate_argnames: str | Iterable[str] | None = None,
    keep_unused: bool = False,
    device: Any = None,
    backend: str | None = None,
    inline: bool = False,
) -> Any:
    """f, compiled for each combination of shapes and types that it is called with.

    static_argnums, static_argnames: arguments that are no arrays; they must be hashable, and each value is compiled for. Equal
        values of other types, and zeros of other signs, are other values.
    donate_argnums, donate_argnames: arguments that are not used again, whose memory results may take; a later use raises
        DonatedBufferError.
    device, backend: the default device's, or None: programs run where their arrays lie.
    inline, keep_unused: accepted for likeness with jax. Nested jitted functions always become part of the program around them, and
        arguments are never dropped.

    Each jit of one function with the same options finds the programs that an earlier one has made. Of an nn.Module, or a method of
    one, the module is an argument like any other: its arrays may change, and all modules of its class share programs.

    >>> import jitgrad.numpy as jnp
    >>> f = jit(lambda x, n: x ** n, static_argnums=1)
    >>> print(f(jnp.array([1.0, 2.0]), 3))
    [1. 8.]
    """
    if f is None:
        return functools.partial(
            jit,
            static_argnums=static_argnums,
            static_argnames=static_argnames,
            donate_argnums=donate_argnums,
            donate_argnames=donate_argnames,
            keep_unused=keep_unused,
            device=device,
            backend=backend,
            inline=inline,
        )
    check_function("jit", f)
    for wanted in (device, backend):
        if as_device("jit", wanted) != default():
            raise ArgumentError(
                f"jit: a program runs where its arrays lie, so device={wanted!r} is not for jit. Move the arguments there by "
                f"jitgrad.device_put, or make it the default: with jitgrad.default_device({wanted!r}): ..."
            )
    options = argument_options(f, static_argnums, static_argnames, donate_argnums, donate_argnames)
    module = f if is_module(f) else getattr(f, "__self__", None)
    if is_module(module):
        return _of_module(f, module, options)
    if type(f) is Jitted and options == ArgumentOptions():
        return f  # it is compiled already
    return Jitted(f, options)
