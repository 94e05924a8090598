"""What rules are made of: Parts, and the table of rules by the op's name.

A rule gets the operands, a Parts for each complex one, and the op's params by name. It gives what the op gives, a Parts for a
complex result; a part that is a scalar stands for an array of that number.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from ...ir.builder import Value, literal
from ...ir.graph import Rules
from ...ir.types import ArrayType, TapeType, Type
from ...ops.arithmetic import op
from ...ops.define import reshape


class Parts(NamedTuple):
    """A complex value as its real and its imaginary part."""

    real: Value
    imag: Value


class Planes(Parts):
    """Parts that are the two rows of one value, so that who needs them behind each other has them."""

    stacked: Value


class SideBySide(Parts):
    """Parts that were taken out of one value, where they lie side by side."""

    whole: Value


def one_of(x: Value, axis: int, n: int) -> Value:
    """Element n along an axis, which is gone."""
    shape = x.type.shape
    start, limit = [0] * len(shape), list(shape)
    start[axis], limit[axis] = n, n + 1
    taken = op("slice", x, start=tuple(start), limit=tuple(limit), strides=(1,) * len(shape))
    return reshape(taken, shape[:axis] + shape[axis + 1 :])


def of_planes(x: Value) -> Planes:
    made = Planes(one_of(x, 0, 0), one_of(x, 0, 1))
    made.stacked = x
    return made


Operand = Value | Parts
Rule = Callable[..., Any]
Made = TypeVar("Made", bound=Rule)
RULES: Rules[Rule] = Rules("complex numbers as pairs of real ones")


def rule(*names: str) -> Callable[[Made], Made]:
    """Puts a rule into the table, for one or more ops."""

    def put(f: Made) -> Made:
        RULES.of(*names)(f)
        return f

    return put


def zero_like(x: Value) -> Value:
    return literal(0, x.type.dtype)


# -- the parts side by side along a last axis of two, as they lie in memory


def whole_type(type: Type) -> Type:
    """The type of the same bytes as real numbers; of what is not complex itself."""
    if isinstance(type, TapeType):
        element = whole_type(type.element)
        assert isinstance(element, ArrayType)
        return TapeType(element)
    return ArrayType((*type.shape, 2), type.dtype.real) if type.dtype.is_complex else type


def apart(x: Value) -> Parts:
    last = x.type.rank - 1
    made = SideBySide(one_of(x, last, 0), one_of(x, last, 1))
    made.whole = x
    return made


def side_by_side(x: Parts) -> Value:
    if isinstance(x, SideBySide):
        return x.whole
    shape = x.real.type.shape
    columns = [op("reshape", part, shape=(*shape, 1)) for part in x]
    return op("concatenate", *columns, axis=len(shape))
