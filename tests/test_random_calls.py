"""Every sampler on random calls: shapes (of no axes and of no elements, too), types, parameters that broadcast. Eager, compiled and
mapped over keys draw the same numbers; a parameter that broadcasts draws what the whole array of it draws; numbers lie in the
support; and of parameters that are none, floats are NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import random
from tests.numpy.drawn_calls import Call, Draw
from tests.numpy.function_table import Row
from tests.numpy.test_every_function import each_call

KEY = random.key(20)
KEYS = random.split(KEY, 2)
LINE = (-np.inf, np.inf)
ABOVE = (0.0, np.inf)
FLOATS = ("float16", "bfloat16", "float32", "float64")
COUNTS = ("int8", "int32", "int64", "uint16", "uint64")
Bounds = tuple[float, float]


@dataclass(frozen=True)
class Sampler:
    """Parameters, as the bounds between which they are drawn, and in `nan` the numbers that they may not be; what is drawn lies in
    `support`. `shape_first`: the shape comes before the parameters."""

    name: str
    support: Bounds
    parameters: Sequence[Bounds] = ()
    types: Sequence[str] = FLOATS
    nan: Sequence[Sequence[float]] = ()
    shape_first: bool = False
    typed: bool = True

    def __call__(self, key: Any, parameters: Sequence[Any], shape: Any, dtype: Any) -> Any:
        arguments = [shape, dtype, *parameters] if self.shape_first else [*parameters, shape, *([dtype] if self.typed else [])]
        return getattr(random, self.name)(key, *arguments)


SHAPE = (0.6, 5.0)
NOT_POSITIVE = (np.nan, -1.0)
SAMPLERS = [
    *[Sampler(n, LINE) for n in "normal gumbel logistic laplace cauchy".split()],
    *[Sampler(n, ABOVE) for n in "exponential maxwell".split()],
    Sampler("uniform", (-2, 3), [(-2, 0), (1, 3)], nan=[(np.nan,), (np.nan,)], shape_first=True),
    Sampler("truncated_normal", (-2, 3), [(-2, 0), (1, 3)], nan=[(np.nan,), (np.nan,)]),
    Sampler("gamma", ABOVE, [SHAPE], nan=[NOT_POSITIVE]),
    Sampler("loggamma", LINE, [SHAPE], nan=[NOT_POSITIVE]),
    Sampler("beta", (0, 1), [SHAPE, SHAPE], nan=[NOT_POSITIVE, NOT_POSITIVE]),
    Sampler("chisquare", ABOVE, [SHAPE], nan=[NOT_POSITIVE]),
    Sampler("t", LINE, [SHAPE], nan=[NOT_POSITIVE]),
    Sampler("f", ABOVE, [SHAPE, SHAPE], nan=[NOT_POSITIVE, NOT_POSITIVE]),
    Sampler("generalized_normal", LINE, [(0.8, 3)], nan=[NOT_POSITIVE]),
    Sampler("pareto", (0.99, np.inf), [SHAPE], nan=[(np.nan,)]),
    Sampler("lognormal", ABOVE, [(0.1, 2)], nan=[(np.nan,)]),
    Sampler("rayleigh", ABOVE, [(0.5, 2)], nan=[(np.nan,)]),
    Sampler("wald", ABOVE, [(0.5, 2)], nan=[(np.nan,)]),
    Sampler("weibull_min", ABOVE, [(0.5, 2), (0.5, 3)], nan=[(np.nan,), (np.nan,)]),
    Sampler("triangular", (-2, 3), [(-2, -1), (-0.5, 0.5), (1, 3)], nan=[(np.nan,)] * 3),
    Sampler("binomial", (0, 60), [(1, 60), (0.1, 0.9)], nan=[NOT_POSITIVE, (np.nan, -0.5, 1.5)]),
    Sampler("bernoulli", (0, 1), [(0, 1)], ("bool",), typed=False),
    Sampler("poisson", (0, 120), [(0.1, 30)], COUNTS),
    Sampler("geometric", (1, 127), [(0.3, 1)], COUNTS),
    Sampler("rademacher", (-1, 1), types=(*FLOATS, "int8", "int64")),
    Sampler("bits", ABOVE, types=("uint8", "uint16", "uint32", "uint64")),
]
ELSEWHERE = {
    "of whole arrays: below": "randint permutation choice categorical dirichlet multinomial multivariate_normal orthogonal ball "
    "double_sided_maxwell",
    "keys: test_random_keys.py, test_random.py": "KeyArray PRNGKey clone fold_in key key_data key_dtype key_impl seed split "
    "wrap_key_data",
}
each_sampler = pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda sampler: sampler.name)


def same(got: Any, want: Any, context: Any) -> None:
    assert got.dtype == want.dtype and got.shape == want.shape, context
    if got.dtype.kind in "biu":
        np.testing.assert_array_equal(got, want, err_msg=str(context))
    else:
        near = 4 * float(jnp.finfo(got.dtype).eps)
        np.testing.assert_allclose(np.asarray(got, float), np.asarray(want, float), near, near, err_msg=str(context))


@each_sampler
def test_eager_compiled_mapped_and_broadcast_draws_are_the_same(sampler: Sampler) -> None:
    def draw(d: Draw) -> Call:
        whole, dtype = d.shape(), d.one_of(*sampler.types)
        shapes = [tuple(d.one_of(n, n, 1) for n in whole)[d.one_of(0, 0, min(1, len(whole))) :] for _ in sampler.parameters]
        kind = dtype if dtype in FLOATS else "float32"
        return Call([np.asarray(d.random.uniform(*b, s)).astype(kind) for b, s in zip(sampler.parameters, shapes, strict=True)],
                    [whole, dtype])  # fmt: skip

    def check(call: Call) -> None:
        whole, dtype = call.rest
        got = sampler(KEY, call.operands, whole, dtype)
        assert got.shape == whole and got.dtype == dtype, (call, got.shape, got.dtype)
        wide = np.asarray(got, np.float64)
        slack = 0.05 if got.dtype.itemsize < 4 else 1e-5
        assert np.all((wide >= sampler.support[0] - slack) & (wide <= sampler.support[1] + slack)), (call, got)
        same(sampler(KEY, [np.broadcast_to(p, whole) for p in call.operands], whole, dtype), got, f"broadcast, {call}")
        mapped = jitgrad.jit(jitgrad.vmap(lambda k, *ps: sampler(k, ps, whole, dtype), (0, *[None] * len(call.operands))))
        one_by_one = [sampler(k, call.operands, whole, dtype) for k in KEYS]
        same(mapped(KEYS, *call.operands), jnp.stack(one_by_one), f"compiled and mapped, {call}")

    each_call(sampler.name, Row(sampler.name, draw), check)


@pytest.mark.parametrize("sampler", [s for s in SAMPLERS if s.nan], ids=lambda sampler: sampler.name)
def test_of_parameters_that_are_none_the_draws_are_nan(sampler: Sampler) -> None:
    middles = [np.mean(b) for b in sampler.parameters]
    rows = [[*middles[:n], wrong, *middles[n + 1 :]] for n, numbers in enumerate(sampler.nan) for wrong in numbers]
    drawn = sampler(KEY, np.array(rows).T, (len(rows),), "float64")
    assert np.isnan(drawn).all(), (rows, drawn)


def arrays(d: Draw) -> Call:
    """A call of a function of whole arrays, as a function of a key and operands that may be traced."""
    n, shape = d.number(1, 5), d.shape()
    rest = d.shape(most=2)
    x = d.random.normal(size=(*rest, n))
    weights = d.random.uniform(0.1, 2, (*rest, n))
    root = d.random.normal(size=(n, n))
    count = int(np.prod(shape))
    low = d.number(-5, 5)
    kind = d.one_of("int8", "int64", "uint64", "uint8")
    ways: dict[str, Callable[[], tuple[Sequence[Any], Callable[..., Any]]]] = {
        "randint": lambda: ((), lambda k: random.randint(k, shape, low, low + n * 20, kind)),
        "permutation": lambda: ((x,), lambda k, x: random.permutation(k, x, -1, independent=bool(low % 2))),
        "choice": lambda: ((x,), lambda k, x: random.choice(k, x, shape, axis=-1)),
        "choice by chances": lambda: ((weights.reshape(-1, n)[:1].ravel() if weights.size else np.ones(n),),
                                      lambda k, p: random.choice(k, n, shape, p=p)),
        "choice without replacement": lambda: ((), lambda k: random.choice(k, count + n, shape, replace=False)),
        "categorical": lambda: ((x,), lambda k, x: random.categorical(k, x, shape=(*shape, *rest))),
        "dirichlet": lambda: ((weights,), lambda k, a: random.dirichlet(k, a, (*shape, *rest), np.float64)),
        "multinomial": lambda: ((weights,), lambda k, p: random.multinomial(k, 20, p / p.sum(-1, keepdims=True))),
        "multivariate_normal": lambda: ((x, root @ root.T + np.eye(n)),
                                        lambda k, m, c: random.multivariate_normal(k, m, c, (*shape, *rest), np.float64)),
        "double_sided_maxwell": lambda: ((x, weights), lambda k, m, s: random.double_sided_maxwell(k, m, s, shape, np.float64)),
        "orthogonal": lambda: ((), lambda k: random.orthogonal(k, n, rest, np.float64)),
        "ball": lambda: ((), lambda k: random.ball(k, n, 2.0, shape, np.float64)),
    }  # fmt: skip
    operands, how = ways[d.kinds]()
    return Call(operands, how=how)


WHOLE = [*ELSEWHERE["of whole arrays: below"].split(), "choice by chances", "choice without replacement"]


@pytest.mark.parametrize("name", WHOLE)
def test_draws_of_whole_arrays_are_the_same_eager_compiled_and_mapped(name: str) -> None:
    def check(call: Call) -> None:
        mapped = jitgrad.jit(jitgrad.vmap(call.how, (0, *[None] * len(call.operands))))
        one_by_one = [call.how(k, *call.operands) for k in KEYS]
        same(mapped(KEYS, *call.operands), jnp.stack(one_by_one), f"compiled and mapped, {call}")

    each_call(name, Row(name, arrays, types=name), check)


@pytest.mark.parametrize("method", ["cholesky", "eigh", "svd"])
def test_of_what_is_no_covariance_the_draws_are_nan(method: str) -> None:
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(4, 4)))[0]
    for eigenvalues in ([1, -1, 1, -1], [1, 2, 3, -1], [1, 1, 1, -1e-3]):
        cov = (turn * eigenvalues) @ turn.T
        assert np.isnan(random.multivariate_normal(KEY, np.zeros(4), cov, (2,), method=method)).all()


def test_the_permutation_of_a_negative_number_is_empty() -> None:
    assert random.permutation(KEY, -1).shape == (0,)


def test_every_sampler_has_a_row_or_a_reason() -> None:
    rows, reasons = {s.name for s in SAMPLERS}, {name for names in ELSEWHERE.values() for name in names.split()}
    assert rows | reasons == set(random.__all__) and not rows & reasons, sorted((rows | reasons) ^ set(random.__all__))
