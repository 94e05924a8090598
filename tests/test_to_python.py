"""Arrays as Python numbers, NumPy arrays and text: what may leave a function that is differentiated or traced, and what not."""

from __future__ import annotations

import cmath
import collections.abc
import copy
import math
import operator
import pickle

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import errors

LEAVING = {
    "float": float,
    "complex": complex,
    "item": lambda x: x.item(),
    "tolist": lambda x: x.tolist(),
    "asarray": np.asarray,
    "array": np.array,
    "array of a list": lambda x: np.array([x, x], dtype=float),
    "math.exp": math.exp,
    "math.pow": lambda x: math.pow(x, 2),
    "cmath.exp": cmath.exp,
    "pickle": pickle.dumps,
    "dlpack": np.from_dlpack,
    "arange": lambda x: jnp.arange(x, 5.0),
}  # fmt: skip


def in_jvp(f):
    return lambda x: jitgrad.jvp(f, (x,), (1.0,))


@pytest.mark.parametrize("transform", [jitgrad.grad, jitgrad.hessian, in_jvp, lambda f: lambda x: jitgrad.linearize(f, x)])
@pytest.mark.parametrize("way", LEAVING)
def test_a_number_that_would_leave_its_derivative_behind_is_refused(way, transform):
    def f(x):
        LEAVING[way](x)
        return x * x

    with pytest.raises(errors.ConcretizationTypeError, match="stop_gradient"):
        transform(f)(3.0)


def test_a_vector_being_differentiated_is_refused_by_numpy_and_as_a_list():
    for leave in (np.asarray, lambda x: x.tolist(), lambda x: x.item(0), lambda x: np.frombuffer(x, np.float32)):
        with pytest.raises((errors.ConcretizationTypeError, TypeError)):
            jitgrad.grad(lambda x, leave=leave: jnp.sum(x * jnp.asarray(leave(x))))(jnp.ones(3))


def test_what_is_constant_between_jumps_stays_allowed_under_differentiation():
    def f(x):
        assert x > 0 and bool(x) and not x < 0 and x != 2
        assert (int(x), math.floor(x), math.ceil(x), math.trunc(-x), int(round(x))) == (3, 3, 4, -3, 4)
        assert [10, 20, 30, 40][int(x)] == 40
        assert operator.index(jnp.argmax(jnp.stack([x, -x]))) == 0
        assert float(jnp.floor(x)) == 3.0 and float(jnp.sign(x)) == 1.0
        assert np.asarray(x > 1) and np.asarray(jnp.argmax(x[None])) == 0
        assert float(jitgrad.lax.stop_gradient(x)) == 3.5
        return x * int(x) * math.floor(x)

    assert float(jitgrad.grad(f)(3.5)) == 9.0


def test_printing_stays_allowed_under_differentiation_with_format_codes_too():
    seen = []

    def f(x):
        seen.extend([str(x), repr(x), f"{x:.3f}", f"{x}", f"{x:>8.2f}", str(jnp.stack([x, x]))])
        return x * x

    jitgrad.grad(f)(1.5)
    assert seen == ["1.5", "Dual<Array(1.5, dtype=float32)>", "1.500", "1.5", "    1.50", "[1.5 1.5]"]


@pytest.mark.parametrize("transform", [jitgrad.jit, lambda f: lambda x: jitgrad.vmap(f)(jnp.ones(2) * x)])
def test_a_format_code_for_a_traced_value_advises_debug_print(transform):
    with pytest.raises(errors.ConcretizationTypeError, match=r"'\.3f' needs a concrete number.*debug\.print"):
        transform(lambda x: len(f"{x:.3f}") * x)(1.5)
    transform(lambda x: len(f"{x} {x:>30}") * x)(1.5)


def test_a_format_code_for_many_numbers_says_so():
    with pytest.raises(TypeError, match=r"'\.3f' is for one number, got an array of shape \(2,\)"):
        f"{jnp.ones(2):.3f}"


@pytest.mark.parametrize(
    ("leave", "named"),
    [
        (lambda x: x.item(), r"x\.item\(\)"),
        (lambda x: x.tolist(), r"x\.tolist\(\)"),
        (math.floor, "math.floor"),
        (float, r"float\(\)"),
    ],
)
def test_a_traced_value_that_has_no_number_names_what_asked_for_it(leave, named):
    with pytest.raises(errors.ConcretizationTypeError, match=f"^{named} needs a concrete number"):
        jitgrad.jit(lambda x: leave(x) * x)(1.5)


def test_a_value_that_outlives_its_differentiation_has_leaked():
    kept = []
    jitgrad.grad(lambda x: kept.append(x * 2) or x * x)(3.0)
    with pytest.raises(errors.UnexpectedTracerError, match="leaked"):
        float(kept[0])
    assert "6." in repr(kept[0])


def test_arrays_are_not_hashable():
    assert not isinstance(jnp.ones(2), collections.abc.Hashable)
    with pytest.raises(TypeError, match="unhashable"):
        hash(jnp.ones(2))


COPIES = {
    "array": lambda a: jnp.array(a, copy=True),
    "array of its type": lambda a: jnp.array(a, a.dtype),
    "array, ndmin": lambda a: jnp.array(a, ndmin=1),
    "asarray": lambda a: jnp.asarray(a, copy=True),
    "copy": jnp.copy,
    "method": lambda a: a.copy(),
    "copy.copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "deepcopy of a tree": lambda a: copy.deepcopy({"a": [a]})["a"][0],
    "astype": lambda a: a.astype(a.dtype, copy=True),
    "pickle": lambda a: pickle.loads(pickle.dumps(a)),
}  # fmt: skip


@pytest.mark.parametrize("way", COPIES)
@pytest.mark.parametrize("make", [lambda: jnp.ones(3), lambda: jitgrad.jit(lambda: jnp.ones(3))()])
def test_a_copy_outlives_the_donation_of_its_original(way, make):
    original = make()
    copied = COPIES[way](original)
    jitgrad.jit(lambda x: x + 1, donate_argnums=0)(original)
    assert np.asarray(copied + 0).tolist() == [1, 1, 1]


def test_copies_inside_traced_and_differentiated_functions_keep_the_derivative():
    for duplicate in (copy.copy, copy.deepcopy, jnp.copy, jnp.array, lambda x: x.copy()):
        f = lambda x, duplicate=duplicate: duplicate(x) ** 2
        assert float(jitgrad.grad(f)(3.0)) == float(jitgrad.jit(jitgrad.grad(f))(3.0)) == 6.0
