"""Convolutions and windows written as contractions, slices and pads, which are what kernels are made of.

A convolution is a contraction of the array's windows with the kernel. The windows are an index map and take no memory; what they
look into does: the array padded, in an order in which the features (or what takes their place in a derivative) lie side by side.
It is made once for all convolutions of an array. Rows and depth of the contraction go in the order of memory.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

from ..ir.graph import Atom, Eqn, Graph, Literal, Rules, Var
from ..ir.types import I32
from ..ops.convolution import convolve, of_space, whole_padding
from ..ops.windows import fold, reduce_window_max, reduce_window_min, span, window_place, window_put, window_take
from .rewrite import Rewriter
from .winograd import Tiling, tiling

MOST_WRITTEN_OUT = 32
"""Elements of a window that are compared one by one, as slices of the array."""


def write_out_windows(graph: Graph) -> Graph:
    if not any(e.op in _WRITTEN for e in graph.eqns):
        return graph
    r = _Writer(graph)
    for e in graph.eqns:
        inputs = [r.read(a) for a in e.inputs]
        rule = _WRITTEN.get(e.op)
        if rule is None:
            r.keep(e, inputs)
            r.made_by.update((v, e) for v in e.outputs)
        else:
            r.source = e.source
            r.atoms[e.outputs[0]] = rule(r, inputs, **e.params)
    return r.finish()


class _Writer(Rewriter):
    """A Rewriter that knows what made a value."""

    def __init__(self, graph: Graph) -> None:
        super().__init__(graph)
        self.made_by: dict[Var, Eqn] = {}
        self.source: Any = None

    def op(self, name: str, *inputs: Atom, **params: Any) -> Var:
        out = self.emit(name, inputs, params, self.source)
        self.made_by[out] = self.eqns[-1]
        return out

    def transposed(self, x: Atom, order: Sequence[int]) -> Atom:
        return x if list(order) == list(range(len(order))) else self.op("transpose", x, permutation=tuple(order))

    def reshaped(self, x: Atom, shape: tuple[int, ...]) -> Atom:
        return x if x.type.shape == shape else self.op("reshape", x, shape=shape)

    def strides(self, x: Atom) -> tuple[int, ...]:
        """How far apart in memory the elements along each axis are; of axes of one element 0."""
        e = self.made_by.get(x) if isinstance(x, Var) else None
        if e is not None and e.op.name == "transpose":
            inner = self.strides(e.inputs[0])
            return tuple(inner[p] for p in e.params["permutation"])
        if e is not None and e.op.name == "reshape":
            found = _reshaped_strides(e.inputs[0].type.shape, self.strides(e.inputs[0]), x.type.shape)
            if found is not None:
                return found
        return _row_major(x.type.shape)


def _row_major(shape: tuple[int, ...]) -> tuple[int, ...]:
    steps, step = [], 1
    for n in reversed(shape):
        steps.append(0 if n == 1 else step)
        step *= n
    return tuple(reversed(steps))


def _reshaped_strides(shape: tuple[int, ...], strides: tuple[int, ...], target: tuple[int, ...]) -> tuple[int, ...] | None:
    """Strides after a reshape that cuts axes into several, or adds and removes axes of one element; None where it joins axes."""
    out: list[int] = []
    axes = [(n, s) for n, s in zip(shape, strides, strict=True) if n != 1]
    rest = list(target)
    for n, s in axes:
        group: list[int] = []
        while math.prod(group) != n:
            if not rest or math.prod(group) > n:
                return None
            group.append(rest.pop(0))
        steps = [s * math.prod(group[i + 1 :]) for i in range(len(group))]
        out += [0 if m == 1 else step for m, step in zip(group, steps, strict=True)]
    return (*out, *[0] * len(rest)) if math.prod(rest) == 1 else None


Rule = Callable[..., Atom]

_WRITTEN: Rules[Rule] = Rules("writing out windows")


# -- convolutions


@_WRITTEN.of(convolve)
def _convolve(r: _Writer, inputs: Sequence[Atom], strides: Any, padding: Any, x_dilation: Any, w_dilation: Any) -> Atom:
    x, w = inputs
    rank = len(strides)
    for axis, (s, d, e) in enumerate(zip(strides, x_dilation, w_dilation, strict=True)):
        if d > 1 and s == e == 1:
            return _in_phases(r, x, w, axis, padding, x_dilation, strides=strides, w_dilation=w_dilation)
    tiled = tiling(x, w, strides, padding, x_dilation, w_dilation)
    if tiled and (found := _in_tiles(r, x, w, tiled)):
        return found
    x = _side_by_side(r, x, whole_padding(padding, x_dilation))
    sizes = w.type.shape[1:-2]
    seen: Atom = r.op("windows", x, sizes=of_space(sizes), strides=of_space(strides), dilation=of_space(w_dilation))
    seen = r.reshaped(seen, (*seen.type.shape[: rank + 3], *sizes))
    steps = r.strides(x)
    rows = [(steps[1], 1), *[(steps[a] * s, a) for a, s in enumerate(strides, 2)]]
    depth = [(steps[rank + 2], rank + 2), *[(steps[a] * d, a + rank + 1) for a, d in enumerate(w_dilation, 2)]]
    by_row = [a for _, a in sorted(rows, reverse=True, key=_by_step)]
    by_depth = [a for _, a in sorted(depth, reverse=True, key=_by_step)]
    seen = r.transposed(seen, [0, *by_row, *by_depth])
    groups = seen.type.shape[0]
    first = 1 if groups > 1 else 0  # one group is no axis: elementwise work on the result then joins the contraction
    if not first:
        seen, w = (r.reshaped(a, a.type.shape[1:]) for a in (seen, w))
    in_seen = tuple(range(first + rank + 1, first + 2 * rank + 2))
    in_kernel = tuple(first + (rank if a == rank + 2 else a - rank - 3) for a in by_depth)
    batch = (tuple(range(first)), tuple(range(first)))
    if _nearest(rows) < _nearest(
        depth
    ):  # what lies side by side is a row of the right operand, in which vectors begin at multiples
        out: Atom = r.op("dot_general", w, seen, dims=((in_kernel, in_seen), batch))
        order = [first + 1 + by_row.index(a) for a in range(1, rank + 2)] + [first]
    else:
        out = r.op("dot_general", seen, w, dims=((in_seen, in_kernel), batch))
        order = [first + by_row.index(a) for a in range(1, rank + 2)] + [first + rank + 1]
    out = r.transposed(out, [*range(first), *order])
    return r.reshaped(out, (groups, *out.type.shape[first:]))


def _in_tiles(r: _Writer, x: Atom, w: Atom, how: Tiling) -> Atom | None:
    """A convolution in tiles; None where the features of the array do not lie side by side."""
    rank = x.type.rank
    held = _side_by_side(r, x, whole_padding(how.padding, (1, 1)))
    images = (0, 4, 2, 3, 1) if how.of_kernel else tuple(range(rank))
    x = r.transposed(held, images)
    if r.strides(x) != _row_major(x.type.shape):
        return None
    x = r.reshaped(x, x.type.shape[1:])
    w = r.reshaped(w, w.type.shape[1:])
    if how.of_kernel:
        ct = r.transposed(w, (2, 0, 1, 3))
        ct = _padded(r, ct, 0, [(0, 0, 0), *[(0, n, 0) for n in how.beyond], (0, 0, 0)])
        out: Atom = r.transposed(r.op("tiled_kernel", x, ct), (2, 0, 1, 3))
    else:
        out = r.op("tiled_convolve", x, w)
        for axis, n in enumerate(how.beyond, 1):
            out = _cut(r, out, axis, out.type.shape[axis] - n) if n else out
    return r.reshaped(out, (1, *out.type.shape))


def _nearest(axes: Sequence[tuple[int, int]]) -> float:
    """How near the nearest elements along any of the axes are."""
    return min((step for step, _ in axes if step), default=math.inf)


def _in_phases(r: _Writer, x: Atom, w: Atom, axis: int, padding: Any, x_dilation: Any, **of: Any) -> Atom:
    """A convolution of an array that is dilated along an axis: of the array itself with every d-th element of the kernel, for each
    of d phases of the result. The gradient of a convolution with strides is one; most of its products would be with zeros.
    """
    (out,) = convolve.types([x.type, w.type], dict(padding=padding, x_dilation=x_dilation, **of))
    d, (low, _), n, results = x_dilation[axis], padding[axis], x.type.shape[axis + 2], out.shape[axis + 2]
    count = -(-results // d)
    phases: list[Atom] = []
    for phase in range(d):
        first = (low - phase) % d
        taken = _every(r, w, axis + 1, first, d)
        before = (low - phase - first) // d
        around = (before, count + taken.type.shape[axis + 1] - 1 - before - n)
        if not taken.type.shape[axis + 1]:
            shape = (*out.shape[: axis + 2], count, *out.shape[axis + 3 :])
            phases.append(r.op("broadcast", _number(x, 0), shape=shape, dims=()))
            continue
        within = [(*p[:axis], v, *p[axis + 1 :]) for p, v in ((padding, around), (x_dilation, 1))]
        phases.append(_convolve(r, [x, taken], padding=within[0], x_dilation=within[1], **of))
    at = axis + 3
    apart = [r.reshaped(p, (*p.type.shape[:at], 1, *p.type.shape[at:])) for p in phases]
    joined = r.op("concatenate", *apart, axis=at)
    whole = r.reshaped(joined, (*joined.type.shape[: at - 1], count * d, *joined.type.shape[at + 1 :]))
    return _cut(r, whole, axis + 2, results)


def _every(r: _Writer, x: Atom, axis: int, first: int, step: int) -> Atom:
    """Every step-th element along an axis."""
    start, strides, limit = [0] * x.type.rank, [1] * x.type.rank, list(x.type.shape)
    start[axis], strides[axis] = min(first, limit[axis]), step
    return r.op("slice", x, start=tuple(start), limit=tuple(limit), strides=tuple(strides))


def _cut(r: _Writer, x: Atom, axis: int, size: int) -> Atom:
    limit = (*x.type.shape[:axis], size, *x.type.shape[axis + 1 :])
    return r.op("slice", x, start=(0,) * x.type.rank, limit=limit, strides=(1,) * x.type.rank)


def _by_step(item: tuple[int, int]) -> tuple[int, int]:
    return item[0], -item[1]


def _side_by_side(r: _Writer, x: Atom, padding: Sequence[tuple[int, int, int]]) -> Atom:
    """x padded, with the batch or the features, whichever are nearer to each other, innermost in memory; one of them as it is."""
    steps = r.strides(x)
    last = x.type.rank - 1
    inner = 1 if steps[1] < steps[last] else last
    if not steps[1] or not steps[last]:
        inner = min(range(x.type.rank), key=lambda a: steps[a] or math.inf)
    order = sorted(range(x.type.rank), key=lambda a: (1 if a == inner else -steps[a] or -math.inf, a))
    padded = any(p != (0, 0, 0) for p in padding)
    if not padded and steps[inner] <= 1:
        return x
    turned: Atom = r.transposed(x, order)
    if padded:
        zero = Literal(x.type.dtype.numpy.type(0), x.type.dtype)
        turned = r.op("pad", turned, zero, padding=tuple(padding[a] for a in order))
    alone = turned.type.shape[0] == 1 and order[0] == 0  # one group is no axis of what is in memory: it would be copied without it
    held: Atom = r.op("in_memory", r.reshaped(turned, turned.type.shape[alone:]))
    held = r.reshaped(held, turned.type.shape)
    return r.transposed(held, [order.index(a) for a in range(x.type.rank)])


# -- windows put together again


@_WRITTEN.of(fold)
def _fold(r: _Writer, inputs: Sequence[Atom], shape: Any, **of: Any) -> Atom:
    (x,) = inputs
    rank, sizes = len(shape), of["sizes"]

    def at(place: _Place, move: _Move) -> Atom:
        start = [0] * rank + [k or 0 for k in place]
        limit = [*x.type.shape[:rank], *[n if k is None else k + 1 for k, n in zip(place, sizes, strict=True)]]
        return move(r.op("slice", x, start=tuple(start), limit=tuple(limit), strides=(1,) * 2 * rank), 0)

    return _folded(r, at, shape, **of)


_Place = Sequence["int | None"]
"""A place in the windows; None stands for all along an axis."""
_Move = Callable[[Atom, int], Atom]


def _folded(r: _Writer, at: Callable[[_Place, _Move], Atom], shape: Any, sizes: Any, strides: Any, dilation: Any) -> Atom:
    """The sum of what windows have at each place, moved to where the place is in the array.

    `at(place, move)` makes one term from what `move` brings there: [place of the window along each axis, place in it], of the given
    places alone, with a number where no window is. Along axes on which windows do not overlap all are brought at once, for
    they lie one behind the other.
    """
    apart = [s >= span(n, d) for n, s, d in zip(sizes, strides, dilation, strict=True)]
    terms: list[Atom] = []
    for place in itertools.product(*[[None] if a else range(n) for a, n in zip(apart, sizes, strict=True)]):

        def move(x: Atom, number: int, place: _Place = place) -> Atom:
            return _moved(r, x, number, place, shape, sizes, strides, dilation)

        terms.append(at(place, move))
    while len(terms) > 1:  # by a tree, so that the sum is as accurate as others
        terms = [r.op("add", *terms[n : n + 2]) if n + 1 < len(terms) else terms[n] for n in range(0, len(terms), 2)]
    return terms[0]


def _moved(r: _Writer, x: Atom, number: int, place: _Place, shape: Any, sizes: Any, strides: Any, dilation: Any) -> Atom:
    rank, inside = len(shape), []
    for k, n, s, d in zip(place, sizes, strides, dilation, strict=True):
        inside.append((0, 0, 0) if k is not None else (0, s - span(n, d), d - 1))
    x = _padded(r, x, number, [*[(0, 0, 0)] * rank, *inside])
    x = r.transposed(x, [a for pair in zip(range(rank), range(rank, 2 * rank), strict=True) for a in pair])
    joined = tuple(x.type.shape[2 * a] * x.type.shape[2 * a + 1] for a in range(rank))
    around = []
    for k, n, whole, s, d in zip(place, joined, shape, strides, dilation, strict=True):
        low, between = (0, 0) if k is None else (k * d, s - 1)
        reach = n + max(n - 1, 0) * between
        around.append((low, whole - low - reach, between))
    return _padded(r, r.reshaped(x, joined), number, around)


def _padded(r: _Writer, x: Atom, number: int, padding: Sequence[tuple[int, int, int]]) -> Atom:
    if all(p == (0, 0, 0) for p in padding):
        return x
    return r.op("pad", x, _number(x, number), padding=tuple(padding))


def _number(x: Atom, value: int) -> Literal:
    return Literal(x.type.dtype.numpy.type(value), x.type.dtype)


# -- largest and smallest elements


def _elements(r: _Writer, x: Atom, sizes: Any, strides: Any, dilation: Any) -> list[Atom]:
    """For each place in the windows the elements of all windows there."""
    counts = [(n - span(k, d)) // s + 1 for n, k, s, d in zip(x.type.shape, sizes, strides, dilation, strict=True)]
    found: list[Atom] = []
    for place in itertools.product(*map(range, sizes)):
        start = tuple(k * d for k, d in zip(place, dilation, strict=True))
        limit = tuple(a + (n - 1) * s + 1 for a, n, s in zip(start, counts, strides, strict=True))
        found.append(r.op("slice", x, start=start, limit=limit, strides=strides))
    return found


def _few(x: Atom, sizes: Any, strides: Any, dilation: Any) -> bool:
    """Whether windows are small, and there are any."""
    fit = all(n >= span(k, d) for n, k, d in zip(x.type.shape, sizes, dilation, strict=True))
    return fit and math.prod(sizes) <= MOST_WRITTEN_OUT


def _in_rows(r: _Writer, x: Atom, **of: Any) -> Atom:
    """[*places, element of the window]."""
    seen = r.op("windows", x, **of)
    return r.reshaped(seen, (*seen.type.shape[: x.type.rank], math.prod(of["sizes"])))


def _extreme(name: str) -> Rule:
    def rule(r: _Writer, inputs: Sequence[Atom], **of: Any) -> Atom:
        (x,) = inputs
        if not _few(x, **of):
            seen = r.op("windows", x, **of)
            return r.op(f"reduce_{name}", seen, axes=tuple(range(x.type.rank, 2 * x.type.rank)))
        best, *others = _elements(r, x, **of)
        for other in others:
            best = r.op(name, best, other)
        return best

    return rule


_WRITTEN[reduce_window_max], _WRITTEN[reduce_window_min] = _extreme("max"), _extreme("min")


@_WRITTEN.of(window_place)
def _place(r: _Writer, inputs: Sequence[Atom], largest: bool, **of: Any) -> Atom:
    (x,) = inputs
    if not _few(x, **of):
        rows = _in_rows(r, x, **of)
        return r.op("argmax" if largest else "argmin", rows, axis=x.type.rank, dtype=I32)
    best, *others = _elements(r, x, **of)
    at: Atom = r.op("broadcast", Literal(I32.numpy.type(0), I32), shape=best.type.shape, dims=())
    for k, other in enumerate(others, 1):
        better: Atom = r.op("gt" if largest else "lt", other, best)
        if best.type.dtype.is_inexact:  # the first NaN stays, and wins over numbers
            either = r.op("or", better, r.op("ne", other, other))
            better = r.op("and", either, r.op("eq", best, best))
        best = r.op("select", better, other, best)
        at = r.op("select", better, Literal(I32.numpy.type(k), I32), at)
    return at


@_WRITTEN.of(window_take)
def _take(r: _Writer, inputs: Sequence[Atom], **of: Any) -> Atom:
    x, found = inputs
    if not _few(x, **of):
        rows = _in_rows(r, x, **of)
        rank = x.type.rank
        number = r.op("iota", shape=rows.type.shape, axis=rank, dtype=I32)
        there = r.op("eq", number, r.op("broadcast", found, shape=rows.type.shape, dims=tuple(range(rank))))
        return r.op("reduce_sum", r.op("select", there, rows, _number(x, 0)), axes=(rank,))
    out, *others = _elements(r, x, **of)
    for k, other in enumerate(others, 1):
        out = r.op("select", r.op("eq", found, Literal(I32.numpy.type(k), I32)), other, out)
    return out


@_WRITTEN.of(window_put)
def _put(r: _Writer, inputs: Sequence[Atom], shape: Any, **of: Any) -> Atom:
    """Where each place and element are brought is compared there, so that nothing of the size of all windows is made."""
    x, found = inputs
    rank, sizes = len(shape), of["sizes"]

    def at(place: _Place, move: _Move) -> Atom:
        whole = (*x.type.shape, *[n if k is None else 1 for k, n in zip(place, sizes, strict=True)])
        number, step = 0, math.prod(sizes)
        looked_for: Atom | None = None
        for axis, (k, n) in enumerate(zip(place, sizes, strict=True)):  # counted row by row
            step //= n
            if k is not None:
                number += k * step
            elif n > 1:
                here = move(r.op("iota", shape=whole, axis=rank + axis, dtype=I32), 0)
                scaled = here if step == 1 else r.op("mul", here, Literal(I32.numpy.type(step), I32))
                looked_for = scaled if looked_for is None else r.op("add", looked_for, scaled)
        known = Literal(I32.numpy.type(number), I32)
        looked_for = known if looked_for is None else r.op("add", looked_for, known) if number else looked_for
        dims = tuple(range(rank))
        there = move(r.op("broadcast", found, shape=whole, dims=dims), -1)
        element = move(r.op("broadcast", x, shape=whole, dims=dims), 0)
        return r.op("select", r.op("eq", there, looked_for), element, _number(x, 0))

    return _folded(r, at, shape, **of)
