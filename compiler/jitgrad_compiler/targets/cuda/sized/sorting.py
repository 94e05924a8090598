"""Rows of any number and length sorted with the places of their elements, by what library/pairs.py writes.

Elements become keys, rows side by side. Short rows are sorted in shared memory; long ones by passes of `DIGIT_BITS` bits, whose
counts cumulative.py sums up between the two kernels of a pass. Next on the path: runtime/cuda/sorting.py.
"""

from __future__ import annotations

from ....ir.types import BOOL, I64, U8, U32, U64, DType
from ....kernels.tuning import Tuning
from ...llvm_text import Reg
from ...tasks.sort_rows import ordered
from ..library.pairs import (
    PLACE_BITS,
    Read,
    Sizes,
    Write,
    digit_of,
    in_block,
    most_shared,
    write_counts,
    write_in_shared,
    write_moves,
)
from .kernel import SizedKernel, Writer

PLACE = U32
"""The type of places, which are all below 2^32."""
SIZES = ("rows", "n", "chunks", "size", "shift")


def key_of(bits: int) -> DType:
    """The type of keys of so many bits."""
    return U32 if bits <= PLACE_BITS else U64


def emit_keys(name: str, dtype: DType, decreasing: bool, tuning: Tuning) -> SizedKernel:
    """The kernel that makes keys of elements. Its arguments are both, and how many there are."""
    w = Writer(name, ("source", "target"), ("count",), False, tuning)
    e, number, key = w.e, w.thread(), key_of(dtype.bits)
    stored = U8 if dtype == BOOL else dtype
    with e.when(e.compare("lt", number, w.word("count"))):
        found = ordered(e, e.load(e.offset(w.pointer("source"), number, stored), stored))
        e.store(e.offset(w.pointer("target"), number, key), e.convert(e.not_(found) if decreasing else found, key))
    return w.finish()


def emit_short(name: str, key: DType, tuning: Tuning) -> SizedKernel:
    """The kernel that sorts short rows. Its arguments are the keys, those in order and their places; the rows, the elements of one,
    the power of two that these are padded to, and the pairs of the rows that are a block's.
    """
    w = Writer(name, ("keys", "sorted", "places"), ("rows", "n", "levels", "total"), False, tuning)
    e, rows, n, total = w.e, w.word("rows"), w.word("n"), w.word("total")
    _, room = in_block(most_shared(tuning.gpu))
    read, sizes = _reader(w, key, first=True), Sizes(rows, n, e.const(1, I64), n)
    write_in_shared(
        w, w.threads.block(), sizes, w.word("levels"), total, room, key, lambda row, i: read(row, i)[0], _writer(w, key)
    )
    return w.finish()


def emit_counts(name: str, key: DType, tuning: Tuning) -> SizedKernel:
    """The first kernel of a pass. Its arguments are the keys, the counts and `SIZES`: the last is where the digit begins."""
    w = Writer(name, ("keys", "counts"), SIZES, False, tuning)
    read = _reader(w, key, first=True)
    write_counts(w, w.threads.block(), _sizes(w), lambda k: _digit(w, k), read, w.pointer("counts"), PLACE)
    return w.finish()


def emit_moves(name: str, key: DType, first: bool, tuning: Tuning) -> SizedKernel:
    """The last kernel of a pass. Its arguments are the keys and, but for the first pass, their places; the counts, each with those
    before it; keys and places in order; and `SIZES`.
    """
    w = Writer(name, ("keys", *["numbers"] * (not first), "counts", "sorted", "places"), SIZES, False, tuning)
    read, write = _reader(w, key, first), _writer(w, key)
    write_moves(w, w.threads.block(), _sizes(w), lambda k: _digit(w, k), read, write, w.pointer("counts"), PLACE)
    return w.finish()


def _sizes(w: Writer) -> Sizes:
    return Sizes(*[w.word(name) for name in SIZES[:4]])


def _digit(w: Writer, key: Reg) -> Reg:
    return digit_of(w.e, w.e.shr(key, w.e.convert(w.word("shift"), key.type)))


def _reader(w: Writer, key: DType, first: bool) -> Read:
    """What reads a pair; before anything is sorted a key's place is its number."""
    e, keys = w.e, w.pointer("keys")
    numbers = None if first else w.pointer("numbers")

    def read(row: Reg, i: Reg) -> tuple[Reg, Reg]:
        at = e.add(e.mul(row, w.word("n")), i)
        place = e.convert(i, PLACE) if numbers is None else e.load(e.offset(numbers, at, PLACE), PLACE)
        return e.load(e.offset(keys, at, key), key), place

    return read


def _writer(w: Writer, key: DType) -> Write:
    e, keys, places = w.e, w.pointer("sorted"), w.pointer("places")

    def write(row: Reg, i: Reg, found: Reg, place: Reg) -> None:
        at = e.add(e.mul(row, w.word("n")), i)
        e.store(e.offset(keys, at, key), found)
        e.store(e.offset(places, at, PLACE), place)

    return write
