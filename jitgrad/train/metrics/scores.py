"""Scores of classes and of regressions: F1 and F-beta, R2, mean intersection over union."""

from __future__ import annotations

from typing import Any, NamedTuple

import jitgrad.numpy as jnp
from jitgrad import metrics
from jitgrad.array import Array
from jitgrad.errors import ArgumentError
from jitgrad.metrics.metric import DTYPE, importance, mask_of, ratio
from jitgrad.nn.targets import is_class
from jitgrad.ranges import NotNegative, Real, Size

from ..loss_formulas import matched
from .metric import Metric

AVERAGES = (None, "micro", "macro", "weighted")


class ClassCounts(NamedTuple):
    """Weights of true positives, false positives and false negatives, one for each class, or one number before the first batch."""

    tp: Any
    fp: Any
    fn: Any


class FBetaScore(Metric):
    """(1 + beta**2) * precision * recall / (beta**2 * precision + recall) of each class, for one-hot targets [examples, classes].

    threshold: predictions above it name a class; by default the largest one does. average: None for one number a class, "macro"
    (their mean), "weighted" (by targets), or "micro" (of the counts of all). num_classes: of the state, which training needs.
    """

    def __init__(
        self,
        average: str | None = None,
        beta: NotNegative = 1.0,
        threshold: Real | None = None,
        name: str | None = None,
        dtype: Any = None,
        *,
        num_classes: Size | None = None,
    ) -> None:
        if average not in AVERAGES:
            raise ArgumentError(
                f"train.metrics.{type(self).__name__}: average must be one of {', '.join(map(repr, AVERAGES))}, got {average!r}"
            )
        self.average, self.beta, self.threshold, self.num_classes = average, beta, threshold, num_classes
        super().__init__(name, dtype)

    def init(self) -> ClassCounts:
        shape = () if self.num_classes is None or self.average == "micro" else (self.num_classes,)
        return ClassCounts(*(jnp.zeros(shape, DTYPE) for _ in range(3)))

    def update(self, state: ClassCounts, predictions: Any, targets: Any, *, weights: Any = None, where: Any = None) -> ClassCounts:
        name = f"train.metrics.{type(self).__name__}"
        t, x = matched(name, targets, predictions)
        if self.threshold is None:
            picked = is_class(jnp.argmax(x, axis=-1), x.shape[-1], x.ndim - 1)
        else:
            picked = x > self.threshold
        counts = importance(name, t.shape, weights, mask_of(name, where, t.shape))
        axes = None if self.average == "micro" else tuple(range(t.ndim - 1))

        def total(chosen: Array) -> Array:
            return jnp.sum(jnp.where(chosen, counts, 0), axis=axes)

        if self.num_classes is None and self.average != "micro" and t.owner is not None:
            raise ArgumentError(
                f"{name}: inside a compiled program the number of classes must be given: {type(self).__name__}(..., "
                f"num_classes={x.shape[-1]})"
            )
        hit = t != 0
        found = (total(picked & hit), total(picked & ~hit), total(~picked & hit))
        return ClassCounts(*(a + b for a, b in zip(state, found, strict=True)))

    def compute(self, state: ClassCounts) -> Array:
        square = self.beta**2
        scores = ratio((1 + square) * state.tp, (1 + square) * state.tp + square * state.fn + state.fp, 0.0)
        if self.average == "macro":
            return jnp.mean(scores)
        if self.average == "weighted":
            shares = state.tp + state.fn
            return ratio(jnp.sum(scores * shares), jnp.sum(shares), 0.0)
        return scores


class F1Score(FBetaScore):
    """The harmonic mean of precision and recall of each class: `FBetaScore` with beta=1."""

    def __init__(
        self,
        average: str | None = None,
        threshold: Real | None = None,
        name: str | None = None,
        dtype: Any = None,
        *,
        num_classes: Size | None = None,
    ) -> None:
        super().__init__(average, 1.0, threshold, name, dtype, num_classes=num_classes)


class R2Score(Metric):
    """1 - squared errors / squared distances of targets from their mean, the mean over outputs: `jitgrad.metrics.R2`.

    num_outputs: how many numbers a target has, where it is a vector.
    """

    def __init__(self, name: str | None = None, dtype: Any = None, *, num_outputs: int = 1) -> None:
        self._of_outputs = metrics.R2((num_outputs,))
        super().__init__(name, dtype)

    def init(self) -> Any:
        return self._of_outputs.init()

    def update(self, state: Any, predictions: Any, targets: Any, *, weights: Any = None, where: Any = None) -> Any:
        t, x = matched("train.metrics.R2Score", targets, predictions)
        t, x = (a.reshape(a.shape[0], -1) for a in (t, x))
        return self._of_outputs.update(state, x, t, weights=weights, where=where)

    def compute(self, state: Any) -> Any:
        return self._of_outputs.compute(state)


class MeanIoU(Metric):
    """The mean over classes of intersection over union of where a class is predicted and where it is right: `jitgrad.metrics.IoU`.

    Targets and predictions are classes; with sparse_y_true=False or sparse_y_pred=False one-hot rows, or probabilities.
    """

    def __init__(
        self,
        num_classes: Size,
        name: str | None = None,
        dtype: Any = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
    ) -> None:
        self._of_classes = metrics.IoU(num_classes, "macro")
        self.num_classes, self.sparse_y_true, self.sparse_y_pred = num_classes, sparse_y_true, sparse_y_pred
        super().__init__(name, dtype)

    def init(self) -> Any:
        return self._of_classes.init()

    def update(self, state: Any, predictions: Any, targets: Any, *, weights: Any = None, where: Any = None) -> Any:
        t, x = (
            jnp.asarray(a).astype("int32") if sparse else jnp.argmax(jnp.asarray(a), axis=-1)
            for a, sparse in ((targets, self.sparse_y_true), (predictions, self.sparse_y_pred))
        )
        return self._of_classes.update(state, x.reshape(t.shape), t, weights=weights, where=where)

    def compute(self, state: Any) -> Any:
        return self._of_classes.compute(state)
