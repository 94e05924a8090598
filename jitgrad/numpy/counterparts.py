"""NumPy's counterparts of functions, for calls on arrays that nothing traces (at_once.py): the same numbers, to the bit.

Sums and products are those of the operations' own references, whose order of additions they keep. What is not for a counterpart
(other arguments, other element types) it raises for.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from types import FunctionType
from typing import Any

import numpy as np

from jitgrad.at_once import counterpart, replayed
from jitgrad_compiler.ir.graph import OPS
from jitgrad_compiler.ir.types import NAMES
from jitgrad_compiler.ops.summation import long_matmul, pairwise_sum, running_sum

from . import (
    arithmetic,
    calculus,
    comparison,
    creation,
    einstein,
    elementwise,
    histograms,
    indexing,
    linear,
    manipulation,
    matrices,
    nan_reductions,
    number_parts,
    packed_bits,
    padding,
    places,
    polynomials,
    ranges,
    rearrangement,
    reductions,
    selection,
    sets,
    sorting,
    statistics,
    windows,
)


class NotHere(Exception):
    """Arguments that are not for a counterpart."""


FEW = 32
"""Terms of a sum that NumPy adds as the operations do, whatever lies between them in memory."""


def _needs(holds: bool) -> None:
    if not holds:
        raise NotHere


def _all_axes(x: Any, axis: Any) -> Any:
    return tuple(range(x.ndim)) if axis is None else (axis % x.ndim,)


def _sum(x: Any, axis: Any = None) -> Any:
    if axis is None and x.ndim and x.flags.c_contiguous:
        return np.add.reduce(x, axis=None)
    if type(axis) is int and x.ndim and x.shape[axis] <= FEW and x.dtype.kind != "b":
        return np.add.reduce(x, axis, x.dtype)
    _needs(x.ndim > 0)
    return pairwise_sum(x, _all_axes(x, axis))


def _count(x: Any, axis: Any) -> int:
    return int(x.size if axis is None else x.shape[axis])


def _mean(x: Any, axis: Any = None) -> Any:
    _needs(x.dtype.kind in "fc")
    return np.true_divide(_sum(x, axis), x.dtype.type(_count(x, axis)))


def _var(x: Any, axis: Any = None) -> Any:
    _needs(x.dtype.kind == "f" and x.size > 0)
    middle = _mean(x, axis)
    centred = x - (middle if axis is None else np.expand_dims(middle, axis))
    return np.true_divide(_sum(centred * centred, axis), x.dtype.type(_count(x, axis)))


def _std(x: Any, axis: Any = None) -> Any:
    return np.sqrt(_var(x, axis))


def _reduction(op: str) -> Callable[..., Any]:
    reference = OPS[op].numpy

    def reduce(x: Any, axis: Any = None) -> Any:
        _needs(x.ndim > 0)
        return reference(x, axes=_all_axes(x, axis))

    return reduce


_max, _min, _maximum, _minimum = _reduction("reduce_max"), _reduction("reduce_min"), OPS["max"].numpy, OPS["min"].numpy


def _ptp(x: Any, axis: Any = None) -> Any:
    return np.subtract(_max(x, axis), _min(x, axis))


def _cumsum(x: Any, axis: Any = None) -> Any:
    _needs(x.dtype.kind != "b")
    return running_sum(x.reshape(-1), 0) if axis is None else running_sum(x, axis % x.ndim)


def _trace(x: Any, offset: int = 0) -> Any:
    _needs(x.ndim == 2)
    return pairwise_sum(np.diagonal(x, offset), (0,))


def _product(x: Any, y: Any) -> Any:
    """Of vectors and matrices."""
    _needs(0 < x.ndim < 3 and 0 < y.ndim < 3 and x.dtype.kind != "b")
    if x.shape[-1] <= FEW:
        return np.matmul(x, y)
    shape = x.shape[:-1] + y.shape[1:]
    left, right = x if x.ndim == 2 else x.reshape(1, -1), y if y.ndim == 2 else y.reshape(-1, 1)
    return long_matmul(left, right).reshape(shape)


def _product_of_vectors(x: Any, y: Any) -> Any:
    _needs(x.ndim == y.ndim == 1 and x.dtype.kind != "c")
    return _product(x, y)


def _outer(x: Any, y: Any) -> Any:
    return x.reshape(-1, 1) * y.reshape(1, -1)


def _power(x: Any, y: Any) -> Any:
    if type(y) is int:
        return OPS["integer_pow"].numpy(x, exponent=y)
    _needs(x.dtype.kind in "fc" and isinstance(y, np.ndarray))
    return OPS["pow"].numpy(x, y)


def _square(x: Any) -> Any:
    _needs(x.dtype.kind != "c")
    return np.multiply(x, x)


def _of_one_type(op: str) -> Callable[..., Any]:
    """A reference that looks at its operands, and is to see a Python number in the type of the array beside it."""
    reference = OPS[op].numpy

    def function(x: Any, y: Any) -> Any:
        if not isinstance(y, np.ndarray):
            y = x.dtype.type(y)
        elif not isinstance(x, np.ndarray):
            x = y.dtype.type(x)
        return reference(x, y)

    return function


def _sort(x: Any, axis: int | None = -1) -> Any:
    _needs(x.dtype.kind != "c")
    return np.sort(x, axis, kind="stable")


def _argsort(x: Any, axis: int | None = -1) -> Any:
    _needs(x.dtype.kind != "c")
    return x.argsort(axis, kind="stable")


def _searchsorted(keys: Any, x: Any, side: str = "left") -> Any:
    _needs(keys.ndim == 1 and keys.dtype.kind != "c" and isinstance(x, np.ndarray) and side in ("left", "right"))
    return keys.searchsorted(x, side)


def _clip(x: Any, low: Any, high: Any) -> Any:
    _needs(low is not None and high is not None)
    return _minimum(high, _maximum(low, x))


def _astype(x: Any, dtype: str) -> Any:
    to = np.dtype(dtype)
    if to.kind in "fc" and x.dtype.kind != "c":
        return x.astype(to)
    return OPS["convert_element_type"].numpy(x, dtype=NAMES[to])


def _triangle(lower: bool) -> Callable[..., Any]:
    def triangle(x: Any, k: int = 0) -> Any:
        rows, columns = x.shape[-2:]
        below = np.tri(rows, columns, k if lower else k - 1, dtype=bool)
        zero = np.zeros((), x.dtype)
        return np.where(below, x, zero) if lower else np.where(below, zero, x)

    return triangle


def _zeros(shape: Any) -> Any:
    return np.zeros(shape, np.float32)


def _ones(shape: Any) -> Any:
    return np.ones(shape, np.float32)


def _full(shape: Any, number: Any) -> Any:
    _needs(type(number) is float)
    return np.full(shape, number, np.float32)


def _full_like(x: Any, number: Any) -> Any:
    _needs(type(number) is float and x.dtype.kind == "f")
    return np.full(x.shape, number, x.dtype)


def _arange(*ends: Any) -> Any:
    _needs(all([type(x) is int for x in ends]))
    return np.arange(*ends)


_WIDTHS = {np.dtype(t).char: np.array(3 + np.dtype(t).itemsize.bit_length() - 1, t) for t in "bhilqBHILQ"}
"""The base-2 logarithm of an integer type's bits."""


def _left_shift(x: Any, n: Any) -> Any:
    if type(n) is int:
        _needs(0 <= n < x.dtype.itemsize * 8)
    else:
        _needs(not np.count_nonzero(np.right_shift(n, _WIDTHS[x.dtype.char])))
    return np.left_shift(x, n)


def _convolve(x: Any, y: Any, mode: str = "full") -> Any:
    _needs(x.ndim == y.ndim == 1 and x.size and y.size and mode in calculus.MODES)
    out = calculus.convolved(x, y, mode)
    _needs(out is not None)
    return out


def _interp(x: Any, knots: Any, values: Any) -> Any:
    """Where no knots are equal and all is finite."""
    n = len(knots)
    _needs(x.ndim and n > 1 and knots.shape == values.shape == (n,) and x.dtype.kind == "f")
    place = knots[1:-1].searchsorted(x, "right")
    before, start = knots[place], values[place]
    inner = start + (x - before) / (knots[1:][place] - before) * (values[1:][place] - start)
    if x.size <= FEW and x.ndim == 1:  # numbers of Python's are sooner looked at
        numbers = x.tolist()
        _needs(isfinite(sum(inner.tolist())))
        if numbers and min(numbers) >= knots.item(0) and max(numbers) <= knots.item(n - 1):
            return inner
    _needs(np.count_nonzero(np.isfinite(inner)) == inner.size)
    return np.where(x > knots[-1], values[-1], np.where(x < knots[0], values[0], inner))


def _digitize(x: Any, edges: Any, right: bool = False) -> Any:
    _needs(isinstance(x, np.ndarray) and edges.ndim == 1 and x.dtype.kind != "c")
    side = "left" if right else "right"
    n = len(edges)
    if n < 2 or edges[-1] >= edges[0]:
        return edges.searchsorted(x, side)
    return n - edges[::-1].searchsorted(x, side)


def _bincount(x: Any) -> Any:
    _needs(x.ndim == 1 and x.dtype.kind != "f")
    return np.bincount(x)


def _unique(x: Any) -> Any:
    _needs(x.dtype.kind != "c")
    ordered = np.sort(x, None, kind="stable")
    first = np.empty(ordered.shape, bool)
    first[:1] = True
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    if x.dtype.kind == "f" and x.size and np.isnan(ordered[-1]):
        first[ordered.searchsorted(ordered[-1]) + 1 :] = False
    return ordered[first]


def _of_whole_numbers(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of two arrays of integers."""

    def evaluate(x: Any, y: Any) -> Any:
        _needs(x.dtype.kind in "iu" and y.dtype.kind in "iu")
        return function(x, y)

    return evaluate


def _whole_steps(f: Callable[..., Any]) -> Callable[..., Any]:
    """A function whose second argument is one integer, or none."""

    def function(x: Any, n: Any) -> Any:
        _needs(type(n) is int)
        return f(x, n)

    return function


def _elementwise(module: Any, **ops: str) -> None:
    for name, op in ops.items():
        counterpart(getattr(module, name), OPS[op].numpy, alike=True)


_elementwise(
    elementwise, exp="exp", exp2="exp2", expm1="expm1", log="log", log2="log2", log10="log10", log1p="log1p", sin="sin", cos="cos",
    tan="tan", arcsin="asin", arccos="acos", arctan="atan", sinh="sinh", cosh="cosh", tanh="tanh", arcsinh="asinh", arccosh="acosh",
    arctanh="atanh", sqrt="sqrt", cbrt="cbrt", floor="floor", ceil="ceil", trunc="trunc", negative="neg", absolute="abs",
    sign="sign", conj="conj", real="real",
)  # fmt: skip
_elementwise(
    arithmetic, add="add", subtract="sub", multiply="mul", divide="div", true_divide="div", maximum="max", minimum="min",
    arctan2="atan2", hypot="hypot", logaddexp="logaddexp", copysign="copysign", bitwise_and="and", bitwise_or="or",
    bitwise_xor="xor",
)  # fmt: skip
_elementwise(number_parts, nextafter="nextafter")
_elementwise(comparison, equal="eq", not_equal="ne", less="lt", less_equal="le", greater="gt", greater_equal="ge")
ALIKE: dict[Any, Callable[..., Any]] = {
    elementwise.square: _square, arithmetic.floor_divide: _of_one_type("floor_div"), arithmetic.remainder: _of_one_type("mod"),
    arithmetic.power: _power, arithmetic.heaviside: np.heaviside,
    arithmetic.left_shift: _left_shift, sorting.digitize: _digitize, calculus.interp: _interp, calculus.convolve: _convolve,
    number_parts.gcd: np.gcd, number_parts.lcm: np.lcm, arithmetic.logical_and: np.logical_and,
    arithmetic.logical_or: np.logical_or, arithmetic.logical_xor: np.logical_xor,
    linear.matmul: _product, linear.dot: _product, linear.inner: _product_of_vectors, linear.vdot: _product_of_vectors,
    linear.outer: _outer, sorting.searchsorted: _searchsorted, sets.array_equal: np.array_equal,
}  # fmt: skip
OTHERS: dict[Any, Callable[..., Any]] = {
    elementwise.isnan: np.isnan, number_parts.ldexp: np.ldexp, number_parts.modf: np.modf, number_parts.frexp: np.frexp,
    reductions.sum: _sum, reductions.prod: _reduction("reduce_prod"), reductions.mean: _mean, reductions.var: _var,
    reductions.std: _std, reductions.max: _max, reductions.min: _min, reductions.argmax: lambda x, axis=None: x.argmax(axis),
    reductions.argmin: lambda x, axis=None: x.argmin(axis), reductions.cumsum: _cumsum,
    reductions.count_nonzero: lambda x, axis=None: np.count_nonzero(x, axis), statistics.ptp: _ptp, linear.trace: _trace,
    creation.zeros: _zeros, creation.ones: _ones, creation.full: _full, creation.full_like: _full_like,
    creation.zeros_like: lambda x: np.zeros(x.shape, x.dtype), ranges.arange: _arange,
    matrices.eye: lambda n, m=None, k=0: np.eye(n, m, k, np.float32), matrices.identity: lambda n: np.eye(n, dtype=np.float32),
    matrices.tril: _triangle(True), matrices.triu: _triangle(False), matrices.diag: lambda x, k=0: np.diag(x, k),
    manipulation.reshape: lambda x, shape: x.reshape(shape), manipulation.ravel: lambda x: x.reshape(-1),
    manipulation.transpose: lambda x, axes=None: x.transpose(axes), manipulation.swapaxes: lambda x, a, b: x.swapaxes(a, b),
    manipulation.moveaxis: np.moveaxis, manipulation.squeeze: lambda x, axis=None: x.squeeze(axis),
    manipulation.expand_dims: np.expand_dims, manipulation.broadcast_to: np.broadcast_to,
    manipulation.concatenate: lambda xs, axis=0: np.concatenate(xs, axis),
    manipulation.stack: lambda xs, axis=0: np.stack(xs, axis),
    manipulation.hstack: lambda xs: np.hstack(xs), manipulation.vstack: lambda xs: np.vstack(xs),
    manipulation.append: lambda x, y, axis=None: np.append(x, y, axis), manipulation.atleast_2d: lambda x: np.atleast_2d(x),
    manipulation.astype: _astype, rearrangement.flip: lambda x, axis=None: np.flip(x, axis),
    rearrangement.roll: _whole_steps(np.roll), rearrangement.tile: _whole_steps(np.tile),
    rearrangement.repeat: _whole_steps(np.repeat), selection.where: np.where, selection.clip: _clip,
    sorting.sort: _sort, sorting.argsort: _argsort, indexing.take: lambda x, i, axis=None: x.take(i, axis),
    indexing.take_along_axis: lambda x, i, axis=-1: np.take_along_axis(x, i, axis),
    calculus.diff: lambda x: np.subtract(x[..., 1:], x[..., :-1]),
}  # fmt: skip
ANY_SIZE: dict[Any, Callable[..., Any]] = {
    sorting.nonzero: np.nonzero, sorting.flatnonzero: np.flatnonzero, sorting.argwhere: np.argwhere, histograms.bincount: _bincount,
    sets.unique: _unique, sets.unique_values: _unique,
}  # fmt: skip
OF_TWO_SETS: dict[Any, Callable[..., Any]] = {
    getattr(sets, name): _of_whole_numbers(getattr(np, name)) for name in ("intersect1d", "setdiff1d", "setxor1d", "union1d")
}
for _function, _numpys in ANY_SIZE.items():
    counterpart(_function, _numpys, any_size=True)
for _function, _numpys in OF_TWO_SETS.items():
    counterpart(_function, _numpys, alike=True, any_size=True)
for _function, _numpys in ALIKE.items():
    counterpart(_function, _numpys, alike=True)
for _function, _numpys in OTHERS.items():
    counterpart(_function, _numpys)
AS_THEY_ARE = (creation.array, creation.asarray)
"""Functions that do nothing but make an array of what is given."""
for _module in (
    arithmetic, calculus, comparison, creation, einstein, elementwise, histograms, indexing, linear, manipulation, matrices,
    nan_reductions, number_parts, packed_bits, padding, places, polynomials, ranges, rearrangement, reductions, selection, sets,
    sorting, statistics, windows,
):  # fmt: skip
    for _name, _function in vars(_module).items():
        mine = isinstance(_function, FunctionType) and _function.__module__ == _module.__name__
        if mine and not _name.startswith("_") and _function not in AS_THEY_ARE:
            replayed(_function)
