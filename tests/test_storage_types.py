"""float16, bfloat16 and float8_e4m3fn: arrays hold them, float32 computes, and each op's result is rounded once."""

from __future__ import annotations

import pickle
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import jitgrad
import jitgrad.lax as lax
import jitgrad.numpy as jnp
from jitgrad.errors import DTypeError
from jitgrad_compiler.ir import interpret, parse
from jitgrad_compiler.ir.types import BF16, DTYPES, F8_E4M3, F16, F32, F64, I32, I64, U8, U32, DType
from jitgrad_compiler.runtime.executable import run_graph

from .compiler.agreement import assert_same

STORAGE = (BF16, F16, F8_E4M3)
HALVES = (jnp.bfloat16, jnp.float16)


def converted(x: np.ndarray, source: DType, target: DType) -> np.ndarray:
    """A compiled conversion, checked against the interpreter's."""
    n = len(x)
    graph = parse(f"graph(a:{source}[{n}]) {{\n  b:{target}[{n}] = convert_element_type a [dtype='{target}']\n  return b\n}}")
    (got,), (want,) = run_graph(graph, [x]), interpret(graph, x)
    assert_same(got, want, context=f"{source} as {target}")
    return got


def every(dtype: DType) -> np.ndarray:
    return np.arange(1 << dtype.bits).astype(f"u{dtype.nbytes}").view(dtype.numpy)


def around(dtype: DType) -> np.ndarray:
    """Every number of a type, the middle between each and the next, and the float64 on both sides of that."""
    with np.errstate(invalid="ignore"):
        numbers = every(dtype).astype(np.float64)
    numbers = np.sort(numbers[np.isfinite(numbers)])
    middle = (numbers[1:] + numbers[:-1]) / 2
    return np.concatenate([numbers, middle, np.nextafter(middle, np.inf), np.nextafter(middle, -np.inf)])


@pytest.mark.parametrize("dtype", STORAGE)
def test_every_number_is_read_exactly(dtype: DType) -> None:
    with np.errstate(invalid="ignore"):
        exact = every(dtype).astype(np.float32)
        wide = exact.astype(np.float64)
    np.testing.assert_array_equal(converted(every(dtype), dtype, F32), exact)
    np.testing.assert_array_equal(converted(every(dtype), dtype, F64), wide)
    converted(every(dtype), dtype, I32)
    for other in STORAGE:
        converted(every(dtype), dtype, other)


@pytest.mark.parametrize("dtype", STORAGE)
def test_numbers_are_rounded_once_to_the_nearest_of_two_to_the_even_one(dtype: DType) -> None:
    x = around(dtype)
    numbers = np.unique(every(dtype)[np.isfinite(every(dtype).astype(np.float32))].astype(np.float64) + 0.0)
    at = np.clip(np.searchsorted(numbers, x), 1, len(numbers) - 1)
    below, above = numbers[at - 1], numbers[at]
    even = np.array(below, dtype.numpy).view(f"u{dtype.nbytes}") % 2 == 0
    nearer = np.where((x - below < above - x) | ((x - below == above - x) & even), below, above)
    np.testing.assert_array_equal(converted(x, F64, dtype).astype(np.float64), nearer)
    single = x.astype(np.float32)
    assert_same(converted(single, F32, dtype), single.astype(dtype.numpy))


@pytest.mark.parametrize("dtype", STORAGE)
def test_integers_that_float32_does_not_hold_are_rounded_once(dtype: DType) -> None:
    """By integers: GPU programs of narrow types have no float64 (assembled.py looks at it)."""
    ends = [2**n for n in range(23, 32)]
    middles = [n + n // 2**d for n in ends for d in range(2, 13)]
    for source, numbers in (I32, [*(-n for n in ends), *(-n for n in middles), *ends[:-1], *middles]), (U32, [*ends, *middles]):
        wide = np.array([n + m for n in numbers for m in (-257, -256, -129, -128, -1, 0, 1, 128, 129, 256, 257)])
        x = np.unique(wide[(wide >= np.iinfo(source.numpy).min) & (wide <= np.iinfo(source.numpy).max)])
        got = converted(x.astype(source.numpy), source, dtype)
        assert_same(got, converted(x.astype(np.float64), F64, dtype))


@pytest.mark.parametrize("dtype", STORAGE)
def test_integers_infinities_and_nan_convert(dtype: DType) -> None:
    converted(np.arange(-3000, 3000, dtype=np.int32), I32, dtype)
    converted(np.arange(2**40, 2**40 + 999) * 4097, I64, dtype)
    converted(np.arange(256, dtype=np.uint8), U8, dtype)
    ends = np.array([np.inf, -np.inf, np.nan, 3.4e38, -3.4e38, 1e-45, -0.0], np.float32)
    with np.errstate(over="ignore"):
        assert_same(converted(ends, F32, dtype), ends.astype(dtype.numpy))


TYPES = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint32", "float16", "bfloat16", "float32", "float64", "complex64",
         "complex128")  # fmt: skip
PROMOTED = {  # jax.numpy.promote_types of jax 0.10, in the order of TYPES
    "float16": ("float16",) * 8 + ("float32", "float32", "float64", "complex64", "complex128"),
    "bfloat16": ("bfloat16",) * 7 + ("float32", "bfloat16", "float32", "float64", "complex64", "complex128"),
}


@pytest.mark.parametrize("dtype", PROMOTED)
def test_types_promote_as_in_jax(dtype: str) -> None:
    for other, wanted in zip(TYPES, PROMOTED[dtype], strict=True):
        assert str(jnp.promote_types(dtype, other)) == str(jnp.promote_types(other, dtype)) == wanted
        assert str((jnp.ones(2, dtype) * jnp.ones(2, other)).dtype) == wanted


@pytest.mark.parametrize("dtype", [*HALVES, jnp.float8_e4m3fn])
def test_numbers_of_python_and_integers_take_the_type_of_the_array(dtype: Any) -> None:
    x = jnp.ones(3, dtype)
    for y in (x + 1, 2.5 * x, x / np.float64(3), x + jnp.arange(3), x**2, x**0.5, jnp.where(x > 0, x, 0), jnp.maximum(x, 0.0)):
        assert y.dtype == x.dtype == dtype.dtype
    assert (x + 1j).dtype == np.complex64


def test_a_float8_and_another_float_have_no_type_in_common() -> None:
    with pytest.raises(DTypeError, match="float8_e4m3fn and float32 have no element type in common"):
        jnp.ones(2, jnp.float8_e4m3fn) + jnp.ones(2, jnp.float32)


def program(x: Any) -> Any:
    y = jnp.tanh(x) * 1.7 + jnp.sin(x) / (1 + x * x)
    return jnp.sort(y), jnp.cumsum(y), y.sum(), jnp.argmax(y), y @ y, jnp.exp(y)[::-1], y.reshape(2, -1).max(0), x.at[3].add(y[0])


@pytest.mark.parametrize("dtype", [*HALVES, jnp.float8_e4m3fn])
def test_eager_and_compiled_results_are_equal(dtype: Any) -> None:
    x = jnp.asarray(np.random.default_rng(0).standard_normal(64), dtype)
    for got, want in zip(jitgrad.jit(program)(x), program(x), strict=True):
        assert_same(got, want, ulps=1 if got.dtype == x.dtype else 0)
    for f in (lambda x: jnp.sum(program(x)[5]), lambda x: jnp.sum(jnp.log1p(x * x) * x)):
        assert_same(jitgrad.jit(jitgrad.grad(f))(x), jitgrad.grad(f)(x), ulps=1)


def test_a_chain_of_ops_is_rounded_behind_each() -> None:
    bf16 = ml_dtypes.bfloat16
    x = np.random.default_rng(1).standard_normal(1000).astype(bf16)
    squares = (x.astype(np.float32) ** 2).astype(bf16).astype(np.float32)
    wanted = ((squares + np.float32(1)).astype(bf16).astype(np.float32) * np.float32(3)).astype(bf16)
    for f in (lambda x: (x * x + 1) * 3, jitgrad.jit(lambda x: (x * x + 1) * 3)):
        np.testing.assert_array_equal(np.asarray(f(jnp.asarray(x))), wanted)


@pytest.mark.parametrize("dtype", [*HALVES, jnp.float8_e4m3fn])
@pytest.mark.parametrize("rows", [3, 700])
def test_what_moves_and_exact_ops_hand_on_is_what_was_rounded(dtype: Any, rows: int) -> None:
    """Values of few rows are kept as float32, those of many as they are."""
    x = jnp.asarray(np.random.default_rng(5).standard_normal((rows, 320)), dtype)

    def f(x: Any) -> Any:
        y = x * 1.3 + 0.7
        y = jnp.where(y > x, y, -jnp.abs(y)).T[::-1]
        z = jnp.concatenate([jnp.maximum(y, 0.3), jnp.floor(y * 4), jnp.pad(y, 1)[1:-1, 1:-1]])
        return z, z * x[2, :1], jnp.max(z, axis=0) + y, lax.cummax(y * y), jnp.sign(z[:, :200]) @ jnp.sign(z[:40, :200] - 0.1).T

    for got, want in zip(jitgrad.jit(f)(x), f(x), strict=True):
        assert got.dtype == want.dtype
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("dtype", HALVES)
def test_a_nan_stays_one_whatever_its_bits(dtype: Any) -> None:
    infinity = int(dtype.dtype.type(np.inf).view(np.uint16))
    bits = np.arange(infinity + 1, 1 << 15, dtype=np.uint16)
    x = jnp.asarray(np.concatenate([bits, bits | 1 << 15]).view(dtype.dtype))
    singles = np.array([0x7F800001, 0x7FBFFFFF, 0x7FFFFFFF, 0x7FFF8000, 0xFF800001, 0xFFFFFFFF] * 9, np.uint32).view(np.float32)

    def chain(x: Any) -> Any:
        one = x.dtype.type(1)
        some = [x + one, one - x, x * x, one / x, -x, (x + one) * x - one]
        return [*some, jnp.exp(x) * one, jnp.sqrt(x) + x, jnp.maximum(x, one) / x]

    assert all(jnp.isnan(y).all() for y in jitgrad.jit(chain)(x))
    for f in (lambda x: chain(x.astype(dtype)), lambda x: [y.astype(dtype) for y in chain(x)]):
        assert all(jnp.isnan(y).all() and y.dtype == dtype.dtype for y in jitgrad.jit(f)(jnp.asarray(singles)))


@pytest.mark.parametrize("dtype", HALVES)
def test_sums_and_contractions_are_made_in_float32_and_rounded_at_the_end(dtype: Any) -> None:
    ones = jnp.ones(5000, dtype)
    for total in (ones.sum(), jitgrad.jit(jnp.sum)(ones), ones @ ones, jitgrad.jit(jnp.dot)(ones, ones)):
        assert total == dtype(5000)
    rng = np.random.default_rng(2)
    a, b = (jnp.asarray(rng.standard_normal(s), dtype) for s in ((40, 300), (300, 50)))
    exact = (np.asarray(a).astype(np.float64) @ np.asarray(b).astype(np.float64)).astype(np.float32).astype(dtype.dtype)
    for product in (a @ b, jitgrad.jit(jnp.matmul)(a, b)):
        assert_same(product, exact, ulps=1)


@pytest.mark.parametrize("shape", [(40,), (70000,), (6, 33), (60, 33), (100, 6), (20, 5), (3, 40, 17)], ids=str)
@pytest.mark.parametrize("function", [lax.cumsum, lax.cumprod, lax.cummax, lax.cummin], ids=lambda f: f.__name__)
def test_running_values_are_float32_and_rounded_where_they_are_written(function: Any, shape: tuple[int, ...]) -> None:
    numbers = np.random.default_rng(6).standard_normal(shape) * 0.3
    for dtype in (*HALVES, jnp.float8_e4m3fn):
        x = jnp.asarray(numbers, dtype)
        for axis in range(len(shape)):
            got = jitgrad.jit(lambda x, axis=axis, dtype=dtype: function(x, axis, reverse=axis == 0))(x)
            wide = jitgrad.jit(lambda x, axis=axis: function(x.astype("float32"), axis, reverse=axis == 0))(x)
            assert got.dtype == dtype.dtype
            assert_same(got, wide.astype(dtype))


def test_means_and_variances_do_not_overflow_between() -> None:
    x = jnp.full(1000, 300.0, jnp.float16)
    for f in (jnp.mean, lambda x: jnp.mean(x * 200)):
        assert f(x) == f(x[:1]) == jitgrad.jit(f)(x)
    assert jnp.var(jnp.array([0.0, 400.0] * 500, jnp.float16)) == 40000


@pytest.mark.parametrize("dtype", HALVES)
def test_loops_and_branches_carry_them(dtype: Any) -> None:
    x = jnp.arange(6.0).astype(dtype)
    total, products = lax.scan(lambda c, a: (c + a, c * a), dtype(0), x)
    again, same = jitgrad.jit(lambda x: lax.scan(lambda c, a: (c + a, c * a), dtype(0), x))(x)
    assert total == again == 15 and products.dtype == dtype.dtype
    np.testing.assert_array_equal(products, same)
    assert jitgrad.jit(lambda x: lax.while_loop(lambda c: c < 100, lambda c: c * 2, x))(dtype(3)) == 192
    np.testing.assert_array_equal(jitgrad.jit(lambda x: lax.cond(x[0] > 0, lambda x: x + 1, lambda x: x * 2, x))(x), 2 * x)
    np.testing.assert_array_equal(jitgrad.vmap(lambda a: jnp.dot(a, a))(x.reshape(2, 3)), jnp.array([5, 50], dtype))
    slope = jitgrad.grad(lambda w: lax.scan(lambda c, a: (c * w + a, None), dtype(0), x)[0])(dtype(0.5))
    assert slope.dtype == dtype.dtype and slope == 9


def test_random_numbers_are_jax_s() -> None:
    key = jitgrad.random.key(0)
    uniform = {"bfloat16": [0.6484375, 0.5703125, 0.15625], "float16": [0.310546875, 0.212890625, 0.0546875]}
    normal = {"bfloat16": [0.38671875, 0.1826171875, -1.0], "float16": [-0.49365234375, -0.79541015625, -1.5986328125]}
    for dtype in ("bfloat16", "float16"):
        assert jitgrad.random.uniform(key, (3,), dtype).tolist() == uniform[dtype]
        assert jitgrad.random.normal(key, (3,), dtype).tolist() == normal[dtype]


@pytest.mark.parametrize("dtype", [*HALVES, jnp.float8_e4m3fn])
def test_they_are_types_converters_and_arrays_of_numpy(dtype: Any) -> None:
    x = dtype([1.5, 2.0, -3.0])
    assert x.dtype == dtype == dtype.dtype and x.tolist() == [1.5, 2.0, -3.0] and float(x[0]) == 1.5 and x.itemsize == x.nbytes // 3
    assert np.asarray(x).dtype == dtype.dtype and jnp.asarray(np.asarray(x)).dtype == dtype.dtype
    assert str(dtype.dtype) in repr(x) and pickle.loads(pickle.dumps(x)).dtype == dtype.dtype
    assert jnp.issubdtype(x.dtype, jnp.floating) and not jnp.issubdtype(x.dtype, jnp.integer)
    assert jnp.isdtype(dtype, "real floating") and jnp.zeros(2, str(dtype.dtype)).dtype == dtype.dtype
    info = jnp.finfo(dtype)
    assert (
        info.bits == 8 * x.itemsize and dtype(1) + dtype(float(info.eps)) > 1 and float(dtype(float(info.max))) == float(info.max)
    )
    assert jnp.nextafter(dtype(1), dtype(2)) == 1 + float(info.eps)
    assert jnp.ldexp(*jnp.frexp(x)).tolist() == x.tolist()


@pytest.mark.parametrize("dtype", STORAGE)
def test_graphs_of_them_read_back(dtype: DType) -> None:
    graph = jitgrad.make_graph(lambda x: jnp.where(x > 0.5, x * 2.5, jnp.inf).astype("float32"))(jnp.ones(3, dtype.numpy))
    assert f"a:{dtype}[3]" in str(graph) and f"2.5:{dtype}" in str(graph)
    assert parse(str(graph)) == graph
    assert pickle.loads(pickle.dumps(dtype)) is dtype is DTYPES[str(dtype)]


@pytest.mark.parametrize("dtype", HALVES)
def test_a_network_learns(dtype: Any) -> None:
    rng = np.random.default_rng(3)
    weights = [jnp.asarray(rng.standard_normal(s) * 0.3, dtype) for s in ((8, 32), (32, 1))]
    x = jnp.asarray(rng.standard_normal((64, 8)), dtype)
    y = jnp.sin(x[:, :1])

    def loss(weights: Any) -> Any:
        return jnp.mean((jnp.tanh(x @ weights[0]) @ weights[1] - y) ** 2)

    @jitgrad.jit
    def step(weights: Any) -> Any:
        value, slopes = jitgrad.value_and_grad(loss)(weights)
        return value, [w - 0.1 * g for w, g in zip(weights, slopes, strict=True)]

    first, weights = step(weights)
    for _ in range(60):
        value, weights = step(weights)
    assert value.dtype == weights[0].dtype == dtype.dtype and float(value) < 0.3 * float(first)
