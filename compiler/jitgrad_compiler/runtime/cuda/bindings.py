"""NVIDIA's driver for one device: keeps what driver.py promises. context.py opens the device and asks the driver; staging.py moves
what is large. There is one stream, which waits for no other and no other for it.
"""

from __future__ import annotations

import ctypes
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ...ending import whole
from ...errors import DriverError
from . import api
from .api import NOT_READY, described, dotted
from .context import Context
from .driver import Launch, in_units
from .staging import STAGED, Staging
from .stopping import WORD_BYTES, Stopping

LENT_UNASKED = 48 << 10
"""Bytes of shared memory that kernels have without more ado."""
LOG_BYTES, LOG_LINES = 8192, 12
SPIN, NAP = 5e-3, 2e-4
"""Seconds of looking again and again whether work is done, before pausing in between: so Ctrl-C is heard while one waits."""


class _Function(NamedTuple):
    handle: Any
    name: str
    module: Any


class _Graph(NamedTuple):
    executable: Any
    names: tuple[str, ...]
    functions: tuple[_Function, ...]


def _words(launch: Launch) -> tuple[Any, Any]:
    """A kernel's arguments, and where each lies, as the driver reads them."""
    count = len(launch.arguments)
    words = (ctypes.c_uint64 * max(1, count))(*[a & (1 << 64) - 1 for a in launch.arguments])
    first = ctypes.addressof(words)
    return words, (ctypes.c_void_p * max(1, count))(*range(first, first + 8 * count, 8))


class NvidiaDriver(Context):
    """A device by its number. Several threads may use it at once.

    Raises:
        DriverError: there is no such device, no driver, or either is too old.
    """

    code = "ptx"

    def __init__(self, number: int, cuda: Any = None) -> None:
        super().__init__(number, cuda)
        cuda = self._cuda
        self._stream = self._ask("making a stream", cuda.cuStreamCreate, int(cuda.CUstream_flags.CU_STREAM_NON_BLOCKING))
        self.stream = int(self._stream)
        self._pool = self._ask("making a pool of memory", cuda.cuMemPoolCreate, self._pool_properties(number))
        self._leaving: deque[tuple[Any, Any]] = deque()
        """Events, and what may be destroyed once they have passed."""
        self._collecting = threading.Lock()
        self._staging = Staging(self, self._stream)
        self._aside: Staging | None = None
        """That of the stream for uploads, which there is from the first on."""
        self._opening = threading.Lock()
        self.stopping = self._stop_word()

    def _stop_word(self) -> Stopping:
        """A word in memory of the host that the device reads."""
        cuda, what = self._cuda, "pinned memory of the host"
        flags = int(cuda.CU_MEMHOSTALLOC_PORTABLE) | int(cuda.CU_MEMHOSTALLOC_DEVICEMAP)
        host = int(self._ask(what, cuda.cuMemHostAlloc, WORD_BYTES, flags))
        return Stopping(host, int(self._ask(what, cuda.cuMemHostGetDevicePointer, host, 0)))

    def _pool_properties(self, number: int) -> Any:
        cuda = self._cuda
        properties = cuda.CUmemPoolProps()
        properties.allocType = cuda.CUmemAllocationType.CU_MEM_ALLOCATION_TYPE_PINNED
        properties.handleTypes = cuda.CUmemAllocationHandleType.CU_MEM_HANDLE_TYPE_NONE
        properties.location.type = cuda.CUmemLocationType.CU_MEM_LOCATION_TYPE_DEVICE
        properties.location.id = number
        return properties

    # Memory

    def allocate(self, nbytes: int) -> int:
        what = f"{nbytes} bytes ({in_units(nbytes)})"
        return int(self._ask(what, self._cuda.cuMemAllocFromPoolAsync, nbytes, self._pool, self._stream))

    def free(self, address: int) -> None:
        if not self._gone():
            self._quietly("giving memory back", self._cuda.cuMemFreeAsync, address, self._stream)

    def memory(self) -> tuple[int, int]:
        free, total = self._ask("the size of its memory", self._cuda.cuMemGetInfo)
        return int(free), int(total)

    def upload(self, address: int, host: int, nbytes: int) -> None:
        if nbytes >= STAGED:
            self._staging.upload(address, host, nbytes)
        elif nbytes:  # bytes of Python's are never pinned memory, which the driver would read later
            copy = ctypes.string_at(host, nbytes)
            self._ask("copying to it", self._cuda.cuMemcpyHtoDAsync, address, copy, nbytes, self._stream)

    def download(self, host: int, address: int, nbytes: int) -> None:
        self.synchronize()  # where Ctrl-C is heard
        if nbytes >= STAGED:
            self._staging.download(host, address, nbytes)
        elif nbytes:
            self._ask("copying from it", self._cuda.cuMemcpyDtoHAsync, host, address, nbytes, self._stream)
            self._ask("waiting for it", self._cuda.cuStreamSynchronize, self._stream)

    def copy(self, to: int, source: int, nbytes: int) -> None:
        if nbytes:
            self._ask("copying within it", self._cuda.cuMemcpyDtoDAsync, to, source, nbytes, self._stream)

    # Programs

    def load(self, code: str) -> Any:
        cuda, log = self._cuda, bytearray(LOG_BYTES)
        options = [cuda.CUjit_option.CU_JIT_ERROR_LOG_BUFFER, cuda.CUjit_option.CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES]
        what = "loading a program's PTX"
        answer = self._answer(cuda.cuModuleLoadDataEx, code.encode() + b"\0", len(options), options, [log, LOG_BYTES])
        if answer[0]:
            raise self._refused_code(what, answer[0], bytes(log))
        self._collect()
        return answer[1]

    def _refused_code(self, what: str, code: Any, log: bytes) -> DriverError:
        if code not in (api.INVALID_PTX, api.NO_BINARY, api.NO_JIT_COMPILER, api.UNSUPPORTED_PTX):
            return self._error(what, code)
        lines = log.split(b"\0")[0].decode(errors="replace").strip().splitlines()
        said = "".join(f"\n    {line}" for line in lines[:LOG_LINES]) + ("\n    ..." if len(lines) > LOG_LINES else "")
        advice = {
            api.INVALID_PTX: "That is a fault of this library's: please report it with these lines",
            api.NO_BINARY: "The code is for another kind of GPU",
            api.NO_JIT_COMPILER: "The driver's compiler (libnvidia-ptxjitcompiler.so) is missing: install the driver whole",
            api.UNSUPPORTED_PTX: f"The driver (CUDA {dotted(self._version)}) is older than this code: install a newer one",
        }[int(code)]
        return DriverError(f"{self.name}: {what} was refused: {described(self._cuda, code)}. {advice}.{said}")

    def function(self, module: Any, name: str, shared_bytes: int) -> Any:
        handle = self._ask(f"finding the kernel {name}", self._cuda.cuModuleGetFunction, module, name.encode())
        if shared_bytes > self._lent_at_most:
            raise DriverError(
                f"{self.name}: the kernel {name} needs {shared_bytes} bytes of shared memory, and the device lends "
                f"{self._lent_at_most}. That is a fault of this library's: please report it."
            )
        if shared_bytes > LENT_UNASKED:
            attribute = self._cuda.CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
            what = f"lending {shared_bytes} bytes of shared memory to the kernel {name}"
            self._ask(what, self._cuda.cuFuncSetAttribute, handle, attribute, shared_bytes)
        return _Function(handle, name, module)

    def resident_blocks(self, function: Any, threads: int, shared_bytes: int) -> int:
        occupancy, what = self._cuda.cuOccupancyMaxActiveBlocksPerMultiprocessor, f"the occupancy of {function.name}"
        blocks: int = self._ask(what, occupancy, function.handle, threads, shared_bytes)
        return blocks * self.info.multiprocessors

    def graph(self, launches: Sequence[Launch]) -> Any:
        cuda = self._cuda
        graph = self._ask("making a graph", cuda.cuGraphCreate, 0)
        try:
            before: list[Any] = []
            for launch in launches:
                before = [self._add(graph, before, launch)]
            executable = self._ask("making a graph ready", cuda.cuGraphInstantiate, graph, 0)
        finally:
            self._quietly("forgetting a graph", cuda.cuGraphDestroy, graph)
        functions = tuple(launch.function for launch in launches)
        return _Graph(executable, tuple(f.name for f in functions), functions)

    def _add(self, graph: Any, before: list[Any], launch: Launch) -> Any:
        """A node that runs a kernel behind others."""
        cuda = self._cuda
        words = _words(launch)
        node = cuda.CUDA_KERNEL_NODE_PARAMS()
        node.func = launch.function.handle
        node.gridDimX, node.gridDimY, node.gridDimZ = launch.blocks, 1, 1
        node.blockDimX, node.blockDimY, node.blockDimZ = launch.threads, 1, 1
        node.sharedMemBytes = launch.shared_bytes
        node.kernelParams = ctypes.addressof(words[1])  # read before the call below returns
        what = f"a launch of {launch.function.name}: {launch.blocks} blocks of {launch.threads}, {launch.shared_bytes} bytes shared"
        added = self._ask(what, cuda.cuGraphAddKernelNode, graph, before, len(before), node)
        if launch.cooperative:
            value = cuda.CUkernelNodeAttrValue()
            value.cooperative = 1
            attribute = cuda.CUkernelNodeAttrID.CU_LAUNCH_ATTRIBUTE_COOPERATIVE
            self._ask(f"{what}, at once", cuda.cuGraphKernelNodeSetAttribute, added, attribute, value)
        return added

    @whole
    def launch(self, graph: Any) -> None:
        if self._unusable is not None:
            raise self._unusable()
        launch, stream = self._cuda.cuGraphLaunch, self._stream
        if launch(graph.executable, stream)[0]:  # as it may where another context is the thread's
            code = self._answer(launch, graph.executable, stream)[0]
            if code:
                raise self._error("launching a program", code)  # where it is a fault's, then of what was launched before
        self._last = graph.names

    @whole
    def start(self, launch: Launch) -> None:
        function, blocks, threads, shared_bytes, _, cooperative = launch
        words = _words(launch)
        first = (function.handle, blocks, 1, 1, threads, 1, 1, shared_bytes, self._stream, ctypes.addressof(words[1]))
        if cooperative:
            answer = self._answer(self._cuda.cuLaunchCooperativeKernel, *first)
        else:
            answer = self._answer(self._cuda.cuLaunchKernel, *first, 0)
        if answer[0]:
            raise self._error(f"a launch of {function.name}", answer[0])
        self._last = (function.name,)

    def release(self, thing: Any) -> None:
        if not self._gone():
            try:
                self._leaving.append((self.record(), thing))
                self._collect()
            except DriverError:
                pass  # as `free`

    def _collect(self) -> None:
        """Destroy what was released and is no longer run."""
        if not self._collecting.acquire(blocking=False):
            return  # another thread does, or this one around the collector of garbage
        try:
            while self._leaving and self._passed(self._leaving[0][0]):
                event, thing = self._leaving.popleft()
                if callable(thing):
                    thing()
                elif isinstance(thing, _Graph):
                    self._quietly("forgetting a program", self._cuda.cuGraphExecDestroy, thing.executable)
                else:
                    self._quietly("forgetting a module", self._cuda.cuModuleUnload, thing)
                self._quietly("forgetting an event", self._cuda.cuEventDestroy, event)
        finally:
            self._collecting.release()

    def synchronize(self) -> None:
        self.stopping.wait(self._drained)
        self._collect()

    def _drained(self) -> None:
        self._wait(lambda: self._cuda.cuStreamQuery(self._stream))

    def drain(self, stream: Any) -> None:
        """Return when a stream has done all that was asked of it."""
        self.stopping.heard(lambda: self._wait(lambda: self._cuda.cuStreamQuery(stream)), self._drained)

    # Events, and streams of others

    def event(self) -> Any:
        flags = int(self._cuda.CUevent_flags.CU_EVENT_DISABLE_TIMING)
        return self._ask("making an event", self._cuda.cuEventCreate, flags)

    def record(self, event: Any = None, stream: Any = None) -> Any:
        """An event that passes when all that was asked before has run, of a stream."""
        event = self.event() if event is None else event
        self._ask("recording an event", self._cuda.cuEventRecord, event, self._stream if stream is None else stream)
        return event

    def _beside(self) -> Staging:
        with self._opening:
            if self._aside is None:
                flags = int(self._cuda.CUstream_flags.CU_STREAM_NON_BLOCKING)
                self._aside = Staging(self, self._ask("making a stream", self._cuda.cuStreamCreate, flags))
            return self._aside

    def upload_aside(self, address: int, host: int, nbytes: int) -> None:
        if nbytes:
            self._beside().upload(address, host, nbytes)

    def mark(self, event: Any = None, aside: bool = False) -> Any:
        return self.record(event, self._beside().stream if aside else None)

    def behind(self, event: Any, aside: bool = False) -> None:
        stream = self._beside().stream if aside else self._stream
        self._ask("ordering streams", self._cuda.cuStreamWaitEvent, stream, event, 0)

    def forget(self, event: Any) -> None:
        if not self._gone():
            self._quietly("forgetting an event", self._cuda.cuEventDestroy, event)

    def wait_for(self, event: Any) -> None:
        """Return when an event has passed."""
        self.stopping.heard(lambda: self._wait(lambda: self._cuda.cuEventQuery(event)), self._drained)

    def follow(self, stream: int) -> None:
        """Let what is asked from here on run behind what was asked on another stream."""
        self._chain(stream, self._stream)

    def lead(self, stream: int) -> None:
        """Let what is asked on another stream from here on run behind what was asked here."""
        self._chain(self._stream, stream)

    def finish(self) -> None:
        self._ask("waiting for all streams", self._cuda.cuCtxSynchronize)

    def library(self, name: str) -> Any:
        return api.library(name)

    @whole
    def inside(self, f: Any, *arguments: int) -> int:
        return int(self._answer(f, *arguments))

    def number_of(self, address: int) -> int:
        attribute = self._cuda.CUpointer_attribute.CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL
        return int(self._ask(f"the device of the address {address:#x}", self._cuda.cuPointerGetAttribute, attribute, address))

    def _chain(self, first: Any, second: Any) -> None:
        event = self.event()
        try:
            self._ask("recording an event", self._cuda.cuEventRecord, event, first)
            self._ask("ordering streams", self._cuda.cuStreamWaitEvent, second, event, 0)
        finally:
            self._quietly("forgetting an event", self._cuda.cuEventDestroy, event)  # the driver does so once it has passed

    def _passed(self, event: Any) -> bool:
        return self._done(lambda: self._cuda.cuEventQuery(event))

    @whole
    def _done(self, query: Callable[[], Any]) -> bool:
        code = self._answer(query)[0]
        if code and code != NOT_READY:
            raise self._error("whether work is done", code)
        return not code

    def _wait(self, query: Callable[[], Any]) -> None:
        begun = time.perf_counter()
        while not self._done(query):
            if time.perf_counter() - begun > SPIN:
                time.sleep(NAP)
