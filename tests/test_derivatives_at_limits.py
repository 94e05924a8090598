"""Derivatives where a careless formula gives 0, nan or infinity: at zeros, far from them, and at infinities."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import nn
from jitgrad.errors import NonDifferentiableError
from jitgrad.scipy import special

SELU = 1.0507009873554805 * 1.6732632423543772


def slopes(f: Callable[..., Any], *points: float, dtype: str = "float64", argument: int = 0) -> list[float]:
    """The derivative by one argument: eager, compiled, of the compiled function, by forward mode, and under vmap."""
    x = [jnp.array(p, dtype) for p in points]
    by = jitgrad.grad(f, argument)
    alone = lambda v: f(*x[:argument], v, *x[argument + 1 :])  # noqa: E731
    batched = jitgrad.vmap(by)(*[v[None] for v in x])[0]
    return [
        float(v) for v in (by(*x), jitgrad.jit(by)(*x), jitgrad.grad(jitgrad.jit(f), argument)(*x),
                           jitgrad.jvp(alone, [x[argument]], [jnp.ones_like(x[argument])])[1], batched)
    ]  # fmt: skip


def second(f: Callable[..., Any], x: float) -> list[float]:
    return slopes(jitgrad.grad(f), x)


FAR = {
    "expm1 below": (jnp.expm1, -40.0, np.exp(-40.0)),
    "elu below": (nn.elu, -40.0, np.exp(-40.0)),
    "celu below": (nn.celu, -40.0, np.exp(-40.0)),
    "selu below": (nn.selu, -40.0, SELU * np.exp(-40.0)),
    "sigmoid below": (nn.sigmoid, -700.0, np.exp(-700.0)),
    "softplus below": (nn.softplus, -700.0, np.exp(-700.0)),
    "log_sigmoid above": (nn.log_sigmoid, 700.0, np.exp(-700.0)),
    "log_sigmoid below": (nn.log_sigmoid, -1e300, 1.0),
    "arcsinh": (jnp.arcsinh, 1e200, 1e-200),
    "sinc": (jnp.sinc, 1e60, 1e-60),
    "sinc near a whole number": (jnp.sinc, 200000.0, 5e-6),
    "log_ndtr above": (special.log_ndtr, 20.0, np.exp(-200.0) / np.sqrt(2 * np.pi)),
    "log_ndtr far above": (special.log_ndtr, 100.0, 0.0),
    "log_ndtr far below": (special.log_ndtr, -1e6, 1e6),
    "log_ndtr at 0": (special.log_ndtr, 0.0, np.sqrt(2 / np.pi)),
    "ndtr below": (special.ndtr, -30.0, np.exp(-450.0) / np.sqrt(2 * np.pi)),
    "arcsin beside 1": (jnp.arcsin, 1 - 2.0**-50, 2.0**24.5),
    "arctanh beside 1": (jnp.arctanh, 1 - 2.0**-50, 2.0**49),
}


@pytest.mark.parametrize("name", FAR)
def test_a_derivative_keeps_its_digits_far_out(name: str) -> None:
    f, x, wanted = FAR[name]
    np.testing.assert_allclose(slopes(f, x), wanted, rtol=1e-10, atol=1e-320)


@pytest.mark.parametrize("x", [14.0, 20.0, 100.0, -14.0, -100.0, -1e10])
def test_log_ndtr_has_a_finite_slope_everywhere_in_float32(x: float) -> None:
    wanted = np.exp(-x * x / 2) / np.sqrt(2 * np.pi) if x > 0 else -x + 1 / -x
    np.testing.assert_allclose(slopes(special.log_ndtr, x, dtype="float32"), wanted, rtol=1e-4, atol=1e-37)


AT_ZERO = {
    "xlogy by x": (special.xlogy, (0.0, 3.0), 0, np.log(3.0)),
    "xlogy by y": (special.xlogy, (0.0, 3.0), 1, 0.0),
    "xlogy(0, 0) by y": (special.xlogy, (0.0, 0.0), 1, 0.0),
    "xlog1py by x": (special.xlog1py, (0.0, 3.0), 0, np.log(4.0)),
    "xlog1py by y": (special.xlog1py, (0.0, 3.0), 1, 0.0),
    "entr": (special.entr, (0.0,), 0, np.inf),
    "entr below": (special.entr, (-1.0,), 0, 0.0),
    "entr at infinity": (special.entr, (np.inf,), 0, -np.inf),
    "the slope of entr at infinity": (jitgrad.grad(special.entr), (np.inf,), 0, 0.0),
    "the slope of entr beside 0": (jitgrad.grad(special.entr), (1e-320,), 0, -np.inf),
    "the slope of arccosh at 1": (jitgrad.grad(jnp.arccosh), (1.0,), 0, -np.inf),
    "the slope of arccosh beside 1": (jitgrad.grad(jnp.arccosh), (1 + 2.0**-30,), 0, -(2.0**43.5) * (1 + 2.0**-32)),
    "arccosh far out": (jnp.arccosh, (1e200,), 0, 1e-200),
    "the slope of cbrt at 0": (jitgrad.grad(jnp.cbrt), (0.0,), 0, -np.inf),
    "the slope of cbrt at -0": (jitgrad.grad(jnp.cbrt), (-0.0,), 0, np.inf),
    "cbrt at 0": (jnp.cbrt, (-0.0,), 0, np.inf),
    "entr of nan": (special.entr, (np.nan,), 0, np.nan),
    "rel_entr of nan": (special.rel_entr, (np.nan, 1.0), 0, np.nan),
    "rel_entr beside nan": (special.rel_entr, (1.0, np.nan), 0, np.nan),
    "kl_div where it overflows": (special.kl_div, (1.7e308, 1.0), 0, np.log(1.7e308)),
    "kl_div where it is infinite": (special.kl_div, (1.0, 0.0), 0, 0.0),
    "rel_entr by p": (special.rel_entr, (0.0, 2.0), 0, -np.inf),
    "rel_entr by q": (special.rel_entr, (0.0, 2.0), 1, 0.0),
    "rel_entr by q where it is 1": (special.rel_entr, (2.0, 1.0), 1, -2.0),
    "kl_div by q": (special.kl_div, (0.0, 2.0), 1, 1.0),
    "hypot": (jnp.hypot, (0.0, 0.0), 0, 0.0),
    "hypot beside 0": (jnp.hypot, (3e-200, 4e-200), 1, 0.8),
    "arctan2 beside 0": (jnp.arctan2, (3e-200, 4e-200), 0, 4e-200 / 5e-200 / 5e-200),
    "arctan2 far out": (jnp.arctan2, (3e200, 4e200), 1, -3e200 / 5e200 / 5e200),
    "frexp's fraction": (lambda x: jnp.frexp(x)[0], (3.0,), 0, 0.25),
    "frexp's fraction of a denormal": (lambda x: jnp.frexp(x)[0], (5e-324,), 0, np.inf),
    "modf's fraction of a whole number": (lambda x: jnp.modf(x)[0], (-2.0,), 0, 1.0),
    "ldexp": (lambda x: jnp.ldexp(x, -3), (0.0,), 0, 0.125),
    "remainder by x at a multiple": (jnp.remainder, (-4.0, 2.0), 0, 1.0),
    "remainder by y": (jnp.remainder, (-5.0, 3.0), 1, 2.0),
    "remainder by infinity": (jnp.remainder, (5.0, np.inf), 0, 1.0),
    "logaddexp at inf": (jnp.logaddexp, (np.inf, np.inf), 0, 0.5),
    "logaddexp at -inf": (jnp.logaddexp, (-np.inf, -np.inf), 1, 0.5),
    "logaddexp beside inf": (jnp.logaddexp, (np.inf, 1.0), 1, 0.0),
    "logaddexp beside -inf": (jnp.logaddexp, (-np.inf, 1.0), 1, 1.0),
    "ndtri in the tail": (special.ndtri, (1e-20,), 0, np.sqrt(2 * np.pi) * np.exp(9.262340089798408**2 / 2)),
    "logit beside 1/2": (special.logit, (0.5 + 2.0**-50,), 0, 4.0),
    "betaln of a large argument": (special.betaln, (1e20, 3.0), 0, -3e-20),
    "betaln of a small beside a large one": (special.betaln, (1e20, 3.0), 1, 0.9227843350984671 - np.log(1e20)),
    "betaln of two large ones": (special.betaln, (1e10, 2e10), 0, -np.log(3.0)),
}  # fmt: skip


@pytest.mark.parametrize("name", AT_ZERO)
def test_a_derivative_is_the_limit_from_inside(name: str) -> None:
    f, points, argument, wanted = AT_ZERO[name]
    np.testing.assert_allclose(slopes(f, *points, argument=argument), wanted, rtol=1e-9)


def test_a_cross_entropy_has_one_slope_for_every_label() -> None:
    def loss(t: Any) -> Any:
        return special.xlogy(t, 0.25) + special.xlogy(1 - t, 0.75)

    for t in (0.0, 0.5, 1.0):
        np.testing.assert_allclose(slopes(loss, t), np.log(0.25 / 0.75), rtol=1e-12)


def test_second_derivatives_are_right_at_their_limits() -> None:
    np.testing.assert_allclose(second(jnp.i0, 0.0), 0.5, rtol=1e-12)
    np.testing.assert_allclose(second(jnp.sinc, 0.0), -(np.pi**2) / 3, rtol=1e-6)
    np.testing.assert_allclose(second(special.log_ndtr, 0.0), -2 / np.pi, rtol=1e-12)
    np.testing.assert_allclose(second(special.ndtri, 0.5), 0.0, atol=1e-12)
    np.testing.assert_allclose(second(jnp.expm1, -40.0), np.exp(-40.0), rtol=1e-12)
    np.testing.assert_allclose(second(nn.softplus, 0.0), 0.25, rtol=1e-12)
    np.testing.assert_allclose(second(lambda x: jnp.logaddexp2(x, 0.0), 0.0), np.log(2) / 4, rtol=1e-12)
    np.testing.assert_allclose(second(jnp.arcsin, 1e-20), 1e-20, rtol=1e-9)
    assert second(jnp.arcsin, 1.0) == [np.inf] * 5
    assert second(lambda x: jnp.hypot(x, x), 0.0) == [0.0] * 5
    by_both = jitgrad.grad(jitgrad.grad(special.xlogy, 0), 1)(0.0, 4.0)
    np.testing.assert_allclose(by_both, 0.25, rtol=1e-6)


@pytest.mark.parametrize("f", [special.expn, special.polygamma])
def test_a_derivative_by_an_order_is_refused_and_not_zero(f: Callable[..., Any]) -> None:
    for run in (jitgrad.grad(f), jitgrad.jit(jitgrad.grad(f)), jitgrad.grad(jitgrad.jit(f)), jitgrad.jacfwd(f)):
        with pytest.raises(NonDifferentiableError, match="stop_gradient"):
            run(jnp.array(2.0), jnp.array(1.5))
    held = jitgrad.grad(lambda s, q: f(jitgrad.lax.stop_gradient(s), q), 1)(2.0, 1.5)
    np.testing.assert_allclose(held, jitgrad.grad(f, 1)(2.0, 1.5))


TIES = {
    (1.0, 2.0, 2.0, 2.0, 1.0): [[1, 0, 0, 0, 0], [0, 1, 0, 0, 0], [0, 1 / 2, 1 / 2, 0, 0], *[[0, 1 / 3, 1 / 3, 1 / 3, 0]] * 2],
    (0.0, -0.0, 1.0, 0.0): [[1, 0, 0, 0], [1 / 2, 1 / 2, 0, 0], [0, 0, 1, 0], [0, 0, 1, 0]],
    (np.inf, np.inf): [[1, 0], [1 / 2, 1 / 2]],
    (1.0, np.nan, 2.0): [[1, 0, 0], [0, 0, 0], [0, 0, 0]],
}  # fmt: skip
"""Elements, and the derivatives of each running maximum by each of them."""


@pytest.mark.parametrize("x", TIES)
@pytest.mark.parametrize(("name", "sign"), [("cummax", 1), ("cummin", -1)])
@pytest.mark.parametrize("reverse", [False, True])
def test_elements_that_tie_for_a_running_maximum_share_its_derivative(x: Any, name: str, sign: int, reverse: bool) -> None:
    def f(v: Any) -> Any:
        return getattr(jitgrad.lax, name)(v, reverse=reverse)

    wanted, v = np.array(TIES[x]), sign * jnp.array(x)
    if reverse:
        wanted, v = wanted[::-1, ::-1], v[::-1]
    for by in (jitgrad.jacrev(f), jitgrad.jacfwd(f), jitgrad.jit(jitgrad.jacrev(f)), jitgrad.jacrev(jitgrad.jit(f))):
        np.testing.assert_allclose(by(v), wanted, rtol=1e-6)
    twice = jitgrad.jit(jitgrad.vmap(jitgrad.jacrev(f)))(jnp.stack([v, v]))
    np.testing.assert_allclose(twice[1], wanted, rtol=1e-6)
