"""Element types: what results when two meet, and of which type functions' results are, against jax's tables."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad.errors import DTypeError
from jitgrad_compiler.ir.types import DTYPES

PROMOTION = """
      bool    i8   i16   i32   i64    u8   u16   u32   u64   f32   f64   c64  c128  True     1   1.0    1j
 bool bool    i8   i16   i32   i64    u8   u16   u32   u64   f32   f64   c64  c128  bool   i64     F     C
   i8   i8    i8   i16   i32   i64   i16   i32   i64     F   f32   f64   c64  c128    i8    i8     F     C
  i16  i16   i16   i16   i32   i64   i16   i32   i64     F   f32   f64   c64  c128   i16   i16     F     C
  i32  i32   i32   i32   i32   i64   i32   i32   i64     F   f32   f64   c64  c128   i32   i32     F     C
  i64  i64   i64   i64   i64   i64   i64   i64   i64     F   f32   f64   c64  c128   i64   i64     F     C
   u8   u8   i16   i16   i32   i64    u8   u16   u32   u64   f32   f64   c64  c128    u8    u8     F     C
  u16  u16   i32   i32   i32   i64   u16   u16   u32   u64   f32   f64   c64  c128   u16   u16     F     C
  u32  u32   i64   i64   i64   i64   u32   u32   u32   u64   f32   f64   c64  c128   u32   u32     F     C
  u64  u64     F     F     F     F   u64   u64   u64   u64   f32   f64   c64  c128   u64   u64     F     C
  f32  f32   f32   f32   f32   f32   f32   f32   f32   f32   f32   f64   c64  c128   f32   f32   f32   c64
  f64  f64   f64   f64   f64   f64   f64   f64   f64   f64   f64   f64  c128  c128   f64   f64   f64  c128
  c64  c64   c64   c64   c64   c64   c64   c64   c64   c64   c64  c128   c64  c128   c64   c64   c64   c64
 c128 c128  c128  c128  c128  c128  c128  c128  c128  c128  c128  c128  c128  c128  c128  c128  c128  c128
"""
"""The type of a + b in jax with 64-bit types enabled. F and C are the default float and complex types."""

RESULTS = """
sin           f32   f32   f32   f32     F   f32   f32   f32     F   f32   f64   c64  c128
floor        bool    i8   i16   i32   i64    u8   u16   u32   u64   f32   f64     -     -
abs          bool    i8   i16   i32   i64    u8   u16   u32   u64   f32   f64   f32   f64
sum           i64   i64   i64   i64   i64   u64   u64   u64   u64   f32   f64   c64  c128
prod          i64   i64   i64   i64   i64   u64   u64   u64   u64   f32   f64   c64  c128
cumsum        i64    i8   i16   i32   i64    u8   u16   u32   u64   f32   f64   c64  c128
mean          f32   f32   f32   f32     F   f32   f32   f32     F   f32   f64   c64  c128
var           f32   f32   f32   f32     F   f32   f32   f32     F   f32   f64   f32   f64
max          bool    i8   i16   i32   i64    u8   u16   u32   u64   f32   f64     -     -
argmax        i64   i64   i64   i64   i64   i64   i64   i64   i64   i64   i64     -     -
divide        f32   f32   f32   f32     F   f32   f32   f32     F   f32   f64   c64  c128
square       bool    i8   i16   i32   i64    u8   u16   u32   u64   f32   f64   c64  c128
matmul       bool    i8   i16   i32   i64    u8   u16   u32   u64   f32   f64   c64  c128
sort         bool    i8   i16   i32   i64    u8   u16   u32   u64   f32   f64   c64  c128
median        f32   f32   f32   f32     F   f32   f32   f32     F   f32   f64     -     -
where         i64    i8   i16   i32   i64    u8   u16   u32   u64   f32   f64   c64  c128
linspace      f32   f32   f32   f32     F   f32   f32   f32     F   f32   f64   c64  c128
isnan        bool  bool  bool  bool  bool  bool  bool  bool  bool  bool  bool  bool  bool
rint            F     F     F     F     F     F     F     F     F   f32   f64   c64  c128
trace         i64   i64   i64   i64   i64   u64   u64   u64   u64   f32   f64   c64  c128
heaviside     f32   f32   f32   f32     F   f32   f32   f32     F   f32   f64     -     -
dot          bool    i8   i16   i32   i64    u8   u16   u32   u64   f32   f64   c64  c128
diff         bool    i8   i16   i32   i64    u8   u16   u32   u64   f32   f64   c64  c128
conj         bool    i8   i16   i32   i64    u8   u16   u32   u64   f32   f64   c64  c128
real         bool    i8   i16   i32   i64    u8   u16   u32   u64   f32   f64   f32   f64
angle           F     F     F     F     F     F     F     F     F   f32   f64   f32   f64
average       f32   f32   f32   f32     F   f32   f32   f32     F   f32   f64   c64  c128
interp        f32   f32   f32   f32     F   f32   f32   f32     F   f32   f64     -     -
nansum        i64   i64   i64   i64   i64   u64   u64   u64   u64   f32   f64   c64  c128
quantile      f32   f32   f32   f32     F   f32   f32   f32     F   f32   f64     -     -
trapezoid     f32   f32   f32   f32     F   f32   f32   f32     F   f32   f64   c64  c128
gradient      f32   f32   f32   f32     F   f32   f32   f32     F   f32   f64   c64  c128
cov           f32   f32   f32   f32     F   f32   f32   f32     F   f32   f64   c64  c128
convolve      f32   f32   f32   f32     F   f32   f32   f32     F   f32   f64   c64  c128
cumprod       i64    i8   i16   i32   i64    u8   u16   u32   u64   f32   f64   c64  c128
ptp             -    i8   i16   i32   i64    u8   u16   u32   u64   f32   f64     -     -
clip          i64    i8   i16   i32   i64    u8   u16   u32   u64   f32   f64     -     -
reciprocal    f32   f32   f32   f32     F   f32   f32   f32     F   f32   f64   c64  c128
nanmean       f32   f32   f32   f32     F   f32   f32   f32     F   f32   f64   c64  c128
std           f32   f32   f32   f32     F   f32   f32   f32     F   f32   f64   f32   f64
"""
"""The result type of each function for the element types in PROMOTION's order.

- stands where there is none, or none here (the maximum of complex numbers).
"""

HEADER, *ROWS = [line.split() for line in PROMOTION.strip().splitlines()]
PAIRS = [(row[0], column, wanted) for row in ROWS for column, wanted in zip(HEADER, row[1:], strict=True)]
TYPES = HEADER[:13]

CALLS: dict[str, Any] = dict(
    sin=jnp.sin, floor=jnp.floor, abs=jnp.abs, sum=jnp.sum, prod=jnp.prod, cumsum=jnp.cumsum, mean=jnp.mean,
    var=jnp.var, max=jnp.max, argmax=jnp.argmax, divide=lambda x: x / x, square=lambda x: x * x, matmul=lambda x: x @ x,
    sort=jnp.sort, median=jnp.median, where=lambda x: jnp.where(x == 0, x, 1), linspace=lambda x: jnp.linspace(x, x, 3),
    isnan=jnp.isnan, rint=jnp.rint, trace=lambda x: jnp.trace(x[None]), heaviside=lambda x: jnp.heaviside(x, x),
    dot=lambda x: jnp.dot(x, x), diff=jnp.diff, conj=jnp.conj, real=jnp.real, angle=jnp.angle, average=jnp.average,
    interp=lambda x: jnp.interp(x, x, x), nansum=jnp.nansum, quantile=lambda x: jnp.quantile(x, 0.5),
    trapezoid=jnp.trapezoid, gradient=jnp.gradient, cov=jnp.cov, convolve=lambda x: jnp.convolve(x, x),
    cumprod=jnp.cumprod, ptp=jnp.ptp, clip=lambda x: jnp.clip(x, 0, 1), reciprocal=jnp.reciprocal, nanmean=jnp.nanmean,
    std=jnp.std,
)  # fmt: skip


def named_type(name: str) -> np.dtype[Any]:
    return np.dtype({"F": "float32", "C": "complex64"}.get(name) or DTYPES[name].numpy)


def ones(dtype: str) -> jitgrad.Array:
    return jnp.ones(2, DTYPES[dtype].numpy)


@pytest.mark.parametrize("a, b, wanted", PAIRS)
def test_two_types_promote_as_in_jax(a: str, b: str, wanted: str) -> None:
    other: Any = ones(b) if b in DTYPES else eval(b)
    assert (ones(a) + other).dtype == named_type(wanted)
    assert (other + ones(a)).dtype == named_type(wanted)
    assert jnp.where(ones(a) == 1, ones(a), other).dtype == named_type(wanted)
    traced = jitgrad.eval_shape(lambda x: x + other, ones(a))
    assert traced.dtype == named_type(wanted)


@pytest.mark.parametrize("row", [line.split() for line in RESULTS.strip().splitlines()], ids=lambda row: row[0])
def test_results_have_the_types_that_jax_gives_them(row: list[str]) -> None:
    for dtype, wanted in zip(TYPES, row[1:], strict=True):
        if wanted != "-":
            assert CALLS[row[0]](ones(dtype)).dtype == named_type(wanted), dtype


@pytest.mark.parametrize("number, wanted", [(2, np.int64), (2.0, np.float32), (1j, np.complex64), (True, np.bool_)])
def test_a_python_number_alone_becomes_the_default_of_its_kind(number: Any, wanted: Any) -> None:
    for made in (jnp.array(number), jnp.asarray([number]), jnp.full(2, number)):
        assert made.dtype == wanted
        assert not made.weak_type


def test_numpy_double_scalars_adapt_as_python_floats_do() -> None:
    assert (jnp.ones(2) * np.float64(2)).dtype == np.float32
    assert (jnp.ones(2) * np.sqrt(2.0)).dtype == np.float32
    assert (jnp.ones(2) * np.array(2.0)).dtype == np.float64
    assert (jnp.ones(2, "int8") * np.int64(2)).dtype == np.int8
    assert (jnp.ones(2, "int8") * np.int16(2)).dtype == np.int16


def test_functions_of_python_numbers_stay_weak_and_keep_64_bits() -> None:
    value = jnp.sin(0.5) * 2
    assert value.weak_type
    assert value.dtype == np.float32
    assert (value * jnp.ones(1, "float64"))[0] == np.sin(0.5) * 2


def test_an_array_with_axes_is_never_weak() -> None:
    made = [jnp.where(jnp.array([True, False]), 1.0, 2), jnp.stack([1.0, 2.0]), jnp.full(2, 1.0), jnp.arange(2) * 1.5]
    assert not any(x.weak_type for x in made)
    assert [x.dtype for x in made] == [np.float32] * 4


def test_the_default_float_decides_the_type_of_integer_quotients() -> None:
    jitgrad.config.default_float = "float64"
    try:
        assert (jnp.arange(3) / 2).dtype == np.float64
        assert jnp.mean(jnp.arange(3)).dtype == np.float64
        assert jnp.array([1.0]).dtype == np.float64
        assert jnp.zeros(2).dtype == np.float64
    finally:
        jitgrad.config.default_float = "float32"


def test_a_number_that_the_array_type_cannot_hold_is_an_error() -> None:
    with pytest.raises(DTypeError, match="300 does not fit in int8"):
        jnp.ones(2, "int8") + 300


def test_float_arrays_and_integer_arrays_meet_in_the_float_type_whatever_the_width() -> None:
    assert (jnp.ones(2, "float32") * jnp.ones(2, "int64")).dtype == np.float32


def test_result_type_and_promote_types_follow_the_same_rules() -> None:
    assert jnp.result_type(jnp.ones(2, "int16"), 2.0) == np.float32
    assert jnp.result_type(float, "float64") == np.float64
    assert jnp.result_type(int, "int8") == np.int8
    assert jnp.promote_types("int32", "uint32") == np.int64
