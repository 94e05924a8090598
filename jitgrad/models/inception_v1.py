"""Inception v1, GoogLeNet (Szegedy and others, 2015), with batch norm, as torchvision has it: for its 5 x 5 there is 3 x 3."""

from __future__ import annotations

from typing import Any

from jitgrad import nn
from jitgrad.array import Array
from jitgrad.nn.data_format import CHANNELS_LAST
from jitgrad.ranges import Part, Size

from .building import ConvNorm, Options, flat, joined, options


class _Inception(nn.Module):
    """Four branches side by side, whose channels are joined: widths of 1x1; 3x3 reduced, 3x3; 5x5 reduced, 5x5; pool."""

    def __init__(self, inputs: int, widths: tuple[int, ...], of: Options) -> None:
        one, three_in, three, five_in, five, pooled = widths
        self.data_format = of.data_format
        self.branch1 = ConvNorm(inputs, one, 1, of)
        self.branch2 = nn.Sequential(ConvNorm(inputs, three_in, 1, of), ConvNorm(three_in, three, 3, of, padding=1))
        self.branch3 = nn.Sequential(ConvNorm(inputs, five_in, 1, of), ConvNorm(five_in, five, 3, of, padding=1))
        self.branch4 = nn.Sequential(of.max_pool(3, 1, padding=1, ceil_mode=True), ConvNorm(inputs, pooled, 1, of))

    def __call__(self, x: Any) -> Array:
        return joined([branch(x) for branch in (self.branch1, self.branch2, self.branch3, self.branch4)], self.data_format)


class _Auxiliary(nn.Module):
    """A classifier of what an inner layer gives, for training."""

    def __init__(self, inputs: int, classes: Size, of: Options) -> None:
        self.data_format = of.data_format
        self.pool: Any = nn.AdaptiveAvgPool2d(4, data_format=of.data_format)
        self.conv = ConvNorm(inputs, 128, 1, of)
        self.fc1, self.fc2 = of.linear(2048, 1024), of.linear(1024, classes)
        self.dropout = nn.Dropout(0.7)

    def __call__(self, x: Any) -> Array:
        x = nn.relu(self.fc1(flat(self.conv(self.pool(x)), self.data_format)))
        return self.fc2(self.dropout(x))


_WIDTHS = {
    "3a": (64, 96, 128, 16, 32, 32), "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64), "4b": (160, 112, 224, 24, 64, 64), "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64), "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128), "5b": (384, 192, 384, 48, 128, 128),
}  # fmt: skip
_AUXILIARY = {"4a": "aux1", "4d": "aux2"}
"""Behind which layers there are classifiers for training."""


class InceptionV1(nn.Module):
    """Nine inception layers: 6,624,904 parameters for 1000 classes, with auxiliary classifiers 13,004,888.

    auxiliary: two classifiers of inner layers; in training the model gives (logits, logits of the first, of the second), whose
    losses the paper adds with a weight of 0.3. dropout: before the last layer, in training; it needs a key. Images have at least
    32 x 32 elements.
    """

    def __init__(
        self,
        classes: Size = 1000,
        channels: Size = 3,
        *,
        auxiliary: bool = False,
        dropout: Part = 0.2,
        key: Any = None,
        data_format: str = CHANNELS_LAST,
        dtype: Any = None,
    ) -> None:
        of = options("models.InceptionV1", key, data_format, dtype)
        self.conv1 = ConvNorm(channels, 64, 7, of, stride=2, padding=3)
        self.conv2, self.conv3 = ConvNorm(64, 64, 1, of), ConvNorm(64, 192, 3, of, padding=1)
        self.pool, self.pool4 = of.max_pool(3, 2, ceil_mode=True), of.max_pool(2, 2, ceil_mode=True)
        inputs = 192
        for name, widths in _WIDTHS.items():
            setattr(self, f"inception{name}", _Inception(inputs, widths, of))
            inputs = widths[0] + widths[2] + widths[4] + widths[5]
            if name in _AUXILIARY:
                setattr(self, _AUXILIARY[name], _Auxiliary(inputs, classes, of) if auxiliary else None)
        self.avgpool = nn.GlobalAvgPool(data_format=data_format)
        self.dropout = nn.Dropout(dropout)
        self.fc = of.linear(inputs, classes)

    def __call__(self, x: Any) -> Any:
        x = self.pool(self.conv1(x))
        x = self.pool(self.conv3(self.conv2(x)))
        others = []
        for name in _WIDTHS:
            x = getattr(self, f"inception{name}")(x)
            classifier = getattr(self, _AUXILIARY[name]) if name in _AUXILIARY else None
            if classifier is not None and self.training:
                others.append(classifier(x))
            if name == "3b":
                x = self.pool(x)
            elif name == "4e":
                x = self.pool4(x)
        out = self.fc(self.dropout(self.avgpool(x)))
        return (out, *others) if others else out

    def keras_flattened(self) -> dict[str, tuple[int, int, int]]:
        """The shapes of what is flattened before linear layers."""
        return {f"{name}.fc1": (4, 4, 128) for name in _AUXILIARY.values()}
