"""What NumPy does in place of a function's operations where all is plain arrays (counterparts.py): the same numbers, to the bit.

Sums and products are those of the operations' own references, whose order of additions they keep. What is not for one of these
(other arguments, other element types) it raises for.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from jitgrad_compiler.ir.graph import OPS
from jitgrad_compiler.ir.types import NAMES
from jitgrad_compiler.ops.arithmetic import saturated
from jitgrad_compiler.ops.summation import add_at, long_matmul, pairwise_sum, running_sum

from . import calculus
from .arithmetic import whole_exponent


class NotHere(Exception):
    """Arguments that are not for a counterpart."""


FEW = 32
"""Terms of a sum that NumPy adds as the operations do, whatever lies between them in memory."""


def needs(holds: Any) -> None:
    if not holds:
        raise NotHere


def all_axes(x: Any, axis: Any) -> Any:
    if type(axis) is tuple:
        needs(axis)  # over no axes nothing is added, not even a zero
        return tuple(sorted([a % x.ndim for a in axis]))
    return tuple(range(x.ndim)) if axis is None else (axis % x.ndim,)


def keeping(reduce: Callable[..., Any]) -> Callable[..., Any]:
    """A reduction that leaves the axes with one element each where it is asked to."""

    def function(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        out = reduce(x, axis)
        if not keepdims:
            return out
        axes = all_axes(x, axis)
        return np.reshape(out, [1 if i in axes else n for i, n in enumerate(x.shape)])

    return function


def total(x: Any, axis: Any = None) -> Any:
    if axis is None and x.ndim and x.flags.c_contiguous:
        return np.add.reduce(x, axis=None)
    if type(axis) is int and x.ndim and x.shape[axis] <= FEW and x.dtype.kind != "b":
        return np.add.reduce(x, axis, x.dtype)
    needs(x.ndim > 0)
    return pairwise_sum(x, all_axes(x, axis))


def count_along(x: Any, axis: Any) -> int:
    return math.prod([x.shape[a] for a in all_axes(x, axis)])


def mean(x: Any, axis: Any = None) -> Any:
    needs(x.dtype.kind in "fc")
    return np.true_divide(total(x, axis), x.dtype.type(count_along(x, axis)))


def var(x: Any, axis: Any = None) -> Any:
    needs(x.dtype.kind == "f" and x.size > 0)
    middle = mean(x, axis)
    centred = x - (middle if axis is None else np.expand_dims(middle, axis))
    return np.true_divide(total(centred * centred, axis), x.dtype.type(count_along(x, axis)))


def std(x: Any, axis: Any = None) -> Any:
    return np.sqrt(var(x, axis))


def reduction(op: str) -> Callable[..., Any]:
    reference = OPS[op].numpy

    def reduce(x: Any, axis: Any = None) -> Any:
        needs(x.ndim > 0)
        return reference(x, axes=all_axes(x, axis))

    return reduce


greatest, least, larger, smaller = reduction("reduce_max"), reduction("reduce_min"), OPS["max"].numpy, OPS["min"].numpy
ascending = OPS["sort"].numpy


def ptp(x: Any, axis: Any = None) -> Any:
    return np.subtract(greatest(x, axis), least(x, axis))


def cumsum(x: Any, axis: Any = None) -> Any:
    needs(x.dtype.kind != "b")
    return running_sum(x.reshape(-1), 0) if axis is None else running_sum(x, axis % x.ndim)


def trace(x: Any, offset: int = 0) -> Any:
    needs(x.ndim == 2)
    return pairwise_sum(np.diagonal(x, offset), (0,))


def product(x: Any, y: Any) -> Any:
    """Of vectors and matrices."""
    needs(x.ndim > 0 and y.ndim > 0 and x.dtype.kind != "b")
    if x.shape[-1] <= FEW and (x.ndim < 3 and y.ndim < 3):
        return np.matmul(x, y)
    needs(x.ndim < 3 and y.ndim < 3)
    shape = x.shape[:-1] + y.shape[1:]
    left, right = x if x.ndim == 2 else x.reshape(1, -1), y if y.ndim == 2 else y.reshape(-1, 1)
    return long_matmul(left, right).reshape(shape)


def product_of_vectors(x: Any, y: Any) -> Any:
    needs(x.ndim == y.ndim == 1 and x.dtype.kind != "c")
    return product(x, y)


def outer(x: Any, y: Any) -> Any:
    return x.reshape(-1, 1) * y.reshape(1, -1)


def power(x: Any, y: Any) -> Any:
    if not isinstance(x, np.ndarray):
        needs(y.dtype.kind == "f" and type(x) is not complex)
        return OPS["pow"].numpy(y.dtype.type(x), y)
    if isinstance(y, np.ndarray):
        needs(x.dtype.kind in "fc")
        return OPS["pow"].numpy(x, y)
    exponent = whole_exponent(y)
    needs(x.dtype.kind == "f" or type(y) is int)
    return OPS["integer_pow"].numpy(x, exponent=exponent) if exponent is not None else OPS["pow"].numpy(x, x.dtype.type(y))


def square(x: Any) -> Any:
    needs(x.dtype.kind != "c")
    return np.multiply(x, x)


def ordered(x: Any, axis: int | None = -1) -> Any:
    needs(x.dtype.kind != "c")
    return np.sort(x, axis, kind="stable")


def argsort(x: Any, axis: int | None = -1) -> Any:
    needs(x.dtype.kind != "c")
    return x.argsort(axis, kind="stable")


def argpartition(x: Any, kth: Any, axis: int = -1) -> Any:
    needs(type(kth) is int and -x.shape[axis] <= kth < x.shape[axis])
    return argsort(x, axis)


def searchsorted(keys: Any, x: Any, side: str = "left") -> Any:
    needs(keys.ndim == 1 and keys.dtype.kind != "c" and side in ("left", "right"))
    return keys.searchsorted(x if isinstance(x, np.ndarray) else keys.dtype.type(x), side)


def clip(x: Any, low: Any, high: Any) -> Any:
    needs(low is not None and high is not None)
    return smaller(high, larger(low, x))


def astype(x: Any, dtype: str) -> Any:
    to = np.dtype(dtype)
    if to.kind in "iu" and x.dtype.kind == "f":
        return saturated(x, to)
    if x.dtype.kind != "c":
        return x.astype(to)
    return OPS["convert_element_type"].numpy(x, dtype=NAMES[to])


def triangle(lower: bool) -> Callable[..., Any]:
    def triangle(x: Any, k: int = 0) -> Any:
        rows, columns = x.shape[-2:]
        below = np.tri(rows, columns, k if lower else k - 1, dtype=bool)
        zero = np.zeros((), x.dtype)
        return np.where(below, x, zero) if lower else np.where(below, zero, x)

    return triangle


def of_one_number(function: Callable[..., Any]) -> Callable[..., Any]:
    """numpy.zeros or ones, whose floats are float32 here."""

    def make(shape: Any, dtype: Any = None) -> Any:
        return function(shape, np.float32 if dtype is None or dtype is float else dtype)

    return make


def full(shape: Any, number: Any) -> Any:
    needs(type(number) is float)
    return np.full(shape, number, np.float32)


def full_like(x: Any, number: Any) -> Any:
    needs(type(number) is float and x.dtype.kind == "f")
    return np.full(x.shape, number, x.dtype)


def arange(*ends: Any) -> Any:
    needs(all([type(x) is int for x in ends]))
    return np.arange(*ends)


WIDTHS = {np.dtype(t).char: np.array(3 + np.dtype(t).itemsize.bit_length() - 1, t) for t in "bhilqBHILQ"}
"""The base-2 logarithm of an integer type's bits."""


def left_shift(x: Any, n: Any) -> Any:
    if type(n) is int:
        needs(0 <= n < x.dtype.itemsize * 8)
    else:
        needs(not np.count_nonzero(np.right_shift(n, WIDTHS[x.dtype.char])))
    return np.left_shift(x, n)


def slid(turned: bool, usual: str) -> Callable[..., Any]:
    def slide(x: Any, y: Any, mode: str = usual) -> Any:
        needs(x.ndim == y.ndim == 1 and x.size and y.size and mode in calculus.MODES)
        out = calculus.slid_now(x, y, mode, turned)
        needs(out is not None)
        return out

    return slide


def right_shift(x: Any, n: Any) -> Any:
    if type(n) is int:
        needs(0 <= n < x.dtype.itemsize * 8)
    else:
        needs(not np.count_nonzero(np.right_shift(n, WIDTHS[x.dtype.char])))
    return np.right_shift(x, n)


def without_nan(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that differs from a wanted one where it gives NaN."""

    def evaluate(x: Any, y: Any) -> Any:
        out = function(x, y)
        needs(out.dtype.kind != "f" or np.count_nonzero(np.isnan(out)) == 0)
        return out

    return evaluate


def matvec(x: Any, y: Any) -> Any:
    needs(x.ndim == 2 and y.ndim == 1)
    return product(x, y)


def lexsort(keys: Any, axis: int = -1) -> Any:
    needs(all([k.dtype.kind != "c" for k in keys]))
    return np.lexsort(tuple(keys), axis)


def taken_along_axis(x: Any, places: Any, axis: int = -1) -> Any:
    needs(places.dtype != np.uint64)  # whose largest NumPy takes for negative ones
    return np.take_along_axis(x, places, axis)


def ravel_multi_index(multi_index: Any, *rest: Any, **keywords: Any) -> Any:
    needs(not any([getattr(i, "dtype", None) == np.uint64 for i in multi_index]))
    return np.ravel_multi_index(multi_index, *rest, **keywords)


def interp(x: Any, knots: Any, values: Any, left: Any = None, right: Any = None) -> Any:
    """Where no knots are equal and all is finite."""
    if not isinstance(x, np.ndarray):
        return interp(np.array([x], knots.dtype), knots, values, left, right).reshape(())
    n = len(knots)
    needs(x.ndim and n > 1 and knots.shape == values.shape == (n,) and x.dtype.kind == "f")
    place = knots[1:-1].searchsorted(x, "right")
    before, start = knots[place], values[place]
    inner = start + (x - before) / (knots[1:][place] - before) * (values[1:][place] - start)
    if x.size <= FEW and x.ndim == 1:  # numbers of Python's are sooner looked at
        numbers = x.tolist()
        needs(math.isfinite(sum(inner.tolist())))
        if numbers and min(numbers) >= knots.item(0) and max(numbers) <= knots.item(n - 1):
            return inner
    needs(np.count_nonzero(np.isfinite(inner)) == inner.size)
    low, high = (end if given is None else beyond(given, values) for given, end in ((left, values[0]), (right, values[-1])))
    return np.where(x > knots[-1], high, np.where(x < knots[0], low, inner))


def beyond(given: Any, values: Any) -> Any:
    """The value outside the knots, a number of Python's."""
    needs(type(given) is float)
    return values.dtype.type(given)


def digitize(x: Any, edges: Any, right: bool = False) -> Any:
    needs(edges.ndim == 1 and edges.dtype.kind != "c" and type(x) is not complex)
    if not isinstance(x, np.ndarray):
        x = edges.dtype.type(x)
    side = "left" if right else "right"
    n = len(edges)
    if n < 2 or edges[-1] >= edges[0]:
        return edges.searchsorted(x, side)
    return n - edges[::-1].searchsorted(x, side)


def bincount(x: Any, weights: Any = None, minlength: int = 0) -> Any:
    needs(x.ndim == 1 and x.dtype.kind != "f" and minlength >= 0)
    if weights is None:
        return np.bincount(x, minlength=minlength)
    needs(x.shape == weights.shape and x.size > 0 and weights.dtype.kind != "b")
    out = np.zeros(np.bincount(x, minlength=minlength).size, weights.dtype)  # of negative numbers it raises
    add_at(out, (x,), weights)
    return out


def unique(
    x: Any, return_index: bool = False, return_inverse: bool = False, return_counts: bool = False, equal_nan: bool = True
) -> Any:
    needs(x.dtype.kind != "c")
    flat, order = x.reshape(-1), None
    if return_index or return_inverse:
        order = flat.argsort(kind="stable")
    ordered = np.sort(flat, None, kind="stable") if order is None else flat[order]
    first = np.empty(ordered.shape, bool)
    first[:1] = True
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    if equal_nan and x.dtype.kind == "f" and x.size and np.isnan(ordered[-1]):
        first[ordered.searchsorted(ordered[-1]) + 1 :] = False
    found = [ordered[first]]
    if return_index and order is not None:
        found.append(order[first])
    if return_inverse:
        inverse = np.empty(ordered.shape, np.int64)
        inverse[order] = np.cumsum(first) - 1
        found.append(inverse.reshape(x.shape))
    if return_counts:
        places = np.flatnonzero(np.append(first, True))
        found.append(np.subtract(places[1:], places[:-1]))
    return found[0] if len(found) == 1 else found


def differing(index: bool = False, inverse: bool = False, counts: bool = False) -> Callable[..., Any]:
    """`unique` of an array alone, with these results, where NaNs all differ."""
    return lambda x: unique(x, index, inverse, counts, equal_nan=False)


def chosen(condition: Any, x: Any) -> Any:
    needs(condition.dtype == bool and condition.shape == x.shape and x.ndim == 1)
    return x[condition]


def of_whole_numbers(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of two arrays of integers."""

    def evaluate(x: Any, y: Any) -> Any:
        needs(x.dtype.kind in "iu" and y.dtype.kind in "iu")
        return function(x, y)

    return evaluate


def repeat(x: Any, repeats: Any, axis: int | None = None) -> Any:
    needs(type(repeats) is int or repeats.dtype.kind in "iu")
    return np.repeat(x, repeats, axis)


def delete(x: Any, places: Any, axis: int | None = None) -> Any:
    needs(type(places) is int or (places.dtype.kind in "iu" and places.ndim == 1))
    return np.delete(x, places, axis)


def median(x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
    """Of floats along one axis or all, without a NaN."""
    needs(x.dtype.kind == "f" and x.size and x.ndim)
    along = x.ndim - 1 if axis is None else axis % x.ndim
    rows = x.reshape(-1) if axis is None else x if along == 0 else np.moveaxis(x, along, 0)
    n, half = len(rows), x.dtype.type(0.5)
    low, high = (n - 1) // 2, n // 2
    rows = ascending(rows, axis=0) if n <= FEW else np.partition(rows, (low, high, n - 1), 0)
    last = rows[-1]
    needs(np.count_nonzero(last == last) == last.size)
    out = rows[low] if low == high else rows[low] * half + rows[high] * half
    needs(n <= FEW or np.count_nonzero(out) == out.size)  # zeros of either sign are equal, and stay in order in a sort
    if not keepdims:
        return out
    return np.reshape(out, (1,) * x.ndim) if axis is None else np.expand_dims(out, along)


def whole_steps(f: Callable[..., Any]) -> Callable[..., Any]:
    """A function whose second argument is one integer, or none."""

    def function(x: Any, n: Any, *axis: Any, **named: Any) -> Any:
        needs(type(n) is int)
        return f(x, n, *axis, **named)

    return function
