"""From what users pass to Arrays of one element type and one shape: promotion, broadcasting, axes.

`operands` serves every elementwise function; `array_arg` those that take one array. Next on the path: `elementwise.py`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence, Set
from functools import cache, lru_cache
from operator import index
from typing import Any, TypeGuard

from jitgrad.array import Array, as_value
from jitgrad.config import config
from jitgrad.errors import ArgumentError, DTypeError, ImmutableArrayError, JitgradError, ParametersError, ShapeError, shown
from jitgrad.promotion import default_float, dtype_name, promote, strong_dtype
from jitgrad_compiler.ir.builder import Weak, bind
from jitgrad_compiler.ir.graph import OPS
from jitgrad_compiler.ir.types import BOOL, F64, DType
from jitgrad_compiler.ops.define import ACCEPTS

from .array_ops import Shape, broadcast_right, convert, is_number, op

ArrayLike = Any
LARGEST_SIZE = 2**63 - 1


def strong(x: Array) -> Array:
    """x as an array by itself: a weak float of Python's becomes default_float."""
    return convert(x, strong_dtype(x.type.dtype, x.weak)) if x.weak else x


def array_arg(where: str, x: ArrayLike, dtype: Any = None) -> Array:
    """An operand as an Array that is not weak, in `dtype` where one is given."""
    value = as_value(x, where)
    return strong(value) if dtype is None else convert(value, dtype_name(dtype))


def stored(where: str, x: ArrayLike, dtype: DType, infinite: bool = False) -> Array:
    """An operand in the element type of the array that it is put into. Raises DTypeError where its imaginary part would be lost,
    and for Python's NaN and, unless they may stand for the least and the largest integer (`infinite`), infinities into integers.
    """
    value = as_value(x, where)
    if value.type.dtype.is_complex and not dtype.is_complex:
        raise DTypeError(
            f"{where}: a complex number does not fit in an array of {dtype.numpy}, which has no imaginary part; take jnp.real of "
            "it, or convert the array with .astype"
        )
    if (
        value.weak
        and dtype.is_integer
        and value.type.dtype.is_float
        and value.owner is None
        and not (math.isfinite(value.data()) or infinite and not math.isnan(value.data()))
    ):
        raise DTypeError(
            f"{where}: {value.data()} does not fit in an array of {dtype.numpy}; convert the array with .astype(float)"
        )
    return convert(value, dtype)


def inexact_arg(where: str, x: ArrayLike, dtype: Any = None) -> Array:
    """An operand as a float or complex Array that is not weak."""
    value = as_value(x, where) if dtype is None else array_arg(where, x, dtype)
    return convert(value, strong_dtype(*as_inexact(value.type.dtype, value.weak)))


def real_arg(where: str, x: ArrayLike) -> Array:
    """An operand as a float Array that is not weak. Raises DTypeError for complex ones, whose squares are no sizes."""
    value = inexact_arg(where, x)
    if is_complex(value):
        raise DTypeError(f"{where}: takes real numbers, got {value.dtype}. Take jnp.real, jnp.imag or jnp.abs of them.")
    return value


def real_number_arg(where: str, name: str, x: ArrayLike) -> Array:
    """One real number, which may be traced, as an Array that is not weak. Raises ParametersError for other arrays."""
    value = array_arg(where, x)
    if value.type.shape or is_complex(value) or value.type.dtype == BOOL:
        raise ParametersError(f"{where}: {name} must be a real number, got {shown(x)}")
    return value


@lru_cache(maxsize=4096)
def promote_all(types: tuple[tuple[DType, Weak], ...], default: DType) -> tuple[DType, Weak]:
    """The element type of several operands, each given with its weakness; the strong ones meet first, so order does not matter."""
    ordered = sorted(types, key=lambda t: bool(t[1]))
    dtype, weak = ordered[0]
    for other, other_weak in ordered[1:]:
        dtype, weak = promote(dtype, weak, other, other_weak, default)
    return dtype, weak


config.listen("jax_enable_x64", lambda _: promote_all.cache_clear())


@lru_cache(maxsize=4096)
def broadcast_shape(where: str, shapes: tuple[Shape, ...]) -> Shape:
    """The shape that all shapes broadcast to by NumPy's rule.

    Raises ShapeError that names the function and the shapes.
    """
    rank = max(map(len, shapes), default=0)
    out = [1] * rank
    for shape in shapes:
        for i, n in enumerate(shape, start=rank - len(shape)):
            if n != 1 and out[i] not in (1, n):
                raise ShapeError(
                    f"{where}: shapes {' and '.join(map(str, shapes))} do not broadcast: axis {i - rank} has sizes {out[i]}, {n}. "
                    "Sizes must be equal or 1, counted from the last axis; insert axes with x[:, None] or reshape."
                )
            out[i] = n if out[i] == 1 else out[i]
    return tuple(out)


def broadcasts_to(shape: Shape, target: Shape) -> bool:
    """Whether an array of a shape can be repeated to a target shape."""
    return len(shape) <= len(target) and all(n in (1, m) for n, m in zip(shape[::-1], target[::-1], strict=False))


def common_dtype(values: Sequence[Array]) -> tuple[DType, Weak]:
    """The element type that values promote to, and whether it is weak."""
    first = values[0]
    if all(v.type.dtype == first.type.dtype and not v.weak for v in values):
        return first.type.dtype, False
    return promote_all(tuple((v.type.dtype, v.weak) for v in values), default_float())


def as_inexact(dtype: DType, weak: Weak) -> tuple[DType, Weak]:
    """The float or complex type for a function of analysis, and its weakness; a weak integer stays in 64 bits."""
    if dtype.is_inexact:
        return dtype, weak
    return (F64, weak) if weak and dtype != BOOL else (default_float(), False)


def operands(where: str, *xs: ArrayLike, inexact: bool = False, whole: bool = False) -> tuple[list[Array], Weak]:
    """Arrays of one element type and one shape, and the weakness of their result.

    Scalar constants stay scalars, unless they are wanted `whole`, for formulas that compute with one operand alone.
    """
    values = [as_value(x, where) for x in xs]
    dtype, weak = common_dtype(values)
    if weak and any(v.type.shape for v in values):
        dtype, weak = strong_dtype(dtype, weak), False
    if inexact:
        dtype, weak = as_inexact(dtype, weak)
    values = broadcast_together(where, [convert(v, dtype) for v in values])
    if whole and any(v.type.shape for v in values):
        shape = next(v.type.shape for v in values if not is_number(v))
        values = [broadcast_right(v, shape) for v in values]
    return values, weak


def broadcast_together(where: str, values: list[Array]) -> list[Array]:
    """Arrays broadcast to one shape; scalar constants stay as they are."""
    shape = values[0].type.shape
    if all(v.type.shape == shape for v in values):
        return values
    shape = broadcast_shape(where, tuple(v.type.shape for v in values))
    return [v if v.type.shape == shape or is_number(v) else broadcast_right(v, shape) for v in values]


def check_accepts(where: str, name: str, x: Array) -> None:
    """Raise DTypeError, in the words of the function that the user called, for an element type that the op does not take."""
    accepted = ACCEPTS[OPS[name].traits.accepts]
    if x.type.dtype not in accepted:
        names = ", ".join(str(t.numpy) for t in accepted)
        raise DTypeError(f"{where} takes the element types {names}; got {x.type.dtype.numpy}. Convert with .astype.")


@cache
def _as_they_are(name: str, inexact: bool) -> frozenset[DType]:
    """The element types that an op takes without any promotion."""
    return frozenset(t for t in ACCEPTS[OPS[name].traits.accepts] if t.is_inexact or not inexact)


def elementwise(where: str, name: str, *xs: ArrayLike, inexact: bool = False) -> Array:
    """An elementwise op done to operands of any types and shapes that go together."""
    first = xs[0]
    if type(first) is Array and not first.weak and first.type.dtype in _as_they_are(name, inexact):
        if all([type(x) is Array and x.type == first.type and not x.weak for x in xs[1:]]):
            return bind(OPS[name], *xs)  # type: ignore[return-value]
    values, weak = operands(where, *xs, inexact=inexact)
    check_accepts(where, name, values[0])
    out = op(name, *values)
    if weak and out.type.dtype != BOOL:
        out.weak = weak
    return out


def is_complex(x: Array) -> bool:
    return x.type.dtype.is_complex


def is_float(x: Array) -> bool:
    return x.type.dtype.is_float


def is_inexact(x: Array) -> bool:
    return x.type.dtype.is_inexact


def is_real_number(x: Any) -> bool:
    """Whether x is one real number, no string and not traced."""
    try:
        return not isinstance(x, (str, bytes)) and float(x) is not None
    except (TypeError, ValueError, OverflowError):
        return False


def axis_number(where: str, axis: Any, rank: int) -> int:
    """An axis counted from the front.

    Raises ArgumentError for one that does not exist.
    """
    try:
        number = index(axis)
    except TypeError:
        raise ArgumentError(f"{where}: axis must be an integer, got {axis!r}") from None
    if not -rank <= number < rank:
        known = f"; give one from {-rank} to {rank - 1}" if rank else ""
        raise ArgumentError(f"{where}: axis {number} does not exist in an array with {rank} axes{known}")
    return number % rank


def axes_tuple(where: str, axis: Any, rank: int) -> Shape:
    """One axis, several or (None) all, as sorted numbers from the front."""
    if axis is None:
        return tuple(range(rank))
    axes = [axis_number(where, a, rank) for a in axis] if isinstance(axis, (tuple, list)) else [axis_number(where, axis, rank)]
    if len(set(axes)) != len(axes):
        raise ArgumentError(f"{where}: axis {axis} names an axis twice")
    return tuple(sorted(axes))


def size_arg(where: str, n: Any, what: str, least: int | None = None) -> int:
    """A size or another number that must be an integer, of `least` or more; `what` says so. Raises ParametersError for others."""
    try:
        size = int(index(n))
    except JitgradError:
        raise
    except TypeError:
        pass
    else:
        if least is not None and size < least:
            raise ParametersError(f"{where}: {what} of {least} or more, got {size}")
        if not -(2**63) <= size < 2**63:
            raise ParametersError(f"{where}: {what} of 64 bits, got {size}")
        return size
    advice = ""
    if isinstance(n, float) and n.is_integer():
        advice = f" Write {int(n)}; a quotient of integers is one with //."
    elif isinstance(n, Array):
        advice = " Make it an integer with int(), outside of jit."
    raise ParametersError(f"{where}: {what}, got {type(n).__name__}: {str(n)[:60]!r}.{advice}")


def sizes_arg(where: str, shape: Any) -> Shape:
    """The integers of a shape, which may be negative. Raises what `size_arg` raises."""
    what = "a shape is an integer or a tuple of integers"
    if isinstance(shape, (str, bytes, Set, Mapping)):
        size_arg(where, shape, what)
    if isinstance(shape, (tuple, list)) or (hasattr(shape, "__iter__") and getattr(shape, "ndim", None) != 0):
        return tuple([size_arg(where, n, what) for n in shape])
    return (size_arg(where, shape, what),)


def shape_arg(where: str, shape: Any) -> Shape:
    """A shape given as an integer or a sequence of integers.

    Raises ArgumentError for negative sizes, and what `size_arg` raises.
    """
    if type(shape) is tuple:
        for n in shape:
            if type(n) is not int or not 0 <= n <= LARGEST_SIZE:
                break
        else:
            if math.prod(shape) <= LARGEST_SIZE:
                return shape
    sizes = sizes_arg(where, shape)
    if any(n < 0 for n in sizes):
        raise ArgumentError(f"{where}: a shape has sizes of 0 or more, got {shape}")
    if any(n > LARGEST_SIZE for n in sizes):
        raise ArgumentError(f"{where}: a shape has sizes that fit in 64 bits, got {shape}")
    if math.prod(sizes) > LARGEST_SIZE:
        raise ArgumentError(f"{where}: a shape has fewer than 2**63 elements, got {shape}")
    return sizes


def is_several(x: Any) -> TypeGuard[Sequence[Any]]:
    """Whether an argument that may be one number or a sequence of them is a sequence; text, and bytes, are not."""
    return isinstance(x, Sequence) and not isinstance(x, (str, bytes))


def one_of(where: str, name: str, value: Any, choices: Sequence[Any]) -> None:
    """Raise ArgumentError for an argument that is none of its choices."""
    if not any(value is c or (isinstance(value, str) and value == c) for c in choices):
        raise ArgumentError(f"{where}: {name} must be one of {', '.join(map(repr, choices))}, got {value!r}")


def no_out(where: str, out: Any) -> None:
    """Arrays are immutable, so `out`, kept for the order of arguments, must be None."""
    if out is not None:
        raise ArgumentError(f"{where}: out= is not supported, because arrays are immutable; use the returned array")


def not_in_place(where: str, inplace: bool) -> None:
    """Raise ImmutableArrayError unless `inplace` is False: NumPy's function of that name changes its argument."""
    if inplace:
        raise ImmutableArrayError(f"{where}: arrays are immutable; use the returned array, with inplace=False")
