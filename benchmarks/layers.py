"""Layers with their gradients beside jax's and PyTorch's: `python benchmarks/layers.py [--python PEERS] [NAME ...]`.

A case is a layer's output together with the gradients of all its inputs and parameters, of a given cotangent: what a layer costs
inside a network. jitgrad's layers are those of `jitgrad.nn`; jax has none, and is given the formulas. Each library runs in a
process of its own, on two threads, and all processes of a case take turns, round by round. A figure is the least of the rounds'
medians. What the libraries compute is compared with jitgrad's, element by element. Libraries that are not installed here may be in
another Python.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

LIBRARIES = ("jitgrad", "jax", "torch", "torch.compile")
SECONDS, MOMENTUM, EPS = 0.3, 0.1, 1e-5
THREADS = 2


@dataclass(frozen=True)
class Case:
    """shapes: of what is differentiated, the input first. others: what is not. last: whether images have their features last."""

    kind: str
    shapes: tuple[tuple[int, ...], ...]
    others: tuple[Any, ...] = ()
    last: bool = False
    options: dict[str, Any] = field(default_factory=dict)


def _image(batch: int, channels: int, height: int, width: int, last: bool) -> tuple[int, ...]:
    return (batch, height, width, channels) if last else (batch, channels, height, width)


def _cases() -> dict[str, Case]:
    cases = {}
    for name, last in (("NCHW", False), ("NHWC", True)):
        large, small = (_image(16, 64, size, size, last) for size in (112, 56))
        for pool in ("max", "average"):
            for size, pad in ((2, 0), (3, 1)):
                options = {"size": size, "pad": pad}
                cases[f"{pool} pool {size}x{size}, stride 2, {name}"] = Case(pool, (large,), (), last, options)
        cases[f"batch norm, {name}"] = Case("batch norm", (small, (64,), (64,)), ((64,), (64,)), last)
        cases[f"group norm of 8, {name}"] = Case("group norm", (small, (64,), (64,)), (), last, {"groups": 8})
    cases["layer norm 4096 x 768"] = Case("layer norm", ((4096, 768), (768,), (768,)))
    cases["embedding 50000 x 512, 8 x 512 tokens"] = Case("embedding", ((50000, 512),), (("below", 50000, (8, 512)),))
    cases["LSTM 32 x 128 x 256"] = Case("lstm", ((32, 128, 256), (256, 1024), (256, 1024), (1024,), (1024,)))
    for rows, classes in ((2048, 1000), (1024, 32000)):
        labels = ("below", classes, (rows,))
        cases[f"cross-entropy {rows} x {classes}"] = Case("cross-entropy", ((rows, classes),), (labels,))
    cases["attention, causal, 2 x 8 heads of 64, 1024 long"] = Case("attention", ((2, 1024, 8, 64),) * 3)
    cases["attention, causal, 8 x 8 heads of 16, 512 long"] = Case("attention", ((8, 512, 8, 16),) * 3)
    return cases


CASES = _cases()


def numbers(case: Case) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The arrays of a case: differentiated ones, and others."""
    rng = np.random.default_rng(0)
    scale = 1 / 16 if case.kind == "lstm" else 1.0
    arrays = [(rng.standard_normal(s) * (scale if n else 1.0)).astype(np.float32) for n, s in enumerate(case.shapes)]
    others = [
        rng.integers(0, s[1], s[2]).astype(np.int32) if s[0] == "below" else np.abs(rng.standard_normal(s)).astype(np.float32)
        for s in case.others
    ]
    return arrays, others


def cotangent(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(1).standard_normal(shape).astype(np.float32) if shape else np.float32(1)  # type: ignore[return-value]


# Every library's layers are functions of the differentiated arrays and the others, which give the output and what else is new.


def jitgrad_layer(case: Case) -> Callable[..., Any]:
    from jitgrad import nn, random

    options, form = case.options, {"data_format": "channels_last" if case.last else "channels_first"}

    def pool(layer: Any) -> Callable[..., Any]:
        return lambda x: (layer(options["size"], 2, options["pad"], **form)(x), ())

    def norm(layer: Any) -> Callable[..., Any]:
        def with_parameters(x: Any, weight: Any, bias: Any) -> Any:
            layer.weight, layer.bias = weight, bias
            return layer(x), ()

        return with_parameters

    def batch_norm(x: Any, weight: Any, bias: Any, mean: Any, variance: Any) -> Any:
        layer = nn.BatchNorm2d(64, EPS, MOMENTUM, **form)
        layer.weight, layer.bias, layer.running_mean, layer.running_var = weight, bias, mean, variance
        out, layer = nn.apply(layer, x, train=True)
        return out, (layer.running_mean, layer.running_var)

    def embedding(table: Any, tokens: Any) -> Any:
        layer = nn.Embedding(1, table.shape[1], key=random.key(0))
        layer.weight = table
        return layer(tokens), ()

    def lstm(x: Any, *weights: Any) -> Any:
        layer = nn.LSTM(x.shape[-1], weights[1].shape[0], key=random.key(0))
        cell = layer.cells[0][0]
        cell.weight_ih, cell.weight_hh, cell.bias_ih, cell.bias_hh = weights
        return layer(x)[0], ()

    return {
        "max": pool(nn.MaxPool2d),
        "average": pool(nn.AvgPool2d),
        "batch norm": batch_norm,
        "group norm": lambda *a: norm(nn.GroupNorm(options["groups"], 64, **form))(*a),
        "layer norm": lambda *a: norm(nn.LayerNorm(case.shapes[0][-1]))(*a),
        "embedding": embedding,
        "lstm": lstm,
        "cross-entropy": lambda logits, labels: (nn.losses.cross_entropy(logits, labels), ()),
        "attention": lambda *qkv: (nn.dot_product_attention(*qkv, is_causal=True), ()),
    }[case.kind]  # fmt: skip


def jax_layer(case: Case) -> Callable[..., Any]:
    import jax
    import jax.numpy as jnp
    from jax import lax

    axis, space = (3, (1, 2)) if case.last else (1, (2, 3))
    options = case.options

    def of_space(value: Any, other: Any) -> Any:
        return tuple(value if a in space else other for a in range(4))

    def window(x: Any, init: Any, op: Any) -> Any:
        pads = of_space((options["pad"],) * 2, (0, 0))
        return lax.reduce_window(x, init, op, of_space(options["size"], 1), of_space(2, 1), pads)

    def along(v: Any) -> Any:
        return v.reshape([-1 if a == axis else 1 for a in range(4)])

    def batch_norm(x: Any, weight: Any, bias: Any, mean: Any, variance: Any) -> Any:
        axes = tuple(a for a in range(4) if a != axis)
        m, v = jnp.mean(x, axes), jnp.var(x, axes)
        n = x.size // 64
        out = (x - along(m)) * along(lax.rsqrt(v + EPS) * weight) + along(bias)
        return out, ((1 - MOMENTUM) * mean + MOMENTUM * m, (1 - MOMENTUM) * variance + MOMENTUM * v * (n / (n - 1)))

    def group_norm(x: Any, weight: Any, bias: Any) -> Any:
        groups = options["groups"]
        parts = x.reshape(x.shape[:axis] + (groups, 64 // groups) + x.shape[axis + 1 :])
        axes = tuple(a for a in range(1, 5) if a != axis)
        m, v = jnp.mean(parts, axes, keepdims=True), jnp.var(parts, axes, keepdims=True)
        return ((parts - m) * lax.rsqrt(v + EPS)).reshape(x.shape) * along(weight) + along(bias), ()

    def layer_norm(x: Any, weight: Any, bias: Any) -> Any:
        m, v = jnp.mean(x, -1, keepdims=True), jnp.var(x, -1, keepdims=True)
        return (x - m) * lax.rsqrt(v + EPS) * weight + bias, ()

    def lstm(x: Any, weight_ih: Any, weight_hh: Any, bias_ih: Any, bias_hh: Any) -> Any:
        def step(state: Any, projected: Any) -> Any:
            i, f, g, o = jnp.split(projected + state[0] @ weight_hh, 4, axis=-1)
            c = jax.nn.sigmoid(f) * state[1] + jax.nn.sigmoid(i) * jnp.tanh(g)
            h = jax.nn.sigmoid(o) * jnp.tanh(c)
            return (h, c), h

        zeros = jnp.zeros((x.shape[0], weight_hh.shape[0]), x.dtype)
        projected = jnp.moveaxis(x, 1, 0) @ weight_ih + (bias_ih + bias_hh)
        return jnp.moveaxis(lax.scan(step, (zeros, zeros), projected)[1], 0, 1), ()

    def cross_entropy(logits: Any, labels: Any) -> Any:
        return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], 1)), ()

    return {
        "max": lambda x: (window(x, -jnp.inf, lax.max), ()),
        "average": lambda x: (window(x, 0.0, lax.add) / options["size"] ** 2, ()),
        "batch norm": batch_norm,
        "group norm": group_norm,
        "layer norm": layer_norm,
        "embedding": lambda table, tokens: (table[tokens], ()),
        "lstm": lstm,
        "cross-entropy": cross_entropy,
        "attention": lambda *qkv: (jax.nn.dot_product_attention(*qkv, is_causal=True), ()),
    }[case.kind]


def torch_layer(case: Case, weights: list[Any]) -> Callable[..., Any]:
    import torch
    import torch.nn.functional as F

    options = case.options
    if case.kind == "lstm":
        module = torch.nn.LSTM(case.shapes[0][-1], case.shapes[2][0], batch_first=True)
        with torch.no_grad():
            for parameter, value in zip(module.parameters(), weights[1:], strict=True):
                parameter.copy_(value)
        weights[1:] = module.parameters()

    def batch_norm(x: Any, weight: Any, bias: Any, mean: Any, variance: Any) -> Any:
        return F.batch_norm(x, mean, variance, weight, bias, True, MOMENTUM, EPS), (mean, variance)

    def attention(*qkv: Any) -> Any:
        return F.scaled_dot_product_attention(*qkv, is_causal=True), ()

    return {
        "max": lambda x: (F.max_pool2d(x, options["size"], 2, options["pad"]), ()),
        "average": lambda x: (F.avg_pool2d(x, options["size"], 2, options["pad"]), ()),
        "batch norm": batch_norm,
        "group norm": lambda x, weight, bias: (F.group_norm(x, options["groups"], weight, bias, EPS), ()),
        "layer norm": lambda x, weight, bias: (F.layer_norm(x, weight.shape, weight, bias, EPS), ()),
        "embedding": lambda table, tokens: (F.embedding(tokens, table), ()),
        "lstm": lambda x, *_: (module(x)[0], ()),
        "cross-entropy": lambda logits, labels: (F.cross_entropy(logits, labels), ()),
        "attention": attention,
    }[case.kind]


def prepare(library: str, case: Case) -> tuple[Callable[[], Any], Callable[[Any], list[np.ndarray]]]:
    """A function that does a case once, and one that makes numpy arrays, in jitgrad's order of axes, of what it gives."""
    arrays, others = numbers(case)
    if library.startswith("torch"):
        import torch

        torch.set_num_threads(THREADS)

        def there(a: np.ndarray) -> Any:
            """Images in PyTorch's order of axes (those with features last are in its memory format channels_last), as attention's
            heads; an LSTM's weights transposed."""
            t = torch.from_numpy(np.asarray(a))
            if case.kind == "attention":
                return t.transpose(1, 2).contiguous()
            if case.kind == "lstm" and t.ndim == 2:
                return t.T.contiguous()
            return t.permute(0, 3, 1, 2) if case.last and t.ndim == 4 else t.long() if t.dtype == torch.int32 else t

        def back(t: Any) -> np.ndarray:
            if case.kind == "attention":
                t = t.transpose(1, 2)
            elif case.kind == "lstm" and t.ndim == 2:
                t = t.T
            elif case.last and t.ndim == 4:
                t = t.permute(0, 2, 3, 1)
            return np.array(t.detach().numpy())

        held, rest = [there(a) for a in arrays], [there(a) for a in others]
        layer = torch_layer(case, held)
        for t in held:
            t.requires_grad_()
        layer = torch.compile(layer) if library == "torch.compile" else layer
        out = back(layer(*held, *[t.clone() for t in rest])[0])
        seed = there(cotangent(out.shape))

        def run() -> Any:
            out, new = layer(*held, *rest)
            return out, *new, *torch.autograd.grad(out, held, seed)

        return run, lambda results: [back(t) for t in results]

    lib: Any = __import__(library)
    if library == "jitgrad":
        lib.config.update("num_threads", THREADS)
    function = (jitgrad_layer if library == "jitgrad" else jax_layer)(case)
    held, rest = (lib.tree.map(lib.numpy.asarray, a) for a in (arrays, others))
    shape = lib.eval_shape(lambda a, b: function(*a, *b)[0], held, rest).shape
    seed = lib.numpy.asarray(cotangent(tuple(shape)))

    def step(held: Any, rest: Any, seed: Any) -> Any:
        out, pull, new = lib.vjp(lambda *a: function(*a, *rest), *held, has_aux=True)
        return out, *new, *pull(seed)

    jitted = lib.jit(step)
    return lambda: lib.block_until_ready(jitted(held, rest, seed)), lambda results: [np.asarray(a) for a in results]


def serve(library: str, case: Case, path: str) -> None:
    """Do a case, save its results in a file, and then, for every line of the input, tell the median of as many calls as fit."""
    run, to_numpy = prepare(library, case)
    start = time.perf_counter()
    results = run()
    first = time.perf_counter() - start
    np.savez(path, *to_numpy(results))
    del results
    for _ in range(3):
        run()
    print(json.dumps(first), flush=True)
    for _ in sys.stdin:
        times: list[float] = []
        while len(times) < 3 or sum(times) < SECONDS:
            start = time.perf_counter()
            run()
            times.append(time.perf_counter() - start)
        print(json.dumps(statistics.median(times)), flush=True)


def disagreement(mine: str, other: str) -> float:
    """The largest difference of two files of results, relative to the largest element of each."""
    a, b = np.load(mine), np.load(other)
    assert len(a.files) == len(b.files)
    return max(float(np.abs(a[k] - b[k]).max() / max(np.abs(b[k]).max(), 1e-30)) for k in b.files)


def measure(name: str, pythons: list[str], rounds: int) -> tuple[dict[str, float], dict[str, float]]:
    """The least median of each library that there is, and by how much its results differ from jitgrad's."""
    with tempfile.TemporaryDirectory() as folder:
        workers = {}
        for library in LIBRARIES:
            path = os.path.join(folder, library + ".npz")
            for python in pythons:
                command = [python, __file__, "--serve", library, name, path]
                worker = subprocess.Popen(
                    command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
                )
                if worker.stdout.readline():  # type: ignore[union-attr]
                    workers[library] = worker
                    break
        least = dict.fromkeys(workers, math.inf)
        for _ in range(rounds):
            for library, worker in workers.items():
                print("go", file=worker.stdin, flush=True)
                least[library] = min(least[library], json.loads(worker.stdout.readline()))  # type: ignore[union-attr]
        for worker in workers.values():
            worker.stdin.close()  # type: ignore[union-attr]
            worker.wait()
        first = os.path.join(folder, "jitgrad.npz")
        return least, {k: disagreement(first, os.path.join(folder, k + ".npz")) for k in workers if k != "jitgrad"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="parts of the names of the cases to do; all by default")
    parser.add_argument("--python", action="append", default=[], help="another interpreter, for libraries that are not in this one")
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    print(f"| layer, ms | {' | '.join(LIBRARIES)} | best peer / jitgrad | largest difference |\n| --- |{' --- |' * 6}")
    for name in CASES:
        if given.names and not any(part in name for part in given.names):
            continue
        least, differences = measure(name, [sys.executable, *given.python], given.rounds)
        figures = " | ".join(f"{least[k] * 1e3:.3g}" if k in least else "-" for k in LIBRARIES)
        peers = [t for k, t in least.items() if k != "jitgrad"]
        ratio = f"{min(peers) / least['jitgrad']:.2f}" if peers and "jitgrad" in least else "-"
        print(f"| {name} | {figures} | {ratio} | {max(differences.values(), default=0.0):.1e} |", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(sys.argv[2], CASES[sys.argv[3]], sys.argv[4])
    else:
        main()
