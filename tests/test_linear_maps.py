"""What derivatives take and give: functions and not their results, integers and float0, pullbacks and pushforwards as pytrees."""

from __future__ import annotations

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import errors, grad, jacrev, jit, jvp, linearize, value_and_grad, vjp, vmap
from jitgrad.test_util import check_grads, check_jvp, check_vjp
from jitgrad.testing import assert_close

X = np.array([0.3, -1.2, 2.0])
NOTHING = np.zeros((), jitgrad.float0)


def product(x, n):
    return (x * n).sum()


def is_nothing(x, shape):
    return x.dtype == jitgrad.float0 and x.shape == shape


@pytest.mark.parametrize("wrap", [lambda f: f, jit], ids=["eager", "jit"])
def test_gradients_of_integers_are_float0(wrap):
    both = wrap(grad(product, (0, 1), allow_int=True))
    by_x, by_n = both(2.0, 3)
    assert float(by_x) == 3.0 and is_nothing(by_n, ())
    by_x, by_n = both(X, np.arange(3))
    assert_close(by_x, np.arange(3.0))
    assert is_nothing(by_n, (3,))
    value, found = wrap(value_and_grad(lambda p: p["x"] * p["n"] * p["on"], allow_int=True))({"x": 2.0, "n": 3, "on": True})
    assert (float(value), float(found["x"])) == (6.0, 3.0) and is_nothing(found["n"], ()) and is_nothing(found["on"], ())
    by_x, by_n = wrap(lambda x, n: vjp(product, x, n)[1](1.0))(2.0, 3)
    assert float(by_x) == 3.0 and is_nothing(by_n, ())
    by_x, by_n = wrap(vmap(both))(X, np.arange(3))
    assert_close(by_x, np.arange(3.0))
    assert is_nothing(by_n, (3,))


@pytest.mark.parametrize("wrap", [lambda f: f, jit], ids=["eager", "jit"])
def test_float0_goes_into_derivatives_and_programs(wrap):
    n, moved = wrap(lambda t: jvp(lambda n: n, (3,), (t,)))(NOTHING)
    assert int(n) == 3 and is_nothing(moved, ())
    assert float(wrap(lambda t: vjp(lambda x: (x, 3), 2.0)[1]((1.0, t))[0])(NOTHING)) == 1.0
    moved = wrap(lambda t: linearize(lambda x, n: (x * n, n), 2.0, 3)[1](1.0, t))(NOTHING)
    assert float(moved[0]) == 3.0 and is_nothing(moved[1], ())
    nothing, doubled = wrap(lambda t, x: (t, x * 2))(np.zeros((2, 3), jitgrad.float0), 2.0)
    assert is_nothing(nothing, (2, 3)) and float(doubled) == 4.0
    by_x, by_n = jacrev(product, (0, 1), allow_int=True)(X, np.arange(3))
    assert_close(by_x, np.arange(3.0))
    assert by_n.shape == (3,) and not np.any(by_n)


@pytest.mark.parametrize(
    "transform", ["grad", "value_and_grad", "jacfwd", "jacrev", "jacobian", "hessian", "jit", "vmap", "checkpoint", "custom_jvp"]
)
def test_a_transform_of_a_result_says_at_once_that_it_wants_the_function(transform):
    name = {"value_and_grad": "grad", "jacobian": "jacrev", "hessian": "jacrev"}.get(transform, transform)
    with pytest.raises(TypeError, match=rf"{name} needs a function, got Array, the result .* write {name}\(f\)\(x\), not"):
        getattr(jitgrad, transform)(jnp.sum(jnp.ones(3)))
    with pytest.raises(errors.ArgumentError, match="needs a function, got NoneType|needs a function, got str"):
        getattr(jitgrad, transform)("text")


def test_transforms_of_results_that_take_arguments_say_it_too():
    for attempt in (lambda: jvp(3.0, (1.0,), (1.0,)), lambda: vjp(jnp.ones(2), 1.0), lambda: linearize((1.0,), 1.0)):
        with pytest.raises(errors.NotAFunctionError, match="needs a function, got"):
            attempt()


def test_functions_are_taken_by_jax_names():
    assert float(grad(fun=lambda x: x * x)(3.0)) == 6.0
    assert float(grad(lambda x, y: x * y, argnums=np.int64(1))(3.0, 4.0)) == 3.0
    assert_close(jitgrad.jacobian(lambda x: x * x)(X), np.diag(2 * X))
    second, aux = jitgrad.hessian(lambda x: ((x**3).sum(), x[0]), has_aux=True)(X)
    assert_close(second, np.diag(6 * X), 1e-12)
    assert float(aux) == 0.3
    assert_close(vjp(jnp.sin, X, reduce_axes=())[1](np.ones(3))[0], np.cos(X), 1e-12)
    with pytest.raises(errors.ArgumentError, match="reduce_axes is here for likeness"):
        grad(jnp.sin, reduce_axes=("batch",))


def test_pullbacks_and_pushforwards_are_pytrees_of_what_they_keep():
    value, pullback = jit(lambda x: vjp(lambda x: jnp.sin(x) * x, x))(X)
    assert_close(value, np.sin(X) * X, 1e-12)
    assert_close(pullback(np.ones(3))[0], np.cos(X) * X + np.sin(X), 1e-12)
    assert isinstance(pullback, jitgrad.tree_util.Partial)
    _, pushforward = jit(lambda x: linearize(jnp.sin, x))(X)
    assert_close(pushforward(np.ones(3)), np.cos(X), 1e-12)
    assert_close(jit(lambda f, g: f(g))(pullback, np.ones(3))[0], pullback(np.ones(3))[0], 1e-12)
    doubled = jitgrad.tree.map(lambda x: 2 * x, pushforward)
    assert_close(doubled(np.ones(3)), 2 * np.cos(X), 1e-12)
    many = vmap(lambda x: vjp(jnp.sin, x)[1])(X)
    assert_close(vmap(lambda f, g: f(g)[0])(many, np.ones(3)), np.cos(X), 1e-12)


def test_a_pullback_takes_one_cotangent():
    _, pullback = vjp(lambda x, y: (x, y), 1.0, 2.0)
    with pytest.raises(errors.ArgumentError, match="the pullback takes one cotangent, of the output's structure, got 2"):
        pullback(1.0, 2.0)
    with pytest.raises(errors.TreeStructureError):
        pullback(1.0)


def test_pullbacks_hold_values_of_outer_derivatives():
    def f(x):
        _, pullback = vjp(lambda y: jnp.sin(y) * x, x)
        return pullback(x)[0]

    assert_close(vmap(grad(f))(X), 2 * X * np.cos(X) - X**2 * np.sin(X), 1e-12)


def test_test_util_has_the_checks_of_derivatives():
    check_grads(jnp.sin, (0.5,), 2)
    check_jvp(jnp.sin, lambda p, t: jvp(jnp.sin, p, t), (X,))
    check_vjp(jnp.sin, lambda *p: vjp(jnp.sin, *p), (X,))
    with pytest.raises(AssertionError):
        check_vjp(jnp.sin, lambda *p: vjp(jnp.cos, *p), (X,))


@pytest.mark.parametrize("wrap", [lambda f: f, jit], ids=["eager", "jit"])
def test_second_derivatives_of_a_power_are_right_where_the_exponent_is_0(wrap):
    found = wrap(jitgrad.hessian(lambda v: v[0] ** v[1]))(np.array([4.0, 0.0]))
    assert_close(found, np.array([[0.0, 0.25], [0.25, np.log(4.0) ** 2]]), 1e-12)
    power = jitgrad.elementwise(lambda a, b: a**b)
    x, zero = np.asarray(4.0), np.asarray(0.0)
    assert_close(wrap(grad(grad(power), 1))(x, zero), 0.25, 1e-12)
    assert_close(wrap(grad(lambda x: x**zero))(zero), 0.0)
    assert_close(wrap(grad(power))(zero, zero), 0.0)
