"""Metrics of predictions held against thresholds: counts of hits and misses, precision, recall, the area under a curve."""

from __future__ import annotations

from collections.abc import Sequence
from types import new_class
from typing import Any, ClassVar, NamedTuple

import numpy as np

import jitgrad.numpy as jnp
from jitgrad import lax
from jitgrad.array import Array
from jitgrad.errors import ArgumentError
from jitgrad.metrics.metric import DTYPE, importance, mask_of, ratio
from jitgrad.nn.activations import sigmoid
from jitgrad.ranges import Count, Part, Size

from ..loss_formulas import EPSILON, matched
from .metric import Metric


class Counts(NamedTuple):
    """Weights of true and false positives and negatives, one for each threshold."""

    tp: Any
    fp: Any
    tn: Any
    fn: Any


class _Thresholds(Metric):
    """State: counts at each threshold, of predictions above it."""

    def __init__(
        self, thresholds: Any, name: str | None, dtype: Any, top_k: Size | None = None, class_id: Count | None = None
    ) -> None:
        self.single = not isinstance(thresholds, (Sequence, np.ndarray))
        values = [thresholds] if self.single else list(thresholds)
        if not values:
            raise ArgumentError(f"train.metrics.{type(self).__name__}: thresholds must have one number or more, got none")
        if any(not 0 <= t <= 1 for t in values if t is not None):
            raise ArgumentError(f"train.metrics.{type(self).__name__}: thresholds must lie between 0 and 1, got {thresholds}")
        default = -np.inf if top_k is not None else 0.5
        self.thresholds = np.array([default if t is None else t for t in values], DTYPE)
        self.top_k, self.class_id = top_k, class_id
        super().__init__(name, dtype)

    def init(self) -> Counts:
        return Counts(*(jnp.zeros(self.thresholds.shape, DTYPE) for _ in range(4)))

    def update(self, state: Counts, predictions: Any, targets: Any, *, weights: Any = None, where: Any = None) -> Counts:
        name = f"train.metrics.{type(self).__name__}"
        t, x = matched(name, targets, predictions)
        counts = importance(name, t.shape, weights, mask_of(name, where, t.shape))
        if self.top_k is not None:
            least = lax.top_k(x, self.top_k)[0][..., -1:]
            x = jnp.where(x >= least, x, -jnp.inf)
        if self.class_id is not None:
            if self.class_id >= t.shape[-1]:
                raise ArgumentError(f"{name}: class_id must be one of {t.shape[-1]} classes, counted from 0, got {self.class_id}")
            t, x, counts = (a[..., self.class_id] for a in (t, x, counts))
        hit = (t != 0).reshape(-1)
        above = x.reshape(-1) > jnp.asarray(self.thresholds[:, None], x.dtype)
        share = counts.reshape(-1)

        def total(chosen: Array) -> Array:
            return jnp.sum(jnp.where(chosen, share, 0), axis=-1)

        found = Counts(total(above & hit), total(above & ~hit), total(~above & ~hit), total(~above & hit))
        return Counts(*(a + b for a, b in zip(state, found, strict=True)))

    def shown(self, values: Array) -> Array:
        """One number, or one for each threshold where they were given as a list."""
        return values[0] if self.single else values


class _Count(_Thresholds):
    part: ClassVar[str]

    def __init__(self, thresholds: Part | Sequence[Part | None] | None = None, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(thresholds, name, dtype)

    def compute(self, state: Counts) -> Array:
        return self.shown(getattr(state, self.part))


def _count(name: str, part: str, text: str) -> type[_Count]:
    body = {"part": part, "__module__": __name__, "__doc__": f"How many {text}; thresholds: 0.5, a number or a list of them."}
    made: type[_Count] = new_class(name, (_Count,), exec_body=lambda namespace: namespace.update(body))
    return made


TruePositives = _count("TruePositives", "tp", "targets of 1 have predictions above the threshold")
FalsePositives = _count("FalsePositives", "fp", "targets of 0 have predictions above the threshold")
TrueNegatives = _count("TrueNegatives", "tn", "targets of 0 have no prediction above the threshold")
FalseNegatives = _count("FalseNegatives", "fn", "targets of 1 have no prediction above the threshold")


class _Share(_Thresholds):
    other: ClassVar[str]

    def __init__(
        self,
        thresholds: Part | Sequence[Part | None] | None = None,
        top_k: Size | None = None,
        class_id: Count | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(thresholds, name, dtype, top_k, class_id)

    def compute(self, state: Counts) -> Array:
        return self.shown(ratio(state.tp, state.tp + getattr(state, self.other), 0.0))


class Precision(_Share):
    """Of the predictions above the threshold the part whose target is 1; 0 of none.

    Targets and predictions have one shape, of elements that count by themselves: [examples, 1], or [examples, classes] with one-hot
    targets. thresholds: 0.5 by default, a number or a list of them. top_k: the largest k of a row are above, whatever they are.
    class_id: of this class alone.
    """

    other = "fp"


class Recall(_Share):
    """Of the targets of 1 the part whose prediction is above the threshold; 0 of none. Arguments are those of `Precision`."""

    other = "fn"


class AUC(_Thresholds):
    """The area under a curve of num_thresholds points: "ROC", the true positive rate over the false positive one, or "PR",
    precision over recall.

    summation_method: "interpolation" (of "PR" that of Davis and Goadrich, 2006), "minoring" or "majoring": the smaller or larger
    height of each step. thresholds: those between 0 and 1, instead of their number. from_logits: predictions are logits.
    `jitgrad.metrics.AUC` is the exact area.
    """

    def __init__(
        self,
        num_thresholds: Size = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        dtype: Any = None,
        thresholds: Sequence[Part] | None = None,
        multi_label: bool = False,
        from_logits: bool = False,
    ) -> None:
        where = "train.metrics.AUC"
        if curve not in ("ROC", "PR") or summation_method not in ("interpolation", "minoring", "majoring"):
            raise ArgumentError(
                f"{where}: curve must be 'ROC' or 'PR', and summation_method 'interpolation', 'minoring' or 'majoring', "
                f"got {curve!r} and {summation_method!r}"
            )
        if multi_label:
            raise ArgumentError(f"{where}: multi_label=True is not there. Give a metric for each class, or jitgrad.metrics.AUC.")
        if thresholds is None and num_thresholds < 2:
            raise ArgumentError(f"{where}: num_thresholds must be 2 or more, got {num_thresholds}")
        inner = np.arange(1, num_thresholds - 1) / (num_thresholds - 1) if thresholds is None else np.sort(np.asarray(thresholds))
        self.curve, self.summation_method, self.from_logits = curve, summation_method, from_logits
        super().__init__(inner, name, dtype)
        self.thresholds = np.concatenate([[-EPSILON], inner, [1 + EPSILON]])
        self.reset_state()

    def update(self, state: Counts, predictions: Any, targets: Any, *, weights: Any = None, where: Any = None) -> Counts:
        given = sigmoid(predictions) if self.from_logits else predictions
        return super().update(state, given, targets, weights=weights, where=where)

    def compute(self, state: Counts) -> Array:
        recall = ratio(state.tp, state.tp + state.fn, 0.0)
        if self.curve == "PR" and self.summation_method == "interpolation":
            return self._interpolated(state)
        if self.curve == "ROC":
            x, y = ratio(state.fp, state.fp + state.tn, 0.0), recall
        else:
            x, y = recall, ratio(state.tp, state.tp + state.fp, 0.0)
        low, high = jnp.minimum(y[:-1], y[1:]), jnp.maximum(y[:-1], y[1:])
        heights = {"interpolation": (y[:-1] + y[1:]) / 2, "minoring": low, "majoring": high}[self.summation_method]
        return jnp.sum((x[:-1] - x[1:]) * heights)

    @staticmethod
    def _interpolated(state: Counts) -> Array:
        """Between two points true positives are a line of the positives p, so precision is not (Davis and Goadrich, 2006)."""
        tp, p = state.tp, state.tp + state.fp
        steps = tp[:-1] - tp[1:]
        slope = ratio(steps, jnp.maximum(p[:-1] - p[1:], 0), 0.0)
        intercept = tp[1:] - slope * p[1:]
        both = (p[:-1] > 0) & (p[1:] > 0)
        quotient = jnp.where(both, p[:-1] / jnp.where(both, p[1:], 1), 1)
        return jnp.sum(ratio(slope * (steps + intercept * jnp.log(quotient)), tp[1:] + state.fn[1:], 0.0))
