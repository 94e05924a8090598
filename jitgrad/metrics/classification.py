"""Metrics that are computed from counts of classes: the confusion matrix, precision, recall, F1 and intersection over union."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import jitgrad.numpy as jnp
from jitgrad.array import Array
from jitgrad.errors import ArgumentError

from .labels import count_classes, label_pairs
from .metric import DTYPE, Metric, importance, ratio

AVERAGES = ("binary", "macro", "micro", "weighted", "none")
NORMALIZATIONS = (None, "true", "pred", "all")


class _Counted(Metric):
    """State: counts[right class, predicted class], of weights."""

    name: str

    def __init__(self, num_classes: int) -> None:
        if not isinstance(num_classes, (int, np.integer)) or num_classes < 1:
            raise ArgumentError(f"{self.name}: num_classes must be an integer of 1 or more, got {num_classes!r}")
        self.num_classes = num_classes

    def init(self) -> Array:
        return jnp.zeros((self.num_classes, self.num_classes), DTYPE)

    def update(self, state: Array, predictions: Any, targets: Any, *, weights: Any = None, where: Any = None) -> Array:
        predicted, labels, _, kept = label_pairs(self.name, predictions, targets, where, self.num_classes)
        counts = importance(self.name, labels.shape, weights, kept)
        known = (labels >= 0) & (labels < self.num_classes) & (predicted >= 0) & (predicted < self.num_classes)
        counts = jnp.where(known | (counts == 0), counts, jnp.nan)  # a traced label out of range spoils the counts
        place = jnp.clip(labels, 0, self.num_classes - 1), jnp.clip(predicted, 0, self.num_classes - 1)
        return state.at[place].add(counts)


class ConfusionMatrix(_Counted):
    """How often each class was predicted for each. See `confusion_matrix`; these counts are floats, as weights may be."""

    name = "metrics.ConfusionMatrix"

    def __init__(self, num_classes: int, normalize: str | None = None) -> None:
        super().__init__(num_classes)
        if normalize not in NORMALIZATIONS:
            raise ArgumentError(f"{self.name}: normalize is one of {NORMALIZATIONS}, got {normalize!r}")
        self.normalize = normalize

    def compute(self, state: Array) -> Array:
        if self.normalize is None:
            return state
        axis = {"true": 1, "pred": 0, "all": None}[self.normalize]
        return ratio(state, jnp.sum(state, axis=axis, keepdims=True), 0)


class _Averaged(_Counted):
    """A ratio of counts for each class, averaged."""

    formula: Callable[[Array, Array, Array], tuple[Array, Array]]
    """Of true positives, and of how often classes are predicted and right: the parts of the ratio."""

    def __init__(self, num_classes: int = 2, average: str | None = "binary", zero_division: float = 0.0) -> None:
        super().__init__(num_classes)
        average = "none" if average is None else average
        if average not in AVERAGES:
            raise ArgumentError(f"{self.name}: average is one of {', '.join(AVERAGES)}, got {average!r}")
        if average == "binary" and num_classes != 2:
            raise ArgumentError(
                f"{self.name}: average='binary' is of two classes, and there are {num_classes}; "
                "use 'macro', 'micro', 'weighted' or 'none'"
            )
        self.average, self.zero_division = average, zero_division

    def compute(self, state: Array) -> Array:
        hits, predicted, right = jnp.diagonal(state), jnp.sum(state, axis=0), jnp.sum(state, axis=1)
        formula = type(self).formula
        if self.average == "micro":
            return ratio(*formula(jnp.sum(hits), jnp.sum(predicted), jnp.sum(right)), self.zero_division)
        each = ratio(*formula(hits, predicted, right), self.zero_division)
        if self.average == "binary":
            return each[1]
        if self.average == "none":
            return each
        shares = right if self.average == "weighted" else ((predicted != 0) | (right != 0)).astype(DTYPE)
        return ratio(jnp.sum(each * shares), jnp.sum(shares), self.zero_division)


class Precision(_Averaged):
    """The part of predictions of a class that are right. See `precision`."""

    name = "metrics.Precision"
    formula = staticmethod(lambda hits, predicted, right: (hits, predicted))


class Recall(_Averaged):
    """The part of examples of a class that are found. See `recall`."""

    name = "metrics.Recall"
    formula = staticmethod(lambda hits, predicted, right: (hits, right))


class F1(_Averaged):
    """The harmonic mean of precision and recall. See `f1`."""

    name = "metrics.F1"
    formula = staticmethod(lambda hits, predicted, right: (2 * hits, predicted + right))


class IoU(_Averaged):
    """Intersection over union of predicted and right places of a class. See `iou`."""

    name = "metrics.IoU"
    formula = staticmethod(lambda hits, predicted, right: (hits, predicted + right - hits))

    def __init__(self, num_classes: int = 2, average: str | None = "macro", zero_division: float = 0.0) -> None:
        super().__init__(num_classes, average, zero_division)


def _of_batch(
    metric: type[_Averaged],
    predictions: Any,
    targets: Any,
    average: Any,
    num_classes: Any,
    zero_division: float,
    weights: Any,
    where: Any,
) -> Array:
    classes = count_classes(metric.name, predictions, targets, where) if num_classes is None else num_classes
    return metric(classes, average, zero_division)(predictions, targets, weights=weights, where=where)


def confusion_matrix(
    predictions: Any,
    targets: Any,
    num_classes: int | None = None,
    normalize: str | None = None,
    *,
    weights: Any = None,
    where: Any = None,
) -> Array:
    """Counts [right class, predicted class].

    predictions: classes, or scores along a last axis. num_classes: by default the scores', else 1 more than the largest label;
    traced labels need it given. normalize: divide by the counts of right classes ("true"), of predictions ("pred") or
    of all ("all"). Integers, or floats with weights or normalize.

    >>> import jitgrad.numpy as jnp
    >>> print(confusion_matrix(jnp.array([0, 1, 1]), jnp.array([0, 1, 0])))
    [[1 1]
     [0 1]]
    """
    classes = count_classes(ConfusionMatrix.name, predictions, targets, where) if num_classes is None else num_classes
    counts: Array = ConfusionMatrix(classes, normalize)(predictions, targets, weights=weights, where=where)
    return counts if normalize is not None or weights is not None else counts.astype("int64")


def precision(
    predictions: Any,
    targets: Any,
    average: str | None = "binary",
    num_classes: int | None = None,
    zero_division: float = 0.0,
    *,
    weights: Any = None,
    where: Any = None,
) -> Array:
    """The part of predictions of a class that are right: true positives / (true positives + false positives).

    predictions: classes, or scores along a last axis. average: over classes; "binary": that of class 1 of two; "macro": their mean,
    of those that appear in predictions or targets; "weighted": by how often they are right; "micro": of the counts of all together;
    "none": one for each. num_classes: as in `confusion_matrix`. zero_division: what 0 / 0 is.

    >>> import jitgrad.numpy as jnp
    >>> print(precision(jnp.array([1, 1, 0, 1]), jnp.array([1, 0, 0, 1])))
    0.6666666666666666
    """
    return _of_batch(Precision, predictions, targets, average, num_classes, zero_division, weights, where)


def recall(
    predictions: Any,
    targets: Any,
    average: str | None = "binary",
    num_classes: int | None = None,
    zero_division: float = 0.0,
    *,
    weights: Any = None,
    where: Any = None,
) -> Array:
    """The part of examples of a class that are found: true positives / (true positives + false negatives). See `precision`.

    >>> import jitgrad.numpy as jnp
    >>> print(recall(jnp.array([1, 0, 0, 1]), jnp.array([1, 1, 0, 1])))
    0.6666666666666666
    """
    return _of_batch(Recall, predictions, targets, average, num_classes, zero_division, weights, where)


def f1(
    predictions: Any,
    targets: Any,
    average: str | None = "binary",
    num_classes: int | None = None,
    zero_division: float = 0.0,
    *,
    weights: Any = None,
    where: Any = None,
) -> Array:
    """The harmonic mean of precision and recall of a class. The arguments are those of `precision`.

    >>> import jitgrad.numpy as jnp
    >>> print(f1(jnp.array([1, 0, 0, 1]), jnp.array([1, 1, 0, 1])))
    0.8
    """
    return _of_batch(F1, predictions, targets, average, num_classes, zero_division, weights, where)


def iou(
    predictions: Any,
    targets: Any,
    average: str | None = "macro",
    num_classes: int | None = None,
    zero_division: float = 0.0,
    *,
    weights: Any = None,
    where: Any = None,
) -> Array:
    """Intersection over union (Jaccard's index) of the places where a class is predicted and where it is right, "macro" being mean
    IoU. The arguments are those of `precision`.

    >>> import jitgrad.numpy as jnp
    >>> print(iou(jnp.array([[0, 1], [1, 1]]), jnp.array([[0, 0], [1, 1]]), average="none"))
    [0.5        0.66666667]
    """
    return _of_batch(IoU, predictions, targets, average, num_classes, zero_division, weights, where)
