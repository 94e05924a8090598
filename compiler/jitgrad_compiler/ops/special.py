"""The long tail of elementwise functions: scalar Python code that Numba compiles and that is inlined into kernels."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..ir.types import F64
from . import gamma_functions
from .arithmetic import op
from .define import elementwise, full, no_derivative_by
from .scipy_special import mended, one_by_one, scipys, special

_lgamma = mended(  # SciPy's is -inf at -inf, inf at subnormal numbers, and has an error of 1e-16 beside its zeros, 1 and 2
    scipys("gammaln"), gamma_functions.lgamma,
    lambda x: (abs(x) >= 1e-300) & (x > -np.inf) & ((abs(abs(x - 1.5) - 0.5) >= 1e-3) | (x == 1) | (x == 2)),
)  # fmt: skip
_digamma = mended(  # SciPy's has few digits beside its poles
    scipys("digamma"), gamma_functions.digamma, lambda x: (x >= 0) | (abs(x % 1 - 0.5) <= 0.499)
)
_zeta = mended(  # SciPy's is wrong for most negative q, beside s = 1, for huge s and for NaN
    scipys("zeta"),
    gamma_functions.zeta,
    lambda s, q: (q >= 0) & ((s <= 1) | (s >= 1.001)) & (s <= 1e9),
)
lgamma = elementwise(
    "lgamma", _lgamma, partials=[lambda x, out: op("digamma", x)], accepts="float", domain=(0.2, 6),
    scalar=gamma_functions.lgamma, computed_in=F64, transcendental=True, doc="log |gamma(x)|.",
)  # fmt: skip
gamma = elementwise(
    "gamma", mended(scipys("gamma"), gamma_functions.gamma, lambda x: (x >= -100) & (abs(x) > 1e-290)),
    partials=[lambda x, out: out * op("digamma", x)], accepts="float", domain=(0.2, 6),
    scalar=gamma_functions.gamma, computed_in=F64, transcendental=True, doc="The gamma function.",
)  # fmt: skip
digamma = elementwise(
    "digamma", _digamma, accepts="float",
    partials=[lambda x, out: op("polygamma", full(x.type.shape, 1, x.type.dtype), x)],
    domain=(0.2, 6), scalar=gamma_functions.digamma, computed_in=F64, transcendental=True, doc="The derivative of lgamma.",
)  # fmt: skip


def _polygamma(n: Any, x: Any) -> Any:
    sign = np.where(np.mod(n, 2) == 0, -1.0, 1.0)
    sign = np.where((n < 0) | (n != np.floor(n)), np.nan, sign)  # such an order has no derivative
    return np.where(n == 0, _digamma(x), sign * special().gamma(n + 1) * special().zeta(n + 1, x))


polygamma = elementwise(
    "polygamma", mended(_polygamma, gamma_functions.polygamma, lambda n, x: (x >= 0) & (n <= 40)), accepts="float",
    partials=[lambda n, x, out: no_derivative_by("polygamma", "the order n"), lambda n, x, out: op("polygamma", n + 1, x)],
    domain=(1.2, 6), scalar=gamma_functions.polygamma, computed_in=F64, transcendental=True, integer_first=True, fixed=1,
    doc="The n-th derivative of digamma at x, n = 0, 1, 2, ...",
)  # fmt: skip
zeta = elementwise(
    "zeta", _zeta, accepts="float",
    partials=[lambda s, q, out: op("zeta_slope", s, q), lambda s, q, out: -s * op("zeta", s + 1, q)],
    domain=(1.2, 6), scalar=gamma_functions.zeta, computed_in=F64, transcendental=True,
    doc="The Hurwitz zeta function, the sum of (q + k)**-s over k = 0, 1, 2, ...",
)  # fmt: skip
zeta_slope = elementwise(
    "zeta_slope", one_by_one(gamma_functions.zeta_slope), accepts="float",
    partials=[lambda s, q, out: op("zeta_curvature", s, q),
              lambda s, q, out: -op("zeta", s + 1, q) - s * op("zeta_slope", s + 1, q)],
    domain=(1.2, 6), scalar=gamma_functions.zeta_slope, computed_in=F64, transcendental=True,
    doc="The derivative of the Hurwitz zeta function by s, for positive q.",
)  # fmt: skip
zeta_curvature = elementwise(
    "zeta_curvature", one_by_one(gamma_functions.zeta_curvature), accepts="float",
    partials=[lambda s, q, out: no_derivative_by("the second derivative of zeta by x", "x once more"),
              lambda s, q, out: -2 * op("zeta_slope", s + 1, q) - s * op("zeta_curvature", s + 1, q)],
    domain=(1.2, 6), fixed=1, scalar=gamma_functions.zeta_curvature, computed_in=F64, transcendental=True,
    doc="The second derivative of the Hurwitz zeta function by s, for positive q.",
)  # fmt: skip
