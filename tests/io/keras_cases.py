"""Layers of Keras and ours that take their variables: what both are called with, and what Keras gives.

Variables and inputs are drawn by NumPy, by names and shapes. `python -m tests.io.keras_cases`, where Keras is installed, stores the
names and shapes of Keras' variables and its results in keras_numbers.json.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jitgrad import nn, random
from jitgrad.train import layers

NUMBERS = Path(__file__).with_name("keras_numbers.json")
KEY = random.key(0)


@dataclass(frozen=True)
class Case:
    """A model of ours, Keras' layers, given keras.layers, Keras' names of ours, and the shape of an example; whole numbers below a
    bound where there is one.
    """

    ours: Callable[[], Any]
    theirs: Callable[[Any], list[Any]]
    names: Any
    shape: tuple[int, ...]
    below: int | None = None

    def inputs(self) -> np.ndarray:
        rng = np.random.default_rng(3)
        shape = (2, *self.shape)
        return rng.integers(0, self.below, shape) if self.below else rng.standard_normal(shape).astype("float32")


def drawn(name: str, shape: Any) -> np.ndarray:
    x = np.random.default_rng(list(name.encode())).standard_normal(shape).astype("float32")
    return np.abs(x) + np.float32(0.5) if name.endswith("variance") else x * np.float32(0.5)


def convolutional() -> Any:
    convs = nn.Conv2d(3, 4, 3, stride=2, key=KEY), nn.BatchNorm2d(4, eps=1e-3), nn.relu, nn.Conv2d(4, 8, 3, groups=4, key=KEY)
    last = nn.ConvTranspose2d(8, 3, 3, stride=2, key=KEY)
    return nn.Sequential(*convs, last, nn.Flatten(), nn.Linear(147, 5, key=KEY))


class Attention(nn.Module):
    def __init__(self) -> None:
        self.norm, self.attention = nn.LayerNorm(6, eps=1e-3), nn.MultiHeadAttention(6, 2, key=KEY)

    def __call__(self, x: Any) -> Any:
        return self.attention(self.norm(x))


def of_images() -> Any:
    """Of Keras' layers here, whose names are those of Keras'."""
    return nn.build(nn.Sequential(image_layers(layers)), (1, 9, 9, 4))


def image_layers(k: Any) -> list[Any]:
    return [
        k.Conv2D(6, 3, padding="same", groups=2, activation="relu", name="c"), k.DepthwiseConv2D(3, name="d"),
        k.BatchNormalization(name="b"), k.PReLU(name="p"), k.Conv2DTranspose(3, 3, 2, name="t"), k.LayerNormalization(name="l"),
        k.Flatten(), k.Dense(2, name="out"),
    ]  # fmt: skip


class OfSequences(nn.Module):
    def __init__(self) -> None:
        self.embedding = layers.Embedding(7, 6, name="e")
        self.layers = sequence_layers(layers)
        self.attention = layers.MultiHeadAttention(2, 3, name="attention")

    def __call__(self, x: Any) -> Any:
        x = self.embedding(x)
        for layer in self.layers:
            x = layer(x)
        return self.attention(x, x)


def sequence_layers(k: Any) -> list[Any]:
    return [
        k.SimpleRNN(5, return_sequences=True, name="r"), k.LSTM(5, return_sequences=True, name="s"),
        k.Bidirectional(k.GRU(4, return_sequences=True, name="g"), name="both"),
    ]  # fmt: skip


class Outputs(nn.Module):
    """A recurrent layer's outputs."""

    def __init__(self, layer: Any) -> None:
        self.layer = layer

    def __call__(self, x: Any) -> Any:
        return self.layer(x)[0]


def recurrent(name: str, keras: str, **options: Any) -> Case:
    def theirs(layers: Any) -> list[Any]:
        layer = getattr(layers, keras)(4, return_sequences=True, name="recurrent")
        return [layers.Bidirectional(layer, name="both") if options else layer]

    names = ["both" if options else "recurrent"]
    return Case(lambda: Outputs(getattr(nn, name)(3, 4, key=KEY, **options)), theirs, names, (5, 3))


CASES: dict[str, Case] = {
    "convolutions": Case(
        convolutional,
        lambda k: [
            k.Conv2D(4, 3, 2), k.BatchNormalization(), k.ReLU(), k.DepthwiseConv2D(3, depth_multiplier=2),
            k.Conv2DTranspose(3, 3, 2), k.Flatten(), k.Dense(5),
        ],
        ["conv2d", "batch_normalization", "depthwise_conv2d", "conv2d_transpose", "dense"],
        (11, 11, 3),
    ),
    "grouped convolution": Case(
        lambda: nn.Conv1d(4, 6, 3, groups=2, key=KEY), lambda k: [k.Conv1D(6, 3, groups=2, name="c")], ["c"], (7, 4)
    ),
    "norms": Case(
        lambda: nn.Sequential(nn.BatchNorm1d(4, eps=1e-3), nn.GroupNorm(2, 4, eps=1e-3), nn.RMSNorm(4, eps=1e-7)),
        lambda k: [k.BatchNormalization(scale=False, name="bn"), k.GroupNormalization(2, name="gn"), k.RMSNormalization(
            epsilon=1e-7, name="rms")],
        {"0": "bn", "1": "gn", "2": "rms"}, (5, 4),
    ),
    "embedding": Case(lambda: nn.Embedding(7, 3, key=KEY), lambda k: [k.Embedding(7, 3, name="e")], ["e"], (5,), 7),
    "attention": Case(Attention, lambda k: [k.LayerNormalization(name="norm"), "attention"], None, (5, 6)),
    "Keras' layers of images": Case(of_images, image_layers, None, (9, 9, 4)),
    "Keras' layers of sequences": Case(
        lambda: nn.build(OfSequences(), np.zeros((1, 4), int)),
        lambda k: [k.Embedding(7, 6, name="e"), *sequence_layers(k), "attention"],
        [
            "e", "r", "s", "both/forward_g", "both/backward_g",
            *(f"attention/{n}" for n in ("query", "key", "value", "attention_output")),
        ], (4,), 7,
    ),
    "SimpleRNN": recurrent("RNN", "SimpleRNN"), "LSTM": recurrent("LSTM", "LSTM"), "GRU": recurrent("GRU", "GRU"),
    "both LSTM": recurrent("LSTM", "LSTM", bidirectional=True), "both GRU": recurrent("GRU", "GRU", bidirectional=True),
}  # fmt: skip


def their_numbers(keras: Any, case: Case) -> dict[str, Any]:
    """Names and shapes of Keras' variables, and its results."""
    keras.backend.clear_session()
    x = given = keras.Input(case.shape, dtype="int32" if case.below else "float32")
    for layer in case.theirs(keras.layers):
        x = keras.layers.MultiHeadAttention(2, 3, name="attention")(x, x) if layer == "attention" else layer(x)
    model = keras.Model(given, x)
    for v in model.variables:
        if "seed_generator" not in v.path:
            v.assign(drawn(v.path, v.shape))
    shapes = {v.path: list(v.shape) for v in model.variables}
    return {"variables": shapes, "numbers": np.asarray(model(case.inputs(), training=False).detach()).tolist()}


if __name__ == "__main__":
    import keras

    rows = (f"{json.dumps(name)}: {json.dumps(their_numbers(keras, case))}" for name, case in CASES.items())
    NUMBERS.write_text("{\n" + ",\n".join(rows) + "\n}\n")
