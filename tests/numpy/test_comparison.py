"""Comparisons of integers are those of the numbers, whatever the types; numbers that a type cannot hold are not stored in it."""

from __future__ import annotations

import enum
import operator

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import errors

TYPES = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
OPERATORS = [operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge]
NUMBERS = [-(2**70), -(2**63), -300, -129, -1, 0, 1, 127, 128, 255, 300, 2**31, 2**32 + 1, 2**63, 2**64 - 1, 2**70]


def ends(dtype):
    info = np.iinfo(dtype)
    return np.array([info.min, info.max, 1, 0, info.max - 1], dtype)


def truths(compare, left, right):
    return [bool(compare(int(a), int(b))) for a, b in zip(*np.broadcast_arrays(np.asarray(left, object), right), strict=True)]


@pytest.mark.parametrize("dtype", TYPES)
def test_a_python_int_of_any_size_is_compared_as_the_number_it_is(dtype):
    x = ends(dtype)
    for n in NUMBERS:
        for compare in OPERATORS:
            want, mirrored = truths(compare, x, n), truths(compare, np.full(x.shape, n, object), x)
            assert np.asarray(compare(jnp.array(x), n)).tolist() == want, (n, compare)
            assert np.asarray(compare(n, jnp.array(x))).tolist() == mirrored, (n, compare)
            if -(2**63) <= n < 2**63:
                assert np.asarray(compare(jnp.array(x), np.int64(n))).tolist() == want, (n, compare)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int64", "uint64"])
def test_a_python_int_is_compared_so_in_compiled_code_too_as_a_constant_and_as_an_argument(dtype):
    x = ends(dtype)
    for n in (-(2**63), -1, 0, 128, 300, 2**63 - 1):
        constant = jitgrad.jit(lambda x, n=n: [f(x, n) for f in OPERATORS] + [f(n, x) for f in OPERATORS])(x)
        argument = jitgrad.jit(lambda x, n: [f(x, n) for f in OPERATORS] + [f(n, x) for f in OPERATORS])(x, n)
        want = [truths(f, x, n) for f in OPERATORS] + [truths(f, np.full(x.shape, n, object), x) for f in OPERATORS]
        assert [np.asarray(v).tolist() for v in constant] == want
        assert [np.asarray(v).tolist() for v in argument] == want
        batched = jitgrad.vmap(lambda x, n=n: [f(x, n) for f in OPERATORS])(x)
        assert [np.asarray(v).tolist() for v in batched] == want[:6]


@pytest.mark.parametrize("unsigned", ["uint8", "uint32", "uint64"])
@pytest.mark.parametrize("signed", ["int8", "int64"])
def test_signed_and_unsigned_arrays_are_compared_exactly(signed, unsigned):
    x, y = (v.ravel() for v in np.meshgrid(ends(signed), ends(unsigned)))
    for compare in OPERATORS:
        for run in (lambda f: f, jitgrad.jit):
            assert np.asarray(run(compare)(jnp.array(x), jnp.array(y))).tolist() == truths(compare, x, y)
            assert np.asarray(run(compare)(jnp.array(y), jnp.array(x))).tolist() == truths(compare, y, x)


def test_two_numbers_bools_and_floats_are_compared_with_ints_of_any_size():
    assert bool(jnp.less(2**70, 2**71)) and not bool(jnp.equal(2**70, 3))
    assert np.asarray(jnp.array([True, False]) == 2).tolist() == [False, False]
    assert np.asarray(jnp.array([True, False]) < 2).tolist() == [True, True]
    assert np.asarray(jnp.array([1.0, np.inf, np.nan]) < 2**70).tolist() == [True, False, False]
    assert np.asarray(jnp.array([1.0, np.inf]) >= 10**400).tolist() == [False, True]


def test_comparisons_have_no_derivative_and_choose():
    assert float(jitgrad.grad(lambda x: jnp.where(x > 2**65, x, 2 * x))(3.0)) == 2.0


class Size(enum.IntEnum):
    BIG = 300


STORED = {
    "array": lambda n, t: jnp.array(n, t),
    "asarray": lambda n, t: jnp.asarray(n, t),
    "array of a list": lambda n, t: jnp.array([0, n], t),
    "array of a nested list": lambda n, t: jnp.array([[0], [n]], t),
    "array of a list with floats": lambda n, t: jnp.array([0.5, n], t),
    "array of a list with arrays": lambda n, t: jnp.array([jnp.array(1, t), n], t),
    "full": lambda n, t: jnp.full(2, n, t),
    "full_like": lambda n, t: jnp.full_like(jnp.zeros(2, t), n),
    "lax.full": lambda n, t: jitgrad.lax.full((2,), n, t),
    "at set": lambda n, t: jnp.zeros(2, t).at[0].set(n),
    "at add": lambda n, t: jnp.zeros(2, t).at[0].add(n),
    "where": lambda n, t: jnp.where(True, jnp.zeros(2, t), n),
    "pad": lambda n, t: jnp.pad(jnp.zeros(2, t), 1, constant_values=n),
    "add": lambda n, t: jnp.zeros(2, t) + n,
    "maximum": lambda n, t: jnp.maximum(jnp.zeros(2, t), n),
    "clip": lambda n, t: jnp.clip(jnp.zeros(2, t), None, n),
    "sum": lambda n, t: jnp.max(jnp.zeros(2, t), initial=n),
    "append": lambda n, t: jnp.diff(jnp.zeros(2, t), append=n),
}  # fmt: skip


@pytest.mark.parametrize("way", STORED)
@pytest.mark.parametrize(
    ("n", "dtype"), [(300, "uint8"), (-1, "uint8"), (200, "int8"), (-129, "int8"), (2**40, "int32"), (-1, "uint64")]
)
def test_a_number_is_not_stored_in_a_type_that_cannot_hold_it(way, n, dtype):
    for run in (lambda f: f, jitgrad.jit):
        with pytest.raises(OverflowError, match=f"{n} does not fit in {dtype}") as caught:
            run(lambda: STORED[way](n, dtype))()
        assert isinstance(caught.value, errors.NumberRangeError) and isinstance(caught.value, errors.DTypeError)


@pytest.mark.parametrize("way", STORED)
@pytest.mark.parametrize(("n", "dtype"), [(255, "uint8"), (-128, "int8"), (2**31 - 1, "int32"), (2**64 - 1, "uint64")])
def test_a_number_at_the_end_of_a_type_is_stored(way, n, dtype):
    assert STORED[way](n, dtype).dtype == dtype


def test_ints_beyond_int64_become_uint64_and_beyond_64_bits_are_refused():
    assert jnp.array(2**63).dtype == jnp.array(2**64 - 1, "uint64").dtype == np.uint64
    assert int(jnp.array(2**64 - 1)) == 2**64 - 1
    for make in (
        lambda: jnp.array(2**64),
        lambda: jnp.array(-(2**63) - 1),
        lambda: jnp.array([2**63, 1]),
        lambda: jnp.array([2**70]),
    ):
        with pytest.raises((errors.NumberRangeError, errors.NotAnArrayError)):
            make()
