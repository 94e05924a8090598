"""Layers of windows, of space and of sequences give PyTorch's results and gradients for random arguments and sizes."""

from __future__ import annotations

import numpy as np
import pytest

from jitgrad import nn

from ..nn.torch_cases import Case, our_numbers, their_numbers
from ..nn.window_cases import beside

torch = pytest.importorskip("torch", reason="extra test-peers")

SPACE = [
    "Conv",
    "ConvTranspose",
    "MaxPool",
    "AvgPool",
    "AdaptiveAvgPool",
    "AdaptiveMaxPool",
    "ReflectionPad",
    "CircularPad",
    "Upsample",
]


class Drawn:
    def __init__(self, seed):
        self.rng = np.random.RandomState(seed)

    def count(self, least, most):
        return int(self.rng.randint(least, most + 1))

    def either(self):
        return bool(self.rng.randint(2))

    def each(self, rank, least, most):
        return tuple(self.count(least, most) for _ in range(rank))

    def normal(self, *shape):
        return self.rng.normal(size=shape)


def of_space(name, seed):
    """A layer of one to three axes of space in both formats; the input has room for a window."""
    d = Drawn(seed)
    rank, groups = d.count(1, 3), d.count(1, 3)
    size = d.each(rank, 6, 10 - rank)
    shape = (d.count(1, 3), *size, groups * d.count(1, 3))
    kernel, stride, dilation = d.each(rank, 1, 3), d.each(rank, 1, 3), d.each(rank, 1, 2)
    half = tuple(d.count(0, k // 2) for k in kernel)
    label = f"{name}{rank}d"
    if name == "Conv":
        options = dict(stride=stride, padding=d.each(rank, 0, 3), dilation=dilation, groups=groups, bias=d.either())
        mode = ("zeros", "reflect", "replicate", "circular")[d.count(0, 3)]
        return beside(label, shape, shape[-1], groups * d.count(1, 3), kernel, padding_mode=mode, **options)
    if name == "ConvTranspose":
        more = tuple(d.count(0, max(s, n) - 1) for s, n in zip(stride, dilation, strict=True))
        options = dict(stride=stride, padding=d.each(rank, 0, 2), output_padding=more, dilation=dilation, groups=groups)
        return beside(label, shape, shape[-1], groups * d.count(1, 3), kernel, **options)
    if name == "MaxPool":
        options = dict(stride=stride, padding=half, dilation=dilation, ceil_mode=d.either())
        return beside(label, shape, kernel, integers=d.either(), **options)
    if name == "AvgPool":
        return beside(label, shape, kernel, stride=stride, padding=half, ceil_mode=d.either(), count_include_pad=d.either())
    if name.startswith("Adaptive"):
        return beside(label, shape, d.each(rank, 1, 12))
    if name.endswith("Pad"):
        return beside(label, shape, d.each(2 * rank, 0, 5))
    mode = (("nearest", "linear"), ("bilinear", "bicubic"), ("nearest-exact", "trilinear"))[rank - 1][d.count(0, 1)]
    options = {} if mode.startswith("nearest") else dict(align_corners=d.either())
    return beside(name, shape, d.each(rank, 1, 15), mode=mode, **options)


def of_sequences(name, seed):
    d = Drawn(seed)
    batch, time, inputs, hidden = d.count(1, 4), d.count(1, 7), d.count(1, 6), d.count(1, 6)
    if name.endswith("Layer"):
        heads = 2 ** d.count(0, 2)
        width, options = heads * d.count(1, 4), dict(norm_first=d.either(), activation=("relu", "gelu")[d.count(0, 1)])
        memory = () if "Encoder" in name else (d.normal(batch, d.count(1, 6), width),)
        return Case(
            lambda: getattr(nn, name)(width, heads, hidden, dropout=0.0, **options),
            lambda torch: getattr(torch.nn, name)(width, heads, hidden, 0.0, batch_first=True, **options),
            (d.normal(batch, time, width), *memory),
        )
    if name == "Bilinear":
        outputs = d.count(1, 5)
        xs = d.normal(batch, time, inputs), d.normal(batch, time, hidden)
        return Case(lambda: nn.Bilinear(inputs, hidden, outputs), lambda torch: torch.nn.Bilinear(inputs, hidden, outputs), xs)
    options = dict(num_layers=d.count(1, 3), bidirectional=d.either(), bias=d.either())
    shape = options["num_layers"] * (1 + options["bidirectional"]), batch, hidden
    state = (d.normal(*shape), d.normal(*shape)) if name == "LSTM" else d.normal(*shape)
    return Case(
        lambda: getattr(nn, name)(inputs, hidden, **options),
        lambda torch: getattr(torch.nn, name)(inputs, hidden, batch_first=True, **options),
        (d.normal(batch, time, inputs), state),
    )


def check(words, case, dtype):
    want, shapes = their_numbers(torch, case, dtype)
    found = our_numbers(case, shapes, dtype)
    assert len(found) == len(want)
    for a, b in zip(found, want, strict=True):
        assert a.shape == b.shape and a.dtype == dtype, words
        limit = (1e-9 if dtype == "float64" else 1e-4) * max(np.abs(b).max(), 0.1)
        np.testing.assert_allclose(a, b, rtol=0, atol=limit, err_msg=words)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("name", SPACE)
def test_a_layer_of_space_agrees_with_torchs_for_random_arguments(name, seed):
    for words, case in of_space(name, seed).items():
        check(words, case, "float64" if seed < 4 else "float32")


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU", "Bilinear", "TransformerEncoderLayer", "TransformerDecoderLayer"])
def test_a_layer_of_sequences_agrees_with_torchs_for_random_arguments(name, seed):
    check(f"{name}, {seed}", of_sequences(name, seed), "float64" if seed < 4 else "float32")
