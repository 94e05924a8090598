"""What predictions are compared with: targets, labels, weights and masks are checked here for losses.py and metrics.

Shapes never broadcast in silence: (N,) against (N, 1) would compare every prediction with every target.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import jitgrad.numpy as jnp
from jitgrad.array import Array
from jitgrad.errors import ArgumentError, DTypeError, ShapeError
from jitgrad.operands import array_arg, axis_number, inexact_arg
from jitgrad_compiler.ir.types import BOOL

ArrayLike = Any


def concrete(x: Array) -> np.ndarray | None:
    """The elements of an array that is at hand; None of a traced one."""
    known = x.concrete()
    return None if known is None else np.asarray(known)


def alike(where: str, predictions: ArrayLike, targets: ArrayLike, names: str = "predictions targets") -> tuple[Array, Array]:
    """Two arrays of floats of one shape; the second may be one number. Raises ShapeError."""
    one, other = inexact_arg(where, predictions), inexact_arg(where, targets)
    if one.shape != other.shape and other.ndim:
        first, second = names.split()
        raise ShapeError(
            f"{where}: {first} and {second} must have one shape, got {one.shape} and {other.shape}"
            f"{_hint(first, one, second, other)}"
        )
    dtype = jnp.promote_types(one.dtype, other.dtype)
    return one.astype(dtype), jnp.broadcast_to(other.astype(dtype), one.shape)


def _hint(first: str, one: Array, second: str, other: Array) -> str:
    """How to write what was meant, where one array has an axis of size 1 too many."""
    for name, longer, shorter in ((first, one, other), (second, other, one)):
        for axis in range(longer.ndim):
            if longer.shape[axis] == 1 and longer.shape[:axis] + longer.shape[axis + 1 :] == shorter.shape:
                return f". Use jnp.squeeze({name}, axis={axis}); broadcast they would be compared each with each"
    return ". Reshape one of them; they are not broadcast"


def class_axis(where: str, scores: Array, axis: int) -> tuple[int, tuple[int, ...]]:
    """The axis of classes counted from the front, and the shape that labels have. Raises ShapeError for numbers without axes."""
    if not scores.ndim:
        raise ShapeError(f"{where}: the predictions need an axis of classes, got one number")
    along = axis_number(where, axis, scores.ndim)
    return along, scores.shape[:along] + scores.shape[along + 1 :]


def check_labels(
    where: str, labels: ArrayLike, shape: tuple[int, ...], classes: int, ignore_index: int | None = None
) -> tuple[Array, Array]:
    """Labels as integers, and which of them lie in 0 .. classes - 1 or are ignored. A traced label that does not is seen by the
    second result alone. Raises ShapeError, DTypeError, and ArgumentError for concrete labels out of range.
    """
    value = array_arg(where, labels)
    if value.shape != shape:
        one = jnp.zeros(shape, BOOL)
        raise ShapeError(
            f"{where}: labels must have the shape {shape} of the predictions without their classes, got "
            f"{value.shape}{_hint('predictions', one, 'labels', value) if value.ndim > len(shape) else ''}"
        )
    if value.type.dtype.is_inexact:
        raise DTypeError(f"{where}: labels must be integers, the numbers of classes, got {value.dtype}; use labels.astype(int)")
    value = value.astype("int32") if value.type.dtype == BOOL else value
    ignored = jnp.zeros(value.shape, BOOL) if ignore_index is None else value == ignore_index
    known = ignored | ((value >= 0) & (value < classes))
    if not known.holds():
        place = tuple(int(n) for n in np.argwhere(~known.elements(where))[0])
        given = value.elements(where)[place]
        raise ArgumentError(
            f"{where}: labels must lie in 0 to {classes - 1}, as there are {classes} classes, got {given} at "
            f"{place[0] if len(place) == 1 else place}. Labels to leave out: ignore_index= or where="
        )
    return value, known


def is_class(labels: Array, classes: int, axis: int) -> Array:
    """Whether each class is the labelled one: bools with an axis of classes; all False for a label out of range."""
    shape = [1] * (labels.ndim + 1)
    shape[axis] = classes
    return jnp.expand_dims(labels, axis) == jnp.arange(classes, dtype=labels.dtype).reshape(shape)


def check_among(where: str, what: str, targets: Array, fine: Array, wanted: str) -> None:
    """Raise ArgumentError where a concrete target is none of those that are wanted."""
    if not fine.holds():
        wrong = targets.elements(where, constant=True)[tuple(np.argwhere(~fine.elements(where))[0])]
        raise ArgumentError(f"{where}: {what} must be {wanted}, got {wrong}")


def spread(where: str, what: str, given: ArrayLike, shape: tuple[int, ...]) -> Array:
    """Weights or a mask of the shape of losses; they may have its first axes alone. Raises ShapeError."""
    value = array_arg(where, given)
    if jnp.iscomplexobj(value):
        raise DTypeError(f"{where}: {what} must be real numbers, got {value.dtype}")
    fits = value.shape == shape[: value.ndim] or (
        value.ndim == len(shape) and all(n in (1, m) for n, m in zip(value.shape, shape, strict=True))
    )
    if not fits:
        raise ShapeError(f"{where}: {what} must have the shape {shape} of the losses, or its first axes, got {value.shape}")
    return jnp.broadcast_to(value.reshape(*value.shape, *(1,) * (len(shape) - value.ndim)), shape)


def check_mask(where: str, mask: ArrayLike, shape: tuple[int, ...]) -> Array:
    """A mask as bools of a shape. Raises DTypeError for numbers, which are weights."""
    value = spread(where, "where", mask, shape)
    if value.type.dtype != BOOL:
        raise DTypeError(f"{where}: where holds bools, got {value.dtype}; numbers are weights=")
    return value
