"""Quantiles, percentiles and medians: by each of NumPy's methods, with weights, and of what is not NaN.

A method says at which place among the sorted elements a level stands (R. J. Hyndman and Y. Fan, Sample Quantiles in Statistical
Packages, The American Statistician 50, 1996). Places are float64: float16 ends at 2048, and float32 counts to 2**24.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from jitgrad.array import Array, as_value
from jitgrad.array_ops import Shape, broadcast, constant, convert, op, op_all, reshape, select, slice_axis, transpose
from jitgrad.errors import ArgumentError, DTypeError, ShapeError
from jitgrad.operands import ArrayLike, axes_tuple, axis_number, is_complex, no_out, real_arg
from jitgrad_compiler.ir.types import F64, I64

from .elementwise import named
from .reductions import Axis


def _along(n: Any, q: Array) -> Array:
    return q * (n - 1)


def _continuous(a: float, b: float) -> Callable[[Any, Array], Array]:
    return lambda n, q: q * n + (q * (1 - a - b) + a) - 1


PLACES: dict[str, Callable[[Any, Array], Array]] = {
    "linear": _along,
    "lower": lambda n, q: op("floor", _along(n, q)),
    "higher": lambda n, q: op("ceil", _along(n, q)),
    "midpoint": lambda n, q: (op("floor", _along(n, q)) + op("ceil", _along(n, q))) * 0.5,
    "nearest": lambda n, q: op("round_even", _along(n, q)),
    "inverted_cdf": lambda n, q: op("ceil", q * n - 1),
    "averaged_inverted_cdf": lambda n, q: (op("ceil", q * n - 1) + op("floor", q * n)) * 0.5,
    "closest_observation": lambda n, q: 1 - op("round_even", 2 - q * n),
    "interpolated_inverted_cdf": _continuous(0, 1),
    "hazen": _continuous(1 / 2, 1 / 2),
    "weibull": _continuous(0, 0),
    "median_unbiased": _continuous(1 / 3, 1 / 3),
    "normal_unbiased": _continuous(3 / 8, 3 / 8),
}
"""By method: the place of a level among n sorted elements, counted from 0. Between two places their elements are interpolated."""
WHOLE = ("lower", "higher", "nearest", "inverted_cdf", "closest_observation")
"""Methods whose places are whole numbers."""


def _rows_last(where: str, x: Array, axis: Axis) -> tuple[Array, Shape]:
    """The reduced axes as one, at the end; and which they were."""
    axes = axes_tuple(where, axis, x.type.rank)
    rest = tuple(i for i in range(x.type.rank) if i not in axes)
    moved = transpose(x, (*rest, *axes))
    return reshape(moved, (*moved.type.shape[: len(rest)], math.prod(x.type.shape[i] for i in axes))), axes


def _pick(rows: Array, place: Array) -> Array:
    """For every row its elements at places, which are [..., k] or, for all rows alike, [k]."""
    rank = rows.type.rank
    column = reshape(convert(place, I64), (*place.type.shape, 1))
    if place.type.rank == 1:
        out = op("gather", rows, column, axes=(rank - 1,), batch=0, mode="clip")
        return transpose(out, (*range(1, out.type.rank), 0))
    return op("gather", rows, column, axes=(rank - 1,), batch=rank - 1, mode="clip")


def _levels(where: str, q: ArrayLike, scale: float) -> Array:
    """The levels in float64, between 0 and 1."""
    levels = as_value(q, where)
    if is_complex(levels):
        raise DTypeError(f"{where}: q must be real, got {levels.dtype}")
    if levels.type.rank > 1:
        raise ShapeError(f"{where}: q must be a number or a vector, got shape {levels.type.shape}")
    known = levels.concrete()
    if known is not None and not np.all((wide := np.asarray(known, np.float64)) >= 0) & np.all(wide <= scale):
        raise ArgumentError(f"{where}: q must be between 0 and {scale:g}, got {np.asarray(known).tolist()}")
    levels = convert(levels, F64)
    return levels / scale if scale != 1 else levels


def _quantile(
    where: str,
    a: ArrayLike,
    q: ArrayLike,
    axis: Axis,
    out: None,
    keepdims: bool,
    method: str = "linear",
    weights: ArrayLike | None = None,
    *,
    skip_nan: bool,
    scale: float = 1.0,
) -> Array:
    no_out(where, out)
    if method not in PLACES:
        raise ArgumentError(f"{where}: method must be one of {', '.join(PLACES)}, got {method!r}")
    if weights is not None and method != "inverted_cdf":
        raise ArgumentError(f'{where}: weights= go with method="inverted_cdf" alone, got method={method!r}')
    x, levels = real_arg(where, a), _levels(where, q, scale)
    rows, axes = _rows_last(where, x, axis)
    if not rows.type.shape[-1]:
        raise ShapeError(f"{where}: the {where} of nothing is not defined, and shape {x.type.shape} is empty along axis {axis}")
    vector = reshape(levels, levels.type.shape or (1,))
    if weights is None:
        found = _at_levels(op("sort", rows, axis=rows.type.rank - 1), vector, method, skip_nan)
    else:
        found = _weighted(rows, _rows_last(where, _weights(where, weights, x, axis), axis)[0], vector, skip_nan)
    rest = rows.type.shape[:-1]
    found = transpose(found, (len(rest), *range(len(rest))))
    shape = tuple(1 if i in axes else n for i, n in enumerate(x.type.shape)) if keepdims else rest
    return reshape(found, (*levels.type.shape, *shape))


def _at_levels(rows: Array, levels: Array, method: str, skip_nan: bool) -> Array:
    """Quantiles of sorted rows: [..., number of levels]."""
    n, rest, dtype = rows.type.shape[-1], rows.type.shape[:-1], rows.type.dtype
    shape = (*rest, levels.type.shape[0])
    nan = op("ne", rows, rows)
    count: Any = n
    if skip_nan:  # NaNs are behind the count of numbers
        levels = broadcast(levels, shape, (len(rest),))
        numbers = convert(op("reduce_sum", convert(op("not", nan), I64), axes=(len(rest),)), F64)
        count = broadcast(op("max", numbers, constant(1, F64)), shape, tuple(range(len(rest))))
    place = op("max", PLACES[method](count, levels), constant(0, F64))
    place = op("min", place, count - 1 if skip_nan else constant(n - 1, F64))
    low = op("floor", place)
    below = _pick(rows, low)
    above = below if method in WHOLE else _pick(rows, op("ceil", place))
    weight = convert(place - low, dtype)
    if weight.type.shape != shape:
        weight = broadcast(weight, shape, (len(rest),))
    found = select(op("eq", weight, constant(0, dtype)), below, below * (1 - weight) + above * weight)
    return found if skip_nan else _nan_where_one_is(nan, found)


def _weighted(rows: Array, weights: Array, levels: Array, skip_nan: bool) -> Array:
    """Quantiles by "inverted_cdf": the first element with which the share of the weights reaches a level; [..., levels]."""
    last = rows.type.rank - 1
    nan = op("ne", rows, rows)
    if skip_nan:
        weights = select(nan, constant(0, F64), weights)
    rows, weights = op_all("sort", rows, weights, axis=last)
    sums = op("cumsum", weights, axis=last, reverse=False)
    total = slice_axis(sums, last, sums.type.shape[-1] - 1, sums.type.shape[-1])
    shares = op("div", sums, broadcast(reshape(total, rows.type.shape[:-1]), rows.type.shape, tuple(range(last))))
    shape = (*rows.type.shape, levels.type.shape[0])
    share = broadcast(shares, shape, tuple(range(last + 1)))
    short = op("or", op("lt", share, broadcast(levels, shape, (last + 1,))), op("eq", share, constant(0, F64)))
    found = _pick(rows, op("reduce_sum", convert(short, I64), axes=(last,)))
    empty = op("ne", shares, shares)
    return _nan_where_one_is(empty if skip_nan else op("or", nan, empty), found)


def _nan_where_one_is(nan: Array, found: Array) -> Array:
    last = nan.type.rank - 1
    any_nan = broadcast(op("reduce_or", nan, axes=(last,)), found.type.shape, tuple(range(last)))
    return select(any_nan, constant(math.nan, found.type.dtype), found)


def _weights(where: str, weights: ArrayLike, x: Array, axis: Axis) -> Array:
    """Weights in float64, of x's shape; a vector of them goes along the axis."""
    w = convert(real_arg(where, weights), F64)
    known = w.concrete()
    if known is not None and not np.all(np.asarray(known) >= 0):
        raise ArgumentError(f"{where}: weights must be 0 or more, got {np.asarray(known).min()}")
    if w.type.shape == x.type.shape:
        return w
    number = axis_number(where, axis, x.type.rank) if isinstance(axis, int) else -1
    if w.type.rank != 1 or number < 0 or w.type.shape[0] != x.type.shape[number]:
        raise ShapeError(
            f"{where}: weights of shape {w.type.shape} do not go with an array of shape {x.type.shape} along axis {axis}; they "
            "have its shape, or are a vector of the length of the one axis"
        )
    return broadcast(w, x.type.shape, (number,))


def _function(name: str, doc: str, sample: str, **options: Any) -> Any:
    def function(
        a: ArrayLike,
        q: ArrayLike,
        axis: Axis = None,
        out: None = None,
        overwrite_input: bool = False,
        method: str = "linear",
        keepdims: bool = False,
        *,
        weights: ArrayLike | None = None,
    ) -> Array:
        return _quantile(name, a, q, axis, out, keepdims, method, weights, **options)

    return named(function, name, f"{doc}\n\n    >>> import jitgrad.numpy as jnp\n{sample}\n    ")


quantile = _function(
    "quantile",
    """The q-th quantiles over axes (all by default), q between 0 and 1; those of a vector q are a first axis. nan where one is.

    method: "linear" interpolates between the two elements next to the level; "lower", "higher", "nearest" and "midpoint" take
    one of them or their mean; NumPy's others are there, too: "inverted_cdf", "averaged_inverted_cdf", "closest_observation",
    "interpolated_inverted_cdf", "hazen", "weibull", "median_unbiased", "normal_unbiased". weights, of a's shape or a vector
    along the axis, say how much an element counts; they go with "inverted_cdf". overwrite_input changes nothing.
    Raises ArgumentError for another method and a known q that is not between 0 and 1, ShapeError where there are no elements,
    DTypeError for complex numbers.""",
    """    >>> print(jnp.quantile(jnp.arange(5), jnp.array([0.25, 0.5])))
    [1. 2.]
    >>> print(jnp.quantile(jnp.array([1.0, 2.0, 3.0]), 0.5, weights=jnp.array([1, 1, 4]), method="inverted_cdf"))
    3.0""",
    skip_nan=False,
)
percentile = _function(
    "percentile", "The q-th percentiles, q between 0 and 100; see `quantile`.",
    """    >>> print(jnp.percentile(jnp.arange(5), 75))
    3.0""",
    skip_nan=False, scale=100.0,
)  # fmt: skip
nanquantile = _function(
    "nanquantile", "The q-th quantiles of what is not NaN; see `quantile`.",
    """    >>> print(jnp.nanquantile(jnp.array([1.0, jnp.nan, 3.0]), 0.5))
    2.0""",
    skip_nan=True,
)  # fmt: skip
nanpercentile = _function(
    "nanpercentile", "The q-th percentiles of what is not NaN; see `quantile`.",
    """    >>> print(jnp.nanpercentile(jnp.array([1.0, jnp.nan, 3.0]), 50))
    2.0""",
    skip_nan=True, scale=100.0,
)  # fmt: skip


def median(a: ArrayLike, axis: Axis = None, out: None = None, overwrite_input: bool = False, keepdims: bool = False) -> Array:
    """The middle element over axes (all by default), or the mean of the two middle ones; nan where one is.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.median(jnp.array([5, 1, 2, 4])))
    3.0
    """
    return _quantile("median", a, 0.5, axis, out, keepdims, "midpoint", skip_nan=False)


def nanmedian(a: ArrayLike, axis: Axis = None, out: None = None, overwrite_input: bool = False, keepdims: bool = False) -> Array:
    """The median of what is not NaN.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.nanmedian(jnp.array([5.0, jnp.nan, 2.0])))
    3.5
    """
    return _quantile("nanmedian", a, 0.5, axis, out, keepdims, "midpoint", skip_nan=True)
