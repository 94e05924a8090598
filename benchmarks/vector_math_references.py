"""The functions of the vector math in wider types, to measure it by, and in mpmath, to measure those by."""

from __future__ import annotations

import ctypes
import ctypes.util
from collections.abc import Callable
from typing import Any

import mpmath as mp
import numpy as np
import scipy.special

FUNCTIONS = {
    "exp": 1, "exp2": 1, "expm1": 1, "logistic": 1, "log": 1, "log2": 1, "log10": 1, "log1p": 1, "sin": 1, "cos": 1, "tan": 1,
    "asin": 1, "acos": 1, "atan": 1, "sinh": 1, "cosh": 1, "tanh": 1, "asinh": 1, "acosh": 1, "atanh": 1, "erf": 1, "erfc": 1,
    "erf_inv": 1, "cbrt": 1, "rsqrt": 1, "pow": 2, "atan2": 2, "hypot": 2, "logaddexp": 2,
}  # fmt: skip
_EDGE_VALUES = [0.0, 1.0, 2.0, 3.0, 4.0, 0.5, 0.25, 0.75, 1.5, 2.5, 1 / 3, 10.0, 100.0, 1e4, 1e5, 1e9, 1e20, np.pi, np.pi / 2, np.e, np.inf]
_NUMPY = ["exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan", "sinh", "cosh", "tanh", "cbrt", "hypot"]
_NUMPY_NAMES = {name: name for name in _NUMPY} | {
    "asin": "arcsin", "acos": "arccos", "atan": "arctan", "asinh": "arcsinh", "acosh": "arccosh", "atanh": "arctanh",
    "pow": "power", "atan2": "arctan2", "logaddexp": "logaddexp",
}  # fmt: skip
Array = Any


def _edges(real: Any) -> Array:
    info = np.finfo(real)
    values = np.array([*_EDGE_VALUES, info.max, info.tiny, info.smallest_subnormal, info.max / 2, info.eps], real)
    with np.errstate(all="ignore"):
        values = np.concatenate([values, np.nextafter(values, real(np.inf)), np.nextafter(values, real(0))])
    return np.concatenate([values, -values, [real(np.nan)]])


EDGES = {"f32": _edges(np.float32), "f64": _edges(np.float64)}


def _c_library(name: str) -> Callable[[Array], Array]:
    """A function of long double, element by element."""
    function = getattr(ctypes.CDLL(ctypes.util.find_library("m")), name)
    function.restype, function.argtypes = ctypes.c_longdouble, [ctypes.c_longdouble]
    # ctypes hands long doubles over as Python floats, so the argument must be one and the result loses its last 11 bits.
    return np.frompyfunc(function, 1, 1)


def logistic(x: Array) -> Array:
    t = np.exp(-np.abs(x))
    return np.where(x < 0, t, 1) / (1 + t)


def erf_inv_of_double(x: Array) -> Array:
    """SciPy's result, improved by one step of Newton's method in the wide type."""
    raise NotImplementedError
