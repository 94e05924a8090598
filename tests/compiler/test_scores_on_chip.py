"""Which equations of attention a target with kernels of it has, by their text."""

from __future__ import annotations

import numpy as np

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import lax, nn
from jitgrad_compiler.ir import Graph, verify
from jitgrad_compiler.passes.pipeline import prepare
from jitgrad_compiler.passes.scores_on_chip import keep_scores_on_chip

Q, K = np.zeros((2, 9, 4, 16), np.float32), np.zeros((2, 7, 2, 16), np.float32)


def lines(graph: Graph) -> list[str]:
    """The graph, each program inside an equation in lines of its own, attention's left out."""
    names = {v: f"v{n}" for n, v in enumerate([*graph.inputs, *[v for e in graph.eqns for v in e.outputs]])}
    found = []
    for e in graph.eqns:
        outs = " ".join(f"{names[v]}:{v.type}" for v in e.outputs)
        found.append(f"{outs} = {e.op.name} {' '.join(names.get(a, 'number') for a in e.inputs)}")
        if not e.op.name.startswith("attention"):
            found += [f"  {line}" for g in e.graphs for line in lines(g)]
    return found


def kept(f, *args) -> list[str]:
    graph = keep_scores_on_chip(jitgrad.make_graph(f)(*args))
    verify(graph, "keep_scores_on_chip")
    assert keep_scores_on_chip(graph) == graph
    return lines(graph)


def loss(q, k, v):
    return jnp.sum(nn.dot_product_attention(q, k, v))


def test_a_gradient_reads_no_scores():
    assert kept(jitgrad.grad(loss, argnums=(0, 2)), Q, K, K) == [
        "v3:f32[2,9,4,16] v4:f32[2,9,4] v5:f32[2,9,4] = attention_forward v0 v1 v2",
        "v6:f32[2,9,4,16] = broadcast number",
        "v7:f32[2,9,4,16] v8:f32[2,7,2,16] = attention_gradient v0 v1 v2 v3 v4 v5 v6",
    ]


def test_a_loop_stacks_no_scores():
    def repeated(q, k):
        return jnp.sum(lax.scan(lambda c, _: (nn.dot_product_attention(c, k, k), None), q, None, length=3)[0])

    assert kept(jitgrad.grad(repeated), Q, K) == [
        "v2:f32[2,9,4,16] v3:f32[3,2,9,4,16] v4:f32[3,2,9,4,16] v5:f32[3,2,9,4] v6:f32[3,2,9,4] = scan v1 v0",
        "  v2:f32[2,9,4,16] v3:f32[2,9,4] v4:f32[2,9,4] = attention_forward v1 v0 v0",
        "v7:f32[2,9,4,16] = broadcast number",
        "v8:f32[2,9,4,16] = scan v1 v7 v3 v4 v5 v6",
        "  v6:f32[2,9,4,16] = attention_gradient v2 v0 v0 v3 v4 v5 v1",
    ]


def test_residuals_that_somebody_reads_are_the_formulas():
    """Of a linear part that is not transposed, as forward mode has it."""

    def pushed(q, k):
        out, push = jitgrad.linearize(lambda q: nn.dot_product_attention(q, k, k), q)
        return out, push(q)

    assert not any("attention" in line for line in kept(pushed, Q, K))


def test_a_program_for_a_target_without_kernels_has_none():
    graph = jitgrad.make_graph(jitgrad.grad(loss))(Q, K, K)
    assert not any("attention" in line for line in lines(prepare(graph)))
    assert [line for line in lines(prepare(graph, on_chip=True)) if "attention" in line]
