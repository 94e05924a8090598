"""minimize: checks what it was given, and calls a method of `quasi_newton.py`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from jitgrad.array import Array
from jitgrad.errors import ArgumentError, DTypeError, ShapeError
from jitgrad.operands import inexact_arg
from jitgrad.tracing import check_function, function_name

from .quasi_newton import Minimum, bfgs, lbfgs

METHODS: dict[str, Callable[..., Minimum]] = {"bfgs": bfgs, "l-bfgs-experimental-do-not-rely-on-this": lbfgs}


class OptimizeResults(NamedTuple):
    """What `minimize` found, with jax's and SciPy's names.

    x [n] with the function `fun` and its gradient `jac` there; success: the gradient is small; status: 0 for that, 1 after as many
    iterations as were allowed, other numbers where the method had to stop; hess_inv: the estimate [n, n] of the inverse Hessian, or
    None; nfev, njev: how often function and gradient were computed; nit: iterations.
    """

    x: Array
    success: Array
    status: Array
    fun: Array
    jac: Array
    hess_inv: Array | None
    nfev: Array
    njev: Array
    nit: Array


def minimize(
    fun: Callable[..., Any], x0: Any, args: tuple[Any, ...] = (), *, method: str, tol: float | None = None,
    options: Mapping[str, Any] | None = None,
) -> OptimizeResults:  # fmt: skip
    """A local minimum of fun(x, *args), a scalar, over x [n], from x0 on.

    fun: from an array [n] of floats to a scalar; its gradients are taken here. method: "BFGS", or jax's
    "l-bfgs-experimental-do-not-rely-on-this", which remembers a few steps in place of a matrix [n, n], and takes complex x, too.
    tol: the gradient's norm that is small enough, options' gtol. options of BFGS: maxiter (200 n), norm (of the gradient, inf),
    gtol (1e-5), line_search_maxiter (10); of L-BFGS: maxiter, norm, maxcor (steps remembered, 10), ftol (2.2e-9), gtol, maxfun,
    maxgrad, maxls (20).

    Raises ArgumentError for other methods, options and args that are no tuple, ShapeError for x0 that has not one axis, DTypeError
    for complex x0 with BFGS. As jax.scipy.optimize.minimize.

    >>> import jitgrad.numpy as jnp
    >>> found = minimize(lambda x, a: jnp.sum((x - a) ** 4 + x ** 2), jnp.zeros(2), (jnp.array([0.0, 2.0]),), method="BFGS")
    >>> print(found.x.round(3), found.success)
    [0.    1.165] True
    """
    where = f"scipy.optimize.minimize of {function_name(fun)}"
    check_function("scipy.optimize.minimize", fun)
    if not isinstance(args, tuple):
        raise ArgumentError(f"{where}: args must be a tuple, got {type(args).__name__}; for one argument write (a,)")
    if not isinstance(method, str) or method.lower() not in METHODS:
        raise ArgumentError(f"{where}: method must be 'BFGS' or {list(METHODS)[1]!r}, got {method!r}")
    solver = METHODS[method.lower()]
    x = inexact_arg(where, x0)
    if x.type.rank != 1:
        raise ShapeError(f"{where}: x0 must have one axis, got shape {x.shape}; flatten_util.ravel_pytree makes a vector of a tree")
    if not x.size:
        raise ShapeError(f"{where}: x0 has no elements, there is nothing to vary")
    if solver is bfgs and x.type.dtype.is_complex:
        raise DTypeError(f"{where}: BFGS takes real x0, got {x.dtype}. Minimize over real and imaginary parts.")
    known = list(inspect.signature(solver).parameters)[2:]
    chosen = dict(options or {})
    if not set(chosen) <= set(known):
        wrong = ", ".join(sorted(set(chosen) - set(known)))
        raise ArgumentError(f"{where}: {method} has no option {wrong}; its options are {', '.join(known)}")
    if tol is not None:
        chosen.setdefault("gtol", tol)
    found = solver(lambda v: fun(v, *args), x, **chosen)
    return OptimizeResults(
        found.x, found.converged, found.status, found.value, found.gradient, found.inverse, found.evaluations, found.evaluations,
        found.iterations,
    )  # fmt: skip
