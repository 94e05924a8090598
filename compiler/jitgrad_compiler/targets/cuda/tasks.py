"""Kernels that are written as tasks (targets/tasks), each done by one thread: what is no loop nest and no contraction runs this way
unless it has a kernel of its own here.
"""

from __future__ import annotations

from ...ir.types import BOOL
from ...kernels.kernel import Kernel
from ..llvm_text import Module
from ..tasks import phases as tasks
from ..tasks.kernel_table import KernelTable
from ..tasks.registers.kernel import emit_register_kernel
from ..tasks.table import TASKS
from .device import THREADS
from .phases import BlockFunction, Emitted, Phase


def emit_tasks(module: Module, name: str, kernel: Kernel, table: KernelTable) -> Emitted:
    """A kernel by the emitter of its tasks."""
    before = len(module.functions)
    if kernel.registers is not None:
        emitted = emit_register_kernel(module, f"{name}.task", kernel, table, kernel.registers)
    else:
        emitted = TASKS[kernel.eqns[0].op](module, f"{name}.task", kernel, table.pointers, table.scratch)
    for n in range(before, len(module.functions)):
        module.functions[n] = module.functions[n].replace("define void @", "define internal void @", 1)
    phases = [_phase(module, f"{name}_{n}", p) for n, p in enumerate(emitted.phases) if p.tasks]
    return Emitted(phases, emitted.scratch_bytes)


def _phase(module: Module, name: str, phase: tasks.Phase) -> Phase:
    """The threads do one task each."""
    f = BlockFunction(module, name)
    e = f.e
    number = e.add(e.mul(f.block, THREADS), f.threads.thread())
    with e.when(e.const(True, BOOL) if phase.tasks % THREADS == 0 else e.compare("lt", number, phase.tasks)):
        e.call(phase.function, None, f.table, number, e.add(number, 1))
    return f.finish(-(-phase.tasks // THREADS))
