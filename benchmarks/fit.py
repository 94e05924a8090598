"""An epoch of training on scikit-learn's digits by `train.Sequential.fit`, beside one's own loop of jitted steps, Keras' fit (on
jax and on PyTorch) and a plain PyTorch loop: `python benchmarks/fit.py [PYTHON ...]`.

The model is 64-256-128-10 with relu, Adam and batches of 64 in an order drawn anew each epoch; loss and accuracy of each epoch are
kept. Each way runs in processes of its own, in turns, on two threads; those that are not installed here may be in another PYTHON.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

ROUNDS, EPOCHS, BATCH, SIZES = 3, 40, 64, (64, 256, 128, 10)
KINDS = {
    "fit": "jitgrad, fit",
    "bar": "jitgrad, fit with its bar",
    "steps": "jitgrad, own loop of jitted steps",
    "torch": "torch, plain loop",
    "keras": "Keras on jax, fit",
}


def digits() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    return (images / 16).astype(np.float32), labels.astype(np.int64)


def fit(verbose: int, x: np.ndarray, y: np.ndarray) -> Callable[[int], float]:
    from jitgrad import nn, train

    layers = [nn.Dense(n, activation="relu") for n in SIZES[1:-1]]
    model = train.Sequential([*layers, nn.Dense(SIZES[-1])])
    model.compile("adam", train.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    return lambda epochs: model.fit(x, y, batch_size=BATCH, epochs=epochs, verbose=verbose).history["loss"][-1]


def steps(x: np.ndarray, y: np.ndarray) -> Callable[[int], float]:
    import jitgrad
    import jitgrad.numpy as jnp
    from jitgrad import nn, optim

    layers = [nn.Linear(a, b) for a, b in zip(SIZES, SIZES[1:], strict=False)]
    model = nn.Sequential(layers[0], nn.relu, layers[1], nn.relu, layers[2])
    optimizer, order = optim.adam(1e-3), np.random.default_rng(0)

    @jitgrad.jit
    def step(model: Any, state: Any, x: Any, y: Any) -> Any:
        def loss(model: Any) -> Any:
            logits = model(x)
            return nn.losses.cross_entropy(logits, y), jnp.mean(jnp.argmax(logits, -1) == y)

        (value, accuracy), gradient = jitgrad.value_and_grad(loss, has_aux=True)(model)
        updates, state = optimizer.update(gradient, state, model)
        return optim.apply_updates(model, updates), state, value, accuracy

    held = [model, optimizer.init(model)]

    def run(epochs: int) -> float:
        for _ in range(epochs):
            rows, losses, accuracies = order.permutation(len(x)), [], []
            for first in range(0, len(x), BATCH):
                chosen = rows[first : first + BATCH]
                *held[:], value, accuracy = step(*held, x[chosen], y[chosen])
                losses.append(float(value) * len(chosen))
                accuracies.append(float(accuracy))
        return float(np.sum(losses)) / len(x)

    return run


def torch_loop(x: np.ndarray, y: np.ndarray) -> Callable[[int], float]:
    import torch
    from torch import nn

    torch.set_num_threads(2)
    layers = [nn.Linear(a, b) for a, b in zip(SIZES, SIZES[1:], strict=False)]
    model = nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2])
    optimizer, loss = torch.optim.Adam(model.parameters(), 1e-3), nn.CrossEntropyLoss()
    inputs, labels = torch.tensor(x), torch.tensor(y)

    def run(epochs: int) -> float:
        for _ in range(epochs):
            losses, right = [], 0
            for rows in torch.randperm(len(inputs)).split(BATCH):
                optimizer.zero_grad()
                logits = model(inputs[rows])
                value = loss(logits, labels[rows])
                value.backward()
                optimizer.step()
                losses.append(value.item() * len(rows))
                right += int((logits.argmax(-1) == labels[rows]).sum())
        return float(np.sum(losses)) / len(x)

    return run


def keras_fit(x: np.ndarray, y: np.ndarray) -> Callable[[int], float]:
    os.environ["KERAS_BACKEND"] = "jax"
    import keras

    layers = [keras.layers.Dense(n, activation="relu") for n in SIZES[1:-1]]
    model = keras.Sequential([*layers, keras.layers.Dense(SIZES[-1])])
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    return lambda epochs: model.fit(x, y, batch_size=BATCH, epochs=epochs, verbose=0).history["loss"][-1]


def way(kind: str) -> Callable[[int], float]:
    x, y = digits()
    if kind in ("fit", "bar"):
        return fit(int(kind == "bar"), x, y)
    if kind == "steps":
        return steps(x, y)
    return torch_loop(x, y) if kind == "torch" else keras_fit(x, y)


def measure(kind: str) -> None:
    run = way(kind)
    with contextlib.redirect_stderr(io.StringIO()):
        start = time.perf_counter()
        run(1)
        first, times = time.perf_counter() - start, []
        for _ in range(4):
            start = time.perf_counter()
            loss = run(EPOCHS // 4)
            times.append((time.perf_counter() - start) / (EPOCHS // 4))
    print(json.dumps([min(times), float(np.median(times)), first, loss]))


def row_of(kind: str, pythons: list[str]) -> list[float] | None:
    """Least and median time of an epoch, the first one, and the last loss; by the first Python that has the library."""
    for python in pythons:
        done = subprocess.run([python, __file__, "--measure", kind], capture_output=True, text=True)
        if done.returncode == 0:
            return list(json.loads(done.stdout.splitlines()[-1]))
    return None


def main(pythons: list[str]) -> None:
    found: dict[str, list[list[float]]] = {kind: [] for kind in KINDS}
    for _ in range(ROUNDS):
        for kind in KINDS:
            if (row := row_of(kind, pythons)) is not None:
                found[kind].append(row)
    ours = min(row[0] for row in found["fit"])
    print("| way | least, ms an epoch | median | first epoch, s | loss after all | least / fit's |\n|" + " --- |" * 6)
    for kind, rows in found.items():
        if rows:
            least, median, first, loss = (min(column) for column in zip(*rows, strict=True))
            print(f"| {KINDS[kind]} | {least * 1e3:.2f} | {median * 1e3:.2f} | {first:.2f} | {loss:.4f} | {least / ours:.2f} |")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        measure(sys.argv[2])
    else:
        main([sys.executable, *sys.argv[1:]])
