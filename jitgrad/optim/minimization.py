"""`minimize`: an optimizer run on a function of params until its gradient is small, in one native loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jitgrad.numpy as jnp
from jitgrad import lax, tree
from jitgrad.array import Array
from jitgrad.differentiation import value_and_grad
from jitgrad.errors import ArgumentError, NotAFunctionError
from jitgrad.ranges import NotNegative
from jitgrad.tracebacks import boundary

from .line_search import stored_value_and_grad
from .quasi_newton import lbfgs
from .transformation import GradientTransformation, PyTree, apply_updates, with_extra_args_support


class MinimizeResult(NamedTuple):
    """params: where the search ended; value: the function there; gradient_norm: the largest element of its gradient there, in
    magnitude; steps: how many were done; converged: whether gradient_norm is at most tol; state: the optimizer's.
    """

    params: PyTree
    value: Array
    gradient_norm: Array
    steps: Array
    converged: Array
    state: Any


def _largest(x: PyTree) -> Array:
    sizes = [jnp.max(jnp.abs(leaf), initial=0.0) for leaf in tree.leaves(x)]
    return jnp.max(jnp.stack([jnp.asarray(s) for s in sizes])) if sizes else jnp.zeros(())


@boundary
def minimize(
    fun: Callable[..., Any],
    params: PyTree,
    optimizer: GradientTransformation | None = None,
    *,
    args: tuple[Any, ...] = (),
    tol: NotNegative = 1e-6,
    max_steps: Any = 1000,
) -> MinimizeResult:
    """Run an optimizer on fun(params, *args), a scalar, until no element of the gradient is larger than tol.

    params: a pytree of floats to begin at. optimizer: `optim.lbfgs()` by default; any will do. max_steps: the most steps; the
    search ends, too, where value or gradient are not finite. tol and max_steps may be traced. All of it can stand in jit and vmap;
    outside of them it runs as one native loop. In float32 gradients of large functions do not become smaller than rounding: raise
    tol.

    Raises ArgumentError for a negative tol or max_steps, and what `grad` raises for a function that has none.

    >>> import jitgrad.numpy as jnp
    >>> found = minimize(lambda p: (p["x"] - 3.0) ** 2 + jnp.sum(p["y"] ** 4), {"x": 0.0, "y": jnp.ones(2)}, tol=1e-3)
    >>> print(jnp.round(found.params["x"], 2), found.converged)
    3.0 True
    """
    if not callable(fun):
        raise NotAFunctionError(f"optim.minimize: fun must be a function of the params, got {type(fun).__name__}")
    for name, given in (("tol", tol), ("max_steps", max_steps)):
        if isinstance(given, (int, float)) and not given >= 0:
            raise ArgumentError(f"optim.minimize: {name} must be 0 or more, got {given}")
    opt = with_extra_args_support(lbfgs() if optimizer is None else optimizer)

    def f(params: PyTree) -> Any:
        return fun(params, *args)

    value_and_gradient = value_and_grad(f)

    def goes_on(carry: tuple[Any, ...]) -> Array:
        steps, _, _, value, grad = carry
        size = _largest(grad)
        return (steps < max_steps) & (size > tol) & jnp.isfinite(size) & jnp.isfinite(value)

    def step(carry: tuple[Any, ...]) -> tuple[Any, ...]:
        steps, params, state, value, grad = carry
        updates, state = opt.update(grad, state, params, value=value, grad=grad, value_fn=f)
        params = apply_updates(params, updates)
        known = stored_value_and_grad(state)
        value, grad = value_and_gradient(params) if known is None else known
        return steps + 1, params, state, value, grad

    params = tree.map(jnp.asarray, params)
    value, grad = value_and_gradient(params)
    start = (jnp.zeros((), "int32"), params, opt.init(params), jnp.asarray(value), tree.map(jnp.asarray, grad))
    steps, params, state, value, grad = lax.while_loop(goes_on, step, start)
    size = _largest(grad)
    return MinimizeResult(params, value, size, steps, size <= tol, state)
