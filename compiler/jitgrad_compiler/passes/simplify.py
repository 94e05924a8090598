"""Folding, sharing and removing: constants are computed, equal equations are one, equations nobody reads are gone.

A barrier is neither shared nor seen through, so what is behind it differs from the same done to its operand.

Algebra is exact: a rule stands here only if it gives the same bits, signed zeros and NaNs included.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..ir.graph import OPS, Atom, Eqn, Graph, Literal, PerGraph, Rules, Var, map_graphs, remembered
from ..ir.types import BOOL, F32, F64, TapeType
from ..ops.arithmetic import convert_element_type, neg
from ..ops.contraction import dot_general
from ..ops.control import scan
from ..ops.layout import broadcast_op, reshape_op, transpose_op
from .rewrite import Rewriter


def simplify(graph: Graph) -> Graph:
    """The graph itself where there is nothing to do, which it remembers."""
    known = _is_simple.of(graph)
    if known:
        return graph
    rewritten = remove_dead(_Simplifier(graph).run())
    if rewritten is graph:
        known.append(True)
    return rewritten


_is_simple: PerGraph[list[bool]] = PerGraph(list)
"""Not empty for those graphs of which it is known."""


@remembered
def simplify_nested(graph: Graph) -> Graph:
    """A loop's body or a branch, of which many equations may have the same one."""
    return simplify(graph)


def share(graph: Graph) -> Graph:
    """Equal equations are one, and nothing else is changed."""
    return remove_dead(_Simplifier(graph).run_sharing())


def remove_dead(graph: Graph) -> Graph:
    """Without the equations that no output depends on."""
    live = {a for a in graph.outputs if isinstance(a, Var)}
    kept = []
    for e in reversed(graph.eqns):
        if e.has_effect or any(v in live for v in e.outputs):
            kept.append(e)
            live.update(a for a in e.inputs if isinstance(a, Var))
    return graph if len(kept) == len(graph.eqns) else Graph(graph.inputs, reversed(kept), graph.outputs)


class _Simplifier(Rewriter):
    def __init__(self, graph: Graph) -> None:
        super().__init__(graph)
        self.made: dict[Any, tuple[Var, ...]] = {}
        self.by: dict[Var, Eqn] = {}
        self.uses: dict[Var, int] = {}
        for a in [a for e in graph.eqns for a in e.inputs] + list(graph.outputs):
            if isinstance(a, Var):
                self.uses[a] = self.uses.get(a, 0) + 1

    def run(self) -> Graph:
        for e in self.graph.eqns:
            inputs = [self.read(a) for a in e.inputs]
            if e.op.kind == "elementwise":
                inputs = [self.filled(a) or a for a in inputs] if self.keeps_shape(e, inputs) else inputs
            found = self.empty(e, inputs) or self.folded(e, inputs)
            if found is None and (rule := SIMPLIFY.get(e.op)) is not None:
                found = rule(self, e, inputs)
            if found is not None:
                self.atoms[e.outputs[0]] = found
                continue
            if e.op is scan and e.params["length"] == 0:
                consts, carry = e.params["consts"], e.params["carry"]
                self.atoms.update(zip(e.outputs, inputs[consts : consts + carry], strict=False))
                self.atoms.update((v, self.nothing(v, e)) for v in e.outputs[carry:])
                continue
            params = _nested(e)
            for v, made in zip(e.outputs, self.shared(e.op, inputs, params, e), strict=True):
                filled = isinstance(v.type, TapeType) or v.type.size or not any(e.graphs)
                self.atoms[v] = made if filled else self.nothing(v, e)
        return self.finish()

    def run_sharing(self) -> Graph:
        for e in self.graph.eqns:
            self.atoms.update(zip(e.outputs, self.shared(e.op, [self.read(a) for a in e.inputs], e.params, e), strict=True))
        return self.finish()

    def nothing(self, v: Var, e: Eqn) -> Var:
        """An array without elements."""
        zero = Literal(v.type.dtype.numpy.type(0), v.type.dtype)
        return self.make("broadcast", [zero], e, shape=v.type.shape, dims=())

    def keeps_shape(self, e: Eqn, inputs: list[Atom]) -> bool:
        """Whether an operand is left that has the result's shape once constants are scalars."""
        return any(isinstance(a, Var) and self.filled(a) is None for a in inputs) or not e.outputs[0].type.shape

    def shared(self, op: Any, inputs: list[Atom], params: Any, e: Eqn) -> tuple[Var, ...]:
        """The outputs of this equation, or of an equal one made before."""
        names = [_key(a) for a in inputs]
        if op.traits.commutes:
            names.sort(key=hash)
        key = (op.name, tuple(names), tuple(sorted((k, _hashable(v)) for k, v in params.items())))
        found = None if e.has_effect or op.traits.barrier else self.made.get(key)
        if found is None:
            eqn = e
            if op is not e.op or params is not e.params or any(a is not b for a, b in zip(inputs, e.inputs, strict=True)):
                outputs = [Var(t) for t in op.types([a.type for a in inputs], params)]
                eqn = Eqn(op, inputs, params, outputs, e.source)
            self.eqns.append(eqn)
            found = self.made[key] = eqn.outputs
            self.by.update((v, eqn) for v in found)
        return found

    def make(self, op: str, inputs: list[Atom], e: Eqn, **params: Any) -> Var:
        return self.shared(OPS[op], inputs, params, e)[0]

    def filled(self, a: Atom) -> Literal | None:
        """The number that all elements of a value are, where that is known."""
        if isinstance(a, Literal):
            return a
        e = self.by.get(a)
        if e is not None and e.op is broadcast_op and isinstance(e.inputs[0], Literal):
            return e.inputs[0]
        return None

    def folded(self, e: Eqn, inputs: list[Atom]) -> Atom | None:
        """The constant that an elementwise equation of constants is."""
        if e.op.kind != "elementwise":
            return None
        numbers = [self.filled(a) for a in inputs]
        if any(n is None for n in numbers):
            return None
        out = e.outputs[0].type
        with np.errstate(all="ignore"):
            value = out.dtype.numpy.type(np.asarray(e.op.numpy(*[n.value for n in numbers if n], **e.params))[()])
        return self.full(Literal(value, out.dtype), e)

    def empty(self, e: Eqn, inputs: list[Atom]) -> Atom | None:
        """An array without elements, and a reduction over none: nothing is computed, so no later pass meets an empty loop."""
        if len(e.outputs) != 1 or any(e.graphs) or isinstance(e.outputs[0].type, TapeType):
            return None
        out, number = e.outputs[0].type, None
        if not out.size:
            number = out.dtype.numpy.type(0)
        elif e.op.kind == "reduce" and not inputs[0].type.size:
            number = e.op.numpy(np.zeros(0, out.dtype.numpy), axes=(0,))
        return None if number is None else self.full(Literal(number, out.dtype), e)

    def full(self, number: Literal, e: Eqn) -> Atom:
        """The equation's result where all its elements are one number."""
        shape = e.outputs[0].type.shape
        return self.make("broadcast", [number], e, shape=shape, dims=()) if shape else number

    def is_number(self, a: Atom, number: float) -> bool:
        known = self.filled(a)
        return known is not None and bool(known.value == number) and not (number == 0 and np.signbit(known.value.real))


def _nested(e: Eqn) -> Any:
    """The params, their graphs simplified; the same object where these are simple."""
    graphs = list(e.graphs)
    if all(simplify_nested(g) is g for g in graphs):
        return e.params
    return map_graphs(e.params, simplify_nested)


def _key(a: Atom) -> Any:
    return id(a) if isinstance(a, Var) else (a.type.dtype, a.value.tobytes())


def _hashable(v: Any) -> Any:
    if isinstance(v, tuple):
        return tuple(map(_hashable, v))
    return v.key if isinstance(v, Graph) else v


Rule = Callable[[_Simplifier, Eqn, list[Atom]], Atom | None]


def _same_shape(e: Eqn, a: Atom) -> Atom | None:
    return a if a.type == e.outputs[0].type else None


def _mul(s: _Simplifier, e: Eqn, inputs: list[Atom]) -> Atom | None:
    for a, b in (inputs, inputs[::-1]):
        if s.is_number(a, 1):
            return _same_shape(e, b)
        if s.is_number(a, -1) and _same_shape(e, b) is not None and b.type.dtype != BOOL:
            return s.make("neg", [b], e)
    return None


def _div(s: _Simplifier, e: Eqn, inputs: list[Atom]) -> Atom | None:
    x, y = inputs
    if s.is_number(y, 1):
        return _same_shape(e, x)
    known = s.filled(y)
    if known is not None and e.outputs[0].type.dtype in (F32, F64) and _same_shape(e, x) is not None:
        mantissa, _ = math.frexp(float(known.value))
        if abs(mantissa) == 0.5 and 1e-30 < abs(float(known.value)) < 1e30:  # the reciprocal of a power of two is exact
            return s.make("mul", [x, Literal(known.type.dtype.numpy.type(1 / float(known.value)), known.type.dtype)], e)
    return None


def _sub(s: _Simplifier, e: Eqn, inputs: list[Atom]) -> Atom | None:
    return _same_shape(e, inputs[0]) if s.is_number(inputs[1], 0) else None


def _neg(s: _Simplifier, e: Eqn, inputs: list[Atom]) -> Atom | None:
    inner = s.by.get(inputs[0]) if isinstance(inputs[0], Var) else None
    return inner.inputs[0] if inner is not None and inner.op is neg else None


def _select(s: _Simplifier, e: Eqn, inputs: list[Atom]) -> Atom | None:
    known = s.filled(inputs[0])
    if known is not None:
        chosen = inputs[1] if known.value else inputs[2]
        return _same_shape(e, chosen)
    return _same_shape(e, inputs[1]) if inputs[1] is inputs[2] else None


def _identity(s: _Simplifier, e: Eqn, inputs: list[Atom]) -> Atom | None:
    """A layout op or conversion that changes nothing."""
    return _same_shape(e, inputs[0]) if isinstance(inputs[0], Var) else None


def _reshape(s: _Simplifier, e: Eqn, inputs: list[Atom]) -> Atom | None:
    if isinstance(inputs[0], Literal):
        return s.make("broadcast", [inputs[0]], e, shape=e.params["shape"], dims=()) if e.params["shape"] else inputs[0]
    inner = s.by.get(inputs[0])
    if inner is not None and inner.op is reshape_op:
        return _reshaped(s, inner.inputs[0], e)
    if inner is not None and inner.op is convert_element_type and s.uses.get(e.inputs[0], 0) == 1:  # type: ignore[arg-type]
        before = s.by.get(inner.inputs[0])  # type: ignore[arg-type]
        if before is not None and before.op is reshape_op and before.inputs[0].type.shape == e.params["shape"]:
            return s.make("convert_element_type", [before.inputs[0]], e, **inner.params)
    number = s.filled(inputs[0])
    if number is not None and inputs[0].type != e.outputs[0].type:
        return s.make("broadcast", [number], e, shape=e.params["shape"], dims=()) if e.params["shape"] else number
    return _identity(s, e, inputs)


def _reshaped(s: _Simplifier, x: Atom, e: Eqn) -> Atom:
    return x if x.type == e.outputs[0].type else s.make("reshape", [x], e, shape=e.params["shape"])


def _transpose(s: _Simplifier, e: Eqn, inputs: list[Atom]) -> Atom | None:
    order = e.params["permutation"]
    if order == tuple(range(len(order))):
        return inputs[0]
    inner = s.by.get(inputs[0]) if isinstance(inputs[0], Var) else None
    if inner is not None and inner.op is transpose_op:
        both = tuple(inner.params["permutation"][p] for p in order)
        return inner.inputs[0] if both == tuple(range(len(both))) else s.make("transpose", [inner.inputs[0]], e, permutation=both)
    if inner is not None and inner.op is dot_general and s.uses.get(e.inputs[0], 0) == 1:  # type: ignore[arg-type]
        return _swapped(s, inner, order, e)
    return None


def _swapped(s: _Simplifier, dot: Eqn, order: tuple[int, ...], e: Eqn) -> Atom | None:
    """A product whose rows and columns change places is the product of the operands in the other order."""
    (cx, cy), (bx, by) = dot.params["dims"]
    x, y = dot.inputs
    batch, rows = len(bx), x.type.rank - len(bx) - len(cx)
    columns = len(order) - batch - rows
    wanted = (*range(batch), *range(batch + rows, len(order)), *range(batch, batch + rows))
    if not rows or not columns or order != wanted:
        return None
    return s.make("dot_general", [y, x], e, **{**dot.params, "dims": ((cy, cx), (by, bx))})


def _broadcast(s: _Simplifier, e: Eqn, inputs: list[Atom]) -> Atom | None:
    shape, dims = e.params["shape"], e.params["dims"]
    if isinstance(inputs[0], Literal):
        return inputs[0] if not shape else None
    if dims == tuple(range(len(shape))) and inputs[0].type.shape == shape:
        return inputs[0]
    inner = s.by.get(inputs[0])
    if inner is not None and inner.op is broadcast_op:
        return s.make("broadcast", [inner.inputs[0]], e, shape=shape, dims=tuple(dims[d] for d in inner.params["dims"]))
    return None


def _reverse(s: _Simplifier, e: Eqn, inputs: list[Atom]) -> Atom | None:
    return inputs[0] if not e.params["axes"] else None


def _pad(s: _Simplifier, e: Eqn, inputs: list[Atom]) -> Atom | None:
    return inputs[0] if isinstance(inputs[0], Var) and not any(any(p) for p in e.params["padding"]) else None


def _concatenate(s: _Simplifier, e: Eqn, inputs: list[Atom]) -> Atom | None:
    return inputs[0] if len(inputs) == 1 and isinstance(inputs[0], Var) else None


def _integer_pow(s: _Simplifier, e: Eqn, inputs: list[Atom]) -> Atom | None:
    return inputs[0] if e.params["exponent"] == 1 and isinstance(inputs[0], Var) else None


def _reduce(s: _Simplifier, e: Eqn, inputs: list[Atom]) -> Atom | None:
    return _same_shape(e, inputs[0]) if not e.params["axes"] and isinstance(inputs[0], Var) else None


def _iota(s: _Simplifier, e: Eqn, inputs: list[Atom]) -> Atom | None:
    """Along an axis of one element every index is 0."""
    shape, dtype = e.params["shape"], e.params["dtype"]
    if shape[e.params["axis"]] != 1:
        return None
    return s.make("broadcast", [Literal(dtype.numpy.type(0), dtype)], e, shape=shape, dims=())


def _operand(s: _Simplifier, e: Eqn, inputs: list[Atom]) -> Atom | None:
    """An op that speaks to derivatives alone."""
    return inputs[0]


SIMPLIFY: Rules[Rule] = Rules(
    "simplifying",
    {
        "mul": _mul, "div": _div, "sub": _sub, "neg": _neg, "select": _select, "convert_element_type": _identity,
        "reshape": _reshape, "transpose": _transpose, "broadcast": _broadcast, "slice": _identity, "reverse": _reverse, "pad": _pad,
        "concatenate": _concatenate, "iota": _iota, "integer_pow": _integer_pow, "stop_gradient": _operand,
        "checkpoint_name": _operand,
    },
)  # fmt: skip
"""rule(simplifier, equation, operands) -> the atom that the result is, or None."""
SIMPLIFY.of(*(op for op in OPS.values() if op.kind == "reduce"))(_reduce)
