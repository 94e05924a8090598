"""Moments: average, ptp, cov, corrcoef. Quantiles are in quantiles.py, counts in bins in histograms.py."""

from __future__ import annotations

from typing import Any

from jitgrad.array import Array
from jitgrad.array_ops import broadcast, constant, convert, fill_like, iota, op, reshape, select, spread, transpose
from jitgrad.errors import DTypeError, ShapeError
from jitgrad.operands import ArrayLike, array_arg, axes_tuple, axis_number, inexact_arg, is_complex, no_out, operands, size_arg
from jitgrad.promotion import dtype_name

from . import reductions
from .linear import matmul
from .reductions import Axis


def ptp(a: ArrayLike, axis: Axis = None, out: None = None, keepdims: bool = False) -> Array:
    """The largest minus the smallest element over axes (all by default).

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.ptp(jnp.array([3, 9, 4])))
    6
    """
    no_out("ptp", out)
    result: Array = reductions.max(a, axis, keepdims=keepdims) - reductions.min(a, axis, keepdims=keepdims)
    return result


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
    dtype: Any = None,
) -> Array:
    """The covariance matrix of variables, one a row (one a column with rowvar=False), over their observations.

    Normalised by n - 1, by n with `bias`, by n - ddof where that is given. fweights counts observations, aweights weighs them.
    With dtype all is computed in that float type. Raises ShapeError for more than 2 axes.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.cov(jnp.array([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]])))
    [[ 1. -1.]
     [-1.  1.]]
    """
    x = _variables("cov", m, rowvar, dtype)
    if y is not None:
        x = op("concatenate", *_same_type(x, _variables("cov", y, rowvar, dtype)), axis=0)
    weights = _weights(x, fweights, aweights)
    ddof = (0 if bias else 1) if ddof is None else size_arg("cov", ddof, "ddof must be an integer")
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


def _variables(where: str, m: ArrayLike, rowvar: bool, dtype: Any) -> Array:
    if dtype is not None and not dtype_name(dtype).is_inexact:
        raise DTypeError(f"{where}: dtype must be a float type, got {dtype_name(dtype).numpy}")
    x = inexact_arg(where, m, dtype)
    if x.type.rank > 2:
        raise ShapeError(f"{where}: needs at most 2 axes, got shape {x.type.shape}")
    if x.type.rank < 2:
        return reshape(x, (1, x.type.size))
    return x if rowvar else transpose(x, (1, 0))


def _weights(x: Array, fweights: ArrayLike | None, aweights: ArrayLike | None) -> Array | None:
    given = [convert(array_arg("cov", w), x.type.dtype) for w in (fweights, aweights) if w is not None]
    for w in given:
        if w.type.shape != (x.type.shape[1],):
            raise ShapeError(f"cov: weights must have shape {(x.type.shape[1],)}, one for each observation; got {w.type.shape}")
    return None if not given else given[0] if len(given) == 1 else given[0] * given[1]


def corrcoef(x: ArrayLike, y: ArrayLike | None = None, rowvar: bool = True, dtype: Any = None) -> Array:
    """The matrix of correlation coefficients of variables; see `cov`.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.corrcoef(jnp.array([[0.0, 1.0, 2.0], [4.0, 2.0, 0.0]])))
    [[ 1. -1.]
     [-1.  1.]]
    """
    c = cov(x, y, rowvar, dtype=dtype)
    if not c.type.rank:
        return c / c
    n = c.type.shape[0]
    on_diagonal = op("eq", iota((n, n), 0), iota((n, n), 1))
    variance = op("reduce_sum", select(on_diagonal, c, constant(0, c.type.dtype)), axes=(1,))
    spreads = op("sqrt", op("real", variance) if is_complex(c) else variance)
    row, column = (convert(broadcast(spreads, (n, n), (axis,)), c.type.dtype) for axis in (0, 1))
    out = c / row / column
    return out if is_complex(c) else op("min", op("max", out, constant(-1, out.type.dtype)), constant(1, out.type.dtype))
