"""scatter done one by one on a GPU, in all its kinds: kernels that are told sizes, the same bits in any order of threads."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jitgrad.numpy as jnp
from jitgrad_compiler.ir.types import BF16, BOOL, F16, F32, I8, I32, I64, U32, U64
from jitgrad_compiler.ops.arithmetic import op
from jitgrad_compiler.ops.indexing import SCATTER_KINDS
from jitgrad_compiler.targets.cuda.nvptx import ptx
from jitgrad_compiler.targets.cuda.program import device_tuning
from jitgrad_compiler.targets.cuda.sized.scatter import (
    emit_atomics,
    emit_claims,
    emit_ordered,
    emit_place_keys,
    emit_winners,
    stored_as,
    unordered,
)
from tests.compiler.op_agreement import assert_examples_agree, example_kernels, seeded

from .assemble import assemble, assembler, wide_floats
from .engine import ORDERS
from .running import Asked, on_gpu, stand_ins
from .test_at_once import one_by_one

TYPES = ["f4", "f8", "bfloat16", "f2", "i1", "u2", "i4", "u8", "bool"]
UPDATES = {"set": "set", "add": "add", "mul": "multiply", "min": "min", "max": "max"}
LONG = device_tuning().gpu.shared_sort


@pytest.fixture(scope="module", autouse=True)
def gpu():
    with stand_ins() as devices:
        yield devices[0]


def assert_same(got, want):
    """Numbers were chosen so that no sum is rounded."""
    assert got.device.platform == "cuda" and got.dtype == want.dtype
    np.testing.assert_array_equal(np.asarray(got), np.asarray(want))


def drawn(shape, dtype, kind, seed):
    draw = np.random.default_rng(seed)
    low, high = (0, 2) if dtype == "bool" else (1, 3) if kind == "mul" else (0, 4)
    return jnp.asarray(draw.integers(low, high, shape)).astype(dtype)


shapes = st.lists(st.integers(0, 4), min_size=1, max_size=4).map(tuple)


@settings(max_examples=60)
@given(shape=shapes, rows=st.integers(0, 6), dtype=st.sampled_from([*TYPES, "c8", "c16"]), data=st.data())
def test_updates_of_any_shape_are_those_of_the_processor(shape, rows, dtype, data):
    kind = data.draw(st.sampled_from(["set", "add"] if dtype[0] == "c" else list(SCATTER_KINDS)))
    axes = data.draw(
        st.integers(0, len(shape) - 1).flatmap(lambda n: st.permutations(range(len(shape))).map(lambda p: sorted(p[:n])))
    )
    batch = data.draw(st.integers(0, min(axes, default=0)))
    index_type = data.draw(st.sampled_from(["i4", "i8", "u8", "i1"]))
    draw = np.random.default_rng(rows)
    indices = draw.integers(0 if index_type == "u8" else -1, 6, (*shape[:batch], rows, len(axes))).astype(index_type)
    part = (*shape[:batch], rows, *[n for i, n in enumerate(shape) if i >= batch and i not in axes])
    x, updates = drawn(shape, dtype, kind, 0), drawn(part, dtype, kind, 1)
    params = {"axes": tuple(axes), "batch": batch, "kind": kind}
    want, got = (op("scatter", on(x), on(indices), on(updates), **params) for on in (jnp.asarray, on_gpu))
    assert_same(got, want)


@pytest.mark.parametrize("kind", SCATTER_KINDS)
@pytest.mark.parametrize("dtype", TYPES)
def test_a_new_shape_compiles_nothing_after_the_first_of_each_kind(gpu, kind, dtype):
    def done(sizes):
        for places, columns, rows in sizes:
            x, updates = drawn((places, columns), dtype, kind, 0), drawn((rows, columns), dtype, kind, 1)
            if kind == "mul":  # few of one place: larger products have no room
                updates = jnp.where(jnp.arange(rows)[:, None] % places == 0, 1, updates)
            indices = np.arange(rows) * 7 % places
            want, got = (getattr(on(x).at[on(indices)], UPDATES[kind])(on(updates)) for on in (jnp.asarray, on_gpu))
            assert_same(got, want)

    done([(50, 2, 3), (9, 3, 60), (900, 1, LONG + 900)])
    with Asked(gpu) as asked:
        done([(60, 3, 4), (11, 1, 70), (1, 1, 1), (700, 1, LONG + 800)])
    assert asked.counts["load"] == asked.counts["graph"] == asked.counts["launch"] == 0


def test_sums_of_many_updates_are_accurate_and_the_same_bits_in_any_order_of_threads(gpu):
    draw = np.random.default_rng(0)
    indices = np.where(draw.random(5000) < 0.9, 3, draw.integers(0, 40, 5000))
    updates = draw.random((5000, 2)).astype("f4")
    wide = np.zeros((40, 2))
    np.add.at(wide, indices, updates)
    found = []
    for gpu.order in ORDERS:
        found.append(np.asarray(jnp.zeros((40, 2), "f4", device="cuda").at[on_gpu(indices)].add(on_gpu(updates))))
    np.testing.assert_allclose(found[0], wide, rtol=2e-7)
    assert len({a.tobytes() for a in found}) == 1


def test_the_last_update_of_a_place_stays_whatever_the_order_of_threads(gpu):
    indices = np.random.default_rng(0).integers(-50, 30, 2000)
    for gpu.order in ORDERS:
        got = jnp.zeros(30, device="cuda").at[on_gpu(indices)].set(on_gpu(np.arange(2000.0)), mode="drop")
        np.testing.assert_array_equal(got, jnp.zeros(30).at[indices].set(np.arange(2000.0), mode="drop"))


def test_extremes_know_what_is_not_a_number(gpu):
    x, updates = np.array([1, 2, np.nan, 4], "f4"), np.array([np.nan, 3, 1, np.inf, -np.inf] * 30, "f4")
    indices = np.tile([0, 1, 2, 3, 3], 30)
    for kind in ("min", "max"):
        want, got = (getattr(on(x).at[on(indices)], kind)(on(updates)) for on in (jnp.asarray, on_gpu))
        np.testing.assert_array_equal(got, want)


def test_it_agrees_with_the_interpreter_in_every_example_of_the_op():
    examples = [(example, dtype) for example, dtype in example_kernels("scatter") if dtype == F32]
    assert_examples_agree("scatter", examples, seeded("scatter"), one_by_one)


@pytest.mark.skipif(assembler() is None, reason="ptxas comes with the extra test")
def test_the_kernels_of_scatters_for_all_sizes_keep_to_their_registers_and_types():
    tuning = device_tuning()
    kernels = [emit_place_keys("k", index, rank, key, tuning) for index, rank, key in ((I32, 1, U32), (U64, 3, U64), (I8, 0, U32))]
    kernels += [emit_claims("k", U64, first, tuning) for first in (True, False)]
    kernels += [emit_winners("k", U32, bits, tuning) for bits in (8, 64)]
    for kind, dtype in (("add", F32), ("mul", BF16), ("max", F16), ("min", I8), ("max", I64), ("min", U32), ("add", BOOL)):
        how, stored = stored_as(kind, dtype)
        if unordered(how, stored):
            kernels.append(emit_atomics("k", U32, how, stored, tuning))
        else:
            kernels += [emit_ordered("k", U32, how, stored, kind == "add", joins, tuning) for joins in (False, True)]
    for kernel in kernels:
        text = ptx(kernel.module.text, (9, 0))
        (made,) = assemble(text, "sm_90").kernels.values()
        assert not made.spill_stores and not made.stack and not wide_floats(text)
