"""A training step of a network in bfloat16 and in float16 beside float32: `python benchmarks/narrow_floats.py [word...]`.

One program, traced with weights and data of each type, in one process on one thread, in turns; a figure is the median of the times,
and of the ratios of neighbours. Words pick the programs whose names contain them all.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Any

os.sched_setaffinity(0, {int(os.environ.get("CORE", "0"))})

import numpy as np  # noqa: E402

import jitgrad  # noqa: E402
import jitgrad.numpy as jnp  # noqa: E402

jitgrad.config.update("num_threads", 1)
SIZES = {"small": (32, 64), "medium": (128, 256), "large": (256, 1024)}
"""Batch, and width of the two hidden layers."""
TYPES = ("float32", "bfloat16", "float16")
INPUTS, CLASSES = 128, 10


def network(activation: Callable[[Any], Any]) -> Callable[..., Any]:
    """A step of gradient descent on the cross-entropy of a network with two hidden layers."""

    def loss(weights: Any, x: Any, labels: Any) -> Any:
        for w, b in weights[:-1]:
            x = activation(x @ w + b)
        w, b = weights[-1]
        return -jnp.mean(jnp.sum(labels * jitgrad.nn.log_softmax(x @ w + b), axis=1))

    def step(weights: Any, x: Any, labels: Any) -> Any:
        value, slopes = jitgrad.value_and_grad(loss)(weights, x, labels)
        return value, jitgrad.tree.map(lambda w, g: w - 0.01 * g, weights, slopes)

    return step


def operands(batch: int, width: int, dtype: str) -> tuple[Any, ...]:
    rng = np.random.default_rng(0)
    sizes = (INPUTS, width, width, CLASSES)
    weights = [
        (jnp.asarray(rng.normal(size=(m, n)) / m**0.5, dtype), jnp.zeros(n, dtype)) for m, n in zip(sizes, sizes[1:], strict=False)
    ]
    labels = np.eye(CLASSES)[rng.integers(CLASSES, size=batch)]
    return weights, jnp.asarray(rng.normal(size=(batch, INPUTS)), dtype), jnp.asarray(labels, dtype)


FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "tanh(x * x + 1) * x": lambda x: jnp.tanh(x * x + 1) * x,
    "sum": jnp.sum,
    "cumsum": jnp.cumsum,
    "sort": jnp.sort,
    "scatter-add": lambda x: jnp.zeros(1000, x.dtype).at[jnp.arange(x.size) * 7 % 1000].add(x),
}


def programs() -> dict[str, tuple[Callable[..., Any], Callable[[str], tuple[Any, ...]]]]:
    found: dict[str, tuple[Callable[..., Any], Callable[[str], tuple[Any, ...]]]] = {}
    for size, (batch, width) in SIZES.items():
        for activation in (jitgrad.nn.relu, jnp.tanh):
            name = f"{size} network, {activation.__name__}: batch {batch}, width {width}"
            found[name] = network(activation), lambda dtype, batch=batch, width=width: operands(batch, width, dtype)
    rng = np.random.default_rng(1)
    for n in (1 << 12, 1 << 22):
        numbers = rng.normal(size=n)
        for name, f in FUNCTIONS.items():
            found[f"{name} of {n} numbers"] = f, lambda dtype, numbers=numbers: (jnp.asarray(numbers, dtype),)
    return found


def seconds(f: Callable[..., Any], args: Any, times: int) -> float:
    start = time.perf_counter()
    for _ in range(times):
        f(*args)
    return (time.perf_counter() - start) / times


def main() -> None:
    print(f"| program | {' | '.join(f'{t}, ms' for t in TYPES)} | {' | '.join(f'{t} / float32' for t in TYPES[1:])} |")
    print("| --- " * (2 * len(TYPES)) + "|")
    for name, (program, arguments) in programs().items():
        if not all(word in name for word in sys.argv[1:]):
            continue
        f = jitgrad.jit(program)
        args = [arguments(t) for t in TYPES]
        for a in args:
            f(*a)
        times = max(1, int(1e-3 / seconds(f, args[0], 3)))
        rounds = []
        stop = time.perf_counter() + 4
        while time.perf_counter() < stop and len(rounds) < 400 or len(rounds) < 5:
            rounds.append([seconds(f, a, times) for a in args])
        t = np.array(rounds)
        medians, ratios = np.median(t, axis=0) * 1e3, np.median(t[:, 1:] / t[:, :1], axis=0)
        print(f"| {name} | {' | '.join(f'{m:.4f}' for m in medians)} | {' | '.join(f'{r:.2f}' for r in ratios)} |", flush=True)


if __name__ == "__main__":
    main()
