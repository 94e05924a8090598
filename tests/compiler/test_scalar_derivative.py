"""Derivatives by source: against mpmath on formulas made at random, of higher order, and what is refused, with its line."""

from __future__ import annotations

import ast
import inspect
import math
from collections.abc import Callable
from typing import Any

import mpmath as mp
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from jitgrad_compiler.ir.types import F64
from jitgrad_compiler.ops.scalar_derivative import PARTIALS, ScalarDerivativeError, differentiate_scalar
from jitgrad_compiler.targets.numba_scalar import scalar_function

SCALE = 3


def function_of(body: str, arguments: str = "x, y") -> Callable[..., float]:
    """A function with these lines, as if read from a file."""
    source = f"def f({arguments}):\n" + "".join(f"    {line}\n" for line in body.splitlines())
    scope: dict[str, Any] = {}
    exec(source, {"math": math}, scope)  # noqa: S102 - of formulas made here
    scope["f"].source = source
    return scope["f"]  # type: ignore[no-any-return]


HIGH = {"exp": mp.exp, "sin": mp.sin, "cos": mp.cos, "tanh": mp.tanh, "atan": mp.atan, "log1p": mp.log1p, "sqrt": mp.sqrt,
        "sinh": mp.sinh, "erf": mp.erf, "atan2": mp.atan2, "hypot": mp.hypot, "asinh": mp.asinh}  # fmt: skip


def in_mpmath(body: str) -> Callable[..., Any]:
    """The same formula in mpmath's numbers."""
    scope: dict[str, Any] = {}
    high = type("math", (), {name: staticmethod(function) for name, function in HIGH.items()})
    source = "def f(x, y):\n" + "".join(f"    {line}\n" for line in body.splitlines())
    exec(source, {"math": high}, scope)  # noqa: S102 - of formulas made here
    return scope["f"]  # type: ignore[no-any-return]


def combine(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Larger expressions of smaller ones, tame enough to stay in range."""
    one = st.sampled_from(["math.sin({})", "math.cos({})", "math.tanh({})", "math.atan({})", "math.exp(math.sin({}))",
                           "math.erf({})", "math.asinh({})", "-({})", "math.sqrt(1 + ({})**2)", "({})**3", "1 / (2 + math.cos({}))",
                           "(2 + math.sin({}))**y"])  # fmt: skip
    two = st.sampled_from(["({}) + ({})", "({}) - ({})", "({}) * ({})", "({}) / (1.5 + math.tanh({}))",
                           "math.atan2({}, 3 + math.sin({}))",
                           "(({}) if x > y else ({}))", "math.hypot(2, {}) * ({})"])  # fmt: skip
    return st.one_of(st.builds(str.format, one, parts), st.builds(str.format, two, parts, parts))


EXPRESSIONS = st.recursive(st.sampled_from(["x", "y", "2", "0.5", "x * y"]), combine, max_leaves=6)
NUMBERS = st.floats(-2, 2).map(lambda x: round(x, 3))


@settings(max_examples=60)
@given(first=EXPRESSIONS, second=EXPRESSIONS, x=NUMBERS, y=NUMBERS)
def test_partials_of_any_formula_are_those_of_mpmath(first: str, second: str, x: float, y: float) -> None:
    assume(abs(x - y) > 1e-2)  # a conditional expression has no derivative at its switch
    body = f"t = {first}\nt += {second}\nreturn t * math.sin(t) + t"
    high = in_mpmath(body)
    with mp.workdps(40):
        expected = [mp.diff(high, (x, y), order) for order in ((1, 0), (0, 1))]
    computed = [partial(x, y) for partial in differentiate_scalar(function_of(body))]
    for value, exact in zip(computed, expected, strict=True):
        assume(abs(exact) < 1e8)
        assert value == pytest.approx(float(exact), rel=1e-6, abs=1e-8)


ARGUMENTS = {"acosh": (1.7,), "atan2": (0.4, -0.7), "hypot": (0.4, -0.7), "copysign": (0.4, -0.7), "pow": (0.4, -0.7)}


@pytest.mark.parametrize("name", PARTIALS)
def test_each_function_s_partials_are_its_difference_quotients(name: str) -> None:
    point = ARGUMENTS.get(name, (0.37,))
    arguments = "x, y"[: 1 if len(point) == 1 else None]
    text = name if name in ("abs", "float") else f"math.{name}"
    function = function_of(f"return {text}({arguments})", arguments)
    for index, partial in enumerate(differentiate_scalar(function)):
        step = np.eye(len(point))[index] * 1e-6
        quotient = (function(*(point + step)) - function(*(point - step))) / 2e-6
        assert partial(*point) == pytest.approx(quotient, rel=1e-7, abs=1e-9)


def test_partials_can_be_differentiated_again_and_again() -> None:
    derivative = function_of("return math.exp(2 * x) + x**4", "x")
    for order in range(1, 5):
        (derivative,) = differentiate_scalar(derivative)
        assert derivative(0.3) == pytest.approx(2**order * math.exp(0.6) + math.perm(4, order) * 0.3 ** (4 - order))


def test_mixed_partials_are_symmetric() -> None:
    by_x, by_y = differentiate_scalar(function_of("t = x**y / (1 + x * y)\nreturn t * math.tanh(t)"))
    by_x_by_y, by_y_by_x = differentiate_scalar(by_x)[1], differentiate_scalar(by_y)[0]
    assert by_x_by_y(1.3, 0.7) == pytest.approx(by_y_by_x(1.3, 0.7), rel=1e-12)


def test_the_source_is_readable_python() -> None:
    by_x, by_y = differentiate_scalar(function_of("return x * math.sin(y)"))
    assert by_x.source == "def f_by_x(x, y):\n    v1 = math.sin(y)\n    return v1\n"  # type: ignore[attr-defined]
    assert by_y.source == "def f_by_y(x, y):\n    d_v1 = math.cos(y)\n    return x * d_v1\n"  # type: ignore[attr-defined]
    assert inspect.getsource(by_y) == by_y.source  # type: ignore[attr-defined]


def test_numbers_from_outside_are_taken_as_constants() -> None:
    factor = np.float64(2.5)

    def f(x: float) -> float:
        """A documented function."""
        scaled: float = factor * SCALE * math.pi * x
        return scaled - math.inf * 0 if x > 1e9 else scaled

    (derivative,) = differentiate_scalar(f)
    assert derivative(0.1) == 2.5 * 3 * math.pi
    assert "factor" not in ast.unparse(ast.parse(derivative.source))  # type: ignore[attr-defined]


def test_lambdas_on_one_line_are_told_apart() -> None:
    first, second = (lambda x: x**2), (lambda x: x**3)
    assert [differentiate_scalar(f)[0](2.0) for f in (first, second)] == [4.0, 12.0]


def test_a_branch_that_is_not_taken_is_not_computed() -> None:
    (derivative,) = differentiate_scalar(function_of("return math.log(x) if x > 0 else 0.0", "x"))
    assert (derivative(2.0), derivative(-1.0)) == (0.5, 0.0)


def test_powers_have_finite_partials_at_zero() -> None:
    by_x, by_y = differentiate_scalar(function_of("return x**y"))
    assert (by_x(0.0, 2.0), by_y(0.0, 2.0), by_x(0.0, 0.0)) == (0.0, 0.0, 0.0)


def test_an_argument_that_is_not_used_has_a_zero_partial() -> None:
    assert differentiate_scalar(function_of("return x"))[1](1.0, 2.0) == 0.0


def test_partials_compile_into_kernels() -> None:
    by_x, _ = differentiate_scalar(function_of("t = x * x\nreturn y * t if t > 1 else t"))
    assert "fmul" in scalar_function(by_x, (F64, F64), F64).text


def loop(x: float) -> float:
    for _ in range(3):
        x = x * x
    return x


def branch(x: float) -> float:
    if x > 0:
        x = -x
    return x


def unknown_call(x: float) -> float:
    return loop(x) + 1


def array_code(x: float) -> float:
    return float(np.sin(x))


def indexing(x: Any) -> float:
    return x[0]  # type: ignore[no-any-return]


def early(x: float) -> float:
    return x
    x = x + 1  # type: ignore[unreachable]
    return x


def with_default(x: float, y: float = 1.0) -> float:
    return x * y


def two_targets(x: float) -> float:
    a = b = x
    return a + b


def base(x: float) -> float:
    return math.log(x, 2)  # noqa: FURB163 - two arguments are the point


def outside(x: float) -> float:
    return x * ARRAY  # type: ignore[return-value]


@pytest.mark.parametrize(("function", "construct", "line"), [
    (loop, "a for loop", 1), (branch, "an if statement", 1), (unknown_call, "a call of loop", 1),
    (array_code, "a call of np.sin", 1), (indexing, "indexing", 1), (early, "a return before its end", 1),
    (with_default, "arguments that are not", 0),
    (two_targets, "not one name", 1), (base, "a call of log with other than 1", 1), (outside, "ARRAY, which is no number", 1),
])  # fmt: skip
def test_what_is_no_formula_is_refused_with_its_line(function: Callable[..., float], construct: str, line: int) -> None:
    place = f"test_scalar_derivative.py:{function.__code__.co_firstlineno + line}"
    with pytest.raises(ScalarDerivativeError, match=f"{construct}.*{place}.*partials="):
        differentiate_scalar(function)


def test_a_function_without_source_is_refused() -> None:
    with pytest.raises(ValueError, match="partials="):
        differentiate_scalar(math.sin)
    with pytest.raises(ValueError, match="partials="):
        differentiate_scalar(eval("lambda x: x"))


ARRAY = np.zeros(3)
