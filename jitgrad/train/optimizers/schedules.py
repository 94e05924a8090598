"""Learning rates that change with the number of steps, by Keras' names, arguments and formulas: functions of the step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jitgrad.numpy as jnp
from jitgrad.errors import ArgumentError
from jitgrad.ranges import Amount, Steps


class LearningRateSchedule:
    """A learning rate as a function of the step: a subclass has a method `__call__(step)`."""

    def __call__(self, step: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must have a method __call__(self, step)")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{n}={x!r}' for n, x in vars(self).items())})"


def _number(step: Any) -> Any:
    return jnp.asarray(step).astype("float64")


class ExponentialDecay(LearningRateSchedule):
    """initial_learning_rate * decay_rate ** (step / decay_steps); staircase: in whole powers.

    >>> print(ExponentialDecay(0.1, 100, 0.5)(200))
    0.025
    """

    def __init__(
        self,
        initial_learning_rate: Amount,
        decay_steps: Steps,
        decay_rate: Amount,
        staircase: bool = False,
        name: str | None = None,
    ) -> None:
        self.initial_learning_rate, self.decay_steps, self.decay_rate = initial_learning_rate, decay_steps, decay_rate
        self.staircase = staircase

    def __call__(self, step: Any) -> Any:
        power = _number(step) / self.decay_steps
        return self.initial_learning_rate * self.decay_rate ** (jnp.floor(power) if self.staircase else power)


class InverseTimeDecay(LearningRateSchedule):
    """initial_learning_rate / (1 + decay_rate * step / decay_steps); staircase: in whole quotients.

    >>> print(InverseTimeDecay(0.1, 100, 1.0)(100))
    0.05
    """

    def __init__(
        self,
        initial_learning_rate: Amount,
        decay_steps: Steps,
        decay_rate: Amount,
        staircase: bool = False,
        name: str | None = None,
    ) -> None:
        self.initial_learning_rate, self.decay_steps, self.decay_rate = initial_learning_rate, decay_steps, decay_rate
        self.staircase = staircase

    def __call__(self, step: Any) -> Any:
        part = _number(step) / self.decay_steps
        return self.initial_learning_rate / (1 + self.decay_rate * (jnp.floor(part) if self.staircase else part))


class PiecewiseConstantDecay(LearningRateSchedule):
    """values[0] up to step boundaries[0], included, then values[1] up to boundaries[1], and so on.

    >>> print(PiecewiseConstantDecay([10], [0.1, 0.01])(10), PiecewiseConstantDecay([10], [0.1, 0.01])(11))
    0.1 0.01
    """

    def __init__(self, boundaries: Sequence[float], values: Sequence[float], name: str | None = None) -> None:
        if len(boundaries) != len(values) - 1:
            raise ArgumentError(
                "train.optimizers.schedules.PiecewiseConstantDecay: there is one value more than boundaries, got "
                f"{len(values)} values and {len(boundaries)} boundaries"
            )
        self.boundaries, self.values = tuple(boundaries), tuple(values)

    def __call__(self, step: Any) -> Any:
        rate = jnp.float64(self.values[0])
        for boundary, value in zip(self.boundaries, self.values[1:], strict=True):
            rate = jnp.where(jnp.asarray(step) > boundary, value, rate)
        return rate


class PolynomialDecay(LearningRateSchedule):
    """From initial_learning_rate to end_learning_rate in decay_steps as (1 - part of the way) ** power.

    cycle: behind the end begin a way that is longer by decay_steps.

    >>> print(PolynomialDecay(0.1, 100, 0.02)(50))
    0.06
    """

    def __init__(
        self,
        initial_learning_rate: Amount,
        decay_steps: Steps,
        end_learning_rate: Amount = 0.0001,
        power: Amount = 1.0,
        cycle: bool = False,
        name: str | None = None,
    ) -> None:
        self.initial_learning_rate, self.decay_steps, self.end_learning_rate = initial_learning_rate, decay_steps, end_learning_rate
        self.power, self.cycle = power, cycle

    def __call__(self, step: Any) -> Any:
        at, steps = _number(step), jnp.float64(self.decay_steps)
        if self.cycle:
            steps = steps * jnp.maximum(1, jnp.ceil(at / steps))
        left = 1 - jnp.minimum(at, steps) / steps
        return (self.initial_learning_rate - self.end_learning_rate) * left**self.power + self.end_learning_rate


class CosineDecay(LearningRateSchedule):
    """Half a cosine of decay_steps from initial_learning_rate to alpha times it; with warmup_target first a line of warmup_steps
    from initial_learning_rate to warmup_target, and the cosine from there.

    >>> print(CosineDecay(0.1, 100)(50))
    0.05
    """

    def __init__(
        self,
        initial_learning_rate: Amount,
        decay_steps: Steps,
        alpha: Amount = 0.0,
        name: str | None = None,
        warmup_target: Amount | None = None,
        warmup_steps: Amount = 0,
    ) -> None:
        self.initial_learning_rate, self.decay_steps, self.alpha = initial_learning_rate, decay_steps, alpha
        self.warmup_target, self.warmup_steps = warmup_target, warmup_steps

    def __call__(self, step: Any) -> Any:
        at = _number(step)
        if self.warmup_target is None:
            return self._cosine(at, self.initial_learning_rate)
        line = self.initial_learning_rate + (self.warmup_target - self.initial_learning_rate) * at / max(self.warmup_steps, 1)
        return jnp.where(at < self.warmup_steps, line, self._cosine(at - self.warmup_steps, self.warmup_target))

    def _cosine(self, at: Any, start: float) -> Any:
        part = jnp.minimum(at, self.decay_steps) / self.decay_steps
        return start * ((1 - self.alpha) * 0.5 * (1 + jnp.cos(math.pi * part)) + self.alpha)


class CosineDecayRestarts(LearningRateSchedule):
    """Half cosines one after another, the first one of first_decay_steps, each t_mul times as long and m_mul times as high as the
    one before it (Loshchilov and Hutter, SGDR, 2016). alpha: the part of the rate that stays.

    >>> print(CosineDecayRestarts(0.1, 100)(100))
    0.1
    """

    def __init__(
        self,
        initial_learning_rate: Amount,
        first_decay_steps: Steps,
        t_mul: Steps = 2.0,
        m_mul: Amount = 1.0,
        alpha: Amount = 0.0,
        name: str | None = None,
    ) -> None:
        self.initial_learning_rate, self.first_decay_steps = initial_learning_rate, first_decay_steps
        self.t_mul, self.m_mul, self.alpha = t_mul, m_mul, alpha

    def __call__(self, step: Any) -> Any:
        part = _number(step) / self.first_decay_steps
        if self.t_mul == 1:
            number = jnp.floor(part)
            part = part - number
        else:  # the sum of a geometric series says which cosine it is; a hair for rounding at its beginning
            number = jnp.floor(jnp.log(1 - part * (1 - self.t_mul)) / math.log(self.t_mul) + 1e-12)
            before = (1 - self.t_mul**number) / (1 - self.t_mul)
            part = (part - before) / self.t_mul**number
        height = 0.5 * self.m_mul**number * (1 + jnp.cos(math.pi * part))
        return self.initial_learning_rate * ((1 - self.alpha) * height + self.alpha)


__all__ = [
    "CosineDecay", "CosineDecayRestarts", "ExponentialDecay", "InverseTimeDecay", "LearningRateSchedule", "PiecewiseConstantDecay",
    "PolynomialDecay",
]  # fmt: skip
