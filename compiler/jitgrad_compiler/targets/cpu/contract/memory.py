"""What a contraction needs room for, in elements: sums that wait and packed panels of B in scratch memory, a packed block of A and
one panel of B on the stack.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...emitter import Emitter
from ...llvm_text import Reg
from .blocking import Blocking, ContractSpec, round_up


@dataclass(frozen=True)
class ContractMemory:
    """`c_plain`: the result lies in memory that the sums of blocks of K may be added in."""

    spec: ContractSpec
    blocking: Blocking
    c_plain: bool

    @property
    def columns(self) -> int:
        """N filled up to whole panels."""
        return self.blocking.column_panels * self.blocking.panel

    @property
    def split(self) -> bool:
        return self.blocking.chunks > 1

    @property
    def partial(self) -> bool:
        """Whether sums wait in scratch memory: K is split, or has several blocks and C cannot hold them itself."""
        several = self.blocking.k_chunk > self.blocking.k_block
        return self.split or self.blocking.long or (not self.c_plain and several)

    @property
    def shared_b(self) -> bool:
        """Whether B is packed by a phase of its own: where several tasks would pack the same panel."""
        return self.blocking.pack_b and self.blocking.row_strips > 1

    @property
    def lost(self) -> int:
        """How far behind the sums in scratch memory lies what they lost; 0 where that is not kept."""
        return self.blocking.chunks * self.spec.batch * self.spec.m * self.columns if self.blocking.long else 0

    @property
    def partial_size(self) -> int:
        sums = self.blocking.chunks * self.spec.batch * self.spec.m * self.columns if self.partial else 0
        return sums + self.lost

    @property
    def depth(self) -> int:
        """K with each block filled up to whole vectors."""
        k, block = self.spec.k, self.blocking.k_block
        return round_up(k, self.blocking.lanes) if self.even_blocks else k // block * self.block_depth

    @property
    def even_blocks(self) -> bool:
        """Whether blocks of K are whole vectors; else all have one length."""
        return self.blocking.k_block % self.blocking.lanes == 0

    @property
    def block_depth(self) -> int:
        return round_up(self.blocking.k_block, self.blocking.lanes)

    @property
    def shared_b_size(self) -> int:
        return self.spec.batch * self.depth * self.columns if self.shared_b else 0

    @property
    def a_row_stride(self) -> int:
        """Of a packed block that is read along k: one vector more than K, or rows would meet in one set of the cache."""
        return self.blocking.k_block + self.blocking.lanes

    @property
    def a_strip_width(self) -> int:
        return round_up(self.blocking.most_rows, self.blocking.lanes)

    def room_for_a(self, e: Emitter) -> Reg:
        """Stack for the packed block of A."""
        blocking = self.blocking
        tiles = -(-blocking.row_tiles // blocking.row_strips)
        if self.spec.a_contiguous == "k":
            elements = tiles * blocking.most_rows * self.a_row_stride
        else:
            elements = tiles * blocking.k_block * self.a_strip_width
        return e.alloca(self.spec.dtype, blocking.lanes, elements // blocking.lanes)

    def room_for_b(self, e: Emitter) -> Reg | None:
        """Stack for one panel of B, where a task packs its own."""
        blocking = self.blocking
        if self.shared_b or not blocking.pack_b:
            return None
        return e.alloca(self.spec.dtype, blocking.lanes, self.block_depth * blocking.vectors)
