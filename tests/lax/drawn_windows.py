"""Random calls of jitgrad.lax's gather, scatter, windowed reductions and convolutions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jitgrad import lax
from tests.numpy.drawn_calls import Call, Draw, Shape


def _numbered(d: Draw, batched: bool = True) -> tuple[Shape, Shape, lax.GatherDimensionNumbers, Shape, Shape]:
    """An operand's shape, that of indices, dimension numbers, sizes of windows, and the result's shape."""
    shape = d.shape(least=1, size=1)
    batch = d.shape(most=2)
    rank = len(shape)
    taken = [(d.one_of("whole", "part", "gone"), d.flag()) for _ in shape]
    together: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())
    if batched and batch and batch[0] and d.flag():
        shape, together = (batch[0], *shape[1:]), ((0,), (0,))
    gone = tuple(i for i, (how, _) in enumerate(taken) if how == "gone" and i not in together[0])
    mapped = [i for i, (how, flag) in enumerate(taken) if (how != "whole" or flag) and i not in together[0]]
    mapped = [mapped[i] for i in d.random.permutation(len(mapped))]
    absent = {*gone, *together[0]}
    sizes = tuple(
        1 if i in absent else n if how == "whole" else d.number(0, n)
        for i, (n, (how, _)) in enumerate(zip(shape, taken, strict=True))
    )
    window = [sizes[i] for i in range(rank) if i not in absent]
    out_rank = len(batch) + len(window)
    offsets = tuple(sorted(d.random.permutation(out_rank)[: len(window)].tolist()))
    of_window, of_batch = iter(window), iter(batch)
    out = tuple(next(of_window) if i in offsets else next(of_batch) for i in range(out_rank))
    numbers = lax.GatherDimensionNumbers(offsets, gone, tuple(mapped), *together)
    return shape, (*batch, len(mapped)), numbers, sizes, out


def _places(d: Draw, shape: Shape, index_shape: Shape, numbers: lax.GatherDimensionNumbers) -> Any:
    far = d.one_of(0, 2)
    most = max((shape[i] for i in numbers.start_index_map), default=1)
    return d.random.integers(-far, most + far, index_shape).astype(d.one_of("int32", "int64", "int8"))


def gathered(d: Draw) -> Call:
    shape, index_shape, numbers, sizes, _ = _numbered(d)
    places, mode = _places(d, shape, index_shape, numbers), d.one_of("clip", "fill", None)
    filled = {} if mode == "clip" or d.flag() else {"fill_value": 1}
    if d.apart and mode != "clip":
        filled = {"fill_value": 1}
    return Call([d.array(shape), places], how=lambda f, x, i: f(x, i, numbers, sizes, mode=mode, **filled))


def scattered(apart: bool = False) -> Callable[[Draw], Call]:
    """Updates of places that may be the same; with `apart`, of each place once, where the last one would win."""

    def draw(d: Draw) -> Call:
        dtype, mode = d.dtype(), d.one_of("clip", "drop", None)
        if apart:
            rows, columns = d.number(1, 4), d.number(0, 3)
            places = d.random.permutation(rows + 2)[: d.number(0, rows), None] - 1
            numbers = lax.ScatterDimensionNumbers((1,), (0,), (0,))
            mode = "drop"
            shape, updates = (rows, columns), (len(places), columns)
        else:
            shape, index_shape, of_gather, _, updates = _numbered(d)
            places, numbers = _places(d, shape, index_shape, of_gather), lax.ScatterDimensionNumbers(*of_gather)
        operands = [d.array(shape, dtype=dtype), places, d.array(updates, dtype=dtype)]
        return Call(operands, how=lambda f, x, i, u: f(x, i, u, numbers, mode=mode))

    return draw


def applied(d: Draw) -> Call:
    """A function of the elements in windows, which may lie on each other."""
    shape, index_shape, of_gather, _, updates = _numbered(d)
    places, numbers = _places(d, shape, index_shape, of_gather), lax.ScatterDimensionNumbers(*of_gather)
    mode = d.one_of("clip", "drop", None)

    def how(f: Callable[..., Any], x: Any, i: Any) -> Any:
        return f(x, i, lambda v: v * 2 + 1, numbers, update_shape=updates, mode=mode)

    return Call([d.array(shape), places], how=how)


def windowed(d: Draw) -> Call:
    shape, dtype = d.shape(), d.dtype()
    sizes, strides, apart, dilation = ([d.number(1, 3) for _ in shape] for _ in range(4))
    padding = [(d.number(0, 2), d.number(-1 if n > 1 else 0, 2)) for n in shape]
    name, start = d.one_of(("add", 0), ("add", 2), ("mul", 1), ("max", None), ("min", None), ("max", 1))
    if d.apart and start is None:  # a window of padding alone has no derivative where it is infinite
        start = -9 if name == "max" else 9
    rest = [name, start, d.flag(), sizes, strides, d.one_of(padding, padding, "SAME", "VALID", "SAME_LOWER"), apart, dilation]
    return Call([d.array(shape, dtype=dtype)], rest)


def convolved(d: Draw) -> Call:
    """Axes in any order, dilations, negative paddings, groups of features or of the batch."""
    letters, dtype = "HW"[: d.number(0, 2)], d.dtype()
    specs = ["".join(d.random.permutation(list(marks + letters))) for marks in ("NC", "OI", "NC")]
    of_features, of_batch = d.one_of((1, 1), (2, 1), (1, 2))
    sizes = {"N": d.number(0, 2) * of_batch, "C": d.number(1, 2) * of_features, "O": d.number(1, 2) * of_features * of_batch}
    sizes["I"] = sizes["C"] // of_features
    space, window = {c: d.number(0, 5) for c in letters}, {c: d.number(1, 3) for c in letters}
    lhs, rhs = tuple({**sizes, **space}[c] for c in specs[0]), tuple({**sizes, **window}[c] for c in specs[1])
    strides, lhs_dilation, rhs_dilation = ({c: d.number(1, 3) for c in letters} for _ in range(3))
    padding = {c: (d.number(0, 3), d.number(-1 if space[c] > 1 else 0, 3)) for c in letters}
    order = [c for c in specs[1] if c in letters]
    rest = [[given[c] for c in order] for given in (strides, padding, lhs_dilation, rhs_dilation)]
    return Call(
        [d.array(lhs, dtype=dtype), d.array(rhs, dtype=dtype)], [*rest, tuple(specs), of_features, of_batch]
    )  # fmt: skip


def convolved_simply(*more: str) -> Callable[[Draw], Call]:
    """[batch, features, *space] with [results, features, *window], and the dilations named in `more`."""

    def draw(d: Draw) -> Call:
        rank, dtype, features = d.number(0, 2), d.dtype(), d.number(1, 2)
        space, window, strides = ([d.number(low, 3) for _ in range(rank)] for low in (0, 1, 1))
        padding = d.one_of("SAME", "VALID", [(d.number(0, 2), d.number(0, 2)) for _ in range(rank)])
        dilations = [[d.number(1, 2) for _ in range(rank)] for _ in more]
        if more and isinstance(padding, str):
            dilations[0] = [1] * rank
        x, w = d.array((2, features, *space), dtype=dtype), d.array((d.number(1, 2), features, *window), dtype=dtype)
        return Call([x, w], [strides, padding, *dilations])

    return draw


def transposed(d: Draw) -> Call:
    """[batch, *space, features] with [*window, features, results], or with the kernel of the convolution that it transposes."""
    rank, dtype, features, results = d.number(1, 2), d.dtype(), d.number(1, 2), d.number(1, 2)
    space, window, strides, dilation = ([d.number(1, 3) for _ in range(rank)] for _ in range(4))
    turned = d.flag()
    kernel = (*window, results, features) if turned else (*window, features, results)
    padding = d.one_of("SAME", "VALID", [(d.number(0, 2), d.number(0, 2)) for _ in range(rank)])
    operands = [d.array((2, *space, features), dtype=dtype), d.array(kernel, dtype=dtype)]
    return Call(operands, [strides, padding, dilation], {"transpose_kernel": turned})


def patched(d: Draw) -> Call:
    rank = d.number(1, 2)
    space, window, strides, dilation = ([d.number(low, 3) for _ in range(rank)] for low in (3, 1, 1, 1))
    padding = [(d.number(0, 2), d.number(0, 2)) for _ in range(rank)]
    return Call([d.array((2, d.number(1, 2), *space))], [window, strides, padding], {"rhs_dilation": d.one_of(None, dilation)})


def convolved_locally(d: Draw) -> Call:
    dtype, n, features, results, k = d.dtype(), d.number(3, 5), d.number(1, 2), d.number(1, 2), d.number(1, 3)
    x, w = d.array((2, features, n), dtype=dtype), d.array((results, features * k, n - k + 1), dtype=dtype)
    return Call([x, w], [(1,), "VALID", (k,)])
