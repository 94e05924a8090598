"""Layers beside PyTorch's: what both are called with, and what PyTorch gives, stored in torch_numbers.json for where it is not.

Parameters and inputs are drawn by NumPy, by PyTorch's names and shapes. `python tests/nn/torch_cases.py` writes the numbers anew:
one of each result and gradient, its sum weighted by cosines.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import models, nn, tree

NUMBERS = Path(__file__).with_name("torch_numbers.json")


PLAIN: Callable[..., Any] = lambda layer, *xs: layer(*xs)


@dataclass(frozen=True)
class Case:
    """A layer here and in PyTorch, given inputs that are differentiated and others that are not; how each is called."""

    ours: Callable[[], Any]
    theirs: Callable[[Any], Any]
    inputs: tuple[Any, ...]
    call: Callable[..., Any] = PLAIN
    torch_call: Callable[..., Any] = PLAIN
    parameters: dict[str, tuple[int, ...]] = field(default_factory=dict)


def drawn(seed: str, shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(list(seed.encode())).standard_normal(shape) * 0.5


def state_of(shapes: dict[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    return {name: drawn(name, tuple(shape)) for name, shape in shapes.items()}


def weights_of(outs: list[Any]) -> list[np.ndarray]:
    """The cotangents of results."""
    return [drawn(f"cotangent {i}", np.shape(out)) for i, out in enumerate(outs)]


def our_numbers(case: Case, shapes: dict[str, tuple[int, ...]], dtype: Any = "float64") -> list[np.ndarray]:
    """Results, then gradients by the parameters and by the inputs."""
    state = {n: x.astype(dtype) for n, x in state_of(shapes).items()}
    layer = tree.map(lambda x: x.astype(dtype), nn.load_torch(tree.map(lambda x: x.astype("float64"), case.ours()), state))
    inputs = tree.map(lambda x: jnp.asarray(x.astype(dtype)), case.inputs)

    def loss(layer: Any, inputs: Any) -> Any:
        outs = tree.leaves(case.call(layer, *inputs))
        return sum(jnp.sum(o * w.astype(o.dtype)) for o, w in zip(outs, weights_of(outs), strict=True)), outs

    grads, outs = jitgrad.jit(jitgrad.grad(loss, argnums=(0, 1), has_aux=True))(layer, inputs)
    return [np.asarray(x) for x in (*outs, *tree.leaves(grads))]


def their_numbers(torch: Any, case: Case, dtype: str = "float64") -> tuple[list[np.ndarray], dict[str, tuple[int, ...]]]:
    """The same of PyTorch's, in our layout, and the shapes of its parameters."""
    layer = case.theirs(torch).to(getattr(torch, dtype))
    shapes = {n: tuple(p.shape) for n, p in layer.named_parameters()}
    layer.load_state_dict({n: torch.tensor(x.astype(dtype)) for n, x in state_of(shapes).items()})
    inputs = tree.map(lambda x: torch.tensor(x.astype(dtype), requires_grad=True), case.inputs)
    outs = tree.leaves(case.torch_call(layer, *inputs))
    sum((o * torch.tensor(w.astype(dtype))).sum() for o, w in zip(outs, weights_of(outs), strict=True)).backward()
    grads = nn.load_torch(tree.map(lambda x: x.astype(dtype), case.ours()), {n: p.grad for n, p in layer.named_parameters()})
    found = [*[o.detach().numpy() for o in outs], *tree.leaves(grads), *[x.grad.numpy() for x in tree.leaves(inputs)]]
    return [np.asarray(x) for x in found], shapes


def digest(x: np.ndarray) -> float:
    """An array as one number."""
    return float(np.sum(x.ravel() * np.cos(np.arange(x.size))))


def normal(*shape: int) -> np.ndarray:
    return drawn(f"input {shape}", shape)


X = normal(3, 5, 4)
ONE, TWO = normal(1, 3, 6), normal(4, 3, 6)
LENGTHS = np.array([5, 2, 3])


def packed(layer: Any, x: Any, *state: Any) -> Any:
    """PyTorch's way to give lengths."""
    import torch

    sequences = torch.nn.utils.rnn.pack_padded_sequence(x, torch.tensor(LENGTHS), batch_first=True, enforce_sorted=False)
    out, last = layer(sequences, *state)
    return torch.nn.utils.rnn.pad_packed_sequence(out, batch_first=True)[0], last


def recurrent(name: str, *inputs: Any, **options: Any) -> Case:
    """A layer over X [3, 5, 4], of 6 features."""
    return Case(
        lambda: getattr(nn, name)(4, 6, **options),
        lambda torch: getattr(torch.nn, name)(4, 6, batch_first=True, **options),
        (X, *inputs),
    )


def with_lengths(case: Case) -> Case:
    return Case(case.ours, case.theirs, case.inputs, lambda layer, *xs: layer(*xs, lengths=LENGTHS), packed)


def cell(name: str, *inputs: Any, **options: Any) -> Case:
    return Case(
        lambda: getattr(nn, name)(4, 6, **options), lambda torch: getattr(torch.nn, name)(4, 6, **options), (normal(3, 4), *inputs)
    )


Q, MEMORY = normal(2, 5, 8), normal(2, 7, 8)
HIDDEN = drawn("mask", (5, 5)) > 0.3
HIDDEN[:, 0] = False
CAUSAL = ~np.tril(np.ones((5, 5), bool))


def masked(hidden: np.ndarray) -> Any:
    """PyTorch's masks, which are True where a pair takes no part."""
    import torch

    return torch.tensor(hidden)


def attention(inputs: tuple[Any, ...], call: Any, torch_call: Any, **options: Any) -> Case:
    """8 features in 2 heads. PyTorch's result is the first of a pair, and it wants keys and values said."""
    return Case(
        lambda: nn.MultiHeadAttention(8, 2, **options),
        lambda torch: torch.nn.MultiheadAttention(8, 2, batch_first=True, **options),
        inputs,
        call,
        lambda layer, *xs: torch_call(layer, *xs)[0],
    )


def transformer(kind: str, inputs: tuple[Any, ...], call: Any, torch_call: Any, **options: Any) -> Case:
    return Case(
        lambda: getattr(nn, kind)(8, 2, 12, **options),
        lambda torch: getattr(torch.nn, kind)(8, 2, 12, batch_first=True, **options).eval(),
        inputs,
        call,
        torch_call,
    )


def encoder(torch: Any) -> Any:
    layers = torch.nn.TransformerEncoderLayer(8, 2, 12, batch_first=True)
    return torch.nn.TransformerEncoder(layers, 2, torch.nn.LayerNorm(8), enable_nested_tensor=False).eval()


def decoder(torch: Any) -> Any:
    return torch.nn.TransformerDecoder(torch.nn.TransformerDecoderLayer(8, 2, 12, batch_first=True), 2).eval()


def with_masks(layer: Any, x: Any, memory: Any) -> Any:
    return layer(x, memory, tgt_mask=masked(CAUSAL), memory_mask=masked(HIDDEN[:, [0, 1, 2, 3, 4, 0, 1]]))


ZERO = np.zeros((1, 4))
ROWS = np.array([[3, 0, 5, 5, 1, 10, 0], [2, 7, 0, 0, 0, 8, 9]])
TOKENS = np.random.default_rng(3).integers(0, 11, (2, 7))


def bag(mode: str, *weights: Any) -> Case:
    """A table whose row 0 stands for none."""
    return Case(
        lambda: nn.EmbeddingBag(11, 3, mode, 0),
        lambda torch: torch.nn.EmbeddingBag(11, 3, mode=mode, padding_idx=0),
        weights,
        lambda layer, *more: layer(ROWS, *more),
        lambda layer, *more: layer(masked(ROWS), None, *more),
    )


def normalized(*arguments: Any) -> Any:
    import torch

    return torch.nn.functional.normalize(*arguments)


def gpt(torch: Any) -> Any:
    """GPT-2 as it is published, with its names: matrices of blocks are [inputs, outputs]."""
    module, functional = torch.nn, torch.nn.functional

    class Affine(module.Module):
        def __init__(self, inputs: int, outputs: int) -> None:
            super().__init__()
            self.weight, self.bias = module.Parameter(torch.zeros(inputs, outputs)), module.Parameter(torch.zeros(outputs))

        def forward(self, x: Any) -> Any:
            return x @ self.weight + self.bias

    class Block(module.Module):
        def __init__(self) -> None:
            super().__init__()
            self.ln_1, self.ln_2 = module.LayerNorm(8), module.LayerNorm(8)
            self.attn = module.ModuleDict(dict(c_attn=Affine(8, 24), c_proj=Affine(8, 8)))
            self.mlp = module.ModuleDict(dict(c_fc=Affine(8, 32), c_proj=Affine(32, 8)))

        def forward(self, x: Any) -> Any:
            parts = self.attn["c_attn"](self.ln_1(x)).split(8, dim=2)
            q, k, v = (p.reshape(*p.shape[:2], 2, 4).transpose(1, 2) for p in parts)
            seen = functional.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2)
            x = x + self.attn["c_proj"](seen.reshape(x.shape))
            return x + self.mlp["c_proj"](functional.gelu(self.mlp["c_fc"](self.ln_2(x)), approximate="tanh"))

    class Twin(module.Module):
        def __init__(self) -> None:
            super().__init__()
            self.wte, self.wpe = module.Embedding(11, 8), module.Embedding(9, 8)
            self.h, self.ln_f = module.ModuleList([Block(), Block()]), module.LayerNorm(8)

        def forward(self) -> Any:
            x = self.wte(torch.tensor(TOKENS)) + self.wpe(torch.arange(TOKENS.shape[1]))
            for block in self.h:
                x = block(x)
            return self.ln_f(x) @ self.wte.weight.T

    return Twin()


def speech(torch: Any) -> Any:
    """models.SpeechRecognizer: nothing is behind an utterance's end for convolutions either."""
    module = torch.nn

    class Twin(module.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1, self.conv2 = module.Conv1d(4, 6, 11, 2, 5), module.Conv1d(6, 6, 11, 1, 5)
            self.norm1, self.norm2 = module.LayerNorm(6), module.LayerNorm(6)
            self.rnn = module.GRU(6, 6, 2, batch_first=True, bidirectional=True)
            self.out = module.Linear(12, 7)

        def forward(self, x: Any) -> Any:
            lengths = torch.tensor(FRAMES)
            for conv, norm in ((self.conv1, self.norm1), (self.conv2, self.norm2)):
                here = torch.arange(x.shape[1]) < lengths[:, None]
                x = norm(conv((x * here[..., None]).transpose(1, 2)).transpose(1, 2)).relu()
                lengths = torch.tensor(-(-FRAMES // 2))
            sequences = torch.nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
            return self.out(torch.nn.utils.rnn.pad_packed_sequence(self.rnn(sequences)[0], batch_first=True)[0])

    return Twin()


FRAMES = np.array([13, 4, 9])
DEEP = dict(num_layers=2, bidirectional=True)
CASES: dict[str, Case] = {
    "RNN": recurrent("RNN"), "RNN of relu": recurrent("RNN", ONE, nonlinearity="relu"), "deep RNN": recurrent("RNN", TWO, **DEEP),
    "LSTM": recurrent("LSTM"), "LSTM with a state": recurrent("LSTM", (ONE, ONE[:, ::-1])), "deep LSTM": recurrent("LSTM", **DEEP),
    "LSTM without biases": recurrent("LSTM", bias=False), "deep LSTM with a state": recurrent("LSTM", (TWO, TWO[::-1]), **DEEP),
    "GRU": recurrent("GRU"), "deep GRU": recurrent("GRU", TWO, **DEEP), "GRU without biases": recurrent("GRU", ONE, bias=False),
    "LSTM with lengths": with_lengths(recurrent("LSTM", **DEEP)), "GRU with lengths": with_lengths(recurrent("GRU", TWO, **DEEP)),
    "RNNCell": cell("RNNCell", normal(3, 6)), "RNNCell of relu": cell("RNNCell", nonlinearity="relu"),
    "LSTMCell": cell("LSTMCell", (normal(3, 6), normal(3, 6) * 2)), "GRUCell": cell("GRUCell", normal(3, 6)),
    "GRUCell without biases": cell("GRUCell", bias=False),
    "attention to itself": attention((Q,), lambda layer, x: layer(x), lambda layer, x: layer(x, x, x)),
    "attention without biases": attention((Q,), lambda layer, x: layer(x), lambda layer, x: layer(x, x, x), bias=False),
    "masked attention": attention(
        (Q,), lambda layer, x: layer(x, mask=~HIDDEN), lambda layer, x: layer(x, x, x, attn_mask=masked(HIDDEN))
    ),
    "causal attention": attention(
        (Q,), lambda layer, x: layer(x, is_causal=True), lambda layer, x: layer(x, x, x, attn_mask=masked(CAUSAL))
    ),
    "attention to others": attention(
        (Q, normal(2, 7, 6), normal(2, 7, 5)), PLAIN, PLAIN, kdim=6, vdim=5
    ),
    "attention without batch": attention((Q[0], MEMORY[0]), lambda layer, *xs: layer(*xs), lambda layer, q, k: layer(q, k, k)),
    "encoder layer": transformer("TransformerEncoderLayer", (Q,), PLAIN, PLAIN),
    "causal encoder layer of gelu that normalises first": transformer(
        "TransformerEncoderLayer", (Q,), lambda layer, x: layer(x, is_causal=True),
        lambda layer, x: layer(x, src_mask=masked(CAUSAL)), activation="gelu", norm_first=True,
    ),
    "decoder layer": transformer("TransformerDecoderLayer", (Q, MEMORY), PLAIN, PLAIN),
    "masked decoder layer that normalises first": transformer(
        "TransformerDecoderLayer", (Q, MEMORY),
        lambda layer, *xs: layer(*xs, is_causal=True, memory_mask=~HIDDEN[:, [0, 1, 2, 3, 4, 0, 1]]), with_masks, norm_first=True,
    ),
    "encoder": Case(
        lambda: nn.TransformerEncoder([nn.TransformerEncoderLayer(8, 2, 12) for _ in range(2)], nn.LayerNorm(8)), encoder, (Q,)
    ),
    "decoder": Case(lambda: nn.TransformerDecoder([nn.TransformerDecoderLayer(8, 2, 12) for _ in range(2)]), decoder, (Q, MEMORY)),
    "Bilinear": Case(
        lambda: nn.Bilinear(4, 6, 5), lambda torch: torch.nn.Bilinear(4, 6, 5), (normal(3, 2, 4), normal(3, 2, 6))
    ),
    "Bilinear without bias": Case(
        lambda: nn.Bilinear(4, 6, 5, bias=False), lambda torch: torch.nn.Bilinear(4, 6, 5, bias=False), (normal(3, 4), normal(3, 6))
    ),
    **{f"bag of embeddings, {mode}": bag(mode) for mode in ("sum", "mean", "max")},
    "bag of embeddings, weighted": bag("sum", normal(2, 7)),
    "CosineSimilarity": Case(
        nn.CosineSimilarity, lambda torch: torch.nn.CosineSimilarity(dim=-1), (normal(3, 4), np.concatenate([normal(2, 4), ZERO]))
    ),
    "PairwiseDistance": Case(
        lambda: nn.PairwiseDistance(3.0, keepdims=True), lambda torch: torch.nn.PairwiseDistance(3.0, keepdim=True), (Q, Q[:, ::-1])
    ),
    "normalize": Case(
        nn.Identity, lambda torch: torch.nn.Identity(), (np.concatenate([normal(2, 4), ZERO]),), lambda _, x: nn.normalize(x),
        lambda _, x: normalized(x),
    ),
    "normalize, the 1-norm of columns": Case(
        nn.Identity, lambda torch: torch.nn.Identity(), (normal(3, 4),), lambda _, x: nn.normalize(x, 1.0, 0),
        lambda _, x: normalized(x, 1.0, 0),
    ),
    "speech recogniser": Case(
        lambda: models.SpeechRecognizer(7, 4, hidden=6, layers=2), speech, (normal(3, 13, 4),), lambda layer, x: layer(x, FRAMES)[0]
    ),
    "Transformer": Case(
        lambda: nn.Transformer(8, 2, 2, 1, 12),
        lambda torch: torch.nn.Transformer(8, 2, 2, 1, 12, batch_first=True).eval(), (MEMORY, Q),
        lambda layer, *xs: layer(*xs, tgt_is_causal=True), lambda layer, *xs: layer(*xs, tgt_mask=masked(CAUSAL)),
    ),
    "Transformer that normalises first": Case(
        lambda: nn.Transformer(8, 2, 1, 2, 12, activation="gelu", norm_first=True),
        lambda torch: torch.nn.Transformer(8, 2, 1, 2, 12, activation="gelu", norm_first=True, batch_first=True).eval(), (Q, Q),
        lambda layer, *xs: layer(*xs, src_mask=~HIDDEN), lambda layer, *xs: layer(*xs, src_mask=masked(HIDDEN)),
    ),
    "GPT": Case(lambda: models.GPT(11, 9, 8, 2, 2), gpt, (), lambda layer: layer(TOKENS)),
}  # fmt: skip


def write(cases: dict[str, Case], path: Path) -> None:
    import torch

    stored = {}
    for name, case in cases.items():
        found, shapes = their_numbers(torch, case)
        stored[name] = {"parameters": shapes, "numbers": [digest(x) for x in found]}
    rows = ",\n".join(f"{json.dumps(name)}: {json.dumps(row)}" for name, row in stored.items())
    path.write_text(f"{{\n{rows}\n}}\n")


if __name__ == "__main__":
    write(CASES, NUMBERS)
