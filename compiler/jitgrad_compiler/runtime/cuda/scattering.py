"""scatter, done one by one on a GPU by the kernels of targets/cuda/sized/scatter.py: the addressed axes go before those that are
taken whole, and updates go to a copy.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from ...ir.types import ArrayType
from ...targets.cuda.library.ordered_updates import long, parted
from ...targets.cuda.program import device_tuning
from ...targets.cuda.sized.kernel import SizedKernel
from ...targets.cuda.sized.scatter import (
    ROWS,
    emit_atomics,
    emit_claims,
    emit_ordered,
    emit_place_keys,
    emit_winners,
    stored_as,
    unordered,
)
from ...targets.cuda.sized.sorting import key_of
from .devices import Device
from .memory import DeviceMemory, empty
from .moving import in_memory, turned
from .ready import Operation, launch, prepared
from .sorting import sorted_pairs

_PARTS: dict[str, Callable[..., SizedKernel]] = {
    "keys": emit_place_keys, "claims": emit_claims, "winners": emit_winners, "atomics": emit_atomics, "ordered": emit_ordered,
}  # fmt: skip


def done_scatter(device: Device, what: Operation) -> list[DeviceMemory] | None:
    """Updates at indices; complex numbers are their parts, side by side."""
    (type, indices, updates), axes, batch = what.types, what.params["axes"], what.params["batch"]
    kind, dtype = what.params["kind"], type.dtype
    if dtype.is_complex and kind not in ("set", "add") or math.prod(indices.shape[:-1]) >= 1 << ROWS.bits:
        return None
    if not type.size:
        return [empty(device, 0)]
    x = in_memory(device, what.operands[0])
    if not updates.size:
        return [x.copied()]
    order = [*range(batch), *axes, *[n for n in range(batch, type.rank) if n not in axes]]
    laid = turned(device, x, type, order)
    if laid is None:
        return None
    out = x.copied() if laid is x else laid
    _update(device, what, [in_memory(device, a) for a in what.operands[1:]], out)
    if order == sorted(order):
        return [out]
    back = turned(device, out, ArrayType(tuple(type.shape[n] for n in order), dtype), [order.index(n) for n in range(type.rank)])
    return None if back is None else [back]


def _update(device: Device, what: Operation, operands: Sequence[DeviceMemory], out: DeviceMemory) -> None:
    """Updates to the places of what is there, of which there are some."""
    (type, index, _), axes, batch = what.types, what.params["axes"], what.params["batch"]
    indices, updates = operands
    dtype, each = (type.dtype.real, 2) if type.dtype.is_complex else (type.dtype, 1)
    kind, dtype = stored_as(what.params["kind"], dtype)
    rows, places = math.prod(index.shape[:-1]), math.prod(type.shape[a] for a in axes)
    none = places * math.prod(type.shape[:batch])
    columns, tuning = each * type.size // none, device_tuning()
    key = key_of(none.bit_length())

    def start(threads: int, pointers: Sequence[DeviceMemory], words: Sequence[int], part: str, *which: Any) -> None:
        def emit(name: str) -> SizedKernel:
            return _PARTS[part](name, *which, tuning)

        ready = prepared(device, ("scatter", part, *which), emit)
        assert ready is not None
        launch(device, ready, threads, (*[m.pointer for m in pointers], *words))

    keys = empty(device, rows * key.nbytes)
    in_batch = math.prod(index.shape[batch:-1])
    shape = rows, in_batch, places, none, *[type.shape[a] for a in axes]
    start(rows, [indices, keys], shape, "keys", index.dtype, len(axes), key)
    count = rows * columns
    if kind == "set":
        claims = empty(device, none * ROWS.nbytes)
        for first in (True, False):
            start(rows, [keys, claims], (rows, none), "claims", key, first)
        start(count, [keys, claims, updates, out], (count, columns, none), "winners", key, 8 * dtype.nbytes)
    elif unordered(kind, dtype):
        start(count, [keys, updates, out], (count, columns, none), "atomics", key, kind, dtype)
    else:
        in_parts, share = parted(kind, dtype.computed), tuning.gpu.thread_share
        chunk = max(share, math.isqrt(rows)) if in_parts else rows  # so that both steps of a place with all updates are short
        chunks, many = -(-rows // chunk), long(kind, dtype.computed, in_batch)
        ordered = sorted_pairs(device, keys, none.bit_length(), 1, rows)
        parts = [empty(device, chunks * columns * dtype.computed.nbytes) for _ in range(2)]
        for joins in (False, True)[: 1 + (chunks > 1)]:
            threads = chunks * columns if joins else count
            words = rows, columns, none, chunk, chunks
            start(threads, [*ordered, updates, out, *parts], words, "ordered", key, kind, dtype, many, joins)
