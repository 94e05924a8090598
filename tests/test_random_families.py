"""jitgrad.random's families: statistics at fixed keys, ends of ranges, derivatives, eager draws against compiled ones."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special
import scipy.stats

import jitgrad.numpy as jnp
from jitgrad import array_ops as ops
from jitgrad import errors, grad, hessian, jit, jvp, random, vmap

KEY = random.key(7)
MANY = 50_000
SURE = 1e-4

DISTRIBUTIONS = {
    "uniform": (lambda d: random.uniform(KEY, (MANY,), d, -2.0, 3.0), scipy.stats.uniform(-2, 5).cdf),
    "normal": (lambda d: random.normal(KEY, (MANY,), d), scipy.stats.norm.cdf),
    "exponential": (lambda d: random.exponential(KEY, (MANY,), d), scipy.stats.expon.cdf),
    "gumbel": (lambda d: random.gumbel(KEY, (MANY,), d), scipy.stats.gumbel_r.cdf),
    "laplace": (lambda d: random.laplace(KEY, (MANY,), d), scipy.stats.laplace.cdf),
    "logistic": (lambda d: random.logistic(KEY, (MANY,), d), scipy.stats.logistic.cdf),
    "cauchy": (lambda d: random.cauchy(KEY, (MANY,), d), scipy.stats.cauchy.cdf),
    "truncated_normal": (lambda d: random.truncated_normal(KEY, -1.0, 2.0, (MANY,), d), scipy.stats.truncnorm(-1, 2).cdf),
    "lognormal": (lambda d: random.lognormal(KEY, 0.5, (MANY,), d), scipy.stats.lognorm(0.5).cdf),
    "pareto": (lambda d: random.pareto(KEY, 3.0, (MANY,), d), scipy.stats.pareto(3).cdf),
    "rayleigh": (lambda d: random.rayleigh(KEY, 2.0, (MANY,), d), scipy.stats.rayleigh(scale=2).cdf),
    "weibull_min": (lambda d: random.weibull_min(KEY, 2.0, 1.5, (MANY,), d), scipy.stats.weibull_min(1.5, scale=2).cdf),
    "maxwell": (lambda d: random.maxwell(KEY, (MANY,), d), scipy.stats.maxwell.cdf),
    "triangular": (lambda d: random.triangular(KEY, -1.0, 0.5, 2.0, (MANY,), d), scipy.stats.triang(0.5, -1, 3).cdf),
    "gamma below 1": (lambda d: random.gamma(KEY, 0.3, (MANY,), d), scipy.stats.gamma(0.3).cdf),
    "gamma": (lambda d: random.gamma(KEY, 4.5, (MANY,), d), scipy.stats.gamma(4.5).cdf),
    "loggamma": (lambda d: random.loggamma(KEY, 0.3, (MANY,), d), scipy.stats.loggamma(0.3).cdf),
    "beta": (lambda d: random.beta(KEY, 0.5, 2.0, (MANY,), d), scipy.stats.beta(0.5, 2).cdf),
    "chisquare": (lambda d: random.chisquare(KEY, 3.0, (MANY,), d), scipy.stats.chi2(3).cdf),
    "t": (lambda d: random.t(KEY, 3.0, (MANY,), d), scipy.stats.t(3).cdf),
    "f": (lambda d: random.f(KEY, 3.0, 5.0, (MANY,), d), scipy.stats.f(3, 5).cdf),
    "generalized_normal": (lambda d: random.generalized_normal(KEY, 1.5, (MANY,), d), scipy.stats.gennorm(1.5).cdf),
    "wald": (lambda d: random.wald(KEY, 2.0, (MANY,), d), scipy.stats.invgauss(2.0, scale=1).cdf),
    "gumbel high": (lambda d: random.gumbel(KEY, (MANY,), d, mode="high"), scipy.stats.gumbel_r.cdf),
    "gumbel highest": (lambda d: random.gumbel(KEY, (MANY,), d, mode="highest"), scipy.stats.gumbel_r.cdf),
    "double_sided_maxwell": (
        lambda d: jnp.abs(random.double_sided_maxwell(KEY, 1.0, 2.0, (MANY,), d) - 1.0) / 2, scipy.stats.maxwell.cdf,
    ),
    "truncated_normal beyond 4": (
        lambda d: random.truncated_normal(KEY, 4.0, np.inf, (MANY,), d), scipy.stats.truncnorm(4, np.inf).cdf,
    ),
    "truncated_normal below -5": (
        lambda d: random.truncated_normal(KEY, -np.inf, -5.0, (MANY,), d), lambda x: scipy.special.ndtr(x) / scipy.special.ndtr(-5),
    ),
    "truncated_normal across": (
        lambda d: random.truncated_normal(KEY, -np.inf, 0.5, (MANY,), d), lambda x: scipy.special.ndtr(x) / scipy.special.ndtr(0.5),
    ),
}  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_draws_follow_their_distribution(name, dtype):
    draw, cdf = DISTRIBUTIONS[name]
    drawn = np.asarray(draw(dtype))
    assert drawn.dtype == dtype and np.isfinite(drawn).all()
    assert scipy.stats.kstest(drawn.astype(np.float64), cdf).pvalue > SURE


COUNTS = {
    "poisson by products": (lambda: random.poisson(KEY, 3.0, (MANY,)), scipy.stats.poisson(3)),
    "poisson by rejection": (lambda: random.poisson(KEY, 14.0, (MANY,)), scipy.stats.poisson(14)),
    "binomial by gaps": (lambda: random.binomial(KEY, 12, 0.7, (MANY,)), scipy.stats.binom(12, 0.7)),
    "binomial by rejection": (lambda: random.binomial(KEY, 60, 0.4, (MANY,)), scipy.stats.binom(60, 0.4)),
    "geometric": (lambda: random.geometric(KEY, 0.2, (MANY,)), scipy.stats.geom(0.2)),
}


@pytest.mark.parametrize("name", COUNTS)
def test_counts_follow_their_distribution(name):
    draw, distribution = COUNTS[name]
    drawn = np.asarray(draw()).astype(np.int64)
    low, high = (int(distribution.ppf(q)) for q in (0.01, 0.99))
    observed = np.bincount(np.clip(drawn, low, high) - low, minlength=high - low + 1)
    expected = distribution.pmf(np.arange(low, high + 1))
    expected[0], expected[-1] = distribution.cdf(low), distribution.sf(high - 1)
    assert scipy.stats.chisquare(observed, expected / expected.sum() * MANY).pvalue > SURE


def test_rows_of_vmap_take_as_many_rounds_as_each_needs():
    keys, means = random.split(KEY, 5), np.array([0.5, 5.0, 12.0, 200.0, 3e4])
    rows = jit(vmap(lambda k, m: random.poisson(k, m, (40,))))(keys, means)
    for row, key, mean in zip(rows, keys, means, strict=True):
        np.testing.assert_array_equal(row, random.poisson(key, mean, (40,)))
    rows = vmap(lambda k, n: random.binomial(k, n, 0.3, (40,)))(keys, np.floor(means))
    for row, key, n in zip(rows, keys, np.floor(means), strict=True):
        np.testing.assert_array_equal(row, random.binomial(key, n, 0.3, (40,)))


def test_poisson_means_that_are_no_finite_positive_numbers():
    drawn = random.poisson(KEY, np.array([np.nan, -1.0, np.inf, 0.0, 1e30]), (5,))
    largest = np.iinfo(np.int64).max
    assert drawn.tolist() == [-1, -1, largest, 0, largest]
    assert random.poisson(KEY, np.inf, (), np.int8) == 127


@pytest.mark.parametrize(("lower", "mean"), [(5.5, 5.671410313897314), (8.0, 8.12136811223618), (30.0, 30.03325949)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("side", [1, -1])
def test_far_tails_of_the_normal_distribution_are_drawn(lower, mean, dtype, side):
    bounds = (lower, np.inf) if side > 0 else (-np.inf, -lower)
    drawn = side * np.asarray(random.truncated_normal(KEY, *bounds, (MANY,), dtype)).astype(np.float64)
    assert drawn.min() > lower and drawn.max() < lower + 20 / lower
    assert abs(drawn.mean() - mean) < 5 * drawn.std() / MANY**0.5


def test_the_bounds_of_truncated_normal_have_derivatives_in_the_middle_and_in_the_tail():
    total = lambda low, high: random.truncated_normal(KEY, low, high, (50,), np.float64).sum()
    for low, high in ((-1.0, 2.0), (6.0, 7.0)):
        differences = (total(low + 1e-5, high) - total(low - 1e-5, high)) / 2e-5
        np.testing.assert_allclose(grad(total)(jnp.array(low, np.float64), high), differences, rtol=1e-4)


@pytest.mark.parametrize(("dtype", "p"), [(np.int8, 0.01), (np.int32, 1e-9), (np.int64, 1e-20), (np.uint8, 0.0), (np.int64, 1.0)])
def test_geometric_stays_within_its_type(dtype, p):
    drawn = np.asarray(random.geometric(KEY, p, (1000,), dtype))
    assert drawn.dtype == dtype and drawn.min() >= 1
    if p < 1:
        assert drawn.max() == np.iinfo(dtype).max


@pytest.mark.parametrize(("dtype", "end"), [(np.float32, 3e38), (np.float64, 1.7e308)])
def test_uniform_fills_a_range_that_is_wider_than_the_largest_float(dtype, end):
    drawn = np.asarray(random.uniform(KEY, (MANY,), dtype, -end, end)) / dtype(end)
    assert scipy.stats.kstest(drawn.astype(np.float64), scipy.stats.uniform(-1, 2).cdf).pvalue > SURE


def test_rayleigh_draws_are_finite_where_the_uniform_number_is_zero():
    zero = np.flatnonzero(np.asarray(random.uniform(random.key(5), (2**23,))) == 0)
    assert len(zero) and np.isfinite(np.asarray(random.rayleigh(random.key(5), 1.0, (2**23,)))[zero]).all()


@pytest.mark.parametrize("a", [0.05, 0.7, 3.0, 200.0])
def test_gamma_draws_have_the_derivative_that_keeps_their_quantile(a):
    drawn = np.asarray(random.gamma(KEY, a, (20,), np.float64))
    step = 1e-4 * a
    quantiles = scipy.special.gammainc(a, drawn)
    up, down = (scipy.special.gammaincinv(a + s, quantiles) for s in (step, -step))
    one = jnp.array(1.0, np.float64)
    _, slopes = jvp(lambda b: random.gamma(KEY, b, (20,), np.float64), (one * a,), (one,))
    np.testing.assert_allclose(slopes, (up - down) / (2 * step), rtol=1e-4, atol=1e-12)


def test_gamma_draws_have_second_derivatives():
    a, step = 2.0, 1e-3
    quantile = scipy.special.gammainc(a, np.asarray(random.gamma(KEY, a, (), np.float64)))
    before, here, behind = (np.log(scipy.special.gammaincinv(a + s, quantile)) for s in (-step, 0, step))
    second = hessian(lambda b: random.loggamma(KEY, b, (), np.float64))(jnp.array(a, np.float64))
    np.testing.assert_allclose(second, (behind - 2 * here + before) / step**2, rtol=1e-4)


def test_multivariate_normal_draws_have_their_mean_and_covariance():
    mean, cov = np.array([1.0, -2.0, 0.5]), np.array([[2.0, 0.3, 0.1], [0.3, 1.0, -0.4], [0.1, -0.4, 0.5]])
    drawn = np.asarray(random.multivariate_normal(KEY, mean, cov, (MANY,), np.float64))
    np.testing.assert_allclose(drawn.mean(0), mean, atol=0.05)
    np.testing.assert_allclose(np.cov(drawn.T), cov, atol=0.08)


def test_multivariate_normal_takes_batches_of_means_and_covariances():
    cov = np.stack([np.eye(2), 4 * np.eye(2)])
    drawn = random.multivariate_normal(KEY, np.zeros((3, 1, 2)), cov, dtype=np.float64)
    one = random.normal(KEY, (3, 2, 2), np.float64)
    np.testing.assert_allclose(drawn, one * np.array([1.0, 2.0])[:, None], rtol=1e-12)
    with pytest.raises(errors.ArgumentError, match="'cholesky', 'eigh' or 'svd', got 'qr'"):
        random.multivariate_normal(KEY, np.zeros(2), np.eye(2), method="qr")


@pytest.mark.parametrize("method", ["eigh", "svd"])
def test_multivariate_normal_draws_of_a_singular_covariance(method):
    cov = np.array([[1.0, 2.0, 0.0], [2.0, 4.0, 0.0], [0.0, 0.0, 0.5]])
    drawn = np.asarray(random.multivariate_normal(KEY, np.ones(3), cov, (MANY,), np.float64, method))
    np.testing.assert_allclose(np.cov(drawn.T), cov, atol=0.08)
    np.testing.assert_allclose(drawn[:, 1] - 1, 2 * (drawn[:, 0] - 1), atol=1e-6)
    regular = cov + np.eye(3)
    rows = jit(vmap(lambda k, c: random.multivariate_normal(k, np.zeros(3), c, (4,), np.float64, method)))
    keys = random.split(KEY, 2)
    one = random.multivariate_normal(keys[1], np.zeros(3), 2 * regular, (4,), np.float64, method)
    np.testing.assert_allclose(rows(keys, np.stack([regular, 2 * regular]))[1], one, rtol=1e-9)


def test_complex_orthogonal_matrices_are_unitary():
    q = np.asarray(random.orthogonal(KEY, 4, (3,), np.complex128))
    np.testing.assert_allclose(q @ q.conj().swapaxes(1, 2), np.broadcast_to(np.eye(4), q.shape), atol=1e-14)
    with pytest.raises(errors.DTypeError, match="float"):
        random.orthogonal(KEY, 4, dtype=np.int32)


@pytest.mark.parametrize(("n", "m"), [(4, None), (3, 5), (5, 3)])
def test_orthogonal_matrices_are_orthogonal(n, m):
    q = np.asarray(random.orthogonal(KEY, n, (2,), np.float64, m))
    assert q.shape == (2, n, m or n)
    product = q @ q.swapaxes(1, 2) if n <= (m or n) else q.swapaxes(1, 2) @ q
    np.testing.assert_allclose(product, np.broadcast_to(np.eye(product.shape[1]), product.shape), atol=1e-14)


def test_points_of_a_ball_of_any_norm_lie_in_it():
    for p in (1.0, 1.5, 4.0):
        lengths = np.sum(np.abs(np.asarray(random.ball(KEY, 3, p, (MANY,), np.float64))) ** p, axis=1) ** (1 / p)
        assert scipy.stats.kstest(lengths**3, "uniform").pvalue > SURE


def test_dirichlet_and_multinomial_draws_add_up():
    np.testing.assert_allclose(random.dirichlet(KEY, np.array([0.1, 2.0, 7.0]), (100,), np.float64).sum(-1), 1, rtol=1e-12)
    counts = np.asarray(random.multinomial(KEY, 40, np.array([0.2, 0.5, 0.3]), shape=(1000, 3)))
    np.testing.assert_array_equal(counts.sum(-1), 40)
    np.testing.assert_allclose(counts.mean(0), [8, 20, 12], atol=0.5)


def test_a_bounded_integer_is_drawn_from_the_bounds_that_the_type_can_hold():
    drawn = np.asarray(random.randint(KEY, (1000, 2), np.array([-300, 250]), np.array([100, 2**62]), np.uint8))
    assert drawn[:, 0].max() < 100 and drawn[:, 1].min() >= 250 and drawn[:, 1].max() == 255


def test_choice_of_nothing_is_empty():
    assert random.choice(KEY, np.zeros((3, 0)), (0, 2), axis=1).shape == (3, 0, 2)


def test_permutation_takes_a_scalar_array_for_a_number():
    assert sorted(random.permutation(KEY, jnp.array(3)).tolist()) == [0, 1, 2]
    with pytest.raises(errors.ArgumentError, match="integer"):
        random.permutation(KEY, 2.5)


SAMPLERS = {
    "normal": lambda k: random.normal(k, (3000,)), "exponential": lambda k: random.exponential(k, (3000,)),
    "gumbel": lambda k: random.gumbel(k, (3000,)), "cauchy": lambda k: random.cauchy(k, (3000,)),
    "laplace": lambda k: random.laplace(k, (3000,)), "logistic": lambda k: random.logistic(k, (3000,)),
    "truncated_normal": lambda k: random.truncated_normal(k, 1.0, np.inf, (3000,)),
    "uniform": lambda k: random.uniform(k, (3000,), np.float64, -1.7, 2.9), "gamma": lambda k: random.gamma(k, 2.5, (300,)),
    "poisson": lambda k: random.poisson(k, 20.0, (300,)), "complex": lambda k: random.normal(k, (5,), np.complex64),
}  # fmt: skip


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_draw_has_the_same_bits_in_a_jitted_function(name):
    np.testing.assert_array_equal(jit(SAMPLERS[name])(KEY), SAMPLERS[name](KEY))


def test_fma_rounds_once():
    x = np.array([1 + 2.0**-30, 3.0, -2.0])
    eager = ops.op("fma", jnp.asarray(x), jnp.asarray(x), jnp.asarray(-np.array([1.0, 9.0, 4.0])))
    np.testing.assert_array_equal(eager, [2.0**-29 + 2.0**-60, 0.0, 0.0])
