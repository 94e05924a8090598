"""Functions of two arrays, element by element: arithmetic, powers, remainders, comparison, logic, bits.

Operands of any types promote as in jax and broadcast by NumPy's rule; the operators of `methods.py` come here where their operands
are not already of one type and shape.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from jitgrad.array import Array, as_value
from jitgrad.errors import DTypeError
from jitgrad_compiler.ir.types import INEXACT, INTEGERS, SIZES, UNSIGNED

from .elementwise import example, named
from .ops import constant, convert, fill, is_number, op, select
from .promote import ArrayLike, check_accepts, elementwise, is_float, operands

BinaryFunction = Callable[[ArrayLike, ArrayLike], Array]


def _binary(name: str, op_name: str, doc: str, sample: str, inexact: bool = False) -> BinaryFunction:
    """A function that is one op."""

    def function(x: ArrayLike, y: ArrayLike, /) -> Array:
        return elementwise(name, op_name, x, y, inexact=inexact)

    kind = "Integers become default_float. " if inexact else ""
    return named(
        function, name,
        f"""{doc}

    Operands promote to one type and broadcast to one shape. {kind}Raises ShapeError where they do not broadcast, DTypeError for
    element types without this function.

    {example(name, sample)}
    """,
    )  # fmt: skip


add = _binary("add", "add", "x + y; of bools, or.", "1.5, 2 -> 3.5")
subtract = _binary("subtract", "sub", "x - y.", "1.5, 2 -> -0.5")
multiply = _binary("multiply", "mul", "x * y; of bools, and.", "1.5, 2 -> 3.0")
divide = _binary("divide", "div", "x / y as floats.", "1, 2 -> 0.5", inexact=True)
true_divide = _binary("true_divide", "div", "x / y as floats.", "3, 2 -> 1.5", inexact=True)
maximum = _binary("maximum", "max", "The larger of x and y; nan where either is. Ties share the derivative.", "1.5, 2 -> 2.0")
minimum = _binary("minimum", "min", "The smaller of x and y; nan where either is. Ties share the derivative.", "1.5, 2 -> 1.5")
arctan2 = _binary(
    "arctan2", "atan2", "The angle of the points (y, x), in radians between -pi and pi.", "1, -1 -> 2.3561945", inexact=True
)
hypot = _binary("hypot", "hypot", "sqrt(x*x + y*y), without overflow on the way.", "3, 4 -> 5.0", inexact=True)
logaddexp = _binary(
    "logaddexp", "logaddexp", "log(exp(x) + exp(y)), without overflow on the way.", "1000, 0 -> 1000.0", inexact=True
)
nextafter = _binary(
    "nextafter", "nextafter", "The next float after x in the direction of y.", "jnp.float32(1), 2 -> 1.0000001", inexact=True
)
copysign = _binary("copysign", "copysign", "|x| with y's sign.", "2, -0.5 -> -2.0", inexact=True)
bitwise_and = _binary("bitwise_and", "and", "The bits set in both; of bools, and.", "6, 3 -> 2")
bitwise_or = _binary("bitwise_or", "or", "The bits set in either; of bools, or.", "6, 3 -> 7")
bitwise_xor = _binary("bitwise_xor", "xor", "The bits set in just one; of bools, exclusive or.", "6, 3 -> 5")
left_shift = _binary("left_shift", "shift_left", "x * 2**y; 0 where y is no smaller than the type's bits.", "3, 2 -> 12")
equal = _binary("equal", "eq", "Whether x == y.", "1, 1.0 -> True")
not_equal = _binary("not_equal", "ne", "Whether x != y; true of NaN.", "1, 2 -> True")
less = _binary("less", "lt", "Whether x < y.", "1, 2 -> True")
less_equal = _binary("less_equal", "le", "Whether x <= y.", "1, 2 -> True")
greater = _binary("greater", "gt", "Whether x > y.", "1, 2 -> False")
greater_equal = _binary("greater_equal", "ge", "Whether x >= y.", "1, 2 -> False")


def right_shift(x: ArrayLike, y: ArrayLike, /) -> Array:
    """floor(x / 2**y) of integers: the sign comes in from the left of signed ones, zeros of unsigned ones.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.right_shift(jnp.array([12, -5]), 1))
    [ 6 -3]
    """
    values, weak = operands("right_shift", x, y)
    check_accepts("right_shift", "shift_right_logical", values[0])
    out = op("shift_right_logical" if values[0].type.dtype in UNSIGNED else "shift_right_arithmetic", *values)
    out.weak = weak
    return out


def invert(x: ArrayLike, /) -> Array:
    """Every bit of integers flipped; of bools, not.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.invert(jnp.array([0, 5])))
    [-1 -6]
    """
    return elementwise("invert", "not", x)


def bitwise_count(x: ArrayLike, /) -> Array:
    """The number of bits set in |x|, as uint8.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.bitwise_count(jnp.array([7, 8])))
    [3 1]
    """
    value = as_value(x, "bitwise_count")
    if value.type.dtype == "bool":
        return convert(value, "u8")
    check_accepts("bitwise_count", "population_count", value)
    return convert(op("population_count", abs(value)), "u8")


def truth(x: Array) -> Array:
    """Whether each element is not 0."""
    return x if x.type.dtype == "bool" else x != 0


def _logical(name: str, op_name: str, doc: str, sample: str) -> BinaryFunction:
    def function(x: ArrayLike, y: ArrayLike, /) -> Array:
        return elementwise(name, op_name, truth(as_value(x, name)), truth(as_value(y, name)))

    return named(
        function, name,
        f"""{doc} Numbers count as true where they are not 0.

    Operands broadcast to one shape, else ShapeError.

    {example(name, sample)}
    """,
    )  # fmt: skip


logical_and = _logical("logical_and", "and", "x and y.", "True, 0 -> False")
logical_or = _logical("logical_or", "or", "x or y.", "True, 0 -> True")
logical_xor = _logical("logical_xor", "xor", "Either x or y.", "True, 1 -> False")


def logical_not(x: ArrayLike, /) -> Array:
    """Whether each element is false, or 0.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.logical_not(jnp.array([0.0, 2.0])))
    [ True False]
    """
    value = as_value(x, "logical_not")
    return op("not", value) if value.type.dtype == "bool" else value == 0


def remainder(x: ArrayLike, y: ArrayLike, /) -> Array:
    """The remainder of x / y with y's sign, as Python's %: x - floor(x / y) * y. Integers give 0 for a zero divisor.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.remainder(jnp.array([-3, 3]), 2), jnp.remainder(3.5, -2))
    [1 1] -0.5
    """
    (x, y), weak = operands("remainder", x, y)
    check_accepts("remainder", "rem", x)
    out = _remainder(x, y)
    out.weak = weak
    return out


mod = remainder


def _remainder(x: Array, y: Array) -> Array:
    dtype = x.type.dtype
    rest = op("rem", x, y)
    if dtype in INTEGERS and not (is_number(y) and y.ref != 0):
        zero = fill(rest.type.shape, 0, dtype)
        rest = zero if is_number(y) else select(y == 0, zero, rest)
    if dtype in UNSIGNED:
        return rest
    if is_number(y):  # the sign to correct is known
        if not y.ref:
            return rest
        return select(rest < 0 if y.ref > 0 else rest > 0, rest + y, rest)
    wrong = op("and", rest != 0, op("ne", rest < 0, y < 0))
    return select(wrong, rest + y, rest)


def fmod(x: ArrayLike, y: ArrayLike, /) -> Array:
    """The remainder of x / y with x's sign, as C's fmod. Integers give 0 for a zero divisor.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.fmod(jnp.array([-3, 3]), 2))
    [-1  1]
    """
    (x, y), weak = operands("fmod", x, y)
    check_accepts("fmod", "rem", x)
    out = op("rem", x, y)
    if x.type.dtype in INTEGERS:
        zero = fill(out.type.shape, 0, x.type.dtype)
        out = out if is_number(y) and y.ref != 0 else zero if is_number(y) else select(y == 0, zero, out)
    out.weak = weak
    return out


def floor_divide(x: ArrayLike, y: ArrayLike, /) -> Array:
    """floor(x / y), of the promoted type; of integers rounded down as Python's //. Integers give -1 or -2 for a zero divisor.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.floor_divide(jnp.array([-3, 3]), 2), jnp.floor_divide(3.5, 2))
    [-2  1] 1.0
    """
    (x, y), weak = operands("floor_divide", x, y)
    check_accepts("floor_divide", "rem", x)
    out = _floor_divide(x, y)
    out.weak = weak
    return out


def _floor_divide(x: Array, y: Array) -> Array:
    if x.type.dtype in UNSIGNED:
        return op("div", x, y)
    if is_float(x):
        return _float_divmod(x, y)[0]
    quotient, rest = op("div", x, y), op("rem", x, y)
    if is_number(y):
        wrong = rest < 0 if y.ref > 0 else rest > 0
    else:
        wrong = op("and", rest != 0, op("ne", rest < 0, y < 0))
    return select(wrong, quotient - 1, quotient)


def _float_divmod(x: Array, y: Array) -> tuple[Array, Array]:
    """The quotient from the exact remainder, so that x == q * y + r as well as rounding allows."""
    rest = _remainder(x, y)
    quotient = op("round_even", (x - rest) / y)
    if is_number(y) and y.ref:
        return quotient, rest
    if is_number(y):
        return x / y, rest
    return select(y != 0, quotient, x / y), rest


def divmod(x: ArrayLike, y: ArrayLike, /) -> tuple[Array, Array]:
    """(floor_divide(x, y), remainder(x, y)).

    >>> import jitgrad.numpy as jnp
    >>> print(*jnp.divmod(7, 2))
    3 1
    """
    return floor_divide(x, y), remainder(x, y)


def power(x: ArrayLike, y: ArrayLike, /) -> Array:
    """x to the power y, of the promoted type. Python integers as exponents multiply; integer arrays are raised by squaring.

    Raises DTypeError for a negative Python integer over integers. In arrays of integers, negative exponents give 0 (and 1 or -1 of
    1 and -1).

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.power(jnp.array([1.0, 2.0, 3.0]), 2), jnp.power(2, jnp.arange(4)))
    [1. 4. 9.] [1 2 4 8]
    """
    exponent = _whole_exponent(y)
    base = as_value(x, "power")
    if exponent is not None and base.type.dtype != "bool" and (type(y) is not float or base.type.dtype in INEXACT):
        if exponent < 0 and base.type.dtype not in INEXACT:
            raise DTypeError(f"power: integers cannot be raised to the negative power {exponent}. Convert with .astype(float).")
        out = op("integer_pow", base, exponent=exponent)
        out.weak = base.weak
        return out
    (base, top), weak = operands("power", base, y)
    if base.type.dtype in INEXACT:
        out = op("pow", base, top)
    else:
        (base, top), _ = operands("power", base, top, whole=True)
        kind = "i64" if base.type.dtype == "bool" else base.type.dtype
        out = _integer_power(convert(base, kind), convert(top, kind))
    out.weak = weak
    return out


def _whole_exponent(y: ArrayLike) -> int | None:
    """A Python exponent that repeated multiplication serves: an integer, or a small whole float."""
    if type(y) is int:
        return y
    return int(y) if type(y) is float and y.is_integer() and abs(y) <= 4 else None


def _integer_power(x: Array, y: Array) -> Array:
    """x**y of integers by squaring over 7 bits of the exponent; exact wherever the result fits in the type.

    An exponent of 126 and more only matters for 0, 1 and -1 (all others overflow), so it is brought down, keeping its parity.
    """
    dtype = x.type.dtype
    result = fill(x.type.shape, 1, dtype)
    bits = y if dtype in UNSIGNED else abs(y)
    if SIZES[dtype] > 1 or dtype in UNSIGNED:  # int8 ends at 127
        bits = select(bits >= 126, (bits & 1) + 126, bits)
    base = x
    for step in range(7):
        result = select((bits & 1) == 1, result * base, result)
        if step < 6:
            base, bits = base * base, bits >> 1
    if dtype in UNSIGNED:
        return result
    reciprocal = select(abs(x) == 1, result, constant(0, dtype))
    return select(y < 0, reciprocal, result)


def float_power(x: ArrayLike, y: ArrayLike, /) -> Array:
    """x to the power y as floats, for integers too.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.float_power(jnp.array([1, 2, 4]), -1))
    [1.   0.5  0.25]
    """
    return elementwise("float_power", "pow", x, y, inexact=True)


def logaddexp2(x: ArrayLike, y: ArrayLike, /) -> Array:
    """log2(2**x + 2**y), without overflow on the way.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.logaddexp2(1000, 1000))
    1001.0
    """
    (x, y), weak = operands("logaddexp2", x, y, inexact=True)
    # By `select`, not max and min: their halves at ties would be the constants of a kink that the function does not have.
    first = op("ge", x, y)
    top, low = select(first, x, y), select(first, y, x)
    endless = (top == low) & (op("abs", top) == math.inf)
    gap = select(endless, fill(top.type.shape, 0, top.type.dtype), top - low)
    out = top + op("log1p", op("exp2", -gap)) / math.log(2)
    out.weak = weak
    return out


def heaviside(x: ArrayLike, y: ArrayLike, /) -> Array:
    """0 where x is negative, 1 where it is positive, y where it is 0, nan where it is.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.heaviside(jnp.array([-2.0, 0.0, 3.0]), 0.5))
    [0.  0.5 1. ]
    """
    (x, y), weak = operands("heaviside", x, y, inexact=True, whole=True)
    out = select(x != x, x, select(x == 0, y, convert(x > 0, x.type.dtype)))
    out.weak = weak
    return out


def _ignoring_nan(name: str, op_name: str, word: str) -> BinaryFunction:
    def function(x: ArrayLike, y: ArrayLike, /) -> Array:
        (x, y), weak = operands(name, x, y, whole=True)
        check_accepts(name, op_name, x)
        out = op(op_name, x, y)
        if is_float(x):
            out = select(x != x, y, select(y != y, x, out))
        out.weak = weak
        return out

    return named(
        function, name,
        f"""The {word} of x and y, the other one where one is nan.

    {example(name, "jnp.nan, 2.0 -> 2.0")}
    """,
    )  # fmt: skip


fmax = _ignoring_nan("fmax", "max", "larger")
fmin = _ignoring_nan("fmin", "min", "smaller")


def isclose(a: ArrayLike, b: ArrayLike, rtol: ArrayLike = 1e-5, atol: ArrayLike = 1e-8, equal_nan: bool = False) -> Array:
    """Whether |a - b| <= atol + rtol * |b|; infinities are close when equal, NaNs with equal_nan alone.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.isclose(jnp.array([1.0, 2.0]), jnp.array([1.000001, 2.1])))
    [ True False]
    """
    (x, y), _ = operands("isclose", a, b)
    if x.type.dtype not in INEXACT:
        return elementwise("isclose", "eq", x, y) if x.type.dtype == "bool" else _close(x * 1.0, y * 1.0, rtol, atol)
    out = _close(x, y, rtol, atol)
    return out | ((x != x) & (y != y)) if equal_nan else out


def _close(x: Array, y: Array, rtol: ArrayLike, atol: ArrayLike) -> Array:
    near = less_equal(abs(x - y), atol + rtol * abs(y))
    return (near & op("is_finite", y)) | (x == y)
