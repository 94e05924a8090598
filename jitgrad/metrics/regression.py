"""R2, the part of the targets' variance that predictions explain."""

from __future__ import annotations

from typing import Any, NamedTuple

import jitgrad.numpy as jnp
from jitgrad.array import Array
from jitgrad.errors import ShapeError
from jitgrad.operands import shape_arg

from .metric import DTYPE, Metric, importance, mask_of, ratio, reals


class R2State(NamedTuple):
    """For each output: the weight of examples, the mean of targets, the sum of their squared distances from it, and of the errors'
    squares.
    """

    weight: Any
    mean: Any
    spread: Any
    errors: Any


class R2(Metric):
    """The coefficient of determination. See `r2`. shape: that of one target."""

    name = "metrics.R2"

    def __init__(self, shape: Any = ()) -> None:
        self.shape = shape_arg(self.name, shape)

    def init(self) -> R2State:
        return R2State(*(jnp.zeros(self.shape, DTYPE) for _ in range(4)))

    def update(self, state: R2State, predictions: Any, targets: Any, *, weights: Any = None, where: Any = None) -> R2State:
        x, t = reals(self.name, predictions, targets)
        if x.shape[1:] != self.shape or not x.ndim:
            raise ShapeError(f"{self.name}: targets must have the shape (N{''.join(f', {n}' for n in self.shape)}), got {x.shape}")
        kept = mask_of(self.name, where, x.shape)
        counts = importance(self.name, x.shape, weights, kept)
        x, t = (a.astype(DTYPE) if kept is None else jnp.where(kept, a.astype(DTYPE), 0) for a in (x, t))
        # Means and squared distances of two parts joined: Chan, Golub and LeVeque, 1979.
        weight = jnp.sum(counts, axis=0)
        mean = ratio(jnp.sum(counts * t, axis=0), weight, 0)
        spread = jnp.sum(counts * (t - mean) ** 2, axis=0)
        total = state.weight + weight
        apart = mean - state.mean
        return R2State(
            total,
            state.mean + apart * ratio(weight, total, 0),
            state.spread + spread + apart**2 * ratio(state.weight * weight, total, 0),
            state.errors + jnp.sum(counts * (x - t) ** 2, axis=0),
        )

    def compute(self, state: R2State) -> Array:
        constant = jnp.where(state.errors == 0, 1.0, 0.0)
        each = jnp.where(state.spread == 0, constant, 1 - ratio(state.errors, state.spread, 0))
        return jnp.mean(jnp.where(state.weight == 0, jnp.nan, each))


def r2(predictions: Any, targets: Any, *, weights: Any = None, where: Any = None) -> Array:
    """1 - sum of squared errors / sum of squared distances of targets from their mean: 1 is perfect, 0 what the mean would have.

    The first axis counts examples; the mean over outputs of more axes. Constant targets give 1 where predictions equal them, or 0.

    >>> import jitgrad.numpy as jnp
    >>> print(r2(jnp.array([1.0, 2.0, 4.0]), jnp.array([1.0, 2.0, 3.0])))
    0.5
    """
    return R2(jnp.shape(targets)[1:])(predictions, targets, weights=weights, where=where)
