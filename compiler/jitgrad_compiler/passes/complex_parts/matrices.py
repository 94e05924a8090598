"""Ops on matrices: done to the parts side by side, as LAPACK takes complex numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...ir.builder import bind_all
from ...ir.graph import Op
from ...ir.types import ArrayType
from ...ops.arithmetic import op
from ...ops.factorization import ROUTINES, of_pairs
from ...ops.linear_systems import hermitian_part
from ...ops.matrices import transposed
from .table import RULES, Operand, Parts, apart, rule, side_by_side


def _in_pairs(routine: Op) -> Callable[..., list[Operand]]:
    def rule(*args: Operand, **params: Any) -> list[Operand]:
        complex_operands = any(isinstance(x, Parts) for x in args)
        given = [side_by_side(x) if isinstance(x, Parts) else x for x in args]
        outs = bind_all(of_pairs, *given, of=routine.name, complex_operands=complex_operands, **params)
        return [apart(x) if paired else x for x, paired in zip(outs, _paired(routine, args, params), strict=True)]

    return rule


def _paired(routine: Op, args: tuple[Operand, ...], params: dict[str, Any]) -> list[bool]:
    """Which results are complex."""
    types = [ArrayType(x.real.type.shape, x.real.type.dtype.complex) if isinstance(x, Parts) else x.type for x in args]
    return [t.dtype.is_complex for t in routine.types(types, params)]


for _routine in ROUTINES:
    if _routine is not hermitian_part:
        RULES[_routine] = _in_pairs(_routine)


@rule("hermitian_part")
def symmetrized(x: Parts) -> Parts:
    real, imag = x
    half = imag * 0.5
    return Parts(op("hermitian_part", real), half - transposed(half))
