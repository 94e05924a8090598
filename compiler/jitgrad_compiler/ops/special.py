"""The long tail of elementwise functions: scalar Python code that Numba compiles and that is inlined into kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.special

from . import gamma_functions
from .arithmetic import op
from .define import as_numpy_dtype, elementwise


def _of_float64(function: Any) -> Any:
    return lambda *xs: as_numpy_dtype(function(*[np.asarray(x, np.float64) for x in xs]), xs[-1])


lgamma = elementwise(
    "lgamma", _of_float64(scipy.special.gammaln), partials=[lambda x, out: op("digamma", x)], accepts="float", domain=(0.2, 6),
    scalar=gamma_functions.lgamma, computed_in="f64", transcendental=True, doc="log |gamma(x)|.",
)  # fmt: skip
digamma = elementwise(
    "digamma", _of_float64(scipy.special.digamma), partials=[lambda x, out: op("polygamma", x * 0 + 1, x)], accepts="float",
    domain=(0.2, 6), scalar=gamma_functions.digamma, computed_in="f64", transcendental=True, doc="The derivative of lgamma.",
)  # fmt: skip


def _polygamma(n: Any, x: Any) -> Any:
    n = np.asarray(n, np.float64)
    sign = np.where(np.mod(n, 2) == 0, -1.0, 1.0)
    higher = sign * scipy.special.gamma(n + 1) * scipy.special.zeta(n + 1, x)
    return np.where(n == 0, scipy.special.digamma(x), higher)


polygamma = elementwise(
    "polygamma", _of_float64(_polygamma), partials=[None, lambda n, x, out: op("polygamma", n + 1, x)], accepts="float",
    domain=(1.2, 6), scalar=gamma_functions.polygamma, computed_in="f64", transcendental=True, integer_first=True,
    doc="The n-th derivative of digamma at x, n = 0, 1, 2, ...",
)  # fmt: skip
zeta = elementwise(
    "zeta", _of_float64(scipy.special.zeta), partials=[None, lambda s, q, out: -s * op("zeta", s + 1, q)], accepts="float",
    domain=(1.2, 6), scalar=gamma_functions.zeta, computed_in="f64", transcendental=True,
    doc="The Hurwitz zeta function, the sum of (q + k)**-s over k = 0, 1, 2, ...",
)  # fmt: skip
