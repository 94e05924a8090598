"""What products may be rounded to: asked for by an argument or a setting, and part of the equation."""

from __future__ import annotations

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import errors, lax
from jitgrad_compiler.ir.parse import parse

X, Y = np.random.default_rng(0).standard_normal((2, 5, 5)).astype(np.float32)
REDUCED = "precision='tensorfloat32'"


def products(function, *args):
    """The products of a function's graph, as text."""
    return [line.split("#")[0] for line in str(jitgrad.make_graph(function)(*args)).splitlines() if "dot_general" in line]


LESS = ["tensorfloat32", "high", "default", "fastest", "bfloat16", lax.Precision.DEFAULT, lax.Precision.HIGH, ("high", "default")]
MORE = [None, "highest", "float32", "bfloat16_3x", lax.Precision.HIGHEST, ("high", "highest"), (None, "high")]


@pytest.mark.parametrize("precision", LESS)
def test_a_product_may_ask_for_less(precision):
    (line,) = products(lambda x, y: jnp.matmul(x, y, precision=precision), X, Y)
    assert REDUCED in line


@pytest.mark.parametrize("precision", MORE)
def test_a_product_is_done_in_full_unless_both_operands_need_less(precision):
    (line,) = products(lambda x, y: jnp.matmul(x, y, precision=precision), X, Y)
    assert REDUCED not in line


FUNCTIONS = {
    "matmul": jnp.matmul, "dot": jnp.dot, "inner": jnp.inner, "tensordot": lambda x, y, **p: jnp.tensordot(x, y, 1, **p),
    "vdot": jnp.vdot, "vecdot": jnp.vecdot, "einsum": lambda x, y, **p: jnp.einsum("ij,jk,kl->il", x, y, x, **p),
    "dot_general": lambda x, y, **p: lax.dot_general(x, y, (((1,), (0,)), ((), ())), **p), "lax.dot": lax.dot,
    "batch_matmul": lambda x, y, **p: lax.batch_matmul(x[None], y[None], **p),
    "multi_dot": lambda x, y, **p: jnp.linalg.multi_dot([x, y, x], **p),
    "preferred_element_type": lambda x, y, **p: jnp.matmul(x.astype("int16"), y, preferred_element_type="float32", **p),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_product_takes_a_precision_or_the_setting(name):
    asked = products(lambda x, y: FUNCTIONS[name](x, y, precision="tensorfloat32"), X, Y)
    with jitgrad.default_matmul_precision("tensorfloat32"):
        assert products(FUNCTIONS[name], X, Y) == asked
        full = products(lambda x, y: FUNCTIONS[name](x, y, precision="highest"), X, Y)
    assert full == products(FUNCTIONS[name], X, Y)
    assert asked and all(REDUCED in line for line in asked) and not any(REDUCED in line for line in full)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_processor_computes_in_full_whatever_is_asked_for(name):
    want = FUNCTIONS[name](jnp.asarray(X), jnp.asarray(Y))
    np.testing.assert_array_equal(FUNCTIONS[name](jnp.asarray(X), jnp.asarray(Y), precision="tensorfloat32"), want)
    jitted = jitgrad.jit(lambda x, y: FUNCTIONS[name](x, y, precision="tensorfloat32"))
    np.testing.assert_array_equal(jitted(X, Y), jitgrad.jit(FUNCTIONS[name])(X, Y))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64", "int32"])
def test_other_types_are_not_reduced(dtype):
    (line,) = products(lambda x, y: jnp.matmul(x, y, precision="tensorfloat32"), X.astype(dtype), Y.astype(dtype))
    assert REDUCED not in line


def test_derivatives_and_batches_keep_it():
    def loss(x, y):
        return jnp.sum(jnp.matmul(x, y, precision="high") ** 2)

    lines = products(jitgrad.grad(loss, argnums=(0, 1)), X, Y) + products(jitgrad.vmap(jitgrad.grad(loss), (0, None)), X[None], Y)
    assert len(lines) > 4 and all(REDUCED in line for line in lines)
    np.testing.assert_allclose(jitgrad.grad(loss)(X, Y), 2 * (X @ Y) @ Y.T, rtol=1e-5)


def test_a_jitted_function_is_traced_again_where_the_setting_changes():
    seen = []

    @jitgrad.jit
    def product(x, y):
        seen.append(jitgrad.config.jax_default_matmul_precision)
        return x @ y

    product(X, Y)
    with jitgrad.default_matmul_precision("high"):
        product(X, Y)
        product(X, Y)
    product(X, Y)
    assert seen == [None, "high"]


def test_a_graph_that_has_it_parses():
    graph = jitgrad.make_graph(lambda x, y: jnp.matmul(x, y, precision="high"))(X, Y)
    assert parse(str(graph)) == graph


@pytest.mark.parametrize("function", [jnp.matmul, jnp.dot, lax.dot])
@pytest.mark.parametrize("wrong", ["sloppy", 3, ("high", "sloppy")])
def test_what_is_no_precision_is_an_error_that_names_them(function, wrong):
    with pytest.raises(errors.ArgumentError, match="precision must be None, a Precision or one of .*tensorfloat32"):
        function(X, Y, precision=wrong)


def test_a_setting_that_is_none_names_them():
    with pytest.raises(ValueError, match="jax_default_matmul_precision must be one of None, 'default'"):
        jitgrad.config.update("jax_default_matmul_precision", "best")
