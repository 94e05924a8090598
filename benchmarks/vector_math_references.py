"""The functions of the vector math in wider types, to measure it by, and in mpmath, to measure those by."""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
from collections.abc import Callable
from typing import Any

import mpmath as mp
import numpy as np
import scipy.special

from jitgrad_compiler.ir.types import F32, F64
from jitgrad_compiler.targets.cpu.machine.native import compile_ir

FUNCTIONS = {
    "exp": 1, "exp2": 1, "expm1": 1, "logistic": 1, "log": 1, "log2": 1, "log10": 1, "log1p": 1, "sin": 1, "cos": 1, "tan": 1,
    "asin": 1, "acos": 1, "atan": 1, "sinh": 1, "cosh": 1, "tanh": 1, "asinh": 1, "acosh": 1, "atanh": 1, "erf": 1, "erfc": 1,
    "erf_inv": 1, "cbrt": 1, "rsqrt": 1, "pow": 2, "atan2": 2, "hypot": 2, "logaddexp": 2,
}  # fmt: skip
_EDGE_VALUES = [
    0.0,
    1.0,
    2.0,
    3.0,
    4.0,
    0.5,
    0.25,
    0.75,
    1.5,
    2.5,
    1 / 3,
    10.0,
    100.0,
    1e4,
    1e5,
    1e9,
    1e20,
    np.pi,
    np.pi / 2,
    np.e,
    np.inf,
]
_NUMPY = ["exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan", "sinh", "cosh", "tanh", "cbrt", "hypot"]
_NUMPY_NAMES = {name: name for name in _NUMPY} | {
    "asin": "arcsin", "acos": "arccos", "atan": "arctan", "asinh": "arcsinh", "acosh": "arccosh", "atanh": "arctanh",
    "pow": "power", "atan2": "arctan2",
}  # fmt: skip
Array = Any
_HALF_SQRT_PI = np.sqrt(4 * np.arctan(np.longdouble(1))) / 2


def _edges(real: Any) -> Array:
    info = np.finfo(real)
    values = np.array([*_EDGE_VALUES, info.max, info.tiny, info.smallest_subnormal, info.max / 2, info.eps], real)
    with np.errstate(all="ignore"):
        values = np.concatenate([values, np.nextafter(values, real(np.inf)), np.nextafter(values, real(0))])
    return np.concatenate([values, -values, [real(np.nan)]])


EDGES = {F32: _edges(np.float32), F64: _edges(np.float64)}


@functools.cache
def _c_library(name: str) -> Callable[[Array], Array]:
    """A function of long double of the C library over arrays (NumPy has the elementary ones alone, and ctypes rounds)."""
    text = f"""
    declare x86_fp80 @{name}(x86_fp80)
    define void @apply(ptr %x, ptr %out, i64 %n) {{
    entry:
      br label %body
    body:
      %i = phi i64 [ 0, %entry ], [ %next, %body ]
      %from = getelementptr x86_fp80, ptr %x, i64 %i
      %to = getelementptr x86_fp80, ptr %out, i64 %i
      %value = load x86_fp80, ptr %from
      %result = call x86_fp80 @{name}(x86_fp80 %value)
      store x86_fp80 %result, ptr %to
      %next = add i64 %i, 1
      %more = icmp slt i64 %next, %n
      br i1 %more, label %body, label %done
    done:
      ret void
    }}"""
    function = getattr(ctypes.CDLL(ctypes.util.find_library("m")), name)
    module = compile_ir(text, {name: ctypes.cast(function, ctypes.c_void_p).value or 0})
    native = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 3)(module.address("apply"))

    def call(x: Array) -> Array:
        assert module.exports  # and with it the code stays
        out = np.empty_like(x)
        native(x.ctypes.data, out.ctypes.data, x.size)
        return out

    return call


def _logistic(x: Array) -> Array:
    t = np.exp(-np.abs(x))
    return np.where(x < 0, t, 1) / (1 + t)


def _erf_inv(x: Array) -> Array:
    """A series for small x; elsewhere SciPy's result, in long double improved by a step of Newton's method, on erfc near 1."""
    wide, y = x.dtype.type, np.abs(x)
    result = y * (wide(_HALF_SQRT_PI) + y * y * wide(_HALF_SQRT_PI**3 / 3))
    result[~(y <= 1)] = np.nan  # which SciPy takes microseconds to say
    middle = (y >= 1e-6) & (y <= 1)
    y = y[middle]
    guess = scipy.special.erfinv(y.astype(np.float64)).astype(wide)
    if wide is np.longdouble:
        missing = np.where(y < 0.5, y - _c_library("erfl")(guess), _c_library("erfcl")(guess) - (1 - y))
        with np.errstate(all="ignore"):
            better = guess + missing * np.exp(guess * guess) * _HALF_SQRT_PI
        guess = np.where(np.isfinite(guess), better, guess)
    result[middle] = guess
    return np.copysign(result, x)


def _rsqrt(x: Array) -> Array:
    return 1 / np.sqrt(x)


def _logaddexp(x: Array, y: Array) -> Array:
    """NumPy's where nothing cancels; else with the parts that do in long double and, where that has too few digits, in mpmath."""
    wide, larger, smaller = x.dtype.type, np.maximum(x, y), np.minimum(x, y)
    result = np.logaddexp(x, y)
    near = np.flatnonzero(np.abs(result) < 0.25 * np.abs(larger))
    top, low = (a[near].astype(np.longdouble) for a in (larger, smaller))
    better = np.log1p(np.expm1(top) + np.exp(low))
    least = 2.0**-32 if wide is np.float64 else 0.25
    with mp.workdps(80):
        for i in np.flatnonzero(np.abs(better) < least * np.abs(top)):
            exact = _exact_logaddexp(mp.mpf(float(top[i])), mp.mpf(float(low[i])))
            better[i] = np.longdouble(float(exact)) + np.longdouble(float(exact - float(exact)))
    result[near] = better
    return result


def _exact_logaddexp(x: Any, y: Any) -> Any:
    larger, smaller = max(x, y), min(x, y)
    if larger < -1:
        return mp.log(mp.exp(x) + mp.exp(y))
    return mp.log1p(mp.expm1(larger) + mp.exp(smaller))


_FROM_NUMPY: dict[str, Callable[..., Array]] = {name: getattr(np, numpy_name) for name, numpy_name in _NUMPY_NAMES.items()}
REFERENCES: dict[str, dict[str, Callable[..., Array]]] = {
    F32: _FROM_NUMPY
    | {"logistic": scipy.special.expit, "erf": scipy.special.erf, "erfc": scipy.special.erfc, "rsqrt": _rsqrt, "erf_inv": _erf_inv,
       "logaddexp": _logaddexp},
    F64: _FROM_NUMPY
    | {"logistic": _logistic, "erf": _c_library("erfl"), "erfc": _c_library("erfcl"), "rsqrt": _rsqrt, "erf_inv": _erf_inv,
       "logaddexp": _logaddexp},
}  # fmt: skip


def _exact_erf_inv(x: Any) -> Any:
    """By Newton's method from SciPy's result."""
    if abs(x) >= 1:
        return mp.inf * mp.sign(x) if abs(x) == 1 else mp.nan
    if abs(x) < 1e-30:
        return x * mp.sqrt(mp.pi) / 2
    result = mp.mpf(float(scipy.special.erfinv(float(x))))
    for _ in range(3):
        result -= (mp.erf(result) - x) * mp.exp(result * result) * mp.sqrt(mp.pi) / 2
    return result


def _real_cbrt(x: Any) -> Any:
    return mp.sign(x) * mp.cbrt(abs(x))


_MPMATH: dict[str, Callable[..., Any]] = {
    "exp": mp.exp, "expm1": mp.expm1, "log": mp.log, "log1p": mp.log1p, "sin": mp.sin, "cos": mp.cos, "tan": mp.tan,
    "asin": mp.asin, "acos": mp.acos, "atan": mp.atan, "sinh": mp.sinh, "cosh": mp.cosh, "tanh": mp.tanh, "asinh": mp.asinh,
    "acosh": mp.acosh, "atanh": mp.atanh, "erf": mp.erf, "pow": mp.power, "atan2": mp.atan2, "hypot": mp.hypot,
    "erfc": lambda x: mp.erfc(x) if x < 100 else mp.mpf(0), "exp2": lambda x: mp.power(2, x),
    "logistic": lambda x: 1 / (1 + mp.exp(-x)), "log2": lambda x: mp.log(x, 2), "log10": lambda x: mp.log(x, 10),
    "erf_inv": _exact_erf_inv, "cbrt": _real_cbrt, "rsqrt": lambda x: 1 / mp.sqrt(x),
    "logaddexp": _exact_logaddexp,
}  # fmt: skip


def check_reference(name: str, type: str, operands: tuple[Array, ...]) -> float:
    """The reference's largest error against mpmath at the operands, in units of the last place of `type`.

    Where the exact value is not a normal number of the type, or the digits of mpmath do not reach, nothing is compared.
    """
    wide = np.float64 if type == F32 else np.longdouble
    fraction_bits, least = (23, -126) if type == F32 else (52, -1022)
    with np.errstate(all="ignore"):
        values = REFERENCES[type][name](*(x.astype(wide) for x in operands))
    worst = mp.mpf(0)
    with mp.workdps(60):
        for value, *arguments in zip(values, *operands, strict=True):
            if not np.isfinite(value) or abs(value) > np.finfo(operands[0].dtype).max or not all(map(np.isfinite, arguments)):
                continue
            exact = _MPMATH[name](*(mp.mpf(float(x)) for x in arguments))
            if not isinstance(exact, mp.mpf) or not mp.isfinite(exact) or abs(exact) < mp.mpf(2) ** least:
                continue
            unit = mp.mpf(2) ** (mp.floor(mp.log(abs(exact), 2)) - fraction_bits)
            fraction, exponent = np.frexp(value)
            high = float(fraction)
            value = mp.ldexp(mp.mpf(high) + mp.mpf(float(fraction - wide(high))), int(exponent))
            worst = max(worst, abs(value - exact) / unit)
    return float(worst)
