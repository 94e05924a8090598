"""ResNet (He, Zhang, Ren and Sun, 2016): four stages of blocks that add to their input what their convolutions make of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jitgrad import nn
from jitgrad.array import Array
from jitgrad.errors import ArgumentError
from jitgrad.nn.data_format import CHANNELS_LAST
from jitgrad.ranges import Size

from .building import Options, options


def _conv(of: Options, inputs: int, outputs: int, kernel_size: int, stride: int = 1) -> nn.Module:
    start = nn.initializers.variance_scaling(2.0, "fan_out", "normal")
    return of.conv(inputs, outputs, kernel_size, stride=stride, padding=kernel_size // 2, bias=False, weight_init=start)


class _Block(nn.Module):
    """Convolutions with batch norm, and relu between them; their result is added to the input, or to a projection of it."""

    growth = 1
    """How many times more channels come out than the convolutions between have."""

    def __init__(self, inputs: int, width: int, stride: int, of: Options) -> None:
        outputs = width * self.growth
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(_conv(of, inputs, outputs, 1, stride), of.norm(outputs))

    def added(self, x: Array, y: Array) -> Array:
        """relu of a block's input, or its projection, plus what its convolutions give."""
        return nn.relu(y + (x if self.downsample is None else self.downsample(x)))


class _Basic(_Block):
    def __init__(self, inputs: int, width: int, stride: int, of: Options) -> None:
        self.conv1, self.bn1 = _conv(of, inputs, width, 3, stride), of.norm(width)
        self.conv2, self.bn2 = _conv(of, width, width, 3), of.norm(width)
        super().__init__(inputs, width, stride, of)

    def __call__(self, x: Any) -> Array:
        y = nn.relu(self.bn1(self.conv1(x)))
        return self.added(x, self.bn2(self.conv2(y)))


class _Bottleneck(_Block):
    growth = 4

    def __init__(self, inputs: int, width: int, stride: int, of: Options) -> None:
        self.conv1, self.bn1 = _conv(of, inputs, width, 1), of.norm(width)
        self.conv2, self.bn2 = _conv(of, width, width, 3, stride), of.norm(width)
        self.conv3, self.bn3 = _conv(of, width, 4 * width, 1), of.norm(4 * width)
        super().__init__(inputs, width, stride, of)

    def __call__(self, x: Any) -> Array:
        y = nn.relu(self.bn1(self.conv1(x)))
        y = nn.relu(self.bn2(self.conv2(y)))
        return self.added(x, self.bn3(self.conv3(y)))


class ResNet(nn.Module):
    """The network with so many blocks in each of four stages; bottleneck: of three convolutions each, else of two.

    small_images: the first convolution is 3 x 3 and keeps the size, and there is no pool behind it, as for CIFAR's 32 x 32.

    >>> import jitgrad, jitgrad.numpy as jnp
    >>> from jitgrad import models
    >>> model = models.ResNet((1, 1, 1, 1), classes=5, small_images=True, key=jitgrad.random.key(0))
    >>> model(jnp.ones((2, 16, 16, 3))).shape
    (2, 5)
    """

    def __init__(
        self,
        blocks: Sequence[int],
        classes: Size = 1000,
        channels: Size = 3,
        *,
        bottleneck: bool = False,
        small_images: bool = False,
        key: Any = None,
        data_format: str = CHANNELS_LAST,
        dtype: Any = None,
    ) -> None:
        of = options("models.ResNet", key, data_format, dtype)
        block = _Bottleneck if bottleneck else _Basic
        self.conv1 = _conv(of, channels, 64, 3) if small_images else _conv(of, channels, 64, 7, 2)
        self.bn1 = of.norm(64)
        self.maxpool = None if small_images else of.max_pool(3, 2, padding=1)
        inputs = 64
        stages = []
        for number, count in enumerate(blocks):
            width = 64 * 2**number
            stage = []
            for i in range(count):
                stage.append(block(inputs, width, 2 if number and not i else 1, of))
                inputs = width * block.growth
            stages.append(nn.Sequential(stage))
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.avgpool = nn.GlobalAvgPool(data_format=data_format)
        self.fc = of.linear(inputs, classes)

    def __call__(self, x: Any) -> Array:
        x = nn.relu(self.bn1(self.conv1(x)))
        x = x if self.maxpool is None else self.maxpool(x)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        out: Array = self.fc(self.avgpool(x))
        return out

    def keras_names(self) -> dict[str, str]:
        raise ArgumentError(
            "io.load_keras: ResNet is another network in keras.applications than here and in torchvision: blocks stride in their "
            "first convolution, and convolutions have biases. Take weights of torchvision's, by io.load_torch."
        )


def _resnet(depth: int, blocks: Sequence[int], bottleneck: bool, count: str) -> Any:
    def made(classes: Size = 1000, channels: Size = 3, **options: Any) -> ResNet:
        return ResNet(blocks, classes, channels, bottleneck=bottleneck, **options)

    made.__name__ = made.__qualname__ = f"ResNet{depth}"
    made.__doc__ = (
        f"ResNet with {depth} layers that have weights: {count} parameters for 1000 classes. Options are `models.ResNet`'s."
    )
    return made


ResNet18 = _resnet(18, (2, 2, 2, 2), False, "11,689,512")
ResNet34 = _resnet(34, (3, 4, 6, 3), False, "21,797,672")
ResNet50 = _resnet(50, (3, 4, 6, 3), True, "25,557,032")
