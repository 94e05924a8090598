"""Bessel functions of whole order as ops; their scalar functions are in `bessel_functions.py`.

Derivatives are those of NIST DLMF 10.6.1 and 10.29.1, by the orders beside: without a quotient that is singular at 0.
"""

from __future__ import annotations

from typing import Any

from ..ir.types import F64
from . import bessel_functions as scalars
from .arithmetic import op
from .define import elementwise, full, no_derivative_by
from .scipy_special import mended, of_float64, scipys


def _order(x: Any, n: int) -> Any:
    return full(x.type.shape, n, x.type.dtype)


def _modified(name: str, reference: Any, partial: Any, doc: str) -> None:
    elementwise(
        name, reference, partials=[partial], accepts="float", domain=(0.1, 12), scalar=getattr(scalars, name), computed_in=F64,
        transcendental=True, doc=doc,
    )  # fmt: skip


# SciPy's are NaN at infinity, and 0 at -0.
_i0 = mended(scipys("i0"), scalars.i0, lambda x: abs(x) < 1e300)
_i1 = mended(scipys("i1"), scalars.i1, lambda x: (x != 0) & (abs(x) < 1e300))
_i1e = mended(scipys("i1e"), scalars.i1e, lambda x: x != 0)
_modified("i0", _i0, lambda x, out: op("i1", x), "The modified Bessel function I_0.")
_modified("i1", _i1, lambda x, out: 0.5 * (op("i0", x) + op("bessel_i", _order(x, 2), x)), "The modified Bessel function I_1.")
_modified("i0e", of_float64("i0e"), lambda x, out: op("i1e", x) - op("sign", x) * out, "exp(-|x|) I_0(x).")
_modified("i1e", _i1e, lambda x, out: 0.5 * (op("i0e", x) + op("bessel_ie", _order(x, 2), x)) - op("sign", x) * out,
          "exp(-|x|) I_1(x).")  # fmt: skip


def _family(name: str, scipys_name: str, partial: Any, doc: str) -> None:
    def known(n: Any, x: Any) -> Any:
        """SciPy's functions take any order, and lose digits, or all, where it is large."""
        return (abs(n) <= 30) & (n % 1 == 0) & (abs(x) < 500) & (abs(x) >= 1e-3)

    elementwise(
        name, mended(scipys(scipys_name), getattr(scalars, name), known),
        partials=[lambda n, x, out: no_derivative_by(name, "the order"), partial], accepts="float", domain=(0.2, 6),
        integer_first=True, fixed=1, scalar=getattr(scalars, name), computed_in=F64, transcendental=True, doc=doc,
    )  # fmt: skip


_family("bessel_i", "iv", lambda n, x, out: 0.5 * (op("bessel_i", n - 1, x) + op("bessel_i", n + 1, x)),
        "The modified Bessel function I_n of whole order n.")  # fmt: skip
_family("bessel_ie", "ive",
        lambda n, x, out: 0.5 * (op("bessel_ie", n - 1, x) + op("bessel_ie", n + 1, x)) - op("sign", x) * out,
        "exp(-|x|) I_n(x) of whole order n.")  # fmt: skip
_family("bessel_j", "jv", lambda n, x, out: 0.5 * (op("bessel_j", n - 1, x) - op("bessel_j", n + 1, x)),
        "The Bessel function J_n of whole order n.")  # fmt: skip
