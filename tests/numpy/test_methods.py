"""Operators and methods, against NumPy."""

from __future__ import annotations

import operator as operators
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import errors

CASES = [
    "x + 1",
    "1 - x",
    "x / 2",
    "2 / x",
    "x // 2",
    "x % 2",
    "x ** 2",
    "2 ** x",
    "i ** 2",
    "2 ** j",
    "-x",
    "+x",
    "~i",
    "i & 3",
    "3 | i",
    "i ^ j",
    "i << 1",
    "i >> 1",
    "x @ v",
    "x @ m",
    "x == y",
    "x != 0",
    "x < v",
    "x.T",
    "x.sum(0)",
    "x.mean(axis=1, keepdims=True)",
    "x.reshape(4, 3)",
    "x.reshape((2, -1))",
    "x.transpose(1, 0)",
    "t.transpose((2, 0, 1))",
    "x.astype(int)",
    "x.max()",
    "x.argmax(1)",
    "x.std(ddof=1)",
    "x.ravel()",
    "x.flatten()",
    "x.clip(-1, 1)",
    "x.round(1)",
    "x.dot(v)",
    "x.cumsum(1)",
    "x.swapaxes(0, 1)",
    "x.repeat(2, 0)",
    "x.take(k, 1)",
    "x.sort() :: sort(x)",
    "x.argsort(0)",
    "x.diagonal()",
    "t.mT",
    "c.real",
    "c.imag",
    "c.conj()",
    "x.ptp(0) :: ptp(x, 0)",
    'k.choose((v, v + 1, v + 2, v + 3), mode="clip")',
    "v.argpartition(1)[1:2]",
]


OPERATORS = "add sub mul truediv floordiv mod pow matmul and_ or_ xor lshift rshift eq ne lt le gt ge".split()


@pytest.mark.parametrize("case", CASES)
def test_methods_agree_with_numpy_eagerly_traced_and_batched(case: str, agrees: Callable[..., None]) -> None:
    agrees(case)


def test_what_depends_on_elements_is_a_method_of_concrete_arrays() -> None:
    x = np.arange(6.0).reshape(3, 2)
    a = jnp.array(x)
    np.testing.assert_array_equal(a.compress(jnp.array([True, False, True]), 0), x[[0, 2]])
    np.testing.assert_array_equal(a.compress(jnp.array([True, False]), size=3), [0, 0, 0])
    assert a.tobytes() == x.tobytes() and a.tobytes("F") == x.tobytes("F") != x.tobytes()
    with pytest.raises(errors.ArgumentError, match=r"tobytes: order must be one of 'C', 'F', got 'A'"):
        a.tobytes("A")


@pytest.mark.parametrize("compiled", [lambda f: f, jitgrad.jit], ids=["eager", "jit"])
@pytest.mark.parametrize("to", ["int8", "uint16", "float16", "int32", "float32", "int64", "float64", "uint64"])
@pytest.mark.parametrize("of", ["uint8", "int16", "float32", "float64", "int64"])
def test_a_view_reads_the_bits_as_numpy_does(of: str, to: str, compiled: Callable[..., Any]) -> None:
    x = np.random.default_rng(0).integers(0, 256, (3, 64), np.uint8).view(of)[:, :8]
    x = np.ascontiguousarray(x)
    got = np.asarray(compiled(lambda v: v.view(to))(jnp.array(x)))
    assert got.tobytes() == x.tobytes() and got.dtype == to and got.shape == x.view(to).shape
    parts = np.dtype(to).itemsize // np.dtype(of).itemsize
    own = x.reshape(3, -1, parts) if parts > 1 else x
    bits = np.asarray(compiled(lambda v: jitgrad.lax.bitcast_convert_type(v, to))(jnp.array(own)))
    assert bits.tobytes() == x.tobytes()
    assert bits.shape == (own.shape[:-1] if parts > 1 else (*x.shape, got.size // x.size)[: 2 + (got.size > x.size)])


@pytest.mark.parametrize(
    ("run", "error", "message"),
    [(lambda: jnp.ones(3).view("float64"), errors.ShapeError, r"view: 2 elements of float32 make one of float64"),
     (lambda: jnp.float32(1).view("int8"), errors.ShapeError, r"view: float32 cannot be read as int8 without an axis"),
     (lambda: jnp.ones(2, bool).view("int8"), errors.DTypeError, r"view: bool cannot be read as int8"),
     (lambda: jnp.ones(2).view(complex), errors.DTypeError, r"view: float32 cannot be read as"),
     (lambda: jitgrad.lax.bitcast_convert_type(jnp.ones(3), "int64"), errors.ShapeError, r"the last axis must have 2, got shape"),
     (lambda: jitgrad.lax.bitcast_convert_type(jnp.ones(3, bool), "int32"), errors.DTypeError, r"bool cannot be read as int32")],
)  # fmt: skip
def test_bits_that_are_no_whole_elements_are_refused(run: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        run()


@pytest.mark.parametrize("other", [[2], (2, 3), range(2)], ids=repr)
@pytest.mark.parametrize("operator", [o for n in OPERATORS for o in (getattr(operators, n),)], ids=OPERATORS)
def test_operators_refuse_what_numpy_makes_arrays_of(operator: Callable[[Any, Any], Any], other: Any) -> None:
    for x in (jnp.arange(2), jnp.array(2), jnp.array([2])):  # an array of one integer would repeat a list
        for operands in ((x, other), (other, x)):
            with pytest.raises(errors.NotAnArrayError, match=f"needs an array or a number, got {type(other).__name__}"):
                operator(*operands)


def test_arrays_are_unequal_to_what_is_no_number() -> None:
    x = jnp.arange(2)
    assert (x == "auto") is False and (x != None) is True and (x == {}) is False  # noqa: E711


def test_an_array_has_its_trace() -> None:
    x = jnp.arange(12.0).reshape(3, 4)
    assert float(x.trace()) == 15.0 and float(x.trace(offset=1)) == 18.0
    np.testing.assert_array_equal(jitgrad.jit(lambda v: v.trace(axis1=1, axis2=0))(x), 15.0)
    np.testing.assert_array_equal(jitgrad.grad(lambda v: v.trace())(x), np.eye(3, 4))
