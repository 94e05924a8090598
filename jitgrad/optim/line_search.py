"""How far to go along a direction: a search for a step that meets the strong Wolfe conditions.

In: updates, the function and its value and gradient at the params. Out: the updates times a step size. Next:
quasi_newton.py.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jitgrad.numpy as jnp
from jitgrad import lax, tree
from jitgrad.array import Array
from jitgrad.differentiation import value_and_grad
from jitgrad.errors import ArgumentError, ParametersError
from jitgrad.ranges import NotNegative, Positive

from .leaves import choose, dot, needs_params, zeros_like
from .transformation import GradientTransformationExtraArgs, PyTree


class ZoomLinesearchInfo(NamedTuple):
    """num_linesearch_steps: evaluations of the function; decrease_error, curvature_error: by how much the conditions are missed."""

    num_linesearch_steps: Any
    decrease_error: Any
    curvature_error: Any


class ScaleByZoomLinesearchState(NamedTuple):
    """learning_rate: the last step size; value, grad: of the function there, which `value_and_grad_from_state` reads; info."""

    learning_rate: Any
    value: Any
    grad: PyTree
    info: ZoomLinesearchInfo


class _Point(NamedTuple):
    """A step size, and the function's value and slope there."""

    step: Any
    value: Any
    slope: Any


class _Search(NamedTuple):
    """The last trial, its gradient and errors; between which points a good one lies, once such are found; the last end that was
    dropped, for cubic interpolation; the best point yet that decreases the function enough.
    """

    count: Any
    trial: _Point
    grad: PyTree
    decrease_error: Any
    curvature_error: Any
    found: Any
    done: Any
    failed: Any
    low: _Point
    high: _Point
    dropped: _Point
    safe: _Point
    safe_grad: PyTree


def _cubic_minimum(a: _Point, b: _Point, c: _Point) -> Array:
    """Where the cubic with a's value and slope and the values of b and c is least; NaN where it is nowhere."""
    db, dc = b.step - a.step, c.step - a.step
    over_b, over_c = b.value - a.value - a.slope * db, c.value - a.value - a.slope * dc
    scale = (db * dc) ** 2 * (db - dc)
    cubic = (dc**2 * over_b - db**2 * over_c) / scale
    square = (db**3 * over_c - dc**3 * over_b) / scale
    return a.step + (-square + jnp.sqrt(square * square - 3.0 * cubic * a.slope)) / (3.0 * cubic)


def _quadratic_minimum(a: _Point, b: _Point) -> Array:
    """Where the parabola with a's value and slope and b's value is least."""
    db = b.step - a.step
    return a.step - a.slope / (2.0 * (b.value - a.value - a.slope * db) / db**2)


def _between(low: _Point, high: _Point, dropped: _Point) -> Array:
    """The next trial between two ends: of a cubic, else of a parabola, else in the middle; the first that is well inside."""
    size = jnp.abs(high.step - low.step)
    left, right = jnp.minimum(high.step, low.step), jnp.maximum(high.step, low.step)
    cubic, parabola = _cubic_minimum(low, high, dropped), _quadratic_minimum(low, high)
    cubic_fits = (cubic > left + 0.2 * size) & (cubic < right - 0.2 * size)
    parabola_fits = (parabola > left + 0.1 * size) & (parabola < right - 0.1 * size)
    return jnp.where(cubic_fits, cubic, jnp.where(parabola_fits, parabola, (low.step + high.step) / 2.0))


def scale_by_zoom_linesearch(
    max_linesearch_steps: int,
    max_learning_rate: NotNegative | None = None,
    tol: NotNegative = 0.0,
    increase_factor: Positive = 2.0,
    slope_rtol: NotNegative = 1e-4,
    curv_rtol: NotNegative = 0.9,
    approx_dec_rtol: NotNegative | None = 1e-6,
    stepsize_precision: NotNegative = 1e-5,
    initial_guess_strategy: str = "keep",
) -> GradientTransformationExtraArgs:
    """Updates times a step size that decreases the function enough and makes its slope small (Nocedal and Wright, Numerical
    optimization, 1999, algorithms 3.5 and 3.6; the approximate decrease of Hager and Zhang, 2006, near the minimum).

    `update(updates, state, params, value=..., grad=..., value_fn=...)` needs the function and its value and gradient at params;
    other keywords go to value_fn.

    max_linesearch_steps: evaluations at most. max_learning_rate: the largest step size. tol: how much the conditions may be missed.
    increase_factor: from trial to trial until an interval is found. slope_rtol, curv_rtol: of the conditions, c1 and c2.
    approx_dec_rtol: of the approximate decrease, None for without. stepsize_precision: the smallest interval.
    initial_guess_strategy: "keep", the last step size, or "one". Where the search fails it takes the best step that decreases the
    function, else the last trial.

    >>> import jitgrad.numpy as jnp
    >>> from jitgrad import optim
    >>> f, x = lambda x: jnp.sum(x**2), jnp.array([2.0])
    >>> opt = optim.chain(optim.sgd(1.0), scale_by_zoom_linesearch(15))
    >>> updates, state = opt.update(2 * x, opt.init(x), x, value=f(x), grad=2 * x, value_fn=f)
    >>> print(updates)
    [-2.]
    """
    if initial_guess_strategy not in ("keep", "one"):
        raise ArgumentError(
            f"optim.scale_by_zoom_linesearch: initial_guess_strategy is 'keep' or 'one', got {initial_guess_strategy!r}"
        )

    def decrease_error(trial: _Point, start: _Point) -> Array:
        error = trial.value - start.value - slope_rtol * trial.step * start.slope
        if approx_dec_rtol is not None:
            flat = trial.slope - (2 * slope_rtol - 1.0) * start.slope
            near = trial.value - start.value - approx_dec_rtol * jnp.abs(start.value)
            error = jnp.minimum(jnp.maximum(flat, near), error)
        return jnp.where(jnp.isnan(error), math.inf, jnp.maximum(error, 0.0))

    def curvature_error(trial: _Point, start: _Point) -> Array:
        error = jnp.abs(trial.slope) - curv_rtol * jnp.abs(start.slope)
        return jnp.where(jnp.isnan(error), math.inf, jnp.maximum(error, 0.0))

    def next_trial(s: _Search, guess: Array) -> tuple[Array, Array]:
        """Its step size, and whether that is the largest one."""
        outwards = jnp.where(s.count == 0, guess, increase_factor * s.trial.step)
        largest = jnp.asarray(False) if max_learning_rate is None else outwards >= max_learning_rate
        outwards = outwards if max_learning_rate is None else jnp.minimum(outwards, max_learning_rate)
        return jnp.where(s.found, _between(s.low, s.high, s.dropped), outwards), largest

    def judged(s: _Search, trial: _Point, grad: PyTree, start: _Point, largest: Array) -> _Search:
        """The search with a trial taken in: by the first rule until an interval is found, by the second from then on."""
        decrease, curvature = decrease_error(trial, start), curvature_error(trial, start)
        met = jnp.maximum(decrease, curvature) <= tol
        safe = (decrease <= tol) & (~s.found | (trial.value < s.safe.value))
        high = (decrease > 0.0) | jnp.where(s.found, trial.value >= s.low.value, (trial.value >= s.trial.value) & (s.count > 0))

        turns = (trial.slope >= 0.0) & ~high
        outward_low, outward_high = choose(turns, (trial, s.trial), (s.trial, trial))
        crosses = (trial.slope * (s.high.step - s.low.step) >= 0.0) & ~high
        inward_low, inward_high = choose(high, (s.low, trial), (trial, choose(crosses, s.low, s.high)))
        inward_dropped = choose(high | crosses, s.high, s.low)
        low, high_end, dropped = choose(
            s.found, (inward_low, inward_high, inward_dropped), (outward_low, outward_high, outward_low)
        )

        found = s.found | high | turns | met
        done = met | (~s.found & largest & ~found)
        best, best_grad = choose(safe, (trial, grad), (s.safe, s.safe_grad))
        small = s.found & (jnp.abs(s.high.step - s.low.step) <= stepsize_precision) & (best.step > 0.0)
        failed = ((s.count + 1 >= max_linesearch_steps) | small) & ~done
        return _Search(
            s.count + 1, trial, grad, decrease, curvature, found, done, failed, low, high_end, dropped, best, best_grad
        )  # fmt: skip

    def init(params: PyTree) -> ScaleByZoomLinesearchState:
        dtype = jnp.real(jnp.asarray(tree.leaves(params)[0])).dtype
        far = jnp.asarray(math.inf, dtype)
        info = ZoomLinesearchInfo(jnp.zeros((), "int32"), far, far)
        return ScaleByZoomLinesearchState(jnp.ones((), dtype), far, zeros_like(params), info)

    def update(
        updates: PyTree,
        state: ScaleByZoomLinesearchState,
        params: PyTree = None,
        *,
        value: Any = None,
        grad: PyTree = None,
        value_fn: Callable[..., Any] | None = None,
        **extra: Any,
    ) -> tuple[PyTree, ScaleByZoomLinesearchState]:
        needs_params("scale_by_zoom_linesearch", params)
        if value is None or grad is None or value_fn is None:
            raise ParametersError(
                "optim.scale_by_zoom_linesearch: update needs the function and its value and gradient at the params: "
                "opt.update(grad, state, params, value=value, grad=grad, value_fn=f)"
            )
        f = value_and_grad(_with_arguments(value_fn, extra))
        dtype = state.value.dtype
        value = jnp.asarray(value).astype(dtype)
        start = _Point(jnp.zeros((), dtype), value, dot(updates, grad).astype(dtype))
        guess = state.learning_rate if initial_guess_strategy == "keep" else jnp.ones((), dtype)
        far, no = jnp.asarray(math.inf, dtype), jnp.asarray(False)

        def body(s: _Search) -> _Search:
            step, largest = next_trial(s, guess)
            value, grad = f(tree.map(lambda p, u: p + (step * u).astype(jnp.asarray(p).dtype), params, updates))
            trial = _Point(step, jnp.asarray(value).astype(dtype), dot(grad, updates).astype(dtype))
            return judged(s, trial, grad, start, largest)

        grad = tree.map(jnp.asarray, grad)
        search = _Search(jnp.zeros((), "int32"), start, grad, far, far, no, no, no, start, start, start, start, grad)
        s = lax.while_loop(lambda s: ~(s.done | s.failed), body, search)
        fall_back = s.failed & ((s.safe.step > 0.0) | jnp.isinf(s.decrease_error))
        last, grad = choose(fall_back, (s.safe, s.safe_grad), (s.trial, s.grad))
        info = ZoomLinesearchInfo(s.count, s.decrease_error, s.curvature_error)
        scaled = tree.map(lambda u: (last.step * u).astype(jnp.asarray(u).dtype), updates)
        return scaled, ScaleByZoomLinesearchState(last.step, last.value, grad, info)

    return GradientTransformationExtraArgs(init, update)


def _with_arguments(value_fn: Callable[..., Any], extra: dict[str, Any]) -> Callable[[PyTree], Any]:
    """A function of params alone. Raises ParametersError for keywords that it does not take."""
    known = inspect.signature(value_fn).parameters
    if not any(p.kind is p.VAR_KEYWORD for p in known.values()) and (unknown := sorted(set(extra) - set(known))):
        raise ParametersError(f"optim.scale_by_zoom_linesearch: value_fn does not take the keywords {', '.join(unknown)}")
    return lambda params: value_fn(params, **extra)


def _stored(state: Any) -> Any:
    """The part of an optimizer's state that has a value and a gradient, or None."""
    if hasattr(state, "value") and hasattr(state, "grad"):
        return state
    parts = state.values() if isinstance(state, dict) else state if isinstance(state, tuple) else ()
    return next((found for part in parts if (found := _stored(part)) is not None), None)


def stored_value_and_grad(state: Any) -> tuple[Array, PyTree] | None:
    """Value and gradient where the last update led, if a line search was the last thing done to it; else None."""
    while type(state) is tuple and state:
        state = state[-1]
    return (state.value, state.grad) if isinstance(state, ScaleByZoomLinesearchState) else None


def value_and_grad_from_state(value_fn: Callable[..., Any]) -> Callable[..., tuple[Any, PyTree]]:
    """`value_and_grad(value_fn)` which also takes `state=`, an optimizer's, and reads there what a line search has just computed.

    Raises ArgumentError for a state that has no value and gradient.

    >>> import jitgrad.numpy as jnp
    >>> from jitgrad import optim
    >>> f, x, opt = lambda x: jnp.sum(x**2), jnp.array([3.0]), optim.lbfgs()
    >>> value, grad = value_and_grad_from_state(f)(x, state=opt.init(x))
    >>> print(value, grad)
    9.0 [6.]
    """
    compute = value_and_grad(value_fn)

    def from_state(params: PyTree, *args: Any, state: Any, **kwargs: Any) -> tuple[Any, PyTree]:
        found = _stored(state)
        if found is None:
            raise ArgumentError(
                "optim.value_and_grad_from_state: the state has no value and gradient; "
                "those of optimizers with a line search have: optim.lbfgs()"
            )
        return lax.cond(
            jnp.isfinite(found.value),
            lambda params: (found.value, found.grad),
            lambda params: compute(params, *args, **kwargs),
            params,
        )

    return from_state
