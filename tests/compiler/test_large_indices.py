"""Index arithmetic beyond 32 bits, on values that are computed where they are read and so take no memory."""

from __future__ import annotations

import re

import numpy as np
import pytest

import jitgrad.numpy as jnp
from jitgrad import jit, lax
from jitgrad_compiler.ir import parse
from jitgrad_compiler.ir.types import I32, I64
from jitgrad_compiler.kernels.affine import Axis, axis_index
from jitgrad_compiler.kernels.fuse import fuse
from jitgrad_compiler.kernels.tuning import Tuning
from jitgrad_compiler.targets.cpu.loops.kernel import emit_loops
from jitgrad_compiler.targets.emitter import Emitter
from jitgrad_compiler.targets.expressions import Expressions
from jitgrad_compiler.targets.llvm_text import Module, Reg

PATTERN = np.arange(7, dtype=np.int8)
STARTS = (0, 2**31 - 20, 2**32 - 20, 2**32 + 3)


@pytest.mark.parametrize("start", STARTS)
def test_a_remainder_of_a_long_index_is_taken_in_64_bits(start):
    count = 2**32 // 7 + 100
    found = jit(lambda x, s: lax.dynamic_slice(jnp.tile(x, count), (s,), (70,)))(PATTERN, start)
    np.testing.assert_array_equal(found, (start + np.arange(70)) % 7)


@pytest.mark.parametrize("start", STARTS)
def test_a_quotient_of_a_long_index_is_taken_in_64_bits(start):
    found = jit(lambda x, s: lax.dynamic_slice(jnp.repeat(x, 2**31), (s,), (40,)))(PATTERN, start)
    np.testing.assert_array_equal(found, (start + np.arange(40)) // 2**31)


@pytest.mark.parametrize("start", STARTS)
def test_a_turned_index_counts_from_far_behind(start):
    count = 2**32 // 7 + 100
    found = jit(lambda x, s: lax.dynamic_slice(jnp.flip(jnp.tile(x, count)), (s,), (70,)))(PATTERN, start)
    np.testing.assert_array_equal(found, (7 * count - 1 - start - np.arange(70)) % 7)


def lanes_of(extent: int, by: int) -> str:
    """The code of i % by over an axis, which the vectors run along."""
    e = Emitter(Module(), "f", [("i", I64)], width=16)
    x, axis = Expressions(e, 16), Axis("i", extent)
    x.axis_values[axis], x.vector_axis = e.args[0], axis
    assert x.index(axis_index(axis) % by).type == I32
    return "\n".join(e.lines)


def test_lanes_are_as_narrow_as_what_is_divided_allows():
    assert re.search("urem <16 x i32>", lanes_of(2**31, 7))
    assert re.search("urem <16 x i64>", lanes_of(2**31 + 1, 7))


def test_the_lanes_left_of_a_long_axis_are_counted_in_64_bits():
    def masks(n: int) -> list[str]:
        graph = parse(f"graph(a:f32[{n}]) {{\n  b:f32[{n}] = sinh a\n  c:f32[{n}] = exp b\n  return c\n}}")
        (kernel,) = fuse(graph, Tuning())
        module = Module()
        emit_loops(module, "k", kernel, lambda e, args, wanted: {v: Reg("%args", "ptr") for v in wanted}, lambda e, args: args)
        text = module.text()
        left = re.findall(rf"(%v\d+) = sub i64 {n}, %\S+", text)
        assert left
        return [name for name in left if re.search(rf"trunc i64 {name} to i32", text)]

    assert masks(2**30 + 21)
    assert not masks(2**31 + 21)
