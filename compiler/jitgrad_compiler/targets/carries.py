"""The carries of a loop that lie in memory. One whose new value can be written over the old one stays where it is; others go to and
fro between two places, the last of which is the result's.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from ..ir.types import BOOL, ArrayType
from .emitter import Emitter
from .llvm_text import PTR, Reg

Copy = Callable[[Reg, Reg, int], None]
"""Writes so many bytes to the first place from the second one."""


class Loop(Protocol):
    """The loop's kernel in the making."""

    e: Emitter
    results: list[Reg]

    def reserve(self, nbytes: int, /) -> int: ...

    def at(self, place: int) -> Reg: ...


class Carries:
    """Where the carries of a loop are read and written in the step that comes next. Those of the numbers `in_place` stay."""

    def __init__(self, loop: Loop, in_place: Collection[int], types: Sequence[ArrayType], copy: Copy) -> None:
        self.loop, self.types, self.copy = loop, types, copy
        self.spare = [None if n in in_place else loop.reserve(t.nbytes) for n, t in enumerate(types)]

    def begin(self, starts: Sequence[Reg], odd: bool) -> None:
        """Before the first step. `odd`: the first new values go to the results' own places."""
        c, e = self.loop, self.loop.e
        self.held: list[Reg] = []
        self.next: list[Reg] = []
        self.other: list[Reg] = []
        for start, result, spare, t in zip(starts, c.results, self.spare, self.types, strict=False):
            places = [result, result, result]
            if spare is None:
                self._move(result, start, t.nbytes)  # kernels/memory.py may have given it that place
            else:
                here, there = (result, c.at(spare)) if odd else (c.at(spare), result)
                places = [start, here, there]
            for slots, place in zip((self.held, self.next, self.other), places, strict=True):
                slots.append(e.alloca(PTR))
                e.set(slots[-1], place)

    def now(self) -> list[Reg]:
        return [self.loop.e.get(s, PTR) for s in self.held]

    def new(self) -> list[Reg]:
        return [self.loop.e.get(s, PTR) for s in self.next]

    def advance(self) -> None:
        """The new carries are the old ones of the next step."""
        e = self.loop.e
        for held, new, other, spare in zip(self.held, self.next, self.other, self.spare, strict=True):
            if spare is not None:
                written, free = e.get(new, PTR), e.get(other, PTR)
                e.set(held, written)
                e.set(new, free)
                e.set(other, written)

    def end(self) -> None:
        """After the last step: what lies elsewhere is moved to the result's place."""
        for held, result, spare, t in zip(self.held, self.loop.results, self.spare, self.types, strict=False):
            if spare is not None:
                self._move(result, self.loop.e.get(held, PTR), t.nbytes)

    def _move(self, target: Reg, source: Reg, nbytes: int) -> None:
        """A copy, where the places differ."""
        e = self.loop.e
        if nbytes:
            with e.when(e.op(f"icmp ne ptr {source.text}, {target.text}", BOOL)):
                self.copy(target, source, nbytes)
