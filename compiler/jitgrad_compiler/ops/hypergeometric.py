"""Hypergeometric functions as ops; their scalar functions are in `hypergeometric_functions.py`.

Kummer's function has derivatives by its parameters, ops of their own; Gauss' has one by its argument.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..ir.types import F64
from . import hypergeometric_functions as scalars
from .arithmetic import op
from .define import elementwise, no_derivative_by
from .scipy_special import extreme, mended, of_float64, one_by_one


def _op(name: str, reference: Any, partials: Sequence[Callable[..., Any]], doc: str, fixed: int = 0) -> None:
    elementwise(
        name, reference, partials=partials, accepts="float", domain=(0.1, 0.9), fixed=fixed, scalar=getattr(scalars, name),
        computed_in=F64, transcendental=True, cost=60.0, doc=doc,
    )  # fmt: skip


def _none(function: str, parameters: str) -> list[Callable[..., Any]]:
    return [lambda *xs, p=p: no_derivative_by(function, f"the parameter {p}") for p in parameters]


def _is_hard(a: Any, b: Any, x: Any) -> Any:
    """Where terms cancel, or are many: SciPy's have errors there, and others than ours."""
    easy = (a > 0) & (a < 50) & (b > 0.01) & (b < 50) & (np.abs(x) < 100) & ((x > 0) | (b >= a))
    return extreme(a, b, x) | ~easy


def _beyond(a: Any, b: Any, x: Any) -> Any:
    """1F1(a + 1; b + 1; x) / b, which times a is the derivative by x (NIST DLMF 13.3.15)."""
    return op("hyp1f1", a + 1, b + 1, x) / b


_op("hyp1f1",
    mended(of_float64("hyp1f1"), scalars.hyp1f1, _is_hard),
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
    mended(of_float64("hyp2f1"), scalars.hyp2f1,
           lambda a, b, c, x: extreme(a, b, c) | (c <= 0) | ~(np.abs(x) < 0.9) | (np.abs(a) > 20) | (np.abs(b) > 20)),
    [*_none("hyp2f1", "abc"), lambda a, b, c, x, out: a * b / c * op("hyp2f1", a + 1, b + 1, c + 1, x)],
    "Gauss' hypergeometric function 2F1(a, b; c; x).", fixed=3)  # fmt: skip
