"""Products of complex numbers along axes and of complex matrices, done one by one on a GPU by kernels that are told sizes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jitgrad.numpy as jnp
from jitgrad import lax
from jitgrad_compiler.ir.types import F32, F64
from jitgrad_compiler.targets.cuda.nvptx import ptx
from jitgrad_compiler.targets.cuda.program import device_tuning
from jitgrad_compiler.targets.cuda.sized.complex import emit_doubling, emit_halving, emit_multiplier

from .assemble import assemble, assembler, wide_floats
from .running import Asked, on_gpu, stand_ins

NEAR = {"c8": 1e-5, "c16": 1e-13}


@pytest.fixture(scope="module", autouse=True)
def gpu():
    with stand_ins() as devices:
        yield devices[0]


def drawn(shape, dtype, seed=0):
    """Numbers of about size 1, whose products stay so."""
    draw = np.random.default_rng(seed)
    return (draw.uniform(0.9, 1.1, shape) * np.exp(1j * draw.uniform(0, 7, shape))).astype(dtype)


def assert_near(got, want, dtype):
    assert got.device.platform == "cuda" and got.dtype == dtype and got.shape == want.shape
    most = float(np.abs(want).max(initial=1))
    np.testing.assert_allclose(got, want, rtol=NEAR[dtype], atol=NEAR[dtype] * most)


shapes = st.lists(st.integers(0, 9), min_size=1, max_size=4).map(tuple)


@settings(max_examples=40)
@given(shape=shapes, dtype=st.sampled_from(list(NEAR)), data=st.data())
def test_products_along_axes_of_any_shape_are_those_of_the_processor(shape, dtype, data):
    x, rank = drawn(shape, dtype, sum(shape)), len(shape)
    axes = tuple(sorted(data.draw(st.sets(st.integers(0, rank - 1)))))
    assert_near(jnp.prod(on_gpu(x), axes), np.prod(x.astype("c16"), axes), dtype)
    axis, reverse = data.draw(st.integers(0, rank - 1)), data.draw(st.booleans())
    want = np.flip(np.cumprod(np.flip(x, axis), axis, "c16"), axis) if reverse else np.cumprod(x, axis, "c16")
    assert_near(lax.cumprod(on_gpu(x), axis=axis, reverse=reverse), want, dtype)


MATRICES = [
    "ij,jk->ik",
    "ji,jk->ik",
    "ij,kj->ik",
    "bij,bjk->bik",
    "ibj,jbk->bik",
    "ij,j->i",
    "j,jk->k",
    "j,j->",
    "i,k->ik",
    "ija,jak->ik",
]


@settings(max_examples=40)
@given(spec=st.sampled_from(MATRICES), dtype=st.sampled_from(list(NEAR)), data=st.data())
def test_products_of_matrices_of_any_shape_are_those_of_the_processor(spec, dtype, data):
    sizes = {name: data.draw(st.integers(0, 12)) for name in "abijk"}
    x, y = (drawn([sizes[n] for n in part], dtype, len(part)) for part in spec.split("->")[0].split(","))
    assert_near(jnp.einsum(spec, on_gpu(x), on_gpu(y)), np.einsum(spec, x.astype("c16"), y.astype("c16")), dtype)


@pytest.mark.parametrize("dtype", NEAR)
def test_a_new_shape_compiles_nothing_after_the_first(gpu, dtype):
    def done(shapes):
        for rows, columns in shapes:
            x, y = drawn((rows, columns), dtype), drawn((columns, rows + 1), dtype)
            for f in (lambda x, y: x @ y, lambda x, y: y.T @ x.T, lambda x, y: x @ y[:, 0]):
                assert_near(f(on_gpu(x), on_gpu(y)), f(x.astype("c16"), y.astype("c16")), dtype)
            for axis in (0, 1):
                assert_near(jnp.prod(on_gpu(x), axis), x.prod(axis, "c16"), dtype)
                assert_near(jnp.cumprod(on_gpu(x), axis), x.cumprod(axis, "c16"), dtype)

    done([(5, 9), (61, 57), (1, 9)])
    with Asked(gpu) as asked:
        done([(9, 5), (57, 53), (1, 13), (69, 61)])
    assert asked.counts["load"] == asked.counts["graph"] == asked.counts["launch"] == 0


def test_what_is_infinite_times_nothing_stays_infinite():
    x = np.array([[np.inf, 0], [1, 2]], "c8")[:1, :1]
    assert jnp.prod(on_gpu(x), 0).tolist() == [complex(np.inf, 0)] == jnp.cumprod(on_gpu(x), 0)[0].tolist()
    assert jnp.prod(on_gpu(np.zeros((0, 2), "c8")), 0).tolist() == [1, 1]


@pytest.mark.skipif(assembler() is None, reason="ptxas comes with the extra test")
def test_the_kernels_of_complex_products_read_and_write_numbers_whole():
    tuning = device_tuning()
    for part, width in ((F32, "v2.b32"), (F64, "v2.b64")):
        for kernel in (emit_multiplier("k", part, tuning), emit_halving("k", part, tuning), emit_doubling("k", part, True, tuning)):
            text = ptx(kernel.module.text, (9, 0))
            (made,) = assemble(text, "sm_90").kernels.values()
            assert not made.spill_stores and not made.stack and bool(wide_floats(text)) == (part is F64)
            assert all(f"{way}.global.{width}" in text for way in ("ld", "st"))
