"""Ordinary differential equations: odeint, by jax.experimental.ode's name.

A step is the pair of Runge and Kutta's methods of Dormand and Prince, A family of embedded Runge-Kutta formulae (1980); its length
follows from the error that the pair estimates (Hairer, Norsett and Wanner, Solving Ordinary Differential Equations I, II.4). Values
between the ends of a step are a polynomial's (Shampine, Some practical Runge-Kutta formulas, 1986). The derivative is a solution of
the adjoint equation, backwards in time (Chen et al., Neural ordinary differential equations, 2018, appendix C).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial, reduce
from typing import Any, NamedTuple

import numpy as np

import jitgrad.numpy as jnp
from jitgrad import array_ops as ops
from jitgrad import lax, tree
from jitgrad.array import Array, as_value
from jitgrad.custom_derivatives import custom_vjp
from jitgrad.differentiation import vjp
from jitgrad.errors import ArgumentError, DTypeError, ShapeError
from jitgrad.linear_functions import closure_convert
from jitgrad.operands import inexact_arg, strong
from jitgrad.publishing import public as _public
from jitgrad.tracing import array_leaves, check_function, function_name
from jitgrad_compiler.ir.types import F32

Leaves = list[Array]

NODES = (1 / 5, 3 / 10, 4 / 5, 8 / 9, 1.0, 1.0)
STAGES = (
    (1 / 5,),
    (3 / 40, 9 / 40),
    (44 / 45, -56 / 15, 32 / 9),
    (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
    (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
    (35 / 384, 0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),
)
"""Rows of the pair's table; the last one is the result of order 5, too."""
ERROR = (
    35 / 384 - 1951 / 21600, 0, 500 / 1113 - 22642 / 50085, 125 / 192 - 451 / 720, -2187 / 6784 + 12231 / 42400,
    11 / 84 - 649 / 6300, -1 / 60,
)  # fmt: skip
"""The result of order 5 less that of order 4."""
MIDDLE = (
    6025192743 / 60171106304, 0, 51252292925 / 130801643196, -2691868925 / 90256659456, 187940372067 / 3189068634112,
    -1776094331 / 39487288512, 11237099 / 470086768,
)  # fmt: skip
"""The value in the middle of a step."""


class _Control(NamedTuple):
    rtol: float
    atol: float
    mxstep: float
    hmax: float


class _State(NamedTuple):
    """Where the solution is, and the last step that was taken: from (start, y_start) through y_middle, of so much `length`."""

    y: Leaves
    rate: Leaves
    t: Array
    dt: Array
    start: Array
    length: Array
    y_start: Leaves
    y_middle: Leaves
    rate_start: Leaves


def _weighted(weights: Sequence[float], terms: Sequence[Array]) -> Array:
    return reduce(lambda a, b: a + b, [k * w for w, k in zip(weights, terms, strict=True) if w])


def _along(y: Leaves, dt: Array, weights: Sequence[float], rates: Sequence[Leaves]) -> Leaves:
    """y + dt * (the weighted sum of rates), leaf by leaf."""
    return [v + _as(dt, v) * _weighted(weights, k) for v, k in zip(y, zip(*rates, strict=True), strict=True)]


def _as(number: Array, like: Array) -> Array:
    return ops.convert(number, like.type.dtype.real if like.type.dtype.is_complex else like.type.dtype)


def _length(leaves: Leaves, mean: bool = False) -> Array:
    """The norm of leaves together, or the root of their mean square."""
    squares = [jnp.sum(jnp.square(jnp.abs(v))) for v in leaves]
    total = reduce(lambda a, b: a + b, squares)
    return jnp.sqrt(total / max(sum(v.size for v in leaves), 1) if mean else total)


def _first_step(f: Callable[..., Leaves], y: Leaves, rate: Leaves, t: Array, control: _Control) -> Array:
    scaled = lambda leaves: _length([v / (control.atol + control.rtol * jnp.abs(u)) for v, u in zip(leaves, y, strict=True)])
    size, speed = scaled(y), scaled(rate)
    guess = jnp.where((size < 1e-5) | (speed < 1e-5), 1e-6, 0.01 * size / speed)
    later = f(_along(y, guess, (1.0,), [rate]), t + _as(guess, t))
    change = scaled([b - a for a, b in zip(rate, later, strict=True)]) / guess
    still = (speed <= 1e-15) & (change <= 1e-15)
    step = jnp.where(still, jnp.maximum(1e-6, guess * 1e-3), (0.01 / jnp.maximum(speed, change)) ** 0.2)
    return _as(jnp.clip(jnp.minimum(100 * guess, step), 0.0, control.hmax), t)


def _step(f: Callable[..., Leaves], state: _State, control: _Control) -> _State:
    """One step; where its error is too large all stays as it was, but for the length of the next try."""
    y, t, dt = state.y, state.t, state.dt
    rates = [state.rate]
    for node, weights in zip(NODES, STAGES, strict=True):
        after = _along(y, dt, weights, rates)
        rates.append(f(after, t + dt * node))
    errors = [_as(dt, v) * _weighted(ERROR, k) for v, k in zip(y, zip(*rates, strict=True), strict=True)]
    tolerances = [control.atol + control.rtol * jnp.maximum(jnp.abs(a), jnp.abs(b)) for a, b in zip(y, after, strict=True)]
    ratio = _length([e / tolerance for e, tolerance in zip(errors, tolerances, strict=True)], mean=True)
    slowest = jnp.where(ratio < 1, 1.0, 0.2)
    factor = jnp.where(ratio == 0, 10.0, jnp.clip(0.9 * ratio**-0.2, slowest, 10.0))
    next_dt = jnp.clip(dt * _as(factor, dt), 0.0, control.hmax)
    taken = _State(after, rates[-1], t + dt, next_dt, t, dt, y, _along(y, dt, MIDDLE, rates), state.rate)
    return tree.map(lambda a, b: jnp.where(ratio <= 1, a, b), taken, state._replace(dt=next_dt))


def _between(state: _State, target: Array) -> Leaves:
    """The solution at a time of the last step, by the polynomial of degree 4 of its ends and middle; NaN at another time."""
    moved = state.t > state.start
    x = jnp.where(moved, (target - state.start) / jnp.where(moved, state.t - state.start, 1), 0)
    within = (state.start <= target) & (target <= state.t)
    found = []
    for y0, y1, middle, d0, d1 in zip(state.y_start, state.y, state.y_middle, state.rate_start, state.rate, strict=True):
        dt, z = _as(state.length, y0), _as(x, y0)
        fourth = 2 * dt * (d1 - d0) - 8 * (y0 + y1) + 16 * middle
        third = dt * (5 * d0 - 3 * d1) + 18 * y0 + 14 * y1 - 32 * middle
        second = dt * (d1 - 4 * d0) - 11 * y0 - 5 * y1 + 16 * middle
        value = (((fourth * z + third) * z + second) * z + dt * d0) * z + y0
        found.append(jnp.where(within, value, math.nan))
    return found


@partial(custom_vjp, nondiff_argnums=(0, 1))
def _solution(rates: Callable[..., Leaves], control: _Control, y0: Leaves, times: Array, operands: Leaves) -> Leaves:
    """The leaves of y at every time; rates(*y, t, *operands) gives their derivatives."""

    def f(y: Leaves, t: Array) -> Leaves:
        return rates(*y, t, *operands)

    def advance(state: _State, target: Array) -> tuple[_State, Leaves]:
        def unfinished(carried: tuple[Array, _State]) -> Array:
            count, at = carried
            more = (at.t < target) & (at.dt > 0)
            return more if control.mxstep == math.inf else more & (count < control.mxstep)

        def step(carried: tuple[Array, _State]) -> tuple[Array, _State]:
            return carried[0] + 1, _step(f, carried[1], control)

        _, state = lax.while_loop(unfinished, step, (jnp.zeros((), int), state))
        return state, _between(state, target)

    t = times[0]
    rate = f(y0, t)
    dt = _first_step(f, y0, rate, t, control)
    start = _State(y0, rate, t, dt, t, jnp.zeros_like(t), y0, y0, rate)
    _, ys = lax.scan(advance, start, times[1:])
    return [jnp.concatenate([y[None], rest]) for y, rest in zip(y0, ys, strict=True)]


def _forward(rates: Callable[..., Leaves], control: _Control, y0: Leaves, times: Array, operands: Leaves) -> Any:
    ys = _solution(rates, control, y0, times, operands)
    return ys, (ys, times, operands)


def _backward(rates: Callable[..., Leaves], control: _Control, residuals: Any, cotangents: Leaves) -> Any:
    ys, times, operands = residuals
    count, moving = len(ys), [n for n, v in enumerate(operands) if v.type.dtype.is_inexact]

    def adjoint(state: Any, minus_t: Array, *given: Array) -> Any:
        """The rates, in negative time, of y and of the cotangents of y, of time and of the operands that are differentiated."""
        y, y_bar, _, _ = state

        def of_moving(y: Leaves, t: Array, some: Leaves) -> Leaves:
            every = dict(zip(moving, some, strict=True))
            return rates(*y, t, *[every.get(n, v) for n, v in enumerate(given)])

        rate, pull = vjp(of_moving, y, -minus_t, [given[n] for n in moving])
        return [-v for v in rate], *pull(y_bar)

    def back(carry: Any, row: Any) -> Any:
        y_bar, t_bar, operands_bar = carry
        (*behind, t), (*before, t_before) = row
        y, g, g_before = behind[:count], behind[count:], before[count:]
        pairs = zip(rates(*y, t, *operands), g, strict=True)
        moved = reduce(lambda a, b: a + b, [_as(jnp.real(jnp.sum(rate * bar)), t) for rate, bar in pairs])
        state = (y, y_bar, t_bar - moved, operands_bar)
        both = odeint(adjoint, state, jnp.stack([-t, -t_before]), *operands, **control._asdict())
        _, y_bar, t_bar, operands_bar = tree.map(lambda v: v[1], both)
        return ([a + b for a, b in zip(y_bar, g_before, strict=True)], t_bar, operands_bar), moved

    last = [g[-1] for g in cotangents]
    start = (last, jnp.zeros_like(times[0]), [ops.fill(operands[n].type.shape, 0, operands[n].type.dtype) for n in moving])
    behind, before = ([v[part] for v in (*ys, *cotangents, times)] for part in (slice(1, None), slice(-1)))
    (y_bar, first_bar, found), times_bar = lax.scan(back, start, (behind, before), reverse=True)
    every = dict(zip(moving, found, strict=True))
    return y_bar, jnp.concatenate([first_bar[None], times_bar]), [every.get(n) for n in range(len(operands))]


_solution.name = "odeint"
_solution.defvjp(_forward, _backward)


def _checked_rates(where: str, func: Callable[..., Any], y: Leaves, y_tree: Any, args_tree: Any) -> Callable[..., Leaves]:
    """func of leaves like those of y, whose result's leaves are like them, too; outside they are of the types of `_working`."""

    def rates(*leaves: Array) -> Leaves:
        t, args = leaves[len(y)], leaves[len(y) + 1 :]
        state = [ops.convert(v, like.type.dtype) for v, like in zip(leaves, y, strict=False)]
        out = func(tree.unflatten(y_tree, state), t, *tree.unflatten(args_tree, args))
        tree.check_same_structure(where, tree.unflatten(y_tree, y), out, "result of func")
        found = []
        for (path, given), like in zip(tree.leaves_with_path(out), y, strict=True):
            rate = as_value(given, where)
            if rate.shape != like.shape or rate.type.dtype.is_complex > like.type.dtype.is_complex:
                at = tree.path_text(path)
                raise ShapeError(f"{where}: func's result{at} must be like y0{at}, {like.type}, got {rate.type}")
            found.append(_working(ops.convert(rate, like.type.dtype)))
        return found

    rates.__name__ = function_name(func)
    return rates


def _working(v: Array) -> Array:
    """What is integrated: float32 in place of narrower types, which cannot hold tolerances."""
    return ops.convert(v, F32) if v.type.dtype.is_storage else v


def _checked_times(where: str, t: Any) -> Array:
    times = strong(as_value(t, where))
    if not times.type.dtype.is_float:
        raise DTypeError(f"{where}: t must be floats, got {times.dtype}; write 1.0 for 1, or convert with .astype(float)")
    if times.type.rank != 1 or not times.size:
        raise ShapeError(f"{where}: t must be an array [n] of times, the first of which is y0's, got shape {times.shape}")
    if times.owner is None:
        steps = np.diff(np.asarray(times.data()))
        if not (steps >= 0).all():
            at = int(np.argmin(steps >= 0))
            pair = times.data()[at : at + 2].tolist()
            raise ArgumentError(
                f"{where}: t must increase, but t[{at}] and t[{at + 1}] are {pair[0]} and {pair[1]}. To go back in time, "
                "integrate -func(y, -t) over -t."
            )
    return times


def odeint(
    func: Callable[..., Any], y0: Any, t: Any, *args: Any,
    rtol: float = 1.4e-8, atol: float = 1.4e-8, mxstep: float = math.inf, hmax: float = math.inf,
) -> Any:  # fmt: skip
    """The solution y of dy/dt = func(y, t, *args) with y(t[0]) = y0, at the times t.

    func: from a pytree like y0, a scalar and args to a pytree like y0. y0: a pytree of arrays of floats or complex numbers;
    integers become floats. t: [n] floats that increase. args: pytrees of arrays. Returns a pytree like y0, with an axis [n] in
    front of each leaf.

    rtol, atol: a step is taken where the estimated errors are, in root mean square over all elements, below atol + rtol * abs(y).
    mxstep: the largest number of steps from one time to the next. hmax: the longest step. Where a time is not reached, with mxstep
    steps or because the solution ceases to be finite, y is NaN there.

    Reverse mode gives gradients with respect to y0, t, args and what func closes over, by integrating the adjoint equation
    backwards with the same tolerances; they are as exact as the solution. Forward mode raises NonDifferentiableError. Under vmap
    each row takes its own steps.

    Raises DTypeError and ShapeError for times that are no array [n] of floats, ArgumentError where they decrease,
    TreeStructureError and ShapeError where func's result is not like y0. As jax.experimental.ode.odeint.

    >>> import jitgrad, jitgrad.numpy as jnp
    >>> def decay(y, t, rate):
    ...     return -rate * y
    >>> print(odeint(decay, 1.0, jnp.linspace(0.0, 2.0, 3), 0.5).round(4))
    [1.     0.6065 0.3679]
    >>> print(jitgrad.grad(lambda rate: odeint(decay, 1.0, jnp.array([0.0, 2.0]), rate)[-1])(0.5).round(4))
    -0.7358
    """
    where = f"odeint of {function_name(func)}"
    check_function("odeint", func)
    y, y_tree = array_leaves(where, y0, "y0")
    y = [inexact_arg(where, v) for v in y]
    if not y:
        raise ArgumentError(f"{where}: y0 has no arrays in it, got {y0!r}")
    given, args_tree = array_leaves(where, args, "args")
    times = _checked_times(where, t)
    limits = {"rtol": rtol, "atol": atol, "mxstep": mxstep, "hmax": hmax}
    for name, number in limits.items():
        if not isinstance(number, (int, float, np.number)) or not number >= 0:
            raise ArgumentError(f"{where}: {name} must be a number of 0 or more, not traced, got {number!r}")
    start = [_working(v) for v in y]
    rates, closed_over = closure_convert(_checked_rates(where, func, y, y_tree, args_tree), *start, times[0], *given)
    control = _Control(**{name: float(number) for name, number in limits.items()})
    found = _solution(rates, control, start, times, [*given, *closed_over])
    return tree.unflatten(y_tree, [ops.convert(v, like.type.dtype) for v, like in zip(found, y, strict=True)])


__all__ = ["odeint"]

_public(__name__, arguments=True)
