"""Random calls of functions that shape, join, split and pick: see drawn_calls.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .drawn_calls import Call, Draw


def splitting(axis: int | None) -> Callable[[Draw], Call]:
    def draw(d: Draw) -> Call:
        shape = d.shape(least=1 if axis is None else (axis + 1 if axis else 2))
        at = d.axis(shape, none=False) if axis is None else axis
        n = shape[at]
        where = d.one_of(*[k for k in (1, 2, 3, 4) if n % k == 0], [d.number(-2, n + 1)], [1, 1], [d.number(0, n), d.number(0, 5)])
        return Call([d.array(shape)], [where, at] if axis is None else [where])

    return draw


def joined(d: Draw) -> Call:
    shape = d.shape(least=1)
    axis = d.axis(shape, none=False)
    operands = []
    for _ in range(d.number(1, 3)):
        own = list(shape)
        own[axis] = d.number(0, 3)
        operands.append(d.array(tuple(own)))
    return Call(operands, keywords={"axis": axis}, listed=True)


def alike(least: int = 0, most: int = 3) -> Callable[[Draw], Call]:
    def draw(d: Draw) -> Call:
        shape = d.shape(least, most)
        return Call([d.array(shape) for _ in range(d.number(1, 3))], listed=True)

    return draw


def stacked(d: Draw) -> Call:
    call = alike()(d)
    return Call(call.operands, keywords={"axis": d.axis((0,) + call.operands[0].shape, none=False)}, listed=True)


def moved(d: Draw) -> Call:
    shape = d.shape(least=1)
    n = len(shape)
    if d.flag():
        return Call([d.array(shape)], [d.number(-n, n - 1), d.number(-n, n - 1)])
    return Call([d.array(shape)], [tuple(d.random.permutation(n).tolist()), tuple(d.random.permutation(n).tolist())])


def permuted(d: Draw) -> Call:
    shape = d.shape()
    return Call([d.array(shape)], [tuple(d.random.permutation(len(shape)).tolist())])


def reshaped(d: Draw) -> Call:
    shape = d.shape()
    count = int(np.prod(shape))
    new = d.one_of((count,), (-1,), shape[::-1], (1, *shape, 1), (*shape[1:], *shape[:1]))
    return Call([d.array(shape)], [new], {"order": d.one_of("C", "F")})


def rolled(d: Draw) -> Call:
    shape = d.shape()
    several = tuple(range(len(shape)))
    both = [(tuple(d.number(-3, 3) for _ in several), several), (2, several)] if shape else []  # none at all is an error in NumPy
    shift, axis = d.one_of((d.number(-6, 6), None), (d.number(-6, 6), d.axis(shape)), *both)
    return Call([d.array(shape)], [shift], {"axis": axis})


def padded(d: Draw) -> Call:
    shape = d.shape(least=1, size=1)
    width = d.one_of(d.number(0, 5), (d.number(0, 3), d.number(0, 6)), [(d.number(0, 5), d.number(0, 3)) for _ in shape])
    mode = d.one_of("constant", "edge", "reflect", "symmetric", "wrap", "maximum", "minimum", "mean", "median", "linear_ramp")
    keywords = {
        "constant": {"constant_values": d.one_of(0, 2, (1, 2))},
        "linear_ramp": {"end_values": d.one_of(0, (1, 2))},
        **dict.fromkeys(("reflect", "symmetric"), {"reflect_type": d.one_of("even", "odd")}),
        **dict.fromkeys(("maximum", "minimum", "mean", "median"), {"stat_length": d.one_of(None, 1, 2)}),
    }
    return Call([d.array(shape)], [width, mode], keywords.get(mode, {}))


def repeated(d: Draw) -> Call:
    shape = d.shape()
    axis = d.axis(shape)
    n = int(np.prod(shape)) if axis is None else shape[axis]
    return Call([d.array(shape)], [d.one_of(d.number(0, 3), d.random.integers(0, 3, n))], {"axis": axis})


def tiled(d: Draw) -> Call:
    return Call([d.array(d.shape())], [d.one_of(d.number(0, 3), d.shape())])


def taken(d: Draw) -> Call:
    shape = d.shape(size=1)
    axis = d.axis(shape)
    n = int(np.prod(shape)) if axis is None else shape[axis]
    mode = d.one_of("wrap", "clip", None)
    low, high = (-n, n - 1) if mode is None else (-2 * n, 2 * n)
    index = d.random.integers(low if mode != "clip" else 0, high + 1, d.shape(most=2))
    return Call([d.array(shape)], [index], {"axis": axis, **({"mode": mode} if mode else {})})


def taken_along(d: Draw) -> Call:
    shape = d.shape(least=1, size=1)
    axis = d.axis(shape, none=False)
    own = list(shape)
    own[axis] = d.number(0, 4)
    return Call([d.array(shape), d.random.integers(-shape[axis], shape[axis], own)], [axis])


def diagonal(d: Draw) -> Call:
    shape = d.shape(least=2)
    a, b = d.random.permutation(len(shape))[:2]
    return Call([d.array(shape)], keywords={"offset": d.number(-4, 4), "axis1": int(a), "axis2": int(b)})


def triangle(d: Draw) -> Call:
    return Call([d.array(d.shape(least=2))], keywords={"k": d.number(-4, 4)})


def chosen(d: Draw) -> Call:
    shapes = d.broadcast(3)
    return Call([d.random.random(shapes[0]) > 0.5, d.array(shapes[1]), d.array(shapes[2])])


def compressed(d: Draw) -> Call:
    shape = d.shape(least=1, size=2)
    axis = d.axis(shape)
    return Call([d.array(shape)], how=lambda f, x: f(np.array([True, False]), x, axis))


def picked(d: Draw) -> Call:
    places, mode = d.random.integers(-1, 3, d.shape()), d.one_of("clip", "wrap")
    return Call([d.array(places.shape), d.array(places.shape)], how=lambda f, *choices: f(places, list(choices), mode=mode))


def put_in(d: Draw) -> Call:
    """Distinct places: which of several values stays at one is not specified."""
    x = d.array(d.shape(least=1, size=1))
    axis = d.axis(x.shape, none=False)
    places = np.argsort(d.random.random(x.shape), axis)
    return Call([x, d.array(x.shape, dtype=x.dtype)], how=lambda f, x, new: f(x, places, new, axis, **inplace(f)))


def placed(name: str) -> Callable[[Draw], Call]:
    """put, place and putmask: NumPy's change the array, ours return another."""

    def draw(d: Draw) -> Call:
        x = d.array(d.shape(size=1))
        places = np.flatnonzero(d.random.random(x.size) > 0.5) if name == "put" else d.random.random(x.shape) > 0.5
        return Call([x, d.array((3,), dtype=x.dtype)], how=lambda f, x, new: f(x, places, new, **inplace(f)))

    return draw


def inplace(f: Callable[..., Any]) -> dict[str, Any]:
    return {} if f in CHANGED.values() else {"inplace": False}


def _changed(name: str) -> Callable[..., Any]:
    def f(x: Any, *args: Any) -> Any:
        x = x.copy()
        getattr(np, name)(x, *args)
        return x

    return f


CHANGED = {name: _changed(name) for name in ("put", "place", "putmask", "put_along_axis", "fill_diagonal")}


def turned(d: Draw) -> Call:
    shape = d.shape(least=2)
    a, b = d.random.permutation(len(shape))[:2]
    return Call([d.array(shape)], [d.number(-5, 5), (int(a), int(b))])


def selected(d: Draw) -> Call:
    shape, n = d.shape(), d.number(1, 3)
    operands = [d.array(shape) for _ in range(n)]
    conditions = [d.random.random(shape) > 0.5 for _ in range(n)]
    return Call(operands, how=lambda select, *choices: select(conditions, list(choices), 2))


def partitioned(d: Draw) -> Call:
    shape = d.shape(least=1, size=1)
    axis = d.axis(shape, none=False)
    return Call([d.array(shape)], [d.number(-shape[axis], shape[axis] - 1)], {"axis": axis})


def inserted(d: Draw) -> Call:
    shape = d.shape(least=1)
    axis = d.axis(shape, none=False)
    n, at = shape[axis], axis % len(shape)
    where = d.one_of(d.number(-n, n), [d.number(-n, n)], [0, n, 0], [n // 2, 0])
    x, rest = d.array(shape), (shape[:at], shape[at + 1 :])
    values = d.one_of(2, *(d.array((*rest[0], *sizes, *rest[1]), dtype=x.dtype) for sizes in ((), (1,), (3,))))
    if np.ndim(values) == len(shape):  # one place takes them all: a number's along the first axis
        where = d.one_of(d.number(-n, n), [d.number(-n, n)])
        values = np.moveaxis(values, axis, 0) if np.ndim(where) == 0 else values
    elif np.ndim(values) and np.ndim(where):
        values = np.expand_dims(values, axis)
    return Call([x], [where, values], {"axis": axis})


def deleted(d: Draw) -> Call:
    shape = d.shape(least=1, size=1)
    axis = d.axis(shape, none=False)
    n = shape[axis]
    return Call([d.array(shape)], [d.one_of(d.number(-n, n - 1), [0, -1], [], slice(None, None, 2))], {"axis": axis})


def appended(d: Draw) -> Call:
    call = joined(d)
    a, b = call.operands[0], call.operands[-1]
    return Call([a, b], keywords=d.one_of(call.keywords, {}))


def expanded(d: Draw) -> Call:
    shape = d.shape()
    n = len(shape) + 1
    return Call([d.array(shape)], [d.one_of(d.number(-n, n - 1), (0, n), (-1, 0), ())])


def squeezed(d: Draw) -> Call:
    shape = tuple(d.one_of(1, 1, 2, 0) for _ in range(d.number(0, 4)))
    units = tuple(i for i, n in enumerate(shape) if n == 1)
    return Call([d.array(shape)], keywords={"axis": d.one_of(None, units, *units)})


def spread(d: Draw) -> Call:
    shape = d.shape()
    return Call([d.array(tuple(d.one_of(n, 1) for n in shape))], [d.shape(most=1) + shape])


def meshed(d: Draw) -> Call:
    operands = [d.array(d.one_of((), (0,), (2,), (3,))) for _ in range(d.number(1, 3))]
    return Call(operands, keywords={"indexing": d.one_of("xy", "ij"), "sparse": d.flag()})
