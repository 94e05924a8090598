"""Convolutions and pools beside PyTorch's, in both data formats. `python -m tests.nn.window_cases` stores its numbers anew."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from jitgrad import nn

from .torch_cases import Case, normal, write

NUMBERS = Path(__file__).with_name("window_numbers.json")


def channels_last(layer: Any, x: Any) -> Any:
    """PyTorch's layer of an input whose channels are last."""
    return layer(x.movedim(-1, 1)).movedim(1, -1)


def beside(name: str, shape: tuple[int, ...], *arguments: Any, integers: bool = False, **options: Any) -> dict[str, Case]:
    """A layer of an input [batch, *space, channels] in both formats. integers: elements of which many are equal."""
    x = normal(*shape)
    x = np.round(2 * x) if integers else x
    words = ", ".join([*map(str, arguments), *(f"{n}={v}" for n, v in options.items())])

    def ours(data_format: str) -> Any:
        return lambda: getattr(nn, name)(*arguments, **options, data_format=data_format)

    def theirs(torch: Any) -> Any:
        return getattr(torch.nn, name)(*arguments, **options)

    first = np.ascontiguousarray(np.moveaxis(x, -1, 1))
    return {
        f"{name}({words}) of {shape}, channels last": Case(ours("channels_last"), theirs, (x,), torch_call=channels_last),
        f"{name}({words}) of {shape}, channels first": Case(ours("channels_first"), theirs, (first,)),
    }


ONE, TWO, THREE = (2, 11, 4), (2, 7, 8, 4), (2, 5, 6, 4, 4)

CASES: dict[str, Case] = {
    **beside("Conv1d", ONE, 4, 6, 3), **beside("Conv1d", ONE, 4, 6, 5, stride=2, padding=2, dilation=2, groups=2),
    **beside("Conv1d", ONE, 4, 2, 4, padding="same"), **beside("Conv1d", ONE, 4, 4, 3, padding=1, padding_mode="circular"),
    **beside("Conv2d", TWO, 4, 5, 3, padding=1), **beside("Conv2d", TWO, 4, 6, (3, 2), stride=(2, 1), padding=(1, 0), bias=False),
    **beside("Conv2d", TWO, 4, 4, 3, padding="same", dilation=2, groups=4), **beside("Conv2d", TWO, 4, 6, 1),
    **beside("Conv2d", TWO, 4, 8, 3, groups=4, stride=2), **beside("Conv2d", TWO, 4, 3, 7, stride=2, padding=3),
    **beside("Conv2d", TWO, 4, 2, 3, padding=2, padding_mode="reflect"),
    **beside("Conv2d", TWO, 4, 2, 3, padding=(1, 2), padding_mode="replicate", stride=2),
    **beside("Conv3d", THREE, 4, 3, 2, padding=1), **beside("Conv3d", THREE, 4, 4, (3, 2, 1), stride=(1, 2, 2), groups=2),
    **beside("ConvTranspose1d", ONE, 4, 6, 3, stride=2, padding=1, output_padding=1),
    **beside("ConvTranspose1d", ONE, 4, 6, 4, dilation=2, groups=2),
    **beside("ConvTranspose2d", TWO, 4, 6, 2, stride=2), **beside("ConvTranspose2d", TWO, 4, 6, 3, stride=(2, 3), padding=(0, 2)),
    **beside("ConvTranspose2d", TWO, 4, 8, (3, 4), stride=3, padding=1, output_padding=(2, 1), groups=4, dilation=2, bias=False),
    **beside("ConvTranspose3d", THREE, 4, 2, 3, stride=2, padding=1, output_padding=1, groups=2),
    **beside("MaxPool1d", ONE, 3), **beside("MaxPool1d", ONE, 3, stride=2, padding=1, dilation=2, ceil_mode=True),
    **beside("MaxPool2d", TWO, 2), **beside("MaxPool2d", TWO, 3, stride=2, padding=1),
    **beside("MaxPool2d", TWO, 3, 2, ceil_mode=True),
    **beside("MaxPool2d", TWO, 2, integers=True), **beside("MaxPool2d", TWO, (3, 2), stride=1, integers=True),
    **beside("MaxPool3d", THREE, 2, stride=(1, 2, 2), padding=1),
    **beside("AvgPool1d", ONE, 4, stride=3, padding=2), **beside("AvgPool2d", TWO, 2),
    **beside("AvgPool2d", TWO, 3, stride=2, padding=1), **beside("AvgPool2d", TWO, 3, stride=2, padding=1, count_include_pad=False),
    **beside("AvgPool2d", TWO, 3, stride=2, padding=1, ceil_mode=True), **beside("AvgPool2d", TWO, 3, 2, divisor_override=5),
    **beside("AvgPool2d", TWO, 3, stride=2, padding=1, ceil_mode=True, count_include_pad=False),
    **beside("AvgPool3d", THREE, (2, 3, 2), stride=2, padding=(1, 1, 0)),
    **beside("AdaptiveAvgPool1d", ONE, 4), **beside("AdaptiveAvgPool2d", TWO, (7, 4)),
    **beside("AdaptiveAvgPool2d", TWO, (3, None)),
    **beside("AdaptiveAvgPool2d", TWO, 9), **beside("AdaptiveAvgPool3d", THREE, (2, 4, 3)),
    **beside("AdaptiveMaxPool1d", ONE, 3), **beside("AdaptiveMaxPool2d", TWO, (3, 4)),
    **beside("AdaptiveMaxPool2d", TWO, 3, integers=True), **beside("AdaptiveMaxPool3d", THREE, (1, 5, 3)),
}  # fmt: skip


if __name__ == "__main__":
    write(CASES, NUMBERS)
