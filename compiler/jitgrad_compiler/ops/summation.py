"""Sums by NumPy whose error does not grow with their length: what eager mode and the interpreter compute.

NumPy adds pairwise along the axis that is fastest in memory, and one after the other along all others; BLAS adds hundreds one after
the other, or all. float32 is added in float64 where it cannot be added pairwise, in blocks that keep the copies small.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

SHORT = 32
"""Additions one after the other that round little."""
STEPS = 512
"""Of a contraction's depth that BLAS sums by itself, where it keeps many sums at once."""
FEW = 1 << 14
"""Results of a contraction that are few beside what is read for them."""
DEEP = 1 << 15
"""Depth of a contraction from which its operands are converted whatever it costs."""
BLOCK = 1 << 18
"""Elements of an operand of a thin contraction that are converted at a time."""


def pairwise_sum(x: Any, axis: tuple[int, ...]) -> Any:
    """The sum over axes in the operand's type."""
    x = np.asarray(x)
    if not axis:  # NumPy would add 0 to each element, and a zero lose its sign
        return x.copy()
    trailing = axis == tuple(range(x.ndim - len(axis), x.ndim)) and x.flags.c_contiguous
    if trailing or not x.size or x.dtype.kind not in "fc" or math.prod(x.shape[a] for a in axis) <= SHORT:
        return np.add.reduce(x, axis=axis, dtype=x.dtype)
    order = sorted(range(x.ndim), key=lambda a: -abs(x.strides[a]))  # as it lies in memory
    ordered, over = np.ascontiguousarray(x.transpose(order)), [a in axis for a in order]
    last = len(order)
    while last and over[last - 1]:
        last -= 1
    part = np.add.reduce(ordered, axis=tuple(range(last, len(order))), dtype=x.dtype) if last < len(order) else ordered
    front = [a for a in range(last) if over[a]]
    kept = [a for a in range(last) if not over[a]]
    rows = part.transpose(*front, *kept).reshape(-1, *[part.shape[a] for a in kept])
    total = _halved(rows) if front else rows[0]
    left = [order[a] for a in kept]
    return total.transpose([left.index(a) for a in sorted(left)])


def _halved(rows: Any) -> Any:
    """The sum of rows, halves added until few are left."""
    while len(rows) > SHORT // 2:
        half = len(rows) // 2
        folded = rows[:half] + rows[half : 2 * half]
        if len(rows) % 2:
            folded[0] += rows[-1]
        rows = folded
    return np.add.reduce(rows, axis=0, dtype=rows.dtype)


def running_sum(x: Any, axis: int) -> Any:
    """The running sum along an axis in the operand's type."""
    if x.dtype.kind not in "fc" or x.shape[axis] <= SHORT:
        return np.add.accumulate(x, axis=axis, dtype=x.dtype)
    if x.dtype in (np.float32, np.complex64):
        return np.add.accumulate(x.astype(np.result_type(x, np.float64)), axis=axis).astype(x.dtype)
    return np.moveaxis(_running(np.moveaxis(x, axis, 0)), 0, axis)


def _running(x: Any) -> Any:
    """Blocks of rows by themselves, each then moved up by the sum of those before."""
    step = SHORT // 2
    count = len(x) // step
    if count < 2:
        return np.add.accumulate(x, axis=0)
    blocks = np.add.accumulate(x[: count * step].reshape(count, step, *x.shape[1:]), axis=1)
    before = _running(blocks[:, -1])
    blocks[1:] += before[:-1, None]
    rest = np.add.accumulate(x[count * step :], axis=0) + before[-1]
    return np.concatenate([blocks.reshape(count * step, *x.shape[1:]), rest])


def long_matmul(x: Any, y: Any) -> Any:
    """matmul of [..., m, k] and [..., k, n], in blocks of k."""
    (m, k), n = x.shape[-2:], y.shape[-1]
    alone = 1 in (m, n)
    if x.dtype.kind not in "fc" or k <= (4 * SHORT if alone else 2 * STEPS) or not m * n:
        return np.matmul(x, y)
    wide = np.result_type(x, np.float64)
    convert = min(m, n) < SHORT // 2 or m * n <= FEW or k > DEEP  # BLAS keeps few sums at once in thin contractions
    step = max(BLOCK // max(m, n), STEPS) if convert or alone else STEPS
    total = np.zeros((*np.broadcast_shapes(x.shape[:-2], y.shape[:-2]), m, n), wide)
    for first in range(0, k, step):
        a, b = x[..., first : first + step], y[..., first : first + step, :]
        if alone:  # bound by memory, and a column times a row at a time for BLAS
            product = a.swapaxes(-1, -2) * b if m == 1 else a * b.swapaxes(-1, -2)
            axis = product.ndim - (2 if m == 1 else 1)
            total += np.expand_dims(pairwise_sum(product, (axis,)), axis)
        else:
            total += np.matmul(a.astype(wide), b.astype(wide)) if convert else np.matmul(a, b)
    return total.astype(x.dtype)


def add_at(x: Any, at: tuple[Any, ...], updates: Any) -> None:
    """np.add.at(x, at, updates); where many meet at one place, float32 is added in float64 and rounded once."""
    if x.dtype == np.float32 and x.ndim and updates.size > SHORT:
        places: Any = slice(None)
        flat = np.ravel_multi_index(at, x.shape)
        if x.size > 4 * flat.size:
            places, flat = np.unique(flat, return_inverse=True)
        if np.bincount(flat).max(initial=0) > SHORT:
            elements = x.reshape(-1)
            sums = np.bincount(flat, updates, minlength=elements[places].size)
            elements[places] = np.where(sums == 0, elements[places], elements[places] + sums)
            return
    np.add.at(x, at, updates)
