"""The long tail of elementwise functions: scalar Python code that Numba compiles and that is inlined into kernels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from ..errors import NonDifferentiableError
from ..ir.types import F64
from . import gamma_functions
from .arithmetic import op
from .define import as_numpy_dtype, elementwise, full
from .scipy_special import of_float64, special


def _mended(whole: Callable[..., Any], scalar: Callable[..., float], rare: Callable[..., Any]) -> Callable[..., Any]:
    """A function of float64 arrays, but for rare numbers, for which it is wrong: these are done one by one."""

    def reference(*xs: Any) -> Any:
        wide = np.broadcast_arrays(*[np.asarray(x, np.float64) for x in xs])
        out, wrong = np.array(whole(*wide)), rare(*wide)
        if np.any(wrong):
            out[wrong] = [scalar(*numbers) for numbers in zip(*[x[wrong].tolist() for x in wide], strict=True)]
        return as_numpy_dtype(out, xs[-1])

    return reference


def _near(x: Any, number: float) -> Any:
    return (np.abs(x - number) < 1e-3) & (x != number)


_lgamma = _mended(  # SciPy's is -inf at -inf, inf at subnormal numbers, and has an error of 1e-16 beside its zeros
    of_float64("gammaln"), gamma_functions.lgamma, lambda x: (np.abs(x) < 1e-300) | (x == -np.inf) | _near(x, 1) | _near(x, 2)
)
_digamma = _mended(of_float64("digamma"), gamma_functions.digamma, lambda x: (x < 0) & _near(x, np.rint(x)))  # beside the poles
_zeta = _mended(  # SciPy's is wrong for most negative q, beside s = 1, for huge s and for NaN
    of_float64("zeta"), gamma_functions.zeta, lambda s, q: (q < 0) | ((s > 1) & (s < 1.001)) | (s > 1e9) | np.isnan(s + q)
)
lgamma = elementwise(
    "lgamma", _lgamma, partials=[lambda x, out: op("digamma", x)], accepts="float", domain=(0.2, 6),
    scalar=gamma_functions.lgamma, computed_in=F64, transcendental=True, doc="log |gamma(x)|.",
)  # fmt: skip
digamma = elementwise(
    "digamma", _digamma, accepts="float",
    partials=[lambda x, out: op("polygamma", full(x.type.shape, 1, x.type.dtype), x)],
    domain=(0.2, 6), scalar=gamma_functions.digamma, computed_in=F64, transcendental=True, doc="The derivative of lgamma.",
)  # fmt: skip


def _no_derivative(name: str, operand: str) -> NoReturn:
    raise NonDifferentiableError(
        f"{name} has no derivative here with respect to {operand}, its first argument. Use stop_gradient on that argument to treat "
        "it as constant."
    )


def _polygamma(n: Any, x: Any) -> Any:
    sign = np.where(np.mod(n, 2) == 0, -1.0, 1.0)
    sign = np.where((n < 0) | (n != np.floor(n)), np.nan, sign)  # such an order has no derivative
    return np.where(n == 0, _digamma(x), sign * special().gamma(n + 1) * special().zeta(n + 1, x))


polygamma = elementwise(
    "polygamma", _mended(_polygamma, gamma_functions.polygamma, lambda n, x: (x < 0) | (n > 40)), accepts="float",
    partials=[lambda n, x, out: _no_derivative("polygamma", "the order n"), lambda n, x, out: op("polygamma", n + 1, x)],
    domain=(1.2, 6), scalar=gamma_functions.polygamma, computed_in=F64, transcendental=True, integer_first=True,
    doc="The n-th derivative of digamma at x, n = 0, 1, 2, ...",
)  # fmt: skip
zeta = elementwise(
    "zeta", _zeta, accepts="float",
    partials=[lambda s, q, out: _no_derivative("zeta", "the exponent x"), lambda s, q, out: -s * op("zeta", s + 1, q)],
    domain=(1.2, 6), scalar=gamma_functions.zeta, computed_in=F64, transcendental=True,
    doc="The Hurwitz zeta function, the sum of (q + k)**-s over k = 0, 1, 2, ...",
)  # fmt: skip
