"""Integrals, Bessel functions and gamma's kin of jitgrad.scipy.special: eager and jit against SciPy, derivatives, vmap."""

from __future__ import annotations

import math

import mpmath as mp
import numpy as np
import pytest
import scipy.special
from hypothesis import given, settings
from hypothesis import strategies as st

import jitgrad.numpy as jnp
from jitgrad import errors, grad, jit, jvp, vmap
from jitgrad.scipy import special
from jitgrad.testing import check_grads

RNG = np.random.default_rng(5)
LINE = np.concatenate([RNG.uniform(-12, 12, 60), RNG.uniform(-1, 1, 20), 10 ** RNG.uniform(-200, 2.5, 20)])
RIGHT = np.abs(LINE)
SPECIAL = np.array([0.0, -0.0, 5e-324, 1.0, -1.0, 1e300, -1e300, np.inf, -np.inf, np.nan])
ONE = {
    "exp1": RIGHT, "expi": LINE, "spence": RIGHT, "erfcx": LINE[LINE > -20], "dawsn": LINE, "i0": LINE, "i0e": LINE, "i1": LINE,
    "i1e": LINE, "gamma": LINE, "gammasgn": LINE,
}  # fmt: skip
PAIRS = {"sici": LINE, "fresnel": LINE}
POINTS = {"exp1": (0.3, 4.0), "expi": (0.3, 4.0), "spence": (0.4, 1.05, 4.0), "erfcx": (-1.5, 2.0, 12.0),
          "dawsn": (-11.0, 0.0, 3.0), "i0": (-2.0, 0.0, 9.0), "i0e": (-2.0, 9.0), "i1": (-2.0, 0.0, 9.0), "i1e": (-2.0, 9.0),
          "gamma": (-1.3, 3.0)}  # fmt: skip


@pytest.mark.parametrize("name", ONE)
def test_a_function_is_scipys_eager_and_jitted(name):
    x = np.concatenate([ONE[name], [np.nan, np.inf]])
    expected = getattr(scipy.special, name)(x)
    if name in ("i0", "i1", "spence"):  # SciPy has NaN at infinity
        expected[-1] = -np.inf if name == "spence" else np.inf
    for f in (getattr(special, name), jit(getattr(special, name))):
        np.testing.assert_allclose(f(x), expected, rtol=2e-13, atol=1e-300)
        narrow = f(x.astype(np.float32))
        assert narrow.dtype == np.float32
        with np.errstate(over="ignore", invalid="ignore"):
            rounded = getattr(scipy.special, name)(x.astype(np.float32).astype(np.float64)).astype(np.float32)[:-1]
        np.testing.assert_allclose(np.asarray(narrow)[:-1], rounded, rtol=1e-6, atol=1e-37)
        assert f(x.astype(np.float16)).dtype == np.float16


@pytest.mark.parametrize("name", PAIRS)
def test_a_function_of_two_results_is_scipys_eager_and_jitted(name):
    expected = getattr(scipy.special, name)(np.abs(PAIRS[name]) if name == "sici" else PAIRS[name])
    for f in (getattr(special, name), jit(getattr(special, name))):
        first, second = f(PAIRS[name])
        sign = np.sign(PAIRS[name]) if name == "sici" else 1
        np.testing.assert_allclose(first, expected[0] * sign, rtol=1e-13, atol=1e-14)
        np.testing.assert_allclose(second, expected[1], rtol=1e-13, atol=1e-14)
    for part in (0, 1):
        check_grads(
            lambda x, part=part: getattr(special, name)(x)[part], (np.array([-3.0, 0.4, 6.0]),), order=2, atol=1e-4, rtol=1e-4
        )
    assert float(grad(lambda x: special.sici(x)[0])(0.0)) == 1.0


@pytest.mark.parametrize("name", POINTS)
def test_derivatives_are_those_of_the_values_to_second_order(name):
    check_grads(getattr(special, name), (np.array(POINTS[name]),), order=2, atol=1e-4, rtol=1e-4, eps=1e-5)


@pytest.mark.parametrize(("name", "exact"), [
    ("exp1", mp.e1), ("expi", mp.ei), ("erfcx", lambda x: mp.exp(x * x) * mp.erfc(x)), ("gamma", mp.gamma),
    ("i0", lambda x: mp.besseli(0, x)),
    ("i1e", lambda x: mp.besseli(1, x) * mp.exp(-abs(x))), ("spence", lambda x: mp.re(mp.polylog(2, 1 - x))),
    ("dawsn", lambda x: mp.sqrt(mp.pi) / 2 * mp.exp(-x * x) * mp.erfi(x)),
])  # fmt: skip
def test_compiled_values_are_within_a_few_ulp(name, exact):
    x = np.concatenate([RNG.uniform(0.01, 30, 60), [0.3725, 0.37251]])
    with mp.workdps(60):
        wanted = [exact(mp.mpf(v)) for v in x.tolist()]
        found = np.asarray(jit(getattr(special, name))(x)).tolist()
        worst = max(float(abs(f / w - 1)) for f, w in zip(found, wanted, strict=True))
    assert worst < (2e-15 if name != "gamma" else 4e-15)


@pytest.mark.parametrize("x", [9.9, 10.1, 30.0, 1e4])
def test_slopes_keep_their_digits_far_out(x):
    with mp.workdps(300):
        v = mp.mpf(x)
        scaled = 2 * v * mp.exp(v * v) * mp.erfc(v) - 2 / mp.sqrt(mp.pi)
        series = -sum(mp.fac2(2 * k - 1) / (2 * v * v) ** k for k in range(1, 90)) if x > 10 else None
    np.testing.assert_allclose(float(grad(special.erfcx)(np.float64(x))), float(scaled), rtol=1e-13 if x > 10 else 2e-13)
    if series:
        np.testing.assert_allclose(float(grad(special.dawsn)(np.float64(x))), float(series), rtol=1e-13)


@given(st.integers(0, 40), st.floats(1e-3, 300))
@settings(max_examples=30)
def test_expn_is_scipys(n, x):
    np.testing.assert_allclose(special.expn(n, np.float64(x)), scipy.special.expn(n, x), rtol=2e-13, atol=1e-300)


def test_expn_jitted_with_its_derivative_and_its_ends():
    n, x = np.repeat([0.0, 1.0, 2.0, 7.0, 60.0], 12), np.tile(np.geomspace(1e-3, 300, 12), 5)
    np.testing.assert_allclose(jit(special.expn)(n, x), scipy.special.expn(n, x), rtol=2e-13)
    slope = vmap(grad(lambda x: special.expn(2, x)))(jnp.array(x[:12]))
    np.testing.assert_allclose(slope, -scipy.special.expn(1, x[:12]), rtol=1e-12)
    check_grads(lambda x: special.expn(1, x), (np.array([0.3, 2.0]),), order=2, atol=1e-4, rtol=1e-4)
    ends = [special.expn(0, 0.0), special.expn(1, 0.0), special.expn(3, 0.0), special.expn(2, np.inf), special.expn(-1, 1.0)]
    np.testing.assert_array_equal(ends, [np.inf, np.inf, 0.5, 0.0, np.nan])
    with pytest.raises(errors.NonDifferentiableError, match="the order n"):
        grad(special.expn)(2.0, 1.0)


def test_bessel_functions_of_whole_order_are_mpmaths():
    z = np.array([[0.0, 1e-3, 0.7], [-4.0, 26.0, 200.0]])
    wanted = [[[float(mp.besselj(n, v)) for v in row] for row in z] for n in range(13)]
    for f in (special.bessel_jn, jit(special.bessel_jn, static_argnames="v")):
        got = f(z, v=12)
        assert got.shape == (13, 2, 3)
        np.testing.assert_allclose(got, wanted, rtol=1e-13, atol=1e-15)
    check_grads(lambda z: special.bessel_jn(z, v=3), (np.array([0.5, 3.0]),), order=2, atol=1e-4, rtol=1e-4)
    with pytest.raises(errors.DTypeError, match=r"bessel_jn: v must be a whole number"):
        special.bessel_jn(1.0, v=1.5)


def test_poch_comb_and_transforms_are_scipys():
    z, m = (v.ravel() for v in np.meshgrid([0.3, 2.0, 7.5, 40.0, -0.5, -3.5], [0.0, 0.5, 1.0, 3.0, -0.25]))
    for f in (special.poch, jit(special.poch)):
        np.testing.assert_allclose(f(z, m), scipy.special.poch(z, m), rtol=2e-13)
        np.testing.assert_array_equal(f(np.array([-3.0, -3.0, -1.0, 3.0]), np.array([2.0, 5.0, 2.0, 0.0])), [6.0, 0.0, 0.0, 1.0])
    n, k = (v.ravel() for v in np.meshgrid([0.0, 1.0, 5.0, 30.0, 100.0, 4.5, -1.0], [0.0, 1.0, 3.0, 17.0, -2.0]))
    for f in (special.comb, jit(special.comb)):
        np.testing.assert_allclose(f(n, k), scipy.special.comb(n, k), rtol=1e-12)
    assert special.comb(5, 2, repetition=True) == 15 and special.comb(np.int64(10), np.int64(3)) == 120
    x, power = (v.ravel() for v in np.meshgrid([0.0, 1e-3, 0.5, 1.0, 3.0, -1.0], [0.0, 1e-12, 0.3, -2.0]))
    for name in ("boxcox", "boxcox1p"):
        for f in (getattr(special, name), jit(getattr(special, name))):
            np.testing.assert_allclose(f(x, power), getattr(scipy.special, name)(x, power), rtol=1e-13)
        check_grads(getattr(special, name), (np.array([0.5, 2.0]), np.array([0.0, 0.7])), order=2, atol=1e-4, rtol=1e-4)
    check_grads(special.poch, (np.array([0.7, 30.0]), np.array([0.6, 1.5])), order=1, atol=1e-4, rtol=1e-4)


def test_poch_keeps_its_digits_beside_poles_and_where_steps_are_small_beside_the_start():
    z = np.array([1e-10, 1e-30, 2.0000001, 0.9999999, 1e10, 1e10, 1e10, 1e10, 50.0, 2.0, 7.5])
    m = np.array([-1.0, -1.0, -10.0, -10.0, -10.0, 0.1, 1e-5, 3.7, -3.3, -5.0, -26.0])
    mp.mp.dps = 40
    exact = [float(mp.rf(mp.mpf(start), mp.mpf(steps))) if start != 2.0 else math.inf for start, steps in zip(z, m, strict=True)]
    for f in (special.poch, jit(special.poch)):
        np.testing.assert_allclose(f(z, m), exact, rtol=5e-14)
    by_both = jit(grad(lambda z, m: special.poch(z, m).sum(), (0, 1)))(z[4:9], m[4:9])
    moved = [
        [mp.diff(mp.rf, (start, steps), order) for order in ((1, 0), (0, 1))] for start, steps in zip(z[4:9], m[4:9], strict=True)
    ]
    np.testing.assert_allclose(by_both, np.array(moved, float).T, rtol=1e-8)
    narrow = special.poch(np.array([0.9999999], np.float32), np.array([-10.0], np.float32))
    np.testing.assert_allclose(narrow, [23.116747], rtol=1e-6)


@pytest.mark.parametrize("run", [lambda f: f, jit], ids=["eager", "jit"])
def test_comb_and_transforms_of_endless_numbers_are_their_limits(run):
    np.testing.assert_array_equal(run(special.comb)(np.array([1e20, 1e300, 7.0]), np.array([1e20, 1e300, 7.0])), 1)
    powers = np.array([0.0, 0.5, -2.0, np.nan])
    for f, least in ((special.boxcox, 0.0), (special.boxcox1p, -1.0)):
        np.testing.assert_array_equal(run(f)(np.full(4, np.inf), powers), [np.inf, np.inf, 0.5, np.nan])
        np.testing.assert_array_equal(run(f)(np.full(4, least), powers), [-np.inf, -2.0, -np.inf, np.nan])


def test_loggamma_of_complex_numbers_is_on_scipys_branch():
    z = (RNG.uniform(-15, 15, 60) + 1j * RNG.uniform(-40, 40, 60)).astype(np.complex128)
    for f in (special.loggamma, jit(special.loggamma)):
        np.testing.assert_allclose(f(z), scipy.special.loggamma(z), rtol=3e-13, atol=3e-13)
        np.testing.assert_allclose(f(np.array([3.0, -0.5])), [math.log(2), np.nan], rtol=1e-14)


def test_bernoulli_numbers_are_exact_fractions_rounded():
    numbers = np.asarray(special.bernoulli(30), np.float64)
    np.testing.assert_allclose(numbers, scipy.special.bernoulli(30), rtol=1e-6)
    assert special.bernoulli(0).tolist() == [1.0] and special.bernoulli(3).shape == (4,)
    for n in (1.5, -1):
        with pytest.raises(errors.DTypeError, match="bernoulli: n must"):
            special.bernoulli(n)


@pytest.mark.parametrize("name", ["i0", "exp1", "expi", "spence", "erfcx", "dawsn", "sici", "fresnel", "gammasgn"])
def test_complex_arguments_are_refused_by_name(name):
    with pytest.raises(errors.DTypeError, match=rf"scipy\.special\.{name}: takes real numbers, got complex"):
        getattr(special, name)(1j)


@pytest.mark.parametrize("name", ["gamma", "exp1", "i1", "dawsn", "erfcx", "spence"])
def test_a_batched_function_does_its_rows(name):
    x = np.array([[0.2, 1.5], [3.0, 11.0]])
    np.testing.assert_array_equal(vmap(getattr(special, name))(x), [getattr(special, name)(row) for row in x])


def test_wofz_is_mpmaths_in_every_part_of_the_plane():
    parts = [
        (x, y) for x in (0.0, 0.7, 2.3, 4.1, 6.4, 6.6, 20.0, -3.0) for y in (0.0, 1e-6, 0.05, 0.11, 1.0, 3.0, 6.6, 15.0, -0.5, -2.0)
    ]
    z = np.array([complex(*p) for p in parts])
    with mp.workdps(60):
        exact = [complex(mp.exp(-((w := mp.mpc(*p)) ** 2)) * mp.erfc(-1j * w)) for p in parts]
    for f in (special.wofz, jit(special.wofz)):
        found = np.asarray(f(z))
        assert np.max(np.abs(found / np.array(exact) - 1)) < 2e-14
        upper = z.imag >= 0
        np.testing.assert_allclose(found[upper].real, np.real(exact)[upper], rtol=2e-13)
        np.testing.assert_allclose(found[upper].imag, np.imag(exact)[upper], rtol=2e-13)
    assert f(np.float32(1.0)).dtype == np.complex64
    tangent = jvp(special.wofz, (jnp.array(0.7 + 0.4j, "complex128"),), (jnp.array(0.3 - 1j, "complex128"),))[1]
    w = scipy.special.wofz(0.7 + 0.4j)
    np.testing.assert_allclose(tangent, (-2 * (0.7 + 0.4j) * w + 2j / np.sqrt(np.pi)) * (0.3 - 1j), rtol=1e-12)


def test_owens_t_is_scipys_with_its_derivatives():
    h, a = (
        v.ravel() for v in np.meshgrid([0.0, 0.01, 0.3, -1.0, 2.5, 6.0, 15.0, np.inf], [0.0, 1e-5, 0.7, 1.0, -1.01, 7.0, np.inf])
    )
    for f in (special.owens_t, jit(special.owens_t)):
        np.testing.assert_allclose(f(h, a), scipy.special.owens_t(h, a), rtol=1e-11, atol=1e-300)
        np.testing.assert_allclose(f(10.0, np.array([1e-9, 1e-3])), [3.0697007229119912e-32, 3.0696485387984e-26], rtol=1e-8)
    check_grads(special.owens_t, (np.array([0.3, -1.2]), np.array([0.8, 2.0])), order=2, atol=1e-4, rtol=1e-4)
    np.testing.assert_array_equal(vmap(special.owens_t)(h, a), special.owens_t(h, a))


def test_spherical_harmonics_are_orthonormal_and_mpmaths():
    n = np.array([0, 1, 1, 3, 8, 20])
    m = np.array([0, 0, -1, 2, -5, 20])
    theta, phi = np.linspace(0.1, 3.0, 6), np.linspace(0.0, 6.0, 6)
    with mp.workdps(30):
        exact = [complex(mp.spherharm(int(a), int(b), t, p)) for a, b, t, p in zip(n, m, theta, phi, strict=True)]
    for f in (special.sph_harm_y, jit(special.sph_harm_y)):
        np.testing.assert_allclose(f(n, m, theta, phi), exact, rtol=1e-12)
    for degree, order in ((3, 2), (4, -1), (1, 1)):

        def real(t, degree=degree, order=order):
            return special.sph_harm_y(degree, order, t, 0.3).real

        check_grads(real, (np.array([0.0, 0.5, 3.0]),), order=2, atol=1e-4, rtol=1e-4)
    np.testing.assert_array_equal(special.sph_harm_y(10, 2, 0.3, 0.1, n_max=6), special.sph_harm_y(6, 2, 0.3, 0.1))
    assert special.sph_harm_y(1, 2, 0.5, 0.5) == 0
    with pytest.raises(errors.DTypeError, match=r"sph_harm_y: n must be whole numbers, got f"):
        special.sph_harm_y(1.0, 0, 0.5, 0.5)
    with pytest.raises(errors.ArgumentError, match="diff_n"):
        special.sph_harm_y(1, 0, 0.5, 0.5, diff_n=1)


WHOLE = [np.tile([1.0, 2.0, 0.5], 8), np.repeat([1.0, 0.5], 12), np.tile([1.0, 2.0, 4.0, 6.0], 6),
         np.resize([0.3, 0.7, 0.95, 0.999999, -3.0], 24)]  # fmt: skip
HYPERGEOMETRIC = [RNG.uniform(0.05, 6, 40) for _ in range(3)]


@pytest.mark.parametrize(("name", "exact", "points"), [
    ("hyp1f1", mp.hyp1f1, [*HYPERGEOMETRIC[:2], RNG.uniform(-60, 60, 40)]),
    ("hyp1f1", mp.hyp1f1, [*HYPERGEOMETRIC[:2], RNG.uniform(-5000, 600, 40)]),
    ("hyp1f1", mp.hyp1f1, [RNG.uniform(-3, 3, 40), RNG.uniform(-2, 3, 40), RNG.uniform(-5, 5, 40)]),
    ("hyp2f1", lambda *p: mp.re(mp.hyp2f1(*p)), [*HYPERGEOMETRIC, RNG.uniform(-1, 1, 40)]),
    ("hyp2f1", lambda *p: mp.re(mp.hyp2f1(*p)), [*HYPERGEOMETRIC, -(10 ** RNG.uniform(0, 6, 40))]),
    ("hyp2f1", lambda *p: mp.re(mp.hyp2f1(*p)), WHOLE),
])  # fmt: skip
def test_hypergeometric_functions_are_mpmaths(name, exact, points):
    with mp.workdps(40):
        wanted = [exact(*map(mp.mpf, p)) for p in zip(*[v.tolist() for v in points], strict=True)]
    for f in (getattr(special, name), jit(getattr(special, name))):
        found = np.asarray(f(*points)).tolist()
        assert max(float(abs(v / w - 1)) for v, w in zip(found, wanted, strict=True) if 1e-280 < abs(w) < 1e300) < 3e-13


def test_hypergeometric_functions_have_derivatives_and_ends():
    a, b, c, x = np.array([0.7, 2.0]), np.array([1.5, 3.2]), np.array([2.2, 0.9]), np.array([-2.0, 0.6])
    check_grads(special.hyp1f1, (a, b, x), order=1, atol=1e-5, rtol=1e-5, eps=1e-5)
    check_grads(lambda x: special.hyp1f1(a, b, x), (x,), order=2, atol=1e-4, rtol=1e-4)
    check_grads(lambda x: special.hyp2f1(a, b, c, x), (x,), order=2, atol=1e-4, rtol=1e-4)
    mixed = vmap(grad(grad(special.hyp1f1, 0), 2))(a, b, x)
    swapped = vmap(grad(grad(special.hyp1f1, 2), 0))(a, b, x)
    np.testing.assert_allclose(mixed, swapped, rtol=1e-12)
    with pytest.raises(errors.NonDifferentiableError, match="the derivative of hyp2f1 by a parameter has no derivative here"):
        grad(grad(special.hyp2f1))(1.0, 2.0, 3.0, 0.5)
    for one, two in ((special.hyp1f1, special.hyp2f1), (jit(special.hyp1f1), jit(special.hyp2f1))):
        points = np.array([[0.0, 0.0, 1.0], [1.0, -1.0, 1.0], [-1.0, -2.0, 1.0], [2.0, 3.0, 0.0], [np.nan, 1.0, 1.0]]).T
        np.testing.assert_allclose(one(*points), [1.0, np.inf, 1.5, 1.0, np.nan])
        points = np.array(
            [[1.0, 1.0, 3.0, 1.0], [1.0, 1.0, 1.0, 1.0], [0.5, 0.5, 1.5, 2.0], [-2.0, 1.0, 3.0, 4.0], [1.0, 1.0, -1.0, 0.5]]
        ).T
        np.testing.assert_allclose(two(*points), [2.0, np.inf, np.nan, 1.0, np.inf], rtol=1e-13)


def wide_parameters(rng, count):
    """Of all sizes up to some hundreds, of both signs, whole ones, too."""
    size = 10 ** rng.uniform(-2, 2.5, count) * np.where(rng.random(count) < 0.4, -1, 1)
    return np.where(rng.random(count) < 0.2, np.round(size), size)


KNOWN_HARD = [(1.1312872241364562, 0.4217053661263295, 88.02570931111867, 0.9999098419940656), (3.0, 3.74, 106.3, 0.9875672),
              (-11.86389813299641, -141.99311883499666, 5.64982090291968, 0.99981207251036), (36.0, -51.9, 64.5, 0.9997),
              (-0.08, -60.97, 44.0, 0.9997), (104.65509133279926, 38.0, 0.8496182526983499, -0.15056926927553582)]  # fmt: skip


def test_hypergeometric_functions_of_large_parameters_have_six_digits_or_are_nan():
    rng = np.random.default_rng(17)
    a, b, c, x = (np.concatenate([wide_parameters(rng, 150), v]) for v in np.array(KNOWN_HARD).T)
    x = np.where(np.arange(x.size) < 150, np.where(rng.random(x.size) < 0.7, rng.uniform(-1, 1, x.size), -np.abs(x)), x)
    beside_pole, known = (-231.76579126047622, -180.46606430804377, -26.0), 0
    for name, points in (("hyp2f1", (a, b, c, x)), ("hyp1f1", (a, b, c)), ("hyp1f1", beside_pole)):
        points = [np.atleast_1d(v) for v in points]
        found = jit(getattr(special, name))(*points)
        np.testing.assert_array_equal(np.isnan(found), np.isnan(getattr(special, name)(*points)))
        for *numbers, value in zip(*[v.tolist() for v in points], np.asarray(found).tolist(), strict=True):
            if math.isfinite(value):
                with mp.workdps(40):
                    wanted = mp.re(getattr(mp, name)(*map(mp.mpf, numbers), maxprec=4000, maxterms=20000))
                    assert abs(value - wanted) <= 1e-6 * abs(wanted), (name, numbers)
                known += 1
    assert known > 200
    np.testing.assert_allclose(special.hyp2f1(*np.array(KNOWN_HARD[:2]).T), [1.0055140862186067, 1.1141], rtol=1e-4)


def test_a_zero_of_a_hypergeometric_function_is_zero_and_not_lost():
    for f in (lambda g: g, jit):
        kummer = f(special.hyp1f1)(np.array([2.0, 3.0, -1.0]), 1.0, np.array([-1.0, 2**0.5 - 2, 1.0]))
        gauss = f(special.hyp2f1)(np.array([-2.0, -1.0, -2.0]), np.array([3.0, 2.0, 1.5]), np.array([1.0, 1.0, 1.5]),
                                  np.array([(1 - 3**-0.5) / 2, 0.5, 1.0]))  # fmt: skip
        np.testing.assert_allclose([kummer, gauss], 0.0, atol=1e-15)


SLOPES = [
    *zip(*[v.tolist() for v in HYPERGEOMETRIC], RNG.uniform(-0.95, 0.999, 40).tolist(), strict=True),
    *zip(*[v[:12].tolist() for v in HYPERGEOMETRIC], (-(10 ** RNG.uniform(0, 4, 12))).tolist(), strict=True),
    *[(*p, x) for p in [(0.5, -1.5, 2.0), (2.0, -3.5, 1.0), (-2.0, 0.7, 1.5), (1.0, 2.0, 4.0)] for x in (0.4, 0.9, -3.0, 1.0)],
    (-2.0, 0.7, 1.5, 3.0), (0.0, 1.0, 2.0, 0.5), (3.0, -1.5, 2.0, 1.0), (1.0, -2.0, -3.0, 0.5),
]  # fmt: skip


def _slopes_by_mpmath(*point):
    """By each parameter, by central differences of 40 digits; of a polynomial's degree there is none outside x <= 1."""
    step = mp.mpf(10) ** -13

    def f(*parameters):
        return mp.re(mp.hyp2f1(*parameters, point[3])) if point[3] != 1 else gauss_at_one(*parameters)

    def gauss_at_one(a, b, c):
        return mp.gamma(c) * mp.gamma(c - a - b) * mp.rgamma(c - a) * mp.rgamma(c - b)

    found = []
    for k in range(3):
        above, below = list(map(mp.mpf, point[:3])), list(map(mp.mpf, point[:3]))
        above[k], below[k] = above[k] + step, below[k] - step
        found.append((f(*above) - f(*below)) / (2 * step))
    return found


@pytest.mark.parametrize("run", [lambda f: f, jit], ids=["eager", "jit"])
def test_gauss_function_has_its_slopes_by_the_parameters(run):
    with mp.workdps(40):
        wanted = np.array([[float(v) for v in _slopes_by_mpmath(*p)] for p in SLOPES]).T
    found = np.array([run(vmap(grad(special.hyp2f1, k)))(*np.array(SLOPES).T) for k in range(3)])
    known = np.ones(found.shape, bool)
    known[0, -4] = known[1, -1] = False  # no polynomial any more for x > 1, and with a pole of c
    assert np.isnan(found[~known]).all()
    np.testing.assert_allclose(found[known], wanted[known], rtol=1e-11, atol=1e-13)


def test_zeta_has_its_slopes_by_both():
    s, q = RNG.uniform(1.01, 30, 40), RNG.uniform(0.05, 30, 40)
    with mp.workdps(40):
        wanted = [float(mp.diff(lambda t: mp.zeta(t, b), a)) for a, b in zip(s.tolist(), q.tolist(), strict=True)]  # noqa: B023
    for f in (vmap(grad(special.zeta)), jit(vmap(grad(special.zeta)))):
        np.testing.assert_allclose(f(s, q), wanted, rtol=1e-12)
    with mp.workdps(80):
        wanted = [float(mp.diff(lambda t: mp.zeta(t, b), a, 2)) for a, b in zip(s.tolist(), q.tolist(), strict=True)]  # noqa: B023
    for f in (vmap(grad(grad(special.zeta))), jit(vmap(grad(grad(special.zeta))))):
        np.testing.assert_allclose(f(s, q), wanted, rtol=1e-12)
    check_grads(special.zeta, (s + 1, q + 1), order=2, atol=1e-4, rtol=1e-4)
    check_grads(lambda q: vmap(grad(grad(special.zeta)))(s, q), (q + 1,), order=1, atol=1e-4, rtol=1e-4)
    with pytest.raises(errors.NonDifferentiableError, match="the second derivative of zeta by x has no derivative here"):
        grad(grad(grad(special.zeta)))(2.0, 1.0)
    mixed = [vmap(grad(grad(special.zeta, i), j))(s, q) for i, j in ((0, 1), (1, 0))]
    np.testing.assert_allclose(*mixed, rtol=1e-12)
    ends = np.array([[2.0, -0.5], [0.5, 1.0], [1.0, 1.0], [np.inf, 2.0]]).T
    np.testing.assert_array_equal(vmap(grad(special.zeta))(*ends), [np.nan, np.nan, np.nan, 0.0])
    np.testing.assert_array_equal(vmap(grad(grad(special.zeta)))(*ends), [np.nan, np.nan, np.nan, 0.0])


def test_comb_of_whole_numbers_has_the_slope_that_it_has_beside_them():
    for k in (0, 1):
        held = [5.0, 2.0]
        beside = [grad(special.comb, k)(*[np.float64(v + (i == k) * d) for i, v in enumerate(held)]) for d in (-1e-6, 1e-6)]
        np.testing.assert_allclose(grad(special.comb, k)(*map(np.float64, held)), np.mean(beside), rtol=1e-9)
    assert special.comb(5, 2) == 10 and jit(special.comb)(np.float64(30), 15.0) == 155117520


@pytest.mark.parametrize(
    "name", ["gammainc", "betainc", "hyp1f1", "hyp2f1", "owens_t", "poch", "comb", "boxcox", "loggamma", "expn", "wofz"]
)
def test_shapes_and_types_are_kept(name):
    f = getattr(special, name)
    count = {"betainc": 3, "hyp1f1": 3, "hyp2f1": 4, "loggamma": 1, "wofz": 1}.get(name, 2)
    for shape in ((0,), (), (2, 3)):
        assert f(*[jnp.full(shape, 0.5)] * count).shape == shape
    if count > 1:
        assert f(jnp.full((3, 1), 0.5), *[jnp.full(4, 0.5)] * (count - 1)).shape == (3, 4)
    for dtype in ("float16", "bfloat16", "float32", "float64"):
        wanted = {"wofz": "complex128" if dtype == "float64" else "complex64"}.get(name, dtype)
        assert f(*[jnp.full(2, 0.5, dtype)] * count).dtype == wanted
    assert f(*[jnp.array([1, 2])] * count).dtype == ("complex64" if name == "wofz" else "float32")
