"""Updates of a scatter of any size: arrays are seen as (places, columns), and each index row has the number of its place as a key.

    set          the last row of a place is found by atomic maxima of rows' numbers, and writes
    at once      each update by itself, where their order does not matter: integers and truth values, by atomic operations
    in order     rows sorted by their keys (sorting.py), and the updates of a place combined, as library/ordered_updates.py does it

Next on the path: runtime/cuda/scattering.py.
"""

from __future__ import annotations

from ....ir.types import BOOL, I64, U8, U32, U64, DType, unsigned_integer
from ....kernels.tuning import Tuning
from ...llvm_text import Reg
from ...scatter_geometry import BOOL_KINDS
from ..library.ordered_updates import Extents, Ordered, parted, write_combined, write_joined
from .kernel import SizedKernel, Writer
from .sorting import PLACE

ROWS = U32
"""The type of rows' numbers, which are all below 2^32."""


def stored_as(kind: str, dtype: DType) -> tuple[str, DType]:
    """How elements are combined, and of which type: a truth value is a byte of 0 or 1, of which a sum is "or"."""
    return (BOOL_KINDS[kind], U8) if dtype == BOOL and kind != "set" else (kind, dtype)


def unordered(kind: str, dtype: DType) -> bool:
    """Whether each update may be done by itself."""
    return kind in ("or", "and") or dtype.is_integer and dtype.bits >= 32 and kind in ("add", "max", "min")


def emit_place_keys(name: str, index: DType, rank: int, key: DType, tuning: Tuning) -> SizedKernel:
    """The kernel that makes keys of index rows. Its arguments are both; how many rows there are, and in a batch; the places of a
    batch; the key of what lies outside; and the extents of the axes.
    """
    extents = [f"extent{n}" for n in range(rank)]
    w = Writer(name, ("indices", "keys"), ("count", "rows", "places", "none", *extents), False, tuning)
    e, number = w.e, w.thread()
    with e.when(e.compare("lt", number, w.word("count"))):
        indices, inside, place = w.pointer("indices"), e.const(True, BOOL), e.const(0, I64)
        for n, extent in enumerate(extents):
            at = e.convert(e.load(e.offset(indices, e.add(e.mul(number, rank), n), index), index), I64)
            low = e.bitcast(at, U64)  # a negative one is huge without its sign
            inside = e.and_(e.compare("lt", low, e.bitcast(w.word(extent), U64)), inside)
            place = e.add(e.mul(place, w.word(extent)), at)
        place = e.add(place, e.mul(e.div(number, w.word("rows")), w.word("places")))
        e.store(e.offset(w.pointer("keys"), number, key), e.convert(e.select(inside, place, w.word("none")), key))
    return w.finish()


def emit_claims(name: str, key: DType, first: bool, tuning: Tuning) -> SizedKernel:
    """The kernel that finds the last row of each place, behind one that clears what it needs. Its arguments are the keys and a
    number for each place; how many rows there are, and the key of what lies outside.
    """
    w = Writer(name, ("keys", "claims"), ("count", "none"), False, tuning)
    e, number = w.e, w.thread()
    with e.when(e.compare("lt", number, w.word("count"))):
        place = _key(w, key, number)
        with e.when(e.compare("lt", place, w.word("none"))):
            claim = e.offset(w.pointer("claims"), place, ROWS)
            if first:
                e.store(claim, e.const(0, ROWS))
            else:
                w.threads.atomic("umax", claim, e.convert(number, ROWS))
    return w.finish()


_UPDATES = ("count", "columns", "none")
"""The words of kernels whose threads have an update each: how many these are, columns, and the key of what lies outside."""


def emit_winners(name: str, key: DType, bits: int, tuning: Tuning) -> SizedKernel:
    """The kernel that writes the last row of each place. Its arguments are the keys, the last rows, the updates and the result; and
    `_UPDATES`.
    """
    w = Writer(name, ("keys", "claims", "updates", "target"), _UPDATES, False, tuning)
    e, number, dtype = w.e, w.thread(), unsigned_integer(bits)
    with e.when(e.compare("lt", number, w.word("count"))):
        row, place, target = _goes(w, key, number)
        with e.when(e.compare("lt", place, w.word("none"))):
            last = e.load(e.offset(w.pointer("claims"), place, ROWS), ROWS)
            with e.when(e.compare("eq", last, e.convert(row, ROWS))):
                e.store(e.offset(w.pointer("target"), target, dtype), _update(w, number, dtype))
    return w.finish()


def emit_atomics(name: str, key: DType, kind: str, dtype: DType, tuning: Tuning) -> SizedKernel:
    """The kernel of updates by themselves. Its arguments are the keys, the updates and the result; and `_UPDATES`."""
    w = Writer(name, ("keys", "updates", "target"), _UPDATES, False, tuning)
    e, number = w.e, w.thread()
    with e.when(e.compare("lt", number, w.word("count"))):
        _, place, at = _goes(w, key, number)
        with e.when(e.compare("lt", place, w.word("none"))):
            target, value = e.offset(w.pointer("target"), at, dtype), _update(w, number, dtype)
            if kind in ("or", "and"):
                decides = 1 if kind == "or" else 0
                with e.when(e.compare("eq", value, decides)):
                    e.store(target, e.const(decides, U8))
            else:
                w.threads.atomic(kind if kind == "add" or dtype.is_signed else f"u{kind}", target, value)
    return w.finish()


def emit_ordered(name: str, key: DType, kind: str, dtype: DType, long: bool, joins: bool, tuning: Tuning) -> SizedKernel:
    """The kernel of updates in order; `long`: whether they are many; `joins`: the one behind it, where there are chunks.

    Its arguments are the keys in order and which rows they were, the updates, the result, the first parts and the others; and how
    many rows there are, columns, the key of what lies outside, the rows of a chunk, and the chunks.
    """
    pointers = ("keys", "rows", "updates", "target", "firsts", "others")
    w = Writer(name, pointers, ("row_count", "columns", "none", "chunk", "chunks"), False, tuning)
    e, s, number = w.e, _Sorted(w, key, kind, dtype, long), w.thread()
    units = e.mul(s.n.chunks if joins else s.n.rows, s.n.columns)
    with e.when(e.compare("lt", number, units)):
        (write_joined if joins else write_combined)(s, number)
    return w.finish(result_bytes=s.dtype.nbytes)


class _Sorted(Ordered):
    """Sorted index rows; all batches are one."""

    def __init__(self, w: Writer, key: DType, kind: str, dtype: DType, long: bool) -> None:
        names = ("row_count", "columns", "none", "chunk", "chunks")
        extents, computed = Extents(*[w.word(n) for n in names]), dtype.computed
        super().__init__(w.e, kind, dtype, extents, parted(kind, computed), long)
        self.w, self.stored_key = w, key

    def parts(self, number: Reg, count: Reg) -> tuple[Reg, Reg, Reg]:
        e, columns = self.e, self.n.columns
        return e.const(0, I64), e.div(number, columns), e.rem(number, columns)

    def key(self, batch: Reg, at: Reg) -> Reg:
        return _key(self.w, self.stored_key, at)

    def row(self, batch: Reg, at: Reg) -> Reg:
        return self.e.convert(self.e.load(self.e.offset(self.w.pointer("rows"), at, PLACE), PLACE), I64)

    def update(self, batch: Reg, row: Reg, column: Reg) -> Reg:
        return _update(self.w, self.e.add(self.e.mul(row, self.n.columns), column), self.stored)

    def target(self, batch: Reg, key: Reg, column: Reg) -> Reg:
        return self._at("target", key, column, self.stored)

    def first(self, batch: Reg, chunk: Reg, column: Reg) -> Reg:
        return self._at("firsts", chunk, column, self.dtype)

    def other(self, batch: Reg, chunk: Reg, column: Reg) -> Reg:
        return self._at("others", chunk, column, self.dtype)

    def _at(self, name: str, row: Reg, column: Reg, dtype: DType) -> Reg:
        e = self.e
        return e.offset(self.w.pointer(name), e.add(e.mul(row, self.n.columns), column), dtype)


def _key(w: Writer, key: DType, row: Reg) -> Reg:
    return w.e.convert(w.e.load(w.e.offset(w.pointer("keys"), row, key), key), I64)


def _goes(w: Writer, key: DType, number: Reg) -> tuple[Reg, Reg, Reg]:
    """An update's row, its key, and where it goes."""
    e, columns = w.e, w.word("columns")
    row = e.div(number, columns)
    place = _key(w, key, row)
    return row, place, e.add(e.mul(place, columns), e.rem(number, columns))


def _update(w: Writer, number: Reg, dtype: DType) -> Reg:
    return w.e.load(w.e.offset(w.pointer("updates"), number, dtype), dtype)
