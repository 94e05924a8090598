"""An epoch as one native call beside its steps as jitted calls of their own: `python benchmarks/epoch.py [MODEL ...]`.

An epoch is a scan over minibatches, whose carry is the model, the optimizer's state, and sums of loss and accuracy; its body
gathers rows by a permutation and does one training step. In turns in one process, for each model: the least time of a step inside
the loop, and of one that is a call and is given its state's memory; their ratio; and the memory that each program needs beside
arguments and results.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import models, nn, optim

ROUNDS = 7

State = tuple[Any, Any, jitgrad.Array, jitgrad.Array]
"""Model, optimizer's state, sum of losses, count of right answers."""


def perceptron() -> nn.Module:
    return nn.Sequential([nn.Linear(64, 256), nn.relu, nn.Linear(256, 128), nn.relu, nn.Linear(128, 10)])


MODELS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], int, int]] = {
    "mlp": (perceptron, (64,), 64, 18),
    "lenet": (models.LeNet, (28, 28, 1), 64, 18),
    "resnet18": (lambda: models.ResNet((2, 2, 2, 2), 10, small_images=True), (32, 32, 3), 16, 4),
}
"""How a model is made, the shape of an example, the batch, and the steps of an epoch."""


def training(optimizer: Any) -> Callable[[State, jitgrad.Array, jitgrad.Array], State]:
    """A step of training by a batch."""

    def step(state: State, x: jitgrad.Array, y: jitgrad.Array) -> State:
        model, moments, losses, right = state

        def loss(model: nn.Module) -> tuple[jitgrad.Array, Any]:
            z, new = nn.apply(model, x, train=True)
            return jnp.mean(nn.losses.cross_entropy(z, y)), (new, z)

        (value, (model, z)), gradient = jitgrad.value_and_grad(loss, has_aux=True)(model)
        updates, moments = optimizer.update(gradient, moments, nn.trainable(model))
        model = optim.apply_updates(model, updates)
        return model, moments, losses + value, right + jnp.sum(jnp.argmax(z, axis=-1) == y)

    return step


def programs(name: str) -> tuple[Callable, Callable, State, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """The epoch, the step, the state, and images, labels and order of an epoch."""
    make, shape, batch, steps = MODELS[name]
    jitgrad.random.seed(0)
    model, optimizer = make(), optim.adam(1e-3)
    step = training(optimizer)

    def epoch(state: State, x: jitgrad.Array, y: jitgrad.Array, order: jitgrad.Array) -> State:
        return jitgrad.lax.scan(lambda state, rows: (step(state, x[rows], y[rows]), None), state, order)[0]

    random = np.random.default_rng(0)
    count = batch * steps
    x = random.standard_normal((count, *shape)).astype(np.float32)
    y = random.integers(0, 10, count).astype(np.int32)
    order = random.permutation(count).astype(np.int32).reshape(steps, batch)
    state = model, optimizer.init(nn.trainable(model)), jnp.zeros(()), jnp.zeros((), jnp.int64)
    once = lambda state, x, y, order: step(state, x[order], y[order])
    return jitgrad.jit(epoch, donate_argnums=0), jitgrad.jit(once, donate_argnums=0), state, (x, y, order)


def copied(state: State) -> State:
    return jitgrad.tree.map(lambda a: jnp.array(a, copy=True), state)


def measure(name: str) -> None:
    epoch, once, state, data = programs(name)
    x, y, order = map(jnp.asarray, data)
    steps = len(order)
    rows = [jnp.asarray(o) for o in data[2]]
    needed = [
        f.memory_analysis().temp_size_in_bytes
        for f in (epoch.lower(state, x, y, order).compile(), once.lower(state, x, y, rows[0]).compile())
    ]
    times: dict[str, list[float]] = {"loop": [], "calls": []}
    ends = []
    for kind in ["loop", "calls", *["loop", "calls", "calls", "loop"] * ROUNDS]:  # the first of each compiles
        now = copied(state)
        begin = time.perf_counter()
        if kind == "loop":
            now = epoch(now, x, y, order)
        else:
            for r in rows:
                now = once(now, x, y, r)
        jitgrad.block_until_ready(now)
        times[kind].append((time.perf_counter() - begin) / steps)
        ends.append(float(now[2]))
    loop, calls = (min(t[1:]) * 1e3 for t in times.values())
    assert np.ptp(ends) <= 1e-4 * abs(ends[0]), ends
    memory = " and ".join(f"{n / 2**20:.2f}" for n in needed)
    print(
        f"{name:10s} a step in the loop {loop:8.3f} ms, as a call {calls:8.3f} ms, ratio {loop / calls:.3f}; needs {memory} MiB",
        flush=True,
    )


if __name__ == "__main__":
    for name in sys.argv[1:] or MODELS:
        measure(name)
