"""Maps of joined, padded, cut and rolled arrays: the same to the bit as the interpreter gives, section by section."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import lax
from jitgrad_compiler.ir.interpreter import interpret
from jitgrad_compiler.kernels.expression import Inside, walk
from jitgrad_compiler.kernels.fuse import fuse
from jitgrad_compiler.kernels.kernel import Kernel
from jitgrad_compiler.kernels.tuning import Loops, Tuning
from jitgrad_compiler.passes.pipeline import prepare
from jitgrad_compiler.runtime.executable import run_graph
from jitgrad_compiler.targets.cpu.loops.sections import sections_of

ANY = Tuning(loops=Loops(section_loads=0))
"""Sections are written however little they save."""


def array(shape: tuple[int, ...], dtype: str = "float32", seed: int = 0) -> np.ndarray:
    values = np.random.default_rng(seed).integers(-9, 9, shape).astype(dtype)
    if values.dtype.kind == "f":
        values.reshape(-1)[::7] = -0.0
    return values


def sections(f: Callable[..., Any], *args: Any, tuning: Tuning = ANY) -> list[Kernel]:
    (kernel,) = fuse(prepare(jitgrad.make_graph(f)(*args)), tuning)
    assert isinstance(kernel, Kernel)
    return sections_of(kernel, 16, tuning.loops)


def left_tests(kernel: Kernel) -> int:
    return sum(isinstance(n, Inside) for n in walk(kernel.roots()))


def assert_exact(f: Callable[..., Any], *args: Any) -> None:
    """Compiled, in sections and in one, it is what the interpreter gives, signs of zeros included."""
    graph = jitgrad.make_graph(f)(*args)
    wanted = interpret(graph, *args)
    for tuning in (ANY, Tuning(loops=Loops(sections=1)), Tuning(loops=Loops(section_loads=0, serial_work=64))):
        for got, want in zip(run_graph(graph, args, tuning=tuning), wanted, strict=True):
            np.testing.assert_array_equal(got, want)
            np.testing.assert_array_equal(np.signbit(got), np.signbit(want))


def heads(x: Any) -> Any:
    """(batch, heads, time, features) as (batch, time, all)."""
    return jnp.reshape(jnp.transpose(x, (0, 2, 1, 3)), (x.shape[0], x.shape[2], -1))


def test_joined_arrays_are_copied_one_by_one_without_a_test():
    args = [array((40, n), seed=n) for n in (33, 64, 100)]
    found = sections(lambda *xs: jnp.concatenate(xs, 1), *args)
    assert [left_tests(k) for k in found] == [0, 0, 0] and [k.axes[-1].extent for k in found] == [33, 64, 100]
    assert_exact(lambda *xs: jnp.concatenate(xs, 1) * 2, *args)


def test_many_joined_arrays_cost_as_much_as_their_elements():
    args = [array((64,), seed=n) for n in range(32)]
    found = sections(lambda *xs: jnp.stack(xs), *args)
    assert len(found) == 32 and all(len(walk(k.roots())) <= 2 for k in found)
    assert_exact(lambda *xs: jnp.stack(xs), *args)
    assert_exact(lambda *xs: jnp.concatenate(xs), *args)


def test_what_was_cut_apart_is_put_together_through_the_layout_that_it_had():
    def pieces(a: Any, b: Any, c: Any) -> Any:
        places = [(0, 512), (256, 256), (512, 0)]
        return sum(lax.pad(heads(x), 0.0, [(0, 0, 0), (0, 0, 0), (*p, 0)]) for x, p in zip((a, b, c), places, strict=True))

    args = [array((2, 8, 16, 32), seed=n) for n in range(3)]
    found = sections(pieces, *args)
    assert len(found) == 3 and not any(map(left_tests, found))
    assert_exact(pieces, *args)


def test_sections_end_where_tests_of_two_axes_change():
    x = array((3, 30, 40))
    found = sections(lambda x: jnp.pad(x, ((0, 0), (20, 9), (32, 64)), constant_values=1), x)
    assert len(found) == 9 and not any(map(left_tests, found))
    assert_exact(lambda x: jnp.pad(x, ((0, 0), (20, 9), (32, 64)), constant_values=1) + 1, x)


def test_a_thin_border_is_no_section():
    x = array((3, 30, 40))
    assert len(sections(lambda x: jnp.pad(x, ((0, 0), (1, 1), (1, 1))), x)) == 1
    assert_exact(lambda x: jnp.pad(x, ((0, 0), (1, 1), (1, 1))), x)


def test_an_axis_that_is_walked_backwards_ends_its_sections_where_it_should():
    x, y = array((100,)), array((60,), seed=1)
    assert len(sections(lambda x, y: jnp.concatenate([x, y])[::-1], x, y)) == 2
    assert_exact(lambda x, y: jnp.concatenate([x, y])[::-1], x, y)
    assert_exact(lambda x, y: jnp.concatenate([x, y])[::-3] + 1, x, y)
    assert_exact(lambda x, y: jnp.concatenate([x, y])[150:20:-1], x, y)


def test_short_pieces_stay_in_one_kernel():
    assert len(sections(lambda x: jnp.pad(x, 1), array((500,)))) == 1
    assert len(sections(lambda x, y: jnp.stack([x, y], -1), array((500,)), array((500,)))) == 1
    assert len(sections(lambda x: jnp.concatenate([x, x]), array((8,)))) == 1


def test_sections_that_save_little_are_not_worth_their_code():
    def joined(*xs: Any) -> Any:
        return jnp.concatenate(xs)

    assert len(sections(joined, *[array((60,))] * 30, tuning=Tuning())) == 1
    assert len(sections(joined, *[array((600,))] * 30, tuning=Tuning())) == 30


def test_bitwise_and_of_integers_is_no_test():
    x, y = array((64,), "int32"), array((64,), "int32", 1)
    assert_exact(lambda x, y: jnp.concatenate([x, y]) & 6, x, y)
    assert_exact(lambda x, y: jnp.concatenate([x > 0, y > 0]) & (jnp.arange(128) % 3 > 0), x, y)


def test_gathers_of_joined_indices_read_what_they_should():
    x, i, j = array((50, 40)), array((64,), "int32") % 50, array((70,), "int32", 1) % 50
    assert_exact(lambda x, i, j: x[jnp.concatenate([i, j])], x, i, j)
    assert_exact(lambda x, i, j: jnp.concatenate([x[i], x[j] * 2, x], 0), x, i, j)


@given(st.data())
@settings(max_examples=40)
def test_any_pieces_of_any_type_on_any_axis_are_joined_to_the_bit(data):
    rank = data.draw(st.integers(1, 3))
    axis = data.draw(st.integers(0, rank - 1))
    dtype = data.draw(st.sampled_from(["float32", "float64", "int8", "bool", "int64", "float16", "complex64"]))
    rest = data.draw(st.lists(st.integers(0, 70), min_size=rank, max_size=rank))
    sizes = data.draw(st.lists(st.integers(0, 80), min_size=1, max_size=5))
    args = [array((*rest[:axis], n, *rest[axis + 1 :]), dtype, n) for n in sizes]
    before, behind = data.draw(st.integers(-3, 40)), data.draw(st.integers(0, 40))
    padding = [(0, 0, 0)] * axis + [(max(before, -sum(sizes)), behind, 0)] + [(0, 0, 0)] * (rank - axis - 1)

    def joined(*xs: Any) -> Any:
        return lax.pad(jnp.concatenate(xs, axis), np.dtype(dtype).type(0), padding), jnp.roll(jnp.concatenate(xs, axis), 33, axis)

    graph = jitgrad.make_graph(joined)(*args)
    for got, want in zip(run_graph(graph, args, tuning=ANY), interpret(graph, *args), strict=True):
        np.testing.assert_array_equal(got, want)
