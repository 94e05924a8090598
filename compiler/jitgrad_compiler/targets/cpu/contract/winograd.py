"""Convolutions with windows of 3 x 3 tile by tile, by the fewer products of ops/winograd.py.

In: a `tiled_convolve` or a `tiled_kernel`, whose operands lie row-major, features last. Out: its task functions. Blocks of
tiles are transformed to SEEN x SEEN matrices of tiles by features, which are multiplied with those of the kernel, or of the
cotangent, by the micro-kernel (tile.py), and the products transformed back. A block stays in the second-level cache. Vectors are
along features, whose number is a multiple of a panel of two vectors: passes/winograd.py sees to it.

What is added in which order depends on the shape alone: products over features are summed in order, those over tiles in blocks and
chunks that order.py fixes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ....ir.graph import Var
from ....ir.types import BOOL, F32, I64
from ....kernels.kernel import Kernel
from ....ops.winograd import MATRICES, SEEN, TILE, WINDOW
from ...emitter import Emitter
from ...llvm_text import PTR, Module, Reg
from ...order import BLOCKS_OF_TILES, FEW_PRODUCTS, TILES, VECTOR_BYTES
from ...tasks.phases import TASK_ARGUMENTS, Emitted, Phase, Pointers, each_task
from .blocking import round_up, tile_limit
from .contraction import each_of_share, share
from .operands import split_number
from .tile import Tile, emit_tile

Scratch = Callable[[Emitter, Reg], Reg]

LANES = VECTOR_BYTES // F32.nbytes
VECTORS = 2
PANEL = LANES * VECTORS
PRODUCTS = SEEN * SEEN
"""Matrices that are multiplied."""


class Grid(NamedTuple):
    """Where the elements of a square of vectors are: from a pointer on so many elements apart."""

    at: Reg
    row: Reg | int
    column: Reg | int


def emit_transform(module: Module, name: str) -> str:
    """Emit `void name(ptr from, i64 row, i64 column, ptr to, i64 row, i64 column, i64 vectors)` once for all kernels: of each of
    some vectors that lie side by side the square L X L', where L is the matrix of that name; `t` behind it: transposed.
    """
    full = f"winograd_{name.replace('t', '_transposed')}"
    arguments = [("from", PTR), ("row", I64), ("column", I64), ("to", PTR), ("to_row", I64), ("to_column", I64), ("vectors", I64)]
    if not module.shares(full, arguments):
        return full
    matrix = MATRICES[name[0]].T if name.endswith("t") else MATRICES[name[0]]
    e = Emitter(module, full, arguments, attributes="noinline nounwind")
    source, row, column, target, to_row, to_column, vectors = e.args
    results, size = matrix.shape
    with e.loop(0, vectors) as vector:
        along = e.mul(vector, LANES)
        x = e.offset(source, along, F32)
        lines = [
            [e.load(e.offset(x, e.add(e.mul(row, i), e.mul(column, j)), F32), F32, LANES) for i in range(size)] for j in range(size)
        ]
        half = [_combined(e, matrix, line) for line in lines]
        y = e.offset(target, along, F32)
        for i in range(results):
            for j, value in enumerate(_combined(e, matrix, [line[i] for line in half])):
                e.store(e.offset(y, e.add(e.mul(to_row, i), e.mul(to_column, j)), F32), value)
    e.finish()
    return full


def _combined(e: Emitter, matrix: np.ndarray[Any, Any], x: list[Reg]) -> list[Reg]:
    """The product of a matrix with a vector of registers. Rows that differ in signs alone, those of two points of one size, share
    what they have in common and what they have with two signs.
    """
    out: list[Reg] = []
    while len(out) < len(matrix):
        row = matrix[len(out)]
        other = matrix[len(out) + 1] if len(out) + 1 < len(matrix) else None
        if other is None or not np.array_equal(np.abs(row), np.abs(other)) or np.array_equal(row, other):
            out.append(_sum(e, row, x))
            continue
        common, signed = (_sum(e, np.where(same, row, 0.0), x) for same in (row == other, row != other))
        out += [e.add(common, signed), e.sub(common, signed)]
    return out


def _sum(e: Emitter, factors: np.ndarray[Any, Any], x: list[Reg]) -> Reg:
    """A sum of products of which those with 1 and -1 come first, for they round least."""
    terms = sorted(((float(f), a) for f, a in zip(factors, x, strict=True) if f), key=lambda t: (abs(t[0]) != 1, t[0] < 0))
    (factor, first), *rest = terms
    total = first if factor == 1 else e.neg(first) if factor == -1 else e.mul(first, factor)
    for f, a in rest:
        total = e.add(total, a) if f == 1 else e.sub(total, a) if f == -1 else e.fma(a, f, total)
    return total


def emit_tiled(module: Module, name: str, kernel: Kernel, pointers: Pointers, scratch: Scratch) -> Emitted:
    """The task functions of a convolution, or of its kernel's cotangent."""
    emit = _Convolution if kernel.eqns[0].op.name == "tiled_convolve" else _KernelCotangent
    return emit(module, name, kernel, pointers, scratch).emit()


class _Tiled:
    """What both have: an array x of images that is seen in tiles, and matrices of tiles by features in scratch memory."""

    def __init__(self, module: Module, name: str, kernel: Kernel, pointers: Pointers, scratch: Scratch) -> None:
        (self.eqn,) = kernel.eqns
        x, other = self.eqn.inputs
        assert isinstance(x, Var) and isinstance(other, Var)
        self.x, self.other = x, other
        self.out = self.eqn.outputs[0]
        self.module, self.name, self.pointers, self.scratch = module, name, pointers, scratch
        self.tuning = module.tuning.contraction
        self.batch, self.height, self.width, self.features = self.x.type.shape
        self.results = self.out.type.shape[-1]
        self.down, self.across = (self.height - WINDOW + 1) // TILE, (self.width - WINDOW + 1) // TILE
        self.tiles = self.batch * self.down * self.across
        self.most_rows = max(1, tile_limit(VECTORS, self.tuning.registers))

    def function(self, part: str = "") -> Emitter:
        return Emitter(self.module, f"{self.name}{part}", TASK_ARGUMENTS, attributes="nounwind")

    def memory(self, e: Emitter) -> tuple[Reg, Reg, Reg, Reg]:
        """Where the operands, the result and the scratch memory are."""
        found = self.pointers(e, e.args[0], [self.x, self.other, self.out])
        return found[self.x], found[self.other], found[self.out], self.scratch(e, e.args[0])

    def transform(self, e: Emitter, name: str, source: Grid, target: Grid, vectors: int) -> None:
        steps = [[e.add(n, 0) if isinstance(n, Reg) else e.const(n, I64) for n in grid[1:]] for grid in (source, target)]
        e.call(emit_transform(self.module, name), None, source.at, *steps[0], target.at, *steps[1], e.const(vectors, I64))

    def image(self, e: Emitter, at: Reg, tile: Reg, columns: int, features: int, rows: int) -> Grid:
        """Where a tile is in images of so many rows, columns and features."""
        image, down, across = split_number(e, tile, (self.batch, self.down, self.across))
        line = e.add(e.mul(image, rows), e.mul(down, TILE))
        return Grid(
            e.offset(at, e.mul(e.add(e.mul(line, columns), e.mul(across, TILE)), features), F32), columns * features, features
        )

    def multiply(self, e: Emitter, shape: Tile, *arguments: Reg | int) -> None:
        regs = [a if isinstance(a, Reg) else e.const(a, I64) for a in arguments]
        e.call(emit_tile(self.module, shape), None, *regs)

    def shape(self, rows: int, fewer: bool, side_by_side: bool, adds: bool) -> Tile:
        return Tile(F32, LANES, rows, fewer, VECTORS, side_by_side, LANES, mask_b=False, mask_c=False, adds=adds)


class _Convolution(_Tiled):
    def emit(self) -> Emitted:
        c, o = self.features, self.results
        block = self.most_rows * max(1, self.tuning.tiled_bytes // (PRODUCTS * (c + o) * F32.nbytes * self.most_rows))
        blocks = -(-self.tiles // block)
        tasks = min(blocks, self.tuning.most_tiled_tasks)
        rows = round_up(-(-self.tiles // blocks), self.most_rows)
        step = c + LANES  # of packed tiles: rows a power of two apart would meet in one set of the cache
        seen, made = rows * step, rows * o
        room = PRODUCTS * (seen + made)
        self._emit_kernel()
        e = self.function()
        x, _, out, memory = self.memory(e)
        panels = o // PANEL
        shape = self.shape(self.most_rows, False, False, False)
        with each_task(e, tasks) as task, each_of_share(e, task, tasks, blocks) as number:
            own = e.offset(memory, e.add(e.mul(task, room), PRODUCTS * c * o), F32)
            products = e.offset(own, PRODUCTS * seen, F32)
            first, last = share(e, number, blocks, self.tiles)
            with e.loop(first, last) as tile:
                row = e.mul(e.sub(tile, first), step)
                self.transform(
                    e, "Bt", self.image(e, x, tile, self.width, c, self.height),
                    Grid(e.offset(own, row, F32), SEEN * seen, seen), c // LANES,
                )  # fmt: skip
            used = e.sub(last, first)
            with e.loop(0, PRODUCTS) as product, e.loop(0, panels) as panel, e.loop(0, used, self.most_rows) as row:
                a = e.offset(own, e.add(e.mul(product, seen), e.mul(row, step)), F32)
                b = e.offset(memory, e.mul(e.add(e.mul(product, panels), panel), c * PANEL), F32)
                to = e.add(e.add(e.mul(product, made), e.mul(row, o)), e.mul(panel, PANEL))
                line = e.select(e.compare("eq", row, 0), e.const(0, I64), LANES)
                ahead = e.add(line, c * PANEL)
                to = e.offset(products, to, F32)
                self.multiply(e, shape, a, b, to, c, ahead, e.const(False, BOOL), e.const(True, BOOL), step, 1, PANEL, o, 0)
            with e.loop(first, last) as tile:
                row = e.mul(e.sub(tile, first), o)
                self.transform(
                    e, "At", Grid(e.offset(products, row, F32), SEEN * made, made),
                    self.image(e, out, tile, self.width - WINDOW + 1, o, self.height - WINDOW + 1), o // LANES,
                )  # fmt: skip
        e.finish()
        phases = [Phase(f"{self.name}_kernel", min(c, self.tuning.most_tiled_tasks)), Phase(self.name, tasks)]
        return Emitted(phases, (PRODUCTS * c * o + tasks * room) * F32.nbytes)

    def _emit_kernel(self) -> None:
        """The phase that transforms the kernel: matrices of features by results, panel by panel."""
        c, o = self.features, self.results
        e = self.function("_kernel")
        _, w, _, memory = self.memory(e)
        tasks = min(c, self.tuning.most_tiled_tasks)
        with each_task(e, tasks) as task, each_of_share(e, task, tasks, c) as feature, e.loop(0, o // PANEL) as panel:
            source = e.offset(w, e.add(e.mul(feature, o), e.mul(panel, PANEL)), F32)
            target = e.offset(memory, e.mul(e.add(e.mul(panel, c), feature), PANEL), F32)
            self.transform(e, "G", Grid(source, WINDOW * c * o, c * o), Grid(target, SEEN * c * o, c * o), VECTORS)
        e.finish()


class _KernelCotangent(_Tiled):
    def emit(self) -> Emitted:
        c, o = self.features, self.results
        blocks = -(-self.tiles // TILES)
        few, many = BLOCKS_OF_TILES
        chunks = -(-blocks // (few if c * o <= FEW_PRODUCTS else many))
        block = -(-self.tiles // blocks)
        part = next(n for n in (2 * PANEL, PANEL) if c % n == 0)
        parts = c // part
        units = chunks * parts
        tasks = min(units, self.tuning.most_tiled_tasks)
        whole = PRODUCTS * c * o
        step = part + LANES
        seen, spread = block * step, block * o
        room = PRODUCTS * (seen + spread)
        most = -(-part // self.most_rows)
        short, tall = divmod(part, most)
        shape = self.shape(short + (tall > 0), tall > 0, True, True)
        e = self.function()
        x, ct, _, memory = self.memory(e)
        with each_task(e, tasks) as task, each_of_share(e, task, tasks, units) as unit:
            chunk, of = split_number(e, unit, (chunks, parts))
            own = e.offset(memory, e.add(e.mul(task, room), chunks * whole), F32)
            cotangents = e.offset(own, PRODUCTS * seen, F32)
            begin, end = share(e, chunk, chunks, blocks)
            with e.loop(begin, end) as number:
                first, last = share(e, number, blocks, self.tiles)
                with e.loop(first, last) as tile:
                    row = e.sub(tile, first)
                    from_x = self.image(e, x, tile, self.width, c, self.height)
                    from_x = from_x._replace(at=e.offset(from_x.at, e.mul(of, part), F32))
                    self.transform(e, "Bt", from_x, Grid(e.offset(own, e.mul(row, step), F32), SEEN * seen, seen), part // LANES)
                    from_ct = self.image(e, ct, tile, self.width - WINDOW + 1, o, self.height - WINDOW + 1)
                    self.transform(
                        e, "A", from_ct, Grid(e.offset(cotangents, e.mul(row, o), F32), SEEN * spread, spread), o // LANES
                    )
                depth, later = e.sub(last, first), e.compare("gt", number, begin)
                with e.loop(0, PRODUCTS) as product, e.loop(0, o // PANEL) as panel, e.loop(0, most) as at:
                    row = e.add(e.mul(at, short), e.least(at, tall))
                    full = e.compare("lt", at, tall) if tall else e.const(True, BOOL)
                    a = e.offset(own, e.add(e.mul(product, seen), row), F32)
                    b = e.offset(cotangents, e.add(e.mul(product, spread), e.mul(panel, PANEL)), F32)
                    place = e.add(e.mul(e.add(e.mul(chunk, PRODUCTS), product), c), e.add(e.mul(of, part), row))
                    to = e.offset(memory, e.add(e.mul(place, o), e.mul(panel, PANEL)), F32)
                    self.multiply(e, shape, a, b, to, depth, PANEL, later, full, 1, step, o, o, 0)
        e.finish()
        self._emit_back(chunks)
        phases = [Phase(self.name, tasks), Phase(f"{self.name}_back", min(c, self.tuning.most_tiled_tasks))]
        return Emitted(phases, (chunks * whole + tasks * room) * F32.nbytes)

    def _emit_back(self, chunks: int) -> None:
        """The phase that adds up the chunks, by a tree, and transforms their sum back."""
        c, o = self.features, self.results
        e = self.function("_back")
        _, _, out, memory = self.memory(e)
        tasks = min(c, self.tuning.most_tiled_tasks)
        with each_task(e, tasks) as task, each_of_share(e, task, tasks, c) as feature:
            sums = e.offset(memory, e.mul(feature, o), F32)
            if chunks > 1:
                with e.loop(0, PRODUCTS) as product, e.loop(0, o, LANES) as along:
                    at = e.offset(sums, e.add(e.mul(product, c * o), along), F32)

                    def total(first: int, last: int, at: Reg = at) -> Reg:
                        if last - first == 1:
                            return e.load(e.offset(at, first * PRODUCTS * c * o, F32), F32, LANES)
                        middle = (first + last) // 2
                        return e.add(total(first, middle), total(middle, last))

                    e.store(at, total(0, chunks))
            target = e.offset(out, e.mul(feature, o), F32)
            self.transform(e, "Gt", Grid(sums, SEEN * c * o, c * o), Grid(target, WINDOW * c * o, c * o), o // LANES)
        e.finish()
