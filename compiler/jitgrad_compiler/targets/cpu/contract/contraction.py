"""dot_general on the CPU: packing, blocks, the micro-kernel and the epilogue of one contraction, as LLVM text.

In: a `ContractSpec`, hooks that read the operands and store the result, with whatever elementwise work is fused into them. Out:
task functions in the module and a `ContractPlan` that says in which order the program runs them. The sizes of all blocks come from
`blocking.py`, the inner loop from `tile.py`, the copies from `pack.py`.

Each element is a sum over k, in order, within blocks of K whose sums are added in order; those of chunks of a split K are added by
a tree. Of a long K blocks go in runs, and what their sums lose is kept (long_sums.py). The blocks are fixed by the shape, so the
bits do not depend on tiles, tasks, threads or vector width.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from ....ir.types import BOOL, I64
from ...emitter import Emitter
from ...llvm_text import PTR, Module, Reg
from ...long_sums import whole
from ...tasks.phases import TASK_ARGUMENTS, each_task
from .blocking import Blocking, ContractSpec, Strides, choose_blocking
from .memory import ContractMemory
from .operands import Ahead, Load, PlainMatrix, Store, split_number
from .pack import Block, below, pack_rows, pack_strips, pack_transposed
from .tile import Runs, Steps, Tile, emit_tile

__all__ = ["ContractPlan", "ContractSpec", "Load", "PlainMatrix", "Store", "emit_contract"]


class ContractPlan(NamedTuple):
    """What the program runs: phases one after another, each a function and its number of tasks; and the scratch it lends."""

    phases: list[tuple[str, int]]
    scratch_bytes: int


def emit_contract(
    module: Module,
    name: str,
    spec: ContractSpec,
    load_a: Load | None,
    load_b: Load | None,
    store: Store | None,
    *,
    prepare: Callable[[Emitter, Reg], None],
    scratch: Callable[[Emitter], Reg],
    a_plain: PlainMatrix | None = None,
    b_plain: PlainMatrix | None = None,
    c_plain: PlainMatrix | None = None,
    ahead: Ahead | None = None,
) -> ContractPlan:
    """Emit the task functions `void f(ptr args, i64 begin, i64 end)` of one contraction.

    Each operand comes by its hook or lies in plain memory, in which case it may be read in place; a plain C has `column` 1 and
    is written without a hook. `prepare(e, args)` is called at the start of every function, `scratch(e)` gives 64-byte aligned
    memory of the plan's `scratch_bytes`, which is not shared with anything that runs at the same time.
    """
    if not ((load_a or a_plain) and (load_b or b_plain) and (store or c_plain)):
        raise ValueError(f"contract {name}: an operand has neither a hook nor plain memory")
    strides_a, strides_b = (
        Strides(p.row, p.column, len(p.rows) > 1 or len(p.columns) > 1) if p else None for p in (a_plain, b_plain)
    )
    blocking = choose_blocking(spec, module.tuning.contraction, strides_a, strides_b)
    memory = ContractMemory(spec, blocking, c_plain is not None)
    return _Contract(
        module, name, spec, blocking, load_a, load_b, store, prepare, scratch, a_plain, b_plain, c_plain, ahead, memory
    ).emit()  # fmt: skip


@contextmanager
def each_of_share(e: Emitter, part: Reg, parts: int, whole: int) -> Iterator[Reg]:
    """The body runs for what the part has of 0..whole."""
    if parts == whole:
        yield part
        return
    with e.loop(*share(e, part, parts, whole)) as number:
        yield number


def share(e: Emitter, part: Reg, parts: int, whole: int) -> tuple[Reg, Reg]:
    """The range that is the part's share when 0..whole is cut into nearly equal parts."""
    if parts == whole:
        return part, e.add(part, 1)
    return e.div(e.mul(part, whole), parts), e.div(e.mul(e.add(part, 1), whole), parts)


class _Unit(NamedTuple):
    """What one pass of the compute function works on: rows by columns of one batch and one chunk of K, one block of K of it."""

    chunk: Reg
    batch: Reg
    tiles: tuple[Reg, Reg]
    panels: tuple[Reg, Reg]
    k: tuple[Reg, Reg]
    first: Reg  # whether it is the chunk's first block of K
    last: Reg


@dataclass(frozen=True)
class _Contract:
    """One contraction while it is emitted."""

    module: Module
    name: str
    spec: ContractSpec
    blocking: Blocking
    load_a: Load | None
    load_b: Load | None
    store: Store | None
    prepare: Callable[[Emitter, Reg], None]
    scratch: Callable[[Emitter], Reg]
    a_plain: PlainMatrix | None
    b_plain: PlainMatrix | None
    c_plain: PlainMatrix | None
    ahead: Ahead | None
    memory: ContractMemory

    def emit(self) -> ContractPlan:
        if self.spec.k == 0:
            return ContractPlan([self._emit_add_chunks(0)], 0)
        phases: list[tuple[str, int]] = []
        if self.memory.shared_b:
            phases.append(self._emit_pack_b())
        phases.append(self._emit_compute())
        if self.memory.split:
            phases.append(self._emit_add_chunks(self.blocking.chunks))
        return ContractPlan(phases, (self.memory.partial_size + self.memory.shared_b_size) * self.spec.dtype.bits // 8)

    def _function(self, part: str) -> Emitter:
        e = Emitter(self.module, f"{self.name}{part}", TASK_ARGUMENTS, attributes="nounwind")
        self.prepare(e, e.args[0])
        return e

    def _scratch_at(self, e: Emitter, elements: Reg | int) -> Reg:
        return e.offset(self.scratch(e), elements, self.spec.dtype)

    # -- reading the operands

    def _read_a(self, e: Emitter, batch: Reg, i: Reg, k: Reg, mask: Reg | None) -> Reg:
        along, lanes = self.spec.a_contiguous, self.blocking.lanes
        if self.load_a:
            return self.load_a(e, batch, i, k, lanes, along, mask)
        assert self.a_plain
        return self.a_plain.load(e, batch, i, k, self.spec.dtype, lanes, mask)

    def _read_b(self, e: Emitter, batch: Reg, k: Reg, j: Reg, mask: Reg | None) -> Reg:
        along, lanes = self.spec.b_contiguous, self.blocking.lanes
        if self.load_b:
            return self.load_b(e, batch, k, j, lanes, along, mask)
        assert self.b_plain
        return self.b_plain.load(e, batch, k, j, self.spec.dtype, lanes, mask)

    # -- packing

    def _pack_b_panel(self, e: Emitter, batch: Reg, panel: Reg, k: tuple[Reg, Reg], target: Reg) -> None:
        spec, blocking = self.spec, self.blocking
        block = Block(k, e.mul(panel, blocking.panel), spec.n, spec.dtype, blocking.lanes)
        plain = None if self.load_b else self.b_plain
        if spec.b_contiguous == "n":
            address = (lambda at, j: plain.element(e, batch, at, j, spec.dtype)) if plain else None
            ragged = spec.n % blocking.panel != 0
            pack_strips(e, lambda at, j, mask: self._read_b(e, batch, at, j, mask), target, block, blocking.panel, ragged, address)
        else:
            ragged = spec.k % blocking.lanes != 0 or not self.memory.even_blocks
            lies = None
            if plain and len(plain.columns) == 1:
                lies = (lambda at, j: plain.element(e, batch, at, j, spec.dtype)), plain.column
            pack_transposed(e, lambda at, j, mask: self._read_b(e, batch, at, j, mask), target, block, blocking.panel, ragged, lies)

    def _shared_panel(self, e: Emitter, batch: Reg, panel: Reg, k: tuple[Reg, Reg]) -> Reg:
        lanes = self.blocking.lanes
        depth = e.mul(e.div(e.add(e.sub(k[1], k[0]), lanes - 1), lanes), lanes * self.blocking.panel)
        start = k[0] if self.memory.even_blocks else e.mul(e.div(k[0], self.blocking.k_block), self.memory.block_depth)
        block = e.mul(e.add(e.mul(batch, self.memory.depth), start), self.memory.columns)
        return self._scratch_at(e, e.add(e.add(block, e.mul(panel, depth)), self.memory.partial_size))

    def _emit_pack_b(self) -> tuple[str, int]:
        spec, blocking = self.spec, self.blocking
        e = self._function("_pack")
        grid = (spec.batch, blocking.chunks, -(-blocking.k_chunk // blocking.k_block), blocking.column_panels)
        units = grid[0] * grid[1] * grid[2] * grid[3]
        tasks = min(units, blocking.tasks)
        with each_task(e, tasks) as task, each_of_share(e, task, tasks, units) as unit:
            batch, chunk, block, panel = split_number(e, unit, grid)
            chunk_start = e.mul(chunk, blocking.k_chunk)
            start = e.add(chunk_start, e.mul(block, blocking.k_block))
            stop = e.least(e.add(chunk_start, blocking.k_chunk), spec.k)  # the last chunk may have fewer blocks
            k = (start, e.least(e.add(start, blocking.k_block), stop))
            self._pack_b_panel(e, batch, panel, k, self._shared_panel(e, batch, panel, k))
        e.finish()
        return e.name, tasks

    def _pack_a_block(self, e: Emitter, unit: _Unit, target: Reg) -> None:
        spec, blocking = self.spec, self.blocking
        block = Block(unit.k, self._first_row(e, unit.tiles[0]), spec.m, spec.dtype, blocking.lanes)

        def load(at: Reg, index: Reg, mask: Reg | None) -> Reg:
            i, k = (at, index) if spec.a_contiguous == "k" else (index, at)
            return self._read_a(e, unit.batch, i, k, mask)

        if spec.a_contiguous == "k":
            last = self._first_row(e, unit.tiles[1])
            ragged = spec.k % blocking.lanes != 0 or not self.memory.even_blocks
            pack_rows(e, load, target, block, last, self.memory.a_row_stride, ragged)
            return
        width, together = self.memory.a_strip_width, self.module.tuning.contraction.packed_together
        with e.loop(*unit.k, together) as at, e.loop(*unit.tiles) as tile:
            some = block._replace(k=(at, e.least(e.add(at, together), unit.k[1])), first=self._first_row(e, tile))
            before = e.add(e.mul(e.sub(tile, unit.tiles[0]), blocking.k_block), e.sub(at, unit.k[0]))
            pack_strips(e, load, e.offset(target, e.mul(before, width), spec.dtype), some, width, True, None)

    def _first_row(self, e: Emitter, tile: Reg) -> Reg:
        """The first tiles of a run are the tall ones."""
        blocking = self.blocking
        run, tile = (
            split_number(e, tile, (blocking.row_tiles // blocking.run_tiles, blocking.run_tiles))
            if self._row_runs
            else (None, tile)
        )
        first = e.mul(tile, blocking.tile_rows)
        if blocking.tall_tiles:
            first = e.add(first, e.least(tile, blocking.tall_tiles))
        return first if run is None else e.add(e.mul(run, self.spec.rows), first)

    @property
    def _row_runs(self) -> bool:
        return self.spec.rows < self.spec.m

    def _is_tall(self, e: Emitter, tile: Reg) -> Reg:
        """Whether a tile, if there are tall ones, is one."""
        within = e.rem(tile, self.blocking.run_tiles) if self._row_runs else tile
        return e.compare("lt", within, self.blocking.tall_tiles)

    def _first_column(self, e: Emitter, panel: Reg) -> Reg:
        blocking = self.blocking
        if self.spec.columns == self.spec.n:
            return e.mul(panel, blocking.panel)
        run, within = split_number(e, panel, (blocking.column_panels // blocking.run_panels, blocking.run_panels))
        return e.add(e.mul(run, self.spec.columns), e.mul(within, blocking.panel))

    def _width(self, e: Emitter, panel: Reg) -> Reg:
        """Columns of a panel."""
        return e.least(e.sub(self._last_column(e, panel), self._first_column(e, panel)), self.blocking.panel)

    def _last_column(self, e: Emitter, panel: Reg) -> Reg | int:
        """Behind the run of columns that a panel is of."""
        if self.spec.columns == self.spec.n:
            return self.spec.n
        return e.mul(e.add(e.div(panel, self.blocking.run_panels), 1), self.spec.columns)

    # -- computing

    def _emit_compute(self) -> tuple[str, int]:
        spec, blocking = self.spec, self.blocking
        e = self._function("")
        grid = (blocking.chunks, spec.batch, blocking.row_strips, blocking.column_strips)
        units = grid[0] * grid[1] * grid[2] * grid[3]
        with each_task(e, blocking.tasks) as task, each_of_share(e, task, blocking.tasks, units) as number:
            chunk, batch, row_strip, column_strip = split_number(e, number, grid)
            tiles = share(e, row_strip, blocking.row_strips, blocking.row_tiles)
            panels = share(e, column_strip, blocking.column_strips, blocking.column_panels)
            start = e.mul(chunk, blocking.k_chunk)
            stop = e.least(e.add(start, blocking.k_chunk), spec.k)
            with e.loop(start, stop, blocking.k_block) as k:
                following = e.add(k, blocking.k_block)
                end_k = e.least(following, stop)
                first, last = e.compare("eq", k, start), e.compare("le", stop, following)
                self._compute_block(e, _Unit(chunk, batch, tiles, panels, (k, end_k), first, last))
        e.finish()
        return e.name, blocking.tasks

    def _compute_block(self, e: Emitter, unit: _Unit) -> None:
        """All tiles of a unit for one block of K."""
        spec, blocking = self.spec, self.blocking
        if blocking.pack_a:
            packed_a = self.memory.room_for_a(e)
            self._pack_a_block(e, unit, packed_a)
        packed_b = self.memory.room_for_b(e)
        with e.loop(*unit.panels) as panel:
            if self.memory.shared_b:
                b = self._shared_panel(e, unit.batch, panel, unit.k)
            elif packed_b:
                b = packed_b
                self._pack_b_panel(e, unit.batch, panel, unit.k, b)
            else:
                assert self.b_plain
                b = self.b_plain.element(e, unit.batch, unit.k[0], self._first_column(e, panel), spec.dtype)
            with e.loop(*unit.tiles) as tile:
                row = self._first_row(e, tile)
                if not blocking.pack_a:
                    assert self.a_plain
                    a = self.a_plain.element(e, unit.batch, row, unit.k[0], spec.dtype)
                elif spec.a_contiguous == "k":
                    a = e.offset(
                        packed_a, e.mul(e.sub(row, self._first_row(e, unit.tiles[0])), self.memory.a_row_stride), spec.dtype
                    )
                else:
                    a = e.offset(
                        packed_a, e.mul(e.sub(tile, unit.tiles[0]), blocking.k_block * self.memory.a_strip_width), spec.dtype
                    )
                self._compute_tile(e, unit, tile, panel, row, a, b)

    def _compute_tile(self, e: Emitter, unit: _Unit, tile: Reg, panel: Reg, row: Reg, a: Reg, b: Reg) -> None:
        """One tile for one block of K and, after the last block, its epilogue."""
        spec, blocking = self.spec, self.blocking
        column = self._first_column(e, panel)
        in_place = self.c_plain is not None and not self.memory.split and not self.blocking.long
        if in_place:
            assert self.c_plain
            c, c_row = self.c_plain.element(e, unit.batch, row, column, spec.dtype), self.c_plain.row
        elif self.memory.partial:
            line = e.add(e.mul(e.add(e.mul(unit.chunk, spec.batch), unit.batch), spec.m), row)
            c, c_row = (
                self._scratch_at(e, e.add(e.mul(line, self.memory.columns), e.mul(panel, blocking.panel))),
                self.memory.columns,
            )
        else:
            c, c_row = e.alloca(spec.dtype, blocking.lanes, blocking.most_rows * blocking.vectors), blocking.panel
        kernel = self._kernel(e, panel, in_place)
        depth = e.sub(unit.k[1], unit.k[0])
        line = e.mul(e.least(e.sub(tile, unit.tiles[0]), blocking.vectors - 1), blocking.lanes)
        ahead = e.add(line, e.mul(depth, blocking.panel) if self.memory.shared_b else blocking.panel)
        steps = [e.const(n, I64) for n in self._steps(c_row)]
        runs = self._runs()
        k = depth if runs is None else e.const(spec.depth_run, I64)
        steps += [e.const(n, I64) for n in runs or ()]
        full = self._is_tall(e, tile) if blocking.tall_tiles else e.const(True, BOOL)
        arguments = (a, b, c, k, ahead, e.not_(unit.first), full, *steps)
        if self.ahead and not (in_place or self.memory.split):
            with e.when(unit.last), e.loop(0, self._tile_rows(e, tile)) as i:
                for vector in range(blocking.vectors):
                    self.ahead(e, unit.batch, e.add(row, i), e.add(column, vector * blocking.lanes))
        e.line(f"call void {kernel.text}({', '.join(x.typed for x in arguments)})")
        if in_place or self.memory.split:
            return
        with e.when(unit.last):
            rows = self._tile_rows(e, tile)
            stop = self._last_column(e, panel)
            with e.loop(0, rows) as i, e.loop(0, self._width(e, panel), blocking.lanes) as across:
                value = self._summed(e, e.offset(c, e.add(e.mul(i, c_row), across), spec.dtype))
                self._finish(e, unit.batch, e.add(row, i), e.add(column, across), stop, value)

    def _summed(self, e: Emitter, at: Reg) -> Reg:
        """A vector of sums from scratch memory."""
        dtype, lanes = self.spec.dtype, self.blocking.lanes
        value = e.load(at, dtype, lanes)
        return whole(e, value, e.load(e.offset(at, self.memory.lost, dtype), dtype, lanes)) if self.memory.lost else value

    def _tile_rows(self, e: Emitter, tile: Reg) -> Reg:
        short, tall = self.blocking.tile_rows, self.blocking.tall_tiles
        return e.select(self._is_tall(e, tile), e.const(short + 1, I64), short) if tall else e.const(short, I64)

    def _finish(self, e: Emitter, batch: Reg, i: Reg, j: Reg, stop: Reg | int, value: Reg) -> None:
        """Hand finished results to the epilogue, those of columns before `stop`."""
        mask = below(e, j, self.blocking.lanes, stop) if self.spec.columns % self.blocking.lanes else None
        if self.store:
            self.store(e, batch, i, j, value, mask)
        else:
            assert self.c_plain
            e.store(self.c_plain.element(e, batch, i, j, self.spec.dtype), value, mask)

    def _steps(self, c_row: int) -> Steps:
        spec, blocking = self.spec, self.blocking
        if not blocking.pack_a:
            assert self.a_plain
            a_row, a_k = self.a_plain.row, self.a_plain.column
        else:
            a_row, a_k = (self.memory.a_row_stride, 1) if spec.a_contiguous == "k" else (1, self.memory.a_strip_width)
        b_k = blocking.panel if blocking.pack_b or self.b_plain is None else self.b_plain.row
        return Steps(a_row, a_k, b_k, c_row, self.memory.lost)

    @property
    def _a_ahead(self) -> int:
        """Steps of K to look ahead for, where A lies in place and every step is far from the one before."""
        tuning = self.module.tuning.contraction
        far = not self.blocking.pack_a and self._steps(0).a_k * self.spec.dtype.nbytes >= tuning.foreseen_bytes
        return tuning.a_ahead if far else 0

    @property
    def _reads_on(self) -> bool:
        """Whether A comes from memory by rows so near that those of the next tile are asked for: each is short, and hardware sees
        its end too late.
        """
        spec, tuning = self.spec, self.module.tuning.contraction
        large = spec.batch * spec.m * spec.k * spec.dtype.nbytes > tuning.cache_bytes
        near = self._steps(0).a_row * spec.dtype.nbytes <= tuning.near_a_bytes
        return large and near and not self.blocking.pack_a and spec.a_contiguous == "k"

    def _runs(self) -> Runs | None:
        """The runs of K that a block has, if they are several."""
        spec, blocking = self.spec, self.blocking
        if not spec.depth_run or blocking.k_block <= spec.depth_run:
            return None
        steps = self._steps(0)
        a, b = steps.a_k * spec.depth_run, steps.b_k * spec.depth_run
        if not blocking.pack_a and self.a_plain and len(self.a_plain.columns) > 1:
            a = self.a_plain.columns[-2].stride
        if not blocking.pack_b and self.b_plain and len(self.b_plain.rows) > 1:
            b = self.b_plain.rows[-2].stride
        return Runs(blocking.k_block // spec.depth_run, a, b)

    def _kernel(self, e: Emitter, panel: Reg, in_place: bool) -> Reg:
        """The micro-kernel for a tile: one of up to two, full or at the right edge."""
        spec, blocking = self.spec, self.blocking
        side_by_side = blocking.pack_a and spec.a_contiguous != "k"
        fewer = blocking.tall_tiles > 0 or blocking.run_tiles > 2  # of many equal tiles, too, as others share it

        def kernel(columns: int) -> Reg:
            vectors = -(-columns // blocking.lanes)
            last = columns - (vectors - 1) * blocking.lanes
            ragged = last < blocking.lanes
            shape = Tile(
                spec.dtype, blocking.lanes, blocking.most_rows, fewer, vectors, side_by_side, last,
                mask_b=ragged and not blocking.pack_b, mask_c=ragged and in_place, adds=blocking.k_chunk > blocking.k_block,
                run=blocking.run, lost=bool(self.memory.lost), in_runs=self._runs() is not None, reads_on=self._reads_on,
                a_ahead=self._a_ahead,
            )  # fmt: skip
            return Reg(f"@{emit_tile(self.module, shape)}", PTR)

        rest = spec.columns % blocking.panel
        if blocking.run_panels == 1 or rest == 0:
            return kernel(rest or blocking.panel)
        within = panel if spec.columns == spec.n else e.rem(panel, blocking.run_panels)
        edge = e.compare("eq", within, blocking.run_panels - 1)
        return e.select(edge, kernel(rest), kernel(blocking.panel))

    # -- split K

    def _emit_add_chunks(self, chunks: int) -> tuple[str, int]:
        """The phase after a split K: the sums of the chunks, of which there may be none, added by a tree; then the epilogue."""
        spec, blocking = self.spec, self.blocking
        e = self._function("_add")
        rows = spec.batch * spec.m
        tasks = min(rows, -(-rows * self.memory.columns * (chunks + 1) // self.module.tuning.contraction.added_per_task))
        with (
            each_task(e, tasks) as task,
            each_of_share(e, task, tasks, rows) as line,
            e.loop(0, blocking.column_panels) as panel,
            e.loop(0, self._width(e, panel), blocking.lanes) as across,
        ):
            j = e.add(self._first_column(e, panel), across)
            at = e.add(e.mul(line, self.memory.columns), e.add(e.mul(panel, blocking.panel), across))
            chunk_size = rows * self.memory.columns

            def sum_of(first: int, last: int, at: Reg = at, size: int = chunk_size) -> Reg:
                if last - first == 1:
                    return self._summed(e, self._scratch_at(e, e.add(at, first * size)))
                middle = (first + last) // 2
                return e.add(sum_of(first, middle), sum_of(middle, last))

            total = sum_of(0, chunks) if chunks else e.const(0, spec.dtype, blocking.lanes)
            batch, i = split_number(e, line, (spec.batch, spec.m))
            self._finish(e, batch, i, j, self._last_column(e, panel), total)
        e.finish()
        return e.name, tasks
