"""The parts that optimizers are chained from: each changes the updates in one way. Formulas and names are Optax's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import jitgrad.numpy as jnp
from jitgrad import tree
from jitgrad.array import Array
from jitgrad.errors import ArgumentError
from jitgrad.ranges import NotNegative, Number
from jitgrad.tracing import function_name

from .leaves import cast, needs_params, next_count, no_count, square, zeros_like
from .masking import masked
from .transformation import GradientTransformation, PyTree, check_like, stateless

Schedule = Callable[[Any], Any]
LearningRate = NotNegative | Schedule


class ScaleByScheduleState(NamedTuple):
    """count: how many updates there have been, int32."""

    count: Any


class TraceState(NamedTuple):
    """trace: the running sum of updates."""

    trace: PyTree


def _of_type(number: Any, u: Any) -> Any:
    """A number of Python's, or one computed, which takes the element type of what it meets."""
    return number.astype(jnp.asarray(u).dtype) if isinstance(number, Array) else number


def _at(schedule: Schedule, count: Any) -> Any:
    """What a schedule gives at a count of updates."""
    value = schedule(count)
    if not hasattr(value, "__mul__") or isinstance(value, (str, bytes, list, tuple)):
        raise ArgumentError(f"optim: a schedule, here {function_name(schedule)}, must give a number, got {value!r}")
    return value


def scale(step_size: Number) -> GradientTransformation:
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
        factor = _at(step_size_fn, state.count)
        return tree.map(lambda u: u * _of_type(factor, u), updates), ScaleByScheduleState(next_count(state.count))

    return GradientTransformation(lambda params: ScaleByScheduleState(no_count()), update)


def scale_by_learning_rate(learning_rate: LearningRate, *, flip_sign: bool = True) -> GradientTransformation:
    """Updates times minus the learning rate: a number, or a schedule, which is a function of the count of updates.

    flip_sign: False leaves the minus out.
    """
    sign = -1 if flip_sign else 1
    if callable(learning_rate):
        schedule = learning_rate
        return scale_by_schedule(lambda count: sign * _at(schedule, count))
    if isinstance(learning_rate, str) or not hasattr(learning_rate, "__mul__"):
        raise ArgumentError(
            f"optim: the learning rate is a number or a schedule, a function of the count of updates, got {learning_rate!r}"
        )
    check_rate("optim", learning_rate)
    return scale(sign * learning_rate)


def check_rate(where: str, rate: Any) -> None:
    """Refuse a number for a learning rate that is negative or not finite; what traced ones are is not known."""
    if isinstance(rate, (int, float, np.number, np.ndarray)) and not np.all((np.asarray(rate) >= 0) & np.isfinite(rate)):
        raise ArgumentError(
            f"{where}: the learning rate must be finite and not negative, got {rate}. To climb, negate the loss, or use "
            f"optim.scale."
        )


def trace(decay: Number, nesterov: bool = False, accumulator_dtype: Any = None) -> GradientTransformation:
    """Momentum: t = u + decay * t for each update u, and u + decay * t again for Nesterov's form.

    accumulator_dtype: the element type in which t is kept; that of the params by default.
    """

    def update(updates: PyTree, state: TraceState, params: PyTree = None) -> tuple[PyTree, Any]:
        check_like("optim.trace", updates, state.trace)
        moved = tree.map(lambda u, t: u + decay * t, updates, state.trace)
        return (tree.map(lambda u, t: u + decay * t, updates, moved) if nesterov else moved), TraceState(
            cast(moved, accumulator_dtype)
        )

    return GradientTransformation(lambda params: TraceState(zeros_like(params, accumulator_dtype)), update)


def add_decayed_weights(weight_decay: Number | Schedule, mask: Any = None) -> GradientTransformation:
    """Updates plus weight_decay times the params where `mask` holds, as `masked` takes it; weight_decay may be a schedule.

    >>> import jitgrad.numpy as jnp
    >>> params = {"w": jnp.array([2.0])}
    >>> opt = add_decayed_weights(0.5)
    >>> print(opt.update({"w": jnp.array([1.0])}, opt.init(params), params)[0]["w"])
    [2.]
    """

    def decayed(updates: PyTree, params: PyTree, rate: Any) -> PyTree:
        params = needs_params("add_decayed_weights", params)
        return tree.map(lambda u, p: u + _of_type(rate, u) * p, updates, params)

    if callable(weight_decay):

        def update(updates: PyTree, state: ScaleByScheduleState, params: PyTree = None) -> tuple[PyTree, Any]:
            return decayed(updates, params, _at(weight_decay, state.count)), ScaleByScheduleState(next_count(state.count))

        opt = GradientTransformation(lambda params: ScaleByScheduleState(no_count()), update)
    else:
        opt = stateless("add_decayed_weights", lambda updates, params: decayed(updates, params, weight_decay))
    return opt if mask is None else masked(opt, mask)


def global_norm(updates: PyTree) -> Array:
    """The square root of the sum of all squares in a pytree; 0 of one without leaves.

    >>> import jitgrad.numpy as jnp
    >>> print(global_norm([jnp.array([3.0]), jnp.array([4.0])]))
    5.0
    """
    return jnp.sqrt(sum(jnp.sum(square(u)) for u in tree.leaves(updates)))


def clip_by_global_norm(max_norm: NotNegative) -> GradientTransformation:
    """Updates made smaller by one factor where their global norm is larger than max_norm (Pascanu, Mikolov and Bengio, 2013)."""

    def change(updates: PyTree, params: PyTree) -> PyTree:
        norm = global_norm(updates)
        inside = norm < max_norm
        return tree.map(lambda u: jnp.where(inside, u, u / norm.astype(jnp.asarray(u).dtype) * max_norm), updates)

    return stateless("clip_by_global_norm", change)


def clip(max_delta: NotNegative) -> GradientTransformation:
    """Each element of the updates held between -max_delta and max_delta."""
    return stateless("clip", lambda updates, params: tree.map(lambda u: jnp.clip(u, -max_delta, max_delta), updates))
