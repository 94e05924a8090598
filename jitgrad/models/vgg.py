"""VGG (Simonyan and Zisserman, 2015): convolutions of 3 x 3 in five stages with pools between, and three linear layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jitgrad import nn
from jitgrad.array import Array
from jitgrad.nn.data_format import CHANNELS_LAST
from jitgrad.ranges import Part, Size

from .building import flat, options

_CHANNELS = (64, 128, 256, 512, 512)
_DEPTHS = {11: (1, 1, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}


class VGG(nn.Module):
    """The network with so many convolutions in each stage. Images have at least 32 x 32 elements.

    batch_norm: with batch norm behind each convolution, which then has no need of a small learning rate. hidden: the width of the
    two linear layers before the last one. dropout: of theirs, in training; it needs a key. What the linear layers get is 7 x 7, of
    images of 224 x 224 as it is, of others by an adaptive pool.
    """

    def __init__(
        self,
        depths: Sequence[int],
        classes: Size = 1000,
        channels: Size = 3,
        *,
        batch_norm: bool = False,
        hidden: Size = 4096,
        dropout: Part = 0.5,
        key: Any = None,
        data_format: str = CHANNELS_LAST,
        dtype: Any = None,
    ) -> None:
        of = options("models.VGG", key, data_format, dtype)
        self.data_format = data_format
        layers: list[Any] = []
        inputs = channels
        for depth, outputs in zip(depths, _CHANNELS, strict=True):
            for _ in range(depth):
                start = nn.initializers.variance_scaling(2.0, "fan_out", "normal")
                layers.append(of.conv(inputs, outputs, 3, padding=1, weight_init=start, bias_init=nn.initializers.zeros))
                layers += [of.norm(outputs)] if batch_norm else []
                layers.append(nn.relu)
                inputs = outputs
            layers.append(of.max_pool(2, 2))
        self.features = nn.Sequential(layers)
        self.pool: Any = nn.AdaptiveAvgPool2d(7, data_format=data_format)
        small = {"weight_init": nn.initializers.normal(0.01), "bias_init": nn.initializers.zeros}
        self.classifier = nn.Sequential(
            of.linear(inputs * 7 * 7, hidden, **small), nn.relu, nn.Dropout(dropout), of.linear(hidden, hidden, **small), nn.relu,
            nn.Dropout(dropout), of.linear(hidden, classes, **small),
        )  # fmt: skip

    def __call__(self, x: Any) -> Array:
        out: Array = self.classifier(flat(self.pool(self.features(x)), self.data_format))
        return out

    def keras_names(self) -> dict[str, str]:
        """The layers' names in keras.applications."""
        names, stage, number = {}, 1, 0
        for i, layer in enumerate(self.features):
            if isinstance(layer, nn.Conv2d):
                number += 1
                names[f"features.{i}"] = f"block{stage}_conv{number}"
            elif isinstance(layer, nn.MaxPool2d):
                stage, number = stage + 1, 0
        return names | {"classifier.0": "fc1", "classifier.3": "fc2", "classifier.6": "predictions"}

    def keras_flattened(self) -> dict[str, tuple[int, int, int]]:
        """The shape of what is flattened before a linear layer."""
        return {"classifier.0": (7, 7, _CHANNELS[-1])}


def _vgg(depth: int, count: str) -> Any:
    def made(classes: Size = 1000, channels: Size = 3, **options: Any) -> VGG:
        return VGG(_DEPTHS[depth], classes, channels, **options)

    made.__name__ = made.__qualname__ = f"VGG{depth}"
    made.__doc__ = f"VGG with {depth} layers that have weights: {count} parameters for 1000 classes. Options are `models.VGG`'s."
    return made


VGG11 = _vgg(11, "132,863,336")
VGG16 = _vgg(16, "138,357,544")
VGG19 = _vgg(19, "143,667,240")
