"""Metrics that are means over examples: accuracy, top-k accuracy, mean errors, perplexity."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

import jitgrad.numpy as jnp
from jitgrad.array import Array
from jitgrad.errors import ArgumentError, ShapeError
from jitgrad.nn import losses
from jitgrad.nn.targets import check_labels, is_class
from jitgrad.operands import array_arg, inexact_arg

from .labels import label_pairs, scores_and_labels
from .metric import DTYPE, Metric, importance, mask_of, reals


class MeanState(NamedTuple):
    """total: the weighted sum of values; weight: the sum of weights."""

    total: Any
    weight: Any


class _Mean(Metric):
    """The weighted mean of `values`, NaN of nothing."""

    name: str

    def init(self) -> MeanState:
        return MeanState(jnp.zeros((), DTYPE), jnp.zeros((), DTYPE))

    def values(self, predictions: Any, targets: Any, where: Any) -> tuple[Array, Any]:
        """A value for each example, and which examples are there."""
        raise NotImplementedError

    def update(self, state: MeanState, predictions: Any, targets: Any, *, weights: Any = None, where: Any = None) -> MeanState:
        values, kept = self.values(predictions, targets, where)
        counts = importance(self.name, values.shape, weights, kept)
        values = values.astype(DTYPE) if kept is None else jnp.where(kept, values.astype(DTYPE), 0)
        return MeanState(state.total + jnp.sum(counts * values), state.weight + jnp.sum(counts))

    def compute(self, state: MeanState) -> Array:
        return state.total / state.weight


def _or_nan(hits: Array, labels: Array, classes: int | None) -> Array:
    """Hits as numbers, NaN for a traced label out of range; concrete ones have raised."""
    return hits if classes is None else jnp.where((labels >= 0) & (labels < classes), hits, jnp.nan)


class Accuracy(_Mean):
    """The part of examples whose predicted class is right. See `accuracy`."""

    name = "metrics.Accuracy"

    def values(self, predictions: Any, targets: Any, where: Any) -> tuple[Array, Any]:
        predicted, labels, classes, kept = label_pairs(self.name, predictions, targets, where)
        return _or_nan(predicted == labels, labels, classes), kept


class TopKAccuracy(_Mean):
    """The part of examples whose right class is among the k of the highest scores. See `top_k_accuracy`."""

    name = "metrics.TopKAccuracy"

    def __init__(self, k: int = 5) -> None:
        if not isinstance(k, (int, np.integer)) or k < 1:
            raise ArgumentError(f"metrics.TopKAccuracy: k must be an integer of 1 or more, got {k!r}")
        self.k = k

    def values(self, predictions: Any, targets: Any, where: Any) -> tuple[Array, Any]:
        scores, labels, kept = scores_and_labels(self.name, predictions, targets, where)
        classes = scores.shape[-1]
        own = jnp.sum(jnp.where(is_class(labels, classes, labels.ndim), scores, 0), axis=-1, keepdims=True)
        before = (scores > own) | ((scores == own) & (jnp.arange(classes) > labels[..., None]))
        return _or_nan(jnp.sum(before, axis=-1) < self.k, labels, classes), kept


class MeanSquaredError(_Mean):
    """The mean of squared differences. See `mean_squared_error`."""

    name = "metrics.MeanSquaredError"

    def values(self, predictions: Any, targets: Any, where: Any) -> tuple[Array, Any]:
        x, t = reals(self.name, predictions, targets)
        return jnp.square(x.astype(DTYPE) - t.astype(DTYPE)), mask_of(self.name, where, x.shape)


class MeanAbsoluteError(_Mean):
    """The mean of absolute differences. See `mean_absolute_error`."""

    name = "metrics.MeanAbsoluteError"

    def values(self, predictions: Any, targets: Any, where: Any) -> tuple[Array, Any]:
        x, t = reals(self.name, predictions, targets)
        return jnp.abs(x.astype(DTYPE) - t.astype(DTYPE)), mask_of(self.name, where, x.shape)


class Perplexity(_Mean):
    """exp of the mean cross-entropy. See `perplexity`."""

    name = "metrics.Perplexity"

    def __init__(self, ignore_index: int | None = None) -> None:
        self.ignore_index = ignore_index

    def values(self, predictions: Any, targets: Any, where: Any) -> tuple[Array, Any]:
        logits, labels = inexact_arg(self.name, predictions), array_arg(self.name, targets)
        if labels.shape != logits.shape[:-1]:
            raise ShapeError(
                f"{self.name}: labels must have the shape {logits.shape[:-1]} of the logits without their classes, "
                f"got {labels.shape}"
            )
        kept = mask_of(self.name, where, labels.shape)
        if self.ignore_index is not None:
            there = labels != self.ignore_index
            kept = there if kept is None else kept & there
        held = labels if kept is None else jnp.where(kept, labels, 0)
        check_labels(self.name, held, labels.shape, logits.shape[-1])
        return losses.cross_entropy(logits, held, reduction="none"), kept

    def compute(self, state: MeanState) -> Array:
        return jnp.exp(state.total / state.weight)


def accuracy(predictions: Any, targets: Any, *, weights: Any = None, where: Any = None) -> Array:
    """The part of examples whose predicted class is right.

    predictions: classes, integers or bools, of the labels' shape; or scores of each class, along a last axis, of which the highest
    counts. targets: integer labels, or one-hot rows of the scores' shape. Raises ShapeError, DTypeError for scores without an axis
    of classes, ArgumentError for labels out of range.

    >>> import jitgrad.numpy as jnp
    >>> print(accuracy(jnp.array([[0.1, 0.9], [0.8, 0.2]]), jnp.array([1, 1])))
    0.5
    """
    return Accuracy()(predictions, targets, weights=weights, where=where)


def top_k_accuracy(scores: Any, labels: Any, k: int = 5, *, weights: Any = None, where: Any = None) -> Array:
    """The part of examples whose right class is among the k of the highest scores; of equal scores later classes come first.

    >>> import jitgrad.numpy as jnp
    >>> print(top_k_accuracy(jnp.array([[0.1, 0.2, 0.7], [0.5, 0.3, 0.2]]), jnp.array([1, 2]), 2))
    0.5
    """
    return TopKAccuracy(k)(scores, labels, weights=weights, where=where)


def mean_squared_error(predictions: Any, targets: Any, *, weights: Any = None, where: Any = None) -> Array:
    """The mean of squared differences.

    >>> import jitgrad.numpy as jnp
    >>> print(mean_squared_error(jnp.array([1.0, 2.0]), jnp.array([1.0, 4.0])))
    2.0
    """
    return MeanSquaredError()(predictions, targets, weights=weights, where=where)


def mean_absolute_error(predictions: Any, targets: Any, *, weights: Any = None, where: Any = None) -> Array:
    """The mean of absolute differences.

    >>> import jitgrad.numpy as jnp
    >>> print(mean_absolute_error(jnp.array([1.0, 2.0]), jnp.array([1.0, 4.0])))
    1.0
    """
    return MeanAbsoluteError()(predictions, targets, weights=weights, where=where)


def perplexity(logits: Any, labels: Any, *, ignore_index: int | None = None, weights: Any = None, where: Any = None) -> Array:
    """exp of the mean cross-entropy of logits, whose last axis has the classes: of how many words one is drawn, as it were.

    ignore_index: the label of examples that count as absent.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.round(perplexity(jnp.zeros((3, 4)), jnp.array([0, 2, 3])), 4))
    4.0
    """
    return Perplexity(ignore_index)(logits, labels, weights=weights, where=where)
