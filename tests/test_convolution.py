"""lax's convolutions against sums written out in NumPy, their derivatives against differences, and errors that teach."""

from __future__ import annotations

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


def dilated(x, axes, dilation, padding):
    """Zeros between and around the elements, negative paddings cut off."""
    for a, d, (low, high) in zip(axes, dilation, padding, strict=True):
        shape = list(x.shape)
        shape[a] = (shape[a] - 1) * d + 1 if shape[a] else 0
        out = np.zeros(shape, x.dtype)
        out[(slice(None),) * a + (slice(None, None, d),)] = x
        pads = [(0, 0)] * x.ndim
        pads[a] = (max(low, 0), max(high, 0))
        out = np.pad(out, pads)
        x = np.take(out, np.arange(max(-low, 0), out.shape[a] - max(-high, 0)), a)
    return x


def summed(x, w, strides, padding, x_dilation, w_dilation, groups=1):
    """[batch, features, *space] with [results, features, *window], place by place."""
    rank = len(strides)
    x = dilated(x, range(2, rank + 2), x_dilation, padding)
    w = dilated(w, range(2, rank + 2), w_dilation, [(0, 0)] * rank)
    counts = [max(0, (n - k) // s + 1) for n, k, s in zip(x.shape[2:], w.shape[2:], strides, strict=True)]
    out = np.zeros((x.shape[0], w.shape[0], *counts), x.dtype)
    features, results = x.shape[1] // groups, w.shape[0] // groups
    for place in itertools.product(*map(range, counts)):
        window = tuple(slice(p * s, p * s + k) for p, s, k in zip(place, strides, w.shape[2:], strict=True))
        for g in range(groups):
            part = x[(slice(None), slice(g * features, (g + 1) * features), *window)]
            kernel = w[g * results : (g + 1) * results]
            axes = tuple(range(1, rank + 2))
            out[(slice(None), slice(g * results, (g + 1) * results), *place)] = np.tensordot(part, kernel, (axes, axes))
    return out


@st.composite
def convolutions(draw):
    """Operands in any order of axes, arguments, and the result by NumPy."""
    rank = draw(st.integers(0, 3))
    letters = "HWD"[:rank]
    specs = [draw(st.permutations(marks + letters)) for marks in ("NC", "OI", "NC")]
    groups = draw(st.integers(1, 3))
    size = st.integers(1, 3)
    batch, features, results = draw(st.integers(0, 2)), draw(size), draw(size)
    space, window = [draw(st.integers(0, 6)) for _ in letters], [draw(size) for _ in letters]
    each = st.lists(st.integers(1, 3), min_size=rank, max_size=rank)
    strides, x_dilation, w_dilation = draw(each), draw(each), draw(each)
    padding = [(draw(st.integers(0, 3)), draw(st.integers(-1 if n > 1 else 0, 3))) for n in space]
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    x = rng.integers(-3, 4, (batch, features * groups, *space)).astype("float64")
    w = rng.integers(-3, 4, (results * groups, features, *window)).astype("float64")
    order = [c for c in specs[1] if c not in "OI"]
    held = [letters.index(c) for c in order]

    def sorted_as(values):
        return [values[i] for i in held]

    lhs = x.transpose(["NC".find(c) if c in "NC" else 2 + letters.index(c) for c in specs[0]])
    rhs = w.transpose(["OI".find(c) if c in "OI" else 2 + letters.index(c) for c in specs[1]])
    wanted = summed(x, w, strides, padding, x_dilation, w_dilation, groups)
    wanted = wanted.transpose(["NC".find(c) if c in "NC" else 2 + letters.index(c) for c in specs[2]])
    arguments = {
        "window_strides": sorted_as(strides), "padding": sorted_as(padding), "lhs_dilation": sorted_as(x_dilation),
        "rhs_dilation": sorted_as(w_dilation), "dimension_numbers": tuple(map("".join, specs)), "feature_group_count": groups,
    }  # fmt: skip
    return lhs, rhs, arguments, wanted


@settings(deadline=None, max_examples=20)
@given(convolutions())
def test_its_shape_is_known_without_operands(case):
    lhs, rhs, arguments, _ = case
    of = {name: arguments[name] for name in ("window_strides", "padding", "dimension_numbers")}
    if arguments["feature_group_count"] == 1:
        assert lax.conv_general_shape_tuple(lhs.shape, rhs.shape, **of) == lax.conv_general_dilated(lhs, rhs, **of).shape


def test_shapes_of_other_convolutions_and_windows_are_known_without_operands():
    for padding in ("SAME", "VALID", [(0, 1), (1, 1)]):
        for strides in ((2, 1), (1, 1), (3, 2)):
            numbers = ("NHWC", "HWOI", "NHWC")
            found = lax.conv_transpose(jnp.ones((1, 5, 6, 2)), jnp.ones((3, 2, 4, 2)), strides, padding, None, numbers)
            assert lax.conv_transpose_shape_tuple((1, 5, 6, 2), (3, 2, 4, 2), strides, padding, numbers) == found.shape
    lhs, rhs = jnp.ones((4, 3, 8, 8)), jnp.ones((4, 3, 3, 2))
    pads = [(0, 0), (1, 1)]
    found = lax.conv_general_dilated(lhs, rhs, (2, 1), pads, batch_group_count=2)
    assert lax.conv_shape_tuple(lhs.shape, rhs.shape, (2, 1), pads, 2) == found.shape
    assert lax.conv_shape_tuple(lhs.shape, rhs.shape, (2, 1), "SAME") == lax.conv(lhs, rhs, (2, 1), "SAME").shape
    windows = ((2, 3), (2, 1), [(0, 1), (1, 1)], (2, 1), (1, 2))
    found = lax.reduce_window(jnp.ones((5, 7)), 0.0, lax.add, *windows)
    assert lax.reduce_window_shape_tuple((5, 7), *windows) == found.shape == (5, 5)
    assert lax.conv_general_permutations(("NHWC", "HWIO", "NCHW")) == ((0, 3, 1, 2), (3, 2, 0, 1), (0, 1, 2, 3))


@settings(max_examples=60)
@given(convolutions())
def test_it_is_the_sum_of_products_of_each_window_in_any_order_of_axes(case):
    lhs, rhs, arguments, wanted = case
    np.testing.assert_array_equal(lax.conv_general_dilated(lhs, rhs, **arguments), wanted)


@settings(max_examples=6)
@given(convolutions())
def test_jit_and_vmap_give_what_eager_mode_gives(case):
    lhs, rhs, arguments, wanted = case

    def f(x, w):
        return lax.conv_general_dilated(x, w, **arguments)

    np.testing.assert_array_equal(jit(f)(lhs, rhs), wanted)
    xs, ws = np.stack([lhs, 2 * lhs]), np.stack([rhs, -rhs])
    np.testing.assert_array_equal(vmap(f, (0, None))(xs, rhs), np.stack([wanted, 2 * wanted]))
    np.testing.assert_array_equal(vmap(f, (None, 0))(lhs, ws), np.stack([wanted, -wanted]))
    np.testing.assert_array_equal(vmap(f)(xs, ws), np.stack([wanted, -2 * wanted]))


CASES = {
    "plain": ((2, 5, 4, 3), (3, 2, 3, 2), {"window_strides": (1, 1), "padding": "SAME"}),
    "strided": ((1, 7, 6, 2), (3, 3, 2, 2), {"window_strides": (2, 3), "padding": ((1, 2), (0, -1))}),
    "dilated": ((1, 7, 7, 1), (2, 3, 1, 2), {"window_strides": (1, 2), "padding": "VALID", "rhs_dilation": (3, 2)}),
    "transposed": ((1, 3, 3, 1), (3, 3, 1, 2), {"window_strides": (1, 1), "padding": ((1, 1), (2, 0)), "lhs_dilation": (2, 3)}),
    "grouped": ((1, 4, 4, 4), (2, 2, 2, 6), {"window_strides": (1, 1), "padding": "SAME", "feature_group_count": 2}),
    "depthwise": ((1, 5, 4, 3), (3, 3, 1, 3), {"window_strides": (2, 1), "padding": "SAME", "feature_group_count": 3}),
    "batch groups": ((4, 4, 3, 2), (2, 2, 2, 4), {"window_strides": (1, 1), "padding": "VALID", "batch_group_count": 2}),
}


@pytest.mark.parametrize("case", CASES)
def test_first_and_second_derivatives_agree_with_differences(case):
    shape, kernel, arguments = CASES[case]
    rng = np.random.default_rng(1)

    def f(x, w):
        return lax.conv_general_dilated(x, w, dimension_numbers=("NHWC", "HWIO", "NHWC"), **arguments)

    check_grads(f, (rng.standard_normal(shape), rng.standard_normal(kernel)), order=2)


def test_groups_of_the_batch_take_each_a_part_of_the_results():
    rng = np.random.default_rng(1)
    x, w = rng.standard_normal((6, 2, 5)), rng.standard_normal((4, 2, 3))
    out = lax.conv_general_dilated(x, w, (1,), "VALID", batch_group_count=2)
    parts = [summed(x[3 * g : 3 * g + 3], w[2 * g : 2 * g + 2], (1,), [(0, 0)], (1,), (1,)) for g in (0, 1)]
    np.testing.assert_allclose(out, np.concatenate(parts, 1), rtol=1e-12)


@both
def test_complex_numbers_are_multiplied_as_they_are(mode):
    rng = np.random.default_rng(1)
    x = rng.standard_normal((2, 3, 6)) + 1j * rng.standard_normal((2, 3, 6))
    w = rng.standard_normal((4, 3, 2)) + 1j * rng.standard_normal((4, 3, 2))
    out = mode(lambda x, w: lax.conv(x, w, (2,), "VALID"))(x, w)
    np.testing.assert_allclose(out, summed(x, w, (2,), [(0, 0)], (1,), (1,)), rtol=1e-12)


@both
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_narrow_floats_are_summed_in_float32_and_rounded_once(mode, dtype):
    rng = np.random.default_rng(1)
    x, w = jnp.asarray(rng.standard_normal((1, 8, 9)), dtype), jnp.asarray(rng.standard_normal((2, 8, 3)), dtype)
    out = mode(lambda x, w: lax.conv(x, w, (1,), "SAME"))(x, w)
    wide = [np.asarray(a).astype("float64") for a in (x, w)]
    wanted = summed(*wide, (1,), [(1, 1)], (1,), (1,))
    assert out.dtype == jnp.dtype(dtype)
    np.testing.assert_allclose(np.asarray(out, "float64"), wanted, rtol=2.0 ** (-8 if dtype == "bfloat16" else -11), atol=1e-6)
    preferred = mode(lambda x, w: lax.conv(x, w, (1,), "SAME", preferred_element_type="float32"))(x, w)
    assert preferred.dtype == np.float32
    np.testing.assert_allclose(preferred, wanted, rtol=1e-5, atol=1e-6)


def test_integers_keep_their_type_or_take_a_wider_one():
    x, w = np.full((1, 1, 3), 100, "int8"), np.full((1, 1, 3), 2, "int8")
    assert lax.conv(x, w, (1,), "VALID").dtype == np.int8
    wide = lax.conv(x, w, (1,), "VALID", preferred_element_type="int32")
    assert wide.dtype == np.int32 and int(wide[0, 0, 0]) == 600


def test_named_paddings_give_as_many_windows_as_there_are_strides():
    assert lax.padtype_to_pads((5, 6, 7), (3, 4, 2), (2, 1, 3), "SAME") == [(1, 1), (1, 2), (0, 1)]
    assert lax.padtype_to_pads((5, 6, 7), (3, 4, 2), (2, 1, 3), "same_lower") == [(1, 1), (2, 1), (1, 0)]
    assert lax.padtype_to_pads((5,), (9,), (1,), "VALID") == [(0, 0)]


@pytest.mark.parametrize("padding", ["SAME", "VALID", ((1, 0), (0, 1))])
def test_a_transposed_convolution_is_the_transpose_of_a_convolution(padding):
    rng = np.random.default_rng(1)
    strides, x, w = (2, 3), rng.standard_normal((2, 6, 9, 3)), rng.standard_normal((3, 4, 3, 5))

    def forward(x):
        return lax.conv_general_dilated(x, w, strides, padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))

    y = rng.standard_normal(forward(x).shape)
    out = lax.conv_transpose(y, w, strides, padding, transpose_kernel=True, use_consistent_padding=True)
    wanted = np.asarray(jitgrad.vjp(forward, x)[1](y)[0])
    both = tuple(slice(0, min(n, m)) for n, m in zip(out.shape, wanted.shape, strict=True))
    np.testing.assert_allclose(out[both], wanted[both], rtol=1e-12, atol=1e-12)


def test_pairs_pad_what_is_convolved_unless_they_are_to_be_the_convolutions():
    y, w = np.ones((1, 3, 1)), np.ones((2, 1, 1))
    assert lax.conv_transpose(y, w, (2,), [(0, 0)]).shape == (1, 4, 1)
    assert lax.conv_transpose(y, w, (2,), [(0, 0)], use_consistent_padding=True).shape == (1, 6, 1)


def test_patches_have_the_features_in_order_and_each_ones_window():
    x = np.arange(2 * 3 * 4 * 2.0).reshape(2, 3, 4, 2)
    out = lax.conv_general_dilated_patches(x, (2, 3), (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"))
    assert out.shape == (2, 2, 2, 12)
    np.testing.assert_array_equal(out[1, 0, 1], np.moveaxis(x[1, 0:2, 1:4], -1, 0).ravel())


def test_patches_of_infinities_have_no_nan():
    x = np.array([[[np.inf, 1.0, 2.0]]])
    np.testing.assert_array_equal(lax.conv_general_dilated_patches(x, (2,), (1,), "VALID"), [[[np.inf, 1.0], [1.0, 2.0]]])


def test_a_local_convolution_has_a_kernel_at_each_place():
    rng = np.random.default_rng(1)
    x, w = rng.standard_normal((2, 3, 6)), rng.standard_normal((4, 6, 5))
    out = lax.conv_general_dilated_local(x, w, (1,), "VALID", (2,))
    for place in range(5):
        np.testing.assert_allclose(out[:, :, place], x[:, :, place : place + 2].reshape(2, 6) @ w[:, :, place].T, rtol=1e-12)


def test_a_gradient_of_a_weighted_sum_of_a_convolution_is_finite_where_nothing_fits():
    x, w = jnp.ones((1, 1, 2)), jnp.ones((1, 1, 5))
    assert lax.conv(x, w, (1,), "VALID").shape == (1, 1, 0)
    np.testing.assert_array_equal(grad(lambda w: jnp.sum(lax.conv(x, w, (1,), "VALID")))(w), np.zeros((1, 1, 5)))


X, W = np.ones((1, 4, 8, 8)), np.ones((6, 4, 3, 3))
WRONG = [
    (lambda: lax.conv(X, np.ones((6, 3, 3, 3)), (1, 1), "SAME"), errors.ShapeError, r"lhs has 4 features .* rhs takes 3"),
    (lambda: lax.conv(X, np.ones((6, 3, 3)), (1, 1), "SAME"), errors.ShapeError, "one number of axes"),
    (lambda: lax.conv(X, W, (1,), "SAME"), errors.ArgumentError, "window_strides must have 2 numbers"),
    (lambda: lax.conv(X, W, 1, "SAME"), errors.ArgumentError, "window_strides must be a sequence of 2 integers"),
    (lambda: lax.conv(X, W, (0, 1), "SAME"), errors.ArgumentError, "window_strides must be 1 or more"),
    (lambda: lax.conv(X, W, (1.5, 1), "SAME"), errors.ParametersError, "window_strides must be integers"),
    (lambda: lax.conv(X, W, (1, 1), "full"), errors.ArgumentError, "padding must be one of 'VALID', 'SAME', 'SAME_LOWER'"),
    (lambda: lax.conv(X, W, (1, 1), 1), errors.ArgumentError, "padding must be one of"),
    (lambda: lax.conv(X, W, (1, 1), [(1, 1)]), errors.ArgumentError, "padding must have 2 pairs"),
    (lambda: lax.conv(X, W, (1, 1), [(-9, 0), (0, 0)]), errors.ShapeError, "cuts off more than the 8 elements"),
    (lambda: lax.conv(X, W.astype("float32"), (1, 1), "SAME"), errors.DTypeError, "operands must have one element type"),
    (lambda: lax.conv(X > 0, W > 0, (1, 1), "SAME"), errors.DTypeError, "must be numbers, got bool"),
    (lambda: lax.conv(X, W, (1, 1), "SAME", precision="low"), errors.ArgumentError, "precision must be"),
    (
        lambda: lax.conv_general_dilated(X, W, (1, 1), "SAME", feature_group_count=3),
        errors.ShapeError,
        "feature_group_count 3 must divide the 4 features and the 6 results",
    ),
    (
        lambda: lax.conv_general_dilated(X, W, (1, 1), "SAME", batch_group_count=2),
        errors.ShapeError,
        "batch_group_count 2 must divide the batch of 1",
    ),
    (
        lambda: lax.conv_general_dilated(X, W, (1, 1), "SAME", feature_group_count=2, batch_group_count=2),
        errors.ArgumentError,
        "only one of feature_group_count and batch_group_count",
    ),
    (
        lambda: lax.conv_general_dilated(X, W, (1, 1), "SAME", lhs_dilation=(2, 2)),
        errors.ArgumentError,
        "lax.conv_transpose knows",
    ),
    (
        lambda: lax.conv_general_dilated(X, W, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO")),
        errors.ArgumentError,
        "three strings",
    ),
    (
        lambda: lax.conv_general_dilated(X, W, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWD")),
        errors.ArgumentError,
        "'NHWD' must have 4 different letters",
    ),
    (
        lambda: lax.conv_general_dilated(X, W, (1, 1), "SAME", dimension_numbers=("NHWC", "HXIO", "NHWC")),
        errors.ArgumentError,
        "the same letters for the axes of space",
    ),
    (
        lambda: lax.conv_general_dilated(
            X, W, (1, 1), "SAME", dimension_numbers=lax.ConvDimensionNumbers((0, 1, 2, 2), (0, 1, 2, 3), (0, 1, 2, 3))
        ),
        errors.ArgumentError,
        "lhs_spec must name each of 4 axes once",
    ),
    (lambda: lax.conv_transpose(X, W, (2, 2), "FULL"), errors.ArgumentError, "'SAME', 'VALID' or pairs"),
    (lambda: lax.conv_general_dilated_patches(X, (3,), (1, 1), "SAME"), errors.ArgumentError, "filter_shape must have 2 numbers"),
    (
        lambda: lax.conv_general_dilated_local(X, np.ones((6, 36, 8, 7)), (1, 1), "SAME", (3, 3)),
        errors.ShapeError,
        r"rhs must have the places \(8, 8\)",
    ),
]


@pytest.mark.parametrize(("call", "error", "message"), WRONG)
def test_wrong_arguments_say_what_was_expected(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("shape", [(1, 1, 1, 0), (1, 1, 0, 3), (0, 1, 2, 3)])
def test_an_array_without_elements_gives_what_its_padding_gives(shape):
    w = np.full((1, 1, 1, 1), 2.0)
    convolved = jitgrad.jit(lambda x: lax.conv_general_dilated(x, w, (1, 1), [(0, 0), (0, 2)], lhs_dilation=(1, 2)))
    want = lax.conv_general_dilated(np.zeros(shape), w, (1, 1), [(0, 0), (0, 2)], lhs_dilation=(1, 2))
    np.testing.assert_array_equal(convolved(np.zeros(shape)), want)


def test_a_convolution_with_general_padding_dilates_and_pads():
    x, w = np.arange(24.0).reshape(1, 2, 4, 3), np.arange(16.0).reshape(2, 2, 2, 2)
    found = lax.conv_with_general_padding(x, w, (1, 2), ((1, 0), (0, 1)), (2, 1), (1, 2))
    np.testing.assert_allclose(found, lax.conv_general_dilated(x, w, (1, 2), ((1, 0), (0, 1)), (2, 1), (1, 2)))
    numbers = lax.conv_dimension_numbers(x.shape, w.shape, ("NCHW", "OIHW", "NCHW"))
    assert (numbers.lhs_spec, numbers.rhs_spec, numbers.out_spec) == ((0, 1, 2, 3),) * 3
