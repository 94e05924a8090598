"""Learning rates that change with the count of updates, by Optax's names: each makes a function of the count (0, 1, 2, ...)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jitgrad.numpy as jnp
from jitgrad.errors import ArgumentError

from .scaling import Schedule


def _positive(name: str, steps: int) -> None:
    if steps <= 0:
        raise ArgumentError(f"optim.{name}: the number of steps must be positive, got {steps}")


def constant_schedule(value: Any) -> Schedule:
    """Always `value`."""
    return lambda count: value


def linear_schedule(init_value: Any, end_value: Any, transition_steps: int, transition_begin: int = 0) -> Schedule:
    """From init_value to end_value along a line of transition_steps updates, which starts at transition_begin.

    >>> print(linear_schedule(1.0, 0.0, 10)(5))
    0.5
    """
    return polynomial_schedule(init_value, end_value, 1, transition_steps, transition_begin)


def polynomial_schedule(init_value: Any, end_value: Any, power: Any, transition_steps: int, transition_begin: int = 0) -> Schedule:
    """From init_value to end_value as (1 - part of the way) ** power.

    >>> print(polynomial_schedule(1.0, 0.0, 2, 10)(5))
    0.25
    """
    _positive("polynomial_schedule", transition_steps)

    def schedule(count: Any) -> Any:
        left = 1 - jnp.clip(jnp.asarray(count, float) - transition_begin, 0, transition_steps) / transition_steps
        return (init_value - end_value) * left**power + end_value

    return schedule


def exponential_decay(
    init_value: Any,
    transition_steps: int,
    decay_rate: Any,
    transition_begin: int = 0,
    staircase: bool = False,
    end_value: Any = None,
) -> Schedule:
    """init_value * decay_rate ** (count / transition_steps), from transition_begin on; staircase: in whole powers.

    end_value: a bound that the value does not pass: from below where decay_rate is less than 1, else from above.

    >>> print(exponential_decay(1.0, 10, 0.25)(5))
    0.5
    """
    _positive("exponential_decay", transition_steps)

    def schedule(count: Any) -> Any:
        steps = jnp.maximum(jnp.asarray(count, float) - transition_begin, 0) / transition_steps
        value = init_value * jnp.power(jnp.asarray(decay_rate, float), jnp.floor(steps) if staircase else steps)
        if end_value is None:
            return value
        return jnp.maximum(value, end_value) if decay_rate < 1 else jnp.minimum(value, end_value)

    return schedule


def cosine_decay_schedule(init_value: Any, decay_steps: int, alpha: Any = 0.0, exponent: Any = 1.0) -> Schedule:
    """From init_value to alpha * init_value along half a cosine of decay_steps updates (Loshchilov and Hutter, SGDR, 2016).

    >>> print(cosine_decay_schedule(1.0, 10)(10))
    0.0
    """
    _positive("cosine_decay_schedule", decay_steps)

    def schedule(count: Any) -> Any:
        part = jnp.minimum(jnp.asarray(count, float), decay_steps) / decay_steps
        cosine = 0.5 * (1 + jnp.cos(math.pi * part))
        return init_value * ((1 - alpha) * cosine**exponent + alpha)

    return schedule


def join_schedules(schedules: Sequence[Schedule], boundaries: Sequence[int]) -> Schedule:
    """Schedules one after another: each counts from the boundary at which it takes over.

    >>> print(join_schedules([constant_schedule(1.0), constant_schedule(2.0)], [10])(12))
    2.0
    """
    if len(schedules) != len(boundaries) + 1:
        raise ArgumentError(f"optim.join_schedules: {len(schedules)} schedules need one boundary less, got {len(boundaries)}")

    def schedule(count: Any) -> Any:
        out = schedules[0](count)
        for boundary, later in zip(boundaries, schedules[1:], strict=True):
            out = jnp.where(jnp.asarray(count) < boundary, out, later(count - boundary))
        return out

    return schedule


def warmup_cosine_decay_schedule(
    init_value: Any, peak_value: Any, warmup_steps: int, decay_steps: int, end_value: Any = 0.0, exponent: Any = 1.0
) -> Schedule:
    """A line from init_value to peak_value, then half a cosine to end_value; decay_steps counts both.

    >>> print(warmup_cosine_decay_schedule(0.0, 1.0, 10, 100)(5))
    0.5
    """
    alpha = 0.0 if peak_value == 0.0 else end_value / peak_value
    decay = cosine_decay_schedule(peak_value, decay_steps - warmup_steps, alpha, exponent)
    return join_schedules([linear_schedule(init_value, peak_value, warmup_steps), decay], [warmup_steps])
