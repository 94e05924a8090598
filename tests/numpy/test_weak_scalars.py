"""Scalars of Python and of NumPy: beside an array they take its type; alone Python's become default_float, NumPy's keep 64 bits."""

from __future__ import annotations

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import lax, nn, scipy

S, I, C = np.float64(3.0), np.int64(3), np.complex128(1 + 2j)
A = jnp.ones(3)
TRUE = jnp.ones(3, bool)


def defined_jvp():
    g = jitgrad.custom_jvp(lambda x: x * x)
    g.defjvp(lambda p, t: (p[0] ** 2, 2 * p[0] * t[0]))
    return g


def defined_vjp():
    g = jitgrad.custom_vjp(lambda x: x * x)
    g.defvjp(lambda x: (x * x, x), lambda r, ct: (2 * r * ct,))
    return g


ALONE = {
    "jit": lambda s: jitgrad.jit(lambda x: x * x)(s),
    "jit, with a Python float": lambda s: jitgrad.jit(lambda x: x * 2.0 + 1)(s),
    "jit, in a tree": lambda s: jitgrad.jit(lambda t: t["a"][0] * 2)({"a": [s]}),
    "jit, by keyword": lambda s: jitgrad.jit(lambda x: x + 1.0)(x=s),
    "closed over": lambda s: jitgrad.jit(lambda x: x * s)(2.0),
    "grad": lambda s: jitgrad.grad(lambda x: x**3)(s),
    "value_and_grad": lambda s: jitgrad.value_and_grad(jnp.sin)(s)[0],
    "grad of jit": lambda s: jitgrad.grad(jitgrad.jit(lambda x: x**3))(s),
    "jit of grad": lambda s: jitgrad.jit(jitgrad.grad(lambda x: x**3))(s),
    "jvp": lambda s: jitgrad.jvp(jnp.sin, (s,), (s,))[1],
    "vjp": lambda s: jitgrad.vjp(jnp.sin, s)[1](s)[0],
    "linearize": lambda s: jitgrad.linearize(jnp.sin, s)[1](1.0),
    "jacfwd": lambda s: jitgrad.jacfwd(jnp.sin)(s),
    "jacrev": lambda s: jitgrad.jacrev(jnp.sin)(s),
    "hessian": lambda s: jitgrad.hessian(jnp.sin)(s),
    "checkpoint": lambda s: jitgrad.grad(jitgrad.checkpoint(jnp.sin))(s),
    "custom_jvp": lambda s: jitgrad.grad(defined_jvp())(s),
    "custom_vjp": lambda s: jitgrad.grad(defined_vjp())(s),
    "while_loop": lambda s: lax.while_loop(lambda c: c < 10, lambda c: c * c, s),
    "while_loop that begins with a Python float": lambda s: lax.while_loop(lambda c: c < 10, lambda c: c * s, 3.0),
    "fori_loop": lambda s: lax.fori_loop(0, 3, lambda i, c: c * 1.5, s),
    "scan's carry": lambda s: lax.scan(lambda c, _: (c * 2.0, None), s, None, length=3)[0],
    "scan's outputs": lambda s: lax.scan(lambda c, _: (c * 2.0, c), s, None, length=3)[1],
    "cond": lambda s: lax.cond(True, lambda: s, lambda: 2.0),
    "map": lambda s: lax.map(lambda x: s, A),
    "vmap": lambda s: jitgrad.vmap(lambda x: s * 2)(A),
    "sin": jnp.sin,
    "sigmoid": nn.sigmoid,
    "gammaln": scipy.special.gammaln,
    "clip": lambda s: jnp.clip(s, 0.0, 1.0),
    "power": lambda s: jnp.power(2, s),
    "where": lambda s: jnp.where(TRUE, s, 0.0),
    "select": lambda s: jnp.select([TRUE], [s], 0.0),
    "array": jnp.array,
    "asarray": jnp.asarray,
    "array of a list": lambda s: jnp.array([s, 1.0]),
    "array of a list, traced": lambda s: jitgrad.jit(lambda x: jnp.array([x, 1.0]))(s),
    "stack": lambda s: jnp.stack([s, s]),
    "full": lambda s: jnp.full(3, s),
    "zeros_like": jnp.zeros_like,
    "linspace": lambda s: jnp.linspace(s, 4.0, 3),
    "lax.add": lambda s: lax.add(s, 1.0),
    "eval_shape": lambda s: jitgrad.eval_shape(lambda x: x * 2, s),
    "stop_gradient": lax.stop_gradient,
}  # fmt: skip


@pytest.mark.parametrize("name", ALONE)
def test_a_scalar_alone_keeps_the_64_bits_of_numpy_and_is_a_default_float_of_python(name):
    assert (ALONE[name](S).dtype, ALONE[name](3.0).dtype) == (np.float64, np.float32)


BESIDE = {
    "float32": lambda s: s * A,
    "float32, jit": lambda s: jitgrad.jit(lambda x, s: x * s)(A, s),
    "float32, closed over": lambda s: jitgrad.jit(lambda x: x * s)(A),
    "float32, vmap": lambda s: jitgrad.vmap(lambda x: x * s)(A),
    "where": lambda s: jnp.where(TRUE, s, A),
    "stack": lambda s: jnp.stack([s, A[0]]),
    "a carry": lambda s: lax.scan(lambda c, x: (c + x, None), s, A)[0],
    "a carry of float32": lambda s: lax.scan(lambda c, _: (c * s, None), A[0], None, length=2)[0],
    "a branch": lambda s: lax.cond(True, lambda: s, lambda: A[0]),
    "the result of a jitted function": lambda s: jitgrad.jit(lambda x: x * x)(s) * A,
    "dot": lambda s: jnp.dot(s, A),
    "at": lambda s: A.at[0].set(s),
}  # fmt: skip


@pytest.mark.parametrize("name", BESIDE)
def test_a_scalar_beside_an_array_takes_its_type(name):
    assert BESIDE[name](S).dtype == BESIDE[name](3.0).dtype == np.float32


def test_other_kinds_of_scalars():
    identity = jitgrad.jit(lambda x: x)
    assert [identity(v).dtype for v in (I, C, np.True_, 3, 1j)] == [np.int64, np.complex128, np.bool_, np.int64, np.complex64]
    assert jitgrad.jit(lambda x: x / 2)(I).dtype == np.float64 and jitgrad.jit(lambda x: x / 2)(3).dtype == np.float32
    assert (jnp.array([1, 2], jnp.int8) + I).dtype == np.int8
    assert (C * A).dtype == np.complex64 and (S * jnp.arange(3)).dtype == np.float32
    assert jnp.add(S, 1j).dtype == jnp.add(C, 1.0).dtype == np.complex128


def test_a_loop_to_a_float64_tolerance_ends_when_it_begins_with_a_numpy_scalar():
    root = lax.while_loop(lambda x: abs(x * x - 2) > 1e-13, lambda x: (x + 2 / x) / 2, np.float64(1.0))
    assert root.dtype == np.float64 and abs(float(root) - 2**0.5) < 1e-14


def test_the_digits_of_a_numpy_scalar_go_through_jit_and_grad():
    x = np.float64(0.1)
    assert float(jitgrad.jit(jnp.sin)(x)) == pytest.approx(np.sin(x), rel=1e-15)
    assert float(jitgrad.grad(jnp.sin)(x)) == pytest.approx(np.cos(x), rel=1e-15)
    assert float(jitgrad.hessian(jnp.sin)(x)) == pytest.approx(-np.sin(x), rel=1e-15)


def test_jacobians_of_python_floats_have_the_type_of_the_gradient():
    for transform in (jitgrad.grad, jitgrad.jacfwd, jitgrad.jacrev, jitgrad.hessian):
        assert transform(lambda x: jnp.sin(x) * x)(2.0).dtype == np.float32
        assert jitgrad.jit(transform(lambda x: jnp.sin(x) * x))(2.0).dtype == np.float32
    for transform in (jitgrad.jacfwd, jitgrad.jacrev):
        assert transform(lambda x: x * A)(2.0).dtype == np.float32
        assert [j.dtype for j in transform(lambda x, y: (x * y, x * y * A), (0, 1))(2.0, 3.0)[1]] == [np.float32, np.float32]


ANALYSIS = {
    "sin": jnp.sin, "mean": jnp.mean, "arctan2": lambda x: jnp.arctan2(x, x), "gammaln": scipy.special.gammaln, "var": jnp.var,
    "median": jnp.median, "true_divide": lambda x: jnp.true_divide(x, 2),
}  # fmt: skip


@pytest.mark.parametrize("name", ANALYSIS)
def test_functions_of_analysis_of_one_number_have_one_type_eager_and_compiled(name):
    f = ANALYSIS[name]
    wanted = {
        "float32": [True, np.bool_(True), np.array(True), 3, np.int32(3), np.array(3), 0.5, np.float32(0.5)],
        "float64": [np.int64(3), np.float64(0.5), np.array(0.5)],
    }
    for dtype, numbers in wanted.items():
        for number in numbers:
            assert f(number).dtype == jitgrad.jit(f)(number).dtype == jitgrad.jit(lambda f=f, n=number: f(n))().dtype == dtype
