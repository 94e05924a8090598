"""Values and the one way to make an equation: `bind`.

A `Value` is concrete (holds an array), traced (a variable of a `Builder`'s growing Graph) or belongs to another kind of trace
(the dual numbers of passes/jvp.py). `bind(op, *values)` hands the operation to the innermost trace among its operands; with none,
and outside any traced body, it runs at once through the op's NumPy reference. Rules of derivatives and batching are written
with the same Values and Python's operators. Next on the path: `interpreter.py`, then `ops/`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np

from ..errors import UnexpectedTracerError, user_line
from . import quiet
from .graph import EVALUATE, OPS, Atom, Eqn, Graph, Literal, Op, Source, Var
from .storage import reference
from .types import ArrayType, DType, TapeType, Type, type_of

Weak = str | bool
"""What `Value.weak` is: False, or a word of the front end's."""


class Trace(Protocol):
    """What a Value can belong to."""

    level: int
    alive: bool
    where: str
    refusal: str
    """Why its values can't be used now, where that is not because it has ended."""

    def process(self, op: Op, args: Sequence[Value], params: dict[str, Any]) -> Sequence[Value]: ...


class _State(threading.local):
    """The traces of this thread: how deep they are nested, and the Builder that records everything now, if one does."""

    level = 0
    derivatives = 0
    """How many of the traces are dual numbers."""
    staging: Builder | None = None
    source: Source = None
    adopted: frozenset[int] = frozenset()
    """Outer values that can be captured although their traces have ended."""
    late = ""
    """What is being traced after the function around it may have returned."""


state = _State()


class Value:
    """An array in the making: `ref` is an array, a Var or a trace's payload, as `owner`, the trace it belongs to, says.

    `weak` belongs to the front end: it marks values that came from scalars and adopt others' types, and says from which.
    """

    __slots__ = ("__weakref__", "owner", "ref", "type", "weak")

    def __init__(self, type: Any, owner: Trace | None, ref: Any, weak: Weak = False) -> None:
        self.type, self.owner, self.ref, self.weak = type, owner, ref, weak

    def data(self) -> Any:
        """The array of a concrete value."""
        return self.ref

    def __add__(self, other: Any) -> Value:
        return bind(OPS["add"], self, operand(other, self))

    def __radd__(self, other: Any) -> Value:
        return bind(OPS["add"], operand(other, self), self)

    def __sub__(self, other: Any) -> Value:
        return bind(OPS["sub"], self, operand(other, self))

    def __rsub__(self, other: Any) -> Value:
        return bind(OPS["sub"], operand(other, self), self)

    def __mul__(self, other: Any) -> Value:
        return bind(OPS["mul"], self, operand(other, self))

    def __rmul__(self, other: Any) -> Value:
        return bind(OPS["mul"], operand(other, self), self)

    def __truediv__(self, other: Any) -> Value:
        return bind(OPS["div"], self, operand(other, self))

    def __rtruediv__(self, other: Any) -> Value:
        return bind(OPS["div"], operand(other, self), self)

    def __neg__(self) -> Value:
        return bind(OPS["neg"], self)


_value_class: type[Value] = Value


def install_value_class(cls: type[Value]) -> None:
    """Make `cls` the class of every Value from now on; the front end calls this once with its Array."""
    global _value_class
    _value_class = cls


def make_value(type: Type, trace: Trace | None, ref: Any, weak: Weak = False) -> Value:
    return _value_class(type, trace, ref, weak)


def with_weak(v: Value, weak: Weak) -> Value:
    """`v` with this weakness: itself, or another Value of the same payload, because `v` may be somebody's."""
    return v if v.weak == weak else _value_class(v.type, v.owner, v.ref, weak)


def concrete(array: np.ndarray | np.generic) -> Value:
    """A Value that holds an array; a NumPy scalar becomes a literal of the programs it goes into."""
    return _value_class(type_of(array), None, array)


def literal(number: Any, dtype: DType) -> Value:
    """A scalar constant of the given element type."""
    return _value_class(ArrayType((), dtype), None, dtype.numpy.type(number))


def operand(x: Any, like: Value) -> Value:
    """`x` itself if it is a Value, else the Python number as a literal of `like`'s element type."""
    return x if isinstance(x, Value) else literal(x, like.type.dtype)


def is_literal(v: Value, number: Any = None) -> bool:
    """Whether a value is a scalar constant (and equals `number`, where one is given)."""
    return v.owner is None and isinstance(v.ref, np.generic) and (number is None or v.ref == number)


def bind_all(op: Op, *args: Value, **params: Any) -> Sequence[Value]:
    """Do `op`: in the innermost trace of the operands or of the code that runs now, else at once. Returns all outputs."""
    top: Trace | None = state.staging
    for a in args:
        trace = a.owner
        if trace is not None and (top is None or trace.level > top.level):
            top = trace
    if top is None:
        return run_now(op, args, params)
    if not top.alive:
        raise leaked(next(a for a in args if a.owner is top))
    return top.process(op, args, params)


def bind(op: Op, *args: Value, **params: Any) -> Value:
    """`bind_all` for an op with one output."""
    return bind_all(op, *args, **params)[0]


_look: Callable[[Op, Sequence[Any]], None] | None = None
watched = False
"""Whether somebody looks at the results of operations that are done at once."""


def look_at_results(look: Callable[[Op, Sequence[Any]], None] | None) -> None:
    """Have `look` see the results of every operation that is done at once, from now on; None: nobody."""
    global _look, watched
    _look, watched = look, look is not None


RunElsewhere = Callable[[Op, Sequence[Value], dict[str, Any], Sequence[Type]], Sequence[Value] | None]
_elsewhere: tuple[Callable[[Sequence[Value]], bool], RunElsewhere] | None = None


def run_elsewhere(concerned: Callable[[Sequence[Value]], bool], run: RunElsewhere) -> None:
    """Offer operations that are done at once on operands that `concerned` is true of to `run` first, with the types of their
    results; None: not mine.
    """
    global _elsewhere
    _elsewhere = concerned, run


_known: dict[Any, tuple[ArrayType, ...] | None] = {}
"""Types of results by op, operands' types and params; None for what is not known so. What types say has been checked then."""
KNOWN = 4096
"""How many are remembered."""
_PLAIN = (int, bool, str, float, tuple, DType, type(None))


def _run_known(op: Op, args: Sequence[Value], params: dict[str, Any]) -> Sequence[Value] | None:
    """The results of an op's NumPy reference, if their types are known; else None, and they are from then on."""
    try:
        key = (op, *[a.type for a in args], *params.items())
        known = _known.get(key)
        new = known is None and key not in _known
    except TypeError:  # params that have no hash
        return None
    if new:
        if not run_is_plain(op, params, [a.type for a in args]):
            return None
        types = op.types([a.type for a in args], params)
        if len(_known) >= KNOWN:
            _known.clear()
        known = _known[key] = types if all(isinstance(t, ArrayType) for t in types) else None
    if known is None:
        return None
    token = quiet.state.set(quiet.QUIET)
    try:
        outs = op.numpy(*[a.data() for a in args], **params)
    finally:
        quiet.state.reset(token)
    if len(known) == 1:
        out = outs[0] if isinstance(outs, (tuple, list)) else outs
        return (_value_class(known[0], None, _exactly(out, known[0])),)
    return [_value_class(t, None, _exactly(out, t)) for t, out in zip(known, outs, strict=True)]


def run_is_plain(op: Op, params: Mapping[str, Any], types: Sequence[Any]) -> bool:
    """Whether doing an op to operands of such types is one call of its reference, with params that anybody may keep."""
    plain = all(type(p) in _PLAIN for p in params.values())  # not what calls back, and no Graphs
    return plain and op not in EVALUATE and not any(isinstance(t, TapeType) or t.dtype.is_storage for t in types)


def _exactly(out: Any, type_: ArrayType) -> np.ndarray:
    """`as_typed` of what mostly is that already."""
    return out if type(out) is np.ndarray and out.dtype is type_.dtype.numpy and out.shape == type_.shape else as_typed(out, type_)


def run_now(op: Op, args: Sequence[Value], params: dict[str, Any]) -> Sequence[Value]:
    """Concrete operands: check the types, run the NumPy reference."""
    away = _elsewhere is not None and _elsewhere[0](args)
    if not (watched or away) and (found := _run_known(op, args, params)) is not None:
        return found
    types = op.types([a.type for a in args], params)
    if away and _elsewhere is not None and (found := _elsewhere[1](op, args, params, types)) is not None:
        if _look is not None:
            _look(op, [v.data() for v in found])
        return found
    outs = evaluated(op, args, params, types)
    if _look is not None:
        _look(op, outs)
    return [_value_class(t, None, array) for t, array in zip(types, outs, strict=True)]


def evaluated(op: Op, args: Sequence[Value], params: dict[str, Any], types: Sequence[Type]) -> list[np.ndarray]:
    """What the NumPy reference gives for concrete operands, as arrays of these types."""
    token = quiet.state.set(quiet.QUIET)
    try:
        evaluate, arrays = EVALUATE.get(op, op.numpy), [a.data() for a in args]
        stored = any([a.type.dtype.is_storage for a in args])
        outs = reference(op, evaluate, arrays, params) if stored else evaluate(*arrays, **params)
        if len(types) == 1 and not isinstance(outs, (tuple, list)):
            outs = (outs,)
        return [as_typed(out, t) for t, out in zip(types, outs, strict=True)]
    finally:
        quiet.state.reset(token)


def as_typed(out: Any, type: Type) -> np.ndarray:
    """A NumPy result as exactly the array that the type rule promised."""
    array = np.asarray(out, type.dtype.numpy)
    if isinstance(type, TapeType):
        return array.reshape(len(array), *type.element.shape)
    return array if array.shape == type.shape else np.broadcast_to(array, type.shape)


def leaked(v: Value) -> UnexpectedTracerError:
    where = v.owner.where if v.owner else ""
    if v.owner is not None and v.owner.refusal:
        return UnexpectedTracerError(v.owner.refusal)
    if state.late:
        return UnexpectedTracerError(
            f"{state.late}: its rule closes over a traced value of type {v.type}, and runs when the derivative is taken, after the "
            f"function that made the value has returned{where}. Pass the value as an argument."
        )
    return UnexpectedTracerError(
        f"a traced value of type {v.type} was used after the function that made it had returned{where}. It leaked, through a "
        "global, a list or an attribute. Return it from the function instead, or pass it on as an argument."
    )


def user_source() -> Source:
    """The line that an equation made now belongs to."""
    return user_line() if state.source is None else state.source


@contextmanager
def source_of(source: Source) -> Iterator[None]:
    """Equations made inside carry this source line: what a pass writes belongs to the line it was made from."""
    before, state.source = state.source, source
    try:
        yield
    finally:
        state.source = before


def outer_identity(v: Value) -> int:
    """What tells one value from another in a Graph that takes both from outside: one array, wrapped twice, is one."""
    return id(v.ref)


def each_once(values: Iterable[Value]) -> list[Value]:
    return list({outer_identity(v): v for v in values}.values())


def consts_in_front(graph: Graph, captured: Sequence[Value], consts: Sequence[Value]) -> Graph:
    """The Graph, whose last inputs stand for captured values, with inputs for all of consts, these among them, in front."""
    own = len(graph.inputs) - len(captured)
    known = dict(zip(map(outer_identity, captured), graph.inputs[own:], strict=True))
    hidden = [known.get(outer_identity(v)) or Var(v.type) for v in consts]
    return Graph([*hidden, *graph.inputs[:own]], graph.eqns, graph.outputs)


def is_capturable(v: Value) -> bool:
    """Whether a value is traced, and a body that is traced now may close over it."""
    return v.owner is not None and (v.owner.alive or outer_identity(v) in state.adopted)


class Builder:
    """Records equations into a Graph. Values from outside become hidden inputs, scalars become literals."""

    refusal = ""

    def __init__(self, level: int, where: str = "") -> None:
        self.level, self.where, self.alive = level, where, True
        self.inputs: list[Var] = []
        self.eqns: list[Eqn] = []
        self.captured: dict[int, tuple[Value, Var]] = {}
        self.copies: dict[int, tuple[Any, Any]] = {}
        """What the front end keeps here by the id of an array that it copied: the array and the copy's Value."""
        self.linear = False
        """Whether what is recorded is the linear part of a function, to be transposed: passes/linearize.py."""
        self.looked_at = False
        """Whether somebody asked for a traced value's elements, and may do something else where there are any."""
        self.supposed: list[Value] = []
        """Traced bools of which somebody supposes that they are True, who raises where concrete ones are not."""
        self._named: list[Any] = []  # what `captured` knows by its id, which must not become another object's

    def input(self, type: Type, weak: Weak = False) -> Value:
        var = Var(type)
        self.inputs.append(var)
        return _value_class(type, self, var, weak)

    def atom(self, v: Value) -> Atom:
        """How a value is named in this Graph."""
        if v.owner is self:
            return v.ref  # type: ignore[no-any-return]
        if v.owner is None and isinstance(v.ref, np.generic):
            return Literal(v.ref, v.type.dtype)
        key = outer_identity(v)
        if key not in self.captured:
            if v.owner is not None and not v.owner.alive and key not in state.adopted:
                raise leaked(v)
            self.captured[key] = (v, Var(v.type))
            self._named.append(v.ref)
        return self.captured[key][1]

    def process(self, op: Op, args: Sequence[Value], params: dict[str, Any]) -> Sequence[Value]:
        types = op.types([a.type for a in args], params)
        outputs = [Var(t) for t in types]
        self.eqns.append(Eqn(op, [self.atom(a) for a in args], params, outputs, user_source()))
        return [_value_class(v.type, self, v) for v in outputs]

    def finish(self, outputs: Sequence[Value]) -> tuple[Graph, list[Value]]:
        """The Graph, and the outer values that its last inputs stand for."""
        atoms = [self.atom(v) for v in outputs]
        hidden = list(self.captured.values())
        return Graph([*self.inputs, *[var for _, var in hidden]], self.eqns, atoms), [v for v, _ in hidden]


@contextmanager
def adopting(values: Sequence[Value], late: str) -> Iterator[None]:
    """Bodies that are traced inside may close over these values, even if their traces have ended. `late` is what is traced."""
    before = state.level, state.adopted, state.late
    state.level = max([state.level, *[v.owner.level for v in values if v.owner is not None]])
    state.adopted, state.late = state.adopted.union(map(outer_identity, values)), late
    try:
        yield
    finally:
        state.level, state.adopted, state.late = before


@contextmanager
def new_level(trace_class: Any = Builder, where: str = "") -> Iterator[Any]:
    """A trace one level deeper than all others of this thread; dead when the block ends."""
    differentiates = getattr(trace_class, "differentiates", 0)
    state.level += 1
    state.derivatives += differentiates
    trace = trace_class(state.level, where)
    try:
        yield trace
    finally:
        state.level -= 1
        state.derivatives -= differentiates
        trace.alive = False


@contextmanager
def staging(where: str = "") -> Iterator[Builder]:
    """A new Builder that records everything done inside the block, also what does not depend on its inputs."""
    before = state.staging
    with new_level(Builder, where) as builder:
        state.staging = builder
        try:
            yield builder
        finally:
            state.staging = before
