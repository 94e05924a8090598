"""Bessel functions of whole order as ops; their scalar functions are in `bessel_functions.py`.

Derivatives are those of NIST DLMF 10.6.1 and 10.29.1, by the orders beside: without a quotient that is singular at 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..ir.types import F64
from . import bessel_functions as scalars
from .arithmetic import op
from .define import elementwise, full, no_derivative_by
from .scipy_special import extreme, mended, of_float64


def _order(x: Any, n: int) -> Any:
    return full(x.type.shape, n, x.type.dtype)


for _name, _partial, _doc in (
    ("i0", lambda x, out: op("i1", x), "The modified Bessel function I_0."),
    ("i1", lambda x, out: 0.5 * (op("i0", x) + op("bessel_i", _order(x, 2), x)), "The modified Bessel function I_1."),
    ("i0e", lambda x, out: op("i1e", x) - op("sign", x) * out, "exp(-|x|) I_0(x)."),
    ("i1e", lambda x, out: 0.5 * (op("i0e", x) + op("bessel_ie", _order(x, 2), x)) - op("sign", x) * out, "exp(-|x|) I_1(x)."),
):
    elementwise(
        _name, mended(of_float64(_name), getattr(scalars, _name), extreme), partials=[_partial], accepts="float", domain=(0.1, 12),
        scalar=getattr(scalars, _name),
        computed_in=F64, transcendental=True, doc=_doc,
    )  # fmt: skip


def _family(name: str, scipys: str, partial: Any, doc: str) -> None:
    def rare(n: Any, x: Any) -> Any:
        """SciPy's functions take any order, and lose digits, or all, where it is large."""
        return (np.abs(n) > 30) | (n != np.floor(n)) | ~(np.abs(x) < 500) | (np.abs(x) < 1e-3)

    elementwise(
        name, mended(of_float64(scipys), getattr(scalars, name), rare),
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
