"""What an op says about itself: `Traits`, the facts that passes, kernels and targets ask for; `Samples`, which tests alone read.

A fact is a field with a type and a default, so a misspelt one is an error where the op is made, and for mypy where it is read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from .types import DType

Kind = Literal[
    "elementwise", "layout", "reduce", "argreduce", "cumulative", "window_reduce", "call", "collective", "matrices", "alone"
]  # fmt: skip
"""The family of an op; some stand alone. Layout ops move elements, or make them of their place; ops/factorization.py has those on
matrices.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """The facts about one op. What most ops are is the default."""

    computes: bool = True
    """Whether it does arithmetic on its operands' elements, and not only chooses, converts, moves or hands them on: it takes
    storage types in the types that they are computed in."""

    # -- of elementwise ops

    arity: int = 1
    """How many operands it takes."""
    accepts: str = ""
    """The element types it takes: a name in `ops.define.ACCEPTS`."""
    commutes: bool = False
    """Whether its two operands may change places."""
    transcendental: bool = False
    """Whether it is a function of tens of instructions, better kept than done twice."""
    cost: float = 1.0
    """Roughly what one vector of it takes, in simple operations."""
    by_bits: bool = False
    """Whether it works on the bits of floats, so that a storage type is not computed in another one: ir/storage.py."""
    complex_only: bool = False
    """Whether it takes or makes complex numbers whatever its operands, so that no target has an emission of it."""
    exact: bool = False
    """Whether its results are numbers of its operands' type, however few bits that has: in a storage type they need no rounding."""
    scalar: Callable[..., Any] | None = None
    """A Python function of numbers, compiled by Numba, in place of an emission."""
    computed_in: DType | None = None
    """The element type that arguments of `scalar` are converted to first; None: their own."""

    # -- of reductions

    combine: str = ""
    """The elementwise op that joins two elements; of argmax and argmin, their own name."""
    empty: Any = None
    """What it is of no elements; None where that is not defined."""

    # -- of how it is computed

    free: bool = False
    """Whether it only says where an element is, so that every reader does it again at no cost."""
    barrier: bool = False
    """Whether nothing behind it is shared or fused with what made its operand."""
    in_memory: bool = False
    """Whether its result is written to memory, whoever reads it."""
    updates: bool = False
    """Whether it is its first operand with some places changed, so that it can be done in that one's memory."""
    reads_places: bool = False
    """Whether it reads elements of its first operand at computed places, so that this may be large where little is done."""
    in_registers: bool = False
    """Whether it can be done element by element, all values in registers; targets have a rule for it, or it only moves them."""
    hands_on: bool = False
    """Whether its result is one of its operands, but for sign and rounding, or their sum: of products, where they are products."""
    effect: bool = False
    """Whether it does something beside computing its results, so that it is done once and in its turn."""

    # -- of its derivatives

    sparse_cotangents: bool = False
    """Whether its transpose rule takes None for the cotangent of a result that nobody read, in place of zeros."""
    reverse_only: bool = False
    """Whether it has no forward mode."""
    transpose_only: bool = False
    """Whether it can be transposed but not be done: a linear map that is known backwards alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Where tests draw an op's operands from."""

    domain: tuple[float, float] | None = None
    """The least and the largest number; None: moderate ones of both signs."""
    integer_first: bool = False
    """Whether the first operand is a whole number."""
    fixed: int = 0
    """How many of the first operands there is no derivative by."""


ANYWHERE = Samples()
