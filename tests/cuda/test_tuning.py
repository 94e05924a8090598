"""The sizes by which kernels of a GPU are made: each makes a difference to some program."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any
from weakref import WeakValueDictionary

import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad_compiler.kernels.tuning import Gpu, Tuning
from jitgrad_compiler.targets.cuda import program
from jitgrad_compiler.targets.cuda.program import Step, compile_program, device_tuning

PROGRAMS: dict[str, tuple[Callable[..., Any], list[tuple[int, ...]], str]] = {
    "a map": (lambda x: x * 2 + 1, [(1 << 18,)], "float32"),
    "sums of rows": (lambda x: x.sum(1), [(100, 700)], "float32"),
    "sums of short rows": (lambda x: x.sum(1), [(1000, 6)], "float32"),
    "a long sum": (jnp.sum, [(1 << 22,)], "float32"),
    "sums of columns": (lambda x: x.sum(0), [(20_000, 40)], "float32"),
    "sorted rows": (lambda x: jnp.sort(x, 1), [(30, 1500)], "float32"),
    "few updates": (lambda x, u: x.at[jnp.arange(10) % 7].add(u), [(50, 3), (10, 3)], "float32"),
    "a small product": (lambda x, y: x @ y, [(48, 64), (64, 48)], "float32"),
    "a deep product": (lambda x, y: x @ y, [(100, 5000), (5000, 100)], "float32"),
    "a product of halves": (lambda x, y: x @ y, [(192, 256), (256, 192)], "float16"),
    "attention": (jitgrad.nn.dot_product_attention, [(1, 32, 2, 16)] * 3, "float16"),
    "a factorisation": (jnp.linalg.cholesky, [(200, 200)], "float32"),
}
CHANGES = {int: (lambda n: n * 2, lambda n: n // 2, lambda n: n * 64, lambda n: n // 64 or 1), bool: (lambda b: not b,)}
NEEDS = {"warpgroup_side": {"warpgroups": True}}
"""What a field's kernels need besides."""


@pytest.fixture(scope="module")
def graphs() -> list[Any]:
    made = []
    for function, shapes, dtype in PROGRAMS.values():
        made.append(jitgrad.make_graph(function)(*[jitgrad.ShapeDtypeStruct(s, dtype) for s in shapes]))
    return made


def written(graph: Any, tuning: Tuning) -> tuple[list[str], list[Any]]:
    """A program's code, and its steps, with kernels numbered by where they come."""
    made, numbers = compile_program(graph, tuning), dict[str, str]()

    def numbered(text: str) -> str:
        return re.sub(r"kernel\d+", lambda found: numbers.setdefault(found[0], f"k{len(numbers)}"), text)

    steps = [replace(s.phase, function=numbered(s.phase.function)) if isinstance(s, Step) else type(s) for s in made.steps]
    return [numbered(m.text) for m in made.modules], steps


def test_programs_are_written_alike_each_time(graphs: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    for graph in graphs:
        monkeypatch.setattr(program, "_codes", WeakValueDictionary())
        before = written(graph, device_tuning())
        monkeypatch.setattr(program, "_codes", WeakValueDictionary())
        assert written(graph, device_tuning()) == before


@pytest.mark.parametrize("name", [f.name for f in fields(Gpu)])
def test_every_size_makes_a_difference(name: str, graphs: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "_codes", WeakValueDictionary())
    usual = device_tuning()
    usual = replace(usual, gpu=replace(usual.gpu, **NEEDS.get(name, {})))
    value = getattr(usual.gpu, name)
    for change in CHANGES[type(value)]:
        changed = replace(usual, gpu=replace(usual.gpu, **{name: change(value)}))
        if any(written(g, changed) != written(g, usual) for g in graphs):
            return
    pytest.fail(f"no program depends on {name}")
