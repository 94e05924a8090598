"""What decides in which order sums are added and is the same on every machine, whatever its Tuning (kernels/tuning.py).

Lanes of a vector, blocks of a contraction's depth; the runs of long sums are in long_sums.py. Some were chosen with caches in
mind; they are fixed all the same, so that results are equal to the bit wherever a program runs.
"""

from __future__ import annotations

from ..ir.types import F32, F64

VECTOR_BYTES = 64
"""Of the vectors that kernels are written in; code generation splits them where the machine's are narrower."""


def lanes_for(nbytes: int) -> int:
    """Lanes of a vector of elements so large: eight to sixteen, of which even bytes have no more."""
    return max(8, min(16, VECTOR_BYTES // nbytes))


K_BLOCK = {F32: 384, F64: 256}
"""Steps of a contraction's depth that are summed by themselves. A panel of B of two vectors' width takes 48 or 32 KiB."""
SPLIT_K_FROM = 2048
"""Depth from which it may be cut into chunks for several tasks; shorter sums are not worth a second pass over partial results."""
SPLIT_K_OUTPUTS = 1 << 14
"""Outputs up to which it is; with more there are tasks enough."""
SPLIT_K_OPERANDS = 256
"""Elements of the operands for each output from which it is all the same: tasks that share them read them again and again."""
DEEP, DEEP_OF_MANY = 1 << 12, 1 << 15
"""Depth, with few outputs and with more, from which blocks go in runs (long_sums.py). Shorter sums of equal terms err by up to
3.5e-6, as BLAS's do: runs of 16, 32 or 64 steps everywhere would take 13, 8 or 5 % of a square product's speed.
"""
SHORTEST_ROWS, SHORTEST_STEPS, SHORTEST_BLOCK = 4, 3, 48
"""Runs of rows and of steps of depth, and blocks of depth, that are gone through in place; else the operand is packed."""

TILES = 56
"""Tiles of a convolution whose products are summed by themselves: cpu/contract/winograd.py."""
BLOCKS_OF_TILES, FEW_PRODUCTS = (16, 64), 1 << 14
"""Such blocks in a chunk, whose sums have memory of their own: where features times results are few, and where they are many, which
takes the memory and makes tasks enough.
"""

MANY_UPDATES = 1 << 16
"""Updates of a scatter from which too many may meet at one place, even if they are few for each on average."""

SUMS_APART = 8
"""Parts of many updates, at most, whose sums are made apart and joined in order."""

SMALL_CHOLESKY = 48
"""Rows of the largest matrix whose Cholesky factor is found without LAPACK, which takes longer to begin."""

RADICES = (8, 4, 2, 3, 5, 7, 11, 13)
"""Elements that a pass of a Fourier transform joins: tasks/fourier/butterflies.py."""
LONE_LENGTH = 256
"""Elements of a transform from which rows that are too few to fill a vector are seen as rows and columns: tasks/fourier/long.py."""
