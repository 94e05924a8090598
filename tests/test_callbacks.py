"""pure_callback and io_callback in every mode; what callbacks hold is freed with who made them."""

from __future__ import annotations

import contextlib
import gc
import io
import weakref

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import ShapeDtypeStruct, errors, grad, io_callback, jit, lax, pure_callback, vmap

X = np.array([0.5, 1.5, 2.5], np.float32)
MODES = {"eager": lambda f: f, "jit": jit, "jit in jit": lambda f: jit(lambda *a: jit(f)(*a)), "checkpoint": jitgrad.checkpoint}
modes = pytest.mark.parametrize("mode", MODES)


def like(x):
    return ShapeDtypeStruct(x.shape, x.dtype)


def sine(x, method="sequential"):
    return pure_callback(np.sin, like(x), x, vmap_method=method)


@modes
def test_results_come_back_into_the_program(mode):
    def f(x):
        made = pure_callback(
            lambda x, scale: {"a": np.sin(x) * scale, "b": (np.int64(x.size), x.sum() > 1)},
            {"a": like(x), "b": (ShapeDtypeStruct((), "int64"), ShapeDtypeStruct((), bool))},
            x,
            scale=np.float32(2),
        )
        return made["a"] + 1, made["b"]

    sin, (size, large) = MODES[mode](f)(X)
    assert np.allclose(sin, np.sin(X) * 2 + 1)
    assert (int(size), bool(large)) == (3, True)


@modes
def test_in_loops_and_branches_each_step_calls(mode):
    seen = []

    def note(i):
        seen.append(int(i))
        return np.float32(i) * 10

    def f(x):
        def body(carry, i):
            read = io_callback(note, ShapeDtypeStruct((), jnp.float32), i)
            return carry + read, lax.cond(i > 0, lambda: sine(x), lambda: x)

        total, rows = lax.scan(body, 0.0, jnp.arange(3))
        n = lax.while_loop(lambda n: n < 5, lambda n: n + pure_callback(lambda n: n * 0 + 2, like(n), n), jnp.int32(0))
        return total, rows, n

    total, rows, n = MODES[mode](f)(X)
    assert (float(total), int(n)) == (30, 6)
    assert np.allclose(rows, [X, np.sin(X), np.sin(X)])
    assert seen == [0, 1, 2]


@pytest.mark.parametrize("mode", ["eager", "jit"])
@pytest.mark.parametrize(
    ("method", "calls"),
    [("sequential", 2), ("sequential_unrolled", 2), ("expand_dims", 1), ("broadcast_all", 1)],
)
def test_vmap_calls_as_its_method_says(mode, method, calls):
    shapes = []

    def add(x, y):
        shapes.append((x.shape, y.shape))
        return x + y

    def f(x, y):
        return pure_callback(add, like(x), x, y, vmap_method=method)

    batch = np.stack([X, X + 1])
    found = MODES[mode](vmap(f, in_axes=(0, None)))(batch, X)
    assert np.allclose(found, batch + X)
    other = {"expand_dims": (1, 3), "broadcast_all": (2, 3)}.get(method, (3,))
    assert shapes == [(((2, 3) if calls == 1 else (3,)), other)] * calls


def test_vmap_without_a_method_is_refused():
    with pytest.raises(ValueError, match="vmap_method"):
        vmap(lambda x: sine(x, None))(np.stack([X, X]))
    with pytest.raises(errors.ArgumentError, match="vmap_method must be one of"):
        sine(X, "rows")


@pytest.mark.parametrize("mode", ["eager", "jit"])
def test_vmap_of_io_callback_calls_for_each_example_in_order(mode):
    seen = []

    def f(x):
        return io_callback(lambda x: (seen.append(float(x)), x * 2)[1], like(x), x)

    assert np.allclose(MODES[mode](vmap(f))(jnp.asarray(X)), X * 2)
    assert seen == X.tolist()


@pytest.mark.parametrize("f", [sine, lambda x: io_callback(np.sin, like(x), x)], ids=["pure_callback", "io_callback"])
def test_there_is_no_derivative_but_the_one_that_a_custom_rule_gives(f):
    for g in (grad(lambda x: f(x).sum()), jit(grad(lambda x: f(x).sum())), lambda x: jitgrad.jvp(f, (x,), (x,))):
        with pytest.raises(errors.NonDifferentiableError, match="callback has no derivative.*custom_jvp"):
            g(jnp.asarray(X))

    @jitgrad.custom_jvp
    def with_rule(x):
        return f(x)

    @with_rule.defjvp
    def _(primals, tangents):
        return with_rule(primals[0]), pure_callback(np.cos, like(primals[0]), primals[0]) * tangents[0]

    for mode in (lambda h: h, jit):
        assert np.allclose(mode(grad(lambda x: with_rule(x).sum()))(X), np.cos(X))
    assert np.allclose(grad(lambda x: (x * f(jitgrad.stop_gradient(x))).sum())(X), np.sin(X))


@modes
def test_exceptions_are_raised_where_the_program_was_called(mode):
    def fail(x):
        raise RuntimeError("from the callback")

    with pytest.raises(RuntimeError, match="from the callback"):
        MODES[mode](lambda x: pure_callback(fail, like(x), x))(X)
    with pytest.raises(RuntimeError, match="from the callback"):
        MODES[mode](lambda x: lax.fori_loop(0, 3, lambda i, y: io_callback(fail, like(y), y), x))(X)


def test_runs_of_one_program_after_a_failed_one_and_inside_another_are_right():
    def seen(x):
        if x[0] > 100:
            raise RuntimeError("too large")
        return np.asarray(steps(x + 50)) if 3 < x[0] < 4 else x

    steps = jit(lambda x: lax.fori_loop(0, 3, lambda i, y: io_callback(seen, like(y), y) + 1, x))
    for _ in range(2):
        np.testing.assert_array_equal(steps(X), X + 3)
        with pytest.raises(RuntimeError, match="too large"):
            steps(X + 200)
        x = np.array([1.5, 0, 7], X.dtype)  # 3.5 in the last step, which runs the loop again
        np.testing.assert_array_equal(steps(x), x + 2 + 50 + 3 + 1)


@modes
@pytest.mark.parametrize(
    ("give", "message"),
    [
        (lambda x: x.astype(np.float64), r"result 0 of the function must be float32\[3\].*got float64\[3\]"),
        (lambda x: x[:2], r"must be float32\[3\] as result_shape_dtypes says, got float32\[2\]"),
        (lambda x: (x, x), "must return the structure"),
        (lambda x: None, "must return the structure"),
    ],
)
def test_results_that_are_not_as_promised_are_named(mode, give, message):
    with pytest.raises((TypeError, ValueError), match=message):
        MODES[mode](lambda x: pure_callback(give, like(x), x))(X)


@modes
def test_what_the_function_goes_on_to_write_to_does_not_change_the_result(mode):
    memory = np.ones(3, np.float32)
    out = MODES[mode](lambda: pure_callback(lambda: memory, like(memory)))()
    memory[:] = 100
    assert np.array_equal(out, np.ones(3))


def test_what_is_promised_must_have_a_shape_and_a_type():
    with pytest.raises(errors.ArgumentError, match="result_shape_dtypes must be a pytree of .*got str"):
        pure_callback(np.sin, "float32", X)
    with pytest.raises(errors.ArgumentError, match="must be a function"):
        io_callback(3, None)
    assert io_callback(lambda: None, None) is None
    assert float(pure_callback(lambda: 2, ShapeDtypeStruct((), "float32"))) == 2  # Python's numbers take the type


def test_a_pure_callback_that_nobody_reads_is_not_called():
    seen = []
    jit(lambda x: (pure_callback(lambda x: (seen.append(1), x)[1], like(x), x), x)[1])(X)
    assert not seen


def test_io_callback_is_called_even_if_nobody_reads_it():
    seen = []
    jit(lambda x: (io_callback(lambda x: (seen.append(1), x)[1], like(x), x), x)[1])(X)
    assert seen == [1]


# What callbacks hold


class Model:
    def log(self, *values):
        return values[0] if values else None


def use_in_jit(model):
    jit(lambda x: (jitgrad.debug.callback(lambda v: model, x), x + 1)[1])(X)


def use_method(model):
    f = jit(lambda x: (jitgrad.debug.callback(model.log, x), x + 1)[1])
    f(X)
    jit(f)(X)


def use_in_loops(model):
    @jit
    def f(x):
        def body(c, row):
            jitgrad.debug.callback(lambda v: model, row)
            return lax.cond(row > 0, lambda c: c + io_callback(model.log, like(c), c), lambda c: c, c), row

        return lax.scan(body, x.sum(), x)

    f(X)
    grad(lambda x: lax.while_loop(lambda s: s[0] < 3, lambda s: (s[0] + 1, use_and(model, s[1])), (0, x))[1].sum())(X)
    jit(vmap(lambda x: use_and(model, x)))(X)


def use_and(model, x):
    jitgrad.debug.callback(lambda v: model, x)
    return x * x


def use_eagerly(model):
    jitgrad.debug.callback(lambda v: model, X)
    pure_callback(model.log, like(X), X)
    lax.fori_loop(0, 5000, lambda i, x: use_and(model, x), X)


def use_lowered(model):
    jit(lambda x: use_and(model, x)).lower(X).compile()(X)


def use_as_static(model):
    jitgrad.debug.callback(lambda m, v: None, model, X)


@pytest.mark.parametrize("use", [use_in_jit, use_method, use_in_loops, use_eagerly, use_lowered, use_as_static])
def test_a_callback_is_freed_with_the_function_that_made_it(use):
    kept = []
    for _ in range(6):
        model = Model()
        kept.append(weakref.ref(model))
        use(model)
        del model
    gc.collect()
    assert sum(ref() is not None for ref in kept) <= 1


def test_a_program_that_is_kept_keeps_its_callback():
    seen = []
    f = jit(lambda x: (jitgrad.debug.callback(lambda v: seen.append(float(v)), x), x)[1])
    g = jit(lambda x: io_callback(lambda v: v * 3, like(x), x))
    f(1.0), g(1.0)
    gc.collect()
    for n in range(3):
        f(float(n))
        assert float(g(float(n))) == 3 * n
    assert seen == [1, 0, 1, 2]


# Objects that are no arrays


@pytest.mark.parametrize("mode", ["eager", "jit", "scan", "vmap"])
def test_debug_print_formats_strings_and_other_objects(mode):
    def f(x):
        jitgrad.debug.print("{}: {} {what} {deep}", "loss", x, what=Model, deep={"a": ["b", None]})
        return x

    runs = {
        "eager": f,
        "jit": jit(f),
        "scan": lambda x: lax.scan(lambda c, _: (f(c), None), x, None, 1)[0],
        "vmap": lambda x: vmap(f)(x[None]),
    }
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        runs[mode](jnp.asarray(1.5))
    assert out.getvalue() == f"loss: 1.5 {Model} {{'a': ['b', None]}}\n"


def test_equal_texts_and_other_texts_are_told_apart():
    out = io.StringIO()

    @jit
    def f(x):
        for text in ("a", "b", "a"):
            jitgrad.debug.print("{} {}", text, x)
        return x

    with contextlib.redirect_stdout(out):
        f(1.0)
    assert out.getvalue().split() == ["a", "1.0", "b", "1.0", "a", "1.0"]
