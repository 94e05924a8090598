"""Random calls of jitgrad.lax's functions of shapes, slices, order and products."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from jitgrad import lax
from tests.numpy.drawn_calls import Call, Draw


def broadcast_in(d: Draw) -> Call:
    """Axes of an operand, those of size 1 too, put among others."""
    whole = d.shape()
    places = tuple(i for i in range(len(whole)) if d.flag())
    return Call([d.array(tuple(d.one_of(whole[i], 1) for i in places))], [whole, places])


def broadcast_to_other(d: Draw) -> Call:
    whole = d.shape()
    shape = tuple(d.one_of(n, 1) for n in whole)[d.number(0, len(whole)) :]
    return Call([d.array(shape), d.array(whole)])


def reshaped(d: Draw) -> Call:
    shape = d.shape()
    order = d.one_of(None, tuple(d.random.permutation(len(shape)).tolist()))
    count = int(np.prod(shape))
    return Call([d.array(shape)], [d.one_of((count,), (1, *shape, 1), shape[::-1], (count, 1)), order])


def collapsed(d: Draw) -> Call:
    shape = d.shape(least=1)
    start = d.number(0, len(shape) - 1)
    stop = d.one_of(None, d.number(start + 1, len(shape)))
    return Call([d.array(shape)], [start - len(shape) * d.one_of(0, 1), stop])


def expanded(d: Draw) -> Call:
    shape = d.shape()
    count = d.number(0, 2)
    rank = len(shape) + count
    places = d.random.permutation(rank)[:count].tolist()
    return Call([d.array(shape)], [tuple(p - rank * d.one_of(0, 1) for p in places)])


def squeezed(d: Draw) -> Call:
    shape = tuple(d.one_of(n, 1) for n in d.shape())
    return Call([d.array(shape)], [tuple(i for i, n in enumerate(shape) if n == 1 and d.flag())])


def padded(d: Draw) -> Call:
    """Around and between elements; what is negative cuts off, at most all there is."""
    shape, dtype = d.shape(), d.dtype()
    config = []
    for n in shape:
        between = d.number(0, 2)
        whole = n + max(n - 1, 0) * between
        low = d.number(-min(whole, 2), 3)
        config.append((low, d.number(max(-2, -whole - low), 3), between))
    return Call([d.array(shape, dtype=dtype), d.array((), dtype=dtype)], [config])


def joined(d: Draw) -> Call:
    shape, dtype = d.shape(least=1), d.dtype()
    axis = d.number(0, len(shape) - 1)
    shapes = [(*shape[:axis], d.number(0, 3), *shape[axis + 1 :]) for _ in range(d.number(1, 3))]
    return Call([d.array(s, dtype=dtype) for s in shapes], [axis], listed=True)


def stacked(d: Draw) -> Call:
    shape, dtype = d.shape(), d.dtype()
    count = d.number(1, 3)
    return Call([d.array(shape, dtype=dtype) for _ in range(count)], [d.number(-len(shape) - 1, len(shape))], listed=True)


def cut(d: Draw) -> Call:
    shape = d.shape(least=1)
    axis = d.axis(shape, none=False)
    first = d.number(0, shape[axis])
    return Call([d.array(shape)], [(first, 0, shape[axis] - first), axis])


def sliced(d: Draw) -> Call:
    shape = d.shape()
    starts = [d.number(0, n) for n in shape]
    limits = [d.number(s, n) for s, n in zip(starts, shape, strict=True)]
    return Call([d.array(shape)], [starts, limits, d.one_of(None, [d.number(1, 3) for _ in shape])])


def sliced_along(d: Draw) -> Call:
    shape = d.shape(least=1)
    axis = d.axis(shape, none=False)
    n = shape[axis]
    first = d.number(0, n)
    last = d.number(first, n)
    start, limit = (at - n * d.one_of(0, 1) if at < n else at for at in (first, last))
    start, limit = d.one_of(start, None if first == 0 else start), d.one_of(limit, None if last == n else limit)
    return Call([d.array(shape)], [start, limit, d.number(1, 3), axis])


def indexed_along(d: Draw) -> Call:
    shape = d.shape(least=1, size=1)
    axis = d.axis(shape, none=False)
    return Call([d.array(shape)], [d.number(-shape[axis], shape[axis] - 1), axis, d.flag()])


def _start(d: Draw) -> np.ndarray:
    """A computed index, also far outside."""
    kind = d.one_of("int32", "int64", "int8", "uint8")
    return np.array(d.one_of(d.number(0, 4), d.number(0, 120) if kind[0] == "u" else d.number(-9, 120)), kind)


def window_at(d: Draw) -> Call:
    shape = d.shape()
    sizes = tuple(d.number(0, n) for n in shape)
    return _last_first([d.array(shape)], [_start(d) for _ in shape], lambda f, x, *at: f(x, at, sizes))


def window_along(d: Draw) -> Call:
    shape = d.shape(least=1)
    axis = d.axis(shape, none=False)
    size = d.number(0, shape[axis])
    return _last_first([d.array(shape)], [_start(d)], lambda f, x, at: f(x, at, size, axis))


def element_at(d: Draw) -> Call:
    shape = d.shape(least=1, size=1)
    axis, keep = d.axis(shape, none=False), d.flag()
    return _last_first([d.array(shape)], [_start(d)], lambda f, x, at: f(x, at, axis, keep))


def window_replaced(d: Draw) -> Call:
    shape, dtype = d.shape(), d.dtype()
    part = tuple(d.number(0, n) for n in shape)
    operands = [d.array(shape, dtype=dtype), d.array(part, dtype=dtype)]
    return _last_first(operands, [_start(d) for _ in shape], lambda f, x, y, *at: f(x, y, at))


def part_replaced(d: Draw) -> Call:
    shape, dtype = d.shape(least=1), d.dtype()
    axis = d.axis(shape, none=False)
    part = list(shape)
    part[axis] = d.number(0, shape[axis])
    operands = [d.array(shape, dtype=dtype), d.array(tuple(part), dtype=dtype)]
    return _last_first(operands, [_start(d)], lambda f, x, y, at: f(x, y, at, axis))


def element_replaced(d: Draw) -> Call:
    shape, dtype = d.shape(least=1, size=1), d.dtype()
    axis = d.axis(shape, none=False) % len(shape)
    part = (*shape[:axis], *((1,) if d.flag() else ()), *shape[axis + 1 :])
    operands = [d.array(shape, dtype=dtype), d.array(part, dtype=dtype)]
    return _last_first(operands, [_start(d)], lambda f, x, y, at: f(x, y, at, axis))


def _last_first(operands: list[np.ndarray], starts: list[np.ndarray], how: Callable[..., object]) -> Call:
    """A call with computed indices behind its operands."""
    return Call([*operands, *starts], how=how)


def points_taken(d: Draw) -> Call:
    shape = d.shape(least=1, size=1)
    axes = tuple(sorted(d.random.permutation(len(shape))[: d.number(1, len(shape))].tolist()))
    n = d.number(0, 4)
    points = [d.random.integers(-shape[a], shape[a], n).astype("int32") for a in axes]
    return Call([d.array(shape)], [points, axes])


def along_one_axis(d: Draw) -> Call:
    shape = d.shape(least=1)
    return Call([d.array(shape)], [d.axis(shape, none=False)])


def sorted_together(d: Draw) -> Call:
    """Several operands of types of their own, by one key or several."""
    shape = d.shape(least=1)
    count = d.number(1, 3)
    axis, keys = d.axis(shape, none=False), d.number(1, count)
    return Call([d.array(shape) for _ in range(count)], how=lambda f, *xs: f(xs, axis, num_keys=keys))


def sorted_with(d: Draw) -> Call:
    shape = d.shape(least=1)
    axis = d.axis(shape, none=False)
    return Call([d.array(shape), d.array(shape)], [axis])


def largest(d: Draw) -> Call:
    shape = d.shape(least=1)
    axis = d.axis(shape, none=False)
    k = d.number(0, shape[axis])
    return Call([d.array(shape)], how=lambda f, x: f(x, k, axis))


def multiplied(d: Draw) -> Call:
    """Batch axes, contracted ones and free ones, each anywhere in an operand."""
    dtype = d.dtype()
    batch, shared, left, right = (tuple(d.number(0, 3) for _ in range(d.number(0, most))) for most in (2, 2, 1, 2))
    shapes, dims = [], []
    for free in (left, right):
        sizes = (*batch, *shared, *free)
        order = d.random.permutation(len(sizes)).tolist()
        place = {axis: order.index(axis) for axis in order}
        shapes.append(tuple(sizes[a] for a in order))
        dims.append(([place[i + len(batch)] for i in range(len(shared))], [place[i] for i in range(len(batch))]))
    numbers = ((dims[0][0], dims[1][0]), (dims[0][1], dims[1][1]))
    return Call([d.array(shape, dtype=dtype) for shape in shapes], [numbers])


def grouped_rows(traced: bool) -> Callable[[Draw], Call]:
    """Rows in groups, some of none, whose sizes may add up to fewer rows or to more; as an operand, or as a constant."""

    def draw(d: Draw) -> Call:
        m, groups, k, n = d.number(0, 20), d.number(1, 4), d.number(0, 3), d.number(0, 3)
        sizes = d.random.integers(0, 2 * m // groups + 1, groups).astype(d.one_of("int32", "int64", "uint8"))
        dtype = d.dtype()
        operands = [d.array((m, k), dtype=dtype), d.array((groups, k, n), dtype=dtype)]
        return Call([*operands, sizes]) if traced else Call(operands, how=lambda f, x, y: f(x, y, sizes))

    return draw


def grouped_in_general(d: Draw) -> Call:
    """Along a free axis and along a contracted one, among others, with and without a batch."""
    b, m, x, k, y, n, groups = (d.number(1, 3) for _ in range(7))
    m = d.number(0, 12)
    sizes = d.random.integers(0, m + 1, groups).astype("int32")
    numbers, first, second = d.one_of(
        (((((3,), (2,)), ((0,), (1,))), (2,), (0,)), (b, x, m, k), (groups, b, k, n)),
        (((((2,), (0,)), ((), ())), (0,), (1,)), (m, y, k), (k, groups, n)),
        (((((1,), (0,)), ((), ())), (1,), ()), (y, m), (m, n)),
        (((((3, 1), (1, 3)), ((0,), (2,))), (1,), ()), (b, m, y, k), (n, k, b, m)),
    )
    dtype = d.dtype()
    operands = [d.array(first, dtype=dtype), d.array(second, dtype=dtype)]
    return Call(operands, how=lambda f, x, y: f(x, y, sizes, lax.RaggedDotDimensionNumbers(*numbers)))


def vectors_or_matrices(d: Draw) -> Call:
    m, k, n = (d.number(0, 4) for _ in range(3))
    dtype = d.dtype()
    return Call([d.array(d.one_of((k,), (m, k)), dtype=dtype), d.array(d.one_of((k,), (k, n)), dtype=dtype)])


def batches(d: Draw) -> Call:
    batch, dtype = d.shape(most=2), d.dtype()
    m, k, n = (d.number(0, 3) for _ in range(3))
    return Call([d.array((*batch, m, k), dtype=dtype), d.array((*batch, k, n), dtype=dtype)])


def transformed(kind: str) -> Callable[[Draw], Call]:
    def draw(d: Draw) -> Call:
        shape = d.shape(least=1, size=1)
        count = d.number(1, len(shape))
        lengths = list(shape[-count:])
        if kind == "IRFFT":
            lengths[-1] = 2 * (shape[-1] - 1) + d.one_of(0, 1) or 1
        return Call([d.array(shape)], [kind, tuple(lengths)])

    return draw
