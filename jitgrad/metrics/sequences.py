"""Metrics of sequences of labels: the label error rate, which is the word error rate where labels are words."""

from __future__ import annotations

from typing import Any

import jitgrad.numpy as jnp
from jitgrad import lax
from jitgrad.array import Array
from jitgrad.errors import DTypeError, ShapeError
from jitgrad.operands import array_arg

from .means import MeanState
from .metric import DTYPE, Metric, importance, mask_of


class LabelErrorRate(Metric):
    """Insertions, deletions and substitutions that make predictions of targets, for each label of these. See `label_error_rate`."""

    name = "metrics.LabelErrorRate"

    def init(self) -> MeanState:
        return MeanState(jnp.zeros((), DTYPE), jnp.zeros((), DTYPE))

    def update(self, state: MeanState, predictions: Any, targets: Any, *, weights: Any = None, where: Any = None) -> MeanState:
        guessed, wanted = (array_arg(self.name, x) for x in (predictions, targets))
        if guessed.ndim != 2 or wanted.ndim != 2 or guessed.shape[0] != wanted.shape[0]:
            raise ShapeError(
                f"{self.name}: predictions and targets must be [batch, length] of one batch, lengths may differ, got shapes "
                f"{guessed.shape} and {wanted.shape}"
            )
        if guessed.dtype.kind not in "iu" or wanted.dtype.kind not in "iu":
            raise DTypeError(f"{self.name}: labels must be integers, got {guessed.dtype} and {wanted.dtype}")
        batch = wanted.shape[:1]
        counts = importance(self.name, batch, weights, mask_of(self.name, where, batch))
        lengths = jnp.sum(wanted >= 0, axis=1)
        return MeanState(state.total + jnp.sum(counts * edit_distance(guessed, wanted)), state.weight + jnp.sum(counts * lengths))

    def compute(self, state: MeanState) -> Array:
        return state.total / state.weight


def edit_distance(first: Array, second: Array) -> Array:
    """How many labels must be put in, left out or exchanged to make one sequence of the other (Wagner and Fischer, The
    string-to-string correction problem, 1974): [batch, n] and [batch, m] to [batch]. Negative labels are padding, in any place.
    """
    there = second >= 0
    places = jnp.pad(jnp.cumsum(there, axis=1), ((0, 0), (1, 0)))  # the distances of no labels to the beginnings of the second

    def step(distances: Array, label: Array) -> tuple[Array, None]:
        """The distances of one label more."""
        out = distances[:, 1:] + 1
        exchanged = distances[:, :-1] + (second != label[:, None])
        best = jnp.where(there, jnp.minimum(out, exchanged), out)  # padding adds nothing to what comes before it
        best = jnp.concatenate([distances[:, :1] + 1, best], axis=1)
        best = lax.cummin(best - places, axis=1) + places  # labels put in, one after another
        return jnp.where(label[:, None] >= 0, best, distances), None

    distances, _ = lax.scan(step, places, first.T)
    return distances[:, -1]


def label_error_rate(predictions: Any, targets: Any, *, weights: Any = None, where: Any = None) -> Array:
    """Insertions, deletions and substitutions, as few as make predictions of targets, over the number of labels of all targets.

    predictions, targets: integers [batch, length], of two lengths; negative ones are padding, as those of `nn.ctc_greedy_decode`.
    weights, where: of whole sequences [batch]. May be above 1, where predictions are longer; NaN without labels. Raises ShapeError
    for other shapes and DTypeError for labels that are no integers.

    >>> import jitgrad.numpy as jnp
    >>> print(label_error_rate(jnp.array([[1, 2, 4, -1], [1, 1, 2, 3]]), jnp.array([[1, 2, 3], [1, 2, 3]])))
    0.3333333333333333
    """
    return LabelErrorRate()(predictions, targets, weights=weights, where=where)
