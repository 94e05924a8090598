"""Python functions of numbers as code inside kernels: what compiles, what it computes at every width, what is refused."""

from __future__ import annotations

import ctypes
import math
import subprocess
import sys
from collections.abc import Callable

import llvmlite.binding as llvm
import numpy as np
import pytest

from jitgrad_compiler.ir.types import BOOL, F32, F64, I32, I64, DType
from jitgrad_compiler.targets.cpu.machine.native import compile_ir
from jitgrad_compiler.targets.emitter import Emitter
from jitgrad_compiler.targets.llvm_text import Module
from jitgrad_compiler.targets.numba_scalar import ScalarFunctionError, call_scalar, link, scalar_function, scalar_name

SCALE = 3.0


def run(function: Callable[..., object], types: tuple[str, ...], result: str, *arrays: object, width: int = 4) -> np.ndarray:
    """The function as a kernel over arrays whose length is a multiple of `width`."""
    code = scalar_function(function, types, result)
    module = Module()
    e = Emitter(module, "kernel", [(f"x{i}", "ptr") for i in range(len(types))] + [("out", "ptr"), ("count", I64)])
    *inputs, output, count = e.args
    with e.loop(0, count, width) as i:
        loaded = [e.load(e.offset(x, i, t), t, width) for x, t in zip(inputs, types, strict=True)]
        e.store(e.offset(output, i, result), call_scalar(e, code, *loaded))
    e.finish()
    native = compile_ir(link(module.text(), module.linked))
    values = [np.ascontiguousarray(a, t.numpy) for a, t in zip(arrays, types, strict=True)]
    out = np.empty(len(values[0]), result.numpy)
    entry = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * (len(types) + 1), ctypes.c_int64)(native.address("kernel"))
    entry(*[v.ctypes.data for v in values], out.ctypes.data, len(out))
    return out


def square_plus(x: float, y: float) -> float:
    return x * x + y


def collatz_steps(n: int) -> int:
    steps = 0
    while n > 1:
        n = n // 2 if n % 2 == 0 else 3 * n + 1
        steps += 1
    return steps


def scaled(x: float) -> float:
    return SCALE * square_plus(x, 1.0)


@pytest.mark.parametrize("width", [1, 4, 16])
def test_every_lane_of_any_width_gets_the_function_s_value(width: int) -> None:
    x, y = np.arange(16) - 7.5, np.arange(16) ** 2.0
    np.testing.assert_array_equal(run(square_plus, (F64, F64), F64, x, y, width=width), x * x + y)


def test_loops_over_integers_run_lane_by_lane() -> None:
    n = np.arange(1, 33)
    assert run(collatz_steps, (I64,), I64, n).tolist() == [collatz_steps(int(k)) for k in n]


def test_functions_and_numbers_from_outside_are_compiled_in() -> None:
    assert run(scaled, (F64,), F64, [0, 1, 2, 3]).tolist() == [3, 6, 15, 30]


def test_functions_in_a_closure_are_compiled_in() -> None:
    def half(x: float) -> float:
        return x / 2

    assert run(lambda x: half(x) + half(1.0), (F64,), F64, [0, 1, 2, 3]).tolist() == [0.5, 1, 1.5, 2]


def test_bools_go_in_and_out() -> None:
    flags, x = [True, False, True, False], [1, 1, -1, -1]
    assert run(lambda flag, x: flag and x > 0, (BOOL, F32), BOOL, flags, x).tolist() == [True, False, False, False]


def test_division_by_zero_gives_infinity_and_nan() -> None:
    assert str(run(lambda x: x / (x * x * 0.0), (F64,), F64, [1, -1, 0, 2]).tolist()) == "[inf, -inf, nan, inf]"


def test_floor_of_huge_values_saturates() -> None:
    floors = run(lambda x: math.floor(x), (F64,), I64, [1e300, -1e300, math.nan, -1.5]).tolist()
    assert floors == [2**63 - 1, -(2**63), 0, -2]


def test_computed_in_float64_rounds_float32_once() -> None:
    code = scalar_function(lambda x: (x + 1) - x, (F32,), F32, computed_in=F64)
    assert "fpext float" in code.text
    assert "fptrunc double" in code.text


@pytest.mark.parametrize("type", [F32, F64])
def test_frexp_and_ldexp_are_exact_for_every_kind_of_float(type: DType) -> None:
    tiny = 2.0**-149 if type == F32 else 2.0**-1074
    big = 3.0e38 if type == F32 else 1.7e308
    x = np.array([0.0, -0.0, tiny, -5 * tiny, 1.0, -0.75, big, math.inf, -math.inf, 3.0, 1e-30, 8.0], type.numpy)
    mantissa, exponent = np.frexp(x)
    np.testing.assert_array_equal(run(lambda x: math.frexp(x)[0], (type,), type, x), mantissa)
    np.testing.assert_array_equal(run(lambda x: math.frexp(x)[1], (type,), I32, x), np.where(np.isfinite(x), exponent, 0))
    for power in (-2200, -1080, -1070, -160, -3, 0, 5, 1030, 2100, 2200):
        power_of_all = np.full(len(x), power)
        with np.errstate(all="ignore"):
            expected = np.ldexp(x, power)
        scaled = run(lambda x, n: math.ldexp(x, n), (type, I32), type, x, power_of_all)
        np.testing.assert_array_equal(scaled, expected)


@pytest.mark.parametrize("type", [F32, F64])
@pytest.mark.parametrize("name", ["exp", "log", "expm1", "log1p", "tanh", "erf", "sin", "cos", "tan", "atan", "sqrt", "fabs"])
def test_functions_of_math_are_our_vector_math(name: str, type: DType) -> None:
    scope: dict[str, Callable[..., object]] = {}
    exec(f"def function(x): return math.{name}(x)", {"math": math, "__name__": __name__}, scope)  # noqa: S102 - of the names above
    x = np.linspace(0.05, 3, 16).astype(type.numpy)
    computed = run(scope["function"], (type,), type, x)
    exact = [getattr(math, name)(float(v)) for v in x]
    np.testing.assert_allclose(computed, exact, rtol=4 * np.finfo(type.numpy).eps)


def test_powers_are_our_vector_math() -> None:
    x, y = [0.5, 2, 3, 7], [-1.5, 10, 0.25, 0]
    np.testing.assert_allclose(run(lambda x, y: x**y, (F64, F64), F64, x, y), np.power(x, y), rtol=1e-15)


@pytest.mark.parametrize("type", [F32, F64])
def test_hypot_neither_overflows_nor_loses_infinities(type: DType) -> None:
    big = 1e38 if type == F32 else 1e308
    x = np.array([3.0, 0.0, big, -1e-30, math.inf, math.nan, 1.0, math.nan], type.numpy)
    y = np.array([4.0, -0.0, big, 1e-30, math.nan, -math.inf, -math.inf, 1.0], type.numpy)
    computed = run(lambda x, y: math.hypot(x, y), (type, type), type, x, y)
    np.testing.assert_allclose(computed, np.hypot(x, y), rtol=2 * np.finfo(type.numpy).eps)


def test_the_text_names_no_target_no_host_feature_and_nothing_outside() -> None:
    text = scalar_function(lambda x: math.exp(x) + math.sqrt(x), (F64,), F64).text
    for word in ("target", "source_filename", "cpu", "Numba", "_ZN", "@exp(", "@sqrt("):
        assert word not in text
    module = llvm.parse_assembly(text)
    assert all(f.name.startswith("llvm.") for f in module.functions if f.is_declaration)


@pytest.mark.parametrize("triple", ["nvptx64-nvidia-cuda", "aarch64-unknown-linux-gnu"])
def test_the_text_compiles_for_other_targets(triple: str) -> None:
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    code = scalar_function(lambda x: math.frexp(x)[0] * math.exp(x), (F32,), F32)
    module = llvm.parse_assembly(code.text)
    module.get_function(code.name).linkage = "external"
    module.triple = triple
    machine = llvm.Target.from_triple(triple).create_target_machine(cpu="sm_80" if "nvptx" in triple else "")
    assert machine.emit_assembly(module)


_PRINT_CODE = """
import math
from jitgrad_compiler.ir.types import F64
from jitgrad_compiler.targets.numba_scalar import scalar_function
def helper(x): return x + 2.0
def function(x): return math.sqrt(helper(x)) if x in (1.0, 2.0) else -x
code = scalar_function(function, (F64,), F64)
print(code.name, code.text)
"""


def test_name_and_text_are_the_same_in_every_process() -> None:
    others = "def other(x):\n    return x + 1.0\nscalar_function(other, (F64,), F64)\n"
    before = _PRINT_CODE.replace("def helper", others + "def helper")
    first, second = (
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
        for program in (_PRINT_CODE, before)
    )
    assert first == second


def test_the_name_depends_on_code_types_and_captured_values() -> None:
    def made(captured: float) -> Callable[[float], float]:
        return lambda x: x + captured

    functions = [made(1.0), made(2.0), lambda x: x + 3.0]
    names = {scalar_name(f, t, F64) for f in functions for t in ((F32,), (F64,))}
    assert len(names) == 6
    assert scalar_name(made(1.0), (F32,), F64) in names


def test_two_functions_may_be_called_by_one_kernel() -> None:
    module = Module()
    e = Emitter(module, "kernel", [("x", F64)], "double")
    total = e.const(0.0, F64)
    for function in (scaled, lambda x: square_plus(x, 2.0)):
        total = e.add(total, call_scalar(e, scalar_function(function, (F64,), F64), e.args[0]))
    e.finish(total)
    native = compile_ir(link(module.text(), module.linked))
    assert native.exports == ("kernel",)
    assert ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)(native.address("kernel"))(2.0) == 15.0 + 6.0


def test_a_module_without_pieces_is_left_alone() -> None:
    assert link("; nothing", {}) == "; nothing"


def raising(x: float) -> float:
    if x < 0:
        raise ValueError("negative", 3)
    return x


def endless(x: float) -> float:
    return endless(x)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (raising, r"raising \(.*test_numba_scalar.py:\d+\) can raise ValueError\('negative', 3\) \(.*:\d+\)"),
        (lambda x: sum([x, x]), r"does not compile for f64 -> f64.*without lists"),
        (lambda x: x + "a", "does not compile"),
        (lambda x: np.zeros(3)[0] + x, "can raise|does not compile|needs"),
        (lambda x: math.gamma(x), "numba_gamma"),
        (endless, "calls itself"),
        (math.sin, "must be a plain Python function"),
        (lambda x: x + ARRAY[0], "refers to 'ARRAY', a ndarray"),
    ],
)
def test_what_cannot_run_inside_a_kernel_is_refused(function: Callable[..., object], message: str) -> None:
    with pytest.raises(ScalarFunctionError, match=message):
        scalar_function(function, (F64,), F64)


def test_arguments_of_other_types_are_refused() -> None:
    e = Emitter(Module(), "kernel", [("x", F32)])
    with pytest.raises(ScalarFunctionError, match="takes"):
        call_scalar(e, scalar_function(scaled, (F64,), F64), e.args[0])


ARRAY = np.zeros(3)


def test_an_error_keeps_no_module_of_llvms_that_the_collector_might_end_behind_its_context() -> None:
    def f(x: float) -> float:
        return math.lgamma(x)

    with pytest.raises(ScalarFunctionError, match="lgamma") as error:
        scalar_function(f, (F32,), F32)
    kept = [v for entry in error.traceback for v in entry.frame.f_locals.values() if isinstance(v, llvm.ModuleRef)]
    assert kept and all(module.closed for module in kept)
