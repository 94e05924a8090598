"""How far to go in a direction: a step that fulfils the strong Wolfe conditions. Used by `quasi_newton.py`.

Nocedal and Wright, Numerical Optimization (2nd edition), algorithms 3.5 and 3.6, as one loop: as long as no step is too long the
step is doubled, afterwards an interval with a good step in it shrinks.
Steps are constants to derivatives: where the gradient is zero a longer one changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import jitgrad.numpy as jnp
from jitgrad import array_ops as ops
from jitgrad import lax, tree
from jitgrad.array import Array
from jitgrad.differentiation import stop_gradient

DECREASE, CURVATURE = 1e-4, 0.9
"""The constants c1 and c2 of the Wolfe conditions."""
MOST_ZOOMS = 30
SHORTEST = 1e-8
"""Steps in types narrower than float64 are not shorter than this, or the next direction could vanish."""


class Point(NamedTuple):
    """A step, and there the function, its slope along the direction, and its gradient."""

    step: Array
    value: Array
    slope: Array
    gradient: Array


class _Search(NamedTuple):
    """low: the best point that is not too far. high: the interval's other end, at an infinite step as long as there is none.
    before: the end that was given up last.
    """

    low: Point
    high: Point
    before: Point
    found: Array
    stuck: Array
    doublings: Array
    zooms: Array


class Found(NamedTuple):
    point: Point
    failed: Array
    status: Array
    evaluations: Array


def search(at: Callable[[Array], Point], start: Point, first: Array, maxiter: int) -> Found:
    """A step along a direction in which the slope is negative, first the step `first`.

    at: a step -> its Point; start: that of step 0. status: 0, or where the search fails 1 (the interval is too short) or 3 (maxiter
    doublings were not enough); then the point is the best one that was found.
    """

    def unfinished(s: _Search) -> Array:
        return ~s.found & ~s.stuck & (_zooming(s) | (s.doublings < maxiter))

    def advance(s: _Search) -> _Search:
        zooming = _zooming(s)
        trial = at(stop_gradient(jnp.where(zooming, _inside(s), jnp.where(s.doublings == 0, first, s.low.step * 2))))
        allowed = start.value + DECREASE * trial.step * start.slope
        compared = zooming | (s.doublings > 0)
        better = (trial.value <= allowed) & ((trial.value < s.low.value) | ~compared) & ~jnp.isnan(trial.slope)
        found = better & (jnp.abs(trial.slope) <= -CURVATURE * start.slope)
        turned = better & ~found & (jnp.where(s.high.step > s.low.step, trial.slope, -trial.slope) >= 0)
        zooms = s.zooms + zooming
        return _Search(
            low=_where(better, trial, s.low),
            high=_where(turned, s.low, _where(better, s.high, trial)),
            before=_where(turned | ~better, s.high, s.low),
            found=found,
            stuck=zooming & ((jnp.abs(s.high.step - s.low.step) <= _shortest_interval(trial)) | (zooms >= MOST_ZOOMS)),
            doublings=s.doublings + ~zooming,
            zooms=zooms,
        )

    no, zero = jnp.zeros((), bool), jnp.zeros((), int)
    nowhere = start._replace(step=jnp.full_like(start.step, math.inf))
    s = lax.while_loop(unfinished, advance, _Search(start, nowhere, start, no, no, zero, zero))
    status = jnp.where(s.found, 0, jnp.where(s.stuck, 1, 3))
    return Found(s.low._replace(step=_not_too_short(s.low.step)), ~s.found, status, s.doublings + s.zooms)


def _zooming(s: _Search) -> Array:
    return s.high.step < math.inf


def _where(condition: Array, a: Point, b: Point) -> Point:
    chosen: Point = tree.map(lambda x, y: jnp.where(condition, x, y), a, b)
    return chosen


def _shortest_interval(p: Point) -> float:
    return 1e-10 if p.step.dtype.itemsize == 8 else 1e-5


def _not_too_short(step: Array) -> Array:
    if step.dtype.itemsize == 8:
        return step
    return jnp.where(jnp.abs(step) < SHORTEST, jnp.sign(step) * SHORTEST, step)


def _inside(s: _Search) -> Array:
    """A step inside the interval: the minimum of a cubic or a quadratic polynomial where that is well inside, or its middle."""
    low, high = s.low, s.high
    least, most = jnp.minimum(low.step, high.step), jnp.maximum(low.step, high.step)
    width = most - least
    cubic, quadratic, middle = _cubic_minimum(low, high, s.before), _quadratic_minimum(low, high), (low.step + high.step) / 2
    use_cubic = (s.zooms > 0) & (cubic > least + 0.2 * width) & (cubic < most - 0.2 * width)
    use_quadratic = (quadratic > least + 0.1 * width) & (quadratic < most - 0.1 * width)
    return jnp.where(use_cubic, cubic, jnp.where(use_quadratic, quadratic, middle))


def _cubic_minimum(low: Point, high: Point, before: Point) -> Array:
    """Of the cubic with the value and slope of one point, and the values of two others."""
    b, c = high.step - low.step, before.step - low.step
    rise_b, rise_c = (_as(p.value - low.value, b) - low.slope * d for p, d in ((high, b), (before, c)))
    scale = (b * c) ** 2 * (b - c)
    third = (c**2 * rise_b - b**2 * rise_c) / scale
    second = (b**3 * rise_c - c**3 * rise_b) / scale
    return low.step + (jnp.sqrt(second**2 - 3 * third * low.slope) - second) / (3 * third)


def _quadratic_minimum(low: Point, high: Point) -> Array:
    """Of the parabola with the value and slope of one point, and the value of another."""
    b = high.step - low.step
    return low.step - low.slope * b**2 / (2 * (_as(high.value - low.value, b) - low.slope * b))


def _as(x: Array, like: Array) -> Array:
    return ops.convert(x, like.type.dtype)
