"""The gamma family against mpmath, as Python code and as compiled kernels, and at every special value."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable, Sequence
from typing import Any

import mpmath as mp
import numpy as np
import pytest

from jitgrad_compiler.ir.types import F32, F64, I64, DType
from jitgrad_compiler.ops.gamma_functions import digamma, lgamma, polygamma, zeta
from jitgrad_compiler.targets.cpu.machine.native import compile_ir
from jitgrad_compiler.targets.emitter import Emitter
from jitgrad_compiler.targets.llvm_text import Module
from jitgrad_compiler.targets.numba_scalar import call_scalar, link, scalar_function

ZERO_TOLERANCE = {F32: 1e-6, F64: 1e-15}
INF, NAN = math.inf, math.nan


def compiled(function: Callable[..., float], type: DType, *arrays: Sequence[float]) -> list[float]:
    code = scalar_function(function, (type,) * len(arrays), type, computed_in=F64)
    module = Module()
    e = Emitter(module, "kernel", [(f"x{i}", "ptr") for i in range(len(arrays))] + [("out", "ptr"), ("count", I64)])
    *inputs, output, count = e.args
    with e.loop(0, count) as i:
        e.store(e.offset(output, i, type), call_scalar(e, code, *[e.load(e.offset(x, i, type), type) for x in inputs]))
    e.finish()
    native = compile_ir(link(module.text(), module.linked))
    values = [np.asarray(a, type.numpy) for a in arrays]
    out = np.empty(len(values[0]), type.numpy)
    entry = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * (len(arrays) + 1), ctypes.c_int64)(native.address("kernel"))
    entry(*[v.ctypes.data for v in values], out.ctypes.data, len(out))
    return out.tolist()  # type: ignore[no-any-return]


def exact_lgamma(x: float) -> Any:
    exact = mp.mpf(x)
    if abs(exact) < 100:
        return mp.log(abs(mp.gamma(exact)))
    if exact > 0:
        return mp.loggamma(exact)
    return mp.log(mp.pi / abs(exact * mp.sinpi(exact))) - mp.loggamma(-exact)


def exact_digamma(x: float) -> Any:
    exact = mp.mpf(x)
    return mp.digamma(exact) if exact > 0 else mp.digamma(1 - exact) - mp.pi * mp.cospi(exact) / mp.sinpi(exact)


def points(type: DType) -> list[float]:
    """All exponents, the region of zeros and poles, and close to the poles."""
    random = np.random.default_rng(3)
    low, high, last = (-149, 128, 22.9) if type == F32 else (-1074, 1024, 51.9)
    whole = random.integers(1, 12, 300)
    near = -whole + random.choice([-1, 1], 300) * 10 ** random.uniform(-6 if type == F32 else -15, -0.3, 300)
    parts = [2 ** random.uniform(low, high, 300), -(2 ** random.uniform(-60, last, 300)), random.uniform(0, 40, 300)]
    values = np.concatenate([*parts, random.uniform(-12, 0, 300), near]).astype(type.numpy).astype(float)
    return [x for x in values.tolist() if x > 0 or x != math.floor(x)]


@pytest.mark.parametrize("type", [F32, F64])
@pytest.mark.parametrize(("function", "exact"), [(lgamma, exact_lgamma), (digamma, exact_digamma)])
def test_lgamma_and_digamma_are_within_4_ulp_or_the_tolerance_at_a_zero(
    function: Callable[[float], float], exact: Callable[[float], Any], type: DType
) -> None:
    least = 2.0**-149 if type == F32 else 2.0**-1074
    x = points(type)
    with mp.workdps(60):
        for point, value in zip(x, compiled(function, type, x), strict=True):
            reference = exact(point)
            with np.errstate(over="ignore"):
                rounded = type.numpy.type(float(reference))
            if np.isinf(rounded):
                assert value == rounded, point
                continue
            ulp = max(float(np.spacing(abs(rounded))), least)
            assert abs(mp.mpf(value) - reference) <= max(4 * ulp, ZERO_TOLERANCE[type] if abs(rounded) < 1 else 0), point


@pytest.mark.parametrize(("function", "x", "expected"), [
    (lgamma, [0.0, -0.0, -1.0, -2.0, -10.0, -1e17, -INF, INF, NAN], [INF] * 8 + [NAN]),
    (lgamma, [1.0, 2.0, 1e308, 3e305, 5e-324, -5e-324], [0.0, 0.0, INF, INF, 744.4400719213812, 744.4400719213812]),
    (digamma, [0.0, -0.0, -1.0, -7.0, -1e17, -INF, INF, NAN], [-INF, INF, NAN, NAN, NAN, NAN, INF, NAN]),
    (digamma, [5e-324, -5e-324, 1e308], [-INF, INF, 709.1962086421661]),
])  # fmt: skip
def test_special_values_are_the_same_in_python_and_in_kernels(
    function: Callable[[float], float], x: list[float], expected: list[float]
) -> None:
    for values in ([function(v) for v in x], compiled(function, F64, x)):
        np.testing.assert_array_equal(values, expected)
        assert np.signbit(values).tolist() == np.signbit(expected).tolist()


def test_python_and_compiled_code_agree() -> None:
    x = points(F64)
    for function in (lgamma, digamma):
        np.testing.assert_allclose(compiled(function, F64, x), [function(v) for v in x], rtol=1e-15, atol=1e-15)


@pytest.mark.parametrize("s", [1.01, 2.0, 3.5, 17.0, 60.0])
def test_zeta_is_hurwitz_s_sum(s: float) -> None:
    q = [1e-3, 0.2, 1.0, 3.3, 12.0, 400.0]
    with mp.workdps(150):
        exact = [float(mp.zeta(mp.mpf(s), mp.mpf(v))) for v in q]
    np.testing.assert_allclose([zeta(s, v) for v in q], exact, rtol=2e-14)
    np.testing.assert_allclose(compiled(zeta, F64, [s] * len(q), q), exact, rtol=2e-14)


@pytest.mark.parametrize("n", [1, 2, 3, 8])
def test_polygamma_is_the_derivative_of_digamma_on_both_half_lines(n: int) -> None:
    x = [0.3, 1.0, 4.5, 30.0, 2000.0, -0.3, -1.6, -7.25]
    with mp.workdps(60):
        exact = [float(mp.polygamma(n, mp.mpf(v))) for v in x]
    np.testing.assert_allclose([polygamma(n, v) for v in x], exact, rtol=2e-13)
    np.testing.assert_allclose(compiled(polygamma, F64, [n] * len(x), x), exact, rtol=2e-13)


def test_polygamma_of_order_zero_is_digamma() -> None:
    assert [polygamma(0.0, x) for x in (0.5, 3.0, -1.5)] == [digamma(x) for x in (0.5, 3.0, -1.5)]


@pytest.mark.parametrize(("n", "x"), [(100, 1e3), (170, 80.0), (200, 70.0), (300, 100.0)])
def test_polygamma_stays_in_range_where_factorial_or_sum_do_not(n: int, x: float) -> None:
    with mp.workdps(400):
        exact = float((-1) ** (n + 1) * mp.factorial(n) * mp.zeta(n + 1, mp.mpf(x)))
    assert polygamma(float(n), x) == pytest.approx(exact, rel=1e-11)


@pytest.mark.parametrize(("s", "q", "expected"), [
    (1.0, 2.0, INF), (0.5, 2.0, NAN), (2.0, 0.0, INF), (2.0, -3.0, INF), (2.5, -0.5, NAN), (2.0, INF, 0.0),
    (2.0, 1e300, 1e-300), (INF, 2.0, 0.0), (INF, 1.0, 1.0), (INF, 0.5, INF), (2.0, 1e-300, INF), (NAN, 1.0, NAN), (2.0, NAN, NAN),
])  # fmt: skip
def test_zeta_at_the_edges_of_its_domain(s: float, q: float, expected: float) -> None:
    np.testing.assert_array_equal(zeta(s, q), expected)


@pytest.mark.parametrize(("n", "x", "expected"), [
    (1.0, 0.0, INF), (2.0, 0.0, -INF), (1.0, -2.0, INF), (1.0, INF, 0.0), (1.5, 1.0, NAN), (-1.0, 1.0, NAN), (1.0, NAN, NAN),
    (1.0, 1e300, 1e-300), (200.0, 1.0, -INF), (NAN, 1.0, NAN),
])  # fmt: skip
def test_polygamma_at_the_edges_of_its_domain(n: float, x: float, expected: float) -> None:
    np.testing.assert_array_equal(polygamma(n, x), expected)
