"""convolve: sums of products of an array's windows with a kernel, in one order of axes.

Every convolution of the front end (any order of axes, groups of features or of the batch, transposed ones) is this op between
transposes and reshapes, which take no memory. Both its derivatives are convolutions again: of the cotangent with the
kernel turned round, and of the array with the cotangent as the kernel.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ShapeError
from ..ir.builder import Value, literal
from ..ir.graph import BATCH, JVP, TRANSPOSE, Op
from ..ir.types import ArrayType
from .arithmetic import op
from .contraction import contract_numpy
from .define import Operand, bilinear_jvp, check_dtypes, is_linear, known, reshape, transpose_axes, type_of_operand
from .layout import pad_numpy, padded_size
from .windows import Counts, places, span, view

Pads = tuple[tuple[int, int], ...]


def _lengths(n: int, size: int, stride: int, pads: tuple[int, int], x_dilation: int, w_dilation: int) -> tuple[int, int]:
    """The length of an axis once it is dilated and padded, and the number of places of the kernel there."""
    whole = padded_size(n, *pads, x_dilation - 1)
    return whole, places(whole, size, stride, w_dilation)


def _type(x: ArrayType, w: ArrayType, strides: Counts, padding: Pads, x_dilation: Counts, w_dilation: Counts) -> ArrayType:
    check_dtypes("convolve", "numeric", [x, w])
    rank = x.rank - 3
    fits = rank >= 0 and w.rank == x.rank and x.shape[0] == w.shape[0] and x.shape[-1] == w.shape[-2]
    counts = (strides, x_dilation, w_dilation)
    if not fits or any(len(c) != rank for c in (*counts, padding)) or any(n < 1 for c in counts for n in c):
        raise ShapeError(
            f"convolve: needs [groups, batch, *space, features] and [groups, *window, features, results], and a stride, a pair of "
            f"paddings and dilations for each axis of space, got {x}, {w}, {strides}, {padding}, {x_dilation}, {w_dilation}"
        )
    out = []
    for of in zip(x.shape[2:-1], w.shape[1:-2], strides, padding, x_dilation, w_dilation, strict=True):
        whole, count = _lengths(*of)
        if whole < 0 or of[1] < 1:
            raise ShapeError(f"convolve: a window of {of[1]} elements does not fit {of[0]} elements with the padding {of[3]}")
        out.append(count)
    return ArrayType((*x.shape[:2], *out, w.shape[-1]), x.dtype)


def whole_padding(padding: Pads, x_dilation: Counts) -> tuple[tuple[int, int, int], ...]:
    """What `pad` is told to do to [groups, batch, *space, features]."""
    none = (0, 0, 0)
    return (none, none, *[(*p, d - 1) for p, d in zip(padding, x_dilation, strict=True)], none)


def of_space(space: Counts) -> Counts:
    """Counts for every axis of [groups, batch, *space, features], of those of space."""
    return (1, 1, *space, 1)


def _numpy(x: Any, w: Any, strides: Counts, padding: Pads, x_dilation: Counts, w_dilation: Counts) -> Any:
    x, w = np.asarray(x), np.asarray(w)
    whole = pad_numpy(x, 0, whole_padding(padding, x_dilation))
    rank = len(strides)
    seen = view(whole, of_space(w.shape[1:-2]), of_space(strides), of_space(w_dilation))
    seen = seen[..., 0].reshape(*seen.shape[: rank + 3], *w.shape[1:-2])  # [groups, batch, *places, features, *window]
    window = tuple(range(rank + 3, 2 * rank + 3))
    return contract_numpy(seen, w, (((*window, rank + 2), tuple(range(1, rank + 2))), ((0,), (0,))))


convolve = Op(
    "convolve", _type, _numpy,
    doc="[groups, batch, *space, features] and [groups, *window, features, results] to [groups, batch, *places, results]: the sum "
    "of the products of each window with the kernel. `padding` is put around x once it is dilated, negative ones cut off.",
)  # fmt: skip
JVP[convolve] = bilinear_jvp(convolve)


@TRANSPOSE.of(convolve)
def _transpose(cts: Sequence[Value], operands: Sequence[Operand], params: dict[str, Any]) -> Any:
    (ct,), (x, w) = cts, operands
    sizes, space, rank = type_of_operand(w).shape[1:-2], type_of_operand(x).shape[2:-1], len(params["strides"])
    strides, x_dilation, w_dilation = params["strides"], params["x_dilation"], params["w_dilation"]
    first = [low for low, _ in params["padding"]]
    wholes = [(n - 1) * d + 1 if n else 0 for n, d in zip(space, x_dilation, strict=True)]
    spans = [span(n, d) for n, d in zip(sizes, w_dilation, strict=True)]
    spread = [(n - 1) * s + 1 if n else 0 for n, s in zip(ct.type.shape[2:-1], strides, strict=True)]
    middle = tuple(range(1, rank + 1))
    if is_linear(x):
        kernel = known("convolve", w)
        turned = transpose_axes(op("reverse", kernel, axes=middle), (0, *middle, rank + 2, rank + 1))
        padding = tuple((reach - 1 - low, n + low - held) for low, reach, n, held in zip(first, spans, wholes, spread, strict=True))
        out = op("convolve", ct, turned, strides=x_dilation, padding=padding, x_dilation=strides, w_dilation=w_dilation)
        return [out, None]
    as_batch = transpose_axes(known("convolve", x), (0, rank + 2, *range(2, rank + 2), 1))
    kernel = transpose_axes(ct, (0, *range(2, rank + 2), 1, rank + 2))
    padding = tuple((low, reach - 1 + held - low - n) for low, reach, n, held in zip(first, spans, wholes, spread, strict=True))
    if 0 in ct.type.shape:
        return [None, op("broadcast", literal(0, ct.type.dtype), shape=type_of_operand(w).shape, dims=())]
    found = op("convolve", as_batch, kernel, strides=w_dilation, padding=padding, x_dilation=x_dilation, w_dilation=strides)
    return [None, transpose_axes(found, (0, *range(2, rank + 2), 1, rank + 2))]


@BATCH.of(convolve)
def _batch(size: int, args: Sequence[Value], batched: Sequence[bool], params: dict[str, Any]) -> Any:
    x, w = args
    if all(batched):  # more groups
        merged = [reshape(a, (size * a.type.shape[1], *a.type.shape[2:])) for a in (x, w)]
        out = op("convolve", *merged, **params)
        return [reshape(out, (size, x.type.shape[1], *out.type.shape[1:]))]
    if batched[0]:  # a larger batch
        groups, count, *rest = x.type.shape[1:]
        turned = transpose_axes(x, (1, 0, *range(2, x.type.rank)))
        out = op("convolve", reshape(turned, (groups, size * count, *rest)), w, **params)
        apart = reshape(out, (groups, size, count, *out.type.shape[2:]))
        return [transpose_axes(apart, (1, 0, *range(2, apart.type.rank)))]
    last = w.type.rank - 1  # more results
    turned = transpose_axes(w, (*range(1, last), 0, last))
    out = op("convolve", x, reshape(turned, (*turned.type.shape[:-2], size * w.type.shape[last])), **params)
    apart = reshape(out, (*out.type.shape[:-1], size, w.type.shape[last]))
    rank = apart.type.rank
    return [transpose_axes(apart, (rank - 2, *range(rank - 2), rank - 1))]
