"""custom_linear_solve, custom_root, linear_transpose and closure_convert: values, derivatives of both modes and of higher order."""

from __future__ import annotations

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import closure_convert, errors, grad, hessian, jacfwd, jacrev, jit, jvp, lax, linear_transpose, make_graph, vjp, vmap
from jitgrad.testing import assert_close, check_grads
from jitgrad_compiler.ir import parse, verify
from jitgrad_compiler.ir.builder import bind_all
from jitgrad_compiler.ops.control import scan

RNG = np.random.default_rng(0)
A = RNG.standard_normal((3, 3)) + 4 * np.eye(3)
B = RNG.standard_normal(3)


def gauss_seidel(matrix, b):
    """The solution by elimination, written out: a solver whose own steps need not be differentiated."""
    a, x = matrix, b
    for k in range(3):
        factor = a[:, k] / a[k, k] * (jnp.arange(3) != k)
        a, x = a - factor[:, None] * a[k], x - factor * x[k]
    return x / jnp.diagonal(a)


def solve(a, b, **params):
    return lax.custom_linear_solve(
        lambda x: a @ x,
        b,
        lambda matvec, b: gauss_seidel(lax.stop_gradient(a), b),
        lambda vecmat, b: gauss_seidel(lax.stop_gradient(a).T, b),
        **params,
    )


# -- custom_linear_solve


@pytest.mark.parametrize("wrap", [lambda f: f, jit], ids=["eager", "jit"])
def test_a_solution_and_its_derivatives_are_those_of_the_inverse(wrap):
    assert_close(wrap(solve)(A, B), np.linalg.solve(A, B), 1e-10)
    check_grads(wrap(solve), (A, B), order=2, atol=1e-4, rtol=1e-4)
    inverse = np.linalg.inv(A)
    assert_close(wrap(jacrev(solve, 1))(A, B), inverse, 1e-10)
    assert_close(wrap(jacfwd(solve, 1))(A, B), inverse, 1e-10)
    wanted = -np.einsum("ij,k->ijk", inverse, inverse @ B)
    assert_close(wrap(jacrev(solve))(A, B), wanted, 1e-10)
    assert_close(jacrev(wrap(solve))(A, B), wanted, 1e-10)


def test_second_derivatives_of_solutions_agree_between_modes():
    def loss(a):
        return jnp.sum(jnp.sin(solve(a, B)))

    forward = jacfwd(jacfwd(loss))(A)
    for other in (hessian(loss)(A), jacrev(jacrev(loss))(A), jit(hessian(loss))(A), hessian(jit(loss))(A)):
        assert_close(other, forward, 1e-9)


@pytest.mark.parametrize("axes", [(0, 0), (None, 0), (0, None)])
def test_a_batch_of_systems_is_solved_example_by_example(axes):
    matrices, sides = A + 0.1 * RNG.standard_normal((4, 3, 3)), RNG.standard_normal((4, 3))
    a, b = (x if n is None else xs for x, xs, n in zip((A, B), (matrices, sides), axes, strict=True))
    rows = [(A if axes[0] is None else matrices[k], B if axes[1] is None else sides[k]) for k in range(4)]
    assert_close(vmap(solve, axes)(a, b), np.stack([np.linalg.solve(*row) for row in rows]), 1e-9)

    def loss(a, b):
        return jnp.sum(solve(a, b) ** 2)

    each = [grad(loss, (0, 1))(*row) for row in rows]
    wanted = tuple(np.stack([np.asarray(g[k]) for g in each]) for k in range(2))
    assert_close(vmap(grad(loss, (0, 1)), axes)(a, b), wanted, 1e-9)
    assert_close(jit(vmap(grad(loss, (0, 1)), axes))(a, b), wanted, 1e-9)
    total = grad(lambda a, b: jnp.sum(vmap(solve, axes)(a, b) ** 2), (0, 1))(a, b)
    assert_close(total, tuple(w.sum(0) if n is None else w for w, n in zip(wanted, axes, strict=True)), 1e-9)


def test_a_symmetric_system_needs_no_transposed_solver():
    def divide(a, b):
        return lax.custom_linear_solve(lambda x: a * x, b, lambda matvec, b: b / lax.stop_gradient(a), symmetric=True)

    check_grads(divide, (B + 5, B), order=3)
    check_grads(jit(divide), (B + 5, B), order=2)


def test_one_direction_is_enough_for_forward_mode():
    def divide(a, b):
        return lax.custom_linear_solve(lambda x: a * x, b, lambda matvec, b: b / lax.stop_gradient(a))

    check_grads(divide, (B + 5, B), order=2, modes=["fwd"])
    with pytest.raises(errors.NonDifferentiableError, match="transpose_solve is needed for reverse mode"):
        grad(lambda b: divide(B + 5, b).sum())(B)


def test_solvers_are_given_the_operator_and_its_transpose():
    def iterate(operator, b):
        x = b / 5
        for _ in range(60):
            x = x + (b - operator(x)) / 5
        return x

    a = np.array([[5.0, 1.0], [2.0, 4.0]])

    def solution(a, b):
        return lax.custom_linear_solve(lambda x: a @ x, b, iterate, iterate)

    b = np.array([1.0, 2.0])
    assert_close(solution(a, b), np.linalg.solve(a, b), 1e-9)
    assert_close(jacrev(solution, 1)(a, b), np.linalg.inv(a), 1e-8)
    assert_close(jit(jacrev(solution, 1))(a, b), np.linalg.inv(a), 1e-8)


def test_pytrees_and_auxiliary_values():
    def solution(scale, tree):
        def matvec(x):
            return {"p": scale["p"] * x["p"], "q": [scale["q"] * x["q"][0] + x["p"]]}

        def by_hand(_, b):
            p = b["p"] / scale["p"]
            return {"p": p, "q": [(b["q"][0] - p) / scale["q"]]}, {"steps": 3}

        def transposed(_, b):
            q = b["q"][0] / scale["q"]
            return {"p": (b["p"] - q) / scale["p"], "q": [q]}, {"steps": 4}

        return lax.custom_linear_solve(matvec, tree, by_hand, transposed, has_aux=True)

    scale, b = {"p": 2.0, "q": 4.0}, {"p": 6.0, "q": [11.0]}
    x, aux = jit(solution)(scale, b)
    assert_close(x, {"p": 3.0, "q": [2.0]}, 1e-6)
    assert int(aux["steps"]) == 3
    found = grad(lambda scale, b: solution(scale, b)[0]["q"][0], (0, 1))(scale, b)
    assert_close(found, ({"p": 3 / 8, "q": -0.5}, {"p": -1 / 8, "q": [0.25]}), 1e-6)


def test_the_equation_reads_back():
    graph = verify(make_graph(solve)(A, B))
    assert graph.eqns[-1].op.name == "linear_solve"
    assert parse(str(graph)) == graph


# -- custom_root


def newton(f, x):
    for _ in range(20):
        value, slope = jvp(f, (x,), (jnp.ones_like(x),))
        x = x - value / slope
    return x


def scalar_solve(g, y):
    return y / g(jnp.ones_like(y))


def square_root(a, guess=1.0):
    return lax.custom_root(lambda x: x * x - a, guess, newton, scalar_solve)


@pytest.mark.parametrize("wrap", [lambda f: f, jit], ids=["eager", "jit"])
def test_a_root_has_the_derivatives_of_the_function_it_defines(wrap):
    root = lambda a: square_root(a, np.asarray(1.0))
    f, plain = root, np.sqrt(2.3)
    for value in (plain, 0.5 / plain, -0.25 / 2.3**1.5, 0.375 / 2.3**2.5):
        assert_close(wrap(f)(np.asarray(2.3)), value, 1e-9)
        f = grad(f)
    assert_close(grad(grad(wrap(root)))(np.asarray(2.3)), -0.25 / 2.3**1.5, 1e-9)
    assert_close(jacfwd(jacfwd(wrap(root)))(np.asarray(2.3)), -0.25 / 2.3**1.5, 1e-9)
    assert_close(wrap(hessian(root))(np.asarray(2.3)), -0.25 / 2.3**1.5, 1e-9)


def test_the_guess_does_not_move_the_root():
    assert float(grad(lambda guess: square_root(4.0, guess))(1.5)) == 0.0


def test_roots_are_batched():
    a = np.array([1.0, 4.0, 9.0])
    assert_close(vmap(lambda a: square_root(a, np.asarray(1.0)))(a), np.sqrt(a), 1e-9)
    assert_close(jit(vmap(grad(lambda a: square_root(a, np.asarray(1.0)))))(a), 0.5 / np.sqrt(a), 1e-9)
    assert_close(grad(lambda a: vmap(lambda a: square_root(a, np.asarray(1.0)))(a).sum())(a), 0.5 / np.sqrt(a), 1e-9)


def test_a_root_of_several_unknowns_solves_its_linear_systems_implicitly():
    def system(params):
        def f(x):
            return {"u": jnp.sin(x["u"]) + params[0] * x["u"] + x["v"] - 1, "v": x["v"] * params[1] + x["u"] ** 2 - 2}

        def by_newton(f, x):
            for _ in range(30):
                j = jacfwd(f)(x)
                r, det = f(x), j["u"]["u"] * j["v"]["v"] - j["u"]["v"] * j["v"]["u"]
                x = {
                    "u": x["u"] - (j["v"]["v"] * r["u"] - j["u"]["v"] * r["v"]) / det,
                    "v": x["v"] - (j["u"]["u"] * r["v"] - j["v"]["u"] * r["u"]) / det,
                }
            return x, {"residual": f(x)["u"]}

        def two_by_two(g, y):
            one, zero = jnp.ones_like(y["u"]), jnp.zeros_like(y["u"])
            a, b = g({"u": one, "v": zero}), g({"u": zero, "v": one})
            det = a["u"] * b["v"] - b["u"] * a["v"]
            return {"u": (b["v"] * y["u"] - b["u"] * y["v"]) / det, "v": (a["u"] * y["v"] - a["v"] * y["u"]) / det}

        guess = {"u": np.asarray(0.1), "v": np.asarray(0.5)}
        return lax.custom_root(f, guess, by_newton, two_by_two, has_aux=True)

    params = np.array([3.0, 2.0])
    x, aux = system(params)
    assert abs(float(aux["residual"])) < 1e-12
    check_grads(lambda p: system(p)[0], (params,), order=2, atol=1e-4, rtol=1e-4)
    assert_close(jit(jacrev(lambda p: system(p)[0]))(params), jacfwd(lambda p: system(p)[0])(params), 1e-9)
    assert_close(grad(lambda p: system(p)[1]["residual"])(params), np.zeros(2))


def test_a_root_inside_a_loop():
    body = make_graph(lambda c: (square_root(c + 1.0, c), c))(np.asarray(0.5))

    def plain(x):
        for _ in range(4):
            x = jnp.sqrt(x + 1)
        return x

    def f(x):
        return bind_all(scan, jnp.asarray(x), body=body, consts=0, carry=1, length=4, reverse=False, unroll=1)[0]

    x = np.asarray(0.7)
    assert_close(grad(f)(x), grad(plain)(x), 1e-9)
    assert_close(grad(grad(f))(x), grad(grad(plain))(x), 1e-8)


# -- linear_transpose


def test_the_transpose_of_a_linear_function():
    def f(x, y):
        return {"out": A @ x + 2 * y["z"], "sum": jnp.sum(x)}

    like = jitgrad.ShapeDtypeStruct((3,), "float64")
    transposed = linear_transpose(f, like, {"z": B})
    g = {"out": B, "sum": np.asarray(3.0)}
    for found in (transposed(g), jit(transposed)(g)):
        assert_close(found, (A.T @ B + 3.0, {"z": 2 * B}), 1e-10)
    assert_close(found, vjp(f, B, {"z": B})[1](g), 1e-10)


def test_transposes_are_functions_that_can_be_differentiated():
    def inner(w):
        return linear_transpose(lambda x: w * x, B)(B)[0].sum()

    for f in (grad(inner), jit(grad(inner)), grad(jit(inner))):
        assert_close(f(2 * B), B, 1e-12)


@pytest.mark.parametrize("f", [jnp.sin, lambda x: x * x, lambda x: jnp.where(x > 0, x, 0.0), lambda x: 1 / x, lambda x: x @ x])
def test_a_function_that_is_not_linear_is_refused(f):
    with pytest.raises(errors.NonDifferentiableError, match="the function must be linear, but .* makes it something else"):
        linear_transpose(f, B)


def test_linear_transpose_names_what_does_not_fit():
    with pytest.raises(errors.NonDifferentiableError, match="argument 1 must be of a float or complex type, got i64"):
        linear_transpose(lambda x, n: x, 1.0, np.arange(3))
    with pytest.raises(errors.NonDifferentiableError, match="the output must be of a float or complex type, got i64"):
        linear_transpose(lambda x: x.astype("int64"), B)
    with pytest.raises(errors.TreeStructureError, match=r"cotangent of the output must have shape \[3\], got \[\]"):
        linear_transpose(lambda x: x * 2, B)(1.0)


# -- closure_convert


def test_what_a_function_closes_over_becomes_arguments():
    def apply(f, x):
        converted, values = closure_convert(f, x)

        @jitgrad.custom_vjp
        def run(x, *values):
            return converted(x, *values)

        run.defvjp(lambda x, *v: (converted(x, *v), (x, v)), lambda r, g: tuple(100 * c for c in vjp(converted, r[0], *r[1])[1](g)))
        return run(x, *values)

    def loss(x, w):
        return apply(lambda y: jnp.sin(y * w) * np.array([1.0, 2.0, 3.0]), x).sum()

    wanted = grad(lambda x, w: 100 * (jnp.sin(x * w) * np.array([1.0, 2.0, 3.0])).sum(), (0, 1))(B, 2 * B)
    for f in (grad(loss, (0, 1)), jit(grad(loss, (0, 1))), grad(jit(loss), (0, 1))):
        assert_close(f(B, 2 * B), wanted, 1e-9)


def test_constants_and_integers_stay_in_the_function():
    w, n = jnp.ones(3), 4

    def outer(y, k):
        converted, values = closure_convert(lambda x: x * w * y * k + n, B)
        assert len(values) == 1
        return converted(B, *values).sum()

    assert_close(jit(outer)(2.0, 3), (B * 6 + 4).sum(), 1e-6)
    converted, values = closure_convert(lambda x: x * w, B)
    assert values == [] and np.allclose(converted(B), B)
    with pytest.raises(errors.TreeStructureError, match=r"must have shape \[3\], got \[2\]"):
        converted(B[:2])


# -- errors


def test_solvers_whose_results_do_not_fit_are_named():
    ok = lambda x: 2 * x
    with pytest.raises(
        errors.TreeStructureError, match=r"custom_linear_solve of .*matvec's result .*must have shape \[3\], got \[\]"
    ):
        lax.custom_linear_solve(lambda x: x.sum(), B, lambda f, b: b)
    with pytest.raises(errors.TreeStructureError, match="the solve's result must have the structure"):
        lax.custom_linear_solve(ok, B, lambda f, b: (b, b))
    with pytest.raises(errors.ArgumentError, match=r"with has_aux=True solve must return a pair \(x, aux\)"):
        lax.custom_linear_solve(ok, B, lambda f, b: b, has_aux=True)
    with pytest.raises(errors.NonDifferentiableError, match="matvec must be linear, but"):
        lax.custom_linear_solve(lambda x: x * x, B, lambda f, b: b, lambda f, b: b)
    with pytest.raises(errors.TreeStructureError, match=r"custom_root of .*f's result .*must have shape \[3\], got \[\]"):
        lax.custom_root(lambda x: x.sum(), B, lambda f, x: x, lambda g, y: y)
    with pytest.raises(errors.TreeStructureError, match="the tangent_solve's result must have the structure"):
        lax.custom_root(ok, B, lambda f, x: x, lambda g, y: (y, y))
    with pytest.raises(errors.NotAnArrayError, match="b must be an array"):
        lax.custom_linear_solve(ok, "text", lambda f, b: b)
