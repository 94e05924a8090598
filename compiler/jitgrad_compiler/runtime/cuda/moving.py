"""Operations that move elements, done one by one on a GPU by the kernels of targets/cuda/sized/places.py: changes of layout, parts
put together, elements at indices, windows, and ranges of numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...ir.types import F32, F64, I64, U32, ArrayType, DType
from ...targets.cuda.program import device_tuning
from ...targets.cuda.sized.places import LAID, MOST_AXES, Strided, Way, emit_numbers, emit_places, row_major, strided
from .devices import Device
from .memory import DeviceMemory, empty, from_host
from .ready import Operation, launch, prepared

MOST_KEYS = 4
"""Indices of a row."""
WORD = 8
"""Bytes that a thread moves at most; complex numbers of 16 are two."""
Moved = list[DeviceMemory] | None


def _index(count: int) -> DType:
    return U32 if count < 1 << 31 else I64


def _words(dtype: DType) -> int:
    return -(-dtype.nbytes // WORD)


def _move(device: Device, way: Way, pointers: Sequence[int], count: int, where: Strided, words: Sequence[int] = ()) -> None:
    ready = prepared(device, way, lambda name: emit_places(name, way, device_tuning()))
    assert ready is not None
    launch(device, ready, count, (*pointers, count, where.start, *where.sizes[1:], *where.strides, *words))


def moved(device: Device, source: DeviceMemory, where: Strided, result: ArrayType) -> DeviceMemory | None:
    """The elements at these places, in order; None of too many axes."""
    words = _words(result.dtype)
    where, nbytes, count = where.of_words(words), result.dtype.nbytes // words, result.size * words
    if len(where.sizes) > MOST_AXES:
        return None
    out = empty(device, result.nbytes)
    if where.strides == (1,) and count:
        device.driver.copy(out.pointer, source.pointer + where.start * nbytes, result.nbytes)
        return out
    _move(device, Way(8 * nbytes, len(where.sizes), _index(count)), (source.pointer, out.pointer), count, where)
    return out


def _put(device: Device, source: DeviceMemory, out: DeviceMemory, where: Strided, dtype: DType) -> bool:
    """Elements, in order, to these places of what is there; whether that was possible."""
    words = _words(dtype)
    where, nbytes = where.of_words(words), dtype.nbytes // words
    count = math.prod(where.sizes)
    if len(where.sizes) > MOST_AXES:
        return False
    if where.strides == (1,) and count:
        device.driver.copy(out.pointer + where.start * nbytes, source.pointer, count * nbytes)
    else:
        way = Way(8 * nbytes, len(where.sizes), _index(count), into=True)
        _move(device, way, (source.pointer, out.pointer), count, where)
    return True


def turned(device: Device, source: DeviceMemory, type: ArrayType, order: Sequence[int]) -> DeviceMemory | None:
    """An array with its axes in this order: itself where that is theirs; None of too many axes."""
    if list(order) == sorted(order):
        return source
    sizes, steps = (tuple(s[n] for n in order) for s in (type.shape, row_major(type.shape)))
    return moved(device, source, Strided(sizes, steps).merged(), ArrayType(sizes, type.dtype))


def taken(
    device: Device, source: DeviceMemory, dtype: DType, places: DeviceMemory, key: DType, sizes: tuple[int, int, int]
) -> DeviceMemory:
    """Elements of rows at places of a row; `sizes`: the rows, how long they are, and how many elements are taken of each."""
    (rows, length, kept), each = sizes, _words(dtype)
    out, count = empty(device, rows * kept * dtype.nbytes), rows * kept * each
    way = Way(8 * dtype.nbytes // each, 1, _index(count), keys=(key,))
    words = [each, kept, length * each, length - 1, each]
    _move(device, way, (source.pointer, out.pointer, places.pointer), count, Strided((each,), (1,)), words)
    return out


def in_memory(device: Device, x: Any) -> DeviceMemory:
    """An operand, there also where it is a number."""
    return from_host(device, x) if isinstance(x, np.generic) else x


def _laid(device: Device, what: Operation) -> Moved:
    """A result whose elements are the operand's at other places."""
    (type,), (source,), (result,) = what.types, what.operands, what.results
    if isinstance(source, np.generic):
        return None
    out = moved(device, source, strided(what.op.name, what.params, type.shape, result.shape), result)
    return None if out is None else [out]


def _concatenated(device: Device, what: Operation) -> Moved:
    (result,), axis = what.results, what.params["axis"]
    out, behind = empty(device, result.nbytes), math.prod(result.shape[axis + 1 :])
    at = 0
    for x, type in zip(what.operands, what.types, strict=True):
        rows, row = math.prod(type.shape[:axis]), type.shape[axis] * behind
        _put(device, x, out, Strided((rows, row), (result.shape[axis] * behind, 1), at).merged(), result.dtype)
        at += row
    return [out]


def _padded(device: Device, what: Operation) -> Moved:
    """A number, spread, and the operand's elements that are not cut off where they go."""
    (type, _), (x, number), (result,) = what.types, what.operands, what.results
    taken: list[tuple[int, int, int, int]] = []
    for n, m, (low, _, interior) in zip(type.shape, result.shape, what.params["padding"], strict=True):
        step = interior + 1
        first = max(0, -(low // step))
        last = max(first, min(n, -((low - m) // step)))
        taken.append((first, last, low + first * step, step))
    sizes = tuple(last - first for first, last, _, _ in taken)
    out = moved(device, in_memory(device, number), Strided(result.shape, (0,) * len(result.shape)).merged(), result)
    if out is None or isinstance(x, np.generic):
        return None
    if 0 not in sizes:
        source, apart = row_major(type.shape), row_major(result.shape)
        begin = sum(s * first for s, (first, _, _, _) in zip(source, taken, strict=True))
        part = moved(device, x, Strided(sizes, tuple(source), begin).merged(), ArrayType(sizes, type.dtype))
        at = sum(s * place for s, (_, _, place, _) in zip(apart, taken, strict=True))
        steps = tuple(s * step for s, (_, _, _, step) in zip(apart, taken, strict=True))
        if part is None or not _put(device, part, out, Strided(sizes, steps, at).merged(), type.dtype):
            return None
    return [out]


def _gathered(device: Device, what: Operation) -> Moved:
    (type, keys), (x, indices), (result,) = what.types, what.operands, what.results
    axes, batch, fills = what.params["axes"], what.params["batch"], what.params["mode"] == "fill"
    apart, whole = row_major(type.shape), [n for n in range(type.rank) if n >= batch and n not in axes]
    each, in_batch, rows = _words(type.dtype), math.prod(type.shape[batch:]), math.prod(keys.shape[batch:-1])
    if not (type.size and result.size and axes):  # nothing is inside, or all rows are the same
        of_batch = (math.prod(type.shape[:batch]), rows, *[type.shape[n] for n in whole])
        where = Strided(of_batch, (in_batch, 0, *[apart[n] for n in whole])) if type.size else Strided((result.size,), (0,))
        source = in_memory(device, x) if type.size else from_host(device, result.dtype.numpy.type(0))
        found = moved(device, source, where.merged(), result)
        return None if found is None else [found]
    where = Strided(tuple(type.shape[n] for n in whole), tuple(apart[n] for n in whole)).merged().of_words(each)
    row, nbytes, count = math.prod(where.sizes), type.dtype.nbytes // each, result.size * each
    if len(axes) > MOST_KEYS or len(where.sizes) > MOST_AXES:
        return None
    out, places = empty(device, result.nbytes), in_memory(device, indices)
    way = Way(8 * nbytes, len(where.sizes), _index(count), keys=(keys.dtype,) * len(axes), fills=fills)
    starts = [places.pointer + n * keys.dtype.nbytes for n in range(len(axes))]
    words = [row, rows, in_batch * each]
    words += [word for n in axes for word in (type.shape[n] - 1, apart[n] * each)]
    _move(device, way, (x.pointer, out.pointer, *starts), count, where, words)
    return [out]


def _window(
    device: Device, whole: ArrayType, sizes: tuple[int, ...], starts: Sequence[Any], types: Sequence[ArrayType]
) -> tuple[Strided, list[DeviceMemory], list[int], tuple[DType, ...]] | None:
    """A window's places from where it starts, as far as that is known; and what leads to the rest, as a row of indices."""
    apart, at, each = row_major(whole.shape), 0, _words(whole.dtype)
    keys: list[DeviceMemory] = []
    words: list[int] = []
    dtypes: list[DType] = []
    for start, type, size, n, step in zip(starts, types, sizes, whole.shape, apart, strict=True):
        if size == n:
            continue
        if isinstance(start, np.generic):
            at += min(max(int(start), 0), n - size) * step
        else:
            keys.append(start)
            dtypes.append(type.dtype)
            words += [n - size, step * each]
    where = Strided(sizes, tuple(apart), at).merged()
    if len(keys) > MOST_KEYS or len(where.of_words(each).sizes) > MOST_AXES:
        return None
    count = max(math.prod(sizes) * each, 1)
    return where, keys, [count, 1, 0, *words] if keys else [], tuple(dtypes)


def _sliced(device: Device, what: Operation) -> Moved:
    (x, *starts), (type, *types), (result,) = what.operands, what.types, what.results
    found = _window(device, type, result.shape, starts, types)
    if found is None:
        return None
    where, keys, words, dtypes = found
    if not keys:
        out = moved(device, x, where, result)
        return None if out is None else [out]
    out, each = empty(device, result.nbytes), _words(type.dtype)
    where, count = where.of_words(each), result.size * each
    way = Way(8 * type.dtype.nbytes // each, len(where.sizes), _index(count), keys=dtypes)
    _move(device, way, (x.pointer, out.pointer, *[k.pointer for k in keys]), count, where, words)
    return [out]


def _updated(device: Device, what: Operation) -> Moved:
    (x, update, *starts), (type, part, *types) = what.operands, what.types
    found = _window(device, type, part.shape, starts, types)
    if found is None or isinstance(x, np.generic):
        return None
    where, keys, words, dtypes = found
    out, source = x.copied(), in_memory(device, update)
    if not keys:
        _put(device, source, out, where, type.dtype)
    else:
        each = _words(type.dtype)
        where, count = where.of_words(each), part.size * each
        way = Way(8 * type.dtype.nbytes // each, len(where.sizes), _index(count), into=True, keys=dtypes)
        _move(device, way, (source.pointer, out.pointer, *[k.pointer for k in keys]), count, where, words)
    return [out]


def _numbered(device: Device, what: Operation) -> Moved:
    (result,), axis, dtype = what.results, what.params["axis"], what.params["dtype"]
    if not (dtype.is_integer or dtype in (F32, F64)):
        return None
    index, out = _index(result.size), empty(device, result.nbytes)
    ready = prepared(device, ("numbers", dtype, index), lambda name: emit_numbers(name, dtype, index, device_tuning()))
    assert ready is not None
    behind = math.prod(result.shape[axis + 1 :])
    launch(device, ready, result.size, (out.pointer, result.size, behind, result.shape[axis]))
    return [out]


MOVES: dict[str, Callable[[Device, Operation], Moved]] = {
    **dict.fromkeys(LAID, _laid), "concatenate": _concatenated, "pad": _padded, "gather": _gathered, "dynamic_slice": _sliced,
    "dynamic_update_slice": _updated, "iota": _numbered,
}  # fmt: skip
