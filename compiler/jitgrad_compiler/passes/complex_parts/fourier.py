"""Fourier transforms by those that kernels have: of pairs, along an axis that lies well in memory, of lengths without large primes.

Other lengths are convolutions with a chirp, which may have any length from 2 n - 1 on (L. I. Bluestein, A linear filtering approach
to the computation of discrete Fourier transform, 1970).
"""

from __future__ import annotations

import math
from typing import Any

from ...ir.builder import Value, literal
from ...ir.types import F64, I64, DType
from ...ops.arithmetic import op
from ...ops.define import broadcast, convert, transpose_axes, zeros
from ...ops.fourier import FEWEST_COLUMNS, LARGEST_PRIME, LONGEST_COLUMN, largest_prime
from .arithmetic import multiply
from .table import Operand, Parts, apart, rule, side_by_side, zero_like


@rule("fft")
def transformed(x: Operand, kind: str, axis: int, n: int, inverse: bool, scale: float) -> Operand:
    shape = x.real.type.shape if isinstance(x, Parts) else x.type.shape
    behind = math.prod(shape[axis + 1 :])
    if behind != 1 and (n > LONGEST_COLUMN or behind < FEWEST_COLUMNS):
        last = (*[i for i in range(len(shape)) if i != axis], axis)
        found = transformed(_transposed(x, last), kind, len(shape) - 1, n, inverse, scale)
        return _transposed(found, tuple(last.index(i) for i in range(len(shape))))
    params: dict[str, Any] = dict(axis=axis, n=n, inverse=inverse, scale=scale)
    whole = largest_prime(n) <= LARGEST_PRIME
    if kind == "complex":
        assert isinstance(x, Parts)
        return _of_pairs(x, params) if whole else _by_chirp(x, axis, n, inverse, scale)
    if whole and n % 2 == 0:
        if isinstance(x, Parts):
            return op("fft_pairs", side_by_side(x), kind=kind, **params)
        return apart(op("fft_pairs", x, kind=kind, **params))
    if not isinstance(x, Parts):
        found = transformed(Parts(x, zeros(x.type)), "complex", axis, n, inverse, scale)
        assert isinstance(found, Parts)
        return Parts(*[_cut(part, axis, 0, n // 2 + 1) for part in found])
    found = transformed(_mirrored(x, axis, n), "complex", axis, n, inverse, scale)
    assert isinstance(found, Parts)
    return found.real


def _of_pairs(x: Parts, params: dict[str, Any]) -> Parts:
    return apart(op("fft_pairs", side_by_side(x), kind="complex", **params))


def _transposed(x: Operand, order: tuple[int, ...]) -> Operand:
    if isinstance(x, Parts):
        return Parts(*[transpose_axes(part, order) for part in x])
    return transpose_axes(x, order)


def _cut(x: Value, axis: int, start: int, limit: int) -> Value:
    shape = x.type.shape
    starts, limits = [0] * len(shape), list(shape)
    starts[axis], limits[axis] = start, limit
    return op("slice", x, start=tuple(starts), limit=tuple(limits), strides=(1,) * len(shape))


def _mirrored(x: Parts, axis: int, n: int) -> Parts:
    """All n elements of a real array's transform, of those that say them; what must be real is taken as that."""
    even = n % 2 == 0
    last = x.real.type.shape[axis] - even

    def whole(part: Value, sign: int) -> Value:
        ends = [_cut(part, axis, 0, 1), *([_cut(part, axis, last, last + 1)] if even else [])]
        if sign < 0:
            ends = [zeros(end.type) for end in ends]
        middle = _cut(part, axis, 1, last)
        back = op("reverse", middle, axes=(axis,))
        parts = [ends[0], middle, *ends[1:], back if sign > 0 else -back]
        return op("concatenate", *[p for p in parts if p.type.size], axis=axis)

    return Parts(whole(x.real, 1), whole(x.imag, -1))


def _by_chirp(x: Parts, axis: int, n: int, inverse: bool, scale: float) -> Parts:
    """With c[j] = exp(-i pi j**2 / n): X[k] = c[k] * sum over j of (x[j] c[j]) conj(c[k - j])."""
    if inverse:
        found = _by_chirp(Parts(x.imag, x.real), axis, n, False, scale)
        return Parts(found.imag, found.real)
    shape, dtype = x.real.type.shape, x.real.type.dtype
    length = _room(2 * n - 1)
    chirp = _chirp(n, dtype)

    def along(c: Parts) -> Parts:
        return Parts(*[broadcast(part, (*shape[:axis], c.real.type.shape[0], *shape[axis + 1 :]), (axis,)) for part in c])

    def padded(part: Value, rank: int, at: int) -> Value:
        edges = [(0, 0, 0)] * rank
        edges[at] = (0, length - n, 0)
        return op("pad", part, zero_like(part), padding=tuple(edges))

    around = [
        op("concatenate", part, zeros_of(length - 2 * n + 1, dtype), op("reverse", _cut(part, 0, 1, n), axes=(0,)), axis=0)
        for part in (chirp.real, -chirp.imag)
    ]
    factor = transformed(Parts(*around), "complex", 0, length, False, 1.0)
    spread = transformed(
        Parts(*[padded(part, len(shape), axis) for part in multiply(x, along(chirp))]), "complex", axis, length, False, 1.0
    )
    assert isinstance(factor, Parts) and isinstance(spread, Parts)
    back = transformed(multiply(spread, along(factor)), "complex", axis, length, True, scale / length)
    assert isinstance(back, Parts)
    return multiply(Parts(*[_cut(part, axis, 0, n) for part in back]), along(chirp))


def zeros_of(count: int, dtype: DType) -> Value:
    return broadcast(literal(0, dtype), (count,), ())


def _chirp(n: int, dtype: DType) -> Parts:
    """exp(-i pi j**2 / n) for j below n; squares are taken modulo 2 n, as whole numbers."""
    j = op("iota", shape=(n,), axis=0, dtype=I64)
    angle = convert(op("rem", j * j, literal(2 * n, I64)), F64) * literal(-math.pi / n, F64)
    return Parts(*[convert(op(name, angle), dtype) for name in ("cos", "sin")])


def _room(least: int) -> int:
    """The next length that kernels have: a power of two, or three or five times one."""
    return min(odd << max(0, (-(-least // odd) - 1).bit_length()) for odd in (1, 3, 5))
