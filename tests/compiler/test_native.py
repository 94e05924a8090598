"""Machine code from LLVM text: it computes what the text says, links what it is given, and goes when nobody holds it."""

from __future__ import annotations

import ctypes
import gc
import os
import pathlib
import subprocess
import sys

import llvmlite.binding as llvm
import numpy as np
import pytest

from jitgrad_compiler.ir.types import F32, I64
from jitgrad_compiler.runtime import pool
from jitgrad_compiler.runtime.driver import symbols
from jitgrad_compiler.targets.cpu.machine.driver import OBJECTS
from jitgrad_compiler.targets.cpu.machine.native import (
    LinkError,
    NativeModule,
    Source,
    compile_ir,
    compile_sources,
    fingerprint,
    load_object,
)  # fmt: skip
from jitgrad_compiler.targets.emitter import Emitter
from jitgrad_compiler.targets.llvm_text import Module

CALL_BACK = """
declare i64 @given(i64)
define i64 @twice_given(i64 %x) {
  %y = call i64 @given(i64 %x)
  %z = mul i64 %y, 2
  ret i64 %z
}
"""
Unary = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)
Kernel = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)


def sum_of_products_text(width: int = 16) -> str:
    """out[j] += x[i + j] * x[i + j] over i in steps of `width`, the sum carried in an alloca."""
    module = Module()
    e = Emitter(module, "kernel", [("x", "ptr"), ("out", "ptr"), ("n", I64)], width=width)
    x, out, n = e.args
    total = e.alloca(F32, width)
    e.set(total, e.const(0.0, F32, width))
    with e.loop(0, n, width) as i:
        value = e.load(e.offset(x, i, F32), F32, width)
        e.set(total, e.fma(value, value, e.get(total, F32, width)))
    e.store(out, e.get(total, F32, width))
    e.finish()
    return module.text()


def resident_bytes() -> int:
    return int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_compiled_code_computes_what_the_text_says() -> None:
    module = compile_ir(sum_of_products_text())
    x = np.arange(64, dtype=np.float32)
    out = np.empty(16, np.float32)
    Kernel(module.address("kernel"))(x.ctypes.data, out.ctypes.data, x.size)
    np.testing.assert_array_equal(out, (x.reshape(4, 16) ** 2).sum(0))


def test_loop_carried_vectors_live_in_registers() -> None:
    module = compile_ir(sum_of_products_text())
    assert "alloca" not in module.llvm_ir
    assert "phi <16 x float>" in module.llvm_ir


def test_code_uses_the_widest_registers_of_the_machine() -> None:
    if "+avx512f" in fingerprint():
        register = "%zmm"
    elif "x86_64" in fingerprint():
        register = "%ymm" if "+avx," in fingerprint() else "%xmm"
    else:
        register = ""
    assert register in compile_ir(sum_of_products_text()).assembly()


def test_loops_of_other_compilers_in_this_process_are_still_strength_reduced() -> None:
    far_apart = """
    define void @spread(ptr %out, i64 %n) {
    entry:
      br label %body
    body:
      %i = phi i64 [ 0, %entry ], [ %next, %body ]
      %place = mul i64 %i, 999
      %at = getelementptr i64, ptr %out, i64 %place
      store i64 %i, ptr %at
      %next = add i64 %i, 1
      %more = icmp slt i64 %next, %n
      br i1 %more, label %body, label %done
    done:
      ret void
    }
    """

    def elsewhere() -> str:
        machine = llvm.Target.from_triple(llvm.get_process_triple()).create_target_machine(opt=2)
        return str(machine.emit_assembly(llvm.parse_assembly(far_apart)))

    before = elsewhere()
    ours = compile_ir(far_apart).assembly()
    assert elsewhere() == before
    if "x86_64" in fingerprint():
        assert ours.count("mul") > before.count("mul")


def test_internal_functions_are_not_exported() -> None:
    module = compile_ir(
        "define internal i64 @inner(i64 %x) noinline {\n ret i64 %x\n}\n"
        "define i64 @outer(i64 %x) {\n %y = call i64 @inner(i64 %x)\n ret i64 %y\n}"
    )
    assert module.exports == ("outer",)
    assert Unary(module.address("outer"))(5) == 5
    with pytest.raises(KeyError, match="exports outer, not 'inner'"):
        module.address("inner")


def test_a_given_symbol_is_called() -> None:
    given = Unary(lambda x: x + 1)
    module = compile_ir(CALL_BACK, {"given": ctypes.cast(given, ctypes.c_void_p).value or 0})
    assert Unary(module.address("twice_given"))(4) == 10


def test_functions_of_the_c_library_need_no_address() -> None:
    module = compile_ir("declare i64 @labs(i64)\ndefine i64 @magnitude(i64 %x) {\n %y = call i64 @labs(i64 %x)\n ret i64 %y\n}")
    assert Unary(module.address("magnitude"))(-27) == 27


def test_a_missing_symbol_is_named(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(LinkError, match="nobody gave the address of given"):
        compile_ir(CALL_BACK)
    assert capfd.readouterr().err == ""


def test_an_object_without_the_wanted_export_is_refused() -> None:
    data = compile_ir(sum_of_products_text()).object
    with pytest.raises(LinkError, match="other"):
        load_object(data, ["other"])


@pytest.mark.parametrize("keep", [0, 100], ids=["empty", "cut off"])
def test_a_damaged_object_is_refused(keep: int) -> None:
    data = compile_ir(sum_of_products_text()).object
    with pytest.raises(LinkError):
        load_object(data[:keep], ["kernel"])


invalid_ir = pytest.mark.parametrize(
    ("text", "message"),
    [("define void @f() {\n %x = add i64 %y, 1\n ret void\n}", "undefined value '%y'"),
     ("define i64 @f() {\n br label %a\na:\n %x = add i64 %y, 1\n %y = add i64 1, 2\n ret i64 %x\n}", "dominate")],
    ids=["parser", "verifier"],
)  # fmt: skip


@invalid_ir
def test_invalid_ir_is_refused_with_the_reason(text: str, message: str) -> None:
    with pytest.raises(RuntimeError, match=message):
        compile_ir(text)


def compiled_at_once(texts: list[str]) -> list[NativeModule]:
    parallel = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)(pool.address())
    return compile_sources([Source(t) for t in texts], {}, {}, lambda args, tasks: parallel(symbols()[OBJECTS], args, tasks))


@invalid_ir
def test_of_modules_compiled_at_once_one_that_is_invalid_is_refused_with_the_reason(text: str, message: str) -> None:
    with pytest.raises(RuntimeError, match=message):
        compiled_at_once([sum_of_products_text(), text, sum_of_products_text()])


def test_modules_compiled_at_once_are_the_same_bytes_as_by_themselves_and_leave_nothing_behind() -> None:
    texts = [sum_of_products_text(), "define i64 @one() {\n ret i64 1\n}\ndefine linkonce_odr void @shared() {\n ret void\n}"]
    made = compiled_at_once(texts * 3)
    assert [m.object for m in made] == [compile_ir(t).object for t in texts] * 3
    assert [m.exports for m in made[:2]] == [("kernel",), ("one",)]
    before = resident_bytes()
    for _ in range(100):
        compiled_at_once(texts * 3)
    gc.collect()
    assert resident_bytes() - before < 50e6


def test_an_object_loads_with_symbols_of_its_own() -> None:
    plus, minus = Unary(lambda x: x + 1), Unary(lambda x: x - 1)
    first = compile_ir(CALL_BACK, {"given": ctypes.cast(plus, ctypes.c_void_p).value or 0})
    second = load_object(first.object, first.exports, {"given": ctypes.cast(minus, ctypes.c_void_p).value or 0})
    assert Unary(first.address("twice_given"))(4) == 10
    assert Unary(second.address("twice_given"))(4) == 6
    with pytest.raises(ValueError, match="no IR"):
        second.assembly()


def test_an_object_runs_in_another_process(tmp_path: pathlib.Path) -> None:
    module = compile_ir("define i64 @f(i64 %x) {\n %y = mul i64 %x, 3\n ret i64 %y\n}")
    (tmp_path / "object").write_bytes(module.object)
    code = (
        "import ctypes, pathlib, sys\n"
        "from jitgrad_compiler.targets.cpu.machine.native import load_object\n"
        "module = load_object(pathlib.Path(sys.argv[1]).read_bytes(), ['f'])\n"
        "print(ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(module.address('f'))(14))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "object")], capture_output=True, text=True, env=child_environment(), check=True
    )
    assert result.stdout == "42\n"


def test_equal_text_gives_equal_objects() -> None:
    assert compile_ir(sum_of_products_text()).object == compile_ir(sum_of_products_text()).object


def test_dropped_modules_leave_nothing_behind() -> None:
    text = sum_of_products_text()
    for _ in range(20):
        compile_ir(text)
    before = resident_bytes()
    for _ in range(500):
        compile_ir(text)
    gc.collect()
    assert resident_bytes() - before < 50e6


def test_a_forked_child_goes_on_compiling() -> None:
    before = compile_ir("define i64 @f(i64 %x) {\n ret i64 %x\n}")
    child = os.fork()
    if child == 0:
        code = 1
        try:
            after = compile_ir("define i64 @f(i64 %x) {\n %y = add i64 %x, 1\n ret i64 %y\n}")
            code = 0 if (Unary(before.address("f"))(1), Unary(after.address("f"))(1)) == (1, 2) else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def child_environment() -> dict[str, str]:
    """The environment of a subprocess that imports what this process does."""
    return os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
