"""What may stand for an array: numbers of any class, lists where values are set, stand-ins where a shape is meant; and what not."""

from __future__ import annotations

import enum

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import errors


class Size(enum.IntEnum):
    TWO = 2


class Metres(float):
    pass


class Count(int):
    pass


class Phase(complex):
    pass


@pytest.mark.parametrize(("number", "plain"), [(Size.TWO, 2), (Metres(1.5), 1.5), (Count(3), 3), (Phase(1j), 1j)])
def test_a_number_of_a_class_of_its_own_is_the_number_it_is(number, plain):
    x = jnp.ones(2)
    cases = [
        lambda n: jnp.array(n), lambda n: jnp.array([n, n]), lambda n: jnp.array([x[0], n]), lambda n: x + n, lambda n: n * x,
        lambda n: x == n, lambda n: jitgrad.jit(lambda v: v * 2)(n), lambda n: jnp.full(2, n),
        lambda n: jitgrad.jit(lambda t: t["a"] + x)({"a": n}),
        lambda n: jnp.where(x > 0, x, n), lambda n: jitgrad.jit(lambda v: v * n)(x), lambda n: np.multiply(x, n),
        lambda n: jitgrad.vmap(lambda v: v * n)(x), lambda n: jitgrad.lax.add(n, 1 if isinstance(plain, int) else 1.0),
        lambda n: jitgrad.jit(lambda v, m: v * m, static_argnums=1)(x, n),
    ]  # fmt: skip
    for case in cases:
        got, want = case(number), case(plain)
        assert got.dtype == want.dtype and np.array_equal(np.asarray(got), np.asarray(want))


def test_a_member_of_an_enumeration_is_an_index_a_size_and_an_axis():
    x = jnp.arange(6).reshape(3, 2)
    assert jnp.zeros(Size.TWO).shape == (2,) and x[Size.TWO].tolist() == [4, 5] and x.at[Size.TWO].set(0)[2].tolist() == [0, 0]
    assert jitgrad.lax.fori_loop(0, Size.TWO, lambda i, c: c * 2, 1) == 4 and jnp.arange(Size.TWO).tolist() == [0, 1]
    assert jitgrad.lax.dynamic_slice(x, (Count(1), 0), (Size.TWO, 2)).shape == (2, 2)


UPDATES = ["set", "add", "subtract", "multiply", "divide", "min", "max", "power"]


@pytest.mark.parametrize("way", UPDATES)
def test_updates_take_lists_of_numbers_and_of_traced_values(way):
    x = jnp.array([[1.0, 2.0], [3.0, 4.0]])
    for values in ([1, 2], [0.5, 2], (1, 2), [np.float64(0.5), jnp.array(2.0)]):
        got = getattr(x.at[0], way)(values)
        assert got.dtype == np.float32
        np.testing.assert_array_equal(np.asarray(got), np.asarray(getattr(x.at[0], way)(jnp.array(values))))
    got = jitgrad.jit(lambda v: getattr(x.at[:, 0], way)([v, 2.0]))(1.0)
    np.testing.assert_allclose(np.asarray(got), np.asarray(getattr(x.at[:, 0], way)(jnp.array([1.0, 2.0]))), rtol=1e-6)


def test_updates_with_lists_differentiate_and_keep_digits():
    assert float(jitgrad.grad(lambda v: jnp.sum(jnp.zeros(2).at[:].set([v, 2 * v]) ** 2))(3.0)) == 30.0
    assert float(jnp.zeros(1, "float64").at[:].set([0.1])[0]) == 0.1
    with pytest.raises(OverflowError, match="300 does not fit in uint8"):
        jnp.zeros(2, "uint8").at[:].set([1, 300])


def test_lists_in_an_index_are_arrays_beside_other_indices_and_refused_alone():
    x = jnp.arange(9).reshape(3, 3)
    n = np.arange(9).reshape(3, 3)
    assert x[[0, 1], 0].tolist() == n[[0, 1], 0].tolist() and x[:, [2, 0]].tolist() == n[:, [2, 0]].tolist()
    assert x[([True, False, True],)].tolist() == n[[True, False, True]].tolist() and x[[], 0].shape == (0,)
    assert x.at[[0, 1], 0].set([7, 8]).tolist() == [[7, 1, 2], [8, 4, 5], [6, 7, 8]]
    assert jitgrad.jit(lambda i: x[[i, 0], 1])(2).tolist() == [7, 1]
    for use in (lambda: x[[0, 1]], lambda: x.at[[0, 1]].set(1)):
        with pytest.raises(TypeError, match=r"write x\[jnp\.array\(indices\)\]"):
            use()
    with pytest.raises(errors.DTypeError, match="integers or bools"):
        x[[0.5, 1.0], 0]


def test_arrays_like_a_shape_and_a_type_that_stand_for_one():
    struct = jitgrad.eval_shape(lambda x: (x > 0).astype(jnp.int32), jnp.ones((2, 3)))
    for made, value in (
        (jnp.zeros_like(struct), 0), (jnp.ones_like(struct), 1), (jnp.full_like(struct, 7), 7), (jnp.empty_like(struct), 0),
        (jitgrad.lax.full_like(struct, 5), 5), (jitgrad.jit(lambda: jnp.ones_like(struct))(), 1),
    ):  # fmt: skip
        assert made.shape == (2, 3) and made.dtype == np.int32 and (np.asarray(made) == value).all()
    assert jnp.zeros_like(struct, float).dtype == np.float32 and jnp.ones_like(struct, shape=(4,)).shape == (4,)
    tree = jitgrad.eval_shape(lambda x: {"a": x, "b": [x[0]]}, jnp.ones((2, 3)))
    assert jitgrad.tree.map(jnp.zeros_like, tree)["b"][0].shape == (3,)


@pytest.mark.parametrize("name", ["zeros", "ones", "empty"])
def test_two_numbers_for_a_shape_get_advice(name):
    with pytest.raises(TypeError, match=rf"A shape is one tuple: {name}\(\(2, 5\)\)"):
        getattr(jnp, name)(2, 5)


def test_a_number_for_an_element_type_gets_advice():
    for make in (lambda: jnp.full((2,), 1.0, 3), lambda: jnp.ones_like(jnp.ones(2), 3), lambda: jnp.ones(2).astype(3)):
        with pytest.raises(TypeError, match="3 is no element type. A shape is one tuple"):
            make()


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: jnp.array(None), "array needs an array or a number, got None, which is no number"),
        (lambda: jnp.array("a"), "got the string 'a', which is no number"),
        (lambda: jnp.array(["a"]), r"item \[0\] of the list needs an array or a number, got the string 'a', which is no number"),
        (lambda: jnp.array([1.0, [2.0, None]]), r"item \[1\]\[1\] of the list needs an array or a number, got None"),
        (lambda: jnp.array([jnp.ones(2), None]), r"item \[1\] of the list needs an array or a number, got None"),
        (lambda: jnp.stack([jnp.ones(2), None]), "stack needs an array or a number, got None"),
        (lambda: jnp.sin(None), "sin needs an array or a number, got None"),
        (lambda: jnp.ones(2).at[0].set(None), r"at\[\]\.set needs an array or a number, got None"),
    ],
)
def test_none_and_strings_are_no_numbers_and_where_they_stand_is_said(make, text):
    with pytest.raises(errors.NotAnArrayError, match=text):
        make()
