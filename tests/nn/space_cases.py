"""Layers that move, add or pick elements of space beside PyTorch's. `python -m tests.nn.space_cases` stores its numbers anew."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from jitgrad import nn

from .torch_cases import Case, normal, write
from .window_cases import ONE, THREE, TWO, beside, channels_last

NUMBERS = Path(__file__).with_name("space_numbers.json")


def unpooled(rank: int, shape: tuple[int, ...], kernel: Any, stride: Any = None, padding: Any = 0) -> dict[str, Case]:
    """The largest elements of windows, where they were; windows that overlap may put one in a place only once."""
    options = dict(stride=stride, padding=padding)
    size = shape[1:-1]

    def both(layers: Any, **more: Any) -> tuple[Any, Any]:
        pool = getattr(layers, f"MaxPool{rank}d")(kernel, **options, return_indices=True, **more)
        return pool, getattr(layers, f"MaxUnpool{rank}d")(kernel, **options, **more)

    def ours(data_format: str) -> Any:
        pool, unpool = both(nn, data_format=data_format)
        return lambda _, x: unpool(*pool(x), size)

    def theirs(layer: Any, x: Any) -> Any:
        import torch

        pool, unpool = both(torch.nn)
        return unpool(*pool(x), size)

    def case(data_format: str, x: Any, call: Any) -> Case:
        return Case(nn.Identity, lambda torch: torch.nn.Identity(), (x,), ours(data_format), call)

    x = normal(*shape)
    words = f"MaxUnpool{rank}d({kernel}, {stride}, {padding}) of {shape}"
    return {
        f"{words}, channels last": case("channels_last", x, lambda layer, x: channels_last(lambda y: theirs(layer, y), x)),
        f"{words}, channels first": case("channels_first", np.ascontiguousarray(np.moveaxis(x, -1, 1)), theirs),
    }


PIXELS, SQUARES, ROWS = (2, 3, 4, 12), (2, 6, 4, 3), (2, 25, 24)
CASES: dict[str, Case] = {
    **beside("ConstantPad1d", ONE, (1, 2), 0.5), **beside("ConstantPad2d", TWO, (1, -2, 0, 3), 0.5),
    **beside("ConstantPad3d", THREE, (1, 0, -1, 3, 2, 1), -1.5), **beside("ZeroPad1d", ONE, 3),
    **beside("ZeroPad2d", TWO, (1, 2, 3, 4)), **beside("ZeroPad3d", THREE, 1),
    **beside("ReflectionPad1d", ONE, (3, 10)), **beside("ReflectionPad2d", TWO, (1, 7, 6, 0)),
    **beside("ReflectionPad3d", THREE, (1, 2, 0, 3, 2, 1)), **beside("ReplicationPad1d", ONE, (3, 12)),
    **beside("ReplicationPad2d", TWO, (0, 9, 2, 1)), **beside("ReplicationPad3d", THREE, (1, 2, 0, 3, 2, 1)),
    **beside("CircularPad1d", ONE, (3, 11)), **beside("CircularPad2d", TWO, (1, 8, 7, 0)),
    **beside("CircularPad3d", THREE, (1, 2, 0, 3, 2, 1)),
    **beside("PixelShuffle", PIXELS, 2), **beside("PixelShuffle", (2, 3, 4, 9), 3), **beside("PixelUnshuffle", SQUARES, 2),
    **beside("ChannelShuffle", PIXELS, 3), **beside("ChannelShuffle", ONE, 2),
    **beside("Unfold", TWO, 3), **beside("Unfold", TWO, (2, 3), dilation=2, padding=(1, 2), stride=(2, 1)),
    **beside("Fold", ROWS, (6, 7), (2, 3)),
    **beside("Fold", (2, 6, 24), (5, 8), (2, 3), padding=(1, 0), stride=(2, 4), dilation=(2, 1)),
    **beside("Upsample", ONE, 17), **beside("Upsample", TWO, (5, 13)), **beside("Upsample", TWO, scale_factor=2),
    **beside("Upsample", TWO, scale_factor=(1.7, 0.6)), **beside("Upsample", THREE, scale_factor=1.5),
    **beside("Upsample", TWO, scale_factor=(1.01, 2.1)), **beside("Upsample", TWO, scale_factor=(2.1, 1.01), mode="nearest-exact"),
    **beside("Upsample", TWO, scale_factor=(1.01, 2.1), mode="bilinear"),
    **beside("Upsample", TWO, scale_factor=(1.01, 2.1), mode="bicubic"),
    **beside("Upsample", TWO, (5, 13), mode="nearest-exact"), **beside("Upsample", ONE, 17, mode="linear"),
    **beside("Upsample", ONE, scale_factor=1.7, mode="linear", align_corners=True), **beside("Upsample", TWO, 4, mode="bilinear"),
    **beside("Upsample", TWO, scale_factor=2, mode="bilinear"),
    **beside("Upsample", TWO, (1, 20), mode="bilinear", align_corners=True),
    **beside("Upsample", TWO, scale_factor=(1.7, 0.6), mode="bilinear"), **beside("Upsample", THREE, (7, 3, 9), mode="trilinear"),
    **beside("Upsample", THREE, scale_factor=2, mode="trilinear", align_corners=True),
    **beside("Upsample", TWO, scale_factor=2, mode="bicubic"), **beside("Upsample", TWO, (13, 5), mode="bicubic"),
    **beside("Upsample", TWO, (13, 5), mode="bicubic", align_corners=True), **beside("Upsample", (2, 1, 8, 4), 6, mode="bilinear"),
    **beside("LocalResponseNorm", TWO, 3), **beside("LocalResponseNorm", ONE, 2, alpha=0.5, beta=1.5, k=2.0),
    **beside("LocalResponseNorm", THREE, 5, alpha=1.0), **unpooled(1, ONE, 3), **unpooled(2, TWO, 2),
    **unpooled(2, TWO, (3, 2), (3, 2), (1, 0)), **unpooled(3, THREE, 2),
}  # fmt: skip


if __name__ == "__main__":
    write(CASES, NUMBERS)
