"""How one contraction is cut: the register tile, the blocks of K, the grid of tasks and what is packed where.

In: sizes, element type, how the operands lie in memory and what the machine offers. Out: a `Blocking`, plain numbers that
`contraction.py` turns into loops. The scheme is the one of K. Goto and R. van de Geijn, "Anatomy of High-Performance Matrix
Multiplication", ACM TOMS 34(3), 2008: a tile of C in registers, a panel of B in the first-level cache, a block of A in the second.

Where K is cut depends on the shape alone, because that is the order of each sum. Everything else may depend on the machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from ....ir.types import F32, F64, DType
from ..long_sums import LONGEST, RUN

VECTOR_BYTES = 64
K_BLOCK = {F32: 384, F64: 256}  # a panel of B of two vectors' width takes 48 or 32 KiB
SPLIT_K_FROM = 2048  # shorter sums are not worth a second pass over partial results
SPLIT_K_OUTPUTS = 1 << 14  # with more outputs than this there are tasks enough without cutting K
DEEP, DEEP_OF_MANY = 1 << 12, 1 << 15  # of K, with few outputs and with more; longer sums go in runs (long_sums.py)
ONE_TASK_WORK = 1_000_000  # multiply-adds; a core does them in 10 us, and a parallel region costs 2 to 5
WORK_PER_TASK = 2_000_000
MOST_TASKS = 32
PHASE_CYCLES = 20_000  # of one core, for a barrier and what threads wait for each other
STACK_BYTES = 192 << 10  # of packed A; it lies on the thread's stack, where the next task finds it in the cache


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

    def __post_init__(self) -> None:
        if self.dtype not in K_BLOCK or self.a_contiguous not in ("m", "k") or self.b_contiguous not in ("k", "n"):
            raise ValueError(f"contract: no kernel for {self}")
        if min(self.batch, self.m, self.n) < 1 or self.k < 0:
            raise ValueError(f"contract: empty result for {self}")


class Machine(NamedTuple):
    """What a core offers: 64-byte vectors held in registers (32 with AVX-512, 8 with AVX2 or NEON), bytes of second-level cache."""

    vectors: int = 32
    l2_bytes: int = 1 << 20


AVX512 = Machine()


class Blocking(NamedTuple):
    """The cut of one contraction."""

    lanes: int  # elements of a vector
    vectors: int  # vectors across a tile
    tile_rows: int  # rows of the short tiles
    tall_tiles: int  # the first so many tiles have one row more
    row_tiles: int
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
    """Element strides of an operand that lies in memory as it is."""

    row: int
    column: int


def round_up(value: int, step: int) -> int:
    return -(-value // step) * step


def choose_blocking(spec: ContractSpec, machine: Machine, a: Strides | None, b: Strides | None) -> Blocking:
    """The cut for a shape; `a` and `b` are None where the operand is computed by a hook and has to be packed."""
    size = spec.dtype.bits // 8
    lanes = VECTOR_BYTES // size
    chunks, k_chunk = _split_k(spec)
    k_block = min(K_BLOCK[spec.dtype], round_up(max(k_chunk, 1), lanes))
    vectors, rows = _choose_tile(spec.m, spec.n, lanes, machine.vectors)
    row_tiles, column_panels = -(-spec.m // rows), -(-spec.n // (lanes * vectors))
    tile_rows, tall_tiles = divmod(spec.m, row_tiles)
    pack_a = a is None or _worth_packing_a(spec, a, k_block, size)
    pack_b = b is None or b.column != 1 or _worth_packing_b(spec, b, size)
    most_rows = (STACK_BYTES if pack_a else machine.l2_bytes // 2) // (k_block * size)
    row_strips, column_strips, tasks = _choose_grid(
        spec, machine, lanes, row_tiles, column_panels, -(-k_chunk // k_block), chunks,
        pack_a, pack_b, max(1, most_rows // (tile_rows + 1)),
    )  # fmt: skip
    return Blocking(
        lanes, vectors, tile_rows, tall_tiles, row_tiles, column_panels, k_block, k_chunk, chunks,
        row_strips, column_strips, pack_a, pack_b, tasks, _run(spec),
    )  # fmt: skip


def _run(spec: ContractSpec) -> int:
    """With many outputs runs begin later: adding a tile's sums after each is felt there."""
    few = spec.batch * spec.m * spec.n <= SPLIT_K_OUTPUTS
    return RUN if spec.k > (DEEP if few else DEEP_OF_MANY) else 0


def _split_k(spec: ContractSpec) -> tuple[int, int]:
    """Chunks of K that are summed apart, and their length. From the shape alone: it is part of the order of the sum."""
    outputs = spec.batch * spec.m * spec.n
    if outputs > SPLIT_K_OUTPUTS or spec.k < SPLIT_K_FROM:
        return 1, spec.k
    wanted = min(32, spec.k // (SPLIT_K_FROM // 2), max(2, 4 * SPLIT_K_OUTPUTS // outputs))
    length = round_up(-(-spec.k // wanted), 64)
    return -(-spec.k // length), length


def tile_limit(vectors: int, registers: int) -> int:
    """Rows of a tile so that its sums, a row of B and one broadcast element of A stay in registers."""
    return (registers - vectors - (2 if registers >= 16 else 1)) // vectors


def _choose_tile(m: int, n: int, lanes: int, registers: int) -> tuple[int, int]:
    """Vectors across and most rows of the tile with the least estimated cycles for a step of K over all of M and N.

    A core is taken to do two fused multiply-adds and two loads a cycle, to take four cycles for each multiply-add, and to wait a
    quarter of a cycle for a vector of B, which comes from the second-level cache.
    """
    best: tuple[float, int, int] | None = None
    for vectors in (2, 1, 3, 4, 6, 8):
        limit = tile_limit(vectors, registers)
        if limit < 1 or (vectors > 1 and n <= lanes * (vectors - 1)):
            continue
        tiles = -(-m // limit)
        rows = -(-m // tiles)
        full, rest = divmod(n, lanes * vectors)
        widths = [(full, vectors), (1, -(-rest // lanes))]
        cost = tiles * sum(count * max(rows * wide / 2 + wide / 4, (rows + wide) / 2, 4.0) for count, wide in widths if wide)
        if best is None or cost < best[0] * 0.97:
            best = (cost, vectors, rows)
    assert best is not None
    return best[1], best[2]


def _worth_packing_a(spec: ContractSpec, a: Strides, k_block: int, size: int) -> bool:
    """Whether reading A in place is slower than a copy, by what was measured.

    Read along k, rows in place are as good as packed ones but where so many share a set of the caches that they drive each other
    out. Read along m, every step of K is another line, and far apart another page, fetched again for every panel.
    """
    if spec.a_contiguous == "k":
        return a.column == 1 and a.row * size % 8192 == 0 and k_block >= 256 and spec.n >= 512
    return a.row == 1 and a.column * size >= 1024 and k_block >= 128 and spec.n >= 128


def _worth_packing_b(spec: ContractSpec, b: Strides, size: int) -> bool:
    """Rows of B in place will do where they are read few times, or stay in the second-level cache and do not share its sets."""
    aliased = b.row * size % 4096 == 0 and spec.k >= 256
    return spec.m > 256 and spec.k * spec.n * size > 5 << 18 or spec.m > 64 and aliased


def _choose_grid(
    spec: ContractSpec, machine: Machine, lanes: int, row_tiles: int, column_panels: int, blocks: int, chunks: int,
    pack_a: bool, pack_b: bool, most_tiles: int,
) -> tuple[int, int, int]:  # fmt: skip
    """Strips of rows and of columns, and the number of tasks: enough tasks, even ones, and little read or packed twice.

    Costs are in cycles of one core for the whole, from measurements on Sapphire Rapids: arithmetic with a part of what uneven
    strips lose, A packed or read for each strip of columns, B packed by a phase before (with several strips of rows) or on the way
    and fetched for each strip of rows, and C fetched for each block of K where it does not stay in the second-level cache.
    """
    work = spec.batch * spec.m * spec.n * max(spec.k, 1)
    tasks = 1 if work <= ONE_TASK_WORK else min(MOST_TASKS, max(2, work // WORK_PER_TASK))
    units = -(-tasks // (spec.batch * chunks))
    size = spec.dtype.bits // 8
    fewest = -(-row_tiles // most_tiles)
    best: tuple[float, int, int] | None = None
    for rows in range(fewest, row_tiles + 1):
        columns = min(column_panels, max(1, -(-units // rows)))
        uneven = rows * -(-row_tiles // rows) / row_tiles * columns * -(-column_panels // columns) / column_panels
        cost = spec.m * spec.n * spec.k / (2 * lanes) * (0.75 + 0.25 * uneven)
        near = spec.m * spec.k * size <= machine.l2_bytes // 2  # for the second strip of columns, which finds A in the cache
        moved = columns * spec.m * spec.k * (0.3 if pack_a else 0.05 if near else 0.15)
        moved += rows * spec.n * spec.k * (0.03 if 2 * rows <= row_tiles else 0.12)  # a lone tile cannot fetch the next panel
        if pack_b:
            moved += spec.n * spec.k * (0.6 if rows > 1 else 0.3)
        if spec.m * spec.n * size // (rows * columns) > machine.l2_bytes // 2:
            moved += spec.m * spec.n * 0.2 * (blocks - 1)
        cost += moved * size / 4 + (PHASE_CYCLES if pack_b and rows > 1 else 0)
        cost *= 0.75 + 0.25 * max(1.0, units / (rows * columns))
        if best is None or cost < best[0]:
            best = (cost, rows, columns)
        if rows >= 2 * max(units, fewest):
            break
    assert best is not None
    _, rows, columns = best
    return rows, columns, min(tasks, spec.batch * chunks * rows * columns)
