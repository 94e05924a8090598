"""Kernels that are told sizes when they run, on a device: each is written when it is first asked for, and kept by what it does.

Next on the path: at_once.py and moving.py, which ask for them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple

from ...ir.graph import Graph, Op
from ...once import once
from ...targets.cuda.device import THREADS
from ...targets.cuda.sized.kernel import SizedKernel
from .devices import Device
from .driver import Launch
from .modules import Loaded, load

KEPT = 4096
"""How many kernels of a device are kept."""
_serial = itertools.count()


class Ready(NamedTuple):
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


def prepared(device: Device, key: Hashable, emit: Callable[[str], SizedKernel | None]) -> Ready | None:
    """The kernel by what it does; it is written by `emit`, under the name that it gets, once a device."""
    kept = device.sized
    try:
        return kept[key]  # type: ignore[no-any-return]
    except KeyError:
        pass

    def make() -> tuple[Ready | None]:
        kernel = emit(f"eager{next(_serial)}")
        if len(kept) >= KEPT:
            kept.clear()
        if kernel is None:
            kept[key] = None
        else:
            loaded = load(device, kernel.module)
            function = device.driver.function(loaded.module, kernel.function, kernel.shared_bytes)
            kept[key] = Ready(kernel, function, loaded)
        return (kept[key],)

    found: Ready | None = once(("sized kernel", device, key), lambda: (kept[key],) if key in kept else None, make)[0]
    return found


def spelled(params: dict[str, Any]) -> Hashable:
    """Params as a key, in which 1 is not True."""
    return tuple([(k, type(p), p) for k, p in params.items()])


def launch(device: Device, ready: Ready, threads: int, arguments: tuple[int, ...]) -> None:
    """Run a kernel by so many threads."""
    blocks = -(-threads // THREADS)
    if blocks:
        device.driver.start(Launch(ready.function, blocks, THREADS, ready.kernel.shared_bytes, arguments))
