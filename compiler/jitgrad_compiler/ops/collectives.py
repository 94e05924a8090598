"""Collectives: values of all examples of a batch that one example asks for, by jax's lax.psum and its kin.

Each takes, beside its operand, the example's own number along the axis that it goes over, an i64 scalar that vmap(axis_name=)
provides. Names and nesting need no more: where that number is batched, the batch at hand is the one gone over, and the collective
becomes an ordinary op along its axis; where it is not, another batch passes through. So none is left when a program runs.

psum(x, number): the sum of every example's x.
all_gather(x, number): every example's x, along a new first axis.
all_to_all(x, number): x has a row for each example, and gets everybody's row for this one.
ppermute(x, number, sources, targets): the x of example sources[number], zero where that is -1; targets is the inverse table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..errors import ShapeError
from ..ir.builder import Value
from ..ir.graph import BATCHED_OUTPUTS, JVP, Op
from ..ir.types import I64, ArrayType
from .arithmetic import op
from .define import Operand, broadcast, convert, full, linear_jvp, reduce_sum, reshape, transpose_axes

NUMBER = ArrayType((), I64)


def _alone(*arrays: Any, **params: Any) -> Any:
    raise RuntimeError("a collective is left in a program: its example's number was not batched by the vmap that made it")


def _collective(
    name: str,
    infer: Callable[..., ArrayType],
    over: Callable[[int, Value, bool, Sequence[Value]], Value],
    transpose: Callable[..., Value],
    each: bool,
    rows: tuple[bool, bool],
    doc: str,
) -> None:
    """over(size, x, whether x is batched, tables): the op along the batch axis. each: whether its result has that axis, which one
    that is the same for all examples has not. rows: whether the operand and the result have a row for each example in front.
    """

    def check(x: ArrayType, number: ArrayType, *tables: ArrayType, size: int) -> ArrayType:
        if number != NUMBER or any(t != ArrayType((size,), I64) for t in tables):
            raise TypeError(f"{name}: takes an example's number as {NUMBER} and tables of {size} numbers, got {number}")
        return infer(x, size)

    def batch(size: int, args: Sequence[Value], batched: Sequence[bool], params: dict[str, Any]) -> Any:
        x, *known = args
        if batched[1]:
            return [over(size, x, batched[0], known[1:])]
        given = _swapped(x) if batched[0] and rows[0] else x
        out = op(name, given, *known, **params)
        return [_swapped(out) if batched[0] and rows[1] else out]

    def batched_outputs(size: int, params: Mapping[str, Any], batched: Sequence[bool]) -> Sequence[bool]:
        return [each if batched[1] else batched[0]]

    def transpose_rule(cts: Sequence[Value], operands: Sequence[Operand], params: dict[str, Any]) -> Any:
        known = operands[1:]
        return [transpose(cts[0], *known, **params), *[None] * len(known)]

    made = Op(name, check, _alone, kind="collective", computes=False, batch=batch, transpose=transpose_rule, doc=doc)
    JVP[made], BATCHED_OUTPUTS[made] = linear_jvp(made, 1), batched_outputs


def _swapped(x: Value) -> Value:
    """The first two axes exchanged."""
    return transpose_axes(x, (1, 0, *range(2, x.type.rank)))


def _copies(size: int, x: Value) -> Value:
    return broadcast(x, (size, *x.type.shape), tuple(range(1, x.type.rank + 1)))


def _with_rows(x: ArrayType, size: int) -> ArrayType:
    if not x.shape or x.shape[0] != size:
        raise ShapeError(f"all_to_all: x must have a row for each of the {size} examples, got {x}")
    return x


def _summed(size: int, x: Value, batched: bool, tables: Sequence[Value]) -> Value:
    if batched:
        return reduce_sum(x, (0,))
    return x * convert(full(x.type.shape, size, I64), x.type.dtype)


def _exchanged(size: int, x: Value, batched: bool, tables: Sequence[Value]) -> Value:
    if batched:
        return _swapped(x)
    return broadcast(x, (size, *x.type.shape), (0, *range(2, x.type.rank + 1)))


def _taken(size: int, x: Value, batched: bool, tables: Sequence[Value]) -> Value:
    rows = x if batched else _copies(size, x)
    return op("gather", rows, reshape(tables[0], (size, 1)), axes=(0,), batch=0, mode="fill")


_collective(
    "psum", lambda x, size: x, _summed, lambda ct, number, size: op("psum", ct, number, size=size), False, (False, False),
    "The sum of every example's x.",
)  # fmt: skip
_collective(
    "all_gather", lambda x, size: ArrayType((size, *x.shape), x.dtype),
    lambda size, x, batched, tables: x if batched else _copies(size, x),
    lambda ct, number, size: reduce_sum(op("all_to_all", ct, number, size=size), (0,)), False, (False, True),
    "Every example's x along a new first axis.",
)  # fmt: skip
_collective(
    "all_to_all", _with_rows, _exchanged, lambda ct, number, size: op("all_to_all", ct, number, size=size), True, (True, True),
    "Of every example's x the row of this one's number.",
)  # fmt: skip
_collective(
    "ppermute", lambda x, size: x, _taken,
    lambda ct, number, sources, targets, size: op("ppermute", ct, number, targets, sources, size=size), True, (False, False),
    "The x of another example, by a table; zero where the table says -1.",
)  # fmt: skip
