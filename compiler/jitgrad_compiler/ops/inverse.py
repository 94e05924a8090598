"""The inverses of the incomplete gamma and beta functions as ops; their scalar functions are in `inverse_functions.py`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..ir.types import F64
from . import inverse_functions as scalars
from .arithmetic import op
from .define import elementwise
from .scipy_special import extreme, mended, of_float64


def _op(name: str, partials: Sequence[Callable[..., Any]], doc: str) -> None:
    def rare(*xs: Any) -> Any:
        """SciPy's have values of their own at the ends, and lose digits of large parameters."""
        large = [(x > 100) | (x < 0) for x in xs[:-1]]
        return extreme(*xs) | (xs[-1] >= 1) | (xs[-1] < 1e-30) | (large[0] if len(large) == 1 else large[0] | large[1])

    elementwise(
        name, mended(of_float64(name), getattr(scalars, name), rare), partials=partials, accepts="float", domain=(0.1, 0.9),
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
