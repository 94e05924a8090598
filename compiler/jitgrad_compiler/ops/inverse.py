"""The inverses of the incomplete gamma and beta functions as ops; their scalar functions are in `inverse_functions.py`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..ir.types import F64
from . import inverse_functions as scalars
from .arithmetic import op
from .define import elementwise
from .scipy_special import mended, scipys


def _op(name: str, partials: Sequence[Callable[..., Any]], doc: str) -> None:
    def known(*xs: Any) -> Any:
        """SciPy's have values of their own at the ends, and lose digits of large parameters."""
        *parameters, chance = xs
        found = (chance >= 1e-30) & (chance < 1)
        for x in parameters:
            found = found & (x > 1e-290) & (x <= 100)
        return found

    elementwise(
        name, mended(scipys(name), getattr(scalars, name), known), partials=partials, accepts="float", domain=(0.1, 0.9),
        scalar=getattr(scalars, name), computed_in=F64, transcendental=True, cost=600.0, doc=doc,
    )  # fmt: skip


def _by_shape(a: Any, chance: Any, out: Any) -> Any:
    """By the shape, of the roots of both parts."""
    return op("gamma_draw_slope", a, out)


_op("gammaincinv", [_by_shape, lambda a, p, out: 1 / op("gamma_density", a, out)], "The x at which P(a, x) is p.")
_op("gammainccinv", [_by_shape, lambda a, q, out: -1 / op("gamma_density", a, out)], "The x at which Q(a, x) is q.")
_op("betaincinv",
    [lambda a, b, p, out: -op("betainc_slope", a, b, out) / op("beta_density", a, b, out),
     lambda a, b, p, out: -op("betainc_slope_b", a, b, out) / op("beta_density", a, b, out),
     lambda a, b, p, out: 1 / op("beta_density", a, b, out)],
    "The x at which I_x(a, b) is p.")  # fmt: skip
