"""Functions of one array, element by element: analysis, rounding, parts of complex numbers, tests of numbers.

Those that are one op are rows of a table; the rest is written with operators. Those of two arrays are in `arithmetic.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from jitgrad.array import Array, as_value
from jitgrad.array_ops import fill_like, limits, op, select
from jitgrad.errors import DTypeError
from jitgrad.operands import ArrayLike, array_arg, elementwise, inexact_arg, is_complex, is_float, no_out, operands, size_arg
from jitgrad_compiler.ir.types import BOOL

UnaryFunction = Callable[[ArrayLike], Array]


def example(name: str, text: str) -> str:
    """The doctest of a row: "arguments -> what print shows"."""
    arguments, result = text.split(" -> ")
    return f">>> import jitgrad.numpy as jnp\n    >>> print(jnp.{name}({arguments}))\n    {result}"


def named(function: Any, name: str, doc: str) -> Any:
    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return function


def _of_analysis(name: str, op_name: str, doc: str, sample: str) -> UnaryFunction:
    """A function whose result is a float (or complex) array of x's shape."""

    def function(x: ArrayLike, /) -> Array:
        return elementwise(name, op_name, x, inexact=True)

    return named(
        function, name,
        f"""{doc}

    The result has x's shape; integers and bools become default_float. Raises DTypeError for element types without this function.

    {example(name, sample)}
    """,
    )  # fmt: skip


exp = _of_analysis("exp", "exp", "e to the power of each element.", "1.0 -> 2.7182817")
exp2 = _of_analysis("exp2", "exp2", "2 to the power of each element.", "3.0 -> 8.0")
expm1 = _of_analysis("expm1", "expm1", "exp(x) - 1, accurate for small x.", "1e-6 -> 1.0000005e-06")
log = _of_analysis("log", "log", "Natural logarithm; -inf at 0, nan below.", "10.0 -> 2.3025851")
log2 = _of_analysis("log2", "log2", "Logarithm to base 2.", "8.0 -> 3.0")
log10 = _of_analysis("log10", "log10", "Logarithm to base 10.", "1000.0 -> 3.0")
log1p = _of_analysis("log1p", "log1p", "log(1 + x), accurate for small x.", "1e-6 -> 9.999995e-07")
sin = _of_analysis("sin", "sin", "Sine of an angle in radians.", "0.5 -> 0.47942555")
cos = _of_analysis("cos", "cos", "Cosine of an angle in radians.", "0.5 -> 0.87758255")
tan = _of_analysis("tan", "tan", "Tangent of an angle in radians.", "0.5 -> 0.5463025")
arcsin = _of_analysis("arcsin", "asin", "Arc sine, in radians between -pi/2 and pi/2.", "0.5 -> 0.5235988")
arccos = _of_analysis("arccos", "acos", "Arc cosine, in radians between 0 and pi.", "0.5 -> 1.0471976")
arctan = _of_analysis("arctan", "atan", "Arc tangent, in radians between -pi/2 and pi/2.", "1.0 -> 0.7853982")
sinh = _of_analysis("sinh", "sinh", "Hyperbolic sine.", "1.0 -> 1.1752012")
cosh = _of_analysis("cosh", "cosh", "Hyperbolic cosine.", "1.0 -> 1.5430807")
tanh = _of_analysis("tanh", "tanh", "Hyperbolic tangent.", "1.0 -> 0.7615942")
arcsinh = _of_analysis("arcsinh", "asinh", "Inverse hyperbolic sine.", "1.0 -> 0.8813736")
arccosh = _of_analysis("arccosh", "acosh", "Inverse hyperbolic cosine, of x >= 1.", "2.0 -> 1.316958")
arctanh = _of_analysis("arctanh", "atanh", "Inverse hyperbolic tangent, of -1 < x < 1.", "0.5 -> 0.54930615")
sqrt = _of_analysis("sqrt", "sqrt", "Square root; nan of negative floats. Its derivative at 0 is infinite.", "2.0 -> 1.4142135")
cbrt = _of_analysis("cbrt", "cbrt", "The real cube root.", "-8.0 -> -2.0")


def _composite(name: str, formula: Callable[[Array], Array], doc: str, sample: str) -> UnaryFunction:
    """A float function of x written as a formula of Arrays."""

    def function(x: ArrayLike) -> Array:
        (value,), weak = operands(name, x, inexact=True)
        out = formula(value)
        out.weak = weak
        return out

    return named(
        function, name,
        f"""{doc}

    The result has x's shape; integers and bools become default_float.

    {example(name, sample)}
    """,
    )  # fmt: skip


def _absolute_of_real(x: Array) -> Array:
    if is_complex(x):
        raise DTypeError(f"fabs: takes real numbers, got {x.dtype}; abs takes complex ones")
    return abs(x)


def _sinc(x: Array) -> Array:
    """sin(pi x) / (pi x); near 0 by its Taylor series, so that derivatives of every order are right there."""
    near = abs(x) < 0.016
    one = fill_like(x, 1, x.type.dtype)
    t = select(near, x, one * 0) * math.pi
    s = t * t
    series = 1 - s / 6 * (1 - s / 20 * (1 - s / 42 * (1 - s / 72)))
    away = select(near, one, x)
    return select(near, series, _sine_of_half_turns(away) / math.pi / away)


def _sine_of_half_turns(x: Array) -> Array:
    """sin(pi x); of real numbers from x's distance to the nearest whole number, which is exact however large x is."""
    if is_complex(x):
        return op("sin", x * math.pi)
    whole = op("round_even", x)
    odd = whole - 2 * op("round_even", whole / 2)
    return op("sin", (x - whole) * math.pi) * (1 - 2 * odd * odd)


def _i0(x: Array) -> Array:
    """The power series, all of whose terms are positive, below 15, and the asymptotic expansion above.

    Abramowitz and Stegun, Handbook of Mathematical Functions, 9.6.12 and 9.7.1.
    """
    if not is_float(x):
        raise DTypeError(f"i0 takes floats, got {x.dtype}")
    size = abs(x)
    small = size < 15.0
    one = fill_like(x, 1, x.type.dtype)
    low, high = select(small, x, one), select(small, one * 15.0, size)
    quarter = low * low / 4.0
    power = one
    for k in range(40, 0, -1):
        power = 1 + power * quarter / float(k * k)
    tail = one
    for k in range(30, 0, -1):
        tail = 1 + tail * ((2 * k - 1) ** 2 / (8.0 * k)) / high
    half = op("exp", high / 2)
    root = op("sqrt", op("min", high, one * 1e6)) * math.sqrt(2 * math.pi)  # finite, where half is infinite
    asymptotic = tail * half / root * half
    return select(small, power, asymptotic)


deg2rad = _composite("deg2rad", lambda x: x * (math.pi / 180), "An angle in degrees as radians.", "180.0 -> 3.1415927")
radians = _composite("radians", lambda x: x * (math.pi / 180), "An angle in degrees as radians.", "90.0 -> 1.5707964")
rad2deg = _composite("rad2deg", lambda x: x * (180 / math.pi), "An angle in radians as degrees.", "3.1415927 -> 180.0")
degrees = _composite("degrees", lambda x: x * (180 / math.pi), "An angle in radians as degrees.", "0.0 -> 0.0")
sinc = _composite("sinc", _sinc, "sin(pi x) / (pi x), and 1 at 0.", "0.5 -> 0.63661975")
i0 = _composite("i0", _i0, "The modified Bessel function of the first kind of order 0.", "0.0 -> 1.0")
reciprocal = _composite("reciprocal", lambda x: 1 / x, "1 / x.", "4.0 -> 0.25")
fabs = _composite("fabs", _absolute_of_real, "The absolute value, as a float.", "-2 -> 2.0")


def _kept(name: str, op_name: str, doc: str, sample: str) -> UnaryFunction:
    """A rounding: integers and bools come back as they are."""

    def function(x: ArrayLike) -> Array:
        value = as_value(x, name)
        if value.type.dtype == BOOL or value.type.dtype.is_integer:
            return value
        return elementwise(name, op_name, value)

    return named(
        function, name,
        f"""{doc}

    The result has x's shape and type; integers come back as they are. The derivative is 0.

    {example(name, sample)}
    """,
    )  # fmt: skip


floor = _kept("floor", "floor", "The largest integer not above x, as a float.", "-1.5 -> -2.0")
ceil = _kept("ceil", "ceil", "The least integer not below x, as a float.", "-1.5 -> -1.0")
trunc = _kept("trunc", "trunc", "x without its fraction.", "-1.5 -> -1.0")
fix = _kept("fix", "trunc", "x rounded towards zero.", "-1.5 -> -1.0")


def rint(x: ArrayLike, /) -> Array:
    """The nearest whole number as a float, halves to even; each part of a complex number by itself.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.rint(jnp.array([0.5, 1.5, -1.2])))
    [ 0.  2. -1.]
    """
    (value,), weak = operands("rint", x, inexact=True)
    out = _by_parts(lambda v: op("round_even", v), value)
    out.weak = weak
    return out


def _by_parts(f: Callable[[Array], Array], x: Array) -> Array:
    return op("complex", f(op("real", x)), f(op("imag", x))) if is_complex(x) else f(x)


def round(a: ArrayLike, decimals: int = 0, out: None = None) -> Array:
    """x rounded to a number of decimals, halves to even; negative decimals round to tens, hundreds, ... The type stays: what an
    integer type does not reach becomes its last number.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.round(jnp.array([1.25, 2.5]), 1))
    [1.2 2.5]
    """
    no_out("round", out)
    decimals = size_arg("round", decimals, "decimals is an integer")
    value = as_value(a, "round")
    whole = not value.type.dtype.is_inexact
    if value.type.dtype == BOOL or (whole and decimals >= 0):
        return value
    if whole:
        return _rounded_integers(value, 10**-decimals)
    (value,), weak = operands("round", value)
    result = _by_parts(lambda v: _rounded(v, decimals), value)
    result.weak = weak
    return result


def _rounded_integers(x: Array, factor: int) -> Array:
    """Integers to multiples of a factor, without leaving their type."""
    dtype = x.type.dtype
    least, most = int(limits(dtype).min), int(limits(dtype).max)
    if factor > 2 * most:
        return fill_like(x, 0, dtype)
    if factor > most:  # 0, or the multiple that is no number of the type
        last = select(x > factor // 2, fill_like(x, most, dtype), fill_like(x, 0, dtype))
        return select(x < -(factor // 2), fill_like(x, least, dtype), last) if least else last
    rest = op("rem", x, fill_like(x, factor, dtype))
    inner = x - rest
    size = abs(rest)
    beyond = factor - size
    even = op("rem", op("floor_div", inner, fill_like(x, factor, dtype)), fill_like(x, 2, dtype)) == 0
    above = select(inner > most - factor, fill_like(x, most, dtype), inner + factor)
    below = select(inner < least + factor, fill_like(x, least, dtype), inner - factor) if least else above
    return select((size < beyond) | ((size == beyond) & even), inner, select(x < 0, below, above) if least else above)


def _rounded(x: Array, decimals: int) -> Array:
    """Floats to a number of decimals. The power of ten is taken in two factors, each inside the type's range."""
    if decimals == 0:
        return op("round_even", x)
    info = limits(x.type.dtype)
    most = int(math.log10(float(info.max)))
    first = min(abs(decimals), most)
    one, other = 10.0**first, 10.0 ** min(abs(decimals) - first, most)
    if decimals < 0:
        return op("round_even", x / one / other) * one * other
    scaled = x * one * other
    has_no_more = abs(scaled) >= 1 / float(info.eps)  # a float this large is whole; infinity where the scaling overflowed
    return select(has_no_more, op("stop_gradient", x), op("round_even", scaled) / other / one)


def around(a: ArrayLike, decimals: int = 0, out: None = None) -> Array:
    """Another name of `round`.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.around(2.5))
    2.0
    """
    return round(a, decimals, out)


def negative(x: ArrayLike, /) -> Array:
    """-x, of x's type; unsigned integers wrap. Raises DTypeError for bools: use logical_not.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.negative(jnp.array([1, -2])))
    [-1  2]
    """
    return elementwise("negative", "neg", x)


def positive(x: ArrayLike, /) -> Array:
    """x itself, as an array.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.positive(-2.0))
    -2.0
    """
    return as_value(x, "positive")


def absolute(x: ArrayLike, /) -> Array:
    """|x|, of x's type; of a complex number its length, a float. The derivative at 0 is 0.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.absolute(jnp.array([-1.5, 2.0])), jnp.abs(3 + 4j))
    [1.5 2. ] 5.0
    """
    value = as_value(x, "absolute")
    return value if value.type.dtype == BOOL else elementwise("absolute", "abs", value)


def sign(x: ArrayLike, /) -> Array:
    """-1, 0 or 1 by the sign of x, of x's type; of a complex number x / |x|.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.sign(jnp.array([-2.0, 0.0, 5.0])))
    [-1.  0.  1.]
    """
    return elementwise("sign", "sign", x)


def square(x: ArrayLike, /) -> Array:
    """x * x.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.square(jnp.array([2, -3])))
    [4 9]
    """
    value = as_value(x, "square")
    return op("integer_pow", value, exponent=2) if is_complex(value) else value * value


def conj(x: ArrayLike, /) -> Array:
    """The complex conjugate; a real array comes back as it is.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.conj(1 + 2j))
    (1-2j)
    """
    value = as_value(x, "conj")
    return elementwise("conj", "conj", value) if is_complex(value) else value


conjugate = conj


def real(val: ArrayLike, /) -> Array:
    """The real part; a real array comes back as it is.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.real(1 + 2j))
    1.0
    """
    value = as_value(val, "real")
    return elementwise("real", "real", value) if is_complex(value) else value


def imag(val: ArrayLike, /) -> Array:
    """The imaginary part; zeros of a real array's type.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.imag(1 + 2j))
    2.0
    """
    value = array_arg("imag", val)
    return op("imag", value) if is_complex(value) else fill_like(value, 0, value.type.dtype)


def angle(z: ArrayLike, deg: bool = False) -> Array:
    """The angle of complex numbers, in radians between -pi and pi, or with deg in degrees; 0 or pi of real ones.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.angle(1j, deg=True))
    90.0
    """
    value = inexact_arg("angle", z)
    if is_complex(value):
        out = op("atan2", op("imag", value), op("real", value))
    else:
        out = op("atan2", fill_like(value, 0, value.type.dtype), value)
    return out * (180 / math.pi) if deg else out


def isnan(x: ArrayLike, /) -> Array:
    """Whether each element is NaN; False for integers.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.isnan(jnp.array([1.0, jnp.nan])))
    [False  True]
    """
    value = as_value(x, "isnan")
    return op("ne", value, value) if value.type.dtype.is_inexact else fill_like(value, False, BOOL)


def isfinite(x: ArrayLike, /) -> Array:
    """Whether each element is neither infinite nor NaN; True for integers.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.isfinite(jnp.array([1.0, jnp.inf, jnp.nan])))
    [ True False False]
    """
    value = as_value(x, "isfinite")
    return op("is_finite", value) if value.type.dtype.is_inexact else fill_like(value, True, BOOL)


def isinf(x: ArrayLike, /) -> Array:
    """Whether each element is infinite, in either part for complex ones.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.isinf(jnp.array([1.0, -jnp.inf, jnp.nan])))
    [False  True False]
    """
    value = as_value(x, "isinf")
    if is_complex(value):
        return op("or", isinf(op("real", value)), isinf(op("imag", value)))
    return abs(value) == math.inf if is_float(value) else fill_like(value, False, BOOL)


def _is_infinite(name: str, number: float) -> UnaryFunction:
    def function(x: ArrayLike, /, out: None = None) -> Array:
        no_out(name, out)
        value = as_value(x, name)
        if is_complex(value):
            raise DTypeError(f"{name}: complex numbers have no order, got {value.dtype}")
        return value == number if is_float(value) else fill_like(value, False, BOOL)

    return named(
        function, name,
        f"""Whether each element is {"positive" if number > 0 else "negative"} infinity; False for integers.

    Raises DTypeError for complex arrays.

    {example(name, f"-jnp.inf -> {number < 0}")}
    """,
    )  # fmt: skip


isposinf = _is_infinite("isposinf", math.inf)
isneginf = _is_infinite("isneginf", -math.inf)


def iscomplex(x: ArrayLike) -> Array:
    """Whether the imaginary part of each element is not 0.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.iscomplex(jnp.array([1 + 0j, 1j])))
    [False  True]
    """
    value = as_value(x, "iscomplex")
    return op("imag", value) != 0 if is_complex(value) else fill_like(value, False, BOOL)


def isreal(x: ArrayLike) -> Array:
    """Whether the imaginary part of each element is 0.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.isreal(jnp.array([1 + 0j, 1j])))
    [ True False]
    """
    value = as_value(x, "isreal")
    return op("imag", value) == 0 if is_complex(value) else fill_like(value, True, BOOL)


def signbit(x: ArrayLike, /) -> Array:
    """Whether the sign bit of each element is set: true of -0.0 too.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.signbit(jnp.array([-0.0, 1.0])))
    [ True False]
    """
    value = as_value(x, "signbit")
    if value.type.dtype.is_float:
        return op("signbit", value)
    if value.type.dtype.is_inexact:
        raise DTypeError(f"signbit: complex numbers have no sign, got {value.dtype}")
    return value < 0 if value.type.dtype.is_signed else fill_like(value, False, BOOL)
