"""The gate to compiled programs: Numba and llvmlite are imported behind it at the first compilation: `import jitgrad` is fast."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from functools import cache
from typing import Any

from jitgrad_compiler.ir.graph import Graph
from jitgrad_compiler.ops.calls import call

from .config import config


@cache
def runtime() -> Any:
    """The module jitgrad_compiler.runtime.executable."""
    module = importlib.import_module("jitgrad_compiler.runtime.executable")
    config.on_threads(module.set_num_threads)
    return module


def compile_graph(graph: Graph, donated: Sequence[int] = ()) -> Any:
    """The executable of a Graph."""
    return runtime().compile_graph(graph, donated)


@cache
def _scalars() -> Any:
    """The module jitgrad_compiler.targets.numba_scalar."""
    return importlib.import_module("jitgrad_compiler.targets.numba_scalar")


def scalar_name(f: Any, count: int) -> str:
    """A name that tells a scalar Python function of `count` numbers from every other."""
    return _scalars().scalar_name(f, ("f64",) * count, "f64")


def _evaluate_call(*arrays: Any, graph: Graph, name: str) -> list[Any]:
    """A nested program on concrete arrays: compiled, unless jit is switched off."""
    if config.disable_jit:
        return call.numpy(*arrays, graph=graph, name=name)
    return runtime().run_graph(graph, arrays)


call.evaluate = _evaluate_call
