"""Fourier transforms: NumPy's values for drawn shapes and arguments, derivatives by finite differences, batches, errors."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import errors, grad, jit, jvp, vjp, vmap

REAL_INPUT = ("rfft", "ihfft", "rfft2", "rfftn")
REAL_RESULT = ("irfft", "hfft", "irfft2", "irfftn")
ONE_AXIS = ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")
SEVERAL = ("fftn", "ifftn", "rfftn", "irfftn")
PLANE = ("fft2", "ifft2", "rfft2", "irfft2")
NORMS = (None, "backward", "ortho", "forward")
TYPES = (np.float32, np.float64, np.complex64, np.complex128)


def draw_numbers(shape: tuple[int, ...], dtype: Any, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(shape)
    return np.asarray(x + 1j * rng.standard_normal(shape) if np.dtype(dtype).kind == "c" else x, dtype)


def assert_near(got: Any, want: np.ndarray, n: int, context: object = "") -> None:
    """As accurate as a transform of n elements is: relative to all results together."""
    got = np.asarray(got)
    assert (got.shape, got.dtype) == (want.shape, want.dtype), context
    bound = (4 + 0.5 * math.log2(max(n, 2))) * np.finfo(want.dtype).eps * np.linalg.norm(want)
    assert np.linalg.norm(got - want) <= bound, (context, np.linalg.norm(got - want), bound)


def in_double(name: str, x: np.ndarray, *args: Any) -> np.ndarray:
    """NumPy's, of the numbers in double precision, rounded."""
    wide = x.astype(np.result_type(x, np.float64))
    found = getattr(np.fft, name)(wide, *args)
    return found.astype(x.real.dtype if found.dtype.kind == "f" else np.result_type(x.real.dtype, np.complex64))


def both_ways(f: Callable[..., Any]) -> tuple[Callable[..., Any], ...]:
    return f, lambda *args: jit(lambda x: f(x, *args[1:]))(args[0])


@settings(max_examples=60)
@given(data=st.data())
def test_transforms_along_one_axis_are_numpys(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(ONE_AXIS))
    dtype = data.draw(st.sampled_from([d for d in TYPES if name not in REAL_INPUT or np.dtype(d).kind == "f"]))
    shape = tuple(data.draw(st.lists(st.integers(1, 19), min_size=1, max_size=3)))
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    n = data.draw(st.one_of(st.none(), st.integers(1, 40)))
    if n is None and name in REAL_RESULT and shape[axis] == 1:
        n = 1
    x, norm = draw_numbers(shape, dtype), data.draw(st.sampled_from(NORMS))
    want = in_double(name, x, n, axis, norm)
    for f in both_ways(getattr(jnp.fft, name)):
        assert_near(f(x, n, axis, norm), want, n or shape[axis], (name, shape, dtype, n, axis, norm))


@settings(max_examples=40)
@given(data=st.data())
def test_transforms_along_several_axes_are_numpys(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(SEVERAL + PLANE))
    dtype = data.draw(st.sampled_from([d for d in TYPES if name not in REAL_INPUT or np.dtype(d).kind == "f"]))
    shape = tuple(data.draw(st.lists(st.integers(2, 9), min_size=2, max_size=3)))
    count = 2 if name in PLANE else data.draw(st.integers(1, len(shape)))
    axes = data.draw(st.permutations(range(len(shape))))[:count]
    axes = [a - len(shape) if data.draw(st.booleans()) else a for a in axes]
    s = data.draw(st.one_of(st.none(), st.lists(st.integers(1, 12), min_size=count, max_size=count)))
    x, norm = draw_numbers(shape, dtype), data.draw(st.sampled_from(NORMS))
    want = in_double(name, x, s, axes, norm)
    for f in both_ways(getattr(jnp.fft, name)):
        assert_near(f(x, s, axes, norm), want, math.prod(shape) * 12, (name, shape, dtype, s, axes, norm))


LENGTHS = (16, 17, 31, 60, 77, 128, 143, 243, 256, 343, 360, 500, 625, 1000, 1009, 1024, 2048)
LONG = (2 * 1021, 4096, 6561, 10007, 2310 * 4, 1 << 15)


@pytest.mark.parametrize("n", LENGTHS + LONG)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_length_is_as_accurate_as_rounding_allows_for_one_row_and_for_many(n: int, dtype: Any) -> None:
    for rows in (1, 17) if n <= 4096 else (1,):
        z, r = draw_numbers((rows, n), np.result_type(dtype, np.complex64)), draw_numbers((rows, n), dtype)
        assert_near(jit(jnp.fft.fft)(z), in_double("fft", z), n)
        assert_near(jit(jnp.fft.ifft)(z), in_double("ifft", z), n)
        assert_near(jit(jnp.fft.rfft)(r), in_double("rfft", r), n)
        half = z[:, : n // 2 + 1]
        assert_near(jit(lambda x: jnp.fft.irfft(x, n))(half), in_double("irfft", half, n), n)


def test_columns_are_transformed_where_they_lie() -> None:
    for shape in ((24, 40), (3, 64, 9), (2, 30, 3), (2, 4096, 9), (1, 7, 16)):
        for dtype in (np.float32, np.float64):
            z, r = draw_numbers(shape, np.result_type(dtype, np.complex64)), draw_numbers(shape, dtype)
            axis, n = len(shape) - 2, shape[-2]
            assert_near(jit(lambda x, axis=axis: jnp.fft.fft(x, axis=axis))(z), in_double("fft", z, None, axis), n)
            assert_near(jit(lambda x, axis=axis: jnp.fft.rfft(x, axis=axis))(r), in_double("rfft", r, None, axis), n)
            assert_near(jit(lambda x, axis=axis: jnp.fft.irfft(x, axis=axis))(z), in_double("irfft", z, None, axis), n)


def test_many_long_rows_are_transformed_from_end_to_end() -> None:
    for dtype in (np.float32, np.float64):
        z, r = draw_numbers((20, 4096), np.result_type(dtype, np.complex64)), draw_numbers((20, 8192), dtype)
        assert_near(jit(jnp.fft.fft)(z), in_double("fft", z), 4096)
        assert_near(jit(jnp.fft.rfft)(r), in_double("rfft", r), 8192)
        half = draw_numbers((20, 4097), z.dtype)
        assert_near(jit(jnp.fft.irfft)(half), in_double("irfft", half), 8192)


def test_a_transform_forth_and_back_gives_the_numbers_and_keeps_their_size() -> None:
    z = draw_numbers((1 << 17,), np.complex64)
    there = jit(lambda x: jnp.fft.fft(x, norm="ortho"))(z)
    assert abs(np.linalg.norm(there) / np.linalg.norm(z) - 1) < 1e-6
    assert_near(jit(lambda x: jnp.fft.ifft(x, norm="ortho"))(there), z, 1 << 18)


def test_results_are_equal_to_the_bit_at_any_number_of_threads() -> None:
    inputs = [draw_numbers(shape, np.complex64) for shape in ((1 << 14,), (50, 512), (40, 3, 20))]
    before = jitgrad.config.num_threads
    found = []
    try:
        for threads in (1, 2, 3):
            jitgrad.config.update("num_threads", threads)
            found.append([np.asarray(jit(jnp.fft.fftn)(x)).tobytes() for x in inputs])
    finally:
        jitgrad.config.update("num_threads", before)
    assert found[0] == found[1] == found[2]


# -- derivatives


def directional(f: Callable[[Any], Any], x: np.ndarray, t: np.ndarray) -> np.ndarray:
    h = 1e-4
    return (np.asarray(f(x + h * t)) - np.asarray(f(x - h * t))) / (2 * h)


def loss_of(name: str, args: tuple[Any, ...]) -> Callable[[Any], Any]:
    """A real function that is not linear, with another weight for each result."""

    def loss(x: Any) -> Any:
        y = getattr(jnp.fft, name)(x, *args)
        weights = jnp.cos(jnp.arange(y.size, dtype=jnp.float64)).reshape(y.shape)
        return jnp.sum(weights * (jnp.real(y) ** 3 + jnp.imag(y) ** 2 if jnp.iscomplexobj(y) else y**3))

    return loss


ARGUMENTS = {
    **{name: ((), (3,), (9, 0, "ortho"), (6, 1, "forward")) for name in ONE_AXIS},
    **{name: ((), ((3, 6), (1, 0)), (None, (0, 1), "ortho")) for name in (*SEVERAL, *PLANE)},
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_derivatives_are_finite_differences_forward_backward_and_twice(name: str) -> None:
    dtype = np.float64 if name in REAL_INPUT else np.complex128
    for number, args in enumerate(ARGUMENTS[name]):
        x, t, u = (draw_numbers((4, 5), dtype, seed) / 2 for seed in (number, 7, 8))
        f, loss = (lambda x, args=args: getattr(jnp.fft, name)(x, *args)), loss_of(name, args)
        want = directional(f, x, t)
        np.testing.assert_allclose(jvp(f, (x,), (t,))[1], want, rtol=1e-9, atol=1e-9)
        slope = jvp(loss, (x,), (t,))[1]
        np.testing.assert_allclose(slope, directional(loss, x, t), rtol=1e-6)
        for g in (grad(loss), jit(grad(loss))):
            # by jax's convention the derivative along t is the real part of the sum of g * t
            np.testing.assert_allclose(np.sum(np.asarray(g(x)) * t).real, slope, rtol=1e-10)
            curved = jvp(g, (x,), (u,))[1]
            np.testing.assert_allclose(np.asarray(curved), directional(g, x, u), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ONE_AXIS)
def test_cotangents_are_those_of_the_matrix(name: str) -> None:
    """The transform of each unit vector is a column; jax's cotangent is the transpose times the cotangent, without conjugation."""
    for n in (5, 6):
        f = getattr(jnp.fft, name)
        x = draw_numbers((n,), np.float64 if name in REAL_INPUT else np.complex128)
        y, back = vjp(f, x)
        ct = draw_numbers(y.shape, np.dtype(y.dtype))
        (got,) = back(ct)
        units = np.eye(n)
        want = np.array([np.sum(ct * np.asarray(f(unit))).real for unit in units])
        if x.dtype.kind == "c":
            want = want - 1j * np.array([np.sum(ct * np.asarray(f(1j * unit))).real for unit in units])
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", (*ONE_AXIS, *SEVERAL))
def test_vmap_is_a_loop(name: str) -> None:
    f = getattr(jnp.fft, name)
    x = draw_numbers((3, 4, 5), np.float64 if name in REAL_INPUT else np.complex128)
    for in_axis in (0, 1, 2):
        rows = np.moveaxis(x, in_axis, 0)
        want = np.stack([np.asarray(f(row)) for row in rows])
        for g in (vmap(f, in_axis), jit(vmap(f, in_axis))):
            np.testing.assert_allclose(g(x), want, rtol=1e-12, atol=1e-12)


def test_a_transform_in_a_loop_and_between_other_operations_is_the_transform() -> None:
    x = draw_numbers((3, 32), np.complex64)
    f = jit(lambda x: jnp.real(jnp.fft.ifft(jnp.fft.fft(x * 2) * jnp.fft.fft(jnp.conj(x), axis=0))) + 1)
    want = np.real(np.fft.ifft(np.fft.fft(x * 2) * np.fft.fft(x.conj(), axis=0))) + 1
    np.testing.assert_allclose(f(x), want, rtol=1e-4, atol=1e-4)
    looped = jit(lambda x: jitgrad.lax.fori_loop(0, 3, lambda i, y: jnp.fft.fft(y) / 4, x))
    np.testing.assert_allclose(looped(x), np.fft.fft(np.fft.fft(np.fft.fft(x))) / 64, rtol=1e-4, atol=1e-4)


# -- types, empty arrays, errors


def test_results_have_the_precision_of_the_operand_and_at_least_that_of_float32() -> None:
    for dtype, want in (
        (jnp.float16, jnp.complex64), (jnp.bfloat16, jnp.complex64), (jnp.float32, jnp.complex64), (jnp.int32, jnp.complex64),
        (jnp.bool_, jnp.complex64), (jnp.float64, jnp.complex128), (jnp.complex64, jnp.complex64), (jnp.complex128, jnp.complex128),
    ):  # fmt: skip
        x = jnp.ones(4, dtype)
        assert jnp.fft.fft(x).dtype == jit(jnp.fft.fft)(x).dtype == want
        assert jnp.fft.irfft(x).dtype == jnp.zeros(0, want).real.dtype


def test_batches_without_elements_stay_empty() -> None:
    for shape, axis in (((0, 4), 1), ((4, 0), 0), ((3, 0, 5), 2)):
        for f in both_ways(jnp.fft.fft):
            assert f(np.zeros(shape, np.complex64), None, axis).shape == shape
    assert jnp.fft.rfft(np.zeros((0, 4))).shape == (0, 3)
    assert jnp.fft.irfft(np.zeros((0, 4))).shape == (0, 6)


def test_no_axes_change_no_numbers_and_a_scalar_has_none() -> None:
    x = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(jnp.fft.fftn(x, axes=()), x.astype(np.complex128))
    assert jnp.fft.fftn(np.float32(3)).shape == ()


def test_numpys_functions_of_arrays_are_ours() -> None:
    x = jnp.arange(4.0)
    assert isinstance(np.fft.rfft(x), jitgrad.Array)
    np.testing.assert_allclose(grad(lambda x: np.fft.irfft(np.fft.rfft(x))[1])(x), [0, 1, 0, 0], atol=1e-6)


ERRORS: tuple[tuple[Callable[[], Any], type[Exception], str], ...] = (
    (lambda: jnp.fft.fft(np.ones(3), n=0), errors.ArgumentError, "fft.fft: needs at least one element to transform, got n=0"),
    (lambda: jnp.fft.fft(np.ones(3), n=-1), errors.ArgumentError, "fft.fft: .* got n=-1"),
    (lambda: jnp.fft.fft(np.ones(3), n=2.5), errors.ArgumentError, "fft.fft: n must be an integer, got float: '2.5'"),
    (lambda: jnp.fft.fft(np.zeros((3, 0))), errors.ArgumentError, r"fft.fft: .* got shape \(3, 0\) along axis -1"),
    (lambda: jnp.fft.irfft(np.zeros(1)), errors.ArgumentError, r"fft.irfft: .* got shape \(1,\)"),
    (lambda: jnp.fft.fft(np.ones(3), axis=1), errors.ArgumentError, "fft.fft: axis 1 does not exist"),
    (lambda: jnp.fft.fft(np.float32(1)), errors.ArgumentError, "fft.fft: axis -1 does not exist in an array with 0 axes"),
    (lambda: jnp.fft.fft(np.ones(3), norm="x"), errors.ArgumentError, "fft.fft: norm must be None, 'backward', .* got 'x'"),
    (lambda: jnp.fft.rfft(np.ones(3) * 1j), errors.DTypeError, "fft.rfft: takes real numbers, got complex128"),
    (lambda: jnp.fft.ihfft(np.ones(3) * 1j), errors.DTypeError, "fft.ihfft: takes real numbers"),
    (lambda: jnp.fft.rfftn(np.ones((3, 2)) * 1j), errors.DTypeError, "fft.rfftn: takes real numbers"),
    (lambda: jnp.fft.fftn(np.ones((2, 3)), axes=(0, 0)), errors.ArgumentError, r"fft.fftn: .* once, got \(0, 0\)"),
    (lambda: jnp.fft.fftn(np.ones((2, 3)), axes=(0, -2)), errors.ArgumentError, r"fft.fftn: .* once, got \(0, -2\)"),
    (lambda: jnp.fft.fftn(np.ones((2, 3)), axes=(0, 2)), errors.ArgumentError, "fft.fftn: axis 2 does not exist"),
    (lambda: jnp.fft.fftn(np.ones((2, 3)), s=(2,), axes=(0, 1)), errors.ArgumentError, "s and axes must be equally long"),
    (lambda: jnp.fft.fftn(np.ones((2, 3)), s=(2, 0)), errors.ArgumentError, r"fft.fftn: .* got s=\(2, 0\)"),
    (lambda: jnp.fft.fftn(np.ones(3), s=(2, 2)), errors.ArgumentError, r"fft.fftn: s=\(2, 2\) has 2 sizes, the array 1 axes"),
    (lambda: jnp.fft.fftn(np.ones(3), s=4), errors.ArgumentError, "fft.fftn: s must be a sequence of integers, got 4"),
    (lambda: jnp.fft.fftn(np.ones(3), axes=0), errors.ArgumentError, "fft.fftn: axes must be a sequence of integers, got 0"),
    (lambda: jnp.fft.fft2(np.ones((2, 3)), axes=None), errors.ArgumentError, "fft.fft2: axes must be a sequence .*, got None"),
    (lambda: jnp.fft.rfftn(np.ones(3), axes=()), errors.ArgumentError, "fft.rfftn: needs at least one axis"),
    (lambda: jnp.fft.irfftn(np.ones((3, 1))), errors.ArgumentError, "fft.irfftn: needs at least one element"),
    (lambda: jnp.fft.fft2(np.ones((2, 3, 4)), axes=(0, 1, 2)), errors.ArgumentError, "fft.fft2: transforms along two axes"),
    (lambda: jnp.fft.fft2(np.ones(3)), errors.ArgumentError, "fft.fft2: axis -2 does not exist"),
    (lambda: jnp.fft.fftfreq(0), errors.ArgumentError, "fft.fftfreq: needs at least one element to transform, got n=0"),
    (lambda: jnp.fft.fftfreq(2.5), errors.ArgumentError, "fft.fftfreq: n must be an integer"),
    (lambda: jnp.fft.rfftfreq(4, dtype=jnp.int32), errors.DTypeError, "fft.rfftfreq: dtype must be a float type, got int32"),
    (lambda: jnp.fft.fftshift(np.ones(3), axes=1), errors.ArgumentError, "fft.fftshift: axis 1 does not exist"),
    (lambda: jnp.fft.fft("abc"), TypeError, "fft.fft"),
)


@pytest.mark.parametrize(("call", "error", "words"), ERRORS)
def test_an_error_names_the_function_the_argument_and_what_it_got(call: Callable[[], Any], error: Any, words: str) -> None:
    with pytest.raises(error, match=words):
        call()


def test_frequencies_and_their_order_are_numpys() -> None:
    for n in (1, 2, 5, 8):
        for d in (1.0, 0.3):
            for name in ("fftfreq", "rfftfreq"):
                want = getattr(np.fft, name)(n, d)
                np.testing.assert_allclose(getattr(jnp.fft, name)(n, d, dtype=jnp.float64), want, rtol=1e-15)
                assert getattr(jnp.fft, name)(n, d).dtype == jnp.float32
        x = np.arange(3.0 * n).reshape(n, 3)
        for axes in (None, 0, (0, 1), (-1,), ()):
            for name in ("fftshift", "ifftshift"):
                for f in both_ways(getattr(jnp.fft, name)):
                    np.testing.assert_array_equal(f(x, axes), getattr(np.fft, name)(x, axes))
    np.testing.assert_allclose(grad(lambda d: jnp.fft.fftfreq(4, d)[1])(2.0), -1 / 16)
