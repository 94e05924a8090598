"""The classic models in PyTorch, with torchvision's names, to be given the same parameters as ours.

`python -m tests.models.torch_twins` stores their logits in torch_logits.json, for where PyTorch is not installed. Parameters and
images are drawn by NumPy, by names and shapes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from jitgrad import eval_shape, models, nn, random, tree
from jitgrad.nn.torch_weights import torch_layout

LOGITS = Path(__file__).with_name("torch_logits.json")
CLASSES, KEY = 5, random.key(0)


@dataclass(frozen=True)
class Twin:
    """A model of ours, the function of torch.nn that makes PyTorch's, and the shape of images [height, width, channels]."""

    ours: str
    theirs: Callable[[Any], Any]
    shape: tuple[int, int, int]
    options: dict[str, Any] = field(default_factory=dict)

    def model(self) -> Any:
        """Ours, without memory."""
        made = eval_shape(lambda key: getattr(models, self.ours)(CLASSES, self.shape[-1], key=key, **self.options), KEY)
        for name in ("aux1", "aux2"):
            if getattr(made, name, None) is not None:
                getattr(made, name).dropout = nn.Dropout(0.0)
        return made

    def images(self, count: int = 2) -> np.ndarray:
        return np.random.default_rng(1).standard_normal((count, *self.shape))


def state_of(model: Any) -> dict[str, np.ndarray]:
    """Parameters by PyTorch's names for a model of ours."""
    leaves = [np.broadcast_to(np.zeros(()), x.shape) for x in tree.leaves(model)]
    return {n: drawn(n, t.theirs([leaves[i] for i in t.parts]).shape) for n, t in torch_layout(model).items()}


def drawn(name: str, shape: tuple[int, ...]) -> np.ndarray:
    x = np.random.default_rng(list(name.encode())).standard_normal(shape)
    if len(shape) > 1:
        return x * math.sqrt(2 / math.prod(shape[1:]))
    if name.endswith("running_var"):
        return 1 + 0.1 * np.abs(x)
    return 0.1 * x + (1.1 if name.endswith("weight") else 0)


def channels_first(torch: Any, images: np.ndarray) -> Any:
    return torch.tensor(np.ascontiguousarray(np.moveaxis(images, -1, 1)))


def named(t: Any, forward: Callable[..., Any], **parts: Any) -> Any:
    """A module with these parts, and a function of it and its input."""

    class Named(t.Module):
        def __init__(self) -> None:
            super().__init__()
            for name, part in parts.items():
                setattr(self, name, part)

        def forward(self, x: Any) -> Any:
            return forward(self, x)

    return Named()


def lenet(t: Any) -> Any:
    def forward(m: Any, x: Any) -> Any:
        x = t.functional.max_pool2d(m.conv1(x).relu(), 2)
        x = t.functional.max_pool2d(m.conv2(x).relu(), 2).flatten(1)
        return m.fc3(m.fc2(m.fc1(x).relu()).relu())

    linear = dict(fc1=t.Linear(400, 120), fc2=t.Linear(120, 84), fc3=t.Linear(84, CLASSES))
    return named(t, forward, conv1=t.Conv2d(1, 6, 5, padding=2), conv2=t.Conv2d(6, 16, 5), **linear)


def vgg(depths: tuple[int, ...], batch_norm: bool = False) -> Callable[[Any], Any]:
    def make(t: Any) -> Any:
        layers, inputs = [], 3
        for depth, outputs in zip(depths, (64, 128, 256, 512, 512), strict=True):
            for _ in range(depth):
                layers += [t.Conv2d(inputs, outputs, 3, padding=1), *([t.BatchNorm2d(outputs)] if batch_norm else []), t.ReLU()]
                inputs = outputs
            layers.append(t.MaxPool2d(2))
        hidden = [t.Linear(512 * 49, 16), t.ReLU(), t.Dropout(0), t.Linear(16, 16), t.ReLU(), t.Dropout(0)]
        parts = dict(features=t.Sequential(*layers), classifier=t.Sequential(*hidden, t.Linear(16, CLASSES)))
        return named(
            t, lambda m, x: m.classifier(t.functional.adaptive_avg_pool2d(m.features(x), 7).flatten(1)), **parts
        )  # fmt: skip

    return make


def resnet(blocks: tuple[int, ...], bottleneck: bool) -> Callable[[Any], Any]:
    def make(t: Any) -> Any:
        growth = 4 if bottleneck else 1

        def conv(inputs: int, outputs: int, size: int, stride: int = 1) -> Any:
            return t.Conv2d(inputs, outputs, size, stride, size // 2, bias=False)

        def forward_block(m: Any, x: Any) -> Any:
            y = m.bn2(m.conv2(m.bn1(m.conv1(x)).relu()))
            y = m.bn3(m.conv3(y.relu())) if bottleneck else y
            return (y + (x if m.downsample is None else m.downsample(x))).relu()

        def block(inputs: int, width: int, stride: int) -> Any:
            outputs = width * growth
            sizes = [(1, width, 1), (3, width, stride), (1, outputs, 1)] if bottleneck else [(3, width, stride), (3, width, 1)]
            parts, channels = {}, inputs
            for n, (size, out, step) in enumerate(sizes, 1):
                parts |= {f"conv{n}": conv(channels, out, size, step), f"bn{n}": t.BatchNorm2d(out)}
                channels = out
            parts["downsample"] = None
            if stride > 1 or inputs != outputs:
                parts["downsample"] = t.Sequential(conv(inputs, outputs, 1, stride), t.BatchNorm2d(outputs))
            return named(t, forward_block, **parts)

        stages, inputs = {}, 64
        for number, count in enumerate(blocks):
            width, stage = 64 * 2**number, []
            for i in range(count):
                stage.append(block(inputs, width, 2 if number and not i else 1))
                inputs = width * growth
            stages[f"layer{number + 1}"] = t.Sequential(*stage)

        def forward(m: Any, x: Any) -> Any:
            x = t.functional.max_pool2d(m.bn1(m.conv1(x)).relu(), 3, 2, 1)
            return m.fc(m.layer4(m.layer3(m.layer2(m.layer1(x)))).mean((2, 3)))

        return named(t, forward, conv1=conv(3, 64, 7, 2), bn1=t.BatchNorm2d(64), **stages, fc=t.Linear(inputs, CLASSES))

    return make


def conv_norm(t: Any, inputs: int, outputs: int, size: Any, **options: Any) -> Any:
    parts = dict(conv=t.Conv2d(inputs, outputs, size, bias=False, **options), bn=t.BatchNorm2d(outputs, eps=0.001))
    return named(t, lambda m, x: m.bn(m.conv(x)).relu(), **parts)


def inception_v1(t: Any) -> Any:
    import torch

    pool = t.functional.max_pool2d

    def layer(inputs: int, one: int, three_in: int, three: int, five_in: int, five: int, pooled: int) -> Any:
        def two(reduced: int, outputs: int) -> Any:
            return t.Sequential(conv_norm(t, inputs, reduced, 1), conv_norm(t, reduced, outputs, 3, padding=1))

        last = t.Sequential(t.MaxPool2d(3, 1, 1, ceil_mode=True), conv_norm(t, inputs, pooled, 1))
        return named(
            t, lambda m, x: torch.cat([m.branch1(x), m.branch2(x), m.branch3(x), m.branch4(x)], 1),
            branch1=conv_norm(t, inputs, one, 1), branch2=two(three_in, three), branch3=two(five_in, five), branch4=last,
        )  # fmt: skip

    def auxiliary(inputs: int) -> Any:
        def forward(m: Any, x: Any) -> Any:
            return m.fc2(m.fc1(m.conv(t.functional.adaptive_avg_pool2d(x, 4)).flatten(1)).relu())

        return named(t, forward, conv=conv_norm(t, inputs, 128, 1), fc1=t.Linear(2048, 1024), fc2=t.Linear(1024, CLASSES))

    def forward(m: Any, x: Any) -> Any:
        x = pool(m.conv3(m.conv2(pool(m.conv1(x), 3, 2, ceil_mode=True))), 3, 2, ceil_mode=True)
        x = pool(m.inception3b(m.inception3a(x)), 3, 2, ceil_mode=True)
        first = m.inception4a(x)
        second = m.inception4d(m.inception4c(m.inception4b(first)))
        x = m.inception5b(m.inception5a(pool(m.inception4e(second), 2, 2, ceil_mode=True)))
        out = m.fc(x.mean((2, 3)))
        return (out, m.aux1(first), m.aux2(second)) if m.training else out

    return named(
        t, forward, conv1=conv_norm(t, 3, 64, 7, stride=2, padding=3), conv2=conv_norm(t, 64, 64, 1),
        conv3=conv_norm(t, 64, 192, 3, padding=1), inception3a=layer(192, 64, 96, 128, 16, 32, 32),
        inception3b=layer(256, 128, 128, 192, 32, 96, 64), inception4a=layer(480, 192, 96, 208, 16, 48, 64),
        inception4b=layer(512, 160, 112, 224, 24, 64, 64), inception4c=layer(512, 128, 128, 256, 24, 64, 64),
        inception4d=layer(512, 112, 144, 288, 32, 64, 64), inception4e=layer(528, 256, 160, 320, 32, 128, 128),
        inception5a=layer(832, 256, 160, 320, 32, 128, 128), inception5b=layer(832, 384, 192, 384, 48, 128, 128),
        aux1=auxiliary(512), aux2=auxiliary(528), fc=t.Linear(1024, CLASSES),
    )  # fmt: skip


def inception_v3(t: Any) -> Any:
    import torch

    f = t.functional

    def conv(inputs: int, outputs: int, size: Any, **options: Any) -> Any:
        both = size if isinstance(size, tuple) else (size, size)
        padding = {} if "stride" in options else dict(padding=tuple(n // 2 for n in both))
        return conv_norm(t, inputs, outputs, size, **padding, **options)

    def cat(*parts: Any) -> Any:
        return torch.cat(parts, 1)

    def mean(x: Any) -> Any:
        return f.avg_pool2d(x, 3, 1, 1)

    def a(inputs: int, pooled: int) -> Any:
        def forward(m: Any, x: Any) -> Any:
            double = m.branch3x3dbl_3(m.branch3x3dbl_2(m.branch3x3dbl_1(x)))
            return cat(m.branch1x1(x), m.branch5x5_2(m.branch5x5_1(x)), double, m.branch_pool(mean(x)))

        return named(
            t, forward, branch1x1=conv(inputs, 64, 1), branch5x5_1=conv(inputs, 48, 1), branch5x5_2=conv(48, 64, 5),
            branch3x3dbl_1=conv(inputs, 64, 1), branch3x3dbl_2=conv(64, 96, 3), branch3x3dbl_3=conv(96, 96, 3),
            branch_pool=conv(inputs, pooled, 1),
        )  # fmt: skip

    def b(inputs: int) -> Any:
        return named(
            t, lambda m, x: cat(
                m.branch3x3(x), m.branch3x3dbl_3(m.branch3x3dbl_2(m.branch3x3dbl_1(x))), f.max_pool2d(x, 3, 2)
            ),
            branch3x3=conv(inputs, 384, 3, stride=2), branch3x3dbl_1=conv(inputs, 64, 1), branch3x3dbl_2=conv(64, 96, 3),
            branch3x3dbl_3=conv(96, 96, 3, stride=2),
        )  # fmt: skip

    def c(width: int) -> Any:
        def forward(m: Any, x: Any) -> Any:
            seven = m.branch7x7_3(m.branch7x7_2(m.branch7x7_1(x)))
            double = m.branch7x7dbl_3(m.branch7x7dbl_2(m.branch7x7dbl_1(x)))
            return cat(m.branch1x1(x), seven, m.branch7x7dbl_5(m.branch7x7dbl_4(double)), m.branch_pool(mean(x)))

        wide, high = (1, 7), (7, 1)
        return named(
            t, forward, branch1x1=conv(768, 192, 1), branch7x7_1=conv(768, width, 1), branch7x7_2=conv(width, width, wide),
            branch7x7_3=conv(width, 192, high), branch7x7dbl_1=conv(768, width, 1), branch7x7dbl_2=conv(width, width, high),
            branch7x7dbl_3=conv(width, width, wide), branch7x7dbl_4=conv(width, width, high), branch7x7dbl_5=conv(width, 192, wide),
            branch_pool=conv(768, 192, 1),
        )  # fmt: skip

    def d() -> Any:
        def forward(m: Any, x: Any) -> Any:
            seven = m.branch7x7x3_3(m.branch7x7x3_2(m.branch7x7x3_1(x)))
            return cat(m.branch3x3_2(m.branch3x3_1(x)), m.branch7x7x3_4(seven), f.max_pool2d(x, 3, 2))

        return named(
            t, forward, branch3x3_1=conv(768, 192, 1), branch3x3_2=conv(192, 320, 3, stride=2), branch7x7x3_1=conv(768, 192, 1),
            branch7x7x3_2=conv(192, 192, (1, 7)), branch7x7x3_3=conv(192, 192, (7, 1)),
            branch7x7x3_4=conv(192, 192, 3, stride=2),
        )  # fmt: skip

    def e(inputs: int) -> Any:
        def forward(m: Any, x: Any) -> Any:
            three, double = m.branch3x3_1(x), m.branch3x3dbl_2(m.branch3x3dbl_1(x))
            split = m.branch3x3_2a(three), m.branch3x3_2b(three), m.branch3x3dbl_3a(double), m.branch3x3dbl_3b(double)
            return cat(m.branch1x1(x), *split, m.branch_pool(mean(x)))

        wide, high = (1, 3), (3, 1)
        return named(
            t, forward, branch1x1=conv(inputs, 320, 1), branch3x3_1=conv(inputs, 384, 1), branch3x3_2a=conv(384, 384, wide),
            branch3x3_2b=conv(384, 384, high), branch3x3dbl_1=conv(inputs, 448, 1), branch3x3dbl_2=conv(448, 384, 3),
            branch3x3dbl_3a=conv(384, 384, wide), branch3x3dbl_3b=conv(384, 384, high), branch_pool=conv(inputs, 192, 1),
        )  # fmt: skip

    def auxiliary() -> Any:
        def forward(m: Any, x: Any) -> Any:
            return m.fc(m.conv1(m.conv0(f.avg_pool2d(x, 5, 3))).mean((2, 3)))

        return named(t, forward, conv0=conv(768, 128, 1), conv1=conv_norm(t, 128, 768, 5), fc=t.Linear(768, CLASSES))

    def forward(m: Any, x: Any) -> Any:
        x = f.max_pool2d(m.Conv2d_2b_3x3(m.Conv2d_2a_3x3(m.Conv2d_1a_3x3(x))), 3, 2)
        x = f.max_pool2d(m.Conv2d_4a_3x3(m.Conv2d_3b_1x1(x)), 3, 2)
        x = m.Mixed_6a(m.Mixed_5d(m.Mixed_5c(m.Mixed_5b(x))))
        x = m.Mixed_6e(m.Mixed_6d(m.Mixed_6c(m.Mixed_6b(x))))
        out = m.fc(m.Mixed_7c(m.Mixed_7b(m.Mixed_7a(x))).mean((2, 3)))
        return (out, m.AuxLogits(x)) if m.training else out

    return named(
        t, forward, Conv2d_1a_3x3=conv_norm(t, 3, 32, 3, stride=2), Conv2d_2a_3x3=conv_norm(t, 32, 32, 3),
        Conv2d_2b_3x3=conv(32, 64, 3), Conv2d_3b_1x1=conv(64, 80, 1), Conv2d_4a_3x3=conv_norm(t, 80, 192, 3),
        Mixed_5b=a(192, 32), Mixed_5c=a(256, 64), Mixed_5d=a(288, 64), Mixed_6a=b(288), Mixed_6b=c(128), Mixed_6c=c(160),
        Mixed_6d=c(160), Mixed_6e=c(192), Mixed_7a=d(), Mixed_7b=e(1280), Mixed_7c=e(2048), AuxLogits=auxiliary(),
        fc=t.Linear(2048, CLASSES),
    )  # fmt: skip


SMALL = dict(hidden=16, dropout=0.0)
TWINS: dict[str, Twin] = {
    "LeNet": Twin("LeNet", lenet, (28, 28, 1)),
    "VGG11": Twin("VGG11", vgg((1, 1, 2, 2, 2)), (32, 32, 3), SMALL),
    "VGG11 with batch norm": Twin("VGG11", vgg((1, 1, 2, 2, 2), True), (32, 32, 3), {**SMALL, "batch_norm": True}),
    "VGG16": Twin("VGG16", vgg((2, 2, 3, 3, 3)), (32, 32, 3), SMALL),
    "VGG19": Twin("VGG19", vgg((2, 2, 4, 4, 4)), (32, 32, 3), SMALL),
    "ResNet18": Twin("ResNet18", resnet((2, 2, 2, 2), False), (64, 64, 3)),
    "ResNet34": Twin("ResNet34", resnet((3, 4, 6, 3), False), (64, 64, 3)),
    "ResNet50": Twin("ResNet50", resnet((3, 4, 6, 3), True), (64, 64, 3)),
    "InceptionV1": Twin("InceptionV1", inception_v1, (64, 64, 3), dict(auxiliary=True, dropout=0.0)),
    "InceptionV3": Twin("InceptionV3", inception_v3, (75, 75, 3), dict(auxiliary=True, dropout=0.0)),
}  # fmt: skip


def their_logits(torch: Any, twin: Twin) -> np.ndarray:
    theirs = twin.theirs(torch.nn).to(torch.float64).eval()
    theirs.load_state_dict({n: torch.tensor(x) for n, x in state_of(twin.model()).items()}, strict=True)
    with torch.no_grad():
        return np.asarray(theirs(channels_first(torch, twin.images())))


if __name__ == "__main__":
    import torch

    rows = (f"{json.dumps(name)}: {json.dumps(their_logits(torch, twin).tolist())}" for name, twin in TWINS.items())
    LOGITS.write_text("{\n" + ",\n".join(rows) + "\n}\n")
