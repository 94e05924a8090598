"""Hypergeometric functions as ops; their scalar functions are in `hypergeometric_functions.py` and `gauss_slopes.py`.

Both have derivatives by their parameters, ops of their own, which have derivatives by the argument.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..ir.types import F64
from . import gauss_slopes
from . import hypergeometric_functions as scalars
from .arithmetic import op
from .define import elementwise, no_derivative_by
from .scipy_special import mended, one_by_one, scipys


def _op(name: str, reference: Any, partials: Sequence[Callable[..., Any]], doc: str, fixed: int = 0, module: Any = scalars) -> None:
    elementwise(
        name, reference, partials=partials, accepts="float", domain=(0.1, 0.9), fixed=fixed, scalar=getattr(module, name),
        computed_in=F64, transcendental=True, cost=60.0, doc=doc,
    )  # fmt: skip


def _none(function: str, parameters: str) -> list[Callable[..., Any]]:
    return [lambda *xs, p=p: no_derivative_by(function, f"the parameter {p}") for p in parameters]


def _is_easy(a: Any, b: Any, x: Any) -> Any:
    """Where terms neither cancel nor are many: SciPy's have errors elsewhere, and others than ours."""
    return (a > 1e-290) & (a < 50) & (b > 0.01) & (b < 50) & (abs(x) > 1e-290) & (abs(x) < 100) & ((x > 0) | (b >= a))


def _beyond(a: Any, b: Any, x: Any) -> Any:
    """1F1(a + 1; b + 1; x) / b, which times a is the derivative by x (NIST DLMF 13.3.15)."""
    return op("hyp1f1", a + 1, b + 1, x) / b


def _next(function: str, a: Any, b: Any, c: Any, x: Any) -> Any:
    """Of 2F1(a + 1, b + 1; c + 1; x), which times a b / c is the derivative by x (NIST DLMF 15.5.1)."""
    return op(function, a + 1, b + 1, c + 1, x)


_op("hyp1f1",
    mended(scipys("hyp1f1"), scalars.hyp1f1, _is_easy),
    [lambda a, b, x, out: op("hyp1f1_slope_a", a, b, x), lambda a, b, x, out: op("hyp1f1_slope_b", a, b, x),
     lambda a, b, x, out: a * _beyond(a, b, x)],
    "Kummer's hypergeometric function 1F1(a; b; x).")  # fmt: skip
_op("hyp1f1_slope_a", one_by_one(scalars.hyp1f1_slope_a),
    [*_none("the derivative of hyp1f1 by a", "ab"),
     lambda a, b, x, out: _beyond(a, b, x) + a / b * op("hyp1f1_slope_a", a + 1, b + 1, x)],
    "The derivative of 1F1(a; b; x) by a.", fixed=2)  # fmt: skip
_op("hyp1f1_slope_b", one_by_one(scalars.hyp1f1_slope_b),
    [*_none("the derivative of hyp1f1 by b", "ab"),
     lambda a, b, x, out: a / b * (op("hyp1f1_slope_b", a + 1, b + 1, x) - _beyond(a, b, x))],
    "The derivative of 1F1(a; b; x) by b.", fixed=2)  # fmt: skip
_op("hyp2f1",
    mended(scipys("hyp2f1"), scalars.hyp2f1,
           lambda a, b, c, x: (abs(a) > 1e-290) & (abs(a) <= 20) & (abs(b) > 1e-290) & (abs(b) <= 20) & (c > 1e-290) & (c < 1e15)
           & (abs(x) < 0.9)),
    [lambda a, b, c, x, out: op("hyp2f1_slope_a", a, b, c, x), lambda a, b, c, x, out: op("hyp2f1_slope_a", b, a, c, x),
     lambda a, b, c, x, out: op("hyp2f1_slope_c", a, b, c, x), lambda a, b, c, x, out: a * b / c * _next("hyp2f1", a, b, c, x)],
    "Gauss' hypergeometric function 2F1(a, b; c; x).")  # fmt: skip
_op("hyp2f1_slope_a", one_by_one(gauss_slopes.hyp2f1_slope_a),
    [*_none("the derivative of hyp2f1 by a parameter", "abc"),
     lambda a, b, c, x, out: b / c * (_next("hyp2f1", a, b, c, x) + a * _next("hyp2f1_slope_a", a, b, c, x))],
    "The derivative of 2F1(a, b; c; x) by a.", fixed=3, module=gauss_slopes)  # fmt: skip
_op("hyp2f1_slope_c", one_by_one(gauss_slopes.hyp2f1_slope_c),
    [*_none("the derivative of hyp2f1 by c", "abc"),
     lambda a, b, c, x, out: a * b / c * (_next("hyp2f1_slope_c", a, b, c, x) - _next("hyp2f1", a, b, c, x) / c)],
    "The derivative of 2F1(a, b; c; x) by c.", fixed=3, module=gauss_slopes)  # fmt: skip
