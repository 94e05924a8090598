"""Derivatives of draws by their parameters are jax's; every draw is mapped over keys and parameters; the rest of the statistics."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

import jitgrad.numpy as jnp
from jitgrad import dtypes, errors, grad, jacfwd, jit, random, vmap

KEY = random.key(42)
MANY = 20_000
SURE = 1e-4

SLOPES = [
    ("random.gamma(KEY, a, (4,), np.float64)", 2.5, [1.1456415, 0.9243823, 1.5749419, 1.1233735]),
    ("random.gamma(KEY, a, (4,), np.float64)", 0.3, [0.42744183, 0.016949414, 0.046354376, 0.090290976]),
    ("random.loggamma(KEY, a, (4,), np.float64)", 0.3, [10.516564, 23.576374, 19.639607, 16.969669]),
    ("random.beta(KEY, a, 2.0, (4,), np.float64)", 0.5, [0.24123775, 0.15710664, 0.30548425, 0.38177056]),
    ("random.beta(KEY, 0.5, a, (4,), np.float64)", 2.0, [-0.026510242, -0.015897655, -0.037660207, -0.054805815]),
    ("random.chisquare(KEY, a, (4,), np.float64)", 3.0, [1.1893745, 0.884619, 1.7749526, 1.158671]),
    ("random.t(KEY, a, (4,), np.float64)", 3.0, [0.0084602629, 0.11743235, -0.1573068, 0.016648438]),
    ("random.f(KEY, a, 5.0, (4,), np.float64)", 3.0, [0.028289401, 0.17493147, 0.98726387, 0.17163797]),
    ("random.f(KEY, 3.0, a, (4,), np.float64)", 5.0, [-0.02465374, -0.045896235, -2.515271, -0.12602185]),
    ("random.dirichlet(KEY, jnp.stack([a, 2.0, 0.7]), (), np.float64)", 0.5, [0.38909666, -0.3433826, -0.045714059]),
    ("random.generalized_normal(KEY, a, (4,), np.float64)", 1.5, [0.098643616, 0.01161551, -0.079816012, -0.089556401]),
    ("random.pareto(KEY, a, (4,), np.float64)", 3.0, [-0.074419443, -0.0016889219, -0.12607213, -0.22492286]),
    ("random.lognormal(KEY, a, (4,), np.float64)", 0.5, [-0.16841659, -0.73325191, 0.2052506, 0.83155584]),
    ("random.rayleigh(KEY, a, (4,), np.float64)", 2.0, [1.3050743, 2.897942, 1.0534461, 0.79367356]),
    ("random.wald(KEY, a, (4,), np.float64)", 2.0, [3.8701688, 0.56751963, 0.031196844, 0.66061333]),
    ("random.weibull_min(KEY, 2.0, a, (4,), np.float64)", 1.5, [0.35253829, 0.22785409, 0.12656671, -0.28608453]),
    ("random.triangular(KEY, -1.0, a, 2.0, (4,), np.float64)", 0.5, [0.46191318, 0.086631604, 0.46144099, 0.36754667]),
    ("random.double_sided_maxwell(KEY, 1.0, a, (4,), np.float64)", 2.0, [-1.8478176, -2.3438976, 1.8569039, 1.5188215]),
]  # fmt: skip
"""Calls, the parameter a, and jax's derivatives."""


@pytest.mark.parametrize(("call", "a", "want"), SLOPES)
def test_derivatives_by_parameters_are_those_of_jax(call, a, want):
    drawn = eval(f"lambda a: {call}", {"random": random, "jnp": jnp, "np": np, "KEY": KEY})
    np.testing.assert_allclose(jacfwd(drawn)(np.float64(a)), want, rtol=1e-6)
    weights = np.arange(1.0, len(want) + 1)
    np.testing.assert_allclose(jit(grad(lambda a: (drawn(a) * weights).sum()))(np.float64(a)), weights @ want, rtol=1e-6)


DRAWS = {
    "ball": lambda k, a: random.ball(k, 2, a, (3,)), "bernoulli": lambda k, a: random.bernoulli(k, a / 3, (3,)),
    "beta": lambda k, a: random.beta(k, a, 2.0, (3,)), "binomial": lambda k, a: random.binomial(k, 40 * a, 0.5, (3,)),
    "bits": lambda k, a: random.bits(k, (3,)),
    "categorical": lambda k, a: random.categorical(k, jnp.stack([a, 0.0, 1.0]), shape=(3,)),
    "cauchy": lambda k, a: a * random.cauchy(k, (3,)), "chisquare": lambda k, a: random.chisquare(k, a, (3,)),
    "choice": lambda k, a: random.choice(k, 9, (3,)), "choice by p": lambda k, a: random.choice(k, 2, (3,), p=jnp.stack([a, 1.0])),
    "dirichlet": lambda k, a: random.dirichlet(k, jnp.stack([a, 1.0]), (3,)),
    "double_sided_maxwell": lambda k, a: random.double_sided_maxwell(k, a, 1.0, (3,)),
    "exponential": lambda k, a: a * random.exponential(k, (3,)), "f": lambda k, a: random.f(k, a, 4.0, (3,)),
    "gamma": lambda k, a: random.gamma(k, a, (3,)), "generalized_normal": lambda k, a: random.generalized_normal(k, a, (3,)),
    "geometric": lambda k, a: random.geometric(k, a / 3, (3,)), "gumbel": lambda k, a: a * random.gumbel(k, (3,)),
    "laplace": lambda k, a: a * random.laplace(k, (3,)), "loggamma": lambda k, a: random.loggamma(k, a, (3,)),
    "logistic": lambda k, a: a * random.logistic(k, (3,)), "lognormal": lambda k, a: random.lognormal(k, a, (3,)),
    "maxwell": lambda k, a: a * random.maxwell(k, (3,)),
    "multinomial": lambda k, a: random.multinomial(k, 20 * a, jnp.array([0.2, 0.3, 0.5])),
    "multivariate_normal": lambda k, a: random.multivariate_normal(k, jnp.zeros(2), a * jnp.eye(2), (3,)),
    "normal": lambda k, a: a * random.normal(k, (3,)), "orthogonal": lambda k, a: a * random.orthogonal(k, 3),
    "pareto": lambda k, a: random.pareto(k, a, (3,)), "permutation": lambda k, a: random.permutation(k, 7),
    "poisson": lambda k, a: random.poisson(k, 9 * a, (3,)), "rademacher": lambda k, a: random.rademacher(k, (3,)),
    "randint": lambda k, a: random.randint(k, (3,), 0, 100), "rayleigh": lambda k, a: random.rayleigh(k, a, (3,)),
    "t": lambda k, a: random.t(k, a, (3,)), "triangular": lambda k, a: random.triangular(k, 0.0, a, 4.0, (3,)),
    "truncated_normal": lambda k, a: random.truncated_normal(k, -a, a, (3,)),
    "uniform": lambda k, a: random.uniform(k, (3,), maxval=a), "wald": lambda k, a: random.wald(k, a, (3,)),
    "weibull_min": lambda k, a: random.weibull_min(k, 1.0, a, (3,)),
}  # fmt: skip


@pytest.mark.parametrize("name", DRAWS)
def test_every_draw_is_mapped_over_keys_and_parameters(name):
    keys, parameters = random.split(KEY, 3), jnp.array([0.4, 1.3, 2.5])
    rows = jit(vmap(DRAWS[name]))(keys, parameters)
    for n in range(3):
        one = DRAWS[name](keys[n], parameters[n])
        assert rows[n].dtype == one.dtype
        np.testing.assert_allclose(rows[n], one, rtol=1e-5, atol=1e-6)


def test_the_table_above_has_every_draw():
    drawn = {name.split()[0] for name in DRAWS}
    assert drawn == set(random.__all__) - {
        "KeyArray", "PRNGKey", "clone", "fold_in", "key", "key_data", "key_dtype", "key_impl", "seed", "split", "wrap_key_data",
    }  # fmt: skip


def test_parts_of_dirichlet_draws_are_beta_draws():
    drawn = np.asarray(random.dirichlet(KEY, np.array([0.6, 2.0, 1.5]), (MANY,), np.float64))
    for n, a in enumerate((0.6, 2.0, 1.5)):
        assert scipy.stats.kstest(drawn[:, n], scipy.stats.beta(a, 4.1 - a).cdf).pvalue > SURE


def test_directions_of_orthogonal_matrices_are_uniform():
    drawn = np.asarray(random.orthogonal(KEY, 3, (MANY,), np.float64))
    for row, column in ((0, 0), (1, 2), (2, 1)):  # by Archimedes each coordinate of a uniform point of the sphere is uniform
        assert scipy.stats.kstest(drawn[:, row, column], scipy.stats.uniform(-1, 2).cdf).pvalue > SURE
    assert abs((np.linalg.det(drawn) > 0).mean() - 0.5) < 0.02


def test_each_count_of_multinomial_draws_is_a_binomial_draw():
    chances = np.array([0.2, 0.5, 0.3])
    drawn = np.asarray(random.multinomial(KEY, 12, chances, shape=(MANY, 3))).astype(int)
    for n, p in enumerate(chances):
        expected = scipy.stats.binom(12, p).pmf(np.arange(13)) * MANY
        kept = expected > 5
        observed = np.bincount(drawn[:, n], minlength=13)
        assert scipy.stats.chisquare(observed[kept], expected[kept] * observed[kept].sum() / expected[kept].sum()).pvalue > SURE


@pytest.mark.parametrize("mode", [None, "high"])
def test_categories_come_as_often_as_their_chances_say(mode):
    chances = np.array([0.05, 0.15, 0.3, 0.5])
    for drawn in (random.categorical(KEY, np.log(chances), shape=(MANY,), mode=mode), random.choice(KEY, 4, (MANY,), p=chances)):
        assert scipy.stats.chisquare(np.bincount(np.asarray(drawn), minlength=4), chances * MANY).pvalue > SURE


def test_the_element_type_of_keys_names_their_generator():
    assert random.key_dtype() is random.key_dtype("threefry2x32") is random.key(0).dtype
    assert dtypes.issubdtype(random.key_dtype(), dtypes.prng_key)
    for made in (random.key(3, dtype="threefry2x32"), random.key(3, dtype=random.key_dtype()), random.key(3, impl="threefry2x32")):
        assert random.key_data(made).tolist() == [0, 3]
    assert random.wrap_key_data(np.uint32([0, 3]), dtype=random.key_dtype()).shape == ()
    for call in (lambda: random.key(0, dtype="rbg"), lambda: random.key_dtype("rbg"), lambda: random.wrap_key_data(KEY, dtype=int)):
        with pytest.raises(errors.ArgumentError, match="the only implementation is 'threefry2x32'"):
            call()
    with pytest.raises(errors.ArgumentError, match="impl or dtype"):
        random.key(0, impl="threefry2x32", dtype="threefry2x32")
