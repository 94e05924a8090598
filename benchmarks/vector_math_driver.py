"""Compiles a function of the vector math over NumPy arrays: for `vector_math.py` and the tests, with nothing of the runtime."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from jitgrad_compiler.targets.emitter import Emitter, Module

llvm.initialize_native_target()
llvm.initialize_native_asmprinter()
ANY_MACHINE: frozenset[str] = frozenset()
HOST_FEATURES = frozenset(name for name, present in llvm.get_host_cpu_features().items() if present)
_engines: list[Any] = []  # they own the machine code of the functions handed out


def cpu_name() -> str:
    return llvm.get_host_cpu_name()


def module_text(name: str, arity: int, type: str, width: int, features: frozenset[str]) -> str:
    """A function void(const T *x, const T *y, T *out, i64 n) that loops over whole vectors."""
    module = Module(features)
    e = Emitter(module, "apply", [("x", "ptr"), ("y", "ptr"), ("out", "ptr"), ("n", "i64")])
    with e.loop(0, e.args[3], width) as i:
        operands = [e.load(e.offset(pointer, i, type), type, width) for pointer in e.args[:arity]]
        e.store(e.offset(e.args[2], i, type), getattr(e.vector_math, name)(*operands))
    e.finish()
    return module.text()


def native_function(text: str, arity: int) -> Any:
    """The function `apply` of a module in LLVM's text form, whose arguments are addresses and sizes."""
    module = llvm.parse_assembly(text)
    module.verify()
    target = llvm.Target.from_triple(llvm.get_process_triple())
    machine = target.create_target_machine(cpu=cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=2)
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    _engines.append(engine)
    return ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * arity)(engine.get_function_address("apply"))


def compiled(name: str, arity: int, type: str, width: int, features: frozenset[str]) -> Callable[..., np.ndarray]:
    """The function over arrays whose size is a multiple of the width."""
    native = native_function(module_text(name, arity, type, width, features), 4)

    def call(x: np.ndarray, y: np.ndarray | None = None) -> np.ndarray:
        assert x.size % width == 0 and x.flags.c_contiguous and (y is None or y.flags.c_contiguous)
        out = np.empty_like(x)
        native(x.ctypes.data, (x if y is None else y).ctypes.data, out.ctypes.data, x.size)
        return out

    return call
