"""lax.reduce_window against reductions of each window in NumPy, its derivatives, and errors that teach."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import errors, grad, jit, lax, vmap
from jitgrad.test_util import check_grads

both = pytest.mark.parametrize("mode", [lambda f: f, jit], ids=["eager", "jit"])

JOINED = {"add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}
NEUTRAL = {"add": 0.0, "mul": 1.0, "max": -np.inf, "min": np.inf}
COMPUTATIONS = {
    "add": [lax.add, jnp.add, lambda a, b: a + b], "mul": [lax.mul, jnp.multiply, lambda a, b: b * a],
    "max": [lax.max, jnp.maximum], "min": [lax.min, jnp.minimum],
}  # fmt: skip


def windows(x, sizes, strides, padding, apart, dilation):
    """For each place the list of the elements in its window that are no padding, row by row."""
    positions = []
    for n, k, s, (low, high), b, d in zip(x.shape, sizes, strides, padding, apart, dilation, strict=True):
        whole = ((n - 1) * b + 1 if n else 0) + low + high
        axis = []
        for place in range(max(0, (whole - ((k - 1) * d + 1)) // s + 1)):
            there = [place * s + i * d - low for i in range(k)]
            axis.append([t // b for t in there if t % b == 0 and 0 <= t // b < n])
        positions.append(axis)
    out = np.empty([len(axis) for axis in positions], object)
    for place in np.ndindex(*out.shape):
        out[place] = [x[index] for index in itertools.product(*[axis[p] for axis, p in zip(positions, place, strict=True)])]
    return out


@st.composite
def reductions(draw):
    rank = draw(st.integers(0, 3))
    each = st.lists(st.integers(1, 3), min_size=rank, max_size=rank)
    shape = draw(st.lists(st.integers(0, 5), min_size=rank, max_size=rank))
    x = np.random.default_rng(draw(st.integers(0, 99))).integers(-3, 4, shape).astype("float64")
    padding = [(draw(st.integers(0, 2)), draw(st.integers(-1 if n > 1 else 0, 2))) for n in shape]
    name = draw(st.sampled_from(sorted(JOINED)))
    init = draw(st.sampled_from([NEUTRAL[name], 2.0]))
    return x, name, draw(st.sampled_from(COMPUTATIONS[name])), init, (draw(each), draw(each), padding, draw(each), draw(each))


@settings(max_examples=60)
@given(reductions())
def test_each_window_is_reduced_beginning_with_the_initial_value(case):
    x, name, computation, init, of = case
    found = windows(x, *of)
    wanted = np.empty(found.shape)
    for place in np.ndindex(*found.shape):
        wanted[place] = functools.reduce(JOINED[name], found[place], init)
    np.testing.assert_array_equal(lax.reduce_window(x, init, computation, *of), wanted)


@settings(max_examples=6)
@given(reductions())
def test_jit_and_vmap_give_what_eager_mode_gives(case):
    x, _, computation, init, of = case

    def f(x, init):
        return lax.reduce_window(x, init, computation, *of)

    np.testing.assert_array_equal(jit(f)(x, init), f(x, init))
    np.testing.assert_array_equal(vmap(f, (0, None))(np.stack([x, 2 * x]), init), np.stack([f(x, init), f(2 * x, init)]))
    np.testing.assert_array_equal(vmap(f, (None, 0))(x, np.array([init, 1.5])), np.stack([f(x, init), f(x, 1.5)]))


@pytest.mark.parametrize("name", sorted(JOINED))
@pytest.mark.parametrize("init", ["neutral", "other"])
def test_first_and_second_derivatives_agree_with_differences(name, init):
    x = np.random.default_rng(1).standard_normal((4, 5))
    start = NEUTRAL[name] if init == "neutral" else 0.3

    def f(x):
        return lax.reduce_window(x, start, COMPUTATIONS[name][0], (2, 3), (1, 2), ((1, 0), (0, 1)), None, (2, 1)) ** 2

    check_grads(f, (np.where(np.abs(x - 0.3) < 1e-3, x + 0.01, x) if start == 0.3 else x + 4,), order=2)


def test_the_derivative_of_equal_largest_elements_is_the_firsts():
    x = np.array([1.0, 3.0, 3.0, 0.0, 3.0, 3.0])
    out = grad(lambda x: jnp.sum(lax.reduce_window(x, -jnp.inf, lax.max, (3,), (3,))))(x)
    np.testing.assert_array_equal(out, [0, 1, 0, 0, 1, 0])
    square = np.zeros((3, 3))
    out = grad(lambda x: jnp.sum(lax.reduce_window(x, -jnp.inf, lax.max, (2, 2), (1, 1))))(square)
    np.testing.assert_array_equal(out, [[1, 1, 0], [1, 1, 0], [0, 0, 0]])
    out = grad(lambda x: jnp.sum(lax.reduce_window(x, jnp.inf, lax.min, (2, 2), (1, 1), "SAME")))(square)
    np.testing.assert_array_equal(out, np.ones((3, 3)))


@both
def test_other_computations_are_done_in_order(mode):
    x = np.random.default_rng(1).standard_normal(7)

    def last_and_half(a, b):
        return a / 2 + b

    out = mode(lambda x: lax.reduce_window(x, 1.0, last_and_half, (3,), (2,), ((1, 1),)))(x)
    found = windows(x, (3,), (2,), ((1, 1),), (1,), (1,))
    np.testing.assert_allclose(out, [functools.reduce(last_and_half, part, 1.0) for part in found], rtol=1e-14)
    check_grads(lambda x: lax.reduce_window(x, 1.0, lambda a, b: jnp.logaddexp(a, b), (3,), (2,), ((1, 1),)), (x,), order=2)


def test_pytrees_are_reduced_together():
    x, at = np.array([1.0, 5.0, 2.0, 7.0, 0.0]), np.arange(5)

    def larger(a, b):
        first = a[0] >= b[0]
        return jnp.where(first, a[0], b[0]), jnp.where(first, a[1], b[1])

    most, where = lax.reduce_window((x, at), (-np.inf, -1), larger, (2,), (1,), "SAME")
    np.testing.assert_array_equal(most, [5, 5, 7, 7, 0])
    np.testing.assert_array_equal(where, [1, 1, 3, 3, 4])


@both
@pytest.mark.parametrize("dtype", ["int8", "uint16", "int64", "float16", "bfloat16", "complex64", "bool"])
def test_element_types_are_kept(mode, dtype):
    x = np.array([1, 0, 1, 1, 0])
    array = jnp.asarray(x, dtype)
    computation = lax.bitwise_or if dtype == "bool" else lax.add
    out = mode(lambda x: lax.reduce_window(x, jnp.zeros((), dtype), computation, (2,), (1,)))(array)
    assert out.dtype == array.dtype
    np.testing.assert_array_equal(np.asarray(out).astype("complex64"), [1, 1, 1, 1] if dtype == "bool" else [1, 1, 2, 1])


def test_nan_wins_in_the_windows_that_have_it():
    x = np.array([1.0, np.nan, 3.0, 4.0])
    np.testing.assert_array_equal(lax.reduce_window(x, -jnp.inf, lax.max, (2,), (1,)), [np.nan, np.nan, 4])


def test_long_windows_are_reduced_too():
    x = np.random.default_rng(1).standard_normal(300)
    out = jit(lambda x: lax.reduce_window(x, -jnp.inf, lax.max, (100,), (1,)))(x)
    np.testing.assert_array_equal(out, np.lib.stride_tricks.sliding_window_view(x, 100).max(-1))
    (gradient,) = jitgrad.vjp(lambda x: lax.reduce_window(x, -jnp.inf, lax.max, (100,), (1,)), x)[1](np.ones(201))
    counted = np.bincount(np.arange(201) + np.lib.stride_tricks.sliding_window_view(x, 100).argmax(-1), minlength=300)
    np.testing.assert_array_equal(gradient, counted)


X = np.ones((4, 4))
WRONG = [
    (lambda: lax.reduce_window(X, 0.0, lax.add, (2,)), errors.ArgumentError, "window_dimensions must have 2 numbers"),
    (lambda: lax.reduce_window(X, 0.0, lax.add, 2), errors.ArgumentError, "window_dimensions must be a sequence of 2 integers"),
    (lambda: lax.reduce_window(X, 0.0, lax.add, (2, 0)), errors.ArgumentError, "window_dimensions must be 1 or more"),
    (lambda: lax.reduce_window(X, X, lax.add, (2, 2)), errors.ShapeError, "init_value must be a scalar"),
    (lambda: lax.reduce_window((X, X[0]), (0.0, 0.0), lax.add, (2, 2)), errors.ShapeError, "one shape"),
    (lambda: lax.reduce_window(X, 0.0, lambda a, b: (a, b), (2, 2)), errors.ArgumentError, "the computation must return"),
    (lambda: lax.reduce_window(X, 0.0, lax.add, (2, 2), None, "FULL"), errors.ArgumentError, "padding must be one of"),
    (lambda: lax.reduce_window(X, 0.0, lax.add, (2, 2), None, [(-3, -3), (0, 0)]), errors.ShapeError, "cuts off more"),
]


@pytest.mark.parametrize(("call", "error", "message"), WRONG)
def test_wrong_arguments_say_what_was_expected(call, error, message):
    with pytest.raises(error, match=message):
        call()
