"""Indexing, updates, broadcasting and einsum on random shapes, against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import jitgrad
import jitgrad.numpy as jnp
from jitgrad_compiler.ir.verify import verify

SHAPES = st.lists(st.integers(1, 4), min_size=1, max_size=4).map(tuple)
FEW = settings(max_examples=120)


def numbers(shape: tuple[int, ...]) -> np.ndarray:
    return np.arange(1.0, 1 + np.prod(shape)).reshape(shape)


@st.composite
def indexed(draw: Any, unique: bool = False) -> tuple[tuple[int, ...], tuple[Any, ...]]:
    """A shape, and an index of it with any mix of numbers, slices, new axes, an ellipsis and integer arrays."""
    shape = draw(SHAPES)
    points = draw(st.sampled_from([(), (2,), (1, 3), (2, 1)])) if not unique else draw(st.sampled_from([(), (1,)]))
    taken = draw(st.integers(0, len(shape)))  # so many axes in front are indexed, and behind an ellipsis so many of the last ones
    behind = draw(st.integers(0, len(shape) - taken))
    index = [_item(draw, n, points) for n in shape[:taken]]
    if behind or draw(st.booleans()):
        index += [Ellipsis, *[_item(draw, n, points) for n in shape[len(shape) - behind :]]]
    for _ in range(draw(st.sampled_from([0, 0, 1, 2]))):
        index.insert(draw(st.integers(0, len(index))), None)
    return shape, tuple(index)


def _item(draw: Any, n: int, points: tuple[int, ...]) -> Any:
    kind = draw(st.sampled_from(["slice", "number", "points"]))
    if kind == "number":
        return draw(st.integers(-n, n - 1))
    if kind == "points":
        size = int(np.prod(points))
        return np.array(draw(st.lists(st.integers(-n, n - 1), min_size=size, max_size=size)), int).reshape(points)
    bound = st.one_of(st.none(), st.integers(-n - 1, n + 1))
    return slice(draw(bound), draw(bound), draw(st.sampled_from([None, 1, 2, -1, -2])))


@FEW
@given(indexed())
def test_any_index_reads_what_numpy_reads(case: Any) -> None:
    shape, index = case
    x = numbers(shape)
    np.testing.assert_array_equal(jnp.array(x)[index], x[index])


@FEW
@given(indexed())
def test_traced_index_arrays_read_what_constant_ones_read(case: Any) -> None:
    shape, index = case
    x = numbers(shape)
    arrays = [i for i in index if isinstance(i, np.ndarray)]

    def read(x: Any, *arrays: Any) -> Any:
        rest = iter(arrays)
        return x[tuple(next(rest) if isinstance(i, np.ndarray) else i for i in index)]

    verify(jitgrad.make_graph(read)(x, *arrays))
    batched = jitgrad.vmap(read)(x[None], *[a[None] for a in arrays])
    np.testing.assert_array_equal(batched[0], x[index])


@FEW
@given(indexed(unique=True), st.sampled_from(["set", "add", "multiply", "min", "max", "subtract", "divide", "power"]))
def test_updates_at_any_index_change_what_numpy_changes(case: Any, kind: str) -> None:
    shape, index = case
    x = numbers(shape)
    value = numbers(x[index].shape) + 0.5
    combine = dict(
        set=lambda a, b: b, add=np.add, subtract=np.subtract, multiply=np.multiply, divide=np.divide, power=np.power,
        min=np.minimum, max=np.maximum,
    )[kind]  # fmt: skip
    want = x.copy()
    with np.errstate(over="ignore"):
        want[index] = combine(x[index], value)
    got = getattr(jnp.array(x).at[index], kind)(value)
    np.testing.assert_allclose(got, want, rtol=1e-12)
    traced = jitgrad.vmap(lambda x, v: getattr(x.at[index], kind)(v))(x[None], value[None])
    np.testing.assert_allclose(traced[0], want, rtol=1e-12)


@FEW
@given(SHAPES, st.data())
def test_shapes_broadcast_as_in_numpy(shape: tuple[int, ...], data: Any) -> None:
    other = tuple(n if data.draw(st.booleans()) else 1 for n in shape)[data.draw(st.integers(0, len(shape))) :]
    x, y = numbers(shape), numbers(other)
    np.testing.assert_array_equal(jnp.array(x) - jnp.array(y), x - y)
    np.testing.assert_array_equal(jnp.array(y) - jnp.array(x), y - x)
    np.testing.assert_array_equal(jnp.where(jnp.array(x) > 2, jnp.array(y), 0), np.where(x > 2, y, 0))


@FEW
@given(st.data())
def test_einsum_agrees_with_numpy(data: Any) -> None:
    letters = "abcd"
    sizes = {c: data.draw(st.integers(1, 3)) for c in letters}
    count = data.draw(st.integers(1, 3))
    terms = [data.draw(st.lists(st.sampled_from(letters), min_size=0, max_size=3)) for _ in range(count)]
    known = sorted({c for t in terms for c in t})
    out = data.draw(st.permutations(known))[: data.draw(st.integers(0, len(known)))]
    text = ",".join("".join(t) for t in terms) + (data.draw(st.sampled_from(["->" + "".join(out), ""])))
    arrays = [numbers(tuple(sizes[c] for c in t)) for t in terms]
    want = np.einsum(text, *arrays)
    np.testing.assert_allclose(jnp.einsum(text, *[jnp.array(a) for a in arrays]), want, rtol=1e-12)
    batched = jitgrad.vmap(lambda *xs: jnp.einsum(text, *xs))(*[a[None] for a in arrays])
    np.testing.assert_allclose(batched[0], want, rtol=1e-12)


@FEW
@given(st.data())
def test_matmul_broadcasts_its_batch_axes_as_numpy_does(data: Any) -> None:
    batch = data.draw(st.lists(st.integers(1, 3), max_size=2))
    x_batch, y_batch = (
        [n if data.draw(st.booleans()) else 1 for n in batch][data.draw(st.integers(0, len(batch))) :] for _ in "xy"
    )
    n, k, m = (data.draw(st.integers(1, 3)) for _ in range(3))
    x, y = numbers((*x_batch, n, k)), numbers((*y_batch, k, m))
    np.testing.assert_allclose(jnp.array(x) @ jnp.array(y), x @ y)


@FEW
@given(SHAPES, st.data())
def test_reductions_over_any_axes_agree_with_numpy(shape: tuple[int, ...], data: Any) -> None:
    axes = tuple(data.draw(st.lists(st.integers(0, len(shape) - 1), unique=True, max_size=len(shape))))
    keepdims = data.draw(st.booleans())
    x = np.sin(numbers(shape))
    for name in ("sum", "prod", "max", "mean", "var", "any"):
        want = getattr(np, name)(x, axis=axes, keepdims=keepdims)
        np.testing.assert_allclose(getattr(jnp, name)(jnp.array(x), axis=axes, keepdims=keepdims), want, atol=1e-12)
