"""Operations that are done one by one on a GPU, by kernels that are told sizes when they run: one launch each, with the operands as
its arguments, and nothing to compile for arrays of a new shape. targets/cuda/sized writes the kernels.

What none of these does is a program of one equation for its shapes, as executable.py has them.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ...ir.graph import Graph, Op
from ...ir.types import I64, U32, TapeType
from ...once import once
from ...targets.cuda.device import THREADS
from ...targets.cuda.program import device_tuning
from ...targets.cuda.sized.kernel import SizedKernel, bits, spread
from ...targets.cuda.sized.maps import emit_map
from ...targets.cuda.sized.places import MOST_AXES, emit_places, strided
from ...targets.cuda.sized.sums import Stage, emit_sum, split, stand_in, team_of, three_axes
from .devices import Device
from .driver import Launch
from .memory import DeviceMemory, empty
from .modules import Loaded, load

KEPT = 4096
"""How many kernels of a device are kept."""
_serial = itertools.count()


class _Ready(NamedTuple):
    """A kernel on a device."""

    kernel: SizedKernel
    function: Any
    loaded: Loaded


class Operation(NamedTuple):
    """What is to be done: an op of operands of these types, numbers or device memory; `program` gives the op as a Graph for other
    types of operands, and with some other params.
    """

    op: Op
    params: dict[str, Any]
    types: Sequence[Any]
    operands: Sequence[Any]
    results: Sequence[Any]
    program: Callable[..., Graph]
    contracts: bool


def run(device: Device, what: Operation) -> list[DeviceMemory] | None:
    """The results, which a kernel may still be writing; None where no kernel for all sizes does this."""
    if any(isinstance(t, TapeType) for t in (*what.types, *what.results)):
        return None
    do = _BY_KIND.get(what.op.kind)
    outs = None if do is None else do(device, what)
    unfinished = device.driver.stopping.unfinished
    if outs and unfinished:
        unfinished.update(outs)
    return outs


def _ready(device: Device, key: Hashable, emit: Callable[[str], SizedKernel | None]) -> _Ready | None:
    """The kernel by what it does; it is written by `emit`, under the name that it gets, once a device."""
    kept = device.sized
    try:
        return kept[key]  # type: ignore[no-any-return]
    except KeyError:
        pass

    def make() -> tuple[_Ready | None]:
        kernel = emit(f"eager{next(_serial)}")
        if len(kept) >= KEPT:
            kept.clear()
        if kernel is None:
            kept[key] = None
        else:
            loaded = load(device, kernel.module)
            function = device.driver.function(loaded.module, kernel.function, kernel.shared_bytes)
            kept[key] = _Ready(kernel, function, loaded)
        return (kept[key],)

    found: _Ready | None = once(("sized kernel", device, key), lambda: (kept[key],) if key in kept else None, make)[0]
    return found


def _spelled(params: dict[str, Any]) -> Hashable:
    """Params as a key, in which 1 is not True."""
    return tuple([(k, type(p), p) for k, p in params.items()])


def _start(device: Device, ready: _Ready, threads: int, arguments: tuple[int, ...]) -> None:
    blocks = -(-threads // THREADS)
    if blocks:
        device.driver.start(Launch(ready.function, blocks, THREADS, ready.kernel.shared_bytes, arguments))


def _map(device: Device, what: Operation) -> list[DeviceMemory] | None:
    """An elementwise op on operands of one shape, or numbers."""
    types, operands = what.types, what.operands
    words = tuple([n for n, x in enumerate(operands) if isinstance(x, np.generic)])
    shapes = {t.shape for t in (*types, *what.results) if t.shape}
    if len(shapes) != 1:
        return None
    key: Any = what.op, *[(t.dtype, bool(t.shape)) for t in types], words, _spelled(what.params), what.contracts

    def emit(name: str) -> SizedKernel | None:
        return emit_map(name, what.program([spread(t) for t in types]), words, what.contracts, device_tuning())

    try:
        ready = _ready(device, key, emit)
    except TypeError:  # params that have no hash
        return None
    if ready is None:
        return None
    outs = [empty(device, t.nbytes) for t in what.results]
    count = math.prod(next(iter(shapes)))
    pointers = [x.pointer for n, x in enumerate(operands) if n not in words]
    numbers = [bits(operands[n], types[n].dtype) for n in words]
    _start(device, ready, -(-count // ready.kernel.each), (*pointers, *[m.pointer for m in outs], *numbers, count))
    return outs


def _sum(device: Device, what: Operation) -> list[DeviceMemory] | None:
    """A reduction over neighbouring axes."""
    (type,), (source,), tuning = what.types, what.operands, device_tuning()
    axes = (what.params["axis"],) if "axis" in what.params else tuple(what.params["axes"])
    sizes = three_axes(type.shape, axes)
    if sizes is None or len(what.results) != 1 or type.dtype.is_complex:
        return None
    (outer, length, inner), results = sizes, what.results[0].size
    way = split(outer, length, inner, "axis" not in what.params, tuning.gpu)
    others = {k: p for k, p in what.params.items() if k not in ("axis", "axes")}
    middle = {"axis": 1} if "axis" in what.params else {"axes": (1,)}

    def stage(stage: Stage) -> _Ready | None:
        key = what.op, type.dtype, _spelled(others), stage, what.contracts

        def emit(name: str) -> SizedKernel | None:
            graph = what.program([stand_in(type.dtype)], **middle)
            return emit_sum(name, graph, stage, what.contracts, tuning)

        return _ready(device, key, emit)

    first = stage(Stage(way.team, False, way.shares > 1))
    if first is None or outer * inner != results:
        return None
    out = empty(device, what.results[0].nbytes)
    if way.shares == 1:
        _start(device, first, results * way.team, (source.pointer, out.pointer, results, length, inner, 1, max(length, 1)))
        return [out]
    second = stage(Stage(team_of(way.shares, inner, tuning.gpu), True, False))
    assert second is not None
    units = results * way.shares
    shares = empty(device, units * first.kernel.result_bytes)
    _start(device, first, units * way.team, (source.pointer, shares.pointer, units, length, inner, way.shares, way.size))
    last = (shares.pointer, out.pointer, results, way.shares, inner, 1, way.shares)
    _start(device, second, results * team_of(way.shares, inner, tuning.gpu), last)
    return [out]


def _places(device: Device, what: Operation) -> list[DeviceMemory] | None:
    """A result whose elements are the operand's at other places."""
    if len(what.operands) != 1 or isinstance(what.operands[0], np.generic):
        return None
    (type,), (source,), (result,) = what.types, what.operands, what.results
    where, nbytes = strided(what.op.name, what.params, type.shape, result.shape), type.dtype.nbytes
    if where is None or len(where.sizes) > MOST_AXES or nbytes > 8:
        return None
    out, count = empty(device, result.nbytes), result.size
    if where.strides == (1,) and count:
        device.driver.copy(out.pointer, source.pointer + where.start * nbytes, result.nbytes)
        return [out]
    index = U32 if count < 1 << 31 else I64
    key, axes = ("places", len(where.sizes), nbytes, index), len(where.sizes)
    ready = _ready(device, key, lambda name: emit_places(name, axes, 8 * nbytes, index, device_tuning()))
    assert ready is not None
    _start(device, ready, count, (source.pointer, out.pointer, count, where.start, *where.sizes[1:], *where.strides))
    return [out]


_BY_KIND = {"elementwise": _map, "reduce": _sum, "argreduce": _sum, "layout": _places}
