"""Transforms of n real numbers by one of n / 2 complex ones, whose parts are the even and the odd numbers (W. H. Press and others,
Numerical Recipes, section 12.3).

With Z the transform of those, w = exp(-2 pi i / n) and m = n / 2, the transform of all is

    X[k] = (Z[k] + conj(Z[m - k])) / 2 - i w^k (Z[k] - conj(Z[m - k])) / 2        k = 0 ... m, where Z[m] is Z[0]

The halves are left to who scales. In buffers (`emit_join`, `emit_part`) a step is one k and m - k; in memory it is as many as a
vector has lanes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ....ir.types import F64, I64, DType
from ...emitter import Emitter
from ...llvm_text import PTR, Module, Reg
from .butterflies import Complex, lanes_of, load, minus, plus, store, times
from .moves import load_pairs, pair_masks, shared, store_pairs


def _conj(e: Emitter, x: Complex) -> Complex:
    return Complex(x.real, e.neg(x.imag))


def _joined(e: Emitter, z: Complex, other: Complex, root: Complex) -> tuple[Complex, Complex]:
    """Twice X[k] and X[m - k], from Z[k] and Z[m - k]."""
    other = _conj(e, other)
    total, apart = plus(e, z, other), minus(e, z, other)
    odd = times(e, Complex(apart.imag, e.neg(apart.real)), root)
    return plus(e, total, odd), _conj(e, minus(e, total, odd))


def _parted(e: Emitter, x: Complex, other: Complex, root: Complex) -> tuple[Complex, Complex]:
    """Twice Z[k] and Z[m - k], from X[k] and X[m - k]."""
    other = _conj(e, other)
    total, apart = plus(e, x, other), minus(e, x, other)
    odd = times(e, apart, _conj(e, root))
    turned = Complex(e.neg(odd.imag), odd.real)
    return plus(e, total, turned), _conj(e, minus(e, total, turned))


def _root_at(e: Emitter, table: Reg, k: Reg, dtype: DType) -> Complex:
    lanes = lanes_of(dtype)
    return Complex(*(e.splat(e.load(e.offset(table, e.add(e.mul(k, 2), part), dtype), dtype), lanes) for part in (0, 1)))


_BUFFERS = [("from", PTR), ("to", PTR), ("m", I64), ("roots", PTR)]


def emit_join(module: Module, dtype: DType) -> str:
    """`void name(ptr from, ptr to, i64 m, ptr roots)`: twice X from Z."""
    step = 2 * lanes_of(dtype)

    def body(e: Emitter) -> None:
        source, target, m, table = e.args
        with e.loop(0, e.add(e.div(m, 2), 1)) as k:
            back = e.sub(m, k)
            other = e.select(e.compare("eq", k, 0), 0, back)
            z, c = (load(e, e.offset(source, e.mul(at, step), dtype), dtype) for at in (k, other))
            for at, x in zip((k, back), _joined(e, z, c, _root_at(e, table, k, dtype)), strict=True):
                store(e, e.offset(target, e.mul(at, step), dtype), x)

    return shared(module, f"fft_join_{dtype}", _BUFFERS, body)


def emit_part(module: Module, dtype: DType) -> str:
    """`void name(ptr from, ptr to, i64 m, ptr roots)`: twice Z from X, with parts exchanged. Of X[0] and X[m] real parts count."""
    step = 2 * lanes_of(dtype)

    def body(e: Emitter) -> None:
        source, target, m, table = e.args
        first, last = load(e, source, dtype), load(e, e.offset(source, e.mul(m, step), dtype), dtype)
        store(e, target, Complex(e.sub(first.real, last.real), e.add(first.real, last.real)))
        with e.loop(1, e.add(e.div(m, 2), 1)) as k:
            back = e.sub(m, k)
            x, c = (load(e, e.offset(source, e.mul(at, step), dtype), dtype) for at in (k, back))
            for at, z in zip((k, back), _parted(e, x, c, _root_at(e, table, k, dtype)), strict=True):
                store(e, e.offset(target, e.mul(at, step), dtype), Complex(z.imag, z.real))

    return shared(module, f"fft_part_{dtype}", _BUFFERS, body)


# -- in memory

ROOTS = [("high", PTR), ("low", PTR), ("shift", I64), ("lanes", PTR)]
"""Roots of unity, split (roots.Roots), and those of each lane."""


def root_from(e: Emitter, exponent: Reg, roots: Sequence[Reg], dtype: DType) -> Complex:
    """The root of an exponent, the same in all lanes."""
    high, low, shift = roots[:3]
    top = e.shr(exponent, shift)
    tables = ((high, top), (low, e.sub(exponent, e.shl(top, shift))))
    a, b = (Complex(*(e.load(e.offset(at, e.add(e.mul(n, 2), part), F64), F64) for part in (0, 1))) for at, n in tables)
    return Complex(*(e.splat(e.convert(part, dtype), lanes_of(dtype)) for part in times(e, a, b)))


_MEMORY = [("from", PTR), ("to", PTR), ("m", I64), ("begin", I64), ("end", I64), *ROOTS]


def emit_join_row(module: Module, dtype: DType) -> str:
    """`void name(ptr from, ptr to, i64 m, i64 begin, i64 end, ROOTS)`: X[k] and X[m - k] for begin <= k < end, from Z / 2. They
    may lie where X goes. With 1 goes 0.
    """

    def ends(e: Emitter, source: Reg, target: Reg, m: Reg) -> None:
        real, imag = (e.load(e.offset(source, part, dtype), dtype) for part in (0, 1))
        for at, x in ((target, e.add(real, imag)), (e.offset(target, e.mul(m, 2), dtype), e.sub(real, imag))):
            e.store(at, e.add(x, x))
            e.store(e.offset(at, 1, dtype), e.const(0, dtype))

    return shared(module, f"fft_join_row_{dtype}", _MEMORY, lambda e: _along_row(e, dtype, ends, _joined), beside=True)


def emit_part_row(module: Module, dtype: DType) -> str:
    """`void name(ptr from, ptr to, i64 m, i64 begin, i64 end, ROOTS)`: twice Z[k] and Z[m - k] for begin <= k < end. With 1 goes
    0.
    """

    def ends(e: Emitter, source: Reg, target: Reg, m: Reg) -> None:
        first, last = e.load(source, dtype), e.load(e.offset(source, e.mul(m, 2), dtype), dtype)
        e.store(target, e.add(first, last))
        e.store(e.offset(target, 1, dtype), e.sub(first, last))

    return shared(module, f"fft_part_row_{dtype}", _MEMORY, lambda e: _along_row(e, dtype, ends, _parted), beside=True)


_Ends = Callable[[Emitter, Reg, Reg, Reg], None]
_Step = Callable[[Emitter, Complex, Complex, Complex], tuple[Complex, Complex]]


def _along_row(e: Emitter, dtype: DType, ends: _Ends, step: _Step) -> None:
    source, target, m, begin, end, *roots = e.args
    lanes = lanes_of(dtype)
    with e.when(e.compare("eq", begin, 1)):
        ends(e, source, target, m)
    each = load(e, roots[3], dtype)
    backwards = list(reversed(range(lanes)))

    def reversed_lanes(x: Complex) -> Complex:
        return Complex(*(e.shuffle(part, part, backwards) for part in x))

    with e.loop(begin, end, lanes) as k:
        count = e.sub(end, k)
        masks = pair_masks(e, count, lanes)
        skipped = e.sub(lanes, e.least(count, lanes))  # elements in front of those that there are, where k runs backwards
        after = [e.not_(mask) for mask in pair_masks(e, skipped, lanes)]
        ahead = e.mul(k, 2)
        back = e.mul(e.sub(e.sub(m, k), lanes - 1), 2)
        z = load_pairs(e, e.offset(source, ahead, dtype), dtype, masks)
        other = reversed_lanes(load_pairs(e, e.offset(source, back, dtype), dtype, after))
        found, mirrored = step(e, z, other, times(e, each, root_from(e, k, roots, dtype)))
        store_pairs(e, e.offset(target, ahead, dtype), found, masks)
        store_pairs(e, e.offset(target, back, dtype), reversed_lanes(mirrored), after)
