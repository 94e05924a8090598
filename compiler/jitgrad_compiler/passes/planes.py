"""Convolutions without a window of an array that lies in planes, one for each feature: products of matrices, nothing is moved.

In: the operands of a `convolve`. Out: whether it is one of those; its contraction, whose result lies in planes, too. Asked by
memory_order.py, which leaves such results where they are, and by convolutions.py, which writes them so.
"""

from __future__ import annotations

import math
from typing import Any

from ..ir.graph import Atom
from .window_writer import Writer, row_major

SMALLEST_PLANE = 64
"""Elements from which a plane is the row of a matrix."""
VECTOR = 16
"""Elements of a vector; in planes of no whole number of them"""
MOST_BEYOND = 8
"""the last one may have one in so many beyond the plane."""


def in_planes(r: Writer, x: Atom) -> bool:
    """Whether [1, images, *space, features] lies in memory as [images, features, *space], in planes that are worth it."""
    shape, last = x.type.shape, x.type.rank - 1
    size = math.prod(shape[2:last])
    beyond = -size % VECTOR
    order = (0, 1, last, *range(2, last))
    there = tuple(r.strides(x)[a] for a in order) == row_major(tuple(shape[a] for a in order))
    return shape[0] == 1 and shape[last] > 1 and size >= SMALLEST_PLANE and MOST_BEYOND * beyond <= size and there


def product_of_planes(r: Writer, x: Atom, w: Atom, strides: Any, padding: Any, x_dilation: Any, w_dilation: Any) -> bool:
    """Whether `convolve(x, w)` is done by features for each image, and its result lies in planes."""
    return {*w.type.shape[1:-2]} == {1} and _whole(strides, padding, x_dilation) and in_planes(r, x)


def _whole(strides: Any, padding: Any, x_dilation: Any) -> bool:
    """Whether the array is neither padded nor dilated, and every element is looked at."""
    return {*strides, *x_dilation} == {1} and not any(map(any, padding))


def by_planes(r: Writer, x: Atom, w: Atom, **of: Any) -> Atom | None:
    """A convolution, or the cotangent of its kernel, of an array in planes; None of others."""
    if product_of_planes(r, x, w, **of):
        return _product(r, x, w)
    last = x.type.rank - 1
    if w.type.shape[1:-2] != x.type.shape[2:-1] or not _whole(of["strides"], of["padding"], of["x_dilation"]):
        return None
    array = r.transposed(x, (0, last, *range(2, last), 1))
    return _of_kernel(r, array, r.transposed(w, (0, last - 1, *range(1, last - 1), last))) if in_planes(r, array) else None


def _planes(r: Writer, x: Atom) -> Atom:
    """[images, features, *space] of [1, images, *space, features]. Places stay apart, as in work on the result."""
    last = x.type.rank - 1
    turned = r.transposed(x, (0, 1, last, *range(2, last)))
    return r.reshaped(turned, turned.type.shape[1:])


def _product(r: Writer, x: Atom, w: Atom) -> Atom:
    """The same matrix of the kernel times the planes of each image."""
    matrix = r.transposed(r.reshaped(w, w.type.shape[-2:]), (1, 0))
    each = r.op("broadcast", matrix, shape=(x.type.shape[1], *matrix.type.shape), dims=(1, 2))
    out: Atom = r.op("dot_general", each, _planes(r, x), dims=(((2,), (1,)), ((0,), (0,))))
    last = x.type.rank - 1
    return r.transposed(r.reshaped(out, (1, *out.type.shape)), (0, 1, *range(3, last + 1), 2))


def _of_kernel(r: Writer, x: Atom, ct: Atom) -> Atom:
    """The kernel's cotangent, of the array and of the result's: sums over images and places.

    The right operand of a contraction is read along its columns, so of two in planes the smaller one is copied.
    """
    a, features, results = _planes(r, x), x.type.shape[-1], ct.type.shape[-1]
    of_planes = (0, *range(2, a.type.rank))
    if not in_planes(r, ct):
        b: Atom = r.reshaped(ct, ct.type.shape[1:])
        out: Atom = r.op("dot_general", a, b, dims=((of_planes, tuple(range(b.type.rank - 1))), ((), ())))
    elif results <= features:
        out = r.op("dot_general", a, _planes(r, ct), dims=((of_planes, of_planes), ((), ())))
    else:  # a reshape keeps the operands from being exchanged for the order of the axes
        out = r.op("dot_general", _planes(r, ct), a, dims=((of_planes, of_planes), ((), ())))
        out = r.transposed(r.reshaped(out, (1, results, features)), (0, 2, 1))
    return r.reshaped(out, (1, features, *[1] * (x.type.rank - 3), results))
