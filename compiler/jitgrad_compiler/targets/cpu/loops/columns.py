"""Columns: the vector runs along the kept axes, and a reduction is a plain loop with its sums in registers."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from ....kernels.affine import Axis, linear
from ....kernels.kernel import Kernel
from ...emitter import Emitter
from ...expressions import Expressions, reduced_nodes
from ...llvm_text import Reg
from ..long_sums import cut, rounds, runs
from .accumulators import Accumulator
from .schedule import Schedule


def emit_columns(e: Emitter, x: Expressions, kernel: Kernel, s: Schedule, together: int = 1) -> None:
    """So many vectors that lie side by side in the vector axis, at whose first element its axis value stands."""
    if not kernel.reductions:
        _write_pairs(e, x, kernel, s)
        return
    roots = [r.operand for r in kernel.reductions]
    apart = s.unrolled if s.unrolled is not None else s.vector_axis if together > 1 else None
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

    x.stage = 0
    x.hoist(roots, [*s.inner, *([apart] if apart is not None else [])])
    fixed: list[dict[Any, Reg]] = [{} for _ in steps]
    for u, step in enumerate(steps):  # what varies along the axis that is written out, but not along the reduction
        _go_to(x, step)
        x.scopes.append(fixed[u])
        x.hoist(roots, s.inner)
        x.scopes.pop()
    with ExitStack() as loops:
        for n, axis in enumerate(s.inner):
            steps_of_run = runs_at.steps if runs_at is not None and runs_at.loop == n else None
            x.axis_values[axis] = loops.enter_context(runs(e, 0, axis.extent, 1, steps_of_run, close))
        loops.enter_context(x.scope())
        if apart is not None:
            x.hoist(roots, [apart])
        for u, step in enumerate(steps):
            _go_to(x, step)
            x.scopes.append(dict(fixed[u]))
            for r in kernel.reductions:
                running[id(r), u].add(e, x.emit(r.operand))
            x.scopes.pop()
    for u, step in enumerate(steps):
        _go_to(x, step)
        with x.scope():
            _finish(e, x, kernel, {r.name: running[id(r), u].value(e) for r in kernel.reductions})


def _steps(e: Emitter, s: Schedule, x: Expressions, together: int) -> list[tuple[Axis, Reg | int] | None]:
    """What is written out one after the other in the body of the loop: an axis and its value there."""
    if s.unrolled is not None:
        return [(s.unrolled, u) for u in range(s.unrolled.extent)]
    axis = s.vector_axis
    if axis is None or together == 1:
        return [None]
    first = x.axis_values[axis]
    return [(axis, e.add(first, u * s.width)) for u in range(together)]


def _go_to(x: Expressions, step: tuple[Axis, Reg | int] | None) -> None:
    if step is not None:
        x.axis_values[step[0]] = step[1]


def _write_pairs(e: Emitter, x: Expressions, kernel: Kernel, s: Schedule) -> None:
    """A map whose last axis has two steps: both values before the first store, which may be over what the second is made from."""
    x.hoist([st.node for st in kernel.stores], [s.unrolled] if s.unrolled is not None else [])
    steps, values = _steps(e, s, x, 1), []
    for step in steps:
        _go_to(x, step)
        with x.scope():
            values.append([x.emit(st.node) for st in kernel.stores])
    _go_to(x, steps[0])
    with x.scope():
        for st, first, second in zip(kernel.stores, *values, strict=True):
            x.store_pairs(x.pointers[st.target], st.offset, first, second)


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
