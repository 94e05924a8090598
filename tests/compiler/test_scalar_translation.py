"""The language of scalar functions: a translation computes what Python does, and what is outside is Numba's."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable

import numpy as np
import pytest

from jitgrad_compiler.ir import OPS
from jitgrad_compiler.ir.types import F64
from jitgrad_compiler.targets.cpu.machine.native import compile_ir
from jitgrad_compiler.targets.llvm_text import Module
from jitgrad_compiler.targets.numba_scalar import scalar_function
from jitgrad_compiler.targets.scalar_translation import Untranslatable, translate

COEFFICIENTS = (0.5, -1.25, 3.0)
MORE = (2.0, 4.0, -1.0)
HALF = 0.5


def pair(x: float) -> tuple[float, float]:
    return x + 1.0, x - 1.0


def branches(x: float, y: float) -> float:
    if x > y and y > 0.0 or not x > -2.0:
        return x
    elif x == y:
        return -y
    else:
        x += 1
    return x * y if -1.0 <= x < 1.0 else x / y


def counted(x: float, y: float) -> float:
    total, n = 0.0, 0
    for i in range(7):
        if i == 2:
            continue
        total += i * x
        n += 1
        if total > 4.0:
            break
    for i in range(5, -1, -2):
        total -= i
    for i in range(2, 4):
        total += i / 4
    while n > 0:
        n -= 1
        total = total * 0.5 + y
    return total + n


def tables(x: float, y: float) -> float:
    total = 0.0
    for c in COEFFICIENTS:
        total = total * x + c
    for k, c in enumerate(COEFFICIENTS):
        total += c * k
    for c, d in zip(COEFFICIENTS, MORE, strict=True):
        total -= c / d
    return total + HALF * y


def pairs(x: float, y: float) -> float:
    a, b = pair(x) if x < y else (y, 1)
    a, b = b, a
    return a - 2.0 * b + pair(y)[1]


def library(x: float, y: float) -> float:
    m, k = math.frexp(x)
    whole = math.floor(x) + math.ceil(y) + int(x) + (k & 3)
    among = max(x, 0.25, y) - min(y, 3.0, x, m)
    return among + max(min(x, y), abs(m)) + math.ldexp(y, k) + float(whole) + math.copysign(math.pi, y) + math.exp(-abs(x))


@pytest.mark.parametrize("function", [branches, counted, tables, pairs, library])
def test_a_translation_computes_what_python_does(function: Callable[[float, float], float]) -> None:
    module = Module()
    symbol, type = translate(function, module, 2)
    assert type == F64
    native = compile_ir(module.text().replace(f"define internal double @{symbol}(", "define double @entry("))
    entry = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double, ctypes.c_double)(native.address("entry"))
    for x in (-2.5, -1.0, -0.0, 0.25, 1.0, 3.5):
        for y in (-1.5, 0.25, 1.0, 2.5):
            np.testing.assert_allclose(entry(x, y), function(x, y), rtol=4e-16, err_msg=f"{x} {y}")


@pytest.mark.parametrize("name", [name for name, op in OPS.items() if op.traits.scalar is not None])
def test_the_functions_of_ops_are_in_the_language(name: str) -> None:
    function = OPS[name].traits.scalar
    translate(function, Module(), function.__code__.co_argcount)


def two_types(x: float) -> float:
    n = 0
    n = n + x
    return n


@pytest.mark.parametrize(("function", "what"), [
    (lambda x: x**2, "the operator Pow"),
    (lambda x: x if x else 1.0, "a number as a condition"),
    (lambda x: x if x in (1.0, 2.0) else 0.0, "a comparison of this kind"),
    (lambda x: round(x), "a call of round"),
    (lambda x: math.gamma(x), "gamma is not among"),
    (lambda x: pair(x), "several values"),
    (two_types, "puts f64 where i64 was"),
])  # fmt: skip
def test_what_is_outside_the_language_is_said(function: Callable[[float], float], what: str) -> None:
    with pytest.raises(Untranslatable, match=what):
        translate(function, Module(), 1)


def test_numba_compiles_what_is_outside_the_language() -> None:
    assert "double" in scalar_function(lambda x: x**2 if x else 1.0, (F64,), F64).text
