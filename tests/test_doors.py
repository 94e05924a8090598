"""The small modules that programs import from jax: core, dtypes, ops, typing, util."""

from __future__ import annotations

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import core, dtypes, errors, grad, jit, ops, typing, util, vmap
from jitgrad.testing import assert_close, check_grads

# core


def test_a_tracer_is_what_is_traced_or_differentiated():
    seen = []

    def f(x):
        seen.append(isinstance(x, core.Tracer))
        return jnp.sum(x)

    x = jnp.ones(3)
    for run in (f, jit(f), grad(f), vmap(lambda row: f(row)[None]), lambda x: jitgrad.jvp(f, (x,), (x,))):
        run(x)
    jitgrad.lax.fori_loop(0, 2, lambda i, c: c * f(c), x)
    assert seen == [False, True, True, True, True, True]
    assert not any(isinstance(v, core.Tracer) for v in (1.0, np.ones(3), None, "x", jnp.float32(1)))
    with pytest.raises(TypeError, match="for isinstance"):
        core.Tracer()


def test_typeof_tells_shape_type_and_weakness():
    assert str(jitgrad.typeof(jnp.ones((2, 3)))) == "float32[2,3]"
    assert core.get_aval(2.0).weak_type and core.get_aval(2.0).dtype == "float32"
    assert core.get_aval(np.ones(2)) == core.ShapedArray((2,), "float64")
    assert repr(core.get_aval(1)) == "ShapedArray(int64[], weak_type=True)"
    shapes = []
    jit(lambda x: shapes.append(core.get_aval(x).str_short()) or x)(jnp.ones(4))
    assert shapes == ["float32[4]"]
    with pytest.raises(errors.NotAnArrayError, match=r"core\.get_aval"):
        core.get_aval("x")


# dtypes and typing


def test_element_types_are_told_by_jax_names():
    assert dtypes.canonicalize_dtype(float) == "float32" and dtypes.canonicalize_dtype("float64") == "float64"
    assert dtypes.canonicalize_dtype(np.int16) == np.int16
    with pytest.raises(errors.DTypeError):
        dtypes.canonicalize_dtype("float8_e5m2")
    assert dtypes.issubdtype(jnp.float32, np.floating) and not dtypes.issubdtype(jnp.float32, dtypes.prng_key)
    assert dtypes.issubdtype(dtypes.prng_key, dtypes.extended)
    assert dtypes.issubdtype(jitgrad.random.key(0).dtype, dtypes.prng_key)
    assert [dtypes.scalar_type_of(x) for x in (True, 1, 1.0, 1j, jnp.ones(2), "uint8")] == [bool, int, float, complex, float, int]
    assert dtypes.result_type(jnp.float32(1), 2.0) == "float32"
    assert (dtypes.itemsize_bits("bool"), dtypes.itemsize_bits("complex64")) == (1, 64)
    assert np.zeros(3, dtypes.float0).dtype == dtypes.float0 == jitgrad.float0
    with pytest.raises(errors.DTypeError, match="scalar_type_of"):
        dtypes.scalar_type_of("U3")


def test_annotations_serve_isinstance():
    assert all(isinstance(x, typing.ArrayLike) for x in (1, 1.0, 1j, True, np.ones(2), np.float32(1), jnp.ones(2)))
    assert not any(isinstance(x, typing.ArrayLike) for x in ([1.0], "x", None))
    assert isinstance("float32", typing.DTypeLike) and isinstance(np.dtype("int8"), typing.DTypeLike)


# ops

IDS = np.array([0, 2, -1, 2, 5, 0, 3])
REDUCTIONS = {
    "segment_sum": (np.sum, 0), "segment_prod": (np.prod, 1), "segment_max": (np.max, None), "segment_min": (np.min, None),
}  # fmt: skip


@pytest.mark.parametrize("mode", [lambda f: f, jit], ids=["eager", "jit"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "uint8", "int64"])
@pytest.mark.parametrize("name", REDUCTIONS)
def test_segments_are_reduced_and_others_left_out(mode, name, dtype):
    data = np.random.default_rng(0).integers(1, 6, (7, 2)).astype(dtype)
    reduction, empty = REDUCTIONS[name]
    if empty is None:
        info = np.iinfo(dtype) if dtype.startswith(("int", "uint")) else None
        low, high = (info.min, info.max) if info else (-np.inf, np.inf)
        empty = low if name == "segment_max" else high
    expected = np.stack([reduction(data[k == IDS], 0) if (k == IDS).any() else np.full(2, empty) for k in range(5)]).astype(dtype)
    found = mode(lambda data, ids: getattr(ops, name)(data, ids, num_segments=5))(data, IDS)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, expected)


def test_the_number_of_segments_is_found_where_it_can_be():
    assert_close(ops.segment_sum(jnp.ones(7), jnp.asarray(IDS)), jnp.array([2.0, 0, 2, 1, 0, 1]))
    assert ops.segment_sum(jnp.ones(0), jnp.zeros(0, int)).shape == (0,)
    with pytest.raises(errors.ArgumentError, match="num_segments must be given"):
        jit(ops.segment_sum)(jnp.ones(7), IDS)
    with pytest.raises(errors.ShapeError, match="one number for each element"):
        ops.segment_sum(jnp.ones(6), IDS, 4)
    with pytest.raises(errors.DTypeError, match="must be integers"):
        ops.segment_sum(jnp.ones(7), jnp.ones(7), 4)


@pytest.mark.parametrize("name", REDUCTIONS)
def test_segment_reductions_have_derivatives_and_batches(name):
    data = np.random.default_rng(1).uniform(1, 2, 7)

    def f(x):
        found = getattr(ops, name)(x, IDS, 4)
        return jnp.sum(jnp.where(jnp.isfinite(found), found, 0.0) ** 2)

    check_grads(f, (data,), order=1)
    rows = np.stack([data, 2 * data])
    assert_close(vmap(lambda x: getattr(ops, name)(x, IDS, 4))(rows)[1], getattr(ops, name)(2 * data, IDS, 4))


# util


def test_lists_are_zipped_split_and_merged():
    assert util.safe_map(lambda a, b: a + b, [1, 2], [3, 4]) == [4, 6]
    assert util.unzip3([(1, 2, 3), (4, 5, 6)]) == ((1, 4), (2, 5), (3, 6))
    assert util.split_list([1, 2, 3, 4], [1, 2]) == [[1], [2, 3], [4]]
    assert util.split_list_checked([1, 2, 3], [1, 2]) == [[1], [2, 3]]
    flags = [True, False, True]
    assert util.merge_lists(flags, *util.partition_list(flags, "abc")) == ["a", "b", "c"]
    assert util.split_dict({"a": 1, "b": 2}, ["b", "a"]) == [2, 1]
    assert util.subvals([1, 2, 3], [(1, 9)]) == (1, 9, 3)

    @util.wraps(len, namestr="{fun}_twice", docstr="Twice {fun}.")
    def twice(x):
        return 2 * len(x)

    assert (twice.__name__, twice.__doc__, twice([1])) == ("len_twice", "Twice len.", 2)


MISTAKES = {
    "safe_zip": lambda: util.safe_zip([1], [1, 2]), "safe_map": lambda: util.safe_map(max, [1], [1, 2]),
    "split_list_checked": lambda: util.split_list_checked([1], [2]), "split_dict": lambda: util.split_dict({"a": 1}, ["b"]),
    "merge_lists": lambda: util.merge_lists([True], [1], []),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_lists_that_do_not_fit_are_refused(name):
    with pytest.raises(ValueError, match=rf"util\.{name}"):
        MISTAKES[name]()
