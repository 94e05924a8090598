"""Choices of a replay that go one way: what is computed for the other way alone is left out.

replay.py writes each operation down as lines of Python; `arranged` puts them in order, those that one side of a `select` alone
needs below an `if`. Where all elements take one side, that side is the result.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from jitgrad_compiler.ir.graph import OPS, Atom, Eqn, Var

FEWEST = 3
"""Operations of one side that are worth asking for."""
LISTED = 64
"""Elements up to which Python looks through a list sooner than NumPy through an array."""

DEEPEST = 20
"""Choices inside of each other that are asked for; Python takes no more than a hundred levels."""

Step = tuple[Eqn, list[str]]
"""An operation, and what is written down for it."""


def arranged(steps: Sequence[Step], outputs: Sequence[Atom], names: Mapping[Any, str], left: Collection[Var]) -> list[str]:
    """The lines of all steps. `left` are broadcasts that are not made."""
    return _Arranged(steps, outputs, names, left).lines(range(len(steps)))


class _Arranged:
    def __init__(self, steps: Sequence[Step], outputs: Sequence[Atom], names: Mapping[Any, str], left: Collection[Var]) -> None:
        self.steps, self.names, self.left = steps, names, left
        self.made: dict[Any, int] = {v: i for i, (e, _) in enumerate(steps) for v in e.outputs}
        self.readers: dict[Atom, list[tuple[int, int]]] = {v: [(-1, 0)] for v in outputs}
        for i, (e, _) in enumerate(steps):
            for slot, a in enumerate(e.inputs):
                self.readers.setdefault(a, []).append((i, slot))

    def lines(self, level: Sequence[int], depth: int = 0) -> list[str]:
        sides: dict[int, list[list[int]]] = {}
        below: set[int] = set()
        for i in reversed(level):
            if depth < DEEPEST and i not in below and self.is_choice(self.steps[i][0]):
                sides[i] = [self.only_for(i, slot) for slot in (1, 2)]
                below.update(*sides[i])
        return [line for i in level if i not in below for line in self.step(i, sides.get(i, [[], []]), depth)]

    def is_choice(self, e: Eqn) -> bool:
        return e.op is OPS["select"] and e.inputs[0] in self.names and e.outputs[0].type.size > 0

    def only_for(self, i: int, slot: int) -> list[int]:
        """The steps of which nothing but this operand of a step needs the results, if they may be left out."""
        e = self.steps[i][0]
        other = e.inputs[3 - slot]
        if not isinstance(other, Var) or other not in self.names or other in self.left or other.type != e.outputs[0].type:
            return []
        found: set[int] = set()
        waiting = [-self.made[a] for a in e.inputs[slot : slot + 1] if a in self.made]  # the last of them first
        while waiting:
            k = -heapq.heappop(waiting)
            if k not in found and all(j in found or (j, s) == (i, slot) for v in self.steps[k][0].outputs for j, s in self.read(v)):
                found.add(k)
                for a in self.steps[k][0].inputs:
                    if a in self.made:
                        heapq.heappush(waiting, -self.made[a])
        return sorted(found) if len(found) >= FEWEST else []

    def read(self, v: Var) -> list[tuple[int, int]]:
        return self.readers.get(v, [])

    def step(self, i: int, sides: list[list[int]], depth: int) -> list[str]:
        e, written = self.steps[i]
        first, second = sides
        if not first and not second:
            return written
        condition, one, other = (self.names.get(a, "") for a in e.inputs)
        if e.inputs[0].type.size <= LISTED:
            lines = [f"t = {condition}.ravel().tolist()", f"some{i}, others{i} = True in t, False in t"]
        else:
            lines = [f"some{i}, others{i} = {condition}.any(), not {condition}.all()"]
        for asked, side in ((f"some{i}", first), (f"others{i}", second)):
            if side:
                lines += [f"if {asked}:", *_indented(self.lines(side, depth + 1))]
        result = self.names[e.outputs[0]]
        if second:
            lines += [f"if not others{i}:", f"    {result} = {one}.copy()"]
        if first:
            lines += [f"{'el' * bool(second)}if not some{i}:", f"    {result} = {other}.copy()"]
        return [*lines, "else:", *_indented(written)]


def _indented(lines: list[str]) -> list[str]:
    return ["    " + line for line in lines]
