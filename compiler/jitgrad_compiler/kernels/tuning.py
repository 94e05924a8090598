"""The sizes that belong to a machine, in one record: what is worth doing again, when a second thread is worth waking, how many
values registers and caches hold. fuse.py is handed the section for fusion, a target's schedules and code the others.

A target has one Tuning; the numbers here are those of the CPU, measured on Sapphire Rapids. They decide how kernels are cut, and
so in which order floats are summed, but nothing else of a result: maps, maxima and integers are the same to the bit under any. What
fixes the order of sums whatever the tuning (the blocks of a contraction, the runs of a long sum) is in targets/order.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


def _power_of_two(record: Any, least: int, *fields: str) -> None:
    """What code takes for granted of some numbers."""
    for name in fields:
        n = getattr(record, name)
        if n < least or n & (n - 1):
            raise ValueError(f"{type(record).__name__}: {name} must be a power of two, {least} or more, got {n}")


@dataclass(frozen=True)
class Fusion:
    """What fits a kernel. A cost is in simple operations an element: an addition is 1 (Traits.cost)."""

    repeat_cost: float = 30.0
    """Cost of what is done again rather than stored, when its operands are small."""
    repeat_large_cost: float = 8.0
    """The same when its operands are as large as the result, so that only the store is saved."""
    repeat_op_cost: float = 10.0
    """The same of one op."""
    repeat_bytes: int = 4096
    """What operands of such work may have beyond twice the bytes of the result."""
    spread_ratio: int = 16
    """How many times a row is read from which it is stored rather than done again each time."""
    spread_elements: int = 1 << 16
    """Elements of the smallest result of which that is asked: of less, a kernel more costs as much."""
    spread_bytes: int = 1 << 14
    """Bytes of the longest such row: it stays in the first-level cache."""
    spread_cost: float = 1.0
    """Cost of an element of it that is done again after all."""
    inlined_bytes: int = 1 << 14
    """Bytes of the smallest result that every reader computes again, where operands are far smaller."""
    inlined_ratio: int = 8
    """How many times smaller they must be."""
    recompute_from: int = 1 << 24
    """Bytes alive at once from which it is asked what need not be kept: less is not worth fusing a second time."""
    recompute_least: int = 1 << 14
    """Bytes of the smallest value that is then computed again."""
    recompute_cost: float = 60.0
    """Cost of computing it again: four bytes written and read take as long as some twenty simple operations."""
    recompute_read: float = 10.0
    """What it adds to the cost when a value is read for it."""
    recompute_beside: float = 8.0
    """What of it a kernel may have to do beside its own work, so that it stores the value for others."""
    freed_bytes: int = 1 << 20
    """Bytes of a value from which the kernel that needs it last, and makes results alone, runs early; small ones run together."""
    most_nodes: int = 600
    """Nodes from which a kernel takes no more: code generation is more than linear in them."""
    small: int = 16
    """Elements up to which a kernel's own costs, a function and a call, are more than its work."""
    small_sources: int = 64
    """Values that such a kernel reads at most: LLVM's time grows with the square of the loads and stores in a function."""
    row_bytes: int = 1 << 18
    """The longest row that several stages read, from the second-level cache but for the first."""
    enough_rows: int = 16
    """The fewest rows that a kernel of rows may have, or threads would be idle."""
    serial_elements: int = 1 << 15
    """Elements up to which it may have fewer, for it runs on one thread."""
    across_elements: int = 1 << 10
    """Elements up to which its rows may lie across memory, element by element on cache lines of their own."""


@dataclass(frozen=True)
class Loops:
    """Loop kernels: targets/cpu/loops."""

    serial_work: int = 1 << 17
    """Simple operations below which a kernel is one task: waking another thread costs more. Other tasks have a quarter of it."""
    most_tasks: int = 64
    """Tasks of a kernel."""
    most_partial_tasks: int = 32
    """The same where each task keeps sums of its own, as large as the result, which are added at the end."""
    columns_at_least: int = 512
    """Elements of a result from which a sum over leading axes has its vectors along the others, and runs down them."""
    side_by_side: int = 8
    """Vectors of such columns that are run down together, and their sums, at most. Rows far apart in memory cost a page's address
    each, and hardware does not foresee the next.
    """
    rows_ahead: int = 4
    """Rows before they come that such columns are asked for, where rows are"""
    far_bytes: int = 1024
    """so many bytes or more apart, in arrays of"""
    large_bytes: int = 1 << 24
    """so many or more, which come from memory."""
    enough_tasks: int = 8
    """Tasks from which there may be fewer of them, of more columns each."""
    written_out: int = 4
    """Steps of the longest last axis that is written out, beside vectors along the axis before it."""
    short_columns: int = 8
    """Elements of the shortest row behind a sum along which vectors run, rather than along what is summed."""
    written_remainders: int = 500
    """Nodes times remainders of a map in which each remainder of an index is written out by itself."""
    sections: int = 64
    """Sections of a map of joined, padded or cut arrays, at most,"""
    written_sections: int = 500
    """and nodes of all of them together."""
    saved_loads: float = 0.25
    """The share of a map's loads that sections must save: what is padded by a little only reads under a mask, row by row."""
    section_loads: int = 1 << 12
    """Loads that each section must save: it takes two milliseconds to compile, and they half a microsecond."""
    interleaved_at_least: int = 16
    """Steps of the shortest axis along which pairs, threes or fours are made by vectors, and shuffled together."""
    turned_at_least: int = 1 << 15
    """Elements of a map from which what it reads across its vectors is turned by squares: they take milliseconds to compile."""
    turned_steps: int = 8
    """Steps of the shortest axis of such squares."""
    most_squares: int = 16
    """Squares of a kernel at once, which lie on the stack."""
    squares_in_run: int = 8
    """Squares one after another along the axis that is read, before the next along the other: all their cache lines stay."""
    vectors_ahead: int = 4
    """How far before they come what is read for squares is asked for: hardware does not foresee so many short rows."""
    heavy: float = 24.0
    """Simple operations of a loop body from which one masked loop is better than a loop and its copy for the tail."""
    copies: int = 4
    """Running values of a reduction where the body is so short that adding to one would be waited for."""
    turns: int = 4
    """Running values of a long sum that take turns, for each copy of a loop's body, so that runs are longer."""
    turning: int = 16
    """Running values of one loop that do, at most: registers are few."""
    short_row: int = 512
    """Elements of the longest row that goes in a tile of rows."""
    dear_row: float = 20.0
    """Simple operations a row, not a row's element, that are worth doing for a tile of short rows at once."""
    dear: float = 5.0
    """Simple operations of one op from which its result is worth keeping for a later stage."""
    kept_row_bytes: int = 1 << 16
    """The longest row that is kept."""
    stack_bytes: int = 192 << 10
    """Kept rows on a thread's stack, where the next row finds them in the cache; the others lie in scratch memory."""

    def __post_init__(self) -> None:
        _power_of_two(self, 1, "copies", "turns", "side_by_side")


@dataclass(frozen=True)
class Contraction:
    """Contractions: targets/cpu/contract. Cycles are those of one core. None of it changes a bit of a product; of windows
    that are read in place `pack_b_rows` and `pack_b_bytes` choose the blocks of depth.
    """

    a_ahead: int = 16
    """Steps of K for which A is asked for before they come, where each is"""
    foreseen_bytes: int = 256
    """so many bytes or more from the one before, which hardware does not foresee."""
    registers: int = 32
    """64-byte vectors that a core holds: 32 with AVX-512, 8 with AVX2 or NEON."""
    cache_bytes: int = 1 << 20
    """Of the second level, of one core."""
    stack_bytes: int = 192 << 10
    """Of packed A; it lies on the thread's stack, where the next task finds it in the cache."""
    one_task_work: int = 1_000_000
    """Multiply-adds up to which one task does all: a core does them in 10 us, and a parallel region costs 2 to 5."""
    work_per_task: int = 2_000_000
    """Multiply-adds of a task where there are several."""
    most_tasks: int = 32
    """Tasks of a phase."""
    added_per_task: int = 1 << 17
    """Elements that a task reads which adds up the chunks of a depth that was cut."""
    phase_cycles: int = 20_000
    """Of a barrier, and of what threads wait for each other."""
    multiply_adds: int = 2
    """Of vectors, that a core begins in a cycle."""
    latency: float = 4.0
    """Cycles from the beginning of a multiply-add to its result."""
    loads: int = 2
    """Of vectors, in a cycle."""
    panel_cycles: float = 0.25
    """Waited for a vector of B, which comes from the second-level cache."""
    pack_a_cycles: float = 0.3
    """To pack four bytes of A."""
    near_a_cycles: float = 0.05
    """To read four bytes of A in place, where A stays in the cache."""
    far_a_cycles: float = 0.15
    """The same where A does not."""
    next_b_cycles: float = 0.03
    """To read four bytes of B in strips of several tiles, which fetch the next panel while they work."""
    lone_b_cycles: float = 0.12
    """The same in strips of one tile."""
    pack_b_cycles: float = 0.3
    """To pack four bytes of B on the way; in a phase before, which writes them to memory, it takes twice that."""
    windows_before: int = 8
    """How many times that it takes of windows in a phase before: they are several times what they look into."""
    again_c_cycles: float = 0.2
    """To fetch four bytes of C again for a block of K, where C does not stay in the cache."""
    alias_a_bytes: int = 4096
    """Rows of A that are a multiple of this apart drive each other out of the cache."""
    cache_ways: int = 8
    """Of the first-level cache: so many of such rows have room in it at once."""
    alias_b_bytes: int = 4096
    """The same of B."""
    near_a_bytes: int = 4096
    """Rows of A that come from memory, at most so far apart, are asked for a tile before."""
    far_a_bytes: int = 1024
    """Steps of K so far apart, of an A that is read along m, are not foreseen by hardware."""
    pack_aliased_a: tuple[int, int] = (32, 32)
    """K of a block and N from which packing pays of an A that is read along k, whose rows drive each other out."""
    pack_far_a: tuple[int, int] = (128, 128)
    """The same of an A that is read along m, whose steps are far apart."""
    pack_b_rows: int = 256
    """M above which packing a large B pays, for it is read often."""
    pack_b_bytes: int = 5 << 18
    """What a large B has more than."""
    pack_aliased_b: tuple[int, int] = (64, 256)
    """M above which, and K from which, packing pays of a B whose rows drive each other out."""
    far_b_bytes: int = 1024
    """Rows of B so far apart, which come from memory and are read in place, are read by panels"""
    wide_panel: int = 3
    """of so many vectors, rather than two,"""
    panel_bytes: int = 48 << 10
    """and of so much at most."""
    sparse_b_bytes: int = 512
    """Rows of a B that lies in runs so far apart take few sets of the first-level cache, and it is packed."""
    packed_together: int = 4
    """Steps of K of an A read along m that are packed together, strip by strip: so each line is fetched once, and hardware foresees
    the next."""
    rows_ahead: int = 16
    """Rows of B that are asked for from memory while others are packed."""
    tiled_bytes: int = 5 << 16
    """Of a block of a convolution's tiles, transformed, with its products: contract/winograd.py."""
    most_tiled_tasks: int = 16
    """Tasks of such a convolution, each of which has memory for a block."""
    pointer_rows: int = 5
    """Rows of A reached from one pointer: with the multiples of their stride, pointers are as many as registers allow."""


@dataclass(frozen=True)
class Control:
    """Loops and branches: targets/tasks/registers and targets/cpu/control."""

    uninterrupted: int = 100_000
    """Operations of loops between two looks at the clock, roughly."""
    steps_between: int = 1024
    """Steps of a while_loop between two looks at the clock."""
    unknown_steps: int = 64
    """Steps that a while_loop is taken to do, where it matters how much work there is."""
    serial_work: int = 1 << 15
    """Operations of rows in registers below which they are one task."""
    most_tasks: int = 256
    """Tasks of rows in registers: many, for rows differ in how long they take."""
    most_row_tasks: int = 16
    """Tasks of rows that are programs of kernels: each has an arena of its own."""
    first_entries: int = 64
    """Entries that a tape has room for at first; doubled whenever they are full."""

    def __post_init__(self) -> None:
        _power_of_two(self, 1, "steps_between")


@dataclass(frozen=True)
class Sort:
    """targets/cpu/library/sorting.py"""

    ranked: int = 128
    """The longest row whose elements are ranked: above, the passes over digits are fewer steps than all pairs."""
    small_part: int = 4
    """Of how many elements of a row top_k selects at most one, rather than sort them all,"""
    inserted: int = 64
    """and how many it keeps in order while it reads the row."""
    selected_room: int = 1 << 10
    """Of more of them, those that are kept at least until all are sorted."""
    serial_elements: int = 1 << 13
    """Elements below which rows are sorted in one task."""
    long: int = 1 << 16
    """Elements of a row that is sorted by several tasks, where rows are few."""
    enough_rows: int = 8
    """Rows that are not few."""
    chunk: int = 1 << 14
    """Elements of such a row that a task has, at least."""
    most_chunks: int = 16
    """Tasks of such a row."""
    scratch_bytes: int = 1 << 26
    """What tasks that sort rows side by side may take together, unless one row takes more."""


@dataclass(frozen=True)
class Cumulative:
    """targets/cpu/library/cumulative.py"""

    serial_elements: int = 1 << 15
    """Elements below which a kernel is one task: waking another thread costs more."""
    long: int = 1 << 12
    """Elements of a row that is scanned by vectors."""
    chunk: int = 1 << 14
    """Elements of such a row that a task has, at least, where rows are few."""
    enough_rows: int = 16
    """Rows that are not few."""
    interleaved: int = 8
    """Short rows side by side, which hides the latency of one addition after the other."""
    column_bytes: int = 2048
    """Columns that are run down together: wide enough for the prefetcher, few enough that the row before is still in the cache."""

    def __post_init__(self) -> None:
        _power_of_two(self, 64, "column_bytes")


@dataclass(frozen=True)
class Recurrence:
    """targets/cpu/library/recurrence.py"""

    serial_elements: int = 1 << 14
    """Elements below which a kernel is one task."""
    interleaved: int = 8
    """Rows side by side, which hides the latency of one step after the other."""


@dataclass(frozen=True)
class Scatter:
    """targets/cpu/library/scatter.py"""

    serial_bytes: int = 1 << 16
    """Updates below which they are one task."""
    piece_bytes: int = 128
    """Columns of a run that a task takes at least: every task reads all indices, which two cache lines a row outweigh."""
    most_pieces: int = 16
    """Tasks that share a run."""
    ahead: int = 8
    """Updates ahead of the one being done whose place is asked for from memory."""

    def __post_init__(self) -> None:
        _power_of_two(self, 64, "piece_bytes")


@dataclass(frozen=True)
class Matrices:
    """targets/tasks/lapack/"""

    serial_work: int = 1 << 17
    """Of a batch the products of matrices' sizes, count times n^3, below which it is one task."""
    blocked: int = 192
    """Rows and columns from which one matrix is factorised by many tasks."""
    turned: int = 16
    """Rows and columns of a block that is transposed at once: their cache lines stay."""


@dataclass(frozen=True)
class Gpu:
    """Kernels of the CUDA target: targets/cuda."""

    wide_from: int = 1 << 15
    """Threads from which each does several elements that lie side by side; with fewer the device would be idle."""
    enough_blocks: int = 512
    """Blocks that fill a device, so that sums are cut no further."""
    enough_threads: int = 1 << 16
    """The same, of threads that sum by themselves."""
    share: int = 4096
    """Elements of a sum from which a block takes a share of it."""
    thread_share: int = 64
    """The same of one thread."""
    warp_row: int = 1024
    """Elements of the longest row that a warp sums; longer ones are a block's."""
    short_row: int = 8
    """Elements of the longest row that one thread sums, though its neighbours read far away."""
    shared_sort: int = 2048
    """Elements of the longest row that a block sorts in shared memory, as far as that holds it."""
    few_updates: int = 16
    """Updates of a scatter up to which each of its columns is one thread's, which goes through all of them."""
    tensor_side: int = 48
    """Rows, and columns, of a product from which tensor cores multiply."""
    tensor_depth: int = 64
    """The same of its depth."""
    warpgroups: bool = False
    """Whether there is wgmma, by which warpgroups multiply what lies in shared memory."""
    warpgroup_side: int = 96
    """Rows, and columns, of a product from which they do."""
    solver: bool = False
    """Whether a library with LAPACK's routines is at hand (passes/column_routines.py)."""
    attention: bool = False
    """Whether attention has kernels of its own (passes/scores_on_chip.py)."""

    def __post_init__(self) -> None:
        _power_of_two(self, 1, "wide_from", "warp_row")


@dataclass(frozen=True)
class Fourier:
    """targets/tasks/fourier"""

    serial_elements: int = 1 << 13
    """Elements below which transforms are one task: waking another thread costs more."""
    most_tasks: int = 16
    """Tasks of a phase, each of which has buffers of its own."""


@dataclass(frozen=True)
class Tuning:
    """All that a target's kernels are sized by. Part of the key of compiled code."""

    fusion: Fusion = Fusion()
    loops: Loops = Loops()
    contraction: Contraction = Contraction()
    control: Control = Control()
    sort: Sort = Sort()
    cumulative: Cumulative = Cumulative()
    recurrence: Recurrence = Recurrence()
    scatter: Scatter = Scatter()
    matrices: Matrices = Matrices()
    gpu: Gpu = Gpu()
    fourier: Fourier = Fourier()
    most_tasks: int = 64
    """Tasks of a library kernel."""
    tiled: bool = True
    """Whether convolutions may go tile by tile: passes/winograd.py."""
    halves: bool = False
    """Whether numbers of 16 bits are multiplied as such, by tensor cores, so that they stay so where products read them."""
    copy_bytes: int = 1 << 18
    """What a task copies at least."""
    math_in_function: tuple[int, int] = (8, 4)
    """How often a function of the vector math is written out in a function, of vectors and of numbers; beyond that it is called.

    Written out it runs 2 to 10 % faster as vectors, and takes 5 to 20 ms of code generation.
    """
    math_in_kernel: tuple[int, int] = (64, 8)
    """The same in all functions of a kernel."""
    module_bytes: int = 24_000
    """Of IR, from which the next kernel goes to another module, so that threads compile both. One more costs a millisecond."""
    module_joined_cost: float = 12.0
    """Simple operations an element up to which a kernel goes into a full module, as it is compiled in less than another costs."""
