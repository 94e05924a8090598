"""How the operands of a contraction lie in memory: where their rows, columns and steps of depth are evenly spaced.

In: the offsets of a kernel's loads and stores, in which indices that were joined from several axes are divided up again. Out: for
each operand that can be used in place a `Layout`, its strides along the digits of each index. Digits that every operand goes
through evenly are one; what is left of several are runs, which `contraction.py` does not reach across. Next: `kernel.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from ....kernels.affine import Affine, Axis, axis_index, linear
from ....kernels.kernel import Contraction
from ....kernels.tuning import Contraction as Tuning
from ...order import K_BLOCK, SHORTEST_BLOCK, SHORTEST_ROWS, SHORTEST_STEPS, VECTOR_BYTES
from .blocking import ContractSpec, block_of_runs
from .operands import Digit, Digits


class Layout(NamedTuple):
    """One operand: its offset where both indices are 0, by batch, and the digits of both."""

    first: Affine
    rows: Digits
    columns: Digits


class InPlace(NamedTuple):
    """The operands that are used where they lie, None for those that are not, and the contraction in their runs."""

    left: Layout | None
    right: Layout | None
    result: Layout | None
    spec: ContractSpec


Strides = Mapping[Axis, int]
Runs = list[tuple[int, list[int]]]
"""The digits of an index: for each its extent, and the stride of every operand."""


class _Indices:
    """The digits of the row, the column and the depth of a contraction, as axes of their own."""

    def __init__(self, c: Contraction) -> None:
        self.batch = c.batch
        self.joined: dict[Axis, Affine] = {}
        digits = []
        for name, axis, sizes in zip("ijk", (c.row, c.column, c.depth), c.digits, strict=True):
            digits.append([Axis(f"{name}{n}", size) for n, size in enumerate(sizes)])
            self.joined[axis] = linear(map(axis_index, digits[-1]), sizes)
        self.row, self.column, self.depth = digits
        self.every = {*self.row, *self.column, *self.depth}

    def strides(self, offset: Affine | None) -> tuple[Affine, Strides] | None:
        """An offset's part for the batch, and its factors of digits; None where it is no sum of these."""
        if offset is None:
            return None
        spread = offset.substitute(self.joined)
        factors = {a: f for a, f in spread.terms.items() if isinstance(a, Axis) and a in self.every}
        first = Affine(spread.constant, {a: f for a, f in spread.terms.items() if a not in factors})
        return (first, factors) if first.axes <= {self.batch} else None


def _runs(digits: Sequence[Axis], *operands: Strides | None) -> Runs:
    """Digits through which the operands go on evenly joined."""
    known = [s for s in operands if s is not None]
    out: Runs = []
    for digit in digits:
        strides = [s.get(digit, 0) for s in known]
        if out and all(outer == inner * digit.extent for outer, inner in zip(out[-1][1], strides, strict=True)):
            out[-1] = (out[-1][0] * digit.extent, strides)
        else:
            out.append((digit.extent, strides))
    return out or [(1, [0] * len(known))]


def _digits(runs: Runs, operand: int = 0) -> Digits:
    return tuple(Digit(extent, strides[operand]) for extent, strides in runs)


def lie_in_place(
    c: Contraction, spec: ContractSpec, tuning: Tuning, left: Affine | None, right: Affine | None, result: Affine | None
) -> InPlace:
    """Which operands of a contraction to use in place, of those that are nothing but a load or a store, whose offset is given."""
    indices = _Indices(c)
    a, b, out = map(indices.strides, (left, right, result))
    lanes = VECTOR_BYTES // spec.dtype.nbytes

    def alone(found: tuple[Affine, Strides] | None, rows: Sequence[Axis], columns: Sequence[Axis]) -> Layout | None:
        return found and Layout(found[0], _digits(_runs(rows, found[1])), _digits(_runs(columns, found[1])))

    by_row, by_column = alone(a, indices.row, indices.depth), alone(b, indices.depth, indices.column)
    target = alone(out, indices.row, indices.column)
    if target and (len(target.rows) > 1 or len(target.columns) > 1 or target.columns[-1].stride != 1):
        target = None
    if by_row:
        fast = by_row.rows if spec.a_contiguous == "m" else by_row.columns
        if fast[-1].stride != 1 or len(by_row.rows) > 1 and by_row.rows[-1].extent < SHORTEST_ROWS:
            by_row = None
    if by_column:
        fast = by_column.rows if spec.b_contiguous == "k" else by_column.columns
        in_runs = len(by_column.rows) > 1 or len(by_column.columns) > 1
        large = spec.m > tuning.pack_b_rows and spec.k * spec.n * spec.dtype.nbytes > tuning.pack_b_bytes
        narrow = len(by_column.columns) > 1 and by_column.columns[-1].extent < lanes
        if spec.b_contiguous == "k":  # it is packed, by vectors along K that must not reach from one run into the next
            refused = len(by_column.columns) > 1 or len(by_column.rows) > 1 and by_column.rows[-1].extent % lanes != 0
        else:
            refused = in_runs and (large or narrow)
        if fast[-1].stride != 1 or refused:
            by_column = None
    while True:
        depth = _runs(indices.depth, by_row and a and a[1], by_column and b and b[1])
        if len(depth) == 1 or _worth(depth, spec):
            break
        if by_row and len(by_row.columns) > 1:
            by_row = None
        else:
            by_column = None
    if by_row:
        by_row = by_row._replace(columns=_digits(depth))
    if by_column:
        by_column = by_column._replace(rows=_digits(depth, -1))
    spec = replace(
        spec,
        row_run=by_row.rows[-1].extent if by_row and len(by_row.rows) > 1 else 0,
        column_run=by_column.columns[-1].extent if by_column and len(by_column.columns) > 1 else 0,
        depth_run=depth[-1][0] if len(depth) > 1 else 0,
        depth_runs=depth[-2][0] if len(depth) > 1 else 1,
    )
    return InPlace(by_row, by_column, target, spec)


def _worth(depth: Runs, spec: ContractSpec) -> bool:
    block = block_of_runs(depth[-1][0], depth[-2][0], K_BLOCK[spec.dtype])
    return depth[-1][0] >= SHORTEST_STEPS and block >= min(SHORTEST_BLOCK, spec.k)
