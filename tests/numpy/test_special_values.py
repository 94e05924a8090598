"""Zeros of both signs, infinities, nan and the ends of the types: NumPy's numbers, with their signs, eager and compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import lax
from jitgrad.scipy import special

INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
FLOATS = ["float32", "float64"]


def floats(dtype: str) -> np.ndarray:
    info = np.finfo(dtype)
    with np.errstate(over="ignore"):
        positive = np.array([0, info.smallest_subnormal, info.tiny, 1e-30, 0.5, 1, 2, 2.5, 7.3, 5e7 + 1, info.max, np.inf], dtype)
    return np.concatenate([positive, -positive, np.array([np.nan], dtype)])


def integers(dtype: str) -> np.ndarray:
    info = np.iinfo(dtype)
    return np.array([n for n in (info.min, info.min + 1, -7, -2, -1, 0, 1, 2, 3, 12, 100, info.max) if n >= info.min], dtype)


def every_pair(values: np.ndarray) -> list[np.ndarray]:
    return [grid.ravel() for grid in np.meshgrid(values, values)]


def identical(got: Any, want: Any, what: str) -> None:
    got, want = np.asarray(got), np.asarray(want)
    assert got.dtype == want.dtype, what
    np.testing.assert_array_equal(got, want, err_msg=what)
    if got.dtype.kind == "f":
        number = ~np.isnan(want)
        np.testing.assert_array_equal(np.signbit(got[number]), np.signbit(want[number]), err_msg=f"signs of {what}")


def same_as_numpy(function: Callable[..., Any], reference: Callable[..., Any], *arrays: np.ndarray) -> None:
    with np.errstate(all="ignore"):
        want = reference(*arrays)
    for name, run in (("eager", function), ("compiled", jitgrad.jit(function))):
        got = run(*map(jnp.array, arrays))
        for g, w in zip(*((v if isinstance(v, tuple) else (v,)) for v in (got, want)), strict=True):
            identical(g, w, f"{name}, {arrays[0].dtype}")


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", ["remainder", "fmod", "floor_divide", "divmod"])
def test_floats_divide_as_numpys_do(name: str, dtype: str) -> None:
    same_as_numpy(getattr(jnp, name), getattr(np, name), *every_pair(floats(dtype)))


@pytest.mark.parametrize("number", [2.0, -2.5, np.inf, -np.inf, 0.0, -0.0])
def test_floats_divide_by_constants_as_numpys_do(number: float) -> None:
    x, y = floats("float32"), np.float32(number)
    same_as_numpy(lambda v: (v % number, v // number), lambda v: (v % y, v // y), x)
    same_as_numpy(lambda v: (number % v, number // v), lambda v: (y % v, y // v), x)


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("name", ["remainder", "fmod", "floor_divide"])
def test_integers_divide_as_numpys_do(name: str, dtype: str) -> None:
    x, y = every_pair(integers(dtype))
    same_as_numpy(getattr(jnp, name), getattr(np, name), x[y != 0], y[y != 0])


def test_integers_have_a_remainder_by_zero() -> None:
    x = np.array([5, -5, 0])
    same_as_numpy(lambda v: (v % 0, jnp.fmod(v, 0), v // 0), lambda v: (v * 0, v * 0, np.array([-1, -2, -1])), x)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_divisors_and_multiples_wrap_where_numpys_do(dtype: str) -> None:
    x, y = every_pair(integers(dtype))
    same_as_numpy(lambda a, b: (jnp.gcd(a, b), jnp.lcm(a, b)), lambda a, b: (np.gcd(a, b), np.lcm(a, b)), x, y)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_integer_powers_wrap_where_numpys_do(dtype: str) -> None:
    x, y = every_pair(integers(dtype))
    same_as_numpy(jnp.power, np.power, x[y >= 0], y[y >= 0])


def test_powers_of_128_and_more_are_exact_modulo_the_types_size() -> None:
    x = np.array([0, 1, 3, -3, 7, -128], "int8")
    for n in (127, 128, 200, 1001):
        want = np.array([pow(int(v), n, 256) for v in x], "uint8").view("int8")
        same_as_numpy(lambda v, n=n: v**n, lambda v, want=want: want, x)
        same_as_numpy(
            lambda v, n=n: (v.astype("int32") ** jnp.full(v.shape, n, "int32")).astype("int8"), lambda v, want=want: want, x
        )


def test_negative_powers_of_integers_are_zero_but_of_one_and_minus_one() -> None:
    x = np.array([-2, -1, -1, 0, 1, 5], "int32")
    y = np.array([-1, -3, -4, -1, -7, -2], "int32")
    same_as_numpy(jnp.power, lambda *_: np.array([0, -1, 1, 0, 1, 0], "int32"), x, y)


@pytest.mark.parametrize("dtype", FLOATS)
def test_ldexp_rounds_once_and_keeps_zeros_and_infinities(dtype: str) -> None:
    for n in (0, 3, -3, 127, 128, -126, -149, 150, 300, -300, 1100, -1100, 2000, -2000, 2**31 - 1, -(2**31)):
        same_as_numpy(lambda v, n=n: jnp.ldexp(v, n), lambda v, n=n: np.ldexp(v, n), floats(dtype))
    random = np.random.default_rng(0)
    x, n = random.normal(size=3000).astype(dtype), random.integers(-1090 if dtype == "float64" else -160, 130, 3000).astype("int32")
    same_as_numpy(jnp.ldexp, np.ldexp, x, n)


@pytest.mark.parametrize("dtype", FLOATS)
def test_numbers_are_taken_apart_as_numpy_does(dtype: str) -> None:
    same_as_numpy(jnp.frexp, np.frexp, floats(dtype))
    same_as_numpy(jnp.modf, np.modf, floats(dtype))


def test_rounding_to_more_decimals_than_there_are_leaves_a_number_alone() -> None:
    x = np.array([1.234, -1.5, 0.05, 1e30, np.inf, -np.inf, np.nan, 0.0, -0.0, 123456.789], "float32")
    for decimals in (20, 38, 39, 100, 400):
        same_as_numpy(lambda v, d=decimals: jnp.round(v, d), lambda v: v, x)
    same_as_numpy(lambda v: jnp.round(v, -400), lambda v: np.where(np.isfinite(v), np.copysign(np.float32(0), v), v), x)
    same_as_numpy(lambda v: jnp.round(v, -400), lambda v: v * 0, np.array([1234, -7]))
    np.testing.assert_array_equal(jitgrad.vmap(jitgrad.grad(lambda v: jnp.round(v, 30)))(jnp.array(x[:3])), 0.0)


def test_integers_are_close_by_their_exact_distance() -> None:
    x = np.array([2**53, 2**62, 2**63 - 1, 0, -(2**63)])
    y = np.array([2**53 + 1, 2**62 + 1, -(2**63), 1, -(2**63)])
    same_as_numpy(lambda a, b: jnp.isclose(a, b, 0.0, 0.0), lambda a, b: a == b, x, y)
    same_as_numpy(jnp.isclose, lambda *_: np.array([True, True, False, False, True]), x, y)
    same_as_numpy(lambda a, b: jnp.isclose(a, b, atol=1.0), np.equal, np.array([True, False]), np.array([True, False]))


def test_the_parts_of_complex_numbers_do_not_touch_each_other() -> None:
    parts = np.array([0.0, -0.0, 1.2, -2.5, np.inf, -np.inf, np.nan])
    real, imaginary = every_pair(parts)
    same_as_numpy(lambda a, b: jnp.real(lax.complex(a, b)), lambda a, b: a, real, imaginary)
    same_as_numpy(lambda a, b: jnp.imag(lax.complex(a, b)), lambda a, b: b, real, imaginary)
    same_as_numpy(lambda a, b: jnp.imag(jnp.round(lax.complex(a, b), 1)), lambda a, b: np.round(b, 1), real, imaginary)
    same_as_numpy(lambda a, b: jnp.real(jnp.rint(lax.complex(a, b))), lambda a, b: np.rint(a), real, imaginary)


def test_complex_functions_keep_their_digits_where_numpys_lose_them() -> None:
    z = np.array([1e-10, 1e-10j, -1e-12 + 1e-6j, -0.5 + 0.5j, 3 + 4j])
    want = [9.9999999995e-11, 5e-21 + 1e-10j, -5e-13 + 1e-6j, np.log(0.5 + 0.5j), np.log(4 + 4j)]
    np.testing.assert_allclose(jnp.log1p(jnp.array(z)), want, rtol=1e-11)
    overflown = np.asarray(jnp.expm1(jnp.array(np.array([800.0, 800 - 0j, 709.9 + 1j]))))
    np.testing.assert_array_equal(overflown.real[:2], np.inf)
    np.testing.assert_array_equal(overflown.imag[:2], 0.0)
    wanted = np.array([np.cos(1.0), np.sin(1.0)]) * np.exp(700.0) * np.exp(9.9)
    np.testing.assert_allclose([overflown[2].real, overflown[2].imag], wanted, rtol=1e-12)
    near = 1.9999999999998694
    for squared in (jnp.square, lax.square, lambda v: v**2):
        assert complex(squared(jnp.array(complex(near, near)))).real == 0.0


EXTREMES = {"maximum": np.logical_and, "fmax": np.logical_and, "minimum": np.logical_or, "fmin": np.logical_or}


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", EXTREMES)
def test_the_larger_of_two_zeros_is_the_one_without_a_sign(name: str, dtype: str) -> None:
    f, negative = getattr(jnp, name), EXTREMES[name]
    x, y = (v.ravel() for v in np.meshgrid(floats(dtype), floats(dtype)))
    for got in (f(x, y), jitgrad.jit(f)(x, y)):
        np.testing.assert_array_equal(got, getattr(np, name)(x, y))
        zeros = (x == 0) & (y == 0)
        np.testing.assert_array_equal(np.signbit(got[zeros]), negative(np.signbit(x), np.signbit(y))[zeros])
    zeros = np.array([0.0, -0.0], dtype)
    for number in (0.0, -0.0):  # a constant of the program, on either side
        for g in (lambda v: f(v, number), lambda v: f(number, v)):  # noqa: B023
            for got in (g(zeros), jitgrad.jit(g)(zeros)):
                np.testing.assert_array_equal(np.signbit(got), negative(np.signbit(zeros), np.signbit(number)))


@pytest.mark.parametrize("dtype", FLOATS)
def test_the_power_one_half_is_a_power_and_no_square_root(dtype: str) -> None:
    x = jnp.array([-jnp.inf, -0.0, 0.0, 4.0, jnp.inf], dtype)
    wanted = np.array([np.inf, 0.0, 0.0, 2.0, np.inf])
    for f in (
        lambda x: x**0.5,
        lambda x: jnp.power(x, 0.5),
        lambda x: jnp.power(x, jnp.full(5, 0.5, dtype)),
        lambda x: lax.pow(x, 0.5),
    ):
        for got in (f(x), jitgrad.jit(f)(x)):
            np.testing.assert_array_equal(got, wanted)
            assert not np.signbit(got).any()
    assert float(jnp.array(-jnp.inf, dtype) ** 0.5) == np.inf


def test_odd_functions_keep_the_sign_of_zero() -> None:
    for f in (jnp.sign, special.erfinv, lax.sign, lax.erf_inv):
        for g in (f, jitgrad.jit(f)):
            np.testing.assert_array_equal(np.signbit(g(jnp.array([0.0, -0.0]))), [False, True])


def test_i0_is_infinite_behind_its_range() -> None:
    for dtype in FLOATS:
        np.testing.assert_array_equal(jnp.i0(jnp.array([np.finfo(dtype).max, -np.finfo(dtype).max, np.inf], dtype)), np.inf)
