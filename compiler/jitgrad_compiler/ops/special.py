"""The long tail of elementwise functions: scalar Python code that Numba compiles and that is inlined into kernels."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np

from ..errors import NonDifferentiableError
from ..ir.types import F64
from . import gamma_functions
from .arithmetic import op
from .define import as_numpy_dtype, elementwise, full
from .scipy_special import of_float64, special

lgamma = elementwise(
    "lgamma", of_float64("gammaln"), partials=[lambda x, out: op("digamma", x)], accepts="float", domain=(0.2, 6),
    scalar=gamma_functions.lgamma, computed_in=F64, transcendental=True, doc="log |gamma(x)|.",
)  # fmt: skip
digamma = elementwise(
    "digamma", of_float64("digamma"), accepts="float",
    partials=[lambda x, out: op("polygamma", full(x.type.shape, 1, x.type.dtype), x)],
    domain=(0.2, 6), scalar=gamma_functions.digamma, computed_in=F64, transcendental=True, doc="The derivative of lgamma.",
)  # fmt: skip


def _no_derivative(name: str, operand: str) -> NoReturn:
    raise NonDifferentiableError(
        f"{name} has no derivative here with respect to {operand}, its first argument. Use stop_gradient on that argument to treat "
        "it as constant."
    )


def _polygamma(n: Any, x: Any) -> Any:
    order, point = np.asarray(n, np.float64), np.asarray(x, np.float64)
    sign = np.where(np.mod(order, 2) == 0, -1.0, 1.0)
    sign = np.where((order < 0) | (order != np.floor(order)), np.nan, sign)  # such an order has no derivative
    higher = sign * special().gamma(order + 1) * special().zeta(order + 1, point)
    return as_numpy_dtype(np.where(order == 0, special().digamma(point), higher), x)


polygamma = elementwise(
    "polygamma", _polygamma, accepts="float",
    partials=[lambda n, x, out: _no_derivative("polygamma", "the order n"), lambda n, x, out: op("polygamma", n + 1, x)],
    domain=(1.2, 6), scalar=gamma_functions.polygamma, computed_in=F64, transcendental=True, integer_first=True,
    doc="The n-th derivative of digamma at x, n = 0, 1, 2, ...",
)  # fmt: skip
zeta = elementwise(
    "zeta", of_float64("zeta"), accepts="float",
    partials=[lambda s, q, out: _no_derivative("zeta", "the exponent x"), lambda s, q, out: -s * op("zeta", s + 1, q)],
    domain=(1.2, 6), scalar=gamma_functions.zeta, computed_in=F64, transcendental=True,
    doc="The Hurwitz zeta function, the sum of (q + k)**-s over k = 0, 1, 2, ...",
)  # fmt: skip
