"""custom_jvp and custom_vjp: values, derivatives in every mode and order, batching, loops, and the errors they raise."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import custom_jvp, custom_vjp, errors, grad, hessian, jacfwd, jacrev, jit, jvp, make_graph, vjp, vmap
from jitgrad.testing import assert_close, check_grads
from jitgrad_compiler.ir import evaluate, interpret, parse, verify
from jitgrad_compiler.ir.builder import bind_all
from jitgrad_compiler.ops.control import rowwise, scan
from jitgrad_compiler.passes.linearize import linearize_graph

X = np.array([0.3, -1.2, 2.0])


@custom_jvp
def log1pexp(x):
    return jnp.log(1.0 + jnp.exp(x))


@log1pexp.defjvp
def log1pexp_rule(primals, tangents):
    (x,), (t,) = primals, tangents
    return log1pexp(x), (1 - 1 / (1 + jnp.exp(x))) * t


@custom_vjp
def product(x, y):
    return jnp.sin(x) * y


product.defvjp(
    lambda x, y: (product(x, y), (jnp.cos(x), jnp.sin(x), y)),
    lambda residuals, g: (g * residuals[0] * residuals[2], g * residuals[1]),
)


@custom_vjp
def doubled(x):
    """Its derivative is stated as twice the right one, so that tests see who states it."""
    return x * x


doubled.defvjp(lambda x: (doubled(x), x), lambda x, g: (4 * x * g,))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


# -- custom_jvp


def test_a_call_on_plain_numbers_just_runs_the_function():
    seen = []

    @custom_jvp
    def f(x):
        seen.append(x)
        return x + 1 if x > 0 else x

    f.defjvp(lambda p, t: (f(*p), t[0]))
    assert f(2.0) == 3.0 and seen == [2.0]


@pytest.mark.parametrize("wrap", [lambda f: f, jit], ids=["eager", "jit"])
def test_the_rule_gives_derivatives_where_the_functions_own_are_nan(wrap):
    assert float(wrap(grad(log1pexp))(100.0)) == 1.0
    assert float(grad(wrap(log1pexp))(100.0)) == 1.0
    assert_close(wrap(vmap(grad(log1pexp)))(X), sigmoid(X), 1e-6)
    assert_close(grad(lambda x: wrap(vmap(log1pexp))(x).sum())(X), sigmoid(X), 1e-6)


@pytest.mark.parametrize("wrap", [lambda f: f, jit], ids=["eager", "jit"])
def test_derivatives_of_every_order_follow_the_rule(wrap):
    f, s = log1pexp, sigmoid(0.7)
    wanted = [s, s * (1 - s), s * (1 - s) * (1 - 2 * s), s * (1 - s) * (1 - 6 * s + 6 * s**2)]
    for value in wanted:
        f = grad(f)
        assert_close(wrap(f)(np.asarray(0.7)), value, 1e-10)
    check_grads(wrap(log1pexp), (X,), order=3)


def test_a_program_can_be_differentiated_later_as_often_as_wanted():
    graph, x = make_graph(log1pexp)(np.asarray(0.7)), np.asarray(0.7)

    def f(x):
        return evaluate(graph, [x])[0]

    assert_close(grad(grad(grad(grad(grad(f)))))(x), grad(grad(grad(grad(grad(log1pexp)))))(x), 1e-10)
    assert_close(grad(grad(grad(grad(grad(jit(log1pexp))))))(x), grad(grad(grad(grad(grad(log1pexp)))))(x), 1e-10)


def test_jacobians_and_hessians_go_through_the_rule():
    def f(x):
        return log1pexp(x) * x[::-1]

    assert_close(jacfwd(f)(X), jacrev(f)(X), 1e-12)
    assert_close(hessian(lambda x: f(x).sum())(X), jacfwd(jacfwd(lambda x: f(x).sum()))(X), 1e-12)


def test_pytrees_go_in_and_out():
    @custom_jvp
    def f(point, scale):
        return {"sum": point[0] + point[1], "scaled": [point[0] * scale]}

    @f.defjvp
    def rule(primals, tangents):
        (point, scale), (moved, grown) = primals, tangents
        return f(point, scale), {"sum": 10 * (moved[0] + moved[1]), "scaled": [moved[0] * scale + point[0] * grown]}

    out, tangent = jvp(f, ((1.0, 2.0), 3.0), ((1.0, 0.5), 2.0))
    assert_close(out, {"sum": 3.0, "scaled": [3.0]})
    assert_close(tangent, {"sum": 15.0, "scaled": [5.0]})
    assert_close(grad(lambda p: f(p, 3.0)["sum"] + f(p, 3.0)["scaled"][0])((1.0, 2.0)), (13.0, 10.0))


def test_keyword_arguments_and_defaults_find_their_positions():
    @custom_jvp
    def f(x, y=2.0, z=3.0):
        return x * y * z

    f.defjvps(lambda t, out, x, y, z: 100 * t, None, lambda t, out, x, y, z: 7 * t)
    assert float(f(1.0, z=5.0)) == 10.0
    assert float(grad(lambda x: f(z=x, x=x))(1.0)) == 107.0


def test_defjvps_adds_the_shares_of_the_arguments_and_none_is_zero():
    f = custom_jvp(lambda x, y: x * y)
    f.defjvps(None, None)
    assert_close(grad(f, argnums=(0, 1))(2.0, 3.0), (0.0, 0.0))
    f.defjvps(lambda t, out, x, y: t * out, lambda t, out, x, y: t * x)
    assert_close(grad(f, argnums=(0, 1))(2.0, 3.0), (6.0, 2.0))


def test_nondiff_argnums_come_first_in_the_rule_and_may_be_anything():
    @partial(custom_jvp, nondiff_argnums=(0, 2))
    def apply(f, x, note):
        return f(x)

    @apply.defjvp
    def rule(f, note, primals, tangents):
        assert note == ["a", "list"]
        return f(primals[0]), 5 * tangents[0]

    assert float(grad(lambda x: apply(jnp.sin, x, ["a", "list"]))(1.0)) == 5.0
    assert float(jit(grad(lambda x: apply(lambda y: y * y, x, ["a", "list"])))(1.0)) == 5.0


def test_a_rule_may_call_its_function_with_other_nondiff_arguments():
    @partial(custom_jvp, nondiff_argnums=0)
    def power(n, x):
        return x**n

    @power.defjvp
    def rule(n, primals, tangents):
        return power(n, *primals), n * power(n - 1, *primals) * tangents[0]

    assert float(grad(grad(grad(lambda x: power(5, x))))(2.0)) == 60 * 4
    assert float(jit(grad(grad(lambda x: power(5, x))))(2.0)) == 20 * 8


def test_integers_have_tangents_of_the_type_float0():
    @custom_jvp
    def f(x, n):
        return x * n, n + 1

    @f.defjvp
    def rule(primals, tangents):
        assert tangents[1].dtype == jitgrad.float0
        return f(*primals), (tangents[0] * 3, tangents[1])

    assert float(grad(lambda x: f(x, 4)[0])(1.0)) == 3.0
    assert_close(vmap(grad(lambda x, n: f(x, n)[0]))(X, np.arange(3)), np.full(3, 3.0))


def test_a_function_closes_over_values_as_constants():
    def outer(x, w):
        f = custom_jvp(lambda x: x * w)
        f.defjvps(lambda t, out, x: t * w)
        return f(x)

    assert float(jit(outer)(2.0, 3.0)) == 6.0
    assert float(jit(grad(outer))(2.0, 3.0)) == 3.0
    assert float(grad(jit(outer))(2.0, 3.0)) == 3.0
    assert_close(vmap(grad(outer))(X, 2 * X), 2 * X)
    for differentiate in (grad(outer, 1), jit(grad(outer, 1)), grad(jit(outer), 1), lambda x, w: jvp(outer, (x, w), (1.0, 1.0))):
        with pytest.raises(errors.UnexpectedTracerError, match="close over is being differentiated"):
            differentiate(2.0, 3.0)


def test_an_array_made_in_a_rule_that_calls_its_function_is_a_constant_of_the_program():
    @custom_jvp
    def f(x):
        return x * np.array([1.0, 2.0, 3.0])

    f.defjvp(lambda p, t: (f(*p), t[0] * np.array([5.0, 6.0, 7.0])))
    for differentiated in (grad(lambda x: f(x).sum()), jit(grad(lambda x: f(x).sum())), grad(jit(lambda x: f(x).sum()))):
        assert_close(differentiated(X), np.array([5.0, 6.0, 7.0]))


@pytest.mark.parametrize("wrap", [lambda f: f, jit, jitgrad.checkpoint, vmap], ids=["eager", "jit", "checkpoint", "vmap"])
def test_a_rule_may_differentiate_another_custom_function(wrap):
    cube = custom_jvp(lambda x: x**3)
    cube.defjvps(lambda t, out, x: 3 * x * x * t)
    outer = custom_vjp(lambda x: cube(x))
    outer.defvjp(lambda x: (outer(x), x), lambda x, g: (g * grad(lambda y: wrap(cube)(y).sum())(x),))
    for f in (grad(lambda x: outer(x).sum()), jit(grad(lambda x: outer(x).sum())), grad(jit(lambda x: outer(x).sum()))):
        assert_close(f(X), 3 * X**2, 1e-10)
        assert_close(grad(lambda x: f(x).sum())(X), 6 * X, 1e-10)  # noqa: B023


def test_methods_can_be_custom():
    class Scaled:
        def __init__(self, factor):
            self.factor = factor

        @partial(custom_jvp, nondiff_argnums=0)
        def apply(self, x):
            return x * self.factor

        @apply.defjvp
        def rule(self, primals, tangents):
            return self.apply(*primals), 2 * self.factor * tangents[0]

    assert float(grad(Scaled(3.0).apply)(1.0)) == 6.0


# -- custom_vjp


@pytest.mark.parametrize("wrap", [lambda f: f, jit], ids=["eager", "jit"])
def test_backward_states_the_derivative(wrap):
    assert float(wrap(grad(doubled))(3.0)) == 12.0
    assert float(grad(wrap(doubled))(3.0)) == 12.0
    assert_close(wrap(vmap(grad(doubled)))(X), 4 * X)
    assert_close(grad(lambda x: wrap(vmap(doubled))(x).sum())(X), 4 * X)
    assert_close(jacrev(wrap(doubled))(X), np.diag(4 * X))


@pytest.mark.parametrize("wrap", [lambda f: f, jit], ids=["eager", "jit"])
def test_gradients_of_every_order_are_right_where_the_stated_ones_are(wrap):
    check_grads(wrap(product), (X, X[::-1].copy()), order=3, modes=["rev"])
    assert_close(hessian(wrap(product))(0.3, 2.0), -np.sin(0.3) * 2, 1e-6)
    assert_close(jacrev(jacrev(wrap(product)))(0.3, 2.0), -np.sin(0.3) * 2, 1e-6)
    assert float(grad(grad(wrap(doubled)))(3.0)) == 4.0


def test_forward_mode_raises():
    for attempt in (
        lambda: jvp(doubled, (1.0,), (1.0,)),
        lambda: jacfwd(doubled)(1.0),
        lambda: jit(jacfwd(doubled))(1.0),
        lambda: jvp(jit(doubled), (1.0,), (1.0,)),
        lambda: jitgrad.linearize(jit(doubled), 1.0)[1](1.0),
    ):
        with pytest.raises(errors.NonDifferentiableError, match="can't apply forward-mode differentiation .* function doubled"):
            attempt()


def test_none_from_backward_is_zero():
    f = custom_vjp(lambda x, tree, n: x * tree["a"] * n)
    f.defvjp(lambda x, tree, n: (f(x, tree, n), x), lambda x, g: (g, {"a": None, "b": 5 * g}, None))
    found = grad(f, argnums=(0, 1))(2.0, {"a": 3.0, "b": 1.0}, 4)
    assert_close(found, (1.0, {"a": 0.0, "b": 5.0}))
    assert_close(jit(grad(f, argnums=(0, 1)))(2.0, {"a": 3.0, "b": 1.0}, 4), (1.0, {"a": 0.0, "b": 5.0}))
    f.defvjp(lambda x, tree, n: (f(x, tree, n), x), lambda x, g: (None, None, None))
    assert_close(grad(f, argnums=(0, 1))(2.0, {"a": 3.0, "b": 1.0}, 4), (0.0, {"a": 0.0, "b": 0.0}))


def test_fwd_gets_nondiff_arguments_in_place_and_bwd_gets_them_first():
    @partial(custom_vjp, nondiff_argnums=(1,))
    def f(x, mode):
        return x if mode == "once" else 2 * x

    def fwd(x, mode):
        assert mode == "twice"
        return f(x, mode), ()

    def bwd(mode, residuals, g):
        assert mode == "twice" and residuals == ()
        return (7 * g,)

    f.defvjp(fwd, bwd)
    assert float(grad(lambda x: f(x, "twice"))(1.0)) == 7.0
    assert float(grad(jit(lambda x: f(x, mode="twice")))(1.0)) == 7.0


def test_what_serves_every_example_of_a_batch_gets_the_sum_of_the_cotangents():
    weights = np.array([1.0, -2.0, 0.5])
    direct = grad(lambda y: (vmap(lambda x: jnp.sin(x) * y)(X) * weights).sum())(2.0)
    assert_close(grad(lambda y: (vmap(product, in_axes=(0, None))(X, y) * weights).sum())(2.0), direct, 1e-6)
    for inner in (jit(product), product):
        assert_close(jit(grad(lambda y: (vmap(inner, in_axes=(0, None))(X, y) * weights).sum()))(2.0), direct, 1e-6)  # noqa: B023


def test_per_example_gradients_of_matrices_keep_shared_operands_shared():
    f = custom_vjp(lambda x, w: x @ w)
    f.defvjp(lambda x, w: (x @ w, (x, w)), lambda r, g: (g @ r[1].T, jnp.outer(r[0], g)))
    x, w = np.linspace(-1, 1, 12).reshape(4, 3), np.linspace(0, 2, 6).reshape(3, 2)

    def loss(f):
        return lambda w: (vmap(f, in_axes=(0, None))(x, w) ** 2).sum()

    assert_close(grad(loss(f))(w), grad(loss(jnp.matmul))(w), 1e-10)
    (equation,) = make_graph(vmap(f, in_axes=(0, None)))(x, w).eqns
    assert "f64[4,3,2]" not in str(equation.params["rule"].programs().graphs[0])


def test_a_custom_vjp_closes_over_traced_values_as_constants():
    def outer(x, w):
        f = custom_vjp(lambda x: x * w)
        f.defvjp(lambda x: (x * w, ()), lambda _, g: (g * w,))
        return f(x)

    assert float(jit(grad(outer))(2.0, 3.0)) == 3.0
    assert float(grad(jit(outer))(2.0, 3.0)) == 3.0
    assert_close(vmap(grad(outer))(X, 2 * X), 2 * X)
    for differentiate in (grad(outer, 1), grad(jit(outer), 1)):
        with pytest.raises(errors.UnexpectedTracerError, match="custom_vjp function .* close over"):
            differentiate(2.0, 3.0)


def test_residuals_are_any_pytree():
    f = custom_vjp(lambda x: x**2)
    f.defvjp(lambda x: (x**2, {"x": [x, None], "n": 3}), lambda r, g: (r["x"][0] * g * r["n"],))
    assert float(jit(grad(f))(2.0)) == 6.0


def test_the_gradient_of_a_jitted_function_is_two_programs_that_hold_the_stated_ones():
    value, pullback = vjp(jit(lambda x: product(jnp.exp(x), 2.0 + 0 * x).sum()), X)
    assert_close(value, (2 * np.sin(np.exp(X))).sum(), 1e-10)
    assert_close(pullback(np.asarray(1.0))[0], 2 * np.cos(np.exp(X)) * np.exp(X), 1e-10)


# -- in loops and rows


def loop(f, steps):
    """A scan that does f to its carry and stacks it; run by the interpreter."""
    body = make_graph(lambda c: (f(c), f(c) * c))(np.asarray(0.5))

    def run(x):
        return bind_all(scan, jnp.asarray(x), body=body, consts=0, carry=1, length=steps, reverse=False, unroll=1)

    return run


@pytest.mark.parametrize(
    ("f", "plain"),
    [(log1pexp, lambda x: jnp.log(1 + jnp.exp(x))), (partial(product, y=0.9), lambda x: jnp.sin(x) * 0.9)],
    ids=["custom_jvp", "custom_vjp"],
)
def test_a_loop_over_a_custom_function_has_the_stated_derivative(f, plain):
    def loss(f):
        return lambda x: loop(f, 4)(x)[0] + loop(f, 4)(x)[1].sum()

    assert_close(grad(loss(f))(np.asarray(0.3)), grad(loss(plain))(np.asarray(0.3)), 1e-10)
    assert_close(grad(grad(loss(f)))(np.asarray(0.3)), grad(grad(loss(plain)))(np.asarray(0.3)), 1e-10)
    assert_close(vmap(grad(loss(f)))(X), vmap(grad(loss(plain)))(X), 1e-10)


def test_rowwise_of_a_custom_function_has_the_stated_derivative():
    graph = make_graph(doubled)(np.asarray(1.0))

    def f(x):
        return bind_all(rowwise, jnp.asarray(x), graph=graph, mapped=(True,), size=3)[0].sum()

    assert_close(grad(f)(X), 4 * X)


# -- the Graphs


def test_the_equation_holds_the_function_and_its_rule_as_text_that_reads_back():
    f = custom_jvp(lambda x: x * 2)
    f.defjvps(lambda t, out, x: t * 3)
    graph = verify(make_graph(f)(np.ones(3)))
    assert [e.op.name for e in graph.eqns] == ["custom_jvp"]
    assert parse(str(graph)) == graph
    (out,) = interpret(graph, X)
    assert_close(out, 2 * X)


def test_linearize_of_a_custom_vjp_keeps_the_residuals_and_one_linear_equation():
    graph = make_graph(doubled)(np.ones(3))
    parts = linearize_graph(graph, (True,))
    assert [e.op.name for e in parts.linear.eqns] == ["custom_linear"]
    assert parse(str(parts.linear)) == verify(parts.linear)
    assert parts.residuals == 1
    assert len(evaluate(parts.forward, [jnp.asarray(X)])) == 2


# -- errors


def test_a_function_without_a_rule_says_so():
    with pytest.raises(errors.MissingRuleError, match="custom_jvp function f: no derivative is defined; call f.defjvp before"):
        custom_jvp(lambda_named("f"))(1.0)
    with pytest.raises(AttributeError, match="custom_vjp function f: no derivative is defined; call f.defvjp before"):
        custom_vjp(lambda_named("f"))(1.0)


def lambda_named(name, f=lambda x: x * 2):
    def function(x):
        return f(x)

    function.__name__ = name
    return function


RULES = [
    (lambda p, t: p[0], errors.ArgumentError, r"must return a pair \(output, output tangent\), got Array"),
    (lambda p, t: ([p[0]], t[0]), errors.TreeStructureError, "the output must have the structure"),
    (lambda p, t: (p[0], [t[0]]), errors.TreeStructureError, "the output tangent must have the structure"),
    (lambda p, t: (p[0].sum(), t[0]), errors.TreeStructureError, r"the output of the output must have shape \[3\], got \[\]"),
    (
        lambda p, t: (p[0], t[0].sum()),
        errors.TreeStructureError,
        r"tangent of the output must have shape \[3\], got \[\]",
    ),
    (lambda p, t: (p[0], t[0].astype("float32")), errors.TreeStructureError, "must be of type float64, got float32"),
]


@pytest.mark.parametrize(("rule", "error", "message"), RULES)
def test_a_rule_whose_result_does_not_fit_is_named(rule, error, message):
    f = custom_jvp(lambda_named("f"))
    f.defjvp(rule)
    with pytest.raises(error, match=f"the rule of custom_jvp function f:?.*{message}"):
        grad(jit(lambda x: f(x).sum()))(X)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (lambda p, t: p[0], r"must return a pair \(output, output tangent\), got Array"),
        (lambda p, t: ([p[0]], t[0]), "the output tangent must have the structure"),
        (lambda p, t: (p[0].sum(), t[0]), r"the output tangent of the output must have shape \[\], got \[3\]"),
        (lambda p, t: (p[0], t[0].astype("float32")), "must be of type float64, got float32"),
        (lambda p, t: (t[0], t[0]), "the rule's output must not depend on the tangents"),
    ],
)
def test_a_rule_that_is_run_at_once_is_checked_in_itself(rule, message):
    f = custom_jvp(lambda_named("f"))
    f.defjvp(rule)
    with pytest.raises(errors.JitgradError, match=f"custom_jvp function f.*{message}"):
        grad(lambda x: f(x).sum())(X)


FORWARDS = [
    (lambda x: x, errors.ArgumentError, r"fwd of custom_vjp function f must return a pair \(output, residuals\)"),
    (lambda x: ((x, x), ()), errors.TreeStructureError, "fwd of custom_vjp function f: the output must have the structure"),
    (lambda x: (x[:2], ()), errors.TreeStructureError, r"must have shape \[3\], got \[2\]"),
    (lambda x: (x, {"s": "text"}), errors.NotAnArrayError, r"the residuals\['s'\] must be an array"),
]


@pytest.mark.parametrize(("fwd", "error", "message"), FORWARDS)
def test_a_forward_function_whose_result_does_not_fit_is_named(fwd, error, message):
    f = custom_vjp(lambda_named("f"))
    f.defvjp(fwd, lambda r, g: (g,))
    with pytest.raises(error, match=message):
        grad(jit(lambda x: f(x).sum()))(X)


BACKWARDS = [
    (lambda r, g: g, r"must return a tuple of 1 cotangents, one for each differentiated argument, got Array.*\(cotangent,\)"),
    (lambda r, g: (g, g), "must return a tuple of 1 cotangents.* got 2 of them"),
    (lambda r, g: ([g],), "the cotangent of argument 0 must have the structure"),
    (lambda r, g: ({"a": g[:2]},), r"the cotangent of argument 0\['a'\] must have shape \[3\], got \[2\]"),
    (lambda r, g: ({"a": g.astype("float32")},), r"of argument 0\['a'\] must be of type float64, got float32"),
]


@pytest.mark.parametrize(("bwd", "message"), BACKWARDS)
def test_a_backward_function_whose_result_does_not_fit_is_named(bwd, message):
    f = custom_vjp(lambda_named("f", lambda tree: tree["a"] * 2))
    f.defvjp(lambda tree: (tree["a"] * 2, ()), bwd)
    for wrap in (jit, lambda f: f):
        with pytest.raises(errors.TreeStructureError, match=f"(?s)bwd of custom_vjp function f.*{message}"):
            grad(wrap(lambda x: f({"a": x}).sum()))(X)


def test_a_traced_value_in_a_nondiff_position_of_custom_vjp_raises():
    f = custom_vjp(lambda x, n: x * n, nondiff_argnums=(1,))
    f.defvjp(lambda x, n: (x * n, ()), lambda n, r, g: (g * n,))
    assert float(grad(f)(2.0, 3.0)) == 3.0
    with pytest.raises(errors.UnexpectedTracerError, match="argument 1, which nondiff_argnums names, is a traced value"):
        jit(f)(2.0, 3.0)


def test_a_traced_value_in_a_nondiff_position_of_custom_jvp_is_a_constant():
    f = custom_jvp(lambda x, n: x * n, nondiff_argnums=(1,))
    f.defjvp(lambda n, p, t: (p[0] * n, t[0] * n))
    assert_close(jit(grad(f, argnums=(0, 1)))(2.0, 3.0), (3.0, 0.0))


def test_arguments_that_cannot_be_used_are_named():
    with pytest.raises(errors.ArgumentError, match="custom_jvp needs a function, got int"):
        custom_jvp(3)
    with pytest.raises(errors.ArgumentError, match="nondiff_argnums must be numbers of arguments"):
        custom_vjp(jnp.sin, nondiff_argnums=("x",))
    f = custom_jvp(lambda_named("f"), nondiff_argnums=(2,))
    f.defjvp(lambda *a: None)
    with pytest.raises(errors.ArgumentError, match="nondiff_argnums names argument 2, but there are 1"):
        f(1.0)
    g = custom_jvp(lambda x, *, n: x)
    g.defjvps(lambda t, out, x: t)
    with pytest.raises(errors.ArgumentError, match="the keyword arguments n have no position"):
        g(1.0, n=2)
    with pytest.raises(errors.ArgumentError, match="defjvps does not go with nondiff_argnums"):
        f.defjvps(None)
    with pytest.raises(errors.ArgumentError, match="defjvps got 2 functions, but there are 1 arguments"):
        h = custom_jvp(lambda x: x)
        h.defjvps(None, None)
        grad(h)(1.0)
    with pytest.raises(errors.NotAnArrayError, match="argument 1 must be an array or a number, got str"):
        k = custom_jvp(lambda x, s: x)
        k.defjvps(None, None)
        grad(k)(1.0, "text")


@pytest.mark.parametrize(("rule", "name"), [(lambda x, t: t * t, "mul"), (jnp.divide, "div"), (lambda x, t: jnp.sin(t), "sin")])
def test_a_rule_that_is_not_linear_in_its_tangents_is_refused_in_reverse_mode(rule, name):
    f = custom_jvp(lambda x: x)
    f.defjvp(lambda p, t: (p[0], rule(p[0], t[0])))
    with pytest.raises(errors.NonDifferentiableError, match=f"reverse mode: {name} is done to what must stay linear"):
        grad(f)(2.0)


# -- custom_gradient, and what jax's definers take beside the rules


@pytest.mark.parametrize("wrap", [lambda f: f, jit], ids=["eager", "jit"])
def test_custom_gradient_takes_value_and_rule_from_one_function(wrap):
    @jitgrad.custom_gradient
    def f(x, y):
        s = jnp.sin(x)
        return {"product": s * y, "count": 3}, lambda g: (10 * g["product"] * s, None)

    def loss(x, y):
        return f(x, y=y)["product"] * x

    assert_close(wrap(f)(X, 2.0)["product"], 2 * np.sin(X), 1e-12)
    assert_close(grad(wrap(lambda x: loss(x, 2.0).sum()))(X), (10 * X + 2) * np.sin(X), 1e-12)
    assert_close(wrap(vmap(grad(loss), in_axes=(0, None)))(X, 2.0), (10 * X + 2) * np.sin(X), 1e-12)
    second = grad(lambda x: grad(lambda x: wrap(loss)(x, 2.0).sum())(x).sum())(X)
    assert_close(second, 10 * np.sin(X) + 10 * X * np.cos(X) + 2 * np.cos(X), 1e-10)
    one = jitgrad.custom_gradient(lambda x: (x**2, lambda g: 7 * g))
    assert float(wrap(grad(one))(3.0)) == 7.0
    with pytest.raises(errors.ArgumentError, match=r"custom_gradient function .* must return a pair \(output, rule\)"):
        grad(jitgrad.custom_gradient(lambda x: x))(1.0)


def test_symbolic_zeros_say_which_arguments_do_not_move():
    from jitgrad.custom_derivatives import SymbolicZero

    seen = []
    f = custom_jvp(lambda x, y: x * y)

    def rule(primals, tangents):
        seen.append([type(t) is SymbolicZero for t in tangents])
        return f(*primals), tangents[0] * 5 if type(tangents[0]) is not SymbolicZero else tangents[0]

    f.defjvp(rule, symbolic_zeros=True)
    assert float(grad(f)(2.0, 3.0)) == 5.0
    assert float(grad(f, 1)(2.0, 3.0)) == 0.0
    assert seen == [[False, True], [True, False]]
    assert float(jit(grad(f))(2.0, 3.0)) == 5.0 and float(grad(jit(f))(2.0, 3.0)) == 5.0

    g = custom_vjp(lambda x, y: x * y)
    wanted = []

    def fwd(x, y):
        wanted.append((x.perturbed, y.perturbed))
        return x.value * y.value, (x.value, y.value)

    g.defvjp(fwd, lambda r, ct: (ct * r[1], ct * r[0]), symbolic_zeros=True, optimize_remat=True)
    assert float(grad(g, 1)(2.0, 3.0)) == 2.0
    assert wanted == [(False, True)]
    assert float(grad(jit(g), 1)(2.0, 3.0)) == 2.0


def test_arguments_that_are_not_differentiated_may_be_named():
    f = custom_vjp(lambda x, mode: x if mode == "once" else 2 * x, nondiff_argnames="mode")
    f.defvjp(lambda x, mode: (f(x, mode), ()), lambda mode, r, g: (7 * g if mode == "once" else 9 * g,))
    assert float(grad(lambda x: f(x, mode="twice"))(1.0)) == 9.0
    with pytest.raises(errors.ArgumentError, match="nondiff_argnames has 'kind', but the parameters are x, mode"):
        custom_jvp(lambda x, mode: x, nondiff_argnames=["kind"])
