"""sort and top_k, done one by one on a GPU by the kernels of targets/cuda/sized/sorting.py: the axis goes behind the others, places
are sorted with keys, and elements are read at these places.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from ...ir.types import I32, ArrayType, DType
from ...targets.cuda.device import THREADS
from ...targets.cuda.library.pairs import BUCKETS, DIGIT_BITS, chunked, in_block, most_shared
from ...targets.cuda.program import device_tuning
from ...targets.cuda.sized.kernel import SizedKernel
from ...targets.cuda.sized.places import Strided
from ...targets.cuda.sized.sorting import PLACE, emit_counts, emit_keys, emit_moves, emit_short, key_of
from .devices import Device
from .memory import DeviceMemory, empty
from .moving import moved, taken
from .ready import Operation, launch, prepared
from .running import run_along


class _Kind(NamedTuple):
    """A kernel, and the type of its keys."""

    part: str
    key: DType
    flag: bool = False


def done_sort(device: Device, what: Operation) -> list[DeviceMemory] | None:
    """Arrays ordered along an axis by the first of them; of top_k the largest elements and where they were."""
    shape, axis, dtype, decreasing = what.types[0].shape, what.params["axis"], what.types[0].dtype, "k" in what.params
    n, kept = shape[axis], what.results[0].shape[axis]
    outer, inner = math.prod(shape[:axis]), math.prod(shape[axis + 1 :])
    if n >= 1 << PLACE.bits:
        return None
    if not what.results[0].size:
        return [empty(device, 0) for _ in what.results]

    def turned(x: DeviceMemory, sizes: tuple[int, int], dtype: DType) -> DeviceMemory:
        """An array of (outer, rows, columns) as (outer, columns, rows)."""
        rows, columns = sizes
        if 1 in sizes:
            return x
        where = Strided((outer, columns, rows), (rows * columns, 1, columns)).merged()
        found = moved(device, x, where, ArrayType((outer, columns, rows), dtype))
        assert found is not None
        return found

    rows = outer * inner
    operands = [turned(x, (n, inner), t.dtype) for x, t in zip(what.operands, what.types, strict=True)]
    _, places = sorted_pairs(device, _keys(device, operands[0], dtype, decreasing, rows * n), dtype.bits, rows, n)
    if kept < n:
        first = moved(device, places, Strided((rows, kept), (n, 1)).merged(), ArrayType((rows, kept), PLACE))
        assert first is not None
        places = first
    results = [taken(device, x, t.dtype, places, PLACE, (rows, n, kept)) for x, t in zip(operands, what.types, strict=True)]
    types = [t.dtype for t in what.types]
    if decreasing:
        results, types = [*results, places], [*types, I32]
    return [turned(m, (inner, kept), t) for m, t in zip(results, types, strict=True)]


def _keys(device: Device, x: DeviceMemory, dtype: DType, decreasing: bool, count: int) -> DeviceMemory:
    ready = prepared(device, ("keys", dtype, decreasing), lambda name: emit_keys(name, dtype, decreasing, device_tuning()))
    assert ready is not None
    keys = empty(device, count * key_of(dtype.bits).nbytes)
    launch(device, ready, count, (x.pointer, keys.pointer, count))
    return keys


def sorted_pairs(device: Device, keys: DeviceMemory, bits: int, rows: int, n: int) -> tuple[DeviceMemory, DeviceMemory]:
    """Rows of keys of so many bits in order, and where in their row each was; there are some."""
    key, tuning = key_of(bits), device_tuning()

    def start(kind: _Kind, blocks: int, pointers: Sequence[DeviceMemory], words: tuple[int, ...]) -> None:
        def emit(name: str) -> SizedKernel:
            if kind.part == "moves":
                return emit_moves(name, key, kind.flag, tuning)
            return (emit_short if kind.part == "short" else emit_counts)(name, key, tuning)

        ready = prepared(device, kind, emit)
        assert ready is not None
        launch(device, ready, blocks * THREADS, (*[m.pointer for m in pointers], *words))

    def pairs() -> tuple[DeviceMemory, DeviceMemory]:
        return empty(device, rows * n * key.nbytes), empty(device, rows * n * PLACE.nbytes)

    if n <= most_shared(tuning.gpu):
        padded, total = in_block(n)
        found = pairs()
        start(_Kind("short", key), -(-rows * padded // total), [keys, *found], (rows, n, padded.bit_length() - 1, total))
        return found
    chunks, size = chunked(rows, n, tuning.gpu)
    counts = empty(device, rows * BUCKETS * chunks * PLACE.nbytes)
    before: list[DeviceMemory] = [keys]
    spare: list[tuple[DeviceMemory, DeviceMemory]] = [pairs(), pairs()]
    for number in range(-(-bits // DIGIT_BITS)):
        words, target = (rows, n, chunks, size, DIGIT_BITS * number), spare[number % 2]
        start(_Kind("counts", key), rows * chunks, [before[0], counts], words)
        run_along(device, "add", PLACE, False, counts, counts, (rows, BUCKETS * chunks, 1))
        start(_Kind("moves", key, number == 0), rows * chunks, [*before, counts, *target], words)
        before = [*target]
    return before[0], before[1]
