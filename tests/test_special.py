"""jitgrad.scipy.special against SciPy, and its derivatives against differences."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special

import jitgrad.numpy as jnp
from jitgrad import grad, jit
from jitgrad.scipy import special
from jitgrad.testing import check_grads

POSITIVE = np.array([0.3, 0.9, 1.7, 2.6, 4.5])
UNIT = np.array([0.05, 0.3, 0.5, 0.8, 0.99])
WIDE = np.array([-6.0, -1.2, -0.1, 0.4, 3.3])

ONE = {
    "erf": WIDE, "erfc": WIDE, "erfinv": UNIT * 2 - 1, "expit": WIDE, "logit": UNIT, "gammaln": POSITIVE, "digamma": POSITIVE,
    "entr": POSITIVE, "ndtr": WIDE, "log_ndtr": WIDE, "ndtri": UNIT, "gamma": POSITIVE,
}  # fmt: skip
TWO = {"xlogy": (WIDE, POSITIVE), "xlog1py": (WIDE, UNIT), "rel_entr": (POSITIVE, UNIT), "kl_div": (POSITIVE, UNIT),
       "betaln": (POSITIVE, UNIT), "beta": (POSITIVE, UNIT)}  # fmt: skip


@pytest.mark.parametrize("name", ONE)
def test_a_function_of_one_argument_is_scipys(name):
    expected = getattr(scipy.special, name)(ONE[name])
    np.testing.assert_allclose(getattr(special, name)(ONE[name]), expected, rtol=1e-12, atol=1e-14)
    narrow = getattr(special, name)(ONE[name].astype(np.float32))
    assert narrow.dtype == np.float32
    np.testing.assert_allclose(narrow, getattr(scipy.special, name)(ONE[name].astype(np.float32)), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", TWO)
def test_a_function_of_two_arguments_is_scipys(name):
    np.testing.assert_allclose(getattr(special, name)(*TWO[name]), getattr(scipy.special, name)(*TWO[name]), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", [*ONE, *TWO])
def test_a_function_has_the_derivatives_of_its_values(name):
    args = (ONE[name],) if name in ONE else TWO[name]
    check_grads(getattr(special, name), args, order=2, atol=1e-4, rtol=1e-4, eps=1e-5)


def test_polygamma_and_zeta_are_scipys():
    np.testing.assert_allclose(special.polygamma(2, POSITIVE), scipy.special.polygamma(2, POSITIVE), rtol=1e-12)
    np.testing.assert_allclose(special.zeta(3.0, POSITIVE), scipy.special.zeta(3.0, POSITIVE), rtol=1e-12)


@pytest.mark.parametrize(("name", "singular"), [("xlogy", 0.0), ("xlog1py", -1.0)])
def test_zero_times_a_logarithm_is_zero_and_has_finite_derivatives(name, singular):
    f = getattr(special, name)
    assert float(f(0.0, singular)) == 0.0
    assert np.isfinite(float(grad(f, 1)(0.0, singular)))
    assert np.isnan(float(f(np.nan, 1.0))) and np.isnan(float(f(1.0, np.nan)))


def test_entropies_have_their_limits():
    np.testing.assert_array_equal(special.entr(np.array([0.0, -1.0])), [0.0, -np.inf])
    np.testing.assert_array_equal(special.rel_entr(np.array([0.0, 1.0, -1.0]), np.array([0.0, 0.0, 1.0])), [0.0, np.inf, np.inf])


@pytest.mark.parametrize("name", ["entr", "xlogy", "xlog1py", "rel_entr", "kl_div"])
def test_terms_of_entropies_are_scipys_at_special_values(name):
    least = 0.5 if name == "kl_div" else 5e-324  # SciPy's quotients overflow in kl_div
    points = np.array([0.0, -0.0, 1.0, 2.0, -1.0, np.inf, -np.inf, np.nan, least, 1e300, 1.7e308])
    args = [points] if name == "entr" else [v.ravel() for v in np.meshgrid(points, points)]
    expected = getattr(scipy.special, name)(*args)
    for f in (getattr(special, name), jit(getattr(special, name))):
        np.testing.assert_allclose(f(*args), expected, rtol=1e-13, atol=1e-322)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_log_ndtr_is_accurate_far_out(dtype):
    x = np.array([-1e3, -40.0, -20.5, -19.5, -10.5, -9.5, -1.0, 0.0, 5.0, 12.0]).astype(dtype)
    expected = scipy.special.log_ndtr(x.astype(np.float64))
    np.testing.assert_allclose(special.log_ndtr(x), expected, rtol=2e-6 if dtype == np.float32 else 1e-12, atol=1e-30)
    assert np.isfinite(np.asarray([grad(special.log_ndtr)(v) for v in x])).all()


def test_gamma_has_signs_and_poles():
    x = np.array([-2.5, -1.5, -0.5, 5.0])
    np.testing.assert_allclose(special.gamma(x), scipy.special.gamma(x), rtol=1e-12)
    assert np.isnan(float(special.gamma(-2.0)))


def test_factorial_and_multigammaln_are_scipys():
    np.testing.assert_allclose(special.factorial(np.arange(6.0)), scipy.special.factorial(np.arange(6)), rtol=1e-12)
    np.testing.assert_allclose(special.multigammaln(POSITIVE + 2, 3), scipy.special.multigammaln(POSITIVE + 2, 3), rtol=1e-12)


@pytest.mark.parametrize("order", [1.5, 0.5, -1.0, -0.5, np.nan])
def test_polygamma_of_an_order_that_is_no_count_is_nan_eager_and_jitted(order):
    x = jnp.array([0.3, 2.0])
    assert np.isnan(special.polygamma(order, x)).all()
    assert np.isnan(jit(lambda x: special.polygamma(order, x))(x)).all()


def test_zeta_and_polygamma_of_half_integers_keep_what_is_left_when_their_largest_terms_cancel():
    s, q = np.array([89.0, 127.0, 10001.0, 3.0, 4.0]), np.array([-0.5, -2.5, -0.5, -1.5, -0.5])
    wanted = [1.5**-89.0, 3.5**-127.0, 0.0, 0.11810202582086370, 32.234848505667072]
    for f in (special.zeta, jit(special.zeta)):
        np.testing.assert_allclose(f(s, q), wanted, rtol=1e-13)
        np.testing.assert_allclose(f(np.float32(89), np.float32(-0.5)), 1.5**-89.0, rtol=1e-6)
        ends = [
            (10001.0, -0.4, -np.inf),
            (10001.0, -0.6, np.inf),
            (np.inf, -0.5, np.inf),
            (np.inf, 0.5, np.inf),
            (np.inf, 1.0, 1.0),
        ]
        for large, beside, limit in [*ends, (np.inf, 2.0, 0.0), (np.inf, np.nan, np.nan), (1.0, np.nan, np.nan)]:
            np.testing.assert_array_equal(f(large, beside), limit)
    for f in (special.polygamma, jit(special.polygamma)):
        assert f(np.float32(50), np.float32(-0.5)) == -np.inf
        np.testing.assert_allclose(f(np.float64(200), np.float64(3)), -9.89729332e278, rtol=1e-8)


def test_gamma_functions_are_right_where_scipys_are_not():
    """lgamma(1 + d) is -0.5772 d + 0.8225 d d, digamma(-1 + d) is -1 / d + 1 - 0.5772 + (2.6449 + 1) d."""
    d, euler, square = 2.0**-40, 0.5772156649015329, np.pi**2 / 6
    for f in (special.gammaln, jit(special.gammaln)):
        near = [-euler * d + square / 2 * d * d, euler * d + square / 2 * d * d]
        np.testing.assert_allclose(f(np.array([-np.inf, 5e-324, 1 + d, 1 - d])), [np.inf, -np.log(5e-324), *near], rtol=1e-13)
    for f in (special.digamma, jit(special.digamma)):
        np.testing.assert_allclose(f(np.array([-1 + d])), [-1 / d + 1 - euler], rtol=1e-15)
