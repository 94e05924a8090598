"""Compiles a function of the vector math over NumPy arrays, for `vector_math.py`."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

import numpy as np

from jitgrad_compiler.ir.types import I64
from jitgrad_compiler.targets.cpu.machine.native import compile_ir
from jitgrad_compiler.targets.emitter import Emitter
from jitgrad_compiler.targets.llvm_text import Module


def module_text(name: str, arity: int, type: str, width: int, features: frozenset[str]) -> str:
    """A function void(const T *x, const T *y, T *out, i64 n) that loops over whole vectors."""
    module = Module(features)
    e = Emitter(module, "apply", [("x", "ptr"), ("y", "ptr"), ("out", "ptr"), ("n", I64)])
    with e.loop(0, e.args[3], width) as i:
        operands = [e.load(e.offset(pointer, i, type), type, width) for pointer in e.args[:arity]]
        e.store(e.offset(e.args[2], i, type), getattr(e.vector_math, name)(*operands))
    e.finish()
    return module.text()


def compiled(name: str, arity: int, type: str, width: int, features: frozenset[str]) -> Callable[..., np.ndarray]:
    """The function over arrays whose size is a multiple of the width."""
    module = compile_ir(module_text(name, arity, type, width, features))
    native = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 4)(module.address("apply"))

    def call(x: np.ndarray, y: np.ndarray | None = None) -> np.ndarray:
        assert module.exports and x.size % width == 0 and x.flags.c_contiguous and (y is None or y.flags.c_contiguous)
        out = np.empty_like(x)
        native(x.ctypes.data, (x if y is None else y).ctypes.data, out.ctypes.data, x.size)
        return out

    return call
