"""Layers beside PyTorch's: a table of pairs, the numbers both are given, and what each answers.

Arguments and shapes are drawn from a seed; parameters, inputs and cotangents, too, by NumPy alone. An answer is a dict: "out", "x"
(the input's gradient), the parameters' gradients and, with " after" behind, buffers after the call, as PyTorch names and has them.
`python -m tests.peers.layers` stores PyTorch's answers for tests/nn/test_torch_numbers.py, for where it is not installed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import jitgrad.numpy as jnp
from jitgrad import nn, tree, value_and_grad
from jitgrad.held import Held

NUMBERS = Path(__file__).parents[1] / "nn" / "torch_numbers.npz"
SEEDS = (0,)
"""Those whose answers are stored."""


def same(arrays: dict[str, Any]) -> dict[str, Any]:
    return arrays


def transposed(arrays: dict[str, Any]) -> dict[str, Any]:
    return {**arrays, "weight": arrays["weight"].T}


@dataclass(frozen=True)
class Pair:
    """draw(rng) gives the arguments of both and the input's shape in PyTorch's layout; `last` is the axis that ours has as the last
    one; `to_torch` renames our arrays and brings them into PyTorch's layout.
    """

    torch: Callable[..., Any]
    ours: Callable[..., Any]
    draw: Callable[[Any], tuple[dict[str, Any], tuple[int, ...]]]
    to_torch: Callable[[dict[str, Any]], dict[str, Any]] = same
    last: int | None = None
    integers: str = ""
    """The argument below which inputs are whole numbers."""
    relative: float = 1e-9
    """How near float64 is."""


def either(rng: Any) -> bool:
    return bool(rng.randint(2))


def batch_of(rng: Any, least: int, most: int) -> tuple[int, ...]:
    return tuple(int(n) for n in rng.randint(1, 5, rng.randint(least, most + 1)))


def linear(rng: Any) -> Any:
    inputs, outputs = (int(n) for n in rng.randint(1, 7, 2))
    return {"in_features": inputs, "out_features": outputs, "bias": either(rng)}, (*batch_of(rng, 0, 3), inputs)


def wide(rng: Any) -> Any:
    options, shape = linear(rng)
    return {**options, "out_features": options["out_features"] + 3}, shape  # a variance of few numbers may be near 0


def embedding(rng: Any) -> Any:
    rows, size = (int(n) for n in rng.randint(2, 7, 2))
    return {"num_embeddings": rows, "embedding_dim": size}, batch_of(rng, 0, 3)


def channel_norm(axes: int, momenta: tuple[Any, ...] = (0.1, 0.3, None)) -> Any:
    def draw(rng: Any) -> Any:
        channels = int(rng.randint(1, 5))
        options = {"eps": float(rng.choice([1e-5, 1e-2])), "momentum": momenta[rng.randint(len(momenta))], "affine": either(rng)}
        shape = (int(rng.randint(3, 6)), channels, *(int(n) for n in rng.randint(3, 6, axes)))
        return {"num_features": channels, **options, "track_running_stats": either(rng)}, shape

    return draw


def trailing(rng: Any, **options: Any) -> Any:
    shape = tuple(int(n) for n in rng.randint(2, 5, rng.randint(1, 3)))
    return {"normalized_shape": shape, "elementwise_affine": either(rng), **options}, (*batch_of(rng, 0, 3), *shape)


def layer_norm(rng: Any) -> Any:
    return trailing(rng, bias=either(rng), eps=float(rng.choice([1e-5, 1e-2])))


def rms_norm(rng: Any) -> Any:
    return trailing(rng, eps=[None, 1e-3][rng.randint(2)])


def group_norm(rng: Any) -> Any:
    groups, size = (int(n) for n in rng.randint(1, 4, 2))
    shape = (int(rng.randint(1, 4)), groups * size, *(int(n) for n in rng.randint(2, 5, rng.randint(0, 4))))
    return {"num_groups": groups, "num_channels": groups * size, "eps": 1e-5, "affine": either(rng)}, shape


def elements(*options: dict[str, Any], even: bool = False) -> Any:
    def draw(rng: Any) -> Any:
        shape = batch_of(rng, 1, 4)
        return (options[rng.randint(len(options))] if options else {}), (*shape[:-1], 2 * shape[-1]) if even else shape

    return draw


def flatten(rng: Any) -> Any:
    shape = batch_of(rng, 2, 5)
    start = int(rng.randint(0, len(shape)))
    return {"start": start, "end": int(rng.randint(start, len(shape))) - (len(shape) if either(rng) else 0)}, shape


def named(name: str, **defaults: Any) -> Any:
    return lambda torch, **options: getattr(torch.nn, name)(**defaults, **options)


def ours(name: str, dtype_taken: bool = True) -> Any:
    return lambda dtype, **options: getattr(nn, name)(**options, **({"dtype": dtype} if dtype_taken else {}))


def by_channels(name: str, draw: Any, torch_name: str = "", takes: str = "") -> dict[str, Pair]:
    """A layer in both data formats."""
    theirs = named(torch_name or name)
    return {
        f"{name}, channels first": Pair(
            theirs, lambda dtype, **o: getattr(nn, name)(**o, dtype=dtype, data_format="channels_first"), draw
        ),
        f"{name}, channels last": Pair(theirs, lambda dtype, **o: getattr(nn, name)(**o, dtype=dtype), draw, last=1),
    }


ACTIVATIONS = (
    "ReLU ReLU6 ELU CELU SELU GELU SiLU Mish Sigmoid LogSigmoid Tanh Softplus Softsign Hardtanh Hardswish LeakyReLU "
    "Hardshrink Softshrink Tanhshrink"
).split()
OPTIONS = {
    "ELU": ({}, {"alpha": 0.5}), "CELU": ({}, {"alpha": 0.5}), "LeakyReLU": ({}, {"negative_slope": 0.2}),
    "Hardshrink": ({}, {"lambd": 0.3}), "Softshrink": ({}, {"lambd": 0.3}),
}  # fmt: skip

PAIRS: dict[str, Pair] = {
    "Linear": Pair(named("Linear"), ours("Linear"), linear, transposed),
    "Embedding": Pair(named("Embedding"), ours("Embedding"), embedding, integers="num_embeddings"),
    "LayerNorm": Pair(named("LayerNorm"), ours("LayerNorm"), layer_norm),
    "RMSNorm": Pair(named("RMSNorm"), ours("RMSNorm"), rms_norm),
    **by_channels("GroupNorm", group_norm),
    **by_channels("BatchNorm1d", channel_norm(1)),
    "BatchNorm1d of vectors": Pair(named("BatchNorm1d"), ours("BatchNorm1d"), channel_norm(0)),
    **by_channels("BatchNorm2d", channel_norm(2)),
    **by_channels("BatchNorm3d", channel_norm(3)),
    **by_channels("BatchNorm", channel_norm(2), "BatchNorm2d"),
    **by_channels("InstanceNorm1d", channel_norm(1, (0.1, 0.3))),
    **by_channels("InstanceNorm2d", channel_norm(2, (0.1, 0.3))),
    **by_channels("InstanceNorm3d", channel_norm(3, (0.1, 0.3))),
    **{name: Pair(named(name), ours(name, False), elements(*OPTIONS.get(name, ()))) for name in ACTIVATIONS},
    "Hardsigmoid": Pair(named("Hardsigmoid"), ours("Hardsigmoid", False), elements(), relative=1e-7),  # its 1/6 is a float32
    "GELU, approximate": Pair(named("GELU", approximate="tanh"), lambda dtype: nn.GELU(approximate=True), elements()),
    "PReLU": Pair(named("PReLU"), ours("PReLU"), elements({"num_parameters": 1})),
    "GLU": Pair(named("GLU", dim=-1), ours("GLU", False), elements(even=True)),
    "Threshold": Pair(named("Threshold"), ours("Threshold", False), elements({"threshold": 0.1, "value": -20.0})),
    "Softmin": Pair(named("Softmin", dim=-1), ours("Softmin", False), elements()),
    "Softmax": Pair(named("Softmax", dim=-1), ours("Softmax", False), elements()),
    "LogSoftmax": Pair(named("LogSoftmax", dim=0), lambda dtype: nn.LogSoftmax(axis=0), elements()),
    "Flatten": Pair(
        lambda torch, start, end: torch.nn.Flatten(start, end), lambda dtype, start, end: nn.Flatten(start, end), flatten
    ),
    "Dropout, not dropping": Pair(named("Dropout", p=0.0), lambda dtype: nn.Dropout(0.0), elements()),
    "Identity": Pair(named("Identity"), lambda dtype: nn.Identity(), elements()),
    "Sequential": Pair(
        lambda torch, in_features, out_features, bias: torch.nn.Sequential(
            torch.nn.Linear(in_features, out_features, bias), torch.nn.Tanh(), torch.nn.LayerNorm(out_features)
        ),
        lambda dtype, in_features, out_features, bias: nn.Sequential(
            nn.Linear(in_features, out_features, bias, dtype=dtype), jnp.tanh, nn.LayerNorm(out_features, dtype=dtype)
        ),
        wide,
        lambda arrays: {
            name.removeprefix("layers[").replace("]", ""): a.T if name == "layers[0].weight" else a for name, a in arrays.items()
        },
    ),
}  # fmt: skip


class Question:
    """What both layers of a pair are given."""

    def __init__(self, pair: Pair, seed: int, dtype: str) -> None:
        rng = np.random.RandomState(seed)
        self.pair, self.dtype = pair, dtype
        self.options, shape = pair.draw(rng)
        model = pair.ours(dtype, **self.options)
        paths = [tree.path_text(path).removeprefix(".") for path, _ in tree.leaves_with_path(model)]
        self.arrays = {}
        for path, leaf in zip(paths, tree.leaves(model), strict=True):
            drawn = rng.normal(size=leaf.shape)
            drawn = np.abs(drawn) + 0.5 if path.endswith("running_var") else drawn
            self.arrays[path] = np.abs(drawn).astype(leaf.dtype) if leaf.dtype.kind == "i" else drawn.astype(dtype)
        self.model = tree.unflatten(tree.structure(model), [jnp.asarray(a) for a in self.arrays.values()])
        self.x = (
            rng.randint(self.options[pair.integers], size=shape) if pair.integers else (2 * rng.normal(size=shape)).astype(dtype)
        )
        self.rng = rng

    def cotangent(self, shape: tuple[int, ...]) -> np.ndarray:
        return np.random.RandomState(len(shape)).normal(size=shape).astype(self.dtype)

    def ours(self, train: bool, mode: Callable[[Any], Any] = same) -> dict[str, np.ndarray]:
        pair = self.pair

        def moved(x: Any, back: bool = False) -> Any:
            if pair.last is None or x.ndim < 2:
                return x
            return jnp.moveaxis(x, -1, pair.last) if back else jnp.moveaxis(x, pair.last, -1)

        def f(model: Any, x: Any) -> Any:
            y, model = nn.apply(model, moved(x), train=train)
            y = moved(y, back=True)
            return jnp.sum(y * self.cotangent(y.shape)), (y, model)

        argnums = 0 if pair.integers else (0, 1)
        (_, (y, after)), found = mode(value_and_grad(f, argnums, has_aux=True))(self.model, jnp.asarray(self.x))
        gradient, of_x = (found, None) if pair.integers else found
        answer = pair.to_torch(named_arrays(gradient))
        answer |= {f"{name} after": a for name, a in named_buffers(after).items()}
        return {"out": np.asarray(y), **({} if of_x is None else {"x": np.asarray(of_x)}), **answer}

    def torchs(self, torch: Any, train: bool) -> dict[str, np.ndarray]:
        """PyTorch's answer; torch is the package."""
        layer = self.pair.torch(torch, **self.options).to(getattr(torch, self.dtype)).train(train)
        state = {name: torch.from_numpy(np.array(a)) for name, a in self.pair.to_torch(self.arrays).items()}
        uncounted = {n: t for n, t in layer.state_dict().items() if n.endswith("num_batches_tracked") and n not in state}
        layer.load_state_dict({**uncounted, **state})
        x = torch.from_numpy(self.x)
        if not self.pair.integers:
            x.requires_grad_()
        y = layer(x)
        (y * torch.from_numpy(self.cotangent(tuple(y.shape)))).sum().backward()
        answer = {"out": y.detach().numpy(), **({"x": x.grad.numpy()} if x.requires_grad else {})}
        answer |= {n: p.grad.numpy() for n, p in layer.named_parameters() if p.grad is not None}
        return answer | {f"{n} after": b.numpy() for n, b in layer.named_buffers() if n in state}


def named_arrays(model: Any) -> dict[str, np.ndarray]:
    return {tree.path_text(path).removeprefix("."): np.asarray(x) for path, x in tree.leaves_with_path(model)}


def named_buffers(model: Any) -> dict[str, np.ndarray]:
    held = [(path, x) for path, x in tree.leaves_with_path(model, lambda x: isinstance(x, Held)) if isinstance(x, Held)]
    return {tree.path_text(path).removeprefix("."): np.asarray(x.value) for path, x in held}


def disagreement(got: dict[str, np.ndarray], wanted: dict[str, np.ndarray], relative: float) -> str:
    """What two answers differ in by more than a part of its largest element; "" where they agree."""
    if got.keys() != wanted.keys():
        return f"answers {sorted(got)}, wanted {sorted(wanted)}"
    for name, a in got.items():
        b = wanted[name]
        if a.shape != b.shape:
            return f"{name}: shape {a.shape}, wanted {b.shape}"
        if b.size and not np.abs(a.astype(float) - b).max() <= relative * max(np.abs(b).max(), 1e-3):
            return f"{name}: {a.ravel()[:5]}, wanted {b.ravel()[:5]}"
    return ""


def store() -> None:
    import torch

    kept = {}
    for name, pair in PAIRS.items():
        for seed in SEEDS:
            for train in (False, True):
                answer = Question(pair, seed, "float64").torchs(torch, train)
                kept |= {f"{name}|{seed}|{train}|{part}": a for part, a in answer.items()}
    np.savez_compressed(NUMBERS, **kept)
    print(f"{len(kept)} arrays, {NUMBERS.stat().st_size} bytes")


if __name__ == "__main__":
    store()
