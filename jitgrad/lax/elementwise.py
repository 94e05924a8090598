"""jax.lax's elementwise functions: operands of one element type, scalars or of one rank, go in; each op of the compiler comes out.

Nothing is promoted but Python scalars, which take the type of the arrays beside them; the functions of `jitgrad.numpy` promote.
Each function is a row made by `_elementwise`. Next on the path: `reductions.py`.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from typing import Any

from jitgrad import array_ops as ops
from jitgrad.array import Array, as_value
from jitgrad.at_once import one_op
from jitgrad.bit_patterns import read_as
from jitgrad.errors import ArgumentError, DTypeError, ShapeError
from jitgrad.operands import broadcast_shape, common_dtype, strong
from jitgrad.promotion import strong_dtype
from jitgrad_compiler.ir.builder import Weak
from jitgrad_compiler.ir.graph import OPS
from jitgrad_compiler.ir.types import BOOL, I32, I64, U64, complex_of

from .arguments import element_type_arg

ArrayLike = Any
DTypeLike = Any


def same_dtype(where: str, values: Sequence[Array]) -> tuple[list[Array], Weak]:
    """Values in one element type, and whether it is weak. Weak scalars adapt.

    Raises DTypeError where two strong types differ.
    """
    strong_types = {v.type.dtype for v in values if not v.weak}
    dtype, weak = common_dtype(values)
    if len(strong_types) > 1 or (strong_types and dtype not in strong_types):
        listed = ", ".join(str(v.dtype) + (" (a scalar)" if v.weak else "") for v in values)
        raise DTypeError(
            f"lax.{where}: operands must have one element type, got {listed}. Convert them with .astype, or use the function of "
            "jitgrad.numpy, which promotes."
        )
    if weak and any(v.type.shape for v in values):
        dtype, weak = strong_dtype(dtype, weak), False
    return [ops.convert(v, dtype) for v in values], weak


def same_shape(where: str, values: list[Array]) -> list[Array]:
    """Values broadcast to one shape: scalars to any, others along axes of size 1.

    Raises ShapeError where arrays differ in rank: lax adds no axes.
    """
    ranks = {v.type.rank for v in values} - {0}
    if len(ranks) > 1:
        raise ShapeError(
            f"lax.{where}: operands that are no scalars must have one number of axes, got shapes "
            f"{', '.join(str(v.type.shape) for v in values)}. Use lax.broadcast_in_dim, or the function of jitgrad.numpy, "
            "which broadcasts."
        )
    shape = values[0].type.shape
    if all(v.type.shape == shape for v in values):
        return values
    shape = broadcast_shape(f"lax.{where}", tuple(v.type.shape for v in values))
    return [v if v.type.shape == shape or ops.is_number(v) else ops.broadcast_right(v, shape) for v in values]


def apply(where: str, name: str, *xs: ArrayLike, **params: Any) -> Array:
    """An elementwise op done to operands of one type."""
    values, weak = same_dtype(where, [as_value(x, f"lax.{where}") for x in xs])
    out = ops.op(name, *same_shape(where, values), **params)
    out.weak = weak if out.type.dtype == values[0].type.dtype else False
    return out


def _elementwise(name: str, op: str = "") -> Callable[..., Array]:
    """lax's function of a name, and of as many operands as the op takes."""
    made = OPS[op or name]
    arity = made.traits.arity

    if arity == 1:

        def function(x: ArrayLike) -> Array:
            return apply(name, made.name, x)
    elif arity == 2:

        def function(x: ArrayLike, y: ArrayLike) -> Array:  # type: ignore[misc]
            return apply(name, made.name, x, y)
    else:
        raise TypeError(f"{name} has {arity} operands")

    one_op(function, made)
    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{made.doc}\n\nElement types: {made.traits.accepts}. Raises DTypeError for others" + (
        " and for operands of two types, ShapeError for shapes that do not fit." if arity == 2 else "."
    )
    return function


abs = _elementwise("abs")
acos = _elementwise("acos")
acosh = _elementwise("acosh")
add = _elementwise("add")
asin = _elementwise("asin")
asinh = _elementwise("asinh")
atan = _elementwise("atan")
atan2 = _elementwise("atan2")
atanh = _elementwise("atanh")
bitwise_and = _elementwise("bitwise_and", "and")
bitwise_not = _elementwise("bitwise_not", "not")
bitwise_or = _elementwise("bitwise_or", "or")
bitwise_xor = _elementwise("bitwise_xor", "xor")
cbrt = _elementwise("cbrt")
ceil = _elementwise("ceil")
clz = _elementwise("clz")
complex = _elementwise("complex")
cos = _elementwise("cos")
cosh = _elementwise("cosh")
digamma = _elementwise("digamma")
div = _elementwise("div")
eq = _elementwise("eq")
erf = _elementwise("erf")
erf_inv = _elementwise("erf_inv")
erfc = _elementwise("erfc")
exp = _elementwise("exp")
exp2 = _elementwise("exp2")
expm1 = _elementwise("expm1")
floor = _elementwise("floor")
ge = _elementwise("ge")
gt = _elementwise("gt")
imag = _elementwise("imag")
is_finite = _elementwise("is_finite")
le = _elementwise("le")
lgamma = _elementwise("lgamma")
log = _elementwise("log")
log1p = _elementwise("log1p")
lt = _elementwise("lt")
max = _elementwise("max")
min = _elementwise("min")
ne = _elementwise("ne")
neg = _elementwise("neg")
population_count = _elementwise("population_count")
real = _elementwise("real")
rem = _elementwise("rem")
rsqrt = _elementwise("rsqrt")
shift_left = _elementwise("shift_left")
shift_right_arithmetic = _elementwise("shift_right_arithmetic")
shift_right_logical = _elementwise("shift_right_logical")
sign = _elementwise("sign")
sin = _elementwise("sin")
sinh = _elementwise("sinh")
sqrt = _elementwise("sqrt")
sub = _elementwise("sub")
tan = _elementwise("tan")
tanh = _elementwise("tanh")


def mul(x: ArrayLike, y: ArrayLike, *, out_dtype: DTypeLike = None) -> Array:
    """x * y, element by element. out_dtype: both are converted to it first.

    Raises DTypeError for operands of two types, ShapeError for shapes that do not fit.

    >>> import jitgrad.numpy as jnp
    >>> print(mul(jnp.int8(100), jnp.int8(3), out_dtype="int32"))
    300
    """
    if out_dtype is None:
        return apply("mul", "mul", x, y)
    values, _ = same_dtype("mul", [as_value(v, "lax.mul") for v in (x, y)])
    return apply("mul", "mul", *[ops.convert(v, element_type_arg("lax.mul", "out_dtype", out_dtype)) for v in values])


def nextafter(x1: ArrayLike, x2: ArrayLike) -> Array:
    """The next float after x1 towards x2. Raises DTypeError for others than floats, ShapeError for shapes that do not fit.

    >>> print(nextafter(1.0, 2.0) > 1.0)
    True
    """
    return apply("nextafter", "nextafter", x1, x2)


def square(x: ArrayLike) -> Array:
    """x * x.

    >>> print(square(3.0))
    9.0
    """
    return apply("square", "integer_pow", x, exponent=2)


def reciprocal(x: ArrayLike) -> Array:
    """1 / x, of floats and complex numbers.

    >>> print(reciprocal(4.0))
    0.25
    """
    return apply("reciprocal", "div", 1.0, x)


def logistic(x: ArrayLike) -> Array:
    """1 / (1 + exp(-x)), of floats and complex numbers. Raises DTypeError for others.

    >>> print(logistic(0.0))
    0.5
    """
    value = as_value(x, "lax.logistic")
    if not value.type.dtype.is_complex:
        return apply("logistic", "logistic", value)
    return reciprocal(add(exp(neg(value)), 1.0))


def integer_pow(x: ArrayLike, y: int) -> Array:
    """x to the power of a Python int; an integer x takes no negative ones.

    >>> print(integer_pow(2.0, -1))
    0.5
    """
    if not isinstance(y, int):
        raise ArgumentError(f"lax.integer_pow: the exponent must be a Python int, got {type(y).__name__}. Use lax.pow for arrays.")
    return apply("integer_pow", "integer_pow", x, exponent=y)


def pow(x: ArrayLike, y: ArrayLike) -> Array:
    """x to the power y; x is of a float or complex type, y of the same or an integer type.

    >>> print(pow(2.0, 3))
    8.0
    """
    base, exponent = as_value(x, "lax.pow"), as_value(y, "lax.pow")
    if exponent.type.dtype.is_integer and not exponent.weak:
        base = strong(base)
        exponent = ops.convert(exponent, base.type.dtype)
    return apply("pow", "pow", base, exponent)


class RoundingMethod(enum.Enum):
    """Where halves go: away from zero, or to the nearest even integer."""

    AWAY_FROM_ZERO = 0
    TO_NEAREST_EVEN = 1


def round(x: ArrayLike, rounding_method: RoundingMethod = RoundingMethod.AWAY_FROM_ZERO) -> Array:
    """The nearest integer, as a float.

    >>> print(round(2.5), round(2.5, RoundingMethod.TO_NEAREST_EVEN))
    3.0 2.0
    """
    names = {RoundingMethod.AWAY_FROM_ZERO: "round_away", RoundingMethod.TO_NEAREST_EVEN: "round_even"}
    if not isinstance(rounding_method, (RoundingMethod, int)) or rounding_method not in names:
        raise ArgumentError(f"lax.round: rounding_method must be a lax.RoundingMethod, got {rounding_method!r}")
    return apply("round", names[rounding_method], x)


def clamp(min: ArrayLike, x: ArrayLike, max: ArrayLike) -> Array:
    """x held between `min` and `max`, which are scalars or of x's shape. The derivative is 1 inside, 0 outside.

    >>> print(clamp(0.0, 3.0, 2.0))
    2.0
    """
    lowest, value, highest = (as_value(v, "lax.clamp") for v in (min, x, max))
    for bound in (lowest, highest):
        if bound.type.shape not in ((), value.type.shape):
            raise ShapeError(f"lax.clamp: bounds must be scalars or of shape {value.type.shape}, got {bound.type.shape}")
    values, weak = same_dtype("clamp", [lowest, value, highest])
    lowest, value, highest = same_shape("clamp", values)
    out = ops.op("min", ops.op("max", value, lowest), highest)
    out.weak = weak
    return out


def select(pred: ArrayLike, on_true: ArrayLike, on_false: ArrayLike) -> Array:
    """on_true where `pred` (bool, a scalar or of their shape) holds, else on_false. The two are of one shape and type.

    >>> print(select(True, 1.0, 2.0))
    1.0
    """
    return select_n(pred, on_false, on_true)


def select_n(which: ArrayLike, *cases: ArrayLike) -> Array:
    """Each element from the case that `which` names: bool for two cases, int32 in [0, len(cases)) for any number.

    `which` is a scalar or of the cases' shape. Raises DTypeError for other types of `which`, ShapeError for cases of two shapes.

    >>> import jitgrad.numpy as jnp
    >>> print(select_n(jnp.array([True, False]), jnp.array([1, 2]), jnp.array([3, 4])))
    [3 2]
    """
    if not cases:
        raise ArgumentError("lax.select_n: needs at least one case")
    values, weak = same_dtype("select", [as_value(c, "lax.select") for c in cases])
    shapes = {v.type.shape for v in values}
    if len(shapes) > 1:
        raise ShapeError(f"lax.select: all cases must have one shape, got {', '.join(str(v.type.shape) for v in values)}")
    chooser = as_value(which, "lax.select")
    shape = values[0].type.shape
    if chooser.type.shape not in ((), shape):
        raise ShapeError(f"lax.select: the condition must be a scalar or of shape {shape}, got {chooser.type.shape}")
    if chooser.type.dtype != BOOL and not (chooser.type.dtype == I32 or (chooser.weak and chooser.type.dtype == I64)):
        raise DTypeError(f"lax.select: the condition must be bool or int32, got {chooser.dtype}")
    if chooser.type.dtype == BOOL and len(values) != 2:
        raise ArgumentError(f"lax.select_n: a bool chooses between two cases, got {len(values)}")
    if not ops.is_number(chooser):
        chooser = ops.broadcast_right(chooser, shape)
    if chooser.type.dtype == BOOL:
        out = ops.select(chooser, values[1], values[0])
    else:
        out = values[-1]
        for i in range(len(values) - 2, -1, -1):
            out = ops.select(ops.op("eq", chooser, ops.constant(i, chooser.type.dtype)), values[i], out)
    out.weak = weak
    return out


def conj(x: ArrayLike) -> Array:
    """The conjugate, a complex number; a float has the imaginary part 0.

    >>> print(conj(3.0 + 4.0j), conj(2.0))
    (3-4j) (2+0j)
    """
    value = as_value(x, "lax.conj")
    if not value.type.dtype.is_float:
        return apply("conj", "conj", value)
    out = ops.convert(value, complex_of(value.type.dtype))
    out.weak = value.weak
    return out


def mulhi(x: ArrayLike, y: ArrayLike) -> Array:
    """The upper half of the product of two integers of n bits, which has 2 n bits.

    Raises DTypeError for other types and for operands of two types, ShapeError for shapes that do not fit.

    >>> import jitgrad.numpy as jnp
    >>> print(mulhi(jnp.int32(2**30), jnp.int32(2**30)))
    268435456
    """
    values, weak = same_dtype("mulhi", [as_value(v, "lax.mulhi") for v in (x, y)])
    dtype = values[0].type.dtype
    if not dtype.is_integer:
        raise DTypeError(f"lax.mulhi: operands must be integers, got {values[0].dtype}")
    a, b = same_shape("mulhi", values)
    bits = 8 * dtype.nbytes
    if bits < 64:
        wide = U64 if dtype.is_unsigned else I64
        out = ops.convert(_shifted(ops.op("mul", ops.convert(a, wide), ops.convert(b, wide)), bits), dtype)
    else:
        out = _high_of_64(a, b)
    out.weak = weak
    return out


def _shifted(x: Array, bits: int) -> Array:
    """x without its last bits."""
    name = "shift_right_logical" if x.type.dtype.is_unsigned else "shift_right_arithmetic"
    return ops.op(name, x, ops.constant(bits, x.type.dtype))


def _high_of_64(x: Array, y: Array) -> Array:
    """mulhi of 64 bits, from the products of halves (Hacker's Delight, section 8-2)."""
    dtype = x.type.dtype
    a, b = (v if dtype == U64 else ops.op("bitcast_convert_type", v, dtype=U64) for v in (x, y))
    low = [ops.op("and", v, ops.constant(2**32 - 1, U64)) for v in (a, b)]
    high = [_shifted(v, 32) for v in (a, b)]
    first = ops.op("add", ops.op("mul", high[0], low[1]), _shifted(ops.op("mul", low[0], low[1]), 32))
    second = ops.op("add", ops.op("mul", low[0], high[1]), ops.op("and", first, ops.constant(2**32 - 1, U64)))
    out = ops.op("add", ops.op("mul", high[0], high[1]), ops.op("add", _shifted(first, 32), _shifted(second, 32)))
    if dtype == U64:
        return out
    zero = ops.constant(0, I64)
    for v, other in ((x, b), (y, a)):  # a negative number is 2**64 less than the same bits without a sign
        out = ops.op("sub", out, ops.select(ops.op("lt", v, zero), other, ops.constant(0, U64)))
    return ops.op("bitcast_convert_type", out, dtype=I64)


def convert_element_type(operand: ArrayLike, new_dtype: DTypeLike) -> Array:
    """The operand in another element type. Floats to integers truncate and saturate; complex to real drops the imaginary part.

    >>> print(convert_element_type(2.9, "int32"))
    2
    """
    kind = element_type_arg("lax.convert_element_type", "new_dtype", new_dtype)
    return ops.convert(as_value(operand, "lax.convert_element_type"), kind)


def bitcast_convert_type(operand: ArrayLike, new_dtype: DTypeLike) -> Array:
    """The same bits read as another element type.

    Of a smaller type the parts of an element, the lowest first, are a new last axis; of a larger one the last axis has its parts,
    and goes. Raises DTypeError for bools and complex numbers, ShapeError for a last axis of another size.

    >>> import jitgrad.numpy as jnp
    >>> print(bitcast_convert_type(jnp.float32(1.0), "uint32"), bitcast_convert_type(jnp.float32(1.0), "uint8"))
    1065353216 [  0   0 128  63]
    """
    kind = element_type_arg("lax.bitcast_convert_type", "new_dtype", new_dtype)
    return read_as("lax.bitcast_convert_type", strong(as_value(operand, "lax.bitcast_convert_type")), kind)
