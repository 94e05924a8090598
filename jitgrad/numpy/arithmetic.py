"""Functions of two arrays, element by element: arithmetic, powers, remainders, logic, bits.

Operands of any types promote as in jax and broadcast by NumPy's rule; the operators of `methods.py` come here where their operands
are not already of one type and shape.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from jitgrad.array import Array, as_value
from jitgrad.array_ops import convert, fill, is_number, op, select
from jitgrad.errors import DTypeError
from jitgrad.operands import ArrayLike, check_accepts, elementwise, is_float, operands
from jitgrad_compiler.ir.types import BOOL, F64, I64, U8, unsigned_integer

from .comparison import less_equal
from .elementwise import example, named

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
copysign = _binary("copysign", "copysign", "|x| with y's sign.", "2, -0.5 -> -2.0", inexact=True)
bitwise_and = _binary("bitwise_and", "and", "The bits set in both; of bools, and.", "6, 3 -> 2")
bitwise_or = _binary("bitwise_or", "or", "The bits set in either; of bools, or.", "6, 3 -> 7")
bitwise_xor = _binary("bitwise_xor", "xor", "The bits set in just one; of bools, exclusive or.", "6, 3 -> 5")
left_shift = _binary("left_shift", "shift_left", "x * 2**y; 0 where y is no smaller than the type's bits.", "3, 2 -> 12")


def right_shift(x: ArrayLike, y: ArrayLike, /) -> Array:
    """floor(x / 2**y) of integers: the sign comes in from the left of signed ones, zeros of unsigned ones.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.right_shift(jnp.array([12, -5]), 1))
    [ 6 -3]
    """
    values, weak = operands("right_shift", x, y)
    check_accepts("right_shift", "shift_right_logical", values[0])
    out = op("shift_right_logical" if values[0].type.dtype.is_unsigned else "shift_right_arithmetic", *values)
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
    if value.type.dtype == BOOL:
        return convert(value, U8)
    check_accepts("bitwise_count", "population_count", value)
    return convert(op("population_count", abs(value)), U8)


def truth(x: Array) -> Array:
    """Whether each element is not 0."""
    return x if x.type.dtype == BOOL else x != 0


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
    return op("not", value) if value.type.dtype == BOOL else value == 0


remainder = _binary(
    "remainder", "mod",
    "The remainder of x / y with y's sign, that of a zero too, as Python's %. Integers give 0 for a zero divisor.",
    "-7, 3 -> 2",
)  # fmt: skip
mod = remainder


def fmod(x: ArrayLike, y: ArrayLike, /) -> Array:
    """The remainder of x / y with x's sign, as C's fmod. Integers give 0 for a zero divisor.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.fmod(jnp.array([-3, 3]), 2))
    [-1  1]
    """
    (x, y), weak = operands("fmod", x, y)
    check_accepts("fmod", "rem", x)
    out = op("rem", x, y)
    if x.type.dtype.is_integer:
        zero = fill(out.type.shape, 0, x.type.dtype)
        out = out if is_number(y) and y.ref != 0 else zero if is_number(y) else select(y == 0, zero, out)
    out.weak = weak
    return out


floor_divide = _binary(
    "floor_divide", "floor_div",
    "floor(x / y), of the promoted type; of integers rounded down as Python's //. Integers give -1 or -2 for a zero divisor.",
    "-7, 3 -> -3",
)  # fmt: skip


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
    exponent = whole_exponent(y)
    base = as_value(x, "power")
    if exponent is not None and base.type.dtype != BOOL and (not isinstance(y, float) or base.type.dtype.is_inexact):
        if exponent < 0 and not base.type.dtype.is_inexact:
            raise DTypeError(f"power: integers cannot be raised to the negative power {exponent}. Convert with .astype(float).")
        out = op("integer_pow", base, exponent=exponent)
        out.weak = base.weak
        return out
    (base, top), weak = operands("power", base, y)
    if base.type.dtype == BOOL:
        base, top = convert(base, I64), convert(top, I64)
    out = op("pow" if base.type.dtype.is_inexact else "pow_of_integers", base, top)
    out.weak = weak
    return out


def whole_exponent(y: ArrayLike) -> int | None:
    """An exponent known now that repeated multiplication serves: an integer, or a small whole float."""
    if type(y) in (int, np.int64):
        return int(y)
    return int(y) if type(y) in (float, np.float64) and y.is_integer() and abs(y) <= 4 else None


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
    def function(x1: ArrayLike, x2: ArrayLike) -> Array:
        (x, y), weak = operands(name, x1, x2, whole=True)
        check_accepts(name, op_name, x)
        out = op(op_name, x, y)
        if is_float(x):
            out = select(x != x, y, select(y != y, x, out))
        out.weak = weak
        return out

    return named(
        function, name,
        f"""The {word} of x1 and x2, the other one where one is nan.

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
    rtol, atol = (v if isinstance(v, float) else as_value(v, "isclose") for v in (rtol, atol))
    if not x.type.dtype.is_inexact:
        return less_equal(_distance(x, y), atol + rtol * abs(convert(y, F64)))
    near = less_equal(abs(x - y), atol + rtol * abs(y))
    out = (near & op("is_finite", y)) | (x == y)
    return out | ((x != x) & (y != y)) if equal_nan else out


def _distance(x: Array, y: Array) -> Array:
    """|x - y| of integers or bools as float64, rounded once: a difference of int64 can need 64 bits."""
    if x.type.dtype == BOOL:
        x, y = convert(x, U8), convert(y, U8)
    distance = op("max", x, y) - op("min", x, y)
    unsigned = unsigned_integer(distance.type.dtype.bits)
    return convert(op("bitcast_convert_type", distance, dtype=unsigned), F64)
