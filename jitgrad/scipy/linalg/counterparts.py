"""NumPy's counterparts of functions of matrices that are several ops, for calls on arrays that nothing traces (at_once.py)."""

from __future__ import annotations

from typing import Any

from jitgrad.at_once import counterpart
from jitgrad.numpy.short_ways import needs
from jitgrad_compiler.ir.graph import OPS

from . import systems


def lu_solve(lu_and_piv: Any, b: Any) -> Any:
    """Of one matrix and a vector or a matrix."""
    factors, pivots = lu_and_piv
    needs(factors.ndim == 2 and pivots.ndim == 1 and b.ndim in (1, 2) and factors.dtype == b.dtype and b.size)
    order = list(range(len(factors)))
    for i, there in enumerate(pivots.tolist()):
        needs(0 <= there < len(order))
        order[i], order[there] = order[there], order[i]
    solve, how = OPS["triangular_solve"].numpy, {"left": True, "transpose": False}
    rows = b.take(order, 0).reshape(len(order), -1)
    x = solve(factors, rows, lower=True, unit_diagonal=True, **how)
    return solve(factors, x, lower=False, unit_diagonal=False, **how).reshape(b.shape)


counterpart(systems.lu_solve, lu_solve)
