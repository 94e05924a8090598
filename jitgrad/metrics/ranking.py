"""The area under the ROC curve: the probability that an example of the class has a higher score than one that is not."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

import jitgrad.numpy as jnp
from jitgrad import lax
from jitgrad.array import Array
from jitgrad.errors import ArgumentError, ShapeError
from jitgrad.nn.targets import check_labels, concrete
from jitgrad.operands import array_arg, inexact_arg
from jitgrad.vectorization import vmap

from .metric import DTYPE, Metric, importance, mask_of

AVERAGES = ("macro", "weighted", "none")


class AUCState(NamedTuple):
    """scores, labels and weights of the examples so far, in arrays of the capacity; count: how many there have been, int64."""

    scores: Any
    labels: Any
    weights: Any
    count: Any


class AUC(Metric):
    """The area under the ROC curve, exactly, of up to `capacity` examples, which its state holds. See `auc`.

    num_classes: None for one score an example. More examples than the capacity raise ArgumentError, traced ones give NaN.
    """

    name = "metrics.AUC"

    def __init__(self, capacity: int, num_classes: int | None = None, average: str = "macro") -> None:
        if not isinstance(capacity, (int, np.integer)) or capacity < 1:
            raise ArgumentError(f"{self.name}: capacity, the most examples, must be an integer of 1 or more, got {capacity!r}")
        if average not in AVERAGES:
            raise ArgumentError(f"{self.name}: average is one of {', '.join(AVERAGES)}, got {average!r}")
        self.capacity, self.num_classes, self.average = capacity, num_classes, average

    def init(self) -> AUCState:
        classes = () if self.num_classes is None else (self.num_classes,)
        return AUCState(
            jnp.zeros((self.capacity, *classes), DTYPE),
            jnp.zeros(self.capacity, "int32"),
            jnp.zeros(self.capacity, DTYPE),
            jnp.zeros((), "int64"),
        )

    def update(self, state: AUCState, predictions: Any, targets: Any, *, weights: Any = None, where: Any = None) -> AUCState:
        scores, labels = inexact_arg(self.name, predictions), array_arg(self.name, targets)
        wanted = labels.shape if self.num_classes is None else (*labels.shape, self.num_classes)
        if scores.shape != wanted or labels.ndim != 1:
            raise ShapeError(
                f"{self.name}: scores must have the shape {'(N,)' if self.num_classes is None else f'(N, {self.num_classes})'} and "
                f"labels (N,), got {scores.shape} and {labels.shape}"
            )
        size = labels.shape[0]
        kept = mask_of(self.name, where, labels.shape)
        held = labels if kept is None else jnp.where(kept, labels, 0)
        value, known = check_labels(self.name, held, labels.shape, self.num_classes or 2)
        counts = importance(self.name, labels.shape, weights, kept)
        counts = jnp.where(known, counts, jnp.nan)
        scores = scores if kept is None else jnp.where(kept if self.num_classes is None else kept[:, None], scores, 0)
        count = state.count + size
        total = concrete(count)
        if size > self.capacity or (total is not None and total > self.capacity):
            raise ArgumentError(f"{self.name}: more than the {self.capacity} examples of its capacity; give a larger one")
        zero = jnp.zeros((), state.count.dtype)
        places = (state.count, zero)
        return AUCState(
            lax.dynamic_update_slice(state.scores, scores.astype(DTYPE), places[: scores.ndim]),
            lax.dynamic_update_slice(state.labels, value.astype("int32"), places[:1]),
            lax.dynamic_update_slice(state.weights, counts, places[:1]),
            count,
        )

    def compute(self, state: AUCState) -> Array:
        if self.num_classes is None:
            area = _area(state.scores, state.labels == 1, state.weights)
        else:
            classes = jnp.arange(self.num_classes)
            hits = state.labels[None, :] == classes[:, None]
            each = vmap(lambda scores, hit: _area(scores, hit, state.weights))(state.scores.T, hits)
            shares = (
                jnp.sum(jnp.where(hits, state.weights, 0), axis=1) if self.average == "weighted" else jnp.ones(len(each), DTYPE)
            )
            area = each if self.average == "none" else jnp.sum(each * shares) / jnp.sum(shares)
        return jnp.where(state.count > self.capacity, jnp.nan, area)


def _area(scores: Array, hit: Array, weights: Array) -> Array:
    """Of pairs of a hit and a miss, the weight of those whose hit has the higher score, ties by half, divided by that of all."""
    order = jnp.argsort(scores)
    ranked, hit, weights = scores[order], hit[order], weights[order]
    misses = jnp.where(hit, 0, weights)
    below = jnp.concatenate([jnp.zeros(1, DTYPE), jnp.cumsum(misses)])
    lower, upper = jnp.searchsorted(ranked, ranked, side="left"), jnp.searchsorted(ranked, ranked, side="right")
    hits = jnp.where(hit, weights, 0)
    won = jnp.sum(hits * (below[lower] + below[upper]) / 2)
    area = won / (jnp.sum(hits) * below[-1])
    return jnp.where(jnp.any(jnp.isnan(scores) & (weights != 0)), jnp.nan, area)


def auc(scores: Any, labels: Any, average: str = "macro", *, weights: Any = None, where: Any = None) -> Array:
    """The area under the ROC curve: the probability that an example of class 1 is scored above one of class 0, ties by half.

    scores: of any scale, (N,); or (N, classes), each class against the rest, averaged: "macro", "weighted" by how often classes
    are right, or "none". labels: (N,), integers or bools. NaN where there are examples of one class alone. Raises ShapeError, and
    ArgumentError for labels out of range.

    >>> import jitgrad.numpy as jnp
    >>> print(auc(jnp.array([0.1, 0.4, 0.35, 0.8]), jnp.array([0, 0, 1, 1])))
    0.75
    """
    value = inexact_arg("metrics.auc", scores)
    if value.ndim not in (1, 2):
        raise ShapeError(f"metrics.auc: scores must have the shape (N,) or (N, classes), got {value.shape}")
    classes = value.shape[1] if value.ndim == 2 else None
    return AUC(max(1, value.shape[0]), classes, average)(value, labels, weights=weights, where=where)
