"""Convolutions with windows of 3 x 3, and the cotangents of their kernels, as the tiled ops of ops/winograd.py.

In: the sizes of a `convolve`. Out: whether it is done so. That depends on shapes and the element type alone, so that a program's
results do not depend on where it runs. convolutions.py brings the operands into the order of memory, asks and writes the ops.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ..ir.graph import Atom
from ..ir.types import F32
from ..ops.winograd import SEEN, TILE, WINDOW

FEATURES = 32
"""Features and results are a multiple of so many: two vectors side by side."""
LEAST_TILES = 96
"""With fewer, transforming the kernel takes more than is saved."""
MOST_PRODUCTS = 0.5
"""Of all products; tiles that reach over the edge have more."""
MOST_FEATURES = 1024
"""Beyond that blocks of tiles and a panel of the kernel are no longer in the caches."""


class Tiling(NamedTuple):
    """How an array's space is padded so that whole tiles fit, and whether the window is the kernel or what is found."""

    padding: tuple[tuple[int, int], ...]
    beyond: tuple[int, ...]
    """Places of the last tiles that are none of the result's."""
    of_kernel: bool
    """Whether the window goes over the cotangent's places and the result is the kernel's cotangent."""


def tiling(x: Atom, w: Atom, strides: Any, padding: Any, x_dilation: Any, w_dilation: Any) -> Tiling | None:
    """The tiling of `convolve(x, w)`, if it is worth one."""
    if x.type.dtype != F32 or len(strides) != 2 or {*strides, *x_dilation, *w_dilation} != {1} or x.type.shape[0] != 1:
        return None
    seen = [n + sum(p) for n, p in zip(x.type.shape[2:4], padding, strict=True)]
    window = w.type.shape[1:3]
    found = [n - k + 1 for n, k in zip(seen, window, strict=True)]
    of_kernel = window != (WINDOW, WINDOW)
    if of_kernel and found != [WINDOW, WINDOW]:
        return None
    places = window if of_kernel else found
    images, features = (x.type.shape[-1], x.type.shape[1]) if of_kernel else (x.type.shape[1], x.type.shape[-1])
    across = [-(-n // TILE) for n in places]
    tiles = images * across[0] * across[1]
    products = tiles * SEEN**2 / max(images * places[0] * places[1] * WINDOW**2, 1)
    sizes = features, w.type.shape[-1]
    if tiles < LEAST_TILES or products > MOST_PRODUCTS or any(n % FEATURES or not 0 < n <= MOST_FEATURES for n in sizes):
        return None
    beyond = tuple(n * TILE - m for n, m in zip(across, places, strict=True))
    return Tiling(tuple((a, b + n) for (a, b), n in zip(padding, beyond, strict=True)), beyond, of_kernel)
