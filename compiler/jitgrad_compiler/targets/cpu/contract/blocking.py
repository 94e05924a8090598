"""How one contraction is cut: the register tile, the blocks of K, the grid of tasks and what is packed where.

In: sizes, element type, how the operands lie in memory and the target's tuning. Out: a `Blocking`, plain numbers that
`contraction.py` turns into loops. The scheme is the one of K. Goto and R. van de Geijn, "Anatomy of High-Performance Matrix
Multiplication", ACM TOMS 34(3), 2008: a tile of C in registers, a panel of B in the first-level cache, a block of A in the second.

Where K is cut depends on the shape alone (order.py), because that is the order of each sum. All else may depend on the machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from ....ir.types import F32, DType
from ....kernels.tuning import Contraction
from ...long_sums import LONGEST, RUN
from ...order import DEEP, DEEP_OF_MANY, K_BLOCK, SPLIT_K_FROM, SPLIT_K_OPERANDS, SPLIT_K_OUTPUTS, VECTOR_BYTES


@dataclass(frozen=True)
class ContractSpec:
    """C[b, i, j] = sum over k of A[b, i, k] * B[b, k, j], with the index along which each operand is read fastest."""

    batch: int
    m: int
    n: int
    k: int
    dtype: DType = F32
    a_contiguous: str = "k"
    b_contiguous: str = "n"
    row_run: int = 0
    """Rows that lie evenly spaced in what is read in place; tiles do not reach from one run into the next. 0: all of them."""
    column_run: int = 0
    depth_run: int = 0
    """The same of K: blocks are parts of a run, or whole runs."""
    depth_runs: int = 1
    """Runs of K that lie evenly spaced themselves."""

    def __post_init__(self) -> None:
        if self.dtype not in K_BLOCK or self.a_contiguous not in ("m", "k") or self.b_contiguous not in ("k", "n"):
            raise ValueError(f"contract: no kernel for {self}")
        if min(self.batch, self.m, self.n) < 1 or self.k < 0:
            raise ValueError(f"contract: empty result for {self}")
        if self.m % self.rows or self.n % self.columns or self.depth_run and self.k % (self.depth_run * self.depth_runs):
            raise ValueError(f"contract: runs are no parts of the whole in {self}")

    @property
    def rows(self) -> int:
        """Of a run."""
        return self.row_run or self.m

    @property
    def columns(self) -> int:
        """Of a run."""
        return self.column_run or self.n


class Blocking(NamedTuple):
    """The cut of one contraction."""

    lanes: int  # elements of a vector
    vectors: int  # vectors across a tile
    tile_rows: int  # rows of the short tiles
    tall_tiles: int  # the first so many tiles of a run of rows have one row more
    run_tiles: int  # tiles of a run of rows
    row_tiles: int
    run_panels: int  # panels of a run of columns
    column_panels: int
    k_block: int
    k_chunk: int  # K of one task; less than K only where K is split
    chunks: int
    row_strips: int  # the grid of units: each is a strip of row tiles by a strip of column panels
    column_strips: int
    pack_a: bool
    pack_b: bool
    tasks: int
    run: int  # steps of K that are summed by themselves before they join a tile's sum; 0 for all of a block

    @property
    def panel(self) -> int:
        """Columns of a full panel."""
        return self.lanes * self.vectors

    @property
    def long(self) -> bool:
        """Whether a chunk of a long K has so many blocks that what their sums lose is kept beside them."""
        return self.run > 0 and -(-self.k_chunk // self.k_block) > LONGEST

    @property
    def most_rows(self) -> int:
        return self.tile_rows + (self.tall_tiles > 0)


class Strides(NamedTuple):
    """Element strides of an operand that lies in memory as it is; one that lies there in runs is never packed."""

    row: int
    column: int
    in_runs: bool = False


def round_up(value: int, step: int) -> int:
    return -(-value // step) * step


def choose_blocking(spec: ContractSpec, tuning: Contraction, a: Strides | None, b: Strides | None) -> Blocking:
    """The cut for a shape; `a` and `b` are None where the operand is computed by a hook and has to be packed."""
    size = spec.dtype.bits // 8
    lanes = VECTOR_BYTES // size
    chunks, k_chunk, k_block = split_depth(spec)
    wide = _worth_wide_panels(spec, tuning, b, k_block, size, lanes)
    vectors, rows = _choose_tile(spec.rows, spec.columns, lanes, tuning, wide)
    run_tiles, run_panels = -(-spec.rows // rows), -(-spec.columns // (lanes * vectors))
    row_tiles, column_panels = spec.m // spec.rows * run_tiles, spec.n // spec.columns * run_panels
    tile_rows, tall_tiles = divmod(spec.rows, run_tiles)
    high = tile_rows + (tall_tiles > 0)
    pack_a = a is None or not a.in_runs and _worth_packing_a(spec, tuning, a, k_block, size, high)
    pack_b = b is None or b.column != 1 or _worth_packing_b(spec, tuning, b, size, lanes * vectors)
    most_rows = (tuning.stack_bytes if pack_a else tuning.cache_bytes // 2) // (k_block * size)
    row_strips, column_strips, tasks = _choose_grid(
        spec, tuning, lanes, row_tiles, column_panels, -(-k_chunk // k_block), chunks,
        pack_a, pack_b, max(1, most_rows // (tile_rows + 1)),
    )  # fmt: skip
    return Blocking(
        lanes, vectors, tile_rows, tall_tiles, run_tiles, row_tiles, run_panels, column_panels, k_block, k_chunk, chunks,
        row_strips, column_strips, pack_a, pack_b, tasks, _run(spec),
    )  # fmt: skip


def _run(spec: ContractSpec) -> int:
    """With many outputs runs begin later: adding a tile's sums after each is felt there."""
    few = spec.batch * spec.m * spec.n <= SPLIT_K_OUTPUTS
    return RUN if spec.k > (DEEP if few else DEEP_OF_MANY) else 0


def split_depth(spec: ContractSpec) -> tuple[int, int, int]:
    """Chunks of K that are summed apart, their length, and that of blocks in them. By the shape alone: it is the order of a sum."""
    outputs, operands, whole = spec.batch * spec.m * spec.n, spec.batch * (spec.m + spec.n) * spec.k, K_BLOCK[spec.dtype]
    if spec.depth_run:
        whole = block_of_runs(spec.depth_run, spec.depth_runs, whole)
    chunks, length = 1, spec.k
    few = outputs <= SPLIT_K_OUTPUTS
    if spec.k >= SPLIT_K_FROM and (few or operands >= SPLIT_K_OPERANDS * outputs):
        wanted = min(32, spec.k // (SPLIT_K_FROM // 2), max(2, 4 * SPLIT_K_OUTPUTS // outputs) if few else 16)
        length = round_up(-(-spec.k // wanted), whole if spec.depth_run else 64)
        chunks = -(-spec.k // length)
    return chunks, length, whole if spec.depth_run else min(whole, round_up(max(length, 1), VECTOR_BYTES // spec.dtype.nbytes))


def block_of_runs(run: int, runs: int, wanted: int) -> int:
    """A part of a run of K, or several evenly spaced ones, of about the wanted length."""
    most = wanted
    if run > most:
        return next(n for n in range(most, 0, -1) if run % n == 0)
    return run * next(n for n in range(max(most // run, 1), 0, -1) if runs % n == 0)


def tile_limit(vectors: int, registers: int) -> int:
    """Rows of a tile so that its sums, a row of B and one broadcast element of A stay in registers."""
    return (registers - vectors - (2 if registers >= 16 else 1)) // vectors


def _cycles(tuning: Contraction, rows: int, vectors: int) -> float:
    """Of a tile's step of K: of arithmetic with what is waited for of B, of loads, or of the latency."""
    arithmetic = rows * vectors / tuning.multiply_adds + vectors * tuning.panel_cycles
    return max(arithmetic, (rows + vectors) / tuning.loads, tuning.latency)


def _worth_wide_panels(spec: ContractSpec, tuning: Contraction, b: Strides | None, k_block: int, size: int, lanes: int) -> bool:
    """Whether a B in place comes from memory by rows far apart, of which hardware fetches only what follows: more of each at a time
    is faster, as long as the panel stays in the cache.
    """
    if b is None or b.in_runs or b.column != 1 or _worth_packing_b(spec, tuning, b, size, tuning.wide_panel * lanes):
        return False
    large = spec.batch * spec.k * spec.n * size > tuning.cache_bytes
    return large and b.row * size >= tuning.far_b_bytes and k_block * tuning.wide_panel * lanes * size <= tuning.panel_bytes


def _choose_tile(m: int, n: int, lanes: int, tuning: Contraction, wide: bool) -> tuple[int, int]:
    """Vectors across and most rows of the tile with the least estimated cycles for a step of K over all of M and N."""
    best: tuple[float, int, int] | None = None
    for vectors in (*([tuning.wide_panel] if wide else []), 2, 1, 3, 4, 6, 8):
        limit = tile_limit(vectors, tuning.registers)
        if limit < 1 or (vectors > 1 and n <= lanes * (vectors - 1)):
            continue
        tiles = -(-m // limit)
        rows = -(-m // tiles)
        full, rest = divmod(n, lanes * vectors)
        widths = [(full, vectors), (1, -(-rest // lanes))]
        cost = tiles * sum(count * _cycles(tuning, rows, wide) for count, wide in widths if wide)
        if best is None or cost < best[0] * 0.97:
            best = (cost, vectors, rows)
    assert best is not None
    return best[1], best[2]


def _worth_packing_a(spec: ContractSpec, tuning: Contraction, a: Strides, k_block: int, size: int, rows: int) -> bool:
    """Whether reading A in place is slower than a copy, by what was measured, in tiles of so many rows.

    Read along k, rows in place are as good as packed ones but where so many share a set of the caches that they drive each other
    out: a line of each is read in every step, and must still be there in the next. Read along m, every step of K is another line,
    and far apart another page, fetched again for every panel.
    """
    if spec.a_contiguous == "k":
        deep, wide = tuning.pack_aliased_a
        aliased = a.row > 0 and a.row * size % tuning.alias_a_bytes == 0 and rows > tuning.cache_ways
        return a.column == 1 and aliased and k_block >= deep and spec.n >= wide
    deep, wide = tuning.pack_far_a
    return a.row == 1 and a.column * size >= tuning.far_a_bytes and k_block >= deep and spec.n >= wide


def _worth_packing_b(spec: ContractSpec, tuning: Contraction, b: Strides, size: int, panel: int) -> bool:
    """Rows of B in place will do where they are read few times, or stay in the second-level cache and do not share its sets. Of
    runs of columns panels must be whole: nothing is masked between them.
    """
    rows, deep = tuning.pack_aliased_b
    apart = b.row * size
    if b.in_runs:
        return spec.m > rows and apart >= tuning.sparse_b_bytes and spec.k >= deep and spec.column_run % panel == 0
    aliased = apart % tuning.alias_b_bytes == 0 and spec.k >= deep
    large = spec.k * spec.n * size > tuning.pack_b_bytes
    return spec.m > tuning.pack_b_rows and large or spec.m > rows and aliased


def _choose_grid(
    spec: ContractSpec, tuning: Contraction, lanes: int, row_tiles: int, column_panels: int, blocks: int, chunks: int,
    pack_a: bool, pack_b: bool, most_tiles: int,
) -> tuple[int, int, int]:  # fmt: skip
    """Strips of rows and of columns, and the number of tasks: enough tasks, even ones, and little read or packed twice.

    Costs are in cycles of one core for the whole: arithmetic with a part of what uneven strips lose, A packed or read for each
    strip of columns, B packed by a phase before (with several strips of rows) or on the way and fetched for each strip of rows, and
    C fetched for each block of K where it does not stay in the second-level cache.
    """
    work = spec.batch * spec.m * spec.n * max(spec.k, 1)
    tasks = 1 if work <= tuning.one_task_work else min(tuning.most_tasks, max(2, work // tuning.work_per_task))
    units = -(-tasks // (spec.batch * chunks))
    size = spec.dtype.bits // 8
    fewest = -(-row_tiles // most_tiles)
    best: tuple[float, int, int] | None = None
    for rows in range(fewest, row_tiles + 1):
        columns = min(column_panels, max(1, -(-units // rows)))
        uneven = rows * -(-row_tiles // rows) / row_tiles * columns * -(-column_panels // columns) / column_panels
        cost = spec.m * spec.n * spec.k / (tuning.multiply_adds * lanes) * (0.75 + 0.25 * uneven)
        near = spec.m * spec.k * size <= tuning.cache_bytes // 2  # for the second strip of columns, which finds A in the cache
        read_a = tuning.near_a_cycles if near else tuning.far_a_cycles
        moved = columns * spec.m * spec.k * (tuning.pack_a_cycles if pack_a else read_a)
        moved += rows * spec.n * spec.k * (tuning.next_b_cycles if 2 * rows <= row_tiles else tuning.lone_b_cycles)
        if pack_b:
            before = tuning.windows_before if spec.column_run else 2
            moved += spec.n * spec.k * tuning.pack_b_cycles * (before if rows > 1 else 1)
        if spec.m * spec.n * size // (rows * columns) > tuning.cache_bytes // 2:
            moved += spec.m * spec.n * tuning.again_c_cycles * (blocks - 1)
        cost += moved * size / 4 + (tuning.phase_cycles if pack_b and rows > 1 else 0)
        cost *= 0.75 + 0.25 * max(1.0, units / (rows * columns))
        if best is None or cost < best[0]:
            best = (cost, rows, columns)
        if rows >= 2 * max(units, fewest):
            break
    assert best is not None
    _, rows, columns = best
    return rows, columns, min(tasks, spec.batch * chunks * rows * columns)
