"""A learning rate that falls when the loss no longer does: a transformation, as it depends on losses and not on the count alone."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jitgrad.numpy as jnp
from jitgrad import tree
from jitgrad.errors import ArgumentError, ParametersError
from jitgrad.ranges import NotNegative

from .leaves import next_count, no_count
from .transformation import GradientTransformationExtraArgs, PyTree


class ReduceLROnPlateauState(NamedTuple):
    """scale: what updates are multiplied by; best_value: the least loss; plateau_count: losses since; cooldown_count: losses to
    wait; count and avg_value: of the losses that are being averaged.
    """

    scale: Any
    best_value: Any
    plateau_count: Any
    cooldown_count: Any
    count: Any
    avg_value: Any


def reduce_on_plateau(
    factor: float = 0.1,
    patience: int = 10,
    rtol: float = 1e-4,
    atol: NotNegative = 0.0,
    cooldown: int = 0,
    accumulation_size: int = 1,
    min_scale: NotNegative = 0.0,
) -> GradientTransformationExtraArgs:
    """Updates times a scale, at first 1, which is multiplied by `factor` when the loss has not improved for `patience` updates.

    `opt.update(gradients, state, params, value=loss)`. A loss improves that is below best * (1 - rtol) - atol. cooldown: updates
    after a change that do not count. accumulation_size: updates whose mean loss counts as one. min_scale: the least scale.

    >>> from jitgrad import optim
    >>> opt = optim.chain(optim.sgd(1.0), reduce_on_plateau(factor=0.5, patience=2))
    >>> state = opt.init(0.0)
    >>> for loss in [3.0, 3.0, 3.0]:
    ...     updates, state = opt.update(1.0, state, value=loss)
    >>> print(updates)
    -0.5
    """
    if not 0 < factor < 1:
        raise ArgumentError(f"optim.reduce_on_plateau: factor must lie between 0 and 1, got {factor}")
    if not 0 <= rtol <= 1 or atol < 0 or rtol == atol == 0:
        raise ArgumentError(
            f"optim.reduce_on_plateau: rtol must lie between 0 and 1, atol be 0 or more, one of them more, got {rtol=}, {atol=}"
        )
    if patience < 1 or accumulation_size < 1 or cooldown < 0:
        raise ArgumentError(
            "optim.reduce_on_plateau: patience and accumulation_size must be 1 or more and cooldown 0 or more, got "
            f"{patience=}, {accumulation_size=}, {cooldown=}"
        )

    def init(params: PyTree) -> ReduceLROnPlateauState:
        types = [jnp.real(jnp.asarray(p)).dtype for p in tree.leaves(params)]
        dtype = jnp.result_type(*types) if types else jnp.asarray(0.0).dtype
        best, mean = jnp.asarray(math.inf, dtype), jnp.zeros((), dtype)
        return ReduceLROnPlateauState(jnp.ones((), dtype), best, no_count(), no_count(), no_count(), mean)

    def judged(state: ReduceLROnPlateauState, value: Any) -> ReduceLROnPlateauState:
        """The state after a loss."""
        better = value < (1 - rtol) * state.best_value - atol
        waited = jnp.where(better, 0, next_count(state.plateau_count))
        cooling = state.cooldown_count > 0
        falls = ~cooling & (waited >= patience)
        return ReduceLROnPlateauState(
            jnp.where(falls, jnp.maximum(state.scale * factor, min_scale), state.scale),
            jnp.where(better, value, state.best_value),
            jnp.where(cooling | falls, 0, waited).astype("int32"),
            jnp.where(cooling, state.cooldown_count - 1, jnp.where(falls, cooldown, 0)).astype("int32"),
            no_count(),
            jnp.zeros_like(state.avg_value),
        )

    def update(
        updates: PyTree, state: ReduceLROnPlateauState, params: PyTree = None, *, value: Any = None, **extra: Any
    ) -> tuple[PyTree, ReduceLROnPlateauState]:
        if value is None:
            raise ParametersError(
                "optim.reduce_on_plateau: update needs the loss: opt.update(gradients, state, params, value=loss)"
            )
        dtype = state.avg_value.dtype
        count = next_count(state.count)
        mean = (state.count.astype(dtype) * state.avg_value + jnp.asarray(value).astype(dtype)) / count.astype(dtype)
        full = count >= accumulation_size
        after = tree.map(lambda a, b: jnp.where(full, a, b), judged(state, mean), state._replace(count=count, avg_value=mean))
        return tree.map(lambda u: u * after.scale.astype(jnp.asarray(u).dtype), updates), after

    return GradientTransformationExtraArgs(init, update)
