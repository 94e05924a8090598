"""How a running loop learns that it is to stop: its back-edges call `jitgrad_poll`, a function that each target defines: the CPU in
machine/interrupts.py, GPUs in cuda/program.py. The run's state begins with a word that says so.
"""

from __future__ import annotations

from ...ir.types import BOOL, I64
from ..emitter import Emitter
from ..llvm_text import Reg

POLL = "jitgrad_poll"


def poll(e: Emitter, state: Reg) -> Reg:
    """Whether the program is to stop."""
    e.module.declare(POLL, "i1", ["ptr"])
    result = e.call(POLL, BOOL, state)
    assert result is not None
    return result


def stopped(e: Emitter, state: Reg) -> Reg:
    """Whether somebody has found that the program is to stop."""
    word = e.op(f"load atomic i64, ptr {state.text} monotonic, align 8", I64)
    return e.compare("ne", word, 0)
