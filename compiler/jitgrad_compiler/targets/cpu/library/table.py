"""Kernels of the ops that are no loop nests of independent elements: a table from an op's kind to the emitter of its kernel.

Such a kernel holds one equation, whose operands lie row-major in memory or are scalar constants. Next on the path: program.py.
"""

from __future__ import annotations

from collections.abc import Callable

from ....kernels.kernel import Kernel
from ...emitter import Emitter, Module, Reg
from ..phases import Emitted, Pointers
from .cumulative import emit_cumulative
from .recurrence import emit_recurrence
from .scatter import emit_scatter
from .sorting import emit_sort
from .update import emit_update

LIBRARY: dict[str, Callable[[Module, str, Kernel, Pointers, Callable[[Emitter, Reg], Reg]], Emitted]] = {
    "scatter": emit_scatter,
    "sort": emit_sort,
    "cumulative": emit_cumulative,
    "recurrence": emit_recurrence,
    "dynamic_update_slice": emit_update,
}
