"""Transforms of few elements in registers, and a pass of a longer one made of them.

A buffer has a complex element in two vectors, the real parts of a lane's transform each and the imaginary ones: [n, 2, lanes]. A
pass is one step of Stockham's algorithm (C. Van Loan, Computational Frameworks for the Fast Fourier Transform, 1992, section 1.7),
which goes from one buffer to another and leaves the result in order. Inverse transforms are the same with parts exchanged.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from ....ir.types import I64, DType
from ...emitter import Emitter
from ...llvm_text import PTR, Module, Reg
from ...order import RADICES, VECTOR_BYTES


class Complex(NamedTuple):
    """Vectors of real and of imaginary parts."""

    real: Reg
    imag: Reg


def factors(n: int) -> list[int]:
    """The radices of the passes of a transform of n elements."""
    found = []
    for radix in RADICES:
        while n % radix == 0:
            found.append(radix)
            n //= radix
    assert n == 1
    return found


def lanes_of(dtype: DType) -> int:
    return VECTOR_BYTES // dtype.nbytes


def emit_pass(module: Module, radix: int, dtype: DType) -> str:
    """Emit `void name(ptr from, ptr to, i64 m, i64 s, ptr roots)` once for all kernels: [radix, m, s] elements to [m, radix, s],
    those along the radix transformed and, where m is not 1, as it is in the last pass alone, for each p < m times roots[p]. One
    function for both is compiled in two thirds of the time of two.
    """
    name = f"fft_pass_{radix}_{dtype}"
    arguments = [("from", PTR), ("to", PTR), ("m", I64), ("s", I64), ("roots", PTR)]
    where = module.shares_beside(name, arguments)
    if where is None:
        return name
    lanes = lanes_of(dtype)
    e = Emitter(where, name, arguments, attributes="noinline nounwind")
    source, target, m, s, table = e.args
    step = e.mul(s, 2 * lanes)
    far = e.mul(step, m)
    turns = e.compare("ne", m, 1)
    with e.loop(0, m) as p:
        mine = e.offset(table, e.mul(p, 2 * (radix - 1)), dtype)
        roots = [Complex(*(e.load(e.offset(mine, 2 * k + part, dtype), dtype) for part in (0, 1))) for k in range(radix - 1)]
        roots = [Complex(*(e.splat(part, lanes) for part in root)) for root in roots]
        a = e.offset(source, e.mul(p, step), dtype)
        b = e.offset(target, e.mul(p, e.mul(step, radix)), dtype)
        with e.loop(0, s) as q:
            along = e.mul(q, 2 * lanes)
            x = [load(e, place, dtype) for place in spaced(e, e.offset(a, along, dtype), far, radix, dtype)]
            y = [Complex(*(_kept(e, part) for part in number)) for number in transformed(e, x)]
            with e.when(turns):
                for root, number in zip(roots, y[1:], strict=True):
                    turned = times(e, Complex(*(e.get(part, dtype, lanes) for part in number)), root)
                    for part, value in zip(number, turned, strict=True):
                        e.set(part, value)
            for place, number in zip(spaced(e, e.offset(b, along, dtype), step, radix, dtype), y, strict=True):
                store(e, place, Complex(*(e.get(part, dtype, lanes) for part in number)))
    e.finish()
    return name


def _kept(e: Emitter, value: Reg) -> Reg:
    """A slot with the value, which may be set anew."""
    slot = e.alloca(value.type, value.width)
    e.set(slot, value)
    return slot


def spaced(e: Emitter, first: Reg, apart: Reg, count: int, dtype: DType) -> list[Reg]:
    """Places that are so many numbers apart, each found from the one before: a sum is less to compile than a product."""
    places = [first]
    while len(places) < count:
        places.append(e.offset(places[-1], apart, dtype))
    return places


def load(e: Emitter, place: Reg, dtype: DType) -> Complex:
    lanes = lanes_of(dtype)
    return Complex(e.load(place, dtype, lanes), e.load(e.offset(place, lanes, dtype), dtype, lanes))


def store(e: Emitter, place: Reg, x: Complex) -> None:
    e.store(place, x.real)
    e.store(e.offset(place, x.real.width, x.real.type), x.imag)


def times(e: Emitter, x: Complex, y: Complex) -> Complex:
    return Complex(
        e.fma(x.real, y.real, e.neg(e.mul(x.imag, y.imag))), e.fma(x.real, y.imag, e.mul(x.imag, y.real))
    )  # fmt: skip


def plus(e: Emitter, x: Complex, y: Complex) -> Complex:
    return Complex(e.add(x.real, y.real), e.add(x.imag, y.imag))


def minus(e: Emitter, x: Complex, y: Complex) -> Complex:
    return Complex(e.sub(x.real, y.real), e.sub(x.imag, y.imag))


def _turned(e: Emitter, x: Complex) -> Complex:
    """-i x; the sign is left to who adds it."""
    return Complex(x.imag, e.neg(x.real))


def transformed(e: Emitter, x: list[Complex]) -> list[Complex]:
    """The sums over j of exp(-2 pi i j k / n) x[j]."""
    n = len(x)
    if n == 1:
        return x
    if n % 2:
        return _of_odd(e, x)
    evens, odds = transformed(e, x[::2]), transformed(e, x[1::2])
    odds = [_by_eighth(e, odd, 8 * k // n) for k, odd in enumerate(odds)]
    pairs = list(zip(evens, odds, strict=True))
    return [*(plus(e, a, b) for a, b in pairs), *(minus(e, a, b) for a, b in pairs)]


def _by_eighth(e: Emitter, x: Complex, k: int) -> Complex:
    """x times exp(-2 pi i k / 8), for k below 4."""
    if k == 0:
        return x
    if k == 2:
        return _turned(e, x)
    root = e.const(math.sqrt(0.5), x.real.type, x.real.width)
    total, apart = e.mul(e.add(x.real, x.imag), root), e.mul(e.sub(x.imag, x.real), root)
    return Complex(total, apart) if k == 1 else Complex(apart, e.neg(total))


def _of_odd(e: Emitter, x: list[Complex]) -> list[Complex]:
    """By sums and differences of x[k] and x[n - k], which cosines and sines alone multiply."""
    n, half = len(x), len(x) // 2
    sums = [plus(e, x[k], x[n - k]) for k in range(1, half + 1)]
    apart = [minus(e, x[k], x[n - k]) for k in range(1, half + 1)]
    first = x[0]
    for s in sums:
        first = plus(e, first, s)
    out = [first] * n
    for j in range(1, half + 1):
        angles = [2 * math.pi * (j * k % n) / n for k in range(1, half + 1)]
        even, odd = x[0], None
        for angle, s, d in zip(angles, sums, apart, strict=True):
            cos, sin = (e.const(f(angle), d.real.type, d.real.width) for f in (math.cos, math.sin))
            even = Complex(*(e.fma(part, cos, total) for part, total in zip(s, even, strict=True)))
            odd = Complex(*(
                e.mul(part, sin) if odd is None else e.fma(part, sin, odd[n]) for n, part in enumerate(d)
            ))  # fmt: skip
        assert odd is not None
        turned = _turned(e, odd)
        out[j], out[n - j] = plus(e, even, turned), minus(e, even, turned)
    return out
