"""Differences, integrals, interpolation and convolution of sampled data; polynomials.py and windows.py have what is near."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from jitgrad.array import Array, as_value, from_numpy
from jitgrad.array_ops import broadcast, constant, convert, fill, flat, in_memory, op, reshape, slice_axis
from jitgrad.errors import ArgumentError, DTypeError, ShapeError
from jitgrad.operands import (
    ArrayLike,
    array_arg,
    axes_tuple,
    axis_number,
    common_dtype,
    inexact_arg,
    operands,
    real_number_arg,
    size_arg,
    stored,
)
from jitgrad.precision import check_precision
from jitgrad.promotion import dtype_name
from jitgrad_compiler.ir.types import BOOL, I64

from . import reductions
from .arithmetic import maximum, remainder
from .indexing import take_places
from .manipulation import concatenate, moveaxis, promoted
from .selection import where
from .sorting import argsort, searchsorted


def _size_one(x: Array, like: Array, axis: int) -> Array:
    """A value put beside an array along an axis: a number becomes a slice of size 1."""
    if x.type.shape:
        return x
    return broadcast(x, (*like.type.shape[:axis], 1, *like.type.shape[axis + 1 :]), ())


def _beside(where: str, v: ArrayLike, like: Array) -> Array:
    """v as an array; a weak scalar in the type that it takes beside `like`."""
    value = as_value(v, where)
    return convert(value, common_dtype([like, value])[0]) if value.weak else value


def diff(a: ArrayLike, n: int = 1, axis: int = -1, prepend: ArrayLike | None = None, append: ArrayLike | None = None) -> Array:
    """The difference of neighbours along an axis, n times; of bools whether they differ. The axis gets n shorter.

    prepend and append are put at the ends first, unless n is 0. Raises ArgumentError for a negative n.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.diff(jnp.array([1, 4, 9])))
    [3 5]
    """
    x = array_arg("diff", a)
    at = axis_number("diff", axis, x.type.rank)
    n = size_arg("diff", n, "n must be an integer", 0)
    ends = [None if v is None else _size_one(_beside("diff", v, x), x, at) for v in (prepend, append)]
    if n == 0:
        return x
    if any(v is not None for v in ends):
        x = concatenate([v for v in (ends[0], x, ends[1]) if v is not None], at)
    for _ in range(min(n, x.type.shape[at])):
        size = x.type.shape[at]
        low, high = slice_axis(x, at, 0, max(size - 1, 0)), slice_axis(x, at, min(1, size), size)
        x = op("ne", high, low) if x.type.dtype == BOOL else high - low
    return x


def ediff1d(ary: ArrayLike, to_end: ArrayLike | None = None, to_begin: ArrayLike | None = None) -> Array:
    """The differences of neighbours in the flattened array, with numbers put at the ends.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.ediff1d(jnp.array([1, 4, 9]), to_end=0))
    [3 5 0]
    """
    x = diff(flat(array_arg("ediff1d", ary)))
    ends = [None if v is None else flat(stored("ediff1d", v, x.type.dtype)) for v in (to_begin, to_end)]
    return concatenate([v for v in (ends[0], x, ends[1]) if v is not None])


def gradient(f: ArrayLike, *varargs: ArrayLike, axis: int | tuple[int, ...] | None = None, edge_order: int | None = None) -> Any:
    """The derivative of sampled values along axes: central differences inside, one-sided ones at the ends.

    varargs: nothing (distance 1), one distance for all axes, or for each axis a distance or the vector of coordinates.
    Of several axes a list. Raises ShapeError where an axis has fewer than 2 elements.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.gradient(jnp.array([0.0, 1.0, 4.0, 9.0])))
    [1. 2. 4. 5.]
    """
    x = inexact_arg("gradient", f)
    axes = axes_tuple("gradient", axis, x.type.rank)
    if edge_order not in (None, 1):
        raise ArgumentError(f"gradient: edge_order {edge_order} is not available; only 1 is")
    spacings: tuple[Any, ...] = (
        varargs if len(varargs) == len(axes) else varargs * len(axes) if len(varargs) == 1 else (1.0,) * len(axes)
    )
    if len(varargs) not in (0, 1, len(axes)):
        raise ArgumentError(f"gradient: needs no distance, one, or one for each of {len(axes)} axes; got {len(varargs)}")
    out = [_gradient_along(x, at, spacing) for at, spacing in zip(axes, spacings, strict=True)]
    return out[0] if len(out) == 1 else out


def _gradient_along(x: Array, at: int, spacing: ArrayLike) -> Array:
    n = x.type.shape[at]
    if n < 2:
        raise ShapeError(f"gradient: axis {at} of shape {x.type.shape} needs at least 2 elements")
    h = as_value(spacing, "gradient")

    def part(start: int, limit: int) -> Array:
        return slice_axis(x, at, start, limit)

    if not h.type.shape:
        first, last = (part(1, 2) - part(0, 1)) / h, (part(n - 1, n) - part(n - 2, n - 1)) / h
        middle = (part(2, n) - part(0, n - 2)) / (h * 2) if n > 2 else None
    else:
        if h.type.shape != (n,):
            raise ShapeError(f"gradient: coordinates must have shape {(n,)}, got {h.type.shape}")
        steps = broadcast(diff(convert(h, x.type.dtype)), (*x.type.shape[:at], n - 1, *x.type.shape[at + 1 :]), (at,))
        left, right = slice_axis(steps, at, 0, n - 2), slice_axis(steps, at, 1, n - 1)
        slopes = (part(1, n) - part(0, n - 1)) / steps
        first, last = slice_axis(slopes, at, 0, 1), slice_axis(slopes, at, n - 2, n - 1)
        low, high = slice_axis(slopes, at, 0, n - 2), slice_axis(slopes, at, 1, n - 1)
        # the derivative of the parabola through three points is the mean of the slopes, each weighted with the other's distance
        middle = (low * right + high * left) / (left + right) if n > 2 else None
    return concatenate([v for v in (first, middle, last) if v is not None], at)


def trapezoid(y: ArrayLike, x: ArrayLike | None = None, dx: ArrayLike = 1.0, axis: int = -1) -> Array:
    """The integral along an axis by the trapezoidal rule, over coordinates x or at distance dx, which may differ from step to step.

    x is a vector, or broadcasts with y; dx is a number, or broadcasts with the steps along the axis, put last.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.trapezoid(jnp.array([1.0, 2.0, 3.0])))
    4.0
    """
    values = inexact_arg("trapezoid", y)
    at = axis_number("trapezoid", axis, values.type.rank)
    n = values.type.shape[at]
    pairs = slice_axis(values, at, min(1, n), n) + slice_axis(values, at, 0, max(n - 1, 0))
    steps = as_value(dx, "trapezoid")
    if x is not None:
        coordinates = array_arg("trapezoid", x)
        steps = diff(moveaxis(coordinates, axis if coordinates.type.rank > 1 else 0, -1))
    elif not steps.type.shape:
        return op("reduce_sum", pairs, axes=(at,)) * (0.5 * steps)
    products: Array = moveaxis(pairs, at, -1) * steps * 0.5
    return op("reduce_sum", products, axes=(products.type.rank - 1,))


def interp(
    x: ArrayLike,
    xp: ArrayLike,
    fp: ArrayLike,
    left: ArrayLike | str | None = None,
    right: ArrayLike | str | None = None,
    period: ArrayLike | None = None,
) -> Array:
    """The value at x of the piecewise linear function through the points (xp, fp); xp is rising.

    Outside xp it is `left` and `right`, by default the first and last value; "extrapolate" goes on in a straight line.
    With a period xp need not be sorted, and nothing is outside: `left` and `right` are not looked at, as in NumPy and jax.
    Raises ShapeError unless xp and fp are vectors of one size, of at least 1, ArgumentError for other strings.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.interp(1.5, jnp.array([1.0, 2.0]), jnp.array([10.0, 20.0])))
    15.0
    """
    knots, values = (array_arg("interp", v) for v in (xp, fp))
    places = _beside("interp", x, knots)
    if knots.type.rank != 1 or knots.type.shape != values.type.shape or not knots.type.size:
        raise ShapeError(f"interp: xp and fp must be vectors of one size, got shapes {knots.type.shape} and {values.type.shape}")
    dtype = operands("interp", *[constant(0, v.type.dtype) for v in (places, knots)], inexact=True)[0][0].type.dtype
    places, knots = convert(places, dtype), convert(knots, dtype)
    values = convert(values, operands("interp", constant(0, values.type.dtype), constant(0, dtype), inexact=True)[0][0].type.dtype)
    for value in (left, right):
        if isinstance(value, str) and value != "extrapolate":
            raise ArgumentError(f"interp: left and right are numbers, None or 'extrapolate', got {value!r}")
    if period is not None:
        places, knots, values = _periodic(places, knots, values, period)
        left = right = None
    n = knots.type.shape[0]
    if n == 1:
        segment = fill(places.type.shape, 0, I64)
        inner = broadcast(reshape(values, ()), places.type.shape, ())
    else:
        segment = op("max", op("min", searchsorted(knots, places, "right") - 1, constant(n - 2, I64)), constant(0, I64))
        x0, y0 = (take_flat(v, segment) for v in (knots, values))
        x1, y1 = (take_flat(v, segment + 1) for v in (knots, values))
        width = x1 - x0
        flat_step = width == 0  # equal knots: a jump, whose right value holds
        part = convert((places - x0) / where(flat_step, 1.0, width), values.type.dtype)
        inner = where(flat_step, y1, _between(y0, y1, part))
    ends = [reshape(slice_axis(v, 0, i, i + 1), ()) for v in (knots, values) for i in (0, n - 1)]
    low, high, first, last = ends
    for value, edge, outside in ((left, first, places < low), (right, last, places > high)):
        if not isinstance(value, str):
            inner = where(outside, edge if value is None else as_value(value, "interp"), inner)
    return inner


def _between(low: Array, high: Array, part: Array) -> Array:
    """What lies a part of the way from low to high. Beside infinities and nan each end is itself still."""
    rise = high - low
    finite = op("is_finite", rise)
    straight = low + part * where(finite, rise, 0)
    weighted = where(part == 0, low, low * (1 - part)) + where(part == 1, high, high * part)
    endless = where(part == 0, low, where(part == 1, high, weighted))
    return where(finite, straight, endless)


def take_flat(v: Array, places: Array) -> Array:
    """A vector's elements at places that are all inside."""
    return op("gather", v, reshape(places, (*places.type.shape, 1)), axes=(0,), batch=0, mode="clip")


def _periodic(x: Array, xp: Array, fp: Array, period: ArrayLike) -> tuple[Array, Array, Array]:
    """All coordinates within one period, sorted, with the last point before and the first one behind them."""
    length = abs(convert(as_value(period, "interp"), x.type.dtype))
    x, xp = remainder(x, length), remainder(xp, length)
    order = argsort(xp)
    xp, fp = take_places(xp, order, 0), take_places(fp, order, 0)
    n = xp.type.shape[0]
    (first, last), (f_first, f_last) = ((slice_axis(v, 0, 0, 1), slice_axis(v, 0, n - 1, n)) for v in (xp, fp))
    return x, concatenate([last - length, xp, first + length]), concatenate([f_last, fp, f_first])


MODES = ("full", "same", "valid")
FEW = 32
"""Products of a convolution that are summed in their own type at once."""


def slid_now(x: np.ndarray, y: np.ndarray, mode: str, turned: bool) -> np.ndarray | None:
    """NumPy's convolution (or correlation) of two vectors of one type, where it is finite; else None. Long sums of float32 are done
    in float64, as NumPy adds one product after the other.
    """
    if x.dtype not in (np.float32, np.float64) or not (turned or x.size >= y.size):
        return None
    slide: Any = np.convolve if turned else np.correlate
    if min(x.size, y.size) <= FEW:
        out: np.ndarray = slide(x, y, mode)
    else:
        out = slide(x.astype(np.float64), y.astype(np.float64), mode).astype(x.dtype)
    return out if np.count_nonzero(np.isfinite(out)) == out.size else None


def _slid(where_: str, a: ArrayLike, v: ArrayLike, mode: str, turned: bool, precision: Any, dtype: Any) -> Array:
    """Sums of products of a with v moved along it; v backwards for a convolution. They are done in full at any precision."""
    check_precision(where_, precision)
    x, y = promoted(where_, [array_arg(where_, a), array_arg(where_, v)])
    if x.type.rank != 1 or y.type.rank != 1 or not x.type.size or not y.type.size:
        raise ShapeError(f"{where_}: needs two vectors that are not empty, got shapes {x.type.shape} and {y.type.shape}")
    if mode not in MODES:
        raise ArgumentError(f"{where_}: mode must be one of {', '.join(MODES)}, got {mode!r}")
    if dtype is not None:
        if not dtype_name(dtype).is_inexact:
            raise DTypeError(f"{where_}: preferred_element_type must be a float type, got {dtype_name(dtype).numpy}")
        x, y = array_arg(where_, x, dtype), array_arg(where_, y, dtype)
    if not x.type.dtype.is_inexact:
        x, y = inexact_arg(where_, x), inexact_arg(where_, y)
    n, m = x.type.shape[0], y.type.shape[0]
    if in_memory(x, y) and (found := slid_now(x.data(), y.data(), mode, turned)) is not None:
        return from_numpy(found)
    kernel = op("reverse", y, axes=(0,)) if turned else op("conj", y) if y.type.dtype.is_complex else y
    count = {"full": n + m - 1, "same": max(n, m), "valid": abs(n - m) + 1}[mode]
    start = {
        "full": 0,
        "same": (min(n, m) - 1) // 2 if turned or n >= m else min(n, m) - 1 - (min(n, m) - 1) // 2,
        "valid": min(n, m) - 1,
    }[mode]
    if m > n:  # the same sums, with the shorter one moved along the longer one
        x, kernel, n, m = op("reverse", kernel, axes=(0,)), op("reverse", x, axes=(0,)), m, n
    padding = ((m - 1 - start, start + count - n),)
    out = op(
        "convolve", reshape(x, (1, 1, n, 1)), reshape(kernel, (1, m, 1, 1)), strides=(1,), padding=padding, x_dilation=(1,),
        w_dilation=(1,),
    )  # fmt: skip
    return reshape(out, (count,))


def convolve(a: ArrayLike, v: ArrayLike, mode: str = "full", *, precision: Any = None, preferred_element_type: Any = None) -> Array:
    """The discrete convolution of two vectors: the sum of a[k] * v[n - k]; as floats.

    mode: "full" (n + m - 1 results), "same" (as many as the longer one has) or "valid" (where both overlap wholly).
    With preferred_element_type all is computed in that type.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.convolve(jnp.array([1.0, 2.0, 3.0]), jnp.array([0.0, 1.0])))
    [0. 1. 2. 3.]
    """
    return _slid("convolve", a, v, mode, True, precision, preferred_element_type)


def correlate(
    a: ArrayLike, v: ArrayLike, mode: str = "valid", *, precision: Any = None, preferred_element_type: Any = None
) -> Array:
    """The discrete correlation of two vectors: the sum of a[n + k] * conj(v[k]); as floats. Modes as of `convolve`.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.correlate(jnp.array([1.0, 2.0, 3.0]), jnp.array([0.0, 1.0])))
    [2. 3.]
    """
    return _slid("correlate", a, v, mode, False, precision, preferred_element_type)


def unwrap(p: ArrayLike, discont: ArrayLike | None = None, axis: int = -1, period: ArrayLike = 2 * math.pi) -> Array:
    """Angles (in radians) along an axis, with whole periods added so that neighbours differ by no more than half of one.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.unwrap(jnp.array([0.0, 3.0, -3.0])))
    [0.        3.        3.2831855]
    """
    x = array_arg("unwrap", p)
    at = axis_number("unwrap", axis, x.type.rank)
    for name, given in (("discont", 0 if discont is None else discont), ("period", period)):
        real_number_arg("unwrap", name, given)
    n = x.type.shape[at]
    if n < 2:
        return x
    steps = diff(x, axis=at)
    whole = isinstance(period, int) and not x.type.dtype.is_inexact
    half = period // 2 if whole else period / 2
    wrapped = (steps + half) % period - half
    if not whole or period % 2 == 0:  # half a period up and half a period down are one angle: the sign of the step decides
        wrapped = where((wrapped == -half) & (steps > 0), half, wrapped)
    least = period / 2 if discont is None else maximum(discont, period / 2)
    correction = where(abs(steps) < least, 0, wrapped - steps)
    correction = convert(correction, x.type.dtype) if x.type.dtype.is_inexact else correction
    moved = reductions.cumsum(correction, axis=at)
    first, rest = slice_axis(x, at, 0, 1), slice_axis(x, at, 1, n)
    return concatenate([first, rest + moved], at)
