"""Running sums, products, maxima and minima, done one by one on a GPU by the kernels of targets/cuda/sized/cumulative.py."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ...ir.types import BOOL, U8, DType
from ...targets.cuda.program import device_tuning
from ...targets.cuda.sized.cumulative import CHUNKS, TOTALS, WHOLE, Run, emit_running
from ...targets.cuda.sized.sums import split, team_of
from .complex_products import running_product
from .devices import Device
from .memory import DeviceMemory, empty
from .ready import Operation, launch, prepared


def done_running(device: Device, what: Operation) -> list[DeviceMemory] | None:
    """Running values along an axis; of complex numbers sums, which are those of their parts, and products."""
    (type,), (source,), axis = what.types, what.operands, what.params["axis"]
    dtype, inner = type.dtype, math.prod(type.shape[axis + 1 :])
    if dtype.is_complex:
        if what.op.name == "cumprod":
            return running_product(device, what)
        if what.op.name != "cumsum":
            return None
        dtype, inner = dtype.real, 2 * inner
    out = empty(device, type.nbytes)
    stored = U8 if dtype == BOOL else dtype  # a bool is a byte of 0 or 1
    sizes = math.prod(type.shape[:axis]), type.shape[axis], inner
    run_along(device, what.op.traits.combine, stored, what.params["reverse"], source, out, sizes)
    return [out]


def run_along(
    device: Device,
    combine: str,
    stored: DType,
    reverse: bool,
    source: DeviceMemory,
    out: DeviceMemory,
    sizes: tuple[int, int, int],
) -> None:
    """Running values along the middle of three axes; where the operand lies is a place for them, too."""
    (outer, length, inner), tuning = sizes, device_tuning()
    rows = outer * inner
    if not rows * length:
        return

    def start(run: Run, pointers: Sequence[DeviceMemory], units: int, *sizes: int) -> None:
        ready = prepared(device, run, lambda name: emit_running(name, run, tuning))
        assert ready is not None
        launch(device, ready, units * run.team, (*[m.pointer for m in pointers], units, *sizes))

    way = split(outer, length, inner, True, tuning.gpu)
    team, words = way.team, (length, inner, way.shares, way.size)
    if way.shares == 1:
        start(Run(combine, stored, reverse, team, WHOLE), [source, out], rows, *words)
        return
    units, of_totals = rows * way.shares, stored.computed
    totals = empty(device, units * of_totals.nbytes)
    start(Run(combine, stored, reverse, team, TOTALS), [source, totals], units, *words)
    together = Run(combine, of_totals, False, team_of(way.shares, 1, tuning.gpu), WHOLE)
    start(together, [totals, totals], rows, way.shares, 1, 1, way.shares)
    start(Run(combine, stored, reverse, team, CHUNKS), [source, totals, out], units, *words)
