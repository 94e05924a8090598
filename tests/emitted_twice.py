"""Every kernel that the tests compile is written a second time, from a copy of its record, and must come out as the same text.

What depended on addresses, or on the order of a set of objects that are compared by identity, would differ: a copy's are others.
`pytest --emit-twice=1` does it for all programs, as CI does; without it one in eight, by its text, is looked at.
"""

from __future__ import annotations

import io
import pickle
import zlib
from collections.abc import Mapping
from typing import Any

from jitgrad_compiler.ir.graph import Deferred
from jitgrad_compiler.kernels.kernel import Kernel
from jitgrad_compiler.targets.cpu import program
from jitgrad_compiler.targets.cpu.codes import Code


class _Pickler(pickle.Pickler):
    """The user's functions are not copied."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, -1)
        self.held: list[Deferred] = []

    def persistent_id(self, x: Any) -> int | None:
        if not isinstance(x, Deferred):
            return None
        self.held.append(x)
        return len(self.held) - 1


def _copied(kernels: list[Kernel]) -> list[Kernel]:
    file = io.BytesIO()
    pickler = _Pickler(file)
    pickler.dump(kernels)
    unpickler = pickle.Unpickler(io.BytesIO(file.getvalue()))
    unpickler.persistent_load = pickler.held.__getitem__  # type: ignore[method-assign]
    copies: list[Kernel] = unpickler.load()
    return copies


def _text(codes: program._Codes) -> str:
    return "\n".join(m.text() for m, _ in codes._modules)


class CodesEmittedTwice(program._Codes):
    every = 8
    """One program in so many."""

    def _emit(self, k: Kernel) -> Code:
        code = super()._emit(k)
        self.__dict__.setdefault("emitted", []).append(k)  # a nested one before the one around it
        return code

    def compile(self, symbols: Mapping[str, int]) -> None:
        kernels, text = self.__dict__.get("emitted"), _text(self)
        if kernels and zlib.crc32(text.encode()) % self.every == 0:
            again = program._Codes(*self._how[:2])
            made = [again.of(k) for k in _copied(kernels)]
            assert _text(again) == text, f"written twice, these kernels gave two texts:\n{text}\n{_text(again)}"
            assert [c.phases for c in made] == [self.used[k].phases for k in kernels]
        super().compile(symbols)
