"""Indexing, against NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import lax
from jitgrad.errors import NonConcreteBooleanIndexError

CASES = [
    "take(x, k, axis=1)",
    "take(x, k)",
    "take(t, array([[0, 1], [1, 0]]), axis=1)",
    "take(x, 1, axis=0)",
    'take(v, array([5, -6]), mode="wrap")',
    'take(v, array([5, -1]), mode="clip")',
    "take(v, array([-1, 3]))",
    "take(v, array([9, 1])) :: np.array([np.nan, v[1]])",
    "take(v, k + 2, fill_value=0.5) :: np.array([0.5, v[2], 0.5, v[3]])",
    "take_along_axis(x, argsort(x), -1)",
    "take_along_axis(x, argsort(x, 0), 0)",
    "take_along_axis(x, argmax(x, 0)[None], axis=0) :: np.take_along_axis(x, np.argmax(x, 0)[None], 0)",
    "take_along_axis(x, argsort(x, None), None)",
    "take_along_axis(t, array([[[0], [2], [-1]]]), 2)"
    " :: np.take_along_axis(t, np.broadcast_to(np.array([[[0], [2], [-1]]]), (2, 3, 1)), 2)",
    "put_along_axis(x, argmax(x, 1)[:, None], 9.0, 1, inplace=False) :: np.where(x == x.max(1, keepdims=True), 9.0, x)",
    "put_along_axis(x, argsort(x, 0), y, 0, inplace=False) :: np.take_along_axis(y, np.argsort(np.argsort(x, 0), 0), 0)",
    "x[0]",
    "x[-1]",
    "x[1, 2]",
    "x[:, 1]",
    "x[::2]",
    "x[::-1]",
    "x[:, ::-2]",
    "x[1:3, 1:]",
    "x[..., 0]",
    "x[None]",
    "x[:, None, 1]",
    "x[5:]",
    "x[2:0:-1]",
    "t[0, ..., None]",
    "t[:, 1:2, ::3]",
    "t[..., None, 1]",
    "x[k[:3]] :: x[np.minimum(k[:3], 2)]",
    "v[k]",
    "x[:, k]",
    "x[k[1], k]  :: x[0, k]",
    "t[:, k[1:3], k[1:3]] :: t[:, np.minimum(k[1:3], 2), k[1:3]]",
    "t[0, :, k]",
    "t[k[1], :, k] :: t[0, :, k]",
    "t[:, 0, k]",
    "t[k[3:], None, :, k]",
    "t[..., k]",
    "t[None, :, 0, k]",
    "x[array([[0, 1], [2, 0]])]",
    "x[array([[0, 1], [2, 0]]), :, None]",
    "x[array([0, 1])[:, None], array([1, 2, 3])]",
    "x[-1, k - 4]",
    "v[k[0]]",
    "x[k[1], 1:3] :: x[0, 1:3]",
    "x[1:3, k[3]]",
    "x[k[1] - 1] :: x[-1]",
    "x[9] :: x[2]",
    "x[-9] :: x[0]",
    "v[k + 2] :: v[np.minimum(k + 2, 3)]",
    "x[0:0]",
    "x[array([], dtype=int)]",
]

CONCRETE_CASES = [
    "x[b]",
    "x[b[:, 0]]",
    "x[:, b[0]]",
    "t[:, b]",
    "x[b[:, 0], 1]",
]
"""Those whose result has a shape that depends on the elements."""


@pytest.mark.parametrize("case", CASES)
def test_indexing_agrees_with_numpy_eagerly_traced_and_batched(case: str, agrees: Callable[..., None]) -> None:
    agrees(case)


@pytest.mark.parametrize("case", CONCRETE_CASES)
def test_results_of_unknown_size_agree_with_numpy_on_concrete_arrays(case: str, agrees: Callable[..., None]) -> None:
    agrees(case, traced=False)


@pytest.mark.parametrize(
    "index",
    [
        True, False, np.True_, (True,), (0, True), (True, 0), (slice(None), True), (..., True), (True, ...), (None, True),
        (True, None), (np.array([0, 1]), True), (True, np.array([0, 1])), (slice(None), True, np.array([0, 1])),
        (slice(None), False, np.array([0])),
        (True, True), (0, ..., True), (..., True, np.array([1, 2])), (np.array([True, False]), True), (0, slice(None), True),
        (np.array(True),),
    ],
)  # fmt: skip
def test_true_and_false_are_an_axis_as_in_numpy(index: Any) -> None:
    x = np.arange(24.0).reshape(2, 3, 4)
    np.testing.assert_array_equal(jnp.array(x)[index], x[index])
    changed = x.copy()
    changed[index] = 7.0
    np.testing.assert_array_equal(jnp.array(x).at[index].set(7.0), changed)


def test_true_indexes_an_array_without_axes() -> None:
    np.testing.assert_array_equal(jnp.array(5)[jnp.array(True)], [5])
    np.testing.assert_array_equal(jnp.array(5)[False], np.zeros(0))
    assert int(jnp.array(5).at[True].add(2)) == 7
    with pytest.raises(NonConcreteBooleanIndexError):
        jitgrad.jit(lambda x, m: x[m])(jnp.ones(3), True)


@pytest.mark.parametrize("indices", [[0, 0], [0, 1], [2, 2, 2, 0, -1], [7, 0]])
def test_a_function_is_applied_as_often_as_an_element_is_named(indices: list[int]) -> None:
    x, weights = np.array([0.5, -2.0, 3.0]), np.array([1.0, 10.0, 100.0])
    wanted, slopes = x.copy(), weights.copy()
    for i in indices:
        if i < 3:
            slopes[i] *= np.cos(wanted[i])
            wanted[i] = np.sin(wanted[i])

    def loss(v: Any, i: Any) -> Any:
        return jnp.sum(v.at[i].apply(jnp.sin) * weights)

    places = jnp.array(indices)
    for f in (lambda v, i: v.at[i].apply(jnp.sin), jitgrad.jit(lambda v, i: v.at[i].apply(jnp.sin))):
        np.testing.assert_allclose(f(jnp.array(x), places), wanted, rtol=1e-6)
    for g in (jitgrad.grad(loss), jitgrad.jit(jitgrad.grad(loss))):
        np.testing.assert_allclose(g(jnp.array(x), places), slopes, rtol=1e-5)


def test_a_function_is_not_applied_where_it_would_not_be() -> None:
    x = jnp.array([16.0, 0.25])
    run = jitgrad.value_and_grad(lambda v: jnp.sum(v.at[jnp.array([0, 0, 1])].apply(jnp.log)))
    value, slopes = run(x)  # log(log(0.25)) would be nan
    np.testing.assert_allclose(value, np.log(np.log(16.0)) + np.log(0.25), rtol=1e-6)
    np.testing.assert_allclose(slopes, [1 / (16 * np.log(16)), 4.0], rtol=1e-6)


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"])
@pytest.mark.parametrize("mode", [None, "clip", "wrap", "fill"])
def test_integers_of_every_type_are_places(dtype, mode):
    x, places = jnp.arange(5.0), jnp.asarray([3, 0, 4], dtype)
    ways = [lambda i: jnp.take(x, i, mode=mode), lambda i: x.at[i].get(mode=mode), lambda i: x.at[i].add(x[i], mode=mode)[i] / 2]
    for f in ways[:1] if mode == "wrap" else ways:
        for made in (f, jitgrad.jit(f)):
            np.testing.assert_array_equal(made(places), [3, 0, 4])
    np.testing.assert_array_equal(jnp.insert(x, places, 9.0), [9, 0, 1, 2, 9, 3, 9, 4])


ENDS = lax.GatherDimensionNumbers((), (0,), (0,)), lax.ScatterDimensionNumbers((), (0,), (0,))


@pytest.mark.parametrize("large", [2**63, 2**63 + 1, 2**64 - 3, 2**64 - 1])
@pytest.mark.parametrize(
    ("ways", "wanted"),
    [
        (lambda x, i: x[i], [4, 1]),
        (lambda x, i: x[i[0]], 4),
        (lambda x, i: jnp.stack([x, x])[1, i], [4, 1]),
        (lambda x, i: x.at[i].get(mode="fill", fill_value=-1), [-1, 1]),
        (lambda x, i: x.at[i].set(9.0), [0, 9, 2, 3, 4]),
        (lambda x, i: x.at[i].add(9.0, mode="clip"), [0, 10, 2, 3, 13]),
        (lambda x, i: jnp.take(x, i), [np.nan, 1]),
        (lambda x, i: jnp.take(x, i, mode="clip"), [4, 1]),
        (lambda x, i: jnp.take_along_axis(x, i, 0), [np.nan, 1]),
        (lambda x, i: jnp.take_along_axis(x, i, 0, wrap_negative_indices=False), [np.nan, 1]),
        (lambda x, i: jnp.put_along_axis(x, i, 9.0, 0, inplace=False), [0, 9, 2, 3, 4]),
        (lambda x, i: jnp.put(x, i, 9.0, inplace=False), [0, 9, 2, 3, 4]),
        (lambda x, i: jnp.put(x, i, 9.0, "clip", inplace=False), [0, 9, 2, 3, 9]),
        (lambda x, i: jnp.bincount(i, length=3), [0, 1, 0]),
        (lambda x, i: jnp.ravel_multi_index((i,), (5,), mode="clip"), [4, 1]),
        (lambda x, i: lax.dynamic_slice(x, (i[0],), (2,)), [3, 4]),
        (lambda x, i: lax.dynamic_update_slice(x, x[:1] + 7, (i[0],)), [0, 1, 2, 3, 7]),
        (lambda x, i: lax.dynamic_index_in_dim(x, i[0]), [4]),
        (lambda x, i: lax.index_take(x, [i], [0]), [4, 1]),
        (lambda x, i: lax.gather(x, i[:, None], ENDS[0], (1,)), [np.nan, 1]),
        (lambda x, i: lax.gather(x, i[:, None], ENDS[0], (1,), mode="clip"), [4, 1]),
        (lambda x, i: lax.scatter(x, i[:, None], x[:2] + 7, ENDS[1]), [0, 8, 2, 3, 4]),
        (lambda x, i: lax.switch(i[0], [lambda: 0, lambda: 1]), 1),
    ],
)
def test_a_place_of_64_bits_is_behind_the_end_in_eager_and_in_compiled_code(ways, wanted, large):
    x, places = jnp.arange(5.0), jnp.array([large, 1], "uint64")
    for f in (ways, ways, jitgrad.jit(ways)):  # the second call may be done in another way
        np.testing.assert_array_equal(f(x, places), wanted)


@pytest.mark.parametrize("large", [2**63, 2**64 - 1])
def test_a_place_of_64_bits_is_counted_around_as_it_is(large):
    x, places = jnp.arange(5.0), jnp.array([large, 1], "uint64")
    at = [large % 5, 1]
    for ways, wanted in (
        (lambda i: jnp.take(x, i, mode="wrap"), at),
        (lambda i: jnp.put(x, i[:1], 9.0, "wrap", inplace=False), np.where(np.arange(5) == at[0], 9, x)),
        (lambda i: jnp.roll(x, i[0]), np.roll(x, at[0])),
        (lambda i: jnp.ravel_multi_index((i,), (5,), mode="wrap"), at),
    ):
        for f in (ways, ways, jitgrad.jit(ways)):
            np.testing.assert_array_equal(f(places), wanted)


@pytest.mark.parametrize("large", [2**63, 2**70, -(2**63) - 1, -(2**70)])
def test_pythons_largest_integers_are_places_outside(large):
    x = jnp.arange(5.0)
    for f in (lambda x: x[large], jitgrad.jit(lambda x: x[large])):
        assert float(f(x)) == (4 if large > 0 else 0)
    np.testing.assert_array_equal(x.at[large].set(9.0), x)
    assert float(x.at[large].get(mode="fill", fill_value=-1)) == -1
