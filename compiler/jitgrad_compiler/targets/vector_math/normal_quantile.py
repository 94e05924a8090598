"""ndtri, the inverse of the normal distribution function: Wichura's rational functions, right into the tails.

M. J. Wichura, Algorithm AS 241: The percentage points of the normal distribution, Applied Statistics 37 (1988), PPND16.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...ir.types import F32, F64
from .logarithmic import log
from .scaling import INFINITY, horner

if TYPE_CHECKING:
    from ..emitter import Emitter
    from ..llvm_text import Reg

# Numerator and denominator, lowest power first, of the quantile as a function of the named variable.
CENTRE = (  # of 0.180625 - q**2, for q = p - 1/2 within 0.425; times q
    (3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4,
     4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4, 2.5090809287301226727e3),
    (1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3,
     2.1213794301586595867e4, 3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3),
)  # fmt: skip
NEAR_TAIL = (  # of r - 1.6, for r = sqrt(-log of the smaller of p and 1 - p) up to 5
    (1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0, 3.64784832476320460504e0,
     1.27045825245236838258e0, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4),
    (1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1,
     1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9),
)  # fmt: skip
FAR_TAIL = (  # of r - 5
    (6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0, 2.96560571828504891230e-1,
     2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7),
    (1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
     7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15),
)  # fmt: skip


def ndtri(e: Emitter, p: Reg) -> Reg:
    """All three rational functions, of which one is taken, in float64: a float32 is rounded once, a float64 right to 6 ulp."""
    if p.type == F32:
        return e.convert(ndtri(e, e.convert(p, F64)), F32)

    def quotient(coefficients: tuple[tuple[float, ...], tuple[float, ...]], x: Reg) -> Reg:
        top, bottom = coefficients
        return e.div(horner(e, x, top), horner(e, x, bottom))

    q = e.sub(p, 0.5)
    centre = e.mul(q, quotient(CENTRE, e.sub(0.180625, e.mul(q, q))))
    smaller = e.select(e.compare("lt", q, 0), p, e.sub(1.0, p))
    r = e.sqrt(e.neg(log(e, smaller)))
    is_near = e.compare("le", r, 5)
    tail = e.select(is_near, quotient(NEAR_TAIL, e.sub(r, 1.6)), quotient(FAR_TAIL, e.sub(r, 5.0)))
    tail = e.select(e.compare("eq", smaller, 0), e.const(INFINITY, p.type), tail)
    return e.select(e.compare("le", e.abs(q), 0.425), centre, e.copysign(tail, q))
