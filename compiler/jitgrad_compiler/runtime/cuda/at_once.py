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
from ...ir.types import TapeType
from ...once import once
from ...targets.cuda.device import THREADS
from ...targets.cuda.program import device_tuning
from ...targets.cuda.sized.kernel import SizedKernel, bits, spread
from ...targets.cuda.sized.maps import emit_map
from .devices import Device
from .driver import Launch
from .memory import Buffer, DeviceMemory, empty
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
    types of operands.
    """

    op: Op
    params: dict[str, Any]
    types: Sequence[Any]
    operands: Sequence[Any]
    results: Sequence[Any]
    program: Callable[[Sequence[Any]], Graph]
    contracts: bool


def run(device: Device, what: Operation) -> list[DeviceMemory] | None:
    """The results, which a kernel may still be writing; None where no kernel for all sizes does this."""
    if any(isinstance(t, TapeType) for t in (*what.types, *what.results)):
        return None
    return _map(device, what) if what.op.kind == "elementwise" else None


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
