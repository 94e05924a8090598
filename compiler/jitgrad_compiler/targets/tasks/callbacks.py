"""Calls of Python from compiled code. runtime/callbacks.py is at the other end."""

from __future__ import annotations

from collections.abc import Sequence

from ..emitter import Emitter
from ..llvm_text import PTR, Reg

CALLBACK = "jitgrad_callback"  # what programs call; interrupts.py has it
CALL_PYTHON = "jitgrad_call_python"  # what it calls, unless the process ends


def call_python(e: Emitter, site: Reg, operands: Sequence[Reg], state: Reg, results: Sequence[Reg] = ()) -> None:
    """Call a site's function with the arrays at these addresses; what it gives is written to the results'. If it raises, the run's
    state says to stop.
    """
    pointers = [*operands, *results]
    table = e.alloca(PTR, 1, max(len(pointers), 1))
    for n, pointer in enumerate(pointers):
        e.set(e.offset(table, n, PTR), pointer)
    e.module.declare(CALLBACK, "void", ["i64", "ptr", "ptr"])
    e.call(CALLBACK, None, site, table, state)
