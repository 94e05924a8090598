"""The kernels of ops on matrices: a table from ops to what is done to one matrix, and the task function around it."""

from __future__ import annotations

from collections.abc import Callable

from ....ir.graph import Rules
from ....kernels.kernel import Kernel
from ....ops.linear_systems import cholesky
from ...llvm_text import Module
from ..phases import Emitted, Pointers, Scratch
from . import columns, factorizations, spectra, systems
from .blocked_cholesky import emit_blocked_cholesky
from .blocked_eigh import emit_blocked_eigh
from .blocked_qr import emit_blocked_qr
from .matrices import Matrices
from .small_cholesky import is_small, small_cholesky

ONE_MATRIX: Rules[Callable[[Matrices], None]] = Rules(
    "a routine for one matrix",
    {
        **{f.__name__: f for f in (systems.triangular_solve, systems.lu, systems.solve, systems.solve_factored)},
        **{
            f.__name__: f
            for f in (
                systems.det,
                systems.slogdet,
                systems.inverse,
                systems.tridiagonal_solve,
                factorizations.cholesky,
                factorizations.qr,
            )
        },
        **{f.__name__: f for f in (factorizations.qr_pivoted, factorizations.geqrf, factorizations.householder_product)},
        **{f.__name__: f for f in (factorizations.hessenberg, factorizations.tridiagonal, *spectra.ROUTINES, *columns.ROUTINES)},
    },
)
BLOCKED: Rules[Callable[[Module, str, Kernel, Pointers, Scratch], Emitted]] = Rules(
    "one large matrix by many tasks", {"qr": emit_blocked_qr, "cholesky": emit_blocked_cholesky, "eigh": emit_blocked_eigh}
)
WITHOUT_CALLS: Rules[bool] = Rules("no routine is called", {"exchanged_order": True})
NAMES = ("of_pairs", *(op.name for op in ONE_MATRIX))


def emit_matrices(module: Module, name: str, kernel: Kernel, pointers: Pointers, scratch: Scratch) -> Emitted:
    if not any(v.type.size for v in kernel.eqns[0].outputs):
        return Emitted([])
    m = Matrices(module, name, kernel, pointers, scratch)
    large = m.count == 1 and min(m.shapes[0]) >= module.tuning.matrices.blocked
    if m.op in BLOCKED and large and m.params.get("vectors", True):
        return BLOCKED[m.op](module, name, kernel, pointers, scratch)
    small = m.op is cholesky and is_small(m)
    with m.each(calls=not small and m.op not in WITHOUT_CALLS):
        (small_cholesky if small else ONE_MATRIX[m.op])(m)
    return m.emitted()
