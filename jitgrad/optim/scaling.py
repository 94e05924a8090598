"""The parts that optimizers are chained from: each changes the updates in one way. Formulas and names are Optax's."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jitgrad.numpy as jnp
from jitgrad import tree
from jitgrad.array import Array
from jitgrad.errors import ArgumentError

from .transformation import GradientTransformation, PyTree, check_like, stateless

Schedule = Callable[[Any], Any]
LearningRate = float | Array | Schedule


class ScaleByScheduleState(NamedTuple):
    """count: how many updates there have been, int32."""

    count: Any


class TraceState(NamedTuple):
    """trace: the running sum of updates."""

    trace: PyTree


class ScaleByAdamState(NamedTuple):
    """count: how many updates there have been, int32. mu, nu: running means of the updates and of their squares."""

    count: Any
    mu: PyTree
    nu: PyTree


def _zeros_like(params: PyTree) -> PyTree:
    return tree.map(jnp.zeros_like, params)


def _no_count() -> Array:
    return jnp.zeros((), "int32")


def _next(count: Any) -> Array:
    """One more, or the largest number of the count's type for ever."""
    count = jnp.asarray(count)
    most = jnp.iinfo(count.dtype).max
    return jnp.where(count < most, count, most - 1) + 1


def _needs_params(where: str, params: PyTree) -> PyTree:
    if params is None:
        raise ArgumentError(f"optim.{where}: update needs the params as its third argument: opt.update(gradients, state, params)")
    return params


def scale(step_size: Any) -> GradientTransformation:
    """Updates times a number.

    >>> opt = scale(-0.1)
    >>> updates, _ = opt.update({"w": 2.0}, opt.init({"w": 0.0}))
    >>> updates
    {'w': -0.2}
    """
    return stateless("scale", lambda updates, params: tree.map(lambda u: u * step_size, updates))


def scale_by_schedule(step_size_fn: Schedule) -> GradientTransformation:
    """Updates times step_size_fn(count), count being 0 at the first update."""

    def update(updates: PyTree, state: ScaleByScheduleState, params: PyTree = None) -> tuple[PyTree, Any]:
        factor = step_size_fn(state.count)
        return tree.map(lambda u: (u * factor).astype(jnp.asarray(u).dtype), updates), ScaleByScheduleState(_next(state.count))

    return GradientTransformation(lambda params: ScaleByScheduleState(_no_count()), update)


def scale_by_learning_rate(learning_rate: LearningRate) -> GradientTransformation:
    """Updates times minus the learning rate: a number, or a schedule, which is a function of the count of updates."""
    if callable(learning_rate):
        schedule = learning_rate
        return scale_by_schedule(lambda count: -schedule(count))
    return scale(-learning_rate)


def trace(decay: Any, nesterov: bool = False) -> GradientTransformation:
    """Momentum: t = u + decay * t for each update u, and u + decay * t again for Nesterov's form."""

    def update(updates: PyTree, state: TraceState, params: PyTree = None) -> tuple[PyTree, Any]:
        check_like("optim.trace", updates, state.trace)
        moved = tree.map(lambda u, t: u + decay * t, updates, state.trace)
        return (tree.map(lambda u, t: u + decay * t, updates, moved) if nesterov else moved), TraceState(moved)

    return GradientTransformation(lambda params: TraceState(_zeros_like(params)), update)


def scale_by_adam(
    b1: Any = 0.9, b2: Any = 0.999, eps: Any = 1e-8, eps_root: Any = 0.0, *, nesterov: bool = False
) -> GradientTransformation:
    """Updates divided by the root of their running mean square (Kingma and Ba, Adam, 2014; nesterov: Dozat, 2016).

    With m and v the running means of updates and of their squares, corrected for their start at 0:
    m / (sqrt(v + eps_root) + eps).
    """

    def init(params: PyTree) -> ScaleByAdamState:
        return ScaleByAdamState(_no_count(), _zeros_like(params), _zeros_like(params))

    def update(updates: PyTree, state: ScaleByAdamState, params: PyTree = None) -> tuple[PyTree, Any]:
        check_like("optim.adam", updates, state.mu)
        mu = tree.map(lambda g, m: (1 - b1) * g + b1 * m, updates, state.mu)
        nu = tree.map(lambda g, v: (1 - b2) * (g * g) + b2 * v, updates, state.nu)
        count = _next(state.count)
        if nesterov:
            corrected = tree.map(
                lambda g, m: b1 * _corrected(m, b1, _next(count)) + (1 - b1) * _corrected(g, b1, count), updates, mu
            )
        else:
            corrected = tree.map(lambda m: _corrected(m, b1, count), mu)
        scaled = tree.map(lambda m, v: m / (jnp.sqrt(_corrected(v, b2, count) + eps_root) + eps), corrected, nu)
        return scaled, ScaleByAdamState(count, mu, nu)

    return GradientTransformation(init, update)


def _corrected(mean: Array, decay: Any, count: Array) -> Array:
    """A running mean that began at 0, divided by 1 - decay**count, which is small at first and so comes from expm1."""
    mean = jnp.asarray(mean)
    rate = (math.log(decay) if decay else -math.inf) if isinstance(decay, (int, float)) else jnp.log(decay)
    return mean / -jnp.expm1(count.astype(mean.dtype) * rate)


def add_decayed_weights(weight_decay: Any, mask: Any = None) -> GradientTransformation:
    """Updates plus weight_decay times the params where `mask` holds: a pytree of bools, or a function from params to one."""

    def change(updates: PyTree, params: PyTree) -> PyTree:
        params = _needs_params("add_decayed_weights", params)
        chosen = mask(params) if callable(mask) else mask
        if chosen is None:
            return tree.map(lambda u, p: u + weight_decay * p, updates, params)
        return tree.map(lambda u, p, m: u + weight_decay * p if m else u, updates, params, chosen)

    return stateless("add_decayed_weights", change)


def global_norm(updates: PyTree) -> Array:
    """The square root of the sum of all squares in a pytree.

    >>> import jitgrad.numpy as jnp
    >>> print(global_norm([jnp.array([3.0]), jnp.array([4.0])]))
    5.0
    """
    return jnp.sqrt(sum(jnp.sum(jnp.square(u)) for u in tree.leaves(updates)))


def clip_by_global_norm(max_norm: Any) -> GradientTransformation:
    """Updates made smaller by one factor where their global norm is larger than max_norm (Pascanu, Mikolov and Bengio, 2013)."""

    def change(updates: PyTree, params: PyTree) -> PyTree:
        norm = global_norm(updates)
        inside = norm < max_norm
        return tree.map(lambda u: jnp.where(inside, u, u / norm.astype(jnp.asarray(u).dtype) * max_norm), updates)

    return stateless("clip_by_global_norm", change)


def clip(max_delta: Any) -> GradientTransformation:
    """Each element of the updates held between -max_delta and max_delta."""
    return stateless("clip", lambda updates, params: tree.map(lambda u: jnp.clip(u, -max_delta, max_delta), updates))
