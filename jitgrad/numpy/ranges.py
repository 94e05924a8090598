"""Numbers at equal steps: arange, linspace, logspace, geomspace. Whole numbers are counted exactly."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from jitgrad.array import Array, as_value, from_numpy
from jitgrad.array_ops import Shape, broadcast, constant, convert, fill, iota, limits, op, select
from jitgrad.devices import default_backend
from jitgrad.errors import ArgumentError, DTypeError, NumberRangeError
from jitgrad.operands import ArrayLike, axis_number, broadcast_shape, common_dtype, operands, size_arg, strong
from jitgrad.promotion import dtype_name, narrowed, strong_dtype
from jitgrad.transfers import beside, placed
from jitgrad_compiler.ir.builder import state
from jitgrad_compiler.ir.types import BOOL, C128, F64, I64, INEXACT, U64, DType


def arange(start: Any, stop: Any = None, step: Any = None, dtype: Any = None, *, device: Any = None) -> Array:
    """start, start + step, ... up to but without stop (from 0 where only one is given); int64 unless a float is among them.

    With an integer dtype the steps are whole as in NumPy: that from the first number to the second, both truncated. Later numbers
    wrap where they leave the type. The bounds decide the shape, so they must be concrete numbers; else ConcretizationTypeError.
    ArgumentError for a step of 0, NumberRangeError where the first or second number, or without dtype a bound, does not fit in the
    type, DTypeError for more than two bools.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.arange(4), jnp.arange(0, 1, 0.25))
    [0 1 2 3] [0.   0.25 0.5  0.75]
    """
    if start is None:
        raise ArgumentError("arange: start must be a number, got None")
    given = [v for v in (start, stop, step) if v is not None]
    numbers = [v if isinstance(v, (int, float)) else as_value(v, "arange").scalar("arange") for v in given]
    kind = _kind_of_bounds(given, numbers) if dtype is None else dtype_name(dtype)
    first, last = (0, numbers[0]) if stop is None else numbers[:2]
    by = numbers[-1] if step is not None else 1
    if by == 0:
        raise ArgumentError("arange: the step must not be 0")
    count = _steps(first, last, by)
    by = by if count > 1 else 1
    if kind == BOOL and count > 2:
        raise DTypeError(f"arange: bool has two numbers, and {count} are asked for")
    if kind.is_integer:
        first, by = _whole_start(first, by, count, kind)
    elif not all(isinstance(v, int) and -(2**63) <= v < 2**63 for v in (first, by)):
        first, by = float(first), float(by)
    if state.staging is None and default_backend() == "cpu":  # a GPU makes its own numbers
        return placed("arange", from_numpy((first + by * np.arange(count)).astype(kind.numpy)), device)
    out = iota((count,), 0, kind if (first, by) == (0, 1) and kind != BOOL else I64 if isinstance(first, int) else F64)
    out = out if by == 1 else out * by
    return placed("arange", convert(out if first == 0 else out + first, kind), device)


def _kind_of_bounds(given: list[Any], numbers: list[Any]) -> DType:
    """The type that the bounds have together, int64 for bools."""
    kind = strong_dtype(*common_dtype([_bound(v) for v in given]))
    if kind.is_integer:
        for number in numbers:
            _check_fits(number, kind)
    return narrowed(I64) if kind == BOOL else kind


def _whole_start(first: Any, by: Any, count: int, kind: DType) -> tuple[int, int]:
    """The first number and the step of a range of integers, modulo 2**64, in which sums and products of them are right."""
    start, second = int(first), int(first + by) if count > 1 else int(first) + 1
    for number in (start, second)[:count]:
        _check_fits(number, kind)
    return (start + 2**63) % 2**64 - 2**63, (second - start + 2**63) % 2**64 - 2**63


def _check_fits(number: int, kind: DType) -> None:
    info = limits(kind)
    if not info.min <= number <= info.max:
        raise NumberRangeError(f"arange: {number} does not fit in {kind.numpy}, which goes from {info.min} to {info.max}")


def _bound(v: Any) -> Array:
    """A bound of arange; a Python int that only uint64 can hold is of that type, as in NumPy."""
    return as_value(np.uint64(v) if type(v) is int and 2**63 <= v < 2**64 else v, "arange")


def _steps(first: Any, last: Any, by: Any) -> int:
    """How many numbers first, first + by, ... come before last; one at least where the step leads towards it."""
    if all(isinstance(v, int) for v in (first, last, by)):
        return max(0, -((first - last) // by))
    steps = (last - first) / by
    if not math.isfinite(steps):
        raise ArgumentError(f"arange: from {first} to {last} by {by} there is no number of steps")
    return 1 if steps == 0 and (last > first) == (by > 0) and last != first else max(0, math.ceil(steps))


def linspace(
    start: ArrayLike,
    stop: ArrayLike,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: int = 0,
    *,
    device: Any = None,
) -> Any:
    """`num` numbers in equal steps from start to stop, which is the last one unless endpoint is False.

    start and stop may be arrays, which broadcast; the new axis is put at `axis`. With retstep also the step. Integers give
    default_float; an integer dtype rounds down, and holds numbers beyond its ends to them. Raises ArgumentError for a negative num.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.linspace(0, 1, 5))
    [0.   0.25 0.5  0.75 1.  ]
    """
    num = size_arg("linspace", num, "num is an integer, how many numbers there are")
    if num < 0:
        raise ArgumentError(f"linspace: num must be 0 or more, got {num}")
    wanted = None if dtype is None else dtype_name(dtype)
    ends = [as_value(v, "linspace") for v in (start, stop)]
    steps = num - 1 if endpoint else num
    whole = wanted is not None and wanted.is_integer and all(v.type.dtype.is_integer and v.type.dtype != U64 for v in ends)
    (low, high), weak = operands("linspace", *ends, inexact=not whole)
    working = low.type.dtype if whole else _inexact_or(wanted, strong_dtype(low.type.dtype, weak))
    shape = (num, *broadcast_shape("linspace", (low.type.shape, high.type.shape)))
    wide = I64 if whole else WIDE[working]
    low, high = (broadcast(convert(v, wide), shape, tuple(range(len(shape) - v.type.rank, len(shape)))) for v in (low, high))
    spaced = _whole_steps if whole else _steps_between
    out = spaced(low, high, shape, steps, endpoint)
    target = wanted or working
    out = _held(out, target) if whole else convert(op("floor", out) if target.is_integer else out, target)
    at = axis_number("linspace", axis, len(shape))
    if at:
        out = op("transpose", out, permutation=(*range(1, at + 1), 0, *range(at + 1, len(shape))))
    out = placed("linspace", out, device)
    if not retstep:
        return out
    (one, other), _ = operands("linspace", start, stop, inexact=True)
    if steps > 0:
        return out, strong((other - one) / steps)
    return out, beside(fill((), math.nan, strong_dtype(one.type.dtype, weak)), out)


def _inexact_or(wanted: DType | None, default: Any) -> Any:
    """The element type that is asked for, if it is one to compute fractions in."""
    return wanted if wanted is not None and wanted.is_inexact else default


WIDE = {dtype: C128 if dtype.is_complex else F64 for dtype in INEXACT}


def _steps_between(low: Array, high: Array, shape: Shape, steps: int, endpoint: bool) -> Array:
    """low + i * step, which is exact where the step is a whole number; the last one is high itself.

    The difference of both can be too large for the type where they are not; then low * (1 - part) + high * part.
    """
    place = iota(shape, 0)
    number = convert(convert(place, F64), low.type.dtype)
    total, count = high - low, max(steps, 1)
    part = number / count
    out = select(op("is_finite", total), low + number * (total / count), low * (1 - part) + high * part)
    return select(place == steps, high, out) if endpoint and steps > 0 else out


def _whole_steps(low: Array, high: Array, shape: Shape, steps: int, endpoint: bool) -> Array:
    """floor(low + i * (high - low) / steps) in integers alone."""
    count, place = constant(max(steps, 1), I64), iota(shape, 0)
    whole = op("floor_div", high, count) - op("floor_div", low, count)  # high - low itself can need 65 bits
    rest = op("mod", high, count) - op("mod", low, count)
    return low + place * whole + op("floor_div", place * rest, count)


def _held(x: Array, dtype: DType) -> Array:
    """int64 numbers in an integer type: those that it cannot hold become its least or largest number, as floats do."""
    info = limits(dtype)
    low, high = (constant(max(min(int(end), 2**63 - 1), -(2**63)), I64) for end in (info.min, info.max))
    return convert(op("min", op("max", x, low), high), dtype)


def logspace(
    start: ArrayLike,
    stop: ArrayLike,
    num: int = 50,
    endpoint: bool = True,
    base: ArrayLike = 10.0,
    dtype: Any = None,
    axis: int = 0,
) -> Array:
    """base to the powers linspace(start, stop, num).

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.logspace(0, 2, 3))
    [  1.  10. 100.]
    """
    wanted = None if dtype is None else dtype_name(dtype)
    exponents = linspace(start, stop, num, endpoint, dtype=_inexact_or(wanted, None), axis=axis)
    out: Array = as_value(base, "logspace") ** exponents
    return out if wanted is None else convert(out, wanted)


def geomspace(start: ArrayLike, stop: ArrayLike, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0) -> Array:
    """`num` numbers from start to stop, each the same multiple of the one before. Both ends of one sign, and not 0.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.geomspace(1, 1000, 4).round(1))
    [   1.   10.  100. 1000.]
    """
    wanted = None if dtype is None else dtype_name(dtype)
    ends = [as_value(v, "geomspace") for v in (start, stop)]
    (low, high), weak = operands("geomspace", *ends, inexact=True)
    working = _inexact_or(wanted, strong_dtype(low.type.dtype, weak))
    low, high = (convert(v, working) for v in ends)
    num = size_arg("geomspace", num, "num must be an integer", 0)
    steps = num - 1 if endpoint else num
    shape = (num, *broadcast_shape("geomspace", (low.type.shape, high.type.shape)))
    low, high = (broadcast(v, shape, tuple(range(len(shape) - v.type.rank, len(shape)))) for v in (low, high))
    place = iota(shape, 0)
    real = low.type.dtype.real
    fraction = convert(convert(place, real) / max(steps, 1), low.type.dtype)
    out = low * op("exp", fraction * op("log", high / low))
    out = select(place == steps, high, out) if endpoint else out  # both ends exactly
    out = select(place == 0, low, out)  # and one number is the first
    at = axis_number("geomspace", axis, len(shape))
    out = op("transpose", out, permutation=(*range(1, at + 1), 0, *range(at + 1, len(shape)))) if at else out
    return out if wanted is None else convert(out, wanted)
