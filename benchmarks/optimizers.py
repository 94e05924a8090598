"""An Adam step of a model of 150 arrays, beside jax with Optax and PyTorch's own: `python benchmarks/optimizers.py [PYTHON ...]`.

Each library runs in processes of its own, in turns, on two threads; those that are not installed here may be in another PYTHON. A
figure is the least of the medians of its processes, and the least time of all: other work on the machine makes times longer.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

ROUNDS, STEPS = 3, 60
KINDS = {"jitgrad": "jitgrad", "optax": "jax, optax.adam", "foreach": "torch, foreach", "fused": "torch, fused"}


def residual() -> list[tuple[int, ...]]:
    """Fifty convolutions with scales and shifts, of few shapes: 2.3 million parameters."""
    out: list[tuple[int, ...]] = []
    for n in range(50):
        width = (64, 128, 256)[n * 3 // 50]
        out += [(width,), (width,), (3, 3, width // 4, width) if n % 2 else (1, 1, width, width)]
    return out


def assorted() -> list[tuple[int, ...]]:
    """A hundred and fifty shapes, no two alike, of 8 to 200 000 elements: 3.9 million parameters."""
    rng, out = np.random.default_rng(1), []
    while len(out) < 150:
        n = int(np.exp(rng.uniform(np.log(8), np.log(200000))))
        shape = [(n,), (max(1, n // 37), 37), (3, 3, max(1, n // 144), 16)][len(out) % 3]
        if shape not in out:
            out.append(shape)
    return out


MODELS: dict[str, Callable[[], list[tuple[int, ...]]]] = {
    "residual network, 150 arrays of 9 shapes": residual,
    "150 arrays of 150 shapes": assorted,
    "150 arrays of 16": lambda: [(16,)] * 150,
    "150 arrays of 8192": lambda: [(8192,)] * 150,
    "150 arrays of 32768": lambda: [(32768,)] * 150,
}


def step_of(kind: str, params: dict[str, np.ndarray], gradients: dict[str, np.ndarray]) -> tuple[Callable[[], Any], float]:
    """A function that does a step, and the seconds of its first call."""
    if kind in ("foreach", "fused"):
        import torch

        torch.set_num_threads(2)
        tensors = [torch.nn.Parameter(torch.tensor(p)) for p in params.values()]
        for p, g in zip(tensors, gradients.values(), strict=True):
            p.grad = torch.tensor(g)
        run = torch.optim.Adam(tensors, 1e-3, **{kind: True}).step
    else:
        if kind == "optax":
            import jax as lib
            import optax as optim
        else:
            import jitgrad as lib
            from jitgrad import optim

            lib.config.update("num_threads", 2)
        opt = optim.adam(1e-3)

        def step(state: Any, gradients: Any) -> Any:
            params, inner = state
            updates, inner = opt.update(gradients, inner, params)
            return optim.apply_updates(params, updates), inner

        lib.jit(lambda x: x + 1)(1.0)
        jitted, held = lib.jit(step, donate_argnums=0), lib.tree.map(lib.numpy.asarray, (params, gradients))
        carry = [(held[0], opt.init(held[0]))]

        def run() -> Any:
            carry[0] = jitted(carry[0], held[1])
            return lib.block_until_ready(carry[0])

    start = time.perf_counter()
    run()
    return run, time.perf_counter() - start


def measure(kind: str, model: str) -> None:
    rng = np.random.default_rng(0)
    params, gradients = (
        {f"p{n:03d}": rng.standard_normal(s).astype(np.float32) for n, s in enumerate(MODELS[model]())} for _ in range(2)
    )
    run, first = step_of(kind, params, gradients)
    times = []
    for _ in range(STEPS):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    print(json.dumps([float(np.min(times)), float(np.median(times)), first]))


def best(kind: str, model: str, pythons: list[str]) -> list[float] | None:
    """Least time, median and first call of a process, by the first Python that has the library."""
    for python in pythons:
        done = subprocess.run([python, __file__, "--measure", kind, model], capture_output=True, text=True)
        if done.returncode == 0:
            return list(json.loads(done.stdout.splitlines()[-1]))
    return None


def main(pythons: list[str]) -> None:
    print("| model | library | least, ms | median, ms | first call, s | least / jitgrad's |\n| --- | --- | --- | --- | --- | --- |")
    for model in MODELS:
        rows: dict[str, list[list[float]]] = {kind: [] for kind in KINDS}
        for _ in range(ROUNDS):
            for kind in KINDS:
                if (row := best(kind, model, pythons)) is not None:
                    rows[kind].append(row)
        ours = min(row[0] for row in rows["jitgrad"])
        for kind, found in rows.items():
            if found:
                least, median, first = (min(column) for column in zip(*found, strict=True))
                print(
                    f"| {model} | {KINDS[kind]} | {least * 1e3:.2f} | {median * 1e3:.2f} | {first:.2f} | {least / ours:.2f} |",
                    flush=True,
                )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        measure(*sys.argv[2:])
    else:
        main([sys.executable, *sys.argv[1:]])
