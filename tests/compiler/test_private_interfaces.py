"""What is private in llvmlite, Numba and NumPy: where it is missing or changed, an error tells what, and which versions do."""

from __future__ import annotations

import pathlib
import re
import threading
import tomllib
from collections.abc import Iterator

import llvmlite.binding as llvm
import numpy as np
import pytest
from numba.core import compiler, compiler_lock, cpu, registry

from jitgrad_compiler.errors import KNOWN_VERSIONS, PackageVersionError
from jitgrad_compiler.ir.types import F64
from jitgrad_compiler.runtime import private_numpy
from jitgrad_compiler.targets import private_llvmlite, private_numba
from jitgrad_compiler.targets.numba_scalar import scalar_function

COMPILER = pathlib.Path(private_numba.__file__).parents[1]
PROJECT = COMPILER.parents[1]


def test_the_known_versions_are_those_that_the_project_requires() -> None:
    required = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert {package + versions for package, versions in KNOWN_VERSIONS.items()} <= set(required)


@pytest.mark.parametrize(("package", "version"), [("llvmlite", llvm), ("numba", compiler), ("numpy", np)])
def test_an_error_names_the_package_the_version_found_and_those_that_work(package: str, version: object) -> None:
    import llvmlite
    import numba

    found = {"llvmlite": llvmlite, "numba": numba, "numpy": np}[package].__version__
    text = str(private_numba.incompatible(package, "what it had is missing"))
    assert text.startswith(f"{package} {found} does not go with this jitgrad: what it had is missing. ")
    assert f"known to work is {package}{KNOWN_VERSIONS[package]}" in text
    assert f"pip install '{package}{KNOWN_VERSIONS[package]}'" in text


@pytest.mark.parametrize(
    ("what", "gate"),
    [(r"\blib\._lock|set_option\(", "targets/private_llvmlite.py"),
     (r"compile_extra|compiler\.Flags|with_aot_codegen|global_compiler_lock", "targets/private_numba.py"),
     (r"id\(array\)|__basicsize__", "runtime/private_numpy.py")],
    ids=["llvmlite", "numba", "numpy"],
)  # fmt: skip
def test_what_is_private_is_used_behind_its_gate_alone(what: str, gate: str) -> None:
    users = [f for f in COMPILER.rglob("*.py") if re.search(what, f.read_text())]
    assert users == [COMPILER / gate]


# llvmlite


def test_llvmlite_without_its_lock_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llvm.ffi, "lib", object())
    with pytest.raises(PackageVersionError, match=r"^llvmlite .*: its lock, llvmlite\.binding\.ffi\.lib\._lock, is missing"):
        private_llvmlite.lock()


def test_llvmlite_with_a_lock_that_a_thread_cannot_enter_again_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llvm.ffi.lib._lock, "_lock", threading.Lock())
    with pytest.raises(PackageVersionError, match=r"^llvmlite .*is no context manager over an RLock any more"):
        private_llvmlite.lock()


def test_llvmlite_whose_calls_hold_another_lock_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llvm.ffi.lib, "_lock", type(llvm.ffi.lib._lock)())
    with pytest.raises(PackageVersionError, match=r"^llvmlite .*its functions are not called under .*_lock any more"):
        private_llvmlite.lock()


def test_an_llvm_whose_switches_are_not_known_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llvm, "llvm_version_info", (99, 1, 0))
    with pytest.raises(
        PackageVersionError, match=r"^llvmlite .*its LLVM 99\.1\.0 the switch -disable-lsr is not known, as of LLVM 22"
    ):
        private_llvmlite.check_switch()


# Numba


def double(x: float) -> float:
    return 2 * x


@pytest.fixture
def forgotten() -> Iterator[None]:
    """What the gate has found so far is looked up anew."""
    private_numba._parts.cache_clear()
    yield
    private_numba._parts.cache_clear()


@pytest.mark.usefixtures("forgotten")
@pytest.mark.parametrize(
    ("owner", "name", "path"),
    [(compiler, "compile_extra", r"numba\.core\.compiler\.compile_extra"), (compiler, "Flags", r"numba\.core\.compiler\.Flags"),
     (registry, "cpu_target", r"numba\.core\.registry\.cpu_target"),
     (cpu.CPUContext, "with_aot_codegen", r"CPUTarget\.target_context\.with_aot_codegen"),
     (compiler_lock, "global_compiler_lock", r"numba\.core\.compiler_lock\.global_compiler_lock")],
    ids=lambda x: x if isinstance(x, str) and x.isidentifier() else "",
)  # fmt: skip
def test_numba_without_a_part_of_its_compiler_is_refused(
    monkeypatch: pytest.MonkeyPatch, owner: object, name: str, path: str
) -> None:
    monkeypatch.delattr(owner, name)
    with pytest.raises(PackageVersionError, match=rf"^numba .* does not go with this jitgrad: {path} is missing"):
        private_numba.llvm_ir(double, ("float64",), "float64")


@pytest.mark.usefixtures("forgotten")
def test_numba_whose_compiler_takes_other_arguments_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler, "compile_extra", lambda function, options: None)
    with pytest.raises(PackageVersionError, match=r"^numba .*compile_extra takes function, options, and not typingctx, targetctx"):
        private_numba.llvm_ir(double, ("float64",), "float64")


@pytest.mark.usefixtures("forgotten")
def test_numba_without_one_of_the_flags_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler, "Flags", type("Flags", (), {"error_model": ""}))
    with pytest.raises(PackageVersionError, match=r"^numba .*numba\.core\.compiler\.Flags has no no_compile"):
        private_numba.llvm_ir(double, ("float64",), "float64")


@pytest.mark.usefixtures("forgotten")
def test_numba_whose_results_have_other_names_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def compile(typingctx, targetctx, func, args, return_type, flags, locals):  # type: ignore[no-untyped-def]
        return object()

    monkeypatch.setattr(compiler, "compile_extra", compile)
    with pytest.raises(PackageVersionError, match=r"^numba .*object\.library\.finalize is missing"):
        private_numba.llvm_ir(double, ("float64",), "float64")


@pytest.mark.parametrize(
    ("text", "what"),
    [("define i32 @g(ptr %out, ptr %exception, double %x) {", "does not define the function 'f'"),
     ("define double @f(double %x) {", "gives double and takes 1 values, not i32 .the status. and 3"),
     ("define i32 @f(ptr %out, double %x) {", "gives i32 and takes 2 values")],
    ids=["no function", "no status", "no exception"],
)  # fmt: skip
def test_numba_whose_functions_are_called_otherwise_is_refused(text: str, what: str) -> None:
    with pytest.raises(PackageVersionError, match=f"^numba .*{what}"):
        private_numba._check_convention("f", text, 1)


@pytest.mark.usefixtures("forgotten")
def test_numba_as_it_is_passes() -> None:
    assert "double" in scalar_function(double, (F64,), F64).text


# NumPy


def test_numpy_whose_arrays_are_laid_out_otherwise_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    private_numpy.check_layout()
    monkeypatch.setattr(private_numpy, "_DATA_FIELD", 0)
    with pytest.raises(PackageVersionError, match=r"^numpy .*an array does not keep the address of its elements at byte 0"):
        private_numpy.check_layout()
