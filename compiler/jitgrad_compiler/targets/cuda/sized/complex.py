"""Products of complex numbers of any size: along an axis, by steps that double how many numbers a product has; and of matrices, as
real ones: a row of the left one is its parts side by side, as it lies, and of the right one's element a + ib is made (a, b; -b, a),
so that sums of products lie as complex numbers do.

Next on the path: runtime/cuda/complex_products.py.
"""

from __future__ import annotations

from collections.abc import Callable

from ....ir.types import DType
from ....kernels.tuning import Tuning
from ...llvm_text import Reg
from .kernel import SizedKernel, Writer


def emit_multiplier(name: str, part: DType, tuning: Tuning) -> SizedKernel:
    """The kernel of the right matrix. Its arguments are that and the result, the number of elements, and how many a line has."""
    w = Writer(name, ("source", "target"), ("count", "columns"), False, tuning)
    e, number, columns = w.e, w.thread(), w.word("columns")
    with e.when(e.compare("lt", number, w.word("count"))):
        pair = _load(w, number, part)
        real, imaginary = _parts(w, pair)
        first = e.add(number, e.mul(e.div(number, columns), columns))
        _store(w, first, pair)
        _store(w, e.add(first, columns), _pair(w, e.neg(imaginary), real))
    return w.finish()


def emit_halving(name: str, part: DType, tuning: Tuning) -> SizedKernel:
    """The kernel that makes of (outer, length, inner) an array of half the length, or one more: its elements are products of two,
    of which the last may have but one. Its arguments are both, the number of results, and the sizes `inner`, `length` and `half`.
    """
    w = Writer(name, ("source", "target"), ("count", "inner", "length", "half"), False, tuning)
    e, number, inner, length, half = w.e, w.thread(), w.word("inner"), w.word("length"), w.word("half")
    with e.when(e.compare("lt", number, w.word("count"))):
        rest, column = e.div(number, inner), e.rem(number, inner)
        row, outer = e.rem(rest, half), e.div(rest, half)
        place = e.add(e.mul(e.add(e.mul(outer, length), row), inner), column)
        other = e.compare("lt", e.add(row, half), length)
        _store_product(w, number, place, other, lambda: e.add(place, e.mul(half, inner)), part)
    return w.finish()


def emit_doubling(name: str, part: DType, reverse: bool, tuning: Tuning) -> SizedKernel:
    """The kernel that makes of products of so many neighbours along an axis those of twice as many, before an element or, reversed,
    behind it. Its arguments are the operand and the result, the number of elements, and the sizes `inner`, `length` and `reach`.
    """
    w = Writer(name, ("source", "target"), ("count", "inner", "length", "reach"), False, tuning)
    e, number, inner, length, reach = w.e, w.thread(), w.word("inner"), w.word("length"), w.word("reach")
    with e.when(e.compare("lt", number, w.word("count"))):
        along, apart = e.rem(e.div(number, inner), length), e.mul(reach, inner)
        other = e.compare("lt", e.add(along, reach), length) if reverse else e.compare("ge", along, reach)
        _store_product(w, number, number, other, lambda: (e.add if reverse else e.sub)(number, apart), part)
    return w.finish()


def _store_product(w: Writer, number: Reg, place: Reg, other: Reg, where: Callable[[], Reg], part: DType) -> None:
    """A result: the element of a place, times another where there is one."""
    e = w.e
    mine = _load(w, place, part)
    with e.when(other):
        (a, b), (c, d) = _parts(w, _load(w, where(), part)), _parts(w, mine)
        _store(w, number, _pair(w, e.sub(e.mul(a, c), e.mul(b, d)), e.add(e.mul(a, d), e.mul(b, c))))
    with e.when(e.not_(other)):
        _store(w, number, mine)


def _load(w: Writer, place: Reg, part: DType) -> Reg:
    return w.e.load(w.e.offset(w.pointer("source"), w.e.mul(place, 2), part), part, 2, align=2 * part.nbytes)


def _store(w: Writer, place: Reg, pair: Reg) -> None:
    w.e.store(w.e.offset(w.pointer("target"), w.e.mul(place, 2), pair.type), pair, align=2 * pair.type.nbytes)


def _parts(w: Writer, pair: Reg) -> tuple[Reg, Reg]:
    return w.e.extract(pair, 0), w.e.extract(pair, 1)


def _pair(w: Writer, real: Reg, imaginary: Reg) -> Reg:
    return w.e.insert(w.e.insert(w.e.poison(real.type, 2), real, 0), imaginary, 1)
