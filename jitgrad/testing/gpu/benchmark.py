"""Every workload on every library that is here, beside what the device's memory can do."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Iterator
from functools import cache
from typing import Any

from .checks import PLACE, Check, Figures, NotRun
from .systems import SYSTEMS, System
from .timing import first_call, seconds_a_call
from .workloads import WORKLOADS

COPIED = 1 << 28
"""Bytes of the copy by which the bandwidth is known: too many for any cache."""


def _copy() -> Figures:
    """Device memory to device memory by the driver itself; each byte is read once and written once."""
    if PLACE.device.partition(":")[0] != "cuda":
        raise NotRun("copies are measured on a GPU")
    devices: Any = importlib.import_module("jitgrad_compiler.runtime.cuda.devices")
    device = devices.device(int(PLACE.device.partition(":")[2] or 0))
    nbytes = min(COPIED, device.info.memory_bytes // 8)
    there, here = device.memory.allocate(nbytes), device.memory.allocate(nbytes)
    seconds = seconds_a_call(lambda: device.driver.copy(there.pointer, here.pointer, nbytes), lambda _: device.driver.synchronize())
    return {"us": seconds * 1e6, "bytes_a_second": 2 * nbytes / seconds}


@cache
def _system(name: str) -> System:
    return SYSTEMS[name]()


def _measured(system: str, workload: str) -> Figures:
    if system == "jitgrad":
        return _figures(system, workload)
    try:
        return _figures(system, workload)
    except NotRun:
        raise
    except Exception as error:  # what fails elsewhere is no fault of the device's or ours
        raise NotRun(f"{type(error).__name__}: {str(error)[:500]}") from error


def _figures(system: str, workload: str) -> Figures:
    s = _system(system)
    made = WORKLOADS[workload](s.names)
    f, args = s.compile(made.f), [s.put(a, made.dtype if a.dtype.kind == "f" else None) for a in made.args]
    call = lambda: f(*args)
    first = first_call(call, s.wait)
    if system == "jitgrad":
        PLACE.assert_here(call())
    seconds = seconds_a_call(call, s.wait)
    figures = {"us": seconds * 1e6, "first_seconds": first}
    if made.nbytes:
        figures["bytes_a_second"] = made.nbytes / seconds
    if made.flops:
        figures["flops"] = made.flops / seconds
    return figures


def _unwaited() -> Figures:
    """The host's share of a call: many are asked for, and waited for once, which the device is faster than."""
    s = _system("jitgrad")
    made = WORKLOADS["a call, 8 numbers"](s.names)
    f, x = s.compile(made.f), s.put(made.args[0], None)
    return {"us": seconds_a_call(lambda: f(x), s.wait) * 1e6}


def checks(system: str) -> Iterator[Check]:
    if system == "jitgrad":
        yield Check("copy", _copy)
        yield Check("host cost of a call", _unwaited)
    for name in WORKLOADS:
        yield Check(name, functools.partial(_measured, system, name))
