"""Storage types computed in float32: operands are converted, and results rounded, around each equation that computes with them.

What is left of storage types behind this is conversions, moves of elements, and ops whose kernels convert what they read and write.
A rounding belongs to the program: the pair of conversions around a value that one equation hands to the next stays.

Small values that only the program sees are moved, and kept in memory (kernels/fuse.py), as the float32 numbers that they are
rounded to: packing and unpacking them costs more than it saves. What exact ops make of them is not rounded again.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ..ir.graph import OPS, Atom, Eqn, Graph, Literal, Source, Var, map_graphs, remembered
from ..ir.storage import computes, small
from ..ir.types import I64, DType
from ..ops.arithmetic import select
from .rewrite import Rewriter


@remembered
def compute_in_wider_types(graph: Graph) -> Graph:
    """The graph, and the programs nested in it, with no arithmetic in storage types."""
    if not _has_storage(graph):
        return graph
    rewriter = Rewriter(graph)
    wide: dict[Var, Atom] = {}
    made: set[Atom] = set()
    """Values of storage types that were computed here, not read."""
    for e in graph.eqns:
        inputs = [rewriter.read(a) for a in e.inputs]
        if any(e.graphs):
            params = map_graphs(e.params, compute_in_wider_types)
            rewriter.eqns.append(Eqn(e.op, inputs, params, e.outputs, e.source))
            rewriter.atoms.update((v, v) for v in e.outputs)
        elif e.op is OPS["iota"] and e.outputs[0].type.dtype.is_storage:
            counted = rewriter.emit("iota", inputs, {**e.params, "dtype": I64}, e.source)
            rewriter.atoms[e.outputs[0]] = _converted(rewriter, counted, e.params["dtype"], e.source)
        elif _is_computed(e) or _is_moved(e, inputs, made):
            _computed(rewriter, e, [_widened(rewriter, a, wide, e.source) for a in inputs], wide)
        else:
            rewriter.keep(e, inputs)
            continue
        made.update(rewriter.atoms[v] for v in e.outputs if v.type.dtype.is_storage)
    return rewriter.finish()


CONVERTING = ("cumulative",)
"""Kinds of ops whose kernels convert what they read and write."""


def _is_computed(e: Eqn) -> bool:
    takes = any(a.type.dtype.is_storage for a in (*e.inputs, *e.outputs))
    return takes and computes(e.op, e.params) and e.op.kind not in CONVERTING


def _is_moved(e: Eqn, inputs: Sequence[Atom], made: Collection[Atom]) -> bool:
    """Whether an equation only moves elements that were computed here, and are few."""
    if e.op.kind != "layout" and e.op is not select or not all(v.type.dtype.is_storage and small(v.type) for v in e.outputs):
        return False
    stored = [a for a in inputs if a.type.dtype.is_storage and isinstance(a, Var)]
    return bool(stored) and all(a in made for a in stored)


def _has_storage(graph: Graph) -> bool:
    """Whether a value has a storage type. All but constants and what iota makes come in, or are converted."""
    atoms = [*graph.inputs, *[v for e in graph.eqns for v in e.outputs]]
    return any(v.type.dtype.is_storage for v in atoms) or any(_has_storage(g) for e in graph.eqns for g in e.graphs)


def _converted(rewriter: Rewriter, x: Atom, dtype: DType, source: Source) -> Var:
    return rewriter.emit("convert_element_type", [x], {"dtype": dtype}, source)


def _widened(rewriter: Rewriter, x: Atom, wide: dict[Var, Atom], source: Source) -> Atom:
    dtype = x.type.dtype
    if not dtype.is_storage:
        return x
    if isinstance(x, Literal):
        return Literal(dtype.computed.numpy.type(x.value), dtype.computed)
    if x not in wide:
        wide[x] = _converted(rewriter, x, dtype.computed, source)
    return wide[x]


def _computed(rewriter: Rewriter, e: Eqn, inputs: list[Atom], wide: dict[Var, Atom]) -> None:
    outputs = [Var(t) for t in e.op.types([a.type for a in inputs], e.params)]
    rewriter.eqns.append(Eqn(e.op, inputs, e.params, outputs, e.source))
    for v, out in zip(e.outputs, outputs, strict=True):
        rewriter.atoms[v] = stored = _converted(rewriter, out, v.type.dtype, e.source) if out.type != v.type else out
        if out is not stored and (e.op.traits.exact or e.op.kind == "layout") and small(v.type):
            wide[stored] = out
