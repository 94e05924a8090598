"""Elementwise functions of analysis: exponential, logarithmic, trigonometric, hyperbolic, roots, the error function.

Emission is the vector math of targets/vector_math; angles are in radians.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..ir.builder import Value, bind
from ..ir.graph import OPS
from .arithmetic import op, where
from .define import as_numpy_dtype, elementwise, full, zeros
from .scipy_special import of_float64


def square(x: Value) -> Value:
    return x * x


def _unary(name: str, numpy: Any, partial: Any, domain: tuple[float, float], doc: str, accepts: str = "inexact") -> Any:
    emit = lambda e, x: getattr(e.vector_math, name)(x)
    return elementwise(name, numpy, emit, partials=[partial], accepts=accepts, domain=domain, doc=doc, transcendental=True)


_ZERO, _ONE, _BELOW = (np.asarray(np.float32(n)) for n in (0, 1, -1))  # arrays, which NumPy takes sooner than Python's numbers


def _logistic(x: Any) -> Any:
    return np.exp(np.minimum(x, _ZERO)) / (np.exp(np.copysign(x, _BELOW)) + _ONE)


def _expm1(x: Any) -> Any:
    """NumPy's, whose imaginary part of complex numbers is nan instead of 0 where exp overflows: there 1 is nothing beside exp.
    Infinities and NaNs are those of exp.
    """
    out = np.expm1(x)
    if np.asarray(x).dtype.kind != "c":
        return out
    x, out = np.asarray(x), np.array(out)
    large = x.real > 40
    root = np.exp(np.where(large, x.real, 0) / 2)  # exp in two factors, so that 0 times a factor is 0
    out.real = np.where(large, root * np.cos(x.imag) * root, out.real)
    out.imag = np.where(large, np.where(x.imag == 0, x.imag, root * np.sin(x.imag) * root), out.imag)
    whole = np.exp(x)
    out.real, out.imag = (np.where(np.isfinite(x), *p) for p in ((out.real, whole.real - 1), (out.imag, whole.imag)))
    return out


def _log1p(x: Any) -> Any:
    """NumPy's, which for complex numbers is log(1 + x): its real part from 2 a + a*a + b*b, |1 + x|**2 - 1, where that is small."""
    if np.asarray(x).dtype.kind != "c":
        return np.log1p(x)
    out, z = np.array(np.log1p(x)), np.asarray(x, np.complex128)
    held = np.where((np.abs(z.real) < 3) & (np.abs(z.imag) < 3), z, 0)
    (a, a_low), (b, b_low) = _square_as_pair(held.real), _square_as_pair(held.imag)
    excess = ((2 * held.real + b) + a) + (a_low + b_low)
    out.real = np.where((held == z) & (excess > -0.75), np.log1p(excess) / 2, out.real)
    return out


def _square_as_pair(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """x * x and its rounding error (T. J. Dekker, 1971)."""
    high = x * 134217729.0
    high = high - (high - x)
    low, square = x - high, x * x
    return square, ((high * high - square) + 2 * high * low) + low * low


def _one_less_square(x: Value) -> Value:
    """1 - x * x, with the digits of (1 - x) * (1 + x) beside 1, and the derivatives of its own form, which are right at 0 and 1."""
    written = 1 - square(x)
    return written + op("stop_gradient", (1 - x) * (1 + x) - written)


def _root_of_one_and_square(x: Value) -> Value:
    """sqrt(x * x + 1); of real numbers without overflow on the way."""
    return op("sqrt", square(x) + 1) if x.type.dtype.is_complex else op("hypot", x, full(x.type.shape, 1, x.type.dtype))


TWO_OVER_ROOT_PI = 2 / math.sqrt(math.pi)

exp = _unary("exp", np.exp, lambda x, out: out, (-5, 5), "e to the power of each element.")
exp2 = _unary("exp2", np.exp2, lambda x, out: out * math.log(2), (-5, 5), "2 to the power of each element.")
expm1 = _unary("expm1", _expm1, lambda x, out: op("exp", x), (-4, 4), "exp(x) - 1, right for small x.")
log = _unary("log", np.log, lambda x, out: 1 / x, (0.1, 9), "Natural logarithm.")
log2 = _unary("log2", np.log2, lambda x, out: 1 / (x * math.log(2)), (0.1, 9), "Logarithm to base 2.")
log10 = _unary("log10", np.log10, lambda x, out: 1 / (x * math.log(10)), (0.1, 9), "Logarithm to base 10.")
log1p = _unary("log1p", _log1p, lambda x, out: 1 / (x + 1), (-0.8, 9), "log(1 + x), right for small x.")
sin = _unary("sin", np.sin, lambda x, out: op("cos", x), (-6, 6), "Sine.")
cos = _unary("cos", np.cos, lambda x, out: -op("sin", x), (-6, 6), "Cosine.")
tan = _unary("tan", np.tan, lambda x, out: 1 + square(out), (-1.4, 1.4), "Tangent.")
asin = _unary("asin", np.arcsin, lambda x, out: 1 / op("sqrt", _one_less_square(x)), (-0.9, 0.9), "Arc sine.")
acos = _unary("acos", np.arccos, lambda x, out: -1 / op("sqrt", _one_less_square(x)), (-0.9, 0.9), "Arc cosine.")
atan = _unary("atan", np.arctan, lambda x, out: 1 / (1 + square(x)), (-6, 6), "Arc tangent.")
sinh = _unary("sinh", np.sinh, lambda x, out: op("cosh", x), (-4, 4), "Hyperbolic sine.")
cosh = _unary("cosh", np.cosh, lambda x, out: op("sinh", x), (-4, 4), "Hyperbolic cosine.")
tanh = _unary("tanh", np.tanh, lambda x, out: 1 - square(out), (-6, 6), "Hyperbolic tangent.")
asinh = _unary("asinh", np.arcsinh, lambda x, out: 1 / _root_of_one_and_square(x), (-6, 6), "Inverse hyperbolic sine.")
acosh = _unary(
    "acosh", np.arccosh, lambda x, out: 1 / op("sqrt", x - 1) * (1 / op("sqrt", x + 1)), (1.2, 9), "Inverse hyperbolic cosine."
)
atanh = _unary("atanh", np.arctanh, lambda x, out: 1 / _one_less_square(x), (-0.9, 0.9), "Inverse hyperbolic tangent.")
logistic = _unary("logistic", _logistic, lambda x, out: out * (1 - out), (-6, 6), "1 / (1 + exp(-x)).", "float")
cbrt = _unary("cbrt", np.cbrt, lambda x, out: op("integer_pow", out, exponent=-2) / 3, (0.1, 9), "The real cube root.", "float")
erf = _unary(
    "erf", of_float64("erf"), lambda x, out: op("exp", -square(x)) * TWO_OVER_ROOT_PI, (-2, 2),
    "The error function, 2/sqrt(pi) times the integral of exp(-t*t) from 0 to x.", "float",
)  # fmt: skip
erfc = _unary(
    "erfc", of_float64("erfc"), lambda x, out: op("exp", -square(x)) * -TWO_OVER_ROOT_PI, (-2, 2),
    "1 - erf(x), right for large x.", "float",
)  # fmt: skip
_erf_inv = of_float64("erfinv")
erf_inv = _unary(
    "erf_inv", lambda x: np.copysign(_erf_inv(x), x), lambda x, out: op("exp", square(out)) / TWO_OVER_ROOT_PI, (-0.9, 0.9),
    "The inverse of the error function.", "float",
)  # fmt: skip
ndtri = _unary(
    "ndtri", of_float64("ndtri"), lambda x, out: op("exp", square(out) * 0.5) * math.sqrt(2 * math.pi), (0.05, 0.95),
    "The inverse of the normal distribution function.", "float",
)  # fmt: skip
sqrt = elementwise(
    "sqrt",
    np.sqrt,
    lambda e, x: e.sqrt(x),
    partials=[lambda x, out: 0.5 / out],
    domain=(0.1, 9),
    cost=6,
    doc="Square root, rounded once.",
)
rsqrt = elementwise(
    "rsqrt",
    lambda x: as_numpy_dtype(1 / np.sqrt(np.asarray(x, np.result_type(x, np.float64))), x),
    lambda e, x: e.vector_math.rsqrt(x),
    partials=[lambda x, out: out / x * -0.5], domain=(0.1, 9), doc="1 / sqrt(x).",
)  # fmt: skip


def _binary(name: str, numpy: Any, partials: Any, domain: tuple[float, float], doc: str, accepts: str = "float") -> Any:
    emit = lambda e, x, y: getattr(e.vector_math, name)(x, y)
    return elementwise(name, numpy, emit, partials=partials, accepts=accepts, domain=domain, doc=doc, transcendental=True)


def _pow(x: Any, y: Any) -> Any:
    """NumPy's, which takes square roots for some exponents 0.5: these have other signs at -0.0 and are NaN at -inf."""
    out = np.power(x, y)
    if isinstance(y, np.generic) and out.dtype.kind == "f" and (y != 0.5 or not np.count_nonzero(np.isinf(x))):
        return np.abs(out) if y == 0.5 else out
    if out.dtype.kind == "c" or not np.count_nonzero(np.signbit(x)):
        return out
    return np.where(np.equal(y, 0.5) & (np.equal(x, 0) | np.equal(x, -np.inf)), np.abs(x), out)


def _pow_exponent(x: Value, y: Value, out: Value) -> Value:
    """out * log(x), and 0 where x is 0 and y positive: the limit from above."""
    base = where(op("eq", x, x * 0), 1, x)
    return op("log", base) * out


def _pow_base(x: Value, y: Value, out: Value) -> Value:
    """y * x**(y - 1), and 0 where both are 0. Where y alone is 0 the formula holds, also for its own derivatives."""
    zero = op("and", op("eq", x, x * 0), op("eq", y, y * 0))
    return y * bind(OPS["pow"], x, where(zero, 1, y - 1))


pow_ = _binary("pow", _pow, [_pow_base, _pow_exponent], (0.2, 3), "x to the power y, of floats.", "inexact")
atan2 = _binary(
    "atan2", np.arctan2, [lambda y, x, out: _over_square(x, y), lambda y, x, out: -_over_square(y, x)], (0.2, 3),
    "The angle of the point (x, y), from its operands y, x, between -pi and pi.",
)  # fmt: skip
hypot = _binary(
    "hypot", np.hypot, [lambda x, y, out: _share_of(x, out), lambda x, y, out: _share_of(y, out)], (0.2, 3),
    "sqrt(x*x + y*y) without overflow on the way. Its derivative at (0, 0) is 0, as that of abs.",
)  # fmt: skip


def _over_square(x: Value, y: Value) -> Value:
    """x / (x*x + y*y) without overflow on the way."""
    size = op("hypot", x, y)
    return x / size / size


def _share_of(x: Value, size: Value) -> Value:
    nowhere = op("eq", size, zeros(size.type))
    return where(nowhere, 0, x / where(nowhere, 1, size))


logaddexp = _binary(
    "logaddexp", np.logaddexp, [lambda x, y, out: _weight(x, y), lambda x, y, out: _weight(y, x)], (-4, 4),
    "log(exp(x) + exp(y)) without overflow on the way. Equal infinities share the derivative.",
)  # fmt: skip


def _weight(x: Value, y: Value) -> Value:
    """exp(x) / (exp(x) + exp(y)), with 0 for the difference of equal infinities."""
    endless = op("and", op("eq", x, y), op("not", op("is_finite", x)))
    return op("logistic", where(endless, 0, x - y))
