"""Cholesky's factorisation of small real matrices, without LAPACK.

Of A = U^T U row after row of U is final, and its products are taken from the rows below (Golub and Van Loan, Matrix Computations,
4.2). Rows are whole vectors; what is left of the diagonal is computed along and never read.
"""

from __future__ import annotations

from ....ir.types import I32, I64
from ...llvm_text import Reg
from ...order import SMALL_CHOLESKY, VECTOR_BYTES
from .matrices import Matrices


def is_small(m: Matrices) -> bool:
    return not m.complex and m.shapes[0][0] <= SMALL_CHOLESKY


def small_cholesky(m: Matrices) -> None:
    e, dtype, n = m.e, m.dtype, m.shapes[0][0]
    width = VECTOR_BYTES // dtype.nbytes
    vectors = -(-n // width)
    pitch = vectors * width
    u, a, out, info = m.numbers(n * pitch), m.inputs[0], m.outputs[0], m.info()

    def row(i: Reg) -> list[Reg]:
        """Where the vectors of a row of U are."""
        return [e.offset(u, e.add(e.mul(i, pitch), v * width), dtype) for v in range(vectors)]

    def turn(back: bool) -> None:
        """The lower half of A to U, or U to the lower half of the result."""
        with e.loop(0, n) as i:
            ours, turned = e.offset(out if back else a, e.mul(i, n), dtype), e.offset(u, i, dtype)
            with e.loop(0, e.add(i, 1)) as j:
                near, far = e.offset(ours, j, dtype), e.offset(turned, e.mul(j, pitch), dtype)
                e.store(near if back else far, e.load(far if back else near, dtype))

    m.fill(u, n * pitch, 0.0)
    turn(False)
    e.set(info, e.const(0, I32))
    with e.loop(0, n) as k:
        places = row(k)
        corner = e.offset(places[0], k, dtype)
        square = e.load(corner, dtype)
        positive = e.compare("gt", square, 0.0)
        e.set(info, e.select(positive, e.get(info, I32), e.const(1, I32)))
        root = e.sqrt(e.select(positive, square, e.const(1.0, dtype)))
        share = e.splat(e.div(e.const(1.0, dtype), root), width)
        final = [e.mul(e.load(place, dtype, width), share) for place in places]
        for place, x in zip(places, final, strict=True):
            e.store(place, x)
        e.store(corner, root)
        with e.loop(e.add(k, 1), e.const(n, I64)) as i:
            factor = e.splat(e.neg(e.load(e.offset(places[0], i, dtype), dtype)), width)
            for place, x in zip(row(i), final, strict=True):
                e.store(place, e.fma(factor, x, e.load(place, dtype, width)))
    m.fill(out, n * n, 0.0)
    turn(True)
    with e.when(m.failed(info), unlikely=True):
        m.spoil()
