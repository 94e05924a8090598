"""A loop's carry: traced through the body until its types stay, checked, converted.

In: the initial carry and the body. Out: the carry's leaves in their types, and the body's Graph. Next on the path: loops.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from jitgrad import array_ops as ops
from jitgrad import tree
from jitgrad.array import Array
from jitgrad.errors import CarryTypeError
from jitgrad.promotion import default_float, promote, strong_dtype
from jitgrad.tracing import Traced, array_leaves, function_name, trace
from jitgrad_compiler.ir.builder import Value, Weak, with_weak
from jitgrad_compiler.ir.graph import Graph
from jitgrad_compiler.ir.types import C64, F32, ArrayType, DType

from .bodies import Types, converted, described, leaf_names, result_types, type_text


@dataclass
class Body:
    """A loop's body: its Graph, whose inputs are carries and slices and whose results are of the carry's types; what it closes
    over; the carry as the loop starts with it; the structure of what each step gives beside.
    """

    traced: Traced
    start: list[Array]
    weak: list[Weak]
    carry_tree: tree.PyTreeDef
    out_tree: tree.PyTreeDef | None


def trace_body(
    where: str,
    f: Callable[..., Any],
    step: Callable[..., Any],
    init: Any,
    slices: Sequence[ArrayType] = (),
    slices_tree: tree.PyTreeDef | None = None,
    counted: bool = False,
) -> Body:
    """`step(carry, slice) -> (carry, out)`, or without slices `step(carry) -> carry`, traced; `f` is the user's function in it.

    A weak carry takes the type that the body gives it. One that stays weak is so inside the body only, a float in the default type.
    `out` is an array of its own in every step, and so never weak. `counted`: the carry is a pair of a counter and what `f` carries,
    and errors speak of the latter. The body is traced again only where a carry takes another type.
    """
    given, carry_tree = array_leaves(where, init, "the initial carry")
    scans = slices_tree is not None
    in_tree = tree.structure((tree.unflatten(carry_tree, given),)) if slices_tree is None else _pair(carry_tree, slices_tree)
    values = [with_weak(ops.convert(v, strong_dtype(v.type.dtype, v.weak)), v.weak) for v in given]
    while True:
        carry: Types = [(v.type, v.weak) for v in values]
        types = [*[t for t, _ in carry], *slices]
        traced = trace(step, function_name(f), types, [*[v.weak for v in values], *[False] * len(slices)], in_tree)
        new_tree, out_tree = traced.out_tree.children() if scans else (traced.out_tree, None)
        check_structure(where, f, carry_tree, new_tree, counted)
        results = result_types(traced)
        new = results[: len(values)]
        check_types(where, f, carry_tree, carry, new, counted)
        wanted = [_promoted(now, then) for now, then in zip(carry, new, strict=True)]
        changes = {then for (now, was), then in zip(carry, wanted, strict=True) if then != (now.dtype, was)}
        # float32 that is no longer weak gives every other result the same type
        if all(dtype in (F32, C64) for dtype, _ in changes) and [t.dtype for t, _ in carry] == [dtype for dtype, _ in wanted]:
            break
        # from what was given: a Python float has more digits than the default type
        values = [with_weak(ops.convert(v, dtype), weak) for v, (dtype, weak) in zip(given, wanted, strict=True)]
    outs = [strong_dtype(t.dtype, weak) for t, weak in results[len(values) :]]
    graph = converted(traced.graph, [*[v.type.dtype for v in values], *outs])
    return Body(
        Traced(graph, traced.captured, traced.out_tree, traced.out_weak),
        [with_weak(v, False) for v in values],  # type: ignore[misc]
        [v.weak for v in values],
        carry_tree,
        out_tree,
    )


def handed_on(body: Graph, consts: Sequence[Value], start: Sequence[Array], found: Sequence[Array]) -> list[Array]:
    """The last carries. One that no step changes is the value that the loop starts with, also where batching or a derivative would
    take it for one that depends on the others.
    """
    inputs = body.inputs[len(consts) :]
    return [v if out is given else last for v, given, out, last in zip(start, inputs, body.outputs, found, strict=False)]


def _pair(first: tree.PyTreeDef, second: tree.PyTreeDef) -> tree.PyTreeDef:
    return tree.structure((tree.unflatten(first, [0] * first.num_leaves), tree.unflatten(second, [0] * second.num_leaves)))


def _promoted(now: tuple[ArrayType, Weak], then: tuple[ArrayType, Weak]) -> tuple[DType, Weak]:
    """The element type of a carry, and its weakness, after a step."""
    (before, weak), (after, after_weak) = now, then
    if not weak:
        return before.dtype, False
    dtype, still = promote(before.dtype, weak, after.dtype, after_weak, default_float())
    return strong_dtype(dtype, still), still


def check_structure(
    where: str, f: Callable[..., Any], before: tree.PyTreeDef, after: tree.PyTreeDef, counted: bool = False
) -> None:
    """Raise CarryTypeError where a carry's structure differs between a step's input and its output."""
    if counted:
        before, after = before.children()[1], after.children()[1]
    if detail := tree.difference(before, after):
        raise CarryTypeError(
            f"{where}: the carry must keep its structure, but {described(f)} was given {before} and returned {after} ({detail}). "
            "Return a carry built like the initial one."
        )


def check_types(
    where: str, f: Callable[..., Any], structure: tree.PyTreeDef, before: Types, after: Types, counted: bool = False
) -> None:
    """Raise CarryTypeError where a carry's shape or type differs between a step's input and its output."""
    names = ["counter", *leaf_names("carry", structure.children()[1])] if counted else leaf_names("carry", structure)
    wrong = []
    for name, (t, weak), (u, out_weak) in zip(names, before, after, strict=True):
        adapts = weak or out_weak and promote(t.dtype, False, u.dtype, out_weak, default_float())[0] == t.dtype
        if t.shape != u.shape or u.dtype != t.dtype and not adapts:
            wrong.append((f"{name} was {type_text(t, weak)} and became {type_text(u, out_weak)}", t.shape == u.shape))
    if wrong:
        fix = "Convert it in the body with .astype, or start with an init of that type." if wrong[0][1] else (
            "Start with an init of that shape, or return one of the carry's."
        )  # fmt: skip
        listed = "; ".join(text for text, _ in wrong[:5])
        raise CarryTypeError(f"{where}: the carry must keep its shapes and types, but in {described(f)} {listed}. {fix}")
