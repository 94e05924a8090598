"""Transformations of several updates together: running means, gradients accumulated over small batches, updates left out where they
are not finite, and losses scaled for float16. Next on the path: optimizers.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import jitgrad.numpy as jnp
from jitgrad import tree
from jitgrad.array import Array
from jitgrad.errors import ArgumentError
from jitgrad.ranges import Count, Decay, Number

from .leaves import cast, cast_like, choose, corrected, mean_of, next_count, no_count, zeros_like
from .transformation import (
    GradientTransformation,
    GradientTransformationExtraArgs,
    PyTree,
    check_like,
    with_extra_args_support,
)


class EmaState(NamedTuple):
    """count: how many updates there have been, int32. ema: the running mean, which begins at 0."""

    count: Any
    ema: PyTree


def ema(decay: Decay, debias: bool = True, accumulator_dtype: Any = None) -> GradientTransformation:
    """The running mean of updates, of which `decay` stays each time, in their place.

    debias: as if it had begun at the first update. accumulator_dtype: the element type it is kept in. As an optimizer of its own it
    gives the mean of params: `opt.update(params, state)`.

    >>> opt = ema(0.9)
    >>> mean, state = opt.update({"w": 2.0}, opt.init({"w": 0.0}))
    >>> mean, state = opt.update({"w": 3.0}, state)
    >>> print(mean["w"])
    2.526316
    """

    def update(updates: PyTree, state: EmaState, params: PyTree = None) -> tuple[PyTree, EmaState]:
        check_like("optim.ema", updates, state.ema)
        mean, count = mean_of(updates, state.ema, decay), next_count(state.count)
        given = tree.map(lambda m: corrected(m, decay, count), mean) if debias else mean
        return given, EmaState(count, cast(mean, accumulator_dtype))

    return GradientTransformation(lambda params: EmaState(no_count(), zeros_like(params, accumulator_dtype)), update)


def incremental_update(new_tensors: PyTree, old_tensors: PyTree, step_size: Number) -> PyTree:
    """step_size * new + (1 - step_size) * old for each leaf: the running mean of params without a state.

    >>> incremental_update({"w": 4.0}, {"w": 0.0}, 0.25)
    {'w': 1.0}
    """
    return tree.map(lambda new, old: step_size * new + (1.0 - step_size) * old, new_tensors, old_tensors)


class MultiStepsState(NamedTuple):
    """mini_step: gradients taken in since the last step; gradient_step: steps so far; inner_opt_state; acc_grads: what they are."""

    mini_step: Any
    gradient_step: Any
    inner_opt_state: Any
    acc_grads: PyTree


class MultiSteps:
    """An optimizer that takes a step every k gradients, by their mean: a batch of k batches, in the memory of one. Between steps
    updates are 0.

    opt: what makes the step. every_k_schedule: k, or a function of the count of steps to it. use_grad_mean: False takes the sum.
    accumulator_dtype: the element type that gradients are added in, that of the params by default.

    >>> from jitgrad import optim
    >>> opt = MultiSteps(optim.sgd(1.0), 2)
    >>> state = opt.init({"w": 0.0})
    >>> first, state = opt.update({"w": 1.0}, state)
    >>> second, state = opt.update({"w": 3.0}, state)
    >>> print(first["w"], second["w"], opt.has_updated(state))
    0.0 -2.0 True
    """

    def __init__(
        self,
        opt: GradientTransformation,
        every_k_schedule: int | Callable[[Any], Any],
        use_grad_mean: bool = True,
        accumulator_dtype: Any = None,
    ) -> None:
        if not callable(every_k_schedule) and (not isinstance(every_k_schedule, (int, np.integer)) or every_k_schedule < 1):
            raise ArgumentError(
                f"optim.MultiSteps: every_k_schedule is an integer of 1 or more, or a function of the count of steps, "
                f"got {every_k_schedule!r}"
            )
        inner = with_extra_args_support(opt)
        every = every_k_schedule if callable(every_k_schedule) else lambda step: every_k_schedule

        def init(params: PyTree) -> MultiStepsState:
            return MultiStepsState(no_count(), no_count(), inner.init(params), zeros_like(params, accumulator_dtype))

        def update(updates: PyTree, state: MultiStepsState, params: PyTree = None, **extra: Any) -> tuple[PyTree, Any]:
            check_like("optim.MultiSteps", updates, state.acc_grads)
            if use_grad_mean:
                taken = state.mini_step + 1
                gathered = tree.map(lambda g, a: a + (g - a) / taken.astype(jnp.asarray(a).dtype), updates, state.acc_grads)
            else:
                gathered = tree.map(lambda g, a: a + g, updates, state.acc_grads)
            gathered = cast_like(gathered, state.acc_grads)
            last = state.mini_step >= jnp.asarray(every(state.gradient_step)) - 1
            steps, inner_state = inner.update(cast_like(gathered, updates), state.inner_opt_state, params, **extra)
            return tree.map(lambda u: jnp.where(last, u, jnp.zeros_like(u)), steps), MultiStepsState(
                jnp.where(last, 0, next_count(state.mini_step)),
                jnp.where(last, next_count(state.gradient_step), state.gradient_step),
                choose(last, inner_state, state.inner_opt_state),
                tree.map(lambda g: jnp.where(last, jnp.zeros_like(g), g), gathered),
            )

        self._transformation = GradientTransformationExtraArgs(init, update)
        self.init, self.update, self.inner_opt = *self._transformation, inner

    def has_updated(self, state: MultiStepsState) -> Array:
        """Whether the last update was a step."""
        return jnp.logical_and(state.mini_step == 0, state.gradient_step > 0)

    def gradient_transformation(self) -> GradientTransformationExtraArgs:
        """The same as a part for `chain`."""
        return self._transformation


def all_finite(x: PyTree) -> Array:
    """Whether no leaf has a NaN or an infinity.

    >>> import jitgrad.numpy as jnp
    >>> print(all_finite({"w": jnp.array([1.0, jnp.inf])}))
    False
    """
    finite = jnp.asarray(True)
    for leaf in tree.leaves(x):
        finite = finite & jnp.all(jnp.isfinite(leaf))
    return finite


class ApplyIfFiniteState(NamedTuple):
    """notfinite_count: updates left out in a row; last_finite: whether the last one was done; total_notfinite; inner_state."""

    notfinite_count: Any
    last_finite: Any
    total_notfinite: Any
    inner_state: Any


def apply_if_finite(inner: GradientTransformation, max_consecutive_errors: Count) -> GradientTransformationExtraArgs:
    """`inner`, where updates are finite; else updates of 0, and its state stays. After more than max_consecutive_errors in a row
    they go through as they are, so that training does not stand still unseen.

    >>> from jitgrad import optim
    >>> opt = apply_if_finite(optim.sgd(1.0), 3)
    >>> updates, state = opt.update({"w": float("nan")}, opt.init({"w": 0.0}))
    >>> print(updates["w"], state.total_notfinite)
    0.0 1
    """
    inner = with_extra_args_support(inner)

    def init(params: PyTree) -> ApplyIfFiniteState:
        return ApplyIfFiniteState(no_count(), jnp.asarray(True), no_count(), inner.init(params))

    def update(updates: PyTree, state: ApplyIfFiniteState, params: PyTree = None, **extra: Any) -> tuple[PyTree, Any]:
        finite = all_finite(updates)
        missed = jnp.where(finite, 0, next_count(state.notfinite_count))
        go = finite | (missed > max_consecutive_errors)
        steps, after = inner.update(updates, state.inner_state, params, **extra)
        total = jnp.where(finite, state.total_notfinite, next_count(state.total_notfinite))
        steps = tree.map(lambda u: jnp.where(go, u, jnp.zeros_like(u)), steps)
        return steps, ApplyIfFiniteState(missed, finite, total, choose(go, after, state.inner_state))

    return GradientTransformationExtraArgs(init, update)


class DynamicLossScaleState(NamedTuple):
    """loss_scale: what to multiply the loss by; count: finite updates since it last changed, int32; inner_state."""

    loss_scale: Any
    count: Any
    inner_state: Any


def dynamic_loss_scale(
    inner: GradientTransformation,
    initial_scale: float = 2.0**15,
    period: int = 2000,
    factor: float = 2.0,
    min_scale: float = 1.0,
) -> GradientTransformationExtraArgs:
    """`inner` for gradients of `loss * state.loss_scale`, which keeps gradients in float16 from becoming 0 (Micikevicius et al.,
    Mixed precision training, 2017).

    Gradients are divided by the scale. Where one is not finite the update is 0, the state of `inner` stays and the scale is divided
    by factor, down to min_scale; after `period` finite updates in a row it is multiplied by factor.

    >>> import jitgrad
    >>> from jitgrad import optim
    >>> opt = dynamic_loss_scale(optim.sgd(1.0), initial_scale=8.0)
    >>> state = opt.init(3.0)
    >>> gradient = jitgrad.grad(lambda x: x * x * state.loss_scale)(3.0)
    >>> updates, state = opt.update(gradient, state)
    >>> print(gradient, updates)
    48.0 -6.0
    """
    if not factor > 1 or period < 1 or not 0 < min_scale <= initial_scale:
        raise ArgumentError(
            "optim.dynamic_loss_scale: factor must be more than 1, period at least 1, and 0 < min_scale <= initial_scale; got "
            f"{factor=}, {period=}, {min_scale=}, {initial_scale=}"
        )
    inner = with_extra_args_support(inner)

    def init(params: PyTree) -> DynamicLossScaleState:
        return DynamicLossScaleState(jnp.asarray(initial_scale, "float32"), no_count(), inner.init(params))

    def update(updates: PyTree, state: DynamicLossScaleState, params: PyTree = None, **extra: Any) -> tuple[PyTree, Any]:
        finite = all_finite(updates)
        plain = tree.map(lambda g: (g / state.loss_scale).astype(jnp.asarray(g).dtype), updates)
        steps, after = inner.update(plain, state.inner_state, params, **extra)
        count = jnp.where(finite, next_count(state.count), 0)
        grown = jnp.where(count >= period, jnp.minimum(state.loss_scale * factor, jnp.finfo("float32").max), state.loss_scale)
        scale = jnp.where(finite, grown, jnp.maximum(state.loss_scale / factor, min_scale))
        steps = tree.map(lambda u: jnp.where(finite, u, jnp.zeros_like(u)), steps)
        return steps, DynamicLossScaleState(scale, jnp.where(count >= period, 0, count), choose(finite, after, state.inner_state))

    return GradientTransformationExtraArgs(init, update)
