"""When the rules of custom functions run, on what, and how often: at once in eager mode, traced once where a program needs them."""

from __future__ import annotations

import functools
import gc
import threading
import weakref

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import custom_jvp, custom_vjp, errors, grad, hessian, jit, jvp, lax, make_graph, vjp, vmap
from jitgrad.testing import assert_close

X = np.array([0.3, -1.2, 2.0])
TWO = np.array([2.0, 2.0, 2.0])


def sine(kind, seen=None):
    """The sine, whose rule closes over an array, and calls the function itself; `seen` gets what ran."""

    def note(name):
        if seen is not None:
            seen.append(name)

    def f(x):
        note("f")
        return jnp.sin(x)

    def rule(primals, tangents):
        note("rule")
        return made(*primals), made(primals[0] + float(np.pi) / 2) * tangents[0] * (jnp.asarray(TWO)[1] / 2).astype(
            tangents[0].dtype
        )

    def fwd(x):
        note("fwd")
        return made(x), (x, jnp.asarray(TWO).astype(x.dtype))

    def bwd(residuals, g):
        note("bwd")
        return (made(residuals[0] + float(np.pi) / 2) * g * residuals[1][0] / jnp.asarray(TWO)[0].astype(g.dtype),)

    if kind == "jvp":
        made = custom_jvp(f)
        made.defjvp(rule)
    else:
        made = custom_vjp(f)
        made.defvjp(fwd, bwd)
    return made


# -- how often


CALLS = {
    "f": (lambda f: f(1.0), 1, 1),
    "jit(f)": (lambda f: jit(f)(1.0), 1, 1),
    "vmap(f)": (lambda f: vmap(f)(X), 1, 1),
    "jit(vmap(f))": (lambda f: jit(vmap(f))(X), 1, 1),
    "grad(f)": (lambda f: grad(f)(1.0), 2, 2),
    "jit(grad(f))": (lambda f: jit(grad(f))(1.0), 2, 2),
    "grad(jit(f))": (lambda f: grad(jit(f))(1.0), 3, 3),
    "grad(scan)": (lambda f: grad(lambda x: lax.scan(lambda c, _: (f(c), None), x, None, length=3)[0])(X[:1].reshape(())), 3, 3),
    "grad(grad(f))": (lambda f: grad(grad(f))(1.0), 4, 4),
}


@pytest.mark.parametrize("call", CALLS)
def test_functions_run_as_often_as_the_call_says(call):
    run, by_jvp, by_vjp = CALLS[call]
    for kind, most in (("jvp", by_jvp), ("vjp", by_vjp)):
        seen = []
        run(sine(kind, seen))
        assert seen.count("f") <= most
        assert ("rule" in seen or "fwd" in seen) == ("grad" in call)


def test_a_jitted_functions_rule_is_traced_once_for_all_calls():
    seen = []
    f = jit(sine("vjp", seen))
    for x in (1.0, 2.0, 3.0):
        grad(f)(x)
        vjp(f, x)[1](1.0)
    assert seen.count("fwd") == seen.count("bwd") == 1


@pytest.mark.parametrize("kind", ["jvp", "vjp"])
def test_what_raises_and_is_not_needed_does_no_harm(kind):
    def fault(*args):
        raise NotImplementedError("no derivative here")

    f = custom_jvp(jnp.sin) if kind == "jvp" else custom_vjp(jnp.sin)
    f.defjvp(fault) if kind == "jvp" else f.defvjp(fault, fault)
    assert_close(jit(f)(X), np.sin(X), 1e-12)
    assert_close(jit(vmap(f))(X), np.sin(X), 1e-12)
    assert_close(lax.scan(lambda c, x: (c, f(x)), 0.0, X)[1], np.sin(X), 1e-12)
    for wrap in (lambda g: g, jit):
        assert float(grad(wrap(lambda x, y: (x * f(y)).sum()))(2.0, 1.0)) == pytest.approx(np.sin(1.0))
        with pytest.raises(NotImplementedError, match="no derivative here"):
            grad(wrap(f))(1.0)


def test_a_backward_rule_that_raises_does_so_when_a_cotangent_comes():
    def fault(*args):
        raise NotImplementedError("no gradient")

    f = custom_vjp(jnp.sin)
    f.defvjp(lambda x: (f(x), x), fault)
    value, pullback = vjp(f, 1.0)
    assert float(value) == pytest.approx(np.sin(1.0))
    with pytest.raises(NotImplementedError, match="no gradient"):
        pullback(1.0)


# -- on what


def test_python_may_branch_on_numbers_in_functions_and_rules_outside_jit():
    f = custom_jvp(lambda x: x if x > 0 else -x)
    f.defjvp(lambda p, t: (f(*p), t[0] * 10 if p[0] > 0 else t[0] * 20))
    assert [float(grad(f)(x)) for x in (2.0, -2.0)] == [10.0, 20.0]
    g = custom_vjp(lambda x: x * x if x > 0 else -x)
    g.defvjp(lambda x: (g(x), x if x > 1 else 2 * x), lambda r, ct: (r * ct if r > 3 else 100 * ct if ct > 1 else 7 * ct,))
    assert [float(grad(g)(x)) for x in (5.0, 1.0)] == [5.0, 7.0]
    assert float(grad(lambda x: 3 * g(x))(1.0)) == 300.0
    assert float(grad(grad(lambda x: 3 * g(x) * x))(5.0)) == pytest.approx(3 * (2 * 5.0 + 2 * 5.0 - 5.0))
    assert float(vjp(g, 5.0)[1](1.0)[0]) == 5.0
    assert float(jitgrad.linearize(f, -2.0)[1](1.0)) == 20.0


def test_backward_of_an_eager_gradient_gets_numbers():
    seen = []
    f = custom_vjp(lambda x: x.sum())

    def bwd(x, g):
        seen.append((np.asarray(x), float(g)))
        return (g * jnp.ones(3),)

    f.defvjp(lambda x: (f(x), x), bwd)
    grad(lambda x: 2 * f(x))(X)
    assert_close(seen[0][0], X)
    assert seen[0][1] == 2.0


@pytest.mark.parametrize("wrap", [lambda f: f, jit], ids=["eager", "jit"])
def test_a_rule_may_call_its_function_on_tangents(wrap):
    f = custom_jvp(lambda x: -x)
    f.defjvp(lambda p, t: (f(p[0]), f(t[0])))
    assert float(grad(wrap(f))(3.0)) == -1.0
    assert float(wrap(grad(f))(3.0)) == -1.0
    assert float(jvp(wrap(f), (3.0,), (2.0,))[1]) == -2.0
    assert_close(grad(lambda x: vmap(wrap(f))(x).sum())(X), -np.ones(3))
    assert float(grad(lambda x: lax.scan(lambda c, _: (f(c), None), x, None, length=3)[0])(3.0)) == -1.0
    assert float(grad(grad(wrap(lambda x: f(x) * x)))(3.0)) == -2.0


@pytest.mark.parametrize("wrap", [lambda f: f, jit], ids=["eager", "jit"])
def test_a_partial_may_be_custom_and_keyword_defaults_stay(wrap):
    fun = functools.partial(lambda x, y, a: x + y * a, a=0.1)
    f = custom_jvp(fun)
    f.defjvp(lambda p, t: jvp(fun, p, t))
    assert_close(grad(wrap(lambda args: f(*args)))((1.0, 2.0)), (1.0, 0.1), 1e-6)
    g = custom_vjp(functools.partial(lambda a, x: a * x, 3.0))
    g.defvjp(functools.partial(lambda a, x: (g(x), ()), 5.0), functools.partial(lambda a, r, ct: (a * ct,), 5.0))
    assert float(grad(wrap(g))(2.0)) == 5.0


# -- closing over values


def test_rules_close_over_what_an_outer_derivative_differentiates():
    def outer(y):
        f = custom_vjp(lambda x: 2.0 * jnp.sin(x))
        f.defvjp(lambda x: (f(x), ()), lambda _, g: (2.0 * jnp.cos(y) * g,))
        return grad(f)(1.0)

    def by_jvp(y):
        f = custom_jvp(lambda x: 2.0 * x)
        f.defjvp(lambda p, t: (2.0 * p[0], jnp.cos(y) * t[0]))
        return 2.0 * grad(f)(1.0)

    for f in (outer, by_jvp):
        assert float(f(4.0)) == pytest.approx(2 * np.cos(4.0))
        assert_close(grad(f)(np.asarray(4.0)), -2 * np.sin(4.0), 1e-12)
        assert_close(jit(grad(f))(np.asarray(4.0)), -2 * np.sin(4.0), 1e-12)
        assert_close(grad(jit(f))(np.asarray(4.0)), -2 * np.sin(4.0), 1e-12)
        assert_close(vmap(grad(f))(X), -2 * np.sin(X), 1e-12)
        assert_close(jvp(f, (X[0],), (1.0,))[1], -2 * np.sin(X[0]), 1e-12)


def test_a_rule_traced_late_may_close_over_values_of_a_trace_that_goes_on():
    def outer(x, y):
        f = custom_jvp(lambda x: x * x)
        f.defjvp(lambda p, t: (f(*p), p[0] * y * t[0]))
        inner = jit(f)
        steps = lambda x: lax.scan(lambda c, _: (f(c), None), x, None, length=2)[0]  # noqa: E731
        return grad(inner)(x) + grad(steps)(x)

    wanted = 2.0 * 3.0 + 2.0 * 3.0 * 4.0 * 3.0
    x, y = np.asarray(2.0), np.asarray(3.0)
    assert float(outer(x, y)) == wanted
    assert float(jit(outer)(x, y)) == wanted
    assert float(grad(outer, 1)(x, y)) == 2.0 + 2 * 8.0 * 3.0
    assert_close(vmap(outer, in_axes=(None, 0))(x, np.array([3.0, 1.0])), np.array([wanted, 2.0 + 8.0]))


def scaled(kind):
    """Twice x, whose rule alone closes over w, by a function and a dict."""

    def outer(x, w):
        held = {"w": w}

        def scale(t):
            return t * held["w"]

        if kind == "jvp":
            f = custom_jvp(lambda x: x * 2)
            f.defjvp(lambda p, t: (f(*p), scale(t[0])))
        else:
            f = custom_vjp(lambda x: x * 2)
            f.defvjp(functools.partial(lambda f, x: (f(x), ()), lambda x: x * 2), lambda _, g: (scale(g),))
        return f(x)

    return outer


@pytest.mark.parametrize("kind", ["jvp", "vjp"])
def test_a_rule_that_alone_closes_over_a_value_of_a_program_finds_it_later(kind):
    outer = scaled(kind)
    for f in (outer, jit(outer), jit(jit(outer)), jitgrad.checkpoint(outer)):
        assert float(grad(f)(2.0, 3.0)) == 3.0
        assert float(jit(grad(f))(2.0, 3.0)) == 3.0
        assert float(grad(f, 1)(2.0, 3.0)) == 0.0
        assert_close(vmap(grad(f))(X, 2 * X), 2 * X)
        assert_close(grad(lambda x, f=f: vmap(f)(x, 2 * X).sum())(X), 2 * X)
        with pytest.raises(errors.UnexpectedTracerError, match="closes? over"):
            grad(f, (0, 1))(2.0, 3.0)

    def steps(x, w):
        return lax.scan(lambda c, v: (outer(c, v * w), None), x, X)[0]

    assert_close(grad(steps)(np.asarray(2.0), 2.0), np.prod(2 * X), 1e-12)
    assert_close(jit(grad(steps))(np.asarray(2.0), 2.0), np.prod(2 * X), 1e-12)
    inner = grad(jit(outer))
    assert float(grad(lambda w: inner(2.0, w))(3.0)) == 1.0


def test_a_rule_that_finds_a_value_of_a_finished_program_elsewhere_is_refused():
    class Holder:
        pass

    def outer(x, w):
        holder = Holder()
        holder.w = w
        f = custom_jvp(lambda x: x * 2)
        f.defjvp(lambda p, t: (f(*p), t[0] * holder.w))
        return f(x)

    assert float(jit(grad(outer))(2.0, 3.0)) == 3.0
    with pytest.raises(
        errors.UnexpectedTracerError, match="custom_jvp function .*its rule closes over .* Pass the value as an arg"
    ):
        grad(jit(outer))(2.0, 3.0)


def test_what_is_differentiated_can_not_be_closed_over_by_its_own_rule():
    def outer(x):
        f = custom_jvp(lambda y: y * y)
        f.defjvp(lambda p, t: (p[0] * p[0], x * t[0]))
        return f(x)

    def stored(x):
        f = custom_vjp(lambda y: y * y)
        f.defvjp(lambda y: (y * y, x), lambda r, g: (r * g,))
        return f(x)

    for f in (outer, stored):
        with pytest.raises(errors.UnexpectedTracerError, match="close over is being differentiated"):
            grad(f)(3.0)


# -- in programs


@pytest.mark.parametrize("kind", ["jvp", "vjp"])
@pytest.mark.parametrize(
    "body",
    [
        lambda f: lambda x: jit(lambda x: jit(f)(x) * x)(x),
        lambda f: lambda x: jitgrad.checkpoint(lambda x: f(f(x)))(x),
        lambda f: lambda x: lax.cond(x.sum() > 0, lambda x: f(x), lambda x: f(2 * x), x),
        lambda f: lambda x: lax.fori_loop(0, 3, lambda i, x: f(x), x),
        lambda f: lambda x: lax.scan(lambda c, a: (c + f(a), f(a)), jnp.zeros((), "float64"), x)[1],
        lambda f: lambda x: vmap(lambda a: lax.cond(a > 0, lambda a: f(a), lambda a: f(a * 2), a))(x),
        lambda f: lambda x: lax.scan(lambda c, _: (lax.scan(lambda d, _: (f(d), None), c, None, length=2)[0], None), x, None, 2)[0],
    ],
    ids=["jit", "checkpoint", "cond", "fori_loop", "scan", "rowwise", "scan in scan"],
)
def test_a_rule_with_arrays_of_its_own_goes_through_every_nested_program(kind, body):
    f, plain = body(sine(kind)), body(jnp.sin)
    assert_close(grad(lambda x: f(x).sum())(X), grad(lambda x: plain(x).sum())(X), 1e-10)
    assert_close(grad(jit(lambda x: f(x).sum()))(X), grad(jit(lambda x: plain(x).sum()))(X), 1e-10)
    second, wanted = (grad(lambda x, g=g: grad(lambda x: g(x).sum())(x).sum()) for g in (f, plain))
    assert_close(second(X), wanted(X), 1e-10)


def test_linear_transpose_goes_through_a_rule_with_an_array_of_its_own():
    f = custom_jvp(lambda x: x * 2)
    f.defjvp(lambda p, t: (f(*p), t[0] * jnp.asarray(TWO)))
    assert_close(jitgrad.linear_transpose(f, X)(X)[0], 2 * X)


def test_an_equation_whose_rule_is_gone_says_so():
    from jitgrad_compiler.ir import evaluate, parse

    def text():
        return str(make_graph(sine("jvp"))(X))

    graph = parse(text())
    gc.collect()
    assert_close(evaluate(graph, [jnp.asarray(X)])[0], np.sin(X), 1e-12)
    with pytest.raises(errors.NonDifferentiableError, match="its rule is no part of this program"):
        grad(lambda x: evaluate(graph, [x])[0].sum())(jnp.asarray(X))


def test_rules_are_freed_with_what_holds_them():
    class Big:
        pass

    big = Big()
    held = weakref.ref(big)

    def run(big):
        def fun(x):
            return jnp.sin(x) if big else x

        f = custom_vjp(fun)
        f.defvjp(lambda x: (f(x), x), lambda r, g: (jnp.cos(r) * g,))
        program = jit(lambda x: vmap(f)(x).sum() + lax.scan(lambda c, a: (c + f(a), None), 0.0, x)[0])
        program(X)
        grad(program)(X)
        jit(vmap(f))(X)
        grad(lambda x: vmap(jit(f))(x).sum())(X)

    run(big)
    del big
    gc.collect()
    assert held() is None


# -- pullbacks


def test_a_pullback_serves_many_calls_and_threads():
    x = X.copy()
    _, pullback = vjp(sine("vjp"), x)
    x[:] = 0
    found = []
    worker = threading.Thread(target=lambda: found.append(pullback(np.ones(3))[0]))
    worker.start()
    worker.join()
    found.append(pullback(np.ones(3))[0])
    for got in found:
        assert_close(got, np.cos(X), 1e-12)


def test_hessians_take_forward_mode_over_a_backward_rule():
    f = custom_vjp(lambda x: jnp.sin(x))
    f.defvjp(lambda x: (jnp.sin(x), x), lambda x, g: (jnp.cos(x) * g,))
    assert_close(hessian(lambda x: f(x).sum())(X), -np.diag(np.sin(X)), 1e-12)


def test_rules_know_the_named_axes_of_their_call():
    f = custom_vjp(lambda x: x * x)
    f.defvjp(lambda x: (f(x), x), lambda x, g: (g * lax.psum(x, "rows") + lax.axis_index("rows"),))
    wanted = X.sum() + np.arange(3)
    assert_close(vmap(grad(f), axis_name="rows")(X), wanted, 1e-12)
    for wrap in (lambda f: f, jit):
        rows = vmap(wrap(f), axis_name="rows")
        assert_close(grad(lambda x, rows=rows: rows(x).sum())(X), wanted, 1e-12)


@pytest.mark.parametrize("wrap", [lambda f: f, jit], ids=["eager", "jit"])
def test_a_pullback_can_be_a_residual(wrap):
    f = custom_vjp(lambda x: x**2)
    f.defvjp(lambda x: vjp(lambda x: x**2, x), lambda pullback, g: pullback(g))
    assert float(vjp(wrap(f), 3.0)[1](1.0)[0]) == 6.0
    assert float(wrap(grad(f))(3.0)) == 6.0
    assert float(grad(grad(wrap(f)))(3.0)) == 2.0
    assert_close(vmap(grad(wrap(f)))(X), 2 * X)
