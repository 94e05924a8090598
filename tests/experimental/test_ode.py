"""odeint: jax's numbers, SciPy's solutions, gradients of all that a solution depends on, and times that are not reached."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.integrate

import jitgrad.numpy as jnp
from jitgrad import errors, grad, jit, jvp, value_and_grad, vmap
from jitgrad.experimental.ode import odeint

TIMES = np.array([0.0, 0.5, 1.7, 4.0])
START = np.array([3.0, 0.1])
DAMPING, PULL = np.float64(0.25), np.float64(5.0)


def pendulum(y, t, damping, pull):
    return jnp.stack([y[1], -damping * y[1] - pull * jnp.sin(y[0])])


def weighted(y, t, damping, pull):
    return (odeint(pendulum, y, t, damping, pull) * np.array([1.0, 2.0])).sum()


JAX = [
    [3.0, 0.1], [2.9636570987343855, -0.25297597025384566], [1.3759989509651733, -3.2161263698866374],
    [0.4106816609615145, 3.03357782290994],
]  # fmt: skip
JAX_ROUGH = [
    [3.0, 0.1], [2.9639051990340772, -0.25332188547507695], [1.3764110967947112, -3.211262421994964],
    [0.4164132366958179, 3.0422677254279415],
]  # fmt: skip
JAX_SHORT_STEPS = [
    [3.0, 0.1], [2.963657080555575, -0.25297596681689666], [1.3759986327854294, -3.2161268676805936],
    [0.4106834444382276, 3.033574909597606],
]  # fmt: skip
JAX_GRADIENTS = [
    [74.21785598827913, 33.63528708105481], [15.790956398716554, -1.8964690054067586, -11.418932296877962, -2.4755550964318327],
    -6.078123621156506, -3.2777684261309536,
]  # fmt: skip


@pytest.mark.parametrize(
    ("options", "want"),
    [({}, JAX), ({"rtol": 1e-3, "atol": 1e-3}, JAX_ROUGH), ({"rtol": 1e-3, "atol": 1e-3, "hmax": 0.1}, JAX_SHORT_STEPS)],
    ids=["exact", "rough", "short steps"],
)
def test_solutions_are_those_of_jax(options, want):
    solve = lambda y: odeint(pendulum, y, TIMES, DAMPING, PULL, **options)
    for f in (solve, jit(solve)):
        np.testing.assert_allclose(f(START), want, rtol=1e-10)


@pytest.mark.parametrize("compiled", [False, True])
def test_gradients_are_those_of_jax(compiled):
    f = grad(weighted, argnums=(0, 1, 2, 3))
    found = (jit(f) if compiled else f)(START, TIMES, DAMPING, PULL)
    for one, want in zip(found, JAX_GRADIENTS, strict=True):
        np.testing.assert_allclose(one, want, rtol=1e-7)


@pytest.mark.parametrize("place", range(4))
def test_gradients_are_finite_differences(place):
    arguments = [START, TIMES, DAMPING, PULL]
    rng = np.random.default_rng(place)
    direction = rng.standard_normal(np.shape(arguments[place]))
    moved = lambda h: weighted(*[a + h * direction if n == place else a for n, a in enumerate(arguments)])
    slope = (moved(1e-4) - moved(-1e-4)) / 2e-4
    np.testing.assert_allclose((grad(weighted, argnums=place)(*arguments) * direction).sum(), slope, rtol=1e-5)


def test_what_the_function_closes_over_has_a_gradient():
    def loss(pull):
        return odeint(lambda y, t: pendulum(y, t, DAMPING, pull), START, TIMES)[-1, 0]

    want = grad(lambda pull: odeint(pendulum, START, TIMES, DAMPING, pull)[-1, 0])(PULL)
    for f in (grad(loss), jit(grad(loss)), grad(jit(loss))):
        np.testing.assert_allclose(f(PULL), want, rtol=1e-7)


def test_second_derivatives():
    end = lambda rate: odeint(lambda y, t, r: -r * y, np.float64(2.0), np.array([0.0, 1.5]), rate)[-1]
    np.testing.assert_allclose(grad(grad(end))(np.float64(0.7)), 2 * 1.5**2 * np.exp(-0.7 * 1.5), rtol=1e-6)


def test_trees_of_real_and_complex_numbers_are_solved_together():
    def rates(y, t):
        return {"a": -y["a"] * y["b"][0].real, "b": y["b"] * jnp.cos(t) + 1j * y["a"]}

    start = {"a": np.float64(1.0), "b": np.array([0.5 + 0j, 2.0])}
    found = odeint(rates, start, TIMES)
    assert found["a"].shape == (4,) and found["b"].shape == (4, 2) and found["b"].dtype == np.complex128

    def flat(t, v):
        a, b = v[0], v[1::2] + 1j * v[2::2]
        db = b * np.cos(t) + 1j * a
        return [-a * b[0].real, db[0].real, db[0].imag, db[1].real, db[1].imag]

    want = scipy.integrate.solve_ivp(flat, (0, 4), [1.0, 0.5, 0, 2.0, 0], t_eval=TIMES, rtol=1e-10, atol=1e-10).y
    np.testing.assert_allclose(found["a"], want[0], rtol=1e-6)
    np.testing.assert_allclose(found["b"], (want[1::2] + 1j * want[2::2]).T, rtol=1e-6)


def test_each_row_of_vmap_takes_its_own_steps():
    starts = np.random.default_rng(0).standard_normal((5, 2))
    pulls = np.array([0.1, 1.0, 5.0, 40.0, 200.0])
    solve = lambda y, pull: odeint(pendulum, y, TIMES, DAMPING, pull)
    slopes = lambda y, pull: grad(lambda y, pull: solve(y, pull)[-1].sum(), argnums=(0, 1))(y, pull)
    for f in (vmap(solve), jit(vmap(solve))):
        for row, y, pull in zip(f(starts, pulls), starts, pulls, strict=True):
            np.testing.assert_allclose(row, solve(y, pull), rtol=1e-9, atol=1e-9)
    by_y, by_pull = jit(vmap(slopes))(starts, pulls)
    for n in range(5):
        one, two = slopes(starts[n], pulls[n])
        np.testing.assert_allclose(by_y[n], one, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(by_pull[n], two, rtol=1e-6, atol=1e-6)


def test_a_network_is_trained_through_its_solution():
    rng = np.random.default_rng(1)
    weights = {"in": rng.standard_normal((40, 30)) / 6, "out": rng.standard_normal((30, 40)) / 6}
    field = lambda y, t, w: jnp.tanh(y @ w["in"]) @ w["out"] * jnp.cos(t)
    loss = lambda w: (odeint(field, np.ones((3, 40)), np.array([0.0, 1.0]), w, rtol=1e-9, atol=1e-9)[-1] ** 2).sum()
    value, found = jit(value_and_grad(loss))(weights)
    direction = {name: rng.standard_normal(w.shape) for name, w in weights.items()}
    moved = lambda h: loss({name: w + h * direction[name] for name, w in weights.items()})
    np.testing.assert_allclose(value, moved(0.0), rtol=1e-10)
    slope = (moved(1e-4) - moved(-1e-4)) / 2e-4
    np.testing.assert_allclose(sum((found[n] * direction[n]).sum() for n in weights), slope, rtol=1e-4)


def test_types_follow_the_start_and_numbers_keep_their_digits():
    single = odeint(lambda y, t: -y, np.float32(1.0), np.array([0.0, 1.0]))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, [1, np.exp(-1)], rtol=1e-5)
    whole = odeint(lambda y, t: -y, np.array([1, 2]), np.array([0.0, 1.0]))
    assert whole.dtype == np.float32
    half = odeint(lambda y, t: -y, np.ones(2, np.float16), np.array([0.0, 1.0]))
    assert half.dtype == np.float16
    np.testing.assert_allclose(half[1], np.exp(-1), rtol=1e-3)
    assert odeint(lambda y, t: -y, np.ones((0, 2)), np.array([0.0, 1.0])).shape == (2, 0, 2)
    exact = odeint(lambda y, t, r: -r * y, np.float64(1.0), np.array([0.0, 1.0]), 0.1, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(exact[-1], np.exp(-0.1), rtol=1e-11)


def test_integers_among_the_arguments_have_no_gradient():
    decay = lambda y, t, rates, which: -rates[which] * y
    loss = lambda rates: odeint(decay, np.float64(1.0), np.array([0.0, 1.0]), rates, np.int32(1))[-1]
    np.testing.assert_allclose(jit(grad(loss))(np.array([1.0, 0.5])), [0, -np.exp(-0.5)], rtol=1e-6)


def test_times_that_are_not_reached_are_nan():
    few = odeint(pendulum, START, TIMES, DAMPING, PULL, mxstep=3)
    assert np.isfinite(few[0]).all() and np.isnan(few[-1]).all()
    blown_up = odeint(lambda y, t: y * y, np.float64(1.0), np.array([0.0, 0.5, 2.0, 3.0]))
    np.testing.assert_allclose(blown_up[:2], [1, 2], rtol=1e-6)
    assert np.isnan(blown_up[2:]).all()


def test_one_time_and_equal_times_give_the_start():
    np.testing.assert_array_equal(odeint(pendulum, START, TIMES[:1], DAMPING, PULL), [START])
    twice = odeint(pendulum, START, np.array([0.0, 0.0, 0.5, 0.5]), DAMPING, PULL)
    np.testing.assert_allclose(twice, [JAX[0], JAX[0], JAX[1], JAX[1]], rtol=1e-9)


WRONG = [
    (lambda: odeint(pendulum, START, np.arange(3), 0.1, 1.0), errors.DTypeError, "t must be floats, got int64"),
    (lambda: odeint(pendulum, START, np.float64(1.0), 0.1, 1.0), errors.ShapeError, r"t must be an array \[n\]"),
    (lambda: odeint(pendulum, START, TIMES[::-1].copy(), 0.1, 1.0), errors.ArgumentError, r"t\[0\] and t\[1\] are 4.0 and 1.7"),
    (lambda: odeint(pendulum, START, TIMES, 0.1, 1.0, rtol=-1.0), errors.ArgumentError, "rtol must be a number of 0 or more"),
    (lambda: odeint(lambda y, t: y[0], START, TIMES), errors.ShapeError, "func's result must be like y0"),
    (lambda: odeint(lambda y, t: (y,), START, TIMES), errors.TreeStructureError, "the result of func must have the structure"),
    (lambda: odeint(lambda y, t: 1j * y, START, TIMES), errors.ShapeError, r"must be like y0, f64\[2\], got c128\[2\]"),
    (lambda: odeint(3, START, TIMES), errors.JitgradError, "odeint"),
    (lambda: odeint(lambda y, t: y, [], TIMES), errors.ArgumentError, "y0 has no arrays"),
    (
        lambda: jvp(lambda y: odeint(pendulum, y, TIMES, 0.1, 1.0), (START,), (START,)),
        errors.NonDifferentiableError,
        "the custom_vjp function odeint: only its reverse",
    ),
]


@pytest.mark.parametrize(("call", "error", "message"), WRONG)
def test_wrong_arguments_say_what_was_expected(call, error, message):
    with pytest.raises(error, match=message):
        call()
