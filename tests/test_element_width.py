"""config.jax_enable_x64: False is jax's 32-bit mode, in which nothing that comes out has 64-bit elements; True is ours."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import errors, lax, nn, random

NAMES = {"np": np, "jnp": jnp, "lax": lax, "nn": nn, "random": random, "jitgrad": jitgrad}
DTYPES = {  # as jax 0.10.2 gives them by default
    "float32": [
        "jnp.zeros(2, 'float64')", "jnp.array(np.ones(2))", "jnp.array(np.float64(2))", "jnp.array([np.float64(2)])",
        "jnp.linspace(0, 1, 3)",
        "jnp.mean(jnp.arange(3))", "jnp.ones(2).astype('float64')", "jnp.ones(2) * np.ones(2)", "np.ones(2) * jnp.ones(2)",
        "jnp.sin(np.ones(2))", "jnp.sin(np.float64(1.0))", "jnp.array([1], 'int32') / 2",
        "jnp.matmul(np.ones((2, 2)), jnp.ones((2, 2)))",
        "jnp.float64(1)", "jnp.full(2, 1.0)", "jnp.mgrid[0:1:3j]", "jnp.ones(3).at[np.array([0])].set(np.float64(2))",
        "jitgrad.jit(lambda x: x)(np.ones(2))", "jitgrad.jit(lambda x: x)(np.float64(1))", "jitgrad.jit(lambda x: x)(1.0)",
        "jitgrad.jit(lambda x: x.astype(jnp.float64))(np.ones(2, 'f4'))", "jitgrad.grad(lambda x: jnp.sum(x ** 2))(np.ones(2))",
        "jitgrad.grad(lambda x: x ** 2)(np.float64(3.0))", "jitgrad.hessian(lambda x: jnp.sum(x ** 2))(np.ones(2))",
        "jitgrad.jvp(jnp.sin, (np.ones(2),), (np.ones(2),))[1]", "jitgrad.vmap(lambda x: x * 2)(np.ones((2, 3)))",
        "lax.scan(lambda c, x: (c + x, c), 0.0, np.arange(3.0))[1]", "lax.switch(1, [lambda x: x, lambda x: x * 2], np.float64(1))",
        "lax.convert_element_type(1.0, 'float64')", "random.uniform(random.key(0), (2,), 'float64')",
        "random.normal(random.key(0), (2,))",
        "nn.softmax(np.ones(3))", "jitgrad.eval_shape(lambda x: x * 2, np.ones(2))", "jitgrad.device_put(np.ones(2))",
        "jitgrad.eval_shape(lambda x: x, jitgrad.ShapeDtypeStruct((2,), 'float64'))", "np.sin(jnp.ones(2), dtype=np.float64)",
        "lax.fori_loop(0, 3, lambda i, c: c + i, 0.0)", "jnp.asarray([1, 2.5])", "jnp.ones(2) * 2 ** 20",
    ],
    "int32": [
        "jnp.zeros(2, int)", "jnp.array(1)", "jnp.array([1, 2])", "jnp.arange(3)", "jnp.asarray(np.arange(3))",
        "jnp.argmax(jnp.ones(3))",
        "jnp.argsort(jnp.ones(3))", "jnp.nonzero(jnp.ones(3))[0]", "jnp.sum(jnp.arange(3))", "jnp.sum(jnp.ones(3, bool))",
        "jnp.cumsum(jnp.ones(3, bool))", "jnp.count_nonzero(jnp.ones(3))", "jnp.searchsorted(jnp.arange(3.0), 1.0)",
        "jnp.unique(jnp.arange(3), return_counts=True)[1]", "jnp.bincount(jnp.arange(3))", "jnp.indices((2, 2))",
        "jnp.array([1], 'uint32') + jnp.array([1], 'int32')", "jnp.int64([1])", "jnp.tril_indices(3)[0]", "jnp.mgrid[0:3]",
        "jnp.linspace(0, 10, 3, dtype=int)", "jnp.ones(3).argmax()", "jnp.arange(3).sum()", "jnp.ones(3, bool).sum()",
        "jnp.full(2, 1)",
        "jitgrad.jit(lambda x: x)(1)", "jitgrad.jit(lambda x: x)(np.int64(1))", "jitgrad.jit(lambda x: jnp.argmax(x))(np.ones(2))",
        "jitgrad.jit(lambda: jnp.arange(3))()", "jitgrad.jit(lambda x: x * 2)(np.arange(3))",
        "jitgrad.vmap(lambda x: 1)(np.ones((2, 3)))",
        "lax.fori_loop(0, 3, lambda i, c: c + i, 0)", "lax.while_loop(lambda c: c < 3, lambda c: c + 1, np.int64(0))",
        "lax.scan(lambda c, x: (c + x, c), 0, np.arange(3))[0]", "lax.cond(True, lambda x: x, lambda x: x + 1, 1)",
        "lax.iota('int64', 3)",
        "lax.argmax(jnp.ones(3), 0, jnp.int64)", "lax.top_k(jnp.arange(5), 2)[1]", "lax.map(lambda x: x, np.arange(3))",
        "random.randint(random.key(0), (2,), 0, 10)", "random.permutation(random.key(0), 3)",
        "random.categorical(random.key(0), jnp.ones(3))",
        "jitgrad.eval_shape(jnp.argmax, np.ones(2))", "np.argmax(jnp.ones(3))", "jnp.divmod(jnp.arange(3), 2)[0]",
    ],
    "uint32": ["jnp.array([1, 2], 'uint64')", "random.bits(random.key(0))", "jnp.array(3000000000, 'uint32')", "jnp.uint64(1)"],
    "complex64": ["jnp.array(1j)", "jnp.array(np.ones(2) * 1j)", "jnp.ones(2) * np.complex128(1j)", "jnp.zeros(2, complex)"],
    "bool": ["jnp.array([1, 2**31 - 1]) == 2**40", "jnp.arange(3) < 2**31"],
}  # fmt: skip
CASES = [(dtype, case) for dtype, cases in DTYPES.items() for case in cases]


@pytest.fixture
def narrow():
    jitgrad.config.update("jax_enable_x64", False)
    yield
    jitgrad.config.update("jax_enable_x64", True)


@pytest.mark.parametrize(("dtype", "case"), CASES)
def test_nothing_has_64_bits_without_x64(dtype, case, narrow):
    assert eval(case, NAMES).dtype == dtype


def test_results_in_containers_have_32_bits_too(narrow):
    values, counts = jnp.unique(jnp.array([3, 1, 3]), return_counts=True)
    whole, rest = jnp.divmod(jnp.arange(3), 2)
    assert {v.dtype for v in (values, counts, whole, rest, *jnp.meshgrid(np.arange(2), np.arange(2)))} == {np.dtype("int32")}
    assert jitgrad.jit(lambda t: {"a": t["a"] * 2, "b": [jnp.argmax(t["a"])]})({"a": np.ones(2)})["b"][0].dtype == np.int32


def test_a_python_int_beyond_32_bits_is_refused(narrow):
    for make in (jnp.array, lambda n: jnp.array([n]), lambda n: jnp.arange(3) + n, jitgrad.jit(lambda x: x)):
        assert make(5) is not None
        with pytest.raises(errors.NumberRangeError, match="1099511627776 does not fit in"):
            make(2**40)


def test_what_computes_in_64_bits_inside_still_does(narrow):
    x = jnp.array([0, 5, 0, 7])
    assert [v.tolist() for v in jnp.nonzero(x, size=3, fill_value=-1)] == [[1, 3, -1]]
    assert jnp.arange(2**31 - 2, 2**31 - 1).tolist() == [2**31 - 2] and jnp.linspace(0, 2**30, 3).tolist() == [0, 2**29, 2**30]
    assert jitgrad.jit(lambda v: jnp.argwhere(v, size=2))(x).dtype == np.int32


def test_limits_of_64_bit_types_stay_known(narrow):
    assert jnp.finfo("float64").bits == 64 and jnp.iinfo(jnp.int64).bits == 64
    assert not jnp.isdtype("float64", "float32") and jnp.result_type(np.float64) == np.float32


def test_the_setting_can_change_between_calls_of_one_function():
    f = jitgrad.jit(lambda x: (x * 2, jnp.argmax(x)))
    x = np.array([0.1, 0.7])
    wide = f(x)
    jitgrad.config.jax_enable_x64 = False
    try:
        assert [v.dtype for v in f(x)] == [np.float32, np.int32]
        assert jnp.promote_types("uint32", "int32") == np.int32
    finally:
        jitgrad.config.jax_enable_x64 = True
    assert [v.dtype for v in wide] == [v.dtype for v in f(x)] == [np.float64, np.int64]
    assert jnp.promote_types("uint32", "int32") == np.int64


def test_a_block_has_a_width_of_its_own():
    with jitgrad.enable_x64(False):
        assert jnp.arange(2).dtype == np.int32
        with jitgrad.experimental.enable_x64():
            assert jnp.arange(2).dtype == np.int64
        assert jnp.arange(2).dtype == np.int32
    assert jnp.arange(2).dtype == np.int64


def test_true_is_what_holds_when_the_setting_was_never_touched():
    jitgrad.config.update("jax_enable_x64", True)
    assert jnp.ones(2).dtype == np.float32 and jnp.arange(2).dtype == np.int64 and jnp.zeros(2, "float64").dtype == np.float64


def test_the_environment_begins_it():
    code = "import jitgrad, jitgrad.numpy as jnp; print(jitgrad.config.jax_enable_x64, jnp.arange(2).dtype)"
    for given, want in (("0", "False int32"), ("true", "True int64")):
        done = subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "JITGRAD_ENABLE_X64": given}, capture_output=True, text=True
        )
        assert done.stdout.strip() == want, done.stderr
