"""log(exp(x) + exp(y)) where the sum is near 1, in fixed point: to more digits than two floats hold.

The difference of exp(y) and 1 - exp(x) is as little as 2**-56 of either in float32 (found by trying all x with the y next to the
curve), and about 2**-108 in float64 (what is to be expected of as many random digits). So both are computed as fractions in words
of 32 bits, highest word first, in registers of 64 bits. Next on the path: `trigonometric.py`.
"""

from __future__ import annotations

import math
from decimal import Decimal, localcontext
from typing import TYPE_CHECKING

from ...ir.types import F32, F64, I64, U64, DType
from .logarithmic import log_tail
from .scaling import scale, split

if TYPE_CHECKING:
    from ..emitter import Emitter
    from ..llvm_text import Reg

_LOW_WORD = 0xFFFFFFFF
_WORDS = {F32: 3, F64: 6}  # the digits that cancel, those of the result, and some for roundings
_TERMS = {F32: 22, F64: 40}  # of the series of (1 - exp(-t)) / t at t = log(2)
_TO_CONVERT = {F32: 2, F64: 3}  # words that fill a significand when the first is not 0

Words = list["Reg"]


def log_of_sum_near_one(e: Emitter, larger: Reg, smaller: Reg) -> Reg:
    """log(exp(larger) + exp(smaller)) of two scalars, where that is at most an eighth of the larger one, which is negative.

    A call of a function of its own: it is long and seldom runs, and is not optimised, which would take most of the time that a
    small kernel takes to compile and gain little here.
    """
    type = larger.type
    name = f"vector_math_log_of_sum_near_one_{type}"
    if e.module.first_use(name):
        arguments = [("larger", type), ("smaller", type)]
        body = e.function(name, arguments, type, attributes="noinline nounwind optnone")
        body.finish(_log_of_sum_near_one(body, *body.args))
    result = e.call(name, type, larger, smaller)
    assert result is not None
    return result


def _log_of_sum_near_one(e: Emitter, larger: Reg, smaller: Reg) -> Reg:
    """With larger = -2**k m and smaller = -(n log(2) + r) the sum less 1 is
    2**k (2**(-n - k) exp(-r) - m (1 - exp(larger)) / -larger), whose power of two in brackets is 1/2, 1 or 2.
    """
    x, y = e.abs(larger), e.abs(smaller)
    count = _WORDS[x.type]
    k, m = split(e, x)
    n = e.trunc(e.fma(y, 1 / math.log(2), -(2.0**-10)))  # one less where r would be about 0, so that it is never negative
    r = _less_ln2(e, y, n)
    minus_half, minus_loss = _minus_exponentials(e, [(_fraction(e, x, count), _fraction(e, e.mul(m, 0.5), count)), (r, r)])
    power = e.convert(scale(e, e.const(1.0, x.type), e.sub(1.0, e.add(n, k))), I64)
    minus_loss[0] = e.add(minus_loss[0], 1 << 32)
    difference = [e.add(e.mul(power, a), e.shl(b, 2)) for a, b in zip(minus_loss, minus_half, strict=True)]
    negative = e.compare("lt", _carried(e, difference)[0], 0)
    magnitude = _carried(e, [e.select(negative, e.neg(word), word) for word in difference])
    value = _float(e, magnitude, x.type)
    d = scale(e, e.select(negative, e.neg(value), value), e.sub(k, 1.0))
    return e.add(d, log_tail(e, d))


def _fraction(e: Emitter, x: Reg, count: int) -> Words:
    """The words of 0 <= x < 1."""
    words = []
    for _ in range(count):
        x = e.mul(x, 2.0**32)
        whole = e.trunc(x)
        words.append(e.convert(whole, I64))
        x = e.sub(x, whole)
    return words


def _less_ln2(e: Emitter, y: Reg, n: Reg) -> Words:
    """The words of y - n log(2), where that is at least 0 and below 1."""
    count = _WORDS[y.type]
    whole = e.trunc(y)
    words = _fraction(e, e.sub(y, whole), count)
    words[0] = e.add(words[0], e.shl(e.convert(whole, I64), 32))
    multiple = e.convert(n, I64)
    with localcontext() as context:
        context.prec = 80
        ln2 = int(Decimal(2).ln() * (1 << 32 * count))
    return _carried(e, [e.sub(word, e.mul(multiple, part)) for word, part in zip(words, _split(ln2, count), strict=True)])


def _minus_exponentials(e: Emitter, cases: list[tuple[Words, Words]]) -> list[Words]:
    """-a (1 - exp(-t)) / t = -a (1 - t / 2! + t**2 / 3! - ...) for each case (t, a), by Horner's rule.

    The cases are turns of one loop, and the product with a is one more step, so that there is one product of words to compile.
    """
    count = len(cases[0][0])
    type = F32 if count == _WORDS[F32] else F64
    terms = _TERMS[type]
    one = 1 << 32 * count
    values = [part for j in reversed(range(terms)) for part in _split(one // math.factorial(j + 1), count)] + [0] * count
    table = e.module.table(f"vector_math_factorials_{type}", values, I64)
    factors, results = e.alloca(I64, count=2 * count * len(cases)), e.alloca(I64, count=count * len(cases))
    for i, word in enumerate(word for case in cases for words in case for word in words):
        e.store(e.offset(factors, i, I64), word)
    slots = [e.alloca(I64) for _ in range(count)]
    with e.loop(0, len(cases)) as case:
        for slot in slots:
            e.set(slot, e.const(0, I64))
        with e.loop(0, terms + 1) as j:
            which = e.add(e.mul(case, 2), e.convert(e.compare("eq", j, terms), I64))
            product = _product(e, _loaded(e, factors, which, count), [e.get(slot, I64) for slot in slots])
            rest = [e.sub(a, b) for a, b in zip(_loaded(e, table, j, count), product, strict=True)]
            for slot, word in zip(slots, _carried(e, rest), strict=True):
                e.set(slot, word)
        for i, slot in enumerate(slots):
            e.store(e.offset(results, e.add(e.mul(case, count), i), I64), e.get(slot, I64))
    return [_loaded(e, results, e.const(i, I64), count) for i in range(len(cases))]


def _loaded(e: Emitter, array: Reg, row: Reg, count: int) -> Words:
    """The words in a row of an array."""
    start = e.mul(row, count)
    return [e.load(e.offset(array, e.add(start, i), I64), I64) for i in range(count)]


def _split(value: int, count: int) -> list[int]:
    """A number below 2**(32 count), or that itself, in words; the first word may be 2**32."""
    return [value >> 32 * (count - 1), *[value >> 32 * i & _LOW_WORD for i in reversed(range(count - 1))]]


def _product(e: Emitter, a: Words, b: Words) -> Words:
    """The words of a * b before carrying; less than a unit of the last word a word is lost."""
    sums = [e.const(0, I64)] * len(a)
    for i in range(len(a)):
        for j in range(len(a) - i):
            partial = e.convert(e.mul(a[i], b[j]), U64)
            sums[i + j] = e.add(e.convert(e.shr(partial, 32), I64), sums[i + j])
            if i + j + 1 < len(a):
                sums[i + j + 1] = e.add(e.convert(e.and_(partial, _LOW_WORD), I64), sums[i + j + 1])
    return sums


def _carried(e: Emitter, words: Words) -> Words:
    """The same number with all words but the first between 0 and 2**32."""
    result = []
    carry: Reg | int = 0
    for word in reversed(words):
        total = e.add(word, carry)
        carry = e.shr(total, 32)
        result.append(e.and_(total, _LOW_WORD))
    result[-1] = total
    return result[::-1]


def _float(e: Emitter, words: Words, type: DType) -> Reg:
    """The float next to a fraction or almost."""
    size = _TO_CONVERT[type]
    result: Reg | None = None
    for i in reversed(range(len(words) - size + 1)):
        *first, high, low = words[i : i + size]
        value = e.convert(e.or_(e.shl(high, 31), e.shr(low, 1)), type)
        if first:
            value = e.fma(e.convert(first[0], type), 2.0**63, value)
        value = e.mul(value, 2.0 ** (1 - 32 * (i + size)))
        result = value if result is None else e.select(e.compare("ne", words[i], 0), value, result)
    assert result is not None
    return result
