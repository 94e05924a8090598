"""jnp.float32, jnp.int32 and their kin: they convert what they are called with, and are NumPy's types everywhere else."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import errors

NAMES = [
    "bool_", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64", "complex64",
    "complex128",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_an_element_type_is_numpys_type_wherever_a_type_is_meant(name):
    ours, theirs = getattr(jnp, name), getattr(np, name)
    dtype = np.dtype(theirs)
    assert np.dtype(ours) == dtype == ours and ours == theirs and theirs == ours and ours != np.str_
    assert hash(ours) == hash(theirs) and {theirs: 1}[ours] == {ours: 1}[theirs] == 1
    assert np.zeros(2, ours).dtype == jnp.zeros(2, ours).dtype == jnp.zeros(2, theirs).dtype == ours
    assert jnp.zeros(2, ours).dtype == ours and ours == jnp.zeros(2, ours).dtype
    assert np.zeros(2).astype(ours).dtype == jnp.zeros(2).astype(ours).dtype == dtype
    assert isinstance(theirs(1), ours) and not isinstance("1", ours) and isinstance(ours, type) and issubclass(theirs, ours)
    assert ours.dtype == dtype and repr(ours) == f"<class 'jitgrad.numpy.{name}'>"
    assert jnp.result_type(ours) == dtype and jnp.promote_types(ours, "bool") == dtype
    assert pickle.loads(pickle.dumps(ours)) is ours and copy.deepcopy(ours) is ours
    assert jitgrad.ShapeDtypeStruct((2,), ours).dtype == dtype
    assert jnp.issubdtype(ours, np.generic) and jnp.isdtype(ours, ours)


def test_kinds_and_limits_of_element_types():
    assert jnp.issubdtype(jnp.float32, jnp.floating) and np.issubdtype(jnp.float32, np.floating)
    assert not jnp.issubdtype(jnp.int32, jnp.floating) and jnp.issubdtype(jnp.zeros(1).dtype, jnp.float32)
    assert jnp.finfo(jnp.float32).eps == np.finfo(np.float32).eps and jnp.iinfo(jnp.int8).max == np.iinfo(jnp.int8).max == 127
    assert jnp.can_cast(jnp.int32, jnp.float64) and jnp.int_ is jnp.int64 and jnp.bool is jnp.bool_ and jnp.double is jnp.float64


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("given", [1, 1.0, True, [0, 1], [[1.0], [0.0]], np.float64(1), np.array([1, 0])])
def test_an_element_type_converts_what_it_is_called_with(name, given):
    made = getattr(jnp, name)(given)
    assert isinstance(made, jitgrad.Array) and made.dtype == name
    np.testing.assert_array_equal(np.asarray(made), np.asarray(given).astype(name))


def test_an_element_type_converts_traced_and_differentiated_values():
    assert jitgrad.jit(lambda x: jnp.float64(x) * 2)(np.float32(1.5)).dtype == np.float64
    assert jitgrad.jit(jnp.int32)(2.7).dtype == np.int32 and int(jitgrad.jit(jnp.int32)(2.7)) == 2
    assert float(jitgrad.grad(lambda x: jnp.float32(x) ** 2)(3.0)) == 6.0
    assert float(jitgrad.grad(lambda x: jnp.sum(jnp.float32([x, 2 * x]) ** 2))(3.0)) == 30.0
    assert jitgrad.vmap(jnp.complex64)(jnp.ones(2)).dtype == np.complex64
    assert jitgrad.jit(lambda x: x + jnp.float32(0.5))(jnp.ones(2)).tolist() == [1.5, 1.5]


def test_numbers_that_a_type_cannot_hold_and_what_is_none_are_refused():
    with pytest.raises(OverflowError, match="300 does not fit in uint8"):
        jnp.uint8(300)
    with pytest.raises(errors.NotAnArrayError, match="string 'a'"):
        jnp.float32("a")


def test_an_element_type_is_a_static_argument_and_names_a_program():
    cast = jitgrad.jit(lambda x, dtype: x.astype(dtype), static_argnums=1)
    assert cast(jnp.ones(2), jnp.int32).dtype == np.int32 and cast(jnp.ones(2), np.float64).dtype == np.float64
