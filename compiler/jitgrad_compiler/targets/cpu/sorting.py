"""Kernel of one op."""

from __future__ import annotations

from collections.abc import Callable

from ...kernels.kernel import Kernel
from ..emitter import Emitter, Module, Reg
from .loops import Emitted, Pointers


def emit_sort(module: Module, name: str, kernel: Kernel, pointers: Pointers, scratch: Callable[[Emitter, Reg], Reg]) -> Emitted:
    raise NotImplementedError
