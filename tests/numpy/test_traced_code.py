"""What traced code is made of: few equations, and none where nothing is to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp

X = jnp.ones((4, 3))

EQUATIONS: list[tuple[str, Callable[[Any], Any], list[str]]] = [
    ("a number beside an array is a literal", lambda x: x * 2 + 1, ["mul", "add"]),
    ("division by a number stays a division", lambda x: x / 3, ["div"]),
    ("a mean is a sum and a division", lambda x: jnp.mean(x), ["reduce_sum", "div"]),
    ("keepdims is a reshape", lambda x: x.sum(1, keepdims=True), ["reduce_sum", "reshape"]),
    ("a variance takes two passes", lambda x: x.var(), ["reduce_sum", "div", "broadcast", "sub", "mul", "reduce_sum", "div"]),
    ("a whole power is one op", lambda x: x**3, ["integer_pow"]),
    ("a row is broadcast once", lambda x: x + x[0], ["slice", "reshape", "broadcast", "add"]),
    ("matmul is one contraction", lambda x: x @ jnp.swapaxes(x, 0, 1), ["transpose", "dot_general"]),
    ("einsum of two operands is one contraction", lambda x: jnp.einsum("ij,kj->ik", x, x), ["dot_general"]),
    ("a whole slice is nothing", lambda x: x[:, :][...], []),
    ("reshape to the same shape is nothing", lambda x: x.reshape(4, 3).astype(x.dtype).T.T.squeeze(), ["transpose", "transpose"]),
    ("a constant integer array is one gather", lambda x: x[np.array([1, 0])], ["gather"]),
    ("an element is a slice", lambda x: x[1, 2], ["slice", "reshape"]),
    ("a block that is set is one update", lambda x: x.at[1:3].set(0.0), ["broadcast", "dynamic_update_slice"]),
    ("where takes numbers as literals", lambda x: jnp.where(x > 0, x, 0.0), ["gt", "select"]),
    ("clip is two ops", lambda x: jnp.clip(x, 0, 1), ["max", "min"]),
    ("zeros are one broadcast", lambda x: x + jnp.zeros(3), ["broadcast", "broadcast", "add"]),
    ("softmax", lambda x: jnp.exp(x - x.max(1, keepdims=True)), ["reduce_max", "reshape", "broadcast", "sub", "exp"]),
    ("a remainder by a number is one op", lambda x: x % 2, ["mod"]),
]


@pytest.mark.parametrize("f, wanted", [case[1:] for case in EQUATIONS], ids=[case[0] for case in EQUATIONS])
def test_the_equations_are_no_more_than_needed(f: Callable[[Any], Any], wanted: list[str]) -> None:
    assert [e.op.name for e in jitgrad.make_graph(f)(X).eqns] == wanted


def test_a_traced_number_as_index_is_a_dynamic_slice_that_counts_from_the_end() -> None:
    read = jitgrad.vmap(lambda i: jnp.arange(5)[i])
    np.testing.assert_array_equal(read(jnp.array([0, -1, 9, -9])), [0, 4, 4, 0])
    names = [e.op.name for e in jitgrad.make_graph(lambda x, i: x[i])(X, 1).eqns]
    assert "dynamic_slice" in names
    assert "gather" not in names


def test_indices_outside_are_held_when_read_and_dropped_when_written() -> None:
    x = jnp.arange(4.0)
    np.testing.assert_array_equal(x[jnp.array([9, -9])], [3, 0])
    np.testing.assert_array_equal(x.at[jnp.array([9, 1])].set(7.0), [0, 7, 2, 3])
    np.testing.assert_array_equal(x.at[9].add(7.0), x)
    np.testing.assert_array_equal(x.at[jnp.array([9])].set(7.0, mode="clip"), [0, 1, 2, 7])
    np.testing.assert_array_equal(x.at[jnp.array([9, 1])].get(mode="fill"), [np.nan, 1])
    np.testing.assert_array_equal(x.at[9].get(mode="fill", fill_value=-1), -1)
    np.testing.assert_array_equal(jnp.arange(4).at[jnp.array([9])].get(mode="fill"), [np.iinfo(np.int64).min])


def test_updates_take_the_type_of_the_array() -> None:
    x = jnp.arange(3)
    assert x.at[0].set(2.7).dtype == np.int64
    assert x.at[0].set(2.7)[0] == 2
    np.testing.assert_array_equal(x.at[jnp.array([1, 1])].apply(lambda v: v + 1), [0, 3, 2])  # as often as it is named


def test_repeated_indices_add_up() -> None:
    x = jnp.zeros(3).at[jnp.array([1, 1, 2])].add(jnp.array([1.0, 2.0, 3.0]))
    np.testing.assert_array_equal(x, [0, 3, 3])


def test_a_narrow_index_type_addresses_a_long_axis() -> None:
    x = jnp.arange(1000)
    np.testing.assert_array_equal(jitgrad.vmap(lambda i: x[i + 900][None])(jnp.array([5, 99], "int16")), [[905], [999]])
    np.testing.assert_array_equal(jitgrad.vmap(lambda i: x[i[None]])(jnp.array([-1, -128], "int8")), [[999], [872]])
    np.testing.assert_array_equal(jitgrad.vmap(lambda i: x[i[None]])(jnp.array([255], "uint8")), [[255]])


def test_arrays_made_in_traced_code_from_traced_numbers_keep_their_derivatives() -> None:
    gradient = jitgrad.grad(lambda x: jnp.array([x, x * x, 1.0]).sum())(3.0)
    assert gradient == 7.0


def test_a_jitted_function_gives_the_numbers_of_the_eager_one() -> None:
    def f(x: Any) -> Any:
        centred = x - x.mean(0)
        return jnp.einsum("ij,ik->jk", centred, centred) / (len(x) - 1) + jnp.where(x[:3] > 0.5, 1.0, x[:3])

    x = jnp.array(np.random.default_rng(0).random((4, 3)))
    np.testing.assert_allclose(jitgrad.jit(f)(x), f(x), rtol=1e-12)
