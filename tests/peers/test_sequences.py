"""nn.dot_product_attention gives jax's numbers and gradients, whole and in tiles; nn.ctc_loss Optax's. Extra `test-peers`."""

from __future__ import annotations

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import nn
from jitgrad.nn import attention

RANDOM = np.random.default_rng(0)
MASK = RANDOM.random((2, 1, 40, 40)) > 0.3
MASK[0, 0, 3] = False
LENGTHS = np.array([5, 40], np.int32)
OPTIONS = {
    "causal": dict(is_causal=True), "window": dict(local_window_size=(4, 3)),
    "causal window": dict(local_window_size=5, is_causal=True), "mask": dict(mask=MASK),
    "lengths": dict(query_seq_lengths=LENGTHS, key_value_seq_lengths=LENGTHS), "scale": dict(scale=0.3),
    "all": dict(mask=MASK, is_causal=True, key_value_seq_lengths=LENGTHS),
}  # fmt: skip


@pytest.mark.parametrize("tiled", [False, True])
@pytest.mark.parametrize("case", OPTIONS)
def test_attention_is_jaxs(case, tiled, monkeypatch):
    jax = pytest.importorskip("jax")
    if tiled:
        monkeypatch.setattr(attention, "PLAIN_SCORES", 0)
        monkeypatch.setattr(attention, "TILE_SCORES", 600)
    shapes = (2, 40, 4, 8), (2, 40, 2, 8), (2, 40, 2, 8), (1, 4, 1, 40)
    q, k, v, bias = (RANDOM.standard_normal(shape).astype(np.float32) for shape in shapes)
    weights = RANDOM.standard_normal(q.shape).astype(np.float32)

    def numbers(function, sum_, value_and_grad):
        def loss(*args):
            out, residual = function(*args, return_residual=True, **OPTIONS[case])
            return sum_(out * weights), (out, residual)

        return value_and_grad(loss, argnums=(0, 1, 2, 3), has_aux=True)(q, k, v, bias)

    got = numbers(nn.dot_product_attention, jnp.sum, jitgrad.value_and_grad)
    want = numbers(jax.nn.dot_product_attention, jax.numpy.sum, jax.value_and_grad)
    for a, b in zip(jitgrad.tree.leaves(got), jax.tree.leaves(want), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=2e-5)


def test_ctc_loss_is_optaxs():
    optax = pytest.importorskip("optax")
    logits, labels = RANDOM.standard_normal((4, 12, 5)).astype(np.float32), RANDOM.integers(1, 5, (4, 3))
    frames, spelt = np.zeros((4, 12), np.float32), np.zeros((4, 3), np.float32)
    frames[2, 9:], spelt[1, 1:] = 1, 1
    args = logits, frames, labels, spelt
    np.testing.assert_allclose(nn.ctc_loss(*args), optax.ctc_loss(*args), rtol=1e-5)
