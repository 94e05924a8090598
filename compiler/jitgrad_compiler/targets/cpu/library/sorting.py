"""Kernels of sort: operands ordered along an axis by the first one, stable, NaNs last, -0.0 equal to 0.0. And of top_k, which is
the beginning of a row sorted in decreasing order; where it is a small part of the row, it is selected (selection.py).

The first operand's elements become unsigned integers in the same order, so one comparison serves every element type.

    short rows     each element's rank is counted: how many keys are less, or equal and before it
    longer rows    radix sort, eight bits a pass from the lowest (Knuth, The Art of Computer Programming 3, 5.2.5), of keys with
                   their places; passes in which all keys have one digit are left out
    few, long rows the same, each pass by several tasks (sort_chunks.py)

Next on the path: tasks/sort_rows.py, which reads and writes the rows.
"""

from __future__ import annotations

from ....ir.types import BOOL, I64, U8, U32, U64
from ....kernels.kernel import Kernel
from ...llvm_text import PTR, Module
from ...order import VECTOR_BYTES
from ...tasks.partition import partition
from ...tasks.phases import Emitted, Phase, Pointers, Scratch
from ...tasks.sort_rows import Rows
from .radix import BUCKETS, DIGIT_BITS, Pairs, RadixSteps
from .selection import Selection
from .sort_chunks import ChunkedSort
from .sort_pairs import Varying, load_pairs, store_sorted


def emit_sort(module: Module, name: str, kernel: Kernel, pointers: Pointers, scratch: Scratch) -> Emitted:
    """The task functions of sort or top_k."""
    if not kernel.eqns[0].outputs[0].type.size:
        return Emitted([])
    rows = Rows(module, name, kernel, pointers, scratch)
    tuning = module.tuning.sort
    if rows.n <= tuning.ranked:
        return _rank(rows)
    if rows.kept * tuning.small_part <= rows.n:
        return Selection(rows).emit()
    if rows.count < tuning.enough_rows and rows.n >= tuning.long:
        return ChunkedSort(rows).emit()
    return _radix_by_rows(rows)


def _rank(rows: Rows) -> Emitted:
    e, n = rows.function(), rows.n
    key = rows.key if rows.key in (U32, U64) else U32
    width = VECTOR_BYTES // key.nbytes
    padded = -(-n // width) * width
    parts = partition(rows.count, rows.most_tasks)
    memory, keys = rows.memory(e), e.alloca(key, 1, padded)
    with e.loop(n, padded) as i:  # behind the row, so less than or before no element of it
        e.store(e.offset(keys, i, key), e.const(-1, key))
    ranks = e.alloca(key, width)
    with parts.units(e) as row:
        base, take = rows.base(e, row), rows.taker(e, memory, row)
        with e.loop(0, n) as i:
            e.store(e.offset(keys, i, key), e.convert(rows.load_key(e, memory, rows.at(e, base, i)), key))
        with e.loop(0, n) as i:
            mine, place = e.load(e.offset(keys, i, key), key), e.convert(i, key)
            e.set(ranks, e.const(0, key, width))
            with e.loop(0, padded, width) as j:
                others = e.load(e.offset(keys, j, key), key, width)
                before = e.compare("lt", e.add(e.lane_ids(key, width), e.convert(j, key)), place)
                first = e.or_(e.compare("lt", others, mine), e.and_(before, e.compare("eq", others, mine)))
                e.set(ranks, e.add(e.get(ranks, key, width), e.convert(first, key)))
            rank = e.convert(e.fold(e.add, e.get(ranks, key, width)), I64)
            with e.when(e.compare("lt", rank, rows.kept) if rows.kept < n else e.const(True, BOOL)):
                take(i, rank)
    e.finish()
    return Emitted([Phase(rows.name, parts.tasks)])


def _radix_by_rows(rows: Rows) -> Emitted:
    pairs = Pairs(rows.key, rows.n)
    steps = RadixSteps(rows.module, rows.name, pairs)
    parts = partition(rows.count, min(rows.most_tasks, max(rows.module.tuning.sort.scratch_bytes // (2 * pairs.bytes), 1)))
    e = rows.function()
    args, begin, end = e.args
    memory, scratch, varying = rows.memory(e), rows.scratch(e, args), Varying(e)
    counts, source, target = e.alloca(I64, 1, BUCKETS), e.alloca(PTR), e.alloca(PTR)
    zero, n = e.const(0, I64), e.const(rows.n, I64)
    with e.loop(begin, end) as task:
        buffer = e.offset(scratch, e.mul(task, 2 * pairs.bytes), U8)
        low, high = parts.bounds(e, task)
        with e.loop(low, high) as row:
            base = rows.base(e, row)
            e.set(source, buffer)
            e.set(target, e.offset(buffer, pairs.bytes, U8))
            load_pairs(e, rows, pairs, memory, base, buffer, zero, n, varying)
            with e.loop(0, pairs.key_bits, DIGIT_BITS) as shift, e.when(varying.digit(pairs, shift)):
                a, b = e.get(source, PTR), e.get(target, PTR)
                e.call(steps.count, None, a, zero, n, shift, counts)
                e.call(steps.place, None, counts, e.const(1, I64))
                e.call(steps.move, None, a, b, zero, n, shift, counts)
                e.set(source, b)
                e.set(target, a)
            store_sorted(e, rows, pairs, memory, row, e.get(source, PTR), zero, n)
    e.finish()
    return Emitted([Phase(rows.name, parts.tasks)], parts.tasks * 2 * pairs.bytes)
