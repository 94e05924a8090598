"""BFGS and L-BFGS: descent along the gradient times an estimate of the inverse Hessian. Called by `minimization.py`.

Nocedal and Wright, Numerical Optimization (2nd edition), algorithms 6.1 and 7.5; of complex variables as Sorber, van Barel and de
Lathauwer, Unconstrained optimization of real functions in complex variables (2012). Gradients of complex variables are jax's, the
conjugates of the directions of ascent.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jitgrad.numpy as jnp
from jitgrad import array_ops as ops
from jitgrad import lax
from jitgrad.array import Array
from jitgrad.differentiation import value_and_grad

from .searching import Found, Point, search

Function = Callable[[Array], Any]


class Minimum(NamedTuple):
    """Where a method ended. inverse: the estimate of the inverse Hessian, or what L-BFGS keeps in its place."""

    x: Array
    value: Array
    gradient: Array
    inverse: Any
    iterations: Array
    evaluations: Array
    converged: Array
    status: Array


class _Progress(NamedTuple):
    x: Array
    value: Array
    gradient: Array
    earlier: Array
    """The value one iteration before."""
    inverse: Any
    iterations: Array
    evaluations: Array
    converged: Array
    status: Array
    """Why the method must stop though it has not converged; 0 for as long as it need not."""


def _dot(a: Array, b: Array) -> Array:
    return jnp.real(jnp.sum(a * b))


def _line(fun: Function, x: Array, direction: Array) -> Callable[[Array], Point]:
    def at(step: Array) -> Point:
        value, gradient = value_and_grad(fun)(x + ops.convert(step, direction.type.dtype) * direction)
        return Point(step, value, _dot(gradient, direction), gradient)

    return at


def _along(fun: Function, now: _Progress, direction: Array, guess: bool, maxiter: int) -> Found:
    slope = _dot(now.gradient, direction)
    first = jnp.ones_like(slope)
    if guess:  # as if the function fell as much as the last time
        first = jnp.minimum(ops.convert(2.02 * (now.value - now.earlier), slope.type.dtype) / slope, 1)
        first = jnp.where(jnp.isnan(first), 1, first)
    start = Point(jnp.zeros_like(slope), now.value, slope, now.gradient)
    return search(_line(fun, now.x, direction), start, first, maxiter)


def _start(fun: Function, x: Array, inverse: Any, small: Callable[[Array], Array]) -> _Progress:
    value, gradient = value_and_grad(fun)(x)
    zero, one = jnp.zeros((), int), jnp.ones((), int)
    earlier = value + ops.convert(jnp.sqrt(_dot(jnp.conj(gradient), gradient)) / 2, value.type.dtype)
    return _Progress(x, value, gradient, earlier, inverse, zero, one, small(gradient), zero)


def _smallness(norm: float, gtol: float) -> Callable[[Array], Array]:
    return lambda gradient: jnp.linalg.norm(gradient, ord=norm) < gtol


def bfgs(
    fun: Function, x0: Array, maxiter: int | None = None, norm: float = math.inf, gtol: float = 1e-5, line_search_maxiter: int = 10
) -> Minimum:
    """norm: which norm of the gradient must fall below gtol. status: 0 converged, 1 maxiter, 3 or 5 the line search failed."""
    limit = 200 * x0.size if maxiter is None else maxiter
    small = _smallness(norm, gtol)

    def unfinished(now: _Progress) -> Array:
        return ~now.converged & (now.status == 0) & (now.iterations < limit)

    def advance(now: _Progress) -> _Progress:
        direction = -(now.inverse @ now.gradient)
        found = _along(fun, now, direction, True, line_search_maxiter)
        point = found.point
        s, y = point.step * direction, point.gradient - now.gradient
        curvature, turned = _dot(y, s), now.inverse @ y
        curved = (curvature != 0) & jnp.isfinite(curvature)
        rho = 1 / jnp.where(curved, curvature, 1)
        outer = lambda a, b: a[:, None] * b[None, :]
        better = now.inverse - rho * (outer(s, turned) + outer(turned, s)) + (rho * rho * _dot(y, turned) + rho) * outer(s, s)
        return _Progress(
            now.x + s,
            point.value,
            point.gradient,
            now.value,
            jnp.where(curved, better, now.inverse),
            now.iterations + 1,
            now.evaluations + found.evaluations,
            small(point.gradient),
            jnp.where(found.failed, 2 + found.status, 0),
        )

    end = lax.while_loop(unfinished, advance, _start(fun, x0, jnp.eye(x0.size, dtype=x0.dtype), small))
    status = jnp.where(end.converged, 0, jnp.where(end.iterations == limit, 1, end.status))
    return Minimum(end.x, end.value, end.gradient, end.inverse, end.iterations, end.evaluations, end.converged, status)


class _History(NamedTuple):
    """The last steps s and changes y of the gradient, the newest last, 1 / (y . s) of each; the scale of the inverse Hessian."""

    s: Array
    y: Array
    rho: Array
    scale: Array

    def direction(self, gradient: Array) -> Array:
        """The gradient times the estimate of the inverse Hessian, downwards; rows of zeros change nothing."""

        def backwards(q: Array, row: Any) -> tuple[Array, Array]:
            s, y, rho = row
            share = rho * _dot(jnp.conj(s), q)
            return q - share * jnp.conj(y), share

        def forwards(q: Array, row: Any) -> tuple[Array, None]:
            s, y, rho, share = row
            return q + (share - rho * _dot(y, q)) * s, None

        q, shares = lax.scan(backwards, -jnp.conj(gradient), (self.s, self.y, self.rho), reverse=True)
        return lax.scan(forwards, self.scale * q, (self.s, self.y, self.rho, shares))[0]

    def with_step(self, s: Array, y: Array) -> _History:
        curvature = _dot(y, s)
        push = lambda rows, row: jnp.concatenate([rows[1:], row[None]])
        return _History(push(self.s, s), push(self.y, y), push(self.rho, 1 / curvature), curvature / _dot(jnp.conj(y), y))


def lbfgs(
    fun: Function, x0: Array, maxiter: float | None = None, norm: float = math.inf, maxcor: int = 10,
    ftol: float = 2.220446049250313e-9, gtol: float = 1e-5, maxfun: float | None = None, maxgrad: float | None = None,
    maxls: int = 20,
) -> Minimum:  # fmt: skip
    """maxcor: how many steps are remembered. status: 0 converged, 1 maxiter, 2 maxfun, 3 maxgrad, 4 the function fell by less than
    ftol, 5 the line search failed.
    """
    if maxiter is None and maxfun is None and maxgrad is None:
        maxiter = 200 * x0.size
    most, most_values, most_gradients = (math.inf if n is None else n for n in (maxiter, maxfun, maxgrad))
    small = _smallness(norm, gtol)

    def advance(now: _Progress) -> _Progress:
        direction = now.inverse.direction(now.gradient)
        found = _along(fun, now, direction, False, maxls)
        point = found.point
        s, y = ops.convert(point.step, direction.type.dtype) * direction, point.gradient - now.gradient
        converged = small(point.gradient)
        reasons = ((found.failed, 5), (now.iterations >= most, 1), (now.evaluations >= most_values, 2),
                   (now.evaluations >= most_gradients, 3), (now.value - point.value < ftol, 4))  # fmt: skip
        status = jnp.select([r for r, _ in reasons], [n for _, n in reasons], 0)
        return _Progress(
            now.x + s,
            point.value,
            point.gradient,
            now.value,
            now.inverse.with_step(s, y),
            now.iterations + 1,
            now.evaluations + found.evaluations,
            converged,
            jnp.where(converged, 0, status),
        )

    zeros = jnp.zeros((maxcor, x0.size), x0.dtype)
    real = jnp.real(zeros[:, 0]).dtype
    history = _History(zeros, zeros, jnp.zeros(maxcor, real), jnp.ones((), real))
    end = lax.while_loop(lambda now: ~now.converged & (now.status == 0), advance, _start(fun, x0, history, small))
    return Minimum(end.x, end.value, end.gradient, None, end.iterations, end.evaluations, end.converged, end.status)
