"""Bytes copied and set by LLVM's intrinsics."""

from __future__ import annotations

from ..ir.types import BOOL, I64, U8
from .emitter import Emitter
from .llvm_text import Reg


def copy_bytes(e: Emitter, target: Reg, source: Reg, count: Reg | int) -> None:
    """`count` bytes from one place to another that does not overlap it."""
    _bytes(e, "memcpy", target, source, count)


def set_bytes(e: Emitter, target: Reg, byte: int, count: Reg | int) -> None:
    _bytes(e, "memset", target, e.const(byte, U8), count)


def _bytes(e: Emitter, name: str, target: Reg, source: Reg, count: Reg | int) -> None:
    full = f"llvm.{name}.p0.{'p0.' if source.type == 'ptr' else ''}i64"
    e.module.declare(full, "void", ["ptr", source.llvm, "i64", "i1"])
    e.call(full, None, target, source, count if isinstance(count, Reg) else e.const(count, I64), e.const(False, BOOL))
