"""Every distribution of jitgrad.scipy.stats on random calls, by the checks of jitgrad.numpy's functions: all its methods are
SciPy's, eager, compiled and under vmap; derivatives by the value and by every parameter are those of finite differences; and
where a parameter has no distribution, the result is NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import scipy.stats

import jitgrad
import jitgrad.numpy as jnp
from jitgrad.scipy import stats
from jitgrad.testing import check_grads
from tests.numpy.drawn_calls import Call, Draw
from tests.numpy.function_table import Row
from tests.numpy.test_every_function import close, each_call, flat

ENDLESS = (-4.0, 4.0)
INVALID = {
    "": (), "scale": (0, -1), "above 0": (0, -1), "at least 0": (-1, -0.5), "chance": (-0.5, 1.5), "some chance": (0, -0.5, 1.5),
    "trials": (-1, 1.5), "between 0 and 1": (0, 1, 1.5),
}  # fmt: skip
Bounds = tuple[float, float]


@dataclass(frozen=True)
class Family:
    """Parameters, in the order of the arguments: between which bounds they are drawn, and a word of INVALID for what they may not
    be. `values` lie around the support, `inside` those at which there are derivatives."""

    name: str
    values: Bounds
    inside: Bounds
    parameters: Sequence[tuple[Bounds, str]] = ()
    types: str = "f"  # "w" where narrow floats round the ends of the support

    @property
    def discrete(self) -> bool:
        return hasattr(getattr(stats, self.name), "logpmf")

    def methods(self, chances: bool) -> list[str]:
        there = vars(getattr(stats, self.name))
        return [m for m in there if not m.startswith("_") and m != "entropy" and (m in ("ppf", "isf")) == chances]


LOC, SCALE = ((-0.5, 0.5), ""), ((0.5, 2.0), "scale")
SHAPE = ((0.6, 4.0), "above 0")
SHIFT = ((0.0, 2.0), "")
FAMILIES = [
    *[Family(n, ENDLESS, ENDLESS, (LOC, SCALE)) for n in "norm laplace logistic cauchy gumbel_l gumbel_r".split()],
    Family("uniform", (-2, 3), (0.3, 0.9), (((-0.2, 0.2), ""), ((1.2, 2.0), "scale")), "w"),
    Family("expon", (-1, 5), (0.6, 5), (LOC, SCALE), "w"),
    Family("gamma", (-1, 5), (0.6, 5), (SHAPE, LOC, SCALE), "w"),
    Family("chi2", (-1, 5), (0.6, 5), (SHAPE, LOC, SCALE), "w"),
    Family("beta", (-1, 2), (0.3, 0.8), (SHAPE, SHAPE, ((-0.2, 0.2), ""), ((1.1, 2), "scale")), "w"),
    Family("t", ENDLESS, ENDLESS, (SHAPE, LOC, SCALE)),
    Family("pareto", (-1, 8), (3.0, 8), (SHAPE, LOC, SCALE), "w"),
    Family("truncnorm", (-3, 4), (-0.4, 0.6), (((-2.5, -1.5), ""), ((1.5, 3), ""), ((-0.2, 0.2), ""), ((0.8, 2), "scale")), "w"),
    Family("gennorm", ENDLESS, (0.2, 4), (SHAPE,)),
    Family("wrapcauchy", (-1, 7), (0.2, 6), (((0.1, 0.8), "between 0 and 1"),)),
    Family("vonmises", (-3, 3), (-3, 3), (((0.2, 4), "at least 0"),)),
    Family("bernoulli", (-1, 3), (0, 0.9), (((0.1, 0.9), "chance"), SHIFT)),
    Family("binom", (-1, 8), (0, 3.9), (((4, 9), "trials"), ((0.1, 0.9), "chance"), SHIFT)),
    Family("nbinom", (-1, 8), (0, 8), (SHAPE, ((0.1, 0.9), "some chance"), SHIFT)),
    Family("geom", (-1, 8), (1, 8), (((0.1, 0.9), "some chance"), SHIFT)),
    Family("poisson", (-1, 8), (0, 8), (((0.3, 6), "at least 0"), SHIFT)),
    Family("betabinom", (-1, 8), (0, 3.9), (((4, 9), "trials"), SHAPE, SHAPE, SHIFT)),
]  # fmt: skip
ELSEWHERE = {"of vectors and of samples: test_every_statistic.py":
             "dirichlet gaussian_kde mode multinomial multivariate_normal rankdata sem"}  # fmt: skip
each_family = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)


def drawn(family: Family, chances: bool) -> Callable[[Draw], Call]:
    methods = family.methods(chances)

    def draw(d: Draw) -> Call:
        dtype = d.dtype()
        first, *shapes = d.broadcast(1 + len(family.parameters))
        x = d.array(first, 0, 1, dtype) if chances else d.array(first, *family.values, dtype)
        parameters = [
            (np.round(p) if parameter is SHIFT or parameter[1] == "trials" else p).astype(dtype)
            for parameter, s in zip(family.parameters, shapes, strict=True)
            for p in [d.random.uniform(*parameter[0], s)]
        ]
        if chances and family.discrete:  # at 0 SciPy names the number before the first
            x = np.where(x == 0, 0.5, x).astype(dtype)
        elif family.discrete and d.flag():
            x = np.floor(x)
        return Call([np.asarray(v) for v in (x, *parameters)], how=lambda module, *xs: [getattr(module, m)(*xs) for m in methods])

    return draw


@each_family
@pytest.mark.parametrize("chances", [False, True], ids=["at values", "at chances"])
def test_values_are_scipys_eager_and_compiled_under_vmap(family: Family, chances: bool) -> None:
    if not family.methods(chances):
        pytest.skip("it has none")
    ours, scipys = getattr(stats, family.name), getattr(scipy.stats, family.name)
    row = Row(family.name, drawn(family, chances), family.types, edges="f", zeros=False)

    def check(call: Call) -> None:
        batch = [np.stack([x, x[::-1] if x.ndim else x]) for x in call.operands]
        got = [flat(call(ours, *[jnp.array(x[i]) for x in batch])) for i in (0, 1)]
        want = flat(call(scipys, *[x.astype(np.float64) for x in call.operands]))
        close(row, got[0], want, f"{family.methods(chances)}, {call}", types=False)
        assert {g.dtype for g in got[0]} == {call.operands[0].dtype}
        found = flat(jitgrad.jit(jitgrad.vmap(lambda *xs: call(ours, *xs)))(*batch))
        close(row, found, [np.stack(pair) for pair in zip(*got, strict=True)], f"compiled and vmapped, {call}")

    each_call(family.name, row, check)


@each_family
def test_derivatives_are_those_of_finite_differences(family: Family) -> None:
    ours = getattr(stats, family.name)
    log = ours.logpmf if family.discrete else ours.logpdf

    def draw(d: Draw) -> Call:
        first, *shapes = d.broadcast(1 + len(family.parameters))
        bounds = [family.inside, *[(0, 0) if p is SHIFT else p[0] for p in family.parameters]]
        operands = [d.random.uniform(*b, s) for b, s in zip(bounds, [first, *shapes], strict=True)]
        whole = [family.discrete, *[p is SHIFT or p[1] == "trials" for p in family.parameters]]
        return Call([np.asarray(np.floor(x) if w else x) for x, w in zip(operands, whole, strict=True)], rest=[whole])

    def check(call: Call) -> None:
        (fixed,) = call.rest

        def at(f: Callable[..., Any]) -> Callable[..., Any]:
            def function(*free: Any) -> Any:
                rest = iter(free)
                return f(*[x if held else next(rest) for x, held in zip(call.operands, fixed, strict=True)])

            return function

        free = [x for x, held in zip(call.operands, fixed, strict=True) if not held]
        check_grads(at(log), free, order=2, atol=1e-3, rtol=1e-3)
        for method in family.methods(False):
            check_grads(at(getattr(ours, method)), free, order=1, atol=1e-5, rtol=1e-5)

    each_call(family.name, Row(family.name, draw, "w"), check, "float64")


@each_family
def test_where_a_parameter_has_no_distribution_there_is_nan(family: Family) -> None:
    ours = getattr(stats, family.name)
    middles = [float(np.round(np.mean(bounds))) if m == "trials" else np.mean(bounds) for bounds, m in family.parameters]
    rows = [
        [*middles[:place], wrong, *middles[place + 1 :]]
        for place, (_, meaning) in enumerate(family.parameters)
        for wrong in (np.nan, *INVALID[meaning])
    ]

    def all_methods(x: Any, q: Any, *parameters: Any) -> list[Any]:
        return [getattr(ours, m)(q if chances else x, *parameters) for chances in (False, True) for m in family.methods(chances)]

    for f in (all_methods, jitgrad.jit(all_methods)):
        assert np.isnan(np.array(f(np.array(1.0), np.array(0.5), *np.array(rows).T))).all()


def test_every_distribution_has_a_row_or_a_reason() -> None:
    rows = {family.name for family in FAMILIES}
    reasons = {name for names in ELSEWHERE.values() for name in names.split()}
    assert rows | reasons == set(stats.__all__) and not rows & reasons, sorted((rows | reasons) ^ set(stats.__all__))
