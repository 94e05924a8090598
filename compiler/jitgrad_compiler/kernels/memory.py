"""The memory plan: where every intermediate value lies in a program's one arena, from when to when.

Values that are never alive together share bytes. Places are given largest first, each the lowest that is free for its lifetime
(greedy by size; Pisarchyk and Lee, Efficient memory management for deep neural net inference, 2020).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from ..ir.graph import Atom, Eqn, Graph, Var
from ..ir.types import TapeType
from .affine import Affine
from .expression import Load, walk
from .kernel import Kernel

ALIGNMENT = 64


@dataclass
class MemoryPlan:
    """Offsets into the arena of intermediate values and kernels' scratch memory; which output takes which donated input's place."""

    values: dict[Var, int]
    scratch: dict[int, int]
    arena_bytes: int
    donated: dict[Var, Var]
    handed_on: dict[Var, tuple[Var, ...]]
    """Outputs that may be written over the inputs they were paired with, and these."""


@dataclass
class _Block:
    size: int
    first: int
    last: int
    offset: int = 0


def aligned(size: int) -> int:
    return -(-max(size, 1) // ALIGNMENT) * ALIGNMENT


def updates_in_place(graph: Graph, pairs: Sequence[tuple[Atom, Var]]) -> dict[Var, list[Eqn]]:
    """For each output that is an input with windows or places of it changed, and nothing else: the equations that change it, in
    order.

    Nobody else reads what lies between them, so all of them can work on one memory.
    """
    made = {v: e for e in graph.eqns for v in e.outputs}
    uses: dict[Atom, int] = {}
    for a in [*[a for e in graph.eqns for a in e.inputs], *graph.outputs]:
        uses[a] = uses.get(a, 0) + 1
    found: dict[Var, list[Eqn]] = {}
    for out, given in pairs:
        chain: list[Eqn] = []
        below: Atom = out
        while isinstance(below, Var) and below in made and made[below].op.traits.updates and uses[below] == 1:
            chain.append(made[below])
            below = made[below].inputs[0]
        if chain and below is given:
            found[out] = chain[::-1]  # type: ignore[index]
    return found


def plan_memory(
    kernels: Sequence[Kernel],
    scratch: Sequence[int],
    inputs: Sequence[Var],
    outputs: Sequence[Var],
    donated: Sequence[Var] = (),
    pairs: Sequence[tuple[Atom, Var]] = (),
    same: Mapping[Var, Var] = MappingProxyType({}),
) -> MemoryPlan:
    """Places for everything that kernels write and that is no output; `scratch[i]` bytes are for kernel i while it runs.
    `pairs` are outputs and inputs of a loop's body that are one carry; `same` says which values lie in an output's memory.
    """
    outside = {*inputs, *outputs, *same}
    last_use: dict[Var, int] = {}
    for n, k in enumerate(kernels):
        for v in k.inputs:
            last_use[v] = n
    blocks: dict[Var | int, _Block] = {}
    for n, k in enumerate(kernels):
        for v in k.outputs:
            if v not in outside:
                blocks[v] = _Block(aligned(v.type.nbytes), n, last_use.get(v, n))
                if isinstance(v.type, TapeType):  # its record is made before the first kernel and freed behind the last
                    blocks[v].first, blocks[v].last = 0, len(kernels)
        if scratch[n]:
            blocks[n] = _Block(aligned(scratch[n]), n, n)
    size = _place(sorted(blocks.values(), key=lambda b: (-b.size, b.first)))
    values = {key: b.offset for key, b in blocks.items() if isinstance(key, Var)}
    # no kernel writes a value without elements, but loops ask where it is
    values |= {v: 0 for k in kernels for v in k.inputs if not v.type.size and v not in outside and v not in values}
    rooms = {key: b.offset for key, b in blocks.items() if isinstance(key, int)}
    made: dict[Var, int] = {}
    for n, k in enumerate(kernels):
        for v in k.outputs:
            made.setdefault(same.get(v, v), n)  # the first that writes there
    handed_on: dict[Var, tuple[Var, ...]] = {}
    for out, v in pairs:
        if isinstance(out, Var) and out in made and _may_overwrite(kernels, last_use, made, v, out):
            handed_on[out] = (*handed_on.get(out, ()), v)
    return MemoryPlan(values, rooms, size, _reused(kernels, last_use, made, outputs, donated), handed_on)


def _place(blocks: Sequence[_Block]) -> int:
    """Gives each block in turn the lowest offset that is free while it is alive; the size of all together."""
    first, last, begin, end = np.zeros((4, len(blocks)), np.int64)
    for n, b in enumerate(blocks):
        first[n], last[n] = b.first, b.last
        together = np.flatnonzero((first[:n] <= b.last) & (last[:n] >= b.first))
        together = together[np.argsort(begin[together], kind="stable")]
        reach = np.maximum.accumulate(np.append(0, end[together]))  # where what lies below each of them ends
        fits = np.append(begin[together], np.iinfo(np.int64).max) >= reach + b.size
        b.offset = int(reach[np.argmax(fits)])
        begin[n], end[n] = b.offset, b.offset + b.size
    return int(end.max(initial=0))


def _reused(
    kernels: Sequence[Kernel], last_use: Mapping[Var, int], made: Mapping[Var, int], outputs: Sequence[Var], donated: Sequence[Var]
) -> dict[Var, Var]:
    """Outputs that can be written over a donated input."""
    free = list(donated)
    found: dict[Var, Var] = {}
    for out in outputs:
        for v in free:
            if v.type == out.type and out in made and _may_overwrite(kernels, last_use, made, v, out):
                found[out] = v
                free.remove(v)
                break
    return found


def _may_overwrite(
    kernels: Sequence[Kernel], last_use: Mapping[Var, int], made: Mapping[Var, int], source: Var, target: Var
) -> bool:
    """Whether the source is read no later than the target is written, and in the same kernel only at the same place."""
    before = last_use.get(source, -1)
    return before < made[target] or before == made[target] and _in_place(kernels[before], source, target)


def _in_place(kernel: Kernel, source: Var, target: Var) -> bool:
    """Whether every element of the source is read only where, and before, the target's is written."""
    if kernel.kind not in ("loops", "contract"):
        updates = any(e.op.traits.updates and e.inputs[0] is source and source not in e.inputs[1:] for e in kernel.eqns)
        return updates or _is_carried(kernel, source, target)
    if kernel.reductions:
        return False
    operands = [] if kernel.contraction is None else walk([kernel.contraction.left, kernel.contraction.right])
    if any(isinstance(n, Load) and n.source is source for n in operands):
        return False
    written: Affine | None = next((s.offset for s in kernel.stores if s.target is target), None)
    reads = [n for n in walk(kernel.roots()) if isinstance(n, Load) and n.source is source]
    return all(n.offset == written for n in reads)


def _is_carried(kernel: Kernel, source: Var, target: Var) -> bool:
    """Whether a loop of kernels begins with the source, which it reads as nothing else, and ends with the target, and each of its
    steps writes the new value over the old one.
    """
    if kernel.kind not in ("scan", "while_loop") or not kernel.programs:
        return False
    (e,) = kernel.eqns
    known_length = kernel.kind == "scan" and e.params["length"] is not None
    first = e.params["consts"] + (kernel.kind == "scan" and not known_length)
    carry = next((n for n in kernel.programs[0].in_place if n < len(e.outputs) and e.outputs[n] is target), None)
    return carry is not None and e.inputs[first + carry] is source and e.inputs.count(source) == 1
