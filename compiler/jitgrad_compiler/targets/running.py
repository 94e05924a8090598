"""Running values of cumulative ops in registers, on a CPU and on a GPU."""

from __future__ import annotations

from typing import Any

from ..ir.types import DType
from .combining import identity, joined
from .emitter import Emitter
from .llvm_text import Reg
from .long_sums import Total


def neutral(combine: str, dtype: DType) -> Any:
    """What changes nothing that it is combined with, not even a zero's sign."""
    return -0.0 if combine == "add" and dtype.is_float else identity(combine, dtype)


class Running:
    """A running value; of a long sum that of a run, what the runs before came to, and their total (long_sums.py)."""

    def __init__(self, e: Emitter, combine: str, dtype: DType, width: int, long: bool) -> None:
        self.e, self.combine, self.dtype, self.width = e, combine, dtype, width
        self.start = neutral(combine, dtype)
        self.slot = e.alloca(dtype, width)
        self.total = self.before = None
        if long:
            self.total, self.before = Total.start(e, dtype, width, self.start), e.alloca(dtype, width)
            self._set(self.before)
        self._set(self.slot)

    def _set(self, slot: Reg) -> None:
        self.e.set(slot, self.e.const(self.start, self.dtype, self.width))

    def _over(self, value: Reg) -> Reg:
        """On top of the runs before."""
        return value if self.before is None else self.e.add(self.e.get(self.before, self.dtype, self.width), value)

    def with_next(self, value: Reg) -> Reg:
        """The running value combined with a value, which is not taken in."""
        return self._over(joined(self.e, self.combine, self.e.get(self.slot, self.dtype, self.width), value))

    def take(self, value: Reg) -> Reg:
        """Take a value in; the running value behind it."""
        value = joined(self.e, self.combine, self.e.get(self.slot, self.dtype, self.width), value)
        self.e.set(self.slot, value)
        return self._over(value)

    def value(self) -> Reg:
        return self._over(self.e.get(self.slot, self.dtype, self.width))

    def close(self) -> None:
        """The end of a run of a long sum."""
        if self.total is not None and self.before is not None:
            self.total.add(self.e, self.e.get(self.slot, self.dtype, self.width))
            self.e.set(self.before, self.total.value(self.e))
            self._set(self.slot)
