"""Arrays in the memory of GPUs: how they get there, and how operations and programs run where their arrays lie.

An Array on a GPU holds a `DeviceMemory`. Nothing here imports what talks to a GPU before an array is put there.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import numpy as np

from jitgrad_compiler.ir.builder import Value, evaluated, run_elsewhere
from jitgrad_compiler.ir.graph import Op
from jitgrad_compiler.ir.types import TapeType
from jitgrad_compiler.ops.calls import call
from jitgrad_compiler.ops.effects import callback, io_callback, pure_callback

from . import backend
from .array import Array, bring_by, memory_device
from .config import config
from .devices import CPU, Device, default, gpus
from .errors import ArgumentError, OutOfDeviceMemory
from .nan_checks import check_program

_HOST_OPS = (callback, io_callback, pure_callback)


def opened(device: Device) -> Any:
    """The runtime's device of a GPU. Raises DriverError where it is not there."""
    found = gpus().device(device.id)
    run_elsewhere(_concerned, _at_once)
    bring_by(_brought)
    return found


@cache
def memory() -> Any:
    """The module jitgrad_compiler.runtime.cuda.memory."""
    return importlib.import_module("jitgrad_compiler.runtime.cuda.memory")


@cache
def executables() -> Any:
    """The module jitgrad_compiler.runtime.cuda.executable."""
    return importlib.import_module("jitgrad_compiler.runtime.cuda.executable")


@cache
def sized() -> Any:
    """The module jitgrad_compiler.runtime.cuda.at_once."""
    return importlib.import_module("jitgrad_compiler.runtime.cuda.at_once")


def moved(where: str, x: Array, device: Device) -> Array:
    """An Array's elements in the memory of a device; itself where they lie there. Raises ArgumentError for a traced value that
    would have to move while its program runs.
    """
    if x.owner is not None:
        if device == x.device:
            return x
        raise ArgumentError(
            f"{where}: a traced value cannot be moved to {device}: a program runs where its arguments lie. Move those beforehand."
        )
    if x.device == device:
        return x
    if device == CPU:
        return Array(x.type, None, x.data(), x.weak)
    try:
        return Array(x.type, None, _memory_of(opened(device), x), x.weak)
    except OutOfDeviceMemory as error:
        raise _named(where, error) from None


def _named(what: str, error: OutOfDeviceMemory) -> OutOfDeviceMemory:
    """The error that says for what memory was asked."""
    return OutOfDeviceMemory(f"{what}: {error.message}") if what else error


def _brought(x: Array) -> Array:
    """A new Array, on the default device."""
    device = default()
    if device == CPU:
        return x
    found = moved("array", x, device)
    found.ref.lie_by_default()
    return found


def _memory_of(device: Any, x: Any) -> Any:
    """The memory of an operand, an Array or a NumPy array, on a device."""
    if not isinstance(x, Array):
        return memory().from_host(device, x)
    if getattr(x.ref, "device", None) is device:
        return x.ref
    if isinstance(x.type, TapeType):
        return memory().HostTape(device, x.data())
    if memory_device(x.ref) is not None:
        return memory().to_device(device, x.ref, x.type)
    return memory().from_host(device, x.data())


def _was_put(x: Value) -> bool:
    """Whether somebody has asked that an array be on its GPU, or on that of what it was computed of."""
    return getattr(x.ref, "by_default", True) is False


def common(where: str, values: Iterable[Any]) -> Device:
    """The device that values lie on; where they lie on none, or where all can leave (the processor, the default device), the
    default.

    Raises ArgumentError, which names the function `where` if one is given, where they lie on several.
    """
    found: Device | None = None
    spare: Device | None = None
    for x in values:
        here = memory_device(x.ref) if isinstance(x, Array) else None
        if here is None or here == found:
            continue
        if x.ref.by_default:
            spare = here
            continue
        if found is not None:
            raise ArgumentError(
                f"{where and f'{where}: '}its arrays lie on {found} and on {here}. Move them to one device: "
                f"jitgrad.device_put(x, '{found}')."
            )
        found = here
    return found or spare or default()


class Elsewhere:
    """The executables of one program on GPUs, with what it closes over there."""

    def __init__(self, graph: Any, name: str, donated: Sequence[int], constants: Sequence[Value]) -> None:
        self.graph, self.name, self.donated, self.constants = graph, name, tuple(donated), constants
        self._made: dict[Any, tuple[Any, list[Any]]] = {}
        self._last: Any = None
        """Of the device that it ran on last: itself, how to run there, the memory of what it closes over."""

    def again(self, leaves: Sequence[Any]) -> list[Any] | None:
        """As `run`, where all leaves are Arrays of the device that it ran on last, of which none is donated; else None. This is on
        the path of every call.
        """
        if self._last is None:
            return None
        target, run, constants = self._last
        try:
            operands = [x.ref for x in leaves]
            for memory in operands:
                if memory.device is not target:
                    return None
        except AttributeError:  # of what is no Array, or lies on the processor
            return None
        if not operands:
            return None
        try:
            outs: list[Any] = run(operands + constants if constants else operands)
            return outs
        except OutOfDeviceMemory as error:
            raise _named(f"jit of {self.name}", error) from None

    def run(self, device: Device, leaves: Sequence[Any], donors: Sequence[Any] = ()) -> list[Any]:
        """The memory of the results. Raises OutOfDeviceMemory, which names the program, where there is not enough."""
        try:
            return self._run(device, leaves, donors)
        except OutOfDeviceMemory as error:
            raise _named(f"jit of {self.name}", error) from None

    def _run(self, device: Device, leaves: Sequence[Any], donors: Sequence[Any]) -> list[Any]:
        target = opened(device)
        made = self._made.get(target)
        if made is None:
            executable = executables().compile_for(target, self.graph, self.donated, config.contract_products)
            made = self._made[target] = executable, [_memory_of(target, v) for v in self.constants]
        executable, constants = made
        if not self.donated:
            self._last = target, executable.run, constants
        operands = [_memory_of(target, x) for x in leaves]
        outs: list[Any] = executable.run(operands + constants, donors)
        return outs


def _concerned(args: Sequence[Value]) -> bool:
    return config.default_device is not None or any([memory_device(a.ref) for a in args])


def _at_once(op: Op, args: Sequence[Value], params: dict[str, Any], types: Sequence[Any]) -> Sequence[Value] | None:
    """An operation on concrete operands, on the GPU that these lie on, or that is the default; None: on the processor."""
    if op in _HOST_OPS:
        return _by_python(op, args, params, types)
    if args and all(isinstance(a.ref, np.generic) for a in args):
        return None
    device = common(op.name, args)
    if device == CPU or config.disable_jit and op is call:
        return None
    target, operand_types = opened(device), [a.type for a in args]
    try:
        operands = [a.ref if isinstance(a.ref, np.generic) else _memory_of(target, a) for a in args]
        outs = _done(op, target, operands, operand_types, params, types)
        if outs is None:
            graph = params["graph"] if op is call else backend.one_equation(op, operand_types, params)
            executable = executables().compile_for(target, graph, (), config.contract_products)
            outs = executable.run(
                [_memory_of(target, a) if isinstance(a.ref, np.generic) else m for a, m in zip(args, operands, strict=True)]
            )
    except OutOfDeviceMemory as error:
        raise _named(f"jit of {params['name']}" if op is call else op.name, error) from None
    if config.default_device is not None and not any([_was_put(a) for a in args]):
        for m in outs:
            m.lie_by_default()
    found = [Array(t, None, m) for t, m in zip(types, outs, strict=True)]
    if op is call and (config.debug_nans or config.debug_infs):
        check_program(params["name"], params["graph"], [a.data() for a in args], [x.data() for x in found])
    return found


def _done(
    op: Op, target: Any, operands: Sequence[Any], types: Sequence[Any], params: dict[str, Any], results: Sequence[Any]
) -> Any:
    """The memory of an operation's results, by a kernel for all sizes; None where there is none."""
    if op is call:
        return None

    def program(types: Sequence[Any], **others: Any) -> Any:
        return backend.one_equation(op, types, {**params, **others})

    return sized().run(target, sized().Operation(op, params, types, operands, results, program, config.contract_products))


def _by_python(op: Op, args: Sequence[Value], params: dict[str, Any], types: Sequence[Any]) -> Sequence[Value] | None:
    """What a function of Python's gives, where its operands lie."""
    device = common(op.name, args) if types else CPU
    if device == CPU:
        return None
    return [
        Array(t, None, memory().from_host(opened(device), a))
        for t, a in zip(types, evaluated(op, args, params, types), strict=True)
    ]


config.listen("default_device", lambda device: None if device is None else opened(device))
