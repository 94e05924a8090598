"""debug.print and debug.callback: when they are called, with what, and in which order."""

from __future__ import annotations

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import checks, config, debug, lax
from jitgrad.errors import ArgumentError, SingularMatrixError

EAGER_AND_JIT = pytest.mark.parametrize("run", [lambda f: f, jitgrad.jit], ids=["eager", "jit"])


@EAGER_AND_JIT
def test_print_shows_the_values_of_every_step_of_a_loop(run, capfd):
    def f(x):
        def body(c, i):
            debug.print("i={} c={c}", i, c=c)
            return c * 2, None

        return lax.scan(body, x, jnp.arange(3))[0]

    assert run(f)(1.0) == 8.0
    assert capfd.readouterr().out == "i=0 c=1.0\ni=1 c=2.0\ni=2 c=4.0\n"


@pytest.mark.parametrize("size", [1, 40], ids=["in registers", "of kernels"])
def test_effects_keep_the_order_of_the_program(size):
    seen = []

    def f(x):
        debug.callback(lambda v: seen.append(("first", float(v))), x.sum())
        y = x @ x
        debug.callback(lambda v: seen.append(("second", float(v))), y[0, 0])
        y = lax.fori_loop(0, 2, lambda i, y: (debug.callback(lambda i: seen.append(("step", int(i))), i), y + x)[1], y)
        debug.callback(lambda: seen.append(("last", 0)))
        return y

    jitgrad.jit(f)(np.ones((size, size)))
    assert seen == [("first", size**2), ("second", size), ("step", 0), ("step", 1), ("last", 0)]


def test_only_the_branch_that_is_taken_has_its_effect(capfd):
    f = jitgrad.jit(lambda x: lax.cond(x > 0, lambda: (debug.print("positive"), x)[1], lambda: (debug.print("negative"), -x)[1]))
    f(1.0), f(-1.0)
    assert capfd.readouterr().out == "positive\nnegative\n"


def test_vmap_calls_for_every_example():
    seen = []
    f = jitgrad.vmap(lambda x: (debug.callback(lambda v: seen.append(float(v)), x * 2), x)[1])
    jitgrad.jit(f)(np.arange(3.0))
    assert seen == [0.0, 2.0, 4.0]


def test_what_a_derivative_computes_again_has_no_second_effect():
    seen = []

    def f(x):
        def body(s):
            debug.callback(lambda v: seen.append(float(v)), s)
            return s * x

        return lax.while_loop(lambda s: s < 20.0, body, x)

    assert jitgrad.jit(jitgrad.vmap(jitgrad.grad(f)))(np.array([3.0])).item() == 27.0
    assert seen == [3.0, 9.0]
    seen.clear()

    def kept(x):
        def body(s):
            debug.callback(lambda v: seen.append(float(v)), s)
            return s * x

        return lax.while_loop(lambda s: s < 20.0, body, x, checkpoint=2)

    assert jitgrad.jit(jitgrad.grad(kept))(3.0) == 27.0
    assert seen == [3.0, 9.0]


def _noted(seen):
    return lambda i, x: (debug.callback(lambda i: seen.append(int(i)), i), jnp.sin(x) * x)[1]


def _while(step, x, **options):
    return lax.while_loop(lambda s: s[0] < 3, lambda s: (s[0] + 1, step(*s)), (0, x), **options)[1]


LOOPS = {
    "while": _while,
    "while, some states kept": lambda step, x: _while(step, x, checkpoint=2),
    "while, as many as there are between": lambda step, x: _while(step, x, checkpoint="auto"),
    "fori": lambda step, x: lax.fori_loop(0, 3, step, x),
    "fori to a computed bound": lambda step, x: lax.fori_loop(0, jnp.where(x > 0, 3, 2), step, x),
    "scan": lambda step, x: lax.scan(lambda c, i: (step(i, c), c), x, jnp.arange(3))[0],
    "map": lambda step, x: jnp.sum(lax.map(lambda i: step(i, x) * i, jnp.arange(3))),
    "while in cond": lambda step, x: lax.cond(x > 0, lambda x: _while(step, x), lambda x: x, x),
    "while in scan": lambda step, x: lax.scan(lambda c, _: (_while(step, c), None), x, None, length=1)[0],
    "scan in while": lambda step, x: lax.while_loop(
        lambda s: s[0] < 1, lambda s: (s[0] + 1, lax.fori_loop(0, 3, step, s[1])), (0, x)
    )[1],
    "jitted while": lambda step, x: jitgrad.jit(lambda x: _while(step, x))(x),
}


@pytest.mark.parametrize("loop", LOOPS)
def test_a_loop_has_its_effects_once_under_every_derivative(loop):
    seen = []
    step, x = _noted(seen), jnp.asarray(2.0)

    def f(x):
        return LOOPS[loop](step, x)

    for derivative in (
        lambda x: jitgrad.jvp(f, (x,), (x,)), lambda x: jitgrad.vjp(f, x)[0], lambda x: jitgrad.vjp(f, x)[1](x), jitgrad.grad(f),
        jitgrad.grad(jitgrad.grad(f)), jitgrad.hessian(f), lambda x: jitgrad.vmap(jitgrad.grad(f))(x[None]),
    ):  # fmt: skip
        derivative(x)
        assert seen == [0, 1, 2]
        seen.clear()
    jitgrad.jit(jitgrad.grad(f))(x)
    assert seen == [0, 1, 2]


def test_work_that_moves_out_of_a_loop_leaves_callbacks_where_they_are():
    seen = []

    def f(c, xs, w):
        def body(c, x):
            debug.callback(lambda v: seen.append(float(v)), c[0, 0])
            return c + x @ w, None

        return jnp.sum(lax.scan(body, c, xs)[0])

    jitgrad.jit(jitgrad.grad(f, argnums=2))(np.zeros((4, 4)), np.ones((3, 4, 4)), np.ones((4, 4)))
    assert seen == [0.0, 4.0, 8.0]


def test_an_exception_of_a_callback_ends_the_program_and_is_raised_from_the_call():
    def fail(i):
        raise LookupError(f"step {int(i)}")

    def body(i, c):
        lax.cond(i == 3, lambda: debug.callback(fail, i), lambda: None)
        return c + 1

    for carry in (1.0, np.ones((30, 30))):
        with pytest.raises(LookupError, match="step 3"):
            jitgrad.jit(lambda x: lax.fori_loop(0, 10**9, body, x))(carry)
    assert jitgrad.jit(lambda x: x + 1)(1.0) == 2.0


def test_callbacks_get_pytrees_of_arrays():
    seen = {}
    jitgrad.jit(lambda t: (debug.callback(lambda a, b: seen.update(a=a, b=b), {"x": t["x"] + 1}, b=[t["y"]]), t)[1])(
        {"x": np.arange(6.0).reshape(2, 3), "y": np.array([True, False])}
    )
    np.testing.assert_array_equal(seen["a"]["x"], np.arange(6.0).reshape(2, 3) + 1)
    np.testing.assert_array_equal(seen["b"][0], [True, False])


def test_functions_that_print_the_same_are_one_program():
    def make():
        return jitgrad.make_graph(lambda x: (debug.print("x {}", x), x)[1])(1.0)

    assert make() == make()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: debug.print("{} {}", 1.0), "has a place for argument 1"),
        (lambda: debug.print("{x}", y=1.0), "has a place for 'x'"),
        (lambda: debug.print("nothing", 1.0), "has no place for argument 0"),
        (lambda: debug.print(1.0), "the format must be a string, got float"),
        (lambda: debug.callback(3), "the first argument must be a function, got int"),
    ],
)
def test_bad_arguments_are_told_at_once(call, message):
    with pytest.raises(ArgumentError, match=message):
        call()


@EAGER_AND_JIT
def test_an_operand_that_is_no_array_is_handed_on_as_it_is(run):
    seen = []
    run(lambda x: debug.callback(lambda *given: seen.append(given), "text", x, [None, str]))(1.0)
    assert seen == [("text", 1.0, [None, str])]


def test_progress_moves_a_bar_to_its_end(capfd):
    f = jitgrad.jit(lambda x: lax.scan(lambda c, _: (c + 1, None), x, None, length=500, progress="counting")[0])
    assert f(0.0) == 500.0
    assert "counting: 100%" in capfd.readouterr().err


def test_progress_must_be_a_label():
    with pytest.raises(ArgumentError, match="progress must be the label"):
        lax.scan(lambda c, _: (c, None), 0.0, None, length=3, progress=True)


@EAGER_AND_JIT
@pytest.mark.parametrize("over", [lambda f: f, jitgrad.vmap, jitgrad.grad], ids=["plain", "vmap", "grad"])
def test_what_is_required_is_looked_at_inside_checked_alone(run, over):
    def root(x):
        if checks.is_checked("linalg"):
            checks.require(x >= 0, SingularMatrixError, "root: a number is negative")
        return jnp.sqrt(x)

    f, good, bad = run(over(root)), *(np.float32([4.0, n]) for n in (4.0, -4.0))
    if over is not jitgrad.vmap:
        good, bad = good[1], bad[1]
    assert np.isnan(f(bad)).any()
    with debug.checked("linalg"):
        assert not np.isnan(f(good)).any()
        with pytest.raises(np.linalg.LinAlgError, match="root: a number is negative"):
            f(bad)
        with debug.checked("index"):
            assert config.checked == ("index", "linalg")
    assert config.checked == ()
    assert np.isnan(f(bad)).any()


def test_kinds_of_checks_that_are_none_are_refused():
    with pytest.raises(ArgumentError, match="among 'index', 'linalg', got"):
        debug.checked("nan")
    with pytest.raises(ValueError, match=r"config\.checked is a tuple"):
        config.update("checked", "index")
