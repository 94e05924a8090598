"""What a kernel that is emitted asks of its own table: the addresses of its operands (structure.operands), of its scratch memory
and of the run's state, then the sites of its calls of Python (structure.host_calls).
"""

from __future__ import annotations

from collections.abc import Sequence

from ...ir.graph import Eqn, Var
from ...ir.types import I64
from ...kernels.kernel import Kernel
from ...kernels.structure import HostCall, host_calls, operands
from ..emitter import Emitter
from ..llvm_text import PTR, Reg


def sites(kernel: Kernel) -> tuple[HostCall, ...]:
    """The calls of Python that stand in a kernel's table: those of its own code, not of the blocks inside it."""
    return () if kernel.programs else host_calls(kernel)


class KernelTable:
    """What a kernel that is emitted asks of its own table."""

    def __init__(self, kernel: Kernel) -> None:
        known = operands(kernel)
        self.slots = {v: n for n, v in enumerate(known)}
        self.calls = {call: n for n, call in enumerate(sites(kernel))}
        self.asks_state = False

    def pointers(self, e: Emitter, args: Reg, wanted: Sequence[Var]) -> dict[Var, Reg]:
        return {v: self.word(e, args, self.slots[v]) for v in dict.fromkeys(wanted)}

    def scratch(self, e: Emitter, args: Reg) -> Reg:
        return self.word(e, args, len(self.slots))

    def state(self, e: Emitter, args: Reg) -> Reg:
        self.asks_state = True
        return self.word(e, args, len(self.slots) + 1)

    def site(self, e: Emitter, args: Reg, eqn: Eqn) -> Reg:
        """The number of the site where an equation calls Python."""
        call = HostCall.of(eqn)
        if call is None:
            raise KeyError(f"callback: this process has no function of the token {eqn.params['callee']}")
        return e.get(e.offset(args, len(self.slots) + 2 + self.calls[call], I64), I64)

    def word(self, e: Emitter, args: Reg, slot: int) -> Reg:
        """The pointer at a place of the table."""
        return e.get(e.offset(args, slot, PTR), PTR)
