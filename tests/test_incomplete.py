"""The incomplete gamma and beta functions: against mpmath over all sizes of parameters, derivatives by every argument, ends."""

from __future__ import annotations

from functools import partial

import mpmath as mp
import numpy as np
import pytest
import scipy.special
from hypothesis import given, settings
from hypothesis import strategies as st

from jitgrad import errors, grad, jit, lax, vmap
from jitgrad.scipy import special
from jitgrad.testing import check_grads

RNG = np.random.default_rng(11)


def gamma_points(low, high, count=40):
    """Parameters of all sizes, arguments around the mean and in both tails."""
    a = 10 ** RNG.uniform(low, high, count)
    x = np.where(RNG.random(count) < 0.6, a + 3 * RNG.normal(size=count) * np.sqrt(a), a * 10 ** RNG.uniform(-1, 0.4, count))
    return a, np.abs(x)


def beta_points(low, high, count=30):
    a, b = 10 ** RNG.uniform(low, high, (2, count))
    mean = a / (a + b)
    near = mean + 2 * RNG.normal(size=count) * np.sqrt(mean * (1 - mean) / (a + b + 1))
    x = np.where((RNG.random(count) < 0.7) & (near > 0) & (near < 1), near, RNG.random(count))
    return a, b, x


GAMMA = [np.concatenate(v) for v in zip(*[gamma_points(*r) for r in ((-6, 0), (0, 1.7), (1.7, 2.7))], strict=True)]
BETA = [np.concatenate(v) for v in zip(*[beta_points(*r) for r in ((-4, 0.3), (-1, 1.8), (1, 2.2))], strict=True)]


def worst(found, exact, points):
    """The largest relative error where numbers are in range."""
    with mp.workdps(40):
        wanted = [exact(*map(mp.mpf, p)) for p in zip(*[v.tolist() for v in points], strict=True)]
        pairs = zip(np.asarray(found).tolist(), wanted, strict=True)
        return max(float(abs(f / w - 1)) for f, w in pairs if abs(w) > 1e-290)


@pytest.mark.parametrize(("name", "exact", "points"), [
    ("gammainc", lambda a, x: mp.gammainc(a, 0, x, regularized=True), GAMMA),
    ("gammaincc", lambda a, x: mp.gammainc(a, x, mp.inf, regularized=True), GAMMA),
    ("betainc", lambda a, b, x: mp.betainc(a, b, 0, x, regularized=True), BETA),
])  # fmt: skip
def test_a_compiled_function_has_13_digits_into_its_tails(name, exact, points):
    f = getattr(special, name)
    assert worst(jit(f)(*points), exact, points) < 1e-13
    np.testing.assert_allclose(f(*points), jit(f)(*points), rtol=2e-12)
    narrow = [v.astype(np.float32) for v in points]
    wanted = np.asarray(f(*[v.astype(np.float64) for v in narrow])).astype(np.float32)
    got = jit(f)(*narrow)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, wanted, rtol=1e-6, atol=1e-37)


@pytest.mark.parametrize(("name", "argument", "points"), [
    ("gammainc", 0, [v[::4] for v in GAMMA]), ("betainc", 0, [v[::4] for v in BETA]), ("betainc", 1, [v[1::4] for v in BETA]),
])  # fmt: skip
def test_derivatives_by_parameters_are_mpmaths(name, argument, points):
    def exact(*numbers):
        *parameters, x = numbers

        def at(v):
            moved = [v if n == argument else p for n, p in enumerate(parameters)]
            return mp.gammainc(*moved, 0, x, regularized=True) if name == "gammainc" else mp.betainc(*moved, 0, x, regularized=True)

        return mp.diff(at, parameters[argument], h=mp.mpf(10) ** -12)

    slopes = jit(vmap(grad(getattr(special, name), argument)))(*points)
    assert worst(slopes, exact, points) < 1e-11


def test_large_parameters_are_integrated_over():
    """Near the mean P is that of a normal number, with the first terms of Edgeworth's series; SciPy has lost all digits here."""
    a = np.array([1e4, 1e6, 1e8, 1e12])
    for f in (special.gammainc, jit(special.gammainc)):
        np.testing.assert_allclose(f(a, a), 0.5 + 1 / (3 * np.sqrt(2 * np.pi * a)), rtol=3e-9)
    for f in (special.betainc, jit(special.betainc)):
        np.testing.assert_allclose(f(a, a, np.full(4, 0.5)), 0.5, rtol=1e-15)
    np.testing.assert_allclose(grad(special.gammainc)(1e6, 1e6 + 3.0), -scipy.special.gammainc(1e6, 1e6) * 7.9788e-4, rtol=1e-2)


@given(st.floats(0.01, 50), st.floats(0.01, 50), st.floats(0, 1))
@settings(max_examples=25)
def test_eager_functions_are_scipys(a, b, x):
    np.testing.assert_allclose(special.betainc(np.float64(a), b, x), scipy.special.betainc(a, b, x), rtol=1e-12)
    np.testing.assert_allclose(special.gammaincc(np.float64(a), b), scipy.special.gammaincc(a, b), rtol=1e-12)


def test_derivatives_are_those_of_the_values():
    a, b, x = np.array([0.4, 2.0, 80.0]), np.array([1.5, 3.0, 70.0]), np.array([0.2, 0.7, 0.5])
    check_grads(special.betainc, (a, b, x), order=1, atol=1e-5, rtol=1e-4, eps=1e-5)
    check_grads(special.gammainc, (a, a * 1.1), order=1, atol=1e-5, rtol=1e-4, eps=1e-5)
    check_grads(lambda x: special.betainc(a, b, x), (x,), order=2, atol=1e-4, rtol=1e-3, eps=1e-5)
    check_grads(lambda x: special.gammaincc(a, x), (a * 1.1,), order=2, atol=1e-4, rtol=1e-3, eps=1e-5)
    mixed = grad(grad(special.gammainc, 0), 1)(np.float64(2.0), np.float64(1.5))
    swapped = (grad(special.gammainc, 1)(np.float64(2 + 1e-6), 1.5) - grad(special.gammainc, 1)(np.float64(2 - 1e-6), 1.5)) / 2e-6
    np.testing.assert_allclose(mixed, swapped, rtol=1e-6)
    for f, parameters in ((special.gammainc, (a, a * 1.1)), (special.gammaincc, (a, a * 0.9)), (special.betainc, (a, b, x))):
        check_grads(f, parameters, order=2, atol=1e-4, rtol=1e-3, eps=1e-5)
    check_grads(lax.random_gamma_grad, (a, a * 1.1), order=1, atol=1e-6, rtol=1e-5, eps=1e-5)
    check_grads(lambda x: grad(lambda a: special.gammainc(a, x).sum())(a), (a * 1.1,), order=2, atol=1e-4, rtol=1e-3, eps=1e-5)
    curvatures = (grad(grad(special.gammainc)), (2.0, 1.5)), (grad(grad(special.betainc), 1), (2.0, 1.5, 0.3))
    for f, parameters in (*curvatures, (grad(lax.random_gamma_grad), (2.0, 1.5))):
        with pytest.raises(errors.NonDifferentiableError, match="second derivative of an incomplete gamma or beta function"):
            grad(f)(*parameters)
    check_grads(lambda x: grad(lambda a: lax.random_gamma_grad(a, x).sum())(a), (a * 1.1,), order=1, atol=1e-6, rtol=1e-5, eps=1e-5)
    for n, m in ((0, 0), (0, 1), (1, 1)):
        second = grad(grad(special.betainc, n), m)
        check_grads(partial(second, np.float64(2.0), np.float64(1.5)), (np.float64(0.3),), order=1, atol=1e-6, rtol=1e-5, eps=1e-5)


@pytest.mark.parametrize(("name", "points"), [
    ("gammainc", [np.concatenate([v[::5], t]) for v, t in zip(GAMMA, ([1e-8, 1e-3, 1200.0], [1e-3, 20.0, 1201.0]), strict=True)]),
    ("betainc", [np.concatenate([v[::6], t]) for v, t in zip(BETA, (
        [1e-8, 2e-7, 3.0, 4e-9, 1e4], [8.0, 3e3, 2e-7, 3e-9, 9.9e3], [3e-8, 0.2, 1 - 1e-6, 0.3, 0.5]
    ), strict=True)]),
])  # fmt: skip
def test_second_derivatives_by_parameters_are_mpmaths(name, points):
    """Central differences, in 70 digits, of the smaller part of the whole."""

    def lower(*numbers):  # NIST DLMF 8.17.8, 8.11.4
        if name == "gammainc":
            a, x = numbers
            return x**a * mp.exp(-x) / mp.gamma(a + 1) * mp.hyp1f1(1, a + 1, x)
        a, b, x = numbers
        return x**a * (1 - x) ** b / (a * mp.beta(a, b)) * mp.hyp2f1(a + b, 1, a + 1, x)

    def part(*numbers):
        if name == "gammainc":
            a, x = numbers
            return lower(a, x) if x <= centre[0] else -mp.gammainc(a, x, mp.inf, regularized=True)
        a, b, x = numbers
        return lower(a, b, x) if x <= centre[0] / (centre[0] + centre[1]) else -lower(b, a, 1 - x)

    count, wanted = len(points) - 1, []
    with mp.workdps(70):
        for numbers in zip(*[v.tolist() for v in points], strict=True):
            *centre, x = map(mp.mpf, numbers)
            step = [min(p, 1) * mp.mpf(10) ** -18 for p in centre]

            def at(*signs, centre=centre, step=step, x=x):
                return part(*[p + s * h for p, s, h in zip(centre, signs, step, strict=True)], x)

            if count == 1:
                wanted.append([float((at(1) - 2 * at(0) + at(-1)) / step[0] ** 2)])
                continue
            by_a = (at(1, 0) - 2 * at(0, 0) + at(-1, 0)) / step[0] ** 2
            by_b = (at(0, 1) - 2 * at(0, 0) + at(0, -1)) / step[1] ** 2
            both = (at(1, 1) - at(1, -1) - at(-1, 1) + at(-1, -1)) / (4 * step[0] * step[1])
            wanted.append([float(by_a), float(both), float(by_b)])
    orders = [(0, 0)] if count == 1 else [(0, 0), (0, 1), (1, 1)]
    for order, exact in zip(orders, np.array(wanted).T, strict=True):
        found = jit(vmap(grad(grad(getattr(special, name), order[0]), order[1])))(*points)
        np.testing.assert_allclose(found, exact, rtol=1e-10, atol=1e-290)


def test_ends_are_limits_and_nan_is_outside():
    a, x = (v.ravel() for v in np.meshgrid([0.0, 0.5, 2.0, 90.0, np.inf, -1.0, np.nan], [0.0, 5e-324, 1.0, 1e300, np.inf, -1.0]))
    for name in ("gammainc", "gammaincc"):
        wanted = getattr(scipy.special, name)(a, x)
        for f in (getattr(special, name), jit(getattr(special, name))):
            np.testing.assert_allclose(f(a, x), wanted, rtol=1e-13)
    numbers = [[0.0, 1.0, 0.5, 0.5], [0.0, 0.0, 1.0, 0.3], [2.0, 3.0, 0.0, 0.0], [2.0, 3.0, 1.0, 1.0], [1.0, np.inf, 0.3, 1.0]]
    outside = [[-1.0, 1.0, 0.5, np.nan], [1.0, 1.0, 1.5, np.nan], [1.0, 1.0, np.nan, np.nan], [0.0, 0.0, 0.5, np.nan]]
    a, b, x, wanted = np.array([numbers[0][:3] + [1.0], *numbers[2:], *outside]).T
    for f in (special.betainc, jit(special.betainc)):
        np.testing.assert_array_equal(f(a, b, x), wanted)
    for name in ("gammainc", "gammaincc", "betainc"):
        with pytest.raises(errors.DTypeError, match=rf"scipy\.special\.{name}: takes real numbers"):
            getattr(special, name)(*[1j] * (3 if name == "betainc" else 2))


@pytest.mark.parametrize("run", [lambda f: f, jit], ids=["eager", "jit"])
def test_betainc_of_endless_and_tiny_parameters_is_its_limit(run):
    a = np.array([2.0, 1e-30, 1e-30, 1e20, 1e20, 0.5])
    b = np.array([0.0, 1e20, 1e300, 2.0, 1e-30, 1e20])
    x = np.array([1.0, 1e-30, 1e-30, 0.5, 1.0 - 1e-16, 1e-10])
    np.testing.assert_allclose(run(special.betainc)(a, b, x), scipy.special.betainc(a, b, x), rtol=1e-12, atol=1e-300)
    a = np.array([1e300, 1e300, 1e300, 1.7e308, 1e60, 1e-300, 3e-300, 3.0])
    b = np.array([1e300, 1e300, 1e300, 1.7e308, 3e60, 1e-300, 1e-300, 1.7e308])
    x = np.array([0.5, np.nextafter(0.5, 1), np.nextafter(0.5, 0), 0.5, 0.25, 0.5, 0.9, 1e-308])
    limits = [0.5, 1.0, 0.0, 0.5, 0.5, 0.5, 0.25, scipy.special.gammainc(3, 1.7)]
    np.testing.assert_allclose(run(special.betainc)(a, b, x), limits, rtol=1e-12)
    np.testing.assert_allclose(run(special.gammainc)(np.array([1e300, 1.7e308]), np.array([1e300, 1.7e308])), 0.5, rtol=1e-12)
    slopes = run(vmap(grad(special.betainc)))(
        np.array([1e20, 3.0, 1e100]), np.array([1e20, 1e300, 1e100]), np.array([0.5, 3e-300, 0.5])
    )
    np.testing.assert_allclose(
        slopes, [-2.820947917738781e-11, grad(special.gammainc)(3.0, 3.0), -2.820947917738781e-51], rtol=1e-6
    )


@pytest.mark.parametrize("run", [lambda f: f, jit], ids=["eager", "jit"])
def test_the_slope_of_a_draw_is_there_where_its_density_is_too_small_for_floats(run):
    """Differences of mpmath's roots of Q(a, x) = Q(a0, x0)."""
    a = np.array([1.0, 50.0, 0.5, 100.0, 1.0, 0.001])
    x = np.array([800.0, 300.0, 100.0, 1000.0, 1e4, 1e-10])
    slope = [7.2630758, 2.1566114, 6.5461231, 2.5620655, 9.787656, 2.2450279e-6]
    for dtype in ("float32", "float64"):
        np.testing.assert_allclose(run(lax.random_gamma_grad)(a.astype(dtype), x.astype(dtype)), slope, rtol=3e-7)
    check_grads(lambda x: lax.random_gamma_grad(a[:4] / 50, x), (a[:4] / 20,), order=1, atol=1e-5, rtol=1e-5)
    chance = np.float32(1e-42)  # x is 94, and its density no normal number
    moved = (special.gammainccinv(1.001, 1e-42) - special.gammainccinv(0.999, 1e-42)) / 0.002
    np.testing.assert_allclose(run(grad(special.gammainccinv))(np.float32(1), chance), moved, rtol=1e-3)


def test_inverses_bring_chances_back():
    p = np.concatenate([RNG.random(20), 10 ** RNG.uniform(-12, -1, 20), [0.0, 1.0]])
    a, b = 10 ** RNG.uniform(-1, 3, (2, p.size))
    for name, arguments in (("gammaincinv", (a, p)), ("gammainccinv", (a, p)), ("betaincinv", (a, b, p))):
        wanted = getattr(scipy.special, name)(*arguments)
        for f in (getattr(special, name), jit(getattr(special, name))):
            np.testing.assert_allclose(f(*arguments), wanted, rtol=1e-11)
            assert np.isnan(f(*[np.array([v]) for v in (2.0, 1.5)][: len(arguments) - 1], np.array([1.5]))).all()
    a, b, p = np.array([0.7, 5.0, 80.0]), np.array([2.0, 1.5, 90.0]), np.array([0.1, 0.6, 0.9])
    check_grads(special.gammaincinv, (a, p), order=1, atol=1e-5, rtol=1e-4, eps=1e-5)
    check_grads(special.betaincinv, (a, b, p), order=1, atol=1e-5, rtol=1e-4, eps=1e-5)
    check_grads(lambda q: special.gammainccinv(a, q), (p,), order=2, atol=1e-3, rtol=1e-3, eps=1e-5)
