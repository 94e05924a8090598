"""Inception v3 (Szegedy, Vanhoucke, Ioffe, Shlens and Wojna, 2016): convolutions split into thin ones, in five kinds of layers.

Attributes have torchvision's names.
"""

from __future__ import annotations

from typing import Any

from jitgrad import nn
from jitgrad.array import Array
from jitgrad.nn.data_format import CHANNELS_LAST
from jitgrad.ranges import Part, Size

from .building import ConvNorm, Options, joined, options

Convolution = tuple[int, int | tuple[int, int], int]
"""Channels, kernel size and stride; padding keeps the size where the stride is 1."""


class _Layer(nn.Module):
    """Branches of convolutions side by side, and one behind a pool of 3 x 3: their channels joined.

    branches: for each attribute's name the convolutions in a row, named "name_1", "name_2", ... where there are several. A name may
    end in "ab": then the last convolution is two side by side, "..a" and "..b". pool: channels of the branch behind a mean, or None
    for the largest elements with stride 2.
    """

    def __init__(self, inputs: int, branches: dict[str, list[Convolution]], pool: int | None, of: Options) -> None:
        self.data_format = of.data_format
        self.branches: list[list[tuple[str, ...]]] = []
        for name, convolutions in branches.items():
            steps, channels = [], inputs
            for number, (outputs, size, stride) in enumerate(convolutions, 1):
                label = f"{name.removesuffix('ab')}_{number}" if len(convolutions) > 1 else name
                split = name.endswith("ab") and number == len(convolutions)
                names: tuple[str, ...] = (f"{label}a", f"{label}b") if split else (label,)
                sizes = ((1, 3), (3, 1)) if split else (size,)
                for part, kernel in zip(names, sizes, strict=True):
                    setattr(self, part, _convolution(channels, outputs, kernel, stride, of))
                steps.append(names)
                channels = outputs
            self.branches.append(steps)
        self.pool: Any
        if pool is None:
            self.pool = of.max_pool(3, 2)
            self.branch_pool = None
        else:
            self.pool = nn.AvgPool2d(3, 1, 1, data_format=of.data_format)
            self.branch_pool = ConvNorm(inputs, pool, 1, of)

    def __call__(self, x: Any) -> Array:
        parts = []
        for steps in self.branches:
            y = x
            for names in steps[:-1]:
                y = getattr(self, names[0])(y)
            parts += [getattr(self, name)(y) for name in steps[-1]]
        pooled = self.pool(x)
        parts.append(pooled if self.branch_pool is None else self.branch_pool(pooled))
        return joined(parts, self.data_format)


def _convolution(inputs: int, outputs: int, size: int | tuple[int, int], stride: int, of: Options) -> ConvNorm:
    both = size if isinstance(size, tuple) else (size, size)
    padding = tuple(n // 2 for n in both) if stride == 1 else 0
    return ConvNorm(inputs, outputs, size, of, stride=stride, padding=padding)


def _a(inputs: int, pooled: int, of: Options) -> _Layer:
    branches: dict[str, list[Convolution]] = {
        "branch1x1": [(64, 1, 1)], "branch5x5": [(48, 1, 1), (64, 5, 1)], "branch3x3dbl": [(64, 1, 1), (96, 3, 1), (96, 3, 1)],
    }  # fmt: skip
    return _Layer(inputs, branches, pooled, of)


def _b(inputs: int, of: Options) -> _Layer:
    return _Layer(inputs, {"branch3x3": [(384, 3, 2)], "branch3x3dbl": [(64, 1, 1), (96, 3, 1), (96, 3, 2)]}, None, of)


def _c(inputs: int, width: int, of: Options) -> _Layer:
    wide, high = (1, 7), (7, 1)
    double: list[Convolution] = [(width, 1, 1), (width, high, 1), (width, wide, 1), (width, high, 1), (192, wide, 1)]
    branches: dict[str, list[Convolution]] = {
        "branch1x1": [(192, 1, 1)], "branch7x7": [(width, 1, 1), (width, wide, 1), (192, high, 1)], "branch7x7dbl": double,
    }  # fmt: skip
    return _Layer(inputs, branches, 192, of)


def _d(inputs: int, of: Options) -> _Layer:
    branches: dict[str, list[Convolution]] = {
        "branch3x3": [(192, 1, 1), (320, 3, 2)],
        "branch7x7x3": [(192, 1, 1), (192, (1, 7), 1), (192, (7, 1), 1), (192, 3, 2)],
    }
    return _Layer(inputs, branches, None, of)


def _e(inputs: int, of: Options) -> _Layer:
    branches: dict[str, list[Convolution]] = {
        "branch1x1": [(320, 1, 1)], "branch3x3ab": [(384, 1, 1), (384, 3, 1)],
        "branch3x3dblab": [(448, 1, 1), (384, 3, 1), (384, 3, 1)],
    }  # fmt: skip
    return _Layer(inputs, branches, 192, of)


class _Auxiliary(nn.Module):
    """A classifier of what an inner layer gives, for training; it needs at least 17 x 17 elements."""

    def __init__(self, inputs: int, classes: Size, of: Options) -> None:
        self.pool: Any = nn.AvgPool2d(5, 3, data_format=of.data_format)
        self.conv0, self.conv1 = ConvNorm(inputs, 128, 1, of), ConvNorm(128, 768, 5, of)
        self.avgpool = nn.GlobalAvgPool(data_format=of.data_format)
        self.fc = of.linear(768, classes)

    def __call__(self, x: Any) -> Array:
        return self.fc(self.avgpool(self.conv1(self.conv0(self.pool(x)))))


class InceptionV3(nn.Module):
    """The network of 94 convolutions: 23,834,568 parameters for 1000 classes, with the auxiliary classifier 27,161,264.

    auxiliary: a classifier of an inner layer; in training the model gives (logits, its logits). dropout: before the last layer, in
    training; it needs a key. Images have at least 75 x 75 elements, 299 x 299 in the paper.
    """

    def __init__(
        self,
        classes: Size = 1000,
        channels: Size = 3,
        *,
        auxiliary: bool = False,
        dropout: Part = 0.5,
        key: Any = None,
        data_format: str = CHANNELS_LAST,
        dtype: Any = None,
    ) -> None:
        of = options("models.InceptionV3", key, data_format, dtype)
        self.Conv2d_1a_3x3 = ConvNorm(channels, 32, 3, of, stride=2)
        self.Conv2d_2a_3x3, self.Conv2d_2b_3x3 = ConvNorm(32, 32, 3, of), ConvNorm(32, 64, 3, of, padding=1)
        self.Conv2d_3b_1x1, self.Conv2d_4a_3x3 = ConvNorm(64, 80, 1, of), ConvNorm(80, 192, 3, of)
        self.pool = of.max_pool(3, 2)
        self.Mixed_5b, self.Mixed_5c, self.Mixed_5d = _a(192, 32, of), _a(256, 64, of), _a(288, 64, of)
        self.Mixed_6a = _b(288, of)
        self.Mixed_6b, self.Mixed_6c = _c(768, 128, of), _c(768, 160, of)
        self.Mixed_6d, self.Mixed_6e = _c(768, 160, of), _c(768, 192, of)
        self.AuxLogits = _Auxiliary(768, classes, of) if auxiliary else None
        self.Mixed_7a = _d(768, of)
        self.Mixed_7b, self.Mixed_7c = _e(1280, of), _e(2048, of)
        self.avgpool = nn.GlobalAvgPool(data_format=data_format)
        self.dropout = nn.Dropout(dropout)
        self.fc = of.linear(2048, classes)

    def __call__(self, x: Any) -> Any:
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(self.pool(x)))
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(self.pool(x))))
        x = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x)))))
        other = self.AuxLogits(x) if self.AuxLogits is not None and self.training else None
        x = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x)))
        out = self.fc(self.dropout(self.avgpool(x)))
        return out if other is None else (out, other)
