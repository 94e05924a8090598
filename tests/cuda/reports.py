"""What a launch that ended early says: which threads wait where, which never come, and what lies at the address of a fault."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from jitgrad_compiler.errors import DeviceFault

from .fibers import MOST_WORKS, WARP, Fault, Signal, Status

_SIGNALS = {
    Signal.ARITHMETIC: "it divides an integer by zero",
    Signal.INSTRUCTION: "it runs into what is no instruction, such as LLVM's `unreachable`",
    Signal.TIME: "it was stopped, since it takes too long; a thread may wait in a loop for what another one writes",
}


class KernelFault(DeviceFault):
    """A kernel did in the emulator what a GPU would hang on, fault on or not define."""

    def __init__(self, message: str, kernel: str, block: int | None = None, thread: int | None = None) -> None:
        place = "".join(f", {what} {n}" for what, n in (("block", block), ("thread", thread)) if n is not None)
        super().__init__(f"kernel {kernel}{place}: {message}")
        self.kernel, self.block, self.thread = kernel, block, thread


class Launched:
    """A launch that ended early: the emulator's state, the launch's fibers, and for each number of a site the call there."""

    def __init__(
        self, state: np.void, fibers: np.ndarray, kernel: str, sites: Sequence[str], describe: Callable[[int], str]
    ) -> None:
        self.state, self.fibers, self.kernel, self.sites, self.describe = state, fibers, kernel, sites, describe

    def error(self) -> KernelFault:
        """The error for it."""
        fault, detail = Fault(int(self.state["fault"])), int(self.state["detail"])
        if fault is Fault.DEADLOCK:
            return self._deadlock()
        if fault is Fault.DIVERGED:
            return self._diverged(self._number(detail))
        current = self.fibers[self._number(int(self.state["current"]))]
        block, thread = int(current["block"]), int(current["thread"])
        if fault is Fault.SHARED:
            size = int(self.state["shared_bytes"])
            return KernelFault(
                f"it writes behind the end of its {size} bytes of shared memory, {detail} bytes off", self.kernel, block
            )
        where = self.describe(detail)
        messages = {
            Fault.NO_GRID: "gpu.grid.barrier in a launch that is not cooperative, whose blocks need not run at once",
            Fault.COUNTER: f"gpu.grid.barrier was handed a counter that was not zeroed: it holds {detail:#x}",
            Fault.ALIGNMENT: f"it touches address {detail:#x}, which is not so aligned as the load or store says{where}",
            Fault.UNFINISHED: "it returns while what it has copied or multiplied may still be on its way",
            Fault.CHANGED: "what one of its copies or products reads was changed before it waited for that",
            Fault.TOO_MUCH: f"it waits for none of {MOST_WORKS} copies or products",
            Fault.POINTER: f"gpu.pointer found {detail:#x}, which is no device memory{where}",
        }
        message = messages.get(fault)
        if message is None:
            touches = f"it touches address {detail:#x}, where no memory is{where}"
            message = _SIGNALS.get(Signal(int(self.state["signal"])), touches)
        return KernelFault(message, self.kernel, block, thread)

    def _number(self, address: int) -> int:
        return (address - int(self.state["fibers"])) // self.fibers.itemsize

    def _call(self, fiber: np.void) -> str:
        return f"`{self.sites[int(fiber['site'])]}`"

    def _diverged(self, number: int) -> KernelFault:
        other, first = self.fibers[number], self.fibers[number - number % WARP]
        message = f"it waits in {self._call(other)} while thread {first['thread']} of its warp waits in {self._call(first)}"
        return KernelFault(message, self.kernel, int(other["block"]), int(other["thread"]))

    def _deadlock(self) -> KernelFault:
        """Named is a thread that others wait for in vain: one that has returned, if there is one."""
        waits = self.fibers["status"] == Status.WAITS
        first = self.fibers[np.argmax(waits)]
        here = waits & (self.fibers["meeting"] == first["meeting"])
        members, of = np.ones_like(here), "the grid"
        for field, name in (("warp", "the warp"), ("group", "the block")):
            if first[field] == first["meeting"]:
                members, of = self.fibers[field] == first[field], name
        absent = members & ~here
        gone = absent & (self.fibers["status"] == Status.FINISHED)
        missed = self.fibers[np.argmax(gone if gone.any() else absent)]
        does = "it has returned" if missed["status"] == Status.FINISHED else f"it waits in {self._call(missed)}"
        message = f"{does}, while {here.sum()} threads of {of} wait for it in {self._call(first)}"
        return KernelFault(message, self.kernel, int(missed["block"]), int(missed["thread"]))
