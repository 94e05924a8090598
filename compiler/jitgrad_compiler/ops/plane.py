"""Faddeeva's function by its parts, Owen's T and a factor of spherical harmonics as ops, of the scalars in `plane_functions.py`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..ir.types import F64
from . import plane_functions as scalars
from .arithmetic import op
from .define import elementwise, no_derivative_by, zeros
from .scipy_special import mended, one_by_one, ordinary, scipys, special


def _part_of_wofz(part: Callable[[Any], Any]) -> Callable[..., Any]:
    return lambda x, y: part(special().wofz(x + 1j * y))


def _are_ordinary(x: Any, y: Any) -> Any:
    return ordinary(x) & ordinary(y)


def _slope(x: Any, y: Any) -> tuple[Any, Any]:
    """The real and imaginary parts of w' = -2 z w + 2 i / sqrt(pi) (NIST DLMF 7.10.1)."""
    real, imag = op("wofz_real", x, y), op("wofz_imag", x, y)
    return 2 * (y * imag - x * real), 2 / math.sqrt(math.pi) - 2 * (x * imag + y * real)


wofz_real = elementwise(
    "wofz_real", mended(_part_of_wofz(np.real), scalars.wofz_real, _are_ordinary),
    partials=[lambda x, y, out: _slope(x, y)[0], lambda x, y, out: -_slope(x, y)[1]], accepts="float", domain=(0.2, 6),
    scalar=scalars.wofz_real, computed_in=F64, transcendental=True, cost=60.0, doc="The real part of Faddeeva's w(x + i y).",
)  # fmt: skip
wofz_imag = elementwise(
    "wofz_imag", mended(_part_of_wofz(np.imag), scalars.wofz_imag, _are_ordinary),
    partials=[lambda x, y, out: _slope(x, y)[1], lambda x, y, out: _slope(x, y)[0]], accepts="float", domain=(0.2, 6),
    scalar=scalars.wofz_imag, computed_in=F64, transcendental=True, cost=60.0, doc="The imaginary part of Faddeeva's w(x + i y).",
)  # fmt: skip
owens_t = elementwise(
    "owens_t", mended(scipys("owens_t"), scalars.owens_t, lambda h, a: (abs(h) <= 4) & (a != 0) & (abs(a) < 1e15)), accepts="float",
    domain=(0.2, 3),
    partials=[
        lambda h, a, out: op("exp", -0.5 * h * h) * op("erf", a * h * math.sqrt(0.5)) * (-0.5 / math.sqrt(2 * math.pi)),
        lambda h, a, out: op("exp", -0.5 * h * h * (1 + a * a)) / (1 + a * a) * (0.5 / math.pi),
    ],
    scalar=scalars.owens_t, computed_in=F64, transcendental=True, cost=60.0, doc="Owen's T function of h and a.",
)  # fmt: skip


def _harmonic_slope(n: Any, m: Any, theta: Any, out: Any) -> Any:
    """By the orders beside, without a quotient that is singular at the poles (NIST DLMF 14.10.1, 14.10.5, normalised)."""
    up, down = op("legendre_harmonic", n, m + 1, theta), op("legendre_harmonic", n, m - 1, theta)
    above, below = (n - m) * (n + m + 1), (n + m) * (n - m + 1)  # negative where the order is beyond the degree
    return 0.5 * (op("sqrt", op("max", above, zeros(n.type))) * up - op("sqrt", op("max", below, zeros(n.type))) * down)


legendre_harmonic = elementwise(
    "legendre_harmonic", one_by_one(scalars.legendre_harmonic), accepts="float", domain=(0.2, 3), integer_first=True, fixed=2,
    partials=[
        lambda n, m, theta, out: no_derivative_by("legendre_harmonic", "the degree n"),
        lambda n, m, theta, out: no_derivative_by("legendre_harmonic", "the order m"), _harmonic_slope,
    ],
    scalar=scalars.legendre_harmonic, computed_in=F64, transcendental=True, cost=60.0,
    doc="The spherical harmonic of degree n and order m at colatitude theta and longitude 0.",
)  # fmt: skip
