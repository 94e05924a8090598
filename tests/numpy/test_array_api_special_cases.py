"""Every special case of the Array API standard's elementwise functions, eagerly and in a program, in both precisions."""

from __future__ import annotations

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp

from . import array_api_special_cases as cases

RUNS = pytest.mark.parametrize("run", [lambda f: f, jitgrad.jit], ids=["eager", "jit"])
FLOATS = pytest.mark.parametrize("dtype", ["float32", "float64"])
TOLERANCE = {"float32": 1e-6, "float64": 1e-14, "complex64": 1e-6, "complex128": 1e-14}


@RUNS
@FLOATS
@pytest.mark.parametrize("name", cases.REAL)
def test_functions_of_a_real_number(name, dtype, run):
    x = np.array(cases.REAL_NUMBERS, dtype)
    got = np.asarray(run(getattr(jnp, name))(jnp.array(x))).tolist()
    for number, result in zip(x.tolist(), got, strict=True):
        for wanted in cases.real_cases(cases.REAL[name], number):
            assert cases.fits(result, wanted, TOLERANCE[dtype]), f"{name}({number}) is {result}, not {wanted}"


@RUNS
@FLOATS
@pytest.mark.parametrize("name", cases.REAL_PAIRS)
def test_functions_of_two_real_numbers(name, dtype, run):
    x, y = np.array(cases.pairs(cases.REAL_NUMBERS), dtype).T
    got = np.asarray(run(getattr(jnp, name))(jnp.array(x), jnp.array(y))).tolist()
    for a, b, result in zip(x.tolist(), y.tolist(), got, strict=True):
        for wanted in cases.real_cases(cases.REAL_PAIRS[name], a, b):
            assert cases.fits(result, wanted, TOLERANCE[dtype]), f"{name}({a}, {b}) is {result}, not {wanted}"


@RUNS
@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
@pytest.mark.parametrize("name", [*cases.COMPLEX, *cases.TURNED])
def test_functions_of_a_complex_number(name, dtype, run):
    x = np.array([complex(a, b) for a, b in cases.pairs(cases.COMPONENTS)], dtype)
    got = np.asarray(run(getattr(jnp, name))(jnp.array(x))).tolist()
    wrong = []
    for number, result in zip(x.tolist(), got, strict=True):
        for wanted in cases.complex_case(name, number.real, number.imag):
            parts = zip((result.real, result.imag), wanted, strict=True)
            if not all([cases.fits(part, want, TOLERANCE[dtype]) for part, want in parts]):
                wrong.append(f"{name}({number}) is {result}, not {wanted}")
    assert not wrong, "\n".join(wrong)
