"""jax.lax's branches: cond and switch. Both are one equation `switch`, whose branches are Graphs of the same operands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from jitgrad import array_ops as ops
from jitgrad import tree
from jitgrad.array import Array, as_value
from jitgrad.config import config
from jitgrad.errors import ArgumentError, BranchTypeError, NotAnArrayError, NotAScalarError
from jitgrad.tracing import Traced, all_captured, array_leaves, function_name, trace
from jitgrad_compiler.ir.builder import Weak, with_weak
from jitgrad_compiler.ir.graph import Atom, Graph
from jitgrad_compiler.ir.types import BOOL, DTYPES, I32, U64, DType

from .bodies import (
    Types,
    check_callable,
    check_integer,
    check_number,
    check_parameters,
    common,
    converted,
    described,
    leaf_names,
    result_types,
    type_text,
)

_NONE_GIVEN = object()


def cond(pred: Any, true_fun: Callable[..., Any], false_fun: Callable[..., Any], *operands: Any, operand: Any = _NONE_GIVEN) -> Any:
    """`true_fun(*operands)` where pred holds, else `false_fun(*operands)`; only that one is done.

    pred is a scalar, a bool or a number (which holds unless it is 0), else NotAScalarError. operands are pytrees of arrays; the
    keyword `operand` is a single one. Both functions return pytrees of one structure, of leaves of the same shapes and types, else
    BranchTypeError. It is differentiable in both modes. The older form, with an operand for each,
    is taken, too: cond(pred, true_operand, true_fun, false_operand, false_fun).

    >>> print(cond(True, lambda x: x + 1, lambda x: x - 1, 3.0), cond(False, 1.0, lambda x: x + 1, 2.0, lambda x: x - 1))
    4.0 1.0
    """
    where = "lax.cond"
    if not callable(true_fun) and callable(false_fun) and len(operands) == 2 and callable(operands[1]):
        return _cond_with_two_operands(pred, true_fun, false_fun, *operands)
    check_callable(where, "true_fun", true_fun)
    check_callable(where, "false_fun", false_fun)
    value = _scalar(where, "pred", pred)
    check_number(where, "pred", value, [t for t in DTYPES.values() if not t.is_complex], "a scalar, a bool or a real number")
    holds = value if value.type.dtype == BOOL else ops.op("ne", value, ops.constant(0, value.type.dtype))
    index = ops.convert(holds, I32)
    named = [("false_fun", false_fun), ("true_fun", true_fun)]
    return _branched(where, index, named, _operands(where, operands, operand))


def _cond_with_two_operands(pred: Any, true_operand: Any, true_fun: Any, false_operand: Any, false_fun: Any) -> Any:
    return cond(pred, lambda x, _: true_fun(x), lambda _, y: false_fun(y), true_operand, false_operand)


def switch(index: Any, branches: Sequence[Callable[..., Any]], *operands: Any, operand: Any = _NONE_GIVEN) -> Any:
    """`branches[index](*operands)`, and only that one is done; an index outside means the nearest branch.

    index is an integer scalar, else NotAScalarError. The branches return pytrees of one structure, of leaves of the same shapes and
    types, else BranchTypeError. Raises ArgumentError where there are none. It is differentiable in both modes.

    >>> print(switch(7, [lambda x: x, lambda x: -x], 2.0))
    -2.0
    """
    where = "lax.switch"
    if callable(branches) or not isinstance(branches, Sequence):
        raise ArgumentError(f"{where}: branches must be a sequence of functions, got {type(branches).__name__}")
    if not branches:
        raise ArgumentError(f"{where}: there must be at least one branch, got an empty {type(branches).__name__}")
    for n, f in enumerate(branches):
        check_callable(where, f"branch {n}", f)
    value = _scalar(where, "index", index)
    check_integer(where, "index", value)
    given = _operands(where, operands, operand)
    if len(branches) == 1:
        return branches[0](*given)
    value = ops.signed_places(value) if value.type.dtype == U64 else value
    return _branched(where, with_weak(value, False), [(f"branch {n}", f) for n, f in enumerate(branches)], given)  # type: ignore[arg-type]


def _scalar(where: str, what: str, x: Any) -> Array:
    try:
        return as_value(x)
    except NotAnArrayError:
        raise NotAScalarError(f"{where}: {what} must be a scalar, got {type(x).__name__}: {str(x)[:60]!r}") from None


def _operands(where: str, operands: tuple[Any, ...], operand: Any) -> tuple[Any, ...]:
    if operand is _NONE_GIVEN:
        return operands
    if operands:
        raise ArgumentError(f"{where}: operands are given either by position or as the keyword operand, got both")
    return (operand,)


def _branched(where: str, index: Array, named: Sequence[tuple[str, Callable[..., Any]]], operands: tuple[Any, ...]) -> Any:
    for name, f in named:
        check_parameters(where, name, f, *(f"operand {n}" for n in range(len(operands))))
    values, in_tree = array_leaves(where, operands, "operands")
    known = index.concrete()
    if config.disable_jit and known is not None:
        name, f = named[min(max(int(known), 0), len(named) - 1)]
        outs, out_tree = array_leaves(function_name(f), f(*tree.unflatten(in_tree, values)), "its result")
        return tree.unflatten(out_tree, outs)
    types, weak = [v.type for v in values], [v.weak for v in values]
    bodies = [trace(f, function_name(f), types, weak, in_tree) for _, f in named]
    dtypes = _agreed(where, named, bodies)
    consts = all_captured(*bodies)
    branches = tuple(converted(body.with_consts(consts), [dtype for dtype, _ in dtypes]) for body in bodies)
    found = ops.op_all("switch", index, *consts, *values, branches=branches)
    found = _handed_on(branches, [*consts, *values], found)
    shown = [with_weak(out, weak) for out, (_, weak) in zip(found, dtypes, strict=True)]
    return tree.unflatten(bodies[0].out_tree, shown)


def _handed_on(branches: Sequence[Graph], given: Sequence[Array], found: Sequence[Array]) -> list[Array]:
    """The results. What is one operand whichever branch is taken is that operand, also where the index differs in a batch."""
    places: list[dict[Atom, int]] = [{v: n for n, v in enumerate(b.inputs)} for b in branches]
    columns = zip(*[[place.get(out) for out in b.outputs] for b, place in zip(branches, places, strict=True)], strict=True)
    return [
        given[first] if first is not None and all(n == first for n in rest) else out
        for (first, *rest), out in zip(columns, found, strict=True)
    ]


def _agreed(where: str, named: Sequence[tuple[str, Callable[..., Any]]], bodies: Sequence[Traced]) -> list[tuple[DType, Weak]]:
    """The element types of the results, and which are weak; raises BranchTypeError where branches disagree."""
    first = bodies[0]
    for other, (name, f) in zip(bodies[1:], named[1:], strict=True):
        if detail := tree.difference(first.out_tree, other.out_tree):
            raise BranchTypeError(
                f"{where}: the branches must return one structure, but {named[0][0]} {described(named[0][1])} returned "
                f"{first.out_tree} and {name} {described(f)} returned {other.out_tree} ({detail}). Return the same containers."
            )
    agreed = []
    names = leaf_names("the result", first.out_tree)
    for leaf, *column in zip(names, *map(result_types, bodies), strict=True):
        met = common(column)
        if met is None or len({t.shape for t, _ in column}) > 1:
            raise _disagreement(where, leaf, named, column)
        agreed.append(met)
    return agreed


def _disagreement(where: str, leaf: str, named: Sequence[tuple[str, Callable[..., Any]]], column: Types) -> BranchTypeError:
    """The error for a leaf of the results that has these types in the branches, about the first two that do not go together."""
    one, two = next(
        (i, j) for j in range(len(column)) for i in range(j)
        if column[i][0].shape != column[j][0].shape or common([column[i], column[j]]) is None
    )  # fmt: skip
    fix = "Convert one with .astype." if column[one][0].shape == column[two][0].shape else "Broadcast or reshape one of them."
    first, second = (f"{type_text(*column[k])} from {named[k][0]} {described(named[k][1])}" for k in (one, two))
    return BranchTypeError(
        f"{where}: the branches must return the same shapes and types, but {leaf} is {first} and {second}. {fix}"
    )
