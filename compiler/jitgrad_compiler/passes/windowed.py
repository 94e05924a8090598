"""Convolutions and windows written as contractions, slices and pads, which are what kernels are made of: pools and folds here,
convolutions in convolutions.py.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

from ..ir.graph import Atom, Eqn, Graph, Literal, Var
from ..ir.types import I32
from ..ops.windows import fold, reduce_window_max, reduce_window_min, span, window_place, window_put, window_take, windows
from . import convolutions  # noqa: F401  (its rule)
from .window_writer import MOST_WRITTEN_OUT, WRITTEN, Rule, Writer, joined, like, padded


def write_out_windows(graph: Graph, tiled: bool = True, halves: bool = False) -> Graph:
    """`tiled`: whether convolutions may go tile by tile (winograd.py), for which the target has a kernel. `halves`: whether arrays
    of 16 bits lie in memory as such, as the target multiplies them so.
    """
    if not any(e.op in WRITTEN or e.op is windows for e in graph.eqns):
        return graph
    r = _Windows(graph, tiled, halves)
    done = {id(cut) for cut in r.cuts.values()}
    for e in graph.eqns:
        if id(e) in done:
            continue
        inputs = [r.read(a) for a in e.inputs]
        rule = WRITTEN.get(e.op)
        r.eqn, r.source = e, e.source
        out = _reduced(r, e, inputs) if rule is None else rule(r, inputs, **e.params)
        if out is None:
            r.keep(e, inputs)
            continue
        cut = r.cuts.get(e.outputs[0])
        r.atoms[e.outputs[0] if cut is None else cut.outputs[0]] = out
    return r.finish()


class _Windows(Writer):
    """A Writer that knows what a graph does with windows."""

    def __init__(self, graph: Graph, tiled: bool, halves: bool) -> None:
        super().__init__(graph)
        self.tiled, self.halves = tiled, halves
        self.eqn = graph.eqns[0]
        """The equation that is being written."""
        self.cuts = _cuts(graph)
        self.placed = {_windows_of(e, e.params["largest"]) for e in graph.eqns if e.op is window_place}
        self.firsts: dict[Any, tuple[Atom, Atom]] = {}
        """Of windows the first largest (or smallest) elements, and their places."""


def _cuts(graph: Graph) -> dict[Var, Eqn]:
    """Of what windows are put back into the slices that are all that is read of it: padding is never computed."""
    readers: dict[Atom, list[Eqn | None]] = {}
    for e in graph.eqns:
        for a in e.inputs:
            readers.setdefault(a, []).append(e)
    for a in graph.outputs:
        readers.setdefault(a, []).append(None)
    cuts = {}
    for e in graph.eqns:
        if e.op is fold or e.op is window_put:
            match readers.get(e.outputs[0]):
                case [Eqn() as only] if only.op.name == "slice" and set(only.params["strides"]) <= {1}:
                    cuts[e.outputs[0]] = only
    return cuts


def _windows_of(e: Eqn, largest: bool) -> Any:
    """What is looked for in which windows."""
    return e.inputs[0], largest, *[e.params[k] for k in ("sizes", "strides", "dilation")]


# -- windows put together again


@WRITTEN.of(fold)
def _fold(r: _Windows, inputs: Sequence[Atom], shape: Any, **of: Any) -> Atom:
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


def _folded(r: _Windows, at: Callable[[_Place, _Move], Atom], shape: Any, sizes: Any, strides: Any, dilation: Any) -> Atom:
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
    return joined(r, "add", terms)


def _moved(r: _Windows, x: Atom, number: int, place: _Place, shape: Any, sizes: Any, strides: Any, dilation: Any) -> Atom:
    rank, inside = len(shape), []
    cut = r.cuts.get(r.eqn.outputs[0])
    starts, limits = ((0,) * rank, shape) if cut is None else (cut.params["start"], cut.params["limit"])
    for k, n, s, d in zip(place, sizes, strides, dilation, strict=True):
        inside.append((0, 0, 0) if k is not None else (0, s - span(n, d), d - 1))
    x = padded(r, x, number, [*[(0, 0, 0)] * rank, *inside])
    x = r.transposed(x, [a for pair in zip(range(rank), range(rank, 2 * rank), strict=True) for a in pair])
    merged = tuple(x.type.shape[2 * a] * x.type.shape[2 * a + 1] for a in range(rank))
    around = []
    for k, n, start, limit, s, d in zip(place, merged, starts, limits, strides, dilation, strict=True):
        low, between = (0, 0) if k is None else (k * d, s - 1)
        reach = n + max(n - 1, 0) * between
        around.append((low - start, limit - low - reach, between))
    return padded(r, r.reshaped(x, merged), number, around)


# -- sums and products


def _reduced(r: _Windows, e: Eqn, inputs: Sequence[Atom]) -> Atom | None:
    """A reduction of small windows, element by element; None of anything else."""
    seen = r.made_by.get(inputs[0]) if e.op.kind == "reduce" and isinstance(inputs[0], Var) else None
    if seen is None or seen.op is not windows:
        return None
    (source,), rank = seen.inputs, seen.inputs[0].type.rank
    whole = e.params["axes"] == tuple(range(rank, 2 * rank)) and e.outputs[0].type.dtype == source.type.dtype
    if not whole or not _few(source, **seen.params):
        return None
    assert e.op.traits.combine is not None
    return joined(r, e.op.traits.combine, _elements(r, source, **seen.params))


# -- largest and smallest elements


def _elements(r: _Windows, x: Atom, sizes: Any, strides: Any, dilation: Any) -> list[Atom]:
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


def _in_rows(r: _Windows, x: Atom, **of: Any) -> Atom:
    """[*places, element of the window]."""
    seen = r.op("windows", x, **of)
    return r.reshaped(seen, (*seen.type.shape[: x.type.rank], math.prod(of["sizes"])))


def _extreme(name: str) -> Rule:
    def rule(r: _Windows, inputs: Sequence[Atom], **of: Any) -> Atom:
        (x,) = inputs
        if not _few(x, **of):
            seen = r.op("windows", x, **of)
            return r.op(f"reduce_{name}", seen, axes=tuple(range(x.type.rank, 2 * x.type.rank)))
        if _windows_of(r.eqn, name == "max") in r.placed:  # then both in one kernel
            return _first(r, x, name == "max", **of)[0]
        best, *others = _elements(r, x, **of)
        for other in others:
            best = r.op(name, best, other)
        return best

    return rule


WRITTEN[reduce_window_max], WRITTEN[reduce_window_min] = _extreme("max"), _extreme("min")


def _first(r: _Windows, x: Atom, largest: bool, **of: Any) -> tuple[Atom, Atom]:
    """The first largest (or smallest) element of each window, and its place there."""
    key = (x, largest, *sorted(of.items()))
    if key in r.firsts:
        return r.firsts[key]
    best, *others = _elements(r, x, **of)
    at: Atom = r.op("broadcast", Literal(I32.numpy.type(0), I32), shape=best.type.shape, dims=())
    for k, other in enumerate(others, 1):
        better: Atom = r.op("gt" if largest else "lt", other, best)
        if best.type.dtype.is_inexact:  # the first NaN stays, and wins over numbers
            either = r.op("or", better, r.op("ne", other, other))
            better = r.op("and", either, r.op("eq", best, best))
        best = r.op("select", better, other, best)
        at = r.op("select", better, Literal(I32.numpy.type(k), I32), at)
    r.firsts[key] = best, at
    return best, at


@WRITTEN.of(window_place)
def _place(r: _Windows, inputs: Sequence[Atom], largest: bool, **of: Any) -> Atom:
    (x,) = inputs
    if not _few(x, **of):
        rows = _in_rows(r, x, **of)
        return r.op("argmax" if largest else "argmin", rows, axis=x.type.rank, dtype=I32)
    return _first(r, x, largest, **of)[1]


@WRITTEN.of(window_take)
def _take(r: _Windows, inputs: Sequence[Atom], **of: Any) -> Atom:
    x, found = inputs
    if not _few(x, **of):
        rows = _in_rows(r, x, **of)
        rank = x.type.rank
        number = r.op("iota", shape=rows.type.shape, axis=rank, dtype=I32)
        there = r.op("eq", number, r.op("broadcast", found, shape=rows.type.shape, dims=tuple(range(rank))))
        return r.op("reduce_sum", r.op("select", there, rows, like(x, 0)), axes=(rank,))
    out, *others = _elements(r, x, **of)
    for k, other in enumerate(others, 1):
        out = r.op("select", r.op("eq", found, Literal(I32.numpy.type(k), I32)), other, out)
    return out


@WRITTEN.of(window_put)
def _put(r: _Windows, inputs: Sequence[Atom], shape: Any, **of: Any) -> Atom:
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
        return r.op("select", r.op("eq", there, looked_for), element, like(x, 0))

    return _folded(r, at, shape, **of)
