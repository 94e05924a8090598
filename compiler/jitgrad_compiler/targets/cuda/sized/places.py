"""Elements that are read or written at places which strides and indices tell: broadcasts, transposes, slices, reversals, gathers
and windows of any size; and the numbers of elements along an axis.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ....ir.types import BOOL, I64, U64, DType, unsigned_integer
from ....kernels.tuning import Tuning
from ...llvm_text import Reg
from .kernel import SizedKernel, Writer

MOST_AXES = 6
"""Of arrays that kernels take; of those that tell axes apart which cannot be made one."""


class Strided(NamedTuple):
    """Places of elements, in order: those `start` and the strides lead to, by elements."""

    sizes: tuple[int, ...]
    strides: tuple[int, ...]
    start: int = 0

    def merged(self) -> Strided:
        """The same with as few axes as possible, but one at least."""
        sizes: list[int] = []
        strides: list[int] = []
        for size, stride in zip(self.sizes, self.strides, strict=True):
            if size == 1:
                continue
            if sizes and strides[-1] == size * stride:
                sizes[-1] *= size
                strides[-1] = stride
            else:
                sizes.append(size)
                strides.append(stride)
        return Strided(tuple(sizes) or (1,), tuple(strides) or (1,), self.start)

    def of_words(self, words: int) -> Strided:
        """The same where each element is so many, side by side."""
        if words == 1:
            return self
        return Strided((*self.sizes, words), (*[s * words for s in self.strides], 1), self.start * words).merged()


def row_major(shape: Sequence[int]) -> list[int]:
    """The strides of an array's axes."""
    return [math.prod(shape[n + 1 :]) for n in range(len(shape))]


def strided(op: str, params: Mapping[str, Any], shape: tuple[int, ...], result: tuple[int, ...]) -> Strided:
    """What an op makes of an operand of this shape, one of LAID."""
    steps, start = row_major(shape), 0
    if op == "reshape":
        sizes, steps = shape, steps
    elif op == "transpose":
        sizes, steps = result, [steps[n] for n in params["permutation"]]
    elif op == "broadcast":
        spread = [0] * len(result)
        for n, axis in enumerate(params["dims"]):
            spread[axis] = steps[n] if shape[n] == result[axis] else 0
        sizes, steps = result, spread
    elif op == "slice":
        start = sum(s * first for s, first in zip(steps, params["start"], strict=True))
        sizes, steps = result, [s * by for s, by in zip(steps, params["strides"], strict=True)]
    elif op == "windows":
        sizes, steps = result, [s * by for name in ("strides", "dilation") for s, by in zip(steps, params[name], strict=True)]
    else:
        assert op == "reverse", op
        start = sum(steps[n] * (shape[n] - 1) for n in params["axes"])
        sizes, steps = shape, [-s if n in params["axes"] else s for n, s in enumerate(steps)]
    return Strided(sizes, tuple(steps), start).merged()


LAID = ("reshape", "transpose", "broadcast", "slice", "reverse", "windows")


class Way(NamedTuple):
    """How a kernel moves elements of so many bits, whose places have so many strided axes. `into`: it reads them in order and
    writes them there, else the other way round. `keys`: the types of the indices of a row, which lie at addresses of their own;
    `fills`: where a row's are outside, zeros are read, else they are held inside. `number`: the type that numbers of elements are
    divided in, U32 where they fit, as a GPU takes several times as long over 64 bits.
    """

    bits: int
    axes: int
    number: DType
    into: bool = False
    keys: tuple[DType, ...] = ()
    fills: bool = False


def emit_places(name: str, way: Way, tuning: Tuning) -> SizedKernel:
    """The kernel. Its arguments are the operand, the result, the indices of the first row for each key; the number of elements,
    where to start, the sizes of all strided axes but the first, and the strides of all; with keys then the elements of a row, the
    rows of a batch, how far batches are apart, and for each key the last index and how far places are apart.
    """
    keys = range(len(way.keys))
    sizes, strides = [f"size{n}" for n in range(1, way.axes)], [f"stride{n}" for n in range(way.axes)]
    words = ["count", "start", *sizes, *strides]
    if way.keys:
        words += ["whole", "rows", "batch", *[f"{word}{n}" for n in keys for word in ("last", "apart")]]
    w = Writer(name, ("source", "target", *[f"key{n}" for n in keys]), words, False, tuning)
    e, source, target, dtype = w.e, w.pointer("source"), w.pointer("target"), unsigned_integer(way.bits)
    number = w.thread()
    with e.when(e.compare("lt", number, w.word("count"))):
        rest, place, inside = e.convert(number, way.number), w.word("start"), None
        if way.keys:
            whole = e.convert(w.word("whole"), way.number)
            row = e.div(rest, whole)
            rest = e.sub(rest, e.mul(row, whole))
            batch = e.convert(e.div(row, e.convert(w.word("rows"), way.number)), I64)
            place, inside = _at_row(w, way, e.convert(row, I64), e.add(place, e.mul(batch, w.word("batch"))))
        for size, stride in reversed(list(zip(sizes, strides[1:], strict=True))):
            extent = e.convert(w.word(size), way.number)
            over = e.div(rest, extent)
            here = e.sub(rest, e.mul(over, extent))
            place = e.add(place, e.mul(e.convert(here, I64), w.word(stride)))
            rest = over
        place = e.add(place, e.mul(e.convert(rest, I64), w.word(strides[0])))
        read, written = (number, place) if way.into else (place, number)
        value = e.load(e.offset(source, read, dtype), dtype)
        if way.fills and inside is not None:
            value = e.select(inside, value, 0)
        e.store(e.offset(target, written, dtype), value)
    return w.finish()


def _at_row(w: Writer, way: Way, row: Reg, place: Reg) -> tuple[Reg, Reg]:
    """Where the place that a row's indices lead to lies, and whether they are all inside."""
    e, inside = w.e, w.e.const(True, BOOL)
    first = e.mul(row, len(way.keys))
    for n, dtype in enumerate(way.keys):
        index = e.load(e.offset(w.pointer(f"key{n}"), first, dtype), dtype)
        last = w.word(f"last{n}")
        if dtype == U64:  # the largest ones would be below zero
            high = e.compare("gt", index, e.convert(last, U64))
            index = e.select(high, last, e.convert(index, I64))
        else:
            index = e.convert(index, I64)
            high = e.compare("gt", index, last)
            index = e.select(high, last, index)
        low = e.compare("lt", index, 0)
        inside = e.and_(inside, e.not_(e.or_(low, high)))
        place = e.add(place, e.mul(e.select(low, e.const(0, I64), index), w.word(f"apart{n}")))
    return place, inside


def emit_numbers(name: str, dtype: DType, index: DType, tuning: Tuning) -> SizedKernel:
    """The kernel of an array whose elements are their own numbers along an axis. Its arguments are the result, the number of
    elements, how many there are behind an element of the axis, and the axis' size.
    """
    w = Writer(name, ("target",), ("count", "behind", "size"), False, tuning)
    e, target = w.e, w.pointer("target")
    number = w.thread()
    with e.when(e.compare("lt", number, w.word("count"))):
        along = e.div(e.convert(number, index), e.convert(w.word("behind"), index))
        e.store(e.offset(target, number, dtype), e.convert(e.rem(along, e.convert(w.word("size"), index)), dtype))
    return w.finish()
