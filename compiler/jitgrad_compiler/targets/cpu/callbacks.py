"""Calls of Python from compiled code. runtime/callbacks.py is at the other end."""

from __future__ import annotations

from collections.abc import Sequence

from ...ir.graph import Eqn
from ...ops.effects import site
from ..emitter import Emitter, Reg

CALLBACK = "jitgrad_callback"


def call_python(e: Emitter, eqn: Eqn, operands: Sequence[Reg], state: Reg) -> None:
    """Call a `callback` equation's function with the arrays at these addresses. If it raises, the run's state says to stop."""
    table = e.alloca("ptr", 1, max(len(operands), 1))
    for n, pointer in enumerate(operands):
        e.set(e.offset(table, n, "ptr"), pointer)
    number = site(eqn.params["token"], tuple(a.type for a in eqn.inputs))
    e.module.declare(CALLBACK, "void", ["i64", "ptr", "ptr"])
    e.call(CALLBACK, "void", e.const(number, "i64"), table, state)
