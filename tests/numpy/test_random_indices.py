"""Random indices of every kind, reading and writing: as NumPy, eagerly, with traced indices, batched and differentiated."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jitgrad
import jitgrad.numpy as jnp
from jitgrad.testing import assert_close

WRITERS = {
    "add": np.add, "subtract": np.subtract, "multiply": np.multiply, "divide": np.divide, "power": np.power, "min": np.minimum,
    "max": np.maximum,
}  # fmt: skip


@st.composite
def indices(draw, shape):
    """A tuple that NumPy takes as an index of an array of a shape."""
    common = draw(st.sampled_from([(2,), (1,), (2, 3), ()]))
    items: list = []
    axis, dotted = 0, False
    while axis < len(shape):
        n = shape[axis]
        kind = draw(st.sampled_from(["new", "dots", "slice", "number", "array", "mask", "flag", "stop"]))
        if kind == "new":
            items.append(None)
        elif kind == "dots" and not dotted:
            dotted = True
            items.append(...)
            axis += draw(st.integers(0, len(shape) - axis))
        elif kind == "slice":
            ends = st.one_of(st.none(), st.integers(-n - 1, n + 1))
            items.append(slice(draw(ends), draw(ends), draw(st.sampled_from([None, 1, 2, -1, -2]))))
            axis += 1
        elif kind == "number" and n:
            items.append(draw(st.sampled_from([int, np.int32]))(draw(st.integers(-n, n - 1))))
            axis += 1
        elif kind == "array" and n:
            size = draw(st.sampled_from([common, (), (1,)]))
            numbers = draw(st.lists(st.integers(-n, n - 1), min_size=int(np.prod(size)), max_size=int(np.prod(size))))
            items.append(np.array(numbers, draw(st.sampled_from(["int8", "int32", "int64"]))).reshape(size))
            axis += 1
        elif kind == "mask" and not dotted:  # NumPy takes masks of no elements where they do not fit
            part = shape[axis : axis + draw(st.integers(1, 2))]
            count = int(np.prod(part))
            items.append(np.array(draw(st.lists(st.booleans(), min_size=count, max_size=count)), bool).reshape(part))
            axis += len(part)
        elif kind == "flag" and draw(st.booleans()):
            items.append(draw(st.booleans()))
        elif kind == "stop":
            break
    return tuple(items)


@st.composite
def arrays_and_indices(draw):
    """An array of positive numbers and an index that NumPy takes, or () where arrays in it do not go together."""
    shape = tuple(draw(st.lists(st.integers(0, 4), max_size=4)))
    x = np.random.default_rng(draw(st.integers(0, 99))).uniform(0.5, 2.0, shape)
    index = draw(indices(shape))
    try:
        x[index]
    except IndexError:
        return x, ()
    return x, index


def is_array(item):
    return isinstance(item, np.ndarray) and item.dtype != bool


def with_traced(index, f):
    """f(x, index) as a function of x and the integer arrays in the index, and these."""
    numbers = [i for i in index if is_array(i)]

    def function(x, *given):
        rest = iter(given)
        return f(x, tuple(next(rest) if is_array(i) else i for i in index))

    return function, numbers


@settings(max_examples=60)
@given(arrays_and_indices())
def test_reading_is_numpys(case):
    x, index = case
    wanted = x[index]
    assert_close(jnp.array(x)[index], wanted)
    read, numbers = with_traced(index, lambda x, i: x[i])
    assert_close(jitgrad.jit(read)(x, *numbers), wanted)
    weights = np.random.default_rng(0).normal(size=wanted.shape)
    gradient = np.zeros(x.shape)
    np.add.at(gradient, index, weights)
    assert_close(jitgrad.grad(lambda x: jnp.sum(jnp.asarray(x)[index] * weights))(x), gradient, 1e-12)
    if numbers and x.size:
        pairs = [np.stack([n, np.flip(n)]) for n in numbers]
        each = np.stack([np.asarray(read(jnp.array(x), *[p[k] for p in pairs])) for k in range(2)])
        assert_close(jitgrad.vmap(lambda *n: read(jnp.array(x), *n))(*pairs), each)


@settings(max_examples=60)
@given(arrays_and_indices(), st.sampled_from([*WRITERS, "set"]), st.booleans())
def test_writing_is_numpys(case, method, whole):
    x, index = case
    shape = x[index].shape
    values = np.random.default_rng(1).uniform(0.5, 2.0, shape if whole else ())
    wanted = x.copy()
    if method == "set":
        wanted[index] = values
    else:
        WRITERS[method].at(wanted, index, values)
    write, numbers = with_traced(index, lambda x, i: getattr(jnp.asarray(x).at[i], method)(values))
    assert_close(write(x, *numbers), wanted, 1e-12)
    assert_close(jitgrad.jit(write)(x, *numbers), wanted, 1e-12)


@settings(max_examples=40)
@given(arrays_and_indices(), st.sampled_from(["set", "add", "multiply", "divide", "power", "min", "max", "apply"]))
def test_writing_has_derivatives(case, method):
    x, index = case
    rng = np.random.default_rng(2)
    values = rng.uniform(0.5, 2.0, x[index].shape)
    dx, dv, weights = rng.normal(size=x.shape), rng.normal(size=values.shape), rng.normal(size=x.shape)

    def written(x, v):
        at = jnp.asarray(x).at[index]
        return jnp.sum((at.apply(jnp.sin) if method == "apply" else getattr(at, method)(v)) * weights)

    step = 1e-6
    difference = float(written(x + step * dx, values + step * dv) - written(x - step * dx, values - step * dv)) / (2 * step)
    by_x, by_v = jitgrad.grad(written, argnums=(0, 1))(x, values)
    slope = float(np.sum(np.asarray(by_x) * dx) + np.sum(np.asarray(by_v) * dv))
    assert slope == pytest.approx(difference, rel=1e-5, abs=1e-6)


OUTSIDE = np.array([0, 5, -1, -9])
ROWS = np.arange(12.0).reshape(4, 3)


@pytest.mark.parametrize("run", [lambda f: f, jitgrad.jit], ids=["eager", "jit"])
@pytest.mark.parametrize("mode", [None, "clip", "fill", "drop", "promise_in_bounds"])
def test_modes_say_what_becomes_of_indices_outside(mode, run):
    held = ROWS[np.clip(np.where(OUTSIDE < 0, OUTSIDE + 4, OUTSIDE), 0, 3)]
    filled = np.where(np.array([True, False, True, False])[:, None], held, np.nan)
    read = run(lambda x, i: x.at[i].get(mode=mode))(jnp.array(ROWS), OUTSIDE)
    assert_close(read, filled if mode in ("fill", "drop") else held)
    added = run(lambda x, i: x.at[i].add(1.0, mode=mode))(jnp.array(ROWS), OUTSIDE)
    counts = np.array([2, 0, 0, 2]) if mode == "clip" else np.array([1, 0, 0, 1])
    assert_close(added, ROWS + counts[:, None])
    twice = run(lambda x, i: x.at[i].apply(lambda v: v + 1, mode=mode))(jnp.array(ROWS), OUTSIDE)
    assert_close(twice, ROWS + counts[:, None])


@pytest.mark.parametrize("run", [lambda f: f, jitgrad.jit], ids=["eager", "jit"])
def test_negative_indices_are_outside_where_they_do_not_wrap(run):
    x, at = jnp.arange(4.0), np.array([-1, 1])
    assert run(lambda x, i: x.at[i].get(wrap_negative_indices=False))(x, at).tolist() == [0, 1]
    assert np.isnan(run(lambda x, i: x.at[i].get(mode="fill", wrap_negative_indices=False))(x, at)).tolist() == [True, False]
    assert run(lambda x: x.at[-1].set(9.0, wrap_negative_indices=False))(x).tolist() == [0, 1, 2, 3]
    for method in ("add", "multiply", "divide", "power", "min", "max", "subtract", "set"):
        changed = run(lambda x, i: getattr(x.at[i], method)(7.0, wrap_negative_indices=False))(x, at)  # noqa: B023
        assert changed[3] == 3 and changed.tolist() == getattr(x.at[1], method)(7.0).tolist()
    assert run(lambda x, i: x.at[i].apply(jnp.negative, wrap_negative_indices=False))(x, at).tolist() == [0, -1, 2, 3]
    taken = run(lambda x, i: jnp.take_along_axis(x, i, 0, wrap_negative_indices=False))(x, at)
    assert np.isnan(taken).tolist() == [True, False]
