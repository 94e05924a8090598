"""config.debug_nans and debug_infs: the operation that made the first bad value is named, eager and compiled."""

from __future__ import annotations

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import errors, grad, jit, lax, vmap


@pytest.fixture(params=["debug_nans", "debug_infs"])
def setting(request):
    jitgrad.config.update(f"jax_{request.param}", True)
    yield request.param
    jitgrad.config.update(request.param, False)


BAD = {"debug_nans": (jnp.log, -1.0, "nan"), "debug_infs": (jnp.log, 0.0, "inf")}
MODES = {
    "eager": lambda f: f,
    "jit": jit,
    "jit in jit": lambda f: jit(lambda x: jit(f)(x) * 2),
    "vmap": lambda f: lambda x: vmap(f)(jnp.array([1.0, x])),
    "grad": lambda f: lambda x: grad(lambda y: f(y))(x),
    "grad of jit": lambda f: grad(jit(f)),
    "vjp of jit": lambda f: lambda x: jitgrad.vjp(jit(f), x),
}


@pytest.mark.parametrize("mode", MODES)
def test_the_operation_is_named(setting, mode):
    f, bad, word = BAD[setting]

    def g(x):
        y = x + 0.0
        return f(y) * 3.0 + 1.0

    run = MODES[mode](g)
    run(2.0)
    with pytest.raises(FloatingPointError, match=rf"invalid value \({word}\) encountered in log.*") as raised:
        run(bad)
    assert isinstance(raised.value, errors.InvalidValueError)
    run(2.0)


def test_a_compiled_program_names_the_function_and_the_line(setting):
    f, bad, _ = BAD[setting]

    @jit
    def model(x):
        return lax.fori_loop(0, 2, lambda i, y: y + 1.0, f(x))

    with pytest.raises(FloatingPointError, match=r"log of model \(test_nan_checks.py:\d+\)"):
        model(bad)


def test_nothing_is_looked_at_where_the_settings_are_off():
    f = jit(jnp.log)
    assert np.isnan(f(-1.0))
    jitgrad.config.debug_nans = True
    try:
        with pytest.raises(FloatingPointError):
            f(-1.0)
        with pytest.raises(FloatingPointError):
            jnp.log(-1.0)
        assert float(jit(lambda x: x + 1, donate_argnums=0)(jnp.ones(())) + 1) == 3
        assert f(np.arange(3)).shape == (3,)  # -inf is not looked for
    finally:
        jitgrad.config.debug_nans = False
    assert np.isnan(f(-1.0))
    assert np.isnan(jnp.log(-1.0))
