"""A compiled program ready to be called: addresses in, memory out. One native call runs everything, with the GIL released.

In: a Graph. Out: `Held` pieces of memory, one for each output. Outputs below 4 KiB share one buffer a call; larger ones have their
own, or keeping a loss would keep a model.
"""

from __future__ import annotations

import ctypes
import struct
import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..ir.graph import Atom, Graph, PerGraph
from ..ir.types import ArrayType, TapeType
from ..kernels.tuning import Tuning
from ..once import once
from ..targets.cpu.program import Program, compile_program
from . import driver, interruption, pool
from .buffers import Buffer, allocate, view
from .private_numpy import borrow

SHARED_BELOW = 4096
_RECORD = ctypes.c_int64 * 3
TAPE_RECORD_BYTES = ctypes.sizeof(_RECORD)


_free = ctypes.CDLL(None).free
_free.argtypes, _free.restype = [ctypes.c_void_p], None


class Held:
    """Memory of one array: an address inside a Buffer, which lives as long as this does."""

    __slots__ = ("address", "buffer")

    def __init__(self, address: int, buffer: Buffer) -> None:
        self.address, self.buffer = address, buffer

    def array(self, type: ArrayType) -> np.ndarray[Any, Any]:
        """The memory as a read-only NumPy array, which keeps it alive."""
        return view(self.buffer, type.shape, type.dtype.numpy, self.address - self.buffer.address)


class Borrowed:
    """Memory of a NumPy array, its address read once."""

    __slots__ = ("address", "owner")

    def __init__(self, array: Any) -> None:
        self.address, self.owner = address_of(array)

    def array(self, type: ArrayType) -> np.ndarray[Any, Any]:
        return self.owner  # type: ignore[no-any-return]


class Scratch:
    """What a run needs beside operands and results: memory for values on the way and, of a program with loops, a state."""

    __slots__ = ("addresses", "arena", "state")

    def __init__(self, nbytes: int, interruptible: bool) -> None:
        self.arena = allocate(nbytes)
        self.state = interruption.State() if interruptible else None
        self.addresses = (self.arena.address,) if self.state is None else (self.arena.address, ctypes.addressof(self.state))


class Executable:
    """Calls a Program. Several threads may call one at the same time."""

    def __init__(self, graph: Graph, donated: Sequence[int] = (), contracts: bool = True, tuning: Tuning | None = None) -> None:
        self.program: Program = compile_program(graph, driver.symbols(), donated, contracts, tuning)
        self._entry = driver.entry()
        lowered, memory = self.program.graph, self.program.memory
        self.arena_bytes = memory.arena_bytes
        self._interruptible = self.program.interruptible
        words = len(lowered.inputs) + len(lowered.outputs) + (3 if self._interruptible else 2)
        self._pack = struct.Struct(f"{words}P").pack
        self._plan_address = self.program.plan
        self._plan: list[tuple[int, int]] = []
        """For each output: (0, offset in the shared buffer), (1, its own size) or (2, number of the donated input it replaces)."""
        self.shared_bytes = 0
        numbers = {v: n for n, v in enumerate(lowered.inputs)}
        first: dict[Atom, int] = {}
        self._tapes: list[int] = []
        """The outputs whose memory the program takes itself: each is a record of where that is."""
        for n, v in enumerate(lowered.outputs):
            if first.setdefault(v, n) < n:  # a tape that is two outputs is one record
                self._plan.append(self._plan[first[v]])
                continue
            if isinstance(v.type, TapeType) and v not in numbers:
                self._tapes.append(n)
            donor = memory.donated.get(v)  # type: ignore[arg-type]
            size = v.type.nbytes
            if donor is not None:
                self._plan.append((2, numbers[donor]))
            elif size < SHARED_BELOW:
                self._plan.append((0, self.shared_bytes))
                self.shared_bytes += -(-max(size, 1) // 64) * 64
            else:
                self._plan.append((1, size))
        self._needs_scratch = self._interruptible or self.arena_bytes > 0
        self._idle: list[Scratch] = []
        """Of runs that ended well, where it is small."""
        self._only_shared = all(kind == 0 for kind, _ in self._plan)
        self._offsets = [place for _, place in self._plan]

    def run(self, addresses: Sequence[int], donors: Sequence[Held | None] = ()) -> list[Held]:
        """Run on inputs at these addresses; the caller keeps them alive. Returns the outputs' memory, in order."""
        shared = allocate(self.shared_bytes) if self.shared_bytes else None
        if self._only_shared:
            if shared is None:
                shared = allocate(64)
            base = shared.address
            outs = [Held(base + offset, shared) for offset in self._offsets]
        else:
            outs = [self._output(kind, place, shared, donors) for kind, place in self._plan]
        if self._needs_scratch:
            self._run_with_scratch(addresses, [h.address for h in outs])
        else:
            self._entry(self._pack(self._plan_address, *addresses, *[h.address for h in outs], 0))
        return outs

    def run_into(self, addresses: Sequence[int], outs: Sequence[int]) -> None:
        """`run`, of a program without tapes and donated inputs, into memory at these addresses, which the caller keeps alive."""
        if self._needs_scratch:
            self._run_with_scratch(addresses, outs)
        else:
            self._entry(self._pack(self._plan_address, *addresses, *outs, 0))

    def _run_with_scratch(self, addresses: Sequence[int], outs: Sequence[int]) -> None:
        try:
            scratch = self._idle.pop()
        except IndexError:
            scratch = Scratch(self.arena_bytes, self._interruptible)
        for n in self._tapes:
            ctypes.memset(outs[n], 0, TAPE_RECORD_BYTES)
        try:
            self._entry(self._pack(self._plan_address, *addresses, *outs, *scratch.addresses))
            if scratch.state is not None and scratch.state[0]:
                interruption.raise_pending(scratch.state)
        except BaseException:
            self.free_tapes(outs)
            raise
        if self.arena_bytes < SHARED_BELOW:
            self._idle.append(scratch)

    def free_tapes(self, outs: Sequence[int]) -> None:
        """Give back the memory of tapes that nobody will take over."""
        for n in self._tapes:
            record = _record(outs[n])
            _free(record[0])
            record[0] = 0

    def _output(self, kind: int, place: int, shared: Buffer | None, donors: Sequence[Held | None]) -> Held:
        if kind == 2 and donors and (donor := donors[place]) is not None:
            return donor
        if kind == 0:
            assert shared is not None
            return Held(shared.address + place, shared)
        buffer = allocate(place if kind == 1 else self.program.graph.inputs[place].type.nbytes)
        return Held(buffer.address, buffer)


Variant = tuple[tuple[int, ...], bool, Tuning | None]
"""How a Graph is compiled: the numbers of donated inputs, whether its loops may round less often than they are written, and the
sizes of its kernels; None: those of this machine.
"""
_programs: weakref.WeakValueDictionary[tuple[str, Variant], Executable] = weakref.WeakValueDictionary()
"""Those in use, by the Graph's key and the variant, which equal Graphs share."""
_programs_of: PerGraph[dict[Variant, Executable]] = PerGraph(dict)
"""Those of a Graph, which keep them in use."""


def compile_graph(graph: Graph, donated: Sequence[int] = (), contracts: bool = True, tuning: Tuning | None = None) -> Executable:
    """The program of a Graph, compiled once for each variant and kept with the Graph; equal Graphs share it."""
    made = _programs_of.of(graph)
    variant: Variant = (tuple(donated), contracts, tuning)
    if variant not in made:
        key = (graph.key, variant)

        def compile() -> Executable:
            program = _programs[key] = Executable(graph, *variant)
            return program

        made[variant] = once(key, lambda: _programs.get(key), compile)
    return made[variant]


def address_of(array: Any) -> tuple[int, Any]:
    """The address of an array's data, row-major and aligned, and what must stay alive while it is used."""
    array = np.asarray(array)
    if not (array.flags.c_contiguous and array.flags.aligned):
        array = np.ascontiguousarray(array)
        if not array.flags.aligned:
            array = array.copy()
    return borrow(array), array


def run_graph(graph: Graph, arrays: Sequence[Any], contracts: bool = True, tuning: Tuning | None = None) -> list[Any]:
    """The graph's outputs for NumPy arrays, by its compiled program."""
    program = compile_graph(graph, (), contracts, tuning)
    pairs = [_tape_record(a) if isinstance(t, TapeType) else address_of(a) for a, t in zip(arrays, graph.input_types, strict=True)]
    outs = program.run([address for address, _ in pairs])
    found: list[Any] = []
    lowered = program.program.graph
    try:
        for n, (v, h, t) in enumerate(zip(lowered.outputs, outs, graph.output_types, strict=True)):
            if not isinstance(t, TapeType):
                found.append(h.array(t))
            elif v in lowered.inputs:
                found.append(arrays[lowered.inputs.index(v)])
            else:
                again = lowered.outputs.index(v)
                found.append(found[again] if again < n else _entries(h, t))
    finally:
        program.free_tapes([h.address for h in outs])
    return found


def _tape_record(array: Any) -> tuple[int, Any]:
    """A tape as programs take it, and what must stay alive while they do."""
    address, held = address_of(array)
    record = np.array([address, len(held), len(held)], np.int64)
    return borrow(record), (record, held)


def _record(address: int) -> ctypes.Array[ctypes.c_int64]:
    """Of a tape that a program made: its address, count and capacity."""
    return _RECORD.from_address(address)


def _entries(h: Held, type: TapeType) -> np.ndarray[Any, Any]:
    """The entries of a tape that a program made."""
    address, count, _ = _record(h.address)
    shape, dtype = (count, *type.element.shape), type.dtype.numpy
    entries = np.empty(shape, dtype)
    if address:
        ctypes.memmove(entries.ctypes.data, address, entries.nbytes)
    return entries


def set_num_threads(n: int) -> None:
    pool.set_num_threads(n)
