"""Functions along an axis: softmax and its logarithm, logsumexp, standardize; and one_hot."""

from __future__ import annotations

import math
from typing import Any

import jitgrad.numpy as jnp
from jitgrad import array_ops as ops
from jitgrad.array import Array, as_value
from jitgrad.array_ops import convert
from jitgrad.differentiation import stop_gradient
from jitgrad.errors import DTypeError
from jitgrad.numpy.reductions import mask_arg
from jitgrad.operands import array_arg, axis_number, common_dtype, inexact_arg, one_of, size_arg
from jitgrad.promotion import default_float, dtype_name
from jitgrad.ranges import Count
from jitgrad_compiler.ir.types import BOOL

ArrayLike = Any
Axis = int | tuple[int, ...] | None


def _largest(name: str, x: Array, axis: Axis, where: ArrayLike | None) -> Array:
    """The largest element along axes, kept as axes of size 1, as a constant to derivatives: any shift gives the same softmax."""
    real = jnp.real(stop_gradient(x))
    held = real if where is None else jnp.where(mask_arg(name, where), real, -math.inf)
    return jnp.max(held, axis=axis, keepdims=True, initial=None if held.size else -math.inf)


def _or_one(total: Array) -> Array:
    """A sum that is divided by, or whose logarithm is taken: 1 for that of nothing."""
    return jnp.where(total == 0, 1.0, total)


def softmax(x: ArrayLike, axis: Axis = -1, where: ArrayLike | None = None) -> Array:
    """exp(x) divided by its sum along axes, without overflow. Elements where `where` is False count as absent and give 0.

    >>> import jitgrad.numpy as jnp
    >>> print(softmax(jnp.array([1000.0, 1000.0])))
    [0.5 0.5]
    """
    value = inexact_arg("nn.softmax", x)
    shifted = value - _largest("softmax", value, axis, where)
    raised = jnp.exp(shifted) if where is None else jnp.where(where, jnp.exp(jnp.where(where, shifted, 0.0)), 0.0)
    total = jnp.sum(raised, axis=axis, keepdims=True)
    return raised / (total if where is None else _or_one(total))


def log_softmax(x: ArrayLike, axis: Axis = -1, where: ArrayLike | None = None) -> Array:
    """log(softmax(x)), accurate where that is small. Elements where `where` is False count as absent and give -inf.

    >>> import jitgrad.numpy as jnp
    >>> print(log_softmax(jnp.array([0.0, -200.0])))
    [   0. -200.]
    """
    value = inexact_arg("nn.log_softmax", x)
    shifted = value - _largest("log_softmax", value, axis, where)
    if where is None:
        return shifted - jnp.log(jnp.sum(jnp.exp(shifted), axis=axis, keepdims=True))
    shifted = jnp.where(where, shifted, 0.0)
    total = jnp.sum(jnp.where(where, jnp.exp(shifted), 0.0), axis=axis, keepdims=True)
    return jnp.where(where, shifted - jnp.log(_or_one(total)), -math.inf)


def logsumexp(
    a: ArrayLike,
    axis: Axis = None,
    b: ArrayLike | None = None,
    keepdims: bool = False,
    return_sign: bool = False,
    where: ArrayLike | None = None,
) -> Any:
    """log(sum(b * exp(a))) over axes, all by default, without overflow; b is 1 by default.

    return_sign: the pair of the logarithm of the sum's magnitude, and its sign (of complex numbers sum / |sum|); without it a
    negative sum gives NaN. Elements where `where` is False count as absent; the logarithm of nothing is -inf, its derivative 0.

    >>> import jitgrad.numpy as jnp
    >>> print(logsumexp(jnp.array([1000.0, 0.0])))
    1000.0
    """
    value = inexact_arg("logsumexp", a)
    present = where
    if b is not None:
        weights = as_value(b, "logsumexp")
        weights = convert(weights, common_dtype([value, weights])[0]) if weights.weak else weights
        used = weights != 0
        present = used if where is None else jnp.logical_and(where, used)
    largest = _largest("logsumexp", value, axis, present)
    largest = jnp.where(jnp.isfinite(largest), largest, 0.0)  # infinities need no shift, and would give inf - inf
    shifted = value - largest
    raised = jnp.exp(shifted) if present is None else jnp.where(present, jnp.exp(jnp.where(present, shifted, 0.0)), 0.0)
    total = jnp.sum(raised if b is None else raised * weights, axis=axis, keepdims=True)
    sign = jnp.sign(total)
    nothing, held = total == 0, _or_one(total)
    out = jnp.where(nothing, -math.inf, jnp.log(jnp.abs(held) if return_sign else held) + largest)
    if not keepdims:
        axes = tuple(range(value.ndim)) if axis is None else axis
        out, sign = jnp.squeeze(out, axis=axes), jnp.squeeze(sign, axis=axes)
    return (out, sign) if return_sign else out


def logmeanexp(x: ArrayLike, axis: Axis = None, where: ArrayLike | None = None, keepdims: bool = False) -> Array:
    """log(mean(exp(a))) over axes, without overflow.

    >>> import jitgrad.numpy as jnp
    >>> print(logmeanexp(jnp.array([1000.0, 1000.0])))
    1000.0
    """
    value = inexact_arg("nn.logmeanexp", x)
    mask = jnp.ones(value.shape, BOOL) if where is None else jnp.broadcast_to(where, value.shape)
    count = jnp.sum(mask, axis=axis, keepdims=keepdims)
    out: Array = logsumexp(value, axis=axis, keepdims=keepdims, where=where)
    return out - jnp.log(count.astype(jnp.promote_types(out.dtype, "float32"))).astype(out.dtype)


def standardize(
    x: ArrayLike,
    axis: Axis = -1,
    mean: ArrayLike | None = None,
    variance: ArrayLike | None = None,
    epsilon: ArrayLike = 1e-5,
    where: ArrayLike | None = None,
    *,
    algorithm: str = "fast",
) -> Array:
    """x less its mean, divided by the square root of its variance plus epsilon, along axes.

    algorithm: jax's, "fast" or "stable"; the variance is always that of what is left when the mean is taken off, the stable one.

    >>> import jitgrad.numpy as jnp
    >>> print(standardize(jnp.array([1.0, 3.0]), epsilon=0.0))
    [-1.  1.]
    """
    value = inexact_arg("nn.standardize", x)
    one_of("nn.standardize", "algorithm", algorithm, ("fast", "stable"))
    centre = jnp.mean(value, axis=axis, keepdims=True, where=where) if mean is None else mean
    if variance is None:
        centred = value - centre if where is None else jnp.where(where, value - centre, 0.0)
        variance = jnp.mean(jnp.square(centred), axis=axis, keepdims=True, where=where)
    return (value - centre) * ops.op("rsqrt", inexact_arg("nn.standardize", variance + epsilon))


def one_hot(x: ArrayLike, num_classes: Count, *, dtype: Any = None, axis: int = -1) -> Array:
    """Class indices [...] as vectors [..., num_classes] of 0 with a 1 at the index; all 0 for an index outside.

    The classes' axis is put at `axis`; dtype is config.default_float by default.

    >>> import jitgrad.numpy as jnp
    >>> print(one_hot(jnp.array([0, 2]), 3))
    [[1. 0. 0.]
     [0. 0. 1.]]
    """
    labels = array_arg("nn.one_hot", x)
    if not labels.type.dtype.is_integer:
        raise DTypeError(f"nn.one_hot: class indices must be integers, got {labels.dtype}. Convert them with .astype(int).")
    num_classes = size_arg("nn.one_hot", num_classes, "num_classes is an integer")
    rank = labels.ndim + 1
    at = axis_number("nn.one_hot", axis, rank)
    shape = (*labels.shape[:at], num_classes, *labels.shape[at:])
    spread = ops.broadcast(labels, shape, tuple(i for i in range(rank) if i != at))
    hit = ops.op("eq", spread, ops.iota(shape, at, labels.type.dtype))
    return ops.convert(hit, default_float() if dtype is None else dtype_name(dtype))
