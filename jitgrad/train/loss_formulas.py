"""Keras' losses as functions: of targets and predictions, one number an example, the mean over the last axis of both.

Targets and predictions have one shape, or one of them lacks a last axis of size 1; nothing else broadcasts (Keras' does, in
silence). Vectors [examples] give one number for each element. Where probabilities are wanted they are held between 1e-7 and
1 - 1e-7.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import jitgrad.numpy as jnp
from jitgrad.array import Array
from jitgrad.errors import ShapeError
from jitgrad.nn import losses
from jitgrad.nn.activations import log_sigmoid, sigmoid, softplus
from jitgrad.nn.targets import check_among
from jitgrad.normalization import Axis, log_softmax, softmax
from jitgrad.operands import array_arg, axis_number, inexact_arg
from jitgrad.ranges import NotNegative, Part, Positive

EPSILON = 1e-7
NO_CLASS = -(2**31)
"""A label out of any range, which nobody ignores."""


def listed(x: Any) -> Any:
    """What is given, as an array where it is a list of numbers."""
    return jnp.asarray(x) if isinstance(x, (list, tuple)) else x


def matched(where: str, y_true: Any, y_pred: Any) -> tuple[Array, Array]:
    """Targets and predictions of one shape, the targets in the predictions' type. Raises ShapeError for other shapes."""
    t, x = array_arg(where, listed(y_true)), inexact_arg(where, listed(y_pred))
    for a, b in ((t, x), (x, t)):
        if a.ndim == b.ndim + 1 and a.shape == (*b.shape, 1):
            t, x = t.reshape(a.shape), x.reshape(a.shape)
    if t.shape != x.shape:
        hint = " Integer labels go with sparse_categorical_crossentropy." if x.ndim == t.ndim + 1 or t.shape[-1:] == (1,) else ""
        raise ShapeError(f"{where}: targets and predictions must have one shape, got {t.shape} and {x.shape}.{hint}")
    return t.astype(x.dtype), x


def of_one_rank(y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    """Targets [n] and predictions [n, 1], or the other way round, both as [n, 1], so that they do not broadcast to [n, n]."""
    t, x = getattr(y_true, "shape", None), getattr(y_pred, "shape", None)
    if t is None or x is None or len(t) == len(x):
        return y_true, y_pred
    if len(t) == 1 and x == (*t, 1):
        return y_true[:, None], y_pred
    return (y_true, y_pred[:, None]) if len(x) == 1 and t == (*x, 1) else (y_true, y_pred)


def over_last(values: Array) -> Array:
    """The mean over the last axis, where there is one beside that of examples."""
    return values if values.ndim < 2 else jnp.mean(values, axis=-1)


def _of_elements(text: str, formula: Callable[..., Array]) -> Callable[..., Array]:
    """The loss that is the mean of a formula of targets and predictions, element by element."""

    @functools.wraps(formula)
    def loss(y_true: Any, y_pred: Any, *args: Any, **options: Any) -> Array:
        return over_last(formula(*matched(f"train.losses.{formula.__name__}", y_true, y_pred), *args, **options))

    loss.__doc__ = f"{text} The mean over the last axis: one number an example."
    return loss


def _element(text: str) -> Callable[[Callable[..., Array]], Callable[..., Array]]:
    return functools.partial(_of_elements, text)


@_element("Squared differences.")
def mean_squared_error(y_true: Array, y_pred: Array) -> Array:
    return jnp.square(y_pred - y_true)


@_element("Absolute differences.")
def mean_absolute_error(y_true: Array, y_pred: Array) -> Array:
    return jnp.abs(y_pred - y_true)


@_element("Absolute differences in percent of targets, of which the least size is 1e-7.")
def mean_absolute_percentage_error(y_true: Array, y_pred: Array) -> Array:
    return 100 * jnp.abs((y_true - y_pred) / jnp.maximum(jnp.abs(y_true), EPSILON))


@_element("Squared differences of log(1 + x), where x is at least 1e-7.")
def mean_squared_logarithmic_error(y_true: Array, y_pred: Array) -> Array:
    return jnp.square(jnp.log1p(jnp.maximum(y_pred, EPSILON)) - jnp.log1p(jnp.maximum(y_true, EPSILON)))


@_element("d**2 / 2 for differences d up to delta, a straight line beyond.")
def huber(y_true: Array, y_pred: Array, delta: Positive = 1.0) -> Array:
    size = jnp.abs(y_pred - y_true)
    inside = jnp.minimum(size, delta)
    return 0.5 * inside * inside + delta * (size - inside)


@_element("log(cosh(d)) of differences d.")
def log_cosh(y_true: Array, y_pred: Array) -> Array:
    d = y_pred - y_true
    return d + softplus(-2 * d) - math.log(2)


@_element("prediction - target * log(prediction + 1e-7).")
def poisson(y_true: Array, y_pred: Array) -> Array:
    return y_pred - y_true * jnp.log(y_pred + EPSILON)


def _sides(y_true: Array) -> Array:
    """Targets of -1 and 1, of such or of 0 and 1."""
    binary = jnp.all((y_true == 0) | (y_true == 1))
    return jnp.where(binary, 2 * y_true - 1, y_true)


@_element("max(0, 1 - target * prediction) for targets of -1 and 1, or of 0 and 1.")
def hinge(y_true: Array, y_pred: Array) -> Array:
    return jnp.maximum(1 - _sides(y_true) * y_pred, 0)


@_element("max(0, 1 - target * prediction)**2 for targets of -1 and 1, or of 0 and 1.")
def squared_hinge(y_true: Array, y_pred: Array) -> Array:
    return jnp.square(jnp.maximum(1 - _sides(y_true) * y_pred, 0))


def _held(probabilities: Array) -> Array:
    return jnp.clip(probabilities, EPSILON, 1 - EPSILON)


def _binary_terms(t: Array, x: Array, from_logits: bool) -> Array:
    check_among("train.losses.binary_crossentropy", "targets", t, (t >= 0) & (t <= 1), "0 or 1, or between them")
    if from_logits:
        return -(t * log_sigmoid(x) + (1 - t) * log_sigmoid(-x))
    p = _held(x)
    return -(t * jnp.log(p) + (1 - t) * jnp.log(1 - p))


@_element("-log of the probability that predictions give to targets of 0 and 1, or, with from_logits, that their sigmoid gives.")
def binary_crossentropy(
    y_true: Array, y_pred: Array, from_logits: bool = False, label_smoothing: Part = 0.0, axis: int = -1
) -> Array:
    _only_last("binary_crossentropy", axis)
    return _binary_terms(y_true * (1 - label_smoothing) + 0.5 * label_smoothing, y_pred, from_logits)


@_element("Binary cross-entropy times (1 - p)**gamma, p being the target's probability (Lin et al., 2017).")
def binary_focal_crossentropy(
    y_true: Array,
    y_pred: Array,
    apply_class_balancing: bool = False,
    alpha: NotNegative = 0.25,
    gamma: NotNegative = 2.0,
    from_logits: bool = False,
    label_smoothing: Part = 0.0,
    axis: int = -1,
) -> Array:
    _only_last("binary_focal_crossentropy", axis)
    t = y_true * (1 - label_smoothing) + 0.5 * label_smoothing
    p = sigmoid(y_pred) if from_logits else y_pred
    terms = (1 - (t * p + (1 - t) * (1 - p))) ** gamma * _binary_terms(t, y_pred, from_logits)
    return terms * (t * alpha + (1 - t) * (1 - alpha)) if apply_class_balancing else terms


def _only_last(name: str, axis: int) -> None:
    if axis != -1:
        raise ShapeError(f"train.losses.{name}: axis must be -1, the last, got {axis}. Move the axis: jnp.moveaxis(x, {axis}, -1).")


def _log_probabilities(x: Array, from_logits: bool, axis: int) -> Array:
    return log_softmax(x, axis=axis) if from_logits else jnp.log(_held(x / jnp.sum(x, axis=axis, keepdims=True)))


def _classes(name: str, y_true: Any, y_pred: Any, label_smoothing: Part, axis: int) -> tuple[Array, Array]:
    t, x = matched(f"train.losses.{name}", y_true, y_pred)
    axis = axis_number(f"train.losses.{name}", axis, x.ndim)
    if x.ndim < 2 or x.shape[axis] == 1:
        raise ShapeError(
            f"train.losses.{name}: predictions must have an axis of two classes or more, [examples, classes], got {x.shape}. One "
            "probability an example goes with binary_crossentropy."
        )
    return (t * (1 - label_smoothing) + label_smoothing / x.shape[axis] if label_smoothing else t), x


def categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: Part = 0.0, axis: int = -1
) -> Array:
    """-log of the probability that predictions, or the softmax of them with from_logits, give to the class of one-hot targets."""
    t, x = _classes("categorical_crossentropy", y_true, y_pred, label_smoothing, axis)
    return -jnp.sum(t * _log_probabilities(x, from_logits, axis), axis=axis)


def categorical_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    alpha: NotNegative = 0.25,
    gamma: NotNegative = 2.0,
    from_logits: bool = False,
    label_smoothing: Part = 0.0,
    axis: int = -1,
) -> Array:
    """Cross-entropy of one-hot targets times alpha * (1 - p)**gamma for each class of probability p (Lin et al., 2017)."""
    t, x = _classes("categorical_focal_crossentropy", y_true, y_pred, label_smoothing, axis)
    p = _held(softmax(x, axis=axis) if from_logits else x / jnp.sum(x, axis=axis, keepdims=True))
    return jnp.sum(-alpha * (1 - p) ** gamma * t * jnp.log(p), axis=axis)


def labels_of(where: str, y_true: Any, shape: tuple[int, ...]) -> Array:
    """Integer labels of a shape, of such, of whole floats, or with a last axis of size 1 more. Raises ArgumentError for a
    float at hand that is not whole; a traced one becomes NO_CLASS.
    """
    t = array_arg(where, listed(y_true))
    if t.shape == (*shape, 1):
        t = t.reshape(shape)
    if t.shape != shape:
        hint = " One-hot targets go with categorical_crossentropy." if t.ndim == len(shape) + 1 else ""
        raise ShapeError(f"{where}: labels must have the shape {shape} of predictions without their classes, got {t.shape}.{hint}")
    if t.dtype.kind != "f":
        return t
    whole = t == jnp.floor(t)
    check_among(where, "labels", t, whole, "whole numbers, those of classes")
    return jnp.where(whole & (jnp.abs(t) < -NO_CLASS), t, NO_CLASS).astype("int32")


def sparse_categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, ignore_class: int | None = None, axis: int = -1
) -> Array:
    """-log of the probability that predictions, or the softmax of them with from_logits, give to labels, integers.

    ignore_class: the label of examples that do not count; the mean is over the others. A label out of range raises ArgumentError
    where labels are at hand, and is NaN where they are traced.
    """
    where = "train.losses.sparse_categorical_crossentropy"
    _only_last("sparse_categorical_crossentropy", axis)
    x = inexact_arg(where, listed(y_pred))
    if x.ndim < 2 or x.shape[-1] == 1:
        raise ShapeError(
            f"{where}: predictions must have a last axis of two classes or more, [examples, classes], got {x.shape}. One "
            "probability an example goes with binary_crossentropy."
        )
    labels = labels_of(where, y_true, x.shape[:-1])
    options: dict[str, Any] = {"reduction": "none", "ignore_index": ignore_class}
    if from_logits:
        found = losses.cross_entropy(x, labels, **options)
    else:
        found = losses.nll(_log_probabilities(x, False, -1), labels, **options)
    if ignore_class is None:
        return found
    return found * (found.size / jnp.maximum(jnp.sum(labels != ignore_class), 1)).astype(found.dtype)


def categorical_hinge(y_true: Any, y_pred: Any) -> Array:
    """max(0, 1 + the largest prediction of a wrong class - that of the right one), for one-hot targets."""
    t, x = matched("train.losses.categorical_hinge", y_true, y_pred)
    right, wrong = jnp.sum(t * x, axis=-1), jnp.max((1 - t) * x, axis=-1)
    return jnp.maximum(wrong - right + 1, 0)


def kl_divergence(y_true: Any, y_pred: Any) -> Array:
    """The sum of target * log(target / prediction), both of them probabilities, held between 1e-7 and 1."""
    t, x = (jnp.clip(a, EPSILON, 1) for a in matched("train.losses.kl_divergence", y_true, y_pred))
    return jnp.sum(t * jnp.log(t / x), axis=-1)


def cosine_similarity(y_true: Any, y_pred: Any, axis: Axis = -1) -> Array:
    """The cosine of the angle between targets and predictions along an axis; the loss of this name is minus it."""
    t, x = matched("train.losses.cosine_similarity", y_true, y_pred)
    unit = [a / jnp.sqrt(jnp.maximum(jnp.sum(a * a, axis=axis, keepdims=True), 1e-12)) for a in (t, x)]
    return jnp.sum(unit[0] * unit[1], axis=axis)


__all__ = [
    "binary_crossentropy", "binary_focal_crossentropy", "categorical_crossentropy", "categorical_focal_crossentropy",
    "categorical_hinge", "cosine_similarity", "hinge", "huber", "kl_divergence", "log_cosh", "mean_absolute_error",
    "mean_absolute_percentage_error", "mean_squared_error", "mean_squared_logarithmic_error", "poisson",
    "sparse_categorical_crossentropy", "squared_hinge",
]  # fmt: skip
