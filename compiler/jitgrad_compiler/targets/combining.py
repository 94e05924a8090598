"""How values of a reduction are combined: where they start, how two become one, how lanes become one, always in the same order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..ir.graph import OPS
from ..ir.types import BOOL, DType
from ..ops.arithmetic import extreme
from .emitter import Emitter
from .llvm_text import Reg

ORDERS = {"max": "gt", "min": "lt"}


def identity(combine: str, dtype: DType) -> Any:
    """The number that a combination starts from."""
    if combine in ("add", "or"):
        return 0
    if combine == "mul":
        return 1
    if combine == "and":
        return True if dtype == BOOL else -1
    greatest = combine in ("min", "argmin")
    if dtype.is_float:
        return np.inf if greatest else -np.inf
    if dtype == BOOL:
        return greatest
    info: Any = np.iinfo(dtype.numpy)
    return int(info.max if greatest else info.min)


def joined(e: Emitter, combine: str, a: Reg, b: Reg) -> Reg:
    """Two values, or vectors of them, combined. Of zeros with two signs max and min give any, which takes half the instructions."""
    if combine in ORDERS:
        result: Reg = extreme(e, ORDERS[combine], a, b)
        return result
    emit: Any = OPS[combine].emit
    result = emit(e, a, b)
    return result


def filled(e: Emitter, combine: str, value: Reg, mask: Reg | None) -> Reg:
    """The value, with what combines to nothing in the lanes that are masked off."""
    return value if mask is None else e.select(mask, value, e.const(identity(combine, value.type), value.type))


def joined_pairwise(e: Emitter, combine: str, parts: Sequence[Reg]) -> Reg:
    """Vectors combined by a fixed tree; their number is a power of two."""
    values = list(parts)
    while len(values) > 1:
        half = len(values) // 2
        values = [joined(e, combine, values[i], values[i + half]) for i in range(half)]
    return values[0]


def folded(e: Emitter, combine: str, value: Reg) -> Reg:
    """Lanes combined by a fixed tree."""
    return e.fold(lambda a, b: joined(e, combine, a, b), value)


def beats(e: Emitter, order: str, value: Reg, best: Reg) -> Reg:
    """Whether a value is better than the best so far; a NaN is better than any number."""
    if value.type == BOOL:
        return e.and_(value, e.not_(best)) if order == "argmax" else e.and_(e.not_(value), best)
    better = e.compare("gt" if order == "argmax" else "lt", value, best)
    if not value.type.is_float:
        return better
    return e.or_(better, e.and_(e.isnan(value), e.not_(e.isnan(best))))


def first_best(e: Emitter, order: str, value: Reg, place: Reg) -> Reg:
    """The place of the best of all lanes; of equal ones the first."""
    while value.width > 1:
        low, high = range(value.width // 2), range(value.width // 2, value.width)
        v0, v1 = e.shuffle(value, value, low), e.shuffle(value, value, high)
        p0, p1 = e.shuffle(place, place, low), e.shuffle(place, place, high)
        wins, loses = beats(e, order, v1, v0), beats(e, order, v0, v1)
        second = e.or_(wins, e.and_(e.not_(loses), e.compare("lt", p1, p0)))
        value, place = e.select(second, v1, v0), e.select(second, p1, p0)
    return place
