"""Convolutions written as contractions of the array's windows with the kernel; those of many small groups as products of arrays.

The windows are an index map and take no memory; what they look into does: the array padded, in an order in which the features (or
what takes their place in a derivative) lie side by side. It is made once for all convolutions of an array. Rows and depth of the
contraction go in the order of memory.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

from ..ir.graph import Atom, Literal, Var
from ..ops.arithmetic import convert_element_type
from ..ops.convolution import convolve, of_space, whole_padding
from ..ops.windows import span
from .planes import by_planes
from .window_writer import MOST_WRITTEN_OUT, WRITTEN, Writer, cut, every, joined, like, padded, part, row_major, shrunk
from .winograd import Tiling, tiling

MOST_RESULTS = 4
"""Results of a group that are computed one by one."""
FEW_RESULTS = 16
"""Results so few that a vector has those of several phases of a dilated array."""


@WRITTEN.of(convolve)
def _convolve(r: Writer, inputs: Sequence[Atom], strides: Any, padding: Any, x_dilation: Any, w_dilation: Any) -> Atom:
    x, w = inputs
    rank = len(strides)
    if not x.type.size * w.type.size:
        how = {"strides": strides, "padding": padding, "x_dilation": x_dilation, "w_dilation": w_dilation}
        (made,) = convolve.types([x.type, w.type], how)
        return r.op("broadcast", Literal(x.type.dtype.numpy.type(0), x.type.dtype), shape=made.shape, dims=())
    for axis, (s, d, e) in enumerate(zip(strides, x_dilation, w_dilation, strict=True)):
        if d > 1 and s == e == 1:
            x, padding = _padded_for_phases(r, x, w, padding, x_dilation, strides=strides, w_dilation=w_dilation)
            return _in_phases(r, x, w, axis, padding, x_dilation, strides=strides, w_dilation=w_dilation)
    padding = _seen(x, w, strides, padding, x_dilation, w_dilation)
    by_features = by_planes(r, x, w, strides=strides, padding=padding, x_dilation=x_dilation, w_dilation=w_dilation)
    if by_features is not None:
        return by_features
    tiled = tiling(x, w, strides, padding, x_dilation, w_dilation) if r.tiled else None
    if tiled and (found := _in_tiles(r, x, w, tiled)):
        return found
    x = _side_by_side(r, x, whole_padding(padding, x_dilation))
    if x.type.shape[0] > 1 and w.type.shape[-1] <= MOST_RESULTS:
        found = _by_groups(r, x, w, strides, w_dilation)
        if found is not None:
            return found
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
    places = seen.type.shape[first : first + rank + 1]
    narrower = math.prod(places) == x.type.shape[1] > w.type.shape[-1]  # without windows that is the better right operand
    if _nearest(rows) < _nearest(depth) and not narrower:
        # what lies side by side is a row of the right operand, in which vectors begin at multiples
        out: Atom = r.op("dot_general", w, seen, dims=((in_kernel, in_seen), batch))
        order = [first + 1 + by_row.index(a) for a in range(1, rank + 2)] + [first]
    else:
        out = r.op("dot_general", seen, w, dims=((in_seen, in_kernel), batch))
        order = [first + by_row.index(a) for a in range(1, rank + 2)] + [first + rank + 1]
    out = r.transposed(out, [*range(first), *order])
    return r.reshaped(out, (groups, *out.type.shape[first:]))


def _seen(x: Atom, w: Atom, strides: Any, padding: Any, x_dilation: Any, w_dilation: Any) -> list[tuple[int, int]]:
    """The padding without what no window sees, so that the array is padded alike for the cotangent of the kernel."""
    sizes = zip(padding, x.type.shape[2:-1], w.type.shape[1:-2], strides, x_dilation, w_dilation, strict=True)
    found = []
    for (low, high), n, k, s, of_x, of_w in sizes:
        unseen = max(low + high + span(n, of_x) - span(k, of_w), 0) % s
        found.append((low, high - min(max(high, 0), unseen)))
    return found


def _in_tiles(r: Writer, x: Atom, w: Atom, how: Tiling) -> Atom | None:
    """A convolution in tiles; None where the features of the array do not lie side by side."""
    rank = x.type.rank
    held = _side_by_side(r, x, whole_padding(how.padding, (1, 1)))
    images = (0, 4, 2, 3, 1) if how.of_kernel else tuple(range(rank))
    x = r.transposed(held, images)
    if r.strides(x) != row_major(x.type.shape):
        return None
    x = r.reshaped(x, x.type.shape[1:])
    w = r.reshaped(w, w.type.shape[1:])
    if how.of_kernel:
        ct = r.transposed(w, (2, 0, 1, 3))
        ct = padded(r, ct, 0, [(0, 0, 0), *[(0, n, 0) for n in how.beyond], (0, 0, 0)])
        out: Atom = r.transposed(r.op("tiled_kernel", x, ct), (2, 0, 1, 3))
    else:
        out = r.op("tiled_convolve", x, w)
        for axis, n in enumerate(how.beyond, 1):
            out = cut(r, out, axis, out.type.shape[axis] - n) if n else out
    return r.reshaped(out, (1, *out.type.shape))


def _by_groups(r: Writer, x: Atom, w: Atom, strides: Any, w_dilation: Any) -> Atom | None:
    """A convolution of many groups with few products each, the array padded: each product is one of whole arrays, in the order of
    memory. Where windows are small products are added up, and where there are few windows, as in the cotangent of the kernel, each
    is summed; None where neither is so.
    """
    groups, images, *space, features = x.type.shape
    sizes, results = w.type.shape[1:-2], w.type.shape[-1]
    places = [(n - span(k, d)) // s + 1 for n, k, s, d in zip(space, sizes, strides, w_dilation, strict=True)]
    small, few = math.prod(sizes) * features <= MOST_WRITTEN_OUT, images * math.prod(places) <= MOST_WRITTEN_OUT
    if not (small or few) or 0 in (*w.type.shape, *places, images):
        return None
    if results > 1:
        parts = [_by_groups(r, x, part(r, w, w.type.rank - 1, n, 1), strides, w_dilation) for n in range(results)]
        return r.op("concatenate", *[p for p in parts if p is not None], axis=x.type.rank - 1)
    steps = r.strides(x)
    order = sorted(range(x.type.rank), key=lambda a: (-steps[a], a))
    x = r.transposed(x, order)
    shape = (groups, images, *places, 1)

    def seen(start: Sequence[int], counts: Sequence[int], apart: Sequence[int]) -> Atom:
        """Elements of the array in the order of memory, of given ones along the axes but that of groups."""
        starts, steps = (0, *start), (1, *apart)
        limit = [a + (n - 1) * s + 1 for a, n, s in zip(starts, (groups, *counts), steps, strict=True)]
        of = {"start": starts, "limit": limit, "strides": steps}
        return r.op("slice", x, **{name: tuple(numbers[a] for a in order) for name, numbers in of.items()})

    terms: list[Atom] = []
    if small:
        for *place, feature in itertools.product(*map(range, (*sizes, features))):
            start = (0, *[k * d for k, d in zip(place, w_dilation, strict=True)], feature)
            factor = r.op("slice", w, start=(0, *place, feature, 0), limit=(groups, *[k + 1 for k in place], feature + 1, 1),
                          strides=(1,) * w.type.rank)  # fmt: skip
            here = seen(start, shape[1:], (1, *strides, 1))
            whole = r.op("broadcast", r.reshaped(factor, (groups,)), shape=here.type.shape, dims=(order.index(0),))
            terms.append(r.op("mul", here, whole))
        return r.transposed(joined(r, "add", terms), [order.index(a) for a in range(x.type.rank)])
    kernel = r.transposed(r.reshaped(w, (groups, 1, *sizes, features)), order)
    for image, *place in itertools.product(*map(range, (images, *places))):
        start = (image, *[k * s for k, s in zip(place, strides, strict=True)], 0)
        product = r.op("mul", seen(start, (1, *sizes, features), (1, *w_dilation, 1)), kernel)
        total = r.op("reduce_sum", product, axes=tuple(n for n, a in enumerate(order) if a))
        terms.append(r.reshaped(total, (groups, 1)))
    return r.reshaped(r.op("concatenate", *terms, axis=1), shape)


def _nearest(axes: Sequence[tuple[int, int]]) -> float:
    """How near the nearest elements along any of the axes are."""
    return min((step for step, _ in axes if step), default=math.inf)


def _in_phases(r: Writer, x: Atom, w: Atom, axis: int, padding: Any, x_dilation: Any, **of: Any) -> Atom:
    """A convolution of an array that is dilated along an axis: of the array itself with every d-th element of the kernel, for each
    of d phases of the result. The gradient of a convolution with strides is one; most of its products would be with zeros.
    """
    (out,) = convolve.types([x.type, w.type], dict(padding=padding, x_dilation=x_dilation, **of))
    d, n, results = x_dilation[axis], x.type.shape[axis + 2], out.shape[axis + 2]
    count, firsts, befores = _phases(padding[axis][0], d, results)
    kernels = [every(r, w, axis + 1, first, d) for first in firsts]

    def convolved(kernel: Atom, before: int) -> Atom:
        around = (before, count + kernel.type.shape[axis + 1] - 1 - before - n)
        within = [(*p[:axis], v, *p[axis + 1 :]) for p, v in ((padding, around), (x_dilation, 1))]
        return _convolve(r, [x, kernel], padding=within[0], x_dilation=within[1], **of)

    phases: list[Atom] = []
    if out.shape[0] == 1 and d * out.shape[-1] <= FEW_RESULTS:
        both = convolved(*_side_by_side_phases(r, kernels, befores, axis + 1))
        size = out.shape[-1]
        phases = [part(r, both, both.type.rank - 1, phase * size, size) for phase in range(d)]
    else:
        for kernel, before in zip(kernels, befores, strict=True):
            if kernel.type.shape[axis + 1]:
                phases.append(convolved(kernel, before))
            else:
                shape = (*out.shape[: axis + 2], count, *out.shape[axis + 3 :])
                phases.append(r.op("broadcast", like(x, 0), shape=shape, dims=()))
    steps = max((r.strides(p) for p in phases), key=lambda s: s != row_major(out.shape))
    order = sorted(range(out.rank), key=lambda a: (-steps[a], a))  # joined in the order of memory
    at = order.index(axis + 2) + 1
    apart = [r.transposed(p, order) for p in phases]
    apart = [r.reshaped(p, (*p.type.shape[:at], 1, *p.type.shape[at:])) for p in apart]
    joined = r.op("concatenate", *apart, axis=at)
    whole = r.reshaped(joined, (*joined.type.shape[: at - 1], count * d, *joined.type.shape[at + 1 :]))
    return r.transposed(cut(r, whole, at - 1, results), [order.index(a) for a in range(out.rank)])


def _phases(low: int, d: int, results: int) -> tuple[int, list[int], list[int]]:
    """How many results each of d phases has, where the kernel's elements begin for it, and how far before the array its windows."""
    firsts = [(low - phase) % d for phase in range(d)]
    return -(-results // d), firsts, [(low - phase - first) // d for phase, first in enumerate(firsts)]


def _padded_for_phases(r: Writer, x: Atom, w: Atom, padding: Any, x_dilation: Any, **of: Any) -> tuple[Atom, Any]:
    """The array padded once for what all phases see, each a part of it, and the padding that is left."""
    (out,) = convolve.types([x.type, w.type], dict(padding=padding, x_dilation=x_dilation, **of))
    around: list[tuple[int, int]] = []
    space = zip(x_dilation, x.type.shape[2:-1], w.type.shape[1:-2], out.shape[2:-1], strict=True)
    for axis, (d, n, size, results) in enumerate(space):
        if d == 1 or of["strides"][axis] != 1 or of["w_dilation"][axis] != 1:
            around.append((0, 0))
            continue
        count, firsts, befores = _phases(padding[axis][0], d, results)
        behind = [count + -(-(size - first) // d) - 1 - before - n for first, before in zip(firsts, befores, strict=True)]
        around.append((max(0, *befores), max(0, *behind)))
    if not any(map(any, around)):
        return x, padding
    held = _side_by_side(r, x, whole_padding(tuple(around), (1,) * len(around)))
    return held, [(low - a * d, high - b * d) for (low, high), (a, b), d in zip(padding, around, x_dilation, strict=True)]


def _side_by_side_phases(r: Writer, kernels: Sequence[Atom], befores: Sequence[int], axis: int) -> tuple[Atom, int]:
    """One kernel whose results are those of all phases, and how far before the array its window begins: where results are few, a
    vector has them all.
    """
    before = max(befores)
    length = max(before - b + k.type.shape[axis] for k, b in zip(kernels, befores, strict=True))
    whole = []
    for kernel, own in zip(kernels, befores, strict=True):
        around = [(0, 0, 0)] * kernel.type.rank
        around[axis] = (before - own, length - (before - own) - kernel.type.shape[axis], 0)
        whole.append(padded(r, kernel, 0, around))
    return r.op("concatenate", *whole, axis=whole[0].type.rank - 1), before


def _by_step(item: tuple[int, int]) -> tuple[int, int]:
    return item[0], -item[1]


def _is_held(r: Writer, x: Atom) -> bool:
    """Whether an array was put in memory for convolutions, which may look into a part of it. Of another a part is copied: the whole
    need not be kept then.
    """
    e = r.made_by.get(x) if isinstance(x, Var) else None
    while e is not None and e.op.name in ("transpose", "reshape", "slice", "convert_element_type"):
        e = r.made_by.get(e.inputs[0]) if isinstance(e.inputs[0], Var) else None
    return e is not None and e.op.name == "in_memory"


def _side_by_side(r: Writer, x: Atom, padding: Sequence[tuple[int, int, int]]) -> Atom:
    """x padded, with the batch or the features, whichever are nearer to each other, innermost in memory; one of them as it is. What
    was widened lies there as it was before, where products are of 16-bit numbers.
    """
    whole, wide = x, x.type.dtype
    x = _before_widening(r, x) if r.halves else x
    steps = r.strides(x)
    last = x.type.rank - 1
    inner = 1 if steps[1] < steps[last] else last
    if not steps[1] or not steps[last]:
        inner = min(range(x.type.rank), key=lambda a: steps[a] or math.inf)
    order = sorted(range(x.type.rank), key=lambda a: (1 if a == inner else -steps[a] or -math.inf, a))
    padded = any(p != (0, 0, 0) for p in padding)
    if steps[inner] <= 1 and (not padded or _is_held(r, x) and all(max(p) <= 0 for p in padding)):
        return shrunk(r, whole, padding)
    turned: Atom = r.transposed(x, order)
    if padded:
        zero = Literal(x.type.dtype.numpy.type(0), x.type.dtype)
        turned = r.op("pad", turned, zero, padding=tuple(padding[a] for a in order))
    alone = turned.type.shape[0] == 1 and order[0] == 0  # one group is no axis of what is in memory: it would be copied without it
    held: Atom = r.op("in_memory", r.reshaped(turned, turned.type.shape[alone:]))
    if x.type.dtype != wide:
        held = r.op("convert_element_type", held, dtype=wide)
    held = r.reshaped(held, turned.type.shape)
    return r.transposed(held, [order.index(a) for a in range(x.type.rank)])


def _before_widening(r: Writer, x: Atom) -> Atom:
    """What float32 numbers were converted from, where they were stored as less; turned as they are."""
    e = r.made_by.get(x) if isinstance(x, Var) else None
    if e is None:
        return x
    inner = e.inputs[0]
    if e.op is convert_element_type:
        return inner if inner.type.dtype.is_storage else x
    if e.op.name not in ("transpose", "reshape"):
        return x
    narrow = _before_widening(r, inner)
    return x if narrow is inner else r.op(e.op.name, narrow, **e.params)
