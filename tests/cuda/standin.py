"""A driver without a GPU: memory is the host's, kernels run in the emulator, and every call is recorded and checked.

`StandIn` keeps the contract of runtime/cuda/driver.py. Addresses are not given out again for a long time, freed memory cannot be
touched, new memory is full of NaNs, and what lies just outside of an allocation is looked at after every launch. What the runtime
asks and must not is a `Misuse`, which `check_balanced` raises again, should anybody have swallowed it.
"""

from __future__ import annotations

import ctypes
import functools
import threading
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeVar

from jitgrad_compiler.errors import DeviceFault, DriverError, OutOfDeviceMemory
from jitgrad_compiler.runtime.cuda.driver import DeviceInfo, Launch
from jitgrad_compiler.runtime.cuda.stopping import WORD_BYTES, Stopping

from . import emulator
from .device_memory import ALIGNMENT, Allocation, space
from .emulator import SHARED_LIMIT, KernelModule
from .engine import Order
from .fibers import POISON
from .guarded import PAGE
from .reports import KernelFault


class Misuse(AssertionError):
    """The runtime asked the driver for something that it must not."""


_lock = threading.RLock()  # reentrant: the collector of garbage may give memory back while it is held
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Function:
    """A kernel of a module, and how much shared memory it may have."""

    module: Module
    name: str
    shared_bytes: int


@dataclass(eq=False)
class Module:
    """Loaded code."""

    code: KernelModule
    released: bool = False


@dataclass(eq=False)
class Graph:
    """Launches, one after another."""

    launches: tuple[Launch, ...]
    released: bool = False


@dataclass(eq=False)
class Event:
    """`marked`: how often it was; `passed`: which of these times it has passed."""

    marked: int = 0
    passed: int = 0
    forgotten: bool = False


@dataclass(frozen=True)
class Turn:
    """What a stream waits for."""

    event: Event
    number: int


@dataclass(frozen=True)
class Call:
    """What was asked: a method's name and its arguments."""

    name: str
    arguments: tuple[Any, ...] = field(repr=False, default=())


def _asked(method: F) -> F:
    """A method of the contract: recorded, refused where that was asked for, and done by one thread at a time."""

    @functools.wraps(method)
    def ask(self: StandIn, *arguments: Any, **named: Any) -> Any:
        with _lock:
            self._called(method.__name__, (*arguments, *named.values()))
            return method(self, *arguments, **named)

    return ask  # type: ignore[return-value]


class StandIn:
    """One device with one stream, on the CPU.

    Args:
        memory_bytes: how much memory there is.
        device: its number, where there are several.
        capability: what the kernels may be told to be made for.
        resident: how many blocks run at once on the whole device.
        order: in which order threads and blocks run.
        deferred: whether what is asked runs only when somebody waits for it, as on a GPU; faults then come with that call. Without,
            it runs at once.
        uploads_last: whether the stream for uploads goes on only where the other waits for it, or as far as it can before that.
    """

    code = "llvm"
    stream = 0

    def __init__(
        self,
        memory_bytes: int = 1 << 30,
        device: int = 0,
        capability: tuple[int, int] = (9, 0),
        resident: int = 4,
        order: Order | None = None,
        deferred: bool = False,
        uploads_last: bool = True,
    ) -> None:
        self.info = DeviceInfo(f"stand-in {device}", capability, (13, 0), resident, memory_bytes)
        self.device, self.resident, self.order, self.deferred = device, resident, order or Order(), deferred
        self.uploads_last = uploads_last
        self._events: list[Event] = []
        self.calls: deque[Call] = deque(maxlen=100_000)
        """The latest calls."""
        self.counts: Counter[str] = Counter()
        """How often each method was called."""
        self.launched: Counter[str] = Counter()
        """How often each kernel ran."""
        self.misuses: list[Misuse] = []
        self.peak_bytes = 0
        self._used = 0
        self._allocations: dict[int, Allocation] = {}
        self._freed: dict[int, int] = {}
        """How large allocations were that are no more; the latest."""
        self._modules: list[Module] = []
        self._graphs: list[Graph] = []
        self._asked: deque[Callable[[], None] | Turn] = deque()
        self._aside: deque[Callable[[], None] | Turn] = deque()
        self._runs = False
        self._faults: dict[str, DriverError | None] = {}
        self._dead: DeviceFault | None = None
        self.libraries: dict[str, Any] = {}
        """Stand-ins for NVIDIA's, by their names: solver_standin.py."""
        self.interrupts = False
        """Whether the next wait is interrupted, before anything runs that was asked."""
        self._word = ctypes.create_string_buffer(WORD_BYTES)
        self.stopping = Stopping(ctypes.addressof(self._word), ctypes.addressof(self._word))

    def __del__(self) -> None:
        for allocation in self._allocations.values():
            space().free(allocation)

    # -- what tests ask

    def fail_next(self, method: str, error: DriverError | None = None) -> None:
        """Let the next call of a method fail: of `allocate` for want of memory, of `launch` by a fault of the device that stays, of
        the others by a refusal; or with an error of your own.
        """
        if not callable(getattr(StandIn, method, None)):
            raise ValueError(f"fail_next: a driver has no method {method!r}")
        self._faults[method] = error

    def alive(self) -> list[str]:
        """What was made and not given back, in words."""
        memory = [f"{a.nbytes} bytes at {a.address:#x}" for a in self._allocations.values()]
        modules = [f"a module with {', '.join(m.code.kernels)}" for m in self._modules]
        graphs = [f"a graph of {', '.join(one.function.name for one in g.launches)}" for g in self._graphs]
        return memory + modules + graphs + [f"an event, marked {e.marked} times" for e in self._events]

    def allocated_bytes(self) -> int:
        """Memory in use."""
        return self._used

    def check_balanced(self, kept: int = 0) -> None:
        """Fail if anything was misused, lies outside its allocation, or if more than `kept` things are alive."""
        self._run_asked()
        self._look_outside()
        if self.misuses:
            raise self.misuses[0]
        if len(alive := self.alive()) > kept:
            raise Misuse(f"{len(alive)} things are alive, {kept} may be: " + "; ".join(alive[:20]))

    # -- the contract

    @_asked
    def allocate(self, nbytes: int) -> int:
        if nbytes < 0:
            self._misused(f"allocate: {nbytes} bytes")
        room = max(-(-nbytes // ALIGNMENT), 1) * ALIGNMENT
        if self._used + room > self.info.memory_bytes:
            raise _no_memory(nbytes, *self.memory())
        made = space().allocate(max(nbytes, 1), self.device)
        self._used += room
        self.peak_bytes = max(self.peak_bytes, self._used)
        self._allocations[made.address] = made
        return made.address

    @_asked
    def free(self, address: int) -> None:
        if address not in self._allocations:
            self._misused(f"free: {address:#x} {self._whose(address)}")
        allocation = self._allocations.pop(address)
        self._used -= -(-allocation.nbytes // ALIGNMENT) * ALIGNMENT
        self._freed[address] = allocation.nbytes
        if len(self._freed) > 10_000:
            del self._freed[next(iter(self._freed))]

        def run() -> None:
            self._look_outside([allocation])
            space().free(allocation)

        self._ask(run)

    def memory(self) -> tuple[int, int]:
        return self.info.memory_bytes - self._used, self.info.memory_bytes

    @_asked
    def upload(self, address: int, host: int, nbytes: int) -> None:
        self._within("upload", address, nbytes)
        content = ctypes.string_at(host, nbytes)
        self._ask(lambda: _copy(address, content, nbytes))

    @_asked
    def download(self, host: int, address: int, nbytes: int) -> None:
        self._within("download", address, nbytes)
        self._wait()
        _copy(host, address, nbytes)

    @_asked
    def copy(self, to: int, source: int, nbytes: int) -> None:
        self._within("copy", to, nbytes)
        self._within("copy", source, nbytes)
        if to < source + nbytes and source < to + nbytes and nbytes:
            self._misused(f"copy: {nbytes} bytes from {source:#x} to {to:#x} overlap")
        self._ask(lambda: _copy(to, source, nbytes))

    @_asked
    def load(self, code: str) -> Module:
        module = Module(emulator.load(code))
        self._modules.append(module)
        return module

    @_asked
    def function(self, module: Module, name: str, shared_bytes: int) -> Function:
        self._alive("function", module)
        if name not in module.code.kernels:
            raise DriverError(f"the module has the kernels {', '.join(module.code.kernels) or 'none'}, not {name!r}")
        if not 0 <= shared_bytes <= SHARED_LIMIT:
            raise DriverError(
                f"kernel {name} cannot be lent {shared_bytes} bytes of shared memory; a block has {SHARED_LIMIT} at most"
            )
        return Function(module, name, shared_bytes)

    @_asked
    def resident_blocks(self, function: Function, threads: int, shared_bytes: int) -> int:
        self._alive("resident_blocks", function.module)
        if shared_bytes > function.shared_bytes:
            self._misused(
                f"resident_blocks: {shared_bytes} bytes of shared memory for {function.name}, lent {function.shared_bytes}"
            )
        return self.resident

    @_asked
    def graph(self, launches: Sequence[Launch]) -> Graph:
        for one in launches:
            self._check_launch(one)
        graph = Graph(tuple(launches))
        self._graphs.append(graph)
        return graph

    @_asked
    def launch(self, graph: Graph) -> None:
        self._alive("launch", graph)
        for one in graph.launches:
            self._check_launch(one)
        for one in graph.launches:
            self._ask(functools.partial(self._run, one))

    @_asked
    def start(self, launch: Launch) -> None:
        self._check_launch(launch)
        self._ask(functools.partial(self._run, launch))

    @_asked
    def release(self, thing: Module | Graph | Callable[[], None]) -> None:
        if callable(thing):
            self._ask(thing)
            return
        self._alive("release", thing)
        thing.released = True
        (self._modules if isinstance(thing, Module) else self._graphs).remove(thing)  # type: ignore[arg-type]

    @_asked
    def synchronize(self) -> None:
        self._wait()

    @_asked
    def follow(self, stream: int) -> None:
        pass

    @_asked
    def lead(self, stream: int) -> None:
        pass

    @_asked
    def finish(self) -> None:
        self._run_asked()

    @_asked
    def upload_aside(self, address: int, host: int, nbytes: int) -> None:
        self._within("upload_aside", address, nbytes)
        content = ctypes.string_at(host, nbytes)
        self._ask(lambda: _copy(address, content, nbytes), aside=True)

    @_asked
    def mark(self, event: Event | None = None, aside: bool = False) -> Event:
        if event is None:
            event = Event()
            self._events.append(event)
        self._marked("mark", event)
        event.marked += 1
        number = event.marked

        def run() -> None:
            event.passed = max(event.passed, number)

        self._ask(run, aside)
        return event

    @_asked
    def behind(self, event: Event, aside: bool = False) -> None:
        self._marked("behind", event)
        self._ask(Turn(event, event.marked), aside)

    @_asked
    def forget(self, event: Event) -> None:
        self._marked("forget", event)
        event.forgotten = True
        self._events.remove(event)

    def _marked(self, method: str, event: Event) -> None:
        if event.forgotten or event not in self._events:
            self._misused(f"{method}: {event} is no event of this device, or was forgotten")

    def library(self, name: str) -> Any:
        return self.libraries.get(name)

    @_asked
    def inside(self, f: Callable[..., int], *arguments: int) -> int:
        return f(*arguments)

    @_asked
    def number_of(self, address: int) -> int:
        if self._at(address) is None:
            self._misused(f"number_of: {address:#x} {self._whose(address)}")
        return self.device

    # -- how it is kept

    def _called(self, name: str, arguments: tuple[Any, ...]) -> None:
        """Record a call; fail where it was asked to, or where the device is lost."""
        self.calls.append(Call(name, arguments))
        self.counts[name] += 1
        if self._dead is not None and name not in ("free", "release", "forget"):
            raise self._dead
        if name not in self._faults:
            return
        error = self._faults.pop(name)
        if error is None and name == "allocate":
            error = _no_memory(arguments[0], *self.memory())
        elif error is None and name == "launch":
            error = DeviceFault("the device failed, as it was asked to")
        error = error or DriverError(f"{name} was refused, as it was asked to")
        if isinstance(error, DeviceFault):
            self._dead = error
        raise error

    def _ask(self, run: Callable[[], None] | Turn, aside: bool = False) -> None:
        (self._aside if aside else self._asked).append(run)
        if not self.deferred:
            self._run_asked()

    def _wait(self) -> None:
        self.stopping.wait(self._waited)

    def _waited(self) -> None:
        if self.interrupts:
            self.interrupts = False
            raise KeyboardInterrupt
        self._run_asked()

    def _run_asked(self) -> None:
        """Do all that was asked, in order. What the collector of garbage asks meanwhile is done behind it."""
        if self._runs:
            return
        self._runs = True
        try:
            while any(map(self._go_on, self._streams())):
                pass
            stuck = [*self._asked, *self._aside]
            if stuck:
                self._misused(f"streams wait for each other: {stuck[0]}")
        except DeviceFault as error:
            self._dead = error
            self._asked.clear()
            self._aside.clear()
            raise
        finally:
            self._runs = False

    def _streams(self) -> tuple[deque[Any], deque[Any]]:
        return (self._asked, self._aside) if self.uploads_last else (self._aside, self._asked)

    def _go_on(self, stream: deque[Any]) -> bool:
        """The next thing of a stream, where it does not wait."""
        if not stream or isinstance(stream[0], Turn) and stream[0].event.passed < stream[0].number:
            return False
        first = stream.popleft()
        if not isinstance(first, Turn):
            first()
        return True

    def _run(self, one: Launch) -> None:
        function = one.function
        self.launched[function.name] += 1
        addresses = space()
        emulator.launch(
            function.module.code, function.name, one.blocks, one.arguments, threads=one.threads, shared_bytes=one.shared_bytes,
            lent_bytes=function.shared_bytes, cooperative=one.cooperative, order=self.order, memory=(addresses.low, addresses.high),
            describe=self._described,
        )  # fmt: skip
        self._look_outside(kernel=function.name)

    def _check_launch(self, one: Launch) -> None:
        function = one.function
        if not isinstance(function, Function):
            self._misused(f"launch: {function!r} is no function of this driver")
        self._alive("launch", function.module)
        what = f"launch: kernel {function.name}"
        if not 1 <= one.blocks < 2**31:
            self._misused(f"{what} with {one.blocks} blocks")
        if one.threads % 32 or not 32 <= one.threads <= 1024:
            self._misused(f"{what} with blocks of {one.threads} threads")
        if not 0 <= one.shared_bytes <= function.shared_bytes:
            self._misused(f"{what} with {one.shared_bytes} bytes of shared memory; it was lent {function.shared_bytes}")
        if one.cooperative and one.blocks > self.resident:
            self._misused(f"{what} cooperatively with {one.blocks} blocks; {self.resident} run at once")
        types = function.module.code.kernels[function.name]
        if len(types) != len(one.arguments):
            self._misused(f"{what} with {len(one.arguments)} arguments; it takes {len(types)}")
        for n, (kind, word) in enumerate(zip(types, one.arguments, strict=True)):
            if kind == "ptr" and self._at(word) is None:
                self._misused(f"{what} with {word:#x} as argument {n}, which {self._whose(word)}")

    def _at(self, address: int) -> Allocation | None:
        """The live allocation of this device that an address is in."""
        a = space().around(address)
        return a if a is not None and address < a.end and a.address in self._allocations else None

    def _within(self, method: str, address: int, nbytes: int) -> None:
        a = self._at(address)
        if nbytes == 0:
            return
        if a is None:
            self._misused(f"{method}: {nbytes} bytes at {address:#x}, which {self._whose(address)}")
        if nbytes < 0 or address + nbytes > a.end:
            self._misused(f"{method}: {nbytes} bytes at {address:#x}, where {a.end - address} are left of {a.nbytes}")

    def _whose(self, address: int) -> str:
        """Why an address is not of this device's memory."""
        if address in self._freed:
            return f"was freed ({self._freed[address]} bytes)"
        a = space().around(address)
        if a is not None and address < a.end:
            return (
                f"belongs to device {a.device}"
                if a.device != self.device
                else f"lies within the {a.nbytes} bytes at {a.address:#x}"
            )
        for freed, nbytes in self._freed.items():
            if freed <= address < freed + nbytes:
                return f"lies in {nbytes} bytes at {freed:#x} that were freed"
        return "is no memory of this device"

    def _described(self, address: int) -> str:
        """What lies at an address where a kernel failed."""
        if not space().low <= address < space().high:
            return ""
        if self._whose(address) != "is no memory of this device":
            return f" (it {self._whose(address)})"
        near = [(address - a.end, "behind", a) for a in self._allocations.values() if a.end <= address]
        near += [(a.address - address, "before", a) for a in self._allocations.values() if address < a.address]
        if not near:
            return ""
        off, side, a = min(near, key=lambda found: found[0])
        return f" ({off} bytes {side} {a.nbytes} bytes at {a.address:#x})"

    def _look_outside(self, allocations: Sequence[Allocation] | None = None, kernel: str = "") -> None:
        """Fail if somebody wrote just outside of an allocation."""
        for a in list(self._allocations.values()) if allocations is None else allocations:
            for start, length in a.outside:
                if length and ctypes.string_at(start, length) != _POISON[:length]:
                    found = ctypes.string_at(start, length)
                    at = start + next(n for n, byte in enumerate(found) if byte != POISON)
                    where = f"{at - a.end} bytes behind" if at >= a.end else f"{a.address - at} bytes before"
                    ctypes.memset(start, POISON, length)
                    message = f"something wrote {where} {a.nbytes} bytes at {a.address:#x}"
                    raise KernelFault(message, kernel or "(unknown)")

    def _alive(self, method: str, thing: Module | Graph) -> None:
        if not isinstance(thing, Module | Graph):
            self._misused(f"{method}: {thing!r} was not made by this driver")
        if thing not in self._modules and thing not in self._graphs:
            self._misused(f"{method}: {'it was released' if thing.released else 'it belongs to another device'}: {thing!r}")

    def _misused(self, message: str) -> NoReturn:
        self.misuses.append(Misuse(message))
        raise self.misuses[-1]


_POISON = bytes([POISON]) * (PAGE + ALIGNMENT)


def _copy(to: int, source: int | bytes, nbytes: int) -> None:
    if nbytes:
        ctypes.memmove(to, source, nbytes)


def _no_memory(asked: int, free: int, total: int) -> OutOfDeviceMemory:
    return OutOfDeviceMemory(f"{asked} bytes were asked for, and {free} of {total} are free")
