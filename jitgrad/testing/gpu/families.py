"""A program for each family of kernels, large enough that it has several blocks and a remainder: what compute-sanitizer watches."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import lax, nn, random
from jitgrad.nn import losses
from jitgrad.scipy import special

from .checks import Check, on_both


def _numbers(*shape: int, dtype: str = "f4") -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype(dtype)


def _integers(below: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, below, shape)


def _few(*shape: int) -> np.ndarray:
    """Small integers, as float32: products and sums of them are exact."""
    return (_integers(7, *shape) - 3).astype("f4")


def _of_16_bits(spelt: str) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    sizes = {"m": 136, "n": 264, "k": 200}
    operands = [_numbers(*[sizes[s] for s in term], dtype="f2") / np.float16(16) for term in spelt.split(",")]
    return lambda x, y: jnp.einsum(f"{spelt}->mn", x, y), tuple(operands)


def _in_tf32(x: Any, y: Any) -> Any:
    return jnp.matmul(x, y, precision="tensorfloat32")


def _cross_entropy(x: Any, y: Any) -> Any:
    return -(jnp.log(jnp.take_along_axis(nn.softmax(x), y[:, None], 1))).mean()


def _layer_norm(x: Any, scale: Any, shift: Any) -> Any:
    centred = x - x.mean(-1, keepdims=True)
    return (centred * lax.rsqrt((centred**2).mean(-1, keepdims=True) + 1e-5) * scale + shift).sum(0)


def _attention(q: Any, k: Any, v: Any) -> Any:
    return nn.softmax(jnp.einsum("bqhd,bkhd->bhqk", q, k) / 8) @ v.swapaxes(1, 2)


def _factorizations(x: Any) -> Any:
    """By a library where one is installed; without what may have another sign."""
    q, r = jnp.linalg.qr(x)
    square = x.mT @ x + jnp.eye(30)
    return q @ r, jnp.abs(r), jnp.linalg.cholesky(square), jnp.linalg.solve(square, x.mT), jnp.linalg.slogdet(square)


def _spectra(x: Any, y: Any) -> Any:
    w, v = jnp.linalg.eigh(x + x.mT)
    u, s, vh = jnp.linalg.svd(y, full_matrices=False)
    return w, (v * w[:, None, :]) @ v.mT, s, (u * s[:, None, :]) @ vh


def _small_loop(x: Any) -> Any:
    return lax.while_loop(lambda s: s[1] < 100, lambda s: (jnp.sin(s[0]) + 0.1, s[1] + 1), (x, 0))[0]


def _random(key: Any) -> Any:
    key = random.wrap_key_data(key)
    return random.bits(key, (1001,)), random.normal(key, (1001,))


def _large_loop(x: Any, w: Any) -> Any:
    return lax.scan(lambda c, _: (jnp.tanh(c @ w), c.sum()), x, length=5)


PROGRAMS: dict[str, Callable[[], tuple[Callable[..., Any], tuple[Any, ...]]]] = {
    "map": lambda: (lambda x, y: jnp.exp(-x) * y + jnp.tanh(x), (_numbers(10_007), _numbers(10_007))),
    "map of 16 bits": lambda: (lambda x: x * 2 + 1, (_numbers(3001, dtype="f2"),)),
    "map of broadcasts": lambda: (lambda x, y: x[:, None] * y + 1, (_numbers(130), _numbers(70))),
    "reduce": lambda: (lambda x: (x.sum(), x.max(), x.argmin()), (_numbers(100_003),)),
    "reduce leading axes": lambda: (lambda x: (x.sum(0), x.max((0, 1))), (_numbers(70, 33, 40),)),
    "rows, short": lambda: (lambda x: nn.softmax(x), (_numbers(301, 40),)),
    "rows, long": lambda: (lambda x: nn.softmax(x), (_numbers(5, 20_011),)),
    "softmax cross-entropy": lambda: (jitgrad.value_and_grad(_cross_entropy), (_numbers(200, 130), _integers(130, 200))),
    "layer norm": lambda: (_gradients(_layer_norm), (_numbers(300, 96), _numbers(96), _numbers(96))),
    "transpose": lambda: (lambda x: (x.T + 1, x.swapaxes(0, 1) * 2), (_numbers(130, 70),)),
    "contract": lambda: (lambda x, y: x @ y, (_numbers(150, 200), _numbers(200, 130))),
    "contract with epilogue": lambda: (lambda x, w, b: nn.gelu(x @ w + b), (_numbers(129, 64), _numbers(64, 130), _numbers(130))),
    "contract of 16 bits": lambda: (lambda x, y: x @ y, (_numbers(128, 128, dtype="f2"), _numbers(128, 256, dtype="f2"))),
    **{f"contract of 16 bits, {spelt}": lambda spelt=spelt: _of_16_bits(spelt) for spelt in ("km,kn", "mk,nk", "km,nk")},  # type: ignore[misc]
    "contract in TF32": lambda: (_in_tf32, (_few(150, 200), _few(200, 130))),
    "contract in TF32, transposed": lambda: (lambda x, y: _in_tf32(x.T, y.T), (_few(200, 152), _few(136, 200))),
    "convolution of 16 bits": lambda: (
        lambda x, w: lax.conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")),
        (_numbers(2, 9, 9, 96, dtype="f2"), _numbers(3, 3, 96, 104, dtype="f2") / np.float16(32)),
    ),
    "contract, batched": lambda: (lambda x, y: jnp.einsum("bij,bkj->bik", x, y), (_numbers(3, 40, 50), _numbers(3, 60, 50))),
    "convolution": lambda: (
        _gradients(lambda x, w: lax.conv_general_dilated(x, w, (1, 1), "SAME")),
        (_numbers(2, 8, 17, 17), _numbers(16, 8, 3, 3)),
    ),
    "pool": lambda: (_gradients(lambda x: nn.max_pool(x, (2, 2), (2, 2))), (_numbers(2, 18, 18, 5),)),
    "attention, written out": lambda: (_gradients(_attention), tuple(_numbers(2, 65, 3, 16) for _ in range(3))),
    "attention": lambda: (
        _gradients(nn.dot_product_attention), (_numbers(2, 70, 4, 32), *[_numbers(2, 65, 2, 32) for _ in range(2)])
    ),
    "attention of 16 bits": lambda: (
        _gradients(lambda *qkv: nn.dot_product_attention(*qkv, is_causal=True).astype("float32")),
        tuple(_numbers(2, 150, 2, 64, dtype="f2") for _ in range(3)),
    ),
    "gather": lambda: (lambda x, i: x[i], (_numbers(100, 30), _integers(100, 257))),
    "scatter": lambda: (lambda x, i, u: x.at[i].add(u), (_numbers(50, 7), _integers(50, 1000), _numbers(1000, 7))),
    "sort": lambda: (lambda x: (jnp.sort(x), jnp.argsort(x)), (_numbers(5, 1001),)),
    "translated functions": lambda: (lambda x: (special.gammaln(x), special.digamma(x)), (np.abs(_numbers(301)) + 0.1,)),
    "cumulative": lambda: (lambda x: (jnp.cumsum(x, 1), jnp.cumsum(x, 0), lax.cummax(x, 1)), (_numbers(50, 3001),)),
    "loop in registers": lambda: (_small_loop, (_numbers(3),)),
    "loops of rows": lambda: (jitgrad.vmap(_small_loop), (_numbers(300),)),
    "loop in memory": lambda: (_large_loop, (_numbers(40, 64), _numbers(64, 64))),
    "branch": lambda: (lambda x: lax.cond(x.sum() > 0, jnp.sin, jnp.cos, x), (_numbers(1001),)),
    "linear algebra": lambda: (lambda x: jnp.linalg.solve(x @ x.T + 20 * jnp.eye(20), x), (_numbers(20, 20),)),
    "factorizations": lambda: (_factorizations, (_numbers(3, 40, 30, dtype="f8"),)),
    "spectra": lambda: (_spectra, (_numbers(2, 40, 40, dtype="f8"), _numbers(5, 20, 12, dtype="f8"))),
    "loss by labels": lambda: (
        jitgrad.grad(lambda x, y: losses.cross_entropy(x, y)),
        (_numbers(301, 130), _integers(130, 301)),
    ),
    "fft": lambda: (lambda x: jnp.abs(jnp.fft.fft(x)), (_numbers(3, 60),)),
    "random numbers": lambda: (_random, (np.array([1, 2], np.uint32),)),
}  # fmt: skip


def _gradients(f: Callable[..., Any]) -> Callable[..., Any]:
    """The gradients of a function's sum of squares with regard to all its arguments."""

    def gradients(*args: Any) -> Any:
        return jitgrad.grad(lambda args: (f(*args) ** 2).sum())(args)

    return gradients


def _run(name: str) -> Any:
    f, args = PROGRAMS[name]()
    return on_both(f, *args, scale=10)


def checks() -> Iterator[Check]:
    for name in PROGRAMS:
        yield Check(name, functools.partial(_run, name))
