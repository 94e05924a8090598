"""A program ready to be called on a GPU: operands in, memory out. One call launches everything at once.

The kernels are one graph of the driver's. Each reads where its operands lie from a table in the device's memory. Programs that run
again and again are handed the same blocks of memory in turn, as `y = f(y)` is: so there are a few tables, each with its graph, and
only for addresses that none of them has one is written anew.
"""

from __future__ import annotations

import ctypes
import itertools
import threading
import weakref
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...ir.graph import Atom, Graph, PerGraph, Var
from ...ir.types import TapeType
from ...kernels.memory import aligned
from ...kernels.tuning import Tuning
from ...once import once
from ...passes.column_routines import asks_for_library
from ...targets.cuda.device import THREADS
from ...targets.cuda.program import HostStep, LibraryStep, ModuleText, Step, compile_program, device_tuning
from ..executable import SHARED_BELOW, address_of, run_graph
from .devices import Device
from .driver import Launch
from .memory import Buffer, DeviceMemory, HostTape
from .modules import Loaded, load

FRAMES = 4
"""How many tables a program has at most."""
_State = ctypes.c_int64 * 8


class _Frame:
    """A table of where operands lie, and what runs in turn with it: graphs of kernels, and steps of the processor."""

    def __init__(self, tables: Buffer, parts: list[Any], graphs: list[Any]) -> None:
        self.tables, self.parts, self.graphs = tables, parts, graphs
        self.addresses: tuple[int, ...] = ()
        self.words: Any = None


class DeviceExecutable:
    """Calls a program on one device. Several threads may call one at the same time."""

    def __init__(self, device: Device, graph: Graph, donated: Sequence[int], contracts: bool, tuning: Tuning) -> None:
        self.device, self.contracts = device, contracts
        self.program = program = compile_program(graph, tuning, donated, contracts)
        lowered, memory, driver = program.graph, program.lowered.memory, device.driver
        self.arena_bytes = memory.arena_bytes
        self._modules = [load(device, text) for text in program.modules]
        self._state = device.memory.allocate(64)
        state = _State(driver.stopping.device)
        """Where kernels learn that they are to end, and a counter: targets/cuda/control.py."""
        driver.upload(self._state.pointer, ctypes.addressof(state), ctypes.sizeof(state))
        self._frames: list[_Frame] = []
        """The one that was used last is the first."""
        self._first = self._fresh()
        self._bases, self._offsets = np.array(program.bases, np.int64), np.array(program.offsets, np.int64)
        self._lock = threading.RLock()
        self.shared_bytes = 0
        plan: list[tuple[int, int]] = []
        numbers = {v: n for n, v in enumerate(lowered.inputs)}
        first: dict[Atom, int] = {}
        for n, v in enumerate(lowered.outputs):
            if first.setdefault(v, n) < n:
                plan.append(plan[first[v]])
                continue
            if isinstance(v.type, TapeType):
                plan.append((3, 0))
                continue
            donor, size = memory.donated.get(v), v.type.nbytes  # type: ignore[arg-type]
            if donor is not None:
                plan.append((2, numbers[donor]))
            elif size < SHARED_BELOW:
                plan.append((0, self.shared_bytes))
                self.shared_bytes += aligned(size)
            else:
                plan.append((1, size))
        self._plan = [(kind, place, v.type.nbytes) for (kind, place), v in zip(plan, lowered.outputs, strict=True)]
        """Of each output 0 and its offset in the shared block, 1, or 2 and the number of the input that it replaces; its size. Of a
        tape 3.
        """
        self._tapes = _tapes(lowered.inputs), _tapes(lowered.outputs)

    def _fresh(self) -> _Frame:
        """Another frame."""
        program, loaded = self.program, dict(zip(self.program.modules, self._modules, strict=True))
        frame = _Frame(self.device.memory.allocate(8 * max(len(program.bases), 1)), [], [])
        for is_kernel, steps in itertools.groupby(program.steps, lambda step: isinstance(step, Step)):
            if not is_kernel:
                frame.parts += steps
            else:
                launches = [self._launch(frame, step, loaded) for step in steps]  # type: ignore[arg-type]
                frame.graphs.append(self.device.driver.graph(launches))
                frame.parts.append(frame.graphs[-1])
        self._frames.insert(0, frame)
        return frame

    def _launch(self, frame: _Frame, step: Step, loaded: Mapping[ModuleText, Loaded]) -> Launch:
        phase = step.phase
        function = self.device.driver.function(loaded[step.code.module].module, phase.function, phase.shared_bytes)
        blocks, arguments = phase.blocks, (frame.tables.pointer + 8 * step.table,)
        if phase.cooperative:
            blocks = min(blocks, self.device.driver.resident_blocks(function, THREADS, phase.shared_bytes))
        return Launch(function, blocks, THREADS, phase.shared_bytes, arguments, phase.cooperative)

    def run(self, operands: Sequence[DeviceMemory], donors: Sequence[DeviceMemory | None] = ()) -> list[DeviceMemory]:
        """Run on operands of this device, HostTapes where tapes are asked for. Returns the outputs' memory, in order, which kernels
        may still be writing.
        """
        device = self.device
        allocate = device.memory.allocate
        shared = allocate(self.shared_bytes) if self.shared_bytes else None
        outs: list[DeviceMemory] = []
        for kind, place, size in self._plan:
            if kind == 0:
                assert shared is not None
                outs.append(DeviceMemory(device, shared.pointer + place, size, shared))
                continue
            if kind == 3:
                outs.append(HostTape(device))
                continue
            donor = donors[place] if kind == 2 and donors else None
            buffer: Any = allocate(size) if donor is None else donor.buffer
            outs.append(DeviceMemory(device, buffer.pointer if donor is None else donor.pointer, size, buffer))
        taken, given = self._tapes
        if not self.program.steps and not given:
            return outs
        arena = allocate(self.arena_bytes) if self.arena_bytes else None
        addresses = (*[m.pointer for m in operands], *[m.pointer for m in outs], 0 if arena is None else arena.pointer)
        unfinished = device.driver.stopping.unfinished
        if self.program.asks_state or unfinished.data:  # type: ignore[attr-defined]  # a set, whose truth is quicker known
            unfinished.update(outs)
        with self._lock:
            frame = self._first
            if len(frame.parts) == 1 and addresses == frame.addresses and frame.graphs and not given:
                device.driver.launch(frame.graphs[0])
            else:
                tapes: dict[Atom, Any] = {v: operands[n].array(v.type) for n, v in taken}
                self._run_parts(addresses, tapes)
                for n, v in given:
                    outs[n].entries = tapes[v]  # type: ignore[attr-defined]
        return outs

    def _run_parts(self, addresses: tuple[int, ...], tapes: dict[Atom, Any]) -> None:
        for number in range(len(self._first.parts)):
            frame = self._first
            if addresses != frame.addresses:  # also where a function of the user's has called the program in between
                frame = self._frame(addresses)
            part = frame.parts[number]
            if isinstance(part, LibraryStep):
                assert self.device.solver is not None
                self.device.solver.run(part.eqn, [int(frame.words[n]) for n in part.words])
            elif isinstance(part, HostStep):
                self._on_host(part, frame.words, tapes)
            else:
                self.device.driver.launch(part)

    def _on_host(self, step: HostStep, words: Any, tapes: dict[Atom, Any]) -> None:
        """What the processor does: operands here, results there."""
        graph, driver = step.graph, self.device.driver
        places = dict(zip(dict.fromkeys([*graph.inputs, *graph.outputs]), itertools.count(step.table)))
        arrays = []
        for v in graph.inputs:
            if isinstance(v.type, TapeType):
                arrays.append(tapes[v])
                continue
            array = np.empty(v.type.shape, v.type.dtype.numpy)
            driver.download(array.ctypes.data, int(words[places[v]]), array.nbytes)
            arrays.append(array)
        for result, out in zip(graph.outputs, run_graph(graph, arrays, self.contracts), strict=True):
            assert isinstance(result, Var)
            if isinstance(result.type, TapeType):
                tapes[result] = out
            else:
                address, kept = address_of(out)
                driver.upload(int(words[places[result]]), address, kept.nbytes)

    def _frame(self, addresses: tuple[int, ...]) -> _Frame:
        """The frame with these addresses: one that has them; else another, or the one longest unused, filled in."""
        frames = self._frames
        found = next((f for f in frames if f.addresses == addresses), None)
        if found is None:
            free = not frames[-1].addresses or len(frames) == FRAMES
            found = frames[-1] if free else self._fresh()
            self._fill(found, addresses)
        frames.remove(found)
        frames.insert(0, found)
        self._first = found
        return found

    def _fill(self, frame: _Frame, addresses: tuple[int, ...]) -> None:
        frame.addresses = ()
        frame.words = words = np.array([*addresses, self._state.pointer, 0], np.int64)[self._bases] + self._offsets
        self.device.driver.upload(frame.tables.pointer, words.ctypes.data, words.nbytes)
        frame.addresses = addresses

    def __del__(self) -> None:
        for frame in getattr(self, "_frames", ()):
            for graph in frame.graphs:
                self.device.driver.release(graph)


def _tapes(atoms: Sequence[Atom]) -> list[tuple[int, Atom]]:
    """Those among a program's inputs or outputs, by their numbers there."""
    return [(n, v) for n, v in enumerate(atoms) if isinstance(v.type, TapeType)]


Variant = tuple[Device, tuple[int, ...], bool, Tuning]
_programs: weakref.WeakValueDictionary[tuple[str, Variant], DeviceExecutable] = weakref.WeakValueDictionary()
_programs_of: PerGraph[dict[Variant, DeviceExecutable]] = PerGraph(dict)


def _tuning(device: Device, graph: Graph) -> Tuning:
    """Libraries are loaded where there is something for them to do."""
    return device_tuning(asks_for_library(graph) and device.solver is not None, device.info.capability)


def compile_for(
    device: Device, graph: Graph, donated: Sequence[int] = (), contracts: bool = True, tuning: Tuning | None = None
) -> DeviceExecutable:
    """The program of a Graph on a device, compiled once for each variant and kept with the Graph; equal Graphs share it."""
    made = _programs_of.of(graph)
    variant: Variant = (device, tuple(donated), contracts, _tuning(device, graph) if tuning is None else tuning)
    if variant not in made:
        key: Any = (graph.key, variant)

        def compile() -> DeviceExecutable:
            program = _programs[key] = DeviceExecutable(device, graph, *variant[1:])
            return program

        made[variant] = once(key, lambda: _programs.get(key), compile)
    return made[variant]
