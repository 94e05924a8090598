"""The IR: a Graph of equations over typed variables. Made by `builder.py`, printed here, read back by `parse.py`.

An `Op` is looked up by name in `OPS`; the rooms under `ops/` fill that table. Graphs are never changed in place: passes make new
ones.
"""

from __future__ import annotations

import hashlib
import itertools
import math
import os
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache, wraps
from typing import Any, Generic, TypeVar, cast

import numpy as np

from .traits import ANYWHERE, Kind, Samples, Traits
from .types import F32, ArrayType, DType, TapeType, Type

Source = tuple[str, int] | None
"""File and line of the user's code that made an equation."""


class IRError(Exception):
    """A Graph that breaks a rule of the IR; raised by the verifier and the parser."""


class Var:
    """A value inside one Graph. Names exist in the text alone."""

    __slots__ = ("type",)

    def __init__(self, type: Type) -> None:
        self.type: Any = type

    def __repr__(self) -> str:
        return f"<Var {self.type}>"


class Literal:
    """A scalar constant. As an operand of an elementwise op it stands for an array of the other operands' shape."""

    __slots__ = ("type", "value")

    def __init__(self, value: np.generic, dtype: DType) -> None:
        self.value = value
        self.type: Any = ArrayType((), dtype)

    def __repr__(self) -> str:
        return f"<Literal {self.value}:{self.type.dtype}>"


Atom = Var | Literal


class Op:
    """One operation: what it means, and what it says of itself. `ops/` makes these through factories. What passes do with it stands
    in tables of rules, below; those that are given here go into theirs.

    infer(*types, **params) -> type or tuple of types; raises TypeError or ValueError with a message for users.
    numpy(*arrays, **params) -> array or tuple: the reference implementation, which is also eager mode.
    emit(e, *registers, **params) -> register: one vector of an elementwise op.
    hoists(params, count) -> (place, changed params): where operands for all nested programs go, of an op that has such programs.
    facts: the fields of `Traits`.
    """

    __slots__ = ("doc", "emit", "hoists", "infer", "kind", "name", "no_derivative", "numpy", "samples", "traits")

    def __init__(
        self,
        name: str,
        infer: Callable[..., Any],
        numpy: Callable[..., Any],
        *,
        kind: Kind = "alone",
        jvp: Callable[..., Any] | None = None,
        transpose: Callable[..., Any] | None = None,
        batch: Callable[..., Any] | None = None,
        emit: Callable[..., Any] | None = None,
        hoists: Callable[[Mapping[str, Any], int], tuple[int, dict[str, Any]]] | None = None,
        samples: Samples = ANYWHERE,
        no_derivative: str = "",
        doc: str = "",
        **facts: Any,
    ) -> None:
        self.name, self.infer, self.numpy = name, infer, numpy
        self.kind: Kind = kind
        self.emit, self.hoists = emit, hoists
        self.no_derivative, self.doc, self.samples = no_derivative, doc, samples
        self.traits = Traits(**facts)
        if name in OPS:
            raise ValueError(f"two ops are named {name!r}")
        OPS[name] = self
        for table, rule in ((JVP, jvp), (TRANSPOSE, transpose), (BATCH, batch)):
            if rule is not None:
                table[self] = rule

    def types(self, types: Sequence[Any], params: Mapping[str, Any]) -> tuple[Any, ...]:
        result = self.infer(*types, **params)
        return (result,) if isinstance(result, (ArrayType, TapeType)) else tuple(result)

    def __repr__(self) -> str:
        return f"<Op {self.name}>"

    def __reduce__(self) -> tuple[Callable[[str], Op], tuple[str]]:
        return _op_named, (self.name,)


OPS: dict[str, Op] = {}


def _op_named(name: str) -> Op:
    """An op where a pickled one is read."""
    return OPS[name]


Rule = TypeVar("Rule")


class Rules(Generic[Rule]):
    """A table of the rules of one sort, by op, which is filled where they are written: from rows of names, or by `of`. A rule for
    an op that does not exist, or a second one for an op, is an error there.
    """

    __slots__ = ("_rules", "get", "what")

    def __init__(self, what: str, rows: Mapping[str, Rule] | None = None) -> None:
        self.what = what
        self._rules: dict[Op, Rule] = {}
        self.get = self._rules.get
        for name, rule in (rows or {}).items():
            self.of(name)(rule)

    def of(self, *ops: Op | str) -> Callable[[Rule], Rule]:
        """A decorator: what follows is the rule of these ops."""

        def enter(rule: Rule) -> Rule:
            for op in ops:
                self[op] = rule
            return rule

        return enter

    def __setitem__(self, op: Op | str, rule: Rule) -> None:
        known = OPS.get(op) if isinstance(op, str) else op
        if not isinstance(known, Op):
            raise LookupError(f"{self.what}: there is no op {op!r} to give a rule to")
        if known in self._rules:
            raise ValueError(f"{self.what}: two rules for {known.name}")
        self._rules[known] = rule

    def __getitem__(self, op: Op) -> Rule:
        rule = self._rules.get(op)
        if rule is None:
            raise LookupError(f"{self.what}: {op.name} has no rule")
        return rule

    def __contains__(self, op: Op) -> bool:
        return op in self._rules

    def __iter__(self) -> Iterator[Op]:
        return iter(self._rules)


JVP: Rules[Callable[..., Any]] = Rules("forward-mode derivative")
"""rule(primals, tangents, params) -> (outputs, output tangents); a tangent that is None is zero."""
TRANSPOSE: Rules[Callable[..., Any]] = Rules("transpose")
"""rule(cotangents, operands, params) -> cotangent or None for each operand; linear operands come as their type."""
BATCH: Rules[Callable[..., Any]] = Rules("batching")
"""rule(size, operands, batched, params) -> outputs, each with the new axis in front."""
BATCHED_OUTPUTS: Rules[Callable[[int, Mapping[str, Any], Sequence[bool]], Sequence[bool]]] = Rules("batched outputs")
"""rule(size, params, batched) -> which outputs the batching rule gives the new axis; all of an op that is not here."""
BY_ROWS: Rules[Callable[[int, Mapping[str, Any], Sequence[bool], bool], bool]] = Rules("batching row by row")
"""rule(size, params, batched, whole) -> whether vmap does each row of a loop by itself."""
EVALUATE: Rules[Callable[..., Any]] = Rules("eager evaluation")
"""rule(*arrays, **params) -> array or sequence: what eager mode does in place of the reference."""


class Deferred:
    """A part of an equation that belongs to the user, a function of his that is called, or traced when it is needed: no plain data,
    but an object of its own, which prints as its token.

    Two graphs are equal only if they hold the same ones. While one is alive, its token is read back as it.
    """

    runs = False
    """Whether running the equation needs it; what only derivatives need is no part of a program that is run."""
    tokens: weakref.WeakValueDictionary[str, Deferred] = weakref.WeakValueDictionary()
    _numbers = itertools.count(1)

    def __init__(self, name: str) -> None:
        self.token = f"{name}#{next(self._numbers)}"
        self.tokens[self.token] = self

    def __repr__(self) -> str:
        return repr(self.token)


class Eqn:
    """`outputs = op[params](inputs)`. Operands are atoms; nested programs are Graphs among the params."""

    __slots__ = ("inputs", "op", "outputs", "params", "source")

    def __init__(
        self, op: Op, inputs: Sequence[Atom], params: Mapping[str, Any], outputs: Sequence[Var], source: Source = None
    ) -> None:
        self.op, self.inputs, self.params = op, tuple(inputs), params
        self.outputs, self.source = tuple(outputs), source

    @property
    def graphs(self) -> Iterator[Graph]:
        """The nested programs."""
        return nested_graphs(self.params)

    @property
    def has_deferred(self) -> bool:
        """Whether a part of it, or of what is nested in it, is not made yet."""
        return any(isinstance(p, Deferred) for p in self.params.values()) or any(g.has_deferred for g in self.graphs)

    @property
    def has_effect(self) -> bool:
        """Whether it does something beside computing its outputs, so that it must be done, once and in its turn."""
        return self.op.traits.effect or (bool(self.params) and any(g.has_effect for g in self.graphs))


def nested_graphs(params: Mapping[str, Any]) -> Iterator[Graph]:
    """The Graphs among an equation's params, alone or in tuples."""
    for p in params.values():
        if isinstance(p, Graph):
            yield p
        elif isinstance(p, tuple):
            yield from (g for g in p if isinstance(g, Graph))


def map_graphs(params: Mapping[str, Any], f: Callable[[Graph], Graph]) -> dict[str, Any]:
    """The params with every nested program replaced by what `f` makes of it."""

    def mapped(p: Any) -> Any:
        if isinstance(p, Graph):
            return f(p)
        return tuple(map(mapped, p)) if isinstance(p, tuple) and p and isinstance(p[0], Graph) else p

    return {k: mapped(p) for k, p in params.items()}


Found = TypeVar("Found")


class lazy(Generic[Found]):
    """A property that is computed once and kept in the object. functools.cached_property does it under a lock in Python 3.11, which
    a child that is forked meanwhile would find taken for ever.
    """

    def __init__(self, compute: Callable[[Any], Found]) -> None:
        self.compute, self.__doc__ = compute, compute.__doc__

    def __get__(self, instance: Any, owner: Any = None) -> Found:
        found = instance.__dict__[self.compute.__name__] = self.compute(instance)
        return found


class Graph:
    """A program: `outputs` computed from `inputs` by `eqns` in order. Equal when the structure is, whatever the source lines."""

    def __init__(self, inputs: Iterable[Var], eqns: Iterable[Eqn], outputs: Iterable[Atom]) -> None:
        self.inputs, self.eqns, self.outputs = tuple(inputs), tuple(eqns), tuple(outputs)
        self.kept: dict[PerGraph[Any], Any] = {}

    @property
    def input_types(self) -> tuple[Any, ...]:
        return tuple(v.type for v in self.inputs)

    @property
    def output_types(self) -> tuple[Any, ...]:
        return tuple(v.type for v in self.outputs)

    @lazy
    def has_effect(self) -> bool:
        """Whether running it does more than computing its outputs."""
        return any(e.has_effect for e in self.eqns)

    @lazy
    def has_collective(self) -> bool:
        """Whether an example asks for values of others of its batch, so that all have to be done together."""
        return any(e.op.kind == "collective" or any(g.has_collective for g in e.graphs) for e in self.eqns)

    @lazy
    def has_complex(self) -> bool:
        """Whether it has complex values, constants among them."""
        values = [*self.inputs, *self.outputs, *[a for e in self.eqns for a in (*e.inputs, *e.outputs)]]
        return any(a.type.dtype.is_complex for a in values) or any(g.has_complex for e in self.eqns for g in e.graphs)

    @lazy
    def depth(self) -> int:
        """How many programs are nested in each other, this one included."""
        return 1 + max((g.depth for e in self.eqns for g in e.graphs), default=0)

    @lazy
    def has_deferred(self) -> bool:
        return any(e.has_deferred for e in self.eqns)

    @lazy
    def key(self) -> str:
        """The structural hash: equal graphs have equal keys in every process."""
        return hashlib.sha256(_text(self, False, "", lambda g, indent: f"graph {g.key}").encode()).hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Graph) and self.key == other.key

    def __reduce__(self) -> Any:
        """What is kept with a graph stays in this process."""
        return Graph, (self.inputs, self.eqns, self.outputs)

    def __hash__(self) -> int:
        return hash(self.key)

    def __str__(self) -> str:
        return print_graph(self)

    __repr__ = __str__


Kept = TypeVar("Kept")


class PerGraph(Generic[Kept]):
    """A table with an entry for each graph, made at the first time that it is asked for. Graphs hold their entries, which so live
    exactly as long, even where what is in one holds the graph, as a compiled program does. Equal graphs have entries of their own.
    """

    def __init__(self, make: Callable[[], Kept]) -> None:
        self._make = make

    def of(self, graph: Graph) -> Kept:
        found = graph.kept.get(self)
        return found if found is not None else cast(Kept, graph.kept.setdefault(self, self._make()))


Pass = TypeVar("Pass", bound=Callable[..., Any])


def remembered(f: Pass) -> Pass:
    """A pass that keeps what it made: for graphs that are equal, or, with a graph that has deferred parts, as long as that lives,
    for they belong to the user and may hold anything.
    """
    cached = lru_cache(maxsize=512)(f)
    deferred: PerGraph[dict[Any, Any]] = PerGraph(dict)

    @wraps(f)
    def wrapper(*args: Any, **named: Any) -> Any:
        owner = next((g for g in _graphs_of(args) if g.has_deferred), None)
        if owner is None:
            return cached(*args, **named)
        made, key = deferred.of(owner), (args, *named.items())
        if key not in made:
            made[key] = f(*args, **named)
        return made[key]

    return cast(Pass, wrapper)


def _graphs_of(items: Iterable[Any]) -> Iterator[Graph]:
    for x in items:
        if isinstance(x, Graph):
            yield x
        elif isinstance(x, tuple):
            yield from _graphs_of(x)


def variable_names() -> Iterator[str]:
    """a, b, ..., z, aa, ab, ..."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    yield from letters
    for head in variable_names():
        for tail in letters:
            yield head + tail


def print_literal(literal: Literal) -> str:
    dtype, value = literal.type.dtype, literal.value
    number = value.item()
    # of a float32 the shortest digits that give it back
    text = str(np.float32(value)) if dtype == F32 and math.isfinite(number) else repr(number)
    return f"{text}:{dtype}"


def print_param(value: Any, indent: str, nested: Callable[[Graph, str], str]) -> str:
    if isinstance(value, Graph):
        return nested(value, indent)
    if isinstance(value, tuple) and value and isinstance(value[0], Graph):
        return f"({', '.join(nested(g, indent) for g in value)})"
    return repr(value)


def print_graph(graph: Graph, sources: bool = True, indent: str = "") -> str:
    return _text(graph, sources, indent, lambda g, indent: print_graph(g, sources, indent).lstrip())


def _text(graph: Graph, sources: bool, indent: str, nested: Callable[[Graph, str], str]) -> str:
    """A graph as text, with what `nested` writes for the graphs inside it at an indentation."""
    names: dict[Var, str] = {}
    fresh = variable_names()

    def bind(v: Var) -> str:
        names[v] = name = next(fresh)
        return f"{name}:{v.type}"

    def use(a: Atom) -> str:
        return print_literal(a) if isinstance(a, Literal) else names[a]

    lines = [f"{indent}graph({', '.join(map(bind, graph.inputs))}) {{"]
    for e in graph.eqns:
        operands = " ".join([e.op.name, *map(use, e.inputs)])
        params = ", ".join(f"{k}={print_param(v, indent + '  ', nested)}" for k, v in sorted(e.params.items()))
        defined = f"{', '.join(map(bind, e.outputs))} = " if e.outputs else ""
        text = f"{indent}  {defined}{operands}{f' [{params}]' if params else ''}"
        if sources and e.source:
            text = f"{text:<60s}  # {os.path.basename(e.source[0])}:{e.source[1]}"
        lines.append(text)
    lines.append(f"{indent}  return {' '.join(map(use, graph.outputs))}".rstrip())
    lines.append(f"{indent}}}")
    return "\n".join(lines)
