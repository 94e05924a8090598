"""Random calls of jitgrad.lax's functions of elements and of its folds: operands of one type, and of one rank or scalars."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from jitgrad import Array
from tests.numpy.drawn_calls import Call, Draw, Shape


def together(d: Draw, count: int) -> list[Shape]:
    """Shapes of one rank, with axes of size 1, or of scalars."""
    whole = d.shape()
    return [d.one_of((), tuple(d.one_of(n, n, 1) for n in whole), whole, whole) for _ in range(count)]


def elements(count: int, *bounds: tuple[float, float], whole: int = 0) -> Callable[[Draw], Call]:
    """Operands of one type, each between bounds of its own or all between one pair; the first `whole` of them whole numbers.

    Sometimes one of two is a number of Python's or a float64 of NumPy's, which takes the other's type.
    """
    limits = (bounds or ((-3, 3),)) * (count if len(bounds) < 2 else 1)

    def draw(d: Draw) -> Call:
        dtype = d.dtype()
        shapes = together(d, count)
        operands = [d.array(s, low, high, dtype) for s, (low, high) in zip(shapes, limits, strict=True)]
        if d.apart and len(bounds) < 2 and dtype.kind == "f":  # from the other operand's elements, too
            sizes = [int(np.prod(s)) for s in shapes]
            every = np.split(d.array((sum(sizes),), *limits[0], dtype), np.cumsum(sizes)[:-1])
            operands = [part.reshape(s) for part, s in zip(every, shapes, strict=True)]
        operands = [np.round(x) if i < whole else x for i, x in enumerate(operands)]
        if count == 2 and not d.apart and not whole and dtype.kind in "fiu" and d.flag():
            low, high = limits[1]
            number: Any = (low + high) / 2 if dtype.kind == "f" else int(high)
            number = d.one_of(number, np.float64(number)) if dtype.kind == "f" else number
            return Call(operands[:1], how=lambda f, x: f(x, number if isinstance(x, Array) else np.asarray(number, x.dtype)))
        return Call(operands)

    return draw


def of_order(low: int, high: int, bounds: tuple[float, float]) -> Callable[[Draw], Call]:
    """Functions of an order, a whole number that is a constant here, and of numbers."""

    def draw(d: Draw) -> Call:
        n, dtype = d.number(low, high), d.dtype()
        return Call([d.array(d.shape(), *bounds, dtype)], how=lambda f, x: f(np.asarray(n, dtype), x))

    return draw


def bits(low: int = -9, high: int = 9) -> Callable[[Draw], Call]:
    return elements(2, (low, high))


def shifted(d: Draw) -> Call:
    """By less than the type has bits, and by more."""
    dtype = d.dtype()
    shape = d.shape()
    by = d.random.integers(0, d.one_of(8 * dtype.itemsize, 100), shape).astype(dtype)
    return Call([d.array(shape, -50, 50, dtype), by])


def powered(d: Draw) -> Call:
    """Positive numbers to floats, and all to whole numbers of an integer type."""
    shape, dtype = d.shape(), d.dtype()
    if d.apart or d.flag():
        return Call([d.array(shape, 0.3, 3, dtype), d.array(shape, -2, 3, dtype)])
    return Call([d.array(shape, -3, 3, dtype), d.array(shape, -3, 3, d.one_of("int8", "int32", "int64"))])


def clamped(d: Draw) -> Call:
    """Bounds that are scalars or of the operand's shape, also where they cross."""
    dtype, shape = d.dtype(), d.shape()
    low, high = (d.array(d.one_of((), shape), *ends, dtype) for ends in ((-2, 1), (-1, 2)))
    return Call([low, d.array(shape, -3, 3, dtype), high])


def chosen(d: Draw) -> Call:
    dtype, shape = d.dtype(), d.shape()
    chooser = d.random.random(d.one_of((), shape)) > 0.5
    cases = [d.array(shape, dtype=dtype) for _ in range(2)]
    return Call(cases, how=lambda f, *xs: f(chooser, *xs))


def chosen_of_many(d: Draw) -> Call:
    dtype, shape = d.dtype(), d.shape()
    count = d.number(1, 4)
    chooser = d.random.integers(0, count, d.one_of((), shape)).astype("int32")
    return Call([d.array(shape, dtype=dtype) for _ in range(count)], how=lambda f, *xs: f(chooser, *xs))


def then(*rest: Callable[[Draw], Any], least: int = 0, size: int = 0, low: float = -3, high: float = 3) -> Callable[[Draw], Call]:
    """One operand, and arguments that are drawn behind it."""
    return lambda d: Call([d.array(d.shape(least=least, size=size), low, high)], [part(d) for part in rest])


def axes_of(d: Draw, shape: Shape) -> Shape:
    """Some axes, counted from either end."""
    return tuple(i - len(shape) * d.one_of(0, 1) for i in range(len(shape)) if d.flag())


def folded(finite: bool = True) -> Callable[[Draw], Call]:
    """Over some axes; where nothing folded is infinite, derivatives are of something."""

    def draw(d: Draw) -> Call:
        shape = d.shape(size=0 if finite or not d.apart else 1)
        return Call([d.array(shape)], [axes_of(d, shape)])

    return draw


def indexed(d: Draw) -> Call:
    shape = d.shape(least=1, size=1)
    return Call([d.array(shape)], [d.axis(shape, none=False), d.one_of("int8", "int32", "int64", "uint16")])


def cumulated(d: Draw) -> Call:
    shape = d.shape(least=1)
    return Call([d.array(shape)], keywords={"axis": d.axis(shape, none=False), "reverse": d.flag()})


def reduced(d: Draw) -> Call:
    """By functions of lax, or by others that do the same, and beginning with numbers that are neutral or not."""
    shape, dtype = d.shape(), d.dtype()
    name, start = d.one_of(("add", 0), ("add", 2), ("mul", 1), ("max", -2), ("min", 3))
    axes = tuple(a % max(len(shape), 1) for a in axes_of(d, shape))
    first = dtype.type(abs(start) if dtype.kind in "bu" else start)
    return Call([d.array(shape, dtype=dtype)], [first, name, axes, d.flag()])


def reduced_pair(d: Draw) -> Call:
    """The largest element and where it is: two operands, folded together."""
    shape, dtype = d.shape(least=1), d.dtype()
    x, places = d.array(shape, dtype=dtype), d.random.permutation(int(np.prod(shape))).reshape(shape).astype("int32")
    axes = tuple(a % len(shape) for a in axes_of(d, shape))
    return Call([x, places], [axes])


def converted(*types: str) -> Callable[[Draw], Call]:
    return lambda d: Call([d.array(d.shape(), -9, 9)], [d.one_of(*types)])


def recast(d: Draw) -> Call:
    """To a type of the same size."""
    dtype = d.dtype()
    same = {1: ["int8", "uint8"], 2: ["int16", "uint16", "float16", "bfloat16"], 4: ["int32", "uint32", "float32"], 8: ["int64",
        "uint64", "float64"]}  # fmt: skip
    return Call([d.array(d.shape(), -9, 9, dtype)], [d.one_of(*same[dtype.itemsize])])


def filled(d: Draw) -> Call:
    shape = d.shape()
    return Call([d.array(())], how=lambda f, x: f(shape, x))


def narrowed(d: Draw) -> Call:
    return Call([d.array(d.shape(), -300, 300)], [d.number(1, 11), d.number(0, 30)])
