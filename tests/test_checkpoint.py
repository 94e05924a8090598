"""checkpoint: derivatives are the function's own, and memory is what the policy says."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import (
    checkpoint,
    checkpoint_name,
    custom_jvp,
    errors,
    grad,
    hessian,
    jacfwd,
    jit,
    jvp,
    linearize,
    make_graph,
    vjp,
    vmap,
)
from jitgrad import checkpoint_policies as policies
from jitgrad.testing import assert_close, check_grads
from jitgrad_compiler.ir import parse, verify
from jitgrad_compiler.ir.builder import bind_all
from jitgrad_compiler.kernels.fuse import fuse
from jitgrad_compiler.kernels.memory import plan_memory
from jitgrad_compiler.kernels.tuning import Tuning
from jitgrad_compiler.ops.control import rowwise, scan
from jitgrad_compiler.passes.linearize import linearize_graph
from jitgrad_compiler.passes.pipeline import prepare

X = np.array([0.3, -1.2, 2.0])
RNG = np.random.default_rng(0)
W = RNG.standard_normal((3, 3))

POLICIES = {
    "default": None,
    "everything": policies.everything_saveable,
    "nothing": policies.nothing_saveable,
    "dots": policies.dots_saveable,
    "dots without batch": policies.dots_with_no_batch_dims_saveable,
    "only h": policies.save_only_these_names("h"),
    "names but h": policies.save_any_names_but_these("h"),
    "all but h": policies.save_anything_except_these_names("h"),
    "both": policies.save_from_both_policies(policies.dots_saveable, policies.save_only_these_names("h")),
}


def block(x, w=W):
    h = checkpoint_name(jnp.sin(x @ w), "h")
    return x + jnp.tanh(h @ w) * h


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES.keys())
@pytest.mark.parametrize("prevent_cse", [True, False])
def test_derivatives_are_the_functions_own_under_every_policy(policy, prevent_cse):
    again = checkpoint(block, policy=policy, prevent_cse=prevent_cse)

    def loss(f):
        return lambda x, w: f(f(x, w), w).sum()

    for wrap in (lambda f: f, jit):
        for order in (lambda f: grad(f, (0, 1)), lambda f: grad(lambda x, w: grad(f, 1)(x, w).sum()), hessian, jacfwd):
            assert_close(wrap(order(loss(again)))(X, W), order(loss(block))(X, W), 1e-9, 1e-10)
            assert_close(order(jit(loss(again)))(X, W), order(loss(block))(X, W), 1e-9, 1e-10)
    xs = RNG.standard_normal((4, 3))
    batched = vmap(grad(loss(again)), in_axes=(0, None))(xs, W)
    assert_close(batched, vmap(grad(loss(block)), in_axes=(0, None))(xs, W), 1e-9)
    assert_close(grad(lambda w: vmap(again, (0, None))(xs, w).sum())(W), grad(lambda w: block(xs, w).sum())(W), 1e-9)


def test_third_derivatives_agree_with_differences():
    check_grads(checkpoint(block), (X, W), order=2)
    check_grads(jit(checkpoint(checkpoint(lambda x: jnp.sin(x) * jnp.exp(x)))), (X,), order=3)


def kept(f, *args):
    """The types of the values that the reverse mode of f keeps."""
    graph = make_graph(f)(*args)
    parts = linearize_graph(graph, [n < len(args) for n in range(len(graph.inputs))])
    return [str(t) for t in parts.forward.output_types[1:]]


def test_only_the_arguments_are_kept():
    f = checkpoint(lambda x: jnp.sin(jnp.exp(jnp.sin(x))))
    assert kept(f, X) == ["f64[3]"]
    assert len(kept(lambda x: jnp.sin(jnp.exp(jnp.sin(x))), X)) > 1


@pytest.mark.parametrize(
    ("policy", "wanted"),
    [
        (None, ["f64[2,3]", "f64[3,5]"]),
        (policies.save_only_these_names("h"), ["f64[2,3]", "f64[3,5]", "f64[2,5]"]),
        (policies.save_any_names_but_these("h"), ["f64[2,3]", "f64[3,5]"]),
        (policies.dots_saveable, ["f64[2,3]", "f64[3,5]", "f64[2,5]", "f64[2,2]"]),
        (policies.dots_with_no_batch_dims_saveable, ["f64[2,3]", "f64[3,5]", "f64[2,5]", "f64[2,2]"]),
        (policies.save_from_both_policies(policies.save_only_these_names("h"), policies.dots_saveable), 5),
    ],
)
def test_a_policy_says_what_else_is_kept(policy, wanted):
    def f(x, w):
        h = checkpoint_name(jnp.exp(x @ w), "h")
        return jnp.sin(jnp.sin(h) @ jnp.sin(h).T)

    found = kept(checkpoint(f, policy=policy), np.ones((2, 3)), np.ones((3, 5)))
    assert (len(found) if isinstance(wanted, int) else found) == wanted


def test_contractions_with_batch_axes_are_computed_again_where_the_policy_says_so():
    def f(x):
        return jnp.sin(jnp.matmul(jnp.sin(x), jnp.cos(x)))

    x = np.ones((2, 3, 3))
    assert len(kept(checkpoint(f, policy=policies.dots_saveable), x)) == 2
    assert len(kept(checkpoint(f, policy=policies.dots_with_no_batch_dims_saveable), x)) == 1


def test_a_policy_sees_into_jitted_functions_inside():
    f = checkpoint(lambda x: jit(lambda y: jnp.sin(y @ W))(jnp.exp(x)), policy=policies.dots_saveable)
    assert len(kept(f, X)) == 3
    assert_close(grad(lambda x: f(x).sum())(X), grad(lambda x: jnp.sin(jnp.exp(x) @ W).sum())(X), 1e-10)


def memory(f, *args):
    """Bytes of intermediate values of f's gradient, without the compiler's scratch: nothing is compiled."""
    graph = prepare(make_graph(grad(f))(*args))
    kernels = fuse(graph, Tuning())
    return plan_memory(kernels, [0] * len(kernels), graph.inputs, graph.outputs).arena_bytes


def compiled_memory(f, *args):
    return jit(grad(f)).lower(*args).compile().memory_analysis().temp_size_in_bytes


def test_a_chain_of_checkpointed_blocks_needs_a_fraction_of_the_memory():
    def step(x, w):
        h = jnp.tanh(x @ w)
        return x + 0.1 * jnp.sin(h) + 0.01 * jnp.exp(-h)

    def loss(f):
        def run(w, x):
            for i in range(32):
                x = f(x, w[i])
            return (x * x).sum()

        return run

    w, x = RNG.standard_normal((32, 32, 32)).astype("f4"), RNG.standard_normal((64, 32)).astype("f4")
    array = x.nbytes
    plain, again = memory(loss(step), w, x), memory(loss(checkpoint(step)), w, x)
    assert plain > 90 * array
    assert again < 45 * array
    assert again < memory(loss(checkpoint(step, policy=policies.dots_saveable)), w, x) < plain
    assert memory(loss(checkpoint(step, policy=policies.everything_saveable)), w, x) == plain
    assert compiled_memory(loss(checkpoint(step)), w, x) < 0.5 * compiled_memory(loss(step), w, x)


def test_a_chain_of_elementwise_blocks_is_not_fused_with_its_second_computation():
    def step(x):
        for _ in range(6):
            x = jnp.tanh(x) + jnp.sin(x)
        return x

    def loss(f):
        def run(x):
            for _ in range(32):
                x = f(x)
            return x.sum()

        return run

    x = RNG.standard_normal((64, 64)).astype("f4")
    assert memory(loss(checkpoint(step)), x) < 0.3 * memory(loss(step), x)


def test_the_second_computation_is_shared_with_the_first_without_prevent_cse():
    def text(prevent_cse):
        f = checkpoint(lambda x: jnp.sin(jnp.sin(x)).sum(), prevent_cse=prevent_cse)
        return jit(jitgrad.value_and_grad(f)).lower(X).compile().as_text()

    assert text(False).count("sin(") < text(True).count("sin(")


def test_forward_mode_and_linearize_work():
    f = checkpoint(block)
    assert_close(jvp(f, (X, W), (X, W)), jvp(block, (X, W), (X, W)), 1e-10)
    assert_close(linearize(f, X, W)[1](X, W), jvp(block, (X, W), (X, W))[1], 1e-10)
    value, pullback = vjp(jit(f), X, W)
    assert_close(pullback(X), vjp(block, X, W)[1](X), 1e-10)


def test_pytrees_static_arguments_and_keywords():
    @partial(checkpoint, static_argnums=(1, -1))
    def f(tree, power, scale, plus):
        assert isinstance(power, int)
        return {"out": tree["a"] ** power * scale + (1.0 if plus else 0.0), "b": tree["b"]}

    def loss(tree, scale):
        return f(tree, 3, scale, True)["out"] + f(tree, 3, scale, False)["b"]

    assert_close(grad(loss, (0, 1))({"a": 2.0, "b": 1.0}, 5.0), ({"a": 60.0, "b": 1.0}, 8.0))
    g = checkpoint(lambda x, *, factor: x * factor)
    assert_close(jit(grad(lambda x, y: g(x, factor=y), (0, 1)))(2.0, 3.0), (3.0, 2.0))


def test_what_a_checkpointed_function_closes_over_is_differentiated():
    def loss(x, w):
        return checkpoint(lambda y: jnp.sin(y * w))(x)

    for f in (grad(loss, (0, 1)), jit(grad(loss, (0, 1))), grad(jit(loss), (0, 1))):
        assert_close(f(2.0, 3.0), (3 * np.cos(6.0), 2 * np.cos(6.0)), 1e-5)
    assert_close(grad(lambda w: loss(2.0, w))(3.0), 2 * np.cos(6.0), 1e-5)


def test_integers_pass_through():
    f = checkpoint(lambda x, n: (x * n, n + 1))
    assert float(grad(lambda x: f(x, 3)[0])(2.0)) == 3.0
    assert int(jit(f)(2.0, 3)[1]) == 4


def test_custom_derivatives_inside_hold():
    @custom_jvp
    def f(x):
        return x * x

    f.defjvps(lambda t, out, x: 100 * t)
    for again in (checkpoint(f), checkpoint(lambda x: f(f(x))), jit(checkpoint(f))):
        assert float(grad(again)(2.0)) in (100.0, 10000.0)


def test_names_change_nothing():
    assert checkpoint_name(3.0, "a") == 3.0
    assert_close(jit(grad(lambda x: checkpoint_name({"x": x}, "a")["x"] ** 2))(3.0), 6.0)
    assert "name" not in jit(lambda x: checkpoint_name(x, "a") + 1).lower(X).compile().as_text()


def test_loops_of_checkpointed_steps_and_checkpointed_loops():
    def loss(f, wrap=lambda f: f):
        body = make_graph(lambda w, c: (f(c, w), f(c, w)))(W, X)

        def run(x):
            outs = bind_all(scan, jnp.asarray(W), jnp.asarray(x), body=body, consts=1, carry=1, length=3, reverse=False, unroll=1)
            return outs[1].sum()

        return wrap(run)

    wanted = grad(loss(block))(X)
    assert_close(grad(loss(checkpoint(block)))(X), wanted, 1e-10)
    assert_close(grad(loss(block, checkpoint))(X), wanted, 1e-10)
    assert_close(grad(lambda x: grad(loss(checkpoint(block)))(x).sum())(X), grad(lambda x: grad(loss(block))(x).sum())(X), 1e-9)
    graph = make_graph(checkpoint(jnp.sin))(np.asarray(1.0))
    rows = grad(lambda x: bind_all(rowwise, jnp.asarray(x), graph=graph, mapped=(True,), size=3)[0].sum())(X)
    assert_close(rows, np.cos(X), 1e-10)


def test_the_equation_reads_back():
    graph = verify(make_graph(checkpoint(block, policy=policies.save_only_these_names("a", "b")))(X, W))
    assert [e.op.name for e in graph.eqns] == ["checkpoint"]
    assert parse(str(graph)) == graph


def test_arguments_that_cannot_be_used_are_named():
    with pytest.raises(errors.ArgumentError, match="checkpoint needs a function, got int"):
        checkpoint(3)
    with pytest.raises(errors.ArgumentError, match="policy must be one of jitgrad.checkpoint_policies, got <function"):
        checkpoint(block, policy=lambda *args, **params: True)
    with pytest.raises(errors.NonHashableStaticArgumentError, match=r"static argument 1 must be hashable, got list: '\[1\]'"):
        jit(lambda x: checkpoint(lambda x, n: x, static_argnums=1)(x, [1]))(1.0)
    with pytest.raises(errors.ArgumentError, match="static_argnums names argument 2, but the call has 1"):
        grad(checkpoint(lambda x: x, static_argnums=2))(1.0)
    with pytest.raises(errors.NotAnArrayError, match="checkpoint of <lambda>: argument 1 must be an array or a number, got str"):
        grad(checkpoint(lambda x, s: x))(1.0, "text")
    with pytest.raises(errors.ArgumentError, match="the name must be a string, got 3"):
        checkpoint_name(1.0, 3)
    with pytest.raises(errors.ArgumentError, match="save_only_these_names takes names, .* got 3"):
        policies.save_only_these_names(3)


def test_keyword_arguments_may_be_static():
    @partial(checkpoint, static_argnames="mode")
    def f(x, mode="once"):
        return jnp.sin(x) if mode == "once" else 2 * jnp.sin(x)

    assert float(grad(lambda x: f(x, mode="twice"))(0.0)) == 2.0
    assert float(jit(grad(lambda x: f(x)))(0.0)) == 1.0
    with pytest.raises(errors.NonHashableStaticArgumentError, match="static argument 'mode' must be hashable, got list"):
        grad(lambda x: f(x, mode=["twice"]))(0.0)
