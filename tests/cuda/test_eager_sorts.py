"""sort and top_k done one by one on a GPU: kernels that are told sizes, to the bit what the processor gives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import jitgrad.numpy as jnp
from jitgrad import lax
from jitgrad_compiler.ir.types import BF16, BOOL, F8_E4M3, F32, F64, I8, U32, U64
from jitgrad_compiler.targets.cuda.nvptx import ptx
from jitgrad_compiler.targets.cuda.program import device_tuning
from jitgrad_compiler.targets.cuda.sized.sorting import emit_counts, emit_keys, emit_moves, emit_short

from .assemble import assemble, assembler, wide_floats
from .running import Asked, on_gpu, stand_ins

TYPES = ["f4", "f8", "bfloat16", "f2", "float8_e4m3fn", "i1", "u2", "i4", "i8", "u8", "bool"]
LONG = device_tuning().gpu.shared_sort


@pytest.fixture(scope="module", autouse=True)
def gpu():
    with stand_ins() as devices:
        yield devices[0]


def elements(shape, dtype, seed):
    """Few numbers, so that many are equal; of floats with NaNs, infinities and zeros of both signs."""
    draw = np.random.default_rng(seed)
    numbers = draw.integers(0 if dtype[0] in "ub" and dtype != "bfloat16" else -9, 2 if dtype == "bool" else 9, shape)
    if dtype[0] in "iu" or dtype == "bool":
        return jnp.asarray(numbers.astype(dtype))
    special = draw.choice([np.nan, np.inf, -np.inf, -0.0], shape)
    return jnp.asarray(np.where(draw.random(shape) < 0.3, special, numbers)).astype(dtype)


def assert_same_bits(got, want):
    assert got.device.platform == "cuda" and got.dtype == want.dtype and got.shape == want.shape
    assert np.asarray(got).tobytes() == np.asarray(want).tobytes()


shapes = st.lists(st.integers(0, 7), min_size=1, max_size=3).map(tuple)


@settings(max_examples=40)
@given(shape=shapes, dtype=st.sampled_from(TYPES), data=st.data())
def test_rows_of_any_shape_are_sorted_as_on_the_processor(shape, dtype, data):
    axis, x = data.draw(st.integers(0, len(shape) - 1)), elements(shape, dtype, sum(shape))
    assert_same_bits(jnp.sort(on_gpu(x), axis), jnp.sort(x, axis))
    assert_same_bits(jnp.argsort(on_gpu(x), axis), jnp.argsort(x, axis))
    k = data.draw(st.integers(0, shape[axis]))
    for got, want in zip(lax.top_k(on_gpu(x), k, axis=axis), lax.top_k(x, k, axis=axis), strict=True):
        assert_same_bits(got, want)


@pytest.mark.parametrize("dtype", TYPES)
def test_short_and_long_rows_of_any_shape_compile_nothing_after_the_first_of_each_type(gpu, dtype):
    def done(shapes):
        for shape, axis in shapes:
            x = elements(shape, dtype, sum(shape))
            others = jnp.arange(x.size).reshape(shape), jnp.full(shape, 1 + 2j, "c16")
            sorts = [lax.sort(tuple(map(on, (x, *others))), dimension=axis) for on in (on_gpu, jnp.asarray)]
            tops = [lax.top_k(on(x), 3, axis=axis) for on in (on_gpu, jnp.asarray)]
            for got, want in zip((*sorts[0], *tops[0]), (*sorts[1], *tops[1]), strict=True):
                assert_same_bits(got, want)

    done([((4, 3), 0), ((2, 3, 4), 1), ((2, LONG + 1), 1)])
    with Asked(gpu) as asked:
        done([((5, 6), 0), ((3, 4, 5), 1), ((7, 300), 1), ((1, LONG), 1), ((LONG + 900, 2), 0)])
    assert asked.counts["load"] == asked.counts["graph"] == asked.counts["launch"] == 0


@settings(max_examples=12)
@example(n=2 * LONG + 17, rows=1, seed=0)  # of two chunks
@given(n=st.integers(LONG - 2, LONG + 1300), rows=st.integers(1, 3), seed=st.integers(0, 99))
def test_rows_about_as_long_as_a_block_sorts_are_sorted(n, rows, seed):
    x = np.random.default_rng(seed).integers(-(2**31), 2**31, (rows, n)).astype("i4")
    np.testing.assert_array_equal(jnp.argsort(on_gpu(x), 1), np.argsort(x, 1, kind="stable"))


@pytest.mark.skipif(assembler() is None, reason="ptxas comes with the extra test")
def test_the_kernels_of_sorts_for_all_sizes_keep_to_their_registers_and_types():
    tuning = device_tuning()
    kernels = [emit_keys("k", dtype, dtype == I8, tuning) for dtype in (F32, BF16, F8_E4M3, I8, BOOL, F64)]
    kernels += [emit(*("k", key), tuning) for key in (U32, U64) for emit in (emit_short, emit_counts)]
    kernels += [emit_moves("k", key, first, tuning) for key in (U32, U64) for first in (False, True)]
    for number, kernel in enumerate(kernels):
        text = ptx(kernel.module.text, (9, 0))
        (made,) = assemble(text, "sm_90").kernels.values()
        assert not made.spill_stores and not made.stack
        assert bool(wide_floats(text)) == (number == 5)
