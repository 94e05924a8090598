"""The incomplete gamma and beta functions as ops, with densities and derivatives by parameters as ops of their own.

Their scalar functions are in `incomplete_functions.py`. Second derivatives by the parameters alone are not there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..ir.types import F64
from . import incomplete_functions as scalars
from .arithmetic import op
from .define import elementwise, no_derivative_by
from .scipy_special import extreme, mended, of_float64, one_by_one, special


def _op(
    name: str, whole: Any, partials: Sequence[Callable[..., Any]], domain: tuple[float, float], doc: str, fixed: int = 0
) -> None:
    elementwise(
        name, whole, partials=partials, accepts="float", domain=domain, fixed=fixed, scalar=getattr(scalars, name), computed_in=F64,
        transcendental=True, cost=60.0, doc=doc,
    )  # fmt: skip


def _of_gamma(name: str) -> Any:
    """SciPy's, where it has its digits: Temme's expansion for large a has few terms there."""
    return mended(of_float64(name), getattr(scalars, name), lambda a, x: extreme(a, x) | (a > 100))


def _of_beta(name: str) -> Any:
    return mended(of_float64(name), getattr(scalars, name), lambda a, b, x: extreme(a, b, x) | (a > 1e3) | (b > 1e3))


def _plain_gamma_density(a: Any, x: Any) -> Any:
    return np.exp(special().xlogy(a - 1, x) - x - special().gammaln(a))


def _plain_beta_density(a: Any, b: Any, x: Any) -> Any:
    return np.exp(special().xlogy(a - 1, x) + special().xlog1py(b - 1, -x) - special().betaln(a, b))


_op("gammainc", _of_gamma("gammainc"),
    [lambda a, x, out: op("gammainc_slope", a, x), lambda a, x, out: op("gamma_density", a, x)],
    (0.3, 6), "The regularised lower incomplete gamma function P(a, x).")  # fmt: skip
_op("gammaincc", _of_gamma("gammaincc"),
    [lambda a, x, out: -op("gammainc_slope", a, x), lambda a, x, out: -op("gamma_density", a, x)],
    (0.3, 6), "The regularised upper incomplete gamma function Q(a, x).")  # fmt: skip
_op("gamma_density", mended(_plain_gamma_density, scalars.gamma_density, lambda a, x: extreme(a, x) | (a < 0) | (x < 0) | (a > 20)),
    [lambda a, x, out: out * (op("log", x) - op("digamma", a)), lambda a, x, out: out * ((a - 1) / x - 1)],
    (0.3, 6), "x^(a - 1) exp(-x) / gamma(a).")  # fmt: skip
_op("gammainc_slope", one_by_one(scalars.gammainc_slope),
    [lambda a, x, out: no_derivative_by("the derivative of gammainc by a", "a once more"),
     lambda a, x, out: op("gamma_density", a, x) * (op("log", x) - op("digamma", a))],
    (0.3, 6), "The derivative of P(a, x) by a.", fixed=1)  # fmt: skip
_op("gamma_draw_slope", one_by_one(scalars.gamma_draw_slope),
    [lambda a, x, out: no_derivative_by("the derivative of a draw of gamma's distribution by a", "a once more"),
     lambda a, x, out: op("digamma", a) - op("log", x) - out * ((a - 1) / x - 1)],
    (0.3, 6), "The derivative of x by a where P(a, x) is held.", fixed=1)  # fmt: skip

_op("betainc", _of_beta("betainc"),
    [lambda a, b, x, out: op("betainc_slope", a, b, x), lambda a, b, x, out: op("betainc_slope_b", a, b, x),
     lambda a, b, x, out: op("beta_density", a, b, x)],
    (0.1, 0.9), "The regularised incomplete beta function I_x(a, b).")  # fmt: skip
_op("beta_density",
    mended(_plain_beta_density, scalars.beta_density,
           lambda a, b, x: extreme(a, b, x) | (a < 0) | (b < 0) | (x < 0) | (x >= 1) | (a > 20) | (b > 20)),
    [lambda a, b, x, out: out * (op("log", x) - op("digamma", a) + op("digamma", a + b)),
     lambda a, b, x, out: out * (op("log1p", -x) - op("digamma", b) + op("digamma", a + b)),
     lambda a, b, x, out: out * ((a - 1) / x - (b - 1) / (1 - x))],
    (0.1, 0.9), "x^(a - 1) (1 - x)^(b - 1) / B(a, b).")  # fmt: skip


def _none(which: str) -> list[Callable[..., Any]]:
    return [lambda *xs, p=p: no_derivative_by(f"the derivative of betainc by {which}", f"{p} once more") for p in "ab"]


_op("betainc_slope", one_by_one(scalars.betainc_slope),
    [*_none("a"), lambda a, b, x, out: op("beta_density", a, b, x) * (op("log", x) - op("digamma", a) + op("digamma", a + b))],
    (0.1, 0.9), "The derivative of I_x(a, b) by a.", fixed=2)  # fmt: skip
_op("betainc_slope_b", one_by_one(scalars.betainc_slope_b),
    [*_none("b"), lambda a, b, x, out: op("beta_density", a, b, x) * (op("log1p", -x) - op("digamma", b) + op("digamma", a + b))],
    (0.1, 0.9), "The derivative of I_x(a, b) by b.", fixed=2)  # fmt: skip
