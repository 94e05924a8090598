"""grad, jvp, vjp, linearize, jacfwd, jacrev and hessian: nested in every order, over pytrees, eagerly and under jit."""

from __future__ import annotations

import math

import numpy as np
import pytest

import jitgrad.numpy as jnp
from jitgrad import (
    Array,
    eval_shape,
    grad,
    hessian,
    jacfwd,
    jacrev,
    jit,
    jvp,
    linearize,
    stop_gradient,
    tree,
    value_and_grad,
    vjp,
    vmap,
)
from jitgrad.testing import assert_close, check_grads

X = np.linspace(-1.2, 1.4, 12).reshape(3, 4)
ROW = X[1]

both = pytest.mark.parametrize("mode", [lambda f: f, jit], ids=["eager", "jit"])


def energy(x):
    return jnp.sum(jnp.sin(x) ** 2 * x) + jnp.prod(x + 2)


def energy_gradient(x):
    """The derivative of `energy` by hand, a row at a time."""
    rest = np.prod(x + 2, axis=-1, keepdims=True) / (x + 2)
    return 2 * np.sin(x) * np.cos(x) * x + np.sin(x) ** 2 + rest


def difference(f, x, eps=1e-5):
    """The gradient of a scalar function of one array by central differences."""
    x = np.asarray(x, float)
    steps = np.eye(x.size).reshape(x.size, *x.shape) * eps
    return np.array([(float(f(x + s)) - float(f(x - s))) / (2 * eps) for s in steps]).reshape(x.shape)


def mlp_params():
    rng = np.random.default_rng(0)
    return [
        {"w": rng.standard_normal((4, 5)), "b": rng.standard_normal(5)},
        {"w": rng.standard_normal((5, 2)), "b": rng.standard_normal(2)},
    ]


def mlp(params, x):
    for layer in params[:-1]:
        x = jnp.tanh(x @ layer["w"] + layer["b"])
    return x @ params[-1]["w"] + params[-1]["b"]


def mlp_loss(params, x, y):
    return jnp.mean((mlp(params, x) - y) ** 2)


# Orders of transforms


def test_jit_of_vmap_of_grad_is_a_loop_of_gradients():
    assert_close(jit(vmap(grad(energy)))(X), energy_gradient(X), 1e-12)


def test_vmap_of_grad_of_jit_is_a_loop_of_gradients():
    assert_close(vmap(grad(jit(energy)))(X), energy_gradient(X), 1e-12)


def test_grad_of_jit_of_vmap_is_the_gradient_of_the_sum():
    total = jit(vmap(energy))
    assert_close(grad(lambda x: jnp.sum(total(x)))(X), energy_gradient(X), 1e-12)


def test_grad_of_vmap_of_jit_is_the_gradient_of_the_sum():
    total = vmap(jit(energy))
    assert_close(grad(lambda x: jnp.sum(total(x)))(X), energy_gradient(X), 1e-12)


def test_jit_of_grad_of_vmap_of_grad_differentiates_twice():
    def gradient_norm(x):
        return jnp.sum(vmap(grad(energy))(x) ** 2)

    expected = np.stack([difference(lambda r: np.sum(energy_gradient(r) ** 2), row) for row in X])
    assert_close(jit(grad(gradient_norm))(X), expected, 1e-6)
    assert_close(grad(gradient_norm)(X), expected, 1e-6)


def test_a_gradient_by_the_chain_rule_agrees_with_differences():
    assert_close(grad(energy)(ROW), difference(energy, ROW), 1e-7)


@both
def test_the_third_derivative_of_tanh_is_its_formula(mode):
    third = mode(grad(grad(grad(jnp.tanh))))
    for x in (-1.1, 0.0, 0.3, 2.0):
        t = math.tanh(x)
        assert_close(third(jnp.array(x, "float64")), np.array((1 - t * t) * (6 * t * t - 2)), 1e-12, 1e-14)


@pytest.mark.parametrize(
    "third",
    [
        lambda f: grad(jit(grad(jit(grad(f))))),
        lambda f: jit(grad(vmap_scalar(grad(jit(grad(f)))))),
        lambda f: jacfwd(grad(jacrev(f))),
        lambda f: jacrev(jacfwd(jit(grad(f)))),
        lambda f: lambda x: jvp(jit(grad(jacfwd(f))), (x,), (jnp.ones((), "float64"),))[1],
    ],
    ids=["grad of jit", "through vmap", "forward of reverse of reverse", "reverse of forward of jit", "jvp of jit"],
)
def test_third_derivatives_in_any_nesting_agree(third):
    x = jnp.array(0.4, "float64")
    t = math.tanh(0.4)
    assert_close(third(jnp.tanh)(x), np.array((1 - t * t) * (6 * t * t - 2)), 1e-12)


def vmap_scalar(f):
    return lambda x: vmap(f)(x[None])[0]


@both
def test_the_hessian_is_the_matrix_of_second_derivatives(mode):
    found = mode(hessian(energy))(ROW)
    expected = np.stack([difference(lambda x, i=i: energy_gradient(x)[i], ROW) for i in range(4)])
    assert_close(found, expected, 1e-7, 1e-8)
    for other in (jacrev(jacrev(energy)), jacfwd(jacfwd(energy)), jacrev(jacfwd(energy))):
        assert_close(mode(other)(ROW), found, 1e-12)


@both
def test_per_example_gradients_of_a_network_are_those_of_single_examples(mode):
    params, x, y = mlp_params(), X, np.ones((3, 2))
    found = mode(vmap(grad(mlp_loss), in_axes=(None, 0, 0)))(params, x, y)
    single = [grad(mlp_loss)(params, x[i], y[i]) for i in range(3)]
    assert_close(found, tree.map(lambda *g: np.stack([np.asarray(a) for a in g]), *single), 1e-12)


def test_derivatives_of_a_network_agree_with_differences():
    check_grads(mlp_loss, (mlp_params(), X, np.ones((3, 2))), order=2)
    check_grads(jit(mlp_loss), (mlp_params(), X, np.ones((3, 2))), order=2, modes=["rev"])


# Shared variables and closures


@both
@pytest.mark.parametrize(
    ("f", "expected"),
    [
        (lambda x: x * grad(lambda y: x + y)(1.0), 1.0),
        (lambda x: x * grad(lambda y: x * y)(2.0), 2 * 3.0),
        (lambda x: x * grad(lambda y: x * y * y)(x), 2 * 3 * 9.0),
        (lambda x: grad(lambda y: y * grad(lambda z: x * y * z)(1.0))(x), 2 * 2 * 3.0),
        (lambda x: jvp(lambda y: x * y, (1.0,), (1.0,))[1] * x, 2 * 3.0),
        (lambda x: jvp(lambda y: x * y, (2.0,), (x,))[1], 2 * 3.0),
        (lambda x: vjp(lambda y: x * y, 2.0)[1](x)[0], 2 * 3.0),
        (lambda x: linearize(lambda y: x * y * y, x)[1](x), 2 * 3 * 9.0),
        (lambda x: jnp.sum(vmap(lambda y: x * y * x)(jnp.array([1.0, 2.0]))), 2 * 3 * 3.0),
        (lambda x: grad(lambda y: stop_gradient(x) * y * x)(x), 3.0),
    ],
    ids=[
        "sum",
        "product",
        "square",
        "three levels",
        "jvp inside",
        "moved tangent",
        "pulled cotangent",
        "linearize",
        "vmap",
        "stop",
    ],
)
def test_nested_derivatives_do_not_confuse_their_variables(mode, f, expected):
    assert_close(mode(grad(f))(3.0), np.float32(expected), 1e-6)
    assert_close(mode(lambda x: jvp(f, (x,), (1.0,))[1])(3.0), np.float32(expected), 1e-6)


@both
def test_a_closure_two_levels_up_is_differentiated_by_the_level_that_owns_it(mode):
    def outer(a):
        def middle(b):
            def inner(c):
                return a * b * b * c * c * c

            return grad(inner)(b)

        return grad(middle)(a) + a

    # d/da of (d/db 3 a b^4 at b = a) + a = d/da (12 a^4 + a)... where a in the coefficient counts too
    assert_close(mode(grad(outer))(2.0), np.float32(48 * 8 + 1), 1e-6)


@both
def test_jitted_and_vmapped_functions_close_over_values_that_are_differentiated(mode):
    def f(w):
        scaled = jit(lambda x: jnp.sin(x) * w)
        rows = vmap(lambda r: jnp.sum(scaled(r)) * w)(X)
        return jnp.sum(rows)

    assert_close(mode(grad(f))(jnp.array(1.5, "float64")), 2 * 1.5 * np.sin(X).sum(), 1e-12)


# jvp, vjp, linearize


@both
def test_jvp_is_the_derivative_along_the_tangent(mode):
    value, tangent = mode(lambda x, v: jvp(energy, (x,), (v,)))(ROW, np.ones(4))
    assert_close(value, energy(ROW))
    assert_close(tangent, energy_gradient(ROW).sum(), 1e-12)


@both
def test_vjp_pulls_a_cotangent_back_to_every_argument(mode):
    def f(a, b):
        return {"product": a @ b, "sum": a + b.T}

    a, b = X, X.T * 2
    cotangent = {"product": np.arange(9.0).reshape(3, 3), "sum": X}

    def pulled(a, b, ct):
        out, pullback = vjp(f, a, b)
        return out, pullback(ct)

    out, (da, db) = mode(pulled)(a, b, cotangent)
    assert_close(out, f(a, b))
    assert_close(da, cotangent["product"] @ b.T + X, 1e-12)
    assert_close(db, a.T @ cotangent["product"] + X.T, 1e-12)


def test_a_pullback_can_be_used_again_with_another_cotangent():
    _, pullback = vjp(lambda x, y: x * y, jnp.array(3.0), jnp.array(4.0))
    assert_close(pullback(1.0), (np.float32(4), np.float32(3)))
    assert_close(pullback(2.0), (np.float32(8), np.float32(6)))


@both
def test_linearize_gives_jvp_for_any_tangents(mode):
    def f(p):
        return [jnp.sin(p["a"]) * p["b"], p["a"].sum()]

    point = {"a": ROW, "b": ROW * 2}

    def moved(p, v):
        _, push = linearize(f, p)
        return push(v), push(tree.map(lambda x: 3 * x, v))

    v = {"a": np.ones(4), "b": ROW}
    once, thrice = mode(moved)(point, v)
    assert_close(once, jvp(f, (point,), (v,))[1], 1e-12)
    assert_close(thrice, tree.map(lambda x: 3 * np.asarray(x), once), 1e-12)


def test_vmap_of_a_pullback_gives_rows_of_the_jacobian():
    _, pullback = vjp(jnp.sin, ROW)
    assert_close(vmap(pullback)(np.eye(4))[0], np.diag(np.cos(ROW)), 1e-12)


def test_an_output_that_does_not_depend_on_the_input_has_zero_derivatives():
    assert_close(grad(lambda x: jnp.sum(jnp.ones(3)))(ROW), np.zeros(4))
    assert_close(jvp(lambda x: (x, 5.0), (1.0,), (2.0,))[1], (np.float32(2), np.float32(0)))
    assert_close(jacrev(lambda x: jnp.ones(2))(ROW), np.zeros((2, 4)))
    assert_close(jacfwd(lambda x: jnp.ones(2, "float64"))(ROW), np.zeros((2, 4)))


# Arguments


def test_argnums_choose_the_arguments_that_are_differentiated():
    def f(a, b, c):
        return a * b**2 * c**3

    assert_close(grad(f, argnums=1)(2.0, 3.0, 1.0), np.float32(12))
    assert_close(grad(f, argnums=-1)(2.0, 3.0, 1.0), np.float32(54))
    assert_close(grad(f, argnums=(2, 0))(2.0, 3.0, 1.0), (np.float32(54), np.float32(9)))
    assert_close(grad(f, argnums=(1,))(2.0, 3.0, 1.0), (np.float32(12),))
    assert_close(jit(grad(f, argnums=[0, 1]))(2.0, 3.0, 1.0), (np.float32(9), np.float32(12)))
    assert_close(jacfwd(f, argnums=(0, 2))(2.0, 3.0, 1.0), (np.float32(9), np.float32(54)))


@both
def test_value_and_grad_gives_the_value_and_with_has_aux_the_rest(mode):
    def f(x, scale):
        y = jnp.sin(x) * scale
        return jnp.sum(y), {"y": y, "none": None}

    (value, aux), gradient = mode(value_and_grad(f, has_aux=True))(ROW, 2.0)
    assert_close(value, 2 * np.sin(ROW).sum(), 1e-12)
    assert_close(aux, {"y": 2 * np.sin(ROW), "none": None}, 1e-12)
    assert_close(gradient, 2 * np.cos(ROW), 1e-12)
    gradient, aux = mode(grad(f, has_aux=True))(ROW, 2.0)
    assert_close(gradient, 2 * np.cos(ROW), 1e-12)
    assert isinstance(aux["y"], Array)
    assert float(aux["y"][0]) == pytest.approx(2 * np.sin(ROW[0]))


def test_auxiliary_results_may_be_anything_outside_jit():
    gradient, aux = grad(lambda x: (x * x, {"name": "loss", "x": x}), has_aux=True)(3.0)
    assert float(gradient) == 6
    assert aux["name"] == "loss"
    assert float(aux["x"]) == 3


def test_jacobians_and_vjp_and_jvp_take_auxiliary_results():
    def f(x):
        return x**2, x + 1

    assert_close(jacrev(f, has_aux=True)(ROW), (np.diag(2 * ROW), ROW + 1), 1e-12)
    assert_close(jacfwd(f, has_aux=True)(ROW), (np.diag(2 * ROW), ROW + 1), 1e-12)
    value, pullback, aux = vjp(f, ROW, has_aux=True)
    assert_close((value, aux, pullback(np.ones(4))), (ROW**2, ROW + 1, (2 * ROW,)), 1e-12)
    assert_close(jvp(f, (ROW,), (np.ones(4),), has_aux=True), (ROW**2, 2 * ROW, ROW + 1), 1e-12)
    assert_close(hessian(lambda x: (jnp.sum(x**3), x), has_aux=True)(ROW)[0], np.diag(6 * ROW), 1e-12)


@both
def test_keyword_arguments_pass_through_and_are_not_differentiated(mode):
    def f(x, *, power, scale=2.0):
        return jnp.sum(scale * x**power)

    assert_close(mode(lambda x: grad(f)(x, power=3))(ROW), 6 * ROW**2, 1e-12)
    assert_close(grad(f)(ROW, power=2, scale=1.0), 2 * ROW, 1e-12)
    assert_close(grad(jit(f))(ROW, power=2.0, scale=1.0), 2 * ROW, 1e-12)


def test_integer_arguments_may_stand_beside_differentiated_ones():
    def f(x, n):
        return jnp.sum(x * n), n + 1

    index = np.array([1, 2, 3, 4])
    gradient, following = jit(grad(f, has_aux=True))(ROW, index)
    assert_close(gradient, index.astype(float))
    assert_close(following, index + 1)


def test_an_integer_input_has_a_tangent_of_type_float0():
    gradient = grad(lambda x, n: x * n, argnums=(0, 1), allow_int=True)(2.0, 3)
    assert float(gradient[0]) == 3
    assert gradient[1].dtype.names == ("float0",)
    _, pullback = vjp(lambda x, i: x * i, 2.0, np.arange(3))
    assert pullback(np.ones(3, np.float32))[1].shape == (3,)


def test_functions_are_differentiated_with_python_numbers_and_numpy_arrays():
    assert float(grad(lambda x: x**3)(2.0)) == 12
    assert_close(grad(lambda x: jnp.sum(x**2))(ROW.astype(np.float32)), 2 * ROW.astype(np.float32))
    assert grad(lambda x: x**2)(np.float32(2)).dtype == np.float32
    assert grad(lambda x: x**2)(np.ones((), ">f8")).dtype == np.float64


def test_a_gradient_has_the_type_of_its_argument():
    def f(a, b):
        return jnp.sum(a.astype("float64") * b)

    da, db = grad(f, argnums=(0, 1))(jnp.ones(3, "float32"), jnp.ones(3, "float64"))
    assert (da.dtype, db.dtype) == (np.float32, np.float64)
    da, db = jit(grad(f, argnums=(0, 1)))(jnp.ones(3, "float32"), jnp.ones(3, "float64"))
    assert (da.dtype, db.dtype) == (np.float32, np.float64)


@both
def test_a_holomorphic_derivative_is_the_complex_one(mode):
    z = np.array([0.3 + 0.4j, -1.0 + 0.2j])
    assert_close(mode(vmap(grad(lambda z: jnp.sin(z) * z, holomorphic=True)))(z), np.cos(z) * z + np.sin(z), 1e-12)
    assert_close(mode(jacfwd(lambda z: z**2, holomorphic=True))(z), np.diag(2 * z), 1e-12)
    assert_close(mode(jacrev(lambda z: z**2, holomorphic=True))(z), np.diag(2 * z), 1e-12)


def test_the_gradient_of_a_real_function_of_a_complex_number_follows_jax():
    """For f = u(x, y), jax's gradient is du/dx - i du/dy, so a step of descent goes along its conjugate."""
    z = jnp.array(1.0 + 2.0j)
    assert complex(grad(lambda z: jnp.real(z) ** 2 + jnp.imag(z) ** 3)(z)) == pytest.approx(2 - 12j)
    assert complex(grad(lambda z: jnp.abs(z) ** 2)(z)) == pytest.approx(2 - 4j, rel=1e-5)


# Pytrees


def pytree_function(p, q):
    return {"a": jnp.outer(p["x"], p["y"][0]) * q, "b": (jnp.sum(p["x"] ** 2) * p["y"][1], jnp.cos(q))}


@both
def test_jacobians_of_pytrees_agree_in_both_modes_and_with_differences(mode):
    p = {"x": ROW[:2], "y": [ROW[1:], np.float64(0.7) * np.ones(())]}
    q = np.array(1.3)
    forward = mode(jacfwd(pytree_function, argnums=(0, 1)))(p, q)
    reverse = mode(jacrev(pytree_function, argnums=(0, 1)))(p, q)
    assert_close(forward, reverse, 1e-12, 1e-15)
    assert forward["a"][0]["y"][0].shape == (2, 3, 3)
    assert forward["b"][1][0]["x"].shape == (2,)
    by_x = [difference(lambda x, i=i: pytree_function({**p, "x": x}, q)["a"].reshape(-1)[i], p["x"]) for i in range(6)]
    assert_close(forward["a"][0]["x"], np.reshape(by_x, (2, 3, 2)), 1e-7, 1e-9)
    assert_close(forward["b"][1][1], -np.sin(1.3), 1e-12)


def test_the_hessian_of_a_pytree_has_a_block_for_each_pair():
    def f(p):
        return jnp.sum(p["a"] ** 2) * p["b"]

    blocks = jit(hessian(f))({"a": ROW, "b": np.array(2.0)})
    assert_close(blocks["a"]["a"], 4 * np.eye(4), 1e-12)
    assert_close(blocks["a"]["b"], 2 * ROW, 1e-12)
    assert_close(blocks["b"]["a"], 2 * ROW, 1e-12)
    assert_close(blocks["b"]["b"], np.zeros(()))


def test_gradients_of_matrices_of_unequal_shapes_keep_their_places():
    def f(p):
        return sum(jnp.sum(jnp.sin(x) * (i + 1)) for i, x in enumerate(p))

    p = (X, np.array(0.5), ROW, np.zeros((0, 3)))
    assert_close(jit(grad(f))(p), tuple((i + 1) * np.cos(x) for i, x in enumerate(p)), 1e-12)


def test_eval_shape_of_a_gradient_is_the_shape_of_its_argument():
    shapes = eval_shape(grad(mlp_loss), mlp_params(), X, np.ones((3, 2)))
    assert shapes[0]["w"].shape == (4, 5)
    assert shapes[1]["b"].dtype == np.float64


# Python's numbers


@both
def test_results_for_python_numbers_stay_of_the_default_type(mode):
    value, gradient = mode(value_and_grad(lambda x: x * x * 3))(2.0)
    assert (value.dtype, gradient.dtype) == (np.float32, np.float32)
    assert (value * np.ones(1)).dtype == np.float64
    out, tangent = mode(lambda x, v: jvp(lambda x: x * 3, (x,), (v,)))(2.0, 1.0)
    assert (out.dtype, tangent.dtype) == (np.float32, np.float32)


def test_derivatives_do_not_change_the_arrays_they_are_given():
    wide = jnp.array(2.0, "float64")
    vjp(lambda x: x, 1.0)[1](wide)
    jvp(lambda x: x, (1.0,), (wide,))
    jvp(lambda x: (x, wide), (1.0,), (1.0,))
    vmap(lambda x: (x, wide), out_axes=(0, None))(np.ones(2))
    assert wide.dtype == np.float64


def test_hessian_vector_products_in_either_order_agree():
    v = jnp.arange(4.0, dtype="float64")
    expected = np.asarray(hessian(energy)(ROW)) @ np.asarray(v)
    assert_close(jvp(grad(energy), (ROW,), (v,))[1], expected, 1e-12)
    assert_close(grad(lambda x: jnp.vdot(grad(energy)(x), v))(ROW), expected, 1e-12)
    assert_close(jit(lambda x: grad(lambda x: jvp(energy, (x,), (v,))[1])(x))(ROW), expected, 1e-12)
