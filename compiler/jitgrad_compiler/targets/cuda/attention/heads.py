"""An equation of attention as its kernels know it: sizes, where operands' elements lie, and the scores that a query has of keys.

Next on the path: tiles.py, forward.py, gradient.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, prod
from typing import Any

from ....ir.graph import Atom, Eqn, Var
from ....ir.types import F32, I64, DType
from ....ops.attention import RANKS
from ...emitter import Emitter
from ...llvm_text import Reg
from ..device import Threads
from ..phases import BlockFunction, Pointers

MASKED = -0.7 * 3.4028234663852886e38
"""The score of a pair that takes no part, as the formula has it: a query that sees no key sees all of them alike."""
LOG2_E, REST = 1.4426950408889634, 1.9259629911266175e-08
"""log2(e), and what is left of it by float32."""
NOTHING = -200.0
"""exp of it, and of less, is 0."""


@dataclass(frozen=True)
class Heads:
    """An equation's sizes: `lead` axes in front are one, of `lead * batch` examples."""

    eqn: Eqn

    @property
    def params(self) -> Any:
        return self.eqn.params

    @property
    def lead(self) -> int:
        return prod(self.params["lead"])

    def operand(self, name: str) -> Atom | None:
        names = self.params["names"]
        return self.eqn.inputs[names.index(name)] if name in names else None

    @property
    def arrays(self) -> list[Var]:
        """The query, the key and the value."""
        return vars_of(self.eqn.inputs[:3])

    @property
    def batch(self) -> int:
        return int(self._query[0])

    @property
    def examples(self) -> int:
        return self.lead * self.batch

    @property
    def _query(self) -> tuple[int, ...]:
        shape: tuple[int, ...] = self.eqn.inputs[0].type.shape[-4:]
        return shape

    @property
    def queries(self) -> int:
        return self._query[1]

    @property
    def heads(self) -> int:
        return self._query[2]

    @property
    def features(self) -> int:
        return self._query[3]

    @property
    def keys(self) -> int:
        return int(self.eqn.inputs[1].type.shape[-3])

    @property
    def shared(self) -> int:
        """Heads of keys and values."""
        return int(self.eqn.inputs[1].type.shape[-2])

    @property
    def dtype(self) -> DType:
        dtype: DType = self.eqn.inputs[0].type.dtype
        return dtype

    @property
    def all_alike(self) -> bool:
        """Whether a query may see no key, and then sees all of them, or those that it doesn't see by its position: as when a bias
        puts all others below MASKED.
        """
        left = self.params["left"]
        far = left is not None and self.queries > self.keys + left
        return far or len(self.params["names"]) > 3

    @property
    def reads_all(self) -> bool:
        """Whether that is not known before all pairs are looked at."""
        return "mask" in self.params["names"] or "bias" in self.params["names"]

    def example(self, e: Emitter, number: Reg, x: Atom, rank: int) -> Reg:
        """Which example of an operand is that of a number."""
        shape = x.type.shape
        own = shape[-rank]
        if len(shape) > rank:
            return number if own == self.batch else e.div(number, self.batch)
        if own == 1:
            return e.const(0, I64)
        return e.rem(number, self.batch) if self.lead > 1 else number


class Pairs:
    """The scores of a head's pairs of a query and a key, from their products."""

    def __init__(self, f: BlockFunction, h: Heads, pointers: Pointers, example: Reg, head: Reg) -> None:
        self.e, self.h = f.e, h
        e = f.e
        at = {n: h.operand(n) for n in ("bias", "mask", "length")}
        memory = pointers(e, f.table, [x for x in at.values() if isinstance(x, Var)])
        self._tables = []
        self.length: Reg | None = None
        for name in ("bias", "mask"):
            x = at[name]
            if isinstance(x, Var):
                _, heads, queries, keys = x.type.shape[-RANKS[name] :]
                number = e.mul(h.example(e, example, x, RANKS[name]), heads)
                number = e.add(number, head) if heads > 1 else number
                base = e.offset(memory[x], e.mul(number, queries * keys), x.type.dtype)
                self._tables.append((name, x.type.dtype, base, queries > 1, keys > 1, keys))
        if isinstance(x := at["length"], Var):
            number = h.example(e, example, x, RANKS["length"])
            self.length = e.convert(e.load(e.offset(memory[x], number, x.type.dtype), x.type.dtype), I64)

    def keys_of(self, first: Reg, last: Reg) -> tuple[Reg, Reg]:
        """The keys that some of the queries first to last - 1 see: from a number up to another."""
        e, h = self.e, self.h
        none, every = e.const(0, I64), e.const(h.keys, I64)
        if h.reads_all:
            return none, every
        left, right, end = h.params["left"], h.params["right"], self._end()
        low = none if left is None else not_negative(e, e.sub(first, left))
        high = end if right is None else e.least(end, e.add(last, right))
        alike = e.compare("le", end, 0)
        if left is not None:
            alike = e.or_(alike, e.compare("ge", e.sub(last, left + 1), end))
        return (e.select(alike, none, low), e.select(alike, every, high)) if h.all_alike else (low, high)

    def queries_of(self, first: Reg, last: Reg) -> tuple[Reg, Reg]:
        """The queries that see some of the keys first to last - 1."""
        e, h = self.e, self.h
        none, every = e.const(0, I64), e.const(h.queries, I64)
        if h.reads_all:
            return none, every
        left, right, end = h.params["left"], h.params["right"], self._end()
        low = none if right is None else e.least(not_negative(e, e.sub(first, right)), every)
        high = every if left is None else e.least(e.add(last, left), every)
        high = e.select(e.compare("lt", first, end), high, low)
        if left is not None:  # those whose window lies behind all keys
            behind = e.add(not_negative(e, end), left)
            far = e.compare("lt", behind, every)
            low, high = e.select(far, e.least(low, behind), low), e.select(far, every, high)
        alike = e.compare("le", end, 0)
        return e.select(alike, none, low), e.select(alike, every, high)

    def _end(self) -> Reg:
        """What the numbers of keys that are there lie below."""
        return self.e.const(self.h.keys, I64) if self.length is None else self.e.least(self.length, self.h.keys)

    @property
    def each_asked(self) -> bool:
        """Whether something is read for each pair."""
        return bool(self._tables) or self.length is not None

    def score(self, product: Reg) -> Reg:
        return self.e.mul(product, self.h.params["scale"])

    def asked(self, score: Reg, query: Reg, key: Reg) -> Reg:
        """The score of a pair, whose numbers may be too large, with what else it depends on."""
        e, h = self.e, self.h
        seen = []
        for name, dtype, base, by_query, by_key, keys in self._tables:
            place = e.mul(e.least(query, h.queries - 1), keys) if by_query else e.const(0, I64)
            place = e.add(place, e.least(key, h.keys - 1)) if by_key else place
            found = e.load(e.offset(base, place, dtype), dtype)
            if name == "bias":
                score = e.add(score, e.convert(found, F32))
            else:
                seen.append(found)
        left, right = h.params["left"], h.params["right"]
        if right is not None:
            seen.append(e.compare("le", key, e.add(query, right)))
        if left is not None:
            seen.append(e.compare("ge", key, e.sub(query, left)))
        if self.length is not None:
            seen.append(e.compare("lt", key, self.length))
        for one in seen:
            score = e.select(one, score, MASKED)
        there = e.and_(e.compare("lt", key, h.keys), e.compare("lt", query, h.queries))
        return e.select(there, score, -inf)

    def all_seen(self, queries: tuple[Reg, Reg], keys: tuple[Reg, Reg]) -> Reg:
        """Whether of these queries and keys, from a number up to another, all are there and see each other by their positions."""
        e, h = self.e, self.h
        (first, last), (low, high) = queries, keys
        fine = e.and_(e.compare("le", last, h.queries), e.compare("le", high, h.keys))
        if h.params["right"] is not None:
            fine = e.and_(fine, e.compare("le", high, e.add(first, h.params["right"] + 1)))
        if h.params["left"] is not None:
            fine = e.and_(fine, e.compare("ge", low, e.sub(last, h.params["left"] + 1)))
        return fine


def exponential(e: Emitter, t: Threads, x: Reg, wide: bool) -> Reg:
    """exp(x) of a number that is not positive; `wide`: as accurate as float32 is."""
    x = e.select(e.compare("lt", x, NOTHING), NOTHING, x)
    power = e.mul(x, LOG2_E)
    found = t.exp2(power)
    if not wide:
        return found
    rest = e.fma(x, REST, e.fma(x, LOG2_E, e.neg(power)))
    return e.fma(e.mul(found, rest), 0.6931471805599453, found)


def not_negative(e: Emitter, n: Reg) -> Reg:
    return e.select(e.compare("lt", n, 0), 0, n)


def finite(e: Emitter, x: Reg) -> Reg:
    """x; 0 where it is infinite."""
    return e.select(e.compare("eq", e.abs(x), inf), 0.0, x)


def vars_of(atoms: Sequence[Atom]) -> list[Var]:
    """Arrays, which are never constants."""
    found = [a for a in atoms if isinstance(a, Var)]
    assert len(found) == len(atoms)
    return found
