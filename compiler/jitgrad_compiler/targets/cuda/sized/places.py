"""Arrays whose elements are another's at places that strides tell: broadcasts, transposes, slices and reversals of any size."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ....ir.types import I64, DType, unsigned_integer
from ....kernels.tuning import Tuning
from .kernel import SizedKernel, Writer

MOST_AXES = 6
"""Of arrays that kernels take; of those that tell axes apart which cannot be made one."""


class Strided(NamedTuple):
    """Which elements of an operand the result has, in order: those `start` and the strides lead to, by elements."""

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


def row_major(shape: Sequence[int]) -> list[int]:
    """The strides of an array's axes."""
    return [math.prod(shape[n + 1 :]) for n in range(len(shape))]


def strided(op: str, params: Mapping[str, Any], shape: tuple[int, ...], result: tuple[int, ...]) -> Strided | None:
    """What an op makes of an operand of this shape; None where it is none of these."""
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
    elif op == "reverse":
        start = sum(steps[n] * (shape[n] - 1) for n in params["axes"])
        sizes, steps = shape, [-s if n in params["axes"] else s for n, s in enumerate(steps)]
    else:
        return None
    return Strided(sizes, tuple(steps), start).merged()


def emit_places(name: str, axes: int, bits: int, index: DType, tuning: Tuning) -> SizedKernel:
    """The kernel of results with so many axes, of elements of so many bits. Its arguments are the operand, the result, the number
    of elements, where to start, the sizes of all axes but the first, and the strides of all. `index` is the type that numbers of
    elements are divided in, U32 where they fit, as a GPU takes several times as long over 64 bits.
    """
    sizes, strides = [f"size{n}" for n in range(1, axes)], [f"stride{n}" for n in range(axes)]
    w = Writer(name, ("source", "target"), ("count", "start", *sizes, *strides), False, tuning)
    e, source, target, dtype = w.e, w.pointer("source"), w.pointer("target"), unsigned_integer(bits)
    number = w.thread()
    with e.when(e.compare("lt", number, w.word("count"))):
        rest, place = e.convert(number, index), w.word("start")
        for size, stride in reversed(list(zip(sizes, strides[1:], strict=True))):
            extent = e.convert(w.word(size), index)
            whole = e.div(rest, extent)
            here = e.sub(rest, e.mul(whole, extent))
            place = e.add(place, e.mul(e.convert(here, I64), w.word(stride)))
            rest = whole
        place = e.add(place, e.mul(e.convert(rest, I64), w.word(strides[0])))
        e.store(e.offset(target, number, dtype), e.load(e.offset(source, place, dtype), dtype))
    return w.finish()
