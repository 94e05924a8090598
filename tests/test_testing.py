"""check_grads passes right derivatives and finds wrong ones; assert_close names what differs."""

from __future__ import annotations

import numpy as np
import pytest

import jitgrad.numpy as jnp
from jitgrad import errors, lax
from jitgrad.testing import assert_close, check_grads, check_jvp, check_vjp


def test_right_derivatives_pass_to_the_third_order():
    check_grads(lambda x: jnp.sin(x) * x**3, (np.array([0.3, 1.2], np.float32),), order=3)


def test_functions_of_pytrees_pass():
    def f(p, n):
        return {"out": p["a"] * p["b"] * n, "count": n}

    check_grads(f, ({"a": np.array([1.0, 2.0]), "b": 3.0}, np.array([2, 3])), order=2)


def test_a_function_of_one_kind_of_mode_is_checked_in_it():
    check_grads(jnp.tanh, (0.5,), order=2, modes=["rev"])
    check_grads(jnp.tanh, (0.5,), order=2, modes=["fwd"])


@pytest.mark.parametrize("mode", ["fwd", "rev"])
def test_a_missing_term_is_found(mode):
    with pytest.raises(AssertionError, match=f"{mode}.*differs from differences"):
        check_grads(lambda x: x * lax.stop_gradient(x), (np.array([1.0, 2.0]),), order=1, modes=[mode])


def test_a_wrong_second_derivative_is_found_by_order_two_alone():
    def f(x):
        fixed = lax.stop_gradient(x)
        return fixed**3 + 3 * fixed**2 * (x - fixed)

    check_grads(f, (np.array([1.5]),), order=1)
    with pytest.raises(AssertionError, match=r"of .*differs"):
        check_grads(f, (np.array([1.5]),), order=2)


def test_given_jvps_and_vjps_are_checked():
    check_jvp(jnp.sin, lambda p, t: (jnp.sin(*p), t[0] * jnp.cos(*p)), (0.5,))
    check_vjp(jnp.sin, lambda x: (jnp.sin(x), lambda ct: (ct * jnp.cos(x),)), (0.5,))
    with pytest.raises(AssertionError, match="jvp differs"):
        check_jvp(jnp.sin, lambda p, t: (jnp.sin(*p), t[0] * jnp.sin(*p)), (0.5,))
    with pytest.raises(AssertionError, match="value differs"):
        check_vjp(jnp.sin, lambda x: (jnp.cos(x), lambda ct: (ct,)), (0.5,))


def test_complex_functions_are_checked():
    check_grads(lambda z: z * z + jnp.conj(z), (np.array([1 + 2j, -0.5j]),), order=2)


def test_unknown_modes_are_an_error():
    with pytest.raises(errors.ArgumentError, match="modes"):
        check_grads(jnp.sin, (0.5,), order=1, modes=["forward"])


def test_assert_close_names_the_path_of_a_difference():
    with pytest.raises(AssertionError, match=r"\['a'\]\[1\]"):
        assert_close({"a": [1.0, 2.0]}, {"a": [1.0, 2.1]})
    assert_close({"a": np.float32(1.0)}, {"a": 1.0 + 1e-7})
    with pytest.raises(errors.TreeStructureError):
        assert_close([1.0], [1.0, 2.0])
