"""Comparison of two arrays, element by element, with integers of different types compared as the numbers they are."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable

import numpy as np

from jitgrad.array import Array, as_value
from jitgrad.array_ops import constant, convert, fill, fill_like, limits, op
from jitgrad.operands import ArrayLike, elementwise
from jitgrad_compiler.ir.types import BOOL, I64, U64

from .elementwise import example, named

Comparison = Callable[[ArrayLike, ArrayLike], Array]


def _comparison(name: str, op_name: str, below: bool, above: bool, doc: str, sample: str) -> Comparison:
    """A comparison; `below` and `above` are what it says of an x below, or above, all numbers of y's type."""

    def function(x: ArrayLike, y: ArrayLike, /) -> Array:
        n, m = _number(x), _number(y)
        if n is not None and m is not None:
            return fill((), getattr(operator, op_name)(n, m), BOOL)
        if n is not None:
            second = as_value(y, name)
            if _is_outside(n, second):
                return fill_like(second, below if n < 0 else above, BOOL)
            return elementwise(name, op_name, _in_type(n, second), second)
        first = as_value(x, name)
        if m is not None:
            if _is_outside(m, first):
                return fill_like(first, above if m < 0 else below, BOOL)
            return elementwise(name, op_name, first, _in_type(m, first))
        second = as_value(y, name)
        types = first.type.dtype, second.type.dtype
        if types[0] == types[1] or not all(t.is_integer for t in types):
            return elementwise(name, op_name, first, second)
        if types[0] == U64 and not types[1].is_unsigned:
            return _across_signs(name, op_name, second, first, above, below, swapped=True)
        if types[1] == U64 and not types[0].is_unsigned:
            return _across_signs(name, op_name, first, second, below, above, swapped=False)
        if first.weak or second.weak:  # a traced Python int, which the other's type need not hold
            first, second = convert(first, I64), convert(second, I64)
        return elementwise(name, op_name, first, second)

    return named(
        function, name,
        f"""{doc}

    Operands promote to one type and broadcast to one shape; integers are compared as the numbers they are, whatever their types.
    Raises ShapeError where they do not broadcast, DTypeError for complex numbers that would have to be ordered.

    {example(name, sample)}
    """,
    )  # fmt: skip


def _number(x: ArrayLike) -> int | None:
    """The integer that x is: a Python int of any size, an np.int64, or a weak integer that is known."""
    if isinstance(x, (int, np.int64)) and not isinstance(x, bool):
        return int(x)
    if isinstance(x, Array) and x.weak and x.owner is None and x.type.dtype.is_integer:
        return int(x.data())
    return None


def _is_outside(n: int, other: Array) -> bool:
    """Whether n is out of the range of the other's type."""
    if other.type.dtype.is_integer:
        return not limits(other.type.dtype).min <= n <= limits(other.type.dtype).max
    return other.type.dtype == BOOL and not 0 <= n <= 1


def _in_type(n: int, other: Array) -> Array:
    """n as a constant beside the other, whose type it does not leave."""
    if other.type.dtype.is_integer:
        return constant(n, other.type.dtype)
    if -(2**63) <= n < 2**63:
        return as_value(n)
    return as_value(float(n) if abs(n) < 2**1023 else math.inf if n > 0 else -math.inf)


def _across_signs(name: str, op_name: str, signed: Array, unsigned: Array, below: bool, above: bool, swapped: bool) -> Array:
    """A signed integer beside a uint64, which no one integer type holds; `swapped`: the uint64 is the first operand."""
    positive = convert(signed, U64)
    result = elementwise(name, op_name, *((unsigned, positive) if swapped else (positive, unsigned)))
    negative = elementwise(name, "lt", signed, constant(0, signed.type.dtype))
    if below:
        return elementwise(name, "or", result, negative)
    return elementwise(name, "and", result, op("not", negative))


equal = _comparison("equal", "eq", False, False, "Whether x == y.", "1, 1.0 -> True")
not_equal = _comparison("not_equal", "ne", True, True, "Whether x != y; true of NaN.", "1, 2 -> True")
less = _comparison("less", "lt", True, False, "Whether x < y.", "1, 2 -> True")
less_equal = _comparison("less_equal", "le", True, False, "Whether x <= y.", "1, 2 -> True")
greater = _comparison("greater", "gt", False, True, "Whether x > y.", "1, 2 -> False")
greater_equal = _comparison("greater_equal", "ge", False, True, "Whether x >= y.", "1, 2 -> False")
