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
from .define import as_numpy_dtype, elementwise
from .scipy_special import of_float64


def square(x: Value) -> Value:
    return x * x


def _unary(name: str, numpy: Any, partial: Any, domain: tuple[float, float], doc: str, accepts: str = "inexact") -> Any:
    emit = lambda e, x: getattr(e.vector_math, name)(x)
    return elementwise(name, numpy, emit, partials=[partial], accepts=accepts, domain=domain, doc=doc, transcendental=True)


def _logistic(x: Any) -> Any:
    small = np.exp(-np.abs(x))
    return np.where(np.real(x) >= 0, 1 / (1 + small), small / (1 + small)).astype(np.asarray(x).dtype)


TWO_OVER_ROOT_PI = 2 / math.sqrt(math.pi)

exp = _unary("exp", np.exp, lambda x, out: out, (-5, 5), "e to the power of each element.")
exp2 = _unary("exp2", np.exp2, lambda x, out: out * math.log(2), (-5, 5), "2 to the power of each element.")
expm1 = _unary("expm1", np.expm1, lambda x, out: out + 1, (-4, 4), "exp(x) - 1, right for small x.")
log = _unary("log", np.log, lambda x, out: 1 / x, (0.1, 9), "Natural logarithm.")
log2 = _unary("log2", np.log2, lambda x, out: 1 / (x * math.log(2)), (0.1, 9), "Logarithm to base 2.")
log10 = _unary("log10", np.log10, lambda x, out: 1 / (x * math.log(10)), (0.1, 9), "Logarithm to base 10.")
log1p = _unary("log1p", np.log1p, lambda x, out: 1 / (x + 1), (-0.8, 9), "log(1 + x), right for small x.")
sin = _unary("sin", np.sin, lambda x, out: op("cos", x), (-6, 6), "Sine.")
cos = _unary("cos", np.cos, lambda x, out: -op("sin", x), (-6, 6), "Cosine.")
tan = _unary("tan", np.tan, lambda x, out: 1 + square(out), (-1.4, 1.4), "Tangent.")
asin = _unary("asin", np.arcsin, lambda x, out: 1 / op("sqrt", 1 - square(x)), (-0.9, 0.9), "Arc sine.")
acos = _unary("acos", np.arccos, lambda x, out: -1 / op("sqrt", 1 - square(x)), (-0.9, 0.9), "Arc cosine.")
atan = _unary("atan", np.arctan, lambda x, out: 1 / (1 + square(x)), (-6, 6), "Arc tangent.")
sinh = _unary("sinh", np.sinh, lambda x, out: op("cosh", x), (-4, 4), "Hyperbolic sine.")
cosh = _unary("cosh", np.cosh, lambda x, out: op("sinh", x), (-4, 4), "Hyperbolic cosine.")
tanh = _unary("tanh", np.tanh, lambda x, out: 1 - square(out), (-6, 6), "Hyperbolic tangent.")
asinh = _unary("asinh", np.arcsinh, lambda x, out: 1 / op("sqrt", square(x) + 1), (-6, 6), "Inverse hyperbolic sine.")
acosh = _unary(
    "acosh", np.arccosh, lambda x, out: 1 / (op("sqrt", x - 1) * op("sqrt", x + 1)), (1.2, 9), "Inverse hyperbolic cosine."
)
atanh = _unary("atanh", np.arctanh, lambda x, out: 1 / (1 - square(x)), (-0.9, 0.9), "Inverse hyperbolic tangent.")
logistic = _unary("logistic", _logistic, lambda x, out: out * (1 - out), (-6, 6), "1 / (1 + exp(-x)).", "float")
cbrt = _unary("cbrt", np.cbrt, lambda x, out: 1 / (square(out) * 3), (0.1, 9), "The real cube root.", "float")
erf = _unary(
    "erf", of_float64("erf"), lambda x, out: op("exp", -square(x)) * TWO_OVER_ROOT_PI, (-2, 2),
    "The error function, 2/sqrt(pi) times the integral of exp(-t*t) from 0 to x.", "float",
)  # fmt: skip
erfc = _unary(
    "erfc", of_float64("erfc"), lambda x, out: op("exp", -square(x)) * -TWO_OVER_ROOT_PI, (-2, 2),
    "1 - erf(x), right for large x.", "float",
)  # fmt: skip
erf_inv = _unary(
    "erf_inv", of_float64("erfinv"), lambda x, out: op("exp", square(out)) / TWO_OVER_ROOT_PI, (-0.9, 0.9),
    "The inverse of the error function.", "float",
)  # fmt: skip
sqrt = elementwise(
    "sqrt", np.sqrt, lambda e, x: e.sqrt(x), partials=[lambda x, out: 0.5 / out], domain=(0.1, 9), doc="Square root, rounded once."
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


def _pow_exponent(x: Value, y: Value, out: Value) -> Value:
    """out * log(x), and 0 where x is 0 and y positive: the limit from above."""
    base = where(op("eq", x, x * 0), 1, x)
    return op("log", base) * out


def _pow_base(x: Value, y: Value, out: Value) -> Value:
    """y * x**(y - 1), and 0 where y is 0 whatever x is."""
    zero = op("eq", y, y * 0)
    return y * bind(OPS["pow"], x, where(zero, 1, y - 1))


pow_ = _binary("pow", np.power, [_pow_base, _pow_exponent], (0.2, 3), "x to the power y, of floats.", "inexact")
atan2 = _binary(
    "atan2", np.arctan2, [lambda y, x, out: x / (square(x) + square(y)), lambda y, x, out: -y / (square(x) + square(y))], (0.2, 3),
    "The angle of the point (x, y), from its operands y, x, between -pi and pi.",
)  # fmt: skip
hypot = _binary(
    "hypot",
    np.hypot,
    [lambda x, y, out: x / out, lambda x, y, out: y / out],
    (0.2, 3),
    "sqrt(x*x + y*y) without overflow on the way.",
)
logaddexp = _binary(
    "logaddexp", np.logaddexp, [lambda x, y, out: _softmax(x, out), lambda x, y, out: _softmax(y, out)], (-4, 4),
    "log(exp(x) + exp(y)) without overflow on the way.",
)  # fmt: skip


def _softmax(x: Value, out: Value) -> Value:
    """exp(x - out), with 0 for the difference of equal infinities."""
    same = op("eq", x, out)
    return op("exp", where(same, 0, x - out))
