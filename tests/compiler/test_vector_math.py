"""The vector math: within 2 ulp, right at the edges, and the same bits at every width and with any instructions."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from math import inf, log, nan, pi
from string import ascii_lowercase
from typing import Any

import mpmath as mp
import numpy as np
import pytest
import scipy.special

from jitgrad_compiler.ir import Graph, parse
from jitgrad_compiler.ir.types import F32, F64, I64, DType
from jitgrad_compiler.runtime.executable import Executable, compile_graph, run_graph
from jitgrad_compiler.targets.cpu.machine.native import compile_ir, host_features
from jitgrad_compiler.targets.emitter import Emitter
from jitgrad_compiler.targets.llvm_text import Module

ANY_MACHINE: frozenset[str] = frozenset()
REAL: dict[str, Any] = {F32: np.float32, F64: np.float64}
BITS: dict[str, Any] = {F32: np.uint32, F64: np.uint64}
VECTOR = {F32: 16, F64: 8}

ONE_ARGUMENT: dict[str, Callable[[Any], Any]] = {
    "exp": mp.exp, "exp2": lambda x: mp.power(2, x), "expm1": mp.expm1, "logistic": lambda x: 1 / (1 + mp.exp(-x)), "log": mp.log,
    "log2": lambda x: mp.log(x, 2), "log10": lambda x: mp.log(x, 10), "log1p": mp.log1p, "sin": mp.sin, "cos": mp.cos,
    "tan": mp.tan, "asin": mp.asin, "acos": mp.acos, "atan": mp.atan, "sinh": mp.sinh, "cosh": mp.cosh, "tanh": mp.tanh,
    "asinh": mp.asinh, "acosh": mp.acosh, "atanh": mp.atanh, "erf": mp.erf, "erfc": lambda x: mp.erfc(x) if x < 100 else mp.mpf(0),
    "cbrt": lambda x: mp.sign(x) * mp.cbrt(abs(x)), "rsqrt": lambda x: 1 / mp.sqrt(x),
}  # fmt: skip
TWO_ARGUMENTS: dict[str, Callable[[Any, Any], Any]] = {
    "pow": mp.power, "atan2": mp.atan2, "hypot": mp.hypot, "logaddexp": lambda x, y: mp.log(mp.exp(x) + mp.exp(y)),
}  # fmt: skip
ARITY = dict.fromkeys([*ONE_ARGUMENT, "erf_inv"], 1) | dict.fromkeys(TWO_ARGUMENTS, 2)

# function, argument, result; the same in both types. Signs of zeros count.
SPECIAL_VALUES = [
    ("exp", inf, inf), ("exp", -inf, 0.0), ("exp", 0.0, 1.0), ("exp", -0.0, 1.0), ("exp", 1e4, inf), ("exp", -1e4, 0.0),
    ("exp2", inf, inf), ("exp2", -inf, 0.0), ("exp2", 10.0, 1024.0), ("exp2", -126.0, 2.0**-126), ("exp2", 1e4, inf),
    ("expm1", inf, inf), ("expm1", -inf, -1.0), ("expm1", 0.0, 0.0), ("expm1", -0.0, -0.0), ("expm1", 1e4, inf),
    ("expm1", -1e4, -1.0), ("logistic", inf, 1.0), ("logistic", -inf, 0.0), ("logistic", 0.0, 0.5), ("logistic", -0.0, 0.5),
    ("log", 0.0, -inf), ("log", -0.0, -inf), ("log", 1.0, 0.0), ("log", inf, inf), ("log", -1.0, nan), ("log", -inf, nan),
    ("log2", 0.0, -inf), ("log2", -0.0, -inf), ("log2", 8.0, 3.0), ("log2", 2.0**-149, -149.0), ("log2", inf, inf),
    ("log2", -1.0, nan), ("log10", 0.0, -inf), ("log10", -0.0, -inf), ("log10", 1.0, 0.0), ("log10", inf, inf),
    ("log10", -1.0, nan), ("log1p", 0.0, 0.0), ("log1p", -0.0, -0.0), ("log1p", -1.0, -inf), ("log1p", inf, inf),
    ("log1p", -2.0, nan), ("log1p", -inf, nan), ("sin", 0.0, 0.0), ("sin", -0.0, -0.0), ("sin", inf, nan), ("sin", -inf, nan),
    ("cos", 0.0, 1.0), ("cos", -0.0, 1.0), ("cos", inf, nan), ("tan", 0.0, 0.0), ("tan", -0.0, -0.0), ("tan", inf, nan),
    ("asin", -0.0, -0.0), ("asin", 1.0, pi / 2), ("asin", -1.0, -pi / 2), ("asin", 1.5, nan), ("asin", inf, nan),
    ("acos", 1.0, 0.0), ("acos", -1.0, pi), ("acos", 0.0, pi / 2), ("acos", -0.0, pi / 2), ("acos", -1.5, nan),
    ("acos", inf, nan), ("atan", -0.0, -0.0), ("atan", inf, pi / 2), ("atan", -inf, -pi / 2), ("sinh", -0.0, -0.0),
    ("sinh", inf, inf), ("sinh", -inf, -inf), ("sinh", 1e4, inf), ("cosh", 0.0, 1.0), ("cosh", -inf, inf), ("tanh", -0.0, -0.0),
    ("tanh", inf, 1.0), ("tanh", -inf, -1.0), ("tanh", 50.0, 1.0), ("asinh", -0.0, -0.0), ("asinh", inf, inf),
    ("asinh", -inf, -inf), ("acosh", 1.0, 0.0), ("acosh", inf, inf), ("acosh", 0.5, nan), ("acosh", -3.0, nan),
    ("acosh", -inf, nan), ("atanh", -0.0, -0.0), ("atanh", 1.0, inf), ("atanh", -1.0, -inf), ("atanh", 1.5, nan),
    ("atanh", inf, nan), ("erf", -0.0, -0.0), ("erf", inf, 1.0), ("erf", -inf, -1.0), ("erf", 9.0, 1.0), ("erfc", 0.0, 1.0),
    ("erfc", inf, 0.0), ("erfc", -inf, 2.0), ("erfc", 30.0, 0.0), ("erf_inv", -0.0, -0.0), ("erf_inv", 1.0, inf),
    ("erf_inv", -1.0, -inf), ("erf_inv", 1.5, nan), ("erf_inv", -inf, nan), ("cbrt", -0.0, -0.0), ("cbrt", 27.0, 3.0),
    ("cbrt", -8.0, -2.0), ("cbrt", inf, inf), ("cbrt", -inf, -inf), ("rsqrt", 0.0, inf), ("rsqrt", -0.0, -inf),
    ("rsqrt", 4.0, 0.5), ("rsqrt", inf, 0.0), ("rsqrt", -1.0, nan), ("rsqrt", -inf, nan),
]  # fmt: skip

SPECIAL_PAIRS = [
    ("pow", 0.0, 3.0, 0.0), ("pow", -0.0, 3.0, -0.0), ("pow", -0.0, 2.0, 0.0), ("pow", 0.0, -3.0, inf),
    ("pow", -0.0, -3.0, -inf), ("pow", -0.0, -2.0, inf), ("pow", 0.0, -0.5, inf), ("pow", -0.0, 0.5, 0.0),
    ("pow", 0.0, inf, 0.0), ("pow", 0.0, -inf, inf), ("pow", -1.0, inf, 1.0), ("pow", -1.0, -inf, 1.0), ("pow", 1.0, nan, 1.0),
    ("pow", 1.0, inf, 1.0), ("pow", nan, 0.0, 1.0), ("pow", inf, 0.0, 1.0), ("pow", nan, -0.0, 1.0), ("pow", nan, 1.0, nan),
    ("pow", 2.0, nan, nan), ("pow", -2.0, 0.5, nan), ("pow", -2.0, 3.0, -8.0), ("pow", -2.0, 2.0, 4.0), ("pow", 0.5, inf, 0.0),
    ("pow", 0.5, -inf, inf), ("pow", 2.0, inf, inf), ("pow", 2.0, -inf, 0.0), ("pow", -2.0, inf, inf), ("pow", inf, 2.0, inf),
    ("pow", inf, -2.0, 0.0), ("pow", -inf, 3.0, -inf), ("pow", -inf, 2.0, inf), ("pow", -inf, 0.5, inf),
    ("pow", -inf, -3.0, -0.0), ("pow", -inf, -2.0, 0.0), ("pow", -inf, inf, inf), ("pow", 10.0, 2.0, 100.0),
    ("pow", 2.0, -149.0, 2.0**-149), ("pow", 10.0, 1e5, inf), ("pow", -10.0, 1e9, inf), ("pow", 10.0, -1e5, 0.0),
    ("atan2", 0.0, 0.0, 0.0), ("atan2", -0.0, 0.0, -0.0), ("atan2", 0.0, -0.0, pi), ("atan2", -0.0, -0.0, -pi),
    ("atan2", 0.0, -1.0, pi), ("atan2", -0.0, 1.0, -0.0), ("atan2", 1.0, 0.0, pi / 2), ("atan2", -1.0, -0.0, -pi / 2),
    ("atan2", 1.0, -inf, pi), ("atan2", -1.0, -inf, -pi), ("atan2", 1.0, inf, 0.0), ("atan2", -1.0, inf, -0.0),
    ("atan2", inf, 1.0, pi / 2), ("atan2", inf, inf, pi / 4), ("atan2", inf, -inf, 3 * pi / 4),
    ("atan2", -inf, -inf, -3 * pi / 4), ("atan2", nan, 1.0, nan), ("atan2", 1.0, nan, nan), ("atan2", 0.0, nan, nan),
    ("atan2", nan, inf, nan), ("hypot", 0.0, -0.0, 0.0), ("hypot", -3.0, 4.0, 5.0), ("hypot", inf, nan, inf),
    ("hypot", nan, -inf, inf), ("hypot", nan, 0.0, nan), ("hypot", 0.0, nan, nan), ("hypot", 1.0, nan, nan),
    ("hypot", 2.0**-149, 0.0, 2.0**-149), ("hypot", 1e30, 0.0, 1e30), ("logaddexp", -inf, -inf, -inf),
    ("logaddexp", inf, inf, inf), ("logaddexp", inf, -inf, inf), ("logaddexp", -inf, 2.0, 2.0), ("logaddexp", 1.0, inf, inf),
    ("logaddexp", nan, -inf, nan), ("logaddexp", inf, nan, nan), ("logaddexp", 0.0, 0.0, log(2)),
]  # fmt: skip


@cache
def compiled(name: str, type: DType, width: int, features: frozenset[str], lookups: bool = True) -> Callable[..., np.ndarray]:
    """The function over arrays, padded with ones to whole vectors."""
    module = Module(features, lookups=lookups)
    e = Emitter(module, "apply", [("x", "ptr"), ("y", "ptr"), ("out", "ptr"), ("n", I64)])
    with e.loop(0, e.args[3], width) as i:
        operands = [e.load(e.offset(pointer, i, type), type, width) for pointer in e.args[: ARITY[name]]]
        e.store(e.offset(e.args[2], i, type), getattr(e.vector_math, name)(*operands))
    e.finish()
    native = compile_ir(module.text())
    apply = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 4)(native.address("apply"))

    def call(*arguments: np.ndarray) -> np.ndarray:
        assert native.exports  # held here, so that the machine code stays
        size = arguments[0].size
        padded = [np.concatenate([x, np.ones(-size % width, REAL[type])]) for x in arguments]
        out = np.empty_like(padded[0])
        apply(padded[0].ctypes.data, padded[-1].ctypes.data, out.ctypes.data, out.size)
        return out[:size]

    return call


def vectors(name: str, type: DType) -> Callable[..., np.ndarray]:
    return compiled(name, type, VECTOR[type], host_features())


def random_points(type: DType, count: int) -> np.ndarray:
    """Half of them of all exponents, a quarter between 2**-12 and 2**7, a quarter between -2 and 2."""
    generator = np.random.default_rng(7)
    bits = generator.integers(0, np.iinfo(BITS[type]).max, count // 2, dtype=BITS[type], endpoint=True).view(REAL[type])
    powers = np.exp2(generator.uniform(-12, 7, count // 4)) * np.sign(generator.random(count // 4) - 0.5)
    return np.concatenate([bits, powers.astype(REAL[type]), generator.uniform(-2, 2, count // 4).astype(REAL[type])])


def cancelling_pairs(generator: np.random.Generator, type: DType, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Next to exp(x) + exp(y) = 1: x down to the denormals, near -log(2) and between; y the nearest float, and others beside it."""
    least = -126 if type == F32 else -1022
    powers = np.concatenate([generator.uniform(least - 8, -1, count // 4), generator.uniform(-12, -0.53, count // 2)])
    x = np.concatenate([-np.exp2(powers), generator.uniform(-0.7, -0.68, count // 4)]).astype(REAL[type])
    with mp.workdps(60):
        y = np.array([float(mp.log(-mp.expm1(mp.mpf(float(a))))) if a else -1.0 for a in x]).astype(REAL[type])
    away = np.where(generator.random(y.size) < 0.5, 0, np.exp2(generator.uniform(-24, -2, y.size)))
    y = (y * (1 + away * generator.choice([-1, 1], y.size))).astype(REAL[type])
    swapped = generator.random(y.size) < 0.5
    return np.where(swapped, y, x), np.where(swapped, x, y)


def random_pairs(name: str, type: DType, count: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(11)
    x, y = random_points(type, count), generator.permutation(random_points(type, count))
    near = generator.uniform(0.5, 3, count), generator.uniform(-40, 40, count)
    if name == "logaddexp":
        near = near[1] / 8, generator.permutation(near[1]) / 8
        on_curve = cancelling_pairs(generator, type, count)
        x, y = np.concatenate([x, on_curve[0]]), np.concatenate([y, on_curve[1]])
    first, second = (np.concatenate([a, b.astype(REAL[type])]) for a, b in zip((x, y), near, strict=True))
    return first, second


def ulp_error(result: np.floating[Any], exact: Any, type: DType) -> float:
    """The distance in units of the last place that the type has at the exact value; infinite where a special value is wrong."""
    fraction_bits, least = (23, -126) if type == F32 else (52, -1022)
    if not isinstance(exact, mp.mpf) or mp.isnan(exact):  # complex: outside of the domain
        return 0.0 if np.isnan(result) else inf
    magnitude = abs(exact)
    overflow = mp.mpf(2) ** (-least + 2) * (1 - mp.mpf(2) ** (-fraction_bits - 2))
    if abs(exact) >= overflow:
        return 0.0 if np.isinf(result) and np.sign(result) == mp.sign(exact) else inf
    if not np.isfinite(result):
        return inf
    exponent = max(mp.floor(mp.log(magnitude, 2)), least) if magnitude else least
    return float(abs(mp.mpf(float(result)) - exact) / mp.mpf(2) ** (exponent - fraction_bits))


def assert_same_bits(a: np.ndarray, b: np.ndarray, type: DType) -> None:
    """Equal bit for bit, but for the payload and sign of NaN."""
    differ = (a.view(BITS[type]) != b.view(BITS[type])) & ~(np.isnan(a) & np.isnan(b))
    assert not differ.any(), (a[differ][:5], b[differ][:5])


@pytest.mark.parametrize("width", ["scalar", "vector"])
@pytest.mark.parametrize("type", [F32, F64])
def test_special_values_of_one_argument_are_those_of_c99(type: DType, width: str) -> None:
    for name, x, expected in SPECIAL_VALUES:
        function = compiled(name, type, 1, ANY_MACHINE) if width == "scalar" else vectors(name, type)
        result, want = function(np.array([x], REAL[type]))[0], REAL[type](expected)
        assert np.array_equal(result, want, equal_nan=True) and (np.isnan(want) or np.signbit(result) == np.signbit(want)), (
            name,
            x,
            result,
        )


@pytest.mark.parametrize("width", ["scalar", "vector"])
@pytest.mark.parametrize("type", [F32, F64])
def test_special_values_of_two_arguments_are_those_of_c99_and_numpy(type: DType, width: str) -> None:
    for name, x, y, expected in SPECIAL_PAIRS:
        function = compiled(name, type, 1, ANY_MACHINE) if width == "scalar" else vectors(name, type)
        result, want = function(np.array([x], REAL[type]), np.array([y], REAL[type]))[0], REAL[type](expected)
        assert np.array_equal(result, want, equal_nan=True) and (np.isnan(want) or np.signbit(result) == np.signbit(want)), (
            name,
            x,
            y,
            result,
        )


@pytest.mark.parametrize("name", ARITY)
@pytest.mark.parametrize("type", [F32, F64])
def test_nan_gives_nan(name: str, type: DType) -> None:
    assert np.isnan(vectors(name, type)(*[np.full(16, nan, REAL[type])] * ARITY[name])).all()


@pytest.mark.parametrize("name", ONE_ARGUMENT)
@pytest.mark.parametrize("type", [F32, F64])
def test_functions_of_one_argument_are_within_two_ulp(name: str, type: DType) -> None:
    points = random_points(type, 400)
    points = points[np.isfinite(points)]
    with mp.workdps(50):
        for x, result in zip(points, vectors(name, type)(points), strict=True):
            if x == 0:
                continue
            assert ulp_error(result, ONE_ARGUMENT[name](mp.mpf(float(x))), type) <= 2, (name, float(x), float(result))


@pytest.mark.parametrize("type", [F32, F64])
def test_erf_inv_is_within_two_ulp(type: DType) -> None:
    generator = np.random.default_rng(3)
    points = np.concatenate(
        [generator.uniform(-1, 1, 200), 1 - np.exp2(generator.uniform(-50, -1, 100)), np.exp2(generator.uniform(-300, 0, 50))]
    )
    points = points.astype(REAL[type])
    points = points[(abs(points) < 1) & (points != 0)]
    with mp.workdps(60):
        for x, result in zip(points, vectors("erf_inv", type)(points), strict=True):
            exact, value = mp.mpf(float(scipy.special.erfinv(float(x)))), mp.mpf(float(x))
            for _ in range(3):
                exact -= (mp.erf(exact) - value) * mp.exp(exact * exact) * mp.sqrt(mp.pi) / 2
            assert ulp_error(result, exact, type) <= 2, (float(x), float(result))


@pytest.mark.parametrize("name", TWO_ARGUMENTS)
@pytest.mark.parametrize("type", [F32, F64])
def test_functions_of_two_arguments_are_within_two_ulp(name: str, type: DType) -> None:
    x, y = random_pairs(name, type, 400)
    finite = np.isfinite(x) & np.isfinite(y) & (x != 0) & (y != 0)
    if name == "logaddexp":  # mpmath's exp has no bound
        finite &= (abs(x) < 1e6) & (abs(y) < 1e6)
    if name == "pow":  # nor has its power; what overflows by far is a special value
        with np.errstate(all="ignore"):
            finite &= abs(y * np.log2(abs(x.astype(np.longdouble)))) < 2000
    x, y = x[finite], y[finite]
    with mp.workdps(60 if name != "logaddexp" else 400):  # the sum of a denormal and of what is almost 1, less 1
        for a, b, result in zip(x, y, vectors(name, type)(x, y), strict=True):
            exact = TWO_ARGUMENTS[name](mp.mpf(float(a)), mp.mpf(float(b)))
            assert ulp_error(result, exact, type) <= 2, (name, float(a), float(b), float(result))


@pytest.mark.parametrize("name", ARITY)
@pytest.mark.parametrize("type", [F32, F64])
def test_bits_are_the_same_at_every_width_and_with_any_instructions(name: str, type: DType) -> None:
    edges = np.array([0.0, -0.0, inf, -inf, nan, 1.0, -1.0, 0.5, 1e-45, -1e-45, 5e-324, 1e-310, 3e38, -3e38, 1e308], np.float64)
    with np.errstate(over="ignore", under="ignore"):
        points = np.concatenate([edges.astype(REAL[type]), random_points(type, 4000)])
    operands = [points, np.random.default_rng(5).permutation(points)][: ARITY[name]]
    if name == "logaddexp":
        operands = [
            np.concatenate(pair) for pair in zip(operands, cancelling_pairs(np.random.default_rng(6), type, 400), strict=True)
        ]
    scalar = compiled(name, type, 1, ANY_MACHINE)(*operands)
    full = VECTOR[type]
    assert_same_bits(compiled(name, type, full, ANY_MACHINE)(*operands), scalar, type)
    for width in (full // 2, full, 2 * full):
        assert_same_bits(compiled(name, type, width, host_features())(*operands), scalar, type)


@pytest.mark.parametrize("constant", [0.0, 1.5, inf, nan, -0.0, -0.25, -inf])
@pytest.mark.parametrize("type", [F32, F64])
def test_a_constant_operand_of_logaddexp_gives_the_bits_of_an_array(type: DType, constant: float) -> None:
    x = np.concatenate([random_points(type, 400), np.log(-np.expm1(-np.geomspace(1e-30, 0.6, 50))).astype(REAL[type])])
    width = VECTOR[type]
    module = Module(host_features())
    e = Emitter(module, "apply", [("x", "ptr"), ("out", "ptr"), ("n", I64)])
    with e.loop(0, e.args[2], width) as i:
        value = e.vector_math.logaddexp(e.const(constant, type), e.load(e.offset(e.args[0], i, type), type, width))
        e.store(e.offset(e.args[1], i, type), value)
    e.finish()
    native = compile_ir(module.text())
    padded, out = np.concatenate([x, np.ones(-x.size % width, REAL[type])]), np.empty(x.size + -x.size % width, REAL[type])
    ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 3)(native.address("apply"))(padded.ctypes.data, out.ctypes.data, out.size)
    assert_same_bits(out, vectors("logaddexp", type)(np.full_like(padded, constant), padded), type)


@pytest.mark.parametrize("type", [F32, F64])
def test_denormal_results_keep_their_digits(type: DType) -> None:
    x = np.array([-90.0, -100.0] if type == F32 else [-720.0, -740.0], REAL[type])
    result = vectors("exp", type)(x)
    assert (result > 0).all() and (result < np.finfo(REAL[type]).tiny).all()
    np.testing.assert_array_max_ulp(result, np.exp(x.astype(np.longdouble)).astype(REAL[type]), 1)


@pytest.mark.parametrize("name", ARITY)
def test_no_function_of_another_library_is_called(name: str) -> None:
    module = Module(host_features())
    e = Emitter(module, "f", [("x", F32), ("y", F32)], "float")
    e.finish(getattr(e.vector_math, name)(*e.args[: ARITY[name]]))
    assert all(declared.startswith("llvm.") for declared in module.declarations)
    assert compile_ir(module.text()).exports == ("f",)


def test_tanh_without_tables_is_as_accurate() -> None:
    """As GPUs compute it; every 37th float32 up to 11, where it is 1, and what is special."""
    tanh = compiled("tanh", F32, 16, frozenset(), lookups=False)
    x = np.arange(0, np.float32(11).view(np.uint32), 37, dtype=np.uint32).view(np.float32)
    want, got = np.tanh(x.astype(np.float64)), tanh(x)
    assert np.max(np.abs(got - want) / np.spacing(want.astype(np.float32))) <= 2 and got.max() == 1
    np.testing.assert_array_equal(tanh(-x), -got)
    special = np.array([np.inf, -np.inf, np.nan, -0.0, 1e30], np.float32)
    np.testing.assert_array_equal(tanh(special), np.tanh(special))
    assert np.signbit(tanh(special)[3])


@pytest.mark.parametrize("type", [F32, F64])
def test_tanh_and_erf_never_exceed_one(type: DType) -> None:
    x = np.linspace(0.0, 40.0, 100_000).astype(REAL[type])
    assert vectors("tanh", type)(x).max() == 1
    assert vectors("erf", type)(x).max() == 1


@pytest.mark.parametrize("name", ["sin", "exp", "logaddexp"])
@pytest.mark.parametrize("shape", [(), (37,)])
def test_a_function_that_is_called_gives_the_bits_of_one_that_is_written_out(name: str, shape: tuple[int, ...]) -> None:
    """Beyond some uses in a program a function is called; logaddexp's constants go into the function that is called."""

    type = f"f32[{','.join(map(str, shape))}]"
    second = " 0.0:f32" if name == "logaddexp" else ""

    def program(uses: int) -> Graph:
        """The function of the function of ..., every one of them an output."""
        names = ascii_lowercase[: uses + 1]
        lines = [f"  {after}:{type} = {name} {before}{second}" for before, after in pairwise(names)]
        return parse("\n".join([f"graph(a:{type}) {{", *lines, f"  return {' '.join(names[1:])}", "}"]))

    given = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    executable = compile_graph(program(20))
    assert isinstance(executable, Executable) and "@math_" in executable.program.ir
    for got in run_graph(program(20), [given]):
        (given,) = run_graph(program(1), [given])
        assert got.tobytes() == given.tobytes()
