"""What the benchmark measures, written once for jitgrad and jax, whose names are the same, and a second time for PyTorch.

A workload is made of the names that it computes with; it gives a function, its arguments as NumPy arrays, and what it moves
(bytes) or computes (products, of which each counts two).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Workload:
    """A function of arrays, to be jitted; `nbytes` that it must at least read and write, `flops` of its products."""

    f: Callable[..., Any]
    args: tuple[np.ndarray, ...]
    nbytes: int = 0
    flops: int = 0
    dtype: str | None = None
    """Where the arguments are to be of a type that NumPy lacks."""


def _normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape, np.float32)


def _chain(m: SimpleNamespace, size: int) -> Workload:
    n = size << 20
    return Workload(lambda x, y, z: (2 * x + y) * z - x, (_normal(n), _normal(n), _normal(n)), 16 * n)


def _gelu_gradient(m: SimpleNamespace, size: int) -> Workload:
    n = size << 20

    def gelu(x: Any) -> Any:
        return (0.5 * x * (1 + m.tanh(0.7978845608 * (x + 0.044715 * x * x * x)))).sum()

    return Workload(m.grad(gelu), (_normal(n),), 8 * n)


def _black_scholes(m: SimpleNamespace, size: int) -> Workload:
    n = size << 20

    def price(s: Any, k: Any, t: Any, r: Any, v: Any) -> Any:
        root = v * m.sqrt(t)
        d = (m.log(s / k) + (r + 0.5 * v * v) * t) / root
        cdf = lambda x: 0.5 * (1 + m.erf(x * 0.70710678))
        return (s * cdf(d) - k * m.exp(-r * t) * cdf(d - root)).sum()

    ranges = (50, 150), (50, 150), (0.1, 2), (0.01, 0.05), (0.1, 0.5)
    args = tuple(np.random.default_rng(i).uniform(*ab, n).astype(np.float32) for i, ab in enumerate(ranges))
    return Workload(m.gradients(price, 5), args, 40 * n)


def _softmax_cross_entropy(m: SimpleNamespace, rows: int, columns: int) -> Workload:
    def loss(x: Any, y: Any) -> Any:
        return m.cross_entropy(x, y)

    x, y = _normal(rows, columns), np.random.default_rng(1).integers(0, columns, rows)
    return Workload(m.value_and_grad(loss), (x, y), 8 * rows * columns)


def _layer_norm(m: SimpleNamespace, rows: int, columns: int) -> Workload:
    args = _normal(rows, columns), _normal(columns), _normal(columns), _normal(rows, columns)
    return Workload(m.gradients(m.layer_norm_times, 3), args, 12 * rows * columns)


def _attention(m: SimpleNamespace, batch: int, length: int, heads: int, width: int, dtype: str | None = None) -> Workload:
    args = tuple(_normal(batch, length, heads, width) for _ in range(3))

    def total(q: Any, k: Any, v: Any) -> Any:
        return m.attention(q, k, v).sum()

    return Workload(m.gradients(total, 3), args, flops=14 * batch * heads * length * length * width, dtype=dtype)


def _product(m: SimpleNamespace, size: int, dtype: str) -> Workload:
    return Workload(lambda x, y: x @ y, (_normal(size, size), _normal(size, size)), flops=2 * size**3, dtype=dtype)


def _reduced_product(m: SimpleNamespace, size: int) -> Workload:
    return Workload(m.in_tf32, (_normal(size, size), _normal(size, size)), flops=2 * size**3)


def _product_gelu(m: SimpleNamespace, size: int, dtype: str) -> Workload:
    args, gelu = (_normal(size, size), _normal(size, size), _normal(size)), m.gelu
    return Workload(lambda x, w, b: gelu(x @ w + b), args, flops=2 * size**3, dtype=dtype)


def _loop(m: SimpleNamespace, steps: int, rows: int) -> Workload:
    loop = m.fori_loop

    def lorenz(start: Any) -> Any:
        def slope(s: Any) -> Any:
            x, y, z = s
            return 10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z

        def moved(s: Any, d: Any, by: float) -> Any:
            return tuple(a + by * b for a, b in zip(s, d, strict=True))

        def step(_: Any, s: Any) -> Any:
            a = slope(s)
            b = slope(moved(s, a, 0.005))
            c = slope(moved(s, b, 0.005))
            d = slope(moved(s, c, 0.01))
            total = tuple(p + 2 * q + 2 * u + w for p, q, u, w in zip(a, b, c, d, strict=True))
            return moved(s, total, 0.01 / 6)

        return loop(0, steps, step, (start[0], start[1], start[2]))

    start = np.random.default_rng(0).uniform(1, 2, (3, rows)).astype(np.float32)
    return Workload(lorenz, (start if rows > 1 else start[:, 0],))


def _small_call(m: SimpleNamespace) -> Workload:
    return Workload(lambda x: x + 1, (np.ones(8, np.float32),))


WORKLOADS: dict[str, Callable[[SimpleNamespace], Workload]] = {
    "a call, 8 numbers": _small_call,
    "chain, 32 Mi": lambda m: _chain(m, 32),
    "softmax cross-entropy with gradient, 16384 x 8192": lambda m: _softmax_cross_entropy(m, 16384, 8192),
    "softmax cross-entropy with gradient, 131072 x 1024": lambda m: _softmax_cross_entropy(m, 131_072, 1024),
    "layer norm's gradients, 131072 x 1024": lambda m: _layer_norm(m, 131_072, 1024),
    **{f"product {t}, {n}": lambda m, n=n, t=t: _product(m, n, t) for t in ("bfloat16", "float32") for n in (4096, 1024)},  # type: ignore[misc]
    "100000 small steps": lambda m: _loop(m, 100_000, 1),
    "1000 small steps of 10000 rows": lambda m: _loop(m, 1000, 10_000),
    "Black-Scholes' gradients, 32 Mi": lambda m: _black_scholes(m, 32),
    "GELU's gradient, 32 Mi": lambda m: _gelu_gradient(m, 32),
    "attention's gradients, 8 x 1024 x 12 x 64": lambda m: _attention(m, 8, 1024, 12, 64),
    "attention's gradients in bfloat16, 8 x 1024 x 12 x 64": lambda m: _attention(m, 8, 1024, 12, 64, "bfloat16"),
    "product float32 with bias and GELU, 4096": lambda m: _product_gelu(m, 4096, "float32"),
    **{f"product {t}, {n}": lambda m, n=n, t=t: _product(m, n, t) for t in ("float16", "bfloat16") for n in (2048, 8192)},  # type: ignore[misc]
    **{f"product TF32, {n}": lambda m, n=n: _reduced_product(m, n) for n in (4096, 1024)},  # type: ignore[misc]
}
"""The most telling first."""
