"""Products of complex numbers along axes and of matrices, one by one on a GPU, by the kernels of targets/cuda/sized/complex.py."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ...ir.types import ArrayType, DType
from ...ops.contraction import free_axes
from ...targets.cuda.program import device_tuning
from ...targets.cuda.sized.complex import emit_doubling, emit_halving, emit_multiplier
from ...targets.cuda.sized.places import Strided
from ...targets.cuda.sized.sums import three_axes
from .devices import Device
from .memory import DeviceMemory, empty, from_host
from .moving import moved, turned
from .ready import Operation, launch, prepared

_KERNELS = {"multiplier": emit_multiplier, "halving": emit_halving}


def _start(device: Device, part: str, dtype: DType, count: int, pointers: Sequence[DeviceMemory], words: Sequence[int]) -> None:
    ready = prepared(device, (part, dtype), lambda name: _KERNELS[part](name, dtype.real, device_tuning()))
    assert ready is not None
    launch(device, ready, count, (*[m.pointer for m in pointers], count, *words))


def as_real(device: Device, what: Operation) -> Operation | None:
    """The product of real matrices that a product of complex ones is, with two columns for one."""
    (cx, cy), (bx, by) = what.params["dims"]
    (x, y), part = what.types, what.types[0].dtype.real
    free_x, free_y = free_axes(x.rank, cx, bx), free_axes(y.rank, cy, by)
    left = turned(device, what.operands[0], x, [*bx, *free_x, *cx])
    right = turned(device, what.operands[1], y, [*by, *cy, *free_y])
    if left is None or right is None:
        return None
    batch, depth = math.prod(x.shape[n] for n in bx), math.prod(x.shape[n] for n in cx)
    rows, columns = math.prod(x.shape[n] for n in free_x), math.prod(y.shape[n] for n in free_y)
    multiplier = empty(device, 2 * y.nbytes)
    _start(device, "multiplier", y.dtype, y.size, [right, multiplier], [columns])
    shapes = (batch, rows, 2 * depth), (batch, 2 * depth, 2 * columns), (batch, rows, 2 * columns)
    *types, result = [ArrayType(shape, part) for shape in shapes]
    params = {**what.params, "dims": (((2,), (1,)), ((0,), (0,)))}
    return what._replace(params=params, types=types, operands=[left, multiplier], results=[result])


def product_over(device: Device, what: Operation) -> list[DeviceMemory] | None:
    """The product over axes, of halves with each other until one number is left."""
    (type,), (source,), (result,), axes = what.types, what.operands, what.results, what.params["axes"]
    if not result.size:
        return [empty(device, 0)]
    if not type.size:
        ones = moved(device, from_host(device, type.dtype.numpy.type(1)), Strided((result.size,), (0,)), result)
        return None if ones is None else [ones]
    sizes = three_axes(type.shape, axes)
    if sizes is None:
        laid = turned(device, source, type, [*[n for n in range(type.rank) if n not in axes], *axes])
        if laid is None:
            return None
        source, sizes = laid, (result.size, type.size // result.size, 1)
    outer, length, inner = sizes
    if length == 1:
        return [source.copied()]
    while length > 1:
        half = -(-length // 2)
        out = empty(device, outer * half * inner * type.dtype.nbytes)
        _start(device, "halving", type.dtype, outer * half * inner, [source, out], [inner, length, half])
        source, length = out, half
    return [source]


def running_product(device: Device, what: Operation) -> list[DeviceMemory]:
    """Running products along an axis, each of twice as many numbers in every step."""
    (type,), (source,), axis, reverse = what.types, what.operands, what.params["axis"], what.params["reverse"]
    length, inner, reach = type.shape[axis], math.prod(type.shape[axis + 1 :]), 1
    if not type.size or length == 1:
        return [source.copied()]
    ready = prepared(
        device, ("doubling", type.dtype, reverse), lambda name: emit_doubling(name, type.dtype.real, reverse, device_tuning())
    )
    assert ready is not None
    while reach < length:
        out = empty(device, type.nbytes)
        launch(device, ready, type.size, (source.pointer, out.pointer, type.size, inner, length, reach))
        source, reach = out, 2 * reach
    return [source]
