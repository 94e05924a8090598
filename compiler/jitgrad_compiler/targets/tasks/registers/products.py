"""Products of register code that are rounded once, together with the sum that reads them (FMA): chains are as short as can be.

What is written to cancel still does: x * x - y * y is 0 where x is y, and so is x * 0.1 - y * 0.1. So a product is left as it is
where it would be added to one of its own kind (of two values, or of a value and a constant of this size), and one of two values
also beside a sum of such products. A factor that is a power of two rounds nothing, so it makes no product of what it scales.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ....ir.graph import Eqn
from ....ops.arithmetic import add, mul, sub
from ....ops.contraction import dot_general
from ....ops.powers import integer_pow
from ...emitter import Emitter
from ...llvm_text import Reg

VALUES = 0.0
"""The kind of a product of two values; that of a value and a constant is the constant's size."""


class Products:
    """What is known of the registers of one function, by their text."""

    def __init__(self) -> None:
        self._kinds: dict[str, float] = {}
        self._factors: dict[str, tuple[Reg, Reg]] = {}

    def fused(self, e: Emitter, name: str, x: Reg, y: Reg) -> Reg | None:
        """x + y, or x - y, with a product among them rounded along; None where there is none that may be."""
        for product, other, first in ((x, y, True), (y, x, False)):
            factors, kind = self._factors.get(product.text), self._kinds.get(product.text)
            if factors is None or kind is not None and kind == self._kinds.get(other.text):
                continue
            a, b = factors
            if name == "add":
                return e.fma(a, b, other)
            return e.fma(a, b, e.neg(other)) if first else e.fma(e.neg(a), b, other)
        return None

    def note(self, e: Eqn, made: Reg, args: Sequence[Reg], alone: bool) -> None:
        """Remember what the equation made of these; `alone` says whether one other equation reads it, once."""
        if e.op is mul and made.type.is_float:
            constants = [a.constant for a in args if a.constant is not None]
            exact = [c for c in constants if math.isfinite(c) and abs(math.frexp(c)[0]) == 0.5]
            kind = self._of(args) if exact else abs(constants[0]) if constants else VALUES
            if alone:
                self._factors[made.text] = (args[0], args[1])
        elif e.op in (add, sub):
            kind = VALUES if all(self._kinds.get(a.text) == VALUES for a in args) else None
        elif e.op in (integer_pow, dot_general):
            kind = VALUES
        else:
            kind = self._of(args) if e.op.traits.hands_on else None
        if kind is not None:
            self._kinds[made.text] = kind

    def _of(self, args: Sequence[Reg]) -> float | None:
        """The kind that what is made of these is of: rather of values than by a constant."""
        return min((self._kinds[a.text] for a in args if a.text in self._kinds), default=None)
