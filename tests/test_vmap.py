"""vmap: against loops, with axes of every kind, nested, over pytrees and keywords."""

from __future__ import annotations

import numpy as np
import pytest

import jitgrad.numpy as jnp
from jitgrad import errors, grad, jit, vmap
from jitgrad.testing import assert_close

X = np.arange(24.0).reshape(2, 3, 4) / 7
both = pytest.mark.parametrize("mode", [lambda f: f, jit], ids=["eager", "jit"])


def looped(f, in_axis, out_axis):
    return lambda x: np.stack([np.asarray(f(jnp.asarray(row))) for row in np.moveaxis(x, in_axis, 0)], out_axis)


@both
@pytest.mark.parametrize("in_axis", [0, 1, 2, -1, -2, -3])
@pytest.mark.parametrize("out_axis", [0, 1, -1, -2])
def test_any_axis_in_and_out_is_a_loop_over_it(mode, in_axis, out_axis):
    def f(x):
        return jnp.sin(x) @ jnp.ones((x.shape[1], 5))

    assert_close(mode(vmap(f, in_axes=in_axis, out_axes=out_axis))(X), looped(f, in_axis, out_axis)(X), 1e-12)


@both
def test_in_axes_may_be_a_pytree_that_the_arguments_continue(mode):
    def f(p, x, n):
        return p["w"] @ x + p["b"]["c"] * n

    p = {"w": np.ones((4, 3)), "b": {"c": np.arange(5.0)}}
    x = np.arange(15.0).reshape(3, 5)
    found = mode(vmap(f, in_axes=({"w": None, "b": 0}, 1, None)))(p, x, 2.0)
    expected = np.stack([np.ones((4, 3)) @ x[:, i] + i * 2.0 for i in range(5)])
    assert_close(found, expected, 1e-12)


@both
def test_out_axes_may_be_a_pytree_with_none_for_what_all_examples_share(mode):
    def f(x, shared):
        return {"a": x * 2, "b": [x + shared, shared * 3]}

    x = np.arange(12.0).reshape(3, 4)
    found = mode(vmap(f, in_axes=(0, None), out_axes={"a": 1, "b": [-1, None]}))(x, np.ones(4))
    assert_close(found, {"a": 2 * x.T, "b": [(x + 1).T, 3 * np.ones(4)]})


def test_none_in_the_arguments_is_no_leaf():
    assert_close(
        vmap(lambda p: p[0] + 1 if p[1] is None else p[1], in_axes=((0, None),))((np.arange(3.0), None)), np.arange(3.0) + 1
    )
    assert_close(vmap(lambda x, nothing: x + 1)(np.arange(3.0), None), np.arange(3.0) + 1)


@both
def test_nested_vmaps_are_outer_products(mode):
    a, b = np.arange(3.0), np.arange(4.0) + 1
    table = mode(vmap(vmap(lambda x, y: x / y, in_axes=(None, 0)), in_axes=(0, None)))(a, b)
    assert_close(table, a[:, None] / b)
    turned = mode(vmap(vmap(lambda x, y: x / y, in_axes=(0, None)), in_axes=(None, 0), out_axes=1))(a, b)
    assert_close(turned, a[:, None] / b)


@both
def test_three_nested_vmaps_with_different_axes_are_three_loops(mode):
    f = vmap(vmap(vmap(lambda x: x * x + 1), in_axes=-1, out_axes=-1), in_axes=1, out_axes=0)
    assert_close(mode(vmap(lambda x: f(x)))(X[None])[0], np.moveaxis(X, 1, 0) ** 2 + 1, 1e-12)


@both
def test_keyword_arguments_are_batched_along_axis_0(mode):
    found = mode(vmap(lambda x, *, scale: x * scale, in_axes=(None,)))(np.ones(2), scale=np.arange(3.0))
    assert_close(found, np.arange(3.0)[:, None] * np.ones(2))


@both
def test_axis_size_repeats_a_function_of_shared_arguments(mode):
    assert_close(mode(vmap(lambda x: x + 1, in_axes=None, axis_size=3))(np.arange(2.0)), np.tile(np.arange(2.0) + 1, (3, 1)))
    assert_close(mode(vmap(lambda: jnp.ones(2), axis_size=3))(), np.ones((3, 2), np.float32))
    assert_close(mode(vmap(lambda x: x + 1, axis_size=2))(np.arange(2.0)), np.arange(2.0) + 1)


@both
def test_an_output_that_does_not_depend_on_the_batch_is_repeated(mode):
    a, b, c = mode(vmap(lambda x: (x, 3.0, jnp.arange(2))))(np.arange(4.0))
    assert_close(a, np.arange(4.0))
    assert_close(b, np.full(4, 3.0, np.float32))
    assert_close(c, np.tile(np.arange(2), (4, 1)))


def test_an_empty_batch_gives_an_empty_batch():
    assert vmap(lambda x: jnp.sum(x))(np.zeros((0, 3))).shape == (0,)
    assert jit(vmap(lambda x: x @ np.ones((3, 2))))(np.zeros((0, 3))).shape == (0, 2)


@both
def test_weak_types_inside_a_batch_do_not_widen_float32(mode):
    x = np.ones(3, np.float32)
    assert mode(vmap(lambda x: x * 2.0))(x).dtype == np.float32
    assert mode(vmap(lambda x, s: x * s, in_axes=(0, None)))(x, 2.0).dtype == np.float32


@both
@pytest.mark.parametrize(
    "f",
    [
        lambda x: x[jnp.argmax(x)],
        lambda x: jnp.sort(x)[::-1],
        lambda x: jnp.where(x > 1, x, 0.0).cumsum(),
        lambda x: x.at[1].set(9.0),
        lambda x: x.at[jnp.argmin(x)].add(x.sum()),
        lambda x: jnp.concatenate([x, x[::2]]),
        lambda x: jnp.outer(x, x) @ x,
        lambda x: x.reshape(2, 2).T.ravel(),
        lambda x: jnp.stack([x.max(), x.min(), x.mean()]),
        lambda x: jnp.take(x, jnp.array([3, 0, 0])),
    ],
    ids=["argmax", "sort", "where", "set", "scatter add", "concatenate", "matmul", "reshape", "reductions", "take"],
)
def test_functions_of_a_row_are_those_of_a_loop_over_rows_with_their_gradients(mode, f):
    rows = np.array([[0.3, 2.0, -1.0, 5.0], [7.0, 1.5, 0.1, -2.0], [0.0, 3.0, 2.5, 1.0]])
    assert_close(mode(vmap(f))(rows), looped(f, 0, 0)(rows), 1e-12)
    gradient = grad(lambda r: jnp.sum(jnp.sin(f(r))))
    assert_close(mode(vmap(gradient))(rows), looped(gradient, 0, 0)(rows), 1e-12)


@both
def test_a_batched_index_into_a_shared_table_is_a_lookup(mode):
    table = np.arange(12.0).reshape(6, 2)
    index = np.array([5, 0, 3])
    assert_close(mode(vmap(lambda i, t: t[i], in_axes=(0, None)))(index, table), table[index])
    assert_close(mode(vmap(lambda i: jnp.asarray(table)[i]))(index), table[index])


def test_python_numbers_that_serve_every_example_stay_python_numbers():
    def f(x, n, flag):
        assert type(n) is int
        return jnp.tile(x, n) if flag else x

    assert vmap(f, in_axes=(0, None, None))(np.ones(4), 3, True).shape == (4, 3)
    powers = vmap(jit(lambda x, n: x**n, static_argnums=1), in_axes=(0, None))(np.arange(4.0), 2)
    assert_close(powers, np.arange(4.0) ** 2)


class Model:
    factor = 2.0


@both
def test_what_serves_every_example_may_be_anything(mode):
    x = np.arange(3.0)
    assert_close(mode(lambda x: vmap(lambda m, x: m.factor * x, (None, 0))(Model(), x))(x), 2 * x)
    assert_close(mode(lambda x: vmap(lambda f, x: f(x), (None, 0))(jnp.sin, x))(x), np.sin(x))
    assert_close(mode(lambda x: vmap(lambda way, x: x if way == "plain" else -x, (None, 0))("minus", x))(x), -x)
    held = vmap(lambda p, x: p["f"](x) * p["w"], ({"f": None, "w": 0}, 0))
    assert_close(mode(lambda x: held({"f": jnp.square, "w": x}, x))(x), x**3)
    assert_close(mode(lambda x: vmap(lambda n, x: x * jnp.ones(n).sum(), (None, 0))(4, x))(x), 4 * x)


def test_what_is_mapped_must_be_an_array():
    with pytest.raises(
        errors.NotAnArrayError, match=r"argument 0 must be an array .* to be mapped over axis 0, got Model.*None for it"
    ):
        vmap(lambda m, x: m.factor * x)(Model(), np.arange(3.0))


@both
@pytest.mark.parametrize("power", [jnp.power, jnp.float_power], ids=["power", "float_power"])
def test_derivatives_of_powers_by_a_number_are_vectorized(mode, power):
    x = np.array([[0.25, 1.0, 4.0], [9.0, 16.0, 25.0]])
    first = mode(vmap(grad(lambda x: jnp.sum(power(x, 1.5)))))(x)
    second = mode(vmap(vmap(grad(grad(lambda x: power(x, 1.5))))))(x)
    assert_close(first, 1.5 * np.sqrt(x))
    assert_close(second, 0.75 / np.sqrt(x))


@both
def test_a_number_that_is_mapped_over_meets_arrays_in_derivatives(mode):
    exponents, x = np.array([1.5, 2.5]), np.array([1.0, 4.0, 9.0])
    got = mode(vmap(lambda y: grad(lambda x: jnp.sum(jnp.power(x, y)))(x)))(exponents)
    assert_close(got, exponents[:, None] * x ** (exponents[:, None] - 1))
