"""Order statistics and moments: median, quantile, average, ptp, cov, corrcoef. Counts in bins are in histograms.py."""

from __future__ import annotations

import math
from typing import Any

from jitgrad.array import Array, as_value
from jitgrad.array_ops import Shape, broadcast, constant, convert, fill_like, iota, op, reshape, select, spread, transpose
from jitgrad.errors import ArgumentError, DTypeError, ShapeError
from jitgrad.operands import ArrayLike, array_arg, axes_tuple, axis_number, inexact_arg, is_complex, operands
from jitgrad.promotion import default_float
from jitgrad_compiler.ir.types import I64

from . import reductions
from .linear import matmul
from .reductions import Axis

METHODS = ("linear", "lower", "higher", "midpoint", "nearest")


def ptp(a: ArrayLike, axis: Axis = None, out: None = None, keepdims: bool = False) -> Array:
    """The largest minus the smallest element over axes (all by default).

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.ptp(jnp.array([3, 9, 4])))
    6
    """
    result: Array = reductions.max(a, axis, keepdims=keepdims) - reductions.min(a, axis, keepdims=keepdims)
    return result


def _rows_last(where: str, x: Array, axis: Axis) -> tuple[Array, Shape]:
    """The reduced axes as one, at the end; and which they were."""
    axes = axes_tuple(where, axis, x.type.rank)
    rest = tuple(i for i in range(x.type.rank) if i not in axes)
    moved = transpose(x, (*rest, *axes))
    return reshape(moved, (*moved.type.shape[: len(rest)], math.prod(x.type.shape[i] for i in axes))), axes


def _pick(rows: Array, place: Array) -> Array:
    """For every row its element at a place; places are [..., k] or, for all rows alike, [k]."""
    rank = rows.type.rank
    column = reshape(place, (*place.type.shape, 1))
    if place.type.rank == 1:
        out = op("gather", rows, column, axes=(rank - 1,), batch=0, mode="clip")
        return transpose(out, (*range(1, out.type.rank), 0))
    return op("gather", rows, column, axes=(rank - 1,), batch=rank - 1, mode="clip")


def _quantile(
    where: str, a: ArrayLike, q: ArrayLike, axis: Axis, keepdims: bool, method: str, skip_nan: bool, scale: float = 1.0
) -> Array:
    if method not in METHODS:
        raise ArgumentError(f"{where}: method must be one of {', '.join(METHODS)}, got {method!r}")
    x, levels = _two(where, a, q)
    if is_complex(x):
        raise DTypeError(f"{where}: complex numbers have no order, got {x.dtype}")
    if levels.type.rank > 1:
        raise ShapeError(f"{where}: q must be a number or a vector, got shape {levels.type.shape}")
    rows, axes = _rows_last(where, x, axis)
    if not rows.type.shape[-1]:
        raise ShapeError(f"{where}: the {where} of nothing is not defined, and shape {x.type.shape} is empty along axis {axis}")
    rows = op("sort", rows, axis=rows.type.rank - 1)
    vector = broadcast(reshape(levels, levels.type.shape or (1,)), (levels.type.size,), (0,))
    out = _at_levels(rows, vector / scale if scale != 1 else vector, method, skip_nan)
    rest = rows.type.shape[:-1]
    out = transpose(out, (len(rest), *range(len(rest))))
    count = levels.type.shape
    shape = tuple(1 if i in axes else n for i, n in enumerate(x.type.shape)) if keepdims else rest
    return reshape(out, (*count, *shape))


def _two(where: str, a: ArrayLike, q: ArrayLike) -> list[Array]:
    """The elements and the levels, both in the elements' float type."""
    x = inexact_arg(where, a)
    return [x, convert(as_value(q, where), x.type.dtype if not is_complex(x) else default_float())]


def _at_levels(rows: Array, levels: Array, method: str, skip_nan: bool) -> Array:
    """Quantiles of sorted rows: [..., number of levels]."""
    n, rest, dtype = rows.type.shape[-1], rows.type.shape[:-1], rows.type.dtype
    rank = len(rest)
    nan = op("ne", rows, rows)
    shape = (*rest, levels.type.shape[0])
    levels = broadcast(levels, shape, (rank,)) if skip_nan else levels
    if skip_nan:  # NaNs are behind the count of numbers
        numbers = convert(op("reduce_sum", convert(op("not", nan), I64), axes=(rank,)), dtype)
        last: Any = broadcast(op("max", numbers - 1, constant(0, dtype)), shape, tuple(range(rank)))
    else:
        last = float(n - 1)
    at = levels * last
    low, high = op("floor", at), op("ceil", at)

    def pick(place: Array) -> Array:
        return _pick(rows, convert(place, I64))

    if method in ("lower", "higher", "nearest"):
        out = pick({"lower": low, "higher": high, "nearest": op("round_even", at)}[method])
    else:
        below, above = pick(low), pick(high)
        if method == "midpoint":
            out = (below + above) * 0.5
        else:
            weight = at - low
            weight = weight if weight.type.shape == shape else broadcast(weight, shape, (rank,))
            out = below * (1 - weight) + above * weight
    if skip_nan:
        return out
    any_nan = op("reduce_or", nan, axes=(rank,))
    return select(broadcast(any_nan, shape, tuple(range(rank))), constant(math.nan, dtype), out)


def quantile(
    a: ArrayLike,
    q: ArrayLike,
    axis: Axis = None,
    out: None = None,
    overwrite_input: bool = False,
    method: str = "linear",
    keepdims: bool = False,
) -> Array:
    """The q-th quantiles over axes (all by default), q between 0 and 1; those of a vector q are a first axis. nan where one is.

    method: "linear" interpolates between the neighbours, or "lower", "higher", "midpoint", "nearest".
    Raises ArgumentError for another method, ShapeError where there are no elements.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.quantile(jnp.arange(5), jnp.array([0.25, 0.5])))
    [1. 2.]
    """
    return _quantile("quantile", a, q, axis, keepdims, method, False)


def percentile(
    a: ArrayLike,
    q: ArrayLike,
    axis: Axis = None,
    out: None = None,
    overwrite_input: bool = False,
    method: str = "linear",
    keepdims: bool = False,
) -> Array:
    """The q-th percentiles, q between 0 and 100; see `quantile`.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.percentile(jnp.arange(5), 75))
    3.0
    """
    return _quantile("percentile", a, q, axis, keepdims, method, False, 100.0)


def nanquantile(
    a: ArrayLike,
    q: ArrayLike,
    axis: Axis = None,
    out: None = None,
    overwrite_input: bool = False,
    method: str = "linear",
    keepdims: bool = False,
) -> Array:
    """The q-th quantiles of what is not NaN; see `quantile`.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.nanquantile(jnp.array([1.0, jnp.nan, 3.0]), 0.5))
    2.0
    """
    return _quantile("nanquantile", a, q, axis, keepdims, method, True)


def nanpercentile(
    a: ArrayLike,
    q: ArrayLike,
    axis: Axis = None,
    out: None = None,
    overwrite_input: bool = False,
    method: str = "linear",
    keepdims: bool = False,
) -> Array:
    """The q-th percentiles of what is not NaN; see `quantile`.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.nanpercentile(jnp.array([1.0, jnp.nan, 3.0]), 50))
    2.0
    """
    return _quantile("nanpercentile", a, q, axis, keepdims, method, True, 100.0)


def median(a: ArrayLike, axis: Axis = None, out: None = None, overwrite_input: bool = False, keepdims: bool = False) -> Array:
    """The middle element over axes (all by default), or the mean of the two middle ones; nan where one is.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.median(jnp.array([5, 1, 2, 4])))
    3.0
    """
    return _quantile("median", a, 0.5, axis, keepdims, "midpoint", False)


def nanmedian(a: ArrayLike, axis: Axis = None, out: None = None, overwrite_input: bool = False, keepdims: bool = False) -> Array:
    """The median of what is not NaN.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.nanmedian(jnp.array([5.0, jnp.nan, 2.0])))
    3.5
    """
    return _quantile("nanmedian", a, 0.5, axis, keepdims, "midpoint", True)


def average(
    a: ArrayLike, axis: Axis = None, weights: ArrayLike | None = None, returned: bool = False, keepdims: bool = False
) -> Any:
    """The mean over axes (all by default) with weights of a's shape, or of the sizes of those axes, in the order in which `axis`
    names them. With `returned` the sum of the weights too.

    Raises ShapeError where weights do not go with a.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.average(jnp.array([1.0, 2.0]), weights=jnp.array([3.0, 1.0])))
    1.25
    """
    if weights is None:
        x = inexact_arg("average", a)
        mean = reductions.mean(x, axis, keepdims=keepdims)
        count = x.type.size // max(mean.type.size, 1)
        return (mean, fill_like(mean, count, mean.type.dtype)) if returned else mean
    x, w = array_arg("average", a), array_arg("average", weights)
    if w.type.shape != x.type.shape:
        named = axis if isinstance(axis, (tuple, list)) else (axis,)
        axes = tuple(range(x.type.rank)) if axis is None else tuple(axis_number("average", a, x.type.rank) for a in named)
        if axis is None or w.type.shape != tuple(x.type.shape[a] for a in axes):
            raise ShapeError(
                f"average: weights of shape {w.type.shape} do not go with an array of shape {x.type.shape} along axis {axis}"
            )
        order = sorted(range(len(axes)), key=axes.__getitem__)
        w = broadcast(transpose(w, tuple(order)), x.type.shape, axes_tuple("average", axes, x.type.rank))
    (x, w), _ = operands("average", x, w, inexact=True)
    total: Array = reductions.sum(w, axis, keepdims=keepdims)
    mean = reductions.sum(x * w, axis, keepdims=keepdims) / total
    return (mean, total) if returned else mean


def cov(
    m: ArrayLike,
    y: ArrayLike | None = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: int | None = None,
    fweights: ArrayLike | None = None,
    aweights: ArrayLike | None = None,
) -> Array:
    """The covariance matrix of variables, one a row (one a column with rowvar=False), over their observations.

    Normalised by n - 1, by n with `bias`, by n - ddof where that is given. fweights counts observations, aweights weighs them.
    Raises ShapeError for more than 2 axes.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.cov(jnp.array([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]])))
    [[ 1. -1.]
     [-1.  1.]]
    """
    x = _variables(m, rowvar)
    if y is not None:
        x = op("concatenate", *_same_type(x, _variables(y, rowvar)), axis=0)
    weights = _weights(x, fweights, aweights)
    ddof = (0 if bias else 1) if ddof is None else ddof
    n = x.type.shape[1]
    if weights is None:
        centred = x - spread(op("reduce_sum", x, axes=(1,)) / n, x.type.shape, (1,))
        scaled, norm = centred, n - ddof if n > ddof else 0
    else:
        total: Any = op("reduce_sum", weights, axes=(0,))
        wide = broadcast(weights, x.type.shape, (1,))
        centred = x - spread(op("reduce_sum", x * wide, axes=(1,)) / total, x.type.shape, (1,))
        scaled = centred * wide
        if aweights is None:
            norm = total - ddof
        else:
            aw = convert(array_arg("cov", aweights), x.type.dtype)
            norm = total - ddof * op("reduce_sum", weights * aw, axes=(0,)) / total
    right = transpose(centred, (1, 0))
    out = matmul(scaled, op("conj", right) if is_complex(x) else right) / (norm if isinstance(norm, Array) else float(norm))
    return reshape(out, ()) if out.type.shape == (1, 1) else out


def _same_type(x: Array, y: Array) -> list[Array]:
    dtype = operands("cov", constant(0, x.type.dtype), constant(0, y.type.dtype))[0][0].type.dtype
    return [convert(x, dtype), convert(y, dtype)]


def _variables(m: ArrayLike, rowvar: bool) -> Array:
    x = inexact_arg("cov", m)
    if x.type.rank > 2:
        raise ShapeError(f"cov: needs at most 2 axes, got shape {x.type.shape}")
    if x.type.rank < 2:
        return reshape(x, (1, x.type.size))
    return x if rowvar else transpose(x, (1, 0))


def _weights(x: Array, fweights: ArrayLike | None, aweights: ArrayLike | None) -> Array | None:
    given = [convert(array_arg("cov", w), x.type.dtype) for w in (fweights, aweights) if w is not None]
    for w in given:
        if w.type.shape != (x.type.shape[1],):
            raise ShapeError(f"cov: weights must have shape {(x.type.shape[1],)}, one for each observation; got {w.type.shape}")
    return None if not given else given[0] if len(given) == 1 else given[0] * given[1]


def corrcoef(x: ArrayLike, y: ArrayLike | None = None, rowvar: bool = True) -> Array:
    """The matrix of correlation coefficients of variables; see `cov`.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.corrcoef(jnp.array([[0.0, 1.0, 2.0], [4.0, 2.0, 0.0]])))
    [[ 1. -1.]
     [-1.  1.]]
    """
    c = cov(x, y, rowvar)
    if not c.type.rank:
        return c / c
    n = c.type.shape[0]
    on_diagonal = op("eq", iota((n, n), 0), iota((n, n), 1))
    variance = op("reduce_sum", select(on_diagonal, c, constant(0, c.type.dtype)), axes=(1,))
    spreads = op("sqrt", op("real", variance) if is_complex(c) else variance)
    row, column = (convert(broadcast(spreads, (n, n), (axis,)), c.type.dtype) for axis in (0, 1))
    out = c / row / column
    return out if is_complex(c) else op("min", op("max", out, constant(-1, out.type.dtype)), constant(1, out.type.dtype))
