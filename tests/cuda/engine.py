"""The machine code of fibers and primitives at work: the memory that it uses, and the processor's faults while it runs.

There is one `Engine` a process, and it runs one `Grid` at a time. Next on the path: reports.py.
"""

from __future__ import annotations

import ctypes
import functools
import mmap
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import llvmlite.binding as llvm
import numpy as np

from jitgrad_compiler.targets.cpu.machine import native

from . import fibers
from .fibers import FIBER, MEETING, QUEUE, QUEUES, STATE, WARP, WARP_MEETING, Signal
from .guarded import PAGE, Region, pages
from .primitives import definitions

STACK_BYTES = 256 << 10
HANDLER_BYTES = 64 << 10
"""Of the stack on which a fault of the processor is looked at: another thread's may have run out."""


@dataclass(frozen=True)
class Order:
    """In which order threads and blocks run: "forwards", "backwards", "shuffled" by a seed, or a warp "ahead" of all others: as far
    as it can go without them.
    """

    kind: str = "forwards"
    seed: int = 1

    def of(self, count: int) -> np.ndarray:
        """Numbers below `count` in this order."""
        if self.kind == "shuffled":
            return np.random.default_rng(self.seed).permutation(count).astype(np.int32)
        numbers = np.arange(count, dtype=np.int32)
        return numbers[::-1].copy() if self.kind == "backwards" else numbers


@dataclass(frozen=True)
class Grid:
    """What is to run: `run` is called with the words' address for every thread. Only where `waits` may threads wait for others."""

    run: int
    words: Sequence[int]
    blocks: int
    threads: int
    shared_bytes: int = 0
    waits: bool = True
    cooperative: bool = False
    order: Order = field(default_factory=Order)
    memory: tuple[int, int] = (0, 2**64 - 1)
    """The addresses between which device memory lies."""

    @property
    def resident(self) -> int:
        """How many blocks run at once."""
        return self.blocks if self.cooperative and self.waits else 1


ORDERS = [Order(), Order("backwards"), Order("shuffled", 1), Order("shuffled", 2), Order("ahead")]
"""That results must not depend on."""


class _SignalAction(ctypes.Structure):
    """glibc's struct sigaction."""

    _fields_ = [
        ("handler", ctypes.c_void_p),
        ("mask", ctypes.c_ubyte * 128),
        ("flags", ctypes.c_int),
        ("restorer", ctypes.c_void_p),
    ]


class _SignalStack(ctypes.Structure):
    """glibc's stack_t."""

    _fields_ = [("pointer", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t)]


_SA_SIGINFO, _SA_ONSTACK, _SA_NODEFER = 4, 0x08000000, 0x40000000
_ITIMER_VIRTUAL = 1


class Engine:
    """`state` and `fibers` say after a run how it ended."""

    def __init__(self) -> None:
        native.fingerprint()  # sets up LLVM for this machine; the assembler, for the switch of stacks, is not part of that
        llvm.initialize_native_asmparser()
        self.code = native.compile_ir(fibers.text(definitions()))
        self.symbols = {name: self.code.address(name) for name in self.code.exports}
        address = ctypes.PYFUNCTYPE(ctypes.c_void_p)(self.symbols["fibers.state"])()
        self.state = np.frombuffer((ctypes.c_char * STATE.size).from_address(address), STATE.numpy)[0]
        # Under Python's lock: no other thread of Python's is to meet our handler of signals.
        self._launch = ctypes.PYFUNCTYPE(None)(self.symbols["fibers.launch"])
        self.lock = threading.Lock()
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._action = _SignalAction(self.symbols["fibers.signal"], flags=_SA_SIGINFO | _SA_ONSTACK | _SA_NODEFER)
        self._handler_stack = mmap.mmap(-1, HANDLER_BYTES)
        base = ctypes.addressof(ctypes.c_char.from_buffer(self._handler_stack))
        self._signal_stack = _SignalStack(base, 0, HANDLER_BYTES)
        self._shared = Region(0, 0)
        self._threads = 0
        self.fibers = np.zeros(0, FIBER.numpy)

    def run(self, grid: Grid, seconds: float) -> bool:
        """Whether a grid ran to its end within so many seconds of CPU time. The caller holds the lock."""
        self._reserve(grid.resident * grid.threads, grid.threads)
        canary = self._lend_shared(grid)
        words = np.array([w & (2**64 - 1) for w in grid.words] or [0], np.uint64)
        thread_order, block_order = grid.order.of(grid.threads), grid.order.of(grid.blocks if grid.resident == 1 else 1)
        if grid.resident > 1:
            block_order = np.arange(grid.blocks, dtype=np.int32)
        self._grid["members"] = grid.resident * grid.threads
        values = {
            "seed": grid.order.seed * 2 + 1 if grid.order.kind == "shuffled" else 0,
            "backwards": grid.order.kind == "backwards", "ahead": grid.order.kind == "ahead", "run": grid.run,
            "words": words.ctypes.data, "rounds": grid.blocks // grid.resident, "resident": grid.resident,
            "entry": self.symbols["fibers.thread" if grid.waits else "fibers.threads"], "threads": grid.threads,
            "starts": grid.threads if grid.waits else 1, "blocks": grid.blocks, "block_order": block_order.ctypes.data,
            "thread_order": thread_order.ctypes.data, "shared": self._shared.start(grid.shared_bytes + canary),
            "shared_stride": self._shared.stride, "shared_bytes": grid.shared_bytes, "canary_bytes": canary,
            "low": grid.memory[0], "high": grid.memory[1], "cooperative": grid.cooperative, "fault": 0, "detail": 0, "signal": 0,
            "owner": threading.get_ident(),
        }  # fmt: skip
        for name, value in values.items():
            self.state[name] = value
        with self._watching(seconds):
            self._launch()
        return not self.state["fault"]

    def _reserve(self, count: int, threads: int) -> None:
        """Room for so many fibers, in blocks of `threads`."""
        if count > len(self.fibers):
            count = 1 << (count - 1).bit_length()
            self.fibers = np.zeros(count, FIBER.numpy)
            self._ring = np.zeros(count, np.uint64)
            self._warps = np.zeros(count // WARP * WARP_MEETING.size, np.uint8)
            self._groups = np.zeros(count // WARP, MEETING.numpy)
            self._grid = np.zeros(1, MEETING.numpy)
            self._queues = np.zeros(count * QUEUES * QUEUE.size, np.uint8)
            self._stacks = Region(count, STACK_BYTES - PAGE)
            self._threads = 0
            first = self.fibers.ctypes.data
            warps = self._warps.reshape(-1, WARP_MEETING.size)[:, : MEETING.size].view(MEETING.numpy)[:, 0]
            warps["members"], warps["first"] = WARP, first + np.arange(len(warps), dtype=np.uint64) * (WARP * FIBER.size)
            self._grid["first"] = first
            places = {"fibers": self.fibers, "ring": self._ring, "warps": self._warps, "groups": self._groups, "grid": self._grid}
            places["queues"] = self._queues
            for name, array in places.items():
                self.state[name] = array.ctypes.data
            self.state["mask"], self.state["stacks"], self.state["stack_bytes"] = count - 1, self._stacks.base, self._stacks.stride
        if threads != self._threads:
            self._threads = threads
            numbers = np.arange(len(self._groups), dtype=np.uint64)
            self._groups["members"], self._groups["first"] = threads, self.fibers.ctypes.data + numbers * (threads * FIBER.size)

    def _lend_shared(self, grid: Grid) -> int:
        """Room for the blocks' shared memory, up to a page that nobody may touch; how many bytes before that are nobody's."""
        room = pages(grid.shared_bytes)
        if grid.resident > self._shared.count or self._shared.nbytes != room:
            self._shared = Region(max(grid.resident, 4), room)
        return -(-grid.shared_bytes // 1024) * 1024 - grid.shared_bytes  # kernels count on 1024 bytes' alignment

    def describe(self, address: int) -> str:
        """What of ours lies at an address."""
        if address in self._stacks:
            return " (the thread's stack has no room left)"
        return f" (by the {self.state['shared_bytes']} bytes of shared memory)" if address in self._shared else ""

    @contextmanager
    def _watching(self, seconds: float) -> Iterator[None]:
        """Faults of the processor end the launch while this is open; and so does time."""
        old_stack = _SignalStack()
        self._libc.sigaltstack(ctypes.byref(self._signal_stack), ctypes.byref(old_stack))
        before = [(number, _SignalAction()) for number in Signal]
        for number, old in before:
            self._libc.sigaction(number, ctypes.byref(self._action), ctypes.byref(old))
        self._timer(seconds)
        try:
            yield
        finally:
            self._timer(0)
            for number, old in before:
                self._libc.sigaction(number, ctypes.byref(old), None)
            self._libc.sigaltstack(ctypes.byref(old_stack), None)

    def _timer(self, seconds: float) -> None:
        whole = int(seconds)
        self._libc.setitimer(_ITIMER_VIRTUAL, (ctypes.c_long * 4)(0, 0, whole, int((seconds - whole) * 1e6)), None)


@functools.cache
def engine() -> Engine:
    """The process's."""
    return Engine()
