"""Attention on a GPU, whose scores stay on chip: its kernels in the emulator against the formula, and as machine code."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import lax, nn
from jitgrad_compiler.ir import Graph
from jitgrad_compiler.passes.scores_on_chip import keep_scores_on_chip
from jitgrad_compiler.targets.cuda.attention.tiles import MOST_SHARED
from jitgrad_compiler.targets.cuda.nvptx import ptx
from jitgrad_compiler.targets.cuda.program import Step, compile_program, device_tuning

from .assemble import assemble, assembler, loads, wide_floats
from .engine import Order
from .running import run_on_gpu, stand_ins

NEAR = {"float32": 2e-6, "float16": 2e-3, "bfloat16": 1.5e-2}
"""Of the largest number of a result."""


def drawn(dtype: str, *shapes: tuple[int, ...]) -> list[np.ndarray]:
    rng = np.random.default_rng(len(shapes) + shapes[0][1])
    return [np.asarray(jnp.asarray(rng.normal(size=s).astype(np.float32)).astype(dtype)) for s in shapes]


def inputs(dtype: str, batch: int, queries: int, keys: int, heads: int, shared: int, features: int) -> list[np.ndarray]:
    """The query, the key, the value, and a cotangent."""
    of_query, of_key = (batch, queries, heads, features), (batch, keys, shared, features)
    return drawn(dtype, of_query, of_key, of_key, of_query)


def with_gradients(**options: Any) -> Any:
    """The result of attention, logarithms of sums, and the cotangents of query, key and value; further operands by name."""

    def run(q: Any, k: Any, v: Any, ct: Any, more: dict[str, Any]) -> Any:
        def attended(q: Any, k: Any, v: Any) -> Any:
            return nn.dot_product_attention(q, k, v, return_residual=True, **options, **more)

        out, pull, residual = jitgrad.vjp(attended, q, k, v, has_aux=True)
        return out, residual, *pull(ct)

    return run


def ops_of(graph: Graph) -> list[str]:
    """The names of the ops of a GPU's program, in loops, too."""
    found = []
    for e in graph.eqns:
        found.append(e.op.name)
        if not e.op.name.startswith("attention"):
            found += [name for g in e.graphs for name in ops_of(g)]
    return found


def kept_on_chip(f: Any, *args: Any) -> list[str]:
    """Its equations of attention."""
    return [name for name in ops_of(keep_scores_on_chip(jitgrad.make_graph(f)(*args))) if name.startswith("attention")]


def assert_close(got: list[np.ndarray], want: Any, near: float) -> None:
    for g, w in zip(got, jitgrad.tree.leaves(want), strict=True):
        g, w = np.asarray(g).astype(np.float64), np.asarray(w)
        assert g.shape == w.shape
        np.testing.assert_allclose(g, w, rtol=0, atol=near * max(1.0, np.abs(w).max()))


RNG = np.random.default_rng(0)
HIDDEN = RNG.random((2, 1, 35, 41)) > 0.5
HIDDEN[1, 0, 3] = False
CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "plain": ({}, {}),
    "causal": (dict(is_causal=True), {}),
    "window": (dict(local_window_size=(5, 3)), {}),
    "causal window": (dict(local_window_size=(4, 9), is_causal=True, scale=0.7), {}),
    "queries that see no key": (dict(local_window_size=(1, 0)), {}),
    "mask of examples": ({}, dict(mask=HIDDEN)),
    "mask of heads": (dict(is_causal=True), dict(mask=RNG.random((1, 4, 35, 41)) > 0.4)),
    "mask of keys": ({}, dict(mask=RNG.random((2, 1, 1, 41)) > 0.4)),
    "lengths": (dict(is_causal=True), dict(key_value_seq_lengths=np.array([13, 0], np.int32))),
    "window and lengths": (dict(local_window_size=(6, 2)), dict(key_value_seq_lengths=np.array([13, 40], np.int32))),
    "bias of heads": ({}, dict(bias=RNG.normal(size=(1, 4, 1, 41)).astype(np.float32))),
    "whole bias": (dict(is_causal=True), dict(bias=RNG.normal(size=(2, 4, 35, 41)).astype(np.float32))),
}
"""Options, and further operands, of attention of 35 queries, or 3 more than there are keys, to 41 keys."""


@pytest.mark.parametrize("case", CASES)
def test_attention_and_its_gradients_are_the_formulas(case: str) -> None:
    options, more = CASES[case]
    queries = 44 if case == "queries that see no key" else 35
    f, arrays = with_gradients(**options), inputs("float32", 2, queries, 41, 4, 2, 16)
    assert kept_on_chip(f, *arrays, more) == ["attention_forward", "attention_gradient"]
    want = f(*[jnp.asarray(a.astype(np.float64)) for a in arrays], more)
    with stand_ins():
        got = run_on_gpu(jitgrad.make_graph(f)(*arrays, more), [*arrays, *more.values()])
    assert_close(got, want, NEAR["float32"])


SIZES = [
    ("float32", (1, 1, 1, 1, 1, 32)), ("float32", (1, 70, 67, 1, 1, 128)), ("float32", (1, 5, 130, 3, 1, 48)),
    ("float16", (1, 130, 17, 2, 2, 16)), ("float16", (1, 20, 135, 2, 1, 80)), ("float16", (1, 140, 40, 1, 1, 128)),
    ("bfloat16", (2, 33, 70, 2, 1, 64)), ("bfloat16", (1, 17, 33, 2, 1, 32)),
]  # fmt: skip


@pytest.mark.parametrize(("dtype", "sizes"), SIZES)
def test_attention_of_every_type_and_size_is_the_formula(dtype: str, sizes: tuple[int, ...]) -> None:
    """Results are the same bits in any order of the blocks and threads."""
    f, arrays = with_gradients(is_causal=sizes[1] % 2 == 1), inputs(dtype, *sizes)
    graph = jitgrad.make_graph(f)(*arrays, {})
    want = f(*[jnp.asarray(a).astype("float64") for a in arrays], {})
    with stand_ins() as (device,):
        got = run_on_gpu(graph, arrays)
        assert_close(got, want, NEAR[dtype])
        for device.order in (Order("shuffled", 1), Order("ahead")):
            for first, again in zip(got, run_on_gpu(graph, arrays), strict=True):
                assert first.tobytes() == again.tobytes()


def test_what_is_not_finite_stays_where_it_is() -> None:
    q, k, v, _ = map(np.array, inputs("float32", 1, 9, 40, 2, 1, 16))
    bias = np.zeros((1, 2, 9, 40), np.float32)
    bias[0, 0, 1, :35] = -np.inf
    bias[0, 1, 2] = -np.inf
    q[0, 4, 1, 3] = np.nan

    def attended(q: Any, k: Any, v: Any, bias: Any) -> Any:
        return nn.dot_product_attention(q, k, v, bias)

    with stand_ins():
        (got,) = run_on_gpu(jitgrad.make_graph(attended)(q, k, v, bias), [q, k, v, bias])
    want = attended(*[x.astype(np.float64) for x in (q, k, v, bias)])
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)
    assert np.isnan(got[0, 2, 1]).all() and np.isnan(got[0, 4, 1]).all() and np.isnan(got).sum() == 32


def test_a_gradient_of_float16_is_finite_where_products_with_its_cotangent_are_beyond_float16() -> None:
    """c @ v.T is up to 100,000 and more; the cotangents of its scores, times the weights, are not."""
    rng = np.random.default_rng(0)
    q, k, v, c = (rng.normal(size=(1, 40, 2, 64)) * scale for scale in (0.3, 0.01, 40, 300))
    arrays = [x.astype(np.float16) for x in (q, k, v, c)]
    assert np.abs(np.einsum("bqhf,bkhf->bhqk", *[a.astype("f4") for a in (arrays[3], arrays[2])])).max() > 1e5

    def gradients(q: Any, k: Any, v: Any, c: Any) -> Any:
        return jitgrad.vjp(jitgrad.nn.dot_product_attention, q, k, v)[1](c)

    want = gradients(*[jnp.asarray(a.astype(np.float64)) for a in arrays])
    with stand_ins():
        for g, w in zip(run_on_gpu(jitgrad.make_graph(gradients)(*arrays), arrays), want, strict=True):
            np.testing.assert_allclose(g.astype("f8"), w, rtol=0, atol=2**-10 * np.abs(w).max())


def test_a_query_whose_bias_hides_all_that_it_sees_is_the_formulas() -> None:
    """It sees what is hidden by its position alike, of all tiles of keys."""
    arrays, bias = inputs("float32", 1, 5, 70, 1, 1, 16), np.zeros((1, 1, 5, 1), np.float32)
    bias[0, 0, 2], bias[0, 0, 4] = -np.inf, np.finfo(np.float32).min
    f = with_gradients(is_causal=True)
    want = f(*[jnp.asarray(a.astype(np.float64)) for a in arrays], {"bias": bias})
    with stand_ins():
        got = run_on_gpu(jitgrad.make_graph(f)(*arrays, {"bias": bias}), [*arrays, bias])
    assert_close(got[:1] + got[2:], (want[0], *want[2:]), NEAR["float32"])


def loss(q: Any, k: Any, v: Any) -> Any:
    return jnp.sum(jnp.sin(nn.dot_product_attention(q, k, v, is_causal=True)))


def repeated(q: Any, k: Any, v: Any) -> Any:
    return jnp.sum(lax.scan(lambda c, _: (nn.dot_product_attention(c, k, v, is_causal=True), None), q, None, length=3)[0])


GRADIENT = jitgrad.grad(loss, argnums=(0, 1, 2))
BOTH = ["attention_forward", "attention_gradient"]
TRANSFORMED: dict[str, tuple[Any, list[str]]] = {
    "vmap of grad": (lambda q, k, v: jitgrad.vmap(GRADIENT)(*[jnp.stack([x, 2 * x]) for x in (q, k, v)]), BOTH),
    "vmap of grad, one value": (
        lambda q, k, v: jitgrad.vmap(GRADIENT, in_axes=(0, 0, None))(jnp.stack([q, 2 * q]), jnp.stack([k, 2 * k]), v), BOTH
    ),
    "grad of vmap": (
        jitgrad.grad(lambda q, k, v: jnp.sum(jitgrad.vmap(loss)(*[jnp.stack([x, 2 * x]) for x in (q, k, v)])), argnums=(0, 1)), BOTH
    ),
    "grad of vmap, one query": (
        jitgrad.grad(lambda q, k, v: jnp.sum(jitgrad.vmap(loss, in_axes=(None, 0, None))(q, jnp.stack([k, 2 * k]), v))), []
    ),
    "vmap of grad of vmap": (
        lambda q, k, v: jitgrad.vmap(jitgrad.grad(lambda keys: jnp.sum(
            jitgrad.vmap(lambda k: nn.dot_product_attention(q, k, v))(keys))))(jnp.stack([jnp.stack([k, 2 * k])] * 3)),
        [],
    ),
    "grad of some operands": (jitgrad.grad(loss, argnums=1), BOTH),
    "checkpoint": (jitgrad.grad(jitgrad.checkpoint(loss)), BOTH),
    "scan": (jitgrad.grad(repeated, argnums=(0, 1, 2)), BOTH),
    "scan of checkpoints": (
        jitgrad.grad(lambda q, k, v: jnp.sum(lax.scan(
            jitgrad.checkpoint(lambda c, _: (nn.dot_product_attention(c, k, v), None)), q, None, length=2)[0])),
        ["attention_forward", "attention_forward", "attention_gradient"],
    ),
    "jvp": (lambda q, k, v: jitgrad.jvp(loss, (q, k, v), (k, q, k)), []),
    "grad of grad": (jitgrad.grad(lambda q, k, v: jnp.sum(jitgrad.grad(loss)(q, k, v) ** 2)), []),
    "jacrev": (
        lambda q, k, v: jitgrad.jacrev(lambda q: nn.dot_product_attention(q, k, v)[0, 0, 0, :2])(q), BOTH
    ),
}  # fmt: skip
"""Functions of a query, a key and a value, and which kernels of attention they have on a GPU."""


@pytest.mark.parametrize("name", TRANSFORMED)
def test_transformed_attention_is_that_of_the_processor(name: str) -> None:
    f, kernels = TRANSFORMED[name]
    arrays = drawn("float32", *[(2, 7, 1, 16)] * 3)
    assert kept_on_chip(f, *arrays) == kernels
    with stand_ins():
        got = run_on_gpu(jitgrad.make_graph(f)(*arrays), arrays)
    assert_close(got, f(*[jnp.asarray(a.astype(np.float64)) for a in arrays]), 1e-5)


def test_gradients_by_the_bias_dropout_and_other_sizes_and_types_take_the_formula() -> None:
    q, bias = drawn("float32", (1, 9, 2, 16), (1, 2, 9, 9))
    wide, odd = q.astype(np.float64), q[..., :12]

    def biased(q: Any, bias: Any) -> Any:
        return jnp.sum(nn.dot_product_attention(q, q, q, bias))

    assert kept_on_chip(jitgrad.grad(biased, argnums=(0, 1)), q, bias) == []
    assert kept_on_chip(jitgrad.grad(biased), q, bias) == BOTH
    for x in (wide, odd):
        assert kept_on_chip(lambda x: nn.dot_product_attention(x, x, x), x) == []
    layer = nn.MultiHeadAttention(32, 2, dropout=0.5, key=jitgrad.random.key(0))
    tokens = np.zeros((1, 9, 32), np.float32)
    assert kept_on_chip(lambda x: nn.apply(layer, x, train=True, key=jitgrad.random.key(1))[0], tokens) == []
    assert kept_on_chip(layer, tokens) == ["attention_forward"]


def test_eager_attention_on_a_gpu_is_a_kernel_of_its_own() -> None:
    arrays = drawn("float32", *[(1, 9, 2, 16)] * 3)
    want = nn.dot_product_attention(*[a.astype(np.float64) for a in arrays])
    with stand_ins() as (device,):
        got = nn.dot_product_attention(*[jitgrad.device_put(a, "cuda") for a in arrays])
        np.testing.assert_allclose(np.asarray(got), want, rtol=1e-5, atol=1e-6)
        assert sum(device.launched.values()) == 1


def steps_of(dtype: str, queries: int, heads: int, shared: int, features: int) -> tuple[Any, list[Step]]:
    of_query, of_key = (1, queries, heads, features), (1, queries, shared, features)
    arrays = [jnp.zeros(s, dtype) for s in (of_query, of_key, of_key)]
    program = compile_program(jitgrad.make_graph(GRADIENT)(*arrays), device_tuning())
    return program, [s for s in program.steps if isinstance(s, Step)]


def test_a_block_has_some_rows_of_a_head_and_scores_are_not_in_memory() -> None:
    program, steps = steps_of("bfloat16", 8192, 4, 2, 64)
    blocks = [s.phase.blocks for s in steps if s.phase.shared_bytes]
    assert blocks == [8192 // 128 * 4, 8192 // 128 * 4, 8192 // 128 * 2]
    assert program.lowered.memory.arena_bytes < 8192 * 4 * 64 * 16
    assert all(s.phase.shared_bytes <= MOST_SHARED for s in steps)


@pytest.mark.skipif(assembler() is None, reason="ptxas comes with the extra test")
@pytest.mark.parametrize(
    ("dtype", "features", "target"),
    [("float32", 64, "sm_80"), ("float32", 128, "sm_90"), ("bfloat16", 64, "sm_90"), ("bfloat16", 128, "sm_80"),
     ("float16", 64, "sm_80"), ("float16", 16, "sm_100")],
)  # fmt: skip
def test_kernels_of_attention_keep_what_they_have_in_registers(dtype: str, features: int, target: str) -> None:
    program, _ = steps_of(dtype, 256, 4, 2, features)
    capability = {"sm_80": (8, 0), "sm_90": (9, 0), "sm_100": (10, 0)}[target]
    for module in program.modules:
        text = ptx(module.text, capability)
        kernels = assemble(text, target).kernels
        assert kernels and not any(k.spill_loads or k.spill_stores or k.stack for k in kernels.values())
        assert not wide_floats(text) and "cp.async" in text
        assert ("mma.sync" in text) == (dtype != "float32")


def test_its_sums_are_read_16_bytes_at_once() -> None:
    program, _ = steps_of("bfloat16", 256, 2, 2, 64)
    assert loads("\n".join(ptx(m.text, (9, 0)) for m in program.modules))[16] == 2
