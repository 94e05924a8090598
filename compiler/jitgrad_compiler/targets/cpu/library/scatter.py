"""The kernel of scatter: x copied to the result, then the updates, in row-major order for every element of the result.

x is seen as [batch, places..., run]: indices address places, a run is the whole axes behind the last addressed one, which lie
side by side; whole axes before it are `leads`. Updates at other batches, leads or columns of a run never meet, so tasks part these.

Where many additions of float32 may meet at one place, they are done in float64 scratch memory, and rounded once. Where updates are
far more than places, tasks part the updates, and each has such memory of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ....ir.graph import Atom, Literal, Var
from ....ir.types import BOOL, F32, F64, I64, U8, U64
from ....kernels.kernel import Kernel
from ...combining import joined
from ...emitter import Emitter
from ...llvm_text import Module, Reg
from ...long_sums import LONGEST
from ...memory_operations import set_bytes
from ...order import MANY_UPDATES, SUMS_APART, VECTOR_BYTES
from ...scatter_geometry import BOOL_KINDS, Geometry, geometry_of
from ...tasks.partition import partition
from ...tasks.phases import TASK_ARGUMENTS, Emitted, Phase, Pointers
from .update import copy_tasks, emit_copy_unless_same


def emit_scatter(module: Module, name: str, kernel: Kernel, pointers: Pointers, scratch: Callable[[Emitter, Reg], Reg]) -> Emitted:
    """The task functions of scatter: the copy and the updates. A constant x stands for an array of the result's shape."""
    x, indices, updates = kernel.eqns[0].inputs
    (out,) = kernel.eqns[0].outputs
    phases, scratch_bytes = [], 0
    if out.type.size:
        phases.append(_emit_copy(module, f"{name}_copy", x, out, pointers))
        if indices.type.shape[-1] == 0 or indices.type.size:
            geometry = geometry_of(kernel)
            if geometry.batch * geometry.count * geometry.lead * geometry.run:
                updates_of = _Updates(module, name, kernel, geometry, pointers, scratch)
                phases += updates_of.emit()
                scratch_bytes = updates_of.scratch_bytes
    return Emitted(phases, scratch_bytes)


# -- the copy


def _emit_copy(module: Module, name: str, x: Atom, out: Var, pointers: Pointers) -> Phase:
    if isinstance(x, Var):
        return emit_copy_unless_same(module, name, x, out, pointers)
    size = out.type.dtype.nbytes
    parts = partition(out.type.nbytes, copy_tasks(module, out.type.nbytes), 64)
    e = Emitter(module, name, TASK_ARGUMENTS)
    args, begin, end = e.args
    found = pointers(e, args, [out])
    with e.loop(begin, end) as task:
        low, high = parts.bounds(e, task)
        target = e.offset(found[out], low, U8)
        if not any(x.value.tobytes()):
            set_bytes(e, target, 0, e.sub(high, low))
        else:
            with e.loop(0, e.div(e.sub(high, low), size)) as i:
                e.store(e.offset(target, i, out.type.dtype), e.const(x.value.item(), out.type.dtype))
    e.finish()
    return Phase(name, parts.tasks)


# -- the updates


_Body = Callable[[Reg, "Reg | None", Reg, int, "Reg | None"], None]
"""Does something to `width` columns of a run: (offset of the run, updates, column, width, mask)."""


class _Updates:
    """Emits the function that does the updates; a task is a range of batches, of leads and of the run's columns."""

    def __init__(
        self, module: Module, name: str, kernel: Kernel, geometry: Geometry, pointers: Pointers,
        scratch: Callable[[Emitter, Reg], Reg],
    ) -> None:  # fmt: skip
        eqn = kernel.eqns[0]
        _, self.indices, self.updates = eqn.inputs
        (self.out,) = eqn.outputs
        self.module, self.name, self.pointers, self.scratch, self.g = module, name, pointers, scratch, geometry
        self.dtype, self.kind = self.out.type.dtype, eqn.params["kind"]
        if self.dtype == BOOL:  # a byte of 0 or 1, of which a sum is "or"
            self.dtype, self.kind = U8, BOOL_KINDS.get(self.kind, self.kind)
        self.width = VECTOR_BYTES // self.dtype.nbytes
        self.tuning = tuning = module.tuning.scatter
        g, row_bytes = geometry, geometry.run * self.dtype.nbytes
        most = module.tuning.most_tasks if g.batch * g.count * g.lead * row_bytes >= tuning.serial_bytes else 1
        self.batches = partition(g.batch, most)
        most //= self.batches.tasks
        self.leads = partition(g.lead, most)
        most = min(most // self.leads.tasks, row_bytes // tuning.piece_bytes, tuning.most_pieces)
        self.columns = partition(g.run, most, tuning.piece_bytes // self.dtype.nbytes)

        self.count_places = math.prod(n for n, _ in g.places)
        crowded = g.count > LONGEST * self.count_places
        self.wide = (self.kind, self.dtype) == ("add", F32) and (crowded or g.count > MANY_UPDATES)
        sums_bytes = self.out.type.size * F64.nbytes if self.wide else 0
        apart = min(g.count * row_bytes // (2 * sums_bytes), SUMS_APART) if sums_bytes and g.batch * g.lead == 1 else 1
        self.apart = partition(g.count, apart if g.count * row_bytes >= tuning.serial_bytes else 1)
        """Parts of the updates that have sums of their own."""
        if self.apart.tasks > 1:
            self.columns = partition(g.run, 1)
        self.scratch_bytes = self.apart.tasks * sums_bytes

    def emit(self) -> list[Phase]:
        e = self.e = Emitter(self.module, self.name, TASK_ARGUMENTS, width=self.width)
        args, begin, end = e.args
        wanted = [a for a in (self.indices, self.updates, self.out) if isinstance(a, Var)]
        found = self.pointers(e, args, wanted)
        self.out_pointer = found[self.out]
        self.sums = whole = self.scratch(e, args) if self.wide else found[self.out]
        assert isinstance(self.indices, Var)
        g, rank = self.g, len(self.g.places)
        with e.loop(begin, end) as task:
            part = e.rem(task, self.apart.tasks)
            numbers = self.apart.bounds(e, part)
            if self.apart.tasks > 1:
                self.sums = e.offset(whole, e.mul(part, self.out.type.size), F64)
            rest = e.div(task, self.apart.tasks)
            columns = self.columns.bounds(e, e.rem(rest, self.columns.tasks))
            rest = e.div(rest, self.columns.tasks)
            leads = self.leads.bounds(e, e.rem(rest, self.leads.tasks))
            low, high = self.batches.bounds(e, e.div(rest, self.leads.tasks))
            with e.loop(low, high) as batch:
                target = e.mul(batch, g.batch_stride)
                source = None
                if isinstance(self.updates, Var):
                    source = e.offset(found[self.updates], e.mul(batch, g.count * g.lead * g.run), self.dtype)
                indices = e.offset(found[self.indices], e.mul(batch, g.count * rank), self.indices.type.dtype)
                if self.apart.tasks > 1:
                    self._start(part)
                elif self.wide:
                    self._over_places(target, indices, leads, columns, self._widen)
                with e.loop(*numbers) as number:
                    self._prefetch(target, indices, number, columns[0])
                    inside, place = self._place(indices, number)
                    with e.when(inside):
                        updates = source and e.offset(source, e.mul(number, g.lead * g.run), self.dtype)
                        self._update(e.add(target, place), updates, leads, columns, self._one)
                if self.wide and self.apart.tasks == 1:
                    self._over_places(target, indices, leads, columns, self._narrow)
        e.finish()
        phase = Phase(self.name, self.batches.tasks * self.leads.tasks * self.columns.tasks * self.apart.tasks)
        return [phase] if self.apart.tasks == 1 else [phase, self._joined()]

    # -- sums apart

    def _start(self, part: Reg) -> None:
        """The first part's sums start with what is added to, the others' with what changes no zero's sign."""
        e, size = self.e, self.out.type.size
        with e.when(e.compare("eq", part, 0)):
            self._each(0, size, lambda at, mask: self._widen(at, None, e.const(0, I64), self.width, mask))
        with e.when(e.compare("ne", part, 0)):
            nothing = e.const(-0.0, F64, self.width)
            self._each(0, size, lambda at, mask: e.store(e.offset(self.sums, at, F64), nothing, mask))

    def _each(self, low: Reg | int, high: Reg | int, body: Callable[[Reg, Reg], None]) -> None:
        """The body for vectors of elements, and for the mask of those that there are."""
        e = self.e
        end = high if isinstance(high, Reg) else e.const(high, I64)
        with e.loop(low, high, self.width) as at:
            body(at, e.lanes_below(e.sub(end, at), self.width))

    def _joined(self) -> Phase:
        """The parts' sums added up in order, and rounded."""
        parts = partition(self.out.type.size, self.module.tuning.most_tasks, self.width)
        e = self.e = Emitter(self.module, f"{self.name}_joined", TASK_ARGUMENTS, width=self.width)
        args, begin, end = e.args
        out, sums = self.pointers(e, args, [self.out])[self.out], self.scratch(e, args)

        def body(at: Reg, mask: Reg) -> None:
            total = e.load(e.offset(sums, at, F64), F64, self.width, mask)
            for n in range(1, self.apart.tasks):
                more = e.offset(e.offset(sums, at, F64), n * self.out.type.size, F64)
                total = e.add(total, e.load(more, F64, self.width, mask))
            e.store(e.offset(out, at, self.dtype), e.convert(total, self.dtype), mask)

        with e.loop(begin, end) as task:
            self._each(*parts.bounds(e, task), body)
        e.finish()
        return Phase(e.name, parts.tasks)

    # -- the parts of an update

    def _over_places(self, target: Reg, indices: Reg, leads: tuple[Reg, Reg], columns: tuple[Reg, Reg], body: _Body) -> None:
        """The body for every place that is updated, maybe several times; where places are few, for all."""
        e, g = self.e, self.g
        if 4 * g.count < self.count_places:
            with e.loop(0, g.count) as number:
                inside, place = self._place(indices, number)
                with e.when(inside):
                    self._update(e.add(target, place), None, leads, columns, body)
            return
        with e.loop(0, self.count_places) as number:
            at, rest = target, number
            for extent, stride in reversed(g.places):
                at = e.add(at, e.mul(e.rem(rest, extent), stride))
                rest = e.div(rest, extent)
            self._update(at, None, leads, columns, body)

    def _place(self, indices: Reg, number: Reg) -> tuple[Reg, Reg]:
        """Whether an index row points inside, and the offset it points to."""
        e, dtype = self.e, self.indices.type.dtype
        inside, place = e.const(True, BOOL), e.const(0, I64)
        first = e.mul(number, len(self.g.places))
        for k, (extent, stride) in enumerate(self.g.places):
            index = e.load(e.offset(indices, e.add(first, k), dtype), dtype)
            wide = e.convert(index, I64)
            inside = e.and_(e.compare("lt", e.bitcast(wide, U64), extent), inside)  # a negative one is huge without its sign
            place = e.add(e.mul(wide, stride), place)
        return inside, place

    def _prefetch(self, target: Reg, indices: Reg, number: Reg, column: Reg) -> None:
        """Ask for the first lines of the place of a later update, where places are many and each is more than a line."""
        e, g, ahead = self.e, self.g, self.tuning.ahead
        if g.count <= ahead or g.run * self.dtype.nbytes < 64 or g.lead > 1:
            return
        later = e.least(e.add(number, ahead), g.count - 1)
        inside, place = self._place(indices, later)
        at = self.e.offset(self.sums, e.add(target, e.add(e.select(inside, place, 0), column)), F64 if self.wide else self.dtype)
        for line in range(0, min(self.tuning.piece_bytes, g.run * self.dtype.nbytes), 64):
            e.prefetch(e.offset(at, line, U8), write=True)

    def _at(self, offset: Reg) -> Reg:
        return self.e.offset(self.out_pointer, offset, self.dtype)

    def _update(self, target: Reg, source: Reg | None, leads: tuple[Reg, Reg], columns: tuple[Reg, Reg], body: _Body) -> None:
        """The body for the elements at a place, whose offset is `target`."""
        e, g = self.e, self.g
        if g.lead == 1:
            self._run(target, source, columns, body)
            return
        with e.loop(*leads) as lead:
            rest, offset = lead, e.const(0, I64)
            for k, (extent, stride) in reversed(list(enumerate(g.leads))):
                offset = e.add(e.mul(e.rem(rest, extent) if k else rest, stride), offset)
                rest = e.div(rest, extent) if k else rest
            updates = source and e.offset(source, e.mul(lead, g.run), self.dtype)
            self._run(e.add(target, offset), updates, columns, body)

    def _run(self, target: Reg, source: Reg | None, columns: tuple[Reg, Reg], body: _Body) -> None:
        e, run, width = self.e, self.g.run, self.width
        if run == 1:
            body(target, source, e.const(0, I64), 1, None)
            return
        low, high = columns
        whole = run - run % width
        if whole:
            stop = e.least(high, whole) if whole < run else high
            with e.loop(low, stop, width) as column:
                body(target, source, column, width, None)
        if whole < run:
            mask = e.lanes([lane < run - whole for lane in range(width)], BOOL)
            with self._last_piece(high):
                body(target, source, e.const(whole, I64), width, mask)

    @contextmanager
    def _last_piece(self, high: Reg) -> Iterator[None]:
        """The body runs for the task whose columns reach the end of the run."""
        if self.columns.tasks == 1:
            yield
        else:
            with self.e.when(self.e.compare("eq", high, self.g.run)):
                yield

    def _one(self, target: Reg, source: Reg | None, column: Reg, width: int, mask: Reg | None) -> None:
        e, at = self.e, self.e.add(target, column)
        if source is None:
            assert isinstance(self.updates, Literal)
            value = e.const(self.updates.value.item(), self.dtype, width)
        else:
            value = e.load(e.offset(source, column, self.dtype), self.dtype, width, mask)
        place, dtype = self._at(at), self.dtype
        if self.wide:
            place, dtype, value = e.offset(self.sums, at, F64), F64, e.convert(value, F64)
        if self.kind != "set":
            value = joined(e, self.kind, e.load(place, dtype, width, mask), value)
        e.store(place, value, mask)

    def _widen(self, target: Reg, source: Reg | None, column: Reg, width: int, mask: Reg | None) -> None:
        """What is added to, in float64."""
        e, at = self.e, self.e.add(target, column)
        e.store(e.offset(self.sums, at, F64), e.convert(e.load(self._at(at), self.dtype, width, mask), F64), mask)

    def _narrow(self, target: Reg, source: Reg | None, column: Reg, width: int, mask: Reg | None) -> None:
        """The sum, rounded."""
        e, at = self.e, self.e.add(target, column)
        e.store(self._at(at), e.convert(e.load(e.offset(self.sums, at, F64), F64, width, mask), self.dtype), mask)
