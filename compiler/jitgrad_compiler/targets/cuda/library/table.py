"""Kernels of the ops that are no loop nests of independent elements, as targets/cpu/library/table.py has them. Those without a row
here are tasks on every target (targets/tasks/table.py).
"""

from __future__ import annotations

from collections.abc import Callable

from ....ir.graph import Rules
from ....kernels.kernel import Kernel
from ...llvm_text import Module
from ..attention.forward import emit_attention
from ..attention.gradient import emit_attention_gradient
from ..phases import Emitted, Pointers, Scratch
from .cumulative import emit_cumulative
from .recurrence import emit_recurrence
from .scatter import emit_scatter
from .sorting import emit_sort
from .update import emit_update

LIBRARY: Rules[Callable[[Module, str, Kernel, Pointers, Scratch], Emitted]] = Rules(
    "a kernel of its own on GPUs",
    {
        "scatter": emit_scatter, **dict.fromkeys(("sort", "top_k"), emit_sort),
        "attention_forward": emit_attention, "attention_gradient": emit_attention_gradient,
        "linear_recurrence": emit_recurrence, "dynamic_update_slice": emit_update,
        **dict.fromkeys(("cumsum", "cumprod", "cummax", "cummin"), emit_cumulative),
    },
)  # fmt: skip
