"""Sums of products of complex numbers as such sums of real ones.

A contraction becomes one real contraction, as much work as four of the parts, that reads each operand once. Where the result is
small it is that of all parts with each other, whose sums and differences are the result's. Else it goes over the parts as well: of
the smaller operand the matrix (a, -b; b, a) that multiplies by a + ib is taken, of the larger one its parts. Three
contractions (C. F. Gauss's) would save a quarter of the work, and the digits of small parts beside large ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ...ir.builder import Value
from ...ops.arithmetic import op
from ...ops.contraction import Dims, free_axes
from ...ops.define import axis_to_front, reshape
from .table import Parts, Planes, of_planes, one_of, rule


def _of_four(name: str, x: Parts, y: Parts, **params: Any) -> Parts:
    def real(a: int, b: int) -> Value:
        return op(name, x[a], y[b], **params)

    return Parts(real(0, 0) - real(1, 1), real(0, 1) + real(1, 0))


@rule("convolve")
def convolved(x: Parts, y: Parts, **params: Any) -> Parts:
    return _of_four("convolve", x, y, **params)


@rule("dot_general")
def contracted(x: Parts, y: Parts, dims: Dims, **more: Any) -> Parts:
    (cx, cy), (bx, by) = dims
    a, b = x.real.type, y.real.type
    fx, fy = free_axes(a.rank, cx, bx), free_axes(b.rank, cy, by)
    rows, columns = math.prod(a.shape[i] for i in fx), math.prod(b.shape[i] for i in fy)
    if min(rows, columns, math.prod(a.shape[i] for i in cx)) <= 1:
        return _of_four("dot_general", x, y, dims=dims, **more)  # which become products and sums, and fuse
    first = len(bx)
    result = math.prod(a.shape[i] for i in bx) * rows * columns
    if result < min(a.size, b.size):
        every = op("dot_general", _stacked(x), _stacked(y), dims=((_up(cx, 1), _up(cy, 1)), (_up(bx, 1), _up(by, 1))), **more)
        (rr, ri), (ir, ii) = [[one_of(one_of(every, first, n), first + len(fx), m) for m in (0, 1)] for n in (0, 1)]
        return Parts(rr - ii, ri + ir)
    on_left = a.size <= b.size
    left, right = (_matrix(x), _stacked(y)) if on_left else (_stacked(x), _matrix(y))
    up_x, up_y = (2, 1) if on_left else (1, 2)
    over = ((0, *_up(cx, up_x)), (0, *_up(cy, up_y)))
    found = op("dot_general", left, right, dims=(over, (_up(bx, up_x), _up(by, up_y))), **more)
    axis = first + (0 if on_left else len(fx))  # that of the parts stands in front of the free ones of whose matrix was taken
    return of_planes(axis_to_front(found, axis))


def _up(axes: tuple[int, ...], by: int) -> tuple[int, ...]:
    return tuple(i + by for i in axes)


def _stacked(values: Sequence[Value]) -> Value:
    """Values along a new first axis."""
    if isinstance(values, Planes):
        return values.stacked
    return op("concatenate", *[reshape(v, (1, *v.type.shape)) for v in values], axis=0)


def _matrix(x: Parts) -> Value:
    """[part of the other operand, part of the product, ...]."""
    return _stacked((_stacked((x.real, x.imag)), _stacked((-x.imag, x.real))))
