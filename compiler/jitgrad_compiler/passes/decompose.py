"""Equations written as what they are made of, where that is faster.

Contractions that are no matrix products are products and sums, which fuse with everything around them: with one row, one column or
one step of depth a contraction is bound by memory; as a reduction it shares its pass over the operands. A concatenation of many
pieces is joined in groups, for every element looks through all the pieces of its kernel. An argmax over a single element is 0.
What is zero but for one element a row is a choice by the column's number.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..ir.graph import OPS, Atom, Eqn, Graph, Literal, Var
from ..ir.types import F32, F64, I32, I64
from ..ops.contraction import dot_general, free_axes
from ..ops.indexing import scatter
from ..ops.layout import concatenate
from ..ops.linear_systems import hermitian_part
from .rewrite import Rewriter

MOST_PIECES = 32
"""Operands of one concatenation."""


def decompose(graph: Graph) -> Graph:
    rewriter = Rewriter(graph)
    zeros = {e.outputs[0] for e in graph.eqns if e.op is OPS["broadcast"] and _is_zero(e.inputs[0])}
    for e in graph.eqns:
        inputs = [rewriter.read(a) for a in e.inputs]
        if e.op is dot_general and _thin(e):
            rewriter.atoms[e.outputs[0]] = _product_and_sum(rewriter, e, inputs)
        elif e.op.kind == "argreduce" and e.inputs[0].type.shape[e.params["axis"]] == 1:
            out = e.outputs[0].type
            zero = Literal(out.dtype.numpy.type(0), out.dtype)
            rewriter.atoms[e.outputs[0]] = rewriter.emit("broadcast", [zero], {"shape": out.shape, "dims": ()}, e.source)
        elif e.op is hermitian_part:
            rewriter.atoms[e.outputs[0]] = _hermitian_part(rewriter, e, inputs[0])
        elif e.op is scatter and e.inputs[0] in zeros and _one_a_row(e):
            rewriter.atoms[e.outputs[0]] = _chosen(rewriter, e, inputs)
        elif e.op is concatenate and len(inputs) > MOST_PIECES:
            rewriter.atoms[e.outputs[0]] = _joined_in_groups(rewriter, e, inputs)
        else:
            rewriter.keep(e, inputs)
    return rewriter.finish()


def _joined_in_groups(r: Rewriter, e: Eqn, inputs: Sequence[Atom]) -> Atom:
    """Pieces joined in groups, and the groups again, until they are few."""
    while len(inputs) > 1:
        groups = [inputs[n : n + MOST_PIECES] for n in range(0, len(inputs), MOST_PIECES)]
        inputs = [r.emit("concatenate", g, e.params, e.source) if len(g) > 1 else g[0] for g in groups]
    return inputs[0]


def _is_zero(a: Atom) -> bool:
    return isinstance(a, Literal) and a.value == 0


def _one_a_row(e: Eqn) -> bool:
    """Whether a scatter puts one element into each row: the gradient of what take_along_axis takes, of a loss by labels."""
    x, indices, batch = e.inputs[0].type, e.inputs[1].type, e.params["batch"]
    lone = x.rank == batch + 1 > 1 and e.params["axes"] == (batch,) and indices.shape == (*x.shape[:-1], 1, 1)
    return lone and e.params["kind"] in ("add", "set")


def _chosen(r: Rewriter, e: Eqn, inputs: Sequence[Atom]) -> Atom:
    """The update where the column is the index, else 0: a map, which fuses with what adds to it."""
    out, (_, indices, updates) = e.outputs[0].type, inputs
    rows, length = out.shape[:-1], out.shape[-1]
    dtype = I32 if length < 1 << 31 else I64

    def along(x: Atom) -> Var:
        row = r.emit("reshape", [x], {"shape": rows}, e.source)
        return r.emit("broadcast", [row], {"shape": out.shape, "dims": tuple(range(len(rows)))}, e.source)

    if indices.type.dtype != dtype:
        indices = r.emit("convert_element_type", [indices], {"dtype": I64}, e.source) if indices.type.dtype != I64 else indices
        for op, limit in (("min", length), ("max", -1)):  # no column has these numbers, which fewer bits hold
            indices = r.emit(op, [indices, Literal(np.int64(limit), I64)], {}, e.source)
        indices = r.emit("convert_element_type", [indices], {"dtype": dtype}, e.source)
    column = r.emit("iota", [], {"shape": out.shape, "axis": len(rows), "dtype": dtype}, e.source)
    here = r.emit("eq", [column, along(indices)], {}, e.source)
    return r.emit("select", [here, along(updates), Literal(out.dtype.numpy.type(0), out.dtype)], {}, e.source)


def _hermitian_part(r: Rewriter, e: Eqn, x: Atom) -> Atom:
    """Of a real matrix, halved before it is added, as sums of the largest numbers there are overflow."""
    rank = x.type.rank
    half = r.emit("mul", [x, Literal(x.type.dtype.numpy.type(0.5), x.type.dtype)], {}, e.source)
    turned = r.emit("transpose", [half], {"permutation": (*range(rank - 2), rank - 1, rank - 2)}, e.source)
    return r.emit("add", [half, turned], {}, e.source)


def _sizes(e: Eqn) -> tuple[int, int, int]:
    (cx, cy), (bx, by) = e.params["dims"]
    x, y = (a.type for a in e.inputs)
    rows = math.prod(x.shape[i] for i in free_axes(x.rank, cx, bx))
    columns = math.prod(y.shape[i] for i in free_axes(y.rank, cy, by))
    return rows, columns, math.prod(x.shape[i] for i in cx)


def _thin(e: Eqn) -> bool:
    rows, columns, depth = _sizes(e)
    return min(rows, columns) <= 1 or depth <= 1 or e.outputs[0].type.dtype not in (F32, F64)


def _product_and_sum(r: Rewriter, e: Eqn, inputs: list[Atom]) -> Atom:
    """Both operands broadcast to the axes that they have between them, the larger one's last and in its order; a product, a sum."""
    (cx, cy), (bx, by) = e.params["dims"]
    x, y = inputs
    fx, fy = free_axes(x.type.rank, cx, bx), free_axes(y.type.rank, cy, by)
    size = {("b", i): x.type.shape[a] for i, a in enumerate(bx)} | {("c", i): x.type.shape[a] for i, a in enumerate(cx)}
    size |= {("x", i): x.type.shape[a] for i, a in enumerate(fx)} | {("y", i): y.type.shape[a] for i, a in enumerate(fy)}
    roles_x = _roles(x.type.rank, bx, fx, cx, "x")
    roles_y = _roles(y.type.rank, by, fy, cy, "y")
    lead, other = (roles_x, roles_y) if x.type.size >= y.type.size else (roles_y, roles_x)
    order = [*[role for role in other if role not in lead], *lead]
    shape = tuple(size[role] for role in order)
    spread = []
    for a, roles in ((x, roles_x), (y, roles_y)):
        places = [order.index(role) for role in roles]
        by_place = tuple(sorted(range(len(places)), key=places.__getitem__))
        turned = r.emit("transpose", [a], {"permutation": by_place}, e.source)
        spread.append(r.emit("broadcast", [turned], {"shape": shape, "dims": tuple(sorted(places))}, e.source))
    product = r.emit("mul", spread, {}, e.source)
    contracted = tuple(i for i, role in enumerate(order) if role[0] == "c")
    total = r.emit("reduce_sum", [product], {"axes": contracted}, e.source) if contracted else product
    left = [role for role in order if role[0] != "c"]
    wanted = [role for kind in "bxy" for role in sorted(left) if role[0] == kind]
    return r.emit("transpose", [total], {"permutation": tuple(left.index(role) for role in wanted)}, e.source)


def _roles(
    rank: int, batch: tuple[int, ...], free: tuple[int, ...], contracted: tuple[int, ...], kind: str
) -> list[tuple[str, int]]:
    """What each axis of an operand is: ('b', which batch axis), ('c', which contracted axis), (kind, which free axis)."""
    return [
        ("b", batch.index(a)) if a in batch else ("c", contracted.index(a)) if a in contracted else (kind, free.index(a))
        for a in range(rank)
    ]
