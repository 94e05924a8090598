"""Statistics of samples: ranks, the most frequent value, the standard error of the mean."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jitgrad.numpy as jnp
from jitgrad.array import Array
from jitgrad.errors import ArgumentError
from jitgrad.lax import cummax

METHODS = ("average", "min", "max", "dense", "ordinal")


class ModeResult(NamedTuple):
    """The most frequent value and how often it is there."""

    mode: Array
    count: Array  # type: ignore[assignment]  # a tuple's method of this name


def _choose(where: str, name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ArgumentError(f"scipy.stats.{where}: {name} must be one of {', '.join(known)}, got {value!r}")


def _refuse_axis(where: str, array: Array, axis: int) -> None:
    if not -array.ndim <= axis < array.ndim:
        raise ArgumentError(f"scipy.stats.{where}: axis {axis} is out of range for an array of shape {list(array.shape)}")


def _in_front(where: str, a: Any, axis: int | None) -> tuple[Array, int]:
    """The array with the axis last, flattened where there is none; and where the axis was."""
    array = jnp.asarray(a)
    if axis is None:
        return array.reshape(-1), 0
    _refuse_axis(where, array, axis)
    return jnp.moveaxis(array, axis, -1), axis


def rankdata(a: Any, method: str = "average", *, axis: int | None = None, nan_policy: str = "propagate") -> Array:
    """The ranks, from 1 on, of the numbers along an axis, of the flattened array by default.

    method: what equal numbers get: the average, the least or the greatest of their ranks; ordinal: one after the other; dense: the
    number of different numbers up to them. With a NaN all ranks of its row are NaN.

    Raises:
        ArgumentError: method or nan_policy is not known, or axis is out of range.

    >>> import jitgrad.numpy as jnp
    >>> print(rankdata(jnp.array([1, 3, 2, 3])))
    [1.  3.5 2.  3.5]
    """
    _choose("rankdata", "method", method, METHODS)
    _choose("rankdata", "nan_policy", nan_policy, ("propagate",))
    rows, place = _in_front("rankdata", a, axis)
    order = jnp.argsort(rows, axis=-1, stable=True)
    count = rows.shape[-1]
    ordinal = jnp.argsort(order, axis=-1)  # the inverse permutation
    if method == "ordinal":
        ranks = ordinal + 1
    else:
        ordered = jnp.take_along_axis(rows, order, -1)
        first = jnp.concatenate([jnp.ones((*rows.shape[:-1], min(count, 1)), bool), ordered[..., 1:] != ordered[..., :-1]], -1)
        places = jnp.broadcast_to(jnp.arange(count), rows.shape)
        least = _running_max(jnp.where(first, places, 0))
        last = jnp.concatenate([first[..., 1:], jnp.ones((*rows.shape[:-1], min(count, 1)), bool)], -1)
        greatest = jnp.flip(-_running_max(-jnp.flip(jnp.where(last, places, count), -1)), -1)
        of_sorted = {
            "min": least + 1, "max": greatest + 1, "dense": jnp.cumsum(first, axis=-1), "average": (least + greatest) / 2 + 1
        }[method]  # fmt: skip
        ranks = jnp.take_along_axis(of_sorted, ordinal, -1)
    if jnp.issubdtype(rows.dtype, jnp.floating):
        ranks = jnp.where(jnp.isnan(rows).any(-1, keepdims=True), math.nan, ranks)
    return ranks if axis is None else jnp.moveaxis(ranks, -1, place)


def _running_max(x: Array) -> Array:
    return cummax(x, axis=x.ndim - 1)


def mode(a: Any, axis: int | None = 0, nan_policy: str = "propagate", keepdims: bool = False) -> ModeResult:
    """The most frequent value along an axis, the least of several, and how often it is there; NaN where there is a NaN, or nothing.

    Raises:
        ArgumentError: nan_policy is not propagate, or axis is out of range.

    >>> import jitgrad.numpy as jnp
    >>> value, count = mode(jnp.array([2, 4, 1, 4]))
    >>> print(value, count)
    4 2
    """
    _choose("mode", "nan_policy", nan_policy, ("propagate",))
    array = jnp.atleast_1d(a)
    rows, place = _in_front("mode", array, axis)
    nothing = not rows.shape[-1]
    rows = jnp.full((*rows.shape[:-1], 1), math.nan) if nothing else rows
    ordered, length = jnp.sort(rows, axis=-1), rows.shape[-1]
    places = jnp.broadcast_to(jnp.arange(length), rows.shape)
    first = jnp.concatenate([jnp.ones((*rows.shape[:-1], 1), bool), ordered[..., 1:] != ordered[..., :-1]], -1)
    runs = places - _running_max(jnp.where(first, places, 0)) + 1
    best = jnp.argmax(runs, axis=-1, keepdims=True)
    value, count = jnp.take_along_axis(ordered, best, -1), jnp.take_along_axis(runs, best, -1)
    if jnp.issubdtype(rows.dtype, jnp.floating):
        gaps = jnp.isnan(rows).sum(-1, keepdims=True)
        value, count = jnp.where(gaps > 0, math.nan, value), jnp.where(gaps > 0, 0 if nothing else gaps, count)
    if not keepdims:
        return ModeResult(value[..., 0], count[..., 0])
    if axis is None:
        shape = (1,) * array.ndim
        return ModeResult(value.reshape(shape), count.reshape(shape))
    return ModeResult(jnp.moveaxis(value, -1, place), jnp.moveaxis(count, -1, place))


def sem(a: Any, axis: int | None = 0, ddof: int = 1, nan_policy: str = "propagate", *, keepdims: bool = False) -> Array:
    """The standard error of the mean along an axis: the standard deviation over the root of the number.

    nan_policy: propagate, or omit to leave NaNs out.

    Raises:
        ArgumentError: nan_policy is not known, or axis is out of range.

    >>> import jitgrad.numpy as jnp
    >>> print(sem(jnp.array([1.0, 3.0])))
    1.0
    """
    _choose("sem", "nan_policy", nan_policy, ("propagate", "omit"))
    array = jnp.asarray(a)
    if axis is not None:
        _refuse_axis("sem", array, axis)
    if nan_policy == "omit":
        count = jnp.sum(~jnp.isnan(array), axis=axis, keepdims=keepdims)
        deviation = jnp.nanstd(array, axis=axis, ddof=ddof, keepdims=keepdims)
        return deviation / jnp.sqrt(count.astype(jnp.promote_types(deviation.dtype, "float32"))).astype(deviation.dtype)
    size = array.size if axis is None else array.shape[axis]
    return jnp.std(array, axis=axis, ddof=ddof, keepdims=keepdims) / math.sqrt(size)
