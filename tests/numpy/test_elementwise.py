"""Functions of one array, against NumPy."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp

CASES = [
    "exp(x)",
    "exp2(x)",
    "expm1(x)",
    "log(p)",
    "log2(p)",
    "log10(p)",
    "log1p(p)",
    "sin(x)",
    "cos(x)",
    "tan(x)",
    "arcsin(p)",
    "arccos(p)",
    "arctan(x)",
    "sinh(x)",
    "cosh(x)",
    "tanh(x)",
    "arcsinh(x)",
    "arccosh(p + 1)",
    "arctanh(p)",
    "sqrt(p)",
    "cbrt(x)",
    "exp(c)",
    "log(c)",
    "sin(c)",
    "tanh(c)",
    "sqrt(c)",
    "deg2rad(x)",
    "rad2deg(x)",
    "radians(x)",
    "degrees(x)",
    "sinc(x)",
    "sinc(array([0.0, 1e-9, 0.01, 0.02, 0.5, 3.0]))",
    "i0(w)",
    "i0(array([0.0, 1.0, 14.9, 15.1, 80.0, -20.0]))",
    "reciprocal(x)",
    "fabs(x)",
    "fabs(i) :: fabs(i)",
    "floor(x * 3)",
    "ceil(x * 3)",
    "trunc(x * 3)",
    "fix(x * 3)",
    "rint(x * 3)",
    "rint(c * 3)",
    "round(x * 3)",
    "round(x, 2)",
    "round(i * 10, -1)",
    "round(c, 1)",
    "around(x, 1)",
    "negative(x)",
    "positive(x)",
    "absolute(x)",
    "absolute(c)",
    "absolute(i)",
    "absolute(b)",
    "abs(x)",
    "sign(x)",
    "sign(c)",
    "sign(i)",
    "square(x)",
    "square(i)",
    "conj(c)",
    "conjugate(c)",
    "real(c)",
    "imag(c)",
    "imag(x)",
    "real(x)",
    "angle(c)",
    "angle(x)",
    "angle(c, deg=True)",
    "isnan(n)",
    "isnan(i)",
    "isfinite(n)",
    "isinf(n)",
    "isinf(c / 0) :: isinf(c / 0)",
    "isposinf(n)",
    "isneginf(-n)",
    "iscomplex(c)",
    "isreal(c)",
    "isreal(x)",
    "signbit(x)",
    "signbit(i)",
]


@pytest.mark.parametrize("case", CASES)
def test_elementwise_agrees_with_numpy_eagerly_traced_and_batched(case: str, agrees: Callable[..., None]) -> None:
    agrees(case)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "int64", "uint64"])
def test_integers_round_to_tens_exactly_and_stay_in_their_type(dtype: str) -> None:
    ends = np.iinfo(dtype)
    random = np.random.default_rng(0).integers(ends.min, ends.max, 60, dtype=dtype, endpoint=True)
    x = np.array([ends.min, ends.max, 0, 5, 15, 25, 50, 127, *(v for v in (-15, -25) if ends.min), *random.tolist()], dtype)
    for decimals in (-1, -2, -5, -19, -20, -40):
        factor = 10**-decimals
        nearest = [round(Fraction(int(v), factor)) * factor for v in x]
        wanted = np.array([min(max(v, int(ends.min)), int(ends.max)) for v in nearest], dtype)
        for run in (lambda f: f, jitgrad.jit):
            found = run(lambda x: jnp.round(x, decimals))(jnp.array(x))  # noqa: B023
            assert found.dtype == dtype
            np.testing.assert_array_equal(found, wanted)
