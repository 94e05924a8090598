"""Ahead of time: `jit(f).lower(...).compile()`, what a program tells of itself, and how many kernels it has."""

from __future__ import annotations

import numpy as np
import pytest

import jitgrad.numpy as jnp
from jitgrad import ShapeDtypeStruct, errors, grad, jit, nn, tree, value_and_grad, vmap
from jitgrad.testing import assert_close

LARGE = 1 << 16


# Ahead of time


def test_lower_and_compile_give_a_program_that_is_called_with_arrays():
    def f(x, y):
        return jnp.sum(jnp.tanh(x @ y), 1)

    compiled = jit(f).lower(ShapeDtypeStruct((64, 32), "float32"), ShapeDtypeStruct((32, 16), "float32")).compile()
    x, y = np.ones((64, 32), np.float32) / 32, np.ones((32, 16), np.float32)
    assert_close(compiled(x, y), np.full(64, 16 * np.tanh(1), np.float32))
    with pytest.raises(errors.ArgumentError, match=r"compiled for f32\[64,32\].*got f32\[64,31\]"):
        compiled(np.ones((64, 31), np.float32), y)


def test_a_compiled_program_tells_its_costs_and_memory():
    compiled = jit(lambda x, y: jnp.exp(x @ y)).lower(np.ones((64, 32), np.float32), np.ones((32, 16), np.float32)).compile()
    costs = compiled.cost_analysis()
    assert costs["flops"] >= 2 * 64 * 32 * 16
    assert costs["transcendentals"] == 64 * 16
    assert costs["bytes accessed"] == 4 * (64 * 32 + 32 * 16 + 64 * 16)
    memory = compiled.memory_analysis()
    assert memory.argument_size_in_bytes == 4 * (64 * 32 + 32 * 16)
    assert memory.output_size_in_bytes == 4 * 64 * 16
    assert memory.generated_code_size_in_bytes > 0
    donating = jit(lambda x: x + 1, donate_argnums=0).lower(np.ones(LARGE, np.float32)).compile()
    assert donating.memory_analysis().alias_size_in_bytes == 4 * LARGE


def test_a_compiled_program_shows_its_kernels_and_code():
    lowered = jit(lambda x: jnp.sum(jnp.exp(x) * 2)).lower(np.ones((64, 32), np.float32))
    assert "exp" in lowered.as_text()
    compiled = lowered.compile()
    (kernel,) = compiled.kernels
    assert set(kernel.fused) >= {"exp", "mul", "reduce_sum"}
    assert (kernel.bytes_read, kernel.bytes_written) == (4 * 64 * 32, 4)
    assert "add over" in kernel.text
    assert kernel.text in compiled.as_text()
    assert "define" in compiled.llvm_ir()
    assert compiled.assembly().strip()


def test_static_arguments_are_given_to_lower_and_left_out_of_the_call():
    compiled = jit(lambda x, n, mode: getattr(x**n, mode)(), static_argnums=(1, 2)).lower(np.arange(3.0), 2, "sum").compile()
    assert float(compiled(np.arange(3.0))) == 5


def test_eval_shape_of_a_jitted_function_gives_shapes():
    found = jit(lambda x, n: {"a": x[:n], "b": 1.0}, static_argnums=1).eval_shape(np.ones((4, 3)), 2)
    assert found == {"a": ShapeDtypeStruct((2, 3), np.float64), "b": ShapeDtypeStruct((), np.float32)}


def test_a_compiled_program_refuses_traced_values():
    compiled = jit(jnp.sin).lower(np.ones(3)).compile()
    for transform in (jit, vmap, grad):
        with pytest.raises(errors.ConcretizationTypeError, match="compiled sin needs concrete arrays.*use the jitted function"):
            transform(lambda x: jnp.sum(compiled(x)))(np.ones((3, 3)) if transform is vmap else np.ones(3))


# Fusion


def cross_entropy(logits, targets):
    shifted = logits - jnp.max(logits, axis=1, keepdims=True)
    return -jnp.mean(jnp.sum((shifted - jnp.log(jnp.sum(jnp.exp(shifted), axis=1, keepdims=True))) * targets, axis=1))


@pytest.mark.parametrize(
    ("loss", "encode"),
    [
        (cross_entropy, lambda labels: np.eye(100, dtype=np.float32)[labels]),
        (lambda z, y: -jnp.mean(jnp.sum(nn.log_softmax(z) * y, -1)), lambda labels: np.eye(100, dtype=np.float32)[labels]),
        (lambda z, y: -jnp.mean(jnp.sum(nn.log_softmax(z) * nn.one_hot(y, 100), -1)), lambda labels: labels),
    ],
    ids=["written out", "log_softmax", "integer labels"],
)
def test_softmax_cross_entropy_with_its_gradient_is_at_most_two_kernels(loss, encode):
    logits, labels = np.random.default_rng(0).standard_normal((64, 100)).astype(np.float32), np.arange(64) % 100
    f = jit(value_and_grad(loss))
    assert len(f.lower(logits, encode(labels)).compile().kernels) <= 2
    value, gradient = f(logits, encode(labels))
    wide = logits.astype(np.float64)
    probabilities = np.exp(wide) / np.exp(wide).sum(1, keepdims=True)
    assert_close(value, -np.log(probabilities[np.arange(64), labels]).mean().astype(np.float32), 1e-5)
    probabilities[np.arange(64), labels] -= 1
    assert_close(gradient, (probabilities / 64).astype(np.float32), 1e-4, 1e-7)


def layer_norm(x, scale, shift):
    centred = x - x.mean(-1, keepdims=True)
    return centred / jnp.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5) * scale + shift


def test_layer_norm_with_three_gradients_is_at_most_three_kernels():
    rng = np.random.default_rng(1)
    x, scale, shift, weights = (rng.standard_normal(s).astype(np.float32) for s in ((64, 96), 96, 96, (64, 96)))

    def loss(x, scale, shift, weights):
        return jnp.sum(layer_norm(x, scale, shift) * weights)

    f = jit(value_and_grad(loss, argnums=(0, 1, 2)))
    assert len(f.lower(x, scale, shift, weights).compile().kernels) <= 3
    wide = [a.astype(np.float64) for a in (x, scale, shift, weights)]
    assert_close(
        f(x, scale, shift, weights),
        tree.map(lambda a: np.asarray(a, np.float32), value_and_grad(loss, argnums=(0, 1, 2))(*wide)),
        1e-4,
        1e-4,
    )
