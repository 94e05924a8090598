"""Kernels of the ops that are no loop nests of independent elements: a table from ops to the emitters of their kernels.

Such a kernel holds one equation, whose operands lie row-major in memory or are scalar constants. Next on the path: program.py.
"""

from __future__ import annotations

from collections.abc import Callable

from ....ir.graph import Rules
from ....kernels.kernel import Kernel
from ...emitter import Emitter
from ...llvm_text import Module, Reg
from ..contract.winograd import emit_tiled
from ..fourier.kernel import emit_fourier
from ..phases import Emitted, Pointers
from .cumulative import emit_cumulative
from .lapack.table import NAMES as ON_MATRICES
from .lapack.table import emit_matrices
from .recurrence import emit_recurrence
from .scatter import emit_scatter
from .sorting import emit_sort
from .update import emit_update

LIBRARY: Rules[Callable[[Module, str, Kernel, Pointers, Callable[[Emitter, Reg], Reg]], Emitted]] = Rules(
    "a kernel of its own",
    {
        "scatter": emit_scatter, **dict.fromkeys(("sort", "top_k"), emit_sort),
        "linear_recurrence": emit_recurrence, "dynamic_update_slice": emit_update,
        **dict.fromkeys(ON_MATRICES, emit_matrices),
        "fft_pairs": emit_fourier,
        **dict.fromkeys(("tiled_convolve", "tiled_kernel"), emit_tiled),
        **dict.fromkeys(("cumsum", "cumprod", "cummax", "cummin"), emit_cumulative),
    },
)  # fmt: skip
