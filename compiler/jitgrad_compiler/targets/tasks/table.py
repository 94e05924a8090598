"""Kernels that every target does as tasks, each one thread's: a table from ops to the emitters of their kernels.

Such a kernel holds one equation, whose operands lie row-major in memory or are scalar constants.
"""

from __future__ import annotations

from collections.abc import Callable

from ...ir.graph import Rules
from ...kernels.kernel import Kernel
from ..llvm_text import Module
from .fourier.kernel import emit_fourier
from .lapack.table import NAMES as ON_MATRICES
from .lapack.table import emit_matrices
from .phases import Emitted, Pointers, Scratch

TASKS: Rules[Callable[[Module, str, Kernel, Pointers, Scratch], Emitted]] = Rules(
    "a kernel of tasks", {"fft_pairs": emit_fourier, **dict.fromkeys(ON_MATRICES, emit_matrices)}
)
