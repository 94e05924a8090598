"""Kernels of the ops that are no loop nests of independent elements: a table from ops to the emitters of their kernels, those that
all targets do as tasks (tasks/table.py) and the CPU's own.

Such a kernel holds one equation, whose operands lie row-major in memory or are scalar constants. Next on the path: program.py.
"""

from __future__ import annotations

from collections.abc import Callable

from ....ir.graph import Rules
from ....kernels.kernel import Kernel
from ...llvm_text import Module
from ...tasks.phases import Emitted, Pointers, Scratch
from ...tasks.table import TASKS
from ..contract.winograd import emit_tiled
from .cumulative import emit_cumulative
from .recurrence import emit_recurrence
from .scatter import emit_scatter
from .sorting import emit_sort
from .update import emit_update

LIBRARY: Rules[Callable[[Module, str, Kernel, Pointers, Scratch], Emitted]] = Rules(
    "a kernel of its own",
    {
        "scatter": emit_scatter, **dict.fromkeys(("sort", "top_k"), emit_sort),
        "linear_recurrence": emit_recurrence, "dynamic_update_slice": emit_update,
        **dict.fromkeys(("tiled_convolve", "tiled_kernel"), emit_tiled),
        **dict.fromkeys(("cumsum", "cumprod", "cummax", "cummin"), emit_cumulative),
        **{op.name: TASKS[op] for op in TASKS},
    },
)  # fmt: skip
