"""Convolutions with windows of 3 x 3 by fewer multiplications, and the numbers that takes.

Toom and Cook's product of polynomials, used backwards, makes TILE results along an axis of TILE + 2 products (S. Winograd,
Arithmetic Complexity of Computations, 1980; A. Lavin and S. Gray, Fast Algorithms for Convolutional Neural Networks, CVPR 2016): of
the array d, the kernel g and the results y of a tile

    y = A' [(G g G') * (B' d B)] A        and of a cotangent c of y that of the kernel is        G' [(B' d B) * (A c A')] G

where * multiplies element by element, which summed over features are products of matrices. passes/winograd.py makes these ops.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import DTypeError, ShapeError
from ..ir.builder import Value
from ..ir.graph import BATCH, Op
from ..ir.types import F32, ArrayType
from .arithmetic import op
from .convolution import convolve
from .define import broadcast_batch, transpose_axes

TILE, WINDOW = 4, 3
"""Results of a tile along an axis, and elements of the kernel."""
SEEN = TILE + WINDOW - 1
"""Elements of the array that a tile sees along an axis: each of them two tiles share with others."""
POINTS = (0.0, 0.75, -0.75, 1.5, -1.5)
"""Where polynomials are evaluated, beside infinity. Pairs of one size share half their work. Of these the worst error was 1.5 to
3e-6 of the largest element for 64 to 256 features, where 0, 1, -1, 2 and -2 had 5 to 9e-6, and sums of all products 0.3 to 0.5e-6.
"""


def _matrices() -> dict[str, np.ndarray[Any, Any]]:
    """A, B and G by Lagrange's interpolation at POINTS and infinity."""
    apart = [np.prod([p - q for q in POINTS if q != p]) for p in POINTS]
    last = [0.0] * (SEEN - 1)
    a = np.array([[p**n for n in range(TILE)] for p in POINTS] + [[*last[: TILE - 1], 1.0]])
    g = np.array([[p**n / d for n in range(WINDOW)] for p, d in zip(POINTS, apart, strict=True)] + [[*last[: WINDOW - 1], 1.0]])
    rows = [np.poly([q for q in POINTS if q != p])[::-1] for p in POINTS]
    b = np.array([[*row, *[0.0] * (SEEN - len(row))] for row in [*rows, np.poly(POINTS)[::-1]]]).T
    return {"A": a, "B": b, "G": g}


MATRICES = _matrices()


def _sizes(name: str, x: ArrayType, other: ArrayType) -> tuple[int, int]:
    """The places of an array that is cut into tiles."""
    if x.dtype != F32 or other.dtype != F32:
        raise DTypeError(f"{name}: takes float32 arrays, got {x} and {other}")
    places = tuple(n - WINDOW + 1 for n in x.shape[1:3])
    if x.rank != 4 or other.rank != 4 or any(n < 1 or n % TILE for n in places):
        raise ShapeError(f"{name}: needs arrays of four axes and tiles of {TILE} places, got {x} and {other}")
    return places[0], places[1]


def _convolve_type(x: ArrayType, w: ArrayType) -> ArrayType:
    places = _sizes("tiled_convolve", x, w)
    if w.shape[:3] != (WINDOW, WINDOW, x.shape[3]):
        raise ShapeError(f"tiled_convolve: {w} is no kernel for {x}")
    return ArrayType((x.shape[0], *places, w.shape[3]), x.dtype)


def _kernel_type(x: ArrayType, ct: ArrayType) -> ArrayType:
    places = _sizes("tiled_kernel", x, ct)
    if ct.shape[:3] != (x.shape[0], *places):
        raise ShapeError(f"tiled_kernel: {ct} has not the places of {x}")
    return ArrayType((WINDOW, WINDOW, x.shape[3], ct.shape[3]), x.dtype)


_PLAIN: dict[str, Any] = dict(strides=(1, 1), padding=((0, 0), (0, 0)), x_dilation=(1, 1), w_dilation=(1, 1))
_IMAGES, _PLACES, _BACK = (0, 4, 2, 3, 1), (0, 2, 3, 1, 4), (0, 2, 3, 1, 4)
"""The axes of an array, and of a cotangent, as operands of the convolution that the kernel's cotangent is; and of its result."""


def _convolve(x: Any, w: Any) -> Any:
    return convolve.numpy(x[None], w[None], **_PLAIN)[0]


def _kernel(x: Any, ct: Any) -> Any:
    found = convolve.numpy(np.transpose(x[None], _IMAGES), np.transpose(ct[None], _PLACES), **_PLAIN)
    return np.transpose(found, _BACK)[0]


_MADE = "it is made of convolutions once derivatives have been taken"
tiled_convolve = Op(
    "tiled_convolve", _convolve_type, _convolve, no_derivative=_MADE,
    doc="[batch, *space, features] and [3, 3, features, results] to [batch, *places, results]: a convolution, tile by tile.",
)  # fmt: skip
tiled_kernel = Op(
    "tiled_kernel", _kernel_type, _kernel, no_derivative=_MADE,
    doc="[batch, *space, features] and [batch, *places, results] to [3, 3, features, results]: the cotangent of the kernel of a "
    "convolution, tile by tile.",
)  # fmt: skip


@BATCH.of(tiled_convolve)
def _batch_convolve(size: int, args: Sequence[Value], batched: Sequence[bool], params: dict[str, Any]) -> Any:
    x, w = (broadcast_batch(a, size, b) for a, b in zip(args, batched, strict=True))
    return [op("convolve", x, w, **_PLAIN)]


@BATCH.of(tiled_kernel)
def _batch_kernel(size: int, args: Sequence[Value], batched: Sequence[bool], params: dict[str, Any]) -> Any:
    x, ct = (broadcast_batch(a, size, b) for a, b in zip(args, batched, strict=True))
    return [transpose_axes(op("convolve", transpose_axes(x, _IMAGES), transpose_axes(ct, _PLACES), **_PLAIN), _BACK)]
