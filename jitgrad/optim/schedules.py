"""Learning rates that change with the count of updates, by Optax's names: each makes a function of the count (0, 1, 2, ...)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import jitgrad.numpy as jnp
from jitgrad.errors import ArgumentError
from jitgrad.ranges import Number, Part, Steps

from .scaling import Schedule


def _positive(name: str, steps: float) -> None:
    if steps <= 0:
        raise ArgumentError(f"optim.{name}: the number of steps must be positive, got {steps}")


def constant_schedule(value: Number) -> Schedule:
    """Always `value`."""
    return lambda count: value


def linear_schedule(init_value: Number, end_value: Number, transition_steps: Steps, transition_begin: Number = 0) -> Schedule:
    """From init_value to end_value along a line of transition_steps updates, which starts at transition_begin.

    >>> print(linear_schedule(1.0, 0.0, 10)(5))
    0.5
    """
    return polynomial_schedule(init_value, end_value, 1, transition_steps, transition_begin)


def polynomial_schedule(
    init_value: Number, end_value: Number, power: Number, transition_steps: Steps, transition_begin: Number = 0
) -> Schedule:
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
    init_value: Number,
    transition_steps: Steps,
    decay_rate: Number,
    transition_begin: Number = 0,
    staircase: bool = False,
    end_value: Number | None = None,
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


def cosine_decay_schedule(init_value: Number, decay_steps: Steps, alpha: Number = 0.0, exponent: Number = 1.0) -> Schedule:
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


def join_schedules(schedules: Sequence[Schedule], boundaries: Sequence[float]) -> Schedule:
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
    init_value: Number, peak_value: Number, warmup_steps: Steps, decay_steps: Steps, end_value: Number = 0.0, exponent: Number = 1.0
) -> Schedule:
    """A line from init_value to peak_value, then half a cosine to end_value; decay_steps counts both.

    >>> print(warmup_cosine_decay_schedule(0.0, 1.0, 10, 100)(5))
    0.5
    """
    alpha = 0.0 if peak_value == 0.0 else end_value / peak_value
    decay = cosine_decay_schedule(peak_value, decay_steps - warmup_steps, alpha, exponent)
    return join_schedules([linear_schedule(init_value, peak_value, warmup_steps), decay], [warmup_steps])


def warmup_constant_schedule(init_value: Number, peak_value: Number, warmup_steps: Steps) -> Schedule:
    """A line from init_value to peak_value, where it stays.

    >>> print(warmup_constant_schedule(0.0, 1.0, 10)(5))
    0.5
    """
    return linear_schedule(init_value, peak_value, warmup_steps)


def warmup_exponential_decay_schedule(
    init_value: Number,
    peak_value: Number,
    warmup_steps: Steps,
    transition_steps: Steps,
    decay_rate: Number,
    transition_begin: Number = 0,
    staircase: bool = False,
    end_value: Number | None = None,
) -> Schedule:
    """A line from init_value to peak_value, then `exponential_decay`, which counts from there.

    >>> print(warmup_exponential_decay_schedule(0.0, 1.0, 10, 10, 0.25)(15))
    0.5
    """
    decay = exponential_decay(peak_value, transition_steps, decay_rate, transition_begin, staircase, end_value)
    return join_schedules([linear_schedule(init_value, peak_value, warmup_steps), decay], [warmup_steps])


def sgdr_schedule(cosine_kwargs: Iterable[Mapping[str, Any]]) -> Schedule:
    """Cosines with warm restarts (Loshchilov and Hutter, SGDR, 2016): `warmup_cosine_decay_schedule` of each row of arguments, one
    after another.

    >>> part = dict(init_value=0.0, peak_value=1.0, warmup_steps=2, decay_steps=10)
    >>> print(sgdr_schedule([part, part])(11))
    0.5
    """
    parts = list(cosine_kwargs)
    ends = [sum(part["decay_steps"] for part in parts[: n + 1]) for n in range(len(parts))]
    return join_schedules([warmup_cosine_decay_schedule(**part) for part in parts], ends[:-1])


def _factors(name: str, boundaries_and_scales: Mapping[float, Number] | None) -> list[tuple[float, Any]]:
    rows = sorted((boundaries_and_scales or {}).items())
    if any(scale < 0 for _, scale in rows):
        raise ArgumentError(f"optim.{name}: the factors must be 0 or more, got {[scale for _, scale in rows]}")
    return rows


def piecewise_constant_schedule(init_value: Number, boundaries_and_scales: Mapping[float, Number] | None = None) -> Schedule:
    """Steps: init_value, times each factor from its boundary on, {boundary: factor}.

    >>> print(piecewise_constant_schedule(1.0, {10: 0.5, 20: 0.5})(25))
    0.25
    """
    rows = _factors("piecewise_constant_schedule", boundaries_and_scales)

    def schedule(count: Any) -> Any:
        value = jnp.asarray(init_value, float)
        for boundary, factor in rows:
            value = jnp.where(jnp.asarray(count) >= boundary, value * factor, value)
        return value

    return schedule


INTERPOLATIONS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "linear": lambda start, end, part: start + (end - start) * part,
    "cosine": lambda start, end, part: end + (start - end) / 2.0 * (jnp.cos(math.pi * part) + 1),
}


def piecewise_interpolate_schedule(
    interpolate_type: str, init_value: Number, boundaries_and_scales: Mapping[float, Number] | None = None
) -> Schedule:
    """From init_value at 0 to its product with the factors so far at each boundary, {boundary: factor}; constant after the last.

    interpolate_type: "linear" or "cosine", the curve between.

    >>> print(piecewise_interpolate_schedule("linear", 1.0, {10: 0.5})(5))
    0.75
    """
    if interpolate_type not in INTERPOLATIONS:
        raise ArgumentError(
            f"optim.piecewise_interpolate_schedule: interpolate_type is 'linear' or 'cosine', got {interpolate_type!r}"
        )
    rows = _factors("piecewise_interpolate_schedule", boundaries_and_scales)
    between = INTERPOLATIONS[interpolate_type]

    def schedule(count: Any) -> Any:
        count = jnp.asarray(count, float)
        begin, start = 0.0, init_value
        value = jnp.asarray(init_value, float)
        for boundary, factor in rows:
            end = start * factor
            part = jnp.clip((count - begin) / max(boundary - begin, 1), 0, 1)
            inside = between(start, end, part)
            value = jnp.where(count >= begin, jnp.where(count >= boundary, end, inside), value)
            begin, start = boundary, end
        return value

    return schedule


def linear_onecycle_schedule(
    transition_steps: Steps,
    peak_value: Number,
    pct_start: Part = 0.3,
    pct_final: Part = 0.85,
    div_factor: Steps = 25.0,
    final_div_factor: Steps = 1e4,
) -> Schedule:
    """One cycle of three lines (Smith, Super-convergence, 2017): up from peak_value / div_factor to peak_value at pct_start of the
    steps, down again until pct_final, and to 1 / final_div_factor of that at the end.

    >>> print(linear_onecycle_schedule(100, 1.0)(30))
    1.0
    """
    _positive("linear_onecycle_schedule", transition_steps)
    return piecewise_interpolate_schedule(
        "linear",
        peak_value / div_factor,
        {
            int(pct_start * transition_steps): div_factor,
            int(pct_final * transition_steps): 1.0 / div_factor,
            transition_steps: 1.0 / final_div_factor,
        },
    )


def cosine_onecycle_schedule(
    transition_steps: Steps, peak_value: Number, pct_start: Part = 0.3, div_factor: Steps = 25.0, final_div_factor: Steps = 1e4
) -> Schedule:
    """One cycle of two half cosines (Smith, Super-convergence, 2017): up from peak_value / div_factor to peak_value at pct_start of
    the steps, then down to peak_value / (div_factor * final_div_factor).

    >>> print(cosine_onecycle_schedule(100, 1.0)(30))
    1.0
    """
    _positive("cosine_onecycle_schedule", transition_steps)
    return piecewise_interpolate_schedule(
        "cosine",
        peak_value / div_factor,
        {int(pct_start * transition_steps): div_factor, int(transition_steps): 1.0 / (div_factor * final_div_factor)},
    )
