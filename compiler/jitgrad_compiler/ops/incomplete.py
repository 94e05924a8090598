"""The incomplete gamma and beta functions as ops, with densities and derivatives by parameters as ops of their own.

Their scalar functions are in `incomplete_functions.py` and `incomplete_slopes.py`. Third derivatives by the
parameters alone are not there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..ir.types import F64
from . import incomplete_functions as scalars
from . import incomplete_slopes as slopes
from .arithmetic import op
from .define import elementwise, full, no_derivative_by
from .scipy_special import mended, one_by_one, scipys, special


def _op(
    name: str,
    whole: Any,
    partials: Sequence[Callable[..., Any]],
    domain: tuple[float, float],
    doc: str,
    fixed: int = 0,
    module: Any = scalars,
) -> None:
    elementwise(
        name, whole, partials=partials, accepts="float", domain=domain, fixed=fixed, scalar=getattr(module, name), computed_in=F64,
        transcendental=True, cost=60.0, doc=doc,
    )  # fmt: skip


def _slope(name: str, partials: Sequence[Callable[..., Any]], domain: tuple[float, float], doc: str) -> None:
    """An op that is a derivative by a parameter."""
    fixed = sum(partial is _third for partial in partials)
    _op(name, one_by_one(getattr(slopes, name)), partials, domain, doc, fixed, slopes)


def _third(*operands: Any) -> Any:
    no_derivative_by("the second derivative of an incomplete gamma or beta function by its parameters", "a parameter once more")


def _of_gamma(name: str) -> Any:
    """SciPy's, where it has its digits: Temme's expansion for large a has few terms there."""
    return mended(scipys(name), getattr(scalars, name), lambda a, x: (a > 1e-290) & (a <= 100) & (x > 1e-290))


def _of_beta(name: str) -> Any:
    def known(a: Any, b: Any, x: Any) -> Any:
        return (a > 1e-290) & (a <= 1e3) & (b > 1e-290) & (b <= 1e3) & (x > 1e-290)

    return mended(scipys(name), getattr(scalars, name), known)


def _plain_gamma_density(a: Any, x: Any) -> Any:
    return np.exp(special().xlogy(a - 1, x) - x - special().gammaln(a))


def _has_plain_gamma_density(a: Any, x: Any) -> Any:
    return (a > 1e-290) & (a <= 20) & (x > 1e-290) & (x < 1e15)


def _plain_beta_density(a: Any, b: Any, x: Any) -> Any:
    return np.exp(special().xlogy(a - 1, x) + special().xlog1py(b - 1, -x) - special().betaln(a, b))


def _trigamma(x: Any) -> Any:
    return op("polygamma", full(x.type.shape, 1, x.type.dtype), x)


def _square(x: Any) -> Any:
    return x * x


def _log_slope(a: Any, x: Any) -> Any:
    """The derivative of the logarithm of gamma_density by a."""
    return op("log", x) - op("digamma", a)


def _log_slope_a(a: Any, b: Any, x: Any) -> Any:
    """The derivative of the logarithm of beta_density by a."""
    return op("log", x) - op("digamma", a) + op("digamma", a + b)


def _log_slope_b(a: Any, b: Any, x: Any) -> Any:
    """The derivative of the logarithm of beta_density by b."""
    return op("log1p", -x) - op("digamma", b) + op("digamma", a + b)


_op("gammainc", _of_gamma("gammainc"),
    [lambda a, x, out: op("gammainc_slope", a, x), lambda a, x, out: op("gamma_density", a, x)],
    (0.3, 6), "The regularised lower incomplete gamma function P(a, x).")  # fmt: skip
_op("gammaincc", _of_gamma("gammaincc"),
    [lambda a, x, out: -op("gammainc_slope", a, x), lambda a, x, out: -op("gamma_density", a, x)],
    (0.3, 6), "The regularised upper incomplete gamma function Q(a, x).")  # fmt: skip
_op("gamma_density", mended(_plain_gamma_density, scalars.gamma_density, _has_plain_gamma_density),
    [lambda a, x, out: out * _log_slope(a, x), lambda a, x, out: out * ((a - 1) / x - 1)],
    (0.3, 6), "x^(a - 1) exp(-x) / gamma(a).")  # fmt: skip
_slope("gammainc_slope",
    [lambda a, x, out: op("gammainc_curvature", a, x), lambda a, x, out: op("gamma_density", a, x) * _log_slope(a, x)],
    (0.3, 6), "The derivative of P(a, x) by a.")  # fmt: skip
_slope("gammainc_curvature",
    [_third, lambda a, x, out: op("gamma_density", a, x) * (_square(_log_slope(a, x)) - _trigamma(a))],
    (0.3, 6), "The second derivative of P(a, x) by a.")  # fmt: skip
_slope("gamma_draw_slope",
    [lambda a, x, out: op("gamma_draw_curvature", a, x), lambda a, x, out: -_log_slope(a, x) - out * ((a - 1) / x - 1)],
    (0.3, 6), "The derivative of x by a where P(a, x) is held.")  # fmt: skip
_slope("gamma_draw_curvature",
    [_third, lambda a, x, out: _trigamma(a) - out * ((a - 1) / x - 1) - op("gamma_draw_slope", a, x) / x],
    (0.3, 6), "The derivative of gamma_draw_slope by a.")  # fmt: skip

_op("betainc", _of_beta("betainc"),
    [lambda a, b, x, out: op("betainc_slope", a, b, x), lambda a, b, x, out: op("betainc_slope_b", a, b, x),
     lambda a, b, x, out: op("beta_density", a, b, x)],
    (0.1, 0.9), "The regularised incomplete beta function I_x(a, b).")  # fmt: skip
_op("beta_density",
    mended(_plain_beta_density, scalars.beta_density,
           lambda a, b, x: (a > 1e-290) & (a <= 20) & (b > 1e-290) & (b <= 20) & (x > 1e-290) & (x < 1)),
    [lambda a, b, x, out: out * _log_slope_a(a, b, x),
     lambda a, b, x, out: out * _log_slope_b(a, b, x),
     lambda a, b, x, out: out * ((a - 1) / x - (b - 1) / (1 - x))],
    (0.1, 0.9), "x^(a - 1) (1 - x)^(b - 1) / B(a, b).")  # fmt: skip


_slope("betainc_slope",
    [lambda a, b, x, out: op("betainc_curvature", a, b, x), lambda a, b, x, out: op("betainc_twist", a, b, x),
     lambda a, b, x, out: op("beta_density", a, b, x) * _log_slope_a(a, b, x)],
    (0.1, 0.9), "The derivative of I_x(a, b) by a.")  # fmt: skip
_slope("betainc_slope_b",
    [lambda a, b, x, out: op("betainc_twist", a, b, x), lambda a, b, x, out: op("betainc_curvature_b", a, b, x),
     lambda a, b, x, out: op("beta_density", a, b, x) * _log_slope_b(a, b, x)],
    (0.1, 0.9), "The derivative of I_x(a, b) by b.")  # fmt: skip
_slope("betainc_curvature",
    [_third, _third,
     lambda a, b, x, out: op("beta_density", a, b, x) * (_square(_log_slope_a(a, b, x)) - _trigamma(a) + _trigamma(a + b))],
    (0.1, 0.9), "The second derivative of I_x(a, b) by a.")  # fmt: skip
_slope("betainc_twist",
    [_third, _third,
     lambda a, b, x, out: op("beta_density", a, b, x) * (_log_slope_a(a, b, x) * _log_slope_b(a, b, x) + _trigamma(a + b))],
    (0.1, 0.9), "The derivative of I_x(a, b) by a and b.")  # fmt: skip
_slope("betainc_curvature_b",
    [_third, _third,
     lambda a, b, x, out: op("beta_density", a, b, x) * (_square(_log_slope_b(a, b, x)) - _trigamma(b) + _trigamma(a + b))],
    (0.1, 0.9), "The second derivative of I_x(a, b) by b.")  # fmt: skip
