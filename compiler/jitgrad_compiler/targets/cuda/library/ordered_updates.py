"""Updates of a scatter in the order of their places, as a thread takes them: the last of a place, or a segment of them combined.

Where segments may be long, rows are cut into chunks of equal length: a thread takes what of a segment is in its chunk. A segment
that goes on in other chunks has its first part among the first ones, what follows among the others, of which a chunk has one each;
the thread of the first part's chunk joins them when all are there.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from ....ir.types import BOOL, I64, DType
from ...combining import joined
from ...emitter import Emitter
from ...llvm_text import Reg
from ...long_sums import LONGEST, Total, rounds
from ...running import neutral


class Extents(NamedTuple):
    """Index rows of a batch, columns that an update has, places that there are, index rows of a chunk, and chunks; registers."""

    rows: Reg
    columns: Reg
    places: Reg
    chunk: Reg
    chunks: Reg


def parted(kind: str, dtype: DType) -> bool:
    """Whether parts of a segment may be combined apart."""
    return kind != "set" and not (kind == "mul" and dtype.is_float)


def long(kind: str, dtype: DType, count: int) -> bool:
    """Whether a place's updates, of so many rows, are summed with the rounding errors kept."""
    return rounds(kind, dtype) and count > LONGEST


class Ordered(ABC):
    """Index rows in the order of their places, as a function reads them; `in_parts`: whether there are chunks."""

    def __init__(self, e: Emitter, kind: str, stored: DType, n: Extents, in_parts: bool, long: bool) -> None:
        self.e, self.kind, self.stored, self.n, self.in_parts, self.long = e, kind, stored, n, in_parts, long
        self.dtype: DType = stored.computed

    @abstractmethod
    def key(self, batch: Reg, at: Reg) -> Reg:
        """The number of the place of a sorted row."""

    @abstractmethod
    def row(self, batch: Reg, at: Reg) -> Reg:
        """Which row it was."""

    @abstractmethod
    def update(self, batch: Reg, row: Reg, column: Reg) -> Reg:
        """A row's update."""

    @abstractmethod
    def target(self, batch: Reg, key: Reg, column: Reg) -> Reg:
        """Where the element of a place lies."""

    @abstractmethod
    def first(self, batch: Reg, chunk: Reg, column: Reg) -> Reg:
        """Where the first part of a chunk's last segment lies."""

    @abstractmethod
    def other(self, batch: Reg, chunk: Reg, column: Reg) -> Reg:
        """Where the part of a segment from before the chunk lies."""

    def parts(self, number: Reg, count: Reg) -> tuple[Reg, Reg, Reg]:
        """Batch, row and column of a number, of [batch, count, columns]."""
        e = self.e
        rest = e.div(number, self.n.columns)
        return e.div(rest, count), e.rem(rest, count), e.rem(number, self.n.columns)

    def held(self, at: Reg) -> Reg:
        return self.e.least(at, self.e.sub(self.n.rows, 1))

    def before(self, at: Reg) -> Reg:
        """The row before; of the first one, itself."""
        e = self.e
        return e.sub(at, e.convert(e.compare("gt", at, 0), I64))

    def goes_on(self, batch: Reg, end: Reg, key: Reg) -> Reg:
        """Whether a segment is there behind a chunk that ends here, too."""
        e = self.e
        return e.and_(e.compare("lt", end, self.n.rows), e.compare("eq", self.key(batch, self.held(end)), key))

    @contextmanager
    def while_key(self, batch: Reg, start: Reg, end: Reg, step: Reg | int, key: Reg) -> Iterator[Reg]:
        """The body runs for every `step`-th row from one on, as long as they have this key."""
        e = self.e
        place = e.alloca(I64)
        e.set(place, start)
        head, look, body, done = (e.fresh(hint) for hint in ("head", "look", "body", "exit"))
        e.branch(head)
        e.label(head)
        at = e.get(place, I64)
        e.branch_if(e.compare("lt", at, end), look, done)
        e.label(look)
        e.branch_if(e.compare("eq", self.key(batch, at), key), body, done)
        e.label(body)
        yield at
        e.set(place, e.add(at, step))
        e.branch(head)
        e.label(done)


def write_last(s: Ordered, number: Reg) -> None:
    """The update of a number, if it is the last of its place."""
    e, n = s.e, s.n
    batch, at, column = s.parts(number, n.rows)
    key = s.key(batch, at)
    following = s.key(batch, s.held(e.add(at, 1)))
    last = e.or_(e.compare("eq", at, e.sub(n.rows, 1)), e.compare("ne", following, key))
    with e.when(e.and_(last, e.compare("lt", key, n.places))):
        e.store(s.target(batch, key, column), s.update(batch, s.row(batch, at), column))


def write_combined(s: Ordered, number: Reg) -> None:
    """The segment, or what a chunk has of it, that begins with the update of a number."""
    e, n = s.e, s.n
    batch, at, column = s.parts(number, n.rows)
    key, chunk = s.key(batch, at), e.div(at, n.chunk)
    begins = e.or_(e.compare("eq", at, 0), e.compare("ne", s.key(batch, s.before(at)), key))
    starts = e.compare("eq", e.rem(at, n.chunk), 0) if s.in_parts else e.const(False, BOOL)
    with e.when(e.and_(e.or_(begins, starts), e.compare("lt", key, n.places))):
        target = s.target(batch, key, column)
        value = _Value(s)
        value.set(e.const(neutral(s.kind, s.dtype), s.dtype))
        with e.when(begins):
            value.set(e.convert(e.load(target, s.stored), s.dtype))
        end = e.least(e.mul(e.add(chunk, 1), n.chunk), n.rows)
        with s.while_key(batch, at, end, 1, key) as i:
            value.add(e.convert(s.update(batch, s.row(batch, i), column), s.dtype))
        found = value.value()
        if not s.in_parts:
            e.store(target, e.convert(found, s.stored))
            return
        goes_on = e.and_(s.goes_on(batch, end, key), e.compare("eq", s.key(batch, e.sub(end, 1)), key))
        with e.when(e.and_(begins, e.not_(goes_on))):
            e.store(target, e.convert(found, s.stored))
        with e.when(e.and_(begins, goes_on)):
            e.store(s.first(batch, chunk, column), found)
        with e.when(e.not_(begins)):
            e.store(s.other(batch, chunk, column), found)


def write_joined(s: Ordered, number: Reg) -> None:
    """A chunk's last segment with its parts in those behind, if it begins there and goes on."""
    e, n = s.e, s.n
    batch, chunk, column = s.parts(number, n.chunks)
    low, end = e.mul(chunk, n.chunk), e.mul(e.add(chunk, 1), n.chunk)
    key = s.key(batch, s.held(e.sub(end, 1)))
    begins = e.or_(e.compare("eq", low, 0), e.compare("ne", s.key(batch, s.before(low)), key))
    begins = e.or_(begins, e.compare("ne", s.key(batch, low), key))
    with e.when(e.and_(e.and_(begins, s.goes_on(batch, end, key)), e.compare("lt", key, n.places))):
        value = _Value(s)
        value.set(e.load(s.first(batch, chunk, column), s.dtype))
        with s.while_key(batch, end, n.rows, n.chunk, key) as i:
            value.add(e.load(s.other(batch, e.div(i, n.chunk), column), s.dtype))
        e.store(s.target(batch, key, column), e.convert(value.value(), s.stored))


class _Value:
    """What is combined: a sum of floats that may be long with the rounding errors kept."""

    def __init__(self, s: Ordered) -> None:
        self.e, self.kind, self.dtype = s.e, s.kind, s.dtype
        self.total = Total.start(s.e, s.dtype, 1) if s.long else None
        self.slot = self.total.sum if self.total else s.e.alloca(s.dtype)

    def set(self, value: Reg) -> None:
        if self.total:
            self.total.set(self.e, 0.0)
        self.e.set(self.slot, value)

    def add(self, value: Reg) -> None:
        if self.total:
            self.total.add(self.e, value)
        else:
            self.e.set(self.slot, joined(self.e, self.kind, self.e.get(self.slot, self.dtype), value))

    def value(self) -> Reg:
        return self.total.value(self.e) if self.total else self.e.get(self.slot, self.dtype)
