"""Ops that do to a complex value what they do to each part: layout, choice, sums, and elements at computed places."""

from __future__ import annotations

import math
from typing import Any

from ...ir.builder import Value, bind_all
from ...ir.graph import BATCH, OPS
from ...ir.types import I64, DType
from ...ops.arithmetic import op
from ...ops.define import axis_to_front, first_axis_to, full, reshape, transpose_axes
from .arithmetic import multiply
from .control import in_steps
from .table import Operand, Parts, Planes, of_planes, one_of, rule, zero_like


def _each_part(name: str) -> None:
    """The op done to the real parts, and to the imaginary ones; operands that are not complex serve both."""

    def both(*args: Operand, **params: Any) -> Parts:
        return Parts(*[op(name, *[x[n] if isinstance(x, Parts) else x for x in args], **params) for n in (0, 1)])

    rule(name)(both)


def _each_row(name: str) -> None:
    """The op done to each part, or where they are rows of one value to that."""

    def moved(x: Parts, **params: Any) -> Parts:
        if isinstance(x, Planes):
            return of_planes(BATCH[OPS[name]](2, [x.stacked], [True], params)[0])
        return Parts(*[op(name, part, **params) for part in x])

    rule(name)(moved)


for _name in ("reshape", "transpose", "reverse", "slice", "windows", "fold"):
    _each_row(_name)
for _name in (
    "add", "sub", "neg", "select", "stop_gradient", "checkpoint_name", "barrier", "in_memory", "broadcast", "pad", "concatenate",
    "reduce_sum", "cumsum", "gather", "dynamic_slice", "dynamic_update_slice",
):  # fmt: skip
    _each_part(_name)


@rule("iota")
def index(shape: tuple[int, ...], axis: int, dtype: DType) -> Parts:
    made = op("iota", shape=shape, axis=axis, dtype=dtype.real)
    return Parts(made, zero_like(made))


@rule("sort")
def ordered(*args: Operand, axis: int) -> list[Operand]:
    """The first operand, which says the order, is real."""
    flat = [part for x in args for part in (x if isinstance(x, Parts) else (x,))]
    found = iter(bind_all(OPS["sort"], *flat, axis=axis))
    return [Parts(next(found), next(found)) if isinstance(x, Parts) else next(found) for x in args]


@rule("tape_add")
def tapes_added(x: Value, y: Value) -> Value:
    return op("tape_add", x, y)


@rule("scatter")
def scattered(x: Parts, indices: Value, updates: Parts, axes: tuple[int, ...], batch: int, kind: str) -> Parts:
    """Set and added part by part; else one place after another."""
    if kind in ("set", "add"):
        params: dict[str, Any] = dict(axes=axes, batch=batch, kind=kind)
        return Parts(*[op("scatter", a, indices, b, **params) for a, b in zip(x, updates, strict=True)])
    return _one_by_one(x, indices, updates, axes, batch, kind)


def _one_by_one(x: Parts, indices: Value, updates: Parts, axes: tuple[int, ...], batch: int, kind: str) -> Parts:
    *outer, width = indices.type.shape
    points = [op("convert_element_type", indices, dtype=I64)]
    points = [op("iota", shape=(*outer, 1), axis=n, dtype=I64) for n in range(batch)] + points
    shape, count, every = x.real.type.shape, math.prod(outer), (*range(batch), *axes)
    places = reshape(op("concatenate", *points, axis=len(outer)), (count, 1, batch + width))
    whole = tuple(n for a, n in enumerate(shape) if a not in every)
    rows = [reshape(part, (count, 1, *whole)) for part in updates]

    def step(carries: list[Value], slices: list[Value]) -> list[Value]:
        place, *new = slices
        old = [op("gather", c, place, axes=every, batch=0, mode="fill") for c in carries]
        made = _combined(Parts(*old), Parts(*new), kind)
        return [op("scatter", c, place, part, axes=every, batch=0, kind="set") for c, part in zip(carries, made, strict=True)]

    return Parts(*in_steps(step, count, list(x), [places, *rows])[0])


def _combined(x: Parts, y: Parts, kind: str) -> Parts:
    """The product, or the smaller or larger one, by the real part first, as NumPy orders complex numbers; NaN where either is."""
    if kind == "mul":
        return multiply(x, y)
    order = "lt" if kind == "min" else "gt"
    ties = op("and", op("eq", x.real, y.real), op("or", op(order, x.imag, y.imag), op("eq", x.imag, y.imag)))
    nan = op("or", op("ne", x.real, x.real), op("ne", x.imag, x.imag))
    mine = op("or", nan, op("or", op(order, x.real, y.real), ties))
    return Parts(*[op("select", mine, a, b) for a, b in zip(x, y, strict=True)])


# -- what goes on from element to element


def _in_front(x: Parts, axis: int, reverse: bool) -> list[Value]:
    return [axis_to_front(op("reverse", part, axes=(axis,)) if reverse else part, axis) for part in x]


def _back(rows: list[Value], axis: int, reverse: bool) -> Parts:
    put = [first_axis_to(part, axis) for part in rows]
    return Parts(*[op("reverse", part, axes=(axis,)) if reverse else part for part in put])


@rule("linear_recurrence")
def recurrence(a: Parts, b: Parts, axis: int, reverse: bool) -> Parts:
    factors, terms = _in_front(a, axis, reverse), _in_front(b, axis, reverse)
    count, *row = terms[0].type.shape

    def step(carries: list[Value], slices: list[Value]) -> list[Value]:
        product = multiply(Parts(*slices[:2]), Parts(*carries))
        return [product.real + slices[2], product.imag + slices[3]]

    start = [full(tuple(row), 0, terms[0].type.dtype)] * 2
    return _back(in_steps(step, count, start, [*factors, *terms])[1], axis, reverse)


def _products(rows: list[Value], start: list[Value]) -> tuple[list[Value], list[Value]]:
    """Of the rows along the first axis, and of what starts, the product, and those on the way."""
    count = rows[0].type.shape[0]
    return in_steps(lambda carries, slices: list(multiply(Parts(*carries), Parts(*slices))), count, start, rows)


@rule("cumprod")
def running_product(x: Parts, axis: int, reverse: bool) -> Parts:
    """The first row is no product: 1 times what is infinite would be NaN."""
    rows = _in_front(x, axis, reverse)
    if rows[0].type.shape[0] < 2:
        return x
    first, others = [one_of(part, 0, 0) for part in rows], [_behind_the_first(part) for part in rows]
    on_the_way = _products(others, first)[1]
    whole = [op("concatenate", reshape(f, (1, *f.type.shape)), v, axis=0) for f, v in zip(first, on_the_way, strict=True)]
    return _back(whole, axis, reverse)


def _behind_the_first(rows: Value) -> Value:
    shape = rows.type.shape
    return op("slice", rows, start=(1,) + (0,) * (len(shape) - 1), limit=shape, strides=(1,) * len(shape))


@rule("reduce_prod")
def product(x: Parts, axes: tuple[int, ...]) -> Parts:
    shape = x.real.type.shape
    kept = tuple(i for i in range(len(shape)) if i not in axes)
    row = (math.prod(shape[a] for a in axes), *[shape[i] for i in kept])
    start = [full(row[1:], n, x.real.type.dtype) for n in (1, 0)]
    return Parts(*_products([reshape(transpose_axes(part, (*axes, *kept)), row) for part in x], start)[0])
