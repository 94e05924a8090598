"""The functions of samples, of vectors and of functions on random calls, by the checks of jitgrad.numpy's functions: ranks, modes,
density estimates, distributions of vectors, interpolation, iterative solvers, minimize and odeint. SciPy's values, or linear
algebra's where the problem is a linear one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.interpolate
import scipy.linalg
import scipy.stats

import jitgrad.numpy as jnp
from jitgrad.experimental.ode import odeint
from jitgrad.scipy import interpolate, optimize, stats
from jitgrad.scipy.sparse import linalg as sparse
from jitgrad.testing import check_grads
from tests.every_call import cases, derivatives_agree, eager_compiled_and_batched_agree
from tests.linear_algebra.drawn_matrices import adjoint, well
from tests.numpy.drawn_calls import Call, Draw, along
from tests.numpy.function_table import Row
from tests.numpy.test_every_function import each_call


def row(
    name: str, draw: Callable[[Draw], Call], ours: Any, reference: Any, types: str = "w", smooth: bool = True, **more: Any
) -> Row:
    """A call of one function; what is done with a function or an object of its is said in both worlds."""
    settings = dict(ours=ours, reference=reference, edges="", zeros=False, floats=True, loose=10.0) | more
    return Row(name, draw, types, smooth, holomorphic=smooth and "c" in types, **settings)


# -- samples


def ranked(d: Draw) -> Call:
    shape = d.shape()
    axis = d.axis(shape) if shape else None
    return Call([d.array(shape)], keywords={"axis": axis, "method": d.one_of("average", "min", "max", "dense", "ordinal")})


def counted(d: Draw) -> Call:
    shape = d.shape(least=1, size=1)
    return Call([d.array(shape)], keywords={"axis": d.axis(shape), "keepdims": d.flag()})


def estimated(d: Draw) -> Call:
    axes, n, places = d.number(1, 2), d.number(5, 8), d.number(1, 3)
    dtype = d.dtype()
    width = d.one_of("scott", "silverman", 0.7)
    operands = [d.random.normal(size=(axes, n)), d.random.normal(size=(axes, places)), d.random.uniform(0.5, 2, n)]
    return Call([x.astype(dtype) for x in operands], [width])


def kde_of(module: Any) -> Callable[..., Any]:
    def run(data: Any, places: Any, weights: Any, width: Any) -> Any:
        kde = module.gaussian_kde(data, bw_method=width, weights=weights)
        return kde.evaluate(places), kde.logpdf(places), kde.integrate_kde(kde)

    return run


# -- distributions of vectors


def normal_vectors(d: Draw) -> Call:
    n, lead, dtype = d.number(1, 4), d.one_of((), (3,), (0,), (2, 3)), d.dtype()
    root = d.random.normal(size=(n, n))
    return Call(
        [x.astype(dtype) for x in (d.random.normal(size=(*lead, n)), d.random.normal(size=n), root @ root.T + n * np.eye(n))]
    )


def shares(d: Draw) -> Call:
    n, lead, dtype = d.number(2, 4), d.one_of((), (3,)), d.dtype()
    x = d.random.dirichlet(np.ones(n), lead)
    return Call([np.moveaxis(0.9 * x + 0.1 / n, -1, 0).astype(dtype), d.random.uniform(0.6, 3, n).astype(dtype)])


def whole(x: Any) -> Any:
    """Shares that SciPy takes for ones: their sum is 1 to the last digit."""
    return x.astype(np.float64) / x.astype(np.float64).sum(0)


def counts(d: Draw) -> Call:
    n, lead, dtype = d.number(2, 4), d.one_of((), (3,)), d.dtype()
    p = d.random.uniform(0.5, 2, n)
    drawn = d.random.multinomial(9, p / p.sum(), lead)
    return Call([p.astype(dtype)], how=lambda f, p: f(drawn, 9, p / p.sum(-1, keepdims=True)))


# -- functions, and tables of their values


def table(d: Draw) -> Call:
    """Places inside, and outside where no derivative is asked for."""
    rank = d.number(1, 3)
    grid = [np.cumsum(d.random.uniform(0.3, 1, d.number(2, 4))) for _ in range(rank)]
    trailing, lead = d.one_of((), (2,)), d.one_of((), (3,), (2, 2), (0,))
    out = 0 if d.apart else 0.3
    inside = [g[0] + (g[-1] - g[0]) * d.random.uniform(0.02 - out, 0.98 + out, lead) for g in grid]
    values = d.random.normal(size=(*[len(g) for g in grid], *trailing))
    method = "linear" if d.apart else d.one_of("linear", "nearest")
    fill = d.one_of(np.nan, 2.0, None)
    return Call([values, np.stack(inside, -1)], [grid, method, fill])


def interpolated(module: Any) -> Callable[..., Any]:
    def run(values: Any, places: Any, grid: Any, method: str, fill: Any) -> Any:
        return module.RegularGridInterpolator(grid, values, method, bounds_error=False, fill_value=fill)(places)

    return run


def system(definite: bool) -> Callable[[Draw], Call]:
    def draw(d: Draw) -> Call:
        n, dtype = d.number(1, 4), d.dtype()
        a = well(d, (n, n), dtype)
        return Call([(a @ adjoint(a) if definite else a), d.array((n,), -2, 2, dtype)])

    return draw


def solved(f: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    return lambda a, b: f(lambda x: jnp.matmul(a, x), b, tol=1e-11, maxiter=60, **options)[0]


def least(a: Any, b: Any) -> Any:
    """Where x a x / 2 - b x is least."""
    found = optimize.minimize(lambda x: 0.5 * (x @ a @ x) - b @ x, jnp.zeros_like(b), method="BFGS", tol=1e-9)
    return found.x, found.fun


def least_by_hand(a: Any, b: Any) -> Any:
    x = np.linalg.solve(a, b)
    return x, -b @ x / 2


def motion(d: Draw) -> Call:
    n = d.number(1, 3)
    times = np.cumsum(np.concatenate([[0.0], d.random.uniform(0.1, 0.5, d.number(1, 3))]))
    return Call([d.random.normal(size=(n, n)), d.random.normal(size=n), times])


def moved(a: Any, start: Any, times: Any) -> Any:
    return odeint(lambda y, t, a: jnp.matmul(a, y), start, times, a, rtol=1e-10, atol=1e-10)


def moved_by_hand(a: Any, start: Any, times: Any) -> Any:
    return np.stack([scipy.linalg.expm(a * (t - times[0])) @ start for t in times])


of_normal_vectors, of_shares, of_counts = (
    lambda module: lambda x, mean, cov: [getattr(module.multivariate_normal, m)(x, mean, cov) for m in ("pdf", "logpdf")],
    lambda module: lambda x, alpha: [getattr(module.dirichlet, m)(x, alpha) for m in ("pdf", "logpdf")],
    lambda module: lambda *given: [getattr(module.multinomial, m)(*given) for m in ("pmf", "logpmf")],
)
BOTH = (stats, scipy.stats)
ROWS = [
    row("rankdata", ranked, stats.rankdata, scipy.stats.rankdata, types="iuw", smooth=False),
    row("mode", counted, lambda *x, **k: list(stats.mode(*x, **k)), lambda *x, **k: list(scipy.stats.mode(*x, **k)), types="iuw",
        smooth=False),
    row("sem", along(2, least=1, ddof=lambda d: d.number(0, 1)), stats.sem, scipy.stats.sem, types="iw"),
    row("gaussian_kde", estimated, *map(kde_of, BOTH), loose=50.0, order=1),
    row("multivariate_normal", normal_vectors, *map(of_normal_vectors, BOTH), loose=50.0, order=1),
    row("dirichlet", shares, of_shares(stats), lambda x, alpha: of_shares(scipy.stats)(whole(x), alpha), smooth=False, loose=50.0),
    row("multinomial", counts, *map(of_counts, BOTH)),
    row("RegularGridInterpolator", table, interpolated(interpolate), interpolated(scipy.interpolate)),
    row("cg", system(True), solved(sparse.cg), np.linalg.solve, loose=1e3, order=1),
    row("bicgstab", system(False), solved(sparse.bicgstab), np.linalg.solve, loose=1e3, order=1),
    *[row(f"gmres {method}", system(False), solved(sparse.gmres, solve_method=method), np.linalg.solve, loose=1e3, order=1)
      for method in ("batched", "incremental")],
    row("minimize", system(True), least, least_by_hand, loose=1e4, smooth=False),
    row("odeint", motion, moved, moved_by_hand, loose=1e2, smooth=False),
]  # fmt: skip


@cases(ROWS)
def test_scipy_eager_compiled_and_batched_agree(row: Row) -> None:
    eager_compiled_and_batched_agree(row)


@cases([row for row in ROWS if row.smooth])
def test_derivatives_are_those_of_finite_differences(row: Row) -> None:
    derivatives_agree(row, "float64")


def test_odeint_has_the_reverse_derivatives_of_finite_differences() -> None:
    def check(call: Call) -> None:
        check_grads(moved, call.operands, order=1, modes=("rev",), atol=2e-4, rtol=2e-4)

    each_call("odeint", Row("odeint", motion), check, "float64")
