"""Operations that are done one by one on a GPU, by kernels that are told sizes when they run: one launch each, with the operands as
its arguments, and nothing to compile for arrays of a new shape. targets/cuda/sized writes the kernels.

What none of these does is a program of one equation for its shapes, as executable.py has them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...ir.graph import OPS, Eqn, Graph, Var
from ...ir.types import ArrayType, TapeType
from ...kernels.tuning import Tuning
from ...ops.contraction import REDUCED, free_axes
from ...targets.cuda.contract.kernel import Extents
from ...targets.cuda.device import THREADS
from ...targets.cuda.program import device_tuning
from ...targets.cuda.sized.kernel import SizedKernel, bits, spread
from ...targets.cuda.sized.maps import emit_map
from ...targets.cuda.sized.places import Strided, row_major, strided
from ...targets.cuda.sized.products import (
    Kind,
    Lies,
    Matrices,
    divided,
    emit_product,
    matrices,
    operand_types,
)
from ...targets.cuda.sized.sums import WEIGHTED, Stage, emit_sum, split, stand_in, team_of, three_axes, weights
from .complex_products import as_real, product_over
from .devices import Device
from .memory import DeviceMemory, empty
from .moving import MOVES, moved
from .ready import Operation, Ready, launch, prepared, spelled
from .running import done_running
from .scattering import done_scatter
from .sorting import done_sort

MOST_WINDOWS = 16
"""How many times an array's elements all its windows may have that are put into memory."""


def run(device: Device, what: Operation) -> list[DeviceMemory] | None:
    """The results, which a kernel may still be writing; None where no kernel for all sizes does this."""
    if any(isinstance(t, TapeType) for t in (*what.types, *what.results)):
        return None
    do = _BY_NAME.get(what.op.name) or _BY_KIND.get(what.op.kind)
    outs = None if do is None else do(device, what)
    unfinished = device.driver.stopping.unfinished
    if outs and unfinished:
        unfinished.update(outs)
    return outs


def _map(device: Device, what: Operation) -> list[DeviceMemory] | None:
    """An elementwise op on operands of one shape, or numbers."""
    types, operands = what.types, what.operands
    words = tuple([n for n, x in enumerate(operands) if isinstance(x, np.generic)])
    shapes = {t.shape for t in (*types, *what.results) if t.shape}
    if not shapes:  # numbers there are vectors of one
        types, shapes = [t if n in words else ArrayType((1,), t.dtype) for n, t in enumerate(types)], {(1,)}
    if len(shapes) != 1:
        return None
    key: Any = what.op, *[(t.dtype, bool(t.shape)) for t in types], words, spelled(what.params), what.contracts

    def emit(name: str) -> SizedKernel | None:
        return emit_map(name, what.program([spread(t) for t in types]), words, what.contracts, device_tuning())

    try:
        ready = prepared(device, key, emit)
    except TypeError:  # params that have no hash
        return None
    if ready is None:
        return None
    outs = [empty(device, t.nbytes) for t in what.results]
    count = math.prod(next(iter(shapes)))
    pointers = [x.pointer for n, x in enumerate(operands) if n not in words]
    numbers = [word for n in words for word in bits(operands[n], types[n].dtype)]
    launch(device, ready, -(-count // ready.kernel.each), (*pointers, *[m.pointer for m in outs], *numbers, count))
    return outs


def _sum(device: Device, what: Operation) -> list[DeviceMemory] | None:
    """A reduction over neighbouring axes. A sum of complex numbers is the sums of their parts, which lie along a last axis."""
    (type,), (source,) = what.types, what.operands
    if type.dtype.is_complex and what.op.name == "reduce_prod":
        return product_over(device, what)
    axes = (what.params["axis"],) if "axis" in what.params else tuple(what.params["axes"])
    if len(what.results) != 1 or type.dtype.is_complex and what.op.name != "reduce_sum":
        return None
    count = what.results[0].size
    if type.dtype.is_complex:
        type, count = ArrayType((*type.shape, 2), type.dtype.real), 2 * count
    shape, sizes = type.shape, three_axes(type.shape, axes)
    if sizes is None:  # the axes to be summed go behind the others
        order = [n for n in range(len(shape)) if n not in axes] + list(axes)
        turned = Strided(tuple(shape[n] for n in order), tuple(row_major(shape)[n] for n in order)).merged()
        laid, sizes = moved(device, source, turned, type), (count, math.prod(shape[n] for n in axes), 1)
        if laid is None:
            return None
        source = laid
    if sizes[0] * sizes[2] != count:
        return None
    others = {k: p for k, p in what.params.items() if k not in ("axis", "axes")}
    middle = {"axis": 1} if "axis" in what.params else {"axes": (1,)}
    key = what.op, type.dtype, spelled(others), what.contracts

    def graph() -> Graph:
        return what.program([stand_in(type.dtype)], **middle)

    return _summed(device, what, key, graph, [source], sizes, "axis" not in what.params, ())


def _over_windows(device: Device, what: Operation) -> list[DeviceMemory] | None:
    """The largest or smallest element of each window, or which it is: of all windows, which are put side by side."""
    (type,), (result,), params = what.types, what.results, what.params
    if not result.size:
        return [empty(device, 0)]
    sizes = params["sizes"]
    windows = ArrayType((*result.shape, *sizes), type.dtype)
    if 0 in sizes or windows.size > MOST_WINDOWS * type.size:
        return None
    laid = moved(device, what.operands[0], strided("windows", params, type.shape, windows.shape), windows)
    if laid is None:
        return None
    rows, over = ArrayType((*result.shape, math.prod(sizes)), type.dtype), type.rank
    if "largest" in params:
        op, others = OPS["argmax" if params["largest"] else "argmin"], {"axis": over, "dtype": result.dtype}
    else:
        op, others = OPS[f"reduce_{what.op.traits.combine}"], {"axes": (over,)}

    def program(types: Sequence[Any], **middle: Any) -> Graph:
        (x,), more = [Var(t) for t in types], {**others, **middle}
        out = Var(*op.types(types, more))
        return Graph([x], [Eqn(op, [x], more, [out])], [out])

    return _sum(device, what._replace(op=op, params=others, types=[rows], operands=[laid], program=program))


def _summed(
    device: Device,
    what: Operation,
    key: Any,
    graph: Callable[[], Graph],
    sources: Sequence[DeviceMemory],
    sizes: tuple[int, int, int],
    cut: bool,
    group: tuple[int, ...],
) -> list[DeviceMemory] | None:
    """Sums over the middle of three axes; `cut`: whether shares of one may be summed apart. `group`: of weighted sums."""
    (outer, length, inner), tuning = sizes, device_tuning()
    results, way = outer * inner, split(*sizes, cut, tuning.gpu)

    def stage(stage: Stage) -> Ready | None:
        return prepared(device, (key, stage), lambda name: emit_sum(name, graph(), stage, what.contracts, tuning))

    first = stage(Stage(way.team, False, way.shares > 1))
    if first is None:
        return None
    out, pointers = empty(device, what.results[0].nbytes), [m.pointer for m in sources]
    if way.shares == 1:
        launch(device, first, results * way.team, (*pointers, out.pointer, results, length, inner, 1, max(length, 1), *group))
        return [out]
    second = stage(Stage(team_of(way.shares, inner, tuning.gpu), True, False))
    assert second is not None
    units = results * way.shares
    shares = empty(device, units * first.kernel.result_bytes)
    launch(device, first, units * way.team, (*pointers, shares.pointer, units, length, inner, way.shares, way.size, *group))
    last = (shares.pointer, *pointers[1:], out.pointer, results, way.shares, inner, 1, way.shares, *group)
    launch(device, second, results * team_of(way.shares, inner, tuning.gpu), last)
    return [out]


def _product(device: Device, what: Operation) -> list[DeviceMemory] | None:
    """A product of matrices of floats or complex numbers, or of a matrix and a vector."""
    (cx, cy), (bx, by) = what.params["dims"]
    dtype = what.types[0].dtype
    if any(isinstance(x, np.generic) for x in what.operands):
        return None
    if not what.results[0].size:
        return [empty(device, 0)]
    if dtype.is_complex:
        real = as_real(device, what)
        return None if real is None else _product(device, real)
    axes = [(b, free_axes(t.rank, c, b), c) for t, c, b in zip(what.types, (cx, cy), (bx, by), strict=True)]
    laid = [_laid(device, x, t, a) for x, t, a in zip(what.operands, what.types, axes, strict=True)]
    if None in laid:
        return None
    (x, left), (y, right) = laid  # type: ignore[misc]
    if left.depth == 0 or 1 in (left.side, right.side):
        return _weighted_sum(device, what, *((x, left, y, right) if right.side == 1 else (y, right, x, left)))
    tuning, n = device_tuning(capability=device.info.capability), Extents(left.batch, left.side, right.side, left.depth)
    reduced = what.params.get("precision") == REDUCED
    kind, cut = divided(dtype, reduced, n, Lies(left.along_depth, left.whole), Lies(right.along_depth, right.whole), tuning.gpu)

    def part(of_sums: bool) -> Ready | None:
        return prepared(
            device, ("product", kind, of_sums, what.contracts), lambda name: _written(name, what, kind, of_sums, tuning)
        )

    first = part(False)
    if first is None:
        return None
    out = empty(device, what.results[0].nbytes)
    words = (
        *n, cut.shares, cut.share, left.batch_apart, left.line_apart, right.batch_apart, right.line_apart,
    )  # fmt: skip
    threads = n.tiles(cut.rows, cut.columns) * cut.shares * THREADS
    if not kind.split:
        launch(device, first, threads, (x.pointer, y.pointer, out.pointer, *words))
        return [out]
    second = part(True)
    assert second is not None
    results = what.results[0].size
    sums = empty(device, cut.shares * results * max(dtype.nbytes, 4))
    launch(device, first, threads, (x.pointer, y.pointer, sums.pointer, *words))
    launch(device, second, results, (sums.pointer, out.pointer, *words))
    return [out]


def _written(name: str, what: Operation, kind: Kind, of_sums: bool, tuning: Tuning) -> SizedKernel | None:
    types, params = operand_types(kind)
    return emit_product(name, what.program(types, **params), kind, of_sums, what.contracts, tuning)


def _laid(device: Device, source: DeviceMemory, type: ArrayType, axes: Any) -> tuple[DeviceMemory, Matrices] | None:
    """An operand as matrices: where it lies or, where that is not possible, copied."""
    found = matrices(type.shape, *axes)
    if found is not None:
        return source, found
    order = [*axes[0], *axes[1], *axes[2]]
    shape, steps = [type.shape[a] for a in order], row_major(type.shape)
    out = moved(device, source, Strided(tuple(shape), tuple(steps[a] for a in order)).merged(), type)
    kinds, places = [len(a) for a in axes], iter(range(type.rank))
    found = matrices(shape, *[[next(places) for _ in range(n)] for n in kinds])
    return None if out is None or found is None else (out, found)


def _weighted_sum(
    device: Device, what: Operation, source: DeviceMemory, of: Matrices, other: DeviceMemory, weight: Matrices
) -> list[DeviceMemory] | None:
    """The product of matrices with a vector each; of no depth, zeros."""
    dtype, results = what.types[0].dtype, what.results[0].size
    if of.depth == 0:
        sizes, group = (results, 0, 1), 1
    else:
        dense = [_dense(device, m, lies, dtype) for m, lies in ((source, of), (other, weight))]
        if None in dense:
            return None
        (source, of), (other, weight) = dense  # type: ignore[misc]
        sizes, group = ((of.batch * of.side, of.depth, 1), of.side) if of.along_depth else ((of.batch, of.depth, of.side), 1)

    def graph() -> Graph:
        return what.program([stand_in(dtype), weights(dtype)], **WEIGHTED)

    key = what.op, dtype, what.contracts
    return _summed(device, what, key, graph, [source, other], sizes, True, (group,))


def _dense(device: Device, source: DeviceMemory, lies: Matrices, dtype: Any) -> tuple[DeviceMemory, Matrices] | None:
    """Matrices whose elements all lie side by side, copied where they do not."""
    if lies.dense:
        return source, lies
    apart = (lies.line_apart, 1) if lies.along_depth else (1, lies.line_apart)
    shape = (lies.batch, lies.side, lies.depth)
    out = moved(device, source, Strided(shape, (lies.batch_apart, *apart)).merged(), ArrayType(shape, dtype))
    found = matrices(shape, (0,), (1,), (2,))
    return None if out is None or found is None else (out, found)


_BY_NAME = {
    "dot_general": _product,
    **MOVES,
    "sort": done_sort,
    "top_k": done_sort,
    "scatter": done_scatter,
    "window_place": _over_windows,
}
_BY_KIND = {"elementwise": _map, "reduce": _sum, "argreduce": _sum, "cumulative": done_running, "window_reduce": _over_windows}
