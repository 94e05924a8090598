"""Columns: the vector runs along the kept axes, and a reduction is a plain loop with its sums in registers."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from ....ir.types import I32
from ....kernels.affine import Axis, axis_index, linear
from ....kernels.expression import Load, Node, walk
from ....kernels.kernel import Kernel
from ...accumulators import Accumulator
from ...emitter import Emitter
from ...expressions import Expressions, reduced_nodes
from ...llvm_text import Reg
from ...long_sums import cut, rounds, runs
from .schedule import Schedule, takes_turns


def emit_columns(e: Emitter, x: Expressions, kernel: Kernel, s: Schedule, together: int = 1) -> None:
    """So many vectors that lie side by side in the vector axis, at whose first element its axis value stands."""
    if not kernel.reductions:
        _write_out(e, x, kernel, s)
        return
    roots = [r.operand for r in kernel.reductions]
    apart = s.unrolled if s.unrolled or together == 1 else [a for a in (s.vector_axis,) if a is not None]
    steps = _steps(e, s, x, together)
    runs_at = cut([a.extent for a in s.inner]) if any(rounds(r.combine, r.dtype) for r in kernel.reductions) else None
    running = {
        (id(r), u): Accumulator(r, "row", s.width).start(e, 1, runs_at is not None and rounds(r.combine, r.dtype))
        for r in kernel.reductions
        for u in range(len(steps))
    }

    def close() -> None:
        for a in running.values():
            a.close(e)

    far = _far_loads(e, s, roots)
    x.stage = 0
    x.hoist(roots, [*s.inner, *apart])
    fixed: list[dict[Any, Reg]] = [{} for _ in steps]
    for u, step in enumerate(steps):  # what varies along the axes that are written out, but not along the reduction
        x.axis_values.update(step)
        x.scopes.append(fixed[u])
        x.hoist(roots, s.inner)
        x.scopes.pop()
    with ExitStack() as loops:
        for n, axis in enumerate(s.inner):
            steps_of_run = runs_at.steps if runs_at is not None and runs_at.loop == n else None
            x.axis_values[axis] = loops.enter_context(runs(e, 0, axis.extent, 1, steps_of_run, close))
        loops.enter_context(x.scope())
        if apart:
            x.hoist(roots, apart)
        for u, step in enumerate(steps):
            x.axis_values.update(step)
            x.scopes.append(dict(fixed[u]))
            for r in kernel.reductions:
                running[id(r), u].add(e, x.emit(r.operand))
            _ask_ahead(e, x, far)
            x.scopes.pop()
    for u, step in enumerate(steps):
        x.axis_values.update(step)
        with x.scope():
            _finish(e, x, kernel, {r.name: running[id(r), u].value(e) for r in kernel.reductions})


def _steps(e: Emitter, s: Schedule, x: Expressions, together: int) -> Sequence[Mapping[Axis, Reg | int]]:
    """What is written out one after the other in the body of the loop: the values of some axes there."""
    axis = s.vector_axis
    if s.unrolled or axis is None or together == 1:
        return written_out(s.unrolled)
    first = x.axis_values[axis]
    return [{axis: e.add(first, u * s.width)} for u in range(together)]


def written_out(axes: Sequence[Axis]) -> list[dict[Axis, int]]:
    """All steps of some axes."""
    return [dict(zip(axes, step, strict=True)) for step in itertools.product(*[range(a.extent) for a in axes])]


def _far_loads(e: Emitter, s: Schedule, roots: Sequence[Node]) -> list[tuple[Load, int]]:
    """What is read of large arrays from rows so far apart that hardware does not foresee the next; how many elements that is."""
    found, tuning = [], e.module.tuning.loops
    for n in walk(roots) if s.inner else ():
        if isinstance(n, Load) and n.guard is None and s.vector_axis in n.offset.axes:
            stride, nbytes = n.offset.factor(s.inner[-1]) or 0, n.dtype.nbytes
            if abs(stride) * nbytes >= tuning.far_bytes and n.source.type.size * nbytes >= tuning.large_bytes:
                found.append((n, stride))
    return found


def _ask_ahead(e: Emitter, x: Expressions, far: Sequence[tuple[Load, int]]) -> None:
    """Have what lies some rows further fetched while this row is added."""
    for n, stride in far:
        place = e.add(x.scalar_index(n.offset), stride * e.module.tuning.loops.rows_ahead)
        e.prefetch(e.offset(x.pointers[n.source], place, n.dtype))


def _write_out(e: Emitter, x: Expressions, kernel: Kernel, s: Schedule) -> None:
    """A map, for each step of the axes that are written out. Where the steps of the last of these lie side by side in memory,
    vectors of all are written together. All values come before the first store, which may be over what another is made from.
    """
    x.hoist([st.node for st in kernel.stores], s.unrolled)
    before, last = s.unrolled[:-1], s.unrolled[-1:]
    axis, whole = s.vector_axis, x.mask
    assert axis is not None
    together = bool(last) and all(takes_turns(st, axis, last[0]) for st in kernel.stores)
    for step in written_out(before if together else s.unrolled):
        with ExitStack() as steps:
            for c in s.cuts:  # the last step of an axis may lack some remainders
                if c.steps is not axis and (count := c.count(step.get(c.remainder, 0))) < c.steps.extent:
                    steps.enter_context(e.when(e.compare("lt", x.scalar_index(axis_index(c.steps)), count)))
            steps.enter_context(x.scope())
            x.axis_values.update(step)
            values, masks = [], []
            for rest in written_out(last) if together else [{}]:
                x.axis_values.update(rest)
                x.mask = _mask(e, x, s, whole)
                with x.scope():
                    values.append([x.emit(st.node) for st in kernel.stores])
                masks.append(x.mask)
            if together:
                x.axis_values[last[0]] = 0
            for n, st in enumerate(kernel.stores):
                if together:
                    x.store_interleaved(x.pointers[st.target], st.offset, [v[n] for v in values], masks)
                else:
                    x.store(x.pointers[st.target], st.offset, values[0][n])
            x.mask = whole


def _mask(e: Emitter, x: Expressions, s: Schedule, whole: Reg | None) -> Reg | None:
    """The lanes of the vector axis that have an element with the remainder at hand; `whole`: those within the axis."""
    for c in s.cuts:
        if c.steps is s.vector_axis:
            count = c.count(x.axis_values[c.remainder])  # type: ignore[arg-type]
            if count < c.steps.extent:
                return e.lanes_below(e.convert(e.sub(count, x.scalar_index(axis_index(c.steps))), I32), s.width)
    return whole


def _finish(e: Emitter, x: Expressions, kernel: Kernel, values: dict[str, Reg]) -> None:
    """The reductions' results stored, and what the kernel goes on to compute from them."""
    for node in reduced_nodes(kernel.roots()):
        x.bind(node, values[node.reduction.name])
    for r in kernel.reductions:
        if r.stored:
            x.store(x.pointers[r.result], linear(r.index, r.result.type.shape), values[r.name])
    for stage in (0, 1):
        x.stage = stage
        stores = [st for st in kernel.stores if st.node.stage == stage]
        emitted = [x.emit(st.node) for st in stores]  # all before the first store, which may be over what they are computed from
        for st, value in zip(stores, emitted, strict=True):
            x.store(x.pointers[st.target], st.offset, value)
