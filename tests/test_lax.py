"""jitgrad.lax against NumPy, SciPy and plain loops."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.special

import jitgrad.numpy as jnp
from jitgrad import errors, grad, jit, jvp, lax, vmap

RNG = np.random.default_rng(0)
FLOATS = RNG.uniform(0.2, 0.9, (3, 4))
INTEGERS = RNG.integers(-9, 9, (3, 4))

UNARY = {
    "abs": np.abs, "acos": np.arccos, "asin": np.arcsin, "asinh": np.arcsinh, "atan": np.arctan, "atanh": np.arctanh,
    "cbrt": np.cbrt, "ceil": np.ceil, "cos": np.cos, "cosh": np.cosh, "digamma": scipy.special.digamma, "erf":
    scipy.special.erf, "erf_inv": scipy.special.erfinv, "erfc": scipy.special.erfc, "exp": np.exp, "exp2": np.exp2, "expm1":
    np.expm1, "floor": np.floor, "is_finite": np.isfinite, "lgamma": scipy.special.gammaln, "log": np.log, "log1p":
    np.log1p, "logistic": scipy.special.expit, "neg": np.negative, "reciprocal": np.reciprocal, "rsqrt": lambda x: 1 /
    np.sqrt(x), "sign": np.sign, "sin": np.sin, "sinh": np.sinh, "sqrt": np.sqrt, "square": np.square, "tan": np.tan,
    "tanh": np.tanh,
}  # fmt: skip
BINARY = {
    "add": np.add, "atan2": np.arctan2, "div": np.divide, "eq": np.equal, "ge": np.greater_equal, "gt": np.greater, "le":
    np.less_equal, "lt": np.less, "max": np.maximum, "min": np.minimum, "mul": np.multiply, "ne": np.not_equal, "nextafter":
    np.nextafter, "pow": np.power, "rem": np.fmod, "sub": np.subtract,
}  # fmt: skip
INTEGER_BINARY = {"bitwise_and": np.bitwise_and, "bitwise_or": np.bitwise_or, "bitwise_xor": np.bitwise_xor}


def check(got, expected, **tolerance):
    assert np.asarray(got).dtype == np.asarray(expected).dtype
    np.testing.assert_allclose(got, expected, **(tolerance or {"rtol": 1e-13}))


@pytest.mark.parametrize("name", UNARY)
def test_a_function_of_one_operand_is_numpys(name):
    check(getattr(lax, name)(FLOATS), UNARY[name](FLOATS))


@pytest.mark.parametrize("name", BINARY)
def test_a_function_of_two_operands_is_numpys(name):
    check(getattr(lax, name)(FLOATS, FLOATS[::-1]), BINARY[name](FLOATS, FLOATS[::-1]))


@pytest.mark.parametrize("name", INTEGER_BINARY)
def test_a_function_of_bits_is_numpys(name):
    check(getattr(lax, name)(INTEGERS, INTEGERS[::-1]), INTEGER_BINARY[name](INTEGERS, INTEGERS[::-1]))


def test_shifts_and_bit_counts_are_numpys():
    x = np.array([1, 5, 2**31], np.uint32)
    check(lax.shift_left(x, np.full(3, 1, np.uint32)), x << np.uint32(1))
    check(lax.shift_right_logical(x, np.full(3, 2, np.uint32)), x >> np.uint32(2))
    check(lax.shift_right_arithmetic(np.array([-8]), np.array([1])), np.array([-4]))
    check(lax.population_count(x), np.array([1, 2, 1], np.uint32))
    check(lax.clz(x), np.array([31, 29, 0], np.uint32))
    check(lax.bitwise_not(INTEGERS), ~INTEGERS)


def test_complex_parts_come_apart_and_together():
    z = lax.complex(FLOATS, FLOATS[::-1])
    check(lax.real(z), FLOATS)
    check(lax.imag(lax.conj(z)), -FLOATS[::-1])


def test_polygamma_and_zeta_are_scipys():
    check(lax.polygamma(np.full((3, 4), 2.0), FLOATS), scipy.special.polygamma(2, FLOATS), rtol=1e-12)
    check(lax.zeta(FLOATS + 2, FLOATS), scipy.special.zeta(FLOATS + 2, FLOATS), rtol=1e-12)


def test_a_python_scalar_takes_the_type_of_the_array_beside_it():
    out = lax.mul(np.ones(3, np.float32), 2.5)
    assert out.dtype == np.float32
    assert lax.add(np.ones(3, np.int8), 1).dtype == np.int8


def test_two_element_types_are_an_error_that_names_them():
    with pytest.raises(errors.DTypeError, match=r"lax.add: .*float32, float64.*jitgrad.numpy"):
        lax.add(np.ones(3, np.float32), np.ones(3))


def test_a_float_scalar_beside_integers_is_an_error():
    with pytest.raises(errors.DTypeError, match="int64"):
        lax.add(np.ones(3, np.int64), 1.5)


def test_operands_of_two_ranks_are_an_error():
    with pytest.raises(errors.ShapeError, match="broadcast_in_dim"):
        lax.add(np.ones(3), np.ones((2, 3)))


def test_axes_of_size_one_broadcast():
    check(lax.add(np.ones((3, 1)), np.ones((1, 4))), np.full((3, 4), 2.0))


def test_integer_pow_and_pow_take_integer_exponents():
    check(lax.integer_pow(FLOATS, -3), FLOATS**-3.0)
    check(lax.pow(FLOATS, 3), FLOATS**3)
    check(lax.pow(FLOATS, np.full((3, 4), 3, np.int32)), FLOATS**3)


def test_round_has_two_ways_with_halves():
    x = np.array([0.5, 1.5, -2.5])
    check(lax.round(x), np.array([1.0, 2.0, -3.0]))
    check(lax.round(x, lax.RoundingMethod.TO_NEAREST_EVEN), np.array([0.0, 2.0, -2.0]))


def test_clamp_holds_and_passes_gradients_inside_alone():
    check(lax.clamp(-1.0, np.array([-2.0, 0.5, 3.0]), 1.0), np.array([-1.0, 0.5, 1.0]))
    assert grad(lambda x: lax.clamp(0.0, x, 1.0))(0.5) == 1.0
    assert grad(lambda x: lax.clamp(0.0, x, 1.0))(2.0) == 0.0


def test_select_n_takes_bools_and_integers():
    cases = [np.full(3, float(i)) for i in range(3)]
    check(lax.select_n(np.array([2, 0, 1], np.int32), *cases), np.array([2.0, 0.0, 1.0]))
    check(lax.select(np.array([True, False, True]), cases[1], cases[2]), np.array([1.0, 2.0, 1.0]))
    check(lax.select(np.True_, cases[1], cases[2]), cases[1])


def test_conversions_change_values_or_bits():
    check(lax.convert_element_type(np.array([1.9, -1.9, np.nan]), np.int32), np.array([1, -1, 0], np.int32))
    check(lax.bitcast_convert_type(np.array([1.0], np.float32), np.uint32), np.array([0x3F800000], np.uint32))


@pytest.mark.parametrize(
    ("name", "numpy"),
    [("reduce_sum", np.sum), ("reduce_prod", np.prod), ("reduce_max", np.max), ("reduce_min", np.min)],
)
@pytest.mark.parametrize("axes", [(0,), (1,), (0, 1), ()])
def test_a_reduction_is_numpys(name, numpy, axes):
    check(getattr(lax, name)(FLOATS, axes), numpy(FLOATS, axis=axes))


def test_reductions_of_bools_are_all_and_any():
    flags = FLOATS > 0.5
    check(lax.reduce_and(flags, (1,)), flags.all(1))
    check(lax.reduce_or(flags, (1,)), flags.any(1))


def test_indices_of_extremes_have_the_type_asked_for():
    check(lax.argmax(FLOATS, 1, np.int32), FLOATS.argmax(1).astype(np.int32))
    check(lax.argmin(FLOATS, 0, np.int64), FLOATS.argmin(0))


@pytest.mark.parametrize(
    ("name", "ufunc"), [("cumsum", np.add), ("cumprod", np.multiply), ("cummax", np.maximum), ("cummin", np.minimum)]
)
def test_a_cumulative_reduction_runs_from_either_end(name, ufunc):
    check(getattr(lax, name)(FLOATS, axis=1), ufunc.accumulate(FLOATS, 1))
    check(getattr(lax, name)(FLOATS, axis=1, reverse=True), ufunc.accumulate(FLOATS[:, ::-1], 1)[:, ::-1])


def test_reduce_with_a_known_function_is_that_reduction():
    check(lax.reduce(FLOATS, 1.0, lax.add, (0,)), FLOATS.sum(0) + 1)
    check(lax.reduce(FLOATS, 0.5, lax.max, (1,)), np.maximum(FLOATS.max(1), 0.5))


def test_reduce_takes_any_associative_function_of_pytrees():
    def better(a, b):
        first = lax.ge(a["value"], b["value"])
        return {k: lax.select(first, a[k], b[k]) for k in a}

    places = np.broadcast_to(np.arange(4), (3, 4))
    out = lax.reduce({"value": FLOATS, "place": places}, {"value": -np.inf, "place": -1}, better, (1,))
    check(out["value"], FLOATS.max(1))
    check(out["place"], FLOATS.argmax(1))


def test_reduce_of_an_empty_axis_is_the_initial_value():
    check(lax.reduce(np.zeros((2, 0)), -5.0, lax.max, (1,)), np.full(2, -5.0))


def test_full_and_iota_make_arrays():
    check(lax.full((2, 2), 3, np.float32), np.full((2, 2), 3, np.float32))
    check(lax.full_like(INTEGERS, 2), np.full_like(INTEGERS, 2))
    check(lax.iota(np.int32, 4), np.arange(4, dtype=np.int32))
    check(lax.broadcasted_iota(np.uint8, (2, 3), 1), np.broadcast_to(np.arange(3, dtype=np.uint8), (2, 3)))
    check(lax.zeros_like_array(FLOATS), np.zeros((3, 4)))


def test_a_traced_fill_value_is_differentiated():
    assert grad(lambda x: lax.reduce_sum(lax.full((3,), x), (0,)))(1.0) == 3.0


def test_shapes_change_as_in_numpy():
    check(lax.broadcast(FLOATS, (2,)), np.broadcast_to(FLOATS, (2, 3, 4)))
    check(lax.broadcast_in_dim(FLOATS, (3, 2, 4), (0, 2)), np.broadcast_to(FLOATS[:, None], (3, 2, 4)))
    check(lax.reshape(FLOATS, (4, 3)), FLOATS.reshape(4, 3))
    check(lax.reshape(FLOATS, (12,), (1, 0)), FLOATS.T.reshape(12))
    check(lax.transpose(FLOATS, (1, 0)), FLOATS.T)
    check(lax.rev(FLOATS, (1,)), FLOATS[:, ::-1])
    check(lax.expand_dims(FLOATS, (0, -1)), FLOATS[None, :, :, None])
    check(lax.squeeze(FLOATS[None], (0,)), FLOATS)
    check(lax.collapse(FLOATS[None], 0, 2), FLOATS)
    check(lax.broadcast_to_rank(FLOATS, 4), FLOATS[None, None])
    check(lax.concatenate([FLOATS, FLOATS], 1), np.concatenate([FLOATS, FLOATS], 1))
    for got, expected in zip(lax.split(FLOATS, (1, 3), 1), np.split(FLOATS, [1], 1), strict=True):
        check(got, expected)


def test_squeezing_an_axis_that_is_not_one_is_an_error():
    with pytest.raises(errors.ShapeError, match="size 3"):
        lax.squeeze(FLOATS, (0,))


def test_pad_puts_numbers_around_and_between():
    check(lax.pad(np.array([1, 2, 3]), 0, [(2, -1, 1)]), np.array([0, 0, 1, 0, 2, 0]))


def test_slices_are_numpys():
    check(lax.slice(FLOATS, (0, 1), (3, 4), (2, 1)), FLOATS[0:3:2, 1:4])
    check(lax.slice_in_dim(FLOATS, 1, -1, axis=1), FLOATS[:, 1:-1])
    check(lax.index_in_dim(FLOATS, -1, 1), FLOATS[:, -1:])
    check(lax.index_in_dim(FLOATS, 1, 0, keepdims=False), FLOATS[1])
    with pytest.raises(IndexError, match="outside axis"):
        lax.index_in_dim(FLOATS, 3)


@pytest.mark.parametrize("start", [-6, -1, 0, 1, 3, 9])
def test_a_dynamic_window_stays_inside(start):
    first = min(max(start + 4 if start < 0 else start, 0), 2)
    for index in (start, np.int32(start), np.array(start)):
        check(lax.dynamic_slice(FLOATS, (0, index), (3, 2)), FLOATS[:, first : first + 2])
    replaced = FLOATS.copy()
    replaced[:, first : first + 2] = 7.0
    check(lax.dynamic_update_slice(FLOATS, np.full((3, 2), 7.0), np.array([0, start])), replaced)
    mapped = vmap(lambda i: lax.dynamic_slice_in_dim(FLOATS, i, 2, axis=1))(np.array([start, 0]))
    check(mapped, np.stack([FLOATS[:, first : first + 2], FLOATS[:, :2]]))


def test_dynamic_indexing_reads_and_writes_one_place():
    check(lax.dynamic_index_in_dim(FLOATS, 2, 1, keepdims=False), FLOATS[:, 2])
    replaced = FLOATS.copy()
    replaced[:, 2] = 7.0
    check(lax.dynamic_update_index_in_dim(FLOATS, np.full(3, 7.0), 2, 1), replaced)
    check(lax.dynamic_update_slice_in_dim(FLOATS, np.full((3, 1), 7.0), 2, 1), replaced)


def test_index_take_reads_points_along_several_axes():
    check(lax.index_take(FLOATS, (np.array([0, -1]), np.array([1, 2])), (0, 1)), FLOATS[[0, -1], [1, 2]])


def windows(shape, starts, dims, sizes):
    """XLA's definition of Gather: for each position of the result, the operand's index, the start and whether the window fits."""
    batch_shape = starts.shape[:-1]
    offset_axes = [d for d in range(len(shape)) if d not in (*dims.collapsed_slice_dims, *dims.operand_batching_dims)]
    out_rank = len(batch_shape) + len(offset_axes)
    batch_positions = [i for i in range(out_rank) if i not in dims.offset_dims]
    out_shape = [0] * out_rank
    for i, n in zip(batch_positions, batch_shape, strict=True):
        out_shape[i] = n
    for i, d in zip(dims.offset_dims, offset_axes, strict=True):
        out_shape[i] = sizes[d]
    for position in itertools.product(*map(range, out_shape)):
        batch = tuple(position[i] for i in batch_positions)
        start = [0] * len(shape)
        for k, d in enumerate(dims.start_index_map):
            start[d] = int(starts[(*batch, k)])
        fits = all(0 <= s <= n - w for s, n, w in zip(start, shape, sizes, strict=True))
        start = [min(max(s, 0), n - w) for s, n, w in zip(start, shape, sizes, strict=True)]
        for mine, theirs in zip(dims.operand_batching_dims, dims.start_indices_batching_dims, strict=True):
            start[mine] = batch[theirs]
        for i, d in zip(dims.offset_dims, offset_axes, strict=True):
            start[d] += position[i]
        yield position, tuple(start), fits, tuple(out_shape)


def gathered(x, starts, dims, sizes, mode):
    every = list(windows(x.shape, starts, dims, sizes))
    out = np.zeros(every[0][3])
    for position, at, fits, _ in every:
        out[position] = x[at] if fits or mode == "clip" else np.nan
    return out


GATHERS = {
    "rows": ((5, 4), (3, 2, 1), lax.GatherDimensionNumbers((2,), (0,), (0,)), (1, 4)),
    "points": ((5, 4), (6, 2), lax.GatherDimensionNumbers((), (0, 1), (1, 0)), (1, 1)),
    "part of an axis": ((5, 4), (3, 2), lax.GatherDimensionNumbers((0, 2), (), (0, 1)), (2, 3)),
    "whole and pointed axes": ((3, 5, 4), (6, 2), lax.GatherDimensionNumbers((1, 2), (0,), (0, 1)), (1, 2, 4)),
    "an axis that is whole and has a start": ((5, 4), (6, 1), lax.GatherDimensionNumbers((1,), (0,), (1,)), (1, 4)),
    "batching": ((3, 5, 4), (3, 2, 1), lax.GatherDimensionNumbers((2,), (1,), (1,), (0,), (0,)), (1, 1, 4)),
}


@pytest.mark.parametrize("mode", ["clip", "fill"])
@pytest.mark.parametrize("name", GATHERS)
def test_gather_reads_the_windows_that_its_definition_names(name, mode):
    shape, index_shape, dims, sizes = GATHERS[name]
    x, starts = RNG.normal(size=shape), RNG.integers(-2, 6, index_shape)
    got = lax.gather(x, starts, dims, sizes, mode=mode)
    np.testing.assert_array_equal(got, gathered(x, starts, dims, sizes, mode))


@pytest.mark.parametrize("mode", ["clip", "drop"])
@pytest.mark.parametrize("kind", ["scatter_add", "scatter_sub", "scatter_mul", "scatter_max", "scatter_min", "scatter"])
@pytest.mark.parametrize("name", GATHERS)
def test_scatter_writes_where_gather_would_read(name, kind, mode):
    shape, index_shape, dims, sizes = GATHERS[name]
    x, starts = RNG.normal(size=shape), RNG.integers(-2, 6, index_shape)
    every = list(windows(shape, starts, dims, sizes))
    updates = RNG.normal(size=every[0][3])
    do = {
        "scatter_add": np.add, "scatter_sub": np.subtract, "scatter_mul": np.multiply, "scatter_max": np.maximum,
        "scatter_min": np.minimum, "scatter": lambda old, new: new,
    }[kind]  # fmt: skip
    expected = x.copy()
    if kind == "scatter":  # which of several updates of one place stays is the library's choice: give them equal values
        updates[...] = 2.5
    for position, at, fits, _ in every:
        if fits or mode == "clip":
            expected[at] = do(expected[at], updates[position])
    got = getattr(lax, kind)(x, starts, updates, lax.ScatterDimensionNumbers(*dims), mode=mode)
    np.testing.assert_allclose(got, expected, rtol=1e-12)


@pytest.mark.parametrize("mode", [lambda f: f, jit], ids=["eager", "jit"])
def test_a_window_of_the_whole_operand_that_is_not_inside_is_dropped(mode):
    numbers = lax.ScatterDimensionNumbers((0,), (), (0,))
    got = mode(lambda x, i, u: lax.scatter_add(x, i, u, numbers))(np.ones(3), np.array([3]), np.ones(3))
    np.testing.assert_array_equal(got, np.ones(3))


def test_gather_has_the_gradient_of_its_reads():
    dims = lax.GatherDimensionNumbers((1,), (0,), (0,))
    counts = grad(lambda x: lax.reduce_sum(lax.gather(x, np.array([[1], [1], [9]]), dims, (1, 4), fill_value=0.0), (0, 1)))(FLOATS)
    np.testing.assert_array_equal(counts, np.array([[0.0], [2.0], [0.0]]) * np.ones((3, 4)))


def test_fill_values_follow_the_element_type():
    dims = lax.GatherDimensionNumbers((), (0,), (0,))
    outside = np.array([[9]])
    assert np.isnan(lax.gather(np.ones(3), outside, dims, (1,))[0])
    assert int(lax.gather(np.ones(3, np.int8), outside, dims, (1,))[0]) == -128
    assert int(lax.gather(np.ones(3, np.uint8), outside, dims, (1,))[0]) == 255


def test_dot_general_contracts_and_batches():
    x, y = RNG.normal(size=(2, 3, 4)), RNG.normal(size=(2, 5, 4))
    check(lax.dot_general(x, y, (((2,), (2,)), ((0,), (0,)))), np.einsum("bik,bjk->bij", x, y))
    check(lax.batch_matmul(x, y.transpose(0, 2, 1)), x @ y.transpose(0, 2, 1))
    check(lax.dot(x[0], y[0].T, precision=lax.Precision.HIGHEST), x[0] @ y[0].T)
    check(lax.dot(x[0, 0], y[0, 0]), x[0, 0] @ y[0, 0])


def test_a_wider_preferred_type_sums_in_it():
    x = np.full(300, 100, np.int8)
    assert int(lax.dot(x, x, preferred_element_type=np.int32)) == 3_000_000
    assert lax.dot(np.ones(3), np.ones(3), preferred_element_type=np.float32).dtype == np.float32


def test_an_unknown_precision_is_an_error():
    with pytest.raises(errors.ArgumentError, match="precision"):
        lax.dot(np.ones(3), np.ones(3), precision="sloppy")


def test_sort_orders_several_arrays_by_several_keys():
    a, b, c = (RNG.integers(0, 3, 50) for _ in range(3))
    order = np.lexsort((b, a))
    for got, expected in zip(lax.sort((a, b, c), num_keys=2), (a[order], b[order], c[order]), strict=True):
        check(got, expected)
    check(lax.sort(FLOATS, 0), np.sort(FLOATS, 0))
    check(lax.sort_key_val(a, c)[1], c[np.argsort(a, kind="stable")])


def test_top_k_keeps_the_order_of_equal_elements_and_puts_nan_first():
    values, places = lax.top_k(np.array([1.0, 3.0, 2.0, 3.0, np.nan]), 3)
    check(values, np.array([np.nan, 3.0, 3.0]))
    check(places, np.array([4, 1, 3], np.int32))
    values, places = lax.top_k(FLOATS, 2, axis=0)
    check(values, -np.sort(-FLOATS, 0)[:2])


def test_sort_and_top_k_pass_tangents_to_where_elements_went():
    x, t = np.array([3.0, 1.0, 2.0]), np.array([30.0, 10.0, 20.0])
    check(jvp(lax.sort, (x,), (t,))[1], np.array([10.0, 20.0, 30.0]))
    check(jvp(lambda v: lax.top_k(v, 2)[0], (x,), (t,))[1], np.array([30.0, 20.0]))


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "int32", "uint32", "int64", "uint64"])
def test_mulhi_is_the_upper_half_of_a_product(dtype):
    info = np.iinfo(dtype)
    ends = [info.min, info.min + 1, 0, 1, 3, info.max // 2, info.max - 1, info.max, *([] if info.min == 0 else [-1, -3])]
    numbers = [*ends, *(int(v) for v in RNG.integers(info.min, info.max, 20, dtype=dtype))]
    values = np.array(numbers, dtype)
    x, y = np.repeat(values, len(values)), np.tile(values, len(values))
    expected = np.array([int(a) * int(b) >> info.bits for a, b in zip(x, y, strict=True)], dtype)
    check(lax.mulhi(x, y), expected)
    check(jit(lax.mulhi)(x, y), expected)
    with pytest.raises(errors.DTypeError, match="lax.mulhi: operands must be integers"):
        lax.mulhi(1.0, 2.0)


def test_the_conjugate_of_a_float_is_complex():
    check(lax.conj(np.float32(2.0)), np.complex64(2.0))
    check(lax.conj(FLOATS), FLOATS.astype(complex))
    check(lax.conj(FLOATS + 1j), FLOATS - 1j)
    assert grad(lambda x: lax.real(lax.conj(x)) ** 2)(3.0) == 6.0
    with pytest.raises(errors.DTypeError):
        lax.conj(INTEGERS)


def test_a_product_of_bools_is_whether_any_pair_holds():
    a, b = RNG.random((4, 5)) < 0.3, RNG.random((5, 3)) < 0.3
    dims = (((1,), (0,)), ((), ()))
    for wrap in (lambda f: f, jit):
        check(wrap(lambda a, b: lax.dot_general(a, b, dims))(a, b), a @ b)
        counts = wrap(lambda a, b: lax.dot_general(a, b, dims, preferred_element_type="int32"))(a, b)
        check(counts, a.astype(np.int32) @ b.astype(np.int32))
    assert not lax.dot_general(np.ones((2, 0), bool), np.ones((0, 2), bool), dims).any()


def test_scatter_and_gather_name_dimension_numbers_that_do_not_exist():
    x, at = np.zeros((3, 4)), np.array([[0]])
    for numbers, named in [
        (lax.ScatterDimensionNumbers((1,), (5,), (0,)), "inserted_window_dims must be different axes from 0 to 1, got .5,."),
        (lax.ScatterDimensionNumbers((1,), (-1,), (0,)), "inserted_window_dims"),
        (lax.ScatterDimensionNumbers((7,), (0,), (0,)), "update_window_dims"),
        (lax.ScatterDimensionNumbers((1,), (0,), (2,)), "scatter_dims_to_operand_dims"),
        (lax.ScatterDimensionNumbers((), (0, 0), (0,)), "inserted_window_dims"),
    ]:
        with pytest.raises(errors.ArgumentError, match=f"lax.scatter_add: {named}"):
            lax.scatter_add(x, at, np.ones((1, 4)), numbers)
    with pytest.raises(errors.ArgumentError, match="lax.gather: collapsed_slice_dims"):
        lax.gather(x, at, lax.GatherDimensionNumbers((1,), (2,), (0,)), (1, 4))


def test_tile_stack_and_unstack_are_numpys():
    for reps in [(2, 3), (1, 1), (0, 2)]:
        check(lax.tile(FLOATS, reps), np.tile(FLOATS, reps))
    check(lax.tile(np.float64(3.0), ()), np.float64(3.0))
    with pytest.raises(errors.ShapeError, match="lax.tile: reps must have one number for each axis"):
        lax.tile(FLOATS, (2,))
    for axis in (0, 1, 2, -1):
        check(lax.stack([FLOATS, FLOATS + 1], axis), np.stack([FLOATS, FLOATS + 1], axis))
    for got, expected in zip(lax.unstack(FLOATS, 1), FLOATS.T, strict=True):
        check(got, expected)
    check(lax.broadcast_like(FLOATS[:, :1], FLOATS), np.broadcast_to(FLOATS[:, :1], FLOATS.shape))
    with pytest.raises(errors.ShapeError):
        lax.broadcast_like(FLOATS, FLOATS[0])
    assert lax.dtype(INTEGERS) == np.int64 and lax.empty(3, "int8").shape == (3,)


def test_reduce_xor_and_cumlogsumexp_go_along_their_axes():
    check(lax.reduce_xor(INTEGERS, (0,)), np.bitwise_xor.reduce(INTEGERS, 0))
    check(lax.reduce_xor(INTEGERS > 0, (0, 1)), np.logical_xor.reduce(INTEGERS > 0, None))
    check(lax.cumlogsumexp(FLOATS, 1), np.logaddexp.accumulate(FLOATS, 1))
    check(lax.cumlogsumexp(FLOATS, 0, reverse=True), np.logaddexp.accumulate(FLOATS[::-1], 0)[::-1])


def test_approximate_extremes_are_exact():
    check(lax.approx_max_k(FLOATS, 2)[0], -np.sort(-FLOATS, 1)[:, :2])
    smallest, places = lax.approx_min_k(FLOATS, 2, reduction_dimension=0)
    check(smallest, np.sort(FLOATS, 0)[:2])
    check(places, np.argsort(FLOATS, 0)[:2].astype(np.int32))
    with pytest.raises(errors.ArgumentError, match="lax.approx_min_k: k must be"):
        lax.approx_min_k(FLOATS, 5)


def test_one_device_runs_the_cpus_function_and_lays_nothing_out():
    assert lax.platform_dependent(2.0, cpu=lambda x: x + 1, default=lambda x: x) == 3.0
    assert lax.platform_dependent(2.0, tpu=lambda x: x + 1, default=lambda x: x) == 2.0
    with pytest.raises(errors.ArgumentError, match="neither a function for cpu nor a default, but for tpu"):
        lax.platform_dependent(2.0, tpu=lambda x: x)
    check(grad(lambda x: jnp.sum(lax.optimization_barrier({"x": x})["x"] ** 2))(FLOATS), 2 * FLOATS)
    assert lax.with_sharding_constraint(FLOATS, None) is FLOATS


def test_stop_gradient_is_a_constant_to_derivatives():
    assert grad(lambda x: lax.mul(x, lax.stop_gradient(x)))(3.0) == 3.0


def test_lax_names_are_all_there():
    assert all(hasattr(lax, name) for name in lax.__all__)
